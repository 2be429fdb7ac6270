//! The keys of a machine's text: declared once, for parsing, for the JSON Schema and for the reference page.
//!
//! ```text
//!   name, description
//!   [[node]]           cores, core, cache.L1i to cache.L4, tlb, interconnect, memory
//!   [address_space]    organisation, page_size, protocol
//!   [runtime]          threads, schedule, lock, barrier, reduce, checks
//! ```
//!
//! What one key says about another (sizes that divide, parts that exist) is checked where the machine is built, in `resolve`.

use serde_json::Value as Json;

use crate::base::diagnostic::Diagnostics;
use crate::base::document::{At, Field, Shape, Value, Whole};
use crate::base::quantity::{Bandwidth, ByteSize, Cycles, Duration, Frequency};
use crate::components::spec::LARGEST_MEMORY_BYTES;
use crate::machine::collectives::CollectivesKeys;
use crate::machine::network::{DirectoryKeys, InterfaceKeys, NetworkKeys};
use crate::machine::placement::PlacementKey;
use crate::machine::running::{ScheduleKey, SynchronisationKey, ThreadsKey};
use crate::machine::sharing::SharedByKey;
use crate::{choice, section, tagged};

/// Cycles beyond which a latency is a slip of the pen.
const MOST_CYCLES: u64 = 10_000;

/// The largest private cache, in bytes.
const LARGEST_CACHE: u64 = 1 << 30;

/// Cycles of the clock of the part that the key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CycleCount(pub u32);

impl Field for CycleCount {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<CycleCount> {
        let cycles = Cycles::read(value, path, faults)?;
        if cycles.0 > MOST_CYCLES {
            let message = format!("`{path}`: {cycles} are more than any part takes");
            faults.push(value.place.fault(message).key(path).help(format!("at most {}", Cycles(MOST_CYCLES))));
            return None;
        }
        Some(CycleCount(cycles.0 as u32))
    }

    fn write(&self) -> Json {
        Cycles(u64::from(self.0)).write()
    }

    fn shape() -> Shape {
        Cycles::shape()
    }
}

/// A number of bytes that is a power of two from `MINIMUM` to `MAXIMUM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PowerOfTwoBytes<const MINIMUM: u64, const MAXIMUM: u64>(pub u64);

impl<const MINIMUM: u64, const MAXIMUM: u64> Field for PowerOfTwoBytes<MINIMUM, MAXIMUM> {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<Self> {
        let size = ByteSize::read(value, path, faults)?;
        if size.0.is_power_of_two() && (MINIMUM..=MAXIMUM).contains(&size.0) {
            return Some(PowerOfTwoBytes(size.0));
        }
        let message = format!("`{path}` cannot be {size}");
        let help = format!("a power of two from {} to {}", ByteSize(MINIMUM), ByteSize(MAXIMUM));
        faults.push(value.place.fault(message).key(path).help(help));
        None
    }

    fn write(&self) -> Json {
        ByteSize(self.0).write()
    }

    fn shape() -> Shape {
        ByteSize::shape()
    }
}

/// A number of bytes from 1 to `MAXIMUM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Capacity<const MAXIMUM: u64>(pub u64);

impl<const MAXIMUM: u64> Field for Capacity<MAXIMUM> {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<Self> {
        let size = ByteSize::read(value, path, faults)?;
        if (1..=MAXIMUM).contains(&size.0) {
            return Some(Capacity(size.0));
        }
        let message = format!("`{path}` cannot be {size}");
        faults.push(value.place.fault(message).key(path).help(format!("from 1 B to {}", ByteSize(MAXIMUM))));
        None
    }

    fn write(&self) -> Json {
        ByteSize(self.0).write()
    }

    fn shape() -> Shape {
        ByteSize::shape()
    }
}

section! {
    /// A parallel computer: kinds of nodes, the address space they share, and how programs are run on them.
    pub struct MachineKeys {
        /// What a person calls the machine.
        name: String,
        /// One sentence for `flynn list`: what the machine is and what it shows.
        description: String = String::new(),
        /// The kinds of nodes.
        nodes as "node": Vec<At<NodeKeys>>,
        /// What joins the nodes, where there are several.
        interconnect: Option<NetworkKeys>,
        /// How memory is addressed and kept coherent.
        address_space: AddressSpaceKeys,
        /// Everything about running a program that is not the program.
        runtime: RuntimeKeys,
    }
    later {
        "accelerator" => "accelerators are",
    }
}

