//! Traces of several cores through coherent caches: counts and cycles worked out by hand, and random ones under the watch over versions.

use proptest::prelude::*;

use super::prefetch::prefetcher;
use super::replay::AtHand;
use super::translation::tlbs;
use super::*;
use crate::components::prefetcher::{PrefetcherKind, PrefetcherSpec};
use crate::components::trace::{BATCH, Entries, Entry, Kind};
use crate::machine::simulation::replay::count;
use crate::machine::simulation::{PhaseError, PhaseReport, Simulation};

fn entry(core: u16, kind: Kind, address: u64, bytes: u16) -> Entry {
    Entry { address, bytes, kind, core }
}

/// Where instructions lie that are only fetched to pass the time.
const PAUSE: u64 = 1 << 50;

/// A core's references among those of several that take turns: between two of them every core fetches instructions, a cycle each, for
/// longer than all that any core ever waits.
#[derive(Debug)]
struct Turns {
    core: u16,
    steps: std::vec::IntoIter<Entry>,
    pause: usize,
    left: usize,
}

impl Entries for Turns {
    fn refill(&mut self, batch: &mut Vec<Entry>) -> Result<(), String> {
        batch.clear();
        while batch.len() < BATCH {
            if self.left > 0 {
                let n = self.left.min(BATCH - batch.len());
                batch.extend(std::iter::repeat_n(entry(self.core, Kind::Fetch, PAUSE, 4), n));
                self.left -= n;
                continue;
            }
            let Some(step) = self.steps.next() else { break };
            batch.extend((step.core == self.core).then_some(step));
            self.left = self.pause;
        }
        Ok(())
    }
}

fn run(spec: &NodeSpec, entries: Vec<Box<dyn Entries>>, run_ahead: bool) -> Result<PhaseReport, PhaseError> {
    let mut node = Simulation::with_trace(spec, entries, u64::MAX).unwrap();
    node.set_run_ahead(run_ahead);
    node.run_trace()
}

/// Each core goes at its own pace.
pub fn replayed(spec: &NodeSpec, trace: &[Entry], run_ahead: bool) -> PhaseReport {
    let of_core = |core| trace.iter().copied().filter(|entry| u32::from(entry.core) == core).collect::<Vec<Entry>>();
    let entries = (0..spec.cores).map(|core| Box::new(AtHand(of_core(core).into_iter())) as Box<dyn Entries>);
    run(spec, entries.collect(), run_ahead).unwrap()
}

/// Cores take turns, with so many cycles for each.
pub fn in_turns(spec: &NodeSpec, trace: &[Entry], pause: usize) -> PhaseReport {
    let of_core = |core| Turns { core: core as u16, steps: Vec::from(trace).into_iter(), pause, left: pause };
    run(spec, (0..spec.cores).map(|core| Box::new(of_core(core)) as Box<dyn Entries>).collect(), true).unwrap()
}

/// Without time, in the order of the trace.
fn counted(spec: &NodeSpec, trace: &[Entry]) -> PhaseReport {
    count(spec, &mut AtHand(Vec::from(trace).into_iter()), u64::MAX).unwrap().unwrap()
}

fn counters<const N: usize>(report: &PhaseReport, path: &str, names: [&str; N]) -> [u64; N] {
    names.map(|name| report.metrics[&format!("node[0].{path}.{name}")])
}

/// Two cores share a line: each reads it, writes it, and loses it to the other; core 0 has another for itself.
pub const SHARED_LINE: [(u16, Kind, u64); 9] = [
    (0, Kind::Read, 4096),
    (0, Kind::Write, 4096),
    (0, Kind::Read, 0),
    (1, Kind::Read, 0),
    (0, Kind::Write, 0),
    (1, Kind::Read, 0),
    (1, Kind::Write, 24),
    (0, Kind::Write, 0),
    (1, Kind::Read, 0),
];

pub fn shared_line() -> Vec<Entry> {
    SHARED_LINE.map(|(core, kind, address)| entry(core, kind, address, 8)).to_vec()
}

