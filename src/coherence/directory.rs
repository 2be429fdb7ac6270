//! The directory: what the home of lines knows of their copies, and what it does on each packet.
//!
//! ```text
//!   agent --GetS, GetM, Upgrade--> home --Fwd-GetS, Fwd-GetM--> owner --Data--> requestor
//!                                    |---Inv--> sharers --Inv-Ack--> requestor
//!                                    |---Data, Ack-Count--> requestor
//!   agent --Put--> home --Put-Ack--> agent        requestor --Unblock--> home
//! ```
//!
//! One request of a line at a time: from it on until the requestor's Unblock the home leaves others waiting, so that packets may overtake
//! each other on their way (as in the SGI Origin 2000: Laudon and Lenoski, ISCA 1997, and in gem5's MOESI_CMP_directory). Who has a copy
//! is noted in full (Censier and Feautrier, IEEE Transactions on Computers 1978), or with a limited number of pointers; a line with more
//! copies is then dropped everywhere by telling all agents (Dir_i_B: Agarwal, Simoni, Hennessy and Horowitz, ISCA 1988). A copy that is
//! dropped in silence stays noted.
//!
//! Where homes have no memory, an owner's line that has to make room (Put) is offered to one agent after the other until one takes it:
//!
//! ```text
//!   owner --Put--> home --Offer, Inject--> agent --Accept, Refuse--> home --Put-Ack, Put-Nack--> owner
//! ```
//!
//! Plain data and pure functions: packets are carried, and lines are read and taken, by the caller.

use serde::{Deserialize, Serialize};

use crate::base::address::Line;
use crate::coherence::controller::{MemoryImpossible, Transaction, memory_transition};
use crate::coherence::order::AgentNumber;
use crate::coherence::protocol::{MemoryAction, MemoryEvent, Row, State, Table};

/// What a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PacketKind {
    // Agent to home.
    GetS,
    GetM,
    Upgrade,
    Put,
    PutClean,
    Clean,
    Unblock,
    Accept,
    Refuse,
    // Home to agent.
    FwdGetS,
    FwdGetM,
    Inv,
    PutAck,
    PutNack,
    Offer,
    Inject,
    DataExclusive,
    AckCount,
    // To an agent from the home or another agent; to the home from an agent.
    Data,
    // Agent to agent.
    InvAck,
}

impl PacketKind {
    /// What an agent asks a home.
    pub fn of_request(transaction: Transaction) -> Option<PacketKind> {
        match transaction {
            Transaction::GetS => Some(PacketKind::GetS),
            Transaction::GetM => Some(PacketKind::GetM),
            Transaction::Upgrade => Some(PacketKind::Upgrade),
            Transaction::Put => Some(PacketKind::Put),
            Transaction::PutClean => Some(PacketKind::PutClean),
            _ => None,
        }
    }

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            PacketKind::GetS => "GetS",
            PacketKind::GetM => "GetM",
            PacketKind::Upgrade => "Upgrade",
            PacketKind::Put => "Put",
            PacketKind::PutClean => "Put (clean)",
            PacketKind::Clean => "Clean",
            PacketKind::Unblock => "Unblock",
            PacketKind::FwdGetS => "Fwd-GetS",
            PacketKind::FwdGetM => "Fwd-GetM",
            PacketKind::Inv => "Inv",
            PacketKind::Accept => "Accept",
            PacketKind::Refuse => "Refuse",
            PacketKind::PutAck => "Put-Ack",
            PacketKind::PutNack => "Put-Nack",
            PacketKind::Offer => "Offer",
            PacketKind::Inject => "Inject",
            PacketKind::DataExclusive => "Data (exclusive)",
            PacketKind::AckCount => "Ack-Count",
            PacketKind::Data => "Data",
            PacketKind::InvAck => "Inv-Ack",
        }
    }

    /// Whether a line goes with it.
    pub fn has_line(self) -> bool {
        matches!(self, PacketKind::Put | PacketKind::Inject | PacketKind::Data | PacketKind::DataExclusive)
    }

    /// Whether it asks the home for something, which may leave it waiting.
    pub fn is_request(self) -> bool {
        matches!(self, PacketKind::GetS | PacketKind::GetM | PacketKind::Upgrade | PacketKind::Put | PacketKind::PutClean)
    }

    /// Whether the home asks an agent for something on behalf of another.
    pub fn is_forward(self) -> bool {
        matches!(self, PacketKind::FwdGetS | PacketKind::FwdGetM | PacketKind::Inv | PacketKind::Offer | PacketKind::Inject)
    }
}

