//! A cache agent: one core's private hierarchy as the bus sees it. It drives the controller over the lines held, the access that waits
//! (the MSHR of a core that waits for each miss), and the lines on their way out (the write-back buffer).
//!
//! ```text
//!   core --access--> +------------------------+ --requests--> bus
//!                    | lines held   (Copies)  |
//!                    | waiting      (MSHR)    | <--snoop----- bus, answers: shared, flush, ...
//!                    | write-backs  (buffer)  | <--complete--
//!                    +------------------------+
//! ```
//!
//! Where lines have homes, it sends and receives packets (`directory`) instead, and counts the acknowledgements that an access waits for.
//!
//! Plain data and pure functions: where the lines are kept is the caller's ([`Copies`]): a cache's ways in the simulator.

use serde::{Deserialize, Serialize};

use crate::base::address::Line;
use crate::coherence::controller::{Impossible, Transaction, Transition, transition};
use crate::coherence::directory::{Packet, PacketKind};
use crate::coherence::order::AgentNumber;
use crate::coherence::protocol::{AgentAction, AgentEvent, State, Table};

/// The lines that an agent holds, each with its state.
pub trait Copies {
    /// The state of a line; [`State::INVALID`] where it is not held.
    fn state(&self, line: Line) -> State;
    /// Gives a held line its next state; [`State::INVALID`] drops it.
    fn set_state(&mut self, line: Line, state: State);
    /// The version of the line's copy, where versions are kept.
    fn version(&self, line: Line) -> u64;
    /// Whether the line, where it is not held, can come to stay.
    fn has_room(&self, _line: Line) -> bool {
        false
    }
}

/// A line on its way back to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WriteBack {
    pub line: Line,
    pub state: State,
    pub version: u64,
}

/// Lines that can be on their way out of one agent at a time.
pub const WRITE_BACK_PLACES: usize = 2;

/// Acknowledgements of other agents that an access waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Acks {
    pub line: Line,
    /// How many there will be, once that is known.
    pub expected: Option<u16>,
    pub received: u16,
}

/// One core's private hierarchy as the bus sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Agent {
    write_backs: Vec<WriteBack>,
    acks: Vec<Acks>,
}

/// What a packet came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    pub taken: Transition,
    /// The access that waits takes effect now.
    pub performs: bool,
    /// A place of the write-back buffer is free again.
    pub left: bool,
    /// How often the line was sent to someone.
    pub sent: u64,
}

/// How an access went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may take effect now.
    Performed,
    /// It waits for this transaction.
    Asked(Transaction),
    /// It has to be tried again once a write-back has left ([`Answer::left`]) or a word has come ([`Agent::take_word`]).
    Stalled,
}

/// What an agent answers to a transaction on the bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Answer {
    /// It has a copy.
    pub shared: bool,
    /// It supplies the line, and memory takes it too.
    pub flush: bool,
    /// It supplies the line, and memory keeps what it has.
    pub supply: bool,
    /// Its own write-back: the line follows on the data bus.
    pub write_back: bool,
    /// Its own update: the word follows on the data bus.
    pub send_word: bool,
    /// It takes the word that follows on the data bus.
    pub take_word: bool,
    /// Its pending upgrade of the line has become a read for ownership.
    pub amend: bool,
    /// Its pending write-back of the line is off.
    pub withdraw: bool,
    /// The version of the line it sends, where it sends it.
    pub version: u64,
    /// A place of the write-back buffer is free again. The bus has no interest in it.
    pub left: bool,
}

impl Answer {
    /// Whether the bus needs to hear of it: silence means no to everything.
    pub fn matters(&self) -> bool {
        self.shared || self.sends() || self.take_word || self.amend || self.withdraw
    }

    /// Whether it puts something on the data bus.
    pub fn sends(&self) -> bool {
        self.flush || self.supply || self.write_back || self.send_word
    }

    /// Whether memory takes what it sends.
    pub fn is_for_memory(&self) -> bool {
        self.flush || self.write_back
    }
}

impl Agent {
    /// The lines on their way out.
    pub fn write_backs(&self) -> &[WriteBack] {
        &self.write_backs
    }

    /// Whether a line in this state can be evicted now: it waits for nothing, and needs no write-back or there is a place for one.
    pub fn can_evict(&self, table: &Table<AgentEvent>, victim: State) -> bool {
        let Some(row) = table.row(victim, AgentEvent::Evict) else { return true };
        let asks = [AgentAction::BusWb, AgentAction::Put, AgentAction::PutClean].iter().any(|&action| row.actions.has(action));
        let has_place = self.write_backs.len() < WRITE_BACK_PLACES || !asks;
        has_place && !row.actions.has(AgentAction::Stall)
    }

