//! Every shipped program and run-time text says what it means, whatever it is bound to.

use flynn::base::diagnostic::Diagnostics;
use flynn::machine::catalogue::{Catalogue, Kind};
use flynn::program::check::{Bindings, RuntimeBindings, check_runtime};
use flynn::program::compile;
use flynn::program::tree::{ReduceOperator, Type};

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
            let bindings = RuntimeBindings { value: Some(value), combine: Some(combine), constants };
            if let Err(diagnostics) = check_runtime(&entry.source, &bindings) {
                panic!("{}", shown(&diagnostics));
            }
        }
    }
}
