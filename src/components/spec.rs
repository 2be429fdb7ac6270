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

/// Addresses of a node's memory end below this: 256 TiB.
pub const LARGEST_MEMORY_BYTES: u64 = 1 << 48;
/// The most cores a node can have.
pub const MOST_CORES: u32 = 1024;
/// The fastest clock an interconnect can have.
const FASTEST_BUS_HERTZ: f64 = 50e9;
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
    Simple(SimpleMemorySpec),
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

/// What cannot be built, and which key says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecFault {
    /// Path below the node: `cache.L1d.size`, `interconnect.width`.
    pub key: String,
    /// The sentence.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl SpecFault {
    fn new(key: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> SpecFault {
        SpecFault { key: key.into(), message: message.into(), help: Some(help.into()) }
    }
}

impl CacheSpec {
    /// How many sets it has; meaningful where [`NodeSpec::faults`] finds nothing.
    pub fn sets(&self) -> u64 {
        self.size_bytes / (u64::from(self.line_bytes) * u64::from(self.ways))
    }

    fn faults(&self, faults: &mut Vec<SpecFault>) {
        let key = |part: &str| format!("cache.{}.{part}", self.name);
        if !self.line_bytes.is_power_of_two() || !(8..=4096).contains(&self.line_bytes) {
            faults.push(SpecFault::new(
                key("line"),
                format!("a line of {} bytes cannot be built", self.line_bytes),
                "a line is a power of two from 8 to 4096 bytes; most machines have 64",
            ));
            return;
        }
        if !(1..=64).contains(&self.ways) {
            faults.push(SpecFault::new(
                key("ways"),
                format!("{} ways cannot be built", self.ways),
                "a set has from 1 (direct-mapped) to 64 ways",
            ));
            return;
        }
        if self.replacement == Replacement::TreePlru && !self.ways.is_power_of_two() {
            let message = format!("{} ways make no binary tree", self.ways);
            faults.push(SpecFault::new(key("ways"), message, "tree-PLRU needs a power of two of ways; LRU takes any number"));
        }
        if self.latency_cycles > MOST_CYCLES {
            faults.push(SpecFault::new(
                key("latency"),
                format!("a lookup cannot take {} cycles", self.latency_cycles),
                format!("a lookup takes at most {MOST_CYCLES} cycles of the core; first levels usually take 3 to 5"),
            ));
        }
        let way_bytes = u64::from(self.line_bytes) * u64::from(self.ways);
        let sets = self.size_bytes / way_bytes;
        if !self.size_bytes.is_multiple_of(way_bytes) || !sets.is_power_of_two() {
            let below = if sets == 0 { 1 } else { 1 << sets.ilog2() };
            faults.push(SpecFault::new(
                key("size"),
                format!(
                    "{} in {} ways of {}-byte lines do not make a power of two of sets",
                    ByteSize(self.size_bytes),
                    self.ways,
                    self.line_bytes
                ),
                format!("{} or {} would", ByteSize(below * way_bytes), ByteSize((below * way_bytes).saturating_mul(2))),
            ));
        }
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
        if self.is_plain() {
            return Time::ZERO;
        }
        let lookups = Lookups::new(&self.caches);
        let data = lookups.all(Kind::Read);
        // The first lookup of instructions is hidden in the cycles before.
        let cycles = if self.fetches() { data.min(lookups.behind(Kind::Fetch, 1)) } else { data };
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
        self.caches.is_empty() && self.llc.is_none() && costs_nothing
    }

