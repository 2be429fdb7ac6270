//! What a record says, sorted by the part of the machine it is about: metric paths taken apart, configuration looked up.
//!
//! ```text
//!   node[0].core[1].stack.base_ps   -> node 0, core 1, the stack's `base`
//!   node[0].core[1].l1d.misses      -> node 0, core 1, cache `l1d`, `misses`
//!   node[0].interconnect.busy_ps    -> node 0, part `interconnect`, `busy_ps`
//! ```
//!
//! Everything may be absent: a record of a machine without caches has none here, and no reader of this may assume otherwise.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::human;
use super::palette::{OWNERS, Owner};
pub use crate::experiment::compare::scalar;
use crate::experiment::record::{Equality, ProfileLine, Record};

/// Time by owner, in picoseconds, in the order of [`OWNERS`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stack([f64; OWNERS.len()]);

impl Stack {
    /// The stack of a source line.
    pub fn of_line(line: &ProfileLine) -> Stack {
        let mut stack = Stack::default();
        for (key, &time_ps) in &line.stack {
            stack.add(key, time_ps as f64);
        }
        stack
    }

    /// Adds time for an owner; a name that is no owner's changes nothing.
    fn add(&mut self, key: &str, time_ps: f64) {
        if let Some(position) = OWNERS.iter().position(|owner| owner.key == key) {
            self.0[position] += time_ps;
        }
    }

    /// The average of several stacks: zero for none.
    pub fn mean<'a>(stacks: impl IntoIterator<Item = &'a Stack>) -> Stack {
        let mut sum = Stack::default();
        let mut n_stacks = 0.0f64;
        for stack in stacks {
            n_stacks += 1.0;
            for (total, time_ps) in sum.0.iter_mut().zip(stack.0) {
                *total += time_ps;
            }
        }
        sum.0.iter_mut().for_each(|total| *total /= n_stacks.max(1.0));
        sum
    }

    /// The sum over all owners.
    pub fn total(&self) -> f64 {
        self.0.iter().sum()
    }

    /// The owners that have time, in their order.
    pub fn parts(&self) -> impl Iterator<Item = (&'static Owner, f64)> {
        OWNERS.iter().zip(self.0).filter(|(_, time_ps)| *time_ps > 0.0)
    }

    /// An owner's time.
    pub fn of(&self, key: &str) -> f64 {
        OWNERS.iter().zip(self.0).find(|(owner, _)| owner.key == key).map_or(0.0, |(_, time_ps)| time_ps)
    }

    /// The owner with the most time, and its share of the whole.
    pub fn top(&self) -> Option<(&'static Owner, f64)> {
        let total = self.total();
        self.parts().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(owner, time_ps)| (owner, time_ps / total))
    }

    /// The share of the time in which the core computes rather than waits: base, dependency and branch.
    pub fn computing(&self) -> f64 {
        let total = self.total();
        if total > 0.0 { self.0[..3].iter().sum::<f64>() / total } else { 0.0 }
    }
}

/// The counters of one part by name.
pub type Counters = IndexMap<String, u64>;

/// One core of a record.
#[derive(Clone, Debug, Default)]
pub struct CoreFacts {
    pub stack: Stack,
    /// Counters of the core itself, such as `operations`.
    pub counters: Counters,
    /// Its private caches by name as in the metrics, such as `l1d`, nearest first.
    pub caches: IndexMap<String, Counters>,
}

/// One node of a record.
#[derive(Clone, Debug, Default)]
pub struct NodeFacts {
    pub cores: BTreeMap<u32, CoreFacts>,
    /// Caches that belong to the node, such as `llc`.
    pub caches: IndexMap<String, Counters>,
    /// Other parts: `interconnect`, `memory`, ...
    pub parts: IndexMap<String, Counters>,
}

/// A record with its metrics sorted by part.
pub struct Facts<'a> {
    pub record: &'a Record,
    pub nodes: BTreeMap<u32, NodeFacts>,
}

