//! An experiment whose text is right: its axes, its points, the figures it asks for, its plots and expectations.
//!
//! Points are all combinations of the axes' values, in the order of nested loops: machines outermost, then workloads, then the sweeps
//! as they are written.

use crate::base::diagnostic::{Diagnostic, Diagnostics, SourceText, nearest};
use crate::base::document::{At, Place, enumerate, read};
use crate::experiment::record::Start;
use crate::experiment::sweep::expect::Expectation;
use crate::experiment::sweep::keys::{
    Assigned, Assignment, ExperimentKeys, Literal, PlotKeys, ScaleKey, StartKey, SweepKeys, Values,
};
use crate::experiment::sweep::quantity::{Factor, Quantity};

/// The most points an experiment can have.
pub const MOST_POINTS: usize = 10_000;
/// The most plots, and the most expectations.
const MOST_PLOTS: usize = 50;

/// Names of columns that are no axis of the user's.
const COLUMNS: [&str; 7] = ["machine", "workload", "time_ps", "speedup", "checksum", "outcome", "threads"];

/// What varies along an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Varies {
    Machine,
    Workload,
    Threads,
    Parameter,
    Key,
}

/// Something that varies, with its values.
#[derive(Clone, Debug)]
pub struct Axis {
    /// `machine`, `workload`, `threads`, the parameter or the key.
    pub name: String,
    pub varies: Varies,
    /// Where the name, or else the sweep, is written.
    pub place: Place,
    pub values: Vec<Literal>,
}

impl Axis {
    /// Whether all values are numbers.
    pub fn is_numeric(&self) -> bool {
        self.values.iter().all(|value| value.number().is_some())
    }

    /// The value's name where people read it: of a path, the file's name.
    pub fn label(&self, value: usize) -> &str {
        let text = self.values[value].text.as_str();
        match self.varies {
            Varies::Machine | Varies::Workload => {
                let file = text.rsplit(['/', '\\']).next().unwrap_or(text);
                file.strip_suffix(".toml").or_else(|| file.strip_suffix(".flynn")).unwrap_or(file)
            }
            _ => text,
        }
    }

    /// `threads 16`; of machines and workloads the name alone.
    pub fn told(&self, value: usize) -> String {
        match self.varies {
            Varies::Machine | Varies::Workload => self.label(value).to_owned(),
            _ => format!("{} {}", self.short_name(), self.label(value)),
        }
    }

    /// How many values there are, in words: `2 machines`, `5 values of width`.
    pub fn counted(&self) -> String {
        let n = self.values.len();
        let ending = if n == 1 { "" } else { "s" };
        match self.varies {
            Varies::Machine | Varies::Workload => format!("{n} {}{ending}", self.name),
            _ => format!("{n} value{ending} of {}", self.short_name()),
        }
    }

    /// The last part of a key: `width` of `node.interconnect.width`.
    pub fn short_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
}

/// A value for each axis, by number; `None` where it is left open.
pub type Selection = Vec<Option<usize>>;

/// A plot.
#[derive(Clone, Debug)]
pub struct Plot {
    pub title: String,
    /// The axis along x.
    pub x: usize,
    pub y: Quantity,
    /// What the figure is called.
    pub label: String,
    pub only: Selection,
    pub x_log: bool,
    pub y_log: bool,
}

/// An experiment.
#[derive(Clone, Debug)]
pub struct Experiment {
    pub source: SourceText,
    pub title: String,
    pub question: String,
    pub expected: String,
    pub reason: String,
    pub seed: u64,
    pub start: Start,
    /// Keys of machines for every point.
    pub set: Vec<Assignment>,
    /// Parameters of programs for every point.
    pub parameters: Vec<Assignment>,
    pub axes: Vec<Axis>,
    /// Figures with names of the user's own.
    pub metrics: Vec<Quantity>,
    pub plots: Vec<Plot>,
    pub expectations: Vec<Expectation>,
    /// All that figures are made of, each once.
    pub factors: Vec<Factor>,
}