    /// Everything that keeps the node from being built; none where it can be.
    pub fn faults(&self) -> Vec<SpecFault> {
        let mut faults = Vec::new();
        if !(1..=MOST_CORES).contains(&self.cores) {
            faults.push(SpecFault::new(
                "cores",
                format!("a node cannot have {} cores", self.cores),
                format!("a node has from 1 to {MOST_CORES} cores"),
            ));
        }
        if !(1..=LARGEST_MEMORY_BYTES).contains(&self.memory_bytes) {
            faults.push(SpecFault::new("memory.size", "memory has from 1 byte to 256 TiB", "16 GiB is a usual size"));
        }
        if let Some(class) = OperationClass::ALL.iter().find(|&&class| self.core.costs[class as usize] > MOST_CYCLES) {
            faults.push(SpecFault::new(
                "core.cycles",
                format!("an operation of class {class:?} cannot take {} cycles", self.core.costs[*class as usize]),
                format!("an operation takes at most {MOST_CYCLES} cycles"),
            ));
        }
        self.cache_faults(&mut faults);
        self.translation_faults(&mut faults);
        self.prefetcher_faults(&mut faults);
        self.out_of_order_faults(&mut faults);
        self.predictor_faults(&mut faults);
        if self.core.store_buffer.is_some() && self.core.consistency == Consistency::Sc {
            faults.push(SpecFault::new(
                "core.store_buffer",
                "an in-order core that is sequentially consistent has no store buffer: it waits for each store",
                "with `consistency = \"tso\"` it has one",
            ));
        }
        if self.core.consistency == Consistency::Tso && self.is_plain() {
            faults.push(SpecFault::new(
                "core.consistency",
                "a store buffer stands before private caches with a coherence protocol, and there are none",
                "add a `[node.cache.L1d]` and a protocol (\"mesi\" is a usual one), or leave the core \"sc\"",
            ));
        }
        if self.core.consistency == Consistency::Tso && self.translation.is_some() {
            faults.push(SpecFault::new(
                "core.consistency",
                "stores that wait in a buffer do not translate their addresses yet",
                "leave out `[node.tlb]`, or leave the core \"sc\"",
            ));
        }
        if let InterconnectSpec::Snooping(snooping) = &self.interconnect {
            snooping.faults(&mut faults);
        }
        if let Some(llc) = &self.llc {
            llc.faults(self, &mut faults);
        }
        if let MemorySpec::Simple(memory) = &self.memory {
            memory.faults(&mut faults);
        }
        faults
    }

    fn prefetcher_faults(&self, faults: &mut Vec<SpecFault>) {
        let Some(prefetcher) = &self.prefetcher else { return };
        let name = self.caches.iter().find(|cache| cache.holds.includes(Holds::Data)).map_or("L1d", |cache| &cache.name);
        if self.is_plain() {
            faults.push(SpecFault::new(
                format!("cache.{name}.prefetcher"),
                "prefetchers without a coherence protocol are not built yet",
                "MESI is a usual one, also for one core",
            ));
        }
        if self.core.consistency == Consistency::Tso {
            faults.push(SpecFault::new(
                "core.consistency",
                "a prefetcher beside a store buffer is not built yet",
                format!("leave out `[node.cache.{name}.prefetcher]`, or leave the core \"sc\""),
            ));
        }
        if let PrefetcherKind::Stride { entries } = prefetcher.kind
            && !entries.is_power_of_two()
        {
            faults.push(SpecFault::new(
                format!("cache.{name}.prefetcher.entries"),
                format!("a table of {entries} entries cannot be built"),
                format!("{} or {} would do", entries.next_power_of_two() / 2, entries.next_power_of_two()),
            ));
        }
    }

    fn translation_faults(&self, faults: &mut Vec<SpecFault>) {
        let Some(translation) = &self.translation else { return };
        translation.faults(faults);
        if !self.caches.iter().any(|cache| cache.holds.includes(Holds::Data)) {
            faults.push(SpecFault::new(
                "tlb",
                "walks of the page table go through data caches, and there are none",
                "add a `[node.cache.L1d]`, or leave out `[node.tlb]`",
            ));
        }
    }

    fn out_of_order_faults(&self, faults: &mut Vec<SpecFault>) {
        if self.core.out_of_order.is_some() && self.is_plain() {
            faults.push(SpecFault::new(
                "core.kind",
                "an out-of-order core needs private caches with a coherence protocol",
                "add a `[node.cache.L1d]` and a protocol (\"mesi\" is a usual one), or make the core \"in-order\"",
            ));
        }
    }

