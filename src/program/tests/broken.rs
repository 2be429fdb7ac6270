//! Texts that are wrong, and what is said about them: one snapshot, so that a changed sentence is a readable diff.

use std::fmt::Write;

use super::{compile, source};
use crate::base::diagnostic::{Diagnostic, Span};
use crate::program::check::Bindings;

/// The line of a place, with a caret under every character of it.
fn excerpt(text: &str, span: Span) -> String {
    let start = text[..span.start as usize].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
    let before = text[start..span.start as usize].chars().count();
    let under =
        text[span.start as usize..(span.end as usize).clamp(span.start as usize, end.max(span.start as usize))].chars().count();
    format!("  | {}\n  | {}{}\n", &text[start..end], " ".repeat(before), "^".repeat(under.max(1)))
}

fn shown(diagnostic: &Diagnostic) -> String {
    let text = &diagnostic.source.text;
    let mut shown = format!("  error: {}\n", diagnostic.message);
    if let Some(span) = diagnostic.span {
        shown += &excerpt(text, span);
    }
    if let Some(help) = &diagnostic.help {
        writeln!(shown, "  help: {help}").expect("a string takes any text");
    }
    for (span, sentence) in &diagnostic.related {
        write!(shown, "  note: {sentence}\n{}", excerpt(text, *span)).expect("a string takes any text");
    }
    shown
}

/// Every case with all that is said about it.
fn report(cases: &[(&str, &str)]) -> String {
    let mut report = String::new();
    for (name, text) in cases {
        let diagnostics = match compile(text) {
            Ok(_) => panic!("{name}: the text should be wrong:\n{text}"),
            Err(diagnostics) => diagnostics,
        };
        writeln!(report, "{name}").expect("a string takes any text");
        for diagnostic in &diagnostics {
            report += &shown(diagnostic);
        }
        report.push('\n');
    }
    report
}

#[test]
fn texts_that_cannot_be_read() {
    let report = report(&[
        ("a misspelt word, and more", "paralel for i in 0..9 { busy(i) }\nbarier = 1\nlet = 3\n"),
        ("a misspelt declaration", "param n = 4\naray a: f64[n]\n"),
        ("words of other languages", "for i in 0..3 { if i > 1 { break } }\nint k = 0\nreturn k\n"),
        ("no range", "for i = 0 { busy(i) }\nfor i in 9 { busy(i) }\nparallel for { busy(1) }\n"),
        ("an inclusive range", "for i in 0..=9 { busy(i) }\n"),
        ("a bracket left open", "array a: f64[8]\nlet x = min(1,\nlet y = 2\n"),
        ("an index left open", "array a: f64[8]\na[3 = 1.0\n"),
        ("a block left open", "parallel {\n    busy(1)\n"),
        ("a brace too many", "parallel { busy(1) }\n}\n"),
        ("a missing operand", "let x = 3 +\n"),
        ("two statements in a line", "let x = 3 let y = 4\n"),
        ("assignment for comparison", "let x = 3\nif x = 3 { busy(1) }\nwhile x = 3 { busy(1) }\n"),
        ("a chain of comparisons", "let x = 3\nif 1 < x < 5 { busy(1) }\n"),
        ("word operators", "let x = true and false\nlet y = not x\n"),
        ("operators of other languages", "let x = 2 ** 3\nlet y = 0\ny++\nlet z = y ? 1 : 2\n"),
        ("another comment", "let x = 1 // one\n"),
        ("a string", "let x = \"text\"\n"),
        ("letters of another alphabet", "let größe = 1\n"),
        ("a number with a unit", "param n = 64KiB\n"),
        ("a number too large", "param n = 99999999999999999999\nlet x = 1e999\nlet y = 9223372036854775808\n"),
        ("half a float", "let x = .5\nlet y = 1.\n"),
        ("a type on a let", "let x: f64 = 1\n"),
        ("a word as a name", "let lock = 1\nparam result = 2\nfn parallel(x: i64) { busy(x) }\n"),
        ("a declaration in a block", "parallel {\n    array a: f64[4]\n    shared s: i64 = 0\n}\n"),
        ("a param that is computed", "param n = 4\nparam m = n * 2\n"),
        ("a lock without its block", "mutex m\nparallel { lock m\n}\n"),
        ("an atomic on a value", "atomic 3 += 1\n"),
        ("two pairs of brackets", "array a: f64[4, 4]\na[1][2] = 0\n"),
        ("a reduction's operator", "shared s: i64 = 0\nparallel for i in 0..9 reduce(-: s) { s -= i }\n"),
        ("an unknown clause", "parallel for i in 0..9 private(x) { busy(i) }\n"),
        ("a range as a value", "let r = ..\n"),
        ("a semicolon in brackets", "let x = min(1; 2)\n"),
        ("else without if", "else { busy(1) }\n"),
        ("a pipeline's body", "pipeline i in 0..9 { busy(i) }\n"),
        ("a block by itself", "let x = 1 { busy(x) }\n"),
    ]);
    insta::assert_snapshot!(report);
}

