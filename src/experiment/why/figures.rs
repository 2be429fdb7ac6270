//! The figures that reasons rest on: where the time of the cores that had a thread went, and what their caches met.

use indexmap::IndexMap;

use crate::components::owner::Owner;

/// Owners of time that a reader takes for one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Base, dependency and branch.
    Instructions,
    L1d,
    L2,
    Llc,
    Translation,
    /// Memory, the way there, and the queues on it. Where one core has a thread also coherence: its snoop window is part of the way.
    MemorySystem,
    Coherence,
    Threads,
    Messages,
    Idle,
}

impl Group {
    /// All of them with the names they have in a list, in the order of the cycle stack.
    pub const ALL: [(Group, &'static str); 10] = [
        (Group::Instructions, "own instructions"),
        (Group::L1d, "L1d"),
        (Group::L2, "L2"),
        (Group::Llc, "LLC"),
        (Group::Translation, "translation"),
        (Group::MemorySystem, "memory system"),
        (Group::Coherence, "coherence"),
        (Group::Threads, "waiting for threads"),
        (Group::Messages, "messages"),
        (Group::Idle, "idle"),
    ];

    /// The group of an owner, where so many cores have a thread.
    pub fn of(owner: Owner, n_threads: usize) -> Group {
        match owner {
            Owner::Base | Owner::Dependency | Owner::Branch => Group::Instructions,
            Owner::L1d => Group::L1d,
            Owner::L2 => Group::L2,
            Owner::Llc => Group::Llc,
            Owner::Translation => Group::Translation,
            Owner::MemoryLocal | Owner::MemoryRemote | Owner::Queue | Owner::Network => Group::MemorySystem,
            Owner::Coherence if n_threads < 2 => Group::MemorySystem,
            Owner::Coherence => Group::Coherence,
            Owner::Synchronisation => Group::Threads,
            Owner::Message => Group::Messages,
            Owner::Idle => Group::Idle,
        }
    }

    /// The metrics of its owners, as evidence.
    pub fn evidence(self, n_threads: usize) -> impl Iterator<Item = String> {
        let owners = Owner::ALL.iter().filter(move |(_, owner)| Group::of(*owner, n_threads) == self);
        owners.map(|(name, _)| format!("stack.{name}_ps"))
    }
}

/// The time of a core by owner, in picoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoreTime {
    /// `node[0].core[3]`.
    pub path: String,
    stack: [u64; Owner::COUNT],
}

impl CoreTime {
    /// The time of some owners.
    pub fn of(&self, counts: impl Fn(Owner) -> bool) -> u64 {
        Owner::ALL.iter().zip(self.stack).filter(|((_, owner), _)| counts(*owner)).map(|(_, time)| time).sum()
    }

    /// The time it worked: instructions, with what its caches took to answer.
    pub fn work(&self) -> u64 {
        self.of(|owner| matches!(Group::of(owner, 2), Group::Instructions | Group::L1d | Group::L2))
    }
}

/// A run's time by group, of the cores that had a thread.
#[derive(Clone, Debug)]
pub struct Times {
    /// Those with a thread, in order.
    pub cores: Vec<CoreTime>,
    /// All there are.
    pub n_cores: usize,
}

impl Times {
    /// Sorts the stacks of a record's metrics.
    pub fn new(metrics: &IndexMap<String, u64>) -> Times {
        let mut cores: IndexMap<&str, CoreTime> = IndexMap::new();
        for (path, &time) in metrics {
            let Some((core, name)) = path.split_once(".stack.") else { continue };
            let Some((_, owner)) = Owner::ALL.iter().find(|(owner, _)| name.strip_suffix("_ps") == Some(owner)) else { continue };
            cores.entry(core).or_insert_with(|| CoreTime { path: core.to_owned(), ..CoreTime::default() }).stack[*owner as usize] =
                time;
        }
        let n_cores = cores.len();
        let had_thread = |core: &CoreTime| core.of(|owner| owner != Owner::Idle) > 0;
        Times { cores: cores.into_values().filter(had_thread).collect(), n_cores }
    }

    /// How many cores had a thread.
    pub fn n_threads(&self) -> usize {
        self.cores.len()
    }

    /// The time of all cores that had a thread.
    pub fn whole(&self) -> u64 {
        self.cores.iter().map(|core| core.of(|_| true)).sum()
    }

    /// The time of a group.
    pub fn of(&self, group: Group) -> u64 {
        self.cores.iter().map(|core| core.of(|owner| Group::of(owner, self.n_threads()) == group)).sum()
    }

    /// The share of a group, from 0 to 1.
    pub fn share(&self, group: Group) -> f64 {
        share(self.of(group), self.whole())
    }
}

/// A part of a whole, 0 of nothing.
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// A share in words: whole per cent, and never 0% or 100% of what is more or less.
pub fn percent(share: f64) -> String {
    match share {
        s if s > 0.0 && s < 0.005 => "less than 1%".to_owned(),
        s if (0.995..1.0).contains(&s) => "over 99%".to_owned(),
        s => format!("{:.0}%", s * 100.0),
    }
}

/// A count with its thousands apart: `37,509`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let first = (digits.len() + 2) % 3 + 1;
    let (head, tail) = digits.split_at(first.min(digits.len()));
    let mut text = head.to_owned();
    for group in tail.as_bytes().chunks(3) {
        text.push(',');
        text.extend(group.iter().map(|&digit| char::from(digit)));
    }
    text
}

/// The sum of a counter over all parts that have it: `l1d.misses`.
pub fn total(metrics: &IndexMap<String, u64>, counter: &str) -> u64 {
    let end = format!(".{counter}");
    metrics.iter().filter(|(path, _)| path.ends_with(&end)).map(|(_, value)| value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_shares_read_well() {
        assert_eq!(
            [0, 12, 999, 1_000, 37_509, 811_264, 1_234_567].map(count),
            ["0", "12", "999", "1,000", "37,509", "811,264", "1,234,567"]
        );
        assert_eq!([0.0, 0.004, 0.555, 0.996, 1.0].map(percent), ["0%", "less than 1%", "56%", "over 99%", "100%"]);
    }

    #[test]
    fn cores_without_a_thread_are_left_out() {
        let mut metrics = IndexMap::new();
        for (core, owner, time) in [(0, "base", 60), (0, "coherence", 40), (1, "idle", 100), (1, "base", 0)] {
            metrics.insert(format!("node[0].core[{core}].stack.{owner}_ps"), time);
        }
        let times = Times::new(&metrics);
        assert_eq!((times.n_threads(), times.n_cores, times.whole()), (1, 2, 100));
        // One core has nobody to be coherent with.
        assert_eq!((times.of(Group::MemorySystem), times.of(Group::Coherence)), (40, 0));
        metrics.insert("node[0].core[1].stack.base_ps".into(), 50);
        let times = Times::new(&metrics);
        assert_eq!((times.n_threads(), times.of(Group::MemorySystem), times.of(Group::Coherence)), (2, 0, 40));
    }
}
