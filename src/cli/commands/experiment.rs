//! `flynn experiment FILE`

use std::path::Path;

use clap::Args;

use crate::base::diagnostic::Diagnostics;
use crate::cli::answer::{Answer, Failure, Outcome};
use crate::cli::arguments::{FormatArguments, JobsArguments, OutputArguments, SetArguments};
use crate::cli::case::{OPERATION_LIMIT, read_workload};
use crate::cli::console::Console;
use crate::cli::layout::{hanging, labelled};
use crate::cli::names::{Library, is_path};
use crate::cli::output::file_name;
use crate::cli::parallel::Workers;
use crate::cli::points::{Points, replace};
use crate::cli::progress::Progress;
use crate::experiment::record::Start;
use crate::experiment::sweep::{Axis, Bench, Document, Experiment, Performed, Varies, Verdict, perform, points};
use crate::experiment::workload::Workload;
use crate::machine::Machine;
use crate::machine::catalogue::{Entry, Kind};
use crate::machine::overrides::Override;
use crate::report::{self, ExperimentInput, human};

/// As many points are listed; the report has all.
const SHOWN_POINTS: usize = 6;

/// Run machines with workloads over swept values, plot what comes out, and say whether it is what was expected
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn experiment bus-saturates
  flynn experiment my-experiment.toml --jobs 4
  flynn experiment my-experiment.toml --check        the verdicts alone; exit code 1 where one is `no`
  flynn new my-experiment.toml --from bus-saturates

Writes output/experiment-NAME/: report.html, plots as SVG, points.csv (a row a point), experiment.json, and the record of each \
point. Interrupted and started again it goes on: points that are finished are not run again unless something they depend on \
has changed.")]
pub struct Arguments {
    /// The experiment: a name of `flynn list experiments`, or a TOML file
    #[arg(value_name = "EXPERIMENT")]
    experiment: String,

    /// Print only the verdicts on what was expected
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    set: SetArguments,

    #[command(flatten)]
    output: OutputArguments,

    #[command(flatten)]
    format: FormatArguments,

    #[command(flatten)]
    jobs: JobsArguments,
}

/// An experiment whose names were found.
struct Found {
    experiment: Experiment,
    library: Library,
    machines: Vec<Entry>,
    workloads: Vec<Workload>,
    /// What the workloads were read from.
    workload_texts: Vec<Entry>,
}

impl Found {
    fn new(library: Library, entry: &Entry) -> Result<Found, Failure> {
        let experiment = Experiment::read(&entry.source)?;
        let named = |axis: &Axis, kind| {
            axis.values.iter().map(|value| find(&library, kind, &value.text, &entry.source.name)).collect::<Result<Vec<_>, _>>()
        };
        let machines = named(&experiment.axes[0], Kind::Machine)?;
        let workload_texts = named(&experiment.axes[1], Kind::Workload)?;
        let workloads = workload_texts.iter().map(|entry| read_workload(&library, entry)).collect::<Result<_, _>>()?;
        Ok(Found { experiment, library, machines, workloads, workload_texts })
    }

    /// Calls `with` a bench of what was found.
    fn on_bench<T>(&self, set: &[(String, String)], with: impl FnOnce(&Bench<'_>) -> Result<T, Diagnostics>) -> Result<T, Failure> {
        let machine = |number: usize, overrides: &[Override]| -> Result<Machine, Diagnostics> {
            let source = &self.machines[number].source;
            self.library.resolve_with(source, overrides).map_err(|failure| match failure {
                Failure::Texts(faults) => faults,
                other => vec![crate::base::diagnostic::Diagnostic::at(source, None, other.sentence())],
            })
        };
        let bench = Bench {
            workloads: &self.workloads,
            machine: &machine,
            set,
            catalogue: &self.library.catalogue,
            operation_limit: OPERATION_LIMIT,
            code: env!("FLYNN_CODE"),
        };
        Ok(with(&bench)?)
    }
}

/// A machine or workload: a path from the experiment's file, or as everywhere.
fn find(library: &Library, kind: Kind, name: &str, experiment: &str) -> Result<Entry, Failure> {
    let beside = Path::new(experiment).parent().unwrap_or(Path::new("")).join(name);
    if is_path(name) && beside.is_file() {
        return library.find(kind, &beside.to_string_lossy());
    }
    library.find(kind, name)
}

/// Whether an experiment is right, machines and programs of all its points included; how many there are.
pub fn check_experiment(library: &Library, entry: &Entry, set: &[(String, String)]) -> Result<usize, Failure> {
    let found = Found::new(Library { catalogue: library.catalogue.clone() }, entry)?;
    let workers = Workers::new(None)?;
    found.on_bench(set, |bench| points(&found.experiment, bench, &workers)).map(|keys| keys.len())
}

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    let is_json = arguments.format.is_json();
    let outcome = answer(&arguments, console);
    console.tell_failure(is_json, outcome)
}

