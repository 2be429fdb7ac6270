//! `flynn topology MACHINE`, `flynn topology NAME --nodes N`

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use crate::cli::answer::{Answer, Failure, Outcome};
use crate::cli::arguments::{FormatArguments, SetArguments};
use crate::cli::console::Console;
use crate::cli::layout::labelled;
use crate::cli::names::{Library, is_path};
use crate::components::interface::InterfaceSpec;
use crate::components::network::NetworkSpec;
use crate::interconnect::{Figures, Network, Routes, Routing, Topology, VirtualChannel, cycle};
use crate::machine::catalogue;
use crate::report::{dot, human, topology};

/// Say what a topology is like: degree, diameter, mean distance, bisection, and whether packets can block each other for ever
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn topology norma-hypercube-16 --picture hypercube.svg           what joins the nodes of a machine
  flynn topology torus --nodes 64 --shape 8,8
  flynn topology torus --nodes 64 --shape 8,8 --virtual-channels 1     packets that wait in a circle
  flynn topology fat-tree --nodes 64 --arity 4
  flynn topology dragonfly --routers 4 --global 2 --per-router 2
  flynn topology hypercube --nodes 16 --dot | neato -Tsvg > hypercube.svg

Distances are in channels from node to node: in a star it is one to the switch and one from there.")]
pub struct Arguments {
    /// A machine of several nodes, a name or a file; or line, ring, star, crossbar, full, mesh, torus, hypercube, tree, fat-tree,
    /// butterfly, omega or dragonfly
    #[arg(value_name = "MACHINE|TOPOLOGY")]
    of: String,

    /// How many nodes there are [default: 16, or as many as the shape or the groups have]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    nodes: Option<u32>,

    /// Lengths of a mesh or torus, the dimension first that counts fastest [default: as square as it gets]
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=65_536))]
    shape: Vec<u32>,

    /// Branches of a tree, channels up of a fat tree's switch, channels out of a butterfly's or omega's [default: 2]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..=1024))]
    arity: Option<u32>,

    /// Routers in a group of a dragonfly [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    routers: Option<u32>,

    /// Links of a dragonfly's router to other groups [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    global: Option<u32>,

    /// Nodes at a dragonfly's router [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    per_router: Option<u32>,

    /// dimension-order, up-down, nearest-common-ancestor, destination-tag, shortest-path or minimal-dragonfly [default: the topology's]
    #[arg(long, value_name = "NAME", value_parser = routing)]
    routing: Option<Routing>,

    /// Virtual channels of each channel [default: as many as the routing needs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=8))]
    virtual_channels: Option<u8>,

    /// Print the graph in the DOT language of Graphviz instead
    #[arg(long)]
    dot: bool,

    /// Write a picture of it as SVG
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,

    #[command(flatten)]
    set: SetArguments,

    #[command(flatten)]
    format: FormatArguments,
}

/// What is joined how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Line,
    Ring,
    Star,
    Crossbar,
    Full,
    Mesh,
    Torus,
    Hypercube,
    Tree,
    FatTree,
    Butterfly,
    Omega,
    Dragonfly,
}

impl Kind {
    /// All of them, as an option takes them.
    fn names() -> String {
        let names = Kind::value_variants().iter().filter_map(|kind| Some(kind.to_possible_value()?.get_name().to_owned()));
        names.collect::<Vec<_>>().join(", ")
    }
}

fn routing(name: &str) -> Result<Routing, String> {
    let found = Routing::ALL.iter().find(|(known, _)| *known == name).map(|(_, routing)| *routing);
    found.ok_or_else(|| format!("there is {}", Routing::ALL.map(|(known, _)| known).join(", ")))
}

/// The nodes of a network where nobody says how many.
const USUAL_NODES: u32 = 16;

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    let found = match Kind::from_str(&arguments.of, false) {
        Ok(kind) => arguments.of_topology(kind)?,
        Err(_) => arguments.of_machine()?,
    };
    if let Some(path) = &arguments.picture {
        found.write_picture(path)?;
    }
    if arguments.dot {
        console.print(&dot::network(&found.network))?;
        return Ok(Answer::Yes);
    }
    match arguments.format.is_json() {
        true => console.print_json(&found.document())?,
        false => console.print(&found.text(arguments.picture.as_deref()))?,
    }
    Ok(if found.knot.is_none() { Answer::Yes } else { Answer::No })
}

