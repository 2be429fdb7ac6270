//! How packets get from port to port: over one bus, through a crossbar, or round a ring. A packet takes the links on its way, each for
//! as many cycles as it has flits.
//!
//! ```text
//!   bus        all ports --> one link --> all ports
//!   crossbar   port's way in --> (any) --> port's way out       both at once; other pairs go at the same time
//!   ring       station --> next station --> ...                 one link after the other, a hop later each; one or two directions
//! ```
//!
//! A packet sets out when its whole way is free as it will come by, and never stops on it: as in the Element Interconnect Bus of the
//! Cell, a ring whose arbiter lets transfers go at once whose ways do not overlap (Kistler, Perrone and Petrini, "Cell Multiprocessor
//! Communication Network: Built for Speed", IEEE Micro 2006). Who waits keeps the links of its way from those behind it in the arbiter's
//! order, so that long ways do not starve.

use crate::base::time::{Clock, Time};
use crate::coherence::order::{AgentNumber, BusOrder, TransactionId};
use crate::components::spec::{Arbitration, TransportSpec};
use crate::components::utilisation::Ledger;

/// A port: agents by their numbers, then the ports of memory.
pub type PortNumber = usize;

/// A packet that waits to set out.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    pub id: TransactionId,
    /// The agent whose request it belongs to.
    pub agent: AgentNumber,
    /// When that request left its core.
    pub left: u64,
    pub from: PortNumber,
    /// Where it goes: an agent's port, memory's, or both at once.
    pub to: Option<PortNumber>,
    pub also_to: Option<PortNumber>,
    /// Whether it goes to those who take the word of an update, too.
    pub to_takers: bool,
    /// Cycles it takes each link.
    pub cycles: u64,
    pub bytes: u64,
    /// Since when.
    pub ready: Time,
    pub version: u64,
}

/// A packet that has set out.
#[derive(Clone, Copy, Debug)]
pub struct Departure {
    pub packet: Packet,
    /// The cycle at which the last of it is at its first destination, and at the farthest.
    pub arrival: u64,
    pub end: u64,
}

/// One link: until when it is taken, and what went over it.
#[derive(Clone, Debug)]
pub struct Link {
    /// The first cycle in which it is free.
    free: u64,
    pub used: Ledger,
}

/// Links, and what waits for them.
#[derive(Debug)]
pub struct Transport {
    kind: TransportSpec,
    clock: Clock,
    arbitration: Arbitration,
    /// On a ring: the station of each port, and how many there are.
    stations: Vec<usize>,
    n_stations: usize,
    links: Vec<Link>,
    /// For each destination, whose packet went there last.
    last: Vec<Option<PortNumber>>,
    ready: Vec<Packet>,

    /// The way of the packet looked at: links, and how many cycles after departure each is reached.
    way: Vec<(usize, u64)>,
    /// Links that someone before in the order waits for.
    claimed: Vec<usize>,
    order: Vec<usize>,
}

impl Transport {
    /// Links without packets, between so many agents and memory.
    pub fn new(kind: TransportSpec, clock: Clock, arbitration: Arbitration, n_agents: usize) -> Transport {
        let n_memory = kind.memory_ports() as usize;
        let n_ports = n_agents + n_memory;
        let (n_links, n_stations) = match kind {
            TransportSpec::Bus => (1, 0),
            TransportSpec::Crossbar { .. } => (2 * n_ports, 0),
            TransportSpec::Ring { directions, .. } => (directions as usize * n_ports, n_ports),
        };
        // Memory's stations lie evenly among the agents'.
        let of_memory: Vec<usize> = (0..n_memory).map(|port| port * n_stations / n_memory.max(1)).collect();
        let of_agents = (0..n_stations).filter(|station| !of_memory.contains(station));
        let stations = of_agents.chain(of_memory.iter().copied()).collect();
        let link = Link { free: 0, used: Ledger::new(Time::ZERO, Time::ZERO) };
        Transport {
            kind,
            clock,
            // What moves over a bus goes in the order in which it was ready, or in which it was asked for.
            arbitration: match (kind, arbitration) {
                (TransportSpec::Bus, Arbitration::Oldest) => Arbitration::Oldest,
                (TransportSpec::Bus, _) => Arbitration::FirstCome,
                _ => arbitration,
            },
            stations,
            n_stations,
            links: vec![link; n_links],
            last: vec![None; n_ports],
            ready: Vec::new(),
            way: Vec::new(),
            claimed: Vec::new(),
            order: Vec::new(),
        }
    }