    fn predictor_faults(&self, faults: &mut Vec<SpecFault>) {
        let out_of_order = self.core.out_of_order.as_ref().map(|own| own.predictor);
        let predictor = out_of_order.or(self.core.branches.map(|branches| branches.predictor));
        if let Some(PredictorSpec::Bimodal { entries } | PredictorSpec::Gshare { entries, .. } | PredictorSpec::Tage { entries }) =
            predictor
            && !entries.is_power_of_two()
        {
            faults.push(SpecFault::new(
                "core.predictor.entries",
                format!("a table of {entries} entries cannot be built"),
                format!("{} or {} would do", entries.next_power_of_two() / 2, entries.next_power_of_two()),
            ));
        }
    }

    /// Whether nothing keeps its caches coherent: there are none, or they are a single core's, of any make.
    pub fn is_plain(&self) -> bool {
        self.protocol.is_none() || self.caches.is_empty()
    }

    fn cache_faults(&self, faults: &mut Vec<SpecFault>) {
        for cache in &self.caches {
            cache.faults(faults);
        }
        if self.is_plain() {
            self.plain_faults(faults);
        } else {
            self.coherent_faults(faults);
        }
    }

    /// What coherent caches cannot be: one agent with one state per line.
    fn coherent_faults(&self, faults: &mut Vec<SpecFault>) {
        let data = way(&self.caches, Holds::Data);
        let Some(&first) = data.first() else {
            let key = format!("cache.{}.holds", self.caches[0].name);
            faults.push(SpecFault::new(key, "no cache holds data", "add a `[node.cache.L1d]`"));
            return;
        };
        for cache in self.caches.iter().filter(|cache| cache.line_bytes != self.caches[first].line_bytes) {
            let inner = &self.caches[first];
            faults.push(SpecFault::new(
                format!("cache.{}.line", cache.name),
                format!("{} has lines of {} bytes and {} of {}", inner.name, inner.line_bytes, cache.name, cache.line_bytes),
                "a core's private levels share one coherence state per line, so their lines are equally long",
            ));
        }
        self.level_faults(faults);
        for (place, &level) in data.iter().enumerate() {
            let next = data.get(place + 1).map(|&outer| &self.caches[outer]);
            self.caches[level].coherent_write_faults(next, faults);
        }
    }

    /// What caches without coherence cannot be.
    fn plain_faults(&self, faults: &mut Vec<SpecFault>) {
        if !self.caches.is_empty() && self.cores > 1 {
            faults.push(SpecFault::new("protocol", "the caches of several cores need a coherence protocol", "MESI is a usual one"));
        }
        self.level_faults(faults);
    }

    /// What levels cannot be to each other.
    fn level_faults(&self, faults: &mut Vec<SpecFault>) {
        for (number, outer) in self.caches.iter().enumerate() {
            let inside =
                self.caches[..number].iter().filter(|inner| inner.holds == Holds::Both || outer.holds.includes(inner.holds));
            for inner in inside {
                if !outer.holds.includes(inner.holds) {
                    faults.push(SpecFault::new(
                        format!("cache.{}.holds", outer.name),
                        format!("{} holds both, and {} outside it only a part", inner.name, outer.name),
                        "a level outside one that holds both holds both",
                    ));
                    continue;
                }
                match outer.inclusion {
                    Inclusion::Inclusive => outer.faults_around(inner, faults),
                    Inclusion::Exclusive => outer.exclusive_faults(inner, faults),
                    Inclusion::Neither => {}
                }
            }
        }
    }
}

impl CacheSpec {
    /// What keeps it from holding every line of a level inside it.
    fn faults_around(&self, inner: &CacheSpec, faults: &mut Vec<SpecFault>) {
        if self.size_bytes < inner.size_bytes {
            faults.push(SpecFault::new(
                format!("cache.{}.size", self.name),
                format!("{} is smaller than {}", self.name, inner.name),
                format!("{} holds every line of {} and must be at least as large", self.name, inner.name),
            ));
        }
        if self.line_bytes < inner.line_bytes {
            faults.push(SpecFault::new(
                format!("cache.{}.line", self.name),
                format!("a line of {} is shorter than one of {}", self.name, inner.name),
                "a level that includes another has lines as long or longer",
            ));
        }
    }