impl Experiment {
    /// Reads an experiment's text.
    ///
    /// # Errors
    /// Everything that is wrong with it, as far as it can be told without machines and workloads.
    pub fn read(source: &SourceText) -> Result<Experiment, Diagnostics> {
        let keys: ExperimentKeys = read(source)?;
        let mut faults = Diagnostics::new();
        let axes = axes(&keys, &mut faults);
        let metrics = metrics(&keys.metrics.value, &mut faults);
        let mut checker = Checker { axes: &axes, metrics: &metrics, faults };
        let n_points = checker.count(&keys);
        checker.fixed(&keys);
        let plots: Vec<Plot> = keys.plots.iter().filter_map(|plot| checker.plot(plot)).collect();
        let expectations: Vec<Expectation> =
            keys.expectations.iter().filter_map(|each| Expectation::read(each, &mut checker)).collect();
        for (name, list) in [("plot", keys.plots.len()), ("expect", keys.expectations.len())] {
            if list > MOST_PLOTS {
                checker.faults.push(Diagnostic::at(source, None, format!("more than {MOST_PLOTS} of `[[{name}]]`")));
            }
        }
        let mut faults = checker.faults;
        if !faults.is_empty() || n_points.is_none() {
            faults.truncate(32);
            faults.sort_by_key(|fault| fault.span);
            return Err(faults);
        }
        let mut experiment = Experiment {
            source: source.clone(),
            title: keys.name.value,
            question: keys.question.value,
            expected: keys.expected.value,
            reason: keys.reason.value,
            seed: keys.seed.0,
            start: if keys.start.value == StartKey::Cold { Start::Cold } else { Start::Warm },
            set: keys.set.value.0,
            parameters: keys.parameters.value.0,
            axes,
            metrics,
            plots,
            expectations,
            factors: Vec::new(),
        };
        experiment.factors = factors(&experiment);
        Ok(experiment)
    }

    /// How many points there are.
    pub fn n_points(&self) -> usize {
        self.axes.iter().map(|axis| axis.values.len()).product()
    }

    /// The number of each axis's value at a point.
    pub fn coordinates(&self, point: usize) -> Vec<usize> {
        let mut rest = point;
        let mut coordinates: Vec<usize> = self
            .axes
            .iter()
            .rev()
            .map(|axis| {
                let at = rest % axis.values.len();
                rest /= axis.values.len();
                at
            })
            .collect();
        coordinates.reverse();
        coordinates
    }

    /// The point at these values.
    pub fn point(&self, coordinates: &[usize]) -> usize {
        self.axes.iter().zip(coordinates).fold(0, |point, (axis, &at)| point * axis.values.len() + at)
    }

    /// All points that a selection leaves, in their order.
    pub fn selected(&self, selection: &Selection) -> Vec<usize> {
        let fits = |point: &usize| {
            self.coordinates(*point).iter().zip(selection).all(|(at, chosen)| chosen.is_none_or(|chosen| chosen == *at))
        };
        (0..self.n_points()).filter(fits).collect()
    }

    /// The axis of threads, where they are swept.
    pub fn threads(&self) -> Option<usize> {
        self.axes.iter().position(|axis| axis.varies == Varies::Threads)
    }

    /// The point that speedups are over: the same with the fewest threads.
    pub fn baseline(&self, point: usize) -> Option<usize> {
        let threads = self.threads()?;
        let count = |value: &Literal| value.number().unwrap_or(f64::INFINITY);
        let values = self.axes[threads].values.iter().enumerate();
        let (fewest, _) = values.min_by(|(_, a), (_, b)| count(a).total_cmp(&count(b)))?;
        let mut coordinates = self.coordinates(point);
        coordinates[threads] = fewest;
        Some(self.point(&coordinates))
    }

    /// What tells a point from the others, in words: the values of the axes that have several.
    pub fn told(&self, point: usize) -> String {
        let coordinates = self.coordinates(point);
        let telling = |(axis, at): (&Axis, &usize)| (axis.values.len() > 1).then(|| axis.told(*at));
        let told: Vec<String> = self.axes.iter().zip(&coordinates).filter_map(telling).collect();
        if told.is_empty() { "the only point".to_owned() } else { told.join(", ") }
    }

    /// The parameters of a point's program, as `--param` would give them.
    pub fn parameters(&self, coordinates: &[usize]) -> Vec<(String, String)> {
        let swept = self.axes.iter().zip(coordinates).filter(|(axis, _)| axis.varies == Varies::Parameter);
        let fixed = self.parameters.iter().map(|each| (each.name.clone(), each.value.text.clone()));
        fixed.chain(swept.map(|(axis, &at)| (axis.name.clone(), axis.values[at].text.clone()))).collect()
    }
}

/// Machines, workloads, and what is swept.
fn axes(keys: &ExperimentKeys, faults: &mut Diagnostics) -> Vec<Axis> {
    let named = |name: &str, varies, names: &At<super::keys::Names>| Axis {
        name: name.to_owned(),
        varies,
        place: names.place.clone(),
        values: names.value.0.clone(),
    };
    let mut axes = vec![named("machine", Varies::Machine, &keys.machines), named("workload", Varies::Workload, &keys.workloads)];
    for sweep in keys.sweeps.iter() {
        let Some(axis) = swept(sweep, faults) else { continue };
        if axes.iter().any(|other| other.name == axis.name) {
            faults.push(axis.place.fault(format!("`{}` is swept already", axis.name)).key("sweep"));
        } else {
            axes.push(axis);
        }
    }
    axes
}

