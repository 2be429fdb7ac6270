//! What a node is made of, as plain data: typed quantities, no texts.
//!
//! ```text
//!   core 0      core 1      core 2      core 3        NodeSpec.cores, CoreSpec
//!   L1d, L2     L1d, L2     L1d, L2     L1d, L2       NodeSpec.caches: private, innermost first
//!      |           |           |           |
//!   ===============================================   InterconnectSpec
//!                        |
//!                       LLC                           NodeSpec.llc: shared, where there is one
//!                        |
//!                     memory                          MemorySpec
//! ```
//!
//! `machine` fills these in from what users write; [`NodeSpec::faults`] says what cannot be built, by key, so that `machine` can
//! point at the place.

mod faults;
mod machine;

use std::sync::Arc;

use crate::base::quantity::ByteSize;
use crate::base::random::{Stream, stream};
use crate::base::time::{Clock, Time};
use crate::coherence::consistency::Consistency;
use crate::coherence::protocol::Protocol;
use crate::components::lookups::Lookups;
use crate::components::predictor::PredictorSpec;
use crate::components::prefetcher::{PrefetcherKind, PrefetcherSpec};
use crate::components::trace::Kind;
use crate::components::translation::TranslationSpec;
use crate::program::code::OperationClass;

pub use faults::SpecFault;
pub use machine::MachineSpec;

/// Addresses of a node's memory end below this: 256 TiB.
pub const LARGEST_MEMORY_BYTES: u64 = 1 << 48;
/// The most cores a node can have.
pub const MOST_CORES: u32 = 1024;
/// The most cycles an operation, or a lookup in a cache, can take.
pub const MOST_CYCLES: u32 = 10_000;

/// Equal functional units of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitSpec {
    /// How many; 0 stands for any number.
    pub units: u8,
    /// Cycles from the start of one operation to the start of the next in the same unit, at least 1.
    pub interval: u32,
}

/// What branches cost a core that executes in order, beside the operation itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BranchSpec {
    pub predictor: PredictorSpec,
    /// Cycles that a mispredicted branch takes longer.
    pub misprediction_cycles: u32,
}

/// What a core has that executes out of order.
#[derive(Clone, Debug, PartialEq)]
pub struct OutOfOrderSpec {
    /// Operations dispatched, and committed, in a cycle.
    pub width: u32,
    /// Operations between dispatch and commit (entries of the reorder buffer).
    pub window: u32,
    /// Loads between dispatch and commit.
    pub load_queue: u32,
    /// Stores between dispatch and commit.
    pub store_queue: u32,
    /// Stores between commit and the cache.
    pub store_buffer: u32,
    /// Lines on their way to the private caches (miss status holding registers).
    pub mshrs: u32,
    /// By [`OperationClass`] as a number.
    pub units: [UnitSpec; OperationClass::ALL.len()],
    pub predictor: PredictorSpec,
    /// Cycles from a mispredicted branch's outcome to the dispatch of what follows it.
    pub misprediction_cycles: u32,
}

/// A core: in order, waiting for each access (blocking), but for stores where it has a buffer, or out of order.
#[derive(Clone, Debug, PartialEq)]
pub struct CoreSpec {
    pub clock: Clock,
    /// Cycles an operation of each class takes, by [`OperationClass`] as a number; for loads, stores and atomics, what is paid
    /// beside the caches' latencies. All 0: an ideal core.
    pub costs: [u32; OperationClass::ALL.len()],
    /// Of a core in order; absent: every branch is foretold.
    pub branches: Option<BranchSpec>,
    /// Absent: in order.
    pub out_of_order: Option<OutOfOrderSpec>,
    /// What it promises about the order of its accesses.
    pub consistency: Consistency,
    /// Of an in-order core under total store order: stores that can wait between it and its caches.
    pub store_buffer: Option<u32>,
}

impl CoreSpec {
    /// Misses that can be under way at a time.
    pub fn misses(&self) -> u32 {
        match &self.out_of_order {
            Some(own) => own.mshrs,
            // The thread's, and the oldest store's.
            None => 1 + u32::from(self.store_buffer.is_some()),
        }
    }
}

