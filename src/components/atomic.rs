//! Coherent caches without time: each access is made with all that it asks of others, before the next one is. Caches and protocol are
//! those of a run in time; only who waits for what is left out.
//!
//! ```text
//!   access --> caches of its core --Ask--> order of the bus --Snoop--> all other caches --answers--> a cache's line, or the backing's
//!                    ^                                                                                        |
//!                    '--------------------------------- Complete, and Word to whoever takes it <--------------'
//! ```
//!
//! What drops out of the caches is written back behind the access that drove it out.

use crate::base::address::{Address, Line};
use crate::base::time::Time;
use crate::coherence::controller::Transaction;
use crate::coherence::order::{AgentNumber, BusOrder, Command, Request, UnderWay};
use crate::coherence::protocol::MemoryEvent;
use crate::components::backing::Backing;
use crate::components::hierarchy::{Broken, Lookup, Observer, PrivateCaches};
use crate::components::memory_side::MemorySide;
use crate::components::message::WORD_BYTES;
use crate::components::shared::{Interruption, Shared};
use crate::components::snooping::InterconnectCounters;
use crate::components::spec::{Holds, NodeSpec};
use crate::components::trace::{END, Entry, Kind};
use crate::components::translation::{ENTRY_BYTES, Translator};
use crate::program::code::Arena;
use crate::program::memory::Memory;

/// Nothing takes time, and a ledger settles what lies before `now`.
const AT: Time = Time::ZERO;
const NOW: Time = Time(1);

/// An access, or as much of one as lies in one line.
#[derive(Clone, Copy)]
struct Access {
    core: AgentNumber,
    kind: Kind,
    address: Address,
    bytes: u16,
    line: Line,
}

/// The caches of all cores, and what is behind them.
#[derive(Debug)]
pub struct Atomic {
    line_bytes: u32,
    /// By [`Kind`]: bytes of a line of the caches that such references go to, as a power of two; `None` where there are none.
    line_shift: [Option<u32>; 3],
    watched: bool,

    caches: Vec<PrivateCaches>,
    translators: Vec<Option<Box<Translator>>>,
    order: BusOrder,
    side: MemorySide,
    backing: Backing,
    counters: InterconnectCounters,
    shared: Shared,
}

impl Atomic {
    /// The caches of a node, empty; `None` where nothing keeps them coherent.
    pub fn new(spec: &NodeSpec) -> Option<Atomic> {
        let protocol = spec.coherence()?;
        let cores = spec.cores as u16;
        let random = |core| move |cache: &str| spec.cache_stream(core, cache);
        let caches = |core| PrivateCaches::new(&spec.caches, protocol.clone(), spec.checks, random(core));
        let values = Memory::new(&Arena::default()).expect("an empty arena has room");
        let shift = |what| spec.caches.iter().any(|cache| cache.holds.includes(what)).then(|| spec.line_bytes().ilog2());
        let (instructions, data) = (shift(Holds::Instructions), shift(Holds::Data));
        Some(Atomic {
            line_bytes: spec.line_bytes(),
            line_shift: [instructions, data, data],
            watched: spec.checks,
            caches: (0..cores).map(caches).collect(),
            translators: (0..cores).map(|core| Translator::new(core, spec, END)).collect(),
            order: BusOrder::new(usize::from(cores), usize::MAX),
            side: MemorySide::new(Some(protocol.clone())),
            backing: Backing::new(spec, spec.checks),
            counters: InterconnectCounters::new(AT, AT),
            shared: Shared::new(values, usize::from(cores), Some(protocol.clone()), spec.checks),
        })
    }

    /// The caches of each core.
    pub fn caches(&self) -> &[PrivateCaches] {
        &self.caches
    }

    /// The TLBs of each core, where it has any.
    pub fn translators(&self) -> &[Option<Box<Translator>>] {
        &self.translators
    }

