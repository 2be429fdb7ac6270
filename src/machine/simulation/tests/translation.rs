//! Address translation: every cycle of small walks, how far TLBs reach, and that all of it is counted.

use super::assembly::{Op, WORDS, run};
use super::*;
use crate::components::core::text;
use crate::components::owner::Owner;
use crate::components::translation::{PageTable, TlbSpec, TranslationSpec};
use crate::machine::simulation::PhaseReport;

/// Words of a page of 4 KiB.
const PAGE: u32 = 512;
/// Cycles of a lookup in both caches, and of memory.
const LOOKUPS: u64 = 2 + 10;
const MEMORY: u64 = 100;
/// Cycles of a lookup in the second TLB.
const SECOND: u64 = 7;

pub fn tlbs(first: u32, second: Option<u32>) -> TranslationSpec {
    let level = |entries: u32, latency_cycles| TlbSpec { entries, ways: entries, latency_cycles, replacement: Replacement::Lru };
    TranslationSpec {
        page_bytes: 4096,
        first: level(first, 0),
        second: second.map(|entries| level(entries, SECOND as u32)),
        walkers: 1,
    }
}

/// A core of 1 GHz with an inner cache of so many sets of 16 ways, wires that take no time, and the TLBs.
fn spec(sets: u64, translation: Option<TranslationSpec>) -> NodeSpec {
    NodeSpec { translation, ..bare(vec![cache("L1d", sets, 16, 2), cache("L2", 256, 16, 10)], MEMORY) }
}

fn loads(words: impl IntoIterator<Item = u32>) -> Vec<Vec<Op>> {
    vec![words.into_iter().map(Op::Load).collect()]
}

/// Cycles of a program, and of translation.
fn cycles(spec: &NodeSpec, program: &[Vec<Op>]) -> (u64, u64) {
    let report = run(spec, program).unwrap();
    (report.time.0 / 1000, report.stacks[0].of(Owner::Translation).0 / 1000)
}

fn counted(report: &PhaseReport, name: &str) -> u64 {
    report.metrics[&format!("node[0].core[0].tlb.{name}")]
}

/// Of accesses, hits and misses of a level.
fn level(report: &PhaseReport, level: u32) -> [u64; 3] {
    ["accesses", "hits", "misses"].map(|name| counted(report, &format!("l{level}.{name}")))
}

#[test]
fn a_walk_that_misses_everywhere_costs_four_accesses_to_memory() {
    // A load is an operation of a cycle, a lookup in both caches and memory; a jump follows. The entries of the walk lie on four pages.
    let program = loads([0]);
    assert_eq!(cycles(&spec(64, None), &program), (1 + LOOKUPS + MEMORY + 1, 0));
    let walk = |loads| SECOND + loads * (LOOKUPS + MEMORY);
    for (page_bytes, depth) in [(4 << 10, 4), (2 << 20, 3), (1 << 30, 2)] {
        let pages = TranslationSpec { page_bytes, ..tlbs(4, Some(16)) };
        assert_eq!(cycles(&spec(64, Some(pages)), &program), (1 + walk(depth) + LOOKUPS + MEMORY + 1, walk(depth)));
    }
    let report = run(&spec(64, Some(tlbs(4, Some(16)))), &program).unwrap();
    assert_eq!((level(&report, 1), level(&report, 2)), ([1, 0, 1], [1, 0, 1]));
    assert_eq!((counted(&report, "walks"), counted(&report, "walk_loads")), (1, 4));
    assert_eq!(report.metrics["node[0].memory.reads"], 5, "the entries are lines of memory like any others");
    assert_eq!(report.metrics["node[0].core[0].l1d.misses"], 5);
    // What translation took is in the line of the access.
    assert_eq!(report.lines[&1].of(Owner::Translation).0, walk(4) * 1000);
}

#[test]
fn a_walk_costs_what_its_loads_find_in_the_caches() {
    let one = 1 + LOOKUPS + MEMORY + 1;
    let cold = SECOND + 4 * (LOOKUPS + MEMORY);
    // The next page's entries lie in the same four lines, which the first cache still has.
    let program = loads([0, PAGE]);
    let warm = SECOND + 4 * 2;
    assert_eq!(cycles(&spec(64, Some(tlbs(4, Some(16)))), &program), (2 * one + cold + warm, cold + warm));
    // Two TLBs have two entries; a third access to page 0 finds it in the second.
    let program = loads([0, PAGE, 0]);
    let found = one - 10 - MEMORY + SECOND;
    assert_eq!(cycles(&spec(64, Some(tlbs(1, Some(2)))), &program).0, 2 * one + cold + warm + found);
    // A first cache of 16 lines that 16 others have passed through: the second has the entries. A hit in the TLB costs nothing.
    let others: Vec<u32> = (1..17).map(|line| 8 * line).collect();
    let program = loads([vec![0], others, vec![PAGE]].concat());
    let outer = SECOND + 4 * LOOKUPS;
    assert_eq!(cycles(&spec(1, Some(tlbs(4, Some(16)))), &program), (18 * one + cold + outer, cold + outer));
    // A first TLB that is not looked into during the lookup in the cache adds its cycles to every access.
    let mut slow = tlbs(4, None);
    slow.first.latency_cycles = 3;
    assert_eq!(cycles(&spec(64, Some(slow)), &loads([0, 1, 2])).1, 3 * 3 + cold - SECOND);
}

