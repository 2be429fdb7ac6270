//! What `flynn run` prints for people: a record in about ten lines.

use super::layout::{hanging, labelled};
use crate::base::time::PICOSECONDS_PER_SECOND;
use crate::experiment::record::Record;
use crate::experiment::watch::{At, WatchRecord};
use crate::experiment::why::{Group, Times};
use crate::report::facts::{CAUSES, Facts, counter, scalar, share, text_of};
use crate::report::human;

/// Owners below this share of the cores' time are not listed.
const WORTH_LISTING: f64 = 0.01;
/// As many events of a line that is watched are printed.
const SHOWN_EVENTS: usize = 12;

/// The record in lines: what ran, time, rates, what the cores did, the costliest line, why, the result.
pub fn of_record(record: &Record) -> String {
    let facts = Facts::of(record);
    let mut text = heading(record, &facts);
    let mut say = |label: &str, line: Option<String>| {
        if let Some(line) = line {
            text.push_str(&labelled(label, &line));
        }
    };
    let functional = record.workload.runtime.get("functional").and_then(serde_json::Value::as_bool) == Some(true);
    let time = if functional { "not simulated".to_owned() } else { format!("{} simulated", human::time(record.time_ps as f64)) };
    say("time", Some(time));
    say("rates", rates(record));
    say("core time", core_time(record, &facts));
    say("traffic", traffic(&facts));
    say("costliest", costliest(record));
    say("why", record.why.first().map(|reason| reason.sentence.clone()));
    say("result", result(record));
    text
}

/// The beginning of a line's life, and how much there is of it.
pub fn of_watch(watch: &WatchRecord) -> String {
    let n = watch.events.len() as u64 + watch.left_out;
    let counted = |at: At| watch.events.iter().filter(|event| event.at == at).count() as u64;
    let holds = if watch.holds.is_empty() { String::new() } else { format!(", which holds {}", watch.holds.join(", ")) };
    let kinds =
        [(At::Core, "at cores"), (At::Interconnect, "requests taken up"), (At::Transfer, "transfers"), (At::Memory, "at memory")];
    let kinds: Vec<String> = kinds.iter().map(|(at, what)| format!("{} {what}", human::count(counted(*at)))).collect();
    let cut = match watch.left_out {
        0 => String::new(),
        left_out => format!("; only the first {} are in the record, {} are left out", watch.events.len(), human::count(left_out)),
    };
    let line = format!("line {:#x}{holds}: {} events ({}){cut}", watch.address, human::count(n), kinds.join(", "));
    let mut text = labelled("watch", &line);
    for event in watch.events.iter().take(SHOWN_EVENTS) {
        let states = match (&event.from, &event.next) {
            (Some(from), Some(next)) if from != next => format!("{from} -> {next}"),
            (Some(from), _) => from.clone(),
            _ => String::new(),
        };
        text += &hanging(&format!("  {:>9}  {states:14}", human::time(event.time_ps as f64)), 28, &event.sentence());
    }
    if n > SHOWN_EVENTS as u64 {
        text += &hanging("", 28, &format!("... and {} more: the report shows them", human::count(n - SHOWN_EVENTS as u64)));
    }
    text
}

fn heading(record: &Record, facts: &Facts<'_>) -> String {
    // A trace has none, but cores that make its references: they are among its parameters.
    let threads = facts.team().filter(|_| record.workload.runtime.get("functional").is_none());
    let parameters = record.workload.parameters.iter().map(|(name, value)| format!("{name} = {}", scalar(value)));
    let details: Vec<String> = threads.into_iter().chain(parameters).collect();
    let details = if details.is_empty() { String::new() } else { format!(": {}", details.join(", ")) };
    format!("{} on {}{details}\n", record.workload.name, record.machine.name)
}

