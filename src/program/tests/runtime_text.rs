//! Texts of the run-time: the same language, without what it is made of.

use super::source;
use crate::program::check::{RuntimeBindings, check_runtime};
use crate::program::tree::{BinaryOperator, ExpressionKind, Initial, ReduceOperator, StatementKind, Type, Value};

/// A ticket lock (Mellor-Crummey and Scott 1991, algorithm 2).
const TICKET: &str = "\
# First come, first served.
shared next: i64 = 0
shared serving: i64 = initial
fn acquire(slot: i64) {
    let mine = fetch_add(next, 1)
    await serving == mine
}
fn release(slot: i64) { atomic serving += 1 release }
";

/// Partial values in an array, combined by one thread.
const REDUCTION: &str = "\
array partial: value[threads] padded
fn combine_all(mine: value) -> value {
    partial[thread] = mine
    let total = partial[0]
    for i in 1..threads { total = combine(total, partial[i]) }
    total
}
";

#[test]
fn a_lock_is_a_module() {
    let bindings = RuntimeBindings { constants: vec![("initial".into(), 3)], ..RuntimeBindings::default() };
    let module = check_runtime(&source(TICKET), &bindings).expect("it is right");
    let names: Vec<&str> = module.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, ["acquire", "release"]);
    assert!(matches!(module.functions[0].body[1].kind, StatementKind::Await { .. }));
    let crate::program::tree::ObjectKind::Shared { initial: Initial::Elements { value, .. }, .. } = &module.objects[1].kind else {
        panic!("`serving` is a scalar");
    };
    assert!(matches!(value.kind, ExpressionKind::Constant(Value::I64(3))));
}

#[test]
fn value_and_combine_are_what_they_are_bound_to() {
    let bindings = RuntimeBindings {
        value: Some(Type::F32),
        combine: Some(ReduceOperator::Maximum),
        constants: vec![("threads".into(), 8)],
        ..RuntimeBindings::default()
    };
    let module = check_runtime(&source(REDUCTION), &bindings).expect("it is right");
    assert_eq!(module.objects[0].extents, [8]);
    assert!(module.objects[0].padded);
    let function = &module.functions[0];
    assert_eq!(function.value.as_ref().map(|value| value.r#type), Some(Type::F32));
    let StatementKind::For { high, body, .. } = &function.body[2].kind else { panic!("it is a loop") };
    assert!(matches!(high.kind, ExpressionKind::Threads), "in statements it is the team's");
    let StatementKind::Assign { value, .. } = &body[0].kind else { panic!("it is an assignment") };
    assert!(matches!(value.kind, ExpressionKind::Binary(BinaryOperator::Maximum, ..)));
}

#[test]
fn what_is_made_of_such_texts_cannot_stand_in_one() {
    let text = "param n = 3\nmutex m\nfn f() {\n    barrier\n    lock m { busy(1) }\n    parallel for i in 0..9 { busy(1) }\n}\nbusy(1)\n\
                array a: value[threads]\nfn g() { combine(1, 2) }\n";
    let diagnostics = check_runtime(&source(text), &RuntimeBindings::default()).expect_err("it is wrong");
    let shown: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(shown.join("\n"));
}
