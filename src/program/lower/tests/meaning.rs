//! What single constructs mean.

use super::*;
use crate::program::interpret::FunctionalError;

fn integers(text: &str, threads: u32) -> Vec<i64> {
    results(text, threads)
        .into_iter()
        .map(|value| match value {
            Value::I64(value) => value,
            other => panic!("{other:?} is not an i64"),
        })
        .collect()
}

#[test]
fn loops_run_as_often_as_they_say() {
    let text = "let up = 0\nfor i in 3..10 by 3 { up = up * 10 + i }\nlet down = 0\nfor i in 5..0 by -2 { down = down * 10 + i }\n\
                let none = 0\nfor i in 4..4 { none += 1 }\nlet n = 27\nlet steps = 0\n\
                while n != 1 {\n if n % 2 == 0 { n /= 2 } else { n = 3 * n + 1 }\n steps += 1\n}\nresult up, down, none, steps";
    assert_eq!(integers(&text.replace("n /= 2", "n = n / 2"), 1), [369, 531, 0, 111]);
}

#[test]
fn a_copy_of_a_variable_goes_its_own_way() {
    let text = "let turns = 0\nfor i in 0..5 {\n let j = i\n j += 3\n turns += j\n}\nresult turns";
    assert_eq!(integers(text, 1), [25]);
    assert!(lower_with("for i in 0..5 { i += 1 }\nresult 1", &plan(1)).is_err(), "a loop's variable is not assigned");
    assert!(lower_with("fn f(x: i64) -> i64 {\n x = 1\n x\n}\nresult f(2)", &plan(1)).is_err(), "nor is a parameter");
}

#[test]
fn functions_stand_where_they_are_called() {
    let text = "fn square(x: i64) -> i64 { x * x }\nfn power(x: i64, n: i64) -> i64 {\n let p = 1\n for k in 0..n { p *= x }\n p\n}\n\
                fn halve(x: i64) -> i64 {\n let y = x\n y = y / 2\n y\n}\n\
                let y = 10\nlet z = halve(y) + square(square(3))\nresult power(2, 10), power(3, 4) + square(5), y, z";
    assert_eq!(integers(text, 1), [1024, 106, 10, 86]);
}

#[test]
fn arrays_of_three_dimensions_are_row_major() {
    let text = "array a: i64[2, 3, 4] = i * 100 + j * 10 + k\narray b: i64[24]\nlet at = 0\n\
                for i in 0..2, j in 0..3, k in 0..4 { b[at] = a[i, j, k]\n at += 1 }\nresult b[0], b[5], b[23], sum(a[1, 2, ..]), sum(a[.., 1, 2..4])";
    assert_eq!(integers(text, 1), [0, 11, 123, 120 * 4 + 6, 12 + 13 + 112 + 113]);
}

#[test]
fn narrow_elements_wrap_and_round() {
    let text = "array a: i32[2] = 2147483647\narray b: f32[2] = 0.1\narray c: bool[3] = i == 1\na[1] += 1\nb[1] = b[0] + 0.2\n\
                let n = 0\nfor i in 0..3 { if c[i] { n += i } }\nresult a[1], b[1], c[0], c[1], n";
    let expected = [Value::I32(i32::MIN), Value::F32(0.1 + 0.2), Value::Bool(false), Value::Bool(true), Value::I64(1)];
    assert_eq!(results(text, 1), expected);
}

#[test]
fn the_right_hand_side_is_left_alone_where_the_left_decides() {
    let text = "array a: i64[4] = i\nlet n = 0\nfor i in 0..8 { if i < 4 && a[i] > 1 { n += 1 } }\n\
                for i in 0..8 { if i >= 4 || a[i] == 0 { n += 10 } }\nlet seven = 7\nlet both = seven < 4 && a[seven] > 0\n\
                let either = seven > 4 || a[seven] > 0\nresult n, i64(both), i64(either)";
    assert_eq!(integers(text, 1), [52, 0, 1]);
}

#[test]
fn initial_values_are_what_they_say() {
    let text = "param n = 1000\narray p: i64[n] = permutation()\narray c: i64[n] = cycle()\narray r: i64[n] = random(-5, 5)\n\
                array f: f64[n] = random(0.0, 1.0)\narray seen: i64[n]\nlet at = 0\nlet length = 0\nlet low = 0\nlet high = 0\nlet fine = 0\n\
                let moved = 0\n\
                for i in 0..n { seen[p[i]] += 1\n if p[i] != i { moved += 1 }\n low = min(low, r[i])\n high = max(high, r[i])\n\
                if f[i] >= 0.0 && f[i] < 1.0 { fine += 1 } }\n\
                let once = 0\nfor i in 0..n { if seen[i] == 1 { once += 1 } }\n\
                at = c[at]\nlength = 1\nwhile at != 0 { at = c[at]\n length += 1 }\nresult once, length, low, high, fine, moved";
    let values = integers(text, 1);
    // Each pass adds to `seen`, which is put back in between.
    assert_eq!(values[..5], [1000, 1000, -5, 4, 1000]);
    assert!(values[5] > 900, "{} of 1000 elements moved", values[5]);
    let other_seed =
        lower_with("array p: i64[100] = permutation()\nresult p[0], p[1], p[2]", &Plan { seed: 2, ..plan(1) }).unwrap();
    assert_ne!(run_code(&other_seed).results, results("array p: i64[100] = permutation()\nresult p[0], p[1], p[2]", 1));
}

