//! A snooping interconnect with split transactions: an address side on which all agents see all transactions in one order, and a data
//! side, a transport, that is arbitrated on its own.
//!
//! ```text
//!   cycle   c        c + a              c + a + s          first cycle d with a free way   d + n
//!           |        |                  |                  |                               |
//!           granted  every agent sees   joint answer:      the line moves, n flits         the requestor has it
//!                    the transaction    shared, dirty
//!           '--------'------------------'------------------'-------------------------------'
//!           address    snoop window       memory, or the     transfer
//!           phase                         owner's flush at once
//! ```
//!
//! `a`, `s`: cycles of the address phase and of the snoop window; `n` = ceil(bytes / width). Requests, the answers' consequences and
//! which transactions may overlap: `coherence::order`. Three of them have this in common:
//!
//! - a bus (SGI Challenge: Galles and Williams, "Performance optimizations, implementation, and verification of the SGI Challenge
//!   multiprocessor", HICSS 1994; Culler, Singh and Gupta, section 6.4): data go over one data bus;
//! - a crossbar for data beside an address bus (Sun Enterprise 10000: Charlesworth, "Starfire: Extending the SMP Envelope", IEEE Micro
//!   1998): data go from port to port, between different ports at the same time;
//! - a ring: the station of memory's first port is where transactions are ordered. A request travels there over a ring of its own, a hop
//!   for each station, by the shorter way; the transaction goes once round the ring, forward, past every station, and the answers come
//!   back with it: the snoop window is a round longer. What is known at the ordering point an upgrade's requestor hears its hops later,
//!   memory's other ports theirs. Data go by the shorter way, as soon as it is free (`transport`).
//!
//! An update sends its word as a line goes; at the end of the transfer the requestor has written it, and whoever said that it would take
//! it into its copy takes it.
//!
//! Reads and writes of words that no cache holds have no snoop window; a write sends its data at the end of the address phase.

mod counters;
mod transport;

use std::collections::VecDeque;

use crate::base::address::Line;
use crate::base::time::Time;
use crate::coherence::controller::Transaction;
use crate::coherence::order::{AgentNumber, BusOrder, Command, Request, TransactionId};
use crate::components::arbiter::Arbiter;
use crate::components::life::Happening;
use crate::components::message::{Message, SETTLE, WORD_BYTES};
use crate::components::owner::Owner;
use crate::components::shared::SharedHandle;
use crate::components::spec::{SnoopingSpec, TransportSpec};
use crate::engine::{ChannelId, Port, Wait, Wake};

pub use counters::InterconnectCounters;
pub use transport::Transport;
use transport::{Departure, Packet, PortNumber};

/// How an agent is reached.
#[derive(Clone, Copy, Debug)]
pub struct AgentPort {
    /// Brings the agent's requests.
    pub requests: ChannelId,
    /// Takes what the agent is told.
    pub to: ChannelId,
    /// Whether it has caches, so that it sees transactions.
    pub snoops: bool,
}

/// Whether a transaction is shown to an agent: to all with caches, but most of its own the requestor sees when they are complete.
#[inline]
pub fn is_shown(request: &Request, number: usize, agent: &AgentPort) -> bool {
    let own_is_shown = matches!(request.command, Command::Coherent(transaction) if transaction.is_shown_to_requestor());
    agent.snoops && (own_is_shown || number != usize::from(request.agent))
}

/// A message for memory, and the transaction that is over once memory takes it.
#[derive(Clone, Copy, Debug)]
struct ForMemory {
    message: Message,
    ends: Option<TransactionId>,
}

/// A cycle of the interconnect's clock, and when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    cycle: u64,
    time: Time,
}

/// Data on their way.
#[derive(Clone, Copy, Debug)]
struct Moving {
    end: Edge,
    packet: Packet,
    /// Whether memory gets it: a write-back, a flush, a word written.
    goes_to_memory: bool,
}

