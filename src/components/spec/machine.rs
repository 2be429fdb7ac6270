//! What a machine is made of: equal nodes, and what joins them.

use std::sync::Arc;

use super::{Inclusion, InterconnectSpec, MOST_CORES, MemorySpec, NodeSpec, SpecFault, TransportSpec};
use crate::coherence::consistency::Consistency;
use crate::components::homes::HomesSpec;
use crate::components::interface::InterfaceSpec;
use crate::components::network::NetworkSpec;

/// The most cores of a machine whose nodes have address spaces of their own.
pub const MOST_CORES_OF_RANKS: u32 = 16_384;

/// A machine as plain data.
#[derive(Clone, Debug)]
pub struct MachineSpec {
    pub node: NodeSpec,
    /// How many such nodes there are, from 1 to [`crate::components::parcel::MOST_NODES`].
    pub count: u32,
    /// What joins the nodes, where there are several.
    pub network: Option<Arc<NetworkSpec>>,
    /// Where pages live, where several nodes have one address space.
    pub homes: Option<HomesSpec>,
    /// What sends messages, where each node has an address space of its own.
    pub interface: Option<InterfaceSpec>,
}

impl MachineSpec {
    /// A machine of one node.
    pub fn one(node: NodeSpec) -> MachineSpec {
        MachineSpec { node, count: 1, network: None, homes: None, interface: None }
    }

    /// Cores of all nodes.
    pub fn cores(&self) -> u32 {
        self.node.cores * self.count
    }

    /// Cores that share an address space.
    pub fn cores_of_a_rank(&self) -> u32 {
        if self.interface.is_some() { self.node.cores } else { self.cores() }
    }

    /// Bytes of the memory of an address space.
    pub fn memory_bytes(&self) -> u64 {
        let nodes = if self.interface.is_some() { 1 } else { self.count };
        self.node.memory_bytes.saturating_mul(u64::from(nodes))
    }

    /// Everything that keeps the machine from being built, by key of its node.
    pub fn faults(&self) -> Vec<SpecFault> {
        let mut faults = self.node.faults();
        if self.interface.is_some() && self.node.core.consistency == Consistency::Tso {
            faults.push(SpecFault::new(
                "core.consistency",
                "messages of cores with store buffers are not built yet",
                "`consistency = \"sc\"`",
            ));
        }
        if self.node.memory == MemorySpec::Attraction {
            self.attraction_faults(&mut faults);
        }
        if self.count == 1 {
            return faults;
        }
        if self.interface.is_some() {
            if self.cores() > MOST_CORES_OF_RANKS {
                faults.push(SpecFault::new(
                    "count",
                    format!("{} nodes with cores = {} are {} cores", self.count, self.node.cores, self.cores()),
                    format!("a machine with an address space for each node has at most {MOST_CORES_OF_RANKS} cores in all"),
                ));
            }
        } else if self.cores() > MOST_CORES {
            faults.push(SpecFault::new(
                "count",
                format!("{} nodes with cores = {} are {} cores", self.count, self.node.cores, self.cores()),
                format!("a machine has at most {MOST_CORES} cores in all"),
            ));
        }
        if self.homes.is_some() {
            self.home_faults(&mut faults);
        }
        faults
    }

    /// Where lines have homes, which keep private caches coherent.
    pub fn has_directory(&self) -> bool {
        self.homes.is_some() && self.node.coherence().is_some()
    }

    /// What nodes with an attraction memory cannot be.
    fn attraction_faults(&self, faults: &mut Vec<SpecFault>) {
        let node = &self.node;
        if node.cores != 1 {
            let message = format!("{} cores cannot share an attraction memory", node.cores);
            faults.push(SpecFault::new(
                "cores",
                message,
                "one core in each node; attraction memories of several cores are not built yet",
            ));
        }
        if node.caches.len() < 2 {
            let message = "nothing is cached on the way to the attraction memory";
            faults.push(SpecFault::new("cache", message, "add a `[node.cache.L1d]`"));
        }
        if node.caches.iter().any(|cache| cache.inclusion != Inclusion::Inclusive) {
            let message = "the levels before an attraction memory are inclusive: what leaves it leaves them";
            faults.push(SpecFault::new("cache", message, "leave `inclusion` out"));
        }
        if node.llc.is_some() {
            let message = "no memory lies behind an attraction memory that a shared cache could stand before";
            faults.push(SpecFault::new("cache.LLC", message, "leave the LLC out"));
        }
    }

    /// What nodes that share an address space cannot be.
    fn home_faults(&self, faults: &mut Vec<SpecFault>) {
        if let InterconnectSpec::Snooping(own) = &self.node.interconnect
            && let TransportSpec::Ring { .. } = own.transport
        {
            faults.push(SpecFault::new(
                "interconnect.kind",
                "the nodes of a NUMA machine have no rings inside: a ring orders transactions by passing every cache",
                "\"bus\", \"crossbar\" or \"ideal\"; a ring between nodes is `[interconnect] topology = \"ring\"`",
            ));
        }
    }
}