    /// Whether the line is on its way out.
    pub fn is_leaving(&self, line: Line) -> bool {
        self.write_backs.iter().any(|write_back| write_back.line == line)
    }

    /// The core reads or writes a line.
    ///
    /// # Errors
    /// Where the protocol calls it impossible.
    pub fn access(
        &mut self,
        table: &Table<AgentEvent>,
        copies: &mut impl Copies,
        line: Line,
        write: bool,
    ) -> Result<(Access, Transition), Impossible> {
        let event = if write { AgentEvent::Store } else { AgentEvent::Load };
        if let Some(leaving) = self.write_backs.iter().find(|write_back| write_back.line == line) {
            let taken = transition(table, leaving.state, event)?;
            return Ok((Access::Stalled, taken));
        }
        let taken = transition(table, copies.state(line), event)?;
        copies.set_state(line, taken.next);
        let access = match taken.request() {
            Some(transaction) => Access::Asked(transaction),
            None if taken.actions.has(AgentAction::Stall) => Access::Stalled,
            None => Access::Performed,
        };
        Ok((access, taken))
    }

    /// A line has to make room. Returns what to ask the bus for.
    ///
    /// # Errors
    /// Where the protocol calls it impossible.
    pub fn evict(
        &mut self,
        table: &Table<AgentEvent>,
        copies: &mut impl Copies,
        line: Line,
    ) -> Result<(Option<Transaction>, Transition), Impossible> {
        let taken = transition(table, copies.state(line), AgentEvent::Evict)?;
        let request = taken.request();
        if request.is_some() {
            self.write_backs.push(WriteBack { line, state: taken.next, version: copies.version(line) });
        }
        copies.set_state(line, State::INVALID);
        Ok((request, taken))
    }

    /// A transaction is on the bus; `own` where this agent asked for it.
    ///
    /// # Errors
    /// Where the protocol calls it impossible.
    pub fn snoop(
        &mut self,
        table: &Table<AgentEvent>,
        copies: &mut impl Copies,
        line: Line,
        transaction: Transaction,
        own: bool,
    ) -> Result<(Answer, Transition), Impossible> {
        let event = if own { transaction.own_event() } else { transaction.other_event() };
        let leaving = self.write_backs.iter().position(|write_back| write_back.line == line);
        let (state, version) = match leaving {
            Some(place) => (self.write_backs[place].state, self.write_backs[place].version),
            None => (copies.state(line), copies.version(line)),
        };
        let taken = transition(table, state, event)?;
        let mut left = false;
        match leaving {
            Some(place) if taken.next == State::INVALID => {
                self.write_backs.remove(place);
                left = true;
            }
            Some(place) => self.write_backs[place].state = taken.next,
            None if state != taken.next => copies.set_state(line, taken.next),
            None => {}
        }
        let has = |action| taken.actions.has(action);
        let answer = Answer {
            shared: has(AgentAction::Shared),
            flush: has(AgentAction::Flush),
            supply: has(AgentAction::Supply),
            write_back: has(AgentAction::WriteBack),
            send_word: has(AgentAction::SendWord),
            take_word: has(AgentAction::TakeWord),
            amend: has(AgentAction::Amend),
            withdraw: has(AgentAction::Withdraw),
            version,
            left,
        };
        Ok((answer, taken))
    }

    /// The transaction that the access waits for is over; `shared` where another agent has a copy. The access takes effect now, or
    /// asks for another transaction.
    ///
    /// # Errors
    /// Where the protocol calls it impossible.
    pub fn complete(
        &mut self,
        table: &Table<AgentEvent>,
        copies: &mut impl Copies,
        line: Line,
        transaction: Transaction,
        shared: bool,
    ) -> Result<(Access, Transition), Impossible> {
        let taken = transition(table, copies.state(line), transaction.completion(shared))?;
        copies.set_state(line, taken.next);
        if let Some(transaction) = taken.request() {
            return Ok((Access::Asked(transaction), taken));
        }
        Ok((Access::Performed, taken))
    }

    /// The acknowledgements that accesses wait for, where any have come or are known of.
    pub fn acks(&self) -> &[Acks] {
        &self.acks
    }

    /// The packet that gives back a line that has just been evicted.
    pub fn put(&self, table: &Table<AgentEvent>, number: AgentNumber, line: Line) -> Option<Packet> {
        let leaving = self.write_backs.iter().find(|write_back| write_back.line == line)?;
        let kind = if table.state(leaving.state).dirty { PacketKind::Put } else { PacketKind::PutClean };
        Some(Packet { version: leaving.version, ..Packet::from_agent(number, kind, line) })
    }

