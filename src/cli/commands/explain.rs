//! `flynn explain MACHINE WORKLOAD`

use clap::Args;
use serde::Serialize;

use crate::base::written;
use crate::cli::answer::{Answer, Failure, Outcome};
use crate::cli::arguments::{FormatArguments, JobsArguments, OutputArguments, ProgramArguments, SetArguments, SimulationArguments};
use crate::cli::case::Case;
use crate::cli::console::Console;
use crate::cli::layout::{hanging, labelled};
use crate::cli::names::Library;
use crate::cli::output;
use crate::cli::pages::{self, Collection};
use crate::cli::parallel;
use crate::cli::progress::Progress;
use crate::experiment::compare::compare;
use crate::experiment::explain::{Gain, LeftOut, Resource, ranked, resources};
use crate::experiment::record::Record;
use crate::experiment::run::prepare;
use crate::experiment::workload::Workload;

/// Characters of a bar that stands for all of the time.
const BAR: usize = 40;

/// Say what a machine's parts cost a program: run it again with one resource ideal at a time
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn explain uma-bus-4 triad
  flynn explain uma-bus-4 sum-lock --param n=2000
  flynn explain numa-mesh-16 stencil
  flynn explain cluster-star-16 ping-pong --param n=1
  flynn explain my-machine.toml my-program.flynn --cold

The program runs on the machine as it is, and then on machines that differ from it in one thing each: caches that everything fits into, \
an interconnect or a memory that takes no time, and so on. Which of them saves most is what the program waits for. Each row names its \
keys, so that `flynn run MACHINE WORKLOAD --set KEY=VALUE` repeats it.

Writes output/explain-MACHINE-WORKLOAD/: report.html and the records.")]
pub struct Arguments {
    /// The machine: a name of `flynn list machines`, or a TOML file
    #[arg(value_name = "MACHINE")]
    machine: String,

    /// The program: a name of `flynn list workloads`, or a .flynn file
    #[arg(value_name = "WORKLOAD")]
    workload: String,

    #[command(flatten)]
    set: SetArguments,

    #[command(flatten)]
    program: ProgramArguments,

    #[command(flatten)]
    simulation: SimulationArguments,

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
    machine: &'a str,
    workload: &'a str,
    /// Of the machine as it is.
    time_ps: u64,
    /// The largest first. They do not add up.
    gains: &'a [Gain],
    left_out: &'a [LeftOut],
    /// Whether every run gave the same result.
    results_equal: bool,
}

/// One of the runs.
struct Trial {
    /// What is ideal; nothing of the machine as it is.
    resource: Option<Resource>,
    case: Case,
}

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    let is_json = arguments.format.is_json();
    let outcome = answer(arguments, console);
    console.tell_failure(is_json, outcome)
}

fn answer(arguments: Arguments, console: &mut Console) -> Outcome {
    console.be_quiet(arguments.output.quiet);
    let library = Library::new().with_runtime_beside(&arguments.machine);
    let (trials, left_out) = trials(&arguments, &library)?;
    let records = simulate(&trials, &arguments, &library, console)?;
    let labels: Vec<String> = trials.iter().map(label).collect();
    let results = compare(&records.iter().collect::<Vec<_>>(), &labels).map_err(Failure::input)?.results;
    let base = &records[0];
    let times = trials.into_iter().zip(&records).filter_map(|(trial, record)| Some((trial.resource?, record.time_ps)));
    let gains = ranked(base.time_ps, times.collect());
    let written = write(&records, &labels, &arguments, console);
    let document = Document {
        machine: &base.machine.name,
        workload: &base.workload.name,
        time_ps: base.time_ps,
        gains: &gains,
        left_out: &left_out,
        results_equal: results.equal,
    };
    console.present(arguments.format.is_json(), &document, written, |directory| {
        let unequal = if results.equal { String::new() } else { hanging("", 0, &results.sentence) };
        text(base, &gains, &left_out) + &unequal + &labelled("report", &format!("{directory}/report.html"))
    })?;
    Ok(if results.equal { Answer::Yes } else { Answer::No })
}

