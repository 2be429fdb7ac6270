//! `shared_by`: which cores share a cache.

use serde_json::{Value as Json, json};

use crate::base::diagnostic::Diagnostics;
use crate::base::document::{Data, Field, Shape, Value, Word};

/// Which cores share a cache: all of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedByKey {
    All,
}

impl Field for SharedByKey {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<SharedByKey> {
        if value.text() == Some("all") {
            return Some(SharedByKey::All);
        }
        let message = match value.data {
            Data::Integer(cores) => format!("`{path}`: a cache of {cores} cores of a node would need a protocol of its own"),
            _ => format!("`{path}` must be \"all\", not {}", value.description()),
        };
        let help = "a private cache is one core's, and a shared one stands before memory and serves all cores: write \"all\"";
        faults.push(value.place.fault(message).key(path).help(help));
        None
    }

    fn write(&self) -> Json {
        json!("all")
    }

    fn shape() -> Shape {
        let all = Word { name: "all", doc: "All cores of the node.".to_string() };
        Shape::Words { words: vec![all], later: Vec::new() }
    }
}