/// What a run of [`SHARED_LINE`] counts under a protocol, whatever joins the cores.
///
/// With invalidation the reads of core 0 and core 1 bring the line; core 0's write takes it from core 1, which misses what was written
/// (true sharing); core 1's write takes it from core 0, which misses another word (false sharing), takes it from core 1, and that misses
/// what core 0 wrote. Lines come from memory at the first three reads, from the other cache at the other three. MSI asks before core 0
/// writes the line that it has alone, MESI does not. With updates nothing is lost: each write of the shared line sends its word.
pub fn assert_shared_line(report: &PhaseReport, protocol: &str) {
    let transactions = counters(report, "interconnect", ["bus_rd", "bus_rdx", "bus_upgr", "bus_upd", "bus_wb", "flushes"]);
    let memory = counters(report, "memory", ["reads", "writes"]);
    let of = |core| {
        let names = ["hits", "read_misses", "write_misses", "upgrades", "invalidations"];
        let causes = ["misses_cold", "misses_true_sharing", "misses_false_sharing", "misses_conflict", "misses_capacity"];
        let path = format!("core[{core}].l1d");
        (counters(report, &path, names), counters(report, &path, causes))
    };
    match protocol {
        "MSI" | "MESI" => {
            let asked_alone = u64::from(protocol == "MSI");
            assert_eq!(transactions, [5, 1, 2 + asked_alone, 0, 0, 3], "{protocol}");
            assert_eq!(memory, [3, 3], "{protocol}: what another cache supplies memory takes, too");
            assert_eq!(of(0), ([2, 2, 1, 1 + asked_alone, 1], [2, 0, 1, 0, 0]), "{protocol}");
            assert_eq!(of(1), ([1, 3, 0, 1, 2], [1, 2, 0, 0, 0]), "{protocol}");
        }
        "Dragon" => {
            assert_eq!(transactions, [3, 0, 0, 3, 0, 0]);
            assert_eq!(memory, [3, 0]);
            assert_eq!(of(0), ([3, 2, 0, 2, 0], [2, 0, 0, 0, 0]));
            assert_eq!(of(1), ([3, 1, 0, 1, 0], [1, 0, 0, 0, 0]));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_line_that_two_cores_share_counts_what_its_protocol_says() {
    for protocol in [msi(), mesi(), dragon()] {
        let with = |interconnect| NodeSpec {
            cores: 2,
            protocol: Some(Arc::clone(&protocol)),
            interconnect,
            ..bare(vec![cache("L1d", 4, 2, 1)], 10)
        };
        let snooping = transports().map(|transport| InterconnectSpec::Snooping(SnoopingSpec { transport, ..bus(megahertz(500)) }));
        for interconnect in snooping.into_iter().chain([InterconnectSpec::Ideal]) {
            let report = in_turns(&with(interconnect), &shared_line(), 2000);
            assert_shared_line(&report, &protocol.name);
        }
    }
}

#[test]
fn without_time_it_counts_the_same() {
    for protocol in [msi(), mesi(), dragon()] {
        let spec = NodeSpec { cores: 2, protocol: Some(Arc::clone(&protocol)), ..bare(vec![cache("L1d", 4, 2, 1)], 10) };
        assert_shared_line(&counted(&spec, &shared_line()), &protocol.name);
    }
}

/// An instruction takes a cycle, an access its lookups and what memory takes; a reference that crosses the end of a line is an access
/// to each.
#[test]
fn every_cycle_of_a_small_trace() {
    let holding = |cache, holds| CacheSpec { holds, ..cache };
    let data = vec![cache("L1d", 4, 2, 3), cache("L2", 8, 4, 10)];
    let trace = [
        entry(0, Kind::Fetch, 0, 4),
        entry(0, Kind::Read, 0, 8),
        entry(0, Kind::Read, 4, 4),
        entry(0, Kind::Read, 60, 8),
        entry(0, Kind::Write, 128, 1),
        entry(0, Kind::Write, 132, 16),
        entry(0, Kind::Fetch, 64, 4),
    ];
    let cycles = |caches: &[CacheSpec]| -> Vec<u64> {
        let spec = bare(caches.to_vec(), 50);
        let finish = |n: usize| replayed(&spec, &trace[..n], true).time.0 / 1000;
        (1..=trace.len()).map(|n| finish(n) - finish(n - 1)).collect()
    };
    assert_eq!(cycles(&data), [1, 63, 3, 66, 63, 3, 1]);
    // Instructions come through a first level of their own: its lookup is hidden in their cycle. The last lies in a line that L2 has as
    // data.
    let split = [holding(cache("L1i", 4, 2, 1), Holds::Instructions), data[0].clone(), holding(data[1].clone(), Holds::Both)];
    assert_eq!(cycles(&split), [61, 13, 3, 66, 63, 3, 11]);
    // Without one they are looked for where instructions are held.
    assert_eq!(cycles(&split[1..]), [51, 13, 3, 66, 63, 3, 1]);
    let report = replayed(&bare(split.to_vec(), 50), &trace, true);
    assert_eq!(counters(&report, "core[0]", ["operations", "accesses", "fetches", "reads", "writes"]), [2, 5, 2, 3, 2]);
    assert_eq!(counters(&report, "core[0].l1d", ["accesses", "read_misses", "write_misses"]), [6, 2, 1]);
    assert_eq!(counters(&report, "core[0].l1i", ["accesses", "fetch_misses"]), [2, 2]);
}

/// A reference is translated once for each page that it touches.
#[test]
fn references_that_cross_lines_and_pages() {
    let spec = NodeSpec { translation: Some(tlbs(4, Some(16))), ..bare(vec![cache("L1d", 64, 8, 3)], 50) };
    let trace = [entry(0, Kind::Read, 60, 8), entry(0, Kind::Write, 4094, 4), entry(0, Kind::Read, 8192, 4096)];
    let report = replayed(&spec, &trace, true);
    assert_eq!(counters(&report, "core[0].tlb.l1", ["accesses", "misses"]), [1 + 2 + 1, 3]);
    let walk_loads = 3 * 4;
    assert_eq!(counters(&report, "core[0].l1d", ["accesses"]), [2 + 2 + 64 + walk_loads]);
}

/// A word is true sharing for whoever wants any of the bytes that were written.
#[test]
fn sharing_looks_at_all_bytes_of_a_reference() {
    let spec = NodeSpec { cores: 2, ..bare(vec![cache("L1d", 4, 2, 1)], 10) };
    let causes = |written: (u64, u16), wanted: (u64, u16)| {
        let trace = [(1, Kind::Read, (0, 1)), (0, Kind::Write, written), (1, Kind::Read, wanted)];
        let trace = trace.map(|(core, kind, (address, bytes))| entry(core, kind, address, bytes));
        counters(&in_turns(&spec, &trace, 1000), "core[1].l1d", ["misses_true_sharing", "misses_false_sharing"])
    };
    assert_eq!(causes((0, 8), (8, 8)), [0, 1]);
    assert_eq!(causes((0, 16), (8, 8)), [1, 0], "the second word was written, too");
    assert_eq!(causes((32, 4), (0, 33)), [1, 0], "the last byte wanted lies in the word written");
    assert_eq!(causes((32, 4), (0, 32)), [0, 1]);
}

/// A load finds what it wants in the store buffer, or not at all, or a part of it; then it waits until the store is in the cache.
#[test]
fn stores_of_a_trace_wait_in_the_store_buffer() {
    let mut spec = bare(vec![cache("L1d", 4, 2, 3)], 50);
    spec.core.consistency = Consistency::Tso;
    spec.core.store_buffer = Some(4);
    let run = |references: &[(Kind, u64, u16)]| {
        let trace: Vec<Entry> = references.iter().map(|&(kind, address, bytes)| entry(0, kind, address, bytes)).collect();
        let report = replayed(&spec, &trace, true);
        (report.time.0 / 1000, counters(&report, "core[0]", ["forwarded_loads"])[0])
    };
    let store = (Kind::Write, 0, 8);
    assert_eq!(run(&[store]), (53, 0), "the end waits for it");
    assert_eq!(run(&[store, (Kind::Read, 64, 8)]), (53, 0), "both misses at the same time");
    assert_eq!(run(&[store, (Kind::Read, 4, 4)]), (53, 1));
    assert_eq!(run(&[store, (Kind::Read, 4, 8)]), (53 + 3, 0), "half of it: the load comes behind the store");
    assert_eq!(run(&[store, (Kind::Write, 8, 1), (Kind::Read, 0, 8)]).1, 1, "the younger store has nothing of it");
    assert_eq!(run(&[store, (Kind::Write, 4, 1), (Kind::Read, 0, 8)]).1, 0, "the younger store has a part of it");
}

/// What a trace says nothing of is not made up.
#[test]
fn mechanisms_that_a_trace_says_nothing_of_are_refused() {
    let refused = |spec: &NodeSpec| {
        let faults = Simulation::with_trace(spec, Vec::new(), 10).unwrap_err();
        faults.into_iter().map(|fault| format!("{}: {}", fault.key, fault.message)).collect::<Vec<_>>().join("; ")
    };
    let mut spec = node(2);
    spec.core.out_of_order = Some(out_of_order(4, 32, 4));
    assert_eq!(
        refused(&spec),
        "core.kind: a trace does not say which operations depend on which: it cannot be run in time on an out-of-order core"
    );
    let mut spec = node(2);
    spec.core.branches = Some(BranchSpec { predictor: PredictorSpec::Static, misprediction_cycles: 10 });
    assert_eq!(refused(&spec), "core.predictor: a trace does not say which instructions are branches: there is nothing to predict");
}

/// Cores without caches, which nothing has to keep coherent, share the bus and the memory.
#[test]
fn cores_without_caches_replay_too() {
    let with = |cores| NodeSpec { cores, protocol: None, ..bare(Vec::new(), 50) };
    let of = |core: u16| {
        let place = 16 * u64::from(core);
        [entry(core, Kind::Read, place, 8), entry(core, Kind::Fetch, 0, 4), entry(core, Kind::Write, place + 8, 4)]
    };
    let one = replayed(&with(1), &of(0), true);
    let two = replayed(&with(2), &[of(0), of(1)].concat(), true);
    assert_eq!(two.metrics["node[0].core[1].finish_ps"], one.metrics["node[0].core[0].finish_ps"]);
    assert_eq!(counters(&two, "memory", ["reads", "writes", "bytes_read", "bytes_written"]), [2, 2, 16, 8]);
    assert_eq!((two.totals.operations, two.totals.accesses, two.totals.bytes), (2, 4, 24));
}

#[test]
fn the_limit_counts_the_references_of_all_cores() {
    let spec = node(2);
    let trace = || -> Vec<Box<dyn Entries>> {
        (0..2).map(|core| Box::new(AtHand(vec![entry(core, Kind::Read, 60, 8); 3000].into_iter())) as Box<dyn Entries>).collect()
    };
    assert!(Simulation::with_trace(&spec, trace(), 6000).unwrap().run_trace().is_ok());
    let stopped = Simulation::with_trace(&spec, trace(), 5999).unwrap().run_trace();
    assert_eq!(stopped.unwrap_err(), PhaseError::OperationLimit { limit: 5999, lines: Vec::new() });
}

/// Few lines and small caches of every make, on every interconnect.
fn any_spec() -> impl Strategy<Value = NodeSpec> {
    let caches = prop::sample::select(hierarchies().into_iter().map(|(_, caches)| caches).collect::<Vec<_>>());
    let protocols = prop::sample::select(protocols().to_vec());
    let transport = prop::sample::select(transports().into_iter().map(Some).chain([None]).collect::<Vec<_>>());
    let extra = prop::sample::select(vec!["", "llc", "tso", "prefetcher", "tlb"]);
    (1_u32..4, caches, protocols, transport, extra).prop_map(|(cores, caches, protocol, transport, extra)| {
        let mut spec = NodeSpec { cores, caches, protocol: Some(protocol), ..node(1) };
        spec.interconnect = transport.map_or(InterconnectSpec::Ideal, |transport| {
            InterconnectSpec::Snooping(SnoopingSpec { transport, ..bus(megahertz(1300)) })
        });
        match extra {
            "llc" => spec.llc = Some(llc(megahertz(900), 2, 3)),
            "tso" => (spec.core.consistency, spec.core.store_buffer) = (Consistency::Tso, Some(3)),
            "prefetcher" => {
                spec.prefetcher = Some(PrefetcherSpec { mshrs: 2, ..prefetcher(PrefetcherKind::NextLine, 2, 1) });
            }
            "tlb" => spec.translation = Some(tlbs(1, Some(2))),
            _ => {}
        }
        spec
    })
}

pub fn any_trace(cores: u16, most: usize) -> impl Strategy<Value = Vec<Entry>> {
    let kinds = prop::sample::select(vec![Kind::Fetch, Kind::Read, Kind::Read, Kind::Write]);
    let bytes = prop_oneof![8 => 1_u16..9, 2 => 1_u16..200];
    let one = (0..cores, kinds, 0_u64..640, bytes, prop::sample::select(vec![0_u64, 0, 0, 4096, 1 << 40]));
    prop::collection::vec(one.prop_map(|(core, kind, address, bytes, far)| entry(core, kind, address + far, bytes)), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever the cores do to each other, every read finds the last write, all figures add up, and running ahead changes none.
    #[test]
    fn random_traces_are_coherent_and_run_ahead_alike(spec in any_spec(), trace in any_trace(3, 400)) {
        let trace: Vec<Entry> = trace.into_iter().map(|entry| Entry { core: entry.core % spec.cores as u16, ..entry }).collect();
        let ahead = replayed(&spec, &trace, true);
        let plodding = replayed(&spec, &trace, false);
        prop_assert_eq!((&ahead.metrics, ahead.time), (&plodding.metrics, plodding.time));
        let [reads, writes] = [Kind::Read, Kind::Write].map(|kind| trace.iter().filter(|entry| entry.kind == kind).count() as u64);
        prop_assert_eq!(ahead.totals.accesses, reads + writes);
    }

    /// Where cores take turns, and none comes while another's write-back is still on its way, time changes no count.
    #[test]
    fn taking_turns_counts_the_same_with_time_and_without(
        caches in prop::sample::select(hierarchies()),
        protocol in prop::sample::select(protocols().to_vec()),
        cores in 1_u16..4,
        trace in any_trace(3, 60),
        shared in any::<bool>(),
    ) {
        let trace: Vec<Entry> = trace.into_iter().map(|entry| Entry { core: entry.core % cores, bytes: 1, ..entry }).collect();
        let mut spec = NodeSpec { cores: u32::from(cores), protocol: Some(protocol), ..bare(caches.1, 1) };
        if shared {
            // Larger than all that is used: what is written back comes to it late, and drives out nothing.
            spec.llc = Some(llc(megahertz(1000), 64, 1));
        }
        let timed = in_turns(&spec, &trace, 1500);
        // The pauses as well.
        let pauses: Vec<Entry> = (0..cores).flat_map(|core| vec![entry(core, Kind::Fetch, PAUSE, 4); 1500]).collect();
        let steps = trace.iter().flat_map(|&step| std::iter::once(step).chain(pauses.iter().copied()));
        let counted = counted(&spec, &pauses.iter().copied().chain(steps).collect::<Vec<Entry>>());
        for (path, value) in &counted.metrics {
            prop_assert_eq!(timed.metrics.get(path), Some(value), "{}", path);
        }
    }

    /// A single core has nothing to share: where its caches are alike, coherence changes no count.
    #[test]
    fn one_core_counts_the_same_with_coherence_and_without(
        name in prop::sample::select(vec!["one", "three inclusive", "split"]),
        protocol in prop::sample::select(protocols().to_vec()),
        replacement in prop::sample::select(vec![Replacement::Lru, Replacement::Fifo]),
        translation in prop::sample::select(vec![None, Some(tlbs(1, Some(2)))]),
        trace in any_trace(1, 600),
    ) {
        let inclusive = hierarchies().into_iter().find(|&(other, _)| other == name).map(|(_, caches)| caches);
        let caches = inclusive.unwrap_or(vec![cache("L1d", 2, 2, 1)]);
        let caches: Vec<CacheSpec> = caches.into_iter().map(|cache| CacheSpec { replacement, ..cache }).collect();
        // Pages are translated before the first access without coherence, and one after the other with it.
        let in_a_page = |entry: &Entry| entry.address % 4096 + u64::from(entry.bytes) <= 4096;
        // A line that is written whole is not fetched without coherence, and asked for with it.
        let in_part = |entry: Entry| Entry { bytes: if entry.kind == Kind::Write { entry.bytes.min(32) } else { entry.bytes }, ..entry };
        // A victim that is written to the next level counts there as used without coherence.
        let kind = |kind| if name != "one" && kind == Kind::Write { Kind::Read } else { kind };
        let no_victim = |entry: Entry| Entry { kind: kind(entry.kind), ..entry };
        let trace: Vec<Entry> = trace.into_iter().map(in_part).map(no_victim).filter(in_a_page).collect();
        let coherent = NodeSpec { protocol: Some(protocol), translation, ..bare(caches, 10) };
        let plain = NodeSpec { protocol: None, ..coherent.clone() };
        let [coherent, plain] = [&coherent, &plain].map(|spec| counted(spec, &trace).metrics);
        let first = ["accesses", "hits", "misses", "read_misses", "write_misses", "fetch_misses", "evictions", "writebacks", "bytes_read"];
        let causes = ["misses_cold", "misses_capacity", "misses_conflict"];
        let of_cache = |cache: &str| first.iter().chain(&causes).map(|name| format!("core[0].{cache}.{name}")).collect::<Vec<_>>();
        let memory = ["reads", "writes", "bytes_read", "bytes_written"].map(|name| format!("memory.{name}"));
        let outer = ["misses", "evictions", "fetch_misses"].map(|name| format!("core[0].l2.{name}"));
        for path in of_cache("l1d").into_iter().chain(of_cache("l1i")).chain(memory).chain(outer) {
            let path = format!("node[0].{path}");
            prop_assert_eq!(coherent.get(&path), plain.get(&path), "{}", path);
        }
    }
}
