//! `flynn validate [WORKLOAD...]`

use std::fmt::Write;

use clap::Args;
use serde::Serialize;

use crate::cli::answer::{Answer, Failure, Outcome};
use crate::cli::arguments::{FormatArguments, JobsArguments, OutputArguments, SetArguments};
use crate::cli::case::{Case, RunSettings, read_workload};
use crate::cli::console::Console;
use crate::cli::layout::hanging;
use crate::cli::measure::measured;
use crate::cli::names::Library;
use crate::cli::output;
use crate::cli::pages::{self, Collection};
use crate::cli::parallel;
use crate::cli::progress::Progress;
use crate::cli::this_computer;
use crate::experiment::record::{Record, ValidationCase};
use crate::experiment::validate::{LIKELY_RACE, Summary, speedups, summary};
use crate::experiment::workload::Workload;
use crate::host::discover::{HostDescription, discover};
use crate::machine::catalogue::{Entry, Kind};
use crate::report::human;

/// Predict programs on this computer, run the very same text on its threads, and compare times and results
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn validate                      every shipped program, on one thread and on all cores, in about a minute
  flynn validate triad sum-unpadded
  flynn validate my-program.flynn --threads 1,2 --budget 5
  flynn validate triad --set node.core.clock=\"4 GHz\"
  flynn validate --format json | jq '.cases[] | select(.equal | not)'

Cores and private caches are what the operating system tells, everything else is from the catalogue: the times are a first guess, the results must be equal. Exit code 1: a result differs, or a \
program did not end.")]
pub struct Arguments {
    /// Programs: names of `flynn list workloads` or .flynn files [default: every shipped program]
    #[arg(value_name = "WORKLOAD")]
    workloads: Vec<String>,

    /// Numbers of threads, each a case [default: 1 and all cores]
    #[arg(long, value_name = "N,N...", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Vec<u32>,

    /// Give a parameter of the programs another value (again for more)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = crate::cli::arguments::assignment)]
    parameters: Vec<(String, String)>,

    /// Seconds of measuring for each case; it ends earlier where the times repeat well
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = budget)]
    budget: f64,

    /// Operations a simulated pass may carry out before the program counts as one that never ends
    #[arg(long, value_name = "OPERATIONS", default_value_t = OPERATION_LIMIT, value_parser = crate::cli::arguments::operations)]
    limit: u64,

    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    #[command(flatten)]
    set: SetArguments,

    #[command(flatten)]
    output: OutputArguments,

    #[command(flatten)]
    format: FormatArguments,

    #[command(flatten)]
    jobs: JobsArguments,
}

/// Operations a pass may carry out: a few seconds of simulating, as several passes of several cases are to come.
const OPERATION_LIMIT: u64 = 500_000_000;

fn budget(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.01..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected seconds, from 0.01 to 3600".to_owned()),
    }
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Document<'a> {
    cases: &'a [ValidationCase],
    /// Cases that gave no measurement.
    failures: &'a [Unmeasured],
    summary: &'a Summary,
    host: &'a HostDescription,
}

/// A case without a measurement, and why.
#[derive(Serialize)]
struct Unmeasured {
    workload: String,
    threads: u32,
    message: String,
}

impl Unmeasured {
    fn sentence(&self) -> String {
        let threads = human::plural(self.threads as usize, "thread");
        format!("{} on {threads} was not measured: {}", self.workload, self.message)
    }
}

/// A case to be predicted and measured.
struct Question {
    case: Case,
    settings: RunSettings,
}

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    let is_json = arguments.format.is_json();
    let outcome = answer(arguments, console);
    console.tell_failure(is_json, outcome)
}

fn answer(arguments: Arguments, console: &mut Console) -> Outcome {
    console.be_quiet(arguments.output.quiet);
    let library = Library::new().with_runtime_beside("");
    let host = discover();
    let questions = questions(&arguments, &library, &host)?;
    let mut progress = Progress::new(console);
    let records = predict(&questions, &library, &arguments, &mut progress)?;
    let (cases, failures) = measure(&questions, &records, &library, &arguments, &mut progress)?;
    drop(progress);
    for failure in &failures {
        console.complain(&Failure::input(failure.sentence()));
    }
    let written = write(&records, &cases, &host, &arguments, console);
    let summary = summary(&cases);
    let sentences = |directory: &str| text(&cases, &summary, &host, directory);
    let document = Document { cases: &cases, failures: &failures, summary: &summary, host: &host };
    console.present(arguments.format.is_json(), &document, written, sentences)?;
    let well = failures.is_empty() && cases.iter().all(|case| case.equal);
    Ok(if well { Answer::Yes } else { Answer::No })
}

/// Every program at every number of threads.
fn questions(arguments: &Arguments, library: &Library, host: &HostDescription) -> Result<Vec<Question>, Failure> {
    let machine = Entry { kind: Kind::Machine, name: "this-computer".to_owned(), source: this_computer::machine(host) };
    let mut threads = arguments.threads.clone();
    if threads.is_empty() {
        threads = vec![1, this_computer::cores(host)];
    }
    threads.dedup();
    let mut questions = Vec::new();
    for workload in workloads(arguments, library)? {
        if !matches!(workload, Workload::Program(_)) {
            return Err(Failure::input(format!("{} is no program: it cannot run on threads", workload.name())));
        }
        let case = Case::new(library, &machine, workload, &arguments.set.set)?;
        questions.extend(threads.iter().map(|&threads| Question {
            case: case.clone(),
            settings: RunSettings {
                parameters: arguments.parameters.clone(),
                threads: Some(threads),
                seed: arguments.seed,
                operation_limit: arguments.limit,
                ..RunSettings::default()
            },
        }));
    }
    Ok(questions)
}

