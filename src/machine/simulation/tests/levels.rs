//! Caches of several levels against figures worked out by hand: what a hit in each level costs, where lines go, what is fetched.

use super::assembly::{Op, run};
use super::*;
use crate::components::owner::Owner;
use crate::machine::simulation::PhaseReport;

/// A core whose operations take a cycle each and whose memory answers after 100.
fn simple(caches: Vec<CacheSpec>) -> NodeSpec {
    let mut spec = bare(caches, 100);
    spec.core.costs = [1; 12];
    spec
}

fn counter(report: &PhaseReport, name: &str) -> u64 {
    report.metrics[&format!("node[0].core[0].{name}")]
}

/// The word that begins a line.
fn word(line: u32) -> u32 {
    8 * line
}

#[test]
fn a_hit_costs_the_lookups_down_to_its_level() {
    // Each level holds one line more than the one inside it; lines 0, 1, 2, 3 come, then each is where it was not driven out.
    let caches = vec![cache("L1d", 1, 1, 2), cache("L2", 1, 2, 7), cache("L3", 1, 4, 20)];
    let program: Vec<Op> = [0, 1, 2, 3, 3, 2, 0].map(|line| Op::Load(word(line))).into();
    let report = run(&simple(caches), &[program]).unwrap();
    // A load and the jump behind it take a cycle each. Line 3 is in L1d, then 2 in L2, 0 in L3.
    let missed = 4 * (2 + 7 + 20 + 100);
    assert_eq!(report.time.0 / 1000, 14 + missed + 2 + (2 + 7) + (2 + 7 + 20));
    assert_eq!(["l1d", "l2", "l3"].map(|level| counter(&report, &format!("{level}.hits"))), [1, 1, 1]);
    assert_eq!(report.stacks[0].of(Owner::L2).0 / 1000, (4 + 2) * 7);
    assert_eq!(report.stacks[0].of(Owner::Llc).0 / 1000, (4 + 1) * 20);
}

#[test]
fn a_line_that_leaves_an_exclusive_level_swaps_with_the_one_it_drives_out() {
    let caches = |inclusion| vec![cache("L1d", 1, 1, 2), CacheSpec { inclusion, ..cache("L2", 1, 1, 7) }];
    let program: Vec<Op> = [0, 1, 0, 1, 0].map(|line| Op::Load(word(line))).into();
    // One line in each: after the first two loads, both are there for good.
    let report = run(&simple(caches(Inclusion::Exclusive)), std::slice::from_ref(&program)).unwrap();
    assert_eq!((counter(&report, "l2.hits"), counter(&report, "l2.misses")), (3, 2));
    assert_eq!(report.metrics["node[0].memory.reads"], 2);
    // An inclusive level of one line holds no other line than the first level's.
    let report = run(&simple(caches(Inclusion::Inclusive)), &[program]).unwrap();
    assert_eq!((counter(&report, "l2.hits"), counter(&report, "l2.misses")), (0, 5));
}

#[test]
fn a_dirty_line_stays_dirty_wherever_it_goes() {
    // Line 0 is written, driven into L2, fetched back, driven out again, and at last out of both.
    let caches = vec![cache("L1d", 1, 1, 2), CacheSpec { inclusion: Inclusion::Exclusive, ..cache("L2", 1, 1, 7) }];
    let lines = [1, 0, 1, 2, 3].map(|line| Op::Load(word(line)));
    let program: Vec<Op> = std::iter::once(Op::Store(word(0))).chain(lines).collect();
    let report = run(&simple(caches), &[program]).unwrap();
    assert_eq!(counter(&report, "l1d.writebacks"), 2, "twice into L2");
    assert_eq!(counter(&report, "l2.writebacks"), 1);
    assert_eq!(report.metrics["node[0].memory.writes"], 1);
}

#[test]
fn an_exclusive_level_takes_nothing_that_a_level_inside_it_still_has() {
    // Line 0 leaves L1d for 1 and stays in L2; then 2 drives it out of L2 into L3, and 1 out of L1d, which stays in L2.
    let caches =
        vec![cache("L1d", 1, 1, 2), cache("L2", 1, 2, 7), CacheSpec { inclusion: Inclusion::Exclusive, ..cache("L3", 1, 1, 9) }];
    let program: Vec<Op> = [0, 1, 2, 0].map(|line| Op::Load(word(line))).into();
    let report = run(&simple(caches), &[program]).unwrap();
    assert_eq!((counter(&report, "l3.hits"), counter(&report, "l3.misses")), (1, 3));
    assert_eq!(report.metrics["node[0].memory.reads"], 3);
}

#[test]
fn a_write_through_level_passes_each_word_on() {
    let through = |write_allocate| CacheSpec { write: WritePolicy::Through, write_allocate, ..cache("L1d", 4, 1, 2) };
    let program =
        vec![Op::Load(0), Op::Store(0), Op::Store(1), Op::Store(2), Op::Store(word(5)), Op::Store(word(5)), Op::Load(word(5))];
    let report = run(&simple(vec![through(false), cache("L2", 4, 2, 7)]), std::slice::from_ref(&program)).unwrap();
    // Three stores hit and pass on; line 5 never comes in by a store.
    assert_eq!(
        (counter(&report, "l1d.hits"), counter(&report, "l1d.write_misses"), counter(&report, "l1d.read_misses")),
        (3, 2, 2)
    );
    assert_eq!(counter(&report, "l1d.bytes_written"), 3 * 8);
    assert_eq!(counter(&report, "l2.accesses"), 2 + 2 + 3, "misses of both kinds, and the words");
    assert_eq!((counter(&report, "l1d.writebacks"), report.metrics["node[0].memory.writes"]), (0, 0));
    // With allocation the first store to line 5 brings it, and five words pass on.
    let report = run(&simple(vec![through(true), cache("L2", 4, 2, 7)]), &[program]).unwrap();
    assert_eq!(
        (counter(&report, "l1d.hits"), counter(&report, "l1d.write_misses"), counter(&report, "l1d.read_misses")),
        (5, 1, 1)
    );
    assert_eq!(counter(&report, "l1d.bytes_written"), 5 * 8);
    assert_eq!(counter(&report, "l2.accesses"), 2 + 5);
}

