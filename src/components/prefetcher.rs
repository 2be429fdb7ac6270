//! Hardware prefetchers: which lines will be wanted next?
//!
//! ```text
//!   next-line   a miss, or the first use of a prefetched line --> the lines behind it         (tagged: Smith, ACM Computing Surveys 1982)
//!   stride      an instruction's addresses go on by one step  --> those some steps further    (Baer and Chen, Supercomputing 1991)
//!   stream      misses that go up or down line after line     --> the lines some lines ahead  (Jouppi, ISCA 1990; Palacharla and
//!                                                                                              Kessler, ISCA 1994)
//! ```
//!
//! A prefetcher sees what a core accesses, in the order in which it looks, and names lines. It knows neither caches nor time; whoever
//! asks decides what becomes of a line that it names. Lines come into the caches, not into buffers beside them.

use crate::base::address::{Address, Line};

/// What is foreseen, and in which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefetcherKind {
    NextLine,
    /// A reference prediction table of so many entries, direct-mapped by the instruction's address; a power of two.
    Stride {
        entries: u32,
    },
    /// So many streams are followed at once.
    Stream {
        streams: u32,
    },
}

impl PrefetcherKind {
    /// `stream`, before "prefetcher".
    pub fn noun(self) -> &'static str {
        match self {
            PrefetcherKind::NextLine => "next-line",
            PrefetcherKind::Stride { .. } => "stride",
            PrefetcherKind::Stream { .. } => "stream",
        }
    }
}

/// A prefetcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefetcherSpec {
    pub kind: PrefetcherKind,
    /// Lines named at a time, at most.
    pub degree: u32,
    /// How far ahead: lines of a stream, steps of a stride.
    pub distance: u32,
    /// Lines that it may have on their way at once where the core waits for each miss; an out-of-order core has its own MSHRs.
    pub mshrs: u32,
    /// No line of another page is named: its translation is not known.
    pub page_bytes: u64,
}

/// What a prefetcher sees of an access.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Number of the instruction.
    pub instruction: u32,
    pub address: Address,
    /// The line was not in the first cache, or it was used for the first time since it was prefetched.
    pub news: bool,
}

/// An instruction's steps: the states of Baer and Chen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trust {
    #[default]
    Initial,
    Transient,
    Steady,
    None,
}

/// What is known of an instruction.
#[derive(Clone, Copy, Debug, Default)]
struct Reference {
    /// One more than its number; 0: nothing is known.
    tag: u32,
    address: Address,
    step: i64,
    trust: Trust,
}

/// Lines that are used one after the other.
#[derive(Clone, Copy, Debug)]
struct Stream {
    last: Line,
    /// 1, -1, or 0 where the direction is not known yet.
    direction: i64,
    /// The line that is named next.
    ahead: Line,
    /// When it was used last.
    stamp: u64,
}

/// A prefetcher and what it has learnt.
#[derive(Clone, Debug)]
pub struct Prefetcher {
    spec: PrefetcherSpec,
    line_shift: u32,
    references: Box<[Reference]>,
    streams: Vec<Stream>,
    clock: u64,
}

impl Prefetcher {
    /// One that has seen nothing yet.
    pub fn new(spec: PrefetcherSpec, line_bytes: u32) -> Prefetcher {
        let entries = if let PrefetcherKind::Stride { entries } = spec.kind { entries as usize } else { 0 };
        let line_shift = line_bytes.ilog2();
        Prefetcher { spec, line_shift, references: vec![Reference::default(); entries].into(), streams: Vec::new(), clock: 0 }
    }

