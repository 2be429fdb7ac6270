//! `--set KEY=VALUE`: what a run changes in a machine's text without editing it.
//!
//! ```text
//!   node.cache.L1d.size="64 KiB"      node[socket].cores=8      runtime.lock=ticket
//!   '--key path------' '-value-'      the kind of node by name  quotes may be left out
//! ```

use crate::base::diagnostic::{Diagnostic, SourceText, Span, nearest};
use crate::base::document::{Data, Entry, Place, TAG, Table, Value, enumerate, parse_value};

/// A key with another value, and the text that says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// Where the key is written.
    key: Place,
    /// Its parts.
    path: Vec<Segment>,
    value: Value,
}

/// One part of a key's path: `cache`, `node[socket]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment {
    name: String,
    /// The name or number in brackets.
    selector: Option<String>,
}

impl Override {
    /// Reads `key` and `value` as the command line gives them; faults point into a text called `--set`.
    pub fn new(key: &str, value: &str) -> Result<Override, Box<Diagnostic>> {
        Override::of_option("--set", key, value)
    }

    /// The same for another option, after which the text that faults point into is called.
    pub fn of_option(option: &str, key: &str, value: &str) -> Result<Override, Box<Diagnostic>> {
        let source = SourceText::new(option, format!("{key}={value}"));
        let place = Place { source: source.clone(), span: Span::new(0, key.len()) };
        let start = key.len() + 1;
        let bare = || {
            let place = Place { source: source.clone(), span: Span::new(start, source.text.len()) };
            Value { place, data: Data::Text(value.trim().to_string()) }
        };
        let value = match parse_value(&source, start) {
            // A date is no value of any key, but "2024-01-01" could be meant as a name.
            Ok(Value { data: Data::Moment, .. }) => bare(),
            Ok(value) => value,
            // Text without quotes, unless it begins as something that only TOML can be.
            Err(mut faults) if value.trim_start().starts_with(['"', '\'', '[', '{']) => {
                return Err(Box::new(faults.remove(0).key(key)));
            }
            Err(_) => bare(),
        };
        Override::to_value(key, place, value)
    }

    /// A key, which is written at `place`, with a value of any text: how experiments and workloads change keys.
    pub fn to_value(key: &str, place: Place, value: Value) -> Result<Override, Box<Diagnostic>> {
        let path = key.trim().split('.').map(segment).collect::<Option<Vec<_>>>().ok_or_else(|| {
            let help = "write it as in `node.cache.L1d.size` or `node[socket].cores`";
            Box::new(place.fault(format!("`{}` is no key", key.trim())).key(key.trim()).help(help))
        })?;
        Ok(Override { key: place, path, value })
    }

    /// Changes a machine's tree.
    pub fn apply(&self, root: &mut Value) -> Result<(), Box<Diagnostic>> {
        let mut at = root;
        for (index, segment) in self.path.iter().enumerate() {
            let last = index + 1 == self.path.len();
            at = self.descend(at, segment, last)?;
        }
        *at = self.value.clone();
        Ok(())
    }

    /// The value of one segment, made where it is not there.
    fn descend<'a>(&self, at: &'a mut Value, segment: &Segment, last: bool) -> Result<&'a mut Value, Box<Diagnostic>> {
        let place = self.key.clone();
        // `memory = "ideal"` stands for `memory = { kind = "ideal" }`.
        if let Data::Text(word) = &at.data {
            let kind = Value { place: at.place.clone(), data: Data::Text(word.clone()) };
            let table = Table::from_iter([(TAG.to_string(), Entry { key: at.place.clone(), value: kind })]);
            at.data = Data::Table(table);
        }
        let kind = at.kind();
        let Data::Table(table) = &mut at.data else {
            return Err(self.fault(format!("there is no `{}` in {kind}", segment.name), None));
        };
        let missing = || Entry { key: place.clone(), value: Value { place: place.clone(), data: Data::Table(Table::default()) } };
        let entry = table.entry(segment.name.clone()).or_insert_with(missing);
        if last {
            entry.key = self.key.clone();
        }
        match (&segment.selector, &entry.value.data) {
            (Some(selector), _) => self.select(&mut entry.value, &segment.name, Some(selector)),
            (None, Data::List(_)) if !last => self.select(&mut entry.value, &segment.name, None),
            (None, _) => Ok(&mut entry.value),
        }
    }

    /// One of a list of tables, by its name or number, or the only one.
    fn select<'a>(&self, list: &'a mut Value, name: &str, selector: Option<&str>) -> Result<&'a mut Value, Box<Diagnostic>> {
        let Data::List(items) = &mut list.data else {
            let message = format!("there are not several of `{name}` to choose from");
            return Err(self.fault(message, Some(format!("write `{name}`"))));
        };
        let names: Vec<String> =
            items.iter().map(|item| item.get("name").and_then(Value::text).unwrap_or(name).to_string()).collect();
        let index = match selector {
            None if items.len() == 1 => Some(0),
            None => None,
            Some(selector) => names.iter().position(|name| name == selector).or_else(|| selector.parse().ok()),
        };
        let choices = || enumerate(names.iter().map(String::as_str), "\"", "and");
        match (index.filter(|&index| index < items.len()), selector) {
            (Some(index), _) => Ok(&mut items[index]),
            (None, Some(selector)) => {
                let help = match nearest(selector, names.iter().map(String::as_str)) {
                    Some(right) => format!("did you mean `{name}[{right}]`?"),
                    None => format!("there is {}", choices()),
                };
                Err(self.fault(format!("no {name} is called \"{selector}\""), Some(help)))
            }
            (None, None) if items.is_empty() => Err(self.fault(format!("the machine has no `[[{name}]]`"), None)),
            (None, None) => {
                let help = format!("write `{name}[NAME]`; there is {}", choices());
                Err(self.fault(format!("the machine has several kinds of {name}"), Some(help)))
            }
        }
    }

    fn fault(&self, message: String, help: Option<String>) -> Box<Diagnostic> {
        let path: Vec<&str> = self.path.iter().map(|segment| segment.name.as_str()).collect();
        let mut fault = self.key.fault(message).key(path.join("."));
        fault.help = help;
        Box::new(fault)
    }
}

/// `name` or `name[selector]`.
fn segment(text: &str) -> Option<Segment> {
    let (name, selector) = match text.split_once('[') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(']')?.trim().to_string())),
        None => (text, None),
    };
    let right = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    (!name.is_empty() && name.chars().all(right)).then(|| Segment { name: name.to_string(), selector })
}