/// Requests on their way to where they are ordered: only a ring takes them long.
#[derive(Debug)]
struct Coming {
    transport: Transport,
    /// Those that have yet to set out, by the ids of their packets.
    requests: Vec<Option<Request>>,
    /// Those that have, and when they are there.
    arriving: Vec<(Edge, Request)>,
}

/// The interconnect.
#[derive(Debug)]
pub struct Snooping {
    spec: SnoopingSpec,
    line_bytes: u32,
    agents: Vec<AgentPort>,
    memory: ChannelId,
    shared: SharedHandle,

    order: BusOrder,
    arbiter: Arbiter,
    coming: Option<Coming>,
    /// The first cycle at which the next transaction can be granted.
    address_free: Edge,
    /// When the agents' answers are complete, and for which transaction.
    windows: Vec<(Edge, TransactionId)>,
    /// By transaction: who sends data for it.
    suppliers: Vec<AgentNumber>,
    /// Data that wait to be moved, and the links.
    transport: Transport,
    /// Data on their way.
    moving: Vec<Moving>,
    for_memory: VecDeque<ForMemory>,
    /// The cycle for which a wake is planned, and when it begins.
    planned: Option<Edge>,
    counters: InterconnectCounters,
}

impl Snooping {
    /// An interconnect with nothing on it.
    pub fn new(spec: SnoopingSpec, line_bytes: u32, agents: Vec<AgentPort>, memory: ChannelId, shared: SharedHandle) -> Snooping {
        let order = BusOrder::new(agents.len(), spec.outstanding as usize);
        let arbiter = Arbiter::new(spec.arbitration);
        let transport = || Transport::new(spec.transport, spec.clock, spec.arbitration, agents.len());
        let coming = matches!(spec.transport, TransportSpec::Ring { .. }).then(|| Coming {
            transport: transport(),
            requests: Vec::new(),
            arriving: Vec::new(),
        });
        Snooping {
            transport: transport(),
            spec,
            line_bytes,
            agents,
            memory,
            shared,
            order,
            arbiter,
            coming,
            address_free: Edge { cycle: 0, time: Time::ZERO },
            windows: Vec::new(),
            suppliers: Vec::new(),
            moving: Vec::new(),
            for_memory: VecDeque::new(),
            planned: None,
            counters: InterconnectCounters::new(Time::ZERO, Time::ZERO),
        }
    }

    /// What moves the data.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// What it counted.
    pub fn counters(&self) -> &InterconnectCounters {
        &self.counters
    }

    /// Begins a phase: counters start anew, with figures to be had of instants up to `memory` ago.
    pub fn begin(&mut self, at: Time, memory: Time) {
        self.counters = InterconnectCounters::new(at, memory);
        self.transport.begin(at, memory);
    }

    /// A message has come.
    pub fn receive(&mut self, channel: ChannelId, message: Message, port: &mut Port<'_, Message>) {
        match message {
            Message::Request { agent, command, line, time } => {
                let request = Request { agent, command, line, stamp: time.0, left: time.0 };
                let edge = self.first_edge(time);
                match &mut self.coming {
                    Some(coming) => {
                        coming.set_out(request, self.agents.len());
                        self.plan(edge, port);
                    }
                    None => self.arrive(request, edge.max(self.address_free), port),
                }
            }
            Message::Answer { id, agent, answer } => {
                port.release(channel);
                if answer.sends() {
                    self.supplies(id, agent);
                }
                if self.order.answer(id, agent, &answer) {
                    port.release(self.agents[usize::from(agent)].requests);
                }
            }
            Message::Written { address, time } => {
                port.release(channel);
                let sleepers = self.shared.borrow_mut().sleepers.remove(&address).unwrap_or_default();
                for agent in sleepers {
                    port.send(self.agents[usize::from(agent)].to, Message::Wake { time }, port.now());
                }
            }
            Message::Line { id, version, began, time } => {
                port.release(channel);
                let request = self.order.under_way(id).request;
                self.mark(&request, &[(Owner::Queue, began), (Owner::MemoryLocal, time)]);
                let edge = self.first_edge(time);
                self.forget_transfers(edge, port);
                self.enqueue(id, self.memory_port(request.line), version, time);
                if self.is_only_business(id) {
                    self.start_transfers(edge, port);
                    self.plan_next(edge, true, port);
                } else {
                    self.plan(edge, port);
                }
            }
            _ => port.release(channel),
        }
    }

