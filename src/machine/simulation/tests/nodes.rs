//! Machines of several nodes with one address space: latencies counted by hand, and random programs.

use proptest::prelude::*;

use super::assembly::{Op, assemble};
use super::*;
use crate::components::homes::{DirectorySpec, HomesSpec, Placement};
use crate::components::network::{NetworkSpec, Switching};
use crate::components::spec::MachineSpec;
use crate::interconnect::{Routes, Routing, Topology};
use crate::machine::simulation::{PhaseError, PhaseReport, Simulation};
use crate::program::memory::Memory;

const LATENCY: Time = Time(7_000);
const DELAY: Time = Time(500);

/// A topology whose channels take 7 ns and move 8 bytes a nanosecond, and whose switches take 500 ps.
pub fn network(count: u32, topology: &Topology) -> Arc<NetworkSpec> {
    let graph = topology.build(count).unwrap();
    let routing = Routing::usual(topology);
    let routes = Routes::new(topology, &graph, routing, routing.virtual_channels(topology)).unwrap();
    Arc::new(NetworkSpec {
        graph: Arc::new(graph),
        routes: Arc::new(routes),
        latency: LATENCY,
        bandwidth_bytes_per_second: Some(8_000_000_000),
        switch_delay: DELAY,
        switching: Switching::CutThrough,
        header_bytes: 0,
        packet_bytes: 4096,
        buffers: 2,
    })
}

/// Nodes on a topology, with one address space.
pub fn machine(node: NodeSpec, count: u32, topology: &Topology, placement: Placement) -> MachineSpec {
    let homes =
        HomesSpec { placement, page_bytes: 4096, nodes: count as u16, memory_bytes: 1 << 20, directory: DirectorySpec::default() };
    let network = Some(network(count, topology));
    MachineSpec { node: NodeSpec { alone: false, ..node }, count, network, homes: Some(homes), interface: None }
}

/// A core of 1 GHz without caches, whose memory answers after so many nanoseconds; an access costs its cycle beside.
fn uncached(cores: u32, memory: u64) -> NodeSpec {
    let mut node =
        NodeSpec { cores, protocol: None, memory: MemorySpec::MultiPorted { latency: Time(1000 * memory) }, ..bare(vec![], 0) };
    node.memory_bytes = 1 << 20;
    node
}

pub fn run(spec: &MachineSpec, threads: &[Vec<Op>], run_ahead: bool) -> Result<(PhaseReport, Vec<u64>), PhaseError> {
    let code = assemble(threads);
    let memory = Memory::new(&code.arena).unwrap();
    let function = code.functions[0].clone();
    let words = code.arena.size / 8;
    let mut machine = match spec.node.memory {
        // The programs have memory of which they touch little: whether there is a place for every line is the test's own business.
        MemorySpec::Attraction => Simulation::build(spec, Arc::new(code), vec![memory], crate::machine::wire::Load::Nothing),
        _ => Simulation::of(spec, Arc::new(code), vec![memory]).unwrap(),
    };
    machine.limit_operations(10_000_000);
    machine.set_run_ahead(run_ahead);
    let report = machine.run(&function)?;
    let memory = machine.memory();
    let values = (0..words).map(|word| memory.load(crate::program::tree::Type::I64, 8 * word)).collect();
    Ok((report, values))
}

fn nanoseconds(spec: &MachineSpec, threads: &[Vec<Op>]) -> f64 {
    run(spec, threads, true).unwrap().0.time.0 as f64 / 1000.0
}

#[test]
fn a_word_far_away_takes_the_way_there_and_back() {
    let at = |node| machine(uncached(1, 20), 3, &Topology::Line, Placement::Node(node));
    // A cycle for the load and one for the jump behind it, 20 ns of memory; for each hop 7 ns there and 7 ns back, 500 ps at the node between each way, and 8 bytes
    // back take a nanosecond once.
    let load = [vec![Op::Load(0)]];
    assert_eq!([0, 1, 2].map(|node| nanoseconds(&at(node), &load)), [22.0, 22.0 + 14.0 + 1.0, 22.0 + 28.0 + 1.0 + 1.0]);
    // A store carries its word there, and is answered when the home has it.
    let store = [vec![Op::Store(0)]];
    assert_eq!([0, 1].map(|node| nanoseconds(&at(node), &store)), [2.0, 2.0 + 14.0 + 1.0]);
}

