//! A core that replays a memory trace: in order, one reference after the other, through caches without coherence, or none. (Through
//! coherent caches `core/stream.rs` does.)
//!
//! ```text
//!   entries --> fetch: one cycle --> lookup, hidden in it, and those of further levels -->\
//!           --> read or write:       lookups of its levels ------------------------------->} transactions of plain caches
//! ```
//!
//! An instruction is an operation of one cycle, during which the first cache that holds instructions is looked into. A data access takes
//! the latencies of the caches that it looks into. What memory has to deliver, the core waits for.

use std::rc::Rc;

use crate::base::time::{Clock, Time};
use crate::coherence::order::AgentNumber;
use crate::components::lookups::Lookups;
use crate::components::message::Message;
use crate::components::owner::{Owner, Stack};
use crate::components::plain::{Outbox, PlainCaches};
use crate::components::shared::{Interruption, LATEST, Shared, SharedHandle};
use crate::components::spec::NodeSpec;
use crate::components::trace::{BATCH, END, Entries, Entry, Kind, TraceCounters};
use crate::components::translation::{ENTRY_BYTES, Progress, Translation, Translator};
use crate::engine::{ChannelId, Port, Wait};

/// What a core counted that replays a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counters {
    references: TraceCounters,
    /// Cycles of lookups beyond the first, by owner.
    lookups: [u64; Owner::COUNT],
    /// Waits, by owner, in picoseconds.
    stalls: Stack,
    /// The cycles that the waits took.
    stalled_cycles: u64,
}

/// The core and its caches.
#[derive(Debug)]
pub struct Replay {
    // Spec.
    number: AgentNumber,
    clock: Clock,
    requests: ChannelId,
    shared: SharedHandle,
    lookups: Lookups,

    // State.
    entries: Box<dyn Entries>,
    /// References that are next, from `next` on.
    batch: Vec<Entry>,
    next: usize,
    caches: PlainCaches,
    outbox: Outbox,
    translator: Option<Box<Translator>>,
    /// Pages of the reference in progress below this one are translated.
    page: u64,
    begin: u64,
    /// Local time.
    cycle: u64,
    waits: bool,
    over: bool,
    counters: Counters,
}

impl Replay {
    /// A core at the beginning of its references, its caches empty.
    pub fn new(
        number: AgentNumber,
        spec: &NodeSpec,
        entries: Box<dyn Entries>,
        requests: ChannelId,
        shared: SharedHandle,
    ) -> Replay {
        let caches = PlainCaches::new(&spec.caches, |cache| spec.cache_stream(number, cache));
        Replay {
            number,
            clock: spec.core.clock,
            requests,
            shared,
            lookups: Lookups::new(&spec.caches),
            entries,
            batch: Vec::with_capacity(BATCH + 1),
            next: 0,
            caches,
            outbox: Outbox::new(number, spec.outermost_line_bytes()),
            translator: Translator::new(number, spec, END),
            page: 0,
            begin: 0,
            cycle: 0,
            waits: false,
            over: false,
            counters: Counters::default(),
        }
    }

    /// The references it has made.
    pub fn counters(&self) -> &TraceCounters {
        &self.counters.references
    }

    /// Its caches.
    pub fn caches(&self) -> &PlainCaches {
        &self.caches
    }

    /// Its TLBs, where it has any.
    pub fn translation(&self) -> Option<&Translation> {
        self.translator.as_ref().map(|own| &own.tlbs)
    }

    /// When the last reference was over.
    pub fn finished(&self) -> Time {
        self.clock.edge(self.cycle)
    }

    /// A transaction is over.
    pub fn receive(&mut self, message: Message, port: &mut Port<'_, Message>) {
        let Message::Complete { time, .. } = message else { return };
        let handle = Rc::clone(&self.shared);
        let mut shared = handle.borrow_mut();
        if self.outbox.complete(time, &mut shared.timelines[usize::from(self.number)]) {
            let (cycle, _) = self.clock.first_edge(time);
            let cycle = cycle.max(self.cycle);
            let stack = self.outbox.go_on(self.clock.edge(cycle));
            match &self.translator {
                Some(own) if own.progress != Progress::None => self.counters.stalls.add(Owner::Translation, stack.total()),
                _ => self.counters.stalls.merge(&stack),
            }
            self.counters.stalled_cycles += cycle - self.cycle;
            self.cycle = cycle;
            self.waits = false;
        }
        self.send(time, &mut shared, port);
        self.run(&mut shared, port);
    }

    /// The run begins.
    pub fn wake(&mut self, port: &mut Port<'_, Message>) {
        let handle = Rc::clone(&self.shared);
        let mut shared = handle.borrow_mut();
        self.cycle = self.clock.cycle_at_or_after(port.now());
        self.begin = self.cycle;
        self.run(&mut shared, port);
    }

    /// Makes references until one has to wait or none is left.
    fn run(&mut self, shared: &mut Shared, port: &mut Port<'_, Message>) {
        while !self.waits && !self.over {
            if self.next == self.batch.len() && !self.refill(shared, port) {
                return;
            }
            if self.translator.is_none() {
                self.hits();
            }
            let Some(&entry) = self.batch.get(self.next) else { continue };
            if self.translator.is_some() && entry.kind != Kind::Fetch && !self.translate(entry, shared, port) {
                continue;
            }
            self.next += 1;
            let depth = self.miss(entry);
            self.post(entry.kind, depth, shared, port);
        }
    }

