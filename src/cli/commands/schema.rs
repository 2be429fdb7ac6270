//! `flynn schema KIND`

use clap::{Args, ValueEnum};
use serde_json::Value as Json;

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
    /// machine, workload, experiment, processor, memory, link, protocol or record
    #[arg(value_enum, hide_possible_values = true, value_name = "KIND")]
    kind: SchemaKind,
}

/// What there is a schema of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SchemaKind {
    Machine,
    Workload,
    Experiment,
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
        SchemaKind::Workload => Some(titled(experiment::workload::schema(), "A workload of Flynn")),
        SchemaKind::Experiment => Some(titled(experiment::sweep::keys::schema(), "An experiment of Flynn")),
        SchemaKind::Protocol => Some(coherence::schema::schema()),
        SchemaKind::Record => Some(experiment::record::schema()),
    };
    console.print_json(&schema)?;
    Ok(Answer::Yes)
}

/// The schema with its dialect and a title.
fn titled(mut schema: Json, title: &str) -> Json {
    if let Json::Object(schema) = &mut schema {
        schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.insert("title".to_owned(), title.into());
    }
    schema
}
