//! A run of open-loop traffic: sources in place of cores, and queueing theory beside what they met.

use indexmap::IndexMap;
use serde_json::json;

use crate::base::diagnostic::Diagnostic;
use crate::components::spec::{InterconnectSpec, SnoopingSpec, TrafficSpec, TransportSpec};
use crate::experiment::record::{Counts, Equality, MachineRecord, Reason, Record, SCHEMA, WorkloadRecord};
use crate::experiment::result::result_record;
use crate::experiment::run::{RunError, RunRequest, misfits, node_spec, sha256, stop};
use crate::experiment::theory::slotted_md1_wait;
use crate::experiment::workload::{Direction, TrafficWorkload};
use crate::machine::simulation::{Simulation, TrafficReport};
use crate::program::code::Code;

/// Lets one source a core offer its share of the load.
///
/// # Errors
/// As [`super::run::simulate`]; also a number of threads, which traffic has none of.
pub(super) fn simulate(request: &RunRequest, workload: &TrafficWorkload) -> Result<Record, RunError> {
    if let Some(threads) = request.threads {
        let message = format!("traffic has no threads, so it cannot run on {threads}: every core is one source");
        let help = "--set node.cores=N changes how many sources there are";
        return Err(RunError::Input(vec![Diagnostic::at(&workload.source, None, message).key("threads").help(help)]));
    }
    let workload = &workload.with_parameters(request.parameters)?;
    let spec = node_spec(request, &workload.source, "traffic sources")?;
    let bus = match &spec.interconnect {
        InterconnectSpec::Snooping(bus) if bus.transport == TransportSpec::Bus => bus,
        other => {
            let message = match other {
                InterconnectSpec::Ideal => "an ideal interconnect has no capacity to load".to_string(),
                InterconnectSpec::Snooping(other) => {
                    format!("a load is a share of a bus's capacity, and a {} has many links", other.transport.noun())
                }
            };
            let fault = Diagnostic::at(&workload.source, workload.table.load.place.span, message);
            return Err(RunError::Input(vec![fault.key("load").help("run it on a machine with a bus, such as uma-bus-4")]));
        }
    };
    let traffic = Traffic { workload, bus, sources: spec.cores.max(1) };
    let mut node = Simulation::with_traffic(&spec, &traffic.specs(), request.seed)
        .map_err(|faults| misfits(request.machine, &workload.source, &faults))?;
    match node.run_traffic() {
        Ok(report) => Ok(traffic.record(request, &report)),
        Err(error) => Err(RunError::Stopped(stop(&error, &Code::default(), &workload.source))),
    }
}

/// What is offered to which bus.
struct Traffic<'a> {
    workload: &'a TrafficWorkload,
    bus: &'a SnoopingSpec,
    sources: u32,
}

