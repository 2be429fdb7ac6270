//! The event queue: a timing wheel of two levels with an overflow heap.
//!
//! Wheels are Varghese and Lauck's ("Hashed and Hierarchical Timing Wheels", SOSP 1987); the slot in use is kept sorted, as in Brown's
//! calendar queue (CACM 31(10), 1988), so that events leave in their total order and not merely by slot.
//!
//! ```text
//!    earlier                                                                                       later
//!   | sorted |  slots: 2^shift ps each  | ...  to the end of the next block |  blocks of 2048 slots | far away |
//!   | current|  [ ][.][ ][:][ ][ ][.]     a list of events for each slot    |  [ : ][ :: ][ . ]     |   heap   |
//!     ^ pop     ^ a bit per slot: the next occupied one is found in O(1)       a list for each
//! ```
//!
//! An event is inserted once, moved once when its block comes near, and sorted among the few of its slot. What is pushed into the slot
//! in use goes to a small heap beside it. The width of the slots follows the spacing of events (see `Load`); since the order of events
//! is total, neither the width nor the level an event went through can be seen from outside.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::event::Event;
use super::lists::Lists;
use crate::base::time::Time;

const BLOCK_BITS: u32 = 11;
/// A list for each slot of the block in use and of the next.
type Slots = Lists<64, 2>;
/// A list for each of so many blocks, from the one in use on.
type Blocks = Lists<64, 32>;
const N_BLOCKS: u64 = 4096;
/// The width of slots to begin with: 256 ps, a cycle of 4 GHz.
const FIRST_SHIFT: u32 = 8;
/// The widest slot: 2^50 ps, a quarter of an hour.
const LAST_SHIFT: u32 = 50;
/// So many events beside the slot in use are a crowd.
const CROWD: usize = 16;

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
    slots: Slots,
    blocks: Blocks,
    far: BinaryHeap<Reverse<Event>>,
    len: usize,
    /// When the earliest event outside `current` and `near` happens; zero where that is not known.
    beyond: Time,
    load: Load,
}

/// What shows whether slots are too wide or too narrow, since the last look.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// The number of events after which to look.
    period: i64,
    /// How many of them are left.
    left: i64,
    /// Slots of several events that were taken into use.
    shared_slots: i64,
    /// Events of these slots.
    shared_events: i64,
    /// Different times of these events: what narrower slots would tell apart.
    shared_times: i64,
    /// Events that were too far away for a slot at first.
    moved: i64,
    /// Those of them that were too far away even for a block.
    far: i64,
    /// Events pushed into the slot in use beside many others.
    crowded: i64,
}

impl Load {
    fn new(pending: usize) -> Load {
        let period = (4 * pending as i64).max(4096);
        Load { period, left: period, shared_slots: 0, shared_events: 0, shared_times: 0, moved: 0, far: 0, crowded: 0 }
    }

    /// Counts a slot of several events, sorted.
    #[inline]
    fn add_shared(&mut self, events: &[Event]) {
        let n_times = 1 + events.windows(2).filter(|pair| pair[0].time != pair[1].time).count();
        self.left -= events.len() as i64;
        self.shared_slots += 1;
        self.shared_events += events.len() as i64;
        self.shared_times += n_times as i64;
    }

