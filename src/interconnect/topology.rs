//! Topologies: what is joined with what, for so many nodes.
//!
//! ```text
//!   direct:    line, ring, mesh, torus, hypercube, full           each node passes packets on itself
//!   indirect:  star, crossbar, tree, fat tree, butterfly, omega, dragonfly      switches do
//!   custom:    a list of links
//! ```
//!
//! Sources: Dally and Towles, 2004, chapters 3 to 5; k-ary n-trees: Petrini and Vanneschi, "k-ary n-trees: High performance networks for
//! massively parallel architectures", IPPS 1997; dragonfly: Kim, Dally, Scott and Abts, "Technology-driven, highly-scalable dragonfly
//! topology", ISCA 2008.

use super::network::{Network, Vertex};

/// What joins the nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topology {
    Line,
    Ring,
    /// Every node linked with the one switch.
    Star,
    /// The same, whose switch is a crossbar that never blocks.
    Crossbar,
    /// Every node linked with every other.
    Full,
    /// Nodes in so many columns, rows, ... (the first dimension counts fastest), each linked with its neighbours.
    Mesh(Vec<u32>),
    /// The same with its ends joined.
    Torus(Vec<u32>),
    /// Nodes linked whose numbers differ in one bit.
    Hypercube,
    /// Nodes are the leaves, switches the inner vertices, each above so many.
    Tree {
        arity: u32,
    },
    /// A k-ary n-tree: each switch has so many links up and down.
    FatTree {
        arity: u32,
    },
    /// A k-ary n-fly: stages of switches with so many channels in and out, one way from nodes to nodes.
    Butterfly {
        arity: u32,
    },
    /// The same as seen by perfect shuffles before each stage (Lawrie 1975).
    Omega {
        arity: u32,
    },
    /// Groups of routers that are linked with all others of their group; every two groups are linked once.
    Dragonfly {
        /// Routers in a group.
        routers: u32,
        /// Links of a router to other groups.
        global: u32,
        /// Nodes at a router.
        nodes: u32,
    },
    /// Links between nodes and so many switches.
    Custom {
        switches: u32,
        links: Vec<(Vertex, Vertex)>,
    },
}

/// Why nodes cannot be joined so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyFault {
    pub message: String,
    pub help: Option<String>,
}

/// Vertices at most.
const MOST_VERTICES: u64 = 1 << 16;
/// Channels at most.
const MOST_CHANNELS: u64 = 1 << 20;
/// Vertices times nodes at most: a routing table has an entry for each.
const MOST_ENTRIES: u64 = 1 << 24;

fn fault(message: String, help: impl Into<String>) -> TopologyFault {
    TopologyFault { message, help: Some(help.into()) }
}

