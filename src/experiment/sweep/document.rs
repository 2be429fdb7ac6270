//! An experiment's results as data: a tidy table, and one document.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::experiment::sweep::expect::Verdict;
use crate::experiment::sweep::experiment::Experiment;
use crate::experiment::sweep::perform::Performed;
use crate::experiment::sweep::quantity::Quantity;
use crate::experiment::sweep::results::{Results, Row};

/// One row a point, one column a variable (Wickham, "Tidy Data", Journal of Statistical Software 59(10), 2014).
#[derive(Clone, Debug, PartialEq)]
pub struct Tidy {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Tidy {
    /// The axes, `time_ps`, `speedup` where threads are swept, figures with names, those of plots and expectations, `checksum`, and
    /// `outcome`: `finished`, or why the run was stopped. What a point does not have is empty.
    pub fn new(experiment: &Experiment, results: &Results) -> Tidy {
        let figures = figures(experiment);
        let axes = experiment.axes.iter().map(|axis| axis.name.clone());
        let names = figures.iter().map(|figure| figure.name.clone());
        let columns = axes.chain(["time_ps".to_owned()]).chain(names).chain(["checksum", "outcome"].map(str::to_owned)).collect();
        let row = |(number, row): (usize, &Row)| {
            let coordinates = experiment.coordinates(number);
            let values = experiment.axes.iter().zip(&coordinates).map(|(axis, &at)| axis.values[at].text.clone());
            let figure = |quantity| results.value(experiment, number, quantity).map_or(String::new(), |value| value.to_string());
            let time = row.figures().map_or(String::new(), |own| own.time_ps.to_string());
            let checksum = row.figures().map_or(String::new(), |own| own.checksum.clone());
            let outcome = row.stopped().map_or("finished".to_owned(), |stopped| stopped.kind.clone());
            values.chain([time]).chain(figures.iter().map(figure)).chain([checksum, outcome]).collect()
        };
        Tidy { columns, rows: results.rows.iter().enumerate().map(row).collect() }
    }
}

/// The figures of an experiment, each once: speedups, those with names, then those that plots and expectations ask for. A plain time
/// has its own column.
pub fn figures(experiment: &Experiment) -> Vec<Quantity> {
    let mut figures: Vec<Quantity> = Vec::new();
    let speedup = experiment.threads().and_then(|_| Quantity::read("speedup", &[]).ok());
    let plots = experiment.plots.iter().map(|plot| &plot.y);
    let expected = experiment.expectations.iter().map(|expectation| &expectation.of);
    for figure in speedup.iter().chain(&experiment.metrics).chain(plots).chain(expected) {
        if figure.name != "time" && !figures.iter().any(|other| other.name == figure.name) {
            figures.push(figure.clone());
        }
    }
    figures
}

/// An experiment and what came out of it, as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    pub name: String,
    pub question: String,
    pub expected: String,
    pub reason: String,
    pub flynn: String,
    pub seed: u64,
    /// Keys of machines and parameters of programs that are the same in all points.
    pub set: IndexMap<String, String>,
    pub parameters: IndexMap<String, String>,
    /// Each axis with its values.
    pub axes: IndexMap<String, Vec<String>>,
    /// A point each, in the order of the axes, the first the slowest.
    pub points: Vec<PointDocument>,
    pub expectations: Vec<Verdict>,
    /// Whether all expectations are met and all points came to their end.
    pub ok: bool,
}

/// A point.
#[derive(Clone, Debug, Serialize)]
pub struct PointDocument {
    /// Its value on each axis.
    pub at: IndexMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ps: Option<u64>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub figures: IndexMap<String, Option<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    #[serde(skip_serializing_if = "Json::is_null")]
    pub stopped: Json,
    /// The key of its outcome in the store, which holds the whole record.
    pub key: String,
}

impl Document {
    /// Of what came out, with the verdicts on it.
    pub fn new(experiment: &Experiment, performed: &Performed, set: &[(String, String)], verdicts: Vec<Verdict>) -> Document {
        let results = &performed.results;
        let assigned =
            |all: &[super::keys::Assignment]| all.iter().map(|each| (each.name.clone(), each.value.text.clone())).collect();
        let mut keys: IndexMap<String, String> = assigned(&experiment.set);
        keys.extend(set.iter().cloned());
        let figures = figures(experiment);
        let point = |number: usize| point(experiment, performed, &figures, number);
        Document {
            name: experiment.title.clone(),
            question: experiment.question.clone(),
            expected: experiment.expected.clone(),
            reason: experiment.reason.clone(),
            flynn: env!("CARGO_PKG_VERSION").to_owned(),
            seed: experiment.seed,
            set: keys,
            parameters: assigned(&experiment.parameters),
            axes: experiment
                .axes
                .iter()
                .map(|axis| (axis.name.clone(), axis.values.iter().map(|value| value.text.clone()).collect()))
                .collect(),
            points: (0..results.rows.len()).map(point).collect(),
            ok: results.n_stopped() == 0 && verdicts.iter().all(|verdict| verdict.met),
            expectations: verdicts,
        }
    }
}

fn point(experiment: &Experiment, performed: &Performed, figures: &[Quantity], number: usize) -> PointDocument {
    let results = &performed.results;
    let coordinates = experiment.coordinates(number);
    let row = &results.rows[number];
    let own = row.figures();
    let values = figures.iter().map(|figure| (figure.name.clone(), results.value(experiment, number, figure)));
    PointDocument {
        at: experiment.axes.iter().zip(&coordinates).map(|(axis, &at)| (axis.name.clone(), axis.values[at].text.clone())).collect(),
        time_ps: own.map(|own| own.time_ps),
        figures: if own.is_some() { values.collect() } else { IndexMap::new() },
        checksum: own.map(|own| own.checksum.clone()),
        why: own.map(|own| own.why.clone()),
        stopped: row.stopped().map_or(Json::Null, |stopped| json!(stopped)),
        key: performed.keys[number].to_string(),
    }
}
