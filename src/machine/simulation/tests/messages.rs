//! Messages between nodes with address spaces of their own: every picosecond by hand.

use super::nodes::network;
use super::*;
use crate::components::interface::InterfaceSpec;
use crate::components::owner::Owner;
use crate::components::spec::MachineSpec;
use crate::interconnect::Topology;
use crate::machine::simulation::{PhaseError, PhaseReport, Simulation};
use crate::program::check::Bindings;
use crate::program::code::{Collectives, Phase, Plan};
use crate::program::compile;
use crate::program::lower::lower;
use crate::program::memory::Memory;
use crate::program::tree::Schedule;

/// A machine of so many nodes on a switch, whose cores compute for nothing: 7 ns for a channel, 500 ps for the switch, 8 bytes a nanosecond.
fn machine(count: u32, interface: InterfaceSpec) -> MachineSpec {
    let mut node =
        NodeSpec { protocol: None, interconnect: InterconnectSpec::Ideal, memory: MemorySpec::Ideal, caches: vec![], ..node(1) };
    node.core.clock = megahertz(1000);
    node.core.costs = [0; OperationClass::ALL.len()];
    MachineSpec { node, count, network: Some(network(count, &Topology::Star)), homes: None, interface: Some(interface) }
}

fn run(spec: &MachineSpec, text: &str, run_ahead: bool) -> Result<PhaseReport, PhaseError> {
    let source = SourceText::new("test.flynn", text);
    let ranks = spec.count;
    let plan = Plan {
        ranks,
        threads: 1,
        seed: 1,
        padding: 64,
        lock: "ticket".into(),
        barrier: "central".into(),
        reduce: "linear".into(),
        schedule: Schedule { kind: "static".into(), chunk: None },
        collectives: Collectives::default(),
    };
    let program = compile(&source, &Bindings { ranks, ..Bindings::default() }).unwrap();
    let code = lower(&program, &plan, &crate::machine::catalogue::Catalogue::built_in().runtime_texts()).unwrap();
    let memories = (0..ranks).map(|_| Memory::new(&code.arena).unwrap()).collect();
    let (initialise, main) = (code.function(Phase::Initialise).cloned(), code.function(Phase::Main).cloned().unwrap());
    let mut machine = Simulation::of(spec, Arc::new(code), memories).unwrap();
    machine.set_run_ahead(run_ahead);
    if let Some(function) = initialise {
        machine.run(&function)?;
    }
    machine.run(&main)
}

fn picoseconds(spec: &MachineSpec, text: &str) -> u64 {
    let time = run(spec, text, true).unwrap().time.0;
    assert_eq!(run(spec, text, false).unwrap().time.0, time, "run-ahead");
    time
}

const EAGER: InterfaceSpec =
    InterfaceSpec { send_overhead: Time::ZERO, receive_overhead: Time::ZERO, gap: Time::ZERO, eager_bytes: u64::MAX };
const THERE: &str = "array x: i64[16] = i\nif rank == 0 { send x to 1 } else { recv x from 0 }\nresult x[0]";
/// Two channels, a switch, 128 bytes.
const WAY: u64 = 7_000 + 500 + 7_000 + 16_000;

#[test]
fn an_eager_message_takes_its_way_and_a_rendezvous_asks_first() {
    // Rounded up to the core's next cycle.
    assert_eq!(picoseconds(&machine(2, EAGER), THERE), 31_000);
    // There and back without data, then the data.
    let rendezvous = InterfaceSpec { eager_bytes: 127, ..EAGER };
    assert_eq!(picoseconds(&machine(2, rendezvous), THERE), (2 * 14_500 + WAY).next_multiple_of(1000));
    assert_eq!(picoseconds(&machine(2, InterfaceSpec { eager_bytes: 128, ..EAGER }), THERE), 31_000);
}

