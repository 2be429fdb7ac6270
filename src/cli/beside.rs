//! What `flynn compare` prints for people: what runs differ in, figures side by side, reasons.

use std::fmt::Write;

use super::layout::hanging;
use crate::experiment::compare::{Comparison, ProtocolDifference, scalar};
use crate::experiment::record::Record;

/// Columns of a line.
const WIDTH: usize = 110;
/// Rows of protocols that are listed in full; where more differ, the report has them.
const MOST_ROWS: usize = 6;
/// Columns that sentences begin at.
const INDENT: usize = 4;

/// The comparison in lines.
pub fn text(first: &Record, comparison: &Comparison) -> String {
    let parameters: Vec<String> =
        first.workload.parameters.iter().map(|(name, value)| format!("{name} = {}", scalar(value))).collect();
    let parameters = if parameters.is_empty() { String::new() } else { format!(": {}", parameters.join(", ")) };
    let mut text = format!("{} in {} runs{parameters}\n\n", first.workload.name, comparison.labels.len());
    text += &differences(comparison);
    text += &figures(comparison);
    text += &reasons(comparison);
    text += &hanging("", 0, &comparison.results.sentence);
    text
}

fn differences(comparison: &Comparison) -> String {
    if comparison.differences.is_empty() && comparison.protocols.is_none() {
        return "These machines do not differ in any key.\n\n".to_owned();
    }
    let mut text = "These machines differ in\n".to_owned();
    let width = comparison.differences.iter().map(|difference| difference.key.len()).max().unwrap_or(0);
    for difference in &comparison.differences {
        let values: Vec<&str> = difference.values.iter().map(|value| value.as_deref().unwrap_or("–")).collect();
        text += &hanging(&format!("  {:width$}  ", difference.key), width + 4, &values.join(" | "));
    }
    text += &comparison.protocols.as_ref().map_or(String::new(), protocols);
    text + "\n"
}

fn protocols(found: &ProtocolDifference) -> String {
    let mut text = hanging("", 2, &found.sentence);
    if found.rows.len() > MOST_ROWS {
        return text;
    }
    for row in &found.rows {
        let values: Vec<&str> = row.values.iter().map(|value| value.as_deref().unwrap_or("impossible")).collect();
        text += &hanging(&format!("    row {}: ", row.row), 6, &values.join(" -> "));
    }
    text
}

/// The figures, as many runs beside each other as a line has room for.
fn figures(comparison: &Comparison) -> String {
    let names = comparison.figures.iter().map(|figure| figure.name.chars().count()).max().unwrap_or(0);
    let columns: Vec<Vec<String>> = (0..comparison.labels.len()).map(|run| column(comparison, run)).collect();
    let width = |column: &Vec<String>| column.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    let mut begin = 0;
    while begin < columns.len() {
        let mut room = WIDTH.saturating_sub(2 + names);
        let fitting = columns[begin..].iter().take_while(|column| {
            let needed = width(column) + 2;
            let fits = needed <= room;
            room = room.saturating_sub(needed);
            fits
        });
        let end = begin + fitting.count().max(1);
        for row in 0..=comparison.figures.len() {
            let name = if row == 0 { "" } else { &comparison.figures[row - 1].name };
            let mut line = format!("  {name:names$}");
            for column in &columns[begin..end] {
                // Writing to a string cannot fail.
                let _ = write!(line, "  {:>1$}", column[row], width(column));
            }
            text += line.trim_end();
            text.push('\n');
        }
        text.push('\n');
        begin = end;
    }
    text
}

/// A run's label and its figures.
fn column(comparison: &Comparison, run: usize) -> Vec<String> {
    let cells =
        comparison.figures.iter().map(|figure| figure.values[run].map_or("–".to_owned(), |value| figure.unit.text(value)));
    std::iter::once(comparison.labels[run].clone()).chain(cells).collect()
}

fn reasons(comparison: &Comparison) -> String {
    let mut text = String::new();
    for against in &comparison.against_first {
        for (number, reason) in against.reasons.iter().enumerate() {
            let (head, indent) = if number == 0 { ("", 0) } else { ("  - ", INDENT) };
            text += &hanging(head, indent, &reason.sentence);
        }
        text.push('\n');
    }
    text
}
