//! A protocol's counterexample as a sequence chart: agents, bus and memory as lines of life, time downwards, a step a row.
//!
//! ```text
//!   step   agent 0    agent 1     bus     memory
//!     1     [I -> IS_A]---------->|          |       agent 0 reads the line: asks for BusRd
//!     2       |         |<--------|          |       agent 1 sees BusRd of the line
//! ```

use super::figure::{About, Anchor, Figure, Table, WIDTH};
use super::human;
use super::palette::{ACCENT, ALARM, Ink, MUTED, PANEL, PAPER, RULE, TEXT};
use super::svg::{Letters, Rect, Svg};
use crate::coherence::explore::{Change, ChartStep, Counterexample, Lane};

const TOP: f64 = 44.0;
const ROW: f64 = 26.0;
const LEFT: f64 = 40.0;
/// Where the sentences begin.
const SENTENCES: f64 = 530.0;
const ARROW_HEAD: f64 = 5.0;
const BADGE_HEIGHT: f64 = 17.0;
const SIZE: f64 = 11.0;

fn letters(ink: Ink, anchor: Anchor, bold: bool) -> Letters {
    Letters { size: SIZE, ink, anchor, bold }
}

/// The chart of how a protocol goes wrong.
pub fn sequence(protocol: &str, counterexample: &Counterexample) -> Figure {
    let height = TOP + ROW * counterexample.steps.len() as f64 + 40.0;
    let mut chart = Chart { counterexample, svg: Svg::new(WIDTH, height as u32) };
    chart.lanes(height - 40.0);
    for (number, step) in counterexample.steps.iter().enumerate() {
        chart.step(number, step);
    }
    let end = (LEFT, height - 14.0);
    chart.svg.text(end, &counterexample.wrong, f64::from(WIDTH) - 2.0 * LEFT, letters(ALARM, Anchor::Start, true));
    let about = About {
        name: "counterexample",
        title: format!("How {protocol} goes wrong"),
        description: format!(
            "A sequence chart of {} steps, from the first access down to the fault. An arrow is something sent or answered, a box a line's \
             state before and after the step; (old) marks a copy that misses a write. In the end: {}.",
            counterexample.steps.len(),
            counterexample.wrong
        ),
        table: table(counterexample),
    };
    Figure::picture(about, chart.svg)
}

fn table(counterexample: &Counterexample) -> Table {
    let columns = ["step#".to_owned()].into_iter().chain(counterexample.headings()).chain(["what happens".to_owned()]);
    let mut table = Table::with_columns("Each step, and what stands at agents, bus and memory after it", columns);
    for (number, step) in counterexample.steps.iter().enumerate() {
        let mut cells = vec![(number + 1).to_string()];
        cells.extend(step.cells.iter().cloned());
        cells.push(step.what.clone());
        table.row(cells);
    }
    table
}

struct Chart<'a> {
    counterexample: &'a Counterexample,
    svg: Svg,
}

impl Chart<'_> {
    fn spacing(&self) -> f64 {
        (SENTENCES - LEFT) / self.counterexample.headings().len() as f64
    }

    fn x(&self, lane: Lane) -> f64 {
        LEFT + self.spacing() * (self.counterexample.column(lane) as f64 + 0.5)
    }

    /// The lines of life, with what they stand for.
    fn lanes(&mut self, bottom: f64) {
        for (column, heading) in self.counterexample.headings().iter().enumerate() {
            let x = LEFT + self.spacing() * (column as f64 + 0.5);
            self.svg.text((x, TOP - 24.0), heading, self.spacing(), letters(TEXT, Anchor::Middle, true));
            self.svg.line((x, TOP - 16.0), (x, bottom), RULE, 1.5);
        }
    }

    fn step(&mut self, number: usize, step: &ChartStep) {
        let y = TOP + ROW * (number as f64 + 0.5);
        self.svg.open(&step.what);
        self.svg.text((LEFT - 14.0, y + 4.0), &(number + 1).to_string(), LEFT, letters(MUTED, Anchor::End, false));
        if step.from != step.to {
            let badge = step.changes.iter().find(|change| change.lane == step.to);
            let margin = badge.map_or(0.0, |change| self.badge_width(change) / 2.0);
            let (from, to) = (self.x(step.from), self.x(step.to));
            self.arrow(from, to - margin * (to - from).signum(), y);
        } else {
            let x = self.x(step.from);
            self.svg.rect(Rect { x: x - 3.0, y: y - 3.0, width: 6.0, height: 6.0 }, 3.0, ACCENT, None);
        }
        for change in &step.changes {
            self.badge(change, y);
        }
        let room = f64::from(WIDTH) - SENTENCES - 8.0;
        self.svg.text((SENTENCES, y + 4.0), &step.what, room, letters(TEXT, Anchor::Start, false));
        self.svg.close();
    }

    fn arrow(&mut self, from: f64, to: f64, y: f64) {
        let back = if to > from { -ARROW_HEAD } else { ARROW_HEAD };
        self.svg.line((from, y), (to, y), ACCENT, 1.5);
        for side in [-ARROW_HEAD, ARROW_HEAD] {
            self.svg.line((to + 1.6 * back, y + 0.7 * side), (to, y), ACCENT, 1.5);
        }
    }

    fn badge_text(&self, change: &Change) -> String {
        let named = if change.line == 0 { "a: " } else { "b: " };
        let name = if self.counterexample.lines == 1 { "" } else { named };
        format!("{name}{} → {}", change.from, change.to)
    }

    fn badge_width(&self, change: &Change) -> f64 {
        (self.spacing() - 6.0).min(14.0 + human::text_width(&self.badge_text(change), SIZE))
    }

    /// A line's state before and after, on the lane of whose it is.
    fn badge(&mut self, change: &Change, y: f64) {
        let (text, width, x) = (self.badge_text(change), self.badge_width(change), self.x(change.lane));
        let rect = Rect { x: x - width / 2.0, y: y - BADGE_HEIGHT / 2.0, width, height: BADGE_HEIGHT };
        let is_old = matches!(change.lane, Lane::Agent(_)) && change.to.ends_with("(old)");
        let outline = if is_old { ALARM } else { RULE };
        self.svg.rect(rect, 4.0, if is_old { PAPER } else { PANEL }, Some(outline));
        self.svg.text((x, y + 4.0), &text, width - 4.0, letters(TEXT, Anchor::Middle, false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::SourceText;
    use crate::coherence::explore::{Scope, explore};
    use crate::coherence::load::load;

    #[test]
    fn a_chart_shows_every_step_and_what_is_wrong() {
        let text = include_str!("../../models/protocols/msi.toml");
        let broken = text.replacen("bus_rdx = { next = \"I\", do = [\"flush\"] }", "bus_rdx = { next = \"I\" }", 1);
        assert_ne!(text, broken);
        let protocol = load(&SourceText::new("broken.toml", broken)).unwrap();
        let counterexample = explore(&protocol, Scope::new(2, 1)).counterexample.unwrap();
        let figure = sequence(&protocol.name, &counterexample);
        assert_eq!(figure.table.rows.len(), counterexample.steps.len());
        assert!(figure.svg.contains("no copy of what was written last"));
        insta::assert_snapshot!(figure.svg);
    }
}
