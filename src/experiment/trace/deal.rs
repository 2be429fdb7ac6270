//! Deals the references of a trace to cores that replay them at a pace of their own.
//!
//! ```text
//!   one reader for all --> what a core asks for, and what others will: kept --> core 0 ... core n-1
//!                            '-- too many kept: whoever asks reads the trace anew, alone, from its beginning --> that core
//! ```
//!
//! Cores that go on at about the same pace take what is kept soon, and the trace is read once. Where one is far ahead of another in the
//! trace (all of core 1's references may come behind those of core 0), what others still want is kept up to a limit; then the core that
//! is ahead gets a reader of its own. So memory is bounded whatever the trace, and it is read once more for each such core at most.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use crate::components::trace::{BATCH, Entries, Entry};
use crate::experiment::trace::{TraceFile, TraceReader, TraceSettings};

/// References kept for all cores together, before one that asks for more reads alone: 16 MiB.
const MOST_KEPT: usize = 1 << 20;

/// What is known of a core's references.
#[derive(Debug, Default)]
struct Hand {
    /// Read and not asked for yet.
    kept: VecDeque<Entry>,
    /// How many it got.
    got: u64,
    /// It reads alone; so many of its references it got before.
    alone: Option<(TraceReader, u64)>,
}

/// The trace, and what is kept of it.
#[derive(Debug)]
pub(super) struct Deal {
    file: Arc<dyn TraceFile>,
    settings: TraceSettings,
    reader: TraceReader,
    batch: Vec<Entry>,
    hands: Vec<Hand>,
    n_kept: usize,
    most_kept: usize,
}

/// The references of one core.
#[derive(Debug)]
struct Dealt {
    deal: Rc<RefCell<Deal>>,
    core: u16,
}

impl Deal {
    /// At the beginning of a trace.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn new(file: Arc<dyn TraceFile>, settings: TraceSettings) -> Result<Deal, String> {
        let reader = TraceReader::new(file.name(), file.open()?, settings);
        let hands = (0..settings.cores).map(|_| Hand::default()).collect();
        Ok(Deal { file, settings, reader, batch: Vec::with_capacity(BATCH + 1), hands, n_kept: 0, most_kept: MOST_KEPT })
    }

    /// The references of each core.
    pub fn hands(deal: &Rc<RefCell<Deal>>) -> Vec<Box<dyn Entries>> {
        let cores = deal.borrow().settings.cores;
        (0..cores).map(|core| Box::new(Dealt { deal: Rc::clone(deal), core }) as Box<dyn Entries>).collect()
    }

    /// A checksum of all references, in the order of the trace: known when every core has come to its end.
    pub fn checksum(&self) -> u64 {
        self.reader.checksum()
    }

    fn refill(&mut self, core: u16, into: &mut Vec<Entry>) -> Result<(), String> {
        if self.settings.cores == 1 {
            return self.reader.refill(into);
        }
        into.clear();
        let hand = &mut self.hands[usize::from(core)];
        let n = hand.kept.len().min(BATCH);
        into.extend(hand.kept.drain(..n));
        self.n_kept -= n;
        while into.is_empty() {
            if self.hands[usize::from(core)].alone.is_none() && self.n_kept > self.most_kept {
                let reader = TraceReader::new(self.file.name(), self.file.open()?, self.settings);
                let hand = &mut self.hands[usize::from(core)];
                hand.alone = Some((reader, hand.got));
            }
            let is_over = match &mut self.hands[usize::from(core)].alone {
                Some((reader, before)) => read_alone(reader, before, core, into)?,
                None => self.read_for_all(core, into)?,
            };
            if is_over {
                break;
            }
        }
        self.hands[usize::from(core)].got += into.len() as u64;
        Ok(())
    }

    /// Reads on, and keeps what others want. Returns whether the trace is over.
    fn read_for_all(&mut self, core: u16, into: &mut Vec<Entry>) -> Result<bool, String> {
        self.reader.refill(&mut self.batch)?;
        for &entry in &self.batch {
            if entry.core == core {
                into.push(entry);
                continue;
            }
            let hand = &mut self.hands[usize::from(entry.core)];
            if hand.alone.is_none() {
                hand.kept.push_back(entry);
                self.n_kept += 1;
            }
        }
        Ok(self.batch.is_empty())
    }
}