    /// A request is where it is ordered; `edge` is when it could be granted.
    fn arrive(&mut self, request: Request, edge: Edge, port: &mut Port<'_, Message>) {
        if !self.order.arrive(request) {
            port.release(self.agents[usize::from(request.agent)].requests);
        } else if self.is_uncontested(edge, port) {
            self.arbiter.serve(request.agent);
            self.grant(request, edge, port);
            if let &[Packet { ready, .. }] = self.transport.waiting() {
                // What is written: its way is free when the address phase is over.
                self.start_transfers(self.first_edge(ready), port);
            }
            self.plan_next(edge, true, port);
        } else {
            self.plan(edge, port);
        }
    }

    /// Whether the only agent there is asks to be granted while nothing else goes on: then it is known before the cycle begins
    /// that it will be, and the moment of arbitration can be spared. The agent's other requests find what they would have found.
    fn is_uncontested(&mut self, edge: Edge, port: &mut Port<'_, Message>) -> bool {
        if self.agents.len() > 1 || self.coming.is_some() {
            return false;
        }
        self.forget_transfers(edge, port);
        self.order.n_under_way() == 0 && self.planned.is_none() && self.for_memory.is_empty()
    }

    /// Whether nothing else is under way or waits, so that the line that came will move at once: what is granted from now on has data
    /// at least a cycle later.
    fn is_only_business(&self, id: TransactionId) -> bool {
        let only = matches!(self.transport.waiting(), [packet] if packet.id == id);
        let idle = self.moving.is_empty() && !self.order.is_waiting() && self.for_memory.is_empty();
        only && idle && self.order.n_under_way() == 1 && self.coming.as_ref().is_none_or(Coming::is_empty)
    }

    /// Ends transfers of which no one has been waiting to see the end.
    fn forget_transfers(&mut self, now: Edge, port: &mut Port<'_, Message>) {
        while let Some(place) = self.moving.iter().position(|moving| moving.end <= now && !moving.goes_to_memory) {
            let moving = self.moving.swap_remove(place);
            self.end_transfer(moving, port);
        }
    }

    /// An instant it planned for has settled, or memory has a place again.
    pub fn wake(&mut self, reason: Wake, port: &mut Port<'_, Message>) {
        match reason {
            Wake::Planned(_) => {
                if let Some(edge) = self.planned
                    && edge.time + SETTLE <= port.now()
                {
                    self.planned = None;
                    self.settle(edge, port);
                }
            }
            Wake::Place(_) => {
                // What waited for a place asks now.
                for waiting in &mut self.for_memory {
                    waiting.message.postpone(port.now());
                }
                self.send_to_memory(port);
                self.plan(self.first_edge(port.now()), port);
            }
        }
    }

    fn first_edge(&self, time: Time) -> Edge {
        let (cycle, time) = self.spec.clock.first_edge(time);
        Edge { cycle, time }
    }

    fn edge(&self, cycle: u64) -> Edge {
        Edge { cycle, time: self.spec.clock.edge(cycle) }
    }

    /// Plans to decide at the beginning of a cycle, once everything of that instant has come.
    fn plan(&mut self, edge: Edge, port: &mut Port<'_, Message>) {
        if self.planned.is_none_or(|planned| planned > edge) {
            self.planned = Some(edge);
            port.wake_at((edge.time + SETTLE).max(port.now()), 0);
        }
    }

