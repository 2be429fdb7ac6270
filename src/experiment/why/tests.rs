//! Each sentence from figures made by hand.

use indexmap::IndexMap;

use super::reasons;
use crate::experiment::record::ProfileLine;
use crate::machine::Machine;
use crate::machine::catalogue::{Catalogue, Kind};

const PROGRAM: &str = "\
array a: f64[n]
array partial: i64[threads]
shared total: i64 = 0
mutex guard
array turn: i64[1] padded
semaphore places = 2
parallel for i in 0..n {
    a[i] = 1.0
    partial[thread] += 1
    atomic total += 1
    lock guard {
    await turn[0] == 1
    barrier
    acquire places
}
for round in 0..n {
    while total > 0 {
";
const STORE: u32 = 8;
const PARTIAL: u32 = 9;
const ATOMIC: u32 = 10;
const LOCK: u32 = 11;
const AWAIT: u32 = 12;
const BARRIER: u32 = 13;
const ACQUIRE: u32 = 14;
const ROUND: u32 = 16;

/// Figures of a run of 1000 ps.
#[derive(Default)]
struct Made {
    metrics: IndexMap<String, u64>,
    profile: Vec<ProfileLine>,
}

impl Made {
    /// Equal cores whose time went to these owners in this line.
    fn new(cores: u32, line: u32, stack: &[(&str, u64)]) -> Made {
        (0..cores).fold(Made::default(), |made, core| made.core(core, line, stack))
    }

    fn core(mut self, core: u32, line: u32, stack: &[(&str, u64)]) -> Made {
        for (owner, time) in stack {
            self.metrics.insert(format!("node[0].core[{core}].stack.{owner}_ps"), *time);
        }
        let at = self.profile.iter().position(|found| found.line == line).unwrap_or_else(|| {
            self.profile.push(ProfileLine { line, time_ps: 0, stack: IndexMap::new() });
            self.profile.len() - 1
        });
        for (owner, time) in stack.iter().filter(|(owner, _)| *owner != "idle") {
            self.profile[at].time_ps += time;
            *self.profile[at].stack.entry(owner.to_string()).or_default() += time;
        }
        self.profile.sort_by_key(|line| std::cmp::Reverse(line.time_ps));
        self
    }

    fn counted(mut self, counters: &[(&str, u64)]) -> Made {
        self.metrics.extend(counters.iter().map(|(path, value)| (format!("node[0].{path}"), *value)));
        self
    }

    fn reasons(&self, machine: &str) -> Vec<String> {
        let catalogue = Catalogue::built_in();
        let machine = &catalogue.find(Kind::Machine, machine).unwrap().source;
        let machine = Machine::resolve(machine, &[], &catalogue).unwrap();
        let reasons = reasons(1000, &self.metrics, &self.profile, PROGRAM, &machine.nodes);
        // Evidence must be there: of some part of the record, or a line of the profile.
        for path in reasons.iter().flat_map(|reason| &reason.evidence).filter(|path| !path.starts_with("profile.line[")) {
            assert!(path.contains('.') || path.ends_with("_ps") || path == "operations", "{path}");
        }
        reasons.into_iter().map(|reason| reason.sentence).collect()
    }

    fn headline(&self, machine: &str) -> String {
        self.reasons(machine).swap_remove(0)
    }
}

#[test]
fn a_run_in_no_time() {
    assert_eq!(reasons(0, &IndexMap::new(), &[], "", &[])[0].sentence, "Everything this run needed was ideal, so it took no time.");
}

#[test]
fn instructions() {
    let made = Made::new(4, STORE, &[("base", 740), ("l1d", 230), ("memory_local", 30)]);
    insta::assert_snapshot!(made.headline("uma-bus-4"), @"");
    let made = made.counted(&[("core[0].operations", 2000)]);
    insta::assert_snapshot!(made.headline("uma-bus-4"), @"");
    let alone = Made::new(1, STORE, &[("base", 999), ("branch", 1)]);
    insta::assert_snapshot!(alone.headline("uniprocessor"), @"");
    insta::assert_snapshot!(alone.headline("ideal"), @"");
}

#[test]
fn a_cache() {
    let made = Made::new(1, STORE, &[("base", 300), ("l1d", 100), ("l2", 600)]);
    let counters =
        [("accesses", 100), ("misses", 80), ("evictions", 80)].map(|(name, value)| (format!("core[0].l1d.{name}"), value));
    let made = made.counted(&counters.each_ref().map(|(path, value)| (path.as_str(), *value)));
    let made = made.counted(&[("core[0].l2.accesses", 80), ("core[0].l2.hits", 76)]);
    insta::assert_snapshot!(made.headline("uniprocessor"), @"");
}

#[test]
fn memory() {
    let made = Made::new(1, STORE, &[("base", 300), ("memory_local", 600), ("network", 80), ("coherence", 20)]);
    let with = |misses: u64, evictions: u64, invalidations: u64, bytes: u64| {
        let counters =
            [("core[0].l2.misses", misses), ("core[0].l2.evictions", evictions), ("core[0].l2.invalidations", invalidations)];
        let made = Made { metrics: made.metrics.clone(), profile: made.profile.clone() };
        made.counted(&counters).counted(&[("interconnect.bytes", bytes)]).headline("uniprocessor")
    };
    insta::assert_snapshot!(with(2000, 1990, 0, 0), @"");
    insta::assert_snapshot!(with(2000, 2000, 0, 1), @"");
    insta::assert_snapshot!(with(2000, 10, 10, 1), @"");
    insta::assert_snapshot!(with(2000, 900, 900, 1), @"");
    let moving = Made::new(1, STORE, &[("base", 200), ("memory_local", 600), ("queue", 200)]).counted(&[("interconnect.bytes", 1)]);
    insta::assert_snapshot!(moving.headline("uniprocessor"), @"");
}

#[test]
fn lines_that_other_cores_write() {
    let at = |line: u32| {
        let made = Made::new(2, line, &[("base", 80), ("coherence", 690), ("memory_local", 230)]);
        made.counted(&[("core[0].l2.misses", 2000), ("core[0].l2.invalidations", 2500)])
    };
    insta::assert_snapshot!(at(PARTIAL).headline("uma-bus-4"), @"");
    insta::assert_snapshot!(at(ATOMIC).headline("uma-bus-4"), @"");
    insta::assert_snapshot!(at(STORE).headline("uma-bus-4"), @"");
    insta::assert_snapshot!(at(17).headline("uma-bus-4"), @"");
    let updates = at(STORE).counted(&[("interconnect.bus_upd", 9000)]);
    insta::assert_snapshot!(updates.headline("uma-bus-4"), @"");
}

#[test]
fn a_resource_at_its_limit() {
    let stack = [("base", 400), ("l1d", 300), ("memory_local", 100), ("queue", 200)];
    let counters = [("core[0].l1d.accesses", 10_000), ("core[0].l2.misses", 2000), ("interconnect.bytes", 8)];
    let evicted = Made::new(2, STORE, &stack).counted(&counters).counted(&[("core[0].l2.evictions", 2000)]);
    insta::assert_snapshot!(evicted.headline("uma-bus-4"), @"");
    assert!(!evicted.reasons("uma-bus-4").iter().any(|sentence| sentence.contains("latency")));
    let flushes = [("interconnect.flushes", 2000), ("core[0].l2.invalidations", 2000)];
    insta::assert_snapshot!(Made::new(2, STORE, &stack).counted(&counters).counted(&flushes).headline("uma-bus-4"), @"");
    let handed = Made::new(2, STORE, &stack).counted(&counters).counted(&flushes[..1]);
    insta::assert_snapshot!(handed.headline("uma-bus-4"), @"");
    // Who does not wait for it is not held back by it.
    let other = Made::new(2, STORE, &[("base", 900), ("memory_local", 100)]).counted(&counters);
    assert!(other.headline("uma-bus-4").contains("own instructions take 90%"));
}

#[test]
fn waiting_for_threads() {
    let at = |line: u32| Made::new(2, line, &[("base", 80), ("synchronisation", 500), ("coherence", 420)]).headline("uma-bus-4");
    insta::assert_snapshot!(at(LOCK), @"");
    insta::assert_snapshot!(at(ACQUIRE), @"");
    insta::assert_snapshot!(at(AWAIT), @"");
    insta::assert_snapshot!(at(BARRIER), @"");
    insta::assert_snapshot!(at(ROUND), @"");
    let free = Made::new(2, LOCK, &[("base", 24), ("synchronisation", 976)]);
    insta::assert_snapshot!(free.headline("ideal"), @"");
}

#[test]
fn unequal_threads() {
    let busy = [("base", 900), ("synchronisation", 100)];
    let waits = |base: u64| [("base", base), ("synchronisation", 1000 - base)];
    let three = |base: u64| (1..4).fold(Made::default().core(0, STORE, &busy), |made, core| made.core(core, ROUND, &waits(base)));
    insta::assert_snapshot!(three(10).headline("uma-bus-4"), @"");
    insta::assert_snapshot!(three(200).headline("uma-bus-4"), @"");
    let at_barrier = (1..4).fold(Made::default().core(0, STORE, &busy), |made, core| made.core(core, BARRIER, &waits(200)));
    insta::assert_snapshot!(at_barrier.headline("uma-bus-4"), @"");
    let equal = Made::new(4, ROUND, &[("base", 300), ("synchronisation", 700)]);
    insta::assert_snapshot!(equal.headline("uma-bus-4"), @"");
    let ended = Made::new(2, STORE, &[("base", 300), ("idle", 700)]);
    insta::assert_snapshot!(ended.headline("uma-bus-4"), @"");
}

#[test]
fn further_sentences() {
    let made = Made::new(1, STORE, &[("base", 1000)]).core(1, 0, &[("idle", 1000)]).core(2, 0, &[("idle", 1000)]);
    insta::assert_snapshot!(made.reasons("uma-bus-4")[1..].join("\n"), @"");
    // A trace has no lines.
    let mut trace = Made::new(1, STORE, &[("base", 300), ("memory_local", 700)]);
    trace.profile.clear();
    insta::assert_snapshot!(trace.reasons("uniprocessor").join("\n"), @"");
    let without = Made::new(2, STORE, &[("base", 500), ("synchronisation", 200), ("memory_local", 300)]);
    insta::assert_snapshot!(without.reasons("uma-bus-4")[1..].join("\n"), @"");
}
