//! What ranks do together, by every shipped algorithm and for numbers of ranks that are and are not powers of two.

use flynn::base::diagnostic::SourceText;
use flynn::experiment::workload::{NothingBeside, Workload};
use flynn::machine::catalogue::{Catalogue, Kind};
use flynn::program::tree::CollectiveOperation;

use crate::shipped::{machine, request, run};

/// Each collective once, with a root that is not rank 0, parts of arrays, a scalar, and every rank's values in the results.
const TEXT: &str = "\
param n = 6
array a: i64[n] = rank * 100 + i
array s: i64[n] = rank + i
array r: i64[n] = (rank + 1) * (i + 1)
array part: i64[n] = rank * n + i
array all: i64[n * ranks]
array everywhere: i64[n * ranks]
array dealt: i64[n]
array deal: i64[n * ranks] = i * (rank + 1)
array out: i64[ranks, n] = rank * 1000 + i * 10 + j
array back: i64[ranks, n]
array edges: i64[n] = rank * i
shared m: i64 = rank * rank % 7
let root = 1 % ranks
broadcast a from root
barrier
allreduce(+) s
reduce(max) r[1..n] to root
gather part into all at root
gather part into everywhere
scatter deal into dealt at root
alltoall out into back
allreduce(max) m
let low = rank - rank + 2
reduce(+) edges[low..n - 1] to root
barrier
finish {
    broadcast all from 1 % ranks
    broadcast r from 1 % ranks
    broadcast edges from 1 % ranks
    allreduce(+) dealt
}
result sum(a), sum(s), sum(r), sum(all), sum(everywhere), sum(dealt), sum(back), m
result everywhere[n * ranks - 1], back[ranks - 1, n - 1], edges[1], edges[3], edges[5]
";

fn expected(ranks: i64) -> Vec<i64> {
    let root = 1 % ranks;
    let below = |count: i64| count * (count - 1) / 2;
    let all = below(6 * ranks);
    vec![
        600 * root + 15,
        6 * below(ranks) + 15 * ranks,
        (root + 1) + 20 * ranks,
        all,
        all,
        (root + 1) * all,
        6000 * below(ranks) + 15 * ranks,
        (0..ranks).map(|rank| rank * rank % 7).max().unwrap_or(0),
        6 * ranks - 1,
        1000 * (ranks - 1) + 5,
        root,
        3 * below(ranks),
        5 * root,
    ]
}

/// Every algorithm of every operation: the key and its value.
fn algorithms(catalogue: &Catalogue) -> Vec<(String, String)> {
    let texts: Vec<&str> = catalogue.entries(Kind::Runtime).map(|entry| entry.name.as_str()).collect();
    let of = |operation: CollectiveOperation| {
        let prefix = format!("collective-{}-", operation.name());
        let key = format!("runtime.collectives.{}", operation.name());
        texts.iter().filter_map(|text| Some((key.clone(), text.strip_prefix(&prefix)?.to_owned()))).collect::<Vec<_>>()
    };
    CollectiveOperation::ALL.into_iter().flat_map(of).collect()
}

#[test]
fn every_algorithm_gives_what_its_collective_means() {
    let catalogue = Catalogue::built_in();
    let workload = Workload::read("collectives", &SourceText::new("collectives.flynn", TEXT), &NothingBeside).unwrap();
    let algorithms = algorithms(&catalogue);
    assert!(algorithms.len() >= 20, "{algorithms:?}");
    for ranks in [2, 3, 5, 8, 13] {
        let expected: Vec<serde_json::Value> = expected(ranks).into_iter().map(serde_json::Value::from).collect();
        for (key, algorithm) in &algorithms {
            let count = ranks.to_string();
            // Nothing is eager, so that every pair must meet.
            let set = [("node.count", count.as_str()), (key, algorithm), ("node.network_interface.eager", "0 B")];
            let machine = machine(&catalogue, "cluster-star-16", &set);
            let record = run(&request(&machine, &workload, &[]), &catalogue);
            assert_eq!(record.result.values, expected, "{key} = {algorithm} on {ranks} ranks");
        }
    }
}

#[test]
fn floats_come_out_the_same_on_every_rank() {
    let text = "\
array x: f64[5] = 0.1 * (rank + 1) + i
array low: f64[5]
array high: f64[5]
allreduce(+) x
finish {
    for i in 0..5 { low[i] = x[i]; high[i] = x[i] }
    allreduce(min) low
    allreduce(max) high
}
result sum(low), sum(high)
";
    let catalogue = Catalogue::built_in();
    let workload = Workload::read("floats", &SourceText::new("floats.flynn", text), &NothingBeside).unwrap();
    for (key, algorithm) in algorithms(&catalogue).iter().filter(|(key, _)| key.ends_with("allreduce")) {
        let machine = machine(&catalogue, "cluster-star-16", &[("node.count", "7"), (key, algorithm)]);
        let record = run(&request(&machine, &workload, &[]), &catalogue);
        let values = &record.result.values;
        assert_eq!(values[0], values[1], "{algorithm}");
    }
}

#[test]
fn a_collective_that_cannot_be_is_told() {
    let catalogue = Catalogue::built_in();
    let machine = machine(&catalogue, "cluster-star-16", &[("node.count", "4")]);
    let refused = |text: &str| {
        let workload = Workload::read("wrong", &SourceText::new("wrong.flynn", text), &NothingBeside).unwrap();
        match flynn::experiment::run::simulate(&request(&machine, &workload, &[]), &catalogue, &mut |_| {}) {
            Ok(_) => panic!("this runs:\n{text}"),
            Err(flynn::experiment::run::RunError::Input(faults)) => faults[0].message.clone(),
            Err(flynn::experiment::run::RunError::Stopped(stop)) => stop.message,
            Err(flynn::experiment::run::RunError::Trace(what)) => what,
        }
    };
    let array = "array x: i64[8]\narray y: i64[32]\narray z: f64[8]\n";
    let cases = [
        ("broadcast x from 4\n", "there is no rank 4"),
        ("gather x into x at 0\n", "sent and received into at the same time"),
        ("gather x into z at 0\n", "cannot go into"),
        ("gather x into y[0..16] at 0\n", "the lengths do not fit"),
        ("alltoall x[0..6] into y[0..6]\n", "cannot be dealt"),
        ("scatter y into x\n", "which rank scatters"),
        ("allreduce(+) x to 0\n", "every rank has the value"),
        ("parallel { broadcast x from 0 }\n", "for a rank as a whole"),
        ("fn f() { broadcast x from 0 }\nparallel { f() }\n", "what all ranks do together"),
        ("reduce(&) z to 0\n", "floats have no bit operators"),
        ("if rank == 0 { barrier }\n", "nothing can move"),
        ("broadcast x[0..rank + 1] from 0\n", "to be received"),
    ];
    for (statement, part) in cases {
        let message = refused(&format!("{array}{statement}result sum(x)\n"));
        assert!(message.contains(part), "{statement}: {message}");
    }
    let set = [("runtime.collectives.reduce".to_owned(), "binomial".to_owned())];
    let source = &catalogue.find(Kind::Machine, "cluster-star-16").unwrap().source;
    let faults = flynn::machine::Machine::resolve(source, &set, &catalogue).unwrap_err();
    assert!(faults[0].message.contains("there is no way to reduce called \"binomial\""), "{}", faults[0].message);
    assert!(faults[0].help.as_ref().is_some_and(|help| help.contains("binomial-tree")));
}
