//! Statements that one thread understands alone.

use super::convert::Typed;
use super::scope::{LocalRole, Meaning};
use super::{Checked, Checker, Reported};
use crate::base::diagnostic::{Diagnostic, Span};
use crate::program::syntax::{self, Block, ExpressionKind as SyntaxKind, Index, Name, Range, StatementKind as Syntax};
use crate::program::tree::{
    BinaryOperator, Expression, ExpressionKind, LocalId, ObjectKind, Place, Statement, StatementKind, Type,
};

/// The most ranges of one loop.
const MAXIMUM_RANGES: usize = 8;

/// The bounds of a loop, checked.
pub(super) struct CheckedRange {
    pub variable: LocalId,
    pub low: Expression,
    pub high: Expression,
    pub step: i64,
    pub span: Span,
}

impl Checker<'_> {
    /// The statements of a block, in a scope of their own.
    pub(super) fn block(&mut self, block: &Block) -> Vec<Statement> {
        let mut statements = Vec::new();
        self.block_into(block, &mut statements);
        statements
    }

    pub(super) fn block_into(&mut self, block: &Block, into: &mut Vec<Statement>) {
        self.nested(|checker| {
            checker.scoped(|checker| {
                for statement in &block.statements {
                    let _ = checker.statement(statement, into);
                }
            });
        });
    }

    /// Checks a statement and appends what it means.
    pub(super) fn statement(&mut self, statement: &syntax::Statement, into: &mut Vec<Statement>) -> Checked<()> {
        if self.is_full() {
            return Err(Reported);
        }
        self.size += 1;
        let span = statement.span;
        let kind = match &statement.kind {
            Syntax::Let { name, value } => match self.let_statement(name, value)? {
                Some(kind) => kind,
                None => return Ok(()),
            },
            Syntax::Assign { place, operator, value } => {
                if let SyntaxKind::Index { base, indices } = &place.kind
                    && indices.iter().any(|index| matches!(index, Index::Range { .. }))
                {
                    return self.array_statement(base, indices, *operator, value, (place.span, span), into);
                }
                self.assignment(place, *operator, value)?
            }
            Syntax::If { condition, then, otherwise } => {
                let condition = self.condition(condition, "the condition of `if`");
                let then = self.block(then);
                let otherwise = otherwise.as_ref().map_or(Vec::new(), |otherwise| self.block(otherwise));
                StatementKind::If { condition: condition?, then, otherwise }
            }
            Syntax::While { condition, body } => {
                let condition = self.condition(condition, "the condition of `while`");
                let body = self.block(body);
                StatementKind::While { condition: condition?, body }
            }
            Syntax::For { ranges, body } => return self.for_statement(ranges, body, span, into),
            Syntax::Busy(amount) => StatementKind::Busy(self.integer(amount, "the amount of `busy`")?),
            Syntax::Expression(value) => self.effect(value)?,
            _ => self.team_statement(statement)?,
        };
        into.push(Statement { kind, span });
        Ok(())
    }

    /// A new variable; nothing where it is a constant that is known already.
    fn let_statement(&mut self, name: &Name, value: &syntax::Expression) -> Checked<Option<StatementKind>> {
        if self.constant_lets.contains(&name.span.start) {
            return Ok(None);
        }
        let Ok(value) = self.value(value) else {
            self.declare_broken(name);
            return Err(Reported);
        };
        let local = self.declare_local(name, value.r#type, LocalRole::Let)?;
        Ok(Some(StatementKind::Assign { local, value }))
    }

    fn assignment(
        &mut self,
        place: &syntax::Expression,
        operator: Option<BinaryOperator>,
        value: &syntax::Expression,
    ) -> Checked<StatementKind> {
        match &place.kind {
            SyntaxKind::Name(name) => self.assignment_to_name(name, place, operator, value),
            SyntaxKind::Index { .. } => self.store(place, operator, value),
            _ => {
                let help = "on the left of `=` stands a variable, a `shared` or an element of an array";
                self.fault(place.span, "this cannot be assigned", help)
            }
        }
    }

    fn assignment_to_name(
        &mut self,
        name: &str,
        place: &syntax::Expression,
        operator: Option<BinaryOperator>,
        value: &syntax::Expression,
    ) -> Checked<StatementKind> {
        let span = place.span;
        if crate::program::vocabulary::GIVEN_NAMES.contains(&name) {
            return self.fault(span, format!("`{name}` is given and cannot be assigned"), "copy it: `let me = thread`");
        }
        match self.look_up(name, span)? {
            Meaning::Local(local) => self.assignment_to_local(local, span, operator, value),
            Meaning::Object(object) => match self.objects[object.0 as usize].kind {
                ObjectKind::Shared { .. } => self.store(place, operator, value),
                ObjectKind::Array { .. } => {
                    let range = ["..", "..", ".."][..self.objects[object.0 as usize].extents.len().min(3)].join(", ");
                    let help =
                        format!("for every element write `{name}[{range}] = ...`, for one `{}`", self.element_example(object));
                    self.fault(span, format!("`{name}` is an array"), help)
                }
                _ => self.not_a_value(name, object, span),
            },
            Meaning::Constant { is_let, span: declared, .. } => {
                let what = if is_let { "a constant" } else { "a parameter" };
                let diagnostic = Diagnostic::at(self.source, span, format!("`{name}` is {what} and cannot be assigned"));
                let diagnostic = diagnostic.help(format!("copy it into a variable: `let my_{name} = {name}`"));
                Err(self.report(diagnostic.related(declared, "declared here")))
            }
            Meaning::Function(..) => self.fault(span, format!("`{name}` is a function"), "a function cannot be assigned"),
            Meaning::Broken(_) => Err(Reported),
        }
    }

    fn assignment_to_local(
        &mut self,
        local: LocalId,
        span: Span,
        operator: Option<BinaryOperator>,
        value: &syntax::Expression,
    ) -> Checked<StatementKind> {
        let value = self.expression(value);
        self.assignable(local, span)?;
        let value = value?;
        let variable = self.locals[local.0 as usize].clone();
        let what = format!("`{}`", variable.name);
        let value = match operator {
            None => self.coerce(value, variable.r#type, &what)?,
            Some(operator) => {
                let old = Expression { kind: ExpressionKind::Local(local), r#type: variable.r#type, span };
                let whole = span.to(value.expression.span);
                let result = self.arithmetic(operator, Typed::firm(old), value, whole)?;
                self.coerce(result, variable.r#type, &what)?
            }
        };
        Ok(StatementKind::Assign { local, value })
    }

    /// Whether a variable may be assigned here: by whoever declared it.
    fn assignable(&mut self, local: LocalId, span: Span) -> Checked<()> {
        let facts = self.local_facts[local.0 as usize];
        let variable = self.locals[local.0 as usize].clone();
        let name = &variable.name;
        let (message, help) = match facts.role {
            LocalRole::Handle => return self.handle_is_no_value(&variable.name, span),
            LocalRole::LoopVariable => {
                (format!("`{name}` is counted by its loop"), "a loop that counts otherwise is a `while`".to_string())
            }
            LocalRole::Parameter => {
                (format!("`{name}` is a parameter of the function"), format!("copy it into a variable: `let my_{name} = {name}`"))
            }
            _ if facts.region == self.context.region => return Ok(()),
            _ => (
                format!(
                    "`{name}` is a register of the thread that runs line {}; the team of line {} can read it, not assign it",
                    self.line(variable.span),
                    self.line(self.context.team_span)
                ),
                format!(
                    "make it `shared {name}: {} = ...` with `reduce(+: {name})`, `atomic` or a lock; or an array",
                    variable.r#type.name()
                ),
            ),
        };
        let diagnostic = Diagnostic::at(self.source, span, message).help(help);
        Err(self.report(diagnostic.related(variable.span, "declared here")))
    }

    /// An assignment to memory.
    fn store(
        &mut self,
        place: &syntax::Expression,
        operator: Option<BinaryOperator>,
        value: &syntax::Expression,
    ) -> Checked<StatementKind> {
        let what = format!("`{}`", self.short_text(place.span));
        let target = self.memory_place(place, "an assignment changes");
        let value = self.expression(value);
        let (target, element) = target?;
        self.note_store(element, place.span);
        self.store_to(target, element, operator, value?, &what)
    }

    /// Notes what a store to memory means for the function it is in and for the order of results.
    pub(super) fn note_store(&mut self, element: Type, span: Span) {
        self.facts.writes = self.facts.writes.or(Some(span));
        self.facts.writes_float |= element.is_float();
        if element.is_float() && self.context.lock.is_some() {
            self.order_dependent = true;
        }
    }

    /// `place operator= value`, everything checked but the value's type.
    pub(super) fn store_to(
        &mut self,
        place: Place,
        element: Type,
        operator: Option<BinaryOperator>,
        value: Typed,
        what: &str,
    ) -> Checked<StatementKind> {
        let Some(operator) = operator else {
            return Ok(StatementKind::Store { place, value: self.coerce(value, element, what)? });
        };
        self.operator_allowed(operator, element, place.span)?;
        let literal = value.literal;
        let is_shift = matches!(operator, BinaryOperator::ShiftLeft | BinaryOperator::ShiftRight);
        let value = self.coerce(value, if is_shift { Type::I64 } else { element }, what)?;
        if literal {
            self.reject_division_by_zero(operator, &value)?;
        }
        Ok(StatementKind::Update { place, operator, value })
    }

    fn for_statement(&mut self, ranges: &[Range], body: &Block, span: Span, into: &mut Vec<Statement>) -> Checked<()> {
        self.scoped(|checker| {
            let mut checked = Vec::new();
            let mut failed = checker.too_many_ranges(ranges).is_err();
            for range in ranges.iter().take(MAXIMUM_RANGES) {
                match checker.range(range) {
                    Ok(range) => checked.push(range),
                    Err(Reported) => failed = true,
                }
            }
            let body = checker.block(body);
            if failed {
                return Err(Reported);
            }
            into.extend(nested_loops(checked, body).into_iter().map(|statement| Statement { span, ..statement }));
            Ok(())
        })
    }

    pub(super) fn too_many_ranges(&mut self, ranges: &[Range]) -> Checked<()> {
        if ranges.len() > MAXIMUM_RANGES {
            let span = ranges[MAXIMUM_RANGES].variable.span;
            return self.fault(span, format!("a loop has at most {MAXIMUM_RANGES} ranges"), "write a loop in its body");
        }
        Ok(())
    }

    /// The bounds of a loop; declares its variable.
    pub(super) fn range(&mut self, range: &Range) -> Checked<CheckedRange> {
        let bounds = self.bounds(range);
        match bounds {
            Ok((low, high, step)) => self.loop_variable(range, low, high, step),
            Err(Reported) => {
                self.declare_broken(&range.variable);
                Err(Reported)
            }
        }
    }

    /// The bounds and the step of a loop.
    pub(super) fn bounds(&mut self, range: &Range) -> Checked<(Expression, Expression, i64)> {
        let low = self.integer(&range.low, "a bound of a range");
        let high = self.integer(&range.high, "a bound of a range");
        let step = match &range.step {
            None => 1,
            Some(step) => match self.constant_integer(step, "the step")? {
                0 => {
                    return self.fault(
                        step.span,
                        "the step is 0, so that the loop would never end",
                        "leave out `by`, or write `by 1`",
                    );
                }
                known => known,
            },
        };
        Ok((low?, high?, step))
    }

    /// Declares the variable of a loop whose bounds are known.
    pub(super) fn loop_variable(&mut self, range: &Range, low: Expression, high: Expression, step: i64) -> Checked<CheckedRange> {
        let variable = self.declare_local(&range.variable, Type::I64, LocalRole::LoopVariable)?;
        let span = range.variable.span.to(range.high.span);
        Ok(CheckedRange { variable, low, high, step, span })
    }

    /// A call for its effect.
    fn effect(&mut self, value: &syntax::Expression) -> Checked<StatementKind> {
        if let SyntaxKind::Call { function, arguments } = &value.kind
            && let Some(Meaning::Function(id, _)) = self.quiet_look_up(&function.text)
        {
            return Ok(StatementKind::Call(self.inlined_call(id, function, arguments, value.span)?));
        }
        let checked = self.value(value)?;
        match checked.kind {
            ExpressionKind::ReadModifyWrite { operation, place, operand, order } => {
                Ok(StatementKind::Atomic { place, operation, value: *operand, order })
            }
            ExpressionKind::CompareExchange { .. } => {
                let local = self.new_local("_", checked.r#type, value.span, LocalRole::Let);
                Ok(StatementKind::Assign { local, value: checked })
            }
            _ => {
                let text = self.short_text(value.span);
                self.fault(value.span, "this value is not used", format!("keep it, `let x = {text}`, or leave it out"))
            }
        }
    }
}

/// The body within loops over the ranges, the first outermost.
pub(super) fn nested_loops(ranges: Vec<CheckedRange>, body: Vec<Statement>) -> Vec<Statement> {
    ranges.into_iter().rev().fold(body, |body, range| {
        let CheckedRange { variable, low, high, step, span } = range;
        vec![Statement { kind: StatementKind::For { variable, low, high, step, body }, span }]
    })
}
