//! The event queue: a timing wheel of two levels with an overflow heap.
//!
//! Wheels are Varghese and Lauck's ("Hashed and Hierarchical Timing Wheels", SOSP 1987); the slot in use is kept sorted, as in Brown's
//! calendar queue (CACM 31(10), 1988), so that events leave in their total order and not merely by slot.
//!
//! ```text
//!    earlier                                                                                       later
//!   | sorted |  slots: 2^shift ps each  | ...  to the end of the next block |  blocks of 1024 slots | far away |
//!   | current|  [ ][.][ ][:][ ][ ][.]     a list of nodes for each slot     |  [ : ][ :: ][ . ]     |   heap   |
//!     ^ pop     ^ a bit per slot: the next occupied one is found in O(1)       lists of chunks
//! ```
//!
//! An event is inserted once, moved once when its block comes near, and sorted among the few of its slot. What is pushed into the slot
//! in use goes to a small heap beside it. The width of the slots follows the spacing of events (see [`Load`]); since the order of events
//! is total, neither the width nor the level an event went through can be seen from outside.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::bitmap::Bitmap;
use super::event::Event;
use crate::base::time::Time;

const BLOCK_BITS: u32 = 10;
/// Slots of a block.
const BLOCK: u64 = 1 << BLOCK_BITS;
/// Slots with lists of their own: those of the block in use and of the next.
const N_SLOTS: usize = 2 * BLOCK as usize;
/// Blocks from the one in use to the last that is kept in chunks.
const N_BLOCKS: usize = 1024;
/// Events of a chunk.
const CHUNK: usize = 16;
/// No node, no chunk.
const NONE: u32 = u32::MAX;
/// The width of slots to begin with: 256 ps, a cycle of 4 GHz.
const FIRST_SHIFT: u32 = 8;
/// The widest slot: 2^50 ps, a quarter of an hour.
const LAST_SHIFT: u32 = 50;

#[derive(Clone, Copy, Debug)]
struct Node {
    event: Event,
    next: u32,
}

/// A list of chunks; all but the first are full.
#[derive(Clone, Copy, Debug)]
struct ChunkList {
    first: u32,
    /// Events in the first chunk.
    filled: u32,
}

#[derive(Clone, Debug)]
struct Chunk {
    events: [Event; CHUNK],
    next: u32,
}

/// Pending events in a timing wheel: O(1) for each.
#[derive(Clone, Debug)]
pub struct WheelQueue {
    /// log2 of a slot's picoseconds.
    shift: u32,
    /// The slot in use, counted from time zero. All events of it and of earlier ones are in `current` or `near`.
    slot: u64,
    /// Sorted, the earliest last.
    current: Vec<Event>,
    /// What was pushed into the slot in use.
    near: BinaryHeap<Reverse<Event>>,
    heads: Box<[u32; N_SLOTS]>,
    occupied_slots: Bitmap,
    nodes: Vec<Node>,
    free_node: u32,
    blocks: Box<[ChunkList; N_BLOCKS]>,
    occupied_blocks: Bitmap,
    chunks: Vec<Chunk>,
    free_chunk: u32,
    far: BinaryHeap<Reverse<Event>>,
    len: usize,
    /// When the earliest event outside `current` and `near` happens; zero where that is not known.
    beyond: Time,
    load: Load,
}

/// What shows whether slots are too wide or too narrow, since the last look.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// Slots taken into use.
    slots: u64,
    /// Events of these slots.
    events: u64,
    /// Different times of these events: what would be told apart by narrower slots.
    times: u64,
    /// Events that were not inserted into a slot's list at first.
    moved: u64,
    /// Events pushed into the slot in use beside many others.
    crowded: u64,
    /// The number of events at which to look.
    look_at: u64,
}

impl Load {
    fn new(pending: usize) -> Load {
        Load { slots: 0, events: 0, times: 0, moved: 0, crowded: 0, look_at: (4 * pending as u64).max(4096) }
    }

    /// By how many doublings slots should become wider, or narrower where negative.
    fn advice(&self) -> i32 {
        let times_per_slot = self.times / self.slots.max(1);
        if times_per_slot > 8 {
            -(((times_per_slot / 4).ilog2() + 1) as i32)
        } else if self.crowded * 4 > self.events {
            -1
        } else if self.moved * 4 > self.events && times_per_slot < 3 {
            1
        } else {
            0
        }
    }
}

impl Default for WheelQueue {
    fn default() -> WheelQueue {
        WheelQueue::new()
    }
}

