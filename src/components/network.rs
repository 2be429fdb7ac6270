//! The interconnect between nodes: packets over channels, with finite buffers and credits.
//!
//! ```text
//!   carrier --parcel--> injection queue --packets--> channel --> buffer --> channel --> ... --> carrier of the destination
//!                        one for each                 |            '-- a place for each packet of a virtual channel;
//!                        virtual network              |                its credit goes back when the packet has left
//!                                                     '-- latency, bandwidth; one packet at a time
//! ```
//!
//! A parcel is cut into packets of at most the stated payload, each with a header. A packet asks for its next channel when it has come to
//! a vertex and the switch's delay is over: with virtual cut-through when its head is there (Kermani and Kleinrock, "Virtual cut-through",
//! Computer Networks 3, 1979), with store-and-forward when all of it is. Whoever asked first goes first, once the channel is free and the
//! buffer at its end has a place; packets in one buffer that want different channels do not wait for each other (virtual output
//! queueing). On an idle network a packet of b bytes over h channels therefore takes exactly
//!
//! ```text
//!   cut-through         h * latency + (h - 1) * switch delay + b / bandwidth
//!   store-and-forward   h * (latency + b / bandwidth) + (h - 1) * switch delay
//! ```
//!
//! (Dally and Towles, "Principles and Practices of Interconnection Networks", 2004, sections 3.3 and 13.2.)

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::base::time::{PICOSECONDS_PER_SECOND, Time};
use crate::components::message::Message;
use crate::components::owner::Owner;
use crate::components::parcel::{Content, NodeNumber, Parcel, VirtualNetwork};
use crate::components::post::EndId;
use crate::components::shared::SharedHandle;
use crate::components::utilisation::Ledger;
use crate::engine::{ChannelId, Port, Wait, Wake};
use crate::interconnect::{ChannelNumber, Network as Graph, Routes, VertexNumber};

/// When a packet may leave a switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Switching {
    /// As soon as its head is there.
    #[default]
    CutThrough,
    /// When all of it is there.
    StoreAndForward,
}

/// The interconnect between nodes, as plain data.
#[derive(Clone, Debug)]
pub struct NetworkSpec {
    pub graph: Arc<Graph>,
    pub routes: Arc<Routes>,
    /// Of a channel, from the beginning of a packet to its head at the other end.
    pub latency: Time,
    /// Of a channel; `None`: no end to it.
    pub bandwidth_bytes_per_second: Option<u64>,
    /// From a packet's arrival at a vertex between its ends to its asking for the next channel.
    pub switch_delay: Time,
    pub switching: Switching,
    /// Bytes of each packet beside what it carries.
    pub header_bytes: u32,
    /// The most bytes that a packet carries, from 1.
    pub packet_bytes: u32,
    /// Packets of each virtual channel that the buffer at a channel's end holds, from 1.
    pub buffers: u32,
}

impl NetworkSpec {
    /// How long a packet that carries so many bytes holds a channel.
    pub fn transfer(&self, bytes: u32) -> Time {
        let Some(bandwidth) = self.bandwidth_bytes_per_second else { return Time::ZERO };
        let bytes = u128::from(bytes) + u128::from(self.header_bytes);
        Time((bytes * u128::from(PICOSECONDS_PER_SECOND)).div_ceil(u128::from(bandwidth)) as u64)
    }

    /// From the first bit of a packet on its first channel to the last one off its last, over so many channels with nobody in its way:
    /// the zero-load latency (Dally and Towles, "Principles and Practices of Interconnection Networks", section 1.2 and 3.3).
    pub fn zero_load(&self, channels: u32, bytes: u32) -> Time {
        let (channels, transfer) = (u64::from(channels), self.transfer(bytes).0);
        let transfers = match self.switching {
            Switching::StoreAndForward => channels,
            Switching::CutThrough => channels.min(1),
        };
        Time(channels * self.latency.0 + channels.saturating_sub(1) * self.switch_delay.0 + transfers * transfer)
    }

    /// Picoseconds that each further byte of a long message takes, its packets' headers counted: LogGP's `G`.
    pub fn picoseconds_a_byte(&self) -> f64 {
        self.transfer(self.packet_bytes).0 as f64 / f64::from(self.packet_bytes)
    }
}

