//! What is explored: agents, the bus's order and memory as the simulator has them, and everything that can be on its way between them.
//! [`World::apply`] makes one step with the simulator's own controller code.
//!
//! ```text
//!   agent: copies, waiting access, write-backs      (coherence::agent)      bus: requests, transactions  (coherence::order)
//!      requests on their way  ---------------------------------------------->
//!      <----------------------------  transactions it has yet to see, its completion, a word it takes
//!   memory: state, copy  <------------------------------------------------- a line it has yet to take
//! ```
//!
//! What the simulator orders by time is free here, as far as a channel does not fix it: an agent sees a transaction of a line after it
//! got what was sent to it before for that line, takes a word after its writer has written it, and memory takes and sends a line in the
//! order of the bus. An agent may have an access waiting for each line, as a core with several misses under way has. Data are one bit: whether a copy is the newest version of its line.

use serde::{Deserialize, Serialize};

use crate::base::address::Line;
use crate::coherence::agent::{Access, Agent, Answer, Copies};
use crate::coherence::controller::{Impossible, MemoryImpossible, Transaction, Transition, memory_transition};
use crate::coherence::explore::Scope;
use crate::coherence::explore::encode::Encoder;
use crate::coherence::explore::search::Model;
use crate::coherence::explore::wrong::Wrong;
use crate::coherence::order::{AgentNumber, BusOrder, Command, Request, TransactionId};
use crate::coherence::protocol::{AgentAction, AgentEvent, MemoryAction, MemoryEvent, Permission, Protocol, State};

/// Lines that are explored at most.
pub const MOST_LINES: usize = 2;

/// Lines that a world has room for: of litmus tests there can be more.
pub(super) const ROOM: usize = 4;

/// An agent's number as an index.
pub(super) type Number = usize;

/// Something that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Step {
    /// A core reads or writes.
    Access { agent: usize, line: usize, write: bool },
    /// A line makes room.
    Evict { agent: usize, line: usize },
    /// The agent's earliest request on its way comes to the bus.
    Arrive { agent: usize },
    /// The bus takes a request of the agent.
    Grant { agent: usize },
    /// The agent sees the transaction of the line.
    See { agent: usize, line: usize },
    /// All have seen the transaction of the line: its data move, and the bus is done with it.
    Data { line: usize },
    /// The agent gets what its access waits for.
    Complete { agent: usize, line: usize },
    /// The agent takes the word that another one wrote.
    Word { agent: usize, line: usize },
    /// Memory takes the line that was sent to it.
    Memory { line: usize },
    /// A packet on its way, by its number, comes to the agent or home that it goes to.
    Deliver { packet: usize },
    /// A packet comes to its home and is left waiting: a request of its line is under way.
    Wait { packet: usize },
    /// A packet comes to an agent that has no room for its line.
    Full { packet: usize },
}

impl Step {
    /// Whether it follows from what is under way, so that it comes about without a core doing anything more.
    pub fn is_response(self) -> bool {
        !matches!(self, Step::Access { .. } | Step::Evict { .. } | Step::Wait { .. })
    }

    /// The agent that acts, where it is one.
    pub fn agent(self) -> Option<usize> {
        match self {
            Step::Access { agent, .. } | Step::Evict { agent, .. } | Step::Arrive { agent } | Step::Grant { agent } => Some(agent),
            Step::See { agent, .. } | Step::Complete { agent, .. } | Step::Word { agent, .. } => Some(agent),
            Step::Data { .. } | Step::Memory { .. } | Step::Deliver { .. } | Step::Wait { .. } | Step::Full { .. } => None,
        }
    }
}

/// One line of an agent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Held {
    pub state: State,
    pub version: u64,
    /// The version of a word on its way to the copy.
    pub word: Option<u64>,
    /// Whether an access waits for the line, and whether it writes.
    pub access: Option<bool>,
    /// What ends its wait, on its way.
    pub completion: Option<Completion>,
}

