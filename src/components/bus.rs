//! A split-transaction snooping bus: an address bus on which all agents see all transactions in one order, and a data bus that is
//! arbitrated on its own.
//!
//! ```text
//!   cycle   c        c + a              c + a + s          first free data cycle d      d + n
//!           |        |                  |                  |                            |
//!           granted  every agent sees   joint answer:      the line goes over the       the requestor has it
//!                    the transaction    shared, dirty      data bus in n cycles
//!           '--------'------------------'------------------'----------------------------'
//!           address    snoop window       memory, or the     transfer
//!           phase                         owner's flush at once
//! ```
//!
//! `a`, `s`: cycles of the address phase and of the snoop window; `n` = ceil(bytes / width). Requests, the answers' consequences and
//! which transactions may overlap: `coherence::order`. (SGI Challenge: Galles and Williams, "Performance optimizations,
//! implementation, and verification of the SGI Challenge multiprocessor", HICSS 1994; Culler, Singh and Gupta, section 6.4.)
//!
//! An update sends its word over the data bus as a line goes; at the end of the transfer the requestor has written it, and whoever said
//! that it would take it into its copy takes it.
//!
//! Reads and writes of words that no cache holds have no snoop window; a write sends its data at the end of the address phase.

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
use crate::components::spec::BusSpec;
use crate::components::utilisation::Ledger;
use crate::engine::{ChannelId, Port, Wait, Wake};

/// What a bus counted.
#[derive(Clone, Debug)]
pub struct BusCounters {
    pub bus_rd: u64,
    pub bus_rdx: u64,
    pub bus_upgr: u64,
    pub bus_wb: u64,
    pub bus_upd: u64,
    /// Reads and writes of words that no cache holds.
    pub uncached: u64,
    /// Lines that one cache supplied to another.
    pub flushes: u64,
    /// Those of them that memory did not take.
    pub supplies: u64,
    /// Words that one cache sent to others.
    pub words: u64,
    /// Transfers over the data bus.
    pub data: Ledger,
    /// Time in which the address bus was held.
    pub address_busy: Time,
    /// Time that requests waited for the address bus, and data for the data bus.
    pub wait: Time,
}

impl BusCounters {
    /// Nothing yet, from an instant on; `memory` as for a [`Ledger`].
    pub fn new(begin: Time, memory: Time) -> BusCounters {
        BusCounters {
            bus_rd: 0,
            bus_rdx: 0,
            bus_upgr: 0,
            bus_wb: 0,
            bus_upd: 0,
            uncached: 0,
            flushes: 0,
            supplies: 0,
            words: 0,
            data: Ledger::new(begin, memory),
            address_busy: Time::ZERO,
            wait: Time::ZERO,
        }
    }

    /// All transactions.
    pub fn transactions(&self) -> u64 {
        self.bus_rd + self.bus_rdx + self.bus_upgr + self.bus_wb + self.bus_upd + self.uncached
    }

    /// Counts a transaction that begins.
    pub fn begin_transaction(&mut self, command: Command) {
        match command {
            Command::Coherent(Transaction::BusRd) => self.bus_rd += 1,
            Command::Coherent(Transaction::BusRdX) => self.bus_rdx += 1,
            Command::Coherent(Transaction::BusUpgr) => self.bus_upgr += 1,
            Command::Coherent(Transaction::BusWb) => self.bus_wb += 1,
            Command::Coherent(Transaction::BusUpd) => self.bus_upd += 1,
            Command::Read(_) | Command::Write(_) => self.uncached += 1,
        }
    }

    /// Counts what an agent sends to the data bus for a transaction.
    pub fn sent(&mut self, transaction: Transaction, for_memory: bool) {
        match transaction {
            Transaction::BusWb => {}
            Transaction::BusUpd => self.words += 1,
            _ => {
                self.flushes += 1;
                self.supplies += u64::from(!for_memory);
            }
        }
    }
}

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

/// Data that wait for the data bus.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    id: TransactionId,
    agent: AgentNumber,
    /// Since when.
    ready: Time,
    version: u64,
}

/// A message for memory, and the transaction that is over once memory takes it.
#[derive(Clone, Copy, Debug)]
struct ForMemory {
    message: Message,
    ends: Option<TransactionId>,
}

/// A cycle of the bus's clock, and when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    cycle: u64,
    time: Time,
}

/// What is on the data bus.
#[derive(Clone, Copy, Debug)]
struct OnDataBus {
    end: Edge,
    transfer: Transfer,
    /// Whether memory gets it: a write-back, a flush, a word written.
    goes_to_memory: bool,
}

/// The bus.
#[derive(Debug)]
pub struct Bus {
    spec: BusSpec,
    line_bytes: u32,
    agents: Vec<AgentPort>,
    memory: ChannelId,
    shared: SharedHandle,

    order: BusOrder,
    arbiter: Arbiter,
    /// The first cycle at which the address bus is free.
    address_free: Edge,
    /// When the agents' answers are complete, and for which transaction.
    windows: Vec<(Edge, TransactionId)>,
    /// Data that wait for the data bus.
    ready: Vec<Transfer>,
    /// The transfer on the data bus.
    transfer: Option<OnDataBus>,
    for_memory: VecDeque<ForMemory>,
    /// The cycle for which a wake is planned, and when it begins.
    planned: Option<Edge>,
    counters: BusCounters,
}