    /// All that happens at the beginning of a cycle.
    fn settle(&mut self, now: Edge, port: &mut Port<'_, Message>) {
        while let Some(moving) = self.first_to_end(now) {
            self.end_transfer(moving, port);
        }
        if self.coming.is_some() {
            self.let_come(now, port);
        }
        while let Some(place) = self.windows.iter().position(|&(end, _)| end <= now) {
            let (end, id) = self.windows.remove(place);
            self.conclude(id, end.time, port);
        }
        self.start_transfers(now, port);
        let all_eligible = !self.order.is_waiting() || self.arbitrate(now, port);
        self.plan_next(now, all_eligible, port);
    }

    /// Takes off a transfer that is over: of several the one that was over first.
    fn first_to_end(&mut self, now: Edge) -> Option<Moving> {
        let over = (0..self.moving.len()).filter(|&place| self.moving[place].end <= now);
        let first = over.min_by_key(|&place| (self.moving[place].end, self.moving[place].packet.id))?;
        Some(self.moving.swap_remove(first))
    }

    /// Requests set out for where they are ordered, and arrive there.
    fn let_come(&mut self, now: Edge, port: &mut Port<'_, Message>) {
        let Some(mut coming) = self.coming.take() else { return };
        while let Some(Departure { packet, arrival, .. }) = coming.transport.depart(now.cycle, &self.order, port.now()) {
            let Some(request) = coming.requests[packet.id as usize].take() else { continue };
            let there = self.edge(arrival);
            self.counters.wait += now.time - packet.ready;
            if request.command != Command::Coherent(Transaction::BusWb) {
                self.mark(&request, &[(Owner::Queue, now.time), (Owner::Network, there.time)]);
            }
            coming.arriving.push((there, Request { stamp: there.time.0, ..request }));
        }
        coming.arriving.sort_by_key(|&(there, request)| (there, request.agent));
        while coming.arriving.first().is_some_and(|&(there, _)| there <= now) {
            let (_, request) = coming.arriving.remove(0);
            if !self.order.arrive(request) {
                port.release(self.agents[usize::from(request.agent)].requests);
            }
        }
        self.coming = Some(coming);
    }

    fn plan_next(&mut self, now: Edge, all_eligible: bool, port: &mut Port<'_, Message>) {
        let waiting = self.order.is_waiting();
        let mut next: Option<Edge> = None;
        let mut consider = |edge: Edge| next = Some(next.map_or(edge, |next| next.min(edge)));
        for &(end, _) in &self.windows {
            consider(end);
        }
        let awaited = waiting || !self.transport.waiting().is_empty();
        for moving in &self.moving {
            // The end of a transfer that changes nothing for anyone needs no moment of its own.
            if moving.goes_to_memory || awaited {
                consider(moving.end);
            }
        }
        let mut chances = [self.transport.next_chance(now.cycle, &self.order), None];
        if let Some(coming) = &mut self.coming {
            chances[1] = coming.transport.next_chance(now.cycle, &self.order);
            coming.arriving.iter().for_each(|&(there, _)| consider(there));
        }
        for cycle in chances.into_iter().flatten() {
            consider(self.edge(cycle));
        }
        if waiting && (self.address_free > now || !all_eligible) {
            consider(if self.address_free > now { self.address_free } else { self.edge(now.cycle + 1) });
        }
        if let Some(next) = next {
            self.plan(next, port);
        }
    }

    /// Grants the next transaction, where the time has come and someone may have it. Returns whether all that wait had come by the cycle's
    /// beginning.
    fn arbitrate(&mut self, now: Edge, port: &mut Port<'_, Message>) -> bool {
        if self.address_free > now {
            return true;
        }
        let mut all_eligible = true;
        let mut chosen: Option<Request> = None;
        for agent in self.order.waiting_agents() {
            let Some(request) = self.order.candidate(agent) else { continue };
            if request.stamp <= now.time.0 {
                chosen = Some(chosen.map_or(request, |chosen| self.arbiter.better(chosen, request)));
            } else {
                all_eligible = false;
            }
        }
        if let Some(request) = chosen {
            self.arbiter.serve(request.agent);
            self.grant(request, now, port);
        }
        all_eligible
    }

