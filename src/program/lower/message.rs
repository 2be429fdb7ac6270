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
use crate::program::check::RuntimeBindings;
use crate::program::code::{ArrayId, Instruction, Message, MessageOperation, RANK, Register, ZERO};
use crate::program::tree::{
    BinaryOperator, Collective, CollectiveOperation, Expression, LocalId, Slice, SliceDimension, Transfer, Type,
};
use std::rc::Rc;

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
        let mut first = Linear::default();
        let (array, extents) = match &homes[slice.object.0 as usize] {
            Home::Elements { array, extents, scale, .. } => {
                first.add(&Linear::of(self.unit.record), *scale as i64);
                (array, extents.clone())
            }
            Home::Borrowed { array, start, length, .. } => {
                first.add(&Linear::of(*start), 1);
                (array, vec![*length])
            }
            Home::Instances { .. } => return self.fail(slice.span, "a mutex or semaphore cannot be sent", None),
        };
        let mut length = Operand::integer(1);
        for (number, (dimension, &extent)) in slice.dimensions.iter().zip(&extents).enumerate() {
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
        if let Home::Borrowed { length: all, .. } = homes[slice.object.0 as usize] {
            // Where the caller's part begins was not counted so far.
            let mut end = Linear::of(length);
            end.add(&first, 1);
            self.check_within(&first, all + 1, slice.span);
            self.check_within(&end, all + 1, slice.span);
        }
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

    /// What all ranks do together, by the text of the plan's algorithm.
    pub(super) fn collective(&mut self, collective: &Collective, span: Span) -> Result<(), Failure> {
        let Collective { operation, slices, element, root, operator } = collective;
        let pieces = slices.iter().map(|slice| self.piece(slice)).collect::<Result<Vec<_>, _>>()?;
        let ranks = i64::from(self.runners.ranks);
        let mut arguments = Vec::new();
        if let Some(part) = self.part_length(*operation, &pieces, span)? {
            arguments.push(self.stable(part, Type::I64));
        }
        if let Some(root) = root {
            let value = self.linear(root)?;
            self.check_within(&value, ranks as u64, root.span);
            let value = self.value_of(&value);
            arguments.push(self.stable(value, Type::I64));
        }
        self.at(span);
        let most = slices.first().map_or(0, |slice| self.most_elements(slice));
        let bindings = RuntimeBindings {
            borrowed: operation.borrowed(),
            value: Some(*element),
            combine: *operator,
            constants: vec![("most".into(), most)],
        };
        let text = format!("collective-{}-{}", operation.name(), self.plan.collectives.algorithm(*operation));
        let combined = operator.map_or(String::new(), |operator| format!(" {operator:?}").to_lowercase());
        let key = format!("{text}{combined} {} {most}", element.name());
        let module = self.shared_module(&text, &key, bindings, span)?;
        let mut borrowed = Vec::with_capacity(pieces.len());
        for piece in &pieces {
            let mut start = Linear::of(Operand::Register(piece.index));
            start.add(&Linear::of(Operand::integer(i64::from(piece.constant))), 1);
            let start = self.value_of(&start);
            let start = self.stable(start, Type::I64);
            borrowed.push(Home::Borrowed { array: piece.array, element: *element, start, length: self.layout.length(piece.array) });
        }
        self.run(&Rc::new(module.lend(borrowed)), Operand::ONLY, "run", &arguments)?;
        Ok(())
    }

    /// Elements of one rank's part, from the lengths of the slices, which must fit; nothing for a barrier.
    fn part_length(&mut self, operation: CollectiveOperation, pieces: &[Piece], span: Span) -> Result<Option<Operand>, Failure> {
        let ranks = Operand::integer(i64::from(self.runners.ranks));
        let parts = |lowering: &mut Self, number: usize| {
            let length = pieces[number].length;
            match operation.is_whole(number) {
                true => length,
                false => lowering.binary(Type::I64, BinaryOperator::Multiply, length, ranks, None),
            }
        };
        let length = match pieces {
            [] => return Ok(None),
            [only] => return Ok(Some(only.length)),
            _ => [parts(self, 0), parts(self, 1)],
        };
        let difference = self.binary(Type::I64, BinaryOperator::Subtract, length[0], length[1], None);
        let part = self.binary(Type::I64, BinaryOperator::Divide, length[0], ranks, None);
        let rest = self.binary(Type::I64, BinaryOperator::Remainder, length[0], ranks, None);
        for (wrong, message) in [
            (difference, "the lengths do not fit: a whole is as long as the parts of all ranks, and two wholes are equally long"),
            (rest, "the elements cannot be dealt to the ranks in equal parts"),
        ] {
            match wrong {
                Operand::Constant(0) => {}
                Operand::Constant(_) => {
                    let lengths: Vec<String> = pieces.iter().map(|piece| known_length(piece.length)).collect();
                    let help = format!("there are {} ranks, and the slices have {}", self.runners.ranks, lengths.join(" and "));
                    return self.fail(span, message, Some(help));
                }
                Operand::Register(_) => self.check_within(&Linear::of(wrong), 1, span),
            }
        }
        Ok(Some(part))
    }

    /// The most elements that a slice can have.
    fn most_elements(&self, slice: &Slice) -> i64 {
        let extents = match &self.unit.homes[slice.object.0 as usize] {
            Home::Elements { extents, .. } => extents.as_slice(),
            _ => &[],
        };
        let counts = slice.dimensions.iter().zip(extents).map(|(dimension, &extent)| match dimension {
            SliceDimension::Index(_) => 1,
            SliceDimension::Range { low, high } => match (low.known_integer(), high.known_integer()) {
                (Some(low), Some(high)) => high.saturating_sub(low).clamp(1, extent as i64),
                _ => extent as i64,
            },
        });
        counts.product()
    }

    /// Stops the run unless `0 <= value < length`.
    pub(super) fn check_within(&mut self, value: &Linear, length: u64, span: Span) {
        self.at(span);
        let (index, constant) = self.materialise(value);
        let known = index == ZERO && constant >= 0 && (constant as u64) < length;
        if !known {
            let length = self.constant_id(length);
            self.emit(Instruction::Check { index, constant, length });
        }
    }
}

fn known_length(length: Operand) -> String {
    match length {
        Operand::Constant(length) => format!("{length} elements"),
        Operand::Register(_) => "some".to_string(),
    }
}