/// One `[[sweep]]`.
fn swept(sweep: &At<SweepKeys>, faults: &mut Diagnostics) -> Option<Axis> {
    let mut fault = |place: &Place, message: String, help: &str| {
        faults.push(place.fault(message).key("sweep").help(help));
        None
    };
    let SweepKeys { threads, parameter, key, values } = &sweep.value;
    let usual = "write `threads = [1, 2, 4]`, or `parameter` or `key` and `values = [...]`";
    let given = [threads.given, parameter.given, key.given].into_iter().filter(|given| *given).count();
    if given != 1 {
        let message = if given == 0 { "nothing is swept here" } else { "a sweep varies one thing" };
        return fault(&sweep.place, message.to_owned(), usual);
    }
    if let Some(list) = &threads.value {
        if values.given {
            return fault(&values.place, "the values of `threads` stand beside it".to_owned(), usual);
        }
        let right = |value: &&Literal| value.number().is_some_and(|n| (1.0..=1024.0).contains(&n) && n.fract() == 0.0);
        if let Some(wrong) = list.0.iter().find(|value| !right(value)) {
            let message = format!("{} is no number of threads", wrong.text);
            return fault(&wrong.value.place, message, "whole numbers from 1 to 1024");
        }
        return Some(Axis {
            name: "threads".into(),
            varies: Varies::Threads,
            place: threads.place.clone(),
            values: list.0.clone(),
        });
    }
    let (name, varies) = match (parameter, key) {
        (At { value: Some(name), place, .. }, _) => ((name, place), Varies::Parameter),
        (_, At { value: Some(name), place, .. }) => ((name, place), Varies::Key),
        _ => return None,
    };
    let (name, place) = name;
    if COLUMNS.contains(&name.as_str()) {
        return fault(place, format!("`{name}` cannot be swept by that name: a column of the table has it"), usual);
    }
    let Some(Values(list)) = &values.value else {
        return fault(&sweep.place, format!("the sweep of `{name}` lacks its values"), "write `values = [...]`");
    };
    Some(Axis { name: name.trim().to_owned(), varies, place: place.clone(), values: list.clone() })
}

/// Figures that have names.
fn metrics(assigned: &Assigned, faults: &mut Diagnostics) -> Vec<Quantity> {
    let mut metrics: Vec<Quantity> = Vec::new();
    for each in &assigned.0 {
        let word = !each.name.is_empty()
            && each.name.starts_with(|c: char| c.is_ascii_alphabetic())
            && each.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let taken = COLUMNS.contains(&each.name.as_str())
            || super::quantity::Word::ALL.iter().any(|(name, _)| *name == each.name)
            || metrics.iter().any(|other| other.name == each.name);
        if !word || taken {
            let why = if word { "has a meaning already" } else { "is no name of a figure" };
            let fault = each.key.fault(format!("`{}` {why}", each.name)).key("metrics");
            faults.push(fault.help("letters, digits and `_`, as in `bus_busy = \"interconnect.busy_ps / time\"`"));
            continue;
        }
        match Quantity::read(&each.value.text, &[]) {
            Ok(quantity) => metrics.push(quantity.called(&each.name)),
            Err((message, help)) => faults.push(each.value.value.place.fault(message).key("metrics").help(help)),
        }
    }
    metrics
}

/// All factors of figures, plots and expectations, each once.
fn factors(experiment: &Experiment) -> Vec<Factor> {
    let plots = experiment.plots.iter().map(|plot| &plot.y);
    let expected = experiment.expectations.iter().map(|expectation| &expectation.of);
    let mut factors: Vec<Factor> = Vec::new();
    for factor in experiment.metrics.iter().chain(plots).chain(expected).flat_map(Quantity::factors) {
        if !factors.contains(factor) {
            factors.push(factor.clone());
        }
    }
    factors
}

/// What plots and expectations may refer to, and what is wrong with them.
pub struct Checker<'a> {
    pub axes: &'a [Axis],
    metrics: &'a [Quantity],
    pub faults: Diagnostics,
}

