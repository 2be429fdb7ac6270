//! Moves integer arithmetic and constants that do not change in a loop in front of it (Aho, Lam, Sethi and Ullman, "Compilers",
//! section 9.5). Memory accesses, float operations and divisions stay where they are.

use petgraph::algo::dominators::{Dominators, simple_fast};
use petgraph::graph::{DiGraph, NodeIndex};

use crate::program::code::{BlockId, Instruction, Register};
use crate::program::lower::{Exit, Graph};
use crate::program::tree::{BinaryOperator, Type};

/// A natural loop with one way in.
struct Loop {
    /// The block in front of it, which jumps to its first.
    preheader: BlockId,
    /// Its blocks, in reverse postorder.
    blocks: Vec<BlockId>,
}

/// Hoists out of every loop, the innermost first, so that what an inner loop gives up the next may give up, too.
pub(super) fn hoist(graph: &mut Graph) {
    let counts = graph.write_counts();
    for natural in loops(graph) {
        hoist_from(graph, &natural, &counts);
    }
}

fn loops(graph: &Graph) -> Vec<Loop> {
    let order = graph.reverse_postorder();
    let predecessors = graph.predecessors();
    let dominators = dominators(graph, &order);
    let mut position = vec![usize::MAX; graph.blocks.len()];
    order.iter().enumerate().for_each(|(index, &block)| position[block as usize] = index);
    let mut loops = Vec::new();
    for &header in &order {
        let reachable = predecessors[header as usize].iter().filter(|&&block| position[block as usize] != usize::MAX);
        let (back, outside): (Vec<BlockId>, Vec<BlockId>) = reachable
            .partition(|&&block| position[block as usize] >= position[header as usize] && dominates(&dominators, header, block));
        let [preheader] = outside[..] else { continue };
        if back.is_empty() || graph.blocks[preheader as usize].exit != Exit::Jump(header) {
            continue;
        }
        let mut blocks = body(header, &back, &predecessors);
        blocks.sort_by_key(|&block| position[block as usize]);
        loops.push(Loop { preheader, blocks });
    }
    loops.sort_by_key(|natural| natural.blocks.len());
    loops
}

fn dominators(graph: &Graph, order: &[BlockId]) -> Dominators<NodeIndex> {
    let mut edges: DiGraph<(), ()> = DiGraph::new();
    graph.blocks.iter().for_each(|_| {
        edges.add_node(());
    });
    for &block in order {
        for successor in graph.blocks[block as usize].exit.successors() {
            edges.add_edge(NodeIndex::new(block as usize), NodeIndex::new(successor as usize), ());
        }
    }
    simple_fast(&edges, NodeIndex::new(0))
}

fn dominates(dominators: &Dominators<NodeIndex>, a: BlockId, b: BlockId) -> bool {
    dominators.dominators(NodeIndex::new(b as usize)).is_some_and(|mut above| above.any(|block| block.index() == a as usize))
}

/// The header and everything that reaches a back edge without passing it.
fn body(header: BlockId, back: &[BlockId], predecessors: &[Vec<BlockId>]) -> Vec<BlockId> {
    let mut inside = vec![false; predecessors.len()];
    inside[header as usize] = true;
    let mut blocks = vec![header];
    let mut open: Vec<BlockId> = back.to_vec();
    while let Some(block) = open.pop() {
        if !std::mem::replace(&mut inside[block as usize], true) {
            blocks.push(block);
            open.extend(&predecessors[block as usize]);
        }
    }
    blocks
}

fn hoist_from(graph: &mut Graph, natural: &Loop, counts: &[u32]) {
    let mut written = vec![false; graph.registers.len()];
    for &block in &natural.blocks {
        let block = &graph.blocks[block as usize];
        let writes = block.instructions.iter().filter_map(|located| located.instruction.writes());
        writes.chain(block.exit.writes()).for_each(|to| written[usize::from(to)] = true);
    }
    let mut moved = Vec::new();
    for &block in &natural.blocks {
        let types = &graph.registers;
        graph.blocks[block as usize].instructions.retain(|located| {
            let invariant = located.instruction.writes().is_some_and(|to| {
                let mut stays = false;
                located.instruction.reads(|register| stays |= written[usize::from(register)]);
                counts[usize::from(to)] == 1 && !stays && is_movable(&located.instruction, types)
            });
            if invariant {
                moved.push(*located);
                located.instruction.writes().into_iter().for_each(|to| written[usize::from(to)] = false);
            }
            !invariant
        });
    }
    graph.blocks[natural.preheader as usize].instructions.extend(moved);
}

/// Integer arithmetic that cannot fail, and constants.
fn is_movable(instruction: &Instruction, types: &[Type]) -> bool {
    let integer = |register: Register| !types[usize::from(register)].is_float();
    match *instruction {
        Instruction::Constant { .. } => true,
        Instruction::Copy { to, .. } | Instruction::Unary { to, .. } => integer(to),
        Instruction::Binary { operator, to, .. } => {
            integer(to) && !matches!(operator, BinaryOperator::Divide | BinaryOperator::Remainder)
        }
        // The constant is not 0: a division by a constant 0 takes its divisor from a register.
        Instruction::BinaryConstant { .. } | Instruction::ShiftRightLogical { .. } => true,
        Instruction::Compare { a, .. } => integer(a),
        Instruction::Convert { to, from } => integer(to) && integer(from),
        _ => false,
    }
}
