//! Records as a run makes them, for the tests of this floor: STREAM triad on machines of one to many cores round a bus, with figures
//! that hang together (stacks add up, hits and misses make accesses).

use indexmap::IndexMap;
use serde_json::json;

use crate::experiment::record::{
    Counts, Equality, MachineRecord, ProfileLine, Reason, Record, ResultRecord, SCHEMA, Start, ValidationCase, WorkloadRecord,
};

const TRIAD: &str = "\
# STREAM triad: one multiplication and one addition for three accesses
param n = 100_000
param s = 3.0
array a: f64[n]
array b: f64[n]
array c: f64[n]
setup {
    parallel for i in 0..n {
        b[i] = 1.0; c[i] = i
    }
}
parallel for i in 0..n {
    a[i] = b[i] + s * c[i]
}
result sum(a)
work flops 2*n bytes 24*n
";

const ACCESSES: u64 = 300_000;
/// What a core computes in all, and what the bus needs to move all lines.
const COMPUTE_PS: u64 = 230_000_000;
const BUS_PS: u64 = 121_000_000;

/// The record of triad on a bus machine of `n_cores`.
pub fn record(n_cores: u32) -> Record {
    let cores = u64::from(n_cores);
    let memory_ps = 280_000_000 / cores;
    let alone_ps = (COMPUTE_PS + 46_000_000) / cores + memory_ps;
    // The bus is the bound once it is asked for more than it has; waiting in line makes up the rest.
    let time_ps = alone_ps.max(BUS_PS * 107 / 100) + 1_300_000 * (cores - 1).min(3);
    let mut metrics = IndexMap::new();
    for core in 0..cores {
        core_metrics(&mut metrics, core, cores, time_ps, memory_ps);
    }
    bus_and_memory_metrics(&mut metrics, cores);
    let name = if cores == 1 { "One core on a bus".to_owned() } else { format!("{cores} cores on a bus") };
    Record {
        schema: SCHEMA,
        flynn: "0.1.0".to_owned(),
        seed: 1,
        start: Start::Warm,
        machine: MachineRecord {
            name: name.clone(),
            organisation: "uma".to_owned(),
            flynn_class: if cores == 1 { "SISD" } else { "MIMD" }.to_owned(),
            config: config(&name, cores),
            protocol: None,
        },
        workload: workload(cores),
        time_ps,
        result: ResultRecord {
            values: vec![json!(14_999_950_000.0)],
            checksum: "5f0c9a7e21b3d480".to_owned(),
            equality: Equality::Tolerance(1e-9),
        },
        counts: Counts {
            events: 450_123 + cores,
            operations: 900_017,
            memory_accesses: ACCESSES,
            flops: 200_000,
            bytes: 2_400_000,
        },
        profile: profile(&metrics),
        timelines: timelines(time_ps),
        why: why(cores, time_ps),
        metrics,
        watch: None,
    }
}

fn core_metrics(metrics: &mut IndexMap<String, u64>, core: u64, cores: u64, time_ps: u64, memory_ps: u64) {
    let prefix = format!("node[0].core[{core}]");
    // Later cores arrive a little earlier, so that they differ and wait at the end.
    let waits = core * time_ps / 200 / cores.max(1);
    let stack = [
        ("base", COMPUTE_PS / cores),
        ("dependency", 31_000_000 / cores),
        ("l1d", 9_000_000 / cores),
        ("l2", 6_000_000 / cores),
        ("memory_local", memory_ps - waits.min(memory_ps)),
        ("synchronisation", if cores > 1 { waits + 400_000 } else { 0 }),
    ];
    let known: u64 = stack.iter().map(|(_, value)| value).sum();
    for owner in crate::report::palette::OWNERS.iter().map(|owner| owner.key) {
        let value = stack.iter().find(|(key, _)| *key == owner).map_or(0, |(_, value)| *value);
        let value = if owner == "queue" { time_ps.saturating_sub(known) } else { value };
        metrics.insert(format!("{prefix}.stack.{owner}_ps"), value);
    }
    let accesses = ACCESSES / cores;
    let caches = [("l1d", accesses, accesses / 8), ("l2", accesses / 8, accesses / 9)];
    for (cache, accesses, misses) in caches {
        let counters = [
            ("accesses", accesses),
            ("hits", accesses - misses),
            ("misses", misses),
            ("read_misses", misses * 2 / 3),
            ("write_misses", misses - misses * 2 / 3),
            ("evictions", misses * 9 / 10),
            ("writebacks", misses / 3),
            ("bytes_read", accesses * 16 / 3),
            ("bytes_written", accesses * 8 / 3),
        ];
        metrics.extend(counters.map(|(counter, value)| (format!("{prefix}.{cache}.{counter}"), value)));
    }
    metrics.insert(format!("{prefix}.operations"), 900_000 / cores);
    metrics.insert(format!("{prefix}.finish_ps"), time_ps - waits);
}

fn bus_and_memory_metrics(metrics: &mut IndexMap<String, u64>, cores: u64) {
    let lines = ACCESSES / 9;
    let counters = [
        ("interconnect.busy_ps", BUS_PS),
        ("interconnect.address_busy_ps", BUS_PS / 4),
        ("interconnect.transactions", lines * 4 / 3),
        ("interconnect.wait_ps", lines * 21_000 * (cores - 1)),
        ("memory.reads", lines),
        ("memory.writes", lines / 3),
        ("memory.busy_ps", BUS_PS * 3 / 4),
        ("memory.bytes_read", lines * 64),
        ("memory.bytes_written", lines / 3 * 64),
    ];
    metrics.extend(counters.map(|(counter, value)| (format!("node[0].{counter}"), value)));
}

