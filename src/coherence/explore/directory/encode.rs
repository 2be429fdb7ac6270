//! A state as a short string of bytes, the same for states that differ by the numbers of agents and lines alone: of all ways to number
//! them, the one whose bytes come first. Packets on their way are in no order, so theirs are sorted.

use super::DirectoryWorld;
use crate::coherence::directory::{Packet, Sharers};
use crate::coherence::explore::encode::{age, numberings};
use crate::coherence::order::AgentNumber;

/// Encodes states; keeps what it needs for that.
#[derive(Clone, Debug, Default)]
pub(in crate::coherence::explore) struct Encoder {
    /// The orders of so many agents.
    orders: Vec<Vec<AgentNumber>>,
    packets: Vec<[u8; 7]>,
    bytes: Vec<u8>,
    first: Vec<u8>,
}

/// All orders of `n` agents: in each, the agent that comes first, second, ...
fn orders(n: usize) -> Vec<Vec<AgentNumber>> {
    let Some(last) = n.checked_sub(1) else { return vec![Vec::new()] };
    let shorter = orders(last);
    let with = |order: &Vec<AgentNumber>, place: usize| {
        let mut order = order.clone();
        order.insert(place, last as AgentNumber);
        order
    };
    shorter.iter().flat_map(|order| (0..n).map(move |place| with(order, place))).collect()
}

/// New numbers for agents and lines, by old ones.
struct Names<'a> {
    order: &'a [AgentNumber],
    lines: &'a [usize],
}

impl Names<'_> {
    fn agent(&self, agent: AgentNumber) -> u8 {
        self.order.iter().position(|&other| other == agent).unwrap_or(0) as u8
    }

    /// 0 for the home.
    fn end(&self, end: Option<AgentNumber>) -> u8 {
        end.map_or(0, |agent| 1 + self.agent(agent))
    }
}

impl Encoder {
    /// The bytes of a state and of all that are like it.
    pub fn encode(&mut self, world: &DirectoryWorld) -> &[u8] {
        if self.orders.first().is_none_or(|order| order.len() != world.agents.len()) {
            self.orders = orders(world.agents.len());
        }
        self.first.clear();
        let orders = std::mem::take(&mut self.orders);
        // Where lines are offered to agents in the order of their numbers, the numbers make a difference.
        let alike = if world.is_cache_only { 1 } else { orders.len() };
        for order in &orders[..alike] {
            for lines in numberings(world.lines.len()) {
                self.write(world, &Names { order, lines });
                if self.first.is_empty() || self.bytes < self.first {
                    std::mem::swap(&mut self.first, &mut self.bytes);
                }
            }
        }
        self.orders = orders;
        &self.first
    }

    fn write(&mut self, world: &DirectoryWorld, names: &Names<'_>) {
        self.bytes.clear();
        for &agent in names.order {
            self.agent(world, usize::from(agent), names);
        }
        for &line in names.lines {
            let own = &world.lines[line];
            self.bytes.extend([own.entry.state.0, age(own.memory_version, own.newest), names.end(own.entry.owner)]);
            self.bytes.push(match &own.entry.sharers {
                Sharers::Some(agents) => agents.iter().fold(0, |mask, &agent| mask | 1 << names.agent(agent)),
                Sharers::Any => u8::MAX,
            });
            self.bytes.extend([own.entry.placing.offers as u8, age(own.entry.placing.version, own.newest)]);
        }
        self.packets.clear();
        self.packets.extend(world.packets.iter().map(|packet| bytes_of(packet, world, names)));
        self.packets.sort_unstable();
        self.bytes.extend(self.packets.iter().flatten());
    }

    fn agent(&mut self, world: &DirectoryWorld, number: usize, names: &Names<'_>) {
        let agent = &world.agents[number];
        for &line in names.lines {
            let (held, newest) = (&agent.held[line], world.lines[line].newest);
            let access = held.access.map_or(0, |write| 1 + u8::from(write));
            self.bytes.extend([held.state.0, age(held.version, newest) * 4 + access]);
            let leaving = agent.agent.write_backs().iter().find(|leaving| leaving.line == line as u64);
            self.bytes.push(leaving.map_or(0, |leaving| 1 + leaving.state.0 * 4 + age(leaving.version, newest)));
            let acks = agent.agent.acks().iter().find(|acks| acks.line == line as u64);
            let expected = acks.and_then(|acks| acks.expected).map_or(0, |expected| 1 + expected as u8);
            self.bytes.push(acks.map_or(0, |acks| 128 + acks.received as u8 * 8 + expected));
        }
    }
}

fn bytes_of(packet: &Packet, world: &DirectoryWorld, names: &Names<'_>) -> [u8; 7] {
    let line = packet.line as usize;
    let age = if packet.kind.has_line() { age(packet.version, world.lines[line].newest) } else { 0 };
    let place = names.lines.iter().position(|&other| other == line).unwrap_or(0) as u8;
    let ends = [packet.from, packet.to].map(|end| names.end(end));
    [packet.kind as u8, place, names.agent(packet.requestor), ends[0], ends[1], packet.acks as u8, age]
}
