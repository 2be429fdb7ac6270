//! Expectations: what should come out of an experiment, and whether it did.

use std::cmp::Ordering;

use serde::Serialize;

use crate::base::document::{At, Place};
use crate::base::written;
use crate::experiment::sweep::experiment::{Checker, Experiment, Selection};
use crate::experiment::sweep::keys::{CrossoverKeys, DirectionKey, ExpectKeys, MonotoneKeys, RatioKeys, ValueKeys};
use crate::experiment::sweep::quantity::Quantity;
use crate::experiment::sweep::results::Results;

/// What is expected.
#[derive(Clone, Debug)]
pub struct Expectation {
    pub of: Quantity,
    pub because: String,
    shape: Expected,
}

#[derive(Clone, Debug)]
enum Expected {
    Value { only: Selection, bounds: Bounds },
    Ratio { at: Selection, to: Selection, bounds: Bounds },
    Monotone { only: Selection, along: usize, rising: bool, within: f64 },
    Crossover { first: Selection, second: Selection, along: usize, after: usize, before: usize },
}

/// What a number may be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bounds {
    least: Option<f64>,
    most: Option<f64>,
    /// As it was written: what it equals, and how far off it may be.
    equals: Option<(f64, f64)>,
}

/// Whether an expectation is met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    pub met: bool,
    /// What is expected, in words.
    pub claim: String,
    /// What was observed: of several cases the one that is nearest to failing, or that fails most.
    pub observed: String,
    /// How many cases there are.
    pub cases: usize,
    pub because: String,
}

/// One case of an expectation: how far it is inside (from 0 on) or outside (below 0), and what was seen.
struct Case {
    margin: f64,
    observed: String,
}

impl Bounds {
    fn read(
        [equals, within, at_least, at_most]: [&At<Option<f64>>; 4],
        place: &Place,
        key: &str,
        checker: &mut Checker<'_>,
    ) -> Option<Bounds> {
        let usual = "`equals = 2.0` with or without `within = 0.05`, or `at_least` or `at_most` or both";
        let share = within.value.unwrap_or(0.0);
        let fault = match (equals.value, at_least.value, at_most.value) {
            (None, None, None) => Some((place, "no bounds are given".to_owned())),
            (Some(_), None, None) if (0.0..=10.0).contains(&share) => None,
            (Some(_), None, None) => Some((&within.place, format!("{share} is no share: 0.05 is 5 %"))),
            (Some(_), _, _) => Some((&equals.place, "what `equals` a number needs no other bound".to_owned())),
            (None, Some(least), Some(most)) if least > most => {
                Some((&at_least.place, format!("nothing is at least {least} and at most {most}")))
            }
            (None, _, _) if within.given => {
                Some((&within.place, "`within` says how far something may be off what it `equals`".to_owned()))
            }
            (None, _, _) => None,
        };
        if let Some((place, message)) = fault {
            checker.fault(place, key, message, usual);
            return None;
        }
        Some(match equals.value {
            Some(value) => {
                let off = share * value.abs();
                Bounds { least: Some(value - off), most: Some(value + off), equals: Some((value, share)) }
            }
            None => Bounds { least: at_least.value, most: at_most.value, equals: None },
        })
    }

    /// How far inside a value is, from 0 on, or outside, below 0: as a share of the bound.
    fn margin(&self, value: f64) -> f64 {
        let relative = |difference: f64, bound: f64| if bound == 0.0 { difference } else { difference / bound.abs() };
        let above = self.least.map_or(f64::INFINITY, |least| relative(value - least, least));
        let below = self.most.map_or(f64::INFINITY, |most| relative(most - value, most));
        above.min(below)
    }

    fn told(&self, shown: impl Fn(f64) -> String) -> String {
        match (self.equals, self.least, self.most) {
            (Some((value, 0.0)), ..) => format!("equals {}", shown(value)),
            (Some((value, share)), ..) => format!("is {} within {} %", shown(value), written::digits(share * 100.0)),
            (None, Some(least), Some(most)) => format!("is from {} to {}", shown(least), shown(most)),
            (None, Some(least), None) => format!("is at least {}", shown(least)),
            (None, None, Some(most)) => format!("is at most {}", shown(most)),
            (None, None, None) => String::new(),
        }
    }
}

impl Expectation {
    /// Reads one `[[expect]]`; what is wrong is added to the checker's faults.
    pub fn read(keys: &At<ExpectKeys>, checker: &mut Checker<'_>) -> Option<Expectation> {
        match &keys.value {
            ExpectKeys::Value(own) => value(own, &keys.place, checker),
            ExpectKeys::Ratio(own) => ratio(own, &keys.place, checker),
            ExpectKeys::Monotone(own) => monotone(own, checker),
            ExpectKeys::Crossover(own) => crossover(own, checker),
        }
    }

