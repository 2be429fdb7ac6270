//! Every shipped program on shipped machines: the same values whatever the machine, the threads and the kinds of locks.

use flynn::base::diagnostic::SourceText;
use flynn::experiment::record::{Record, Start};
use flynn::experiment::run::{RunError, RunRequest, simulate};
use flynn::experiment::workload::{NothingBeside, Workload};
use flynn::machine::Machine;
use flynn::machine::catalogue::{Catalogue, Kind};

/// Parameters that make a shipped program small enough for a test; every program must be here.
pub const SMALL: [(&str, &[(&str, &str)]); 23] = [
    ("copy", &[("n", "2000")]),
    ("dot", &[("n", "2000")]),
    ("empty-loop", &[("rounds", "5")]),
    ("gather", &[("n", "2000")]),
    ("histogram-private", &[("n", "1000")]),
    ("histogram-shared", &[("n", "1000")]),
    ("matmul-blocked", &[("n", "16"), ("t", "8")]),
    ("matmul-naive", &[("n", "16")]),
    ("migratory", &[("n", "16"), ("turns", "24")]),
    ("moving-blocks", &[("words", "512"), ("rounds", "2")]),
    ("pointer-chase", &[("n", "1024"), ("steps", "3000")]),
    ("prefix-sum", &[("n", "2000")]),
    ("producer-consumer", &[("n", "100")]),
    ("read-once", &[("n", "2000")]),
    ("scatter", &[("n", "2000")]),
    ("stencil", &[("n", "24")]),
    ("strided", &[("pages", "96"), ("rounds", "2")]),
    ("sum-atomic", &[("n", "500")]),
    ("sum-lock", &[("n", "300")]),
    ("sum-padded", &[("n", "1000")]),
    ("sum-unpadded", &[("n", "1000")]),
    ("triad", &[("n", "2000")]),
    ("triad-serial-touch", &[("n", "2000")]),
];

/// Shipped programs of several ranks, which run on machines with an address space for each node.
pub const MESSAGES: [&str; 8] = [
    "allreduce-doubling",
    "allreduce-ring",
    "alltoall-pairwise",
    "broadcast",
    "cannon",
    "ping-pong",
    "stencil-messages",
    "transpose",
];

/// The parameters as a request wants them.
pub fn parameters(small: &[(&str, &str)]) -> Vec<(String, String)> {
    small.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// A shipped program as a workload.
pub fn workload(catalogue: &Catalogue, name: &str) -> Workload {
    let entry = catalogue.find(Kind::Workload, name).unwrap_or_else(|| panic!("{name} is shipped"));
    Workload::read(name, &entry.source, &NothingBeside).unwrap()
}

/// A shipped machine with keys set.
pub fn machine(catalogue: &Catalogue, name: &str, set: &[(&str, &str)]) -> Machine {
    let source: &SourceText = &catalogue.find(Kind::Machine, name).unwrap_or_else(|| panic!("{name} is shipped")).source;
    let set: Vec<(String, String)> = set.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Machine::resolve(source, &set, catalogue).unwrap()
}

/// A run with nothing special about it.
pub fn request<'a>(machine: &'a Machine, workload: &'a Workload, parameters: &'a [(String, String)]) -> RunRequest<'a> {
    RunRequest {
        machine,
        workload,
        parameters,
        threads: None,
        seed: 1,
        start: Start::Warm,
        run_ahead: true,
        checks: true,
        operation_limit: 1_000_000_000,
        functional: false,
        watch: None,
    }
}

/// The record of a run that must come to its end.
pub fn run(request: &RunRequest, catalogue: &Catalogue) -> Record {
    match simulate(request, catalogue, &mut |_| {}) {
        Ok(record) => record,
        Err(RunError::Input(faults)) => panic!("{}: {}", request.workload.name(), faults[0]),
        Err(RunError::Stopped(stop)) => panic!("{} on {}: {}", request.workload.name(), request.machine.name, stop.message),
        Err(RunError::Trace(what)) => panic!("{}: {what}", request.workload.name()),
    }
}

