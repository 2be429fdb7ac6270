//! What is explored of a protocol with a directory: agents and homes as the simulator has them, and every packet that can be on its way
//! between them, in any order. [`DirectoryWorld::apply`] makes one step with the simulator's own code.
//!
//! ```text
//!   agent: copies, waiting access, write-backs, acknowledgements (coherence::agent)     home: entry (coherence::directory), memory's copy
//!        \________ packets on their way, any of which may come next; those that a home leaves waiting stay among them ________/
//! ```
//!
//! A home reads and takes lines at once: in the simulator it takes its time over that while a request is under way, which is as if the
//! packet with the line took longer.

mod encode;
mod tell;

use serde::{Deserialize, Serialize};

use crate::base::address::Line;
use crate::coherence::agent::{Access, Agent, Copies};
use crate::coherence::controller::MemoryImpossible;
use crate::coherence::directory::{Entry, Packet, PacketKind, Size};
use crate::coherence::explore::Scope;
use crate::coherence::explore::search::Model;
use crate::coherence::explore::world::{MOST_LINES, Number, Rows, Step, Taken, Unrest, impossible_at, stalls, took};
use crate::coherence::explore::wrong::Wrong;
use crate::coherence::order::AgentNumber;
use crate::coherence::protocol::{AgentAction, AgentEvent, MemoryAction, Permission, Protocol, State};

/// One line of an agent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Held {
    state: State,
    version: u64,
    /// Whether an access waits for the line, and whether it writes.
    access: Option<bool>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct AgentWorld {
    agent: Agent,
    held: [Held; MOST_LINES],
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct LineWorld {
    /// The version that was written last.
    newest: u64,
    entry: Entry,
    memory_version: u64,
}

/// All that determines what can happen from now on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DirectoryWorld {
    agents: Vec<AgentWorld>,
    lines: Vec<LineWorld>,
    packets: Vec<Packet>,
    pointers: usize,
    is_cache_only: bool,
}

/// The copies of one agent, as the agent's code wants them; whether there is room for another line is the explorer's choice.
struct Lines<'a>(&'a mut [Held; MOST_LINES], bool);

impl Copies for Lines<'_> {
    fn state(&self, line: Line) -> State {
        self.0[line as usize].state
    }

    fn set_state(&mut self, line: Line, state: State) {
        let held = &mut self.0[line as usize];
        if held.state == State::INVALID || state == State::INVALID {
            held.version = 0;
        }
        held.state = state;
    }

    fn version(&self, line: Line) -> u64 {
        self.0[line as usize].version
    }

    fn has_room(&self, _line: Line) -> bool {
        self.1
    }
}

impl DirectoryWorld {
    fn size(&self) -> Size {
        Size { agents: self.agents.len() as AgentNumber, pointers: self.pointers, nearest: 0 }
    }

    /// Whether a packet comes to an agent that may have room for its line or not.
    fn may_be_full(&self, packet: &Packet) -> bool {
        let Some(agent) = packet.to.filter(|_| packet.kind == PacketKind::Inject) else { return false };
        let world = &self.agents[usize::from(agent)];
        world.held[packet.line as usize].state == State::INVALID && !world.agent.is_leaving(packet.line)
    }

    /// A line that an access waits for stays; any other may have to make room at any time.
    fn can_evict(&self, agent: Number, line: usize, protocol: &Protocol) -> bool {
        let (world, held) = (&self.agents[agent], &self.agents[agent].held[line]);
        let may = stalls(held.state, protocol) || world.agent.can_evict(&protocol.agent, held.state);
        held.state != State::INVALID && held.access.is_none() && may
    }

    /// Whether the home would leave a packet waiting.
    fn waits(&self, packet: &Packet, protocol: &Protocol) -> bool {
        let mut entry = self.lines[packet.line as usize].entry.clone();
        packet.to.is_none()
            && entry.receive(&protocol.memory, self.size(), packet, &mut Vec::new()).is_ok_and(|handled| handled.stalls)
    }

    fn access(&mut self, agent: Number, line: usize, write: bool, protocol: &Protocol, rows: &mut Rows) -> Result<(), Wrong> {
        let world = &mut self.agents[agent];
        let (access, taken) = world
            .agent
            .access(&protocol.agent, &mut Lines(&mut world.held, true), line as Line, write)
            .map_err(|impossible| impossible_at(agent, impossible))?;
        took(rows, &taken);
        match access {
            Access::Asked(transaction) => {
                world.held[line].access = Some(write);
                let kind = PacketKind::of_request(transaction);
                self.packets.extend(kind.map(|kind| Packet::from_agent(agent as AgentNumber, kind, line as Line)));
                Ok(())
            }
            Access::Stalled => Ok(()),
            Access::Performed => self.perform(agent, line, write),
        }
    }

