//! What branches cost cores that execute in order.

use flynn::experiment::record::Record;
use flynn::machine::catalogue::Catalogue;

use crate::shipped::{machine, request, run, workload};

fn measure(program: &str, set: &[(&str, &str)]) -> Record {
    let catalogue = Catalogue::built_in();
    let machine = machine(&catalogue, "uniprocessor", &[&[("node.core.part", "in-order-predicted")], set].concat());
    run(&request(&machine, &workload(&catalogue, program), &[]), &catalogue)
}

fn counted(record: &Record, name: &str) -> u64 {
    record.metrics[&format!("node[0].core[0].{name}")]
}

#[test]
fn mispredictions_take_their_cycles_and_are_all_that_differs() {
    let bimodal = measure("matmul-naive", &[]);
    let perfect = measure("matmul-naive", &[("node.core.predictor", "{ kind = \"perfect\" }")]);
    let (branches, wrong) = (counted(&bimodal, "branches"), counted(&bimodal, "mispredictions"));
    println!("matmul-naive: {wrong} of {branches} branches foretold wrongly");
    // Each loop's exit and little else; a cycle at 2 GHz is 500 ps.
    assert!(wrong > 0 && wrong * 10 < branches, "{wrong} of {branches}");
    assert_eq!(counted(&bimodal, "stack.branch_ps"), wrong * 500);
    assert_eq!(counted(&perfect, "stack.branch_ps"), 0);
    // Requests set out at other cycles, so the bus is found at other edges.
    let (longer, cost) = (bimodal.time_ps - perfect.time_ps, wrong * 500);
    assert!(longer.abs_diff(cost) * 20 < cost, "{longer} ps longer, {cost} ps of mispredictions");
}

#[test]
fn histories_tell_what_counters_cannot() {
    let [bimodal, tage] =
        ["bimodal", "tage"].map(|kind| measure("matmul-naive", &[("node.core.predictor", &format!("{{ kind = \"{kind}\" }}"))]));
    assert!(counted(&tage, "mispredictions") <= counted(&bimodal, "mispredictions"));
}
