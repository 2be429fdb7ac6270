use proptest::prelude::*;

use super::*;
use crate::base::random::stream;
use crate::components::spec::Replacement;

/// A cache of so many sets and ways, write-back and write-allocate, for data.
fn cache(name: &str, sets: u64, ways: u32, line_bytes: u32) -> CacheSpec {
    CacheSpec {
        name: name.to_string(),
        size_bytes: sets * u64::from(ways) * u64::from(line_bytes),
        line_bytes,
        ways,
        latency_cycles: 1,
        replacement: Replacement::Lru,
        write: WritePolicy::Back,
        write_allocate: true,
        holds: Holds::Both,
        inclusion: Inclusion::Neither,
    }
}

fn caches(specs: &[CacheSpec]) -> PlainCaches {
    PlainCaches::new(specs, |name| stream(1, name))
}

impl PlainCaches {
    /// An access, whether or not the first level has it.
    fn make(&mut self, kind: Kind, address: Address, bytes: u16) -> Vec<Transfer> {
        if self.touch(kind, address, bytes) {
            return Vec::new();
        }
        self.access(kind, address, bytes);
        self.transfers.clone()
    }

    fn read(&mut self, address: Address) -> Vec<Transfer> {
        self.make(Kind::Read, address, 4)
    }

    fn put(&mut self, address: Address) -> Vec<Transfer> {
        self.make(Kind::Write, address, 4)
    }

    fn holds(&self, level: usize, address: Address) -> bool {
        let level = &self.levels[level];
        level.array.find(address >> level.line_shift).is_some()
    }

    fn count(&self, level: usize) -> PlainCounters {
        self.levels[level].counters
    }
}

fn fetched(address: Address, bytes: u32) -> Transfer {
    Transfer { address, bytes, write: false, awaited: true }
}

fn written(address: Address, bytes: u32) -> Transfer {
    Transfer { address, bytes, write: true, awaited: false }
}

/// One set of one way: every other line pushes the one before it out.
#[test]
fn a_dirty_victim_is_written_after_the_fetch_that_drove_it_out() {
    let mut caches = caches(&[cache("L1d", 1, 1, 64)]);
    assert_eq!(caches.put(0), [fetched(0, 64)]);
    assert_eq!(caches.read(64), [fetched(64, 64), written(0, 64)]);
    assert_eq!(caches.read(128), [fetched(128, 64)], "a clean victim is dropped");
    let count = caches.count(0);
    assert_eq!((count.accesses, count.misses), ([0, 2, 1], [0, 2, 1]));
    assert_eq!((count.evictions, count.writebacks, count.bytes_read, count.bytes_written), (2, 1, 192, 64));
}

#[test]
fn write_through_passes_every_write_and_without_allocation_changes_nothing_else() {
    let spec = CacheSpec { write: WritePolicy::Through, write_allocate: false, ..cache("L1d", 1, 2, 64) };
    let mut caches = caches(&[spec]);
    assert_eq!(caches.put(0), [written(0, 4)]);
    assert!(!caches.holds(0, 0));
    caches.read(0);
    caches.read(64);
    assert_eq!(caches.put(4), [written(4, 4)], "a hit passes on too");
    caches.put(128);
    caches.read(128);
    assert!(caches.holds(0, 0) && !caches.holds(0, 64), "the write that hit counts for replacement, the one that missed does not");
    let count = caches.count(0);
    assert_eq!((count.misses, count.writebacks, count.bytes_written), ([0, 3, 2], 0, 12));
}

#[test]
fn write_through_with_allocation_fetches_and_passes_on() {
    let mut caches = caches(&[CacheSpec { write: WritePolicy::Through, ..cache("L1d", 1, 1, 64) }]);
    assert_eq!(caches.put(8), [fetched(0, 64), written(8, 4)]);
    assert_eq!(caches.read(64), [fetched(64, 64)], "nothing is dirty");
}

