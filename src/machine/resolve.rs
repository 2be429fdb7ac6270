//! A machine's text, its parts and what `--set` changes, made into what can be built and run; or everything that is wrong with it.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::base::diagnostic::{Diagnostic, Diagnostics, SourceText, nearest};
use crate::base::document::{At, Data, Field, Place, Value, enumerate, parse, read_value};
use crate::base::quantity::ByteSize;
use crate::coherence::load::load;
use crate::coherence::protocol::{Kind as ProtocolKind, Protocol};
use crate::components::homes::{DirectorySpec, HomesSpec, Placement};
use crate::components::interface::InterfaceSpec;
use crate::components::spec::{Holds, MachineSpec, MemorySpec, NodeSpec, SpecFault};
use crate::components::translation::PAGE_BYTES;
use crate::machine::address_map::AddressMap;
use crate::machine::catalogue::{Catalogue, Kind};
use crate::machine::collectives::CollectivesKeys;
use crate::machine::keys::{AddressSpaceKeys, InterconnectKeys, MachineKeys, MemoryKeys, NodeKeys, OrganisationKey, RuntimeKeys};
use crate::machine::network::{DirectoryKeys, InterfaceKeys, Joined, USUAL_EAGER_BYTES, joined};
use crate::machine::node::{cache_spec, caches, interconnect_clock, node_spec};
use crate::machine::overrides::Override;
use crate::machine::running::{SynchronisationKey, ThreadsKey};
use crate::machine::{parts, resolved};
use crate::program::code::{Collectives, Plan};
use crate::program::tree::CollectiveOperation;

/// What `protocol` says where there is nothing to keep coherent.
const NO_PROTOCOL: &str = "none";

/// The most lines that all private caches may hold together: some bytes of the simulator's memory each.
const MOST_LINES: u64 = 1 << 25;

/// Of the faults in naming parts and setting keys, as many are told.
const MOST_FAULTS: usize = 32;

/// A machine that can be built.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What a person calls it.
    pub name: String,
    /// One sentence; may be empty.
    pub description: String,
    /// `uma`, `numa`, `coma` or `norma`.
    pub organisation: &'static str,
    /// `SISD` or `MIMD`, read off the description: how many streams of instructions it runs, on how many streams of data.
    pub flynn_class: &'static str,
    /// Its nodes, all of one kind.
    pub nodes: Vec<NodeSpec>,
    /// What joins them, where there are several.
    pub joined: Option<Joined>,
    /// Where pages live, where there are several.
    pub homes: Option<HomesSpec>,
    /// What sends messages, where each node has an address space of its own.
    pub interface: Option<InterfaceSpec>,
    /// Where addresses lead.
    pub address_map: AddressMap,
    /// How it runs programs.
    pub runtime: RuntimeKeys,
    /// Every key with the value in force, for the record.
    pub resolved: Json,
    source: SourceText,
    tree: Value,
}

