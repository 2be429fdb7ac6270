//! What a run's time is spent on, asked of the machine itself: the same program again with one resource ideal at a time.
//!
//! ```text
//!   Machine --resources--> keys to set, one resource each --simulate--> records --gains--> ranked
//! ```
//!
//! A resource is made ideal by keys of the machine that anyone can set, so every gain can be repeated with `flynn run ... --set`. Gains are
//! times of whole simulations and do not add up: two resources that work side by side hide each other, and one that is gone lets others
//! be asked for more (Yasin, "A top-down method for performance analysis and counters architecture", ISPASS 2014, names the same of counters;
//! Fields, Bodík and Hill, "Slack: maximizing performance under technological constraints", ISCA 2002, of critical paths).

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use crate::base::quantity::ByteSize;
use crate::components::spec::{InterconnectSpec, MachineSpec, MemorySpec};

/// Something of a machine that can be made ideal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// "network latency".
    pub name: &'static str,
    /// What is so about it when it is ideal: a clause.
    pub ideal: String,
    /// The keys that make it so.
    pub set: Vec<(String, String)>,
}

/// A resource that is left as it is, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftOut {
    pub name: String,
    pub why: String,
}

/// What a resource costs.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Gain {
    pub name: String,
    /// What is so about it when it is ideal.
    pub ideal: String,
    /// The keys that make it so, for `--set`.
    pub set: IndexMap<String, String>,
    /// The time of the run with it.
    pub time_ps: u64,
    /// How much of the machine's time that saves, from 0 to 1; below 0 where the run takes longer.
    pub saves: f64,
}

/// The resources of a machine that can be made ideal for a program whose data and code take so many bytes, and that has so many threads
/// in an address space; and those that cannot.
pub fn resources(machine: &MachineSpec, footprint: u64, threads: u32) -> (Vec<Resource>, Vec<LeftOut>) {
    let mut found = Resources { ideal: Vec::new(), left_out: Vec::new() };
    found.branches(machine);
    found.caches(machine, footprint);
    found.interconnects(machine);
    found.memory(machine);
    found.synchronisation(machine, threads);
    (found.ideal, found.left_out)
}

/// The gains, the largest first; `base_ps` is the time of the machine as it is.
pub fn ranked(base_ps: u64, times: Vec<(Resource, u64)>) -> Vec<Gain> {
    let gain = |(resource, time_ps): (Resource, u64)| Gain {
        name: resource.name.to_owned(),
        ideal: resource.ideal,
        set: resource.set.into_iter().collect(),
        time_ps,
        saves: if base_ps == 0 { 0.0 } else { 1.0 - time_ps as f64 / base_ps as f64 },
    };
    let mut gains: Vec<Gain> = times.into_iter().map(gain).collect();
    // Stable: of equal ones the order of the machine's parts stays.
    gains.sort_by_key(|gain| gain.time_ps);
    gains
}

struct Resources {
    ideal: Vec<Resource>,
    left_out: Vec<LeftOut>,
}

impl Resources {
    fn add(&mut self, name: &'static str, ideal: impl Into<String>, set: &[(&str, &str)]) {
        let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.ideal.push(Resource { name, ideal: ideal.into(), set });
    }

    fn leave_out(&mut self, name: &str, why: &str) {
        self.left_out.push(LeftOut { name: name.to_owned(), why: why.to_owned() });
    }

