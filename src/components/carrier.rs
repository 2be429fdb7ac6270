//! The interconnect of a node in a machine of several nodes: it carries parcels between the cores, the home and the network. Nobody
//! snoops: who has a line is the home's business. What a core asks of a line, or has to say about one, it addresses to the line's home.
//!
//! ```text
//!   cores  ====  carrier  ====  home
//!                   ||
//!                network
//! ```
//!
//! A bus has wires for what only says something, taken for its address cycles, and wires for data, taken for as many cycles as the data
//! are wide; a crossbar has both for each port that things go to. Who goes first its arbiter says. An ideal one takes no time.

use crate::base::time::{Clock, Time};
use crate::coherence::controller::Transaction;
use crate::coherence::directory::{Packet, PacketKind};
use crate::coherence::order::{AgentNumber, Command, Request};
use crate::components::arbiter::Arbiter;
use crate::components::homes::Homes;
use crate::components::message::{Message, SETTLE, WORD_BYTES};
use crate::components::owner::Owner;
use crate::components::parcel::{Content, End, NodeNumber, Parcel};
use crate::components::shared::SharedHandle;
use crate::components::snooping::InterconnectCounters;
use crate::components::spec::{InterconnectSpec, SnoopingSpec, TransportSpec};
use crate::components::utilisation::Ledger;
use crate::engine::{ChannelId, Port, Wait, Wake};

/// The channels of a carrier.
#[derive(Clone, Debug)]
pub struct CarrierPorts {
    /// To each core of the node.
    pub cores: Vec<ChannelId>,
    pub home: ChannelId,
    pub network: ChannelId,
}

/// A node's interconnect.
#[derive(Debug)]
pub struct Carrier {
    node: NodeNumber,
    spec: InterconnectSpec,
    /// Of the private caches; of a machine without, bytes of a word.
    line_bytes: u32,
    ports: CarrierPorts,
    shared: SharedHandle,

    wires: Vec<Wires>,
    counters: InterconnectCounters,
    local: Accesses,
    remote: Accesses,
}

/// Requests of the node's cores that were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accesses {
    pub count: u64,
    /// From asking to the answer, of all of them together.
    pub latency: Time,
}

/// Something that is carried one at a time.
#[derive(Clone, Debug)]
struct Wires {
    arbiter: Arbiter,
    waiting: Vec<Waiting>,
    /// When they are free.
    free: Time,
    planned: Option<Time>,
    used: Ledger,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    parcel: Parcel,
    /// The port that it came from, and when.
    from: u16,
    came: Time,
}

impl Carrier {
    /// A carrier with nothing on it.
    pub fn new(node: NodeNumber, spec: InterconnectSpec, line_bytes: u32, ports: CarrierPorts, shared: SharedHandle) -> Carrier {
        let wires = match &spec {
            InterconnectSpec::Ideal => Vec::new(),
            InterconnectSpec::Snooping(own) => {
                let n_ports = ports.cores.len() + 2;
                let n = if own.transport == TransportSpec::Bus { 2 } else { 2 * n_ports };
                let wires = Wires {
                    arbiter: Arbiter::new(own.arbitration),
                    waiting: Vec::new(),
                    free: Time::ZERO,
                    planned: None,
                    used: Ledger::new(Time::ZERO, Time::ZERO),
                };
                vec![wires; n]
            }
        };
        let counters = InterconnectCounters::new(Time::ZERO, Time::ZERO);
        let (local, remote) = (Accesses::default(), Accesses::default());
        Carrier { node, spec, line_bytes, ports, shared, wires, counters, local, remote }
    }

    /// What it counted.
    pub fn counters(&self) -> &InterconnectCounters {
        &self.counters
    }

    /// Requests that the node's own home answered, and those of others.
    pub fn accesses(&self) -> [Accesses; 2] {
        [self.local, self.remote]
    }

    /// Begins a phase: counters start anew, with figures to be had of instants up to `memory` ago.
    pub fn begin(&mut self, at: Time, memory: Time) {
        self.counters = InterconnectCounters::new(at, memory);
        (self.local, self.remote) = (Accesses::default(), Accesses::default());
        for wires in &mut self.wires {
            wires.used = Ledger::new(at, memory);
        }
    }

    /// The wires for data, with a name where there are several: what they carried.
    pub fn links(&self) -> impl Iterator<Item = (Option<String>, &Ledger)> {
        let several = self.wires.len() > 2;
        let cores = self.ports.cores.len();
        let name = move |port: usize| match port {
            port if port < cores => format!("to_core[{port}]"),
            port if port == cores => "to_home".to_string(),
            _ => "to_network".to_string(),
        };
        let data = self.wires.iter().skip(1).step_by(2).enumerate();
        data.map(move |(port, wires)| (several.then(|| name(port)), &wires.used))
    }