impl Machine {
    /// Reads a machine. Each of `set` is a key and its other value, as `--set` gives them; of two for one key the later counts. Parts,
    /// protocols and run-time texts are found by name in the catalogue.
    ///
    /// # Errors
    /// Everything that is wrong with the text, the settings or the parts it names.
    pub fn resolve(source: &SourceText, set: &[(String, String)], catalogue: &Catalogue) -> Result<Machine, Diagnostics> {
        let mut overrides = Vec::new();
        let mut faults = Vec::new();
        for (key, value) in set {
            match Override::new(key, value) {
                Ok(setting) => overrides.push(setting),
                Err(fault) => faults.push(*fault),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Machine::resolve_with(source, &overrides, catalogue)
    }

    /// The same with settings that other texts (experiments, workloads) make, in their order.
    ///
    /// # Errors
    /// As [`Machine::resolve`].
    pub fn resolve_with(source: &SourceText, overrides: &[Override], catalogue: &Catalogue) -> Result<Machine, Diagnostics> {
        let mut tree = parse(source)?;
        let mut faults: Diagnostics =
            overrides.iter().filter_map(|setting| setting.apply(&mut tree).err()).map(|fault| *fault).collect();
        parts::complete(&mut tree, catalogue, &mut faults);
        if !faults.is_empty() {
            faults.truncate(MOST_FAULTS);
            return Err(faults);
        }
        let keys: MachineKeys = read_value(&tree)?;
        let Parts { nodes, joined, homes, interface } = Resolver { keys: &keys, tree: &tree, catalogue, faults }.parts()?;
        let memory_bytes = nodes.iter().map(|node| node.memory_bytes).sum();
        Ok(Machine {
            name: keys.name.value.clone(),
            description: keys.description.value.clone(),
            organisation: keys.address_space.organisation.word(),
            flynn_class: flynn_class(&nodes),
            nodes,
            joined,
            homes,
            interface,
            address_map: AddressMap::one_node(keys.address_space.page_size.0, memory_bytes),
            runtime: keys.runtime.value.clone(),
            resolved: keys.write(),
            source: source.clone(),
            tree,
        })
    }

    /// The names of parts and protocols that a machine's text refers to, with the keys of `set` in force: what a caller may look for in
    /// files beside the text. Of a text that cannot be read there are none.
    pub fn references(source: &SourceText, set: &[(String, String)]) -> Vec<(Kind, String)> {
        let overrides: Vec<Override> = set.iter().filter_map(|(key, value)| Override::new(key, value).ok()).collect();
        Machine::references_with(source, &overrides)
    }

    /// The same with settings that other texts make.
    pub fn references_with(source: &SourceText, overrides: &[Override]) -> Vec<(Kind, String)> {
        let Ok(mut tree) = parse(source) else { return Vec::new() };
        for setting in overrides {
            // What cannot be set is told when the machine is resolved.
            let _ = setting.apply(&mut tree);
        }
        parts::references(&tree)
    }

    /// How a program is lowered for it; `threads` and `seed` as the command line gives them.
    ///
    /// # Errors
    /// More threads than cores.
    pub fn plan(&self, threads: Option<u32>, seed: u64) -> Result<Plan, Diagnostics> {
        let spec = self.spec();
        let cores = spec.cores_of_a_rank();
        let asked = threads.unwrap_or_else(|| self.runtime.threads.on(cores));
        if asked == 0 || asked > cores {
            let place = &self.runtime.threads.place;
            let message = format!("{asked} threads cannot run on {cores} cores: several threads on one core are not built yet");
            let fault = if threads.is_none() { place.fault(message) } else { Diagnostic::at(&self.source, None, message) };
            return Err(vec![fault.key("runtime.threads").help(format!("from 1 to {cores} threads"))]);
        }
        Ok(Plan {
            ranks: if spec.interface.is_some() { spec.count } else { 1 },
            threads: asked,
            seed,
            padding: self.line_bytes(),
            lock: self.runtime.lock.value.clone(),
            barrier: self.runtime.barrier.value.clone(),
            reduce: self.runtime.reduce.value.clone(),
            schedule: self.runtime.schedule.schedule(),
            collectives: self.runtime.collectives.value.as_ref().map_or_else(Collectives::default, CollectivesKeys::names),
        })
    }

    /// What it is made of.
    pub fn spec(&self) -> MachineSpec {
        MachineSpec {
            node: self.nodes[0].clone(),
            count: self.nodes.len() as u32,
            network: self.joined.as_ref().map(|joined| Arc::clone(&joined.spec)),
            homes: self.homes,
            interface: self.interface,
        }
    }

    /// Cores of all nodes.
    pub fn cores(&self) -> u32 {
        self.nodes.iter().map(|node| node.cores).sum()
    }

    /// Bytes that a padded element takes: a line, and 64 where there are no caches.
    pub fn line_bytes(&self) -> u32 {
        self.nodes.iter().flat_map(|node| &node.caches).map(|cache| cache.line_bytes).max().unwrap_or(64)
    }

    /// What the parts say of a node that they cannot be built from, pointed at the key that says so.
    pub fn diagnostic(&self, node: usize, fault: SpecFault) -> Diagnostic {
        point(&self.tree, node, fault)
    }

    /// The machine as a text of its own, every key with the value in force and where it is from.
    pub fn resolved_text(&self) -> String {
        resolved::to_toml(&self.resolved, &self.tree, &self.source.name)
    }
}

/// Flynn's class (Flynn, "Some Computer Organizations and Their Effectiveness", 1972): each core runs a stream of instructions of its
/// own on data of its own.
fn flynn_class(nodes: &[NodeSpec]) -> &'static str {
    match nodes.iter().map(|node| node.cores).sum() {
        0 | 1 => "SISD",
        _ => "MIMD",
    }
}

/// What a machine is made of.
struct Parts {
    nodes: Vec<NodeSpec>,
    joined: Option<Joined>,
    homes: Option<HomesSpec>,
    interface: Option<InterfaceSpec>,
}

/// Checks what one key says about another.
struct Resolver<'a> {
    keys: &'a MachineKeys,
    tree: &'a Value,
    catalogue: &'a Catalogue,
    faults: Diagnostics,
}

