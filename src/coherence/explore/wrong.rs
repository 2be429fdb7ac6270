//! What can be wrong with a protocol, and the sentence that says so.

use crate::coherence::controller::{Impossible, MemoryImpossible};
use crate::coherence::explore::world::Unrest;
use crate::coherence::protocol::{AgentEvent, MemoryEvent, Protocol, State};

/// What a step led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The agents' table has no row.
    Impossible { agent: usize, state: State, event: AgentEvent },
    /// Memory's table has no row.
    MemoryImpossible { line: usize, state: State, event: MemoryEvent },
    /// One may write, another may read or write.
    WriterAndOther { line: usize, writer: usize, other: usize, also_writes: bool },
    /// An access to an older version of the line.
    Old { agent: usize, line: usize, write: bool },
    /// No copy of the newest version is left.
    Lost { line: usize },
    /// A second agent puts data on the bus for the same transaction.
    TwoSend { agent: usize, line: usize },
    /// Nothing can happen by itself any more, and something is not at rest.
    Stuck(Unrest),
    /// Things go on happening by themselves, and never come to rest.
    Restless,
}

/// `a`, `b`: how lines are called.
pub(super) fn line_name(line: usize) -> char {
    char::from(b'a' + line as u8)
}

impl Wrong {
    /// The sentence.
    pub fn describe(&self, protocol: &Protocol) -> String {
        match *self {
            Wrong::Impossible { agent, state, event } => {
                format!("agent {agent}: {}", Impossible { state, event }.describe(protocol))
            }
            Wrong::MemoryImpossible { line, state, event } => {
                format!("line {}: {}", line_name(line), MemoryImpossible { state, event }.describe(protocol))
            }
            Wrong::WriterAndOther { line, writer, other, also_writes } => {
                let also = if also_writes { "write it too" } else { "read it" };
                format!("agent {writer} may write line {} while agent {other} may {also}", line_name(line))
            }
            Wrong::Old { agent, line, write: false } => {
                format!("agent {agent} reads an old version of line {}: it misses a write that came before", line_name(line))
            }
            Wrong::Old { agent, line, write: true } => {
                format!("agent {agent} writes to an old version of line {}: a write that came before is lost", line_name(line))
            }
            Wrong::Lost { line } => {
                format!("no copy of what was written last to line {} is left, in no cache and not in memory", line_name(line))
            }
            Wrong::TwoSend { agent, line } => {
                format!("agent {agent} puts data of line {} on the bus, and so does another agent", line_name(line))
            }
            Wrong::Stuck(unrest) => format!("nothing more happens by itself, and {}", unrest.describe()),
            Wrong::Restless => {
                "from here on messages follow each other for ever: nothing brings the caches to rest without another access"
                    .to_owned()
            }
        }
    }
}

impl Unrest {
    fn describe(self) -> String {
        match self {
            Unrest::Waits { agent, line } => format!("agent {agent} still waits for line {}", line_name(line)),
            Unrest::Leaves { agent, line } => format!("line {} never leaves agent {agent}'s write-back buffer", line_name(line)),
            Unrest::Transient { agent, line } => {
                format!("agent {agent}'s copy of line {} stays in a transient state", line_name(line))
            }
            Unrest::UnderWay => "the bus expects a request that never comes".to_owned(),
        }
    }
}