/// What ends the wait of an agent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Completion {
    pub transaction: Transaction,
    pub shared: bool,
    pub version: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AgentWorld {
    pub agent: Agent,
    pub held: [Held; ROOM],
    /// Requests on their way to the bus, the earliest first.
    pub requests: Vec<(Transaction, usize)>,
}

/// A transaction under way.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct UnderWay {
    pub id: TransactionId,
    /// Bit `a`: agent `a` has yet to see it.
    pub unseen: u8,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct LineWorld {
    /// The version that was written last.
    pub newest: u64,
    pub memory_state: State,
    pub memory_version: u64,
    /// What memory has yet to take: the event and the version.
    pub store: Option<(MemoryEvent, u64)>,
    pub transaction: Option<UnderWay>,
}

/// All that determines what can happen from now on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct World {
    pub agents: Vec<AgentWorld>,
    pub lines: Vec<LineWorld>,
    pub order: BusOrder,
    /// The access that took effect last; whoever wants to know takes it out.
    #[serde(skip)]
    pub performed: Option<Performed>,
    /// Whether an access may take effect on an old version: for those who look at values instead.
    pub lenient: bool,
}

/// An access that took effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Performed {
    pub agent: Number,
    pub line: usize,
    pub write: bool,
    /// The version it found.
    pub found: u64,
}

/// A row that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Of the agents' table.
    Agent(State, AgentEvent),
    /// Of memory's.
    Memory(State, MemoryEvent),
}

/// The rows that one step took, in their order.
pub(super) type Rows = Vec<Taken>;

/// The copies of one agent, as the agent's code wants them.
struct Lines<'a>(&'a mut [Held; ROOM]);

impl Copies for Lines<'_> {
    fn state(&self, line: Line) -> State {
        self.0[line as usize].state
    }

    fn set_state(&mut self, line: Line, state: State) {
        let held = &mut self.0[line as usize];
        if held.state == State::INVALID || state == State::INVALID {
            // What a way without the line holds is nobody's copy.
            held.version = 0;
        }
        held.state = state;
    }

    fn version(&self, line: Line) -> u64 {
        self.0[line as usize].version
    }
}

pub(super) fn took(rows: &mut Rows, taken: &Transition) {
    rows.push(Taken::Agent(taken.from, taken.event));
}

impl World {
    /// Nothing cached, nothing under way; memory has the newest version of each line.
    pub fn new(agents: usize, lines: usize) -> World {
        let held = Held { state: State::INVALID, version: 0, word: None, access: None, completion: None };
        let agent = AgentWorld { agent: Agent::default(), held: [held; ROOM], requests: Vec::new() };
        // Versions begin at 1, so that 0 is older than any.
        let line = LineWorld { newest: 1, memory_state: State::INVALID, memory_version: 1, store: None, transaction: None };
        World {
            agents: vec![agent; agents],
            lines: vec![line; lines],
            order: BusOrder::new(agents, usize::MAX),
            performed: None,
            lenient: false,
        }
    }

    /// Calls back with each step that can be made, cores' own first.
    pub fn each_step(&self, protocol: &Protocol, misses: usize, mut visit: impl FnMut(Step)) {
        for (agent, world) in self.agents.iter().enumerate() {
            let may_miss = world.held.iter().filter(|held| held.access.is_some()).count() < misses;
            for line in 0..self.lines.len() {
                if may_miss && world.held[line].access.is_none() {
                    visit(Step::Access { agent, line, write: false });
                    visit(Step::Access { agent, line, write: true });
                }
                if self.can_evict(world, line, protocol) {
                    visit(Step::Evict { agent, line });
                }
            }
        }
        for (agent, world) in self.agents.iter().enumerate() {
            if !world.requests.is_empty() {
                visit(Step::Arrive { agent });
            }
            if self.order.candidate(agent as AgentNumber).is_some() {
                visit(Step::Grant { agent });
            }
        }
        for (line, world) in self.lines.iter().enumerate() {
            for agent in 0..self.agents.len() {
                if self.can_see(agent, line) {
                    visit(Step::See { agent, line });
                }
                if self.agents[agent].held[line].completion.is_some() {
                    visit(Step::Complete { agent, line });
                }
                if self.agents[agent].held[line].word.is_some() && !self.update_is_unwritten(line) {
                    visit(Step::Word { agent, line });
                }
            }
            if world.transaction.is_some_and(|transaction| transaction.unseen == 0 && self.memory_is_ready(line, transaction.id)) {
                visit(Step::Data { line });
            }
            if world.store.is_some() {
                visit(Step::Memory { line });
            }
        }
    }

