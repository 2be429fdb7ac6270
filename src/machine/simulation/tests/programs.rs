//! Random programs: run-ahead changes nothing, figures agree, values are right, errors speak.

use proptest::prelude::*;

use super::assembly::{Op, prepare, run};
use super::prefetch::prefetcher;
use super::translation::tlbs;
use super::*;
use crate::components::prefetcher::{PrefetcherKind, PrefetcherSpec};
use crate::components::translation::{TlbSpec, TranslationSpec};
use crate::machine::simulation::{PhaseError, PhaseReport};
use crate::program::tree::Type;

/// Words that programs use: 12 lines of 8 words, more than the smallest caches hold.
const USED: u32 = 96;
/// Words that are stored atomically.
const POSTED: u32 = 2048;
/// Counters of the barriers between rounds, each in a line of its own.
const BARRIERS: u32 = 1024;

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..USED).prop_map(Op::Load),
        3 => (0..USED).prop_map(Op::Store),
        2 => (0..USED).prop_map(|word| Op::Add(word + 512)),
        1 => (0..USED).prop_map(|word| Op::Post(word / 2 + POSTED, word as i32)),
        1 => (0..USED).prop_map(|word| Op::Look(word / 2 + POSTED)),
        1 => (0..200).prop_map(Op::Busy),
    ]
}

/// Rounds of random operations with a barrier after each.
fn program() -> impl Strategy<Value = Vec<Vec<Op>>> {
    let threads = prop_oneof![Just(1_usize), Just(2), Just(4)];
    (threads, 1..4_usize).prop_flat_map(|(threads, rounds)| {
        let round = prop::collection::vec(prop::collection::vec(op(), 0..25), rounds);
        prop::collection::vec(round, threads).prop_map(move |threads_rounds| {
            let with_barriers = |rounds: Vec<Vec<Op>>| {
                let round = |(number, mut ops): (u32, Vec<Op>)| {
                    let counter = BARRIERS + 8 * number;
                    ops.extend([Op::Add(counter), Op::AwaitAtLeast(counter, threads as i32)]);
                    ops
                };
                (0..).zip(rounds).flat_map(round).collect()
            };
            threads_rounds.into_iter().map(with_barriers).collect()
        })
    })
}

