//! In what two or more machines differ: their resolved configurations compared key by key.

use serde::Serialize;
use serde_json::Value as Json;

use crate::experiment::record::{Record, Start};

/// At most so many differences are listed.
const MOST: usize = 60;

/// A key that is not the same everywhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// As one would write it after `--set`: `node.cache.L1d.size`.
    pub key: String,
    /// The value in each machine, in their order; `None` where it has no such key.
    pub values: Vec<Option<String>>,
}

/// What runs differ in: their machines, what their run-times had in force beyond that, and how they were run.
pub fn of_records(records: &[&Record]) -> Vec<Difference> {
    let machines: Vec<&Json> = records.iter().map(|record| &record.machine.config).collect();
    let runtimes: Vec<&Json> = records.iter().map(|record| &record.workload.runtime).collect();
    let mut found = differences(&machines);
    let of_runtime = differences(&runtimes).into_iter().map(|d| Difference { key: format!("runtime.{}", d.key), ..d });
    for difference in of_runtime {
        // What was in force counts, not what the machine left to be worked out.
        match found.iter_mut().find(|known| known.key == difference.key) {
            Some(known) => *known = difference,
            None => found.push(difference),
        }
    }
    let start = |record: &Record| match record.start {
        Start::Warm => "warm",
        Start::Cold => "cold",
    };
    let mut run = |key: &str, value: &dyn Fn(&Record) -> String| {
        let values: Vec<String> = records.iter().map(|record| value(record)).collect();
        if values.windows(2).any(|pair| pair[0] != pair[1]) {
            found.push(Difference { key: key.to_owned(), values: values.into_iter().map(Some).collect() });
        }
    };
    run("seed", &|record| record.seed.to_string());
    run("start", &|record| start(record).to_owned());
    run("made by Flynn", &|record| record.flynn.clone());
    found
}

/// What differs between configurations, in the order of their keys. The name of a machine and what
/// it says of itself are no differences.
fn differences(configs: &[&Json]) -> Vec<Difference> {
    let mut found = Vec::new();
    let values: Vec<Option<&Json>> = configs.iter().map(|config| Some(*config)).collect();
    compare("", &values, &mut found);
    found.retain(|difference| !["name", "description"].contains(&difference.key.as_str()));
    found.truncate(MOST);
    found
}

fn compare(key: &str, values: &[Option<&Json>], found: &mut Vec<Difference>) {
    if values.windows(2).all(|pair| pair[0] == pair[1]) || found.len() > MOST {
        return;
    }
    if let Some(objects) = all(values, Json::as_object) {
        let mut names: Vec<&String> = Vec::new();
        for name in objects.iter().flat_map(|object| object.keys()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        for name in names {
            let inner: Vec<Option<&Json>> = objects.iter().map(|object| object.get(name)).collect();
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            compare(&key, &inner, found);
        }
        return;
    }
    if let Some(arrays) = all(values, Json::as_array)
        && arrays.iter().flat_map(|array| array.iter()).all(Json::is_object)
    {
        let longest = arrays.iter().map(|array| array.len()).max().unwrap_or(0);
        for i in 0..longest {
            let inner: Vec<Option<&Json>> = arrays.iter().map(|array| array.get(i)).collect();
            let key = if longest == 1 { key.to_owned() } else { format!("{key}[{}]", table_name(&inner, i)) };
            compare(&key, &inner, found);
        }
        return;
    }
    found.push(Difference { key: key.to_owned(), values: values.iter().map(|value| value.map(inline)).collect() });
}

/// Every value as the wanted kind, if all are present and of that kind.
fn all<'a, T>(values: &[Option<&'a Json>], kind: impl Fn(&'a Json) -> Option<T>) -> Option<Vec<T>> {
    values.iter().map(|value| value.and_then(&kind)).collect()
}

/// The `name` that the tables share, or else their position.
fn table_name(tables: &[Option<&Json>], position: usize) -> String {
    let mut names = tables.iter().flatten().filter_map(|table| table.get("name").and_then(Json::as_str));
    match names.next() {
        Some(first) if names.all(|name| name == first) => first.to_owned(),
        _ => position.to_string(),
    }
}

/// A scalar as text, without quotation marks.
pub fn scalar(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value in one line, as TOML writes it in one line; a scalar stands without quotation marks.
fn inline(value: &Json) -> String {
    match value {
        Json::Object(object) => {
            let members: Vec<String> = object.iter().map(|(key, value)| format!("{key} = {}", inline(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        Json::Array(array) => format!("[{}]", array.iter().map(inline).collect::<Vec<_>>().join(", ")),
        other => scalar(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lines(configs: &[Json]) -> Vec<String> {
        let configs: Vec<&Json> = configs.iter().collect();
        differences(&configs)
            .into_iter()
            .map(|difference| {
                let values: Vec<String> = difference.values.into_iter().map(|value| value.unwrap_or("none".to_owned())).collect();
                format!("{}: {}", difference.key, values.join(" | "))
            })
            .collect()
    }

    #[test]
    fn only_what_differs_is_named_by_its_path() {
        let machine = |name: &str, cores: u32, size: &str| json!({ "name": name, "node": [{ "name": "socket", "cores": cores, "cache": { "L1d": { "size": size, "ways": 8 } } }] });
        let machines = [machine("a", 2, "32 KiB"), machine("b", 4, "32 KiB"), machine("c", 4, "64 KiB")];
        assert_eq!(lines(&machines), ["node.cores: 2 | 4 | 4", "node.cache.L1d.size: 32 KiB | 32 KiB | 64 KiB"]);
        assert!(lines(&machines[..1]).is_empty());
    }

    #[test]
    fn a_part_that_only_some_have_is_one_difference() {
        let with = json!({ "node": [{ "name": "p", "cache": { "L2": { "size": "1 MiB", "ways": 4 } } }, { "name": "q" }] });
        let without = json!({ "node": [{ "name": "p", "cache": {} }, { "name": "q" }] });
        assert_eq!(lines(&[with, without]), ["node[p].cache.L2: { size = 1 MiB, ways = 4 } | none"]);
    }

    #[test]
    fn values_of_different_kinds_are_compared_whole() {
        let machines = [json!({ "core": "ideal" }), json!({ "core": { "clock": "1 GHz" } }), json!(null)];
        assert_eq!(lines(&machines), [": { core = ideal } | { core = { clock = 1 GHz } } | null"]);
        assert_eq!(lines(&machines[..2]), ["core: ideal | { clock = 1 GHz }"]);
    }

    #[test]
    fn a_flood_of_differences_is_cut() {
        let machine = |value: u32| Json::Object((0..500).map(|i| (format!("key{i}"), json!(value))).collect());
        assert_eq!(differences(&[&machine(1), &machine(2)]).len(), MOST);
    }
}