    /// A line that an access waits for stays; any other may have to make room at any time.
    fn can_evict(&self, world: &AgentWorld, line: usize, protocol: &Protocol) -> bool {
        let state = world.held[line].state;
        let awaited = world.held[line].access.is_some();
        state != State::INVALID && !awaited && (stalls(state, protocol) || world.agent.can_evict(&protocol.agent, state))
    }

    fn can_see(&self, agent: Number, line: usize) -> bool {
        let Some(transaction) = self.lines[line].transaction else { return false };
        let held = &self.agents[agent].held[line];
        transaction.unseen & 1 << agent != 0 && held.completion.is_none() && held.word.is_none()
    }

    /// Whether the writer of a word on its way has yet to write it.
    fn update_is_unwritten(&self, line: usize) -> bool {
        let is_update = |completion: Completion| completion.transaction == Transaction::BusUpd;
        self.agents.iter().any(|world| world.held[line].completion.is_some_and(is_update))
    }

    /// What a transaction under way is.
    pub fn transaction_under_way(&self, id: TransactionId) -> Transaction {
        transaction_of(&self.order.under_way(id).request)
    }

    /// Whether memory could do its part of a transaction: it takes what comes in the order in which the bus sends it.
    fn memory_is_ready(&self, line: usize, id: TransactionId) -> bool {
        let under_way = self.order.under_way(id);
        let asks = under_way.supplied.is_none() && transaction_of(&under_way.request).brings_line();
        self.lines[line].store.is_none() || !(asks || under_way.for_memory)
    }

    /// Makes a step; says which rows were taken.
    pub fn apply(&mut self, step: Step, protocol: &Protocol, rows: &mut Rows) -> Result<(), Wrong> {
        match step {
            Step::Access { agent, line, write } => self.access(agent, line, write, protocol, rows),
            Step::Evict { agent, line } => self.evict(agent, line, protocol, rows),
            Step::Arrive { agent } => {
                let (transaction, line) = self.agents[agent].requests.remove(0);
                let command = Command::Coherent(transaction);
                self.order.arrive(Request { agent: agent as AgentNumber, command, line: line as Line, stamp: 0, left: 0 });
                Ok(())
            }
            Step::Grant { agent } => {
                if let Some(request) = self.order.candidate(agent as AgentNumber) {
                    self.grant(request);
                }
                Ok(())
            }
            Step::See { agent, line } => self.see(agent, line, protocol, rows),
            Step::Data { line } => self.data(line, protocol, rows),
            Step::Complete { agent, line } => self.complete(agent, line, protocol, rows),
            Step::Word { agent, line } => self.word(agent, line, protocol, rows),
            Step::Memory { line } => {
                let Some((event, version)) = self.lines[line].store.take() else { return Ok(()) };
                if self.memory(line, event, protocol, rows)? {
                    self.lines[line].memory_version = version;
                }
                Ok(())
            }
            Step::Deliver { .. } | Step::Wait { .. } | Step::Full { .. } => unreachable!("a bus has no packets"),
        }
    }

    fn access(&mut self, agent: Number, line: usize, write: bool, protocol: &Protocol, rows: &mut Rows) -> Result<(), Wrong> {
        let world = &mut self.agents[agent];
        let (access, taken) = world
            .agent
            .access(&protocol.agent, &mut Lines(&mut world.held), line as Line, write)
            .map_err(|impossible| impossible_at(agent, impossible))?;
        took(rows, &taken);
        match access {
            Access::Asked(transaction) => {
                world.held[line].access = Some(write);
                world.requests.push((transaction, line));
                Ok(())
            }
            Access::Stalled => Ok(()),
            Access::Performed => self.perform(agent, line, write),
        }
    }

