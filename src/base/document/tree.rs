//! TOML as a tree in which every key and value knows its place, even after trees of several texts were merged.

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::section::TAG;
use crate::base::diagnostic::{Diagnostic, Diagnostics, SourceText, Span};

/// The longest text that is read, in bytes.
pub const MAXIMUM_BYTES: usize = 1 << 20;
/// The deepest nesting of tables and lists.
pub const MAXIMUM_DEPTH: usize = 32;
/// The longest text that a sentence shows.
const MAXIMUM_SHOWN: usize = 24;
/// Of the faults in a text's grammar, as many are told.
const MAXIMUM_FAULTS: usize = 8;

/// How the parser's message begins where a text in quotation marks has no end.
const UNCLOSED_TEXT: &str = "invalid basic string";

/// A range of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The text.
    pub source: SourceText,
    /// Where in it.
    pub span: Span,
}

impl Place {
    /// A fault at this place.
    pub fn fault(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::at(&self.source, self.span, message)
    }
}

/// A TOML value and where it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The value's place; for a table its header or braces.
    pub place: Place,
    /// What it is.
    pub data: Data,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a point.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A date or a time of day, which no key takes.
    Moment,
    /// An array.
    List(Vec<Value>),
    /// A table.
    Table(Table),
}

/// A table: its entries in the order written.
pub type Table = IndexMap<String, Entry, FxBuildHasher>;

/// What a table says of one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where the key is written.
    pub key: Place,
    /// The value.
    pub value: Value,
}

impl Value {
    /// What it is, as a sentence names it.
    pub fn description(&self) -> String {
        match &self.data {
            Data::Text(text) if text.chars().count() <= MAXIMUM_SHOWN => format!("the text {text:?}"),
            _ => self.kind().to_string(),
        }
    }

