//! The home of the lines of a node's memory, on a machine of several nodes: it asks memory for what cores ask it for, and where there are
//! private caches, its directory knows who has a copy of which line (`coherence::directory`).
//!
//! ```text
//!   requests --> directory --Inv, Fwd--> other cores
//!     ^ wait        | Fetch, Store
//!     '--Unblock    v
//!                memory --Line--> answers
//! ```
//!
//! Where the memories of nodes are attraction memories, the home has none to ask: it sends lines that no one has touched, zeros, and finds
//! lines another place that have to leave theirs.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::base::address::Line;
use crate::base::time::Time;
use crate::coherence::directory::{Entry, Handled, Packet, PacketKind, Size};
use crate::coherence::protocol::{MemoryAction, MemoryEvent, Protocol};
use crate::components::life::Happening;
use crate::components::message::Message;
use crate::components::owner::Owner;
use crate::components::parcel::{Content, End, NodeNumber, Parcel};
use crate::components::shared::SharedHandle;
use crate::engine::{ChannelId, Port, Wait};

/// The channels of a home.
#[derive(Clone, Copy, Debug)]
pub struct HomePorts {
    pub carrier: ChannelId,
    /// To memory, or the shared cache before it.
    pub memory: ChannelId,
}

/// What a home counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HomeCounters {
    /// Requests of cores of its own node.
    pub local: u64,
    /// Requests of cores of other nodes.
    pub remote: u64,
    /// Bytes that memory was asked to send.
    pub bytes_read: u64,
    /// Bytes that memory was given.
    pub bytes_written: u64,
    /// Requests of lines that were left waiting until another was over.
    pub waited: u64,
    /// Requests that were passed on to the agent that owned the line.
    pub forwarded: u64,
    /// Lines that were given back when another agent had them already.
    pub stale: u64,
    /// Copies that agents were told to drop.
    pub invalidations: u64,
    /// Lines that no one had touched before, sent without memory (attraction memories).
    pub fresh: u64,
    /// Lines that were given back to have another place (attraction memories).
    pub placed: u64,
    /// Lines that were sent to an agent to stay there.
    pub injections: u64,
    /// Offers of lines, with them or without, that agents refused.
    pub refused: u64,
}

/// Who knows of the copies of a home's lines.
#[derive(Debug)]
pub struct Directory {
    protocol: Arc<Protocol>,
    size: Size,
    line_bytes: u32,
    latency: Time,
    /// Of lines that anyone has, or had.
    entries: FxHashMap<Line, Entry>,
    /// What waits until the request of its line that is under way is over, the earliest first.
    waiting: FxHashMap<Line, VecDeque<Parcel>>,
}

impl Directory {
    /// A directory that knows of no copy.
    pub fn new(protocol: Arc<Protocol>, size: Size, line_bytes: u32, latency: Time) -> Directory {
        Directory { protocol, size, line_bytes, latency, entries: FxHashMap::default(), waiting: FxHashMap::default() }
    }

    /// Bytes of the host's memory it takes.
    pub fn footprint(&self) -> usize {
        self.entries.capacity() * std::mem::size_of::<(Line, Entry)>()
    }
}

/// Whose answer memory has yet to give.
#[derive(Clone, Debug)]
enum Asked {
    /// A core that has no caches.
    Word(Parcel),
    /// Those that the packets go to.
    Line(Parcel, Packet),
}

impl Asked {
    fn parcel(&self) -> &Parcel {
        match self {
            Asked::Word(parcel) | Asked::Line(parcel, _) => parcel,
        }
    }
}

/// A node's home.
#[derive(Debug)]
pub struct Home {
    node: NodeNumber,
    /// Cores of a node.
    cores: u16,
    ports: HomePorts,
    shared: SharedHandle,

    /// Where there are private caches.
    directory: Option<Directory>,
    /// By the number that memory answers with.
    asked: Vec<Option<Asked>>,
    /// What memory has no place for yet.
    for_memory: VecDeque<Message>,
    counters: HomeCounters,
}

impl Home {
    /// A home that has been asked nothing.
    pub fn new(node: NodeNumber, cores: u16, directory: Option<Directory>, ports: HomePorts, shared: SharedHandle) -> Home {
        let (asked, for_memory, counters) = (Vec::new(), VecDeque::new(), HomeCounters::default());
        Home { node, cores, ports, shared, directory, asked, for_memory, counters }
    }

    /// What it counted.
    pub fn counters(&self) -> &HomeCounters {
        &self.counters
    }

    /// What knows of copies, where anything does.
    pub fn directory(&self) -> Option<&Directory> {
        self.directory.as_ref()
    }

    /// Begins a phase: counters start anew.
    pub fn begin(&mut self) {
        self.counters = HomeCounters::default();
    }