impl Topology {
    /// The name that configurations give it.
    pub fn name(&self) -> &'static str {
        match self {
            Topology::Line => "line",
            Topology::Ring => "ring",
            Topology::Star => "star",
            Topology::Crossbar => "crossbar",
            Topology::Full => "full",
            Topology::Mesh(_) => "mesh",
            Topology::Torus(_) => "torus",
            Topology::Hypercube => "hypercube",
            Topology::Tree { .. } => "tree",
            Topology::FatTree { .. } => "fat-tree",
            Topology::Butterfly { .. } => "butterfly",
            Topology::Omega { .. } => "omega",
            Topology::Dragonfly { .. } => "dragonfly",
            Topology::Custom { .. } => "custom",
        }
    }

    /// The dimensions in which nodes stand, of topologies with neighbours in dimensions.
    pub fn shape(&self, n_nodes: u32) -> Option<Vec<u32>> {
        match self {
            Topology::Line | Topology::Ring => Some(vec![n_nodes]),
            Topology::Mesh(shape) | Topology::Torus(shape) => Some(shape.clone()),
            Topology::Hypercube => Some(vec![2; n_nodes.ilog2() as usize]),
            _ => None,
        }
    }

    /// Whether the ends of dimensions are joined.
    pub fn wraps(&self) -> bool {
        matches!(self, Topology::Ring | Topology::Torus(_))
    }

    /// Joins so many nodes.
    ///
    /// # Errors
    /// Where the number does not fit the topology, or a network would be too large.
    pub fn build(&self, n_nodes: u32) -> Result<Network, TopologyFault> {
        if n_nodes == 0 {
            return Err(fault("no nodes".to_string(), "a network joins at least one"));
        }
        self.check_size(n_nodes)?;
        match self {
            Topology::Line | Topology::Ring | Topology::Mesh(_) | Topology::Torus(_) | Topology::Hypercube => {
                let shape = self.shape(n_nodes).unwrap_or_default();
                Ok(grid(n_nodes, &shape, self.wraps()))
            }
            Topology::Star | Topology::Crossbar => Ok(star(n_nodes)),
            Topology::Full => Ok(full(n_nodes)),
            Topology::Tree { arity } => Ok(tree(n_nodes, *arity)),
            Topology::FatTree { arity } => Ok(fat_tree(n_nodes, *arity)),
            Topology::Butterfly { arity } => Ok(butterfly(n_nodes, *arity)),
            Topology::Omega { arity } => Ok(omega(n_nodes, *arity)),
            Topology::Dragonfly { routers, global, nodes } => Ok(dragonfly(n_nodes, *routers, *global, *nodes)),
            Topology::Custom { switches, links } => custom(n_nodes, *switches, links),
        }
    }

    fn check_size(&self, n_nodes: u32) -> Result<(), TopologyFault> {
        let n = u64::from(n_nodes);
        match self {
            Topology::Line | Topology::Ring | Topology::Star | Topology::Crossbar | Topology::Full => {}
            Topology::Custom { .. } => {}
            Topology::Mesh(shape) | Topology::Torus(shape) => {
                let places = shape.iter().try_fold(1_u64, |places, &length| places.checked_mul(u64::from(length)));
                if shape.is_empty() {
                    return Err(fault(format!("a {} without a shape", self.name()), "its lengths are a list such as [4, 4]"));
                }
                if places != Some(n) {
                    let shape: Vec<String> = shape.iter().map(u32::to_string).collect();
                    let message = format!("a {} of {} has no place for {n} nodes one to one", self.name(), shape.join(" x "));
                    return Err(fault(message, "the product of the shape's lengths is the number of nodes"));
                }
            }
            Topology::Hypercube if !n_nodes.is_power_of_two() => {
                let (below, above) = (1 << n_nodes.ilog2(), n_nodes.next_power_of_two());
                return Err(fault(format!("{n} nodes make no hypercube"), format!("a power of two: {below} or {above}")));
            }
            Topology::Hypercube => {}
            Topology::Tree { arity } | Topology::FatTree { arity } | Topology::Butterfly { arity } | Topology::Omega { arity } => {
                check_power(self.name(), n_nodes, *arity)?;
            }
            Topology::Dragonfly { routers, global, nodes } => {
                let groups = u64::from(*routers) * u64::from(*global) + 1;
                let places = groups.saturating_mul(u64::from(*routers)).saturating_mul(u64::from(*nodes));
                if places != n || *routers == 0 {
                    let message = format!(
                        "{routers} routers a group with {global} links to other groups and {nodes} nodes each are {groups} groups of \
                         {places} nodes together, and there are {n}"
                    );
                    return Err(fault(message, "groups are one more than the links that leave a group"));
                }
            }
        }
        let (vertices, channels) = self.size(n);
        if vertices > MOST_VERTICES || channels > MOST_CHANNELS {
            let message = format!("a {} of {n} nodes has {vertices} vertices and {channels} channels", self.name());
            return Err(fault(message, format!("at most {MOST_VERTICES} vertices and {MOST_CHANNELS} channels can be built")));
        }
        if vertices.saturating_mul(n) > MOST_ENTRIES {
            let message = format!("a {} of {n} nodes takes {} entries of routing tables", self.name(), vertices * n);
            return Err(fault(message, format!("at most {MOST_ENTRIES} can be built: nodes times nodes and switches")));
        }
        Ok(())
    }

    /// How many vertices and channels there are at most.
    fn size(&self, n: u64) -> (u64, u64) {
        let levels = |arity: u32| u64::from(digits(n as u32, arity));
        match self {
            Topology::Line | Topology::Ring => (n, 2 * n),
            Topology::Star | Topology::Crossbar => (n + 1, 2 * n),
            Topology::Full => (n, n.saturating_mul(n - 1)),
            Topology::Mesh(shape) | Topology::Torus(shape) => (n, 2 * n * shape.len() as u64),
            Topology::Hypercube => (n, n * u64::from(n.ilog2())),
            Topology::Tree { .. } => (2 * n, 4 * n),
            Topology::FatTree { arity } => (n + levels(*arity) * n / u64::from(*arity), 2 * n * levels(*arity)),
            Topology::Butterfly { arity } | Topology::Omega { arity } => {
                (n + levels(*arity) * n / u64::from(*arity), n * (levels(*arity) + 1))
            }
            Topology::Dragonfly { routers, global, nodes } => {
                let all_routers = n / u64::from(*nodes).max(1);
                (n + all_routers, 2 * n + all_routers * (u64::from(*routers) + u64::from(*global)))
            }
            Topology::Custom { switches, links } => (n + u64::from(*switches), 2 * links.len() as u64),
        }
    }
}

