//! The functions that are always there.

use super::convert::{Typed, a_type, known};
use super::expression::{apply_binary, apply_unary};
use super::scope::{MAXIMUM_CANDIDATES, Meaning, Phase, suggestion};
use super::{Checked, Checker, Reported};
use crate::base::diagnostic::Span;
use crate::program::operators;
use crate::program::syntax::{self, Name};
use crate::program::tree::{
    BinaryOperator, Comparison, Expression, ExpressionKind, Order, ReduceOperator, Type, UnaryOperator, UpdateOperation,
};
use crate::program::vocabulary;

/// Places in memory that an operation changes in one step, by the function's name.
fn fetch_operation(name: &str) -> Option<UpdateOperation> {
    Some(match name {
        "fetch_add" => UpdateOperation::Add,
        "fetch_min" => UpdateOperation::Minimum,
        "fetch_max" => UpdateOperation::Maximum,
        "fetch_and" => UpdateOperation::And,
        "fetch_or" => UpdateOperation::Or,
        "fetch_xor" => UpdateOperation::Xor,
        "exchange" => UpdateOperation::Exchange,
        _ => return None,
    })
}

fn float_function(name: &str) -> Option<UnaryOperator> {
    Some(match name {
        "sqrt" => UnaryOperator::SquareRoot,
        "sin" => UnaryOperator::Sine,
        "cos" => UnaryOperator::Cosine,
        "exp" => UnaryOperator::Exponential,
        "log" => UnaryOperator::Logarithm,
        _ => return None,
    })
}