impl Bus {
    /// A bus with nothing on it.
    pub fn new(spec: BusSpec, line_bytes: u32, agents: Vec<AgentPort>, memory: ChannelId, shared: SharedHandle) -> Bus {
        let order = BusOrder::new(agents.len(), spec.outstanding as usize);
        let arbiter = Arbiter::new(spec.arbitration);
        Bus {
            spec,
            line_bytes,
            agents,
            memory,
            shared,
            order,
            arbiter,
            address_free: Edge { cycle: 0, time: Time::ZERO },
            windows: Vec::new(),
            ready: Vec::new(),
            transfer: None,
            for_memory: VecDeque::new(),
            planned: None,
            counters: BusCounters::new(Time::ZERO, Time::ZERO),
        }
    }

    /// What it counted.
    pub fn counters(&self) -> &BusCounters {
        &self.counters
    }

    /// Begins a phase: counters start anew, with figures to be had of instants up to `memory` ago.
    pub fn begin(&mut self, at: Time, memory: Time) {
        self.counters = BusCounters::new(at, memory);
    }

    /// A message has come.
    pub fn receive(&mut self, channel: ChannelId, message: Message, port: &mut Port<'_, Message>) {
        match message {
            Message::Request { agent, command, line, time } => {
                let request = Request { agent, command, line, stamp: time.0 };
                if self.order.arrive(request) {
                    let edge = self.first_edge(time).max(self.address_free);
                    if self.is_uncontested(edge, port) {
                        self.arbiter.serve(agent);
                        self.grant(request, edge, port);
                        self.plan_next(edge, true, port);
                    } else {
                        self.plan(edge, port);
                    }
                } else {
                    port.release(channel);
                }
            }
            Message::Answer { id, agent, answer } => {
                port.release(channel);
                if self.order.answer(id, agent, &answer) {
                    port.release(self.agents[usize::from(agent)].requests);
                }
            }
            Message::Line { id, version, began, time } => {
                port.release(channel);
                let request = self.order.under_way(id).request;
                self.mark(&request, &[(Owner::Queue, began), (Owner::MemoryLocal, time)]);
                let agent = request.agent;
                let edge = self.first_edge(time);
                self.forget_transfer(edge, port);
                self.ready.push(Transfer { id, agent, ready: time, version });
                if self.is_only_business(id) {
                    self.start_transfer(edge, port);
                    self.plan_next(edge, true, port);
                } else {
                    self.plan(self.transfer.map_or(edge, |transfer| transfer.end.max(edge)), port);
                }
            }
            _ => port.release(channel),
        }
    }

    /// Whether the only agent there is asks for the address bus while nothing else goes on: then it is known before the cycle begins
    /// that it will have it, and the moment of arbitration can be spared. The agent's other requests find the bus as they would have.
    fn is_uncontested(&mut self, edge: Edge, port: &mut Port<'_, Message>) -> bool {
        if self.agents.len() > 1 {
            return false;
        }
        self.forget_transfer(edge, port);
        self.order.n_under_way() == 0 && self.planned.is_none() && self.for_memory.is_empty()
    }

    /// Whether nothing else is under way or waits, so that the line that came will have the data bus at once: what is granted from now
    /// on has data at least a cycle later.
    fn is_only_business(&self, id: TransactionId) -> bool {
        let only = matches!(self.ready[..], [transfer] if transfer.id == id);
        only && self.order.n_under_way() == 1 && self.transfer.is_none() && !self.order.is_waiting() && self.for_memory.is_empty()
    }

