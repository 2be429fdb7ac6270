//! A last-level cache that all cores of a node share, on memory's side of the point of coherence: it stands before memory, holds what
//! passes, and answers what it holds. Agents know nothing of it, so it needs no state of the protocol: what memory would do it does.
//!
//! ```text
//!                    queue of a bank            lookup                         mshrs
//!   Fetch, Store --> | . | . | . | --> hit: (Fetch) Line, latency after   --> miss: Fetch, latency after the lookup began --> memory
//!                                       the lookup began                       |  requests of a line under way join it
//!   Line <---------------------------------------------------------------------'-- Line <----------------------------------- memory
//!                                                                              '-- victim, if dirty: Store ----------------> memory
//! ```
//!
//! Lines are dealt to banks by number; a bank takes its requests in the order in which they came, one each interval, and a line that comes
//! from memory takes it for an interval, too. A miss takes a register (MSHR; Kroft, "Lockup-free instruction fetch/prefetch cache
//! organization", ISCA 1981) until its line is there; where none is free, the bank waits. A line that is written whole needs no line of
//! memory's; of one that is written in part the rest is fetched. Lines come in at a miss and leave when they make room: the private caches
//! and this one include each other's lines by chance only.

mod lines;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::address::Line;
use crate::base::random::Stream;
use crate::base::time::Time;
use crate::coherence::order::{AgentNumber, TransactionId};
use crate::coherence::protocol::{MemoryEvent, Protocol};
use crate::components::memory_side::MemorySide;
use crate::components::message::Message;
use crate::components::owner::Owner;
use crate::components::shared::SharedHandle;
use crate::components::spec::LlcSpec;
use crate::engine::{ChannelId, Port, Wait, Wake};

pub use lines::{Lines, LlcCounters};

/// What a request wants of one line.
#[derive(Clone, Copy, Debug)]
enum Want {
    /// The line, for the answer of a number.
    Read { answer: u32 },
    /// It is written: the whole line, or a part of it.
    Write { whole: bool, version: u64 },
}

/// A request, as far as one line is concerned.
#[derive(Clone, Copy, Debug)]
struct Access {
    line: Line,
    want: Want,
    time: Time,
    /// Whether the request's place is free once this one is looked up.
    is_last: bool,
}

/// A read that is to be answered: it may want several lines.
#[derive(Clone, Copy, Debug)]
struct Answer {
    id: TransactionId,
    agent: AgentNumber,
    /// The line that the agent asked for, in its own count.
    asked: Line,
    bytes: u32,
    /// Whether memory's side of the protocol lets it be answered with data.
    supplied: bool,
    /// Lines that are not there yet.
    missing: u32,
    /// When those that are there were.
    time: Time,
}

/// A line on its way from memory.
#[derive(Clone, Debug, Default)]
struct Mshr {
    line: Line,
    /// The answers that want it, each with the instant at which its lookup was over.
    waiting: Vec<(u32, Time)>,
    /// It was written meanwhile; the version where it was written whole.
    written: bool,
    version: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Bank {
    queue: VecDeque<Access>,
    /// The first cycle in which it may be looked into.
    free: u64,
    /// Its first request waits for a register or for memory.
    blocked: bool,
}

/// The channels of a shared cache.
#[derive(Clone, Copy, Debug)]
pub struct LlcPorts {
    /// From the interconnect, and back to it.
    pub requests: ChannelId,
    pub answers: ChannelId,
    /// To memory, and back from it.
    pub to_memory: ChannelId,
    pub from_memory: ChannelId,
}

/// The shared cache.
#[derive(Debug)]
pub struct Llc {
    spec: LlcSpec,
    /// Bytes of what a request's line number counts.
    unit_bytes: u64,
    ports: LlcPorts,
    shared: SharedHandle,

