//! How busy the shared parts were over time: a strip for each timeline, from the start of the measured pass to its end.

use plotters::prelude::{ChartBuilder, Color, LineSeries, Polygon};

use super::facts::Facts;
use super::figure::{About, Anchor, Area, Figure, LETTERS, RenderError, Table, WIDTH, colour, letters, write};
use super::human;
use super::palette::{ACCENT, MUTED, RULE, TEXT};

/// At most so many strips.
const MOST_STRIPS: usize = 8;
/// At most so many steps in a strip: more are averaged.
const MOST_STEPS: usize = 300;
const STRIP_HEIGHT: u32 = 120;
const AXIS_HEIGHT: u32 = 46;

/// Busy shares that are numbers from 0 to 1, averaged down to what can be seen.
fn steps(values: &[f64]) -> Vec<f64> {
    let together = values.len().div_ceil(MOST_STEPS).max(1);
    let sound = |value: &f64| if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 };
    values.chunks(together).map(|chunk| chunk.iter().map(sound).sum::<f64>() / chunk.len() as f64).collect()
}

fn mean(values: &[f64]) -> f64 {
    steps(values).iter().sum::<f64>() / steps(values).len().max(1) as f64
}

fn table<'a>(timelines: impl Iterator<Item = (&'a String, &'a Vec<f64>)>, time_ps: u64) -> Table {
    let mut table =
        Table::new("How busy each part was", &["part", "on average#", "at its busiest#", "which was at#", "time above 90 %#"]);
    for (name, values) in timelines {
        let steps = steps(values);
        let (at, peak) =
            steps.iter().enumerate().fold((0, 0.0), |best, (i, &value)| if value > best.1 { (i, value) } else { best });
        let above = steps.iter().filter(|value| **value > 0.9).count() as f64 / steps.len().max(1) as f64;
        let instant = at as f64 / steps.len().max(1) as f64 * time_ps as f64;
        table.row(vec![
            name.clone(),
            human::percent(mean(values)),
            human::percent(peak),
            human::time(instant),
            human::percent(above),
        ]);
    }
    table
}

/// Busy shares over time; `None` where the record has no timelines.
pub fn figure(facts: &Facts<'_>) -> Result<Option<Figure>, RenderError> {
    let time_ps = facts.record.time_ps;
    let timelines = || facts.record.timelines.iter().filter(|(_, values)| !values.is_empty());
    let n_timelines = timelines().count();
    if n_timelines == 0 || time_ps == 0 {
        return Ok(None);
    }
    let mut shown: Vec<_> = timelines().collect();
    if n_timelines > MOST_STRIPS {
        // Those that were busiest, in the order of the record.
        let mut busiest: Vec<usize> = (0..n_timelines).collect();
        busiest.sort_by(|&a, &b| mean(shown[b].1).total_cmp(&mean(shown[a].1)).then(a.cmp(&b)));
        busiest.truncate(MOST_STRIPS);
        busiest.sort_unstable();
        shown = busiest.into_iter().map(|place| shown[place]).collect();
    }
    let left_out = match n_timelines - shown.len() {
        0 => String::new(),
        n => format!(" The table has {} more.", human::plural(n, "part")),
    };
    let means: Vec<String> = shown.iter().map(|(name, values)| format!("{name} {}", human::percent(mean(values)))).collect();
    let about = About {
        name: "utilisation",
        title: "How busy the shared parts were".to_owned(),
        description: format!("The busy share over the time of the run. On average: {}.{left_out}", means.join(", ")),
        table: table(timelines(), time_ps),
    };
    let height = shown.len() as u32 * STRIP_HEIGHT + AXIS_HEIGHT - 14;
    Figure::chart(about, height, |area| {
        let breaks: Vec<i32> = (1..shown.len() as i32).map(|i| i * STRIP_HEIGHT as i32).collect();
        let strips = area.split_by_breakpoints::<i32, i32, _, _>(&[], &breaks);
        for (i, (strip, (name, values))) in strips.iter().zip(&shown).enumerate() {
            let last = i + 1 == shown.len();
            draw_strip(strip, values, time_ps as f64, last)?;
            let caption = format!("{name}: {} busy on average", human::percent(mean(values)));
            let caption = human::fit(&caption, f64::from(WIDTH) - 80.0, LETTERS);
            let y = i as f64 * f64::from(STRIP_HEIGHT) + 11.0;
            write(area, &caption, &letters(LETTERS, TEXT, Anchor::Start), (56.0, y))?;
        }
        Ok(())
    })
    .map(Some)
}