    /// What kind of value it is, as a sentence names it.
    pub fn kind(&self) -> &'static str {
        match &self.data {
            Data::Text(_) => "text",
            Data::Integer(_) => "a whole number",
            Data::Float(_) => "a number",
            Data::Boolean(_) => "true or false",
            Data::Moment => "a date or time",
            Data::List(_) => "a list",
            Data::Table(_) => "a table",
        }
    }

    /// The table, where it is one.
    pub fn table(&self) -> Option<&Table> {
        match &self.data {
            Data::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The table, where it is one.
    pub fn table_mut(&mut self) -> Option<&mut Table> {
        match &mut self.data {
            Data::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The value of a key, where this is a table that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.table()?.get(key).map(|entry| &entry.value)
    }

    /// The string, where it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Adds what `below` says and this value does not: tables are merged key by key, everything else here wins. A table that is of
    /// another kind than the one below takes nothing from it: its keys mean other things.
    pub fn fill_from(&mut self, below: &Value) {
        let kind = |table: &Value| table.get(TAG).and_then(Value::text).map(str::to_string);
        if let (Some(own), Some(other)) = (kind(self), kind(below))
            && own != other
        {
            return;
        }
        let (Data::Table(above), Data::Table(below)) = (&mut self.data, &below.data) else {
            return;
        };
        for (key, entry) in below {
            match above.get_mut(key) {
                Some(existing) => existing.value.fill_from(&entry.value),
                None => {
                    above.insert(key.clone(), entry.clone());
                }
            }
        }
    }
}

/// Reads a text into a tree whose root is a table.
pub fn parse(source: &SourceText) -> Result<Value, Diagnostics> {
    limit_size(source)?;
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    syntax(source, 0, &errors)?;
    let converter = Converter { source, offset: 0 };
    let data = converter.table(table.into_inner(), 0).map_err(|fault| vec![*fault])?;
    Ok(Value { place: Place { source: source.clone(), span: Span::new(0, 0) }, data })
}

/// Reads the bytes of a text from `start` on as one TOML value.
pub fn parse_value(source: &SourceText, start: usize) -> Result<Value, Diagnostics> {
    limit_size(source)?;
    let (value, errors) = DeValue::parse_recoverable(&source.text[start..]);
    syntax(source, start, &errors)?;
    Converter { source, offset: start }.value(value, 0).map_err(|fault| vec![*fault])
}

fn limit_size(source: &SourceText) -> Result<(), Diagnostics> {
    if source.text.len() <= MAXIMUM_BYTES {
        return Ok(());
    }
    let message = format!("the text has {} bytes; at most {MAXIMUM_BYTES} are read", source.text.len());
    Err(vec![Diagnostic::at(source, None, message)])
}

/// The faults of the grammar, one a line: what follows the first on its line is mostly its echo.
fn syntax(source: &SourceText, offset: usize, errors: &[toml::de::Error]) -> Result<(), Diagnostics> {
    let mut faults: Diagnostics = Vec::new();
    let mut told_up_to = 0;
    let start_of = |error: &toml::de::Error| error.span().map_or(0, |span| span.start) + offset;
    let mut errors: Vec<_> = errors.iter().collect();
    errors.sort_by_key(|error| start_of(error));
    for error in errors {
        let span = error.span().map(|span| Span::new(span.start + offset, span.end + offset));
        let start = start_of(error);
        if faults.len() == MAXIMUM_FAULTS || start < told_up_to {
            continue;
        }
        told_up_to = source.text.as_bytes()[start.min(source.text.len())..]
            .iter()
            .position(|&byte| byte == b'\n')
            .map_or(usize::MAX, |length| start + length + 1);
        let fault = Diagnostic::at(source, span, format!("this is not TOML: {}", error.message()));
        if error.message().starts_with(UNCLOSED_TEXT) && offset == 0 {
            // Behind it everything is read the wrong way round.
            let help = "a quotation mark is missing in this line, where a text begins or ends";
            faults.push(fault.help(help));
            break;
        }
        faults.push(fault);
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

struct Converter<'a> {
    source: &'a SourceText,
    /// Where in the source the parsed text begins.
    offset: usize,
}

impl Converter<'_> {
    fn place(&self, span: std::ops::Range<usize>) -> Place {
        Place { source: self.source.clone(), span: Span::new(span.start + self.offset, span.end + self.offset) }
    }

    fn value(&self, value: Spanned<DeValue<'_>>, depth: usize) -> Result<Value, Box<Diagnostic>> {
        let place = self.place(value.span());
        if depth > MAXIMUM_DEPTH {
            return Err(Box::new(place.fault(format!("tables and lists nest at most {MAXIMUM_DEPTH} deep"))));
        }
        let data = match value.into_inner() {
            DeValue::String(text) => Data::Text(text.into_owned()),
            DeValue::Integer(number) => Data::Integer(integer(&number, &place)?),
            DeValue::Float(number) => Data::Float(float(number.as_str(), &place)?),
            DeValue::Boolean(boolean) => Data::Boolean(boolean),
            DeValue::Datetime(_) => Data::Moment,
            DeValue::Array(list) => {
                Data::List(list.into_iter().map(|value| self.value(value, depth + 1)).collect::<Result<_, _>>()?)
            }
            DeValue::Table(table) => self.table(table, depth + 1)?,
        };
        Ok(Value { place, data })
    }

    fn table(&self, table: DeTable<'_>, depth: usize) -> Result<Data, Box<Diagnostic>> {
        let mut entries = Table::default();
        for (key, value) in table {
            let place = self.place(key.span());
            let value = self.value(value, depth)?;
            entries.insert(key.into_inner().into_owned(), Entry { key: place, value });
        }
        Ok(Data::Table(entries))
    }
}

fn integer(number: &DeInteger<'_>, place: &Place) -> Result<i64, Box<Diagnostic>> {
    i64::from_str_radix(number.as_str(), number.radix())
        .map_err(|_| Box::new(place.fault("the whole number is out of range: it needs more than 64 bits")))
}

fn float(number: &str, place: &Place) -> Result<f64, Box<Diagnostic>> {
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(Box::new(place.fault("the number is out of range"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> SourceText {
        SourceText::new("t.toml", text)
    }

    #[test]
    fn every_value_and_key_knows_its_place() {
        let text = "a = 1\n[b]\nc = [true, { d = 'x' }]\n";
        let tree = parse(&source(text)).unwrap();
        let at = |place: &Place| &text[place.span.start as usize..place.span.end as usize];
        let b = &tree.table().unwrap()["b"];
        assert_eq!(at(&b.key), "b");
        assert_eq!(at(&b.value.place), "[b]");
        let Data::List(list) = &b.value.get("c").unwrap().data else { panic!() };
        assert_eq!(at(&list[1].get("d").unwrap().place), "'x'");
    }

    #[test]
    fn each_faulty_line_is_told_once() {
        let faults = parse(&source("a = \nb = 1\nc = = 2\n")).unwrap_err();
        let lines: Vec<_> = faults.iter().map(|fault| fault.report().line.unwrap()).collect();
        assert_eq!(lines, [1, 3]);
    }

    #[test]
    fn hostile_nesting_is_refused() {
        let deep = format!("a = {}1{}", "[".repeat(70), "]".repeat(70));
        assert!(parse(&source(&deep)).unwrap_err()[0].message.contains("nest at most"));
        let deeper = format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
        parse(&source(&deeper)).unwrap_err();
        let path = vec!["a"; 75].join(".");
        let dotted = format!("x = {}1{}", format!("{{ {path} = ").repeat(75), "}".repeat(75));
        parse(&source(&dotted)).unwrap_err();
        parse(&source(&"x".repeat(MAXIMUM_BYTES + 1))).unwrap_err();
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        parse(&source("a = 9223372036854775808")).unwrap_err();
        parse(&source("a = 1e999")).unwrap_err();
        parse(&source("a = nan")).unwrap_err();
        assert_eq!(parse(&source("a = 0x10")).unwrap().get("a").unwrap().data, Data::Integer(16));
    }

    #[test]
    fn filling_keeps_what_is_said_above() {
        let mut above = parse(&source("a = 1\n[t]\nx = 1\n")).unwrap();
        let below = parse(&source("a = 2\nb = 2\n[t]\nx = 2\ny = 2\n")).unwrap();
        above.fill_from(&below);
        assert_eq!(above.get("a").unwrap().data, Data::Integer(1));
        assert_eq!(above.get("b").unwrap().data, Data::Integer(2));
        assert_eq!(above.get("t").unwrap().get("x").unwrap().data, Data::Integer(1));
        assert_eq!(above.get("t").unwrap().get("y").unwrap().data, Data::Integer(2));
    }
}