fn answer(arguments: &Arguments, console: &mut Console) -> Outcome {
    console.be_quiet(arguments.output.quiet);
    let library = Library::new();
    let entry = library.find(Kind::Experiment, &arguments.experiment)?;
    let found = Found::new(library, &entry)?;
    let experiment = &found.experiment;
    let directory = arguments.output.output.join(format!("experiment-{}", file_name(&entry.name)));
    let store = Points::open(&directory).map_err(|error| Failure::file("write to", &directory, &error))?;
    let performed = run(&found, arguments, &store, console)?;
    if let Some(why) = &performed.unsaved {
        return Err(Failure::input(why.clone()));
    }
    for metric in performed.results.unknown_metrics(experiment) {
        console.warn(&format!("no run has a metric that is `{metric}` or ends in it"));
    }
    let verdicts: Vec<Verdict> =
        experiment.expectations.iter().map(|expectation| expectation.judge(experiment, &performed.results)).collect();
    let document = Document::new(experiment, &performed, &arguments.set.set, verdicts);
    write(&directory, &found, arguments, &performed, &document)?;
    if arguments.format.is_json() {
        console.print_json(&document)?;
    } else if arguments.check {
        console.print_lines(&verdict_lines(&document.expectations))?;
    } else if arguments.output.quiet {
        console.print(&directory.display().to_string())?;
    } else {
        let report = labelled("report", &directory.join("report.html").display().to_string());
        let text = heading(experiment, &performed) + &table(experiment, &performed) + &verdict_lines(&document.expectations);
        console.print_lines(&(text + &report + &labelled("next", &next(&found, arguments))))?;
    }
    Ok(if document.ok { Answer::Yes } else { Answer::No })
}

fn run(found: &Found, arguments: &Arguments, store: &Points, console: &Console) -> Result<Performed, Failure> {
    let experiment = &found.experiment;
    let n = experiment.n_points();
    let workers = Workers::new(arguments.jobs.jobs)?;
    let mut progress = Progress::new(console);
    progress.message(format!("simulating {n} points"));
    let mut ready = 0;
    let performed = found.on_bench(&arguments.set.set, |bench| {
        perform(experiment, bench, &workers, store, |number, was_there| {
            ready += 1;
            if !was_there {
                progress.message(format!("{ready} of {n} points, last {}", experiment.told(number)));
            }
            progress.fraction(ready as f64 / n as f64);
        })
    })?;
    drop(progress);
    if performed.found > 0 {
        console.talk(&format!("{} of {n} points were finished already", performed.found));
    }
    Ok(performed)
}

/// Writes everything but the points.
fn write(
    directory: &Path,
    found: &Found,
    arguments: &Arguments,
    performed: &Performed,
    document: &Document,
) -> Result<(), Failure> {
    let page = report::experiment(&ExperimentInput {
        experiment: &found.experiment,
        results: &performed.results,
        verdicts: &document.expectations,
        set: &arguments.set.set,
        commands: &[next(found, arguments)],
    })?;
    let json =
        serde_json::to_string_pretty(document).map_err(|error| Failure::input(format!("cannot write JSON: {error}")))? + "\n";
    let mut files = vec![
        ("report.html".to_owned(), page.html.into_bytes()),
        ("points.csv".to_owned(), page.csv),
        ("experiment.json".to_owned(), json.into_bytes()),
    ];
    files.extend(page.figures.into_iter().map(|figure| (format!("figures/{}.svg", figure.name), figure.svg.into_bytes())));
    for (name, bytes) in files {
        let path = directory.join(name);
        replace(&path, &bytes).map_err(|error| Failure::file("write", &path, &error))?;
    }
    Ok(())
}