fn spec() -> impl Strategy<Value = NodeSpec> {
    let levels = prop_oneof![
        Just(vec![]),
        Just(vec![cache("L1d", 2, 2, 4)]),
        Just(vec![cache("L1d", 2, 1, 3), cache("L2", 2, 3, 10)]),
        Just(vec![cache("L1d", 1, 2, 0)]),
        proptest::sample::select(hierarchies()).prop_map(|(_, caches)| caches),
    ];
    let interconnect = prop_oneof![
        Just(InterconnectSpec::Ideal),
        Just(InterconnectSpec::Snooping(bus(megahertz(1300)))),
        Just(InterconnectSpec::Snooping(SnoopingSpec {
            arbitration: Arbitration::FixedPriority,
            outstanding: 1,
            snoop_cycles: 0,
            ..bus(megahertz(400))
        })),
        Just(InterconnectSpec::Snooping(SnoopingSpec {
            arbitration: Arbitration::FirstCome,
            address_cycles: 3,
            ..bus(megahertz(2600))
        })),
    ];
    let arbitration = vec![Arbitration::RoundRobin, Arbitration::FixedPriority, Arbitration::FirstCome, Arbitration::Oldest];
    let moved = (prop::sample::select(transports().to_vec()), prop::sample::select(arbitration));
    let wide = (prop_oneof![Just(8_u32), Just(64)], 1..4_u32, 1..9_u32);
    let others = (moved, wide).prop_map(|((transport, arbitration), (width_bytes, address_cycles, outstanding))| {
        let spec = SnoopingSpec { transport, arbitration, width_bytes, address_cycles, outstanding, ..bus(megahertz(900)) };
        InterconnectSpec::Snooping(spec)
    });
    let interconnect = prop_oneof![1 => interconnect, 2 => others];
    let memory = prop_oneof![
        Just(MemorySpec::Ideal),
        Just(node(1).memory),
        Just(MemorySpec::Simple(SimpleMemorySpec {
            latency: Time(9_999),
            bandwidth_bytes_per_second: 1_000_000_007,
            channels: 1,
            queue_capacity: 1,
        })),
    ];
    // A shared cache smaller than what the private caches hold together, with one register and one place to wait.
    let tight = LlcSpec { mshrs: 1, queue_capacity: 1, interval_cycles: 7, ..llc(megahertz(700), 1, 9) };
    let shared_cache =
        prop_oneof![2 => Just(None), 1 => Just(Some(tight)), 1 => Just(Some(LlcSpec { banks: 3, ..llc(megahertz(1300), 2, 5) }))];
    let costs = prop_oneof![Just(node(1).core.costs), Just([0; 12])];
    let window = prop_oneof![2 => Just(None), 1 => Just(Some(out_of_order(1, 4, 1))), 2 => Just(Some(out_of_order(4, 64, 6)))];
    let buffer = prop_oneof![2 => Just(None), 1 => Just(Some(1)), 1 => Just(Some(4))];
    let core = (costs, window, buffer, prop_oneof![Just(2600_u64), Just(1000), Just(3333)]);
    let slow = TranslationSpec { walkers: 2, first: TlbSpec { latency_cycles: 1, ..tlbs(2, None).first }, ..tlbs(2, None) };
    let translation = prop_oneof![2 => Just(None), 1 => Just(Some(tlbs(1, Some(2)))), 1 => Just(Some(slow))];
    let few = |kind| Some(PrefetcherSpec { mshrs: 2, page_bytes: 4096, ..prefetcher(kind, 2, 3) });
    let prefetchers = prop_oneof![
        2 => Just(None),
        1 => Just(few(PrefetcherKind::NextLine)),
        1 => Just(few(PrefetcherKind::Stride { entries: 8 })),
        1 => Just(few(PrefetcherKind::Stream { streams: 3 })),
    ];
    let translation = (translation, prefetchers);
    (levels, interconnect, (shared_cache, memory), core, translation, any::<bool>()).prop_map(
        |(caches, mut interconnect, (llc, memory), (costs, window, buffer, core), (translation, prefetchers), exclusive)| {
            if let InterconnectSpec::Snooping(bus) = &mut interconnect
                && caches.is_empty()
            {
                // Without caches an await polls, and pollers of higher priority starve the one they wait for.
                bus.arbitration = Arbitration::RoundRobin;
            }
            let out_of_order = window.filter(|_| !caches.is_empty());
            let store_buffer = buffer.filter(|_| out_of_order.is_none() && !caches.is_empty());
            let consistency = if buffer.is_some() && !caches.is_empty() { Consistency::Tso } else { Consistency::Sc };
            let branches = (exclusive && out_of_order.is_none())
                .then_some(BranchSpec { predictor: PredictorSpec::Bimodal { entries: 2 }, misprediction_cycles: 3 });
            NodeSpec {
                core: CoreSpec { clock: megahertz(core), costs, branches, out_of_order, consistency, store_buffer },
                prefetcher: prefetchers.filter(|_| !caches.is_empty()),
                translation: translation.filter(|_| !caches.is_empty()),
                caches,
                interconnect,
                llc,
                memory,
                protocol: Some(if exclusive { mesi() } else { msi() }),
                ..node(4)
            }
        },
    )
}

