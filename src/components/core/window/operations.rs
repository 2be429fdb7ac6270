//! Instructions, made ready for the window: what each reads, writes and is.

use crate::program::code::{BlockId, Code, Instruction, OperationClass, Register, ZERO};

/// What an operation is to the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Compute,
    Load,
    Store,
    /// It chooses between two blocks; `backward` where the taken one is not behind it.
    Branch {
        backward: bool,
    },
}

/// An instruction, made ready for the window.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub kind: Kind,
    pub class: OperationClass,
    /// Registers read whose values are to be waited for; behind them [`ZERO`], which is always there.
    pub sources: [Register; 3],
    /// The register written; [`ZERO`] for none.
    pub to: Register,
    /// Of the program's text.
    pub line: u32,
    /// Number of the instruction.
    pub address: u32,
}

impl Operation {
    /// The registers read, with their places among `sources`.
    #[inline]
    pub fn read(&self) -> impl Iterator<Item = (usize, Register)> {
        self.sources.into_iter().enumerate().take_while(|&(_, register)| register != ZERO)
    }
}

/// All operations of a Code, by block.
#[derive(Clone, Debug, Default)]
pub struct OperationTable {
    operations: Vec<Operation>,
    starts: Vec<u32>,
}

impl OperationTable {
    /// Synchronising operations, `busy` and the end of a thread are not in it: they wait until the window is empty.
    pub fn new(code: &Code) -> OperationTable {
        let mut table = OperationTable { operations: Vec::new(), starts: vec![0] };
        for (number, block) in (0..).zip(&code.blocks) {
            for address in block.first..block.first + block.length {
                table.operations.extend(operation(code, number, address));
            }
            table.starts.push(table.operations.len() as u32);
        }
        table
    }

    /// The operations of a block, as numbers for [`OperationTable::get`].
    pub fn block(&self, block: BlockId) -> std::ops::Range<u32> {
        self.starts[block as usize]..self.starts[block as usize + 1]
    }

    /// One of them.
    pub fn get(&self, number: u32) -> &Operation {
        &self.operations[number as usize]
    }
}

fn operation(code: &Code, block: BlockId, address: u32) -> Option<Operation> {
    let instruction = &code.instructions[address as usize];
    let class = code.class(instruction)?;
    let (mut sources, mut n_sources) = ([ZERO; 3], 0);
    let mut read = |register| {
        if register != ZERO {
            sources[n_sources] = register;
            n_sources += 1;
        }
    };
    let kind = match *instruction {
        Instruction::Synchronise { .. } => return None,
        Instruction::Branch { a, b, then, .. } => {
            read(a);
            read(b);
            Kind::Branch { backward: then <= block }
        }
        Instruction::BranchConstant { a, then, .. } => {
            read(a);
            Kind::Branch { backward: then <= block }
        }
        Instruction::Jump { .. } => Kind::Compute,
        _ => {
            instruction.reads(&mut read);
            match instruction {
                Instruction::Load { .. } => Kind::Load,
                Instruction::Store { .. } => Kind::Store,
                _ => Kind::Compute,
            }
        }
    };
    let to = if instruction.is_terminator() { None } else { instruction.writes() };
    let line = code.sites[code.instruction_sites[address as usize] as usize].line;
    Some(Operation { kind, class, sources, to: to.unwrap_or(ZERO), line, address })
}
