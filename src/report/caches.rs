//! Caches: how often each was asked, how often it could not answer, and where the record says so, why.

use indexmap::IndexMap;

use super::bars::{Bar, Bars, Segment};
use super::facts::{Counters, Facts, cache_name, counter, share};
use super::figure::{About, Figure, RenderError, Table};
use super::human;
use super::palette::{Ink, OWNERS};

/// At most so many bars: beyond, each level has its sum and its two extremes.
const MOST_BARS: usize = 18;

/// A cache or the sum of several.
struct Row {
    name: String,
    counters: Counters,
}

impl Row {
    fn rate(&self) -> f64 {
        miss_rate(&self.counters).unwrap_or(0.0)
    }
}

/// The caches of one level: their sum where they are several, then each of them.
struct Level {
    sum: Option<Row>,
    rows: Vec<Row>,
}

/// Every cache by level, nearest to the cores first.
fn levels(facts: &Facts<'_>) -> Vec<Level> {
    let mut levels: IndexMap<String, Vec<Row>> = IndexMap::new();
    let private =
        facts.cores().flat_map(|(core, facts)| facts.caches.iter().map(move |(cache, counters)| (core.clone(), cache, counters)));
    let shared = facts
        .nodes
        .iter()
        .flat_map(|(node, facts)| facts.caches.iter().map(move |(cache, counters)| (format!("node {node}"), cache, counters)));
    for (place, cache, counters) in private.chain(shared) {
        let row = Row { name: format!("{place} {}", cache_name(cache)), counters: counters.clone() };
        levels.entry(cache.clone()).or_default().push(row);
    }
    levels.sort_keys();
    levels.into_iter().map(|(cache, rows)| Level { sum: sum(&cache, &rows), rows }).collect()
}

fn sum(cache: &str, rows: &[Row]) -> Option<Row> {
    let mut counters = Counters::new();
    for (name, value) in rows.iter().flat_map(|row| &row.counters) {
        *counters.entry(name.clone()).or_default() += value;
    }
    (rows.len() > 1).then(|| Row { name: format!("all {}", cache_name(cache)), counters })
}

/// The rows to draw, each with its label.
fn drawn(levels: &[Level]) -> Vec<(String, &Row)> {
    let n_rows: usize = levels.iter().map(|level| level.rows.len() + 1).sum();
    let plain = |row: &'_ Row| row.name.clone();
    let mut drawn = Vec::new();
    for level in levels {
        drawn.extend(level.sum.iter().map(|row| (plain(row), row)));
        let by_rate = |a: &&Row, b: &&Row| a.rate().total_cmp(&b.rate());
        let ends = (level.rows.iter().min_by(by_rate), level.rows.iter().max_by(by_rate));
        match ends {
            (Some(lowest), Some(highest)) if n_rows > MOST_BARS && level.rows.len() > 2 => {
                if lowest.rate() < highest.rate() {
                    drawn.push((format!("lowest: {}", lowest.name), lowest));
                    drawn.push((format!("highest: {}", highest.name), highest));
                }
            }
            _ => drawn.extend(level.rows.iter().map(|row| (plain(row), row))),
        }
    }
    drawn
}

fn table(rows: &[&Row]) -> Table {
    let counts = ["accesses", "hits", "misses", "evictions", "writebacks"];
    let names = ["cache", "accesses#", "hits#", "misses#", "miss rate#", "evictions#", "write-backs#"];
    let mut table = Table::new("What each cache did", &names);
    for row in rows {
        let mut cells: Vec<String> =
            counts.iter().map(|name| row.counters.get(*name).map_or("–".to_owned(), |&n| human::count(n))).collect();
        cells.insert(3, miss_rate(&row.counters).map_or("–".to_owned(), human::percent));
        cells.insert(0, row.name.clone());
        table.row(cells);
    }
    table
}

/// Misses over accesses, where there were accesses.
pub fn miss_rate(counters: &Counters) -> Option<f64> {
    share(counter(counters, "misses"), counter(counters, "accesses"))
}

/// What misses are divided into: their causes where the record has them, or else what missed.
const CAUSES: [(&str, &str, usize); 5] = [
    ("misses_cold", "cold", 0),
    ("misses_capacity", "capacity", 8),
    ("misses_conflict", "conflict", 6),
    ("misses_true_sharing", "true sharing", 9),
    ("misses_false_sharing", "false sharing", 7),
];
const KINDS: [(&str, &str, usize); 3] =
    [("read_misses", "read misses", 0), ("write_misses", "write misses", 8), ("fetch_misses", "fetch misses", 9)];