    /// What coherent caches cannot do with writes; `next` is the level that its data pass next. What a level does not keep the next one
    /// has to: a line that one core writes has one place where it is newer than memory's.
    fn coherent_write_faults(&self, next: Option<&CacheSpec>, faults: &mut Vec<SpecFault>) {
        if self.write == WritePolicy::Through && next.is_none_or(|next| next.inclusion != Inclusion::Inclusive) {
            faults.push(SpecFault::new(
                format!("cache.{}.write", self.name),
                format!("{} writes through, and no inclusive level outside it takes what it writes", self.name),
                "with a coherence protocol the outermost level writes back; add an inclusive one, or let this one write back",
            ));
        }
        if !self.write_allocate && next.is_none_or(|next| next.inclusion == Inclusion::Exclusive) {
            faults.push(SpecFault::new(
                format!("cache.{}.write_allocate", self.name),
                format!("{} does not allocate on writes, and no level outside it does", self.name),
                "with a coherence protocol a core that writes a line holds it: the outermost level allocates on writes",
            ));
        }
    }

    /// What keeps it from holding just what a level inside it has dropped.
    fn exclusive_faults(&self, inner: &CacheSpec, faults: &mut Vec<SpecFault>) {
        if self.line_bytes != inner.line_bytes {
            faults.push(SpecFault::new(
                format!("cache.{}.line", self.name),
                format!("{} has lines of {} bytes and {} of {}", inner.name, inner.line_bytes, self.name, self.line_bytes),
                "lines move between an exclusive level and those inside it, so they are equally long",
            ));
        }
        let through = [inner, self].into_iter().find(|cache| cache.write == WritePolicy::Through);
        if let Some(cache) = through {
            faults.push(SpecFault::new(
                format!("cache.{}.write", cache.name),
                format!("{} writes through, and {} is exclusive", cache.name, self.name),
                "dirty lines move between an exclusive level and those inside it, so all of them write back",
            ));
        }
    }
}

impl SnoopingSpec {
    fn faults(&self, faults: &mut Vec<SpecFault>) {
        if self.clock.hertz() > FASTEST_BUS_HERTZ {
            faults.push(SpecFault::new("interconnect.clock", "no bus runs above 50 GHz", "buses run at 0.1 to 4 GHz"));
        }
        if !(1..=4096).contains(&self.width_bytes) {
            faults.push(SpecFault::new(
                "interconnect.width",
                format!("a data bus {} bytes wide cannot be built", self.width_bytes),
                "a data bus is from 1 to 4096 bytes wide; 8 to 32 are usual",
            ));
        }
        if !(1..=1000).contains(&self.address_cycles) {
            faults.push(SpecFault::new(
                "interconnect.address_cycles",
                format!("an address phase of {} cycles cannot be built", self.address_cycles),
                "an address phase lasts from 1 to 1000 cycles of the bus",
            ));
        }
        if self.snoop_cycles > 1000 {
            faults.push(SpecFault::new(
                "interconnect.snoop_cycles",
                format!("a snoop window of {} cycles is too long", self.snoop_cycles),
                "caches answer within 1000 cycles of the bus",
            ));
        }
        if !(1..=64).contains(&self.transport.memory_ports()) {
            faults.push(SpecFault::new(
                "interconnect.memory_ports",
                format!("memory cannot have {} ports", self.transport.memory_ports()),
                "from 1 to 64",
            ));
        }
        if let TransportSpec::Ring { hop_cycles, directions, .. } = self.transport {
            if !(1..=1000).contains(&hop_cycles) {
                faults.push(SpecFault::new(
                    "interconnect.hop",
                    format!("a hop of {hop_cycles} cycles cannot be built"),
                    "from one station of a ring to the next it takes from 1 to 1000 of its cycles",
                ));
            }
            if !(1..=2).contains(&directions) {
                let message = format!("a ring does not have {directions} directions");
                faults.push(SpecFault::new("interconnect.directions", message, "1 or 2"));
            }
        }
        if !(1..=1024).contains(&self.outstanding) {
            faults.push(SpecFault::new(
                "interconnect.outstanding",
                format!("{} transactions under way cannot be kept", self.outstanding),
                "from 1 (an atomic bus) to 1024; the SGI Challenge had 8",
            ));
        }
    }
}