    /// By how many doublings slots should become wider, or narrower where negative.
    ///
    /// Narrow slots hold one event each, which is taken without sorting and without mispredicted branches. Moving an event from its
    /// block to its slot costs less than that, the heap of far events costs more.
    fn advice(&self) -> i32 {
        let Load { shared_slots, shared_events, shared_times, moved, far, crowded, .. } = *self;
        let events = (self.period - self.left).max(1);
        let slots = (events - shared_events + shared_slots).max(1);
        let times = events - shared_events + shared_times;
        if times > 8 * slots {
            -((times / slots).ilog2() as i32)
        } else if far * 16 > events {
            1
        } else if far * 512 < events && (times * 12 > slots * 13 || crowded * 4 > events) {
            -1
        } else if moved * 2 > events && events * 100 < slots * 101 {
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
            slots: Lists::new(),
            blocks: Lists::new(),
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
            if self.near.len() >= CROWD {
                self.load.crowded += 1;
                self.load.left -= 1;
            }
            self.near.push(Reverse(event));
            return;
        }
        self.beyond = self.beyond.min(event.time);
        if (slot >> BLOCK_BITS) - (self.slot >> BLOCK_BITS) <= 1 {
            self.slots.push(Slots::place(slot), event);
        } else {
            self.push_beyond_slots(slot >> BLOCK_BITS, event);
        }
    }

    #[inline]
    fn push_beyond_slots(&mut self, block: u64, event: Event) {
        self.load.moved += 1;
        if block - (self.slot >> BLOCK_BITS) < N_BLOCKS {
            self.blocks.push(Blocks::place(block), event);
        } else {
            self.load.far += 1;
            self.far.push(Reverse(event));
        }
    }

    /// Removes the earliest event.
    #[inline]
    pub fn pop(&mut self) -> Option<Event> {
        if self.current.is_empty() && self.near.is_empty() {
            return self.pop_from_next_slot();
        }
        let earlier_in_near = match (self.current.last(), self.near.peek()) {
            (Some(current), Some(Reverse(near))) => near < current,
            (current, _) => current.is_none(),
        };
        self.len -= 1;
        if earlier_in_near { self.near.pop().map(|Reverse(event)| event) } else { self.current.pop() }
    }

    /// Takes the next slot that holds anything into use and removes its earliest event. `current` and `near` are empty.
    #[inline]
    fn pop_from_next_slot(&mut self) -> Option<Event> {
        if self.len == 0 {
            return None;
        }
        if self.load.left <= 0 {
            self.adapt();
            // Wider slots may have brought events into the slot in use.
            return self.pop();
        }
        let slot = self.next_slot();
        let enters_block = slot >> BLOCK_BITS != self.slot >> BLOCK_BITS;
        self.slot = slot;
        self.len -= 1;
        self.beyond = if self.len == 0 { Time::NEVER } else { Time::ZERO };
        let event = match self.slots.take_only(Slots::place(slot)) {
            Some(event) => {
                self.load.left -= 1;
                Some(event)
            }
            None => {
                self.sort_slot();
                self.current.pop()
            }
        };
        if enters_block {
            self.fetch_blocks();
        }
        event
    }

    /// When the earliest event happens.
    #[inline]
    pub fn next_time(&mut self) -> Option<Time> {
        let current = self.current.last().map(|event| event.time);
        let near = self.near.peek().map(|Reverse(event)| event.time);
        match (current, near) {
            (Some(current), Some(near)) => Some(current.min(near)),
            (None, None) if self.len == 0 => None,
            (None, None) => {
                if self.beyond == Time::ZERO {
                    self.beyond = self.earliest_beyond();
                }
                Some(self.beyond)
            }
            (current, near) => current.or(near),
        }
    }

    fn earliest_beyond(&self) -> Time {
        let after = Slots::place(self.slot.wrapping_add(1));
        if let Some(distance) = self.slots.distance_to_occupied(after) {
            return self.slots.earliest(Slots::place((after + distance) as u64)).unwrap_or(Time::NEVER);
        }
        let block = Blocks::place(self.slot >> BLOCK_BITS);
        if let Some(distance) = self.blocks.distance_to_occupied(block) {
            return self.blocks.earliest(Blocks::place((block + distance) as u64)).unwrap_or(Time::NEVER);
        }
        self.far.peek().map_or(Time::NEVER, |Reverse(event)| event.time)
    }

