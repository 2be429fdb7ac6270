//! What the passes leave of a loop.

use super::*;
use crate::program::code::{Instruction, OperationClass, Phase};

/// Counts of the measured pass.
fn tally(text: &str, threads: u32) -> crate::program::interpret::Tally {
    run_code(&code(text, threads)).tally
}

/// The timed part of the shipped program with the size given, in which n is at most a few hundred.
fn shipped(text: &str, n: u64) -> String {
    let from = text.find("param n = ").expect("it has a size");
    let end = from + text[from..].find('\n').expect("a line ends");
    format!("{}param n = {n}{}", &text[..from], &text[end..])
}

/// Checks of what the text itself says; not of what a schedule deals out, which stand at the loop's head.
fn checks(code: &Code, phase: Phase) -> usize {
    let Some(function) = code.function(phase) else { return 0 };
    let blocks = function.blocks.clone().map(|block| code.blocks[block as usize]);
    let indices = blocks.flat_map(|block| block.first..block.first + block.length).map(|index| index as usize);
    let is_check = |index: &usize| {
        let site = code.sites[code.instruction_sites[*index] as usize];
        let is_dealt = code.texts[0].text[site.span.start as usize..].starts_with("parallel for");
        !is_dealt && matches!(code.instructions[*index], Instruction::Check { .. } | Instruction::CheckDivisor { .. })
    };
    indices.filter(is_check).count()
}

#[test]
fn accesses_are_those_of_the_text() {
    let triad = include_str!("../../../../configs/workloads/triad.flynn");
    let (small, large) = (tally(&shipped(triad, 100), 1), tally(&shipped(triad, 300), 1));
    assert_eq!((large.loads - small.loads, large.stores - small.stores), (400, 200));
    assert_eq!(large.flops - small.flops, 400);
    assert_eq!(large.instructions - small.instructions, 200 * 7, "two loads, two operations, a store, a step, a branch");

    let matmul = include_str!("../../../../configs/workloads/matmul-naive.flynn");
    let tally = tally(&shipped(matmul, 8), 1);
    let parallel = super::code(&shipped(matmul, 8), 1);
    assert_eq!(tally.flops, 2 * 8 * 8 * 8);
    assert!(tally.loads >= 2 * 8 * 8 * 8 && tally.loads < 2 * 8 * 8 * 8 + 10, "{} loads", tally.loads);
    assert!(tally.stores >= 64 && tally.stores < 64 + 10, "{} stores", tally.stores);
    assert_eq!(checks(&parallel, Phase::Main), 0);
}

#[test]
fn checks_that_cannot_fail_are_dropped() {
    let programs = [
        ("triad", include_str!("../../../../configs/workloads/triad.flynn")),
        ("stencil", include_str!("../../../../configs/workloads/stencil.flynn")),
        ("matmul-naive", include_str!("../../../../configs/workloads/matmul-naive.flynn")),
        ("matmul-blocked", include_str!("../../../../configs/workloads/matmul-blocked.flynn")),
        ("histogram-private", "array m: i64[threads, 8]\nparallel { for b in 0..8 { m[thread, b] = b } }\nresult sum(m)"),
        ("ring", "array a: i64[8]\nfor i in 0..8 { a[(i + 1) % 8] = a[(i - 1) % 8] }\nresult a[0]"),
        ("guarded", "array a: i64[8]\nfor i in 0..8 { if i > 0 && i + 1 < 8 { a[i - 1] = a[i + 1] } }\nresult a[0]"),
        ("while", "array a: i64[8]\nlet i = 0\nwhile i < 8 { a[i] = i\n i += 1 }\nresult a[0]"),
        ("triangle", "array a: i64[8, 8]\nfor i in 0..8 { for j in 0..i + 1 { a[i, j] = 1 } }\nresult a[0, 0]"),
        ("captured", "array a: i64[8, 8]\nfor t in 0..8 { parallel for i in 0..8 { a[t, i] = t } }\nresult a[0, 0]"),
        ("down", "array a: i64[8]\nfor i in 7..-1 by -1 { a[i] = i }\nresult a[0]"),
        ("mask", "array a: i64[8]\narray b: i64[8] = i\nfor i in 0..8 { a[b[i] & 7] += 1 }\nresult a[0]"),
        ("clamp", "array a: i64[8]\narray b: i64[8] = i\nfor i in 0..8 { a[max(0, min(b[i], 7))] += 1 }\nresult a[0]"),
    ];
    for (name, text) in programs {
        for threads in [1, 4] {
            let code = code(text, threads);
            assert_eq!(checks(&code, Phase::Main), 0, "{name} on {threads} threads:\n{code}");
        }
    }
}

