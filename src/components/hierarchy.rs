//! One core's private caches: one or two inclusive levels, kept coherent as one agent with one state per line.
//!
//! ```text
//!   core --touch--> inner (L1d) --miss--> outer (L2) --miss--> requests to the bus
//!                   state, dirty          state, version       <-- snoops, completions
//! ```
//!
//! The outer level holds every line of the inner one (inclusion; Baer and Wang, ISCA 1988), so a line that leaves it leaves both. The
//! state is the line's: both levels show it. Time is the core's business; this file says what happens, and counts it.

use std::sync::Arc;

use crate::base::address::Line;
use crate::base::random::Stream;
use crate::base::time::Time;
use crate::coherence::agent::{Access, Agent, Answer, Copies};
use crate::coherence::controller::{Impossible, Transaction, Transition};
use crate::coherence::protocol::{AgentAction, AgentEvent, Permission, Protocol, State, Vocabulary};
use crate::components::cache::{CacheArray, DIRTY, Permissions, READ, Slot, WRITE};
use crate::components::spec::CacheSpec;
use crate::components::versions::{Happened, Versions};

/// What one level counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounters {
    /// Accesses that found the line here, permission or not.
    pub hits: u64,
    pub read_misses: u64,
    pub write_misses: u64,
    /// Lines that made room for another (or for inclusion's sake).
    pub evictions: u64,
    /// Evicted lines that were written to the next level.
    pub writebacks: u64,
    /// Bytes of lines that came in.
    pub bytes_read: u64,
    /// Bytes of lines that went out.
    pub bytes_written: u64,
    /// Lines lost to another core's write.
    pub invalidations: u64,
    /// Stores that found the line here, without the permission to write it.
    pub upgrades: u64,
    /// Secondary misses: accesses that found their line on its way already.
    pub merged: u64,
}

impl CacheCounters {
    /// Misses of either kind.
    pub fn misses(&self) -> u64 {
        self.read_misses + self.write_misses
    }

    fn miss(&mut self, write: bool) {
        if write {
            self.write_misses += 1;
        } else {
            self.read_misses += 1;
        }
    }
}

/// One level: an array and what it counted.
#[derive(Clone, Debug)]
pub struct Level {
    pub array: CacheArray,
    pub counters: CacheCounters,
}

#[derive(Clone, Debug)]
struct Levels {
    inner: Level,
    outer: Option<Level>,
    /// Bit `s`: a line in state `s` is newer than memory's.
    dirty_states: u64,
}

/// Sees every transition: counts rows, and keeps the versions where there are any.
pub struct Observer<'a> {
    pub time: Time,
    pub core: u16,
    /// How often each row of the agents' table was taken.
    pub rows: &'a mut [u64],
    pub versions: Option<&'a mut Versions>,
}

/// Why the caches cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The protocol's table has no row.
    Impossible(Line, Impossible),
    /// Versions disagree, or two cores may write: the line and the sentence.
    Incoherent(Line, String),
}

/// How a lookup ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The first level had it.
    Inner,
    /// The second level had it.
    Outer,
    /// It has to be asked for; the victim's write-back, if there is one, goes along.
    Ask { transaction: Transaction, write_back: Option<Line> },
    /// It has to be tried again once a write-back has left.
    Stall,
}

/// One core's private caches.
#[derive(Clone, Debug)]
pub struct PrivateCaches {
    levels: Levels,
    agent: Agent,
    protocol: Arc<Protocol>,
    permissions: Permissions,
    line_bytes: u64,
    line_shift: u32,
    /// Where the lines are that accesses wait for. They keep their ways in the outermost level.
    awaited: Vec<Place>,
}

impl Levels {
    fn outermost(&self) -> &Level {
        self.outer.as_ref().unwrap_or(&self.inner)
    }

    fn outermost_mut(&mut self) -> &mut Level {
        self.outer.as_mut().unwrap_or(&mut self.inner)
    }

    fn each(&mut self) -> impl Iterator<Item = &mut Level> {
        std::iter::once(&mut self.inner).chain(&mut self.outer)
    }
}

/// Where a line is: looked for once, used by everything that happens to the line in one go.
#[derive(Clone, Copy, Debug)]
struct Place {
    line: Line,
    inner: Option<Slot>,
    /// In the second level; where there is none, as `inner`.
    outermost: Option<Slot>,
}