    /// What the interconnect carried.
    pub fn counters(&self) -> &InterconnectCounters {
        &self.counters
    }

    /// What is behind the caches.
    pub fn backing(&self) -> &Backing {
        &self.backing
    }

    /// How often each row of the protocol was taken.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Makes a reference.
    ///
    /// # Errors
    /// Why the run is over.
    #[inline]
    pub fn refer(&mut self, entry: &Entry) -> Result<(), Interruption> {
        let Some(shift) = self.line_shift[entry.kind as usize] else { return Ok(()) };
        let line = entry.address >> shift;
        let is_one_line = (entry.address + u64::from(entry.bytes) - 1) >> shift == line;
        let core = usize::from(entry.core);
        let may_hit = is_one_line && !self.watched && self.translators[core].is_none() && entry.kind != Kind::Fetch;
        if may_hit && self.caches[core].touch(line, entry.kind == Kind::Write) {
            return Ok(());
        }
        self.refer_slowly(entry, shift)
    }

    fn refer_slowly(&mut self, entry: &Entry, shift: u32) -> Result<(), Interruption> {
        let &Entry { address, bytes, kind, core } = entry;
        let (mut at, end) = (address, address + u64::from(bytes));
        let mut page = None;
        while at < end {
            let until = end.min(((at >> shift) + 1) << shift);
            if kind != Kind::Fetch {
                page = self.translate(core, at, page)?;
            }
            self.access(Access { core, kind, address: at, bytes: (until - at) as u16, line: at >> shift })?;
            at = until;
        }
        Ok(())
    }

    /// Translates an address, unless its page is the one that the reference had before. Returns its page.
    fn translate(&mut self, core: AgentNumber, address: Address, before: Option<u64>) -> Result<Option<u64>, Interruption> {
        let Some(mut own) = self.translators[usize::from(core)].take() else { return Ok(None) };
        let page = own.tlbs.page(address);
        let mut walked = Ok(());
        if before != Some(page) {
            let (_, level) = own.begin(page);
            for level in level..own.tlbs.table().depth() {
                let address = own.load(level, page);
                let line = self.caches[usize::from(core)].line(address);
                walked =
                    walked.and_then(|()| self.access(Access { core, kind: Kind::Read, address, bytes: ENTRY_BYTES as u16, line }));
            }
            own.end(page);
        }
        self.translators[usize::from(core)] = Some(own);
        walked.map(|()| Some(page))
    }

    fn access(&mut self, access: Access) -> Result<(), Interruption> {
        match self.look_up(access).and_then(|lookup| self.follow(access, lookup)) {
            Ok(()) => {}
            Err(broken) => self.shared.broken(AT, access.core, &broken),
        }
        self.shared.limit_watch();
        self.shared.interruption.take().map_or(Ok(()), Err)
    }

    fn look_up(&mut self, access: Access) -> Result<Lookup, Broken> {
        let Access { core, kind, line, .. } = access;
        let caches = &mut self.caches[usize::from(core)];
        let write = kind == Kind::Write;
        let mut observer = observe(&mut self.shared, access);
        match kind {
            Kind::Fetch => caches.fetch(line, &mut observer),
            _ if caches.touch(line, write) => caches.watch(line, write, &mut observer).map(|()| Lookup::Hit(0)),
            _ => caches.access(line, write, &mut observer),
        }
    }

    /// What follows a lookup.
    fn follow(&mut self, access: Access, lookup: Lookup) -> Result<(), Broken> {
        let Access { core, line, .. } = access;
        let mut next = match lookup {
            Lookup::Hit(_) => None,
            Lookup::Ask(transaction) => Some(transaction),
            Lookup::Stall => return Err(Broken::Incoherent(line, format!("core {core} waits, and there is nothing to wait for"))),
        };
        while let Some(transaction) = next {
            next = self.transact(access, transaction)?;
        }
        while self.caches[usize::from(core)].is_leaving() {
            for line in self.caches[usize::from(core)].take_leaving() {
                self.transact(Access { line, ..access }, Transaction::BusWb)?;
            }
        }
        Ok(())
    }

