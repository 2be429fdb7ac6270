//! Small programs whose every cycle can be worked out by hand. The clock runs at 1 GHz, so a cycle is 1000 ps.

use super::*;
use crate::base::time::Time;
use crate::components::predictor::PredictorSpec;
use crate::components::spec::UnitSpec;
use crate::program::code::Register;

/// Lookups take 3 cycles in the first level, 10 more in the second.
const INNER: u64 = 3;
const OUTER: u64 = 10;

fn spec(width: u32, window: u32) -> OutOfOrderSpec {
    OutOfOrderSpec {
        width,
        window,
        load_queue: 64,
        store_queue: 64,
        store_buffer: 64,
        mshrs: 64,
        units: [UnitSpec { units: 0, interval: 1 }; 12],
        predictor: PredictorSpec::Perfect,
        misprediction_cycles: 15,
    }
}

fn window(spec: &OutOfOrderSpec) -> Window {
    let core = CoreSpec {
        clock: Clock::from_hertz(1_000_000_000, 1).unwrap(),
        costs: [1, 3, 20, 4, 4, 15, 20, 40, 1, 1, 2, 1],
        branches: None,
        out_of_order: Some(spec.clone()),
        consistency: crate::coherence::consistency::Consistency::Sc,
        store_buffer: None,
    };
    Window::new(&core, spec, &Lookups::of_data(&[INNER, OUTER]), 32, 10)
}

fn operation(kind: Kind, class: OperationClass, sources: [Register; 3], to: Register) -> Operation {
    Operation { kind, class, sources, to, line: 1, address: 0 }
}

fn add(a: Register, to: Register) -> Operation {
    operation(Kind::Compute, OperationClass::FloatAdd, [a, ZERO, ZERO], to)
}

fn load(index: Register, to: Register) -> Operation {
    operation(Kind::Load, OperationClass::Load, [index, ZERO, ZERO], to)
}

fn store(from: Register) -> Operation {
    operation(Kind::Store, OperationClass::Store, [from, ZERO, ZERO], ZERO)
}

/// Makes every lookup that waits, each a hit in the first level.
fn hit_all(window: &mut Window) {
    while let Some((cycle, lookup)) = window.next_lookup() {
        window.take_lookup();
        window.hit(lookup, cycle, 0);
    }
}

/// Dispatches an operation, for which there must be room.
fn dispatch(window: &mut Window, operation: &Operation, address: Address, foretold: bool) {
    let room = window.room(operation.kind).expect("room");
    window.dispatch(operation, room, address, foretold);
}

/// The cycle at which operations are all committed, dispatched as there is room.
fn run(window: &mut Window, operations: &[Operation]) -> u64 {
    for operation in operations {
        if window.room(operation.kind).is_none() {
            hit_all(window);
        }
        dispatch(window, operation, 64, true);
    }
    hit_all(window);
    assert!(window.is_empty());
    window.drain(1)
}

#[test]
fn a_chain_takes_its_latencies_and_independent_operations_the_width() {
    // Dispatched in cycle 0, the first starts in 1; each waits for the one before it.
    assert_eq!(run(&mut window(&spec(4, 64)), &[add(2, 2); 10]), 1 + 10 * 4);
    // 4 a cycle: the last 4 are dispatched in cycle 9, start in 10, are done in 14.
    assert_eq!(run(&mut window(&spec(4, 64)), &[add(2, 3); 40]), 14);
}

#[test]
fn units_limit_how_many_start_in_a_cycle() {
    let mut limited = spec(4, 64);
    limited.units[OperationClass::FloatAdd as usize] = UnitSpec { units: 2, interval: 1 };
    assert_eq!(run(&mut window(&limited), &[add(2, 3); 40]), 1 + 19 + 4, "2 a cycle from cycle 1 on");
    limited.units[OperationClass::FloatAdd as usize] = UnitSpec { units: 1, interval: 4 };
    assert_eq!(run(&mut window(&limited), &[add(2, 3); 40]), 1 + 39 * 4 + 4, "one every 4 cycles");
}