impl Traffic<'_> {
    fn bytes(&self) -> u32 {
        self.workload.table.size.0 as u32
    }

    /// Bus cycles that a request holds the data bus.
    fn service_cycles(&self) -> u32 {
        self.bytes().div_ceil(self.bus.width_bytes)
    }

    /// Seconds of a bus cycle.
    fn cycle_seconds(&self) -> f64 {
        1.0 / self.bus.clock.hertz()
    }

    /// Seconds that a request holds the busier of the two buses, which is its service.
    fn service_seconds(&self) -> f64 {
        f64::from(self.service_cycles().max(self.bus.address_cycles)) * self.cycle_seconds()
    }

    /// Equal sources that together make the requests and offer the load.
    fn specs(&self) -> Vec<TrafficSpec> {
        let table = &self.workload.table;
        let requests_per_second = *table.load / self.service_seconds() / f64::from(self.sources);
        (0..self.sources)
            .map(|source| TrafficSpec {
                requests_per_second,
                bytes: self.bytes(),
                requests: share(table.requests.0, self.sources, source),
                write: table.direction.value == Direction::Write,
                saturation_length: table.saturation.0,
            })
            .collect()
    }

    fn record(&self, request: &RunRequest, report: &TrafficReport) -> Record {
        let machine = request.machine;
        let completed: u64 = report.sources.iter().map(|source| source.completed).sum();
        let total_ps: u128 = report.sources.iter().map(|source| source.total_ps).sum();
        let mean_ps = total_ps as f64 / completed.max(1) as f64;
        Record {
            schema: SCHEMA,
            flynn: env!("CARGO_PKG_VERSION").to_string(),
            seed: request.seed,
            start: request.start,
            machine: MachineRecord::of(machine),
            workload: WorkloadRecord {
                name: self.workload.name.clone(),
                text: self.workload.source.text.to_string(),
                text_sha256: sha256(&self.workload.source.text),
                parameters: IndexMap::from([
                    ("load".to_string(), json!(*self.workload.table.load)),
                    ("size_bytes".to_string(), json!(self.bytes())),
                    ("requests".to_string(), json!(self.workload.table.requests.0)),
                ]),
                runtime: json!({ "sources": self.sources }),
            },
            time_ps: report.time.0,
            result: result_record(&[], Equality::Exact),
            counts: Counts {
                events: report.messages,
                operations: 0,
                memory_accesses: completed,
                flops: 0,
                bytes: completed * u64::from(self.bytes()),
            },
            metrics: self.metrics(report, mean_ps),
            profile: Vec::new(),
            timelines: report.timelines.clone(),
            why: self.why(report, mean_ps),
            watch: None,
        }
    }

    fn metrics(&self, report: &TrafficReport, mean_ps: f64) -> IndexMap<String, u64> {
        let mut metrics = report.metrics.clone();
        for (number, source) in report.sources.iter().enumerate() {
            let path = format!("node[0].source[{number}]");
            let total_ps = u64::try_from(source.total_ps).unwrap_or(u64::MAX);
            for (name, value) in [
                ("requests", source.completed),
                ("total_ps", total_ps),
                ("longest_ps", source.longest.0),
                ("longest_queue", source.longest_queue),
            ] {
                metrics.insert(format!("{path}.{name}"), value);
            }
        }
        metrics.insert("traffic.mean_ps".to_string(), libm::round(mean_ps) as u64);
        metrics.insert("traffic.mean_wait_ps".to_string(), libm::round((mean_ps - self.unloaded_ps()).max(0.0)) as u64);
        metrics
    }

    /// Picoseconds of a write on an idle bus from a cycle's edge: its address phase, then its data.
    fn unloaded_ps(&self) -> f64 {
        f64::from(self.bus.address_cycles + self.service_cycles()) * self.cycle_seconds() * 1e12
    }

    fn why(&self, report: &TrafficReport, mean_ps: f64) -> Vec<Reason> {
        let utilisation = report.data_bus_busy.0 as f64 / report.time.0.max(1) as f64;
        let offered = *self.workload.table.load;
        let busy = format!(
            "The data bus was busy {:.1}% of the time, with {:.1}% offered; a request took {:.1} ns on average.",
            utilisation * 100.0,
            offered * 100.0,
            mean_ps / 1e3
        );
        let busy =
            Reason { sentence: busy, evidence: vec!["node[0].interconnect.busy_ps".to_string(), "traffic.mean_ps".to_string()] };
        match self.against_theory(utilisation, mean_ps) {
            _ if offered >= 1.0 => vec![self.overload(report), busy],
            Some(theory) => vec![theory, busy],
            None => vec![busy],
        }
    }

    /// What happens where at least as much is offered as can be carried: no mean is worth quoting.
    fn overload(&self, report: &TrafficReport) -> Reason {
        let longest = report.sources.iter().map(|source| source.longest_queue).max().unwrap_or(0);
        Reason {
            sentence: format!(
                "{} the bus can carry ({:.0}% of its capacity): the queue grows for as long as the run lasts, here up to {longest} \
                 requests at one source, and so does the waiting.",
                if *self.workload.table.load > 1.0 { "More is offered than" } else { "As much is offered as" },
                *self.workload.table.load * 100.0,
            ),
            evidence: vec!["node[0].source[0].longest_queue".to_string(), "traffic.mean_ps".to_string()],
        }
    }

    /// The mean wait beside that of the M/D/1 queue, which holds for writes at a load below 1.
    fn against_theory(&self, utilisation: f64, mean_ps: f64) -> Option<Reason> {
        if self.workload.table.direction.value != Direction::Write || utilisation >= 1.0 {
            return None;
        }
        let theory = slotted_md1_wait(utilisation, self.service_seconds() * 1e9, self.cycle_seconds() * 1e9);
        Some(Reason {
            sentence: format!(
                "Requests waited {:.2} ns on average with the bus busy {:.1}% of the time; the M/D/1 \
                 queue with service at clock edges has U*S/(2*(1-U)) + half a cycle = {theory:.2} ns.",
                (mean_ps - self.unloaded_ps()).max(0.0) / 1e3,
                utilisation * 100.0,
            ),
            evidence: vec!["traffic.mean_wait_ps".to_string()],
        })
    }
}

/// Of `total` things dealt out evenly, those of one of `n`.
fn share(total: u64, n: u32, which: u32) -> u64 {
    let (n, which) = (u64::from(n), u64::from(which));
    total / n + u64::from(which < total % n)
}