/// Reads a core's own references behind the first `before`. Returns whether the trace is over.
fn read_alone(reader: &mut TraceReader, before: &mut u64, core: u16, into: &mut Vec<Entry>) -> Result<bool, String> {
    reader.refill(into)?;
    let is_over = into.is_empty();
    into.retain(|entry| {
        let is_own = entry.core == core;
        let is_new = is_own && *before == 0;
        *before -= u64::from(is_own && !is_new);
        is_new
    });
    Ok(is_over)
}

impl Entries for Dealt {
    fn refill(&mut self, batch: &mut Vec<Entry>) -> Result<(), String> {
        self.deal.borrow_mut().refill(self.core, batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::trace::Kind;
    use crate::experiment::trace::TraceBytes;

    #[derive(Debug)]
    struct Text(String);

    #[derive(Debug)]
    struct Bytes(VecDeque<u8>);

    impl TraceBytes for Bytes {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
            let n = buffer.len().min(self.0.len());
            buffer[..n].iter_mut().zip(self.0.drain(..n)).for_each(|(to, from)| *to = from);
            Ok(n)
        }
    }

    impl TraceFile for Text {
        fn name(&self) -> &str {
            "t"
        }

        fn open(&self) -> Result<Box<dyn TraceBytes>, String> {
            Ok(Box::new(Bytes(self.0.bytes().collect())))
        }
    }

    /// What each core gets that asks in the order of `turns`, again and again, until all are at their end; how many read alone, and the
    /// most that was kept.
    fn dealt(text: &str, cores: u16, turns: &[u16], most_kept: usize) -> (Vec<Vec<Entry>>, usize, usize) {
        let settings = TraceSettings { cores, ..TraceSettings::default() };
        let mut deal = Deal::new(Arc::new(Text(text.to_string())), settings).unwrap();
        deal.most_kept = most_kept;
        let deal = Rc::new(RefCell::new(deal));
        let mut hands = Deal::hands(&deal);
        let (mut got, mut most) = (vec![Vec::new(); usize::from(cores)], 0);
        let mut over = vec![false; usize::from(cores)];
        let mut batch = Vec::new();
        while over.contains(&false) {
            for &core in turns {
                hands[usize::from(core)].refill(&mut batch).unwrap();
                over[usize::from(core)] = batch.is_empty();
                got[usize::from(core)].append(&mut batch);
                most = most.max(deal.borrow().n_kept);
            }
        }
        let mut whole = TraceReader::new("t", Text(text.to_string()).open().unwrap(), settings);
        while whole.refill(&mut batch).is_ok() && !batch.is_empty() {}
        assert_eq!(deal.borrow().checksum(), whole.checksum(), "all of it was read by the common reader");
        let alone = deal.borrow().hands.iter().filter(|hand| hand.alone.is_some()).count();
        (got, alone, most)
    }

    fn reads(core: u16, n: u64) -> String {
        (0..n).map(|n| format!("{core}  L {n:x},1\n")).collect()
    }

    fn expected(core: u16, n: u64) -> Vec<Entry> {
        (0..n).map(|address| Entry { address, bytes: 1, kind: Kind::Read, core }).collect()
    }

    #[test]
    fn each_core_gets_its_own_in_order() {
        let text: String = (0..5000_u64).map(|n| format!("{}  L {:x},1\n", n % 2, n / 2)).collect();
        let (got, alone, _) = dealt(&text, 3, &[0, 1, 2], 10_000);
        assert_eq!(got, [expected(0, 2500), expected(1, 2500), Vec::new()]);
        assert_eq!(alone, 0);
    }

    /// Core 1's references all come behind core 0's: it reads alone, and core 2 behind both.
    #[test]
    fn who_is_far_ahead_reads_alone() {
        let text = reads(0, 20_000) + &reads(1, 20_000) + &reads(2, 3);
        let (got, alone, most) = dealt(&text, 3, &[2, 1, 0], 4000);
        assert_eq!(got, [expected(0, 20_000), expected(1, 20_000), expected(2, 3)]);
        assert_eq!(alone, 2);
        assert!(most <= 4000 + BATCH + 1, "{most} were kept");
    }

    /// A core that has had some of its references from the common reader gets the others, and none twice.
    #[test]
    fn who_reads_alone_goes_on_where_it_was() {
        let text = reads(1, 3000) + &reads(0, 9000) + &reads(1, 3000);
        let (got, alone, _) = dealt(&text, 2, &[1, 1, 1, 1, 0], 2000);
        let both = [expected(1, 3000), expected(1, 3000)].concat();
        assert_eq!(got, [expected(0, 9000), both]);
        assert_eq!(alone, 1);
    }
}
