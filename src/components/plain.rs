//! The caches of a single core, without coherence: any number of levels, each with its own line, replacement, way with writes, and
//! inclusion. Time is someone else's business; this file says what happens, and counts it.
//!
//! ```text
//!   instructions --> L1i --\
//!                           >-- L2 --> ... --> memory       inwards:  lines that were fetched
//!           data --> L1d --/                                outwards: fetches of a line; writes of dirty victims, or of what a
//!                                                                     write-through level passes on
//! ```
//!
//! What happens in which order is as in Dinero IV (Edler and Hill, 1998), for levels of inclusion `neither`: a miss first fetches its line
//! from the next level, then writes its dirty victim there; a write that misses fetches the line where the level allocates on writes,
//! unless it covers the whole line; otherwise it passes on and leaves the level as it was. An inclusive level takes the lines that it
//! drops from the levels inside it as well (Baer and Wang, ISCA 1988). An exclusive one holds what the levels inside it have dropped: a
//! line that they fetch leaves it, and a line that none has passes it by (Jouppi and Wilton, "Tradeoffs in Two-Level On-Chip
//! Caching", ISCA 1994).

mod outbox;

use crate::base::address::{Address, Line};
use crate::base::random::Stream;
use crate::coherence::protocol::State;
use crate::components::cache::{CacheArray, Slot};
use crate::components::causes::{Cause, Causes};
use crate::components::spec::{CacheSpec, Holds, Inclusion, WritePolicy};
use crate::components::trace::Kind;

pub use outbox::Outbox;

/// The state of every line held: these caches know no others.
const HELD: State = State(1);
/// No line has this number.
const NO_LINE: Line = Line::MAX;

/// What one level counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainCounters {
    /// Accesses by [`Kind`] as a number. What a level asks of the next is a fetch where it wants instructions, a read where it wants
    /// data, for a write that misses too, and a write where it passes on a victim or a write.
    pub accesses: [u64; 3],
    /// Those that did not find their line.
    pub misses: [u64; 3],
    /// The same, by cause.
    pub causes: Causes,
    /// Lines that made room for another, or left for inclusion's sake.
    pub evictions: u64,
    /// Dirty lines among them.
    pub writebacks: u64,
    /// Bytes of lines that came from the next level.
    pub bytes_read: u64,
    /// Bytes that went to the next level.
    pub bytes_written: u64,
}

/// A transaction with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    pub address: Address,
    pub bytes: u32,
    pub write: bool,
    /// Whether the access that caused it waits for it.
    pub awaited: bool,
}

/// One level.
#[derive(Clone, Debug)]
struct Level {
    array: CacheArray,
    counters: PlainCounters,
    line_bytes: u64,
    line_shift: u32,
    write_back: bool,
    allocates: bool,
    inclusion: Inclusion,
    /// The level outside it; memory where there is none.
    next: Option<usize>,
    /// No level outside it has to know which lines it holds.
    alone: bool,
    /// The levels whose misses come here sooner or later, outermost first.
    inside: Vec<usize>,
    /// A line that was hit last, since when nothing has changed: another hit would change nothing either.
    last: Line,
    /// Where it is.
    last_slot: Slot,
}

/// What a fetch brought.
#[derive(Clone, Copy, Debug, Default)]
struct Fetched {
    /// Levels that were looked into, one after the other.
    lookups: usize,
    /// It came from an exclusive level, and memory has an older one.
    dirty: bool,
}

/// A core's caches.
#[derive(Clone, Debug)]
pub struct PlainCaches {
    levels: Vec<Level>,
    /// The level that an access goes to first, by [`Kind`]; `None` is memory.
    first: [Option<usize>; 3],
    transfers: Vec<Transfer>,
    /// Why the first level missed in the last access.
    missed: Option<Cause>,
}

