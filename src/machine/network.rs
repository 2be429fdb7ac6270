//! `[interconnect]`: what joins the nodes of a machine.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::base::diagnostic::{Diagnostic, Diagnostics};
use crate::base::document::{At, Field, Place, Shape, Value, Whole, Word};
use crate::base::quantity::{Bandwidth, ByteSize, Duration};
use crate::base::time::Time;
use crate::components::homes::DirectorySpec;
use crate::components::interface::InterfaceSpec;
use crate::components::network::{NetworkSpec, Switching};
use crate::interconnect::{Routes, Routing, Topology, Vertex, cycle};
use crate::machine::keys::Capacity;
use crate::{choice, section};

/// Messages up to so many bytes are sent eagerly where nothing else is said.
pub const USUAL_EAGER_BYTES: u64 = 8192;

/// Latencies of links and switches up to this are taken for meant: a second.
const LONGEST: Time = Time(1_000_000_000_000);

section! {
    /// What joins the nodes: which links there are, how packets find their way, and how long that takes.
    pub struct NetworkKeys {
        /// Which nodes and switches are linked.
        topology: TopologyKey,
        /// Lengths of a mesh or torus, the dimension first that counts fastest: [4, 4]. Their product is the number of nodes. As square
        /// as it gets unless told.
        shape: Option<Vec<At<Whole<1, 65_536>>>>,
        /// Branches of a tree, channels up of a fat tree's switch, channels out of a butterfly's or omega's; 2 unless told.
        arity: Option<Whole<2, 1024>>,
        /// Routers in a group of a dragonfly; 4 unless told.
        routers: Option<Whole<1, 64>>,
        /// Links of a dragonfly's router to other groups; 2 unless told.
        global: Option<Whole<1, 64>>,
        /// Nodes at a dragonfly's router; 2 unless told.
        per_router: Option<Whole<1, 64>>,
        /// Switches of a custom topology; none unless told.
        switches: Option<Whole<0, 65_536>>,
        /// Links of a custom topology, each between two of `node[N]` and `switch[N]`, such as `node[0] - switch[0]`.
        links: Option<Vec<At<String>>>,
        /// How the way of a packet is found; the topology's usual routing unless told.
        routing: Option<RoutingKey>,
        /// Virtual channels of each channel, of each kind of packet (requests, forwards, responses); as many as the routing needs to be
        /// free of deadlock unless told.
        virtual_channels: Option<Whole<1, 8>>,
        /// Each channel of a link, of which there is one each way.
        link: ChannelKeys,
        /// From a packet's coming to a switch, or to a node that passes it on, to its asking for the next channel.
        switch: Duration = Duration(Time::ZERO),
        /// When a packet leaves a switch.
        switching: SwitchingKey = SwitchingKey::CutThrough,
        /// What each packet takes beside what it carries.
        header: HeaderBytes = HeaderBytes(0),
        /// The most that a packet carries; what is longer is cut.
        packet: Capacity<0x4000_0000> = Capacity(4096),
        /// Packets that the buffer at a channel's end holds of each virtual channel.
        buffers: Whole<1, 65_536> = Whole(8),
        /// Whether a machine is refused whose packets can wait for each other in a circle. Set it false to see that happen.
        check_deadlock: bool = true,
    }
    later {
        "flits" => "routers that move flits are",
        "adaptive" => "adaptive routing is",
    }
}

section! {
    /// A channel.
    pub struct ChannelKeys {
        /// From the beginning of a packet to its head at the other end.
        latency: Duration,
        /// What it moves; "unlimited": a packet of any length in no time.
        bandwidth: LinkBandwidth,
    }
}

