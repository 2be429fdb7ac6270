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
    insta::assert_snapshot!(run("array a: i64[3, 4]\nsend a[.., 1] to 0\nresult a[0, 0]", 2).unwrap_err(), @"test.flynn:2:6: this part of the array is not one piece of memory (only the first range may be a part: `a[lo..hi, ..]`; copy other parts into an array of their own first)");
}

#[test]
fn deadlocks_and_mismatches_are_told_in_the_words_of_the_program() {
    let told = |text: &str| run(text, 2).unwrap_err();
    let head_to_head = "array x: f64[8]\nlet other = 1 - rank\nsend x[..] to other\nrecv x[..] from other\nresult x[0]";
    insta::assert_snapshot!(told(head_to_head), @"the program is stuck: rank 0, thread 0 waits at line 3 until rank 1 receives its message with tag 0; rank 1, thread 0 waits at line 3 until rank 0 receives its message with tag 0");
    insta::assert_snapshot!(told("array x: f64[8]\nif rank == 1 {\n    recv x[..] from 0 tag 3\n}\nresult x[0]"), @"the program is stuck: rank 1, thread 0 waits at line 3 for a message from rank 0 with tag 3, and no one is left to send it");
    let lengths = "array x: f64[8]\nif rank == 1 {\n    recv x[..] from 0\n} else {\n    send x[0..3] to 1\n}\nresult x[0]";
    insta::assert_snapshot!(told(lengths), @"test.flynn:3:5: 3 elements are sent, and 8 to be received: the other end is in line 5 (rank 1, thread 0)");
    let types = "array x: f64[8]\narray y: i64[8]\nif rank == 1 {\n    recv x from 0\n} else {\n    send y to 1\n}\nresult x[0]";
    insta::assert_snapshot!(told(types), @"test.flynn:4:5: i64 is sent, and f64 to be received: the other end is in line 6 (rank 1, thread 0)");
    insta::assert_snapshot!(told("array x: f64[8]\nsend x to rank + 1\nresult x[0]"), @"test.flynn:2:1: there is no rank 2: the run has ranks 0 to 1 (rank 1, thread 0)");
    insta::assert_snapshot!(told("array x: f64[8]\nlet n = rank * 3 + 7\nsend x[n..rank] to rank\nresult x[0]"), @"test.flynn:3:6: this part of the array ends 7 before it begins (rank 0, thread 0)");
    insta::assert_snapshot!(told("array x: f64[8]\nstart recv x from rank\nsend x to rank\nresult x[0]"), @"test.flynn:2:1: the run ends, and nothing has waited for this to be received (rank 0, thread 0) (write `wait all`, or keep it, `let h = start ...`, and `wait h`)");
    insta::assert_snapshot!(told("array x: f64[8]\nlet h = start recv x from rank\nsend x to rank\nwait h\nwait h\nresult x[0]"), @"test.flynn:5:1: this was waited for before (rank 0, thread 0)");
}

#[test]
fn faults_of_ranks_and_messages_are_found_before_the_run() {
    let told = |text: &str| code(text, 2).unwrap_err();
    insta::assert_snapshot!(told("array x: f64[rank + 1]\nresult x[0]"), @"test.flynn:1:14: an extent cannot depend on `rank`: every rank has the same arrays and loops over the same constants (use `ranks`, and leave unused what one rank needs less of)");
    insta::assert_snapshot!(told("require ranks == 3\nresult 1"), @"test.flynn:1:9: the program requires `ranks == 3`, which does not hold for ranks = 2 (give other values to the parameters, or run it with another number of ranks)");
    insta::assert_snapshot!(told("array x: f64[8] padded\nsend x to 1\nresult x[0]"), @"test.flynn:2:6: `x` is padded, so that its elements do not lie one behind the other (a message is one piece of memory: leave out `padded`)");
    insta::assert_snapshot!(told("array x: f64[8]\nsend x to 2\nresult x[0]"), @"test.flynn:2:11: there is no rank 2: the run has 2, from 0 (ranks are numbered from 0 to `ranks - 1`)");
    insta::assert_snapshot!(told("array x: f64[8]\nsend x to 1 tag -1\nresult x[0]"), @"test.flynn:2:17: a tag is at least 0, and this is -1 (tags tell messages apart)");
    insta::assert_snapshot!(told("array x: f64[8]\nlet h = start send x to 1\nlet y = h + 1\nresult y"), @"test.flynn:3:9: `h` stands for a message under way, not for a value (wait for it: `wait h`)");
    insta::assert_snapshot!(told("let h = 1\nwait h\nresult h"), @"test.flynn:2:6: `wait` waits for a message that was started (write `let h = start send x[..] to r`, then `wait h`; or `wait all`)");
    insta::assert_snapshot!(told("array x: f64[8]\nexchange x to 1, x from 1\nresult x[0]"), @"test.flynn:2:18: this is being sent while it is received into (receive into an array of its own)");
}