section! {
    /// A kind of node: equal cores with private caches, an interconnect that joins them, and memory.
    pub struct NodeKeys {
        /// How `--set node[NAME].KEY=VALUE` and messages name this kind of node.
        name: String = "node".to_string(),
        /// How many such nodes the machine has.
        count: Whole<1, 16_384> = Whole(1),
        /// How many cores a node has.
        cores: Whole<1, 1024>,
        /// What each core is.
        core: CoreKeys,
        /// The private caches of each core, written `[node.cache.L1d]`, `[node.cache.L2]` and so on. Without any, every access goes to
        /// memory.
        cache: CacheLevelKeys,
        /// How each core translates addresses of data, written `[node.tlb.L1d]` and `[node.tlb.L2]`. Without it, translation takes no
        /// time.
        tlb: Option<TlbKeys>,
        /// What joins the cores and the memory.
        interconnect: InterconnectKeys,
        /// The node's memory.
        memory: MemoryKeys,
        /// What sends and receives messages, where each node has an address space of its own; without it, messages cost nothing beside
        /// the network.
        network_interface: Option<InterfaceKeys>,
        /// What keeps track of who has copies of the memory's lines, where several nodes have one address space and private caches.
        directory: Option<DirectoryKeys>,
    }
    later {
        "accelerator" => "accelerators are",
    }
}

tagged! {
    /// A core.
    pub enum CoreKeys {
        /// One operation after the other; an access that misses stops the core until the data are there (blocking, sequentially
        /// consistent).
        InOrder(InOrderKeys) = "in-order",
        /// Operations start when their operands are there, up to a window of them beyond the oldest unfinished one; several misses are
        /// under way at once; synchronising operations wait until all before them is done, under total store order not for stores.
        OutOfOrder(OutOfOrderKeys) = "out-of-order",
    }
    later {
        "vector" => "vector cores are",
    }
}

section! {
    /// A core that executes in order.
    pub struct InOrderKeys {
        /// A processor of `models/processors` that supplies every key not written here.
        part: Option<String>,
        /// How fast it runs; latencies of its caches count cycles of this clock.
        clock: Frequency,
        /// What an operation of each class takes.
        costs: CostKeys,
        /// How branches are predicted; absent, all of them rightly.
        predictor: Option<PredictorKeys>,
        /// Cycles that a mispredicted branch takes beside what `costs` says of branches; absent, none.
        misprediction: Option<CycleCount>,
        /// What it promises about the order of its accesses.
        consistency: ConsistencyKey = ConsistencyKey::Sc,
        /// Stores between the core and its caches, which they reach in order; under "tso" alone. 8 unless told.
        store_buffer: Option<Whole<1, 1024>>,
    }
    later {
        "width" => "in-order cores that issue several operations a cycle are",
        "vector" => "cores with vector lanes are",
    }
}

section! {
    /// A core that executes out of order. It needs a private cache.
    pub struct OutOfOrderKeys {
        /// A processor of `models/processors` that supplies every key not written here.
        part: Option<String>,
        /// How fast it runs; latencies of its caches count cycles of this clock.
        clock: Frequency,
        /// From the start of an operation of each class to its result.
        costs: CostKeys,
        /// Operations dispatched in a cycle, and committed in a cycle.
        width: Whole<1, 64> = Whole(4),
        /// Operations between dispatch and commit: the reorder buffer.
        window: Whole<1, 4096> = Whole(128),
        /// Loads between dispatch and commit.
        load_queue: Whole<1, 1024> = Whole(48),
        /// Stores between dispatch and commit.
        store_queue: Whole<1, 1024> = Whole(32),
        /// Stores between commit and the cache, which they reach in order.
        store_buffer: Whole<1, 1024> = Whole(16),
        /// What it promises about the order of its accesses; under "tso" synchronising stores wait in the store buffer, too.
        consistency: ConsistencyKey = ConsistencyKey::Sc,
        /// Lines on their way to the private caches at once: miss status holding registers.
        mshrs: Whole<1, 256> = Whole(10),
        /// How many functional units there are of each class.
        units: UnitKeys,
        /// Cycles from one start to the next in the same unit.
        intervals: IntervalKeys,
        /// How branches are predicted.
        predictor: PredictorKeys,
        /// Cycles from a mispredicted branch's outcome to the dispatch of what follows it.
        misprediction: CycleCount = CycleCount(15),
    }
    later {
        "vector" => "cores with vector lanes are",
    }
}