/// Names a packet on its way.
type PacketId = u32;
/// Names a parcel on its way.
type ParcelId = u32;
/// A virtual channel of a virtual network.
type Lane = u8;

/// The tokens of wakes for channels; those below are packets.
const CHANNEL: u32 = 1 << 31;

/// A packet.
#[derive(Clone, Copy, Debug)]
struct Packet {
    parcel: ParcelId,
    /// What it carries of the parcel.
    bytes: u32,
    /// Whether it is the parcel's last.
    last: bool,
    at: VertexNumber,
    /// When it asks, or asked, for its next channel.
    ready: Time,
    /// When all of it is at the vertex.
    tail: Time,
    /// The place that it takes.
    place: Option<(ChannelNumber, Lane)>,
}

/// A parcel that is being sent.
#[derive(Clone, Copy, Debug)]
struct Sending {
    parcel: Parcel,
    /// Bytes that are in no packet yet.
    left: u32,
    n_packets: u32,
}

/// A channel and what waits for it.
#[derive(Debug)]
struct Channel {
    free: Time,
    /// In the order in which they asked.
    waiting: Vec<(PacketId, Lane)>,
    lanes: Vec<LanePlaces>,
    planned: Option<Time>,
    counters: ChannelCounters,
}

/// Places in the buffer at a channel's end.
#[derive(Clone, Debug)]
struct LanePlaces {
    free: u32,
    /// When the credits of others are back.
    returns: Vec<Time>,
}

/// What a channel counted.
#[derive(Clone, Debug)]
pub struct ChannelCounters {
    /// Packets, their bytes with headers, and the time that the channel was taken.
    pub used: Ledger,
    /// Time that packets waited for it.
    pub wait: Time,
}

impl ChannelCounters {
    fn new(at: Time, memory: Time) -> ChannelCounters {
        ChannelCounters { used: Ledger::new(at, memory), wait: Time::ZERO }
    }
}

/// What the network counted in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkCounters {
    pub parcels_sent: u64,
    pub parcels_delivered: u64,
    pub packets: u64,
    /// Of parcels, headers not counted.
    pub bytes_sent: u64,
    pub bytes_delivered: u64,
    /// Channels that packets went over, each counted for each packet.
    pub hops: u64,
}

/// The network.
#[derive(Debug)]
pub struct Network {
    spec: Arc<NetworkSpec>,
    /// To each node's carrier.
    nodes: Vec<ChannelId>,
    /// Of the requests of cores, where they share an address space.
    shared: Option<SharedHandle>,

    channels: Vec<Channel>,
    packets: Vec<Option<Packet>>,
    free_packets: Vec<PacketId>,
    parcels: Vec<Option<Sending>>,
    free_parcels: Vec<ParcelId>,
    /// Parcels that have yet to leave their node, by node and virtual network.
    injections: Vec<VecDeque<ParcelId>>,
    counters: NetworkCounters,
    /// Bytes of parcels from node to node, headers not counted.
    traffic: BTreeMap<(NodeNumber, NodeNumber), u64>,
}

impl Network {
    /// A network on which nothing is on its way; `nodes` lead to the carriers.
    pub fn new(spec: Arc<NetworkSpec>, nodes: Vec<ChannelId>, shared: Option<SharedHandle>) -> Network {
        let lanes = VirtualNetwork::COUNT * usize::from(spec.routes.virtual_channels());
        let place = LanePlaces { free: spec.buffers, returns: Vec::new() };
        let channel = || Channel {
            free: Time::ZERO,
            waiting: Vec::new(),
            lanes: vec![place.clone(); lanes],
            planned: None,
            counters: ChannelCounters::new(Time::ZERO, Time::ZERO),
        };
        let channels = (0..spec.graph.n_channels()).map(|_| channel()).collect();
        let injections = vec![VecDeque::new(); nodes.len() * VirtualNetwork::COUNT];
        Network {
            spec,
            nodes,
            shared,
            channels,
            packets: Vec::new(),
            free_packets: Vec::new(),
            parcels: Vec::new(),
            free_parcels: Vec::new(),
            injections,
            counters: NetworkCounters::default(),
            traffic: BTreeMap::new(),
        }
    }

    /// What it counted in all.
    pub fn counters(&self) -> &NetworkCounters {
        &self.counters
    }

