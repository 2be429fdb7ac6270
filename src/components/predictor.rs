//! Branch predictors: will this branch be taken?
//!
//! ```text
//!   static    backward branches are taken, forward ones are not                     (Smith, ISCA 1981, strategy 3)
//!   bimodal   address -> 2-bit counter                                              (Smith, ISCA 1981, strategy 7)
//!   gshare    address xor history -> 2-bit counter                                  (McFarling, DEC WRL TN-36, 1993)
//!   tage      bimodal base; tagged tables looked up by ever longer histories: the   (Seznec and Michaud, JILP 8, 2006)
//!             longest that knows the branch decides
//! ```
//!
//! A predictor is asked and told in program order: what the branch does is known when it is fetched, so only the verdict is of
//! interest. Histories are of outcomes of conditional branches, one bit each.

/// Which predictor, and how large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PredictorSpec {
    /// Never wrong.
    #[default]
    Perfect,
    /// Backward taken, forward not.
    Static,
    /// So many 2-bit counters, a power of two.
    Bimodal { entries: u32 },
    /// So many 2-bit counters, a power of two, and as many bits of history as number them, at most `history`.
    Gshare { entries: u32, history: u32 },
    /// A bimodal base and four tagged tables, each of so many entries, a power of two.
    Tage { entries: u32 },
}

/// A predictor and what it has learnt.
#[derive(Clone, Debug)]
pub enum Predictor {
    Perfect,
    Static,
    Counters {
        counters: Box<[u8]>,
        /// Bits of history that count.
        mask: u64,
        history: u64,
    },
    Tage(Box<Tage>),
}

/// A 2-bit counter that says neither: weakly not taken.
const WEAK: u8 = 1;

fn train(counter: &mut u8, taken: bool, most: u8) {
    *counter = if taken { (*counter + 1).min(most) } else { counter.saturating_sub(1) };
}

impl Predictor {
    /// A predictor that has learnt nothing yet.
    pub fn new(spec: PredictorSpec) -> Predictor {
        let counters = |entries: u32, mask| Predictor::Counters { counters: vec![WEAK; entries as usize].into(), mask, history: 0 };
        match spec {
            PredictorSpec::Perfect => Predictor::Perfect,
            PredictorSpec::Static => Predictor::Static,
            PredictorSpec::Bimodal { entries } => counters(entries, 0),
            PredictorSpec::Gshare { entries, history } => counters(entries, (1 << history.min(entries.ilog2())) - 1),
            PredictorSpec::Tage { entries } => Predictor::Tage(Box::new(Tage::new(entries))),
        }
    }

    /// A conditional branch at an address (in instructions) did what it did; `backward` where its taken side lies before it. Returns
    /// whether it had been foretold.
    pub fn resolve(&mut self, address: u32, backward: bool, taken: bool) -> bool {
        match self {
            Predictor::Perfect => true,
            Predictor::Static => backward == taken,
            Predictor::Counters { counters, mask, history } => {
                let place = (u64::from(address) ^ (*history & *mask)) as usize & (counters.len() - 1);
                let right = (counters[place] >= 2) == taken;
                train(&mut counters[place], taken, 3);
                *history = *history << 1 | u64::from(taken);
                right
            }
            Predictor::Tage(tage) => tage.resolve(address, taken),
        }
    }

    /// Bytes of the host's memory it takes.
    pub fn footprint(&self) -> usize {
        match self {
            Predictor::Perfect | Predictor::Static => 0,
            Predictor::Counters { counters, .. } => counters.len(),
            Predictor::Tage(tage) => tage.base.len() + TABLES * tage.tables[0].len() * std::mem::size_of::<Tagged>(),
        }
    }
}

/// Tagged tables.
const TABLES: usize = 4;
/// Outcomes that each table's history holds: a geometric series, as in the paper.
const HISTORIES: [u32; TABLES] = [5, 12, 28, 64];
/// Bits of a tag.
const TAG_BITS: u32 = 9;
/// Largest value of a tagged entry's 3-bit counter; from 4 on it says taken.
const SURE: u8 = 7;
/// Largest value of an entry's usefulness.
const USEFUL: u8 = 3;

/// An entry of a tagged table.
#[derive(Clone, Copy, Debug, Default)]
struct Tagged {
    /// 0: empty.
    tag: u16,
    counter: u8,
    useful: u8,
}

