//! The window of an out-of-order core: operations between dispatch and commit, each with the cycles at which things happen to it.
//!
//! ```text
//!   dispatch            wait for operands       unit of its class       (loads) lookup          commit
//!   in order,     -->   and for a unit     -->  latency of the     -->  in the caches,    -->   in order, `width` a cycle
//!   `width` a cycle                             class                   or from a store         stores: into the store buffer,
//!        ^                                                              before it               from there to the cache in order
//!        '-- a place in the window, in the load or store queue; after a mispredicted branch: its outcome and the penalty
//! ```
//!
//! A model in the style of instruction-window-centric simulation (Carlson, Heirman, Eyerman, Hur and Eeckhout, "An evaluation of
//! high-level mechanistic core models", ACM TACO 11(3), 2014): no pipeline stage is stepped; an operation's cycles follow from those
//! of the operations it depends on as soon as these are known. Only lookups in the caches happen one by one, in the order of their
//! cycles, because others may take lines away in between. Addresses and branch outcomes come from the interpreter, so that loads pass
//! older stores to other addresses (perfect memory disambiguation), and wrong paths are not fetched.
//!
//! Everything is a pure function of what the caches answer and when: no event, no channel. `core` drives it.

mod account;
mod entry;
mod operations;
mod places;
mod queue;
mod stores;

use super::supply::{Late, Source, Supply};
use super::units::Units;
use crate::base::address::Address;
use crate::base::time::Clock;
use crate::components::lookups::Lookups;
use crate::components::owner::{Owner, Stack, Timeline};
use crate::components::spec::{CoreSpec, OutOfOrderSpec};
use crate::program::code::{OperationClass, ZERO};

pub use account::WindowAccount;
use entry::{Answer, Entries, Entry, OPERANDS};
pub use operations::{Kind, Operation, OperationTable};
use places::{Pace, Places};
pub use queue::Lookup;
use queue::LookupQueue;
use stores::{Store, Stores};

/// A cycle that is not known yet.
const UNKNOWN: u64 = u64::MAX;

/// When a register's value is there.
#[derive(Clone, Copy, Debug)]
enum Value {
    At(u64),
    /// When this operation is done.
    Of(u64),
}

/// What an operation that is dispatched waits for.
struct Needs {
    /// Cycle at which all operands that are known are there.
    cycle: u64,
    /// Operands not known yet.
    missing: u8,
}

impl Needs {
    /// An operand of the operation at a place is a value.
    #[inline]
    fn add(&mut self, entries: &mut Entries, value: Value, (place, operand): (usize, usize)) {
        match value {
            Value::At(cycle) => self.cycle = self.cycle.max(cycle),
            Value::Of(producer) => {
                entries.depend(place, operand, entries.place(producer));
                self.missing += 1;
            }
        }
    }
}

/// The window.
#[derive(Clone, Debug)]
pub struct Window {
    width: u32,
    misprediction_cycles: u64,
    latencies: [u64; OperationClass::ALL.len()],
    clock: Clock,
    /// Cycles from a lookup to the answer of each level, the first one's first.
    reach: Vec<u64>,

    units: [Units; OperationClass::ALL.len()],
    registers: Vec<Value>,
    entries: Entries,
    /// Of loads that missed, by entry.
    timelines: Box<[Timeline]>,
    /// From which cycle to which an operation waited for its translation, by entry; empty where translation takes no time.
    translations: Box<[(u64, u64)]>,
    /// Numbered as operations are: from the oldest that has not been committed to the next to be dispatched.
    window: Places,
    loads: Places,
    stores: Places,
    buffer: Places,
    dispatch: Pace,
    commit: Pace,
    /// No dispatch before this cycle, and the mispredicted branch that says until when.
    front: u64,
    redirect: Option<u64>,
    supply: Supply,
    /// When the last lookup of instructions in all levels was over.
    asked: u64,
    lookups: LookupQueue,
    pending: Stores,
    /// Cycle of the last store's lookup.
    last_store_lookup: u64,
    /// Places of entries whose operands have all come to be known.
    work: Vec<usize>,
    account: WindowAccount,
}

