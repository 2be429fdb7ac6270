//! `flynn host-child`: the process in which a program runs on this computer's threads, so that no program can bring down or hold up
//! the one that measures. Hidden: `cli::measure` starts it.

use clap::Args;

use crate::cli::answer::Outcome;
use crate::cli::measure;
use crate::cli::names::Library;

/// Run one program for the process that asked, over standard input and output
#[derive(Debug, Args)]
pub struct Arguments {}

pub fn execute(_: Arguments) -> Outcome {
    measure::serve_measurements(&Library::new())
}