    /// Whether it is met.
    pub fn judge(&self, experiment: &Experiment, results: &Results) -> Verdict {
        let judge = Judge { experiment, results, of: &self.of };
        let (claim, cases) = match &self.shape {
            Expected::Value { only, bounds } => judge.value(only, bounds),
            Expected::Ratio { at, to, bounds } => judge.ratio(at, to, bounds),
            Expected::Monotone { only, along, rising, within } => judge.monotone(only, *along, *rising, *within),
            Expected::Crossover { first, second, along, after, before } => {
                judge.crossover(first, second, *along, [*after, *before])
            }
        };
        let nearest = cases.iter().min_by(|a, b| a.margin.total_cmp(&b.margin));
        Verdict {
            met: nearest.is_some_and(|case| case.margin >= 0.0),
            claim,
            observed: nearest.map_or("there is no such point".to_owned(), |case| case.observed.clone()),
            cases: cases.len(),
            because: self.because.clone(),
        }
    }
}

fn value(keys: &ValueKeys, place: &Place, checker: &mut Checker<'_>) -> Option<Expectation> {
    let of = checker.quantity(&keys.of, "expect.of");
    let only = checker.selection(&keys.r#where, "expect.where");
    let bounds = [&keys.equals, &keys.within, &keys.at_least, &keys.at_most];
    let bounds = Bounds::read(bounds, place, "expect", checker);
    Some(Expectation { of: of?, because: keys.because.value.clone(), shape: Expected::Value { only: only?, bounds: bounds? } })
}

fn ratio(keys: &RatioKeys, place: &Place, checker: &mut Checker<'_>) -> Option<Expectation> {
    let of = checker.quantity(&keys.of, "expect.of");
    let at = checker.selection(&keys.at, "expect.at");
    let to = checker.selection(&keys.to, "expect.to");
    let bounds = [&keys.equals, &keys.within, &keys.at_least, &keys.at_most];
    let bounds = Bounds::read(bounds, place, "expect", checker);
    let (at, to) = alike(at?, to?, [&keys.at.place, &keys.to.place], ["at", "to"], checker)?;
    Some(Expectation { of: of?, because: keys.because.value.clone(), shape: Expected::Ratio { at, to, bounds: bounds? } })
}

/// Two selections that name the same axes, and not the same points.
fn alike(
    a: Selection,
    b: Selection,
    places: [&Place; 2],
    names: [&str; 2],
    checker: &mut Checker<'_>,
) -> Option<(Selection, Selection)> {
    let lacking = (0..a.len()).find(|&axis| a[axis].is_some() != b[axis].is_some());
    if let Some(axis) = lacking {
        let (place, name, other) =
            if a[axis].is_some() { (places[1], names[1], names[0]) } else { (places[0], names[0], names[1]) };
        let axis = checker.axes[axis].name.clone();
        let message = format!("`{name}` says nothing of `{axis}`, and `{other}` does");
        checker.fault(place, "expect", message, format!("name `{axis}` in both, or in neither for all of its values"));
        return None;
    }
    if a == b {
        let message = format!("`{}` and `{}` are the same points", names[0], names[1]);
        checker.fault(places[1], "expect", message, "give one of them another value");
        return None;
    }
    Some((a, b))
}

fn monotone(keys: &MonotoneKeys, checker: &mut Checker<'_>) -> Option<Expectation> {
    let of = checker.quantity(&keys.of, "expect.of");
    let along = checker.axis(&keys.along.value, &keys.along.place, "expect.along");
    let only = checker.selection(&keys.r#where, "expect.where");
    let (of, along, only) = (of?, along?, only?);
    free(along, &[&only], &keys.along, checker)?;
    let within = keys.within.value.unwrap_or(0.0);
    if !(0.0..=10.0).contains(&within) {
        checker.fault(&keys.within.place, "expect.within", format!("{within} is no share: 0.05 is 5 %"), "`within = 0.05`");
        return None;
    }
    let rising = keys.direction.value == DirectionKey::Rising;
    Some(Expectation { of, because: keys.because.value.clone(), shape: Expected::Monotone { only, along, rising, within } })
}

fn crossover(keys: &CrossoverKeys, checker: &mut Checker<'_>) -> Option<Expectation> {
    let of = checker.quantity(&keys.of, "expect.of");
    let along = checker.axis(&keys.along.value, &keys.along.place, "expect.along");
    let first = checker.selection(&keys.first, "expect.first");
    let second = checker.selection(&keys.second, "expect.second");
    let (of, along) = (of?, along?);
    let (first, second) = alike(first?, second?, [&keys.first.place, &keys.second.place], ["first", "second"], checker)?;
    free(along, &[&first, &second], &keys.along, checker)?;
    let after = checker.value(along, &keys.after, "expect.after");
    let before = checker.value(along, &keys.before, "expect.before");
    let (after, before) = (after?, before?);
    if after >= before {
        let message = "`after` must be a value of the axis before `before`";
        checker.fault(&keys.after.place, "expect.after", message, "values come in the order of the sweep");
        return None;
    }
    let shape = Expected::Crossover { first, second, along, after, before };
    Some(Expectation { of, because: keys.because.value.clone(), shape })
}

/// The axis that an expectation goes along has several values, and is not fixed to one.
fn free(along: usize, selections: &[&Selection], key: &At<String>, checker: &mut Checker<'_>) -> Option<()> {
    let axis = &checker.axes[along];
    let message = if selections.iter().any(|selection| selection[along].is_some()) {
        format!("what goes along `{}` cannot be at one value of it", axis.name)
    } else if axis.values.len() < 2 {
        format!("`{}` has one value: nothing can go along it", axis.name)
    } else {
        return Some(());
    };
    checker.fault(&key.place, "expect.along", message, "name another axis");
    None
}

/// Looks at what came out.
struct Judge<'a> {
    experiment: &'a Experiment,
    results: &'a Results,
    of: &'a Quantity,
}

impl Judge<'_> {
    fn at(&self, point: usize) -> Option<f64> {
        self.results.value(self.experiment, point, self.of)
    }

    fn shown(&self, value: f64) -> String {
        if self.of.is_time() { written::time(value) } else { written::digits(value) }
    }

    /// A selection in words; nothing where it leaves all open.
    fn told(&self, selection: &Selection) -> String {
        let axes = self.experiment.axes.iter().zip(selection);
        axes.filter_map(|(axis, chosen)| chosen.map(|value| axis.told(value))).collect::<Vec<_>>().join(", ")
    }

    /// `time of uma-bus-16, threads 16`
    fn subject(&self, selection: &Selection) -> String {
        match self.told(selection) {
            told if told.is_empty() => self.of.name.clone(),
            told => format!("{} of {told}", self.of.name),
        }
    }

    /// What tells a point from others of the same expectation.
    fn case_of(&self, point: usize, named: &[&Selection], along: Option<usize>) -> String {
        let coordinates = self.experiment.coordinates(point);
        let telling = self.experiment.axes.iter().enumerate().filter(|(number, axis)| {
            axis.values.len() > 1 && Some(*number) != along && named.iter().all(|selection| selection[*number].is_none())
        });
        let told: Vec<String> = telling.map(|(number, axis)| axis.told(coordinates[number])).collect();
        if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
    }

    fn missing(&self, point: usize) -> Case {
        let why = match self.results.rows[point].stopped() {
            Some(stopped) => format!("was stopped: {}", stopped.kind),
            None => format!("has no {}", self.of.name),
        };
        Case { margin: f64::NEG_INFINITY, observed: format!("{} {why}", self.experiment.told(point)) }
    }

    fn value(&self, only: &Selection, bounds: &Bounds) -> (String, Vec<Case>) {
        let claim = format!("{} {}", self.subject(only), bounds.told(|value| self.shown(value)));
        let case = |point: usize| match self.at(point) {
            None => self.missing(point),
            Some(value) => {
                let observed = format!("{}{}", self.shown(value), self.case_of(point, &[only], None));
                Case { margin: bounds.margin(value), observed }
            }
        };
        (claim, self.experiment.selected(only).into_iter().map(case).collect())
    }

    fn ratio(&self, at: &Selection, to: &Selection, bounds: &Bounds) -> (String, Vec<Case>) {
        let over = format!("{} over that of {}", self.subject(at), self.told(to));
        let claim = format!("{over} {}", bounds.told(written::digits));
        let case = |point: usize| {
            let other = self.moved(point, to);
            match (self.at(point), self.at(other)) {
                (None, _) => self.missing(point),
                (_, None) => self.missing(other),
                (Some(_), Some(0.0)) => Case { margin: f64::NEG_INFINITY, observed: format!("{} is 0", self.told(to)) },
                (Some(a), Some(b)) => {
                    let values = format!("{} over {}", self.shown(a), self.shown(b));
                    let observed = format!("{}, {values}{}", written::digits(a / b), self.case_of(point, &[at, to], None));
                    Case { margin: bounds.margin(a / b), observed }
                }
            }
        };
        (claim, self.experiment.selected(at).into_iter().map(case).collect())
    }

    /// The point that has another selection's values where that has any.
    fn moved(&self, point: usize, to: &Selection) -> usize {
        let mut coordinates = self.experiment.coordinates(point);
        for (at, chosen) in coordinates.iter_mut().zip(to) {
            *at = chosen.unwrap_or(*at);
        }
        self.experiment.point(&coordinates)
    }

    /// The points along an axis, for each combination of the others that a selection leaves.
    fn series(&self, only: &Selection, along: usize) -> Vec<Vec<usize>> {
        let mut begin = only.clone();
        begin[along] = Some(0);
        let n = self.experiment.axes[along].values.len();
        let along_from = |point: usize| {
            let mut coordinates = self.experiment.coordinates(point);
            let at = |value: usize| {
                coordinates[along] = value;
                self.experiment.point(&coordinates)
            };
            (0..n).map(at).collect()
        };
        self.experiment.selected(&begin).into_iter().map(along_from).collect()
    }

    fn monotone(&self, only: &Selection, along: usize, rising: bool, within: f64) -> (String, Vec<Case>) {
        let axis = &self.experiment.axes[along];
        let verb = if rising { "rises" } else { "falls" };
        let slack = if within == 0.0 { String::new() } else { format!(" within {} %", written::digits(within * 100.0)) };
        let claim = format!("{} {verb} along {}{slack}", self.subject(only), axis.name);
        let case = |series: Vec<usize>| {
            let Some(values) = series.iter().map(|&point| self.at(point)).collect::<Option<Vec<f64>>>() else {
                return self.missing(series.into_iter().find(|&point| self.at(point).is_none()).unwrap_or(0));
            };
            // The step that goes most the wrong way.
            let step = |pair: &[f64]| {
                let rise = if rising { pair[1] - pair[0] } else { pair[0] - pair[1] };
                rise + within * pair[0].abs()
            };
            let relative = |pair: &[f64]| if pair[0] == 0.0 { step(pair) } else { step(pair) / pair[0].abs() };
            let margin = values.windows(2).map(relative).fold(f64::INFINITY, f64::min);
            let shown: Vec<String> = values.iter().map(|&value| self.shown(value)).collect();
            Case { margin, observed: format!("{}{}", abridged(&shown), self.case_of(series[0], &[only], Some(along))) }
        };
        (claim, self.series(only, along).into_iter().map(case).collect())
    }

    fn crossover(&self, first: &Selection, second: &Selection, along: usize, [after, before]: [usize; 2]) -> (String, Vec<Case>) {
        let axis = &self.experiment.axes[along];
        let claim = format!(
            "{} is below that of {} up to {} and above from {} on",
            self.subject(first),
            self.told(second),
            axis.told(after),
            axis.told(before)
        );
        let case = |series: Vec<usize>| {
            let pairs = series.iter().map(|&point| Some((self.at(point)?, self.at(self.moved(point, second))?)));
            let Some(pairs) = pairs.collect::<Option<Vec<(f64, f64)>>>() else {
                let both = series.iter().flat_map(|&point| [point, self.moved(point, second)]);
                return self.missing(both.into_iter().find(|&point| self.at(point).is_none()).unwrap_or(0));
            };
            let margin = |(number, &(a, b)): (usize, &(f64, f64))| {
                let larger = a.abs().max(b.abs()).max(f64::MIN_POSITIVE);
                match (number.cmp(&after), number.cmp(&before)) {
                    // Equal is neither below nor above.
                    (Ordering::Less | Ordering::Equal, _) => strictly((b - a) / larger),
                    (_, Ordering::Greater | Ordering::Equal) => strictly((a - b) / larger),
                    _ => f64::INFINITY,
                }
            };
            let shown: Vec<String> = pairs.iter().map(|&(a, b)| format!("{} : {}", self.shown(a), self.shown(b))).collect();
            let margin = pairs.iter().enumerate().map(margin).fold(f64::INFINITY, f64::min);
            Case { margin, observed: format!("{}{}", abridged(&shown), self.case_of(series[0], &[first, second], Some(along))) }
        };
        (claim, self.series(first, along).into_iter().map(case).collect())
    }
}

/// A difference that must not be 0.
fn strictly(difference: f64) -> f64 {
    if difference > 0.0 { difference } else { difference.min(-f64::MIN_POSITIVE) }
}

/// Values with commas, those in the middle of many left out.
fn abridged(values: &[String]) -> String {
    const MOST: usize = 8;
    if values.len() <= MOST {
        return values.join(", ");
    }
    format!("{}, ..., {}", values[..MOST / 2].join(", "), values[values.len() - MOST / 2 + 1..].join(", "))
}