fn workloads(arguments: &Arguments, library: &Library) -> Result<Vec<Workload>, Failure> {
    if !arguments.workloads.is_empty() {
        let named = arguments.workloads.iter().map(|name| read_workload(library, &library.find(Kind::Workload, name)?));
        return named.collect();
    }
    let all: Result<Vec<Workload>, Failure> = library
        .catalogue
        .entries(Kind::Workload)
        .filter(|entry| !entry.is_litmus())
        .map(|entry| read_workload(library, entry))
        .collect();
    Ok(all?.into_iter().filter(|workload| matches!(workload, Workload::Program(_))).collect())
}

fn predict(
    questions: &[Question],
    library: &Library,
    arguments: &Arguments,
    progress: &mut Progress,
) -> Result<Vec<Record>, Failure> {
    let mut predicted = 0;
    let simulate = |question: &Question| question.case.simulate(&question.settings, library, &mut |_| {});
    progress.message(format!("predicting {}", human::plural(questions.len(), "case")));
    let records = parallel::each(arguments.jobs.jobs, questions, simulate, |question| {
        predicted += 1;
        progress.message(format!("predicted {}", question.case.workload.name()));
        progress.fraction(f64::from(predicted) / questions.len() as f64);
    })?;
    records.into_iter().collect()
}

/// One after the other, as measurements would disturb each other.
fn measure(
    questions: &[Question],
    records: &[Record],
    library: &Library,
    arguments: &Arguments,
    progress: &mut Progress,
) -> Result<(Vec<ValidationCase>, Vec<Unmeasured>), Failure> {
    let (mut cases, mut failures) = (Vec::new(), Vec::new());
    for (number, (question, record)) in questions.iter().zip(records).enumerate() {
        let (workload, threads) = (question.case.workload.name(), question.settings.threads.unwrap_or(1));
        progress.message(format!("measuring {workload} on {}", human::plural(threads as usize, "thread")));
        progress.fraction(number as f64 / questions.len() as f64);
        match measured(library, &question.case, &question.settings, record, arguments.budget)? {
            Ok(case) => cases.push(case),
            Err(message) => failures.push(Unmeasured { workload: workload.to_owned(), threads, message }),
        }
    }
    Ok((cases, failures))
}

fn write(
    records: &[Record],
    cases: &[ValidationCase],
    host: &HostDescription,
    arguments: &Arguments,
    console: &Console,
) -> Result<String, Failure> {
    let files = pages::of_collection(&Collection {
        title: "Predicted and measured on this computer",
        predictions: true,
        records,
        labels: &[],
        validation: cases,
        host: Some(this_computer::facts(host)),
        commands: vec!["flynn validate triad --budget 5".to_owned()],
    })?;
    output::write_run(&arguments.output.output, "validate", &files, console)
}

fn text(cases: &[ValidationCase], summary: &Summary, host: &HostDescription, directory: &str) -> String {
    let facts = this_computer::facts(host);
    let mut text = format!("{}, {}\n\n", facts.name, facts.cores);
    text.push_str(&table(cases));
    let unequal = match summary.unequal {
        0 => "all results equal".to_owned(),
        1 => "1 result DIFFERS".to_owned(),
        several => format!("{several} results DIFFER"),
    };
    let _ = writeln!(
        text,
        "\n{}, {unequal}; predictions are off by a factor of {} in the (geometric) mean; {} too noisy to judge",
        human::plural(summary.cases, "case"),
        human::digits(libm::exp(summary.mean_log_error)),
        summary.inconclusive,
    );
    text.push_str(&hanging("", 0, &facts.model));
    if summary.unequal > 0 {
        text.push_str(&hanging("", 0, LIKELY_RACE));
    }
    let _ = writeln!(text, "report {directory}/report.html");
    text
}

/// A factor: `1.49x`.
fn times(factor: f64) -> String {
    format!("{}x", human::digits(factor))
}

/// The cases in columns.
pub fn table(cases: &[ValidationCase]) -> String {
    let width = cases.iter().map(|case| case.workload.chars().count()).max().unwrap_or(0).max(8);
    let time = |seconds: f64| human::time(seconds * 1e12);
    let mut text = format!(
        "{:width$}  threads  {:>10}  {:>10}  {:>9}  {:>8}  {:>18}  {:16}  {:16}\n",
        "workload", "predicted", "measured", "pred/meas", "spread", "speedup pred, meas", "simulated", "on threads"
    );
    let speedups = speedups(cases);
    for (case, speedup) in cases.iter().zip(speedups) {
        let speedup = speedup.map_or("-".to_owned(), |[predicted, measured]| format!("{}, {}", times(predicted), times(measured)));
        let _ = writeln!(
            text,
            "{:width$}  {:>7}  {:>10}  {:>10}  {:>9}  {:>8}  {:>18}  {}  {} {}",
            case.workload,
            case.threads,
            time(case.predicted_seconds),
            time(case.measured_seconds),
            times(1.0 + case.error),
            human::percent(case.measured_spread),
            speedup,
            case.checksum_simulated,
            case.checksum_host,
            if case.equal { "equal" } else { "DIFFERENT" },
        );
    }
    text
}
