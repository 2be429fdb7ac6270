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

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::supply::{Late, Source, Supply};
use super::units::Units;
use crate::base::address::Address;
use crate::base::time::{Clock, Time};
use crate::components::lookups::Lookups;
use crate::components::owner::{Owner, Stack, Timeline};
use crate::components::spec::{CoreSpec, OutOfOrderSpec};
use crate::program::code::{BlockId, Code, Instruction, OperationClass, Register, ZERO};

/// A cycle that is not known yet.
const UNKNOWN: u64 = u64::MAX;
/// No dependent.
const NONE: u32 = u32::MAX;
/// Things an operation can wait for: three registers, and a store that a load takes its value from.
const OPERANDS: usize = 4;

/// What an operation is to the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Compute,
    Load,
    Store,
    /// It chooses between two blocks; `backward` where the taken one is not behind it.
    Branch {
        backward: bool,
    },
}

/// An instruction, made ready for the window.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub kind: Kind,
    pub class: OperationClass,
    /// Registers read; [`ZERO`] where there are fewer.
    pub sources: [Register; 3],
    /// The register written; [`ZERO`] for none.
    pub to: Register,
    /// Of the program's text.
    pub line: u32,
    /// Number of the instruction.
    pub address: u32,
}

/// All operations of a Code, by block.
#[derive(Clone, Debug, Default)]
pub struct OperationTable {
    operations: Vec<Operation>,
    starts: Vec<u32>,
}

impl OperationTable {
    /// Synchronising operations, `busy` and the end of a thread are not in it: they wait until the window is empty.
    pub fn new(code: &Code) -> OperationTable {
        let mut table = OperationTable { operations: Vec::new(), starts: vec![0] };
        for (number, block) in (0..).zip(&code.blocks) {
            for address in block.first..block.first + block.length {
                table.operations.extend(operation(code, number, address));
            }
            table.starts.push(table.operations.len() as u32);
        }
        table
    }

    /// The operations of a block, as numbers for [`OperationTable::get`].
    pub fn block(&self, block: BlockId) -> std::ops::Range<u32> {
        self.starts[block as usize]..self.starts[block as usize + 1]
    }

    /// One of them.
    pub fn get(&self, number: u32) -> &Operation {
        &self.operations[number as usize]
    }
}

fn operation(code: &Code, block: BlockId, address: u32) -> Option<Operation> {
    let instruction = &code.instructions[address as usize];
    let class = code.class(instruction)?;
    let (mut sources, mut n_sources) = ([ZERO; 3], 0);
    let mut read = |register| {
        sources[n_sources] = register;
        n_sources += 1;
    };
    let kind = match *instruction {
        Instruction::Synchronise { .. } => return None,
        Instruction::Branch { a, b, then, .. } => {
            read(a);
            read(b);
            Kind::Branch { backward: then <= block }
        }
        Instruction::BranchConstant { a, then, .. } => {
            read(a);
            Kind::Branch { backward: then <= block }
        }
        Instruction::Jump { .. } => Kind::Compute,
        _ => {
            instruction.reads(&mut read);
            match instruction {
                Instruction::Load { .. } => Kind::Load,
                Instruction::Store { .. } => Kind::Store,
                _ => Kind::Compute,
            }
        }
    };
    let to = if instruction.is_terminator() { None } else { instruction.writes() };
    let line = code.sites[code.instruction_sites[address as usize] as usize].line;
    Some(Operation { kind, class, sources, to: to.unwrap_or(ZERO), line, address })
}

/// What is to be looked up next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lookup {
    /// The translation of an operation's address: its number in program order.
    Address(u64),
    /// The load of an entry of the page table, by a walker.
    Walk(u32),
    /// A load: its number in program order.
    Load(u64),
    /// A store of the store buffer: its number among stores.
    Store(u64),
    /// Instructions that are to be dispatched next.
    Fetch,
}

/// How a load got its data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Answer {
    /// It has not, or it is no load.
    #[default]
    Nothing,
    /// In a store before it, or in a level of the caches: the first is 0.
    Found(u8),
    /// Its request's timeline is kept.
    Missed,
}

