//! The wiring of a node: which parts there are, and which channels join them. All of it in one place.
//!
//! ```text
//!   core 0 .. core n-1 (or replays of a trace)      source 0 .. source m-1
//!     ||  \answers              ||
//!     ||requests, to            ||
//!   ======================================   interconnect: a bus, crossbar, ring, or an ideal one
//!                     ||
//!                    LLC                      where there is one
//!                     ||
//!                   memory
//! ```

use std::rc::Rc;

use crate::base::random::stream;
use crate::base::time::Time;
use crate::coherence::agent::WRITE_BACK_PLACES;
use crate::components::core::{Core, CorePorts, Loaded};
use crate::components::ideal::Ideal;
use crate::components::llc::{Llc, LlcPorts};
use crate::components::memory::Memory;
use crate::components::message::{SETTLE, WORD_BYTES};
use crate::components::part::Part;
use crate::components::replay::Replay;
use crate::components::shared::SharedHandle;
use crate::components::snooping::{AgentPort, Snooping};
use crate::components::spec::{Inclusion, InterconnectSpec, LlcSpec, NodeSpec, TrafficSpec, TransportSpec};
use crate::components::trace::Entries;
use crate::components::traffic::TrafficSource;
use crate::engine::{ChannelId, Engine, PartId};

/// Every message takes at least this long; what it means by its arrival it says itself.
const HOP: Time = Time(1);
/// Messages of the interconnect that can be on their way to one agent beyond a transaction each.
const SPARE_PLACES: u32 = 4;

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

/// Where a node's parts are in its engine: cores first, then sources.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    pub cores: u32,
    pub sources: u32,
}

impl Places {
    /// The part of a core.
    pub fn core(self, number: u32) -> PartId {
        PartId(number)
    }

    /// The part of a traffic source.
    pub fn source(self, number: u32) -> PartId {
        PartId(self.cores + number)
    }

    /// The part of the interconnect.
    pub fn interconnect(self) -> PartId {
        PartId(self.cores + self.sources)
    }

    /// The part of the memory.
    pub fn memory(self) -> PartId {
        PartId(self.cores + self.sources + 1)
    }

    /// The part of the shared cache, where there is one.
    pub fn llc(self) -> PartId {
        PartId(self.cores + self.sources + 2)
    }
}

/// What runs on a node besides the program of its cores.
pub enum Load<'a> {
    Nothing,
    /// Sources, with a seed.
    Traffic(&'a [TrafficSpec], u64),
    /// The references of a trace, of each core, in place of a program.
    Trace(Vec<Box<dyn Entries>>),
}