impl WheelQueue {
    /// An empty queue whose slots are 256 ps wide until the spacing of events suggests another width.
    pub fn new() -> WheelQueue {
        WheelQueue {
            shift: FIRST_SHIFT,
            slot: 0,
            current: Vec::new(),
            near: BinaryHeap::new(),
            heads: Box::new([NONE; N_SLOTS]),
            occupied_slots: Bitmap::new(N_SLOTS),
            nodes: Vec::new(),
            free_node: NONE,
            blocks: Box::new([ChunkList { first: NONE, filled: 0 }; N_BLOCKS]),
            occupied_blocks: Bitmap::new(N_BLOCKS),
            chunks: Vec::new(),
            free_chunk: NONE,
            far: BinaryHeap::new(),
            len: 0,
            beyond: Time::NEVER,
            load: Load::new(0),
        }
    }

    /// The number of pending events.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is pending.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The width of a slot.
    pub fn slot_width(&self) -> Time {
        Time(1 << self.shift)
    }

    /// Adds an event.
    #[inline]
    pub fn push(&mut self, event: Event) {
        self.len += 1;
        let slot = event.time.0 >> self.shift;
        if slot <= self.slot {
            self.load.crowded += u64::from(self.near.len() >= CHUNK);
            self.near.push(Reverse(event));
            return;
        }
        self.beyond = self.beyond.min(event.time);
        if (slot >> BLOCK_BITS) - (self.slot >> BLOCK_BITS) <= 1 {
            self.insert_into_slot(slot, event);
        } else {
            self.insert_beyond_slots(slot >> BLOCK_BITS, event);
        }
    }

    /// Removes the earliest event.
    #[inline]
    pub fn pop(&mut self) -> Option<Event> {
        loop {
            if let Some(&event) = self.current.last() {
                self.len -= 1;
                if let Some(&Reverse(near)) = self.near.peek()
                    && near < event
                {
                    self.near.pop();
                    return Some(near);
                }
                self.current.pop();
                return Some(event);
            }
            if let Some(Reverse(event)) = self.near.pop() {
                self.len -= 1;
                return Some(event);
            }
            if self.len == 0 {
                return None;
            }
            self.advance();
        }
    }

    /// When the earliest event happens.
    #[inline]
    pub fn next_time(&mut self) -> Option<Time> {
        if self.len == 0 {
            return None;
        }
        let current = self.current.last().map(|event| event.time);
        let near = self.near.peek().map(|Reverse(event)| event.time);
        match (current, near) {
            (Some(current), Some(near)) => Some(current.min(near)),
            (None, None) => {
                if self.beyond == Time::ZERO {
                    self.beyond = self.earliest_beyond();
                }
                Some(self.beyond)
            }
            (current, near) => current.or(near),
        }
    }

    #[inline]
    fn insert_into_slot(&mut self, slot: u64, event: Event) {
        let index = slot as usize % N_SLOTS;
        let head = &mut self.heads[index];
        let node = Node { event, next: *head };
        if self.free_node == NONE {
            *head = self.nodes.len() as u32;
            self.nodes.push(node);
        } else {
            *head = self.free_node;
            let place = &mut self.nodes[self.free_node as usize];
            self.free_node = place.next;
            *place = node;
        }
        self.occupied_slots.set(index);
    }

    fn insert_beyond_slots(&mut self, block: u64, event: Event) {
        self.load.moved += 1;
        if block - (self.slot >> BLOCK_BITS) >= N_BLOCKS as u64 {
            self.far.push(Reverse(event));
            return;
        }
        let index = block as usize % N_BLOCKS;
        let list = &mut self.blocks[index];
        if list.first == NONE || list.filled as usize == CHUNK {
            let chunk = Chunk { events: [event; CHUNK], next: list.first };
            list.filled = 1;
            if self.free_chunk == NONE {
                list.first = self.chunks.len() as u32;
                self.chunks.push(chunk);
            } else {
                list.first = self.free_chunk;
                let place = &mut self.chunks[self.free_chunk as usize];
                self.free_chunk = place.next;
                place.next = chunk.next;
                place.events[0] = event;
            }
            self.occupied_blocks.set(index);
        } else {
            self.chunks[list.first as usize].events[list.filled as usize % CHUNK] = event;
            list.filled += 1;
        }
    }

    /// Takes the next occupied slot into use. At least one event is outside `current` and `near`, which are empty.
    fn advance(&mut self) {
        if self.load.events + self.load.crowded >= self.load.look_at {
            self.adapt();
        }
        let after = self.slot.wrapping_add(1);
        if let Some(distance) = self.occupied_slots.distance_to_next(after as usize % N_SLOTS) {
            let slot = after + distance as u64;
            let enters_block = slot >> BLOCK_BITS != self.slot >> BLOCK_BITS;
            self.slot = slot;
            self.use_slot(slot as usize % N_SLOTS);
            if enters_block {
                self.fetch_blocks();
            }
            return;
        }
        // Nothing in this block or the next: end just before the block of the next event.
        let block = self.slot >> BLOCK_BITS;
        let next = match self.occupied_blocks.distance_to_next(block as usize % N_BLOCKS) {
            Some(distance) => block + distance as u64,
            None => match self.far.peek() {
                Some(Reverse(event)) => event.time.0 >> self.shift >> BLOCK_BITS,
                None => return,
            },
        };
        self.slot = (next << BLOCK_BITS) - 1;
        self.fetch_blocks();
    }

