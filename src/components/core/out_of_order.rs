//! How an out-of-order core goes through its program: it dispatches into its window as long as there is room, makes lookups in the
//! order of their cycles, and keeps several misses under way.
//!
//! ```text
//!   interpreter --block--> dispatch --> window --lookup--> private caches --miss--> MSHR --> Request
//!                                         ^                                          |
//!                                         '------------ every load that waits for the line <-- Complete
//! ```
//!
//! A synchronising operation, `busy` and the end of the thread wait until the window and the store buffer are empty, and then happen as
//! on an in-order core: synchronising operations are sequentially consistent. Under total store order some need not wait for the buffer
//! (`relaxed`).

use std::ops::Range;

use super::misses::{Miss, Misses};
use super::relaxed::{Passed, Relaxed};
use super::run::{Pause, SLICE};
use super::walks::Walks;
use super::window::{Kind, Lookup, Window, WindowAccount};
use super::{Core, Loaded, NO_ACCESS, Stage, Then};
use crate::base::address::{Address, Line};
use crate::base::time::Time;
use crate::coherence::consistency::Consistency;
use crate::coherence::controller::Transaction;
use crate::coherence::order::Command;
use crate::components::hierarchy::{Broken, Lookup as Found, PrivateCaches};
use crate::components::lookups::Lookups;
use crate::components::owner::Owner;
use crate::components::predictor::Predictor;
use crate::components::shared::Shared;
use crate::components::spec::{CoreSpec, OutOfOrderSpec};
use crate::components::trace::Kind::Fetch as FetchKind;
use crate::components::translation::TranslationSpec;

/// What an out-of-order core has that an in-order one has not.
#[derive(Clone, Debug)]
pub(super) struct OutOfOrder {
    pub(super) window: Window,
    predictor: Predictor,
    /// Operations of the block in progress that are still to be dispatched, and which of its addresses is next.
    position: Range<u32>,
    access: usize,
    /// Instructions of the block in progress are still to be fetched.
    fetching: bool,
    /// The block in progress ends with what waits for an empty window.
    pub(super) draining: bool,
    pub(super) misses: Misses,
    /// Under total store order.
    pub(super) relaxed: Option<Relaxed>,
    pub(super) walks: Walks,
}

impl OutOfOrder {
    pub(super) fn new(
        core: &CoreSpec,
        spec: &OutOfOrderSpec,
        lookups: &Lookups,
        translation: Option<&TranslationSpec>,
        program: &Loaded,
    ) -> OutOfOrder {
        let mut window = Window::new(core, spec, lookups, program.code.registers.len(), program.table.n_lines);
        if translation.is_some() {
            window.translate();
        }
        OutOfOrder {
            window,
            predictor: Predictor::new(spec.predictor),
            position: 0..0,
            access: 0,
            fetching: false,
            draining: false,
            misses: Misses::new(spec.mshrs),
            relaxed: (core.consistency == Consistency::Tso).then(Relaxed::new),
            walks: Walks::new(translation.map_or(0, |translation| translation.walkers)),
        }
    }

    /// Counters start anew; what the predictor has learnt stays.
    pub(super) fn begin(&mut self) {
        self.window.reset_account();
        (self.position, self.draining, self.fetching) = (0..0, false, false);
    }

    pub(super) fn account(&self) -> &WindowAccount {
        self.window.account()
    }

    pub(super) fn oldest_line(&self) -> Option<u32> {
        self.window.oldest_line()
    }

    pub(super) fn n_misses(&self) -> usize {
        self.misses.under_way().len()
    }

    pub(super) fn footprint(&self) -> usize {
        self.window.footprint() + self.predictor.footprint()
    }

    /// Whether a miss of the line is under way.
    pub(super) fn awaits(&self, line: Line) -> bool {
        self.misses.under_way().iter().any(|miss| miss.line == line)
    }

    /// Whether anything that it waits for [ends unannounced](Transaction::ends_unannounced).
    pub(super) fn ends_unannounced(&self) -> bool {
        self.misses.under_way().iter().any(|miss| miss.transaction.ends_unannounced())
    }

    /// Whether all that is left of the block in progress is what waits for an empty window, and has not begun yet.
    fn is_at_end_of_block(&self) -> bool {
        self.draining && self.position.is_empty() && !self.fetching && !self.relaxed.as_ref().is_some_and(Relaxed::is_looking)
    }

