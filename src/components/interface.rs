//! A node's network interface, which sends and receives the messages of its rank.
//!
//! ```text
//!   core --Started--> interface --parcels--> network --> interface of the other node --> its memory
//!        <--Over----
//!
//!   eager        data ------------------------------>          kept until a receive comes for them
//!   rendezvous   ask  ------------------------------>          a receive is there, or comes
//!                     <------------------------------ clear
//!                data ------------------------------>          straight to where they belong
//! ```
//!
//! Short messages are sent eagerly: the send is over as soon as the interface has sent them, whether anyone wants them yet or not. Long
//! ones wait for their receive, so that nobody has to keep them; their send is over when the last of them has left the node. In the terms
//! of LogGP (Alexandrov, Ionescu, Schauser and Scheiman, "LogGP", SPAA 1995): `o` is what a core spends on a message (it does, in
//! `core/messages.rs`), `g` the least time from one message of an interface to its next, `G` the network's time for a byte, `L` its
//! latency. The interface has a way to memory of its own: moving a message's elements disturbs no one on the node.

use crate::base::time::Time;
use crate::components::message::Message;
use crate::components::parcel::{Content, End, NodeNumber, Parcel};
use crate::components::post::{EndId, PostHandle, Posted};
use crate::components::shared::{Interruption, Over, SharedHandle};
use crate::engine::{ChannelId, Port, Wait};
use crate::program::messages::{Mailbox, Pair};
use crate::program::tree::Direction;

/// What messages cost beside the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceSpec {
    /// What a core spends on a message that it sends.
    pub send_overhead: Time,
    /// What a core spends on a message that it receives.
    pub receive_overhead: Time,
    /// From one message of the interface to its next.
    pub gap: Time,
    /// Messages of up to so many bytes are sent eagerly.
    pub eager_bytes: u64,
}

/// The channels of an interface.
#[derive(Clone, Debug)]
pub struct InterfacePorts {
    /// To each core of the node.
    pub cores: Vec<ChannelId>,
    pub network: ChannelId,
}

/// What an interface counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceCounters {
    /// Messages sent, those to the own rank included.
    pub sends: u64,
    /// Of them, those that waited for their receive.
    pub rendezvous: u64,
    pub bytes_sent: u64,
    /// Messages received.
    pub receives: u64,
    pub bytes_received: u64,
    /// Messages that came before a receive was there for them.
    pub unexpected: u64,
}

/// The interface.
#[derive(Debug)]
pub struct Interface {
    node: NodeNumber,
    spec: InterfaceSpec,
    ports: InterfacePorts,
    shared: SharedHandle,
    post: PostHandle,

    mailbox: Mailbox<EndId>,
    /// When it can send again.
    free: Time,
    counters: InterfaceCounters,
}

impl Interface {
    /// An interface with nothing to do.
    pub fn new(node: NodeNumber, spec: InterfaceSpec, ports: InterfacePorts, shared: SharedHandle, post: PostHandle) -> Interface {
        let counters = InterfaceCounters::default();
        Interface { node, spec, ports, shared, post, mailbox: Mailbox::default(), free: Time::ZERO, counters }
    }

    /// What it counted.
    pub fn counters(&self) -> &InterfaceCounters {
        &self.counters
    }

    /// Begins a phase: counters start anew.
    pub fn begin(&mut self) {
        self.counters = InterfaceCounters::default();
    }

    /// A message of the machine's parts has come.
    pub fn receive(&mut self, channel: ChannelId, message: Message, port: &mut Port<'_, Message>) {
        port.release(channel);
        match message {
            Message::Started { end, time } => self.start(end, time, port),
            Message::Parcel(parcel) => self.arrive(parcel, port),
            Message::Gone { end, time } => {
                let posted = self.post.borrow().get(end).clone();
                self.over(&posted, time, posted.started, port);
            }
            _ => {}
        }
    }

    fn is_eager(&self, posted: &Posted) -> bool {
        posted.end.bytes() <= self.spec.eager_bytes
    }

