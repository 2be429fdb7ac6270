//! Comparisons of real runs: readable differences where a sentence or a model changes.

use flynn::experiment::compare::compare;
use flynn::experiment::record::Record;
use flynn::machine::catalogue::Catalogue;

use crate::shipped::{machine, request, run, workload};

/// What is said of a workload on a machine with keys set in several ways, beside the first.
fn said(machine_name: &str, workload_name: &str, ways: &[&[(&str, &str)]]) -> String {
    let catalogue = Catalogue::built_in();
    let workload = workload(&catalogue, workload_name);
    let records: Vec<Record> =
        ways.iter().map(|set| run(&request(&machine(&catalogue, machine_name, set), &workload, &[]), &catalogue)).collect();
    let labels: Vec<String> = ways.iter().map(|set| set.iter().map(|(_, value)| *value).collect::<Vec<_>>().join(" ")).collect();
    let comparison = compare(&records.iter().collect::<Vec<_>>(), &labels).unwrap();
    assert!(comparison.results.equal);
    // What a sentence rests on is in the record, or is a line of its profile.
    for (record, against) in records[1..].iter().zip(&comparison.against_first) {
        for path in against.reasons.iter().flat_map(|reason| &reason.evidence).filter(|path| path.contains('.')) {
            let is_there = path.starts_with("profile.line[") || record.metrics.keys().any(|metric| metric.ends_with(path.as_str()));
            assert!(is_there, "{path}");
        }
    }
    let sentences = comparison.against_first.into_iter().flat_map(|against| against.reasons);
    sentences.map(|reason| reason.sentence + "\n").collect()
}

#[test]
fn protocols_on_data_that_migrate_and_data_that_are_handed_over() {
    let protocols: [&[(&str, &str)]; 3] =
        [&[("address_space.protocol", "mesi")], &[("address_space.protocol", "moesi")], &[("address_space.protocol", "dragon")]];
    let all = ["migratory", "producer-consumer"].map(|workload| format!("{workload}\n{}", said("uma-bus-4", workload, &protocols)));
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn caches_widths_and_cores() {
    let of = |key: &'static str, values: [&'static str; 2], workload: &str| {
        let ways = values.map(|value| [(key, value)]);
        format!("{workload}\n{}\n", said("uma-bus-4", workload, &[&ways[0], &ways[1]]))
    };
    let all = of("node.cache.L2.size", ["128 KiB", "1 MiB"], "stencil")
        + &of("node.interconnect.width", ["8 B", "32 B"], "triad")
        + &of("node.memory.latency", ["60 ns", "120 ns"], "gather")
        + &of("runtime.threads", ["1", "4"], "matmul-naive")
        + &of("runtime.lock", ["ticket", "mcs"], "sum-lock");
    insta::assert_snapshot!(all);
}
