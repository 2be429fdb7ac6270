//! The home of the lines of a node's memory, on a machine of several nodes: it asks memory for what cores ask it for.

use std::collections::VecDeque;

use crate::base::time::Time;
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
}

/// A node's home.
#[derive(Debug)]
pub struct Home {
    node: NodeNumber,
    /// Cores of a node.
    cores: u16,
    ports: HomePorts,
    shared: SharedHandle,

    /// Those whose answer memory has yet to give, by its number.
    asked: Vec<Option<Parcel>>,
    /// What memory has no place for yet.
    for_memory: VecDeque<Message>,
    counters: HomeCounters,
}

impl Home {
    /// A home that has been asked nothing.
    pub fn new(node: NodeNumber, cores: u16, ports: HomePorts, shared: SharedHandle) -> Home {
        Home { node, cores, ports, shared, asked: Vec::new(), for_memory: VecDeque::new(), counters: HomeCounters::default() }
    }

    /// What it counted.
    pub fn counters(&self) -> &HomeCounters {
        &self.counters
    }

    /// Begins a phase: counters start anew.
    pub fn begin(&mut self) {
        self.counters = HomeCounters::default();
    }

    /// A message has come.
    pub fn receive(&mut self, channel: ChannelId, message: Message, port: &mut Port<'_, Message>) {
        port.release(channel);
        match message {
            Message::Parcel(parcel) => self.serve(parcel, port),
            Message::Line { id, began, time, .. } => {
                let Some(parcel) = self.asked.get_mut(id as usize).and_then(Option::take) else { return };
                {
                    let timelines = &mut self.shared.borrow_mut().timelines[usize::from(parcel.agent)];
                    timelines.mark(parcel.line, Owner::Queue, began);
                    timelines.mark(parcel.line, self.latency_of(&parcel), time);
                }
                let Content::Read { bytes } = parcel.content else { return };
                self.answer(&parcel, Content::ReadReply, bytes, time, port);
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

    fn serve(&mut self, parcel: Parcel, port: &mut Port<'_, Message>) {
        let Parcel { agent, line, bytes, time, .. } = parcel;
        if self.is_local(&parcel) {
            self.counters.local += 1;
        } else {
            self.counters.remote += 1;
        }
        match parcel.content {
            Content::Read { bytes } => {
                let id = self.asked.iter().position(Option::is_none).unwrap_or_else(|| {
                    self.asked.push(None);
                    self.asked.len() - 1
                });
                self.asked[id] = Some(parcel);
                self.counters.bytes_read += u64::from(bytes);
                self.for_memory.push_back(Message::Fetch { id: id as u32, agent, line, bytes, time });
            }
            Content::Write => {
                self.counters.bytes_written += u64::from(bytes);
                self.for_memory.push_back(Message::Store { line, bytes, version: 0, flush: false, time });
                self.answer(&parcel, Content::WriteReply, 0, time, port);
            }
            _ => {}
        }
        self.send_to_memory(port);
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
    }
}
