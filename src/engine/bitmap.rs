//! Which of up to 4096 places are occupied, so that the next one is found without looking at the empty ones.

/// A set of the places from 0 to before `64 * WORDS`: a bit for each, and a bit for each word that has any.
#[derive(Clone, Debug)]
pub(super) struct Bitmap<const WORDS: usize> {
    words: [u64; WORDS],
    summary: u64,
}

impl<const WORDS: usize> Bitmap<WORDS> {
    /// The empty set.
    pub(super) fn new() -> Bitmap<WORDS> {
        const { assert!(WORDS <= 64 && WORDS.is_power_of_two(), "a word of words, used round and round") };
        Bitmap { words: [0; WORDS], summary: 0 }
    }

    #[inline]
    pub(super) fn set(&mut self, place: usize) {
        let word = place / 64 % WORDS;
        self.words[word] |= 1 << (place % 64);
        self.summary |= 1 << word;
    }

    #[inline]
    pub(super) fn clear(&mut self, place: usize) {
        let word = place / 64 % WORDS;
        self.words[word] &= !(1 << (place % 64));
        self.summary &= !(u64::from(self.words[word] == 0) << word);
    }

    /// How many places after `from`, counted round the circle, the next occupied one is (0 for `from` itself).
    #[inline]
    pub(super) fn distance_to_next(&self, from: usize) -> Option<usize> {
        let word = from / 64 % WORDS;
        let here = self.words[word] >> (from % 64);
        if here != 0 {
            return Some(here.trailing_zeros() as usize);
        }
        if self.summary == 0 {
            return None;
        }
        // Words after this one, then from the first to this one, whose places before `from` are the last of the circle.
        let later = self.summary & (!1 << word);
        let next = if later != 0 { later.trailing_zeros() } else { self.summary.trailing_zeros() } as usize;
        let place = next * 64 + self.words[next % WORDS].trailing_zeros() as usize;
        Some(place.wrapping_sub(from) % (64 * WORDS))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_next_place_is_the_one_a_search_finds(places in prop::collection::btree_set(0usize..4096, 0..8), from in 0usize..4096) {
            let mut bitmap = Bitmap::<64>::new();
            places.iter().for_each(|&place| bitmap.set(place));
            let found = (0..4096).find(|distance| places.contains(&((from + distance) % 4096)));
            prop_assert_eq!(bitmap.distance_to_next(from), found);
            places.iter().for_each(|&place| bitmap.clear(place));
            prop_assert_eq!(bitmap.distance_to_next(from), None);
        }
    }
}
