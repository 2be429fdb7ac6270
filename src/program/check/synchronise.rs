//! Statements by which threads meet at one place in memory: atomics, `await`, locks and semaphores.

use super::convert::Typed;
use super::expression::apply_unary;
use super::place::Wanted;
use super::scope::Context;
use super::{Checked, Checker};
use crate::base::diagnostic::Span;
use crate::program::syntax::{self, Block, OrderWord};
use crate::program::tree::{
    BinaryOperator, Comparison, Expression, ExpressionKind, ObjectKind, Order, Place, StatementKind, Type, UnaryOperator,
    UpdateOperation, Value,
};

impl Checker<'_> {
    pub(super) fn atomic(
        &mut self,
        place: &syntax::Expression,
        operator: Option<BinaryOperator>,
        value: &syntax::Expression,
        order: Option<OrderWord>,
        span: Span,
    ) -> Checked<StatementKind> {
        let what = format!("`{}`", self.short_text(place.span));
        let target = self.memory_place(place, "`atomic` changes");
        let value = self.expression(value);
        let (place, element) = target?;
        let mut value = value?;
        let operation = self.atomic_operation(operator, span)?;
        self.atomic_allowed(operation, element, span)?;
        if operation == UpdateOperation::Exchange
            && let Some(order) = order.filter(|order| order.order == Order::Acquire)
        {
            return self.fault(order.span, "a store cannot acquire", "stores are `relaxed`, `release` or, without a word, seq_cst");
        }
        if operator == Some(BinaryOperator::Subtract) {
            let span = value.expression.span;
            // In the element's own type, so that what is negated is what is added.
            value = Typed::firm(self.coerce(value, element, &what)?);
            value = apply_unary(UnaryOperator::Negate, value, span);
        }
        let value = self.coerce(value, element, &what)?;
        self.facts.writes = self.facts.writes.or(Some(span));
        self.facts.writes_float |= element.is_float();
        self.note_float_atomic(operation, element);
        let order = order.map_or(Order::SequentiallyConsistent, |order| order.order);
        Ok(StatementKind::Atomic { place, operation, value, order })
    }

    fn atomic_operation(&mut self, operator: Option<BinaryOperator>, span: Span) -> Checked<UpdateOperation> {
        Ok(match operator {
            None => UpdateOperation::Exchange,
            Some(BinaryOperator::Add | BinaryOperator::Subtract) => UpdateOperation::Add,
            Some(BinaryOperator::Minimum) => UpdateOperation::Minimum,
            Some(BinaryOperator::Maximum) => UpdateOperation::Maximum,
            Some(BinaryOperator::And) => UpdateOperation::And,
            Some(BinaryOperator::Or) => UpdateOperation::Or,
            Some(BinaryOperator::Xor) => UpdateOperation::Xor,
            Some(_) => {
                let help = "in one step go `=`, `+=`, `-=`, `min=`, `max=`, `&=`, `|=`, `^=`; for others repeat `compare_exchange`";
                return self.fault(span, "no machine does this in one step", help);
            }
        })
    }

    /// `await place comparison value`
    pub(super) fn await_statement(&mut self, condition: &syntax::Expression) -> Checked<StatementKind> {
        let span = condition.span;
        let checked = self.condition(condition, "what is awaited")?;
        let (place, comparison, value) = match checked.kind {
            ExpressionKind::Compare(comparison, a, b) => match (single_place(&a), single_place(&b)) {
                (Some(place), _) if !reads_memory(&b) => (place, comparison, *b),
                (_, Some(place)) if !reads_memory(&a) => (place, mirrored(comparison), *a),
                _ => return self.not_awaitable(span),
            },
            ExpressionKind::Unary(UnaryOperator::Not, operand) => match single_place(&operand) {
                Some(place) => (place, Comparison::Equal, boolean(false, span)),
                None => return self.not_awaitable(span),
            },
            _ => match single_place(&checked) {
                Some(place) => (place, Comparison::Equal, boolean(true, span)),
                None => return self.not_awaitable(span),
            },
        };
        Ok(StatementKind::Await { place, comparison, value })
    }

    fn not_awaitable<T>(&mut self, span: Span) -> Checked<T> {
        let message = "`await` sleeps until one place in memory changes: it compares that place, on one side, with a value that reads no \
                       memory";
        let help = "such as `await turn == thread` or `await flag[i]`; read other memory into a `let` first, and convert its value, not the place";
        self.fault(span, message, help)
    }

    pub(super) fn lock(&mut self, place: &syntax::Expression, body: &Block, span: Span) -> Checked<StatementKind> {
        let head = Span { start: span.start, end: place.span.end };
        let allowed = self.reject_in_runtime("lock", head);
        let place = self.synchroniser_place(place, "mutex", "lock");
        let context = Context { lock: Some(head), ..self.context };
        let body = self.within(context, |checker| checker.block(body));
        allowed?;
        Ok(StatementKind::Lock { place: place?, body })
    }

    pub(super) fn semaphore(&mut self, place: &syntax::Expression, word: &str, span: Span) -> Checked<Place> {
        self.reject_in_runtime(word, span)?;
        self.synchroniser_place(place, "semaphore", word)
    }

    /// A mutex or a semaphore, one of many where it has an extent.
    fn synchroniser_place(&mut self, syntax: &syntax::Expression, noun: &'static str, word: &str) -> Checked<Place> {
        let span = syntax.span;
        let (name, name_span, index) = match &syntax.kind {
            syntax::ExpressionKind::Name(name) => (name, span, None),
            syntax::ExpressionKind::Index { base, indices } => match indices.as_slice() {
                [syntax::Index::At(index)] => (&base.text, base.span, Some(index)),
                _ => return self.fault(span, format!("`{word}` takes one {noun}"), format!("write `{word} {}[i]`", base.text)),
            },
            _ => return self.fault(span, format!("`{word}` takes a {noun}"), format!("declare `{noun} m` at the top")),
        };
        let object = self.object(name, name_span, Wanted::Synchroniser(noun))?;
        let right = match self.objects[object.0 as usize].kind {
            ObjectKind::Mutex => noun == "mutex",
            ObjectKind::Semaphore { .. } => noun == "semaphore",
            _ => false,
        };
        if !right {
            let message = format!("`{word}` takes a {noun}, and `{name}` is {}", self.object_noun(object));
            let help = match self.objects[object.0 as usize].kind {
                ObjectKind::Mutex => format!("a mutex is held by `lock {name} {{ ... }}`"),
                ObjectKind::Semaphore { .. } => format!("a semaphore is used by `acquire {name}` and `release {name}`"),
                _ => format!("declare `{noun} {name}_{noun}` at the top"),
            };
            return self.fault(span, message, help);
        }
        let many = self.objects[object.0 as usize].extents != [1];
        let indices = match index {
            Some(index) => vec![self.integer(index, "an index")?],
            None if many => {
                let message = format!("there are many `{name}`");
                return self.fault(span, message, format!("say which: `{word} {name}[i]`"));
            }
            None => Vec::new(),
        };
        Ok(Place { object, indices, span })
    }
}

