//! The wiring of a machine: which parts there are, and which channels join them. All of it in one place.
//!
//! ```text
//!   a machine of one node                          each node of several with one address space
//!
//!   core 0 .. core n-1      source 0 .. m-1        core 0 .. core n-1
//!     ||  \answers            ||                     ||
//!     ||requests, to          ||                     ||requests, to
//!   ==================================             ============ carrier ======== network, one for all nodes
//!                   || interconnect                     ||
//!                   ||                                 home
//!                   ||                                  ||
//!                  LLC                                 LLC        where there is one
//!                   ||                                  ||
//!                 memory                              memory
//! ```
//!
//! Where each node has an address space of its own, it is wired as a machine of one node, with an interface between its cores and the
//! network.
//!
//! Cores that replay a trace are replays where nothing keeps their caches coherent.

use std::rc::Rc;

use crate::base::random::stream;
use crate::base::time::Time;
use crate::coherence::agent::WRITE_BACK_PLACES;
use crate::coherence::directory::Size;
use crate::coherence::order::AgentNumber;
use crate::components::carrier::{Carrier, CarrierPorts};
use crate::components::core::{Core, CorePorts, Loaded};
use crate::components::home::{Directory, Home, HomePorts};
use crate::components::homes::DirectorySpec;
use crate::components::ideal::Ideal;
use crate::components::interface::{Interface, InterfacePorts, InterfaceSpec};
use crate::components::llc::{Llc, LlcPorts};
use crate::components::memory::Memory;
use crate::components::message::{SETTLE, WORD_BYTES};
use crate::components::network::Network;
use crate::components::parcel::NodeNumber;
use crate::components::part::Part;
use crate::components::replay::Replay;
use crate::components::shared::SharedHandle;
use crate::components::snooping::{AgentPort, Snooping};
use crate::components::spec::{Inclusion, InterconnectSpec, LlcSpec, MachineSpec, NodeSpec, TrafficSpec, TransportSpec};
use crate::components::trace::Entries;
use crate::components::traffic::TrafficSource;
use crate::engine::{ChannelId, Engine, PartId};

/// Every message takes at least this long; what it means by its arrival it says itself.
const HOP: Time = Time(1);
/// Messages of the interconnect that can be on their way to one agent beyond a transaction each.
const SPARE_PLACES: u32 = 4;
/// Of a channel whose messages are taken at once, and bounded by what cores may ask for.
const ANY: u32 = u32::MAX;

/// A channel that is to be.
struct Planned {
    from: PartId,
    to: PartId,
    capacity: u32,
}

/// Channels in the order of their ids.
#[derive(Default)]
struct Plan(Vec<Planned>);

impl Plan {
    fn channel(&mut self, from: PartId, to: PartId, capacity: u32) -> ChannelId {
        self.0.push(Planned { from, to, capacity });
        ChannelId((self.0.len() - 1) as u32)
    }
}

/// Where a machine's parts are in its engine, kind by kind, and of a kind node by node: cores, sources, interconnects, memories, shared
/// caches, homes, interfaces, the network.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    pub nodes: u32,
    /// Of a node.
    pub cores: u32,
    pub sources: u32,
    pub shared_caches: bool,
    pub homes: bool,
    pub interfaces: bool,
}

impl Places {
    /// The part of a core, by its number in the machine.
    pub fn core(self, number: u32) -> PartId {
        PartId(number)
    }

    /// The part of a traffic source.
    pub fn source(self, number: u32) -> PartId {
        PartId(self.nodes * self.cores + number)
    }

    /// The part of a node's interconnect.
    pub fn interconnect(self, node: u32) -> PartId {
        PartId(self.nodes * self.cores + self.sources + node)
    }

    /// The part of a node's memory.
    pub fn memory(self, node: u32) -> PartId {
        PartId(self.interconnect(self.nodes).0 + node)
    }

