//! To whom the window's cycles belong: each between two commits to what kept the later operation.

use super::entry::Answer;
use super::operations::Kind;
use super::{Late, Source, Window};
use crate::base::time::{Clock, Time};
use crate::components::owner::{Owner, Stack};

/// What the window counted, and whose its cycles were.
#[derive(Clone, Debug, Default)]
pub struct WindowAccount {
    pub branches: u64,
    pub mispredictions: u64,
    /// Loads that took their value from a store before it.
    pub forwarded: u64,
    /// Cycles of the core's own, by source line and owner.
    pub worked: Vec<[u64; Owner::COUNT]>,
    /// Waits for requests, by source line.
    pub waited: Vec<Stack>,
    /// Cycles that are in `waited`.
    pub waited_cycles: u64,
}

impl WindowAccount {
    pub(super) fn new(n_lines: usize) -> WindowAccount {
        let worked = vec![[0; Owner::COUNT]; n_lines];
        WindowAccount { worked, waited: vec![Stack::default(); n_lines], ..WindowAccount::default() }
    }

    /// Charges what of a wait for instructions lies between two cycles to a source line. Returns how many cycles that is.
    fn late(&mut self, line: usize, late: &Late, (begin, end): (u64, u64), clock: Clock) -> u64 {
        let (from, until) = (late.from.clamp(begin, end), late.until.clamp(begin, end));
        match &late.source {
            Source::Level(owner) => self.worked[line][*owner as usize] += until - from,
            Source::Request(timeline) => {
                let stack = &mut self.waited[line];
                let (first, last) = (clock.edge(from), clock.edge(until));
                let known = timeline.overlap(first, last, stack);
                stack.add(Owner::Dependency, (last - first).saturating_sub(known));
                self.waited_cycles += until - from;
            }
        }
        until - from
    }
}

impl Window {
    /// The cycles from one commit to the next belong to what kept the later operation: first the cycles of the core's own, then, from
    /// the cycle on in which its request set out, what the request met.
    pub(super) fn charge(&mut self, place: usize, before: u64, cycle: u64) {
        let entry = self.entries.at(place);
        let looked_up = entry.looked + self.all_lookups();
        let request = match entry.answer {
            Answer::Missed => Some((looked_up, &self.timelines[place])),
            _ if entry.kind == Kind::Store => {
                self.pending.last_timeline.as_ref().map(|timeline| (entry.ready.max(entry.front), &**timeline))
            }
            _ => None,
        };
        let own_until = request.map_or(cycle, |(from, _)| from.clamp(before, cycle));
        let (line, mut rest) = (entry.line as usize, own_until - before);
        while let Some(late) = self.supply.take(self.window.oldest()) {
            rest -= self.account.late(line, &late, (before, own_until), self.clock);
        }
        let worked = &mut self.account.worked[line];
        let mut give = |owner: Owner, from: u64, until: u64| {
            let cycles = until.min(own_until).saturating_sub(from.max(before));
            worked[owner as usize] += cycles;
            rest -= cycles;
        };
        // The front end stood still before the operation was dispatched, so these do not overlap.
        give(Owner::Branch, before, entry.front);
        if let Some(&(since, translated)) = self.translations.get(place) {
            give(Owner::Translation, since, translated);
        }
        if entry.answer != Answer::Nothing {
            give(Owner::L1d, entry.looked, entry.looked + self.reach[0]);
        }
        let depth = match entry.answer {
            Answer::Nothing => 0,
            Answer::Found(depth) => usize::from(depth),
            Answer::Missed => self.reach.len() - 1,
        };
        if depth > 0 {
            give(Owner::L2, entry.looked + self.reach[0], entry.looked + self.reach[1]);
            give(Owner::Llc, entry.looked + self.reach[1], entry.looked + self.reach[depth]);
        }
        let base = rest.min(1);
        worked[Owner::Base as usize] += base;
        worked[Owner::Dependency as usize] += rest - base;
        if let Some((_, timeline)) = request
            && own_until < cycle
        {
            let (from, until) = (self.clock.edge(own_until), self.clock.edge(cycle));
            let stack = &mut self.account.waited[entry.line as usize];
            let known = timeline.overlap(from, until, stack);
            stack.add(Owner::Dependency, (until - from).saturating_sub(known));
            self.account.waited_cycles += cycle - own_until;
        }
    }

    /// The cycle at which the window came to be empty; what was left to wait for was the last store, then instructions, for which a source
    /// line waits.
    pub fn drain(&mut self, line: u32) -> u64 {
        let last = self.entries.of(self.window.newest().wrapping_sub(1)).line;
        let (before, cycle) = (self.commit.cycle, self.commit.cycle.max(self.pending.last_left));
        self.wait_for_stores(last, before, cycle);
        self.supplied(line, cycle)
    }

    /// The cycle at which every operation of the window was committed, and the front end, for which a source line waits, had its
    /// instructions; stores may wait in their buffer.
    pub fn committed(&mut self, line: u32) -> u64 {
        self.supplied(line, self.commit.cycle)
    }

    /// From one cycle to another the last store that left its buffer was waited for, at a source line where it was no synchronising one.
    pub(super) fn wait_for_stores(&mut self, line: u32, before: u64, cycle: u64) {
        if cycle > before {
            let line = self.pending.last_synchronising.unwrap_or(line);
            let (begin, end) = (self.clock.edge(before), self.clock.edge(cycle));
            let stack = &mut self.account.waited[line as usize];
            let known = self.pending.last_timeline.as_ref().map_or(Time::ZERO, |timeline| timeline.overlap(begin, end, stack));
            stack.add(Owner::L1d, (end - begin).saturating_sub(known));
            self.account.waited_cycles += cycle - before;
        }
    }

    /// From a cycle on with nothing in the window, instructions were waited for: until when.
    fn supplied(&mut self, line: u32, cycle: u64) -> u64 {
        let (mut at, until) = (cycle, cycle.max(self.supply.until()));
        for late in self.supply.take_next() {
            at += self.account.late(line as usize, &late, (cycle, until), self.clock);
        }
        self.account.worked[line as usize][Owner::Dependency as usize] += until - at;
        self.resume(until);
        until
    }
}
