//! Private caches on several nodes with one address space: latencies of protocols with a directory counted by hand, and random programs.

use proptest::prelude::*;

use super::assembly::Op;
use super::nodes::{machine, machines, program, run};
use super::*;
use crate::components::homes::{DirectorySpec, Placement};
use crate::components::spec::MachineSpec;
use crate::interconnect::Topology;

/// Three nodes in a line, 7 ns and 8 bytes a nanosecond apart, all pages on the middle one; caches answer after a nanosecond, memory after
/// 20, the directory after 5.
fn line(protocol: &Arc<Protocol>, pointers: u32) -> MachineSpec {
    let node = NodeSpec { protocol: Some(Arc::clone(protocol)), memory_bytes: 1 << 20, ..bare(vec![cache("L1d", 4, 2, 1)], 20) };
    let mut spec = machine(node, 3, &Topology::Line, Placement::Node(1));
    spec.homes.as_mut().unwrap().directory = DirectorySpec { latency: Time(5_000), pointers };
    spec
}

/// What each access of a node's core took between asking and having its line, in nanoseconds, together, and how many they were.
fn latency(spec: &MachineSpec, node: usize, threads: &[Vec<Op>]) -> (f64, u64) {
    let (report, _) = run(spec, threads, true).unwrap();
    let sum = |what: &str| {
        let of = |place| report.metrics[&format!("node[{node}].interconnect.{place}_{what}")];
        of("local") + of("remote")
    };
    (sum("latency_ps") as f64 / 1000.0, sum("requests"))
}

#[test]
fn misses_near_and_far() {
    let [msi, mesi, moesi] = directories();
    for protocol in [msi, mesi, moesi] {
        let spec = line(&protocol, u32::MAX);
        // The directory and memory; far away 7 ns there, and back 7 and the 8 that a line takes the link.
        let later = vec![Op::Busy(500), Op::Load(0)];
        assert_eq!(latency(&spec, 1, &[vec![], later.clone()]), (25.0, 1), "{protocol}");
        assert_eq!(latency(&spec, 0, std::slice::from_ref(&later)), (25.0 + 7.0 + 15.0, 1), "{protocol}");
        // Node 0 has written the line, node 2 reads it: 7 to the home, 5 there, 7 to the owner, 1 in its cache, and from node 0 to node 2
        // two hops, the switch at node 1 and the line.
        let write = vec![Op::Store(0)];
        assert_eq!(
            latency(&spec, 2, &[write.clone(), vec![], later.clone()]),
            (7.0 + 5.0 + 7.0 + 1.0 + 14.5 + 8.0, 1),
            "{protocol}"
        );
        // It takes as long to take the line away from node 0.
        let writes = vec![Op::Busy(500), Op::Store(0)];
        assert_eq!(latency(&spec, 2, &[write.clone(), vec![], writes]), (7.0 + 5.0 + 7.0 + 1.0 + 14.5 + 8.0, 1), "{protocol}");
        // To write what it has read: to the home, where a number of acknowledgements is known after 5; an invalidation to node 0 and an
        // acknowledgement without a line from there take longer than that number.
        let reads_and_writes = vec![Op::Busy(500), Op::Load(0), Op::Busy(500), Op::Store(0)];
        let upgrade = 7.0 + 5.0 + 7.0 + 1.0 + 14.5;
        assert_eq!(latency(&spec, 2, &[write, vec![], reads_and_writes]), (42.5 + upgrade, 2), "{protocol}");
    }
}

#[test]
fn a_lone_reader_writes_without_asking() {
    let [msi, mesi, moesi] = directories();
    for (protocol, requests) in [(msi, 2), (mesi, 1), (moesi, 1)] {
        let threads = [vec![Op::Load(0), Op::Store(0)]];
        assert_eq!(latency(&line(&protocol, u32::MAX), 0, &threads).1, requests, "{protocol}");
    }
}

