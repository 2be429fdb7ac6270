//! Predictions beside what the host did: how far off each was, and how far the measurements themselves spread.

use plotters::prelude::{ChartBuilder, Circle, Color, IntoLogRange, PathElement, Polygon, Rectangle};

use super::figure::{
    About, Anchor, Area, Figure, LETTERS, RenderError, Table, WIDTH, colour, draw_legend, legend_height, letters, write,
};
use super::human;
use super::palette::{ACCENT, ALARM, Ink, MUTED, PAPER, RULE, TEXT};
use crate::experiment::record::ValidationCase;
use crate::experiment::validate::{LIKELY_RACE, speedups, summary};

/// The verdict on a case whose measurement says something.
const MEASURED: &str = "measured";

/// At most so many rows in the figure of errors.
const MOST_ROWS: usize = 60;
const PITCH: f64 = 28.0;
const AXIS_HEIGHT: u32 = 46;
const LABEL_WIDTH: f64 = 260.0;
const END_WIDTH: f64 = 240.0;

fn seconds(seconds: f64) -> String {
    human::time(seconds * 1e12)
}

/// A case as one knows it: workload, threads, and parameters.
fn name(case: &ValidationCase) -> String {
    let parameters: Vec<String> = case.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let threads = human::plural(case.threads as usize, "thread");
    [vec![case.workload.clone(), threads], parameters].concat().join(", ")
}

/// The name without the parameters, where there is little room.
fn short_name(case: &ValidationCase) -> String {
    format!("{}, {}", case.workload, human::plural(case.threads as usize, "thread"))
}

fn is_drawn(case: &&ValidationCase) -> bool {
    let positive = |value: f64| value.is_finite() && value > 0.0;
    [case.predicted_seconds, case.measured_seconds, ratio(case)].into_iter().all(positive)
}

/// The colour of a case: a different result is an alarm, whatever the time says; noise is grey.
fn ink(case: &ValidationCase) -> Ink {
    match case.equal {
        false => ALARM,
        true if case.verdict == MEASURED => ACCENT,
        true => MUTED,
    }
}

/// The middle half of the measurements as a share of the time.
fn spread(case: &ValidationCase) -> f64 {
    if case.measured_spread.is_finite() { case.measured_spread.max(0.0) } else { 0.0 }
}

fn legend(cases: &[&ValidationCase]) -> Vec<(Ink, String)> {
    let mut legend = vec![(ACCENT, "prediction".to_owned())];
    if cases.iter().any(|case| ink(case) == MUTED) {
        legend.push((MUTED, "measurement too noisy to judge it".to_owned()));
    }
    if cases.iter().any(|case| !case.equal) {
        legend.push((ALARM, "results differ".to_owned()));
    }
    legend.push((RULE, "spread of the measurements (middle half)".to_owned()));
    legend
}

/// Predicted over measured time of a case.
fn ratio(case: &ValidationCase) -> f64 {
    1.0 + case.error
}

/// By what factor a prediction is off, either way: at least 1.
fn off(case: &ValidationCase) -> f64 {
    ratio(case).max(1.0 / ratio(case))
}

/// How the predictions did as a whole.
pub fn sentence(cases: &[ValidationCase]) -> String {
    let summary = summary(cases);
    let mut judged: Vec<&ValidationCase> = cases.iter().filter(is_drawn).filter(|case| case.verdict == MEASURED).collect();
    judged.sort_by(|a, b| off(a).total_cmp(&off(b)));
    let errors = match judged.last() {
        None => "No case was measured well enough to be judged.".to_owned(),
        Some(worst) => format!(
            "Over {} the predictions are off by a factor of {} in the geometric mean, {} in the median and {} at worst ({}); {} of them \
             are too slow.",
            human::plural(judged.len(), "judged case"),
            human::digits(libm::exp(summary.mean_log_error)),
            human::digits(off(judged[judged.len() / 2])),
            human::digits(off(worst)),
            short_name(worst),
            judged.iter().filter(|case| ratio(case) > 1.0).count(),
        ),
    };
    let noisy = match summary.inconclusive {
        0 => String::new(),
        n => format!(" {} too noisy on this computer to say.", if n == 1 { "One is".to_owned() } else { format!("{n} are") }),
    };
    let results = match summary.unequal {
        0 => "Model and computer came to equal results in every case.".to_owned(),
        n => format!("In {} the results differ, which is a fault.", human::plural(n, "case")),
    };
    format!("{errors}{noisy} {results}")
}

