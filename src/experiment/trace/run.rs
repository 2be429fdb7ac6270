//! A run of a trace: without time, or with it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::json;

use crate::base::diagnostic::SourceText;
use crate::components::spec::{CoreSpec, MOST_CORES, NodeSpec, SpecFault};
use crate::components::trace::{Entries, TraceCounters};
use crate::experiment::record::{Equality, Reason, Record, Start, WorkloadRecord};
use crate::experiment::result::result_record;
use crate::experiment::run::{Progress, RunError, RunRequest, assemble, misfits, node_spec, sha256, stop, why};
use crate::experiment::trace::deal::Deal;
use crate::experiment::trace::{TraceReader, TraceSettings};
use crate::experiment::workload::{TraceTable, TraceWorkload};
use crate::machine::simulation::{PhaseError, PhaseReport, Simulation, replay};
use crate::program::code::{Code, OperationClass};

/// Runs a trace once, from empty caches: what was recorded began with the process.
pub fn simulate(request: &RunRequest, workload: &TraceWorkload, progress: &mut dyn FnMut(Progress)) -> Result<Record, RunError> {
    for (option, given) in [("--threads", request.threads.is_some()), ("--param", !request.parameters.is_empty())] {
        if given {
            return Err(RunError::Trace(format!("a trace has neither threads nor parameters: {option} says nothing of one")));
        }
    }
    progress(Progress { fraction: 0.0 });
    let spec = node_spec(request, &workload.source, "traces")?;
    let settings = settings(workload, spec.cores as u16);
    let limit = request.operation_limit;
    let misfits = |faults: Vec<SpecFault>| misfits(request.machine, &workload.source, &faults);
    let done = if request.functional {
        let mut reader = reader(workload, settings).map_err(RunError::Trace)?;
        replay::count(&spec, &mut reader, limit).map_err(misfits)?.map(|report| (report, reader.checksum()))
    } else {
        let deal = Deal::new(Arc::clone(&workload.file), settings).map_err(RunError::Trace)?;
        let deal = Rc::new(RefCell::new(deal));
        let mut node = Simulation::with_trace(&spec, Deal::hands(&deal), limit).map_err(misfits)?;
        node.set_run_ahead(request.run_ahead);
        node.run_trace().map(|report| (report, deal.borrow().checksum()))
    };
    let (report, checksum) = done.map_err(|error| match error {
        PhaseError::Trace(what) => RunError::Trace(what),
        error => RunError::Stopped(stop(&error, &Code::default(), &workload.source)),
    })?;
    let why = if request.functional {
        misses(&report, "No time was simulated: ").into_iter().collect()
    } else {
        let no_text = SourceText::new(workload.source.name.clone(), "");
        let mut why = why((&[as_bounded(spec)], None), &report, &[], &no_text)?;
        why.extend(misses(&report, ""));
        why
    };
    let request = RunRequest { start: Start::Cold, ..*request };
    let workload = WorkloadRecord {
        name: workload.name.clone(),
        text: workload.source.text.to_string(),
        text_sha256: sha256(&workload.source.text),
        parameters: parameters(&report, checksum),
        runtime: json!({ "functional": request.functional }),
    };
    Ok(assemble(&request, workload, result_record(&[], Equality::Exact), &report, Vec::new(), why))
}

/// The node as bounds on its time see it: every instruction of a trace takes a cycle, whatever its operation would cost.
fn as_bounded(spec: NodeSpec) -> NodeSpec {
    NodeSpec { core: CoreSpec { costs: [1; OperationClass::ALL.len()], ..spec.core }, ..spec }
}

impl TraceWorkload {
    /// Reads the trace to its end: how many references of each kind each core has, as far as the last one that has any.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn count(&self) -> Result<Vec<TraceCounters>, String> {
        let mut cores = vec![TraceCounters::default()];
        let mut reader = reader(self, settings(self, MOST_CORES as u16))?;
        let mut batch = Vec::new();
        loop {
            reader.refill(&mut batch)?;
            if batch.is_empty() {
                return Ok(cores);
            }
            for entry in &batch {
                if cores.len() <= usize::from(entry.core) {
                    cores.resize(usize::from(entry.core) + 1, TraceCounters::default());
                }
                cores[usize::from(entry.core)].count(entry);
            }
        }
    }
}

/// How the trace is read for a machine of so many cores.
fn settings(workload: &TraceWorkload, cores: u16) -> TraceSettings {
    let TraceTable { format, word, .. } = &*workload.table;
    TraceSettings { format: format.value, word_bytes: word.value.map(|word| word.0), cores }
}

fn reader(workload: &TraceWorkload, settings: TraceSettings) -> Result<TraceReader, String> {
    Ok(TraceReader::new(workload.file.name(), workload.file.open()?, settings))
}

/// What tells this trace from others: how many references of each kind, by how many cores, and a checksum over all of them.
fn parameters(report: &PhaseReport, checksum: u64) -> IndexMap<String, serde_json::Value> {
    let metric = |core: usize, name: &str| report.metrics.get(&format!("node[0].core[{core}].{name}")).copied();
    let cores: Vec<[u64; 3]> = (0..)
        .map_while(|core| Some([metric(core, "fetches")?, metric(core, "reads")?, metric(core, "writes")?]))
        .filter(|kinds| kinds.iter().any(|&n| n > 0))
        .collect();
    let count = |kind: usize| json!(cores.iter().map(|kinds| kinds[kind]).sum::<u64>());
    IndexMap::from([
        ("cores".to_string(), json!(cores.len())),
        ("fetches".to_string(), count(0)),
        ("reads".to_string(), count(1)),
        ("writes".to_string(), count(2)),
        ("references_checksum".to_string(), json!(format!("{checksum:016x}"))),
    ])
}

/// The share of misses of every cache, of all cores together.
fn misses(report: &PhaseReport, begin: &str) -> Option<Reason> {
    let mut caches: IndexMap<&str, (u64, u64)> = IndexMap::new();
    let mut evidence = Vec::new();
    for (path, &accesses) in report.metrics.iter().filter(|(path, accesses)| path.ends_with(".accesses") && **accesses > 0) {
        let cache = path.strip_suffix(".accesses")?;
        let Some(&misses) = report.metrics.get(&format!("{cache}.misses")) else { continue };
        let sum = caches.entry(cache.rsplit('.').next()?).or_default();
        *sum = (sum.0 + misses, sum.1 + accesses);
        evidence.push(format!("{cache}.misses"));
    }
    let share = |(name, (misses, accesses)): (&str, (u64, u64))| {
        let name = if name == "llc" { "LLC".to_string() } else { name[..1].to_uppercase() + &name[1..] };
        format!("{name} missed {:.2}% of {accesses} accesses", 100.0 * misses as f64 / accesses as f64)
    };
    let shares: Vec<String> = caches.into_iter().map(share).collect();
    (!shares.is_empty()).then(|| Reason { sentence: format!("{begin}{}.", shares.join(", ")), evidence })
}
