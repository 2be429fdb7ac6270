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
fn faults_are_a_document_too_where_json_is_asked_for() {
    let here = Directory::new();
    let document = run(&here, &["uma-bus-2", "triad", "--param", "n=0", "--format", "json"]).ends_with(2).json();
    assert_eq!(document["ok"], false);
    let faults = document["diagnostics"].as_array().unwrap();
    assert_eq!(faults.len(), 1, "{document}");
    assert!(faults[0]["help"].as_str().unwrap().starts_with("n = 0 was given for this run"), "{document}");
    here.file("stuck.flynn", "# Waits for nobody.\nshared flag: i64 = 0\nawait flag == 1\nresult flag\n");
    let document = run(&here, &["uma-bus-2", "stuck.flynn", "--format", "json"]).ends_with(1).json();
    assert_eq!((&document["stopped"], &document["diagnostics"][0]["line"]), (&"deadlock".into(), &3.into()), "{document}");
}

#[test]
fn options_that_say_nothing_are_refused() {
    let here = Directory::new();
    let record = |load: &str| {
        let load = format!("load={load}");
        let arguments = ["uma-bus-2", "bus-traffic", "--param", "requests=2_000", "--param", &load, "--format", "json"];
        run(&here, &arguments).ends_with(0).json()["record"].clone()
    };
    let (low, high) = (record("0.2"), record("0.8"));
    assert_eq!((&low["workload"]["parameters"]["load"], &low["workload"]["parameters"]["requests"]), (&0.2.into(), &2000.into()));
    let wait = |record: &serde_json::Value| record["metrics"]["traffic.mean_wait_ps"].as_u64().unwrap();
    assert!(wait(&high) > 2 * wait(&low), "{} {}", wait(&high), wait(&low));
    let refused = run(&here, &["uma-bus-2", "bus-traffic", "--param", "nonsense=3"]).ends_with(2);
    assert!(refused.err.contains("nonsense") && refused.err.contains("requests"), "{}", refused.err);
    assert!(run(&here, &["uma-bus-2", "bus-traffic", "--threads", "2"]).ends_with(2).err.contains("traffic has no threads"));
}

#[test]
fn a_changed_machine_has_a_name_of_its_own_and_next_repeats_the_change() {
    let here = Directory::new();
    here.flynn(&["new", "mine.toml", "--from", "uma-bus-2"]).ends_with(0);
    let ran = run(&here, &["mine.toml", "triad", "--set", "node.memory.latency=\"90 ns\"", "--param", "n=2_000"]).ends_with(0);
    assert!(ran.out.starts_with("triad on mine.toml (UMA, 2 cores on a bus), node.memory.latency = 90 ns: "), "{}", ran.out);
    let flat = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let next = "flynn run mine.toml triad --set 'node.memory.latency=\"90 ns\"' --param n=2_000 --threads 1";
    assert!(flat.contains(next), "{}", ran.out);
    assert!(!ran.out.contains('\u{a0}'), "numbers and units are parted by plain spaces");
}

#[test]
fn a_text_of_another_kind_is_named() {
    let here = Directory::new();
    assert!(run(&here, &["triad", "uma-bus-2"]).ends_with(2).err.contains("flynn run uma-bus-2 triad"));
    here.file("p.flynn", "shared x: i64 = 0\nx = 1\nresult x\n");
    assert!(run(&here, &["p.flynn", "triad"]).ends_with(2).err.contains("p.flynn is a program, not a machine"));
    here.flynn(&["new", "m.toml", "--from", "uma-bus-2"]).ends_with(0);
    assert!(run(&here, &["uma-bus-2", "m.toml"]).ends_with(2).err.contains("m.toml is a machine, not a workload"));
    here.file("q.toml", "name = \"q\n[[node]]\ncores = \"2\n");
    let err = here.flynn(&["check", "q.toml"]).ends_with(1).err;
    assert_eq!(err.matches("error").count(), 1, "{err}");
}

#[test]
fn a_lock_of_ones_own_is_found_here_and_beside_the_machine() {
    let here = Directory::new();
    here.flynn(&["new", "lab/lock-mine.flynn", "--from", "lock-ticket"]).ends_with(0);
    here.flynn(&["new", "lab/m.toml", "--from", "uma-bus-2"]).ends_with(0);
    assert!(here.flynn(&["check", "lab/lock-mine.flynn"]).ends_with(0).out.contains("run-time text"));
    let arguments = ["sum-lock", "--param", "n=50", "--set", "runtime.lock=mine"];
    run(&here, &[&["lab/m.toml"], &arguments[..]].concat()).ends_with(0);
    let refused = run(&here, &[&["uma-bus-2"], &arguments[..]].concat()).ends_with(2);
    assert!(refused.err.contains("lock-mine.flynn"), "{}", refused.err);
    here.flynn(&["new", "lock-mine.flynn", "--from", "lock-ticket"]).ends_with(0);
    run(&here, &[&["uma-bus-2"], &arguments[..]].concat()).ends_with(0);
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
    here.file("reads.flynn", "# Only reads what it has.\narray a: i64[8]\nlet s = 0\nwhile s >= 0 { s = a[0] }\nresult sum(a)\n");
    for machine in ["uma-bus-2", "uniprocessor-out-of-order", "uma-bus-4-tso"] {
        let files = [("stuck.flynn", "3"), ("zero.flynn", "4"), ("far.flynn", "4"), ("endless.flynn", "3"), ("reads.flynn", "4")];
        for (file, line) in files {
            let ran = run(&here, &[machine, file, "--limit", "1000000"]).ends_with(1);
            assert!(ran.err.contains(&format!("{file}:{line}")), "{machine}: {}", ran.err);
            assert!(ran.out.is_empty());
        }
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
