//! One core's private caches, kept coherent as one agent with one state per line: any number of levels, for data, for instructions or for
//! both, inclusive, exclusive or neither, replaced and written as specified.
//!
//! ```text
//!   data --touch--> L1d --miss--> L2 --miss--> ... --miss--> requests to the interconnect
//!   instructions -> L1i --miss--/                            <-- snoops, completions
//! ```
//!
//! The state is the line's: every level that holds the line shows it. An inclusive level holds every line of those inside it, so a line
//! that leaves it leaves them (Baer and Wang, ISCA 1988); an exclusive one takes what they drop and gives up what they fetch (Jouppi
//! and Wilton, ISCA 1994); how lines move is in `moves`. Time is the core's business; this file says what happens, and counts it.

mod level;
mod moves;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::base::address::{Address, Line};
use crate::base::random::Stream;
use crate::base::time::Time;
use crate::coherence::agent::{Access, Agent, Answer};
use crate::coherence::controller::{Impossible, Transaction, Transition};
use crate::coherence::directory::{Packet, PacketKind};
use crate::coherence::protocol::{AgentAction, AgentEvent, Kind as ProtocolKind, Permission, Protocol, State, Vocabulary};
use crate::components::cache::{DIRTY, Permissions, READ, Slot, TRACED, WRITE};
use crate::components::causes::{Cause, Causes, Lack, Losses};
use crate::components::message::WORD_BYTES;
use crate::components::spec::CacheSpec;
use crate::components::trace::Kind;
use crate::components::versions::{Happened, Versions};

pub use level::{CacheCounters, Level};
use level::{Levels, Place};

/// Sees every transition: counts rows, and keeps the versions where there are any.
pub struct Observer<'a> {
    pub time: Time,
    pub core: u16,
    /// Where the access is, in memory and in the program's text, where it is one.
    pub address: Address,
    /// From 1; those beyond the end of the line do not count.
    pub bytes: u16,
    pub source_line: u32,
    /// How often each row of the agents' table was taken.
    pub rows: &'a mut [u64],
    pub versions: Option<&'a mut Versions>,
    /// What others wrote to lines that a core lost.
    pub losses: &'a mut Losses,
}

/// Why the caches cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The protocol's table has no row.
    Impossible(Line, Impossible),
    /// Versions disagree, or two cores may write: the line and the sentence.
    Incoherent(Line, String),
}

/// How a lookup ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A level had it: the first one on the way is 0.
    Hit(usize),
    /// It has to be asked for.
    Ask(Transaction),
    /// It has to be tried again once a write-back has left.
    Stall,
}

/// What a packet came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The access that waits for the line is to be [completed](PrivateCaches::complete).
    pub performs: bool,
    /// A place of the write-back buffer is free again.
    pub left: bool,
    /// A readable copy went.
    pub gone: bool,
    /// A copy of another line, which was dropped to make room for the one that came.
    pub dropped: Option<Line>,
}

/// An access that waits for its line.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    line: Line,
    kind: Kind,
    /// The words that it wants, a bit each, and the source line.
    words: u64,
    source_line: u32,
    /// The levels that lost the line to another core's write, a bit each: which kind of sharing that is shows when the line is there.
    lost: u8,
}

/// Bytes of lines between an agent and the interconnect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub read: u64,
    pub written: u64,
}

/// One core's private caches.
#[derive(Clone, Debug)]
pub struct PrivateCaches {
    levels: Levels,
    agent: Agent,
    protocol: Arc<Protocol>,
    permissions: Permissions,
    line_bytes: u64,
    line_shift: u32,
    /// Each line waits in a slot that it has already.
    awaited: Vec<Awaited>,
    /// Lines that are being moved between levels.
    moving: Vec<Line>,
    /// Lines that left, whose write-backs are still to be asked for.
    leaving: Vec<Line>,
    traffic: Traffic,
    /// Misses of data in the first level by source line and cause.
    by_line: FxHashMap<u32, Causes>,
}

impl Observer<'_> {
    fn transition(&mut self, protocol: &Protocol, line: Line, taken: &Transition) -> Result<(), Broken> {
        self.rows[protocol.agent.row_number(taken.from, taken.event)] += 1;
        let Some(versions) = &mut self.versions else { return Ok(()) };
        let (from, event, next) = (taken.from.0, taken.event.index() as u8, taken.next.0);
        if taken.from != State::INVALID || taken.next != State::INVALID {
            versions.note(self.time, line, Happened::Transition { core: self.core, from, event, next });
        }
        let may = |state: State| protocol.agent.state(state).permits == Permission::Write;
        if may(taken.from) != may(taken.next) {
            versions.may_write(self.core, line, may(taken.next)).map_err(|what| Broken::Incoherent(line, what))?;
        }
        Ok(())
    }
}

