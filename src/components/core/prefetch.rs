//! How a core prefetches: its prefetcher sees the loads and stores of the program, in the order in which they look into the caches, and
//! what it names is asked for like what a load misses, while the core goes on.
//!
//! ```text
//!   access --> caches          line not there --> MSHR --> Request --> ... --> Complete: the line is in the caches
//!         \--> prefetcher --lines--^                 ^
//!                               (dropped)            '-- an access that wants the line waits for it: a late prefetch
//! ```

use rustc_hash::FxHashSet;

use super::{Core, NO_ACCESS, Stage};
use crate::base::address::{Address, Line};
use crate::base::time::Time;
use crate::coherence::controller::Transaction;
use crate::coherence::order::Command;
use crate::components::hierarchy::{Lookup, PrivateCaches};
use crate::components::message::Message;
use crate::components::owner::{Owner, Stack, Timeline};
use crate::components::prefetcher::{Prefetcher, PrefetcherSpec, Seen};
use crate::components::shared::Shared;
use crate::components::trace::Kind;
use crate::engine::Port;

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
    /// The prefetcher has seen the access in progress already.
    seen: bool,
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
            seen: false,
            unused: FxHashSet::default(),
            most_unused: 2 * n_lines as usize,
            wanted: Vec::new(),
            asks: Vec::new(),
            counters: PrefetchCounters::default(),
        }
    }

    /// Counters start anew; lines that have left are forgotten.
    pub fn begin(&mut self, caches: &PrivateCaches) {
        self.counters = PrefetchCounters::default();
        self.unused.retain(|&line| caches.holds(line));
    }

    /// What was counted; lines that have left unused unnoticed are noticed.
    pub fn counters(&self, caches: &PrivateCaches) -> PrefetchCounters {
        let left = self.unused.iter().filter(|&&line| !caches.holds(line)).count() as u64;
        PrefetchCounters { useless: self.counters.useless + left, ..self.counters }
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
            let mut observer = shared.observe(self.number, time, NO_ACCESS);
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

    /// The same on a core that waits for each access, or for each load. Whether anything is to be asked for.
    pub(super) fn foresee_in_order(
        &mut self,
        access: (u32, Address),
        found: Option<Lookup>,
        cycle: u64,
        shared: &mut Shared,
    ) -> bool {
        let Some(own) = &self.prefetching else { return false };
        let free = own.n_mshrs - own.misses.len();
        let asked = self.foresee(access, found, cycle, free, shared);
        if let Some(own) = &mut self.prefetching {
            own.misses.extend(&asked);
        }
        !asked.is_empty()
    }

    /// Whether the line of an access that waits is on its way already: then it waits for that.
    pub(super) fn finds_on_its_way(&mut self, line: Line) -> bool {
        let Some(own) = self.prefetching.as_mut().filter(|own| own.awaits(line)) else { return false };
        own.is_late(line);
        own.late = Some(line);
        own.seen = true;
        true
    }

    /// Whether the line of a store that leaves the buffer is on its way already.
    pub(super) fn store_finds_on_its_way(&mut self, line: Line) -> bool {
        let Some(own) = self.prefetching.as_mut().filter(|own| own.awaits(line)) else { return false };
        own.is_late(line);
        true
    }

    /// Whether the access that has ended waited for a line on its way, and was seen then.
    pub(super) fn was_seen(&mut self) -> bool {
        self.prefetching.as_mut().is_some_and(|own| std::mem::take(&mut own.seen))
    }

    /// Whether anything is to be asked for.
    pub(super) fn has_prefetches(&self) -> bool {
        self.prefetching.as_ref().is_some_and(|own| !own.asks.is_empty())
    }

    /// Asks for what is to be asked for.
    pub(super) fn send_prefetches(&mut self, shared: &mut Shared, port: &mut Port<'_, Message>) {
        let Some(own) = &mut self.prefetching else { return };
        for Ask { transaction, line, cycle } in std::mem::take(&mut own.asks) {
            self.ask(Command::Coherent(transaction), line, cycle, shared, port);
            self.send_leaving(self.clock.edge(cycle), port);
        }
    }

    /// A transaction of a line that a waiting core asked for beforehand is over.
    pub(super) fn complete_prefetch(
        &mut self,
        (transaction, line, is_shared, version): (Transaction, Line, bool, u64),
        time: Time,
        shared: &mut Shared,
        port: &mut Port<'_, Message>,
    ) {
        let Some(caches) = &mut self.caches else { return };
        let mut observer = shared.observe(self.number, time, NO_ACCESS);
        let completed = caches.complete(line, transaction, is_shared, version, &mut observer);
        if !self.is_there(completed, line, time, shared, port) {
            return;
        }
        let (Some(caches), Some(own)) = (&mut self.caches, &mut self.prefetching) else { return };
        own.misses.retain(|&other| other != line);
        own.arrived(line, caches);
        let is_late = own.late.take_if(|late| *late == line).is_some();
        self.send_leaving(time, port);
        let (_, edge) = self.clock.first_edge(time);
        let mut timeline = shared.timelines[usize::from(self.number)].end(line);
        timeline.mark(Owner::Network, edge);
        if self.stage == Stage::Stalled && is_late {
            self.go_on_late(&timeline, time);
        } else {
            self.try_again(time);
        }
    }

    /// The line that an access waited for is there, as if it had been a miss of its own: its lookup ends when the line comes, or when
    /// it would have ended anyway.
    fn go_on_late(&mut self, timeline: &Timeline, time: Time) {
        let (arrival, _) = self.clock.first_edge(time);
        let cycle = arrival.max(self.cycle + self.costs.inner) - self.costs.inner;
        let (from, until) = (self.clock.edge(self.cycle), self.clock.edge(cycle));
        let line = self.line_in_progress();
        self.account.stall(line, cycle - self.cycle, |stack| {
            let mut overlap = Stack::default();
            let known = timeline.overlap(from, until, &mut overlap);
            stack.merge(&overlap);
            stack.add(Owner::Queue, (until - from).saturating_sub(known));
        });
        self.cycle = cycle;
        self.go_back();
        self.stage = self.stage_in_progress();
    }
}
