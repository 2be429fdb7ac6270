//! Programs for tests: each thread carries out a list of operations on an array `m` of 64-bit words, word `i` at address `8 i`, one
//! block and one source line an operation.

use std::sync::Arc;

use crate::base::diagnostic::{SourceText, Span};
use crate::machine::simulation::{PhaseError, PhaseReport, Simulation};
use crate::program::code::{
    Arena, Array, Block, Code, Function, Instruction, Phase, Site, Synchronisation, SynchronisationKind, THREAD, ZERO,
};
use crate::program::memory::Memory;
use crate::program::tree::{Comparison, Order, Type, UpdateOperation};

/// An operation of a test program, on a word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    Load(u32),
    Store(u32),
    /// Adds 1.
    Add(u32),
    /// Stores a value, atomically.
    Put(u32, i32),
    /// Stores a value, atomically and relaxed.
    Post(u32, i32),
    /// Loads, atomically and relaxed.
    Look(u32),
    /// Waits until the word is at least so much.
    AwaitAtLeast(u32, i32),
    /// So many dependent integer operations.
    Busy(i32),
}

pub const WORDS: u64 = 1 << 16;
const SCRATCH: u16 = 2;
const OPERAND: u16 = 3;

#[derive(Default)]
struct Assembler {
    code: Code,
}

impl Assembler {
    fn block(&mut self, instructions: &[Instruction], line: u32) {
        let site = self.code.sites.len() as u32;
        self.code.sites.push(Site { line, span: Span::new(0, 1), text: 0, text_line: line });
        self.code.blocks.push(Block { first: self.code.instructions.len() as u32, length: instructions.len() as u32 });
        self.code.instructions.extend_from_slice(instructions);
        self.code.instruction_sites.extend(instructions.iter().map(|_| site));
    }

    fn synchronise(&mut self, kind: SynchronisationKind, order: Order, word: u32, next: u32) -> Instruction {
        let operation = self.code.synchronisations.len() as u32;
        self.code.synchronisations.push(Synchronisation {
            kind,
            order,
            array: 0,
            index: ZERO,
            constant: word as i32,
            to: SCRATCH,
            operand: OPERAND,
            expected: ZERO,
        });
        Instruction::Synchronise { operation, next }
    }

    fn constant(&mut self, value: i32) -> Instruction {
        self.code.constants.push(value as i64 as u64);
        Instruction::Constant { to: OPERAND, value: (self.code.constants.len() - 1) as u32 }
    }

    fn operation(&mut self, op: Op, line: u32) {
        let next = self.code.blocks.len() as u32 + 1;
        let mut ordered = |kind, order, word, operand| {
            let constant = self.constant(operand);
            vec![constant, self.synchronise(kind, order, word, next)]
        };
        let mut atomic = |kind, word, operand| ordered(kind, Order::SequentiallyConsistent, word, operand);
        let instructions = match op {
            Op::Load(word) => {
                let constant = word as i32;
                vec![Instruction::Load { to: SCRATCH, array: 0, index: ZERO, constant }, Instruction::Jump { to: next }]
            }
            Op::Store(word) => {
                let constant = word as i32;
                vec![Instruction::Store { from: THREAD, array: 0, index: ZERO, constant }, Instruction::Jump { to: next }]
            }
            Op::Add(word) => atomic(SynchronisationKind::ReadModifyWrite(UpdateOperation::Add), word, 1),
            Op::Put(word, value) => atomic(SynchronisationKind::Store, word, value),
            Op::Post(word, value) => ordered(SynchronisationKind::Store, Order::Relaxed, word, value),
            Op::Look(word) => ordered(SynchronisationKind::Load, Order::Relaxed, word, 0),
            Op::AwaitAtLeast(word, value) => atomic(SynchronisationKind::Await(Comparison::GreaterEqual), word, value),
            Op::Busy(count) => vec![self.constant(count), Instruction::Busy { count: OPERAND, next }],
        };
        self.block(&instructions, line);
    }
}

/// Assembles one list of operations for each thread. Thread `t`'s operation `i` is on line `100 t + i + 1`.
pub fn assemble(threads: &[Vec<Op>]) -> Code {
    let mut assembler = Assembler::default();
    assembler.code.registers = vec![Type::I64; 8];
    // One block for each thread but the last sends it on its way.
    let dispatch = threads.len() as u32 - 1;
    let mut entry = dispatch;
    for (thread, ops) in threads.iter().enumerate().take(dispatch as usize) {
        let branch = Instruction::BranchConstant {
            comparison: Comparison::Equal,
            a: THREAD,
            constant: thread as i16,
            then: entry,
            otherwise: if thread as u32 + 1 == dispatch { entry + ops.len() as u32 + 1 } else { thread as u32 + 1 },
        };
        assembler.block(&[branch], 0);
        entry += ops.len() as u32 + 1;
    }
    for (thread, ops) in threads.iter().enumerate() {
        let first_line = 100 * thread as u32 + 1;
        for (index, &op) in ops.iter().enumerate() {
            assembler.operation(op, first_line + index as u32);
        }
        assembler.block(&[Instruction::Finish], 0);
    }
    let mut code = assembler.code;
    code.texts = vec![SourceText::new("test.flynn", "")];
    code.arrays = vec![Array {
        name: "m".to_string(),
        element: Type::I64,
        base: 0,
        stride: 8,
        length: WORDS,
        extents: vec![WORDS],
        runtime: false,
    }];
    code.arena = Arena { size: 8 * WORDS, ..Arena::default() };
    code.threads = threads.len() as u32;
    code.functions =
        vec![Function { phase: Phase::Main, entry: 0, blocks: 0..code.blocks.len() as u32, parallel: threads.len() > 1 }];
    code
}

/// A node that is to run a program.
pub fn prepare(spec: &super::NodeSpec, threads: &[Vec<Op>]) -> (Simulation, Function) {
    let code = assemble(threads);
    let memory = Memory::new(&code.arena).unwrap();
    let function = code.functions[0].clone();
    let mut node = Simulation::new(spec, Arc::new(code), memory).unwrap();
    node.limit_operations(10_000_000);
    (node, function)
}

/// Runs a program once, from cold caches.
pub fn run(spec: &super::NodeSpec, threads: &[Vec<Op>]) -> Result<PhaseReport, PhaseError> {
    let (mut node, function) = prepare(spec, threads);
    node.run(&function)
}
