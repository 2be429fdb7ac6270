//! Causes of misses: why a cache lacks a line that is wanted.
//!
//! ```text
//!   never here before                                        cold
//!   lost to another core's write since;
//!       the word wanted was written by another since         true sharing
//!       it was not                                           false sharing
//!   left since, for another line;
//!       as many other lines as the cache has were used since capacity
//!       fewer were                                           conflict
//! ```
//!
//! Cold, capacity and conflict: Hill and Smith, "Evaluating associativity in CPU caches", IEEE Transactions on Computers 38(12), 1989; a
//! fully associative cache of the same size that replaces the least recently used line would miss too where the line's stack distance
//! (Mattson, Gecsei, Slutz and Traiger, IBM Systems Journal 9(2), 1970) is at least the number of lines, which is what is counted here. True and false sharing: Torrellas,
//! Lam and Hennessy, "False sharing and spatial locality in multiprocessor caches", IEEE Transactions on Computers 43(6), 1994: by the
//! first word that is wanted after the loss. What inclusion took counts as conflict, where the cache alone would have kept it.
//!
//! Nothing of this is done at a hit, but for the stamp that replacement gives anyway: an access is classified when it misses, from the
//! stamps of the lines that are here and of those that have left.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::base::address::Line;
use crate::components::replacement::Policy;

/// Why an access missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Cold,
    Capacity,
    Conflict,
    TrueSharing,
    FalseSharing,
}

impl Cause {
    /// All of them, with the names of their counters.
    pub const ALL: [(&'static str, Cause); 5] = [
        ("misses_cold", Cause::Cold),
        ("misses_capacity", Cause::Capacity),
        ("misses_conflict", Cause::Conflict),
        ("misses_true_sharing", Cause::TrueSharing),
        ("misses_false_sharing", Cause::FalseSharing),
    ];
    /// How many there are.
    pub const COUNT: usize = Cause::ALL.len();
}

/// Misses by cause, by [`Cause`] as a number.
pub type Causes = [u64; Cause::COUNT];

/// Why a cache lacks a line, as far as the cache alone can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack {
    /// Cold, capacity or conflict.
    pub cause: Cause,
    /// Another core's write took it.
    pub lost: bool,
}

/// Lines of a page, each a bit.
const PAGE: u64 = 4096;
const PAGE_WORDS: usize = (PAGE / 64) as usize;

/// A set of lines that only grows: a bit for each line of the pages that have any.
#[derive(Clone, Debug, Default)]
struct Seen {
    pages: Vec<[u64; PAGE_WORDS]>,
    /// Where in `pages` a page is.
    places: FxHashMap<u64, usize>,
    /// The page asked for last, which is often the next one, too.
    last: Option<(u64, usize)>,
}

impl Seen {
    /// Adds a line. Returns whether it was there.
    fn add(&mut self, line: Line) -> bool {
        let page = line / PAGE;
        let place = match self.last {
            Some((last, place)) if last == page => place,
            _ => self.look_for(page),
        };
        let (word, bit) = (&mut self.pages[place][(line % PAGE / 64) as usize], 1 << (line % 64));
        let was_there = *word & bit != 0;
        *word |= bit;
        was_there
    }

    fn look_for(&mut self, page: u64) -> usize {
        let place = *self.places.entry(page).or_insert(self.pages.len());
        if place == self.pages.len() {
            self.pages.push([0; PAGE_WORDS]);
        }
        self.last = Some((page, place));
        place
    }
}

/// Stamps in a chunk.
const CHUNK: usize = 128;

/// Different stamps in order, to be counted from the newest on: chunks, so that none costs more than a few of them.
#[derive(Clone, Debug, Default)]
struct Ordered {
    chunks: VecDeque<VecDeque<(u64, Line)>>,
    n: usize,
}

impl Ordered {
    /// The chunk that a stamp belongs to: the newest that begins before it, or the oldest.
    fn chunk_of(&self, stamp: u64) -> usize {
        let mut place = self.chunks.len() - 1;
        while place > 0 && self.chunks[place][0].0 > stamp {
            place -= 1;
        }
        place
    }

    fn insert(&mut self, stamp: u64, line: Line) {
        if self.chunks.is_empty() {
            self.chunks.push_back(VecDeque::with_capacity(CHUNK));
        }
        let place = self.chunk_of(stamp);
        let chunk = &mut self.chunks[place];
        let at = chunk.partition_point(|&(other, _)| other < stamp);
        chunk.insert(at, (stamp, line));
        self.n += 1;
        if chunk.len() == CHUNK {
            // The last chunk grows at its end: leave it nearly full.
            let keep = if at + 1 == CHUNK { CHUNK - 1 } else { CHUNK / 2 };
            let mut rest = VecDeque::with_capacity(CHUNK);
            rest.extend(chunk.drain(keep..));
            self.chunks.insert(place + 1, rest);
        }
    }

    fn remove(&mut self, stamp: u64) {
        if self.chunks.is_empty() {
            return;
        }
        let place = self.chunk_of(stamp);
        let chunk = &mut self.chunks[place];
        if let Ok(at) = chunk.binary_search_by_key(&stamp, |&(other, _)| other) {
            chunk.remove(at);
            self.n -= 1;
            if chunk.is_empty() {
                self.chunks.remove(place);
            }
        }
    }

