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
    pages: Vec<Box<[u64; PAGE_WORDS]>>,
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
            self.pages.push(Box::new([0; PAGE_WORDS]));
        }
        self.last = Some((page, place));
        place
    }
}

/// Departures in a block.
const BLOCK: usize = 64;

/// What is known of a block of departures as a whole.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// No stamp in it is lower, none higher.
    lowest: u64,
    highest: u64,
    /// Lines that have not come back.
    away: usize,
}

/// Departures one after the other, each with a number: which line left, and the stamp of its last use, which is 0 once the line has come
/// back. Their blocks make it cheap to count the newer ones: stamps rise with numbers, if not strictly.
#[derive(Clone, Debug, Default)]
struct Departures {
    blocks: VecDeque<Block>,
    entries: VecDeque<[(Line, u64); BLOCK]>,
    /// The number of the first in the first block.
    first: u64,
    /// The next number.
    next: u64,
}

impl Departures {
    fn len(&self) -> usize {
        (self.next - self.first) as usize
    }

    fn place(&self, number: u64) -> (usize, usize) {
        let index = (number - self.first) as usize;
        (index / BLOCK, index % BLOCK)
    }

    fn stamp(&self, number: u64) -> u64 {
        let (block, place) = self.place(number);
        self.entries[block][place].1
    }

    /// Enters a departure. Returns its number.
    fn push(&mut self, line: Line, stamp: u64) -> u64 {
        let number = self.next;
        let (block, place) = self.place(number);
        if place == 0 {
            self.blocks.push_back(Block { lowest: stamp, highest: stamp, away: 0 });
            self.entries.push_back([(0, 0); BLOCK]);
        }
        let whole = &mut self.blocks[block];
        *whole = Block { lowest: whole.lowest.min(stamp), highest: whole.highest.max(stamp), away: whole.away + 1 };
        self.entries[block][place] = (line, stamp);
        self.next += 1;
        number
    }

    /// A line has come back.
    fn cancel(&mut self, number: u64) {
        let (block, place) = self.place(number);
        self.entries[block][place].1 = 0;
        self.blocks[block].away -= 1;
    }

    /// How many lines that are away were used later than at a stamp.
    fn newer(&self, stamp: u64) -> usize {
        let mut newer = 0;
        for (place, block) in self.blocks.iter().enumerate() {
            if block.lowest > stamp {
                newer += block.away;
            } else if block.highest > stamp {
                newer += self.entries[place].iter().filter(|&&(_, other)| other > stamp).count();
            }
        }
        newer
    }

    /// Takes the first block off, which is full.
    fn pop_block(&mut self) -> Option<(Block, [(Line, u64); BLOCK])> {
        let block = self.blocks.pop_front()?;
        self.first += BLOCK as u64;
        self.entries.pop_front().map(|entries| (block, entries))
    }
}

/// What a cache remembers of the lines that it has not.
#[derive(Clone, Debug)]
pub struct Departed {
    n_lines: usize,
    seen: Seen,
    /// Of lines that have left, at least as many as the cache has lines: those used last. A line that is not among them was used before
    /// at least as many others.
    departures: Departures,
    /// The number of a line's departure.
    numbers: FxHashMap<Line, u64>,
    /// Lines lost to another core's write.
    lost: FxHashSet<Line>,
}

impl Departed {
    /// Of an empty cache of so many lines.
    pub fn new(n_lines: usize) -> Departed {
        Departed {
            n_lines,
            seen: Seen::default(),
            departures: Departures::default(),
            numbers: FxHashMap::default(),
            lost: FxHashSet::default(),
        }
    }

    /// A line has left that was last used at a stamp; `lost` where another core's write took it.
    pub fn left(&mut self, line: Line, stamp: u64, lost: bool) {
        while self.departures.len() >= self.n_lines + self.n_lines / 2 + 2 * BLOCK {
            self.forget();
        }
        self.numbers.insert(line, self.departures.push(line, stamp));
        if lost {
            self.lost.insert(line);
        }
    }

    /// Forgets the departures of the first block, but for those of lines that are among the last used.
    fn forget(&mut self) {
        let Some((block, entries)) = self.departures.pop_block() else { return };
        let none_stays = self.departures.newer(block.highest) >= self.n_lines;
        for (line, stamp) in entries {
            if stamp == 0 {
                continue;
            }
            if none_stays || self.departures.newer(stamp) >= self.n_lines {
                self.numbers.remove(&line);
            } else {
                self.numbers.insert(line, self.departures.push(line, stamp));
            }
        }
    }

    /// A line comes, or is used elsewhere.
    pub fn arrive(&mut self, line: Line) {
        if let Some(number) = self.numbers.remove(&line) {
            self.departures.cancel(number);
        }
    }

    /// Why a line is not here that is wanted. Of those that are here `n_held` says how many they are, and `policy` when they were used.
    pub fn lacks(&mut self, line: Line, n_held: usize, policy: &mut Policy, n_ways: usize) -> Lack {
        let was_here = self.seen.add(line);
        let lost = !self.lost.is_empty() && self.lost.remove(&line);
        let cause = match self.numbers.get(&line) {
            Some(&number) => self.distance_cause(self.departures.stamp(number), n_held, policy, n_ways),
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
        let Some(most) = (n_held + self.departures.newer(stamp)).checked_sub(self.n_lines) else { return Cause::Conflict };
        if policy.older(stamp, most, n_ways) <= most { Cause::Capacity } else { Cause::Conflict }
    }

    /// Bytes of the host's memory it takes.
    pub fn footprint(&self) -> usize {
        self.seen.pages.len() * PAGE_WORDS * 8 + self.departures.len() * 16 + (self.numbers.len() + self.lost.len()) * 16
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