impl PlainCaches {
    /// Empty caches, innermost first; `random` is what the cache of a name draws from.
    pub fn new(specs: &[CacheSpec], random: impl Fn(&str) -> Stream) -> PlainCaches {
        let mut levels: Vec<Level> = specs.iter().map(|spec| Level::new(spec, random(&spec.name))).collect();
        for (number, spec) in specs.iter().enumerate() {
            levels[number].next = (number + 1..specs.len()).find(|&outer| specs[outer].holds.includes(spec.holds));
        }
        for number in 0..levels.len() {
            let mut outer = levels[number].next;
            while let Some(level) = outer {
                levels[level].inside.insert(0, number);
                levels[number].alone &= levels[level].inclusion == Inclusion::Neither;
                outer = levels[level].next;
            }
        }
        let first = |what| specs.iter().position(|spec| spec.holds.includes(what));
        let (instructions, data) = (first(Holds::Instructions), first(Holds::Data));
        PlainCaches { levels, first: [instructions, data, data], transfers: Vec::new(), missed: None }
    }

    /// Whether the first level has what is accessed, and nothing else has to happen: all there is to most accesses. Where no cache holds
    /// instructions, fetching them asks nothing of memory: their supply is then taken for perfect.
    #[inline(always)]
    pub fn touch(&mut self, kind: Kind, address: Address, bytes: u16) -> bool {
        let Some(level) = self.first[kind as usize].and_then(|first| self.levels.get_mut(first)) else {
            return kind == Kind::Fetch;
        };
        let line = address >> level.line_shift;
        if (address + u64::from(bytes) - 1) >> level.line_shift != line {
            return false;
        }
        if line != level.last {
            let Some(slot) = level.array.find(line) else { return false };
            level.array.accessed(slot);
            (level.last, level.last_slot) = (line, slot);
        }
        if kind == Kind::Write {
            if !level.write_back {
                return false;
            }
            level.array.set_dirty(level.last_slot, true);
        }
        level.counters.accesses[kind as usize] += 1;
        true
    }

    /// An access that [`PlainCaches::touch`] did not do. Returns how many levels were looked into one after the other before the access
    /// was over; what it asks of memory is in [`PlainCaches::transfers`].
    pub fn access(&mut self, kind: Kind, address: Address, bytes: u16) -> usize {
        self.transfers.clear();
        self.missed = None;
        let first = self.first[kind as usize];
        for level in &mut self.levels {
            level.last = NO_LINE;
        }
        match kind {
            Kind::Write => self.write(first, address, u64::from(bytes), true),
            _ => self.fetch(first, address, u64::from(bytes), kind, true).lookups,
        }
    }

    /// What the last [`PlainCaches::access`] asks of memory, in order.
    pub fn transfers(&self) -> &[Transfer] {
        &self.transfers
    }

    /// Why the first level that the last [`PlainCaches::access`] looked into lacked its line, where it did.
    pub fn missed(&self) -> Option<Cause> {
        self.missed
    }

    /// A level lacks a line, which comes or does not.
    fn miss(&mut self, number: usize, line: Line, kind: Kind, comes: bool) {
        let level = &mut self.levels[number];
        level.counters.misses[kind as usize] += 1;
        let cause = level.array.lacks(line).cause;
        level.counters.causes[cause as usize] += 1;
        if !comes {
            level.array.pass(line);
        }
        self.missed.get_or_insert(cause);
    }

    /// Someone outside a level wants some bytes that lie in one line of his.
    fn fetch(&mut self, level: Option<usize>, address: Address, bytes: u64, kind: Kind, awaited: bool) -> Fetched {
        let Some(level) = level else {
            self.transfers.push(Transfer { address, bytes: bytes as u32, write: false, awaited });
            return Fetched::default();
        };
        let shift = self.levels[level].line_shift;
        let mut fetched = Fetched::default();
        for line in address >> shift..=(address + bytes - 1) >> shift {
            let part = self.look_up(level, line, kind, awaited);
            fetched.lookups = fetched.lookups.max(part.lookups);
            fetched.dirty |= part.dirty;
        }
        fetched
    }

