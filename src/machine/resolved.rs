//! A machine with every key and the value in force: as JSON for the record, as TOML for a person, who sees where each value is from.

use std::fmt::Write;

use serde_json::{Map, Value as Json};

use crate::base::document::{Data, TAG, Value};

/// The resolved keys as a text that is itself a machine's. `tree` is what was written, of several texts; `own` is the name of the
/// machine's text. A comment says where a value is from that is not written there.
pub fn to_toml(resolved: &Json, tree: &Value, own: &str) -> String {
    let mut text = format!("# Every key of {own} with the value in force, and where it is from if not from that file.\n\n");
    if let Json::Object(table) = resolved {
        write_table(table, Some(tree), "", own, &mut text);
    }
    text
}

/// The lines of a table: its plain keys, then its tables.
fn write_table(table: &Map<String, Json>, tree: Option<&Value>, path: &str, own: &str, text: &mut String) {
    let plain = table.iter().filter(|(_, value)| !is_table(value));
    let lines: Vec<(String, &str)> =
        plain.map(|(key, value)| (format!("{key} = {}", scalar(value)), origin(written(tree, key), own))).collect();
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0);
    for (line, origin) in &lines {
        if origin.is_empty() {
            text.push_str(line);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "{line:width$}  # {origin}");
        }
        text.push('\n');
    }
    for (key, value) in table.iter().filter(|(_, value)| is_table(value)) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let below = tree.and_then(|tree| tree.get(key));
        match value {
            Json::Object(table) => {
                // A table that only holds tables needs no header.
                if table.is_empty() || table.values().any(|value| !is_table(value)) {
                    let _ = writeln!(text, "\n[{path}]");
                }
                write_table(table, below, &path, own, text);
            }
            Json::Array(items) => {
                let list = below.and_then(|below| match &below.data {
                    Data::List(list) => Some(list),
                    _ => None,
                });
                for (index, item) in items.iter().enumerate() {
                    let _ = writeln!(text, "\n[[{path}]]");
                    if let Json::Object(table) = item {
                        write_table(table, list.and_then(|list| list.get(index)), &path, own, text);
                    }
                }
            }
            _ => {}
        }
    }
}

/// What was written for a key; the word that stands for a whole table is the table's kind.
fn written<'a>(table: Option<&'a Value>, key: &str) -> Option<&'a Value> {
    let table = table?;
    if table.text().is_some() && key == TAG { Some(table) } else { table.get(key) }
}

/// Whether it is written below a header.
fn is_table(value: &Json) -> bool {
    match value {
        Json::Object(_) => true,
        Json::Array(items) => items.iter().any(Json::is_object),
        _ => false,
    }
}

/// Where a value is from, where it is not from the machine's own text.
fn origin<'a>(written: Option<&'a Value>, own: &str) -> &'a str {
    match written {
        None => "default",
        Some(value) if &*value.place.source.name == own => "",
        Some(value) => &value.place.source.name,
    }
}

/// A value on one line, as TOML.
fn scalar(value: &Json) -> String {
    toml::Value::try_from(value).map_or_else(|_| "\"\"".to_string(), |value| value.to_string())
}