impl PrivateCaches {
    /// Empty caches; `random` is what the cache of a name draws from.
    ///
    /// # Panics
    /// Where none holds data.
    pub fn new(specs: &[CacheSpec], protocol: Arc<Protocol>, versions: bool, random: impl Fn(&str) -> Stream) -> PrivateCaches {
        PrivateCaches {
            levels: Levels::new(specs, &protocol, versions, random),
            agent: Agent::default(),
            permissions: permissions(&protocol),
            protocol,
            line_bytes: u64::from(specs[0].line_bytes),
            line_shift: specs[0].line_bytes.ilog2(),
            awaited: Vec::new(),
            moving: Vec::new(),
            leaving: Vec::new(),
            by_line: FxHashMap::default(),
            traffic: Traffic::default(),
        }
    }

    /// The line that an address lies in.
    #[inline(always)]
    pub fn line(&self, address: u64) -> Line {
        address >> self.line_shift
    }

    /// Whether the first level has the line and the access may go on: all there is to do for most accesses, but for
    /// [`PrivateCaches::watch`] where versions are kept.
    #[inline(always)]
    pub fn touch(&mut self, line: Line, write: bool) -> bool {
        let needed = if write { WRITE } else { READ };
        let first = self.levels.first();
        let hit = first.array.touch(line, needed, &self.permissions);
        first.counters.hits += u64::from(hit);
        hit
    }

    /// An access that [`PrivateCaches::touch`] did not let go on.
    pub fn access(&mut self, line: Line, write: bool, observer: &mut Observer<'_>) -> Result<Lookup, Broken> {
        self.access_as(line, if write { Kind::Write } else { Kind::Read }, observer)
    }

    /// Instructions of a line are fetched.
    pub fn fetch(&mut self, line: Line, observer: &mut Observer<'_>) -> Result<Lookup, Broken> {
        self.access_as(line, Kind::Fetch, observer)
    }

    fn access_as(&mut self, line: Line, kind: Kind, observer: &mut Observer<'_>) -> Result<Lookup, Broken> {
        let mut place = self.levels.find(line);
        if self.awaited.iter().any(|awaited| awaited.line == line) {
            return Ok(Lookup::Stall);
        }
        if self.agent.is_leaving(line) || self.stalls(&place, kind) {
            self.agent_access(place, kind, observer)?;
            return Ok(Lookup::Stall);
        }
        if !place.is_held() {
            return self.missing(line, kind, observer);
        }
        // A line that only levels on the other way hold is found behind the last level.
        let n_levels = self.levels.depth(kind);
        let depth = (0..n_levels).find(|&depth| place.slot(self.levels.on_way(kind, depth)).is_some());
        if depth != Some(0) && !self.levels.all_inclusive && !self.has_room_for_victim(None) {
            return Ok(Lookup::Stall);
        }
        // Lost to another core or not: the line has come back another way since.
        self.count_misses(line, kind, (depth.unwrap_or(n_levels), false), observer.source_line);
        if let Some(depth) = depth {
            let number = self.levels.on_way(kind, depth);
            let level = self.levels.get_mut(number);
            level.counters.hits += 1;
            if let Some(slot) = place.slot(number) {
                level.array.accessed(slot);
            }
        }
        match self.agent_access(place, kind, observer)? {
            Access::Asked(transaction) => {
                self.await_line(line, kind, 0, observer);
                let level = self.levels.on_way(kind, depth.unwrap_or(n_levels - 1));
                self.levels.get_mut(level).counters.upgrades += 1;
                Ok(Lookup::Ask(transaction))
            }
            Access::Performed => {
                self.bring_inwards(&mut place, kind, observer)?;
                self.take_effect(&place, kind, self.words(observer), observer)?;
                Ok(Lookup::Hit(depth.unwrap_or(n_levels - 1)))
            }
            Access::Stalled => Ok(Lookup::Stall),
        }
    }

