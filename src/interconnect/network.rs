//! The graph: nodes and switches, joined by channels.

use std::fmt;

use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;

/// A vertex by its number: nodes come first, in their order, then switches.
pub type VertexNumber = u32;
/// A channel by its number.
pub type ChannelNumber = u32;

/// What channels join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vertex {
    /// A node of the machine: packets begin and end there. In direct networks it passes on packets of others, too.
    Node(u32),
    /// A switch, which only passes packets on.
    Switch(u32),
}

impl fmt::Display for Vertex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Vertex::Node(number) => write!(f, "node[{number}]"),
            Vertex::Switch(number) => write!(f, "switch[{number}]"),
        }
    }
}

/// Nodes and switches, joined by channels. A channel goes one way; a link is a pair of them.
#[derive(Clone, Debug)]
pub struct Network {
    graph: DiGraph<Vertex, ()>,
    n_nodes: u32,
}

impl Network {
    /// Nodes and switches that nothing joins.
    pub(super) fn new(n_nodes: u32, n_switches: u32) -> Network {
        let mut graph = DiGraph::new();
        let vertices = (0..n_nodes).map(Vertex::Node).chain((0..n_switches).map(Vertex::Switch));
        vertices.for_each(|vertex| {
            graph.add_node(vertex);
        });
        Network { graph, n_nodes }
    }

    /// Adds a channel.
    pub(super) fn add_channel(&mut self, from: Vertex, to: Vertex) {
        self.graph.add_edge(self.index(from), self.index(to), ());
    }

    /// Adds a channel each way.
    pub(super) fn add_link(&mut self, a: Vertex, b: Vertex) {
        self.add_channel(a, b);
        self.add_channel(b, a);
    }

    fn index(&self, vertex: Vertex) -> NodeIndex {
        NodeIndex::new(self.number(vertex) as usize)
    }

    /// The number of a vertex.
    pub fn number(&self, vertex: Vertex) -> VertexNumber {
        match vertex {
            Vertex::Node(number) => number,
            Vertex::Switch(number) => self.n_nodes + number,
        }
    }

    /// The vertex of a number.
    pub fn vertex(&self, number: VertexNumber) -> Vertex {
        self.graph[NodeIndex::new(number as usize)]
    }

    /// How many nodes there are.
    pub fn n_nodes(&self) -> u32 {
        self.n_nodes
    }

    /// How many nodes and switches there are.
    pub fn n_vertices(&self) -> u32 {
        self.graph.node_count() as u32
    }

    /// How many channels there are.
    pub fn n_channels(&self) -> u32 {
        self.graph.edge_count() as u32
    }

    /// From where to where a channel goes.
    ///
    /// # Panics
    /// Where there is no channel of that number.
    pub fn ends(&self, channel: ChannelNumber) -> (VertexNumber, VertexNumber) {
        let (from, to) = self.graph.edge_endpoints(EdgeIndex::new(channel as usize)).expect("a channel of the network");
        (from.index() as u32, to.index() as u32)
    }

    /// The channels out of a vertex, with where they go, in the order of their numbers.
    pub fn out(&self, vertex: VertexNumber) -> Vec<(ChannelNumber, VertexNumber)> {
        let edges = self.graph.edges(NodeIndex::new(vertex as usize));
        let mut out: Vec<_> = edges.map(|edge| (edge.id().index() as u32, edge.target().index() as u32)).collect();
        out.sort_unstable();
        out
    }

    /// The first channel from one vertex to another.
    pub fn channel(&self, from: VertexNumber, to: VertexNumber) -> Option<ChannelNumber> {
        self.out(from).into_iter().find(|&(_, end)| end == to).map(|(channel, _)| channel)
    }

    /// A channel in words: `node[0] > switch[3]`.
    pub fn describe(&self, channel: ChannelNumber) -> String {
        let (from, to) = self.ends(channel);
        format!("{} > {}", self.vertex(from), self.vertex(to))
    }

    /// Distances in channels from each vertex to a destination; `None` where no way leads there.
    pub fn distances_to(&self, destination: VertexNumber) -> Vec<Option<u32>> {
        let mut distances = vec![None; self.n_vertices() as usize];
        distances[destination as usize] = Some(0);
        let mut level = vec![NodeIndex::new(destination as usize)];
        for distance in 1.. {
            let mut next = Vec::new();
            for &vertex in &level {
                for before in self.graph.neighbors_directed(vertex, petgraph::Direction::Incoming) {
                    if distances[before.index()].is_none() {
                        distances[before.index()] = Some(distance);
                        next.push(before);
                    }
                }
            }
            if next.is_empty() {
                break;
            }
            level = next;
        }
        distances
    }
}