impl Window {
    /// An empty window for a program with so many registers and source lines.
    pub fn new(core: &CoreSpec, spec: &OutOfOrderSpec, lookups: &Lookups, n_registers: usize, n_lines: u32) -> Window {
        let entries = Entries::new(spec.window);
        Window {
            width: spec.width,
            misprediction_cycles: u64::from(spec.misprediction_cycles),
            latencies: core.costs.map(u64::from),
            clock: core.clock,
            reach: lookups.reach(),
            units: spec.units.map(|class| Units::new(class.units, u64::from(class.interval))),
            registers: vec![Value::At(0); n_registers],
            timelines: vec![Timeline::default(); entries.len()].into(),
            entries,
            translations: Box::default(),
            window: Places::new(spec.window),
            loads: Places::new(spec.load_queue),
            stores: Places::new(spec.store_queue),
            buffer: Places::new(spec.store_buffer),
            dispatch: Pace::from(0),
            commit: Pace::from(0),
            front: 0,
            redirect: None,
            supply: Supply::default(),
            asked: 0,
            lookups: LookupQueue::default(),
            pending: Stores::new(),
            last_store_lookup: 0,
            work: Vec::new(),
            account: WindowAccount::new(n_lines as usize),
        }
    }

    /// Addresses are to be translated: [`Lookup::Address`].
    pub fn translate(&mut self) {
        self.translations = vec![(0, 0); self.entries.len()].into();
    }

    /// Counters start anew.
    pub fn reset_account(&mut self) {
        self.account = WindowAccount::new(self.account.worked.len());
    }

    /// What was counted.
    pub fn account(&self) -> &WindowAccount {
        &self.account
    }

    /// Goes on at a cycle with nothing in the window: after an operation that waited for that.
    pub fn resume(&mut self, cycle: u64) {
        self.dispatch = Pace::from(cycle);
        self.commit = Pace::from(cycle);
        if self.pending.is_empty() {
            self.pending.last_left = cycle;
        }
    }

    /// The first cycle at which there is room for an operation; `None` where that is not known.
    #[inline]
    pub fn room(&self, kind: Kind) -> Option<u64> {
        let window = self.window.next();
        let room = match kind {
            Kind::Load => window.max(self.loads.next()),
            Kind::Store => window.max(self.stores.next()),
            Kind::Compute | Kind::Branch { .. } => window,
        };
        (room != UNKNOWN && self.redirect.is_none()).then_some(room)
    }

    /// Dispatches an operation, for which there is room from a cycle on; `address` of its access, `foretold` whether a branch was.
    #[inline]
    pub fn dispatch(&mut self, operation: &Operation, room: u64, address: Address, foretold: bool) {
        let front = if self.front > self.dispatch.cycle { self.front } else { 0 };
        let cycle = self.dispatch.take(room.max(front).max(self.supply.until()), self.width);
        let id = self.window.take();
        self.supply.dispatched(id);
        let place = self.entries.place(id);
        self.entries.unlink(place);
        let mut needs = Needs { cycle: cycle + 1, missing: 0 };
        for (operand, register) in operation.read() {
            needs.add(&mut self.entries, self.registers[usize::from(register)], (place, operand));
        }
        let (mut answer, mut number) = (Answer::Nothing, 0);
        match operation.kind {
            Kind::Load => {
                self.loads.take();
                if let Some(value) = self.forward(address) {
                    answer = Answer::Found(0);
                    needs.add(&mut self.entries, value, (place, OPERANDS - 1));
                }
            }
            Kind::Store => {
                number = self.stores.take();
                self.pending.push(Store::new(address, operation.address, operation.line, id));
            }
            Kind::Branch { .. } => self.account.branches += 1,
            Kind::Compute => {}
        }
        if let Some(translation) = self.translations.get_mut(place) {
            *translation = (0, 0);
        }
        let entry = Entry {
            ready: UNKNOWN,
            operands: needs.cycle,
            looked: 0,
            front,
            address,
            number,
            line: operation.line,
            instruction: operation.address,
            to: operation.to,
            kind: operation.kind,
            class: operation.class,
            answer,
            missing: needs.missing,
        };
        *self.entries.at_mut(place) = entry;
        // Nothing waits for it yet: what follows from its result, where that is known, is said here.
        let ready = if needs.missing == 0 { self.start(place, id, &entry) } else { UNKNOWN };
        if operation.to != ZERO {
            self.registers[usize::from(operation.to)] = if ready == UNKNOWN { Value::Of(id) } else { Value::At(ready) };
        }
        if !foretold {
            self.mispredict(id, ready);
        }
        if ready != UNKNOWN {
            self.entries.at_mut(place).ready = ready;
            if self.window.oldest() == id {
                self.commit();
            }
        }
    }

