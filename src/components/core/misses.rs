//! Misses of an out-of-order core: lines that are on their way, lookups that wait for them, and lookups that cannot be made yet.
//!
//! ```text
//!   lookup --line on its way--> waits for it (an MSHR: Kroft, ISCA 1981)
//!     |  '----no free MSHR----> waits for one  --a line has come--> made again, if there is a free one by then
//!     '-----no usable line----> stalled        --something came or left--> made again
//! ```

use std::collections::VecDeque;

use super::window::Lookup;
use crate::base::address::Line;
use crate::coherence::controller::Transaction;

/// A line that is on its way, and the lookups that wait for it.
#[derive(Clone, Debug)]
pub(super) struct Miss {
    pub line: Line,
    pub write: bool,
    /// Asked for by the front end.
    pub fetch: bool,
    /// What is asked for now.
    pub transaction: Transaction,
    pub waiters: Vec<Lookup>,
    /// It was asked for beforehand.
    pub prefetch: bool,
}

/// A lookup that found no free MSHR for its line.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    lookup: Lookup,
    line: Line,
    /// The line has been asked for since, or has come: the lookup would find that.
    has_news: bool,
}

/// What an out-of-order core misses.
#[derive(Clone, Debug)]
pub(super) struct Misses {
    under_way: Vec<Miss>,
    n_mshrs: usize,
    waiting: Vec<Waiting>,
    /// Those of them that are to be made again, by cycle.
    again: VecDeque<(u64, Waiting)>,
    /// Lookups of a line or set that cannot be used before something comes or leaves.
    stalled: Vec<Lookup>,
}

impl Misses {
    pub fn new(n_mshrs: u32) -> Misses {
        Misses {
            under_way: Vec::new(),
            n_mshrs: n_mshrs as usize,
            waiting: Vec::new(),
            again: VecDeque::new(),
            stalled: Vec::new(),
        }
    }

    pub fn under_way(&self) -> &[Miss] {
        &self.under_way
    }

    /// The miss of a line, where it is under way.
    #[inline]
    pub fn find(&mut self, line: Line) -> Option<&mut Miss> {
        self.under_way.iter_mut().find(|miss| miss.line == line)
    }

    /// How many more there can be.
    #[inline]
    pub fn n_free(&self) -> usize {
        self.n_mshrs - self.under_way.len()
    }

    /// Whether nothing is under way, nor to be made again.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty() && self.again.is_empty()
    }

    /// A line is asked for.
    pub fn begin(&mut self, miss: Miss) {
        self.has_news(miss.line);
        self.under_way.push(miss);
    }

    /// The line of a miss is there.
    pub fn end(&mut self, line: Line) -> Option<Miss> {
        let place = self.under_way.iter().position(|miss| miss.line == line)?;
        self.has_news(line);
        Some(self.under_way.remove(place))
    }

    /// Something about a line has changed: a lookup of it that waits for an MSHR may not need one any longer.
    pub fn has_news(&mut self, line: Line) {
        let again = self.again.iter_mut().map(|(_, waiting)| waiting);
        for waiting in self.waiting.iter_mut().chain(again).filter(|waiting| waiting.line == line) {
            waiting.has_news = true;
        }
    }

    /// A lookup waits for an MSHR.
    pub fn wait(&mut self, lookup: Lookup, line: Line) {
        self.waiting.push(Waiting { lookup, line, has_news: false });
    }

    /// A lookup waits for something that has to come or leave.
    pub fn stall(&mut self, lookup: Lookup) {
        self.stalled.push(lookup);
    }

    /// Something has come or left: what waits is made again at a cycle. Lookups that had stalled are returned.
    pub fn retry(&mut self, cycle: u64) -> impl Iterator<Item = Lookup> {
        if !self.waiting.is_empty() {
            self.waiting.sort_unstable_by_key(|waiting| waiting.lookup);
            let in_order = self.again.is_empty();
            self.again.extend(self.waiting.drain(..).map(|waiting| (cycle, waiting)));
            if !in_order {
                self.again.make_contiguous().sort_unstable_by_key(|&(cycle, waiting)| (cycle, waiting.lookup));
            }
        }
        self.stalled.drain(..)
    }

    /// The next lookup that is to be made again, and its line, where it comes before another and before a cycle. Those whose turn it is
    /// while there is no MSHR for them wait on, without a look at the caches.
    #[inline]
    pub fn next_again(&mut self, before: Option<(u64, Lookup)>, limit: u64) -> Option<(u64, Lookup)> {
        while let Some(&(cycle, waiting)) = self.again.front() {
            let next = (cycle, waiting.lookup);
            if before.is_some_and(|before| before < next) {
                return None;
            }
            if cycle >= limit || waiting.has_news || self.n_free() > 0 {
                return Some(next);
            }
            self.again.pop_front();
            self.waiting.push(waiting);
        }
        None
    }

    /// The next lookup is being made again.
    pub fn take_again(&mut self) {
        self.again.pop_front();
    }
}
