//! A state as a short string of bytes, the same for states that differ by the numbers of agents and lines alone: of all ways to number
//! them, the one whose bytes come first (Ip and Dill, "Better verification through symmetry", Formal Methods in System Design 1996).

use crate::base::address::Line;
use crate::coherence::agent::WriteBack;
use crate::coherence::controller::Transaction;
use crate::coherence::explore::world::{AgentWorld, LineWorld, World, transaction_of};
use crate::coherence::order::{AgentNumber, Request};
use crate::coherence::protocol::MemoryEvent;

/// A way to number agents and lines anew.
#[derive(Clone, Debug)]
struct Numbering {
    /// The agent of each new number.
    agents: Vec<usize>,
    /// The new number of each agent.
    new_agents: Vec<u8>,
    /// The line of each new number; with two lines, its own inverse.
    lines: Vec<usize>,
}

/// Encodes states of one scope.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    numberings: Vec<Numbering>,
    bytes: Vec<u8>,
    first: Vec<u8>,
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for number in 0..n {
        all = all
            .iter()
            .flat_map(|shorter: &Vec<usize>| {
                (0..=shorter.len()).map(move |place| {
                    let mut longer = shorter.clone();
                    longer.insert(place, number);
                    longer
                })
            })
            .collect();
    }
    all
}

impl Encoder {
    pub fn new(agents: usize, lines: usize) -> Encoder {
        let mut numberings = Vec::new();
        for agents in permutations(agents) {
            let new = |agent| agents.iter().position(|&other| other == agent).unwrap_or(0) as u8;
            let new_agents: Vec<u8> = (0..agents.len()).map(new).collect();
            for lines in permutations(lines) {
                numberings.push(Numbering { agents: agents.clone(), new_agents: new_agents.clone(), lines });
            }
        }
        Encoder { numberings, bytes: Vec::new(), first: Vec::new() }
    }

    /// The bytes of a state and of all that are like it.
    pub fn encode(&mut self, world: &World) -> &[u8] {
        self.first.clear();
        for numbering in &self.numberings {
            self.bytes.clear();
            Writer { bytes: &mut self.bytes, numbering }.world(world);
            if self.first.is_empty() || self.bytes < self.first {
                std::mem::swap(&mut self.first, &mut self.bytes);
            }
        }
        &self.first
    }
}

struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
    numbering: &'a Numbering,
}

/// 1 for the newest version, 2 for one that is about to be written, 0 for any older.
fn age(version: u64, newest: u64) -> u8 {
    (version + 1).saturating_sub(newest).min(2) as u8
}

fn number(transaction: Transaction) -> u8 {
    transaction as u8
}

impl Writer<'_> {
    fn line_number(&self, line: Line) -> u8 {
        self.numbering.lines[line as usize] as u8
    }

    fn world(&mut self, world: &World) {
        let numbering = self.numbering;
        for &agent in &numbering.agents {
            self.agent(agent, &world.agents[agent], world);
        }
        for &line in &numbering.lines {
            self.line(&world.lines[line], world);
        }
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

    fn agent(&mut self, number_of: usize, agent: &AgentWorld, world: &World) {
        for &line in &self.numbering.lines {
            let (held, newest) = (&agent.held[line], world.lines[line].newest);
            let word = held.word.map_or(3, |version| age(version, newest));
            self.bytes.extend([held.state.0, age(held.version, newest) * 4 + word]);
        }
        let access = agent.access.map_or(0, |(line, write)| 1 + self.line_number(line as Line) * 2 + u8::from(write));
        self.bytes.push(access);
        let completion = match (agent.completion, agent.access) {
            (Some(completion), Some((line, _))) => {
                let age = age(completion.version, world.lines[line].newest);
                1 + (number(completion.transaction) * 2 + u8::from(completion.shared)) * 3 + age
            }
            _ => 0,
        };
        self.bytes.extend([completion, agent.requests.len() as u8]);
        for &(transaction, line) in &agent.requests {
            self.request(transaction, line as Line);
        }
        self.bytes.push(agent.agent.write_backs().len() as u8);
        for leaving in agent.agent.write_backs() {
            self.write_back(leaving, world);
        }
        self.pending(number_of as AgentNumber, world);
    }

    /// What the bus knows of an agent.
    fn pending(&mut self, agent: AgentNumber, world: &World) {
        let pending = world.order.agent(agent);
        match &pending.access {
            Some(access) => self.request(transaction_of(access), access.line),
            None => self.bytes.push(0),
        }
        let amended = pending.amended.map_or(0, |line| 1 + self.line_number(line));
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
        let new = |agent: AgentNumber| self.numbering.new_agents[usize::from(agent)];
        let supplied = under_way.supplied.map_or(3, |version| age(version, newest));
        let flags = u8::from(under_way.shared) * 2 + u8::from(under_way.for_memory);
        let unseen = (0..self.numbering.agents.len())
            .filter(|&agent| transaction.unseen & 1 << agent != 0)
            .fold(0, |mask, agent| mask | 1 << new(agent as AgentNumber));
        let takers = world.order.takers(transaction.id).fold(0, |mask, agent| mask | 1 << new(agent));
        let what = 1 + number(transaction_of(&under_way.request)) * 8 + new(under_way.request.agent);
        self.bytes.extend([what, supplied * 4 + flags, unseen, takers]);
    }
}
