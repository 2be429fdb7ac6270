//! Array statements, `a[lo..hi, ..] = b[..] + e`, as the loops they stand for.
//!
//! ```text
//!   a[0..n, ..] = 2.0 * b[1..n + 1, ..]     parallel for v in 0..n {
//!                                               for w in 0..m { a[v, w] = 2.0 * b[v + 1, w] }
//!                                           }
//! ```
//!
//! The ranges on the left are the loops' own; a slice on the right runs along at its distance. Bounds are computed once, before the
//! loops. Lengths that are known to differ are an error; where only the run can tell, the left side says how many, and the bounds of
//! the arrays are checked as always. So is reading the array at other elements than those being written: iterations have no order.

use super::convert::constant_expression;
use super::linear::Linear;
use super::parallel::shared_out;
use super::place::Wanted;
use super::scope::LocalRole;
use super::statement::{CheckedRange, nested_loops};
use super::{Checked, Checker, Reported};
use crate::base::diagnostic::{Diagnostic, Span};
use crate::program::syntax::{self, Index, Name};
use crate::program::tree::{
    BinaryOperator, Expression, ExpressionKind, LocalId, ObjectId, ObjectKind, Place, Slice, SliceDimension, Statement,
    StatementKind, Type, Value,
};

/// The left side of an array statement, while its right side is checked.
#[derive(Clone, Debug)]
pub(super) struct ArrayStatement {
    object: ObjectId,
    ranges: Vec<Along>,
    span: Span,
    /// Computed before the loops.
    before: Vec<Statement>,
}

/// A range on the left side.
#[derive(Clone, Debug)]
struct Along {
    variable: LocalId,
    low: Expression,
    high: Expression,
    length: Option<Linear>,
}

