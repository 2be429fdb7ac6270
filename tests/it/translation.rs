//! What virtual memory costs, on shipped machines and programs.

use flynn::experiment::record::Record;
use flynn::machine::catalogue::Catalogue;

use crate::shipped::{machine, request, run, workload};

const CORE: &str = "node[0].core[0]";

fn measure(set: &[(&str, &str)]) -> Record {
    let catalogue = Catalogue::built_in();
    let machine = machine(&catalogue, "uniprocessor-tlb", set);
    run(&request(&machine, &workload(&catalogue, "strided"), &[]), &catalogue)
}

fn counted(record: &Record, names: [&str; 3]) -> [u64; 3] {
    names.map(|name| record.metrics[&format!("{CORE}.{name}")])
}

#[test]
fn large_pages_make_the_cost_of_a_stride_of_pages_vanish() {
    let [small, large] = ["4 KiB", "2 MiB"].map(|size| measure(&[("address_space.page_size", size)]));
    let figures = ["stack.translation_ps", "tlb.walks", "tlb.walk_loads"];
    let [[time, walks, loads], [no_time, no_walks, _]] = [&small, &large].map(|record| counted(record, figures));
    println!("strided: pages of 4 KiB {} ps, {time} ps of it translation; of 2 MiB {} ps", small.time_ps, large.time_ps);
    // 8 rounds of 2,048 pages, and the page of `total`: none of them is in TLBs of 1,536 entries, replaced in order of use.
    assert_eq!((walks, loads), (8 * 2048 + 1, 4 * (8 * 2048 + 1)));
    assert!(time * 5 > small.time_ps * 2, "more than two fifths of the time is translation: {time} of {}", small.time_ps);
    // 9 pages of 2 MiB: nothing is left but hits that cost nothing, and all the time that is saved was translation.
    assert_eq!((no_time, no_walks), (0, 0));
    assert!(
        (small.time_ps - time).abs_diff(large.time_ps) * 50 < large.time_ps,
        "{} - {time} ps, {} ps",
        small.time_ps,
        large.time_ps
    );
    assert!(small.why[0].sentence.contains("for addresses to be translated"), "{}", small.why[0].sentence);
}

#[test]
fn a_window_hides_most_of_what_walks_take() {
    let in_order = measure(&[]);
    let out_of_order = measure(&[("node.core.part", "out-of-order-4-wide")]);
    assert_eq!(counted(&in_order, ["tlb.walks"; 3]), counted(&out_of_order, ["tlb.walks"; 3]));
    assert!(out_of_order.time_ps * 3 < in_order.time_ps, "{} ps, {} ps", out_of_order.time_ps, in_order.time_ps);
}
