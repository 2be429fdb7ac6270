//! Sentences about threads that wait for each other.

use std::cmp::Reverse;

use super::figures::{percent, share};
use super::text::Meeting;
use super::{Group, Run, Share};

/// A thread with less than this share of the busiest one's work takes no part.
const BYSTANDER: f64 = 0.05;
/// The busiest thread is at work for at least this share of the time where the others wait for its work.
const AT_WORK: f64 = 0.5;
/// Where at least this part of the time at the ends of parallel parts is lines on their way, the parts are too small.
const OVERHEAD: f64 = 0.2;
/// It then has at least so many times as much to do as the average.
const UNEQUAL: f64 = 1.5;

impl Run<'_> {
    pub(super) fn meeting(&self, meeting: Meeting, cause: &Share) -> (String, Vec<String>) {
        let waiting = percent(self.part(cause.time_ps));
        let line = cause.lines.first().map(|(line, _)| *line);
        let place = line.and_then(|line| self.text.line(line)).map(|text| format!("`{}`{}", brief(text), self.places(cause)));
        let objects = line.map_or_else(Vec::new, |line| self.text.objects(line));
        let mut evidence: Vec<String> =
            [Group::Threads, Group::Coherence].iter().flat_map(|group| group.evidence(self.times.n_threads())).collect();
        evidence.extend(line.map(|line| format!("profile.line[{line}]")));
        let sentence = match (meeting, place) {
            (Meeting::Team, _) | (_, None) => self.team(cause, &waiting),
            (Meeting::Lock, Some(place)) => {
                let rule = match objects.iter().find(|object| !["array", "shared"].contains(&object.declared.word)) {
                    Some(lock) if lock.declared.word == "mutex" => {
                        format!("One thread at a time may be inside `lock {}` (line {})", lock.name, line.unwrap_or(0))
                    }
                    _ => format!("Threads wait for each other at {}", place),
                };
                format!("{rule}: waiting for it and passing it on takes {waiting} of the cores' time{}.", self.of_which(cause))
            }
            (Meeting::Await, Some(place)) => {
                let mut names: Vec<String> = Vec::new();
                for object in self.worth_naming(cause).iter().flat_map(|line| self.text.objects(*line).into_iter().take(1)) {
                    names.push(format!("`{}`", object.name));
                }
                names.dedup();
                let what = if names.is_empty() { "what it needs".to_owned() } else { names.join(" or ") };
                format!(
                    "For {waiting} of {} time {} at {} until another thread has written {what}{}.",
                    self.whose(),
                    self.cores("waited"),
                    place,
                    self.of_which(cause),
                )
            }
            (Meeting::Message, Some(place)) => format!(
                "For {waiting} of {} time {} at {place} until the rank at the other end came to its part of the message{}.",
                self.whose(),
                self.cores("waited"),
                self.unequal().map_or(String::new(), |(busiest, work, mean)| format!(
                    ": {busiest} worked {} of the time, the average core {}",
                    percent(work),
                    percent(mean)
                )),
            ),
            (Meeting::Barrier, Some(_)) => format!(
                "For {waiting} of {} time {} at the barrier in line {} until the last thread came{}{}.",
                self.whose(),
                self.cores("waited"),
                line.unwrap_or(0),
                self.of_which(cause),
                self.unequal().map_or(String::new(), |(busiest, work, mean)| format!(
                    ": {busiest} worked {} of the time, the average core {}",
                    percent(work),
                    percent(mean)
                )),
            ),
        };
        (sentence, evidence)
    }

    /// The share of the cores' time that a cause has beyond all waiting for a turn: at least so much is lines on their way.
    fn lines_on_their_way(&self, cause: &Share) -> f64 {
        self.part(cause.time_ps.saturating_sub(self.times.of(Group::Threads)))
    }

    /// How much of a cause is lines on their way rather than waiting for a turn.
    fn of_which(&self, cause: &Share) -> String {
        match self.lines_on_their_way(cause) {
            part if part < 0.05 => String::new(),
            part => format!(", {} of it for the lines that move from cache to cache", percent(part / self.part(cause.time_ps))),
        }
    }

    /// Threads that wait where parallel parts begin and end.
    fn team(&self, cause: &Share, waiting: &str) -> String {
        let n_threads = self.times.n_threads();
        let taking_part = self.taking_part();
        if taking_part < n_threads {
            let have = if taking_part == 1 { "has" } else { "have" };
            return format!(
                "Only {taking_part} of {n_threads} threads {have} work: waiting for {} takes {waiting} of the cores' time. Give the \
                 others a part, or use fewer threads.",
                if taking_part == 1 { "it" } else { "them" }
            );
        }
        if let Some((busiest, work, mean)) = self.unequal() {
            return format!(
                "The work is shared out unequally: {busiest} worked {} of the time, the average core {}, and waiting for each other \
                 takes {waiting} of the cores' time.",
                percent(work),
                percent(mean)
            );
        }
        let small = self.part(cause.time_ps) >= AT_WORK && self.lines_on_their_way(cause) >= OVERHEAD * self.part(cause.time_ps);
        let (what, advice) = match small {
            true => (
                "passing the words of fork and join from cache to cache and waiting for each other".to_owned(),
                " Fewer and larger parts would repay it.",
            ),
            false => (format!("waiting for the last thread, or for what thread 0 does between them{}", self.of_which(cause)), ""),
        };
        format!("Where parallel parts begin and end{}, {waiting} of the cores' time goes to {what}.{advice}", self.places(cause))
    }

    /// The lines that much of a cause is in, in their order.
    fn worth_naming(&self, cause: &Share) -> Vec<u32> {
        let much = cause.lines.iter().filter(|(_, time)| self.part(*time) >= 0.05).take(4);
        let mut lines: Vec<u32> = much.map(|(line, _)| *line).collect();
        lines.sort_unstable();
        lines
    }

    /// The lines that much of a cause is in: ` (lines 7, 8)`.
    fn places(&self, cause: &Share) -> String {
        let lines = self.worth_naming(cause);
        match &lines[..] {
            [] => String::new(),
            [line] => format!(" (line {line})"),
            lines => format!(" (lines {})", lines.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")),
        }
    }

    /// Threads with work worth the name.
    fn taking_part(&self) -> usize {
        let own = |core: &super::figures::CoreTime| core.of(|owner| Group::of(owner, 2) == Group::Instructions);
        let most = self.times.cores.iter().map(own).max().unwrap_or(0);
        self.times.cores.iter().filter(|core| own(core) as f64 >= BYSTANDER * most as f64).count()
    }

    /// The busiest core, its share of the time at work and the average core's, where it has far more to do than that.
    fn unequal(&self) -> Option<(String, f64, f64)> {
        let cores = &self.times.cores;
        let busiest = cores.iter().enumerate().max_by_key(|(number, core)| (core.work(), Reverse(*number)))?.1;
        let mean = share(cores.iter().map(|core| core.work()).sum(), self.times.whole());
        let most = share(busiest.work(), self.time_ps);
        let name = busiest.path.rsplit('.').next()?.replace(['[', ']'], " ");
        (most >= AT_WORK && most >= UNEQUAL * mean).then(|| (name.trim_end().to_owned(), most, mean))
    }
}

/// A statement without the brace that opens its block.
fn brief(statement: &str) -> &str {
    statement.trim_end_matches('{').trim_end()
}