    /// The part of a node's shared cache, where there is one.
    pub fn llc(self, node: u32) -> PartId {
        PartId(self.memory(self.nodes).0 + node)
    }

    /// The part of a node's home, where several nodes have one address space.
    pub fn home(self, node: u32) -> PartId {
        PartId(self.llc(if self.shared_caches { self.nodes } else { 0 }).0 + node)
    }

    /// The part of a node's interface, where each node has an address space of its own.
    pub fn interface(self, node: u32) -> PartId {
        PartId(self.home(if self.homes { self.nodes } else { 0 }).0 + node)
    }

    /// The part of the network, where there are several nodes.
    pub fn network(self) -> PartId {
        self.interface(if self.interfaces { self.nodes } else { 0 })
    }
}

/// What runs on a machine besides the program of its cores.
pub enum Load<'a> {
    Nothing,
    /// Sources on the only node, with a seed.
    Traffic(&'a [TrafficSpec], u64),
    /// The references of a trace, of each core of the only node, in place of a program.
    Trace(Vec<Box<dyn Entries>>),
}

/// Makes a machine's parts and joins them.
///
/// What parts share is of all nodes, or of each its own.
pub fn wire(spec: &MachineSpec, program: &Rc<Loaded>, shared: &[SharedHandle], load: Load<'_>) -> (Engine<Part>, Places) {
    let (traffic, seed, trace) = match load {
        Load::Nothing => (&[][..], 0, Vec::new()),
        Load::Traffic(traffic, seed) => (traffic, seed, Vec::new()),
        Load::Trace(entries) => (&[][..], 0, entries),
    };
    let places = Places {
        nodes: spec.count,
        cores: spec.node.cores,
        sources: traffic.len() as u32,
        shared_caches: spec.node.llc.is_some(),
        homes: spec.homes.is_some(),
        interfaces: spec.interface.is_some(),
    };
    let mut wiring = Wiring::new(spec, places, program, shared);
    let mut trace = trace.into_iter();
    for node in 0..spec.count {
        wiring.cores(node, &mut trace);
    }
    wiring.sources(traffic, seed);
    for node in 0..spec.count {
        match &spec.homes {
            None => wiring.interconnect(node, traffic),
            Some(_) => wiring.carrier_and_home(node),
        }
        if let Some(interface) = spec.interface {
            wiring.interface(node, interface);
        }
    }
    wiring.network();
    (wiring.engine(), places)
}

/// Parts and channels so far.
struct Wiring<'a> {
    spec: &'a MachineSpec,
    places: Places,
    program: &'a Rc<Loaded>,
    shared: &'a [SharedHandle],
    /// Transactions that a node's interconnect may have under way.
    under_way: u32,
    plan: Plan,
    cores: Vec<Part>,
    sources: Vec<Part>,
    hubs: Vec<Part>,
    memories: Vec<Part>,
    llcs: Vec<Part>,
    homes: Vec<Part>,
    interfaces: Vec<Part>,
    network: Option<Part>,
    /// By node, those at its interconnect.
    agents: Vec<Vec<AgentPort>>,
    /// By node, those from its interface to its cores.
    from_interface: Vec<Vec<ChannelId>>,
    /// By node, to each of its cores.
    to_cores: Vec<Vec<ChannelId>>,
    /// To each node's carrier or interface.
    from_network: Vec<ChannelId>,
}

