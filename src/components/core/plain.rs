//! A core's way through caches that nothing keeps coherent. It is the only core, so nothing but its own transactions ever reaches it,
//! and it runs ahead until it waits for one of them.

use std::rc::Rc;

use super::{Core, Pending, Stage};
use crate::base::address::Address;
use crate::base::time::{Clock, Time};
use crate::coherence::order::AgentNumber;
use crate::components::core::run::Pause;
use crate::components::lookups::Lookups;
use crate::components::message::{Message, WORD_BYTES};
use crate::components::owner::Owner;
use crate::components::plain::{Outbox, PlainCaches};
use crate::components::shared::Shared;
use crate::components::spec::NodeSpec;
use crate::components::trace::Kind;
use crate::components::translation::Progress;
use crate::engine::Port;
use crate::program::interpret::Request;

/// The caches and what they ask of memory.
#[derive(Debug)]
pub(super) struct Plain {
    pub caches: PlainCaches,
    outbox: Outbox,
    lookups: Lookups,
}

/// How an access ended.
enum Ended {
    Over,
    /// The core goes on, and something is on its way to memory.
    Posted,
    /// The core waits.
    Waits,
    /// Its translation posted something, and the access is made again.
    Again,
}

impl Plain {
    pub fn new(number: AgentNumber, spec: &NodeSpec) -> Plain {
        let caches = PlainCaches::new(&spec.caches, |cache| spec.cache_stream(number, cache));
        let lookups = Lookups::new(&spec.caches);
        Plain { caches, outbox: Outbox::new(number, spec.outermost_line_bytes()), lookups }
    }

    /// Puts on its way what an access asked of memory that looked into so many levels up to a cycle. Whether the core has to wait for
    /// it; `None` where it asked nothing.
    fn post(&mut self, kind: Kind, depth: usize, cycle: u64, clock: Clock) -> Option<bool> {
        if self.caches.transfers().is_empty() {
            return None;
        }
        let leaves = clock.edge(cycle + self.lookups.behind(kind, depth));
        Some(self.outbox.post(self.caches.transfers(), clock.edge(cycle), leaves))
    }
}

impl Core {
    /// A plain load or store, the one at the cursor.
    #[inline(always)]
    pub(super) fn plain_reference(&mut self, address: Address, write: bool, at: u64) -> Option<Pause> {
        match self.plain_access(address, write, at, None) {
            Ended::Over => None,
            Ended::Posted => {
                self.next += 1;
                Some(Pause::Posted)
            }
            Ended::Waits => Some(Pause::Blocked),
            Ended::Again => Some(Pause::Posted),
        }
    }

    /// A synchronising operation, which no one can come between.
    pub(super) fn plain_synchronise(&mut self, request: Request, write: bool, at: u64, shared: &mut Shared) -> Option<Pause> {
        match self.plain_access(request.address, write, at, Some(request)) {
            Ended::Over => {
                self.perform(request, shared);
                None
            }
            Ended::Posted => {
                self.perform(request, shared);
                Some(Pause::Posted)
            }
            Ended::Waits => Some(Pause::Blocked),
            Ended::Again => Some(Pause::Posted),
        }
    }

    /// An access to the word that an address lies in. Leaves the core's local time behind the lookups.
    #[inline(always)]
    fn plain_access(&mut self, address: Address, write: bool, at: u64, request: Option<Request>) -> Ended {
        let mut at = at;
        if self.translator.is_some() {
            match self.translate_plain(address, at, request) {
                Ok(cycle) => at = cycle,
                Err(ended) => return ended,
            }
        }
        let Some(plain) = &mut self.plain else { return Ended::Over };
        let word = address & !u64::from(WORD_BYTES - 1);
        let kind = if write { Kind::Write } else { Kind::Read };
        self.cycle = at.wrapping_add(self.costs.inner);
        if plain.caches.touch(kind, word, WORD_BYTES as u16) {
            return Ended::Over;
        }
        self.plain_miss((word, WORD_BYTES as u16), kind, request, self.source_line_of(request))
    }

    /// Instructions are fetched that the first level does not have.
    pub(super) fn plain_fetch(&mut self, address: Address, bytes: u16) -> Option<Pause> {
        match self.plain_miss((address, bytes), Kind::Fetch, None, self.line_of_block()) {
            Ended::Over => None,
            Ended::Posted => {
                self.fetched();
                Some(Pause::Posted)
            }
            Ended::Waits => Some(Pause::Blocked),
            Ended::Again => Some(Pause::Posted),
        }
    }

