//! A counterexample as steps that a person can follow: replayed from the beginning, each with what it changed.

use crate::base::address::Line;
use crate::coherence::controller::Transaction;
use crate::coherence::explore::Scope;
use crate::coherence::explore::search::Found;
use crate::coherence::explore::world::{Rows, Step, Taken, World, transaction_of};
use crate::coherence::explore::wrong::{self, Wrong, line_name};
use crate::coherence::order::AgentNumber;
use crate::coherence::protocol::{AgentAction, AgentEvent, Kind, Permission, Protocol, State, Vocabulary};

/// A column of the chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Agent(usize),
    Bus,
    Memory,
}

/// The state of a line changed at an agent or at memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub lane: Lane,
    pub line: usize,
    pub from: String,
    pub to: String,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartStep {
    pub step: Step,
    /// Where it comes from and where it has its effect.
    pub from: Lane,
    pub to: Lane,
    /// The sentence.
    pub what: String,
    pub changes: Vec<Change>,
    /// The row it took last.
    pub row: Option<Taken>,
    /// What stands in each column afterwards: agents, bus, memory.
    pub cells: Vec<String>,
}

/// How a protocol goes wrong, in as few steps as it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    pub agents: usize,
    pub lines: usize,
    pub kind: Kind,
    pub steps: Vec<ChartStep>,
    /// What is wrong after the last step.
    pub wrong: String,
    /// The row taken last: by the agent that misses a write or holds a copy beside a writer, where that is what is wrong; an access that
    /// asks for nothing does not count.
    pub row: Option<Taken>,
    /// The pair of state and event that happened and that a table calls impossible, where that is what is wrong.
    pub impossible: Option<Taken>,
}

/// The steps of a counterexample.
pub(super) struct Told {
    pub steps: Vec<ChartStep>,
    /// The row taken last, and the last of each agent.
    pub row: Option<Taken>,
    pub last_of: Vec<Option<Taken>>,
}

impl Counterexample {
    pub(super) fn replay(protocol: &Protocol, scope: Scope, found: &Found) -> Counterexample {
        let mut world = World::new(scope.agents, scope.lines);
        let mut steps = Vec::new();
        let mut row = None;
        let mut last_of = vec![None; scope.agents];
        for &step in &found.steps {
            let before = world.clone();
            let mut rows = Rows::new();
            // The last step may fail half-way: what it did until then is shown.
            let _ = world.apply(step, protocol, &mut rows);
            row = rows.last().copied().or(row);
            if let (Some(agent), Some(&taken)) = (step.agent(), rows.last())
                && !is_hit(taken, protocol)
            {
                last_of[agent] = Some(taken);
            }
            steps.push(Teller { protocol, before: &before, after: &world, rows: &rows }.tell(step));
        }
        Counterexample::new(protocol, scope, found, Told { steps, row, last_of })
    }

    pub(super) fn new(protocol: &Protocol, scope: Scope, found: &Found, told: Told) -> Counterexample {
        let Told { steps, row, last_of } = told;
        let impossible = match found.wrong {
            Wrong::Impossible { state, event, .. } => Some(Taken::Agent(state, event)),
            Wrong::MemoryImpossible { state, event, .. } => Some(Taken::Memory(state, event)),
            _ => None,
        };
        let row = match found.wrong {
            Wrong::Old { agent, .. } | Wrong::WriterAndOther { other: agent, .. } => last_of[agent].or(row),
            _ => row,
        };
        let wrong = found.wrong.describe(protocol, scope.lines);
        Counterexample { agents: scope.agents, lines: scope.lines, kind: protocol.kind(), steps, wrong, row, impossible }
    }
}

/// Whether a row lets an access go on without a word to anyone.
pub(super) fn is_hit(taken: Taken, protocol: &Protocol) -> bool {
    let Taken::Agent(state, event) = taken else { return false };
    let performs = protocol.agent.row(state, event).is_some_and(|row| row.actions.has(AgentAction::Perform));
    matches!(event, AgentEvent::Load | AgentEvent::Store) && performs
}

/// Puts one step into words.
struct Teller<'a> {
    protocol: &'a Protocol,
    before: &'a World,
    after: &'a World,
    rows: &'a Rows,
}

fn called(line: usize, world: &World) -> String {
    wrong::called(line, world.lines.len())
}

