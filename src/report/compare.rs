//! Several records side by side: one workload on several machines (or one machine run in several ways), their times on one axis,
//! what the machines differ in, and which owner of time the difference goes to.
//!
//! A core's stack adds up to the time of its run, so the average stack of one run minus that of another is exactly the difference of
//! their times, owner by owner.

use serde::Serialize;

use super::bars::{Bar, Bars, Segment};
use super::facts::{Facts, Stack};
use super::figure::{About, Figure, RenderError, Table};
use super::human;
use super::palette::{ACCENT, ON_DEEP, OWNERS, Owner};
use super::stacks::{legend, owners, segments, table};
use crate::experiment::compare::{Comparison, compare, is_same_work, labels};
use crate::experiment::record::Record;

/// Records of one workload: the same text with the same parameters.
pub struct Group<'a> {
    pub workload: String,
    pub runs: Vec<Run<'a>>,
    /// What is said of them, where there are several.
    comparison: Option<Comparison>,
}

/// A record with the name it has among its group.
pub struct Run<'a> {
    /// Its place among all records, from 0.
    pub index: usize,
    pub label: String,
    pub facts: &'a Facts<'a>,
    pub mean: Stack,
}

impl Run<'_> {
    fn time(&self) -> f64 {
        self.facts.record.time_ps as f64
    }
}

/// What a comparison says in words and tables.
#[derive(Serialize)]
pub struct Words {
    /// Who is how much faster.
    pub headline: String,
    /// The first reason each run gives for its own time.
    pub reasons: Vec<Reason>,
    /// What is said of each run beside the first.
    pub against: Vec<Against>,
    /// Where the time between the fastest and the slowest goes.
    pub gap: Option<Gap>,
    /// Whether all computed the same.
    pub results: String,
    /// They do not agree.
    pub unequal: bool,
    pub differences: Table,
    /// How their protocols differ.
    pub protocols: Option<Protocols>,
    pub figures: Table,
}

/// A run beside the first.
#[derive(Serialize)]
pub struct Against {
    pub label: String,
    /// How the times compare, then why.
    pub sentences: Vec<String>,
}

/// Protocols that are not the same.
#[derive(Serialize)]
pub struct Protocols {
    pub sentence: String,
    pub rows: Table,
}

/// Why one run took its time.
#[derive(Serialize)]
pub struct Reason {
    pub label: String,
    pub time: String,
    pub sentence: String,
}

/// The time between two runs, by owner, the largest part first.
#[derive(Serialize)]
pub struct Gap {
    pub whole: String,
    pub slowest: String,
    pub fastest: String,
    pub parts: Vec<GapPart>,
}

/// An owner's part of a [`Gap`].
#[derive(Serialize)]
pub struct GapPart {
    pub variable: &'static str,
    pub label: &'static str,
    pub slowest: String,
    pub fastest: String,
    pub difference: String,
    pub meaning: &'static str,
}

/// Groups records by workload, in the order in which they come. Each is called as `names` say, or by its machine where they say nothing.
pub fn groups<'a>(all: &'a [Facts<'a>], names: &[String]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (index, facts) in all.iter().enumerate() {
        let workload = &facts.record.workload;
        let label = names.get(index).cloned().unwrap_or_default();
        let run = Run { index, label, facts, mean: facts.mean_stack_of_threads() };
        let same = |group: &&mut Group<'_>| {
            let other = group.runs[0].facts.record;
            workload.name == other.workload.name && is_same_work(facts.record, other)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { workload: workload.name.clone(), runs: vec![run], comparison: None }),
        }
    }
    groups.iter_mut().for_each(Group::compare);
    groups
}

