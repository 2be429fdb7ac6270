//! `flynn check FILE...`

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value as Json, json};

use crate::base::diagnostic::{Diagnostics, SourceText};
use crate::cli::answer::{Answer, Failure, Outcome};
use crate::cli::arguments::{FormatArguments, ProgramArguments, SetArguments};
use crate::cli::case::read_workload;
use crate::cli::commands::experiment::check_experiment;
use crate::cli::console::Console;
use crate::cli::names::Library;
use crate::cli::outcomes::{Asked, LitmusAnswer, seen};
use crate::cli::output::{OutputFile, file_name, write_directory};
use crate::cli::proof::{Proof, Wanted};
use crate::coherence::consistency::Consistency;
use crate::coherence::explore::{MOST_AGENTS, MOST_LINES};
use crate::experiment::run::prepare;
use crate::experiment::workload::Workload;
use crate::machine::Machine;
use crate::machine::catalogue::{Entry, Kind};
use crate::program::check::{RuntimeBindings, check_runtime};
use crate::program::code::{Code, Plan};
use crate::program::tree::{CollectiveOperation, Program, ReduceOperator, Type};

/// What programs are lowered for and parts are put into where no machine is named.
const USUAL_MACHINE: &str = "uma-bus-4";
/// As many states of a protocol are explored at most: more take more memory than most computers have.
const MOST_STATES: i64 = 200_000_000;
/// Runs of a litmus test on this computer at most.
const MOST_RUNS: i64 = 100_000_000;
/// The name under which a part that is checked is known.
const PART_UNDER_TEST: &str = "part-under-test";

