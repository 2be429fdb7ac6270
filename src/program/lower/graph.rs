//! Code under construction: a graph of basic blocks with virtual registers.
//!
//! Each part of a function is a graph of its own, so that loops stay loops (a team's region is entered by the thread that forked and
//! by the workers alike: in one graph no block would dominate it) and every pass sees a structured graph:
//!
//! ```text
//!   main graph   ──fork──▶ region graph ──return──▶ main graph (thread 0)
//!   worker graph ──region▶ region graph ──return──▶ worker graph (the others)
//! ```
//!
//! `link.rs` joins the graphs of a function and gives every virtual register its place.

use crate::program::code::{BlockId, GIVEN_REGISTERS, Instruction, Message, Register, SiteId, Synchronisation, ZERO};
use crate::program::tree::{Comparison, Type};

/// A region of a function, run by a team: an index into the function's region graphs.
pub type RegionId = u32;

/// A graph of blocks; block 0 is the entry.
#[derive(Clone, Debug)]
pub struct Graph {
    pub blocks: Vec<GraphBlock>,
    /// Types of the virtual registers; `ZERO`, `THREAD` and `RANK` are the first three.
    pub registers: Vec<Type>,
    /// Who may run it.
    pub runners: Runners,
}

/// How many run a graph: `THREAD` and `RANK` are below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runners {
    pub ranks: u32,
    pub threads: u32,
}

/// A basic block. A block without an exit is still open.
#[derive(Clone, Debug)]
pub struct GraphBlock {
    pub instructions: Vec<Located>,
    pub exit: Exit,
    /// The site of the exit.
    pub site: SiteId,
    /// Where it is the first block of a counted loop's body: what the loop guarantees.
    pub induction: Option<Induction>,
}

/// An instruction and the site it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Located {
    pub instruction: Instruction,
    pub site: SiteId,
}

/// A counted loop that steps `variable` from its value at entry towards `limit`, which it does not reach; nothing else writes either.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Induction {
    pub variable: Register,
    pub limit: Operand,
    /// Not 0.
    pub step: i64,
}

/// A value: a constant known when lowering, or what a register holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operand {
    /// As register bits.
    Constant(u64),
    Register(Register),
}

/// How a block ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Exit {
    /// Not ended yet.
    Open,
    Jump(BlockId),
    Branch {
        comparison: Comparison,
        a: Register,
        b: Register,
        then: BlockId,
        otherwise: BlockId,
    },
    BranchConstant {
        comparison: Comparison,
        a: Register,
        constant: i16,
        then: BlockId,
        otherwise: BlockId,
    },
    Synchronise {
        operation: Synchronisation,
        next: BlockId,
    },
    Message {
        message: Message,
        next: BlockId,
    },
    Busy {
        count: Register,
        next: BlockId,
    },
    /// In the main graph: the team runs the region, then thread 0 goes on with `next`.
    Fork {
        region: RegionId,
        next: BlockId,
    },
    /// In the worker graph: into the region, then on with `next`.
    Region {
        region: RegionId,
        next: BlockId,
    },
    /// At the end of a region: back to where the thread came from.
    Return,
    Finish,
}