impl Checker<'_> {
    /// `base[indices] operator= value`; `spans` are those of the left side and of the whole.
    pub(super) fn array_statement(
        &mut self,
        base: &Name,
        indices: &[Index],
        operator: Option<BinaryOperator>,
        value: &syntax::Expression,
        spans: (Span, Span),
        into: &mut Vec<Statement>,
    ) -> Checked<()> {
        let (left, whole) = spans;
        self.parallel_for_allowed(left)?;
        let object = self.object(&base.text, base.span, Wanted::Array)?;
        let ObjectKind::Array { element, .. } = self.objects[object.0 as usize].kind else {
            let message = format!("`{}` is {} and has no parts", base.text, self.object_noun(object));
            return self.fault(left, message, "arrays are declared at the top: `array a: f64[n]`");
        };
        self.note_store(element, left);
        let slice = self.slice_of(base, object, indices, left)?;
        let outer_context = self.context;
        let context = self.shared_loop_context(left);
        let mut statement = ArrayStatement { object, ranges: Vec::new(), span: left, before: Vec::new() };
        let indices = self.destination(slice, &mut statement, context.region);
        self.array_statement = Some(statement);
        let value = self.within(context, |checker| checker.expression(value));
        let statement = self.array_statement.take().ok_or(Reported)?;
        debug_assert_eq!(self.context.region, outer_context.region);
        let place = Place { object, indices, span: left };
        let kind = self.store_to(place, element, operator, value?, &format!("`{}`", base.text))?;
        into.extend(statement.before);
        let mut ranges = statement.ranges.into_iter().map(|along| along.range(left));
        let Some(outermost) = ranges.next() else { return Err(Reported) };
        let body = nested_loops(ranges.collect(), vec![Statement { kind, span: whole }]);
        into.push(Statement { kind: shared_out(outermost, body), span: whole });
        Ok(())
    }

    /// Makes a loop variable for every range of the left side; the indices of the element that an iteration writes.
    fn destination(&mut self, slice: Slice, statement: &mut ArrayStatement, region: u32) -> Vec<Expression> {
        let mut indices = Vec::new();
        for dimension in slice.dimensions {
            indices.push(match dimension {
                SliceDimension::Index(index) => self.once(index, &mut statement.before),
                SliceDimension::Range { low, high } => {
                    let length = length(&low, &high);
                    let span = low.span.to(high.span);
                    let (low, high) = (self.once(low, &mut statement.before), self.once(high, &mut statement.before));
                    let variable =
                        self.new_local(INDEX_NAMES[statement.ranges.len().min(2)], Type::I64, span, LocalRole::LoopVariable);
                    self.local_facts[variable.0 as usize].region = region;
                    statement.ranges.push(Along { variable, low, high, length });
                    Expression { kind: ExpressionKind::Local(variable), r#type: Type::I64, span }
                }
            });
        }
        indices
    }

    /// A value that is computed once, before the loops.
    fn once(&mut self, value: Expression, before: &mut Vec<Statement>) -> Expression {
        if matches!(value.kind, ExpressionKind::Constant(_) | ExpressionKind::Local(_) | ExpressionKind::Threads) {
            return value;
        }
        let span = value.span;
        let local = self.new_local("bound", Type::I64, span, LocalRole::Let);
        before.push(Statement { kind: StatementKind::Assign { local, value }, span });
        Expression { kind: ExpressionKind::Local(local), r#type: Type::I64, span }
    }

    /// The indices of the element of a slice on the right side that belongs to an iteration.
    pub(super) fn sliced_indices(&mut self, slice: Slice) -> Checked<Vec<Expression>> {
        let Some(mut statement) = self.array_statement.take() else { return Err(Reported) };
        let indices = self.along(slice, &mut statement);
        self.array_statement = Some(statement);
        indices
    }

    fn along(&mut self, slice: Slice, statement: &mut ArrayStatement) -> Checked<Vec<Expression>> {
        let ranged = slice.dimensions.iter().filter(|dimension| matches!(dimension, SliceDimension::Range { .. })).count();
        if ranged != statement.ranges.len() {
            let message = format!("the left side has {} ranges, and this has {ranged}", statement.ranges.len());
            let diagnostic =
                Diagnostic::at(self.source, slice.span, message).help("every slice of an array statement has the same shape");
            return Err(self.report(diagnostic.related(statement.span, "the left side")));
        }
        self.reject_overlap(&slice, statement)?;
        let mut ranges = statement.ranges.clone().into_iter();
        let mut indices = Vec::new();
        for dimension in slice.dimensions {
            match dimension {
                SliceDimension::Index(index) => indices.push(index),
                SliceDimension::Range { low, high } => {
                    let Some(along) = ranges.next() else { return Err(Reported) };
                    self.same_length(&low, &high, &along, statement.span)?;
                    indices.push(self.at_distance(low, &along, &mut statement.before));
                }
            }
        }
        Ok(indices)
    }

    fn same_length(&mut self, low: &Expression, high: &Expression, along: &Along, left: Span) -> Checked<()> {
        let (Some(length), Some(wanted)) = (length(low, high), along.length.clone()) else { return Ok(()) };
        if length.clone().minus(&wanted).known().is_none_or(|difference| difference == 0) {
            return Ok(());
        }
        let count = |length: &Linear| length.known().map_or("another number of".into(), |known| known.to_string());
        let message = format!("this range has {} elements, and the left side has {}", count(&length), count(&wanted));
        let span = low.span.to(high.span);
        let diagnostic = Diagnostic::at(self.source, span, message).help("every slice of an array statement has the same lengths");
        Err(self.report(diagnostic.related(left, "the left side")))
    }

    /// `variable + (low - the left side's low)`
    fn at_distance(&mut self, low: Expression, along: &Along, before: &mut Vec<Statement>) -> Expression {
        let span = low.span;
        let variable = Expression { kind: ExpressionKind::Local(along.variable), r#type: Type::I64, span };
        let binary = |operator, a, b| Expression {
            kind: ExpressionKind::Binary(operator, Box::new(a), Box::new(b)),
            r#type: Type::I64,
            span,
        };
        let known = match (Linear::of(&low), Linear::of(&along.low)) {
            (Some(low), Some(left)) => low.minus(&left).known(),
            _ => None,
        };
        match known {
            Some(0) => variable,
            Some(distance) => binary(BinaryOperator::Add, variable, constant_expression(Value::I64(distance), span)),
            None => {
                let distance = match along.low.known_integer() {
                    Some(0) => low,
                    _ => binary(BinaryOperator::Subtract, low, along.low.clone()),
                };
                let distance = self.once(distance, before);
                binary(BinaryOperator::Add, variable, distance)
            }
        }
    }

    /// Refuses a slice of the array that is written, at a distance at which iterations would read what others write.
    fn reject_overlap(&mut self, slice: &Slice, statement: &ArrayStatement) -> Checked<()> {
        if slice.object != statement.object {
            return Ok(());
        }
        let ranges = slice.dimensions.iter().filter_map(|dimension| match dimension {
            SliceDimension::Range { low, .. } => Some(low),
            SliceDimension::Index(_) => None,
        });
        let mut moved = false;
        for (low, along) in ranges.zip(&statement.ranges) {
            let distance = match (Linear::of(low), Linear::of(&along.low)) {
                (Some(low), Some(left)) => low.minus(&left).known(),
                _ => None,
            };
            let length = along.length.as_ref().and_then(Linear::known).unwrap_or(i64::MAX);
            match distance {
                Some(0) => {}
                Some(distance) if distance.unsigned_abs() < length.unsigned_abs() => moved = true,
                _ => return Ok(()),
            }
        }
        // With an index beside the ranges the two may be different rows.
        let all_ranged = slice.dimensions.len() == statement.ranges.len();
        if moved && all_ranged {
            let message = "this reads elements that other iterations of the same statement write, in no order";
            return self.fault(slice.span, message, "write into a second array, or in a `for` loop if the order is meant");
        }
        Ok(())
    }
}

impl Along {
    fn range(self, span: Span) -> CheckedRange {
        CheckedRange { variable: self.variable, low: self.low, high: self.high, step: 1, span }
    }
}

/// Names of the loop variables, as messages show them.
const INDEX_NAMES: [&str; 3] = ["i", "j", "k"];

fn length(low: &Expression, high: &Expression) -> Option<Linear> {
    Some(Linear::of(high)?.minus(&Linear::of(low)?))
}
