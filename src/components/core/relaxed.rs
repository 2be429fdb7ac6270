//! Synchronising operations of an out-of-order core under total store order: they wait for the operations of the window before them, but
//! loads and most stores not for the store buffer.
//!
//! ```text
//!   window --empty--> store: relaxed, release ---> [ youngest ... oldest ] --looked up as the oldest--> performed: others see it
//!       '------------ load, await --same address----^
//!                         '--------other address--> lookup, MSHR                                        performed
//! ```
//!
//! Where addresses are translated, that comes first: its cycles are those of an operation of the window, walker and all.
//!
//! A synchronising store binds its value when the caches have its line and every store before it was performed; a load when its lookup
//! finds the line, or when the line comes, and it looks into the buffer first. Plain stores around them have taken effect when they were
//! interpreted and keep their pipelined lookups. A read-modify-write, a `seq_cst` store, a fence, the end of the thread, and an `await`
//! that looked in vain wait until the buffer is empty, too. (Owens, Sarkar and Sewell, "A better x86 memory model: x86-TSO", TPHOLs
//! 2009.)

use std::collections::VecDeque;

use super::misses::Miss;
use super::out_of_order::OutOfOrder;
use super::run::Pause;
use super::walks::Waiter;
use super::window::Lookup;
use super::{Core, Loaded, Stage, Then};
use crate::base::address::Address;
use crate::base::time::Time;
use crate::coherence::order::Command;
use crate::components::hierarchy::{Lookup as Found, PrivateCaches};
use crate::components::message::WORD_BYTES;
use crate::components::owner::{Owner, Stack, Timeline};
use crate::components::shared::Shared;
use crate::components::trace::Kind;
use crate::program::code::SynchronisationKind;
use crate::program::interpret::{Request, perform};
use crate::program::memory::Memory;
use crate::program::operators::{canonical, compare};
use crate::program::tree::Order;

/// A synchronising load that is being made.
#[derive(Clone, Copy, Debug)]
struct Load {
    request: Request,
    /// Cycle from which it can be looked up, and of its lookup.
    from: u64,
    looked: u64,
}

/// What a core under total store order has under way beside its window.
#[derive(Clone, Debug)]
pub(super) struct Relaxed {
    /// Stores in the buffer whose values are yet to be performed, with their numbers there, oldest first.
    values: VecDeque<(u64, Request)>,
    load: Option<Load>,
    /// The cycle from which the address of the synchronising operation at hand is looked for in the TLBs.
    sought: Option<u64>,
    /// The cycle from which that operation has its address.
    placed: Option<u64>,
    /// The `await` at hand looked in vain, and is to look again when the buffer is empty.
    drains_first: bool,
}

impl Relaxed {
    pub fn new() -> Relaxed {
        Relaxed { values: VecDeque::new(), load: None, sought: None, placed: None, drains_first: false }
    }

    /// The cache has a store: its value takes effect, where it has one.
    #[inline]
    pub fn bind(&mut self, lookup: Lookup, memory: &mut Memory) {
        if let Some((number, request)) = self.values.front()
            && lookup == Lookup::Store(*number)
        {
            perform(request, memory);
            self.values.pop_front();
        }
    }

    /// The value of the youngest store to an address that is yet to be performed.
    fn value(&self, address: Address) -> Option<u64> {
        let (_, store) = self.values.iter().rev().find(|(_, store)| store.address == address)?;
        Some(canonical(store.element, store.operand))
    }

    /// Whether a synchronising load is being made, or an address sought.
    pub fn is_looking(&self) -> bool {
        self.load.is_some() || self.sought.is_some()
    }

    /// Whether the `await` at hand has looked already; from now on it has not.
    pub fn has_looked(&mut self) -> bool {
        std::mem::take(&mut self.drains_first)
    }

    /// Whether what ends a block waits for the window alone, and not for the store buffer.
    fn passes(&self, then: Then) -> bool {
        match then {
            Then::Step | Then::Branch | Then::Message(_) | Then::Finish => false,
            Then::Busy(_) => true,
            Then::Synchronise(request) => match request.kind {
                SynchronisationKind::Store => request.order != Order::SequentiallyConsistent,
                SynchronisationKind::Load | SynchronisationKind::Await(_) => !self.drains_first,
                _ => false,
            },
        }
    }
}

/// How what ends a block passes the store buffer.
pub(super) enum Passed {
    /// It waits for something.
    Waits,
    /// The thread goes on in the window.
    GoesOn,
    /// The window is empty, at the core's local time; stores may wait.
    Leaves,
}