impl Teller<'_> {
    fn tell(&self, step: Step) -> ChartStep {
        let (from, to, what) = match step {
            Step::Access { agent, line, write } => self.access(agent, line, write),
            Step::Evict { agent, line } => self.evict(agent, line),
            Step::Arrive { agent } => self.arrive(agent),
            Step::Grant { agent } => self.grant(agent),
            Step::See { agent, line } => self.see(agent, line),
            Step::Data { line } => self.data(line),
            Step::Complete { agent, line } => self.complete(agent, line),
            Step::Word { agent, line } => {
                let what = format!("agent {agent} takes the word into {}", called(line, self.after));
                (Lane::Bus, Lane::Agent(agent), what)
            }
            Step::Memory { line } => (Lane::Bus, Lane::Memory, format!("memory takes {}", called(line, self.after))),
            Step::Deliver { .. } | Step::Wait { .. } | Step::Full { .. } => unreachable!("a bus has no packets"),
        };
        ChartStep { step, from, to, what, changes: self.changes(), row: self.rows.last().copied(), cells: self.cells() }
    }

    fn access(&self, agent: usize, line: usize, write: bool) -> (Lane, Lane, String) {
        let verb = if write { "writes" } else { "reads" };
        let begin = format!("agent {agent} {verb} {}", called(line, self.after));
        match self.asked(agent) {
            Some(transaction) => (Lane::Agent(agent), Lane::Bus, format!("{begin}: asks for {}", transaction.name())),
            None if self.did(AgentAction::Stall) => (Lane::Agent(agent), Lane::Agent(agent), format!("{begin}: has to try again")),
            None => (Lane::Agent(agent), Lane::Agent(agent), begin),
        }
    }

    fn evict(&self, agent: usize, line: usize) -> (Lane, Lane, String) {
        let begin = format!("agent {agent} evicts {}", called(line, self.after));
        match self.asked(agent) {
            Some(transaction) => (Lane::Agent(agent), Lane::Bus, format!("{begin}: asks for {}", transaction.name())),
            None => (Lane::Agent(agent), Lane::Agent(agent), begin),
        }
    }

    /// The request that an agent sent off in this step.
    fn asked(&self, agent: usize) -> Option<Transaction> {
        let (before, after) = (&self.before.agents[agent].requests, &self.after.agents[agent].requests);
        (after.len() > before.len()).then(|| after[before.len()].0)
    }

    fn did(&self, action: AgentAction) -> bool {
        self.rows.iter().any(|&taken| match taken {
            Taken::Agent(state, event) => self.protocol.agent.row(state, event).is_some_and(|row| row.actions.has(action)),
            Taken::Memory(..) => false,
        })
    }

    fn arrive(&self, agent: usize) -> (Lane, Lane, String) {
        let (transaction, line) = self.before.agents[agent].requests[0];
        let begin = format!("agent {agent}'s {} of {} comes to the bus", transaction.name(), called(line, self.after));
        let pending = self.after.order.agent(agent as AgentNumber);
        let what = match pending.accesses.iter().find(|request| request.line == line as Line) {
            _ if transaction == Transaction::BusWb => {
                let waits = pending.write_backs.iter().any(|request| request.line == line as Line);
                if waits { begin } else { format!("{begin}, which drops it: it is withdrawn") }
            }
            Some(access) if transaction_of(access) != transaction => format!("{begin}, as {}", transaction_of(access).name()),
            _ => begin,
        };
        (Lane::Agent(agent), Lane::Bus, what)
    }

    fn grant(&self, agent: usize) -> (Lane, Lane, String) {
        let what = match self.before.order.candidate(agent as AgentNumber) {
            Some(request) => {
                let name = transaction_of(&request).name();
                format!("agent {agent}'s {name} of {} is on the bus", called(request.line as usize, self.after))
            }
            None => String::new(),
        };
        (Lane::Bus, Lane::Bus, what)
    }

    fn see(&self, agent: usize, line: usize) -> (Lane, Lane, String) {
        let transaction = self.before.lines[line].transaction.map(|under_way| self.before.order.under_way(under_way.id).request);
        let name = transaction.map_or("nothing", |request| transaction_of(&request).name());
        let own = transaction.is_some_and(|request| usize::from(request.agent) == agent);
        let whose = if own { "its own " } else { "" };
        let answers: Vec<&str> = AgentAction::ALL.iter().filter(|&&(_, action)| self.did(action)).map(|&(name, _)| name).collect();
        let answers = if answers.is_empty() { String::new() } else { format!(" and answers {}", answers.join(", ")) };
        (Lane::Bus, Lane::Agent(agent), format!("agent {agent} sees {whose}{name} of {}{answers}", called(line, self.after)))
    }

    fn data(&self, line: usize) -> (Lane, Lane, String) {
        let Some(under_way) = self.before.lines[line].transaction.map(|under_way| *self.before.order.under_way(under_way.id))
        else {
            return (Lane::Bus, Lane::Bus, String::new());
        };
        let agent = usize::from(under_way.request.agent);
        let (transaction, line) = (transaction_of(&under_way.request), called(line, self.after));
        match (transaction, under_way.supplied, under_way.for_memory) {
            (Transaction::BusUpgr, ..) => (Lane::Bus, Lane::Bus, format!("the bus is done with agent {agent}'s BusUpgr")),
            (Transaction::BusWb, Some(_), _) => (Lane::Bus, Lane::Memory, format!("{line} is sent to memory")),
            (Transaction::BusUpd, Some(_), _) => {
                (Lane::Bus, Lane::Bus, format!("the word that agent {agent} writes is sent to all who take it"))
            }
            (Transaction::BusWb | Transaction::BusUpd, None, _) => {
                (Lane::Bus, Lane::Bus, format!("the bus is done with agent {agent}'s {}: no one sent anything", transaction.name()))
            }
            (_, Some(_), true) => {
                (Lane::Bus, Lane::Agent(agent), format!("{line} is sent from its owner to agent {agent} and to memory"))
            }
            (_, Some(_), false) => (Lane::Bus, Lane::Agent(agent), format!("{line} is sent from its owner to agent {agent}")),
            (_, None, _) => (Lane::Memory, Lane::Agent(agent), format!("{line} is sent from memory to agent {agent}")),
        }
    }

    fn complete(&self, agent: usize, line: usize) -> (Lane, Lane, String) {
        let held = &self.before.agents[agent].held[line];
        let (Some(write), Some(completion)) = (held.access, held.completion) else {
            return (Lane::Bus, Lane::Agent(agent), String::new());
        };
        let line = called(line, self.after);
        let what = match (self.asked(agent), completion.transaction.brings_line()) {
            (Some(next), _) => format!("agent {agent} has {line} and asks for {}", next.name()),
            (None, true) => format!("agent {agent} has {line} and {} it", if write { "writes" } else { "reads" }),
            (None, false) => format!("agent {agent}'s {} is over: it writes {line}", completion.transaction.name()),
        };
        (Lane::Bus, Lane::Agent(agent), what)
    }

    /// The state of an agent's line: in its caches, or on its way out.
    fn state(&self, world: &World, agent: usize, line: usize) -> String {
        let of_agent = &world.agents[agent];
        let leaving = of_agent.agent.write_backs().iter().find(|leaving| leaving.line == line as Line);
        let (state, version) = match leaving {
            Some(leaving) => (leaving.state, leaving.version),
            None => (of_agent.held[line].state, of_agent.held[line].version),
        };
        let info = self.protocol.agent.state(state);
        let is_copy = state != State::INVALID && (info.permits != Permission::Nothing || info.dirty);
        let old = is_copy && version != world.lines[line].newest;
        format!("{}{}", info.name, if old { " (old)" } else { "" })
    }

    fn memory(&self, world: &World, line: usize) -> String {
        let of_line = &world.lines[line];
        let age = if of_line.memory_version == of_line.newest { "newest" } else { "old" };
        match self.protocol.memory.states.len() {
            1 => age.to_owned(),
            _ => format!("{}, {age}", self.protocol.memory.state(of_line.memory_state).name),
        }
    }

    fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for line in 0..self.after.lines.len() {
            let mut consider = |lane, from: String, to: String| {
                if from != to {
                    changes.push(Change { lane, line, from, to });
                }
            };
            for agent in 0..self.after.agents.len() {
                consider(Lane::Agent(agent), self.state(self.before, agent, line), self.state(self.after, agent, line));
            }
            consider(Lane::Memory, self.memory(self.before, line), self.memory(self.after, line));
        }
        changes
    }

    /// What stands in the columns after the step: `from -> to` where it changed.
    fn cells(&self) -> Vec<String> {
        let lines = self.after.lines.len();
        let join = |cell: &dyn Fn(usize) -> String| {
            let named = |line| if lines == 1 { cell(line) } else { format!("{}: {}", line_name(line), cell(line)) };
            (0..lines).map(named).collect::<Vec<_>>().join("  ")
        };
        let arrow = |from: String, to: String| if from == to { to } else { format!("{from} -> {to}") };
        let mut cells: Vec<String> = (0..self.after.agents.len())
            .map(|agent| join(&|line| arrow(self.state(self.before, agent, line), self.state(self.after, agent, line))))
            .collect();
        cells.push(self.bus());
        cells.push(join(&|line| arrow(self.memory(self.before, line), self.memory(self.after, line))));
        cells
    }

    /// The transactions under way.
    fn bus(&self) -> String {
        let lines = self.after.lines.iter().enumerate();
        let under_way = lines.filter_map(|(line, of_line)| {
            let request = self.after.order.under_way(of_line.transaction?.id).request;
            let name = transaction_of(&request).name();
            let line = if self.after.lines.len() == 1 { String::new() } else { format!(" {}", line_name(line)) };
            Some(format!("{name}{line} of {}", request.agent))
        });
        let under_way: Vec<String> = under_way.collect();
        if under_way.is_empty() { "-".to_owned() } else { under_way.join(", ") }
    }
}
