//! The discrete-event engine: a queue of events in a total order, parts that receive them, channels with capacities between parts,
//! and the report of who waits for whom when nothing can move.
//!
//! It does not know what is simulated. Parts are one type `C` (an enum over the kinds of parts, so that dispatch is static and
//! parts can be read after a run); messages are that type's.

use crate::base::time::Time;

mod bitmap;
pub mod event;
pub mod heap;
mod kernel;
mod lists;
pub mod queue;
mod stuck;

pub use kernel::Port;
pub use stuck::leading_cycle;

/// Names a part of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartId(pub u32);

/// Names a channel between two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub u32);

/// Orders events of the same instant, before receiver, sender and the sender's own sequence: what arrives from another part is seen
/// before what a part planned for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// A message over a channel.
    Arrival = 0,
    /// A part's own plan ([`Port::wake_at`]).
    Wake = 1,
}

/// A part of a machine.
pub trait Component {
    /// What parts send each other.
    type Message;

    /// A message has arrived over `channel`. The place it takes in the channel is free again once the part calls [`Port::release`].
    fn receive(&mut self, channel: ChannelId, message: Self::Message, port: &mut Port<'_, Self::Message>);

    /// The part planned to be woken now, or the channel it found full has a place again.
    fn wake(&mut self, reason: Wake, port: &mut Port<'_, Self::Message>);

    /// Says what the part waits for, where it has work that it cannot do.
    fn waits(&self, report: &mut Vec<Wait>);
}

/// Why a part is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The token given to [`Port::wake_at`].
    Planned(u32),
    /// A channel that [`Port::try_send`] found full has a place.
    Place(ChannelId),
}

/// What a part waits for: a line of the report when nothing can move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Who waits; the engine fills in the part's own id where it is `None`.
    pub who: Option<PartId>,
    /// For which part, where it is known.
    pub whom: Option<PartId>,
    /// The sentence: "waits for a place in ...", "awaits flag != 0 (line 9)".
    pub what: String,
}

/// How a run of the engine ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No events are left and no part waits.
    Quiescent,
    /// No events are left and parts wait: who for whom.
    Stuck(Vec<Wait>),
    /// A part called [`Port::stop`].
    Stopped,
    /// The limit on events was reached.
    Limit,
}

/// A machine in motion: parts, the channels between them, and the events to come.
#[derive(Clone, Debug)]
pub struct Engine<C: Component> {
    parts: Vec<C>,
    kernel: kernel::Kernel<C::Message>,
}

impl<C: Component> Engine<C> {
    /// An engine at time zero in which nothing is planned. Part `i` of `parts` is `PartId(i)`.
    pub fn new(parts: Vec<C>) -> Engine<C> {
        let kernel = kernel::Kernel::new(parts.len());
        Engine { parts, kernel }
    }

    /// A channel over which `from` can send to `to`; ids count from 0. A latency of zero is taken as 1 ps: an effect comes after its
    /// cause, which is what makes the order of events independent of how far parts run ahead.
    ///
    /// # Panics
    /// Where a part does not exist, `from` is `to`, or `capacity` (in messages) is 0.
    pub fn add_channel(&mut self, from: PartId, to: PartId, latency: Time, capacity: u32) -> ChannelId {
        self.kernel.add_channel(from, to, latency, capacity)
    }

    /// The parts that a channel leads from and to.
    pub fn ends(&self, channel: ChannelId) -> (PartId, PartId) {
        self.kernel.ends(channel)
    }

    /// Whether parts may do now what happens later ([`Port::horizon`]). It changes how many wakes there are, and nothing else.
    pub fn set_run_ahead(&mut self, run_ahead: bool) {
        self.kernel.set_run_ahead(run_ahead);
    }

    /// A lower bound, over all machines' paths, of the time from any event at one part to an arrival that it causes at another part
    /// that asks for its horizon. The larger it is, the further parts run ahead; 1 ps is always right.
    pub fn set_lookahead(&mut self, lookahead: Time) {
        self.kernel.set_lookahead(lookahead);
    }

    /// Keeps the times of pending arrivals at a part that asks for its horizon. Without it the horizon is right, but nearer.
    ///
    /// # Panics
    /// Where events are pending.
    pub fn track_arrivals(&mut self, part: PartId) {
        self.kernel.track_arrivals(part);
    }

    /// Plans to wake a part, as if it had called [`Port::wake_at`].
    pub fn start(&mut self, part: PartId, at: Time, token: u32) {
        self.kernel.plan(part, at, token);
    }

    /// Handles events until none is left, a part stops the run, or `limit` events (messages and wakes) have been handled in this call.
    /// It can be called again: the parts stay as they are, and time goes on.
    pub fn run(&mut self, limit: u64) -> Outcome {
        for _ in 0..limit {
            let Some((me, due)) = self.kernel.next() else { return self.at_rest() };
            let part = &mut self.parts[me.0 as usize];
            let mut port = Port { kernel: &mut self.kernel, me };
            match due {
                kernel::Due::Message(channel, message) => part.receive(channel, message, &mut port),
                kernel::Due::Planned(token) => part.wake(Wake::Planned(token), &mut port),
                kernel::Due::Place(channel) => part.wake(Wake::Place(channel), &mut port),
            }
            if self.kernel.stopped {
                self.kernel.stopped = false;
                return Outcome::Stopped;
            }
        }
        if self.kernel.is_idle() { self.at_rest() } else { Outcome::Limit }
    }

    /// What the parts wait for at this moment, the shortest circle of waits first.
    pub fn waits(&self) -> Vec<Wait> {
        let mut waits = Vec::new();
        for (part, id) in self.parts.iter().zip(0..) {
            let first = waits.len();
            part.waits(&mut waits);
            for wait in &mut waits[first..] {
                wait.who.get_or_insert(PartId(id));
            }
        }
        self.kernel.blocked_senders(&mut waits);
        stuck::cycle_first(waits)
    }

    fn at_rest(&self) -> Outcome {
        let waits = self.waits();
        if waits.is_empty() { Outcome::Quiescent } else { Outcome::Stuck(waits) }
    }

    /// The time of the last event handled.
    pub fn now(&self) -> Time {
        self.kernel.now()
    }

    /// The messages delivered so far. It does not depend on run-ahead.
    pub fn messages(&self) -> u64 {
        self.kernel.delivered
    }

    /// The events handled so far: messages and wakes. It depends on run-ahead, so it belongs in no record.
    pub fn events(&self) -> u64 {
        self.kernel.events
    }

    /// The parts, to be read.
    pub fn parts(&self) -> &[C] {
        &self.parts
    }

    /// The parts, to be changed between runs.
    pub fn parts_mut(&mut self) -> &mut [C] {
        &mut self.parts
    }

    /// The parts, at the end.
    pub fn into_parts(self) -> Vec<C> {
        self.parts
    }
}

#[cfg(test)]
mod tests;