    /// An access. Puts the lines that will be wanted behind those in `wanted`, the next one first.
    pub fn see(&mut self, seen: Seen, wanted: &mut Vec<Line>) {
        let line = seen.address >> self.line_shift;
        match self.spec.kind {
            PrefetcherKind::NextLine if seen.news => {
                let behind = (1..=u64::from(self.spec.degree)).map(|n| line + n);
                wanted.extend(behind.filter(|&next| self.is_near(line, next)));
            }
            PrefetcherKind::NextLine => {}
            PrefetcherKind::Stride { .. } => self.step(seen, wanted),
            PrefetcherKind::Stream { streams } if seen.news => self.follow(line, streams as usize, wanted),
            PrefetcherKind::Stream { .. } => {}
        }
    }

    /// Whether two lines lie on one page.
    fn is_near(&self, one: Line, other: Line) -> bool {
        let shift = self.spec.page_bytes.ilog2() - self.line_shift;
        one >> shift == other >> shift
    }

    /// An instruction's entry in the table learns its step; one that was right twice says how it goes on.
    fn step(&mut self, seen: Seen, wanted: &mut Vec<Line>) {
        let place = seen.instruction as usize & (self.references.len() - 1);
        let entry = &mut self.references[place];
        if entry.tag != seen.instruction + 1 {
            *entry = Reference { tag: seen.instruction + 1, address: seen.address, ..Reference::default() };
            return;
        }
        let step = seen.address.wrapping_sub(entry.address) as i64;
        let right = step == entry.step;
        entry.trust = match (entry.trust, right) {
            (Trust::Initial | Trust::Transient | Trust::Steady, true) => Trust::Steady,
            (Trust::None, true) => Trust::Transient,
            (Trust::Initial, false) => Trust::Transient,
            (Trust::Transient | Trust::None, false) => Trust::None,
            (Trust::Steady, false) => Trust::Initial,
        };
        // A steady instruction keeps its step when it is wrong once: a loop that begins anew goes on as before.
        if !right && entry.trust != Trust::Initial {
            entry.step = step;
        }
        entry.address = seen.address;
        if entry.trust == Trust::Steady && step != 0 {
            let line = seen.address >> self.line_shift;
            for steps in 0..i64::from(self.spec.degree) {
                let ahead = step.wrapping_mul(i64::from(self.spec.distance) + steps);
                let further = seen.address.wrapping_add_signed(ahead) >> self.line_shift;
                if further != line && wanted.last() != Some(&further) && self.is_near(line, further) {
                    wanted.push(further);
                }
            }
        }
    }

