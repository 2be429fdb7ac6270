//! Lines over an axis, a point for each value: what experiments are plotted as.
//!
//! ```text
//!   [] uma-bus-16  [] uma-ring-16        legend
//!   speedup
//!    8 |            o-----o
//!    4 |      o----'
//!      1     2     4     8   threads     the values of the axis, where they have room
//! ```

use plotters::prelude::{ChartBuilder, Circle, PathElement};
use plotters::style::Color;

use super::figure::{Anchor, Area, LETTERS, RenderError, WIDTH, colour, draw_legend, legend_height, letters, write};
use super::human;
use super::palette::{Ink, MUTED, PAPER, RULE, SERIES, TEXT};

const PLOT_HEIGHT: u32 = 340;
const AXIS_HEIGHT: u32 = 48;
const LABEL_WIDTH: u32 = 78;
const MARGIN: u32 = 30;

/// A value of the axis along x: where it lies, and what is written there.
#[derive(Clone, Debug)]
pub struct Tick {
    pub at: f64,
    pub label: String,
}

/// One line: a figure for each value of the axis, where there is one.
#[derive(Clone, Debug)]
pub struct Line {
    pub label: String,
    pub values: Vec<Option<f64>>,
}

/// All lines with their axes.
pub struct Lines {
    pub ticks: Vec<Tick>,
    pub lines: Vec<Line>,
    /// What would be ideal, drawn thin and named so.
    pub ideal: Option<Vec<f64>>,
    pub x: String,
    /// With its unit.
    pub y: String,
    /// Whether the axes are logarithmic.
    pub log: (bool, bool),
}

/// From values to places on an axis.
#[derive(Clone, Copy)]
struct Scale {
    log: bool,
    low: f64,
    high: f64,
}

impl Scale {
    fn new(log: bool, values: impl Iterator<Item = f64>, from_zero: bool) -> Scale {
        let values: Vec<f64> = values.filter(|value| value.is_finite() && (!log || *value > 0.0)).collect();
        let place = |value: f64| if log { libm::log10(value) } else { value };
        let low = values.iter().copied().map(place).fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().map(place).fold(f64::NEG_INFINITY, f64::max);
        if low > high {
            return Scale { log: false, low: 0.0, high: 1.0 };
        }
        let (low, high) = if from_zero && !log { (low.min(0.0), high.max(0.0)) } else { (low, high) };
        if high > low { Scale { log, low, high } } else { Scale { log, low: low - 0.5, high: high + 0.5 } }
    }

    /// With room on both sides, as a share of the axis; none below 0 where it begins there.
    fn with_room(self, room: f64) -> Scale {
        let room = room * (self.high - self.low);
        Scale { low: if self.low == 0.0 && !self.log { 0.0 } else { self.low - room }, high: self.high + room, ..self }
    }

    fn place(self, value: f64) -> Option<f64> {
        match self.log {
            false => Some(value),
            true if value > 0.0 => Some(libm::log10(value)),
            true => None,
        }
    }

    /// Round values to write beside the axis.
    fn ticks(self) -> Vec<f64> {
        if self.log {
            let decades = libm::floor(self.low) as i32..=libm::ceil(self.high) as i32;
            let every = (libm::ceil((self.high - self.low) / 6.0) as i32).max(1);
            let steps: &[f64] = if self.high - self.low <= 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
            let decades = decades.filter(|decade| decade.rem_euclid(every) == 0);
            let values = decades.flat_map(|decade| steps.iter().map(move |step| step * libm::pow(10.0, f64::from(decade))));
            return values.filter(|value| (self.low..=self.high).contains(&libm::log10(*value))).collect();
        }
        let rough = (self.high - self.low) / 6.0;
        let power = libm::pow(10.0, libm::floor(libm::log10(rough)));
        let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let first = libm::ceil(self.low / step) as i64;
        (first..).map(|n| n as f64 * step).take_while(|value| *value <= self.high).take(20).collect()
    }
}

/// The colour of a line, and whether its points are filled: beyond the colours there are, points are hollow.
fn style(number: usize) -> (Ink, bool) {
    (SERIES[number % SERIES.len()], number < SERIES.len())
}

impl Lines {
    fn legend(&self) -> Vec<(Ink, String)> {
        let lines = self.lines.iter().enumerate().filter(|(_, line)| !line.label.is_empty());
        let own = lines.map(|(number, line)| (style(number).0, human::fit(&line.label, f64::from(WIDTH) - 60.0, LETTERS)));
        own.chain(self.ideal.iter().map(|_| (RULE, "ideal".to_owned()))).collect()
    }

    /// The height of the whole chart in pixels.
    pub fn height(&self) -> u32 {
        legend_height(&self.legend()) + PLOT_HEIGHT + AXIS_HEIGHT + MARGIN
    }

