//! Seeded streams of random numbers: one for each part that draws any, so that a part's numbers do not depend on what others draw.
//!
//! A stream is ChaCha with 8 rounds (Bernstein, "ChaCha, a variant of Salsa20", 2008): the run's seed is the key, the FNV-1a hash of
//! the part's path is the stream number. The key is filled in here and the helpers below draw by algorithms written here, so that the
//! numbers of a seed stay the same when a library changes its own.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::statistics::fnv1a64;

/// The random numbers of one part.
#[derive(Clone, Debug)]
pub struct Stream {
    generator: ChaCha8Rng,
}

/// The stream of the part at `path` (such as `node[2].source`) in runs of `seed`.
pub fn stream(seed: u64, path: &str) -> Stream {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut generator = ChaCha8Rng::from_seed(key);
    generator.set_stream(fnv1a64(path.as_bytes()));
    Stream { generator }
}

impl Stream {
    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// A number from 0 to below `n`, all equally likely; 0 where `n` is 0.
    ///
    /// Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 29(1), 2019: the high half of `bits * n`, drawn again where
    /// the low half falls into the part that would favour some numbers.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        let mut product = u128::from(self.bits()) * u128::from(n);
        if (product as u64) < n {
            let unfair = n.wrapping_neg() % n;
            while (product as u64) < unfair {
                product = u128::from(self.bits()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }

    /// A number from 0 to below 1 in steps of 2^-53, all equally likely.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// True with the given probability.
    #[inline]
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A stretch of an exponential distribution of the given mean, in the mean's unit: the time between arrivals of a Poisson process.
    #[inline]
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.unit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_seed_and_path_never_change() {
        let mut numbers = stream(1, "node[0].source");
        assert_eq!([numbers.bits(), numbers.bits()], [2_819_029_728_184_007_802, 5_678_078_613_208_364_359]);
        assert_eq!([numbers.below(1000), numbers.below(6)], [82, 2]);
    }

    #[test]
    fn streams_differ_by_seed_and_by_path() {
        let first = |seed, path| stream(seed, path).bits();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(2, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
    }

    #[test]
    fn below_is_uniform() {
        let mut numbers = stream(3, "below");
        assert_eq!((numbers.below(0), numbers.below(1)), (0, 0));
        let mut counts = [0u32; 6];
        for _ in 0..60_000 {
            counts[numbers.below(6) as usize] += 1;
        }
        // Chi-squared with 5 degrees of freedom: 20.5 at p = 0.001.
        let chi_squared: f64 = counts.iter().map(|&count| (f64::from(count) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi_squared < 20.5, "{counts:?}");
        // Where n is three quarters of 2^64, plain multiplication would draw even thirds' numbers too often.
        let n = 3 << 62;
        let below_half = (0..10_000).filter(|_| numbers.below(n) < n / 2).count();
        assert!((4_800..5_200).contains(&below_half), "{below_half}");
    }

    #[test]
    fn exponential_stretches_have_their_mean_and_spread() {
        let mut numbers = stream(4, "exponential");
        let samples: Vec<f64> = (0..40_000).map(|_| numbers.exponential(250.0)).collect();
        let mean = samples.iter().sum::<f64>() / samples.len() as f64;
        let above = samples.iter().filter(|&&sample| sample > 250.0).count() as f64 / samples.len() as f64;
        assert!((mean - 250.0).abs() < 5.0, "mean {mean}");
        assert!((above - libm::exp(-1.0)).abs() < 0.01, "a share of {above} is above the mean, 1/e expected");
        assert!(samples.iter().all(|&sample| sample >= 0.0 && sample.is_finite()));
    }
}