impl Checker<'_> {
    /// Adds a fault.
    pub fn fault(&mut self, place: &Place, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.faults.push(place.fault(message).key(key).help(help));
    }

    /// How many points there are, where that is few enough.
    fn count(&mut self, keys: &ExperimentKeys) -> Option<usize> {
        let n = self.axes.iter().try_fold(1usize, |n, axis| n.checked_mul(axis.values.len()));
        let n = n.filter(|&n| n <= MOST_POINTS);
        if n.is_none() {
            let sizes: Vec<String> = self.axes.iter().map(|axis| axis.values.len().to_string()).collect();
            let message = format!("{} points are too many", sizes.join(" x "));
            self.fault(
                &keys.machines.place,
                "sweep",
                message,
                format!("at most {MOST_POINTS}: sweep fewer values, or in two experiments"),
            );
        }
        n
    }

    /// What is the same in all points must not be swept.
    fn fixed(&mut self, keys: &ExperimentKeys) {
        let fixed = [(Varies::Key, "set", &keys.set), (Varies::Parameter, "parameters", &keys.parameters)];
        for (varies, table, assigned) in fixed {
            for each in &assigned.value.0 {
                if self.axes.iter().any(|axis| axis.varies == varies && axis.name == each.name) {
                    let message = format!("`{}` is swept, so it is not the same in every run", each.name);
                    self.fault(&each.key, table, message, format!("leave it out of `[{table}]`"));
                }
            }
        }
        let runtime = |each: &&Assignment| each.name == "runtime.threads";
        if let Some(each) = keys.set.value.0.iter().find(runtime)
            && self.axes.iter().any(|axis| axis.varies == Varies::Threads)
        {
            self.fault(&each.key, "set", "threads are swept, so they are not the same in every run", "leave it out of `[set]`");
        }
    }

    /// A figure.
    pub fn quantity(&mut self, of: &At<String>, key: &str) -> Option<Quantity> {
        match Quantity::read(&of.value, self.metrics) {
            Ok(quantity) if quantity.needs_threads() && !self.axes.iter().any(|axis| axis.varies == Varies::Threads) => {
                let help = "add `[[sweep]]` with `threads = [1, ...]`";
                self.fault(&of.place, key, "there is no speedup where threads are not swept", help);
                None
            }
            Ok(quantity) => Some(quantity),
            Err((message, help)) => {
                self.fault(&of.place, key, message, help);
                None
            }
        }
    }

    /// The axis of a name.
    pub fn axis(&mut self, name: &str, place: &Place, key: &str) -> Option<usize> {
        let found = self.axes.iter().position(|axis| axis.name == name);
        if found.is_none() {
            let names = || self.axes.iter().map(|axis| axis.name.as_str());
            let help = match nearest(name, names()) {
                Some(right) => format!("did you mean `{right}`?"),
                None => format!("there is {}", enumerate(names(), "`", "and")),
            };
            self.fault(place, key, format!("nothing varies that is called `{name}`"), help);
        }
        found
    }

    /// A value of an axis.
    pub fn value(&mut self, axis: usize, value: &Literal, key: &str) -> Option<usize> {
        let found = self.axes[axis].values.iter().position(|other| other.is(value));
        if found.is_none() {
            let Axis { name, values, .. } = &self.axes[axis];
            let message = format!("`{name}` is never {}", value.text);
            let help = format!("it is {}", enumerate(values.iter().take(12).map(|value| value.text.as_str()), "", "or"));
            self.fault(&value.value.place, key, message, help);
        }
        found
    }

    /// Values of axes.
    pub fn selection(&mut self, assigned: &Assigned, key: &str) -> Option<Selection> {
        let mut selection = vec![None; self.axes.len()];
        let mut right = true;
        for each in &assigned.0 {
            let at = self.axis(&each.name, &each.key, key).and_then(|axis| Some((axis, self.value(axis, &each.value, key)?)));
            match at {
                Some((axis, value)) => selection[axis] = Some(value),
                None => right = false,
            }
        }
        right.then_some(selection)
    }

    fn plot(&mut self, plot: &At<PlotKeys>) -> Option<Plot> {
        let x = self.axis(&plot.x.value, &plot.x.place, "plot.x");
        let y = self.quantity(&plot.y, "plot.y");
        let only = self.selection(&plot.r#where, "plot.where");
        let (x, y, only) = (x?, y?, only?);
        if only[x].is_some() {
            let message = format!("a plot over `{}` shows all of its values", self.axes[x].name);
            self.fault(&plot.r#where.place, "plot.where", message, "leave it out of `where`");
            return None;
        }
        let x_log = plot.x_scale.value == ScaleKey::Log;
        let positive = self.axes[x].values.iter().all(|value| value.number().is_some_and(|number| number > 0.0));
        if x_log && !positive {
            let message =
                format!("`{}` has values that are no numbers above 0: no logarithmic axis can show them", self.axes[x].name);
            self.fault(&plot.x_scale.place, "plot.x_scale", message, "`x_scale = \"linear\"`");
            return None;
        }
        let label = plot.label.value.clone().unwrap_or_else(|| y.name.clone());
        let title = plot.title.value.clone().unwrap_or_else(|| format!("{label} by {}", self.axes[x].name));
        Some(Plot { title, x, y, label, only, x_log, y_log: plot.y_scale.value == ScaleKey::Log })
    }
}
