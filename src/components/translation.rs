//! Address translation: two levels of translation lookaside buffers before a radix page table that lies in memory.
//!
//! ```text
//!   page --> first level --miss--> second level --miss--> walk: a load of one entry of each level of the table, root first
//!               ^                      |                     |
//!               '------- filled -------+----- both filled ---'
//! ```
//!
//! The table is that of x86-64 (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3A, section 4.5): entries of 8
//! bytes, 512 to a table of 4 KiB, four levels for pages of 4 KiB, three for 2 MiB, two for 1 GiB. The loads of a walk go through the
//! core's data caches like any others, and find there what earlier walks have left. Every page is mapped, nothing is ever unmapped,
//! and entries are never written (no accessed and dirty bits), so TLBs never lose what another core changes. Levels are looked into
//! for data alone, and neither includes the other by force: each drops what it has to.
//!
//! On machines of one node an address is its own translation, so tables only take their time. They lie above whatever is translated,
//! root first, each level in one piece.

use crate::base::address::Address;
use crate::base::random::Stream;
use crate::components::replacement::Policy;
use crate::components::spec::{NodeSpec, Replacement, SpecFault};

/// Bytes of an entry of a table.
pub const ENTRY_BYTES: u64 = 8;
/// Bytes of a table.
const TABLE_BYTES: u64 = 4096;
/// Bits of an address that one level translates.
const LEVEL_BITS: u32 = 9;
/// An entry of the root stands for so many bytes of addresses, as a power of two.
const ROOT_SHIFT: u32 = 39;
/// The sizes of pages that the levels of the table can end with.
pub const PAGE_BYTES: [u64; 3] = [4 << 10, 2 << 20, 1 << 30];
/// A way without a page: no page has this number.
const EMPTY: u64 = u64::MAX;

/// One level of translation lookaside buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlbSpec {
    /// Translations that it holds: `ways` times a power of two.
    pub entries: u32,
    pub ways: u32,
    /// Cycles of the core's clock that a lookup adds to an access.
    pub latency_cycles: u32,
    pub replacement: Replacement,
}

/// How a core translates addresses of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TranslationSpec {
    /// One of [`PAGE_BYTES`].
    pub page_bytes: u64,
    pub first: TlbSpec,
    pub second: Option<TlbSpec>,
    /// Walks of an out-of-order core that can be under way at once, from 1.
    pub walkers: u32,
}

impl TranslationSpec {
    /// What of it cannot be built.
    pub fn faults(&self, faults: &mut Vec<SpecFault>) {
        self.first.faults("L1d", faults);
        if let Some(second) = &self.second {
            second.faults("L2", faults);
        }
    }
}

impl TlbSpec {
    fn faults(&self, name: &str, faults: &mut Vec<SpecFault>) {
        let mut add = |key: &str, message: String, help: String| {
            faults.push(SpecFault { key: format!("tlb.{name}.{key}"), message, help: Some(help) });
        };
        let Self { entries, ways, .. } = *self;
        if !entries.is_multiple_of(ways) || !(entries / ways).is_power_of_two() {
            let below = if entries < ways { ways } else { ways << (entries / ways).ilog2() };
            add(
                "entries",
                format!("{entries} entries in {ways} ways do not make a power of two of sets"),
                format!("{below} or {} would", 2 * u64::from(below)),
            );
        }
        if self.replacement == Replacement::TreePlru && !ways.is_power_of_two() {
            let help = "tree-PLRU needs a power of two of ways; LRU takes any number".to_string();
            add("ways", format!("{ways} ways make no binary tree"), help);
        }
    }
}

/// Where the entries of a page table lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageTable {
    page_shift: u32,
    /// By level, root first: where its entries begin, and for how many bytes each stands, as a power of two.
    levels: Vec<(Address, u32)>,
    end: Address,
}