/// Everything of a report that a record shows, a line each.
fn shown(report: &PhaseReport) -> Vec<String> {
    let mut lines = vec![format!("{:?} {:?} {} messages", report.time, report.totals, report.messages)];
    lines.extend(report.metrics.iter().map(|metric| format!("{metric:?}")));
    lines.extend(report.lines.iter().map(|line| format!("{line:?}")));
    lines.extend(report.timelines.iter().map(|timeline| format!("{timeline:?}")));
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn run_ahead_changes_no_figure(program in program(), spec in spec()) {
        let [ahead, not_ahead] = [true, false].map(|run_ahead| {
            let (mut node, function) = prepare(&spec, &program);
            node.set_run_ahead(run_ahead);
            let cold = node.run(&function).unwrap();
            node.change_memories(crate::program::memory::Memory::reset_runtime);
            for counter in 0..4 {
                node.change_memories(|memory| memory.store(Type::I64, u64::from(8 * (BARRIERS + 8 * counter)), 0));
            }
            let warm = node.run(&function).unwrap();
            [shown(&cold), shown(&warm)].concat()
        });
        for (ahead, not_ahead) in ahead.iter().zip(&not_ahead) {
            prop_assert_eq!(ahead, not_ahead);
        }
    }

    #[test]
    fn atomic_additions_are_all_there(program in program(), spec in spec()) {
        let (mut node, function) = prepare(&spec, &program);
        node.run(&function).unwrap();
        for word in 512..512 + USED {
            let additions = program.iter().flatten().filter(|&&op| op == Op::Add(word)).count() as u64;
            prop_assert_eq!(node.memory().load(Type::I64, u64::from(8 * word)), additions);
        }
    }
}

#[test]
fn a_deadlock_says_who_awaits_what_where() {
    let error = run(&node(2), &[vec![Op::AwaitAtLeast(8, 1)], vec![Op::Load(0), Op::AwaitAtLeast(16, 3)]]).unwrap_err();
    insta::assert_snapshot!(error, @"nothing can move: core 0 awaits m[8] >= 1 (line 1); core 1 awaits m[16] >= 3 (line 102)");
}

#[test]
fn a_deadlock_without_caches_is_one_too() {
    let spec = NodeSpec { caches: vec![], interconnect: InterconnectSpec::Ideal, memory: MemorySpec::Ideal, ..node(1) };
    let error = run(&spec, &[vec![Op::AwaitAtLeast(8, 1)]]).unwrap_err();
    insta::assert_snapshot!(error, @"nothing can move: core 0 awaits m[8] >= 1 (line 1)");
}

#[test]
fn an_endless_program_ends_at_the_limit() {
    // Without caches an await polls: it is not stuck, it runs for ever.
    let spec = NodeSpec { caches: vec![], ..node(2) };
    let (mut node, function) = prepare(&spec, &[vec![Op::AwaitAtLeast(8, 1)], vec![Op::Busy(5)]]);
    node.limit_operations(10_000);
    let error = node.run(&function).unwrap_err();
    insta::assert_snapshot!(error, @"the program did not end within 10000 operations; core 0 was at line 1");
}

#[test]
fn busy_beyond_the_limit_ends_at_once() {
    let (mut node, function) = prepare(&node(1), &[vec![Op::Busy(i32::MAX), Op::Busy(i32::MAX)]]);
    node.limit_operations(1 << 31);
    assert!(matches!(node.run(&function), Err(PhaseError::OperationLimit { .. })));
}

#[test]
fn a_program_with_more_threads_than_cores_is_refused() {
    let code = super::assembly::assemble(&[vec![], vec![]]);
    let memory = crate::program::memory::Memory::new(&code.arena).unwrap();
    let faults = crate::machine::simulation::Simulation::new(&node(1), Arc::new(code), memory).unwrap_err();
    insta::assert_snapshot!(faults[0].message, @"the program has 2 threads and the machine 1 cores");
}

#[test]
fn slow_clocks_end_the_run_in_a_sentence() {
    let mut spec = node(1);
    spec.core.clock = Clock::from_hertz(1, 1000).unwrap();
    let (mut node, function) = prepare(&spec, &[vec![Op::Busy(i32::MAX), Op::Busy(i32::MAX), Op::Load(0)]]);
    node.limit_operations(u64::MAX);
    let error = node.run(&function).unwrap_err();
    insta::assert_snapshot!(error, @"the program did not end within 53 days of simulated time");
}
