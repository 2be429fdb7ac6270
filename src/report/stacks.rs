//! Cycle stacks: where each core's time went, as bars that add up to the time of the run (Eyerman et al., "A Performance Counter
//! Architecture for Computing Accurate CPI Components", ASPLOS 2006, gave such stacks to single cores).

use super::bars::{Bar, Bars, Segment};
use super::facts::{Facts, Stack};
use super::figure::{About, Figure, RenderError, Table};
use super::human;
use super::palette::{Ink, OWNERS, Owner};

/// At most so many bars: more cores are drawn as averages of neighbours.
const MOST_BARS: usize = 32;

/// The segments of a stack, each value times `scale`, labelled with owner and share of `whole`.
pub fn segments(stack: &Stack, scale: f64, whole: f64) -> Vec<Segment> {
    stack
        .parts()
        .map(|(owner, time_ps)| Segment {
            value: time_ps * scale,
            fill: owner.fill,
            on: owner.on,
            labels: vec![format!("{} {}", owner.label, human::percent(time_ps / whole)), human::percent(time_ps / whole)],
        })
        .collect()
}

/// The owners that any of these stacks has, in order.
pub fn owners<'a>(stacks: impl IntoIterator<Item = &'a Stack>) -> Vec<&'static Owner> {
    let sum = Stack::mean(stacks);
    OWNERS.iter().filter(|owner| sum.of(owner.key) > 0.0).collect()
}

/// The legend for those owners.
pub fn legend(owners: &[&'static Owner]) -> Vec<(Ink, String)> {
    owners.iter().map(|owner| (owner.fill, owner.label.to_owned())).collect()
}

/// A table of stacks: a row each, a column for every owner that any of them has.
pub fn table(caption: &str, first: &str, stacks: &[(String, Stack)]) -> Table {
    let owners = owners(stacks.iter().map(|(_, stack)| stack));
    let names = owners.iter().map(|owner| format!("{}#", owner.label));
    let mut table = Table::with_columns(caption, [first.to_owned()].into_iter().chain(names).chain(["total#".to_owned()]));
    for (name, stack) in stacks {
        let cells = owners.iter().map(|owner| match stack.of(owner.key) {
            0.0 => "0".to_owned(),
            time_ps => format!("{} ({})", human::time(time_ps), human::percent(time_ps / stack.total())),
        });
        table.row([name.clone()].into_iter().chain(cells).chain([human::time(stack.total())]).collect());
    }
    table
}

/// The stacks to draw: one a core, or averages of neighbouring cores where there are many.
fn drawn(stacks: &[(String, Stack)]) -> Vec<(String, Stack)> {
    if stacks.len() <= MOST_BARS {
        return stacks.to_vec();
    }
    let together = stacks.len().div_ceil(MOST_BARS);
    let name = |group: &[(String, Stack)]| match group {
        [(only, _)] => only.clone(),
        _ => format!("{} to {}", group[0].0, group[group.len() - 1].0),
    };
    stacks.chunks(together).map(|group| (name(group), Stack::mean(group.iter().map(|(_, stack)| stack)))).collect()
}

/// Where each core's time went; `None` where the record has no stacks.
pub fn figure(facts: &Facts<'_>) -> Result<Option<Figure>, RenderError> {
    let stacks: Vec<(String, Stack)> = facts.cores().map(|(name, core)| (name, core.stack)).collect();
    let longest = stacks.iter().map(|(_, stack)| stack.total()).fold(0.0, f64::max);
    if longest == 0.0 {
        return Ok(None);
    }
    let unit = human::time_unit(longest);
    let mean = facts.mean_stack();
    let top = mean.top().map_or(String::new(), |(owner, share)| {
        format!(" On average the largest part is {} with {}.", owner.label, human::percent(share))
    });
    let drawn = drawn(&stacks);
    let averages = if drawn.len() < stacks.len() { " Each bar is the average of neighbouring cores." } else { "" };
    let bars = drawn.into_iter().map(|(label, stack)| Bar {
        label,
        segments: segments(&stack, 1.0 / unit.picoseconds, stack.total()),
        end: String::new(),
    });
    let chart = Bars {
        bars: bars.collect(),
        legend: legend(&owners(stacks.iter().map(|(_, stack)| stack))),
        axis: format!("time ({})", unit.name),
        end: longest / unit.picoseconds,
    };
    let about = About {
        name: "stacks",
        title: "Where each core's time went".to_owned(),
        description: format!("A bar for every core; its segments add up to the time of the run.{averages}{top}"),
        table: table("Time of each core by owner", "core", &stacks),
    };
    Figure::chart(about, chart.height(), |area| chart.draw(area)).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_core_has_a_bar_and_a_row() {
        let record = sample::record(4);
        let figure = figure(&Facts::of(&record)).unwrap().unwrap();
        for core in ["core 0", "core 3"] {
            assert!(figure.svg.contains(core), "{core}");
        }
        assert_eq!(figure.table.rows.len(), 4);
        assert!(figure.description.contains("largest part is"), "{}", figure.description);
    }

    #[test]
    fn a_thousand_cores_become_averages_that_fit_the_page() {
        let record = sample::record(1000);
        let figure = figure(&Facts::of(&record)).unwrap().unwrap();
        assert!(figure.svg.contains("core 0 to core 31"));
        assert_eq!(figure.table.rows.len() + figure.table.left_out, 1000);
    }

    #[test]
    fn without_stacks_there_is_no_figure() {
        let mut record = sample::record(1);
        record.metrics.clear();
        assert!(figure(&Facts::of(&record)).unwrap().is_none());
    }
}
