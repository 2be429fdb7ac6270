//! Traces in time and without: every cycle of small ones, and the same counts either way.

use proptest::prelude::*;

use super::translation::tlbs;
use super::*;
use crate::components::trace::{BATCH, Entries, Entry, Kind};
use crate::machine::simulation::replay::count;
use crate::machine::simulation::{PhaseError, PhaseReport, Simulation};

/// References at hand.
#[derive(Clone, Debug)]
pub struct AtHand(pub std::vec::IntoIter<Entry>);

impl AtHand {
    fn new(references: &[(Kind, u64)]) -> AtHand {
        let entries = references.iter().map(|&(kind, address)| Entry { address, bytes: 4, kind, core: 0 }).collect::<Vec<_>>();
        AtHand(entries.into_iter())
    }
}

impl Entries for AtHand {
    fn refill(&mut self, batch: &mut Vec<Entry>) -> Result<(), String> {
        batch.clear();
        batch.extend(self.0.by_ref().take(BATCH));
        Ok(())
    }
}

fn level(name: &str, sets: u64, ways: u32, latency: u32, holds: Holds) -> CacheSpec {
    CacheSpec { holds, inclusion: Inclusion::Neither, ..cache(name, sets, ways, latency) }
}

/// Caches of 64-byte lines on a clock of 1 GHz, and a memory that answers after 50 ns, moving 64 bytes in 10 ns, behind wires that take
/// no time.
fn plain(caches: Vec<CacheSpec>) -> NodeSpec {
    let mut spec = node(1);
    spec.core.clock = megahertz(1000);
    spec.caches = caches;
    spec.interconnect = InterconnectSpec::Ideal;
    spec.memory = MemorySpec::Simple(SimpleMemorySpec {
        latency: Time(50_000),
        bandwidth_bytes_per_second: 6_400_000_000,
        channels: 1,
        queue_capacity: 16,
    });
    spec.protocol = None;
    spec
}

fn replayed(spec: &NodeSpec, references: &[(Kind, u64)], run_ahead: bool) -> PhaseReport {
    let mut node = Simulation::with_trace(spec, vec![Box::new(AtHand::new(references))], u64::MAX).unwrap();
    node.set_run_ahead(run_ahead);
    node.run_trace().unwrap()
}

fn finish(report: &PhaseReport) -> u64 {
    report.metrics["node[0].core[0].finish_ps"]
}

fn stack(report: &PhaseReport, owner: &str) -> u64 {
    report.metrics[&format!("node[0].core[0].stack.{owner}_ps")]
}

fn split() -> Vec<CacheSpec> {
    vec![level("L1i", 4, 1, 1, Holds::Instructions), level("L1d", 4, 1, 3, Holds::Data), level("L2", 8, 1, 10, Holds::Both)]
}

/// Fetches of one line: the first takes its cycle, a lookup in L2 and memory; the others a cycle each. Reads of another line: lookups in
/// both levels and memory; then in the first.
#[test]
fn every_cycle_of_a_small_trace() {
    let spec = plain(split());
    let trace = [(Kind::Fetch, 0), (Kind::Fetch, 4), (Kind::Read, 256), (Kind::Fetch, 8), (Kind::Write, 260), (Kind::Read, 320)];
    let at = |n: usize| finish(&replayed(&spec, &trace[..n], true));
    let steps: Vec<u64> = (1..=trace.len()).map(|n| (at(n) - at(n - 1).min(at(n))) / 1000).collect();
    assert_eq!(steps, [1 + 10 + 50, 1, 3 + 10 + 50, 1, 3, 3 + 10 + 50]);
    let report = replayed(&spec, &trace, true);
    let stacks = ["base", "l1d", "l2", "memory_local"].map(|owner| stack(&report, owner) / 1000);
    assert_eq!(stacks, [3, 9, 30, 150]);
}

/// A write that misses nothing but the first level costs its lookup there alone where that level does not allocate.
#[test]
fn a_write_that_passes_on_is_not_waited_for() {
    let through = CacheSpec { write: WritePolicy::Through, write_allocate: false, ..level("L1d", 4, 1, 3, Holds::Data) };
    let spec = plain(vec![through]);
    let report = replayed(&spec, &[(Kind::Write, 0), (Kind::Write, 64)], true);
    assert_eq!(finish(&report), 6_000);
    // Four bytes hold the channel for 625 ps; the second leaves the core at 6 ns.
    assert_eq!(report.time, Time(6_625), "the run is over when memory has all that was written");
    assert_eq!((report.metrics["node[0].memory.writes"], report.metrics["node[0].memory.bytes_written"]), (2, 8));
}

/// Memory takes a transaction of 64 bytes every 10 ns; four writes wait while the core goes on, the next one stops it.
#[test]
fn the_core_waits_where_too_many_writes_wait() {
    let through = CacheSpec { write: WritePolicy::Through, write_allocate: false, ..level("L1d", 4, 1, 1, Holds::Data) };
    let mut spec = plain(vec![through]);
    spec.interconnect = InterconnectSpec::Snooping(SnoopingSpec { width_bytes: 1, address_cycles: 10, ..bus(megahertz(1000)) });
    let writes: Vec<(Kind, u64)> = (0..8).map(|n| (Kind::Write, 64 * n)).collect();
    // A write holds the bus's address wires for 10 ns and its data wires for 4: it is over 14 ns after its grant, and only then is the
    // next one sent. The first is sent at 1 ns, the n-th is over at 1 + 14 n; the fifth to come at 5 ns fills the buffer and waits for
    // the first to be over.
    let report = replayed(&spec, &writes[..4], true);
    assert_eq!((finish(&report), stack(&report, "queue")), (4_000, 0));
    let report = replayed(&spec, &writes[..5], true);
    assert_eq!((finish(&report), stack(&report, "queue")), (15_000, 10_000));
    let report = replayed(&spec, &writes[..6], true);
    assert_eq!((finish(&report), stack(&report, "queue")), (29_000, 23_000));
}

