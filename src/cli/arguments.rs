//! What may be written after `flynn`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::answer::{Failure, Outcome};
use super::case::{OPERATION_LIMIT, RunSettings};
use super::commands::{
    check, compare, completions, experiment, explain, host_child, list, man, new, run, schema, show, topology, tour, validate,
};
use super::console::Console;
use super::help;
use crate::experiment::record::Start;

/// Simulates parallel computers you describe in TOML, runs one and the same program text on them and on the threads of this
/// computer, and shows why the times differ.
#[derive(Debug, Parser)]
#[command(name = "flynn", version, max_term_width = 110, disable_help_subcommand = true, subcommand_required = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// The commands, in the order of the help.
#[derive(Debug, Subcommand)]
pub enum Command {
    Tour(tour::Arguments),
    List(list::Arguments),
    Show(show::Arguments),
    New(new::Arguments),
    Run(run::Arguments),
    Compare(compare::Arguments),
    Explain(explain::Arguments),
    Experiment(experiment::Arguments),
    Check(check::Arguments),
    Topology(topology::Arguments),
    Schema(schema::Arguments),
    Validate(validate::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
    #[command(hide = true)]
    HostChild(host_child::Arguments),
}

impl Command {
    /// Does it.
    pub fn run(self, console: &mut Console) -> Outcome {
        match self {
            Command::Tour(arguments) => tour::execute(arguments, console),
            Command::List(arguments) => list::execute(arguments, console),
            Command::Show(arguments) => show::execute(arguments, console),
            Command::New(arguments) => new::execute(arguments, console),
            Command::Run(arguments) => run::execute(arguments, console),
            Command::Compare(arguments) => compare::execute(arguments, console),
            Command::Explain(arguments) => explain::execute(arguments, console),
            Command::Experiment(arguments) => experiment::execute(arguments, console),
            Command::Check(arguments) => check::execute(arguments, console),
            Command::Topology(arguments) => topology::execute(arguments, console),
            Command::Schema(arguments) => schema::execute(arguments, console),
            Command::Validate(arguments) => validate::execute(arguments, console),
            Command::Completions(arguments) => completions::execute(arguments, console),
            Command::Man(arguments) => man::execute(arguments, console),
            Command::HostChild(arguments) => host_child::execute(arguments),
        }
    }
}

/// Commands that are planned and what they will do.
const PLANNED: [(&str, &str); 2] =
    [("scale", "speedup over threads or over a growing machine"), ("calibrate", "learning this computer from microbenchmarks")];

/// How answers are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document on standard output and nothing else.
    Json,
}

/// `--format`
#[derive(Clone, Copy, Debug, Args)]
pub struct FormatArguments {
    /// How to print the answer: lines for people, or one JSON document and nothing else
    #[arg(long, value_enum, default_value_t, hide_possible_values = true, value_name = "text|json")]
    pub format: Format,
}

impl FormatArguments {
    /// Whether JSON is asked for.
    pub fn is_json(self) -> bool {
        self.format == Format::Json
    }
}

/// `--quiet`, `--output`: of the commands that write a directory.
#[derive(Clone, Debug, Args)]
pub struct OutputArguments {
    /// Directory in which the run's own directory is made; nothing in it is ever overwritten
    #[arg(long, value_name = "DIR", default_value = "output")]
    pub output: PathBuf,

    /// Print no progress and no summary: errors, and the path of the directory that was written
    #[arg(long, short)]
    pub quiet: bool,
}

/// How a program is run, whatever the machine.
#[derive(Clone, Debug, Args)]
pub struct ProgramArguments {
    /// Give a parameter of the program another value (again for more)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = assignment)]
    pub parameters: Vec<(String, String)>,

    /// Threads of the program [default: what the machine's [runtime] says, all cores where it says nothing]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
}

/// `--set`
#[derive(Clone, Debug, Args)]
pub struct SetArguments {
    /// Give a key of the machine another value, by its path: node.cache.L1d.size="64 KiB" (again for more)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
}

/// How a simulated run is made: `--seed`, `--cold`, `--limit`, `--functional`.
#[derive(Clone, Copy, Debug, Args)]
pub struct SimulationArguments {
    /// Seed of everything random: data, arrivals, arbitration
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Begin the measured pass with empty caches instead of after a warm-up pass
    #[arg(long)]
    pub cold: bool,

