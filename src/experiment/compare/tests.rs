//! Comparisons of figures made by hand, each sentence with what makes it; those of real runs are in `tests/it/compare.rs`.

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use super::{compare, labels};
use crate::experiment::record::{
    Counts, Equality, MachineRecord, ProfileLine, ProtocolRecord, Record, ResultRecord, RowRecord, SCHEMA, Start, WorkloadRecord,
};

const PROGRAM: &str = "\
array a: f64[n]
shared done: i64 = 0
parallel for i in 0..n {
    a[i] = 1.0
}
await done == 1
";

/// A record of so many equal cores with these owners' times in line 4, and in line 6 where they wait for each other.
fn record(cores: u64, stack: &[(&str, u64)], counters: &[(&str, u64)]) -> Record {
    let mut metrics = IndexMap::new();
    let (mut working, mut waiting) = (IndexMap::new(), IndexMap::new());
    for (owner, time) in stack {
        let line = if *owner == "synchronisation" { &mut waiting } else { &mut working };
        line.insert(owner.to_string(), time * cores);
        for core in 0..cores {
            metrics.insert(format!("node[0].core[{core}].stack.{owner}_ps"), *time);
        }
    }
    metrics.extend(counters.iter().map(|(path, value)| (format!("node[0].{path}"), *value)));
    let line = |line: u32, stack: IndexMap<String, u64>| ProfileLine {
        line,
        time_ps: stack.values().sum(),
        stack,
        misses: IndexMap::new(),
    };
    let operations = counters.iter().find(|(name, _)| *name == "operations").map_or(1000, |(_, value)| *value);
    Record {
        schema: SCHEMA,
        flynn: "0.1.0".into(),
        seed: 1,
        start: Start::Warm,
        machine: MachineRecord {
            name: "Made".into(),
            organisation: "uma".into(),
            flynn_class: "MIMD".into(),
            config: json!({ "node": [{ "cores": cores }], "address_space": { "protocol": "mesi" } }),
            protocol: None,
        },
        workload: WorkloadRecord {
            name: "made".into(),
            text: PROGRAM.into(),
            text_sha256: String::new(),
            parameters: IndexMap::from([("n".into(), json!(100))]),
            runtime: json!({ "threads": cores }),
        },
        time_ps: stack.iter().map(|(_, time)| time).sum(),
        result: ResultRecord { values: vec![json!(1.0)], checksum: "a".into(), equality: Equality::Exact },
        counts: Counts { operations, ..Counts::default() },
        metrics,
        profile: vec![line(4, working), line(6, waiting)],
        timelines: IndexMap::new(),
        why: Vec::new(),
        watch: None,
    }
}

fn names() -> Vec<String> {
    ["first".to_owned(), "other".to_owned()].to_vec()
}

fn said(first: &Record, other: &Record) -> String {
    let comparison = compare(&[first, other], &names()).unwrap();
    let reasons = comparison.against_first.into_iter().flat_map(|against| against.reasons);
    reasons.map(|reason| reason.sentence + "\n").collect()
}

const BUS: [(&str, u64); 4] =
    [("interconnect.transactions", 1000), ("interconnect.bus_rd", 1000), ("interconnect.busy_ps", 20_000), ("memory.reads", 1000)];

