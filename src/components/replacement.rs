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
struct Stamps {
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

    fn oldest(&self, ways: std::ops::Range<usize>) -> usize {
        let stamps = &self.stamps[ways];
        let mut oldest = 0;
        for way in 1..stamps.len() {
            if stamps[way] < stamps[oldest] {
                oldest = way;
            }
        }
        oldest
    }
}

/// Who makes room, with what that needs beside the stamps of accesses.
#[derive(Clone, Debug)]
enum Order {
    Lru,
    /// When lines came, by set and way.
    Fifo(Stamps),
    /// A word for each set. Bit `i` is node `i`'s, the root is node 1, the children of node `i` are `2 i` and `2 i + 1`: the bit says
    /// which of them the victim is below.
    TreePlru(Box<[u64]>),
    Random(Box<Stream>),
    /// By set and way.
    Srrip(Box<[u8]>),
}

/// A replacement policy, with what it remembers of the sets of one cache. Whatever the policy, it knows when each way was last accessed.
#[derive(Clone, Debug)]
pub struct Policy {
    used: Stamps,
    /// By set: no line in it was used before this stamp. Hits raise stamps and leave these alone, so they are found anew when asked for.
    not_before: Box<[u64]>,
    /// No line in any set was.
    none_before: u64,
    order: Order,
}

impl Policy {
    /// A policy for a cache of so many sets and ways; `random` is what random replacement draws from.
    pub fn new(kind: Replacement, n_sets: usize, n_ways: usize, random: Stream) -> Policy {
        let stamps = || Stamps { stamps: vec![0; n_sets * n_ways].into(), clock: 0 };
        let order = match kind {
            Replacement::Lru => Order::Lru,
            Replacement::Fifo => Order::Fifo(stamps()),
            Replacement::TreePlru => Order::TreePlru(vec![0; n_sets].into()),
            Replacement::Random => Order::Random(Box::new(random)),
            Replacement::Srrip => Order::Srrip(vec![DISTANT; n_sets * n_ways].into()),
        };
        Policy { used: stamps(), not_before: vec![u64::MAX; n_sets].into(), none_before: u64::MAX, order }
    }

    /// The line in a slot (a way of a set) was accessed.
    #[inline(always)]
    pub fn hit(&mut self, slot: usize, n_ways: usize) {
        self.used.give(slot);
        match &mut self.order {
            Order::Lru | Order::Fifo(_) | Order::Random(_) => {}
            Order::TreePlru(trees) => point_away(trees, slot, n_ways),
            Order::Srrip(predictions) => predictions[slot] = 0,
        }
    }

    /// A line came into a slot.
    pub fn fill(&mut self, slot: usize, n_ways: usize) {
        self.used.give(slot);
        let not_before = &mut self.not_before[slot / n_ways];
        *not_before = (*not_before).min(self.used.clock);
        self.none_before = self.none_before.min(self.used.clock);
        match &mut self.order {
            Order::Fifo(stamps) => stamps.give(slot),
            Order::Lru | Order::Random(_) => {}
            Order::TreePlru(trees) => point_away(trees, slot, n_ways),
            Order::Srrip(predictions) => predictions[slot] = LONG,
        }
    }

    /// The way that makes room in a full set, whose slots begin at `first`.
    pub fn victim(&mut self, first: usize, n_ways: usize) -> usize {
        let ways = first..first + n_ways;
        match &mut self.order {
            Order::Lru => self.used.oldest(ways),
            Order::Fifo(stamps) => stamps.oldest(ways),
            Order::TreePlru(trees) => {
                let tree = trees[first >> n_ways.ilog2()];
                let mut node = 1;
                while node < n_ways {
                    node = 2 * node + usize::from(tree >> node & 1 == 1);
                }
                node - n_ways
            }
            Order::Random(stream) => stream.below(n_ways as u64) as usize,
            Order::Srrip(predictions) => {
                let predictions = &mut predictions[ways];
                // As many steps as the most distant of them is short of distant.
                let most = predictions.iter().copied().max().unwrap_or(DISTANT);
                predictions.iter_mut().for_each(|prediction| *prediction += DISTANT - most);
                predictions.iter().position(|&prediction| prediction == DISTANT).unwrap_or(0)
            }
        }
    }

    /// When the line in a slot was last accessed, or came: later ones have higher stamps.
    pub fn last_used(&self, slot: usize) -> u64 {
        self.used.stamps[slot]
    }

    /// A stamp for an access that no slot stands for.
    pub fn pass(&mut self) -> u64 {
        self.used.clock += 1;
        self.used.clock
    }

    /// Nothing is in a slot any longer.
    pub fn empty(&mut self, slot: usize) {
        self.used.stamps[slot] = 0;
    }

    /// Whether it is certain that all lines were accessed later than at a stamp.
    pub fn all_newer(&self, stamp: u64) -> bool {
        stamp < self.none_before
    }

    /// How many lines were accessed last at a stamp or before; more than `most` where they are more.
    pub fn older(&mut self, stamp: u64, most: usize, n_ways: usize) -> usize {
        if self.all_newer(stamp) {
            return 0;
        }
        let (mut older, mut none_before) = (0, u64::MAX);
        for (not_before, stamps) in self.not_before.iter_mut().zip(self.used.stamps.chunks_exact(n_ways)) {
            if *not_before <= stamp {
                // An empty way's stamp is 0: one less, it comes last.
                let before = |other: u64| other.wrapping_sub(1);
                *not_before = stamps.iter().fold(u64::MAX, |oldest, &other| oldest.min(before(other))).saturating_add(1);
                older += stamps.iter().map(|&other| usize::from(before(other) < stamp)).sum::<usize>();
                if older > most {
                    return older;
                }
            }
            none_before = none_before.min(*not_before);
        }
        self.none_before = none_before;
        older
    }

    /// Bytes of the host's memory it takes.
    pub fn footprint(&self) -> usize {
        let order = match &self.order {
            Order::Lru => 0,
            Order::Fifo(stamps) => 8 * stamps.stamps.len(),
            Order::TreePlru(trees) => 8 * trees.len(),
            Order::Random(_) => std::mem::size_of::<Stream>(),
            Order::Srrip(predictions) => predictions.len(),
        };
        8 * (self.used.stamps.len() + self.not_before.len()) + order
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
