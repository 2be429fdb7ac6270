//! Prefetching: at which distance waits vanish, to the cycle, and what becomes of every line.

use super::assembly::{Op, run};
use super::*;
use crate::components::prefetcher::{PrefetcherKind, PrefetcherSpec};
use crate::machine::simulation::PhaseReport;

/// Cycles of a lookup, and of memory.
const LOOKUP: u64 = 2;
const MEMORY: u64 = 100;

pub fn prefetcher(kind: PrefetcherKind, degree: u32, distance: u32) -> PrefetcherSpec {
    PrefetcherSpec { kind, degree, distance, mshrs: 32, page_bytes: 1 << 30 }
}

/// A core of 1 GHz with one cache, before wires that take no time.
fn spec(prefetcher: Option<PrefetcherSpec>) -> NodeSpec {
    NodeSpec { prefetcher, ..bare(vec![cache("L1d", 1024, 4, LOOKUP as u32)], MEMORY) }
}

/// Loads of one line after the other, with so many cycles of work between them.
fn walk(lines: impl IntoIterator<Item = u32>, busy: u64) -> Vec<Vec<Op>> {
    vec![lines.into_iter().flat_map(|line| [Op::Load(8 * line), Op::Busy(busy as i32)]).collect()]
}

fn counted(report: &PhaseReport, name: &str) -> u64 {
    report.metrics[&format!("node[0].core[0].l1d.{name}")]
}

fn cycles(spec: &NodeSpec, lines: u32, busy: u64) -> u64 {
    run(spec, &walk(0..lines, busy)).unwrap().time.0 / 1000
}

#[test]
fn waits_vanish_where_the_distance_covers_the_latency() {
    // A load and its lookup, a jump, a constant for the work, the work.
    let loop_of = |busy: u64| 1 + LOOKUP + 1 + 1 + busy;
    let without = spec(None);
    assert_eq!(cycles(&without, 200, 5) - cycles(&without, 100, 5), 100 * (loop_of(5) + MEMORY));
    for distance in [1, 2, 4, 5, 10, 20] {
        // Two lines at a time, so that the stream gets ahead of what is used.
        let with = spec(Some(prefetcher(PrefetcherKind::Stream { streams: 4 }, 2, distance)));
        // A line is asked for when the one `distance` before it is looked up, so nothing waits where so many loops take as long as
        // memory. Where they do not, that one has waited, too: from the end of its wait the core goes on for a loop to the next
        // lookup, which asks for a line whose wait ends a latency later, `distance` + 1 lines on.
        for busy in [0, 5, 15, 19, 20, 21, 45, 46, 95, 100] {
            let (of_loop, lines) = (loop_of(busy), 100 * (distance + 1));
            let steady = cycles(&with, 50 + 2 * lines, busy) - cycles(&with, 50 + lines, busy);
            let vanishes = u64::from(distance) * of_loop >= MEMORY;
            let expected = if vanishes { u64::from(lines) * of_loop } else { 100 * (of_loop + MEMORY) };
            assert_eq!(steady, expected, "distance {distance}, {} cycles a line", loop_of(busy));
        }
    }
}

#[test]
fn every_line_foreseen_has_its_end() {
    let stream = |degree, distance| spec(Some(prefetcher(PrefetcherKind::Stream { streams: 4 }, degree, distance)));
    let ends = |report: &PhaseReport| {
        ["prefetches", "prefetches_useful", "prefetches_late", "prefetches_useless", "prefetches_dropped", "misses"]
            .map(|name| counted(report, name))
    };
    // The first two lines are missed; the stream of 40 lines then runs 4 lines past its end.
    let report = run(&stream(4, 4), &walk(0..40, 200)).unwrap();
    assert_eq!(ends(&report), [42, 38, 0, 0, 0, 2]);
    assert_eq!((report.metrics["node[0].memory.reads"], counted(&report, "hits")), (44, 38));
    // With no work between, the four lines asked for with the second miss come with it, and all others are late.
    let report = run(&stream(4, 4), &walk(0..40, 0)).unwrap();
    assert_eq!(ends(&report), [42, 4, 34, 0, 0, 2]);
    // As many as there are registers for.
    let mut few = stream(4, 4);
    few.prefetcher.as_mut().unwrap().mshrs = 1;
    let report = run(&few, &walk(0..40, 0)).unwrap();
    let [issued, .., dropped, misses] = ends(&report);
    assert!(dropped > 0 && misses > 2 && issued < 42, "{issued} issued, {dropped} dropped, {misses} missed");
    // Lines pushed out unused: a cache of one set of 4 lines, in which the stream's lines and others meet.
    let mut small = spec(Some(prefetcher(PrefetcherKind::NextLine, 1, 1)));
    small.caches = vec![cache("L1d", 1, 4, 2)];
    let report = run(&small, &walk((0..20).map(|n| 8 * n), 200)).unwrap();
    let [issued, useful, late, useless, ..] = ends(&report);
    assert_eq!((issued, useful, late, useless), (20, 0, 0, 18), "of the last four lines in the cache two were never wanted");
    // Nothing follows from accesses in no order.
    let report = run(&stream(4, 4), &walk([0, 77, 13, 200, 40, 150, 99, 5], 10)).unwrap();
    assert_eq!(ends(&report), [0, 0, 0, 0, 0, 8]);
}