/// The bus's counters with some of them otherwise.
fn bus(changes: &[(&'static str, u64)]) -> Vec<(&'static str, u64)> {
    let mut counters: IndexMap<&str, u64> = BUS.into_iter().collect();
    counters.extend(changes.iter().copied());
    counters.into_iter().collect()
}

#[test]
fn times_are_compared_as_people_say_it() {
    let of = |time: u64| record(1, &[("base", time)], &[]);
    let headline = |a: u64, b: u64| said(&of(a), &of(b)).lines().next().unwrap().to_owned();
    insta::assert_snapshot!([(1000, 1000), (1000, 1002), (1000, 1120), (1000, 930), (1000, 3000), (3000, 1000), (0, 10)].map(|(a, b)| headline(a, b)).join("\n"), @r"
    “other” takes the same time as “first”, 1 ns.
    “other” takes about the same time as “first”: 1 ns instead of 1 ns.
    “other” takes 12% longer than “first”: 1.12 ns instead of 1 ns.
    “other” takes 7% less time than “first”: 930 ps instead of 1 ns.
    “other” takes 3 times as long as “first”: 3 ns instead of 1 ns.
    “other” is 3 times as fast as “first”: 1 ns instead of 3 ns.
    “other” takes 10 ps instead of 0 ps of “first”.
    ");
}

#[test]
fn more_requests_and_longer_ones_are_told_apart() {
    let first = record(2, &[("base", 10_000), ("queue", 5_000), ("memory_local", 20_000)], &bus(&[]));
    let more = record(
        2,
        &[("base", 10_000), ("queue", 10_000), ("memory_local", 40_000)],
        &bus(&[("interconnect.transactions", 2000), ("interconnect.bus_upgr", 1000)]),
    );
    insta::assert_snapshot!(said(&first, &more), @r"
    “other” takes 71% longer than “first”: 60 ns instead of 35 ns.
    The 25 ns more go to: memory system 100%.
    Most of it is in line 4 (`a[i] = 1.0`): 60 ns of the average core's time instead of 35 ns.
    2,000 requests leave the private caches instead of 1,000, most of the change upgrades: 1,000 instead of 0.
    ");
    let longer =
        record(2, &[("base", 10_000), ("queue", 60_000), ("memory_local", 20_000)], &bus(&[("interconnect.busy_ps", 80_000)]));
    insta::assert_snapshot!(said(&first, &longer), @r"
    “other” takes 2.57 times as long as “first”: 90 ns instead of 35 ns.
    The 55 ns more go to: memory system 100%.
    Most of it is in line 4 (`a[i] = 1.0`): 90 ns of the average core's time instead of 35 ns.
    About as many requests leave the private caches, 1,000 and 1,000, but each costs its core 160 ps instead of 50 ps, above all waiting for its turn: 120 ps instead of 10 ps (the interconnect moves data 89% of the time instead of 57%).
    ");
    let supplied = record(
        2,
        &[("base", 10_000), ("queue", 5_000), ("coherence", 4_000)],
        &bus(&[("memory.reads", 0), ("interconnect.flushes", 1000), ("memory.writes", 1000)]),
    );
    insta::assert_snapshot!(said(&first, &supplied), @r"
    “other” takes 46% less time than “first”: 19 ns instead of 35 ns.
    The 16 ns less are saved in: memory system 125%; costs again: coherence 25%.
    Most of it is in line 4 (`a[i] = 1.0`): 19 ns of the average core's time instead of 35 ns.
    About as many requests leave the private caches, 1,000 and 1,000, but each costs its core 18 ps instead of 50 ps, above all waiting for memory itself: 0 ps instead of 40 ps (0 lines come from memory instead of 1,000, 1,000 from other caches instead of 0).
    Memory takes 1,000 writes instead of 0: 1,000 lines on their way from cache to cache are written there too instead of 0.
    ");
}

#[test]
fn waiting_follows_from_work() {
    let first = record(2, &[("base", 10_000), ("synchronisation", 10_000)], &[("operations", 1000)]);
    let other = record(2, &[("base", 20_000), ("synchronisation", 40_000)], &[("operations", 2000)]);
    insta::assert_snapshot!(said(&first, &other), @r"
    “other” takes 3 times as long as “first”: 60 ns instead of 20 ns.
    The 40 ns more go to: waiting for threads 75% and own instructions 25%.
    Most of it is in line 6 (`await done == 1`): 40 ns of the average core's time instead of 10 ns. There threads wait for each other, so it follows from what they do elsewhere: most of that is in line 4 (`a[i] = 1.0`): 20 ns of the average core's time instead of 10 ns.
    The cores carry out 2,000 operations instead of 1,000.
    ");
}

#[test]
fn gains_and_losses_that_cancel_are_told_as_times() {
    let first = record(1, &[("base", 10_000), ("l2", 10_000)], &[("core[0].l2.accesses", 100)]);
    let other = record(1, &[("base", 16_000), ("l2", 5_000)], &[("core[0].l2.accesses", 50)]);
    insta::assert_snapshot!(said(&first, &other), @r"
    “other” takes 5% longer than “first”: 21 ns instead of 20 ns.
    The average core's time changes in several ways: own instructions +6 ns and L2 −5 ns.
    Most of it is in line 4 (`a[i] = 1.0`): 21 ns of the average core's time instead of 20 ns.
    An operation takes 16 ps on average instead of 10 ps.
    L2 is asked 50 times instead of 100.
    ");
}

#[test]
fn threads_share_the_work() {
    let first = record(1, &[("base", 40_000)], &[("operations", 4000)]);
    let other = record(4, &[("base", 10_000)], &[("operations", 4000)]);
    insta::assert_snapshot!(said(&first, &other), @r"
    “other” is 4 times as fast as “first”: 10 ns instead of 40 ns.
    4 threads share the work instead of 1: each carries out 1,000 operations on average instead of 4,000.
    The 30 ns less are saved in: own instructions 100%.
    Most of it is in line 4 (`a[i] = 1.0`): 10 ns of the average core's time instead of 40 ns.
    The cores carry out 1,000 operations instead of 4,000 for the average core.
    ");
}

#[test]
fn counts_alone_are_compared_by_their_misses() {
    let counted = |l1d: u64, l2: u64| record(1, &[("base", 0)], &[("core[0].l1d.misses", l1d), ("core[0].l2.misses", l2)]);
    insta::assert_snapshot!(said(&counted(1000, 500), &counted(1100, 480)), @"“other” misses L1d 1,100 times instead of 1,000, 10% more.");
    insta::assert_snapshot!(said(&counted(1, 1), &counted(1, 1)), @"“other” counts what “first” counts; neither took any time.");
}

/// Two states, of which one row says what it is told.
fn protocol(next: &str, actions: &[&str]) -> ProtocolRecord {
    let row = |next: &str, actions: &[&str]| RowRecord {
        next: next.to_owned(),
        actions: actions.iter().map(|action| action.to_string()).collect(),
    };
    let of_m = IndexMap::from([("bus_rd".to_owned(), row(next, actions)), ("load".to_owned(), row("M", &["perform"]))]);
    let of_i = IndexMap::from([("load".to_owned(), row("M", &["bus_rd"]))]);
    ProtocolRecord {
        name: "MI".into(),
        agent: IndexMap::from([("I".to_owned(), of_i), ("M".to_owned(), of_m)]),
        memory: IndexMap::new(),
    }
}

#[test]
fn rows_that_differ_are_named_with_how_often_they_were_taken() {
    let mut records = [700, 900].map(|taken| record(2, &[("base", 1000), ("coherence", taken)], &[("protocol.M.bus_rd", taken)]));
    records[0].machine.protocol = Some(protocol("M", &["flush"]));
    records[1].machine.protocol = Some(protocol("I", &["flush", "shared"]));
    records[1].machine.config["address_space"]["protocol"] = json!("mine.toml");
    let comparison = compare(&[&records[0], &records[1]], &names()).unwrap();
    let protocols = comparison.protocols.as_ref().unwrap();
    assert_eq!(protocols.sentence, "The protocols differ in 1 row.");
    assert_eq!(protocols.rows[0].row, "M/bus_rd");
    assert_eq!(protocols.rows[0].values, [Some("next M, do flush".to_owned()), Some("next I, do flush, shared".to_owned())]);
    assert_eq!(protocols.rows[0].taken, [Some(700), Some(900)]);
    assert!(said(&records[0], &records[1]).contains(
        "The row that differs is M/bus_rd: “next I, do flush, shared” instead of “next M, do flush”. It was taken 900 times instead of \
         700."
    ));
    records[1].machine.protocol = records[0].machine.protocol.clone();
    let comparison = compare(&[&records[0], &records[1]], &names()).unwrap();
    assert_eq!(
        comparison.protocols.unwrap().sentence,
        "The protocols mesi and mine.toml have the same rows: they are the same protocol."
    );
    records[1].machine.config = records[0].machine.config.clone();
    assert_eq!(compare(&[&records[0], &records[1]], &names()).unwrap().protocols, None);
    let with_state =
        ProtocolRecord { agent: IndexMap::from([("O".to_owned(), protocol("M", &[]).agent["I"].clone())]), ..protocol("M", &[]) };
    records[1].machine.protocol = Some(with_state);
    let sentence = compare(&[&records[0], &records[1]], &names()).unwrap().protocols.unwrap().sentence;
    assert_eq!(sentence, "The protocols differ in 4 rows; only “first” has states I, M; only “other” has state O.");
}

#[test]
fn other_work_is_refused() {
    let first = record(1, &[("base", 1)], &[]);
    let refused = |change: &dyn Fn(&mut Record)| {
        let mut other = first.clone();
        change(&mut other);
        compare(&[&first, &other], &names()).unwrap_err()
    };
    insta::assert_snapshot!([
        refused(&|other| other.workload.text += "# more\n"),
        refused(&|other| { other.workload.text.clear(); other.workload.name = "triad".into() }),
        refused(&|other| { other.workload.parameters.insert("n".into(), json!(7)); }),
        refused(&|other| { other.workload.parameters.insert("m".into(), json!(7)); }),
        refused(&|other| other.workload.runtime["functional"] = json!(true)),
        compare(&[&first], &names()[..1]).unwrap_err(),
    ].join("\n"), @r"
    “first” and “other” are not of the same work: the texts of made differ
    “first” and “other” are not of the same work: made and triad
    “first” and “other” are not of the same work: n = 100 and n = 7
    “first” and “other” are not of the same work: m = nothing and m = 7
    “first” and “other” are not of the same work: one has counts alone, the other time too
    one run alone cannot be compared: name a second machine or record
    ");
}

#[test]
fn results_are_compared_as_the_program_promises() {
    let said = |values: [Json; 2], equality: Equality| {
        let mut records = [1, 2].map(|cores| record(cores, &[("base", 1)], &[]));
        for (record, (value, checksum)) in records.iter_mut().zip(values.into_iter().zip(["a", "b"])) {
            record.result = ResultRecord { values: vec![value], checksum: checksum.to_owned(), equality };
        }
        let results = compare(&records.iter().collect::<Vec<_>>(), &names()).unwrap().results;
        (results.equal, results.sentence.split(',').next().unwrap_or_default().to_owned())
    };
    let near = || [1.0.into(), (1.0 + 1e-12).into()];
    assert_eq!(said(near(), Equality::Tolerance(1e-9)), (true, "The results are equal within 1e-9 relative".to_owned()));
    for (values, equality) in
        [(near(), Equality::Tolerance(1e-13)), (near(), Equality::Exact), ([1.into(), 2.into()], Equality::Tolerance(1.0))]
    {
        assert_eq!(said(values, equality), (false, "The results differ".to_owned()));
    }
}

#[test]
fn namesakes_are_told_apart() {
    let mut records = [1, 4, 4].map(|cores| record(cores, &[("base", 1)], &[]));
    records[0].machine.name = "One".into();
    records[2].seed = 2;
    let named = |records: &[Record]| labels(&records.iter().collect::<Vec<_>>());
    assert_eq!(named(&records), ["One", "Made (seed 1)", "Made (seed 2)"]);
    records[2].seed = 1;
    assert_eq!(named(&records), ["One", "Made (run 2)", "Made (run 3)"]);
}

#[test]
fn nothing_breaks_on_records_without_figures() {
    let mut records = [1, 2].map(|cores| record(cores, &[("base", 5)], &[]));
    for record in &mut records {
        record.metrics.clear();
        record.profile.clear();
    }
    let comparison = compare(&[&records[0], &records[1]], &names()).unwrap();
    assert!(comparison.figures.iter().all(|figure| figure.values.iter().flatten().all(|value| value.is_finite())));
    assert_eq!(comparison.against_first[0].ratio, Some(1.0));
}
