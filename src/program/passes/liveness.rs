//! Which registers still matter where a block begins: backward data flow (Aho, Lam, Sethi and Ullman, "Compilers", section 9.2.5).

use crate::program::code::{BlockId, Register};
use crate::program::lower::Graph;

/// A set of registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RegisterSet(Vec<u64>);

impl RegisterSet {
    pub fn new(n_registers: usize) -> RegisterSet {
        RegisterSet(vec![0; n_registers.div_ceil(64)])
    }

    pub fn insert(&mut self, register: Register) {
        self.0[usize::from(register) / 64] |= 1 << (register % 64);
    }

    pub fn remove(&mut self, register: Register) {
        self.0[usize::from(register) / 64] &= !(1 << (register % 64));
    }

    pub fn contains(&self, register: Register) -> bool {
        self.0[usize::from(register) / 64] & (1 << (register % 64)) != 0
    }

    /// Adds another set's registers.
    pub fn merge(&mut self, other: &RegisterSet) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Register> {
        self.0.iter().enumerate().filter(|&(_, &word)| word != 0).flat_map(|(index, &word)| {
            (0..64_usize).filter(move |bit| word & (1 << bit) != 0).map(move |bit| (index * 64 + bit) as Register)
        })
    }
}

/// The registers that are read at or after the end of a block before they are written.
pub(super) fn live_out(graph: &Graph, live_in: &[RegisterSet], block: BlockId) -> RegisterSet {
    let mut live = RegisterSet::new(graph.registers.len());
    for successor in graph.blocks[block as usize].exit.successors() {
        live.merge(&live_in[successor as usize]);
    }
    live
}

/// For each block the registers that are read in or after it before they are written.
pub(super) fn live_in(graph: &Graph) -> Vec<RegisterSet> {
    let mut order = graph.reverse_postorder();
    order.reverse();
    let mut sets = vec![RegisterSet::new(graph.registers.len()); graph.blocks.len()];
    loop {
        let mut changed = false;
        for &number in &order {
            let mut live = live_out(graph, &sets, number);
            let block = &graph.blocks[number as usize];
            if let Some(to) = block.exit.writes() {
                live.remove(to);
            }
            block.exit.reads(|register| live.insert(register));
            for located in block.instructions.iter().rev() {
                if let Some(to) = located.instruction.writes() {
                    live.remove(to);
                }
                located.instruction.reads(|register| live.insert(register));
            }
            if let Some(induction) = block.induction
                && let crate::program::lower::Operand::Register(limit) = induction.limit
            {
                live.insert(limit);
            }
            changed |= live != sets[number as usize];
            sets[number as usize] = live;
        }
        if !changed {
            return sets;
        }
    }
}
