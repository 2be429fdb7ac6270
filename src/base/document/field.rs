//! Reading a value of the tree as a Rust type, and saying what is wrong with it.

use std::ops::Deref;

use serde_json::{Value as Json, json};

use crate::base::diagnostic::{Diagnostics, SourceText};
use crate::base::document::shape::Shape;
use crate::base::document::tree::{Data, Place, Value, parse};

/// As many faults are told of one document.
pub(crate) const MAXIMUM_FAULTS: usize = 32;

/// What a key can hold: how it is read, written and described.
pub trait Field: Sized {
    /// The value, or `None` after adding to `faults` what is wrong with it. `path` is the key's, such as `node.cache.L1d.size`.
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<Self>;
    /// The value as JSON; null where it is absent. What is written reads back as the same value.
    fn write(&self) -> Json;
    /// What is accepted.
    fn shape() -> Shape;
    /// The value of a key that has no default and is not in the table at `place`; `None` where it must be there.
    fn absent(place: &Place) -> Option<Self> {
        let _ = place;
        None
    }
}

/// A value of a table, and where it comes from.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it is written; where it is not, the header of the table that it is missing from.
    pub place: Place,
    /// Whether it is written.
    pub given: bool,
}

impl<T> Deref for At<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for At<T> {
    /// Whether the values are the same, wherever they are written.
    fn eq(&self, other: &At<T>) -> bool {
        self.value == other.value
    }
}

/// Reads a whole text.
pub fn read<T: Field>(source: &SourceText) -> Result<T, Diagnostics> {
    read_value(&parse(source)?)
}

/// Reads a tree.
pub fn read_value<T: Field>(root: &Value) -> Result<T, Diagnostics> {
    let mut faults = Vec::new();
    match T::read(root, "", &mut faults) {
        Some(value) if faults.is_empty() => Ok(value),
        _ => {
            faults.truncate(MAXIMUM_FAULTS);
            faults.sort_by_key(|fault| fault.span);
            Err(faults)
        }
    }
}

/// Adds that a value is of the wrong type.
pub fn wrong_type(value: &Value, path: &str, expected: &Shape, faults: &mut Diagnostics) {
    let name = if path.is_empty() { "this text".to_string() } else { format!("`{path}`") };
    let message = format!("{name} must be {}, not {}", expected.expectation(), value.description());
    let fault = value.place.fault(message).key(path);
    faults.push(match (expected, &value.data) {
        (Shape::List(_), Data::Table(_)) => fault.help(format!("write `[[{path}]]` with two brackets, once for each")),
        _ => fault,
    });
}

impl Field for String {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<String> {
        match &value.data {
            Data::Text(text) => Some(text.clone()),
            _ => {
                wrong_type(value, path, &String::shape(), faults);
                None
            }
        }
    }
    fn write(&self) -> Json {
        json!(self)
    }
    fn shape() -> Shape {
        Shape::Text { what: "text in quotes" }
    }
}

impl Field for bool {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<bool> {
        match value.data {
            Data::Boolean(boolean) => Some(boolean),
            _ => {
                wrong_type(value, path, &bool::shape(), faults);
                None
            }
        }
    }
    fn write(&self) -> Json {
        json!(self)
    }
    fn shape() -> Shape {
        Shape::Boolean
    }
}

impl Field for f64 {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<f64> {
        match value.data {
            Data::Float(number) => Some(number),
            Data::Integer(number) => Some(number as f64),
            _ => {
                wrong_type(value, path, &f64::shape(), faults);
                None
            }
        }
    }
    fn write(&self) -> Json {
        json!(self)
    }
    fn shape() -> Shape {
        Shape::Number
    }
}

/// A whole number from `MINIMUM` to `MAXIMUM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Whole<const MINIMUM: u64, const MAXIMUM: u64>(pub u64);

impl<const MINIMUM: u64, const MAXIMUM: u64> Field for Whole<MINIMUM, MAXIMUM> {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<Self> {
        let Data::Integer(number) = value.data else {
            wrong_type(value, path, &Self::shape(), faults);
            return None;
        };
        match u64::try_from(number) {
            Ok(number) if (MINIMUM..=MAXIMUM).contains(&number) => Some(Whole(number)),
            _ => {
                let message = format!("`{path}` must be {}, not {number}", Self::shape().expectation());
                faults.push(value.place.fault(message).key(path));
                None
            }
        }
    }
    fn write(&self) -> Json {
        json!(self.0)
    }
    fn shape() -> Shape {
        Shape::Whole { minimum: MINIMUM, maximum: MAXIMUM }
    }
}

impl<T: Field> Field for Option<T> {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<Option<T>> {
        T::read(value, path, faults).map(Some)
    }
    fn write(&self) -> Json {
        self.as_ref().map_or(Json::Null, T::write)
    }
    fn shape() -> Shape {
        T::shape()
    }
    fn absent(_: &Place) -> Option<Option<T>> {
        Some(None)
    }
}

impl<T: Field> Field for Vec<At<T>> {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<Vec<At<T>>> {
        let Data::List(list) = &value.data else {
            wrong_type(value, path, &Self::shape(), faults);
            return None;
        };
        let mut read = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            // The only one needs no number: `node.cores`, not `node[0].cores`.
            let path = if list.len() == 1 { path.to_string() } else { format!("{path}[{index}]") };
            if let Some(item) = T::read(value, &path, faults) {
                read.push(At { value: item, place: value.place.clone(), given: true });
            } else if faults.len() >= MAXIMUM_FAULTS {
                break;
            }
        }
        (read.len() == list.len()).then_some(read)
    }
    fn write(&self) -> Json {
        Json::Array(self.iter().map(|item| item.write()).collect())
    }
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
}
