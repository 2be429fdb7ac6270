//! Everything of the engine but the parts: the queue, the channels, and what a part can do with them while it handles an event.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::event::Event;
use super::queue::WheelQueue;
use super::{ChannelId, Class, PartId, Wait};
use crate::base::time::Time;

/// One direction between two parts.
#[derive(Clone, Debug)]
struct Channel {
    from: PartId,
    to: PartId,
    latency: Time,
    capacity: u32,
    /// Messages sent and not yet released by the receiver.
    occupied: u32,
    /// Since when the sender wants a place, where it found none.
    wanted: Option<Time>,
}

/// What bounds how far a part may run ahead.
#[derive(Clone, Debug, Default)]
struct Tracked {
    /// When events caused by other parts will reach it.
    arrivals: BinaryHeap<Reverse<Time>>,
    /// Channels that it found full and that have not been freed since.
    blocked: u32,
}

/// The state of the engine that parts act on through their [`Port`].
#[derive(Clone, Debug)]
pub(super) struct Kernel<M> {
    queue: WheelQueue,
    now: Time,
    channels: Vec<Channel>,
    /// How many events each part has caused.
    sequences: Vec<u32>,
    /// Messages on their way, each with its channel; free places are listed in `free`.
    messages: Vec<Option<(ChannelId, M)>>,
    free: Vec<u32>,
    tracked: Vec<Option<Box<Tracked>>>,
    lookahead: Time,
    run_ahead: bool,
    pub(super) stopped: bool,
    pub(super) events: u64,
    pub(super) delivered: u64,
}

/// What an event asks the engine to do.
pub(super) enum Due<M> {
    Message(ChannelId, M),
    Planned(u32),
    Place(ChannelId),
}

impl<M> Kernel<M> {
    pub(super) fn new(n_parts: usize) -> Kernel<M> {
        assert!(n_parts <= super::event::MAX_PARTS, "an engine holds at most 2^31 parts");
        Kernel {
            queue: WheelQueue::new(),
            now: Time::ZERO,
            channels: Vec::new(),
            sequences: vec![0; n_parts],
            messages: Vec::new(),
            free: Vec::new(),
            tracked: vec![None; n_parts],
            lookahead: Time(1),
            run_ahead: true,
            stopped: false,
            events: 0,
            delivered: 0,
        }
    }