/// The divisions that the record has and that are not all zero: counter, name, and whose colour of [`OWNERS`] they borrow.
fn divisions(rows: &[&Row]) -> Vec<(&'static str, &'static str, Ink, Ink)> {
    let present = |division: &&(&'static str, &'static str, usize)| rows.iter().any(|row| counter(&row.counters, division.0) > 0);
    let causes: Vec<_> = CAUSES.iter().filter(present).collect();
    let chosen = if causes.is_empty() { KINDS.iter().filter(present).collect() } else { causes };
    chosen.into_iter().map(|&(key, name, owner)| (key, name, OWNERS[owner].fill, OWNERS[owner].on)).collect()
}

/// How often each cache missed; `None` where no cache was asked.
pub fn figure(facts: &Facts<'_>) -> Result<Option<Figure>, RenderError> {
    let levels = levels(facts);
    let rows: Vec<&Row> = levels.iter().flat_map(|level| level.sum.iter().chain(&level.rows)).collect();
    if rows.iter().all(|row| counter(&row.counters, "accesses") == 0) {
        return Ok(None);
    }
    let drawn = drawn(&levels);
    let highest = drawn.iter().map(|(_, row)| row.rate()).fold(0.0, f64::max);
    let divisions = divisions(&rows);
    let bar = |(label, row): &(String, &Row)| {
        let accesses = counter(&row.counters, "accesses").max(1) as f64;
        let segment = |&(key, name, fill, on): &(&str, &str, Ink, Ink)| Segment {
            value: 100.0 * counter(&row.counters, key) as f64 / accesses,
            fill,
            on,
            labels: vec![name.to_owned()],
        };
        let end = match miss_rate(&row.counters) {
            Some(rate) => format!("{} of {}", human::percent(rate), human::short_count(counter(&row.counters, "accesses"))),
            None => "not used".to_owned(),
        };
        Bar { label: label.clone(), segments: divisions.iter().map(segment).collect(), end }
    };
    let chart = Bars {
        bars: drawn.iter().map(bar).collect(),
        legend: divisions.iter().map(|&(_, name, fill, _)| (fill, name.to_owned())).collect(),
        axis: "misses per 100 accesses".to_owned(),
        end: if highest > 0.0 { highest * 100.0 } else { 1.0 },
    };
    let about = About {
        name: "caches",
        title: "How often each cache missed".to_owned(),
        description: format!(
            "A bar for every cache: the share of its accesses that it could not answer. The highest miss rate is {}. A nearer \
             cache keeps the easy accesses for itself, so a high rate in a farther one need not be bad.",
            human::percent(highest)
        ),
        table: table(&rows),
    };
    Figure::chart(about, chart.height(), |area| chart.draw(area)).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn rates_and_sums_are_in_the_table() {
        let record = sample::record(4);
        let figure = figure(&Facts::of(&record)).unwrap().unwrap();
        let names: Vec<&str> = figure.table.rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(names[..4], ["all L1d", "core 0 L1d", "core 1 L1d", "core 2 L1d"]);
        let cell = |row: usize, column: usize| figure.table.rows[row][column].replace(',', "").parse::<u64>().unwrap();
        assert_eq!(cell(0, 1), (1..5).map(|row| cell(row, 1)).sum::<u64>());
        assert_eq!(cell(2, 1), cell(2, 2) + cell(2, 3));
    }

    #[test]
    fn causes_take_the_place_of_kinds_where_they_are_known() {
        let mut record = sample::record(1);
        assert!(figure(&Facts::of(&record)).unwrap().unwrap().svg.contains("read misses"));
        record.metrics.insert("node[0].core[0].l1d.misses_capacity".to_owned(), 5);
        let svg = figure(&Facts::of(&record)).unwrap().unwrap().svg;
        assert!(svg.contains("capacity") && !svg.contains("read misses"));
    }

    #[test]
    fn a_machine_without_caches_has_no_such_figure() {
        let mut record = sample::record(1);
        record.metrics.retain(|path, _| !path.contains(".l1d.") && !path.contains(".l2."));
        assert!(figure(&Facts::of(&record)).unwrap().is_none());
    }
}
