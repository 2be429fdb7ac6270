//! A bus under Poisson traffic waits as the queue M/D/1 does.

use super::*;
use crate::components::spec::TrafficSpec;
use crate::machine::simulation::{PhaseError, Simulation};

/// Data cycles of a request: 64 bytes over 8.
const DATA_CYCLES: u64 = 8;

fn traffic(utilisation: f64, requests: u64) -> (NodeSpec, TrafficSpec) {
    let clock = megahertz(1000);
    let mut spec = node(1);
    spec.caches.clear();
    spec.interconnect = InterconnectSpec::Snooping(SnoopingSpec { width_bytes: 8, ..bus(clock) });
    spec.memory = MemorySpec::Ideal;
    let source = TrafficSpec {
        requests_per_second: utilisation * clock.hertz() / DATA_CYCLES as f64,
        bytes: 64,
        requests,
        write: true,
        saturation_length: 10_000,
    };
    (spec, source)
}

#[test]
fn the_mean_wait_is_that_of_a_slotted_queue_with_fixed_service() {
    for utilisation in [0.3, 0.5, 0.8] {
        let (spec, source) = traffic(utilisation, 1_000_000);
        let report = Simulation::with_traffic(&spec, &[source], 7).unwrap().run_traffic().unwrap();
        let counters = report.sources[0];
        assert_eq!(counters.completed, 1_000_000);
        let cycle_ps = 1000.0;
        // One address cycle, then the data.
        let service = (1 + DATA_CYCLES) as f64 * cycle_ps;
        let wait = counters.total_ps as f64 / counters.completed as f64 - service;
        // Pollaczek and Khinchine with fixed service, and half a cycle to the next edge.
        let theory = utilisation * DATA_CYCLES as f64 * cycle_ps / (2.0 * (1.0 - utilisation)) + cycle_ps / 2.0;
        assert!((wait / theory - 1.0).abs() < 0.02, "at {utilisation}: {wait} ps, {theory} expected");
        let busy = report.data_bus_busy.0 as f64 / report.time.0 as f64;
        assert!((busy / utilisation - 1.0).abs() < 0.01, "{busy}");
    }
}

#[test]
fn reads_wait_for_memory_too() {
    let (mut spec, mut source) = traffic(0.001, 200);
    source.write = false;
    spec.memory = node(1).memory;
    let report = Simulation::with_traffic(&spec, &[source], 7).unwrap().run_traffic().unwrap();
    let mean = report.sources[0].total_ps as f64 / 200.0;
    // Half a cycle, the address phase, 60 ns, the data.
    assert!((mean - (500.0 + 1000.0 + 60_000.0 + 8000.0)).abs() < 200.0, "{mean}");
}

#[test]
fn more_than_the_bus_can_carry_ends_as_saturated() {
    let (spec, source) = traffic(1.05, 1_000_000);
    let error = Simulation::with_traffic(&spec, &[source], 7).unwrap().run_traffic().unwrap_err();
    assert!(matches!(error, PhaseError::Saturated { agent: 1, length: 10_001 }), "{error}");
}
