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
//! Reads and writes of words that no cache holds have no snoop window; a write sends its data at the end of the address phase.

use std::collections::VecDeque;

use crate::base::address::Line;
use crate::base::time::Time;
use crate::coherence::controller::Transaction;
use crate::coherence::order::{AgentNumber, BusOrder, Command, Request, TransactionId};
use crate::components::arbiter::Arbiter;
use crate::components::message::{Message, SETTLE};
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
    /// Reads and writes of words that no cache holds.
    pub uncached: u64,
    /// Lines that one cache supplied to another.
    pub flushes: u64,
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
            uncached: 0,
            flushes: 0,
            data: Ledger::new(begin, memory),
            address_busy: Time::ZERO,
            wait: Time::ZERO,
        }
    }

    /// All transactions.
    pub fn transactions(&self) -> u64 {
        self.bus_rd + self.bus_rdx + self.bus_upgr + self.bus_wb + self.uncached
    }

    /// Counts a transaction that begins.
    pub fn begin_transaction(&mut self, command: Command) {
        match command {
            Command::Coherent(Transaction::BusRd) => self.bus_rd += 1,
            Command::Coherent(Transaction::BusRdX) => self.bus_rdx += 1,
            Command::Coherent(Transaction::BusUpgr) => self.bus_upgr += 1,
            Command::Coherent(Transaction::BusWb) => self.bus_wb += 1,
            Command::Read(_) | Command::Write(_) => self.uncached += 1,
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

/// Whom a transaction is shown to: all with caches, but the requestor sees an access of its own when it is complete.
pub fn snoopers(agents: &[AgentPort], request: Request) -> impl Iterator<Item = &AgentPort> {
    let sees_its_own = request.command == Command::Coherent(Transaction::BusWb);
    let is_other = move |number: AgentNumber| sees_its_own || number != request.agent;
    (0..).zip(agents).filter(move |(number, agent)| agent.snoops && is_other(*number)).map(|(_, agent)| agent)
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
    address_free: u64,
    /// When the agents' answers are complete, and for which transaction.
    windows: Vec<(u64, TransactionId)>,
    /// Data that wait for the data bus.
    ready: Vec<Transfer>,
    /// The transfer on the data bus: its first cycle, the cycle at which it ends.
    transfer: Option<(u64, u64, Transfer)>,
    for_memory: VecDeque<ForMemory>,
    /// The cycle for which a wake is planned.
    planned: Option<u64>,
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
            address_free: 0,
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
                if self.order.arrive(Request { agent, command, line, stamp: time.0 }) {
                    let cycle = self.spec.clock.cycle_at_or_after(time).max(self.address_free);
                    self.plan(cycle, port);
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
            Message::Line { id, version, time } => {
                port.release(channel);
                let agent = self.order.under_way(id).request.agent;
                self.ready.push(Transfer { id, agent, ready: time, version });
                let free = self.transfer.map_or(0, |(_, end, _)| end);
                self.plan(self.spec.clock.cycle_at_or_after(time).max(free), port);
            }
            _ => port.release(channel),
        }
    }

    /// An instant it planned for has settled, or memory has a place again.
    pub fn wake(&mut self, reason: Wake, port: &mut Port<'_, Message>) {
        match reason {
            Wake::Planned(_) => {
                let cycle = self.spec.clock.cycle_at(port.now() - SETTLE);
                if self.planned.is_some_and(|planned| planned <= cycle) {
                    self.planned = None;
                    self.settle(cycle, port);
                }
            }
            Wake::Place(_) => {
                // What waited for a place asks now.
                for waiting in &mut self.for_memory {
                    waiting.message.postpone(port.now());
                }
                self.send_to_memory(port);
                let cycle = self.spec.clock.cycle_at_or_after(port.now());
                self.plan(cycle, port);
            }
        }
    }

    /// Plans to decide at the beginning of a cycle, once everything of that instant has come.
    fn plan(&mut self, cycle: u64, port: &mut Port<'_, Message>) {
        if self.planned.is_none_or(|planned| planned > cycle) {
            self.planned = Some(cycle);
            port.wake_at((self.spec.clock.edge(cycle) + SETTLE).max(port.now()), 0);
        }
    }

    /// All that happens at the beginning of a cycle.
    fn settle(&mut self, cycle: u64, port: &mut Port<'_, Message>) {
        if let Some((_, end, transfer)) = self.transfer
            && end <= cycle
        {
            self.transfer = None;
            self.end_transfer(end, transfer, port);
        }
        while let Some(place) = self.windows.iter().position(|&(end, _)| end <= cycle) {
            let (end, id) = self.windows.remove(place);
            self.conclude(id, end, port);
        }
        self.start_transfer(cycle, port);
        let all_eligible = self.arbitrate(cycle, port);
        self.plan_next(cycle, all_eligible, port);
    }

    fn plan_next(&mut self, cycle: u64, all_eligible: bool, port: &mut Port<'_, Message>) {
        let window = self.windows.iter().map(|&(end, _)| end).min();
        // The end of a transfer that changes nothing for anyone needs no moment of its own.
        let matters = |&(_, _, transfer): &(u64, u64, Transfer)| {
            !self.ready.is_empty() || self.order.is_waiting() || self.goes_to_memory(transfer.id)
        };
        let transfer = self.transfer.filter(matters).map(|(_, end, _)| end);
        let data = match self.transfer {
            Some(_) => None,
            None => self.ready.iter().map(|transfer| self.spec.clock.cycle_at_or_after(transfer.ready).max(cycle + 1)).min(),
        };
        let address =
            (self.order.is_waiting() && (self.address_free > cycle || !all_eligible)).then(|| self.address_free.max(cycle + 1));
        if let Some(next) = [window, transfer, data, address].into_iter().flatten().min() {
            self.plan(next, port);
        }
    }

    /// Grants the address bus, where it is free and someone may have it. Returns whether all that wait had come by the cycle's
    /// beginning.
    fn arbitrate(&mut self, cycle: u64, port: &mut Port<'_, Message>) -> bool {
        let now = self.spec.clock.edge(cycle);
        if !self.order.is_waiting() {
            return true;
        }
        let mut all_eligible = true;
        if self.address_free <= cycle {
            let order = &self.order;
            let candidates = order.waiting_agents().filter_map(|agent| order.candidate(agent)).filter(|request| {
                let eligible = request.stamp <= now.0;
                all_eligible &= eligible;
                eligible
            });
            if let Some(request) = self.arbiter.choose(candidates) {
                self.grant(request, cycle, port);
            }
        }
        all_eligible
    }

    /// A request goes on the address bus.
    fn grant(&mut self, request: Request, cycle: u64, port: &mut Port<'_, Message>) {
        let id = self.order.grant(request);
        if matches!(request.command, Command::Coherent(_)) {
            self.charge_waiting(request.line, Owner::Queue, self.spec.clock.edge(cycle));
        }
        port.release(self.agents[usize::from(request.agent)].requests);
        let clock = self.spec.clock;
        let (now, seen) = (clock.edge(cycle), cycle + u64::from(self.spec.address_cycles));
        self.address_free = seen;
        self.counters.begin_transaction(request.command);
        self.counters.address_busy += clock.edge(seen) - now;
        self.counters.wait += now.saturating_sub(Time(request.stamp));
        let Command::Coherent(transaction) = request.command else {
            self.mark(request.agent, &[(Owner::Queue, now), (Owner::Network, clock.edge(seen))]);
            self.conclude(id, seen, port);
            return;
        };
        let window = seen + u64::from(self.spec.snoop_cycles);
        match transaction {
            Transaction::BusWb => {}
            Transaction::BusUpgr => self.mark(request.agent, &[(Owner::Queue, now), (Owner::Coherence, clock.edge(window))]),
            _ => self.mark(
                request.agent,
                &[(Owner::Queue, now), (Owner::Network, clock.edge(seen)), (Owner::Coherence, clock.edge(window))],
            ),
        }
        let departure = (clock.edge(seen) - Time(1)).max(port.now());
        let mut asked = false;
        for agent in snoopers(&self.agents, request) {
            let message = Message::Snoop { id, transaction, line: request.line, requestor: request.agent };
            port.send(agent.to, message, departure);
            asked = true;
        }
        if asked || transaction == Transaction::BusUpgr {
            self.windows.push((window, id));
        } else {
            // No one else could answer, so what follows is known.
            self.conclude(id, window, port);
        }
    }

    /// A transaction is over. Whoever waited for its line waited for other caches; what is left of the wait is for the bus.
    fn complete(&mut self, id: TransactionId, time: Time) {
        self.charge_waiting(self.order.under_way(id).request.line, Owner::Coherence, time);
        self.order.complete(id);
    }

    /// Says what those who wait for a line have waited for until now.
    fn charge_waiting(&self, line: Line, owner: Owner, until: Time) {
        for agent in self.order.waiting_for(line) {
            self.mark(agent, &[(owner, until)]);
        }
    }

    /// Cuts the timeline of whoever waits.
    fn mark(&self, agent: AgentNumber, cuts: &[(Owner, Time)]) {
        let timeline = &mut self.shared.borrow_mut().timelines[usize::from(agent)];
        for &(owner, until) in cuts {
            timeline.mark(owner, until);
        }
    }

    /// The agents' answers are complete at a cycle, now or to come.
    fn conclude(&mut self, id: TransactionId, cycle: u64, port: &mut Port<'_, Message>) {
        let time = self.spec.clock.edge(cycle);
        let under_way = *self.order.under_way(id);
        let Request { agent, command, line, .. } = under_way.request;
        let line_bytes = self.line_bytes;
        match (command, under_way.supplied) {
            (Command::Coherent(Transaction::BusUpgr), _) => {
                self.tell_complete(id, 0, time, port);
                self.complete(id, time);
            }
            // A write-back that no one sends: the protocol is broken, and the line's versions will tell.
            (Command::Coherent(Transaction::BusWb), None) => self.complete(id, time),
            // `settle` looks at what is ready next.
            (Command::Coherent(transaction), Some(version)) => {
                self.counters.flushes += u64::from(transaction != Transaction::BusWb);
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
            Command::Coherent(_) => self.line_bytes,
            Command::Read(bytes) | Command::Write(bytes) => bytes,
        }
    }

    /// Whether memory gets what is transferred: a write-back, a flush, a word written.
    fn goes_to_memory(&self, id: TransactionId) -> bool {
        let under_way = self.order.under_way(id);
        under_way.supplied.is_some() || matches!(under_way.request.command, Command::Write(_))
    }

    /// Whether an agent waits for the end of a transfer.
    fn is_awaited(&self, id: TransactionId) -> bool {
        self.order.under_way(id).request.command != Command::Coherent(Transaction::BusWb)
    }

    /// Gives the data bus to what has been ready for longest.
    fn start_transfer(&mut self, cycle: u64, port: &mut Port<'_, Message>) {
        let now = self.spec.clock.edge(cycle);
        if self.transfer.is_some() {
            return;
        }
        let first = (0..self.ready.len())
            .filter(|&place| self.ready[place].ready <= now)
            .min_by_key(|&place| (self.ready[place].ready, self.ready[place].agent, self.ready[place].id));
        let Some(place) = first else { return };
        let transfer = self.ready.remove(place);
        let end = cycle + u64::from(self.bytes(transfer.id).div_ceil(self.spec.width_bytes));
        self.counters.wait += now - transfer.ready;
        let bytes = u64::from(self.bytes(transfer.id));
        self.counters.data.enter(now, self.spec.clock.edge(end), bytes, port.now());
        self.transfer = Some((cycle, end, transfer));
        if self.is_awaited(transfer.id) {
            let end = self.spec.clock.edge(end);
            self.mark(transfer.agent, &[(Owner::Queue, now), (Owner::Network, end)]);
            self.tell_complete(transfer.id, transfer.version, end, port);
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
    fn end_transfer(&mut self, end: u64, transfer: Transfer, port: &mut Port<'_, Message>) {
        let Transfer { id, version, .. } = transfer;
        let time = self.spec.clock.edge(end);
        if !self.goes_to_memory(id) {
            self.complete(id, time);
            return;
        }
        let bytes = self.bytes(id);
        let under_way = self.order.under_way(id);
        let line = under_way.request.line;
        let flush = self.is_awaited(id) && under_way.supplied.is_some();
        let message = Message::Store { line, bytes, version, flush, time };
        self.for_memory.push_back(ForMemory { message, ends: Some(id) });
        self.send_to_memory(port);
    }

    /// Says what the bus waits for.
    pub fn waits(&self, report: &mut Vec<Wait>) {
        let over = self.transfer.is_some_and(|(_, _, transfer)| !self.goes_to_memory(transfer.id));
        if self.order.n_under_way() > usize::from(over) {
            let what = format!("the bus has {} transactions under way", self.order.n_under_way());
            report.push(Wait { who: None, whom: None, what });
        }
    }
}