/// A fetch waits for its turn behind the victim that the one before it drove out.
#[test]
fn a_dirty_victim_goes_after_the_fetch_and_before_the_next() {
    let spec = plain(vec![level("L1d", 1, 1, 1, Holds::Data)]);
    let report = replayed(&spec, &[(Kind::Write, 0), (Kind::Read, 64), (Kind::Read, 128)], true);
    // 1 + 50; 1 + 50, the write of line 0 begins there and holds the channel for 10; 1 + 9 of waiting + 50.
    assert_eq!(finish(&report), 51_000 + 51_000 + 60_000);
    assert_eq!(report.metrics["node[0].memory.bytes_written"], 64);
}

#[test]
fn a_trace_longer_than_allowed_ends_either_way() {
    let spec = plain(split());
    let references = vec![(Kind::Read, 0); 5000];
    let mut node = Simulation::with_trace(&spec, vec![Box::new(AtHand::new(&references))], 4000).unwrap();
    assert!(matches!(node.run_trace(), Err(PhaseError::OperationLimit { limit: 4000, .. })));
    let counted = count(&spec, &mut AtHand::new(&references), 4000).unwrap();
    assert!(matches!(counted, Err(PhaseError::OperationLimit { limit: 4000, .. })));
}

/// A read waits for its walk: four loads through both data caches and from memory, then its own.
#[test]
fn every_cycle_of_a_walk() {
    let mut spec = plain(vec![level("L1d", 64, 8, 3, Holds::Data), level("L2", 64, 8, 10, Holds::Both)]);
    spec.translation = Some(tlbs(4, Some(16)));
    let trace = [(Kind::Read, 64), (Kind::Read, 4096 - 2), (Kind::Fetch, 9 << 12), (Kind::Write, 4)];
    let at = |n: usize| finish(&replayed(&spec, &trace[..n], true));
    let steps: Vec<u64> = (1..=trace.len()).map(|n| (at(n) - at(n - 1).min(at(n))) / 1000).collect();
    // The second touches two pages: the next one's entries are in the first cache, the reference's two lines are nowhere. Instructions
    // are not translated; theirs comes from memory, too.
    let miss = 3 + 10 + 50;
    assert_eq!(steps, [7 + 5 * miss, 7 + 4 * 3 + 3 + 10 + 2 * 50, 1 + 50, miss]);
    let report = replayed(&spec, &trace, true);
    assert_eq!(stack(&report, "translation") / 1000, 7 + 4 * miss + 7 + 4 * 3);
    let counted = ["l1.accesses", "l1.misses", "walks", "walk_loads"].map(|n| report.metrics[&format!("node[0].core[0].tlb.{n}")]);
    assert_eq!(counted, [4, 2, 2, 8]);
}

fn any_spec() -> impl Strategy<Value = NodeSpec> {
    let writes = prop::sample::select(vec![WritePolicy::Back, WritePolicy::Through]);
    let clocks = prop::sample::select(vec![None, Some(500), Some(1300)]);
    let translation = prop::sample::select(vec![None, Some(tlbs(1, Some(2)))]);
    (writes, any::<bool>(), clocks, 1_u64..3000, 0_u32..4, 1_u32..12, translation).prop_map(
        |(write, write_allocate, bus_clock, clock, first, second, translation)| {
            let mut caches = split();
            caches[1] = CacheSpec { write, write_allocate, latency_cycles: first, ..caches[1].clone() };
            caches[2].latency_cycles = second;
            let mut spec = plain(caches);
            spec.core.clock = megahertz(clock);
            spec.translation = translation;
            if let Some(clock) = bus_clock {
                spec.interconnect = InterconnectSpec::Snooping(bus(megahertz(clock)));
            }
            spec
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// With time or without it, the caches count the same; running ahead changes no figure.
    #[test]
    fn time_changes_no_count_and_running_ahead_no_figure(
        spec in any_spec(),
        references in prop::collection::vec((prop::sample::select(vec![Kind::Fetch, Kind::Read, Kind::Write]), 0_u64..2048), 0..400),
        pages in 1_u64..5,
    ) {
        // Some references touch two pages.
        let references: Vec<(Kind, u64)> =
            references.into_iter().map(|(kind, address)| (kind, (address & !1) + address % pages * 4096)).collect();
        let timed = replayed(&spec, &references, true);
        let plodding = replayed(&spec, &references, false);
        prop_assert_eq!((&timed.metrics, timed.time), (&plodding.metrics, plodding.time));
        let counted = count(&spec, &mut AtHand::new(&references), u64::MAX).unwrap().unwrap();
        for (path, value) in &counted.metrics {
            prop_assert_eq!(timed.metrics.get(path), Some(value), "{}", path);
        }
    }
}