impl Exit {
    /// The blocks of the same graph that may follow.
    pub fn successors(&self) -> impl Iterator<Item = BlockId> {
        let (first, second) = match *self {
            Exit::Jump(to) => (Some(to), None),
            Exit::Branch { then, otherwise, .. } | Exit::BranchConstant { then, otherwise, .. } => (Some(then), Some(otherwise)),
            Exit::Synchronise { next, .. }
            | Exit::Message { next, .. }
            | Exit::Busy { next, .. }
            | Exit::Fork { next, .. }
            | Exit::Region { next, .. } => (Some(next), None),
            Exit::Open | Exit::Return | Exit::Finish => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// Replaces each successor.
    pub fn map_successors(&mut self, mut map: impl FnMut(BlockId) -> BlockId) {
        match self {
            Exit::Jump(to) => *to = map(*to),
            Exit::Branch { then, otherwise, .. } | Exit::BranchConstant { then, otherwise, .. } => {
                *then = map(*then);
                *otherwise = map(*otherwise);
            }
            Exit::Synchronise { next, .. }
            | Exit::Message { next, .. }
            | Exit::Busy { next, .. }
            | Exit::Fork { next, .. }
            | Exit::Region { next, .. } => *next = map(*next),
            Exit::Open | Exit::Return | Exit::Finish => {}
        }
    }

    /// Calls `visit` with each register that is read.
    pub fn reads(&self, mut visit: impl FnMut(Register)) {
        match *self {
            Exit::Branch { a, b, .. } => {
                visit(a);
                visit(b);
            }
            Exit::BranchConstant { a, .. } => visit(a),
            Exit::Synchronise { operation, .. } => {
                visit(operation.index);
                visit(operation.operand);
                visit(operation.expected);
            }
            Exit::Message { mut message, .. } => message.map_registers(
                |register| {
                    visit(register);
                    register
                },
                |register| register,
            ),
            Exit::Busy { count, .. } => visit(count),
            Exit::Open | Exit::Jump(_) | Exit::Fork { .. } | Exit::Region { .. } | Exit::Return | Exit::Finish => {}
        }
    }

    /// The register that is written on the way out.
    pub fn writes(&self) -> Option<Register> {
        match self {
            Exit::Synchronise { operation, .. } if operation.to != ZERO => Some(operation.to),
            Exit::Message { message, .. } => message.writes(),
            _ => None,
        }
    }

    /// Replaces each register: those read with `read`, the one written with `write`.
    pub fn map_registers(&mut self, mut read: impl FnMut(Register) -> Register, write: impl FnOnce(Register) -> Register) {
        match self {
            Exit::Branch { a, b, .. } => {
                *a = read(*a);
                *b = read(*b);
            }
            Exit::BranchConstant { a, .. } => *a = read(*a),
            Exit::Synchronise { operation, .. } => {
                operation.index = read(operation.index);
                operation.operand = read(operation.operand);
                operation.expected = read(operation.expected);
                operation.to = write(operation.to);
            }
            Exit::Message { message, .. } => message.map_registers(read, write),
            Exit::Busy { count, .. } => *count = read(*count),
            Exit::Open | Exit::Jump(_) | Exit::Fork { .. } | Exit::Region { .. } | Exit::Return | Exit::Finish => {}
        }
    }
}

impl Graph {
    /// A graph of one open block.
    pub fn new(runners: Runners) -> Graph {
        let mut graph = Graph { blocks: Vec::new(), registers: vec![Type::I64; GIVEN_REGISTERS], runners };
        graph.add_block();
        graph
    }

    /// Adds an open block.
    pub fn add_block(&mut self) -> BlockId {
        self.blocks.push(GraphBlock { instructions: Vec::new(), exit: Exit::Open, site: 0, induction: None });
        self.blocks.len() as BlockId - 1
    }

    /// The blocks that lead to each block.
    pub fn predecessors(&self) -> Vec<Vec<BlockId>> {
        let mut predecessors = vec![Vec::new(); self.blocks.len()];
        for (number, block) in self.blocks.iter().enumerate() {
            for successor in block.exit.successors() {
                predecessors[successor as usize].push(number as BlockId);
            }
        }
        predecessors
    }

    /// Blocks that can be reached, each before its successors but for back edges.
    pub fn reverse_postorder(&self) -> Vec<BlockId> {
        let mut order = Vec::with_capacity(self.blocks.len());
        let mut seen = vec![false; self.blocks.len()];
        let mut stack: Vec<(BlockId, Vec<BlockId>)> = vec![(0, self.blocks[0].exit.successors().collect())];
        seen[0] = true;
        while let Some((block, successors)) = stack.last_mut() {
            match successors.pop() {
                Some(next) if !seen[next as usize] => {
                    seen[next as usize] = true;
                    stack.push((next, self.blocks[next as usize].exit.successors().collect()));
                }
                Some(_) => {}
                None => {
                    order.push(*block);
                    stack.pop();
                }
            }
        }
        order.reverse();
        order
    }

    /// How often each register is written in the graph; those that are given count once.
    pub fn write_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.registers.len()];
        counts[..GIVEN_REGISTERS].fill(1);
        for block in &self.blocks {
            let writes = block.instructions.iter().filter_map(|located| located.instruction.writes());
            for register in writes.chain(block.exit.writes()) {
                counts[usize::from(register)] += 1;
            }
        }
        counts
    }
}

impl Instruction {
    /// The register an instruction that is not a terminator writes.
    pub fn writes(&self) -> Option<Register> {
        match *self {
            Instruction::Constant { to, .. }
            | Instruction::Copy { to, .. }
            | Instruction::Unary { to, .. }
            | Instruction::Binary { to, .. }
            | Instruction::BinaryConstant { to, .. }
            | Instruction::DivideNonNegative { to, .. }
            | Instruction::ShiftRightLogical { to, .. }
            | Instruction::Compare { to, .. }
            | Instruction::Select { to, .. }
            | Instruction::FusedMultiplyAdd { to, .. }
            | Instruction::Convert { to, .. }
            | Instruction::Load { to, .. } => Some(to),
            _ => None,
        }
    }

    /// Calls `visit` with each register that an instruction that is not a terminator reads.
    pub fn reads(&self, mut visit: impl FnMut(Register)) {
        let mut copy = *self;
        copy.map_registers(
            |register| {
                visit(register);
                register
            },
            |register| register,
        );
    }

    /// Replaces the registers of an instruction that is not a terminator: those read with `read`, the one written with `write`.
    pub(in crate::program) fn map_registers(
        &mut self,
        mut read: impl FnMut(Register) -> Register,
        write: impl FnOnce(Register) -> Register,
    ) {
        match self {
            Instruction::Constant { to, .. } => *to = write(*to),
            Instruction::Copy { to, from } | Instruction::Convert { to, from } => {
                *from = read(*from);
                *to = write(*to);
            }
            Instruction::Unary { to, a, .. }
            | Instruction::BinaryConstant { to, a, .. }
            | Instruction::ShiftRightLogical { to, a, .. } => {
                *a = read(*a);
                *to = write(*to);
            }
            Instruction::Binary { to, a, b, .. }
            | Instruction::DivideNonNegative { to, a, b, .. }
            | Instruction::Compare { to, a, b, .. } => {
                *a = read(*a);
                *b = read(*b);
                *to = write(*to);
            }
            Instruction::Select { to, condition: a, a: b, b: c } | Instruction::FusedMultiplyAdd { to, a, b, c } => {
                *a = read(*a);
                *b = read(*b);
                *c = read(*c);
                *to = write(*to);
            }
            Instruction::Load { to, index, .. } => {
                *index = read(*index);
                *to = write(*to);
            }
            Instruction::Store { from, index, .. } => {
                *from = read(*from);
                *index = read(*index);
            }
            Instruction::Check { index, .. } => *index = read(*index),
            Instruction::CheckDivisor { divisor } => *divisor = read(*divisor),
            Instruction::Jump { .. }
            | Instruction::Branch { .. }
            | Instruction::BranchConstant { .. }
            | Instruction::Synchronise { .. }
            | Instruction::Message { .. }
            | Instruction::Busy { .. }
            | Instruction::Finish => {}
        }
    }
}