    fn plain_miss(&mut self, (word, bytes): (Address, u16), kind: Kind, request: Option<Request>, source_line: u32) -> Ended {
        let Some(plain) = &mut self.plain else { return Ended::Over };
        let depth = plain.caches.access(kind, word, bytes);
        if let Some(cause) = plain.caches.missed().filter(|_| kind != Kind::Fetch) {
            self.account.missed(source_line, cause);
        }
        for (owner, cycles) in plain.lookups.further(kind, depth) {
            self.account.further_lookup(source_line, owner, cycles);
            self.cycle += cycles;
        }
        match plain.post(kind, depth, self.cycle, self.clock) {
            None => return Ended::Over,
            Some(false) => return Ended::Posted,
            Some(true) => {}
        }
        let line = word / u64::from(WORD_BYTES);
        self.stage = Stage::Waiting(Pending { line, write: kind == Kind::Write, request });
        Ended::Waits
    }

    /// Translates the address of an access at a cycle. Returns the cycle of its lookup in the caches.
    fn translate_plain(&mut self, address: Address, at: u64, request: Option<Request>) -> Result<u64, Ended> {
        let (Some(own), Some(plain)) = (&mut self.translator, &mut self.plain) else { return Ok(at) };
        let page = own.tlbs.page(address);
        let (cycles, mut level) = own.begin(page);
        let mut cycle = at + cycles;
        let mut waits = None;
        while level < own.tlbs.table().depth() && waits.is_none() {
            let entry = own.load(level, page);
            level += 1;
            cycle += self.costs.inner;
            if !plain.caches.touch(Kind::Read, entry, WORD_BYTES as u16) {
                let depth = plain.caches.access(Kind::Read, entry, WORD_BYTES as u16);
                cycle += plain.lookups.further(Kind::Read, depth).map(|(_, cycles)| cycles).sum::<u64>();
                waits = plain.post(Kind::Read, depth, cycle, self.clock);
            }
        }
        if waits.is_none() {
            own.end(page);
        }
        if cycle > at {
            self.account.translation(self.source_line_of(request), cycle - at);
        }
        let Some(waits) = waits else { return Ok(cycle) };
        self.cycle = cycle;
        if !waits {
            self.go_back();
            return Err(Ended::Again);
        }
        self.stage = Stage::Waiting(Pending { line: address / u64::from(WORD_BYTES), write: false, request });
        Err(Ended::Waits)
    }

    /// Sends what can be sent from an instant on.
    pub(super) fn send_posted(&mut self, earliest: Time, shared: &mut Shared, port: &mut Port<'_, Message>) {
        let (Some(plain), Some(channel)) = (&mut self.plain, self.requests) else { return };
        if let Some((message, time)) = plain.outbox.next(earliest, &mut shared.timelines[usize::from(self.number)]) {
            port.send(channel, message, time.max(port.now()));
        }
    }

    /// A transaction is over.
    pub(super) fn complete_plain(&mut self, time: Time, port: &mut Port<'_, Message>) {
        let handle = Rc::clone(&self.shared);
        let shared = &mut *handle.borrow_mut();
        let Some(plain) = &mut self.plain else { return };
        let goes_on = plain.outbox.complete(time, &mut shared.timelines[usize::from(self.number)]);
        if let (true, Stage::Waiting(pending)) = (goes_on, self.stage) {
            let (cycle, _) = self.clock.first_edge(time);
            let cycle = cycle.max(self.cycle);
            let stack = plain.outbox.go_on(self.clock.edge(cycle));
            let line = self.line_in_progress();
            let walking = self.translator.as_ref().is_some_and(|own| own.progress != Progress::None);
            self.account.stall(line, cycle - self.cycle, |charged| match walking {
                true => charged.add(Owner::Translation, stack.total()),
                false => charged.merge(&stack),
            });
            self.cycle = cycle;
            match pending.request {
                request if walking => self.go_on_walking(request),
                None => self.pass_reference(),
                Some(request) => self.perform(request, shared),
            }
        }
        self.send_posted(time, shared, port);
    }
}