impl Core {
    /// Interprets the next block on a core whose synchronising stores wait.
    pub(super) fn enter_block_relaxed(&mut self, own: &mut OutOfOrder, program: &Loaded, shared: &mut Shared) -> bool {
        let Some(relaxed) = own.relaxed.as_mut().filter(|relaxed| !relaxed.values.is_empty()) else {
            return self.enter_block(program, shared);
        };
        let values: Vec<Request> = relaxed.values.iter().map(|&(_, request)| request).collect();
        let (goes_on, overwritten) = self.enter_block_behind(&values, program, shared);
        relaxed.values.retain(|(_, store)| !overwritten.contains(&store.address));
        goes_on
    }

    /// Makes what ends the block in progress, where it need not wait for the store buffer.
    pub(super) fn pass_buffer(&mut self, own: &mut OutOfOrder) -> Passed {
        let Some(relaxed) = own.relaxed.as_mut().filter(|relaxed| relaxed.passes(self.then)) else {
            return Passed::Waits;
        };
        let Then::Synchronise(request) = self.then else {
            self.cycle = own.window.committed(self.line_of_block());
            self.leave_window(own);
            return Passed::Leaves;
        };
        let line = self.program.code.sites[request.site as usize].line;
        let is_store = request.kind == SynchronisationKind::Store;
        let at = match relaxed.placed {
            Some(at) => at,
            None => {
                let from = own.window.committed(self.line_of_block()) + self.costs.atomic;
                self.account.synchronise(line, self.costs.atomic, !is_store);
                if self.translator.is_some() {
                    relaxed.sought = Some(from);
                    own.window.look_again(Lookup::Synchronise, from);
                    return Passed::GoesOn;
                }
                from
            }
        };
        if is_store {
            if !own.window.has_buffer_room() {
                relaxed.placed = Some(at);
                return Passed::Waits;
            }
            relaxed.placed = None;
            let block = self.program.code.blocks[self.block as usize];
            let (number, entered) = own.window.buffer_store(request.address, block.first + block.length - 1, line, at);
            relaxed.values.push_back((number, request));
            self.program.interpreter.resume(&mut self.context, 0);
            own.window.resume(entered);
            self.leave_window(own);
            return Passed::GoesOn;
        }
        relaxed.placed = None;
        relaxed.load = Some(Load { request, from: at, looked: at });
        own.window.look_again(Lookup::Synchronise, at);
        Passed::GoesOn
    }

    /// The synchronising operation at hand has its address at a cycle.
    pub(super) fn translated_relaxed(&mut self, own: &mut OutOfOrder, cycle: u64) {
        let (Some(relaxed), Then::Synchronise(request)) = (&mut own.relaxed, self.then) else { return };
        let Some(since) = relaxed.sought.take() else { return };
        relaxed.placed = Some(cycle);
        self.account.translation(self.source_line_of(Some(request)), cycle - since);
    }

    /// What ended the block in progress has happened, or happens outside the window.
    fn leave_window(&mut self, own: &mut OutOfOrder) {
        self.next = self.end;
        own.draining = false;
    }

