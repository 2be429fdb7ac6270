//! Texts that are right, and what they mean.

use super::texts::{COLLECTIVES, EVERYTHING, NOT_BUILT, PHILOSOPHERS, PIPELINE, RING, TRIAD};
use super::{compile, right, source};
use crate::base::diagnostic::Span;
use crate::program::parse::parse;
use crate::program::tree::{
    BinaryOperator, Comparison, Expression, ExpressionKind, Initial, ObjectKind, Order, ParallelFor, Program, ReduceOperator,
    Statement, StatementKind, Type, UpdateOperation, Value,
};

#[test]
fn every_text_of_the_notation_can_be_read() {
    for text in [TRIAD, PHILOSOPHERS, RING, PIPELINE, EVERYTHING] {
        if let Err(diagnostics) = parse(&source(text)) {
            panic!("{}\nin\n{text}", diagnostics[0]);
        }
    }
}

#[test]
fn everything_that_is_built_compiles() {
    for text in [TRIAD, PHILOSOPHERS, RING, EVERYTHING, COLLECTIVES] {
        right(text);
    }
}

#[test]
fn what_is_not_built_is_named_once() {
    for (construct, text) in NOT_BUILT {
        let diagnostics = compile(text).expect_err(construct);
        let named: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        assert!(named.contains(&format!("`{construct}` is not built yet").as_str()), "{text}{named:?}");
    }
    let shown = |text| compile(text).expect_err("it is not built").iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shown(PIPELINE), ["test.flynn:4:1: `pipeline` is not built yet"]);
}

fn loop_of(statement: &Statement) -> &ParallelFor {
    match &statement.kind {
        StatementKind::ParallelFor(shared) => shared,
        kind => panic!("not a shared-out loop: {kind:?}"),
    }
}

fn constant(expression: &Expression) -> Value {
    match expression.kind {
        ExpressionKind::Constant(value) => value,
        _ => panic!("not constant: {expression:?}"),
    }
}

#[test]
fn triad_is_what_it_says() {
    let program = right(TRIAD);
    assert_eq!(program.summary, ["STREAM triad: three arrays, no reuse.", "Its time is the time of its bytes."]);
    assert_eq!(program.parameters[0].value, Value::I64(1_000_000));
    assert_eq!(program.objects.iter().map(|object| object.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(matches!(program.objects[0].kind, ObjectKind::Array { element: Type::F64, initial: Initial::Zero }));
    assert_eq!(program.work.map(|work| (work.flops, work.bytes)), Some((2_000_000, 24_000_000)));
    assert!(!program.order_dependent);
    let setup = loop_of(&program.setup[0]);
    let StatementKind::Store { value, .. } = &setup.body[1].kind else { panic!("it stores") };
    assert!(matches!(value.kind, ExpressionKind::Convert(_)), "`c[i] = i` converts its index");
    let shared = loop_of(&program.body[0]);
    assert_eq!(constant(&shared.high), Value::I64(1_000_000));
    assert!(matches!(program.results[0].kind, ExpressionKind::Sum(_)));
}

/// The value of a `let` called `name`.
fn let_value<'p>(program: &'p Program, name: &str) -> &'p Expression {
    let found = program.body.iter().find_map(|statement| match &statement.kind {
        StatementKind::Assign { local, value } if program.locals[local.0 as usize].name == name => Some(value),
        _ => None,
    });
    found.expect("there is such a variable")
}

