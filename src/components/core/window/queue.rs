//! Lookups that are to be made, in the order of their cycles.

use std::collections::VecDeque;

/// What is to be looked up next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lookup {
    /// The translation of an operation's address: its number in program order.
    Address(u64),
    /// The load of an entry of the page table, by a walker.
    Walk(u32),
    /// A load: its number in program order.
    Load(u64),
    /// A store of the store buffer: its number among stores.
    Store(u64),
    /// The synchronising operation that the empty window waits for, under total store order: its address, or the load.
    Synchronise,
    /// Instructions that are to be dispatched next.
    Fetch,
}

/// Lookups by cycle; those of one cycle in their own order.
///
/// A list in order, and no heap: nearly every lookup comes behind all others, a few dozen at most, so that both ends are where it is
/// used.
#[derive(Clone, Debug, Default)]
pub(super) struct LookupQueue(VecDeque<(u64, Lookup)>);

impl LookupQueue {
    /// The next: at which cycle, and of what.
    #[inline]
    pub fn next(&self) -> Option<(u64, Lookup)> {
        self.0.front().copied()
    }

    #[inline]
    pub fn pop(&mut self) {
        self.0.pop_front();
    }

    #[inline]
    pub fn push(&mut self, cycle: u64, lookup: Lookup) {
        let new = (cycle, lookup);
        if self.0.back().is_none_or(|last| *last <= new) {
            self.0.push_back(new);
        } else {
            self.insert(new);
        }
    }

    #[inline(never)]
    fn insert(&mut self, new: (u64, Lookup)) {
        let place = self.0.partition_point(|other| *other <= new);
        self.0.insert(place, new);
    }
}
