//! What crosses the interconnects of a machine of several nodes: parcels, each from one end to another.
//!
//! ```text
//!   core --> carrier of its node --> home of the same node
//!                 '--> network --> carrier of another node --> home, or a core there
//! ```

use crate::base::address::Line;
use crate::base::time::Time;
use crate::coherence::order::AgentNumber;

/// A node's number in its machine.
pub type NodeNumber = u16;

/// The most nodes a machine can have.
pub const MOST_NODES: u32 = 16_384;

/// Where a parcel begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// A core with its private caches, by its number in the machine.
    Core(AgentNumber),
    /// The home of lines on a node: its memory, and what stands before it.
    Home,
    /// The interface of the node.
    Interface,
}

/// What a parcel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Wants bytes of memory.
    Read { bytes: u32 },
    /// The bytes that were wanted.
    ReadReply,
    /// Bytes for memory.
    Write,
    /// Memory has them.
    WriteReply,
    /// A message with its data.
    Eager,
    /// There is a message: may its data come?
    Ask,
    /// They may.
    Clear,
    /// The data of a message that may come.
    Data,
}

/// Kinds of parcels that must not wait for each other, each with buffers of its own in the network: an answer gets through where
/// requests are jammed (Dally and Towles, section 14.1.3: protocol deadlock).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum VirtualNetwork {
    Request = 0,
    Forward = 1,
    Response = 2,
}

impl VirtualNetwork {
    /// How many there are.
    pub const COUNT: usize = 3;
}

/// Something on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parcel {
    pub from: NodeNumber,
    pub to: NodeNumber,
    pub end: End,
    pub content: Content,
    /// The core that waits for the outcome.
    pub agent: AgentNumber,
    /// Of a message: the number of its sending end.
    pub line: Line,
    /// Of data; 0 where it only says something.
    pub bytes: u32,
    /// When the core asked for what this belongs to.
    pub asked: Time,
    /// When it left where it was last.
    pub time: Time,
}

impl Parcel {
    /// The kind that it travels with.
    pub fn virtual_network(&self) -> VirtualNetwork {
        match self.content {
            Content::Read { .. } | Content::Write => VirtualNetwork::Request,
            Content::Eager | Content::Ask => VirtualNetwork::Request,
            Content::Clear => VirtualNetwork::Forward,
            Content::ReadReply | Content::WriteReply | Content::Data => VirtualNetwork::Response,
        }
    }
}
