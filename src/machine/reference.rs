//! The reference of a machine's keys, as a page: made from the declarations that parse them.

use std::fmt::Write;

use serde_json::Value as Json;

use crate::base::document::{Field, KeyShape, Later, Shape, TableShape, Word, enumerate};
use crate::machine::keys::MachineKeys;

/// What the page begins with.
const HEAD: &str = "# The keys of a machine\n\n\
    This page is generated from the declarations that read the keys (`src/machine/keys.rs`), as is the JSON Schema of\n\
    `flynn schema machine`. A key without a default must be there. Quantities are text with a unit: sizes in `B`, `KiB`, `MiB`, `GiB` (1024)\n\
    or `kB`, `MB`, `GB` (1000), times in `ps`, `ns`, `us`, `ms`, `s`, frequencies in `Hz`, `kHz`, `MHz`, `GHz`, bandwidths in `B/s`, `GB/s`, `GiB/s`,\n\
    counts of cycles as `4 cycles`, always of the clock of the part that the key belongs to.\n\n\
    A table that has a key `part` may take its other keys from a file of `models/`; what the machine itself says counts more, and what\n\
    `--set KEY=VALUE` says counts most. `flynn show MACHINE --resolved` prints every key with the value in force.\n";

/// The page, in Markdown.
pub fn reference() -> String {
    page(HEAD, &MachineKeys::shape())
}

/// The reference of a kind of text, in Markdown: what it begins with, and its tables.
pub fn page(head: &str, shape: &Shape) -> String {
    let mut page = head.to_string();
    if let Shape::Table(table) = shape {
        write_table(&mut page, "the file itself", "", table);
    }
    page
}

/// A section for a table, then one for each table in it. Writing to a string cannot fail.
fn write_table(page: &mut String, title: &str, path: &str, table: &TableShape) {
    let _ = write!(page, "\n## {title}\n\n{}\n", table.doc);
    if !table.keys.is_empty() {
        page.push_str("\n| key | holds | default | meaning |\n| --- | --- | --- | --- |\n");
    }
    for key in &table.keys {
        let _ = writeln!(page, "| `{}` | {} | {} | {} |", key.name, holds(&key.shape), default(key), key.doc);
    }
    write_words(page, table);
    write_later(page, "Keys", &table.later);
    for (number, key) in table.keys.iter().enumerate() {
        let join = |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        // Tables of the same keys are written once.
        match table.keys[..number].iter().find(|other| matches!(other.shape, Shape::Table(_)) && other.shape == key.shape) {
            Some(other) => {
                let _ = write!(page, "\n## `[{}]`\n\nIts keys are those of `[{}]`.\n", join(key.name), join(other.name));
            }
            None => write_below(page, &join(key.name), &key.shape),
        }
    }
}

/// Sections for what a key holds, where it holds tables.
fn write_below(page: &mut String, path: &str, shape: &Shape) {
    match shape {
        Shape::Table(table) => write_table(page, &format!("`[{path}]`"), path, table),
        Shape::List(each) => {
            if let Shape::Table(table) = &**each {
                write_table(page, &format!("`[[{path}]]`"), path, table);
            }
        }
        Shape::Tagged { tag, doc, tables, later } => {
            let _ = write!(page, "\n## `[{path}]`\n\n{doc}\n");
            let words: Vec<Word> = tables.iter().map(|(word, _)| word.clone()).collect();
            write_choice(page, tag, &words);
            write_later(page, "Words", later);
            for (word, table) in tables {
                write_table(page, &format!("`[{path}]` with `{tag} = \"{}\"`", word.name), path, table);
            }
        }
        _ => {}
    }
}

/// What the words mean that some keys of a table hold.
fn write_words(page: &mut String, table: &TableShape) {
    for key in &table.keys {
        let parts = match &key.shape {
            Shape::Either(shapes) => &shapes[..],
            shape => std::slice::from_ref(shape),
        };
        for shape in parts {
            if let Shape::Words { words, later } = shape {
                write_choice(page, key.name, words);
                write_later(page, &format!("Words of `{}`", key.name), later);
            }
        }
    }
}

fn write_choice(page: &mut String, key: &str, words: &[Word]) {
    page.push('\n');
    for word in words {
        let _ = writeln!(page, "- `{key} = \"{}\"`: {}", word.name, word.doc);
    }
}

fn write_later(page: &mut String, what: &str, later: &[Later]) {
    if !later.is_empty() {
        let names = enumerate(later.iter().map(|later| later.name), "`", "and");
        let _ = writeln!(page, "\n{what} that are not built yet: {names}.");
    }
}

/// What a key holds, in a cell.
fn holds(shape: &Shape) -> String {
    match shape {
        Shape::Words { words, .. } => words.iter().map(|word| format!("`\"{}\"`", word.name)).collect::<Vec<_>>().join(", "),
        Shape::Quantity { what, examples } => format!("{what}, `\"{}\"`", examples.first().unwrap_or(&"")),
        Shape::Text { .. } => "text".to_string(),
        Shape::Table(_) | Shape::Tagged { .. } | Shape::Map { .. } => "a table, below".to_string(),
        Shape::List(each) if matches!(**each, Shape::Table(_)) => "tables, below".to_string(),
        Shape::Either(shapes) => shapes.iter().map(holds).collect::<Vec<_>>().join(" or "),
        other => other.expectation(),
    }
}

/// What a key is where it is not there, in a cell.
fn default(key: &KeyShape) -> String {
    match (&key.default, key.required) {
        (_, true) => "**required**".to_string(),
        (Json::Null, false) => "absent".to_string(),
        (value, false) => format!("`{value}`"),
    }
}
