//! The accesses of generated code, read back from its bytes, against those of Code: one machine load for each load, one machine
//! store for each store, no others.
//!
//! The machine may fold a load into the instruction that uses its value (`addsd xmm0, [rdi + rax*8]`), and a store into the
//! addition before it; so accesses are counted by basic block, and within it each instruction of Code may have one of a kind at
//! most. Accesses based on the stack or frame pointer are spilled registers, those relative to the instruction pointer constants.

use iced_x86::{Decoder, DecoderOptions, InstructionInfoFactory, OpAccess};

use super::*;
use crate::host::fixture::Fixture;
use crate::program::code::{ArrayId, BlockId, Instruction, Register as CodeRegister, SynchronisationKind, ZERO};
use crate::program::tree::{BinaryOperator, Comparison};

/// Machine loads and stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Accesses {
    loads: u32,
    stores: u32,
}

/// What differs between the accesses of the Code and those of its machine code: nothing, if the compiler is right.
pub(crate) fn differences(code: &Code, compiled: &Compiled) -> Vec<String> {
    let mut differences = Vec::new();
    for (function, machine_code) in code.functions.iter().zip(compiled.machine_code()) {
        let found = accesses_by_instruction(code, machine_code);
        for block in function.blocks.clone().filter(|&block| is_reached(code, machine_code, block)) {
            compare_block(code, block, &found, &mut differences);
        }
    }
    differences
}

/// Whether any machine code was made from the block: none is for one that nothing leads to.
fn is_reached(code: &Code, machine_code: &MachineCode, block: BlockId) -> bool {
    let block = code.blocks[block as usize];
    let instructions = block.first..block.first + block.length;
    machine_code.locations.iter().any(|location| instructions.contains(&location.instruction))
}

fn compare_block(code: &Code, block: BlockId, found: &[Accesses], differences: &mut Vec<String>) {
    let (mut expected_sum, mut found_sum) = (Accesses::default(), Accesses::default());
    let first = code.blocks[block as usize].first;
    for (number, instruction) in (first..).zip(code.block(block)) {
        let found = found[number as usize];
        let Some(expected) = expected(code, instruction) else { continue };
        if found.loads > 1 || found.stores != expected.stores {
            differences.push(format!("block {block}: {instruction:?} has {found:?}"));
        }
        expected_sum.loads += expected.loads;
        expected_sum.stores += expected.stores;
        found_sum.loads += found.loads;
        found_sum.stores += found.stores;
    }
    if expected_sum != found_sum {
        differences.push(format!("block {block} has {found_sum:?} and should have {expected_sum:?}"));
    }
}

/// What the machine code of an instruction should have; `None` for those made of several accesses, and for checks, which write to
/// the thread's control block.
fn expected(code: &Code, instruction: &Instruction) -> Option<Accesses> {
    match *instruction {
        Instruction::Load { .. } => Some(Accesses { loads: 1, stores: 0 }),
        Instruction::Store { .. } => Some(Accesses { loads: 0, stores: 1 }),
        Instruction::Check { .. } | Instruction::CheckDivisor { .. } => None,
        Instruction::Synchronise { operation, .. } => match code.synchronisations[operation as usize].kind {
            SynchronisationKind::Load | SynchronisationKind::Await(_) => Some(Accesses { loads: 1, stores: 0 }),
            SynchronisationKind::Store => Some(Accesses { loads: 0, stores: 1 }),
            SynchronisationKind::Fence => Some(Accesses::default()),
            SynchronisationKind::ReadModifyWrite(_) | SynchronisationKind::CompareExchange => None,
        },
        _ => Some(Accesses::default()),
    }
}

/// Machine accesses by instruction of Code.
fn accesses_by_instruction(code: &Code, machine_code: &MachineCode) -> Vec<Accesses> {
    let mut accesses = vec![Accesses::default(); code.instructions.len()];
    let mut factory = InstructionInfoFactory::new();
    // Behind the last instruction lie constants.
    let end = machine_code.locations.last().map_or(0, |location| location.bytes.end);
    for instruction in Decoder::new(64, &machine_code.bytes[..end as usize], DecoderOptions::NONE).iter() {
        let at = instruction.ip() as u32;
        let location = machine_code.locations.iter().find(|location| location.bytes.contains(&at));
        for memory in factory.info(&instruction).used_memory() {
            use iced_x86::Register;
            if matches!(memory.base(), Register::RSP | Register::RBP | Register::RIP | Register::None) {
                continue;
            }
            let Some(location) = location else { panic!("{instruction} belongs to no instruction of Code") };
            let accesses = &mut accesses[location.instruction as usize];
            let (loads, stores) = match memory.access() {
                OpAccess::Read | OpAccess::CondRead => (1, 0),
                OpAccess::Write | OpAccess::CondWrite => (0, 1),
                OpAccess::ReadWrite | OpAccess::ReadCondWrite => (1, 1),
                OpAccess::None | OpAccess::NoMemAccess => (0, 0),
            };
            accesses.loads += loads;
            accesses.stores += stores;
        }
    }
    accesses
}

