//! From Code to the interpreter's own form.

use std::num::NonZeroI64;

use super::operation::{Operation, Place, SMALL_FILE, Terminator};
use super::{Decoded, DecodedAction, DecodedBlock, DecodedMessage, DecodedSynchronisation, Interpreter, Size};
use crate::program::code::{ArrayId, Code, Instruction, MessageOperation, Register, ZERO};
use crate::program::tree::{BinaryOperator, Comparison, Type};

impl Interpreter {
    /// Decodes Code.
    pub fn new(code: &Code) -> Interpreter {
        let n_registers = code.registers.len();
        if n_registers <= SMALL_FILE {
            // The conversion cannot cut anything off.
            let decoded = Decoder { code, number: |register| register as u8 }.decode();
            Interpreter { size: Size::Small(decoded), n_registers: SMALL_FILE }
        } else {
            let decoded = Decoder { code, number: |register| register }.decode();
            Interpreter { size: Size::Large(decoded), n_registers }
        }
    }
}

/// Decodes with register numbers of type `N`.
struct Decoder<'a, N> {
    code: &'a Code,
    number: fn(Register) -> N,
}

impl<N: Copy> Decoder<'_, N> {
    fn decode(&self) -> Decoded<N> {
        let mut decoded = Decoded {
            blocks: Vec::with_capacity(self.code.blocks.len()),
            operations: Vec::with_capacity(self.code.instructions.len()),
            sites: Vec::with_capacity(self.code.instructions.len()),
            synchronisations: Vec::with_capacity(self.code.synchronisations.len()),
            messages: Vec::with_capacity(self.code.messages.len()),
        };
        for block in 0..self.code.blocks.len() {
            self.block(&mut decoded, block);
        }
        decoded
    }

    fn block(&self, decoded: &mut Decoded<N>, block: usize) {
        let first = decoded.operations.len() as u32;
        let range = self.code.blocks[block];
        let mut terminator = Terminator::Finish;
        for index in range.first..range.first + range.length {
            let instruction = &self.code.instructions[index as usize];
            let site = self.code.instruction_sites[index as usize];
            if let Some(operation) = self.operation(instruction) {
                decoded.operations.push(operation);
                decoded.sites.push(site);
            } else if let Some(known) = self.terminator(instruction) {
                terminator = known;
            } else if let Instruction::Synchronise { operation, next } = *instruction {
                terminator = Terminator::Synchronise { operation: decoded.synchronisations.len() as u32 };
                decoded.synchronisations.push(self.synchronisation(operation, next, site));
            } else if let Instruction::Message { message, next } = *instruction {
                terminator = Terminator::Message { message: decoded.messages.len() as u32 };
                decoded.messages.push(self.message(message, next, site));
            }
        }
        decoded.blocks.push(DecodedBlock { first, end: decoded.operations.len() as u32, terminator });
    }

    fn type_of(&self, register: Register) -> Type {
        self.code.registers[usize::from(register)]
    }

    fn place(&self, array: ArrayId, index: Register, constant: i32) -> Place<N> {
        let array = &self.code.arrays[usize::from(array)];
        let offset = array.base.wrapping_add((i64::from(constant) as u64).wrapping_mul(u64::from(array.stride)));
        Place { offset, stride: array.stride, index: (self.number)(index) }
    }

    fn synchronisation(&self, operation: u32, next: u32, site: u32) -> DecodedSynchronisation<N> {
        let synchronisation = self.code.synchronisations[operation as usize];
        let array = &self.code.arrays[usize::from(synchronisation.array)];
        DecodedSynchronisation {
            number: operation,
            kind: synchronisation.kind,
            order: synchronisation.order,
            element: array.element,
            place: self.place(synchronisation.array, synchronisation.index, synchronisation.constant),
            to: synchronisation.to,
            operand: (self.number)(synchronisation.operand),
            expected: (self.number)(synchronisation.expected),
            site,
            next,
        }
    }

    fn message(&self, number: u32, next: u32, site: u32) -> DecodedMessage<N> {
        let n = self.number;
        let message = self.code.messages[number as usize];
        let (action, to) = match message.operation {
            MessageOperation::Start { direction, array, index, constant, length, peer, tag, to } => {
                let element = self.code.arrays[usize::from(array)].element;
                let place = self.place(array, index, constant);
                (DecodedAction::Start { direction, element, place, length: n(length), peer: n(peer), tag: n(tag) }, to)
            }
            MessageOperation::Wait { handle } => (DecodedAction::Wait { handle: handle.map(n) }, ZERO),
        };
        DecodedMessage { number, action, runtime: message.runtime, to, site, next }
    }

    fn operation(&self, instruction: &Instruction) -> Option<Operation<N>> {
        let n = self.number;
        Some(match *instruction {
            Instruction::Constant { to, value } => Operation::Constant { to: n(to), bits: self.code.constants[value as usize] },
            Instruction::Copy { to, from } => Operation::Copy { to: n(to), from: n(from) },
            Instruction::Unary { operator, to, a } => Operation::Unary { r#type: self.type_of(to), operator, to: n(to), a: n(a) },
            Instruction::Binary { operator, to, a, b } => binary(self.type_of(to), operator, n(to), n(a), n(b)),
            Instruction::BinaryConstant { operator, to, a, constant } => {
                binary_constant(self.type_of(to), operator, n(to), n(a), constant)
            }
            Instruction::DivideNonNegative { remainder: false, to, a, b } => {
                Operation::DivideNonNegative { to: n(to), a: n(a), b: n(b) }
            }
            Instruction::DivideNonNegative { remainder: true, to, a, b } => {
                Operation::RemainderNonNegative { to: n(to), a: n(a), b: n(b) }
            }
            Instruction::ShiftRightLogical { to, a, count } => Operation::ShiftRightLogical { to: n(to), a: n(a), count },
            Instruction::Compare { comparison, to, a, b } => {
                Operation::Compare { r#type: self.type_of(a), comparison, to: n(to), a: n(a), b: n(b) }
            }
            Instruction::Select { to, condition, a, b } => {
                Operation::Select { to: n(to), condition: n(condition), a: n(a), b: n(b) }
            }
            Instruction::FusedMultiplyAdd { to, a, b, c } => {
                Operation::FusedMultiplyAdd { r#type: self.type_of(to), to: n(to), a: n(a), b: n(b), c: n(c) }
            }
            Instruction::Convert { to, from } => {
                Operation::Convert { from_type: self.type_of(from), to_type: self.type_of(to), to: n(to), from: n(from) }
            }
            Instruction::Load { to, array, index, constant } => {
                let (to, place) = (n(to), self.place(array, index, constant));
                match self.code.arrays[usize::from(array)].element {
                    Type::I64 | Type::F64 => Operation::Load8 { to, place },
                    Type::I32 => Operation::Load4Signed { to, place },
                    Type::F32 => Operation::Load4 { to, place },
                    Type::Bool => Operation::Load1 { to, place },
                }
            }
            Instruction::Store { from, array, index, constant } => {
                let (from, place) = (n(from), self.place(array, index, constant));
                match self.code.arrays[usize::from(array)].element {
                    Type::I64 | Type::F64 => Operation::Store8 { from, place },
                    Type::I32 | Type::F32 => Operation::Store4 { from, place },
                    Type::Bool => Operation::Store1 { from, place },
                }
            }
            Instruction::Check { index, constant, length } => {
                Operation::Check { index: n(index), constant, length: self.code.constants[length as usize] }
            }
            Instruction::CheckDivisor { divisor } => Operation::CheckDivisor { divisor: n(divisor) },
            Instruction::Jump { .. }
            | Instruction::Branch { .. }
            | Instruction::BranchConstant { .. }
            | Instruction::Synchronise { .. }
            | Instruction::Message { .. }
            | Instruction::Busy { .. }
            | Instruction::Finish => return None,
        })
    }

    fn terminator(&self, instruction: &Instruction) -> Option<Terminator<N>> {
        let n = self.number;
        Some(match *instruction {
            Instruction::Jump { to } => Terminator::Jump { to },
            Instruction::Branch { comparison, a, b, then, otherwise } => {
                let r#type = self.type_of(a);
                let (a, b) = (n(a), n(b));
                match comparison {
                    _ if r#type.is_float() => Terminator::BranchFloat { r#type, comparison, a, b, then, otherwise },
                    Comparison::Less => Terminator::Less { a, b, holds: true, then, otherwise },
                    Comparison::GreaterEqual => Terminator::Less { a, b, holds: false, then, otherwise },
                    Comparison::Greater => Terminator::Less { a: b, b: a, holds: true, then, otherwise },
                    Comparison::LessEqual => Terminator::Less { a: b, b: a, holds: false, then, otherwise },
                    Comparison::Equal => Terminator::Equal { a, b, holds: true, then, otherwise },
                    Comparison::NotEqual => Terminator::Equal { a, b, holds: false, then, otherwise },
                }
            }
            Instruction::BranchConstant { comparison, a, constant, then, otherwise } => {
                let (a, constant) = (n(a), i32::from(constant));
                match comparison {
                    Comparison::Less => Terminator::LessConstant { a, constant, holds: true, then, otherwise },
                    Comparison::GreaterEqual => Terminator::LessConstant { a, constant, holds: false, then, otherwise },
                    Comparison::LessEqual => Terminator::LessConstant { a, constant: constant + 1, holds: true, then, otherwise },
                    Comparison::Greater => Terminator::LessConstant { a, constant: constant + 1, holds: false, then, otherwise },
                    Comparison::Equal => Terminator::EqualConstant { a, constant, holds: true, then, otherwise },
                    Comparison::NotEqual => Terminator::EqualConstant { a, constant, holds: false, then, otherwise },
                }
            }
            Instruction::Busy { count, next } => Terminator::Busy { count: n(count), next },
            Instruction::Finish => Terminator::Finish,
            _ => return None,
        })
    }
}

fn binary<N>(r#type: Type, operator: BinaryOperator, to: N, a: N, b: N) -> Operation<N> {
    match (r#type, operator) {
        (Type::F64, BinaryOperator::Add) => Operation::AddF64 { to, a, b },
        (Type::F64, BinaryOperator::Subtract) => Operation::SubtractF64 { to, a, b },
        (Type::F64, BinaryOperator::Multiply) => Operation::MultiplyF64 { to, a, b },
        (Type::F64, BinaryOperator::Divide) => Operation::DivideF64 { to, a, b },
        (Type::I64, BinaryOperator::Add) => Operation::AddI64 { to, a, b },
        (Type::I64, BinaryOperator::Subtract) => Operation::SubtractI64 { to, a, b },
        (Type::I64, BinaryOperator::Multiply) => Operation::MultiplyI64 { to, a, b },
        _ => Operation::Binary { r#type, operator, to, a, b },
    }
}

fn binary_constant<N>(r#type: Type, operator: BinaryOperator, to: N, a: N, constant: i32) -> Operation<N> {
    let divisor = NonZeroI64::new(i64::from(constant));
    match (r#type, operator, divisor) {
        (Type::I64, BinaryOperator::Add, _) => Operation::AddConstantI64 { to, a, constant },
        (Type::I64, BinaryOperator::Multiply, _) => Operation::MultiplyConstantI64 { to, a, constant },
        (Type::I64, BinaryOperator::And, _) => Operation::AndConstant { to, a, constant },
        (Type::I64, BinaryOperator::ShiftLeft, _) => Operation::ShiftLeftConstant { to, a, constant: constant as u8 },
        (Type::I64, BinaryOperator::Divide, Some(constant)) => Operation::DivideConstant { to, a, constant },
        (Type::I64, BinaryOperator::Remainder, Some(constant)) => Operation::RemainderConstant { to, a, constant },
        _ => Operation::BinaryConstant { r#type, operator, to, a, constant },
    }
}
