//! Random programs: with all passes and without any they compute the same or fail in the same way; random expressions have the value
//! that an evaluator of the tree finds.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::program::code::{Fault, FaultKind};
use crate::program::interpret::FunctionalError;
use crate::program::tree::{BinaryOperator, Comparison, Expression, ExpressionKind, Type, UnaryOperator};

/// A statement of a random program. Numbers pick among what is there.
#[derive(Clone, Debug)]
enum Random {
    Assign(u8, Value3),
    Store(Value3, Value3),
    Add(Value3, Value3),
    If(u8, Value3, Value3, Vec<Random>, Vec<Random>),
    For { low: Value3, high: Value3, step: i8, body: Vec<Random> },
    While { turns: u8, bound: Value3, body: Vec<Random> },
}

/// An integer expression.
#[derive(Clone, Debug)]
enum Value3 {
    Constant(i64),
    Variable(u8),
    /// The innermost loop variables.
    Loop(u8),
    Load(Box<Value3>),
    Binary(u8, Box<Value3>, Box<Value3>),
}

fn value() -> impl Strategy<Value = Value3> {
    let leaf = prop_oneof![
        3 => (-3..20_i64).prop_map(Value3::Constant),
        1 => any::<i64>().prop_map(Value3::Constant),
        3 => any::<u8>().prop_map(Value3::Variable),
        4 => any::<u8>().prop_map(Value3::Loop),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            1 => inner.clone().prop_map(|index| Value3::Load(Box::new(index))),
            5 => (any::<u8>(), inner.clone(), inner).prop_map(|(op, a, b)| Value3::Binary(op, Box::new(a), Box::new(b))),
        ]
    })
}

fn statements() -> impl Strategy<Value = Vec<Random>> {
    let simple = prop_oneof![
        (any::<u8>(), value()).prop_map(|(to, value)| Random::Assign(to, value)),
        (value(), value()).prop_map(|(index, value)| Random::Store(index, value)),
        (value(), value()).prop_map(|(index, value)| Random::Add(index, value)),
    ];
    let statement = simple.prop_recursive(3, 12, 3, |inner| {
        let block = proptest::collection::vec(inner, 1..3);
        prop_oneof![
            (any::<u8>(), value(), value(), block.clone(), block.clone())
                .prop_map(|(op, a, b, then, otherwise)| Random::If(op, a, b, then, otherwise)),
            (value(), value(), prop_oneof![1..4_i8, -3..0_i8], block.clone()).prop_map(|(low, high, step, body)| Random::For {
                low,
                high,
                step,
                body
            }),
            (1..8_u8, value(), block).prop_map(|(turns, bound, body)| Random::While { turns, bound, body }),
        ]
    });
    proptest::collection::vec(statement, 1..6)
}

const VARIABLES: [&str; 3] = ["p", "q", "r"];

/// Writes random statements as text.
#[derive(Default)]
struct Writer {
    text: String,
    loops: Vec<String>,
    names: usize,
}

impl Writer {
    fn value(&self, value: &Value3) -> String {
        match value {
            Value3::Constant(value) if *value < 0 => {
                format!("({value})").replace("-9223372036854775808", "0 - 9223372036854775807 - 1")
            }
            Value3::Constant(value) => value.to_string(),
            Value3::Variable(pick) => VARIABLES[usize::from(*pick) % 3].into(),
            Value3::Loop(pick) if self.loops.is_empty() => VARIABLES[usize::from(*pick) % 3].into(),
            Value3::Loop(pick) => self.loops[usize::from(*pick) % self.loops.len()].clone(),
            Value3::Load(index) => format!("x[{}]", self.value(index)),
            Value3::Binary(operator, a, b) => {
                let (a, b) = (self.value(a), self.value(b));
                match operator % 12 {
                    0..3 => format!("({a} + {b})"),
                    3 => format!("({a} - {b})"),
                    4 => format!("({a} * {b})"),
                    5 => format!("({a} % 16)"),
                    6 => format!("({a} & 15)"),
                    7 => format!("min({a}, {b})"),
                    8 => format!("max({a}, {b})"),
                    9 => format!("({a} / {b})"),
                    10 => format!("({a} % {b})"),
                    _ => format!("({a} >> 2)"),
                }
            }
        }
    }