#[test]
fn stores_that_wait_in_a_buffer_are_foreseen_as_they_leave_it() {
    let mut with = spec(Some(prefetcher(PrefetcherKind::NextLine, 1, 1)));
    (with.core.consistency, with.core.store_buffer) = (Consistency::Tso, Some(8));
    let stores = |busy| -> Vec<Vec<Op>> { vec![(0..40).flat_map(|line| [Op::Store(8 * line), Op::Busy(busy)]).collect()] };
    // The first misses, each other finds its line, of which it has to become the owner: MESI gave it to the only core at once.
    let report = run(&with, &stores(200)).unwrap();
    let counts = ["prefetches", "prefetches_useful", "prefetches_late", "misses", "upgrades"].map(|name| counted(&report, name));
    assert_eq!(counts, [40, 39, 0, 1, 0]);
    assert_eq!(report.time.0 / 1000, 40 * (1 + 1 + 1 + 200), "no one waits for a store");
    // With no work between, each line is asked for with the store before it, and found on its way.
    let report = run(&with, &stores(0)).unwrap();
    let counts = ["prefetches", "prefetches_late", "misses"].map(|name| counted(&report, name));
    assert_eq!((counts[0], counts[1] + counts[2]), (40, 40), "{counts:?}");
    assert!(counts[1] > 30, "{counts:?}");
}

#[test]
fn pages_end_a_stream() {
    let mut with = spec(Some(prefetcher(PrefetcherKind::Stream { streams: 4 }, 4, 4)));
    with.prefetcher.as_mut().unwrap().page_bytes = 4096;
    // Two pages of 64 lines: the second one's first line is missed, and goes on with the stream.
    let report = run(&with, &walk(0..128, 200)).unwrap();
    assert_eq!((counted(&report, "misses"), counted(&report, "prefetches")), (3, 62 + 63));
}

#[test]
fn strides_of_lines_are_foreseen_by_instruction() {
    // Each load of these programs is an instruction of its own, so none has a stride; next lines need none.
    let stride = spec(Some(prefetcher(PrefetcherKind::Stride { entries: 64 }, 1, 4)));
    assert_eq!(counted(&run(&stride, &walk(0..40, 10)).unwrap(), "prefetches"), 0);
    let next = spec(Some(prefetcher(PrefetcherKind::NextLine, 1, 1)));
    let report = run(&next, &walk(0..40, 200)).unwrap();
    assert_eq!(["prefetches", "prefetches_useful", "misses"].map(|name| counted(&report, name)), [40, 39, 1]);
}

#[test]
fn a_window_merges_with_what_is_on_its_way() {
    let mut with = spec(Some(prefetcher(PrefetcherKind::Stream { streams: 4 }, 4, 8)));
    with.core.out_of_order = Some(out_of_order(4, 64, 8));
    let report = run(&with, &walk(0..60, 0)).unwrap();
    let mut without = with.clone();
    without.prefetcher = None;
    let plain = run(&without, &walk(0..60, 0)).unwrap();
    assert!(report.time < plain.time, "{:?}, {:?}", report.time, plain.time);
    let [issued, useful, late, useless] =
        ["prefetches", "prefetches_useful", "prefetches_late", "prefetches_useless"].map(|name| counted(&report, name));
    assert!(late > 0 && issued >= useful + late && useless == 0, "{issued} {useful} {late} {useless}");
    assert_eq!(counted(&report, "misses") + useful + late, 60, "every line is missed, found, or found on its way");
}

#[test]
fn a_line_written_first_is_asked_for_again() {
    // A prefetch reads; a store that finds the line shared upgrades it, and one that finds it on its way looks again.
    let spec = NodeSpec { protocol: Some(msi()), ..spec(Some(prefetcher(PrefetcherKind::NextLine, 1, 1))) };
    let stores = |busy| vec![(0..40).flat_map(|line| [Op::Store(8 * line), Op::Busy(busy)]).collect::<Vec<_>>()];
    for busy in [0, 200] {
        let report = run(&spec, &stores(busy)).unwrap();
        assert_eq!((counted(&report, "misses"), counted(&report, "upgrades")), (1, 39), "busy {busy}");
    }
}

#[test]
fn a_prefetched_line_that_left_is_missed_for_want_of_room() {
    // A cache of one set of two lines: line 0 brings line 1, lines 8 and 16 drive both out, and line 1 is wanted for the first time.
    let mut small = spec(Some(prefetcher(PrefetcherKind::NextLine, 1, 1)));
    small.caches = vec![cache("L1d", 1, 2, 2)];
    let report = run(&small, &walk([0, 8, 16, 1], 200)).unwrap();
    let causes = ["misses_cold", "misses_capacity", "misses_conflict"].map(|name| counted(&report, name));
    assert_eq!(causes, [3, 1, 0]);
}
