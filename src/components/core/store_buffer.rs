//! The store buffer of an in-order core under total store order: stores wait in it, first in first out, while the core goes on, and
//! reach the caches one after the other.
//!
//! ```text
//!   walk --store--> [ youngest ... oldest ] --lookup, one at a time--> private caches --miss--> Request
//!     '----load-----^ same address: forwarded
//! ```
//!
//! The oldest store is looked up a cycle after the one before it was performed, whatever the core does meanwhile; the write port is
//! pipelined, so that a hit takes one cycle. An atomic store (relaxed or release) binds its value when it is performed, a plain one has
//! taken effect when it was interpreted and only takes its time. Loads look into the buffer first. A read-modify-write, a `seq_cst`
//! store, a fence, the end of the thread, and an `await` that looked in vain wait until the buffer is empty. Such waits, and those for
//! a place, belong to the source line of the store that is waited for. (Owens, Sarkar and Sewell, "A better x86 memory model: x86-TSO",
//! TPHOLs 2009; Hennessy and Patterson, "Computer Architecture", 6th edition, section 5.6 on relaxed consistency and write buffers.)

use std::collections::VecDeque;

use super::run::{Pause, SLICE};
use super::{Core, Loaded, NO_ACCESS, Stage, Then};
use crate::base::address::{Address, Line};
use crate::base::time::Time;
use crate::coherence::controller::Transaction;
use crate::coherence::order::Command;
use crate::components::hierarchy::{Broken, Lookup};
use crate::components::owner::{Owner, Stack, Timeline};
use crate::components::shared::Shared;
use crate::components::trace::Kind;
use crate::program::code::SynchronisationKind;
use crate::program::interpret::{Request, perform};
use crate::program::operators::{canonical, compare};
use crate::program::tree::Order;

/// A store that waits.
#[derive(Clone, Copy, Debug)]
struct Store {
    address: Address,
    /// From 1; of a program's store 1 stands for its element.
    bytes: u16,
    line: Line,
    /// Line of the program's text.
    source: u32,
    /// Of an atomic store: what is yet to be performed.
    value: Option<Request>,
    /// Of a plain one that the prefetcher has yet to see: its number among the program's references.
    unseen: Option<u32>,
    /// The cycle at which it came.
    entered: u64,
}

/// Where the oldest store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Oldest {
    /// To be looked up, if there is one.
    Waits,
    /// Found in the caches; it leaves at this cycle.
    Leaves { at: u64, owner: Owner },
    /// Its line is on its way, or the permission to write it.
    Missed(Transaction),
    /// Its line, or a place, is taken by something that has to come or leave first.
    Blocked,
}

/// Stores between a core and its caches.
#[derive(Clone, Debug)]
pub(super) struct StoreBuffer {
    capacity: usize,
    stores: VecDeque<Store>,
    oldest: Oldest,
    /// The cycle from which the oldest may be looked up.
    free: u64,
    /// The way of the requests that the oldest made before the last.
    earlier: Option<Box<Timeline>>,
    /// Stores with a value to be performed.
    n_values: usize,
    /// The `await` at hand looked in vain, and is to look again when the buffer is empty.
    drains_first: bool,
    /// Loads that took their value from a store.
    forwarded: u64,
}

impl StoreBuffer {
    pub(super) fn new(capacity: u32) -> StoreBuffer {
        StoreBuffer {
            capacity: capacity as usize,
            stores: VecDeque::new(),
            oldest: Oldest::Waits,
            free: 0,
            earlier: None,
            n_values: 0,
            drains_first: false,
            forwarded: 0,
        }
    }

    /// A phase begins.
    pub(super) fn begin(&mut self) {
        *self = StoreBuffer::new(self.capacity as u32);
    }

    pub(super) fn forwarded(&self) -> u64 {
        self.forwarded
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stores.is_empty()
    }

    /// Whether the oldest store waits for this line.
    pub(super) fn awaits(&self, line: Line) -> bool {
        matches!(self.oldest, Oldest::Missed(_)) && self.stores.front().is_some_and(|store| store.line == line)
    }

