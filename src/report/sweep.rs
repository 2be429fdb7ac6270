//! The page of an experiment: its question, what was expected and came out, its plots and every point.

use serde::Serialize;

use super::bars::{Bar, Bars, Segment};
use super::exports::csv;
use super::figure::{About, Figure, RenderError, Table};
use super::human;
use super::lines::{Line, Lines, Tick};
use super::page::{FigureView, render, style, view};
use super::palette::{ON_DEEP, SERIES};
use crate::experiment::sweep::{Axis, Experiment, Plot, Quantity, Results, Tidy, Varies, Verdict, figures};

/// At most so many lines, or so many bars, are in a plot.
const MOST_LINES: usize = 16;
const MOST_BARS: usize = 60;

/// What a page of an experiment is made of.
#[derive(Clone, Debug)]
pub struct ExperimentInput<'a> {
    pub experiment: &'a Experiment,
    pub results: &'a Results,
    pub verdicts: &'a [Verdict],
    /// Keys that the command line set.
    pub set: &'a [(String, String)],
    /// Commands to try next.
    pub commands: &'a [String],
}

/// What is made of it.
#[derive(Clone, Debug)]
pub struct ExperimentPage {
    pub html: String,
    /// Named `plot-1` and so on.
    pub figures: Vec<Figure>,
    /// The tidy table.
    pub csv: Vec<u8>,
}

#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    question: &'a str,
    expected: &'a str,
    reason: &'a str,
    style: String,
    /// What was run.
    made: String,
    verdicts: &'a [Verdict],
    score: String,
    ok: bool,
    plots: Vec<FigureView>,
    table: Table,
    stopped: Option<Table>,
    reasons: Table,
    text: &'a str,
    commands: &'a [String],
}

/// Makes the page, its figures and its table.
///
/// # Errors
/// None that the input can cause: only a fault of the libraries used.
pub fn experiment(input: &ExperimentInput<'_>) -> Result<ExperimentPage, RenderError> {
    let ExperimentInput { experiment, results, verdicts, .. } = *input;
    let drawn = experiment.plots.iter().enumerate().map(|(number, plot)| {
        let mut figure = plotted(experiment, results, plot)?;
        figure.name = format!("plot-{}", number + 1);
        Ok(figure)
    });
    let drawn: Vec<Figure> = drawn.collect::<Result<_, RenderError>>()?;
    let views = drawn.iter().enumerate().map(|(number, figure)| view(figure.clone(), &format!("p{}", number + 1)));
    let page = Page {
        title: &experiment.title,
        question: &experiment.question,
        expected: &experiment.expected,
        reason: &experiment.reason,
        style: style(),
        made: made(input),
        verdicts,
        score: score(verdicts),
        ok: verdicts.iter().all(|verdict| verdict.met),
        plots: views.collect(),
        table: points(experiment, results),
        stopped: stopped(experiment, results),
        reasons: reasons(experiment, results),
        text: &experiment.source.text,
        commands: input.commands,
    };
    let tidy = Tidy::new(experiment, results);
    Ok(ExperimentPage { html: render("experiment.html", page)?, figures: drawn, csv: csv("points.csv", tidy.columns, tidy.rows)? })
}

/// What was run, in a sentence.
fn made(input: &ExperimentInput<'_>) -> String {
    let experiment = input.experiment;
    let axes = experiment.axes.iter().map(Axis::counted);
    let fixed = experiment.set.iter().chain(&experiment.parameters).map(|each| format!("{} = {}", each.name, each.value.text));
    let fixed: Vec<String> = fixed.chain(input.set.iter().map(|(key, value)| format!("{key} = {value}"))).collect();
    let with = if fixed.is_empty() { String::new() } else { format!(", with {}", fixed.join(", ")) };
    let n = human::plural(experiment.n_points(), "point");
    format!(
        "{n}: {}{with}. Simulated by Flynn {}, seed {}.",
        axes.collect::<Vec<_>>().join(" × "),
        env!("CARGO_PKG_VERSION"),
        experiment.seed
    )
}

/// `All 4 expectations are met.`
pub fn score(verdicts: &[Verdict]) -> String {
    let met = verdicts.iter().filter(|verdict| verdict.met).count();
    match (met, verdicts.len()) {
        (_, 0) => "Nothing was expected.".to_owned(),
        (1, 1) => "The expectation is met.".to_owned(),
        (0, 1) => "The expectation is not met.".to_owned(),
        (met, all) if met == all => format!("All {all} expectations are met."),
        (met, all) => format!("{met} of {all} expectations are met."),
    }
}

