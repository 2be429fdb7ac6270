//! Places in the window and its queues, and how many operations pass in a cycle.

use super::UNKNOWN;

/// Places that are taken in order and given back in order, at cycles that may not be known yet.
#[derive(Clone, Debug)]
pub(super) struct Places {
    n_places: u64,
    /// When the place taken as a number was given back, by the number modulo the length, a power of two.
    free: Box<[u64]>,
    /// How many have been taken, and given back.
    taken: u64,
    released: u64,
}

impl Places {
    pub fn new(places: u32) -> Places {
        let free = vec![0; (places as usize).next_power_of_two()].into();
        Places { n_places: u64::from(places), free, taken: 0, released: 0 }
    }

    /// The oldest number that is taken, or the next where none is.
    #[inline]
    pub fn oldest(&self) -> u64 {
        self.released
    }

    /// The number that is taken next.
    #[inline]
    pub fn newest(&self) -> u64 {
        self.taken
    }

    /// The cycle from which the next place can be taken; [`UNKNOWN`] where that is not known.
    #[inline]
    pub fn next(&self) -> u64 {
        if self.taken - self.released == self.n_places {
            return UNKNOWN;
        }
        // The first places have been free since cycle 0.
        self.free[self.taken.wrapping_sub(self.n_places) as usize & (self.free.len() - 1)]
    }

    #[inline]
    pub fn take(&mut self) -> u64 {
        self.taken += 1;
        self.taken - 1
    }

    /// Gives the oldest one back.
    #[inline]
    pub fn release(&mut self, cycle: u64) {
        let place = self.released as usize & (self.free.len() - 1);
        self.free[place] = cycle;
        self.released += 1;
    }
}

/// So many a cycle, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub cycle: u64,
    count: u32,
}

impl Pace {
    /// None has passed in a cycle.
    pub fn from(cycle: u64) -> Pace {
        Pace { cycle, count: 0 }
    }

    #[inline]
    pub fn take(&mut self, earliest: u64, width: u32) -> u64 {
        if earliest > self.cycle {
            *self = Pace { cycle: earliest, count: 1 };
        } else if self.count == width {
            *self = Pace { cycle: self.cycle + 1, count: 1 };
        } else {
            self.count += 1;
        }
        self.cycle
    }
}
