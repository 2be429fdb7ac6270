//! The levels of one core's private caches: where a line is, and what moves it from one level to another.

use crate::base::address::Line;
use crate::base::random::Stream;
use crate::coherence::agent::Copies;
use crate::coherence::protocol::{Protocol, State};
use crate::components::cache::{CacheArray, Slot};
use crate::components::causes::{Causes, Lack};
use crate::components::spec::{CacheSpec, Holds, Inclusion, MOST_LEVELS, WritePolicy, way};
use crate::components::trace::Kind;

/// What one level counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounters {
    /// Accesses that found the line here, permission or not.
    pub hits: u64,
    pub read_misses: u64,
    pub write_misses: u64,
    pub fetch_misses: u64,
    /// Lines that made room for another (or left for inclusion's sake).
    pub evictions: u64,
    /// Evicted lines that were written to the next level.
    pub writebacks: u64,
    /// Bytes of lines that came in.
    pub bytes_read: u64,
    /// Bytes that went out: lines, and words that a write-through level passed on.
    pub bytes_written: u64,
    /// Lines lost to another core's write.
    pub invalidations: u64,
    /// Stores that found the line here, without the permission to write it.
    pub upgrades: u64,
    /// Secondary misses: accesses that found their line on its way already.
    pub merged: u64,
    /// Misses by cause.
    pub causes: Causes,
    /// Writes that hit here and were passed on to the next level: of a write-through level, all; each is one of its accesses.
    pub passed_on: u64,
}

impl CacheCounters {
    /// Misses of any kind.
    pub fn misses(&self) -> u64 {
        self.read_misses + self.write_misses + self.fetch_misses
    }

    pub(super) fn miss(&mut self, kind: Kind) {
        match kind {
            Kind::Read => self.read_misses += 1,
            Kind::Write => self.write_misses += 1,
            Kind::Fetch => self.fetch_misses += 1,
        }
    }
}

/// One level: an array and what it counted.
#[derive(Clone, Debug)]
pub struct Level {
    pub array: CacheArray,
    pub counters: CacheCounters,
    pub(super) write_back: bool,
    pub(super) allocates: bool,
    pub(super) inclusion: Inclusion,
    /// The level outside it; the interconnect where there is none.
    pub(super) next: Option<u8>,
    /// The levels whose misses come here sooner or later.
    pub(super) inside: Vec<u8>,
}

impl Level {
    /// Whether a line that is wanted comes to stay here, and does not pass by.
    pub(super) fn takes(&self, kind: Kind) -> bool {
        self.inclusion != Inclusion::Exclusive && (kind != Kind::Write || self.allocates)
    }

    /// Why a line is not here that is wanted.
    pub(super) fn lacks(&mut self, line: Line, kind: Kind) -> Lack {
        let lack = self.array.lacks(line);
        if !self.takes(kind) {
            self.array.pass(line);
        }
        lack
    }
}

/// Where a line is: looked for once, used by everything that happens to the line in one go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub line: Line,
    /// The levels that hold it, a bit each.
    levels: u8,
    /// Of those levels.
    slots: [Slot; MOST_LEVELS],
}

impl Place {
    /// Nowhere.
    pub fn none(line: Line) -> Place {
        Place { line, levels: 0, slots: [0; MOST_LEVELS] }
    }

    /// Where it is in a level.
    #[inline]
    pub fn slot(&self, level: u8) -> Option<Slot> {
        (self.levels & 1 << level != 0).then(|| self.slots[usize::from(level)])
    }

    /// Every level that holds it.
    #[inline]
    pub fn all(&self) -> impl Iterator<Item = (u8, Slot)> + '_ {
        let mut left = self.levels;
        std::iter::from_fn(move || {
            let level = left.trailing_zeros() as u8;
            left &= left.checked_sub(1)?;
            Some((level, self.slots[usize::from(level)]))
        })
    }

    #[inline]
    pub fn is_held(&self) -> bool {
        self.levels != 0
    }

    #[inline]
    pub fn set(&mut self, level: u8, slot: Slot) {
        self.levels |= 1 << level;
        self.slots[usize::from(level)] = slot;
    }

    pub fn clear(&mut self, level: u8) {
        self.levels &= !(1 << level);
    }
}