section! {
    /// Functional units of each class.
    pub struct UnitKeys {
        /// Additions, comparisons, logic and shifts of whole numbers; moves.
        integer: Whole<1, 64> = Whole(4),
        /// Multiplications of whole numbers.
        integer_multiply: Whole<1, 64> = Whole(1),
        /// Divisions and remainders of whole numbers.
        integer_divide: Whole<1, 64> = Whole(1),
        /// Additions, comparisons and conversions of floating-point numbers.
        float_add: Whole<1, 64> = Whole(2),
        /// Multiplications of floating-point numbers, fused multiply-adds.
        float_multiply: Whole<1, 64> = Whole(2),
        /// Divisions of floating-point numbers.
        float_divide: Whole<1, 64> = Whole(1),
        /// Square roots.
        square_root: Whole<1, 64> = Whole(1),
        /// Sines, cosines, exponentials, logarithms.
        special: Whole<1, 64> = Whole(1),
        /// Load ports.
        load: Whole<1, 64> = Whole(2),
        /// Store ports: address and data.
        store: Whole<1, 64> = Whole(1),
        /// Jumps and checks.
        branch: Whole<1, 64> = Whole(2),
    }
}

section! {
    /// Cycles from the start of one operation to the start of the next in the same unit; 1 is a pipelined unit.
    pub struct IntervalKeys {
        /// Multiplications of whole numbers.
        integer_multiply: CycleCount = CycleCount(1),
        /// Divisions and remainders of whole numbers.
        integer_divide: CycleCount = CycleCount(1),
        /// Additions, comparisons and conversions of floating-point numbers.
        float_add: CycleCount = CycleCount(1),
        /// Multiplications of floating-point numbers, fused multiply-adds.
        float_multiply: CycleCount = CycleCount(1),
        /// Divisions of floating-point numbers.
        float_divide: CycleCount = CycleCount(1),
        /// Square roots.
        square_root: CycleCount = CycleCount(1),
        /// Sines, cosines, exponentials, logarithms.
        special: CycleCount = CycleCount(1),
    }
}

tagged! {
    /// How branches are predicted. Only conditional branches can be mispredicted; checks of indices are always foretold.
    pub enum PredictorKeys {
        /// Never wrong.
        Perfect(NoPredictorKeys) = "perfect",
        /// Backward branches are taken, forward ones are not (Smith, ISCA 1981).
        Static(NoPredictorKeys) = "static",
        /// A 2-bit counter for each address (Smith, ISCA 1981).
        Bimodal(BimodalKeys) = "bimodal",
        /// A 2-bit counter for each mixture of address and history (McFarling, DEC WRL TN-36, 1993).
        Gshare(GshareKeys) = "gshare",
        /// A bimodal base and four tagged tables with ever longer histories (after Seznec and Michaud, JILP 8, 2006).
        Tage(BimodalKeys) = "tage",
    }
    later {
        "perceptron" => "perceptron predictors are",
    }
}

section! {
    /// A predictor without a table.
    pub struct NoPredictorKeys {}
}

section! {
    /// A predictor with tables of one size.
    pub struct BimodalKeys {
        /// Entries of each table, a power of two.
        entries: Whole<1, 1048576> = Whole(1024),
    }
}

section! {
    /// A predictor with a table and a history.
    pub struct GshareKeys {
        /// Entries of the table, a power of two.
        entries: Whole<1, 1048576> = Whole(4096),
        /// Outcomes remembered; no more than number the entries count.
        history: Whole<0, 20> = Whole(12),
    }
}

section! {
    /// Cycles of the core's clock an operation of each class takes; 0 is free. An access pays its caches' latencies beside its own
    /// class.
    pub struct CostKeys {
        /// Additions, comparisons, logic and shifts of whole numbers; moves.
        integer: CycleCount,
        /// Multiplications of whole numbers.
        integer_multiply: CycleCount,
        /// Divisions and remainders of whole numbers.
        integer_divide: CycleCount,
        /// Additions, comparisons and conversions of floating-point numbers.
        float_add: CycleCount,
        /// Multiplications of floating-point numbers, fused multiply-adds.
        float_multiply: CycleCount,
        /// Divisions of floating-point numbers.
        float_divide: CycleCount,
        /// Square roots.
        square_root: CycleCount,
        /// Sines, cosines, exponentials, logarithms.
        special: CycleCount,
        /// Loads: address and issue.
        load: CycleCount,
        /// Stores: address and issue.
        store: CycleCount,
        /// Atomic operations: what they take beside the access.
        atomic: CycleCount,
        /// Jumps, taken or not.
        branch: CycleCount,
    }
}