/// TAGE without the statistical corrector and the loop predictor: a *TAGE-like* predictor.
#[derive(Clone, Debug)]
pub struct Tage {
    base: Box<[u8]>,
    tables: [Box<[Tagged]>; TABLES],
    history: u64,
    /// Each table's history, folded into as many bits as number its entries, as a tag has, and one less.
    index: Folded,
    tag: Folded,
    shorter: Folded,
}

/// The last outcomes of each table's history, folded by exclusive or into so many bits: outcome i, the last one's number 0, is in bit i
/// modulo the bits (the circular shift registers of Michaud, "A PPM-like, tag-based branch predictor", JILP 7, 2005).
#[derive(Clone, Copy, Debug)]
struct Folded {
    values: [u32; TABLES],
    bits: u32,
    /// Where an outcome is that grows too old: the history's length modulo the bits.
    oldest: [u32; TABLES],
}

impl Folded {
    fn new(bits: u32) -> Folded {
        Folded { values: [0; TABLES], bits, oldest: HISTORIES.map(|length| 1 << (length % bits)) }
    }

    /// Another outcome, 0 or 1, and those that grow too old by it, all ones or 0.
    #[inline]
    fn push(&mut self, taken: u32, too_old: [u32; TABLES]) {
        let mask = (1 << self.bits) - 1;
        for ((value, too_old), oldest) in self.values.iter_mut().zip(too_old).zip(self.oldest) {
            let turned = (*value << 1 | *value >> (self.bits - 1)) & mask;
            *value = turned ^ taken ^ (too_old & oldest);
        }
    }
}

impl Tage {
    fn new(entries: u32) -> Tage {
        let table = || vec![Tagged::default(); entries as usize].into_boxed_slice();
        Tage {
            base: vec![WEAK; entries as usize].into(),
            tables: std::array::from_fn(|_| table()),
            history: 0,
            index: Folded::new(entries.ilog2().max(1)),
            tag: Folded::new(TAG_BITS),
            shorter: Folded::new(TAG_BITS - 1),
        }
    }

    /// Where a branch is looked for in each table, and under which tag.
    #[inline]
    fn places(&self, address: u32) -> [(usize, u16); TABLES] {
        let hashed = address ^ address >> self.index.bits;
        let places = self.index.values.map(|folded| hashed ^ folded);
        let tags: [u32; TABLES] = std::array::from_fn(|table| address ^ self.tag.values[table] ^ self.shorter.values[table] << 1);
        // Tag 0 means an empty entry.
        let mask = self.base.len() - 1;
        std::array::from_fn(|table| (places[table] as usize & mask, (tags[table] & ((1 << TAG_BITS) - 1)) as u16 + 1))
    }

    /// An outcome enters every history.
    #[inline]
    fn push(&mut self, taken: bool) {
        let too_old = HISTORIES.map(|length| ((self.history >> (length - 1)) as u32 & 1).wrapping_neg());
        for folded in [&mut self.index, &mut self.tag, &mut self.shorter] {
            folded.push(u32::from(taken), too_old);
        }
        self.history = self.history << 1 | u64::from(taken);
    }

    fn resolve(&mut self, address: u32, taken: bool) -> bool {
        let places = self.places(address);
        // The two longest histories that know the branch.
        let (mut provider, mut alternate) = (None, None);
        for (table, &(place, tag)) in places.iter().enumerate() {
            if self.tables[table][place].tag == tag {
                (provider, alternate) = (Some(table), provider);
            }
        }
        let base = address as usize & (self.base.len() - 1);
        let says = |table: Option<usize>| match table {
            Some(table) => self.tables[table][places[table].0].counter > SURE / 2,
            None => self.base[base] >= 2,
        };
        let (predicted, otherwise) = (says(provider), says(alternate));
        let right = predicted == taken;
        match provider {
            Some(table) => {
                let entry = &mut self.tables[table][places[table].0];
                train(&mut entry.counter, taken, SURE);
                if predicted != otherwise {
                    train(&mut entry.useful, right, USEFUL);
                }
            }
            None => train(&mut self.base[base], taken, 3),
        }
        if !right {
            self.allocate(provider.map_or(0, |table| table + 1), &places, taken);
        }
        self.push(taken);
        right
    }

