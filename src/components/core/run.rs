//! The core's way through its program: blocks, references, synchronising operations, up to a limit of local time.

use std::rc::Rc;

use super::{Core, Path, Pending, Stage, Then, fetch};
use crate::base::address::{Address, Line};
use crate::base::time::Time;
use crate::coherence::order::Command;
use crate::components::hierarchy::{Lookup, Observer};
use crate::components::message::WORD_BYTES;
use crate::components::post::EndId;
use crate::components::shared::{Interruption, Shared};
use crate::components::trace::Kind;
use crate::program::code::SynchronisationKind;
use crate::program::interpret::{Request, Step, perform};
use crate::program::tree::{Comparison, Type};

/// As many blocks a core runs at a time: the engine sees it at least that often.
pub(super) const SLICE: u32 = 10_000;

/// Why the core stops for now.
pub(super) enum Pause {
    /// Its next lookup is at this cycle, which others may come before.
    Until(u64),
    /// It wants to be woken at this cycle, no later.
    At(u64),
    /// It has to ask for something; the request leaves at this cycle.
    Ask { command: Command, line: Line, cycle: u64 },
    /// An access that hit drove lines out, whose write-backs leave at this cycle.
    Leave { cycle: u64 },
    /// The same, driven out by a load of a walk; the access is made again.
    Walked { cycle: u64 },
    /// Lines are to be asked for beforehand; the core goes on.
    Prefetch,
    /// It wrote a word that others sleep on.
    Wrote(Address),
    /// What its plain caches ask of memory may go on its way; the core goes on at its local time.
    Posted,
    /// An end of a message was started.
    Started(EndId),
    /// Nothing before a message comes.
    Blocked,
    /// The thread's part is over at its local time.
    Finished,
    /// The run is over.
    Interrupted,
}

impl Core {
    /// Goes on until a lookup would be at cycle `limit` or later, or something else keeps the core.
    pub(super) fn advance(&mut self, shared: &mut Shared, limit: u64, now: Time) -> Pause {
        let program = Rc::clone(&self.program);
        let mut slice = SLICE;
        loop {
            match self.stage {
                Stage::Step => {
                    if slice == 0 {
                        return Pause::At(self.cycle);
                    }
                    slice -= 1;
                    if !self.enter_block(&program, shared) {
                        return Pause::Interrupted;
                    }
                    if let Some(pause) = self.finish_block(&program, shared, limit) {
                        return pause;
                    }
                }
                Stage::References => {
                    if let Some(pause) = self.finish_block(&program, shared, limit) {
                        return pause;
                    }
                }
                Stage::Synchronise(request) => {
                    if let Some(pause) = self.synchronise(request, shared, limit, now) {
                        return pause;
                    }
                }
                Stage::Message(request) => {
                    if let Some(pause) = self.message(request, shared, now) {
                        return pause;
                    }
                }
                Stage::Arriving => return Pause::Finished,
                Stage::Idle
                | Stage::Receiving(_)
                | Stage::Waiting(_)
                | Stage::Stalled
                | Stage::Sleeping { .. }
                | Stage::Draining { .. }
                | Stage::Ending
                | Stage::Finished => return Pause::Blocked,
            }
        }
    }

    /// Interprets the next block. Returns whether the program can go on.
    #[inline(always)]
    pub(super) fn enter_block(&mut self, program: &super::Loaded, shared: &mut Shared) -> bool {
        if self.stream.is_some() {
            return self.enter_piece(program, shared);
        }
        let (block, then) = match program.interpreter.step(&mut self.context, &mut shared.memory) {
            Step::Block(block) => (block, self.after_block),
            Step::Synchronise(request) => (request.block, Then::Synchronise(request)),
            Step::Busy { block, operations } => (block, Then::Busy(operations)),
            Step::Finished { block } => (block, Then::Finish),
            Step::Message(request) => (request.block, Then::Message(request)),
            Step::Fault(fault) => {
                shared.interrupt(Interruption::Fault(fault));
                return false;
            }
        };
        let cost = &program.table.blocks[block as usize];
        self.account.blocks[block as usize] += 1;
        self.account.unspent += u64::from(cost.operations);
        (self.block, self.first, self.next, self.end, self.then) = (block, cost.first, cost.first, cost.end, then);
        self.stage = Stage::References;
        if self.fetches {
            self.fetching = fetch::lines(program, block, self.text_shift);
        }
        true
    }