/// Draws one strip; the last one has the axis of time.
fn draw_strip(strip: &Area<'_>, values: &[f64], time_ps: f64, last: bool) -> Result<(), RenderError> {
    let unit = human::time_unit(time_ps);
    let end = time_ps / unit.picoseconds;
    let mut chart = ChartBuilder::on(strip)
        .margin_top(22)
        .margin_right(24)
        .margin_bottom(if last { 0 } else { 14 })
        .x_label_area_size(if last { AXIS_HEIGHT } else { 0 })
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, 0.0..100.0)?;
    let axis = format!("time ({})", unit.name);
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh()
        .x_labels(if last { 8 } else { 0 })
        .y_labels(3)
        .x_label_formatter(&|value| human::digits(*value))
        .y_label_formatter(&|value| format!("{value:.0} %"))
        .bold_line_style(colour(RULE))
        .light_line_style(colour(RULE).mix(0.0))
        .axis_style(colour(MUTED))
        .x_label_style(letters(12.0, MUTED, Anchor::Middle))
        .y_label_style(letters(12.0, MUTED, Anchor::End))
        .axis_desc_style(letters(12.0, MUTED, Anchor::Middle));
    if last {
        mesh.x_desc(&axis);
    }
    mesh.draw()?;
    let steps = steps(values);
    let at = |i: usize| i as f64 / steps.len() as f64 * end;
    let outline: Vec<(f64, f64)> =
        steps.iter().enumerate().flat_map(|(i, value)| [(at(i), value * 100.0), (at(i + 1), value * 100.0)]).collect();
    let mut area = vec![(0.0, 0.0)];
    area.extend(&outline);
    area.push((end, 0.0));
    chart.draw_series([Polygon::new(area, colour(ACCENT).mix(0.25))])?;
    chart.draw_series(LineSeries::new(outline, &colour(ACCENT)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_table_has_mean_and_peak() {
        let mut record = sample::record(1);
        record.timelines.clear();
        record.timelines.insert("node[0].interconnect".to_owned(), vec![0.0, 0.5, 1.0, 0.5]);
        record.time_ps = 4_000_000;
        let figure = figure(&Facts::of(&record)).unwrap().unwrap();
        let row: Vec<String> = figure.table.rows[0].iter().map(|cell| cell.replace('\u{a0}', " ")).collect();
        assert_eq!(row, ["node[0].interconnect", "50.0 %", "100 %", "2 µs", "25.0 %"]);
    }

    #[test]
    fn odd_timelines_are_drawn_or_left_out_but_never_hurt() {
        let mut record = sample::record(1);
        record.timelines.clear();
        assert!(figure(&Facts::of(&record)).unwrap().is_none());
        record.timelines.insert("none".to_owned(), Vec::new());
        record.timelines.insert("odd".to_owned(), vec![f64::NAN, f64::INFINITY, -3.0, 9.0]);
        record.timelines.insert("long".to_owned(), vec![0.25; 100_000]);
        (0..20).for_each(|i| drop(record.timelines.insert(format!("part {i}"), vec![0.1])));
        let figure = figure(&Facts::of(&record)).unwrap().unwrap();
        assert_eq!(figure.table.rows.len(), 22);
        assert!(figure.svg.len() < 200_000 && !figure.svg.contains("NaN"));
    }
}