    /// Counters start anew: [`Ledger::new`].
    pub fn begin(&mut self, at: Time, memory: Time) {
        for link in &mut self.links {
            link.used = Ledger::new(at, memory);
        }
    }

    /// What metrics call a link of a crossbar or a ring.
    pub fn link_name(&self, link: usize) -> String {
        let n_ports = self.last.len();
        let n_agents = n_ports - self.kind.memory_ports() as usize;
        let port = |port: usize| if port < n_agents { format!("core[{port}]") } else { format!("memory[{}]", port - n_agents) };
        match self.kind {
            TransportSpec::Bus => "data".to_string(),
            TransportSpec::Crossbar { .. } if link < n_ports => format!("from_{}", port(link)),
            TransportSpec::Crossbar { .. } => format!("to_{}", port(link - n_ports)),
            TransportSpec::Ring { .. } if link < n_ports => format!("forward[{link}]"),
            TransportSpec::Ring { .. } => format!("backward[{}]", link - n_ports),
        }
    }

    /// The links that are counted one by one: of a crossbar the ways in and then the ways out, of a ring those from each station to the
    /// next and then those to the one before. A bus has only one, which is the interconnect.
    pub fn links(&self) -> &[Link] {
        if self.kind == TransportSpec::Bus { &[] } else { &self.links }
    }

    /// A packet is ready to go.
    pub fn enqueue(&mut self, packet: Packet) {
        self.ready.push(packet);
    }

    /// Packets that wait to set out.
    pub fn waiting(&self) -> &[Packet] {
        &self.ready
    }

    /// Hops from one port forward to another, round the ring; 0 where there is none.
    pub fn hops(&self, from: PortNumber, to: PortNumber) -> u64 {
        match self.n_stations {
            0 => 0,
            n => ((self.stations[to] + n - self.stations[from]) % n) as u64,
        }
    }

    /// A packet that can set out in a cycle, first by the arbiter's rule; `order` knows who takes words.
    pub fn depart(&mut self, cycle: u64, order: &BusOrder, now: Time) -> Option<Departure> {
        let begins = self.clock.edge(cycle);
        let mut ranking = std::mem::take(&mut self.order);
        ranking.clear();
        ranking.extend((0..self.ready.len()).filter(|&place| self.ready[place].ready <= begins));
        if ranking.len() > 1 {
            ranking.sort_by_key(|&place| self.rank(&self.ready[place]));
        }
        self.claimed.clear();
        let mut departure = None;
        for &place in &ranking {
            let packet = self.ready[place];
            let lead = self.find_way(&packet, order);
            let is_free = |&(link, after): &(usize, u64)| self.links[link].free <= cycle + after && !self.claimed.contains(&link);
            if self.way.iter().all(is_free) {
                self.ready.swap_remove(place);
                departure = Some(self.take(packet, cycle, lead, now));
                break;
            }
            let way = self.way.iter().map(|&(link, _)| link);
            self.claimed.extend(way);
        }
        self.order = ranking;
        departure
    }

    /// What the arbiter orders packets by: the lowest goes first.
    fn rank(&self, packet: &Packet) -> (u64, u64, u64, TransactionId) {
        let (agent, from) = (u64::from(packet.agent), packet.from as u64);
        match self.arbitration {
            Arbitration::FirstCome => (packet.ready.0, agent, 0, packet.id),
            Arbitration::Oldest => (packet.left, agent, 0, packet.id),
            Arbitration::FixedPriority => (from, agent, packet.ready.0, packet.id),
            Arbitration::RoundRobin => {
                let last = self.destination(packet).and_then(|to| self.last[to]);
                // Ports behind the one served last come before those up to it.
                (u64::from(last.is_some_and(|last| packet.from <= last)), from, packet.ready.0, packet.id)
            }
        }
    }

    fn destination(&self, packet: &Packet) -> Option<PortNumber> {
        packet.to.or(packet.also_to)
    }