    /// A request is granted: it has its place in the order.
    fn grant(&mut self, request: Request, now: Edge, port: &mut Port<'_, Message>) {
        let id = self.order.grant(request);
        self.happens(request.line, now.time, Happening::Granted { agent: request.agent, command: request.command });
        port.release(self.agents[usize::from(request.agent)].requests);
        let seen = self.edge(now.cycle + u64::from(self.spec.address_cycles));
        self.address_free = seen;
        self.counters.begin_transaction(request.command);
        self.counters.address_busy += seen.time - now.time;
        self.counters.wait += now.time.saturating_sub(Time(request.stamp));
        let Command::Coherent(transaction) = request.command else {
            self.mark(&request, &[(Owner::Queue, now.time), (Owner::Network, seen.time)]);
            self.conclude(id, seen.time, port);
            return;
        };
        self.charge_waiting(request.line, Owner::Queue, now.time);
        let window = self.edge(seen.cycle + self.round() + u64::from(self.spec.snoop_cycles));
        let (queue, coherence) = ((Owner::Queue, now.time), (Owner::Coherence, window.time));
        match transaction {
            Transaction::BusWb => {}
            Transaction::BusUpgr => self.mark(&request, &[queue, coherence]),
            _ => self.mark(&request, &[queue, (Owner::Network, seen.time), coherence]),
        }
        let mut asked = false;
        for (number, agent) in self.agents.iter().enumerate().filter(|&(number, agent)| is_shown(&request, number, agent)) {
            let there = self.spec.clock.edge(seen.cycle + self.cycles_to(number));
            let departure = (there - Time(1)).max(port.now());
            let message = Message::Snoop { id, transaction, line: request.line, requestor: request.agent };
            port.send(agent.to, message, departure);
            asked = true;
        }
        if asked || transaction == Transaction::BusUpgr {
            self.windows.push((window, id));
        } else {
            // No one else could answer, so what follows is known.
            self.conclude(id, window.time, port);
        }
    }

    /// For those who want to know all that happens to a line.
    fn happens(&self, line: Line, time: Time, what: Happening) {
        self.shared.borrow_mut().happens(line, time, what);
    }

    /// A transaction is over. Whoever waited for its line waited for other caches; what is left of the wait is for the bus.
    fn complete(&mut self, id: TransactionId, time: Time) {
        self.charge_waiting(self.order.under_way(id).request.line, Owner::Coherence, time);
        self.order.complete(id);
    }

    /// Says what those who wait for a line have waited for until now.
    fn charge_waiting(&self, line: Line, owner: Owner, until: Time) {
        for request in self.order.waiting_for(line) {
            self.mark(request, &[(owner, until)]);
        }
    }

    /// Cuts the timeline of whoever waits.
    fn mark(&self, request: &Request, cuts: &[(Owner, Time)]) {
        let timelines = &mut self.shared.borrow_mut().timelines[usize::from(request.agent)];
        for &(owner, until) in cuts {
            timelines.mark(request.line, owner, until);
        }
    }

    /// The agents' answers are complete at an instant, now or to come.
    fn conclude(&mut self, id: TransactionId, time: Time, port: &mut Port<'_, Message>) {
        let under_way = *self.order.under_way(id);
        let Request { agent, command, line, .. } = under_way.request;
        match (command, under_way.supplied) {
            // An update without a word: as for a write-back that no one sends.
            (Command::Coherent(Transaction::BusUpgr), _) | (Command::Coherent(Transaction::BusUpd), None) => {
                self.tell_complete(id, 0, self.later(time, self.cycles_to(usize::from(agent))), port);
                self.complete(id, time);
            }
            // A write-back that no one sends: the protocol is broken, and the line's versions will tell.
            (Command::Coherent(Transaction::BusWb), None) => self.complete(id, time),
            // `settle` looks at what is ready next.
            (Command::Coherent(transaction), Some(version)) => {
                self.counters.sent(transaction, under_way.for_memory);
                self.enqueue(id, usize::from(self.suppliers[id as usize]), version, time);
            }
            (Command::Write(_), _) => self.enqueue(id, usize::from(agent), 0, time),
            (Command::Coherent(_) | Command::Read(_), None) | (Command::Read(_), Some(_)) => {
                let time = self.later(time, self.cycles_to(self.memory_port(line)));
                let message = Message::Fetch { id, agent, line, bytes: self.bytes(id), time };
                self.for_memory.push_back(ForMemory { message, ends: None });
                self.send_to_memory(port);
            }
        }
    }

