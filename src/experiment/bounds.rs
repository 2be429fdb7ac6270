//! Lower bounds on a run's time: what each resource would need if nothing else ever held it up.
//!
//! They are computed from what was moved and from the machine's description, not from the simulated timing, so that a run faster than
//! one of them is a fault of the simulator: [`broken`] says which.

use indexmap::IndexMap;

use crate::base::time::{PICOSECONDS_PER_SECOND, Time};
use crate::components::network::NetworkSpec;
use crate::components::spec::{InterconnectSpec, MemorySpec, NodeSpec, SnoopingSpec, TransportSpec};
use crate::experiment::why::count;

/// What a run cannot be faster than.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// Names it in a clause: "the data bus".
    pub name: &'static str,
    /// Names it at the head of a sentence.
    pub subject: &'static str,
    pub time_ps: u64,
    /// What it had to do.
    pub explanation: String,
    /// The metrics it rests on.
    pub evidence: Vec<String>,
}

/// The bounds of a run on these nodes, the nearest (largest) first; `network` joins them, where there are several.
pub fn bounds(nodes: &[NodeSpec], network: Option<&NetworkSpec>, metrics: &IndexMap<String, u64>) -> Vec<Bound> {
    let mut bounds = resources(nodes, network, metrics);
    bounds.extend(nodes.iter().enumerate().filter_map(|(i, node)| operations(i, node, metrics)));
    sorted(bounds)
}

/// Those of the bounds that are of something cores share: buses, shared caches, memory, links between nodes.
pub fn resources(nodes: &[NodeSpec], network: Option<&NetworkSpec>, metrics: &IndexMap<String, u64>) -> Vec<Bound> {
    let mut bounds = Vec::new();
    for (i, node) in nodes.iter().enumerate() {
        if let InterconnectSpec::Snooping(snooping) = &node.interconnect {
            bounds.push(link(i, node, snooping, metrics));
            let path = |name: &str| format!("node[{i}].interconnect.{name}");
            let transactions = metric(metrics, &path("transactions"));
            if network.is_some() {
                // Requests have wires of their own to wherever they go.
                continue;
            }
            let (name, subject) = match snooping.transport {
                TransportSpec::Ring { .. } => ("the ring's ordering point", "The ring's ordering point"),
                _ => ("the address bus", "The address bus"),
            };
            bounds.push(Bound {
                name,
                subject,
                time_ps: snooping.clock.edge(transactions * u64::from(snooping.address_cycles)).picoseconds(),
                explanation: format!("it carried {} transactions, one after the other", count(transactions)),
                evidence: vec![path("transactions"), path("address_busy_ps")],
            });
        }
    }
    for (i, node) in nodes.iter().enumerate() {
        bounds.extend(shared_cache(i, node, metrics));
        bounds.extend(memory(i, node, metrics));
    }
    bounds.extend(network.and_then(|network| channel(network, metrics)));
    sorted(bounds)
}

fn sorted(mut bounds: Vec<Bound>) -> Vec<Bound> {
    bounds.retain(|bound| bound.time_ps > 0);
    bounds.sort_by_key(|bound| std::cmp::Reverse(bound.time_ps));
    bounds
}

/// The bound that a run of this time breaks, if any. Clocks and channels round to whole cycles and picoseconds, and the first cycle of
/// a run may have begun before it: one cycle of slack a bound.
pub fn broken(time: Time, bounds: &[Bound]) -> Option<&Bound> {
    const SLACK_PS: u64 = 10_000;
    bounds.iter().find(|bound| bound.time_ps > time.picoseconds() + SLACK_PS)
}

fn metric(metrics: &IndexMap<String, u64>, path: &str) -> u64 {
    metrics.get(path).copied().unwrap_or(0)
}

/// The core with the most operations, at the cost of its cheapest operation each, or at the width of its window.
fn operations(i: usize, node: &NodeSpec, metrics: &IndexMap<String, u64>) -> Option<Bound> {
    let cheapest = u64::from(*node.core.costs.iter().min()?);
    let path = |j| format!("node[{i}].core[{j}].operations");
    let (j, operations) =
        (0..node.cores).map(|j| (j, metric(metrics, &path(j)))).max_by_key(|&(j, n)| (n, std::cmp::Reverse(j)))?;
    let (cycles, explanation) = match &node.core.out_of_order {
        None => {
            (operations * cheapest, format!("core {j} carried out {operations} operations, at {cheapest} cycle each at the least"))
        }
        Some(own) => {
            let width = u64::from(own.width);
            (operations / width, format!("core {j} carried out {operations} operations, at most {width} a cycle"))
        }
    };
    Some(Bound {
        name: "the busiest core's work",
        subject: "The work itself",
        time_ps: node.core.clock.edge(cycles).picoseconds(),
        explanation,
        evidence: vec![path(j)],
    })
}

