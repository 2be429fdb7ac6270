//! What crosses the interconnects of a machine of several nodes: parcels, each from one end to another.
//!
//! ```text
//!   core --> carrier of its node --> home of the same node
//!                 '--> network --> carrier of another node --> home, or a core there
//! ```

use crate::base::address::Line;
use crate::base::time::Time;
use crate::coherence::directory::{Packet, PacketKind};
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
    /// A packet about a line, with the version of the line that goes with it.
    Packet { kind: PacketKind, from: Option<AgentNumber>, acks: u16, version: u64 },
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
    /// The core whose request it belongs to.
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
            Content::Packet { kind, .. } if kind.is_request() => VirtualNetwork::Request,
            Content::Packet { kind, .. } if kind.is_forward() => VirtualNetwork::Forward,
            Content::Packet { .. } => VirtualNetwork::Response,
        }
    }

    /// Whether the core that asked waits for it.
    pub fn is_awaited(&self) -> bool {
        match self.content {
            Content::Packet { kind: PacketKind::Data, .. } => self.end != End::Home,
            Content::Packet { kind, .. } => {
                use PacketKind::{Accept, Clean, Inject, Offer, Put, PutAck, PutClean, PutNack, Refuse, Unblock};
                let beside = [Unblock, Put, PutClean, PutAck, PutNack, Offer, Inject, Accept, Refuse, Clean];
                !beside.contains(&kind)
            }
            _ => true,
        }
    }

    /// The packet that it carries, where it does.
    pub fn packet(&self) -> Option<Packet> {
        let Content::Packet { kind, from, acks, version } = self.content else { return None };
        let to = if let End::Core(agent) = self.end { Some(agent) } else { None };
        Some(Packet { kind, line: self.line, requestor: self.agent, from, to, acks, version })
    }
}