    /// Notes who sends data for a transaction.
    fn supplies(&mut self, id: TransactionId, agent: AgentNumber) {
        if self.suppliers.len() <= id as usize {
            self.suppliers.resize(id as usize + 1, 0);
        }
        self.suppliers[id as usize] = agent;
    }

    /// Memory's port for a line.
    fn memory_port(&self, line: Line) -> PortNumber {
        self.agents.len() + (line % u64::from(self.spec.transport.memory_ports())) as usize
    }

    /// Cycles from the ordering point to a port, forward round the ring: where there is none all hear at the same time.
    fn cycles_to(&self, port: PortNumber) -> u64 {
        let TransportSpec::Ring { hop_cycles, .. } = self.spec.transport else { return 0 };
        self.transport.hops(self.agents.len(), port) * u64::from(hop_cycles)
    }

    /// Cycles of a round of the ring.
    fn round(&self) -> u64 {
        let TransportSpec::Ring { hop_cycles, memory_ports, .. } = self.spec.transport else { return 0 };
        (self.agents.len() as u64 + u64::from(memory_ports)) * u64::from(hop_cycles)
    }

    /// So many cycles after the beginning of another.
    fn later(&self, time: Time, cycles: u64) -> Time {
        if cycles == 0 { time } else { self.edge(self.first_edge(time).cycle + cycles).time }
    }

    /// Data are there to be moved.
    fn enqueue(&mut self, id: TransactionId, from: PortNumber, version: u64, ready: Time) {
        let under_way = *self.order.under_way(id);
        let Request { agent, command, line, left, .. } = under_way.request;
        let bytes = self.bytes(id);
        let is_update = command == Command::Coherent(Transaction::BusUpd);
        let goes_home = matches!(command, Command::Write(_) | Command::Coherent(Transaction::BusWb));
        let memory = (goes_home || under_way.for_memory).then(|| self.memory_port(line));
        self.transport.enqueue(Packet {
            id,
            agent,
            left,
            from,
            to: if goes_home || is_update { memory } else { Some(usize::from(agent)) },
            also_to: if goes_home { None } else { memory },
            to_takers: is_update,
            cycles: u64::from(bytes.div_ceil(self.spec.width_bytes)),
            bytes: u64::from(bytes),
            ready,
            version,
        });
    }

    /// Sends what memory has places for.
    fn send_to_memory(&mut self, port: &mut Port<'_, Message>) {
        while let Some(&ForMemory { message, ends }) = self.for_memory.front() {
            if port.try_send(self.memory, message, message.departure().max(port.now())).is_err() {
                return;
            }
            self.for_memory.pop_front();
            if let Some(id) = ends {
                self.complete(id, port.now());
            }
        }
    }

    fn bytes(&self, id: TransactionId) -> u32 {
        match self.order.under_way(id).request.command {
            Command::Coherent(Transaction::BusUpd) => WORD_BYTES,
            Command::Coherent(_) => self.line_bytes,
            Command::Read(bytes) | Command::Write(bytes) => bytes,
        }
    }

    /// Whether an agent waits for the end of a transfer.
    fn is_awaited(&self, id: TransactionId) -> bool {
        self.order.under_way(id).request.command != Command::Coherent(Transaction::BusWb)
    }