    /// Caches that everything fits into, with the latencies they have.
    fn caches(&mut self, machine: &MachineSpec, footprint: u64) {
        let caches = &machine.node.caches;
        if caches.is_empty() {
            self.leave_out("private caches", "there are none");
            return;
        }
        // As many sets, a power of two, that the smallest of ways holds everything; levels outside are then at least as large as those
        // inside where they have at least as many ways.
        let fewest = caches.iter().map(|cache| u64::from(cache.ways) * u64::from(cache.line_bytes)).min().unwrap_or(64);
        let sets = footprint.div_ceil(fewest).next_power_of_two();
        let mut inside = 0;
        let mut set = Vec::new();
        for cache in caches {
            let way = u64::from(cache.ways) * u64::from(cache.line_bytes);
            let mut size = (sets * way).max(cache.size_bytes);
            while size < inside {
                size *= 2;
            }
            inside = size;
            // The outermost one may be the node's memory.
            let key = match machine.node.memory {
                MemorySpec::Attraction if set.len() + 1 == caches.len() => "node.memory.size".to_owned(),
                _ => format!("node.cache.{}.size", cache.name),
            };
            set.push((key, ByteSize(size).to_string()));
        }
        self.ideal.push(Resource { name: "private caches", ideal: "all data and instructions fit".to_owned(), set });
        // That of an attraction memory is memory's.
        let own = caches.len() - usize::from(machine.node.memory == MemorySpec::Attraction);
        let latencies: Vec<(String, String)> = caches[..own]
            .iter()
            .filter(|cache| cache.latency_cycles > 0)
            .map(|cache| (format!("node.cache.{}.latency", cache.name), "0 cycles".to_owned()))
            .collect();
        if !latencies.is_empty() {
            let ideal = "looking into caches takes no time, whether they have what is wanted or not".to_owned();
            self.ideal.push(Resource { name: "cache lookups", ideal, set: latencies });
        }
    }

    fn branches(&mut self, machine: &MachineSpec) {
        let core = &machine.node.core;
        let of_window = core.out_of_order.as_ref().map(|own| own.misprediction_cycles);
        let misprediction = of_window.or(core.branches.map(|branches| branches.misprediction_cycles));
        if misprediction.is_some_and(|cycles| cycles > 0) {
            let ideal = "a branch foretold wrongly costs no more than any";
            self.add("branch prediction", ideal, &[("node.core.misprediction", "0 cycles")]);
        }
    }

    fn interconnects(&mut self, machine: &MachineSpec) {
        match &machine.node.interconnect {
            InterconnectSpec::Ideal => self.leave_out("local interconnect", "it is ideal already"),
            InterconnectSpec::Snooping(_) => {
                self.add("local interconnect", "requests and data take no time inside a node", &[("node.interconnect", "ideal")]);
            }
        }
        let Some(network) = &machine.network else {
            self.leave_out("network", "there is one node");
            return;
        };
        self.add(
            "network latency",
            "links and switches take no time beside that of the bytes",
            &[("interconnect.link.latency", "0 ns"), ("interconnect.switch", "0 ns")],
        );
        match network.bandwidth_bytes_per_second {
            Some(_) => self.add(
                "network bandwidth",
                "bytes take no time on a link",
                &[("interconnect.link.bandwidth", "unlimited"), ("interconnect.header", "0 B")],
            ),
            None => self.leave_out("network bandwidth", "it is unlimited already"),
        }
        if machine.interface.is_some() {
            self.add(
                "network interfaces",
                "messages cost cores nothing, and may follow each other at once",
                &[
                    ("node.network_interface.send_overhead", "0 ns"),
                    ("node.network_interface.receive_overhead", "0 ns"),
                    ("node.network_interface.gap", "0 ns"),
                ],
            );
        }
    }

    fn memory(&mut self, machine: &MachineSpec) {
        let latency = machine.node.memory.latency();
        if machine.node.memory == MemorySpec::Attraction {
            self.add("memory latency", "attraction memories answer at once", &[("node.memory.latency", "0 ns")]);
            self.leave_out("memory bandwidth", "attraction memories serve any number of requests side by side already");
            return;
        }
        match &machine.node.memory {
            MemorySpec::Ideal => self.leave_out("memory", "it is ideal already"),
            _ if latency.0 == 0 => self.leave_out("memory latency", "it is none already"),
            _ => self.add(
                "memory latency",
                "memory answers at once, as many bytes a second as ever",
                &[("node.memory.latency", "0 ns")],
            ),
        }
        if let MemorySpec::Simple(_) = &machine.node.memory {
            let size = ByteSize(machine.node.memory_bytes);
            let memory = format!("{{ kind = \"multi-ported\", latency = \"{} ps\", size = \"{size}\" }}", latency.0);
            self.add("memory bandwidth", "memory serves any number of requests side by side", &[("node.memory", &memory)]);
        }
    }