impl Arguments {
    /// What joins the nodes of a machine.
    fn of_machine(&self) -> Result<Found, Failure> {
        if let Some(option) = self.shaping_option() {
            let help = format!("the machine says that itself: `--set interconnect.KEY=VALUE`; topologies are {}", Kind::names());
            return Err(Failure::input(format!("`{option}` belongs to a topology, and {} is none", self.of)).help(help));
        }
        let library = Library::new();
        let unknown = |failure| match is_path(&self.of) {
            true => failure,
            false => Failure::input(format!("there is neither a machine nor a topology called `{}`", self.of))
                .help(format!("`flynn list machines` shows the machines; topologies are {}", Kind::names())),
        };
        let entry = library.find(catalogue::Kind::Machine, &self.of).map_err(unknown)?;
        let machine = library.resolve(&entry.source, &self.set.set)?;
        let joined = match machine.joined.clone() {
            Some(joined) => joined,
            None => {
                let failure = Failure::input(format!("{} has one node: there is nothing between nodes", self.of));
                return Err(failure.help(format!("take one of several nodes, or a topology: {}", Kind::names())));
            }
        };
        let graph = (*joined.spec.graph).clone();
        let found = Found::new(joined.topology, graph, joined.routing, (*joined.spec.routes).clone());
        Ok(Found { spec: Some((joined.spec, machine.spec().interface)), ..found })
    }

    /// A topology by itself.
    fn of_topology(&self, kind: Kind) -> Result<Found, Failure> {
        self.check_options(kind)?;
        if !self.set.set.is_empty() {
            return Err(Failure::input("`--set` gives keys of a machine other values").help("name a machine"));
        }
        let (topology, n_nodes) = self.topology(kind);
        let refuse = |message: String, help: Option<String>| match help {
            Some(help) => Failure::input(message).help(help),
            None => Failure::input(message),
        };
        let network = topology.build(n_nodes).map_err(|fault| refuse(fault.message, fault.help))?;
        let routing = self.routing.unwrap_or_else(|| Routing::usual(&topology));
        let virtual_channels = self.virtual_channels.unwrap_or_else(|| routing.virtual_channels(&topology));
        let routes =
            Routes::new(&topology, &network, routing, virtual_channels).map_err(|fault| refuse(fault.message, fault.help))?;
        Ok(Found::new(topology, network, routing, routes))
    }

    /// An option that shapes a topology, where one is given.
    fn shaping_option(&self) -> Option<&'static str> {
        let given = [
            ("--nodes", self.nodes.is_some()),
            ("--shape", !self.shape.is_empty()),
            ("--arity", self.arity.is_some()),
            ("--routers", self.routers.is_some()),
            ("--global", self.global.is_some()),
            ("--per-router", self.per_router.is_some()),
            ("--routing", self.routing.is_some()),
            ("--virtual-channels", self.virtual_channels.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
    }

    /// An option that says nothing about this topology is no slip to pass over.
    fn check_options(&self, topology: Kind) -> Result<(), Failure> {
        use Kind::{Butterfly, Dragonfly, FatTree, Mesh, Omega, Torus, Tree};
        let given: [(&str, bool, &[Kind]); 5] = [
            ("--shape", !self.shape.is_empty(), &[Mesh, Torus]),
            ("--arity", self.arity.is_some(), &[Tree, FatTree, Butterfly, Omega]),
            ("--routers", self.routers.is_some(), &[Dragonfly]),
            ("--global", self.global.is_some(), &[Dragonfly]),
            ("--per-router", self.per_router.is_some(), &[Dragonfly]),
        ];
        match given.into_iter().find(|(_, is_given, of)| *is_given && !of.contains(&topology)) {
            Some((option, ..)) => {
                let name = topology.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
                Err(Failure::input(format!("`{option}` says nothing about a {name}"))
                    .help("`flynn topology --help` says which it belongs to"))
            }
            None => Ok(()),
        }
    }

    /// The topology, and how many nodes it joins.
    fn topology(&self, kind: Kind) -> (Topology, u32) {
        let arity = self.arity.unwrap_or(2);
        let product = self.shape.iter().try_fold(1_u32, |product, &length| product.checked_mul(length));
        let nodes = self.nodes.or(product.filter(|_| !self.shape.is_empty())).unwrap_or(USUAL_NODES);
        let shape = if self.shape.is_empty() { squarest(nodes) } else { self.shape.clone() };
        let topology = match kind {
            Kind::Line => Topology::Line,
            Kind::Ring => Topology::Ring,
            Kind::Star => Topology::Star,
            Kind::Crossbar => Topology::Crossbar,
            Kind::Full => Topology::Full,
            Kind::Mesh => Topology::Mesh(shape),
            Kind::Torus => Topology::Torus(shape),
            Kind::Hypercube => Topology::Hypercube,
            Kind::Tree => Topology::Tree { arity },
            Kind::FatTree => Topology::FatTree { arity },
            Kind::Butterfly => Topology::Butterfly { arity },
            Kind::Omega => Topology::Omega { arity },
            Kind::Dragonfly => {
                let (routers, global, per_router) =
                    (self.routers.unwrap_or(4), self.global.unwrap_or(2), self.per_router.unwrap_or(2));
                let groups = routers * global + 1;
                let places = groups.saturating_mul(routers).saturating_mul(per_router);
                let topology = Topology::Dragonfly { routers, global, nodes: per_router };
                return (topology, self.nodes.unwrap_or(places));
            }
        };
        (topology, nodes)
    }
}

/// Two lengths of which neither is much longer than the other.
fn squarest(nodes: u32) -> Vec<u32> {
    let short = (1..=nodes.isqrt()).rev().find(|length| nodes.is_multiple_of(*length)).unwrap_or(1);
    vec![nodes / short, short]
}

/// All there is to say.
struct Found {
    topology: Topology,
    network: Network,
    routing: Routing,
    routes: Routes,
    figures: Figures,
    /// Packets that hold these wait for each other.
    knot: Option<Vec<VirtualChannel>>,
    /// Of a machine: what its network takes, and the interfaces to it where its nodes send messages.
    spec: Option<(Arc<NetworkSpec>, Option<InterfaceSpec>)>,
}

/// What a message costs in the terms of LogGP (Alexandrov, Ionescu, Schauser and Scheiman, SPAA 1995): for the nearest node, the mean
/// way and the farthest one, a message of a word.
struct LogGp {
    latency: [f64; 3],
    picoseconds_a_byte: f64,
}

impl LogGp {
    /// Bytes of the message whose latency is told.
    const WORD: u32 = 8;

