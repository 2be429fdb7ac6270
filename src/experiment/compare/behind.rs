//! What is behind a difference of times: how often something was done, and what each time took.
//!
//! Time of a kind is a number of times and a time for each, so a difference is split in two: that of the number, at the average time,
//! and that of the time, at the average number. Both add up to the whole.

use super::RowDifference;
use super::figures::cache_name;
use super::reasons::{Pair, percent, time};
use crate::components::owner::Owner;
use crate::experiment::record::Reason;
use crate::experiment::why::{Group, count, total};

/// At this share of a difference the number of times, or the time for each, is worth a clause.
const WORTH_A_CLAUSE: f64 = 0.25;
/// Groups below this share of all changes have no sentence.
const WORTH_A_SENTENCE: f64 = 0.10;
/// Changes below this share of the run's time are not looked into.
const SMALL: f64 = 0.002;
/// Writes to memory are told of where they differ by at least this share of all requests.
const WRITES: f64 = 0.05;
/// Misses that change by less than this share are not told of.
const MORE_MISSES: f64 = 0.05;
/// Points by which the use of a resource must change.
const BUSIER: f64 = 0.05;

/// A number of times and the time of all of them, in both runs: of all cores, or of the average one where not as many had a thread.
struct Volume {
    n: [f64; 2],
    time: [f64; 2],
}

impl Volume {
    fn each(&self) -> [f64; 2] {
        [0, 1].map(|i| self.time[i] / self.n[i].max(1.0))
    }

    /// The shares of the difference that go to the number and to the time for each.
    fn split(&self) -> [f64; 2] {
        let (n, each) = (self.n, self.each());
        let number = (n[1] - n[0]) * (each[0] + each[1]) / 2.0;
        let price = (each[1] - each[0]) * (n[0] + n[1]) / 2.0;
        let whole = number + price;
        if whole == 0.0 { [0.0; 2] } else { [number / whole, price / whole] }
    }

    /// The second number instead of the first.
    fn counts(&self) -> [String; 2] {
        self.n.map(|n| count(n.round() as u64))
    }

    /// The times for each, where they are not the same for a person.
    fn prices(&self) -> Option<[String; 2]> {
        let each = self.each().map(time);
        (each[0] != each[1]).then_some(each)
    }
}

