//! Simulated time in integer picoseconds, and clocks whose cycles begin at exact picoseconds.

use std::ops::{Add, AddAssign, Sub, SubAssign};

use serde::{Deserialize, Serialize};

/// Picoseconds in a second.
pub const PICOSECONDS_PER_SECOND: u64 = 1_000_000_000_000;

/// An instant of simulated time, or a stretch of it, in picoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    /// The beginning of a run.
    pub const ZERO: Time = Time(0);
    /// Later than anything that can happen.
    pub const NEVER: Time = Time(u64::MAX);

    /// The picoseconds as a plain number.
    #[inline]
    pub fn picoseconds(self) -> u64 {
        self.0
    }

    /// The same stretch of time in seconds.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / PICOSECONDS_PER_SECOND as f64
    }

    /// `self - other`, or zero where `other` is later.
    #[inline]
    pub fn saturating_sub(self, other: Time) -> Time {
        Time(self.0.saturating_sub(other.0))
    }

    /// `self + other`, or [`Time::NEVER`] where the sum is out of range.
    #[inline]
    pub fn saturating_add(self, other: Time) -> Time {
        Time(self.0.saturating_add(other.0))
    }
}

impl Add for Time {
    type Output = Time;
    #[inline]
    fn add(self, other: Time) -> Time {
        Time(self.0 + other.0)
    }
}

impl AddAssign for Time {
    #[inline]
    fn add_assign(&mut self, other: Time) {
        self.0 += other.0;
    }
}

impl Sub for Time {
    type Output = Time;
    #[inline]
    fn sub(self, other: Time) -> Time {
        Time(self.0 - other.0)
    }
}

impl SubAssign for Time {
    #[inline]
    fn sub_assign(&mut self, other: Time) {
        self.0 -= other.0;
    }
}

/// A clock of a rational frequency. Cycle `k` begins at `floor(k * 10^12 / f)` picoseconds, so a clock never drifts, however
/// long the run: 3 GHz has cycles of 333, 333 and 334 ps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// 10^12 * denominator of the frequency in Hz, divided by the greatest common divisor with `hertz`.
    picoseconds: u64,
    /// Numerator of the frequency in Hz, likewise reduced: `hertz` cycles last `picoseconds` ps.
    hertz: u64,
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

impl Clock {
    /// A clock of `numerator / denominator` Hz, or `None` where that is zero, above 1 THz (a cycle shorter than a picosecond),
    /// or the fraction needs more than 64 bits.
    pub fn from_hertz(numerator: u64, denominator: u64) -> Option<Clock> {
        let picoseconds = PICOSECONDS_PER_SECOND.checked_mul(denominator)?;
        if numerator == 0 || denominator == 0 || picoseconds < numerator {
            return None;
        }
        let divisor = greatest_common_divisor(picoseconds, numerator);
        Some(Clock { picoseconds: picoseconds / divisor, hertz: numerator / divisor })
    }

    /// The frequency in Hz.
    pub fn hertz(self) -> f64 {
        self.hertz as f64 * PICOSECONDS_PER_SECOND as f64 / self.picoseconds as f64
    }

    /// The instant at which cycle `k` begins.
    #[inline]
    pub fn edge(self, k: u64) -> Time {
        if self.hertz == 1 {
            return Time(k.saturating_mul(self.picoseconds));
        }
        match k.checked_mul(self.picoseconds) {
            Some(product) => Time(product / self.hertz),
            None => {
                let wide = u128::from(k) * u128::from(self.picoseconds) / u128::from(self.hertz);
                Time(u64::try_from(wide).unwrap_or(u64::MAX))
            }
        }
    }

    /// The first cycle that begins at `time` or later.
    #[inline]
    pub fn cycle_at_or_after(self, time: Time) -> u64 {
        let floor = self.cycle_at(time);
        if self.edge(floor) == time { floor } else { floor + 1 }
    }

    /// The first cycle that begins at `time` or later, and when it begins.
    #[inline]
    pub fn first_edge(self, time: Time) -> (u64, Time) {
        let floor = self.cycle_at(time);
        let edge = self.edge(floor);
        if edge == time { (floor, edge) } else { (floor + 1, self.edge(floor + 1)) }
    }

    /// The cycle that `time` lies in.
    #[inline]
    pub fn cycle_at(self, time: Time) -> u64 {
        // The largest k with floor(k * p / h) <= t, that is k * p < (t + 1) * h.
        let scaled = u128::from(time.0) + 1;
        if let (Ok(next), true) = (u64::try_from(scaled), self.hertz < 1 << 20)
            && let Some(product) = next.checked_mul(self.hertz)
        {
            return (product - 1) / self.picoseconds;
        }
        ((scaled * u128::from(self.hertz) - 1) / u128::from(self.picoseconds)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_of_three_gigahertz_begin_at_exact_floors() {
        let clock = Clock::from_hertz(3_000_000_000, 1).unwrap();
        let edges: Vec<u64> = (0..7).map(|k| clock.edge(k).0).collect();
        assert_eq!(edges, [0, 333, 666, 1000, 1333, 1666, 2000]);
        assert_eq!(clock.edge(3_000_000_000_000), Time(1_000_000_000_000_000));
    }

    #[test]
    fn cycle_and_edge_are_inverse() {
        for hertz in [1, 7, 1_300_000_000, 2_600_000_000, 3_000_000_000, 999_999_937, 1_000_000_000_000] {
            let clock = Clock::from_hertz(hertz, 1).unwrap();
            for k in (0..2000).chain((0..60).map(|bit| (1u64 << bit) / 1_000_000)) {
                let edge = clock.edge(k);
                if clock.edge(k + 1) == Time::NEVER {
                    break;
                }
                assert_eq!(clock.cycle_at(edge), k, "{hertz} Hz, cycle {k}");
                assert_eq!(clock.cycle_at_or_after(edge), k);
                assert_eq!(clock.first_edge(edge), (k, edge));
                if clock.edge(k + 1).0 > edge.0 + 1 {
                    assert_eq!(clock.cycle_at(Time(edge.0 + 1)), k);
                    assert_eq!(clock.cycle_at_or_after(Time(edge.0 + 1)), k + 1);
                    assert_eq!(clock.first_edge(Time(edge.0 + 1)), (k + 1, clock.edge(k + 1)));
                }
            }
        }
    }

    #[test]
    fn impossible_clocks_are_refused() {
        assert_eq!(Clock::from_hertz(0, 1), None);
        assert_eq!(Clock::from_hertz(1, 0), None);
        assert_eq!(Clock::from_hertz(2_000_000_000_000, 1), None);
    }
}
