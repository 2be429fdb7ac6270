//! Messages: what they move, and the instructions that start them and wait for them.
//!
//! ```text
//!   send x[a..b] to r          h = start send x[a..b] to r tag 0;  wait h
//!   exchange s to r, t from q  h = start recv t from q;  g = start send s to r;  wait h;  wait g
//! ```

use super::graph::Operand;
use super::layout::Home;
use super::place::Linear;
use super::{Failure, Lowering};
use crate::base::diagnostic::Span;
use crate::program::code::{ArrayId, Instruction, Message, MessageOperation, RANK, Register, ZERO};
use crate::program::tree::{BinaryOperator, Expression, LocalId, Slice, SliceDimension, Transfer, Type};

/// A piece of memory that a message moves: `length` elements from `index + constant` on.
#[derive(Clone, Copy, Debug)]
struct Piece {
    array: ArrayId,
    index: Register,
    constant: i32,
    length: Operand,
}

impl Lowering<'_> {
    /// The number of the rank; 0 where there is one.
    pub(super) fn rank(&self) -> Operand {
        if self.runners.ranks > 1 { Operand::Register(RANK) } else { Operand::integer(0) }
    }

    /// Starts all, then waits for each.
    pub(super) fn transfer(&mut self, span: Span, transfers: &[Transfer]) -> Result<(), Failure> {
        let mut handles = Vec::with_capacity(transfers.len());
        for transfer in transfers {
            let handle = self.fresh(Type::I64);
            self.start_transfer(span, transfer, handle)?;
            handles.push(handle);
        }
        for handle in handles {
            self.at(span);
            self.wait_message(Some(handle));
        }
        Ok(())
    }

    /// `start send`, `start recv`
    pub(super) fn start_message(&mut self, span: Span, transfer: &Transfer, handle: Option<LocalId>) -> Result<(), Failure> {
        let Some(local) = handle else { return self.start_transfer(span, transfer, ZERO) };
        let to = self.fresh(Type::I64);
        self.start_transfer(span, transfer, to)?;
        self.bind(local, Operand::Register(to));
        Ok(())
    }

    /// `wait h`, `wait all`
    pub(super) fn wait_for_messages(&mut self, handle: Option<LocalId>, span: Span) -> Result<(), Failure> {
        let Some(local) = handle else {
            self.wait_message(None);
            return Ok(());
        };
        match self.unit.bindings[local.0 as usize] {
            Some(Operand::Register(handle)) => {
                self.wait_message(Some(handle));
                Ok(())
            }
            _ => {
                let name = self.unit.text.locals[local.0 as usize].name.clone();
                self.unknown_here(&name, span)
            }
        }
    }

    fn wait_message(&mut self, handle: Option<Register>) {
        let runtime = self.unit.caller.is_some();
        self.message(Message { operation: MessageOperation::Wait { handle }, runtime });
    }

    fn start_transfer(&mut self, span: Span, transfer: &Transfer, to: Register) -> Result<(), Failure> {
        let piece = self.piece(&transfer.slice)?;
        let [peer, tag] = [&transfer.peer, &transfer.tag].map(|value| self.expression(value, None));
        let [peer, tag] = [peer?, tag?].map(|operand| self.register(operand, Type::I64));
        self.at(span);
        let length = self.register(piece.length, Type::I64);
        let Piece { array, index, constant, .. } = piece;
        let operation = MessageOperation::Start { direction: transfer.direction, array, index, constant, length, peer, tag, to };
        self.message(Message { operation, runtime: self.unit.caller.is_some() });
        Ok(())
    }

    /// The elements of a slice, which lie one behind the other.
    fn piece(&mut self, slice: &Slice) -> Result<Piece, Failure> {
        let homes = self.unit.homes.clone();
        let Home::Elements { array, extents, scale, .. } = &homes[slice.object.0 as usize] else {
            return self.fail(slice.span, "a mutex or semaphore cannot be sent", None);
        };
        let mut first = Linear::default();
        first.add(&Linear::of(self.unit.record), *scale as i64);
        let mut length = Operand::integer(1);
        for (number, (dimension, &extent)) in slice.dimensions.iter().zip(extents).enumerate() {
            let row: u64 = extents[number + 1..].iter().product();
            match dimension {
                SliceDimension::Index(index) => {
                    let span = index.span;
                    let index = self.linear(index)?;
                    self.check_within(&index, extent, span);
                    first.add(&index, row as i64);
                }
                SliceDimension::Range { low, high } => {
                    let (low, count) = self.range(low, high, extent, slice.span)?;
                    first.add(&low, row as i64);
                    length = self.binary(Type::I64, BinaryOperator::Multiply, length, count, None);
                }
            }
        }
        self.at(slice.span);
        let (index, constant) = self.materialise(&first);
        Ok(Piece { array: *array, index, constant, length })
    }

    /// The beginning of a range and how many it has, both checked.
    fn range(&mut self, low: &Expression, high: &Expression, extent: u64, whole: Span) -> Result<(Linear, Operand), Failure> {
        let (from, to) = (self.linear(low)?, self.linear(high)?);
        self.check_within(&from, extent + 1, low.span);
        self.check_within(&to, extent + 1, high.span);
        let mut count = to;
        count.add(&from, -1);
        self.check_within(&count, extent + 1, whole);
        self.at(whole);
        Ok((from, self.value_of(&count)))
    }

    /// Stops the run unless `0 <= value < length`.
    fn check_within(&mut self, value: &Linear, length: u64, span: Span) {
        self.at(span);
        let (index, constant) = self.materialise(value);
        let known = index == ZERO && constant >= 0 && (constant as u64) < length;
        if !known {
            let length = self.constant_id(length);
            self.emit(Instruction::Check { index, constant, length });
        }
    }
}