section! {
    /// What messages cost beside the network, in the terms of LogGP: overhead of the core, gap between messages.
    pub struct InterfaceKeys {
        /// What a core spends on a message that it sends.
        send_overhead: Duration = Duration(Time::ZERO),
        /// What a core spends on a message that it receives.
        receive_overhead: Duration = Duration(Time::ZERO),
        /// The least time from one message of the interface to its next.
        gap: Duration = Duration(Time::ZERO),
        /// Messages of up to so many bytes are sent whether anyone waits for them or not; longer ones wait for their receive (rendezvous).
        eager: EagerBytes = EagerBytes(USUAL_EAGER_BYTES),
    }
}

impl InterfaceKeys {
    /// As parts take it.
    pub fn spec(&self) -> InterfaceSpec {
        InterfaceSpec {
            send_overhead: self.send_overhead.0,
            receive_overhead: self.receive_overhead.0,
            gap: self.gap.0,
            eager_bytes: self.eager.0,
        }
    }
}

section! {
    /// What keeps track of the copies of a memory's lines, where several nodes have one address space and their cores private caches.
    pub struct DirectoryKeys {
        /// From a packet to what it makes the home do: looking up who has copies.
        latency: Duration = Duration(Time::ZERO),
        /// Cores that the directory can note as sharers of a line; of more, all cores are told when one writes (limited pointers with
        /// broadcast). Absent: all (a full map).
        pointers: Option<Whole<1, 1024>>,
    }
}

impl DirectoryKeys {
    /// As parts take it.
    pub fn spec(&self) -> DirectorySpec {
        let usual = DirectorySpec::default();
        DirectorySpec { latency: self.latency.0, pointers: self.pointers.map_or(usual.pointers, |pointers| pointers.0 as u32) }
    }
}

/// Bytes, or no end to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EagerBytes(pub u64);

impl Field for EagerBytes {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<EagerBytes> {
        if value.text() == Some(UNLIMITED) {
            return Some(EagerBytes(u64::MAX));
        }
        ByteSize::read(value, path, faults).map(|size| EagerBytes(size.0))
    }

    fn write(&self) -> Json {
        if self.0 == u64::MAX { json!(UNLIMITED) } else { ByteSize(self.0).write() }
    }

    fn shape() -> Shape {
        let word = Word { name: UNLIMITED, doc: "Messages of any length.".to_string() };
        Shape::Either(vec![ByteSize::shape(), Shape::Words { words: vec![word], later: Vec::new() }])
    }
}

/// Bytes per second, or no end to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkBandwidth(pub Option<Bandwidth>);

const UNLIMITED: &str = "unlimited";

impl Field for LinkBandwidth {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<LinkBandwidth> {
        if value.text() == Some(UNLIMITED) {
            return Some(LinkBandwidth(None));
        }
        Bandwidth::read(value, path, faults).map(|bandwidth| LinkBandwidth(Some(bandwidth)))
    }

    fn write(&self) -> Json {
        self.0.map_or_else(|| json!(UNLIMITED), |bandwidth| bandwidth.write())
    }

    fn shape() -> Shape {
        let word = Word { name: UNLIMITED, doc: "Packets of any length move in no time.".to_string() };
        Shape::Either(vec![Bandwidth::shape(), Shape::Words { words: vec![word], later: Vec::new() }])
    }
}

/// Bytes of a header, up to a KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderBytes(pub u32);

impl Field for HeaderBytes {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<HeaderBytes> {
        let size = ByteSize::read(value, path, faults)?;
        if size.0 <= 1024 {
            return Some(HeaderBytes(size.0 as u32));
        }
        let message = format!("`{path}` cannot be {size}");
        faults.push(value.place.fault(message).key(path).help("from 0 B to 1 KiB"));
        None
    }

    fn write(&self) -> Json {
        ByteSize(u64::from(self.0)).write()
    }

    fn shape() -> Shape {
        ByteSize::shape()
    }
}