    fn start(&mut self, id: EndId, time: Time, port: &mut Port<'_, Message>) {
        let posted = self.post.borrow().get(id).clone();
        let bytes = posted.end.bytes();
        if posted.end.direction == Direction::Receive {
            if let Some(pair) = self.mailbox.put(posted.end, id) {
                self.meet(&pair, time, port);
            }
            return;
        }
        self.counters.sends += 1;
        self.counters.bytes_sent += bytes;
        let eager = self.is_eager(&posted);
        self.counters.rendezvous += u64::from(!eager);
        if posted.end.peer == u32::from(self.node) {
            if eager {
                self.over(&posted, time, time, port);
            }
            if let Some(pair) = self.mailbox.put(posted.end, id) {
                self.meet(&pair, time, port);
            }
            return;
        }
        let (content, bytes) = if eager { (Content::Eager, bytes) } else { (Content::Ask, 0) };
        let left = self.send(id, posted.end.peer, content, bytes, time, port);
        if eager {
            self.over(&posted, left, left, port);
        }
    }

    /// Sends a parcel about a message as soon as the gap allows; says when.
    fn send(&mut self, id: EndId, to: u32, content: Content, bytes: u64, time: Time, port: &mut Port<'_, Message>) -> Time {
        let leaves = time.max(self.free);
        self.free = leaves + self.spec.gap;
        let parcel = Parcel {
            from: self.node,
            to: to as NodeNumber,
            end: End::Interface,
            content,
            agent: 0,
            line: u64::from(id),
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            asked: time,
            time: leaves,
        };
        port.send(self.ports.network, Message::Parcel(parcel), leaves.saturating_sub(Time(1)).max(port.now()));
        leaves
    }

    fn arrive(&mut self, parcel: Parcel, port: &mut Port<'_, Message>) {
        let (id, time) = (parcel.line as EndId, parcel.time);
        match parcel.content {
            Content::Eager | Content::Ask => {
                let end = self.post.borrow().get(id).end;
                match self.mailbox.put(end, id) {
                    Some(pair) => self.meet(&pair, time, port),
                    None => self.counters.unexpected += 1,
                }
            }
            Content::Clear => {
                let end = self.post.borrow().get(id).end;
                self.send(id, end.peer, Content::Data, end.bytes(), time, port);
            }
            Content::Data => self.deliver(id, time, port),
            _ => {}
        }
    }

    /// Two ends have met here, where the receive was started.
    fn meet(&mut self, pair: &Pair<EndId>, time: Time, port: &mut Port<'_, Message>) {
        let ((send, send_id), (receive, receive_id)) = (&pair.send, &pair.receive);
        if let Err(fault) = pair.check(receive.rank, receive.thread) {
            self.shared.borrow_mut().interrupt(Interruption::Fault(fault));
            port.stop();
            return;
        }
        self.post.borrow_mut().meet(*send_id, *receive_id);
        let eager = send.bytes() <= self.spec.eager_bytes;
        match (eager, send.rank == u32::from(self.node)) {
            (true, _) => self.deliver(*send_id, time, port),
            (false, true) => {
                let posted = self.post.borrow().get(*send_id).clone();
                self.over(&posted, time, time, port);
                self.deliver(*send_id, time, port);
            }
            (false, false) => {
                self.send(*send_id, send.rank, Content::Clear, 0, time, port);
            }
        }
    }

    /// The elements of a message are here.
    fn deliver(&mut self, send: EndId, time: Time, port: &mut Port<'_, Message>) {
        let (send, receive) = self.post.borrow_mut().deliver(send, &mut self.shared.borrow_mut().memory);
        self.counters.receives += 1;
        self.counters.bytes_received += receive.end.bytes();
        self.over(&receive, time, send.started.max(receive.started), port);
    }

    /// A message is over for an end of this node's rank.
    fn over(&mut self, posted: &Posted, at: Time, since: Time, port: &mut Port<'_, Message>) {
        if let Some(over) = self.shared.borrow_mut().handles.get_mut(posted.handle) {
            *over = Some(Over { at, since: since.min(at) });
        }
        for &core in &self.ports.cores {
            port.send(core, Message::Over { time: at }, at.saturating_sub(Time(1)).max(port.now()));
        }
    }

    /// Messages that nobody has received.
    pub fn left_over(&self) -> impl Iterator<Item = &crate::program::messages::End> {
        self.mailbox.waiting()
    }

    /// It waits for no one; who waits for a message are the cores.
    pub fn waits(&self, _report: &mut Vec<Wait>) {}
}
