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

/// Figures of a run.
struct Made {
    time_ps: u64,
    metrics: IndexMap<String, u64>,
    profile: Vec<ProfileLine>,
}

impl Default for Made {
    fn default() -> Made {
        Made { time_ps: 1000, metrics: IndexMap::new(), profile: Vec::new() }
    }
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
            self.profile.push(ProfileLine { line, time_ps: 0, stack: IndexMap::new(), misses: IndexMap::new() });
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
        let reasons = reasons(self.time_ps, &self.metrics, &self.profile, PROGRAM, &machine.nodes, None);
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
    assert_eq!(
        reasons(0, &IndexMap::new(), &[], "", &[], None)[0].sentence,
        "Everything this run needed was ideal, so it took no time."
    );
}

#[test]
fn instructions() {
    let made = Made::new(4, STORE, &[("base", 740), ("l1d", 230), ("memory_local", 30)]);
    insta::assert_snapshot!(made.headline("uma-bus-4"), @"The cores' own instructions take 74% of the time, looking into the L1 data cache another 23%: a faster bus or memory could save at most 3%.");
    let made = made.counted(&[("core[0].operations", 4)]);
    insta::assert_snapshot!(made.headline("uma-bus-4"), @"The cores' own instructions take 74% of the time (1.5 cycles each on average), looking into the L1 data cache another 23%: a faster bus or memory could save at most 3%.");
    let alone = Made::new(1, STORE, &[("base", 999), ("branch", 1)]);
    insta::assert_snapshot!(alone.headline("uniprocessor"), @"The core's own instructions take 100% of the time: a faster bus or memory would save next to nothing.");
    insta::assert_snapshot!(alone.headline("ideal"), @"The core's own instructions take 100% of the time. Memory and wires cost nothing on this machine: only fewer instructions in the longest thread would make it faster.");
}

#[test]
fn a_cache() {
    let made = Made::new(1, STORE, &[("base", 300), ("l1d", 100), ("l2", 600)]);
    let counters =
        [("accesses", 100), ("misses", 80), ("misses_capacity", 80)].map(|(name, value)| (format!("core[0].l1d.{name}"), value));
    let made = made.counted(&counters.each_ref().map(|(path, value)| (path.as_str(), *value)));
    let made = made.counted(&[("core[0].l2.accesses", 80), ("core[0].l2.hits", 76)]);
    let conflicts = Made { time_ps: made.time_ps, metrics: made.metrics.clone(), profile: made.profile.clone() };
    let conflicts = conflicts.counted(&[("core[0].l1d.misses_capacity", 16), ("core[0].l1d.misses_conflict", 64)]);
    insta::assert_snapshot!(conflicts.headline("uniprocessor"), @"For 60% of its time the core waited for L2: 80% of accesses miss L1d, and 95% of those find their line in L2, 10 cycles later. 80% of the misses are conflicts: more lines of `a` fall into one set than its 8 ways hold, though L1d as a whole has room for them. More ways would keep them, or arrays that begin elsewhere.");
    insta::assert_snapshot!(made.headline("uniprocessor"), @"For 60% of its time the core waited for L2: 80% of accesses miss L1d, and 95% of those find their line in L2, 10 cycles later. What is in use of `a` does not fit L1d (32 KiB).");
}

#[test]
fn translation() {
    let made = Made::new(1, STORE, &[("base", 300), ("translation", 700)]);
    let counters = [("l1.accesses", 1000), ("l1.misses", 250), ("walks", 1234), ("walk_loads", 4936)];
    let made = counters.iter().fold(made, |made, (name, value)| made.counted(&[(&*format!("core[0].tlb.{name}"), *value)]));
    insta::assert_snapshot!(made.headline("uniprocessor-tlb"), @"For 70% of its time the core waited for addresses to be translated, most of it in line 8 for `a`: 25% of accesses miss the first TLB, and 1,234 walks of the page table made 4,936 loads. The TLBs reach 6 MiB: 1,536 pages of 4 KiB. Larger pages (`address_space.page_size`) or data that lie closer together would help.");
}

