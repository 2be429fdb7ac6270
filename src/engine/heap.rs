//! A binary heap of events: the textbook's event list, kept as the oracle that the timing wheel is tested and measured against.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::event::Event;
use crate::base::time::Time;

/// Pending events in a binary heap: O(log n) for each.
#[derive(Clone, Debug, Default)]
pub struct HeapQueue {
    events: BinaryHeap<Reverse<Event>>,
}

impl HeapQueue {
    /// An empty queue.
    pub fn new() -> HeapQueue {
        HeapQueue::default()
    }

    /// The number of pending events.
    #[inline]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether nothing is pending.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Adds an event.
    #[inline]
    pub fn push(&mut self, event: Event) {
        self.events.push(Reverse(event));
    }

    /// Removes the earliest event.
    #[inline]
    pub fn pop(&mut self) -> Option<Event> {
        self.events.pop().map(|Reverse(event)| event)
    }

    /// When the earliest event happens.
    #[inline]
    pub fn next_time(&self) -> Option<Time> {
        self.events.peek().map(|Reverse(event)| event.time)
    }
}
