//! What prefetchers hide, and what they cannot, on shipped machines and programs.

use flynn::experiment::record::Record;
use flynn::machine::catalogue::Catalogue;

use crate::shipped::{machine, parameters, request, run, workload};

/// On one core with the prefetcher of a kind; none where it is `None`.
fn measure(machine_name: &str, kind: Option<&str>, program: &str, sizes: &[(&str, &str)], more: &[(&str, &str)]) -> Record {
    let catalogue = Catalogue::built_in();
    let table = kind.map(|kind| format!("{{ kind = \"{kind}\" }}"));
    let set: Vec<(&str, &str)> = table.iter().map(|table| ("node.cache.L1d.prefetcher", &**table)).chain(more.iter().copied()).collect();
    let machine = machine(&catalogue, machine_name, &set);
    run(&request(&machine, &workload(&catalogue, program), &parameters(sizes)), &catalogue)
}

fn counted(record: &Record, name: &str) -> u64 {
    record.metrics[&format!("node[0].core[0].{name}")]
}

#[test]
fn a_stream_prefetcher_hides_nearly_all_misses_of_triad() {
    let without = measure("uniprocessor", None, "triad", &[], &[]);
    let with = measure("uniprocessor-prefetch", None, "triad", &[], &[]);
    let misses = [&without, &with].map(|record| counted(record, "l2.misses"));
    let late = counted(&with, "l1d.prefetches_late");
    println!("triad: {misses:?} misses, {late} late; {} ps, {} ps", without.time_ps, with.time_ps);
    // Streams end with their pages: of the 64 lines of each page the first is missed. No other line is waited for for its whole way.
    assert!(misses[1] * 20 < misses[0], "19 of 20 misses are hidden: {misses:?}");
    assert!(late * 20 < misses[0], "few lines come too late: {late} of {}", misses[0]);
    assert!(with.time_ps * 4 < without.time_ps * 3, "{} ps, {} ps", without.time_ps, with.time_ps);
}

#[test]
fn no_prefetcher_hides_any_of_a_pointer_chase() {
    let sizes = [("n", "131072"), ("steps", "20000")];
    let without = measure("uniprocessor", None, "pointer-chase", &sizes, &[]);
    for kind in ["next-line", "stride", "stream"] {
        let with = measure("uniprocessor", Some(kind), "pointer-chase", &sizes, &[]);
        let misses = [&without, &with].map(|record| counted(record, "l2.misses"));
        let useful = counted(&with, "l1d.prefetches_useful") + counted(&with, "l1d.prefetches_late");
        println!("pointer-chase, {kind}: {misses:?} misses, {useful} prefetches of use; {} ps, {} ps", without.time_ps, with.time_ps);
        // What is brought is the wrong lines, but for chance: one line in 16,384 is the right one, and a cache keeps 4,096.
        assert!(misses[1] * 100 > misses[0] * 90, "{kind}: {misses:?}");
        assert!(with.time_ps * 100 > without.time_ps * 90, "{kind}: {} ps, {} ps", without.time_ps, with.time_ps);
    }
}

#[test]
fn a_stride_needs_its_own_prefetcher() {
    // One line of every page: no stream, and no next line, but one step of one load. (Pages that the stride leaves are large.)
    let large = [("address_space.page_size", "2 MiB")];
    let sizes = [("pages", "8192"), ("rounds", "1")];
    let misses = |kind| counted(&measure("uniprocessor", kind, "strided", &sizes, &large), "l2.misses");
    let [none, next, stride, stream] = [None, Some("next-line"), Some("stride"), Some("stream")].map(misses);
    println!("strided: {none} misses; next-line {next}, stride {stride}, stream {stream}");
    assert!(stride * 4 < none && next * 10 > none * 9 && stream * 10 > none * 9, "{none}: {next}, {stride}, {stream}");
}