#[test]
fn an_access_across_the_end_of_a_line_is_one_to_each_line() {
    let mut caches = caches(&[cache("L1d", 4, 1, 64)]);
    assert_eq!(caches.make(Kind::Read, 60, 8), [fetched(0, 64), fetched(64, 64)]);
    assert!(caches.make(Kind::Write, 60, 8).is_empty());
    let count = caches.count(0);
    assert_eq!((count.accesses, count.misses), ([0, 2, 2], [0, 2, 0]));
    assert_eq!(caches.dirty_lines().collect::<Vec<_>>(), [2]);
}

/// The second level sees the fetch, then the victim of the first; the victim covers its whole line, so it needs no fetch.
#[test]
fn a_victim_that_covers_the_line_of_the_next_level_is_not_fetched_there() {
    let mut caches = caches(&[cache("L1d", 1, 1, 64), cache("L2", 1, 1, 64)]);
    caches.put(0);
    assert_eq!(caches.read(64), [fetched(64, 64)], "the victim 0 takes the place of 64 in L2");
    assert!(caches.holds(1, 0) && !caches.holds(1, 64));
    let count = caches.count(1);
    assert_eq!((count.accesses, count.misses, count.bytes_read), ([0, 2, 1], [0, 2, 1], 128));
}

/// Longer lines outside: the victim of the first level is half a line of the second, which has to fetch it.
#[test]
fn a_victim_shorter_than_the_line_of_the_next_level_is_fetched_there() {
    let mut caches = caches(&[cache("L1d", 1, 1, 32), cache("L2", 1, 1, 64)]);
    assert_eq!(caches.put(0), [fetched(0, 64)]);
    // The fetch of 128 drives 0 out of L2, clean; the write of 0 drives 128 out.
    let fetch_for_victim = Transfer { awaited: false, ..fetched(0, 64) };
    assert_eq!(caches.read(128), [fetched(128, 64), fetch_for_victim]);
    let count = caches.count(1);
    assert_eq!((count.accesses, count.misses), ([0, 2, 1], [0, 2, 1]), "a write that misses in L1 reads in L2");
}

/// Shorter lines outside: a fetch is several accesses.
#[test]
fn a_fetch_longer_than_the_line_of_the_next_level_is_several() {
    let mut caches = caches(&[cache("L1d", 1, 1, 128), cache("L2", 4, 1, 32)]);
    assert_eq!(caches.read(0), [0, 32, 64, 96].map(|address| fetched(address, 32)));
    assert_eq!(caches.count(1).accesses, [0, 4, 0]);
}

#[test]
fn an_exclusive_level_swaps_lines_with_the_one_inside_it() {
    let exclusive = CacheSpec { inclusion: Inclusion::Exclusive, ..cache("L2", 1, 2, 64) };
    let mut caches = caches(&[cache("L1d", 1, 1, 64), exclusive]);
    let (a, b, c, d) = (0, 64, 128, 192);
    assert_eq!(caches.put(a), [fetched(a, 64)]);
    assert!(!caches.holds(1, a), "what memory delivers passes L2 by");
    assert_eq!(caches.read(b), [fetched(b, 64)]);
    assert!(caches.holds(1, a), "L2 takes in what L1 drops, dirty or not");
    assert!(caches.read(a).is_empty(), "a swap needs no memory");
    assert!(caches.holds(0, a) && caches.holds(1, b) && !caches.holds(1, a));
    assert_eq!(caches.read(c), [fetched(c, 64)]);
    // L2 holds b and the dirty a; d drives c into it, and b, the older, out of it.
    assert_eq!(caches.read(d), [fetched(d, 64)]);
    assert_eq!(caches.read(b), [fetched(b, 64), written(a, 64)], "a stayed dirty on its way");
    let count = caches.count(1);
    assert_eq!((count.accesses, count.misses, count.writebacks), ([0, 6, 0], [0, 5, 0], 1));
}