section! {
    /// The private caches of a core, innermost first: any of these. A level may be split into one for instructions and one for data, and
    /// levels may be left out. An access that misses in a level goes to the next one that holds what it wants, at last to memory. Where
    /// a first level holds instructions, a core fetches those of a program, a line at a time (an instruction is 4 bytes long);
    /// elsewhere their supply is taken for perfect.
    pub struct CacheLevelKeys {
        /// The first level, for instructions.
        l1i as "L1i": Option<CacheKeys>,
        /// The first level, for data.
        l1d as "L1d": Option<CacheKeys>,
        /// The first level, for both.
        l1 as "L1": Option<CacheKeys>,
        /// The second level, for instructions.
        l2i as "L2i": Option<CacheKeys>,
        /// The second level, for data.
        l2d as "L2d": Option<CacheKeys>,
        /// The second level.
        l2 as "L2": Option<CacheKeys>,
        /// The third level.
        l3 as "L3": Option<CacheKeys>,
        /// The fourth level.
        l4 as "L4": Option<CacheKeys>,
        /// A last-level cache that all cores of the node share, before its memory.
        llc as "LLC": Option<LlcKeys>,
    }
}

section! {
    /// A last-level cache that all cores share. It stands between the interconnect and the memory, on memory's side of the point of
    /// coherence: it takes part in no protocol, holds what passes from and to memory, writes back and allocates.
    pub struct LlcKeys {
        /// Its capacity: sets times ways times the line; the sets must come to a power of two. At most 1 GiB.
        size: Capacity<LARGEST_CACHE>,
        /// Lines in a set; 1 is direct-mapped.
        ways: Whole<1, 64>,
        /// The unit of transfer with memory: a power of two from 8 B to 4 KiB; with a coherence protocol the line of the private
        /// caches.
        line: PowerOfTwoBytes<8, 4096> = PowerOfTwoBytes(64),
        /// Cycles of its clock from the beginning of a lookup to the answer, or to the request that goes to memory.
        latency: CycleCount,
        /// Its own clock; absent, the interconnect's. With an ideal interconnect it must be there.
        clock: Option<Frequency>,
        /// Which line of a full set makes room.
        replacement: ReplacementKey = ReplacementKey::Lru,
        /// Banks that are looked into at once; lines are dealt to them in turn.
        banks: Whole<1, 64> = Whole(1),
        /// Cycles of its clock that a bank is taken up by a request, or by a line from memory; at least 1.
        interval: CycleCount = CycleCount(1),
        /// Lines on their way from memory at once: miss status holding registers. Where none is free, a miss waits, and all behind it
        /// in its bank. As many lines may wait to be written to memory.
        mshrs: Whole<1, 1024> = Whole(16),
        /// Requests that may wait to be looked up.
        queue: Whole<1, 65536> = Whole(16),
        /// Which cores share it.
        shared_by: SharedByKey = SharedByKey::All,
    }
    later {
        "prefetcher" => "prefetchers are",
    }
}

section! {
    /// A set-associative cache.
    pub struct CacheKeys {
        /// Its capacity: sets times ways times the line; the sets must come to a power of two. At most 1 GiB.
        size: Capacity<LARGEST_CACHE>,
        /// Lines in a set; 1 is direct-mapped.
        ways: Whole<1, 64>,
        /// The unit of transfer and of coherence: a power of two from 8 B to 4 KiB; with a coherence protocol the same in every level.
        line: PowerOfTwoBytes<8, 4096> = PowerOfTwoBytes(64),
        /// Cycles of the core's clock from asking to the answer, hit or miss.
        latency: CycleCount,
        /// Which line of a full set makes room.
        replacement: ReplacementKey = ReplacementKey::Lru,
        /// What becomes of a write. With a coherence protocol, a level that writes through lies inside an inclusive one.
        write: WriteKey = WriteKey::Back,
        /// Whether a write that misses brings the line; if not, it passes on to the next level and leaves this one as it was. With a
        /// coherence protocol some level outside it allocates.
        write_allocate: bool = true,
        /// What it holds; absent, what its name says: an `i` instructions, a `d` data, neither both.
        holds: Option<HoldsKey>,
        /// What it holds of the lines that the levels inside it hold; absent, it is inclusive where there are any.
        inclusion: Option<InclusionKey>,
        /// What is brought before it is asked for. Only the first cache for data has one, with a coherence protocol.
        prefetcher: Option<PrefetcherKeys>,
    }
    later {
        "shared_by" => "caches that several cores share are",
        "mshrs" => "caches with several misses under way are",
    }
}