choice! {
    /// Which nodes and switches are linked (Dally and Towles, "Principles and Practices of Interconnection Networks", 2004).
    pub enum TopologyKey {
        /// Nodes in a row, each linked with its neighbours.
        Line = "line",
        /// The same with its ends joined.
        Ring = "ring",
        /// Every node linked with the one switch.
        Star = "star",
        /// The same, whose switch is a crossbar.
        Crossbar = "crossbar",
        /// Every node linked with every other.
        Full = "full",
        /// Nodes in columns, rows and so on.
        Mesh = "mesh",
        /// The same with its ends joined.
        Torus = "torus",
        /// Nodes linked whose numbers differ in one bit.
        Hypercube = "hypercube",
        /// Nodes as the leaves of a tree of switches.
        Tree = "tree",
        /// A k-ary n-tree: each switch has as many links up as down.
        FatTree = "fat-tree",
        /// Stages of switches, one way from nodes to nodes.
        Butterfly = "butterfly",
        /// The same joined by perfect shuffles.
        Omega = "omega",
        /// Groups of routers, every two groups linked once.
        Dragonfly = "dragonfly",
        /// As `links` says.
        Custom = "custom",
    }
}

choice! {
    /// How the way of a packet is found.
    pub enum RoutingKey {
        /// One dimension after the other; where the ends are joined, the shorter way round, with datelines.
        DimensionOrder = "dimension-order",
        /// Up a spanning tree, then down.
        UpDown = "up-down",
        /// Up to the nearest switch above both, then down; up by the destination's digits (D-mod-k).
        NearestCommonAncestor = "nearest-common-ancestor",
        /// At each stage by a digit of the destination.
        DestinationTag = "destination-tag",
        /// Any shortest way.
        ShortestPath = "shortest-path",
        /// At most one link between groups.
        MinimalDragonfly = "minimal-dragonfly",
    }
}

choice! {
    /// When a packet leaves a switch.
    pub enum SwitchingKey {
        /// As soon as its head is there (virtual cut-through).
        CutThrough = "cut-through",
        /// When all of it is there.
        StoreAndForward = "store-and-forward",
    }
}

impl RoutingKey {
    fn routing(self) -> Routing {
        match self {
            RoutingKey::DimensionOrder => Routing::DimensionOrder,
            RoutingKey::UpDown => Routing::UpDown,
            RoutingKey::NearestCommonAncestor => Routing::NearestCommonAncestor,
            RoutingKey::DestinationTag => Routing::DestinationTag,
            RoutingKey::ShortestPath => Routing::ShortestPath,
            RoutingKey::MinimalDragonfly => Routing::MinimalDragonfly,
        }
    }
}

/// An interconnect that can be built, with what is known of it.
#[derive(Clone, Debug)]
pub struct Joined {
    pub topology: Topology,
    pub routing: Routing,
    pub spec: Arc<NetworkSpec>,
}