    /// Whether a store goes on by itself, whatever the core waits for.
    pub(super) fn goes_on(&self) -> bool {
        match self.oldest {
            Oldest::Waits => !self.stores.is_empty(),
            Oldest::Leaves { .. } => self.stores.len() > 1,
            Oldest::Missed(_) | Oldest::Blocked => false,
        }
    }

    /// Whether what the oldest store waits for [ends unannounced](Transaction::ends_unannounced).
    pub(super) fn ends_unannounced(&self) -> bool {
        matches!(self.oldest, Oldest::Missed(transaction) if transaction.ends_unannounced())
    }

    /// The cycle of the oldest store's lookup.
    fn next_lookup(&self) -> Option<u64> {
        let store = self.stores.front().filter(|_| self.oldest == Oldest::Waits)?;
        Some(store.entered.max(self.free))
    }

    /// The oldest store leaves at a cycle.
    fn leave(&mut self, cycle: u64) {
        self.stores.pop_front();
        self.oldest = Oldest::Waits;
        self.free = cycle;
        self.earlier = None;
    }

    fn push(&mut self, store: Store) {
        self.n_values += usize::from(store.value.is_some());
        self.stores.push_back(store);
    }

    /// The youngest store to an address.
    fn youngest(&self, address: Address) -> Option<Store> {
        self.stores.iter().rev().find(|store| store.address == address).copied()
    }

    /// Whether a load of some bytes finds all of them in the youngest store that has any; `None` where no store has.
    fn covers(&self, address: Address, bytes: u16) -> Option<bool> {
        let end = address + u64::from(bytes);
        let overlaps = |store: &&Store| store.address < end && address < store.address + u64::from(store.bytes);
        let store = self.stores.iter().rev().find(overlaps)?;
        Some(store.address <= address && end <= store.address + u64::from(store.bytes))
    }

    /// The value of the oldest store takes effect.
    fn bind(&mut self, shared: &mut Shared) {
        if let Some(request) = self.stores.front_mut().and_then(|store| store.value.take()) {
            perform(&request, &mut shared.memory);
            self.n_values -= 1;
        }
    }
}

impl Core {
    fn buffer(&mut self) -> &mut StoreBuffer {
        self.buffer.as_mut().expect("only cores with a store buffer come here")
    }

    /// Whether stores wait.
    pub(super) fn has_buffered(&self) -> bool {
        self.buffer.as_ref().is_some_and(|buffer| !buffer.is_empty())
    }

    /// Goes on until a lookup, of the thread or of a store that waits, would be at cycle `limit` or later, or something keeps both.
    pub(super) fn advance_buffered(&mut self, shared: &mut Shared, limit: u64, now: Time) -> Pause {
        let pause = self.advance_thread(shared, limit, now);
        let until = match pause {
            Pause::Until(cycle) | Pause::At(cycle) => cycle,
            Pause::Blocked => u64::MAX,
            _ => return pause,
        };
        if self.has_prefetches() {
            // What the thread asks for beforehand leaves at its own cycle, not at that of what stores ask for.
            return Pause::Prefetch;
        }
        match self.drain_until(until, shared, limit) {
            // A lookup before the thread's next, but too late for now.
            Some(Pause::Until(cycle)) => Pause::Until(cycle.min(until)),
            Some(other) => other,
            None => pause,
        }
    }

    fn advance_thread(&mut self, shared: &mut Shared, limit: u64, now: Time) -> Pause {
        let program = std::rc::Rc::clone(&self.program);
        let mut slice = SLICE;
        loop {
            let pause = match self.stage {
                Stage::Step if slice == 0 => Some(Pause::At(self.cycle)),
                Stage::Step => {
                    slice -= 1;
                    if self.enter_block_buffered(&program, shared) {
                        self.finish_block_buffered(&program, shared, limit)
                    } else {
                        Some(Pause::Interrupted)
                    }
                }
                Stage::References => self.finish_block_buffered(&program, shared, limit),
                Stage::Synchronise(request) => self.synchronise_buffered(request, shared, limit, now),
                Stage::Ending => self.drain(shared, limit).or_else(|| {
                    self.stage = Stage::Arriving;
                    Some(Pause::Finished)
                }),
                Stage::Arriving => Some(Pause::Finished),
                _ => Some(Pause::Blocked),
            };
            if let Some(pause) = pause {
                return pause;
            }
        }
    }

