//! What each block of Code costs a core, worked out once: the cycles up to each reference to memory, and the cycles behind the last.
//!
//! ```text
//!   block:   int  fmul  load  int  fadd  store  int  branch
//!            `--- before ---'  `--- before ---'  `- after -'      cycles by the core's costs of the operations' classes
//! ```
//!
//! A core that walks a block adds up only these. What the operations were, their lines, float operations and bytes follow from how
//! often each block ran, when someone asks.

use crate::components::spec::CoreSpec;
use crate::program::code::{Code, Instruction, OperationClass, SynchronisationKind};
use crate::program::tree::Order;

/// A plain load or store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Core cycles from the reference before it (or the block's begin) to this one's lookup; its own class's cost included.
    pub cycles: u32,
    pub write: bool,
    /// Of the program's text.
    pub line: u32,
}

/// What a block does besides its synchronising operation, which is costed when it is performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockCost {
    /// Its references are `first..end`.
    pub first: u32,
    pub end: u32,
    /// Core cycles behind the last reference.
    pub tail: u32,
    /// Operations, the synchronising one included.
    pub operations: u32,
}

/// What one run of a block puts on one source line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineShare {
    pub line: u32,
    /// Cycles of operations.
    pub base: u64,
    /// Lookups in the first cache that the core waits for: plain references, and a synchronising operation that has a place.
    pub lookups: u64,
}

/// Totals of one run of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockTotals {
    pub accesses: u64,
    pub flops: u64,
    pub bytes: u64,
}

/// All blocks of a Code, costed for one kind of core.
#[derive(Clone, Debug)]
pub struct BlockTable {
    pub blocks: Vec<BlockCost>,
    pub references: Vec<Reference>,
    /// By block: its shares are `shares[starts[block]..starts[block + 1]]`.
    shares: Vec<LineShare>,
    starts: Vec<u32>,
    pub totals: Vec<BlockTotals>,
    /// One more than the largest line.
    pub n_lines: u32,
}

impl BlockTable {
    /// Costs every block.
    pub fn new(code: &Code, core: &CoreSpec) -> BlockTable {
        let mut table = BlockTable {
            blocks: Vec::with_capacity(code.blocks.len()),
            references: Vec::new(),
            shares: Vec::new(),
            starts: vec![0],
            totals: Vec::with_capacity(code.blocks.len()),
            n_lines: code.sites.iter().map(|site| site.line + 1).max().unwrap_or(1),
        };
        for block in &code.blocks {
            let range = block.first as usize..(block.first + block.length) as usize;
            table.add(code, core, range);
        }
        table
    }

    fn add(&mut self, code: &Code, core: &CoreSpec, range: std::ops::Range<usize>) {
        let first = self.references.len() as u32;
        let first_share = self.shares.len();
        let (mut cycles, mut operations, mut totals) = (0_u64, 0, BlockTotals::default());
        for index in range {
            let instruction = &code.instructions[index];
            let line = code.sites[code.instruction_sites[index] as usize].line;
            let Some(class) = code.class(instruction) else { continue };
            operations += 1;
            let cost = u64::from(core.costs[class as usize]);
            totals.flops += code.flops(instruction);
            totals.bytes += code.bytes(instruction);
            let has_place = has_place(code, instruction);
            totals.accesses += u64::from(has_place);
            // Out of order, the time that passes belongs to what keeps an operation from its commit.
            if core.out_of_order.is_none() {
                let is_buffered = core.store_buffer.is_some() && waits_in_buffer(code, instruction);
                self.share(first_share, line, cost, u64::from(has_place && !is_buffered));
            }
            if class != OperationClass::Atomic {
                cycles += cost;
            }
            if let Instruction::Load { .. } | Instruction::Store { .. } = instruction {
                let write = matches!(instruction, Instruction::Store { .. });
                self.references.push(Reference { cycles: narrow(cycles), write, line });
                cycles = 0;
            }
        }
        self.blocks.push(BlockCost { first, end: self.references.len() as u32, tail: narrow(cycles), operations });
        self.starts.push(self.shares.len() as u32);
        self.totals.push(totals);
    }

    fn share(&mut self, first: usize, line: u32, base: u64, lookups: u64) {
        match self.shares[first..].iter_mut().find(|share| share.line == line) {
            Some(share) => {
                share.base += base;
                share.lookups += lookups;
            }
            None => self.shares.push(LineShare { line, base, lookups }),
        }
    }

    /// What one run of a block puts on source lines, where that can be said beforehand: in order.
    pub fn shares(&self, block: usize) -> &[LineShare] {
        &self.shares[self.starts[block] as usize..self.starts[block + 1] as usize]
    }
}

fn has_place(code: &Code, instruction: &Instruction) -> bool {
    match instruction {
        Instruction::Load { .. } | Instruction::Store { .. } => true,
        Instruction::Synchronise { operation, .. } => code.synchronisations[*operation as usize].kind != SynchronisationKind::Fence,
        _ => false,
    }
}

/// Whether a store may wait in a buffer: one that need not be seen by all before the thread goes on.
fn waits_in_buffer(code: &Code, instruction: &Instruction) -> bool {
    match instruction {
        Instruction::Store { .. } => true,
        Instruction::Synchronise { operation, .. } => {
            let operation = &code.synchronisations[*operation as usize];
            operation.kind == SynchronisationKind::Store && operation.order != Order::SequentiallyConsistent
        }
        _ => false,
    }
}

/// Blocks have at most as many instructions as fit in memory, and costs are at most 10,000 cycles.
fn narrow(cycles: u64) -> u32 {
    u32::try_from(cycles).unwrap_or(u32::MAX)
}