    fn new(spec: &NetworkSpec, figures: &Figures) -> LogGp {
        let over = |channels: u32| spec.zero_load(channels, LogGp::WORD).0 as f64;
        // The latency is a straight line in the channels.
        let a_channel = over(2) - over(1);
        let least = figures.least_way;
        let mean = over(least) + (figures.mean_way - f64::from(least)) * a_channel;
        LogGp { latency: [over(least), mean, over(figures.longest_way)], picoseconds_a_byte: spec.picoseconds_a_byte() }
    }

    fn text(&self, interface: Option<&InterfaceSpec>) -> String {
        let [least, mean, most] = self.latency.map(human::time);
        let way = match least == most {
            true => format!("L {least} to every node"),
            false => format!("L {least} to the nearest node, {mean} on average, {most} to the farthest"),
        };
        let bytes = match self.picoseconds_a_byte {
            0.0 => "G nothing: no end to the bandwidth".to_owned(),
            each => format!("G {:.3} ns a byte ({:.2} GB/s, headers taken off)", each / 1000.0, 1000.0 / each),
        };
        let ends = interface.map_or(String::new(), |interface| {
            let [send, receive, gap] =
                [interface.send_overhead, interface.receive_overhead, interface.gap].map(|time| human::time(time.0 as f64));
            format!("o {send} to send and {receive} to receive, g {gap} between messages; ")
        });
        // Without interfaces there are no messages, but packets take as long.
        labelled(if interface.is_some() { "LogGP" } else { "zero load" }, &format!("{ends}{way} for a word; {bytes}"))
    }

    fn document(&self, interface: Option<&InterfaceSpec>) -> Json {
        let [least, mean, most] = self.latency;
        let overhead = |of: fn(&InterfaceSpec) -> u64| interface.map(of);
        json!({
            "send_overhead_ps": overhead(|interface| interface.send_overhead.0),
            "receive_overhead_ps": overhead(|interface| interface.receive_overhead.0),
            "gap_ps": overhead(|interface| interface.gap.0),
            "latency_nearest_ps": least,
            "latency_mean_ps": mean,
            "latency_farthest_ps": most,
            "ps_a_byte": self.picoseconds_a_byte,
        })
    }
}

fn range((least, most): (u32, u32)) -> String {
    if least == most { least.to_string() } else { format!("{least} to {most}") }
}

fn channels(range_of: (u32, u32)) -> String {
    format!("{} {}", range(range_of), if range_of == (1, 1) { "channel" } else { "channels" })
}

fn plural(n: u32, one: &str) -> String {
    // Figures of a network are small enough to need no grouping, and `switch` has a plural of its own.
    let ending = match one {
        _ if n == 1 => "",
        "switch" => "es",
        _ => "s",
    };
    format!("{n} {one}{ending}")
}

impl Found {
    fn new(topology: Topology, network: Network, routing: Routing, routes: Routes) -> Found {
        Found {
            figures: Figures::new(&network, &routes),
            knot: cycle(&network, &routes),
            spec: None,
            topology,
            network,
            routing,
            routes,
        }
    }