/// How many digits numbers below `n` have, where `n` is a power of `arity`.
pub(super) fn digits(n: u32, arity: u32) -> u32 {
    if arity < 2 { 0 } else { n.max(1).ilog(arity) }
}

/// A digit of a number, the lowest one's place is 0.
pub(super) fn digit(number: u32, place: u32, arity: u32) -> u32 {
    number / arity.pow(place) % arity
}

/// A number with a digit replaced.
pub(super) fn with_digit(number: u32, place: u32, arity: u32, value: u32) -> u32 {
    number - digit(number, place, arity) * arity.pow(place) + value * arity.pow(place)
}

/// A number without a digit.
fn without_digit(number: u32, place: u32, arity: u32) -> u32 {
    let unit = arity.pow(place);
    number / (unit * arity) * unit + number % unit
}

fn check_power(name: &str, n_nodes: u32, arity: u32) -> Result<(), TopologyFault> {
    if arity < 2 {
        return Err(fault(format!("a {name} of arity {arity} does not branch"), "the arity is at least 2"));
    }
    let below = arity.pow(digits(n_nodes, arity));
    if below == n_nodes && n_nodes > 1 {
        return Ok(());
    }
    let sizes = match below.checked_mul(arity) {
        Some(above) if below > 1 => format!("{below} or {above}"),
        Some(above) => above.to_string(),
        None => below.to_string(),
    };
    Err(fault(format!("{n_nodes} nodes do not fill a {name} of arity {arity}"), format!("a power of {arity}: {sizes}")))
}

/// The numbers of neighbours one step up in each dimension; past the end is the beginning where `wraps`.
fn grid(n_nodes: u32, shape: &[u32], wraps: bool) -> Network {
    let mut network = Network::new(n_nodes, 0);
    for node in 0..n_nodes {
        let mut stride = 1;
        for &length in shape {
            let at = node / stride % length;
            let next = if at + 1 < length { Some(node + stride) } else { Some(node - at * stride).filter(|_| wraps && length > 2) };
            if let Some(next) = next {
                network.add_link(Vertex::Node(node), Vertex::Node(next));
            }
            stride *= length;
        }
    }
    network
}

fn star(n_nodes: u32) -> Network {
    let mut network = Network::new(n_nodes, 1);
    (0..n_nodes).for_each(|node| network.add_link(Vertex::Node(node), Vertex::Switch(0)));
    network
}

fn full(n_nodes: u32) -> Network {
    let mut network = Network::new(n_nodes, 0);
    for node in 0..n_nodes {
        (node + 1..n_nodes).for_each(|other| network.add_link(Vertex::Node(node), Vertex::Node(other)));
    }
    network
}

/// Switches by level from the root: those of a level of `w` are numbered from `(w - 1) / (arity - 1)` on.
fn tree(n_nodes: u32, arity: u32) -> Network {
    let first = |width: u32| (width - 1) / (arity - 1);
    let mut network = Network::new(n_nodes, first(n_nodes));
    let mut width = arity;
    while width <= n_nodes {
        for below in 0..width {
            let lower = if width == n_nodes { Vertex::Node(below) } else { Vertex::Switch(first(width) + below) };
            network.add_link(lower, Vertex::Switch(first(width / arity) + below / arity));
        }
        match width.checked_mul(arity) {
            Some(next) => width = next,
            None => break,
        }
    }
    network
}