fn config(name: &str, cores: u64) -> serde_json::Value {
    json!({
        "name": name,
        "description": "In-order cores with private caches on one snooping bus.",
        "node": [{
            "name": "socket", "count": 1, "cores": cores,
            "core": { "part": "in-order-scalar", "clock": "2.6 GHz" },
            "interconnect": { "kind": "bus", "width": "32 B", "clock": "1.3 GHz", "arbitration": "round-robin" },
            "memory": { "part": "simple-dram", "latency": "60 ns", "bandwidth": "25.6 GB/s", "channels": 1, "size": "16 GiB" },
            "cache": {
                "L1d": { "size": "32 KiB", "ways": 8, "latency": "4 cycles", "replacement": "lru" },
                "L2": { "size": "256 KiB", "ways": 8, "latency": "12 cycles", "replacement": "lru" },
            },
        }],
        "address_space": { "organisation": "uma", "protocol": "snooping-mesi" },
        "runtime": { "threads": cores, "pinning": "compact", "schedule": "static", "lock": "ticket" },
    })
}

fn workload(cores: u64) -> WorkloadRecord {
    WorkloadRecord {
        name: "triad".to_owned(),
        text: TRIAD.to_owned(),
        text_sha256: "6b1f7c0e".repeat(8),
        parameters: IndexMap::from([("n".to_owned(), json!(100_000)), ("s".to_owned(), json!(3.0))]),
        runtime: json!({ "threads": cores, "schedule": "static", "barrier": "central" }),
    }
}

/// Nearly everything is line 13; the loop's own work is line 12.
fn profile(metrics: &IndexMap<String, u64>) -> Vec<ProfileLine> {
    let mut lines = [(13, IndexMap::new()), (12, IndexMap::new())];
    for owner in crate::report::palette::OWNERS.iter().map(|owner| owner.key) {
        let suffix = format!(".stack.{owner}_ps");
        let total: u64 = metrics.iter().filter(|(path, _)| path.ends_with(&suffix)).map(|(_, value)| value).sum();
        let at_loop = match owner {
            "base" => total / 3,
            "synchronisation" => total,
            _ => 0,
        };
        for (line, time_ps) in [(0, total - at_loop), (1, at_loop)] {
            if time_ps > 0 {
                lines[line].1.insert(owner.to_owned(), time_ps);
            }
        }
    }
    lines
        .into_iter()
        .map(|(line, stack)| ProfileLine { line, time_ps: stack.values().sum(), stack, misses: IndexMap::new() })
        .collect()
}

fn timelines(time_ps: u64) -> IndexMap<String, Vec<f64>> {
    let busy = (BUS_PS as f64 / time_ps as f64).min(1.0);
    let wave = |i: u32| (busy * (1.0 + 0.04 * f64::from(i * 7 % 5) - 0.08)).clamp(0.0, 1.0);
    let bus: Vec<f64> = (0..64).map(|i| if i < 2 { busy * 0.5 } else { wave(i) }).collect();
    let memory = bus.iter().map(|value| value * 0.75).collect();
    IndexMap::from([("node[0].interconnect".to_owned(), bus), ("node[0].memory".to_owned(), memory)])
}

fn why(cores: u64, time_ps: u64) -> Vec<Reason> {
    let busy = BUS_PS * 100 / time_ps;
    let first = if busy > 80 {
        format!(
            "The bus is busy {busy} % of the time: {cores} cores ask for more lines than it can carry, and wait in line for it."
        )
    } else {
        "Half of the time goes to waiting for memory: every eighth access misses both caches.".to_owned()
    };
    let reason = |sentence: &str, evidence: &[&str]| Reason {
        sentence: sentence.to_owned(),
        evidence: evidence.iter().map(|path| (*path).to_owned()).collect(),
    };
    vec![
        reason(&first, &["node[0].interconnect.busy_ps", "stack.queue_ps"]),
        reason("Line 13 takes nearly all of it.", &["node[0].core[0].stack.memory_local_ps"]),
    ]
}

/// Predictions beside measurements, good and bad.
pub fn validation() -> Vec<ValidationCase> {
    let case =
        |workload: &str, threads: u32, predicted: f64, measured: f64, spread: f64, verdict: &str, equal: bool| ValidationCase {
            workload: workload.to_owned(),
            parameters: IndexMap::from([("n".to_owned(), json!(1_000_000))]),
            threads,
            predicted_seconds: predicted,
            measured_seconds: measured,
            measured_spread: spread,
            error: predicted / measured - 1.0,
            verdict: verdict.to_owned(),
            checksum_simulated: "5f0c9a7e21b3d480".to_owned(),
            checksum_host: if equal { "5f0c9a7e21b3d480" } else { "0000000000000bad" }.to_owned(),
            equal,
            samples: (0..9).map(|i| measured * (1.0 + spread * (f64::from(i) / 8.0))).collect(),
        };
    vec![
        case("triad", 1, 1.05e-3, 0.98e-3, 0.03, "measured", true),
        case("triad", 2, 0.66e-3, 0.71e-3, 0.06, "measured", true),
        case("matrix-multiply", 1, 41e-3, 37e-3, 0.02, "measured", true),
        case("pointer-chase", 1, 8.2e-3, 12.1e-3, 0.11, "measured", true),
        case("false-sharing", 2, 3.4e-3, 2.2e-3, 0.31, "inconclusive", true),
        case("histogram", 2, 5.1e-6, 5.3e-6, 0.08, "wrong result", false),
    ]
}