    /// Notes the links on a packet's way; how many cycles more than its length it takes to its first destination and to the farthest.
    fn find_way(&mut self, packet: &Packet, order: &BusOrder) -> (u64, u64) {
        self.way.clear();
        let takers = order.takers(packet.id).filter(|_| packet.to_takers).map(PortNumber::from);
        let destinations = packet.to.into_iter().chain(packet.also_to).chain(takers);
        match self.kind {
            TransportSpec::Bus => {
                self.way.push((0, 0));
                (0, 0)
            }
            TransportSpec::Crossbar { .. } => {
                let n_ports = self.last.len();
                self.way.push((packet.from, 0));
                self.way.extend(destinations.map(|to| (n_ports + to, 0)));
                (0, 0)
            }
            TransportSpec::Ring { hop_cycles, directions, .. } => {
                let (n, at) = (self.n_stations, self.stations[packet.from]);
                let ahead = |to: PortNumber| (self.stations[to] + n - at) % n;
                let behind = |to: PortNumber| (n - ahead(to)) % n;
                // To the farthest, and to the first destination.
                let (mut forward, mut backward) = ((0, packet.to.map_or(0, ahead)), (0, packet.to.map_or(0, behind)));
                for to in destinations {
                    forward.0 = forward.0.max(ahead(to));
                    backward.0 = backward.0.max(behind(to));
                }
                let goes_back = directions == 2 && backward < forward;
                let (hops, first) = if goes_back { backward } else { forward };
                let hop = u64::from(hop_cycles);
                for step in 0..hops {
                    let link = if goes_back { n + (at + n - step) % n } else { (at + step) % n };
                    self.way.push((link, step as u64 * hop));
                }
                let lead = |hops: usize| (hops as u64 * hop).saturating_sub(1);
                (lead(first), lead(hops))
            }
        }
    }

    /// A packet takes the links noted.
    fn take(&mut self, packet: Packet, cycle: u64, (first, farthest): (u64, u64), now: Time) -> Departure {
        for &(link, after) in &self.way {
            let link = &mut self.links[link];
            let from = cycle + after;
            link.free = from + packet.cycles;
            if self.kind != TransportSpec::Bus {
                link.used.enter(self.clock.edge(from), self.clock.edge(link.free), packet.bytes, now);
            }
        }
        if let Some(to) = self.destination(&packet) {
            self.last[to] = Some(packet.from);
        }
        let over = cycle + packet.cycles;
        Departure { packet, arrival: over + first, end: over + farthest }
    }