#[test]
fn the_list_of_programs_is_complete() {
    let catalogue = Catalogue::built_in();
    let shipped: Vec<&str> = catalogue
        .entries(Kind::Workload)
        .filter(|entry| entry.source.name.ends_with(".flynn") && !entry.is_litmus())
        .map(|entry| entry.name.as_str())
        .collect();
    let of_ranks = |name: &&str| MESSAGES.contains(name);
    assert_eq!(shipped.iter().copied().filter(of_ranks).collect::<Vec<_>>(), MESSAGES);
    assert_eq!(shipped.iter().copied().filter(|name| !of_ranks(name)).collect::<Vec<_>>(), SMALL.map(|(name, _)| name));
}

/// TLBs that reach less than most programs touch.
const SMALL_TLBS: [(&str, &str); 5] = [
    ("node.tlb.L1d.entries", "2"),
    ("node.tlb.L1d.ways", "2"),
    ("node.tlb.L2.entries", "8"),
    ("node.tlb.L2.ways", "4"),
    ("node.tlb.L2.latency", "7 cycles"),
];

/// Cores that execute out of order.
const OUT_OF_ORDER: [(&str, &str); 1] = [("node.core.part", "out-of-order-4-wide")];

/// A crossbar and a ring, with four cores.
fn transports(catalogue: &Catalogue, set: &[(&str, &str)]) -> [Machine; 2] {
    let set = [&[("node.cores", "4")], set].concat();
    ["uma-crossbar-16", "uma-ring-16"].map(|name| machine(catalogue, name, &set))
}

#[test]
fn every_program_gives_the_same_values_on_every_machine() {
    let catalogue = Catalogue::built_in();
    let mut machines = [
        "uniprocessor",
        "split-caches",
        "uma-bus-2",
        "uma-bus-4",
        "uma-bus-4-llc",
        "uniprocessor-out-of-order",
        "uniprocessor-prefetch",
        "uniprocessor-tlb",
    ]
    .map(|name| machine(&catalogue, name, &[]))
    .to_vec();
    machines.push(machine(&catalogue, "uma-bus-4", &OUT_OF_ORDER));
    machines.extend(transports(&catalogue, &[]));
    for (name, small) in SMALL {
        let (workload, parameters) = (workload(&catalogue, name), parameters(small));
        let records: Vec<Record> =
            machines.iter().map(|machine| run(&request(machine, &workload, &parameters), &catalogue)).collect();
        for record in &records {
            // Exactly, even where the program only promises a tolerance: shipped reductions use data whose sums are exact.
            assert_eq!(record.result, records[0].result, "{name} on {}", record.machine.name);
            assert!(record.time_ps > 0 && !record.why.is_empty());
        }
    }
}

#[test]
fn a_cold_run_gives_the_same_values_and_takes_longer_on_data_that_fits() {
    let catalogue = Catalogue::built_in();
    let machine = machine(&catalogue, "uma-bus-4", &[]);
    for (name, small) in SMALL {
        let (workload, parameters) = (workload(&catalogue, name), parameters(small));
        let warm = run(&request(&machine, &workload, &parameters), &catalogue);
        let cold = run(&RunRequest { start: Start::Cold, ..request(&machine, &workload, &parameters) }, &catalogue);
        assert_eq!(warm.result, cold.result, "{name}");
    }
}

