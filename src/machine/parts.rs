//! `part = "NAME"`: a table of a machine takes every key it does not say itself from a file of `models/`.
//!
//! A part's file has a `description` and the table as a machine would write it:
//!
//! ```toml
//! description = "A core."
//! [core]
//! costs = { integer = "1 cycle" }
//! ```

use crate::base::diagnostic::{Diagnostic, Diagnostics};
use crate::base::document::{Data, Place, TAG, Value, enumerate, parse};
use crate::machine::catalogue::{Catalogue, Kind};

/// Tables of a node that can name a part, and the kind of part.
pub const PARTS: [(&str, Kind); 3] = [("core", Kind::Processor), ("interconnect", Kind::Link), ("memory", Kind::Memory)];

/// Completes the tables of every node of a machine's tree from the parts they name.
pub fn complete(root: &mut Value, catalogue: &Catalogue, faults: &mut Diagnostics) {
    let Some(Data::List(nodes)) = root.table_mut().and_then(|table| table.get_mut("node")).map(|entry| &mut entry.value.data)
    else {
        return;
    };
    for node in nodes {
        for (key, kind) in PARTS {
            if let Some(entry) = node.table_mut().and_then(|node| node.get_mut(key)) {
                match named(&entry.value, key, kind, catalogue) {
                    Ok(Some(part)) => entry.value.fill_from(&part),
                    Ok(None) => {}
                    Err(mut found) => faults.append(&mut found),
                }
            }
        }
    }
}

/// The names of the texts that a machine's tree refers to: what a caller may look for in files beside the machine's.
pub fn references(root: &Value) -> Vec<(Kind, String)> {
    let mut names = Vec::new();
    if let Some(Data::List(nodes)) = root.get("node").map(|node| &node.data) {
        for (node, (key, kind)) in nodes.iter().flat_map(|node| PARTS.map(|part| (node, part))) {
            if let Some(name) = node.get(key).and_then(|table| table.get("part")?.text()) {
                names.push((kind, name.to_string()));
            }
        }
    }
    if let Some(name) = root.get("address_space").and_then(|table| table.get("protocol")?.text()) {
        names.push((Kind::Protocol, name.to_string()));
    }
    names
}

/// The table of the part that a table names, where it names one.
fn named(table: &Value, key: &str, kind: Kind, catalogue: &Catalogue) -> Result<Option<Value>, Diagnostics> {
    let Some(reference) = table.get("part") else { return Ok(None) };
    // Not a text: told when the table is read.
    let Some(name) = reference.text() else { return Ok(None) };
    let path = format!("node.{key}.part");
    let Some(entry) = catalogue.find(kind, name) else {
        let message = format!("there is no {} called \"{name}\"", kind.noun());
        return Err(vec![reference.place.fault(message).key(path).help(catalogue.suggestion(kind, name))]);
    };
    let part = part_table(&parse(&entry.source)?, key)?;
    let word = |table: &Value| table.get(TAG).and_then(Value::text).map(str::to_string);
    if let (Some(own), Some(other)) = (word(table), word(&part))
        && own != other
    {
        let place = table.get(TAG).map_or(&table.place, |value| &value.place);
        let message = format!("the {} \"{name}\" has {TAG} = \"{other}\", not \"{own}\"", kind.noun());
        let help = format!("leave out `{TAG}`, or leave out `part`");
        return Err(vec![place.fault(message).key(format!("node.{key}.{TAG}")).help(help)]);
    }
    Ok(Some(part))
}

/// The one table of a part's text.
fn part_table(root: &Value, key: &str) -> Result<Value, Diagnostics> {
    let known = ["description", key];
    let mut faults: Vec<Diagnostic> = Vec::new();
    for (name, entry) in root.table().into_iter().flatten() {
        if !known.contains(&name.as_str()) {
            let help = format!("a part has {}", enumerate(known, "`", "and"));
            faults.push(entry.key.fault(format!("unknown key `{name}`")).key(name.as_str()).help(help));
        }
    }
    let table = root.get(key);
    let lacking = |place: &Place| place.fault(format!("the part lacks the table `[{key}]`")).key(key);
    match table {
        Some(table) if table.table().is_some() => {
            if let Some(part) = table.get("part") {
                faults.push(part.place.fault("a part cannot name another part").key(format!("{key}.part")));
            }
        }
        _ => faults.push(lacking(&root.place)),
    }
    match table {
        Some(table) if faults.is_empty() => Ok(table.clone()),
        _ => Err(faults),
    }
}