/// What the keys say of an interconnect of so many nodes.
///
/// # Errors
/// Keys that say nothing about the topology, what cannot be joined or routed so, and packets that can wait for each other in a circle.
pub fn joined(keys: &At<NetworkKeys>, n_nodes: u32) -> Result<Joined, Diagnostics> {
    check_keys(keys)?;
    let topology = topology(keys, n_nodes)?;
    let fault = |place: &Place, key: &str, message: String, help: Option<String>| {
        let mut fault = place.fault(message).key(format!("interconnect.{key}"));
        fault.help = help;
        vec![fault]
    };
    let graph = topology.build(n_nodes).map_err(|found| fault(&keys.topology.place, "topology", found.message, found.help))?;
    let routing = keys.routing.value.map_or_else(|| Routing::usual(&topology), RoutingKey::routing);
    let channels = keys.virtual_channels.value.as_ref().map_or_else(|| routing.virtual_channels(&topology), |own| own.0 as u8);
    let routes = Routes::new(&topology, &graph, routing, channels)
        .map_err(|found| fault(&keys.routing.place, "routing", found.message, found.help))?;
    if keys.check_deadlock.value
        && let Some(knot) = cycle(&graph, &routes)
    {
        let several = routes.virtual_channels() > 1;
        let hops = knot.iter().map(|hop| {
            let lane = if several { format!(" (virtual channel {})", hop.virtual_channel) } else { String::new() };
            format!("{}{lane}", graph.describe(hop.channel))
        });
        let hops: Vec<String> = hops.collect();
        let needed = routing.virtual_channels(&topology);
        let help = match channels < needed {
            true => format!("{needed} virtual channels are free of it; `check_deadlock = false` lets it happen"),
            false => "another routing may be free of it; `check_deadlock = false` lets it happen".to_string(),
        };
        let message = format!("packets can wait for each other in a circle: {}, then the first again", hops.join(", "));
        let place = if keys.virtual_channels.given { &keys.virtual_channels.place } else { &keys.routing.place };
        return Err(fault(place, "virtual_channels", message, Some(help)));
    }
    for (place, key, duration) in
        [(&keys.link.latency.place, "link.latency", keys.link.latency.0), (&keys.switch.place, "switch", keys.switch.0)]
    {
        if duration > LONGEST {
            return Err(fault(place, key, "a packet comes to the other end within a second".to_string(), None));
        }
    }
    let spec = NetworkSpec {
        graph: Arc::new(graph),
        routes: Arc::new(routes),
        latency: keys.link.latency.0,
        bandwidth_bytes_per_second: keys.link.bandwidth.0.map(|bandwidth| bandwidth.bytes_per_second()),
        switch_delay: keys.switch.0,
        switching: match keys.switching.value {
            SwitchingKey::CutThrough => Switching::CutThrough,
            SwitchingKey::StoreAndForward => Switching::StoreAndForward,
        },
        header_bytes: keys.header.0,
        packet_bytes: keys.packet.0 as u32,
        buffers: keys.buffers.0 as u32,
    };
    Ok(Joined { topology, routing, spec: Arc::new(spec) })
}