    /// Interprets the next block. The thread sees what it has stored, also where it is yet to be performed.
    fn enter_block_buffered(&mut self, program: &Loaded, shared: &mut Shared) -> bool {
        if self.buffer().n_values == 0 {
            return self.enter_block(program, shared);
        }
        let values: Vec<Request> = self.buffer().stores.iter().filter_map(|store| store.value).collect();
        let (goes_on, overwritten) = self.enter_block_behind(&values, program, shared);
        let buffer = self.buffer();
        for store in buffer.stores.iter_mut().filter(|store| overwritten.contains(&store.address)) {
            buffer.n_values -= usize::from(store.value.take().is_some());
        }
        goes_on
    }

    /// Interprets the next block, for a thread that sees the values of its stores that are yet to be performed, oldest first. Returns
    /// whether the program can go on, and the addresses of those that a plain store of the thread came behind: that is what stays.
    pub(super) fn enter_block_behind(&mut self, values: &[Request], program: &Loaded, shared: &mut Shared) -> (bool, Vec<Address>) {
        let mut own: Vec<(Request, u64)> = Vec::new();
        for &request in values {
            let before = own.iter().find(|(other, _)| other.address == request.address).map(|&(_, before)| before);
            own.retain(|(other, _)| other.address != request.address);
            own.push((request, before.unwrap_or_else(|| shared.memory.load(request.element, request.address))));
            shared.memory.store(request.element, request.address, canonical(request.element, request.operand));
        }
        let goes_on = self.enter_block(program, shared);
        let mut overwritten = Vec::new();
        for (request, before) in own {
            let (element, address) = (request.element, request.address);
            if shared.memory.load(element, address) == canonical(element, request.operand) {
                shared.memory.store(element, address, before);
            } else {
                overwritten.push(address);
            }
        }
        (goes_on, overwritten)
    }

    fn finish_block_buffered(&mut self, program: &Loaded, shared: &mut Shared, limit: u64) -> Option<Pause> {
        while !self.fetching.is_empty() {
            if let Some(pause) = self.fetch_buffered(shared, limit) {
                return Some(pause);
            }
        }
        if let Some(pause) = self.walk_buffered(program, shared, limit) {
            return Some(pause);
        }
        self.cycle = self.cycle.wrapping_add(u64::from(program.table.blocks[self.block as usize].tail));
        match self.then {
            Then::Finish => {
                self.stage = Stage::Ending;
                None
            }
            _ => self.leave_block(shared),
        }
    }

    /// Fetches the next line of the block's instructions.
    fn fetch_buffered(&mut self, shared: &mut Shared, limit: u64) -> Option<Pause> {
        let cycle = self.cycle;
        if cycle >= limit {
            return Some(Pause::Until(cycle));
        }
        if let Some(pause) = self.drain_until(cycle, shared, limit) {
            return Some(pause);
        }
        let pause = self.fetch_coherent(self.fetching.start, shared, limit);
        if pause.is_none() {
            self.fetched();
        }
        pause
    }

    /// Makes the references of the block in progress.
    fn walk_buffered(&mut self, program: &Loaded, shared: &mut Shared, limit: u64) -> Option<Pause> {
        while self.next < self.end {
            let reference = program.table.references[self.next as usize];
            let paid = u64::from(reference.cycles);
            let at = self.cycle.wrapping_add(paid);
            let address = self.context.addresses[(self.next - self.first) as usize];
            if at >= limit {
                return Some(Pause::Until(at));
            }
            if let Some(pause) = self.drain_until(at, shared, limit) {
                return Some(pause);
            }
            let at = match self.translate(address, at, None, shared, limit) {
                Ok(at) => at,
                Err(pause) => return Some(pause),
            };
            self.set_translated(true);
            let line = self.caches.as_ref()?.line(address);
            let bytes = self.bytes_in_progress();
            if reference.write {
                match self.make_room(at, paid) {
                    None => {}
                    Some(Ok(())) => continue,
                    Some(Err(pause)) => return Some(pause),
                }
                let unseen = Some(self.instruction_in_progress());
                self.buffer().push(Store { address, bytes, line, source: reference.line, value: None, unseen, entered: at });
                self.cycle = at;
            } else if let Some(covered) = self.buffer().covers(address, bytes) {
                if !covered {
                    // Of references in a trace: a part of what is wanted is in the buffer, so the load waits until that has left.
                    self.cycle = at.wrapping_sub(paid);
                    if let Some(pause) = self.wait_for_oldest(shared, limit) {
                        return Some(pause);
                    }
                    continue;
                }
                self.buffer().forwarded += 1;
                self.cycle = at + self.costs.inner;
            } else if self.buffer().awaits(line) {
                return Some(self.wait_for_store(at, paid));
            } else if !self.careful && self.caches.as_mut()?.touch(line, false) {
                self.cycle = at + self.costs.inner;
            } else if let Some(pause) = self.look_up(address, false, at, None, shared, limit) {
                self.next += u32::from(matches!(pause, Pause::Leave { .. } | Pause::Prefetch));
                return Some(pause);
            }
            self.set_translated(false);
            self.next += 1;
        }
        None
    }