/// Say whether files are right, and where not: machines, workloads, protocols, parts, run-time texts
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn check my-machine.toml
  flynn check configs/machines/*.toml configs/workloads/*
  flynn check my-program.flynn --threads 4 --param n=1000
  flynn check triad --code                  the flat code that both back ends run
  flynn check triad --code --machine uma-bus-16
  flynn check my-machine.toml --format json
  flynn check my-protocol.toml              every state of 2 agents and 1 line, and of 3 agents and 1 line
  flynn check mesi --agents 2 --lines 2
  flynn check directory-mesi                packets in any order; homes that note all sharers, and homes that note one
  flynn check litmus-sb --outcomes          every outcome that sequential consistency and total store order allow
  flynn check litmus-mp --outcomes --protocol my-protocol.toml
  flynn check litmus-sb --outcomes --host 100000    and what 100,000 runs on this computer's threads give
  flynn check my-protocol.toml --output .   and, if it is refuted, the chart as my-protocol-counterexample/counterexample.svg

What a file is meant to be is read off its content. Exit code 1: something is wrong with one of them.

A coherence protocol is explored: every order in which a few cores can read, write and evict, requests can reach the bus and be
answered, and data can move, with the code that simulates them. If some order leads to an impossible event, to a writer beside
another reader or writer, to an old value read, to a write lost, or to a state that never comes to rest, the shortest way there
is shown as a sequence chart: agents, bus and memory side by side, a step a line; (old) marks copies that miss a write.

With --outcomes a program is explored as a litmus test: one team of up to 4 threads that share a few places by `atomic` accesses,
each on a core of its own, without store buffers (sc) and with (tso), on the caches of a protocol.")]
pub struct Arguments {
    /// Files, or names of `flynn list`
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,

    /// Print the Code a program is lowered to
    #[arg(long)]
    code: bool,

    /// The machine whose cores, lines and [runtime] a program is lowered for [default: uma-bus-4 with a core for each of --threads]
    #[arg(long, value_name = "MACHINE")]
    machine: Option<String>,

    /// Print all results that a small program can have, under each consistency model
    #[arg(long)]
    outcomes: bool,

    /// The consistency model of --outcomes, sc or tso [default: both, side by side]
    #[arg(long, value_name = "MODEL", requires = "outcomes", value_parser = consistency)]
    consistency: Option<Consistency>,

    /// The protocol of --outcomes, a name or a file
    #[arg(long, value_name = "PROTOCOL", requires = "outcomes", default_value = "mesi")]
    protocol: String,

    /// With --outcomes: run the program so often on this computer's threads, too, and say whether all results are allowed
    #[arg(long, value_name = "RUNS", requires = "outcomes", value_parser = clap::value_parser!(u32).range(1..=MOST_RUNS))]
    host: Option<u32>,

    /// Explore protocols with so many agents (caches), up to 4 [default: 2 and 3 in turn]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=MOST_AGENTS as i64))]
    agents: Option<u8>,

    /// Explore protocols with so many lines, 1 or 2 [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=MOST_LINES as i64))]
    lines: Option<u8>,

    /// Accesses that an agent may have waiting at a time, each for another line: 2 for cores with several misses under way
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=MOST_LINES as i64))]
    misses: u8,

    /// Sharers that a home notes of a line before it takes all agents for sharers [default: all, and then 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=MOST_AGENTS as i64))]
    pointers: Option<u8>,

    /// End an exploration at so many states; a million take up to 700 MB, many millions less each [default: 1000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST_STATES))]
    states: Option<u32>,

    /// Where the sequence chart of a refuted protocol is written as SVG
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,

    #[command(flatten)]
    set: SetArguments,

    #[command(flatten)]
    program: ProgramArguments,

    #[command(flatten)]
    format: FormatArguments,
}

/// What is right about a file.
struct Verdict {
    /// For people.
    sentence: String,
    /// For programs, beside `file` and `kind`.
    facts: Map<String, Json>,
    /// `--code`
    code: Option<Code>,
    /// What the file does not hold up to, beyond being readable.
    faults: Diagnostics,
}

impl Verdict {
    fn new(sentence: impl Into<String>) -> Verdict {
        Verdict { sentence: sentence.into(), facts: Map::new(), code: None, faults: Diagnostics::new() }
    }

    fn fact(mut self, key: &str, value: impl Into<Json>) -> Verdict {
        self.facts.insert(key.to_owned(), value.into());
        self
    }
}

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    let library = Library::new().with_runtime_beside(arguments.machine.as_deref().unwrap_or_default());
    let checker = Checker { library, arguments };
    let mut faults = Diagnostics::new();
    let mut files = Vec::new();
    let mut texts = Vec::new();
    for file in &checker.arguments.files {
        let entry = checker.library.find_any(file)?;
        let mut document = Map::new();
        document.insert("file".to_owned(), json!(&*entry.source.name));
        document.insert("kind".to_owned(), json!(entry.kind.noun()));
        match checker.check(&entry) {
            Ok(mut verdict) => {
                texts.push(format!("{}: {}", entry.source.name, verdict.sentence));
                texts.extend(verdict.code.map(|code| code.to_string()));
                document.insert("ok".to_owned(), json!(verdict.faults.is_empty()));
                document.extend(verdict.facts);
                faults.append(&mut verdict.faults);
            }
            Err(Failure::Texts(mut diagnostics)) => {
                document.insert("ok".to_owned(), json!(false));
                faults.append(&mut diagnostics);
            }
            Err(other) => return Err(other),
        }
        files.push(document);
    }
    if checker.arguments.format.is_json() {
        console.print_json(&document(&faults, files))?;
    } else {
        if !texts.is_empty() {
            console.print(&texts.join("\n"))?;
        }
        console.complain_of(&faults);
    }
    Ok(if faults.is_empty() { Answer::Yes } else { Answer::No })
}

/// What `--format json` prints: the facts of a single file stand at the top too.
fn document(faults: &Diagnostics, files: Vec<Map<String, Json>>) -> Map<String, Json> {
    let mut document = Map::new();
    document.insert("ok".to_owned(), json!(faults.is_empty()));
    document.insert("diagnostics".to_owned(), faults.iter().map(|fault| json!(fault.report())).collect());
    if let [only] = &files[..] {
        document.extend(only.iter().filter(|(key, _)| *key != "ok").map(|(key, value)| (key.clone(), value.clone())));
    }
    document.insert("files".to_owned(), json!(files));
    document
}

struct Checker {
    library: Library,
    arguments: Arguments,
}

impl Checker {
    fn check(&self, entry: &Entry) -> Result<Verdict, Failure> {
        if self.arguments.code && entry.kind != Kind::Workload {
            return Err(Failure::input(format!("{} is a {}: only programs become Code", entry.source.name, entry.kind.noun())));
        }
        if self.arguments.outcomes && entry.kind != Kind::Workload {
            let sentence = format!("{} is a {}: only programs have outcomes", entry.source.name, entry.kind.noun());
            return Err(Failure::input(sentence));
        }
        match entry.kind {
            Kind::Machine => self.machine(&entry.source),
            Kind::Workload => self.workload(entry),
            Kind::Protocol => self.protocol(entry),
            Kind::Runtime => self.runtime(&entry.source),
            Kind::Processor | Kind::Memory | Kind::Link => self.part(entry),
            Kind::Experiment => {
                let n = check_experiment(&self.library, entry, &self.arguments.set.set)?;
                Ok(Verdict::new(format!("an experiment of {n} points")).fact("points", n))
            }
        }
    }

    fn machine(&self, source: &SourceText) -> Result<Verdict, Failure> {
        let machine = self.library.resolve(source, &self.arguments.set.set)?;
        let cores = machine.cores();
        let plural = if cores == 1 { "" } else { "s" };
        let sentence =
            format!("a machine of {cores} core{plural}, {}, {}", machine.organisation.to_uppercase(), machine.flynn_class);
        Ok(Verdict::new(sentence)
            .fact("organisation", machine.organisation)
            .fact("flynn_class", machine.flynn_class)
            .fact("cores", cores))
    }

    fn workload(&self, entry: &Entry) -> Result<Verdict, Failure> {
        let workload = match read_workload(&self.library, entry)? {
            Workload::Program(program) => program,
            Workload::Traffic(_) | Workload::Trace(_) if self.arguments.outcomes => {
                return Err(Failure::input(format!("{} is no program: only programs have outcomes", entry.source.name)));
            }
            Workload::Traffic(_) if self.arguments.code => {
                return Err(Failure::input(format!("{} is traffic: only programs become Code", entry.source.name)));
            }
            Workload::Traffic(_) => return Ok(Verdict::new("a workload of traffic").fact("workload", "traffic")),
            Workload::Trace(_) if self.arguments.code => {
                return Err(Failure::input(format!("{} is a trace: only programs become Code", entry.source.name)));
            }
            Workload::Trace(trace) => {
                let cores = trace.count().map_err(Failure::input)?;
                let [fetches, reads, writes] = [0, 1, 2].map(|kind| cores.iter().map(|core| core.kinds[kind]).sum::<u64>());
                let of = if cores.len() > 1 { format!(" by cores 0 to {}", cores.len() - 1) } else { String::new() };
                let sentence = format!("a memory trace: {fetches} instruction fetches, {reads} reads, {writes} writes{of}");
                let verdict = Verdict::new(sentence).fact("workload", "trace").fact("references", fetches + reads + writes);
                return Ok(verdict.fact("cores", cores.len()));
            }
        };
        let parameters = [&workload.parameters[..], &self.arguments.program.parameters].concat();
        let plan = self.plan(&workload.runtime)?;
        let (program, code) = prepare(&workload.source, &parameters, &plan, &self.library.catalogue)?;
        if self.arguments.outcomes {
            return self.litmus(&program, code, &parameters, &plan);
        }
        let instructions = code.instructions.len();
        let sentence = format!("a program; {instructions} instructions of Code for {}", threads(code.threads));
        let named: Map<String, Json> =
            program.parameters.iter().map(|parameter| (parameter.name.clone(), json!(parameter.value))).collect();
        let verdict = Verdict::new(sentence)
            .fact("workload", "program")
            .fact("threads", code.threads)
            .fact("instructions", instructions)
            .fact("parameters", named);
        let code = self.arguments.code.then_some(code);
        let verdict = match &code {
            Some(code) => verdict.fact("code", code.to_string()),
            None => verdict,
        };
        Ok(Verdict { code, ..verdict })
    }

    /// All outcomes of a program.
    fn litmus(&self, program: &Program, code: Code, parameters: &[(String, String)], plan: &Plan) -> Result<Verdict, Failure> {
        let Arguments { consistency, protocol, states, .. } = &self.arguments;
        let protocol = self.library.find(Kind::Protocol, protocol)?;
        let asked = Asked {
            consistency: *consistency,
            line_bytes: u64::from(plan.padding),
            most_states: states.map(|states| states as usize),
        };
        let mut answer = LitmusAnswer::new(program, &code, &protocol.source, asked)?;
        if let Some(runs) = self.arguments.host {
            let plan = Plan { threads: answer.threads(), ..plan.clone() };
            answer = answer.with_seen(seen(&self.library, program, parameters, &plan, runs as usize)?);
        }
        let verdict = Verdict::new(answer.sentence());
        let code = self.arguments.code.then_some(code);
        Ok(Verdict { facts: answer.facts(), faults: answer.faults(), code, ..verdict })
    }

    /// How a program is lowered: for `--machine`, or for the usual one with as many cores as there are threads.
    fn plan(&self, runtime: &[(String, String)]) -> Result<Plan, Failure> {
        let threads = self.arguments.program.threads;
        let mut set = Vec::new();
        if let (None, Some(threads)) = (&self.arguments.machine, threads) {
            set.push(("node.cores".to_owned(), threads.to_string()));
        }
        set.extend(runtime.iter().map(|(key, value)| (format!("runtime.{key}"), value.clone())));
        set.extend_from_slice(&self.arguments.set.set);
        let machine = self.library.find(Kind::Machine, self.arguments.machine.as_deref().unwrap_or(USUAL_MACHINE))?;
        let machine = self.library.resolve(&machine.source, &set)?;
        Ok(machine.plan(threads, 1)?)
    }

    fn protocol(&self, entry: &Entry) -> Result<Verdict, Failure> {
        let Arguments { agents, lines, misses, pointers, states, .. } = &self.arguments;
        let wanted = Wanted {
            agents: agents.map(usize::from),
            lines: lines.map(usize::from),
            misses: usize::from(*misses),
            pointers: pointers.map(usize::from),
            most_states: states.map(|states| states as usize),
        };
        let proof = Proof::new(&entry.source, wanted)?;
        if let (Some(root), Some(chart)) = (&self.arguments.output, proof.chart()) {
            let name = format!("{}-{}", entry.name, chart.name);
            let files = [OutputFile::new(format!("{}.svg", chart.name), chart.svg)];
            write_directory(root, &file_name(&name), &files).map_err(|error| Failure::file("write to", root, &error))?;
        }
        Ok(Verdict { facts: proof.facts(), faults: proof.faults(), ..Verdict::new(proof.sentence()) })
    }

    /// A run-time text, with all the names bound that any use of one binds.
    fn runtime(&self, source: &SourceText) -> Result<Verdict, Failure> {
        let bindings = RuntimeBindings {
            value: Some(Type::I64),
            combine: Some(ReduceOperator::Add),
            borrowed: CollectiveOperation::of_text(&source.name).map_or(Vec::new(), CollectiveOperation::borrowed),
            constants: [("threads", 4), ("initial", 1), ("ranks", 4), ("most", 16)]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
        };
        let module = check_runtime(source, &bindings)?;
        let functions: Vec<&str> = module.functions.iter().map(|function| function.name.as_str()).collect();
        Ok(Verdict::new(format!("a run-time text with {}", functions.join(", "))).fact("functions", functions))
    }

    /// A part, in the usual machine in place of that machine's own.
    fn part(&self, entry: &Entry) -> Result<Verdict, Failure> {
        let key = match entry.kind {
            Kind::Processor => "node.core.part",
            Kind::Memory => "node.memory.part",
            _ => "node.interconnect.part",
        };
        let mut catalogue = self.library.catalogue.clone();
        catalogue.add(entry.kind, PART_UNDER_TEST, entry.source.clone());
        let machine = self.library.find(Kind::Machine, USUAL_MACHINE)?;
        let set = [(key.to_owned(), PART_UNDER_TEST.to_owned())];
        Machine::resolve(&machine.source, &set, &catalogue)?;
        Ok(Verdict::new(format!("a {}", entry.kind.noun())))
    }
}

/// `sc`, `tso`.
fn consistency(text: &str) -> Result<Consistency, String> {
    let known = Consistency::ALL.into_iter().find(|(name, _)| *name == text);
    known.map(|(_, model)| model).ok_or_else(|| "it is `sc` (sequential consistency) or `tso` (total store order)".to_owned())
}

fn threads(threads: u32) -> String {
    if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") }
}
