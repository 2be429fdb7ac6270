//! Routing, compiled to a table: from a vertex to a destination, which channel is next, and which virtual channel of it.
//!
//! ```text
//!   dimension order     dimension by dimension, the first first; on a hypercube that is e-cube
//!   up/down             up towards the root as long as no way down leads there (Autonet: Schroeder et al., 1991)
//!   nearest common ancestor      the same in trees; in fat trees the way up is the destination's digits (D-mod-k: Zahavi 2009)
//!   destination tag     stage by stage the destination's digits, the highest first
//!   shortest path       fewest channels, of several the one of the lowest number
//!   minimal dragonfly   within the group to the router of the link, over it, within the group
//! ```
//!
//! Virtual channels: where packets go round (rings, tori), those that have yet to pass from the last node to the first use another one
//! than the rest (Dally and Seitz, "Deadlock-free message routing in multiprocessor interconnection networks", IEEE Transactions on
//! Computers C-36(5), 1987); in a dragonfly those in the destination's group (Kim et al., ISCA 2008).

use super::network::{ChannelNumber, Network, VertexNumber};
use super::topology::{Topology, digit, digits, gateway, with_digit};

/// How the way of a packet is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    DimensionOrder,
    UpDown,
    NearestCommonAncestor,
    DestinationTag,
    ShortestPath,
    MinimalDragonfly,
}

impl Routing {
    /// All of them, with the names that configurations give them.
    pub const ALL: [(&'static str, Routing); 6] = [
        ("dimension-order", Routing::DimensionOrder),
        ("up-down", Routing::UpDown),
        ("nearest-common-ancestor", Routing::NearestCommonAncestor),
        ("destination-tag", Routing::DestinationTag),
        ("shortest-path", Routing::ShortestPath),
        ("minimal-dragonfly", Routing::MinimalDragonfly),
    ];

    /// What a topology is routed by where nothing else is asked for.
    pub fn usual(topology: &Topology) -> Routing {
        match topology {
            Topology::Line | Topology::Ring | Topology::Mesh(_) | Topology::Torus(_) | Topology::Hypercube => {
                Routing::DimensionOrder
            }
            Topology::Star | Topology::Crossbar | Topology::Full => Routing::ShortestPath,
            Topology::Tree { .. } | Topology::FatTree { .. } => Routing::NearestCommonAncestor,
            Topology::Butterfly { .. } | Topology::Omega { .. } => Routing::DestinationTag,
            Topology::Dragonfly { .. } => Routing::MinimalDragonfly,
            Topology::Custom { .. } => Routing::UpDown,
        }
    }

    /// The name that configurations give it.
    pub fn name(self) -> &'static str {
        Routing::ALL.iter().find(|(_, routing)| *routing == self).map_or("", |(name, _)| name)
    }

    /// Virtual channels of each channel that it takes to be free of deadlock on a topology.
    pub fn virtual_channels(self, topology: &Topology) -> u8 {
        match (self, topology) {
            (Routing::DimensionOrder, topology) if topology.wraps() => 2,
            (Routing::MinimalDragonfly, _) => 2,
            _ => 1,
        }
    }
}

/// Why a topology cannot be routed so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingFault {
    pub message: String,
    pub help: Option<String>,
}

/// The next step of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop {
    pub channel: ChannelNumber,
    pub virtual_channel: u8,
}

/// The ways of all packets.
#[derive(Clone, Debug)]
pub struct Routes {
    /// By vertex and destination node; `None` at the destination and where no packet comes.
    next: Vec<Option<Hop>>,
    n_nodes: u32,
    virtual_channels: u8,
}

