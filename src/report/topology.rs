//! Pictures of interconnects: nodes as squares, switches as circles, links in the colour of how busy they are.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use super::facts::Facts;
use super::figure::{About, Anchor, Figure, Table};
use super::human;
use super::palette::{ACCENT, HEAT, Ink, MUTED, ON_HEAT, PANEL, RULE, TEXT, heat};
use super::svg::{Letters, Rect, Svg};
use crate::interconnect::{Network, Topology, Vertex, VertexNumber};
use crate::machine::network::topology_of;

/// Pixels of the picture.
const WIDTH: u32 = 860;
const HEIGHT: u32 = 560;
const MARGIN: f64 = 30.0;
/// Vertices beyond this are drawn without their numbers.
const MOST_NUMBERED: u32 = 128;

/// A place in a plane, in any unit.
type Place = (f64, f64);

/// Where each vertex stands.
fn places(topology: &Topology, network: &Network) -> Vec<Place> {
    let n = network.n_nodes();
    match topology {
        Topology::Line => (0..n).map(|node| (f64::from(node), 0.0)).collect(),
        Topology::Mesh(shape) | Topology::Torus(shape) => (0..n).map(|node| in_grid(node, shape)).collect(),
        Topology::Hypercube => (0..n).map(in_cube).collect(),
        Topology::Ring | Topology::Full => (0..n).map(|node| on_circle(node, n, 1.0)).collect(),
        Topology::Star | Topology::Crossbar => (0..n).map(|node| on_circle(node, n, 1.0)).chain([(0.0, 0.0)]).collect(),
        Topology::Tree { .. } | Topology::FatTree { .. } => in_levels(network, true),
        Topology::Butterfly { .. } | Topology::Omega { .. } => in_levels(network, false),
        Topology::Dragonfly { routers, global, nodes } => dragonfly(n, *routers, *global, *nodes),
        Topology::Custom { .. } => {
            let switches = network.n_vertices() - n;
            let outside = (0..n).map(|node| on_circle(node, n, 1.0));
            outside.chain((0..switches).map(|switch| on_circle(switch, switches, if switches == 1 { 0.0 } else { 0.5 }))).collect()
        }
    }
}

/// On a circle, the first at the top.
fn on_circle(number: u32, of: u32, radius: f64) -> Place {
    let angle = TAU * f64::from(number) / f64::from(of.max(1));
    (radius * libm::sin(angle), -radius * libm::cos(angle))
}

/// In columns and rows; further dimensions side by side, a little lower each, so that no link lies on other nodes.
fn in_grid(node: u32, shape: &[u32]) -> Place {
    let (mut rest, mut place, mut step) = (node, (0.0, 0.0), (1.0, 1.0));
    for (dimension, &length) in shape.iter().enumerate() {
        let at = f64::from(rest % length.max(1));
        rest /= length.max(1);
        let aslant = if dimension < 2 { 0.0 } else { 0.4 * at };
        if dimension.is_multiple_of(2) {
            place = (place.0 + at * step.0, place.1 + aslant);
            step.0 *= f64::from(length) + 1.0;
        } else {
            place = (place.0 + aslant, place.1 + at * step.1);
            step.1 *= f64::from(length) + 1.0;
        }
    }
    place
}

/// A cube aslant, and larger cubes of cubes: each bit has a direction of its own.
fn in_cube(node: u32) -> Place {
    let mut place = (0.0, 0.0);
    for bit in (0..32_u32).filter(|bit| node >> bit & 1 == 1) {
        let of_cubes = f64::from(bit / 3);
        let (degrees, length) = [(5.0, 1.0), (85.0, 1.0), (42.0, 0.6)][bit as usize % 3];
        let angle = TAU * (degrees + 11.0 * of_cubes) / 360.0;
        let far = length * 2.5_f64.powi(bit as i32 / 3);
        place = (place.0 + far * libm::cos(angle), place.1 + far * libm::sin(angle));
    }
    place
}

/// Nodes in a row, switches above them by their distance from the nearest node; or from left to right.
fn in_levels(network: &Network, upwards: bool) -> Vec<Place> {
    let vertices = network.n_vertices();
    let mut level: Vec<Option<u32>> = vec![None; vertices as usize];
    let mut front: Vec<VertexNumber> = (0..network.n_nodes()).collect();
    for distance in 0.. {
        front.retain(|&vertex| level[vertex as usize].is_none());
        if front.is_empty() {
            break;
        }
        for &vertex in &front {
            level[vertex as usize] = Some(distance);
        }
        front = front.iter().flat_map(|&vertex| network.out(vertex)).map(|(_, to)| to).collect();
    }
    let mut of_level: BTreeMap<u32, u32> = BTreeMap::new();
    for level in level.iter().flatten() {
        *of_level.entry(*level).or_default() += 1;
    }
    let mut seen: BTreeMap<u32, u32> = BTreeMap::new();
    let place = |level: Option<u32>| {
        let level = level.unwrap_or(0);
        let number = seen.entry(level).or_default();
        let across = (f64::from(*number) + 0.5) / f64::from(of_level[&level]);
        *number += 1;
        if upwards { (across, -f64::from(level)) } else { (f64::from(level), across) }
    };
    level.into_iter().map(place).collect()
}

