//! Why one run takes longer than another, in sentences that rest on figures of both records.
//!
//! ```text
//!   who is faster --> where the difference goes (groups of owners) --> which line --> what is behind it (`behind`)
//! ```

use crate::base::written;
use crate::components::owner::Owner;
use crate::experiment::record::{ProfileLine, Reason, Record};
use crate::experiment::why::{Group, ProgramText, Times, count, total};

/// Times closer than this share are the same for a person.
const SAME: f64 = 0.005;
/// Parts of the difference below this share are not named.
const WORTH_NAMING: f64 = 0.05;
/// At this share of the difference a line is named.
const WORTH_A_LINE: f64 = 0.3;
/// Where what one run wins back is more than this share of the difference, shares of it say little.
const MUCH_BACK: f64 = 0.5;

/// Two runs: the first, and the one it is compared with.
pub(super) struct Pair<'a> {
    pub records: [&'a Record; 2],
    pub labels: [&'a str; 2],
    pub times: [Times; 2],
}

/// The sentences on the second run beside the first.
pub fn reasons(first: &Record, other: &Record, labels: [&str; 2]) -> Vec<Reason> {
    let times = [Times::new(&first.metrics), Times::new(&other.metrics)];
    let pair = Pair { records: [first, other], labels, times };
    if first.time_ps == 0 && other.time_ps == 0 {
        let nothing = || {
            reason(format!("“{}” counts what “{}” counts; neither took any time.", labels[1], labels[0]), ["time_ps".to_owned()])
        };
        return vec![pair.misses().unwrap_or_else(nothing)];
    }
    let mut reasons = vec![pair.headline()];
    reasons.extend(pair.threads());
    reasons.extend(pair.parts());
    reasons.extend(pair.lines());
    reasons.extend(pair.behind());
    reasons
}

/// A time without a no-break space.
pub(super) fn time(picoseconds: f64) -> String {
    written::time(picoseconds).replace(written::SPACE, " ")
}

/// A share with as many digits as it takes to tell: `0.4%`, `12%`.
pub(super) fn percent(share: f64) -> String {
    if share < 0.0995 { format!("{}%", written::digits((share * 1000.0).round() / 10.0)) } else { format!("{:.0}%", share * 100.0) }
}

fn reason(sentence: String, evidence: impl IntoIterator<Item = String>) -> Reason {
    Reason { sentence, evidence: evidence.into_iter().collect() }
}

/// `a, b and c`
pub(super) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

impl Pair<'_> {
    /// The times of both runs.
    pub fn run_times(&self) -> [f64; 2] {
        self.records.map(|record| record.time_ps as f64)
    }

    /// How much longer the second takes.
    pub fn difference(&self) -> f64 {
        let [a, b] = self.run_times();
        b - a
    }

    /// Whether a person would call the times the same.
    pub fn is_same_time(&self) -> bool {
        let [a, b] = self.run_times();
        (a - b).abs() <= SAME * a.max(b)
    }

    /// A group's time of the average core in both runs.
    pub fn mean(&self, group: Group) -> [f64; 2] {
        [0, 1].map(|i| self.times[i].of(group) as f64 / self.times[i].n_threads().max(1) as f64)
    }

    /// How much more time of the average core the second run has in a group.
    pub fn more(&self, group: Group) -> f64 {
        let [a, b] = self.mean(group);
        b - a
    }

    /// The sum of a counter over all parts, in both runs.
    pub fn total(&self, counter: &str) -> [u64; 2] {
        self.records.map(|record| total(&record.metrics, counter))
    }

    fn headline(&self) -> Reason {
        let ([a, b], [first, other]) = (self.run_times(), self.labels);
        let instead = format!("{} instead of {}", time(b), time(a));
        let sentence = match (a, b) {
            (a, b) if a == b => format!("“{other}” takes the same time as “{first}”, {}.", time(a)),
            (0.0, _) | (_, 0.0) => format!("“{other}” takes {instead} of “{first}”."),
            _ if self.is_same_time() => format!("“{other}” takes about the same time as “{first}”: {instead}."),
            (a, b) if b >= 1.95 * a => format!("“{other}” takes {} times as long as “{first}”: {instead}.", written::digits(b / a)),
            (a, b) if a >= 1.95 * b => format!("“{other}” is {} times as fast as “{first}”: {instead}.", written::digits(a / b)),
            (a, b) if b > a => format!("“{other}” takes {} longer than “{first}”: {instead}.", percent(b / a - 1.0)),
            (a, b) => format!("“{other}” takes {} less time than “{first}”: {instead}.", percent(1.0 - b / a)),
        };
        reason(sentence, ["time_ps".to_owned()])
    }

    /// Where the work is shared by more or fewer threads.
    fn threads(&self) -> Option<Reason> {
        let [a, b] = [0, 1].map(|i| self.times[i].n_threads());
        let operations = [0, 1].map(|i| self.records[i].counts.operations / self.times[i].n_threads().max(1) as u64);
        (a != b && a > 0 && b > 0 && operations[0] > 0).then(|| {
            let threads = if b == 1 { "1 thread does all the work".to_owned() } else { format!("{b} threads share the work") };
            let each = if b == 1 { "it" } else { "each" };
            let sentence = format!(
                "{threads} instead of {a}: {each} carries out {} operations on average instead of {}.",
                count(operations[1]),
                count(operations[0])
            );
            reason(sentence, ["operations".to_owned(), "finish_ps".to_owned()])
        })
    }

    /// Which groups of owners the difference goes to.
    fn parts(&self) -> Option<Reason> {
        let whole = self.difference();
        let mut parts: Vec<(Group, &'static str, f64)> =
            Group::ALL.into_iter().map(|(group, name)| (group, name, self.more(group))).collect();
        let least = if self.is_same_time() { SAME * self.run_times()[0] } else { WORTH_NAMING * whole.abs() };
        parts.retain(|(.., more)| more.abs() >= least && *more != 0.0);
        parts.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
        parts.truncate(5);
        if parts.is_empty() {
            return None;
        }
        type Part = (Group, &'static str, f64);
        let (with, against): (Vec<Part>, Vec<Part>) = parts.iter().partition(|(.., more)| (*more > 0.0) == (whole > 0.0));
        let back: f64 = against.iter().map(|(.., more)| more.abs()).sum();
        let amount = |(_, name, more): &Part| format!("{name} {}{}", if *more > 0.0 { "+" } else { "−" }, time(more.abs()));
        let share = |(_, name, more): &Part| format!("{name} {}", percent(more.abs() / whole.abs()));
        let sentence = if self.is_same_time() || back > MUCH_BACK * whole.abs() {
            let all: Vec<String> = parts.iter().map(amount).collect();
            format!("The average core's time changes in several ways: {}.", listed(&all))
        } else {
            let amount = time(whole.abs());
            let named = listed(&with.iter().map(share).collect::<Vec<_>>());
            let again = listed(&against.iter().map(share).collect::<Vec<_>>());
            let (what, take) = if whole > 0.0 { ("more go", "wins back") } else { ("less are", "costs again") };
            let back = if again.is_empty() { String::new() } else { format!("; {take}: {again}") };
            match whole > 0.0 {
                true => format!("The {amount} {what} to: {named}{back}."),
                false => format!("The {amount} {what} saved in: {named}{back}."),
            }
        };
        let evidence = parts.iter().flat_map(|(group, ..)| group.evidence(2)).collect::<Vec<_>>();
        Some(reason(sentence, evidence))
    }

    /// A line's time of the average core in both runs, of the owners that count.
    fn of_line(&self, line: u32, counts: impl Fn(Owner) -> bool) -> [f64; 2] {
        [0, 1].map(|i| {
            let found = self.records[i].profile.iter().find(|found| found.line == line);
            let time = |found: &ProfileLine| {
                let owners = Owner::ALL.iter().filter(|(_, owner)| counts(*owner));
                owners.map(|(name, _)| found.stack.get(*name).copied().unwrap_or(0)).sum::<u64>()
            };
            found.map_or(0, time) as f64 / self.times[i].n_threads().max(1) as f64
        })
    }

    /// The line that most of the difference is in; where threads only wait there, also the line of most other time.
    fn lines(&self) -> Vec<Reason> {
        if self.is_same_time() {
            return Vec::new();
        }
        let waiting = |owner: Owner| owner == Owner::Synchronisation;
        let all = self.line(|_| true, self.difference());
        let Some((line, times, share)) = all else { return Vec::new() };
        let waits = self.of_line(line, waiting);
        let mut sentence = self.line_sentence(line, times, if share >= 0.5 { "Most of it is" } else { "The largest part is" });
        let mut evidence = vec![format!("profile.line[{line}]")];
        if (waits[1] - waits[0]).abs() >= 0.5 * (times[1] - times[0]).abs() {
            sentence += " There threads wait for each other, so it follows from what they do elsewhere";
            let work = |owner: Owner| !waiting(owner) && owner != Owner::Idle;
            let rest: f64 = Group::ALL
                .iter()
                .filter(|(group, _)| !matches!(group, Group::Threads | Group::Idle))
                .map(|(group, _)| self.more(*group))
                .sum();
            match self.line(work, rest).filter(|(other, ..)| *other != line) {
                Some((line, times, _)) => {
                    sentence += &format!(": {}", lower(&self.line_sentence(line, times, "most of that is")));
                    evidence.push(format!("profile.line[{line}]"));
                }
                None => sentence += ".",
            }
        }
        vec![reason(sentence, evidence)]
    }

    fn line_sentence(&self, line: u32, [a, b]: [f64; 2], head: &str) -> String {
        let text = ProgramText::new(&self.records[0].workload.text);
        let quoted = text.line(line).map_or(String::new(), |text| format!(" (`{text}`)"));
        format!("{head} in line {line}{quoted}: {} of the average core's time instead of {}.", time(b), time(a))
    }

    /// The line with the largest part of a difference, its times in both runs and its share.
    fn line(&self, counts: impl Fn(Owner) -> bool + Copy, whole: f64) -> Option<(u32, [f64; 2], f64)> {
        let lines = self.records.iter().flat_map(|record| &record.profile).map(|line| line.line);
        let mut found: Vec<(u32, [f64; 2])> = lines.map(|line| (line, self.of_line(line, counts))).collect();
        found.sort_by(|a, b| ((b.1[1] - b.1[0]) * whole).total_cmp(&((a.1[1] - a.1[0]) * whole)).then(a.0.cmp(&b.0)));
        let &(line, times) = found.first()?;
        let share = (times[1] - times[0]) / whole;
        (whole != 0.0 && share >= WORTH_A_LINE).then_some((line, times, share))
    }
}

fn lower(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}
