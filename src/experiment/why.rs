//! Why a run took the time it took, in sentences that each rest on figures of the record.
//!
//! The headline is the nearest lower bound: no run can be faster than its busiest resource. Where no resource is near its limit, the
//! cores were waiting, and the owners of their time say for what.

use indexmap::IndexMap;

use crate::experiment::bounds::Bound;
use crate::experiment::record::{ProfileLine, Reason};

/// The owners of a core's time, in the order of the cycle stack, each with what the core is doing then.
pub const OWNERS: [(&str, &str); 13] = [
    ("base", "carrying out operations"),
    ("dependency", "waiting for operands of earlier operations"),
    ("branch", "recovering from mispredicted branches"),
    ("l1d", "waiting for the L1 data cache"),
    ("l2", "waiting for the L2 cache"),
    ("llc", "waiting for the last-level cache"),
    ("memory_local", "waiting for memory"),
    ("memory_remote", "waiting for another node's memory"),
    ("queue", "queueing for a busy bus or memory"),
    ("coherence", "waiting for other caches to give up or hand over lines"),
    ("synchronisation", "waiting for other threads at locks, barriers and flags"),
    ("network", "waiting while requests and data cross the interconnect"),
    ("idle", "idle, with no work of its own"),
];

/// What the core is doing while its time belongs to `owner`.
pub fn owner_phrase(owner: &str) -> &'static str {
    OWNERS.iter().find(|(name, _)| *name == owner).map_or("busy", |(_, phrase)| phrase)
}

/// At this share of the time or more a resource sets the pace of the run.
const PACE: f64 = 0.75;
/// Owners below this share of the cores' time are not worth a sentence.
const WORTH_SAYING: f64 = 0.10;

/// The sum over all cores of each owner's time, from the metrics, in the order of [`OWNERS`].
pub fn stack_totals(metrics: &IndexMap<String, u64>) -> Vec<(&'static str, u64)> {
    OWNERS
        .iter()
        .map(|(owner, _)| {
            let suffix = format!(".stack.{owner}_ps");
            (*owner, metrics.iter().filter(|(path, _)| path.ends_with(&suffix)).map(|(_, value)| value).sum())
        })
        .collect()
}

/// The reasons, the most important first. `bounds` come sorted, the largest first.
pub fn reasons(
    time_ps: u64,
    metrics: &IndexMap<String, u64>,
    profile: &[ProfileLine],
    text: &str,
    bounds: &[Bound],
    cores: usize,
) -> Vec<Reason> {
    if time_ps == 0 {
        return vec![Reason { sentence: "Everything this run needed was ideal, so it took no time.".into(), evidence: Vec::new() }];
    }
    let totals = stack_totals(metrics);
    let mut reasons = vec![headline(time_ps, &totals, bounds, cores)];
    reasons.extend(costliest_line(profile, text, time_ps, cores));
    reasons.extend(owners(&totals, cores));
    reasons
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The owner with the most time, and its share.
fn top_owner(totals: &[(&'static str, u64)]) -> (&'static str, f64) {
    let whole: u64 = totals.iter().map(|(_, time)| time).sum();
    // The first of equals, as in the cycle stack.
    let top = totals.iter().fold(("base", 0), |best, &(owner, time)| if time > best.1 { (owner, time) } else { best });
    (top.0, share(top.1, whole))
}

fn headline(time_ps: u64, totals: &[(&'static str, u64)], bounds: &[Bound], cores: usize) -> Reason {
    match bounds.first() {
        Some(bound) if share(bound.time_ps, time_ps) >= PACE => Reason {
            sentence: format!(
                "{} sets the pace: {}. That alone needs {} of the time this run took, however fast everything else were.",
                bound.subject,
                bound.explanation,
                percent(share(bound.time_ps, time_ps)),
            ),
            evidence: bound.evidence.clone(),
        },
        nearest => waiting(time_ps, totals, nearest, cores),
    }
}

/// The headline where no resource is near its limit.
fn waiting(time_ps: u64, totals: &[(&'static str, u64)], nearest: Option<&Bound>, cores: usize) -> Reason {
    let (owner, owner_share) = top_owner(totals);
    let subject = if cores == 1 { "its time the core was" } else { "their time the cores were" };
    let limit = nearest.map_or(String::new(), |bound| {
        format!(" and no resource was at its limit ({} needs {} of the time)", bound.name, percent(share(bound.time_ps, time_ps)))
    });
    let conclusion = match owner {
        "base" => "the program's own operations fill the time",
        "synchronisation" => "threads wait for each other",
        "idle" => "there is not enough parallel work to go round",
        "queue" => "requests come in bursts that have to queue",
        _ => "the latency of each access counts, not the bandwidth",
    };
    Reason {
        sentence: format!("For {} of {subject} {}{limit}: {conclusion}.", percent(owner_share), owner_phrase(owner)),
        evidence: vec![format!("stack.{owner}_ps")],
    }
}

fn costliest_line(profile: &[ProfileLine], text: &str, time_ps: u64, cores: usize) -> Option<Reason> {
    let line = profile.first()?;
    let source = text.lines().nth(line.line.checked_sub(1)? as usize)?.trim();
    let (owner, time) = line.stack.iter().max_by_key(|(_, time)| **time)?;
    let cause = if *time * 2 > line.time_ps { "most of it" } else { "spread over several causes, the largest" };
    Some(Reason {
        sentence: format!(
            "Line {} (`{source}`) cost {} of all core time, {cause} {}.",
            line.line,
            percent(share(line.time_ps, time_ps.checked_mul(cores as u64)?)),
            owner_phrase(owner),
        ),
        evidence: vec![format!("profile.line[{}]", line.line)],
    })
}

/// Advice for each owner that takes a share worth a sentence.
fn owners(totals: &[(&'static str, u64)], cores: usize) -> Vec<Reason> {
    let whole: u64 = totals.iter().map(|(_, time)| time).sum();
    let mut large: Vec<_> = totals.iter().filter(|(_, time)| share(*time, whole) >= WORTH_SAYING).collect();
    large.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    large
        .into_iter()
        .filter_map(|&(owner, time)| {
            let advice = match owner {
                "queue" => "the bus or the memory has more to do than it can: fewer bytes, a wider bus or fewer cores would shorten the queue",
                "coherence" => "lines are wanted by several cores at once: give each thread data of its own, on lines of its own",
                "synchronisation" if cores > 1 => "threads meet too often, or with unequal work",
                "idle" if cores > 1 => "some cores had nothing to do: more parallel work, or fewer cores",
                "memory_local" => "the data does not fit the caches, or is used only once: reuse it while it is near",
                "l2" => "the data overflows the L1 cache but fits the next one",
                _ => return None,
            };
            Some(Reason {
                sentence: format!("{} of core time went to {}: {advice}.", percent(share(time, whole)), owner_phrase(owner)),
                evidence: vec![format!("stack.{owner}_ps")],
            })
        })
        .collect()
}