/// `busy` of one operation, so many times: each is a block of two instructions, and one more ends the thread.
fn text(blocks: usize) -> Vec<Op> {
    vec![Op::Busy(1); blocks]
}

#[test]
fn instructions_are_fetched_a_line_at_a_time() {
    let l1i = |ways| CacheSpec { holds: Holds::Instructions, ..cache("L1i", 1, ways, 3) };
    let caches = |ways| vec![l1i(ways), cache("L1d", 4, 2, 2)];
    // 8 blocks of 8 bytes lie in a line, so 16 blocks and the end in three.
    let report = run(&simple(caches(1)), &[text(16)]).unwrap();
    assert_eq!((counter(&report, "l1i.accesses"), counter(&report, "l1i.fetch_misses")), (17, 3));
    // A constant costs a cycle, `busy` one for itself and one for its operation.
    let alone = run(&simple(vec![cache("L1d", 4, 2, 2)]), &[text(16)]).unwrap();
    assert_eq!(report.time.0 - alone.time.0, 3 * 100_000, "the lookup of a miss is hidden in the cycles before");
    assert_eq!(report.stacks[0].of(Owner::MemoryLocal).0, 3 * 100_000);
}

#[test]
fn instructions_and_data_share_a_level_for_both() {
    let l1i = CacheSpec { holds: Holds::Instructions, ..cache("L1i", 1, 1, 3) };
    let l2 = CacheSpec { holds: Holds::Both, ..cache("L2", 1, 2, 7) };
    let caches = vec![l1i, cache("L1d", 1, 1, 2), l2];
    // Two lines of text and two of data through a level of two lines.
    let program: Vec<Op> = (0..12).map(|number| Op::Load(word(number % 2))).collect();
    let report = run(&simple(caches), &[program]).unwrap();
    assert_eq!(counter(&report, "l2.accesses"), counter(&report, "l1d.misses") + counter(&report, "l1i.misses"));
    assert!(counter(&report, "l1i.misses") > 2, "data drove instructions out of L2, and so out of L1i");
}

#[test]
fn an_out_of_order_core_waits_for_instructions_before_it_dispatches() {
    let with_window = |caches| {
        let mut spec = simple(caches);
        spec.core.out_of_order = Some(out_of_order(4, 32, 4));
        spec
    };
    let l1i = CacheSpec { holds: Holds::Instructions, ..cache("L1i", 2, 2, 3) };
    let program: Vec<Op> = (0..16).map(|_| Op::Load(0)).collect();
    let alone = run(&with_window(vec![cache("L1d", 4, 2, 2)]), std::slice::from_ref(&program)).unwrap();
    let report = run(&with_window(vec![l1i, cache("L1d", 4, 2, 2)]), &[program]).unwrap();
    assert_eq!(counter(&report, "l1i.fetch_misses"), 3);
    // The first and the third line delay everything by 100 cycles each; the second comes while the first load waits for memory, which
    // hides but a few.
    let late = (report.time.0 - alone.time.0) / 1000;
    assert!((190..=200).contains(&late), "{late} cycles");
    let stack = report.stacks[0];
    assert_eq!(stack.total(), report.time);
}

/// Core 1 reads a line; core 0 then writes a word of it, and core 1 wants another, or the same.
fn shared(written: u32, wanted: u32) -> PhaseReport {
    let spec = NodeSpec { cores: 2, ..simple(vec![cache("L1d", 16, 2, 2), cache("L2", 16, 4, 7)]) };
    let (ready, done) = (word(8), word(9));
    let reader = vec![Op::Load(wanted), Op::Put(ready, 1), Op::AwaitAtLeast(done, 1), Op::Load(wanted)];
    let writer = vec![Op::AwaitAtLeast(ready, 1), Op::Store(written), Op::Put(done, 1)];
    run(&spec, &[writer, reader]).unwrap()
}

#[test]
fn sharing_is_true_where_the_word_wanted_was_written() {
    let counted = |report: &PhaseReport, level: &str| {
        ["cold", "true_sharing", "false_sharing"].map(|cause| report.metrics[&format!("node[0].core[1].{level}.misses_{cause}")])
    };
    for level in ["l1d", "l2"] {
        // Its word, and the flags; then the flag that it awaits, which is written, and its word, if that is.
        assert_eq!(counted(&shared(3, 3), level), [3, 2, 0]);
        assert_eq!(counted(&shared(3, 4), level), [3, 1, 1]);
    }
}

#[test]
fn the_line_of_the_program_is_known_of_each_cause() {
    let report = shared(3, 4);
    let of = |line: u32| report.causes.get(&line).copied().unwrap_or_default();
    assert_eq!(of(101), [1, 0, 0, 0, 0], "the first load");
    assert_eq!(of(104), [0, 0, 0, 0, 1], "the second");
    assert_eq!(of(103)[3], 1, "the flag");
}