    /// Makes the references of the block in progress that are still to be made, and what follows them.
    #[inline(always)]
    fn finish_block(&mut self, program: &super::Loaded, shared: &mut Shared, limit: u64) -> Option<Pause> {
        if !self.fetching.is_empty()
            && let Some(pause) = self.fetch_block(shared, limit)
        {
            return Some(pause);
        }
        if let Some(pause) = self.walk(program, shared, limit) {
            return Some(pause);
        }
        self.cycle = self.cycle.wrapping_add(u64::from(program.table.blocks[self.block as usize].tail));
        if matches!(self.then, Then::Step) {
            self.stage = Stage::Step;
            return None;
        }
        self.leave_block(shared)
    }

    /// Makes the references of the block in progress.
    #[inline(always)]
    fn walk(&mut self, program: &super::Loaded, shared: &mut Shared, limit: u64) -> Option<Pause> {
        while self.next < self.end {
            let reference = program.table.references[self.next as usize];
            let at = self.cycle.wrapping_add(u64::from(reference.cycles));
            let address = self.context.addresses[(self.next - self.first) as usize];
            match &mut self.caches {
                Some(caches) => {
                    if at >= limit {
                        return Some(Pause::Until(at));
                    }
                    let line = caches.line(address);
                    if self.careful || !caches.touch(line, reference.write) {
                        if let Some(pause) = self.look_up(address, reference.write, at, None, shared, limit) {
                            self.next += u32::from(matches!(pause, Pause::Leave { .. } | Pause::Prefetch));
                            return Some(pause);
                        }
                    } else {
                        self.cycle = at + self.costs.inner;
                    }
                }
                None if self.path == Path::Free => self.cycle = at,
                None if self.path == Path::Plain => {
                    if let Some(pause) = self.plain_reference(address, reference.write, at) {
                        return Some(pause);
                    }
                }
                None if self.beside.contains(&address) => self.cycle = at,
                None => return Some(self.transact(address, at, reference.write, None)),
            }
            self.next += 1;
        }
        None
    }

    /// What follows the references of a block.
    pub(super) fn leave_block(&mut self, shared: &mut Shared) -> Option<Pause> {
        match self.then {
            Then::Step => self.stage = Stage::Step,
            Then::Branch => {
                self.branch();
                self.stage = Stage::Step;
            }
            Then::Synchronise(request) => self.stage = Stage::Synchronise(request),
            Then::Message(request) => self.stage = Stage::Message(request),
            Then::Busy(operations) => {
                if operations > shared.standing.operations_left.get() {
                    shared.interrupt(Interruption::OperationLimit);
                    return Some(Pause::Interrupted);
                }
                let cycles = operations * self.costs.integer;
                let line = self.busy_line();
                self.account.busy(line, operations, cycles);
                self.cycle = self.cycle.saturating_add(cycles);
                self.stage = Stage::Step;
            }
            Then::Finish => {
                self.stage = Stage::Arriving;
                return Some(Pause::Finished);
            }
        }
        None
    }

    /// The branch that ends the block in progress was foretold, or costs more.
    fn branch(&mut self) {
        let (Some(predictor), Some(branch)) = (&mut self.predictor, self.program.table.branches[self.block as usize]) else {
            return;
        };
        self.account.branches += 1;
        if !predictor.resolve(branch.address, branch.backward, self.context.taken) {
            self.account.misprediction(branch.line, self.costs.misprediction);
            self.cycle += self.costs.misprediction;
        }
    }

    fn busy_line(&self) -> u32 {
        let code = &self.program.code;
        let block = code.blocks[self.block as usize];
        code.sites[code.instruction_sites[(block.first + block.length - 1) as usize] as usize].line
    }

