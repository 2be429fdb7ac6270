//! Types of operands: literals adopt the type they meet, integers become floats where they meet them, narrow types widen. Whatever
//! could lose something is written.

use super::{Checked, Checker};
use crate::base::diagnostic::Span;
use crate::program::operators;
use crate::program::tree::{Expression, ExpressionKind, Type, Value};

/// An expression, and whether it is made of literals alone and still free in its type.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub expression: Expression,
    /// Always a constant: an `i64` or an `f64` for now.
    pub literal: bool,
}

impl Typed {
    pub fn firm(expression: Expression) -> Typed {
        Typed { expression, literal: false }
    }

    pub fn r#type(&self) -> Type {
        self.expression.r#type
    }
}

/// A constant.
pub(super) fn constant_expression(value: Value, span: Span) -> Expression {
    Expression { kind: ExpressionKind::Constant(value), r#type: value.r#type(), span }
}

/// The value of an expression that is a constant.
pub(super) fn known(expression: &Expression) -> Option<Value> {
    match expression.kind {
        ExpressionKind::Constant(value) => Some(value),
        _ => None,
    }
}

/// The type two operands meet in, where there is one.
fn meet(a: Type, b: Type) -> Option<Type> {
    let order = [Type::I32, Type::I64, Type::F32, Type::F64];
    let place = |r#type| order.iter().position(|other| *other == r#type);
    if a == b {
        return Some(a);
    }
    Some(order[place(a)?.max(place(b)?)])
}

/// Whether every value of `from` may become one of `to` unasked.
fn widens(from: Type, to: Type) -> bool {
    from != Type::Bool && to != Type::Bool && meet(from, to) == Some(to)
}

/// The article and the name of a type.
pub(super) fn a_type(r#type: Type) -> String {
    match r#type {
        Type::Bool => "a bool".into(),
        _ => format!("an {}", r#type.name()),
    }
}

impl Checker<'_> {
    /// The value of a literal in the type `to`, where it fits.
    fn adopt(value: Value, to: Type) -> Option<Value> {
        match (value, to) {
            (Value::I64(value), Type::I32) => i32::try_from(value).ok().map(Value::I32),
            (Value::I64(_), Type::I64 | Type::F64 | Type::F32) | (Value::F64(_), Type::F64 | Type::F32) => {
                Some(converted_value(value, to))
            }
            _ => None,
        }
    }

    /// The expression as a value of type `to`; `what` says what takes it, such as "`a`".
    pub(super) fn coerce(&mut self, typed: Typed, to: Type, what: &str) -> Checked<Expression> {
        let Typed { expression, literal } = typed;
        let from = expression.r#type;
        let span = expression.span;
        if from == to {
            return Ok(expression);
        }
        if literal && let Some(value) = known(&expression) {
            if let Some(value) = Self::adopt(value, to) {
                return Ok(constant_expression(value, span));
            }
            if to == Type::I32 && from == Type::I64 {
                return self.fault(span, format!("{what} is an i32, and {} does not fit", self.text(span)), "declare it as i64");
            }
        }
        if widens(from, to) {
            return Ok(converted(expression, to));
        }
        let message = format!("{what} is {}, and this is {}", a_type(to), a_type(from));
        let help = match (from, to) {
            (_, Type::Bool) => format!("compare it: `{} != 0`", self.text(span)),
            (Type::Bool, _) => format!("a truth value becomes a number by `{}(...)`", to.name()),
            _ if to.is_float() && literal => "write it with a dot".into(),
            _ => format!("this can lose something, so it is written: `{}({})`", to.name(), self.short_text(span)),
        };
        self.fault(span, message, help)
    }

    /// A text short enough to repeat.
    pub(super) fn short_text(&self, span: Span) -> String {
        let text = self.text(span);
        let bare = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).filter(|text| !text.contains(['(', ')']));
        match bare.unwrap_or(text) {
            text if text.len() <= 40 && !text.contains('\n') => text.to_string(),
            _ => "...".into(),
        }
    }

    /// Both operands in one type; whether they are literals still.
    pub(super) fn unify(&mut self, a: Typed, b: Typed) -> Checked<(Expression, Expression, bool)> {
        let (type_a, type_b) = (a.r#type(), b.r#type());
        let literal = a.literal && b.literal;
        let Some(meeting) = self.meeting_type(&a, &b) else {
            let span = a.expression.span.to(b.expression.span);
            let message = format!("{} and {} do not go together", a_type(type_a), a_type(type_b));
            return self.fault(span, message, "a truth value becomes a number by `i64(...)`; a number is compared: `x != 0`");
        };
        let a = self.coerce(a, meeting, "this operand")?;
        let b = self.coerce(b, meeting, "this operand")?;
        Ok((a, b, literal))
    }

    fn meeting_type(&self, a: &Typed, b: &Typed) -> Option<Type> {
        for (literal, other) in [(a, b), (b, a)] {
            if literal.literal && !other.literal {
                let adopted = known(&literal.expression).and_then(|value| Self::adopt(value, other.r#type()));
                if adopted.is_some() {
                    return Some(other.r#type());
                }
            }
        }
        meet(a.r#type(), b.r#type())
    }

    /// `i64(e)` and its like.
    pub(super) fn written_conversion(&mut self, typed: Typed, to: Type, span: Span) -> Checked<Typed> {
        if typed.r#type() == to {
            return Ok(Typed::firm(Expression { span, ..typed.expression }));
        }
        Ok(Typed::firm(Expression { span, ..converted(typed.expression, to) }))
    }
}

/// The expression in another type, computed at once where it is known. The caller knows that there is such a conversion.
fn converted(expression: Expression, to: Type) -> Expression {
    let span = expression.span;
    match known(&expression) {
        Some(value) => constant_expression(converted_value(value, to), span),
        None => Expression { kind: ExpressionKind::Convert(Box::new(expression)), r#type: to, span },
    }
}

fn converted_value(value: Value, to: Type) -> Value {
    Value::from_bits(to, operators::canonical(to, operators::convert(value.r#type(), to, value.bits())))
}