    /// An access takes effect, on the newest version or not.
    fn perform(&mut self, agent: Number, line: usize, write: bool) -> Result<(), Wrong> {
        let (held, world) = (&mut self.agents[agent].held[line], &mut self.lines[line]);
        if held.version != world.newest && !self.lenient {
            return Err(Wrong::Old { agent, line, write });
        }
        self.performed = Some(Performed { agent, line, write, found: held.version });
        if write {
            world.newest += 1;
            held.version = world.newest;
        }
        Ok(())
    }

    fn evict(&mut self, agent: Number, line: usize, protocol: &Protocol, rows: &mut Rows) -> Result<(), Wrong> {
        let world = &mut self.agents[agent];
        let state = world.held[line].state;
        if stalls(state, protocol) {
            rows.push(Taken::Agent(state, AgentEvent::Evict));
            return Ok(());
        }
        let (request, taken) = world
            .agent
            .evict(&protocol.agent, &mut Lines(&mut world.held), line as Line)
            .map_err(|impossible| impossible_at(agent, impossible))?;
        took(rows, &taken);
        world.requests.extend(request.map(|transaction| (transaction, line)));
        Ok(())
    }

    /// The bus takes a request.
    pub fn grant(&mut self, request: Request) {
        let (id, agent) = (self.order.grant(request), request.agent);
        let all = (1 << self.agents.len()) - 1;
        let own = if transaction_of(&request).is_shown_to_requestor() { 0 } else { 1 << agent };
        self.lines[request.line as usize].transaction = Some(UnderWay { id, unseen: all & !own });
    }

    fn see(&mut self, agent: Number, line: usize, protocol: &Protocol, rows: &mut Rows) -> Result<(), Wrong> {
        let Some(under_way) = &mut self.lines[line].transaction else { return Ok(()) };
        under_way.unseen &= !(1 << agent);
        let id = under_way.id;
        let request = self.order.under_way(id).request;
        let own = usize::from(request.agent) == agent;
        let answer = self.snoop(agent, line, transaction_of(&request), own, protocol, rows)?;
        if answer.sends() && self.order.under_way(id).supplied.is_some() {
            return Err(Wrong::TwoSend { agent, line });
        }
        self.order.answer(id, agent as AgentNumber, &answer);
        Ok(())
    }

    fn snoop(
        &mut self,
        agent: Number,
        line: usize,
        transaction: Transaction,
        own: bool,
        protocol: &Protocol,
        rows: &mut Rows,
    ) -> Result<Answer, Wrong> {
        let world = &mut self.agents[agent];
        let (answer, taken) = world
            .agent
            .snoop(&protocol.agent, &mut Lines(&mut world.held), line as Line, transaction, own)
            .map_err(|impossible| impossible_at(agent, impossible))?;
        took(rows, &taken);
        Ok(answer)
    }

    /// The data of a transaction move, and the bus is done with it.
    fn data(&mut self, line: usize, protocol: &Protocol, rows: &mut Rows) -> Result<(), Wrong> {
        let Some(UnderWay { id, .. }) = self.lines[line].transaction.take() else { return Ok(()) };
        let under_way = *self.order.under_way(id);
        let transaction = transaction_of(&under_way.request);
        let mut version = under_way.supplied.unwrap_or(0);
        if under_way.supplied.is_none() && transaction.brings_line() && self.memory(line, MemoryEvent::Read, protocol, rows)? {
            version = self.lines[line].memory_version;
        }
        if under_way.for_memory && transaction != Transaction::BusUpgr {
            let event = if transaction == Transaction::BusWb { MemoryEvent::WriteBack } else { MemoryEvent::Flush };
            self.lines[line].store = Some((event, version));
        }
        if transaction == Transaction::BusUpd && under_way.supplied.is_some() {
            for taker in self.order.takers(id) {
                self.agents[usize::from(taker)].held[line].word = Some(version + 1);
            }
        }
        if transaction != Transaction::BusWb {
            let completion = Completion { transaction, shared: under_way.shared, version };
            self.agents[usize::from(under_way.request.agent)].held[line].completion = Some(completion);
        }
        self.order.complete(id);
        Ok(())
    }