    /// An access with all that coherence asks. Leaves the core's local time behind the lookups, or says why it has to wait.
    pub(super) fn look_up(
        &mut self,
        address: Address,
        write: bool,
        at: u64,
        request: Option<Request>,
        shared: &mut Shared,
        limit: u64,
    ) -> Option<Pause> {
        if self.beside.contains(&address) && request.is_none() {
            let line = self.source_line_of(None);
            self.account.beside(line);
            self.cycle = at;
            return None;
        }
        let at = match self.translate(address, at, request, shared, limit) {
            Ok(at) => at,
            Err(pause) => return Some(pause),
        };
        let line = self.caches.as_ref()?.line(address);
        if self.finds_on_its_way(line) {
            if request.is_none() {
                self.foresee_in_order((self.instruction_in_progress(), address), None, at, shared);
            }
            return Some(self.stall(at));
        }
        let source_line = self.source_line_of(request);
        let lookup = match self.look_into_caches((address, self.bytes_in_progress(), source_line), write, at, shared)? {
            Ok(lookup) => lookup,
            Err(pause) => return Some(pause),
        };
        let was_seen = lookup != Lookup::Stall && self.was_seen();
        let sees = lookup != Lookup::Stall && request.is_none() && !was_seen;
        let asks = sees && self.foresee_in_order((self.instruction_in_progress(), address), Some(lookup), at, shared);
        let leaves = self.caches.as_ref()?.is_leaving();
        match lookup {
            Lookup::Hit(0) if !leaves => self.cycle = at + self.costs.inner,
            Lookup::Hit(depth) => {
                self.cycle = at + self.costs.inner;
                self.look_further(depth, request);
                if leaves {
                    return Some(Pause::Leave { cycle: self.cycle + self.levels.behind(Kind::Read, depth + 1) });
                }
            }
            Lookup::Ask(transaction) => {
                self.cycle = at + self.costs.inner;
                self.look_further(usize::MAX - 1, request);
                self.stage = Stage::Waiting(Pending { line, write, request });
                return Some(Pause::Ask { command: Command::Coherent(transaction), line, cycle: self.cycle });
            }
            Lookup::Stall => return Some(self.stall(at)),
        }
        asks.then_some(Pause::Prefetch)
    }

    /// The access in progress, whose address is translated, has to wait for something that comes or leaves.
    fn stall(&mut self, at: u64) -> Pause {
        self.cycle = at;
        self.stage = Stage::Stalled;
        self.set_translated(true);
        Pause::Blocked
    }

    /// Lookups in the levels behind the first, down to the one at a depth.
    fn look_further(&mut self, depth: usize, request: Option<Request>) {
        let source_line = self.source_line_of(request);
        for (owner, cycles) in self.levels.further(Kind::Read, depth + 1) {
            self.account.further_lookup(source_line, owner, cycles);
            self.cycle += cycles;
        }
    }

    /// Looks for what lies at an address in the private caches at a cycle; `None` where there are none.
    pub(super) fn look_into_caches(
        &mut self,
        (address, bytes, source_line): (Address, u16, u32),
        write: bool,
        at: u64,
        shared: &mut Shared,
    ) -> Option<Result<Lookup, Pause>> {
        let line = self.caches.as_ref()?.line(address);
        // Only those who watch want to know when.
        let time = if self.watched { self.clock.edge(at) } else { Time::ZERO };
        let caches = self.caches.as_mut()?;
        let mut observer = Observer { bytes, ..shared.observe(self.number, time, (address, source_line)) };
        // Where nobody has to look closer, the access has come here because its line is not at hand.
        let result = if self.careful && caches.touch(line, write) {
            caches.watch(line, write, &mut observer).map(|()| Lookup::Hit(0))
        } else {
            caches.access(line, write, &mut observer)
        };
        Some(result.map_err(|broken| {
            shared.broken(self.clock.edge(at), self.number, &broken);
            Pause::Interrupted
        }))
    }

    pub(super) fn source_line_of(&self, request: Option<Request>) -> u32 {
        match request {
            Some(request) => self.program.code.sites[request.site as usize].line,
            None => self.program.table.references[self.next as usize].line,
        }
    }

