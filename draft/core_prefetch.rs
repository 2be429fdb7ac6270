//! How a core prefetches: its prefetcher sees the loads and stores of the program, in the order in which they look into the caches, and
//! what it names is asked for like what a load misses, while the core goes on.
//!
//! ```text
//!   access --> caches          line not there --> MSHR --> Request --> ... --> Complete: the line is in the caches
//!         \--> prefetcher --lines--^                 ^
//!                               (dropped)            '-- an access that wants the line waits for it: a late prefetch
//! ```

use rustc_hash::FxHashSet;

use super::run::Pause;
use super::{Core, Stage, observe};
use crate::base::address::{Address, Line};
use crate::base::time::Time;
use crate::coherence::controller::Transaction;
use crate::coherence::order::Command;
use crate::components::hierarchy::{Lookup, PrivateCaches};
use crate::components::owner::{Owner, Stack};
use crate::components::prefetcher::{Prefetcher, PrefetcherSpec, Seen};
use crate::components::shared::Shared;
use crate::components::trace::Kind;

/// What became of the lines that a prefetcher named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrefetchCounters {
    /// Lines asked for.
    pub issued: u64,
    /// Lines that came.
    pub filled: u64,
    /// Accesses that were the first to find a prefetched line.
    pub useful: u64,
    /// Accesses that found their line still on its way, the first of each line.
    pub late: u64,
    /// Lines that left before they were used.
    pub useless: u64,
    /// Lines named for which there was no MSHR, or no place in the cache or the write-back buffer.
    pub dropped: u64,
}

/// A line to be asked for.
#[derive(Clone, Copy, Debug)]
struct Ask {
    transaction: Transaction,
    line: Line,
    cycle: u64,
}

/// What a core has that prefetches.
#[derive(Clone, Debug)]
pub(super) struct Prefetching {
    prefetcher: Prefetcher,
    n_mshrs: usize,
    /// Lines on their way that no access has wanted yet.
    under_way: Vec<Line>,
    /// Of a core that waits: lines on their way, whoever wants them.
    misses: Vec<Line>,
    /// The line that the access in progress waits for.
    late: Option<Line>,
    /// Lines that came and were not used, or have left since.
    unused: FxHashSet<Line>,
    /// When so many are kept, those that have left are looked for.
    most_unused: usize,
    wanted: Vec<Line>,
    asks: Vec<Ask>,
    counters: PrefetchCounters,
}

impl Prefetching {
    /// Before caches that hold so many lines of so many bytes.
    pub fn new(spec: PrefetcherSpec, line_bytes: u32, n_lines: u64) -> Prefetching {
        Prefetching {
            prefetcher: Prefetcher::new(spec, line_bytes),
            n_mshrs: spec.mshrs as usize,
            under_way: Vec::new(),
            misses: Vec::new(),
            late: None,
            unused: FxHashSet::default(),
            most_unused: 2 * n_lines as usize,
            wanted: Vec::new(),
            asks: Vec::new(),
            counters: PrefetchCounters::default(),
        }
    }

    /// Counters start anew.
    pub fn begin(&mut self) {
        self.counters = PrefetchCounters::default();
    }

    /// What was counted; lines that have left unused unnoticed are noticed.
    pub fn counters(&self, caches: &PrivateCaches) -> PrefetchCounters {
        let left = self.unused.iter().filter(|&&line| !caches.holds(line)).count() as u64;
        PrefetchCounters { useless: self.counters.useless + left, ..self.counters }
    }

    /// Whether anything is to be asked for.
    pub fn has_asks(&self) -> bool {
        !self.asks.is_empty()
    }

    /// Whether a core that waits for each of its own misses has the line on its way.
    pub fn awaits(&self, line: Line) -> bool {
        self.misses.contains(&line)
    }

    /// An access wants a line that is on its way: whether that was asked for beforehand, and is late.
    pub fn is_late(&mut self, line: Line) -> bool {
        let Some(place) = self.under_way.iter().position(|&other| other == line) else { return false };
        self.under_way.swap_remove(place);
        self.counters.late += 1;
        true
    }

    /// A line that was asked for beforehand came.
    pub fn arrived(&mut self, line: Line, caches: &PrivateCaches) {
        self.counters.filled += 1;
        if let Some(place) = self.under_way.iter().position(|&other| other == line) {
            self.under_way.swap_remove(place);
            self.unused.insert(line);
            if self.unused.len() > self.most_unused {
                let before = self.unused.len();
                self.unused.retain(|&line| caches.holds(line));
                self.counters.useless += (before - self.unused.len()) as u64;
            }
        }
    }

    /// Whether an access is the first to use a line that was prefetched; `missed` where it is not there any more.
    fn is_first_use(&mut self, line: Line, missed: bool) -> bool {
        let first = !self.unused.is_empty() && self.unused.remove(&line);
        self.counters.useful += u64::from(first && !missed);
        self.counters.useless += u64::from(first && missed);
        first
    }

    pub fn footprint(&self) -> usize {
        self.prefetcher.footprint() + 16 * self.unused.capacity()
    }
}

impl Core {
    /// What its prefetcher did, where it has one.
    pub fn prefetched(&self) -> Option<super::PrefetchCounters> {
        Some(self.prefetching.as_ref()?.counters(self.caches.as_ref()?))
    }

    /// The prefetcher sees how an access of an instruction ended that looked at a cycle; what it names is asked for when the lookups in
    /// all levels are over. `free` says how many MSHRs are.
    pub(super) fn foresee(
        &mut self,
        (instruction, address): (u32, Address),
        found: Option<Lookup>,
        cycle: u64,
        free: usize,
        shared: &mut Shared,
    ) -> Vec<Line> {
        let (Some(mut own), Some(caches)) = (self.prefetching.take(), &mut self.caches) else { return Vec::new() };
        let line = caches.line(address);
        let missed = matches!(found, Some(Lookup::Ask(transaction)) if transaction.brings_line());
        // `None`: the line was on its way.
        let news = own.is_first_use(line, missed) || !matches!(found, Some(Lookup::Hit(0)));
        let mut wanted = std::mem::take(&mut own.wanted);
        own.prefetcher.see(Seen { instruction, address, news }, &mut wanted);
        let mut asked = Vec::new();
        let time = self.clock.edge(cycle);
        for line in wanted.drain(..) {
            if caches.holds(line) {
                continue;
            }
            if asked.len() == free {
                own.counters.dropped += 1;
                continue;
            }
            let mut observer = observe(self.number, time, &mut shared.agent_rows, &mut shared.versions);
            match caches.prefetch(line, &mut observer) {
                Ok(Some(transaction)) => {
                    own.counters.issued += 1;
                    own.under_way.push(line);
                    let cycle = cycle + self.levels.all(Kind::Read);
                    own.asks.push(Ask { transaction, line, cycle });
                    asked.push(line);
                }
                Ok(None) => own.counters.dropped += 1,
                Err(broken) => shared.broken(time, self.number, &broken),
            }
        }
        own.wanted = wanted;
        self.prefetching = Some(own);
        asked
    }
}