/// The copies of one line.
struct Held<'a> {
    levels: &'a mut Levels,
    place: Place,
}

impl Levels {
    fn find(&self, line: Line) -> Place {
        let inner = self.inner.array.find(line);
        let outermost = match &self.outer {
            // What the inner level has, the outer one has, but it has yet to be found there.
            Some(outer) => outer.array.find(line),
            None => inner,
        };
        Place { line, inner, outermost }
    }

    fn hold(&mut self, place: Place) -> Held<'_> {
        Held { levels: self, place }
    }
}

fn change(array: &mut CacheArray, slot: Slot, state: State, keeps_dirty: bool) {
    if state == State::INVALID {
        array.clear(slot);
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
        self.place.outermost.map_or(State::INVALID, |slot| self.levels.outermost().array.state(slot))
    }

    fn set_state(&mut self, line: Line, state: State) {
        debug_assert_eq!(line, self.place.line, "one line at a time");
        let keeps_dirty = self.levels.dirty_states & 1 << state.0 != 0;
        if let Some(slot) = self.place.inner {
            change(&mut self.levels.inner.array, slot, state, keeps_dirty);
        }
        if let (Some(outer), Some(slot)) = (&mut self.levels.outer, self.place.outermost) {
            change(&mut outer.array, slot, state, keeps_dirty);
        }
    }

    fn version(&self, line: Line) -> u64 {
        debug_assert_eq!(line, self.place.line, "one line at a time");
        self.place.outermost.map_or(0, |slot| self.levels.outermost().array.version(slot))
    }
}

impl Observer<'_> {
    fn transition(&mut self, protocol: &Protocol, line: Line, taken: &Transition) -> Result<(), Broken> {
        self.rows[protocol.agent.row_number(taken.from, taken.event)] += 1;
        let Some(versions) = &mut self.versions else { return Ok(()) };
        let (from, event, next) = (taken.from.0, taken.event.index() as u8, taken.next.0);
        if taken.from != State::INVALID || taken.next != State::INVALID {
            versions.note(self.time, line, Happened::Transition { core: self.core, from, event, next });
        }
        let may = |state: State| protocol.agent.state(state).permits == Permission::Write;
        if may(taken.from) != may(taken.next) {
            versions.may_write(self.core, line, may(taken.next)).map_err(|what| Broken::Incoherent(line, what))?;
        }
        Ok(())
    }
}

impl PrivateCaches {
    /// Empty caches; `random` is what the cache of a name draws from.
    ///
    /// # Panics
    /// Where there are none.
    pub fn new(specs: &[CacheSpec], protocol: Arc<Protocol>, versions: bool, random: impl Fn(&str) -> Stream) -> PrivateCaches {
        let outermost = specs.len() - 1;
        let level = |number: usize| Level {
            array: CacheArray::new(&specs[number], versions && number == outermost, random(&specs[number].name)),
            counters: CacheCounters::default(),
        };
        let dirty_states =
            protocol.agent.states.iter().enumerate().fold(0, |set, (number, state)| set | u64::from(state.dirty) << number);
        PrivateCaches {
            levels: Levels { inner: level(0), outer: (outermost > 0).then(|| level(1)), dirty_states },
            agent: Agent::default(),
            permissions: permissions(&protocol),
            protocol,
            line_bytes: u64::from(specs[0].line_bytes),
            line_shift: specs[0].line_bytes.ilog2(),
            awaited: Vec::new(),
        }
    }

    /// The line that an address lies in.
    #[inline(always)]
    pub fn line(&self, address: u64) -> Line {
        address >> self.line_shift
    }

    /// Whether the first level has the line and the access may go on: all there is to do for most accesses, but for
    /// [`PrivateCaches::watch`] where versions are kept.
    #[inline(always)]
    pub fn touch(&mut self, line: Line, write: bool) -> bool {
        let needed = if write { WRITE } else { READ };
        let hit = self.levels.inner.array.touch(line, needed, &self.permissions);
        self.levels.inner.counters.hits += u64::from(hit);
        hit
    }

