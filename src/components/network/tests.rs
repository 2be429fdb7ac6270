//! Latencies in closed form, contention, credits, deadlock.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Network, NetworkSpec, Switching};
use crate::base::time::Time;
use crate::components::message::Message;
use crate::components::parcel::{Content, End, Parcel};
use crate::components::shared::Shared;
use crate::engine::{ChannelId, Component, Engine, Outcome, PartId, Port, Wait, Wake};
use crate::interconnect::{Routes, Routing, Topology};
use crate::program::code::Arena;
use crate::program::memory::Memory;

/// What stands round the network: each node sends what it is given when it is told to, and notes what comes.
#[derive(Debug)]
enum Part {
    Network(Box<Network>),
    Node { to: ChannelId, outbox: Vec<Parcel>, came: Vec<Parcel> },
}

impl Component for Part {
    type Message = Message;

    fn receive(&mut self, channel: ChannelId, message: Message, port: &mut Port<'_, Message>) {
        match self {
            Part::Network(network) => network.receive(channel, message, port),
            Part::Node { came, .. } => {
                port.release(channel);
                let Message::Parcel(parcel) = message else { panic!("{message:?}") };
                assert!(port.now() >= parcel.time, "nothing comes before it is there");
                came.push(parcel);
            }
        }
    }

    fn wake(&mut self, reason: Wake, port: &mut Port<'_, Message>) {
        match (self, reason) {
            (Part::Network(network), reason) => network.wake(reason, port),
            (Part::Node { to, outbox, .. }, Wake::Planned(number)) => {
                port.send(*to, Message::Parcel(outbox[number as usize]), port.now());
            }
            _ => {}
        }
    }

    fn waits(&self, report: &mut Vec<Wait>) {
        if let Part::Network(network) = self {
            network.waits(report);
        }
    }
}

const LATENCY: Time = Time(1_000);
const DELAY: Time = Time(70);

fn spec(topology: &Topology, n_nodes: u32, switching: Switching) -> NetworkSpec {
    let graph = topology.build(n_nodes).unwrap();
    let routing = Routing::usual(topology);
    let routes = Routes::new(topology, &graph, routing, routing.virtual_channels(topology)).unwrap();
    NetworkSpec {
        graph: Arc::new(graph),
        routes: Arc::new(routes),
        latency: LATENCY,
        bandwidth_bytes_per_second: Some(10_000_000_000),
        switch_delay: DELAY,
        switching,
        header_bytes: 8,
        packet_bytes: 1 << 20,
        buffers: 4,
    }
}

fn parcel(from: u16, to: u16, bytes: u32, time: u64) -> Parcel {
    Parcel { from, to, end: End::Home, content: Content::Write, agent: 0, line: 0, bytes, asked: Time(time), time: Time(time) }
}

/// Sends parcels at their times; what came, in the order in which it did, and how it ended.
fn send(spec: NetworkSpec, parcels: &[Parcel]) -> (Vec<Parcel>, Outcome, Engine<Part>) {
    let n = spec.graph.n_nodes();
    let shared = Rc::new(RefCell::new(Shared::new(Memory::new(&Arena::default()).unwrap(), 1, None, false)));
    let nodes = (0..n).map(|node| ChannelId(2 * node + 1)).collect();
    let outbox = |node: u32| parcels.iter().filter(|parcel| u32::from(parcel.from) == node).copied().collect();
    let mut parts: Vec<Part> =
        (0..n).map(|node| Part::Node { to: ChannelId(2 * node), outbox: outbox(node), came: Vec::new() }).collect();
    parts.push(Part::Network(Box::new(Network::new(Arc::new(spec), nodes, Some(shared)))));
    let mut engine = Engine::new(parts);
    for node in 0..n {
        engine.add_channel(PartId(node), PartId(n), Time(1), u32::MAX);
        engine.add_channel(PartId(n), PartId(node), Time(1), u32::MAX);
    }
    for node in 0..n {
        let own = parcels.iter().filter(|parcel| u32::from(parcel.from) == node);
        for (number, parcel) in (0..).zip(own) {
            // A channel of the engine takes a picosecond.
            engine.start(PartId(node), parcel.time.saturating_sub(Time(1)), number);
        }
    }
    let outcome = engine.run(10_000_000);
    let mut came: Vec<Parcel> = Vec::new();
    for part in engine.parts() {
        if let Part::Node { came: own, .. } = part {
            came.extend(own);
        }
    }
    came.sort_by_key(|parcel| (parcel.time, parcel.from));
    (came, outcome, engine)
}