impl PageTable {
    /// The table of all addresses below `top`, above which it lies; `page_bytes` is one of [`PAGE_BYTES`].
    pub fn above(top: Address, page_bytes: u64) -> PageTable {
        let page_shift = page_bytes.ilog2();
        let (mut levels, mut shift) = (Vec::new(), ROOT_SHIFT);
        let mut base = top.next_multiple_of(TABLE_BYTES);
        loop {
            levels.push((base, shift));
            base += (top.div_ceil(1 << shift).max(1) * ENTRY_BYTES).next_multiple_of(TABLE_BYTES);
            if shift <= page_shift {
                return PageTable { page_shift, levels, end: base };
            }
            shift -= LEVEL_BITS;
        }
    }

    /// Loads that a walk makes.
    pub fn depth(&self) -> usize {
        self.levels.len()
    }

    /// The entry of a page in a level; the root is level 0.
    pub fn entry(&self, level: usize, page: u64) -> Address {
        let (base, shift) = self.levels[level];
        base + (page << self.page_shift >> shift) * ENTRY_BYTES
    }

    /// The first address behind the table.
    pub fn end(&self) -> Address {
        self.end
    }
}

/// What one level counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlbCounters {
    pub accesses: u64,
    pub hits: u64,
}

/// What walks there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalkCounters {
    /// Walks that set out.
    pub walks: u64,
    /// Their loads.
    pub loads: u64,
    /// Misses of the last level that found a walk of their page under way, and waited for that.
    pub merged: u64,
}

/// One level.
#[derive(Clone, Debug)]
struct Tlb {
    pages: Box<[u64]>,
    set_mask: u64,
    n_ways: usize,
    latency: u64,
    policy: Policy,
    counters: TlbCounters,
}

/// Where a lookup found the translation of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    First,
    Second,
    /// Nowhere: the table has to be walked.
    Walk,
}

/// A core's TLBs, and the table they are filled from.
#[derive(Clone, Debug)]
pub struct Translation {
    table: PageTable,
    first: Tlb,
    second: Option<Tlb>,
    walks: WalkCounters,
}

impl Translation {
    /// Empty TLBs before a table above `top`; `random` is what the level of a name draws from.
    pub fn new(spec: &TranslationSpec, top: Address, random: impl Fn(&str) -> Stream) -> Translation {
        Translation {
            table: PageTable::above(top, spec.page_bytes),
            first: Tlb::new(&spec.first, random("tlb.l1")),
            second: spec.second.as_ref().map(|second| Tlb::new(second, random("tlb.l2"))),
            walks: WalkCounters::default(),
        }
    }

    /// The page that an address lies in.
    #[inline]
    pub fn page(&self, address: Address) -> u64 {
        address >> self.table.page_shift
    }

    /// The page table.
    pub fn table(&self) -> &PageTable {
        &self.table
    }

    /// Looks for a page. One that the second level has, the first has from now on.
    #[inline]
    pub fn look_up(&mut self, page: u64) -> Found {
        if self.first.touch(page) {
            return Found::First;
        }
        if self.second.as_mut().is_some_and(|second| second.touch(page)) {
            self.first.fill(page);
            return Found::Second;
        }
        Found::Walk
    }

    /// Cycles that a lookup takes that ended so; of a walk, those before its first load.
    #[inline]
    pub fn latency(&self, found: Found) -> u64 {
        match found {
            Found::First => self.first.latency,
            Found::Second | Found::Walk => self.first.latency + self.second.as_ref().map_or(0, |second| second.latency),
        }
    }

    /// A walk sets out.
    pub fn begin_walk(&mut self) {
        self.walks.walks += 1;
    }

    /// A walk loaded an entry.
    pub fn count_load(&mut self) {
        self.walks.loads += 1;
    }

    /// An access waits for the walk of another.
    pub fn merge(&mut self) {
        self.walks.merged += 1;
    }

    /// A walk is over: all levels have the page.
    pub fn fill(&mut self, page: u64) {
        self.first.fill(page);
        if let Some(second) = &mut self.second {
            second.fill(page);
        }
    }

    /// What the levels counted, the first one first.
    pub fn counters(&self) -> impl Iterator<Item = TlbCounters> {
        std::iter::once(&self.first).chain(&self.second).map(|level| level.counters)
    }

