//! Expressions: operators, names, and the folding of what is known.

use super::convert::{Typed, a_type, constant_expression, known};
use super::scope::{Meaning, Phase};
use super::{Checked, Checker};
use crate::base::diagnostic::Span;
use crate::program::operators;
use crate::program::syntax::{self, LiteralValue};
use crate::program::tree::{BinaryOperator, Comparison, Expression, ExpressionKind, ObjectKind, Order, Type, UnaryOperator, Value};

impl Checker<'_> {
    /// An expression with its type decided.
    pub(super) fn value(&mut self, syntax: &syntax::Expression) -> Checked<Expression> {
        Ok(self.expression(syntax)?.expression)
    }

    /// An expression of a type; `what` says what takes it.
    pub(super) fn value_of(&mut self, syntax: &syntax::Expression, r#type: Type, what: &str) -> Checked<Expression> {
        let typed = self.expression(syntax)?;
        self.coerce(typed, r#type, what)
    }

    /// A number that counts or indexes something.
    pub(super) fn integer(&mut self, syntax: &syntax::Expression, what: &str) -> Checked<Expression> {
        self.value_of(syntax, Type::I64, what)
    }

    /// A condition.
    pub(super) fn condition(&mut self, syntax: &syntax::Expression, what: &str) -> Checked<Expression> {
        self.value_of(syntax, Type::Bool, what)
    }

    /// An integer that is known once the parameters are.
    pub(super) fn constant_integer(&mut self, syntax: &syntax::Expression, what: &str) -> Checked<i64> {
        let before = std::mem::replace(&mut self.threads_are_constant, true);
        let value = self.integer(syntax, what);
        self.threads_are_constant = before;
        match value?.known_integer() {
            Some(value) => Ok(value),
            None if Self::reads_rank(syntax) => self.fault(
                syntax.span,
                format!("{what} cannot depend on `rank`: every rank has the same arrays and loops over the same constants"),
                "use `ranks`, and leave unused what one rank needs less of",
            ),
            None => self.fault(
                syntax.span,
                format!("{what} is not known before the program runs"),
                "here stand parameters and `let`s that are computed from them and never assigned",
            ),
        }
    }

    /// A constant that counts something, so that it is not negative.
    pub(super) fn constant_count(&mut self, syntax: &syntax::Expression, what: &str) -> Checked<i64> {
        let value = self.constant_integer(syntax, what)?;
        if value < 0 {
            return self.fault(syntax.span, format!("{what} is {value}"), "it counts something and cannot be negative");
        }
        Ok(value)
    }

    /// An expression whose type may still be free.
    pub(super) fn expression(&mut self, syntax: &syntax::Expression) -> Checked<Typed> {
        self.size += 1;
        let span = syntax.span;
        self.nested(|checker| match &syntax.kind {
            syntax::ExpressionKind::Literal(value) => checker.literal(*value, span),
            syntax::ExpressionKind::Name(name) => checker.name(name, span),
            syntax::ExpressionKind::Index { base, indices } => checker.element(base, indices, span),
            syntax::ExpressionKind::Call { function, arguments } => checker.call(function, arguments, span),
            syntax::ExpressionKind::Unary(operator, operand) => checker.unary(*operator, operand, span),
            syntax::ExpressionKind::Binary(operator, a, b) => checker.binary(*operator, a, b, span),
            syntax::ExpressionKind::Atomic { place, order } => checker.atomic_load(place, *order, span),
            syntax::ExpressionKind::Wait(_) => checker.not_built("wait", span),
        })
    }

    fn literal(&mut self, value: LiteralValue, span: Span) -> Checked<Typed> {
        let value = match value {
            LiteralValue::Integer(value) => match i64::try_from(value) {
                Ok(value) => Value::I64(value),
                Err(_) => return self.fault(span, "this number is too large", "the largest i64 is 9_223_372_036_854_775_807"),
            },
            LiteralValue::Float(value) => Value::F64(value),
            LiteralValue::Bool(value) => return Ok(Typed::firm(constant_expression(Value::Bool(value), span))),
        };
        Ok(Typed { expression: constant_expression(value, span), literal: true })
    }

    fn name(&mut self, name: &str, span: Span) -> Checked<Typed> {
        match name {
            "thread" => return self.thread(span),
            "threads" => return Ok(Typed::firm(self.threads(span))),
            "rank" => return self.rank(span),
            "ranks" => return Ok(self.ranks(span)),
            _ => {}
        }
        match self.look_up(name, span)? {
            Meaning::Constant { value, .. } => Ok(Typed::firm(constant_expression(value, span))),
            Meaning::Local(local) if self.is_handle(local) => self.handle_is_no_value(name, span),
            Meaning::Local(local) if self.context.phase == Phase::Results => {
                let object = self.result_copy(local);
                let place = crate::program::tree::Place { object, indices: Vec::new(), span };
                let r#type = self.locals[local.0 as usize].r#type;
                Ok(Typed::firm(Expression { kind: ExpressionKind::Load(place), r#type, span }))
            }
            Meaning::Local(local) => {
                let r#type = self.locals[local.0 as usize].r#type;
                Ok(Typed::firm(Expression { kind: ExpressionKind::Local(local), r#type, span }))
            }
            Meaning::Object(object) => match self.objects[object.0 as usize].kind {
                ObjectKind::Shared { element, .. } => {
                    let place = crate::program::tree::Place { object, indices: Vec::new(), span };
                    Ok(Typed::firm(Expression { kind: ExpressionKind::Load(place), r#type: element, span }))
                }
                _ => self.not_a_value(name, object, span),
            },
            Meaning::Function(..) => {
                self.fault(span, format!("`{name}` is a function"), format!("call it with its arguments: `{name}(...)`"))
            }
            Meaning::Broken(_) => Err(super::Reported),
        }
    }

    fn thread(&mut self, span: Span) -> Checked<Typed> {
        let anywhere = self.runtime.is_some() || matches!(self.context.phase, Phase::Function(_));
        if self.context.team.is_none() && !anywhere {
            let help = "it stands in the body of `parallel` or `parallel for`";
            return self.fault(span, "`thread` is the number of a thread in its team, and there is no team here", help);
        }
        Ok(Typed::firm(Expression { kind: ExpressionKind::Thread, r#type: Type::I64, span }))
    }

    fn threads(&self, span: Span) -> Expression {
        match self.threads {
            Some(threads) if self.threads_are_constant => constant_expression(Value::I64(threads), span),
            _ => Expression { kind: ExpressionKind::Threads, r#type: Type::I64, span },
        }
    }

    fn unary(&mut self, operator: syntax::UnaryOperator, operand: &syntax::Expression, span: Span) -> Checked<Typed> {
        if let (syntax::UnaryOperator::Negate, syntax::ExpressionKind::Literal(LiteralValue::Integer(value))) =
            (operator, &operand.kind)
        {
            return self.literal(LiteralValue::Integer(-value), span);
        }
        let typed = self.expression(operand)?;
        let found = typed.r#type();
        match operator {
            syntax::UnaryOperator::Negate if found == Type::Bool => {
                self.fault(span, "a truth value has no negative", "its opposite is written `!x`")
            }
            syntax::UnaryOperator::Not if found.is_float() => self.fault(
                span,
                format!("`!` is for truth values and integers, and this is {}", a_type(found)),
                "compare it: `x == 0.0`",
            ),
            syntax::UnaryOperator::Negate => Ok(apply_unary(UnaryOperator::Negate, typed, span)),
            syntax::UnaryOperator::Not => Ok(apply_unary(UnaryOperator::Not, typed, span)),
        }
    }

    fn binary(
        &mut self,
        operator: syntax::BinaryOperator,
        a: &syntax::Expression,
        b: &syntax::Expression,
        span: Span,
    ) -> Checked<Typed> {
        match operator {
            syntax::BinaryOperator::And => self.logical(true, a, b, span),
            syntax::BinaryOperator::Or => self.logical(false, a, b, span),
            syntax::BinaryOperator::Comparison(comparison) => self.comparison(comparison, a, b, span),
            syntax::BinaryOperator::Arithmetic(operator) => {
                let (a, b) = (self.expression(a), self.expression(b));
                self.arithmetic(operator, a?, b?, span)
            }
        }
    }

    /// `&&` (`and`) or `||`.
    fn logical(&mut self, and: bool, a: &syntax::Expression, b: &syntax::Expression, span: Span) -> Checked<Typed> {
        let what = if and { "a side of `&&`" } else { "a side of `||`" };
        let (a, b) = (self.condition(a, what), self.condition(b, what));
        let (a, b) = (a?, b?);
        if let Some(Value::Bool(known)) = known(&a) {
            let kept = if known == and { b } else { a };
            return Ok(Typed::firm(Expression { span, ..kept }));
        }
        let (a, b) = (Box::new(a), Box::new(b));
        let kind = if and { ExpressionKind::And(a, b) } else { ExpressionKind::Or(a, b) };
        Ok(Typed::firm(Expression { kind, r#type: Type::Bool, span }))
    }

    fn comparison(&mut self, comparison: Comparison, a: &syntax::Expression, b: &syntax::Expression, span: Span) -> Checked<Typed> {
        let (a, b) = (self.expression(a), self.expression(b));
        let (a, b, _) = self.unify(a?, b?)?;
        if a.r#type == Type::Bool && !matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
            return self.fault(span, "truth values have no order", "they are compared with `==` and `!=`");
        }
        if let (Some(known_a), Some(known_b)) = (known(&a), known(&b)) {
            let value = operators::compare(a.r#type, comparison, known_a.bits(), known_b.bits());
            return Ok(Typed::firm(constant_expression(Value::Bool(value), span)));
        }
        let kind = ExpressionKind::Compare(comparison, Box::new(a), Box::new(b));
        Ok(Typed::firm(Expression { kind, r#type: Type::Bool, span }))
    }

    /// `a operator b`, operands checked.
    pub(super) fn arithmetic(&mut self, operator: BinaryOperator, a: Typed, b: Typed, span: Span) -> Checked<Typed> {
        if matches!(operator, BinaryOperator::ShiftLeft | BinaryOperator::ShiftRight) {
            self.operator_allowed(operator, a.r#type(), span)?;
            let literal = a.literal && b.literal;
            let count = self.coerce(b, Type::I64, "the count of a shift")?;
            return Ok(apply_binary(operator, a.expression, count, literal, span));
        }
        let divisor_is_literal = b.literal;
        let (a, b, literal) = self.unify(a, b)?;
        self.operator_allowed(operator, a.r#type, span)?;
        if divisor_is_literal {
            self.reject_division_by_zero(operator, &b)?;
        }
        Ok(apply_binary(operator, a, b, literal, span))
    }

    /// A zero that is written as the divisor is a slip; one that comes from a parameter may never be reached.
    pub(super) fn reject_division_by_zero(&mut self, operator: BinaryOperator, divisor: &Expression) -> Checked<()> {
        let divides = matches!(operator, BinaryOperator::Divide | BinaryOperator::Remainder);
        let zero = matches!(known(divisor), Some(Value::I64(0) | Value::I32(0)));
        if divides && zero {
            return self.fault(divisor.span, "this divides by zero", "the division of integers by zero stops a program");
        }
        Ok(())
    }

    /// Whether values of a type have an operator.
    pub(super) fn operator_allowed(&mut self, operator: BinaryOperator, r#type: Type, span: Span) -> Checked<()> {
        let (message, help) = match (operator, r#type) {
            (BinaryOperator::And | BinaryOperator::Or | BinaryOperator::Xor, Type::F64 | Type::F32) => {
                ("floats have no bit operators", "integers and truth values have them; conditions are joined by `&&` and `||`")
            }
            (BinaryOperator::And | BinaryOperator::Or | BinaryOperator::Xor, _) => return Ok(()),
            (_, Type::Bool) => ("truth values have no arithmetic", "join them with `&&`, `||`, `!`; `i64(x)` is 1 where x is true"),
            (BinaryOperator::ShiftLeft | BinaryOperator::ShiftRight, Type::F64 | Type::F32) => {
                ("floats have no shifts", "multiply or divide by a power of two")
            }
            (BinaryOperator::Remainder, Type::F64 | Type::F32) => {
                ("`%` is for integers", "the fraction of a float x >= 0.0 is `x - f64(i64(x))`")
            }
            _ => return Ok(()),
        };
        self.fault(span, message, help)
    }

    fn atomic_load(&mut self, place: &syntax::Expression, order: Option<syntax::OrderWord>, span: Span) -> Checked<Typed> {
        let (place, element) = self.memory_place(place, "`atomic` reads")?;
        if let Some(order) = order.filter(|order| order.order == Order::Release) {
            return self.fault(order.span, "a read cannot release", "reads are `relaxed`, `acquire` or, without a word, seq_cst");
        }
        let order = order.map_or(Order::SequentiallyConsistent, |order| order.order);
        Ok(Typed::firm(Expression { kind: ExpressionKind::AtomicLoad(place, order), r#type: element, span }))
    }
}

/// `operator a`, of a type that has it; computed at once where the operand is known.
pub(super) fn apply_unary(operator: UnaryOperator, a: Typed, span: Span) -> Typed {
    let Typed { expression, literal } = a;
    let r#type = expression.r#type;
    if let Some(value) = known(&expression) {
        let bits = operators::unary(r#type, operator, value.bits());
        return Typed { expression: folded(r#type, bits, span), literal };
    }
    Typed::firm(Expression { kind: ExpressionKind::Unary(operator, Box::new(expression)), r#type, span })
}

/// `a operator b`, of a type that has it; computed at once where both operands are known.
pub(super) fn apply_binary(operator: BinaryOperator, a: Expression, b: Expression, literal: bool, span: Span) -> Typed {
    let r#type = a.r#type;
    if let (Some(known_a), Some(known_b)) = (known(&a), known(&b))
        && let Some(bits) = operators::binary(r#type, operator, known_a.bits(), known_b.bits())
    {
        return Typed { expression: folded(r#type, bits, span), literal };
    }
    Typed::firm(Expression { kind: ExpressionKind::Binary(operator, Box::new(a), Box::new(b)), r#type, span })
}

fn folded(r#type: Type, bits: u64, span: Span) -> Expression {
    constant_expression(Value::from_bits(r#type, operators::canonical(r#type, bits)), span)
}