    /// Makes a synchronising operation, or says why it has to wait.
    fn synchronise_buffered(&mut self, request: Request, shared: &mut Shared, limit: u64, now: Time) -> Option<Pause> {
        let paid = self.costs.atomic;
        let at = self.cycle.wrapping_add(paid);
        let is_load = matches!(request.kind, SynchronisationKind::Load | SynchronisationKind::Await(_));
        let is_weak_store = request.kind == SynchronisationKind::Store && request.order != Order::SequentiallyConsistent;
        if !is_weak_store && (!is_load || self.buffer().drains_first) {
            if let Some(pause) = self.drain(shared, limit) {
                return Some(pause);
            }
            self.buffer().drains_first = false;
            return self.synchronise(request, shared, limit, now);
        }
        if at >= limit {
            return Some(Pause::Until(at));
        }
        if let Some(pause) = self.drain_until(at, shared, limit) {
            return Some(pause);
        }
        let at = match self.translate(request.address, at, Some(request), shared, limit) {
            Ok(at) => at,
            Err(pause) => return Some(pause),
        };
        self.set_translated(true);
        let line = self.caches.as_ref()?.line(request.address);
        if is_weak_store {
            if let Some(changed) = self.make_room(at, paid) {
                return changed.err();
            }
            let source = self.source_line_of(Some(request));
            let (address, value) = (request.address, Some(request));
            self.buffer().push(Store { address, bytes: 1, line, source, value, unseen: None, entered: at });
            self.set_translated(false);
            self.cycle = at;
            self.program.interpreter.resume(&mut self.context, 0);
            self.stage = Stage::Step;
            return None;
        }
        match self.buffer().youngest(request.address) {
            Some(store) => self.forward(request, store, at, shared),
            None if self.buffer().awaits(line) => return Some(self.wait_for_store(at, paid)),
            None => {
                self.cycle = at.wrapping_sub(paid);
                return self.synchronise(request, shared, limit, now);
            }
        }
        self.set_translated(false);
        None
    }

    /// A synchronising load takes its value from a store of its own thread.
    fn forward(&mut self, request: Request, store: Store, at: u64, shared: &Shared) {
        let element = request.element;
        let value = match store.value {
            Some(store) => canonical(element, store.operand),
            None => canonical(element, shared.memory.load(element, request.address)),
        };
        self.buffer().forwarded += 1;
        self.cycle = at + self.costs.inner;
        match request.kind {
            SynchronisationKind::Await(comparison) if !compare(element, comparison, value, request.operand) => {
                self.look_again_when_empty(request);
            }
            _ => {
                self.program.interpreter.resume(&mut self.context, value);
                self.stage = Stage::Step;
            }
        }
    }

    /// An `await` looked in vain while stores wait, which others may be waiting for: it looks again behind them.
    pub(super) fn look_again_when_empty(&mut self, request: Request) {
        let cycles = self.costs.branch + self.costs.atomic;
        let line = self.source_line_of(Some(request));
        self.account.spin(self.block, line, 0, cycles);
        self.cycle += self.costs.branch;
        self.buffer().drains_first = true;
        self.stage = Stage::Synchronise(request);
    }