    fn complete(&mut self, agent: Number, line: usize, protocol: &Protocol, rows: &mut Rows) -> Result<(), Wrong> {
        let held = &mut self.agents[agent].held[line];
        let (Some(completion), Some(write)) = (held.completion.take(), held.access) else { return Ok(()) };
        let Completion { transaction, shared, version } = completion;
        if !transaction.is_shown_to_requestor() {
            self.snoop(agent, line, transaction, true, protocol, rows)?;
        }
        let world = &mut self.agents[agent];
        let (access, taken) = world
            .agent
            .complete(&protocol.agent, &mut Lines(&mut world.held), line as Line, transaction, shared)
            .map_err(|impossible| impossible_at(agent, impossible))?;
        took(rows, &taken);
        if transaction.brings_line() {
            world.held[line].version = version;
        }
        if let Access::Asked(next) = access {
            world.requests.push((next, line));
            return Ok(());
        }
        world.held[line].access = None;
        self.perform(agent, line, write)
    }

    fn word(&mut self, agent: Number, line: usize, protocol: &Protocol, rows: &mut Rows) -> Result<(), Wrong> {
        let world = &mut self.agents[agent];
        let Some(version) = world.held[line].word.take() else { return Ok(()) };
        let taken = world
            .agent
            .take_word(&protocol.agent, &mut Lines(&mut world.held), line as Line)
            .map_err(|impossible| impossible_at(agent, impossible))?;
        took(rows, &taken);
        world.held[line].version = version;
        Ok(())
    }

    /// Takes the row of memory's table. Returns whether memory supplies or takes the line.
    fn memory(&mut self, line: usize, event: MemoryEvent, protocol: &Protocol, rows: &mut Rows) -> Result<bool, Wrong> {
        let world = &mut self.lines[line];
        let taken = memory_transition(&protocol.memory, world.memory_state, event)
            .map_err(|MemoryImpossible { state, event }| Wrong::MemoryImpossible { line, state, event })?;
        rows.push(Taken::Memory(world.memory_state, event));
        world.memory_state = taken.next;
        let action = if event == MemoryEvent::Read { MemoryAction::Supply } else { MemoryAction::Update };
        Ok(taken.actions.has(action))
    }

    /// What has to hold in every state, whatever happens next.
    pub fn check(&self, protocol: &Protocol) -> Result<(), Wrong> {
        for line in 0..self.lines.len() {
            self.check_permissions(line, protocol)?;
            if !self.has_newest(line) {
                return Err(Wrong::Lost { line });
            }
        }
        Ok(())
    }

    /// Single writer or multiple readers.
    fn check_permissions(&self, line: usize, protocol: &Protocol) -> Result<(), Wrong> {
        let permits = |agent: Number| protocol.agent.state(self.agents[agent].held[line].state).permits;
        for writer in (0..self.agents.len()).filter(|&agent| permits(agent) == Permission::Write) {
            let other = (0..self.agents.len()).find(|&other| other != writer && permits(other) != Permission::Nothing);
            if let Some(other) = other {
                let also_writes = permits(other) == Permission::Write;
                return Err(Wrong::WriterAndOther { line, writer, other, also_writes });
            }
        }
        Ok(())
    }

    /// Whether a version of a line is anywhere.
    pub fn holds(&self, line: usize, version: u64) -> bool {
        let world = &self.lines[line];
        let at_agent = |agent: &AgentWorld| {
            let held = &agent.held[line];
            held.version == version
                || held.word == Some(version)
                || held.completion.is_some_and(|completion| completion.version == version)
                || agent.agent.write_backs().iter().any(|leaving| leaving.line == line as Line && leaving.version == version)
        };
        world.newest == version
            || world.memory_version == version
            || world.store.is_some_and(|(_, stored)| stored == version)
            || world.transaction.is_some_and(|transaction| self.order.under_way(transaction.id).supplied == Some(version))
            || self.agents.iter().any(at_agent)
    }

