//! Litmus tests on simulated machines: no run leaves the set of outcomes that the explorer tells.

use std::collections::BTreeSet;

use flynn::coherence::consistency::Consistency;
use flynn::coherence::explore::litmus::{LitmusScope, outcomes};
use flynn::coherence::load::load;
use flynn::experiment::record::Start;
use flynn::experiment::run::{RunRequest, prepare};
use flynn::experiment::workload::Workload;
use flynn::machine::catalogue::{Catalogue, Kind};

use crate::shipped::{machine, parameters, request, run, workload};

/// What the explorer tells of a program, as whole numbers.
fn allowed(catalogue: &Catalogue, name: &str, protocol: &str, consistency: Consistency) -> BTreeSet<Vec<i64>> {
    let plan = machine(catalogue, "uma-bus-4", &[]).plan(None, 1).unwrap();
    let source = &catalogue.find(Kind::Workload, name).unwrap().source;
    let (_, code) = prepare(source, &[], &plan, catalogue).unwrap();
    let protocol = load(&catalogue.find(Kind::Protocol, protocol).unwrap().source).unwrap();
    let found = outcomes(&code, &protocol, LitmusScope::new(consistency)).unwrap();
    assert!(!found.cut_short && found.broken.is_none());
    found.set.iter().map(|outcome| outcome.iter().map(|&bits| bits as i64).collect()).collect()
}

/// Delays of the threads, in operations: none, one thread's, all in steps.
fn delays(workload: &Workload) -> Vec<Vec<(String, String)>> {
    let Workload::Program(program) = workload else { panic!("litmus tests are programs") };
    let threads = (0..4).filter(|thread| program.source.text.contains(&format!("param delay{thread}"))).count();
    let mut delays = vec![Vec::new()];
    for thread in 0..threads {
        for delay in ["9", "60", "250"] {
            delays.push(parameters(&[(["delay0", "delay1", "delay2", "delay3"][thread], delay)]));
        }
    }
    let steps = ["0", "130", "260", "390"];
    delays.push((0..threads).map(|thread| (format!("delay{thread}"), steps[threads - 1 - thread].to_owned())).collect());
    delays
}

/// The outcomes of a program on a machine of four cores, whatever its delays, its caches cold and warm.
fn seen(catalogue: &Catalogue, name: &str, set: &[(&str, &str)]) -> BTreeSet<Vec<i64>> {
    seen_on(catalogue, "uma-bus-4", name, set)
}

fn seen_on(catalogue: &Catalogue, on: &str, name: &str, set: &[(&str, &str)]) -> BTreeSet<Vec<i64>> {
    let (machine, workload) = (machine(catalogue, on, set), workload(catalogue, name));
    let mut seen = BTreeSet::new();
    for parameters in delays(&workload) {
        for start in [Start::Warm, Start::Cold] {
            let plain = RunRequest { start, ..request(&machine, &workload, &parameters) };
            let record = run(&plain, catalogue);
            let again = run(&RunRequest { run_ahead: false, ..plain }, catalogue);
            assert_eq!(record.result, again.result, "{name} without run-ahead, {parameters:?}");
            seen.insert(record.result.values.iter().map(|value| value.as_i64().unwrap()).collect());
        }
    }
    seen
}

fn litmus_tests(catalogue: &Catalogue) -> Vec<String> {
    catalogue.entries(Kind::Workload).filter(|entry| entry.is_litmus()).map(|entry| entry.name.clone()).collect()
}

const TSO: (&str, &str) = ("node.core.consistency", "tso");
const OUT_OF_ORDER: (&str, &str) = ("node.core.part", "out-of-order-4-wide");
/// Of an out-of-order core: no more than a few operations, one store and one miss at a time.
const SMALL_WINDOW: [(&str, &str); 5] = [
    ("node.core.window", "7"),
    ("node.core.load_queue", "3"),
    ("node.core.store_queue", "2"),
    ("node.core.store_buffer", "1"),
    ("node.core.mshrs", "1"),
];

#[test]
fn runs_under_total_store_order_stay_inside_its_outcomes() {
    let catalogue = Catalogue::built_in();
    let tests = litmus_tests(&catalogue);
    assert!(tests.len() >= 11, "{tests:?}");
    for name in &tests {
        for protocol in ["mesi", "dragon"] {
            let allowed = allowed(&catalogue, name, protocol, Consistency::Tso);
            let set = [TSO, ("address_space.protocol", protocol)];
            let small = [set[0], set[1], ("node.core.store_buffer", "1")];
            let out_of_order = [&[OUT_OF_ORDER], &set[..]].concat();
            let all_small = [&out_of_order[..], &SMALL_WINDOW].concat();
            for set in [&set[..], &small, &out_of_order, &all_small] {
                let seen = seen(&catalogue, name, set);
                assert!(seen.is_subset(&allowed), "{name} with {set:?}: {seen:?} of {allowed:?}");
            }
        }
        let allowed = allowed(&catalogue, name, "mesi", Consistency::Tso);
        for on in ["uniprocessor-tlb", "uniprocessor-prefetch"] {
            let seen = seen_on(&catalogue, on, name, &[TSO, ("node.cores", "4")]);
            assert!(seen.is_subset(&allowed), "{name} on {on}: {seen:?} of {allowed:?}");
        }
    }
}

#[test]
fn runs_under_sequential_consistency_stay_inside_its_outcomes() {
    let catalogue = Catalogue::built_in();
    for name in &litmus_tests(&catalogue) {
        let allowed = allowed(&catalogue, name, "mesi", Consistency::Sc);
        for set in [&[][..], &[OUT_OF_ORDER]] {
            let seen = seen(&catalogue, name, set);
            assert!(seen.is_subset(&allowed), "{name} with {set:?}: {seen:?} of {allowed:?}");
        }
    }
}

#[test]
fn what_only_total_store_order_allows_is_seen_under_it() {
    let catalogue = Catalogue::built_in();
    assert!(seen(&catalogue, "litmus-sb", &[TSO]).contains(&vec![0, 0]));
    assert!(!seen(&catalogue, "litmus-sb", &[]).contains(&vec![0, 0]));
    // With 18 cycles for each atomic operation the other thread's store is there before the load.
    let quick = ("node.core.costs.atomic", "1 cycle");
    assert!(seen(&catalogue, "litmus-sb", &[OUT_OF_ORDER, TSO, quick]).contains(&vec![0, 0]));
    assert!(!seen(&catalogue, "litmus-sb", &[OUT_OF_ORDER, quick]).contains(&vec![0, 0]));
    for name in ["litmus-sb-fence", "litmus-sb-rmw"] {
        assert!(!seen(&catalogue, name, &[TSO]).contains(&vec![0, 0]), "{name}");
        assert!(!seen(&catalogue, name, &[OUT_OF_ORDER, TSO, quick]).contains(&vec![0, 0]), "{name} out of order");
    }
}