/// Which line of a full set makes room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Replacement {
    /// The one not accessed for longest.
    #[default]
    Lru,
    /// The one filled first.
    Fifo,
    /// About the one not accessed for longest: a binary tree over the ways, each node of which points away from the last access below
    /// it. The ways are a power of two.
    TreePlru,
    /// Any, each as likely as the others.
    Random,
    /// The one whose next access seems farthest off: static re-reference interval prediction with 2 bits and hit priority.
    Srrip,
}

/// What a cache does with a write that hits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WritePolicy {
    /// It keeps the line, dirty, and writes it when it leaves.
    #[default]
    Back,
    /// It passes each write on.
    Through,
}

/// What a cache holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Holds {
    Data,
    Instructions,
    #[default]
    Both,
}

impl Holds {
    /// Whether it holds everything that `other` does.
    pub fn includes(self, other: Holds) -> bool {
        self == Holds::Both || self == other
    }
}

/// What a cache holds of the lines that the levels inside it hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Inclusion {
    /// All of them: a line that leaves it leaves them.
    #[default]
    Inclusive,
    /// None of them: it takes what they drop, and gives up what they ask for.
    Exclusive,
    /// Some: neither cares for what the other drops.
    Neither,
}

/// One level of a core's private caches.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheSpec {
    /// As the machine's text names it: `L1d`. Metrics use it in lower case.
    pub name: String,
    /// `line_bytes * ways * sets`, sets a power of two.
    pub size_bytes: u64,
    /// A power of two from 8 to 4096; the same in every level of coherent caches.
    pub line_bytes: u32,
    /// From 1 to 64.
    pub ways: u32,
    /// Cycles of the core's clock from asking to the answer, hit or miss.
    pub latency_cycles: u32,
    pub replacement: Replacement,
    pub write: WritePolicy,
    /// Whether a write that misses brings the line.
    pub write_allocate: bool,
    pub holds: Holds,
    /// What it does for the levels inside it, where there are any.
    pub inclusion: Inclusion,
}

/// The most private caches of a core: a first and a second level for instructions and for data, a third and a fourth.
pub const MOST_LEVELS: usize = 6;

/// The caches that an access to data or to instructions passes, innermost first, as places in the list.
pub fn way(caches: &[CacheSpec], what: Holds) -> Vec<usize> {
    (0..caches.len()).filter(|&level| caches[level].holds.includes(what)).collect()
}

/// Which of several requests a shared wire takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Arbitration {
    /// The first agent after the one served last.
    #[default]
    RoundRobin,
    /// The agent with the lowest number.
    FixedPriority,
    /// The request that arrived at the arbiter first; ties by agent.
    FirstCome,
    /// The request that left its core first; ties by agent.
    Oldest,
}

/// What moves data on a snooping interconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportSpec {
    /// One data bus.
    Bus,
    /// A crossbar between the agents' ports and memory's.
    Crossbar { memory_ports: u32 },
    /// A ring of stations, each an agent's or one of memory's.
    Ring {
        memory_ports: u32,
        /// Cycles from one station to the next, from 1.
        hop_cycles: u32,
        /// 1: data go one way; 2: both, on rings of their own.
        directions: u32,
    },
}

impl TransportSpec {
    /// Ports of memory, to which lines are dealt in turn.
    pub fn memory_ports(self) -> u32 {
        match self {
            TransportSpec::Bus => 1,
            TransportSpec::Crossbar { memory_ports } | TransportSpec::Ring { memory_ports, .. } => memory_ports,
        }
    }

    /// As sentences call it.
    pub fn noun(self) -> &'static str {
        match self {
            TransportSpec::Bus => "bus",
            TransportSpec::Crossbar { .. } => "crossbar",
            TransportSpec::Ring { .. } => "ring",
        }
    }
}

