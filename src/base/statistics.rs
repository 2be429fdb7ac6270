//! Summaries of many numbers in little space: mean and variance, quantiles, histograms, and how busy a part was over time.

use serde::{Deserialize, Serialize};

use super::time::Time;

/// The 64-bit FNV-1a hash (Fowler, Noll, Vo): the same on every host, for names and checksums, not against an adversary.
pub fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Count, mean and variance of numbers that are seen once each and not kept: Welford's recurrence (Technometrics 4(3), 1962; Knuth,
/// TAOCP volume 2, section 4.2.2), which does not cancel as the sum of squares does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Takes one more number into account.
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        let deviation = value - self.mean;
        self.mean += deviation / self.count as f64;
        self.squares += deviation * (value - self.mean);
    }

    /// How many numbers there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their arithmetic mean; 0 of none.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The unbiased variance of what they were drawn from (division by count - 1); 0 of fewer than two.
    pub fn variance(&self) -> f64 {
        if self.count < 2 { 0.0 } else { self.squares / (self.count - 1) as f64 }
    }

    /// The square root of the variance.
    pub fn standard_deviation(&self) -> f64 {
        self.variance().sqrt()
    }
}

/// The quantile `q` (0 to 1) of samples sorted in ascending order, `None` of no samples. Between neighbours it interpolates linearly at
/// `(n - 1) * q`: type 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50(4), 1996.
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = last as f64 * q.clamp(0.0, 1.0);
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64))
}

/// The median of samples in any order, `None` of no samples.
pub fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

/// Counts of integers by the power of two they reach: bucket 0 counts zeros, bucket `b` the values from 2^(b-1) to below 2^b.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log2Histogram {
    /// Up to the highest bucket that counts anything.
    buckets: Vec<u64>,
    count: u64,
    sum: u128,
    largest: u64,
}