    /// How many are newer than a stamp.
    fn newer(&self, stamp: u64) -> usize {
        let mut newer = 0;
        for chunk in self.chunks.iter().rev() {
            if chunk[0].0 > stamp {
                newer += chunk.len();
            } else {
                return newer + chunk.len() - chunk.partition_point(|&(other, _)| other <= stamp);
            }
        }
        newer
    }

    fn remove_oldest(&mut self) -> Option<Line> {
        let chunk = self.chunks.front_mut()?;
        let (_, line) = chunk.pop_front()?;
        self.n -= 1;
        if chunk.is_empty() {
            self.chunks.pop_front();
        }
        Some(line)
    }
}

/// What a cache remembers of the lines that it has not.
#[derive(Clone, Debug)]
pub struct Departed {
    n_lines: usize,
    seen: Seen,
    /// When lines were last used that have left: as many as the cache has lines, the newest. A line that is not among them was used
    /// before at least as many others.
    stamps: FxHashMap<Line, u64>,
    order: Ordered,
    /// Lines lost to another core's write.
    lost: FxHashSet<Line>,
}

impl Departed {
    /// Of an empty cache of so many lines.
    pub fn new(n_lines: usize) -> Departed {
        Departed {
            n_lines,
            seen: Seen::default(),
            stamps: FxHashMap::default(),
            order: Ordered::default(),
            lost: FxHashSet::default(),
        }
    }

    /// A line has left that was last used at a stamp; `lost` where another core's write took it.
    pub fn left(&mut self, line: Line, stamp: u64, lost: bool) {
        self.stamps.insert(line, stamp);
        self.order.insert(stamp, line);
        if self.order.n > self.n_lines
            && let Some(oldest) = self.order.remove_oldest()
        {
            self.stamps.remove(&oldest);
        }
        if lost {
            self.lost.insert(line);
        }
    }

    /// A line comes, or is used elsewhere.
    pub fn arrive(&mut self, line: Line) {
        if let Some(stamp) = self.stamps.remove(&line) {
            self.order.remove(stamp);
        }
    }

    /// Why a line is not here that is wanted. Of those that are here `n_held` says how many they are, and `policy` when they were used.
    pub fn lacks(&mut self, line: Line, n_held: usize, policy: &mut Policy, n_ways: usize) -> Lack {
        let was_here = self.seen.add(line);
        let lost = !self.lost.is_empty() && self.lost.remove(&line);
        let cause = match self.stamps.get(&line) {
            Some(&stamp) => self.distance_cause(stamp, n_held, policy, n_ways),
            None if was_here => Cause::Capacity,
            None => Cause::Cold,
        };
        Lack { cause, lost }
    }

    /// Whether as many other lines as the cache has were used later than at a stamp.
    fn distance_cause(&self, stamp: u64, n_held: usize, policy: &mut Policy, n_ways: usize) -> Cause {
        if n_held == self.n_lines && policy.all_newer(stamp) {
            return Cause::Capacity;
        }
        // Of the lines here, so many may be older.
        let Some(most) = (n_held + self.order.newer(stamp)).checked_sub(self.n_lines) else { return Cause::Conflict };
        if policy.older(stamp, most, n_ways) <= most { Cause::Capacity } else { Cause::Conflict }
    }

    /// Bytes of the host's memory it takes.
    pub fn footprint(&self) -> usize {
        self.seen.pages.len() * PAGE_WORDS * 8 + self.stamps.len() * 24 + self.order.n * 16 + self.lost.len() * 16
    }
}

/// For each line that some core lost to another's write: which of its words others have written since.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    lines: FxHashMap<Line, Vec<(u16, u64)>>,
}

impl Losses {
    /// A core lost a line.
    pub fn lose(&mut self, line: Line, core: u16) {
        let losers = self.lines.entry(line).or_default();
        match losers.iter_mut().find(|(loser, _)| *loser == core) {
            Some((_, words)) => *words = 0,
            None => losers.push((core, 0)),
        }
    }

    /// A core writes words of a line, a bit each; `all` are the line's. Whether it could matter to some core that lost the line what is
    /// written next.
    pub fn write(&mut self, line: Line, core: u16, words: u64, all: u64) -> bool {
        if self.lines.is_empty() {
            return false;
        }
        let mut matters = false;
        for (loser, written) in self.lines.get_mut(&line).into_iter().flatten() {
            if *loser != core {
                *written |= words;
                matters |= *written != all;
            }
        }
        matters
    }

    /// A core has a line again. Which words others have written since it lost it; `None` where it did not lose it.
    pub fn regain(&mut self, line: Line, core: u16) -> Option<u64> {
        let losers = self.lines.get_mut(&line)?;
        let place = losers.iter().position(|(loser, _)| *loser == core)?;
        let (_, written) = losers.swap_remove(place);
        if losers.is_empty() {
            self.lines.remove(&line);
        }
        Some(written)
    }
}

#[cfg(test)]
mod tests;
