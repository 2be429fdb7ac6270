//! `run`: what it prints, what it writes, what it never overwrites, and how it ends.

use std::fs;
use std::process::Stdio;

use super::{Directory, Finished};

const SMALL: [&str; 4] = ["--param", "n=2_000", "--threads", "2"];

fn run(here: &Directory, arguments: &[&str]) -> Finished {
    here.flynn(&[&["run"], arguments].concat())
}

#[test]
fn a_run_says_what_took_the_time_and_leaves_a_report() {
    let here = Directory::new();
    let ran = run(&here, &[&["uma-bus-2", "triad"], &SMALL[..]].concat()).ends_with(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!((8..=12).contains(&lines.len()), "{}", ran.out);
    for label in ["time", "core time", "costliest", "why", "report", "next"] {
        assert!(lines.iter().any(|line| line.trim_start().starts_with(label)), "{label}\n{}", ran.out);
    }
    assert!(ran.out.contains("a[i] = b[i] + s * c[i]"), "{}", ran.out);
    assert!(ran.out.contains("output/uma-bus-2-triad/report.html"), "{}", ran.out);
    assert_eq!(here.names("output"), ["latest", "uma-bus-2-triad"]);
    let files = here.names("output/uma-bus-2-triad");
    assert!(files.contains(&"record.json".to_owned()) && files.contains(&"report.html".to_owned()), "{files:?}");
    assert!(files.iter().any(|file| file.ends_with(".csv")) && !here.names("output/latest/figures").is_empty(), "{files:?}");
}

#[test]
fn nothing_is_overwritten_and_the_same_input_gives_the_same_record() {
    let here = Directory::new();
    for _ in 0..2 {
        run(&here, &[&["uma-bus-2", "sum-unpadded", "--quiet"], &SMALL[..]].concat()).ends_with(0);
    }
    assert_eq!(here.names("output"), ["latest", "uma-bus-2-sum-unpadded", "uma-bus-2-sum-unpadded-2"]);
    let record = |run: &str| fs::read(here.path().join("output").join(run).join("record.json")).unwrap();
    assert_eq!(record("uma-bus-2-sum-unpadded"), record("uma-bus-2-sum-unpadded-2"));
    assert_eq!(record("latest"), record("uma-bus-2-sum-unpadded-2"));
}

#[test]
fn json_is_one_document_and_nothing_else() {
    let here = Directory::new();
    let ran =
        run(&here, &[&["uniprocessor", "dot", "--format", "json", "--output", "elsewhere"], &SMALL[..2]].concat()).ends_with(0);
    let document = ran.json();
    assert!(document["record"]["time_ps"].as_u64().unwrap() > 0);
    assert_eq!(document["record"]["result"]["checksum"].as_str().unwrap().len(), 16);
    assert!(document["run_info"]["wall_seconds"].as_f64().unwrap() >= 0.0);
    assert!(document["run_info"]["peak_memory_bytes"].is_u64() || !cfg!(unix));
    assert_eq!(here.names("elsewhere"), ["latest", "uniprocessor-dot"]);
    let written = fs::read_to_string(here.path().join("elsewhere/uniprocessor-dot/record.json")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), document["record"]);
}

#[test]
fn settings_of_the_command_line_come_last() {
    let here = Directory::new();
    let time = |arguments: &[&str]| {
        let ran = run(&here, &[&["uma-bus-2", "triad", "--format", "json"], arguments, &SMALL[..2]].concat()).ends_with(0);
        ran.json()["record"]["time_ps"].as_u64().unwrap()
    };
    let (usual, one, slow) = (time(&[]), time(&["--threads", "1"]), time(&["--set", "node.cache.L1d.latency=\"9 cycles\""]));
    assert!(one > usual && slow > usual, "{usual} {one} {slow}");
    let refused = run(&here, &["uma-bus-2", "triad", "--set", "node.memory.latnecy=\"600 ns\""]).ends_with(2);
    assert!(refused.err.contains("latency"), "{}", refused.err);
    let refused = run(&here, &["uma-bus-2", "triad", "--param", "m=3"]).ends_with(2);
    assert!(refused.err.contains("`m`"), "{}", refused.err);
}

#[test]
fn a_program_that_cannot_end_ends_with_one_and_names_the_line() {
    let here = Directory::new();
    here.file("stuck.flynn", "# Waits for nobody.\nshared flag: i64 = 0\nawait flag == 1\nresult flag\n");
    here.file("zero.flynn", "# Divides by zero.\nparam n = 0\nshared x: i64 = 5\nx = x / n\nresult x\n");
    here.file("far.flynn", "# Out of range.\nparam n = 9\narray a: i64[4]\nfor i in 0..n { a[i] = i }\nresult sum(a)\n");
    here.file("endless.flynn", "# Never ends.\nshared x: i64 = 1\nwhile x > 0 { x += 1 }\nresult x\n");
    for (file, line) in [("stuck.flynn", "3"), ("zero.flynn", "4"), ("far.flynn", "4"), ("endless.flynn", "3")] {
        let ran = run(&here, &["uma-bus-2", file, "--limit", "1000000"]).ends_with(1);
        assert!(ran.err.contains(&format!("{file}:{line}")), "{}", ran.err);
        assert!(ran.out.is_empty());
    }
    assert!(here.names("output").is_empty(), "nothing is written for a run that did not end");
}

#[test]
fn runs_that_end_at_the_same_time_get_directories_of_their_own() {
    let here = Directory::new();
    let arguments = [&["run", "uniprocessor", "sum-padded", "--quiet"], &SMALL[..2]].concat();
    let children: Vec<_> = (0..3).map(|_| here.command(&arguments).stdout(Stdio::null()).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let names = here.names("output");
    assert_eq!(names, ["latest", "uniprocessor-sum-padded", "uniprocessor-sum-padded-2", "uniprocessor-sum-padded-3"]);
}

#[test]
fn an_output_that_cannot_be_written_ends_with_two() {
    let here = Directory::new();
    here.file("taken", "a file, not a directory");
    let ran = run(&here, &[&["uniprocessor", "sum-padded", "--output", "taken"], &SMALL[..2]].concat()).ends_with(2);
    assert!(ran.err.contains("taken"), "{}", ran.err);
}