/// An operation in the window.
#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: Kind,
    class: OperationClass,
    answer: Answer,
    /// Operands not known yet.
    missing: u8,
    to: Register,
    line: u32,
    /// Cycle at which all operands that are known are there, dispatch included.
    operands: u64,
    /// The front end had been waiting for a branch's outcome until this cycle; 0 where it had not.
    front: u64,
    /// Cycle of the lookup.
    looked: u64,
    /// Cycle at which its result is there.
    ready: u64,
    address: Address,
    /// Number of the instruction.
    instruction: u32,
    /// Its number among loads or stores.
    number: u64,
    /// Dependents: a list of places, each `entry * OPERANDS + operand`.
    first: u32,
    last: u32,
    next: [u32; OPERANDS],
}

const EMPTY: Entry = Entry {
    kind: Kind::Compute,
    class: OperationClass::Integer,
    answer: Answer::Nothing,
    missing: 0,
    to: ZERO,
    line: 0,
    operands: 0,
    front: 0,
    looked: 0,
    ready: UNKNOWN,
    address: 0,
    instruction: 0,
    number: 0,
    first: NONE,
    last: NONE,
    next: [NONE; OPERANDS],
};

/// Places that are taken in order and given back in order, at cycles that may not be known yet.
#[derive(Clone, Debug)]
struct Places {
    /// By number modulo the places: when it is given back.
    free: Box<[u64]>,
    /// How many have been taken.
    taken: u64,
}

impl Places {
    fn new(places: u32) -> Places {
        Places { free: vec![0; places as usize].into(), taken: 0 }
    }

    fn index(&self, number: u64) -> usize {
        (number % self.free.len() as u64) as usize
    }

    /// The cycle from which the next place can be taken; [`UNKNOWN`] where that is not known.
    #[inline]
    fn next(&self) -> u64 {
        self.free[self.index(self.taken)]
    }

    #[inline]
    fn take(&mut self) -> u64 {
        let number = self.taken;
        let index = self.index(number);
        self.free[index] = UNKNOWN;
        self.taken += 1;
        number
    }

    #[inline]
    fn release(&mut self, number: u64, cycle: u64) {
        let index = self.index(number);
        self.free[index] = cycle;
    }
}

/// So many a cycle, in order.
#[derive(Clone, Copy, Debug)]
struct Pace {
    cycle: u64,
    count: u32,
}

impl Pace {
    #[inline]
    fn take(&mut self, earliest: u64, width: u32) -> u64 {
        if earliest > self.cycle {
            *self = Pace { cycle: earliest, count: 1 };
        } else if self.count == width {
            *self = Pace { cycle: self.cycle + 1, count: 1 };
        } else {
            self.count += 1;
        }
        self.cycle
    }
}

/// When a register's value is there.
#[derive(Clone, Copy, Debug)]
enum Value {
    At(u64),
    /// When this operation is done.
    Of(u64),
}

/// A store from dispatch until the cache has it.
#[derive(Clone, Copy, Debug)]
struct Store {
    address: Address,
    /// Number of the instruction.
    instruction: u32,
    line: u32,
    /// The operation's number.
    id: u64,
    /// Cycle at which a load can take its value; [`UNKNOWN`] before address and data are there.
    ready: u64,
    /// Cycle at which the cache has it.
    performed: u64,
}

/// Buckets of the filter that says whether any store could be to an address.
const BUCKETS: usize = 256;

fn bucket(address: Address) -> usize {
    (address >> 2) as usize % BUCKETS
}

/// What the window counted, and whose its cycles were.
#[derive(Clone, Debug, Default)]
pub struct WindowAccount {
    pub branches: u64,
    pub mispredictions: u64,
    /// Loads that took their value from a store before it.
    pub forwarded: u64,
    /// Cycles of the core's own, by source line and owner.
    pub worked: Vec<[u64; Owner::COUNT]>,
    /// Waits for requests, by source line.
    pub waited: Vec<Stack>,
    /// Cycles that are in `waited`.
    pub waited_cycles: u64,
}

impl WindowAccount {
    fn new(n_lines: usize) -> WindowAccount {
        let worked = vec![[0; Owner::COUNT]; n_lines];
        WindowAccount { worked, waited: vec![Stack::default(); n_lines], ..WindowAccount::default() }
    }
}