    /// An access that is a transaction of its own.
    fn transact(&mut self, address: Address, at: u64, write: bool, request: Option<Request>) -> Pause {
        let line = address / u64::from(WORD_BYTES);
        self.cycle = at;
        self.stage = Stage::Waiting(Pending { line, write, request });
        let command = if write { Command::Write(WORD_BYTES) } else { Command::Read(WORD_BYTES) };
        Pause::Ask { command, line, cycle: at }
    }

    /// Makes a synchronising operation, or says why it has to wait.
    pub(super) fn synchronise(&mut self, request: Request, shared: &mut Shared, limit: u64, now: Time) -> Option<Pause> {
        let at = self.cycle.wrapping_add(self.costs.atomic);
        if request.kind == SynchronisationKind::Fence {
            self.cycle = at;
            self.perform(request, shared);
            return None;
        }
        let write = !matches!(request.kind, SynchronisationKind::Load | SynchronisationKind::Await(_));
        match self.synchronising {
            Path::Cached => {
                if at >= limit {
                    return Some(Pause::Until(at));
                }
                let pause = self.look_up(request.address, write, at, Some(request), shared, limit);
                if !matches!(pause, None | Some(Pause::Leave { .. })) {
                    return pause;
                }
                self.perform(request, shared);
                return pause;
            }
            Path::Plain => return self.plain_synchronise(request, write, at, shared),
            Path::Uncached => return Some(self.transact(request.address, at, write, Some(request))),
            Path::Free => {
                if self.clock.edge(at) > now {
                    return Some(Pause::At(at));
                }
                self.cycle = at;
                let line = self.source_line_of(Some(request));
                self.account.beside(line);
                if self.perform_in_order(request, shared) {
                    return Some(Pause::Wrote(request.address));
                }
            }
        }
        None
    }

    /// Binds the value of a synchronising operation, or finds that an `await` has to wait.
    pub(super) fn perform(&mut self, request: Request, shared: &mut Shared) {
        let performed = perform(&request, &mut shared.memory);
        if performed.done {
            self.polling = false;
            self.program.interpreter.resume(&mut self.context, performed.value);
            self.stage = Stage::Step;
            return;
        }
        match self.synchronising {
            Path::Uncached => {
                self.polling = true;
                let cycles = self.costs.branch + self.costs.atomic;
                let line = self.source_line_of(Some(request));
                self.account.spin(self.block, line, 0, cycles);
                self.cycle += self.costs.branch;
                self.stage = Stage::Synchronise(request);
            }
            Path::Cached if self.has_buffered() => self.look_again_when_empty(request),
            Path::Cached | Path::Plain | Path::Free => {
                let next = self.cycle + self.costs.branch + self.costs.atomic;
                self.stage = Stage::Sleeping { request, next };
            }
        }
    }

    /// Without caches the engine's order is the order of synchronising operations. Returns whether a word was written that others
    /// sleep on.
    fn perform_in_order(&mut self, request: Request, shared: &mut Shared) -> bool {
        self.perform(request, shared);
        if let Stage::Sleeping { .. } = self.stage {
            shared.sleepers.entry(request.address).or_default().push(self.number);
            return false;
        }
        let writes = !matches!(request.kind, SynchronisationKind::Load | SynchronisationKind::Await(_));
        writes && shared.sleepers.contains_key(&request.address)
    }
}

/// `==`, `<`, ...
pub(super) fn comparison_sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
        Comparison::Less => "<",
        Comparison::LessEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterEqual => ">=",
    }
}

/// A register's bits as the text would write the value.
pub(super) fn describe_value(r#type: Type, bits: u64) -> String {
    match r#type {
        Type::I64 => (bits as i64).to_string(),
        Type::I32 => (bits as i32).to_string(),
        Type::F64 => f64::from_bits(bits).to_string(),
        Type::F32 => f32::from_bits(bits as u32).to_string(),
        Type::Bool => (bits != 0).to_string(),
    }
}
