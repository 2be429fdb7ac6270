//! Experiments: what is wrong with a text, which points there are, what is kept, and expectations on results made by hand.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::base::diagnostic::{Diagnostics, SourceText};
use crate::experiment::record::Record;
use crate::experiment::workload::{NothingBeside, Workload};
use crate::machine::Machine;
use crate::machine::catalogue::{Catalogue, Kind};
use crate::machine::overrides::Override;

const HEAD: &str = "name = \"Made\"\nquestion = \"?\"\nexpected = \"!\"\nreason = \"Because.\"\n";

/// An experiment on one machine with these workloads.
fn text(rest: &str) -> String {
    format!("{HEAD}machines = [\"ideal\"]\nworkloads = [\"triad\"]\n{rest}")
}

fn read(text: &str) -> Result<Experiment, Diagnostics> {
    Experiment::read(&SourceText::new("made.toml", text))
}

fn right(rest: &str) -> Experiment {
    read(&text(rest)).unwrap_or_else(|faults| panic!("{}", faults[0]))
}

/// Runs an experiment on what is shipped.
fn perform_with(
    experiment: &Experiment,
    workloads: &[(&str, &str)],
    set: &[(String, String)],
    store: &Kept,
) -> Result<Performed, Diagnostics> {
    let catalogue = Catalogue::built_in();
    let shipped = |kind, name: &str| catalogue.find(kind, name).unwrap_or_else(|| panic!("{name} is shipped")).source.clone();
    let read = |(name, text): &(&str, &str)| {
        let source = if text.is_empty() { shipped(Kind::Workload, name) } else { SourceText::new("own.flynn", *text) };
        Workload::read(name, &source, &NothingBeside).unwrap()
    };
    let workloads: Vec<Workload> = workloads.iter().map(read).collect();
    let machine = |number: usize, overrides: &[Override]| {
        let name = &experiment.axes[0].values[number].text;
        Machine::resolve_with(&shipped(Kind::Machine, name), overrides, &catalogue)
    };
    let bench =
        Bench { workloads: &workloads, machine: &machine, set, catalogue: &catalogue, operation_limit: 1_000_000, code: "test" };
    perform(experiment, &bench, &InTurn, store, |_, _| {})
}

/// Keeps outcomes in memory.
#[derive(Default)]
struct Kept(Mutex<BTreeMap<String, Outcome>>);

