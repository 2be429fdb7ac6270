//! The figures that LAB.md tells are those that come out.

use flynn::experiment::record::Start;
use flynn::experiment::run::RunRequest;
use flynn::machine::catalogue::Catalogue;

use super::shipped::{machine, request, run, workload};

/// Microseconds of a run.
fn microseconds(machine_name: &str, workload_name: &str, n: &str, threads: Option<u32>, start: Start, set: &[(&str, &str)]) -> f64 {
    let catalogue = Catalogue::built_in();
    let (machine, workload) = (machine(&catalogue, machine_name, set), workload(&catalogue, workload_name));
    let parameters = vec![("n".to_string(), n.to_string())];
    let request = RunRequest { threads, start, ..request(&machine, &workload, &parameters) };
    run(&request, &catalogue).time_ps as f64 / 1e6
}

#[test]
fn the_figures_of_the_lab_come_out() {
    let lab = include_str!("../../LAB.md");
    let told = |figure: String| assert!(lab.contains(&figure), "LAB.md does not tell {figure}");
    for threads in [4, 8, 16] {
        let time = microseconds("uma-bus-16", "triad", "400000", Some(threads), Start::Cold, &[]);
        told(format!("{:.2} ms", time / 1000.0));
    }
    let cycles = |placement| {
        let set = [("address_space.placement", placement)];
        let cycles = 1000.0 * microseconds("textbook-numa", "read-once", "4096", None, Start::Warm, &set);
        format!("{},{:03}", cycles as u64 / 1000, cycles as u64 % 1000)
    };
    ["first-touch", "interleave", "node 0"].into_iter().for_each(|placement| told(cycles(placement)));
    for (program, threads) in [("sum-unpadded", 1), ("sum-unpadded", 4), ("sum-padded", 4)] {
        let time = microseconds("uma-bus-4", program, "5000", Some(threads), Start::Warm, &[]);
        told(if time < 100.0 { format!("{time:.1} us") } else { format!("{time:.0} us") });
    }
    let messages = |n: &str| {
        ["allreduce-doubling", "allreduce-ring"].map(|program| microseconds("cluster-star-16", program, n, None, Start::Warm, &[]))
    };
    let [[few, short], [large_few, large_short]] = ["1024", "8192"].map(messages);
    told(format!("doubling takes {few:.0} us and the\nring {short:.0}; with 8,192 words {large_few:.0} and {large_short:.0}"));
}