    /// An access that [`PrivateCaches::touch`] did not let go on.
    pub fn access(&mut self, line: Line, write: bool, observer: &mut Observer<'_>) -> Result<Lookup, Broken> {
        let mut place = self.levels.find(line);
        if self.agent.is_leaving(line) || self.stalls(place, write) {
            self.agent_access(place, write, observer)?;
            return Ok(Lookup::Stall);
        }
        let lookup = match (place.inner, &mut self.levels.outer, place.outermost) {
            (Some(slot), ..) => {
                let level = &mut self.levels.inner;
                level.counters.hits += 1;
                level.array.accessed(slot);
                self.held(place, write, observer, Lookup::Inner)?
            }
            (None, Some(level), Some(slot)) => {
                self.levels.inner.counters.miss(write);
                level.counters.hits += 1;
                level.array.accessed(slot);
                self.held(place, write, observer, Lookup::Outer)?
            }
            _ => self.missing(line, write, observer)?,
        };
        match lookup {
            Lookup::Inner => self.take_effect(place, write, observer)?,
            Lookup::Outer => {
                self.fill_inner(&mut place);
                self.take_effect(place, write, observer)?;
            }
            _ => {}
        }
        Ok(lookup)
    }

    /// Whether an access has to wait for something on its way to the copy.
    fn stalls(&mut self, place: Place, write: bool) -> bool {
        let state = self.levels.hold(place).state(place.line);
        let event = if write { AgentEvent::Store } else { AgentEvent::Load };
        self.protocol.agent.row(state, event).is_some_and(|row| row.actions.has(AgentAction::Stall))
    }

    fn agent_access(&mut self, place: Place, write: bool, observer: &mut Observer<'_>) -> Result<Access, Broken> {
        let (access, taken) = self
            .agent
            .access(&self.protocol.agent, &mut self.levels.hold(place), place.line, write)
            .map_err(|impossible| Broken::Impossible(place.line, impossible))?;
        observer.transition(&self.protocol, place.line, &taken)?;
        Ok(access)
    }

    /// An access to a line that a level holds.
    fn held(&mut self, place: Place, write: bool, observer: &mut Observer<'_>, level: Lookup) -> Result<Lookup, Broken> {
        let access = self.agent_access(place, write, observer)?;
        match access {
            Access::Asked(transaction) => {
                self.awaited.push(place);
                match (level, &mut self.levels.outer) {
                    (Lookup::Outer, Some(outer)) => outer.counters.upgrades += 1,
                    _ => self.levels.inner.counters.upgrades += 1,
                }
                Ok(Lookup::Ask { transaction, write_back: None })
            }
            Access::Performed => Ok(level),
            Access::Stalled => Ok(Lookup::Stall),
        }
    }

    /// An access to a line that no level holds.
    fn missing(&mut self, line: Line, write: bool, observer: &mut Observer<'_>) -> Result<Lookup, Broken> {
        let (slot, victim) = self.levels.outermost_mut().array.victim(line);
        let state = self.levels.outermost().array.state(slot);
        let is_awaited = self.awaited.iter().any(|place| place.outermost == Some(slot));
        if is_awaited || victim.is_some() && !self.agent.can_evict(&self.protocol.agent, state) {
            return Ok(Lookup::Stall);
        }
        for level in self.levels.each() {
            level.counters.miss(write);
        }
        let write_back = match victim {
            Some(victim) => self.evict(victim, slot, observer)?.then_some(victim),
            None => None,
        };
        self.levels.outermost_mut().array.fill(slot, line, State::INVALID);
        let inner = self.levels.outer.is_none().then_some(slot);
        let place = Place { line, inner, outermost: Some(slot) };
        match self.agent_access(place, write, observer)? {
            Access::Asked(transaction) => {
                self.awaited.push(place);
                Ok(Lookup::Ask { transaction, write_back })
            }
            Access::Performed | Access::Stalled => {
                Err(Broken::Incoherent(line, format!("core {} used a line it does not hold", observer.core)))
            }
        }
    }