#[test]
fn records_are_the_same_twice_and_without_run_ahead() {
    let catalogue = Catalogue::built_in();
    let mut machines =
        ["uniprocessor", "split-caches", "uma-bus-4", "uma-bus-4-llc"].map(|name| machine(&catalogue, name, &[])).to_vec();
    machines.push(machine(&catalogue, "uma-bus-4", &OUT_OF_ORDER));
    machines.extend(transports(&catalogue, &[]));
    machines.extend(transports(&catalogue, &OUT_OF_ORDER));
    let predicted = [("node.core.part", "in-order-predicted"), ("node.core.predictor", "{ kind = \"gshare\" }")];
    machines.push(machine(&catalogue, "uma-bus-4", &[&predicted[..], &SMALL_TLBS].concat()));
    machines.push(machine(&catalogue, "split-caches", &SMALL_TLBS));
    for prefetcher in ["next-line", "stride", "stream"] {
        let set = ("node.cache.L1d.prefetcher", format!("{{ kind = \"{prefetcher}\" }}"));
        machines.push(machine(&catalogue, "uma-bus-4", &[(set.0, &*set.1)]));
        machines.push(machine(&catalogue, "uma-bus-4", &[OUT_OF_ORDER[0], (set.0, &*set.1)]));
    }
    machines.push(machine(&catalogue, "uma-bus-4", &[&OUT_OF_ORDER[..], &SMALL_TLBS].concat()));
    for (name, small) in SMALL {
        let (workload, parameters) = (workload(&catalogue, name), parameters(small));
        for machine in &machines {
            let plain = request(machine, &workload, &parameters);
            let [first, second, event_by_event] = [plain, plain, RunRequest { run_ahead: false, ..plain }]
                .map(|request| serde_json::to_string(&run(&request, &catalogue)).unwrap());
            assert!(first == second, "{name} twice");
            assert!(first == event_by_event, "{name} without run-ahead on {}", machine.name);
        }
    }
}

#[test]
fn locks_barriers_and_schedules_change_times_and_no_value() {
    let catalogue = Catalogue::built_in();
    let plain = machine(&catalogue, "uma-bus-4", &[]);
    let others: Vec<Machine> = [
        [("runtime.lock", "test-and-set"), ("runtime.barrier", "tree")],
        [("runtime.schedule", "dynamic"), ("runtime.lock", "ticket")],
        [("runtime.schedule", "static, 7"), ("runtime.barrier", "central")],
    ]
    .iter()
    .map(|set| machine(&catalogue, "uma-bus-4", set))
    .collect();
    for (name, small) in SMALL {
        let (workload, parameters) = (workload(&catalogue, name), parameters(small));
        let expected = run(&request(&plain, &workload, &parameters), &catalogue);
        for other in &others {
            let found = run(&request(other, &workload, &parameters), &catalogue);
            assert_eq!(found.result, expected.result, "{name} with {}", found.workload.runtime);
        }
    }
}

#[test]
fn protocols_change_times_and_no_value() {
    let catalogue = Catalogue::built_in();
    let plain = machine(&catalogue, "uma-bus-4", &[]);
    let protocols: Vec<String> = catalogue.entries(Kind::Protocol).map(|entry| entry.name.clone()).collect();
    let is_directory = |name: &&String| name.starts_with("directory-") || name.starts_with("coma-");
    let of_directories: Vec<&String> = protocols.iter().filter(is_directory).collect();
    assert_eq!(of_directories, ["coma-flat", "directory-mesi", "directory-moesi", "directory-msi"]);
    let protocols: Vec<String> = protocols.iter().filter(|name| !is_directory(name)).cloned().collect();
    assert_eq!(protocols, ["dragon", "mesi", "mesif", "moesi", "msi"]);
    for (name, small) in SMALL {
        let (workload, parameters) = (workload(&catalogue, name), parameters(small));
        let expected = run(&request(&plain, &workload, &parameters), &catalogue);
        for protocol in &protocols {
            let set = ("address_space.protocol", protocol.as_str());
            let out_of_order = machine(&catalogue, "uma-bus-4", &[OUT_OF_ORDER[0], set]);
            let overlapped = run(&request(&out_of_order, &workload, &parameters), &catalogue);
            assert_eq!(overlapped.result, expected.result, "{name} out of order with {protocol}");
            let machine = machine(&catalogue, "uma-bus-4", &[set]);
            let plain = request(&machine, &workload, &parameters);
            let [found, event_by_event] =
                [plain, RunRequest { run_ahead: false, ..plain }].map(|request| run(&request, &catalogue));
            assert_eq!(found.result, expected.result, "{name} with {protocol}");
            let texts = [found, event_by_event].map(|record| serde_json::to_string(&record).unwrap());
            assert!(texts[0] == texts[1], "{name} with {protocol} without run-ahead");
            for machine in transports(&catalogue, &[set]) {
                let found = run(&request(&machine, &workload, &parameters), &catalogue);
                assert_eq!(found.result, expected.result, "{name} with {protocol} on {}", machine.name);
            }
        }
    }
}