    /// An access takes effect, on the newest version or not.
    fn perform(&mut self, agent: Number, line: usize, write: bool) -> Result<(), Wrong> {
        let (held, world) = (&mut self.agents[agent].held[line], &mut self.lines[line]);
        if held.version != world.newest {
            return Err(Wrong::Old { agent, line, write });
        }
        if write {
            world.newest += 1;
            held.version = world.newest;
        }
        Ok(())
    }

    fn evict(&mut self, agent: Number, line: usize, protocol: &Protocol, rows: &mut Rows) -> Result<(), Wrong> {
        let world = &mut self.agents[agent];
        let state = world.held[line].state;
        if stalls(state, protocol) {
            rows.push(Taken::Agent(state, AgentEvent::Evict));
            return Ok(());
        }
        let (request, taken) = world
            .agent
            .evict(&protocol.agent, &mut Lines(&mut world.held, true), line as Line)
            .map_err(|impossible| impossible_at(agent, impossible))?;
        took(rows, &taken);
        let put = request.and_then(|_| world.agent.put(&protocol.agent, agent as AgentNumber, line as Line));
        self.packets.extend(put);
        Ok(())
    }

    /// A packet comes to an agent, which has room for its line or not.
    fn tell_agent(
        &mut self,
        (agent, has_room): (Number, bool),
        packet: &Packet,
        protocol: &Protocol,
        rows: &mut Rows,
    ) -> Result<(), Wrong> {
        let (world, line) = (&mut self.agents[agent], packet.line as usize);
        let number = agent as AgentNumber;
        let received = world
            .agent
            .receive(&protocol.agent, &mut Lines(&mut world.held, has_room), number, packet, &mut self.packets)
            .map_err(|impossible| impossible_at(agent, impossible))?;
        took(rows, &received.taken);
        let held = &mut world.held[line];
        if packet.kind.has_line() && !received.taken.actions.has(AgentAction::Refuse) {
            held.version = packet.version;
        } else if matches!(packet.kind, PacketKind::Inv | PacketKind::FwdGetM) {
            // What was given away is nobody's copy, whatever the state.
            held.version = 0;
        }
        match held.access.filter(|_| received.performs) {
            Some(write) => {
                held.access = None;
                self.perform(agent, line, write)
            }
            None => Ok(()),
        }
    }

    /// A packet comes to its home.
    fn tell_home(&mut self, packet: &Packet, protocol: &Protocol, rows: &mut Rows) -> Result<(), Wrong> {
        let (size, line) = (self.size(), packet.line as usize);
        let world = &mut self.lines[line];
        let first = self.packets.len();
        let handled = world
            .entry
            .receive(&protocol.memory, size, packet, &mut self.packets)
            .map_err(|MemoryImpossible { state, event }| Wrong::MemoryImpossible { line, state, event })?;
        rows.push(Taken::Memory(handled.state, handled.event));
        if handled.updates {
            world.memory_version = packet.version;
        }
        for sent in self.packets[first..].iter_mut().filter(|sent| sent.kind.has_line() && sent.kind != PacketKind::Inject) {
            sent.version = world.memory_version;
        }
        if handled.row.actions.has(MemoryAction::SendNew) {
            // There are no second zeros: what was sent is the only copy.
            world.memory_version = 0;
        }
        Ok(())
    }

    /// Single writer or multiple readers.
    fn check_permissions(&self, line: usize, protocol: &Protocol) -> Result<(), Wrong> {
        let permits = |agent: Number| protocol.agent.state(self.agents[agent].held[line].state).permits;
        for writer in (0..self.agents.len()).filter(|&agent| permits(agent) == Permission::Write) {
            let other = (0..self.agents.len()).find(|&other| other != writer && permits(other) != Permission::Nothing);
            if let Some(other) = other {
                let also_writes = permits(other) == Permission::Write;
                return Err(Wrong::WriterAndOther { line, writer, other, also_writes });
            }
        }
        Ok(())
    }

    /// Whether the version written last is anywhere.
    fn has_newest(&self, line: usize, protocol: &Protocol) -> bool {
        let LineWorld { newest, memory_version, .. } = self.lines[line];
        let at_agent = |world: &AgentWorld| {
            let held = &world.held[line];
            let leaving = world.agent.write_backs().iter().find(|leaving| leaving.line == line as Line);
            (held.state != State::INVALID && held.version == newest)
                || leaving.is_some_and(|leaving| leaving.version == newest && protocol.agent.state(leaving.state).dirty)
        };
        let on_way = |packet: &Packet| packet.line == line as Line && packet.kind.has_line() && packet.version == newest;
        memory_version == newest || self.packets.iter().any(on_way) || self.agents.iter().any(at_agent)
    }
}