/// All levels of a core. They have numbers: the first level that holds data is 0.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    first: Level,
    others: Vec<Level>,
    /// By number of the specification, innermost first: the level's own number.
    in_order: Vec<u8>,
    /// The levels that data and that instructions pass, innermost first.
    data: Vec<u8>,
    instructions: Vec<u8>,
    /// Bit `s`: a line in state `s` is newer than memory's.
    dirty_states: u64,
    /// Every level holds what those inside it hold.
    pub all_inclusive: bool,
}

impl Levels {
    /// Empty levels.
    ///
    /// # Panics
    /// Where none holds data.
    pub fn new(specs: &[CacheSpec], protocol: &Protocol, versions: bool, random: impl Fn(&str) -> Stream) -> Levels {
        let (data, instructions) = (way(specs, Holds::Data), way(specs, Holds::Instructions));
        let first = data[0];
        let numbers: Vec<usize> = std::iter::once(first).chain((0..specs.len()).filter(|&spec| spec != first)).collect();
        let number_of = |spec: usize| numbers.iter().position(|&other| other == spec).unwrap_or(0) as u8;
        let mut levels = numbers.iter().map(|&spec| {
            let outside = (spec + 1..specs.len()).find(|&outer| specs[outer].holds.includes(specs[spec].holds));
            let inside = (0..spec).filter(|&inner| specs[spec].holds.includes(specs[inner].holds));
            Level {
                array: CacheArray::new(&specs[spec], versions, random(&specs[spec].name)),
                counters: CacheCounters::default(),
                write_back: specs[spec].write == WritePolicy::Back,
                allocates: specs[spec].write_allocate,
                inclusion: specs[spec].inclusion,
                next: outside.map(number_of),
                inside: inside.map(number_of).collect(),
            }
        });
        let first = levels.next().expect("a level holds data");
        let others: Vec<Level> = levels.collect();
        let dirty_states =
            protocol.agent.states.iter().enumerate().fold(0, |set, (number, state)| set | u64::from(state.dirty) << number);
        Levels {
            all_inclusive: others.iter().all(|level| level.inclusion == Inclusion::Inclusive),
            first,
            others,
            in_order: (0..specs.len()).map(number_of).collect(),
            data: data.into_iter().map(number_of).collect(),
            instructions: instructions.into_iter().map(number_of).collect(),
            dirty_states,
        }
    }

    #[inline(always)]
    pub fn first(&mut self) -> &mut Level {
        &mut self.first
    }

    #[inline]
    pub fn get(&self, level: u8) -> &Level {
        match level {
            0 => &self.first,
            _ => &self.others[usize::from(level) - 1],
        }
    }

    #[inline]
    pub fn get_mut(&mut self, level: u8) -> &mut Level {
        match level {
            0 => &mut self.first,
            _ => &mut self.others[usize::from(level) - 1],
        }
    }

    /// How many levels an access passes at most.
    pub fn depth(&self, kind: Kind) -> usize {
        self.way(kind).len()
    }

    /// The level that an access comes to after so many others.
    #[inline]
    pub fn on_way(&self, kind: Kind, depth: usize) -> u8 {
        self.way(kind)[depth]
    }

    #[inline]
    fn way(&self, kind: Kind) -> &[u8] {
        match kind {
            Kind::Fetch => &self.instructions,
            Kind::Read | Kind::Write => &self.data,
        }
    }

