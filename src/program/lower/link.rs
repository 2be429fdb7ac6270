//! Joins the graphs of every function into Code.
//!
//! Registers: those of the main graphs, of the regions and of the workers' loops lie apart, since a thread's loop goes on after a
//! region with what it knew before; regions share theirs, as a thread is in one at a time, and so do functions.

use std::collections::BTreeMap;

use super::graph::{Exit, Graph, RegionId};
use super::{Failure, Lowering, Parts, usage};
use crate::base::diagnostic::Diagnostic;
use crate::program::code::{Block, BlockId, Code, Function, GIVEN_REGISTERS, Instruction, Register, ResultSlot, SiteId, THREAD};
use crate::program::passes::{Allocation, allocate};
use crate::program::tree::{Comparison, Program, Type};

use super::layout::Home;

/// The kinds of graphs, each with registers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Main,
    Region,
    Worker,
}

/// A graph on its way into Code.
struct Placed<'a> {
    graph: &'a Graph,
    role: Role,
    allocation: Allocation,
    /// Number of its first block.
    first: BlockId,
}

/// The register each role's registers of a type begin at.
type Bases = BTreeMap<(Role, Type), u32>;

impl Lowering<'_> {
    /// Makes Code of the finished parts.
    pub(super) fn link(mut self, program: &Program, parts: &[Parts]) -> Result<Code, Failure> {
        let mut first = 0;
        let placed: Vec<Vec<Placed<'_>>> = parts.iter().map(|part| place(part, &mut first)).collect();
        let (registers, bases) = number_registers(placed.iter().flatten())
            .ok_or_else(|| vec![Diagnostic::at(&program.source, None, "the program needs more than 65536 registers")])?;
        let restore = self.carried_over(program);
        let (arrays, arena) = std::mem::replace(&mut self.layout, super::Layout::new(8))
            .place(&restore)
            .map_err(|error| vec![Diagnostic::at(&program.source, None, error.to_string())])?;
        let result_slots = self.result_slots.iter().map(|&slot| &arrays[usize::from(slot)]);
        let results = result_slots.map(|array| ResultSlot { address: array.base, r#type: array.element }).collect();
        let mut code = Code {
            texts: std::mem::take(&mut self.texts),
            functions: Vec::new(),
            blocks: Vec::new(),
            instructions: Vec::new(),
            instruction_sites: Vec::new(),
            registers,
            constants: self.constants.iter().copied().collect(),
            synchronisations: Vec::new(),
            messages: Vec::new(),
            results,
            arrays,
            sites: self.sites.iter().copied().collect(),
            arena,
            ranks: self.runners.ranks,
            threads: self.runners.threads,
        };
        for (part, graphs) in parts.iter().zip(&placed) {
            add_function(&mut code, part, graphs, &bases);
        }
        Ok(code)
    }

    /// The arrays that a pass both reads and writes.
    fn carried_over(&self, program: &Program) -> Vec<u16> {
        let carried = usage::carried_over(program);
        let homes = self.homes.iter().zip(carried).filter(|&(_, carried)| carried);
        homes
            .filter_map(|(home, _)| match home {
                Home::Elements { array, .. } => Some(*array),
                Home::Borrowed { .. } | Home::Instances { .. } => None,
            })
            .collect()
    }
}

/// The graphs of a function in the order their blocks get: the entry (where threads part), main, regions, workers.
fn place<'a>(part: &'a Parts, first: &mut BlockId) -> Vec<Placed<'a>> {
    if part.worker.is_some() {
        *first += 1;
    }
    let regions = part.regions.iter().map(|graph| (graph, Role::Region));
    let graphs =
        std::iter::once((&part.main, Role::Main)).chain(regions).chain(part.worker.iter().map(|graph| (graph, Role::Worker)));
    graphs
        .map(|(graph, role)| {
            let placed = Placed { graph, role, allocation: allocate(graph), first: *first };
            *first += graph.blocks.len() as BlockId;
            placed
        })
        .collect()
}