    /// The value of the youngest store before a load to the same address.
    #[inline]
    fn forward(&mut self, address: Address) -> Option<Value> {
        let store = self.pending.youngest(address)?;
        self.account.forwarded += 1;
        Some(if store.ready == UNKNOWN { Value::Of(store.id) } else { Value::At(store.ready) })
    }

    /// What follows a branch waits for its outcome, which is there at a cycle.
    #[cold]
    fn mispredict(&mut self, id: u64, ready: u64) {
        self.account.mispredictions += 1;
        if ready == UNKNOWN {
            self.redirect = Some(id);
        } else {
            self.front = ready + self.misprediction_cycles;
        }
    }

    /// An operation has all its operands. Returns when its result is there, where that is known.
    #[inline(always)]
    fn start(&mut self, place: usize, id: u64, &Entry { kind, class, operands, answer, number, .. }: &Entry) -> u64 {
        let executed = self.units[class as usize].start(operands) + self.latencies[class as usize];
        match kind {
            Kind::Compute | Kind::Branch { .. } => executed,
            Kind::Load | Kind::Store if answer == Answer::Nothing && !self.translations.is_empty() => {
                self.lookups.push(executed, Lookup::Address(id));
                UNKNOWN
            }
            Kind::Load if answer == Answer::Nothing => {
                self.lookups.push(executed, Lookup::Load(id));
                UNKNOWN
            }
            Kind::Load => {
                self.entries.at_mut(place).looked = executed;
                executed + self.reach[0]
            }
            Kind::Store => {
                self.pending.is_ready(number, executed);
                executed
            }
        }
    }

    /// An address that was looked for `since` a cycle is translated at another. Returns the lookup in the caches that can be made at
    /// once, where the two are one.
    pub fn translated(&mut self, id: u64, since: u64, cycle: u64) -> Option<Lookup> {
        let place = self.entries.place(id);
        self.translations[place] = (since, cycle);
        let &Entry { kind, number, .. } = self.entries.at(place);
        if kind == Kind::Store {
            self.pending.is_ready(number, cycle);
            self.settle(id, cycle);
            return None;
        }
        if cycle == since {
            return Some(Lookup::Load(id));
        }
        self.look_again(Lookup::Load(id), cycle);
        None
    }

    /// An operation's result is there at a cycle: starts what waited for it alone, and what follows from that; then commits.
    fn settle(&mut self, id: u64, ready: u64) {
        self.resolve(id, ready);
        let mut done = 0;
        while done < self.work.len() {
            let place = self.work[done];
            done += 1;
            let id = self.entries.id(place, self.window.oldest());
            let entry = *self.entries.at(place);
            let ready = self.start(place, id, &entry);
            if ready != UNKNOWN {
                self.resolve(id, ready);
            }
        }
        self.work.clear();
        self.commit();
    }

    #[inline]
    fn resolve(&mut self, id: u64, ready: u64) {
        let place = self.entries.place(id);
        let register = &mut self.registers[usize::from(self.entries.at(place).to)];
        if matches!(*register, Value::Of(producer) if producer == id) {
            *register = Value::At(ready);
        }
        self.entries.resolve(place, ready, |dependent| self.work.push(dependent));
        if self.redirect == Some(id) {
            self.redirect = None;
            self.front = ready + self.misprediction_cycles;
        }
    }

