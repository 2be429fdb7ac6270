//! One simulated run: a machine, a workload, and a record of what happened.
//!
//! ```text
//!   Initialise, save | Setup, Main (warm-up), restore | Setup, Main (measured) | Finish, Results
//!                      left out of a cold run
//! ```
//!
//! Only the measured pass is in the record; the others leave values in memory and lines in caches.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::base::diagnostic::{Diagnostic, Diagnostics, SourceText, Span};
use indexmap::IndexMap;

use crate::components::causes::{Cause, Causes};
use crate::components::network::NetworkSpec;
use crate::components::owner::Owner;
use crate::components::spec::{MachineSpec, NodeSpec, SpecFault};
use crate::experiment::bounds::{bounds, broken};
use crate::experiment::record::{Counts, MachineRecord, ProfileLine, Reason, Record, ResultRecord, SCHEMA, Start, WorkloadRecord};
use crate::experiment::result::{equality, json as json_value, result_record};
use crate::experiment::watch::{self, Place, WatchRecord, find};
use crate::experiment::why::reasons;
use crate::experiment::workload::{ProgramWorkload, TraceWorkload, TrafficWorkload, Workload};
use crate::experiment::{trace, traffic};
use crate::machine::Machine;
use crate::machine::catalogue::Catalogue;
use crate::machine::simulation::{PhaseError, PhaseReport, Simulation};
use crate::program::check::Bindings;
use crate::program::code::{Code, Phase, Plan};
use crate::program::compile;
use crate::program::lower::lower;
use crate::program::memory::Memory;
use crate::program::tree::{Program, Value};

/// What is to be simulated.
#[derive(Clone, Copy, Debug)]
pub struct RunRequest<'a> {
    pub machine: &'a Machine,
    pub workload: &'a Workload,
    /// Values of the program's parameters, after those of the workload file.
    pub parameters: &'a [(String, String)],
    /// As the machine's `[runtime]` says where `None`.
    pub threads: Option<u32>,
    pub seed: u64,
    pub start: Start,
    /// Whether cores run ahead of the engine: faster, and never another result.
    pub run_ahead: bool,
    /// Whether copies of lines carry versions, so that a broken protocol stops the run; only where the machine has it on.
    pub checks: bool,
    /// Operations that each pass may carry out.
    pub operation_limit: u64,
    /// Whether only counts are wanted, and no time: of a trace.
    pub functional: bool,
    /// The object whose line's life is wanted, as the program names it; only of a program.
    pub watch: Option<&'a str>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// From 0 to 1, by passes.
    pub fraction: f64,
}

/// Why there is no record.
#[derive(Clone, Debug)]
pub enum RunError {
    /// A text is wrong, or texts do not fit each other.
    Input(Diagnostics),
    /// The run did not come to its end.
    Stopped(Stop),
    /// A trace cannot be read: what is wrong, and in which line.
    Trace(String),
}

impl From<Diagnostics> for RunError {
    fn from(diagnostics: Diagnostics) -> RunError {
        RunError::Input(diagnostics)
    }
}

/// A run that did not come to its end, as a person is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    /// `deadlock`, `fault`, `limit`, `coherence`, `saturated` or `model`.
    pub kind: &'static str,
    /// The sentence; it names the lines.
    pub message: String,
    /// The text that `places` point into.
    pub source: SourceText,
    pub places: Vec<(Span, String)>,
}

/// A program as Code, its parameters bound: what every back end runs.
///
/// # Errors
/// What is wrong with the text, its parameters, or its use of the run-time.
pub fn prepare(
    source: &SourceText,
    parameters: &[(String, String)],
    plan: &Plan,
    catalogue: &Catalogue,
) -> Result<(Program, Code), Diagnostics> {
    let bindings = Bindings { parameters: parameters.to_vec(), threads: plan.threads, ranks: plan.ranks };
    let program = compile(source, &bindings).map_err(|faults| blame_parameters(source, &bindings, faults))?;
    let code = lower(&program, plan, &catalogue.runtime_texts())?;
    Ok((program, code))
}

