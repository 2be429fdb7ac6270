//! What keeps a node from being built, by key, so that `machine` can point at the place.

use super::*;

/// The fastest clock an interconnect can have.
const FASTEST_BUS_HERTZ: f64 = 50e9;

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
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> SpecFault {
        SpecFault { key: key.into(), message: message.into(), help: Some(help.into()) }
    }
}

impl NodeSpec {
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
        if self.free_synchronisation && self.core.consistency == Consistency::Tso {
            faults.push(SpecFault::new(
                "core.consistency",
                "free synchronisation with store buffers is not built yet",
                "`consistency = \"sc\"`, or leave `runtime.synchronisation` \"simulated\"",
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
