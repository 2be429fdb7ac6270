//! From Code to the interpreter's own form.

use std::num::NonZeroI64;

use super::operation::{Operation, Place, Terminator};
use super::{DecodedBlock, DecodedSynchronisation, Interpreter};
use crate::program::code::{ArrayId, Code, Instruction, Register};
use crate::program::tree::{BinaryOperator, Type};

/// Sizes of register files; a Code uses the smallest that holds its registers.
const REGISTER_FILES: [usize; 4] = [64, 256, 4096, 65536];

impl Interpreter {
    /// Decodes Code.
    pub fn new(code: &Code) -> Interpreter {
        let needed = code.registers.len();
        let mut interpreter = Interpreter {
            blocks: Vec::with_capacity(code.blocks.len()),
            operations: Vec::with_capacity(code.instructions.len()),
            sites: Vec::with_capacity(code.instructions.len()),
            synchronisations: Vec::with_capacity(code.synchronisations.len()),
            n_registers: REGISTER_FILES.into_iter().find(|&size| size >= needed).unwrap_or(65536),
        };
        for block in 0..code.blocks.len() {
            interpreter.decode_block(code, block);
        }
        interpreter
    }

    fn decode_block(&mut self, code: &Code, block: usize) {
        let first = self.operations.len() as u32;
        let range = code.blocks[block];
        let mut terminator = Terminator::Finish;
        for index in range.first..range.first + range.length {
            let instruction = &code.instructions[index as usize];
            let site = code.instruction_sites[index as usize];
            if let Some(operation) = decode_operation(code, instruction) {
                self.operations.push(operation);
                self.sites.push(site);
            } else if let Some(decoded) = decode_terminator(code, instruction) {
                terminator = decoded;
            } else if let Instruction::Synchronise { operation, next } = *instruction {
                terminator = Terminator::Synchronise { operation: self.synchronisations.len() as u32 };
                self.synchronisations.push(decode_synchronisation(code, operation, next, site));
            }
        }
        self.blocks.push(DecodedBlock { first, end: self.operations.len() as u32, terminator });
    }
}

fn place(code: &Code, array: ArrayId, index: Register, constant: i32) -> Place {
    let array = &code.arrays[usize::from(array)];
    let offset = array.base.wrapping_add((i64::from(constant) as u64).wrapping_mul(u64::from(array.stride)));
    Place { offset, stride: array.stride, index }
}

fn decode_synchronisation(code: &Code, operation: u32, next: u32, site: u32) -> DecodedSynchronisation {
    let synchronisation = code.synchronisations[operation as usize];
    let array = &code.arrays[usize::from(synchronisation.array)];
    let place = place(code, synchronisation.array, synchronisation.index, synchronisation.constant);
    DecodedSynchronisation {
        number: operation,
        kind: synchronisation.kind,
        order: synchronisation.order,
        element: array.element,
        place,
        to: synchronisation.to,
        operand: synchronisation.operand,
        expected: synchronisation.expected,
        site,
        next,
    }
}

