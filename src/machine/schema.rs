//! JSON Schemas of what users write in TOML, for editors: made from the declarations that parse it.

use serde_json::{Value as Json, json};

use crate::base::document::{Field, KeyShape, Shape, TableShape};
use crate::machine::catalogue::Kind;
use crate::machine::keys::{CoreKeys, InterconnectKeys, MachineKeys, MemoryKeys};
use crate::machine::parts::PARTS;

/// The dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a kind of text this floor reads: machines and the parts they are made of.
pub fn schema(kind: Kind) -> Option<Json> {
    let shape = match kind {
        Kind::Machine => MachineKeys::shape(),
        Kind::Processor => part(kind, optional(CoreKeys::shape())),
        Kind::Link => part(kind, optional(InterconnectKeys::shape())),
        Kind::Memory => part(kind, optional(MemoryKeys::shape())),
        Kind::Workload | Kind::Experiment | Kind::Protocol | Kind::Runtime => return None,
    };
    let mut schema = shape.json_schema();
    if let Json::Object(schema) = &mut schema {
        schema.insert("$schema".to_string(), json!(DIALECT));
        schema.insert("title".to_string(), json!(format!("A {} of Flynn", kind.noun())));
    }
    Some(schema)
}

/// A part's text: a description and its table.
fn part(kind: Kind, table: Shape) -> Shape {
    let key = PARTS.iter().find(|(_, other)| *other == kind).map_or("", |(key, _)| *key);
    let table = KeyShape {
        name: key,
        doc: format!("What a machine's table `{key}` would say. What is left out the machine must say."),
        shape: table,
        required: true,
        default: Json::Null,
    };
    let doc = "One sentence: what it is.".to_string();
    let description = KeyShape { name: "description", doc, shape: String::shape(), required: true, default: Json::Null };
    Shape::Table(TableShape {
        doc: format!("A {}, for `part = \"NAME\"`.", kind.noun()),
        keys: vec![description, table],
        later: Vec::new(),
    })
}

/// The same keys, none of which must be there.
fn optional(shape: Shape) -> Shape {
    match shape {
        Shape::Table(mut table) => {
            for key in &mut table.keys {
                key.required = false;
            }
            table.keys.retain(|key| key.name != "part");
            Shape::Table(table)
        }
        Shape::Tagged { tag, doc, tables, later } => {
            let tables = tables
                .into_iter()
                .filter_map(|(word, table)| match optional(Shape::Table(table)) {
                    Shape::Table(table) => Some((word, table)),
                    _ => None,
                })
                .collect();
            Shape::Tagged { tag, doc, tables, later }
        }
        other => other,
    }
}