    /// A transaction from its grant to its end. Returns what the access asks for next.
    fn transact(&mut self, access: Access, transaction: Transaction) -> Result<Option<Transaction>, Broken> {
        let Access { core, line, .. } = access;
        let (under_way, takers) = self.order_and_snoop(access, transaction)?;
        let version = match (transaction, under_way.supplied) {
            (Transaction::BusWb, supplied) => {
                if let Some(version) = supplied {
                    self.write(line, MemoryEvent::WriteBack, version);
                }
                return Ok(None);
            }
            (Transaction::BusUpd, None) => 0,
            (transaction, _) if !transaction.brings_line() && transaction != Transaction::BusUpd => 0,
            (Transaction::BusUpd, Some(version)) => {
                self.counters.sent(transaction, false);
                self.moved(WORD_BYTES);
                version
            }
            (_, Some(version)) => {
                self.counters.sent(transaction, under_way.for_memory);
                if under_way.for_memory {
                    self.write(line, MemoryEvent::Flush, version);
                } else {
                    self.moved(self.line_bytes);
                }
                version
            }
            (_, None) => self.read(line),
        };
        let mut observer = observe(&mut self.shared, access);
        let caches = &mut self.caches[usize::from(core)];
        let next = caches.complete(line, transaction, under_way.shared, version, &mut observer)?;
        for taker in takers {
            let mut observer = observe(&mut self.shared, Access { core: taker, ..access });
            self.caches[usize::from(taker)].take_word(line, version + 1, &mut observer)?;
        }
        Ok(next)
    }

    /// A transaction takes its place in the order, and all answer to it: what came of that, and who takes a word.
    fn order_and_snoop(&mut self, access: Access, transaction: Transaction) -> Result<(UnderWay, Vec<AgentNumber>), Broken> {
        let Access { core, line, .. } = access;
        let command = Command::Coherent(transaction);
        let request = Request { agent: core, command, line, stamp: 0, left: 0 };
        self.counters.begin_transaction(command);
        self.order.arrive(request);
        let id = self.order.grant(request);
        for (number, caches) in (0..).zip(&mut self.caches) {
            let is_own = number == core;
            if is_own && !transaction.is_shown_to_requestor() {
                continue;
            }
            let mut observer = observe(&mut self.shared, Access { core: number, ..access });
            let (answer, _) = caches.snoop(line, transaction, is_own, &mut observer)?;
            if answer.matters() {
                self.order.answer(id, number, &answer);
            }
        }
        let takers = self.order.takers(id).collect();
        let under_way = *self.order.under_way(id);
        self.order.complete(id);
        Ok((under_way, takers))
    }

    /// Bytes went over the interconnect.
    fn moved(&mut self, bytes: u32) {
        self.counters.data.enter(AT, AT, u64::from(bytes), NOW);
    }

    /// A line comes from memory's side: its version.
    fn read(&mut self, line: Line) -> u64 {
        self.moved(self.line_bytes);
        let supplied = self.side.act_at(line, MemoryEvent::Read, AT, &mut self.shared) != Some(false);
        let version = self.backing.read(line, self.line_bytes);
        // What a broken protocol does not supply has the oldest version.
        if supplied { version } else { 0 }
    }

    /// Memory's side takes a line.
    fn write(&mut self, line: Line, event: MemoryEvent, version: u64) {
        self.moved(self.line_bytes);
        if self.side.act_at(line, event, AT, &mut self.shared) != Some(false) {
            self.backing.write(line, self.line_bytes, version);
        }
    }
}

fn observe(shared: &mut Shared, access: Access) -> Observer<'_> {
    Observer { bytes: access.bytes, ..shared.observe(access.core, AT, (access.address, 0)) }
}