    /// A message has come.
    pub fn receive(&mut self, channel: ChannelId, message: Message, port: &mut Port<'_, Message>) {
        port.release(channel);
        match message {
            Message::Parcel(parcel) => match parcel.packet() {
                Some(packet) => self.hear(parcel, packet, port),
                None => self.serve(parcel, port),
            },
            Message::Line { id, version, began, time } => {
                let Some(asked) = self.asked.get_mut(id as usize).and_then(Option::take) else { return };
                let parcel = asked.parcel();
                {
                    let timelines = &mut self.shared.borrow_mut().timelines[usize::from(parcel.agent)];
                    timelines.mark(parcel.line, Owner::Queue, began);
                    timelines.mark(parcel.line, self.latency_of(parcel), time);
                }
                match asked {
                    Asked::Line(parcel, packet) => self.send(&parcel, Packet { version, ..packet }, time, port),
                    Asked::Word(parcel) => {
                        let Content::Read { bytes } = parcel.content else { return };
                        self.answer(&parcel, Content::ReadReply, bytes, time, port);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whose node memory is, seen from the core that asks.
    fn latency_of(&self, parcel: &Parcel) -> Owner {
        if self.is_local(parcel) { Owner::MemoryLocal } else { Owner::MemoryRemote }
    }

    fn is_local(&self, parcel: &Parcel) -> bool {
        parcel.agent / self.cores == self.node
    }

    fn count(&mut self, parcel: &Parcel) {
        if self.is_local(parcel) {
            self.counters.local += 1;
        } else {
            self.counters.remote += 1;
        }
    }

    /// A packet about a line has come, and with it perhaps the turn of others.
    fn hear(&mut self, parcel: Parcel, packet: Packet, port: &mut Port<'_, Message>) {
        if matches!(packet.kind, PacketKind::GetS | PacketKind::GetM | PacketKind::Upgrade) {
            self.count(&parcel);
        }
        let line = parcel.line;
        let Some(handled) = self.handle(&parcel, &packet, port) else { return };
        let Some(directory) = &mut self.directory else { return };
        if handled.stalls {
            directory.waiting.entry(line).or_default().push_back(parcel);
            self.counters.waited += 1;
            return;
        }
        self.serve_waiting(line, parcel.time, port);
    }

    /// Those that wait for a line have their turn, one after the other, until one is under way.
    fn serve_waiting(&mut self, line: Line, since: Time, port: &mut Port<'_, Message>) {
        loop {
            let Some(directory) = &mut self.directory else { return };
            let Some(waiting) = directory.waiting.get_mut(&line) else { return };
            let Some(&first) = waiting.front() else {
                directory.waiting.remove(&line);
                return;
            };
            let parcel = Parcel { time: first.time.max(since), ..first };
            if parcel.is_awaited() {
                let timelines = &mut self.shared.borrow_mut().timelines[usize::from(parcel.agent)];
                timelines.mark(line, Owner::Coherence, parcel.time);
            }
            let Some(packet) = parcel.packet() else { return };
            match self.handle(&parcel, &packet, port) {
                Some(handled) if !handled.stalls => {}
                _ => return,
            }
            if let Some(waiting) = self.directory.as_mut().and_then(|directory| directory.waiting.get_mut(&line)) {
                waiting.pop_front();
            }
        }
    }

    /// Takes the row of the table; `None` where there is none, and the run is over.
    fn handle(&mut self, parcel: &Parcel, packet: &Packet, port: &mut Port<'_, Message>) -> Option<Handled> {
        let directory = self.directory.as_mut()?;
        let table = &directory.protocol.memory;
        let entry = directory.entries.entry(packet.line).or_default();
        let mut sent = Vec::new();
        let handled = match entry.receive(table, directory.size, packet, &mut sent) {
            Ok(handled) => handled,
            Err(impossible) => {
                self.shared.borrow_mut().broken_memory(parcel.time, packet.line, &impossible);
                port.stop();
                return None;
            }
        };
        if entry.is_idle() {
            directory.entries.remove(&packet.line);
        }
        let row = table.row_number(handled.state, handled.event);
        let (line_bytes, time) = (directory.line_bytes, parcel.time + directory.latency);
        {
            let mut shared = self.shared.borrow_mut();
            shared.memory_rows[row] += 1;
            if !handled.stalls {
                let what = Happening::Memory { event: handled.event, agent: Some(packet.requestor) };
                shared.happens(packet.line, parcel.time, what);
            }
            if parcel.is_awaited() && !handled.stalls {
                shared.timelines[usize::from(parcel.agent)].mark(packet.line, Owner::Coherence, time);
            }
        }
        if handled.updates {
            self.counters.bytes_written += u64::from(line_bytes);
            let flush = handled.event == MemoryEvent::Data;
            let store = Message::Store { line: packet.line, bytes: line_bytes, version: packet.version, flush, time };
            self.for_memory.push_back(store);
        }
        if !handled.stalls {
            let places = handled.row.actions.has(MemoryAction::Place);
            self.counters.stale += u64::from(packet.kind == PacketKind::Put && !handled.updates && !places);
            self.counters.placed += u64::from(packet.kind == PacketKind::Put && places);
            self.counters.refused += u64::from(packet.kind == PacketKind::Refuse);
            self.counters.fresh += u64::from(handled.row.actions.has(MemoryAction::SendNew));
        }
        for packet in sent {
            self.counters.injections += u64::from(packet.kind == PacketKind::Inject);
            self.counters.forwarded += u64::from(matches!(packet.kind, PacketKind::FwdGetS | PacketKind::FwdGetM));
            self.counters.invalidations += u64::from(packet.kind == PacketKind::Inv);
            if handled.reads && packet.kind.has_line() {
                self.ask_memory(Asked::Line(*parcel, packet), line_bytes, time);
            } else {
                self.send(parcel, packet, time, port);
            }
        }
        self.send_to_memory(port);
        Some(handled)
    }

    /// Sends an agent a packet that belongs to a request.
    fn send(&self, parcel: &Parcel, packet: Packet, time: Time, port: &mut Port<'_, Message>) {
        let Some(agent) = packet.to else { return };
        let Packet { kind, line, requestor, acks, version, .. } = packet;
        let bytes = match &self.directory {
            Some(directory) if kind.has_line() => directory.line_bytes,
            _ => 0,
        };
        let content = Content::Packet { kind, from: None, acks, version };
        let (to, end) = (agent / self.cores, End::Core(agent));
        let sent = Parcel { from: self.node, to, end, content, agent: requestor, line, bytes, asked: parcel.asked, time };
        port.send(self.ports.carrier, Message::Parcel(sent), time.saturating_sub(Time(1)).max(port.now()));
    }

    /// A core that has no caches asks for bytes, or gives some.
    fn serve(&mut self, parcel: Parcel, port: &mut Port<'_, Message>) {
        let Parcel { line, bytes, time, .. } = parcel;
        self.count(&parcel);
        match parcel.content {
            Content::Read { bytes } => self.ask_memory(Asked::Word(parcel), bytes, time),
            Content::Write => {
                self.counters.bytes_written += u64::from(bytes);
                self.for_memory.push_back(Message::Store { line, bytes, version: 0, flush: false, time });
                self.answer(&parcel, Content::WriteReply, 0, time, port);
            }
            _ => {}
        }
        self.send_to_memory(port);
    }

    /// Memory is to be asked for bytes.
    fn ask_memory(&mut self, asked: Asked, bytes: u32, time: Time) {
        let &Parcel { agent, line, .. } = asked.parcel();
        let id = self.asked.iter().position(Option::is_none).unwrap_or_else(|| {
            self.asked.push(None);
            self.asked.len() - 1
        });
        self.asked[id] = Some(asked);
        self.counters.bytes_read += u64::from(bytes);
        self.for_memory.push_back(Message::Fetch { id: id as u32, agent, line, bytes, time });
    }

    fn answer(&self, parcel: &Parcel, content: Content, bytes: u32, time: Time, port: &mut Port<'_, Message>) {
        let end = End::Core(parcel.agent);
        let answer = Parcel { from: self.node, to: parcel.agent / self.cores, end, content, bytes, time, ..*parcel };
        port.send(self.ports.carrier, Message::Parcel(answer), time.saturating_sub(Time(1)).max(port.now()));
    }

    /// Memory has a place again.
    pub fn wake(&mut self, port: &mut Port<'_, Message>) {
        for message in &mut self.for_memory {
            message.postpone(port.now());
        }
        self.send_to_memory(port);
    }

    fn send_to_memory(&mut self, port: &mut Port<'_, Message>) {
        while let Some(&message) = self.for_memory.front() {
            if port.try_send(self.ports.memory, message, message.departure().max(port.now())).is_err() {
                return;
            }
            self.for_memory.pop_front();
        }
    }

    /// Says what the home waits for.
    pub fn waits(&self, report: &mut Vec<Wait>) {
        let waiting = self.asked.iter().flatten().count();
        if waiting > 0 {
            let what = format!("the home on node[{}] waits for {waiting} answers of its memory", self.node);
            report.push(Wait { who: None, whom: None, what });
        }
        let Some(directory) = &self.directory else { return };
        let mut lines: Vec<(Line, usize)> = directory.waiting.iter().map(|(&line, waiting)| (line, waiting.len())).collect();
        lines.sort_unstable();
        for (line, waiting) in lines {
            let state = directory.entries.get(&line).map_or("", |entry| &directory.protocol.memory.state(entry.state).name);
            let what = format!(
                "{waiting} requests wait at the home on node[{}] for the one of line {line:#x} that is under way (state {state})",
                self.node
            );
            report.push(Wait { who: None, whom: None, what });
        }
    }
}