/// The index in `name[index]`.
fn indexed(segment: &str, name: &str) -> Option<u32> {
    segment.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

fn is_cache(name: &str) -> bool {
    name == "llc" || name.strip_prefix('l').is_some_and(|level| level.starts_with(|c: char| c.is_ascii_digit()))
}

impl<'a> Facts<'a> {
    /// Sorts a record's metrics.
    pub fn of(record: &'a Record) -> Facts<'a> {
        let mut facts = Facts { record, nodes: BTreeMap::new() };
        for (path, &value) in &record.metrics {
            facts.file(path, value);
        }
        for node in facts.nodes.values_mut() {
            node.caches.sort_keys();
            node.cores.values_mut().for_each(|core| core.caches.sort_keys());
        }
        facts
    }

    /// Puts one metric where it belongs; one of no node is left to the exports.
    fn file(&mut self, path: &str, value: u64) -> Option<()> {
        let (node, rest) = path.split_once('.')?;
        let node = self.nodes.entry(indexed(node, "node")?).or_default();
        let (part, counter) = rest.split_once('.')?;
        let Some(core) = indexed(part, "core") else {
            let parts = if is_cache(part) { &mut node.caches } else { &mut node.parts };
            parts.entry(part.to_owned()).or_default().insert(counter.to_owned(), value);
            return Some(());
        };
        let core = node.cores.entry(core).or_default();
        match counter.split_once('.') {
            Some(("stack", owner)) => core.stack.add(owner.strip_suffix("_ps")?, value as f64),
            Some((cache, counter)) if is_cache(cache) => {
                core.caches.entry(cache.to_owned()).or_default().insert(counter.to_owned(), value);
            }
            _ => {
                core.counters.insert(counter.to_owned(), value);
            }
        }
        Some(())
    }

    /// Every core with its name, in order: `core 3`, or `node 1 core 3` where there are several nodes.
    pub fn cores(&self) -> impl Iterator<Item = (String, &CoreFacts)> {
        let several = self.nodes.len() > 1;
        self.nodes.iter().flat_map(move |(node, facts)| {
            facts.cores.iter().map(move |(core, facts)| {
                (if several { format!("node {node} core {core}") } else { format!("core {core}") }, facts)
            })
        })
    }

    /// The average of all cores' stacks. Each core's adds up to the time of the run, and so does this.
    pub fn mean_stack(&self) -> Stack {
        Stack::mean(self.nodes.values().flat_map(|node| node.cores.values()).map(|core| &core.stack))
    }

    /// The same over the cores that had a thread.
    pub fn mean_stack_of_threads(&self) -> Stack {
        let stacks = self.nodes.values().flat_map(|node| node.cores.values()).map(|core| &core.stack);
        Stack::mean(stacks.filter(|stack| stack.total() > stack.of("idle")))
    }

    /// How many cores the metrics know.
    pub fn n_cores(&self) -> usize {
        self.nodes.values().map(|node| node.cores.len()).sum()
    }

    /// The time of all cores together, in picoseconds: what shares of lines are shares of. Where the record has no stacks, the time
    /// of all lines.
    pub fn core_time(&self) -> f64 {
        let cores = self.record.time_ps as f64 * self.n_cores() as f64;
        if cores > 0.0 { cores } else { self.record.profile.iter().map(|line| line.time_ps as f64).sum() }
    }

    /// The threads of the program: as the run-time resolved them, or else the cores that did anything.
    pub fn threads(&self) -> Option<u64> {
        let resolved = self.record.workload.runtime.get("threads").and_then(Json::as_u64);
        let working = || {
            let did = |core: &CoreFacts, what: &str| core.counters.get(what).is_some_and(|&n| n > 0);
            let busy = |core: &&CoreFacts| did(core, "operations") || did(core, "accesses");
            self.nodes.values().flat_map(|node| node.cores.values()).filter(busy).count() as u64
        };
        resolved.or_else(|| Some(working()).filter(|&threads| threads > 0))
    }

    /// Ranks and threads in words: "4 threads", "16 ranks", "4 ranks of 4 threads".
    pub fn team(&self) -> Option<String> {
        let threads = self.threads()? as usize;
        let ranks = self.record.workload.runtime.get("ranks").and_then(Json::as_u64).unwrap_or(1) as usize;
        Some(match (ranks, threads) {
            (0 | 1, _) => human::plural(threads, "thread"),
            (_, 1) => human::plural(ranks, "rank"),
            _ => format!("{} of {}", human::plural(ranks, "rank"), human::plural(threads, "thread")),
        })
    }

    /// The configuration of the kind that node `index` is of: kinds stand in order, each `count` times.
    pub fn node_config(&self, index: u32) -> Option<&'a Json> {
        let mut first = 0u64;
        self.record.machine.config.get("node")?.as_array()?.iter().find(|kind| {
            first = first.saturating_add(kind.get("count").and_then(Json::as_u64).unwrap_or(1));
            u64::from(index) < first
        })
    }
}

/// A counter, or 0.
pub fn counter(counters: &Counters, name: &str) -> u64 {
    counters.get(name).copied().unwrap_or(0)
}

/// A part of a whole, where there is a whole.
pub fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The name of a cache as people write it: `l1d` is `L1d`, `llc` is `LLC`.
pub fn cache_name(metric: &str) -> String {
    if metric == "llc" { "LLC".to_owned() } else { metric.replacen('l', "L", 1) }
}

/// The configuration of a node's cache, whose keys are written as in `L1d`.
pub fn cache_config<'a>(node: Option<&'a Json>, metric: &str) -> Option<&'a Json> {
    let caches = node?.get("cache")?.as_object()?;
    caches.iter().find(|(key, _)| key.eq_ignore_ascii_case(metric)).map(|(_, cache)| cache)
}