/// Faults that a program has only with the parameters given for this run are told once, and with what was given.
fn blame_parameters(source: &SourceText, bindings: &Bindings, mut faults: Diagnostics) -> Diagnostics {
    let of_values =
        |fault: &Diagnostic| fault.span.is_some() && fault.help.as_deref().is_none_or(|help| help.contains("parameters"));
    let own = Bindings { parameters: Vec::new(), ..*bindings };
    if bindings.parameters.is_empty() || !faults.iter().all(of_values) || compile(source, &own).is_err() {
        return faults;
    }
    faults.truncate(1);
    let given: Vec<String> = bindings.parameters.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let help = format!("{} was given for this run; without that the program is right", given.join(", "));
    faults.into_iter().map(|fault| fault.help(help.clone())).collect()
}

/// Simulates one run.
///
/// # Errors
/// Faults of the texts, or why the run did not come to its end.
pub fn simulate(request: &RunRequest, catalogue: &Catalogue, progress: &mut dyn FnMut(Progress)) -> Result<Record, RunError> {
    if let (Some(_), Workload::Traffic(TrafficWorkload { source, .. }) | Workload::Trace(TraceWorkload { source, .. })) =
        (request.watch, request.workload)
    {
        let message = "only the objects of a program can be watched";
        return Err(RunError::Input(vec![Diagnostic::at(source, None, message).help("leave out `--watch`")]));
    }
    match request.workload {
        Workload::Program(workload) => simulate_program(request, workload, catalogue, progress),
        Workload::Traffic(workload) => traffic::simulate(request, workload),
        Workload::Trace(workload) => trace::simulate(request, workload, progress),
    }
}

fn simulate_program(
    request: &RunRequest,
    workload: &ProgramWorkload,
    catalogue: &Catalogue,
    progress: &mut dyn FnMut(Progress),
) -> Result<Record, RunError> {
    if request.functional {
        let message = "only traces can be run without time: a program's threads meet in time";
        return Err(RunError::Input(vec![Diagnostic::at(&workload.source, None, message).help("leave out `--functional`")]));
    }
    let plan = request.machine.plan(request.threads, request.seed)?;
    let parameters = [&workload.parameters[..], request.parameters].concat();
    let (program, code) = prepare(&workload.source, &parameters, &plan, catalogue)?;
    if program.uses_ranks && request.machine.interface.is_none() {
        let message = format!(
            "this program is one of ranks that send messages, and {} has one address space: ranks as processes that share a memory \
             are not built yet",
            request.machine.name
        );
        let help = "take a machine with an address space for each node, such as norma-hypercube-16";
        return Err(RunError::Input(vec![Diagnostic::at(&workload.source, None, message).help(help)]));
    }
    let code = Arc::new(code);
    let mut run = Run::new(request, &workload.source, &code)?;
    let watched = request.watch.map(|object| run.watch(object, request.machine)).transpose()?;
    let report = run.passes(progress)?;
    let life = watched.and_then(|place| run.life(&place));
    let values = run.results()?;
    let runtime = runtime_json(&plan, code.ranks);
    let workload_record = WorkloadRecord {
        name: workload.name.clone(),
        text: workload.source.text.to_string(),
        text_sha256: sha256(&workload.source.text),
        parameters: program.parameters.iter().map(|parameter| (parameter.name.clone(), json_value(parameter.value))).collect(),
        runtime,
    };
    let result = result_record(&values, equality(&program));
    let record = record(request, workload_record, result, &report, &workload.source)?;
    Ok(Record { watch: life, ..record })
}

/// A node on its way through the passes of a run.
struct Run<'a> {
    node: Simulation,
    code: &'a Code,
    source: &'a SourceText,
    start: Start,
}

