//! The chart most figures are: horizontal bars, one under the other, each made of coloured segments, over a common axis.
//!
//! ```text
//!   [] base  [] queue                       legend
//!   core 0  |#######====|        1.2 ms     label, segments, what stands at the end
//!   core 1  |#####==|            0.9 ms
//!           0     0.5     1.0 ms            axis
//! ```

use plotters::prelude::{ChartBuilder, Color, Rectangle};

use super::figure::{Anchor, Area, LETTERS, RenderError, WIDTH, colour, draw_legend, legend_height, letters, write};
use super::human;
use super::palette::{Ink, MUTED, PAPER, RULE, TEXT};

/// A part of a bar.
pub struct Segment {
    /// In the unit of the axis.
    pub value: f64,
    pub fill: Ink,
    /// Letters on the fill.
    pub on: Ink,
    /// Written on the segment: the first of these that it is wide enough for.
    pub labels: Vec<String>,
}

/// One bar.
pub struct Bar {
    pub label: String,
    pub segments: Vec<Segment>,
    /// Written behind the bar.
    pub end: String,
}

/// All bars with their axis.
pub struct Bars {
    pub bars: Vec<Bar>,
    pub legend: Vec<(Ink, String)>,
    /// What the axis measures, with its unit.
    pub axis: String,
    /// Where the axis ends, in its unit.
    pub end: f64,
}

const AXIS_HEIGHT: u32 = 46;
/// Pixels around labels.
const GAP: f64 = 10.0;
const WIDEST_LABEL: f64 = 250.0;
/// From a line of a label to the next.
const LABEL_LEADING: f64 = 15.0;

impl Bars {
    /// Pixels from a bar to the next, and of a bar itself.
    fn pitch(&self) -> (u32, u32) {
        match self.bars.len() {
            ..=20 if self.bars.iter().any(|bar| self.label_lines(bar).len() > 1) => (40, 24),
            ..=20 => (30, 22),
            _ => (20, 15),
        }
    }

    /// The label in one line, or in two where there is room for two.
    fn label_lines(&self, bar: &Bar) -> Vec<String> {
        human::lines(&bar.label, WIDEST_LABEL, LETTERS, if self.bars.len() <= 20 { 2 } else { 1 })
    }

    /// The height of the whole chart in pixels.
    pub fn height(&self) -> u32 {
        legend_height(&self.legend) + self.bars.len() as u32 * self.pitch().0 + AXIS_HEIGHT
    }

    fn label_width(&self) -> f64 {
        let widest = self.bars.iter().map(|bar| human::text_width(&bar.label, LETTERS)).fold(0.0, f64::max);
        widest.min(WIDEST_LABEL) + 1.6 * GAP
    }

    fn end_width(&self) -> f64 {
        // At least room for the half of the last number of the axis that stands right of it.
        let widest = self.bars.iter().map(|bar| human::text_width(&bar.end, LETTERS)).fold(20.0, f64::max);
        widest.min(WIDEST_LABEL) + 2.0 * GAP
    }

    /// Draws the chart on an area of [`Bars::height`].
    pub fn draw(&self, area: &Area<'_>) -> Result<(), RenderError> {
        draw_legend(area, &self.legend)?;
        let (pitch, thickness) = self.pitch();
        let end = if self.end.is_finite() && self.end > 0.0 { self.end } else { 1.0 };
        let top = legend_height(&self.legend);
        let mut chart = ChartBuilder::on(area)
            .margin_top(top)
            .margin_right(self.end_width() as u32)
            .x_label_area_size(AXIS_HEIGHT)
            .y_label_area_size(self.label_width() as u32)
            .build_cartesian_2d(0.0..end, 0.0..1.0)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(0)
            .x_labels(8)
            .x_label_formatter(&|value| human::digits(*value))
            .bold_line_style(colour(RULE))
            .light_line_style(colour(RULE).mix(0.0))
            .axis_style(colour(MUTED))
            .label_style(letters(12.0, MUTED, Anchor::Middle))
            .axis_desc_style(letters(12.0, MUTED, Anchor::Middle))
            .x_desc(&self.axis)
            .draw()?;
        let (range, _) = chart.plotting_area().get_pixel_range();
        let (left, width) = (f64::from(range.start), f64::from(range.end - range.start));
        for (i, bar) in self.bars.iter().enumerate() {
            let y = f64::from(top + i as u32 * pitch + (pitch - thickness) / 2);
            self.draw_bar(area, bar, (left, width / end), y, f64::from(thickness))?;
        }
        Ok(())
    }

    /// Draws a bar from `left` on, `scale` pixels to a unit.
    fn draw_bar(&self, area: &Area<'_>, bar: &Bar, (left, scale): (f64, f64), y: f64, thickness: f64) -> Result<(), RenderError> {
        let middle = y + thickness / 2.0;
        let lines = self.label_lines(bar);
        for (i, line) in lines.iter().enumerate() {
            let y = middle + LABEL_LEADING * (i as f64 - (lines.len() - 1) as f64 / 2.0);
            write(area, line, &letters(LETTERS, TEXT, Anchor::End), (left - GAP, y))?;
        }
        let mut value = 0.0;
        for segment in &bar.segments {
            let from = left + value * scale;
            value += segment.value;
            let to = left + value * scale;
            let corners = [(from.round() as i32, y as i32), (to.round() as i32, (y + thickness) as i32)];
            if corners[1].0 > corners[0].0 {
                area.draw(&Rectangle::new(corners, colour(segment.fill).filled()))?;
            }
            if to - from > 6.0 {
                // Neighbours are told apart by more than their colours.
                area.draw(&Rectangle::new(corners, colour(PAPER)))?;
            }
            if let Some(label) = segment.labels.iter().find(|label| to - from > human::text_width(label, 12.0) + 8.0) {
                write(area, label, &letters(12.0, segment.on, Anchor::Middle), ((from + to) / 2.0, middle))?;
            }
        }
        let room = (f64::from(WIDTH) - (left + value * scale) - GAP).max(0.0);
        let end = human::fit(&bar.end, room, LETTERS);
        write(area, &end, &letters(LETTERS, TEXT, Anchor::Start), (left + value * scale + 8.0, middle))
    }
}
