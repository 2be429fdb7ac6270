//! Several records side by side: one workload on several machines (or one machine run in several ways), their times on one axis,
//! what the machines differ in, and which owner of time the difference goes to.
//!
//! A core's stack adds up to the time of its run, so the average stack of one run minus that of another is exactly the difference of
//! their times, owner by owner.

use serde::Serialize;
use serde_json::Value as Json;

use super::bars::{Bar, Bars, Segment};
use super::differences::{Difference, differences};
use super::facts::{Facts, Stack};
use super::figure::{About, Figure, RenderError, Table};
use super::human;
use super::palette::{ACCENT, ON_DEEP, OWNERS, Owner};
use super::stacks::{legend, owners, segments, table};
use crate::experiment::record::Equality;

/// Records of one workload: the same text with the same parameters.
pub struct Group<'a> {
    pub workload: String,
    pub runs: Vec<Run<'a>>,
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
    /// Where the time between the fastest and the slowest goes.
    pub gap: Option<Gap>,
    /// Whether all computed the same.
    pub results: String,
    pub differences: Table,
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

/// Groups records by workload, in the order in which they come.
pub fn groups<'a>(all: &'a [Facts<'a>]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (index, facts) in all.iter().enumerate() {
        let workload = &facts.record.workload;
        let run = Run { index, label: facts.record.machine.name.clone(), facts, mean: facts.mean_stack() };
        let same = |group: &&mut Group<'_>| {
            let other = &group.runs[0].facts.record.workload;
            (&workload.name, &workload.text, &workload.parameters) == (&other.name, &other.text, &other.parameters)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { workload: workload.name.clone(), runs: vec![run] }),
        }
    }
    groups.iter_mut().for_each(Group::tell_apart);
    groups
}

impl Group<'_> {
    /// Adds to names that are not unique the values that tell them apart.
    fn tell_apart(&mut self) {
        let names: Vec<String> = self.runs.iter().map(|run| run.label.clone()).collect();
        let shared = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
        if !names.iter().any(shared) {
            return;
        }
        let differences = self.differences();
        for (i, run) in self.runs.iter_mut().enumerate().filter(|(i, _)| shared(&names[*i])) {
            // What differs between machines of other names does not tell these apart.
            let namesakes: Vec<usize> = (0..names.len()).filter(|&other| names[other] == names[i]).collect();
            let telling =
                |difference: &&Difference| namesakes.iter().any(|&other| difference.values[other] != difference.values[i]);
            let told = differences.iter().filter(telling).take(2).filter_map(|difference| {
                let last = difference.key.rsplit('.').next().unwrap_or_default();
                difference.values[i].as_ref().filter(|value| value.len() < 24).map(|value| format!("{last} {value}"))
            });
            let told: Vec<String> = told.collect();
            let told = if told.is_empty() { format!("run {}", run.index + 1) } else { told.join(", ") };
            run.label = format!("{} ({told})", run.label);
        }
    }

    /// What machines differ in, and then what their run-times differ in beyond that.
    fn differences(&self) -> Vec<Difference> {
        let machines: Vec<&Json> = self.runs.iter().map(|run| &run.facts.record.machine.config).collect();
        let runtimes: Vec<&Json> = self.runs.iter().map(|run| &run.facts.record.workload.runtime).collect();
        let mut found = differences(&machines);
        let of_runtime = differences(&runtimes).into_iter().map(|d| Difference { key: format!("runtime.{}", d.key), ..d });
        for difference in of_runtime {
            // What was in force counts, not what the machine left to be worked out.
            match found.iter_mut().find(|known| known.key == difference.key) {
                Some(known) => *known = difference,
                None => found.push(difference),
            }
        }
        found
    }

    fn difference_table(&self) -> Table {
        let names = self.runs.iter().map(|run| run.label.clone());
        let caption = if self.runs.len() == 2 { "These two differ in" } else { "These machines differ in" };
        let mut table = Table::with_columns(caption, ["key".to_owned()].into_iter().chain(names));
        for difference in self.differences() {
            let values = difference.values.into_iter().map(|value| value.unwrap_or_else(|| "–".to_owned()));
            table.row([difference.key].into_iter().chain(values).collect());
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
        Words {
            headline,
            reasons: self.reasons(),
            gap: gap(fastest, slowest),
            results: self.results(),
            differences: self.difference_table(),
        }
    }

    fn reasons(&self) -> Vec<Reason> {
        let reason = |run: &Run<'_>| {
            let sentence = run.facts.record.why.first()?.sentence.clone();
            Some(Reason { label: run.label.clone(), time: human::time(run.time()), sentence })
        };
        self.runs.iter().filter_map(reason).collect()
    }

    fn results(&self) -> String {
        let first = &self.runs[0].facts.record.result;
        let results = || self.runs.iter().map(|run| &run.facts.record.result);
        if results().all(|result| result.checksum == first.checksum) {
            return format!("All {} computed the same result, bit for bit (checksum {}).", self.runs.len(), first.checksum);
        }
        match first.equality {
            Equality::Tolerance(tolerance) if results().all(|result| close(&first.values, &result.values, tolerance)) => format!(
                "The results are equal within {tolerance:e} relative, which is what this program promises: the runs add its floats in \
                 different orders."
            ),
            _ => "The results differ, though this program promises equal ones: look for a race between its threads.".to_owned(),
        }
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

/// Whether two runs' values are the same, floats within a relative tolerance.
fn close(a: &[Json], b: &[Json], tolerance: f64) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= tolerance * a.abs().max(b.abs());
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| match (a, b) {
            (Json::Number(x), Json::Number(y)) if x.is_f64() && y.is_f64() => {
                x.as_f64().zip(y.as_f64()).is_some_and(|(x, y)| near(x, y))
            }
            _ => a == b,
        })
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
    use crate::experiment::record::Record;
    use crate::report::sample;

    fn with_groups<T>(records: &[Record], look: impl FnOnce(&[Group<'_>]) -> T) -> T {
        let facts: Vec<Facts<'_>> = records.iter().map(Facts::of).collect();
        look(&groups(&facts))
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
    fn results_are_compared_as_the_program_promises() {
        let said = |values: [Json; 2], equality: Equality| {
            let mut records = [sample::record(1), sample::record(2)];
            for (record, (value, checksum)) in records.iter_mut().zip(values.into_iter().zip(["a", "b"])) {
                record.result.values = vec![value];
                record.result.checksum = checksum.to_owned();
                record.result.equality = equality;
            }
            with_groups(&records, |groups| groups[0].words().results)
        };
        let near = || [1.0.into(), (1.0 + 1e-12).into()];
        assert!(said(near(), Equality::Tolerance(1e-9)).starts_with("The results are equal within 1e-9"));
        assert!(said(near(), Equality::Tolerance(1e-13)).starts_with("The results differ"));
        assert!(said(near(), Equality::Exact).starts_with("The results differ"));
        assert!(said([1.into(), 2.into()], Equality::Tolerance(1.0)).starts_with("The results differ"), "integers are exact");
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