impl WindowAccount {
    /// Charges what of a wait for instructions lies between two cycles to a source line. Returns how many cycles that is.
    fn late(&mut self, line: usize, late: &Late, (begin, end): (u64, u64), clock: Clock) -> u64 {
        let (from, until) = (late.from.clamp(begin, end), late.until.clamp(begin, end));
        match &late.source {
            Source::Level(owner) => self.worked[line][*owner as usize] += until - from,
            Source::Request(timeline) => {
                let stack = &mut self.waited[line];
                let (first, last) = (clock.edge(from), clock.edge(until));
                let known = timeline.overlap(first, last, stack);
                stack.add(Owner::Dependency, (last - first).saturating_sub(known));
                self.waited_cycles += until - from;
            }
        }
        until - from
    }
}

/// The window.
#[derive(Clone, Debug)]
pub struct Window {
    spec: OutOfOrderSpec,
    latencies: [u64; OperationClass::ALL.len()],
    clock: Clock,
    /// Cycles from a lookup to the answer of each level, the first one's first.
    reach: Vec<u64>,

    units: Vec<Units>,
    registers: Vec<Value>,
    entries: Box<[Entry]>,
    /// Of loads that missed, by entry.
    timelines: Box<[Timeline]>,
    /// From which cycle to which an operation waited for its translation, by entry; empty where translation takes no time.
    translations: Box<[(u64, u64)]>,
    /// The oldest operation that has not been committed, and the next to be dispatched.
    head: u64,
    tail: u64,
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
    lookups: BinaryHeap<Reverse<(u64, Lookup)>>,
    /// Stores not yet performed, oldest first: the first is number `first_store`.
    pending_stores: VecDeque<Store>,
    first_store: u64,
    /// The timeline of each, where its line had to be asked for.
    store_timelines: VecDeque<Option<Box<Timeline>>>,
    filter: Box<[u16; BUCKETS]>,
    /// Cycle of the last store's lookup, and at which the last store left the buffer.
    last_store_lookup: u64,
    last_store_left: u64,
    /// The timeline of the store that left last, where it missed.
    last_left: Option<Box<Timeline>>,
    /// Entries whose operands are all known.
    work: Vec<u64>,
    account: WindowAccount,
}

