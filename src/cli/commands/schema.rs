//! `flynn schema KIND`

use clap::{Args, ValueEnum};

use crate::cli::answer::{Answer, Outcome};
use crate::cli::console::Console;
use crate::machine::catalogue::Kind;
use crate::{coherence, experiment, machine};

/// Print the JSON Schema of a kind of file, for editors and for programs that read records
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn schema machine > machine.schema.json
  flynn schema record | jq .properties.metrics

A first line `#:schema ./machine.schema.json` in a machine's TOML gives completion and hints in editors \
with Taplo or Tombi.")]
pub struct Arguments {
    /// machine, workload, processor, memory, link, protocol or record
    #[arg(value_enum, hide_possible_values = true, value_name = "KIND")]
    kind: SchemaKind,
}

/// What there is a schema of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SchemaKind {
    Machine,
    Workload,
    Processor,
    Memory,
    Link,
    Protocol,
    Record,
}

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    let schema = match arguments.kind {
        SchemaKind::Machine => machine::schema::schema(Kind::Machine),
        SchemaKind::Processor => machine::schema::schema(Kind::Processor),
        SchemaKind::Memory => machine::schema::schema(Kind::Memory),
        SchemaKind::Link => machine::schema::schema(Kind::Link),
        SchemaKind::Workload => Some(experiment::workload::schema()),
        SchemaKind::Protocol => Some(coherence::schema::schema()),
        SchemaKind::Record => Some(experiment::record::schema()),
    };
    console.print_json(&schema)?;
    Ok(Answer::Yes)
}