#[test]
fn who_asks_is_counted_near_and_far() {
    let spec = machine(uncached(1, 20), 2, &Topology::Line, Placement::Node(1));
    let (report, _) = run(&spec, &[vec![Op::Load(0), Op::Load(1)], vec![Op::Load(2); 3]], true).unwrap();
    let metric = |path: &str| report.metrics[path];
    assert_eq!((metric("node[1].home.local_requests"), metric("node[1].home.remote_requests")), (3, 2));
    assert_eq!((metric("node[0].interconnect.remote_requests"), metric("node[0].interconnect.remote_latency_ps")), (2, 2 * 35_000));
    assert_eq!((metric("node[1].interconnect.local_requests"), metric("node[1].interconnect.local_latency_ps")), (3, 3 * 20_000));
    // Two requests without data, two answers of a word.
    assert_eq!((metric("interconnect.traffic[0>1].bytes"), metric("interconnect.traffic[1>0].bytes")), (0, 16));
    assert_eq!(metric("interconnect.node[1]>node[0].busy_ps"), 2_000);
}

#[test]
fn requests_share_a_bus_and_a_link() {
    // Two cores of node 0 load from node 1 at the same instant over buses of 1 GHz, a word a cycle, an address a cycle.
    let mut node = uncached(2, 20);
    let mut own = bus(megahertz(1000));
    own.width_bytes = 8;
    node.interconnect = InterconnectSpec::Snooping(own);
    let spec = machine(node, 2, &Topology::Line, Placement::Node(1));
    // Load: a cycle. Request: a cycle on the bus, 7 ns, a cycle on the other bus. Memory 20 ns. Back: a cycle on that bus, 8 ns, a
    // cycle on the first one. Then the jump.
    let one = 1.0 + 1.0 + 1.0 + 7.0 + 1.0 + 20.0 + 1.0 + 8.0 + 1.0;
    assert_eq!(nanoseconds(&spec, &[vec![Op::Load(0)]]), one);
    // Two threads part at a branch; the second is a cycle behind all the way.
    assert_eq!(nanoseconds(&spec, &[vec![Op::Load(0)], vec![Op::Load(8)]]), one + 2.0);
}

/// What threads do between barriers, on words that differ by thread.
pub fn program(threads: usize) -> impl Strategy<Value = Vec<Vec<Op>>> {
    let op = prop_oneof![
        4 => (0..96_u32).prop_map(Op::Load),
        3 => (0..96_u32).prop_map(Op::Store),
        2 => (0..96_u32).prop_map(|word| Op::Add(word + 512)),
        1 => (0..200).prop_map(Op::Busy),
    ];
    prop::collection::vec(prop::collection::vec(op, 0..20), threads).prop_map(move |lists| {
        let with_barrier = |mut ops: Vec<Op>| {
            ops.extend([Op::Add(1024), Op::AwaitAtLeast(1024, threads as i32)]);
            ops
        };
        lists.into_iter().map(with_barrier).collect()
    })
}

pub fn machines() -> impl Strategy<Value = MachineSpec> {
    let topology = prop_oneof![
        Just((2, Topology::Line)),
        Just((4, Topology::Ring)),
        Just((3, Topology::Star)),
        Just((4, Topology::Torus(vec![2, 2]))),
        Just((4, Topology::FatTree { arity: 2 })),
    ];
    let interconnect = prop_oneof![
        Just(InterconnectSpec::Ideal),
        Just(InterconnectSpec::Snooping(bus(megahertz(1300)))),
        Just(InterconnectSpec::Snooping(SnoopingSpec {
            transport: TransportSpec::Crossbar { memory_ports: 1 },
            arbitration: Arbitration::FirstCome,
            ..bus(megahertz(900))
        })),
    ];
    let placement = prop_oneof![Just(Placement::FirstTouch), Just(Placement::Interleave), Just(Placement::Node(1))];
    let memory =
        prop_oneof![Just(MemorySpec::Ideal), Just(node(1).memory), Just(MemorySpec::MultiPorted { latency: Time(33_333) }),];
    (topology, 1..3_u32, interconnect, placement, memory, any::<bool>()).prop_map(
        |((count, topology), cores, interconnect, placement, memory, has_llc)| {
            let shared_cache = has_llc.then(|| llc(megahertz(1000), 4, 6));
            let node = NodeSpec { cores, caches: vec![], protocol: None, interconnect, memory, llc: shared_cache, ..node(1) };
            machine(NodeSpec { memory_bytes: 1 << 20, ..node }, count, &topology, placement)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every run checks its conservation by itself.
    #[test]
    fn run_ahead_changes_nothing((spec, threads) in machines().prop_flat_map(|spec| {
        let cores = spec.cores() as usize;
        (Just(spec), program(cores))
    })) {
        let with = run(&spec, &threads, true).unwrap();
        let without = run(&spec, &threads, false).unwrap();
        prop_assert_eq!(with.0.time, without.0.time);
        prop_assert_eq!(&with.0.metrics, &without.0.metrics);
        prop_assert_eq!(&with.1, &without.1);
        let adds = threads.iter().flatten().filter(|op| matches!(op, Op::Add(word) if *word < 1024)).count() as u64;
        prop_assert_eq!(with.1[512..1024].iter().sum::<u64>(), adds);
    }
}
