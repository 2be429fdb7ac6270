//! Programs from text to results.

mod differential;
mod meaning;
mod messages;
mod optimised;
mod parallel;

use super::{Lowering, RuntimeTexts, lower};
use crate::base::diagnostic::{Diagnostics, SourceText};
use crate::program::check::Bindings;
use crate::program::code::{Code, Collectives, Plan};
use crate::program::compile;
use crate::program::interpret::{FunctionalRun, run_functional};
use crate::program::tree::{Schedule, Value};

/// The shipped run-time texts.
fn texts() -> RuntimeTexts {
    macro_rules! texts {
        ($($name:literal),* $(,)?) => {
            [$(($name, include_str!(concat!("../../../../models/runtime/", $name, ".flynn")))),*]
        };
    }
    let texts = texts![
        "team",
        "barrier-central",
        "barrier-tree",
        "barrier-dissemination",
        "lock-mcs",
        "lock-test-and-set",
        "lock-test-and-test-and-set",
        "lock-ticket",
        "semaphore",
        "schedule-static",
        "schedule-static-chunked",
        "schedule-dynamic",
        "schedule-guided",
        "reduce-linear",
    ];
    texts.into_iter().map(|(name, text)| (name.to_string(), SourceText::new(format!("{name}.flynn"), text))).collect()
}

fn plan(threads: u32) -> Plan {
    Plan {
        ranks: 1,
        threads,
        seed: 1,
        padding: 64,
        lock: "ticket".into(),
        barrier: "central".into(),
        reduce: "linear".into(),
        schedule: Schedule { kind: "static".into(), chunk: None },
        collectives: Collectives::default(),
    }
}

fn lower_with(text: &str, plan: &Plan) -> Result<Code, Diagnostics> {
    let source = SourceText::new("test.flynn", text);
    let program = compile(&source, &Bindings { threads: plan.threads, ..Bindings::default() })?;
    lower(&program, plan, &texts())
}

/// As the text says, without any pass.
fn code_without_passes(text: &str, threads: u32) -> Code {
    let source = SourceText::new("test.flynn", text);
    let program = compile(&source, &Bindings { threads, ..Bindings::default() }).unwrap_or_else(|faults| panic!("{}", faults[0]));
    let (plan, texts) = (plan(threads), texts());
    let mut lowering = Lowering::new(&program, &plan, &texts);
    let parts = lowering.parts(&program).expect("it can be lowered");
    lowering.link(&program, &parts).expect("it can be linked")
}

fn code(text: &str, threads: u32) -> Code {
    lower_with(text, &plan(threads)).unwrap_or_else(|faults| panic!("{}", faults[0]))
}

fn run_code(code: &Code) -> FunctionalRun {
    run_functional(code, 10_000_000).unwrap_or_else(|error| panic!("{}", error.describe(code)))
}

fn results(text: &str, threads: u32) -> Vec<Value> {
    run_code(&code(text, threads)).results
}

/// Every shipped program gives the same results on any number of threads.
#[test]
fn shipped_programs_do_not_depend_on_the_number_of_threads() {
    macro_rules! workloads {
        ($($name:literal),* $(,)?) => {
            [$(($name, include_str!(concat!("../../../../configs/workloads/", $name, ".flynn")))),*]
        };
    }
    let workloads = workloads![
        "copy",
        "dot",
        "empty-loop",
        "gather",
        "histogram-private",
        "histogram-shared",
        "matmul-blocked",
        "matmul-naive",
        "migratory",
        "pointer-chase",
        "prefix-sum",
        "producer-consumer",
        "scatter",
        "stencil",
        "sum-atomic",
        "sum-lock",
        "sum-padded",
        "sum-unpadded",
        "triad",
    ];
    for (name, text) in workloads {
        let expected = results(text, 1);
        for threads in [2, 3] {
            assert_eq!(results(text, threads), expected, "{name} on {threads} threads");
        }
        assert_eq!(run_code(&code_without_passes(text, 2)).results, expected, "{name} without passes");
    }
}