/// A packet about a line, between an agent and a home or between agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Packet {
    pub kind: PacketKind,
    pub line: Line,
    /// Whose request it belongs to.
    pub requestor: AgentNumber,
    /// The agent that sent it; `None`: the home.
    pub from: Option<AgentNumber>,
    /// The agent that it goes to; `None`: the home.
    pub to: Option<AgentNumber>,
    /// With the answer to a request: how many acknowledgements it takes.
    pub acks: u16,
    /// Of the line that goes with it.
    pub version: u64,
}

impl Packet {
    /// A packet of an agent's own to the home.
    pub fn from_agent(agent: AgentNumber, kind: PacketKind, line: Line) -> Packet {
        Packet { kind, line, requestor: agent, from: Some(agent), to: None, acks: 0, version: 0 }
    }
}

/// Which agents have copies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Sharers {
    /// These, in ascending order, and they may have dropped theirs.
    Some(Vec<AgentNumber>),
    /// More than there are pointers for.
    Any,
}

impl Sharers {
    fn add(&mut self, agent: AgentNumber, pointers: usize) {
        let Sharers::Some(agents) = self else { return };
        if let Err(place) = agents.binary_search(&agent) {
            if agents.len() == pointers {
                *self = Sharers::Any;
            } else {
                agents.insert(place, agent);
            }
        }
    }

    /// Whether an agent is known to be among them.
    fn has(&self, agent: AgentNumber) -> bool {
        matches!(self, Sharers::Some(agents) if agents.binary_search(&agent).is_ok())
    }
}

/// What the home knows of a line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    pub state: State,
    pub owner: Option<AgentNumber>,
    pub sharers: Sharers,
    /// While the owner's line is to have another place.
    pub placing: Placing,
}

/// An owner's line that is to have another place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Placing {
    /// Agents that it was offered to.
    pub offers: u16,
    /// Of the line.
    pub version: u64,
}

impl Default for Entry {
    fn default() -> Entry {
        Entry { state: State::INVALID, owner: None, sharers: Sharers::Some(Vec::new()), placing: Placing::default() }
    }
}

/// What a packet came to at the home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handled {
    pub event: MemoryEvent,
    pub row: Row,
    /// The state before.
    pub state: State,
    /// It has to wait for the request under way.
    pub stalls: bool,
    /// Memory takes the line that came with it.
    pub updates: bool,
    /// Packets to agents go with memory's copy: all of them that have a line.
    pub reads: bool,
}

/// The agents and pointers of a machine, as its directories know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub agents: AgentNumber,
    /// Sharers that an entry can note.
    pub pointers: usize,
    /// The agent that a line of this home's is offered to first, where it has to have another place: the home's neighbour.
    pub nearest: AgentNumber,
}

impl Entry {
    /// Whether there is nothing to know.
    pub fn is_idle(&self) -> bool {
        self.state == State::INVALID
    }

    /// What a packet means to the home.
    fn event(&self, size: Size, packet: &Packet) -> MemoryEvent {
        let is_owner = self.owner == Some(packet.requestor);
        match packet.kind {
            PacketKind::GetS => MemoryEvent::GetS,
            PacketKind::Upgrade if is_owner => MemoryEvent::UpgradeOwner,
            PacketKind::Upgrade if self.sharers.has(packet.requestor) => MemoryEvent::Upgrade,
            PacketKind::GetM | PacketKind::Upgrade => MemoryEvent::GetM,
            PacketKind::Put if is_owner => MemoryEvent::Put,
            PacketKind::PutClean if is_owner => MemoryEvent::PutClean,
            PacketKind::Put | PacketKind::PutClean => MemoryEvent::PutStale,
            PacketKind::Clean => MemoryEvent::Clean,
            PacketKind::Unblock => MemoryEvent::Unblock,
            PacketKind::Accept => MemoryEvent::Accept,
            PacketKind::Refuse if self.next_place(size).is_some() => MemoryEvent::Refuse,
            PacketKind::Refuse => MemoryEvent::RefuseLast,
            // Nothing else is sent to homes.
            _ => MemoryEvent::Data,
        }
    }