fn rates(record: &Record) -> Option<String> {
    if record.time_ps == 0 {
        return None;
    }
    let seconds = record.time_ps as f64 / PICOSECONDS_PER_SECOND as f64;
    let counts = &record.counts;
    let mut rates = Vec::new();
    if counts.operations > 0 {
        rates.push(human::rate(counts.operations as f64 / seconds, "operations/s"));
    }
    if counts.flops > 0 {
        rates.push(human::rate(counts.flops as f64 / seconds, "flop/s"));
    }
    if counts.bytes > 0 {
        rates.push(format!("{} loaded and stored", human::rate(counts.bytes as f64 / seconds, "B/s")));
    }
    (!rates.is_empty()).then(|| rates.join(", "))
}

/// What the cores that had a thread did with their time.
fn core_time(record: &Record, facts: &Facts<'_>) -> Option<String> {
    let times = Times::new(&record.metrics);
    let mut parts = Group::ALL.map(|(group, name)| (name, times.share(group))).to_vec();
    parts.retain(|(_, share)| *share >= WORTH_LISTING);
    parts.sort_by(|a, b| b.1.total_cmp(&a.1));
    let listed: Vec<String> = parts.iter().map(|(name, share)| format!("{name} {}", human::percent(*share))).collect();
    let used = match times.n_threads() {
        used if used == times.n_cores => String::new(),
        used => format!("{} of {} used: ", human::count(used as u64), human::plural(facts.n_cores(), "core")),
    };
    (!listed.is_empty()).then(|| format!("{used}{}", listed.join(", ")))
}

fn traffic(facts: &Facts<'_>) -> Option<String> {
    let mut said = Vec::new();
    for (index, node) in facts.nodes.iter().take(1) {
        // The first level for data.
        let first_level = node.cores.values().filter_map(|core| core.caches.iter().find(|(name, _)| !name.ends_with('i')));
        let (mut name, mut misses, mut accesses) = (None, 0, 0);
        let mut causes = CAUSES.map(|(_, words)| (words, 0));
        for (cache, counters) in first_level {
            name = Some(cache);
            misses += counter(counters, "misses");
            accesses += counter(counters, "accesses");
            for ((key, _), (_, sum)) in CAUSES.iter().zip(&mut causes) {
                *sum += counter(counters, &format!("misses_{key}"));
            }
        }
        if let (Some(name), Some(share)) = (name, share(misses, accesses)) {
            let name = crate::report::facts::cache_name(name);
            said.push(format!("{name} misses {} of accesses{}", human::percent(share), by_cause(causes, misses)));
        }
        let busy = node.parts.get("interconnect").map_or(0, |counters| counter(counters, "busy_ps"));
        if let Some(share) = share(busy, facts.record.time_ps).filter(|share| *share > 0.0) {
            let config = facts.node_config(*index).and_then(|node| node.get("interconnect"));
            let wires = match text_of(config, "kind").as_deref() {
                Some("crossbar") => "the crossbar's busiest port",
                Some("ring") => "the ring's busiest link",
                _ => "the bus",
            };
            said.push(format!("{wires} carries data {} of the time", human::percent(share)));
        }
    }
    (!said.is_empty()).then(|| said.join(", "))
}

/// ` (62 % false sharing, 30 % cold)`: what at least a tenth of misses is.
fn by_cause(mut causes: [(&'static str, u64); CAUSES.len()], misses: u64) -> String {
    causes.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let listed = causes.iter().filter_map(|&(words, count)| {
        let share = share(count, misses).filter(|share| *share >= 0.1)?;
        Some(format!("{} {words}", human::percent(share)))
    });
    let listed: Vec<String> = listed.collect();
    if listed.is_empty() { String::new() } else { format!(" ({})", listed.join(", ")) }
}

fn costliest(record: &Record) -> Option<String> {
    let line = record.profile.first()?;
    let text = record.workload.text.lines().nth(line.line.checked_sub(1)? as usize)?.trim();
    let cost = share(line.time_ps, Times::new(&record.metrics).whole())?;
    Some(format!("line {}, {} of core time: {}", line.line, human::percent(cost), human::printable(text)))
}

fn result(record: &Record) -> Option<String> {
    let values: Vec<String> = record.result.values.iter().take(4).map(scalar).collect();
    let more = if record.result.values.len() > 4 { ", ..." } else { "" };
    (!values.is_empty()).then(|| format!("{}{more} (checksum {})", values.join(", "), record.result.checksum))
}
