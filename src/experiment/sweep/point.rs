//! One point of an experiment: what is run, the key that names all of it, and what came out.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::base::diagnostic::{Diagnostic, Diagnostics};
use crate::experiment::record::{MachineRecord, Record, SCHEMA};
use crate::experiment::run::{RunError, RunRequest, prepare, runtime_json, simulate};
use crate::experiment::sweep::experiment::{Experiment, Varies};
use crate::experiment::trace::TraceFile;
use crate::experiment::workload::Workload;
use crate::machine::Machine;
use crate::machine::catalogue::Catalogue;
use crate::machine::overrides::Override;

/// Finds a machine by its number and reads it.
pub type MachineFinder<'a> = dyn Fn(usize, &[Override]) -> Result<Machine, Diagnostics> + Sync + 'a;

/// What an experiment is made with: what its names lead to.
pub struct Bench<'a> {
    /// In the order of the axis.
    pub workloads: &'a [Workload],
    /// Finds machine number n of the axis and reads it with other values of keys.
    pub machine: &'a MachineFinder<'a>,
    /// Keys of machines that count more than what the experiment says: `--set`.
    pub set: &'a [(String, String)],
    pub catalogue: &'a Catalogue,
    /// Operations that each pass may carry out.
    pub operation_limit: u64,
    /// Names the code that simulates: points finished by other code are run again.
    pub code: &'a str,
}

/// Names everything that determines a point's record: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PointKey(String);

impl fmt::Display for PointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What came out of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Record(Box<Record>),
    /// The run did not come to its end: one word, and a sentence.
    Stopped {
        kind: String,
        message: String,
    },
}

/// A point that can be run.
pub struct Point<'a> {
    machine: Machine,
    workload: &'a Workload,
    parameters: Vec<(String, String)>,
    threads: Option<u32>,
    experiment: &'a Experiment,
    bench: &'a Bench<'a>,
}