    /// Commits what can be committed.
    fn commit(&mut self) {
        while self.window.oldest() < self.window.newest() {
            let place = self.entries.place(self.window.oldest());
            let &Entry { kind, ready, .. } = self.entries.at(place);
            if ready == UNKNOWN {
                return;
            }
            let mut earliest = ready;
            if kind == Kind::Store {
                if self.buffer.next() == UNKNOWN {
                    return;
                }
                earliest = earliest.max(self.buffer.next());
            }
            let before = self.commit.cycle;
            let cycle = self.commit.take(earliest, self.width);
            if cycle > before {
                self.charge(place, before, cycle);
            }
            self.window.release(cycle);
            match kind {
                Kind::Load => self.loads.release(cycle),
                Kind::Store => {
                    self.stores.release(cycle);
                    let number = self.buffer.take();
                    self.last_store_lookup = cycle.max(self.last_store_lookup + 1);
                    self.lookups.push(self.last_store_lookup, Lookup::Store(number));
                }
                Kind::Compute | Kind::Branch { .. } => {}
            }
        }
    }

    /// The next lookup: at which cycle, and of what.
    pub fn next_lookup(&self) -> Option<(u64, Lookup)> {
        self.lookups.next()
    }

    /// Takes the next lookup off: it is being made.
    pub fn take_lookup(&mut self) {
        self.lookups.pop();
    }

    /// Makes a lookup again at a cycle.
    pub fn look_again(&mut self, lookup: Lookup, cycle: u64) {
        self.lookups.push(cycle, lookup);
    }

    /// The address that is looked up; that of a walker's load is the walker's business.
    pub fn address(&self, lookup: Lookup) -> Address {
        match lookup {
            Lookup::Fetch | Lookup::Synchronise | Lookup::Walk(_) => 0,
            Lookup::Load(id) | Lookup::Address(id) => self.entries.of(id).address,
            Lookup::Store(number) => self.pending.get(number).address,
        }
    }

    /// Cycles from a lookup in the first level to the answer of the level at a depth.
    pub fn answer(&self, depth: usize) -> u64 {
        self.reach[depth]
    }

    /// Cycles of a lookup in every level.
    pub fn all_lookups(&self) -> u64 {
        self.reach[self.reach.len() - 1]
    }

    /// The source line of what is looked up.
    pub fn line(&self, lookup: Lookup) -> u32 {
        match lookup {
            Lookup::Fetch | Lookup::Synchronise | Lookup::Walk(_) => 0,
            Lookup::Load(id) | Lookup::Address(id) => self.entries.of(id).line,
            Lookup::Store(number) => self.pending.get(number).line,
        }
    }

    /// The instruction that looks up; `None` for a walker and the front end.
    pub fn instruction(&self, lookup: Lookup) -> Option<u32> {
        match lookup {
            Lookup::Load(id) | Lookup::Address(id) => Some(self.entries.of(id).instruction),
            Lookup::Store(number) => Some(self.pending.get(number).instruction),
            Lookup::Walk(_) | Lookup::Synchronise | Lookup::Fetch => None,
        }
    }

    /// A lookup at a cycle hit, in the level at a depth: the first is 0.
    pub fn hit(&mut self, lookup: Lookup, cycle: u64, depth: usize) {
        match lookup {
            Lookup::Load(id) => {
                let entry = self.entries.at_mut(self.entries.place(id));
                entry.looked = cycle;
                entry.answer = Answer::Found(depth as u8);
                self.settle(id, cycle + self.reach[depth]);
            }
            // The pipelined write port takes the next store a cycle later.
            Lookup::Store(number) => self.perform(number, cycle + 1 + self.reach[depth] - self.reach[0], None),
            Lookup::Address(_) | Lookup::Walk(_) | Lookup::Synchronise | Lookup::Fetch => {}
        }
    }

    /// Instructions that are to be dispatched next are to be looked up.
    pub fn fetch(&mut self) {
        let cycle = self.dispatch.cycle.max(self.front).max(self.supply.until());
        self.lookups.push(cycle, Lookup::Fetch);
    }

    /// Instructions looked up at a cycle were not in the first level: the lookups in further ones, by owner. Returns when these are over.
    pub(super) fn instructions_found(&mut self, cycle: u64, lookups: impl Iterator<Item = (Owner, u64)>) -> u64 {
        let mut at = cycle;
        for (owner, cycles) in lookups {
            self.supply.wait(Late { from: at, until: at + cycles, source: Source::Level(owner) });
            at += cycles;
        }
        self.asked = at;
        at
    }

