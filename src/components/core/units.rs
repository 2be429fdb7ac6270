//! Functional units of one class: how many there are, and in which cycles they are taken.

/// As many cycles are kept track of; an operation that starts later than that finds a unit free.
const HORIZON: usize = 1024;

/// The units of one class.
#[derive(Clone, Debug)]
pub struct Units {
    n_units: u64,
    /// Cycles between two starts in one unit.
    interval: u64,
    /// By cycle modulo [`HORIZON`]: `cycle << 8 | units taken in it`. A word of another cycle says that all are free.
    taken: Box<[u64; HORIZON]>,
}

impl Units {
    /// Free units; 0 of them means any number.
    pub fn new(n_units: u8, interval: u64) -> Units {
        Units { n_units: u64::from(n_units), interval: interval.max(1), taken: Box::new([0; HORIZON]) }
    }

    /// Bytes of the host's memory they take.
    pub fn footprint(&self) -> usize {
        std::mem::size_of_val(&*self.taken)
    }

    /// How many units are taken in a cycle; more than there can be where its word is another's.
    #[inline]
    fn count(&self, cycle: u64) -> u64 {
        self.taken[cycle as usize % HORIZON].wrapping_sub(cycle << 8)
    }

    /// Whether every unit is taken in a cycle.
    #[inline]
    fn is_full(&self, cycle: u64) -> bool {
        self.count(cycle) == self.n_units
    }

    #[inline]
    fn take(&mut self, cycle: u64) {
        let count = self.count(cycle);
        self.taken[cycle as usize % HORIZON] = cycle << 8 | if count < self.n_units { count + 1 } else { 1 };
    }

    /// Takes a unit from the first cycle on in which one is free for as long as it is needed. Returns that cycle.
    #[inline]
    pub fn start(&mut self, wanted: u64) -> u64 {
        if self.n_units == 0 {
            return wanted;
        }
        let mut cycle = wanted;
        if self.interval == 1 {
            while self.is_full(cycle) {
                cycle += 1;
            }
            self.take(cycle);
            return cycle;
        }
        while let Some(later) = (0..self.interval).find(|later| self.is_full(cycle + later)) {
            cycle += later + 1;
        }
        for later in 0..self.interval {
            self.take(cycle + later);
        }
        cycle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipelined_units_start_one_operation_a_cycle_each() {
        let mut units = Units::new(2, 1);
        assert_eq!([10, 10, 10, 10, 10].map(|wanted| units.start(wanted)), [10, 10, 11, 11, 12]);
        assert_eq!(units.start(3), 3, "an operation that is ready earlier is not kept by one that comes later");
    }

    #[test]
    fn a_divider_is_taken_for_its_interval() {
        let mut units = Units::new(1, 4);
        assert_eq!([0, 0, 1, 20, 14].map(|wanted| units.start(wanted)), [0, 4, 8, 20, 14]);
        assert_eq!(units.start(17), 24, "no four free cycles before");
    }

    #[test]
    fn any_number_of_units_never_wait() {
        let mut units = Units::new(0, 9);
        assert_eq!([7, 7, 7].map(|wanted| units.start(wanted)), [7, 7, 7]);
    }
}