    /// Ends a transfer of which no one has been waiting to see the end.
    fn forget_transfer(&mut self, now: Edge, port: &mut Port<'_, Message>) {
        if let Some(transfer) = self.transfer.take_if(|transfer| transfer.end <= now && !transfer.goes_to_memory) {
            self.end_transfer(transfer, port);
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
        if let Some(transfer) = self.transfer.take_if(|transfer| transfer.end <= now) {
            self.end_transfer(transfer, port);
        }
        while let Some(place) = self.windows.iter().position(|&(end, _)| end <= now) {
            let (end, id) = self.windows.remove(place);
            self.conclude(id, end.time, port);
        }
        if self.transfer.is_none() && !self.ready.is_empty() {
            self.start_transfer(now, port);
        }
        let all_eligible = !self.order.is_waiting() || self.arbitrate(now, port);
        self.plan_next(now, all_eligible, port);
    }

    fn plan_next(&mut self, now: Edge, all_eligible: bool, port: &mut Port<'_, Message>) {
        let waiting = self.order.is_waiting();
        let mut next: Option<Edge> = None;
        let mut consider = |edge: Edge| next = Some(next.map_or(edge, |next| next.min(edge)));
        for &(end, _) in &self.windows {
            consider(end);
        }
        match self.transfer {
            // The end of a transfer that changes nothing for anyone needs no moment of its own.
            Some(transfer) if transfer.goes_to_memory || waiting || !self.ready.is_empty() => consider(transfer.end),
            Some(_) => {}
            None => self.ready.iter().for_each(|transfer| consider(self.first_edge(transfer.ready))),
        }
        if waiting && (self.address_free > now || !all_eligible) {
            consider(if self.address_free > now { self.address_free } else { self.edge(now.cycle + 1) });
        }
        if let Some(next) = next {
            self.plan(next, port);
        }
    }

    /// Grants the address bus, where it is free and someone may have it. Returns whether all that wait had come by the cycle's
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

    /// A request goes on the address bus.
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
        let window = self.edge(seen.cycle + u64::from(self.spec.snoop_cycles));
        let (queue, coherence) = ((Owner::Queue, now.time), (Owner::Coherence, window.time));
        match transaction {
            Transaction::BusWb => {}
            Transaction::BusUpgr => self.mark(&request, &[queue, coherence]),
            _ => self.mark(&request, &[queue, (Owner::Network, seen.time), coherence]),
        }
        let departure = (seen.time - Time(1)).max(port.now());
        let mut asked = false;
        for (_, agent) in self.agents.iter().enumerate().filter(|&(number, agent)| is_shown(&request, number, agent)) {
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
        let line_bytes = self.line_bytes;
        match (command, under_way.supplied) {
            // An update without a word: as for a write-back that no one sends.
            (Command::Coherent(Transaction::BusUpgr), _) | (Command::Coherent(Transaction::BusUpd), None) => {
                self.tell_complete(id, 0, time, port);
                self.complete(id, time);
            }
            // A write-back that no one sends: the protocol is broken, and the line's versions will tell.
            (Command::Coherent(Transaction::BusWb), None) => self.complete(id, time),
            // `settle` looks at what is ready next.
            (Command::Coherent(transaction), Some(version)) => {
                self.counters.sent(transaction, under_way.for_memory);
                self.ready.push(Transfer { id, agent, ready: time, version });
            }
            (Command::Write(_), _) => self.ready.push(Transfer { id, agent, ready: time, version: 0 }),
            (Command::Coherent(_), None) => {
                let message = Message::Fetch { id, agent, line, bytes: line_bytes, time };
                self.for_memory.push_back(ForMemory { message, ends: None });
                self.send_to_memory(port);
            }
            (Command::Read(bytes), _) => {
                let message = Message::Fetch { id, agent, line, bytes, time };
                self.for_memory.push_back(ForMemory { message, ends: None });
                self.send_to_memory(port);
            }
        }
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

    /// Gives the data bus to what has been ready for longest.
    fn start_transfer(&mut self, now: Edge, port: &mut Port<'_, Message>) {
        let first = (0..self.ready.len())
            .filter(|&place| self.ready[place].ready <= now.time)
            .min_by_key(|&place| (self.ready[place].ready, self.ready[place].agent, self.ready[place].id));
        let Some(place) = first else { return };
        let transfer = self.ready.swap_remove(place);
        let bytes = self.bytes(transfer.id);
        let end = self.edge(now.cycle + u64::from(bytes.div_ceil(self.spec.width_bytes)));
        self.counters.wait += now.time - transfer.ready;
        self.counters.data.enter(now.time, end.time, u64::from(bytes), port.now());
        let under_way = self.order.under_way(transfer.id);
        let (line, from_cache) = (under_way.request.line, under_way.supplied.is_some());
        self.happens(line, now.time, Happening::Transferred { agent: transfer.agent, bytes, from_cache, end: end.time });
        let goes_to_memory = under_way.for_memory || matches!(under_way.request.command, Command::Write(_));
        self.transfer = Some(OnDataBus { end, transfer, goes_to_memory });
        if self.is_awaited(transfer.id) {
            let request = self.order.under_way(transfer.id).request;
            self.mark(&request, &[(Owner::Queue, now.time), (Owner::Network, end.time)]);
            self.tell_complete(transfer.id, transfer.version, end.time, port);
            self.tell_takers(transfer.id, transfer.version, end.time, port);
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
        let Request { agent, command, line, .. } = under_way.request;
        let transaction = match command {
            Command::Coherent(transaction) => Some(transaction),
            _ => None,
        };
        let message = Message::Complete { transaction, line, shared: under_way.shared, version, time };
        let departure = time.saturating_sub(Time(1)).max(port.now());
        port.send(self.agents[usize::from(agent)].to, message, departure);
    }

    /// A transfer is over: memory gets what it has to get, and the transaction ends.
    fn end_transfer(&mut self, OnDataBus { end, transfer, goes_to_memory }: OnDataBus, port: &mut Port<'_, Message>) {
        let Transfer { id, version, .. } = transfer;
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

    /// Says what the bus waits for.
    pub fn waits(&self, report: &mut Vec<Wait>) {
        let over = self.transfer.is_some_and(|transfer| !transfer.goes_to_memory);
        if self.order.n_under_way() > usize::from(over) {
            let what = format!("the bus has {} transactions under way", self.order.n_under_way());
            report.push(Wait { who: None, whom: None, what });
        }
    }
}
