//! Keeps graphs small: unreachable, joinable and empty blocks.

use crate::program::code::BlockId;
use crate::program::lower::{Exit, Graph, Operand};

/// Joins each block with the one it jumps to where no other leads there, and drops blocks that cannot be reached. Blocks are in
/// reverse postorder afterwards.
pub(super) fn join_blocks(graph: &mut Graph) {
    let order = graph.reverse_postorder();
    let predecessors = graph.predecessors();
    let mut reachable = vec![false; graph.blocks.len()];
    order.iter().for_each(|&block| reachable[block as usize] = true);
    let single: Vec<bool> =
        predecessors.iter().map(|blocks| blocks.iter().filter(|&&block| reachable[block as usize]).count() == 1).collect();
    let mut joined = vec![false; graph.blocks.len()];
    for &block in &order {
        if joined[block as usize] {
            continue;
        }
        while let Exit::Jump(next) = graph.blocks[block as usize].exit
            && next != block
            && next != 0
            && single[next as usize]
        {
            let mut follower = std::mem::take(&mut graph.blocks[next as usize].instructions);
            let (exit, site) = (graph.blocks[next as usize].exit, graph.blocks[next as usize].site);
            let joint = &mut graph.blocks[block as usize];
            joint.instructions.append(&mut follower);
            joint.exit = exit;
            joint.site = site;
            joined[next as usize] = true;
        }
    }
    renumber(graph);
}

/// Lets blocks that jump to a block that only jumps on go there directly.
pub(super) fn skip_empty_blocks(graph: &mut Graph) {
    let next: Vec<Option<BlockId>> = graph
        .blocks
        .iter()
        .map(|block| match block.exit {
            Exit::Jump(to) if block.instructions.is_empty() => Some(to),
            _ => None,
        })
        .collect();
    let target = |mut block: BlockId| {
        // As many steps as there are blocks: an empty loop has no end.
        for _ in 0..next.len() {
            match next[block as usize] {
                Some(to) => block = to,
                None => break,
            }
        }
        block
    };
    for block in &mut graph.blocks {
        block.exit.map_successors(target);
        // A branch with one way out is a jump.
        if let Exit::Branch { then, otherwise, .. } | Exit::BranchConstant { then, otherwise, .. } = block.exit
            && then == otherwise
        {
            block.exit = Exit::Jump(then);
        }
    }
}

/// Puts the blocks that can be reached in reverse postorder.
fn renumber(graph: &mut Graph) {
    let order = graph.reverse_postorder();
    let mut numbers = vec![0; graph.blocks.len()];
    for (number, &block) in order.iter().enumerate() {
        numbers[block as usize] = number as BlockId;
    }
    let mut old: Vec<_> = std::mem::take(&mut graph.blocks).into_iter().map(Some).collect();
    graph.blocks = order.iter().filter_map(|&block| old[block as usize].take()).collect();
    for block in &mut graph.blocks {
        block.exit.map_successors(|successor| numbers[successor as usize]);
    }
}

/// Replaces registers in whatever a block says of them.
pub(super) fn map_induction(graph: &mut Graph, map: impl Fn(u16) -> u16) {
    for block in &mut graph.blocks {
        if let Some(induction) = &mut block.induction
            && let Operand::Register(limit) = &mut induction.limit
        {
            *limit = map(*limit);
        }
    }
}