/// `repeat: x[i] = x[i] + x[i] * y[i]; unused = y[i]; n += x[i + 1]`, with every element loaded wherever it is named.
fn kernel(r#type: Type) -> Code {
    let mut fixture = Fixture::new(1);
    let [a, b, c, d, i] = [r#type, r#type, r#type, r#type, Type::I64].map(|r#type| fixture.register(r#type));
    let [x, y] = [64, 64].map(|length| fixture.array(r#type, length, &[]));
    let load = |to: CodeRegister, array: ArrayId, constant| Instruction::Load { to, array, index: i, constant };
    fixture.block(&[Instruction::Jump { to: 1 }]);
    fixture.block(&[
        load(a, x, 0),
        load(b, x, 0),
        load(c, y, 0),
        Instruction::Binary { operator: BinaryOperator::Multiply, to: b, a: b, b: c },
        Instruction::Binary { operator: BinaryOperator::Add, to: a, a, b },
        Instruction::Store { from: a, array: x, index: i, constant: 0 },
        load(c, y, 0),
        load(b, x, 1),
        Instruction::Binary { operator: BinaryOperator::Add, to: d, a: d, b },
        load(a, y, 2),
        Instruction::Binary { operator: BinaryOperator::Add, to: a, a, b: d },
        Instruction::Store { from: a, array: y, index: i, constant: 2 },
        Instruction::BinaryConstant { operator: BinaryOperator::Add, to: i, a: i, constant: 1 },
        Instruction::BranchConstant { comparison: Comparison::Less, a: i, constant: 60, then: 1, otherwise: 2 },
    ]);
    fixture.block(&[Instruction::Store { from: d, array: x, index: ZERO, constant: 63 }, Instruction::Finish]);
    fixture.function(Phase::Main, false);
    fixture.finish()
}

#[test]
fn every_access_of_code_is_one_of_the_machine() {
    for r#type in [Type::I64, Type::I32, Type::F64, Type::F32] {
        let code = kernel(r#type);
        let differences = differences(&code, &compile(code.clone()).unwrap());
        assert!(differences.is_empty(), "{type:?}: {differences:#?}");
    }
}

#[test]
fn merged_and_missing_accesses_are_noticed() {
    let code = kernel(Type::F64);
    let optimised = compile_at("speed", code.clone()).unwrap();
    assert!(!differences(&code, &optimised).is_empty(), "optimisation merges the two loads of x[i]");
    let compiled = compile(code.clone()).unwrap();
    let mut fewer = code.clone();
    fewer.instructions[1] = Instruction::Copy { to: 2, from: 2 };
    assert!(!differences(&fewer, &compiled).is_empty(), "the machine code has a load too many");
}

#[test]
fn busy_is_a_chain_of_single_subtractions() {
    let mut fixture = Fixture::new(1);
    let count = fixture.register(Type::I64);
    fixture.block(&[Instruction::Busy { count, next: 1 }]);
    fixture.block(&[Instruction::Finish]);
    fixture.function(Phase::Main, false);
    let compiled = compile(fixture.finish()).unwrap();
    let instructions = Decoder::new(64, &compiled.machine_code()[0].bytes, DecoderOptions::NONE).into_iter();
    let of_busy = instructions
        .filter(|instruction| compiled.instruction_at(compiled.addresses().start + instruction.ip() as usize) == Some(0));
    let arithmetic: Vec<String> = of_busy
        .map(|instruction| instruction.to_string())
        .filter(|text| !["push", "mov", "xor", "cmp", "j"].iter().any(|other| text.starts_with(other)))
        .collect();
    assert_eq!(arithmetic.len(), 8 + 4 + 2 + 1, "{arithmetic:#?}");
    assert!(
        arithmetic.iter().all(|text| *text == arithmetic[0] && text.starts_with("sub") && text.ends_with(",1")),
        "{arithmetic:#?}"
    );
}