/// Groups on a circle, their routers on smaller ones, and nodes outside of their router.
fn dragonfly(n: u32, routers: u32, global: u32, nodes: u32) -> Vec<Place> {
    let groups = routers * global + 1;
    let of_router = |router: u32, radius: f64| {
        let group = on_circle(router / routers, groups, 1.0);
        let own = on_circle(router % routers, routers, radius);
        (group.0 + own.0, group.1 + own.1)
    };
    let small = 1.2 / f64::from(groups).max(3.0);
    let node = |node: u32| {
        let (router, own) = (node / nodes.max(1), node % nodes.max(1));
        let (near, far) = (of_router(router, small), of_router(router, 1.8 * small));
        let aside = (f64::from(own) - f64::from(nodes - 1) / 2.0) * 0.5;
        (far.0 - aside * (far.1 - near.1), far.1 + aside * (far.0 - near.0))
    };
    (0..n).map(node).chain((0..n / nodes.max(1)).map(|router| of_router(router, small))).collect()
}

/// Places in pixels of the picture.
fn fit(places: Vec<Place>) -> Vec<Place> {
    let bounds = |of: fn(&Place) -> f64| {
        let values = places.iter().map(of);
        (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max))
    };
    let ((left, right), (top, bottom)) = (bounds(|place| place.0), bounds(|place| place.1));
    let across = |value: f64, (low, high): (f64, f64), pixels: u32| {
        let room = f64::from(pixels) - 2.0 * MARGIN;
        if high > low { MARGIN + (value - low) / (high - low) * room } else { f64::from(pixels) / 2.0 }
    };
    places.iter().map(|place| (across(place.0, (left, right), WIDTH), across(place.1, (top, bottom), HEIGHT))).collect()
}

/// The picture of a network; `busy` says of a channel for what share of the time it was, where anything ran.
pub fn picture(topology: &Topology, network: &Network, busy: &dyn Fn(u32) -> Option<f64>) -> Svg {
    let places = fit(places(topology, network));
    let mut svg = Svg::new(WIDTH, HEIGHT);
    let mut links: BTreeMap<(u32, u32), (Option<f64>, Vec<u32>)> = BTreeMap::new();
    for channel in 0..network.n_channels() {
        let (from, to) = network.ends(channel);
        let link = links.entry((from.min(to), from.max(to))).or_default();
        link.0 = match (link.0, busy(channel)) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
        link.1.push(channel);
    }
    for (&(from, to), (share, channels)) in &links {
        let each = channels.iter().map(|&channel| {
            let busy = busy(channel).map_or(String::new(), |share| format!(", busy {}", human::percent(share)));
            format!("{}{busy}", network.describe(channel))
        });
        svg.open(&each.collect::<Vec<_>>().join("; "));
        let (ink, width) = match share {
            Some(share) => (HEAT[heat(*share).max(1)], 1.5 + 4.0 * share),
            None => (MUTED, 1.2),
        };
        let (one, other) = (places[from as usize], places[to as usize]);
        if goes_round(topology, network.n_nodes(), from, to) {
            // Its ends, pointing outwards: the line itself would lie on all others of the row.
            for (end, far) in [(one, other), (other, one)] {
                let length = (end.0 - far.0).hypot(end.1 - far.1).max(1.0);
                let out = (end.0 + 16.0 * (end.0 - far.0) / length, end.1 + 16.0 * (end.1 - far.1) / length);
                svg.line(end, out, ink, width);
            }
        } else {
            svg.line(one, other, ink, width);
        }
        svg.close();
    }
    let size = (0.85 * closest(&places)).clamp(3.0, 26.0);
    for vertex in 0..network.n_vertices() {
        draw_vertex(&mut svg, network.vertex(vertex), places[vertex as usize], size, network.n_vertices() <= MOST_NUMBERED);
    }
    svg
}

/// The least distance between two vertices, across or down, in pixels.
fn closest(places: &[Place]) -> f64 {
    let mut sorted = places.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut least = f64::INFINITY;
    for (number, one) in sorted.iter().enumerate() {
        for other in &sorted[number + 1..] {
            if other.0 - one.0 >= least {
                break;
            }
            least = least.min((one.0 - other.0).abs().max((one.1 - other.1).abs()));
        }
    }
    least
}

/// Whether a link joins the ends of a torus's dimension.
fn goes_round(topology: &Topology, n_nodes: u32, from: u32, to: u32) -> bool {
    let Topology::Torus(shape) = topology else { return false };
    if from >= n_nodes || to >= n_nodes {
        return false;
    }
    let (mut from, mut to) = (from, to);
    shape.iter().any(|&length| {
        let apart = (from % length).abs_diff(to % length);
        (from, to) = (from / length, to / length);
        apart > 1
    })
}

