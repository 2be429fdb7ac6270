//! The words of the notation, in one place: the parser, the checker, their suggestions and the manual read these tables.

use crate::program::tree::{Order, Type};

/// Words that begin a declaration. They stand at the top level only.
pub const DECLARATIONS: [&str; 14] = [
    "param",
    "require",
    "setup",
    "finish",
    "array",
    "shared",
    "mutex",
    "rwlock",
    "semaphore",
    "condition",
    "queue",
    "fn",
    "result",
    "work",
];

/// Words that begin a statement.
pub const STATEMENTS: [&str; 30] = [
    "let",
    "if",
    "while",
    "for",
    "parallel",
    "barrier",
    "atomic",
    "await",
    "fence",
    "lock",
    "acquire",
    "release",
    "wait",
    "signal",
    "put",
    "close",
    "spawn",
    "start",
    "send",
    "recv",
    "exchange",
    "broadcast",
    "reduce",
    "allreduce",
    "gather",
    "scatter",
    "alltoall",
    "pipeline",
    "busy",
    "sleep",
];

/// Other words that cannot be names. Words such as `to`, `by` or `depth` mean something in their place only, and can.
pub const RESERVED: [&str; 5] = ["else", "in", "on", "true", "false"];

/// Names that are always there and cannot be declared again.
pub const GIVEN_NAMES: [&str; 4] = ["thread", "threads", "rank", "ranks"];

/// The types, as written.
pub const TYPES: [&str; 6] = ["i64", "i32", "f64", "f32", "bool", "task"];

/// The functions that are always there: name, how they are written, what they give.
pub const FUNCTIONS: [(&str, &str, &str); 22] = [
    ("min", "min(a, b)", "a < b ? a : b"),
    ("max", "max(a, b)", "a > b ? a : b"),
    ("abs", "abs(a)", "the absolute value"),
    ("sqrt", "sqrt(a)", "the square root"),
    ("fma", "fma(a, b, c)", "a * b + c rounded once"),
    ("sin", "sin(a)", "the sine of radians"),
    ("cos", "cos(a)", "the cosine of radians"),
    ("exp", "exp(a)", "e to the power of a"),
    ("log", "log(a)", "the natural logarithm"),
    ("sum", "sum(slice)", "the sum of the elements in index order"),
    ("random", "random(counter)", "an i64 from 0 to 2^63 - 1, a hash of the seed and the counter"),
    ("i64", "i64(a)", "a as an i64: fractions are cut off, too large values saturate"),
    ("i32", "i32(a)", "a as an i32: integers wrap, floats are cut off and saturate"),
    ("f64", "f64(a)", "a as an f64"),
    ("f32", "f32(a)", "a as an f32"),
    ("fetch_add", "fetch_add(place, e)", "adds e to the place in one step; the old value"),
    ("fetch_min", "fetch_min(place, e)", "leaves the smaller of the two; the old value"),
    ("fetch_max", "fetch_max(place, e)", "leaves the larger of the two; the old value"),
    ("fetch_and", "fetch_and(place, e)", "ands e to the place in one step; the old value"),
    ("fetch_or", "fetch_or(place, e)", "ors e to the place in one step; the old value"),
    ("fetch_xor", "fetch_xor(place, e)", "xors e to the place in one step; the old value"),
    ("exchange", "exchange(place, e)", "stores e in one step; the old value"),
];

/// `compare_exchange`, which is too long for the table's columns.
pub const COMPARE_EXCHANGE: (&str, &str, &str) =
    ("compare_exchange", "compare_exchange(place, expected, desired)", "stores desired if the place holds expected; the old value");

/// Whether a word begins a declaration.
pub fn is_declaration(word: &str) -> bool {
    DECLARATIONS.contains(&word)
}

/// Whether a word begins a statement.
pub fn is_statement(word: &str) -> bool {
    STATEMENTS.contains(&word) || word == "on"
}

/// Whether a word cannot be a name.
pub fn is_reserved(word: &str) -> bool {
    is_declaration(word) || is_statement(word) || RESERVED.contains(&word)
}

/// Every word that may begin a line.
pub fn leading_words() -> impl Iterator<Item = &'static str> {
    DECLARATIONS.into_iter().chain(STATEMENTS)
}

/// Words of other languages that people try first: the word, and what to write instead.
pub const FOREIGN: [(&str, &str); 21] = [
    ("return", "the last expression of a function is its value"),
    ("break", "a loop ends by its range or its condition: write a `while`"),
    ("continue", "put the rest of the body into an `if`"),
    ("elif", "write `else if`"),
    ("elseif", "write `else if`"),
    ("def", "a function begins with `fn`"),
    ("func", "a function begins with `fn`"),
    ("function", "a function begins with `fn`"),
    ("var", "a variable begins with `let`"),
    ("const", "a constant is a `param`, a variable begins with `let`"),
    ("int", "a variable begins with `let`, and its value says its type: `let k = 0`"),
    ("long", "a variable begins with `let`, and its value says its type: `let k = 0`"),
    ("float", "a variable begins with `let`, and its value says its type: `let x = 0.0`"),
    ("double", "a variable begins with `let`, and its value says its type: `let x = 0.0`"),
    ("print", "values are shown by `result`"),
    ("printf", "values are shown by `result`"),
    ("import", "a program is one text"),
    ("critical", "write `mutex m` at the top and `lock m { ... }` here"),
    ("single", "write `if thread == 0 { ... }`"),
    ("unlock", "`lock m { ... }` unlocks where its block ends"),
    ("do", "write `while condition { ... }`"),
];

/// What to write instead of a word of another language.
pub fn foreign(word: &str) -> Option<&'static str> {
    FOREIGN.iter().find(|(foreign, _)| *foreign == word).map(|(_, advice)| *advice)
}

/// The type a word names.
pub fn value_type(word: &str) -> Option<Type> {
    [Type::I64, Type::I32, Type::F64, Type::F32, Type::Bool].into_iter().find(|r#type| r#type.name() == word)
}

/// The memory order a word names.
pub fn order(word: &str) -> Option<Order> {
    match word {
        "relaxed" => Some(Order::Relaxed),
        "acquire" => Some(Order::Acquire),
        "release" => Some(Order::Release),
        "seq_cst" => Some(Order::SequentiallyConsistent),
        _ => None,
    }
}
