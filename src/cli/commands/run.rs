//! `flynn run MACHINE WORKLOAD`

use std::time::Instant;

use clap::Args;
use serde::Serialize;

use crate::cli::answer::{Answer, Failure, Outcome};
use crate::cli::arguments::{FormatArguments, JobsArguments, OutputArguments, ProgramArguments, SetArguments, SimulationArguments};
use crate::cli::case::{Case, RunSettings};
use crate::cli::console::Console;
use crate::cli::layout::labelled;
use crate::cli::names::Library;
use crate::cli::output;
use crate::cli::pages;
use crate::cli::progress::Progress;
use crate::cli::summary;
use crate::experiment::record::Record;

/// Simulate a program or a memory trace on a machine, say what took the time, and write a report
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn run uma-bus-4 triad
  flynn run uma-bus-4 triad --threads 2 --param n=200_000
  flynn run uma-bus-4 triad --set 'node.interconnect.width=\"64 B\"'
  flynn run my-machine.toml my-program.flynn --output lab1
  flynn run uma-bus-4 sum-unpadded --watch 'partial[0]'
  flynn run split-caches recorded.din.zst --functional
  flynn run uniprocessor triad --format json | jq .record.time_ps

Writes output/MACHINE-WORKLOAD/: report.html (open it in a browser), figures as SVG, tables as CSV, \
and record.json, from which everything else is made. A name that is taken gets a number; output/latest \
names the newest. The same machine, program and seed give the same record, byte for byte.")]
pub struct Arguments {
    /// The machine: a name of `flynn list machines`, or a TOML file
    #[arg(value_name = "MACHINE")]
    machine: String,

    /// The workload: a name of `flynn list workloads`, a .flynn or .toml file, or a memory trace (din or lackey, also .gz or .zst)
    #[arg(value_name = "WORKLOAD")]
    workload: String,

    #[command(flatten)]
    set: SetArguments,

    #[command(flatten)]
    program: ProgramArguments,

    #[command(flatten)]
    simulation: SimulationArguments,

    /// Remember all that happens to the line of one object: a[0], total, 'lock guard', or an address; the report shows its life
    #[arg(long, value_name = "OBJECT")]
    watch: Option<String>,

    #[command(flatten)]
    output: OutputArguments,

    #[command(flatten)]
    format: FormatArguments,

    #[command(flatten)]
    jobs: JobsArguments,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Document<'a> {
    record: &'a Record,
    run_info: RunInfo,
}

/// What the simulation cost this computer. Not part of the record, which is the same everywhere.
#[derive(Serialize)]
struct RunInfo {
    wall_seconds: f64,
    user_seconds: Option<f64>,
    peak_memory_bytes: Option<u64>,
}

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    let is_json = arguments.format.is_json();
    let outcome = answer(arguments, console);
    console.tell_failure(is_json, outcome)
}

fn answer(arguments: Arguments, console: &mut Console) -> Outcome {
    console.be_quiet(arguments.output.quiet);
    let library = Library::new().with_runtime_beside(&arguments.machine);
    let case = Case::read(&library, &arguments.machine, &arguments.workload, &arguments.set.set)?;
    let settings = RunSettings { watch: arguments.watch.clone(), ..arguments.simulation.settings(&arguments.program) };
    let (record, run_info) = simulate(&case, &settings, &library, console)?;
    let written = write(&case, &record, &arguments, console);
    let document = Document { record: &record, run_info };
    console.present(arguments.format.is_json(), &document, written, |directory| {
        let (command, question) = next(&arguments, &record);
        summary::of_record(&record)
            + &record.watch.as_ref().map_or(String::new(), summary::of_watch)
            + &labelled("report", &format!("{directory}/report.html"))
            + &labelled("next", &format!("{command} ({question})"))
    })?;
    Ok(Answer::Yes)
}

