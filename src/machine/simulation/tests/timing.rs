//! What an access costs, to the picosecond, against a computation of its own: nothing here uses the simulator's clocks.

use proptest::prelude::*;

use super::assembly::{Op, run};
use super::*;
use crate::components::owner::Owner;
use crate::machine::simulation::PhaseReport;

/// A clock, in arithmetic of its own: cycle `k` begins at floor(k * 10^6 / MHz).
#[derive(Clone, Copy, Debug)]
struct Beat {
    megahertz: u64,
}

impl Beat {
    fn begins(self, cycle: u64) -> u64 {
        (u128::from(cycle) * 1_000_000 / u128::from(self.megahertz)) as u64
    }

    fn next(self, time: u64) -> u64 {
        let mut cycle = (u128::from(time) * u128::from(self.megahertz) / 1_000_000).saturating_sub(2) as u64;
        while self.begins(cycle) < time {
            cycle += 1;
        }
        cycle
    }
}

/// The machine as the computation sees it.
#[derive(Clone, Debug)]
struct Figures {
    core: Beat,
    bus: Beat,
    /// Latencies of the caches, innermost first, in cycles.
    caches: Vec<u64>,
    address: u64,
    snoop: u64,
    width: u64,
    latency: u64,
    moves: Moves,
}

/// What moves the data.
#[derive(Clone, Copy, Debug)]
enum Moves {
    Bus,
    Crossbar,
    Ring { hop: u64, directions: u64 },
}

/// Stations of a ring: memory's is the first, core `i`'s is `i + 1`.
const MEMORY: u64 = 0;
const CORE_0: u64 = 1;
const CORE_1: u64 = 2;

const BUSY: u64 = 5_000;

/// A shared cache as the computation sees it.
#[derive(Clone, Copy, Debug)]
struct Llc {
    clock: Beat,
    latency: u64,
}

impl Llc {
    fn spec(&self) -> Option<LlcSpec> {
        Some(llc(megahertz(self.clock.megahertz), 16, self.latency as u32))
    }
}

fn shared_cache() -> impl Strategy<Value = Llc> {
    let clock = prop_oneof![Just(1000_u64), Just(2000), 100..5000_u64].prop_map(|megahertz| Beat { megahertz });
    (clock, 0..60_u64).prop_map(|(clock, latency)| Llc { clock, latency })
}

impl Figures {
    fn spec(&self, cores: u32) -> NodeSpec {
        let mut spec = node(cores);
        spec.core.clock = megahertz(self.core.megahertz);
        spec.caches = (0..)
            .zip(&self.caches)
            .map(|(level, &latency)| cache(["L1d", "L2", "L3", "L4"][level], 8, 4, latency as u32))
            .collect();
        spec.interconnect = InterconnectSpec::Snooping(SnoopingSpec {
            width_bytes: self.width as u32,
            transport: match self.moves {
                Moves::Bus => TransportSpec::Bus,
                Moves::Crossbar => TransportSpec::Crossbar { memory_ports: 1 },
                Moves::Ring { hop, directions } => {
                    TransportSpec::Ring { memory_ports: 1, hop_cycles: hop as u32, directions: directions as u32 }
                }
            },
            address_cycles: self.address as u32,
            snoop_cycles: self.snoop as u32,
            ..bus(megahertz(self.bus.megahertz))
        });
        let MemorySpec::Simple(memory) = &mut spec.memory else { unreachable!() };
        memory.latency = Time(self.latency);
        spec
    }

    fn lookups(&self) -> u64 {
        self.caches.iter().sum()
    }

    /// Cycles on the way between two stations of a machine with so many cores, the shorter way if there are two.
    fn way(&self, cores: u64, from: u64, to: u64) -> u64 {
        let Moves::Ring { hop, directions } = self.moves else { return 0 };
        let (stations, forward) = (cores + 1, (to + cores + 1 - from) % (cores + 1));
        hop * if directions == 2 { forward.min(stations - forward) } else { forward }
    }

    /// Cycles of a round of the ring, and of the first hop of it.
    fn round(&self, cores: u64) -> (u64, u64) {
        if let Moves::Ring { hop, .. } = self.moves { ((cores + 1) * hop, hop) } else { (0, 0) }
    }

