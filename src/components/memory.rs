//! Memory with a fixed latency and channels of a fixed bandwidth.
//!
//! ```text
//!   Fetch, Store --> channel = line modulo channels --> service: bytes / bandwidth --> (Fetch) Line, latency after service began
//! ```
//!
//! A request waits for its channel, holds it for its bytes over the channel's bandwidth, and is answered the latency after its service
//! began: a pipelined memory, the latency of one request overlapping the service of the next. What a memory does to its copy is its
//! side of the protocol ([`MemorySide`]), unless a shared cache stands before it.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::base::address::Line;
use crate::base::time::{PICOSECONDS_PER_SECOND, Time};
use crate::coherence::protocol::{MemoryEvent, Protocol};
use crate::components::memory_side::MemorySide;
use crate::components::message::Message;
use crate::components::shared::SharedHandle;
use crate::components::spec::MemorySpec;
use crate::components::utilisation::Ledger;
use crate::engine::{ChannelId, Port};

/// What a memory counted.
#[derive(Clone, Debug)]
pub struct MemoryCounters {
    /// Services of reads, in all channels.
    pub reads: Ledger,
    /// Services of writes, in all channels.
    pub writes: Ledger,
    /// Time that requests waited for their channel.
    pub wait: Time,
}

impl MemoryCounters {
    fn new(begin: Time, memory: Time) -> MemoryCounters {
        MemoryCounters { reads: Ledger::new(begin, memory), writes: Ledger::new(begin, memory), wait: Time::ZERO }
    }
}

/// The memory.
#[derive(Debug)]
pub struct Memory {
    spec: MemorySpec,
    from: ChannelId,
    to: ChannelId,
    shared: SharedHandle,

    side: MemorySide,
    /// When each channel is free.
    free: Vec<Time>,
    /// The version of memory's copy, where versions are kept.
    versions: FxHashMap<Line, u64>,
    counters: MemoryCounters,
}

impl Memory {
    /// A memory that is asked over one channel and answers over another; `protocol` where nothing stands between it and the agents.
    pub fn new(spec: MemorySpec, protocol: Option<Arc<Protocol>>, from: ChannelId, to: ChannelId, shared: SharedHandle) -> Memory {
        let channels = spec.channels();
        Memory {
            spec,
            from,
            to,
            shared,
            side: MemorySide::new(protocol),
            free: vec![Time::ZERO; channels as usize],
            versions: FxHashMap::default(),
            counters: MemoryCounters::new(Time::ZERO, Time::ZERO),
        }
    }

    /// What it counted.
    pub fn counters(&self) -> &MemoryCounters {
        &self.counters
    }

    /// Begins a phase: counters start anew, with figures to be had of instants up to `memory` ago.
    pub fn begin(&mut self, at: Time, memory: Time) {
        self.counters = MemoryCounters::new(at, memory);
    }

    /// A message has come.
    pub fn receive(&mut self, message: Message, port: &mut Port<'_, Message>) {
        match message {
            Message::Fetch { id, line, bytes, time, .. } => {
                let supplies = self.side.act(line, MemoryEvent::Read, &self.shared, port) != Some(false);
                let began = self.serve(line, bytes, false, time, port);
                let answer = began + self.spec.latency();
                let version = if supplies { self.versions.get(&line).copied().unwrap_or(0) } else { 0 };
                let departure = answer.saturating_sub(Time(1)).max(port.now());
                port.send(self.to, Message::Line { id, version, began, time: answer }, departure);
            }
            Message::Store { line, bytes, version, flush, time } => {
                let event = if flush { MemoryEvent::Flush } else { MemoryEvent::WriteBack };
                let takes = self.side.act(line, event, &self.shared, port) != Some(false);
                if takes && self.shared.borrow().versions.is_some() {
                    self.versions.insert(line, version);
                }
                self.serve(line, bytes, true, time, port);
            }
            _ => port.release(self.from),
        }
    }

    /// Serves a request in its channel; returns when service begins. The request's place is free from then on.
    fn serve(&mut self, line: Line, bytes: u32, write: bool, asked: Time, port: &mut Port<'_, Message>) -> Time {
        let ledger = if write { &mut self.counters.writes } else { &mut self.counters.reads };
        let MemorySpec::Simple(spec) = &self.spec else {
            ledger.enter(asked, asked, u64::from(bytes), port.now());
            port.release(self.from);
            return asked;
        };
        let channel = &mut self.free[(line % u64::from(spec.channels)) as usize];
        let start = asked.max(*channel);
        let occupancy = u128::from(bytes) * u128::from(PICOSECONDS_PER_SECOND);
        let occupancy = occupancy.div_ceil(u128::from(spec.bandwidth_bytes_per_second));
        *channel = start.saturating_add(Time(occupancy as u64));
        ledger.enter(start, *channel, u64::from(bytes), port.now());
        self.counters.wait += start - asked;
        if start <= port.now() {
            port.release(self.from);
        } else {
            port.wake_at(start, 0);
        }
        start
    }

    /// The service of a request begins, so its place is free.
    pub fn wake(&mut self, port: &mut Port<'_, Message>) {
        port.release(self.from);
    }
}

impl MemorySpec {
    /// Channels; one where bandwidth has no end.
    pub fn channels(&self) -> u32 {
        match self {
            MemorySpec::Ideal | MemorySpec::Attraction | MemorySpec::MultiPorted { .. } => 1,
            MemorySpec::Simple(spec) => spec.channels,
        }
    }

    /// From the start of service to the answer.
    pub fn latency(&self) -> Time {
        match self {
            MemorySpec::Ideal | MemorySpec::Attraction => Time::ZERO,
            MemorySpec::MultiPorted { latency } => *latency,
            MemorySpec::Simple(spec) => spec.latency,
        }
    }

    /// Requests that may be under way.
    pub fn capacity(&self) -> u32 {
        match self {
            MemorySpec::Ideal | MemorySpec::Attraction | MemorySpec::MultiPorted { .. } => u32::MAX,
            MemorySpec::Simple(spec) => spec.queue_capacity,
        }
    }
}
