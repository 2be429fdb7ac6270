//! Waits of an out-of-order core's front end for instructions, kept until the operation that they delayed commits: then it is known
//! which of their cycles nothing else hid.

use std::collections::VecDeque;

use crate::components::owner::{Owner, Timeline};

/// Where late instructions came from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A level of the caches.
    Level(Owner),
    /// A request.
    Request(Box<Timeline>),
}

/// The front end waited, in these cycles.
#[derive(Clone, Debug)]
pub(super) struct Late {
    pub from: u64,
    pub until: u64,
    pub source: Source,
}

/// All waits of operations not yet committed, and those of the operation to be dispatched next.
#[derive(Clone, Debug, Default)]
pub(super) struct Supply {
    until: u64,
    next: Vec<Late>,
    dispatched: VecDeque<(u64, Late)>,
}

impl Supply {
    /// No dispatch before this cycle.
    #[inline]
    pub fn until(&self) -> u64 {
        self.until
    }

    /// No dispatch before a cycle.
    pub fn not_before(&mut self, cycle: u64) {
        self.until = self.until.max(cycle);
    }

    /// The next operation waits.
    pub fn wait(&mut self, late: Late) {
        self.until = self.until.max(late.until);
        self.next.push(late);
    }

    /// An operation was dispatched: the waits so far were its own.
    #[inline]
    pub fn dispatched(&mut self, id: u64) {
        if !self.next.is_empty() {
            self.dispatched.extend(self.next.drain(..).map(|late| (id, late)));
        }
    }

    /// The next wait of an operation that commits, or of one before it.
    #[inline]
    pub fn take(&mut self, id: u64) -> Option<Late> {
        let (of, _) = self.dispatched.front()?;
        if *of > id { None } else { self.dispatched.pop_front().map(|(_, late)| late) }
    }

    /// The waits before what no operation of the window follows.
    pub fn take_next(&mut self) -> Vec<Late> {
        std::mem::take(&mut self.next)
    }
}