/// The types of all registers and where each role's begin; `None` where there are more than numbers.
fn number_registers<'a>(graphs: impl Iterator<Item = &'a Placed<'a>>) -> Option<(Vec<Type>, Bases)> {
    let mut needed: Bases = BTreeMap::new();
    for placed in graphs {
        for (&r#type, &count) in &placed.allocation.needed {
            let most = needed.entry((placed.role, r#type)).or_insert(0);
            *most = (*most).max(count);
        }
    }
    let mut registers = vec![Type::I64; GIVEN_REGISTERS];
    let mut bases = Bases::new();
    for ((role, r#type), count) in needed {
        bases.insert((role, r#type), registers.len() as u32);
        registers.extend((0..count).map(|_| r#type));
    }
    (registers.len() <= 1 << 16).then_some((registers, bases))
}

fn add_function(code: &mut Code, part: &Parts, graphs: &[Placed<'_>], bases: &Bases) {
    let start = code.blocks.len() as BlockId;
    let (main, others) = graphs.split_first().map_or((None, graphs), |(main, others)| (Some(main), others));
    let main_entry = main.map_or(0, |main| main.first);
    if let Some(worker) = others.iter().find(|placed| placed.role == Role::Worker) {
        let site = main.map_or(0, |main| main.graph.blocks[0].site);
        let thread_is_0 = only_thread_0(main_entry, worker.first);
        add_block(code, std::iter::once((thread_is_0, site)));
    }
    let ways_back = ways_back(graphs);
    for (number, placed) in graphs.iter().enumerate() {
        let back = number.checked_sub(1).and_then(|region| ways_back.get(&(region as RegionId))).copied();
        for block in &placed.graph.blocks {
            let registers = |register| placed.register(register, bases);
            let mut instructions: Vec<(Instruction, SiteId)> = Vec::with_capacity(block.instructions.len() + 1);
            for located in &block.instructions {
                let mut instruction = located.instruction;
                instruction.map_registers(registers, registers);
                // A copy whose ends were given one register has nothing to do.
                if !matches!(instruction, Instruction::Copy { to, from } if to == from) {
                    instructions.push((instruction, located.site));
                }
            }
            let mut exit = block.exit;
            exit.map_registers(registers, registers);
            exit.map_successors(|successor| placed.first + successor);
            instructions.push((terminator(code, exit, graphs, back), block.site));
            add_block(code, instructions.into_iter());
        }
    }
    let blocks = start..code.blocks.len() as BlockId;
    code.functions.push(Function { phase: part.phase, entry: start, blocks, parallel: part.worker.is_some() });
}

fn only_thread_0(then: BlockId, otherwise: BlockId) -> Instruction {
    Instruction::BranchConstant { comparison: Comparison::Equal, a: THREAD, constant: 0, then, otherwise }
}

fn add_block(code: &mut Code, instructions: impl Iterator<Item = (Instruction, SiteId)>) {
    let first = code.instructions.len();
    for (instruction, site) in instructions {
        code.instructions.push(instruction);
        code.instruction_sites.push(site);
    }
    let length = (code.instructions.len() - first) as u32;
    code.blocks.push(Block { first: first as u32, length });
}

/// Where thread 0 and the others go on after each region. A region whose fork cannot be reached has none: nobody enters it.
fn ways_back(graphs: &[Placed<'_>]) -> BTreeMap<RegionId, (BlockId, BlockId)> {
    let mut ways: BTreeMap<RegionId, (BlockId, BlockId)> = BTreeMap::new();
    for placed in graphs {
        for block in &placed.graph.blocks {
            match block.exit {
                Exit::Fork { region, next } => ways.entry(region).or_default().0 = placed.first + next,
                Exit::Region { region, next } => ways.entry(region).or_default().1 = placed.first + next,
                _ => {}
            }
        }
    }
    ways
}

/// The last instruction of a block. Blocks and registers in the exit are those of the code already.
fn terminator(code: &mut Code, exit: Exit, graphs: &[Placed<'_>], back: Option<(BlockId, BlockId)>) -> Instruction {
    match exit {
        Exit::Jump(to) => Instruction::Jump { to },
        Exit::Branch { comparison, a, b, then, otherwise } => Instruction::Branch { comparison, a, b, then, otherwise },
        Exit::BranchConstant { comparison, a, constant, then, otherwise } => {
            Instruction::BranchConstant { comparison, a, constant, then, otherwise }
        }
        Exit::Synchronise { operation, next } => {
            code.synchronisations.push(operation);
            Instruction::Synchronise { operation: code.synchronisations.len() as u32 - 1, next }
        }
        Exit::Message { message, next } => {
            code.messages.push(message);
            Instruction::Message { message: code.messages.len() as u32 - 1, next }
        }
        Exit::Busy { count, next } => Instruction::Busy { count, next },
        Exit::Fork { region, .. } | Exit::Region { region, .. } => Instruction::Jump { to: graphs[region as usize + 1].first },
        Exit::Return => {
            let (main, worker) = back.unwrap_or((0, 0));
            only_thread_0(main, worker)
        }
        Exit::Open | Exit::Finish => Instruction::Finish,
    }
}

impl Placed<'_> {
    fn register(&self, register: Register, bases: &Bases) -> Register {
        if usize::from(register) < GIVEN_REGISTERS {
            return register;
        }
        let r#type = self.graph.registers[usize::from(register)];
        let base = bases.get(&(self.role, r#type)).copied().unwrap_or(0);
        // Every register that is read or written has a slot.
        (base + self.allocation.slots[usize::from(register)].unwrap_or(0)) as Register
    }
}
