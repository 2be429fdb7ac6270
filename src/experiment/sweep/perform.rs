//! All points of an experiment: those that a store has are taken from there, the others are run.

use crate::base::diagnostic::{Diagnostic, Diagnostics};
use crate::experiment::sweep::experiment::Experiment;
use crate::experiment::sweep::point::{Bench, Outcome, Point, PointKey, digest};
use crate::experiment::sweep::results::{Results, Row};
use crate::experiment::workload::Workload;

/// Does work that does not depend on its order.
pub trait Executor {
    /// Does `work` for each number below `n`, several at a time if it can, the last ones first; `done` hears of each result, on the
    /// caller's thread, in any order.
    ///
    /// # Errors
    /// Why nothing can be done.
    fn each<T: Send>(&self, n: usize, work: impl Fn(usize) -> T + Sync, done: impl FnMut(usize, T)) -> Result<(), String>;
}

/// One after the other.
#[derive(Clone, Copy, Debug)]
pub struct InTurn;

impl Executor for InTurn {
    fn each<T: Send>(&self, n: usize, work: impl Fn(usize) -> T + Sync, mut done: impl FnMut(usize, T)) -> Result<(), String> {
        (0..n).rev().for_each(|number| done(number, work(number)));
        Ok(())
    }
}

/// Keeps outcomes from one time to the next.
pub trait Store: Sync {
    /// What was kept, where it was, and is whole.
    fn load(&self, key: &PointKey) -> Option<Outcome>;

    /// Keeps an outcome: wholly or not at all.
    ///
    /// # Errors
    /// Why it cannot.
    fn save(&self, key: &PointKey, outcome: &Outcome) -> Result<(), String>;
}

/// An experiment that was performed.
#[derive(Clone, Debug)]
pub struct Performed {
    pub results: Results,
    /// In the order of the points.
    pub keys: Vec<PointKey>,
    /// How many points the store had.
    pub found: usize,
    /// Why outcomes could not be kept.
    pub unsaved: Option<String>,
}

/// The keys of all points, in their order.
///
/// # Errors
/// What is wrong with machines, workloads and their use by the experiment.
pub fn points(experiment: &Experiment, bench: &Bench<'_>, executor: &impl Executor) -> Result<Vec<PointKey>, Diagnostics> {
    let traces = bench.workloads.iter().map(|workload| match workload {
        Workload::Trace(trace) => digest(&*trace.file).map(Some).map_err(|why| vec![Diagnostic::at(&trace.source, None, why)]),
        _ => Ok(None),
    });
    let traces = traces.collect::<Result<Vec<Option<String>>, Diagnostics>>()?;
    let key = |number: usize| {
        let workload = experiment.coordinates(number)[1];
        let fault = |faults| blame(experiment, number, faults);
        Point::new(experiment, bench, number).map_err(fault)?.key(&traces, workload).map_err(fault)
    };
    let mut keys: Vec<Option<Result<PointKey, Diagnostics>>> = vec![None; experiment.n_points()];
    let alone = |message: String| vec![Diagnostic::at(&experiment.source, None, message)];
    executor.each(keys.len(), key, |number, key| keys[number] = Some(key)).map_err(alone)?;
    // The first point that is wrong: the same whatever was looked at first.
    keys.into_iter().flatten().collect()
}

/// Says which point is meant.
fn blame(experiment: &Experiment, number: usize, mut faults: Diagnostics) -> Diagnostics {
    if let Some(fault) = faults.first_mut() {
        fault.message = format!("{}: {}", experiment.told(number), fault.message);
    }
    faults
}

/// Runs what the store does not have; `heard` is told of each point that is ready and whether it was found.
///
/// # Errors
/// As [`points`].
pub fn perform(
    experiment: &Experiment,
    bench: &Bench<'_>,
    executor: &impl Executor,
    store: &impl Store,
    mut heard: impl FnMut(usize, bool),
) -> Result<Performed, Diagnostics> {
    let keys = points(experiment, bench, executor)?;
    let alone = |message: String| vec![Diagnostic::at(&experiment.source, None, message)];
    let mut rows: Vec<Option<Row>> = vec![None; keys.len()];
    let mut found = 0;
    let load = |number: usize| store.load(&keys[number]).map(|outcome| Row::new(experiment, &outcome));
    let take = |number: usize, row: Option<Row>| {
        found += usize::from(row.is_some());
        rows[number] = row;
    };
    executor.each(keys.len(), load, take).map_err(alone)?;
    let missing: Vec<usize> = (0..keys.len()).filter(|&number| rows[number].is_none()).collect();
    for number in (0..keys.len()).filter(|&number| rows[number].is_some()) {
        heard(number, true);
    }
    let mut unsaved = None;
    let run = |place: usize| {
        let outcome = match Point::new(experiment, bench, missing[place]) {
            Ok(point) => point.run(),
            Err(faults) => {
                let message = faults.first().map_or(String::new(), ToString::to_string);
                Outcome::Stopped { kind: "input".to_owned(), message }
            }
        };
        (Row::new(experiment, &outcome), store.save(&keys[missing[place]], &outcome).err())
    };
    let take = |place: usize, (row, fault): (Row, Option<String>)| {
        rows[missing[place]] = Some(row);
        unsaved = unsaved.take().or(fault);
        heard(missing[place], false);
    };
    executor.each(missing.len(), run, take).map_err(alone)?;
    Ok(Performed { results: Results { rows: rows.into_iter().flatten().collect() }, keys, found, unsaved })
}
