//! `flynn show NAME`

use clap::Args;

use crate::cli::answer::{Answer, Failure, Outcome};
use crate::cli::arguments::SetArguments;
use crate::cli::console::Console;
use crate::cli::names::Library;
use crate::machine::catalogue::Kind;

/// Print the text of a machine, workload, part, protocol or run-time text
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn show uma-bus-4                 the text
  flynn show uma-bus-4 --resolved      every key with the value in force
  flynn show uma-bus-4 --resolved --set node.cores=8
  flynn show triad                     a program
  flynn show protocols/mesi            a name that several things have: say which")]
pub struct Arguments {
    /// A name of `flynn list`, or a path
    #[arg(value_name = "NAME")]
    name: String,

    /// Print a machine with every key and the value in force
    #[arg(long)]
    resolved: bool,

    #[command(flatten)]
    set: SetArguments,
}

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    let library = Library::new();
    let entry = library.find_any(&arguments.name)?;
    if !arguments.resolved && arguments.set.set.is_empty() {
        console.print(&entry.source.text)?;
        return Ok(Answer::Yes);
    }
    if entry.kind != Kind::Machine {
        let message = format!("`{}` is a {}: --resolved and --set are for machines", arguments.name, entry.kind.noun());
        return Err(Failure::input(message));
    }
    let machine = library.resolve(&entry.source, &arguments.set.set)?;
    console.print(&machine.resolved_text())?;
    Ok(Answer::Yes)
}