impl Resolver<'_> {
    /// The parts, where everything is right.
    fn parts(mut self) -> Result<Parts, Diagnostics> {
        let keys = self.keys;
        let count = self.count_nodes();
        self.organisation(count);
        for node in &keys.nodes.value {
            self.levels(node);
            self.capacity(node);
            self.link_width(node);
            self.shared_cache(node);
            self.page_size(node);
        }
        self.runtime();
        let protocol = self.protocol();
        let checks = keys.runtime.checks.value;
        let page_bytes = keys.address_space.page_size.0;
        let joined = keys.interconnect.value.as_ref().filter(|_| count > 1).and_then(|network| {
            let keys = At { value: network.clone(), place: keys.interconnect.place.clone(), given: true };
            joined(&keys, count).map_err(|mut faults| self.faults.append(&mut faults)).ok()
        });
        let Some(kind) = keys.nodes.first() else { return Err(self.faults) };
        let interface = (count > 1 && keys.address_space.organisation.value == OrganisationKey::Norma).then(|| {
            let usual = InterfaceSpec { eager_bytes: USUAL_EAGER_BYTES, ..InterfaceSpec::default() };
            kind.network_interface.value.as_ref().map_or(usual, InterfaceKeys::spec)
        });
        self.fits_protocol(protocol.as_deref(), kind, count > 1 && interface.is_none());
        let node = NodeSpec {
            alone: count == 1 || interface.is_some(),
            free_synchronisation: keys.runtime.synchronisation.value == SynchronisationKey::Free,
            ..node_spec(kind, page_bytes, protocol, checks)
        };
        let usual_placement = match keys.address_space.organisation.value {
            // Homes of attraction memories hold nothing: directories share the work.
            OrganisationKey::Coma => Placement::Interleave,
            _ => Placement::FirstTouch,
        };
        let homes = (count > 1 && interface.is_none()).then(|| HomesSpec {
            placement: keys.address_space.placement.value.map_or(usual_placement, |key| key.0),
            page_bytes,
            nodes: count as u16,
            memory_bytes: if node.memory == MemorySpec::Attraction { u64::MAX } else { node.memory_bytes },
            directory: kind.directory.value.as_ref().map_or(DirectorySpec::default(), DirectoryKeys::spec),
        });
        let network = joined.as_ref().map(|joined| Arc::clone(&joined.spec));
        let spec = MachineSpec { node, count, network, homes, interface };
        for fault in spec.faults() {
            // A missing protocol is told already, with the names there are.
            if fault.key != "protocol" {
                self.faults.push(point(self.tree, 0, fault));
            }
        }
        if self.faults.is_empty() {
            return Ok(Parts { nodes: vec![spec.node; count as usize], joined, homes, interface });
        }
        self.faults.sort_by_key(|fault| fault.span);
        Err(self.faults)
    }

    fn fault(&mut self, place: &Place, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.faults.push(place.fault(message).key(key).help(help));
    }

    /// How many nodes there are, of one kind for now.
    fn count_nodes(&mut self) -> u32 {
        let nodes = &self.keys.nodes;
        match &nodes.value[..] {
            [] => self.fault(&nodes.place, "node", "the machine has no node", "a machine has at least one `[[node]]`"),
            [_] => {}
            [_, second, ..] => {
                let help = "one `[[node]]`; its `count` says how many there are of it";
                self.fault(&second.place, "node", "machines of several kinds of nodes are not built yet", help);
            }
        }
        nodes.first().map_or(1, |node| node.count.0 as u32)
    }

    /// Who addresses which memory has to fit how many nodes there are.
    fn organisation(&mut self, count: u32) {
        let AddressSpaceKeys { organisation, placement, .. } = &self.keys.address_space.value;
        let interconnect = &self.keys.interconnect;
        let (key, place) = ("address_space.organisation", &organisation.place);
        let is_coma = organisation.value == OrganisationKey::Coma;
        for node in &self.keys.nodes.value {
            match (&node.memory.value, is_coma) {
                (MemoryKeys::Attraction(_), false) => {
                    let help = "write `organisation = \"coma\"`, or a memory of another `kind`";
                    self.fault(&node.memory.place, "node.memory.kind", "only a COMA machine has attraction memories", help);
                }
                (memory, true) if !matches!(memory, MemoryKeys::Attraction(_)) => {
                    let help =
                        "write `memory = { kind = \"attraction\", size = \"1 MiB\", ways = 4, latency = \"60 ns\" }` or the like";
                    self.fault(
                        &node.memory.place,
                        "node.memory.kind",
                        "the memories of a COMA machine are attraction memories",
                        help,
                    );
                }
                _ => {}
            }
        }
        if organisation.value != OrganisationKey::Norma
            && let Some(interface) =
                self.keys.nodes.iter().map(|node| &node.network_interface).find(|interface| interface.is_some())
        {
            let help = "leave it out, or write `organisation = \"norma\"`";
            let message = "there is one address space, and nothing to send messages between";
            self.fault(&interface.place, "node.network_interface", message, help);
        }
        match (organisation.value, count) {
            (OrganisationKey::Uma, 1) => {
                if interconnect.is_some() {
                    let help =
                        "leave `[interconnect]` out, or give `node.count`; what joins cores and memory is `node.interconnect`";
                    self.fault(&interconnect.place, "interconnect", "there is one node, and nothing to join it with", help);
                }
                if placement.is_some() {
                    let help = "leave it out; it belongs to machines of several nodes";
                    self.fault(&placement.place, "address_space.placement", "all pages live in the only node's memory", help);
                }
                return;
            }
            (OrganisationKey::Uma, _) => {
                let message = format!("{count} nodes have {count} memories, which are not all equally far");
                self.fault(
                    place,
                    key,
                    message,
                    "`organisation = \"numa\"` is one address space over all of them, \"norma\" one for each",
                );
            }
            (OrganisationKey::Numa | OrganisationKey::Coma | OrganisationKey::Norma, 1) => {
                let help = "give `node.count`, or write \"uma\"";
                self.fault(place, key, "the memory of a single node is equally far from all its cores", help);
                return;
            }
            (OrganisationKey::Norma, _) if placement.is_some() => {
                let help = "leave it out; it belongs to machines of several nodes with one address space (\"numa\")";
                let message = "all pages of a rank live in its own node's memory";
                self.fault(&placement.place, "address_space.placement", message, help);
            }
            (OrganisationKey::Numa | OrganisationKey::Coma | OrganisationKey::Norma, _) => {}
        }
        if interconnect.is_none() {
            let help = "add `[interconnect]` with a `topology` and a `link`: \"ring\", \"mesh\", \"star\" and so on";
            self.fault(&interconnect.place, "interconnect", format!("nothing joins the {count} nodes"), help);
        }
        if let Some(Placement::Node(node)) = placement.value.map(|key| key.0)
            && u32::from(node) >= count
        {
            let message = format!("there is no node {node}");
            self.fault(&placement.place, "address_space.placement", message, format!("nodes are numbered from 0 to {}", count - 1));
        }
    }

    fn levels(&mut self, node: &NodeKeys) {
        let keys = &node.cache.value;
        let outer = [(&keys.l2, "L2"), (&keys.l3, "L3"), (&keys.l4, "L4")].into_iter().find(|(level, _)| level.is_some());
        let inner = [&keys.l1i, &keys.l1d, &keys.l1, &keys.l2i, &keys.l2d];
        if let Some((level, name)) = outer.filter(|_| inner.iter().all(|level| level.is_none())) {
            let message = format!("there is {name} and no first level of cache");
            self.fault(&level.place, &format!("node.cache.{name}"), message, "add [node.cache.L1d], or call this one L1d");
        }
        for (whole, name, parts) in [(&keys.l1, "L1", [&keys.l1i, &keys.l1d]), (&keys.l2, "L2", [&keys.l2i, &keys.l2d])] {
            if whole.is_some() && parts.iter().any(|part| part.is_some()) {
                let message = format!("there is {name} for both and {name}i or {name}d beside it");
                let help = format!("leave out {name}, or leave out {name}i and {name}d");
                self.fault(&whole.place, &format!("node.cache.{name}"), message, help);
            }
        }
        let mut seen: Vec<Holds> = Vec::new();
        for (name, cache) in caches(keys) {
            let holds = cache_spec(name, cache).holds;
            if cache.inclusion.is_some() && !seen.iter().any(|&inner| holds.includes(inner)) {
                let message = format!("there is no level inside {name} to include or exclude");
                let help = "leave the key out of a first level";
                self.fault(&cache.inclusion.place, &format!("node.cache.{name}.inclusion"), message, help);
            }
            if cache.prefetcher.is_some() && (seen.iter().any(|&inner| inner.includes(Holds::Data)) || !holds.includes(Holds::Data))
            {
                let message = format!("{name} is not the first cache for data");
                let help = "a prefetcher belongs to the first cache for data; prefetchers of others are not built yet";
                self.fault(&cache.prefetcher.place, &format!("node.cache.{name}.prefetcher"), message, help);
            }
            seen.push(holds);
        }
    }

    /// The simulator keeps a tag for each line of each cache.
    fn capacity(&mut self, node: &NodeKeys) {
        let mut lines: u64 = caches(&node.cache).map(|(_, cache)| cache.size.0 / cache.line.0).sum();
        if let MemoryKeys::Attraction(own) = &node.memory.value {
            lines += own.size.0 / caches(&node.cache).next().map_or(64, |(_, cache)| cache.line.0);
        }
        let private = lines * node.cores.0;
        let lines = (private + node.cache.llc.value.as_ref().map_or(0, |llc| llc.size.0 / llc.line.0)) * node.count.0;
        if lines > MOST_LINES {
            let message = format!("the caches of {} cores hold {lines} lines", node.cores.0 * node.count.0);
            let help = format!("at most {MOST_LINES} are simulated: fewer cores, smaller caches or longer lines");
            self.fault(&node.cache.place, "node.cache", message, help);
        }
    }

    /// A line takes a whole number of a link's cycles.
    fn link_width(&mut self, node: &NodeKeys) {
        let (width, what) = match &node.interconnect.value {
            InterconnectKeys::Ideal(_) => return,
            InterconnectKeys::Bus(bus) => (&bus.width, "the data bus is"),
            InterconnectKeys::Crossbar(crossbar) => (&crossbar.width, "a port of the crossbar is"),
            InterconnectKeys::Ring(ring) => (&ring.width, "the ring is"),
        };
        let (key, place, width) = ("node.interconnect.width", &width.place, width.0);
        if let Some((level, cache)) = caches(&node.cache).find(|(_, cache)| width > cache.line.0) {
            let (width, line) = (ByteSize(width), ByteSize(cache.line.0));
            let message = format!("{what} {width} wide, more than a line of {level}, {line}");
            self.fault(place, key, message, format!("at most {line}, which moves a line in one cycle"));
        }
    }

    /// A shared cache counts its cycles by its own clock or the interconnect's.
    fn shared_cache(&mut self, node: &NodeKeys) {
        let llc = &node.cache.llc;
        if llc.value.as_ref().is_some_and(|keys| keys.clock.is_none()) && interconnect_clock(&node.interconnect).is_none() {
            let message = "the LLC has no clock: it runs by the interconnect's, and an ideal interconnect has none";
            self.fault(&llc.place, "node.cache.LLC.clock", message, "write `clock = \"2 GHz\"` or whatever it runs at");
        }
    }

    /// Page tables have levels of certain sizes.
    fn page_size(&mut self, node: &NodeKeys) {
        let page = &self.keys.address_space.page_size;
        if node.tlb.is_some() && !PAGE_BYTES.contains(&page.value.0) {
            let message = format!("the page table that TLBs are filled from has no pages of {}", ByteSize(page.value.0));
            let sizes = PAGE_BYTES.map(|bytes| ByteSize(bytes).to_string());
            let help = format!("with `[node.tlb]` {}", enumerate(sizes.iter().map(String::as_str), "", "or"));
            self.fault(&page.place, "address_space.page_size", message, help);
        }
    }

    /// The coherence protocol, where there are private caches.
    fn protocol(&mut self) -> Option<Arc<Protocol>> {
        let (key, wanted) = ("address_space.protocol", &self.keys.address_space.protocol);
        let cached = self.keys.nodes.iter().any(|node| caches(&node.cache).next().is_some());
        let name = wanted.value.as_deref().filter(|&name| name != NO_PROTOCOL);
        match (name, cached) {
            (None, false) => None,
            (None, true) if wanted.value.is_some() => {
                let cores: u64 = self.keys.nodes.iter().map(|node| node.cores.0).sum();
                if cores > 1 {
                    let message = format!("nothing would keep the private caches of {cores} cores coherent");
                    let help = self.catalogue.suggestion(Kind::Protocol, "");
                    self.fault(&wanted.place, key, message, format!("`protocol = \"none\"` is for one core; {help}"));
                }
                None
            }
            (None, true) => {
                let help = self.catalogue.suggestion(Kind::Protocol, "");
                self.fault(
                    &wanted.place,
                    key,
                    "private caches need a coherence protocol",
                    format!("write `protocol = ...`: {help}"),
                );
                None
            }
            (Some(_), false) => {
                let help = "leave the key out, write \"none\", or add [node.cache.L1d]";
                self.fault(&wanted.place, key, "there are no private caches to keep coherent", help);
                None
            }
            (Some(name), true) => match self.catalogue.find(Kind::Protocol, name) {
                Some(entry) => load(&entry.source).map(Arc::new).map_err(|mut faults| self.faults.append(&mut faults)).ok(),
                None => {
                    let help = self.catalogue.suggestion(Kind::Protocol, name);
                    self.fault(&wanted.place, key, format!("there is no protocol called \"{name}\""), help);
                    None
                }
            },
        }
    }

    /// Caches on a bus snoop; those of nodes with homes cannot, and have directories.
    fn fits_protocol(&mut self, protocol: Option<&Protocol>, node: &NodeKeys, homes: bool) {
        let keys = self.keys;
        let is_coma = keys.address_space.organisation.value == OrganisationKey::Coma;
        if let (Some(protocol), place) = (protocol, &keys.address_space.protocol.place) {
            let wanted = if homes { ProtocolKind::Directory } else { ProtocolKind::Snooping };
            if protocol.kind() != wanted {
                let message = match wanted {
                    ProtocolKind::Directory => format!("{protocol} snoops, and no bus joins the caches of several nodes"),
                    ProtocolKind::Snooping => format!("{protocol} has a directory, and caches that share a bus snoop"),
                };
                let help = self.protocols(|other| other.kind() == wanted && other.is_cache_only() == is_coma);
                self.faults.push(place.fault(message).key("address_space.protocol").help(help));
            } else if homes && protocol.is_cache_only() != is_coma {
                let message = match is_coma {
                    true => format!("{protocol} gives lines back to memories, and attraction memories have none behind them"),
                    false => format!("{protocol} is for attraction memories: it never gives a line back to a memory"),
                };
                let help = self.protocols(|other| other.kind() == wanted && other.is_cache_only() == is_coma);
                self.faults.push(place.fault(message).key("address_space.protocol").help(help));
            }
        }
        if let Some(place) = node.directory.value.as_ref().map(|_| &node.directory.place)
            && !(homes && protocol.is_some())
        {
            let help = "leave it out; it belongs to machines of several nodes with one address space (\"numa\") and private caches";
            let message = "there are no copies on other nodes to keep track of";
            self.faults.push(place.fault(message).key("node.directory").help(help));
        }
    }

    /// "one of: " those protocols that would do.
    fn protocols(&self, would_do: impl Fn(&Protocol) -> bool) -> String {
        let entries = self.catalogue.entries(Kind::Protocol);
        let names: Vec<&str> = entries
            .filter(|entry| load(&entry.source).is_ok_and(|other| would_do(&other)))
            .map(|entry| entry.name.as_str())
            .collect();
        format!("one of: {}", names.join(", "))
    }

    fn runtime(&mut self) {
        let runtime = &self.keys.runtime.value;
        let of_a_rank = self.keys.address_space.organisation.value == OrganisationKey::Norma;
        let cores: u64 = self.keys.nodes.iter().map(|node| node.cores.0 * if of_a_rank { 1 } else { node.count.0 }).sum();
        if let ThreadsKey::Number(threads) = runtime.threads.value
            && u64::from(threads) > cores
        {
            let message = format!("{threads} threads on {cores} cores: several threads on one core are not built yet");
            let help = format!("at most {cores}, or \"cores\" for one on each");
            self.fault(&runtime.threads.place, "runtime.threads", message, help);
        }
        self.runtime_text("lock", "lock", &runtime.lock.value, &runtime.lock.place);
        self.runtime_text("barrier", "barrier", &runtime.barrier.value, &runtime.barrier.place);
        self.runtime_text("reduce", "reduction", &runtime.reduce.value, &runtime.reduce.place);
        self.runtime_text("schedule", "schedule", &runtime.schedule.kind, &runtime.schedule.place);
        if let Some(collectives) = &runtime.collectives.value {
            for operation in CollectiveOperation::ALL {
                let (role, chosen) = (format!("collective-{}", operation.name()), collectives.of(operation));
                let key = format!("runtime.collectives.{}", operation.name());
                self.text_of_role(&role, &key, &format!("way to {}", operation.name()), (&chosen.value, &chosen.place));
            }
        }
    }

    /// Whether `models/runtime` has the text `ROLE-NAME.flynn`.
    fn runtime_text(&mut self, role: &str, noun: &str, name: &str, place: &Place) {
        self.text_of_role(role, &format!("runtime.{role}"), noun, (name, place));
    }

    fn text_of_role(&mut self, role: &str, key: &str, noun: &str, (name, place): (&str, &Place)) {
        let texts = self.catalogue.runtime_texts();
        let names: Vec<&str> = texts.keys().filter_map(|text| text.strip_prefix(role)?.strip_prefix('-')).collect();
        if names.contains(&name) {
            return;
        }
        let help = match nearest(name, names.iter().copied()) {
            Some(right) => format!("did you mean \"{right}\"?"),
            None => format!(
                "there is {}; one of your own is a file {role}-{name}.flynn here, beside the machine or in configs/runtime/",
                enumerate(names, "\"", "and")
            ),
        };
        self.fault(place, key, format!("there is no {noun} called \"{name}\""), help);
    }
}

/// What a specification says of a node, pointed at the key that says so in the machine's tree.
fn point(tree: &Value, node: usize, fault: SpecFault) -> Diagnostic {
    let mut place = &tree.place;
    let mut at = tree.get("node").and_then(|nodes| match &nodes.data {
        Data::List(nodes) => nodes.get(node),
        _ => None,
    });
    let mut path = fault.key.split('.');
    while let Some(value) = at {
        place = &value.place;
        at = path.next().and_then(|key| value.get(key));
    }
    let mut found = place.fault(fault.message).key(format!("node.{}", fault.key));
    found.help = fault.help;
    found
}