/// Under total store order, with so many places for stores.
fn buffered(places: u32) -> NodeSpec {
    let mut spec = spec(64, Some(tlbs(4, Some(16))));
    spec.core.consistency = Consistency::Tso;
    spec.core.store_buffer = Some(places);
    spec
}

#[test]
fn a_store_is_translated_before_it_waits_in_the_buffer() {
    let cold = SECOND + 4 * (LOOKUPS + MEMORY);
    let warm = SECOND + 4 * 2;
    // A store, its walk, a jump; a constant and the work, beside which the store's own miss passes.
    assert_eq!(cycles(&buffered(8), &[vec![Op::Store(0), Op::Busy(500)]]), (1 + cold + 1 + 1 + 500, cold));
    // The walk of a second page finds its entries, while the first store is on its way. An atomic one walks, too.
    let stores = [Op::Store(0), Op::Store(PAGE), Op::Busy(1000)];
    assert_eq!(cycles(&buffered(8), &[stores.to_vec()]), (1 + cold + 1 + 1 + warm + 1 + 1 + 1000, cold + warm));
    let post = [Op::Store(0), Op::Post(PAGE, 1), Op::Busy(1000)];
    // A constant, an atomic.
    assert_eq!(cycles(&buffered(8), &[post.to_vec()]), (1 + cold + 1 + 1 + 2 + warm + 1 + 1000, cold + warm));
    // With one place the second store, translated, waits for the first: that was looked up when it entered.
    let waits = 1 + cold + LOOKUPS + MEMORY;
    assert_eq!(cycles(&buffered(1), &[stores.to_vec()]), (waits + 1 + 1 + 1000, cold + warm));
    // A load of the word that waits in the buffer is translated before it looks there.
    let report = run(&buffered(8), &[vec![Op::Store(0), Op::Load(0), Op::Busy(500)]]).unwrap();
    assert_eq!(report.time.0 / 1000, 1 + cold + 1 + 1 + 2 + 1 + 1 + 500);
    assert_eq!((report.metrics["node[0].core[0].forwarded_loads"], counted(&report, "walks")), (1, 1));
    assert_eq!(level(&report, 1), [2, 1, 1]);
}

#[test]
fn tlbs_reach_as_far_as_their_entries() {
    // Twice through so many pages, in order: with LRU replacement the second time finds all of them, or none.
    let twice = |pages: u32| loads((0..2 * pages).map(|n| n % pages * PAGE));
    let walks = |pages: u32, translation| {
        let report = run(&spec(64, Some(translation)), &twice(pages)).unwrap();
        (counted(&report, "walks"), level(&report, 1)[1])
    };
    assert_eq!(walks(4, tlbs(4, None)), (4, 4));
    assert_eq!(walks(5, tlbs(4, None)), (10, 0));
    assert_eq!(walks(16, tlbs(4, Some(16))), (16, 0));
    assert_eq!(walks(17, tlbs(4, Some(16))), (34, 0));
    let large = TranslationSpec { page_bytes: 2 << 20, ..tlbs(4, Some(16)) };
    assert_eq!(walks(64, large), (1, 127), "all of the arena is one page of 2 MiB");
}

/// With an out-of-order core that has units of every kind in any number.
fn windowed(walkers: u32, mshrs: u32, translates: bool) -> NodeSpec {
    let mut spec = spec(64, translates.then(|| TranslationSpec { walkers, ..tlbs(4, Some(16)) }));
    let mut own = out_of_order(8, 64, mshrs);
    own.units.iter_mut().for_each(|units| *units = UnitSpec { units: 0, interval: 1 });
    spec.core.out_of_order = Some(own);
    spec
}