impl Group<'_> {
    fn compare(&mut self) {
        let records: Vec<&Record> = self.runs.iter().map(|run| run.facts.record).collect();
        for (run, label) in self.runs.iter_mut().zip(labels(&records)).filter(|(run, _)| run.label.is_empty()) {
            run.label = label;
        }
        let labels: Vec<String> = self.runs.iter().map(|run| run.label.clone()).collect();
        self.comparison = compare(&records, &labels).ok();
    }

    fn difference_table(&self) -> Table {
        let names = self.runs.iter().map(|run| run.label.clone());
        let caption = if self.runs.len() == 2 { "These two differ in" } else { "These machines differ in" };
        let mut table = Table::with_columns(caption, ["key".to_owned()].into_iter().chain(names));
        for difference in self.comparison.iter().flat_map(|comparison| &comparison.differences) {
            let values = difference.values.iter().map(|value| value.clone().unwrap_or_else(|| "–".to_owned()));
            table.row([difference.key.clone()].into_iter().chain(values).collect());
        }
        table
    }

    /// Rows that differ, with how often each was taken.
    fn protocols(&self) -> Option<Protocols> {
        let found = self.comparison.as_ref()?.protocols.as_ref()?;
        let names = self.runs.iter().map(|run| run.label.clone());
        let mut rows =
            Table::with_columns("Rows that differ, and how often each was taken", ["row".to_owned()].into_iter().chain(names));
        for row in &found.rows {
            let cell = |(value, taken): (&Option<String>, &Option<u64>)| match (value, taken) {
                (None, _) => "–".to_owned(),
                (Some(value), Some(taken)) => format!("{value} ({} times)", human::count(*taken)),
                (Some(value), None) => value.clone(),
            };
            rows.row([row.row.clone()].into_iter().chain(row.values.iter().zip(&row.taken).map(cell)).collect());
        }
        Some(Protocols { sentence: found.sentence.clone(), rows })
    }

    fn figure_table(&self) -> Table {
        let names = self.runs.iter().map(|run| format!("{}#", run.label));
        let mut table = Table::with_columns("Figures side by side", ["figure".to_owned()].into_iter().chain(names));
        for figure in self.comparison.iter().flat_map(|comparison| &comparison.figures) {
            let values = figure.values.iter().map(|value| value.map_or("–".to_owned(), |value| figure.unit.text(value)));
            table.row([figure.name.clone()].into_iter().chain(values).collect());
        }
        table
    }

    /// The fastest and the slowest run.
    fn ends(&self) -> (&Run<'_>, &Run<'_>) {
        let by_time = |a: &&Run<'_>, b: &&Run<'_>| a.facts.record.time_ps.cmp(&b.facts.record.time_ps);
        let fastest = self.runs.iter().min_by(by_time).expect("a group is begun with a run");
        let slowest = self.runs.iter().max_by(by_time).expect("a group is begun with a run");
        (fastest, slowest)
    }

    /// What the comparison says in words.
    pub fn words(&self) -> Words {
        let (fastest, slowest) = self.ends();
        let headline = if fastest.facts.record.time_ps == slowest.facts.record.time_ps {
            "All take the same time.".to_owned()
        } else if fastest.facts.record.time_ps == 0 {
            format!("“{}” is the fastest.", fastest.label)
        } else {
            let factor = human::digits(slowest.time() / fastest.time());
            format!("“{}” is {factor} times as fast as “{}”.", fastest.label, slowest.label)
        };
        let results = self.comparison.as_ref().map(|comparison| &comparison.results);
        Words {
            headline,
            reasons: self.reasons(),
            against: self.against(),
            gap: gap(fastest, slowest),
            results: results.map_or(String::new(), |results| results.sentence.clone()),
            unequal: results.is_some_and(|results| !results.equal),
            differences: self.difference_table(),
            protocols: self.protocols(),
            figures: self.figure_table(),
        }
    }

    fn reasons(&self) -> Vec<Reason> {
        let reason = |run: &Run<'_>| {
            let sentence = run.facts.record.why.first()?.sentence.clone();
            Some(Reason { label: run.label.clone(), time: human::time(run.time()), sentence })
        };
        self.runs.iter().filter_map(reason).collect()
    }

    fn against(&self) -> Vec<Against> {
        let runs = self.comparison.iter().flat_map(|comparison| &comparison.against_first);
        let sentences = |reasons: &[crate::experiment::record::Reason]| reasons.iter().map(|r| r.sentence.clone()).collect();
        runs.map(|run| Against { label: run.label.clone(), sentences: sentences(&run.reasons) }).collect()
    }

    /// Times on a common axis, made of their stacks, and the same stacks as shares.
    pub fn figures(&self) -> Result<Vec<Figure>, RenderError> {
        let mut figures = vec![self.times()?];
        if self.runs.iter().any(|run| run.mean.total() > 0.0) {
            figures.push(self.shares()?);
        }
        Ok(figures)
    }

    fn stacks(&self) -> Vec<(String, Stack)> {
        self.runs.iter().map(|run| (run.label.clone(), run.mean)).collect()
    }

    fn times(&self) -> Result<Figure, RenderError> {
        let (fastest, slowest) = self.ends();
        let unit = human::time_unit(slowest.time());
        let bar = |run: &Run<'_>| {
            let stack_is_time = run.mean.total() > 0.0;
            let plain = || vec![Segment { value: run.time() / unit.picoseconds, fill: ACCENT, on: ON_DEEP, labels: Vec::new() }];
            let scale = run.time() / run.mean.total() / unit.picoseconds;
            let factor = match run.time() / fastest.time().max(1.0) {
                factor if factor > 1.0 => format!(" ({} as long)", human::factor(factor)),
                _ => String::new(),
            };
            Bar {
                label: run.label.clone(),
                segments: if stack_is_time { segments(&run.mean, scale, run.mean.total()) } else { plain() },
                end: format!("{}{factor}", human::time(run.time())),
            }
        };
        let stacks = self.stacks();
        let owners = owners(stacks.iter().map(|(_, stack)| stack));
        let chart = Bars {
            bars: self.runs.iter().map(bar).collect(),
            legend: legend(&owners),
            axis: format!("time ({})", unit.name),
            end: slowest.time() / unit.picoseconds,
        };
        let mut table =
            Table::new("Times", &["machine", "time#", "times as long as the fastest#", "threads#", "largest part of the time"]);
        for run in &self.runs {
            let top =
                run.mean.top().map_or("–".to_owned(), |(owner, share)| format!("{} {}", owner.label, human::percent(share)));
            let factor = run.time() / fastest.time().max(1.0);
            let threads = run.facts.threads().map_or("–".to_owned(), human::count);
            table.row(vec![run.label.clone(), human::time(run.time()), human::digits(factor), threads, top]);
        }
        let about = About {
            name: "times",
            title: format!("How long {} took", self.workload),
            description:
                "Shorter is faster. A bar is divided as the average core's time is: the parts add up to the time of the run."
                    .to_owned(),
            table,
        };
        Figure::chart(about, chart.height(), |area| chart.draw(area))
    }

    fn shares(&self) -> Result<Figure, RenderError> {
        let stacks = self.stacks();
        let bar = |(label, stack): &(String, Stack)| Bar {
            label: label.clone(),
            segments: segments(stack, 100.0 / stack.total().max(1.0), stack.total()),
            end: String::new(),
        };
        let chart = Bars {
            bars: stacks.iter().map(bar).collect(),
            legend: legend(&owners(stacks.iter().map(|(_, stack)| stack))),
            axis: "share of the average core's time (%)".to_owned(),
            end: 100.0,
        };
        let about = About {
            name: "shares",
            title: "What the time is made of".to_owned(),
            description: "The same stacks, each drawn to full width, so that their make-up can be compared.".to_owned(),
            table: table("The average core's time by owner", "machine", &stacks),
        };
        Figure::chart(about, chart.height(), |area| chart.draw(area))
    }
}