    /// Gives the branch an entry under a longer history: the first useless one; where there is none, all become less useful.
    fn allocate(&mut self, from: usize, places: &[(usize, u16); TABLES], taken: bool) {
        for (table, &(place, tag)) in self.tables.iter_mut().zip(places).skip(from) {
            if table[place].useful == 0 {
                table[place] = Tagged { tag, counter: SURE / 2 + u8::from(taken), useful: 0 };
                return;
            }
        }
        for (table, &(place, _)) in self.tables.iter_mut().zip(places).skip(from) {
            table[place].useful -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of the last half of a pattern's outcomes were foretold wrongly.
    fn wrong(spec: PredictorSpec, outcomes: impl Iterator<Item = (u32, bool)>) -> usize {
        let mut predictor = Predictor::new(spec);
        let verdicts: Vec<bool> = outcomes.map(|(address, taken)| predictor.resolve(address, true, taken)).collect();
        verdicts[verdicts.len() / 2..].iter().filter(|&&right| !right).count()
    }

    /// A loop of `length` iterations, over and over: taken but for the last.
    fn loops(length: u32) -> impl Iterator<Item = (u32, bool)> {
        (0..20_000).map(move |n| (100, n % length != length - 1))
    }

    #[test]
    fn a_two_bit_counter_is_wrong_once_a_loop() {
        // Smith: the second bit keeps the exit from spoiling the next entry. 10,000 outcomes are 1,000 loops of ten.
        assert_eq!(wrong(PredictorSpec::Bimodal { entries: 64 }, loops(10)), 1000);
        assert_eq!(wrong(PredictorSpec::Static, loops(10)), 1000);
        assert_eq!(wrong(PredictorSpec::Perfect, loops(10)), 0);
    }

    #[test]
    fn histories_learn_short_loops_and_only_long_ones_learn_longer_loops() {
        let (gshare, tage) = (PredictorSpec::Gshare { entries: 1024, history: 10 }, PredictorSpec::Tage { entries: 1024 });
        assert_eq!(wrong(gshare, loops(8)), 0);
        assert_eq!(wrong(tage, loops(8)), 0);
        // Ten bits cannot tell the 20th iteration from the 40th; 64 can.
        assert_eq!(wrong(gshare, loops(40)), 250);
        assert!(wrong(tage, loops(40)) <= 5, "{}", wrong(tage, loops(40)));
    }

    #[test]
    fn a_history_learns_what_one_branch_says_of_another() {
        // The second branch does what the first one did, which is anyone's guess.
        let mut state = 1_u64;
        let outcomes: Vec<(u32, bool)> = (0..10_000)
            .flat_map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let taken = state >> 63 == 1;
                [(4, taken), (8, taken)]
            })
            .collect();
        let count = |spec| wrong(spec, outcomes.iter().copied());
        let (bimodal, gshare, tage) = (
            count(PredictorSpec::Bimodal { entries: 1024 }),
            count(PredictorSpec::Gshare { entries: 4096, history: 4 }),
            count(PredictorSpec::Tage { entries: 1024 }),
        );
        assert!((4_500..5_500).contains(&bimodal), "both branches are a coin's toss to it: {bimodal}");
        assert!((2_300..2_700).contains(&gshare), "the second one is known: {gshare}");
        assert!((2_300..2_900).contains(&tage), "{tage}");
    }

    #[test]
    fn a_folded_history_is_the_exclusive_or_of_its_pieces() {
        for entries in [1, 2, 64, 1024, 1 << 20] {
            let mut tage = Tage::new(entries);
            let mut state = 1_u64;
            for _ in 0..200 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                tage.push(state >> 63 == 1);
                for folded in [tage.index, tage.tag, tage.shorter] {
                    for (length, value) in HISTORIES.into_iter().zip(folded.values) {
                        let outcomes = (0..length).map(|outcome| (tage.history >> outcome & 1) << (outcome % folded.bits));
                        assert_eq!(u64::from(value), outcomes.fold(0, |sum, bit| sum ^ bit), "{length} into {}", folded.bits);
                    }
                }
            }
        }
    }

    #[test]
    fn a_forward_branch_is_not_taken_unless_something_was_learnt() {
        let mut predictor = Predictor::new(PredictorSpec::Static);
        assert!(predictor.resolve(1, false, false));
        assert!(!predictor.resolve(1, false, true));
    }
}
