//! A core's way through caches that nothing keeps coherent. It is the only core, so nothing but its own transactions ever reaches it,
//! and it runs ahead until it waits for one of them.

use std::rc::Rc;

use super::{Core, Pending, Stage};
use crate::base::address::Address;
use crate::base::time::Time;
use crate::coherence::order::AgentNumber;
use crate::components::core::run::Pause;
use crate::components::lookups::Lookups;
use crate::components::message::{Message, WORD_BYTES};
use crate::components::plain::{Outbox, PlainCaches};
use crate::components::shared::Shared;
use crate::components::spec::NodeSpec;
use crate::components::trace::Kind;
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
}

impl Plain {
    pub fn new(number: AgentNumber, spec: &NodeSpec) -> Plain {
        let caches = PlainCaches::new(&spec.caches, |cache| spec.cache_stream(number, cache));
        let lookups = Lookups::new(&spec.caches);
        Plain { caches, outbox: Outbox::new(number, spec.outermost_line_bytes()), lookups }
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
        }
    }

    /// An access to the word that an address lies in. Leaves the core's local time behind the lookups.
    #[inline(always)]
    fn plain_access(&mut self, address: Address, write: bool, at: u64, request: Option<Request>) -> Ended {
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
        if plain.caches.transfers().is_empty() {
            return Ended::Over;
        }
        let now = self.clock.edge(self.cycle);
        let leaves = self.clock.edge(self.cycle + plain.lookups.behind(kind, depth));
        if !plain.outbox.post(plain.caches.transfers(), now, leaves) {
            return Ended::Posted;
        }
        let line = word / u64::from(WORD_BYTES);
        self.stage = Stage::Waiting(Pending { line, write: kind == Kind::Write, request });
        Ended::Waits
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
            self.account.stall(line, cycle - self.cycle, |charged| charged.merge(&stack));
            self.cycle = cycle;
            match pending.request {
                None => self.pass_reference(),
                Some(request) => self.perform(request, shared),
            }
        }
        self.send_posted(time, shared, port);
    }
}
