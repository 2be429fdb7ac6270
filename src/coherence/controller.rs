//! The controller: carries out a protocol's table. A pure function of the state, the event and, where a line came, what the other
//! agents answered; no time, no ports.

use serde::{Deserialize, Serialize};

use crate::coherence::protocol::{Actions, AgentAction, AgentEvent, Kind, MemoryEvent, Protocol, Row, State, Table, Vocabulary};

/// What agents ask the bus, or the home of a line, for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Transaction {
    /// A copy to read.
    BusRd,
    /// The only copy.
    BusRdX,
    /// All other copies are to go.
    BusUpgr,
    /// The line goes back to memory.
    BusWb,
    /// A written word goes to all other copies.
    BusUpd,
    /// Of the home: a copy to read.
    GetS,
    /// Of the home: the only copy.
    GetM,
    /// Of the home: all other copies are to go.
    Upgrade,
    /// To the home: the line goes back.
    Put,
    /// To the home: the line, which memory has, is gone.
    PutClean,
}

impl Transaction {
    /// Whether it is the home of the line that is asked.
    #[inline]
    pub fn is_of_home(self) -> bool {
        matches!(self, Transaction::GetS | Transaction::GetM | Transaction::Upgrade | Transaction::Put | Transaction::PutClean)
    }

    /// The event that the agent sees whose transaction it is.
    ///
    /// # Panics
    /// For what the home is asked: no bus shows that.
    pub fn own_event(self) -> AgentEvent {
        match self {
            Transaction::BusRd => AgentEvent::OwnBusRd,
            Transaction::BusRdX => AgentEvent::OwnBusRdX,
            Transaction::BusUpgr => AgentEvent::OwnBusUpgr,
            Transaction::BusWb => AgentEvent::OwnBusWb,
            Transaction::BusUpd => AgentEvent::OwnBusUpd,
            _ => unreachable!("what the home is asked no bus shows"),
        }
    }

    /// The event that the other agents see.
    ///
    /// # Panics
    /// For what the home is asked: no bus shows that.
    pub fn other_event(self) -> AgentEvent {
        match self {
            Transaction::BusRd => AgentEvent::BusRd,
            Transaction::BusRdX => AgentEvent::BusRdX,
            Transaction::BusUpgr => AgentEvent::BusUpgr,
            Transaction::BusWb => AgentEvent::BusWb,
            Transaction::BusUpd => AgentEvent::BusUpd,
            _ => unreachable!("what the home is asked no bus shows"),
        }
    }

    /// The event that ends the requestor's wait, given whether another agent said that it has a copy.
    pub fn completion(self, shared: bool) -> AgentEvent {
        match self {
            Transaction::BusUpd if shared => AgentEvent::DoneShared,
            Transaction::BusUpgr | Transaction::BusWb | Transaction::BusUpd => AgentEvent::Done,
            _ if shared => AgentEvent::DataShared,
            _ => AgentEvent::DataAlone,
        }
    }

    /// Whether it is over when the other agents have answered: that is known only when it happens. Of others a transfer of data tells
    /// beforehand.
    pub fn ends_unannounced(self) -> bool {
        matches!(self, Transaction::BusUpgr | Transaction::BusUpd)
    }

    /// As a person names it.
    pub fn name(self) -> &'static str {
        match self {
            Transaction::BusRd => "BusRd",
            Transaction::BusRdX => "BusRdX",
            Transaction::BusUpgr => "BusUpgr",
            Transaction::BusWb => "BusWB",
            Transaction::BusUpd => "BusUpd",
            Transaction::GetS => "GetS",
            Transaction::GetM => "GetM",
            Transaction::Upgrade => "Upgrade",
            Transaction::Put => "Put",
            Transaction::PutClean => "PutClean",
        }
    }

    /// Whether the agent that asked is shown the transaction together with the others, because it has data to send. Any other it sees
    /// when it is over, which makes no difference: the bus keeps the line's other transactions away until then.
    pub fn is_shown_to_requestor(self) -> bool {
        matches!(self, Transaction::BusWb | Transaction::BusUpd)
    }

    /// Whether it brings the requestor a line.
    pub fn brings_line(self) -> bool {
        matches!(self, Transaction::BusRd | Transaction::BusRdX)
    }
}

/// A row that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    pub from: State,
    pub event: AgentEvent,
    pub next: State,
    pub actions: Actions,
}

impl Transition {
    /// What it asks of the bus.
    pub fn request(&self) -> Option<Transaction> {
        [
            (AgentAction::BusRd, Transaction::BusRd),
            (AgentAction::BusRdX, Transaction::BusRdX),
            (AgentAction::BusUpgr, Transaction::BusUpgr),
            (AgentAction::BusWb, Transaction::BusWb),
            (AgentAction::BusUpd, Transaction::BusUpd),
            (AgentAction::GetS, Transaction::GetS),
            (AgentAction::GetM, Transaction::GetM),
            (AgentAction::Upgrade, Transaction::Upgrade),
            (AgentAction::Put, Transaction::Put),
            (AgentAction::PutClean, Transaction::PutClean),
        ]
        .into_iter()
        .find(|&(action, _)| self.actions.has(action))
        .map(|(_, transaction)| transaction)
    }
}

/// Something happened that the protocol calls impossible: the protocol is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impossible {
    pub state: State,
    pub event: AgentEvent,
}

impl Impossible {
    /// The sentence.
    pub fn describe(&self, protocol: &Protocol) -> String {
        format!(
            "`{}` happened in state {}, which the protocol {} calls impossible",
            self.event.name(),
            protocol.agent.state(self.state).name,
            protocol.name
        )
    }
}

/// What an agent does in a state on an event.
///
/// # Errors
/// Where the protocol has no row for them.
#[inline]
pub fn transition(table: &Table<AgentEvent>, state: State, event: AgentEvent) -> Result<Transition, Impossible> {
    match table.row(state, event) {
        Some(row) => Ok(Transition { from: state, event, next: row.next, actions: row.actions }),
        None => Err(Impossible { state, event }),
    }
}

/// Something happened at memory that the protocol calls impossible: the protocol is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryImpossible {
    pub state: State,
    pub event: MemoryEvent,
}

impl MemoryImpossible {
    /// The sentence.
    pub fn describe(&self, protocol: &Protocol) -> String {
        format!(
            "`{}` happened at {} in state {}, which the protocol {} calls impossible",
            self.event.name(),
            if protocol.kind() == Kind::Directory { "the home" } else { "memory" },
            protocol.memory.state(self.state).name,
            protocol.name
        )
    }
}

/// What memory does in a state on an event.
///
/// # Errors
/// Where the protocol has no row for them.
#[inline]
pub fn memory_transition(table: &Table<MemoryEvent>, state: State, event: MemoryEvent) -> Result<Row, MemoryImpossible> {
    table.row(state, event).ok_or(MemoryImpossible { state, event })
}
