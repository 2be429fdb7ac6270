//! `flynn list [WHAT]`

use std::fmt::Write;

use clap::{Args, ValueEnum};
use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use crate::cli::answer::{Answer, Outcome};
use crate::cli::arguments::FormatArguments;
use crate::cli::console::Console;
use crate::cli::layout::hanging;
use crate::cli::names::{Library, heading};
use crate::machine::catalogue::{Entry, Kind};

/// What to begin with: each of the five adds one idea.
const START_HERE: [(&str, &str); 5] = [
    ("flynn run uniprocessor triad", "one core and its memory: where does the time go?"),
    ("flynn run uma-bus-16 triad", "sixteen such cores on one bus: how much faster, and why not sixteen times?"),
    ("flynn run uma-bus-4 sum-unpadded", "threads that share no data, but share lines"),
    ("flynn run uma-bus-4 sum-padded", "the same program after one word"),
    ("flynn validate triad", "the same text on the threads of this computer"),
];

/// List what there is, in a sentence each: machines, workloads, experiments, parts, protocols
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn list                          where to start, machines and workloads
  flynn list experiments              questions with sweeps, plots and what is expected
  flynn list parts                    processors, memories, links, run-time texts
  flynn list --format json | jq '.workloads[].name'

Files of yours in ./configs/ are listed too; one that has a built-in name takes its place.")]
pub struct Arguments {
    /// machines, workloads, experiments, parts or protocols [default: where to start, machines and workloads]
    #[arg(value_enum, hide_possible_values = true)]
    what: Option<What>,

    #[command(flatten)]
    format: FormatArguments,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Machines,
    Workloads,
    Parts,
    Protocols,
    Experiments,
}

impl What {
    fn kinds(self) -> &'static [Kind] {
        match self {
            What::Machines => &[Kind::Machine],
            What::Workloads => &[Kind::Workload],
            What::Parts => &[Kind::Processor, Kind::Memory, Kind::Link, Kind::Runtime],
            What::Protocols => &[Kind::Protocol],
            What::Experiments => &[Kind::Experiment],
        }
    }
}

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    let library = Library::new();
    if arguments.format.is_json() {
        let kinds = arguments.what.map_or(&Kind::ALL[..], What::kinds);
        console.print_json(&document(&library, kinds, arguments.what.is_none()))?;
    } else {
        console.print(&text(&library, arguments.what))?;
    }
    Ok(Answer::Yes)
}

fn document(library: &Library, kinds: &[Kind], start: bool) -> IndexMap<&'static str, Json> {
    let mut document = IndexMap::new();
    if start {
        let commands = START_HERE.iter().map(|(command, what)| json!({"command": command, "summary": what}));
        document.insert("start_here", commands.collect());
    }
    for &kind in kinds {
        let entries = library.catalogue.entries(kind);
        let described = entries.map(|entry| json!({"name": entry.name, "summary": entry.summary(), "file": &*entry.source.name}));
        document.insert(heading(kind), described.collect());
    }
    document
}

fn text(library: &Library, what: Option<What>) -> String {
    let mut text = String::new();
    if what.is_none() {
        let _ = writeln!(text, "Start here");
        for (command, idea) in START_HERE {
            text.push_str(&hanging(&format!("  {command}"), 37, idea));
        }
        text.push('\n');
    }
    let kinds = what.map_or(&[Kind::Machine, Kind::Workload][..], What::kinds);
    let groups: Vec<(Kind, Vec<&Entry>)> = kinds.iter().map(|&kind| (kind, library.catalogue.entries(kind).collect())).collect();
    let width = groups.iter().flat_map(|(_, entries)| entries).map(|entry| entry.name.chars().count()).max().unwrap_or(0);
    let sections: Vec<String> = groups.iter().map(|(kind, entries)| section(*kind, entries, width)).collect();
    text.push_str(&sections.join("\n"));
    if what.is_none() {
        let counts = [What::Experiments, What::Parts, What::Protocols].map(|what| {
            let count: usize = what.kinds().iter().map(|&kind| library.catalogue.entries(kind).count()).sum();
            let name = what.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
            (name, count)
        });
        let more: Vec<String> =
            counts.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("`flynn list {name}` ({count})")).collect();
        let _ = writeln!(text, "\nMore: {}. `flynn show NAME` prints one.", more.join(", "));
    }
    text
}

fn section(kind: Kind, entries: &[&Entry], width: usize) -> String {
    let heading = heading(kind);
    let mut text = heading[..1].to_uppercase() + &heading[1..] + "\n";
    for entry in entries {
        text.push_str(&hanging(&format!("  {}", entry.name), width + 4, &entry.summary()));
    }
    if entries.is_empty() {
        text.push_str("  none yet\n");
    }
    text
}