#[test]
fn with_one_pointer_everyone_is_told() {
    let [_, mesi, _] = directories();
    let reads = vec![Op::Load(0)];
    let writes = vec![Op::Busy(900), Op::Store(0)];
    let invalidations = |pointers| {
        let threads = [reads.clone(), vec![Op::Busy(300), Op::Load(0)], writes.clone()];
        run(&line(&mesi, pointers), &threads, true).unwrap().0.metrics["node[1].home.invalidations"]
    };
    // Two readers, and a writer that is none. Four cores would make it three where the home has lost count.
    assert_eq!([u32::MAX, 2, 1].map(invalidations), [2, 2, 2]);
    // One reader left, and the home takes all for readers.
    let threads = [reads.clone(), vec![Op::Busy(300), Op::Load(0), Op::Busy(300), Op::Store(0)]];
    let invalidations = |pointers| run(&line(&mesi, pointers), &threads, true).unwrap().0.metrics["node[1].home.invalidations"];
    assert_eq!([u32::MAX, 1].map(invalidations), [1, 2]);
}

/// Machines of several nodes with private caches of every make.
fn cached() -> impl Strategy<Value = MachineSpec> {
    let cores = prop_oneof![
        2 => Just((None, None)),
        1 => Just((None, Some(3))),
        1 => Just((Some(out_of_order(1, 4, 1)), None)),
        1 => Just((Some(out_of_order(4, 64, 6)), None)),
        1 => Just((Some(out_of_order(4, 64, 6)), Some(0))),
    ];
    let directory = (prop_oneof![Just(0), Just(3_333)], prop_oneof![Just(1), Just(2), Just(u32::MAX)]);
    (machines(), 0..3_usize, 0..hierarchies().len(), cores, directory).prop_map(
        |(mut spec, protocol, hierarchy, (out_of_order, buffer), (latency, pointers))| {
            spec.node.protocol = Some(directories()[protocol].clone());
            spec.node.caches = hierarchies().swap_remove(hierarchy).1;
            if buffer.is_some() {
                spec.node.core.consistency = Consistency::Tso;
            }
            spec.node.core.store_buffer = buffer.filter(|_| out_of_order.is_none());
            spec.node.core.out_of_order = out_of_order;
            // Instructions that are fetched lie behind the data.
            spec.node.memory_bytes = 4 << 20;
            let homes = spec.homes.as_mut().unwrap();
            homes.memory_bytes = 4 << 20;
            homes.directory = DirectorySpec { latency: Time(latency), pointers };
            spec
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Every run watches the versions of all copies, and checks its conservation.
    #[test]
    fn run_ahead_changes_nothing((spec, threads) in cached().prop_flat_map(|spec| {
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

/// Machines of nodes with attraction memories as small as can be for programs that touch these lines, so that last copies have to move.
fn attraction(lines: Vec<u64>) -> impl Strategy<Value = MachineSpec> {
    let cores = prop_oneof![2 => Just((None, None)), 1 => Just((None, Some(3))), 1 => Just((Some(out_of_order(4, 64, 6)), None))];
    let directory = (prop_oneof![Just(0), Just(3_333)], prop_oneof![Just(1), Just(2), Just(u32::MAX)]);
    (machines(), prop_oneof![Just(1_u64), Just(4)], cores, directory).prop_map(
        move |(mut spec, sets, (out_of_order, buffer), (latency, pointers))| {
            let fullest = (0..sets).map(|set| lines.iter().filter(|&line| line % sets == set).count()).max().unwrap_or(0);
            let ways = 1 + fullest.div_ceil(spec.count as usize) as u32;
            let node = &mut spec.node;
            node.cores = 1;
            node.llc = None;
            node.memory = MemorySpec::Attraction;
            node.protocol = Some(coma());
            node.caches = vec![cache("L1d", 1, 2, 1), CacheSpec { holds: Holds::Both, ..cache("AM", sets, ways, 20) }];
            if buffer.is_some() {
                node.core.consistency = Consistency::Tso;
            }
            node.core.store_buffer = buffer.filter(|_| out_of_order.is_none());
            node.core.out_of_order = out_of_order;
            let homes = spec.homes.as_mut().unwrap();
            homes.memory_bytes = u64::MAX;
            homes.directory = DirectorySpec { latency: Time(latency), pointers };
            spec
        },
    )
}

/// The lines that [`program`] touches.
fn touched() -> Vec<u64> {
    (0..12).chain(64..76).chain([128]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn run_ahead_changes_nothing_where_lines_move((spec, threads) in attraction(touched()).prop_flat_map(|spec| {
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

/// Three nodes in a line as above, with attraction memories of 20 cycles before which caches of one line stand; all homes on the middle one.
fn attraction_line(sets: u64, ways: u32) -> MachineSpec {
    let caches = vec![cache("L1d", 1, 1, 1), CacheSpec { holds: Holds::Both, ..cache("AM", sets, ways, 20) }];
    let mut spec = line(&coma(), u32::MAX);
    spec.node.caches = caches;
    spec.node.memory = MemorySpec::Attraction;
    spec
}

#[test]
fn lines_come_to_whoever_uses_them_and_stay() {
    let spec = attraction_line(16, 2);
    let write = vec![Op::Store(0)];
    let later = vec![Op::Busy(500), Op::Load(0)];
    // No one has touched the line: to the home, where the directory takes 5, and back with the line.
    assert_eq!(latency(&spec, 0, std::slice::from_ref(&later)), (7.0 + 5.0 + 15.0, 1));
    // Node 0 has written it, node 2 reads it: 7 to the home, 5 there, 7 to the owner, 21 in its cache and its memory, and two hops back.
    assert_eq!(latency(&spec, 2, &[write.clone(), vec![], later.clone()]), (7.0 + 5.0 + 7.0 + 21.0 + 14.5 + 8.0, 1));
    // Used again after another line has driven it out of the cache, it is in the own memory: no request is made.
    let again = vec![Op::Busy(500), Op::Load(0), Op::Load(8), Op::Load(0)];
    assert_eq!(latency(&spec, 2, &[write, vec![], again]).1, 2);
}

#[test]
fn the_last_copy_of_a_line_finds_another_place() {
    // One set of two ways: three nodes keep the last copies of three lines, and one more for a copy each.
    let spec = attraction_line(1, 2);
    let counted = |threads: &[Vec<Op>]| {
        let metrics = run(&spec, threads, true).unwrap().0.metrics;
        ["placed", "injections", "refused"].map(|what| metrics[&format!("node[1].home.{what}")])
    };
    // Node 0 writes three lines: the first leaves it for the home's own node, which has room.
    assert_eq!(counted(&[vec![Op::Store(0), Op::Store(8), Op::Store(16), Op::Busy(900)]]), [1, 1, 0]);
    // Node 2 has read the first line before: it becomes the owner, and no line moves.
    let first = vec![Op::Store(0), Op::Busy(900), Op::Store(8), Op::Store(16), Op::Busy(900)];
    assert_eq!(counted(&[first, vec![], vec![Op::Busy(300), Op::Load(0)]]), [1, 0, 0]);
    // Node 1 has filled its memory with lines of its own, and refuses; node 2 has room.
    let full = vec![Op::Store(24), Op::Store(32), Op::Busy(2000)];
    let writes = vec![Op::Busy(500), Op::Store(0), Op::Store(8), Op::Store(16), Op::Busy(900)];
    assert_eq!(counted(&[writes, full]), [1, 2, 1]);
}

/// The random tester on nodes: ten million accesses to few words, on cores, directories and networks of every make. The watch over versions
/// sees every read of an older value, and conservation everything that is lost on its way.
fn ten_million_accesses(specs: impl Strategy<Value = MachineSpec>, words: u32) {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let op = || {
        let (load, store) = ((0..words).prop_map(Op::Load), (0..words).prop_map(Op::Store));
        prop_oneof![5 => load, 5 => store, 1 => (0..60).prop_map(Op::Busy)]
    };
    let strategy = specs.prop_flat_map(|spec| {
        let cores = spec.cores() as usize;
        (Just(spec), prop::collection::vec(prop::collection::vec(op(), 4000), cores))
    });
    let (mut accesses, mut runs, mut placed) = (0, 0, 0);
    while accesses < 10_000_000 {
        let (spec, threads) = strategy.new_tree(&mut runner).unwrap().current();
        let report = run(&spec, &threads, true).unwrap_or_else(|error| panic!("run {runs}: {error:?}")).0;
        let sum = |end: &str| report.metrics.iter().filter(|(name, _)| name.ends_with(end)).map(|(_, n)| n).sum::<u64>();
        accesses += sum("].accesses").max(sum("l1d.accesses"));
        placed += sum("home.placed");
        runs += 1;
    }
    println!("{accesses} accesses in {runs} runs, {placed} last copies moved");
}

#[test]
#[ignore = "takes minutes; fewer accesses are always made"]
fn ten_million_accesses_stay_coherent() {
    ten_million_accesses(cached(), 40);
}

#[test]
#[ignore = "takes minutes; fewer accesses are always made"]
fn ten_million_accesses_stay_coherent_in_attraction_memories() {
    ten_million_accesses(attraction((0..12).collect()), 96);
}