    fn look_up(&mut self, number: usize, line: Line, kind: Kind, awaited: bool) -> Fetched {
        let level = &mut self.levels[number];
        level.counters.accesses[kind as usize] += 1;
        if let Some(slot) = level.array.find(line) {
            let moves = level.inclusion == Inclusion::Exclusive;
            let dirty = moves && level.array.is_dirty(slot);
            level.array.accessed(slot);
            if moves {
                level.array.clear(slot);
            }
            return Fetched { lookups: 1, dirty };
        }
        let passes_by = level.inclusion == Inclusion::Exclusive;
        self.miss(number, line, kind, !passes_by);
        let mut fetched = self.fetch_line(number, line, kind, awaited);
        if !passes_by {
            self.fill(number, line, fetched.dirty);
            fetched.dirty = false;
        }
        fetched.lookups += 1;
        fetched
    }

    /// A level asks the next one for a line.
    fn fetch_line(&mut self, number: usize, line: Line, kind: Kind, awaited: bool) -> Fetched {
        let Level { next, line_shift, line_bytes, .. } = self.levels[number];
        self.levels[number].counters.bytes_read += line_bytes;
        self.fetch(next, line << line_shift, line_bytes, kind, awaited)
    }

    /// Bytes are written that lie anywhere. Returns how many levels were looked into one after the other before whoever waits goes on.
    fn write(&mut self, level: Option<usize>, address: Address, bytes: u64, awaited: bool) -> usize {
        let Some(level) = level else {
            self.transfers.push(Transfer { address, bytes: bytes as u32, write: true, awaited: false });
            return 0;
        };
        let Level { line_shift, line_bytes, .. } = self.levels[level];
        let (mut at, end, mut lookups) = (address, address + bytes, 0);
        while at < end {
            let until = end.min(((at >> line_shift) + 1) * line_bytes);
            lookups = lookups.max(self.store(level, at, until - at, awaited));
            at = until;
        }
        lookups
    }

    /// Bytes of one line are written.
    fn store(&mut self, number: usize, address: Address, bytes: u64, awaited: bool) -> usize {
        let level = &mut self.levels[number];
        let line = address >> level.line_shift;
        let (next, write_back) = (level.next, level.write_back);
        level.counters.accesses[Kind::Write as usize] += 1;
        let mut lookups = 1;
        if let Some(slot) = level.array.find(line) {
            level.array.accessed(slot);
            if write_back {
                level.array.set_dirty(slot, true);
                return lookups;
            }
        } else {
            let allocates = level.allocates;
            self.miss(number, line, Kind::Write, allocates);
            if allocates {
                let mut fetched = Fetched::default();
                if bytes < self.levels[number].line_bytes || !self.levels[number].alone {
                    fetched = self.fetch_line(number, line, Kind::Read, awaited);
                }
                self.fill(number, line, fetched.dirty || write_back);
                lookups += fetched.lookups;
                if write_back {
                    return lookups;
                }
            }
        }
        // A write goes its way by itself: no one waits for it.
        self.levels[number].counters.bytes_written += bytes;
        self.write(next, address, bytes, false);
        lookups
    }

    /// A line comes into a level; another may have to leave it.
    fn fill(&mut self, number: usize, line: Line, dirty: bool) {
        let (slot, victim) = self.levels[number].array.victim(line);
        if let Some(victim) = victim {
            self.evict(number, slot, victim);
        }
        let array = &mut self.levels[number].array;
        array.fill(slot, line, HELD);
        array.set_dirty(slot, dirty);
    }

    /// A line leaves a level.
    fn evict(&mut self, number: usize, slot: Slot, line: Line) {
        let inside_too = self.levels[number].inclusion == Inclusion::Inclusive && self.drop_inside(number, line);
        let level = &mut self.levels[number];
        let dirty = level.array.is_dirty(slot) || inside_too;
        level.array.clear(slot);
        let Level { next, line_shift, line_bytes, .. } = *level;
        level.counters.evictions += 1;
        level.counters.writebacks += u64::from(dirty);
        match next {
            Some(outer) if self.levels[outer].inclusion == Inclusion::Exclusive => {
                self.levels[number].counters.bytes_written += line_bytes;
                self.take_in(outer, line, dirty);
            }
            _ if dirty => {
                self.levels[number].counters.bytes_written += line_bytes;
                self.write(next, line << line_shift, line_bytes, false);
            }
            _ => {}
        }
    }