    /// From the cycle at which the request leaves core 0: the bus cycle that grants it, and the one at which agents have answered.
    fn on_the_bus(&self, cores: u64, leaves: u64) -> (u64, u64) {
        let granted = self.bus.next(self.core.begins(leaves)) + self.way(cores, CORE_0, MEMORY);
        (granted, granted + self.address + self.round(cores).0 + self.snoop)
    }

    /// Cycles from the beginning of a transfer to its end: the first flit comes a way later, the last one as many as there are.
    fn transfer(&self, bytes: u64, way: u64) -> u64 {
        bytes.div_ceil(self.width) + way.saturating_sub(1)
    }

    /// The core cycle at which a line from memory is there.
    fn memory_supplies(&self, cores: u64, leaves: u64) -> u64 {
        let (_, answered) = self.on_the_bus(cores, leaves);
        let data = self.bus.next(self.bus.begins(answered) + self.latency);
        self.core.next(self.bus.begins(data + self.transfer(64, self.way(cores, MEMORY, CORE_0))))
    }

    /// The core cycle at which a line from the shared cache is there, or from memory behind it.
    fn shared_cache_supplies(&self, llc: &Llc, cores: u64, leaves: u64, hits: bool) -> u64 {
        let (_, answered) = self.on_the_bus(cores, leaves);
        let looked_up = llc.clock.begins(llc.clock.next(self.bus.begins(answered)) + llc.latency);
        let there = looked_up + if hits { 0 } else { self.latency };
        self.core.next(self.bus.begins(self.bus.next(there) + self.transfer(64, self.way(cores, MEMORY, CORE_0))))
    }

    /// The core cycle at which a line from the cache of core 1 is there.
    fn cache_supplies(&self, leaves: u64) -> u64 {
        let (_, answered) = self.on_the_bus(2, leaves);
        self.core.next(self.bus.begins(answered + self.transfer(64, self.way(2, CORE_1, CORE_0))))
    }

    /// The core cycle at which an upgrade is done.
    fn upgraded(&self, leaves: u64) -> u64 {
        self.core.next(self.bus.begins(self.on_the_bus(2, leaves).1 + self.round(2).1))
    }
}

