//! The order of a snooping bus: which requests wait, which transactions are under way, and which of the waiting may go next.
//!
//! A split-transaction bus has several transactions under way. Two rules keep a protocol simple (SGI Challenge; Culler, Singh and Gupta,
//! section 6.4.2): a request waits while a transaction of the same line is under way, and each agent has at most one access of a line waiting.
//! Answers of agents can change what still waits: an upgrade becomes a read for ownership when its copy is lost (*amend*), a
//! write-back is taken off when another agent's transaction has moved the line (*withdraw*); both also reach requests that are still
//! on their way to the bus.
//!
//! Plain data, no time: the bus gives each request a stamp to arbitrate by, and decides when.

use serde::{Deserialize, Serialize};

use crate::base::address::Line;
use crate::coherence::agent::Answer;
use crate::coherence::controller::Transaction;

/// An agent's number on the bus.
pub type AgentNumber = u16;

/// What an agent asks the bus for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Seen by every agent.
    Coherent(Transaction),
    /// A read of so many bytes that no cache holds.
    Read(u32),
    /// A write of so many bytes that no cache holds.
    Write(u32),
}

/// A request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    pub agent: AgentNumber,
    pub command: Command,
    pub line: Line,
    /// What the bus arbitrates by: when it came.
    pub stamp: u64,
    /// When it left its core.
    pub left: u64,
}

impl Request {
    fn is_write_back(&self) -> bool {
        self.command == Command::Coherent(Transaction::BusWb)
    }
}

/// A transaction under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UnderWay {
    pub request: Request,
    /// Whether another agent has a copy.
    pub shared: bool,
    /// The version of the line, from the agent that sends it, or a word of it, to the data bus, if one does.
    pub supplied: Option<u64>,
    /// Whether memory takes what the agent sends.
    pub for_memory: bool,
}

/// Names a transaction under way.
pub type TransactionId = u32;

/// What waits of an agent, and what is to happen to its requests that have yet to come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Agent {
    /// Accesses that wait, oldest first: of different lines.
    pub(super) accesses: Vec<Request>,
    pub(super) write_backs: Vec<Request>,
    /// The upgrades of these lines are to become reads for ownership when they come.
    pub(super) amended: Vec<Line>,
    /// The write-backs of these lines are to be dropped when they come.
    pub(super) withdrawn: Vec<Line>,
}

/// Requests and transactions of a bus.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BusOrder {
    agents: Vec<Agent>,
    under_way: Vec<Option<UnderWay>>,
    /// Who takes the word that a transaction sends.
    takers: Vec<(TransactionId, AgentNumber)>,
    n_under_way: usize,
    capacity: usize,
    /// Bit `a`: agent `a` has a request that waits.
    waiting: Vec<u64>,
}

impl BusOrder {
    /// A bus with so many agents on which `capacity` transactions can be under way.
    pub fn new(n_agents: usize, capacity: usize) -> BusOrder {
        let waiting = vec![0; n_agents.div_ceil(64)];
        BusOrder {
            agents: vec![Agent::default(); n_agents],
            under_way: Vec::new(),
            takers: Vec::new(),
            n_under_way: 0,
            capacity,
            waiting,
        }
    }

    /// A request comes. Returns whether it waits now: a withdrawn write-back is dropped.
    pub fn arrive(&mut self, mut request: Request) -> bool {
        let agent = &mut self.agents[usize::from(request.agent)];
        if request.is_write_back() {
            if let Some(place) = agent.withdrawn.iter().position(|&line| line == request.line) {
                agent.withdrawn.remove(place);
                return false;
            }
            agent.write_backs.push(request);
        } else {
            if let Some(place) = agent.amended.iter().position(|&line| line == request.line) {
                agent.amended.remove(place);
                request.command = Command::Coherent(Transaction::BusRdX);
            }
            agent.accesses.push(request);
        }
        self.note_waiting(request.agent);
        true
    }

    /// Whether any request waits.
    pub fn is_waiting(&self) -> bool {
        self.waiting.iter().any(|&agents| agents != 0)
    }