impl Model for DirectoryWorld {
    type Encoder = encode::Encoder;

    fn first(protocol: &Protocol, scope: Scope) -> DirectoryWorld {
        let held = Held { state: State::INVALID, version: 0, access: None };
        let agent = AgentWorld { agent: Agent::default(), held: [held; MOST_LINES] };
        // Versions begin at 1, so that 0 is older than any.
        let line = LineWorld { newest: 1, entry: Entry::default(), memory_version: 1 };
        DirectoryWorld {
            agents: vec![agent; scope.agents],
            lines: vec![line; scope.lines],
            packets: Vec::new(),
            pointers: scope.pointers,
            is_cache_only: protocol.is_cache_only(),
        }
    }

    fn each_step(&self, protocol: &Protocol, misses: usize, mut visit: impl FnMut(Step)) {
        for (agent, world) in self.agents.iter().enumerate() {
            let may_miss = world.held.iter().filter(|held| held.access.is_some()).count() < misses;
            for line in 0..self.lines.len() {
                if may_miss && world.held[line].access.is_none() {
                    visit(Step::Access { agent, line, write: false });
                    visit(Step::Access { agent, line, write: true });
                }
                if self.can_evict(agent, line, protocol) {
                    visit(Step::Evict { agent, line });
                }
            }
        }
        for (number, packet) in self.packets.iter().enumerate() {
            // Of packets that are alike one is enough.
            if self.packets[..number].contains(packet) {
                continue;
            }
            visit(if self.waits(packet, protocol) { Step::Wait { packet: number } } else { Step::Deliver { packet: number } });
            if self.may_be_full(packet) {
                visit(Step::Full { packet: number });
            }
        }
    }

    fn apply(&mut self, step: Step, protocol: &Protocol, rows: &mut Rows) -> Result<(), Wrong> {
        match step {
            Step::Access { agent, line, write } => self.access(agent, line, write, protocol, rows),
            Step::Evict { agent, line } => self.evict(agent, line, protocol, rows),
            Step::Deliver { packet: number } | Step::Full { packet: number } => {
                let packet = self.packets.remove(number);
                let has_room = step == Step::Deliver { packet: number };
                match packet.to {
                    Some(agent) => self.tell_agent((usize::from(agent), has_room), &packet, protocol, rows),
                    None => self.tell_home(&packet, protocol, rows),
                }
            }
            Step::Wait { packet } => {
                let packet = self.packets[packet];
                self.tell_home(&packet, protocol, rows)
            }
            _ => unreachable!("a directory has no bus"),
        }
    }

    fn check(&self, protocol: &Protocol) -> Result<(), Wrong> {
        for line in 0..self.lines.len() {
            self.check_permissions(line, protocol)?;
            if !self.has_newest(line, protocol) {
                return Err(Wrong::Lost { line });
            }
        }
        Ok(())
    }

    fn unrest(&self, protocol: &Protocol) -> Option<Unrest> {
        for (agent, world) in self.agents.iter().enumerate() {
            if let Some(line) = world.held.iter().position(|held| held.access.is_some()) {
                return Some(Unrest::Waits { agent, line });
            }
            if let Some(leaving) = world.agent.write_backs().first() {
                return Some(Unrest::Leaves { agent, line: leaving.line as usize });
            }
            for line in 0..self.lines.len() {
                if protocol.agent.state(world.held[line].state).transient {
                    return Some(Unrest::Transient { agent, line });
                }
            }
        }
        let waits = |line: &LineWorld| protocol.memory.state(line.entry.state).transient;
        if let Some(line) = self.lines.iter().position(waits) {
            return Some(Unrest::Home { line });
        }
        self.packets.first().map(|packet| Unrest::Packet { line: packet.line as usize, name: packet.kind.name() })
    }

    fn encode<'a>(&self, encoder: &'a mut encode::Encoder) -> &'a [u8] {
        encoder.encode(self)
    }
}

/// Whether a row of the home leaves a packet waiting.
fn leaves_waiting(taken: Taken, protocol: &Protocol) -> bool {
    let Taken::Memory(state, event) = taken else { return false };
    protocol.memory.row(state, event).is_some_and(|row| row.actions.has(MemoryAction::Stall))
}