#[test]
fn in_a_window_only_what_needs_the_page_waits_for_it() {
    let cold = SECOND + 4 * (LOOKUPS + MEMORY);
    let time = |spec: &NodeSpec, words: &[u32]| run(spec, &loads(words.iter().copied())).unwrap().time.0 / 1000;
    let without = time(&windowed(1, 8, false), &[0]);
    assert_eq!(time(&windowed(1, 8, true), &[0]), without + cold);
    // Loads of one page wait for one walk, and their misses overlap as without it: they look in the same cycle, from the walk's end.
    let words = [0, 8, 16, 24];
    let report = run(&windowed(1, 8, true), &loads(words)).unwrap();
    assert_eq!(report.time.0 / 1000, time(&windowed(1, 8, false), &words) + cold);
    assert_eq!((counted(&report, "walks"), counted(&report, "merged_walks")), (1, 3));
    assert_eq!((level(&report, 1), level(&report, 2)), ([4, 0, 4], [4, 0, 4]));
    // One walker walks for a second page when the first is done, through what that has left in the first cache; of two, the second
    // finds each line on its way. (Lines of the pages lie on different channels of memory.)
    assert_eq!(time(&windowed(1, 8, true), &[0, PAGE + 8]), without + cold + 4 * 2);
    assert_eq!(time(&windowed(2, 8, true), &[0, PAGE + 8]), without + cold);
    // A store's address is translated before it can commit, so the end of the thread waits for the walk and then for the line.
    let store = |spec: &NodeSpec| run(spec, &[vec![Op::Store(0)]]).unwrap();
    let (with, without) = (store(&windowed(1, 8, true)), store(&windowed(1, 8, false)));
    assert_eq!(with.time.0 - without.time.0, cold * 1000);
    // Operations of one cycle, and the commit of the jump that precedes the store's, are not waits.
    assert_eq!(with.stacks[0].of(Owner::Translation).0, cold * 1000);
}

#[test]
fn walks_need_misses_under_way_like_anyone() {
    // With a single MSHR a walk's load waits for the miss of a load whose page is known, and that for nothing.
    let program = loads([0, 8, PAGE, 16]);
    let [one, many] = [1, 8].map(|mshrs| run(&windowed(1, mshrs, true), &program).unwrap());
    assert_eq!(counted(&one, "walks"), 2);
    assert!(one.time > many.time);
}

#[test]
fn plain_caches_and_traces_translate_alike() {
    let mut plain = spec(64, Some(tlbs(4, Some(16))));
    plain.protocol = None;
    plain.caches[1].inclusion = Inclusion::Neither;
    let one = 1 + LOOKUPS + MEMORY + 1;
    let cold = SECOND + 4 * (LOOKUPS + MEMORY);
    assert_eq!(cycles(&plain, &loads([0])), (one + cold, cold));
    assert_eq!(cycles(&plain, &loads([0, PAGE])), (2 * one + cold + SECOND + 8, cold + SECOND + 8));
    // An atomic operation translates, too: two loads of constants, the operations' cost, and hits after the first.
    let atomic = run(&plain, &[vec![Op::Add(0), Op::Put(PAGE, 1)]]).unwrap();
    assert_eq!((counted(&atomic, "walks"), level(&atomic, 1)), (2, [2, 0, 2]));
}

#[test]
fn spins_look_into_the_tlb_like_other_loads() {
    let spec = NodeSpec { translation: Some(tlbs(1, None)), ..node(2) };
    let program = [vec![Op::Busy(3000), Op::Load(PAGE), Op::Put(0, 1)], vec![Op::AwaitAtLeast(0, 1)]];
    let report = run(&spec, &program).unwrap();
    let core = |name: &str| report.metrics[&format!("node[0].core[1].{name}")];
    assert_eq!(core("tlb.l1.accesses"), core("accesses"));
    assert_eq!(core("tlb.walks"), 1);
    assert!(core("accesses") > 300, "{}", core("accesses"));
}

#[test]
fn a_program_needs_room_for_its_page_table() {
    // Instructions begin at the next 2 MiB behind the data.
    let end = PageTable::above(text(&super::assembly::assemble(&loads([0]))).end, 4096).end();
    assert!(end > 2 << 20 && 8 * WORDS < 2 << 20);
    let node = |memory_bytes| {
        let code = super::assembly::assemble(&loads([0]));
        let memory = crate::program::memory::Memory::new(&code.arena).unwrap();
        let spec = NodeSpec { memory_bytes, ..spec(64, Some(tlbs(4, None))) };
        crate::machine::simulation::Simulation::new(&spec, Arc::new(code), memory)
    };
    assert!(node(end).is_ok());
    let message = &node(end - 1).unwrap_err()[0].message;
    assert_eq!(*message, format!("the program and its page table need {end} bytes and the memory has {}", end - 1));
}