    fn block(&mut self, statements: &[Random]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Random) {
        match statement {
            Random::Assign(to, value) => {
                let _ = writeln!(self.text, "{} = {}", VARIABLES[usize::from(*to) % 3], self.value(value));
            }
            Random::Store(index, value) => {
                let _ = writeln!(self.text, "x[{}] = {}", self.value(index), self.value(value));
            }
            Random::Add(index, value) => {
                let _ = writeln!(self.text, "x[{}] += {}", self.value(index), self.value(value));
            }
            Random::If(operator, a, b, then, otherwise) => {
                let operator = ["<", "<=", ">", ">=", "==", "!="][usize::from(*operator) % 6];
                let _ = writeln!(self.text, "if {} {operator} {} {{", self.value(a), self.value(b));
                self.block(then);
                let _ = writeln!(self.text, "}} else {{");
                self.block(otherwise);
                let _ = writeln!(self.text, "}}");
            }
            Random::For { low, high, step, body } => {
                // Bounds within a few of each other, so that it ends soon.
                let name = self.name("i");
                let _ = writeln!(self.text, "for {name} in ({}) % 32 .. ({}) % 32 by {step} {{", self.value(low), self.value(high));
                self.in_loop(name, body);
            }
            Random::While { turns, bound, body } => {
                let name = self.name("k");
                let _ = writeln!(self.text, "let {name} = 0");
                let _ = writeln!(self.text, "while {name} < {turns} && {name} != {} {{", self.value(bound));
                let _ = writeln!(self.text, "{name} += 1");
                self.in_loop(name, body);
            }
        }
    }

    fn name(&mut self, letter: &str) -> String {
        self.names += 1;
        format!("{letter}{}", self.names)
    }

    fn in_loop(&mut self, variable: String, body: &[Random]) {
        self.loops.push(variable);
        self.block(body);
        self.loops.pop();
        let _ = writeln!(self.text, "}}");
    }
}

fn program(statements: &[Random]) -> String {
    let mut writer = Writer::default();
    writer.block(statements);
    format!(
        "array x: i64[16] = i * 3 - 5\nlet p = x[1]\nlet q = 7\nlet r = x[3]\n{}p = p\nq = q\nr = r\n\
         result p, q, r, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9], x[10], x[11], x[12], x[13], x[14], x[15]",
        writer.text
    )
}

