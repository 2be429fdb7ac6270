//! The shipped workloads on this computer: they compute what the interpreter computes, and their machine code accesses memory as
//! their Code does.

use crate::base::diagnostic::SourceText;
use crate::host::fixture::{bits, run_here};
use crate::machine::catalogue::{Catalogue, Entry, Kind};
use crate::program;
use crate::program::check::Bindings;
use crate::program::code::{Code, Collectives, Plan};
use crate::program::interpret::run_functional;
use crate::program::lower::lower;
use crate::program::tree::{Program, Schedule, Type, Value};

/// A plan of shipped run-time texts.
pub(super) fn plan(threads: u32) -> Plan {
    Plan {
        ranks: 1,
        threads,
        seed: 1,
        padding: 64,
        lock: "ticket".to_owned(),
        barrier: "central".to_owned(),
        reduce: "linear".to_owned(),
        schedule: Schedule { kind: "static".to_owned(), chunk: None },
        collectives: Collectives::default(),
    }
}

/// A program and its Code, with the shipped run-time texts.
pub(super) fn lowered(source: &SourceText, plan: &Plan) -> (Program, Code) {
    let program = program::compile(source, &Bindings { threads: plan.threads, ..Bindings::default() });
    let program = program.unwrap_or_else(|faults| panic!("{}", faults[0]));
    let code = lower(&program, plan, &Catalogue::built_in().runtime_texts()).unwrap_or_else(|faults| panic!("{}", faults[0]));
    (program, code)
}

/// Every shipped program, lowered for each of these plans.
fn for_each_program(plans: &[Plan], mut check: impl FnMut(&Program, &Code, &str)) {
    let catalogue = Catalogue::built_in();
    // Litmus tests have several results, and teams that one thread cannot make up.
    // Those of several ranks are refused here.
    let has_ranks = |entry: &Entry| entry.source.text.contains("rank");
    let is_program = |entry: &&Entry| entry.source.name.ends_with(".flynn") && !entry.is_litmus() && !has_ranks(entry);
    for entry in catalogue.entries(Kind::Workload).filter(is_program) {
        for plan in plans {
            let (program, code) = lowered(&entry.source, plan);
            check(&program, &code, &format!("{} on {} threads", entry.name, plan.threads));
        }
    }
}

#[test]
fn shipped_programs_compute_here_what_the_interpreter_computes() {
    let runtime = |threads, barrier: &str, lock: &str, schedule: &str| Plan {
        barrier: barrier.to_owned(),
        lock: lock.to_owned(),
        schedule: Schedule { kind: schedule.to_owned(), chunk: None },
        ..plan(threads)
    };
    let plans = [
        plan(1),
        plan(2),
        runtime(2, "dissemination", "test-and-test-and-set", "dynamic"),
        runtime(3, "tree", "test-and-set", "guided"),
    ];
    for_each_program(&plans, |program, code, name| {
        let expected = run_functional(code, 100_000_000).unwrap_or_else(|error| panic!("{name}: {}", error.describe(code)));
        let outcome = run_here(code).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(outcome.results.len(), expected.results.len());
        for (&(r#type, got), (_, expected)) in outcome.results.iter().zip(bits(&expected.results)) {
            let values = (Value::from_bits(r#type, got), Value::from_bits(r#type, expected));
            assert!(got == expected || (program.order_dependent && near(values)), "{name}: {values:?}");
        }
    });
}

/// Within the default tolerance of results that depend on an order of additions.
fn near(values: (Value, Value)) -> bool {
    match values {
        (Value::F64(a), Value::F64(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        (Value::F32(a), Value::F32(b)) => f64::from((a - b).abs()) <= 1e-6 * f64::from(a.abs().max(b.abs())),
        _ => values.0.r#type() == Type::Bool && values.0 == values.1,
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn shipped_programs_access_memory_here_as_their_code_does() {
    for_each_program(&[plan(1), plan(4)], |_, code, name| {
        let compiled = crate::host::compile::compile(code.clone()).unwrap();
        let differences = crate::host::compile::accesses::differences(code, &compiled);
        assert!(differences.is_empty(), "{name}: {differences:#?}");
    });
}