section! {
    /// Translation lookaside buffers of each core, for data, in front of a page table in memory. Pages are as large as
    /// `address_space.page_size` says: 4 KiB, 2 MiB or 1 GiB. What misses in all levels walks the table (x86-64: Intel SDM, volume 3A,
    /// section 4.5): four dependent loads for pages of 4 KiB, three for 2 MiB, two for 1 GiB, each of 8 bytes and through the core's
    /// data caches. The table lies in memory above the program's arrays.
    pub struct TlbKeys {
        /// The first level.
        l1d as "L1d": TlbLevelKeys,
        /// The second level; absent, what misses in the first walks at once.
        l2 as "L2": Option<OuterTlbKeys>,
        /// Walks of an out-of-order core that can be under way at once.
        walkers: Whole<1, 16> = Whole(1),
    }
}

section! {
    /// The first level of TLBs.
    pub struct TlbLevelKeys {
        /// Pages whose translation it holds: `ways` times a power of two.
        entries: Whole<1, 65536>,
        /// Entries in a set.
        ways: Whole<1, 64>,
        /// Cycles of the core's clock that a lookup adds to every access; 0 where it is made during the lookup in the cache.
        latency: CycleCount = CycleCount(0),
        /// Which entry of a full set makes room.
        replacement: ReplacementKey = ReplacementKey::Lru,
    }
}

section! {
    /// The second level of TLBs.
    pub struct OuterTlbKeys {
        /// Pages whose translation it holds: `ways` times a power of two.
        entries: Whole<1, 65536>,
        /// Entries in a set.
        ways: Whole<1, 64>,
        /// Cycles of the core's clock that a lookup adds to an access that missed in the first level, hit or miss.
        latency: CycleCount,
        /// Which entry of a full set makes room.
        replacement: ReplacementKey = ReplacementKey::Lru,
    }
}

tagged! {
    /// What is brought into a cache before it is asked for. What is foreseen is asked for like what a load misses, while the core goes
    /// on; it is dropped where no miss status holding register or no place is free, and never lies on another page
    /// (`address_space.page_size`).
    pub enum PrefetcherKeys {
        /// At a miss, and at the first use of a prefetched line, the lines behind it (tagged prefetch: Smith, ACM Computing Surveys
        /// 14(3), 1982).
        NextLine(NextLineKeys) = "next-line",
        /// Where the addresses of one load or store go on by the same step, those some steps further on (reference prediction table:
        /// Baer and Chen, Supercomputing 1991).
        Stride(StrideKeys) = "stride",
        /// Where misses go up or down line after line, the lines ahead (after the stream buffers of Jouppi, ISCA 1990, and Palacharla
        /// and Kessler, ISCA 1994; lines come into the cache itself).
        Stream(StreamKeys) = "stream",
    }
}

section! {
    /// A prefetcher of the next lines.
    pub struct NextLineKeys {
        /// Lines brought at a time.
        degree: Whole<1, 64> = Whole(1),
        /// Lines that may be on their way at once in an in-order core; an out-of-order core has its own `mshrs`.
        mshrs: Whole<1, 256> = Whole(8),
    }
}

section! {
    /// A prefetcher of strides.
    pub struct StrideKeys {
        /// Instructions whose steps are known: a power of two.
        entries: Whole<1, 65536> = Whole(64),
        /// Steps brought at a time.
        degree: Whole<1, 64> = Whole(1),
        /// How many steps ahead the first of them is.
        distance: Whole<1, 4096> = Whole(16),
        /// Lines that may be on their way at once in an in-order core; an out-of-order core has its own `mshrs`.
        mshrs: Whole<1, 256> = Whole(8),
    }
}

section! {
    /// A prefetcher of streams.
    pub struct StreamKeys {
        /// Streams followed at once; a new one takes the place of the one used longest ago.
        streams: Whole<1, 256> = Whole(8),
        /// Lines brought for each line that is used, at most; with 1 a stream never gets further ahead than one line.
        degree: Whole<1, 64> = Whole(2),
        /// How many lines ahead of the last one used a stream is brought.
        distance: Whole<1, 4096> = Whole(8),
        /// Lines that may be on their way at once in an in-order core; an out-of-order core has its own `mshrs`.
        mshrs: Whole<1, 256> = Whole(8),
    }
}

choice! {
    /// Which line of a full set makes room for a new one.
    pub enum ReplacementKey {
        /// The one that was not accessed for longest (least recently used).
        Lru = "lru",
        /// The one that was filled first.
        Fifo = "fifo",
        /// About the one that was not accessed for longest: a tree of bits over the ways, which are a power of two (pseudo-LRU).
        TreePlru = "tree-plru",
        /// Any, by the run's seed.
        Random = "random",
        /// The one whose next access seems farthest off: 2-bit static re-reference interval prediction with hit priority (Jaleel et
        /// al., ISCA 2010).
        Srrip = "srrip",
    }
}