    side: MemorySide,
    lines: Lines,
    banks: Vec<Bank>,
    mshrs: Vec<Option<Mshr>>,
    answers: Vec<Option<Answer>>,
    for_memory: VecDeque<Message>,
    /// When the last of what asks memory does: what comes after it must not overtake it, for two of them may write the same line.
    last_asks: Time,
    /// The instant for which a wake is planned.
    planned: Option<Time>,
}

/// Puts something where nothing is; its number.
fn put<T>(places: &mut Vec<Option<T>>, entry: T) -> u32 {
    let place = places.iter().position(Option::is_none).unwrap_or_else(|| {
        places.push(None);
        places.len() - 1
    });
    places[place] = Some(entry);
    place as u32
}

impl Llc {
    /// An empty cache. The line numbers of requests count units of `unit_bytes`; `random` is what random replacement draws from.
    pub fn new(
        spec: LlcSpec,
        unit_bytes: u32,
        protocol: Option<Arc<Protocol>>,
        ports: LlcPorts,
        shared: SharedHandle,
        random: Stream,
    ) -> Llc {
        let versions = shared.borrow().versions.is_some();
        Llc {
            lines: Lines::new(&spec.cache, versions, random),
            banks: vec![Bank::default(); spec.banks as usize],
            mshrs: vec![None; spec.mshrs as usize],
            answers: Vec::new(),
            for_memory: VecDeque::new(),
            last_asks: Time::ZERO,
            side: MemorySide::new(protocol),
            unit_bytes: u64::from(unit_bytes),
            planned: None,
            spec,
            ports,
            shared,
        }
    }

    /// What it counted.
    pub fn counters(&self) -> &LlcCounters {
        &self.lines.counters
    }

    /// How many banks it has.
    pub fn n_banks(&self) -> u32 {
        self.spec.banks
    }

    /// Begins a phase: counters start anew, with figures to be had of instants up to `memory` ago.
    pub fn begin(&mut self, at: Time, memory: Time) {
        self.lines.counters = LlcCounters::new(at, memory);
    }

    /// A message has come.
    pub fn receive(&mut self, channel: ChannelId, message: Message, port: &mut Port<'_, Message>) {
        match message {
            Message::Fetch { id, agent, line, bytes, time } => self.read(id, agent, line, bytes, time, port),
            Message::Store { line, bytes, version, flush, time } => {
                let event = if flush { MemoryEvent::Flush } else { MemoryEvent::WriteBack };
                if self.side.act(line, event, &self.shared, port) == Some(false) {
                    // A row that takes nothing: the protocol is broken, and the line's versions will tell.
                    port.release(channel);
                    return;
                }
                self.lines.counters.bytes_taken += u64::from(bytes);
                self.enqueue(line, bytes, time, |whole| Want::Write { whole, version });
            }
            Message::Line { id, version, began, time } => {
                port.release(channel);
                self.filled(id, version, began, time, port);
            }
            _ => port.release(channel),
        }
        self.look_up(port);
    }

    /// What it planned for has come, or memory has a place again.
    pub fn wake(&mut self, reason: Wake, port: &mut Port<'_, Message>) {
        match reason {
            Wake::Planned(_) => self.planned = self.planned.filter(|&time| time > port.now()),
            Wake::Place(_) => {
                // What waited for a place asks now.
                for message in &mut self.for_memory {
                    message.postpone(port.now());
                }
                self.send_to_memory(port);
            }
        }
        self.look_up(port);
    }

    fn read(&mut self, id: TransactionId, agent: AgentNumber, asked: Line, bytes: u32, time: Time, port: &mut Port<'_, Message>) {
        let supplied = self.side.act(asked, MemoryEvent::Read, &self.shared, port) != Some(false);
        let answer = Answer { id, agent, asked, bytes, supplied, missing: 0, time: Time::ZERO };
        let number = put(&mut self.answers, answer);
        let n_lines = self.enqueue(asked, bytes, time, |_| Want::Read { answer: number });
        if let Some(answer) = &mut self.answers[number as usize] {
            answer.missing = n_lines;
        }
    }

    /// Puts what a request wants into the queues of its lines' banks; how many lines that are.
    fn enqueue(&mut self, line: Line, bytes: u32, time: Time, want: impl Fn(bool) -> Want) -> u32 {
        let mut lines = self.lines.of_request(line, self.unit_bytes, bytes).peekable();
        let mut n_lines = 0;
        while let Some((line, whole)) = lines.next() {
            let bank = (line % self.banks.len() as u64) as usize;
            self.banks[bank].queue.push_back(Access { line, want: want(whole), time, is_last: lines.peek().is_none() });
            n_lines += 1;
        }
        n_lines
    }