    /// The first cycle after one at which some packet's way may be free.
    pub fn next_chance(&mut self, after: u64, order: &BusOrder) -> Option<u64> {
        let mut next: Option<u64> = None;
        for place in 0..self.ready.len() {
            let packet = self.ready[place];
            self.find_way(&packet, order);
            let free = self.way.iter().map(|&(link, reached)| self.links[link].free.saturating_sub(reached)).max().unwrap_or(0);
            let chance = self.clock.cycle_at_or_after(packet.ready).max(free).max(after + 1);
            next = Some(next.map_or(chance, |next| next.min(chance)));
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet of 4 flits from one port to another.
    fn packet(id: TransactionId, from: PortNumber, to: PortNumber, ready: u64, left: u64) -> Packet {
        let agent = from as AgentNumber;
        let (to, ready) = (Some(to), Time(ready));
        Packet { id, agent, left, from, to, also_to: None, to_takers: false, cycles: 4, bytes: 32, ready, version: 0 }
    }

    /// Four agents and memory, a cycle a nanosecond.
    fn transport(kind: TransportSpec, arbitration: Arbitration) -> Transport {
        Transport::new(kind, Clock::from_hertz(1_000_000_000, 1).unwrap(), arbitration, 4)
    }

    /// Lets packets go from a cycle on: which, when, and when they are there.
    fn run(transport: &mut Transport, packets: &[Packet], from: u64) -> Vec<(TransactionId, u64, u64)> {
        let order = BusOrder::new(4, 8);
        packets.iter().for_each(|&packet| transport.enqueue(packet));
        let mut gone = Vec::new();
        let mut cycle = from;
        loop {
            while let Some(departure) = transport.depart(cycle, &order, Time(0)) {
                gone.push((departure.packet.id, cycle, departure.end));
            }
            match transport.next_chance(cycle, &order) {
                Some(next) => cycle = next,
                None => return gone,
            }
        }
    }

    const CROSSBAR: TransportSpec = TransportSpec::Crossbar { memory_ports: 1 };

    fn ring(directions: u32) -> TransportSpec {
        TransportSpec::Ring { memory_ports: 1, hop_cycles: 1, directions }
    }

    #[test]
    fn a_bus_carries_one_after_the_other_and_a_crossbar_pairs_at_once() {
        let packets = [packet(0, 0, 1, 0, 0), packet(1, 2, 3, 0, 0), packet(2, 4, 0, 0, 0)];
        let one_after_the_other = [(0, 0, 4), (1, 4, 8), (2, 8, 12)];
        assert_eq!(run(&mut transport(TransportSpec::Bus, Arbitration::RoundRobin), &packets, 0), one_after_the_other);
        assert_eq!(run(&mut transport(CROSSBAR, Arbitration::RoundRobin), &packets, 0), [(0, 0, 4), (1, 0, 4), (2, 0, 4)]);
        // Two to one port, and two from one port, share it.
        let packets = [packet(0, 0, 1, 0, 0), packet(1, 2, 1, 0, 0), packet(2, 2, 3, 0, 0)];
        assert_eq!(run(&mut transport(CROSSBAR, Arbitration::FixedPriority), &packets, 0), [(0, 0, 4), (1, 4, 8), (2, 8, 12)]);
    }

    #[test]
    fn each_rule_lets_go_in_its_own_order() {
        // All want memory's port; from cycle 9 on all are ready.
        let packets = [packet(0, 0, 4, 5_000, 3_000), packet(1, 1, 4, 3_000, 2_000), packet(2, 2, 4, 4_000, 1_000)];
        let ids = |kind, rule| run(&mut transport(kind, rule), &packets, 9).iter().map(|gone| gone.0).collect::<Vec<_>>();
        assert_eq!(ids(CROSSBAR, Arbitration::FixedPriority), [0, 1, 2]);
        assert_eq!(ids(CROSSBAR, Arbitration::FirstCome), [1, 2, 0]);
        assert_eq!(ids(CROSSBAR, Arbitration::Oldest), [2, 1, 0]);
        assert_eq!(ids(TransportSpec::Bus, Arbitration::FixedPriority), [1, 2, 0], "data of a bus go as they come");
        assert_eq!(ids(TransportSpec::Bus, Arbitration::Oldest), [2, 1, 0]);
        let mut round_robin = transport(CROSSBAR, Arbitration::RoundRobin);
        run(&mut round_robin, &[packet(9, 0, 4, 0, 0)], 0);
        let ids: Vec<_> = run(&mut round_robin, &packets, 9).iter().map(|gone| gone.0).collect();
        assert_eq!(ids, [1, 2, 0], "who was served last comes last");
    }

    #[test]
    fn ways_round_a_ring_that_do_not_overlap_are_gone_at_once() {
        // Stations: memory (port 4) is 0, agents are 1 to 4. Forward: 1 -> 2, 2 -> 3 -> 4, 4 -> 0.
        let packets = [packet(0, 0, 1, 0, 0), packet(1, 1, 3, 0, 0), packet(2, 3, 4, 0, 0)];
        // The first flit is there a hop later, the last one three cycles behind it.
        let at_once = [(0, 0, 4), (1, 0, 5), (2, 0, 4)];
        assert_eq!(run(&mut transport(ring(1), Arbitration::FirstCome), &packets, 0), at_once);
        // From 4 to 1 it is two hops forward, by memory; back it would be three. From 1 to 4 it is two hops back.
        let packets = [packet(0, 3, 0, 0, 0), packet(1, 0, 3, 0, 0)];
        assert_eq!(run(&mut transport(ring(2), Arbitration::FirstCome), &packets, 0), [(1, 0, 5), (0, 0, 5)]);
        // With one direction it is three hops on, over links that no one else takes.
        assert_eq!(run(&mut transport(ring(1), Arbitration::FirstCome), &packets, 0), [(1, 0, 6), (0, 0, 5)]);
    }

    #[test]
    fn a_packet_enters_a_link_when_the_one_before_has_left_it() {
        // Both pass from station 2 to 3: the first takes that link in its second hop, from cycle 1 to 5.
        let packets = [packet(0, 0, 2, 0, 0), packet(1, 1, 2, 0, 0)];
        assert_eq!(run(&mut transport(ring(1), Arbitration::FirstCome), &packets, 0), [(0, 0, 5), (1, 5, 9)]);
        // The other way about the second reaches the link a hop after it set out, so it sets out a cycle before the link is free.
        assert_eq!(
            run(&mut transport(ring(1), Arbitration::FirstCome), &[packets[1], packet(2, 0, 2, 1, 0)], 0),
            [(1, 0, 4), (2, 3, 8)]
        );
    }

    #[test]
    fn who_waits_keeps_its_way_from_those_behind_it() {
        // 1 waits for the port that 0 takes; 2 would find both of its ports free, but one of them is on the way of 1.
        let packets = [packet(0, 0, 3, 0, 0), packet(1, 1, 3, 1_000, 0), packet(2, 1, 2, 2_000, 0)];
        let gone = run(&mut transport(CROSSBAR, Arbitration::FirstCome), &packets, 0);
        assert_eq!(gone, [(0, 0, 4), (1, 4, 8), (2, 8, 12)]);
    }
}