    /// Operations a pass may carry out before the program counts as one that never ends
    #[arg(long, value_name = "OPERATIONS", default_value_t = OPERATION_LIMIT, value_parser = operations)]
    pub limit: u64,

    /// Run a memory trace through the caches without simulating time: counts alone, at several times the speed
    #[arg(long)]
    pub functional: bool,
}

impl SimulationArguments {
    /// The settings of a run of a program with these arguments, nothing watched.
    pub fn settings(&self, program: &ProgramArguments) -> RunSettings {
        RunSettings {
            parameters: program.parameters.clone(),
            threads: program.threads,
            seed: self.seed,
            start: if self.cold { Start::Cold } else { Start::Warm },
            operation_limit: self.limit,
            functional: self.functional,
            watch: None,
        }
    }
}

/// `--jobs`
#[derive(Clone, Copy, Debug, Args)]
pub struct JobsArguments {
    /// Simulations that run at the same time on this computer [default: its cores]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: Option<u32>,
}

/// Splits `KEY=VALUE` at the first `=`.
pub fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("expected a name, `=` and a value".to_owned()),
    }
}

/// A number of operations, at least 1: `5000000000`, `5_000_000_000` or `5e9`.
pub fn operations(text: &str) -> Result<u64, String> {
    let plain = text.replace('_', "");
    let whole = || plain.parse::<u64>().ok();
    // Below 2^53 every whole number is a float.
    let scientific = || plain.parse::<f64>().ok().filter(|n| n.fract() == 0.0 && (1.0..9e15).contains(n)).map(|n| n as u64);
    match whole().or_else(scientific) {
        Some(operations) if operations > 0 => Ok(operations),
        _ => Err("expected a number of operations, at least 1, such as 5_000_000_000 or 5e9".to_owned()),
    }
}

/// The whole command, with its grouped help: for parsing, completions and manual pages.
pub fn command() -> clap::Command {
    help::grouped(Arguments::command())
}

/// Why there are no arguments to act on.
pub enum Refusal {
    /// Asked for help or the version, or the arguments are wrong: as clap says it.
    Said(clap::Error),
    /// A command that does not exist yet.
    Planned(Failure),
}

/// Reads the arguments.
pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, Refusal> {
    let matches = command().try_get_matches_from(arguments).map_err(|error| match planned(&error) {
        Some(failure) => Refusal::Planned(failure),
        None => Refusal::Said(error),
    })?;
    Arguments::from_arg_matches(&matches).map_err(Refusal::Said)
}

fn planned(error: &clap::Error) -> Option<Failure> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let (name, what) = PLANNED.into_iter().find(|(planned, _)| planned == name)?;
    Some(Failure::input(format!("`flynn {name}` is not built yet: {what}")).help("`flynn --help` lists what there is"))
}

impl Refusal {
    /// Says it and returns the exit code.
    pub fn say(&self, console: &Console) -> u8 {
        match self {
            Refusal::Said(error) => {
                // Help goes to standard output, faults to standard error; a closed pipe is no reason to complain.
                let _ = error.print();
                u8::try_from(error.exit_code()).unwrap_or(2)
            }
            Refusal::Planned(failure) => console.conclude(&Err(failure.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_command_teaches_with_examples() {
        for subcommand in command().get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
            let help = subcommand.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("flynn "), "`flynn {} --help` shows no example", subcommand.get_name());
        }
    }

    #[test]
    fn planned_commands_are_refused_by_name_and_are_not_listed() {
        for (name, _) in PLANNED {
            assert!(command().get_subcommands().all(|subcommand| subcommand.get_name() != name), "{name} is built: not planned");
            assert!(matches!(read(["flynn".into(), name.into()]), Err(Refusal::Planned(_))), "{name}");
        }
        assert!(matches!(read(["flynn".into(), "comparee".into()]), Err(Refusal::Said(_))));
    }

    #[test]
    fn operations_are_written_as_people_write_large_numbers() {
        for text in ["100000000", "100_000_000", "1e8"] {
            assert_eq!(operations(text), Ok(100_000_000), "{text}");
        }
        for text in ["0", "-1", "1.5", "many", "", "1e300", "inf"] {
            assert!(operations(text).is_err(), "{text}");
        }
    }

    #[test]
    fn assignments_need_a_name() {
        assert_eq!(assignment("a.b = \"64 KiB\""), Ok(("a.b".into(), "\"64 KiB\"".into())));
        assert_eq!(assignment("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(assignment("=1").is_err() && assignment("a").is_err());
    }
}