/// What a run comes to; a fault by its kind and line. `None` for one that takes too long.
fn outcome(code: &Code) -> Option<Result<Vec<Value>, (FaultKind, u32)>> {
    match run_functional(code, 200_000) {
        Ok(run) => Some(Ok(run.results)),
        Err(FunctionalError::Fault(Fault { kind, site, .. })) => Some(Err((kind, code.sites[site as usize].line))),
        Err(FunctionalError::Limit(_)) => None,
        Err(error) => panic!("{}", error.describe(code)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn passes_change_nothing_that_can_be_seen(statements in statements()) {
        let text = program(&statements);
        // The checker refuses divisions it knows to be by zero.
        let Ok(with) = lower_with(&text, &plan(1)) else { return Ok(()) };
        let without = code_without_passes(&text, 1);
        let (Some(optimised), Some(plain)) = (outcome(&with), outcome(&without)) else { return Ok(()) };
        prop_assert_eq!(&optimised, &plain, "{}\n{}", text, with);
        if let (Ok(a), Ok(b)) = (run_functional(&with, 200_000), run_functional(&without, 200_000)) {
            let memory = |run: &FunctionalRun| (run.tally.loads, run.tally.stores, run.tally.flops, run.tally.bytes);
            prop_assert_eq!(memory(&a), memory(&b), "accesses of\n{}", text);
        }
    }

    #[test]
    fn expressions_have_the_value_of_the_tree(expression in typed_expression()) {
        let text = format!("{DATA}\nresult {expression}\n");
        let source = SourceText::new("test.flynn", text.as_str());
        let Ok(program) = compile(&source, &Bindings::default()) else {
            // A constant that the checker finds to divide by zero.
            return Ok(());
        };
        let expected = evaluate(&program.results[0]);
        let got = match outcome(&code(&text, 1)) {
            Some(Ok(values)) => Some(values[0].bits()),
            Some(Err((FaultKind::DivisionByZero, _))) => None,
            other => panic!("{other:?} in {text}"),
        };
        prop_assert_eq!(got, expected, "{}", text);
    }
}

const DATA: &str = "array x: i64[8] = (i - 3) * 1234567\narray y: f64[8] = (i - 3) * 0.375\narray w: i32[8] = i32(i * 400000000 - 7)\n\
                    array v: f32[8] = f32(i) * 0.5";

/// A random expression of any numeric type, as text.
fn typed_expression() -> impl Strategy<Value = String> {
    let index = 0..8_u8;
    let leaf = prop_oneof![
        index.clone().prop_map(|i| (Type::I64, format!("x[{i}]"))),
        index.clone().prop_map(|i| (Type::F64, format!("y[{i}]"))),
        index.clone().prop_map(|i| (Type::I32, format!("w[{i}]"))),
        index.prop_map(|i| (Type::F32, format!("v[{i}]"))),
        (-9..100_i64).prop_map(|value| (Type::I64, format!("i64({value})"))),
        (-9..100_i64).prop_map(|value| (Type::I32, format!("i32({value})"))),
        (-9..100_i64).prop_map(|value| (Type::F64, format!("f64({value}.25)"))),
    ];
    leaf.prop_recursive(5, 24, 2, |inner| {
        prop_oneof![
            5 => (any::<u8>(), inner.clone(), inner.clone()).prop_map(|(pick, a, b)| combine(pick, a, b)),
            1 => (any::<u8>(), inner.clone()).prop_map(|(pick, (r#type, a))| {
                let function = ["-", "abs", "sqrt", "sin", "exp", "log", "cos"][usize::from(pick) % 7];
                let function = if r#type.is_float() { function } else { ["-", "abs"][usize::from(pick) % 2] };
                (r#type, format!("{function}({a})"))
            }),
            1 => (any::<u8>(), inner).prop_map(|(pick, (_, a))| {
                let to = [Type::I64, Type::I32, Type::F64, Type::F32][usize::from(pick) % 4];
                (to, format!("{}({a})", to.name()))
            }),
        ]
    })
    .prop_map(|(_, text)| text)
}

fn combine(pick: u8, (to, a): (Type, String), (from, b): (Type, String)) -> (Type, String) {
    let b = if to == from { b } else { format!("{}({b})", to.name()) };
    let operators: &[&str] =
        if to.is_float() { &["+", "-", "*", "/"] } else { &["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"] };
    match usize::from(pick) % (operators.len() + 3) {
        0 => (to, format!("min({a}, {b})")),
        1 => (to, format!("max({a}, {b})")),
        2 if to.is_float() => (to, format!("fma({a}, {b}, {a})")),
        2 => (to, format!("({a} * {b})")),
        operator if operators[operator - 3].len() == 2 => (to, format!("({a} {} i64({b}))", operators[operator - 3])),
        operator => (to, format!("({a} {} {b})", operators[operator - 3])),
    }
}

/// The value of an expression of [`DATA`], as register bits with NaNs canonical; `None` where it divides by zero.
fn evaluate(expression: &Expression) -> Option<u64> {
    let bits = evaluate_raw(expression)?;
    Some(crate::program::operators::canonical(expression.r#type, bits))
}

fn evaluate_raw(expression: &Expression) -> Option<u64> {
    let float = |expression: &Expression| -> Option<f64> {
        let bits = evaluate_raw(expression)?;
        Some(match expression.r#type {
            Type::F32 => f64::from(f32::from_bits(bits as u32)),
            Type::F64 => f64::from_bits(bits),
            _ => bits as i64 as f64,
        })
    };
    let integer = |expression: &Expression| Some(evaluate_raw(expression)? as i64);
    let r#type = expression.r#type;
    // Single operations on f32 may be done in f64 and rounded: it has more than twice the digits (Figueroa 1995).
    let of_float = |value: f64| if r#type == Type::F32 { u64::from((value as f32).to_bits()) } else { value.to_bits() };
    let of_integer = |value: i64| if r#type == Type::I32 { i64::from(value as i32) as u64 } else { value as u64 };
    Some(match &expression.kind {
        ExpressionKind::Constant(value) => value.bits(),
        ExpressionKind::Load(place) => {
            let i = integer(&place.indices[0])?;
            match place.object.0 {
                0 => ((i - 3) * 1_234_567) as u64,
                1 => ((i - 3) as f64 * 0.375).to_bits(),
                2 => i64::from((i * 400_000_000 - 7) as i32) as u64,
                _ => u64::from((i as f32 * 0.5).to_bits()),
            }
        }
        ExpressionKind::Unary(operator, a) if r#type.is_float() => {
            let narrow = r#type == Type::F32;
            let a = float(a)?;
            of_float(match operator {
                UnaryOperator::Negate => -a,
                UnaryOperator::Absolute => a.abs(),
                UnaryOperator::SquareRoot => a.sqrt(),
                UnaryOperator::Sine if narrow => f64::from(libm::sinf(a as f32)),
                UnaryOperator::Sine => libm::sin(a),
                UnaryOperator::Cosine if narrow => f64::from(libm::cosf(a as f32)),
                UnaryOperator::Cosine => libm::cos(a),
                UnaryOperator::Exponential if narrow => f64::from(libm::expf(a as f32)),
                UnaryOperator::Exponential => libm::exp(a),
                UnaryOperator::Logarithm if narrow => f64::from(libm::logf(a as f32)),
                UnaryOperator::Logarithm => libm::log(a),
                UnaryOperator::Not => unreachable!("floats have no bits to invert"),
            })
        }
        ExpressionKind::Unary(UnaryOperator::Negate, a) => of_integer(0_i64.wrapping_sub(integer(a)?)),
        ExpressionKind::Unary(UnaryOperator::Absolute, a) => of_integer(integer(a)?.unsigned_abs() as i64),
        ExpressionKind::Binary(operator, a, b) if r#type.is_float() => {
            let (a, b) = (float(a)?, float(b)?);
            of_float(match operator {
                BinaryOperator::Add => a + b,
                BinaryOperator::Subtract => a - b,
                BinaryOperator::Multiply => a * b,
                BinaryOperator::Divide => a / b,
                BinaryOperator::Minimum => {
                    if a < b {
                        a
                    } else {
                        b
                    }
                }
                _ => {
                    if a > b {
                        a
                    } else {
                        b
                    }
                }
            })
        }
        ExpressionKind::Binary(operator, a, b) => of_integer(integer_operator(*operator, r#type, integer(a)?, integer(b)?)?),
        ExpressionKind::FusedMultiplyAdd(a, b, c) if r#type == Type::F32 => {
            let [a, b, c] = [float(a)? as f32, float(b)? as f32, float(c)? as f32];
            of_float(f64::from(libm::fmaf(a, b, c)))
        }
        ExpressionKind::FusedMultiplyAdd(a, b, c) => of_float(libm::fma(float(a)?, float(b)?, float(c)?)),
        ExpressionKind::Convert(a) => match (a.r#type.is_float(), r#type) {
            (true, Type::F64 | Type::F32) => of_float(float(a)?),
            (true, Type::I32) => of_integer(i64::from(float(a)? as i32)),
            (true, _) => float(a)? as i64 as u64,
            (false, Type::F64) => (integer(a)? as f64).to_bits(),
            (false, Type::F32) => u64::from((integer(a)? as f32).to_bits()),
            (false, _) => of_integer(integer(a)?),
        },
        other => unreachable!("not generated: {other:?}"),
    })
}

fn integer_operator(operator: BinaryOperator, r#type: Type, a: i64, b: i64) -> Option<i64> {
    let wide = i128::from(a);
    let width = if r#type == Type::I32 { 32 } else { 64 };
    let floored = |a: i128, b: i128| if (a % b != 0) && ((a < 0) != (b < 0)) { a / b - 1 } else { a / b };
    Some(match operator {
        BinaryOperator::Add => (wide + i128::from(b)) as i64,
        BinaryOperator::Subtract => (wide - i128::from(b)) as i64,
        BinaryOperator::Multiply => (wide * i128::from(b)) as i64,
        BinaryOperator::Divide | BinaryOperator::Remainder if b == 0 => return None,
        BinaryOperator::Divide => floored(wide, i128::from(b)) as i64,
        BinaryOperator::Remainder => (wide - floored(wide, i128::from(b)) * i128::from(b)) as i64,
        BinaryOperator::Minimum => a.min(b),
        BinaryOperator::Maximum => a.max(b),
        BinaryOperator::And => a & b,
        BinaryOperator::Or => a | b,
        BinaryOperator::Xor => a ^ b,
        BinaryOperator::ShiftLeft => (wide << b.rem_euclid(width)) as i64,
        BinaryOperator::ShiftRight => a >> b.rem_euclid(width),
    })
}

#[test]
fn comparisons_know_nan() {
    let text = "array y: f64[2] = 0.0\nlet nan = y[0] / y[1]\nresult nan == nan, nan != nan, nan < 1.0, !(nan < 1.0), nan >= 1.0";
    let expected = [false, true, false, true, false].map(Value::Bool);
    assert_eq!(results(text, 1), expected);
    assert!(!crate::program::operators::holds(Comparison::Equal, f64::NAN, f64::NAN));
}