/// A value of a figure as people read it.
pub fn shown(quantity: &Quantity, value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if quantity.is_time() => human::time(value),
        Some(value) => human::digits(value),
    }
}

/// The axes whose values tell points of a plot apart.
fn telling<'a>(experiment: &'a Experiment, plot: &'a Plot) -> impl Iterator<Item = (usize, &'a Axis)> {
    let axes = experiment.axes.iter().enumerate();
    axes.filter(|(number, axis)| *number != plot.x && plot.only[*number].is_none() && axis.values.len() > 1)
}

/// A plot's lines: the points along its axis, for each combination of the other axes' values.
fn series(experiment: &Experiment, plot: &Plot) -> Vec<(String, Vec<usize>)> {
    let mut begin = plot.only.clone();
    begin[plot.x] = Some(0);
    let line = |point: usize| {
        let mut coordinates = experiment.coordinates(point);
        let told: Vec<String> = telling(experiment, plot).map(|(number, axis)| axis.told(coordinates[number])).collect();
        let along = |value: usize| {
            coordinates[plot.x] = value;
            experiment.point(&coordinates)
        };
        (told.join(", "), (0..experiment.axes[plot.x].values.len()).map(along).collect())
    };
    experiment.selected(&begin).into_iter().map(line).collect()
}

fn plotted(experiment: &Experiment, results: &Results, plot: &Plot) -> Result<Figure, RenderError> {
    let axis = &experiment.axes[plot.x];
    let series = series(experiment, plot);
    let value = |point: usize| results.value(experiment, point, &plot.y);
    let columns = std::iter::once(axis.name.clone())
        .chain(series.iter().map(|(label, _)| if label.is_empty() { format!("{}#", plot.label) } else { format!("{label}#") }));
    let mut table = Table::with_columns(plot.title.clone(), columns);
    for at in 0..axis.values.len() {
        let cells = series.iter().map(|(_, points)| shown(&plot.y, value(points[at])));
        table.row(std::iter::once(axis.label(at).to_owned()).chain(cells).collect());
    }
    let largest = series.iter().flat_map(|(_, points)| points).filter_map(|&point| value(point)).fold(0.0, f64::max);
    let unit = plot.y.is_time().then(|| human::time_unit(largest));
    let scaled = |point: usize| value(point).map(|value| unit.map_or(value, |unit| value / unit.picoseconds));
    let y = unit.map_or(plot.label.clone(), |unit| format!("{} ({})", plot.label, unit.name));
    let lines = matches!(axis.varies, Varies::Threads | Varies::Parameter | Varies::Key);
    let most = if lines { MOST_LINES } else { MOST_BARS.div_ceil(axis.values.len()) };
    let left_out = match series.len().saturating_sub(most) {
        0 => String::new(),
        n => format!(" {} more are in the table alone.", human::count(n as u64)),
    };
    let of: Vec<&str> = telling(experiment, plot).map(|(_, axis)| axis.name.as_str()).collect();
    let each = match (of.is_empty(), lines) {
        (true, _) => String::new(),
        (false, true) => format!(" A line for each {}.", of.join(", ")),
        (false, false) => format!(" A bar for each {}.", of.join(", ")),
    };
    let description = format!("{} over {}.{each}{left_out}", capitalised(&plot.label), axis.name);
    let about = About { name: "plot", title: plot.title.clone(), description, table };
    if !lines {
        return bars(about, axis, &series[..series.len().min(most)], y, scaled);
    }
    let chart = Lines {
        ticks: (0..axis.values.len()).map(|at| tick(axis, at)).collect(),
        lines: series[..series.len().min(most)]
            .iter()
            .map(|(label, points)| Line { label: label.clone(), values: points.iter().map(|&point| scaled(point)).collect() })
            .collect(),
        ideal: ideal(axis, plot),
        x: axis.name.clone(),
        y,
        log: (plot.x_log, plot.y_log),
    };
    Figure::chart(about, chart.height(), |area| chart.draw(area))
}

/// A figure's label at the beginning of a sentence; a name stays as it is written.
fn capitalised(label: &str) -> String {
    let mut letters = label.chars();
    match letters.next() {
        Some(first) if !label.contains(['_', '.']) => first.to_uppercase().chain(letters).collect(),
        _ => label.to_owned(),
    }
}

