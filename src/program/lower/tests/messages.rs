//! Ranks and messages, run without a machine.

use super::{lower, plan, texts};
use crate::base::diagnostic::SourceText;
use crate::program::check::Bindings;
use crate::program::code::{Code, Plan};
use crate::program::compile;
use crate::program::interpret::run_functional;
use crate::program::tree::Value;

fn code(text: &str, ranks: u32) -> Result<Code, String> {
    let plan = Plan { ranks, ..plan(2) };
    let source = SourceText::new("test.flynn", text);
    let bindings = Bindings { threads: plan.threads, ranks, ..Bindings::default() };
    let first = |faults: Vec<crate::base::diagnostic::Diagnostic>| faults[0].to_string();
    let program = compile(&source, &bindings).map_err(first)?;
    lower(&program, &plan, &texts()).map_err(first)
}

fn run(text: &str, ranks: u32) -> Result<Vec<Value>, String> {
    let code = code(text, ranks)?;
    run_functional(&code, 10_000_000).map(|run| run.results).map_err(|error| error.describe(&code))
}

const RING: &str = "param m = 720720
require m % ranks == 0
let part = m / ranks
array x: i64[m] = rank + i
array t: i64[part]
let right = (rank + 1) % ranks
let left = (rank - 1) % ranks
for step in 0..ranks - 1 {
    let o = (rank - step) % ranks * part
    let e = (rank - step - 1) % ranks * part
    exchange x[o..o + part] to right, t[..] from left
    for i in 0..part { x[e + i] += t[i] }
}
for step in 0..ranks - 1 {
    let o = (rank + 1 - step) % ranks * part
    let e = (rank - step) % ranks * part
    exchange x[o..o + part] to right, x[e..e + part] from left
}
result x[0], sum(x)
";

#[test]
fn a_ring_sums_over_any_number_of_ranks() {
    let text = RING.replace("720720", "5040");
    for ranks in (1..=16).filter(|ranks| 5040 % ranks == 0) {
        let (m, p) = (5040, i64::from(ranks));
        let expected = [Value::I64(p * (p - 1) / 2), Value::I64(m * p * (p - 1) / 2 + p * m * (m - 1) / 2)];
        assert_eq!(run(&text, ranks).unwrap(), expected, "{ranks} ranks");
    }
}

#[test]
fn messages_that_nothing_tells_apart_keep_their_order_and_tags_tell_apart() {
    let text = "array x: i64[4] = i + 10
array y: i64[3]
if rank == 0 {
    start send x[0..1] to 1 tag 7
    start send x[1..2] to 1
    let h = start send x[2] to 1
    wait h
    wait all
} else {
    recv y[0..1] from 0
    recv y[1] from 0
    recv y[2] from 0 tag 7
    send y to 0 tag 3
}
if rank == 0 { recv y from 0 + 1 tag 3 }
result y[0], y[1], y[2]
";
    let shown = run(text, 2);
    assert_eq!(shown.unwrap(), [11, 12, 10].map(Value::I64));
}

#[test]
fn rows_of_an_array_are_one_piece_and_columns_are_not() {
    let text = "array a: i64[3, 4] = rank * 100 + i * 4 + j\nif rank == 0 { recv a[1..3, ..] from 1 } else { send a[0..2, ..] to 0 }\nresult sum(a)\n";
    let own = 1 + 2 + 3;
    assert_eq!(run(text, 2).unwrap(), [Value::I64(own + 800 + 28)]);
    insta::assert_snapshot!(run("array a: i64[3, 4]\nsend a[.., 1] to 0\nresult a[0, 0]", 2).unwrap_err(), @"");
}

#[test]
fn deadlocks_and_mismatches_are_told_in_the_words_of_the_program() {
    let told = |text: &str| run(text, 2).unwrap_err();
    let head_to_head = "array x: f64[8]\nlet other = 1 - rank\nsend x[..] to other\nrecv x[..] from other\nresult x[0]";
    insta::assert_snapshot!(told(head_to_head), @"");
    insta::assert_snapshot!(told("array x: f64[8]\nif rank == 1 {\n    recv x[..] from 0 tag 3\n}\nresult x[0]"), @"");
    let lengths = "array x: f64[8]\nif rank == 1 {\n    recv x[..] from 0\n} else {\n    send x[0..3] to 1\n}\nresult x[0]";
    insta::assert_snapshot!(told(lengths), @"");
    let types = "array x: f64[8]\narray y: i64[8]\nif rank == 1 {\n    recv x from 0\n} else {\n    send y to 1\n}\nresult x[0]";
    insta::assert_snapshot!(told(types), @"");
    insta::assert_snapshot!(told("array x: f64[8]\nsend x to rank + 1\nresult x[0]"), @"");
    insta::assert_snapshot!(told("array x: f64[8]\nlet n = rank * 3 + 7\nsend x[n..rank] to rank\nresult x[0]"), @"");
    insta::assert_snapshot!(told("array x: f64[8]\nstart recv x from rank\nsend x to rank\nresult x[0]"), @"");
    insta::assert_snapshot!(told("array x: f64[8]\nlet h = start recv x from rank\nsend x to rank\nwait h\nwait h\nresult x[0]"), @"");
}

#[test]
fn faults_of_ranks_and_messages_are_found_before_the_run() {
    let told = |text: &str| code(text, 2).unwrap_err();
    insta::assert_snapshot!(told("array x: f64[rank + 1]\nresult x[0]"), @"");
    insta::assert_snapshot!(told("require ranks == 3\nresult 1"), @"");
    insta::assert_snapshot!(told("array x: f64[8] padded\nsend x to 1\nresult x[0]"), @"");
    insta::assert_snapshot!(told("array x: f64[8]\nsend x to 2\nresult x[0]"), @"");
    insta::assert_snapshot!(told("array x: f64[8]\nsend x to 1 tag -1\nresult x[0]"), @"");
    insta::assert_snapshot!(told("array x: f64[8]\nlet h = start send x to 1\nlet y = h + 1\nresult y"), @"");
    insta::assert_snapshot!(told("let h = 1\nwait h\nresult h"), @"");
    insta::assert_snapshot!(told("array x: f64[8]\nexchange x to 1, x from 1\nresult x[0]"), @"");
}
