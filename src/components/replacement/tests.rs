use proptest::prelude::*;

use super::*;
use crate::base::random::stream;

/// One set with the policy of a cache, as a cache uses it: empty ways first. Lines are letters.
struct Set {
    policy: Policy,
    ways: Vec<Option<u8>>,
}

impl Set {
    fn new(kind: Replacement, n_ways: usize) -> Set {
        Set { policy: Policy::new(kind, 1, n_ways, stream(1, "test")), ways: vec![None; n_ways] }
    }

    /// Accesses a line; the line that left, if one did.
    fn access(&mut self, line: u8) -> Option<u8> {
        let n_ways = self.ways.len();
        if let Some(way) = self.ways.iter().position(|&held| held == Some(line)) {
            self.policy.hit(way, n_ways);
            return None;
        }
        let empty = self.ways.iter().position(Option::is_none);
        let way = empty.unwrap_or_else(|| self.policy.victim(0, n_ways));
        self.policy.fill(way, n_ways);
        self.ways[way].replace(line)
    }

    /// What left, in order, as letters; `.` where nothing did.
    fn leaving(kind: Replacement, n_ways: usize, accesses: &str) -> String {
        let mut set = Set::new(kind, n_ways);
        accesses.bytes().map(|line| set.access(line).map_or('.', char::from)).collect()
    }
}

#[test]
fn lru_drops_what_was_not_accessed_for_longest() {
    assert_eq!(Set::leaving(Replacement::Lru, 4, "abcdabeacf"), "......c.db");
    assert_eq!(Set::leaving(Replacement::Lru, 1, "abab"), ".aba");
}

#[test]
fn fifo_drops_what_came_first_whatever_was_accessed_since() {
    assert_eq!(Set::leaving(Replacement::Fifo, 4, "abcdabeaf"), "......abc");
}

/// By hand, for the ways 0 1 2 3 under the root's left (0 1) and right (2 3) child; `L` and `R` say where a node points.
///
/// ```text
///   access   way   root  left  right
///   a b c d  0..3  L     L     L      each fill pointed away: after d (way 3) root L, right L; after b (way 1) left L
///   a        0     R     R     L
///   e                                 victim: root R, right L: way 2, which is c;   then root L, right R
///   b        1     R     L     R
///   f                                 victim: root R, right R: way 3, which is d;   then root L, right L
///   a        0     R     R     L
///   g                                 victim: way 2, which is e, although b was accessed before e
/// ```
#[test]
fn tree_plru_follows_its_bits() {
    assert_eq!(Set::leaving(Replacement::TreePlru, 4, "abcdaebfag"), ".....c.d.e");
    let mut set = Set::new(Replacement::TreePlru, 2);
    assert_eq!("abab".bytes().map(|line| set.access(line)).collect::<Vec<_>>(), [None; 4]);
    assert_eq!((set.access(b'c'), set.access(b'd')), (Some(b'a'), Some(b'b')), "of two ways it is LRU");
}

/// The mixed access pattern of Jaleel et al. 2010 (a1 a2 a2 a1 b1 b2 b3 b4 a1 a2) on four ways: with 2-bit SRRIP and hit priority the
/// scan b1..b4 passes through two ways, and a1 and a2 stay.
#[test]
fn srrip_lets_a_scan_pass() {
    //                                                    a b b a  1 2 3 4  a b
    assert_eq!(Set::leaving(Replacement::Srrip, 4, "abba1234ab"), "......12..");
    assert_eq!(Set::leaving(Replacement::Lru, 4, "abba1234ab"), "......ba12");
}

/// By hand: after `abcd` all predictions are 2. `e`: none is 3, all become 3, way 0 (a) goes, e gets 2: 2 3 3 3. `b` hits: 2 0 3 3.
/// `f`: way 2 (c) goes: 2 0 2 3. `g`: way 3 (d): 2 0 2 2. `h`: all one more, 3 1 3 3, way 0 (e): 2 1 3 3. `b`: 2 0 3 3. `i`: way 2 (f).
#[test]
fn srrip_predictions_by_hand() {
    assert_eq!(Set::leaving(Replacement::Srrip, 4, "abcdebfghbi"), "....a.cde.f");
}