#[test]
fn a_line_that_leaves_an_inclusive_level_leaves_those_inside_it() {
    let instructions = CacheSpec { holds: Holds::Instructions, ..cache("L1i", 1, 4, 32) };
    let data = CacheSpec { holds: Holds::Data, ..cache("L1d", 1, 4, 32) };
    let inclusive = CacheSpec { inclusion: Inclusion::Inclusive, ..cache("L2", 1, 2, 64) };
    let mut caches = caches(&[instructions, data, inclusive]);
    caches.make(Kind::Fetch, 0, 4);
    caches.put(32);
    caches.read(64);
    assert_eq!(caches.read(128), [fetched(128, 64), written(0, 64)], "what is dirty inside makes the line dirty");
    assert!(!caches.holds(0, 0) && !caches.holds(1, 32) && caches.holds(1, 64));
    let [l1i, l1d, l2] = [0, 1, 2].map(|level| caches.count(level));
    assert_eq!((l1i.evictions, l1i.writebacks, l1d.evictions, l1d.writebacks, l2.writebacks), (1, 0, 1, 1, 1));
}

#[test]
fn without_an_instruction_cache_the_supply_of_instructions_is_perfect() {
    let mut caches = caches(&[CacheSpec { holds: Holds::Data, ..cache("L1d", 1, 1, 64) }]);
    assert!(caches.touch(Kind::Fetch, 0, 4));
    assert_eq!(caches.count(0).accesses, [0; 3]);
}

/// Dinero's rules as lists, one for each set, the next victim first.
struct Naive {
    spec: CacheSpec,
    sets: Vec<Vec<(u64, bool)>>,
    accesses: [u64; 3],
    misses: [u64; 3],
    writebacks: u64,
}

impl Naive {
    fn new(spec: &CacheSpec) -> Naive {
        let sets = vec![Vec::new(); spec.sets() as usize];
        Naive { spec: spec.clone(), sets, accesses: [0; 3], misses: [0; 3], writebacks: 0 }
    }

    /// Bytes read from memory and written to it are added to `memory`.
    fn access(levels: &mut [Naive], kind: Kind, address: u64, bytes: u64, memory: &mut [u64; 2]) {
        let Some((level, next)) = levels.split_first_mut() else {
            memory[usize::from(kind == Kind::Write)] += bytes;
            return;
        };
        let length = u64::from(level.spec.line_bytes);
        let mut at = address;
        while at < address + bytes {
            let end = (address + bytes).min((at / length + 1) * length);
            level.line(next, kind, at, end - at, memory);
            at = end;
        }
    }

    fn line(&mut self, next: &mut [Naive], kind: Kind, address: u64, bytes: u64, memory: &mut [u64; 2]) {
        let length = u64::from(self.spec.line_bytes);
        let line = address / length;
        let write = kind == Kind::Write;
        let back = self.spec.write == WritePolicy::Back;
        let n_sets = self.sets.len() as u64;
        let set = &mut self.sets[(line % n_sets) as usize];
        self.accesses[kind as usize] += 1;
        let place = set.iter().position(|&(held, _)| held == line);
        if let Some(place) = place {
            set[place].1 |= write && back;
            if self.spec.replacement == Replacement::Lru {
                let entry = set.remove(place);
                set.push(entry);
            }
        } else {
            self.misses[kind as usize] += 1;
            if write && !self.spec.write_allocate {
                return Naive::access(next, Kind::Write, address, bytes, memory);
            }
            if !(write && bytes == length) {
                let asks = if write { Kind::Read } else { kind };
                Naive::access(next, asks, line * length, length, memory);
            }
            let victim = (set.len() == self.spec.ways as usize).then(|| set.remove(0));
            set.push((line, write && back));
            if let Some((line, true)) = victim {
                self.writebacks += 1;
                Naive::access(next, Kind::Write, line * length, length, memory);
            }
        }
        if write && !back {
            Naive::access(next, Kind::Write, address, bytes, memory);
        }
    }
}

fn any_cache(name: &'static str) -> impl Strategy<Value = CacheSpec> {
    let lists = prop::sample::select(vec![Replacement::Lru, Replacement::Fifo]);
    let writes = prop::sample::select(vec![WritePolicy::Back, WritePolicy::Through]);
    (0_u32..3, 1_u32..4, 3_u32..6, lists, writes, any::<bool>()).prop_map(
        move |(sets, ways, line, replacement, write, write_allocate)| CacheSpec {
            replacement,
            write,
            write_allocate,
            ..cache(name, 1 << sets, ways, 1 << line)
        },
    )
}

