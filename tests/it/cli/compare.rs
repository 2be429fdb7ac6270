//! `compare`: what it says, what it writes, what it refuses, and the life of a protocol that is broken, repaired and measured.

use std::fs;

use super::{Directory, Finished};

fn compare(here: &Directory, arguments: &[&str]) -> Finished {
    here.flynn(&[&["compare"], arguments].concat())
}

const SMALL: [&str; 4] = ["--workload", "producer-consumer", "--param", "n=50"];

#[test]
fn machines_are_compared_from_what_they_differ_in_to_why() {
    let here = Directory::new();
    let ran = compare(&here, &[&["uma-bus-2", "uma-bus-4", "--jobs", "2"], &SMALL[..]].concat()).ends_with(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[..3], ["producer-consumer in 2 runs: n = 50", "", "These machines differ in"], "{}", ran.out);
    for part in ["node.cores", "uma-bus-2", "ratio to the first", "L1d misses", "“uma-bus-4” takes ", "All 2 computed the same"]
    {
        assert!(ran.out.contains(part), "{part}\n{}", ran.out);
    }
    assert_eq!(here.names("output/compare-producer-consumer"), ["records", "report.html"]);
    let report = fs::read_to_string(here.path().join("output/latest/report.html")).unwrap();
    assert!(report.contains("What they differ in") && report.contains("The figures"));
    // The same again, whatever the number of jobs.
    let again = compare(&here, &[&["uma-bus-2", "uma-bus-4", "--jobs", "1"], &SMALL[..]].concat()).ends_with(0);
    assert_eq!(again.out.replace("consumer-2/", "consumer/"), ran.out);
}

#[test]
fn one_machine_is_compared_with_itself_in_several_ways() {
    let here = Directory::new();
    let vary = ["uma-bus-4", "--vary", "address_space.protocol=mesi,dragon", "--vary", "runtime.threads=2,4", "--format", "json"];
    let document = compare(&here, &[&vary[..], &SMALL[..]].concat()).ends_with(0).json();
    let labels: Vec<&str> =
        document["comparison"]["labels"].as_array().unwrap().iter().map(|label| label.as_str().unwrap()).collect();
    assert_eq!(
        labels,
        ["protocol mesi, threads 2", "protocol mesi, threads 4", "protocol dragon, threads 2", "protocol dragon, threads 4"]
    );
    assert_eq!(document["records"].as_array().unwrap().len(), 4);
    assert_eq!(document["comparison"]["results"]["equal"], true);
    let keys = document["comparison"]["differences"].as_array().unwrap();
    let keys: Vec<&str> = keys.iter().map(|key| key["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["address_space.protocol", "runtime.threads"]);
}

#[test]
fn finished_runs_are_compared_too() {
    let here = Directory::new();
    let run = |machine: &str, n: &str| {
        here.flynn(&["run", machine, "sum-padded", "--param", n, "--quiet"]).ends_with(0).out.trim().to_owned()
    };
    let (two, four, other) = (run("uma-bus-2", "n=400"), run("uma-bus-4", "n=400"), run("uma-bus-4", "n=500"));
    let ran = compare(&here, &[&two, &format!("{four}/record.json")]).ends_with(0);
    assert!(ran.out.contains("uma-bus-4-sum-padded"), "{}", ran.out);
    // A finished run and one that is made now.
    compare(&here, &[&two, "uma-bus-4", "--workload", "sum-padded", "--param", "n=400"]).ends_with(0);
    let refused = compare(&here, &[&two, &other]).ends_with(2);
    assert!(refused.err.contains("are not of the same work: n = 400 and n = 500"), "{}", refused.err);
    let nothing = compare(&here, &[&two, "output"]).ends_with(2);
    assert!(nothing.err.contains("a finished run has a record.json"), "{}", nothing.err);
    here.file("x.json", "{\"schema\": 7}").file("y.json", "[]");
    assert!(compare(&here, &[&two, "x.json"]).ends_with(2).err.contains("is of schema 7"));
    assert!(compare(&here, &[&two, "y.json"]).ends_with(2).err.contains("is no record"));
}

#[test]
fn what_cannot_be_compared_is_said() {
    let here = Directory::new();
    for (arguments, message) in [
        (&["uma-bus-2", "--workload", "triad"][..], "one run alone cannot be compared"),
        (&["uma-bus-2", "uma-bus-4"], "the workload is missing"),
        (&["uma-bus-2", "uma-bus-5", "--workload", "triad"], "uma-bus-5"),
        (&["uma-bus-2", "--vary", "node.cores=1,,2", "--workload", "triad"], "lacks a value"),
        (&["uma-bus-2", "--vary", "node.coers=1,2", "--workload", "triad"], "coers"),
        (&["uma-bus-2", "--vary", "node.cores=1,2,3,4,5", "--vary", "seed=1,2,3,4,5", "--workload", "triad"], "more than 24 runs"),
    ] {
        let refused = compare(&here, arguments).ends_with(2);
        assert!(refused.err.contains(message), "{arguments:?}\n{}", refused.err);
    }
    assert_eq!(here.names("output"), [""; 0]);
}

#[test]
fn different_results_are_a_no() {
    let here = Directory::new();
    here.file(
        "team.flynn",
        "shared size: i64 = 0\nparallel {\n    if thread == 0 {\n        size = threads\n    }\n}\nresult size\n",
    );
    let ran = compare(&here, &["uma-bus-4", "--vary", "runtime.threads=2,4", "--workload", "team.flynn"]).ends_with(1);
    assert!(ran.out.contains("The results differ"), "{}", ran.out);
}

#[test]
fn a_protocol_is_broken_repaired_and_its_repair_measured() {
    let here = Directory::new();
    here.flynn(&["new", "my-mesi.toml", "--from", "mesi"]).ends_with(0);
    here.flynn(&["check", "my-mesi.toml"]).ends_with(0);
    let shipped = fs::read_to_string(here.path().join("my-mesi.toml")).unwrap();
    let row = "bus_rd = { next = \"S\", do = [\"shared\", \"flush\"] }";
    assert_eq!(shipped.matches(row).count(), 1);
    here.file("my-mesi.toml", &shipped.replace(row, "bus_rd = { next = \"S\", do = [\"shared\"] }"));
    let refuted = here.flynn(&["check", "my-mesi.toml"]).ends_with(1);
    assert!(refuted.out.contains("no copy of what was written last to the line is left"), "{}", refuted.out);
    let of = |workload| ["uma-bus-4", "--vary", "address_space.protocol=mesi,my-mesi.toml", "--workload", workload];
    // A run of the broken protocol does not come to its end, and says which it was.
    let stopped = compare(&here, &of("migratory")).ends_with(1);
    assert!(stopped.err.contains("“protocol my-mesi”"), "{}", stopped.err);
    // Another repair than the shipped row: the owner gives the line away instead of sharing it.
    here.file("my-mesi.toml", &shipped.replace(row, "bus_rd = { next = \"I\", do = [\"flush\"] }"));
    here.flynn(&["check", "my-mesi.toml"]).ends_with(0);
    let better = compare(&here, &of("migratory")).ends_with(0);
    assert!(better.out.contains("row M/bus_rd: next S, do shared, flush -> next I, do flush"), "{}", better.out);
    assert!(better.out.contains("“protocol my-mesi” takes 2.7% less time than “protocol mesi”"), "{}", better.out);
    let worse = compare(&here, &of("producer-consumer")).ends_with(0);
    assert!(worse.out.contains("“protocol my-mesi” takes 3.24 times as long as “protocol mesi”"), "{}", worse.out);
}
