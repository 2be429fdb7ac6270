//! `experiment`: what it says and writes, whatever the number of jobs, and that an interruption loses nothing.

use std::fs;
use std::time::{Duration, Instant};

use flynn::machine::catalogue::{Catalogue, Kind};

use super::{Directory, Finished};

/// Twelve points of about a tenth of a second.
const SWEEP: &str = r#"
name = "Own"
question = "What is faster?"
expected = "More threads."
reason = "They share the work."
machines = ["uma-bus-4", "mine.toml"]
workloads = ["triad", "sum-padded"]
[metrics]
misses = "l1d.misses"
[parameters]
n = 6000
[[sweep]]
threads = [1, 2, 4]
[[plot]]
x = "threads"
y = "speedup"
[[plot]]
x = "machine"
y = "time"
where = { threads = 4 }
[[expect]]
kind = "monotone"
of = "time"
along = "threads"
direction = "falling"
because = "they share the work"
"#;

/// A directory with the experiment `own.toml` and a machine beside it.
fn prepared() -> Directory {
    let here = Directory::new();
    let machine = Catalogue::built_in().find(Kind::Machine, "uma-crossbar-16").unwrap().source.text.to_string();
    here.file("lab/mine.toml", &machine).file("lab/own.toml", SWEEP);
    here
}

fn experiment(here: &Directory, arguments: &[&str]) -> Finished {
    here.flynn(&[&["experiment"], arguments].concat())
}

/// What an experiment in `output/experiment-own` left, but for its points.
fn left(here: &Directory) -> Vec<Vec<u8>> {
    ["report.html", "points.csv", "experiment.json", "figures/plot-1.svg", "figures/plot-2.svg"]
        .map(|name| fs::read(here.path().join("output/experiment-own").join(name)).unwrap())
        .to_vec()
}

/// How many points are finished.
fn finished(here: &Directory) -> usize {
    here.names("output/experiment-own/points").iter().filter(|name| !name.starts_with('.')).count()
}

#[test]
fn every_shipped_experiment_comes_out_as_expected() {
    let here = Directory::new();
    let catalogue = Catalogue::built_in();
    let names: Vec<&str> = catalogue.entries(Kind::Experiment).map(|entry| entry.name.as_str()).collect();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        here.flynn(&["check", name]).ends_with(0);
        let told = experiment(&here, &[name, "--check"]).ends_with(0).out;
        assert!(told.contains("  yes  ") && !told.contains("  NO  "), "{told}");
    }
}

#[test]
fn the_number_of_jobs_changes_nothing_and_nothing_is_run_twice() {
    let (one, two) = (prepared(), prepared());
    let first = experiment(&one, &["lab/own.toml", "--jobs", "1"]).ends_with(0);
    let second = experiment(&two, &["lab/own.toml", "--jobs", "2"]).ends_with(0);
    insta::assert_snapshot!(first.out);
    assert_eq!(first.out, second.out);
    assert!(left(&one) == left(&two), "what they wrote differs");
    assert_eq!(one.names("output/experiment-own/points"), two.names("output/experiment-own/points"));
    let again = experiment(&one, &["lab/own.toml"]).ends_with(0);
    assert!(again.err.contains("12 of 12 points were finished already"), "{}", again.err);
    assert_eq!(again.out, first.out);
    // One machine has changed, the points of the other have not.
    let machine = fs::read_to_string(one.path().join("lab/mine.toml")).unwrap();
    one.file("lab/mine.toml", &machine.replace("latency = \"10 cycles\"", "latency = \"12 cycles\""));
    let changed = experiment(&one, &["lab/own.toml", "--check"]).ends_with(0);
    assert!(changed.err.contains("6 of 12 points were finished already"), "{}", changed.err);
}