choice! {
    /// The memory consistency model of a core.
    pub enum ConsistencyKey {
        /// Sequential consistency: each access waits until the one before it is performed.
        Sc = "sc",
        /// Total store order, as x86 promises: stores wait in a buffer while the core goes on; loads look into it first;
        /// read-modify-writes, `seq_cst` stores and fences wait until it is empty.
        Tso = "tso",
    }
}

choice! {
    /// What becomes of a write.
    pub enum WriteKey {
        /// The line is kept, dirty, and written to the next level when it leaves.
        Back = "back",
        /// Each write is passed on to the next level.
        Through = "through",
    }
}

choice! {
    /// What a cache holds.
    pub enum HoldsKey {
        /// Data.
        Data = "data",
        /// Instructions.
        Instructions = "instructions",
        /// Data and instructions.
        Both = "both",
    }
}

choice! {
    /// What a cache holds of the lines that the levels inside it hold.
    pub enum InclusionKey {
        /// All of them: a line that leaves it leaves those levels too.
        Inclusive = "inclusive",
        /// None of them: it takes in what they drop, and a line that they fetch leaves it. Their lines are as long as its own.
        Exclusive = "exclusive",
        /// Some: none cares what the other drops (non-inclusive, non-exclusive).
        Neither = "neither",
    }
}

tagged! {
    /// What joins the cores and the memory of a node.
    pub enum InterconnectKeys {
        /// A split-transaction snooping bus in the style of the SGI Challenge (Culler, Singh and Gupta 1999, section 6.4): every cache
        /// sees every transaction in one order.
        Bus(BusKeys) = "bus",
        /// The same addresses on a bus of their own, and data through a crossbar from port to port, several at once (Sun Enterprise
        /// 10000: Charlesworth, IEEE Micro 1998).
        Crossbar(CrossbarKeys) = "crossbar",
        /// Stations, one for each core and each port of memory, joined to a ring: requests travel to the station of memory's first port,
        /// which orders them; the transaction goes once round past every cache; data take the shorter way (after the Element
        /// Interconnect Bus of the Cell: Kistler, Perrone and Petrini, IEEE Micro 2006).
        Ring(RingKeys) = "ring",
        /// Any number of transactions at once, in no time.
        Ideal(IdealInterconnectKeys) = "ideal",
    }
    later {
        "mesh" => "a mesh is",
    }
}

section! {
    /// A bus.
    pub struct BusKeys {
        /// A bus of `models/links` that supplies every key not written here.
        part: Option<String>,
        /// What the data bus moves in a cycle: a power of two from 1 B to 4 KiB, at most a line.
        width: PowerOfTwoBytes<1, 4096>,
        /// The bus's own clock.
        clock: Frequency,
        /// Who goes first where several want to be granted. Data go in the order in which they were ready; with "oldest" in that of their
        /// requests.
        arbitration: ArbitrationKey = ArbitrationKey::RoundRobin,
        /// Bus cycles a transaction holds the address bus, at least 1.
        address: CycleCount = CycleCount(1),
        /// Bus cycles from the end of the address phase to the caches' joint answer.
        snoop: CycleCount = CycleCount(2),
        /// Transactions that may be under way at once; 1 is an atomic bus.
        outstanding: Whole<1, 1024> = Whole(8),
    }
}

section! {
    /// A crossbar for data, with a bus for addresses.
    pub struct CrossbarKeys {
        /// A crossbar of `models/links` that supplies every key not written here.
        part: Option<String>,
        /// What a port moves in a cycle, in and out at once: a power of two from 1 B to 4 KiB, at most a line.
        width: PowerOfTwoBytes<1, 4096>,
        /// The interconnect's own clock.
        clock: Frequency,
        /// Who goes first where several want to be granted, or to send to the same port.
        arbitration: ArbitrationKey = ArbitrationKey::RoundRobin,
        /// Ports of memory; lines are dealt to them in turn, as to the channels of memory.
        memory_ports: Whole<1, 64> = Whole(1),
        /// Cycles a transaction holds the address bus, at least 1.
        address: CycleCount = CycleCount(1),
        /// Cycles from the end of the address phase to the caches' joint answer.
        snoop: CycleCount = CycleCount(2),
        /// Transactions that may be under way at once.
        outstanding: Whole<1, 1024> = Whole(32),
    }
}