    /// Whether an access has to wait for something on its way to the copy.
    fn stalls(&mut self, place: &Place, kind: Kind) -> bool {
        let state = self.levels.state(place);
        self.protocol.agent.row(state, event(kind)).is_some_and(|row| row.actions.has(AgentAction::Stall))
    }

    fn agent_access(&mut self, place: Place, kind: Kind, observer: &mut Observer<'_>) -> Result<Access, Broken> {
        let (access, taken) = self
            .agent
            .access(&self.protocol.agent, &mut self.levels.hold(place), place.line, kind == Kind::Write)
            .map_err(|impossible| Broken::Impossible(place.line, impossible))?;
        observer.transition(&self.protocol, place.line, &taken)?;
        Ok(access)
    }

    /// An access to a line that no level holds.
    fn missing(&mut self, line: Line, kind: Kind, observer: &mut Observer<'_>) -> Result<Lookup, Broken> {
        let Some(room) = self.room_for(line, kind) else { return Ok(Lookup::Stall) };
        let lost = self.count_misses(line, kind, (self.levels.depth(kind), true), observer.source_line);
        self.ask_for(line, kind, room, lost, observer).map(Lookup::Ask)
    }

    /// The slot of the outermost level that a line which no level holds would take, with the line that has to leave it; `None` where
    /// there is no room for the one or the other.
    fn room_for(&mut self, line: Line, kind: Kind) -> Option<(Slot, Option<Line>)> {
        let anchor = self.levels.anchor(kind);
        let (slot, victim) = self.choose(anchor, line)?;
        self.has_room_for_victim(victim.map(|_| (slot, anchor))).then_some((slot, victim))
    }

    /// A line that no level holds gets its room, and is to be asked for.
    fn ask_for(
        &mut self,
        line: Line,
        kind: Kind,
        (slot, victim): (Slot, Option<Line>),
        lost: u8,
        observer: &mut Observer<'_>,
    ) -> Result<Transaction, Broken> {
        let anchor = self.levels.anchor(kind);
        if let Some(victim) = victim {
            self.displace(anchor, slot, victim, observer)?;
        }
        self.levels.get_mut(anchor).array.fill(slot, line, State::INVALID);
        let mut place = Place::none(line);
        place.set(anchor, slot);
        match self.agent_access(place, kind, observer)? {
            Access::Asked(transaction) => {
                self.await_line(line, kind, lost, observer);
                Ok(transaction)
            }
            Access::Performed | Access::Stalled => {
                Err(Broken::Incoherent(line, format!("core {} used a line it does not hold", observer.core)))
            }
        }
    }

    fn await_line(&mut self, line: Line, kind: Kind, lost: u8, observer: &Observer<'_>) {
        let words = self.words(observer);
        self.awaited.push(Awaited { line, kind, words, source_line: observer.source_line, lost });
    }

    /// The words that an access touches, each a bit of its line's; of lines longer than 64 words a bit stands for several.
    fn words(&self, observer: &Observer<'_>) -> u64 {
        let granule = (self.line_bytes / 64).max(u64::from(WORD_BYTES));
        let first = observer.address % self.line_bytes;
        let last = (first + u64::from(observer.bytes) - 1).min(self.line_bytes - 1);
        u64::MAX << (first / granule) & u64::MAX >> (63 - last / granule)
    }

    fn all_words(&self) -> u64 {
        let granule = (self.line_bytes / 64).max(u64::from(WORD_BYTES));
        match self.line_bytes / granule {
            64 => u64::MAX,
            words => (1 << words) - 1,
        }
    }

    /// Counts misses in the first so many levels on the way. Those of them that lost the line to another core's write, a bit each, are
    /// left to [`PrivateCaches::count_sharing`], where the line is asked for.
    fn count_misses(&mut self, line: Line, kind: Kind, (depth, asks): (usize, bool), source_line: u32) -> u8 {
        let mut all_lost = 0;
        for passed in 0..depth {
            let number = self.levels.on_way(kind, passed);
            let level = self.levels.get_mut(number);
            level.counters.miss(kind);
            let Lack { cause, lost } = level.lacks(line, kind);
            if lost && asks {
                all_lost |= 1 << number;
            } else {
                self.count_cause(number, cause, source_line);
            }
        }
        all_lost
    }

    fn count_cause(&mut self, level: u8, cause: Cause, source_line: u32) {
        self.levels.get_mut(level).counters.causes[cause as usize] += 1;
        if level == 0 {
            self.by_line.entry(source_line).or_default()[cause as usize] += 1;
        }
    }