fn simulate(case: &Case, settings: &RunSettings, library: &Library, console: &Console) -> Result<(Record, RunInfo), Failure> {
    let before = crate::host::usage::usage();
    let begin = Instant::now();
    let mut progress = Progress::new(console);
    progress.message(format!("simulating {} on {}", case.workload.name(), case.machine_name));
    let record = case.simulate(settings, library, &mut |done| progress.fraction(done))?;
    let after = crate::host::usage::usage();
    let run_info = RunInfo {
        wall_seconds: begin.elapsed().as_secs_f64(),
        user_seconds: before.zip(after).map(|(before, after)| after.user_seconds - before.user_seconds),
        peak_memory_bytes: after.map(|after| after.peak_memory_bytes),
    };
    Ok((record, run_info))
}

/// Writes the run's directory and returns its path.
fn write(case: &Case, record: &Record, arguments: &Arguments, console: &Console) -> Result<String, Failure> {
    let files = pages::of_run(record, next(arguments, record).0)?;
    let name = format!("{}-{}", case.machine_name, case.workload.name());
    output::write_run(&arguments.output.output, &name, &files, console)
}

/// What to try next, and the question it answers: one that this run leaves open. What the command line asked for stays as it is.
fn next(arguments: &Arguments, record: &Record) -> (String, &'static str) {
    let (machine, workload) = (&arguments.machine, &arguments.workload);
    let with_set = arguments.set.set.iter().map(|(key, value)| format!(" --set '{key}={value}'")).collect::<String>();
    match record.workload.runtime.get("functional").and_then(serde_json::Value::as_bool) {
        Some(true) => return (format!("flynn run {machine} {workload}{with_set}"), "how long would that take?"),
        Some(false) => {
            // What cores do to each other, and what a shared cache is asked for, hangs on who comes first.
            let in_order = record.workload.parameters.get("cores").is_none_or(|cores| *cores == 1)
                && !record.metrics.contains_key("node[0].llc.accesses");
            let question =
                if in_order { "the same counts, several times as fast" } else { "what if all came in the order of the trace?" };
            return (format!("flynn run {machine} {workload}{with_set} --functional"), question);
        }
        None => {}
    }
    let threads = record.workload.runtime.get("threads").and_then(serde_json::Value::as_u64);
    let of_ranks = record.workload.runtime.get("ranks").is_some();
    let options = arguments.options();
    let run = |machine: &str, more: &str| format!("flynn run {}{options}{more}", words(&[machine, workload]));
    match threads {
        Some(_) if of_ranks && !options.contains("eager") => {
            (run(machine, " --set 'node.network_interface.eager=0 B'"), "what if every message asked first?")
        }
        Some(_) if of_ranks => (format!("flynn topology {}{with_set}", words(&[machine])), "what joins the nodes"),
        Some(threads) if threads > 1 => (run(machine, " --threads 1"), "what do the other cores bring?"),
        Some(_) if machine == "uniprocessor" && arguments.set.set.is_empty() => {
            (run("uma-bus-4", ""), "and four such cores on one bus?")
        }
        Some(_) => {
            let command = format!("flynn validate {}{}", words(&[workload]), repeated("--param", &arguments.program.parameters));
            (command, "the same text on the threads of this computer")
        }
        None => (format!("flynn show {}", words(&[workload])), "what was run"),
    }
}

impl Arguments {
    /// The options that change what is run, as they were given, but for the number of threads.
    fn options(&self) -> String {
        let seed = if self.simulation.seed == 1 { String::new() } else { format!(" --seed {}", self.simulation.seed) };
        let cold = if self.simulation.cold { " --cold" } else { "" };
        repeated("--set", &self.set.set) + &repeated("--param", &self.program.parameters) + &seed + cold
    }
}

/// ` OPTION NAME=VALUE` for each of these.
fn repeated(option: &str, values: &[(String, String)]) -> String {
    values.iter().map(|(name, value)| format!(" {option} {}", quoted(&format!("{name}={value}")))).collect()
}

/// Words as a shell takes them.
fn words(words: &[&str]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word with quotation marks where a shell would take it apart.
fn quoted(word: &str) -> String {
    if !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./=,:+@%".contains(c)) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(words(&["uma-bus-4", "my sum.flynn", ""]), "uma-bus-4 'my sum.flynn' ''");
        let set = [("node.cores".to_owned(), "8".to_owned()), ("node.memory.latency".to_owned(), "\"60 ns\"".to_owned())];
        assert_eq!(repeated("--set", &set), " --set node.cores=8 --set 'node.memory.latency=\"60 ns\"'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
