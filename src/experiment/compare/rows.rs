//! How coherence protocols differ: row by row.

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;

use crate::experiment::record::{ProtocolRecord, Record, RowRecord, RowRecords};

/// At most so many rows are listed.
const MOST: usize = 200;

/// Protocols that are not the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProtocolDifference {
    /// One sentence.
    pub sentence: String,
    /// The rows that differ, in the order of the tables.
    pub rows: Vec<RowDifference>,
}

/// A row that is not the same everywhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowDifference {
    /// `M/bus_rd`, of memory `memory Ready/flush`.
    pub row: String,
    /// What it says in each run: `next S, do shared, flush`; `None` where it is impossible there or there is no such state.
    pub values: Vec<Option<String>>,
    /// How often it was taken in each run, where that is counted.
    pub taken: Vec<Option<u64>>,
}

/// How the protocols of runs differ; `None` where they all have one, and the same.
pub fn protocols(records: &[&Record], labels: &[String]) -> Option<ProtocolDifference> {
    let protocols: Vec<Option<&ProtocolRecord>> = records.iter().map(|record| record.machine.protocol.as_ref()).collect();
    let named: Vec<&str> = records.iter().map(|record| wanted(record)).collect();
    let all: Vec<&ProtocolRecord> = protocols.iter().flatten().copied().collect();
    if all.len() < 2 {
        return None;
    }
    let mut rows = differing("", records, &protocols, |protocol| &protocol.agent);
    rows.extend(differing("memory ", records, &protocols, |protocol| &protocol.memory));
    if rows.is_empty() {
        let other = named.iter().find(|name| **name != named[0])?;
        let sentence = format!("The protocols {} and {other} have the same rows: they are the same protocol.", named[0]);
        return Some(ProtocolDifference { sentence, rows });
    }
    let n = rows.len();
    let mut sentence = format!("The protocols differ in {n} row{}", if n == 1 { "" } else { "s" });
    sentence += &own_states(&protocols, labels);
    rows.truncate(MOST);
    Some(ProtocolDifference { sentence: sentence + ".", rows })
}

/// The protocol that a machine names.
fn wanted(record: &Record) -> &str {
    record.machine.config.pointer("/address_space/protocol").and_then(serde_json::Value::as_str).unwrap_or("none")
}

/// States that not all protocols have: `; only “a” has states O and OM_A`.
fn own_states(protocols: &[Option<&ProtocolRecord>], labels: &[String]) -> String {
    let states: IndexSet<&String> = protocols.iter().flatten().flat_map(|protocol| protocol.agent.keys()).collect();
    let mut owners: IndexMap<Vec<usize>, Vec<&str>> = IndexMap::new();
    for state in states {
        let has = |protocol: &Option<&ProtocolRecord>| protocol.is_some_and(|protocol| protocol.agent.contains_key(state));
        let having: Vec<usize> = (0..protocols.len()).filter(|&i| has(&protocols[i])).collect();
        if having.len() < protocols.iter().flatten().count() {
            owners.entry(having).or_default().push(state);
        }
    }
    let said = owners.iter().take(3).map(|(having, states)| {
        let names: Vec<String> = having.iter().map(|&i| format!("“{}”", labels[i])).collect();
        let (verb, noun) = (if having.len() == 1 { "has" } else { "have" }, if states.len() == 1 { "state" } else { "states" });
        format!("; only {} {verb} {noun} {}", names.join(" and "), states.join(", "))
    });
    said.collect()
}

fn differing<'a>(
    prefix: &str,
    records: &[&Record],
    protocols: &[Option<&'a ProtocolRecord>],
    table: impl Fn(&'a ProtocolRecord) -> &'a RowRecords,
) -> Vec<RowDifference> {
    let pairs: IndexSet<(&String, &String)> = protocols
        .iter()
        .flatten()
        .flat_map(|protocol| table(protocol).iter().flat_map(|(state, rows)| rows.keys().map(move |event| (state, event))))
        .collect();
    let mut found = Vec::new();
    for (state, event) in pairs {
        let row = |protocol: &Option<&'a ProtocolRecord>| protocol.and_then(|protocol| table(protocol).get(state)?.get(event));
        let rows: Vec<Option<&RowRecord>> = protocols.iter().map(row).collect();
        if rows.windows(2).all(|pair| pair[0] == pair[1]) {
            continue;
        }
        let path = format!("node[0].protocol.{}{state}.{event}", prefix.replace(' ', "."));
        found.push(RowDifference {
            row: format!("{prefix}{state}/{event}"),
            values: rows.iter().map(|row| row.map(text)).collect(),
            taken: records.iter().map(|record| record.metrics.get(&path).copied()).collect(),
        });
    }
    found
}

/// `next S, do shared, flush`
fn text(row: &RowRecord) -> String {
    match &row.actions[..] {
        [] => format!("next {}", row.next),
        actions => format!("next {}, do {}", row.next, actions.join(", ")),
    }
}