impl<'a> Run<'a> {
    fn new(request: &RunRequest, source: &'a SourceText, code: &'a Arc<Code>) -> Result<Run<'a>, RunError> {
        let memories = (0..code.ranks.max(1)).map(|_| Memory::new(&code.arena)).collect::<Result<Vec<_>, _>>();
        let memories = memories.map_err(|error| vec![Diagnostic::at(source, None, error.to_string())])?;
        let spec = machine_spec(request);
        let mut node =
            Simulation::of(&spec, Arc::clone(code), memories).map_err(|faults| misfits(request.machine, source, &faults))?;
        node.set_run_ahead(request.run_ahead);
        node.limit_operations(request.operation_limit);
        Ok(Run { node, code, source, start: request.start })
    }

    /// From now on remembers what happens to the line of an object.
    fn watch(&mut self, object: &str, machine: &Machine) -> Result<Place, RunError> {
        let fault = |message: String, help: String| {
            RunError::Input(vec![Diagnostic::at(self.source, None, message).key("--watch").help(help)])
        };
        let place = find(self.code, object, machine.line_bytes()).map_err(|(message, help)| fault(message, help))?;
        if !self.node.watch(place.address) {
            let message = format!("no line of `{object}` can be watched: the machine has no coherent caches");
            return Err(fault(message, "take one with private caches and a protocol, such as uma-bus-4".to_owned()));
        }
        Ok(place)
    }

    /// The life of the line in the phase that is over.
    fn life(&self, place: &Place) -> Option<WatchRecord> {
        let protocol = self.node.protocol()?;
        self.node.life().map(|life| watch::record(place, life, protocol))
    }

    /// Everything up to the measured pass, whose report comes back.
    fn passes(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<PhaseReport, RunError> {
        let steps = match self.start {
            Start::Cold => vec![Phase::Initialise, Phase::Setup],
            Start::Warm => vec![Phase::Initialise, Phase::Setup, Phase::Main, Phase::Setup],
        };
        let total = (steps.len() + 2) as f64;
        for (number, phase) in steps.into_iter().enumerate() {
            progress(Progress { fraction: number as f64 / total });
            self.phase(phase)?;
            match phase {
                Phase::Initialise => self.node.change_memories(Memory::save),
                Phase::Main => self.node.change_memories(Memory::restore),
                Phase::Setup | Phase::Finish | Phase::Results => {}
            }
        }
        progress(Progress { fraction: (total - 2.0) / total });
        let report = self.phase(Phase::Main)?.unwrap_or_else(|| unreachable!("every program has a timed part"));
        progress(Progress { fraction: (total - 1.0) / total });
        Ok(report)
    }

    /// The values the program computed.
    fn results(&mut self) -> Result<Vec<Value>, RunError> {
        self.phase(Phase::Finish)?;
        self.phase(Phase::Results)?;
        let memory = self.node.memory();
        Ok(self.code.results.iter().map(|slot| Value::from_bits(slot.r#type, memory.load(slot.r#type, slot.address))).collect())
    }

    fn phase(&mut self, phase: Phase) -> Result<Option<PhaseReport>, RunError> {
        self.node.change_memories(Memory::reset_runtime);
        let Some(function) = self.code.function(phase) else { return Ok(None) };
        match self.node.run(function) {
            Ok(report) => Ok(Some(report)),
            Err(error) => Err(RunError::Stopped(stop(&error, self.code, self.source))),
        }
    }
}

/// The machine as this run wants it.
pub(super) fn machine_spec(request: &RunRequest) -> MachineSpec {
    let mut spec = request.machine.spec();
    spec.node.checks = (spec.node.checks && request.checks) || request.watch.is_some();
    spec.node.seed = request.seed;
    spec
}

/// Its only node.
///
/// # Errors
/// Where there are several: what is run cannot be spread over them.
pub(super) fn node_spec(request: &RunRequest, source: &SourceText, what: &str) -> Result<NodeSpec, RunError> {
    match request.machine.nodes.len() {
        1 => Ok(machine_spec(request).node),
        n => {
            let message = format!("{what} run on a machine of one node, and `{}` has {n}", request.machine.name);
            Err(RunError::Input(vec![Diagnostic::at(source, None, message).help("take one of one node, such as uma-bus-4")]))
        }
    }
}

/// What keeps the workload in `source` from running on the machine: at the machine's key, or where it is the workload's own.
pub(super) fn misfits(machine: &Machine, source: &SourceText, faults: &[SpecFault]) -> RunError {
    let diagnostics = faults.iter().map(|fault| {
        if !fault.key.starts_with("traffic.") {
            return machine.diagnostic(0, fault.clone());
        }
        let mut diagnostic = Diagnostic::at(source, None, fault.message.clone()).key(fault.key.clone());
        diagnostic.help = fault.help.clone();
        diagnostic
    });
    RunError::Input(diagnostics.collect())
}

/// What a person is told of a run that did not come to its end.
pub(super) fn stop(error: &PhaseError, code: &Code, source: &SourceText) -> Stop {
    let stopped = |kind, message: String, places| Stop { kind, message, source: source.clone(), places };
    match error {
        PhaseError::Fault(fault) => {
            let diagnostic = code.describe_fault(fault);
            let places =
                diagnostic.span.map(|span| (span, diagnostic.message.clone())).into_iter().chain(diagnostic.related.clone());
            stopped("fault", diagnostic.to_string(), places.collect())
        }
        PhaseError::Stuck { waits, lines } => stopped(
            "deadlock",
            format!("nothing can move: {}", waits.join("; ")),
            places(source, lines, ["is stuck here", "are stuck here"]),
        ),
        PhaseError::OperationLimit { limit, lines } => {
            if lines.is_empty() {
                return stopped("limit", format!("the trace has more than {limit} references"), Vec::new());
            }
            let message =
                format!("the program did not end within {limit} operations{}: a loop that never ends?", where_threads_were(lines));
            stopped("limit", message, places(source, lines, ["was here", "were here"]))
        }
        PhaseError::TimeLimit => stopped("limit", error.to_string(), Vec::new()),
        PhaseError::Violation(_) => stopped("coherence", error.to_string(), Vec::new()),
        PhaseError::Saturated { .. } => stopped("saturated", error.to_string(), Vec::new()),
        PhaseError::Trace(what) => stopped("trace", what.clone(), Vec::new()),
        PhaseError::NotConserved(_) => stopped("model", error.to_string(), Vec::new()),
    }
}

/// As many threads are told one by one.
const FEW: usize = 8;

/// ", thread 0 was at line 3, ..."; of many threads how many were at each line.
fn where_threads_were(lines: &[(u32, u32)]) -> String {
    if lines.len() <= FEW {
        return lines.iter().map(|(thread, line)| format!(", thread {thread} was at line {line}")).collect();
    }
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    lines.iter().for_each(|(_, line)| *counts.entry(*line).or_default() += 1);
    counts.iter().map(|(line, threads)| format!(", {threads} of {} threads were at line {line}", lines.len())).collect()
}

/// The lines that threads were at, each once, with a sentence that names the threads.
fn places(source: &SourceText, lines: &[(u32, u32)], [one, several]: [&str; 2]) -> Vec<(Span, String)> {
    let mut threads: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (thread, line) in lines {
        threads.entry(*line).or_default().push(thread.to_string());
    }
    let sentence = |threads: Vec<String>| match &threads[..] {
        [thread] => format!("thread {thread} {one}"),
        threads if threads.len() > FEW => format!("{} threads {several}", threads.len()),
        threads => format!("threads {} {several}", threads.join(", ")),
    };
    threads.into_iter().filter_map(|(line, threads)| Some((line_span(source, line)?, sentence(threads)))).collect()
}

/// The text of a line, from 1, without its indentation.
fn line_span(source: &SourceText, line: u32) -> Option<Span> {
    let mut start = 0;
    for (number, text) in (1..).zip(source.text.split_inclusive('\n')) {
        if number == line {
            let indentation = text.len() - text.trim_start().len();
            return Some(Span::new(start + indentation, start + text.trim_end().len().max(indentation)));
        }
        start += text.len();
    }
    None
}

/// The record of a measured phase.
fn record(
    request: &RunRequest,
    workload: WorkloadRecord,
    result: ResultRecord,
    report: &PhaseReport,
    source: &SourceText,
) -> Result<Record, RunError> {
    let profile = profile(report);
    let network = request.machine.joined.as_ref().map(|joined| &*joined.spec);
    let why = why((&request.machine.nodes, network), report, &profile, source)?;
    Ok(assemble(request, workload, result, report, profile, why))
}

/// Why a phase took its time; a phase that took less than some resource needs is a fault of the model.
pub(super) fn why(
    (nodes, network): (&[NodeSpec], Option<&NetworkSpec>),
    report: &PhaseReport,
    profile: &[ProfileLine],
    source: &SourceText,
) -> Result<Vec<Reason>, RunError> {
    let bounds = bounds(nodes, network, &report.metrics);
    if let Some(bound) = broken(report.time, &bounds) {
        let message =
            format!("the run took {} ps, less than {} needs ({} ps): a fault of Flynn's", report.time.0, bound.name, bound.time_ps);
        return Err(RunError::Stopped(Stop { kind: "model", message, source: source.clone(), places: Vec::new() }));
    }
    Ok(reasons(report.time.0, &report.metrics, profile, &source.text, nodes, network))
}

/// A record of what is at hand.
pub(super) fn assemble(
    request: &RunRequest,
    workload: WorkloadRecord,
    result: ResultRecord,
    report: &PhaseReport,
    profile: Vec<ProfileLine>,
    why: Vec<Reason>,
) -> Record {
    Record {
        schema: SCHEMA,
        flynn: env!("CARGO_PKG_VERSION").to_string(),
        seed: request.seed,
        start: request.start,
        machine: MachineRecord::of(request.machine),
        workload,
        time_ps: report.time.0,
        result,
        counts: Counts {
            events: report.messages,
            operations: report.totals.operations,
            memory_accesses: report.totals.accesses,
            flops: report.totals.flops,
            bytes: report.totals.bytes,
        },
        metrics: report.metrics.clone(),
        profile,
        timelines: report.timelines.clone(),
        why,
        watch: None,
    }
}

/// Costs by source line, costliest first. Idle time belongs to no line.
fn profile(report: &PhaseReport) -> Vec<ProfileLine> {
    let mut profile: Vec<ProfileLine> = report
        .lines
        .iter()
        .filter(|&(&line, stack)| line > 0 && stack.total().0 > 0)
        .map(|(&line, stack)| ProfileLine {
            line,
            time_ps: stack.total().0,
            stack: Owner::ALL
                .iter()
                .map(|&(name, owner)| (name.to_string(), stack.of(owner).0))
                .filter(|&(_, time)| time > 0)
                .collect(),
            misses: misses(report.causes.get(&line)),
        })
        .collect();
    profile.sort_by_key(|line| (std::cmp::Reverse(line.time_ps), line.line));
    profile
}

/// Misses by cause, those that there are.
fn misses(causes: Option<&Causes>) -> IndexMap<String, u64> {
    let counted = |&(name, cause): &(&str, Cause)| {
        (name.trim_start_matches("misses_").to_string(), causes.map_or(0, |causes| causes[cause as usize]))
    };
    Cause::ALL.iter().map(counted).filter(|&(_, count)| count > 0).collect()
}

pub(super) fn runtime_json(plan: &Plan, ranks: u32) -> serde_json::Value {
    let mut runtime = json!({
        "threads": plan.threads,
        "lock": plan.lock,
        "barrier": plan.barrier,
        "reduce": plan.reduce,
        "schedule": { "kind": plan.schedule.kind, "chunk": plan.schedule.chunk },
        "padding_bytes": plan.padding,
    });
    if ranks > 1 {
        runtime["ranks"] = ranks.into();
        runtime["collectives"] = json!(plan.collectives);
    }
    runtime
}

/// 64 hexadecimal digits.
pub(super) fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
