//! Lines on their way between the levels: outwards when another takes their place, inwards when they are used.
//!
//! ```text
//!   inwards:   interconnect --> outermost level that is not exclusive --> ... --> first level
//!   outwards:  victim --> the next level where that is exclusive, or lacks a line that is newer than memory's --> ... --> interconnect
//! ```
//!
//! Whatever the levels do with each other, the agent holds a line as long as any of them does; when the last copy goes, the protocol
//! hears of it.

use super::level::{Departing, Place};
use super::{Broken, Observer, PrivateCaches};
use crate::base::address::Line;
use crate::coherence::agent::WRITE_BACK_PLACES;
use crate::coherence::protocol::{AgentAction, AgentEvent, State};
use crate::components::cache::Slot;
use crate::components::message::WORD_BYTES;
use crate::components::spec::Inclusion;
use crate::components::trace::Kind;

/// A line that left a level.
#[derive(Clone, Copy, Debug)]
struct Moved {
    line: Line,
    state: State,
    version: u64,
    /// Written since it came from outside the level.
    dirty: bool,
}

impl PrivateCaches {
    /// Whether a line has to stay where it is: an access waits for it or moves it, or something is on its way to it.
    fn is_pinned(&self, line: Line, state: State) -> bool {
        let table = &self.protocol.agent;
        self.moving.contains(&line)
            || self.awaited.iter().any(|awaited| awaited.line == line)
            || table.row(state, AgentEvent::Evict).is_some_and(|row| row.actions.has(AgentAction::Stall))
    }

    /// The slot of a level that a new line would take, with the line that has to leave it; `None` where none of the set's can.
    pub(super) fn choose(&mut self, level: u8, line: Line) -> Option<(Slot, Option<Line>)> {
        let array = &mut self.levels.get_mut(level).array;
        let (slot, victim) = array.victim(line);
        let Some(victim) = victim else { return Some((slot, None)) };
        let state = array.state(slot);
        if !self.is_pinned(victim, state) {
            return Some((slot, Some(victim)));
        }
        let array = &self.levels.get(level).array;
        let free = array.set_of(line).find(|&slot| !self.is_pinned(array.line(slot), array.state(slot)));
        free.map(|slot| (slot, Some(array.line(slot))))
    }

    /// A line that another agent's has to leave can come to stay: the outermost level has a place for it that is empty, or whose line may
    /// be dropped in silence. Where there is one: its slot, and the line dropped.
    pub(super) fn make_place(
        &mut self,
        line: Line,
        observer: &mut Observer<'_>,
    ) -> Result<Option<(u8, Slot, Option<Line>)>, Broken> {
        let level = self.levels.anchor(Kind::Read);
        let array = &mut self.levels.get_mut(level).array;
        let first = array.victim(line).0;
        let array = &self.levels.get(level).array;
        let is_silent =
            |state| self.protocol.agent.row(state, AgentEvent::Evict).is_some_and(|row| !row.actions.has(AgentAction::Put));
        let fits = |slot: &Slot| {
            let (other, state) = (array.line(*slot), array.state(*slot));
            (state == State::INVALID || is_silent(state)) && !self.is_pinned(other, state)
        };
        let Some(slot) = std::iter::once(first).chain(array.set_of(line)).find(fits) else { return Ok(None) };
        let dropped = (array.state(slot) != State::INVALID).then(|| array.line(slot));
        if let Some(other) = dropped {
            self.displace(level, slot, other, observer)?;
        }
        self.levels.get_mut(level).array.fill(slot, line, State::INVALID);
        Ok(Some((level, slot, dropped)))
    }

    /// Whether the write-back buffer takes what an access may drive out. A fill never waits: what lines that are on their way drive out
    /// of levels that do not hold what those inside them do finds room beyond the buffer's own places.
    pub(super) fn has_room_for_victim(&self, victim: Option<(Slot, u8)>) -> bool {
        match victim {
            Some((slot, level)) if self.levels.all_inclusive => {
                let state = self.levels.get(level).array.state(slot);
                self.agent.can_evict(&self.protocol.agent, state)
            }
            None if self.levels.all_inclusive => true,
            _ => self.agent.write_backs().len() < WRITE_BACK_PLACES,
        }
    }