    /// Puts on its way what a reference asks of memory.
    fn post(&mut self, kind: Kind, depth: usize, shared: &mut Shared, port: &mut Port<'_, Message>) {
        if !self.caches.transfers().is_empty() {
            let leaves = self.cycle + self.lookups.behind(kind, depth);
            let (now, leaves) = (self.clock.edge(self.cycle), self.clock.edge(leaves));
            self.waits = self.outbox.post(self.caches.transfers(), now, leaves);
            self.send(Time::ZERO, shared, port);
        }
    }

    /// Translates the address of a reference, of every page that it touches. Returns whether that is done; if not, a load of a walk
    /// waits for memory.
    fn translate(&mut self, entry: Entry, shared: &mut Shared, port: &mut Port<'_, Message>) -> bool {
        loop {
            let Some(own) = &mut self.translator else { return true };
            let page = self.page.max(own.tlbs.page(entry.address));
            if page > own.tlbs.page(entry.address + u64::from(entry.bytes) - 1) {
                self.page = 0;
                return true;
            }
            let (mut cycles, level) = own.begin(page);
            let mut depth = None;
            if level < own.tlbs.table().depth() {
                let address = own.load(level, page);
                cycles += self.lookups.first[Kind::Read as usize];
                let looked_into = self.caches.access(Kind::Read, address, ENTRY_BYTES as u16);
                cycles += self.lookups.further(Kind::Read, looked_into).map(|(_, cycles)| cycles).sum::<u64>();
                depth = Some(looked_into);
            } else {
                own.end(page);
                self.page = page + 1;
            }
            self.counters.lookups[Owner::Translation as usize] += cycles;
            self.cycle += cycles;
            if let Some(depth) = depth {
                self.post(Kind::Read, depth, shared, port);
                if self.waits {
                    return false;
                }
            }
        }
    }

    /// The next references. Returns whether there are any.
    fn refill(&mut self, shared: &mut Shared, port: &mut Port<'_, Message>) -> bool {
        self.next = 0;
        if let Err(what) = self.entries.refill(&mut self.batch) {
            shared.interrupt(Interruption::Trace(what));
        }
        shared.spend(self.batch.len() as u64);
        if self.clock.edge(self.cycle) >= LATEST {
            shared.interrupt(Interruption::TimeLimit);
        }
        if shared.interruption.is_some() {
            port.stop();
            return false;
        }
        for entry in &self.batch {
            self.counters.references.count(entry);
        }
        self.over = self.batch.is_empty();
        !self.over
    }

    /// Makes references as long as the first levels have what they want.
    #[inline(always)]
    fn hits(&mut self) {
        let mut cycle = self.cycle;
        let mut next = self.next;
        let costs = self.lookups.first;
        for entry in &self.batch[next..] {
            if !self.caches.touch(entry.kind, entry.address, entry.bytes) {
                break;
            }
            cycle += costs[entry.kind as usize];
            next += 1;
        }
        (self.cycle, self.next) = (cycle, next);
    }

    /// Makes a reference that the first level does not have, but for what memory has to do. Returns how many levels it looked into.
    fn miss(&mut self, entry: Entry) -> usize {
        let depth = self.caches.access(entry.kind, entry.address, entry.bytes);
        self.cycle += self.lookups.first[entry.kind as usize];
        for (owner, cycles) in self.lookups.further(entry.kind, depth) {
            self.counters.lookups[owner as usize] += cycles;
            self.cycle += cycles;
        }
        depth
    }

    /// Sends what can be sent from an instant on.
    fn send(&mut self, earliest: Time, shared: &mut Shared, port: &mut Port<'_, Message>) {
        if let Some((message, time)) = self.outbox.next(earliest, &mut shared.timelines[usize::from(self.number)]) {
            port.send(self.requests, message, time.max(port.now()));
        }
    }

    /// Its time by owner, up to the last reference. The working time as a whole, which is exact, is dealt by cycles, as for cores.
    ///
    /// # Errors
    /// Where the cycles counted are not those that passed.
    pub fn stack(&self) -> Result<Stack, String> {
        let [fetches, reads, writes] = self.counters.references.kinds;
        let mut cycles = self.counters.lookups;
        cycles[Owner::Base as usize] += fetches;
        cycles[Owner::L1d as usize] += (reads + writes) * self.lookups.first[Kind::Read as usize];
        let worked: u64 = cycles.iter().sum();
        let passed = self.cycle - self.begin;
        if worked + self.counters.stalled_cycles != passed {
            let stalled = self.counters.stalled_cycles;
            return Err(format!("{worked} cycles of work and {stalled} of waiting were counted where {passed} passed"));
        }
        let stalls = self.counters.stalls;
        let time = (self.clock.edge(self.cycle) - self.clock.edge(self.begin)).saturating_sub(stalls.total());
        let mut stack = stalls;
        let (mut before, mut dealt) = (0_u64, 0_u64);
        for (_, owner) in Owner::ALL {
            before += cycles[owner as usize];
            let until = (u128::from(time.0) * u128::from(before) / u128::from(worked.max(1))) as u64;
            stack.add(owner, Time(until - dealt));
            dealt = until;
        }
        Ok(stack)
    }

    /// Says what it waits for.
    pub fn waits(&self, report: &mut Vec<Wait>) {
        if !self.outbox.is_empty() {
            let what = format!("core {} waits for {} transactions with memory", self.number, self.outbox.len());
            report.push(Wait { who: None, whom: None, what });
        }
    }
}