    /// Counts misses of levels that lost the line to another core's write: `is_true` where the word wanted was written since.
    fn count_sharing(&mut self, levels: u8, kind: Kind, is_true: bool, source_line: u32) {
        if levels == 0 {
            return;
        }
        let cause = if is_true { Cause::TrueSharing } else { Cause::FalseSharing };
        for passed in 0..self.levels.depth(kind) {
            let number = self.levels.on_way(kind, passed);
            if levels & 1 << number != 0 {
                self.count_cause(number, cause, source_line);
            }
        }
    }

    /// Whether any level holds a line, or waits for it.
    pub fn holds(&self, line: Line) -> bool {
        self.levels.find(line).is_held()
    }

    /// A line that no level holds is to be brought beforehand, as if for a read: what to ask for; `None` where there is no room. No
    /// access of the program misses it, so none is counted.
    pub fn prefetch(&mut self, line: Line, observer: &mut Observer<'_>) -> Result<Option<Transaction>, Broken> {
        if self.agent.is_leaving(line) || self.holds(line) {
            return Ok(None);
        }
        let Some(room) = self.room_for(line, Kind::Read) else { return Ok(None) };
        for passed in 0..self.levels.depth(Kind::Read) {
            let number = self.levels.on_way(Kind::Read, passed);
            // Nobody misses it, but whoever misses it later lost it since.
            self.levels.get_mut(number).lacks(line, Kind::Read);
        }
        self.ask_for(line, Kind::Read, room, 0, observer).map(Some)
    }

    /// An access takes effect.
    fn take_effect(&mut self, place: &Place, kind: Kind, words: u64, observer: &mut Observer<'_>) -> Result<(), Broken> {
        if kind == Kind::Write {
            self.mark_written(place);
            // As long as it could matter to someone, each store passes by here.
            let concerns = observer.losses.write(place.line, observer.core, words, self.all_words());
            for (level, slot) in place.all() {
                self.levels.get_mut(level).array.set_traced(slot, concerns);
            }
        }
        self.watch_at(place, kind == Kind::Write, observer)
    }

    /// Where versions are kept: an access takes effect on the newest version, or the caches are broken.
    #[inline]
    pub fn watch(&mut self, line: Line, write: bool, observer: &mut Observer<'_>) -> Result<(), Broken> {
        if observer.versions.is_none() {
            return Ok(());
        }
        let place = self.levels.find(line);
        self.watch_at(&place, write, observer)
    }

    fn watch_at(&mut self, place: &Place, write: bool, observer: &mut Observer<'_>) -> Result<(), Broken> {
        let Some(versions) = &mut observer.versions else { return Ok(()) };
        let line = place.line;
        if !place.is_held() {
            return Err(Broken::Incoherent(line, format!("core {} used a line it does not hold", observer.core)));
        }
        let version = self.levels.version(place);
        if !write {
            return versions.read(observer.core, line, version).map_err(|what| Broken::Incoherent(line, what));
        }
        let next = versions.write(observer.time, observer.core, line, version).map_err(|what| Broken::Incoherent(line, what))?;
        self.levels.set_version(place, next);
        Ok(())
    }

    /// A transaction of some agent is on the bus; `own` where it is this one's. The answer, and whether a readable copy went.
    pub fn snoop(
        &mut self,
        line: Line,
        transaction: Transaction,
        own: bool,
        observer: &mut Observer<'_>,
    ) -> Result<(Answer, bool), Broken> {
        let place = self.levels.find(line);
        let (answer, taken) = self
            .agent
            .snoop(&self.protocol.agent, &mut self.levels.hold(place), line, transaction, own)
            .map_err(|impossible| Broken::Impossible(line, impossible))?;
        if taken.from == taken.next && taken.from == State::INVALID {
            return Ok((answer, false));
        }
        observer.transition(&self.protocol, line, &taken)?;
        let gone = (place.is_held() && taken.next == State::INVALID) || taken.actions.has(AgentAction::Amend);
        if gone {
            observer.losses.lose(line, observer.core);
            for (level, _) in place.all() {
                self.levels.get_mut(level).counters.invalidations += 1;
            }
        }
        if answer.sends() && !answer.send_word {
            self.traffic.written += self.line_bytes;
            let sender =
                place.all().last().map_or_else(|| self.levels.anchor(Kind::Read), |(level, _)| self.levels.outermost(level));
            self.levels.get_mut(sender).counters.bytes_written += self.line_bytes;
        }
        Ok((answer, gone))
    }