/// What to look for where results differ.
pub fn alarm(cases: &[ValidationCase]) -> Option<String> {
    cases.iter().any(|case| !case.equal).then(|| LIKELY_RACE.replace('`', ""))
}

/// Every case as numbers.
pub fn table(cases: &[ValidationCase]) -> Table {
    let columns = [
        "case",
        "predicted by the model#",
        "measured#",
        "predicted / measured#",
        "speedup predicted#",
        "speedup measured#",
        "spread#",
        "verdict",
        "results",
    ];
    let mut table = Table::new("Predicted and measured", &columns);
    let speedups = speedups(cases);
    for (case, speedup) in cases.iter().zip(&speedups) {
        let speedup = |which: usize| speedup.map_or("–".to_owned(), |pair| human::factor(pair[which]));
        let results = if case.equal {
            format!("equal ({})", case.checksum_simulated)
        } else {
            format!("differ: {} simulated, {} host", case.checksum_simulated, case.checksum_host)
        };
        table.row(vec![
            name(case),
            seconds(case.predicted_seconds),
            seconds(case.measured_seconds),
            human::factor(ratio(case)),
            speedup(0),
            speedup(1),
            human::percent(case.measured_spread),
            case.verdict.clone(),
            results,
        ]);
    }
    table
}

/// The figures of a validation: the errors case by case, and all cases against the line of no error. None where nothing was measured.
pub fn figures(cases: &[ValidationCase]) -> Result<Vec<Figure>, RenderError> {
    let drawn: Vec<&ValidationCase> = cases.iter().filter(is_drawn).collect();
    if drawn.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![errors(cases, &drawn)?, scatter(cases, &drawn)?])
}

fn errors(cases: &[ValidationCase], drawn: &[&ValidationCase]) -> Result<Figure, RenderError> {
    let shown = &drawn[..drawn.len().min(MOST_ROWS)];
    let judged = drawn.iter().filter(|case| case.verdict == MEASURED);
    let worst = judged.max_by(|a, b| off(a).total_cmp(&off(b)));
    let worst = worst.map_or(String::new(), |case| {
        format!(" The farthest off is {}: predicted {} the measured time.", short_name(case), human::factor(ratio(case)))
    });
    let about = About {
        name: "prediction-errors",
        title: "How far off each prediction was".to_owned(),
        description: format!(
            "A row for every case, on an axis of factors. The point is predicted over measured time: on the line at 1 the model is \
             right, right of it too slow, left of it too fast. The band is the middle half of the measurements; it begins at 1 \
             because they are judged by their lower quartile. A prediction within the band cannot be told from noise.{worst}"
        ),
        table: table(cases),
    };
    let legend = legend(drawn);
    let top = legend_height(&legend);
    Figure::chart(about, top + (shown.len() as f64 * PITCH) as u32 + AXIS_HEIGHT, |area| {
        draw_legend(area, &legend)?;
        draw_errors(area, shown, top)
    })
}

/// The ends of the axis, as logarithms to base 10: all points lie between them, and so does 1 with some room on both sides.
fn reach(cases: &[&ValidationCase]) -> (f64, f64) {
    let ends = |case: &&ValidationCase| [libm::log10(ratio(case)), libm::log10(1.0 + spread(case))];
    let values = || cases.iter().flat_map(ends);
    let (low, high) = (values().fold(0.0, f64::min), values().fold(0.0, f64::max));
    let room = 0.08 * (high - low).max(0.3);
    (low - room, high + room)
}