    /// An exclusive level takes in what the level inside it drops.
    fn take_in(&mut self, number: usize, line: Line, dirty: bool) {
        let array = &mut self.levels[number].array;
        match array.find(line) {
            // Two levels inside it had the line.
            Some(slot) => {
                array.accessed(slot);
                let dirty = dirty || array.is_dirty(slot);
                array.set_dirty(slot, dirty);
            }
            None => self.fill(number, line, dirty),
        }
    }

    /// The levels inside an inclusive one lose what they have of its line. Returns whether any of that was dirty.
    fn drop_inside(&mut self, number: usize, line: Line) -> bool {
        let Level { line_shift: outer_shift, line_bytes: outer_bytes, .. } = self.levels[number];
        let mut dirty = false;
        for place in 0..self.levels[number].inside.len() {
            let inside = self.levels[number].inside[place];
            let inner = &mut self.levels[inside];
            let first = line << outer_shift >> inner.line_shift;
            for line in first..first + (outer_bytes >> inner.line_shift).max(1) {
                let Some(slot) = inner.array.find(line) else { continue };
                inner.counters.evictions += 1;
                if inner.array.is_dirty(slot) {
                    inner.counters.writebacks += 1;
                    inner.counters.bytes_written += inner.line_bytes;
                    dirty = true;
                }
                inner.array.clear(slot);
            }
        }
        dirty
    }

    /// What the levels counted, innermost first.
    pub fn counters(&self) -> impl Iterator<Item = &PlainCounters> {
        self.levels.iter().map(|level| &level.counters)
    }

    /// Dirty lines that each level holds, innermost first.
    pub fn dirty_lines(&self) -> impl Iterator<Item = u64> {
        self.levels.iter().map(|level| level.array.dirty_lines())
    }

    /// What [`PlainCounters::writebacks`] of each level would be if now every level, innermost first, wrote its dirty lines to the next:
    /// what Dinero does at the end of a run.
    pub fn flushed_writebacks(&self) -> Vec<u64> {
        let mut flushed = self.clone();
        for number in 0..flushed.levels.len() {
            let dirty = flushed.levels[number].array.clean();
            flushed.levels[number].counters.writebacks += dirty.len() as u64;
            let Level { next, line_shift, line_bytes, .. } = flushed.levels[number];
            for line in dirty {
                flushed.write(next, line << line_shift, line_bytes, false);
            }
        }
        flushed.counters().map(|counters| counters.writebacks).collect()
    }

    /// Sets all counters to zero; what is cached stays.
    pub fn reset_counters(&mut self) {
        for level in &mut self.levels {
            level.counters = PlainCounters::default();
        }
    }

    /// Accesses to the first level that hit and were not made one by one: the spins of an `await`.
    pub fn count_reads(&mut self, n: u64) {
        if let Some(level) = self.first[Kind::Read as usize] {
            self.levels[level].counters.accesses[Kind::Read as usize] += n;
        }
    }

    /// Bytes of the host's memory they take.
    pub fn footprint(&self) -> usize {
        self.levels.iter().map(|level| level.array.footprint() + std::mem::size_of::<Level>()).sum()
    }
}

impl Level {
    fn new(spec: &CacheSpec, random: Stream) -> Level {
        Level {
            array: CacheArray::new(spec, false, random),
            counters: PlainCounters::default(),
            line_bytes: u64::from(spec.line_bytes),
            line_shift: spec.line_bytes.ilog2(),
            write_back: spec.write == WritePolicy::Back,
            // A write that the levels inside did not want is no line that they dropped.
            allocates: spec.write_allocate && spec.inclusion != Inclusion::Exclusive,
            inclusion: spec.inclusion,
            next: None,
            alone: true,
            inside: Vec::new(),
            last: NO_LINE,
            last_slot: 0,
        }
    }
}

impl PlainCounters {
    /// Accesses of all kinds.
    pub fn all_accesses(&self) -> u64 {
        self.accesses.iter().sum()
    }

    /// Misses of all kinds.
    pub fn all_misses(&self) -> u64 {
        self.misses.iter().sum()
    }
}

#[cfg(test)]
mod tests;