    /// Whether the version written last is anywhere.
    fn has_newest(&self, line: usize) -> bool {
        let world = &self.lines[line];
        let newest = world.newest;
        let at_agent = |agent: &AgentWorld| {
            let held = &agent.held[line];
            (held.state != State::INVALID && (held.version == newest || held.word == Some(newest)))
                || agent.agent.write_backs().iter().any(|leaving| leaving.line == line as Line && leaving.version == newest)
                || held.completion.is_some_and(|completion| completion.version == newest)
        };
        world.memory_version == newest
            || world.store.is_some_and(|(_, version)| version == newest)
            || world.transaction.is_some_and(|transaction| self.order.under_way(transaction.id).supplied == Some(newest))
            || self.agents.iter().any(at_agent)
    }

    /// Why nothing is at rest: an access waits, a copy is in a transient state, or something is on its way; `None` where all is.
    pub fn unrest(&self, protocol: &Protocol) -> Option<Unrest> {
        for (agent, world) in self.agents.iter().enumerate() {
            if let Some(line) = world.held.iter().position(|held| held.access.is_some()) {
                return Some(Unrest::Waits { agent, line });
            }
            if let Some(leaving) = world.agent.write_backs().first() {
                return Some(Unrest::Leaves { agent, line: leaving.line as usize });
            }
            for line in 0..self.lines.len() {
                if protocol.agent.state(world.held[line].state).transient {
                    return Some(Unrest::Transient { agent, line });
                }
            }
        }
        let under_way = self.lines.iter().any(|line| line.transaction.is_some() || line.store.is_some())
            || self.agents.iter().any(|agent| !agent.requests.is_empty() || agent.held.iter().any(|held| held.word.is_some()));
        (under_way || !self.order.is_idle()).then_some(Unrest::UnderWay)
    }
}

/// What keeps a state from being at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unrest {
    Waits {
        agent: usize,
        line: usize,
    },
    Leaves {
        agent: usize,
        line: usize,
    },
    Transient {
        agent: usize,
        line: usize,
    },
    UnderWay,
    /// The home of a line waits for something.
    Home {
        line: usize,
    },
    /// A packet is on its way, or waits at its home.
    Packet {
        line: usize,
        name: &'static str,
    },
}

impl Model for World {
    type Encoder = Encoder;

    fn first(_protocol: &Protocol, scope: Scope) -> World {
        World::new(scope.agents, scope.lines)
    }

    fn each_step(&self, protocol: &Protocol, misses: usize, visit: impl FnMut(Step)) {
        self.each_step(protocol, misses, visit);
    }

    fn apply(&mut self, step: Step, protocol: &Protocol, rows: &mut Rows) -> Result<(), Wrong> {
        self.apply(step, protocol, rows)
    }

    fn check(&self, protocol: &Protocol) -> Result<(), Wrong> {
        self.check(protocol)
    }

    fn unrest(&self, protocol: &Protocol) -> Option<Unrest> {
        self.unrest(protocol)
    }

    fn encode<'a>(&self, encoder: &'a mut Encoder) -> &'a [u8] {
        encoder.encode(self)
    }
}

pub(super) fn impossible_at(agent: usize, impossible: Impossible) -> Wrong {
    Wrong::Impossible { agent, state: impossible.state, event: impossible.event }
}

/// The explorer's requests are coherent ones.
pub(super) fn transaction_of(request: &Request) -> Transaction {
    match request.command {
        Command::Coherent(transaction) => transaction,
        Command::Read(_) | Command::Write(_) => unreachable!("the explorer asks for lines alone"),
    }
}

/// Whether an eviction has to be tried again.
pub(super) fn stalls(state: State, protocol: &Protocol) -> bool {
    protocol.agent.row(state, AgentEvent::Evict).is_some_and(|row| row.actions.has(AgentAction::Stall))
}