#[test]
fn an_experiment_that_was_killed_goes_on_where_it_was() {
    let (here, whole) = (prepared(), prepared());
    let larger = SWEEP.replace("n = 6000", "n = 40_000");
    here.file("lab/own.toml", &larger);
    whole.file("lab/own.toml", &larger);
    let mut child = here.command(&["experiment", "lab/own.toml", "--jobs", "2", "--quiet"]).spawn().unwrap();
    let begun = Instant::now();
    while finished(&here) < 3 && begun.elapsed() < Duration::from_secs(60) {
        // A second one would run the same points.
        if finished(&here) == 1 {
            let other = experiment(&here, &["lab/own.toml"]);
            assert!(other.code == Some(0) || other.err.contains("another flynn is performing"), "{}", other.err);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = finished(&here);
    assert!((3..12).contains(&before), "{before} points were finished when it was killed");
    here.file("output/experiment-own/points/.writing-1-0", "half a po");
    let resumed = experiment(&here, &["lab/own.toml"]).ends_with(0);
    assert!(resumed.err.contains(&format!("{before} of 12 points were finished already")), "{}", resumed.err);
    assert_eq!(here.names("output/experiment-own/points").iter().filter(|name| name.starts_with(".writing")).count(), 0);
    assert_eq!(resumed.out, experiment(&whole, &["lab/own.toml"]).ends_with(0).out);
    assert!(left(&here) == left(&whole), "what it wrote differs from what an uninterrupted one writes");
    // A point that is not whole is run again.
    let points = here.path().join("output/experiment-own/points");
    let victim = here.names("output/experiment-own/points").into_iter().find(|name| !name.starts_with('.')).unwrap();
    let text = fs::read(points.join(&victim)).unwrap();
    fs::write(points.join(&victim), &text[..text.len() / 2]).unwrap();
    let mended = experiment(&here, &["lab/own.toml"]).ends_with(0);
    assert!(mended.err.contains("11 of 12"), "{}", mended.err);
    assert!(fs::read(points.join(&victim)).unwrap() == text);
}

#[test]
fn what_is_not_as_expected_is_said_and_the_answer_is_no() {
    let here = prepared();
    here.file("lab/own.toml", &SWEEP.replace("falling", "rising"));
    let told = experiment(&here, &["lab/own.toml", "--check"]).ends_with(1);
    assert!(told.out.starts_with("  NO "), "{}", told.out);
    let report = fs::read_to_string(here.path().join("output/experiment-own/report.html")).unwrap();
    assert!(report.contains("The expectation is not met."));
    let json = experiment(&here, &["lab/own.toml", "--format", "json"]).ends_with(1).json();
    assert_eq!((&json["ok"], &json["expectations"][0]["met"]), (&false.into(), &false.into()));
    let points = json["points"].as_array().unwrap();
    assert_eq!(points.len(), 12);
    let key = points[0]["key"].as_str().unwrap();
    let record = fs::read(here.path().join(format!("output/experiment-own/points/{key}.json"))).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["record"]["time_ps"], points[0]["time_ps"]);
}

#[test]
fn a_point_that_deadlocks_is_told_beside_the_others() {
    let here = Directory::new();
    here.file(
        "waits.flynn",
        "param first = 0\nshared ready: i64 = 0\nparallel { if first == 1 { await ready == 1 } }\nresult ready\n",
    );
    here.file(
        "own.toml",
        "name = \"Own\"\nquestion = \"?\"\nexpected = \"!\"\nreason = \".\"\nmachines = [\"uma-bus-2\"]\nworkloads = [\"waits.flynn\"]\n\
         [[sweep]]\nparameter = \"first\"\nvalues = [0, 1]\n",
    );
    let told = experiment(&here, &["own.toml"]).ends_with(1);
    assert!(told.out.contains("1 did not come to its end") && told.out.contains("deadlock: "), "{}", told.out);
    let table = fs::read_to_string(here.path().join("output/experiment-own/points.csv")).unwrap();
    assert!(table.lines().nth(1).unwrap().ends_with("finished") && table.lines().nth(2).unwrap().ends_with("deadlock"), "{table}");
}

#[test]
fn mistakes_are_told_before_anything_runs() {
    let here = prepared();
    for (from, to, says) in [
        ("\"mine.toml\"", "\"uma-bus-5\"", "there is no machine called `uma-bus-5`"),
        ("\"sum-padded\"", "\"nothing.flynn\"", "nothing.flynn"),
        (
            "threads = [1, 2, 4]",
            "threads = [1, 2, 4]\n[[sweep]]\nkey = \"node.cache.L3.size\"\nvalues = [\"1 MiB\"]",
            "node.cache.L3",
        ),
        ("x = \"threads\"", "x = \"treads\"", "lab/own.toml:"),
    ] {
        here.file("lab/own.toml", &SWEEP.replace(from, to));
        for command in ["experiment", "check"] {
            let told = here.flynn(&[command, "lab/own.toml"]);
            let said = told.out + &told.err;
            assert!(told.code != Some(0) && said.contains(says), "{command} with {to}: {said}");
        }
        assert_eq!(finished(&here), 0);
    }
}
