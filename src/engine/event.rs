//! What the queue holds: 24 bytes that say when, to whom, from whom, and where the content is found.

use std::cmp::Ordering;

use super::{Class, PartId};
use crate::base::time::Time;

const CLASS_BIT: u64 = 1 << 63;

/// The largest number of parts an engine can hold: a receiver has 31 bits of an event.
pub const MAX_PARTS: usize = 1 << 31;

/// An event and its place in the total order: time, then class, then receiver, then sender, then the sender's own sequence. Nothing
/// depends on the order in which events were inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it happens.
    pub time: Time,
    /// Class (1 bit), receiver (31 bits), sender (32 bits), so that one comparison decides all three.
    address: u64,
    /// The sender's own count of the events it caused, then what it is about, in one word: copies of words written in halves are slow.
    content: u64,
}

impl Event {
    /// Fills places that hold no event.
    pub(super) const UNUSED: Event = Event { time: Time::NEVER, address: u64::MAX, content: 0 };

    /// An event that `sender` caused as its `sequence`-th (modulo 2^32).
    #[inline]
    pub fn new(time: Time, class: Class, receiver: PartId, sender: PartId, sequence: u32, payload: u32) -> Event {
        let class = if class == Class::Wake { CLASS_BIT } else { 0 };
        let address = class | u64::from(receiver.0) << 32 | u64::from(sender.0);
        Event { time, address, content: u64::from(sequence) << 32 | u64::from(payload) }
    }

    /// Becomes a copy of `other`, word by word: an event that has just been made from words is copied faster so.
    #[inline]
    pub(super) fn set(&mut self, other: &Event) {
        self.time = other.time;
        self.address = other.address;
        self.content = other.content;
    }

    /// Which comes first among events of the same instant.
    #[inline]
    pub fn class(&self) -> Class {
        if self.address & CLASS_BIT == 0 { Class::Arrival } else { Class::Wake }
    }

    /// Who handles it.
    #[inline]
    pub fn receiver(&self) -> PartId {
        PartId(((self.address & !CLASS_BIT) >> 32) as u32)
    }

    /// Who caused it.
    #[inline]
    pub fn sender(&self) -> PartId {
        PartId(self.address as u32)
    }

    /// The sender's own count of the events it caused. It wraps: see [`Event::cmp`].
    #[inline]
    fn sequence(&self) -> u32 {
        (self.content >> 32) as u32
    }

    /// What it is about: a message's place, a channel, or a token.
    #[inline]
    pub fn payload(&self) -> u32 {
        self.content as u32
    }
}

impl Ord for Event {
    /// The total order of events. Sequences are compared as serial numbers (RFC 1982), which is right while the pending events of one
    /// sender for one receiver at one instant lie within 2^31 of each other: more would not fit in memory.
    #[inline]
    fn cmp(&self, other: &Event) -> Ordering {
        (self.time, self.address)
            .cmp(&(other.time, other.address))
            .then_with(|| (self.sequence().wrapping_sub(other.sequence()) as i32).cmp(&0))
    }
}

impl PartialOrd for Event {
    #[inline]
    fn partial_cmp(&self, other: &Event) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(time: u64, class: Class, receiver: u32, sender: u32, sequence: u32) -> Event {
        Event::new(Time(time), class, PartId(receiver), PartId(sender), sequence, 0)
    }

    #[test]
    fn the_order_is_time_class_receiver_sender_sequence() {
        let sorted = [
            event(1, Class::Wake, 9, 9, 9),
            event(2, Class::Arrival, 0, 7, 9),
            event(2, Class::Arrival, 1, 0, 9),
            event(2, Class::Arrival, 1, 2, 0),
            event(2, Class::Arrival, 1, 2, 1),
            event(2, Class::Wake, 0, 0, 0),
        ];
        assert!(sorted.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_sequence_that_wraps_keeps_the_order() {
        let sorted = [u32::MAX - 1, u32::MAX, 0, 1].map(|sequence| event(5, Class::Arrival, 1, 2, sequence));
        assert!(sorted.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn an_event_gives_back_what_it_was_made_of() {
        let event = Event::new(Time(5), Class::Wake, PartId((MAX_PARTS - 1) as u32), PartId(u32::MAX), u32::MAX, 77);
        assert_eq!((event.sequence(), event.payload()), (u32::MAX, 77));
        assert_eq!((event.class(), event.receiver(), event.sender()), (Class::Wake, PartId(0x7fff_ffff), PartId(u32::MAX)));
        assert_eq!(size_of::<Event>(), 24);
    }
}