/// Factors to write under the axis: 1, 2, 5, 10, ... as far as they have room, else powers of ten.
fn ticks((low, high): (f64, f64)) -> Vec<f64> {
    let decades = libm::floor(low) as i32..=libm::ceil(high) as i32;
    let steps: &[f64] = match high - low {
        span if span <= 0.7 => &[1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.5, 8.0],
        span if span <= 2.5 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    // At most eight decades are labelled each: beyond, every second, third, ...
    let every = (libm::ceil((high - low) / 8.0) as i32).max(1);
    let decades = decades.filter(|decade| decade % every == 0);
    let factors = decades.flat_map(|decade| steps.iter().map(move |step| step * libm::pow(10.0, f64::from(decade))));
    factors.filter(|factor| (low..=high).contains(&libm::log10(*factor))).collect()
}

fn draw_errors(area: &Area<'_>, cases: &[&ValidationCase], top: u32) -> Result<(), RenderError> {
    let (low, high) = reach(cases);
    let n_cases = cases.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin_top(top)
        .margin_right(END_WIDTH as u32)
        .margin_bottom(AXIS_HEIGHT)
        .y_label_area_size(LABEL_WIDTH as u32)
        .build_cartesian_2d(low..high, 0.0..n_cases)?;
    for factor in ticks((low, high)) {
        let x = libm::log10(factor);
        let (ink, width) = if factor == 1.0 { (MUTED, 2) } else { (RULE, 1) };
        chart.draw_series([PathElement::new(vec![(x, 0.0), (x, n_cases)], colour(ink).stroke_width(width))])?;
        let (x, y) = chart.backend_coord(&(x, 0.0));
        write(area, &human::factor(factor), &letters(12.0, MUTED, Anchor::Middle), (f64::from(x), f64::from(y) + 12.0))?;
    }
    let (middle, bottom) = (chart.backend_coord(&((low + high) / 2.0, 0.0)), letters(12.0, MUTED, Anchor::Middle));
    write(area, "predicted / measured", &bottom, (f64::from(middle.0), f64::from(middle.1) + 32.0))?;
    for (i, case) in cases.iter().enumerate() {
        let y = n_cases - i as f64 - 0.5;
        let band = [(0.0, y - 0.22), (libm::log10(1.0 + spread(case)), y + 0.22)];
        chart.draw_series([Rectangle::new(band, colour(RULE).filled())])?;
        let x = libm::log10(ratio(case));
        chart.draw_series([PathElement::new(vec![(0.0, y), (x, y)], colour(ink(case)).stroke_width(2))])?;
        chart.draw_series([Circle::new((x, y), 5, colour(ink(case)).filled())])?;
        let middle = f64::from(top) + (i as f64 + 0.5) * PITCH;
        let label = human::fit(&format!("{}  {}", i + 1, short_name(case)), LABEL_WIDTH - 14.0, LETTERS);
        write(area, &label, &letters(LETTERS, TEXT, Anchor::End), (LABEL_WIDTH - 10.0, middle))?;
        let note = match case.verdict.as_str() {
            MEASURED if case.equal => String::new(),
            MEASURED => ", results differ".to_owned(),
            verdict => format!(", {verdict}"),
        };
        let end_label = format!("{}{note}", human::factor(ratio(case)));
        let end_label = human::fit(&end_label, END_WIDTH - 16.0, LETTERS);
        write(area, &end_label, &letters(LETTERS, TEXT, Anchor::Start), (f64::from(WIDTH) - END_WIDTH + 12.0, middle))?;
    }
    Ok(())
}

fn scatter(cases: &[ValidationCase], drawn: &[&ValidationCase]) -> Result<Figure, RenderError> {
    let about = About {
        name: "predicted-measured",
        title: "Predicted against measured time".to_owned(),
        description:
            "Every case as a point, numbered as above, on axes that grow by factors of ten. On the line the prediction is \
                      right; the band around it is 20 % either way; bars show the spread of the measurements."
                .to_owned(),
        table: table(cases),
    };
    Figure::chart(about, 470, |area| draw_scatter(area, drawn))
}

fn draw_scatter(area: &Area<'_>, cases: &[&ValidationCase]) -> Result<(), RenderError> {
    let times = || cases.iter().flat_map(|case| [case.predicted_seconds, case.measured_seconds]).map(|time| time * 1e12);
    let low = times().fold(f64::INFINITY, f64::min) / 1.6;
    let high = times().fold(0.0, f64::max) * 1.6;
    let mut chart = ChartBuilder::on(area)
        .margin_top(10)
        .margin_left(130)
        .margin_right(190)
        .x_label_area_size(AXIS_HEIGHT)
        .y_label_area_size(86)
        .build_cartesian_2d((low..high).log_scale(), (low..high).log_scale())?;
    chart
        .configure_mesh()
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|value| human::time(*value))
        .y_label_formatter(&|value| human::time(*value))
        .bold_line_style(colour(RULE))
        .light_line_style(colour(RULE).mix(0.0))
        .axis_style(colour(MUTED))
        .x_label_style(letters(12.0, MUTED, Anchor::Middle))
        .y_label_style(letters(12.0, MUTED, Anchor::End))
        .axis_desc_style(letters(12.0, MUTED, Anchor::Middle))
        .x_desc("measured")
        .y_desc("predicted")
        .draw()?;
    let band = vec![(low, low), (low / 0.8, low), (high, high * 0.8), (high, high), (high / 1.2, high), (low, low * 1.2)];
    chart.draw_series([Polygon::new(band, colour(MUTED).mix(0.15))])?;
    chart.draw_series([PathElement::new(vec![(low, low), (high, high)], colour(MUTED).stroke_width(2))])?;
    let mut taken: Vec<(i32, i32)> = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        let (x, y) = (case.measured_seconds * 1e12, case.predicted_seconds * 1e12);
        let (from, to) = (x, x * (1.0 + spread(case)));
        chart.draw_series([PathElement::new(vec![(from.max(low), y), (to.min(high), y)], colour(ink(case)).stroke_width(2))])?;
        chart.draw_series([Circle::new((x, y), 5, colour(ink(case)).filled())])?;
        chart.draw_series([Circle::new((x, y), 5, colour(PAPER).stroke_width(1))])?;
        let point = chart.backend_coord(&(x, y));
        // The number stands away from the line; one that would stand on another is left to the table.
        let (place, anchor) =
            if y >= x { ((point.0 - 9, point.1 - 9), Anchor::End) } else { ((point.0 + 9, point.1 + 9), Anchor::Start) };
        if taken.iter().all(|other| (other.0 - place.0).abs() > 18 || (other.1 - place.1).abs() > 13) {
            taken.push(place);
            let number = (i + 1).to_string();
            write(area, &number, &letters(12.0, TEXT, anchor), (f64::from(place.0), f64::from(place.1)))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_case_has_its_error_verdict_and_equality() {
        let figures = figures(&sample::validation()).unwrap();
        assert_eq!(figures.len(), 2);
        let rows = &figures[0].table.rows;
        assert_eq!(rows.len(), 6);
        assert_eq!(rows[0][3], "1.07×");
        // 1.05 ms on one thread, 0.66 ms on two: predicted; 0.98 and 0.71 ms: measured.
        assert_eq!((&rows[1][4][..], &rows[1][5][..]), ("1.59×", "1.38×"));
        assert_eq!((&rows[0][4][..], &rows[2][5][..]), ("–", "–"));
        assert!(rows[5][8].starts_with("differ: 5f0c"), "{:?}", rows[5]);
        assert!(figures[0].svg.contains("wrong result") && figures[0].svg.contains(&ALARM.light.hex()));
    }

    #[test]
    fn the_whole_is_told_in_factors() {
        let text = sentence(&sample::validation()).replace('\u{a0}', " ");
        assert!(text.starts_with("Over 4 judged cases the predictions are off by a factor of 1."), "{text}");
        assert!(text.contains("1.48 at worst (pointer-chase, 1 thread); 2 of them are too slow"), "{text}");
        assert!(alarm(&sample::validation()).unwrap().contains("The likely cause is a data race"));
        assert_eq!(alarm(&sample::validation()[..2]), None);
    }

    #[test]
    fn ticks_have_room_however_far_off_predictions_are() {
        assert_eq!(ticks((-0.05, 0.4)), [1.0, 1.25, 1.5, 2.0]);
        assert_eq!(ticks((-0.35, 2.1)), [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        for span in [0.1, 0.5, 1.0, 2.4, 5.0, 40.0] {
            let ticks = ticks((-span / 4.0, span));
            assert!(ticks.contains(&1.0) && ticks.len() <= 10, "{span}: {ticks:?}");
        }
    }

    #[test]
    fn cases_without_a_time_are_in_the_table_only() {
        let mut cases = sample::validation();
        cases[0].measured_seconds = 0.0;
        cases[0].error = f64::INFINITY;
        cases[1].predicted_seconds = f64::NAN;
        cases[2].error = 1e9;
        cases[2].measured_spread = f64::INFINITY;
        cases[2].predicted_seconds = 1e7;
        let drawn = figures(&cases).unwrap();
        assert!(drawn[0].table.rows.len() == 6 && !drawn[0].svg.contains("NaN"));
        assert!(figures(&cases[..2]).unwrap().is_empty() && figures(&[]).unwrap().is_empty());
    }
}