impl Window {
    /// An empty window for a program with so many registers and source lines.
    pub fn new(core: &CoreSpec, spec: &OutOfOrderSpec, lookups: &Lookups, n_registers: usize, n_lines: u32) -> Window {
        let size = (spec.window as usize).next_power_of_two();
        Window {
            spec: spec.clone(),
            latencies: core.costs.map(u64::from),
            clock: core.clock,
            reach: lookups.reach(),
            units: spec.units.iter().map(|class| Units::new(class.units, u64::from(class.interval))).collect(),
            registers: vec![Value::At(0); n_registers],
            entries: vec![EMPTY; size].into(),
            timelines: vec![Timeline::default(); size].into(),
            translations: Box::default(),
            head: 0,
            tail: 0,
            window: Places::new(spec.window),
            loads: Places::new(spec.load_queue),
            stores: Places::new(spec.store_queue),
            buffer: Places::new(spec.store_buffer),
            dispatch: Pace { cycle: 0, count: 0 },
            commit: Pace { cycle: 0, count: 0 },
            front: 0,
            redirect: None,
            supply: Supply::default(),
            asked: 0,
            lookups: BinaryHeap::new(),
            pending_stores: VecDeque::new(),
            first_store: 0,
            store_timelines: VecDeque::new(),
            filter: Box::new([0; BUCKETS]),
            last_store_lookup: 0,
            last_store_left: 0,
            last_left: None,
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
        self.dispatch = Pace { cycle, count: 0 };
        self.commit = Pace { cycle, count: 0 };
        self.last_store_left = cycle;
    }

    #[inline]
    fn place(&self, id: u64) -> usize {
        id as usize & (self.entries.len() - 1)
    }

    /// The first cycle at which there is room for an operation; [`UNKNOWN`] where that is not known.
    #[inline]
    fn room(&self, kind: Kind) -> u64 {
        let window = self.window.next();
        match kind {
            Kind::Load => window.max(self.loads.next()),
            Kind::Store => window.max(self.stores.next()),
            Kind::Compute | Kind::Branch { .. } => window,
        }
    }

    /// Whether it is known when an operation can be dispatched.
    #[inline]
    pub fn has_room(&self, kind: Kind) -> bool {
        self.redirect.is_none() && self.room(kind) != UNKNOWN
    }

    /// Dispatches an operation for which there is room; `address` of its access, `foretold` whether a branch was.
    pub fn dispatch(&mut self, operation: &Operation, address: Address, foretold: bool) {
        let earliest = self.room(operation.kind);
        let front = if self.front > self.dispatch.cycle { self.front } else { 0 };
        let cycle = self.dispatch.take(earliest.max(front).max(self.supply.until()), self.spec.width);
        let id = self.window.take();
        self.supply.dispatched(id);
        debug_assert_eq!(id, self.tail, "operations are numbered by their places in the window");
        self.tail += 1;
        let number = match operation.kind {
            Kind::Load => self.loads.take(),
            Kind::Store => self.stores.take(),
            Kind::Compute | Kind::Branch { .. } => 0,
        };
        let place = self.place(id);
        self.entries[place] = Entry {
            kind: operation.kind,
            class: operation.class,
            to: operation.to,
            line: operation.line,
            operands: cycle + 1,
            front,
            address,
            instruction: operation.address,
            number,
            ..EMPTY
        };
        if let Some(translation) = self.translations.get_mut(place) {
            *translation = (0, 0);
        }
        for (operand, &source) in operation.sources.iter().enumerate().filter(|&(_, &source)| source != ZERO) {
            match self.registers[usize::from(source)] {
                Value::At(cycle) => self.entries[place].operands = self.entries[place].operands.max(cycle),
                Value::Of(producer) => self.depend(id, operand, producer),
            }
        }
        self.enter_memory(operation.kind, id, place, address);
        if operation.to != ZERO {
            self.registers[usize::from(operation.to)] = Value::Of(id);
        }
        if let Kind::Branch { .. } = operation.kind {
            self.account.branches += 1;
            if !foretold {
                self.account.mispredictions += 1;
                self.redirect = Some(id);
            }
        }
        if self.entries[place].missing == 0 {
            self.work.push(id);
            self.settle();
        }
    }

    /// A load looks for a store before it to the same address; a store can be found from now on.
    fn enter_memory(&mut self, kind: Kind, id: u64, place: usize, address: Address) {
        match kind {
            Kind::Store => {
                self.filter[bucket(address)] += 1;
                let Entry { line, instruction, .. } = self.entries[place];
                let store = Store { address, instruction, line, id, ready: UNKNOWN, performed: UNKNOWN };
                self.pending_stores.push_back(store);
                self.store_timelines.push_back(None);
            }
            Kind::Load if self.filter[bucket(address)] > 0 => {
                let Some(store) = self.pending_stores.iter().rev().find(|store| store.address == address).copied() else { return };
                self.account.forwarded += 1;
                self.entries[place].answer = Answer::Found(0);
                if store.ready == UNKNOWN {
                    self.depend(id, OPERANDS - 1, store.id);
                } else {
                    self.entries[place].operands = self.entries[place].operands.max(store.ready);
                }
            }
            _ => {}
        }
    }

    /// An operand of an operation is the result of another.
    fn depend(&mut self, id: u64, operand: usize, producer: u64) {
        let node = (self.place(id) * OPERANDS + operand) as u32;
        let producer = self.place(producer);
        let dependent = self.place(id);
        self.entries[dependent].missing += 1;
        match self.entries[producer].last {
            NONE => self.entries[producer].first = node,
            last => self.entries[last as usize / OPERANDS].next[last as usize % OPERANDS] = node,
        }
        self.entries[producer].last = node;
    }

    /// Starts what has all its operands, and what follows from that; then commits.
    fn settle(&mut self) {
        let mut done = 0;
        while done < self.work.len() {
            let id = self.work[done];
            done += 1;
            self.start(id);
        }
        self.work.clear();
        self.commit();
    }

    /// An operation has all its operands.
    fn start(&mut self, id: u64) {
        let place = self.place(id);
        let Entry { kind, class, operands, answer, number, .. } = self.entries[place];
        let executed = self.units[class as usize].start(operands) + self.latencies[class as usize];
        match kind {
            Kind::Load | Kind::Store if answer == Answer::Nothing && !self.translations.is_empty() => {
                self.lookups.push(Reverse((executed, Lookup::Address(id))));
            }
            Kind::Load if answer == Answer::Nothing => self.lookups.push(Reverse((executed, Lookup::Load(id)))),
            Kind::Load => {
                self.entries[place].looked = executed;
                self.resolve(id, executed + self.reach[0]);
            }
            Kind::Store => self.address_known(id, number, executed),
            Kind::Compute | Kind::Branch { .. } => self.resolve(id, executed),
        }
    }

    /// A store has its data and its address at a cycle.
    fn address_known(&mut self, id: u64, number: u64, cycle: u64) {
        let index = (number - self.first_store) as usize;
        self.pending_stores[index].ready = cycle;
        self.resolve(id, cycle);
    }

    /// An address that was looked for `since` a cycle is translated at another. Returns the lookup in the caches that can be made at
    /// once, where the two are one.
    pub fn translated(&mut self, id: u64, since: u64, cycle: u64) -> Option<Lookup> {
        let place = self.place(id);
        self.translations[place] = (since, cycle);
        let Entry { kind, number, .. } = self.entries[place];
        if kind == Kind::Store {
            self.address_known(id, number, cycle);
            self.settle();
            return None;
        }
        if cycle == since {
            return Some(Lookup::Load(id));
        }
        self.look_again(Lookup::Load(id), cycle);
        None
    }

    /// An operation's result is there at a cycle.
    fn resolve(&mut self, id: u64, ready: u64) {
        let place = self.place(id);
        let Entry { to, first, .. } = self.entries[place];
        self.entries[place].ready = ready;
        if let Value::Of(producer) = self.registers[usize::from(to)]
            && producer == id
        {
            self.registers[usize::from(to)] = Value::At(ready);
        }
        let mut node = first;
        while node != NONE {
            let (dependent, operand) = (node as usize / OPERANDS, node as usize % OPERANDS);
            let entry = &mut self.entries[dependent];
            entry.operands = entry.operands.max(ready);
            entry.missing -= 1;
            node = entry.next[operand];
            if entry.missing == 0 {
                // The window is a ring: the operation at this place is the one between head and tail.
                let distance = dependent.wrapping_sub(self.head as usize) & (self.entries.len() - 1);
                self.work.push(self.head + distance as u64);
            }
        }
        if self.redirect == Some(id) {
            self.redirect = None;
            self.front = ready + u64::from(self.spec.misprediction_cycles);
        }
    }

    /// Commits what can be committed.
    fn commit(&mut self) {
        while self.head < self.tail {
            let place = self.place(self.head);
            let Entry { kind, ready, number, .. } = self.entries[place];
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
            let cycle = self.commit.take(earliest, self.spec.width);
            if cycle > before {
                self.charge(place, before, cycle);
            }
            self.window.release(self.head, cycle);
            self.head += 1;
            match kind {
                Kind::Load => self.loads.release(number, cycle),
                Kind::Store => {
                    self.stores.release(number, cycle);
                    let taken = self.buffer.take();
                    debug_assert_eq!(taken, number, "stores commit in order");
                    self.last_store_lookup = cycle.max(self.last_store_lookup + 1);
                    self.lookups.push(Reverse((self.last_store_lookup, Lookup::Store(number))));
                }
                Kind::Compute | Kind::Branch { .. } => {}
            }
        }
    }

    /// The cycles from one commit to the next belong to what kept the later operation: first the cycles of the core's own, then, from
    /// the cycle on in which its request set out, what the request met.
    fn charge(&mut self, place: usize, before: u64, cycle: u64) {
        let entry = &self.entries[place];
        let looked_up = entry.looked + self.all_lookups();
        let request = match entry.answer {
            Answer::Missed => Some((looked_up, &self.timelines[place])),
            _ if entry.kind == Kind::Store => self.last_left.as_ref().map(|timeline| (entry.ready.max(entry.front), &**timeline)),
            _ => None,
        };
        let own_until = request.map_or(cycle, |(from, _)| from.clamp(before, cycle));
        let (line, mut rest) = (entry.line as usize, own_until - before);
        while let Some(late) = self.supply.take(self.head) {
            rest -= self.account.late(line, &late, (before, own_until), self.clock);
        }
        let worked = &mut self.account.worked[line];
        let mut give = |owner: Owner, from: u64, until: u64| {
            let cycles = until.min(own_until).saturating_sub(from.max(before));
            worked[owner as usize] += cycles;
            rest -= cycles;
        };
        // The front end stood still before the operation was dispatched, so these do not overlap.
        give(Owner::Branch, before, entry.front);
        if let Some(&(since, translated)) = self.translations.get(place) {
            give(Owner::Translation, since, translated);
        }
        if entry.answer != Answer::Nothing {
            give(Owner::L1d, entry.looked, entry.looked + self.reach[0]);
        }
        let depth = match entry.answer {
            Answer::Nothing => 0,
            Answer::Found(depth) => usize::from(depth),
            Answer::Missed => self.reach.len() - 1,
        };
        if depth > 0 {
            give(Owner::L2, entry.looked + self.reach[0], entry.looked + self.reach[1]);
            give(Owner::Llc, entry.looked + self.reach[1], entry.looked + self.reach[depth]);
        }
        let base = rest.min(1);
        worked[Owner::Base as usize] += base;
        worked[Owner::Dependency as usize] += rest - base;
        if let Some((_, timeline)) = request
            && own_until < cycle
        {
            let (from, until) = (self.clock.edge(own_until), self.clock.edge(cycle));
            let stack = &mut self.account.waited[entry.line as usize];
            let known = timeline.overlap(from, until, stack);
            stack.add(Owner::Dependency, (until - from).saturating_sub(known));
            self.account.waited_cycles += cycle - own_until;
        }
    }

    /// The next lookup: at which cycle, and of what.
    pub fn next_lookup(&self) -> Option<(u64, Lookup)> {
        self.lookups.peek().map(|&Reverse(lookup)| lookup)
    }

    /// Takes the next lookup off: it is being made.
    pub fn take_lookup(&mut self) {
        self.lookups.pop();
    }

    /// Makes a lookup again at a cycle.
    pub fn look_again(&mut self, lookup: Lookup, cycle: u64) {
        self.lookups.push(Reverse((cycle, lookup)));
    }

    /// The address that is looked up; that of a walker's load is the walker's business.
    pub fn address(&self, lookup: Lookup) -> Address {
        match lookup {
            Lookup::Fetch | Lookup::Walk(_) => 0,
            Lookup::Load(id) | Lookup::Address(id) => self.entries[self.place(id)].address,
            Lookup::Store(number) => self.pending_stores[(number - self.first_store) as usize].address,
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
            Lookup::Fetch | Lookup::Walk(_) => 0,
            Lookup::Load(id) | Lookup::Address(id) => self.entries[self.place(id)].line,
            Lookup::Store(number) => self.pending_stores[(number - self.first_store) as usize].line,
        }
    }

    /// The instruction that looks up; `None` for a walker and the front end.
    pub fn instruction(&self, lookup: Lookup) -> Option<u32> {
        match lookup {
            Lookup::Load(id) | Lookup::Address(id) => Some(self.entries[self.place(id)].instruction),
            Lookup::Store(number) => Some(self.pending_stores[(number - self.first_store) as usize].instruction),
            Lookup::Walk(_) | Lookup::Fetch => None,
        }
    }

    /// A lookup at a cycle hit, in the level at a depth: the first is 0.
    pub fn hit(&mut self, lookup: Lookup, cycle: u64, depth: usize) {
        match lookup {
            Lookup::Load(id) => {
                let place = self.place(id);
                let entry = &mut self.entries[place];
                entry.looked = cycle;
                entry.answer = Answer::Found(depth as u8);
                self.resolve(id, cycle + self.reach[depth]);
            }
            Lookup::Fetch => {}
            // The pipelined write port takes the next store a cycle later.
            Lookup::Store(number) => self.perform(number, cycle + 1 + self.reach[depth] - self.reach[0], None),
            Lookup::Address(_) | Lookup::Walk(_) => {}
        }
        self.settle();
    }

    /// Instructions that are to be dispatched next are to be looked up.
    pub fn fetch(&mut self) {
        let cycle = self.dispatch.cycle.max(self.front).max(self.supply.until());
        self.lookups.push(Reverse((cycle, Lookup::Fetch)));
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
            let place = self.place(id);
            self.entries[place].looked = cycle;
        }
    }

