//! `flynn compare MACHINE... --workload WORKLOAD`

use clap::Args;
use serde::Serialize;

use crate::cli::answer::{Answer, Failure, Outcome};
use crate::cli::arguments::{
    FormatArguments, JobsArguments, OutputArguments, ProgramArguments, SetArguments, SimulationArguments, assignment,
};
use crate::cli::beside;
use crate::cli::case::Case;
use crate::cli::console::Console;
use crate::cli::finished;
use crate::cli::layout::labelled;
use crate::cli::names::{Library, stem};
use crate::cli::output;
use crate::cli::pages::{self, Collection};
use crate::cli::parallel;
use crate::cli::progress::Progress;
use crate::experiment::compare::{Comparison, compare};
use crate::experiment::record::Record;

/// At most so many runs are put side by side.
const MOST_RUNS: usize = 24;

/// Run one workload on several machines, or one machine in several ways, and say what they differ in and why the times differ
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn compare uma-bus-2 uma-bus-4 --workload triad
  flynn compare uma-bus-4 --vary address_space.protocol=mesi,moesi,dragon --workload migratory
  flynn compare uma-bus-4 --vary address_space.protocol=mesi,my-mesi.toml --workload producer-consumer
  flynn compare uma-bus-4 --vary node.cache.L2.size='128 KiB,1 MiB' --vary runtime.threads=2,4 -w stencil
  flynn compare my-machine.toml uma-bus-4 --workload triad --set 'node.interconnect.width=\"64 B\"'
  flynn compare output/uma-bus-4-triad output/uma-bus-4-triad-2

Begins with what the machines differ in, down to the rows of their coherence protocols, then figures, then reasons: \
each run beside the first. In the place of a machine may stand the directory or the record.json of a finished run. \
All runs are of the same program with the same parameters; where their results differ, the exit code is 1.

Writes output/compare-WORKLOAD/: report.html and the records.")]
pub struct Arguments {
    /// The machines: names of `flynn list machines`, TOML files, or finished runs (their directory or record.json)
    #[arg(value_name = "MACHINE", required = true)]
    machines: Vec<String>,

    /// The workload, run on all of them: a name of `flynn list workloads`, a .flynn or .toml file, or a memory trace
    #[arg(long, short, value_name = "WORKLOAD")]
    workload: Option<String>,

    /// Run each machine once with each of these values of a key: node.cores=2,4,8 (again for more keys: all combinations)
    #[arg(long, value_name = "KEY=VALUE,VALUE", value_parser = assignment)]
    vary: Vec<(String, String)>,

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
    records: &'a [Record],
    comparison: &'a Comparison,
}

/// Something to compare: a record that is there, or a run that is to be made.
enum Item {
    Finished(Box<Record>),
    Case(Box<Case>),
}

/// An item with the name it has beside the others.
struct Named {
    label: String,
    item: Item,
}

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    let is_json = arguments.format.is_json();
    let outcome = answer(arguments, console);
    console.tell_failure(is_json, outcome)
}

fn answer(arguments: Arguments, console: &mut Console) -> Outcome {
    console.be_quiet(arguments.output.quiet);
    let (records, labels) = records(&arguments, console)?;
    let comparison = compare(&records.iter().collect::<Vec<_>>(), &labels).map_err(Failure::input)?;
    let written = write(&records, &labels, &arguments, console);
    let document = Document { records: &records, comparison: &comparison };
    console.present(arguments.format.is_json(), &document, written, |directory| {
        beside::text(&records[0], &comparison) + "\n" + &labelled("report", &format!("{directory}/report.html"))
    })?;
    Ok(if comparison.results.equal { Answer::Yes } else { Answer::No })
}

/// The records with their names, those that are not there yet simulated.
fn records(arguments: &Arguments, console: &Console) -> Result<(Vec<Record>, Vec<String>), Failure> {
    let mut library = Library::new();
    for machine in arguments.machines.iter().filter(|machine| !finished::is_finished(machine)) {
        library = library.with_runtime_beside(machine);
    }
    let items = items(arguments, &library)?;
    let settings = arguments.simulation.settings(&arguments.program);
    let mut progress = Progress::new(console);
    progress.message(format!("simulating {} runs", items.len()));
    let run = |named: &Named| match &named.item {
        Item::Finished(record) => Ok((**record).clone()),
        Item::Case(case) => case.simulate(&settings, &library, &mut |_| {}).map_err(|failure| on(&named.label, failure)),
    };
    let mut done = 0.0;
    let records = parallel::each(arguments.jobs.jobs, &items, run, |named| {
        done += 1.0;
        progress.message(format!("simulated {}", named.label));
        progress.fraction(done / items.len() as f64);
    })?;
    let records = records.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok((records, items.into_iter().map(|named| named.label).collect()))
}

/// A run that did not come to its end says which it was.
fn on(label: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Stopped(mut stopped) => {
            stopped.message = format!("“{label}”: {}", stopped.message);
            Failure::Stopped(stopped)
        }
        other => other,
    }
}

