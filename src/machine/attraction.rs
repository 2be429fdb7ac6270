//! Whether a program's lines have places in the attraction memories of a machine (COMA).
//!
//! Every line that is touched has a last copy, which must be somewhere: of the lines that fall into one set, all nodes together must hold
//! each. One way of each node is left for copies; then a last copy that has to move always finds a place, as the others take fewer than
//! all other ways, and a line that is on its way to a node takes one of its ways at most.

use std::ops::Range;

use crate::base::address::Address;
use crate::components::core::text;
use crate::components::spec::{CacheSpec, MachineSpec, MemorySpec, SpecFault};
use crate::components::translation::PageTable;
use crate::program::code::Code;

/// What a program asks of the attraction memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Lines that it can touch.
    pub lines: u64,
    /// The most of them that fall into one set.
    pub fullest_set: u64,
    /// Places of all nodes.
    pub places: u64,
}

impl Demand {
    /// What a program asks of a machine, where that has attraction memories.
    pub fn of(machine: &MachineSpec, code: &Code) -> Option<Demand> {
        let own = own(machine)?;
        let stretches = stretches(machine, code);
        let (lines, fullest_set) = count(stretches, u64::from(own.line_bytes), own.sets().max(1) as usize);
        Some(Demand { lines, fullest_set, places: own.sets() * u64::from(own.ways) * u64::from(machine.count) })
    }

    /// How full the memories are with last copies alone: 1 leaves no place for another copy (memory pressure: Stenström, Joe and Gupta, ISCA
    /// 1992).
    pub fn pressure(&self) -> f64 {
        self.lines as f64 / self.places as f64
    }

    /// Why the program cannot run.
    pub fn fault(&self, machine: &MachineSpec) -> Option<SpecFault> {
        let own = own(machine)?;
        let nodes = u64::from(machine.count);
        let room = nodes * u64::from(own.ways - 1);
        (self.fullest_set > room).then(|| {
            SpecFault {
                key: "memory.size".to_string(),
                message: format!(
                    "{} lines of the program fall into one set, and {nodes} attraction memories keep {room} last copies in a set: {} of {} ways each, as one is for copies",
                    self.fullest_set,
                    own.ways - 1,
                    own.ways
                ),
                help: Some(
                    "make the attraction memories larger, give them more ways, or make the program's arrays smaller".to_string(),
                ),
            }
        })
    }
}

fn own(machine: &MachineSpec) -> Option<&CacheSpec> {
    machine.node.caches.last().filter(|_| machine.node.memory == MemorySpec::Attraction)
}

/// What a program can touch, of which some may overlap.
fn stretches(machine: &MachineSpec, code: &Code) -> Vec<Range<Address>> {
    let arrays = code.arrays.iter().map(|array| array.base..array.base + u64::from(array.stride) * array.length);
    let results = code.results.iter().map(|slot| slot.address..slot.address + 8);
    let mut stretches: Vec<Range<Address>> = arrays.chain(results).collect();
    let own_text = text(code);
    if machine.node.fetches() {
        stretches.push(own_text.clone());
    }
    if let Some(translation) = &machine.node.translation {
        let top = code.arena.size.max(own_text.end);
        stretches.push(top..PageTable::above(top, translation.page_bytes).end());
    }
    stretches
}

/// The lines of stretches, each once, and the most of them that fall into one of so many sets.
fn count(mut stretches: Vec<Range<Address>>, line_bytes: u64, sets: usize) -> (u64, u64) {
    stretches.retain(|stretch| !stretch.is_empty());
    stretches.sort_unstable_by_key(|stretch| stretch.start);
    let (mut lines, mut everywhere, mut counted) = (0, 0, 0);
    // How many more lines a set has than the one before it.
    let mut steps = vec![0_i64; sets + 1];
    for stretch in stretches {
        let first = (stretch.start / line_bytes).max(counted);
        let end = stretch.end.div_ceil(line_bytes);
        if first >= end {
            continue;
        }
        counted = end;
        let n = end - first;
        lines += n;
        everywhere += n / sets as u64;
        let (begin, rest) = ((first % sets as u64) as usize, (n % sets as u64) as usize);
        let wrapped = (begin + rest).saturating_sub(sets);
        steps[begin] += 1;
        steps[begin + rest - wrapped] -= 1;
        steps[0] += 1;
        steps[wrapped] -= 1;
    }
    let (_, most) = steps.iter().fold((0, 0), |(at, most), step| (at + step, most.max(at + step)));
    (lines, everywhere + most as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_once_and_by_sets() {
        // Lines 0 to 3, and 2 to 5: six lines; of four sets two have two.
        assert_eq!(count(vec![0..256, 130..384], 64, 4), (6, 2));
        // From the last set round to the first.
        assert_eq!(count(vec![192..256, 256..384], 64, 4), (3, 1));
        assert_eq!(count(vec![192..384, 512..576], 64, 4), (4, 2));
        // Twice round, and one more.
        assert_eq!(count(vec![0..64, 64..9 * 64], 64, 4), (9, 3));
        assert_eq!(count(Vec::new(), 64, 4), (0, 0));
    }
}
