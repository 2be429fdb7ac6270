//! `flynn topology NAME --nodes N`

use std::fmt::Write;

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use crate::cli::answer::{Answer, Failure, Outcome};
use crate::cli::arguments::FormatArguments;
use crate::cli::console::Console;
use crate::cli::layout::labelled;
use crate::interconnect::{Figures, Network, Routes, Routing, Topology, VirtualChannel, cycle};
use crate::report::dot;

/// Say what a topology is like: degree, diameter, mean distance, bisection, and whether packets can block each other for ever
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn topology torus --nodes 64 --shape 8,8
  flynn topology torus --nodes 64 --shape 8,8 --virtual-channels 1     packets that wait in a circle
  flynn topology fat-tree --nodes 64 --arity 4
  flynn topology dragonfly --routers 4 --global 2 --per-router 2
  flynn topology hypercube --nodes 16 --dot | neato -Tsvg > hypercube.svg

Distances are in channels from node to node: in a star it is one to the switch and one from there.")]
pub struct Arguments {
    /// line, ring, star, crossbar, full, mesh, torus, hypercube, tree, fat-tree, butterfly, omega or dragonfly
    #[arg(value_enum, hide_possible_values = true, value_name = "TOPOLOGY")]
    topology: Kind,

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
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    routers: Option<u32>,

    /// Links of a dragonfly's router to other groups [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    global: Option<u32>,

    /// Nodes at a dragonfly's router [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
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

fn routing(name: &str) -> Result<Routing, String> {
    let found = Routing::ALL.iter().find(|(known, _)| *known == name).map(|(_, routing)| *routing);
    found.ok_or_else(|| format!("there is {}", Routing::ALL.map(|(known, _)| known).join(", ")))
}

/// The nodes of a network where nobody says how many.
const USUAL_NODES: u32 = 16;

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    arguments.check_options()?;
    let (topology, n_nodes) = arguments.topology();
    let refuse = |message: String, help: Option<String>| {
        let failure = Failure::input(message);
        Err(match help {
            Some(help) => failure.help(help),
            None => failure,
        })
    };
    let network = match topology.build(n_nodes) {
        Ok(network) => network,
        Err(fault) => return refuse(fault.message, fault.help),
    };
    if arguments.dot {
        console.print(&dot::network(&network))?;
        return Ok(Answer::Yes);
    }
    let routing = arguments.routing.unwrap_or_else(|| Routing::usual(&topology));
    let virtual_channels = arguments.virtual_channels.unwrap_or_else(|| routing.virtual_channels(&topology));
    let routes = match Routes::new(&topology, &network, routing, virtual_channels) {
        Ok(routes) => routes,
        Err(fault) => return refuse(fault.message, fault.help),
    };
    let found =
        Found { figures: Figures::new(&network, &routes), knot: cycle(&network, &routes), topology, network, routing, routes };
    match arguments.format.is_json() {
        true => console.print_json(&found.document())?,
        false => console.print(&found.text())?,
    }
    Ok(if found.knot.is_none() { Answer::Yes } else { Answer::No })
}

impl Arguments {
    /// An option that says nothing about this topology is no slip to pass over.
    fn check_options(&self) -> Result<(), Failure> {
        use Kind::{Butterfly, Dragonfly, FatTree, Mesh, Omega, Torus, Tree};
        let given: [(&str, bool, &[Kind]); 5] = [
            ("--shape", !self.shape.is_empty(), &[Mesh, Torus]),
            ("--arity", self.arity.is_some(), &[Tree, FatTree, Butterfly, Omega]),
            ("--routers", self.routers.is_some(), &[Dragonfly]),
            ("--global", self.global.is_some(), &[Dragonfly]),
            ("--per-router", self.per_router.is_some(), &[Dragonfly]),
        ];
        match given.into_iter().find(|(_, is_given, of)| *is_given && !of.contains(&self.topology)) {
            Some((option, ..)) => {
                let name = self.topology.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
                Err(Failure::input(format!("`{option}` says nothing about a {name}"))
                    .help("`flynn topology --help` says which it belongs to"))
            }
            None => Ok(()),
        }
    }

    /// The topology, and how many nodes it joins.
    fn topology(&self) -> (Topology, u32) {
        let arity = self.arity.unwrap_or(2);
        let product = self.shape.iter().try_fold(1_u32, |product, &length| product.checked_mul(length));
        let nodes = self.nodes.or(product.filter(|_| !self.shape.is_empty())).unwrap_or(USUAL_NODES);
        let shape = if self.shape.is_empty() { squarest(nodes) } else { self.shape.clone() };
        let topology = match self.topology {
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
}

fn range((least, most): (u32, u32)) -> String {
    if least == most { least.to_string() } else { format!("{least} to {most}") }
}

fn channels(range_of: (u32, u32)) -> String {
    format!("{} {}", range(range_of), if range_of == (1, 1) { "channel" } else { "channels" })
}

fn count_switches(n: u32) -> String {
    if n == 1 { "1 switch".to_owned() } else { format!("{n} switches") }
}

fn plural(n: u32, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

impl Found {
    fn text(&self) -> String {
        let (network, figures) = (&self.network, &self.figures);
        let n_switches = network.n_vertices() - network.n_nodes();
        let switches = if n_switches == 0 { String::new() } else { format!(", {}", count_switches(n_switches)) };
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
        })
    }
}