impl<'a> Wiring<'a> {
    fn new(spec: &'a MachineSpec, places: Places, program: &'a Rc<Loaded>, shared: &'a [SharedHandle]) -> Wiring<'a> {
        let under_way = match &spec.node.interconnect {
            InterconnectSpec::Ideal => (places.cores + places.sources) * request_places(&spec.node),
            InterconnectSpec::Snooping(snooping) => snooping.outstanding,
        };
        Wiring {
            spec,
            places,
            program,
            shared,
            under_way,
            plan: Plan::default(),
            cores: Vec::new(),
            sources: Vec::new(),
            hubs: Vec::new(),
            memories: Vec::new(),
            llcs: Vec::new(),
            homes: Vec::new(),
            interfaces: Vec::new(),
            network: None,
            agents: Vec::new(),
            from_interface: Vec::new(),
            to_cores: Vec::new(),
            from_network: Vec::new(),
        }
    }

    /// What the parts of a node share.
    fn shared(&self, node: u32) -> SharedHandle {
        Rc::clone(self.shared.get(node as usize).unwrap_or(&self.shared[0]))
    }

    /// The cores of a node.
    fn cores(&mut self, node: u32, trace: &mut dyn Iterator<Item = Box<dyn Entries>>) {
        let spec = &self.spec.node;
        let hub = self.places.interconnect(node);
        let (mut to_cores, mut from_interface, mut agents) = (Vec::new(), Vec::new(), Vec::new());
        for place in 0..self.places.cores {
            let number = node * self.places.cores + place;
            let part = self.places.core(number);
            // Where lines have homes, a core also answers others there.
            let places = if self.spec.has_directory() { ANY } else { request_places(spec) };
            let requests = self.plan.channel(part, hub, places);
            let answers = self.plan.channel(part, hub, self.under_way);
            let capacity = if self.spec.network.is_some() { ANY } else { self.under_way + SPARE_PLACES };
            let to = self.plan.channel(hub, part, capacity);
            to_cores.push(to);
            agents.push(AgentPort { requests, to, snoops: spec.coherence().is_some() });
            let interface = self.spec.interface.map(|own| {
                let interface = self.places.interface(node);
                from_interface.push(self.plan.channel(interface, part, ANY));
                (self.plan.channel(part, interface, ANY), own)
            });
            // Of its address space.
            let number = if interface.is_some() { place } else { number } as AgentNumber;
            let shared = self.shared(node);
            self.cores.push(match trace.next() {
                Some(entries) if spec.is_plain() => Part::Replay(Box::new(Replay::new(number, spec, entries, requests, shared))),
                entries => {
                    let mut core = Core::new(number, spec, Rc::clone(self.program), shared);
                    let to_interface = interface.map(|(channel, _)| channel);
                    core.connect(CorePorts { requests: Some(requests), answers: Some(answers), interface: to_interface });
                    if let Some((_, own)) = interface {
                        core.join(node, &own);
                    }
                    if let Some(entries) = entries {
                        core.replay(entries, spec);
                    }
                    Part::Core(Box::new(core))
                }
            });
        }
        self.to_cores.push(to_cores);
        self.from_interface.push(from_interface);
        self.agents.push(agents);
    }

    fn sources(&mut self, traffic: &[TrafficSpec], seed: u64) {
        let hub = self.places.interconnect(0);
        for (number, source) in (0..).zip(traffic) {
            let part = self.places.source(number);
            let requests = self.plan.channel(part, hub, 1);
            let to = self.plan.channel(hub, part, self.under_way + SPARE_PLACES);
            let random = stream(seed, &format!("node[0].source[{number}]"));
            let agent = (self.places.cores + number) as AgentNumber;
            let source = TrafficSource::new(agent, source.clone(), requests, self.shared(0), random);
            self.agents[0].push(AgentPort { requests, to, snoops: false });
            self.sources.push(Part::Source(Box::new(source)));
        }
    }

    /// The memory of a node, and the shared cache before it where there is one, behind a part that has up to so many requests under way.
    /// Returns the channel to them.
    fn memory(&mut self, node: u32, asker: PartId, under_way: u32, unit_bytes: u32) -> ChannelId {
        let spec = &self.spec.node;
        let memory = self.places.memory(node);
        let shared_cache = spec.llc.as_ref().map(|llc| {
            let requests = self.plan.channel(asker, self.places.llc(node), llc.queue_capacity);
            let answers = self.plan.channel(self.places.llc(node), asker, under_way.saturating_add(SPARE_PLACES));
            (llc, requests, answers)
        });
        let behind = shared_cache.map_or(asker, |_| self.places.llc(node));
        let to_memory = self.plan.channel(behind, memory, spec.memory.capacity());
        let under_way = under_way.max(spec.llc.as_ref().map_or(0, |llc| llc.mshrs));
        let from_memory = self.plan.channel(memory, behind, under_way.saturating_add(SPARE_PLACES));
        // The first part behind the interconnect is memory's side of the protocol.
        let mut protocol = spec.coherence().filter(|_| self.spec.homes.is_none());
        if let Some((llc, requests, answers)) = shared_cache {
            let ports = LlcPorts { requests, answers, to_memory, from_memory };
            let random = stream(spec.seed, &format!("node[{node}].llc"));
            let llc = Llc::new(llc.clone(), unit_bytes, protocol.take(), ports, self.shared(node), random);
            self.llcs.push(Part::Llc(Box::new(llc)));
        }
        let memory = Memory::new(spec.memory.clone(), protocol, to_memory, from_memory, self.shared(node));
        self.memories.push(Part::Memory(Box::new(memory)));
        shared_cache.map_or(to_memory, |(_, requests, _)| requests)
    }

    /// What joins the cores of a node that has an address space of its own, and its memory.
    fn interconnect(&mut self, node: u32, traffic: &[TrafficSpec]) {
        let spec = &self.spec.node;
        let unit_bytes = spec.llc.as_ref().map_or(0, |llc| unit_bytes(spec, llc, traffic));
        let leaves = self.memory(node, self.places.interconnect(node), self.under_way, unit_bytes);
        let agents = std::mem::take(&mut self.agents[node as usize]);
        self.hubs.push(match &spec.interconnect {
            InterconnectSpec::Ideal => Part::Ideal(Box::new(Ideal::new(spec.line_bytes(), agents, leaves, self.shared(node)))),
            InterconnectSpec::Snooping(snooping) => {
                let hub = Snooping::new(snooping.clone(), spec.line_bytes(), agents, leaves, self.shared(node));
                Part::Snooping(Box::new(hub))
            }
        });
    }

    /// What joins the cores of one of several nodes, its home and the network.
    fn carrier_and_home(&mut self, node: u32) {
        let (hub, home, network) = (self.places.interconnect(node), self.places.home(node), self.places.network());
        let to_home = self.plan.channel(hub, home, ANY);
        let from_home = self.plan.channel(home, hub, ANY);
        let to_network = self.plan.channel(hub, network, ANY);
        self.from_network.push(self.plan.channel(network, hub, ANY));
        let memory = self.memory(node, home, ANY, self.spec.node.outermost_line_bytes());
        let ports = CarrierPorts { cores: self.to_cores[node as usize].clone(), home: to_home, network: to_network };
        let number = node as NodeNumber;
        let spec = &self.spec.node;
        let carrier = Carrier::new(number, spec.interconnect.clone(), spec.line_bytes(), ports, self.shared(node));
        self.hubs.push(Part::Carrier(Box::new(carrier)));
        let ports = HomePorts { carrier: from_home, memory };
        let directory = spec.coherence().zip(self.spec.homes).map(|(protocol, homes)| {
            let DirectorySpec { latency, pointers } = homes.directory;
            let nearest = number * self.places.cores as AgentNumber;
            let size = Size { agents: self.spec.cores() as AgentNumber, pointers: pointers as usize, nearest };
            Directory::new(protocol, size, spec.line_bytes(), latency)
        });
        let home = Home::new(number, self.places.cores as u16, directory, ports, self.shared(node));
        self.homes.push(Part::Home(Box::new(home)));
    }

    /// What sends and receives the messages of a node.
    fn interface(&mut self, node: u32, spec: InterfaceSpec) {
        let (interface, network) = (self.places.interface(node), self.places.network());
        let to_network = self.plan.channel(interface, network, ANY);
        self.from_network.push(self.plan.channel(network, interface, ANY));
        let ports = InterfacePorts { cores: std::mem::take(&mut self.from_interface[node as usize]), network: to_network };
        let shared = self.shared(node);
        let post = shared.borrow().post.clone().unwrap_or_default();
        let interface = Interface::new(node as NodeNumber, spec, ports, shared, post);
        self.interfaces.push(Part::Interface(Box::new(interface)));
    }

    /// What joins the nodes.
    fn network(&mut self) {
        if let Some(network) = &self.spec.network {
            let shared = self.spec.homes.is_some().then(|| self.shared(0));
            let network = Network::new(network.clone(), std::mem::take(&mut self.from_network), shared);
            self.network = Some(Part::Network(Box::new(network)));
        }
    }

    fn engine(self) -> Engine<Part> {
        let kinds = [self.cores, self.sources, self.hubs, self.memories, self.llcs, self.homes, self.interfaces];
        let mut engine = Engine::new(kinds.into_iter().flatten().chain(self.network).collect());
        for channel in self.plan.0 {
            engine.add_channel(channel.from, channel.to, HOP, channel.capacity);
        }
        for number in 0..self.places.nodes * self.places.cores {
            engine.track_arrivals(self.places.core(number));
        }
        engine.set_lookahead(lookahead(self.spec));
        engine
    }
}

/// Requests of a core that can be on their way or waiting: its misses, and write-backs.
fn request_places(spec: &NodeSpec) -> u32 {
    let misses = spec.misses();
    misses + leaving_places(spec, misses)
}

/// Bytes of what the line number of a request counts. A source asks for one line after another, as long as its requests.
fn unit_bytes(spec: &NodeSpec, llc: &LlcSpec, traffic: &[TrafficSpec]) -> u32 {
    let longest = traffic.iter().map(|source| source.bytes.next_multiple_of(llc.cache.line_bytes)).max();
    longest.unwrap_or(spec.outermost_line_bytes())
}

/// Write-backs of a core that can be on their way or waiting, each with its predecessor withdrawn but still on its way. Each line that
/// comes into a level that is not inclusive may drive out one more.
fn leaving_places(spec: &NodeSpec, misses: u32) -> u32 {
    let loose = spec.caches.iter().skip(1).any(|cache| cache.inclusion != Inclusion::Inclusive);
    let fills = if loose { misses * spec.caches.len() as u32 } else { 0 };
    2 * (WRITE_BACK_PLACES as u32 + fills)
}

/// How soon anything that happens can reach a core that runs: it becomes a transaction, which agents see an address phase later, and on
/// a ring a hop; or it is the word of an update, or a line that a core awaits while it goes on, which take their cycles. Where lines have
/// homes, whatever reaches a core has been carried over its node's wires. What happens at
/// an instant can come to the interconnect as late as this: decided when the instant has settled, told a core a hop later, which asks
/// another hop later.
fn lookahead(spec: &MachineSpec) -> Time {
    match &spec.node.interconnect {
        // Without caches a core is told of what others wrote beside all wires.
        _ if spec.homes.is_some() && !spec.has_directory() => HOP,
        InterconnectSpec::Ideal => HOP,
        InterconnectSpec::Snooping(own) if spec.has_directory() => {
            own.clock.edge(u64::from(own.address_cycles.min(1))).saturating_sub(SETTLE + HOP + HOP).max(HOP)
        }
        InterconnectSpec::Snooping(snooping) => {
            let hop = if let TransportSpec::Ring { hop_cycles, .. } = snooping.transport { hop_cycles } else { 0 };
            let word = WORD_BYTES.div_ceil(snooping.width_bytes);
            let cycles = u64::from((snooping.address_cycles + hop).min(word));
            snooping.clock.edge(cycles).saturating_sub(SETTLE + HOP + HOP).max(HOP)
        }
    }
}