    pub(super) fn now(&self) -> Time {
        self.now
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn set_run_ahead(&mut self, run_ahead: bool) {
        self.run_ahead = run_ahead;
    }

    pub(super) fn set_lookahead(&mut self, lookahead: Time) {
        self.lookahead = lookahead;
    }

    pub(super) fn add_channel(&mut self, from: PartId, to: PartId, latency: Time, capacity: u32) -> ChannelId {
        let n_parts = self.sequences.len();
        assert!((from.0 as usize) < n_parts && (to.0 as usize) < n_parts, "a channel joins two parts of the engine");
        assert!(from != to, "a part talks to itself by Port::wake_at");
        assert!(capacity > 0, "a channel holds at least one message");
        self.channels.push(Channel { from, to, latency: latency.max(Time(1)), capacity, occupied: 0, wanted: None });
        ChannelId((self.channels.len() - 1) as u32)
    }

    pub(super) fn ends(&self, channel: ChannelId) -> (PartId, PartId) {
        let channel = &self.channels[channel.0 as usize];
        (channel.from, channel.to)
    }

    pub(super) fn track_arrivals(&mut self, part: PartId) {
        assert!(self.queue.is_empty(), "arrivals are tracked from the beginning or not at all");
        self.tracked[part.0 as usize].get_or_insert_default();
    }

    /// Puts an event caused by `sender` into the queue.
    #[inline]
    fn schedule(&mut self, time: Time, class: Class, receiver: PartId, sender: PartId, payload: u32) {
        assert!(time >= self.now, "nothing happens in the past");
        let sequence = &mut self.sequences[sender.0 as usize];
        self.queue.push(Event::new(time, class, receiver, sender, *sequence, payload));
        *sequence = sequence.wrapping_add(1);
        if receiver != sender
            && let Some(tracked) = &mut self.tracked[receiver.0 as usize]
        {
            tracked.arrivals.push(Reverse(time));
        }
    }

    /// Removes the earliest event, and makes its time the present.
    #[inline]
    pub(super) fn next(&mut self) -> Option<(PartId, Due<M>)> {
        let event = self.queue.pop()?;
        self.now = event.time;
        self.events += 1;
        let (receiver, sender) = (event.receiver(), event.sender());
        if receiver != sender
            && let Some(tracked) = &mut self.tracked[receiver.0 as usize]
        {
            tracked.arrivals.pop();
        }
        let due = match event.class() {
            Class::Arrival => {
                self.delivered += 1;
                self.free.push(event.payload());
                let (channel, message) =
                    self.messages[event.payload() as usize].take().expect("a message lies where its event says");
                Due::Message(channel, message)
            }
            Class::Wake if receiver == sender => Due::Planned(event.payload()),
            Class::Wake => Due::Place(ChannelId(event.payload())),
        };
        Some((receiver, due))
    }

    #[inline]
    pub(super) fn plan(&mut self, part: PartId, time: Time, token: u32) {
        self.schedule(time, Class::Wake, part, part, token);
    }

    #[inline]
    fn try_send(&mut self, sender: PartId, id: ChannelId, message: M, at: Time) -> Result<(), M> {
        assert!(at >= self.now, "a message leaves now or later");
        let channel = &mut self.channels[id.0 as usize];
        debug_assert_eq!(channel.from, sender, "a part sends over its own channels");
        if channel.occupied == channel.capacity {
            if channel.wanted.replace(at).is_none()
                && let Some(tracked) = &mut self.tracked[sender.0 as usize]
            {
                tracked.blocked += 1;
            }
            return Err(message);
        }
        channel.occupied += 1;
        let (to, arrival) = (channel.to, at.saturating_add(channel.latency));
        let place = match self.free.pop() {
            Some(place) => {
                self.messages[place as usize] = Some((id, message));
                place
            }
            None => {
                self.messages.push(Some((id, message)));
                (self.messages.len() - 1) as u32
            }
        };
        self.schedule(arrival, Class::Arrival, to, sender, place);
        Ok(())
    }

    #[inline]
    fn release(&mut self, receiver: PartId, id: ChannelId) {
        let channel = &mut self.channels[id.0 as usize];
        debug_assert_eq!(channel.to, receiver, "a part releases places of channels that end at it");
        assert!(channel.occupied > 0, "a place is released once");
        channel.occupied -= 1;
        if let Some(wanted) = channel.wanted.take() {
            let sender = channel.from;
            if let Some(tracked) = &mut self.tracked[sender.0 as usize] {
                tracked.blocked -= 1;
            }
            self.schedule(wanted.max(self.now), Class::Wake, sender, receiver, id.0);
        }
    }

    fn horizon(&mut self, part: PartId, lookahead: Time) -> Time {
        let next_instant = self.now.saturating_add(Time(1));
        if !self.run_ahead {
            return next_instant;
        }
        let next = self.queue.next_time().unwrap_or(Time::NEVER);
        let bound = match &self.tracked[part.0 as usize] {
            // Any pending event might be addressed to it.
            None => next,
            Some(tracked) => {
                let arrival = tracked.arrivals.peek().map_or(Time::NEVER, |&Reverse(time)| time);
                // A place that is freed is noticed in the same instant.
                let lookahead = if tracked.blocked > 0 { Time::ZERO } else { lookahead };
                arrival.min(next.saturating_add(lookahead))
            }
        };
        bound.max(next_instant)
    }

    /// Adds the waits of senders that found a channel full, where `report` does not name them yet.
    pub(super) fn blocked_senders(&self, report: &mut Vec<Wait>) {
        for channel in self.channels.iter().filter(|channel| channel.wanted.is_some()) {
            let (who, whom) = (Some(channel.from), Some(channel.to));
            if !report.iter().any(|wait| wait.who == who && wait.whom == whom) {
                let what = match channel.capacity {
                    1 => "waits for the only place of a channel".to_string(),
                    capacity => format!("waits for a place in a channel whose {capacity} places are all taken"),
                };
                report.push(Wait { who, whom, what });
            }
        }
    }
}

/// What a part can do while it handles an event.
pub struct Port<'a, M> {
    pub(super) kernel: &'a mut Kernel<M>,
    pub(super) me: PartId,
}