    /// A message has come.
    pub fn receive(&mut self, channel: ChannelId, message: Message, port: &mut Port<'_, Message>) {
        port.release(channel);
        match message {
            Message::Request { agent, command, line, time } => {
                self.counters.begin_transaction(command);
                if let Command::Coherent(transaction) = command {
                    let kind = PacketKind::of_request(transaction);
                    if let Some(packet) = kind.map(|kind| Packet::from_agent(agent, kind, line)) {
                        self.carry_packet(&packet, time, time, port);
                    }
                    return;
                }
                let to = self.home(line * u64::from(WORD_BYTES));
                let (content, bytes) = match command {
                    Command::Write(bytes) => (Content::Write, bytes),
                    Command::Read(bytes) => (Content::Read { bytes }, 0),
                    Command::Coherent(_) => return,
                };
                self.carry(Parcel { from: self.node, to, end: End::Home, content, agent, line, bytes, asked: time, time }, port);
            }
            Message::Packet { packet, asked, time } => {
                match packet.kind {
                    PacketKind::Put | PacketKind::PutClean => self.counters.put += 1,
                    PacketKind::Data | PacketKind::DataExclusive => {
                        self.counters.sent(Transaction::GetS, packet.to.is_none());
                    }
                    _ => {}
                }
                self.carry_packet(&packet, asked, time, port);
            }
            Message::Parcel(parcel) => self.carry(parcel, port),
            Message::Written { address, time } => self.wake_sleepers(address, time, port),
            _ => {}
        }
    }

    /// The node that an address lives on.
    fn home(&self, address: u64) -> NodeNumber {
        let homes = &mut self.shared.borrow_mut().homes;
        homes.as_mut().map_or(self.node, |homes: &mut Homes| homes.home(address, self.node))
    }

    /// A packet of a core of this node is to be carried.
    fn carry_packet(&mut self, packet: &Packet, asked: Time, time: Time, port: &mut Port<'_, Message>) {
        let Packet { kind, line, requestor, from, to: agent, acks, version } = *packet;
        let (to, end) = match agent {
            Some(agent) => (agent / self.ports.cores.len() as AgentNumber, End::Core(agent)),
            None => (self.home(line * u64::from(self.line_bytes)), End::Home),
        };
        if kind == PacketKind::Unblock {
            let accesses = if to == self.node { &mut self.local } else { &mut self.remote };
            accesses.count += 1;
            accesses.latency += time - asked;
        }
        let bytes = if kind.has_line() { self.line_bytes } else { 0 };
        let content = Content::Packet { kind, from, acks, version };
        self.carry(Parcel { from: self.node, to, end, content, agent: requestor, line, bytes, asked, time }, port);
    }

    /// Those of the node's cores are told that sleep until a word is written; other nodes are told where there are more.
    fn wake_sleepers(&mut self, address: u64, time: Time, port: &mut Port<'_, Message>) {
        let mut shared = self.shared.borrow_mut();
        let Some(mut sleepers) = shared.sleepers.remove(&address) else { return };
        let cores = self.ports.cores.len();
        let first = usize::from(self.node) * cores;
        sleepers.retain(|&agent| {
            let own = usize::from(agent).checked_sub(first).filter(|&number| number < cores);
            if let Some(number) = own {
                port.send(self.ports.cores[number], Message::Wake { time }, port.now());
            }
            own.is_none()
        });
        if !sleepers.is_empty() {
            shared.sleepers.insert(address, sleepers);
            port.send(self.ports.network, Message::Written { address, time }, port.now());
        }
    }

    /// The port of a core of this node.
    fn port_of(&self, agent: AgentNumber) -> usize {
        usize::from(agent) % self.ports.cores.len()
    }

    /// The port that a parcel goes to: of a core, of the home, or of the network.
    fn way(&self, parcel: &Parcel) -> usize {
        let cores = self.ports.cores.len();
        match parcel.end {
            _ if parcel.to != self.node => cores + 1,
            End::Core(agent) => self.port_of(agent),
            _ => cores,
        }
    }

    /// The port that a parcel came from.
    fn origin(&self, parcel: &Parcel) -> usize {
        let cores = self.ports.cores.len();
        if parcel.from != self.node {
            return cores + 1;
        }
        match (parcel.content, parcel.end) {
            (Content::Packet { from, .. }, _) => from.map_or(cores, |agent| self.port_of(agent)),
            // What goes to a core comes from the home.
            (_, End::Core(_)) => cores,
            _ => self.port_of(parcel.agent),
        }
    }

    /// A parcel is to be carried.
    fn carry(&mut self, parcel: Parcel, port: &mut Port<'_, Message>) {
        let InterconnectSpec::Snooping(own) = &self.spec else {
            self.counters.data.enter(parcel.time, parcel.time, u64::from(parcel.bytes), port.now());
            self.deliver(parcel, parcel.time, port);
            return;
        };
        let is_data = usize::from(parcel.bytes > 0);
        let number = match own.transport {
            TransportSpec::Bus => is_data,
            _ => 2 * self.way(&parcel) + is_data,
        };
        let from = self.origin(&parcel) as u16;
        self.wires[number].waiting.push(Waiting { parcel, from, came: parcel.time });
        self.plan(number, parcel.time, port);
    }

