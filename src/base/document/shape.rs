//! What a document may say, as data: made by the declarations that also parse it, turned into a JSON Schema here.

use serde_json::{Map, Value as Json, json};

/// What a key may hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Any text; what it says.
    Text { what: &'static str },
    /// Text with a number and a unit, or several forms of it; what it measures, and some right ones.
    Quantity { what: &'static str, examples: &'static [&'static str] },
    /// A whole number.
    Whole { minimum: u64, maximum: u64 },
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// One of some words.
    Words { words: Vec<Word>, later: Vec<Later> },
    /// A list.
    List(Box<Shape>),
    /// A table whose keys the user names; what they name.
    Map { what: &'static str, each: Box<Shape> },
    /// A table with known keys.
    Table(TableShape),
    /// A table whose other keys depend on the word its key `tag` holds. The word alone, as text, stands for a table with no other key.
    Tagged { tag: &'static str, doc: String, tables: Vec<(Word, TableShape)>, later: Vec<Later> },
    /// Any of these.
    Either(Vec<Shape>),
}

/// A word a key may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As written.
    pub name: &'static str,
    /// What it means.
    pub doc: String,
}

/// A key or word that is planned and does not work yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Later {
    /// As written.
    pub name: &'static str,
    /// What is not built yet: completes "NAME: ... not built yet".
    pub what: &'static str,
}

/// A table with known keys.
#[derive(Clone, Debug, PartialEq)]
pub struct TableShape {
    /// What the table describes.
    pub doc: String,
    /// Its keys, in the order of the reference.
    pub keys: Vec<KeyShape>,
    /// Keys that do not work yet.
    pub later: Vec<Later>,
}

/// A key of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyShape {
    /// As written.
    pub name: &'static str,
    /// What it means.
    pub doc: String,
    /// What it may hold.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// Its value where it is not there; null where that means that the thing is absent.
    pub default: Json,
}

/// The lines of a doc comment as one paragraph.
pub fn paragraph(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// `a`, `b` and `c`, each in the given quotes.
pub fn enumerate<'a>(names: impl IntoIterator<Item = &'a str>, quote: &str, conjunction: &str) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("{quote}{name}{quote}")).collect();
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} {conjunction} {last}", others.join(", ")),
    }
}

impl Shape {
    /// What is expected, to complete "must be ...".
    pub fn expectation(&self) -> String {
        match self {
            Shape::Text { what } => what.to_string(),
            Shape::Quantity { what, examples } => {
                format!("{what} such as {}", enumerate(examples.iter().copied().take(2), "\"", "or"))
            }
            Shape::Whole { minimum, maximum: u64::MAX } => format!("a whole number of at least {minimum}"),
            Shape::Whole { minimum, maximum } => format!("a whole number from {minimum} to {maximum}"),
            Shape::Number => "a number".to_string(),
            Shape::Boolean => "true or false".to_string(),
            Shape::Words { words, .. } => enumerate(words.iter().map(|word| word.name), "\"", "or"),
            Shape::List(each) if matches!(**each, Shape::Table(_)) => "a list of tables".to_string(),
            Shape::List(each) => format!("a list, each of it {}", each.expectation()),
            Shape::Map { .. } | Shape::Table(_) => "a table".to_string(),
            Shape::Tagged { tag, tables, .. } => {
                format!("a table whose key `{tag}` is {}", enumerate(tables.iter().map(|(word, _)| word.name), "\"", "or"))
            }
            Shape::Either(shapes) => shapes.iter().map(Shape::expectation).collect::<Vec<_>>().join(", or "),
        }
    }

    /// The paths of the tables below this one that have a key of this name.
    pub fn owners(&self, key: &str) -> Vec<String> {
        let mut found = Vec::new();
        self.find_owners(key, "", &mut found);
        found.dedup();
        found
    }

    fn find_owners(&self, key: &str, path: &str, found: &mut Vec<String>) {
        match self {
            Shape::Table(table) => table.find_owners(key, path, found),
            Shape::Tagged { tables, .. } => tables.iter().for_each(|(_, table)| table.find_owners(key, path, found)),
            Shape::List(each) => each.find_owners(key, path, found),
            _ => {}
        }
    }

    /// The JSON Schema (2020-12) of what is accepted, but for the arithmetic of units and what ties one key to another.
    pub fn json_schema(&self) -> Json {
        match self {
            Shape::Text { .. } => json!({"type": "string"}),
            Shape::Quantity { what, examples } => json!({"type": "string", "title": what, "examples": examples}),
            Shape::Whole { minimum, maximum: u64::MAX } => json!({"type": "integer", "minimum": minimum}),
            Shape::Whole { minimum, maximum } => json!({"type": "integer", "minimum": minimum, "maximum": maximum}),
            Shape::Number => json!({"type": "number"}),
            Shape::Boolean => json!({"type": "boolean"}),
            Shape::Words { words, .. } => {
                let words: Vec<Json> = words.iter().map(|word| json!({"const": word.name, "description": word.doc})).collect();
                json!({"oneOf": words})
            }
            Shape::List(each) => json!({"type": "array", "items": each.json_schema()}),
            Shape::Map { each, .. } => json!({"type": "object", "additionalProperties": each.json_schema()}),
            Shape::Table(table) => table.json_schema(None),
            Shape::Tagged { tag, doc, tables, .. } => {
                let mut forms: Vec<Json> = tables.iter().map(|(word, table)| table.json_schema(Some((tag, word)))).collect();
                let bare: Vec<&str> = tables.iter().filter(|(_, table)| table.may_be_empty()).map(|(word, _)| word.name).collect();
                if !bare.is_empty() {
                    forms.push(json!({"enum": bare}));
                }
                json!({"description": doc, "oneOf": forms})
            }
            Shape::Either(shapes) => json!({"anyOf": shapes.iter().map(Shape::json_schema).collect::<Vec<_>>()}),
        }
    }
}

impl TableShape {
    /// Whether it can do without any key.
    pub fn may_be_empty(&self) -> bool {
        self.keys.iter().all(|key| !key.required)
    }

    fn find_owners(&self, key: &str, path: &str, found: &mut Vec<String>) {
        if !path.is_empty() && self.keys.iter().any(|known| known.name == key) {
            found.push(path.to_string());
        }
        for known in &self.keys {
            let below = if path.is_empty() { known.name.to_string() } else { format!("{path}.{}", known.name) };
            known.shape.find_owners(key, &below, found);
        }
    }

    fn json_schema(&self, tag: Option<(&str, &Word)>) -> Json {
        let mut properties = Map::new();
        let mut required: Vec<&str> = Vec::new();
        if let Some((tag, word)) = tag {
            properties.insert(tag.to_string(), json!({"const": word.name, "description": word.doc}));
            required.push(tag);
        }
        for key in &self.keys {
            let mut schema = key.shape.json_schema();
            if let Json::Object(schema) = &mut schema {
                schema.insert("description".to_string(), json!(key.doc));
                if !key.default.is_null() {
                    schema.insert("default".to_string(), key.default.clone());
                }
            }
            properties.insert(key.name.to_string(), schema);
            if key.required {
                required.push(key.name);
            }
        }
        json!({
            "type": "object", "description": self.doc, "properties": properties, "required": required, "additionalProperties": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_read_as_a_sentence() {
        assert_eq!(enumerate([], "`", "and"), "");
        assert_eq!(enumerate(["a"], "`", "and"), "`a`");
        assert_eq!(enumerate(["a", "b", "c"], "\"", "or"), "\"a\", \"b\" or \"c\"");
    }
}