#[test]
fn operations_pass_one_that_waits_but_do_not_commit_before_it() {
    let mut window = window(&spec(4, 64));
    dispatch(&mut window, &load(2, 3), 64, true);
    for _ in 0..8 {
        dispatch(&mut window, &add(4, 5), 0, true);
    }
    assert!(!window.is_empty());
    let (cycle, lookup) = window.next_lookup().unwrap();
    assert_eq!((cycle, lookup), (2, Lookup::Load(0)), "dispatched in 0, address in 1, looked up in 2");
    window.take_lookup();
    window.missed(lookup, cycle);
    let mut timeline = Timeline::default();
    timeline.begin(Time(15_000));
    timeline.mark(Owner::Queue, Time(40_000));
    timeline.mark(Owner::MemoryLocal, Time(100_000));
    window.arrived(lookup, 100, &timeline);
    assert_eq!(window.drain(1), 102, "4 a cycle from cycle 100 on: the load and 3 additions, 4, 1");
    let account = window.account();
    let cycles = |owner: Owner| account.worked[1][owner as usize] + account.waited[1].of(owner).0 / 1000;
    let of_load = [Owner::L1d, Owner::L2, Owner::Queue, Owner::MemoryLocal].map(cycles);
    assert_eq!(of_load, [INNER, OUTER, 25, 60], "the timeline of its request");
    assert_eq!(cycles(Owner::Base) + cycles(Owner::Dependency), 102 - of_load.iter().sum::<u64>());
    assert_eq!(account.worked[1].iter().sum::<u64>() + account.waited_cycles, 102);
}

#[test]
fn a_full_window_stops_dispatch_until_its_oldest_operation_is_done() {
    let mut window = window(&spec(4, 4));
    dispatch(&mut window, &load(2, 3), 64, true);
    for _ in 0..3 {
        dispatch(&mut window, &add(4, 5), 0, true);
    }
    assert!(window.room(Kind::Compute).is_none());
    let (_, lookup) = window.next_lookup().unwrap();
    window.take_lookup();
    window.arrived(lookup, 50, &Timeline::default());
    assert!(window.room(Kind::Compute).is_some());
    dispatch(&mut window, &add(4, 5), 0, true);
    assert_eq!(window.drain(1), 50 + 1 + 4, "dispatched as the load commits, in cycle 50");
}

#[test]
fn queues_limit_loads_and_stores_before_the_window_does() {
    let mut window = window(&OutOfOrderSpec { load_queue: 2, store_queue: 1, ..spec(4, 64) });
    dispatch(&mut window, &load(2, 3), 64, true);
    dispatch(&mut window, &load(2, 3), 128, true);
    assert!(window.room(Kind::Load).is_none() && window.room(Kind::Store).is_some() && window.room(Kind::Compute).is_some());
    dispatch(&mut window, &store(2), 192, true);
    assert!(window.room(Kind::Store).is_none() && window.room(Kind::Compute).is_some());
    hit_all(&mut window);
    assert!(window.room(Kind::Load).is_some() && window.room(Kind::Store).is_some());
}

#[test]
fn a_load_takes_its_value_from_the_youngest_store_before_it_to_its_address() {
    let mut forwarding = window(&spec(4, 64));
    // 4 cycles of an addition, then the store has its data; the load would otherwise look up in cycle 2.
    dispatch(&mut forwarding, &add(2, 3), 0, true);
    dispatch(&mut forwarding, &store(4), 64, true);
    dispatch(&mut forwarding, &store(3), 64, true);
    dispatch(&mut forwarding, &load(2, 6), 64, true);
    dispatch(&mut forwarding, &add(6, 7), 0, true);
    assert_eq!(forwarding.account().forwarded, 1);
    // Addition: 1 to 5. Store: 5 to 6. Load: 6 to 7, and as long as a hit: 10. Addition: 14.
    assert!(matches!(forwarding.registers[7], Value::At(14)), "{:?}", forwarding.registers[7]);
    hit_all(&mut forwarding);
    // Another address passes both.
    let mut passing = window(&spec(4, 64));
    dispatch(&mut passing, &add(2, 3), 0, true);
    dispatch(&mut passing, &store(3), 64, true);
    dispatch(&mut passing, &load(2, 6), 72, true);
    hit_all(&mut passing);
    assert!(matches!(passing.registers[6], Value::At(5)), "looked up in cycle 2");
}