#[test]
fn overheads_are_the_cores_and_gaps_the_interfaces() {
    let both = InterfaceSpec { send_overhead: Time(300_000), receive_overhead: Time(200_000), ..EAGER };
    let report = run(&machine(2, both), THERE, true).unwrap();
    assert_eq!(report.time.0, 300_000 + 31_000 + 200_000);
    // The sender is done when its interface has the message; the receiver waits for it first, then for the way.
    let stack = |core: usize, owner| report.stacks[core].of(owner).0;
    assert_eq!((stack(0, Owner::Message), stack(0, Owner::Idle)), (300_000, 231_000));
    assert_eq!((stack(1, Owner::Synchronisation), stack(1, Owner::Message)), (300_000, 231_000));
    let text = "array x: i64[1]\nif rank == 0 {\n    start send x to 1\n    start send x to 1\n    start send x to 1\n    wait all\n} else {\n    recv x from 0\n    recv x from 0\n    recv x from 0\n}\nresult x[0]";
    let gap = InterfaceSpec { gap: Time(50_000), ..EAGER };
    assert_eq!(picoseconds(&machine(2, gap), text), (100_000_u64 + 14_500 + 1_000).next_multiple_of(1000));
    // Without a gap two messages follow each other on the first channel; the third waits until the first has left one of the switch's two
    // places (7 ns there, 500 ps, 1 ns out) and the credit is back, 7 ns later.
    let two = text.replacen("    start send x to 1\n", "", 1).replacen("    recv x from 0\n", "", 1);
    assert_eq!(picoseconds(&machine(2, EAGER), &two), (2_000_u64 + 14_500).next_multiple_of(1000));
    assert_eq!(picoseconds(&machine(2, EAGER), text), (15_500_u64 + 1_000 + 14_500).next_multiple_of(1000));
}

#[test]
fn messages_to_oneself_take_no_network() {
    let text = "array x: i64[16] = i\narray y: i64[16]\nexchange x to rank, y from rank\nresult y[3]";
    assert_eq!(picoseconds(&machine(2, EAGER), text), 0);
    assert_eq!(picoseconds(&machine(2, InterfaceSpec { eager_bytes: 0, ..EAGER }), text), 0);
}

#[test]
fn two_that_wait_for_each_other_are_named() {
    let text = "array x: i64[16] = i\nlet other = 1 - rank\nsend x to other\nrecv x from other\nresult x[0]";
    // Eagerly that ends well; nobody asks whether it should.
    assert_eq!(picoseconds(&machine(2, EAGER), text), 31_000);
    let PhaseError::Stuck { waits, lines } = run(&machine(2, InterfaceSpec { eager_bytes: 0, ..EAGER }), text, true).unwrap_err()
    else {
        panic!()
    };
    insta::assert_snapshot!(waits.join("\n"), @"
    rank 0 waits for rank 1 to receive its message with tag 0 (line 3)
    rank 1 waits for rank 0 to receive its message with tag 0 (line 3)
    ");
    assert_eq!(lines, [(0, 3), (1, 3)]);
}

#[test]
fn a_message_that_nobody_receives_is_named() {
    let text = "array x: i64[16] = i\nif rank == 0 {\n    send x to 1\n}\nresult x[0]";
    let PhaseError::Stuck { waits, lines } = run(&machine(2, EAGER), text, true).unwrap_err() else { panic!() };
    insta::assert_snapshot!(waits.join("\n"), @"rank 0 sent rank 1 a message that it never received");
    assert_eq!(lines, [(0, 3)]);
    let PhaseError::Stuck { waits, .. } = run(&machine(2, InterfaceSpec { eager_bytes: 0, ..EAGER }), text, true).unwrap_err()
    else {
        panic!()
    };
    insta::assert_snapshot!(waits.join("\n"), @"rank 0 waits for rank 1 to receive its message with tag 0 (line 3)");
    let lengths = "array x: i64[16] = i\nif rank == 0 { send x[0..3] to 1 } else { recv x from 0 }\nresult x[0]";
    assert!(matches!(run(&machine(2, EAGER), lengths, true), Err(PhaseError::Fault(_))));
}
