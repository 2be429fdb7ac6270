//! What looking into a core's private caches takes, in cycles of the core's clock.

use crate::components::owner::Owner;
use crate::components::spec::{CacheSpec, Holds, way};
use crate::components::trace::Kind;

/// The latencies of the levels that accesses pass.
#[derive(Clone, Debug)]
pub struct Lookups {
    /// What an access pays in any case, by [`Kind`]: for an instruction its own cycle, during which the first level is looked into; for
    /// data the latency of the first level that holds data.
    pub first: [u64; 3],
    /// The latencies of the further levels on the way, by [`Kind`].
    further: [Vec<u64>; 3],
}

impl Lookups {
    /// The latencies of caches as specified.
    pub fn new(specs: &[CacheSpec]) -> Lookups {
        let latencies = |what| way(specs, what).into_iter().map(|level| u64::from(specs[level].latency_cycles));
        let further = |what| latencies(what).skip(1).collect::<Vec<u64>>();
        let data = latencies(Holds::Data).next().unwrap_or(0);
        let others = further(Holds::Data);
        Lookups { first: [1, data, data], further: [further(Holds::Instructions), others.clone(), others] }
    }

    /// Levels that hold data alone, with these latencies.
    #[cfg(test)]
    pub fn of_data(latencies: &[u64]) -> Lookups {
        let further = latencies[1..].to_vec();
        Lookups { first: [1, latencies[0], latencies[0]], further: [Vec::new(), further.clone(), further] }
    }

    /// The lookups beyond the first of an access that looked into `depth` levels, each with its owner.
    pub fn further(&self, kind: Kind, depth: usize) -> impl Iterator<Item = (Owner, u64)> + '_ {
        let owners = std::iter::once(Owner::L2).chain(std::iter::repeat(Owner::Llc));
        owners.zip(self.further[kind as usize].iter().copied()).take(depth.saturating_sub(1))
    }

    /// Cycles of lookups in every level on the way.
    pub fn all(&self, kind: Kind) -> u64 {
        self.first[kind as usize] + self.behind(kind, 1)
    }

    /// Cycles from a data access's first lookup to the answer of each level on its way; at least of one level, which takes no time where
    /// there is none.
    pub fn reach(&self) -> Vec<u64> {
        let first = self.first[Kind::Read as usize];
        let mut reach = vec![first];
        reach.extend(self.further[Kind::Read as usize].iter().scan(first, |sum, cycles| {
            *sum += cycles;
            Some(*sum)
        }));
        reach
    }

    /// Cycles of lookups beyond the first, down to the last level, of an access that looked into `depth` levels.
    pub fn behind(&self, kind: Kind, depth: usize) -> u64 {
        self.further[kind as usize].iter().skip(depth.saturating_sub(1)).sum()
    }
}
