//! Whether packets can block each other for ever: a packet that holds a channel waits for the next one on its way. Where no chain of such
//! dependencies closes, it cannot happen (Dally and Seitz, 1987).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use super::network::Network;
use super::routing::{Hop, Routes};

/// A virtual channel of a channel.
pub type VirtualChannel = Hop;

/// A shortest cycle of virtual channels each of which waits for the next, and the last for the first; `None` where there is none.
pub fn cycle(network: &Network, routes: &Routes) -> Option<Vec<VirtualChannel>> {
    let dependencies = dependencies(network, routes);
    let knot = tarjan_scc(&dependencies)
        .into_iter()
        .filter(|knot| knot.len() > 1)
        .min_by_key(|knot| (knot.len(), knot.iter().min().copied()))?;
    let first = knot.into_iter().min()?;
    shortest_round(&dependencies, first)
}

/// Which virtual channel waits for which, on the way of some packet from node to node.
fn dependencies(network: &Network, routes: &Routes) -> DiGraphMap<VirtualChannel, ()> {
    let mut graph = DiGraphMap::new();
    let mut seen = vec![u32::MAX; network.n_vertices() as usize];
    for to in 0..network.n_nodes() {
        for from in 0..network.n_nodes() {
            let mut at = from;
            // From a vertex that another packet to this node came by, the way is known.
            while seen[at as usize] != to {
                seen[at as usize] = to;
                let Some(hop) = routes.next(at, to) else { break };
                at = network.ends(hop.channel).1;
                if let Some(next) = routes.next(at, to) {
                    graph.add_edge(hop, next, ());
                }
            }
        }
    }
    graph
}

/// The shortest way from a virtual channel back to it.
fn shortest_round(graph: &DiGraphMap<VirtualChannel, ()>, first: VirtualChannel) -> Option<Vec<VirtualChannel>> {
    let mut reached: BTreeMap<VirtualChannel, VirtualChannel> = BTreeMap::new();
    let mut waiting = VecDeque::from([first]);
    while let Some(at) = waiting.pop_front() {
        let mut next: Vec<VirtualChannel> = graph.neighbors(at).collect();
        next.sort_unstable();
        for next in next {
            if next == first {
                let mut round = vec![at];
                let mut at = at;
                while at != first {
                    at = reached[&at];
                    round.push(at);
                }
                round.reverse();
                return Some(round);
            }
            if let Entry::Vacant(entry) = reached.entry(next) {
                entry.insert(at);
                waiting.push_back(next);
            }
        }
    }
    None
}