section! {
    /// A ring.
    pub struct RingKeys {
        /// A ring of `models/links` that supplies every key not written here.
        part: Option<String>,
        /// What moves from a station to the next in a cycle (a flit): a power of two from 1 B to 4 KiB, at most a line.
        width: PowerOfTwoBytes<1, 4096>,
        /// The ring's own clock.
        clock: Frequency,
        /// Who goes first where several want to set out and their ways overlap, and where several want to be ordered.
        arbitration: ArbitrationKey = ArbitrationKey::RoundRobin,
        /// Stations of memory, spread evenly among the cores'; lines are dealt to them in turn, as to the channels of memory. The
        /// first one orders all transactions.
        memory_ports: Whole<1, 64> = Whole(1),
        /// Cycles from one station to the next, at least 1.
        hop: CycleCount = CycleCount(1),
        /// 2: data and requests go the shorter way round, each direction on a ring of its own; 1: all go one way.
        directions: Whole<1, 2> = Whole(2),
        /// Cycles from the ordering of one transaction to that of the next, at least 1.
        address: CycleCount = CycleCount(1),
        /// Cycles from the end of a transaction's round to the caches' joint answer.
        snoop: CycleCount = CycleCount(2),
        /// Transactions that may be under way at once.
        outstanding: Whole<1, 1024> = Whole(32),
    }
}

choice! {
    /// Who goes first where several want the same of an interconnect.
    pub enum ArbitrationKey {
        /// The first agent after the one served last: nobody starves.
        RoundRobin = "round-robin",
        /// The core with the lowest number, the ports of memory behind them: the others may starve.
        FixedPriority = "fixed-priority",
        /// What arrived at the arbiter first; ties by number.
        FirstCome = "first-come",
        /// What left its core first, however long it took to arrive; ties by number. For the addresses of a bus or a crossbar that is
        /// "first-come", as all are equally far from the arbiter; it differs where data wait, whose requests may be older than they
        /// are, and on a ring.
        Oldest = "oldest",
    }
}

section! {
    /// An interconnect that costs nothing.
    pub struct IdealInterconnectKeys {
        /// A link of `models/links` that supplies every key not written here.
        part: Option<String>,
    }
}

tagged! {
    /// The memory of a node.
    pub enum MemoryKeys {
        /// A fixed latency, and channels of a fixed bandwidth.
        Simple(SimpleMemoryKeys) = "simple",
        /// A fixed latency, and a port for every request: no end to its bandwidth.
        MultiPorted(MultiPortedMemoryKeys) = "multi-ported",
        /// Answers any number of requests in no time.
        Ideal(IdealMemoryKeys) = "ideal",
        /// An attraction memory: a cache of its node, without a memory behind it (`organisation = "coma"`). Lines come where they are used,
        /// several nodes may have copies to read, and the last copy of a line that has to make room moves to another node.
        Attraction(AttractionMemoryKeys) = "attraction",
    }
    later {
        "dram" => "memory with ranks, banks and rows is",
    }
}

section! {
    /// A memory with a fixed latency and channels of a fixed bandwidth.
    pub struct SimpleMemoryKeys {
        /// A memory of `models/memories` that supplies every key not written here.
        part: Option<String>,
        /// From the start of service to the answer.
        latency: Duration,
        /// Of each channel.
        bandwidth: Bandwidth,
        /// How many channels; lines are dealt to them in turn.
        channels: Whole<1, 1024> = Whole(1),
        /// Requests that may be under way, being served or waiting.
        queue: Whole<1, 65536> = Whole(64),
        /// Its capacity: what a program's arrays must fit into.
        size: Capacity<LARGEST_MEMORY_BYTES>,
    }
    later {
        "ranks" => "memory with ranks, banks and rows is",
        "banks" => "memory with ranks, banks and rows is",
    }
}

section! {
    /// A memory that answers every request its latency later.
    pub struct MultiPortedMemoryKeys {
        /// A memory of `models/memories` that supplies every key not written here.
        part: Option<String>,
        /// From a request to its answer.
        latency: Duration,
        /// Its capacity: what a program's arrays must fit into.
        size: Capacity<LARGEST_MEMORY_BYTES> = Capacity(16 << 30),
    }
}