    /// A packet of another agent or of the home has come; what there is to answer is added to `answers`. Where the access that waits
    /// takes effect, a line that came has its state already, and the version is the caller's to set.
    ///
    /// # Errors
    /// Where the protocol calls it impossible.
    pub fn receive(
        &mut self,
        table: &Table<AgentEvent>,
        copies: &mut impl Copies,
        number: AgentNumber,
        packet: &Packet,
        answers: &mut Vec<Packet>,
    ) -> Result<Received, Impossible> {
        let line = packet.line;
        let leaving = self.write_backs.iter().position(|write_back| write_back.line == line);
        let (state, version) = match leaving {
            Some(place) => (self.write_backs[place].state, self.write_backs[place].version),
            None => (copies.state(line), copies.version(line)),
        };
        let stays = state != State::INVALID || copies.has_room(line);
        let event = self.event(packet, stays);
        let taken = transition(table, state, event)?;
        let mut left = false;
        match leaving {
            Some(place) if taken.next == State::INVALID => {
                self.write_backs.remove(place);
                left = true;
            }
            Some(place) => self.write_backs[place].state = taken.next,
            None if state != taken.next => copies.set_state(line, taken.next),
            None => {}
        }
        let has = |action| taken.actions.has(action);
        let own = |kind| Packet { version, requestor: packet.requestor, ..Packet::from_agent(number, kind, line) };
        let to_requestor = |kind| Packet { to: Some(packet.requestor), ..own(kind) };
        if has(AgentAction::SendData) {
            answers.push(Packet { acks: packet.acks, ..to_requestor(PacketKind::Data) });
        }
        if has(AgentAction::DataHome) {
            answers.push(own(PacketKind::Data));
        }
        if has(AgentAction::CleanHome) {
            answers.push(own(PacketKind::Clean));
        }
        if has(AgentAction::Put) {
            answers.push(Packet { version, ..Packet::from_agent(number, PacketKind::Put, line) });
        }
        for (action, kind) in [(AgentAction::Accept, PacketKind::Accept), (AgentAction::Refuse, PacketKind::Refuse)] {
            if has(action) {
                answers.push(own(kind));
            }
        }
        if has(AgentAction::InvAck) {
            answers.push(to_requestor(PacketKind::InvAck));
        }
        if has(AgentAction::Unblock) {
            answers.push(Packet::from_agent(number, PacketKind::Unblock, line));
        }
        let performs = has(AgentAction::Perform);
        if performs {
            self.acks.retain(|acks| acks.line != line);
        }
        let sent = u64::from(has(AgentAction::SendData)) + u64::from(has(AgentAction::DataHome));
        Ok(Received { taken, performs, left, sent })
    }

    /// What a packet means to the agent, acknowledgements counted; `stays`: a line that comes with it has a place.
    fn event(&mut self, packet: &Packet, stays: bool) -> AgentEvent {
        match packet.kind {
            PacketKind::FwdGetS => AgentEvent::FwdGetS,
            PacketKind::FwdGetM => AgentEvent::FwdGetM,
            PacketKind::Inv => AgentEvent::Inv,
            PacketKind::PutAck => AgentEvent::PutAck,
            PacketKind::PutNack => AgentEvent::PutNack,
            PacketKind::Offer => AgentEvent::Offer,
            PacketKind::Inject if stays => AgentEvent::Inject,
            PacketKind::Inject => AgentEvent::InjectFull,
            PacketKind::DataExclusive => AgentEvent::DataExclusive,
            PacketKind::InvAck => match self.count(packet.line, 1, None) {
                true => AgentEvent::LastInvAck,
                false => AgentEvent::InvAck,
            },
            PacketKind::AckCount => match self.count(packet.line, 0, Some(packet.acks)) {
                true => AgentEvent::AckCount,
                false => AgentEvent::AckCountEarly,
            },
            // Nothing else is sent to agents.
            _ => match self.count(packet.line, 0, Some(packet.acks)) {
                true => AgentEvent::Data,
                false => AgentEvent::DataEarly,
            },
        }
    }

    /// Counts acknowledgements. Returns whether all are there.
    fn count(&mut self, line: Line, received: u16, expected: Option<u16>) -> bool {
        let place = self.acks.iter().position(|acks| acks.line == line).unwrap_or_else(|| {
            self.acks.push(Acks { line, expected: None, received: 0 });
            self.acks.len() - 1
        });
        let acks = &mut self.acks[place];
        acks.received += received;
        acks.expected = expected.or(acks.expected);
        acks.expected == Some(acks.received)
    }

    /// The word came that the agent said it would take.
    ///
    /// # Errors
    /// Where the protocol calls it impossible.
    pub fn take_word(&mut self, table: &Table<AgentEvent>, copies: &mut impl Copies, line: Line) -> Result<Transition, Impossible> {
        let taken = transition(table, copies.state(line), AgentEvent::Word)?;
        copies.set_state(line, taken.next);
        Ok(taken)
    }
}