    /// A line leaves a slot of a level to make room for another.
    pub(super) fn displace(&mut self, level: u8, slot: Slot, line: Line, observer: &mut Observer<'_>) -> Result<(), Broken> {
        let line_bytes = self.line_bytes;
        let array = &self.levels.get(level).array;
        let mut moved = Moved { line, state: array.state(slot), version: array.version(slot), dirty: array.is_dirty(slot) };
        if self.levels.get(level).inclusion == Inclusion::Inclusive {
            for number in 0..self.levels.get(level).inside.len() {
                let inside = self.levels.get(level).inside[number];
                let inner = self.levels.get_mut(inside);
                let Some(slot) = inner.array.find(line) else { continue };
                inner.counters.evictions += 1;
                if inner.array.is_dirty(slot) {
                    inner.counters.writebacks += 1;
                    inner.counters.bytes_written += line_bytes;
                    moved.dirty = true;
                }
                inner.array.clear(slot);
            }
        }
        let own = self.levels.get_mut(level);
        own.counters.evictions += 1;
        own.array.clear(slot);
        self.pass_out(level, moved, observer)
    }

    /// A line that left a level goes to the next one that takes it, or out of the agent.
    fn pass_out(&mut self, level: u8, moved: Moved, observer: &mut Observer<'_>) -> Result<(), Broken> {
        // What makes room for it must not drive out another copy of it meanwhile.
        self.moving.push(moved.line);
        let passed = self.pass_out_moving(level, moved, observer);
        self.moving.pop();
        passed
    }

    fn pass_out_moving(&mut self, level: u8, moved: Moved, observer: &mut Observer<'_>) -> Result<(), Broken> {
        let line_bytes = self.line_bytes;
        let mut at = level;
        let mut dirty = moved.dirty;
        while let Some(outer) = self.levels.get(at).next {
            let next = self.levels.get_mut(outer);
            if next.inclusion == Inclusion::Exclusive {
                if self.take_in(outer, Moved { dirty, ..moved }, observer)? {
                    let own = &mut self.levels.get_mut(at).counters;
                    own.writebacks += u64::from(dirty);
                    own.bytes_written += line_bytes;
                    return Ok(());
                }
            } else if let Some(slot) = next.array.find(moved.line) {
                if dirty {
                    let passes_on = !next.write_back;
                    next.array.set_dirty(slot, !passes_on);
                    self.count_write_back(at);
                    dirty = passes_on;
                }
                if !dirty {
                    // It is not gone from the levels inside the next one, which has no need of it.
                    return Ok(());
                }
            } else if next.write_back && (dirty || self.is_last_dirty(moved)) {
                // Clean lines that the next level lacks are not worth its room; newer ones than memory's must not be lost.
                if let Some((slot, victim)) = self.choose(outer, moved.line) {
                    if let Some(victim) = victim {
                        self.displace(outer, slot, victim, observer)?;
                    }
                    self.count_write_back(at);
                    self.put(outer, slot, Moved { dirty: true, ..moved });
                    return Ok(());
                }
            }
            at = outer;
        }
        self.leave(at, moved, observer)
    }

    fn count_write_back(&mut self, level: u8) {
        let bytes = self.line_bytes;
        let counters = &mut self.levels.get_mut(level).counters;
        counters.writebacks += 1;
        counters.bytes_written += bytes;
    }

    /// Whether a line that left a level is newer than memory's, and no other level holds it.
    fn is_last_dirty(&self, moved: Moved) -> bool {
        self.levels.is_dirty(moved.state) && !self.levels.find(moved.line).is_held()
    }

    fn put(&mut self, level: u8, slot: Slot, moved: Moved) {
        let array = &mut self.levels.get_mut(level).array;
        array.fill(slot, moved.line, moved.state);
        array.set_dirty(slot, moved.dirty);
        array.set_version(slot, moved.version);
    }