    /// The next slot that holds anything: there is one, outside `current` and `near`.
    #[inline]
    fn next_slot(&mut self) -> u64 {
        loop {
            let after = self.slot.wrapping_add(1);
            if let Some(distance) = self.slots.distance_to_occupied(Slots::place(after)) {
                return after + distance as u64;
            }
            self.skip_blocks();
        }
    }

    /// Where nothing is in this block or the next, goes to the end of the block before that of the next event.
    fn skip_blocks(&mut self) {
        let block = self.slot >> BLOCK_BITS;
        let next = match self.blocks.distance_to_occupied(Blocks::place(block)) {
            Some(distance) => block + distance as u64,
            None => {
                let Reverse(event) = self.far.peek().expect("an event is in a slot, in a block, or far away");
                event.time.0 >> self.shift >> BLOCK_BITS
            }
        };
        self.slot = (next << BLOCK_BITS) - 1;
        self.fetch_blocks();
    }

    /// Moves the events of the slot in use to `current` and sorts them.
    fn sort_slot(&mut self) {
        let current = &mut self.current;
        self.slots.drain(Slots::place(self.slot), |events| events.iter().for_each(|&event| current.push(event)));
        match current.as_mut_slice() {
            [first, second] => {
                if first < second {
                    std::mem::swap(first, second);
                }
            }
            several => several.sort_unstable_by(|a, b| b.cmp(a)),
        }
        self.load.add_shared(current);
    }

    /// Brings nearer what has come into reach of the next level, after the slot in use entered another block.
    fn fetch_blocks(&mut self) {
        let block = self.slot >> BLOCK_BITS;
        while let Some(Reverse(event)) = self.far.peek()
            && (event.time.0 >> self.shift >> BLOCK_BITS) - block < N_BLOCKS
        {
            let Some(Reverse(event)) = self.far.pop() else { break };
            let slot = event.time.0 >> self.shift;
            if (slot >> BLOCK_BITS) - block <= 1 {
                self.slots.push(Slots::place(slot), event);
            } else {
                self.push_beyond_slots(slot >> BLOCK_BITS, event);
            }
        }
        let (slots, shift) = (&mut self.slots, self.shift);
        self.blocks.drain(Blocks::place(block + 1), |events| {
            for &event in events {
                slots.push(Slots::place(event.time.0 >> shift), event);
            }
        });
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
        let mut events: Vec<Event> = self.far.drain().map(|Reverse(event)| event).collect();
        self.slots.drain_all(&mut events);
        self.blocks.drain_all(&mut events);
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
                    Step::Pop(times) => {
                        (0..times).for_each(|_| { both.pop(); });
                    }
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
        assert!(widths[0] < 256 && widths[1] > 16 * widths[0] && widths[2] < widths[1] && widths[3] > 16 * widths[2], "{widths:?}");
        while both.pop() {}
    }

    #[test]
    fn the_width_of_slots_settles() {
        for spread in [100, 5_000, 100_000, 10_000_000] {
            let mut both = Both::new();
            (0..1_000).for_each(|part| both.push(u64::from(part), part, part, Class::Wake));
            hold(&mut both, 100_000, spread);
            let settled = both.wheel.slot_width();
            for _ in 0..10 {
                hold(&mut both, 4_096, spread);
                assert_eq!(both.wheel.slot_width(), settled, "increments up to {spread} ps");
            }
        }
    }

    #[test]
    fn nothing_is_allocated_once_the_queue_has_its_size() {
        let mut both = Both::new();
        (0..1_000).for_each(|part| both.push(u64::from(part) * 97, part, part, Class::Wake));
        hold(&mut both, 200_000, 100_000);
        let sizes = |wheel: &WheelQueue| {
            [wheel.slots.capacity(), wheel.blocks.capacity(), wheel.current.capacity(), wheel.near.capacity(), wheel.far.capacity()]
        };
        let before = sizes(&both.wheel);
        hold(&mut both, 200_000, 100_000);
        assert_eq!(sizes(&both.wheel), before);
    }
}