    /// The outermost level that takes in a line for an access: exclusive ones let it pass by.
    pub fn anchor(&self, kind: Kind) -> u8 {
        let takes = |&&level: &&u8| self.get(level).inclusion != Inclusion::Exclusive;
        self.way(kind).iter().rev().find(takes).or_else(|| self.way(kind).first()).copied().unwrap_or(0)
    }

    /// The outermost level that a line of a level passes.
    pub fn outermost(&self, level: u8) -> u8 {
        let mut outermost = level;
        while let Some(next) = self.get(outermost).next {
            outermost = next;
        }
        outermost
    }

    /// The levels in the order of their specifications, innermost first.
    pub fn in_order(&self) -> impl Iterator<Item = &Level> {
        self.in_order.iter().map(|&level| self.get(level))
    }

    pub fn each(&mut self) -> impl Iterator<Item = &mut Level> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }

    /// Looks for a line in every level.
    #[inline]
    pub fn find(&self, line: Line) -> Place {
        let mut place = Place::none(line);
        if let Some(slot) = self.first.array.find(line) {
            place.set(0, slot);
        }
        for (level, other) in (1..).zip(&self.others) {
            if let Some(slot) = other.array.find(line) {
                place.set(level, slot);
            }
        }
        place
    }

    pub fn hold(&mut self, place: Place) -> Held<'_> {
        Held { levels: self, place }
    }

    /// Whether a line in a state is newer than memory's.
    pub fn is_dirty(&self, state: State) -> bool {
        self.dirty_states & 1 << state.0 != 0
    }

    /// The state of a line: of any of its copies.
    #[inline]
    pub fn state(&self, place: &Place) -> State {
        place.all().next().map_or(State::INVALID, |(level, slot)| self.get(level).array.state(slot))
    }

    /// The version of a line: of any of its copies, where versions are kept.
    pub fn version(&self, place: &Place) -> u64 {
        place.all().next().map_or(0, |(level, slot)| self.get(level).array.version(slot))
    }

    /// All copies of a line have a version now.
    pub fn set_version(&mut self, place: &Place, version: u64) {
        for (level, slot) in place.all() {
            self.get_mut(level).array.set_version(slot, version);
        }
    }

    /// Bytes of the host's memory they take.
    pub fn footprint(&self) -> usize {
        self.in_order().map(|level| level.array.footprint() + std::mem::size_of::<Level>()).sum()
    }
}

/// The copies of one line.
pub(super) struct Held<'a> {
    levels: &'a mut Levels,
    place: Place,
}

fn change(array: &mut CacheArray, slot: Slot, state: State, keeps_dirty: bool) {
    if state == State::INVALID {
        array.lose(slot);
    } else {
        array.set_state(slot, state);
        if !keeps_dirty {
            array.set_dirty(slot, false);
        }
    }
}

impl Copies for Held<'_> {
    fn state(&self, line: Line) -> State {
        debug_assert_eq!(line, self.place.line, "one line at a time");
        self.levels.state(&self.place)
    }

    fn set_state(&mut self, line: Line, state: State) {
        debug_assert_eq!(line, self.place.line, "one line at a time");
        let keeps_dirty = self.levels.is_dirty(state);
        for (level, slot) in self.place.all() {
            change(&mut self.levels.get_mut(level).array, slot, state, keeps_dirty);
        }
    }

    fn version(&self, line: Line) -> u64 {
        debug_assert_eq!(line, self.place.line, "one line at a time");
        self.levels.version(&self.place)
    }

    fn has_room(&self, line: Line) -> bool {
        debug_assert_eq!(line, self.place.line, "one line at a time");
        self.place.is_held()
    }
}

/// The last copy of a line, which no level holds any longer.
pub(super) struct Departing {
    pub state: State,
    pub version: u64,
}

impl Copies for Departing {
    fn state(&self, _line: Line) -> State {
        self.state
    }

    fn set_state(&mut self, _line: Line, state: State) {
        self.state = state;
    }

    fn version(&self, _line: Line) -> u64 {
        self.version
    }
}