    /// A packet has come; what there is to send is added to `sent`.
    ///
    /// # Errors
    /// Where the protocol calls it impossible.
    pub fn receive(
        &mut self,
        table: &Table<MemoryEvent>,
        size: Size,
        packet: &Packet,
        sent: &mut Vec<Packet>,
    ) -> Result<Handled, MemoryImpossible> {
        let (state, event) = (self.state, self.event(size, packet));
        let row = memory_transition(table, state, event)?;
        let has = |action| row.actions.has(action);
        let reads = has(MemoryAction::SendData) || has(MemoryAction::SendDataExclusive);
        let handled = Handled { event, row, state, stalls: has(MemoryAction::Stall), updates: has(MemoryAction::Update), reads };
        if handled.stalls {
            return Ok(handled);
        }
        if event == MemoryEvent::Put {
            self.placing = Placing { offers: 0, version: packet.version };
        }
        self.send(row, size, packet, sent);
        self.note(row, size, packet);
        self.state = row.next;
        Ok(handled)
    }

    fn send(&self, row: Row, size: Size, packet: &Packet, sent: &mut Vec<Packet>) {
        let has = |action| row.actions.has(action);
        let requestor = packet.requestor;
        let to = |agent, kind, acks| Packet {
            kind,
            line: packet.line,
            requestor,
            from: None,
            to: Some(agent),
            acks,
            version: packet.version,
        };
        let first = sent.len();
        if has(MemoryAction::Inv) {
            let concerned = |&agent: &AgentNumber| agent != requestor && self.owner != Some(agent);
            match &self.sharers {
                Sharers::Some(agents) => {
                    sent.extend(agents.iter().copied().filter(concerned).map(|agent| to(agent, PacketKind::Inv, 0)));
                }
                Sharers::Any => sent.extend((0..size.agents).filter(concerned).map(|agent| to(agent, PacketKind::Inv, 0))),
            }
        }
        if let Some(owner) = self.owner.filter(|_| has(MemoryAction::InvOwner)) {
            sent.push(to(owner, PacketKind::Inv, 0));
        }
        let acks = (sent.len() - first) as u16;
        for (action, kind) in [(MemoryAction::FwdGetS, PacketKind::FwdGetS), (MemoryAction::FwdGetM, PacketKind::FwdGetM)] {
            if let Some(owner) = self.owner.filter(|_| has(action)) {
                sent.push(to(owner, kind, acks));
            }
        }
        for (action, kind) in [
            (MemoryAction::SendData, PacketKind::Data),
            (MemoryAction::SendDataExclusive, PacketKind::DataExclusive),
            (MemoryAction::SendNew, PacketKind::DataExclusive),
            (MemoryAction::SendAckCount, PacketKind::AckCount),
            (MemoryAction::PutAck, PacketKind::PutAck),
            (MemoryAction::PutNack, PacketKind::PutNack),
        ] {
            if has(action) {
                sent.push(to(requestor, kind, acks));
            }
        }
        if let Some((agent, kind)) = self.next_place(size).filter(|_| has(MemoryAction::Place)) {
            sent.push(Packet { version: self.placing.version, ..to(agent, kind, 0) });
        }
    }

    /// Whom the owner's line is offered to next, and whether the line goes with the offer.
    fn next_place(&self, size: Size) -> Option<(AgentNumber, PacketKind)> {
        let sharers: &[AgentNumber] = if let Sharers::Some(agents) = &self.sharers { agents } else { &[] };
        let others = (0..size.agents).map(|step| (size.nearest + step) % size.agents);
        let offers = sharers.iter().map(|&agent| (agent, PacketKind::Offer)).chain(others.map(|agent| (agent, PacketKind::Inject)));
        offers.filter(|&(agent, _)| self.owner != Some(agent)).nth(usize::from(self.placing.offers))
    }

    fn note(&mut self, row: Row, size: Size, packet: &Packet) {
        let has = |action| row.actions.has(action);
        let requestor = packet.requestor;
        if has(MemoryAction::Place) {
            self.placing.offers += 1;
        }
        if has(MemoryAction::PutAck) || has(MemoryAction::PutNack) {
            self.placing = Placing::default();
        }
        if has(MemoryAction::ClearSharers) {
            self.sharers = Sharers::Some(Vec::new());
        }
        if let Some(owner) = self.owner.filter(|_| has(MemoryAction::AddOwner)) {
            self.sharers.add(owner, size.pointers);
        }
        if has(MemoryAction::AddSharer) {
            self.sharers.add(requestor, size.pointers);
        }
        if has(MemoryAction::ClearOwner) {
            self.owner = None;
        }
        if has(MemoryAction::SetOwner) {
            self.owner = Some(requestor);
        }
        if has(MemoryAction::MoveOwner) {
            self.owner = packet.from;
            if let Sharers::Some(agents) = &mut self.sharers {
                agents.retain(|&agent| packet.from != Some(agent));
            }
        }
    }
}
