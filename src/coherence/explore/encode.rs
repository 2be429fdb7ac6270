//! A state as a short string of bytes, the same for states that differ by the numbers of agents and lines alone (Ip and Dill, "Better
//! verification through symmetry", Formal Methods in System Design 1996). All that concerns an agent, its part in transactions included,
//! is one block of bytes; blocks stand in ascending order. Of the ways to number lines, the one whose bytes come first is taken.

use crate::base::address::Line;
use crate::coherence::agent::WriteBack;
use crate::coherence::controller::Transaction;
use crate::coherence::explore::world::{AgentWorld, LineWorld, World, transaction_of};
use crate::coherence::order::{AgentNumber, Request};
use crate::coherence::protocol::MemoryEvent;

/// Encodes states; keeps what it needs for that.
#[derive(Clone, Debug, Default)]
pub(super) struct Encoder {
    blocks: Vec<Vec<u8>>,
    bytes: Vec<u8>,
    first: Vec<u8>,
}

/// The ways to number so many lines: the line of each new number. Each is its own inverse.
pub(super) fn numberings(lines: usize) -> &'static [&'static [usize]] {
    match lines {
        1 => &[&[0]],
        _ => &[&[0, 1], &[1, 0]],
    }
}

impl Encoder {
    /// The bytes of a state and of all that are like it.
    pub fn encode(&mut self, world: &World) -> &[u8] {
        self.blocks.resize_with(world.agents.len(), Vec::new);
        self.first.clear();
        for lines in numberings(world.lines.len()) {
            for (number, (block, agent)) in self.blocks.iter_mut().zip(&world.agents).enumerate() {
                block.clear();
                Writer { bytes: block, lines }.agent(number as AgentNumber, agent, world);
            }
            self.blocks.sort_unstable();
            self.bytes.clear();
            self.blocks.iter().for_each(|block| self.bytes.extend_from_slice(block));
            for &line in *lines {
                Writer { bytes: &mut self.bytes, lines }.line(&world.lines[line], world);
            }
            if self.first.is_empty() || self.bytes < self.first {
                std::mem::swap(&mut self.first, &mut self.bytes);
            }
        }
        &self.first
    }
}

struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
    lines: &'a [usize],
}

/// 1 for the newest version, 2 for one that is about to be written, 0 for any older.
pub(super) fn age(version: u64, newest: u64) -> u8 {
    (version + 1).saturating_sub(newest).min(2) as u8
}

fn number(transaction: Transaction) -> u8 {
    transaction as u8
}

impl Writer<'_> {
    fn line_number(&self, line: Line) -> u8 {
        self.lines[line as usize] as u8
    }

    /// What and, where there is more than one, which line.
    fn request(&mut self, transaction: Transaction, line: Line) {
        let line = self.line_number(line);
        self.bytes.push(1 + number(transaction) * 2 + line);
    }

    fn requests(&mut self, requests: &[Request]) {
        self.bytes.push(requests.len() as u8);
        for request in requests {
            self.request(transaction_of(request), request.line);
        }
    }

    fn write_back(&mut self, leaving: &WriteBack, world: &World) {
        let line = self.line_number(leaving.line);
        let age = age(leaving.version, world.lines[leaving.line as usize].newest);
        self.bytes.extend([1 + line, leaving.state.0 * 4 + age]);
    }

    fn agent(&mut self, number_of: AgentNumber, agent: &AgentWorld, world: &World) {
        for &line in self.lines {
            let (held, newest) = (&agent.held[line], world.lines[line].newest);
            let word = held.word.map_or(3, |version| age(version, newest));
            self.bytes.extend([held.state.0, age(held.version, newest) * 4 + word]);
            let part = world.lines[line].transaction.map_or(0, |transaction| {
                let own = world.order.under_way(transaction.id).request.agent == number_of;
                let takes = world.order.takers(transaction.id).any(|taker| taker == number_of);
                let unseen = transaction.unseen & 1 << number_of != 0;
                u8::from(own) * 4 + u8::from(unseen) * 2 + u8::from(takes)
            });
            let access = held.access.map_or(0, |write| 1 + u8::from(write));
            let completion = held.completion.map_or(0, |completion| {
                let age = age(completion.version, newest);
                1 + (number(completion.transaction) * 2 + u8::from(completion.shared)) * 3 + age
            });
            self.bytes.extend([part * 4 + access, completion]);
        }
        self.bytes.push(agent.requests.len() as u8);
        for &(transaction, line) in &agent.requests {
            self.request(transaction, line as Line);
        }
        self.bytes.push(agent.agent.write_backs().len() as u8);
        for leaving in agent.agent.write_backs() {
            self.write_back(leaving, world);
        }
        self.pending(number_of, world);
    }

    /// What the bus knows of an agent.
    fn pending(&mut self, agent: AgentNumber, world: &World) {
        let pending = world.order.agent(agent);
        self.requests(&pending.accesses);
        let amended = pending.amended.iter().fold(0, |mask, &line| mask | 1 << self.line_number(line));
        self.bytes.push(amended);
        self.requests(&pending.write_backs);
        self.bytes.push(pending.withdrawn.len() as u8);
        for &line in &pending.withdrawn {
            let line = self.line_number(line);
            self.bytes.push(line);
        }
    }

    fn line(&mut self, line: &LineWorld, world: &World) {
        let newest = line.newest;
        let store = line.store.map_or(0, |(event, version)| 1 + age(version, newest) * 2 + u8::from(event == MemoryEvent::Flush));
        self.bytes.extend([line.memory_state.0 * 4 + age(line.memory_version, newest), store]);
        let Some(transaction) = line.transaction else {
            self.bytes.push(0);
            return;
        };
        let under_way = world.order.under_way(transaction.id);
        let supplied = under_way.supplied.map_or(3, |version| age(version, newest));
        let flags = u8::from(under_way.shared) * 2 + u8::from(under_way.for_memory);
        self.bytes.extend([1 + number(transaction_of(&under_way.request)), supplied * 4 + flags]);
    }
}