    /// Lets data go whose way is free.
    fn start_transfers(&mut self, now: Edge, port: &mut Port<'_, Message>) {
        while !self.transport.waiting().is_empty()
            && let Some(departure) = self.transport.depart(now.cycle, &self.order, port.now())
        {
            let Departure { packet, arrival, end } = departure;
            let (arrival, end) = (self.edge(arrival), self.edge(end));
            self.counters.wait += now.time.saturating_sub(packet.ready);
            self.counters.data.enter(now.time, end.time, packet.bytes, port.now());
            let under_way = *self.order.under_way(packet.id);
            let (line, from_cache) = (under_way.request.line, under_way.supplied.is_some());
            let (agent, bytes) = (packet.agent, packet.bytes as u32);
            self.happens(line, now.time, Happening::Transferred { agent, bytes, from_cache, end: end.time });
            let goes_to_memory = under_way.for_memory || matches!(under_way.request.command, Command::Write(_));
            self.moving.push(Moving { end, packet, goes_to_memory });
            if self.is_awaited(packet.id) {
                self.mark(&under_way.request, &[(Owner::Queue, now.time), (Owner::Network, arrival.time)]);
                self.tell_complete(packet.id, packet.version, arrival.time, port);
                self.tell_takers(packet.id, packet.version, end.time, port);
            }
        }
    }

    /// Tells those who take the word of an update, once the writer has written it.
    fn tell_takers(&self, id: TransactionId, version: u64, time: Time, port: &mut Port<'_, Message>) {
        let line = self.order.under_way(id).request.line;
        for agent in self.order.takers(id) {
            port.send(self.agents[usize::from(agent)].to, Message::Word { line, version: version + 1, time }, time.max(port.now()));
        }
    }

    /// Tells the requestor that its transaction is over at an instant.
    fn tell_complete(&mut self, id: TransactionId, version: u64, time: Time, port: &mut Port<'_, Message>) {
        let under_way = self.order.under_way(id);
        let (agent, message) = (under_way.request.agent, Message::complete(under_way, version, time));
        let departure = time.saturating_sub(Time(1)).max(port.now());
        port.send(self.agents[usize::from(agent)].to, message, departure);
    }

    /// A transfer is over: memory gets what it has to get, and the transaction ends.
    fn end_transfer(&mut self, Moving { end, packet, goes_to_memory }: Moving, port: &mut Port<'_, Message>) {
        let Packet { id, version, .. } = packet;
        if !goes_to_memory {
            self.complete(id, end.time);
            return;
        }
        let bytes = self.bytes(id);
        let under_way = self.order.under_way(id);
        let line = under_way.request.line;
        let flush = self.is_awaited(id) && under_way.supplied.is_some();
        let message = Message::Store { line, bytes, version, flush, time: end.time };
        self.for_memory.push_back(ForMemory { message, ends: Some(id) });
        self.send_to_memory(port);
    }

    /// Says what the interconnect waits for.
    pub fn waits(&self, report: &mut Vec<Wait>) {
        let over = self.moving.iter().filter(|moving| !moving.goes_to_memory).count();
        if self.order.n_under_way() > over {
            let what = format!("the interconnect has {} transactions under way", self.order.n_under_way());
            report.push(Wait { who: None, whom: None, what });
        }
    }
}

impl Coming {
    /// A request leaves its core for the ordering point, memory's first port.
    fn set_out(&mut self, request: Request, n_agents: usize) {
        let id = self.requests.iter().position(Option::is_none).unwrap_or_else(|| {
            self.requests.push(None);
            self.requests.len() - 1
        });
        self.requests[id] = Some(request);
        self.transport.enqueue(Packet {
            id: id as TransactionId,
            agent: request.agent,
            left: request.left,
            from: usize::from(request.agent),
            to: Some(n_agents),
            also_to: None,
            to_takers: false,
            cycles: 1,
            bytes: 0,
            ready: Time(request.left),
            version: 0,
        });
    }

    fn is_empty(&self) -> bool {
        self.transport.waiting().is_empty() && self.arriving.is_empty()
    }
}