    /// Instructions that are to be dispatched next are there at a cycle.
    pub(super) fn instructions_supplied(&mut self, cycle: u64) {
        self.supply.not_before(cycle);
    }

    /// Instructions that had to be asked for are there at a cycle.
    pub(super) fn instructions_arrived(&mut self, cycle: u64, timeline: &Timeline) {
        let from = self.asked.min(cycle);
        self.supply.wait(Late { from, until: cycle, source: Source::Request(Box::new(*timeline)) });
    }

    /// A lookup missed at a cycle: the load's timeline will be that of the request.
    pub fn missed(&mut self, lookup: Lookup, cycle: u64) {
        if let Lookup::Load(id) = lookup {
            self.entries.at_mut(self.entries.place(id)).looked = cycle;
        }
    }

    /// What a lookup missed is there at a cycle.
    pub fn arrived(&mut self, lookup: Lookup, cycle: u64, timeline: &Timeline) {
        match lookup {
            Lookup::Load(id) => {
                let place = self.entries.place(id);
                self.timelines[place] = *timeline;
                self.entries.at_mut(place).answer = Answer::Missed;
                self.settle(id, cycle);
            }
            Lookup::Store(number) => self.perform(number, cycle, Some(timeline)),
            Lookup::Address(_) | Lookup::Walk(_) | Lookup::Synchronise | Lookup::Fetch => {}
        }
    }

    /// The cache has a store at a cycle. Stores leave the buffer in order, and others can be committed.
    fn perform(&mut self, number: u64, cycle: u64, timeline: Option<&Timeline>) {
        self.pending.perform(number, cycle, timeline, |left| self.buffer.release(left));
        self.look_up_oldest();
        self.commit();
    }

    /// A synchronising store is looked up when it is the oldest: no store before it is to be performed after it.
    fn look_up_oldest(&mut self) {
        if let Some((number, cycle)) = self.pending.next_synchronising() {
            self.lookups.push(cycle, Lookup::Store(number));
        }
    }

    /// Whether it is known when there is a place in the store buffer.
    pub fn has_buffer_room(&self) -> bool {
        self.buffer.next() != UNKNOWN
    }

    /// A synchronising store of a source line, with nothing in the window, goes into the store buffer as soon from a cycle on as there is
    /// a place. Returns its number among stores, and that cycle.
    pub fn buffer_store(&mut self, address: Address, instruction: u32, line: u32, from: u64) -> (u64, u64) {
        let cycle = from.max(self.buffer.next());
        self.wait_for_stores(line, from, cycle);
        let number = self.stores.take();
        self.stores.release(cycle);
        self.buffer.take();
        self.pending.push(Store::synchronising(address, instruction, line, cycle));
        self.look_up_oldest();
        (number, cycle)
    }

    /// Whether a synchronising load takes its value from a store that waits.
    pub fn forwards(&mut self, address: Address) -> bool {
        let forwards = self.pending.youngest(address).is_some();
        self.account.forwarded += u64::from(forwards);
        forwards
    }

    /// Whether nothing is in the window.
    pub fn is_idle(&self) -> bool {
        self.window.oldest() == self.window.newest()
    }

    /// Whether nothing is in the window and every store has been performed.
    pub fn is_empty(&self) -> bool {
        self.is_idle() && self.pending.is_empty()
    }

    /// The source line of the oldest operation that has not been committed.
    pub fn oldest_line(&self) -> Option<u32> {
        if !self.is_idle() {
            return Some(self.entries.of(self.window.oldest()).line);
        }
        self.pending.oldest().map(|store| store.line)
    }

    /// The cycle of the next dispatch, as far as is known.
    pub fn cycle(&self) -> u64 {
        self.dispatch.cycle
    }

    /// Bytes of the host's memory it takes.
    pub fn footprint(&self) -> usize {
        self.entries.footprint()
            + std::mem::size_of_val(&*self.timelines)
            + self.units.iter().map(Units::footprint).sum::<usize>()
            + self.account.worked.len() * 2 * std::mem::size_of::<Stack>()
            + std::mem::size_of::<Window>()
    }
}

#[cfg(test)]
mod tests;