impl Routes {
    /// Compiles a routing, with so many virtual channels of each channel: those beyond the last are the last.
    ///
    /// # Errors
    /// Where the routing knows no way on this topology, or not for every packet.
    pub fn new(topology: &Topology, network: &Network, routing: Routing, virtual_channels: u8) -> Result<Routes, RoutingFault> {
        let compile = Compile { topology, network, n_nodes: network.n_nodes() };
        let next = match routing {
            Routing::DimensionOrder => compile.dimension_order()?,
            Routing::UpDown => compile.up_down(),
            Routing::NearestCommonAncestor => compile.nearest_common_ancestor()?,
            Routing::DestinationTag => compile.destination_tag()?,
            Routing::ShortestPath => compile.shortest_path(),
            Routing::MinimalDragonfly => compile.minimal_dragonfly()?,
        };
        let limit = |hop: Hop| Hop { virtual_channel: hop.virtual_channel.min(virtual_channels.saturating_sub(1)), ..hop };
        let next = next.into_iter().map(|hop| hop.map(limit)).collect();
        let routes = Routes { next, n_nodes: network.n_nodes(), virtual_channels };
        match routes.lost(network) {
            None => Ok(routes),
            Some((from, to)) => {
                Err(compile.refuse(routing, &format!("packets from node[{from}] to node[{to}] do not get through")))
            }
        }
    }

    /// Two nodes between which packets do not get through.
    fn lost(&self, network: &Network) -> Option<(u32, u32)> {
        let mut arrives = vec![false; network.n_vertices() as usize];
        let mut passed = Vec::new();
        for to in 0..self.n_nodes {
            arrives.fill(false);
            arrives[to as usize] = true;
            for from in 0..self.n_nodes {
                let mut at = from;
                while !arrives[at as usize] {
                    // No way is longer than once through all vertices.
                    let hop = self.next(at, to).filter(|_| passed.len() < arrives.len());
                    let Some(hop) = hop else { return Some((from, to)) };
                    passed.push(at);
                    at = network.ends(hop.channel).1;
                }
                passed.drain(..).for_each(|vertex| arrives[vertex as usize] = true);
            }
        }
        None
    }

    /// Virtual channels of each channel.
    pub fn virtual_channels(&self) -> u8 {
        self.virtual_channels
    }

    /// The next step of a packet at a vertex on its way to a node; `None` at the node itself.
    #[inline]
    pub fn next(&self, at: VertexNumber, to: u32) -> Option<Hop> {
        self.next[(at * self.n_nodes + to) as usize]
    }

    /// The steps of a packet from one node to another.
    pub fn way<'a>(&'a self, network: &'a Network, from: u32, to: u32) -> impl Iterator<Item = Hop> + 'a {
        let mut at = from;
        std::iter::from_fn(move || {
            let hop = self.next(at, to)?;
            at = network.ends(hop.channel).1;
            Some(hop)
        })
    }
}

/// What there is to route.
struct Compile<'a> {
    topology: &'a Topology,
    network: &'a Network,
    n_nodes: u32,
}

type Table = Vec<Option<Hop>>;