#[test]
fn names_and_declarations() {
    let report = report(&[
        ("an unknown name", "param count = 4\nlet x = cuont + 1\nbusy(y)\nlet z = x\n"),
        ("used before it is declared", "busy(x)\nlet x = 1\nx = 2\nbusy(y)\nlet y = 4\n"),
        ("declared twice", "param n = 4\narray n: f64[4]\nlet x = 1\nlet x = 2\nfor x in 0..4 { busy(x) }\n"),
        ("a given name", "let thread = 1\nparam max = 2\n"),
        ("assigned parameter and loop variable", "param n = 4\nn = 5\nfor i in 0..n { i += 1 }\n"),
        ("an unknown type", "array a: float[4]\nshared s: f46 = 0\n"),
        ("an extent of 0", "param n = 4\narray a: f64[n - 4]\narray b: f64[-1]\n"),
        ("an extent that is not constant", "let n = 4\nn = 5\narray a: f64[n]\n"),
        ("an extent that is a float", "array a: f64[2.5]\n"),
        ("too many dimensions", "array a: f64[2, 2, 2, 2]\n"),
        ("too much memory", "param n = 100_000\narray a: f64[n, n]\n"),
        ("an overflowing extent", "array a: f64[4_000_000_000_000, 4_000_000_000_000]\n"),
        ("a requirement", "param n = 10\nrequire n % threads == 0 && n > 4\nrequire n % 3 == 0\nrequire n - 2\n"),
        ("initial values", "array a: f64[4] = random(2.0, 1.0)\narray p: f64[4] = permutation()\narray q: i64[2, 2] = cycle()\n"),
        ("an index with another's name", "param i = 3\narray a: f64[4] = i\n"),
        ("cycle elsewhere", "let x = cycle()\nlet y = random(1, 2)\n"),
        ("a semaphore and a mutex", "semaphore s\nmutex m = 1\nsemaphore t = -1\n"),
        ("tolerance and work", "result 1 within 2\nwork flops 0 - 1 bytes 1.5\n"),
        ("a variable of the timed part in setup", "let x = 1\nx = 2\nsetup { busy(x) }\nfn f() { busy(x) }\narray a: i64[4] = x\n"),
        ("a constant that divides by zero", "param n = 0\nlet x = 4 / n\nlet y = 5 % 0\n"),
    ]);
    insta::assert_snapshot!(report);
}

#[test]
fn types_and_places() {
    let report = report(&[
        ("a float for an integer", "let n = 4\nn = 2.5\narray a: i64[4]\na[1] = 0.5\na[1] += 1e3\nlet x = a[1.0]\n"),
        ("a narrow integer", "array a: i32[4]\nlet x = 5\na[0] = x * 2\na[1] = 3_000_000_000\na[2] = -1\n"),
        ("a narrow float", "array a: f32[4]\nlet x = 0.5\na[0] = x + a[1]\na[1] = 0.1\n"),
        ("truth values", "let b = true\nlet x = b + 1\nlet y = -b\nlet z = b < false\nif 1 { busy(b) }\nlet w = 3 && b\n"),
        ("bits of floats", "let x = 1.5\nlet y = x & 1\nlet z = x % 2.0\nlet u = !x\nlet v = x << 1\n"),
        ("dimensions", "array a: f64[4, 4]\na[1] = 0\na[..] = 0\nlet x = a[1, 2, 3]\n"),
        ("an array as a value", "array a: f64[4]\nlet x = a + 1\na = 0\nlet y = a[..]\n"),
        ("brackets on what has no elements", "shared s: f64 = 0\nlet x = 1\nparam n = 3\nlet y = s[0] + x[0] + n[1]\n"),
        (
            "calls",
            "fn f(x: f64, n: i64) -> f64 { x * n }\nlet a = f(1.0)\nlet b = f(1.0, 2.5)\nlet c = g(1)\nlet d = sqr(2)\nlet e = a(3)\n",
        ),
        ("builtin calls", "let a = min(1)\nlet b = fma(1, 2)\nlet c = bool(1)\nlet d = sum(3)\nlet e = abs(true)\n"),
        ("a value that is not used", "let x = 1\nx + 1\nx == 2\nsqrt(2.0)\n"),
        (
            "a function without a value",
            "fn f(x: i64) { busy(x) }\nlet y = f(1)\nfn g(x: i64) -> i64 { busy(x) }\nfn h(x: i64) { x = 1 }\n",
        ),
        ("what cannot be assigned", "let x = 1\nx + 1 = 2\nthread = 3\nmutex m\nm = 1\n"),
        (
            "slices",
            "array a: f64[8]\narray b: f64[4]\na[..] = b[..]\na[0..4] = a[1..5]\na[..] = b\na[2..6] = b[..] + a[2, 3]\nlet c = 0.0\nc[..] = 1\n",
        ),
        (
            "steps and bounds",
            "for i in 0..9 by 0 { busy(i) }\nfor i in 0..1.5 { busy(i) }\nlet k = 1\nk = 2\nfor i in 0..9 by k { busy(i) }\n",
        ),
    ]);
    insta::assert_snapshot!(report);
}