    /// An exclusive level takes in what a level inside it drops. Returns whether there was room.
    fn take_in(&mut self, level: u8, moved: Moved, observer: &mut Observer<'_>) -> Result<bool, Broken> {
        let array = &mut self.levels.get_mut(level).array;
        // Two levels inside it had the line.
        if let Some(slot) = array.find(moved.line) {
            array.accessed(slot);
            let dirty = moved.dirty || array.is_dirty(slot);
            array.set_dirty(slot, dirty);
            return Ok(true);
        }
        let Some((slot, victim)) = self.choose(level, moved.line) else { return Ok(false) };
        if let Some(victim) = victim {
            self.displace(level, slot, victim, observer)?;
        }
        self.put(level, slot, moved);
        Ok(true)
    }

    /// Where a line that left a level was the agent's last copy, the protocol hears of it.
    fn leave(&mut self, level: u8, moved: Moved, observer: &mut Observer<'_>) -> Result<(), Broken> {
        if self.levels.find(moved.line).is_held() {
            return Ok(());
        }
        let mut copy = Departing { state: moved.state, version: moved.version };
        let (request, taken) = self
            .agent
            .evict(&self.protocol.agent, &mut copy, moved.line)
            .map_err(|impossible| Broken::Impossible(moved.line, impossible))?;
        observer.transition(&self.protocol, moved.line, &taken)?;
        if request.is_some() {
            // Its bytes are counted when they go.
            self.levels.get_mut(level).counters.writebacks += 1;
            self.leaving.push(moved.line);
        }
        Ok(())
    }

    /// A line that is held comes into the levels inside the innermost one that has it, as far as an access of this kind wants it there.
    pub(super) fn bring_inwards(&mut self, place: &mut Place, kind: Kind, observer: &mut Observer<'_>) -> Result<(), Broken> {
        let n_levels = self.levels.depth(kind);
        let depth = (0..n_levels).find(|&depth| place.slot(self.levels.on_way(kind, depth)).is_some());
        let inside = depth.unwrap_or(n_levels);
        if !(0..inside).any(|depth| self.levels.get(self.levels.on_way(kind, depth)).takes(kind)) {
            return Ok(());
        }
        let mut moved =
            Moved { line: place.line, state: self.levels.state(place), version: self.levels.version(place), dirty: false };
        if let Some(depth) = depth {
            let from = self.levels.on_way(kind, depth);
            let source = self.levels.get_mut(from);
            if let (Inclusion::Exclusive, Some(slot)) = (source.inclusion, place.slot(from)) {
                moved.dirty = source.array.is_dirty(slot);
                source.array.clear(slot);
                place.clear(from);
            }
        }
        self.moving.push(place.line);
        for depth in (0..inside).rev() {
            let level = self.levels.on_way(kind, depth);
            if !self.levels.get(level).takes(kind) {
                continue;
            }
            let Some((slot, victim)) = self.choose(level, place.line) else { continue };
            if let Some(victim) = victim {
                self.displace(level, slot, victim, observer)?;
            }
            self.levels.get_mut(level).counters.bytes_read += self.line_bytes;
            self.put(level, slot, moved);
            place.set(level, slot);
            // The outermost of them answers for it.
            moved.dirty = false;
        }
        self.moving.pop();
        if !place.is_held() {
            // No level inside had room: it goes back to where it was.
            self.pass_out(self.levels.on_way(kind, 0), moved, observer)?;
            *place = self.levels.find(place.line);
        }
        Ok(())
    }

    /// A store reaches the levels: the first that writes back keeps it, those before it pass it on.
    pub(super) fn mark_written(&mut self, place: &Place) {
        for depth in 0..self.levels.depth(Kind::Write) {
            let number = self.levels.on_way(Kind::Write, depth);
            let Some(slot) = place.slot(number) else { continue };
            let level = self.levels.get_mut(number);
            if level.write_back {
                level.array.set_dirty(slot, true);
                return;
            }
            level.counters.passed_on += 1;
            level.counters.bytes_written += u64::from(WORD_BYTES);
            if let Some(outer) = level.next {
                let next = self.levels.get_mut(outer);
                next.counters.hits += 1;
                if let Some(slot) = place.slot(outer) {
                    next.array.accessed(slot);
                }
            }
        }
    }
}
