//! A cache's array: sets of ways, each with a tag, a state, and whether it was written here.
//!
//! ```text
//!            set 0   | way 0: line, dirty, state | way 1 | ...      words:  line << 8 | dirty << 7 | traced << 6 | state
//!   line --> set 1   | way 0                     | way 1 | ...      set = line modulo the number of sets
//!            ...                                                    who makes room: a replacement policy
//! ```
//!
//! The array knows neither latencies nor coherence: a lookup that may be a hit costs a compare of the tag and a test of the state's
//! permissions ([`Permissions`]).

use crate::base::address::Line;
use crate::base::random::Stream;
use crate::coherence::protocol::State;
use crate::components::causes::{Departed, Lack};
use crate::components::replacement::Policy;
use crate::components::spec::CacheSpec;

/// Set in a word whose line was written in this cache since it came.
pub const DIRTY: u8 = 1 << 7;
/// Set in a word whose every write has to be seen.
pub const TRACED: u8 = 1 << 6;
const STATE: u64 = 0x3f;
const LOW: u64 = 0xff;
/// A way without a line: no line has this number.
const EMPTY: u64 = !LOW;

/// A place in the array.
pub type Slot = u32;

/// For each state and dirty mark, whether a load or a store may go on without a word to anyone, and without changing anything but the
/// stamp.
#[derive(Clone, Debug)]
pub struct Permissions(pub [u8; 256]);

/// A load may go on.
pub const READ: u8 = 1;
/// A store may go on.
pub const WRITE: u8 = 2;

/// The array of one cache.
#[derive(Clone, Debug)]
pub struct CacheArray {
    words: Box<[u64]>,
    set_mask: u64,
    n_ways: u32,
    /// By set: the way of the last hit, which is looked at first.
    last_hits: Box<[u8]>,
    policy: Policy,
    departed: Departed,
    /// Lines held.
    n_lines: usize,
    /// Versions of the copies, where they are kept.
    versions: Box<[u64]>,
}

impl CacheArray {
    /// An empty array; `random` is what random replacement draws from.
    pub fn new(spec: &CacheSpec, versions: bool, random: Stream) -> CacheArray {
        let n_slots = (spec.sets() * u64::from(spec.ways)) as usize;
        CacheArray {
            words: vec![EMPTY; n_slots].into(),
            set_mask: spec.sets() - 1,
            n_ways: spec.ways,
            last_hits: vec![0; spec.sets() as usize].into(),
            policy: Policy::new(spec.replacement, spec.sets() as usize, spec.ways as usize, random),
            departed: Departed::new(n_slots),
            n_lines: 0,
            versions: vec![0; if versions { n_slots } else { 0 }].into(),
        }
    }

    #[inline(always)]
    fn set(&self, line: Line) -> std::ops::Range<usize> {
        let first = (line & self.set_mask) as usize * self.n_ways as usize;
        first..first + self.n_ways as usize
    }

    /// Whether an access hits and may go on; if so it counts for replacement.
    #[inline(always)]
    pub fn touch(&mut self, line: Line, needed: u8, permissions: &Permissions) -> bool {
        let set = (line & self.set_mask) as usize;
        let n_ways = self.n_ways as usize;
        let words = &self.words[set * n_ways..][..n_ways];
        let mut way = usize::from(self.last_hits[set]);
        if words[way] >> 8 != line {
            let Some(found) = words.iter().position(|&word| word >> 8 == line) else { return false };
            way = found;
            self.last_hits[set] = way as u8;
        }
        let allowed = permissions.0[(words[way] & LOW) as usize] & needed != 0;
        if allowed {
            self.policy.hit(set * n_ways + way, n_ways);
        }
        allowed
    }

    /// Where a line is.
    #[inline]
    pub fn find(&self, line: Line) -> Option<Slot> {
        let set = self.set(line);
        let first = set.start;
        self.words[set].iter().position(|&word| word >> 8 == line).map(|way| (first + way) as Slot)
    }

    /// An access to a line that is here counts for replacement.
    #[inline]
    pub fn accessed(&mut self, slot: Slot) {
        self.policy.hit(slot as usize, self.n_ways as usize);
    }

    /// The slot that a new line would take, with the line that has to leave it.
    pub fn victim(&mut self, line: Line) -> (Slot, Option<Line>) {
        let set = self.set(line);
        let first = set.start;
        if self.n_lines < self.words.len()
            && let Some(way) = self.words[set].iter().position(|&word| word == EMPTY)
        {
            return ((first + way) as Slot, None);
        }
        let slot = first + self.policy.victim(first, self.n_ways as usize);
        (slot as Slot, Some(self.words[slot] >> 8))
    }

