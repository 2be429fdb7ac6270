//! What plain caches ask of memory, on its way to the interconnect: one transaction at a time, in order. A write waits here while the
//! core goes on (a write buffer); the core waits for what it reads, and where too many writes wait.
//!
//! ```text
//!   caches --> | write | write | read | --> Request, one at a time --> ... --> Complete
//! ```
//!
//! Nothing but its own transactions ever holds up a core without coherence, so it runs ahead until it waits for one of them.

use std::collections::VecDeque;

use crate::base::time::Time;
use crate::coherence::order::{AgentNumber, Command};
use crate::components::message::Message;
use crate::components::owner::{Owner, Stack, Timelines};
use crate::components::plain::Transfer;

/// Transactions that may wait or be under way while the core goes on: the write buffer of the DECstation 3100 holds four words
/// (Patterson and Hennessy, *Computer Organization and Design*, first edition, section 7.2).
const PLACES: usize = 4;

/// Transactions under way and waiting.
#[derive(Clone, Debug)]
pub struct Outbox {
    agent: AgentNumber,
    /// Memory deals what lies in one such unit to one channel: a line of the outermost cache.
    unit_shift: u32,
    /// Each with the instant from which it can be sent; the first is under way if `sent` says so.
    queue: VecDeque<(Transfer, Time)>,
    /// When the first was sent.
    sent: Option<Time>,
    /// Of them, those that the core waits for.
    awaited: usize,
    /// When the wait of the core began, and what of it is charged.
    wait: Option<(Time, Stack)>,
}

impl Outbox {
    /// An empty one, for the agent of a number on the interconnect.
    pub fn new(agent: AgentNumber, unit_bytes: u32) -> Outbox {
        Outbox { agent, unit_shift: unit_bytes.ilog2(), queue: VecDeque::new(), sent: None, awaited: 0, wait: None }
    }

    /// Takes what an access asks of memory, `now` in the core's time, to be sent when it `leaves` the last cache. Returns whether the
    /// core has to wait.
    pub fn post(&mut self, transfers: &[Transfer], now: Time, leaves: Time) -> bool {
        for &transfer in transfers {
            self.awaited += usize::from(transfer.awaited);
            self.queue.push_back((transfer, leaves));
        }
        let waits = self.holds_up();
        if waits {
            self.wait = Some((now, Stack::default()));
        }
        waits
    }

    fn holds_up(&self) -> bool {
        self.awaited > 0 || self.queue.len() > PLACES
    }

    /// The next message for the interconnect and when it means to be there; none while one is under way. The request's own timeline
    /// begins.
    pub fn next(&mut self, earliest: Time, timelines: &mut Timelines) -> Option<(Message, Time)> {
        if self.sent.is_some() {
            return None;
        }
        let &(transfer, ready) = self.queue.front()?;
        let time = ready.max(earliest);
        self.sent = Some(time);
        let command = if transfer.write { Command::Write(transfer.bytes) } else { Command::Read(transfer.bytes) };
        let line = transfer.address >> self.unit_shift;
        timelines.begin(line, time);
        Some((Message::Request { agent: self.agent, command, line, time }, time))
    }

    /// The transaction under way is over. Returns whether the core waited and may go on.
    pub fn complete(&mut self, time: Time, timelines: &mut Timelines) -> bool {
        let (Some((transfer, _)), Some(sent)) = (self.queue.pop_front(), self.sent.take()) else { return false };
        let mut timeline = timelines.end(transfer.address >> self.unit_shift);
        if transfer.awaited {
            self.awaited -= 1;
            if let Some((charged, stack)) = &mut self.wait {
                timeline.mark(Owner::Network, time);
                stack.add(Owner::Queue, sent.saturating_sub(*charged));
                stack.merge(timeline.stack());
                *charged = time;
            }
        }
        self.wait.is_some() && !self.holds_up()
    }

    /// The core goes on at an instant. To whom the time belongs that it has waited.
    pub fn go_on(&mut self, at: Time) -> Stack {
        let Some((charged, mut stack)) = self.wait.take() else { return Stack::default() };
        stack.add(Owner::Queue, at.saturating_sub(charged));
        stack
    }

    /// How many transactions wait or are under way.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing waits and nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