impl Compile<'_> {
    /// A table from a rule: at a vertex, to a node, which vertex is next, and on which virtual channel.
    fn by(&self, rule: impl Fn(VertexNumber, u32) -> Option<(VertexNumber, u8)>) -> Table {
        let mut table = Vec::with_capacity((self.network.n_vertices() * self.n_nodes) as usize);
        for vertex in 0..self.network.n_vertices() {
            let out = self.network.out(vertex);
            for to in 0..self.n_nodes {
                let hop = rule(vertex, to).filter(|_| vertex != to).and_then(|(next, virtual_channel)| {
                    let channel = out.iter().find(|&&(_, end)| end == next)?.0;
                    Some(Hop { channel, virtual_channel })
                });
                table.push(hop);
            }
        }
        table
    }

    fn refuse(&self, routing: Routing, what: &str) -> RoutingFault {
        let usual = Routing::usual(self.topology).name();
        RoutingFault {
            message: format!("{} knows no way on a {}: {what}", routing.name(), self.topology.name()),
            help: Some(format!("\"{usual}\" is usual there")),
        }
    }

    fn dimension_order(&self) -> Result<Table, RoutingFault> {
        let Some(shape) = self.topology.shape(self.n_nodes) else {
            return Err(self.refuse(Routing::DimensionOrder, "its nodes stand in no dimensions"));
        };
        let wraps = self.topology.wraps();
        Ok(self.by(|at, to| {
            let mut stride = 1;
            for &length in &shape {
                let (from, goal) = (at / stride % length, to / stride % length);
                if from != goal {
                    let ahead = (goal + length - from) % length;
                    // Where both ways are as long, up.
                    let up = if wraps { 2 * ahead <= length } else { goal > from };
                    let next = if up { (from + 1) % length } else { (from + length - 1) % length };
                    let passes_end = if up { goal < from } else { goal > from };
                    return Some((at - from * stride + next * stride, u8::from(passes_end)));
                }
                stride *= length;
            }
            None
        }))
    }

    fn shortest_path(&self) -> Table {
        let mut table = vec![None; (self.network.n_vertices() * self.n_nodes) as usize];
        for to in 0..self.n_nodes {
            let distances = self.network.distances_to(to);
            for vertex in 0..self.network.n_vertices() {
                let Some(distance) = distances[vertex as usize].filter(|&distance| distance > 0) else { continue };
                let nearer = |&(_, next): &(ChannelNumber, VertexNumber)| distances[next as usize] == Some(distance - 1);
                let channel = self.network.out(vertex).into_iter().find(nearer).map(|(channel, _)| channel);
                table[(vertex * self.n_nodes + to) as usize] = channel.map(|channel| Hop { channel, virtual_channel: 0 });
            }
        }
        table
    }

    /// A vertex in the middle: between one that is farthest from node 0 and one that is farthest from that.
    fn middle(&self) -> VertexNumber {
        let farthest = |distances: &[Option<u32>]| {
            let known =
                (0..distances.len() as VertexNumber).zip(distances).filter_map(|(vertex, distance)| Some((vertex, (*distance)?)));
            known.rev().max_by_key(|&(_, distance)| distance).map_or(0, |(vertex, _)| vertex)
        };
        let one = self.network.distances_to(farthest(&self.network.distances_to(0)));
        let other = self.network.distances_to(farthest(&one));
        let off = |vertex: &VertexNumber| one[*vertex as usize].max(other[*vertex as usize]).unwrap_or(u32::MAX);
        (0..self.network.n_vertices()).min_by_key(off).unwrap_or(0)
    }

    /// Every vertex has a place in an order from the root on, by distance, then by number; up is towards the root. A way down is taken
    /// as soon as there is one, the shortest.
    fn up_down(&self) -> Table {
        let network = self.network;
        let n_vertices = network.n_vertices();
        let root = self.middle();
        let depths = network.distances_to(root);
        let rank = |vertex: VertexNumber| (depths[vertex as usize], vertex);
        let is_up = |from: VertexNumber, to: VertexNumber| rank(to) < rank(from);
        let out: Vec<Vec<(ChannelNumber, VertexNumber)>> = (0..n_vertices).map(|vertex| network.out(vertex)).collect();
        let mut by_rank: Vec<VertexNumber> = (0..n_vertices).collect();
        by_rank.sort_by_key(|&vertex| rank(vertex));
        let mut table = vec![None; (n_vertices * self.n_nodes) as usize];
        for to in 0..self.n_nodes {
            let mut down: Vec<Option<u32>> = vec![None; n_vertices as usize];
            down[to as usize] = Some(0);
            // Ways down first, from the leaves on.
            for &vertex in by_rank.iter().rev().filter(|&&vertex| vertex != to) {
                let ways = out[vertex as usize].iter().filter(|&&(_, next)| !is_up(vertex, next));
                down[vertex as usize] = ways.filter_map(|&(_, next)| down[next as usize]).min().map(|length| length + 1);
            }
            // Then what is left, by way of who is nearest up there.
            let mut length = down.clone();
            for &vertex in &by_rank {
                let known = down[vertex as usize];
                let choice = out[vertex as usize].iter().filter_map(|&(channel, next)| {
                    let up = is_up(vertex, next);
                    let rest =
                        if known.is_some() { down[next as usize].filter(|_| !up) } else { length[next as usize].filter(|_| up) };
                    rest.map(|rest| (rest, channel))
                });
                let Some((rest, channel)) = choice.min().filter(|_| vertex != to) else { continue };
                length[vertex as usize] = Some(rest + 1);
                table[(vertex * self.n_nodes + to) as usize] = Some(Hop { channel, virtual_channel: 0 });
            }
        }
        table
    }

    fn nearest_common_ancestor(&self) -> Result<Table, RoutingFault> {
        match *self.topology {
            // In a tree there is one way, and the shortest is it.
            Topology::Tree { .. } | Topology::Star | Topology::Crossbar => Ok(self.shortest_path()),
            Topology::FatTree { arity } => Ok(self.by(|at, to| Some((self.fat_tree_step(arity, at, to), 0)))),
            _ => Err(self.refuse(Routing::NearestCommonAncestor, "it is no tree")),
        }
    }

    fn fat_tree_step(&self, arity: u32, at: VertexNumber, to: u32) -> VertexNumber {
        let (n, width) = (self.n_nodes, self.n_nodes / arity);
        if at < n {
            return n + at / arity;
        }
        let (level, switch) = ((at - n) / width, (at - n) % width);
        // Below a switch of level l are the nodes whose digits above place l are its own from place l on.
        if to / arity.pow(level + 1) != switch / arity.pow(level) {
            return n + (level + 1) * width + with_digit(switch, level, arity, digit(to, level, arity));
        }
        match level.checked_sub(1) {
            None => to,
            Some(below) => n + below * width + with_digit(switch, below, arity, digit(to, level, arity)),
        }
    }

    /// The wire that a packet is on keeps the digits that it came with until a stage replaces them, so what a switch passes on depends on
    /// the destination alone: of the wires that leave it the one with the destination's digit.
    fn destination_tag(&self) -> Result<Table, RoutingFault> {
        let (Topology::Butterfly { arity } | Topology::Omega { arity }) = *self.topology else {
            return Err(self.refuse(Routing::DestinationTag, "its channels form no stages"));
        };
        let (n, stages, width) = (self.n_nodes, digits(self.n_nodes, arity), self.n_nodes / arity);
        let mut table = vec![None; (self.network.n_vertices() * n) as usize];
        for vertex in 0..self.network.n_vertices() {
            // Channels of a vertex are in the order of their wires, so that of the destination's digit is at its place.
            let out = self.network.out(vertex);
            for to in (0..n).filter(|&to| to != vertex) {
                let channel = match vertex.checked_sub(n) {
                    None => out[0].0,
                    Some(switch) => out[digit(to, stages - 1 - switch / width, arity) as usize].0,
                };
                table[(vertex * n + to) as usize] = Some(Hop { channel, virtual_channel: 0 });
            }
        }
        Ok(table)
    }

    fn minimal_dragonfly(&self) -> Result<Table, RoutingFault> {
        let Topology::Dragonfly { routers, global, nodes } = *self.topology else {
            return Err(self.refuse(Routing::MinimalDragonfly, "it has no groups"));
        };
        let n = self.n_nodes;
        Ok(self.by(|at, to| {
            let Some(router) = at.checked_sub(n) else { return Some((n + at / nodes, 0)) };
            let (goal, group) = (to / nodes, router / routers);
            let goal_group = goal / routers;
            if router == goal {
                return Some((to, 0));
            }
            if group == goal_group {
                return Some((n + goal, 1));
            }
            let gate = group * routers + gateway(group, goal_group, routers, global);
            if router == gate {
                return Some((n + goal_group * routers + gateway(goal_group, group, routers, global), 0));
            }
            Some((n + gate, 0))
        }))
    }
}