fn topologies() -> Vec<(Topology, u32)> {
    vec![
        (Topology::Line, 5),
        (Topology::Ring, 7),
        (Topology::Star, 6),
        (Topology::Full, 5),
        (Topology::Mesh(vec![4, 3]), 12),
        (Topology::Torus(vec![4, 4]), 16),
        (Topology::Hypercube, 16),
        (Topology::Tree { arity: 2 }, 8),
        (Topology::FatTree { arity: 2 }, 8),
        (Topology::Butterfly { arity: 2 }, 8),
        (Topology::Omega { arity: 2 }, 8),
        (Topology::Dragonfly { routers: 2, global: 1, nodes: 2 }, 12),
    ]
}

#[test]
fn an_idle_network_takes_the_time_of_the_closed_form_between_any_two_nodes() {
    for (topology, n) in topologies() {
        for switching in [Switching::CutThrough, Switching::StoreAndForward] {
            for (from, to) in (0..n).flat_map(|from| (0..n).map(move |to| (from, to))).filter(|(from, to)| from != to) {
                let spec = spec(&topology, n, switching);
                let h = spec.routes.way(&spec.graph, from, to).count() as u64;
                let closed = spec.zero_load(h as u32, 1000);
                // 1,008 bytes at 10 GB/s.
                let transfer = 100_800;
                let expected = match switching {
                    Switching::CutThrough => h * LATENCY.0 + (h - 1) * DELAY.0 + transfer,
                    Switching::StoreAndForward => h * (LATENCY.0 + transfer) + (h - 1) * DELAY.0,
                };
                let (came, outcome, _) = send(spec, &[parcel(from as u16, to as u16, 1000, 500)]);
                assert_eq!(outcome, Outcome::Quiescent);
                let name = topology.name();
                assert_eq!(closed.0, expected, "{name} from {from} to {to}, {switching:?}, {h} channels");
                assert_eq!(came[0].time.0 - 500, expected, "{name} from {from} to {to}, {switching:?}, {h} channels");
            }
        }
    }
}

#[test]
fn a_parcel_of_several_packets_follows_itself() {
    // 4 packets of 250 bytes and 8 of header: the last leaves after three others, each 25.8 ns.
    let spec = NetworkSpec { packet_bytes: 250, ..spec(&Topology::Star, 4, Switching::StoreAndForward) };
    let (came, ..) = send(spec, &[parcel(0, 3, 1000, 10)]);
    assert_eq!(came[0].time.0 - 10, 5 * 25_800 + 2 * LATENCY.0 + DELAY.0);
}

#[test]
fn who_asks_first_goes_first_and_the_others_wait_their_turn() {
    let star = spec(&Topology::Star, 4, Switching::CutThrough);
    // 992 + 8 bytes hold a channel for 100 ns; the second and third find the way to node 3 taken.
    let (came, _, engine) = send(star, &[parcel(0, 3, 992, 1000), parcel(1, 3, 992, 900), parcel(2, 3, 992, 1100)]);
    let there: Vec<(u16, u64)> = came.iter().map(|parcel| (parcel.from, parcel.time.0)).collect();
    let first = 900 + 2 * LATENCY.0 + DELAY.0 + 100_000;
    assert_eq!(there, [(1, first), (0, first + 100_000), (2, first + 200_000)]);
    let Part::Network(network) = &engine.parts()[4] else { panic!() };
    let waited: u64 = network.channels().map(|channel| channel.wait.0).sum();
    assert_eq!(waited, (100_000 - 100) + (200_000 - 200));
}

#[test]
fn credits_bound_what_a_channel_moves_by_its_round_trip() {
    // A line of two nodes; a packet of 92 + 8 bytes takes 10 ns. Its credit is back after transfer and both latencies: 12 ns.
    let line = spec(&Topology::Line, 2, Switching::CutThrough);
    let many: Vec<Parcel> = (0..100).map(|_| parcel(0, 1, 92, 1000)).collect();
    let last = |buffers: u32| {
        let (came, ..) = send(NetworkSpec { buffers, ..line.clone() }, &many);
        came.last().unwrap().time.0 - 1000
    };
    assert_eq!(last(4), 100 * 10_000 + LATENCY.0, "the channel is never idle");
    assert_eq!(last(2), 100 * 10_000 + LATENCY.0, "two places cover 12 ns");
    assert_eq!(last(1), 99 * 12_000 + 10_000 + LATENCY.0, "each waits for the credit of the one before");
}

