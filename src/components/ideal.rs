//! An ideal interconnect: any number of transactions at once, snoops and transfers in no time. Transactions of one line still follow
//! each other, in the order in which they come: that order is what coherence means.
//!
//! ```text
//!   Request --> (line free) --> Snoop to all --> answers --> the owner's line, or memory's --> Complete
//!      at t           t                t              t             t          t + latency
//! ```
//!
//! All of it takes a few picoseconds of the engine's time and none of the model's: messages say which instant they mean.

use std::collections::VecDeque;

use crate::base::time::Time;
use crate::coherence::controller::Transaction;
use crate::coherence::order::{AgentNumber, BusOrder, Command, Request, TransactionId};
use crate::components::life::Happening;
use crate::components::message::{Message, SETTLE, WORD_BYTES};
use crate::components::owner::Owner;
use crate::components::shared::SharedHandle;
use crate::components::snooping::{AgentPort, InterconnectCounters, is_shown};
use crate::engine::{ChannelId, Port, Wait, Wake};

/// The ideal interconnect.
#[derive(Debug)]
pub struct Ideal {
    line_bytes: u32,
    agents: Vec<AgentPort>,
    memory: ChannelId,
    shared: SharedHandle,

    order: BusOrder,
    /// When each transaction under way began, by its id.
    begun: Vec<Time>,
    for_memory: VecDeque<(Message, Option<TransactionId>)>,
    /// Updates whose word is on its way to those who take it.
    words: Vec<TransactionId>,
    counters: InterconnectCounters,
}

impl Ideal {
    /// An interconnect with nothing on it.
    pub fn new(line_bytes: u32, agents: Vec<AgentPort>, memory: ChannelId, shared: SharedHandle) -> Ideal {
        let order = BusOrder::new(agents.len(), usize::MAX);
        Ideal {
            line_bytes,
            agents,
            memory,
            shared,
            order,
            begun: Vec::new(),
            for_memory: VecDeque::new(),
            words: Vec::new(),
            counters: InterconnectCounters::new(Time::ZERO, Time::ZERO),
        }
    }

    /// What it counted. It is never busy.
    pub fn counters(&self) -> &InterconnectCounters {
        &self.counters
    }

    /// Begins a phase: counters start anew, with figures to be had of instants up to `memory` ago.
    pub fn begin(&mut self, at: Time, memory: Time) {
        self.counters = InterconnectCounters::new(at, memory);
    }