impl LlcSpec {
    fn faults(&self, node: &NodeSpec, faults: &mut Vec<SpecFault>) {
        self.cache.faults(faults);
        let line_bytes = self.cache.line_bytes;
        if node.is_plain() {
            if let Some(longer) = node.caches.iter().find(|cache| cache.line_bytes > line_bytes) {
                faults.push(SpecFault::new(
                    "cache.LLC.line",
                    format!("a line of the LLC is shorter than one of {}", longer.name),
                    format!(
                        "what {} asks for is one line of the LLC: at least {}",
                        longer.name,
                        ByteSize(longer.line_bytes.into())
                    ),
                ));
            }
        } else if line_bytes != node.line_bytes() {
            faults.push(SpecFault::new(
                "cache.LLC.line",
                format!("the LLC has lines of {line_bytes} bytes and the private caches of {}", node.line_bytes()),
                "what moves between coherent caches and behind them is one line, so their lines are equally long",
            ));
        }
        let ranges = [
            ("banks", self.banks, 64),
            ("interval", self.interval_cycles, MOST_CYCLES),
            ("mshrs", self.mshrs, 1024),
            ("queue", self.queue_capacity, 65_536),
        ];
        for (key, value, most) in ranges.into_iter().filter(|&(_, value, most)| !(1..=most).contains(&value)) {
            faults.push(SpecFault::new(
                format!("cache.LLC.{key}"),
                format!("{key} of {value} cannot be built"),
                format!("from 1 to {most}"),
            ));
        }
    }
}

impl SimpleMemorySpec {
    fn faults(&self, faults: &mut Vec<SpecFault>) {
        if self.bandwidth_bytes_per_second == 0 {
            faults.push(SpecFault::new(
                "memory.bandwidth",
                "a memory channel without bandwidth never answers",
                "25.6 GB/s is a channel of DDR4-3200",
            ));
        }
        if !(1..=1024).contains(&self.channels) {
            faults.push(SpecFault::new(
                "memory.channels",
                format!("a memory cannot have {} channels", self.channels),
                "from 1 to 1024",
            ));
        }
        if self.latency > Time(1_000_000_000_000) {
            faults.push(SpecFault::new("memory.latency", "memory answers within a second", "60 to 120 ns are usual"));
        }
        if !(1..=65_536).contains(&self.queue_capacity) {
            faults.push(SpecFault::new(
                "memory.queue",
                format!("a queue of {} requests cannot be built", self.queue_capacity),
                "from 1 to 65536",
            ));
        }
    }
}

impl TrafficSpec {
    /// Everything that keeps the source from being built.
    pub fn faults(&self) -> Vec<SpecFault> {
        let mut faults = Vec::new();
        if !(self.requests_per_second > 0.0 && self.requests_per_second <= 1e12) {
            let message = format!("{} requests a second cannot be made", self.requests_per_second);
            faults.push(SpecFault::new("traffic.rate", message, "a rate lies above 0 and is at most one a picosecond"));
        }
        if !(1..=1 << 20).contains(&self.bytes) {
            let message = format!("a request of {} bytes cannot be made", self.bytes);
            faults.push(SpecFault::new("traffic.bytes", message, "a request moves from 1 byte to 1 MiB"));
        }
        if self.saturation_length == 0 {
            let message = "a queue of no length is always too long";
            faults.push(SpecFault::new(
                "traffic.saturation_length",
                message,
                "10000 tells a queue that grows from one that varies",
            ));
        }
        faults
    }
}