    /// Does the lookups that can begin now, and plans for those that can begin later.
    fn look_up(&mut self, port: &mut Port<'_, Message>) {
        let mut next: Option<Time> = None;
        // Whoever has waited longest goes first: registers are few.
        let mut order: Vec<usize> = (0..self.banks.len()).filter(|&bank| !self.banks[bank].queue.is_empty()).collect();
        order.sort_by_key(|&bank| (self.banks[bank].queue.front().map(|access| access.time), bank));
        for bank in order {
            while let Some(&access) = self.banks[bank].queue.front() {
                let cycle = self.spec.clock.cycle_at_or_after(access.time).max(self.banks[bank].free);
                let start = self.spec.clock.edge(cycle);
                if start > port.now() {
                    next = Some(next.map_or(start, |next| next.min(start)));
                    break;
                }
                // What waited for something else than its bank is looked up now.
                let cycle = if self.banks[bank].blocked { self.spec.clock.cycle_at_or_after(port.now()).max(cycle) } else { cycle };
                self.banks[bank].blocked = !self.access(bank, access, cycle, port);
                if self.banks[bank].blocked {
                    break;
                }
                self.banks[bank].queue.pop_front();
                if access.is_last {
                    port.release(self.ports.requests);
                }
            }
        }
        if let Some(next) = next
            && self.planned.is_none_or(|planned| planned > next)
        {
            self.planned = Some(next);
            port.wake_at(next, 0);
        }
    }

    /// Looks a line up from the beginning of a cycle on. Returns whether that was possible: a miss needs a register, and a place on the way
    /// to memory.
    fn access(&mut self, bank: usize, access: Access, cycle: u64, port: &mut Port<'_, Message>) -> bool {
        let (start, over) = (self.spec.clock.edge(cycle), self.spec.clock.edge(cycle + u64::from(self.spec.cache.latency_cycles)));
        let Access { line, want, time, .. } = access;
        let written = if let Want::Write { version, .. } = want { Some(version) } else { None };
        if let Some(version) = self.lines.hit(line, written) {
            if let Want::Read { answer } = want {
                self.charge(answer, &[(Owner::Queue, start), (Owner::Llc, over)]);
                self.arrived(answer, version, over, port);
            }
        } else if let Some(mshr) = self.mshrs.iter_mut().flatten().find(|mshr| mshr.line == line) {
            self.lines.counters.merged += 1;
            match want {
                Want::Read { answer } => {
                    mshr.waiting.push((answer, over));
                    self.charge(answer, &[(Owner::Queue, start), (Owner::Llc, over)]);
                }
                Want::Write { whole, version } => {
                    mshr.written = true;
                    mshr.version = if whole { Some(version) } else { mshr.version };
                }
            }
        } else if !self.miss(line, want, start, over, port) {
            return false;
        }
        self.lines.counters.wait += start.saturating_sub(time);
        self.occupy(bank, cycle, port.now());
        true
    }

    /// A line is not here and not on its way. Returns whether there is a register and a place on the way to memory for it.
    fn miss(&mut self, line: Line, want: Want, start: Time, over: Time, port: &mut Port<'_, Message>) -> bool {
        if self.for_memory.len() >= self.mshrs.len() {
            return false;
        }
        if let Want::Write { whole: true, version } = want {
            self.lines.miss(line, true);
            self.insert(line, true, version, over, port);
            return true;
        }
        let Some(place) = self.mshrs.iter().position(Option::is_none) else { return false };
        self.lines.miss(line, matches!(want, Want::Write { .. }));
        let mut mshr = Mshr { line, ..Mshr::default() };
        let mut agent = 0;
        match want {
            Want::Read { answer } => {
                mshr.waiting.push((answer, over));
                agent = self.answers[answer as usize].map_or(0, |answer| answer.agent);
                self.charge(answer, &[(Owner::Queue, start), (Owner::Llc, over)]);
            }
            Want::Write { .. } => mshr.written = true,
        }
        self.mshrs[place] = Some(mshr);
        let bytes = self.spec.cache.line_bytes;
        self.ask_memory(Message::Fetch { id: place as TransactionId, agent, line, bytes, time: over }, over, port);
        true
    }

