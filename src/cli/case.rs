//! A machine and a workload as the command line names them, ready to be simulated.

use std::path::Path;
use std::sync::Arc;

use super::answer::{Failure, Stopped};
use super::names::{Library, is_path};
use super::trace_file;
use crate::base::diagnostic::SourceText;
use crate::experiment::record::{Record, Start};
use crate::experiment::run::{RunError, RunRequest, simulate};
use crate::experiment::trace::TraceFile;
use crate::experiment::workload::{Beside, Workload};
use crate::machine::Machine;
use crate::machine::catalogue::{Entry, Kind};

/// Operations a pass of a program may carry out before it counts as one that never ends: about a minute of simulating.
pub const OPERATION_LIMIT: u64 = 5_000_000_000;

/// What is asked of a machine and a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSettings {
    /// `--param`
    pub parameters: Vec<(String, String)>,
    /// `--threads`
    pub threads: Option<u32>,
    pub seed: u64,
    pub start: Start,
    /// Operations each pass may carry out.
    pub operation_limit: u64,
    /// `--functional`
    pub functional: bool,
    /// `--watch`
    pub watch: Option<String>,
}

impl Default for RunSettings {
    fn default() -> RunSettings {
        RunSettings {
            parameters: Vec::new(),
            threads: None,
            seed: 1,
            start: Start::Warm,
            operation_limit: OPERATION_LIMIT,
            functional: false,
            watch: None,
        }
    }
}

/// One machine, one workload.
#[derive(Clone, Debug)]
pub struct Case {
    /// As the command line calls it.
    pub machine_name: String,
    pub machine: Machine,
    pub workload: Workload,
}

impl Case {
    /// Reads both texts. What the workload says of the run-time comes before `set`, keys of the machine with other values.
    pub fn read(library: &Library, machine: &str, workload: &str, set: &[(String, String)]) -> Result<Case, Failure> {
        let entry = library.find(Kind::Machine, machine).map_err(|failure| swapped(library, machine, workload, failure))?;
        let workload = if trace_file::is_trace(workload) {
            bare_trace(workload)?
        } else {
            read_workload(library, &library.find(Kind::Workload, workload)?)?
        };
        let mut case = Case::new(library, &entry, workload, set)?;
        if is_path(machine) {
            let changes = changes(set);
            let own = case.machine.name.strip_suffix(&*changes).unwrap_or_default();
            case.machine.name = format!("{} ({own}){changes}", file_name(machine));
        }
        Ok(case)
    }

    /// The same where the texts are at hand.
    pub fn new(library: &Library, machine: &Entry, workload: Workload, set: &[(String, String)]) -> Result<Case, Failure> {
        let mut keys = Vec::new();
        if let Workload::Program(program) = &workload {
            keys.extend(program.runtime.iter().map(|(key, value)| (format!("runtime.{key}"), value.clone())));
        }
        keys.extend_from_slice(set);
        let mut resolved = library.resolve(&machine.source, &keys)?;
        // Two machines that differ are not called the same.
        resolved.name.push_str(&changes(set));
        Ok(Case { machine_name: machine.name.clone(), machine: resolved, workload })
    }

    /// One simulated run; `progress` hears how far it is, from 0 to 1.
    pub fn simulate(&self, settings: &RunSettings, library: &Library, progress: &mut dyn FnMut(f64)) -> Result<Record, Failure> {
        let request = RunRequest {
            machine: &self.machine,
            workload: &self.workload,
            parameters: &settings.parameters,
            threads: settings.threads,
            seed: settings.seed,
            start: settings.start,
            run_ahead: true,
            checks: true,
            operation_limit: settings.operation_limit,
            functional: settings.functional,
            watch: settings.watch.as_deref(),
        };
        simulate(&request, &library.catalogue, &mut |so_far| progress(so_far.fraction)).map_err(Failure::from)
    }
}

/// What `--set` changes, as it stands behind a machine's name.
fn changes(set: &[(String, String)]) -> String {
    set.iter().map(|(key, value)| format!(", {key} = {}", value.trim_matches('"'))).collect()
}

/// The last part of a path.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', std::path::MAIN_SEPARATOR]).next().unwrap_or(path)
}

/// What to say of a name that is no machine's: perhaps machine and workload are the wrong way round.
fn swapped(library: &Library, machine: &str, workload: &str, failure: Failure) -> Failure {
    match (library.find(Kind::Workload, machine), library.find(Kind::Machine, workload)) {
        (Ok(_), Ok(_)) => Failure::input(format!("`{machine}` is a workload and `{workload}` is a machine"))
            .help(format!("the machine comes first: flynn run {workload} {machine}")),
        _ => failure,
    }
}

/// The workload in a text; a program it names is sought beside it, then by name.
pub fn read_workload(library: &Library, entry: &Entry) -> Result<Workload, Failure> {
    Ok(Workload::read(&entry.name, &entry.source, &BesideText { library, source: &entry.source })?)
}

/// What lies beside a workload's text.
struct BesideText<'a> {
    library: &'a Library,
    source: &'a SourceText,
}

impl Beside for BesideText<'_> {
    fn program(&self, name: &str) -> Result<SourceText, String> {
        self.library.program_beside(self.source, name)
    }

    fn trace(&self, file: &str) -> Result<Arc<dyn TraceFile>, String> {
        let directory = Path::new(&*self.source.name).parent().unwrap_or(Path::new(""));
        trace_file::find(&directory.join(file)).map_err(|failure| failure.sentence())
    }
}

/// A trace as a workload of its own: the text that would name it, beside it.
fn bare_trace(path: &str) -> Result<Workload, Failure> {
    let file = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    let text = format!("kind = \"trace\"\nfile = {}\n", toml::Value::from(file.as_ref()));
    let source = SourceText::new(format!("{path}.toml"), text);
    let trace = trace_file::find(Path::new(path))?;
    Ok(Workload::read(&trace_file::trace_name(path), &source, &Bare(trace))?)
}

/// A trace that was found already.
struct Bare(Arc<dyn TraceFile>);

impl Beside for Bare {
    fn program(&self, name: &str) -> Result<SourceText, String> {
        Err(format!("there is no program `{name}`"))
    }

    fn trace(&self, _: &str) -> Result<Arc<dyn TraceFile>, String> {
        Ok(Arc::clone(&self.0))
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        match error {
            RunError::Input(diagnostics) => Failure::Texts(diagnostics),
            RunError::Trace(what) => Failure::input(what),
            RunError::Stopped(stop) => Failure::Stopped(Box::new(Stopped {
                help: (stop.kind == "limit").then(|| "`--limit OPERATIONS` lets it go on for longer".to_owned()),
                kind: stop.kind.to_string(),
                message: stop.message,
                source: stop.source,
                places: stop.places,
            })),
        }
    }
}