    /// Makes the lookups of stores up to a cycle, as far as they come before `limit`.
    pub(super) fn drain_until(&mut self, until: u64, shared: &mut Shared, limit: u64) -> Option<Pause> {
        loop {
            let buffer = self.buffer();
            match (buffer.oldest, buffer.next_lookup()) {
                // What comes behind its leaving is to find it here: others may come in between.
                (Oldest::Leaves { at, .. }, _) if at <= until && at >= limit => {
                    return buffer.goes_on().then_some(Pause::Until(at));
                }
                (Oldest::Leaves { at, .. }, _) if at <= until => buffer.leave(at),
                (_, Some(cycle)) if cycle <= until => {
                    if cycle >= limit {
                        return Some(Pause::Until(cycle));
                    }
                    if let Some(pause) = self.look_up_store(cycle, shared) {
                        return Some(pause);
                    }
                }
                _ => return None,
            }
        }
    }

    /// The thread waits until no store is left.
    fn drain(&mut self, shared: &mut Shared, limit: u64) -> Option<Pause> {
        while self.has_buffered() {
            if let Some(pause) = self.wait_for_oldest(shared, limit) {
                return Some(pause);
            }
        }
        None
    }

    /// The thread waits until the oldest store leaves, or is looked up.
    fn wait_for_oldest(&mut self, shared: &mut Shared, limit: u64) -> Option<Pause> {
        let cycle = self.cycle;
        if cycle >= limit {
            return Some(Pause::Until(cycle));
        }
        let until = self.buffer().next_lookup().map_or(cycle, |lookup| lookup.max(cycle));
        if let Some(pause) = self.drain_until(until, shared, limit) {
            return Some(pause);
        }
        match self.buffer().oldest {
            Oldest::Leaves { at, owner } => self.charge_store(at, None, owner),
            Oldest::Missed(_) | Oldest::Blocked => return Some(self.wait_for_store(cycle, 0)),
            Oldest::Waits => {}
        }
        None
    }

    /// Whether there is a place for one more store at a cycle, before which the operation has `paid` its own cost: `None`. Otherwise the
    /// core has moved on to when there could be one, or has to wait.
    fn make_room(&mut self, at: u64, paid: u64) -> Option<Result<(), Pause>> {
        let buffer = self.buffer();
        if buffer.stores.len() < buffer.capacity {
            return None;
        }
        let (until, owner) = match (buffer.oldest, buffer.next_lookup()) {
            (Oldest::Leaves { at, owner }, _) => (at, owner),
            (_, Some(lookup)) => (lookup, Owner::L1d),
            _ => return Some(Err(self.wait_for_store(at, paid))),
        };
        self.cycle = at;
        self.charge_store(until, None, owner);
        self.cycle = self.cycle.wrapping_sub(paid);
        Some(Ok(()))
    }

    /// From a cycle on the thread waits for the oldest store, after an operation has paid its own cost.
    fn wait_for_store(&mut self, at: u64, paid: u64) -> Pause {
        self.cycle = at;
        self.stage = Stage::Draining { paid };
        Pause::Blocked
    }

    /// The core's time up to a cycle belongs to the oldest store: to what its request met, else to `owner`.
    fn charge_store(&mut self, until: u64, timeline: Option<&Timeline>, owner: Owner) {
        let Some(cycles) = until.checked_sub(self.cycle).filter(|&cycles| cycles > 0) else { return };
        let (from, to) = (self.clock.edge(self.cycle), self.clock.edge(until));
        let buffer = self.buffer();
        let source = buffer.stores.front().map_or(0, |store| store.source);
        let mut stack = Stack::default();
        let ways = buffer.earlier.as_deref().into_iter().chain(timeline);
        let known = ways.fold(Time::ZERO, |known, way| known + way.overlap(from, to, &mut stack));
        stack.add(owner, (to - from).saturating_sub(known));
        self.account.stall(source, cycles, |into| into.merge(&stack));
        self.cycle = until;
    }

