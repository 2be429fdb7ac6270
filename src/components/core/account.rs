//! What a core did in a phase: how often each block ran, and what cannot be worked out from that, by source line.
//!
//! Cycles in which the core works are counted by owner, in cycles; waits are counted by owner, in picoseconds. A clock's cycles are
//! not equally long in picoseconds, so the working time as a whole, which is exact, is dealt to lines and owners by their cycles, with
//! sums rounded at each step: the shares add up to the whole exactly, and each is right to a picosecond.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::WindowAccount;
use crate::base::time::{Clock, Time};
use crate::components::block::BlockTable;
use crate::components::causes::{Cause, Causes};
use crate::components::owner::{Owner, Stack};

/// Costs of a source line beyond those of its blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineCost {
    /// Lookups in the first level that `await`s made beyond their first.
    lookups: u64,
    /// Cycles of lookups in the second level.
    outer: u64,
    /// Cycles of lookups in the levels behind it.
    last: u64,
    /// Cycles of translation.
    translation: u64,
    /// Cycles lost to mispredicted branches.
    branch: u64,
    /// Cycles of `busy`.
    busy: u64,
    /// Cycles spun.
    spinning: u64,
    /// Cycles spent on messages.
    messages: u64,
    /// Of the lookups counted with blocks and here, those that were none.
    beside: u64,
    /// Waits, by owner.
    stalls: Stack,
}

/// What a core counted in one phase.
#[derive(Clone, Debug)]
pub struct CoreAccount {
    /// How often each block ran.
    pub blocks: Vec<u64>,
    /// Conditional branches, and those foretold wrongly, of a core in order that predicts them.
    pub branches: u64,
    pub mispredictions: u64,
    /// Operations of `busy` and of spins.
    pub extra_operations: u64,
    /// Accesses that cost nothing and look into no cache, where synchronising is free.
    pub beside: u64,
    /// Lines of instructions looked up.
    pub fetches: u64,
    /// Misses of data in the first level of caches without coherence, by source line and cause.
    pub causes: FxHashMap<u32, Causes>,
    /// Accesses of spins, by block: each is one more of its synchronising operation.
    extra_accesses: FxHashMap<u32, u64>,
    lines: FxHashMap<u32, LineCost>,
    /// Cycles of all waits.
    stalled_cycles: u64,
    /// Picoseconds of all waits.
    stalled: Time,
    /// Operations not yet taken off the run's limit.
    pub(super) unspent: u64,
}

/// Totals of a core's phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub operations: u64,
    pub accesses: u64,
    pub flops: u64,
    pub bytes: u64,
}

impl Totals {
    /// Adds another core's.
    pub fn add(&mut self, other: &Totals) {
        self.operations += other.operations;
        self.accesses += other.accesses;
        self.flops += other.flops;
        self.bytes += other.bytes;
    }
}

/// A core's time by source line and owner. What belongs to no line (idle time) is under line 0.
pub type LineStacks = BTreeMap<u32, Stack>;

/// The stacks do not add up: a fault of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotConserved(pub String);

impl CoreAccount {
    pub(super) fn new(n_blocks: usize) -> CoreAccount {
        CoreAccount {
            blocks: vec![0; n_blocks],
            branches: 0,
            mispredictions: 0,
            extra_operations: 0,
            beside: 0,
            fetches: 0,
            causes: FxHashMap::default(),
            extra_accesses: FxHashMap::default(),
            lines: FxHashMap::default(),
            stalled_cycles: 0,
            stalled: Time::ZERO,
            unspent: 0,
        }
    }

    pub(super) fn reset(&mut self) {
        *self = CoreAccount::new(self.blocks.len());
    }

    fn line(&mut self, line: u32) -> &mut LineCost {
        self.lines.entry(line).or_default()
    }

    /// A wait of so many cycles of the core's clock, of which `charge` says to whom it belongs.
    pub(super) fn stall(&mut self, line: u32, cycles: u64, charge: impl FnOnce(&mut Stack)) {
        let mut stack = Stack::default();
        charge(&mut stack);
        self.stalled_cycles += cycles;
        self.stalled += stack.total();
        self.line(line).stalls.merge(&stack);
    }

    /// A synchronising operation on a core that does not count it with its block: its own cycles, and a lookup where it has a place.
    pub(super) fn synchronise(&mut self, line: u32, cycles: u64, has_place: bool) {
        let cost = self.line(line);
        cost.busy += cycles;
        cost.lookups += u64::from(has_place);
    }

    /// Accesses that cost nothing, counted with their block as any: they look into no cache.
    pub(super) fn beside(&mut self, line: u32) {
        self.beside += 1;
        self.line(line).beside += 1;
    }

    pub(super) fn missed(&mut self, line: u32, cause: Cause) {
        self.causes.entry(line).or_default()[cause as usize] += 1;
    }

    /// Overhead of sending or receiving.
    pub(super) fn message(&mut self, line: u32, cycles: u64) {
        self.line(line).messages += cycles;
    }

    /// Lookups in TLBs, and those of walks in the caches.
    pub(super) fn translation(&mut self, line: u32, cycles: u64) {
        self.line(line).translation += cycles;
    }

    /// A branch was foretold wrongly, which cost so many cycles.
    pub(super) fn misprediction(&mut self, line: u32, cycles: u64) {
        self.mispredictions += 1;
        self.line(line).branch += cycles;
    }

