//! Stores of the window and of its store buffer: from dispatch until the cache has them, oldest first.

use std::collections::VecDeque;

use super::UNKNOWN;
use crate::base::address::Address;
use crate::components::owner::Timeline;

/// A store from dispatch until the cache has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Store {
    pub address: Address,
    /// Number of the instruction.
    pub instruction: u32,
    /// Of the program's text.
    pub line: u32,
    /// The operation's number.
    pub id: u64,
    /// Cycle at which a load can take its value; [`UNKNOWN`] before address and data are there.
    pub ready: u64,
    /// Cycle at which the cache has it.
    performed: u64,
    /// It is looked up when it is the oldest, and has not been yet.
    waits_for_older: bool,
    is_synchronising: bool,
}

impl Store {
    /// A store whose address and data are not there yet.
    pub fn new(address: Address, instruction: u32, line: u32, id: u64) -> Store {
        Store {
            address,
            instruction,
            line,
            id,
            ready: UNKNOWN,
            performed: UNKNOWN,
            waits_for_older: false,
            is_synchronising: false,
        }
    }

    /// A synchronising store that has a place in the buffer from a cycle on.
    pub fn synchronising(address: Address, instruction: u32, line: u32, cycle: u64) -> Store {
        let store = Store::new(address, instruction, line, 0);
        Store { ready: cycle, waits_for_older: true, is_synchronising: true, ..store }
    }
}

/// Buckets of the filter that says whether any store could be to an address.
const BUCKETS: usize = 256;

fn bucket(address: Address) -> usize {
    (address >> 2) as usize % BUCKETS
}

/// Stores that the cache has not got yet.
#[derive(Clone, Debug)]
pub(super) struct Stores {
    /// The first is number `first`.
    pending: VecDeque<Store>,
    first: u64,
    /// The timeline of each, where its line had to be asked for.
    timelines: VecDeque<Option<Box<Timeline>>>,
    filter: Box<[u16; BUCKETS]>,
    /// Cycle at which the last store left the buffer, and its timeline, where it missed.
    pub last_left: u64,
    pub last_timeline: Option<Box<Timeline>>,
    /// Its source line, where it was a synchronising one.
    pub last_synchronising: Option<u32>,
}

impl Stores {
    pub fn new() -> Stores {
        Stores {
            pending: VecDeque::new(),
            first: 0,
            timelines: VecDeque::new(),
            filter: Box::new([0; BUCKETS]),
            last_left: 0,
            last_timeline: None,
            last_synchronising: None,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The oldest one.
    pub fn oldest(&self) -> Option<&Store> {
        self.pending.front()
    }

    #[inline]
    pub fn get(&self, number: u64) -> &Store {
        &self.pending[(number - self.first) as usize]
    }

    /// A store is dispatched.
    #[inline]
    pub fn push(&mut self, store: Store) {
        self.filter[bucket(store.address)] += 1;
        self.pending.push_back(store);
        self.timelines.push_back(None);
    }

    /// The youngest store to an address.
    #[inline]
    pub fn youngest(&self, address: Address) -> Option<&Store> {
        if self.filter[bucket(address)] == 0 {
            return None;
        }
        self.pending.iter().rev().find(|store| store.address == address)
    }

    /// A store has its data and its address at a cycle.
    #[inline]
    pub fn is_ready(&mut self, number: u64, cycle: u64) {
        self.pending[(number - self.first) as usize].ready = cycle;
    }

    /// The oldest store, where it is a synchronising one that has waited for that: its number, and the cycle of its lookup.
    pub fn next_synchronising(&mut self) -> Option<(u64, u64)> {
        let store = self.pending.front_mut().filter(|store| store.waits_for_older)?;
        store.waits_for_older = false;
        Some((self.first, store.ready.max(self.last_left)))
    }

    /// The cache has a store at a cycle. Stores leave in order: `left` is told the cycle of each that does.
    pub fn perform(&mut self, number: u64, cycle: u64, timeline: Option<&Timeline>, mut left: impl FnMut(u64)) {
        let index = (number - self.first) as usize;
        self.pending[index].performed = cycle;
        self.timelines[index] = timeline.map(|timeline| Box::new(*timeline));
        while let Some(store) = self.pending.front()
            && store.performed != UNKNOWN
        {
            self.last_left = self.last_left.max(store.performed);
            left(self.last_left);
            self.filter[bucket(store.address)] -= 1;
            self.last_synchronising = store.is_synchronising.then_some(store.line);
            self.first += 1;
            self.pending.pop_front();
            self.last_timeline = self.timelines.pop_front().flatten();
        }
    }
}
