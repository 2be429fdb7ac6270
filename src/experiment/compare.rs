//! Runs of one workload side by side: what they differ in, their figures, and which part of their times the difference goes to.
//!
//! ```text
//!   records --differences, rows--> what they differ in: keys of machines and run-times, rows of protocols
//!           --figures-----------> time, cycle stacks, misses, traffic: a row each, a column for every run
//!           --reasons-----------> sentences: the first run beside each other one
//! ```
//!
//! The stack of a core that had a thread adds up to the time of its run, so the average stack of one run minus that of another is
//! exactly the difference of their times, owner by owner. Everything is made of records, so finished ones do as well.

mod behind;
mod differences;
mod figures;
mod reasons;
mod rows;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value as Json;

use crate::experiment::record::{Equality, Reason, Record};

pub use differences::{Difference, scalar};
pub use figures::{Figure, Unit};
pub use rows::{ProtocolDifference, RowDifference};

/// Runs of one workload beside each other; values stand in the order of the runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What each run is called here.
    pub labels: Vec<String>,
    /// What they differ in.
    pub differences: Vec<Difference>,
    /// How the coherence protocols differ, where they are not the same.
    pub protocols: Option<ProtocolDifference>,
    pub figures: Vec<Figure>,
    /// What is said of all but the first.
    pub against_first: Vec<Against>,
    pub results: Results,
}

/// A run beside the first one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Against {
    pub label: String,
    /// Its time over the first one's; `None` where that took no time.
    pub ratio: Option<f64>,
    /// How the times compare, then where the difference goes and what is behind it.
    pub reasons: Vec<Reason>,
}

/// Whether all computed the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    pub equal: bool,
    pub sentence: String,
}

/// Compares runs of one workload; each has a label.
///
/// # Errors
/// A sentence: the runs are not of the same work.
pub fn compare(records: &[&Record], labels: &[String]) -> Result<Comparison, String> {
    same_work(records, labels)?;
    let against = |(record, label): (&&Record, &String)| Against {
        label: label.clone(),
        ratio: (records[0].time_ps > 0).then(|| record.time_ps as f64 / records[0].time_ps as f64),
        reasons: reasons::reasons(records[0], record, [&labels[0], label]),
    };
    Ok(Comparison {
        labels: labels.to_vec(),
        differences: differences::of_records(records),
        protocols: rows::protocols(records, labels),
        figures: figures::figures(records),
        against_first: records.iter().zip(labels).skip(1).map(against).collect(),
        results: results(records),
    })
}

/// Whether two records are of the same work: the same text with the same parameters, timed or not.
pub fn is_same_work(a: &Record, b: &Record) -> bool {
    a.workload.text == b.workload.text && a.workload.parameters == b.workload.parameters && is_functional(a) == is_functional(b)
}

fn is_functional(record: &Record) -> bool {
    record.workload.runtime.get("functional").and_then(Json::as_bool) == Some(true)
}

fn same_work(records: &[&Record], labels: &[String]) -> Result<(), String> {
    let Some((first, others)) = records.split_first() else { return Err("there is nothing to compare".to_owned()) };
    if others.is_empty() {
        return Err("one run alone cannot be compared: name a second machine or record".to_owned());
    }
    for (other, label) in others.iter().zip(&labels[1..]) {
        let names = format!("“{}” and “{label}” are not of the same work", labels[0]);
        let (a, b) = (&first.workload, &other.workload);
        if a.text != b.text {
            let which =
                if a.name == b.name { format!("the texts of {} differ", a.name) } else { format!("{} and {}", a.name, b.name) };
            return Err(format!("{names}: {which}"));
        }
        if is_functional(first) != is_functional(other) {
            return Err(format!("{names}: one has counts alone, the other time too"));
        }
        let keys = a.parameters.keys().chain(b.parameters.keys());
        let differing = keys.filter(|key| a.parameters.get(*key) != b.parameters.get(*key)).map(|key| {
            let value = |value: Option<&Json>| value.map_or("nothing".to_owned(), scalar);
            format!("{key} = {} and {key} = {}", value(a.parameters.get(key)), value(b.parameters.get(key)))
        });
        if let Some(differing) = differing.into_iter().next() {
            return Err(format!("{names}: {differing}"));
        }
    }
    Ok(())
}

/// Names for runs by their machines; where machines of one name were run in several ways, with what tells them apart.
pub fn labels(records: &[&Record]) -> Vec<String> {
    let names: Vec<&String> = records.iter().map(|record| &record.machine.name).collect();
    let is_shared = |name: &String| names.iter().filter(|other| **other == name).count() > 1;
    let differences = differences::of_records(records);
    let label = |i: usize| {
        if !is_shared(names[i]) {
            return names[i].clone();
        }
        // What differs between machines of other names does not tell these apart.
        let namesakes: Vec<usize> = (0..names.len()).filter(|&other| names[other] == names[i]).collect();
        let telling = |difference: &&Difference| namesakes.iter().any(|&other| difference.values[other] != difference.values[i]);
        let told = differences.iter().filter(telling).take(2).filter_map(|difference| {
            let last = difference.key.rsplit('.').next().unwrap_or_default();
            difference.values[i].as_ref().filter(|value| value.len() < 24).map(|value| format!("{last} {value}"))
        });
        let told: Vec<String> = told.collect();
        let told = if told.is_empty() { format!("run {}", i + 1) } else { told.join(", ") };
        format!("{} ({told})", names[i])
    };
    (0..records.len()).map(label).collect()
}

fn results(records: &[&Record]) -> Results {
    let first = &records[0].result;
    let results = || records.iter().map(|record| &record.result);
    let said = |equal: bool, sentence: String| Results { equal, sentence };
    if results().all(|result| result.values.is_empty()) {
        return said(true, "The workload computes no result that could be compared.".to_owned());
    }
    if results().all(|result| result.checksum == first.checksum) {
        let n = records.len();
        return said(true, format!("All {n} computed the same result, bit for bit (checksum {}).", first.checksum));
    }
    match first.equality {
        Equality::Tolerance(tolerance) if results().all(|result| close(&first.values, &result.values, tolerance)) => {
            let sentence = format!(
                "The results are equal within {tolerance:e} relative, which is what this program promises: the runs add its floats in \
                 different orders."
            );
            said(true, sentence)
        }
        _ => {
            let sentence = "The results differ, though this program promises equal ones: look for a race between its threads.";
            said(false, sentence.to_owned())
        }
    }
}

/// Whether two runs' values are the same, floats within a relative tolerance.
fn close(a: &[Json], b: &[Json], tolerance: f64) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= tolerance * a.abs().max(b.abs());
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| match (a, b) {
            (Json::Number(x), Json::Number(y)) if x.is_f64() && y.is_f64() => {
                x.as_f64().zip(y.as_f64()).is_some_and(|(x, y)| near(x, y))
            }
            _ => a == b,
        })
}