#[test]
fn random_takes_every_way_about_as_often_and_the_same_for_a_seed() {
    let draw = || {
        let mut policy = Policy::new(Replacement::Random, 1, 8, stream(7, "test"));
        (0..8000).map(|_| policy.victim(0, 8)).collect::<Vec<_>>()
    };
    let ways = draw();
    for way in 0..8 {
        let taken = ways.iter().filter(|&&other| other == way).count();
        assert!((900..1100).contains(&taken), "way {way}: {taken} of 8000");
    }
    assert_eq!(ways, draw());
}

/// A set as a list of lines, the next victim first: what LRU and FIFO are defined by.
fn naive(accesses: &[u8], n_ways: usize, moves_on_hit: bool) -> Vec<Option<u8>> {
    let mut set: Vec<u8> = Vec::new();
    accesses
        .iter()
        .map(|&line| {
            if let Some(at) = set.iter().position(|&held| held == line) {
                if moves_on_hit {
                    let line = set.remove(at);
                    set.push(line);
                }
                return None;
            }
            let left = (set.len() == n_ways).then(|| set.remove(0));
            set.push(line);
            left
        })
        .collect()
}

/// Tree-PLRU as a recursion over halves: each half knows whether its victim is on its right.
enum Tree {
    Leaf,
    Node { right: bool, halves: Box<[Tree; 2]> },
}

impl Tree {
    fn new(n_ways: usize) -> Tree {
        match n_ways {
            1 => Tree::Leaf,
            n => Tree::Node { right: false, halves: Box::new([Tree::new(n / 2), Tree::new(n / 2)]) },
        }
    }

    fn access(&mut self, way: usize, n_ways: usize) {
        if let Tree::Node { right, halves } = self {
            let half = n_ways / 2;
            *right = way < half;
            halves[way / half].access(way % half, half);
        }
    }

    fn victim(&self, n_ways: usize) -> usize {
        match self {
            Tree::Leaf => 0,
            Tree::Node { right, halves } => usize::from(*right) * n_ways / 2 + halves[usize::from(*right)].victim(n_ways / 2),
        }
    }
}

/// SRRIP word for word: look for a 3 from the left; if there is none, add 1 to all and look again.
fn srrip_victim(predictions: &mut [u8]) -> usize {
    loop {
        if let Some(way) = predictions.iter().position(|&prediction| prediction == 3) {
            return way;
        }
        predictions.iter_mut().for_each(|prediction| *prediction += 1);
    }
}

proptest! {
    #[test]
    fn lru_and_fifo_are_lists(accesses in prop::collection::vec(0_u8..12, 1..200), n_ways in 1_usize..9) {
        for (kind, moves_on_hit) in [(Replacement::Lru, true), (Replacement::Fifo, false)] {
            let mut set = Set::new(kind, n_ways);
            let left: Vec<_> = accesses.iter().map(|&line| set.access(line)).collect();
            prop_assert_eq!(left, naive(&accesses, n_ways, moves_on_hit), "{:?}", kind);
        }
    }

    #[test]
    fn tree_plru_is_a_tree_of_halves(accesses in prop::collection::vec(0_usize..64, 1..200), levels in 0_u32..7) {
        let n_ways = 1 << levels;
        let mut policy = Policy::new(Replacement::TreePlru, 1, n_ways, stream(1, "test"));
        let mut tree = Tree::new(n_ways);
        for way in accesses {
            policy.hit(way % n_ways, n_ways);
            tree.access(way % n_ways, n_ways);
            prop_assert_eq!(policy.victim(0, n_ways), tree.victim(n_ways));
        }
    }

    #[test]
    fn srrip_ages_in_steps(accesses in prop::collection::vec(0_u8..12, 1..200), n_ways in 1_usize..9) {
        let mut set = Set::new(Replacement::Srrip, n_ways);
        let (mut lines, mut predictions) = (Vec::new(), Vec::new());
        for line in accesses {
            let left = if let Some(way) = lines.iter().position(|&held| held == line) {
                predictions[way] = 0;
                None
            } else if lines.len() < n_ways {
                lines.push(line);
                predictions.push(2);
                None
            } else {
                let way = srrip_victim(&mut predictions);
                predictions[way] = 2;
                Some(std::mem::replace(&mut lines[way], line))
            };
            prop_assert_eq!(set.access(line), left);
        }
    }
}