    /// The synchronising load is looked up at a cycle, or the address of the operation at hand in the TLBs.
    pub(super) fn look_up_relaxed(&mut self, own: &mut OutOfOrder, cycle: u64, shared: &mut Shared) -> Option<Pause> {
        if let (Some(Relaxed { sought: Some(_), .. }), Then::Synchronise(request)) = (&own.relaxed, self.then) {
            // As for the loads in the window: what the buffer has needs no translation.
            if request.kind == SynchronisationKind::Store || !own.window.forwards(request.address) {
                if let Some(there) = self.look_for(own, request.address, Waiter::Synchronise, cycle) {
                    self.translated_relaxed(own, there);
                }
                return None;
            }
            let relaxed = own.relaxed.as_mut()?;
            (relaxed.sought, relaxed.load) = (None, Some(Load { request, from: cycle, looked: cycle }));
            return self.end_load(own, (0, cycle + self.costs.inner), None, shared);
        }
        let load = own.relaxed.as_mut()?.load.as_mut()?;
        load.looked = cycle;
        let request = load.request;
        // Nothing has come into the buffer since the address was sought.
        if self.translator.is_none() && own.window.forwards(request.address) {
            let until = cycle + self.costs.inner;
            return self.end_load(own, (0, until), None, shared);
        }
        let caches = self.caches.as_mut()?;
        let line = caches.line(request.address);
        if let Some(miss) = own.misses.find(line) {
            caches.count_merged();
            miss.waiters.push(Lookup::Synchronise);
            if let Some(prefetching) = &mut self.prefetching {
                prefetching.is_late(line);
            }
            return None;
        }
        if own.misses.n_free() == 0 && !caches.is_permitted(line, false) {
            own.misses.wait(Lookup::Synchronise, line);
            return None;
        }
        let source_line = self.source_line_of(Some(request));
        match self.look_into_caches((request.address, WORD_BYTES as u16, source_line), false, cycle, shared)? {
            Ok(Found::Hit(depth)) => {
                let pause = self.end_load(own, (depth, cycle + own.window.answer(depth)), None, shared);
                let leaves = self.caches.as_ref().is_some_and(PrivateCaches::is_leaving);
                if leaves { Some(Pause::Leave { cycle: cycle + own.window.all_lookups() }) } else { pause }
            }
            Ok(Found::Ask(transaction)) => {
                let waiters = vec![Lookup::Synchronise];
                own.misses.begin(Miss { line, write: false, fetch: false, transaction, waiters, prefetch: false });
                let cycle = cycle + own.window.all_lookups();
                Some(Pause::Ask { command: Command::Coherent(transaction), line, cycle })
            }
            Ok(Found::Stall) => {
                own.misses.stall(Lookup::Synchronise);
                None
            }
            Err(pause) => Some(pause),
        }
    }

    /// The line that the synchronising load waited for is there at a cycle.
    pub(super) fn arrived_relaxed(&mut self, own: &mut OutOfOrder, cycle: u64, timeline: &Timeline, shared: &mut Shared) {
        let looked = own.relaxed.as_ref().and_then(|relaxed| relaxed.load).map_or(0, |load| load.looked);
        // A line that was on its way already may come before the lookup of the first level is over.
        let until = cycle.max(looked + self.costs.inner);
        self.end_load(own, (usize::MAX - 1, until), Some(timeline), shared);
    }

    /// The synchronising load has its value at a cycle: out of the buffer, from the level at a depth, or from its request.
    fn end_load(
        &mut self,
        own: &mut OutOfOrder,
        (depth, until): (usize, u64),
        timeline: Option<&Timeline>,
        shared: &mut Shared,
    ) -> Option<Pause> {
        let relaxed = own.relaxed.as_mut()?;
        let load = relaxed.load.take()?;
        let request = load.request;
        self.charge_load(&load, (depth, until), timeline);
        let value = relaxed.value(request.address).unwrap_or_else(|| perform(&request, &mut shared.memory).value);
        let done = match request.kind {
            SynchronisationKind::Await(comparison) => compare(request.element, comparison, value, request.operand),
            _ => true,
        };
        own.window.resume(until);
        if done {
            self.program.interpreter.resume(&mut self.context, value);
            self.leave_window(own);
            return None;
        }
        if own.window.is_empty() {
            self.cycle = until;
            self.leave_window(own);
            self.stage = Stage::Sleeping { request, next: until + self.costs.branch + self.costs.atomic };
            return Some(Pause::Blocked);
        }
        // Others may be waiting for the stores in the buffer.
        relaxed.drains_first = true;
        let line = self.source_line_of(Some(request));
        self.account.spin(self.block, line, 0, self.costs.branch + self.costs.atomic);
        own.window.resume(until + self.costs.branch);
        None
    }

    /// The cycles of the synchronising load beyond those that every one takes.
    fn charge_load(&mut self, load: &Load, (depth, until): (usize, u64), timeline: Option<&Timeline>) {
        let line = self.source_line_of(Some(load.request));
        let waited = self.clock.edge(load.looked) - self.clock.edge(load.from);
        if load.looked > load.from {
            self.account.stall(line, load.looked - load.from, |stack| stack.add(Owner::Queue, waited));
        }
        let mut at = load.looked + self.costs.inner;
        for (owner, cycles) in self.levels.further(Kind::Read, depth + 1) {
            let cycles = cycles.min(until - at);
            self.account.further_lookup(line, owner, cycles);
            at += cycles;
        }
        if until > at {
            let (begin, end) = (self.clock.edge(at), self.clock.edge(until));
            self.account.stall(line, until - at, |into| {
                let mut stack = Stack::default();
                let known = timeline.map_or(Time::ZERO, |way| way.overlap(begin, end, &mut stack));
                stack.add(Owner::Queue, (end - begin).saturating_sub(known));
                into.merge(&stack);
            });
        }
    }
}