    /// What a lookup missed is there at a cycle.
    pub fn arrived(&mut self, lookup: Lookup, cycle: u64, timeline: &Timeline) {
        match lookup {
            Lookup::Load(id) => {
                let place = self.place(id);
                self.timelines[place] = *timeline;
                self.entries[place].answer = Answer::Missed;
                self.resolve(id, cycle);
            }
            Lookup::Fetch => {}
            Lookup::Store(number) => self.perform(number, cycle, Some(timeline)),
            Lookup::Address(_) | Lookup::Walk(_) => {}
        }
        self.settle();
    }

    /// The cache has a store at a cycle. Stores leave the buffer in order.
    fn perform(&mut self, number: u64, cycle: u64, timeline: Option<&Timeline>) {
        let index = (number - self.first_store) as usize;
        self.pending_stores[index].performed = cycle;
        self.store_timelines[index] = timeline.map(|timeline| Box::new(*timeline));
        while let Some(store) = self.pending_stores.front()
            && store.performed != UNKNOWN
        {
            self.last_store_left = self.last_store_left.max(store.performed);
            self.buffer.release(self.first_store, self.last_store_left);
            self.filter[bucket(store.address)] -= 1;
            self.first_store += 1;
            self.pending_stores.pop_front();
            self.last_left = self.store_timelines.pop_front().flatten();
        }
    }

