//! The discrete-event engine: a queue of events in a total order, parts that receive them, channels with capacities between parts,
//! and the report of who waits for whom when nothing can move.
//!
//! It does not know what is simulated. Parts are one type `C` (an enum over the kinds of parts, so that dispatch is static and
//! parts can be read after a run); messages are that type's.

pub mod queue;

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

/// What a part can do while it handles an event.
pub struct Port<'a, M> {
    _message: std::marker::PhantomData<&'a M>,
}
