//! Replacement policies: which line of a full set makes room for another. They know ways of sets, not what is in them.
//!
//! ```text
//!   lru, fifo   a stamp for each way: when last accessed, when filled           victim: the lowest stamp
//!   tree-plru   a bit for each inner node of a tree over the ways               victim: where the bits lead
//!   random      nothing                                                         victim: any way
//!   srrip       2 bits for each way: how far off its next access seems          victim: the first way that seems farthest
//! ```
//!
//! Tree-PLRU: Al-Zoubi, Milenkovic and Milenkovic, "Performance Evaluation of Cache Replacement Policies for the SPEC CPU2000 Benchmark
//! Suite", ACM Southeast 2004. SRRIP: static re-reference interval prediction with hit priority; Jaleel, Theobald, Steely and Emer,
//! ISCA 2010.

use crate::base::random::Stream;
use crate::components::spec::Replacement;

/// SRRIP's prediction of a line that comes: a long re-reference interval.
const LONG: u8 = 2;
/// SRRIP's prediction of a line that may go: a distant re-reference interval.
const DISTANT: u8 = 3;

/// When what happened to the ways of all sets.
#[derive(Clone, Debug)]
pub struct Stamps {
    /// By set and way.
    stamps: Box<[u64]>,
    /// Stamps given so far.
    clock: u64,
}

impl Stamps {
    #[inline(always)]
    fn give(&mut self, slot: usize) {
        self.clock += 1;
        self.stamps[slot] = self.clock;
    }
}

/// A replacement policy, with what it remembers of the sets of one cache.
#[derive(Clone, Debug)]
pub enum Policy {
    Lru(Stamps),
    Fifo(Stamps),
    /// A word for each set. Bit `i` is node `i`'s, the root is node 1, the children of node `i` are `2 i` and `2 i + 1`: the bit says
    /// which of them the victim is below.
    TreePlru(Box<[u64]>),
    Random(Box<Stream>),
    /// By set and way.
    Srrip(Box<[u8]>),
}

impl Policy {
    /// A policy for a cache of so many sets and ways; `random` is what random replacement draws from.
    pub fn new(kind: Replacement, n_sets: usize, n_ways: usize, random: Stream) -> Policy {
        let stamps = || Stamps { stamps: vec![0; n_sets * n_ways].into(), clock: 0 };
        match kind {
            Replacement::Lru => Policy::Lru(stamps()),
            Replacement::Fifo => Policy::Fifo(stamps()),
            Replacement::TreePlru => Policy::TreePlru(vec![0; n_sets].into()),
            Replacement::Random => Policy::Random(Box::new(random)),
            Replacement::Srrip => Policy::Srrip(vec![DISTANT; n_sets * n_ways].into()),
        }
    }

    /// The line in a slot (a way of a set) was accessed.
    #[inline(always)]
    pub fn hit(&mut self, slot: usize, n_ways: usize) {
        match self {
            Policy::Lru(stamps) => stamps.give(slot),
            Policy::Fifo(_) | Policy::Random(_) => {}
            Policy::TreePlru(trees) => point_away(trees, slot, n_ways),
            Policy::Srrip(predictions) => predictions[slot] = 0,
        }
    }

    /// A line came into a slot.
    pub fn fill(&mut self, slot: usize, n_ways: usize) {
        match self {
            Policy::Lru(stamps) | Policy::Fifo(stamps) => stamps.give(slot),
            Policy::Random(_) => {}
            Policy::TreePlru(trees) => point_away(trees, slot, n_ways),
            Policy::Srrip(predictions) => predictions[slot] = LONG,
        }
    }

    /// The way that makes room in a full set, whose slots begin at `first`.
    pub fn victim(&mut self, first: usize, n_ways: usize) -> usize {
        let ways = first..first + n_ways;
        match self {
            Policy::Lru(stamps) | Policy::Fifo(stamps) => {
                let stamps = &stamps.stamps[ways];
                let mut oldest = 0;
                for way in 1..stamps.len() {
                    if stamps[way] < stamps[oldest] {
                        oldest = way;
                    }
                }
                oldest
            }
            Policy::TreePlru(trees) => {
                let tree = trees[first >> n_ways.ilog2()];
                let mut node = 1;
                while node < n_ways {
                    node = 2 * node + usize::from(tree >> node & 1 == 1);
                }
                node - n_ways
            }
            Policy::Random(stream) => stream.below(n_ways as u64) as usize,
            Policy::Srrip(predictions) => {
                let predictions = &mut predictions[ways];
                // As many steps as the most distant of them is short of distant.
                let most = predictions.iter().copied().max().unwrap_or(DISTANT);
                predictions.iter_mut().for_each(|prediction| *prediction += DISTANT - most);
                predictions.iter().position(|&prediction| prediction == DISTANT).unwrap_or(0)
            }
        }
    }

    /// Bytes of the host's memory it takes.
    pub fn footprint(&self) -> usize {
        match self {
            Policy::Lru(stamps) | Policy::Fifo(stamps) => 8 * stamps.stamps.len(),
            Policy::TreePlru(trees) => 8 * trees.len(),
            Policy::Random(_) => std::mem::size_of::<Stream>(),
            Policy::Srrip(predictions) => predictions.len(),
        }
    }
}

/// Lets every node above a way point to the other side; the ways are a power of two.
#[inline]
fn point_away(trees: &mut [u64], slot: usize, n_ways: usize) {
    let tree = &mut trees[slot >> n_ways.ilog2()];
    let mut node = n_ways + (slot & (n_ways - 1));
    while node > 1 {
        let (parent, came_from) = (node / 2, node & 1);
        *tree = *tree & !(1 << parent) | ((1 - came_from) as u64) << parent;
        node = parent;
    }
}

#[cfg(test)]
mod tests;