/// A snooping interconnect with split transactions: an address side on which every agent sees every transaction in one order, and a
/// transport for data with an arbitration of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct SnoopingSpec {
    pub clock: Clock,
    pub transport: TransportSpec,
    /// Bytes that a link of the transport moves a cycle.
    pub width_bytes: u32,
    pub arbitration: Arbitration,
    /// Cycles until the next transaction can be granted, at least 1.
    pub address_cycles: u32,
    /// Cycles from the end of the address phase (on a ring: from the end of the round) to the agents' joint answer.
    pub snoop_cycles: u32,
    /// Transactions that may be under way at once, from 1.
    pub outstanding: u32,
}

/// What joins a node's cores and its memory.
#[derive(Clone, Debug, PartialEq)]
pub enum InterconnectSpec {
    /// Any number of transactions at once, in no time.
    Ideal,
    Snooping(SnoopingSpec),
}

/// A memory with a fixed latency and channels of a fixed bandwidth.
#[derive(Clone, Debug, PartialEq)]
pub struct SimpleMemorySpec {
    /// From the start of service to the answer.
    pub latency: Time,
    /// Of each channel; a request holds its channel for its bytes over this, rounded up to a picosecond.
    pub bandwidth_bytes_per_second: u64,
    /// Lines are dealt to channels by number modulo this.
    pub channels: u32,
    /// Requests that may be under way (being served or waiting), from 1.
    pub queue_capacity: u32,
}

/// A last-level cache that all cores share, before memory.
#[derive(Clone, Debug, PartialEq)]
pub struct LlcSpec {
    /// Write-back and write-allocate. Its latency counts cycles of `clock`.
    pub cache: CacheSpec,
    pub clock: Clock,
    /// Lines are dealt to banks by number modulo this, from 1 to 64.
    pub banks: u32,
    /// Cycles a bank is taken up by a request or by a line from memory, at least 1.
    pub interval_cycles: u32,
    /// Lines that may be on their way from memory (miss status holding registers), and messages that may wait for memory: from 1.
    pub mshrs: u32,
    /// Requests that may wait, from 1.
    pub queue_capacity: u32,
}

/// A node's memory.
#[derive(Clone, Debug, PartialEq)]
pub enum MemorySpec {
    /// Answers any number of requests in no time.
    Ideal,
    /// Answers any number of requests, each the latency after it came.
    MultiPorted {
        latency: Time,
    },
    Simple(SimpleMemorySpec),
    /// The outermost private cache is the node's memory: an attraction memory (COMA). Nothing lies behind it.
    Attraction,
}

/// A node: cores of one kind, their private caches, an interconnect, memory.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSpec {
    /// As the machine's text names it.
    pub name: String,
    /// From 1 to [`MOST_CORES`].
    pub cores: u32,
    pub core: CoreSpec,
    /// The private caches, innermost first. Coherent ones have lines of one length, and the outermost that is not exclusive writes back
    /// and allocates on writes.
    pub caches: Vec<CacheSpec>,
    /// How each core translates addresses of data; absent: that takes no time.
    pub translation: Option<TranslationSpec>,
    /// What each core's first cache for data prefetches, where it does.
    pub prefetcher: Option<PrefetcherSpec>,
    pub interconnect: InterconnectSpec,
    /// The cache that all cores share, where there is one.
    pub llc: Option<LlcSpec>,
    pub memory: MemorySpec,
    /// At most [`LARGEST_MEMORY_BYTES`].
    pub memory_bytes: u64,
    /// How the private caches are kept coherent; `None` where there are none, or a single core.
    pub protocol: Option<Arc<Protocol>>,
    /// Whether all memory that its cores address is its own: it is not one of several nodes with one address space.
    pub alone: bool,
    /// Whether synchronising operations cost nothing but their cycles: they reach memory at once, whatever lies between.
    pub free_synchronisation: bool,
    /// Whether every copy of a line carries the line's version, so that a stale read or a second writer stops the run.
    pub checks: bool,
    /// Of everything random in the node.
    pub seed: u64,
}

