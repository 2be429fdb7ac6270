//! How messages meet: the two ends of each, and who waits for which.
//!
//! A message is matched by its source, its destination and its tag, and messages that these do not tell apart in the order in which
//! they were started (MPI 4.1, section 3.5: non-overtaking). There are no wild cards, so which send meets which receive does not depend
//! on time. Both ends name as many elements of one type.
//!
//! ```text
//!   rank 0                         mailbox of rank 1                    rank 1
//!   start send ──End─────────────▶ no receive yet: kept
//!                                  kept send ◀─────────────────End───── start recv
//!                                  └─ the pair: the elements are moved, both ends are over
//! ```
//!
//! Only the matching is here. When an end is over, and what that costs, is up to whoever moves the elements.

use std::collections::{BTreeMap, VecDeque};

use crate::base::address::Address;
use crate::program::code::{BlockId, Fault, FaultKind, SiteId};
use crate::program::tree::{Direction, Type};

/// Messages that a rank may have started and not waited for.
pub const MESSAGE_LIMIT: usize = 1 << 16;

/// An operation on messages that is yet to be performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageRequest {
    /// The block it ends.
    pub block: BlockId,
    /// Index into `Code::messages`.
    pub message: u32,
    pub action: MessageAction,
    /// Whether a run-time text asks for it.
    pub runtime: bool,
    pub site: SiteId,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageAction {
    /// Resumes with the handle.
    Start(Start),
    /// With this handle; without one, all that the thread has started.
    Wait(Option<i64>),
}

/// One end of a message, as the program computed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    pub direction: Direction,
    /// The rank at the other end.
    pub peer: i64,
    pub tag: i64,
    /// Of the first element, in the arena of the rank that starts it.
    pub address: Address,
    /// How many elements: not negative.
    pub length: u64,
    pub element: Type,
}

/// One end of a message that may be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub direction: Direction,
    /// The rank that started it, and the thread of that rank.
    pub rank: u32,
    pub thread: u32,
    /// The rank at the other end.
    pub peer: u32,
    pub tag: i64,
    /// Whether a run-time text started it.
    pub runtime: bool,
    pub address: Address,
    pub length: u64,
    pub element: Type,
    pub site: SiteId,
}

impl End {
    /// # Errors
    /// A rank that there is not, or a negative tag.
    pub fn new(rank: u32, thread: u32, ranks: u32, request: &MessageRequest, start: &Start) -> Result<End, Fault> {
        let fault = |kind| Err(Fault { kind, site: request.site, rank, thread });
        let Some(peer) = u32::try_from(start.peer).ok().filter(|&peer| peer < ranks) else {
            return fault(FaultKind::NoSuchRank { rank: start.peer, ranks });
        };
        if start.tag < 0 {
            return fault(FaultKind::NegativeTag(start.tag));
        }
        let Start { direction, tag, address, length, element, .. } = *start;
        let (runtime, site) = (request.runtime, request.site);
        Ok(End { direction, rank, thread, peer, tag, runtime, address, length, element, site })
    }

    /// The rank whose mailbox it goes to: the one that receives.
    pub fn destination(&self) -> u32 {
        if self.direction == Direction::Send { self.peer } else { self.rank }
    }

    /// Bytes it moves.
    pub fn bytes(&self) -> u64 {
        self.length * u64::from(self.element.size())
    }

    fn envelope(&self) -> Envelope {
        let source = if self.direction == Direction::Send { self.rank } else { self.peer };
        Envelope { source, tag: self.tag, runtime: self.runtime }
    }
}

/// Two ends that have met.
#[derive(Clone, Debug)]
pub struct Pair<T> {
    pub send: (End, T),
    pub receive: (End, T),
}

impl<T> Pair<T> {
    /// # Errors
    /// The ends do not fit; it is told where `thread` of `rank` stands.
    pub fn check(&self, rank: u32, thread: u32) -> Result<(), Fault> {
        let (send, receive) = (&self.send.0, &self.receive.0);
        // Told at the end that came second, which is the one that found it.
        let (here, other) = if send.rank == rank { (send.site, receive.site) } else { (receive.site, send.site) };
        let fault = |kind| Err(Fault { kind, site: here, rank, thread });
        if send.element != receive.element {
            return fault(FaultKind::MessageTypes { sent: send.element, received: receive.element, other });
        }
        if send.length != receive.length {
            return fault(FaultKind::MessageLengths { sent: send.length, received: receive.length, other });
        }
        Ok(())
    }
}