impl Checker<'_> {
    /// Whether a name is that of a function that is always there.
    pub(super) fn is_builtin(&self, name: &str) -> bool {
        let initial = matches!(name, "permutation" | "cycle");
        let combine = name == "combine" && self.runtime.is_some();
        initial
            || combine
            || name == vocabulary::COMPARE_EXCHANGE.0
            || vocabulary::FUNCTIONS.iter().any(|(known, ..)| *known == name)
    }

    /// `f(...)`.
    pub(super) fn call(&mut self, function: &Name, arguments: &[syntax::Expression], span: Span) -> Checked<Typed> {
        let name = function.text.as_str();
        if let Some(to) = vocabulary::value_type(name) {
            return self.conversion(to, function, arguments, span);
        }
        if let Some(operation) = fetch_operation(name) {
            return self.read_modify_write(operation, function, arguments, span);
        }
        if let Some(operator) = float_function(name) {
            let [argument] = self.arguments(function, arguments, span)?;
            let value = self.float_argument(argument, name)?;
            return Ok(apply_unary(operator, value, span));
        }
        match name {
            "min" => self.extreme(BinaryOperator::Minimum, function, arguments, span),
            "max" => self.extreme(BinaryOperator::Maximum, function, arguments, span),
            "abs" => {
                let [argument] = self.arguments(function, arguments, span)?;
                let value = self.expression(argument)?;
                if value.r#type() == Type::Bool {
                    return self.fault(span, "a truth value has no absolute value", "`abs` is for numbers");
                }
                Ok(apply_unary(UnaryOperator::Absolute, value, span))
            }
            "fma" => self.fused_multiply_add(function, arguments, span),
            "sum" => self.sum(function, arguments, span),
            "random" => self.random(function, arguments, span),
            "compare_exchange" => self.compare_exchange(function, arguments, span),
            "combine" if self.runtime.is_some() => self.combine(function, arguments, span),
            "permutation" | "cycle" => {
                let help = format!("write `array a: i64[n] = {name}()`");
                self.fault(span, format!("`{name}()` is the initial value of an array and nothing else"), help)
            }
            _ => self.function_call(function, arguments, span),
        }
    }

    /// The arguments of a call, as many as there should be.
    fn arguments<'e, const N: usize>(
        &mut self,
        function: &Name,
        arguments: &'e [syntax::Expression],
        span: Span,
    ) -> Checked<[&'e syntax::Expression; N]> {
        if arguments.len() == N {
            return Ok(std::array::from_fn(|index| &arguments[index]));
        }
        let known = vocabulary::FUNCTIONS.iter().chain([&vocabulary::COMPARE_EXCHANGE]);
        let example =
            known.into_iter().find(|(name, ..)| *name == function.text).map_or("combine(a, b)", |(_, example, _)| example);
        let message = format!("`{}` takes {}, and this gives {}", function.text, arguments_text(N), arguments.len());
        self.fault(span, message, format!("write `{example}`"))
    }

    fn conversion(&mut self, to: Type, function: &Name, arguments: &[syntax::Expression], span: Span) -> Checked<Typed> {
        if to == Type::Bool {
            return self.fault(span, "nothing is converted to bool", "compare it: `x != 0`");
        }
        let [argument] = self.arguments(function, arguments, span)?;
        let value = self.expression(argument)?;
        self.written_conversion(value, to, span)
    }

    /// A float; integers become `f64`.
    fn float_argument(&mut self, argument: &syntax::Expression, name: &str) -> Checked<Typed> {
        let typed = self.expression(argument)?;
        let to = if typed.r#type() == Type::F32 { Type::F32 } else { Type::F64 };
        let literal = typed.literal;
        Ok(Typed { expression: self.coerce(typed, to, &format!("what `{name}` takes"))?, literal })
    }

    fn extreme(
        &mut self,
        operator: BinaryOperator,
        function: &Name,
        arguments: &[syntax::Expression],
        span: Span,
    ) -> Checked<Typed> {
        let [a, b] = self.arguments(function, arguments, span)?;
        let (a, b) = (self.expression(a), self.expression(b));
        self.arithmetic(operator, a?, b?, span)
    }

    fn fused_multiply_add(&mut self, function: &Name, arguments: &[syntax::Expression], span: Span) -> Checked<Typed> {
        let [a, b, c] = self.arguments(function, arguments, span)?;
        let (a, b, c) = (self.expression(a)?, self.expression(b)?, self.expression(c)?);
        let single = [&a, &b, &c].into_iter().all(|typed| typed.r#type() == Type::F32 || typed.literal);
        let any_single = [&a, &b, &c].into_iter().any(|typed| typed.r#type() == Type::F32);
        let to = if single && any_single { Type::F32 } else { Type::F64 };
        let what = "what `fma` takes";
        let (a, b, c) = (self.coerce(a, to, what)?, self.coerce(b, to, what)?, self.coerce(c, to, what)?);
        let kind = ExpressionKind::FusedMultiplyAdd(Box::new(a), Box::new(b), Box::new(c));
        Ok(Typed::firm(Expression { kind, r#type: to, span }))
    }

    fn sum(&mut self, function: &Name, arguments: &[syntax::Expression], span: Span) -> Checked<Typed> {
        let [argument] = self.arguments(function, arguments, span)?;
        let outer = self.array_statement.take();
        let slice = self.slice(argument, "`sum` adds up");
        self.array_statement = outer;
        let (slice, element) = slice?;
        if element == Type::Bool {
            return self.fault(argument.span, "truth values are not added up", "count in an array of i64");
        }
        Ok(Typed::firm(Expression { kind: ExpressionKind::Sum(slice), r#type: element, span }))
    }

    fn random(&mut self, function: &Name, arguments: &[syntax::Expression], span: Span) -> Checked<Typed> {
        if arguments.len() == 2 {
            let help = "in an expression write `random(counter)`: an i64 from 0 to 2^63 - 1, such as `random(i) % 6`";
            return self.fault(span, "`random(lo, hi)` is the initial value of an array and nothing else", help);
        }
        let [counter] = self.arguments(function, arguments, span)?;
        let counter = self.integer(counter, "the counter of `random`")?;
        Ok(Typed::firm(Expression { kind: ExpressionKind::Random(Box::new(counter)), r#type: Type::I64, span }))
    }

    /// The place that an operation changes in one step, and the type of its elements.
    fn changed_place(&mut self, function: &Name, place: &syntax::Expression) -> Checked<(crate::program::tree::Place, Type)> {
        self.reject_change_in_results(function.span, &format!("`{}`", function.text))?;
        self.memory_place(place, &format!("`{}` changes", function.text))
    }

    /// Results and initial values change nothing.
    pub(super) fn reject_change_in_results(&mut self, span: Span, what: &str) -> Checked<()> {
        match self.context.phase {
            Phase::Results => {
                self.fault(span, format!("{what} changes memory, and results only read it"), "do it in the timed part")
            }
            Phase::Declarations => {
                self.fault(span, format!("{what} changes memory"), "a first value is computed from values alone")
            }
            _ => Ok(()),
        }
    }

    fn read_modify_write(
        &mut self,
        operation: UpdateOperation,
        function: &Name,
        arguments: &[syntax::Expression],
        span: Span,
    ) -> Checked<Typed> {
        let [place, operand] = self.arguments(function, arguments, span)?;
        let (place, element) = self.changed_place(function, place)?;
        self.atomic_allowed(operation, element, span)?;
        let operand = self.value_of(operand, element, "the place")?;
        self.note_float_atomic(operation, element);
        let order = Order::SequentiallyConsistent;
        let kind = ExpressionKind::ReadModifyWrite { operation, place, operand: Box::new(operand), order };
        Ok(Typed::firm(Expression { kind, r#type: element, span }))
    }

    /// Sums of floats depend on the order in which threads come.
    pub(super) fn note_float_atomic(&mut self, operation: UpdateOperation, element: Type) {
        let keeps_order = matches!(operation, UpdateOperation::Minimum | UpdateOperation::Maximum);
        if element.is_float() && !keeps_order {
            self.order_dependent = true;
        }
    }

    /// Whether an element of a type can be changed so in one step.
    pub(super) fn atomic_allowed(&mut self, operation: UpdateOperation, element: Type, span: Span) -> Checked<()> {
        let operator = match operation {
            UpdateOperation::Exchange => return Ok(()),
            UpdateOperation::Add => BinaryOperator::Add,
            UpdateOperation::Minimum => BinaryOperator::Minimum,
            UpdateOperation::Maximum => BinaryOperator::Maximum,
            UpdateOperation::And => BinaryOperator::And,
            UpdateOperation::Or => BinaryOperator::Or,
            UpdateOperation::Xor => BinaryOperator::Xor,
        };
        self.operator_allowed(operator, element, span)
    }

    fn compare_exchange(&mut self, function: &Name, arguments: &[syntax::Expression], span: Span) -> Checked<Typed> {
        let [place, expected, desired] = self.arguments(function, arguments, span)?;
        let (place, element) = self.changed_place(function, place)?;
        let expected = self.value_of(expected, element, "the place")?;
        let desired = self.value_of(desired, element, "the place")?;
        self.note_float_atomic(UpdateOperation::Exchange, element);
        let order = Order::SequentiallyConsistent;
        let kind = ExpressionKind::CompareExchange { place, expected: Box::new(expected), desired: Box::new(desired), order };
        Ok(Typed::firm(Expression { kind, r#type: element, span }))
    }

    /// `combine(a, b)` of a run-time text: the operator of the reduction it is used for.
    fn combine(&mut self, function: &Name, arguments: &[syntax::Expression], span: Span) -> Checked<Typed> {
        let Some(operator) = self.runtime.and_then(|runtime| runtime.combine) else {
            return self.fault(span, "there is nothing to combine here", "`combine` is for the texts of reductions");
        };
        let operator = match operator {
            ReduceOperator::Add => BinaryOperator::Add,
            ReduceOperator::Multiply => BinaryOperator::Multiply,
            ReduceOperator::Minimum => BinaryOperator::Minimum,
            ReduceOperator::Maximum => BinaryOperator::Maximum,
            ReduceOperator::And => BinaryOperator::And,
            ReduceOperator::Or => BinaryOperator::Or,
        };
        let [a, b] = self.arguments(function, arguments, span)?;
        let (a, b) = (self.expression(a), self.expression(b));
        let (a, b, literal) = self.unify(a?, b?)?;
        self.operator_allowed(operator, a.r#type, span)?;
        Ok(apply_binary(operator, a, b, literal, span))
    }

    /// A call of a function of the text.
    fn function_call(&mut self, function: &Name, arguments: &[syntax::Expression], span: Span) -> Checked<Typed> {
        let Some(meaning) = self.quiet_look_up(&function.text) else {
            return self.unknown_function(function);
        };
        let Meaning::Function(id, _) = meaning else {
            if let Meaning::Broken(_) = meaning {
                return Err(Reported);
            }
            let message = format!("`{}` is not a function", function.text);
            return self.fault(
                function.span,
                message,
                format!("an element is written with square brackets: `{}[i]`", function.text),
            );
        };
        self.user_call(id, function, arguments, span)
    }

    fn unknown_function<T>(&mut self, function: &Name) -> Checked<T> {
        if self.is_full() {
            return Err(Reported);
        }
        let message = format!("there is no function `{}`", function.text);
        let own = self.signatures.iter().take(MAXIMUM_CANDIDATES).map(|signature| signature.name.text.as_str());
        let given = vocabulary::FUNCTIONS.iter().chain([&vocabulary::COMPARE_EXCHANGE]).map(|(name, ..)| *name);
        let help = match suggestion(&function.text, own.chain(given)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("declare it at the top: `fn {}(x: f64) -> f64 {{ ... }}`", function.text),
        };
        self.fault(function.span, message, help)
    }

    /// The value of an initial `random(lo, hi)`, `lo < hi` where both are known.
    pub(super) fn random_bounds(&mut self, bounds: &[syntax::Expression; 2], element: Type) -> Checked<(Expression, Expression)> {
        if element == Type::Bool {
            let span = bounds[0].span.to(bounds[1].span);
            return self.fault(span, format!("an array of {} has no random numbers", a_type(element)), "use i64 and compare");
        }
        let low = self.value_of(&bounds[0], element, "the array")?;
        let high = self.value_of(&bounds[1], element, "the array")?;
        if let (Some(low), Some(high)) = (known(&low), known(&high))
            && !operators::compare(element, Comparison::Less, low.bits(), high.bits())
        {
            let span = bounds[0].span.to(bounds[1].span);
            return self.fault(span, "no number lies between these bounds", "`random(lo, hi)` is at least lo and below hi");
        }
        Ok((low, high))
    }
}

fn arguments_text(n: usize) -> String {
    if n == 1 { "1 argument".into() } else { format!("{n} arguments") }
}
