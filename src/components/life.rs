//! The life of one line: everything that happens to it, in order, as long as there is room.
//!
//! ```text
//!   versions (transitions, accesses that take effect) --+
//!   interconnect (requests granted, data transferred) --+--> moments, sorted by time
//!   memory's side of the protocol (read, written)     --+
//! ```
//!
//! Cores run ahead of each other in their own time, so moments come out of order and are sorted at the end. What counts is the first
//! [`MOST_MOMENTS`] by time, whatever the order in which they came; accesses between two transitions of a core are only counted.

use std::collections::BTreeMap;

use crate::base::address::Line;
use crate::base::time::Time;
use crate::coherence::order::{AgentNumber, Command};
use crate::coherence::protocol::MemoryEvent;

/// As many moments are kept.
pub const MOST_MOMENTS: usize = 10_000;

/// What happens to the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A core's copy goes from one state to another on an event: numbers of the protocol's table.
    Transition { core: u16, from: u8, event: u8, next: u8 },
    /// The interconnect takes up a request.
    Granted { agent: AgentNumber, command: Command },
    /// Data go over the interconnect to whoever asked, or with it to memory.
    Transferred { agent: AgentNumber, bytes: u32, from_cache: bool, end: Time },
    /// Memory, or the shared cache before it, is read or written.
    /// With a directory: `agent` is whose request it belongs to.
    Memory { event: MemoryEvent, agent: Option<AgentNumber> },
}

impl Happening {
    /// At one instant cores come first, then the interconnect, then memory.
    fn rank(self) -> u32 {
        match self {
            Happening::Transition { core, .. } => u32::from(core),
            Happening::Granted { .. } | Happening::Transferred { .. } => 1 << 16,
            Happening::Memory { .. } => (1 << 16) + 1,
        }
    }
}

/// Something that happened, and the core's accesses to the line from then to its next transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub time: Time,
    pub what: Happening,
    /// Loads of the core that took effect on its copy after this.
    pub loads: u64,
    /// Stores and atomic operations.
    pub stores: u64,
    sequence: u64,
}

/// The life of a line in one phase.
#[derive(Clone, Debug, Default)]
pub struct Life {
    line: Line,
    begin: Time,
    moments: Vec<Moment>,
    /// Each core's last transition, whose accesses are still being counted.
    open: BTreeMap<u16, Moment>,
    sequence: u64,
    left_out: u64,
}

impl Life {
    /// Nothing has happened to the line yet.
    pub fn new(line: Line) -> Life {
        Life { line, ..Life::default() }
    }

    /// A phase begins: what was before is forgotten, and times count from here.
    pub fn begin(&mut self, at: Time) {
        *self = Life { line: self.line, begin: at, ..Life::default() };
    }

    /// When the phase began.
    pub fn began(&self) -> Time {
        self.begin
    }

    /// The line.
    #[inline]
    pub fn line(&self) -> Line {
        self.line
    }

    /// Remembers what happens to the line.
    pub fn note(&mut self, time: Time, what: Happening) {
        self.sequence += 1;
        let moment = Moment { time, what, loads: 0, stores: 0, sequence: self.sequence };
        let over = match what {
            Happening::Transition { core, .. } => self.open.insert(core, moment),
            _ => Some(moment),
        };
        self.moments.extend(over);
        if self.moments.len() >= 2 * MOST_MOMENTS {
            self.sort();
        }
    }

    /// An access of a core takes effect on its copy. Before the core's first transition it belongs to no moment.
    pub fn access(&mut self, core: u16, write: bool) {
        if let Some(moment) = self.open.get_mut(&core) {
            moment.loads += u64::from(!write);
            moment.stores += u64::from(write);
        }
    }

    /// Keeps the earliest moments.
    fn sort(&mut self) {
        self.moments.sort_by_key(|moment| (moment.time, moment.what.rank(), moment.sequence));
        self.left_out += self.moments.len().saturating_sub(MOST_MOMENTS) as u64;
        self.moments.truncate(MOST_MOMENTS);
    }

    /// The moments in order, and how many more there were.
    pub fn moments(mut self) -> (Vec<Moment>, u64) {
        self.moments.extend(std::mem::take(&mut self.open).into_values());
        self.sort();
        (self.moments, self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transition(core: u16, from: u8, next: u8) -> Happening {
        Happening::Transition { core, from, event: 0, next }
    }

    #[test]
    fn moments_are_in_the_order_of_their_times_whatever_the_order_they_came_in() {
        let mut life = Life::new(3);
        let read = Happening::Memory { event: MemoryEvent::Read, agent: None };
        life.note(Time(50), transition(0, 0, 1));
        life.note(Time(90), transition(0, 1, 2));
        life.note(Time(50), read);
        life.note(Time(20), transition(1, 0, 1));
        life.note(Time(90), transition(1, 1, 0));
        let (moments, left_out) = life.moments();
        let order: Vec<(u64, Happening)> = moments.iter().map(|moment| (moment.time.0, moment.what)).collect();
        let expected = [
            (20, transition(1, 0, 1)),
            (50, transition(0, 0, 1)),
            (50, read),
            (90, transition(0, 1, 2)),
            (90, transition(1, 1, 0)),
        ];
        assert_eq!((&order[..], left_out), (&expected[..], 0));
    }

    #[test]
    fn accesses_belong_to_the_transition_before_them() {
        let mut life = Life::new(3);
        life.access(0, false);
        life.note(Time(10), transition(0, 0, 1));
        life.note(Time(12), transition(1, 0, 1));
        (0..47).for_each(|_| life.access(0, false));
        life.access(0, true);
        life.note(Time(20), transition(0, 1, 0));
        let counted: Vec<(u64, u64)> = life.moments().0.iter().map(|moment| (moment.loads, moment.stores)).collect();
        assert_eq!(counted, [(47, 1), (0, 0), (0, 0)]);
    }

    #[test]
    fn only_the_earliest_are_kept() {
        let (mut life, n) = (Life::new(3), 3 * MOST_MOMENTS as u64);
        // The latest first: what is kept does not depend on when it came.
        (0..n).rev().for_each(|time| life.note(Time(time), Happening::Memory { event: MemoryEvent::Read, agent: None }));
        let (moments, left_out) = life.moments();
        assert_eq!((moments.len(), moments[0].time, left_out), (MOST_MOMENTS, Time(0), n - MOST_MOMENTS as u64));
        assert_eq!(moments[MOST_MOMENTS - 1].time, Time(MOST_MOMENTS as u64 - 1));
    }
}