    /// A packet about a line has come; what there is to answer is added to `answers`.
    pub fn receive(&mut self, packet: &Packet, answers: &mut Vec<Packet>, observer: &mut Observer<'_>) -> Result<Heard, Broken> {
        let line = packet.line;
        let mut place = self.levels.find(line);
        let mut dropped = None;
        if packet.kind == PacketKind::Inject
            && !place.is_held()
            && !self.agent.is_leaving(line)
            && let Some((level, slot, other)) = self.make_place(line, observer)?
        {
            place.set(level, slot);
            dropped = other;
        }
        let received = self
            .agent
            .receive(&self.protocol.agent, &mut self.levels.hold(place), observer.core, packet, answers)
            .map_err(|impossible| Broken::Impossible(line, impossible))?;
        let taken = received.taken;
        if taken.from != taken.next || taken.from != State::INVALID {
            observer.transition(&self.protocol, line, &taken)?;
        }
        let takes_away = matches!(packet.kind, PacketKind::Inv | PacketKind::FwdGetM);
        let gone = place.is_held() && takes_away && taken.from != taken.next && taken.from != State::INVALID;
        if gone {
            observer.losses.lose(line, observer.core);
            for (level, _) in place.all() {
                self.levels.get_mut(level).counters.invalidations += 1;
            }
        }
        if received.sent > 0 {
            self.traffic.written += received.sent * self.line_bytes;
            let sender =
                place.all().last().map_or_else(|| self.levels.anchor(Kind::Read), |(level, _)| self.levels.outermost(level));
            self.levels.get_mut(sender).counters.bytes_written += received.sent * self.line_bytes;
        }
        if taken.actions.has(AgentAction::Put) {
            self.traffic.written += self.line_bytes;
        }
        if packet.kind.has_line() {
            self.traffic.read += self.line_bytes;
        }
        if packet.kind.has_line() && !taken.actions.has(AgentAction::Refuse) {
            for (level, _) in place.all() {
                self.levels.get_mut(level).counters.bytes_read += self.line_bytes;
            }
            self.received(&place, packet.version, observer);
        }
        Ok(Heard { performs: received.performs, left: received.left, gone, dropped })
    }

    /// The packet that gives back a line that has just left.
    pub fn give_back(&mut self, line: Line, core: u16) -> Option<Packet> {
        let packet = self.agent.put(&self.protocol.agent, core, line)?;
        if packet.kind.has_line() {
            self.traffic.written += self.line_bytes;
        }
        Some(packet)
    }

    /// Whether lines have homes, which keep them coherent.
    pub fn has_homes(&self) -> bool {
        self.protocol.kind() == ProtocolKind::Directory
    }

    /// The word came that another agent wrote, and this one said it would take into its copy.
    pub fn take_word(&mut self, line: Line, version: u64, observer: &mut Observer<'_>) -> Result<(), Broken> {
        let place = self.levels.find(line);
        let taken = self
            .agent
            .take_word(&self.protocol.agent, &mut self.levels.hold(place), line)
            .map_err(|impossible| Broken::Impossible(line, impossible))?;
        observer.transition(&self.protocol, line, &taken)?;
        self.received(&place, version, observer);
        Ok(())
    }

    /// A copy has a version now that came over the bus.
    fn received(&mut self, place: &Place, version: u64, observer: &mut Observer<'_>) {
        self.levels.set_version(place, version);
        if let Some(versions) = &mut observer.versions {
            versions.note(observer.time, place.line, Happened::Filled { core: observer.core, version });
        }
    }

