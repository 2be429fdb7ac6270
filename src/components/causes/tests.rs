use proptest::prelude::*;

use super::*;
use crate::base::random::stream;
use crate::coherence::protocol::State;
use crate::components::cache::CacheArray;
use crate::components::spec::{CacheSpec, Holds, Inclusion, Replacement, WritePolicy};

fn array(sets: u64, ways: u32, replacement: Replacement) -> CacheArray {
    let spec = CacheSpec {
        name: "L1d".to_string(),
        size_bytes: 64 * sets * u64::from(ways),
        line_bytes: 64,
        ways,
        latency_cycles: 1,
        replacement,
        write: WritePolicy::Back,
        write_allocate: true,
        holds: Holds::Data,
        inclusion: Inclusion::Inclusive,
    };
    CacheArray::new(&spec, false, stream(1, "test"))
}

/// Accesses a line as a cache does. Why it missed, if it did.
fn access(array: &mut CacheArray, line: Line) -> Option<Lack> {
    if let Some(slot) = array.find(line) {
        array.accessed(slot);
        return None;
    }
    let lack = array.lacks(line);
    let (slot, _) = array.victim(line);
    array.fill(slot, line, State(1));
    Some(lack)
}

/// The causes of a list of accesses, as letters; `.` for a hit.
fn causes(array: &mut CacheArray, lines: &[Line]) -> String {
    let letter = |line: &Line| match access(array, *line) {
        None => '.',
        Some(Lack { lost: true, .. }) => 's',
        Some(Lack { cause: Cause::Cold, .. }) => 'c',
        Some(Lack { cause: Cause::Capacity, .. }) => 'C',
        Some(_) => 'x',
    };
    lines.iter().map(letter).collect()
}

#[test]
fn two_lines_of_one_set_conflict() {
    // Four sets of one way: lines 0 and 4 share one, and two lines are no more than four.
    let mut array = array(4, 1, Replacement::Lru);
    assert_eq!(causes(&mut array, &[0, 4, 0, 4, 1, 0]), "ccxxcx");
}

#[test]
fn more_lines_than_fit_are_capacity() {
    // Round and round over five lines in a cache of four that any line can be anywhere in.
    let mut array = array(1, 4, Replacement::Lru);
    assert_eq!(causes(&mut array, &[0, 1, 2, 3, 4, 0, 1, 2, 3, 4]), "cccccCCCCC");
}

#[test]
fn a_line_that_was_taken_is_shared() {
    let mut array = array(1, 4, Replacement::Lru);
    assert_eq!(causes(&mut array, &[0, 1]), "cc");
    let slot = array.find(0).unwrap();
    array.lose(slot);
    assert_eq!(causes(&mut array, &[1, 0, 0]), ".s.");
}

/// Which lines a fully associative cache of as many lines would hold that replaces the least recently used: the last so many used.
fn last_used(lines: &[Line], n_lines: usize) -> Vec<Line> {
    let mut last = Vec::new();
    for &line in lines.iter().rev() {
        if !last.contains(&line) && last.len() < n_lines {
            last.push(line);
        }
    }
    last
}

proptest! {
    #[test]
    fn causes_are_those_of_the_definition(
        // A line, and whether it is used or taken from the cache.
        steps in prop::collection::vec((0..40_u64, prop::bool::weighted(0.9)), 0..1500),
        (sets, ways) in prop_oneof![Just((1_u64, 4_u32)), Just((4, 1)), Just((4, 2)), Just((2, 8)), Just((8, 4))],
        policy in prop_oneof![
            Just(Replacement::Lru), Just(Replacement::Fifo), Just(Replacement::Random), Just(Replacement::TreePlru), Just(Replacement::Srrip)
        ],
    ) {
        let mut array = array(sets, ways, policy);
        let n_lines = (sets * u64::from(ways)) as usize;
        let mut used = Vec::new();
        for (number, &(line, is_use)) in steps.iter().enumerate() {
            if !is_use {
                if let Some(slot) = array.find(line) {
                    array.clear(slot);
                }
                continue;
            }
            if let Some(lack) = access(&mut array, line) {
                let expected = if !used.contains(&line) {
                    Cause::Cold
                } else if last_used(&used, n_lines).contains(&line) {
                    Cause::Conflict
                } else {
                    Cause::Capacity
                };
                prop_assert_eq!(lack, Lack { cause: expected, lost: false }, "step {} with line {}", number, line);
            }
            used.push(line);
        }
    }

    #[test]
    fn stamps_are_counted_in_any_order(stamps in prop::collection::btree_set(0..5_000_u64, 1..900), seed in 0..100_u64) {
        let mut random = stream(seed, "order");
        let mut waiting: Vec<u64> = stamps.into_iter().collect();
        let (mut ordered, mut inside) = (Ordered::default(), Vec::new());
        while !waiting.is_empty() {
            let stamp = waiting.swap_remove(random.below(waiting.len() as u64) as usize);
            ordered.insert(stamp, stamp);
            inside.push(stamp);
            if random.chance(0.3) {
                let gone = inside.swap_remove(random.below(inside.len() as u64) as usize);
                ordered.remove(gone);
            }
            if random.chance(0.1) && !inside.is_empty() {
                let oldest = *inside.iter().min().unwrap();
                prop_assert_eq!(ordered.remove_oldest(), Some(oldest));
                inside.retain(|&stamp| stamp != oldest);
            }
            let than = random.below(5_000);
            prop_assert_eq!(ordered.newer(than), inside.iter().filter(|&&stamp| stamp > than).count());
            prop_assert_eq!(ordered.n, inside.len());
        }
    }
}

#[test]
fn a_loser_learns_which_words_others_wrote() {
    let mut losses = Losses::default();
    assert!(!losses.write(7, 0, 1, 0xff), "no one has lost it");
    losses.lose(7, 1);
    losses.lose(7, 2);
    assert!(losses.write(7, 0, 0b01, 0xff));
    assert!(losses.write(7, 2, 0b10, 0xff), "its own words are not news to core 2");
    assert_eq!(losses.regain(7, 2), Some(0b01));
    assert_eq!(losses.regain(7, 1), Some(0b11));
    assert_eq!(losses.regain(7, 1), None);
    losses.lose(7, 1);
    assert!(!losses.write(7, 0, 0xff, 0xff), "nothing more to learn");
}
