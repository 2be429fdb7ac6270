//! How busy something was over time, in bounded space: stretches of equal length that double when the run outgrows them.

use crate::base::time::Time;

/// Stretches kept at most.
const STRETCHES: usize = 2048;

/// Services: how many, their bytes, the time they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    pub services: u64,
    pub bytes: u64,
    pub busy: Time,
}

/// Services as they begin and end, so that the figures of an instant that has just passed can be had: the end of a phase is known only
/// a little later.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Those that ended long enough ago.
    settled: Served,
    /// The others, and up to [`BATCH`] that wait to be settled: begin, end, bytes.
    recent: Vec<(Time, Time, u64)>,
    /// As long as `recent` may grow.
    limit: usize,
    /// How long is long enough.
    memory: Time,
    /// The end of the service that ends last.
    end: Time,
    utilisation: Utilisation,
}

/// Services are settled so many at a time.
const BATCH: usize = 64;

impl Ledger {
    /// Nothing yet, from an instant on. Figures can be had of instants up to `memory` ago.
    pub fn new(begin: Time, memory: Time) -> Ledger {
        Ledger {
            settled: Served::default(),
            recent: Vec::new(),
            limit: BATCH,
            memory,
            end: begin,
            utilisation: Utilisation::new(begin),
        }
    }

    /// A service from one instant to another, entered `now`.
    #[inline]
    pub fn enter(&mut self, from: Time, to: Time, bytes: u64, now: Time) {
        if self.recent.len() >= self.limit {
            self.settle(now);
        }
        self.end = self.end.max(to);
        self.recent.push((from, to, bytes));
    }

    /// The end of the service that ends last.
    pub fn end(&self) -> Time {
        self.end
    }

    fn settle(&mut self, now: Time) {
        let (settled, utilisation, memory) = (&mut self.settled, &mut self.utilisation, self.memory);
        self.recent.retain(|&(from, to, bytes)| {
            let keep = to.saturating_add(memory) >= now;
            if !keep {
                utilisation.add(from, to);
                settled.services += 1;
                settled.bytes += bytes;
                settled.busy += to - from;
            }
            keep
        });
        self.limit = self.recent.len() + BATCH;
    }

    /// The services that ended up to an instant; one in progress counts with its time so far.
    pub fn until(&self, instant: Time) -> Served {
        let mut served = self.settled;
        for &(from, to, bytes) in &self.recent {
            let over = to <= instant;
            served.services += u64::from(over);
            served.bytes += if over { bytes } else { 0 };
            served.busy += to.min(instant).saturating_sub(from);
        }
        served
    }

    /// The busy share of equally long stretches up to an instant: [`Utilisation::shares`].
    pub fn shares(&self, end: Time, n: usize, width: u32) -> Vec<f64> {
        let mut utilisation = self.utilisation.clone();
        for &(from, to, _) in &self.recent {
            utilisation.add(from, to);
        }
        utilisation.shares(end, n, width)
    }
}

/// Busy time by stretch of the run.
#[derive(Clone, Debug)]
pub struct Utilisation {
    begin: Time,
    /// A stretch is 2 to the power of this many picoseconds long.
    shift: u32,
    busy: Vec<u64>,
}

impl Utilisation {
    /// Nothing yet, from an instant on.
    pub fn new(begin: Time) -> Utilisation {
        Utilisation { begin, shift: 10, busy: Vec::new() }
    }

    /// It was busy from one instant to another. Several things of a kind may be busy at once.
    pub fn add(&mut self, from: Time, to: Time) {
        let (mut at, end) = (from.saturating_sub(self.begin).0, to.saturating_sub(self.begin).0);
        while end >> self.shift >= STRETCHES as u64 {
            self.double();
        }
        while at < end {
            let number = (at >> self.shift) as usize;
            let until = end.min((number as u64 + 1) << self.shift);
            if self.busy.len() <= number {
                self.busy.resize(number + 1, 0);
            }
            self.busy[number] += until - at;
            at = until;
        }
    }

    fn double(&mut self) {
        self.busy = self.busy.chunks(2).map(|pair| pair.iter().sum()).collect();
        self.shift += 1;
    }

    /// The busy share of each of `n` equally long stretches up to `end`, where `width` things can be busy at once. What a stretch kept
    /// here shares with two of those is dealt by length.
    pub fn shares(&self, end: Time, n: usize, width: u32) -> Vec<f64> {
        let length = end.saturating_sub(self.begin).0 as f64 / n as f64;
        let mut shares = vec![0.0; n];
        if length <= 0.0 {
            return shares;
        }
        for (number, &busy) in self.busy.iter().enumerate() {
            let stretch = (1_u64 << self.shift) as f64;
            let (from, to) = (number as f64 * stretch, (number + 1) as f64 * stretch);
            let (first, last) = ((from / length) as usize, (to / length) as usize);
            for (slot, share) in shares.iter_mut().enumerate().take(last + 1).skip(first) {
                let overlap = to.min((slot + 1) as f64 * length) - from.max(slot as f64 * length);
                *share += busy as f64 * overlap.max(0.0) / (to - from);
            }
        }
        for share in &mut shares {
            *share = (*share / (length * f64::from(width))).min(1.0);
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_knows_the_figures_of_an_instant_that_has_passed() {
        let mut ledger = Ledger::new(Time(0), Time(50));
        for k in 0..1000 {
            ledger.enter(Time(10 * k), Time(10 * k + 8), 64, Time(10 * k + 8));
        }
        assert_eq!(ledger.until(Time::NEVER), Served { services: 1000, bytes: 64_000, busy: Time(8000) });
        assert_eq!(ledger.until(Time(9974)), Served { services: 997, bytes: 997 * 64, busy: Time(997 * 8 + 4) });
        assert!(ledger.recent.len() < 2 * BATCH);
    }

    #[test]
    fn shares_keep_their_sum_through_doubling() {
        let mut use_of_bus = Utilisation::new(Time(5_000));
        for k in 0..10_000_u64 {
            use_of_bus.add(Time(5_000 + k * 1000), Time(5_000 + k * 1000 + 250));
        }
        let shares = use_of_bus.shares(Time(5_000 + 10_000_000), 50, 1);
        assert_eq!(shares.len(), 50);
        assert!(shares.iter().all(|share| (share - 0.25).abs() < 0.01), "{shares:?}");
    }
}
