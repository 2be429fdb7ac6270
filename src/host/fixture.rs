//! Code built by hand, for tests of this floor.

use crate::base::diagnostic::{SourceText, Span};
use crate::experiment::record::Start;
use crate::host::compile::compile;
use crate::host::discover::discover;
use crate::host::run::{Options, Outcome, Repetition, RunError, Watch, run};
use crate::program::code::{
    Arena, Array, ArrayId, Block, BlockId, Code, ConstantId, Function, GIVEN_REGISTERS, Instruction, Phase, Register, ResultSlot,
    Site, Synchronisation,
};
use crate::program::tree::{Type, Value};

/// Distance of arrays.
const SPACING: u64 = 2 << 20;

/// A Code in the making. Each block has a site of its own, whose line is the block's number plus one.
pub struct Fixture {
    code: Code,
    first_block: BlockId,
}

impl Fixture {
    pub fn new(threads: u32) -> Fixture {
        let code = Code {
            texts: vec![SourceText::new("test.flynn", "")],
            functions: Vec::new(),
            blocks: Vec::new(),
            instructions: Vec::new(),
            instruction_sites: Vec::new(),
            registers: vec![Type::I64; GIVEN_REGISTERS],
            constants: Vec::new(),
            synchronisations: Vec::new(),
            messages: Vec::new(),
            arrays: Vec::new(),
            sites: Vec::new(),
            arena: Arena { size: SPACING, ..Arena::default() },
            results: Vec::new(),
            ranks: 1,
            threads,
        };
        Fixture { code, first_block: 0 }
    }

    pub fn register(&mut self, r#type: Type) -> Register {
        self.code.registers.push(r#type);
        (self.code.registers.len() - 1) as Register
    }

    pub fn constant(&mut self, bits: u64) -> ConstantId {
        self.code.constants.push(bits);
        (self.code.constants.len() - 1) as ConstantId
    }

    /// An array with these first elements, which is restored between passes.
    pub fn array(&mut self, element: Type, length: u64, initial: &[Value]) -> ArrayId {
        self.strided_array(element, length, initial, element.size())
    }

    pub fn strided_array(&mut self, element: Type, length: u64, initial: &[Value], stride: u32) -> ArrayId {
        let base = self.code.arena.size;
        let address = |index: u64| base + index * u64::from(stride);
        for (index, value) in (0..).zip(initial) {
            self.code.arena.initial.push((address(index), element, value.bits()));
        }
        self.code.arena.size = address(length).next_multiple_of(SPACING);
        self.code.arena.restore.push(base..address(length));
        self.code.arrays.push(Array {
            name: format!("array{}", self.code.arrays.len()),
            element,
            base,
            stride,
            length,
            extents: vec![length],
            runtime: false,
        });
        (self.code.arrays.len() - 1) as ArrayId
    }

    /// Makes an element a result.
    pub fn result(&mut self, array: ArrayId, index: u64) {
        let array = &self.code.arrays[usize::from(array)];
        let address = array.base + index * u64::from(array.stride);
        self.code.results.push(ResultSlot { address, r#type: array.element });
    }

    pub fn synchronisation(&mut self, synchronisation: Synchronisation) -> u32 {
        self.code.synchronisations.push(synchronisation);
        (self.code.synchronisations.len() - 1) as u32
    }

    /// The number the next block will have.
    pub fn next_block(&self) -> BlockId {
        self.code.blocks.len() as BlockId
    }

    pub fn block(&mut self, instructions: &[Instruction]) -> BlockId {
        let id = self.next_block();
        self.code.blocks.push(Block { first: self.code.instructions.len() as u32, length: instructions.len() as u32 });
        self.code.instructions.extend_from_slice(instructions);
        self.code.instruction_sites.resize(self.code.instructions.len(), id);
        self.code.sites.push(Site { line: id + 1, span: Span::default(), text: 0, text_line: id + 1 });
        id
    }

    /// All blocks since the last function make a function; the first of them is its entry.
    pub fn function(&mut self, phase: Phase, parallel: bool) {
        let end = self.next_block();
        self.code.functions.push(Function { phase, entry: self.first_block, blocks: self.first_block..end, parallel });
        self.first_block = end;
    }

    pub fn finish(self) -> Code {
        self.code
    }
}

/// Runs Code here, cold.
pub fn run_here(code: &Code) -> Result<Outcome, RunError> {
    run_as(code, Options { start: Start::Cold, repetition: Repetition::default() })
}

/// Runs Code here.
pub fn run_as(code: &Code, options: Options) -> Result<Outcome, RunError> {
    let compiled = compile(code.clone()).unwrap();
    let watch = Watch::new(&compiled, || {});
    run(&compiled, &discover(), &options, &watch)
}

/// Result values as bits, with their types.
pub fn bits(values: &[Value]) -> Vec<(Type, u64)> {
    values.iter().map(|value| (value.r#type(), value.bits())).collect()
}