/// The link that carried most.
fn link(i: usize, node: &NodeSpec, snooping: &SnoopingSpec, metrics: &IndexMap<String, u64>) -> Bound {
    let prefix = format!("node[{i}].interconnect.");
    let of_links = metrics.iter().filter_map(|(path, &bytes)| Some((path.strip_prefix(&prefix)?.strip_suffix(".bytes")?, bytes)));
    // Of equal ones the first.
    let most = of_links.rev().max_by_key(|&(_, bytes)| bytes);
    let (name, subject, link, path) = match (snooping.transport, most) {
        (TransportSpec::Crossbar { .. }, Some((link, _))) => {
            ("the crossbar's busiest port", "The crossbar's busiest port", format!("{link} "), format!("{prefix}{link}."))
        }
        (TransportSpec::Ring { .. }, Some((link, _))) => {
            ("the ring's busiest link", "The ring's busiest link", format!("{link} "), format!("{prefix}{link}."))
        }
        _ => ("the data bus", "The data bus", "it ".to_string(), prefix.clone()),
    };
    let bytes = metric(metrics, &format!("{path}bytes"));
    Bound {
        name,
        subject,
        time_ps: snooping.clock.edge(bytes.div_ceil(u64::from(snooping.width_bytes))).picoseconds(),
        explanation: format!(
            "{link}carried {} bytes, {} a cycle, so that a line takes {} of its cycles",
            count(bytes),
            snooping.width_bytes,
            node.outermost_line_bytes().div_ceil(snooping.width_bytes)
        ),
        evidence: vec![format!("{path}bytes"), format!("{path}busy_ps")],
    }
}

/// The channel between nodes that carried most.
fn channel(network: &NetworkSpec, metrics: &IndexMap<String, u64>) -> Option<Bound> {
    let bandwidth = network.bandwidth_bytes_per_second?;
    let of_channels = metrics.iter().filter_map(|(path, &bytes)| {
        let name = path.strip_prefix("interconnect.")?.strip_suffix(".bytes")?;
        (!name.starts_with("traffic")).then_some((name, bytes))
    });
    let (name, bytes) = of_channels.rev().max_by_key(|&(_, bytes)| bytes)?;
    let time_ps = u128::from(bytes) * u128::from(PICOSECONDS_PER_SECOND) / u128::from(bandwidth.max(1));
    Some(Bound {
        name: "the busiest link between nodes",
        subject: "The busiest link between nodes",
        time_ps: u64::try_from(time_ps).unwrap_or(u64::MAX),
        explanation: format!("{name} carried {} bytes at {:.1} GB/s", count(bytes), bandwidth as f64 / 1e9),
        evidence: vec![format!("interconnect.{name}.bytes"), format!("interconnect.{name}.busy_ps")],
    })
}

fn shared_cache(i: usize, node: &NodeSpec, metrics: &IndexMap<String, u64>) -> Option<Bound> {
    let llc = node.llc.as_ref()?;
    let path = |name: &str| format!("node[{i}].llc.{name}");
    let (accesses, bytes) = (metric(metrics, &path("accesses")), metric(metrics, &path("bytes_read")));
    let filled = bytes / u64::from(llc.cache.line_bytes);
    let cycles = (accesses + filled).div_ceil(u64::from(llc.banks)) * u64::from(llc.interval_cycles);
    Some(Bound {
        name: "the shared cache",
        subject: "The shared cache",
        time_ps: llc.clock.edge(cycles).picoseconds(),
        explanation: format!(
            "it took {} requests and {} lines from memory, each of which takes up {} for {} of its cycles",
            count(accesses),
            count(filled),
            if llc.banks == 1 { "it".to_string() } else { format!("one of its {} banks", llc.banks) },
            llc.interval_cycles
        ),
        evidence: vec![path("accesses"), path("bytes_read"), path("busy_ps")],
    })
}

fn memory(i: usize, node: &NodeSpec, metrics: &IndexMap<String, u64>) -> Option<Bound> {
    let MemorySpec::Simple(memory) = &node.memory else { return None };
    let path = |name: &str| format!("node[{i}].memory.{name}");
    let bytes = metric(metrics, &path("bytes_read")) + metric(metrics, &path("bytes_written"));
    let bandwidth = u128::from(memory.bandwidth_bytes_per_second) * u128::from(memory.channels);
    let time_ps = u128::from(bytes) * u128::from(PICOSECONDS_PER_SECOND) / bandwidth.max(1);
    Some(Bound {
        name: "the memory",
        subject: "The memory's bandwidth",
        time_ps: u64::try_from(time_ps).unwrap_or(u64::MAX),
        explanation: format!(
            "it moved {} bytes over {} of {:.1} GB/s",
            count(bytes),
            channels(memory.channels),
            memory.bandwidth_bytes_per_second as f64 / 1e9
        ),
        evidence: vec![path("bytes_read"), path("bytes_written")],
    })
}

fn channels(n: u32) -> String {
    if n == 1 { "one channel".into() } else { format!("{n} channels") }
}
