//! A state of the composition as a string of bytes. Versions are told apart by what they contain, and by which is the newest.

use crate::base::address::Line;
use crate::coherence::explore::litmus::composed::Composed;
use crate::coherence::explore::world::transaction_of;
use crate::coherence::order::{AgentNumber, Request};
use crate::coherence::protocol::MemoryEvent;

/// Writes the bytes of a state.
pub(super) fn encode(state: &Composed, bytes: &mut Vec<u8>) {
    bytes.clear();
    let mut writer = Writer { state, bytes };
    for agent in 0..state.world.agents.len() {
        writer.agent(agent);
    }
    for line in 0..state.world.lines.len() {
        writer.line(line);
    }
}

struct Writer<'a> {
    state: &'a Composed,
    bytes: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn small(&mut self, n: usize) {
        self.bytes.push(n as u8);
    }

    /// A number of any size.
    fn number(&mut self, mut n: u32) {
        while n >= 128 {
            self.bytes.push(n as u8 | 128);
            n >>= 7;
        }
        self.bytes.push(n as u8);
    }

    fn version(&mut self, line: usize, version: u64) {
        let contents = self.state.contents(line, version);
        let is_newest = version == self.state.world.lines[line].newest;
        self.number(contents * 2 + u32::from(is_newest));
    }

    fn optional_version(&mut self, line: usize, version: Option<u64>) {
        self.small(usize::from(version.is_some()));
        if let Some(version) = version {
            self.version(line, version);
        }
    }

    fn requests(&mut self, requests: &[Request]) {
        self.small(requests.len());
        for request in requests {
            self.small(transaction_of(request) as usize * 8 + request.line as usize);
        }
    }

    fn lines(&mut self, lines: &[Line]) {
        self.small(lines.len());
        lines.iter().for_each(|&line| self.small(line as usize));
    }

    fn agent(&mut self, number: usize) {
        let state = self.state;
        let core = &state.cores[number];
        self.number(core.node * 2 + u32::from(core.waits));
        self.small(core.buffer.len());
        core.buffer.iter().for_each(|&store| self.number(store));
        let agent = &state.world.agents[number];
        for line in 0..state.world.lines.len() {
            let held = &agent.held[line];
            self.small(usize::from(held.state.0));
            self.version(line, held.version);
            self.optional_version(line, held.word);
            let access = held.access.map_or(0, |write| 1 + usize::from(write));
            self.small(
                held.completion.map_or(0, |completion| 1 + completion.transaction as usize * 2 + usize::from(completion.shared))
                    * 4
                    + access,
            );
            self.optional_version(line, held.completion.map(|completion| completion.version));
        }
        self.small(agent.requests.len());
        for &(transaction, line) in &agent.requests {
            self.small(transaction as usize * 8 + line);
        }
        self.small(agent.agent.write_backs().len());
        for leaving in agent.agent.write_backs() {
            self.small(leaving.line as usize);
            self.small(usize::from(leaving.state.0));
            self.version(leaving.line as usize, leaving.version);
        }
        let pending = state.world.order.agent(number as AgentNumber);
        self.requests(&pending.accesses);
        self.requests(&pending.write_backs);
        self.lines(&pending.amended);
        self.lines(&pending.withdrawn);
    }

    fn line(&mut self, number: usize) {
        let world = &self.state.world;
        let line = &world.lines[number];
        self.small(usize::from(line.memory_state.0));
        self.version(number, line.newest);
        self.version(number, line.memory_version);
        self.small(line.store.map_or(0, |(event, _)| 1 + usize::from(event == MemoryEvent::Flush)));
        self.optional_version(number, line.store.map(|(_, version)| version));
        let Some(transaction) = line.transaction else {
            self.small(0);
            return;
        };
        let under_way = world.order.under_way(transaction.id);
        self.small(1 + transaction_of(&under_way.request) as usize);
        self.small(
            usize::from(under_way.request.agent) * 4 + usize::from(under_way.shared) * 2 + usize::from(under_way.for_memory),
        );
        self.small(usize::from(transaction.unseen));
        self.small(world.order.takers(transaction.id).fold(0, |mask, taker| mask | 1 << taker));
        self.optional_version(number, under_way.supplied);
    }
}