impl Kept {
    fn n(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Store for Kept {
    fn load(&self, key: &PointKey) -> Option<Outcome> {
        self.0.lock().unwrap().get(&key.to_string()).cloned()
    }

    fn save(&self, key: &PointKey, outcome: &Outcome) -> Result<(), String> {
        let before = self.0.lock().unwrap().insert(key.to_string(), outcome.clone());
        assert!(before.is_none(), "two points of one key");
        Ok(())
    }
}

/// A record of any run, to be altered.
fn record() -> Record {
    let kept = Kept::default();
    perform_with(&right("[parameters]\nn = 4\n"), &[("triad", "")], &[], &kept).unwrap();
    match kept.0.into_inner().unwrap().into_values().next().unwrap() {
        Outcome::Record(record) => *record,
        Outcome::Stopped { message, .. } => panic!("{message}"),
    }
}

/// Results of these times in nanoseconds, in the order of the points; without a time a point was stopped.
fn results(experiment: &Experiment, times: &[Option<u64>]) -> Results {
    let record = record();
    let row = |time: &Option<u64>| {
        let outcome = match time {
            Some(time) => Outcome::Record(Box::new(Record { time_ps: time * 1000, ..record.clone() })),
            None => Outcome::Stopped { kind: "deadlock".into(), message: "all wait".into() },
        };
        Row::new(experiment, &outcome)
    };
    assert_eq!(times.len(), experiment.n_points());
    Results { rows: times.iter().map(row).collect() }
}

#[test]
fn what_is_wrong_with_a_text_points_into_it() {
    let sweep = "[[sweep]]\nthreads = [1, 2]\n";
    let expect = |rest: &str| format!("{sweep}[[expect]]\nof = \"time\"\nbecause = \"so\"\n{rest}");
    let texts = [
        "name = \"No machines\"\n".to_owned(),
        format!("{HEAD}machines = []\nworkloads = [\"triad\", \"triad\"]\n"),
        format!("{HEAD}machines = [16]\nworkloads = [\"triad\"]\n"),
        text("[[sweep]]\n"),
        text("[[sweep]]\nthreads = [1]\nkey = \"node.cores\"\nvalues = [1]\n"),
        text("[[sweep]]\nthreads = [0, 2]\n[[sweep]]\nparameter = \"n\"\n"),
        text("[[sweep]]\nparameter = \"n\"\nvalues = [8, 8.0]\n"),
        text("[[sweep]]\nparameter = \"time_ps\"\nvalues = [1]\n"),
        text(&format!("{sweep}{sweep}")),
        text("[parameters]\nn = 4\n[[sweep]]\nparameter = \"n\"\nvalues = [8]\n"),
        text(&format!("[set]\nruntime.threads = 4\n{sweep}")),
        text("[metrics]\ntime = \"1 + 1\"\n\"a b\" = \"time\"\nbusy = \"interconnect.busy_ps /time\"\n"),
        text("[[plot]]\nx = \"thraeds\"\ny = \"time\"\n"),
        text(&format!("{sweep}[[plot]]\nx = \"threads\"\ny = \"tiem\"\n")),
        text("[[plot]]\nx = \"machine\"\ny = \"speedup\"\nx_scale = \"log\"\n"),
        text(&format!("{sweep}[[plot]]\nx = \"threads\"\ny = \"time\"\nwhere = {{ threads = 2 }}\n")),
        text(&expect("kind = \"value\"\n")),
        text(&expect("kind = \"value\"\nequals = 1\nat_most = 2\n")),
        text(&expect("kind = \"value\"\nat_least = 1\nwithin = 0.1\n")),
        text(&expect("kind = \"value\"\nat_least = 2\nat_most = 1\n")),
        text(&expect("kind = \"value\"\nwhere = { threads = 3 }\nat_most = 1\n")),
        text(&expect("kind = \"ratio\"\nat = { threads = 2 }\nto = { machine = \"ideal\" }\nat_most = 1\n")),
        text(&expect("kind = \"ratio\"\nat = { threads = 2 }\nto = { threads = 2 }\nat_most = 1\n")),
        text(&expect("kind = \"monotone\"\nalong = \"machine\"\ndirection = \"rising\"\n")),
        text(&expect("kind = \"monotone\"\nalong = \"threads\"\ndirection = \"up\"\n")),
        text(&expect("kind = \"crossover\"\nalong = \"threads\"\nfirst = {}\nsecond = {}\nafter = 1\nbefore = 2\n")),
        text(&expect("kind = \"guess\"\n")),
        text(&format!("{}[[sweep]]\nparameter = \"n\"\nvalues = {:?}\n", many("m"), (0..200).collect::<Vec<_>>())),
    ];
    let told: Vec<String> = texts
        .iter()
        .map(|text| match read(text) {
            Ok(_) => panic!("nothing is wrong with\n{text}"),
            Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        })
        .collect();
    insta::assert_snapshot!(told.join("\n---\n"));
}

/// A sweep of a hundred values.
fn many(name: &str) -> String {
    format!("[[sweep]]\nparameter = \"{name}\"\nvalues = {:?}\n", (0..100).collect::<Vec<_>>())
}

#[test]
fn points_are_all_combinations_in_the_order_of_nested_loops() {
    let experiment = right("[[sweep]]\nparameter = \"n\"\nvalues = [64, 128, 256]\n[[sweep]]\nthreads = [2, 1]\n");
    assert_eq!(experiment.n_points(), 6);
    let told: Vec<String> = (0..6).map(|point| experiment.told(point)).collect();
    assert_eq!(told[..4], ["n 64, threads 2", "n 64, threads 1", "n 128, threads 2", "n 128, threads 1"]);
    for point in 0..6 {
        assert_eq!(experiment.point(&experiment.coordinates(point)), point);
        assert_eq!(experiment.baseline(point), Some(point | 1));
    }
}

/// The verdict on one expectation of the times of `threads = [1, 2, 4, 8]`, or on `workloads` x `threads` where there are twice as many.
fn verdict(expect: &str, times: &[Option<u64>]) -> Verdict {
    let workloads = if times.len() > 4 { "[\"triad\", \"copy\"]" } else { "[\"triad\"]" };
    let text = format!(
        "{HEAD}machines = [\"ideal\"]\nworkloads = {workloads}\n[[sweep]]\nthreads = [1, 2, 4, 8]\n[[expect]]\nbecause = \"so\"\n{expect}"
    );
    let experiment = read(&text).unwrap_or_else(|faults| panic!("{}", faults[0]));
    experiment.expectations[0].judge(&experiment, &results(&experiment, times))
}

#[test]
fn expectations_hold_as_far_as_they_say() {
    let times = [800, 400, 200, 160].map(Some);
    let both = [10, 20, 30, 40, 40, 30, 20, 10].map(Some);
    let cases: [(&str, &[Option<u64>], bool); 16] = [
        ("kind = \"value\"\nof = \"speedup\"\nwhere = { threads = 8 }\nequals = 5\n", &times, true),
        ("kind = \"value\"\nof = \"efficiency\"\nwhere = { threads = 8 }\nequals = 0.6\nwithin = 0.05\n", &times, true),
        ("kind = \"value\"\nof = \"efficiency\"\nwhere = { threads = 8 }\nequals = 0.6\nwithin = 0.04\n", &times, false),
        ("kind = \"value\"\nof = \"time\"\nat_most = 800_000\n", &times, true),
        ("kind = \"value\"\nof = \"time\"\nat_most = 799_999\n", &times, false),
        ("kind = \"ratio\"\nof = \"time\"\nat = { threads = 1 }\nto = { threads = 8 }\nat_least = 4\nat_most = 5\n", &times, true),
        ("kind = \"ratio\"\nof = \"time\"\nat = { threads = 8 }\nto = { threads = 1 }\nat_least = 1\n", &times, false),
        ("kind = \"monotone\"\nof = \"time\"\nalong = \"threads\"\ndirection = \"falling\"\n", &times, true),
        ("kind = \"monotone\"\nof = \"time\"\nalong = \"threads\"\ndirection = \"rising\"\n", &times, false),
        ("kind = \"monotone\"\nof = \"efficiency\"\nalong = \"threads\"\ndirection = \"rising\"\nwithin = 0.4\n", &times, true),
        ("kind = \"monotone\"\nof = \"time\"\nalong = \"threads\"\ndirection = \"falling\"\n", &both, false),
        (
            "kind = \"monotone\"\nof = \"time\"\nalong = \"threads\"\nwhere = { workload = \"copy\" }\ndirection = \"falling\"\n",
            &both,
            true,
        ),
        (&crossover(2, 4), &both, true),
        (&crossover(1, 8), &both, true),
        (&crossover(4, 8), &both, false),
        ("kind = \"value\"\nof = \"time\"\nat_least = 1\n", &[Some(1), Some(1), Some(1), None], false),
    ];
    let told = cases.iter().map(|(expect, times, met)| {
        let verdict = verdict(expect, times);
        assert_eq!(verdict.met, *met, "{expect}{verdict:?}");
        format!("{} {}: {}", if *met { "yes" } else { "no " }, verdict.claim, verdict.observed)
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
}

fn crossover(after: u32, before: u32) -> String {
    format!(
        "kind = \"crossover\"\nof = \"time\"\nalong = \"threads\"\nfirst = {{ workload = \"triad\" }}\n\
         second = {{ workload = \"copy\" }}\nafter = {after}\nbefore = {before}\n"
    )
}

#[test]
fn a_point_is_run_again_only_where_something_it_depends_on_has_changed() {
    let base = "[parameters]\nn = 64\n[[sweep]]\nthreads = [1, 2]\n";
    let kept = Kept::default();
    let found = |text: &str, workload: (&str, &str), set: &[(&str, &str)]| {
        let set: Vec<(String, String)> = set.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let experiment = read(text).unwrap_or_else(|faults| panic!("{}", faults[0]));
        perform_with(&experiment, &[workload], &set, &kept).unwrap_or_else(|faults| panic!("{}", faults[0])).found
    };
    let program = "param n = 8\narray a: i64[n]\nparallel for i in 0..n { a[i] = i }\nresult sum(a)\n";
    let own = ("own", program);
    assert_eq!((found(&text(base), own, &[]), kept.n()), (0, 2));
    assert_eq!((found(&text(base), own, &[]), kept.n()), (2, 2));
    // Words and expectations are no part of a point.
    let reworded = text(base).replace("Because.", "Otherwise.")
        + "[[expect]]\nkind = \"value\"\nof = \"time\"\nat_least = 1\nbecause = \"\"\n";
    assert_eq!((found(&reworded, own, &[]), kept.n()), (2, 2));
    // One value more.
    assert_eq!((found(&text(&base.replace("[1, 2]", "[4, 1, 2]")), own, &[]), kept.n()), (2, 3));
    for (number, (text, workload, set)) in [
        (text(&base.replace("64", "65")), own, &[][..]),
        (text(base), ("own", &*program.replace("= i }", "= 2 }")), &[]),
        (text(base), own, &[("node.core.clock", "3 GHz")]),
        (text(&format!("seed = 2\n{base}")), own, &[]),
        (text(&format!("start = \"cold\"\n{base}")), own, &[]),
        (text(base).replace("ideal", "uma-bus-4"), own, &[]),
        (text(&format!("[set]\nruntime.schedule = \"dynamic, 4\"\n{base}")), own, &[]),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!((found(&text, workload, set), kept.n()), (0, 5 + 2 * number), "change {number}");
    }
}

#[test]
fn a_point_that_stops_does_not_keep_others_from_their_end() {
    let waits = "param first = 0\nshared ready: i64 = 0\nparallel { if first == 1 { await ready == 1 } }\nresult ready\n";
    let experiment = right("[[sweep]]\nparameter = \"first\"\nvalues = [1, 0]\n");
    let performed = perform_with(&experiment, &[("waits", waits)], &[], &Kept::default());
    let performed = performed.unwrap_or_else(|faults| panic!("{}", faults[0]));
    assert_eq!(performed.results.rows[0].stopped().map(|stopped| stopped.kind.as_str()), Some("deadlock"));
    assert!(performed.results.rows[1].figures().is_some());
    let tidy = Tidy::new(&experiment, &performed.results);
    assert_eq!(tidy.rows[0].last().map(String::as_str), Some("deadlock"));
    assert!(!Document::new(&experiment, &performed, &[], Vec::new()).ok);
}

#[test]
fn what_machines_and_programs_do_not_have_is_said_before_anything_runs() {
    let fault = |rest: &str| {
        let kept = Kept::default();
        let faults = perform_with(&right(rest), &[("triad", "")], &[], &kept).unwrap_err();
        assert_eq!(kept.n(), 0);
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let told = [
        "[[sweep]]\nkey = \"node.interconnect.widht\"\nvalues = [\"8 B\"]\n",
        "[[sweep]]\nkey = \"node.core.clock\"\nvalues = [\"2 GHz\", \"fast\"]\n",
        "[[sweep]]\nparameter = \"m\"\nvalues = [1, 2]\n",
        "[[sweep]]\nthreads = [1, 1000]\n",
        "[set]\nnode.cores = 0\n",
    ]
    .map(fault);
    insta::assert_snapshot!(told.join("\n---\n"));
}

#[test]
fn figures_and_the_table_have_every_point() {
    let experiment = right("[metrics]\nnanoseconds = \"time / 1000\"\n[[sweep]]\nthreads = [1, 2, 4, 8]\n");
    let tidy = Tidy::new(&experiment, &results(&experiment, &[Some(800), Some(400), None, Some(100)]));
    let rows: Vec<String> = tidy.rows.iter().map(|row| row[2..row.len() - 2].join(",") + "," + &row[row.len() - 1]).collect();
    assert_eq!(tidy.columns.join(","), "machine,workload,threads,time_ps,speedup,nanoseconds,checksum,outcome");
    assert_eq!(rows, ["1,800000,1,800,finished", "2,400000,2,400,finished", "4,,,,deadlock", "8,100000,8,100,finished"]);
}
