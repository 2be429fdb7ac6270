//! Gives the virtual registers of a graph as few registers as their lifetimes allow: linear scan over the blocks in their order
//! (Poletto and Sarkar 1999), a file of its own for each type, never any spilling.

use std::collections::{BTreeMap, BTreeSet};

use super::liveness;
use crate::program::code::{BlockId, GIVEN_REGISTERS, Register};
use crate::program::lower::Graph;
use crate::program::tree::Type;

/// Where each virtual register of a graph lies.
#[derive(Clone, Debug)]
pub(in crate::program) struct Allocation {
    /// Number within the registers of its type; `None` where it is never used.
    pub slots: Vec<Option<u32>>,
    /// How many registers of each type the graph needs.
    pub needed: BTreeMap<Type, u32>,
}

/// The first and the last place at which a register holds something that matters.
#[derive(Clone, Copy)]
struct Lifetime {
    first: usize,
    last: usize,
}

/// Allocates the registers of a graph.
pub(in crate::program) fn allocate(graph: &Graph) -> Allocation {
    let mut lifetimes: Vec<(Register, Lifetime)> = lifetimes(graph)
        .into_iter()
        .enumerate()
        .filter_map(|(register, lifetime)| Some((register as Register, lifetime?)))
        .filter(|&(register, _)| usize::from(register) >= GIVEN_REGISTERS)
        .collect();
    lifetimes.sort_by_key(|&(register, lifetime)| (lifetime.first, register));
    let mut allocation = Allocation { slots: vec![None; graph.registers.len()], needed: BTreeMap::new() };
    let mut free: BTreeMap<Type, BTreeSet<u32>> = BTreeMap::new();
    let mut active: BTreeSet<(usize, Type, u32)> = BTreeSet::new();
    for (register, lifetime) in lifetimes {
        while let Some(&(last, r#type, slot)) = active.first()
            && last < lifetime.first
        {
            active.pop_first();
            free.entry(r#type).or_default().insert(slot);
        }
        let r#type = graph.registers[usize::from(register)];
        let slot = free.entry(r#type).or_default().pop_first().unwrap_or_else(|| {
            let needed = allocation.needed.entry(r#type).or_insert(0);
            *needed += 1;
            *needed - 1
        });
        allocation.slots[usize::from(register)] = Some(slot);
        active.insert((lifetime.last, r#type, slot));
    }
    allocation
}

fn lifetimes(graph: &Graph) -> Vec<Option<Lifetime>> {
    let live_in = liveness::live_in(graph);
    let mut lifetimes: Vec<Option<Lifetime>> = vec![None; graph.registers.len()];
    let mut at = 0;
    for (number, block) in graph.blocks.iter().enumerate() {
        let mut touch = |register: Register, at: usize| {
            let lifetime = &mut lifetimes[usize::from(register)];
            *lifetime = Some(match *lifetime {
                None => Lifetime { first: at, last: at },
                Some(Lifetime { first, last }) => Lifetime { first: first.min(at), last: last.max(at) },
            });
        };
        live_in[number].iter().for_each(|register| touch(register, 2 * at));
        for located in &block.instructions {
            // A value may take the place of an operand of the instruction that makes it.
            at += 1;
            located.instruction.reads(|register| touch(register, 2 * at));
            located.instruction.writes().into_iter().for_each(|register| touch(register, 2 * at + 1));
        }
        at += 1;
        block.exit.reads(|register| touch(register, 2 * at));
        block.exit.writes().into_iter().for_each(|register| touch(register, 2 * at + 1));
        at += 1;
        liveness::live_out(graph, &live_in, number as BlockId).iter().for_each(|register| touch(register, 2 * at));
    }
    lifetimes
}