fn figures() -> impl Strategy<Value = Figures> {
    let caches = prop::collection::vec(1..20_u64, 1..=4);
    let clock =
        || prop_oneof![Just(1000_u64), Just(2600), Just(3000), Just(1300), 100..5000_u64].prop_map(|megahertz| Beat { megahertz });
    let width = prop_oneof![Just(8_u64), Just(16), Just(24), Just(64), Just(128)];
    let ring = (1..4_u64, 1..=2_u64).prop_map(|(hop, directions)| Moves::Ring { hop, directions });
    let moves = prop_oneof![Just(Moves::Bus), Just(Moves::Crossbar), ring];
    (clock(), clock(), caches, 1..4_u64, 0..4_u64, width, prop_oneof![Just(0_u64), 0..200_000_u64], moves).prop_map(
        |(core, bus, caches, address, snoop, width, latency, moves)| Figures {
            core,
            bus,
            caches,
            address,
            snoop,
            width,
            latency,
            moves,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_miss_everywhere_costs_what_its_way_costs(figures in figures(), write in any::<bool>()) {
        let op = if write { Op::Store(0) } else { Op::Load(0) };
        let report = run(&figures.spec(1), &[vec![op]]).unwrap();
        // The access costs one cycle, then the lookups; the jump behind it one more.
        let leaves = 1 + figures.lookups();
        let back = figures.memory_supplies(1, leaves);
        prop_assert_eq!(report.time.0, figures.core.begins(back + 1));

        let (granted, answered) = figures.on_the_bus(1, leaves);
        let bus = |cycle| figures.bus.begins(cycle);
        let data = figures.bus.next(bus(answered) + figures.latency);
        let stack = report.stacks[0];
        prop_assert_eq!(stack.of(Owner::MemoryLocal).0, figures.latency);
        let seen = granted + figures.address;
        prop_assert_eq!(stack.of(Owner::Coherence).0, bus(answered) - bus(seen));
        let sets_out = granted - figures.way(1, CORE_0, MEMORY);
        let waits = bus(sets_out) - figures.core.begins(leaves) + bus(data) - bus(answered) - figures.latency;
        prop_assert_eq!(stack.of(Owner::Queue).0, waits);
        prop_assert_eq!(stack.of(Owner::Network).0, figures.core.begins(back) - bus(data) + bus(seen) - bus(sets_out));
    }

    #[test]
    fn a_miss_in_the_shared_cache_costs_its_lookup_and_memory(figures in figures(), llc in shared_cache(), write in any::<bool>()) {
        let op = if write { Op::Store(0) } else { Op::Load(0) };
        let spec = NodeSpec { llc: llc.spec(), ..figures.spec(1) };
        let report = run(&spec, &[vec![op]]).unwrap();
        let back = figures.shared_cache_supplies(&llc, 1, 1 + figures.lookups(), false);
        prop_assert_eq!(report.time.0, figures.core.begins(back + 1));
        prop_assert_eq!(report.stacks[0].of(Owner::MemoryLocal).0, figures.latency);
        let (_, answered) = figures.on_the_bus(1, 1 + figures.lookups());
        let start = llc.clock.next(figures.bus.begins(answered));
        // Lookups in private levels behind the second belong to the same owner.
        if figures.caches.len() <= 2 {
            prop_assert_eq!(report.stacks[0].of(Owner::Llc).0, llc.clock.begins(start + llc.latency) - llc.clock.begins(start));
        }
    }

    #[test]
    fn a_hit_in_the_shared_cache_costs_its_lookup(figures in figures(), llc in shared_cache()) {
        // Another core has fetched the line before; in MSI the shared copy says nothing.
        let spec = NodeSpec { llc: llc.spec(), protocol: Some(msi()), ..figures.spec(2) };
        let report = run(&spec, &[vec![Op::Busy(BUSY as i32), Op::Load(3)], vec![Op::Load(0)]]).unwrap();
        let back = figures.shared_cache_supplies(&llc, 2, 1 + 1 + BUSY + 1 + figures.lookups(), true);
        prop_assert_eq!(report.time.0, figures.core.begins(back + 1));
        prop_assert_eq!(report.stacks[0].of(Owner::MemoryLocal).0, 0);
        prop_assert_eq!((report.metrics["node[0].llc.hits"], report.metrics["node[0].llc.misses"]), (1, 1));
        prop_assert_eq!(report.metrics["node[0].memory.reads"], 1);
    }

    #[test]
    fn a_line_dirty_elsewhere_comes_from_its_owner(figures in figures(), write in any::<bool>()) {
        let op = if write { Op::Add(3) } else { Op::Load(3) };
        let report = run(&figures.spec(2), &[vec![Op::Busy(BUSY as i32), op], vec![Op::Store(0)]]).unwrap();
        // Dispatch, constant, busy; then either a load and a jump, or a constant and an atomic operation.
        let (before, after) = if write { (1 + 1 + BUSY + 1 + 2, 0) } else { (1 + 1 + BUSY + 1, 1) };
        let back = figures.cache_supplies(before + figures.lookups());
        prop_assert_eq!(report.time.0, figures.core.begins(back + after));
        prop_assert_eq!(report.metrics["node[0].interconnect.flushes"], 1);
        prop_assert_eq!(report.stacks[0].of(Owner::MemoryLocal).0, 0);
    }

    #[test]
    fn an_upgrade_costs_the_address_phase_and_the_snoop_window(figures in figures()) {
        let report = run(&figures.spec(2), &[vec![Op::Load(0), Op::Busy(BUSY as i32), Op::Store(0)], vec![Op::Load(1)]]).unwrap();
        // The first misses of the two cores get in each other's way, so when the busy stretch ends is taken from a run that ends there.
        let until_busy = run(&figures.spec(2), &[vec![Op::Load(0), Op::Busy(BUSY as i32)], vec![Op::Load(1)]]).unwrap();
        let begins = figures.core.next(until_busy.time.0);
        let back = figures.upgraded(begins + 1 + figures.lookups());
        prop_assert_eq!(report.time.0, figures.core.begins(back + 1));
        prop_assert_eq!(report.metrics["node[0].interconnect.bus_upgr"], 1);
    }

    #[test]
    fn a_word_without_caches_costs_its_transaction(figures in figures(), write in any::<bool>()) {
        let mut spec = figures.spec(1);
        spec.caches.clear();
        let op = if write { Op::Store(0) } else { Op::Load(0) };
        let report = run(&spec, &[vec![op]]).unwrap();
        let seen = figures.on_the_bus(1, 1).0 + figures.address;
        let data = if write { seen } else { figures.bus.next(figures.bus.begins(seen) + figures.latency) };
        let way = if write { figures.way(1, CORE_0, MEMORY) } else { figures.way(1, MEMORY, CORE_0) };
        let back = figures.core.next(figures.bus.begins(data + figures.transfer(8, way)));
        prop_assert_eq!(report.time.0, figures.core.begins(back + 1));
    }

    #[test]
    fn an_ideal_interconnect_and_memory_leave_the_lookups(figures in figures()) {
        let mut spec = figures.spec(2);
        spec.interconnect = InterconnectSpec::Ideal;
        spec.memory = MemorySpec::Ideal;
        let ops = [Op::Load(0), Op::Store(0), Op::Add(8), Op::Load(16)];
        let report = run(&spec, &[ops.to_vec()]).unwrap();
        // Three misses with all lookups, one hit (MESI: the line is exclusive) with the first; a constant and an atomic cost three
        // cycles, a load and a jump two, and the last jump is the end.
        let cycles = 3 * figures.lookups() + figures.caches[0] + 2 + 2 + 3 + 2;
        prop_assert_eq!(report.time.0, figures.core.begins(cycles));
    }
}

#[test]
fn one_known_hit_in_a_shared_cache() {
    // Dispatch, constant, 5000 busy cycles, the load and 16 of lookups: 5019 cycles at 2.6 GHz end at 1930384 ps. The bus edge is
    // 1930769 (cycle 2510 at 1.3 GHz), the answer at cycle 2513 (1933076). The cache, at 2 GHz, begins at 1933500 and answers 30 cycles
    // later at 1948500; the bus edge is 1949230 (2534), the line there at cycle 2538 (1952307), core cycle 5076; the jump makes 5077.
    let spec = NodeSpec { llc: Some(llc(megahertz(2000), 16, 30)), protocol: Some(msi()), ..node(2) };
    let report = run(&spec, &[vec![Op::Busy(5000), Op::Load(3)], vec![Op::Load(0)]]).unwrap();
    assert_eq!(report.time, Time(5077 * 1_000_000 / 2600));
}

#[test]
fn one_known_miss() {
    // 17 cycles at 2.6 GHz end at 6538 ps; the bus edge is 6923 (cycle 9 at 1.3 GHz), the answer at cycle 12 (9230), memory's at 69230,
    // the bus edge 69230 (cycle 90), the line at cycle 94 (72307), which is core cycle 188; the jump makes 189.
    let report = run(&node(1), &[vec![Op::Load(0)]]).unwrap();
    assert_eq!(report.time, Time(72_692));
}

#[test]
fn a_machine_without_caches_and_with_everything_ideal_has_free_accesses() {
    let mut spec = node(2);
    spec.caches.clear();
    spec.interconnect = InterconnectSpec::Ideal;
    spec.memory = MemorySpec::Ideal;
    spec.core.costs = [0; 12];
    let sleeper = vec![Op::AwaitAtLeast(0, 1), Op::Add(1)];
    let report = run(&spec, &[vec![Op::Load(3), Op::Busy(100), Op::Put(0, 1)], sleeper.clone()]).unwrap();
    assert_eq!(report.time, Time(0));
    spec.core.costs[0] = 1;
    let report = run(&spec, &[vec![Op::Busy(100), Op::Put(0, 1)], sleeper]).unwrap();
    // Constant, 100 busy cycles, constant; then the other core's constant: 103 cycles at 2.6 GHz.
    assert_eq!(report.time, Time(103 * 1_000_000 / 2600));
}

#[test]
fn msi_asks_where_mesi_does_not() {
    let program = [vec![Op::Load(0), Op::Store(0)]];
    let of = |protocol| {
        let spec = NodeSpec { protocol: Some(protocol), ..node(1) };
        let metrics = run(&spec, &program).unwrap().metrics;
        (metrics["node[0].interconnect.bus_upgr"], metrics["node[0].core[0].l1d.upgrades"], metrics["node[0].core[0].l1d.misses"])
    };
    assert_eq!(of(msi()), (1, 1, 1));
    assert_eq!(of(mesi()), (0, 0, 1));
}

#[test]
fn an_await_is_charged_with_the_spins_it_would_have_made() {
    // Core 1 spins on a hit of 4 cycles, an atomic of 2 and a branch of 1: a period of 7 cycles.
    let spec = NodeSpec { caches: vec![cache("L1d", 4, 2, 4)], ..node(2) };
    let program = |busy| [vec![Op::Busy(busy), Op::Put(0, 1)], vec![Op::AwaitAtLeast(0, 1)]];
    let accesses = |busy| {
        let report = run(&spec, &program(busy)).unwrap();
        (report.metrics["node[0].core[1].accesses"], report.metrics["node[0].core[1].operations"])
    };
    let (few, few_operations) = accesses(2_000);
    let (many, many_operations) = accesses(2_000 + 7 * 1000);
    assert_eq!(many - few, 1000);
    assert_eq!(many_operations - few_operations, 2000);
}

/// Loads of as many lines, on a core of 1 GHz whose only cache takes 2 cycles and whose memory answers after 100.
fn overlapped(loads: u32, window: u32, mshrs: u32) -> u64 {
    let mut spec = bare(vec![cache("L1d", 64, 4, 2)], 100);
    spec.core.out_of_order = Some(out_of_order(8, window, mshrs));
    let own = spec.core.out_of_order.as_mut().unwrap();
    own.load_queue = window;
    own.units.iter_mut().for_each(|units| *units = UnitSpec { units: 0, interval: 1 });
    let program: Vec<Op> = (0..loads).map(|number| Op::Load(8 * number)).collect();
    run(&spec, &[program]).unwrap().time.0 / 1000
}

#[test]
fn as_many_misses_overlap_as_there_are_mshrs_or_places_in_the_window() {
    // A load and the jump behind it take two places. A miss takes 2 cycles of lookup and 100 of memory; what waits for a register
    // begins with its lookup, what waits for the window with its dispatch, two cycles before.
    assert_eq!(overlapped(24, 64, 1), 2 + 24 * 102);
    assert_eq!(overlapped(24, 64, 24), 2 + 102 + 24 / 4 - 1, "8 operations, 4 loads, are dispatched a cycle");
    for (window, mshrs) in [(64, 4), (64, 8), (16, 8), (16, 64), (8, 64)] {
        let in_flight = (window / 2).min(mshrs);
        let cycles = overlapped(48, window, mshrs);
        let groups = u64::from(48 / in_flight);
        assert!((groups * 102..=groups * 104 + 12).contains(&cycles), "{cycles} cycles for {groups} groups of {in_flight}");
    }
}

#[test]
fn a_misprediction_costs_its_cycles_and_a_right_guess_nothing() {
    // A branch sends thread 0 forward on its way and thread 1 straight on: "forward branches are not taken" is wrong of one of them.
    let program = [vec![Op::Busy(100)], vec![Op::Busy(100)]];
    let with = |predictor| {
        let mut spec = node(2);
        spec.core.clock = megahertz(1000);
        spec.core.branches = Some(BranchSpec { predictor, misprediction_cycles: 5 });
        run(&spec, &program).unwrap()
    };
    let [right, wrong] = [PredictorSpec::Perfect, PredictorSpec::Static].map(with);
    let figures = |report: &crate::machine::simulation::PhaseReport, core: usize| {
        let counted =
            ["branches", "mispredictions", "finish_ps"].map(|name| report.metrics[&format!("node[0].core[{core}].{name}")]);
        (counted, report.stacks[core].of(Owner::Branch).0)
    };
    let (([_, _, before], _), ([.., other], _)) = (figures(&right, 0), figures(&right, 1));
    assert_eq!(figures(&wrong, 0), ([1, 1, before + 5_000], 5_000));
    assert_eq!(figures(&wrong, 1), ([1, 0, other], 0));
    assert_eq!(figures(&right, 0).0[1], 0);
}

/// A core of 1 GHz under total store order, with so many places for stores; none: sequentially consistent. A miss takes 2 cycles of
/// lookup and 100 of memory.
fn buffered(places: Option<u32>, program: &[Op]) -> PhaseReport {
    let mut spec = bare(vec![cache("L1d", 64, 4, 2)], 100);
    spec.core.consistency = if places.is_some() { Consistency::Tso } else { Consistency::Sc };
    spec.core.store_buffer = places;
    run(&spec, &[program.to_vec()]).unwrap()
}

fn buffered_cycles(places: Option<u32>, program: &[Op]) -> u64 {
    buffered(places, program).time.0 / 1000
}

#[test]
fn stores_that_miss_cost_their_misses_or_overlap_with_work() {
    let program = |busy| -> Vec<Op> { (0..4).map(|number| Op::Store(8 * number)).chain([Op::Busy(busy)]).collect() };
    // A store, its lookup, its miss, a jump; then a constant and the work.
    assert_eq!(buffered_cycles(None, &program(1000)), 4 * (1 + 102 + 1) + 1 + 1000);
    // A store and a jump each: the buffer empties itself meanwhile.
    assert_eq!(buffered_cycles(Some(8), &program(1000)), 4 * (1 + 1) + 1 + 1000);
    // The end waits for the last store: the first is looked up when it comes, each other when the one before it is performed.
    assert_eq!(buffered_cycles(Some(8), &program(10)), 1 + 4 * 102);
    assert_eq!(buffered(Some(8), &program(10)).stacks[0].of(Owner::MemoryLocal).0, 100_000 * 3 + (103 - 19) * 1000);
}

#[test]
fn a_full_buffer_waits_for_its_oldest_store() {
    let program: Vec<Op> = (0..3).map(|number| Op::Store(8 * number)).chain([Op::Busy(500)]).collect();
    // The third comes when the first is performed, at 103, the others 102 later; a place is free then, and the core goes on.
    let two = 103 + 1 + 1 + 500;
    assert_eq!(buffered_cycles(Some(2), &program), two);
    assert_eq!(buffered_cycles(Some(1), &program), two + 102);
    let report = buffered(Some(1), &program);
    // What waits belongs to the line of the store that is waited for.
    let lines: Vec<u64> = (1..=3).map(|line| report.lines[&line].of(Owner::MemoryLocal).0 / 1000).collect();
    assert_eq!(lines, [100, 100, 0]);
}

#[test]
fn loads_look_into_the_store_buffer_first() {
    let after = |load| buffered(Some(8), &[Op::Store(0), load, Op::Busy(500)]);
    // A store and a jump, a load and its lookup, a jump, a constant.
    let forwarded = after(Op::Load(0));
    assert_eq!(forwarded.time.0 / 1000, 2 + 1 + 2 + 1 + 1 + 500);
    assert_eq!(forwarded.metrics["node[0].core[0].forwarded_loads"], 1);
    // Another word of the line that is on its way for the store, at 103, is there with it.
    let merged = after(Op::Load(1));
    assert_eq!(merged.time.0 / 1000, 103 + 2 + 1 + 1 + 500);
    // Another line's miss is under way beside it.
    assert_eq!(after(Op::Load(8)).time.0 / 1000, 2 + 1 + 102 + 1 + 1 + 500);
    let twice = buffered(Some(8), &[Op::Post(0, 7), Op::Look(0), Op::Busy(500)]);
    // A constant and an atomic; the same and a lookup.
    assert_eq!(twice.time.0 / 1000, 3 + 3 + 2 + 1 + 500);
}

#[test]
fn atomic_updates_and_the_end_wait_for_an_empty_buffer() {
    let weak = buffered_cycles(Some(8), &[Op::Post(0, 1), Op::Look(8), Op::Busy(500)]);
    assert_eq!(weak, 3 + 3 + 102 + 1 + 500);
    // The addition begins behind the store, at 3 + 102, and misses itself.
    let strong = buffered_cycles(Some(8), &[Op::Post(0, 1), Op::Add(8), Op::Busy(500)]);
    assert_eq!(strong, 3 + 102 + 2 + 102 + 1 + 500);
    // A store that is sequentially consistent waits for its own line as well.
    assert_eq!(buffered_cycles(Some(8), &[Op::Put(0, 1), Op::Busy(500)]), 3 + 102 + 1 + 500);
}