#[test]
fn teams_and_synchronisation() {
    let report = report(&[
        (
            "an outer variable",
            "let s = 0.0\nparallel for i in 0..9 { s += i }\nparallel {\n    s = 1\n    let t = 0\n    t = 1\n}\n",
        ),
        ("thread without a team", "let me = thread\n"),
        ("barriers", "barrier\nparallel for i in 0..9 { barrier }\nmutex m\nparallel { lock m { barrier } }\n"),
        (
            "nested teams",
            "parallel { parallel { busy(1) } }\nparallel for i in 0..9 {\n    parallel for j in 0..9 { busy(1) }\n}\n",
        ),
        ("a loop under a lock", "mutex m\nlock m { parallel for i in 0..9 { busy(1) } }\n"),
        ("a team of none", "parallel 0 { busy(1) }\n"),
        (
            "reductions",
            "let x = 0\narray a: i64[4]\nshared f: f64 = 0\nparallel for i in 0..9 reduce(+: x) { busy(1) }\n\
          parallel for i in 0..9 reduce(+: a) { busy(1) }\nparallel for i in 0..9 reduce(&: f) { busy(1) }\n\
          parallel for i in 0..9 reduce(+: f) reduce(max: f) { busy(1) }\n",
        ),
        (
            "schedules",
            "parallel for i in 0..9 schedule(dinamic) { busy(1) }\nparallel for i in 0..9 schedule(static, 0) { busy(1) }\n",
        ),
        (
            "atomics",
            "shared x: i64 = 0\nlet y = 1\nparallel {\n    atomic y += 1\n    atomic x *= 2\n    atomic x = 1 acquire\n    let v = atomic x release\n    fetch_add(x + 1, 2)\n}\n",
        ),
        (
            "await",
            "shared x: i64 = 0\nshared z: i32 = 0\nlet y = 1\nparallel {\n    await y == 1\n    await x + 1 == 2\n    await x == x\n    await x\n    await z == thread\n    await x > 1 && x < 3\n}\n",
        ),
        (
            "locks",
            "mutex m\nmutex ms[4]\nsemaphore s = 1\nparallel {\n    lock s { busy(1) }\n    acquire m\n    lock ms { busy(1) }\n    lock x { busy(1) }\n    lock ms[0, 1] { busy(1) }\n}\n",
        ),
        ("a mutex as a value", "mutex m\nlet x = m\n"),
        ("recursion", "fn f(x: i64) -> i64 { g(x) }\nfn g(x: i64) -> i64 { h(x) + 1 }\nfn h(x: i64) -> i64 { f(x) }\nbusy(f(1))\n"),
        (
            "a function's needs",
            "fn meet() { barrier }\nfn fork() { parallel { meet() } }\nfn all() { parallel for i in 0..9 { busy(i) } }\nmeet()\nparallel { fork() }\nparallel for i in 0..9 { all(); meet() }\nmutex m\nlock m { all() }\n",
        ),
        ("a result that changes memory", "shared x: i64 = 0\nfn next() -> i64 { x += 1; x }\nresult next(), fetch_add(x, 1)\n"),
    ]);
    insta::assert_snapshot!(report);
}

#[test]
fn parameters_from_outside() {
    let text = "param steps = 10\nparam rate = 0.5\nparam fast = true\nresult steps\n";
    let given = |name: &str, value: &str| {
        let bindings = Bindings { parameters: vec![(name.into(), value.into())], threads: 4, ranks: 1 };
        match crate::program::compile(&source(text), &bindings) {
            Ok(program) => format!("{:?}\n", program.parameters.iter().map(|parameter| parameter.value).collect::<Vec<_>>()),
            Err(diagnostics) => diagnostics.iter().map(shown).collect(),
        }
    };
    let mut report = String::new();
    for (name, value) in [
        ("steps", "1_000"),
        ("steps", "1e3"),
        ("rate", "2"),
        ("fast", "false"),
        ("steps", "2.5"),
        ("rate", "fast"),
        ("fast", "1"),
        ("step", "3"),
    ] {
        write!(report, "{name}={value}\n{}", given(name, value)).expect("a string takes any text");
    }
    insta::assert_snapshot!(report);
}
