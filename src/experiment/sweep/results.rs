//! What came out of an experiment's points: of each no more than its figures need, so that many points take little memory.

use serde::Serialize;

use crate::experiment::record::Record;
use crate::experiment::sweep::experiment::Experiment;
use crate::experiment::sweep::point::Outcome;
use crate::experiment::sweep::quantity::{Factor, Quantity, Word};

/// What is kept of a point.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    Finished(Figures),
    /// The run did not come to its end.
    Stopped(Stopped),
}

/// What is kept of a run that came to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    pub time_ps: u64,
    pub checksum: String,
    /// Values of [`Experiment::factors`].
    factors: Vec<Option<f64>>,
    /// The first sentence on why it took its time.
    pub why: String,
}

/// Why there is no record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stopped {
    /// `deadlock`, `fault`, `limit`, ...
    pub kind: String,
    pub message: String,
}

impl Row {
    /// Of a point's outcome.
    pub fn new(experiment: &Experiment, outcome: &Outcome) -> Row {
        match outcome {
            Outcome::Record(record) => Row::Finished(Figures::new(experiment, record)),
            Outcome::Stopped { kind, message } => Row::Stopped(Stopped { kind: kind.clone(), message: message.clone() }),
        }
    }

    /// The figures, where the run came to its end.
    pub fn figures(&self) -> Option<&Figures> {
        match self {
            Row::Finished(figures) => Some(figures),
            Row::Stopped(_) => None,
        }
    }

    /// Why it did not, where it did not.
    pub fn stopped(&self) -> Option<&Stopped> {
        match self {
            Row::Finished(_) => None,
            Row::Stopped(stopped) => Some(stopped),
        }
    }
}

impl Figures {
    fn new(experiment: &Experiment, record: &Record) -> Figures {
        Figures {
            time_ps: record.time_ps,
            checksum: record.result.checksum.clone(),
            factors: experiment.factors.iter().map(|factor| factor.of(record)).collect(),
            why: record.why.first().map_or(String::new(), |reason| reason.sentence.clone()),
        }
    }
}

/// All points of an experiment, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    pub rows: Vec<Row>,
}

impl Results {
    /// A figure of a point; `None` where its run was stopped, has no such metric, or something is divided by 0.
    pub fn value(&self, experiment: &Experiment, point: usize, of: &Quantity) -> Option<f64> {
        of.evaluate(&mut |factor| match factor {
            Factor::Word(Word::Speedup) => self.speedup(experiment, point),
            Factor::Word(Word::Efficiency) => Some(self.speedup(experiment, point)? / threads_over_fewest(experiment, point)?),
            factor => {
                let place = experiment.factors.iter().position(|other| other == factor)?;
                self.rows[point].figures()?.factors[place]
            }
        })
    }

    /// The time of the point with the fewest threads over the time of this.
    pub fn speedup(&self, experiment: &Experiment, point: usize) -> Option<f64> {
        let base = self.rows[experiment.baseline(point)?].figures()?.time_ps;
        let own = self.rows[point].figures()?.time_ps;
        (own > 0).then(|| base as f64 / own as f64)
    }

    /// Metrics that are asked for and that no run has.
    pub fn unknown_metrics<'a>(&self, experiment: &'a Experiment) -> Vec<&'a str> {
        let nowhere = |place: usize| !self.rows.iter().any(|row| row.figures().is_some_and(|own| own.factors[place].is_some()));
        let metrics = experiment.factors.iter().enumerate().filter_map(|(place, factor)| match factor {
            Factor::Metric(path) if nowhere(place) => Some(path.as_str()),
            _ => None,
        });
        if self.rows.iter().any(|row| row.figures().is_some()) { metrics.collect() } else { Vec::new() }
    }

    /// How many points did not come to their end.
    pub fn n_stopped(&self) -> usize {
        self.rows.iter().filter(|row| row.stopped().is_some()).count()
    }
}

fn threads_over_fewest(experiment: &Experiment, point: usize) -> Option<f64> {
    let axis = experiment.threads()?;
    let of = |point: usize| experiment.axes[axis].values[experiment.coordinates(point)[axis]].number();
    Some(of(point)? / of(experiment.baseline(point)?)?)
}