    /// The agents of which a request waits, in their order.
    pub fn waiting_agents(&self) -> impl Iterator<Item = AgentNumber> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let agent = self.first_waiting(from)?;
            from = usize::from(agent) + 1;
            Some(agent)
        })
    }

    /// The first agent from a number on of which a request waits.
    #[inline]
    fn first_waiting(&self, from: usize) -> Option<AgentNumber> {
        let mut word = from / 64;
        let mut agents = self.waiting.get(word)? & (u64::MAX << (from % 64));
        while agents == 0 {
            word += 1;
            agents = *self.waiting.get(word)?;
        }
        Some((64 * word) as AgentNumber + agents.trailing_zeros() as AgentNumber)
    }

    /// Brings the agent's bit up to date.
    fn note_waiting(&mut self, number: AgentNumber) {
        let agent = &self.agents[usize::from(number)];
        let waits = !agent.accesses.is_empty() || !agent.write_backs.is_empty();
        let (word, bit) = (usize::from(number) / 64, 1 << (number % 64));
        if waits {
            self.waiting[word] |= bit;
        } else {
            self.waiting[word] &= !bit;
        }
    }

    /// Whether a transaction of the line is under way.
    fn is_busy(&self, line: Line) -> bool {
        self.under_way
            .iter()
            .flatten()
            .any(|other| other.request.line == line && matches!(other.request.command, Command::Coherent(_)))
    }

    /// What an agent could be granted now: its oldest access that may go, or else its oldest write-back.
    pub fn candidate(&self, agent: AgentNumber) -> Option<Request> {
        self.candidates(agent).next()
    }

    /// All of an agent's requests that may go now.
    pub(super) fn candidates(&self, agent: AgentNumber) -> impl Iterator<Item = Request> + '_ {
        let is_full = self.n_under_way == self.capacity;
        let agent = &self.agents[usize::from(agent)];
        let may_go =
            move |request: &Request| !is_full && (!matches!(request.command, Command::Coherent(_)) || !self.is_busy(request.line));
        agent.accesses.iter().chain(&agent.write_backs).copied().filter(may_go)
    }

    /// A request that [`BusOrder::candidate`] offered goes on the bus.
    pub fn grant(&mut self, request: Request) -> TransactionId {
        let agent = &mut self.agents[usize::from(request.agent)];
        if request.is_write_back() {
            agent.write_backs.retain(|other| other.line != request.line);
        } else {
            agent.accesses.retain(|other| other.line != request.line);
        }
        self.note_waiting(request.agent);
        self.n_under_way += 1;
        let entry = Some(UnderWay { request, shared: false, supplied: None, for_memory: false });
        match self.under_way.iter().position(Option::is_none) {
            Some(place) => {
                self.under_way[place] = entry;
                place as TransactionId
            }
            None => {
                self.under_way.push(entry);
                (self.under_way.len() - 1) as TransactionId
            }
        }
    }

    /// An agent answers to a transaction. Returns whether a request of that agent was taken off.
    pub fn answer(&mut self, id: TransactionId, from: AgentNumber, answer: &Answer) -> bool {
        let Some(transaction) = &mut self.under_way[id as usize] else { return false };
        transaction.shared |= answer.shared;
        if answer.sends() {
            transaction.supplied = Some(answer.version);
            transaction.for_memory |= answer.is_for_memory();
        }
        if answer.take_word {
            self.takers.push((id, from));
        }
        let line = transaction.request.line;
        let agent = &mut self.agents[usize::from(from)];
        if answer.amend {
            match agent.accesses.iter_mut().find(|request| request.line == line) {
                Some(request) => request.command = Command::Coherent(Transaction::BusRdX),
                None if agent.amended.contains(&line) => {}
                None => agent.amended.push(line),
            }
        }
        if !answer.withdraw {
            return false;
        }
        let before = agent.write_backs.len();
        agent.write_backs.retain(|request| request.line != line);
        if agent.write_backs.len() == before {
            agent.withdrawn.push(line);
            return false;
        }
        self.note_waiting(from);
        true
    }

    /// A transaction under way.
    ///
    /// # Panics
    /// Where it is over.
    pub fn under_way(&self, id: TransactionId) -> &UnderWay {
        self.under_way[id as usize].as_ref().expect("a transaction is under way until it is complete")
    }

    /// The agents that take the word of a transaction.
    pub fn takers(&self, id: TransactionId) -> impl Iterator<Item = AgentNumber> + '_ {
        self.takers.iter().filter(move |&&(of, _)| of == id).map(|&(_, agent)| agent)
    }

    /// The accesses to the line that wait.
    pub fn waiting_for(&self, line: Line) -> impl Iterator<Item = &Request> + '_ {
        self.waiting_agents()
            .filter_map(move |number| self.agents[usize::from(number)].accesses.iter().find(|request| request.line == line))
    }

    /// What waits of an agent.
    pub(super) fn agent(&self, number: AgentNumber) -> &Agent {
        &self.agents[usize::from(number)]
    }

    /// Whether nothing waits, is under way, or is expected.
    pub(super) fn is_idle(&self) -> bool {
        self.n_under_way == 0 && self.agents.iter().all(|agent| *agent == Agent::default())
    }

    /// How many transactions are under way.
    pub fn n_under_way(&self) -> usize {
        self.n_under_way
    }

    /// A transaction is over: requests of its line may go.
    pub fn complete(&mut self, id: TransactionId) {
        self.under_way[id as usize] = None;
        self.takers.retain(|&(of, _)| of != id);
        self.n_under_way -= 1;
    }
}
