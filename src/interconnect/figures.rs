//! What is known of a network without a packet on its way: degree, diameter, mean distance, bisection.

use petgraph::algo::maximum_flow::dinics;
use petgraph::graph::{DiGraph, NodeIndex};

use super::network::{Network, VertexNumber};
use super::routing::Routes;

/// Up to so many nodes every way to halve them is tried.
const TRY_ALL: u32 = 12;

/// How few channels lead from one half of the nodes to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bisection {
    /// Channels from the one half to the other; as many lead back.
    pub channels: u32,
    /// Whether every way to halve the nodes was tried. Otherwise those by the digits of their numbers were, among which the least
    /// of all regular networks is.
    pub all_tried: bool,
    /// By node, whether it is in the second half.
    pub second: Vec<bool>,
}

/// Figures of a network and its routes. Distances are in channels, from node to node.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Fewest and most channels out of a node.
    pub node_degree: (u32, u32),
    /// Fewest and most channels out of a switch, where there are any.
    pub switch_degree: Option<(u32, u32)>,
    /// The largest distance.
    pub diameter: u32,
    /// The mean distance between different nodes.
    pub mean_distance: f64,
    /// The longest way that packets take, and the mean.
    pub longest_way: u32,
    /// The shortest.
    pub least_way: u32,
    pub mean_way: f64,
    pub bisection: Bisection,
}

impl Figures {
    /// Works them out.
    pub fn new(network: &Network, routes: &Routes) -> Figures {
        let n = network.n_nodes();
        let degree = |vertices: std::ops::Range<VertexNumber>| {
            let degrees = vertices.map(|vertex| network.out(vertex).len() as u32);
            degrees.fold(None, |range: Option<(u32, u32)>, degree| {
                Some(range.map_or((degree, degree), |(low, high)| (low.min(degree), high.max(degree))))
            })
        };
        let (mut diameter, mut distances) = (0, 0_u64);
        let (mut longest_way, mut least_way, mut ways) = (0, u32::MAX, 0_u64);
        for to in 0..n {
            let shortest = network.distances_to(to);
            let taken = lengths_to(network, routes, to);
            for from in (0..n).filter(|&from| from != to) {
                let distance = shortest[from as usize].unwrap_or(0);
                (diameter, distances) = (diameter.max(distance), distances + u64::from(distance));
                let way = taken[from as usize];
                (longest_way, least_way, ways) = (longest_way.max(way), least_way.min(way), ways + u64::from(way));
            }
        }
        let pairs = (u64::from(n) * u64::from(n - 1)).max(1) as f64;
        Figures {
            node_degree: degree(0..n).unwrap_or((0, 0)),
            switch_degree: degree(n..network.n_vertices()),
            diameter,
            mean_distance: distances as f64 / pairs,
            longest_way,
            least_way: least_way.min(longest_way),
            mean_way: ways as f64 / pairs,
            bisection: bisection(network),
        }
    }
}

/// How many channels the ways of packets to a node have, from each vertex that they come by.
fn lengths_to(network: &Network, routes: &Routes, to: u32) -> Vec<u32> {
    const UNKNOWN: u32 = u32::MAX;
    let mut lengths = vec![UNKNOWN; network.n_vertices() as usize];
    lengths[to as usize] = 0;
    let mut passed = Vec::new();
    for from in 0..network.n_nodes() {
        let mut at = from;
        while lengths[at as usize] == UNKNOWN {
            passed.push(at);
            let Some(hop) = routes.next(at, to) else { break };
            at = network.ends(hop.channel).1;
        }
        let mut length = lengths[at as usize];
        while let Some(vertex) = passed.pop() {
            length += 1;
            lengths[vertex as usize] = length;
        }
    }
    lengths
}

/// The least of the cuts between two halves of the nodes that are tried. Where the number of nodes is odd, the second half has one more.
fn bisection(network: &Network) -> Bisection {
    let n = network.n_nodes();
    let mut least: Option<Bisection> = None;
    let all_tried = n <= TRY_ALL;
    let mut consider = |second: Vec<bool>| {
        let channels = cut(network, &second);
        if least.as_ref().is_none_or(|least| channels < least.channels) {
            least = Some(Bisection { channels, all_tried, second });
        }
    };
    if all_tried {
        // Node 0 is in the first half; of an even number that is no restriction.
        let halves = (0..1_u32 << n).filter(|set| set.count_ones() == n - n / 2 && (n % 2 == 1 || set & 1 == 0));
        halves.for_each(|set| consider((0..n).map(|node| set >> node & 1 == 1).collect()));
    } else {
        consider((0..n).map(|node| node >= n / 2).collect());
        for stride in (1..n).filter(|stride| n.is_multiple_of(*stride)) {
            for length in (2..=n / stride).step_by(2).filter(|length| (n / stride).is_multiple_of(*length)) {
                consider((0..n).map(|node| node / stride % length >= length / 2).collect());
            }
        }
    }
    least.unwrap_or(Bisection { channels: 0, all_tried, second: vec![true; n as usize] })
}

/// Channels from the first half of the nodes to the second, switches standing where they cut least: the most that can flow from the one to
/// the other (Ford and Fulkerson 1956).
fn cut(network: &Network, second: &[bool]) -> u32 {
    let n_vertices = network.n_vertices() as usize;
    let mut graph: DiGraph<(), u32> = DiGraph::new();
    (0..n_vertices + 2).for_each(|_| {
        graph.add_node(());
    });
    let (source, sink) = (NodeIndex::new(n_vertices), NodeIndex::new(n_vertices + 1));
    for channel in 0..network.n_channels() {
        let (from, to) = network.ends(channel);
        graph.add_edge(NodeIndex::new(from as usize), NodeIndex::new(to as usize), 1);
    }
    for (node, &second) in second.iter().enumerate() {
        let node = NodeIndex::new(node);
        let (from, to) = if second { (node, sink) } else { (source, node) };
        graph.add_edge(from, to, network.n_channels());
    }
    dinics(&graph, source, sink).0
}
