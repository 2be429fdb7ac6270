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

/// "the line", or its name where there are more.
pub(super) fn called(line: usize, lines: usize) -> String {
    if lines == 1 { "the line".to_owned() } else { format!("line {}", line_name(line)) }
}

impl Wrong {
    /// The sentence.
    pub fn describe(&self, protocol: &Protocol, lines: usize) -> String {
        let called = |line| called(line, lines);
        match *self {
            Wrong::Impossible { agent, state, event } => {
                format!("agent {agent}: {}", Impossible { state, event }.describe(protocol))
            }
            Wrong::MemoryImpossible { line, state, event } => {
                format!("{}: {}", called(line), MemoryImpossible { state, event }.describe(protocol))
            }
            Wrong::WriterAndOther { line, writer, other, also_writes } => {
                let also = if also_writes { "write it too" } else { "read it" };
                format!("agent {writer} may write {} while agent {other} may {also}", called(line))
            }
            Wrong::Old { agent, line, write: false } => {
                format!("agent {agent} reads an old version of {}: it misses a write that came before", called(line))
            }
            Wrong::Old { agent, line, write: true } => {
                format!("agent {agent} writes to an old version of {}: a write that came before is lost", called(line))
            }
            Wrong::Lost { line } => {
                format!("no copy of what was written last to {} is left, in no cache and not in memory", called(line))
            }
            Wrong::TwoSend { agent, line } => {
                format!("agent {agent} puts data of {} on the bus, and so does another agent", called(line))
            }
            Wrong::Stuck(unrest) => format!("nothing more happens by itself, and {}", unrest.describe(called)),
            Wrong::Restless => {
                "from here on messages follow each other for ever: nothing brings the caches to rest without another access"
                    .to_owned()
            }
        }
    }
}

impl Unrest {
    fn describe(self, called: impl Fn(usize) -> String) -> String {
        match self {
            Unrest::Waits { agent, line } => format!("agent {agent} still waits for {}", called(line)),
            Unrest::Leaves { agent, line } => format!("{} never leaves agent {agent}'s write-back buffer", called(line)),
            Unrest::Transient { agent, line } => {
                format!("agent {agent}'s copy of {} stays in a transient state", called(line))
            }
            Unrest::UnderWay => "the bus expects a request that never comes".to_owned(),
            Unrest::Home { line } => format!("the home of {} stays in a transient state", called(line)),
            Unrest::Packet { line, name } => format!("the home of {} leaves a {name} waiting for ever", called(line)),
        }
    }
}