impl<'a> Point<'a> {
    /// Point number n.
    ///
    /// # Errors
    /// What is wrong with its machine.
    pub fn new(experiment: &'a Experiment, bench: &'a Bench<'a>, number: usize) -> Result<Point<'a>, Diagnostics> {
        let coordinates = experiment.coordinates(number);
        let at = |varies: Varies| {
            let found = experiment.axes.iter().zip(&coordinates).find(|(axis, _)| axis.varies == varies);
            found.map(|(axis, &value)| (value, &axis.values[value]))
        };
        let chosen = |varies| at(varies).map_or(0, |(value, _)| value);
        let workload = &bench.workloads[chosen(Varies::Workload)];
        let threads = at(Varies::Threads).and_then(|(_, value)| value.number()).map(|number| number as u32);
        let (overrides, changes) = overrides(experiment, bench, workload, &coordinates)?;
        let mut machine = (bench.machine)(chosen(Varies::Machine), &overrides)?;
        // Two machines that differ are not called the same.
        machine.name.push_str(&changes);
        Ok(Point { machine, workload, parameters: experiment.parameters(&coordinates), threads, experiment, bench })
    }

    /// Names the point, after a look at whether its program is right.
    ///
    /// # Errors
    /// What is wrong with the program, its parameters or its number of threads.
    pub fn key(&self, traces: &[Option<String>], workload: usize) -> Result<PointKey, Diagnostics> {
        let (text, parameters, plan) = match self.workload {
            Workload::Program(program) => {
                let plan = self.machine.plan(self.threads, self.experiment.seed)?;
                let parameters = [&program.parameters[..], &self.parameters].concat();
                prepare(&program.source, &parameters, &plan, self.bench.catalogue)?;
                (&program.source, parameters, runtime_json(&plan, plan.ranks))
            }
            Workload::Traffic(traffic) => {
                self.without_threads(&traffic.source.name)?;
                traffic.with_parameters(&self.parameters)?;
                (&traffic.source, self.parameters.clone(), json!(null))
            }
            Workload::Trace(trace) => {
                self.without_threads(&trace.source.name)?;
                if let Some(parameter) = self.parameters.first() {
                    return Err(self.misfit(format!("a memory trace has no parameter `{}`", parameter.0)));
                }
                (&trace.source, Vec::new(), json!(null))
            }
        };
        let runtime: Vec<_> = self.bench.catalogue.runtime_texts().into_iter().map(|(name, text)| (name, text.text)).collect();
        let runtime: Vec<(String, &str)> = runtime.iter().map(|(name, text)| (name.clone(), &**text)).collect();
        let all = json!({
            "schema": SCHEMA, "flynn": env!("CARGO_PKG_VERSION"), "code": self.bench.code,
            "machine": MachineRecord::of(&self.machine),
            "workload": self.workload.name(), "text": &*text.text, "trace": traces[workload], "parameters": parameters,
            "plan": plan, "runtime": runtime,
            "seed": self.experiment.seed, "start": self.experiment.start, "limit": self.bench.operation_limit,
        });
        Ok(PointKey(hexadecimal(&Sha256::digest(all.to_string().as_bytes()))))
    }

    fn without_threads(&self, name: &str) -> Result<(), Diagnostics> {
        match self.threads {
            Some(_) => Err(self.misfit(format!("{name} is no program, so it has no threads that could be swept"))),
            None => Ok(()),
        }
    }

    fn misfit(&self, message: String) -> Diagnostics {
        vec![Diagnostic::at(&self.experiment.source, self.experiment.axes[1].place.span, message).key("workloads")]
    }

    /// Runs it. Whatever ends it early is an outcome, too.
    pub fn run(&self) -> Outcome {
        let request = RunRequest {
            machine: &self.machine,
            workload: self.workload,
            parameters: &self.parameters,
            threads: self.threads,
            seed: self.experiment.seed,
            start: self.experiment.start,
            run_ahead: true,
            checks: true,
            operation_limit: self.bench.operation_limit,
            functional: false,
            watch: None,
        };
        let stopped = |kind: &str, message: String| Outcome::Stopped { kind: kind.to_owned(), message };
        match simulate(&request, self.bench.catalogue, &mut |_| {}) {
            Ok(record) => Outcome::Record(Box::new(record)),
            Err(RunError::Stopped(stop)) => stopped(stop.kind, stop.message),
            Err(RunError::Trace(what)) => stopped("trace", what),
            Err(RunError::Input(faults)) => stopped("input", faults.first().map_or(String::new(), ToString::to_string)),
        }
    }
}

/// What a point's machine has otherwise than its text, and the same in words: of the workload, of the experiment, of its sweeps, of
/// the command line, in this order.
fn overrides(
    experiment: &Experiment,
    bench: &Bench<'_>,
    workload: &Workload,
    coordinates: &[usize],
) -> Result<(Vec<Override>, String), Diagnostics> {
    let mut overrides = Vec::new();
    let mut changes = String::new();
    let alone = |fault: Box<Diagnostic>| vec![*fault];
    if let Workload::Program(program) = workload {
        for (key, value) in &program.runtime {
            overrides.push(Override::new(&format!("runtime.{key}"), value).map_err(alone)?);
        }
    }
    let swept = experiment.axes.iter().zip(coordinates).filter(|(axis, _)| axis.varies == Varies::Key);
    let swept = swept.map(|(axis, &at)| (axis.name.as_str(), &axis.place, &axis.values[at]));
    let fixed = experiment.set.iter().map(|each| (each.name.as_str(), &each.key, &each.value));
    for (name, place, value) in fixed.chain(swept) {
        overrides.push(Override::to_value(name, place.clone(), value.value.clone()).map_err(alone)?);
        // Writing to a string cannot fail.
        let _ = write!(changes, ", {name} = {}", value.text);
    }
    for (key, value) in bench.set {
        overrides.push(Override::new(key, value).map_err(alone)?);
        let _ = write!(changes, ", {key} = {}", value.trim_matches('"'));
    }
    Ok((overrides, changes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names the content of a trace.
///
/// # Errors
/// Why it cannot be read.
pub fn digest(file: &dyn TraceFile) -> Result<String, String> {
    let mut bytes = file.open()?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match bytes.read(&mut buffer)? {
            0 => return Ok(hexadecimal(&digest.finalize())),
            n => digest.update(&buffer[..n]),
        }
    }
}