impl Pair<'_> {
    /// The cache whose misses changed most, and which kind of misses it is.
    pub(super) fn misses(&self) -> Option<Reason> {
        let names = self.records[0].metrics.keys().filter_map(|path| path.strip_suffix(".misses")?.rsplit('.').next());
        let counted = names.map(|name| (name, self.total(&format!("{name}.misses"))));
        let (name, [a, b]) = counted.max_by_key(|(_, [a, b])| a.abs_diff(*b)).filter(|(_, [a, b])| a != b)?;
        let change = if a == 0 || b == 0 {
            String::new()
        } else {
            format!(", {} {}", percent(a.abs_diff(b) as f64 / a as f64), if b > a { "more" } else { "less" })
        };
        let (kind, counter) = self.kind_of_misses(name, [a, b]).unzip();
        let kind = kind.unwrap_or_default();
        let sentence =
            format!("“{}” misses {} {} times instead of {}{change}{kind}.", self.labels[1], cache_name(name), count(b), count(a));
        Some(Reason { sentence, evidence: std::iter::once(format!("{name}.misses")).chain(counter).collect() })
    }

    /// Which kind of misses of a cache most of a change is, as a clause, and its counter.
    fn kind_of_misses(&self, cache: &str, [a, b]: [u64; 2]) -> Option<(String, String)> {
        const KINDS: [(&str, &str); 5] = [
            ("cold", "of lines never there before"),
            ("capacity", "for want of room (capacity)"),
            ("conflict", "for want of room in their sets (conflicts)"),
            ("true_sharing", "of words that another core had written (true sharing)"),
            ("false_sharing", "of lines in which another core had written another word (false sharing)"),
        ];
        let changes = KINDS.map(|(name, what)| {
            let counter = format!("{cache}.misses_{name}");
            let of_kind = self.total(&counter);
            let change = if b > a { of_kind[1].saturating_sub(of_kind[0]) } else { of_kind[0].saturating_sub(of_kind[1]) };
            (change, of_kind, what, counter)
        });
        let (change, [before, after], what, counter) = changes.into_iter().rev().max_by_key(|(change, ..)| *change)?;
        (2 * change >= a.abs_diff(b) && change > 0)
            .then(|| (format!(", most of the change {what}: {} instead of {}", count(after), count(before)), counter))
    }

    /// The same where it is behind a difference in time.
    fn changed_misses(&self) -> Option<Reason> {
        let change = |group: Group| self.more(group).abs();
        let waits = change(Group::MemorySystem) + change(Group::Coherence) + change(Group::L2) + change(Group::Llc);
        if self.sharing().is_some() || waits < WORTH_A_SENTENCE * self.difference().abs().max(SMALL * self.run_times()[0]) {
            return None;
        }
        let [a, b] = self.total(self.misses()?.evidence.first()?);
        (a.abs_diff(b) as f64 >= MORE_MISSES * a.max(b) as f64).then(|| self.misses()).flatten()
    }

    /// Sentences on what changed, the largest part of the difference first.
    pub(super) fn behind(&self) -> Vec<Reason> {
        type Sentence<'a> = fn(&Pair<'a>) -> Option<Reason>;
        let kinds: [(&[Group], Sentence<'_>); 4] = [
            (&[Group::MemorySystem, Group::Coherence], Pair::requests),
            (&[Group::L2, Group::Llc], Pair::outer_caches),
            (&[Group::L1d], Pair::first_cache),
            (&[Group::Instructions], Pair::instructions),
        ];
        let mut changes: Vec<_> = kinds
            .iter()
            .map(|(groups, sentence)| (groups.iter().map(|group| self.more(*group)).sum::<f64>().abs(), sentence))
            .collect();
        let all: f64 = changes.iter().map(|(change, _)| change).sum();
        let least = (WORTH_A_SENTENCE * all).max(SMALL * self.run_times()[0]);
        changes.retain(|(change, _)| *change >= least && *change > 0.0);
        changes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut reasons: Vec<Reason> = self.rows().into_iter().collect();
        reasons.extend(changes.into_iter().filter_map(|(_, sentence)| sentence(self)));
        reasons.extend(self.changed_misses());
        reasons.extend(self.memory_writes());
        reasons
    }

    /// The cores among which numbers are shared out: those with a thread where they are not as many in both runs.
    fn sharing(&self) -> Option<[f64; 2]> {
        let threads = [0, 1].map(|i| self.times[i].n_threads());
        (threads[0] != threads[1]).then(|| threads.map(|n| n.max(1) as f64))
    }

    fn volume(&self, n: [u64; 2], groups: &[Group]) -> Volume {
        let cores = self.sharing().unwrap_or([1.0; 2]);
        let of_groups = |i: usize| groups.iter().map(|group| self.times[i].of(*group) as f64).sum::<f64>();
        Volume { n: [0, 1].map(|i| n[i] as f64 / cores[i]), time: [0, 1].map(|i| of_groups(i) / cores[i]) }
    }

    /// What leaves the private caches.
    fn requests(&self) -> Option<Reason> {
        let [all, back] = ["interconnect.transactions", "interconnect.bus_wb"].map(|counter| self.total(counter));
        let n = [0, 1].map(|i| all[i].saturating_sub(back[i]));
        if n.contains(&0) {
            return None;
        }
        let volume = self.volume(n, &[Group::MemorySystem, Group::Coherence]);
        let [number, price] = volume.split();
        let mut evidence = vec!["interconnect.transactions".to_owned()];
        let [before, after] = volume.counts();
        let caches = if self.sharing().is_some() { "the average core's caches" } else { "the private caches" };
        let is_number = number.abs() >= WORTH_A_CLAUSE && before != after;
        let mut sentence = match is_number {
            true => format!("{after} requests leave {caches} instead of {before}"),
            false => format!("About as many requests leave {caches}, {before} and {after}"),
        };
        let own = self.sharing().is_none().then(|| self.kind(n)).flatten();
        if let Some((name, counter, of_kind)) = own.filter(|_| is_number) {
            sentence += &format!(", most of the change {name}: {} instead of {}", count(of_kind[1]), count(of_kind[0]));
            evidence.push(counter.to_owned());
        }
        if price.abs() >= WORTH_A_CLAUSE
            && let Some([before, after]) = volume.prices()
        {
            sentence += if is_number { "; each costs its core " } else { ", but each costs its core " };
            sentence += &format!("{after} instead of {before}");
            let each = volume.each();
            sentence += &self.price(n, each[1] > each[0], &mut evidence);
        }
        Some(Reason { sentence: sentence + ".", evidence })
    }

    /// The kind of request whose number changed most, with the whole.
    fn kind(&self, n: [u64; 2]) -> Option<(&'static str, &'static str, [u64; 2])> {
        const KINDS: [(&str, &str); 5] = [
            ("reads", "interconnect.bus_rd"),
            ("reads for ownership", "interconnect.bus_rdx"),
            ("upgrades", "interconnect.bus_upgr"),
            ("updates", "interconnect.bus_upd"),
            ("words without a cache", "interconnect.uncached"),
        ];
        let grows = n[1] > n[0];
        let counted = KINDS.map(|(name, counter)| (name, counter, self.total(counter)));
        let change = |of: &[u64; 2]| if grows { of[1].saturating_sub(of[0]) } else { of[0].saturating_sub(of[1]) };
        counted.into_iter().filter(|(.., of)| change(of) > 0).max_by_key(|(.., of)| change(of))
    }

    /// What a request takes longer, or less long, for.
    fn price(&self, n: [u64; 2], longer: bool, evidence: &mut Vec<String>) -> String {
        const PARTS: [(&str, Owner, &str); 5] = [
            ("memory_local", Owner::MemoryLocal, "waiting for memory itself"),
            ("memory_remote", Owner::MemoryRemote, "waiting for another node's memory"),
            ("queue", Owner::Queue, "waiting for its turn"),
            ("network", Owner::Network, "the way over the wires"),
            ("coherence", Owner::Coherence, "waiting for other caches"),
        ];
        let each = |owner: Owner| {
            [0, 1].map(|i| {
                let of_cores = self.times[i].cores.iter().map(|core| core.of(|other| other == owner)).sum::<u64>();
                of_cores as f64 / n[i] as f64
            })
        };
        let change = |[a, b]: [f64; 2]| if longer { b - a } else { a - b };
        let parts = PARTS.map(|(name, owner, what)| (name, what, each(owner)));
        let Some((name, what, [a, b])) = parts.into_iter().max_by(|x, y| change(x.2).total_cmp(&change(y.2))) else {
            return String::new();
        };
        evidence.push(format!("stack.{name}_ps"));
        let mut clause = format!(", above all {what}: {} instead of {}", time(b), time(a));
        let busy = [0, 1].map(|i| total(&self.records[i].metrics, "interconnect.busy_ps") as f64 / self.run_times()[i].max(1.0));
        if name == "queue" && (busy[1] - busy[0]).abs() >= BUSIER {
            clause += &format!(" (the interconnect moves data {} of the time instead of {})", percent(busy[1]), percent(busy[0]));
            evidence.push("interconnect.busy_ps".to_owned());
        }
        let (reads, caches) = (self.total("memory.reads"), self.total("interconnect.flushes"));
        if name.starts_with("memory") && reads[0] != reads[1] {
            clause += &format!(" ({} lines come from memory instead of {}", count(reads[1]), count(reads[0]));
            clause += &format!(", {} from other caches instead of {})", count(caches[1]), count(caches[0]));
            evidence.extend(["memory.reads".to_owned(), "interconnect.flushes".to_owned()]);
        }
        clause
    }

    /// Lines that memory takes.
    fn memory_writes(&self) -> Option<Reason> {
        let [writes, back, flushes, supplies] =
            ["memory.writes", "interconnect.bus_wb", "interconnect.flushes", "interconnect.supplies"]
                .map(|counter| self.total(counter));
        let requests = self.total("interconnect.transactions");
        let change = writes[0].abs_diff(writes[1]) as f64;
        if change == 0.0 || change < WRITES * requests[0].max(requests[1]) as f64 {
            return None;
        }
        let taken = [0, 1].map(|i| flushes[i].saturating_sub(supplies[i]));
        let why = match taken[0].abs_diff(taken[1]) >= back[0].abs_diff(back[1]) {
            true => format!(
                "{} lines on their way from cache to cache are written there too instead of {}",
                count(taken[1]),
                count(taken[0])
            ),
            false => format!("{} lines that make room are written back instead of {}", count(back[1]), count(back[0])),
        };
        let sentence = format!("Memory takes {} writes instead of {}: {why}.", count(writes[1]), count(writes[0]));
        let evidence = ["memory.writes", "interconnect.flushes", "interconnect.supplies", "interconnect.bus_wb"];
        Some(Reason { sentence, evidence: evidence.map(str::to_owned).to_vec() })
    }

    fn outer_caches(&self) -> Option<Reason> {
        ["l2", "llc"]
            .iter()
            .find_map(|name| self.lookups(name, &format!("{} is asked", cache_name(name)), &[Group::L2, Group::Llc]))
    }

    fn first_cache(&self) -> Option<Reason> {
        self.lookups("l1d", "L1d is accessed", &[Group::L1d])
    }

    /// How often a cache is looked into, and what a lookup takes.
    fn lookups(&self, name: &str, asked: &str, groups: &[Group]) -> Option<Reason> {
        let n = self.total(&format!("{name}.accesses"));
        if n.contains(&0) {
            return None;
        }
        let volume = self.volume(n, groups);
        let evidence = vec![format!("{name}.accesses"), format!("stack.{name}_ps")];
        self.often_or_long(&volume, asked, &format!("A lookup in {} takes the core", cache_name(name)), evidence)
    }

    fn instructions(&self) -> Option<Reason> {
        let n = self.records.map(|record| record.counts.operations);
        if n.contains(&0) {
            return None;
        }
        let volume = self.volume(n, &[Group::Instructions]);
        let mut evidence = vec!["operations".to_owned()];
        evidence.extend(Group::Instructions.evidence(2));
        let who =
            if self.times.iter().all(|times| times.n_threads() == 1) { "The core carries out" } else { "The cores carry out" };
        self.often_or_long(&volume, who, "An operation takes", evidence)
    }

    fn often_or_long(&self, volume: &Volume, often: &str, long: &str, evidence: Vec<String>) -> Option<Reason> {
        let [number, price] = volume.split();
        let what = if often.ends_with("out") { "operations" } else { "times" };
        let whose = if self.sharing().is_some() { " for the average core" } else { "" };
        let mut clauses = Vec::new();
        let [before, after] = volume.counts();
        if number.abs() >= WORTH_A_CLAUSE && before != after {
            clauses.push(format!("{often} {after} {what} instead of {before}{whose}."));
        }
        if price.abs() >= WORTH_A_CLAUSE
            && let Some([before, after]) = volume.prices()
        {
            clauses.push(format!("{long} {after} on average instead of {before}."));
        }
        (!clauses.is_empty()).then(|| Reason { sentence: clauses.join(" "), evidence })
    }

    /// The row of the protocols that differs and was taken most often.
    fn rows(&self) -> Option<Reason> {
        let found = super::rows::protocols(&self.records, &self.labels.map(str::to_owned))?;
        let often = |row: &&RowDifference| row.taken.iter().flatten().fold(0u64, |sum, taken| sum.saturating_add(*taken));
        // Where protocols have states of their own, a row with other actions says more than one with another name.
        let acts = |row: &&RowDifference| {
            let actions = row.values.iter().flatten().map(|value| value.split_once(", do ").map(|(_, actions)| actions));
            let actions: Vec<Option<&str>> = actions.collect();
            actions.len() == 2 && (found.rows.len() == 1 || actions[0] != actions[1])
        };
        let candidates = found.rows.iter().filter(acts);
        let row = candidates.max_by_key(|row| (often(row), std::cmp::Reverse(&row.row))).filter(|row| often(row) > 0)?;
        let [Some(before), Some(after)] = &row.values[..] else { return None };
        let taken = |i: usize| row.taken[i].map_or("not counted".to_owned(), count);
        let only = if found.rows.len() == 1 {
            "The row that differs"
        } else {
            "Of the rows that do something else, the one taken most often"
        };
        let times = match (taken(0), taken(1)) {
            (before, after) if before == after => format!("{after} times in both"),
            (before, after) => format!("{after} times instead of {before}"),
        };
        let sentence = format!("{only} is {}: “{after}” instead of “{before}”. It was taken {times}.", row.row);
        let path = row.row.replace("memory ", "memory.").replace('/', ".");
        Some(Reason { sentence, evidence: vec![format!("node[0].protocol.{path}")] })
    }
}