    /// What an access waited for is there: `version` where a line came. The access takes effect, or the transaction to ask for next is
    /// returned.
    pub fn complete(
        &mut self,
        line: Line,
        transaction: Transaction,
        shared: bool,
        version: u64,
        observer: &mut Observer<'_>,
    ) -> Result<Option<Transaction>, Broken> {
        let Some(number) = self.awaited.iter().position(|awaited| awaited.line == line) else {
            return Err(Broken::Incoherent(line, format!("core {} received a line it did not wait for", observer.core)));
        };
        let mut place = self.levels.find(line);
        if transaction.is_of_home() {
            // The packets that it waited for have made the transitions.
            self.perform_awaited(number, &mut place, observer)?;
            return Ok(None);
        }
        let mut held = self.levels.hold(place);
        // Its own transaction had its place in the order before; nothing of the line could be seen in between.
        if !transaction.is_shown_to_requestor() {
            let (_, ordered) = self
                .agent
                .snoop(&self.protocol.agent, &mut held, line, transaction, true)
                .map_err(|impossible| Broken::Impossible(line, impossible))?;
            observer.transition(&self.protocol, line, &ordered)?;
        }
        let (access, taken) = self
            .agent
            .complete(&self.protocol.agent, &mut held, line, transaction, shared)
            .map_err(|impossible| Broken::Impossible(line, impossible))?;
        observer.transition(&self.protocol, line, &taken)?;
        if transaction.brings_line() {
            self.traffic.read += self.line_bytes;
            for (level, _) in place.all() {
                self.levels.get_mut(level).counters.bytes_read += self.line_bytes;
            }
            self.received(&place, version, observer);
        }
        if let Access::Asked(next) = access {
            return Ok(Some(next));
        }
        self.perform_awaited(number, &mut place, observer)?;
        Ok(None)
    }

    /// The access that waited for a line takes effect.
    fn perform_awaited(&mut self, number: usize, place: &mut Place, observer: &mut Observer<'_>) -> Result<(), Broken> {
        let Awaited { line, kind, words, source_line, lost } = self.awaited[number];
        self.bring_inwards(place, kind, observer)?;
        self.awaited.swap_remove(number);
        let written = observer.losses.regain(line, observer.core).unwrap_or(0);
        self.count_sharing(lost, kind, written & words != 0, source_line);
        self.take_effect(place, kind, words, observer)
    }

    /// Whether an access could go on without asking anyone.
    pub fn is_permitted(&self, line: Line, write: bool) -> bool {
        let place = self.levels.find(line);
        if !place.is_held() {
            return false;
        }
        let event = if write { AgentEvent::Store } else { AgentEvent::Load };
        !self.agent.is_leaving(line)
            && self.protocol.agent.row(self.levels.state(&place), event).is_some_and(|row| row.actions.has(AgentAction::Perform))
    }

    /// Lines that left since the last call: the bus is to be asked to take them back.
    pub fn take_leaving(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.leaving)
    }

    /// Whether lines have left whose write-backs are still to be asked for.
    pub fn is_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// A lookup in the first level found its line on the way.
    pub fn count_merged(&mut self) {
        self.levels.first().counters.merged += 1;
    }

    /// Lookups in the first level that hit and were not made one by one: the spins of an `await`.
    pub fn count_hits(&mut self, n: u64) {
        self.levels.first().counters.hits += n;
    }

    /// The levels, innermost first.
    pub fn levels(&self) -> impl Iterator<Item = &Level> {
        self.levels.in_order()
    }

    /// Misses of data in the first level by source line and cause.
    pub fn causes_by_line(&self) -> &FxHashMap<u32, Causes> {
        &self.by_line
    }

    /// Bytes of lines that came and went.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Sets all counters to zero; what is cached stays.
    pub fn reset_counters(&mut self) {
        self.traffic = Traffic::default();
        self.by_line.clear();
        for level in self.levels.each() {
            level.counters = CacheCounters::default();
        }
    }

    /// Bytes of the host's memory they take.
    pub fn footprint(&self) -> usize {
        self.levels.footprint() + std::mem::size_of::<PrivateCaches>()
    }
}

fn event(kind: Kind) -> AgentEvent {
    match kind {
        Kind::Write => AgentEvent::Store,
        Kind::Read | Kind::Fetch => AgentEvent::Load,
    }
}

/// What may go on in each state without changing anything. A store needs the line to have been written here before, so that the first
/// one marks it.
fn permissions(protocol: &Protocol) -> Permissions {
    let mut permissions = Permissions([0; 256]);
    let table = &protocol.agent;
    for number in 0..table.states.len() {
        let state = State(number as u8);
        let goes_on = |event| table.row(state, event).is_some_and(|row| row.next == state && row.actions.has(AgentAction::Perform));
        let read = if goes_on(AgentEvent::Load) { READ } else { 0 };
        permissions.0[number] = read;
        permissions.0[number | usize::from(DIRTY)] = if goes_on(AgentEvent::Store) { read | WRITE } else { read };
        for traced in [number | usize::from(TRACED), number | usize::from(TRACED | DIRTY)] {
            permissions.0[traced] = read;
        }
    }
    permissions
}