fn any_trace() -> impl Strategy<Value = Vec<(Kind, u64, u16)>> {
    let kinds = prop::sample::select(vec![Kind::Fetch, Kind::Read, Kind::Write]);
    prop::collection::vec((kinds, 0_u64..512, prop::sample::select(vec![1_u16, 4, 8, 20])), 1..300)
}

proptest! {
    #[test]
    fn counts_are_those_of_dineros_rules(first in any_cache("L1"), second in any_cache("L2"), third in any_cache("L3"), trace in any_trace()) {
        let specs = [first, second, third];
        let mut caches = caches(&specs);
        let mut naive: Vec<Naive> = specs.iter().map(Naive::new).collect();
        let (mut memory, mut expected) = ([0; 2], [0; 2]);
        for (kind, address, bytes) in trace {
            for transfer in caches.make(kind, address, bytes) {
                memory[usize::from(transfer.write)] += u64::from(transfer.bytes);
            }
            Naive::access(&mut naive, kind, address, u64::from(bytes), &mut expected);
        }
        prop_assert_eq!(memory, expected);
        for (level, naive) in caches.counters().zip(&naive) {
            prop_assert_eq!((level.accesses, level.misses, level.writebacks), (naive.accesses, naive.misses, naive.writebacks));
        }
    }

    /// Whatever the inclusion and the policy: what was written reaches memory, afterwards at the latest, and the levels hold of each
    /// other's lines what they say.
    #[test]
    fn no_write_is_lost_and_inclusion_holds(
        inclusion in prop::sample::select(vec![Inclusion::Inclusive, Inclusion::Exclusive, Inclusion::Neither]),
        outer in prop::sample::select(vec![Inclusion::Inclusive, Inclusion::Neither]),
        replacement in prop::sample::select(vec![Replacement::Lru, Replacement::Fifo, Replacement::TreePlru, Replacement::Random, Replacement::Srrip]),
        allocates in any::<bool>(),
        trace in any_trace(),
    ) {
        let specs = [
            CacheSpec { replacement, write_allocate: allocates, ..cache("L1", 2, 2, 16) },
            CacheSpec { replacement, inclusion, ..cache("L2", 2, 4, 16) },
            CacheSpec { replacement, inclusion: outer, ..cache("L3", 2, 8, 32) },
        ];
        let mut caches = caches(&specs);
        let mut unwritten = std::collections::BTreeSet::new();
        for (kind, address, bytes) in trace {
            if kind == Kind::Write {
                unwritten.extend(address..address + u64::from(bytes));
            }
            for transfer in caches.make(kind, address, bytes).into_iter().filter(|transfer| transfer.write) {
                for byte in transfer.address..transfer.address + u64::from(transfer.bytes) {
                    unwritten.remove(&byte);
                }
            }
            for line in (0..512).step_by(16) {
                let held = [0, 1, 2].map(|level| caches.holds(level, line));
                match inclusion {
                    Inclusion::Inclusive => prop_assert!(!held[0] || held[1]),
                    Inclusion::Exclusive => prop_assert!(!(held[0] && held[1])),
                    Inclusion::Neither => {}
                }
                if outer == Inclusion::Inclusive {
                    prop_assert!(held[2] || !(held[0] || held[1]));
                }
            }
        }
        caches.transfers.clear();
        for number in 0..3 {
            let dirty = caches.levels[number].array.clean();
            let Level { next, line_shift, line_bytes, .. } = caches.levels[number];
            for line in dirty {
                caches.write(next, line << line_shift, line_bytes, false);
            }
        }
        for transfer in caches.transfers.iter().filter(|transfer| transfer.write) {
            for byte in transfer.address..transfer.address + u64::from(transfer.bytes) {
                unwritten.remove(&byte);
            }
        }
        prop_assert!(unwritten.is_empty(), "lost: {:?}", unwritten);
    }
}
