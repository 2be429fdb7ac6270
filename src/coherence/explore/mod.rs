//! The explorer: every state that a protocol can come to, for a few agents and lines, by driving the code that the simulator drives:
//! `agent`, `order`, `directory`, `controller` and the tables. If something can go wrong it says how, in as few steps as it takes.
//!
//! ```text
//!   Protocol, Scope --search (breadth first)--> states, each once (encode) --step (world, directory)--> checks --> Exploration
//!                                                                                 '--> Counterexample, as a sequence chart
//! ```
//!
//! What is explored is at least what the simulator can do, in every order: cores that read, write and evict whenever they may, waiting
//! for each miss or, where the scope says so, with several under way; requests on their way to the bus; any order of arbitration between agents; one transaction of each line under way; agents that see it one
//! after the other, with anything in between; data, and memory's taking of them, as steps of their own. Of data only one bit matters:
//! whether a copy is the newest version.
//!
//! Of protocols with a directory: packets on their way in any order, whoever they go to, and packets that a home leaves waiting, which it
//! may take in any order, too; full maps of sharers, and few pointers. Of attraction memories: room for a line that is injected, or none.
//!
//! What is checked: no pair of state and event that a table calls impossible; single writer or multiple readers, by the states'
//! `permits`; no access to an older version; the newest version is never lost; no two agents send data for one transaction; something
//! can always happen while anything waits; and from every state responses alone, without another access, lead to rest. (Nagarajan,
//! Sorin, Hill and Wood, 2020, section 11.1 on proving protocols by exhausting their states; Dill, Drexler, Hu and Yang, "Protocol
//! verification as a hardware design aid", ICCD 1992.)
//!
//! What is not: more agents and lines than the scope says, and time.

mod chart;
mod counterexample;
mod directory;
mod encode;
pub mod litmus;
mod search;
#[cfg(test)]
mod tests;
mod world;
mod wrong;

pub use counterexample::{Change, ChartStep, Counterexample, Lane};
pub use world::{MOST_LINES, Step, Taken};

use crate::base::document::Place;
use crate::coherence::load::RowPlaces;
use crate::coherence::protocol::{AgentEvent, Kind, MemoryEvent, Protocol, State, Table, Vocabulary};
use directory::DirectoryWorld;
use search::{Found, Model, Search};
use world::World;

/// Agents that are explored at most.
pub const MOST_AGENTS: usize = 4;

/// How much is explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// From 1 to [`MOST_AGENTS`].
    pub agents: usize,
    /// From 1 to [`MOST_LINES`].
    pub lines: usize,
    /// Accesses of different lines that an agent may have waiting at a time: 1 for cores that wait for each miss, 2 for cores with
    /// several misses under way. With one line it makes no difference.
    pub misses: usize,
    /// Sharers that a home can note before it takes all agents for sharers; of a protocol with a directory.
    pub pointers: usize,
    /// The search ends when it has found more.
    pub most_states: usize,
}

impl Scope {
    /// A scope with as many states as a small computer's memory holds; two lines of two agents, and four agents, need fewer.
    pub fn new(agents: usize, lines: usize) -> Scope {
        Scope { agents, lines, misses: 1, pointers: MOST_AGENTS, most_states: 1_000_000 }
    }
}

/// Rows of both tables, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRows {
    pub agent: Vec<bool>,
    pub memory: Vec<bool>,
}

/// What an exploration came to.
#[derive(Clone, Debug)]
pub struct Exploration {
    pub scope: Scope,
    /// Different states, not counting such as differ by the numbers of agents and lines alone.
    pub states: usize,
    /// Steps made from them.
    pub steps: u64,
    /// Whether these are not all, because there are more than the scope allows.
    pub cut_short: bool,
    /// Rows that some step took.
    pub rows: TableRows,
    /// What goes wrong, if anything does.
    pub counterexample: Option<Counterexample>,
}

/// Explores a protocol. The same for the same protocol and scope.
pub fn explore(protocol: &Protocol, scope: Scope) -> Exploration {
    // A line that has to leave an agent needs another one to go to.
    let fewest = if protocol.is_cache_only() { 2 } else { 1 };
    let scope = Scope { agents: scope.agents.clamp(fewest, MOST_AGENTS), lines: scope.lines.clamp(1, MOST_LINES), ..scope };
    match protocol.kind() {
        Kind::Snooping => explore_as::<World>(protocol, scope, Counterexample::replay),
        Kind::Directory => explore_as::<DirectoryWorld>(protocol, scope, Counterexample::replay_packets),
    }
}

fn explore_as<W: Model>(
    protocol: &Protocol,
    scope: Scope,
    replay: impl Fn(&Protocol, Scope, &Found) -> Counterexample,
) -> Exploration {
    let mut search = Search::<W>::new(protocol, scope);
    let found = search.run().err();
    Exploration {
        scope,
        states: search.states(),
        steps: search.steps,
        cut_short: search.cut_short,
        counterexample: found.map(|found| replay(protocol, scope, &found)),
        rows: search.rows,
    }
}

impl Taken {
    /// Where the row is written; for a pair that has none, where its state is.
    pub fn place<'a>(&self, protocol: &Protocol, places: &'a RowPlaces) -> &'a Place {
        let (places, row, state) = match *self {
            Taken::Agent(state, event) => (&places.agent, protocol.agent.row_number(state, event), state),
            Taken::Memory(state, event) => (&places.memory, protocol.memory.row_number(state, event), state),
        };
        places.rows[row].as_ref().unwrap_or(&places.states[usize::from(state.0)])
    }
}

impl TableRows {
    /// The rows of a protocol that are not among these.
    pub fn missing(&self, protocol: &Protocol) -> Vec<Taken> {
        let agent = missing::<AgentEvent>(&protocol.agent, &self.agent).map(|(state, event)| Taken::Agent(state, event));
        let memory = missing::<MemoryEvent>(&protocol.memory, &self.memory).map(|(state, event)| Taken::Memory(state, event));
        agent.chain(memory).collect()
    }

    /// Adds the rows of another exploration of the same protocol.
    pub fn merge(&mut self, other: &TableRows) {
        self.agent.iter_mut().zip(&other.agent).for_each(|(row, &taken)| *row |= taken);
        self.memory.iter_mut().zip(&other.memory).for_each(|(row, &taken)| *row |= taken);
    }
}

fn missing<E: Vocabulary>(table: &Table<E>, taken: &[bool]) -> impl Iterator<Item = (State, E)> {
    (0..table.states.len())
        .flat_map(|state| E::ALL.iter().map(move |&(_, event)| (State(state as u8), event)))
        .filter(|&(state, event)| table.row(state, event).is_some() && !taken[table.row_number(state, event)])
}