#[test]
fn literals_adopt_the_type_they_meet() {
    let program = right(
        "array d: f64[9]\narray s: f32[9]\narray n: i32[9]\n\
         let a = 2 * d[0]\nlet b = s[0] + 0.1\nlet c = n[0] * 3\nlet e = n[0] + 3_000_000_000\nlet f = 1 / 2 + d[0]\nlet g = n[0] + 0.5\n\
         let h = max(s[0], 1)\nlet k = fma(s[0], 2, 1)\nlet l = s[0] * d[0]\nlet m = n[0] < 2.5\nlet o = n[0] << 40\n",
    );
    let types = [
        ("a", Type::F64),
        ("b", Type::F32),
        ("c", Type::I32),
        ("e", Type::I64),
        ("f", Type::F64),
        ("g", Type::F64),
        ("h", Type::F32),
        ("k", Type::F32),
        ("l", Type::F64),
        ("m", Type::Bool),
        ("o", Type::I32),
    ];
    for (name, r#type) in types {
        assert_eq!(let_value(&program, name).r#type, r#type, "{name}");
    }
    let ExpressionKind::Binary(BinaryOperator::Add, _, b) = &let_value(&program, "b").kind else { panic!("a sum") };
    assert_eq!(constant(b), Value::F32(0.1));
    let ExpressionKind::Binary(_, half, _) = &let_value(&program, "f").kind else { panic!("a sum") };
    assert_eq!(constant(half), Value::F64(0.0), "`1 / 2` is a division of integers");
}

#[test]
fn constants_are_folded_as_the_machine_would() {
    let program = right(
        "param n = 7\nlet half = n / 2\nlet back = -n / 2\nlet left = (0 - 1) % 4\narray a: f64[half + back + 3 * left]\n\
         result half, back, left, i32(3e9), i64(-2.7), 1 << 65, sqrt(16), n == 7 && !false, threads\n",
    );
    assert!(program.body.is_empty(), "a constant `let` takes no register");
    assert_eq!(program.objects[0].extents, [8], "3 - 4 + 9");
    let known: Vec<Value> = program.results[..8].iter().map(constant).collect();
    let expected = [
        Value::I64(3),
        Value::I64(-4),
        Value::I64(3),
        Value::I32(i32::MAX),
        Value::I64(-2),
        Value::I64(2),
        Value::F64(4.0),
        Value::Bool(true),
    ];
    assert_eq!(known, expected);
    assert!(matches!(program.results[8].kind, ExpressionKind::Threads));
}

#[test]
fn lines_end_where_no_operator_or_bracket_is_open() {
    let program = right(
        "array a: f64[4,\n    4]\nlet x = 1 +\n    2 *\n    a[0,\n      0]\nlet y = 2; let z = min(a[1, 1],\n\n    # a comment between\n    y\n)\n\
         if x > 0\n{\n    busy(1)\n}\nelse\n{\n    busy(2)\n}\nresult x,\n    z\n",
    );
    assert_eq!(program.results.len(), 2);
    assert!(matches!(let_value(&program, "x").kind, ExpressionKind::Binary(BinaryOperator::Add, ..)));
}

#[test]
fn operators_bind_as_documented() {
    let folded = |text: &str| constant(&right(&format!("result {text}\n")).results[0]);
    assert_eq!(folded("1 + 2 * 3 - 4 / 2"), Value::I64(5));
    assert_eq!(folded("7 & 3 == 3"), Value::Bool(true), "unlike in C, bit operators bind tighter than comparisons");
    assert_eq!(folded("1 | 6 & 4 ^ 5"), Value::I64(1 | ((6 & 4) ^ 5)));
    assert_eq!(folded("1 << 2 + 1"), Value::I64(8));
    assert_eq!(folded("10 - 3 - 2"), Value::I64(5));
    assert_eq!(folded("-2 * -3"), Value::I64(6));
    assert_eq!(folded("false && false || true"), Value::Bool(true));
    assert_eq!(folded("-9223372036854775808"), Value::I64(i64::MIN));
    assert_eq!(folded("0xFFFF_FFFF_FFFF_FFFF"), Value::I64(-1));
}

#[test]
fn reductions_have_private_copies() {
    let program = right(
        "shared total: f64 = 0.0\nshared top: i64 = 0\n\
         parallel for i in 0..9 reduce(+: total) reduce(max: top) schedule(dynamic, 2) { total += i; top = max(top, i) }\n",
    );
    let shared = loop_of(&program.body[0]);
    assert_eq!(
        shared.reductions.iter().map(|reduction| reduction.operator).collect::<Vec<_>>(),
        [ReduceOperator::Add, ReduceOperator::Maximum]
    );
    assert_eq!(shared.schedule.as_ref().map(|schedule| (schedule.kind.as_str(), schedule.chunk)), Some(("dynamic", Some(2))));
    let StatementKind::Assign { local, .. } = shared.body[0].kind else { panic!("the copy is a register") };
    assert_eq!(local, shared.reductions[0].private);
    assert!(program.order_dependent, "a sum of floats");
}

#[test]
fn order_matters_only_for_floats_that_are_added_in_turn() {
    let dependent = |text: &str| right(text).order_dependent;
    assert!(!dependent("shared t: i64 = 0\nparallel for i in 0..9 reduce(+: t) { t += i }\n"));
    assert!(!dependent("shared t: f64 = 0\nparallel for i in 0..9 reduce(max: t) { t = max(t, i) }\n"));
    assert!(!dependent("shared t: f64 = 0\nparallel { atomic t max= 1 }\n"));
    assert!(dependent("shared t: f64 = 0\nparallel { atomic t += 1 }\n"));
    assert!(dependent("shared t: f64 = 0\nmutex m\nparallel { lock m { t += 1 } }\n"));
    assert!(dependent(
        "shared t: f64 = 0\nmutex m\nfn add(x: f64) { t += x }\nfn twice(x: f64) { add(x); add(x) }\nparallel { lock m { twice(1) } }\n"
    ));
    assert!(!dependent("shared t: f64 = 0\nt += 1\n"));
}

#[test]
fn ranges_are_nested_and_the_first_is_shared_out() {
    let program =
        right("array a: f64[8, 8]\nparallel for i in 0..8, j in i..8 by 2 { a[i, j] = 1 }\nfor i in 0..2, j in 0..i { busy(j) }\n");
    let shared = loop_of(&program.body[0]);
    let StatementKind::For { low, step, .. } = &shared.body[0].kind else { panic!("the second range is a loop") };
    assert!(matches!(low.kind, ExpressionKind::Local(variable) if variable == shared.variable));
    assert_eq!(*step, 2);
    let StatementKind::For { body, .. } = &program.body[1].kind else { panic!("a loop") };
    assert!(matches!(body[0].kind, StatementKind::For { .. }));
}

#[test]
fn array_statements_are_shared_out_loops() {
    let program = right(
        "param part = 4\narray x: f64[16]\narray t: f64[part]\narray m: f64[4, 16]\nlet o = 4\no = 8\n\
         x[o..o + part] += t[..]\nx[1..5] = 2 * x[5..9]\nm[.., 3] = t[..] + m[1, o - part..o]\nm[.., ..] = 0\n",
    );
    let kinds: Vec<&StatementKind> = program.body.iter().map(|statement| &statement.kind).collect();
    // `o..o + part` and `..` have the same length, which the checker sees; the distance is -o, computed once.
    let add = kinds.iter().find_map(|kind| match kind {
        StatementKind::ParallelFor(shared) => Some(shared),
        _ => None,
    });
    let add = add.expect("a loop");
    assert!(matches!(add.body[0].kind, StatementKind::Update { operator: BinaryOperator::Add, .. }));
    let loops: Vec<&ParallelFor> =
        program.body.iter().filter(|s| matches!(s.kind, StatementKind::ParallelFor(_))).map(loop_of).collect();
    assert_eq!(loops.len(), 4);
    let StatementKind::Store { place, value } = &loops[1].body[0].kind else { panic!("a store") };
    assert!(matches!(place.indices[0].kind, ExpressionKind::Local(variable) if variable == loops[1].variable));
    let ExpressionKind::Binary(BinaryOperator::Multiply, _, load) = &value.kind else { panic!("a product") };
    let ExpressionKind::Load(source) = &load.kind else { panic!("a load") };
    let ExpressionKind::Binary(BinaryOperator::Add, _, distance) = &source.indices[0].kind else { panic!("a distance") };
    assert_eq!(constant(distance), Value::I64(4));
    let StatementKind::For { body, .. } = &loops[3].body[0].kind else { panic!("the second range is a loop") };
    assert!(matches!(body[0].kind, StatementKind::Store { .. }));
}

#[test]
fn a_variable_that_a_result_reads_is_stored_at_the_end() {
    let program = right("let s = 0.0\nfor i in 0..9 { s += i }\nresult s, s + 1\n");
    assert_eq!(program.objects.len(), 1);
    let StatementKind::Store { place, .. } = &program.body.last().expect("statements").kind else { panic!("a store") };
    assert!(matches!(&program.results[0].kind, ExpressionKind::Load(read) if read.object == place.object));
}

#[test]
fn await_takes_its_place_from_either_side() {
    let program = right(
        "shared x: i64 = 0\narray f: bool[4] = false\nparallel {\n    await 3 <= x\n    await f[thread]\n    await !f[0]\n    await atomic x != thread\n}\n",
    );
    let StatementKind::Parallel { body, .. } = &program.body[0].kind else { panic!("a team") };
    let awaited: Vec<(Comparison, Option<Value>)> = body
        .iter()
        .map(|statement| match &statement.kind {
            StatementKind::Await { comparison, value, .. } => {
                (*comparison, if let ExpressionKind::Constant(value) = value.kind { Some(value) } else { None })
            }
            kind => panic!("not an await: {kind:?}"),
        })
        .collect();
    let expected = [
        (Comparison::GreaterEqual, Some(Value::I64(3))),
        (Comparison::Equal, Some(Value::Bool(true))),
        (Comparison::Equal, Some(Value::Bool(false))),
        (Comparison::NotEqual, None),
    ];
    assert_eq!(awaited, expected);
}

#[test]
fn atomics_say_what_and_in_which_order() {
    let program = right("shared x: i64 = 0\natomic x = 1 release\natomic x -= 2\nfetch_max(x, 3)\nlet v = atomic x acquire\n");
    let atomic = |index: usize| match &program.body[index].kind {
        StatementKind::Atomic { operation, value, order, .. } => (*operation, constant(value), *order),
        kind => panic!("not atomic: {kind:?}"),
    };
    assert_eq!(atomic(0), (UpdateOperation::Exchange, Value::I64(1), Order::Release));
    assert_eq!(atomic(1), (UpdateOperation::Add, Value::I64(-2), Order::SequentiallyConsistent));
    assert_eq!(atomic(2), (UpdateOperation::Maximum, Value::I64(3), Order::SequentiallyConsistent));
    assert!(matches!(let_value(&program, "v").kind, ExpressionKind::AtomicLoad(_, Order::Acquire)));
}

#[test]
fn a_thread_assigns_its_own_variables_in_a_loop_its_team_shares() {
    right(
        "parallel {\n    let mine = 0\n    parallel for i in 0..9 { mine += i }\n    parallel for i in 0..9 { let t = i; t += 1 }\n}\n",
    );
}

#[test]
fn spans_are_exact() {
    let program = right(EVERYTHING);
    let text = |span: Span| &EVERYTHING[span.start as usize..span.end as usize];
    for object in &program.objects {
        assert_eq!(text(object.span), object.name);
    }
    for parameter in &program.parameters {
        assert_eq!(text(parameter.span), parameter.name);
    }
    assert_eq!(text(program.results[0].span), "sum(a[1, ..])");
    assert_eq!(text(program.functions[0].span), "fn square(x: f64) -> f64 { x * x }");
    assert_eq!(text(program.setup[1].span), "line[..] = 0");
    let StatementKind::While { condition, body } = &program.body[2].kind else { panic!("a loop") };
    assert_eq!(text(condition.span), "error > eps && sweeps < 3");
    let StatementKind::ParallelFor(shared) = &body[0].kind else { panic!("a loop") };
    assert_eq!(text(shared.reductions[1].span), "max: largest");
    let StatementKind::For { body: inner, .. } = &shared.body[0].kind else { panic!("a loop") };
    let StatementKind::Store { place, value } = &inner[1].kind else { panic!("a store") };
    assert_eq!(text(place.span), "a[i, j]");
    assert!(text(value.span).starts_with("0.25 * (a[i - 1, j]") && text(value.span).ends_with("a[i, j + 1])"));
    let StatementKind::If { otherwise, .. } = &body[3].kind else { panic!("an if") };
    assert!(text(otherwise[0].span).starts_with("if sweeps == 2 { busy(2) }"));
}

#[test]
fn a_constant_let_hides_nothing_where_no_let_would() {
    right(
        "fn f(x: f64) -> f64 { let y = x * 2; y }\nsetup { for i in 0..9 { busy(i) } }\nfor y in 0..2 { busy(y) }\nlet x = 1\nlet y = 2\nlet i = 3\nresult f(x + y + i)\n",
    );
    assert!(compile("let x = 1\nfor x in 0..9 { busy(x) }\n").is_err());
    assert!(compile("let x = 1\narray x: f64[4]\n").is_err());
}

#[test]
fn threads_are_constant_in_extents_and_requirements_only() {
    let program = right("array partial: f64[threads]\nrequire threads == 4\nparallel { busy(threads) }\n");
    assert_eq!(program.objects[0].extents, [4]);
    let StatementKind::Parallel { body, .. } = &program.body[0].kind else { panic!("a team") };
    assert!(matches!(&body[0].kind, StatementKind::Busy(amount) if matches!(amount.kind, ExpressionKind::Threads)));
}