#[test]
fn directories_change_times_and_no_value() {
    let catalogue = Catalogue::built_in();
    let plain = machine(&catalogue, "uma-bus-4", &[]);
    let protocols = ["directory-msi", "directory-mesi", "directory-moesi"];
    for (number, (name, small)) in SMALL.into_iter().enumerate() {
        let (workload, parameters) = (workload(&catalogue, name), parameters(small));
        let expected = run(&request(&plain, &workload, &parameters), &catalogue);
        let protocol = ("address_space.protocol", protocols[number % 3]);
        let other = ("address_space.protocol", protocols[(number + 1) % 3]);
        // Four threads on each, as on the plain machine: some sums depend on how many there are.
        let machines = [
            ("numa-2-socket", vec![protocol, ("node.cores", "2")]),
            ("numa-2-socket", vec![other, ("node.cores", "2"), ("node.directory.pointers", "1"), OUT_OF_ORDER[0]]),
            (
                "numa-mesh-16",
                vec![other, ("node.count", "4"), ("address_space.placement", "interleave"), ("node.core.consistency", "tso")],
            ),
            (
                "numa-ring-4",
                vec![
                    protocol,
                    ("node.cores", "1"),
                    ("node.directory.pointers", "2"),
                    ("node.interconnect.part", "snooping-crossbar"),
                ],
            ),
            ("coma-mesh-16", vec![("node.count", "4"), ("node.cache.L2.size", "8 KiB"), ("node.cache.L1d.size", "4 KiB")]),
        ];
        for (on, set) in machines {
            let machine = machine(&catalogue, on, &set);
            let plain = request(&machine, &workload, &parameters);
            let [found, event_by_event] =
                [plain, RunRequest { run_ahead: false, ..plain }].map(|request| run(&request, &catalogue));
            assert_eq!(found.result, expected.result, "{name} on {on} with {set:?}");
            let texts = [found, event_by_event].map(|record| serde_json::to_string(&record).unwrap());
            assert!(texts[0] == texts[1], "{name} on {on} with {set:?} without run-ahead");
        }
    }
}

#[test]
fn total_store_order_changes_times_and_no_value() {
    let catalogue = Catalogue::built_in();
    let plain = machine(&catalogue, "uma-bus-4", &[]);
    let protocols = ["dragon", "mesi", "mesif", "moesi", "msi"];
    for (number, (name, small)) in SMALL.into_iter().enumerate() {
        let (workload, parameters) = (workload(&catalogue, name), parameters(small));
        let expected = run(&request(&plain, &workload, &parameters), &catalogue);
        // Every program with Dragon, whose stores can take two transactions, and with one of the others, in order and out of order; with
        // one of them beside TLBs, with the other beside a prefetcher.
        let pair = [protocols[0], protocols[1 + number % 4]];
        let beside = [("uniprocessor-tlb", pair[0]), ("uniprocessor-prefetch", pair[1])][number % 2];
        let in_order = pair.map(|protocol| ("uma-bus-4", protocol, &[][..]));
        let out_of_order = pair.map(|protocol| ("uma-bus-4", protocol, &OUT_OF_ORDER[..]));
        for (name_of_machine, protocol, part) in in_order.into_iter().chain(out_of_order).chain([(beside.0, beside.1, &[][..])]) {
            let own = [("address_space.protocol", protocol), ("node.core.consistency", "tso"), ("node.cores", "4")];
            let set = [part, &own[..]].concat();
            let machine = machine(&catalogue, name_of_machine, &set);
            let plain = request(&machine, &workload, &parameters);
            let [found, event_by_event] =
                [plain, RunRequest { run_ahead: false, ..plain }].map(|request| run(&request, &catalogue));
            assert_eq!(found.result, expected.result, "{name} with {set:?}");
            let texts = [found, event_by_event].map(|record| serde_json::to_string(&record).unwrap());
            assert!(texts[0] == texts[1], "{name} with {set:?} without run-ahead");
        }
    }
}