#[test]
fn checks_that_may_fail_stay() {
    let programs = [
        ("gather", "array a: i64[8]\narray b: i64[8] = i\nfor i in 0..8 { a[b[i]] += 1 }\nresult a[0]", 1),
        ("one too far", "array a: i64[8]\nfor i in 0..8 { a[i + 1] = 1 }\nresult a[0]", 1),
        ("one before", "array a: i64[8]\nfor i in 0..8 { a[i - 1] = 1 }\nresult a[0]", 1),
        ("too long", "array a: i64[8]\nfor i in 0..9 { a[i] = 1 }\nresult a[0]", 1),
        ("stride", "array a: i64[8]\nfor i in 0..8 by 3 { a[i + 2] = 1 }\nresult a[0]", 1),
        ("wrong guard", "array a: i64[8]\nfor i in 0..9 { if i < 9 { a[i] = 1 } }\nresult a[0]", 1),
        ("divisor", "array a: i64[8]\nfor i in 0..8 { a[i] = 8 / i }\nresult a[0]", 1),
        // What is written in a loop is not what it was before.
        ("moving", "array a: i64[8]\nlet k = 0\nfor i in 0..8 { a[k] = 1\n k = k + i }\nresult a[0]", 1),
    ];
    for (name, text, expected) in programs {
        let code = code(text, 1);
        assert_eq!(checks(&code, Phase::Main), expected, "{name}:\n{code}");
    }
    let in_range = code("array a: i64[9]\nfor i in 0..8 by 3 { a[i + 2] = 1 }\nresult a[0]", 1);
    assert_eq!(checks(&in_range, Phase::Main), 0, "0, 3 and 6 are the values of i");
}

#[test]
fn neighbours_share_their_arithmetic() {
    let text = "array a: f64[32, 32]\narray b: f64[32, 32]\nfor i in 1..31, j in 1..31 {\n\
                b[i, j] = 0.25 * (a[i - 1, j] + a[i + 1, j] + a[i, j - 1] + a[i, j + 1]) }\nresult b[1, 1]";
    let code = code(text, 1);
    let inner = code
        .function(Phase::Main)
        .unwrap()
        .blocks
        .clone()
        .find(|&block| code.block(block).iter().any(|instruction| matches!(instruction, Instruction::Load { .. })))
        .unwrap();
    let classes: Vec<_> = code.block(inner).iter().filter_map(|instruction| code.class(instruction)).collect();
    let count = |class| classes.iter().filter(|&&known| known == class).count();
    assert_eq!((count(OperationClass::Load), count(OperationClass::Store)), (4, 1));
    assert_eq!(count(OperationClass::Integer), 2, "i * 32 + j, and the step\n{code}");
    assert_eq!(classes.len(), 4 + 1 + 2 + 4 + 1, "loads, store, integers, floats, branch\n{code}");
}

#[test]
fn divisions_of_what_is_not_negative_need_no_fix_up() {
    let has = |text: &str| {
        let code = code(text, 1);
        code.instructions.iter().any(|instruction| matches!(instruction, Instruction::DivideNonNegative { .. }))
    };
    assert!(has("array a: i64[8]\nfor i in 0..100 { a[i % 7] += 1 }\nresult a[0]"));
    assert!(!has("array a: i64[8]\nfor i in -9..100 { a[i % 7] += 1 }\nresult a[0]"));
}

#[test]
fn waiting_names_the_line_that_called_for_it() {
    let code = code("mutex m\nshared x: i64 = 0\nparallel {\n    lock m {\n        x += 1\n    }\n}\nresult x", 2);
    let ticket = code.texts.iter().position(|text| &*text.name == "lock-ticket.flynn").unwrap();
    let lines: Vec<u32> = code.sites.iter().filter(|site| usize::from(site.text) == ticket).map(|site| site.line).collect();
    assert!(!lines.is_empty() && lines.iter().all(|&line| line == 4), "{lines:?}");
}

#[test]
fn registers_are_shared() {
    let mut text = String::from("array a: f64[100]\n");
    for _ in 0..200 {
        text.push_str("for i in 0..100 { a[i] = a[i] * 2.0 + 1.0 }\n");
    }
    text.push_str("result a[0]");
    assert!(code(&text, 1).registers.len() < 40);
}

#[test]
fn a_listing_can_be_read() {
    let text = "# Adds up.\narray a: f64[100] = i\nshared s: f64 = 0.0\nlet t = 0.0\nfor i in 0..100 {\n    t += 2.0 * a[i]\n}\ns = t\nresult s";
    let listing = code(text, 1).to_string();
    let main = &listing[listing.find("main:").unwrap()..];
    insta::assert_snapshot!(main);
}