    /// Brings nearer what has come into reach of the next levels, after `slot` entered another block.
    fn fetch_blocks(&mut self) {
        let block = self.slot >> BLOCK_BITS;
        while let Some(Reverse(event)) = self.far.peek()
            && (event.time.0 >> self.shift >> BLOCK_BITS) - block < N_BLOCKS as u64
        {
            let event = self.far.pop().expect("just seen").0;
            let slot = event.time.0 >> self.shift;
            if (slot >> BLOCK_BITS) - block <= 1 {
                self.insert_into_slot(slot, event);
            } else {
                self.insert_beyond_slots(slot >> BLOCK_BITS, event);
            }
        }
        let index = (block + 1) as usize % N_BLOCKS;
        let ChunkList { mut first, mut filled } = self.blocks[index];
        while first != NONE {
            for place in 0..filled as usize {
                let event = self.chunks[first as usize].events[place];
                self.insert_into_slot(event.time.0 >> self.shift, event);
            }
            let next = self.chunks[first as usize].next;
            self.chunks[first as usize].next = self.free_chunk;
            self.free_chunk = first;
            first = next;
            filled = CHUNK as u32;
        }
        self.blocks[index] = ChunkList { first: NONE, filled: 0 };
        self.occupied_blocks.clear(index);
    }

    /// Moves a slot's events to `current` and sorts them.
    fn use_slot(&mut self, index: usize) {
        let mut node = self.heads[index];
        self.heads[index] = NONE;
        self.occupied_slots.clear(index);
        while node != NONE {
            let Node { event, next } = self.nodes[node as usize];
            self.current.push(event);
            self.nodes[node as usize].next = self.free_node;
            self.free_node = node;
            node = next;
        }
        self.beyond = if self.len == self.current.len() { Time::NEVER } else { Time::ZERO };
        self.load.slots += 1;
        self.load.events += self.current.len() as u64;
        self.load.times += 1;
        if self.current.len() > 1 {
            self.current.sort_unstable_by(|a, b| b.cmp(a));
            self.load.times += self.current.windows(2).filter(|pair| pair[0].time != pair[1].time).count() as u64;
        }
    }

    fn earliest_beyond(&self) -> Time {
        let after = self.slot.wrapping_add(1) as usize % N_SLOTS;
        if let Some(distance) = self.occupied_slots.distance_to_next(after) {
            let mut node = self.heads[(after + distance) % N_SLOTS];
            let mut earliest = Time::NEVER;
            while node != NONE {
                earliest = earliest.min(self.nodes[node as usize].event.time);
                node = self.nodes[node as usize].next;
            }
            return earliest;
        }
        let block = (self.slot >> BLOCK_BITS) as usize % N_BLOCKS;
        if let Some(distance) = self.occupied_blocks.distance_to_next(block) {
            return self.block_events((block + distance) % N_BLOCKS).map(|event| event.time).min().unwrap_or(Time::NEVER);
        }
        self.far.peek().map_or(Time::NEVER, |Reverse(event)| event.time)
    }

    fn block_events(&self, index: usize) -> impl Iterator<Item = &Event> {
        let ChunkList { first, filled } = self.blocks[index];
        let chunks = std::iter::successors(self.chunks.get(first as usize), |chunk| self.chunks.get(chunk.next as usize));
        chunks.zip(0..).flat_map(move |(chunk, place)| &chunk.events[..if place == 0 { filled as usize } else { CHUNK }])
    }

    /// Changes the width of the slots where their load asks for it.
    fn adapt(&mut self) {
        let shift = self.shift.saturating_add_signed(self.load.advice()).min(LAST_SHIFT);
        if shift != self.shift {
            self.change_width(shift);
        }
        self.load = Load::new(self.len);
    }

