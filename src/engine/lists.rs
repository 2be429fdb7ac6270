//! Many lists of events in one pool of chunks: what is added to a list lies beside what was added before, and no list has memory of its
//! own.
//!
//! ```text
//!   ends     [ 0 | 15 | 0 | 1 | ... ]              where a list's next event goes; 0 if it is empty
//!                  |        |                      (and a bit for each that is not)
//!   events   [e . . .|free    |e e e e|e e e .]    in chunks of the same size
//!   links    [ end   | -> ... | end   | -> 2  ]    a chunk's predecessor in its list
//! ```

use super::bitmap::Bitmap;
use super::event::Event;
use crate::base::time::Time;

/// Lists `0..64 * WORDS`, each of events in no particular order, in chunks of `CHUNK`, a power of two.
#[derive(Clone, Debug)]
pub(super) struct Lists<const WORDS: usize, const CHUNK: usize> {
    /// For each list the place after its last event; 0 if it is empty.
    ends: Box<[[u32; 64]; WORDS]>,
    occupied: Bitmap<WORDS>,
    events: Vec<Event>,
    /// For each chunk the number of the chunk before it in its list; free ones are linked in the same way.
    links: Vec<u32>,
    free: u32,
}

/// No chunk.
const NONE: u32 = u32::MAX;

impl<const WORDS: usize, const CHUNK: usize> Lists<WORDS, CHUNK> {
    /// All lists, empty.
    pub(super) fn new() -> Lists<WORDS, CHUNK> {
        const { assert!(CHUNK.is_power_of_two()) };
        Lists { ends: Box::new([[0; 64]; WORDS]), occupied: Bitmap::new(), events: Vec::new(), links: Vec::new(), free: NONE }
    }

    /// The list that `number`, counted round and round, falls on.
    #[inline]
    pub(super) fn place(number: u64) -> usize {
        number as usize % (64 * WORDS)
    }

    #[inline]
    fn end(&mut self, list: usize) -> &mut u32 {
        &mut self.ends[list / 64 % WORDS][list % 64]
    }

    #[inline]
    pub(super) fn push(&mut self, list: usize, event: Event) {
        let mut place = *self.end(list);
        if (place as usize).is_multiple_of(CHUNK) {
            place = self.begin_chunk(list, place);
        }
        self.events[place as usize].set(&event);
        *self.end(list) = place + 1;
    }

    /// Puts a chunk at the end of a list; the place of its first event.
    #[inline]
    fn begin_chunk(&mut self, list: usize, end: u32) -> u32 {
        self.occupied.set(list);
        let before = (end / CHUNK as u32).wrapping_sub(1);
        let chunk = self.free;
        if let Some(link) = self.links.get_mut(chunk as usize) {
            self.free = *link;
            *link = before;
            return chunk * CHUNK as u32;
        }
        self.grow(before)
    }

    #[cold]
    fn grow(&mut self, before: u32) -> u32 {
        let place = self.events.len() as u32;
        self.events.resize(self.events.len() + CHUNK, Event::UNUSED);
        self.links.push(before);
        place
    }

    /// How many lists after `list`, counted round the circle, the next one is that holds anything; 0 for `list` itself.
    #[inline]
    pub(super) fn distance_to_occupied(&self, list: usize) -> Option<usize> {
        self.occupied.distance_to_next(list)
    }

    /// Empties a list of one event; `None` of a list of several, which stays as it is.
    #[inline]
    pub(super) fn take_only(&mut self, list: usize) -> Option<Event> {
        let place = (*self.end(list) as usize).wrapping_sub(1);
        let chunk = place / CHUNK;
        if !place.is_multiple_of(CHUNK) || *self.links.get(chunk)? != NONE {
            return None;
        }
        *self.end(list) = 0;
        self.occupied.clear(list);
        self.links[chunk] = self.free;
        self.free = chunk as u32;
        Some(self.events[place])
    }

    /// Empties a list into `take`, a chunk at a time.
    #[inline]
    pub(super) fn drain(&mut self, list: usize, mut take: impl FnMut(&[Event])) {
        let mut end = std::mem::replace(self.end(list), 0) as usize;
        self.occupied.clear(list);
        while end != 0 {
            let chunk = (end - 1) / CHUNK;
            take(&self.events[chunk * CHUNK..end]);
            let before = std::mem::replace(&mut self.links[chunk], self.free);
            self.free = chunk as u32;
            end = before.wrapping_add(1) as usize * CHUNK;
        }
    }

    /// When the earliest event of a list happens.
    pub(super) fn earliest(&self, list: usize) -> Option<Time> {
        let mut end = self.ends[list / 64][list % 64] as usize;
        let mut earliest = None;
        while end != 0 {
            let chunk = (end - 1) / CHUNK;
            let of_chunk = self.events[chunk * CHUNK..end].iter().map(|event| event.time).min();
            earliest = earliest.min(of_chunk).or(of_chunk);
            end = self.links[chunk].wrapping_add(1) as usize * CHUNK;
        }
        earliest
    }

    /// Empties all lists into `events`.
    pub(super) fn drain_all(&mut self, events: &mut Vec<Event>) {
        while let Some(list) = self.occupied.distance_to_next(0) {
            self.drain(list, |chunk| events.extend_from_slice(chunk));
        }
    }

    /// How many events fit without allocating.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.events.capacity()
    }
}