    /// What walks there were.
    pub fn walks(&self) -> WalkCounters {
        self.walks
    }

    /// Lookups in the first level that hit and were not made one by one: the spins of an `await`.
    pub fn count_hits(&mut self, n: u64) {
        self.first.counters.accesses += n;
        self.first.counters.hits += n;
    }

    /// Sets all counters to zero; translations stay.
    pub fn reset_counters(&mut self) {
        self.first.counters = TlbCounters::default();
        if let Some(second) = &mut self.second {
            second.counters = TlbCounters::default();
        }
        self.walks = WalkCounters::default();
    }

    /// Bytes of the host's memory they take.
    pub fn footprint(&self) -> usize {
        let level = |tlb: &Tlb| 8 * tlb.pages.len() + tlb.policy.footprint();
        std::mem::size_of::<Translation>() + level(&self.first) + self.second.as_ref().map_or(0, level)
    }
}

/// How far the translation for an access has come that waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// It has not begun.
    #[default]
    None,
    /// The load of this level of the table is next.
    Walking(usize),
    /// It is over; the access waits for its turn.
    Over,
}

/// Translation for accesses one after the other: an access may stop at each load of its walk, and goes on there.
#[derive(Clone, Debug)]
pub struct Translator {
    pub tlbs: Translation,
    pub progress: Progress,
}

impl Translator {
    /// For a core of a node whose addresses end below `top`; none where translation takes no time.
    pub fn new(number: u16, spec: &NodeSpec, top: Address) -> Option<Box<Translator>> {
        let tlbs = Translation::new(spec.translation.as_ref()?, top, |level| spec.cache_stream(number, level));
        Some(Box::new(Translator { tlbs, progress: Progress::None }))
    }

    /// What there is to do for a page: the cycles of the lookups, and the level of the table from which on it is walked.
    pub fn begin(&mut self, page: u64) -> (u64, usize) {
        match self.progress {
            Progress::Over => (0, self.tlbs.table().depth()),
            Progress::Walking(level) => (0, level),
            Progress::None => {
                let found = self.tlbs.look_up(page);
                let latency = self.tlbs.latency(found);
                if found == Found::Walk {
                    self.tlbs.begin_walk();
                    self.progress = Progress::Walking(0);
                    return (latency, 0);
                }
                (latency, self.tlbs.table().depth())
            }
        }
    }

    /// An entry is loaded, of the level that was next: its address.
    pub fn load(&mut self, level: usize, page: u64) -> Address {
        self.tlbs.count_load();
        self.progress = Progress::Walking(level + 1);
        self.tlbs.table().entry(level, page)
    }

    /// All entries of a page are there.
    pub fn end(&mut self, page: u64) {
        if let Progress::Walking(_) = self.progress {
            self.tlbs.fill(page);
        }
        self.progress = Progress::None;
    }
}

impl Tlb {
    fn new(spec: &TlbSpec, random: Stream) -> Tlb {
        let (n_entries, n_ways) = (spec.entries as usize, spec.ways as usize);
        Tlb {
            pages: vec![EMPTY; n_entries].into(),
            set_mask: (n_entries / n_ways - 1) as u64,
            n_ways,
            latency: u64::from(spec.latency_cycles),
            policy: Policy::new(spec.replacement, n_entries / n_ways, n_ways, random),
            counters: TlbCounters::default(),
        }
    }

    #[inline]
    fn set(&self, page: u64) -> std::ops::Range<usize> {
        let first = (page & self.set_mask) as usize * self.n_ways;
        first..first + self.n_ways
    }

    #[inline]
    fn touch(&mut self, page: u64) -> bool {
        self.counters.accesses += 1;
        let set = self.set(page);
        let first = set.start;
        let Some(way) = self.pages[set].iter().position(|&held| held == page) else { return false };
        self.policy.hit(first + way, self.n_ways);
        self.counters.hits += 1;
        true
    }