#[test]
fn memory() {
    let made = Made::new(1, STORE, &[("base", 300), ("memory_local", 600), ("network", 80), ("coherence", 20)]);
    let with = |misses: u64, evictions: u64, invalidations: u64, bytes: u64| {
        let counters = [
            ("core[0].l2.misses", misses),
            ("core[0].l2.misses_capacity", evictions),
            ("core[0].l2.misses_true_sharing", invalidations),
            ("core[0].l2.misses_cold", misses - evictions - invalidations),
        ];
        let made = Made { time_ps: 100_000, metrics: made.metrics.clone(), profile: made.profile.clone() };
        made.counted(&counters).counted(&[("interconnect.bytes", bytes)]).headline("uniprocessor")
    };
    insta::assert_snapshot!(with(2000, 1990, 0, 0), @"For 70% of its time the core waited for the memory system, most of it in line 8 for `a`. 1,990 of the 2,000 lines that missed L2 had been there before and made room for others: the data does not fit L2 (256 KiB).");
    insta::assert_snapshot!(with(2000, 2000, 0, 1), @"For 70% of its time the core waited for the memory system, most of it in line 8 for `a`. All 2,000 lines that missed L2 had been there before and made room for others: the data does not fit L2 (256 KiB). The data bus is busy 1% of the time: the latency of each access counts, not the bandwidth.");
    insta::assert_snapshot!(with(2000, 10, 10, 1), @"For 70% of its time the core waited for the memory system, most of it in line 8 for `a`. 1,980 of the 2,000 lines that missed L2 had never been there before. The data bus is busy 1% of the time: the latency of each access counts, not the bandwidth.");
    insta::assert_snapshot!(with(2000, 900, 900, 1), @"For 70% of its time the core waited for the memory system, most of it in line 8 for `a`. 2,000 lines missed L2: 200 never there before, 900 that made room for others and 900 that another core's write had taken. The data bus is busy 1% of the time: the latency of each access counts, not the bandwidth.");
    let moving = Made::new(1, STORE, &[("base", 200), ("memory_local", 600), ("queue", 200)]);
    let moving = Made { time_ps: 100_000, ..moving.counted(&[("interconnect.bytes", 400)]) };
    insta::assert_snapshot!(moving.headline("uniprocessor"), @"For 80% of its time the core waited for the memory system, most of it in line 8 for `a`. The data bus is busy 50% of the time (it carried 400 bytes, 8 a cycle, so that a line takes 8 of its cycles): latency and bandwidth both count.");
}

#[test]
fn lines_that_other_cores_write() {
    let at = |line: u32| {
        let made = Made::new(2, line, &[("base", 80), ("coherence", 690), ("memory_local", 230)]);
        made.counted(&[("core[0].l2.misses", 2000), ("core[0].l2.misses_false_sharing", 1900), ("core[0].l2.invalidations", 2500)])
    };
    insta::assert_snapshot!(at(PARTIAL).headline("uma-bus-4"), @"For 92% of their time (69% coherence, 23% memory system) the cores waited for lines, mostly lines that other cores write: 2,500 times a write took a line away from another cache. In line 9 each thread writes an element of `partial` of its own, but several elements lie on one line (false sharing): declare `partial` as `padded`.");
    insta::assert_snapshot!(at(ATOMIC).headline("uma-bus-4"), @"For 92% of their time (69% coherence, 23% memory system) the cores waited for lines, mostly lines that other cores write: 2,500 times a write took a line away from another cache. In line 10 all threads write `total`, and its line goes from core to core: let each thread work on a value of its own and bring them together at the end (`reduce`).");
    insta::assert_snapshot!(at(STORE).headline("uma-bus-4"), @"For 92% of their time (69% coherence, 23% memory system) the cores waited for lines, mostly lines that other cores write: 2,500 times a write took a line away from another cache. In line 8 threads write into the same lines of `a`, to the same elements or to neighbours: give each thread a part of its own.");
    insta::assert_snapshot!(at(17).headline("uma-bus-4"), @"For 92% of their time (69% coherence, 23% memory system) the cores waited for lines, mostly lines that other cores write: 2,500 times a write took a line away from another cache. Line 17 reads `total`, which other threads have written.");
    // Where words are sent nothing need ever be missed.
    let updates = Made::new(2, STORE, &[("base", 80), ("coherence", 690), ("memory_local", 230)]);
    let updates = updates.counted(&[("interconnect.bus_upd", 9000)]);
    insta::assert_snapshot!(updates.headline("uma-bus-4"), @"For 92% of their time (69% coherence, 23% memory system) the cores waited for lines, mostly lines that other cores write: 9,000 times a word written was sent to caches that hold its line. In line 8 threads write into the same lines of `a`, to the same elements or to neighbours: give each thread a part of its own.");
}

#[test]
fn a_resource_at_its_limit() {
    let stack = [("base", 400), ("l1d", 300), ("memory_local", 100), ("queue", 200)];
    let counters = [("core[0].l1d.accesses", 10_000), ("core[0].l2.misses", 2000), ("interconnect.bytes", 8)];
    let evicted = Made::new(2, STORE, &stack).counted(&counters).counted(&[("core[0].l2.misses_capacity", 2000)]);
    insta::assert_snapshot!(evicted.headline("uma-bus-4"), @"The data bus is the limit, busy 100% of the time: it carried 8 bytes, 8 a cycle, so that a line takes 8 of its cycles. 20% of accesses find their line in no cache of their core, mostly in line 8 (`a`).");
    assert!(!evicted.reasons("uma-bus-4").iter().any(|sentence| sentence.contains("latency")));
    let flushes = [("interconnect.flushes", 2000), ("core[0].l2.misses_true_sharing", 2000), ("core[0].l2.invalidations", 2000)];
    insta::assert_snapshot!(Made::new(2, STORE, &stack).counted(&counters).counted(&flushes).headline("uma-bus-4"), @"The data bus is the limit, busy 100% of the time: it carried 8 bytes, 8 a cycle, so that a line takes 8 of its cycles. 20% of accesses need a line that another core has changed, mostly in line 8 (`a`).");
    let handed = Made::new(2, STORE, &stack).counted(&counters).counted(&flushes[..1]);
    insta::assert_snapshot!(handed.headline("uma-bus-4"), @"The data bus is the limit, busy 100% of the time: it carried 8 bytes, 8 a cycle, so that a line takes 8 of its cycles. 20% of accesses get their line from another core's cache, mostly in line 8 (`a`).");
    // Who does not wait for it is not held back by it.
    let other = Made::new(2, STORE, &[("base", 900), ("memory_local", 100)]).counted(&counters);
    assert!(other.headline("uma-bus-4").contains("own instructions take 90%"));
}

