//! `flynn man DIR`

use std::path::PathBuf;

use clap::Args;

use crate::cli::answer::{Answer, Failure, Outcome};
use crate::cli::console::Console;

/// Write manual pages, flynn.1 and one for each command
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn man ~/.local/share/man/man1     then `man flynn-run`
  flynn man /tmp/pages && man -l /tmp/pages/flynn.1")]
pub struct Arguments {
    /// Where the pages go; made where it is not there. Pages of an earlier version are replaced
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    let directory = &arguments.directory;
    std::fs::create_dir_all(directory).map_err(|error| Failure::file("make", directory, &error))?;
    clap_mangen::generate_to(crate::cli::command(), directory)
        .map_err(|error| Failure::file("write manual pages to", directory, &error))?;
    console.talk(&format!("wrote flynn.1 and a page for each command to {}", directory.display()));
    Ok(Answer::Yes)
}