/// The place that an expression reads and nothing else.
fn single_place(expression: &Expression) -> Option<Place> {
    match &expression.kind {
        ExpressionKind::Load(place) | ExpressionKind::AtomicLoad(place, _) if !place.indices.iter().any(reads_memory) => {
            Some(place.clone())
        }
        _ => None,
    }
}

/// Whether computing an expression may read memory.
fn reads_memory(expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::Constant(_)
        | ExpressionKind::Local(_)
        | ExpressionKind::Thread
        | ExpressionKind::Threads
        | ExpressionKind::Rank => false,
        ExpressionKind::Unary(_, a) | ExpressionKind::Convert(a) | ExpressionKind::Random(a) => reads_memory(a),
        ExpressionKind::Binary(_, a, b)
        | ExpressionKind::Compare(_, a, b)
        | ExpressionKind::And(a, b)
        | ExpressionKind::Or(a, b) => reads_memory(a) || reads_memory(b),
        ExpressionKind::FusedMultiplyAdd(a, b, c) => reads_memory(a) || reads_memory(b) || reads_memory(c),
        ExpressionKind::Load(_)
        | ExpressionKind::AtomicLoad(..)
        | ExpressionKind::ReadModifyWrite { .. }
        | ExpressionKind::CompareExchange { .. }
        | ExpressionKind::Sum(_)
        | ExpressionKind::Call { .. } => true,
    }
}

/// The comparison with its sides swapped.
fn mirrored(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessEqual => Comparison::GreaterEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterEqual => Comparison::LessEqual,
        Comparison::Equal | Comparison::NotEqual => comparison,
    }
}

fn boolean(value: bool, span: Span) -> Expression {
    Expression { kind: ExpressionKind::Constant(Value::Bool(value)), r#type: Type::Bool, span }
}