fn heading(experiment: &Experiment, performed: &Performed) -> String {
    let axes: Vec<String> = experiment.axes.iter().map(Axis::counted).collect();
    let stopped = match performed.results.n_stopped() {
        0 => String::new(),
        n => format!("; {n} did not come to {} end", if n == 1 { "its" } else { "their" }),
    };
    let n = human::plural(experiment.n_points(), "point");
    hanging("", 2, &format!("{}: {n} ({}){stopped}", experiment.title, axes.join(", ")))
}

/// The first points with their times and, where threads are swept, speedups.
fn table(experiment: &Experiment, performed: &Performed) -> String {
    let n = experiment.n_points();
    let line = |number: usize| {
        let row = &performed.results.rows[number];
        let time = match (row.figures(), row.stopped()) {
            (Some(own), _) => human::time(own.time_ps as f64),
            (None, stopped) => stopped.map_or(String::new(), |stopped| format!("{}: {}", stopped.kind, stopped.message)),
        };
        let speedup =
            performed.results.speedup(experiment, number).map_or(String::new(), |value| format!("  {}", human::factor(value)));
        format!("  {:44} {time}{speedup}\n", experiment.told(number))
    };
    let mut text: String = (0..n.min(SHOWN_POINTS)).map(line).collect();
    if n > SHOWN_POINTS {
        text += &format!("  and {} more: points.csv\n", human::count((n - SHOWN_POINTS) as u64));
    }
    text
}

fn verdict_lines(verdicts: &[Verdict]) -> String {
    let line = |verdict: &Verdict| {
        let met = if verdict.met { "yes" } else { "NO" };
        labelled(met, &format!("{}: {}", verdict.claim, verdict.observed))
    };
    verdicts.iter().map(line).collect()
}

/// A run of the last point by itself.
fn next(found: &Found, arguments: &Arguments) -> String {
    let experiment = &found.experiment;
    let last: Vec<usize> = experiment.axes.iter().map(|axis| axis.values.len() - 1).collect();
    let quoted = |key: &str, value: &str| {
        let assigned = format!("{key}={value}");
        if assigned.contains([' ', '"', '[', '$', '\\']) { format!("'{}'", assigned.replace('\'', "'\\''")) } else { assigned }
    };
    let called = |axis: usize, entry: &Entry| match experiment.axes[axis].values[last[axis]].text.as_str() {
        text if is_path(text) => entry.source.name.to_string(),
        text => text.to_owned(),
    };
    let (machine, workload) = (called(0, &found.machines[last[0]]), called(1, &found.workload_texts[last[1]]));
    let mut command = format!("flynn run {machine} {workload}");
    let fixed = experiment.set.iter().map(|each| (each.name.as_str(), each.value.text.as_str()));
    let mut keys: Vec<(&str, &str)> = fixed.collect();
    for (axis, value) in experiment.axes.iter().filter_map(|axis| Some((axis, axis.values.last()?))) {
        match axis.varies {
            Varies::Threads => command += &format!(" --threads {}", value.text),
            Varies::Key => keys.push((&axis.name, &value.text)),
            _ => {}
        }
    }
    for (name, value) in experiment.parameters(&last) {
        command += &format!(" --param {}", quoted(&name, &value));
    }
    for (key, value) in keys.into_iter().chain(arguments.set.set.iter().map(|(key, value)| (key.as_str(), value.as_str()))) {
        command += &format!(" --set {}", quoted(key, value));
    }
    if experiment.start == Start::Cold {
        command += " --cold";
    }
    if experiment.seed != 1 {
        command += &format!(" --seed {}", experiment.seed);
    }
    command
}
