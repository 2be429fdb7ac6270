//! The life of one line: what is remembered, in which order, and that watching changes nothing.

use flynn::experiment::record::Record;
use flynn::experiment::run::{RunError, RunRequest, simulate};
use flynn::experiment::watch::{At, WatchRecord};
use flynn::machine::catalogue::Catalogue;

use crate::shipped::{machine, parameters, request, run, workload};

fn watched(workload_name: &str, small: &[(&str, &str)], protocol: &str, object: &str) -> WatchRecord {
    let catalogue = Catalogue::built_in();
    let machine = machine(&catalogue, "uma-bus-2", &[("address_space.protocol", protocol)]);
    let (workload, parameters) = (workload(&catalogue, workload_name), parameters(small));
    let plain = request(&machine, &workload, &parameters);
    let record = run(&RunRequest { watch: Some(object), ..plain }, &catalogue);
    let without = run(&plain, &catalogue);
    assert_eq!(Record { watch: None, ..record.clone() }, without, "watching changes nothing else");
    assert!(!serde_json::to_string(&without).unwrap().contains("\"watch\""));
    let event_by_event = run(&RunRequest { watch: Some(object), run_ahead: false, ..plain }, &catalogue);
    assert_eq!(record.watch, event_by_event.watch, "{workload_name}: run-ahead shows");
    record.watch.unwrap()
}

fn text(watch: &WatchRecord, most: usize) -> String {
    let states = |from: &Option<String>, next: &Option<String>| match (from, next) {
        (Some(from), Some(next)) => format!("{from} -> {next}"),
        _ => String::new(),
    };
    let line = |event: &flynn::experiment::watch::LifeRecord| {
        format!("{:>9}  {:14}  {}\n", event.time_ps, states(&event.from, &event.next), event.sentence())
    };
    watch.holds.join(", ") + "\n" + &watch.events.iter().take(most).map(line).collect::<String>()
}

#[test]
fn lines_that_travel_between_caches() {
    let small = [("n", "64")];
    let cases = [
        ("sum-unpadded", "mesi", "partial[0]"),
        ("sum-lock", "mesi", "lock guard"),
        ("producer-consumer", "mesi", "slot[0]"),
        ("producer-consumer", "dragon", "slot[0]"),
    ];
    let all = cases.map(|(workload, protocol, object)| {
        format!("{workload}, {protocol}: {object}, {}\n", text(&watched(workload, &small, protocol, object), 24))
    });
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_core_goes_on_from_the_state_it_was_in() {
    for protocol in ["msi", "mesi", "moesi", "mesif", "dragon"] {
        let watch = watched("producer-consumer", &[("n", "64")], protocol, "slot[0]");
        let mut states = std::collections::BTreeMap::new();
        for event in watch.events.iter().filter(|event| event.at == At::Core) {
            if let Some(before) = states.insert(event.core, event.next.clone()) {
                assert_eq!(before, event.from, "{protocol}: {}", event.sentence());
            }
        }
        assert_eq!(states.len(), 2, "{protocol}");
        assert!(watch.events.windows(2).all(|pair| pair[0].time_ps <= pair[1].time_ps));
        let stores: u64 = watch.events.iter().map(|event| event.stores).sum();
        assert_eq!(stores, 64, "{protocol}: every value is stored once");
    }
}

#[test]
fn a_long_life_is_cut() {
    let watch = watched("sum-atomic", &[("n", "20_000")], "mesi", "total");
    assert_eq!(watch.events.len(), 10_000);
    assert!(watch.left_out > 0);
}

#[test]
fn what_cannot_be_watched_is_said() {
    let catalogue = Catalogue::built_in();
    let refused = |machine_name: &str, workload_name: &str, object: &str| {
        let machine = machine(&catalogue, machine_name, &[]);
        let workload = workload(&catalogue, workload_name);
        match simulate(&RunRequest { watch: Some(object), ..request(&machine, &workload, &[]) }, &catalogue, &mut |_| {}) {
            Err(RunError::Input(faults)) => {
                format!("{object}: {}; {}\n", faults[0].message, faults[0].help.as_deref().unwrap_or_default())
            }
            other => panic!("{object}: {other:?}"),
        }
    };
    let objects = ["b[0]", "x", "x[1_000_000_000]", "x[0, 0]", "x[i]", "totl", "0xffff_ffff_ffff", ""];
    let all: String = objects.map(|object| refused("uma-bus-2", "sum-atomic", object)).concat();
    insta::assert_snapshot!(all + &refused("ideal", "sum-atomic", "total") + &refused("uma-bus-2", "bus-traffic", "total"));
}