#[test]
fn waiting_for_threads() {
    let at = |line: u32| Made::new(2, line, &[("base", 80), ("synchronisation", 500), ("coherence", 420)]).headline("uma-bus-4");
    insta::assert_snapshot!(at(LOCK), @"One thread at a time may be inside `lock guard` (line 11): waiting for it and passing it on takes 92% of the cores' time, 46% of it for the lines that move from cache to cache.");
    insta::assert_snapshot!(at(ACQUIRE), @"Threads wait for each other at `acquire places` (line 14): waiting for it and passing it on takes 92% of the cores' time, 46% of it for the lines that move from cache to cache.");
    insta::assert_snapshot!(at(AWAIT), @"For 92% of their time the cores waited at `await turn[0] == 1` (line 12) until another thread has written `turn`, 46% of it for the lines that move from cache to cache.");
    insta::assert_snapshot!(at(BARRIER), @"For 92% of their time the cores waited at the barrier in line 13 until the last thread came, 46% of it for the lines that move from cache to cache.");
    insta::assert_snapshot!(at(ROUND), @"Where parallel parts begin and end (line 16), 92% of the cores' time goes to passing the words of fork and join from cache to cache and waiting for each other. Fewer and larger parts would repay it.");
    let free = Made::new(2, LOCK, &[("base", 24), ("synchronisation", 976)]);
    insta::assert_snapshot!(free.headline("ideal"), @"One thread at a time may be inside `lock guard` (line 11): waiting for it and passing it on takes 98% of the cores' time.");
}

#[test]
fn unequal_threads() {
    let busy = [("base", 900), ("synchronisation", 100)];
    let waits = |base: u64| [("base", base), ("synchronisation", 1000 - base)];
    let three = |base: u64| (1..4).fold(Made::default().core(0, STORE, &busy), |made, core| made.core(core, ROUND, &waits(base)));
    insta::assert_snapshot!(three(10).headline("uma-bus-4"), @"Only 1 of 4 threads has work: waiting for it takes 77% of the cores' time. Give the others a part, or use fewer threads.");
    insta::assert_snapshot!(three(200).headline("uma-bus-4"), @"The work is shared out unequally: core 0 worked 90% of the time, the average core 38%, and waiting for each other takes 62% of the cores' time.");
    let at_barrier = (1..4).fold(Made::default().core(0, STORE, &busy), |made, core| made.core(core, BARRIER, &waits(200)));
    insta::assert_snapshot!(at_barrier.headline("uma-bus-4"), @"For 60% of their time the cores waited at the barrier in line 13 until the last thread came: core 0 worked 90% of the time, the average core 38%.");
    let equal = Made::new(4, ROUND, &[("base", 300), ("synchronisation", 700)]);
    insta::assert_snapshot!(equal.headline("uma-bus-4"), @"Where parallel parts begin and end (line 16), 70% of the cores' time goes to waiting for the last thread, or for what thread 0 does between them.");
    let ended = Made::new(2, STORE, &[("base", 300), ("idle", 700)]);
    insta::assert_snapshot!(ended.headline("uma-bus-4"), @"For 70% of their time the cores had nothing more to do while others were still at work: the work is shared out unequally.");
}

#[test]
fn further_sentences() {
    let made = Made::new(1, STORE, &[("base", 1000)]).core(1, 0, &[("idle", 1000)]).core(2, 0, &[("idle", 1000)]);
    insta::assert_snapshot!(made.reasons("uma-bus-4")[1..].join("\n"), @r"
    1 of 3 cores had a thread, as many as the run was given; the others are left out of all shares.
    Line 8 (`a[i] = 1.0`) took 100% of the time, 100% of that carrying out its instructions.
    ");
    // A trace has no lines.
    let mut trace = Made::new(1, STORE, &[("base", 300), ("memory_local", 700)]);
    trace.profile.clear();
    insta::assert_snapshot!(trace.reasons("uniprocessor").join("\n"), @"For 70% of its time the core waited for the memory system.");
    let without = Made::new(2, STORE, &[("base", 500), ("synchronisation", 200), ("memory_local", 300)]);
    insta::assert_snapshot!(without.reasons("uma-bus-4")[1..].join("\n"), @r"
    Line 8 (`a[i] = 1.0`) took 100% of the time, 50% of that carrying out its instructions.
    For 30% of their time the cores waited for the memory system, most of it in line 8 for `a`.
    Where parallel parts begin and end (line 8), 20% of the cores' time goes to waiting for the last thread, or for what thread 0 does between them.
    ");
}