/// Level 0 is next to the nodes. A switch of level l is linked with those of level l + 1 whose numbers differ in digit l alone.
fn fat_tree(n_nodes: u32, arity: u32) -> Network {
    let (levels, width) = (digits(n_nodes, arity), n_nodes / arity);
    let mut network = Network::new(n_nodes, levels * width);
    (0..n_nodes).for_each(|node| network.add_link(Vertex::Node(node), Vertex::Switch(node / arity)));
    for level in 0..levels - 1 {
        for switch in 0..width {
            for port in 0..arity {
                let above = with_digit(switch, level, arity, port);
                network.add_link(Vertex::Switch(level * width + switch), Vertex::Switch((level + 1) * width + above));
            }
        }
    }
    network
}

/// A wire has the number of a node; a stage's switch joins wires that differ in one digit alone, the highest first.
fn butterfly(n_nodes: u32, arity: u32) -> Network {
    let (stages, width) = (digits(n_nodes, arity), n_nodes / arity);
    let switch = |stage: u32, wire: u32| Vertex::Switch(stage * width + without_digit(wire, stages - 1 - stage, arity));
    stages_of(n_nodes, stages, width, switch)
}

/// Before each stage wires are shuffled: the highest digit becomes the lowest, by which a switch's wires differ.
fn omega(n_nodes: u32, arity: u32) -> Network {
    let (stages, width) = (digits(n_nodes, arity), n_nodes / arity);
    // After so many shuffles the digit that a stage replaces stands last: the others' order is what the shuffles left.
    let switch = |stage: u32, wire: u32| {
        let mut shuffled = wire;
        for _ in 0..=stage {
            shuffled = shuffled % width * arity + shuffled / width;
        }
        Vertex::Switch(stage * width + shuffled / arity)
    };
    stages_of(n_nodes, stages, width, switch)
}

/// Wires from the nodes through the switch that each has in every stage, and back to the nodes.
fn stages_of(n_nodes: u32, stages: u32, width: u32, switch: impl Fn(u32, u32) -> Vertex) -> Network {
    let mut network = Network::new(n_nodes, stages * width);
    (0..n_nodes).for_each(|wire| network.add_channel(Vertex::Node(wire), switch(0, wire)));
    for stage in 1..stages {
        (0..n_nodes).for_each(|wire| network.add_channel(switch(stage - 1, wire), switch(stage, wire)));
    }
    (0..n_nodes).for_each(|wire| network.add_channel(switch(stages - 1, wire), Vertex::Node(wire)));
    network
}

/// The router of a group that is linked with another group.
pub(super) fn gateway(group: u32, other: u32, routers: u32, global: u32) -> u32 {
    let groups = routers * global + 1;
    (other + groups - group - 1) % groups / global
}

fn dragonfly(n_nodes: u32, routers: u32, global: u32, nodes: u32) -> Network {
    let groups = routers * global + 1;
    let router = |group: u32, number: u32| Vertex::Switch(group * routers + number);
    let mut network = Network::new(n_nodes, groups * routers);
    (0..n_nodes).for_each(|node| network.add_link(Vertex::Node(node), Vertex::Switch(node / nodes)));
    for group in 0..groups {
        for one in 0..routers {
            (one + 1..routers).for_each(|other| network.add_link(router(group, one), router(group, other)));
        }
        for other in group + 1..groups {
            let ends = (gateway(group, other, routers, global), gateway(other, group, routers, global));
            network.add_link(router(group, ends.0), router(other, ends.1));
        }
    }
    network
}

fn custom(n_nodes: u32, switches: u32, links: &[(Vertex, Vertex)]) -> Result<Network, TopologyFault> {
    let mut network = Network::new(n_nodes, switches);
    for &(a, b) in links {
        for end in [a, b] {
            let there = match end {
                Vertex::Node(node) => node < n_nodes,
                Vertex::Switch(switch) => switch < switches,
            };
            if !there {
                let help = format!("there are {n_nodes} nodes and {switches} switches, numbered from 0");
                return Err(fault(format!("a link ends at {end}, which is not there"), help));
            }
        }
        if a == b {
            return Err(fault(format!("a link joins {a} with itself"), "a link has two ends"));
        }
        network.add_link(a, b);
    }
    let distances = network.distances_to(0);
    if let Some(node) = (0..n_nodes).find(|&node| distances[node as usize].is_none()) {
        let message = format!("no links lead from node[{node}] to node[0]");
        return Err(fault(message, "every two nodes have to be joined, by links or by switches"));
    }
    Ok(network)
}