/// Which owners the time between two runs goes to; those that make up less than a hundredth of it are left out.
fn gap(fastest: &Run<'_>, slowest: &Run<'_>) -> Option<Gap> {
    let whole = slowest.mean.total() - fastest.mean.total();
    if whole <= 0.0 || fastest.mean.total() == 0.0 {
        return None;
    }
    let difference = |owner: &Owner| slowest.mean.of(owner.key) - fastest.mean.of(owner.key);
    let mut owners: Vec<&'static Owner> = OWNERS.iter().filter(|owner| difference(owner).abs() >= whole / 100.0).collect();
    owners.sort_by(|a, b| difference(b).abs().total_cmp(&difference(a).abs()));
    let part = |owner: &'static Owner| GapPart {
        variable: owner.fill.variable,
        label: owner.label,
        slowest: human::time(slowest.mean.of(owner.key)),
        fastest: human::time(fastest.mean.of(owner.key)),
        difference: human::signed_time(difference(owner)),
        meaning: owner.meaning,
    };
    Some(Gap {
        whole: human::time(whole),
        slowest: slowest.label.clone(),
        fastest: fastest.label.clone(),
        parts: owners.into_iter().map(part).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn with_groups<T>(records: &[Record], look: impl FnOnce(&[Group<'_>]) -> T) -> T {
        let facts: Vec<Facts<'_>> = records.iter().map(Facts::of).collect();
        look(&groups(&facts, &[]))
    }

    #[test]
    fn records_are_compared_where_the_workload_is_the_same() {
        let mut records = vec![sample::record(1), sample::record(4), sample::record(1)];
        records[2].workload.name = "other".to_owned();
        with_groups(&records, |groups| {
            assert_eq!(groups.iter().map(|group| group.runs.len()).collect::<Vec<_>>(), [2, 1]);
            let words = groups[0].words();
            assert!(words.headline.starts_with("“4 cores on a bus” is "), "{}", words.headline);
            let keys: Vec<&str> = words.differences.rows.iter().map(|row| row[0].as_str()).collect();
            assert_eq!(keys, ["node.cores", "runtime.threads"]);
            assert!(words.results.starts_with("All 2 computed the same result"));
        });
    }

    #[test]
    fn namesakes_are_told_apart_by_what_they_differ_in() {
        let mut records = [sample::record(1), sample::record(4), sample::record(4)];
        records[2].workload.runtime["threads"] = 2.into();
        with_groups(&records, |groups| {
            let labels: Vec<&str> = groups[0].runs.iter().map(|run| run.label.as_str()).collect();
            assert_eq!(labels, ["One core on a bus", "4 cores on a bus (threads 4)", "4 cores on a bus (threads 2)"]);
        });
    }

    #[test]
    fn the_parts_of_a_gap_are_the_difference() {
        let records = [sample::record(1), sample::record(16)];
        with_groups(&records, |groups| {
            let (fast, slow) = groups[0].ends();
            let sum: f64 = OWNERS.iter().map(|owner| slow.mean.of(owner.key) - fast.mean.of(owner.key)).sum();
            let difference = slow.time() - fast.time();
            assert!((sum - difference).abs() <= 1e-9 * difference, "{sum} {difference}");
            let gap = gap(fast, slow).unwrap();
            assert_eq!((gap.parts[0].label, &gap.parts[0].difference[..1]), ("local memory", "+"));
            assert!(gap.parts.iter().any(|part| part.difference.starts_with('−')), "waiting in line goes the other way");
        });
    }

    #[test]
    fn runs_of_one_machine_are_told_apart_by_what_differs() {
        let mut records = [sample::record(4), sample::record(4)];
        records[1].machine.config["node"][0]["cache"]["L1d"]["size"] = "64 KiB".into();
        let labels = |records: &[Record]| {
            with_groups(records, |groups| groups[0].runs.iter().map(|run| run.label.clone()).collect::<Vec<_>>())
        };
        assert_eq!(labels(&records), ["4 cores on a bus (size 32 KiB)", "4 cores on a bus (size 64 KiB)"]);
        let twins = [sample::record(4), sample::record(4)];
        assert_eq!(labels(&twins), ["4 cores on a bus (run 1)", "4 cores on a bus (run 2)"]);
        with_groups(&twins, |groups| assert_eq!(groups[0].words().headline, "All take the same time."));
    }

    #[test]
    fn empty_records_are_compared_too() {
        let mut records = [sample::record(1), sample::record(2)];
        for record in &mut records {
            record.metrics.clear();
            record.time_ps = 0;
        }
        with_groups(&records, |groups| {
            assert_eq!(groups[0].figures().unwrap().len(), 1);
            assert!(!groups[0].figures().unwrap()[0].svg.contains("NaN"));
        });
    }
}