    /// A bank is taken up from the beginning of a cycle on.
    fn occupy(&mut self, bank: usize, cycle: u64, now: Time) {
        let free = cycle + u64::from(self.spec.interval_cycles);
        self.banks[bank].free = free;
        self.lines.counters.banks.enter(self.spec.clock.edge(cycle), self.spec.clock.edge(free), 0, now);
    }

    /// A line is there from memory.
    fn filled(&mut self, id: TransactionId, version: u64, began: Time, time: Time, port: &mut Port<'_, Message>) {
        let Some(mshr) = self.mshrs[id as usize].take() else { return };
        self.lines.counters.bytes_read += u64::from(self.spec.cache.line_bytes);
        self.insert(mshr.line, mshr.written, mshr.version.unwrap_or(version), time, port);
        let bank = (mshr.line % self.banks.len() as u64) as usize;
        let cycle = self.spec.clock.cycle_at_or_after(time).max(self.banks[bank].free);
        self.occupy(bank, cycle, port.now());
        for (answer, over) in mshr.waiting {
            self.charge(answer, &[(Owner::Queue, began), (Owner::MemoryLocal, time)]);
            self.arrived(answer, version, time.max(over), port);
        }
    }

    /// A line comes in; another may have to make room.
    fn insert(&mut self, line: Line, dirty: bool, version: u64, time: Time, port: &mut Port<'_, Message>) {
        if let Some((victim, version)) = self.lines.insert(line, dirty, version) {
            let bytes = self.spec.cache.line_bytes;
            self.ask_memory(Message::Store { line: victim, bytes, version, flush: false, time }, time, port);
        }
    }

    /// A line that an answer needs is there at an instant. With the last of them the answer sets out.
    fn arrived(&mut self, number: u32, version: u64, time: Time, port: &mut Port<'_, Message>) {
        let Some(answer) = &mut self.answers[number as usize] else { return };
        answer.missing -= 1;
        answer.time = answer.time.max(time);
        if answer.missing > 0 {
            return;
        }
        let Answer { id, bytes, supplied, time, .. } = *answer;
        self.answers[number as usize] = None;
        self.lines.counters.bytes_supplied += u64::from(bytes);
        // As of memory: what a broken protocol does not supply has the oldest version.
        let version = if supplied { version } else { 0 };
        let departure = time.saturating_sub(Time(1)).max(port.now());
        // What there was to charge is charged.
        port.send(self.ports.answers, Message::Line { id, version, began: time, time }, departure);
    }

    /// Cuts the timeline of whoever waits for an answer.
    fn charge(&self, answer: u32, cuts: &[(Owner, Time)]) {
        let Some(answer) = &self.answers[answer as usize] else { return };
        let timelines = &mut self.shared.borrow_mut().timelines[usize::from(answer.agent)];
        for &(owner, until) in cuts {
            timelines.mark(answer.asked, owner, until);
        }
    }

    /// Asks memory at an instant, after whatever asked before.
    fn ask_memory(&mut self, mut message: Message, time: Time, port: &mut Port<'_, Message>) {
        message.postpone(self.last_asks);
        self.last_asks = self.last_asks.max(time);
        self.for_memory.push_back(message);
        self.send_to_memory(port);
    }

    /// Sends what memory has places for.
    fn send_to_memory(&mut self, port: &mut Port<'_, Message>) {
        while let Some(&message) = self.for_memory.front() {
            if port.try_send(self.ports.to_memory, message, message.departure().max(port.now())).is_err() {
                return;
            }
            self.for_memory.pop_front();
        }
    }

    /// Says what it waits for.
    pub fn waits(&self, report: &mut Vec<Wait>) {
        let n_lines = self.mshrs.iter().flatten().count() + self.banks.iter().map(|bank| bank.queue.len()).sum::<usize>();
        if n_lines > 0 {
            let what = format!("the last-level cache waits for {n_lines} lines");
            report.push(Wait { who: None, whom: None, what });
        }
    }
}
