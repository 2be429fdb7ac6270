//! The program's text with its costs in place: every line with its share of the time and its own stack.

use serde::Serialize;

use super::facts::{Facts, Stack, cause_words};
use super::figure::Table;
use super::human;
use super::stacks;
use crate::experiment::record::ProfileLine;

/// At most so many lines of a text are shown.
const MOST_LINES: usize = 2000;
/// How many of the costliest lines are marked.
const MARKED: usize = 3;

/// A text with its costs.
#[derive(Serialize)]
pub struct Listing {
    pub lines: Vec<Line>,
    /// Whether any of them missed its first level of cache.
    pub has_misses: bool,
    /// Lines beyond those shown.
    pub left_out: usize,
    /// The costliest lines as numbers.
    pub table: Table,
}

/// One line of a text.
#[derive(Serialize)]
pub struct Line {
    pub number: usize,
    pub text: String,
    /// 1 for the costliest line, 2 for the next; 0 for all others.
    pub rank: usize,
    /// Its share of all cores' time, in words; empty where it has none.
    pub share: String,
    /// The same in per cent, for the width of a bar.
    pub percent: f64,
    /// How strongly the line is tinted, 0 to 1.
    pub tint: f64,
    pub stack: Vec<Part>,
    /// Its misses of data in the first level of cache: the most frequent cause with its count, and all of them.
    pub misses: String,
    pub all_misses: String,
}

/// A part of a line's stack.
#[derive(Serialize)]
pub struct Part {
    pub variable: &'static str,
    pub label: String,
    /// Its share of the line's time in per cent.
    pub percent: f64,
}

fn rounded(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

/// The text of a record's workload with the costs of its profile.
pub fn listing(facts: &Facts<'_>) -> Listing {
    let profile = &facts.record.profile;
    let whole = facts.core_time();
    let cost = |number: usize| profile.iter().enumerate().find(|(_, line)| line.line as usize == number);
    let lines = facts.record.workload.text.lines().enumerate().take(MOST_LINES).map(|(i, text)| {
        let plain = Line {
            number: i + 1,
            text: human::printable(&text.replace('\t', "    ")),
            rank: 0,
            share: String::new(),
            percent: 0.0,
            tint: 0.0,
            stack: Vec::new(),
            misses: String::new(),
            all_misses: String::new(),
        };
        let Some((position, line)) = cost(i + 1).filter(|(_, line)| line.time_ps > 0) else { return plain };
        let share = (line.time_ps as f64 / whole).min(1.0);
        let misses = misses(line);
        let rank = if position < MARKED && share >= 0.05 { position + 1 } else { 0 };
        Line {
            rank,
            share: human::percent(share),
            percent: rounded(share * 100.0),
            tint: rounded(0.05 + 0.3 * share),
            stack: parts(&Stack::of_line(line)),
            misses: misses.first().cloned().unwrap_or_default(),
            all_misses: misses.join(", "),
            ..plain
        }
    });
    let lines: Vec<Line> = lines.collect();
    let left_out = facts.record.workload.text.lines().count().saturating_sub(lines.len());
    Listing { has_misses: lines.iter().any(|line| !line.misses.is_empty()), left_out, lines, table: table(facts, whole) }
}

/// A line's misses by cause, in words, the most frequent first.
fn misses(line: &ProfileLine) -> Vec<String> {
    let mut causes: Vec<(&str, u64)> = line.misses.iter().map(|(cause, &count)| (cause_words(cause), count)).collect();
    causes.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    causes.into_iter().map(|(words, count)| format!("{} {words}", human::count(count))).collect()
}

fn parts(stack: &Stack) -> Vec<Part> {
    let total = stack.total();
    let part = |(owner, time_ps): (&'static super::palette::Owner, f64)| Part {
        variable: owner.fill.variable,
        label: format!("{} {}", owner.label, human::percent(time_ps / total)),
        percent: rounded(time_ps / total * 100.0),
    };
    stack.parts().map(part).collect()
}

fn table(facts: &Facts<'_>, whole: f64) -> Table {
    let rows: Vec<(String, Stack)> = facts
        .record
        .profile
        .iter()
        .map(|line| {
            let share = if whole > 0.0 { line.time_ps as f64 / whole } else { 0.0 };
            (format!("{} ({})", line.line, human::percent(share)), Stack::of_line(line))
        })
        .collect();
    stacks::table("Time of the lines, summed over all cores", "line", &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_costliest_line_is_marked_in_place() {
        let record = sample::record(4);
        let listing = listing(&Facts::of(&record));
        let marked: Vec<(usize, usize)> =
            listing.lines.iter().filter(|line| line.rank > 0).map(|line| (line.rank, line.number)).collect();
        assert_eq!(marked, [(2, 12), (1, 13)]);
        let line = &listing.lines[12];
        assert_eq!(line.text, "    a[i] = b[i] + s * c[i]");
        assert!((line.stack.iter().map(|part| part.percent).sum::<f64>() - 100.0).abs() < 0.1);
        assert!(line.tint > listing.lines[11].tint && listing.lines[0].share.is_empty());
    }

    #[test]
    fn profiles_that_do_not_fit_the_text_are_in_the_table() {
        let mut record = sample::record(1);
        record.profile[0].line = 9999;
        record.profile[1].line = 0;
        let listing = listing(&Facts::of(&record));
        assert!(listing.lines.iter().all(|line| line.rank == 0) && listing.table.rows.len() == 2);
        record.profile.clear();
        record.workload.text = "\n".repeat(5000);
        let listing = super::listing(&Facts::of(&record));
        assert_eq!((listing.lines.len(), listing.left_out), (MOST_LINES, 3000));
    }
}