    fn fill(&mut self, page: u64) {
        let set = self.set(page);
        let first = set.start;
        let held = self.pages[set.clone()].iter().position(|&held| held == page);
        let empty = || self.pages[set.clone()].iter().position(|&held| held == EMPTY);
        let way = match held.or_else(empty) {
            Some(way) => way,
            None => self.policy.victim(first, self.n_ways),
        };
        self.pages[first + way] = page;
        self.policy.fill(first + way, self.n_ways);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::stream;

    fn tlb(entries: u32, ways: u32, latency_cycles: u32) -> TlbSpec {
        TlbSpec { entries, ways, latency_cycles, replacement: Replacement::Lru }
    }

    fn translation(first: TlbSpec, second: Option<TlbSpec>) -> Translation {
        let spec = TranslationSpec { page_bytes: 4096, first, second, walkers: 1 };
        Translation::new(&spec, 1 << 30, |name| stream(1, name))
    }

    /// Looks pages up, each found nowhere being walked for.
    fn look_up(translation: &mut Translation, pages: impl IntoIterator<Item = u64>) -> Vec<Found> {
        let one = |page| {
            let found = translation.look_up(page);
            if found == Found::Walk {
                translation.fill(page);
            }
            found
        };
        pages.into_iter().map(one).collect()
    }

    #[test]
    fn tables_are_those_of_x86_64() {
        // Intel 64 and IA-32 SDM, volume 3A, tables 4-15 to 4-19: bits 47:39, 38:30, 29:21 and 20:12 of the address number the entries.
        for (page_bytes, depth) in [(4 << 10, 4), (2 << 20, 3), (1 << 30, 2)] {
            assert_eq!(PageTable::above(1 << 40, page_bytes).depth(), depth);
        }
        // 3 GiB and a bit: one table each for the root and below it, 4 of the next level, 1,537 of the last.
        let top = (3 << 30) + 5;
        let table = PageTable::above(top, 4096);
        let base = (3 << 30) + 4096;
        assert_eq!(table.end(), base + 4096 * (1 + 1 + 4 + 1537));
        let address: u64 = (2 << 30) + (7 << 21) + (9 << 12) + 77;
        let entries: Vec<Address> = (0..4).map(|level| table.entry(level, address >> 12)).collect();
        let leaf = base + 6 * 4096;
        assert_eq!(entries, [base, base + 4096 + 2 * 8, base + (2 + 2) * 4096 + 7 * 8, leaf + (2 * 512 + 7) * 4096 + 9 * 8]);
        // The tables of no address at all still have a root.
        assert_eq!(PageTable::above(0, 1 << 30).end(), 2 * 4096);
    }

    #[test]
    fn a_level_reaches_as_far_as_its_entries() {
        use Found::{First, Second, Walk};
        let mut both = translation(tlb(4, 4, 0), Some(tlb(8, 4, 7)));
        assert_eq!(look_up(&mut both, 0..8), [Walk; 8]);
        // The last four are in the first level, all eight in the second.
        assert_eq!(look_up(&mut both, [7, 6, 5, 4, 3, 4]), [First, First, First, First, Second, First]);
        // Least recently used of the first level was 7, which 3 has replaced.
        assert_eq!(look_up(&mut both, [7]), [Second]);
        assert_eq!(look_up(&mut both, 8..9), [Walk]);
        let counters: Vec<TlbCounters> = both.counters().collect();
        assert_eq!(counters, [TlbCounters { accesses: 16, hits: 5 }, TlbCounters { accesses: 11, hits: 2 }]);
        assert_eq!([First, Second, Walk].map(|found| both.latency(found)), [0, 7, 7]);
    }

    #[test]
    fn sets_are_chosen_by_the_page_number() {
        let mut direct = translation(tlb(4, 1, 0), None);
        assert_eq!(look_up(&mut direct, [0, 1, 2, 3]), [Found::Walk; 4]);
        assert_eq!(look_up(&mut direct, [3, 2, 1, 0]), [Found::First; 4]);
        assert_eq!(look_up(&mut direct, [4, 0, 4]), [Found::Walk; 3]);
    }
}