    /// What each channel counted.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelCounters> {
        self.channels.iter().map(|channel| &channel.counters)
    }

    /// Bytes from node to node, headers not counted.
    pub fn traffic(&self) -> &BTreeMap<(NodeNumber, NodeNumber), u64> {
        &self.traffic
    }

    /// The graph that its channels are numbered by.
    pub fn graph(&self) -> &Graph {
        &self.spec.graph
    }

    /// Begins a phase: counters start anew, with figures to be had of instants up to `memory` ago.
    pub fn begin(&mut self, at: Time, memory: Time) {
        self.counters = NetworkCounters::default();
        self.traffic.clear();
        for channel in &mut self.channels {
            channel.counters = ChannelCounters::new(at, memory);
        }
    }

    /// A message has come from a carrier.
    pub fn receive(&mut self, channel: ChannelId, message: Message, port: &mut Port<'_, Message>) {
        port.release(channel);
        match message {
            Message::Parcel(parcel) => self.take(parcel, port),
            Message::Written { .. } => {
                for &node in &self.nodes {
                    port.send(node, message, port.now());
                }
            }
            _ => {}
        }
    }

    fn take(&mut self, parcel: Parcel, port: &mut Port<'_, Message>) {
        let sending = Sending { parcel, left: parcel.bytes, n_packets: 0 };
        let id = match self.free_parcels.pop() {
            Some(id) => {
                self.parcels[id as usize] = Some(sending);
                id
            }
            None => {
                self.parcels.push(Some(sending));
                (self.parcels.len() - 1) as u32
            }
        };
        self.counters.parcels_sent += 1;
        self.counters.bytes_sent += u64::from(parcel.bytes);
        *self.traffic.entry((parcel.from, parcel.to)).or_default() += u64::from(parcel.bytes);
        let queue = usize::from(parcel.from) * VirtualNetwork::COUNT + parcel.virtual_network() as usize;
        self.injections[queue].push_back(id);
        if self.injections[queue].len() == 1
            && let Some(channel) = self.inject(queue, parcel.time)
        {
            self.go_on(channel, port);
        }
    }

    /// A packet is ready at its vertex, or a channel may go on.
    pub fn wake(&mut self, reason: Wake, port: &mut Port<'_, Message>) {
        let Wake::Planned(token) = reason else { return };
        if token & CHANNEL == 0 {
            if let Some(channel) = self.ask(token) {
                self.go_on(channel, port);
            }
            return;
        }
        let channel = token & !CHANNEL;
        let planned = &mut self.channels[channel as usize].planned;
        if planned.is_some_and(|at| at <= port.now()) {
            *planned = None;
        }
        self.go_on(channel, port);
    }

    fn parcel(&self, id: ParcelId) -> &Sending {
        self.parcels[id as usize].as_ref().expect("a packet's parcel is on its way")
    }

    fn packet(&self, id: PacketId) -> &Packet {
        self.packets[id as usize].as_ref().expect("a packet that waits is there")
    }

    /// The next packet of a node's oldest parcel asks for its first channel, which is returned.
    fn inject(&mut self, queue: usize, at: Time) -> Option<ChannelNumber> {
        let parcel = *self.injections[queue].front()?;
        let payload = self.spec.packet_bytes;
        let sending = self.parcels[parcel as usize].as_mut().expect("a parcel that waits is there");
        let bytes = sending.left.min(payload);
        sending.left -= bytes;
        sending.n_packets += 1;
        let ready = at.max(sending.parcel.time);
        let vertex = VertexNumber::from(sending.parcel.from);
        let packet = Packet { parcel, bytes, last: sending.left == 0, at: vertex, ready, tail: ready, place: None };
        let id = match self.free_packets.pop() {
            Some(id) => {
                self.packets[id as usize] = Some(packet);
                id
            }
            None => {
                self.packets.push(Some(packet));
                (self.packets.len() - 1) as u32
            }
        };
        self.counters.packets += 1;
        self.ask(id)
    }

    /// A packet asks for its next channel.
    fn ask(&mut self, id: PacketId) -> Option<ChannelNumber> {
        let packet = self.packet(id);
        let parcel = &self.parcel(packet.parcel).parcel;
        let hop = self.spec.routes.next(packet.at, u32::from(parcel.to))?;
        let lane = parcel.virtual_network() as u8 * self.spec.routes.virtual_channels() + hop.virtual_channel;
        self.channels[hop.channel as usize].waiting.push((id, lane));
        Some(hop.channel)
    }

    /// Lets packets go that wait for a channel, and those that ask for one because of that.
    fn go_on(&mut self, first: ChannelNumber, port: &mut Port<'_, Message>) {
        let mut next = Some(first);
        while let Some(channel) = next {
            next = self.start_next(channel, port);
        }
    }

    /// Lets the next packet go, if one may. Returns a channel that has to be looked at because of that.
    fn start_next(&mut self, number: ChannelNumber, port: &mut Port<'_, Message>) -> Option<ChannelNumber> {
        let now = port.now();
        let channel = &mut self.channels[number as usize];
        if channel.waiting.is_empty() {
            return None;
        }
        if channel.free > now {
            let free = channel.free;
            self.plan(number, free, port);
            return None;
        }
        let lanes = &channel.lanes;
        let may_go = |lane: Lane| {
            let places = &lanes[usize::from(lane)];
            places.free > 0 || places.returns.iter().any(|&back| back <= now)
        };
        let Some(first) = channel.waiting.iter().position(|&(_, lane)| may_go(lane)) else {
            let credits = channel.waiting.iter().flat_map(|&(_, lane)| &channel.lanes[usize::from(lane)].returns);
            if let Some(&soonest) = credits.min() {
                self.plan(number, soonest, port);
            }
            return None;
        };
        let (id, lane) = channel.waiting.remove(first);
        let credit = channel.lanes[usize::from(lane)].take();
        let injected = self.start(number, id, lane, credit, port);
        let channel = &self.channels[number as usize];
        if !channel.waiting.is_empty() {
            if channel.free <= now {
                // Bandwidth has no end: the next one goes at once, and what was injected is looked at then.
                if let Some(other) = injected.filter(|&other| other != number) {
                    self.go_on(other, port);
                }
                return Some(number);
            }
            let free = channel.free;
            self.plan(number, free, port);
        }
        injected.filter(|&other| other != number)
    }

    fn plan(&mut self, number: ChannelNumber, at: Time, port: &mut Port<'_, Message>) {
        let planned = &mut self.channels[number as usize].planned;
        if planned.is_none_or(|planned| planned > at) {
            *planned = Some(at);
            port.wake_at(at.max(port.now()), CHANNEL | number);
        }
    }

    /// A packet begins to go over a channel, to a place whose credit was there at an instant. Returns the channel that the next packet
    /// of the same node asks for, where one does.
    fn start(
        &mut self,
        number: ChannelNumber,
        id: PacketId,
        lane: Lane,
        credit: Time,
        port: &mut Port<'_, Message>,
    ) -> Option<ChannelNumber> {
        self.counters.hops += 1;
        let packet = *self.packet(id);
        let parcel = self.parcel(packet.parcel).parcel;
        let transfer = self.spec.transfer(packet.bytes);
        let latency = self.spec.latency;
        let channel = &mut self.channels[number as usize];
        let start = packet.ready.max(channel.free).max(credit);
        channel.free = start + transfer;
        channel.counters.wait += start - packet.ready;
        channel.counters.used.enter(start, start + transfer, u64::from(packet.bytes + self.spec.header_bytes), port.now());
        let (head, tail) = (start + latency, start + transfer + latency);
        if packet.last
            && parcel.is_awaited()
            && let Some(shared) = &self.shared
        {
            let timelines = &mut shared.borrow_mut().timelines[usize::from(parcel.agent)];
            timelines.mark(parcel.line, Owner::Network, packet.ready);
            timelines.mark(parcel.line, Owner::Queue, start);
            timelines.mark(parcel.line, Owner::Network, tail);
        }
        if let Some((came_by, lane)) = packet.place {
            // Its place is free when its end has left, and the sender hears of it a latency later.
            let back = (start + transfer).max(packet.tail) + latency;
            self.channels[came_by as usize].lanes[usize::from(lane)].returns.push(back);
            if !self.channels[came_by as usize].waiting.is_empty() {
                self.plan(came_by, back, port);
            }
        }
        let vertex = self.spec.graph.ends(number).1;
        if vertex == u32::from(parcel.to) {
            self.channels[number as usize].lanes[usize::from(lane)].returns.push(tail + latency);
            self.arrive(id, packet, tail, port);
        } else {
            let there = if self.spec.switching == Switching::CutThrough { head } else { tail };
            let ready = there + self.spec.switch_delay;
            self.packets[id as usize] = Some(Packet { at: vertex, ready, tail, place: Some((number, lane)), ..packet });
            port.wake_at(ready.max(port.now()), id);
        }
        if packet.place.is_some() {
            return None;
        }
        // It has left its node.
        if packet.last && parcel.content == Content::Data {
            let time = start + transfer;
            let message = Message::Gone { end: parcel.line as EndId, time };
            port.send(self.nodes[usize::from(parcel.from)], message, time.saturating_sub(Time(1)).max(port.now()));
        }
        let queue = usize::from(parcel.from) * VirtualNetwork::COUNT + parcel.virtual_network() as usize;
        if packet.last {
            self.injections[queue].pop_front();
        }
        self.inject(queue, start)
    }

    /// A packet will be at its destination at an instant.
    fn arrive(&mut self, id: PacketId, packet: Packet, tail: Time, port: &mut Port<'_, Message>) {
        self.packets[id as usize] = None;
        self.free_packets.push(id);
        if !packet.last {
            return;
        }
        // Packets of a parcel take one way, so the last that is sent is the last that comes.
        let Some(sending) = self.parcels[packet.parcel as usize].take() else { return };
        self.free_parcels.push(packet.parcel);
        let parcel = sending.parcel;
        self.counters.parcels_delivered += 1;
        self.counters.bytes_delivered += u64::from(parcel.bytes);
        let departure = tail.saturating_sub(Time(1)).max(port.now());
        port.send(self.nodes[usize::from(parcel.to)], Message::Parcel(Parcel { time: tail, ..parcel }), departure);
    }

    /// Says what packets wait for: where they wait for each other in a circle, that circle first.
    pub fn waits(&self, report: &mut Vec<Wait>) {
        let waiting = (0..).zip(&self.channels).flat_map(|(number, channel): (ChannelNumber, _)| {
            channel.waiting.iter().map(move |&(packet, lane)| (number, packet, lane))
        });
        let mut waiting: Vec<(ChannelNumber, PacketId, Lane)> = waiting.collect();
        let circle = circle(&waiting, |packet| self.packet(packet).place);
        waiting.sort_by_key(|(_, packet, _)| circle.iter().position(|other| other == packet).unwrap_or(usize::MAX));
        for (number, id, _) in waiting {
            let packet = self.packet(id);
            let parcel = &self.parcel(packet.parcel).parcel;
            let held = packet.place.map_or_else(String::new, |(channel, _)| {
                format!(", which holds a place behind {},", self.spec.graph.describe(channel))
            });
            let what = format!(
                "a packet from node[{}] to node[{}]{held} waits for a place behind {}",
                parcel.from,
                parcel.to,
                self.spec.graph.describe(number)
            );
            report.push(Wait { who: None, whom: None, what });
        }
    }
}

impl LanePlaces {
    /// Takes a place of which the credit is there; says since when.
    fn take(&mut self) -> Time {
        if let Some(spare) = self.free.checked_sub(1) {
            self.free = spare;
            return Time::ZERO;
        }
        let soonest = (0..self.returns.len()).min_by_key(|&place| self.returns[place]);
        soonest.map_or(Time::ZERO, |place| self.returns.swap_remove(place))
    }
}

/// Packets each of which waits for a place that the next one takes, the last for one of the first's.
fn circle(waiting: &[(ChannelNumber, PacketId, Lane)], place: impl Fn(PacketId) -> Option<(ChannelNumber, Lane)>) -> Vec<PacketId> {
    let next = |channel: ChannelNumber, lane: Lane| waiting.iter().find(|&&(_, other, _)| place(other) == Some((channel, lane)));
    for &(channel, first, lane) in waiting {
        let (mut way, mut wanted) = (vec![first], (channel, lane));
        while let Some(&(channel, packet, lane)) = next(wanted.0, wanted.1) {
            if packet == first {
                return way;
            }
            if way.contains(&packet) {
                break;
            }
            way.push(packet);
            wanted = (channel, lane);
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests;