    fn synchronisation(&mut self, machine: &MachineSpec, threads: u32) {
        if threads == 1 {
            self.leave_out("synchronisation", "there is one thread");
        } else if machine.node.free_synchronisation {
            self.leave_out("synchronisation", "it is free already");
        } else {
            self.add(
                "synchronisation",
                "locks, barriers and flags take no time; waiting for others stays",
                &[("runtime.synchronisation", "free")],
            );
        }
        if threads > 1 && !machine.node.caches.is_empty() {
            self.leave_out(
                "coherence",
                "without it threads would read what others have long overwritten; `core time` of the run says what it took",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coherence::consistency::Consistency;
    use crate::machine::Machine;
    use crate::machine::catalogue::{Catalogue, Kind};

    fn machine(name: &str) -> Machine {
        let catalogue = Catalogue::built_in();
        Machine::resolve(&catalogue.find(Kind::Machine, name).unwrap().source, &[], &catalogue).unwrap()
    }

    fn names(name: &str, threads: u32) -> (Vec<&'static str>, Vec<String>) {
        let (ideal, left_out) = resources(&machine(name).spec(), 1 << 20, threads);
        (ideal.iter().map(|resource| resource.name).collect(), left_out.into_iter().map(|left| left.name).collect())
    }

    #[test]
    fn a_machine_has_the_resources_it_is_made_of() {
        let (ideal, left_out) = names("uma-bus-4", 4);
        assert_eq!(
            ideal,
            ["private caches", "cache lookups", "local interconnect", "memory latency", "memory bandwidth", "synchronisation"]
        );
        assert_eq!(left_out, ["network", "coherence"]);
        let (ideal, left_out) = names("textbook-numa", 2);
        assert_eq!(ideal, ["network latency", "memory latency"]);
        assert_eq!(left_out, ["private caches", "local interconnect", "network bandwidth", "synchronisation"]);
        let (ideal, _) = names("norma-hypercube-16", 1);
        assert!(ideal.contains(&"network interfaces") && !ideal.contains(&"synchronisation"), "{ideal:?}");
    }

    #[test]
    fn what_is_ideal_is_a_machine_that_can_be_built() {
        let catalogue = Catalogue::built_in();
        for entry in catalogue.entries(Kind::Machine) {
            let machine = Machine::resolve(&entry.source, &[], &catalogue).unwrap();
            for resource in resources(&machine.spec(), 3_000_000, 2).0 {
                // The simulator has no room for many large caches, and synchronising stores of cores with store buffers cannot be free.
                let refused = match resource.name {
                    "private caches" => machine.cores() > 16,
                    "synchronisation" => machine.spec().node.core.consistency == Consistency::Tso,
                    _ => false,
                };
                let resolved = Machine::resolve(&entry.source, &resource.set, &catalogue);
                assert!(resolved.is_ok() || refused, "{} with {resource:?}: {:?}", entry.name, resolved.err());
            }
        }
    }

    #[test]
    fn the_largest_gain_comes_first_and_losses_last() {
        let resource = |name| Resource { name, ideal: String::new(), set: Vec::new() };
        let gains = ranked(100, vec![(resource("a"), 120), (resource("b"), 25), (resource("c"), 100)]);
        let told: Vec<(&str, f64)> = gains.iter().map(|gain| (gain.name.as_str(), gain.saves)).collect();
        assert_eq!(told, [("b", 0.75), ("c", 0.0), ("a", 1.0 - 1.2)]);
    }
}
