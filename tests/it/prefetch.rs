//! What prefetchers hide, and what they cannot, on shipped machines and programs.

use flynn::experiment::record::Record;
use flynn::machine::catalogue::Catalogue;

use crate::shipped::{machine, parameters, request, run, workload};

/// On one core with a prefetcher, as written in a machine; without where it is `None`.
fn measure(machine_name: &str, prefetcher: Option<&str>, program: &str, sizes: &[(&str, &str)], more: &[(&str, &str)]) -> Record {
    let catalogue = Catalogue::built_in();
    let set = prefetcher.map(|table| ("node.cache.L1d.prefetcher", table));
    let set: Vec<(&str, &str)> = set.into_iter().chain(more.iter().copied()).collect();
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
    let [late, dropped] = ["late", "dropped"].map(|end| counted(&with, &format!("l1d.prefetches_{end}")));
    println!("triad: {misses:?} misses, {late} late, {dropped} dropped; {} ps, {} ps", without.time_ps, with.time_ps);
    // What is missed yet: the first of the 64 lines of each page, for a stream ends with its page, and lines for which there was no
    // register or no place in the write-back buffer when they were foreseen.
    assert!(misses[1] <= misses[0] / 64 + dropped + 16, "{misses:?}, {dropped} dropped");
    assert!(misses[1] * 16 < misses[0], "15 of 16 misses are hidden: {misses:?}");
    assert!(late * 100 < misses[0], "hardly any line comes too late: {late} of {}", misses[0]);
    assert!(with.time_ps * 5 < without.time_ps * 2, "{} ps, {} ps", without.time_ps, with.time_ps);
}

#[test]
fn no_prefetcher_hides_a_pointer_chase() {
    let sizes = [("n", "131072"), ("steps", "20000")];
    let without = measure("uniprocessor", None, "pointer-chase", &sizes, &[]);
    // Nothing goes on by a step. Few of the lines wanted are neighbours of the one before. The next line is brought each time, and the
    // caches keep a quarter of all lines, so some are wanted by chance while they are there, in place of others that would have been.
    for (kind, hidden_of_100) in [("stride", 0), ("stream", 1), ("next-line", 4)] {
        let with = measure("uniprocessor", Some(&format!("{{ kind = \"{kind}\" }}")), "pointer-chase", &sizes, &[]);
        let misses = [&without, &with].map(|record| counted(record, "l2.misses"));
        println!("pointer-chase, {kind}: {misses:?} misses; {} ps, {} ps", without.time_ps, with.time_ps);
        assert!(misses[1] * 100 >= misses[0] * (100 - hidden_of_100), "{kind}: {misses:?}");
        assert!(
            with.time_ps * 100 >= without.time_ps * (100 - hidden_of_100),
            "{kind}: {} ps, {} ps",
            without.time_ps,
            with.time_ps
        );
    }
}

#[test]
fn a_stride_needs_its_own_prefetcher() {
    // One line of every page: no stream, and no next line, but one step of one load. Pages are large, so that steps do not leave them.
    let large = [("address_space.page_size", "2 MiB")];
    let sizes = [("pages", "8192"), ("rounds", "1")];
    let misses = |table: Option<&str>| counted(&measure("uniprocessor", table, "strided", &sizes, &large), "l2.misses");
    let none = misses(None);
    let [next, stream] = ["{ kind = \"next-line\" }", "{ kind = \"stream\" }"].map(|table| misses(Some(table)));
    let [near, far] = ["2", "16"].map(|distance| misses(Some(&format!("{{ kind = \"stride\", distance = {distance} }}"))));
    println!("strided: {none} misses; next-line {next}, stream {stream}, stride {near}, and far ahead {far}");
    assert_eq!((next, stream), (none, none));
    // Every eighth step is a line longer: it is not foreseen, nothing is said at it, and what is named in the two steps before it is
    // wrong. Further ahead than eight steps everything is wrong.
    assert!((8 * near).abs_diff(3 * none) < none / 10, "{near} of {none}");
    assert_eq!(far, none);
}