section! {
    /// A memory that holds what its node uses (Stenström, Joe and Gupta, ISCA 1992). It is the outermost private cache of the node's core,
    /// called AM in metrics; its lines are as long as those of the caches inside it, whose lines it holds all.
    pub struct AttractionMemoryKeys {
        /// A memory of `models/memories` that supplies every key not written here.
        part: Option<String>,
        /// From asking to the answer, hit or miss: tags are looked up in the memory itself. The core's and other nodes' requests do not
        /// wait for each other.
        latency: Duration,
        /// Its capacity: sets times ways times the line; the sets must come to a power of two. Of the lines of a program that fall into
        /// one set, each node must hold fewer than its ways: the last way of each node is for copies.
        size: Capacity<LARGEST_CACHE>,
        /// Lines in a set.
        ways: Whole<2, 64>,
        /// Which line of a full set makes room.
        replacement: ReplacementKey = ReplacementKey::Lru,
    }
}

section! {
    /// A memory that costs nothing.
    pub struct IdealMemoryKeys {
        /// A memory of `models/memories` that supplies every key not written here.
        part: Option<String>,
        /// Its capacity: what a program's arrays must fit into.
        size: Capacity<LARGEST_MEMORY_BYTES> = Capacity(16 << 30),
    }
}

section! {
    /// How memory is addressed and kept coherent.
    pub struct AddressSpaceKeys {
        /// Who can address which memory, and at what distance.
        organisation: OrganisationKey = OrganisationKey::Uma,
        /// The unit that memory is placed by and addresses are translated by: a power of two from 4 KiB to 1 GiB; with TLBs 4 KiB,
        /// 2 MiB or 1 GiB.
        page_size: PowerOfTwoBytes<4096, 0x4000_0000> = PowerOfTwoBytes(4096),
        /// The protocol that keeps private caches coherent: a name of `models/protocols` or of a file beside this one. Machines with
        /// caches need one; "none" on a machine with one core: nothing is kept coherent, and the caches may be of any make.
        protocol: Option<String>,
        /// Which node's memory a page lives in, where several nodes have one address space: that of the node whose core touches it
        /// first ("first-touch"), of one node after the other ("interleave"), or of one ("node 0"). Where that memory is full the next
        /// one takes it. Of attraction memories: which node's directory knows where the page's lines are; "interleave" unless told.
        placement: Option<PlacementKey>,
    }
    later {
        "home" => "homes of lines are",
    }
}

choice! {
    /// Who can address which memory, and at what distance.
    pub enum OrganisationKey {
        /// One address space, all memory equally far from every core (uniform memory access): a single node.
        Uma = "uma",
        /// One address space over the memories of several nodes, the own one nearer than the others (non-uniform memory access).
        Numa = "numa",
        /// One address space over attraction memories of several nodes: lines live where they are used, and nowhere else (cache-only
        /// memory architecture).
        Coma = "coma",
        /// An address space for each node, which send each other messages (no remote memory access: distributed memory, clusters).
        Norma = "norma",
    }
}

section! {
    /// Everything about running a program that is not the program.
    pub struct RuntimeKeys {
        /// Threads of a run: one for each core, or a number.
        threads: ThreadsKey = ThreadsKey::Cores,
        /// Which thread runs on which core.
        pinning: PinningKey = PinningKey::Compact,
        /// How a `parallel for` that names no schedule deals its iterations to threads: "static", "static, 16", "dynamic",
        /// "dynamic, 8", "guided".
        schedule: ScheduleKey = ScheduleKey::equal_shares(),
        /// The text of `models/runtime` that `lock` stands for: "ticket" means `lock-ticket.flynn`.
        lock: String = "ticket".to_string(),
        /// The text of `models/runtime` that barriers stand for.
        barrier: String = "central".to_string(),
        /// The text of `models/runtime` that reductions stand for.
        reduce: String = "linear".to_string(),
        /// By which algorithms ranks do together what `broadcast`, `reduce`, `gather` and their like ask for.
        collectives: Option<CollectivesKeys>,
        /// What synchronising operations (of locks, barriers, `await`) cost beside their cycles: what accesses cost, or nothing.
        synchronisation: SynchronisationKey = SynchronisationKey::Simulated,
        /// Whether every copy of a line carries the line's version, so that a stale read or a second writer stops the run. Costs the
        /// simulator some speed and the simulated machine nothing.
        checks: bool = true,
    }
    later {
        "tasks" => "task policies are",
        "queue" => "queues are",
    }
}

choice! {
    /// Which thread runs on which core.
    pub enum PinningKey {
        /// Thread 0 on core 0, thread 1 on core 1 and so on.
        Compact = "compact",
    }
    later {
        "scatter" => "spreading threads over nodes (machines of several nodes) is",
        "none" => "moving threads between cores is",
    }
}
