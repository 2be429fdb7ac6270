//! Every shipped program and run-time text says what it means, whatever it is bound to.

use flynn::base::diagnostic::{Diagnostics, SourceText};
use flynn::machine::catalogue::{Catalogue, Kind};
use flynn::program::check::{Bindings, RuntimeBindings, check_runtime};
use flynn::program::code::{Collectives, Plan};
use flynn::program::compile;
use flynn::program::lower::{RuntimeTexts, lower};
use flynn::program::tree::{CollectiveOperation, ReduceOperator, Schedule, Type};

fn shown(diagnostics: &Diagnostics) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn shipped_programs_compile_for_any_team() {
    let catalogue = Catalogue::built_in();
    let programs = catalogue.entries(Kind::Workload).filter(|entry| entry.source.name.ends_with(".flynn"));
    let mut count = 0;
    for entry in programs {
        for threads in [1, 2, 5, 64] {
            let bindings = Bindings { threads, ..Bindings::default() };
            match compile(&entry.source, &bindings) {
                Ok(program) => {
                    assert!(!program.results.is_empty(), "{} has no result to be judged by", entry.name);
                    assert!(!program.summary.is_empty(), "{} says not what it teaches", entry.name);
                }
                Err(diagnostics) => panic!("with {threads} threads:\n{}", shown(&diagnostics)),
            }
        }
        count += 1;
    }
    assert!(count > 10, "only {count} programs are shipped");
}

#[test]
fn shipped_run_time_texts_are_right_for_every_type() {
    let catalogue = Catalogue::built_in();
    for entry in catalogue.entries(Kind::Runtime) {
        for (value, combine) in
            [(Type::F64, ReduceOperator::Add), (Type::I32, ReduceOperator::And), (Type::F32, ReduceOperator::Minimum)]
        {
            let mut constants = vec![("threads".to_string(), 6)];
            if entry.name == "semaphore" {
                constants.push(("initial".to_string(), 2));
            }
            constants.extend([("ranks".to_string(), 6), ("most".to_string(), 40)]);
            let borrowed = CollectiveOperation::of_text(&entry.source.name).map_or(Vec::new(), CollectiveOperation::borrowed);
            let bindings = RuntimeBindings { borrowed, value: Some(value), combine: Some(combine), constants };
            if let Err(diagnostics) = check_runtime(&entry.source, &bindings) {
                panic!("{}", shown(&diagnostics));
            }
        }
    }
}

#[test]
fn every_example_of_the_reference_is_a_program() {
    let page = include_str!("../../configs/workloads/REFERENCE.md");
    let examples: Vec<&str> = page.split("```flynn\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 4);
    for text in examples {
        for threads in [1, 4] {
            let bindings = Bindings { threads, ..Bindings::default() };
            if let Err(diagnostics) = compile(&SourceText::new("example.flynn", text), &bindings) {
                panic!("{}\n{text}", shown(&diagnostics));
            }
        }
    }
}

/// The texts that lowering inlines.
fn runtime_texts() -> RuntimeTexts {
    let catalogue = Catalogue::built_in();
    catalogue.entries(Kind::Runtime).map(|entry| (entry.name.clone(), entry.source.clone())).collect()
}

/// Compiles and lowers a text; says what was refused.
fn lowered(text: &str) -> Result<(), String> {
    let source = SourceText::new("hostile.flynn", text);
    let schedule = Schedule { kind: "static".into(), chunk: None };
    let plan = Plan {
        ranks: 1,
        threads: 4,
        seed: 1,
        padding: 64,
        lock: "ticket".into(),
        barrier: "central".into(),
        reduce: "linear".into(),
        schedule,
        collectives: Collectives::default(),
    };
    let program = compile(&source, &Bindings { threads: 4, ..Bindings::default() }).map_err(|faults| faults[0].message.clone())?;
    lower(&program, &plan, &runtime_texts()).map(|_| ()).map_err(|faults| faults[0].message.clone())
}

#[test]
fn the_deepest_programs_can_be_lowered() {
    let blocks = format!("shared x: i64 = 0\n{}x += 1{}", "if x == 0 {\n".repeat(98), "}".repeat(98));
    let sums = format!("shared x: i64 = 0\nx = x{}\n", " + x".repeat(95));
    let loops = format!("{}busy(1){}", "for i_{k} in 0..1 {\n".repeat(97), "}".repeat(97));
    let loops = (0..97).fold(loops, |text, k| text.replacen("{k}", &k.to_string(), 1));
    // Each function calls the one before at the bottom of a deep expression, as often as the checker lets it.
    let chain = |length: usize, depth: usize| {
        let body =
            |k: usize| format!("fn f_{k}(x: i64) -> i64 {{ {}f_{}(x){} }}\n", "(1 + ".repeat(depth), k - 1, ")".repeat(depth));
        let functions: String = (1..length).map(body).collect();
        format!("fn f_0(x: i64) -> i64 {{ x }}\n{functions}shared y: i64 = 0\ny = f_{}(y)\n", length - 1)
    };
    for text in [blocks, sums, loops, chain(5, 40), chain(60, 1)] {
        assert_eq!(lowered(&text), Ok(()), "{}", &text[..200]);
    }
    assert!(lowered(&chain(40, 40)).is_err_and(|message| message.contains("deep")));
}

#[test]
fn the_longest_programs_are_lowered_or_refused() {
    let variables: String = (0..30_000).map(|k| format!("let v{k} = {k}; v{k} = 2\n")).collect();
    let updates = format!("array a: i64[8]\n{}", "a[3] += a[2]\n".repeat(60_000));
    let functions: String = (0..12_000).map(|k| format!("fn f_{k}(x: i64) {{ busy(x) }}\nf_{k}({k})\n")).collect();
    let doubled: String = (1..16).map(|k| format!("fn g{k}(x: i64) {{ g{}(x); g{}(x) }}\n", k - 1, k - 1)).collect();
    let doubled = format!("fn g0(x: i64) {{ busy(x) }}\n{doubled}g15(1)\n");
    for text in [variables, updates, functions, doubled] {
        let _ = lowered(&text);
    }
}