    /// Draws the chart on an area of [`Lines::height`].
    pub fn draw(&self, area: &Area<'_>) -> Result<(), RenderError> {
        let legend = self.legend();
        draw_legend(area, &legend)?;
        let top = legend_height(&legend);
        let x = Scale::new(self.log.0, self.ticks.iter().map(|tick| tick.at), false).with_room(0.04);
        let values = self.lines.iter().flat_map(|line| line.values.iter().flatten().copied());
        let y = Scale::new(self.log.1, values.chain(self.ideal.iter().flatten().copied()), true).with_room(0.05);
        let mut chart = ChartBuilder::on(area)
            .margin_top(top + MARGIN)
            .margin_right(MARGIN)
            .x_label_area_size(AXIS_HEIGHT)
            .y_label_area_size(LABEL_WIDTH)
            .build_cartesian_2d(x.low..x.high, y.low..y.high)?;
        for value in y.ticks() {
            let Some(at) = y.place(value) else { continue };
            chart.draw_series([PathElement::new(vec![(x.low, at), (x.high, at)], colour(RULE))])?;
            let place = chart.backend_coord(&(x.low, at));
            let label = human::digits(value);
            write(area, &label, &letters(12.0, MUTED, Anchor::End), (f64::from(place.0) - 8.0, f64::from(place.1)))?;
        }
        self.draw_ticks(area, x, |at| chart.backend_coord(&(at, y.low)))?;
        write(
            area,
            &human::fit(&self.y, f64::from(WIDTH) - 20.0, LETTERS),
            &letters(LETTERS, TEXT, Anchor::Start),
            (10.0, f64::from(top) + 12.0),
        )?;
        chart.draw_series([PathElement::new(vec![(x.low, y.low), (x.high, y.low)], colour(MUTED))])?;
        if let Some(ideal) = &self.ideal {
            let places = self.places(ideal.iter().map(|value| Some(*value)), x, y);
            chart
                .draw_series([PathElement::new(places.into_iter().flatten().collect::<Vec<_>>(), colour(RULE).stroke_width(2))])?;
        }
        for (number, line) in self.lines.iter().enumerate() {
            let (ink, filled) = style(number);
            let places = self.places(line.values.iter().copied(), x, y);
            // What is not there breaks the line.
            for piece in places.split(Option::is_none).filter(|piece| piece.len() > 1) {
                let piece: Vec<(f64, f64)> = piece.iter().flatten().copied().collect();
                chart.draw_series([PathElement::new(piece, colour(ink).stroke_width(2))])?;
            }
            let points: Vec<(f64, f64)> = places.into_iter().flatten().collect();
            chart.draw_series(points.iter().map(|&point| Circle::new(point, 5, colour(ink).filled())))?;
            if !filled {
                chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour(PAPER).filled())))?;
            }
        }
        Ok(())
    }

    /// Where a line's points lie.
    fn places(&self, values: impl Iterator<Item = Option<f64>>, x: Scale, y: Scale) -> Vec<Option<(f64, f64)>> {
        self.ticks.iter().zip(values).map(|(tick, value)| Some((x.place(tick.at)?, y.place(value?)?))).collect()
    }

    /// Writes the values of the axis as far as they have room, and its name.
    fn draw_ticks(&self, area: &Area<'_>, x: Scale, coordinate: impl Fn(f64) -> (i32, i32)) -> Result<(), RenderError> {
        let mut free_from = f64::NEG_INFINITY;
        for tick in &self.ticks {
            let Some(at) = x.place(tick.at) else { continue };
            let (across, down) = coordinate(at);
            let label = human::fit(&tick.label, 160.0, 12.0);
            let half = human::text_width(&label, 12.0) / 2.0;
            if f64::from(across) - half < free_from {
                continue;
            }
            free_from = f64::from(across) + half + 8.0;
            write(area, &label, &letters(12.0, MUTED, Anchor::Middle), (f64::from(across), f64::from(down) + 14.0))?;
        }
        let (middle, bottom) = coordinate((x.low + x.high) / 2.0);
        write(area, &self.x, &letters(LETTERS, TEXT, Anchor::Middle), (f64::from(middle), f64::from(bottom) + 35.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::{About, Figure, Table};

    fn draw(lines: &Lines) -> String {
        let about = About { name: "plot", title: String::new(), description: String::new(), table: Table::new("", &[]) };
        Figure::chart(about, lines.height(), |area| lines.draw(area)).unwrap().svg
    }

    fn lines(values: Vec<Option<f64>>, log: (bool, bool)) -> Lines {
        let ticks = (0..values.len()).map(|n| Tick { at: f64::from(1 << n), label: (1 << n).to_string() }).collect();
        let line = Line { label: "a line".to_owned(), values };
        Lines { ticks, lines: vec![line], ideal: None, x: "threads".to_owned(), y: "speedup".to_owned(), log }
    }

    #[test]
    fn axes_have_round_values() {
        let ticks = |log, low, high| Scale { log, low, high }.ticks();
        assert_eq!(ticks(false, 0.0, 8.0), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(ticks(false, -1.0, 0.25), [-1.0, -0.5, 0.0]);
        assert_eq!(ticks(true, 0.0, 1.0), [1.0, 2.0, 5.0, 10.0]);
        assert_eq!(ticks(true, 0.0, 12.0).len(), 7);
    }

    #[test]
    fn a_point_for_each_value_and_a_gap_for_none() {
        let svg = draw(&lines(vec![Some(1.0), Some(2.0), None, Some(3.0)], (true, false)));
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("a line") && svg.contains(">\nspeedup\n"), "{svg}");
    }

    #[test]
    fn whatever_the_values_a_chart_is_drawn() {
        for values in
            [vec![None], vec![Some(0.0)], vec![Some(-3.0), Some(1e300)], vec![Some(5.0); 9], vec![Some(1e-300), Some(1e-9)]]
        {
            for log in [(false, false), (true, true)] {
                let svg = draw(&lines(values.clone(), log));
                assert!(svg.contains("<svg") && !svg.contains("NaN") && svg.len() < 50_000, "{values:?}");
            }
        }
        let many = Lines {
            lines: (0..20).map(|n| Line { label: n.to_string(), values: vec![Some(f64::from(n)); 2] }).collect(),
            ..lines(vec![None, None], (false, false))
        };
        assert_eq!(draw(&many).matches("<circle").count(), 20 * 2 + 12 * 2);
    }
}
