//! The figures of runs side by side: time, where the average core's time went, misses, traffic.

use serde::Serialize;

use crate::base::written;
use crate::experiment::record::Record;
use crate::experiment::why::{Group, Times, total};

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Picoseconds,
    Count,
    Bytes,
    /// From 0 to 1.
    Share,
    /// Of the first run's time.
    Ratio,
}

impl Unit {
    /// A value as people write it, without no-break spaces.
    pub fn text(self, value: f64) -> String {
        let text = match self {
            Unit::Picoseconds => written::time(value),
            Unit::Count => written::count(value as u64),
            Unit::Bytes => written::bytes(value as u64),
            Unit::Share => format!("{:.1} %", value * 100.0),
            Unit::Ratio => written::digits(value),
        };
        text.replace(written::SPACE, " ")
    }
}

/// One figure of every run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    pub name: String,
    pub unit: Unit,
    /// `None` where a run has no such figure.
    pub values: Vec<Option<f64>>,
}

impl Figure {
    fn new(name: impl Into<String>, unit: Unit, values: impl Iterator<Item = Option<f64>>) -> Figure {
        Figure { name: name.into(), unit, values: values.collect() }
    }

    /// Whether it says anything.
    fn is_there(&self) -> bool {
        self.values.iter().flatten().any(|value| *value != 0.0)
    }
}

/// The figures that any of the runs has.
pub fn figures(records: &[&Record]) -> Vec<Figure> {
    let of = |name: &str, unit: Unit, value: &dyn Fn(&Record) -> Option<f64>| {
        Figure::new(name, unit, records.iter().map(|record| value(record)))
    };
    let first = records[0].time_ps as f64;
    let ratio = |record: &Record| (first > 0.0).then(|| record.time_ps as f64 / first);
    let mut figures = vec![
        of("time", Unit::Picoseconds, &|record| Some(record.time_ps as f64)),
        of("ratio to the first", Unit::Ratio, &ratio),
        of("threads", Unit::Count, &|record| Some(Times::new(&record.metrics).n_threads() as f64)),
    ];
    let times: Vec<Times> = records.iter().map(|record| Times::new(&record.metrics)).collect();
    for (group, name) in Group::ALL {
        let mean = |times: &Times| Some(times.of(group) as f64 / times.n_threads().max(1) as f64);
        figures.push(Figure::new(name, Unit::Picoseconds, times.iter().map(mean)));
    }
    figures.push(of("operations", Unit::Count, &|record| Some(record.counts.operations as f64)));
    figures.extend(caches(records));
    for (name, unit, counter) in SHARED {
        let sum = |record: &Record| counter.iter().map(|counter| total(&record.metrics, counter)).sum::<u64>() as f64;
        figures.push(of(name, unit, &|record| counter.iter().any(|counter| has(record, counter)).then(|| sum(record))));
    }
    let busy = |record: &Record| {
        let busy = total(&record.metrics, "interconnect.busy_ps") as f64;
        (has(record, "interconnect.busy_ps") && record.time_ps > 0).then(|| busy / record.time_ps as f64)
    };
    figures.push(of("interconnect moves data", Unit::Share, &busy));
    figures.retain(Figure::is_there);
    figures
}

/// Counters of what all cores share; what buses and homes count under different names is added up.
const SHARED: [(&str, Unit, &[&str]); 12] = [
    ("transactions", Unit::Count, &["interconnect.transactions"]),
    ("upgrades", Unit::Count, &["interconnect.bus_upgr", "interconnect.upgrade"]),
    ("updates", Unit::Count, &["interconnect.bus_upd"]),
    ("write-backs", Unit::Count, &["interconnect.bus_wb", "interconnect.put"]),
    ("to another node", Unit::Count, &["interconnect.remote_requests"]),
    ("lines from cache to cache", Unit::Count, &["interconnect.flushes"]),
    ("invalidations by homes", Unit::Count, &["home.invalidations"]),
    ("last copies given another place", Unit::Count, &["home.placed"]),
    ("bytes over interconnect", Unit::Bytes, &["interconnect.bytes"]),
    ("read from memory", Unit::Bytes, &["memory.bytes_read"]),
    ("written to memory", Unit::Bytes, &["memory.bytes_written"]),
    ("requests waited for it", Unit::Picoseconds, &["interconnect.wait_ps"]),
];

fn has(record: &Record, counter: &str) -> bool {
    let end = format!(".{counter}");
    record.metrics.keys().any(|path| path.ends_with(&end))
}

/// Misses of each level, and the lines that others' writes took away.
fn caches(records: &[&Record]) -> Vec<Figure> {
    let mut names: Vec<&str> = Vec::new();
    for name in records.iter().flat_map(|record| record.metrics.keys()).filter_map(|path| cache_of(path)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let counted = |name: &str, counter: &str, title: &str| {
        let counter = format!("{name}.{counter}");
        let value = |record: &&Record| has(record, &counter).then(|| total(&record.metrics, &counter) as f64);
        Figure::new(format!("{} {title}", cache_name(name)), Unit::Count, records.iter().map(value))
    };
    let mut figures: Vec<Figure> = names.iter().map(|name| counted(name, "misses", "misses")).collect();
    figures.extend(names.first().map(|name| counted(name, "invalidations", "lines taken by others")));
    figures
}

/// `l1d` of `node[0].core[3].l1d.misses`.
fn cache_of(path: &str) -> Option<&str> {
    let (whole, counter) = path.rsplit_once('.')?;
    (counter == "misses").then(|| whole.rsplit('.').next())?
}

/// `L1d` of the metrics' `l1d`.
pub(super) fn cache_name(name: &str) -> String {
    if name == "llc" { "LLC".to_owned() } else { name.replacen('l', "L", 1) }
}
