//! Values computed more than once, copied for nothing, or never used.

use rustc_hash::FxHashMap;

use super::tidy::map_induction;
use crate::program::code::{Instruction, Register};
use crate::program::lower::{Graph, Operand};
use crate::program::tree::{BinaryOperator, Comparison, Type, UnaryOperator};

/// A register at one of the times it was written: its number and how often it had been written before in the block.
type Version = (Register, u32);

/// What an integer instruction computes, in the type of its target.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Computation {
    Constant(u32),
    Unary(UnaryOperator, Version),
    Binary(BinaryOperator, Version, Version),
    BinaryConstant(BinaryOperator, Version, i32),
    DivideNonNegative(bool, Version, Version),
    ShiftRightLogical(Version, u8),
    Compare(Comparison, Version, Version),
    Convert(Version),
}

/// Computes each integer expression and each constant once a block (local value numbering), then lets copies of registers that never
/// change stand for the original everywhere.
pub(super) fn share_values(graph: &mut Graph) {
    for block in 0..graph.blocks.len() {
        share_in_block(graph, block);
    }
    forget_copies(graph);
}

fn share_in_block(graph: &mut Graph, block: usize) {
    let mut versions: FxHashMap<Register, u32> = FxHashMap::default();
    let mut known: FxHashMap<(Type, Computation), Version> = FxHashMap::default();
    let version = |versions: &FxHashMap<Register, u32>, register| (register, versions.get(&register).copied().unwrap_or(0));
    for located in &mut graph.blocks[block].instructions {
        let Some(to) = located.instruction.writes() else { continue };
        let computation = computation(&located.instruction, &graph.registers, |register| version(&versions, register));
        let key = computation.map(|computation| (graph.registers[usize::from(to)], computation));
        let holder = key.and_then(|key| known.get(&key)).copied();
        if let Some(holder) = holder.filter(|&holder| version(&versions, holder.0) == holder) {
            located.instruction = Instruction::Copy { to, from: holder.0 };
        }
        *versions.entry(to).or_insert(0) += 1;
        if let Some(key) = key
            && !matches!(located.instruction, Instruction::Copy { .. })
        {
            known.insert(key, version(&versions, to));
        }
    }
}

/// What an instruction computes, if it may be shared: integer arithmetic and constants.
fn computation(instruction: &Instruction, types: &[Type], version: impl Fn(Register) -> Version) -> Option<Computation> {
    let integer = |register: Register| !types[usize::from(register)].is_float();
    Some(match *instruction {
        Instruction::Constant { value, .. } => Computation::Constant(value),
        Instruction::Unary { operator, to, a } if integer(to) => Computation::Unary(operator, version(a)),
        Instruction::Binary { operator, to, a, b } if integer(to) => Computation::Binary(operator, version(a), version(b)),
        Instruction::BinaryConstant { operator, a, constant, .. } => Computation::BinaryConstant(operator, version(a), constant),
        Instruction::DivideNonNegative { remainder, a, b, .. } => Computation::DivideNonNegative(remainder, version(a), version(b)),
        Instruction::ShiftRightLogical { a, count, .. } => Computation::ShiftRightLogical(version(a), count),
        Instruction::Compare { comparison, a, b, .. } if integer(a) => Computation::Compare(comparison, version(a), version(b)),
        Instruction::Convert { to, from } if integer(to) && integer(from) => Computation::Convert(version(from)),
        _ => return None,
    })
}

/// Lets the original stand for every copy where neither ever changes.
fn forget_copies(graph: &mut Graph) {
    let counts = graph.write_counts();
    let once = |register: Register| counts[usize::from(register)] == 1;
    let mut originals: Vec<Register> = (0..graph.registers.len()).map(|register| register as Register).collect();
    let mut found = false;
    for block in &mut graph.blocks {
        block.instructions.retain(|located| match located.instruction {
            Instruction::Copy { to, from } if once(to) && once(from) => {
                originals[usize::from(to)] = from;
                found = true;
                false
            }
            _ => true,
        });
    }
    if !found {
        return;
    }
    let original = |mut register: Register| {
        while originals[usize::from(register)] != register {
            register = originals[usize::from(register)];
        }
        register
    };
    for block in &mut graph.blocks {
        for located in &mut block.instructions {
            located.instruction.map_registers(original, |to| to);
        }
        block.exit.map_registers(original, |to| to);
    }
    map_induction(graph, original);
}

/// Drops integer arithmetic, constants and copies that nothing reads.
pub(super) fn drop_unused(graph: &mut Graph) {
    let mut uses = vec![0_u32; graph.registers.len()];
    for block in &graph.blocks {
        for located in &block.instructions {
            located.instruction.reads(|register| uses[usize::from(register)] += 1);
        }
        block.exit.reads(|register| uses[usize::from(register)] += 1);
        if let Some(Operand::Register(limit)) = block.induction.map(|induction| induction.limit) {
            uses[usize::from(limit)] += 1;
        }
    }
    loop {
        let mut dropped = false;
        for block in &mut graph.blocks {
            // From the end, so that a chain of values goes in one round.
            let mut kept = Vec::with_capacity(block.instructions.len());
            while let Some(located) = block.instructions.pop() {
                let unused = located.instruction.writes().is_some_and(|to| uses[usize::from(to)] == 0);
                if unused && is_droppable(&located.instruction, &graph.registers) {
                    located.instruction.reads(|register| uses[usize::from(register)] -= 1);
                    dropped = true;
                } else {
                    kept.push(located);
                }
            }
            kept.reverse();
            block.instructions = kept;
        }
        if !dropped {
            return;
        }
    }
}

fn is_droppable(instruction: &Instruction, types: &[Type]) -> bool {
    matches!(instruction, Instruction::Copy { .. }) || computation(instruction, types, |register| (register, 0)).is_some()
}