    fn write_picture(&self, path: &Path) -> Result<(), Failure> {
        let title = format!("{} of {}", self.topology.name(), human::plural(self.network.n_nodes() as usize, "node"));
        let figure = topology::figure(title, String::new(), &self.topology, &self.network, &|_| None);
        std::fs::write(path, figure.svg)
            .map_err(|error| Failure::input(format!("{} cannot be written: {error}", path.display())).help("name another file"))
    }

    fn text(&self, picture: Option<&Path>) -> String {
        let (network, figures) = (&self.network, &self.figures);
        let n_switches = network.n_vertices() - network.n_nodes();
        let switches = if n_switches == 0 { String::new() } else { format!(", {}", plural(n_switches, "switch")) };
        let shape = match &self.topology {
            Topology::Mesh(shape) | Topology::Torus(shape) => {
                format!(" of {}", shape.iter().map(u32::to_string).collect::<Vec<_>>().join(" x "))
            }
            _ => String::new(),
        };
        let name = self.topology.name();
        let mut text = format!(
            "{name}{shape}: {}{switches}, {}\n",
            plural(network.n_nodes(), "node"),
            plural(network.n_channels(), "channel")
        );
        let mut degree = format!("{} out of a node", channels(figures.node_degree));
        if let Some(switch) = figures.switch_degree {
            let _ = write!(degree, ", {} out of a switch", range(switch));
        }
        text += &labelled("degree", &degree);
        text += &labelled(
            "diameter",
            &format!("{}; the mean distance is {:.3}", plural(figures.diameter, "channel"), figures.mean_distance),
        );
        let bisection = &figures.bisection;
        let how = if bisection.all_tried { "of all halves" } else { "of halves by the digits of the nodes' numbers" };
        text += &labelled("bisection", &format!("{} each way, the least {how}", plural(bisection.channels, "channel")));
        let longer = match figures.mean_way > figures.mean_distance {
            true => format!(": ways are up to {} long, {:.3} on average", plural(figures.longest_way, "channel"), figures.mean_way),
            false => ": every way is as short as can be".to_owned(),
        };
        let virtual_channels = plural(u32::from(self.routes.virtual_channels()), "virtual channel");
        text += &labelled("routing", &format!("{}, {virtual_channels}{longer}", self.routing.name()));
        text += &match &self.knot {
            None => labelled("deadlock", "cannot happen: no chain of channels that packets hold and wait for closes"),
            Some(knot) => {
                let mut lines = labelled(
                    "deadlock",
                    "can happen: packets that hold these channels wait each for the next, the last for the first",
                );
                for hop in knot {
                    let _ = writeln!(lines, "             {}{}", network.describe(hop.channel), self.virtual_channel(hop));
                }
                lines
            }
        };
        if let Some((spec, interface)) = &self.spec {
            text += &LogGp::new(spec, figures).text(interface.as_ref());
        }
        if let Some(path) = picture {
            text += &labelled("picture", &path.display().to_string());
        }
        text
    }

    /// Where there are several, which one.
    fn virtual_channel(&self, hop: &VirtualChannel) -> String {
        if self.routes.virtual_channels() == 1 { String::new() } else { format!(", virtual channel {}", hop.virtual_channel) }
    }

    fn document(&self) -> Json {
        let (network, figures) = (&self.network, &self.figures);
        let knot = self.knot.as_ref().map(|knot| {
            knot.iter()
                .map(|hop| json!({ "channel": network.describe(hop.channel), "virtual_channel": hop.virtual_channel }))
                .collect::<Vec<_>>()
        });
        let log_gp = self.spec.as_ref().map(|(spec, interface)| LogGp::new(spec, figures).document(interface.as_ref()));
        json!({
            "ok": knot.is_none(),
            "topology": self.topology.name(),
            "nodes": network.n_nodes(),
            "switches": network.n_vertices() - network.n_nodes(),
            "channels": network.n_channels(),
            "node_degree": [figures.node_degree.0, figures.node_degree.1],
            "switch_degree": figures.switch_degree.map(|(least, most)| [least, most]),
            "diameter": figures.diameter,
            "mean_distance": figures.mean_distance,
            "bisection": { "channels": figures.bisection.channels, "all_halves_tried": figures.bisection.all_tried },
            "routing": self.routing.name(),
            "virtual_channels": self.routes.virtual_channels(),
            "longest_way": figures.longest_way,
            "mean_way": figures.mean_way,
            "deadlock": knot,
            "loggp": log_gp,
        })
    }
}