/// A key that says nothing about this topology is no slip to pass over.
fn check_keys(keys: &NetworkKeys) -> Result<(), Diagnostics> {
    use TopologyKey::{Butterfly, Custom, Dragonfly, FatTree, Mesh, Omega, Torus, Tree};
    let own = keys.topology.value;
    let given: [(&str, bool, &Place, &[TopologyKey]); 7] = [
        ("shape", keys.shape.is_some(), &keys.shape.place, &[Mesh, Torus]),
        ("arity", keys.arity.is_some(), &keys.arity.place, &[Tree, FatTree, Butterfly, Omega]),
        ("routers", keys.routers.is_some(), &keys.routers.place, &[Dragonfly]),
        ("global", keys.global.is_some(), &keys.global.place, &[Dragonfly]),
        ("per_router", keys.per_router.is_some(), &keys.per_router.place, &[Dragonfly]),
        ("switches", keys.switches.is_some(), &keys.switches.place, &[Custom]),
        ("links", keys.links.is_some(), &keys.links.place, &[Custom]),
    ];
    let strange = given.into_iter().filter(|(_, is_given, _, of)| *is_given && !of.contains(&own));
    let faults: Vec<Diagnostic> = strange
        .map(|(key, _, place, of)| {
            let of: Vec<&str> = of.iter().map(|topology| topology.word()).collect();
            let message = format!("`interconnect.{key}` says nothing about a {}", own.word());
            place.fault(message).key(format!("interconnect.{key}")).help(format!("it belongs to {}; leave it out", of.join(", ")))
        })
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Two lengths of which neither is much longer than the other.
fn squarest(nodes: u32) -> Vec<u32> {
    let short = (1..=nodes.isqrt()).rev().find(|length| nodes.is_multiple_of(*length)).unwrap_or(1);
    vec![nodes / short, short]
}

fn topology(keys: &NetworkKeys, n_nodes: u32) -> Result<Topology, Diagnostics> {
    let shape =
        keys.shape.value.as_ref().map_or_else(|| squarest(n_nodes), |shape| shape.iter().map(|length| length.0 as u32).collect());
    let arity = keys.arity.value.as_ref().map_or(2, |arity| arity.0 as u32);
    let number = |key: &Option<Whole<1, 64>>, usual: u32| key.as_ref().map_or(usual, |number| number.0 as u32);
    Ok(match keys.topology.value {
        TopologyKey::Line => Topology::Line,
        TopologyKey::Ring => Topology::Ring,
        TopologyKey::Star => Topology::Star,
        TopologyKey::Crossbar => Topology::Crossbar,
        TopologyKey::Full => Topology::Full,
        TopologyKey::Mesh => Topology::Mesh(shape),
        TopologyKey::Torus => Topology::Torus(shape),
        TopologyKey::Hypercube => Topology::Hypercube,
        TopologyKey::Tree => Topology::Tree { arity },
        TopologyKey::FatTree => Topology::FatTree { arity },
        TopologyKey::Butterfly => Topology::Butterfly { arity },
        TopologyKey::Omega => Topology::Omega { arity },
        TopologyKey::Dragonfly => Topology::Dragonfly {
            routers: number(&keys.routers.value, 4),
            global: number(&keys.global.value, 2),
            nodes: number(&keys.per_router.value, 2),
        },
        TopologyKey::Custom => {
            let links = keys.links.value.iter().flatten().map(link).collect::<Result<Vec<_>, _>>().map_err(|fault| vec![*fault])?;
            Topology::Custom { switches: keys.switches.value.as_ref().map_or(0, |switches| switches.0 as u32), links }
        }
    })
}

/// The topology of an interconnect that a record tells, as the keys write it.
pub fn topology_of(config: &Json, n_nodes: u32) -> Option<Topology> {
    let number = |key: &str, usual: u32| config.get(key).and_then(Json::as_u64).map_or(usual, |number| number as u32);
    let list = |key: &str| config.get(key).and_then(Json::as_array);
    let lengths = |list: &Vec<Json>| list.iter().filter_map(Json::as_u64).map(|length| length as u32).collect();
    let shape = || list("shape").map_or_else(|| squarest(n_nodes), lengths);
    let arity = number("arity", 2);
    Some(match config.get("topology")?.as_str()? {
        "line" => Topology::Line,
        "ring" => Topology::Ring,
        "star" => Topology::Star,
        "crossbar" => Topology::Crossbar,
        "full" => Topology::Full,
        "mesh" => Topology::Mesh(shape()),
        "torus" => Topology::Torus(shape()),
        "hypercube" => Topology::Hypercube,
        "tree" => Topology::Tree { arity },
        "fat-tree" => Topology::FatTree { arity },
        "butterfly" => Topology::Butterfly { arity },
        "omega" => Topology::Omega { arity },
        "dragonfly" => {
            Topology::Dragonfly { routers: number("routers", 4), global: number("global", 2), nodes: number("per_router", 2) }
        }
        "custom" => {
            let links = list("links")?.iter().map(|text| ends(text.as_str()?)).collect::<Option<Vec<_>>>()?;
            Topology::Custom { switches: number("switches", 0), links }
        }
        _ => return None,
    })
}

/// `node[0] - switch[3]`.
fn ends(text: &str) -> Option<(Vertex, Vertex)> {
    let vertex = |end: &str| {
        let (kind, number) = end.trim().strip_suffix(']')?.split_once('[')?;
        let number = number.parse().ok()?;
        match kind {
            "node" => Some(Vertex::Node(number)),
            "switch" => Some(Vertex::Switch(number)),
            _ => None,
        }
    };
    let (from, to) = text.split_once(" - ")?;
    Some((vertex(from)?, vertex(to)?))
}

fn link(text: &At<String>) -> Result<(Vertex, Vertex), Box<Diagnostic>> {
    ends(text).ok_or_else(|| {
        let message = format!("\"{}\" is not a link", text.value);
        Box::new(
            text.place.fault(message).key("interconnect.links").help("write \"node[0] - switch[0]\", or \"node[0] - node[1]\""),
        )
    })
}
