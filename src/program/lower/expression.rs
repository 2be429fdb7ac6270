//! Expressions and conditions.

use super::graph::{Exit, Operand};
use super::place::Element;
use super::{Failure, Lowering};
use crate::program::code::{BlockId, Instruction, Register, Synchronisation, SynchronisationKind, ZERO};
use crate::program::tree::{
    BinaryOperator, Expression, ExpressionKind, Function, FunctionId, Order, Place, Slice, SliceDimension, Type, UnaryOperator,
};

impl Lowering<'_> {
    /// The value of an expression. It is left in `to` where that is given and the last instruction can put it there; the operand
    /// that comes back says where it is.
    pub(super) fn expression(&mut self, expression: &Expression, to: Option<Register>) -> Result<Operand, Failure> {
        let r#type = expression.r#type;
        let operand = match &expression.kind {
            ExpressionKind::Constant(value) => Operand::of(*value),
            ExpressionKind::Local(local) => match self.unit.bindings[local.0 as usize] {
                Some(operand) => operand,
                None => {
                    let name = self.unit.text.locals[local.0 as usize].name.clone();
                    return self.unknown_here(&name, expression.span);
                }
            },
            ExpressionKind::Thread => self.thread(),
            ExpressionKind::Threads => self.threads(),
            ExpressionKind::Rank => self.rank(),
            ExpressionKind::Load(place) => {
                let element = self.element(place)?;
                Operand::Register(self.load(element, to))
            }
            ExpressionKind::Unary(operator, a) => {
                let a = self.expression(a, None)?;
                self.at(expression.span);
                self.unary(r#type, *operator, a, to)
            }
            ExpressionKind::Binary(operator, a, b) => {
                let (a, b) = (self.expression(a, None)?, self.expression(b, None)?);
                self.at(expression.span);
                self.binary(r#type, *operator, a, b, to)
            }
            ExpressionKind::Compare(comparison, a, b) => {
                let operands = a.r#type;
                let (a, b) = (self.expression(a, None)?, self.expression(b, None)?);
                self.at(expression.span);
                self.compare(operands, *comparison, a, b, to)
            }
            ExpressionKind::And(..) | ExpressionKind::Or(..) => self.truth(expression)?,
            ExpressionKind::Convert(a) => {
                let from = a.r#type;
                let a = self.expression(a, None)?;
                self.at(expression.span);
                self.convert(from, r#type, a, to)
            }
            ExpressionKind::FusedMultiplyAdd(a, b, c) => {
                let operands = [self.expression(a, None)?, self.expression(b, None)?, self.expression(c, None)?];
                self.at(expression.span);
                self.fused_multiply_add(r#type, operands, to)
            }
            ExpressionKind::Random(counter) => {
                let counter = self.expression(counter, None)?;
                self.at(expression.span);
                self.random(0, counter)
            }
            ExpressionKind::Sum(slice) => self.sum(slice, r#type)?,
            ExpressionKind::Call { function, arguments } => {
                let value = self.call(*function, arguments, to)?;
                self.at(expression.span);
                value.unwrap_or(Operand::Constant(0))
            }
            ExpressionKind::AtomicLoad(..) | ExpressionKind::ReadModifyWrite { .. } | ExpressionKind::CompareExchange { .. } => {
                self.atomic_expression(expression)?
            }
        };
        Ok(operand)
    }

    fn atomic_expression(&mut self, expression: &Expression) -> Result<Operand, Failure> {
        let zero = Operand::Constant(0);
        let (place, order, kind, operand, expected) = match &expression.kind {
            ExpressionKind::ReadModifyWrite { operation, place, operand, order } => {
                let operand = self.expression(operand, None)?;
                (place, *order, SynchronisationKind::ReadModifyWrite(*operation), operand, zero)
            }
            ExpressionKind::CompareExchange { place, expected, desired, order } => {
                let expected = self.expression(expected, None)?;
                let desired = self.expression(desired, None)?;
                (place, *order, SynchronisationKind::CompareExchange, desired, expected)
            }
            ExpressionKind::AtomicLoad(place, order) => (place, *order, SynchronisationKind::Load, zero, zero),
            _ => return Ok(zero),
        };
        let element = self.element(place)?;
        let to = self.fresh(element.r#type);
        self.at(expression.span);
        self.atomic(kind, order, element, to, operand, expected);
        Ok(Operand::Register(to))
    }

    /// Ends the block with an atomic operation on an element.
    pub(super) fn atomic(
        &mut self,
        kind: SynchronisationKind,
        order: Order,
        element: Element,
        to: Register,
        operand: Operand,
        expected: Operand,
    ) {
        let Element { array, r#type, index, constant } = element;
        // Zero bits are zero in every type, so ZERO serves a float operand, too.
        let [operand, expected] = [operand, expected].map(|operand| match operand {
            Operand::Constant(0) => ZERO,
            _ => self.register(operand, r#type),
        });
        self.synchronise(Synchronisation { kind, order, array, index, constant, to, operand, expected });
    }

    /// Ends the block with a condition; `and`, `or` and `not` become branches.
    pub(super) fn condition(&mut self, expression: &Expression, then: BlockId, otherwise: BlockId) -> Result<(), Failure> {
        match &expression.kind {
            ExpressionKind::And(a, b) => {
                let second = self.new_block();
                self.condition(a, second, otherwise)?;
                self.start(second);
                self.condition(b, then, otherwise)
            }
            ExpressionKind::Or(a, b) => {
                let second = self.new_block();
                self.condition(a, then, second)?;
                self.start(second);
                self.condition(b, then, otherwise)
            }
            ExpressionKind::Unary(UnaryOperator::Not, a) => self.condition(a, otherwise, then),
            ExpressionKind::Compare(comparison, a, b) => {
                let r#type = a.r#type;
                let operands = [self.expression(a, None)?, self.expression(b, None)?];
                self.at(expression.span);
                self.branch_on(r#type, *comparison, operands, then, otherwise);
                Ok(())
            }
            _ => {
                let value = self.expression(expression, None)?;
                let operands = [value, Operand::Constant(0)];
                self.at(expression.span);
                self.branch_on(Type::Bool, crate::program::tree::Comparison::NotEqual, operands, then, otherwise);
                Ok(())
            }
        }
    }

    /// `and` or `or` as a value: without branches where the right-hand side may as well be computed always.
    fn truth(&mut self, expression: &Expression) -> Result<Operand, Failure> {
        if let ExpressionKind::And(a, b) | ExpressionKind::Or(a, b) = &expression.kind
            && is_cheap(b)
        {
            let operator = match expression.kind {
                ExpressionKind::And(..) => BinaryOperator::And,
                _ => BinaryOperator::Or,
            };
            let (a, b) = (self.expression(a, None)?, self.expression(b, None)?);
            self.at(expression.span);
            return Ok(self.binary(Type::Bool, operator, a, b, None));
        }
        let [then, otherwise, after] = [self.new_block(), self.new_block(), self.new_block()];
        self.condition(expression, then, otherwise)?;
        let value = self.fresh_variable(Type::Bool);
        for (block, bits) in [(then, 1), (otherwise, 0)] {
            self.start(block);
            self.copy_into(value, Operand::Constant(bits));
            self.end(Exit::Jump(after));
        }
        self.start(after);
        Ok(Operand::Register(value))
    }

    /// Puts a function in place of its call; its value, where it has one.
    pub(super) fn call(
        &mut self,
        function: FunctionId,
        arguments: &[Expression],
        to: Option<Register>,
    ) -> Result<Option<Operand>, Failure> {
        let text = self.unit.text.clone();
        let function = &text.functions[function.0 as usize];
        let mut operands = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let operand = self.expression(argument, None)?;
            operands.push(operand);
        }
        self.inline(function, &operands, to)
    }

    /// The body of a function of the text at hand.
    pub(super) fn inline(
        &mut self,
        function: &Function,
        arguments: &[Operand],
        to: Option<Register>,
    ) -> Result<Option<Operand>, Failure> {
        self.check_size(function.span)?;
        self.scoped(|lowering| {
            // A function does not assign its parameters, so they can stand for the arguments.
            for (&parameter, &argument) in function.parameters.iter().zip(arguments) {
                lowering.bind(parameter, argument);
            }
            lowering.statements(&function.body)?;
            match &function.value {
                None => Ok(None),
                Some(value) => lowering.expression(value, to).map(Some),
            }
        })
    }

    /// `sum(slice)`: loops over the ranges, the last innermost.
    fn sum(&mut self, slice: &Slice, r#type: Type) -> Result<Operand, Failure> {
        self.at(slice.span);
        let place = Place { object: slice.object, indices: Vec::new(), span: slice.span };
        let mut ranges = Vec::with_capacity(slice.dimensions.len());
        for dimension in &slice.dimensions {
            ranges.push(match dimension {
                SliceDimension::Index(index) => (self.expression(index, None)?, None),
                SliceDimension::Range { low, high } => (self.expression(low, None)?, Some(self.expression(high, None)?)),
            });
        }
        self.at(slice.span);
        let total = self.fresh_variable(r#type);
        self.copy_into(total, Operand::Constant(0));
        self.sum_over(&place, &ranges, &mut Vec::new(), total)?;
        Ok(Operand::Register(total))
    }

    fn sum_over(
        &mut self,
        place: &Place,
        ranges: &[(Operand, Option<Operand>)],
        indices: &mut Vec<Operand>,
        total: Register,
    ) -> Result<(), Failure> {
        match ranges.get(indices.len()) {
            None => {
                let element = self.element_of_operands(place, indices)?;
                let value = Operand::Register(self.load(element, None));
                let r#type = self.type_of(total);
                let value = self.convert(element.r#type, r#type, value, None);
                self.binary(r#type, BinaryOperator::Add, Operand::Register(total), value, Some(total));
                Ok(())
            }
            Some(&(index, None)) => {
                indices.push(index);
                self.sum_over(place, ranges, indices, total)?;
                indices.pop();
                Ok(())
            }
            Some(&(low, Some(high))) => self.counted_loop([low, high], 1, |lowering, variable| {
                indices.push(Operand::Register(variable));
                lowering.sum_over(place, ranges, indices, total)?;
                indices.pop();
                Ok(())
            }),
        }
    }

    /// `value >>> count` of an integer.
    pub(super) fn shift_right_logical(&mut self, value: Operand, count: u8) -> Operand {
        match value {
            Operand::Constant(bits) => Operand::Constant(bits >> count),
            Operand::Register(a) => {
                let to = self.fresh(Type::I64);
                self.emit(Instruction::ShiftRightLogical { to, a, count });
                Operand::Register(to)
            }
        }
    }
}

/// Whether an expression may be computed where its value is not needed: it reads no memory, cannot fail, and is short.
fn is_cheap(expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::Constant(_)
        | ExpressionKind::Local(_)
        | ExpressionKind::Thread
        | ExpressionKind::Threads
        | ExpressionKind::Rank => true,
        ExpressionKind::Compare(_, a, b) => is_cheap(a) && is_cheap(b),
        ExpressionKind::Unary(UnaryOperator::Not, a) => is_cheap(a),
        _ => false,
    }
}
