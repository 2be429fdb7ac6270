//! A coherence protocol: what a cache agent and what memory do in each state on each event.
//!
//! ```text
//!                 event: the core's (load, store, evict), the own transaction on the bus, another agent's, data
//!                   |
//!      state  --> row: next state, actions
//! ```
//!
//! The agent is one core's private hierarchy; a line has one state in it. Events and actions are closed lists, here; which of them a
//! protocol uses, its states and its rows are its own. A row is a transition of SLICC (gem5) written as data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A state's number in its table. The first, 0, is the state of every line that is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct State(pub u8);

impl State {
    /// Of a line that is not held: the first state of every table.
    pub const INVALID: State = State(0);
    /// The most states a table can have.
    pub const MOST: usize = 64;
}

/// What a core may do with a copy without asking anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    Nothing,
    Read,
    /// Read and write; while an agent holds this no other agent holds a readable copy (single writer or multiple readers).
    Write,
}

impl Permission {
    /// All of them with their names.
    pub const ALL: [(&'static str, Permission); 3] =
        [("nothing", Permission::Nothing), ("read", Permission::Read), ("write", Permission::Write)];
}

/// Words that a protocol's text uses, in the order of their numbers.
pub trait Vocabulary: Copy + Sized + 'static {
    /// Each word with what it stands for.
    const ALL: &'static [(&'static str, Self)];

    /// Its place in [`Vocabulary::ALL`].
    fn index(self) -> usize;

    /// As the protocol's text writes it.
    fn name(self) -> &'static str {
        Self::ALL[self.index()].0
    }
}

macro_rules! vocabulary {
    ($(#[$documentation:meta])* $type:ident { $($(#[$variant_documentation:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum $type { $($(#[$variant_documentation])* $variant,)* }

        impl Vocabulary for $type {
            const ALL: &'static [(&'static str, $type)] = &[$(($name, $type::$variant),)*];

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

vocabulary! {
    /// What happens to a line at a cache agent.
    AgentEvent {
        /// The core reads.
        Load = "load",
        /// The core writes, or does a read-modify-write.
        Store = "store",
        /// The line has to make room.
        Evict = "evict",
        /// The own read is on the bus: it has its place in the order.
        OwnBusRd = "own_bus_rd",
        /// The own read for ownership is on the bus.
        OwnBusRdX = "own_bus_rdx",
        /// The own upgrade is on the bus.
        OwnBusUpgr = "own_bus_upgr",
        /// The own write-back is on the bus.
        OwnBusWb = "own_bus_wb",
        /// The own update is on the bus.
        OwnBusUpd = "own_bus_upd",
        /// Another agent reads.
        BusRd = "bus_rd",
        /// Another agent reads in order to write.
        BusRdX = "bus_rdx",
        /// Another agent has a copy and is going to write.
        BusUpgr = "bus_upgr",
        /// Another agent writes the line back.
        BusWb = "bus_wb",
        /// Another agent writes a word and sends it to all who have a copy.
        BusUpd = "bus_upd",
        /// The line came, and another agent said that it has a copy.
        DataShared = "data_shared",
        /// The line came, and no other agent has a copy.
        DataAlone = "data_alone",
        /// The transaction is over and brings no data; for an update: no other agent has a copy.
        Done = "done",
        /// The update is over, and another agent said that it has a copy.
        DoneShared = "done_shared",
        /// The word that another agent wrote came.
        Word = "word",
    }
}

vocabulary! {
    /// What a cache agent does in a transition.
    AgentAction {
        /// The core's waiting access takes effect.
        Perform = "perform",
        /// Asks the bus for a copy to read.
        BusRd = "bus_rd",
        /// Asks the bus for the only copy.
        BusRdX = "bus_rdx",
        /// Asks the bus to invalidate all other copies.
        BusUpgr = "bus_upgr",
        /// Asks the bus to take the line back to memory.
        BusWb = "bus_wb",
        /// Asks the bus to take the written word to all other copies.
        BusUpd = "bus_upd",
        /// Pulls the bus's *shared* wire.
        Shared = "shared",
        /// Pulls the bus's *dirty* wire: this agent supplies the line, and memory takes it too.
        Flush = "flush",
        /// Pulls the bus's *dirty* wire: this agent supplies the line, and memory keeps what it has.
        Supply = "supply",
        /// Puts the line on the data bus for memory.
        WriteBack = "write_back",
        /// Puts the written word on the data bus for the other copies.
        SendWord = "send_word",
        /// Takes the word that follows on the data bus into its copy.
        TakeWord = "take_word",
        /// The pending upgrade becomes a read for ownership: the copy it was to upgrade is lost.
        Amend = "amend",
        /// The pending write-back is taken off: another agent's transaction has moved the line already.
        Withdraw = "withdraw",
        /// The core tries again once the line's write-back has left, or the word on its way to the copy has come.
        Stall = "stall",
    }
}

vocabulary! {
    /// What happens to a line at memory.
    MemoryEvent {
        /// A line is asked for, and no agent supplies it.
        Read = "read",
        /// An agent supplied the line to another one.
        Flush = "flush",
        /// An agent writes the line back.
        WriteBack = "write_back",
    }
}

vocabulary! {
    /// What memory does in a transition.
    MemoryAction {
        /// Sends its copy.
        Supply = "supply",
        /// Takes what the agent sent as its copy.
        Update = "update",
    }
}

/// A set of a table's actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actions(u16);

impl Actions {
    /// No action.
    pub const NONE: Actions = Actions(0);

    /// The same set with one more.
    #[must_use]
    pub fn with(self, action: impl Vocabulary) -> Actions {
        Actions(self.0 | 1 << action.index())
    }

    /// The same set without one.
    #[must_use]
    pub fn without(self, action: impl Vocabulary) -> Actions {
        Actions(self.0 & !(1 << action.index()))
    }

    /// Whether it holds an action.
    #[inline]
    pub fn has(self, action: impl Vocabulary) -> bool {
        self.0 & 1 << action.index() != 0
    }
}

/// What to do in one state on one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub next: State,
    pub actions: Actions,
}

/// A state of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateInfo {
    /// As the text writes it: `M`, `IS_D`.
    pub name: String,
    pub permits: Permission,
    /// Whether the copy is newer than memory's, so that it must not be dropped.
    pub dirty: bool,
    /// Whether the line is on its way from one stable state to another.
    pub transient: bool,
}