#[test]
fn a_mispredicted_branch_stops_dispatch_until_it_is_decided() {
    let mut window = window(&spec(4, 64));
    let branch = operation(Kind::Branch { backward: true }, OperationClass::Branch, [3, ZERO, ZERO], ZERO);
    dispatch(&mut window, &load(2, 3), 64, true);
    dispatch(&mut window, &branch, 0, false);
    assert!(window.room(Kind::Compute).is_none());
    hit_all(&mut window);
    // The load's value is there in cycle 5, the branch is decided in 6; 15 cycles later dispatch goes on, in 21.
    dispatch(&mut window, &add(2, 3), 0, true);
    assert_eq!(window.drain(1), 21 + 1 + 4);
    assert_eq!(window.account().worked[1][Owner::Branch as usize], 15);
    assert_eq!((window.account().branches, window.account().mispredictions), (1, 1));
}

#[test]
fn stores_leave_in_order_and_a_full_buffer_stops_their_commit() {
    let mut window = window(&OutOfOrderSpec { store_buffer: 2, ..spec(4, 64) });
    for address in [0, 64, 128] {
        dispatch(&mut window, &store(2), address, true);
    }
    // Committed in cycle 2, all that find a place in the buffer.
    assert_eq!(window.window.oldest(), 2);
    let lookups: Vec<(u64, Lookup)> = std::iter::from_fn(|| {
        let next = window.next_lookup()?;
        window.take_lookup();
        Some(next)
    })
    .collect();
    assert_eq!(lookups, [(2, Lookup::Store(0)), (3, Lookup::Store(1))]);
    window.hit(Lookup::Store(1), 3, 0);
    assert_eq!(window.window.oldest(), 2, "the second is done, but the first is not");
    window.arrived(Lookup::Store(0), 90, &Timeline::default());
    assert_eq!(window.next_lookup(), Some((90, Lookup::Store(2))), "both places are free in cycle 90");
    hit_all(&mut window);
    assert_eq!(window.drain(1), 91);
}

#[test]
fn a_synchronising_store_is_looked_up_when_it_is_the_oldest() {
    let mut window = window(&OutOfOrderSpec { store_buffer: 2, ..spec(4, 64) });
    dispatch(&mut window, &store(2), 0, true);
    // The plain store is committed in cycle 2; the synchronising one comes into the buffer behind it and waits.
    let from = window.committed(1) + 2;
    assert_eq!((from, window.buffer_store(64, 0, 1, from)), (4, (1, 4)));
    assert!(window.forwards(64) && !window.forwards(128));
    assert!(!window.has_buffer_room());
    assert_eq!(window.next_lookup(), Some((2, Lookup::Store(0))));
    window.take_lookup();
    assert_eq!(window.next_lookup(), None);
    window.arrived(Lookup::Store(0), 50, &Timeline::default());
    assert_eq!(window.next_lookup(), Some((50, Lookup::Store(1))), "as soon as the one before it was performed");
    assert!(window.has_buffer_room() && !window.is_empty());
    hit_all(&mut window);
    assert!(window.is_empty() && !window.forwards(64));
    assert_eq!(window.drain(1), 51);
}

#[test]
fn a_synchronising_store_waits_for_a_place_in_the_buffer() {
    let mut window = window(&OutOfOrderSpec { store_buffer: 1, ..spec(4, 64) });
    window.resume(10);
    assert_eq!(window.buffer_store(0, 0, 1, 10), (0, 10));
    window.resume(10);
    assert!(!window.has_buffer_room());
    window.take_lookup();
    window.arrived(Lookup::Store(0), 30, &Timeline::default());
    assert_eq!(window.buffer_store(64, 0, 2, 12), (1, 30));
    assert_eq!(window.account().waited[1].total(), Time(18_000), "from 12 to 30, for the first store's source line");
}
