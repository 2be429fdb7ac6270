//! A coherence protocol: what a cache agent and what memory do in each state on each event.
//!
//! ```text
//!                 event: the core's (load, store, evict), the own transaction on the bus, another agent's, data; or a message
//!                   |
//!      state  --> row: next state, actions
//! ```
//!
//! The agent is one core's private hierarchy; a line has one state in it. Memory is all of it behind a bus, or, with a directory, the
//! home of the line, which knows who has copies. Events and actions are closed lists, here, some for snooping protocols and some for
//! those with a directory; which of them a protocol uses, its states and its rows are its own. A row is a transition of SLICC (gem5)
//! written as data.

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

/// How agents learn of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Every agent sees every transaction, on a bus or what orders them like one.
    Snooping,
    /// The home of a line knows who has copies, and tells those whom a request concerns.
    Directory,
}

/// Words that a protocol's text uses, in the order of their numbers.
pub trait Vocabulary: Copy + Sized + 'static {
    /// Each word with what it stands for.
    const ALL: &'static [(&'static str, Self)];

    /// The words of a kind of protocols, by their numbers.
    fn is_of(self, kind: Kind) -> bool;

    /// Its place in [`Vocabulary::ALL`].
    fn index(self) -> usize;

    /// As the protocol's text writes it.
    fn name(self) -> &'static str {
        Self::ALL[self.index()].0
    }
}