impl Log2Histogram {
    /// Counts one more value.
    #[inline]
    pub fn add(&mut self, value: u64) {
        let bucket = (u64::BITS - value.leading_zeros()) as usize;
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.sum += u128::from(value);
        self.largest = self.largest.max(value);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of the values, exact.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The largest value; 0 of none.
    pub fn largest(&self) -> u64 {
        self.largest
    }

    /// The arithmetic mean; 0 of none.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The buckets in ascending order, empty ones included: smallest value, largest value, count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        self.buckets.iter().zip(0u32..).map(|(&count, bucket)| {
            let (low, high) = bucket_range(bucket);
            (low, high.min(self.largest), count)
        })
    }

    /// A value that at least the share `q` (0 to 1) of all values does not exceed: the upper end of its bucket, so less than twice too
    /// large. `None` of no values.
    pub fn quantile_bound(&self, q: f64) -> Option<u64> {
        let wanted = ((self.count as f64 * q.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut seen = 0;
        self.buckets().find_map(|(_, high, count)| {
            seen += count;
            (seen >= wanted && count > 0).then_some(high)
        })
    }
}

/// The smallest and the largest value of a bucket.
fn bucket_range(bucket: u32) -> (u64, u64) {
    match bucket {
        0 => (0, 0),
        64 => (1 << 63, u64::MAX),
        _ => (1 << (bucket - 1), (1 << bucket) - 1),
    }
}

/// How long a part was busy in each of at most `capacity` stretches of equal width that cover a run of any length. When the run
/// outgrows them, neighbours are added together and the width doubles; busy time is exact throughout.
///
/// ```text
///   width 1   |#.|##|.#|..|          busy 1 2 1 0, and now time goes on ...
///   width 2   |#.##|.#..|    |    |  busy 3 1
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusyTimeline {
    capacity: usize,
    width_ps: u64,
    busy_ps: Vec<u64>,
}

impl BusyTimeline {
    /// A timeline of at most `capacity` buckets (at least 2), at first one picosecond wide.
    pub fn new(capacity: usize) -> BusyTimeline {
        BusyTimeline { capacity: capacity.max(2), width_ps: 1, busy_ps: Vec::new() }
    }

    /// Adds the stretch from `from` to before `to`, nothing where `to` is not later. Stretches may come in any order; where they
    /// overlap, as those of a part with several servers do, a bucket can be busier than its width.
    pub fn add(&mut self, from: Time, to: Time) {
        if to <= from {
            return;
        }
        let (from, to) = (from.0, to.0);
        while (to - 1) / self.width_ps >= self.capacity as u64 {
            self.halve();
        }
        let (first, last) = ((from / self.width_ps) as usize, ((to - 1) / self.width_ps) as usize);
        if last >= self.busy_ps.len() {
            self.busy_ps.resize(last + 1, 0);
        }
        if first == last {
            self.busy_ps[first] += to - from;
            return;
        }
        self.busy_ps[first] += (first as u64 + 1) * self.width_ps - from;
        for bucket in &mut self.busy_ps[first + 1..last] {
            *bucket += self.width_ps;
        }
        self.busy_ps[last] += to - last as u64 * self.width_ps;
    }

    /// Doubles the width.
    fn halve(&mut self) {
        for pair in 0..self.busy_ps.len().div_ceil(2) {
            self.busy_ps[pair] = self.busy_ps[2 * pair] + self.busy_ps.get(2 * pair + 1).copied().unwrap_or(0);
        }
        self.busy_ps.truncate(self.busy_ps.len().div_ceil(2));
        self.width_ps *= 2;
    }

    /// The width of a bucket.
    pub fn width(&self) -> Time {
        Time(self.width_ps)
    }

    /// Busy picoseconds of each bucket, from time zero to the last one that is busy.
    pub fn busy_ps(&self) -> &[u64] {
        &self.busy_ps
    }

    /// All busy time.
    pub fn total_ps(&self) -> u128 {
        self.busy_ps.iter().map(|&busy| u128::from(busy)).sum()
    }

    /// The busy share of each bucket's width.
    pub fn utilisation(&self) -> impl Iterator<Item = f64> + '_ {
        self.busy_ps.iter().map(|&busy| busy as f64 / self.width_ps as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fnv1a_gives_the_published_values() {
        assert_eq!(fnv1a64(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a64(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a64(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn moments_do_not_cancel() {
        let mut moments = Moments::default();
        assert_eq!((moments.mean(), moments.variance()), (0.0, 0.0));
        for value in [4.0, 7.0, 13.0, 16.0] {
            moments.add(1e9 + value);
        }
        assert_eq!((moments.count(), moments.mean(), moments.variance()), (4, 1e9 + 10.0, 30.0));
    }

    #[test]
    fn quantiles_interpolate_as_type_7_does() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        let quantiles = [0.0, 0.25, 0.5, 0.9, 1.0].map(|q| quantile(&sorted, q).unwrap());
        assert_eq!(quantiles, [1.0, 1.75, 3.0, 6.800000000000001, 8.0]);
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
    }

    #[test]
    fn a_histogram_counts_by_powers_of_two() {
        let mut histogram = Log2Histogram::default();
        assert_eq!(histogram.quantile_bound(0.5), None);
        for value in [0, 1, 2, 3, 4, 7, 8, 100] {
            histogram.add(value);
        }
        let buckets: Vec<_> = histogram.buckets().collect();
        assert_eq!(buckets, [(0, 0, 1), (1, 1, 1), (2, 3, 2), (4, 7, 2), (8, 15, 1), (16, 31, 0), (32, 63, 0), (64, 100, 1)]);
        assert_eq!((histogram.count(), histogram.sum(), histogram.largest()), (8, 125, 100));
        assert_eq!(histogram.quantile_bound(0.5), Some(3));
        assert_eq!(histogram.quantile_bound(0.99), Some(100));
        histogram.add(u64::MAX);
        assert_eq!(histogram.buckets().last(), Some((1 << 63, u64::MAX, 1)));
    }

    #[test]
    fn a_timeline_doubles_its_width_when_it_is_full() {
        let mut timeline = BusyTimeline::new(4);
        timeline.add(Time(0), Time(1));
        timeline.add(Time(2), Time(4));
        assert_eq!((timeline.width(), timeline.busy_ps()), (Time(1), &[1, 0, 1, 1][..]));
        timeline.add(Time(3), Time(3));
        timeline.add(Time(6), Time(9));
        assert_eq!((timeline.width(), timeline.busy_ps()), (Time(4), &[3, 2, 1][..]));
        timeline.add(Time(0), Time(u64::MAX));
        assert_eq!(timeline.total_ps(), 6 + u128::from(u64::MAX));
    }

    proptest! {
        #[test]
        fn a_timeline_keeps_all_busy_time(stretches in prop::collection::vec((0u64..100_000, 0u64..5_000), 0..50)) {
            let mut timeline = BusyTimeline::new(64);
            let mut marks = vec![0u64; 110_000];
            for &(from, length) in &stretches {
                timeline.add(Time(from), Time(from + length));
                marks[from as usize..(from + length) as usize].iter_mut().for_each(|mark| *mark += 1);
            }
            prop_assert!(timeline.busy_ps().len() <= 64);
            for (&busy, marks) in timeline.busy_ps().iter().zip(marks.chunks(timeline.width().0 as usize)) {
                prop_assert_eq!(busy, marks.iter().sum::<u64>());
            }
            prop_assert_eq!(timeline.total_ps(), stretches.iter().map(|&(_, length)| u128::from(length)).sum::<u128>());
        }
    }
}