    /// A line leaves all levels. Returns whether the bus is to be asked to take it back.
    fn evict(&mut self, line: Line, slot: Slot, observer: &mut Observer<'_>) -> Result<bool, Broken> {
        let in_inner = if self.levels.outer.is_some() { self.levels.inner.array.find(line) } else { Some(slot) };
        let place = Place { line, inner: in_inner, outermost: Some(slot) };
        if self.levels.outer.is_some() {
            let inner = &mut self.levels.inner;
            if let Some(slot) = place.inner {
                inner.counters.evictions += 1;
                if inner.array.is_dirty(slot) {
                    inner.counters.writebacks += 1;
                    inner.counters.bytes_written += self.line_bytes;
                }
            }
        }
        let (request, taken) = self
            .agent
            .evict(&self.protocol.agent, &mut self.levels.hold(place), line)
            .map_err(|impossible| Broken::Impossible(line, impossible))?;
        observer.transition(&self.protocol, line, &taken)?;
        let counters = &mut self.levels.outermost_mut().counters;
        counters.evictions += 1;
        counters.writebacks += u64::from(request.is_some());
        Ok(request.is_some())
    }

    /// Copies a line of the outer level into the inner one.
    fn fill_inner(&mut self, place: &mut Place) {
        let (Some(outer), None, Some(source)) = (&mut self.levels.outer, place.inner, place.outermost) else { return };
        let inner = &mut self.levels.inner;
        let (slot, victim) = inner.array.victim(place.line);
        if let Some(victim) = victim {
            inner.counters.evictions += 1;
            if inner.array.is_dirty(slot) {
                inner.counters.writebacks += 1;
                inner.counters.bytes_written += self.line_bytes;
                if let Some(slot) = outer.array.find(victim) {
                    outer.array.set_dirty(slot, true);
                }
            }
        }
        inner.counters.bytes_read += self.line_bytes;
        inner.array.fill(slot, place.line, outer.array.state(source));
        place.inner = Some(slot);
    }

    /// An access takes effect.
    fn take_effect(&mut self, place: Place, write: bool, observer: &mut Observer<'_>) -> Result<(), Broken> {
        if write && let Some(slot) = place.inner {
            self.levels.inner.array.set_dirty(slot, true);
        }
        self.watch(place.line, write, observer)
    }

    /// Where versions are kept: an access takes effect on the newest version, or the caches are broken.
    #[inline]
    pub fn watch(&mut self, line: Line, write: bool, observer: &mut Observer<'_>) -> Result<(), Broken> {
        let Some(versions) = &mut observer.versions else { return Ok(()) };
        let array = &mut self.levels.outermost_mut().array;
        let Some(slot) = array.find(line) else {
            return Err(Broken::Incoherent(line, format!("core {} used a line it does not hold", observer.core)));
        };
        let version = array.version(slot);
        if write {
            match versions.write(observer.time, observer.core, line, version) {
                Ok(next) => array.set_version(slot, next),
                Err(what) => return Err(Broken::Incoherent(line, what)),
            }
            Ok(())
        } else {
            versions.read(observer.core, line, version).map_err(|what| Broken::Incoherent(line, what))
        }
    }

    /// A transaction of some agent is on the bus; `own` where it is this one's. The answer, and whether a readable copy went.
    pub fn snoop(
        &mut self,
        line: Line,
        transaction: Transaction,
        own: bool,
        observer: &mut Observer<'_>,
    ) -> Result<(Answer, bool), Broken> {
        let place = self.levels.find(line);
        let (answer, taken) = self
            .agent
            .snoop(&self.protocol.agent, &mut self.levels.hold(place), line, transaction, own)
            .map_err(|impossible| Broken::Impossible(line, impossible))?;
        if taken.from == taken.next && taken.from == State::INVALID {
            return Ok((answer, false));
        }
        observer.transition(&self.protocol, line, &taken)?;
        let gone = (place.outermost.is_some() && taken.next == State::INVALID) || taken.actions.has(AgentAction::Amend);
        if gone {
            if place.inner.is_some() {
                self.levels.inner.counters.invalidations += 1;
            }
            if let Some(outer) = &mut self.levels.outer {
                outer.counters.invalidations += 1;
            }
        }
        if answer.sends() && !answer.send_word {
            self.levels.outermost_mut().counters.bytes_written += self.line_bytes;
        }
        Ok((answer, gone))
    }

    /// The word came that another agent wrote, and this one said it would take into its copy.
    pub fn take_word(&mut self, line: Line, version: u64, observer: &mut Observer<'_>) -> Result<(), Broken> {
        let place = self.levels.find(line);
        let taken = self
            .agent
            .take_word(&self.protocol.agent, &mut self.levels.hold(place), line)
            .map_err(|impossible| Broken::Impossible(line, impossible))?;
        observer.transition(&self.protocol, line, &taken)?;
        self.received(place, version, observer);
        Ok(())
    }