/// The machine as it is, and with each resource ideal that can be.
fn trials(arguments: &Arguments, library: &Library) -> Result<(Vec<Trial>, Vec<LeftOut>), Failure> {
    let Arguments { machine, workload, set, program, simulation, .. } = arguments;
    let case = Case::read(library, machine, workload, &set.set)?;
    let Workload::Program(text) = &case.workload else {
        let help = "`flynn run` says what its requests wait for";
        return Err(Failure::input(format!("{workload} is no program: only programs are explained")).help(help));
    };
    let parameters = [&text.parameters[..], &program.parameters].concat();
    let plan = case.machine.plan(program.threads, simulation.seed)?;
    let (_, code) = prepare(&text.source, &parameters, &plan, &library.catalogue)?;
    // Instructions take as many bytes again, at most.
    let footprint = code.arena.size.max(1) + 8 * code.instructions.len() as u64;
    let (ideal, mut left_out) = resources(&case.machine.spec(), footprint, plan.threads);
    let mut trials = vec![Trial { resource: None, case }];
    for resource in ideal {
        let set = [&set.set[..], &resource.set].concat();
        match Case::read(library, machine, workload, &set) {
            Ok(case) => trials.push(Trial { resource: Some(resource), case }),
            Err(Failure::Texts(faults)) => {
                let why = faults.first().map_or_else(String::new, |fault| fault.message.clone());
                left_out.push(LeftOut { name: resource.name.to_owned(), why });
            }
            Err(other) => return Err(other),
        }
    }
    Ok((trials, left_out))
}

fn label(trial: &Trial) -> String {
    trial.resource.as_ref().map_or_else(|| "as it is".to_owned(), |resource| format!("ideal {}", resource.name))
}

fn simulate(trials: &[Trial], arguments: &Arguments, library: &Library, console: &Console) -> Result<Vec<Record>, Failure> {
    let settings = arguments.simulation.settings(&arguments.program);
    let mut progress = Progress::new(console);
    progress.message(format!("simulating {} runs", trials.len()));
    let mut done = 0.0;
    let run = |trial: &Trial| trial.case.simulate(&settings, library, &mut |_| {});
    let records = parallel::each(arguments.jobs.jobs, trials, run, |trial| {
        done += 1.0;
        progress.message(format!("simulated with {}", label(trial)));
        progress.fraction(done / trials.len() as f64);
    })?;
    records.into_iter().collect()
}

fn text(base: &Record, gains: &[Gain], left_out: &[LeftOut]) -> String {
    let time = |ps: u64| written::time(ps as f64);
    let mut text = format!("{} on {}\n", base.workload.name, base.machine.name);
    let width = gains.iter().map(|gain| gain.name.chars().count()).max().unwrap_or(0).max("as it is".len());
    text += &format!("\n  {:width$}  {:>10}\n", "as it is", time(base.time_ps));
    for gain in gains {
        let saves = format!("{:+.1} %", -100.0 * gain.saves);
        let bar = "█".repeat((gain.saves.max(0.0) * BAR as f64).round() as usize);
        text += format!("  {:width$}  {:>10}  {saves:>9}  {bar}", gain.name, time(gain.time_ps)).trim_end();
        text.push('\n');
        let set: Vec<String> = gain.set.iter().map(|(key, value)| format!("--set '{key}={value}'")).collect();
        text += &hanging(&" ".repeat(width + 4), width + 4, &format!("{}: {}", gain.ideal, set.join(" ")));
    }
    text.push('\n');
    text += &hanging("", 0, &sentence(base, gains));
    for left in left_out {
        text += &hanging("  left as it is", 17, &format!("{}: {}", left.name, left.why));
    }
    text
}

/// What saves most, and that the gains do not add up.
fn sentence(base: &Record, gains: &[Gain]) -> String {
    let sum: f64 = gains.iter().map(|gain| gain.saves.max(0.0)).sum();
    let first = match gains.first().filter(|gain| gain.saves >= 0.01) {
        Some(gain) => format!(
            "An ideal {} would save most: {:.0} % of {}.",
            gain.name.trim_end_matches('s'),
            100.0 * gain.saves,
            written::time(base.time_ps as f64)
        ),
        None => "None of these saves as much as 1 %: the time is the cores' own.".to_owned(),
    };
    format!(
        "{first} Each row is a run of its own with one thing ideal; the gains do not add up (their sum is {:.0} %): what works side by side hides each other, and where one wait ends another begins.",
        100.0 * sum
    )
}

fn write(records: &[Record], labels: &[String], arguments: &Arguments, console: &Console) -> Result<String, Failure> {
    let (workload, machine) = (&records[0].workload.name, &records[0].machine.name);
    let files = pages::of_collection(&Collection {
        title: &format!("What {workload} waits for on {machine}: one resource ideal at a time"),
        predictions: false,
        records,
        labels,
        validation: &[],
        host: None,
        commands: Vec::new(),
    })?;
    let name = format!("explain-{}-{workload}", crate::cli::names::stem(&arguments.machine));
    output::write_run(&arguments.output.output, &name, &files, console)
}