    /// Whether nothing is in the window and every store has been performed.
    pub fn is_empty(&self) -> bool {
        self.head == self.tail && self.pending_stores.is_empty()
    }

    /// The cycle at which the window came to be empty; what was left to wait for was the last store, then instructions, for which a source
    /// line waits.
    pub fn drain(&mut self, line: u32) -> u64 {
        let (before, cycle) = (self.commit.cycle, self.commit.cycle.max(self.last_store_left));
        if cycle > before {
            let line = self.entries[self.place(self.tail.wrapping_sub(1))].line;
            let (begin, end) = (self.clock.edge(before), self.clock.edge(cycle));
            let stack = &mut self.account.waited[line as usize];
            let known = self.last_left.as_ref().map_or(Time::ZERO, |timeline| timeline.overlap(begin, end, stack));
            stack.add(Owner::L1d, (end - begin).saturating_sub(known));
            self.account.waited_cycles += cycle - before;
        }
        let (mut at, until) = (cycle, cycle.max(self.supply.until()));
        for late in self.supply.take_next() {
            at += self.account.late(line as usize, &late, (cycle, until), self.clock);
        }
        self.account.worked[line as usize][Owner::Dependency as usize] += until - at;
        self.resume(until);
        until
    }

    /// The source line of the oldest operation that has not been committed.
    pub fn oldest_line(&self) -> Option<u32> {
        if self.head < self.tail {
            return Some(self.entries[self.place(self.head)].line);
        }
        self.pending_stores.front().map(|store| store.line)
    }

    /// The cycle of the next dispatch, as far as is known.
    pub fn cycle(&self) -> u64 {
        self.dispatch.cycle
    }

    /// Bytes of the host's memory it takes.
    pub fn footprint(&self) -> usize {
        self.entries.len() * (std::mem::size_of::<Entry>() + std::mem::size_of::<Timeline>())
            + self.units.iter().map(Units::footprint).sum::<usize>()
            + self.account.worked.len() * 2 * std::mem::size_of::<Stack>()
            + std::mem::size_of::<Window>()
    }
}

#[cfg(test)]
mod tests;
