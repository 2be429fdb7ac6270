//! Which of up to 4096 places are occupied, so that the next one is found without looking at the empty ones.

/// A set of places `0..n`, a bit for each, and a bit for each word of 64 that has any.
#[derive(Clone, Debug)]
pub(super) struct Bitmap {
    words: Vec<u64>,
    summary: u64,
}

impl Bitmap {
    /// The empty set of `n` places: a multiple of 64, at most 4096.
    pub(super) fn new(n: usize) -> Bitmap {
        assert!(n.is_multiple_of(64) && n <= 64 * 64, "a word of words");
        Bitmap { words: vec![0; n / 64], summary: 0 }
    }

    #[inline]
    pub(super) fn set(&mut self, place: usize) {
        self.words[place / 64] |= 1 << (place % 64);
        self.summary |= 1 << (place / 64);
    }

    #[inline]
    pub(super) fn clear(&mut self, place: usize) {
        let word = &mut self.words[place / 64];
        *word &= !(1 << (place % 64));
        if *word == 0 {
            self.summary &= !(1 << (place / 64));
        }
    }

    /// How many places after `from`, counted round the circle, the next occupied one is (0 for `from` itself).
    #[inline]
    pub(super) fn distance_to_next(&self, from: usize) -> Option<usize> {
        let word = from / 64;
        let here = self.words[word] >> (from % 64);
        if here != 0 {
            return Some(here.trailing_zeros() as usize);
        }
        if self.summary == 0 {
            return None;
        }
        // Words after this one, then from the first to this one, whose places before `from` are the last of the circle.
        let later = self.summary & (!1u64).checked_shl(word as u32).unwrap_or(0);
        let next = if later != 0 { later.trailing_zeros() } else { self.summary.trailing_zeros() } as usize;
        let place = next * 64 + self.words[next].trailing_zeros() as usize;
        let n = self.words.len() * 64;
        Some((place + n - from) % n)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_next_place_is_the_one_a_search_finds(places in prop::collection::btree_set(0usize..4096, 0..8), from in 0usize..4096) {
            let mut bitmap = Bitmap::new(4096);
            places.iter().for_each(|&place| bitmap.set(place));
            let found = (0..4096).find(|distance| places.contains(&((from + distance) % 4096)));
            prop_assert_eq!(bitmap.distance_to_next(from), found);
            places.iter().for_each(|&place| bitmap.clear(place));
            prop_assert_eq!(bitmap.distance_to_next(from), None);
        }
    }
}