/// A key's scalar as text, where there is one.
pub fn text_of(config: Option<&Json>, key: &str) -> Option<String> {
    // A part that is one word, as in `memory = "ideal"`.
    if let (Some(Json::String(word)), "part") = (config, key) {
        return Some(word.clone());
    }
    config?.get(key).filter(|value| !value.is_object() && !value.is_array() && !value.is_null()).map(scalar)
}

/// What the results of this record have to be to count as equal.
pub fn equality(equality: Equality) -> String {
    match equality {
        Equality::Exact => "bit for bit".to_owned(),
        Equality::Tolerance(tolerance) => {
            format!("within {tolerance:e} relative")
        }
    }
}

/// The causes of misses: as metrics and profiles name them, and in words.
pub const CAUSES: [(&str, &str); 5] = [
    ("cold", "cold"),
    ("capacity", "capacity"),
    ("conflict", "conflict"),
    ("true_sharing", "true sharing"),
    ("false_sharing", "false sharing"),
];

/// A cause in words.
pub fn cause_words(key: &str) -> &str {
    CAUSES.iter().find(|(name, _)| *name == key).map_or(key, |(_, words)| words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn metrics_are_sorted_by_part() {
        let record = sample::record(2);
        let facts = Facts::of(&record);
        let node = &facts.nodes[&0];
        assert_eq!(node.cores.len(), 2);
        assert_eq!(node.cores[&1].caches.keys().collect::<Vec<_>>(), ["l1d", "l2"]);
        assert!(counter(&node.parts["interconnect"], "transactions") > 0);
        let total = node.cores[&0].stack.total();
        assert_eq!(total, record.time_ps as f64, "a core's stack adds up to the time of the run");
        assert_eq!(facts.threads(), Some(2));
        assert_eq!(text_of(facts.node_config(0), "name").as_deref(), Some("socket"));
        assert!(facts.node_config(1).is_none());
    }

    #[test]
    fn odd_metrics_do_no_harm() {
        let mut record = sample::record(1);
        record.metrics.clear();
        for path in
            ["", ".", "node", "node[x].core[0].operations", "node[4294967295].core[7].l1d.hits", "node[0].core[99999999999].x"]
        {
            record.metrics.insert(path.to_owned(), 1);
        }
        let facts = Facts::of(&record);
        assert_eq!(counter(&facts.nodes[&u32::MAX].cores[&7].caches["l1d"], "hits"), 1);
        assert_eq!(facts.mean_stack().top().map(|(owner, _)| owner.key), None);
    }

    #[test]
    fn the_mean_of_stacks_is_a_stack() {
        let mut a = Stack::default();
        a.add("base", 4.0);
        let mut b = Stack::default();
        b.add("queue", 2.0);
        b.add("no such owner", 100.0);
        let mean = Stack::mean([&a, &b]);
        assert_eq!((mean.of("base"), mean.of("queue"), mean.total()), (2.0, 1.0, 3.0));
        assert_eq!(mean.top().unwrap().0.key, "base");
        assert_eq!(mean.computing(), 2.0 / 3.0);
        assert_eq!(Stack::mean([]), Stack::default());
    }
}