    /// A message has come.
    pub fn receive(&mut self, channel: ChannelId, message: Message, port: &mut Port<'_, Message>) {
        match message {
            Message::Request { agent, command, line, time } => {
                if self.order.arrive(Request { agent, command, line, stamp: time.0, left: time.0 }) {
                    self.begin_waiting(agent, Time::ZERO, port);
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
                let Request { agent, line, .. } = self.order.under_way(id).request;
                {
                    let timelines = &mut self.shared.borrow_mut().timelines[usize::from(agent)];
                    timelines.mark(line, Owner::Queue, began);
                    timelines.mark(line, Owner::MemoryLocal, time);
                }
                self.deliver(id, version, time, port);
            }
            Message::Written { address, time } => {
                port.release(channel);
                let sleepers = self.shared.borrow_mut().sleepers.remove(&address).unwrap_or_default();
                for agent in sleepers {
                    port.send(self.agents[usize::from(agent)].to, Message::Wake { time }, port.now());
                }
            }
            _ => port.release(channel),
        }
    }

    /// A transaction's answers are complete (its id is the token), or memory has a place again.
    pub fn wake(&mut self, reason: Wake, port: &mut Port<'_, Message>) {
        match reason {
            Wake::Planned(id) => match self.words.iter().position(|&other| other == id) {
                Some(place) => {
                    self.words.swap_remove(place);
                    self.end(id, self.begun[id as usize], port);
                }
                None => self.conclude(id, port),
            },
            Wake::Place(_) => {
                // What waited for a place asks now.
                for (message, _) in &mut self.for_memory {
                    message.postpone(port.now());
                }
                self.send_to_memory(port);
            }
        }
    }

    /// Begins what an agent waits for, as far as it may; `free` is when the line was given free.
    fn begin_waiting(&mut self, agent: AgentNumber, free: Time, port: &mut Port<'_, Message>) {
        while let Some(request) = self.order.candidate(agent) {
            let id = self.order.grant(request);
            port.release(self.agents[usize::from(agent)].requests);
            self.counters.begin_transaction(request.command);
            let begin = free.max(Time(request.stamp));
            let what = Happening::Granted { agent: request.agent, command: request.command };
            self.shared.borrow_mut().happens(request.line, begin, what);
            if self.begun.len() <= id as usize {
                self.begun.resize(id as usize + 1, Time::ZERO);
            }
            self.begun[id as usize] = begin;
            if request.command != Command::Coherent(Transaction::BusWb) {
                self.shared.borrow_mut().timelines[usize::from(agent)].mark(request.line, Owner::Queue, begin);
            }
            if let Command::Coherent(transaction) = request.command {
                for (_, agent) in self.agents.iter().enumerate().filter(|&(number, agent)| is_shown(&request, number, agent)) {
                    let message = Message::Snoop { id, transaction, line: request.line, requestor: request.agent };
                    port.send(agent.to, message, port.now());
                }
                port.wake_at(port.now() + SETTLE, id);
            } else {
                self.conclude(id, port);
            }
        }
    }

    /// The agents' answers are complete.
    fn conclude(&mut self, id: TransactionId, port: &mut Port<'_, Message>) {
        let under_way = *self.order.under_way(id);
        let Request { agent, command, line, .. } = under_way.request;
        let time = self.begun[id as usize];
        match (command, under_way.supplied) {
            (Command::Coherent(Transaction::BusUpgr), _) | (Command::Coherent(Transaction::BusUpd), None) => {
                self.deliver(id, 0, time, port);
            }
            (Command::Coherent(Transaction::BusWb), None) => self.end(id, time, port),
            (Command::Coherent(Transaction::BusWb), Some(version)) => self.store(id, version, false, time, port),
            (Command::Coherent(_), Some(version)) => self.deliver(id, version, time, port),
            (Command::Write(_), _) => self.deliver(id, 0, time, port),
            (Command::Coherent(_), None) => {
                let bytes = self.line_bytes;
                self.for_memory.push_back((Message::Fetch { id, agent, line, bytes, time }, None));
                self.send_to_memory(port);
            }
            (Command::Read(bytes), _) => {
                self.for_memory.push_back((Message::Fetch { id, agent, line, bytes, time }, None));
                self.send_to_memory(port);
            }
        }
    }

    /// The requestor has what it asked for.
    fn deliver(&mut self, id: TransactionId, version: u64, time: Time, port: &mut Port<'_, Message>) {
        let under_way = *self.order.under_way(id);
        let Request { agent, command, .. } = under_way.request;
        let message = Message::complete(&under_way, version, time);
        let departure = time.saturating_sub(Time(1)).max(port.now());
        port.send(self.agents[usize::from(agent)].to, message, departure);
        match command {
            Command::Coherent(Transaction::BusUpgr) => self.end(id, time, port),
            Command::Coherent(Transaction::BusUpd) => self.update(id, version, time, port),
            Command::Read(bytes) => {
                self.moved(bytes, time, port.now());
                self.end(id, time, port);
            }
            Command::Write(_) => self.store(id, 0, false, time, port),
            Command::Coherent(transaction) => {
                if under_way.supplied.is_some() {
                    self.counters.sent(transaction, under_way.for_memory);
                }
                if under_way.for_memory {
                    self.store(id, version, true, time, port);
                } else {
                    self.moved(self.line_bytes, time, port.now());
                    self.end(id, time, port);
                }
            }
        }
    }

    /// The word goes to those who take it, once the writer has written it; then the transaction is over.
    fn update(&mut self, id: TransactionId, version: u64, time: Time, port: &mut Port<'_, Message>) {
        let under_way = *self.order.under_way(id);
        if under_way.supplied.is_none() {
            return self.end(id, time, port);
        }
        self.counters.sent(Transaction::BusUpd, false);
        self.moved(WORD_BYTES, time, port.now());
        for agent in self.order.takers(id) {
            let message = Message::Word { line: under_way.request.line, version: version + 1, time };
            port.send(self.agents[usize::from(agent)].to, message, time.max(port.now() + Time(1)));
        }
        self.words.push(id);
        port.wake_at(time.max(port.now()) + SETTLE, id);
    }

    fn moved(&mut self, bytes: u32, time: Time, now: Time) {
        self.counters.data.enter(time, time, u64::from(bytes), now);
    }

    /// Memory takes the line; then the transaction is over.
    fn store(&mut self, id: TransactionId, version: u64, flush: bool, time: Time, port: &mut Port<'_, Message>) {
        let request = self.order.under_way(id).request;
        let bytes = match request.command {
            Command::Write(bytes) => bytes,
            _ => self.line_bytes,
        };
        self.moved(bytes, time, port.now());
        self.for_memory.push_back((Message::Store { line: request.line, bytes, version, flush, time }, Some(id)));
        self.send_to_memory(port);
    }

    fn send_to_memory(&mut self, port: &mut Port<'_, Message>) {
        while let Some(&(message, ends)) = self.for_memory.front() {
            if port.try_send(self.memory, message, port.now()).is_err() {
                return;
            }
            self.for_memory.pop_front();
            if let Some(id) = ends {
                // Where memory had no place, that is when it had one.
                let time = self.begun[id as usize].max(message.departure() + Time(1));
                self.end(id, time, port);
            }
        }
    }

    /// A transaction is over: what waits for its line may begin.
    fn end(&mut self, id: TransactionId, time: Time, port: &mut Port<'_, Message>) {
        self.order.complete(id);
        if self.order.is_waiting() {
            let waiting: Vec<AgentNumber> = self.order.waiting_agents().collect();
            for agent in waiting {
                self.begin_waiting(agent, time, port);
            }
        }
    }

    /// Says what the interconnect waits for.
    pub fn waits(&self, report: &mut Vec<Wait>) {
        if self.order.n_under_way() > 0 {
            let what = format!("the interconnect has {} transactions under way", self.order.n_under_way());
            report.push(Wait { who: None, whom: None, what });
        }
    }
}