fn decode_operation(code: &Code, instruction: &Instruction) -> Option<Operation> {
    let type_of = |register: Register| code.registers[usize::from(register)];
    Some(match *instruction {
        Instruction::Constant { to, value } => Operation::Constant { to, bits: code.constants[value as usize] },
        Instruction::Copy { to, from } => Operation::Copy { to, from },
        Instruction::Unary { operator, to, a } => Operation::Unary { r#type: type_of(to), operator, to, a },
        Instruction::Binary { operator, to, a, b } => decode_binary(type_of(to), operator, to, a, b),
        Instruction::BinaryConstant { operator, to, a, constant } => decode_binary_constant(type_of(to), operator, to, a, constant),
        Instruction::DivideNonNegative { remainder: false, to, a, b } => Operation::DivideNonNegative { to, a, b },
        Instruction::DivideNonNegative { remainder: true, to, a, b } => Operation::RemainderNonNegative { to, a, b },
        Instruction::ShiftRightLogical { to, a, count } => Operation::ShiftRightLogical { to, a, count },
        Instruction::Compare { comparison, to, a, b } => Operation::Compare { r#type: type_of(a), comparison, to, a, b },
        Instruction::Select { to, condition, a, b } => Operation::Select { to, condition, a, b },
        Instruction::FusedMultiplyAdd { to, a, b, c } => Operation::FusedMultiplyAdd { r#type: type_of(to), to, a, b, c },
        Instruction::Convert { to, from } => Operation::Convert { from_type: type_of(from), to_type: type_of(to), to, from },
        Instruction::Load { to, array, index, constant } => {
            let place = place(code, array, index, constant);
            match code.arrays[usize::from(array)].element {
                Type::I64 | Type::F64 => Operation::Load8 { to, place },
                Type::I32 => Operation::Load4Signed { to, place },
                Type::F32 => Operation::Load4 { to, place },
                Type::Bool => Operation::Load1 { to, place },
            }
        }
        Instruction::Store { from, array, index, constant } => {
            let place = place(code, array, index, constant);
            match code.arrays[usize::from(array)].element {
                Type::I64 | Type::F64 => Operation::Store8 { from, place },
                Type::I32 | Type::F32 => Operation::Store4 { from, place },
                Type::Bool => Operation::Store1 { from, place },
            }
        }
        Instruction::Check { index, constant, length } => {
            Operation::Check { index, constant, length: code.constants[length as usize] }
        }
        Instruction::CheckDivisor { divisor } => Operation::CheckDivisor { divisor },
        Instruction::Jump { .. }
        | Instruction::Branch { .. }
        | Instruction::BranchConstant { .. }
        | Instruction::Synchronise { .. }
        | Instruction::Busy { .. }
        | Instruction::Finish => return None,
    })
}

fn decode_binary(r#type: Type, operator: BinaryOperator, to: u16, a: u16, b: u16) -> Operation {
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

fn decode_binary_constant(r#type: Type, operator: BinaryOperator, to: u16, a: u16, constant: i32) -> Operation {
    let divisor = NonZeroI64::new(i64::from(constant));
    match (r#type, operator, divisor) {
        (Type::I64, BinaryOperator::Add, _) => Operation::AddConstantI64 { to, a, constant },
        (Type::I64, BinaryOperator::Subtract, _) if constant != i32::MIN => {
            Operation::AddConstantI64 { to, a, constant: -constant }
        }
        (Type::I64, BinaryOperator::Multiply, _) => Operation::MultiplyConstantI64 { to, a, constant },
        (Type::I64, BinaryOperator::And, _) => Operation::AndConstant { to, a, constant },
        (Type::I64, BinaryOperator::Divide, Some(constant)) => Operation::DivideConstant { to, a, constant },
        (Type::I64, BinaryOperator::Remainder, Some(constant)) => Operation::RemainderConstant { to, a, constant },
        _ => Operation::BinaryConstant { r#type, operator, to, a, constant },
    }
}

fn decode_terminator(code: &Code, instruction: &Instruction) -> Option<Terminator> {
    Some(match *instruction {
        Instruction::Jump { to } => Terminator::Jump { to },
        Instruction::Branch { comparison, a, b, then, otherwise } => {
            let r#type = code.registers[usize::from(a)];
            if r#type.is_float() {
                Terminator::BranchFloat { r#type, comparison, a, b, then, otherwise }
            } else {
                Terminator::BranchInteger { comparison, a, b, then, otherwise }
            }
        }
        Instruction::BranchConstant { comparison, a, constant, then, otherwise } => {
            Terminator::BranchConstant { comparison, a, constant, then, otherwise }
        }
        Instruction::Busy { count, next } => Terminator::Busy { count, next },
        Instruction::Finish => Terminator::Finish,
        _ => return None,
    })
}