fn draw_vertex(svg: &mut Svg, vertex: Vertex, at: Place, size: f64, numbered: bool) {
    let (number, radius, fill, ink): (u32, f64, Ink, Ink) = match vertex {
        Vertex::Node(number) => (number, 3.0, HEAT[0], ON_HEAT[0]),
        Vertex::Switch(number) => (number, size / 2.0, PANEL, TEXT),
    };
    svg.open(&vertex.to_string());
    let rect = Rect { x: at.0 - size / 2.0, y: at.1 - size / 2.0, width: size, height: size };
    svg.rect(rect, radius, fill, Some(if matches!(vertex, Vertex::Node(_)) { ACCENT } else { RULE }));
    if numbered && size >= 14.0 {
        let letters = Letters { size: (size * 0.5).min(12.0), ink, anchor: Anchor::Middle, bold: false };
        svg.text((at.0, at.1 + letters.size * 0.36), &number.to_string(), size, letters);
    }
    svg.close();
}

/// The network that a record's machine has, with how busy its links were.
pub fn of_record(facts: &Facts<'_>) -> Option<Figure> {
    let record = facts.record;
    let n_nodes = u32::try_from(facts.nodes.len()).ok()?;
    let topology = topology_of(record.machine.config.get("interconnect")?, n_nodes)?;
    let network = topology.build(n_nodes).ok()?;
    let time = record.time_ps.max(1) as f64;
    let shares: Vec<f64> = (0..network.n_channels())
        .map(|channel| {
            let path = format!("interconnect.{}.busy_ps", network.describe(channel).replace(' ', ""));
            record.metrics.get(&path).copied().unwrap_or(0) as f64 / time
        })
        .collect();
    let metric = |name: &str| record.metrics.get(&format!("interconnect.{name}")).copied().unwrap_or(0);
    let description = format!(
        "Nodes are squares, switches circles; a link has the colour and width of how busy its busier direction was. {} went over it in \
         {}, {} channels each on average.",
        human::plural(metric("bytes") as usize, "byte"),
        human::plural(metric("packets") as usize, "packet"),
        if metric("packets") == 0 { "no".to_owned() } else { format!("{:.1}", metric("hops") as f64 / metric("packets") as f64) },
    );
    let title = format!("Between the nodes: {}", topology.name());
    Some(figure(title, description, &topology, &network, &|channel| Some(shares[channel as usize])))
}

/// The network as a figure for a page or a file, with its links as a table.
pub fn figure(
    title: String,
    description: String,
    topology: &Topology,
    network: &Network,
    busy: &dyn Fn(u32) -> Option<f64>,
) -> Figure {
    let mut table = Table::new("The channels", &["channel", "busy#"]);
    let mut channels: Vec<(u32, Option<f64>)> = (0..network.n_channels()).map(|channel| (channel, busy(channel))).collect();
    channels.sort_by(|(a, one), (b, other)| other.unwrap_or(0.0).total_cmp(&one.unwrap_or(0.0)).then(a.cmp(b)));
    for (channel, share) in channels.into_iter().take(64) {
        table.row(vec![network.describe(channel), share.map_or_else(|| "—".to_owned(), human::percent)]);
    }
    Figure::picture(About { name: "network", title, description, table }, picture(topology, network, busy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vertex_of_every_topology_has_a_place_of_its_own() {
        let topologies = [
            (Topology::Line, 8),
            (Topology::Ring, 7),
            (Topology::Star, 9),
            (Topology::Full, 6),
            (Topology::Mesh(vec![4, 3]), 12),
            (Topology::Torus(vec![4, 4, 4]), 64),
            (Topology::Hypercube, 32),
            (Topology::Tree { arity: 3 }, 27),
            (Topology::FatTree { arity: 4 }, 64),
            (Topology::Omega { arity: 2 }, 16),
            (Topology::Dragonfly { routers: 4, global: 2, nodes: 2 }, 72),
            (
                Topology::Custom {
                    switches: 2,
                    links: vec![
                        (Vertex::Node(0), Vertex::Switch(0)),
                        (Vertex::Switch(0), Vertex::Switch(1)),
                        (Vertex::Switch(1), Vertex::Node(1)),
                    ],
                },
                2,
            ),
        ];
        for (topology, n) in topologies {
            let network = topology.build(n).unwrap();
            let places = fit(places(&topology, &network));
            assert_eq!(places.len(), network.n_vertices() as usize, "{topology:?}");
            let inside =
                |place: &Place| (0.0..=f64::from(WIDTH)).contains(&place.0) && (0.0..=f64::from(HEIGHT)).contains(&place.1);
            assert!(places.iter().all(inside), "{topology:?}");
            for (number, one) in places.iter().enumerate() {
                let apart = |other: &Place| (one.0 - other.0).abs() + (one.1 - other.1).abs() > 2.0;
                assert!(places[number + 1..].iter().all(apart), "{topology:?}: vertex {number} is covered");
            }
        }
    }

    #[test]
    fn a_busy_link_is_drawn_in_its_colour_and_says_how_busy() {
        let network = Topology::Line.build(2).unwrap();
        let body = picture(&Topology::Line, &network, &|channel| (channel == 0).then_some(0.9)).into_body();
        assert!(body.contains("busy 90") && body.contains(HEAT[4].light.hex().to_string().as_str()), "{body}");
    }
}