impl<M> Port<'_, M> {
    /// The present instant.
    #[inline]
    pub fn now(&self) -> Time {
        self.kernel.now
    }

    /// The part that handles the event.
    #[inline]
    pub fn me(&self) -> PartId {
        self.me
    }

    /// Sends a message that leaves at `at` (now, or later where the part runs ahead) and arrives the channel's latency after that. It
    /// takes a place of the channel from this call until the receiver calls [`Port::release`].
    ///
    /// # Panics
    /// Where the channel is full: a part that can meet a full channel uses [`Port::try_send`].
    #[inline]
    pub fn send(&mut self, channel: ChannelId, message: M, at: Time) {
        assert!(self.kernel.try_send(self.me, channel, message, at).is_ok(), "a part that can meet a full channel uses try_send");
    }

    /// Like [`Port::send`], but gives the message back where the channel is full. The part is then woken with
    /// [`super::Wake::Place`] when a place is free, but not before `at`, so that a part that ran ahead of a release sends at the same
    /// instant as one that did not.
    ///
    /// # Errors
    /// The message, where the channel is full.
    #[inline]
    pub fn try_send(&mut self, channel: ChannelId, message: M, at: Time) -> Result<(), M> {
        self.kernel.try_send(self.me, channel, message, at)
    }

    /// Whether the channel has a place for a message at this moment. For a part that ran ahead it may get one before its message
    /// leaves: [`Port::try_send`] takes that into account.
    #[inline]
    pub fn has_place(&self, channel: ChannelId) -> bool {
        let channel = &self.kernel.channels[channel.0 as usize];
        channel.occupied < channel.capacity
    }

    /// How long a message is on its way through the channel.
    #[inline]
    pub fn latency(&self, channel: ChannelId) -> Time {
        self.kernel.channels[channel.0 as usize].latency
    }

    /// Frees the place of the oldest message taken from a channel that ends here. A sender that found it full is woken.
    #[inline]
    pub fn release(&mut self, channel: ChannelId) {
        self.kernel.release(self.me, channel);
    }

    /// Plans to be woken at `time` with [`super::Wake::Planned`] and the token.
    #[inline]
    pub fn wake_at(&mut self, time: Time, token: u32) {
        self.kernel.plan(self.me, time, token);
    }

    /// How far the part may run ahead: nothing that it has not seen yet can reach it before this instant, which is always later than
    /// now. What the part sends may bring an answer sooner, so ask again after sending.
    ///
    /// This is the conservative bound of Chandy and Misra ("Distributed Simulation", IEEE TSE 5(5), 1979): the earliest of what is on
    /// its way to the part, and of the next event of all plus the lookahead ([`super::Engine::set_lookahead`]). The part's own plans
    /// count, too: a place that it will release can set another part going. With run-ahead off it is the next picosecond.
    #[inline]
    pub fn horizon(&mut self) -> Time {
        let lookahead = self.kernel.lookahead;
        self.kernel.horizon(self.me, lookahead)
    }

    /// The same for a part that waits for something that comes without notice: as soon as anyone does anything.
    #[inline]
    pub fn near_horizon(&mut self) -> Time {
        self.kernel.horizon(self.me, Time(1))
    }

    /// Ends the run after this event.
    #[inline]
    pub fn stop(&mut self) {
        self.kernel.stopped = true;
    }
}
