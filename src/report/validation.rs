//! Predictions beside what the host did: how far off each was, and how far the measurements themselves spread.

use plotters::prelude::{ChartBuilder, Circle, Color, IntoLogRange, PathElement, Polygon, Rectangle};

use super::figure::{
    About, Anchor, Area, Figure, LETTERS, RenderError, Table, WIDTH, colour, draw_legend, legend_height, letters, write,
};
use super::human;
use super::palette::{ACCENT, ALARM, Ink, MUTED, PAPER, RULE, TEXT};
use crate::experiment::record::ValidationCase;
use crate::experiment::validate::summary;

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
    [case.predicted_seconds, case.measured_seconds].iter().all(|time| time.is_finite() && *time > 0.0) && case.error.is_finite()
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

/// How the predictions did as a whole.
pub fn sentence(cases: &[ValidationCase]) -> String {
    let summary = summary(cases);
    let n_judged = cases.iter().filter(|case| case.verdict == MEASURED).count();
    let errors = match n_judged {
        0 => "No case was measured well enough to be judged.".to_owned(),
        n => format!(
            "Over {} the error is {} in the median, {} on average and {} at worst; the average with its sign is {}.",
            human::plural(n, "judged case"),
            human::percent(summary.median_error),
            human::percent(summary.mean_error),
            human::percent(summary.worst_error),
            human::signed_percent(summary.bias)
        ),
    };
    let noisy = match summary.inconclusive {
        0 => String::new(),
        n => format!(" {} too noisy on this computer to say.", if n == 1 { "One is".to_owned() } else { format!("{n} are") }),
    };
    let results = match summary.unequal {
        0 => "Simulator and host computed equal results in every case.".to_owned(),
        n => format!("In {} the results differ, which is a fault.", human::plural(n, "case")),
    };
    format!("{errors}{noisy} {results}")
}

/// Every case as numbers.
pub fn table(cases: &[ValidationCase]) -> Table {
    let columns = ["case", "predicted#", "measured#", "spread#", "error#", "verdict", "results"];
    let mut table = Table::new("Predicted and measured", &columns);
    for case in cases {
        let results = if case.equal {
            format!("equal ({})", case.checksum_simulated)
        } else {
            format!("differ: {} simulated, {} host", case.checksum_simulated, case.checksum_host)
        };
        table.row(vec![
            name(case),
            seconds(case.predicted_seconds),
            seconds(case.measured_seconds),
            human::percent(case.measured_spread),
            human::signed_percent(case.error),
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
    let worst = judged.max_by(|a, b| a.error.abs().total_cmp(&b.error.abs()));
    let worst = worst.map_or(String::new(), |case| {
        format!(" The farthest off is {} with {}.", short_name(case), human::signed_percent(case.error))
    });
    let about = About {
        name: "prediction-errors",
        title: "How far off each prediction was".to_owned(),
        description: format!(
            "A row for every case. The point is the error of the prediction: right of the middle it was too slow, left of it too \
             fast. The band is the middle half of the measurements; it begins at zero because errors count from their lower \
             quartile. A prediction within the band cannot be told from noise.{worst}"
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

fn draw_errors(area: &Area<'_>, cases: &[&ValidationCase], top: u32) -> Result<(), RenderError> {
    let reach = |case: &&ValidationCase| case.error.abs().max(spread(case));
    // Beyond 200 % a point stands at the edge: its number is beside it.
    let end = cases.iter().map(reach).fold(0.1, f64::max).min(2.0) * 105.0;
    let mut chart = ChartBuilder::on(area)
        .margin_top(top)
        .margin_right(END_WIDTH as u32)
        .x_label_area_size(AXIS_HEIGHT)
        .y_label_area_size(LABEL_WIDTH as u32)
        .build_cartesian_2d(-end..end, 0.0..cases.len() as f64)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(0)
        .x_labels(9)
        .x_label_formatter(&|value| if *value == 0.0 { "0".to_owned() } else { human::signed(*value, 0) })
        .bold_line_style(colour(RULE))
        .light_line_style(colour(RULE).mix(0.0))
        .axis_style(colour(MUTED))
        .label_style(letters(12.0, MUTED, Anchor::Middle))
        .axis_desc_style(letters(12.0, MUTED, Anchor::Middle))
        .x_desc("predicted / measured − 1")
        .draw()?;
    let n_cases = cases.len() as f64;
    chart.draw_series([PathElement::new(vec![(0.0, 0.0), (0.0, n_cases)], colour(MUTED).stroke_width(2))])?;
    for (i, case) in cases.iter().enumerate() {
        let y = n_cases - i as f64 - 0.5;
        let band = [(0.0, y - 0.22), ((spread(case) * 100.0).min(end), y + 0.22)];
        chart.draw_series([Rectangle::new(band, colour(RULE).filled())])?;
        let x = (case.error * 100.0).clamp(-end, end);
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
        let end_label = format!("{}{note}", human::signed_percent(case.error));
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
        assert_eq!(rows[0][4].replace('\u{a0}', " "), "+7.1 %");
        assert!(rows[5][6].starts_with("differ: 5f0c"), "{:?}", rows[5]);
        assert!(figures[0].svg.contains("wrong result") && figures[0].svg.contains(&ALARM.light.hex()));
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