    /// The next lookup, which is being made if it is before cycle `limit`.
    #[inline]
    fn next_lookup(&mut self, limit: u64) -> Option<(u64, Lookup)> {
        let queued = self.window.next_lookup();
        let again = self.misses.next_again(queued, limit);
        let next = again.or(queued);
        if next.is_some_and(|(cycle, _)| cycle < limit) {
            match again {
                Some(_) => self.misses.take_again(),
                None => self.window.take_lookup(),
            }
        }
        next
    }

    /// Lookups that could not be made are made again at a cycle.
    fn unblock(&mut self, cycle: u64) {
        for lookup in self.misses.retry(cycle) {
            self.window.look_again(lookup, cycle);
        }
    }
}

impl Core {
    /// Goes on until a lookup would be at cycle `limit` or later, or something else keeps the core.
    pub(super) fn advance_out_of_order(&mut self, own: &mut OutOfOrder, shared: &mut Shared, limit: u64, now: Time) -> Pause {
        let program = std::rc::Rc::clone(&self.program);
        let mut slice = SLICE;
        loop {
            match self.stage {
                Stage::Step | Stage::References => {
                    if self.stage == Stage::Step {
                        own.window.resume(self.cycle);
                        self.stage = Stage::References;
                    }
                    if let Some(pause) = self.run_window(own, &program, shared, limit, &mut slice) {
                        return pause;
                    }
                    if let Then::Synchronise(request) = self.then
                        && !own.relaxed.as_mut().is_some_and(Relaxed::has_looked)
                    {
                        let line = program.code.sites[request.site as usize].line;
                        self.account.synchronise(line, self.costs.atomic, request.has_place());
                    }
                    if let Some(pause) = self.leave_block(shared) {
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
                _ => return Pause::Blocked,
            }
        }
    }

    /// Dispatches and looks up until the window is empty before what has to wait for that; then `None`, at the core's local time.
    fn run_window(
        &mut self,
        own: &mut OutOfOrder,
        program: &Loaded,
        shared: &mut Shared,
        limit: u64,
        slice: &mut u32,
    ) -> Option<Pause> {
        loop {
            if let Some(pause) = self.dispatch(own, program, shared, slice) {
                return Some(pause);
            }
            if own.is_at_end_of_block() && own.window.is_idle() {
                match self.pass_buffer(own) {
                    Passed::Waits => {}
                    Passed::GoesOn => continue,
                    Passed::Leaves => return None,
                }
            }
            match own.next_lookup(limit) {
                Some((cycle, _)) if cycle >= limit => return Some(Pause::Until(cycle)),
                Some((cycle, Lookup::Fetch)) => {
                    if let Some(pause) = self.fetch_out_of_order(own, cycle, shared) {
                        return Some(pause);
                    }
                }
                Some((cycle, Lookup::Synchronise)) => {
                    if let Some(pause) = self.look_up_relaxed(own, cycle, shared) {
                        return Some(pause);
                    }
                }
                Some((cycle, lookup)) => {
                    if let Some(pause) = self.look_up_out_of_order(own, lookup, cycle, shared) {
                        return Some(pause);
                    }
                }
                None if own.is_at_end_of_block() && own.window.is_empty() => {
                    self.cycle = own.window.drain(self.line_of_block());
                    self.next = self.end;
                    own.draining = false;
                    return None;
                }
                None => return Some(Pause::Blocked),
            }
        }
    }

    /// Dispatches as long as there is room and nothing has to wait for an empty window.
    fn dispatch(&mut self, own: &mut OutOfOrder, program: &Loaded, shared: &mut Shared, slice: &mut u32) -> Option<Pause> {
        loop {
            if own.fetching {
                return None;
            }
            if own.position.is_empty() {
                if own.draining {
                    return None;
                }
                if *slice == 0 {
                    match own.window.next_lookup() {
                        Some((cycle, _)) => return Some(Pause::Until(cycle)),
                        None if own.misses.is_empty() => return Some(Pause::At(own.window.cycle())),
                        // With misses under way the window fills up, and stops by itself.
                        None => {}
                    }
                }
                *slice = slice.saturating_sub(1);
                if !self.enter_block_relaxed(own, program, shared) {
                    return Some(Pause::Interrupted);
                }
                own.position = program.operations.block(self.block);
                own.access = 0;
                own.draining = !matches!(self.then, Then::Step);
                own.fetching = !self.fetching.is_empty();
                if own.fetching {
                    own.window.fetch();
                }
                continue;
            }
            let operation = program.operations.get(own.position.start);
            let room = own.window.room(operation.kind)?;
            let (mut address, mut foretold) = (0, true);
            match operation.kind {
                Kind::Load | Kind::Store => {
                    address = self.context.addresses[own.access];
                    own.access += 1;
                }
                Kind::Branch { backward } => {
                    foretold = own.predictor.resolve(operation.address, backward, self.context.taken);
                }
                Kind::Compute => {}
            }
            own.window.dispatch(operation, room, address, foretold);
            own.position.start += 1;
        }
    }

    /// The front end looks up the lines of the block that is to be dispatched, at a cycle.
    fn fetch_out_of_order(&mut self, own: &mut OutOfOrder, cycle: u64, shared: &mut Shared) -> Option<Pause> {
        while !self.fetching.is_empty() {
            let line = self.fetching.start;
            let caches = self.caches.as_mut()?;
            if let Some(miss) = own.misses.find(line) {
                miss.waiters.push(Lookup::Fetch);
                own.window.instructions_found(cycle, std::iter::empty());
                return None;
            }
            if own.misses.n_free() == 0 && !caches.is_permitted(line, false) {
                own.misses.wait(Lookup::Fetch, line);
                return None;
            }
            let time = self.clock.edge(cycle);
            let mut observer = shared.observe(self.number, time, NO_ACCESS);
            match caches.fetch(line, &mut observer) {
                Ok(Found::Hit(0)) => self.fetched(),
                Ok(Found::Hit(depth)) => {
                    let until = own.window.instructions_found(cycle, self.levels.further(FetchKind, depth + 1));
                    let leaves = caches.is_leaving();
                    self.fetched();
                    own.window.look_again(Lookup::Fetch, until);
                    let cycle = until + self.levels.behind(FetchKind, depth + 1);
                    return leaves.then_some(Pause::Leave { cycle });
                }
                Ok(Found::Ask(transaction)) => {
                    let cycle = own.window.instructions_found(cycle, self.levels.further(FetchKind, usize::MAX));
                    own.misses.begin(Miss {
                        line,
                        write: false,
                        fetch: true,
                        transaction,
                        waiters: vec![Lookup::Fetch],
                        prefetch: false,
                    });
                    return Some(Pause::Ask { command: Command::Coherent(transaction), line, cycle });
                }
                Ok(Found::Stall) => {
                    own.misses.stall(Lookup::Fetch);
                    return None;
                }
                Err(broken) => {
                    shared.broken(time, self.number, &broken);
                    return Some(Pause::Interrupted);
                }
            }
        }
        own.fetching = false;
        own.window.instructions_supplied(cycle);
        None
    }

    /// A lookup at a cycle.
    fn look_up_out_of_order(&mut self, own: &mut OutOfOrder, lookup: Lookup, cycle: u64, shared: &mut Shared) -> Option<Pause> {
        let (lookup, address) = match lookup {
            Lookup::Address(id) => {
                let lookup = self.translate_in_window(own, id, cycle)?;
                (lookup, own.window.address(lookup))
            }
            Lookup::Walk(walker) => (lookup, self.walk_address(own, walker)),
            Lookup::Load(_) | Lookup::Store(_) | Lookup::Synchronise | Lookup::Fetch => (lookup, own.window.address(lookup)),
        };
        let caches = self.caches.as_mut()?;
        let line = caches.line(address);
        let write = matches!(lookup, Lookup::Store(_));
        let access = (self.prefetching.as_ref().and_then(|_| own.window.instruction(lookup)), address);
        if let Some(miss) = own.misses.find(line) {
            if miss.write || !write {
                caches.count_merged();
            }
            miss.waiters.push(lookup);
            own.window.missed(lookup, cycle);
            if let Some(prefetching) = &mut self.prefetching {
                prefetching.is_late(line);
            }
            return self.foresee_in_window(own, access, None, cycle, shared);
        }
        if !self.watched && caches.touch(line, write) {
            self.found(own, lookup, cycle, 0, shared);
            return self.foresee_in_window(own, access, Some(Found::Hit(0)), cycle, shared);
        }
        if own.misses.n_free() == 0 && !caches.is_permitted(line, write) {
            own.misses.wait(lookup, line);
            return None;
        }
        let time = if self.watched { self.clock.edge(cycle) } else { Time::ZERO };
        let mut observer = shared.observe(self.number, time, (address, own.window.line(lookup)));
        let found = if self.watched && caches.touch(line, write) {
            caches.watch(line, write, &mut observer).map(|()| Found::Hit(0))
        } else {
            caches.access(line, write, &mut observer)
        };
        match found {
            Ok(Found::Hit(depth)) => {
                self.found(own, lookup, cycle, depth, shared);
                let foreseen = self.foresee_in_window(own, access, Some(Found::Hit(depth)), cycle, shared);
                if self.caches.as_ref().is_some_and(PrivateCaches::is_leaving) {
                    return Some(Pause::Leave { cycle: cycle + own.window.all_lookups() });
                }
                return foreseen;
            }
            Ok(Found::Stall) => own.misses.stall(lookup),
            Ok(Found::Ask(transaction)) => {
                own.window.missed(lookup, cycle);
                own.misses.begin(Miss { line, write, fetch: false, transaction, waiters: vec![lookup], prefetch: false });
                self.foresee_in_window(own, access, Some(Found::Ask(transaction)), cycle, shared);
                let cycle = cycle + own.window.all_lookups();
                return Some(Pause::Ask { command: Command::Coherent(transaction), line, cycle });
            }
            Err(broken) => {
                shared.broken(self.clock.edge(cycle), self.number, &broken);
                return Some(Pause::Interrupted);
            }
        }
        None
    }

    /// The prefetcher sees a load or store of the program.
    #[inline]
    fn foresee_in_window(
        &mut self,
        own: &mut OutOfOrder,
        (instruction, address): (Option<u32>, Address),
        found: Option<Found>,
        cycle: u64,
        shared: &mut Shared,
    ) -> Option<Pause> {
        let asked = self.foresee((instruction?, address), found, cycle, own.misses.n_free(), shared);
        for &line in &asked {
            let transaction = Transaction::BusRd;
            own.misses.begin(Miss { line, write: false, fetch: false, transaction, waiters: Vec::new(), prefetch: true });
        }
        (!asked.is_empty()).then_some(Pause::Prefetch)
    }

    /// A lookup at a cycle hit, in the level at a depth.
    #[inline]
    fn found(&mut self, own: &mut OutOfOrder, lookup: Lookup, cycle: u64, depth: usize, shared: &mut Shared) {
        if let Some(relaxed) = &mut own.relaxed {
            relaxed.bind(lookup, &mut shared.memory);
        }
        match lookup {
            Lookup::Walk(walker) => self.walk_on(own, walker, cycle + own.window.answer(depth)),
            _ => own.window.hit(lookup, cycle, depth),
        }
    }

    /// The line of a miss is there, or the next transaction that it takes is returned.
    pub(super) fn complete_miss(
        &mut self,
        own: &mut OutOfOrder,
        (transaction, line, is_shared, version): (Transaction, Line, bool, u64),
        time: Time,
        shared: &mut Shared,
    ) -> Result<Option<Transaction>, Broken> {
        let (Some(caches), Some(miss)) = (&mut self.caches, own.misses.find(line)) else { return Ok(None) };
        let write = miss.write;
        let mut observer = shared.observe(self.number, time, NO_ACCESS);
        if let Some(next) = caches.complete(line, transaction, is_shared, version, &mut observer)? {
            miss.transaction = next;
            return Ok(Some(next));
        }
        let (cycle, edge) = self.clock.first_edge(time);
        let mut timeline = shared.timelines[usize::from(self.number)].end(line);
        timeline.mark(Owner::Network, edge);
        let Some(miss) = own.misses.end(line) else { return Ok(None) };
        if let (true, Some(prefetching)) = (miss.prefetch, &mut self.prefetching) {
            prefetching.arrived(line, caches);
        }
        if miss.fetch {
            self.fetched();
        }
        for waiter in miss.waiters {
            match waiter {
                Lookup::Fetch => {
                    own.window.instructions_arrived(cycle, &timeline);
                    own.window.look_again(waiter, cycle);
                }
                Lookup::Store(_) if !write => own.window.look_again(waiter, cycle),
                Lookup::Walk(walker) => self.walk_on(own, walker, cycle),
                Lookup::Synchronise => self.arrived_relaxed(own, cycle, &timeline, shared),
                _ => {
                    if let Some(relaxed) = &mut own.relaxed {
                        relaxed.bind(waiter, &mut shared.memory);
                    }
                    own.window.arrived(waiter, cycle, &timeline);
                }
            }
        }
        own.unblock(cycle);
        Ok(None)
    }

    /// Something that lookups could have waited for has come or left.
    pub(super) fn try_blocked_again(&mut self, now: Time) {
        let cycle = self.clock.cycle_at_or_after(now);
        if let Some(own) = &mut self.out_of_order {
            own.unblock(cycle);
        }
    }

    /// Something about a line has changed that no transaction of this core has to do with.
    pub(super) fn has_news(&mut self, line: Line) {
        if let Some(own) = &mut self.out_of_order {
            own.misses.has_news(line);
        }
    }
}
