//! Texts that nobody would write: whatever is read, nothing panics, hangs or overflows the stack.

use proptest::prelude::*;

use super::texts::{EVERYTHING, NOT_BUILT, PHILOSOPHERS, PIPELINE, RING, TRIAD};
use super::{compile, source};
use crate::base::diagnostic::Diagnostics;
use crate::program::check::{RuntimeBindings, check_runtime};
use crate::program::parse::MAXIMUM_LENGTH;

/// Every place that is reported lies in the text, between characters.
fn assert_places(text: &str, diagnostics: &Diagnostics) -> Result<(), TestCaseError> {
    prop_assert!(!diagnostics.is_empty());
    for diagnostic in diagnostics {
        let related = diagnostic.related.iter().map(|(span, _)| *span);
        for span in diagnostic.span.into_iter().chain(related) {
            prop_assert!(span.start <= span.end);
            prop_assert!(text.get(span.start as usize..span.end as usize).is_some(), "{diagnostic}");
        }
    }
    Ok(())
}

/// A change of a text, at a place given as a part of its length.
#[derive(Clone, Debug)]
enum Change {
    Delete { at: f64, length: usize },
    Insert { at: f64, text: String },
    Swap { at: f64, other: f64 },
    Repeat { at: f64, length: usize },
    Truncate { at: f64 },
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let at = || 0.0..1.0f64;
    let pieces = prop::sample::select(vec![
        "(", ")", "[", "]", "{", "}", "..", "=", "+=", ";", "\n", "#", "-", "!", "0", "1.5", "9e99", "n", "thread", "parallel",
        "for ", "lock ", "atomic ", "await ", "else", "fn f() ", "let ", " : ", ",", "array ", "param ", "i32(", "§", "\u{0}",
        "\"",
    ]);
    let change = prop_oneof![
        (at(), 1usize..12).prop_map(|(at, length)| Change::Delete { at, length }),
        (at(), pieces).prop_map(|(at, text)| Change::Insert { at, text: text.to_string() }),
        (at(), any::<char>()).prop_map(|(at, text)| Change::Insert { at, text: text.to_string() }),
        (at(), at()).prop_map(|(at, other)| Change::Swap { at, other }),
        (at(), 1usize..60).prop_map(|(at, length)| Change::Repeat { at, length }),
        at().prop_map(|at| Change::Truncate { at }),
    ];
    prop::collection::vec(change, 1..6)
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for change in changes {
        let place = |at: f64| ((text.len() as f64 * at) as usize).min(text.len());
        match change {
            Change::Delete { at, length } => {
                let start = place(*at);
                text.drain(start..(start + length).min(text.len()));
            }
            Change::Insert { at, text: inserted } => {
                let start = place(*at);
                text.splice(start..start, inserted.chars());
            }
            Change::Swap { at, other } => {
                let (a, b) = (place(*at), place(*other));
                if a.max(b) < text.len() {
                    text.swap(a, b);
                }
            }
            Change::Repeat { at, length } => {
                let start = place(*at);
                let piece: Vec<char> = text[start..(start + length).min(text.len())].to_vec();
                text.splice(start..start, piece);
            }
            Change::Truncate { at } => text.truncate(place(*at)),
        }
    }
    text.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn damaged_texts_are_compiled_or_refused(which in 0usize..6, changes in changes()) {
        let all: String = NOT_BUILT.iter().map(|(_, text)| *text).collect();
        let text = changed([TRIAD, PHILOSOPHERS, RING, PIPELINE, EVERYTHING, &all][which], &changes);
        if let Err(diagnostics) = compile(&text) {
            assert_places(&text, &diagnostics)?;
        }
        if let Err(diagnostics) = check_runtime(&source(&text), &RuntimeBindings::default()) {
            assert_places(&text, &diagnostics)?;
        }
    }
}

/// What is said first about a text that must be wrong.
fn refusal(text: &str) -> String {
    match compile(text) {
        Ok(_) => panic!("it should be refused"),
        Err(mut diagnostics) => diagnostics.remove(0).message,
    }
}