    /// Inserts everything anew into slots of another width. `current` and `near` are empty.
    fn change_width(&mut self, shift: u32) {
        let mut events: Vec<Event> = std::mem::take(&mut self.far).into_iter().map(|Reverse(event)| event).collect();
        for index in 0..N_BLOCKS {
            events.extend(self.block_events(index));
            self.blocks[index] = ChunkList { first: NONE, filled: 0 };
        }
        for head in self.heads.iter_mut() {
            let mut node = std::mem::replace(head, NONE);
            while node != NONE {
                events.push(self.nodes[node as usize].event);
                node = self.nodes[node as usize].next;
            }
        }
        self.nodes.clear();
        self.free_node = NONE;
        self.chunks.clear();
        self.free_chunk = NONE;
        self.occupied_slots = Bitmap::new(N_SLOTS);
        self.occupied_blocks = Bitmap::new(N_BLOCKS);
        // All of them lie in later slots than the one in use, so its last instant is a safe beginning.
        self.slot = (self.slot << self.shift | ((1 << self.shift) - 1)) >> shift;
        self.shift = shift;
        self.len -= events.len();
        for event in events {
            self.push(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::heap::HeapQueue;
    use super::super::{Class, PartId};
    use super::*;

    /// What a schedule does next.
    #[derive(Clone, Debug)]
    enum Step {
        /// Push an event this much later than the last one popped, from and to parts of these numbers.
        Push(u64, u32, u32, bool),
        Pop(usize),
        Peek,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let delay = prop_oneof![
            3 => Just(0u64),
            6 => 0u64..300,
            6 => 0u64..200_000,
            3 => 0u64..400_000_000,
            1 => 0u64..1 << 50,
            1 => any::<u64>(),
            1 => Just(u64::MAX),
        ];
        let step = prop_oneof![
            6 => (delay, 0u32..4, 0u32..4, any::<bool>()).prop_map(|(delay, from, to, wake)| Step::Push(delay, from, to, wake)),
            4 => (1usize..4).prop_map(Step::Pop),
            1 => Just(Step::Peek),
        ];
        prop::collection::vec(step, 0..400)
    }

    /// Both queues, and the time of the last event popped.
    struct Both {
        wheel: WheelQueue,
        heap: HeapQueue,
        now: u64,
        sequence: u32,
    }

    impl Both {
        fn new() -> Both {
            Both { wheel: WheelQueue::new(), heap: HeapQueue::new(), now: 0, sequence: 0 }
        }

        fn push(&mut self, delay: u64, from: u32, to: u32, class: Class) {
            let event = Event::new(Time(self.now.saturating_add(delay)), class, PartId(to), PartId(from), self.sequence, 0);
            self.sequence += 1;
            self.wheel.push(event);
            self.heap.push(event);
        }

        fn pop(&mut self) -> bool {
            let event = self.wheel.pop();
            assert_eq!(event, self.heap.pop());
            assert_eq!(self.wheel.len(), self.heap.len());
            self.now = event.map_or(self.now, |event| event.time.0);
            event.is_some()
        }
    }

    proptest! {
        #[test]
        fn events_leave_in_the_order_of_the_heap(steps in steps()) {
            let mut both = Both::new();
            for step in steps {
                match step {
                    Step::Push(delay, from, to, wake) => both.push(delay, from, to, if wake { Class::Wake } else { Class::Arrival }),
                    Step::Pop(times) => (0..times).for_each(|_| drop(both.pop())),
                    Step::Peek => prop_assert_eq!(both.wheel.next_time(), both.heap.next_time()),
                }
            }
            while both.pop() {}
        }
    }

    /// Holds (pop one, push one) with delays up to `spread`, which makes the slots adapt.
    fn hold(both: &mut Both, holds: u32, spread: u64) {
        for hold in 0..holds {
            assert!(both.pop());
            let random = u64::from(hold).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
            both.push(random % spread, hold % 7, hold % 5, if hold % 3 == 0 { Class::Wake } else { Class::Arrival });
            if hold % 64 == 0 {
                assert_eq!(both.wheel.next_time(), both.heap.next_time());
            }
        }
    }

    #[test]
    fn the_order_holds_while_the_width_of_slots_follows_the_spacing() {
        let mut both = Both::new();
        (0..2_000).for_each(|part| both.push(u64::from(part), part, part, Class::Wake));
        let mut widths = Vec::new();
        for spread in [100, 1_000_000_000, 50_000, 1_000_000_000_000, 1] {
            hold(&mut both, 60_000, spread);
            widths.push(both.wheel.slot_width().0);
        }
        assert!(widths[0] <= 4 && widths[1] > 64 * widths[0] && widths[3] > 64 * widths[2], "{widths:?}");
        while both.pop() {}
    }

    #[test]
    fn nothing_is_allocated_once_the_queue_has_its_size() {
        let mut both = Both::new();
        (0..1_000).for_each(|part| both.push(u64::from(part) * 97, part, part, Class::Wake));
        hold(&mut both, 200_000, 100_000);
        let sizes = |wheel: &WheelQueue| {
            [wheel.nodes.capacity(), wheel.chunks.capacity(), wheel.current.capacity(), wheel.near.capacity(), wheel.far.capacity()]
        };
        let before = sizes(&both.wheel);
        hold(&mut both, 200_000, 100_000);
        assert_eq!(sizes(&both.wheel), before);
    }
}