/// Makes a node's parts and joins them.
pub fn wire(spec: &NodeSpec, program: &Rc<Loaded>, shared: &SharedHandle, load: Load<'_>) -> (Engine<Part>, Places) {
    let (traffic, seed, trace) = match load {
        Load::Nothing => (&[][..], 0, Vec::new()),
        Load::Traffic(traffic, seed) => (traffic, seed, Vec::new()),
        Load::Trace(entries) => (&[][..], 0, entries),
    };
    let mut trace = trace.into_iter();
    let places = Places { cores: spec.cores, sources: traffic.len() as u32 };
    let (hub, memory) = (places.interconnect(), places.memory());
    let mut plan = Plan::default();
    let mut parts = Vec::new();
    let mut agents = Vec::new();
    // Requests of a core that can be on their way or waiting: its misses, and write-backs.
    let misses = spec.misses();
    let request_places = misses + leaving_places(spec, misses);
    let under_way = match &spec.interconnect {
        InterconnectSpec::Ideal => (spec.cores + places.sources) * request_places,
        InterconnectSpec::Snooping(snooping) => snooping.outstanding,
    };

    for number in 0..spec.cores {
        let part = places.core(number);
        let requests = plan.channel(part, hub, request_places);
        let answers = plan.channel(part, hub, under_way);
        let to = plan.channel(hub, part, under_way + SPARE_PLACES);
        agents.push(AgentPort { requests, to, snoops: spec.coherence().is_some() });
        let number = number as u16;
        parts.push(match trace.next() {
            Some(entries) if spec.is_plain() => {
                Part::Replay(Box::new(Replay::new(number, spec, entries, requests, Rc::clone(shared))))
            }
            entries => {
                let mut core = Core::new(number, spec, Rc::clone(program), Rc::clone(shared));
                core.connect(CorePorts { requests: Some(requests), answers: Some(answers) });
                if let Some(entries) = entries {
                    core.replay(entries, spec);
                }
                Part::Core(Box::new(core))
            }
        });
    }
    for (number, source) in (0..).zip(traffic) {
        let part = places.source(number);
        let requests = plan.channel(part, hub, 1);
        let to = plan.channel(hub, part, under_way + SPARE_PLACES);
        let random = stream(seed, &format!("node[0].source[{number}]"));
        let agent = (spec.cores + number) as u16;
        let source = TrafficSource::new(agent, source.clone(), requests, Rc::clone(shared), random);
        agents.push(AgentPort { requests, to, snoops: false });
        parts.push(Part::Source(Box::new(source)));
    }
    let shared_cache = spec.llc.as_ref().map(|llc| {
        let requests = plan.channel(hub, places.llc(), llc.queue_capacity);
        let answers = plan.channel(places.llc(), hub, under_way + SPARE_PLACES);
        (llc, requests, answers)
    });
    let behind = shared_cache.map_or(hub, |_| places.llc());
    let to_memory = plan.channel(behind, memory, spec.memory.capacity());
    let from_memory = plan.channel(memory, behind, under_way.max(spec.llc.as_ref().map_or(0, |llc| llc.mshrs)) + SPARE_PLACES);
    let leaves = shared_cache.map_or(to_memory, |(_, requests, _)| requests);
    parts.push(match &spec.interconnect {
        InterconnectSpec::Ideal => Part::Ideal(Box::new(Ideal::new(spec.line_bytes(), agents, leaves, Rc::clone(shared)))),
        InterconnectSpec::Snooping(snooping) => {
            let hub = Snooping::new(snooping.clone(), spec.line_bytes(), agents, leaves, Rc::clone(shared));
            Part::Snooping(Box::new(hub))
        }
    });
    // The first part behind the interconnect is memory's side of the protocol.
    let mut protocol = spec.coherence();
    let llc = shared_cache.map(|(llc, requests, answers)| {
        let ports = LlcPorts { requests, answers, to_memory, from_memory };
        let random = stream(spec.seed, "node[0].llc");
        let unit_bytes = unit_bytes(spec, llc, traffic);
        Part::Llc(Box::new(Llc::new(llc.clone(), unit_bytes, protocol.take(), ports, Rc::clone(shared), random)))
    });
    let memory = Memory::new(spec.memory.clone(), protocol, to_memory, from_memory, Rc::clone(shared));
    parts.push(Part::Memory(Box::new(memory)));
    parts.extend(llc);

    let mut engine = Engine::new(parts);
    for channel in plan.0 {
        engine.add_channel(channel.from, channel.to, HOP, channel.capacity);
    }
    for number in 0..spec.cores {
        engine.track_arrivals(places.core(number));
    }
    engine.set_lookahead(lookahead(spec));
    (engine, places)
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
/// a ring a hop; or it is the word of an update, or a line that a core awaits while it goes on, which take their cycles. What happens at
/// an instant can come to the interconnect as late as this: decided when the instant has settled, told a core a hop later, which asks
/// another hop later.
fn lookahead(spec: &NodeSpec) -> Time {
    match &spec.interconnect {
        InterconnectSpec::Ideal => HOP,
        InterconnectSpec::Snooping(snooping) => {
            let hop = if let TransportSpec::Ring { hop_cycles, .. } = snooping.transport { hop_cycles } else { 0 };
            let word = WORD_BYTES.div_ceil(snooping.width_bytes);
            let cycles = u64::from((snooping.address_cycles + hop).min(word));
            snooping.clock.edge(cycles).saturating_sub(SETTLE + HOP + HOP).max(HOP)
        }
    }
}
