//! Where an object lies that a person names as the program does: `a[3]`, `grid[2, 5]`, `total`, `lock guard`, or an address.

use crate::base::diagnostic::nearest;
use crate::program::code::{Array, Code};

/// The line of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As it was asked for.
    pub object: String,
    /// Of the line's first byte.
    pub address: u64,
    pub line_bytes: u32,
    /// What lies on the line.
    pub holds: Vec<String>,
}

/// Finds the line of an object.
///
/// # Errors
/// A sentence, and what would be right.
pub fn find(code: &Code, object: &str, line_bytes: u32) -> Result<Place, (String, String)> {
    let address = address(code, object)?;
    let line = address - address % u64::from(line_bytes);
    Ok(Place { object: object.trim().to_owned(), address: line, line_bytes, holds: holds(code, line, u64::from(line_bytes)) })
}

fn address(code: &Code, object: &str) -> Result<u64, (String, String)> {
    let object = object.trim();
    let number =
        object.strip_prefix("0x").map_or_else(|| object.parse().ok(), |hex| u64::from_str_radix(&hex.replace('_', ""), 16).ok());
    if let Some(address) = number {
        return if address < code.arena.size {
            Ok(address)
        } else {
            Err((format!("nothing lies at {object}"), format!("the program's memory ends at {:#x}", code.arena.size)))
        };
    }
    // What kind of object it is may be said before its name.
    let name = object.rsplit_once(' ').filter(|(kind, _)| kind.chars().all(char::is_alphabetic)).map_or(object, |(_, name)| name);
    let (name, indices) = match name.split_once('[') {
        Some((name, rest)) => (name.trim(), Some(indices(object, rest)?)),
        None => (name, None),
    };
    let Some(array) = array(code, name) else {
        let names = || code.arrays.iter().map(|array| array.name.split('.').next().unwrap_or_default());
        let known: Vec<&str> = code.arrays.iter().filter(|array| !array.runtime).map(|array| array.name.as_str()).collect();
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there is {}", known.join(", ")),
        };
        return Err((format!("no shared object of the program is called `{name}`"), help));
    };
    Ok(array.base + element(object, array, indices.as_deref())? * u64::from(array.stride))
}

fn indices(object: &str, text: &str) -> Result<Vec<u64>, (String, String)> {
    let inner = text.trim_end().strip_suffix(']').unwrap_or(text);
    let read = |index: &str| index.trim().replace('_', "").parse::<u64>();
    inner.split(',').map(read).collect::<Result<_, _>>().map_err(|_| {
        (format!("`{object}` is no element"), "write whole numbers in brackets, as in `a[0]` or `grid[2, 5]`".to_owned())
    })
}

/// An array or scalar of that name, or the first field of a lock, barrier or other object of the run-time.
fn array<'a>(code: &'a Code, name: &str) -> Option<&'a Array> {
    let field = |array: &&Array| array.runtime && array.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    code.arrays.iter().find(|array| array.name == name).or_else(|| code.arrays.iter().find(field))
}

/// The number of an element, row by row.
fn element(object: &str, array: &Array, indices: Option<&[u64]>) -> Result<u64, (String, String)> {
    let extents: &[u64] = if array.extents.is_empty() { &[1] } else { &array.extents };
    let Some(indices) = indices else {
        let help = format!("name one of its {} elements: `{}[0]`", array.length, array.name);
        return if array.length == 1 || array.runtime { Ok(0) } else { Err((format!("`{object}` has several elements"), help)) };
    };
    if indices.len() != extents.len() || indices.iter().zip(extents).any(|(index, extent)| index >= extent) {
        let extents: Vec<String> = extents.iter().map(u64::to_string).collect();
        return Err((
            format!("there is no element `{object}`"),
            format!("`{}` is an array of {}", array.name, extents.join(" by ")),
        ));
    }
    Ok(indices.iter().zip(extents).fold(0, |number, (index, extent)| number * extent + index))
}

/// The objects on a line, arrays by their first and last element there.
fn holds(code: &Code, line: u64, line_bytes: u64) -> Vec<String> {
    let mut found = Vec::new();
    for array in &code.arrays {
        let (stride, size) = (u64::from(array.stride), u64::from(array.element.size()));
        let end = line + line_bytes;
        if array.length == 0 || array.base >= end {
            continue;
        }
        // The first element that ends behind the line's beginning, the last that begins before its end.
        let first = (line + 1).saturating_sub(array.base + size).div_ceil(stride);
        let last = ((end - 1 - array.base) / stride).min(array.length - 1);
        if first > last {
            continue;
        }
        let name = |index: u64| {
            if array.length == 1 { array.name.clone() } else { format!("{}[{}]", array.name, index_text(array, index)) }
        };
        found.push(if first == last { name(first) } else { format!("{} to {}", name(first), name(last)) });
    }
    found
}

/// `2, 5` of element 21 of an array of 4 by 8.
fn index_text(array: &Array, mut number: u64) -> String {
    let mut indices: Vec<String> = Vec::new();
    for &extent in array.extents.iter().rev() {
        indices.push((number % extent.max(1)).to_string());
        number /= extent.max(1);
    }
    indices.reverse();
    indices.join(", ")
}