    /// A line that is news belongs to a stream, shows the direction of one, or begins one.
    fn follow(&mut self, line: Line, most: usize, wanted: &mut Vec<Line>) {
        self.clock += 1;
        let distance = i64::from(self.spec.distance);
        let belongs = |stream: &Stream| match (line.wrapping_sub(stream.last) as i64, stream.direction) {
            (1 | -1, 0) => true,
            (step, direction) => direction != 0 && (1..=distance + 1).contains(&(step * direction)),
        };
        let Some(stream) = self.streams.iter_mut().find(|stream| belongs(stream)) else {
            if self.streams.iter().any(|stream| stream.last == line) {
                return;
            }
            let fresh = Stream { last: line, direction: 0, ahead: line, stamp: self.clock };
            if self.streams.len() < most {
                self.streams.push(fresh);
            } else if let Some(oldest) = self.streams.iter_mut().min_by_key(|stream| stream.stamp) {
                *oldest = fresh;
            }
            return;
        };
        if stream.direction == 0 {
            stream.direction = line.wrapping_sub(stream.last) as i64;
            stream.ahead = line.wrapping_add_signed(stream.direction);
        }
        (stream.last, stream.stamp) = (line, self.clock);
        let (direction, mut ahead) = (stream.direction, stream.ahead);
        // What the core has come past is not asked for any more.
        if (ahead.wrapping_sub(line) as i64) * direction < 1 {
            ahead = line.wrapping_add_signed(direction);
        }
        for _ in 0..self.spec.degree {
            if (ahead.wrapping_sub(line) as i64) * direction > distance || !self.is_near(line, ahead) {
                break;
            }
            wanted.push(ahead);
            ahead = ahead.wrapping_add_signed(direction);
        }
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.last == line) {
            stream.ahead = ahead;
        }
    }

    /// Bytes of the host's memory it takes.
    pub fn footprint(&self) -> usize {
        std::mem::size_of_val(&*self.references) + std::mem::size_of_val(&self.streams[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefetcher(kind: PrefetcherKind, degree: u32, distance: u32) -> Prefetcher {
        Prefetcher::new(PrefetcherSpec { kind, degree, distance, mshrs: 8, page_bytes: 4096 }, 64)
    }

    /// What is named after each of some accesses by one instruction, all of them news.
    fn named(prefetcher: &mut Prefetcher, addresses: &[Address]) -> Vec<Vec<Line>> {
        let see = |&address: &Address| {
            let mut wanted = Vec::new();
            prefetcher.see(Seen { instruction: 7, address, news: true }, &mut wanted);
            wanted
        };
        addresses.iter().map(see).collect()
    }

    #[test]
    fn the_next_lines_up_to_the_end_of_the_page() {
        let mut next = prefetcher(PrefetcherKind::NextLine, 2, 1);
        assert_eq!(named(&mut next, &[0, 62 * 64, 63 * 64]), [vec![1, 2], vec![63], vec![]]);
        let mut wanted = Vec::new();
        next.see(Seen { instruction: 0, address: 0, news: false }, &mut wanted);
        assert!(wanted.is_empty(), "a line that was used before is no news");
    }

    #[test]
    fn a_stride_is_known_when_it_was_right_once_and_forgiven_one_mistake() {
        let mut stride = prefetcher(PrefetcherKind::Stride { entries: 16 }, 1, 2);
        // The second access learns the step, the third confirms it.
        assert_eq!(named(&mut stride, &[0, 128, 256, 384]), [vec![], vec![], vec![8], vec![10]]);
        // Back to the beginning: not steady, but the step is kept; then it is right again.
        assert_eq!(named(&mut stride, &[0, 128, 256]), [vec![], vec![6], vec![8]]);
        // Steps within a line name the next line when they get there, and downwards works, too.
        let mut small = prefetcher(PrefetcherKind::Stride { entries: 16 }, 1, 4);
        // Four steps of 8 bytes below 1008 lie in line 15, as it does; below 984 in line 14.
        assert_eq!(named(&mut small, &[1016, 1008, 1000, 992, 984]), [vec![], vec![], vec![], vec![], vec![14]]);
        // No step is no stride, and what jumps about has none.
        let mut none = prefetcher(PrefetcherKind::Stride { entries: 16 }, 1, 4);
        assert!(named(&mut none, &[64, 64, 64, 64, 640, 128, 2048, 192, 64]).iter().all(Vec::is_empty));
    }

    #[test]
    fn two_neighbours_are_a_stream_that_stays_its_distance_ahead() {
        let mut stream = prefetcher(PrefetcherKind::Stream { streams: 2 }, 2, 4);
        let lines = |lines: &[Line]| lines.iter().map(|line| line * 64).collect::<Vec<Address>>();
        // Two lines at a time until four lines ahead, then one for each.
        let upwards = named(&mut stream, &lines(&[10, 11, 12, 13, 14]));
        assert_eq!(upwards, [vec![], vec![12, 13], vec![14, 15], vec![16, 17], vec![18]]);
        // Another one downwards between them, and the first goes on.
        assert_eq!(named(&mut stream, &lines(&[50, 49, 15])), [vec![], vec![48, 47], vec![19]]);
        // A third takes the place of the one used longest ago, and no line of another page is named.
        assert_eq!(named(&mut stream, &lines(&[61, 62])), [vec![], vec![63]]);
        assert_eq!(named(&mut stream, &lines(&[48])), [Vec::<Line>::new()], "the second is forgotten");
    }
}
