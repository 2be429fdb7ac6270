//! The lines of a shared cache and what it counts: what happens, without when.

use crate::base::address::Line;
use crate::base::random::Stream;
use crate::base::time::Time;
use crate::coherence::protocol::State;
use crate::components::cache::CacheArray;
use crate::components::causes::Causes;
use crate::components::spec::CacheSpec;
use crate::components::utilisation::Ledger;

/// The state of every line held: it knows no others.
const HELD: State = State(1);

/// What a shared cache counted.
#[derive(Clone, Debug)]
pub struct LlcCounters {
    /// Requests that found their line here.
    pub hits: u64,
    pub read_misses: u64,
    pub write_misses: u64,
    /// Misses by cause.
    pub causes: Causes,
    /// Secondary misses: requests that found their line on its way already.
    pub merged: u64,
    /// Lines that made room for another.
    pub evictions: u64,
    /// Dirty lines among them.
    pub writebacks: u64,
    /// Bytes of lines that came from memory.
    pub bytes_read: u64,
    /// Bytes of lines that went to memory.
    pub bytes_written: u64,
    /// Bytes that the interconnect was given.
    pub bytes_supplied: u64,
    /// Bytes that the interconnect gave.
    pub bytes_taken: u64,
    /// What the banks did: lookups, and lines that came.
    pub banks: Ledger,
    /// Time that requests waited for their bank, or in it for a register.
    pub wait: Time,
}

impl LlcCounters {
    /// Nothing yet, from an instant on; `memory` as for a [`Ledger`].
    pub fn new(begin: Time, memory: Time) -> LlcCounters {
        LlcCounters {
            hits: 0,
            read_misses: 0,
            write_misses: 0,
            causes: Causes::default(),
            merged: 0,
            evictions: 0,
            writebacks: 0,
            bytes_read: 0,
            bytes_written: 0,
            bytes_supplied: 0,
            bytes_taken: 0,
            banks: Ledger::new(begin, memory),
            wait: Time::ZERO,
        }
    }

    /// Requests, by line.
    pub fn accesses(&self) -> u64 {
        self.hits + self.misses() + self.merged
    }

    /// Primary misses of either kind.
    pub fn misses(&self) -> u64 {
        self.read_misses + self.write_misses
    }
}

/// The lines held, and what was counted.
#[derive(Clone, Debug)]
pub struct Lines {
    array: CacheArray,
    line_bytes: u64,
    pub counters: LlcCounters,
}

impl Lines {
    /// None yet; `versions` says whether those of lines are kept, `random` is what random replacement draws from.
    pub fn new(spec: &CacheSpec, versions: bool, random: Stream) -> Lines {
        Lines {
            array: CacheArray::new(spec, versions, random),
            line_bytes: u64::from(spec.line_bytes),
            counters: LlcCounters::new(Time::ZERO, Time::ZERO),
        }
    }

    /// The lines that a request concerns of some bytes, from the beginning of what its line number counts, `unit_bytes` each; and of
    /// each whether all of it.
    pub fn of_request(&self, line: Line, unit_bytes: u64, bytes: u32) -> impl DoubleEndedIterator<Item = (Line, bool)> + use<> {
        let line_bytes = self.line_bytes;
        let first = line.wrapping_mul(unit_bytes);
        let end = first + u64::from(bytes);
        let whole = move |line: Line| line * line_bytes >= first && (line + 1) * line_bytes <= end;
        (first / line_bytes..end.div_ceil(line_bytes)).map(move |line| (line, whole(line)))
    }

    /// A request finds its line: the version read, or of what `written` says where it is written. `None` where the line is not here.
    pub fn hit(&mut self, line: Line, written: Option<u64>) -> Option<u64> {
        let slot = self.array.find(line)?;
        self.array.accessed(slot);
        self.counters.hits += 1;
        if let Some(version) = written {
            self.array.set_dirty(slot, true);
            self.array.set_version(slot, version);
        }
        Some(self.array.version(slot))
    }

    /// A request lacks its line.
    pub fn miss(&mut self, line: Line, write: bool) {
        match write {
            true => self.counters.write_misses += 1,
            false => self.counters.read_misses += 1,
        }
        let cause = self.array.lacks(line).cause;
        self.counters.causes[cause as usize] += 1;
    }

    /// A line comes in. Another may have to make room: one that memory has to take, with its version.
    pub fn insert(&mut self, line: Line, dirty: bool, version: u64) -> Option<(Line, u64)> {
        let (slot, victim) = self.array.victim(line);
        let mut leaves = None;
        if let Some(victim) = victim {
            self.counters.evictions += 1;
            if self.array.is_dirty(slot) {
                self.counters.writebacks += 1;
                self.counters.bytes_written += self.line_bytes;
                leaves = Some((victim, self.array.version(slot)));
            }
        }
        self.array.fill(slot, line, HELD);
        self.array.set_dirty(slot, dirty);
        self.array.set_version(slot, version);
        leaves
    }
}