/// A value of the axis: at its number, or where not all are numbers, one as far from the other as the next.
fn tick(axis: &Axis, at: usize) -> Tick {
    let number = axis.values[at].number().filter(|_| axis.is_numeric());
    Tick { at: number.unwrap_or(at as f64), label: axis.label(at).to_owned() }
}

/// Speedups as large as there are threads.
fn ideal(axis: &Axis, plot: &Plot) -> Option<Vec<f64>> {
    if axis.varies != Varies::Threads || plot.y.name != "speedup" {
        return None;
    }
    let threads: Vec<f64> = axis.values.iter().filter_map(|value| value.number()).collect();
    let fewest = threads.iter().copied().fold(f64::INFINITY, f64::min);
    Some(threads.into_iter().map(|threads| threads / fewest).collect())
}

fn bars(
    about: About,
    axis: &Axis,
    series: &[(String, Vec<usize>)],
    y: String,
    scaled: impl Fn(usize) -> Option<f64>,
) -> Result<Figure, RenderError> {
    let bar = |(label, points): &(String, Vec<usize>), at: usize, number: usize| {
        let value = scaled(points[at]).filter(|value| *value > 0.0);
        let ink = SERIES[number % SERIES.len()];
        let segment = value.map(|value| Segment { value, fill: ink, on: ON_DEEP, labels: Vec::new() });
        let own = axis.label(at);
        Bar {
            label: if label.is_empty() { own.to_owned() } else { format!("{own}, {label}") },
            segments: segment.into_iter().collect(),
            end: scaled(points[at]).map_or("–".to_owned(), human::digits),
        }
    };
    let rows = (0..axis.values.len()).flat_map(|at| series.iter().enumerate().map(move |(number, line)| (line, at, number)));
    let bars: Vec<Bar> = rows.map(|(line, at, number)| bar(line, at, number)).collect();
    let longest = |bar: &Bar| bar.segments.iter().map(|segment| segment.value).sum::<f64>();
    let end = bars.iter().map(longest).fold(0.0, f64::max);
    let chart = Bars { bars, legend: Vec::new(), axis: y, end };
    Figure::chart(about, chart.height(), |area| chart.draw(area))
}

/// Every point for people.
fn points(experiment: &Experiment, results: &Results) -> Table {
    let figures = figures(experiment);
    let axis = |axis: &Axis| if axis.is_numeric() { format!("{}#", axis.name) } else { axis.name.clone() };
    let columns = experiment.axes.iter().map(axis).chain(["time#".to_owned()]);
    let columns = columns.chain(figures.iter().map(|figure| format!("{}#", figure.name))).chain(["checksum".to_owned()]);
    let mut table = Table::with_columns("Each point; points.csv has the same with all digits", columns);
    for (number, row) in results.rows.iter().enumerate() {
        let coordinates = experiment.coordinates(number);
        let own = experiment.axes.iter().zip(&coordinates).map(|(axis, &at)| axis.label(at).to_owned());
        let time = match (row.figures(), row.stopped()) {
            (Some(figures), _) => human::time(figures.time_ps as f64),
            (None, stopped) => stopped.map_or(String::new(), |stopped| stopped.kind.clone()),
        };
        let values = figures.iter().map(|figure| shown(figure, results.value(experiment, number, figure)));
        let checksum = row.figures().map_or("–".to_owned(), |figures| figures.checksum.clone());
        table.row(own.chain([time]).chain(values).chain([checksum]).collect());
    }
    table
}

fn stopped(experiment: &Experiment, results: &Results) -> Option<Table> {
    let mut table = Table::new("Points that were stopped", &["point", "why", "what was said"]);
    for (number, row) in results.rows.iter().enumerate() {
        if let Some(stopped) = row.stopped() {
            table.row(vec![experiment.told(number), stopped.kind.clone(), stopped.message.clone()]);
        }
    }
    (!table.rows.is_empty()).then_some(table)
}

fn reasons(experiment: &Experiment, results: &Results) -> Table {
    let mut table = Table::new("The first reason of each point's record", &["point", "why"]);
    for (number, row) in results.rows.iter().enumerate() {
        if let Some(own) = row.figures().filter(|own| !own.why.is_empty()) {
            table.row(vec![experiment.told(number), own.why.clone()]);
        }
    }
    table
}