#[test]
fn packets_that_wait_in_a_circle_are_reported_as_one() {
    let ring = Topology::Ring;
    let blocked = |virtual_channels: u8| {
        let graph = ring.build(4).unwrap();
        let routes = Routes::new(&ring, &graph, Routing::DimensionOrder, virtual_channels).unwrap();
        let spec =
            NetworkSpec { graph: Arc::new(graph), routes: Arc::new(routes), buffers: 1, ..spec(&ring, 4, Switching::CutThrough) };
        // Each node sends to the one opposite, several at once, all the same way round.
        let all: Vec<Parcel> = (0..40).map(|k| parcel(k % 4, (k % 4 + 2) % 4, 100, 1000)).collect();
        send(spec, &all)
    };
    let (came, outcome, _) = blocked(2);
    assert_eq!((came.len(), outcome), (40, Outcome::Quiescent));
    let (came, outcome, _) = blocked(1);
    let Outcome::Stuck(waits) = outcome else { panic!("{} came", came.len()) };
    insta::assert_snapshot!(waits[..4].iter().map(|wait| wait.what.clone()).collect::<Vec<_>>().join("\n"), @"
    a packet from node[3] to node[1], which holds a place behind node[3] > node[0], waits for a place behind node[0] > node[1]
    a packet from node[0] to node[2], which holds a place behind node[0] > node[1], waits for a place behind node[1] > node[2]
    a packet from node[1] to node[3], which holds a place behind node[1] > node[2], waits for a place behind node[2] > node[3]
    a packet from node[2] to node[0], which holds a place behind node[2] > node[3], waits for a place behind node[3] > node[0]
    ");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn everything_that_is_sent_comes_and_nothing_sooner_than_on_an_idle_network(
        which in 0_usize..12,
        seeds in prop::collection::vec((any::<u16>(), any::<u16>(), 0_u32..3000, 0_u64..200_000), 1..120),
        buffers in 1_u32..4,
        packet_bytes in 64_u32..2000,
        cut_through in any::<bool>(),
    ) {
        let (topology, n) = topologies().swap_remove(which);
        let switching = if cut_through { Switching::CutThrough } else { Switching::StoreAndForward };
        let spec = NetworkSpec { buffers, packet_bytes, ..spec(&topology, n, switching) };
        let parcels: Vec<Parcel> = seeds
            .iter()
            .map(|&(from, other, bytes, time)| {
                let from = from % n as u16;
                let to = (from + 1 + other % (n as u16 - 1)) % n as u16;
                Parcel { line: time, ..parcel(from, to, bytes, 1 + time) }
            })
            .collect();
        let (came, outcome, engine) = send(spec.clone(), &parcels);
        prop_assert_eq!(outcome, Outcome::Quiescent);
        prop_assert_eq!(came.len(), parcels.len());
        for parcel in &came {
            let h = spec.routes.way(&spec.graph, u32::from(parcel.from), u32::from(parcel.to)).count() as u64;
            let least = h * LATENCY.0 + (h - 1) * DELAY.0 + u64::from(parcel.bytes + 8) * 100;
            prop_assert!(parcel.time.0 >= parcel.line + 1 + least);
        }
        let Part::Network(network) = engine.parts().last().unwrap() else { panic!() };
        let counters = network.counters();
        prop_assert_eq!(counters.bytes_sent, counters.bytes_delivered);
        prop_assert_eq!(counters.parcels_sent, counters.parcels_delivered);
        let packets: u64 = parcels.iter().map(|parcel| u64::from(parcel.bytes.div_ceil(packet_bytes).max(1))).sum();
        prop_assert_eq!(counters.packets, packets);
        let moved: u64 = network.channels().map(|channel| channel.used.until(Time::NEVER).services).sum();
        prop_assert_eq!(moved, counters.hops);
    }
}