/// What tells messages to one rank apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Envelope {
    source: u32,
    tag: i64,
    runtime: bool,
}

/// The ends at one receiving rank that have not met their other end. Each has something of its owner with it.
#[derive(Clone, Debug)]
pub struct Mailbox<T> {
    /// For an envelope there are sends or receives, never both.
    ends: BTreeMap<Envelope, VecDeque<(End, T)>>,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Mailbox<T> {
        Mailbox { ends: BTreeMap::new() }
    }
}

impl<T> Mailbox<T> {
    /// The end meets the first that fits, or is kept.
    pub fn put(&mut self, end: End, owner: T) -> Option<Pair<T>> {
        let waiting = self.ends.entry(end.envelope()).or_default();
        if waiting.front().is_none_or(|(first, _)| first.direction == end.direction) {
            waiting.push_back((end, owner));
            return None;
        }
        let other = waiting.pop_front()?;
        if waiting.is_empty() {
            self.ends.remove(&end.envelope());
        }
        Some(match end.direction {
            Direction::Send => Pair { send: (end, owner), receive: other },
            Direction::Receive => Pair { send: other, receive: (end, owner) },
        })
    }

    /// The ends that wait.
    pub fn waiting(&self) -> impl Iterator<Item = &End> {
        self.ends.values().flatten().map(|(end, _)| end)
    }
}

/// The messages that one rank has started and not waited for, by their handles.
#[derive(Clone, Debug)]
pub struct Handles<T> {
    /// The last handle given.
    last: i64,
    open: BTreeMap<i64, (End, T)>,
}

impl<T> Default for Handles<T> {
    fn default() -> Handles<T> {
        Handles { last: 0, open: BTreeMap::new() }
    }
}

impl<T> Handles<T> {
    /// A new handle for an end.
    ///
    /// # Errors
    /// More than [`MESSAGE_LIMIT`].
    pub fn open(&mut self, end: &End, owner: T) -> Result<i64, Fault> {
        if self.open.len() >= MESSAGE_LIMIT {
            let kind = FaultKind::TooManyMessages(MESSAGE_LIMIT);
            return Err(Fault { kind, site: end.site, rank: end.rank, thread: end.thread });
        }
        self.last += 1;
        self.open.insert(self.last, (*end, owner));
        Ok(self.last)
    }

    /// The handles that a thread waits for.
    ///
    /// # Errors
    /// A handle that names nothing under way.
    pub fn awaited(&self, rank: u32, thread: u32, request: &MessageRequest, handle: Option<i64>) -> Result<Vec<i64>, Fault> {
        match handle {
            None => {
                let own = |end: &End| end.thread == thread && end.runtime == request.runtime;
                Ok(self.open.iter().filter(|(_, (end, _))| own(end)).map(|(&handle, _)| handle).collect())
            }
            Some(handle) if self.open.contains_key(&handle) => Ok(vec![handle]),
            Some(_) => Err(Fault { kind: FaultKind::NothingToWaitFor, site: request.site, rank, thread }),
        }
    }

    /// The end that a handle names, and what its owner put beside it.
    pub fn get(&self, handle: i64) -> Option<&(End, T)> {
        self.open.get(&handle)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, handle: i64) -> Option<&mut T> {
        self.open.get_mut(&handle).map(|(_, owner)| owner)
    }

    /// The program has waited for it.
    pub fn close(&mut self, handle: i64) {
        self.open.remove(&handle);
    }

    /// At the end of a part of the run.
    ///
    /// # Errors
    /// A message that nobody has waited for.
    pub fn end(&self) -> Result<(), Fault> {
        match self.open.values().next() {
            None => Ok(()),
            Some((end, _)) => {
                let kind = FaultKind::NotWaitedFor(end.direction);
                Err(Fault { kind, site: end.site, rank: end.rank, thread: end.thread })
            }
        }
    }
}