#[test]
fn nesting_has_an_end() {
    let many = 100_000;
    let bombs = [
        format!("let x = {}1{}", "(".repeat(many), ")".repeat(many)),
        format!("let x = {}1", "(".repeat(many)),
        format!("let x = {}1", "-".repeat(many).replace("--", "- ")),
        format!("let x = {}1", "!".repeat(many)),
        format!("let x = 1{}", " + 1".repeat(many)),
        format!("let x = 2{}", " ^ 1 + 2".repeat(many)),
        format!("let x = {}1", "min(1, ".repeat(many)),
        format!("let x = {}1", "a[".repeat(many)),
        "{".repeat(many),
        "if true {".repeat(many),
        "parallel {".repeat(many),
        format!("if true {{ }} {}", "else if true { }".repeat(10_000)),
        "fn f() {".repeat(many),
        "pipeline i in 0..1 { stage {".repeat(10_000),
        format!("let x = {}y", "atomic ".repeat(many)),
        format!("let x = {}y", "wait ".repeat(many)),
        "for i in 0..9, j in 0..9, k in 0..9 {".repeat(10_000),
    ];
    for bomb in bombs {
        refusal(&bomb);
    }
    assert_eq!(refusal(&"if true {".repeat(many)), "this is nested more than 100 deep");
    assert_eq!(refusal(&format!("let x = 1{}", " + 1".repeat(many))), "this is nested more than 100 deep");
    let deep = 90;
    assert!(compile(&format!("let x = {}1{}", "(".repeat(deep / 2), ")".repeat(deep / 2))).is_ok());
    assert!(compile(&format!("let x = 1{}", " + 1".repeat(deep))).is_ok());
}

#[test]
fn inlining_has_an_end() {
    let doubling: String = (1..40).map(|k| format!("fn g{k}() {{ g{}(); g{}() }}\n", k - 1, k - 1)).collect();
    let text = format!("fn g0() {{ busy(1) }}\n{doubling}g39()\n");
    assert_eq!(refusal(&text), "functions are inlined, and inlined this program is too long");
    let chain: String = (1..1000).map(|k| format!("fn g{k}() {{ g{}() }}\n", k - 1)).collect();
    let text = format!("fn g0() {{ busy(1) }}\n{chain}g999()\n");
    assert_eq!(refusal(&text), "functions are inlined, and inlined this is nested more than 250 deep");
}

#[test]
fn size_has_an_end() {
    let text = "#".repeat(MAXIMUM_LENGTH + 1);
    assert_eq!(refusal(&text), "the text has 1048577 bytes; a program has at most 1048576");
    let arrays: String = (0..1001).map(|k| format!("shared s{k}: i64 = 0\n")).collect();
    assert_eq!(refusal(&arrays), "a program has at most 1000 arrays, scalars and locks");
}

#[test]
fn long_texts_take_little_time() {
    // All of these were quadratic once, or could be: each is as long as a text may be.
    let functions: String = (0..12_000).map(|k| format!("fn f{k}(x: i64) {{ busy(x) }}\nf{k}({k})\n")).collect();
    let unknown: String = (0..20_000).map(|k| format!("let unknown{k} = missing{k}\n")).collect();
    let variables: String = (0..20_000).map(|k| format!("let v{k} = {k} * 2\n")).collect();
    let faults = "$ ".repeat(MAXIMUM_LENGTH / 2);
    let newlines = format!("let x = ({}1)", "\n".repeat(MAXIMUM_LENGTH - 20));
    let calls: String = (0..20_000).map(|k| format!("fn g{k}() {{ g{} () }}\n", k + 1)).collect();
    let declarations: String = (0..20_000).map(|k| format!("shared s{k}: i64 = missing{k}\n")).collect();
    for text in [functions, unknown, declarations, variables, faults, newlines, calls] {
        assert!(text.len() <= MAXIMUM_LENGTH);
        let _ = compile(&text);
    }
}