    /// The wires' next chance is the first edge of the clock at which they are free, and not before an instant.
    fn plan(&mut self, number: usize, not_before: Time, port: &mut Port<'_, Message>) {
        let Some(clock) = self.clock() else { return };
        let wires = &mut self.wires[number];
        let chance = clock.first_edge(wires.free.max(not_before)).1;
        if wires.planned.is_none_or(|planned| planned > chance) {
            wires.planned = Some(chance);
            // What comes at that instant may come a little later.
            port.wake_at((chance + SETTLE).max(port.now()), number as u32);
        }
    }

    fn clock(&self) -> Option<Clock> {
        match &self.spec {
            InterconnectSpec::Ideal => None,
            InterconnectSpec::Snooping(own) => Some(own.clock),
        }
    }

    /// Wires have a chance.
    pub fn wake(&mut self, reason: Wake, port: &mut Port<'_, Message>) {
        let (Wake::Planned(number), InterconnectSpec::Snooping(own)) = (reason, &self.spec) else { return };
        let number = number as usize;
        let Some(chance) = self.wires[number].planned.filter(|&chance| chance + SETTLE <= port.now()) else { return };
        let wires = &mut self.wires[number];
        wires.planned = None;
        let (mut best, mut place) = (None, None);
        for (at, waiting) in wires.waiting.iter().enumerate().filter(|(_, waiting)| waiting.came <= chance) {
            let request = waiting.request();
            let better = best.map_or(request, |best| wires.arbiter.better(best, request));
            // Of one port what came first goes first.
            if better == request && best != Some(request) && best.is_none_or(|best: Request| best.agent != request.agent) {
                (best, place) = (Some(request), Some(at));
            }
        }
        if let Some(place) = place {
            let Waiting { parcel, from, came } = wires.waiting.remove(place);
            wires.arbiter.serve(from);
            let cycles = cycles(own, &parcel);
            let cycle = own.clock.cycle_at_or_after(chance);
            let end = own.clock.edge(cycle + cycles);
            wires.free = end;
            self.counters.wait += chance - came;
            if parcel.bytes == 0 {
                self.counters.address_busy += end - chance;
            } else {
                self.counters.data.enter(chance, end, u64::from(parcel.bytes), port.now());
                self.wires[number].used.enter(chance, end, u64::from(parcel.bytes), port.now());
            }
            if parcel.is_awaited() {
                let timelines = &mut self.shared.borrow_mut().timelines[usize::from(parcel.agent)];
                timelines.mark(parcel.line, Owner::Queue, chance);
                timelines.mark(parcel.line, Owner::Network, end);
            }
            self.deliver(parcel, end, port);
        }
        if let Some(came) = self.wires[number].waiting.iter().map(|waiting| waiting.came).min() {
            self.plan(number, came, port);
        }
    }

    /// A parcel is at its port at an instant.
    fn deliver(&mut self, parcel: Parcel, time: Time, port: &mut Port<'_, Message>) {
        let departure = time.saturating_sub(Time(1)).max(port.now());
        let way = self.way(&parcel);
        let parcel = Parcel { time, ..parcel };
        if let Some(&core) = self.ports.cores.get(way) {
            let message = match parcel.content {
                Content::ReadReply | Content::WriteReply => {
                    let accesses = if parcel.from == self.node { &mut self.local } else { &mut self.remote };
                    accesses.count += 1;
                    accesses.latency += time - parcel.asked;
                    Message::Complete { transaction: None, line: parcel.line, shared: false, version: 0, time }
                }
                _ => match parcel.packet() {
                    Some(packet) => Message::Packet { packet, asked: parcel.asked, time },
                    None => Message::Parcel(parcel),
                },
            };
            port.send(core, message, departure);
            return;
        }
        let to = if way == self.ports.cores.len() { self.ports.home } else { self.ports.network };
        port.send(to, Message::Parcel(parcel), departure);
    }

    /// Says what the carrier waits for: it never does for long.
    pub fn waits(&self, report: &mut Vec<Wait>) {
        let waiting: usize = self.wires.iter().map(|wires| wires.waiting.len()).sum();
        if waiting > 0 {
            let what = format!("{waiting} messages wait for the interconnect of node[{}]", self.node);
            report.push(Wait { who: None, whom: None, what });
        }
    }
}

impl Waiting {
    /// As the arbiter sees it.
    fn request(&self) -> Request {
        Request { agent: self.from, command: Command::Read(0), line: 0, stamp: self.came.0, left: self.came.0 }
    }
}

/// Cycles that a parcel takes its wires.
fn cycles(spec: &SnoopingSpec, parcel: &Parcel) -> u64 {
    u64::from(if parcel.bytes == 0 { spec.address_cycles } else { parcel.bytes.div_ceil(spec.width_bytes) })
}