/// States and rows of a cache agent or of memory; `E` is the list of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table<E> {
    pub states: Vec<StateInfo>,
    /// By state, then by event; `None` where the pair is impossible.
    rows: Vec<Option<Row>>,
    events: std::marker::PhantomData<E>,
}

impl<E: Vocabulary> Table<E> {
    /// A table in which every pair of state and event is impossible.
    pub fn new(states: Vec<StateInfo>) -> Table<E> {
        let rows = vec![None; states.len() * E::ALL.len()];
        Table { states, rows, events: std::marker::PhantomData }
    }

    /// The number of a row among [`Table::n_rows`], for counters.
    #[inline]
    pub fn row_number(&self, state: State, event: E) -> usize {
        usize::from(state.0) * E::ALL.len() + event.index()
    }

    /// Pairs of a state and an event.
    pub fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// What to do in a state on an event, or `None` where the protocol calls that impossible.
    #[inline]
    pub fn row(&self, state: State, event: E) -> Option<Row> {
        self.rows[self.row_number(state, event)]
    }

    /// Puts a row in the place of what is there: how a loader fills a table, and a test breaks one.
    pub fn set_row(&mut self, state: State, event: E, row: Option<Row>) {
        let number = self.row_number(state, event);
        self.rows[number] = row;
    }

    /// What a state is.
    #[inline]
    pub fn state(&self, state: State) -> &StateInfo {
        &self.states[usize::from(state.0)]
    }

    /// A state's number by its name.
    pub fn find(&self, name: &str) -> Option<State> {
        self.states.iter().position(|state| state.name == name).map(|number| State(number as u8))
    }
}

/// Whether a network keeps the order of what is put on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Every agent sees everything, in one and the same order.
    TotalOrder,
    /// From one agent to another in the order sent.
    PointToPoint,
    /// In any order.
    Unordered,
}

impl Delivery {
    /// All of them with their names.
    pub const ALL: [(&'static str, Delivery); 3] =
        [("total-order", Delivery::TotalOrder), ("point-to-point", Delivery::PointToPoint), ("unordered", Delivery::Unordered)];
}

/// What the tables need of the wires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Networks {
    /// Requests, as agents see them.
    pub address: Delivery,
    /// Lines on their way.
    pub data: Delivery,
}

/// A coherence protocol: a cache agent's table, memory's table, and what they need of the wires.
#[derive(Clone, PartialEq, Eq)]
pub struct Protocol {
    /// `MESI`.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// The paper or book it is from.
    pub source: String,
    pub networks: Networks,
    pub agent: Table<AgentEvent>,
    pub memory: Table<MemoryEvent>,
}

impl fmt::Debug for Protocol {
    /// The name alone: a specification that holds a protocol stays readable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protocol({})", self.name)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