    /// A lookup in a level behind the first.
    pub(super) fn further_lookup(&mut self, line: u32, owner: Owner, cycles: u64) {
        match owner {
            Owner::L2 => self.line(line).outer += cycles,
            _ => self.line(line).last += cycles,
        }
    }

    pub(super) fn busy(&mut self, line: u32, operations: u64, cycles: u64) {
        self.extra_operations += operations;
        self.unspent += operations;
        self.line(line).busy += cycles;
    }

    /// An `await` looked again after `spins` lookups that hit in vain, `cycles` after it began to wait.
    pub(super) fn spin(&mut self, block: u32, line: u32, spins: u64, cycles: u64) {
        let operations = 2 * (spins + 1);
        self.extra_operations += operations;
        self.unspent = self.unspent.saturating_add(operations);
        *self.extra_accesses.entry(block).or_default() += spins + 1;
        let cost = self.line(line);
        cost.spinning += cycles;
        cost.lookups += 1;
    }

    /// Operations, accesses, float operations and bytes.
    pub fn totals(&self, table: &BlockTable, bytes_of_block: impl Fn(u32) -> u64) -> Totals {
        let mut totals = Totals { operations: self.extra_operations, ..Totals::default() };
        for (block, &count) in self.blocks.iter().enumerate() {
            totals.operations += count * u64::from(table.blocks[block].operations);
            totals.accesses += count * table.totals[block].accesses;
            totals.flops += count * table.totals[block].flops;
            totals.bytes += count * table.totals[block].bytes;
        }
        for (&block, &accesses) in &self.extra_accesses {
            totals.accesses += accesses;
            totals.bytes += accesses * bytes_of_block(block);
        }
        totals
    }

    /// The time from cycle `begin` to `end` by line and owner, for a core whose first lookup takes `inner` cycles; `window` has what an
    /// out-of-order core's window counted.
    ///
    /// # Errors
    /// Where the cycles counted are not those that passed.
    pub fn stacks(
        &self,
        table: &BlockTable,
        window: Option<&WindowAccount>,
        clock: Clock,
        inner: u64,
        (begin, end): (u64, u64),
    ) -> Result<LineStacks, NotConserved> {
        let waited_in_window = window.map_or(&[][..], |window| &window.waited);
        let windowed = waited_in_window.iter().fold(Time::ZERO, |sum, stack| sum + stack.total());
        let mut cycles: BTreeMap<(u32, Owner), u64> = BTreeMap::new();
        for (block, &count) in self.blocks.iter().enumerate().filter(|&(_, &count)| count > 0) {
            for share in table.shares(block) {
                *cycles.entry((share.line, Owner::Base)).or_default() += count * share.base;
                *cycles.entry((share.line, Owner::L1d)).or_default() += count * share.lookups * inner;
            }
        }
        for (&line, cost) in &self.lines {
            *cycles.entry((line, Owner::Base)).or_default() += cost.busy;
            *cycles.entry((line, Owner::L1d)).or_default() += cost.lookups * inner;
            *cycles.entry((line, Owner::L2)).or_default() += cost.outer;
            *cycles.entry((line, Owner::Llc)).or_default() += cost.last;
            *cycles.entry((line, Owner::Branch)).or_default() += cost.branch;
            *cycles.entry((line, Owner::Translation)).or_default() += cost.translation;
            *cycles.entry((line, Owner::Synchronisation)).or_default() += cost.spinning;
            *cycles.entry((line, Owner::Message)).or_default() += cost.messages;
        }
        for (&line, cost) in self.lines.iter().filter(|(_, cost)| cost.beside > 0) {
            let lookups = cycles.entry((line, Owner::L1d)).or_default();
            *lookups = lookups.saturating_sub(cost.beside * inner);
        }
        for (line, of_line) in (0..).zip(window.map_or(&[][..], |window| &window.worked)) {
            for ((_, owner), &count) in Owner::ALL.into_iter().zip(of_line).filter(|&(_, &count)| count > 0) {
                *cycles.entry((line, owner)).or_default() += count;
            }
        }
        let worked: u64 = cycles.values().sum();
        let waited = self.stalled_cycles + window.map_or(0, |window| window.waited_cycles);
        if worked + waited != end - begin {
            return Err(NotConserved(format!(
                "{worked} cycles of work and {waited} of waiting were counted where {} passed",
                end - begin
            )));
        }
        let time = (clock.edge(end) - clock.edge(begin)).saturating_sub(self.stalled + windowed);
        let mut stacks = LineStacks::new();
        let (mut before, mut dealt) = (0_u64, 0_u64);
        for ((line, owner), share) in cycles {
            before += share;
            let until = (u128::from(time.0) * u128::from(before) / u128::from(worked.max(1))) as u64;
            stacks.entry(line).or_default().add(owner, Time(until - dealt));
            dealt = until;
        }
        for (&line, cost) in &self.lines {
            stacks.entry(line).or_default().merge(&cost.stalls);
        }
        for (line, stack) in (0..).zip(waited_in_window).filter(|(_, stack)| stack.total() > Time::ZERO) {
            stacks.entry(line).or_default().merge(stack);
        }
        Ok(stacks)
    }

    pub(super) fn footprint(&self) -> usize {
        8 * self.blocks.len() + self.lines.len() * std::mem::size_of::<(u32, LineCost)>()
    }
}