    /// A copy has a version now that came over the bus.
    fn received(&mut self, place: Place, version: u64, observer: &mut Observer<'_>) {
        if let Some(slot) = place.outermost {
            self.levels.outermost_mut().array.set_version(slot, version);
        }
        if let Some(versions) = &mut observer.versions {
            versions.note(observer.time, place.line, Happened::Filled { core: observer.core, version });
        }
    }

    /// What an access waited for is there: `version` where a line came. The access takes effect, or the transaction to ask for next is
    /// returned.
    pub fn complete(
        &mut self,
        line: Line,
        transaction: Transaction,
        shared: bool,
        version: u64,
        write: bool,
        observer: &mut Observer<'_>,
    ) -> Result<Option<Transaction>, Broken> {
        let Some(number) = self.awaited.iter().position(|place| place.line == line) else {
            return Err(Broken::Incoherent(line, format!("core {} received a line it did not wait for", observer.core)));
        };
        let mut place = self.awaited.swap_remove(number);
        // Other lines may have moved it out of the first level meanwhile.
        place.inner = self.levels.inner.array.find(line);
        let mut held = self.levels.hold(place);
        // Its own transaction had its place in the order before; nothing of the line could be seen in between.
        if !transaction.is_shown_to_requestor() {
            let (_, ordered) = self
                .agent
                .snoop(&self.protocol.agent, &mut held, line, transaction, true)
                .map_err(|impossible| Broken::Impossible(line, impossible))?;
            observer.transition(&self.protocol, line, &ordered)?;
        }
        let (access, taken) = self
            .agent
            .complete(&self.protocol.agent, &mut held, line, transaction, shared)
            .map_err(|impossible| Broken::Impossible(line, impossible))?;
        observer.transition(&self.protocol, line, &taken)?;
        if transaction.brings_line() {
            self.levels.outermost_mut().counters.bytes_read += self.line_bytes;
            self.received(place, version, observer);
        }
        if let Access::Asked(next) = access {
            self.awaited.push(place);
            return Ok(Some(next));
        }
        self.fill_inner(&mut place);
        self.take_effect(place, write, observer)?;
        Ok(None)
    }

    /// Whether an access could go on without asking anyone.
    pub fn is_permitted(&self, line: Line, write: bool) -> bool {
        let place = self.levels.find(line);
        let Some(slot) = place.outermost else { return false };
        let state = self.levels.outermost().array.state(slot);
        let event = if write { AgentEvent::Store } else { AgentEvent::Load };
        !self.agent.is_leaving(line)
            && self.protocol.agent.row(state, event).is_some_and(|row| row.actions.has(AgentAction::Perform))
    }

    /// A lookup in the first level found its line on the way.
    pub fn count_merged(&mut self) {
        self.levels.inner.counters.merged += 1;
    }

    /// Lookups in the first level that hit and were not made one by one: the spins of an `await`.
    pub fn count_hits(&mut self, n: u64) {
        self.levels.inner.counters.hits += n;
    }

    /// The levels, innermost first.
    pub fn levels(&self) -> impl Iterator<Item = &Level> {
        std::iter::once(&self.levels.inner).chain(&self.levels.outer)
    }

    /// Sets all counters to zero; what is cached stays.
    pub fn reset_counters(&mut self) {
        for level in self.levels.each() {
            level.counters = CacheCounters::default();
        }
    }

    /// Bytes of the host's memory they take.
    pub fn footprint(&self) -> usize {
        self.levels().map(|level| level.array.footprint()).sum::<usize>() + std::mem::size_of::<PrivateCaches>()
    }
}

/// What may go on in each state without changing anything. A store needs the line to have been written here before, so that the first
/// one marks it.
fn permissions(protocol: &Protocol) -> Permissions {
    let mut permissions = Permissions([0; 256]);
    let table = &protocol.agent;
    for number in 0..table.states.len() {
        let state = State(number as u8);
        let goes_on = |event| table.row(state, event).is_some_and(|row| row.next == state && row.actions.has(AgentAction::Perform));
        let read = if goes_on(AgentEvent::Load) { READ } else { 0 };
        permissions.0[number] = read;
        permissions.0[number | usize::from(DIRTY)] = if goes_on(AgentEvent::Store) { read | WRITE } else { read };
    }
    permissions
}
