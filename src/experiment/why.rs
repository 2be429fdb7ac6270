//! Why a run took the time it took, in sentences that each rest on figures of the record.
//!
//! ```text
//!   stacks of lines --by what the line waits for--> causes, the largest first --> a sentence each
//!                                                       |
//!   bounds of buses and memory -------------------------+  one that is nearly always busy takes the place of "memory"
//! ```
//!
//! The headline is the largest cause. Times are those of the cores that had a thread; what is spun is waiting, not work.

mod data;
mod figures;
mod meeting;
mod messages;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::components::network::NetworkSpec;
use crate::components::owner::Owner;
use crate::components::spec::NodeSpec;
use crate::experiment::bounds::{Bound, resources};
use crate::experiment::record::{ProfileLine, Reason};

pub use figures::{Group, Times, count, total};
use figures::{percent, share};
use text::Meeting;
pub use text::ProgramText;

/// At this share of the time or more a resource sets the pace of the run.
const PACE: f64 = 0.75;
/// It does so only where the cores wait for data at least for this share of their time.
const HELD_BACK: f64 = 0.25;
/// Causes below this share of the cores' time are not worth a sentence.
const WORTH_SAYING: f64 = 0.10;

/// What time went to, as far as a sentence is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    /// Instructions and hits in the first cache.
    Instructions,
    /// Further caches of the core.
    Caches,
    /// The cache that the node's cores share.
    SharedCache,
    /// Second-level TLBs and walks of the page table.
    Translation,
    /// Lines that no cache of the core had.
    Memory,
    /// Waiting for other threads, with the lines that such waiting moves.
    Meeting(Meeting),
    /// Messages, and what carries them.
    Messages,
    /// After the end of the thread's part.
    Idle,
}

/// How much time went to a cause, and where most of it.
#[derive(Clone, Debug)]
struct Share {
    cause: Cause,
    time_ps: u64,
    /// Lines with time of this cause, costliest first.
    lines: Vec<(u32, u64)>,
}

/// Everything that sentences are made from.
struct Run<'a> {
    time_ps: u64,
    metrics: &'a IndexMap<String, u64>,
    nodes: &'a [NodeSpec],
    network: Option<&'a NetworkSpec>,
    times: Times,
    text: ProgramText<'a>,
}

/// The reasons, the most important first, of a run on these nodes; `text` is the program's, empty where a trace ran.
pub fn reasons(
    time_ps: u64,
    metrics: &IndexMap<String, u64>,
    profile: &[ProfileLine],
    text: &str,
    nodes: &[NodeSpec],
    network: Option<&NetworkSpec>,
) -> Vec<Reason> {
    if time_ps == 0 {
        return vec![Reason { sentence: "Everything this run needed was ideal, so it took no time.".into(), evidence: Vec::new() }];
    }
    let run = Run { time_ps, metrics, nodes, network, times: Times::new(metrics), text: ProgramText::new(text) };
    let causes = run.causes(profile);
    let mut reasons: Vec<Reason> = causes
        .iter()
        .enumerate()
        .filter(|(rank, cause)| *rank == 0 || run.is_worth_adding(cause))
        .map(|(_, cause)| run.reason(cause))
        .collect();
    // A resource that is nearly always busy holds back whatever waits for it, also where that is not the largest cause.
    let holds_back = |cause: &Share| matches!(cause.cause, Cause::Memory | Cause::Messages) && run.part(cause.time_ps) >= HELD_BACK;
    let limit = run.limit().filter(|_| causes.iter().any(holds_back));
    if let Some(limit) = limit {
        reasons.insert(0, run.at_its_limit(&limit, &causes));
    }
    reasons.extend(run.foreseen());
    let details = run.threads().into_iter().chain(run.costliest_line(profile));
    reasons.splice(1.min(reasons.len())..1.min(reasons.len()), details.collect::<Vec<_>>());
    reasons
}