// Words of both kinds of protocols come first, up to the one that is named; then those of snooping protocols, up to theirs.
macro_rules! vocabulary {
    ($(#[$documentation:meta])* $type:ident, both $($both:ident)?, snooping $snooping:ident
        { $($(#[$variant_documentation:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum $type { $($(#[$variant_documentation])* $variant,)* }

        impl Vocabulary for $type {
            const ALL: &'static [(&'static str, $type)] = &[$(($name, $type::$variant),)*];

            fn index(self) -> usize {
                self as usize
            }

            fn is_of(self, kind: Kind) -> bool {
                $(if self as u8 <= $type::$both as u8 {
                    return true;
                })?
                (self as u8 <= $type::$snooping as u8) == (kind == Kind::Snooping)
            }
        }
    };
}

vocabulary! {
    /// What happens to a line at a cache agent.
    AgentEvent, both Evict, snooping Word {
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
        /// The home passes on a read: this agent owns the line.
        FwdGetS = "fwd_get_s",
        /// The home passes on a read for ownership: this agent owns the line.
        FwdGetM = "fwd_get_m",
        /// Another agent is going to write.
        Inv = "inv",
        /// The home has taken the line back, or knows that it went another way.
        PutAck = "put_ack",
        /// The home has found no agent that has room for the line.
        PutNack = "put_nack",
        /// The owner's line has to make room: the home offers the ownership to an agent that it notes as a sharer.
        Offer = "offer",
        /// The owner's line has to make room: it came, and there is a copy of it here already, or room.
        Inject = "inject",
        /// The owner's line has to make room: it came, and there is no room.
        InjectFull = "inject_full",
        /// The line came, and all acknowledgements that it takes have come.
        Data = "data",
        /// The line came, and acknowledgements are still to come.
        DataEarly = "data_early",
        /// The line came, and no other agent has a copy.
        DataExclusive = "data_exclusive",
        /// The home says that the own copy may be written, and all acknowledgements that it takes have come.
        AckCount = "ack_count",
        /// The home says that the own copy may be written when all acknowledgements have come.
        AckCountEarly = "ack_count_early",
        /// An agent has dropped its copy.
        InvAck = "inv_ack",
        /// The last agent that had to has dropped its copy.
        LastInvAck = "last_inv_ack",
    }
}

vocabulary! {
    /// What a cache agent does in a transition.
    AgentAction, both Stall, snooping Withdraw {
        /// The core's waiting access takes effect.
        Perform = "perform",
        /// The core tries again once the line's write-back has left, or the word on its way to the copy has come.
        Stall = "stall",
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
        /// Asks the home for a copy to read.
        GetS = "get_s",
        /// Asks the home for the only copy.
        GetM = "get_m",
        /// Asks the home to have all other copies dropped.
        Upgrade = "upgrade",
        /// Gives the home the line, which is newer than memory's.
        Put = "put",
        /// Gives the home notice that the line, which is as memory's, is going.
        PutClean = "put_clean",
        /// Sends the requestor the line.
        SendData = "send_data",
        /// Sends the home the line.
        DataHome = "data_home",
        /// Tells the home that memory's copy is as new.
        CleanHome = "clean_home",
        /// Tells the requestor that there is no copy here any more.
        InvAck = "inv_ack",
        /// Tells the home that its request is over.
        Unblock = "unblock",
        /// Tells the home that this agent owns the line from now on.
        Accept = "accept",
        /// Tells the home that this agent does not take the line.
        Refuse = "refuse",
    }
}

vocabulary! {
    /// What happens to a line at memory.
    MemoryEvent, both , snooping WriteBack {
        /// A line is asked for, and no agent supplies it.
        Read = "read",
        /// An agent supplied the line to another one.
        Flush = "flush",
        /// An agent writes the line back.
        WriteBack = "write_back",
        /// An agent asks for a copy to read.
        GetS = "get_s",
        /// An agent asks for the only copy, or to have all others dropped though it may have lost its own.
        GetM = "get_m",
        /// An agent that surely has a copy asks to have all others dropped.
        Upgrade = "upgrade",
        /// The owner asks to have all other copies dropped.
        UpgradeOwner = "upgrade_owner",
        /// The owner gives back the line, which is newer than memory's.
        Put = "put",
        /// The owner gives notice that the line, which is as memory's, is going.
        PutClean = "put_clean",
        /// An agent that is the owner no longer gives the line back.
        PutStale = "put_stale",
        /// The line came from the agent that owned it.
        Data = "data",
        /// The agent that owned the line says that memory's copy is as new.
        Clean = "clean",
        /// The requestor says that its request is over.
        Unblock = "unblock",
        /// An agent takes the line that was to have another place.
        Accept = "accept",
        /// An agent does not take it, and there are others to ask.
        Refuse = "refuse",
        /// An agent does not take it, and no other is left to ask.
        RefuseLast = "refuse_last",
    }
}

vocabulary! {
    /// What memory does in a transition.
    MemoryAction, both Update, snooping Supply {
        /// Takes what the agent sent as its copy.
        Update = "update",
        /// Sends its copy.
        Supply = "supply",
        /// Sends the requestor the line, and how many acknowledgements it is to wait for.
        SendData = "send_data",
        /// Sends the requestor the line, of which no other agent has a copy.
        SendDataExclusive = "send_data_exclusive",
        /// Sends the requestor the line as it is before anyone has written it: zeros, of which memory keeps no copy.
        SendNew = "send_new",
        /// Tells the requestor how many acknowledgements it is to wait for.
        SendAckCount = "send_ack_count",
        /// Passes the request on to the owner.
        FwdGetS = "fwd_get_s",
        /// Passes the request on to the owner, with how many acknowledgements the requestor is to wait for.
        FwdGetM = "fwd_get_m",
        /// Tells all sharers but the requestor and the owner to drop their copies.
        Inv = "inv",
        /// Tells the owner to drop its copy.
        InvOwner = "inv_owner",
        /// Tells the agent that its line has been taken.
        PutAck = "put_ack",
        /// Offers the owner's line to the next agent: to sharers first, without the line; then to the others in turn, with it.
        Place = "place",
        /// Tells the owner that no agent takes its line.
        PutNack = "put_nack",
        /// Notes the agent that took the line as the owner.
        MoveOwner = "move_owner",
        /// Notes the requestor among the sharers.
        AddSharer = "add_sharer",
        /// Notes the owner among the sharers.
        AddOwner = "add_owner",
        /// Forgets all sharers.
        ClearSharers = "clear_sharers",
        /// Notes the requestor as the owner.
        SetOwner = "set_owner",
        /// Forgets the owner.
        ClearOwner = "clear_owner",
        /// Leaves the message waiting until the request under way is over.
        Stall = "stall",
    }
}

/// A set of a table's actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actions(u32);

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
pub enum Networks {
    /// Of a snooping protocol.
    Snooping {
        /// Requests, as agents see them.
        address: Delivery,
        /// Lines on their way.
        data: Delivery,
    },
    /// Of a protocol with a directory.
    Directory {
        /// From agents to homes.
        request: Delivery,
        /// From homes to agents that others' requests concern.
        forward: Delivery,
        /// What ends someone's wait.
        response: Delivery,
    },
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

impl Protocol {
    /// Whether it snoops or has a directory.
    pub fn kind(&self) -> Kind {
        match self.networks {
            Networks::Snooping { .. } => Kind::Snooping,
            Networks::Directory { .. } => Kind::Directory,
        }
    }

    /// Whether homes have no memory: lines live in caches alone, and those that have to leave one are given a place in another.
    pub fn is_cache_only(&self) -> bool {
        let places = |state, event| self.memory.row(state, event).is_some_and(|row| row.actions.has(MemoryAction::Place));
        (0..self.memory.states.len()).any(|state| MemoryEvent::ALL.iter().any(|&(_, event)| places(State(state as u8), event)))
    }
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