/// An open-loop source of requests: Poisson arrivals in continuous time, each a transfer without snooping.
#[derive(Clone, Debug, PartialEq)]
pub struct TrafficSpec {
    /// Mean arrivals a second, above 0.
    pub requests_per_second: f64,
    /// Bytes a request moves over the data bus, from 1.
    pub bytes: u32,
    /// How many requests it makes.
    pub requests: u64,
    /// Reads go to memory and come back; writes only go there.
    pub write: bool,
    /// The source's own queue may grow to this; beyond it the run ends as saturated.
    pub saturation_length: u64,
}

impl CacheSpec {
    /// How many sets it has; meaningful where [`NodeSpec::faults`] finds nothing.
    pub fn sets(&self) -> u64 {
        self.size_bytes / (u64::from(self.line_bytes) * u64::from(self.ways))
    }
}

impl NodeSpec {
    /// What the replacement of a core's cache draws from.
    pub fn cache_stream(&self, core: u16, cache: &str) -> Stream {
        stream(self.seed, &format!("node[0].core[{core}].{}", cache.to_lowercase()))
    }

    /// Bytes of a line: the caches', or a word where there are none.
    pub fn line_bytes(&self) -> u32 {
        self.caches.first().map_or(8, |cache| cache.line_bytes)
    }

    /// Bytes of a line of the first cache that holds something; of a word where none does.
    pub fn first_line_bytes_of(&self, what: Holds) -> u32 {
        way(&self.caches, what).first().map_or(8, |&level| self.caches[level].line_bytes)
    }

    /// Bytes of a line of the outermost cache, or a word where there are none.
    pub fn outermost_line_bytes(&self) -> u32 {
        self.caches.last().map_or(8, |cache| cache.line_bytes)
    }

    /// Cycles of a lookup in the first cache that holds data.
    pub fn first_data_latency(&self) -> u64 {
        self.caches.iter().find(|cache| cache.holds.includes(Holds::Data)).map_or(0, |cache| u64::from(cache.latency_cycles))
    }

    /// The time of lookups in all private caches of coherent cores, rounded down to a picosecond: so long nothing that such a core does
    /// reaches anyone.
    pub fn lookups(&self) -> Time {
        self.lookups_before_requests(self.fetches())
    }

    /// The same of cores of which is said whether they fetch their instructions.
    pub fn lookups_before_requests(&self, fetches: bool) -> Time {
        if self.is_plain() {
            return Time::ZERO;
        }
        let lookups = Lookups::new(&self.caches);
        let data = lookups.all(Kind::Read);
        // The first lookup of instructions is hidden in the cycles before.
        let cycles = if fetches { data.min(lookups.behind(Kind::Fetch, 1)) } else { data };
        self.core.clock.edge(cycles)
    }

    /// Whether the cores fetch their instructions: where the first level for instructions, or the first of all, holds them. Elsewhere
    /// their supply is taken for perfect.
    pub fn fetches(&self) -> bool {
        self.caches.iter().any(|cache| cache.holds == Holds::Instructions)
            || self.caches.first().is_some_and(|cache| cache.holds == Holds::Both)
    }

    /// Misses of a core that can be under way at a time, those of lines asked for beforehand included.
    pub fn misses(&self) -> u32 {
        let beforehand = match (&self.prefetcher, &self.core.out_of_order) {
            (None, _) => 0,
            (Some(own), None) => own.mshrs,
            // In the window's registers; a synchronising operation, which needs none, comes on top.
            (Some(_), Some(_)) => 1,
        };
        self.core.misses() + beforehand
    }

    /// The protocol, where there is anything to keep coherent.
    pub fn coherence(&self) -> Option<Arc<Protocol>> {
        self.protocol.clone().filter(|_| !self.caches.is_empty())
    }

    /// Whether accesses to memory are free: no caches, and nothing behind them takes time.
    pub fn is_free(&self) -> bool {
        let costs_nothing = self.interconnect == InterconnectSpec::Ideal && self.memory == MemorySpec::Ideal;
        self.alone && self.caches.is_empty() && self.llc.is_none() && costs_nothing
    }

    /// Whether nothing keeps its caches coherent: there are none, or they are a single core's, of any make.
    pub fn is_plain(&self) -> bool {
        self.protocol.is_none() || self.caches.is_empty()
    }
}
