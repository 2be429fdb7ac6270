//! A record as CSV files, for spreadsheets and scripts: plain numbers in base units, a header line, one fact a row.

use super::facts::{Facts, Stack};
use super::figure::RenderError;
use super::palette::OWNERS;
use crate::experiment::record::Record;

/// The files: name and contents.
///
/// - `metrics.csv`: `metric,value`
/// - `profile.csv`: `line,time_ps,base_ps,...,idle_ps`, costliest line first
/// - `stacks.csv`: `node,core,base_ps,...,idle_ps`
/// - `timelines.csv`: `name,from_ps,to_ps,busy`, where busy is a share from 0 to 1
///
/// # Errors
/// None that a record can cause: only a fault of the CSV writer.
pub fn exports(record: &Record) -> Result<Vec<(String, Vec<u8>)>, RenderError> {
    let facts = Facts::of(record);
    let files = [
        ("metrics.csv", strings(&["metric", "value"]), metrics(record)),
        ("profile.csv", owners(&["line", "time_ps"]), profile(record)),
        ("stacks.csv", owners(&["node", "core"]), stacks(&facts)),
        ("timelines.csv", strings(&["name", "from_ps", "to_ps", "busy"]), timelines(record)),
    ];
    files.into_iter().map(|(name, header, rows)| Ok((name.to_owned(), csv(name, header, rows)?))).collect()
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The names, and then a column for every owner of time.
fn owners(names: &[&str]) -> Vec<String> {
    strings(names).into_iter().chain(OWNERS.iter().map(|owner| format!("{}_ps", owner.key))).collect()
}

fn cells(stack: &Stack) -> impl Iterator<Item = String> {
    OWNERS.iter().map(|owner| stack.of(owner.key).to_string())
}

fn metrics(record: &Record) -> Vec<Vec<String>> {
    record.metrics.iter().map(|(metric, value)| vec![metric.clone(), value.to_string()]).collect()
}

fn profile(record: &Record) -> Vec<Vec<String>> {
    let row = |line| [line_cells(line), cells(&Stack::of_line(line)).collect()].concat();
    record.profile.iter().map(row).collect()
}

fn line_cells(line: &crate::experiment::record::ProfileLine) -> Vec<String> {
    vec![line.line.to_string(), line.time_ps.to_string()]
}

fn stacks(facts: &Facts<'_>) -> Vec<Vec<String>> {
    let cores = facts.nodes.iter().flat_map(|(node, facts)| facts.cores.iter().map(move |(core, facts)| (node, core, facts)));
    cores.map(|(node, core, facts)| [node.to_string(), core.to_string()].into_iter().chain(cells(&facts.stack)).collect()).collect()
}

fn timelines(record: &Record) -> Vec<Vec<String>> {
    let edge = |i: usize, n: usize| u128::from(record.time_ps) * i as u128 / n as u128;
    let rows = record.timelines.iter().flat_map(|(name, values)| {
        values.iter().enumerate().map(move |(i, busy)| {
            let (from, to) = (edge(i, values.len()), edge(i + 1, values.len()));
            vec![name.clone(), from.to_string(), to.to_string(), busy.to_string()]
        })
    });
    rows.collect()
}

pub(super) fn csv(name: &str, header: Vec<String>, rows: Vec<Vec<String>>) -> Result<Vec<u8>, RenderError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in [header].into_iter().chain(rows) {
        writer.write_record(row).map_err(|error| RenderError::new(name, &error))?;
    }
    writer.into_inner().map_err(|error| RenderError::new(name, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn text(files: &[(String, Vec<u8>)], name: &str) -> String {
        let (_, bytes) = files.iter().find(|(file, _)| file == name).unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    }

    #[test]
    fn files_hold_what_the_record_holds() {
        let record = sample::record(2);
        let files = exports(&record).unwrap();
        assert_eq!(text(&files, "metrics.csv").lines().count(), record.metrics.len() + 1);
        let stacks = text(&files, "stacks.csv");
        assert!(stacks.starts_with("node,core,base_ps,dependency_ps,branch_ps,"));
        let row: Vec<u64> = stacks.lines().nth(1).unwrap().split(',').skip(2).map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(row.iter().sum::<u64>(), record.time_ps);
        assert!(text(&files, "profile.csv").lines().nth(1).unwrap().starts_with("13,"));
        let timelines = text(&files, "timelines.csv");
        assert!(timelines.lines().nth(1).unwrap().starts_with("node[0].interconnect,0,"));
        assert!(timelines.lines().nth(64).unwrap().contains(&format!(",{},", record.time_ps)));
    }

    #[test]
    fn names_with_commas_and_quotes_stay_one_cell() {
        let mut record = sample::record(1);
        record.timelines.insert("a, \"b\"\nc".to_owned(), vec![1.0]);
        let timelines = text(&exports(&record).unwrap(), "timelines.csv");
        let mut reader = csv::Reader::from_reader(timelines.as_bytes());
        let last = reader.records().last().unwrap().unwrap();
        assert_eq!((&last[0], last.len()), ("a, \"b\"\nc", 4));
    }
}
