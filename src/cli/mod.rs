//! The command line: arguments, files and progress, and nothing else. What a command computes is made by the floors above.
//!
//! ```text
//!   arguments --> commands/NAME.rs --names--> texts --machine, experiment, host--> records --report--> pages
//!                       |                                                                               |
//!                    console (data to stdout, talk to stderr)                       output (whole directories or none)
//! ```
//!
//! One file of `commands` is one command: its arguments, its help, and what it does. Exit codes: 0 fine; 1 the answer is no (a
//! program deadlocks or faults, a check fails, checksums differ); 2 the input is wrong.

mod answer;
mod arguments;
mod beside;
mod case;
mod commands;
mod console;
mod content;
mod draw;
mod finished;
mod help;
mod layout;
mod measure;
mod names;
mod outcomes;
mod output;
mod pages;
mod parallel;
mod points;
mod progress;
mod proof;
mod summary;
mod this_computer;
mod trace_file;

use std::process::ExitCode;

pub use arguments::command;

/// The `flynn` command: reads the arguments of this process, does what they say, and returns the exit code.
pub fn main() -> ExitCode {
    let mut console = console::Console::of_process();
    let arguments = match arguments::read(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(refusal) => return ExitCode::from(refusal.say(&console)),
    };
    let outcome = arguments.command.run(&mut console);
    ExitCode::from(console.conclude(&outcome))
}