    /// The oldest store is looked up at a cycle.
    fn look_up_store(&mut self, cycle: u64, shared: &mut Shared) -> Option<Pause> {
        let store = *self.buffer().stores.front()?;
        let line = store.line;
        let is_late = self.store_finds_on_its_way(line);
        let is_wanted = matches!(self.stage, Stage::Waiting(pending) if pending.line == line);
        if is_late || is_wanted {
            self.buffer().oldest = Oldest::Blocked;
            let asks = is_late && self.foresee_store(None, cycle, shared);
            return asks.then_some(Pause::Prefetch);
        }
        let found = match !self.careful && self.caches.as_mut()?.touch(line, true) {
            true => Lookup::Hit(0),
            false => match self.look_into_caches((store.address, store.bytes, store.source), true, cycle, shared)? {
                Ok(found) => found,
                Err(pause) => return Some(pause),
            },
        };
        let asks = found != Lookup::Stall && self.foresee_store(Some(found), cycle, shared);
        let leaves = self.caches.as_ref()?.is_leaving();
        match found {
            Lookup::Hit(depth) => {
                let further = self.levels.further(Kind::Write, depth + 1);
                let (owner, cycles) = further.fold((Owner::L1d, 0), |(_, sum), (owner, cycles)| (owner, sum + cycles));
                let buffer = self.buffer();
                buffer.bind(shared);
                buffer.oldest = Oldest::Leaves { at: cycle + 1 + cycles, owner };
                if leaves {
                    return Some(Pause::Leave { cycle: cycle + self.levels.all(Kind::Write) });
                }
            }
            Lookup::Stall => self.buffer().oldest = Oldest::Blocked,
            Lookup::Ask(transaction) => {
                self.buffer().oldest = Oldest::Missed(transaction);
                let cycle = cycle + self.levels.all(Kind::Write);
                return Some(Pause::Ask { command: Command::Coherent(transaction), line, cycle });
            }
        }
        asks.then_some(Pause::Prefetch)
    }

    /// The prefetcher sees the oldest store, where it has not. Whether anything is to be asked for.
    fn foresee_store(&mut self, found: Option<Lookup>, cycle: u64, shared: &mut Shared) -> bool {
        let Some(store) = self.buffer().stores.front_mut() else { return false };
        let address = store.address;
        let Some(instruction) = store.unseen.take() else { return false };
        self.foresee_in_order((instruction, address), found, cycle, shared)
    }

    /// The line of the oldest store is there, or the next transaction that it takes is returned.
    pub(super) fn complete_store(
        &mut self,
        (transaction, line, is_shared, version): (Transaction, Line, bool, u64),
        time: Time,
        shared: &mut Shared,
    ) -> Result<Option<Transaction>, Broken> {
        let Some(caches) = &mut self.caches else { return Ok(None) };
        let mut observer = shared.observe(self.number, time, NO_ACCESS);
        let next = caches.complete(line, transaction, is_shared, version, &mut observer)?;
        let (cycle, edge) = self.clock.first_edge(time);
        let mut timeline = shared.timelines[usize::from(self.number)].end(line);
        timeline.mark(Owner::Network, edge);
        let buffer = self.buffer();
        if let Some(transaction) = next {
            buffer.oldest = Oldest::Missed(transaction);
            buffer.earlier = Some(Box::new(timeline));
            return Ok(next);
        }
        buffer.bind(shared);
        self.thread_goes_on(cycle, Some(&timeline), Owner::L1d);
        self.buffer().leave(cycle);
        Ok(None)
    }

    /// What the oldest store could have waited for has come or left.
    pub(super) fn unblock_store(&mut self, now: Time) {
        let cycle = self.clock.cycle_at_or_after(now);
        if self.buffer.as_ref().is_some_and(|buffer| buffer.oldest == Oldest::Blocked) {
            self.thread_goes_on(cycle, None, Owner::Queue);
            let buffer = self.buffer();
            buffer.oldest = Oldest::Waits;
            buffer.free = buffer.free.max(cycle);
        }
    }

    /// The thread, where it waited for the oldest store, goes on at a cycle.
    fn thread_goes_on(&mut self, cycle: u64, timeline: Option<&Timeline>, owner: Owner) {
        let Stage::Draining { paid } = self.stage else { return };
        self.charge_store(cycle, timeline, owner);
        self.cycle = self.cycle.wrapping_sub(paid);
        self.stage = match self.then {
            _ if self.next < self.end => Stage::References,
            Then::Synchronise(request) => Stage::Synchronise(request),
            _ => Stage::Ending,
        };
    }
}
