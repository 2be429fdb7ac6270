//! What the parts of a node send each other.
//!
//! ```text
//!            Request ----------------->              Fetch, Store ->
//!   agent                              interconnect                  memory
//!            <- Snoop, Complete, Word, Wake          <- Line
//!            Answer ------------------>
//! ```
//!
//! On a machine of several nodes with one address space requests go to the homes of their lines, and where there are private caches, agents
//! and homes send each other packets (`coherence::directory`).
//!
//! A shared cache stands between interconnect and memory and speaks with both as they do with each other.
//!
//! A message over a channel of the engine takes at least a picosecond, so that effects come after causes. Where the model says *no
//! time*, the message says which instant it means (`time`), and who decides at an instant waits [`SETTLE`] for what is still on its
//! way.

use crate::base::address::Line;
use crate::base::time::Time;
use crate::coherence::agent::Answer;
use crate::coherence::controller::Transaction;
use crate::coherence::directory::Packet;
use crate::coherence::order::{AgentNumber, Command, Request, TransactionId, UnderWay};
use crate::components::parcel::Parcel;
use crate::components::post::EndId;

/// How long after an instant everything that happens at that instant has come.
pub const SETTLE: Time = Time(4);

/// Bytes of a word: of an access that is a transaction of its own, and of an update.
pub const WORD_BYTES: u32 = 8;

/// What the parts of a node send each other. The layout keeps fields aligned, so that a message is copied in whole words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Message {
    /// Agent to interconnect: the agent asks at `time`.
    Request { agent: AgentNumber, command: Command, line: Line, time: Time },
    /// Interconnect to agents: the transaction is on the bus.
    Snoop { id: TransactionId, transaction: Transaction, line: Line, requestor: AgentNumber },
    /// Agent to interconnect: what it has to say to that.
    Answer { id: TransactionId, agent: AgentNumber, answer: Answer },
    /// Interconnect to the requestor: its transaction is over at `time`; for a line, the `version` that came.
    Complete { transaction: Option<Transaction>, line: Line, shared: bool, version: u64, time: Time },
    /// Interconnect to an agent that said it would take it: the word that another agent wrote, there at `time`, and the `version` that
    /// the line has with it. It follows the `Complete` of that other agent.
    Word { line: Line, version: u64, time: Time },
    /// Interconnect or shared cache to memory: what it is asked at `time` to send. `agent` is who waits for it.
    Fetch { id: TransactionId, agent: AgentNumber, line: Line, bytes: u32, time: Time },
    /// Interconnect or shared cache to memory: what it is given at `time`.
    Store { line: Line, bytes: u32, version: u64, flush: bool, time: Time },
    /// Memory to whoever asked it: what was asked for is there at `time`; the service of the request began at `began`.
    Line { id: TransactionId, version: u64, began: Time, time: Time },
    /// A core without caches to the interconnect: it wrote a word at `time` that others wait for.
    Written { address: u64, time: Time },
    /// Interconnect to a core: a word it waits for was written at `time`.
    Wake { time: Time },
    /// A core to its interface: an end of a message was started at `time`.
    Started { end: EndId, time: Time },
    /// Network to an interface: the last of the data of a message has left the node at `time`.
    Gone { end: EndId, time: Time },
    /// An interface to the cores of its node: a message is over at `time`.
    Over { time: Time },
    /// Agent to interconnect, and back: a packet about a line, belonging to what was asked at `asked`, there at `time`.
    Packet { packet: Packet, asked: Time, time: Time },
    /// Between the parts of a machine of several nodes.
    Parcel(Parcel),
}

impl Message {
    /// What the requestor of a transaction is told when it is over at an instant; `version` of the line that came.
    pub fn complete(under_way: &UnderWay, version: u64, time: Time) -> Message {
        let Request { command, line, .. } = under_way.request;
        let transaction = if let Command::Coherent(transaction) = command { Some(transaction) } else { None };
        Message::Complete { transaction, line, shared: under_way.shared, version, time }
    }

    /// When a message to memory leaves, so that it comes at the instant it means or a picosecond later.
    pub fn departure(&self) -> Time {
        match self {
            Message::Fetch { time, .. } | Message::Store { time, .. } => time.saturating_sub(Time(1)),
            _ => Time::ZERO,
        }
    }

    /// A request to memory that had to wait for a place until an instant asks then.
    pub fn postpone(&mut self, until: Time) {
        if let Message::Fetch { time, .. } | Message::Store { time, .. } = self {
            *time = (*time).max(until);
        }
    }
}