    /// The slots that a line can be in.
    pub fn set_of(&self, line: Line) -> impl Iterator<Item = Slot> + use<> {
        self.set(line).map(|slot| slot as Slot)
    }

    /// The line in a slot; of an empty one, no line's number.
    pub fn line(&self, slot: Slot) -> Line {
        self.words[slot as usize] >> 8
    }

    /// Puts a line into a slot, in place of what is there.
    pub fn fill(&mut self, slot: Slot, line: Line, state: State) {
        self.leave(slot, false);
        self.departed.arrive(line);
        self.words[slot as usize] = line << 8 | u64::from(state.0);
        self.n_lines += 1;
        self.policy.fill(slot as usize, self.n_ways as usize);
    }

    /// Empties a slot.
    pub fn clear(&mut self, slot: Slot) {
        self.leave(slot, false);
    }

    /// Empties a slot whose line was lost to another core's write.
    pub fn lose(&mut self, slot: Slot) {
        self.leave(slot, true);
    }

    fn leave(&mut self, slot: Slot, lost: bool) {
        let word = &mut self.words[slot as usize];
        if *word == EMPTY {
            return;
        }
        self.departed.left(*word >> 8, self.policy.last_used(slot as usize), lost);
        self.policy.empty(slot as usize);
        self.n_lines -= 1;
        *word = EMPTY;
    }

    /// Why a line is not here that is wanted.
    pub fn lacks(&mut self, line: Line) -> Lack {
        self.departed.lacks(line, self.n_lines, &mut self.policy, self.n_ways as usize)
    }

    /// A line was wanted that is not here, and that does not come.
    pub fn pass(&mut self, line: Line) {
        let stamp = self.policy.pass();
        self.departed.arrive(line);
        self.departed.left(line, stamp, false);
    }

    /// Whether every write to the line in a slot has to be seen.
    pub fn set_traced(&mut self, slot: Slot, traced: bool) {
        let word = &mut self.words[slot as usize];
        *word = if traced { *word | u64::from(TRACED) } else { *word & !u64::from(TRACED) };
    }

    /// The state of the line in a slot.
    #[inline]
    pub fn state(&self, slot: Slot) -> State {
        State((self.words[slot as usize] & STATE) as u8)
    }

    /// Changes the state of the line in a slot.
    #[inline]
    pub fn set_state(&mut self, slot: Slot, state: State) {
        let word = &mut self.words[slot as usize];
        *word = *word & !STATE | u64::from(state.0);
    }

    /// Whether the line in a slot was written here since it came.
    #[inline]
    pub fn is_dirty(&self, slot: Slot) -> bool {
        self.words[slot as usize] & u64::from(DIRTY) != 0
    }

    /// Says whether the line in a slot was written here since it came.
    #[inline]
    pub fn set_dirty(&mut self, slot: Slot, dirty: bool) {
        let word = &mut self.words[slot as usize];
        *word = if dirty { *word | u64::from(DIRTY) } else { *word & !u64::from(DIRTY) };
    }

    /// The version of the copy in a slot, where versions are kept.
    pub fn version(&self, slot: Slot) -> u64 {
        self.versions.get(slot as usize).copied().unwrap_or(0)
    }

    /// Gives the copy in a slot a version, where versions are kept.
    pub fn set_version(&mut self, slot: Slot, version: u64) {
        if let Some(kept) = self.versions.get_mut(slot as usize) {
            *kept = version;
        }
    }

    /// The lines held, in order of their slots.
    pub fn lines(&self) -> impl Iterator<Item = (Line, State)> + '_ {
        self.words.iter().filter(|&&word| word != EMPTY).map(|&word| (word >> 8, State((word & STATE) as u8)))
    }

    /// How many lines were written here since they came.
    pub fn dirty_lines(&self) -> u64 {
        self.words.iter().filter(|&&word| word != EMPTY && word & u64::from(DIRTY) != 0).count() as u64
    }

    /// No line counts as written here any longer. Returns those that did, in order of their slots.
    pub fn clean(&mut self) -> Vec<Line> {
        let dirty = self.words.iter_mut().filter(|word| **word != EMPTY && **word & u64::from(DIRTY) != 0);
        dirty
            .map(|word| {
                *word &= !u64::from(DIRTY);
                *word >> 8
            })
            .collect()
    }

    /// Bytes of the host's memory it takes.
    pub fn footprint(&self) -> usize {
        8 * (self.words.len() + self.versions.len()) + self.last_hits.len() + self.policy.footprint() + self.departed.footprint()
    }
}