impl Run<'_> {
    /// Where the cores' time went, the largest cause first.
    fn causes(&self, profile: &[ProfileLine]) -> Vec<Share> {
        let mut causes: Vec<Share> = Vec::new();
        let mut add = |cause: Cause, line: Option<u32>, time_ps: u64| {
            if time_ps == 0 {
                return;
            }
            let position = causes.iter().position(|share| share.cause == cause).unwrap_or_else(|| {
                causes.push(Share { cause, time_ps: 0, lines: Vec::new() });
                causes.len() - 1
            });
            causes[position].time_ps += time_ps;
            causes[position].lines.extend(line.map(|line| (line, time_ps)));
        };
        for line in profile {
            let meeting = self.text.meeting(line.line);
            let mut of_line: BTreeMap<Cause, u64> = BTreeMap::new();
            for (name, owner) in Owner::ALL {
                *of_line.entry(self.cause(Group::of(owner, 2), meeting)).or_default() += line.stack.get(name).copied().unwrap_or(0);
            }
            of_line.into_iter().for_each(|(cause, time)| add(cause, Some(line.line), time));
        }
        for (group, _) in Group::ALL {
            if group == Group::Idle || profile.is_empty() {
                add(self.cause(group, None), None, self.times.of(group));
            }
        }
        for share in &mut causes {
            share.lines.sort_by_key(|&(line, time)| (std::cmp::Reverse(time), line));
        }
        causes.sort_by_key(|share| (std::cmp::Reverse(share.time_ps), share.cause));
        causes
    }

    /// The cause of a group's time on a line that works on objects, or meets other threads.
    fn cause(&self, group: Group, meeting: Option<Meeting>) -> Cause {
        match (group, meeting) {
            (Group::Instructions | Group::L1d, _) => Cause::Instructions,
            (Group::Llc, _) if self.shared_cache().is_some() => Cause::SharedCache,
            (Group::L2 | Group::Llc, _) => Cause::Caches,
            (Group::Translation, _) => Cause::Translation,
            (Group::MemorySystem | Group::Coherence, None) => Cause::Memory,
            (Group::MemorySystem | Group::Coherence, Some(meeting)) => Cause::Meeting(meeting),
            // Workers wait for the next parallel part under whatever line comes last.
            (Group::Threads, meeting) => Cause::Meeting(meeting.unwrap_or(Meeting::Team)),
            (Group::Messages, _) => Cause::Messages,
            (Group::Idle, _) => Cause::Idle,
        }
    }

    /// The share of the cores' time.
    fn part(&self, time_ps: u64) -> f64 {
        share(time_ps, self.times.whole())
    }

    /// Whether a cause that is not the largest gets a sentence. Instructions need none, nor do lookups on the way of misses.
    fn is_worth_adding(&self, cause: &Share) -> bool {
        let kind = match cause.cause {
            Cause::Instructions => false,
            Cause::Caches => self.finds_in_outer_cache(),
            _ => true,
        };
        kind && self.part(cause.time_ps) >= WORTH_SAYING
    }

    /// The bus or memory that was busy most, where it was nearly always.
    fn limit(&self) -> Option<Bound> {
        self.busiest().filter(|bound| share(bound.time_ps, self.time_ps) >= PACE)
    }

    fn busiest(&self) -> Option<Bound> {
        resources(self.nodes, self.network, self.metrics).into_iter().next()
    }

    fn reason(&self, cause: &Share) -> Reason {
        let (sentence, evidence) = match cause.cause {
            Cause::Instructions => self.instructions(),
            Cause::Caches => self.caches(cause),
            Cause::SharedCache => self.waits_for_shared_cache(cause),
            Cause::Translation => self.translation(cause),
            Cause::Memory => self.memory(cause),
            Cause::Meeting(meeting) => self.meeting(meeting, cause),
            Cause::Messages => self.messages(cause),
            Cause::Idle => self.idle(cause),
        };
        Reason { sentence, evidence }
    }

    /// "the core waited", "the cores waited".
    fn cores(&self, did: &str) -> String {
        if self.times.n_threads() == 1 { format!("the core {did}") } else { format!("the cores {did}") }
    }

    /// "its", "their".
    fn whose(&self) -> &'static str {
        if self.times.n_threads() == 1 { "its" } else { "their" }
    }

    fn idle(&self, cause: &Share) -> (String, Vec<String>) {
        let sentence = format!(
            "For {} of {} time {} nothing more to do while others were still at work: the work is shared out unequally.",
            percent(self.part(cause.time_ps)),
            self.whose(),
            self.cores("had"),
        );
        (sentence, vec!["stack.idle_ps".into()])
    }

    /// Cores without a thread.
    fn threads(&self) -> Option<Reason> {
        let (threads, cores) = (self.times.n_threads(), self.times.n_cores);
        let which = match (self.text.is_empty(), self.text.is_parallel()) {
            (true, _) => "have references in the trace",
            (false, true) => "had a thread, as many as the run was given",
            (false, false) => "had a thread, as the program has no parallel part",
        };
        (threads > 0 && threads < cores).then(|| Reason {
            sentence: format!("{threads} of {cores} cores {which}; the others are left out of all shares."),
            evidence: vec!["finish_ps".into()],
        })
    }

    fn costliest_line(&self, profile: &[ProfileLine]) -> Option<Reason> {
        let line = profile.first()?;
        let source = self.text.line(line.line)?;
        let mut groups = [0u64; Group::ALL.len()];
        for (name, owner) in Owner::ALL {
            groups[Group::of(owner, self.times.n_threads()) as usize] += line.stack.get(name).copied().unwrap_or(0);
        }
        let (&time, group) =
            groups.iter().zip(Group::ALL).rev().max_by_key(|(time, _)| **time).map(|(time, (group, _))| (time, group))?;
        let most = percent(share(time, line.time_ps));
        let doing = match group {
            Group::Instructions => "carrying out its instructions",
            Group::L1d => "looking into the L1 data cache",
            Group::L2 => "looking into the L2 cache",
            Group::Llc => "looking into the last-level cache",
            Group::Translation => "translating addresses",
            Group::MemorySystem => "waiting for the memory system",
            Group::Coherence => "waiting for lines that other cores have or are getting",
            Group::Threads => "waiting for other threads",
            Group::Messages => "on messages",
            Group::Idle => "with nothing to do",
        };
        Some(Reason {
            sentence: format!(
                "Line {} (`{source}`) took {} of the time, {most} of that {doing}.",
                line.line,
                percent(self.part(line.time_ps)),
            ),
            evidence: vec![format!("profile.line[{}]", line.line)],
        })
    }
}