/// Everything to compare, in the order of the command line.
fn items(arguments: &Arguments, library: &Library) -> Result<Vec<Named>, Failure> {
    let variants = variants(&arguments.vary)?;
    let alone = arguments.machines.iter().all(|machine| *machine == arguments.machines[0]);
    let mut items: Vec<Named> = Vec::new();
    for machine in &arguments.machines {
        if finished::is_finished(machine) {
            items.push(Named { label: finished::name(machine), item: Item::Finished(Box::new(finished::read(machine)?)) });
            continue;
        }
        let Some(workload) = &arguments.workload else {
            let help = format!("flynn compare {} --workload triad", arguments.machines.join(" "));
            return Err(Failure::input("the workload is missing: what are the machines to run?").help(help));
        };
        for variant in &variants {
            if items.len() == MOST_RUNS {
                return Err(Failure::input(format!("more than {MOST_RUNS} runs cannot be read side by side")));
            }
            let set = [&arguments.set.set[..], variant].concat();
            let case = Case::read(library, machine, workload, &set)?;
            let own = (!alone || variant.is_empty()).then(|| stem(machine));
            items.push(Named { label: label(own, variant), item: Item::Case(Box::new(case)) });
        }
    }
    if items.len() < 2 {
        let help = "name a second machine, or let a key vary: --vary address_space.protocol=mesi,moesi";
        return Err(Failure::input("one run alone cannot be compared").help(help));
    }
    number_namesakes(&mut items);
    Ok(items)
}

/// `uma-bus-4, protocol moesi`
fn label(machine: Option<String>, variant: &[(String, String)]) -> String {
    let value = |(key, value): &(String, String)| {
        let last = key.rsplit('.').next().unwrap_or(key);
        let value = value.trim_matches('"');
        format!("{last} {}", value.strip_suffix(".toml").unwrap_or(value))
    };
    machine.into_iter().chain(variant.iter().map(value)).collect::<Vec<_>>().join(", ")
}

fn number_namesakes(items: &mut [Named]) {
    for i in 1..items.len() {
        let label = items[i].label.clone();
        let mut number = 1;
        while items[..i].iter().any(|other| other.label == items[i].label) {
            number += 1;
            items[i].label = format!("{label} ({number})");
        }
    }
}

/// All combinations of the values that keys are to have.
fn variants(vary: &[(String, String)]) -> Result<Vec<Vec<(String, String)>>, Failure> {
    let mut variants = vec![Vec::new()];
    for (key, list) in vary {
        let values = values(list);
        if values.iter().any(String::is_empty) {
            return Err(Failure::input(format!("`--vary {key}={list}` lacks a value")).help("--vary KEY=VALUE,VALUE"));
        }
        if variants.len() * values.len() > MOST_RUNS {
            return Err(Failure::input(format!("more than {MOST_RUNS} runs cannot be read side by side")));
        }
        let with = |variant: &Vec<(String, String)>, value: &String| [&variant[..], &[(key.clone(), value.clone())]].concat();
        variants = variants.iter().flat_map(|variant| values.iter().map(move |value| with(variant, value))).collect();
    }
    Ok(variants)
}

/// Values with commas between them; commas inside quotation marks, brackets and braces belong to a value.
fn values(list: &str) -> Vec<String> {
    let (mut values, mut quote, mut depth) = (vec![String::new()], None, 0i32);
    for c in list.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            ('[' | '{', None) => depth += 1,
            (']' | '}', None) => depth -= 1,
            (',', None) if depth <= 0 => {
                values.push(String::new());
                continue;
            }
            _ => {}
        }
        values.last_mut().unwrap_or_else(|| unreachable!("begun with one")).push(c);
    }
    values.iter().map(|value| value.trim().to_owned()).collect()
}

fn write(records: &[Record], labels: &[String], arguments: &Arguments, console: &Console) -> Result<String, Failure> {
    let workload = &records[0].workload.name;
    let title = format!("{workload}: {}", labels.join(" | "));
    let files = pages::of_collection(&Collection {
        title: &title,
        predictions: false,
        records,
        labels,
        validation: &[],
        host: None,
        commands: Vec::new(),
    })?;
    output::write_run(&arguments.output.output, &format!("compare-{workload}"), &files, console)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_apart_at_commas_outside_quotation_marks() {
        assert_eq!(values("mesi, moesi ,dragon"), ["mesi", "moesi", "dragon"]);
        assert_eq!(values("\"a,b\",[1, 2],{ kind = \"x\", n = 1 }"), ["\"a,b\"", "[1, 2]", "{ kind = \"x\", n = 1 }"]);
        assert_eq!(values("32 KiB"), ["32 KiB"]);
        assert_eq!(values("a,,b"), ["a", "", "b"]);
        assert_eq!(values("]],a"), ["]]", "a"]);
    }

    #[test]
    fn keys_that_vary_are_combined() {
        let vary =
            |all: &[(&str, &str)]| variants(&all.iter().map(|(key, list)| (key.to_string(), list.to_string())).collect::<Vec<_>>());
        let two = vary(&[("a.b", "1,2"), ("c", "x,y")]).unwrap();
        let labels: Vec<String> = two.iter().map(|variant| label(None, variant)).collect();
        assert_eq!(labels, ["b 1, c x", "b 1, c y", "b 2, c x", "b 2, c y"]);
        assert_eq!(vary(&[]).unwrap().len(), 1);
        assert!(vary(&[("a", "1,,2")]).is_err());
        assert!(vary(&[("a", "1,2,3,4,5"), ("b", "1,2,3,4,5")]).is_err(), "25 are too many");
    }
}