#[test]
fn random_depends_on_its_counter_and_the_seed_alone() {
    let text = "let s = 0\nfor i in 0..1000 { s += random(i) >> 53 }\nresult s, random(1) - random(1), i64(random(1) == random(2))";
    let values = integers(text, 1);
    assert_eq!(values[1..], [0, 0]);
    assert!((480_000..545_000).contains(&values[0]), "mean of ten bits: {}", values[0]);
}

#[test]
fn a_second_pass_finds_what_the_first_found() {
    let text = "array a: i64[4] = i\nshared t: i64 = 5\nfor i in 0..4 { a[i] += 1 }\nt += 1\nresult a[0], a[3], t";
    assert_eq!(integers(text, 1), [1, 4, 6]);
    let code = code(text, 1);
    let restored: u64 = code.arena.restore.iter().map(|range| range.end - range.start).sum();
    assert_eq!(restored, 4 * 8 + 8);
    let written_only = super::code("array a: i64[4]\nfor i in 0..4 { a[i] = i }\nresult a[1]", 1);
    assert!(written_only.arena.restore.is_empty());
}

#[test]
fn faults_name_their_line() {
    let fault = |text: &str| {
        let code = code(text, 1);
        match run_functional(&code, 10_000) {
            Err(error @ FunctionalError::Fault(_)) => error.describe(&code),
            other => panic!("{other:?}"),
        }
    };
    insta::assert_snapshot!(
        fault("array a: i64[4]\nlet n = 4\nfor i in 0..9 {\n    n = i\n}\na[n] = 1\nresult n"),
        @"test.flynn:6:1: index 8 is out of range: valid indices are 0 to 3"
    );
    insta::assert_snapshot!(
        fault("array a: i64[4]\nlet n = a[0]\nlet m = 7 / n\nresult m"),
        @"test.flynn:3:9: division by zero"
    );
}

#[test]
fn what_cannot_be_lowered_says_so() {
    let fault = |text: &str, plan: &Plan| lower_with(text, plan).expect_err("it is wrong")[0].to_string();
    insta::assert_snapshot!(
        fault("array a: i64[8]\nparallel 8 { a[thread] = 1 }\nresult a[0]", &plan(4)),
        @"test.flynn:2:10: this team needs 8 threads; the run has 4 (run it with --threads 8 or more)"
    );
    insta::assert_snapshot!(
        fault("mutex m\nshared x: i64 = 0\nparallel { lock m { x += 1 } }\nresult x", &Plan { lock: "tiket".into(), ..plan(2) }),
        @"test.flynn:1:7: there is no run-time text `lock-tiket` (did you mean `ticket`?)"
    );
    insta::assert_snapshot!(
        fault("mutex m[2000000]\nshared x: i64 = 0\nparallel { lock m[3] { x += 1 } }\nresult x", &plan(2)),
        @"test.flynn:1:7: `m` has 2000000 elements; an array of locks has at most 1048576"
    );
    insta::assert_snapshot!(
        fault("array a: i64[1000000, 1000]\na[0, 0] = 1\nresult a[0, 0]", &plan(1)),
        @"test.flynn: the program's arrays need 7.5 GiB, which is more than the 4 GiB a simulated program may have"
    );
}

#[test]
fn a_dynamic_team_is_checked_when_it_forks() {
    let text = "array a: i64[8]\nlet n = a[0] + 9\nparallel n { a[thread] = 1 }\nresult a[0]";
    let code = code(text, 4);
    let error = run_functional(&code, 10_000).unwrap_err();
    insta::assert_snapshot!(error.describe(&code), @"test.flynn:3:10: this team needs 9 threads; the run has 4");
}

/// More variables than a byte can number.
#[test]
fn many_variables_at_once() {
    let mut text = String::from("array a: i64[400] = i\n");
    for variable in 0..400 {
        text.push_str(&format!("let v{variable} = a[{variable}]\n"));
    }
    text.push_str("for i in 0..3 {\n");
    for variable in 0..400 {
        text.push_str(&format!("v{variable} += v{}\n", (variable + 1) % 400));
    }
    text.push_str("}\nresult v0, v1, v399");
    let mut expected: Vec<i64> = (0..400).collect();
    for _ in 0..3 {
        for variable in 0..400 {
            expected[variable] += expected[(variable + 1) % 400];
        }
    }
    assert!(code(&text, 1).registers.len() > 256);
    assert_eq!(integers(&text, 1), [expected[0], expected[1], expected[399]]);
}

#[test]
fn a_program_that_grows_too_large_says_so() {
    let mut text = String::from("shared x: i64 = 0\nfn f0() {\n");
    for _ in 0..50 {
        text.push_str("x += 1\n");
    }
    text.push_str("}\n");
    for level in 1..8 {
        text.push_str(&format!("fn f{level}() {{\n"));
        for _ in 0..8 {
            text.push_str(&format!("f{}()\n", level - 1));
        }
        text.push_str("}\n");
    }
    text.push_str("f7()\nresult x");
    let faults = lower_with(&text, &plan(1)).expect_err("it is too large");
    assert!(faults[0].to_string().contains("too long"), "{}", faults[0]);
}
