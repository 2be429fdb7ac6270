//! Shipped litmus tests: the sets of outcomes that the literature knows, and those of machines without caches.

use super::*;
use crate::base::diagnostic::SourceText;
use crate::coherence::load::load;
use crate::program::check::Bindings;
use crate::program::code::{Collectives, Plan};
use crate::program::compile;
use crate::program::lower::lower;
use crate::program::tree::Schedule;

fn protocol(name: &str) -> Protocol {
    let text = match name {
        "msi" => include_str!("../../../../models/protocols/msi.toml"),
        "mesi" => include_str!("../../../../models/protocols/mesi.toml"),
        "moesi" => include_str!("../../../../models/protocols/moesi.toml"),
        "mesif" => include_str!("../../../../models/protocols/mesif.toml"),
        _ => include_str!("../../../../models/protocols/dragon.toml"),
    };
    load(&SourceText::new(name, text)).unwrap()
}

fn code_of(text: &str) -> Code {
    let source = SourceText::new("test.flynn", text);
    let texts = [
        ("team", include_str!("../../../../models/runtime/team.flynn")),
        ("lock-test-and-set", include_str!("../../../../models/runtime/lock-test-and-set.flynn")),
        ("barrier-central", include_str!("../../../../models/runtime/barrier-central.flynn")),
    ];
    let texts = texts.map(|(name, text)| (name.to_owned(), SourceText::new(format!("{name}.flynn"), text)));
    let plan = Plan {
        ranks: 1,
        threads: 4,
        seed: 1,
        padding: 64,
        lock: "test-and-set".into(),
        barrier: "central".into(),
        reduce: "linear".into(),
        schedule: Schedule { kind: "static".into(), chunk: None },
        collectives: Collectives::default(),
    };
    let program = compile(&source, &Bindings { threads: 4, ..Bindings::default() }).unwrap();
    lower(&program, &plan, &texts.into_iter().collect()).unwrap()
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../../configs/workloads/litmus-", $name, ".flynn")))),*]
    };
}
const SHIPPED: [(&str, &str); 14] =
    shipped!["2-2w", "corr", "iriw", "lb", "mp", "n6", "r", "r-fence", "rwc", "s", "sb", "sb-fence", "sb-rmw", "wrc"];

const PROTOCOLS: [&str; 5] = ["msi", "mesi", "moesi", "mesif", "dragon"];
const MODELS: [Consistency; 2] = [Consistency::Sc, Consistency::Tso];

fn explored(name: &str, protocol: &Protocol, scope: LitmusScope) -> BTreeSet<Vec<u64>> {
    let (_, text) = SHIPPED.into_iter().find(|(known, _)| *known == name).unwrap();
    let found = outcomes(&code_of(text), protocol, scope).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    assert!(!found.cut_short && found.broken.is_none(), "{name}: {} states, {:?}", found.states, found.broken);
    found.set
}

/// For each test: the outcome it is known by, and whether each model allows it (Alglave, Maranget and Tautschnig 2014, figures 6 to 8
/// and section 4; Owens, Sarkar and Sewell 2009, sections 2 and 3).
#[test]
fn outcomes_are_those_that_the_literature_knows() {
    let known: [(&str, &[u64], bool, bool); 14] = [
        ("sb", &[0, 0], false, true),
        ("sb-fence", &[0, 0], false, false),
        ("sb-rmw", &[0, 0], false, false),
        ("mp", &[1, 0], false, false),
        ("lb", &[1, 1], false, false),
        ("r", &[0, 2], false, true),
        ("r-fence", &[0, 2], false, false),
        ("s", &[1, 2], false, false),
        ("2-2w", &[2, 2], false, false),
        ("wrc", &[1, 1, 0], false, false),
        ("rwc", &[1, 0, 0], false, true),
        ("iriw", &[1, 0, 1, 0], false, false),
        ("corr", &[1, 0], false, false),
        ("n6", &[1, 0, 1], false, true),
    ];
    let mesi = protocol("mesi");
    for (name, outcome, sc, tso) in known {
        for (consistency, allowed) in MODELS.into_iter().zip([sc, tso]) {
            let set = explored(name, &mesi, LitmusScope::new(consistency));
            assert_eq!(set.contains(outcome), allowed, "{name} under {}: {set:?}", consistency.name());
        }
    }
}

/// An access of a machine without caches: places 0 and 1, registers from 0.
#[derive(Clone, Copy)]
enum Op {
    Store(usize, u64),
    Load(usize, usize),
    Exchange(usize, u64),
    Fence,
}
use Op::{Exchange, Fence, Load, Store};

/// A result: a register, or what a place holds in the end.
#[derive(Clone, Copy)]
enum Shown {
    Register(usize),
    Place(usize),
}

/// The abstract machine of x86-TSO (Owens, Sarkar and Sewell 2009, section 3): memory, and for each thread a store buffer; without buffers,
/// the interleavings of sequential consistency.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Machine {
    memory: [u64; 2],
    registers: [u64; 4],
    at: [usize; 4],
    buffers: [Vec<(usize, u64)>; 4],
}

fn reference(threads: &[&[Op]], shown: &[Shown], consistency: Consistency) -> BTreeSet<Vec<u64>> {
    let start = Machine { memory: [0; 2], registers: [0; 4], at: [0; 4], buffers: Default::default() };
    let (mut seen, mut stack, mut set) = (BTreeSet::new(), vec![start], BTreeSet::new());
    while let Some(machine) = stack.pop() {
        if !seen.insert(machine.clone()) {
            continue;
        }
        let mut is_over = true;
        for (thread, ops) in threads.iter().enumerate() {
            let mut next = machine.clone();
            if let Some(&(place, value)) = machine.buffers[thread].first() {
                is_over = false;
                next.buffers[thread].remove(0);
                next.memory[place] = value;
                stack.push(next.clone());
            }
            let Some(&op) = ops.get(machine.at[thread]) else { continue };
            is_over = false;
            let mut next = machine.clone();
            next.at[thread] += 1;
            let is_empty = machine.buffers[thread].is_empty();
            match op {
                Store(place, value) if consistency == Consistency::Tso => next.buffers[thread].push((place, value)),
                Store(place, value) => next.memory[place] = value,
                Load(register, place) => {
                    let own = machine.buffers[thread].iter().rev().find(|store| store.0 == place);
                    next.registers[register] = own.map_or(machine.memory[place], |store| store.1);
                }
                Exchange(place, value) if is_empty => next.memory[place] = value,
                Fence if is_empty => {}
                Exchange(..) | Fence => continue,
            }
            stack.push(next);
        }
        if is_over {
            let value = |shown: &Shown| match *shown {
                Shown::Register(register) => machine.registers[register],
                Shown::Place(place) => machine.memory[place],
            };
            set.insert(shown.iter().map(value).collect());
        }
    }
    set
}

#[test]
fn outcomes_are_those_of_machines_without_caches() {
    use Shown::{Place as P, Register as R};
    const X: usize = 0;
    const Y: usize = 1;
    type Test<'a> = (&'a str, &'a [&'a [Op]], &'a [Shown]);
    let tests: [Test; 14] = [
        ("sb", &[&[Store(X, 1), Load(0, Y)], &[Store(Y, 1), Load(1, X)]], &[R(0), R(1)]),
        ("sb-fence", &[&[Store(X, 1), Fence, Load(0, Y)], &[Store(Y, 1), Fence, Load(1, X)]], &[R(0), R(1)]),
        ("sb-rmw", &[&[Exchange(X, 1), Load(0, Y)], &[Exchange(Y, 1), Load(1, X)]], &[R(0), R(1)]),
        ("mp", &[&[Store(X, 1), Store(Y, 1)], &[Load(0, Y), Load(1, X)]], &[R(0), R(1)]),
        ("lb", &[&[Load(0, X), Store(Y, 1)], &[Load(1, Y), Store(X, 1)]], &[R(0), R(1)]),
        ("r", &[&[Store(X, 1), Store(Y, 1)], &[Store(Y, 2), Load(0, X)]], &[R(0), P(Y)]),
        ("r-fence", &[&[Store(X, 1), Fence, Store(Y, 1)], &[Store(Y, 2), Fence, Load(0, X)]], &[R(0), P(Y)]),
        ("s", &[&[Store(X, 2), Store(Y, 1)], &[Load(0, Y), Store(X, 1)]], &[R(0), P(X)]),
        ("2-2w", &[&[Store(X, 2), Store(Y, 1)], &[Store(Y, 2), Store(X, 1)]], &[P(X), P(Y)]),
        ("wrc", &[&[Store(X, 1)], &[Load(0, X), Store(Y, 1)], &[Load(1, Y), Load(2, X)]], &[R(0), R(1), R(2)]),
        ("rwc", &[&[Store(X, 1)], &[Load(0, X), Load(1, Y)], &[Store(Y, 1), Load(2, X)]], &[R(0), R(1), R(2)]),
        (
            "iriw",
            &[&[Store(X, 1)], &[Store(Y, 1)], &[Load(0, X), Load(1, Y)], &[Load(2, Y), Load(3, X)]],
            &[R(0), R(1), R(2), R(3)],
        ),
        ("corr", &[&[Store(X, 1)], &[Load(0, X), Load(1, X)]], &[R(0), R(1)]),
        ("n6", &[&[Store(X, 1), Load(0, X), Load(1, Y)], &[Store(Y, 2), Store(X, 2)]], &[R(0), R(1), P(X)]),
    ];
    let protocols = PROTOCOLS.map(protocol);
    for (name, threads, shown) in tests {
        for consistency in MODELS {
            let expected = reference(threads, shown, consistency);
            for protocol in &protocols {
                let found = explored(name, protocol, LitmusScope::new(consistency));
                assert_eq!(found, expected, "{name} under {} on {protocol}", consistency.name());
            }
        }
    }
}

#[test]
fn leaving_out_orders_leaves_out_no_outcome() {
    for name in ["sb", "mp", "lb", "r", "s", "2-2w", "corr", "n6"] {
        for protocol in [protocol("mesi"), protocol("dragon")] {
            for consistency in MODELS {
                let scope = LitmusScope::new(consistency);
                let all = explored(name, &protocol, LitmusScope { reduced: false, ..scope });
                assert_eq!(explored(name, &protocol, scope), all, "{name} under {} on {protocol}", consistency.name());
            }
        }
    }
}

/// What two threads do to places `x` and `y`, each with a line of its own unless `together`.
fn two_threads(declarations: &str, bodies: [&str; 2], results: &str) -> Code {
    let [first, second] = bodies;
    code_of(&format!(
        "{declarations}\nparallel 2 {{\n    if thread == 0 {{\n{first}\n    }} else {{\n{second}\n    }}\n}}\nresult {results}\n"
    ))
}

#[test]
fn places_of_one_line_are_places() {
    let declarations = "array x: i64[2]\narray r: i64[2] padded";
    let bodies = ["atomic x[0] = 1 relaxed; r[0] = atomic x[1] relaxed", "atomic x[1] = 1 relaxed; r[1] = atomic x[0] relaxed"];
    let code = two_threads(declarations, bodies, "r[0], r[1]");
    let sets = MODELS.map(|consistency| outcomes(&code, &protocol("mesi"), LitmusScope::new(consistency)).unwrap());
    assert_eq!(sets.each_ref().map(|outcomes| (outcomes.lines, outcomes.set.len())), [(1, 3), (1, 4)]);
    assert!(sets[1].set.contains(&vec![0, 0]), "a buffered store and a load of the same line");
}

#[test]
fn a_lock_excludes_under_both_models() {
    let inside = "lock guard { atomic x[0] = (atomic x[0] relaxed) + 1 relaxed }";
    let code = two_threads("mutex guard\narray x: i64[1] padded", [inside; 2], "x[0]");
    for consistency in MODELS {
        let found = outcomes(&code, &protocol("mesi"), LitmusScope::new(consistency)).unwrap();
        assert_eq!(found.set, BTreeSet::from([vec![2]]), "under {}", consistency.name());
    }
    let outside = "atomic x[0] = (atomic x[0] relaxed) + 1 relaxed";
    let code = two_threads("array x: i64[1] padded", [outside; 2], "x[0]");
    let found = outcomes(&code, &protocol("mesi"), LitmusScope::new(Consistency::Sc)).unwrap();
    assert_eq!(found.set, BTreeSet::from([vec![1], vec![2]]), "without a lock an addition can be lost");
}

#[test]
fn an_await_goes_on_when_it_may() {
    let bodies = ["atomic x[0] = 7 relaxed; atomic y[0] = 1 release", "await y[0] == 1; r[0] = atomic x[0] relaxed"];
    let code = two_threads("array x: i64[1] padded\narray y: i64[1] padded\narray r: i64[1]", bodies, "r[0]");
    for protocol in PROTOCOLS.map(protocol) {
        for consistency in MODELS {
            let found = outcomes(&code, &protocol, LitmusScope::new(consistency)).unwrap();
            assert_eq!(found.set, BTreeSet::from([vec![7]]), "under {} on {protocol}", consistency.name());
        }
    }
}

#[test]
fn values_are_those_of_the_copies() {
    use crate::coherence::protocol::{AgentEvent, Row};
    // A sharer that keeps its copy when another core writes goes on to read the old value: the message's flag is new, and it is old.
    let mesi = protocol("mesi");
    let mut broken = mesi.clone();
    let shared = broken.agent.find("S").unwrap();
    let row = broken.agent.row(shared, AgentEvent::BusUpgr).unwrap();
    broken.agent.set_row(shared, AgentEvent::BusUpgr, Some(Row { next: shared, ..row }));
    let bodies = [
        "r[0] = atomic x[0] relaxed; atomic x[0] = 1 relaxed; atomic y[0] = 1 relaxed",
        "r[1] = atomic x[0] relaxed; r[2] = atomic y[0] relaxed; r[3] = atomic x[0] relaxed",
    ];
    let places = "array x: i64[1] padded\narray y: i64[1] padded\narray r: i64[4]";
    let code = two_threads(places, bodies, "r[2], r[3]");
    let set = |protocol: &Protocol, evictions| {
        outcomes(&code, protocol, LitmusScope { evictions, ..LitmusScope::new(Consistency::Sc) }).unwrap()
    };
    assert!(!set(&mesi, true).set.contains(&vec![1, 0]));
    assert!(set(&broken, false).set.contains(&vec![1, 0]));
    let evicted = set(&broken, true);
    assert!(evicted.set.contains(&vec![1, 0]) && evicted.broken.is_some(), "{:?}", evicted.broken);
}

#[test]
fn what_is_no_litmus_test_is_refused_at_its_place() {
    let refused =
        |text: &str| outcomes(&code_of(text), &protocol("mesi"), LitmusScope::new(Consistency::Sc)).unwrap_err().to_string();
    let places = "array x: i64[1] padded\narray r: i64[2] padded\n";
    let texts = [
        "shared total: i64 = 0\ntotal = 1\nresult total\n".to_owned(),
        format!("{places}parallel 2 {{ r[thread] = thread }}\nresult r[1]\n"),
        format!("{places}parallel 2 {{\n    atomic x[0] += 1\n    r[thread] = x[0]\n}}\nresult r[0]\n"),
        format!("{places}parallel 2 {{\n    atomic x[0] += 1\n    r[0] = thread\n}}\nresult r[0]\n"),
        "array x: i64[64] padded\nparallel 2 { atomic x[thread] += 1 }\nresult x[0]\n".to_owned(),
        format!("{places}parallel 2 {{ while true {{ r[thread] += 1 }}\natomic x[0] += 1 }}\nresult r[0]\n"),
        format!("{places}parallel 2 {{ atomic x[0] += 1 }}\nparallel 2 {{ atomic x[0] += 1 }}\nresult x[0]\n"),
        format!("{places}parallel 2 {{ atomic x[thread / (1 - thread)] += 1 }}\nresult x[0]\n"),
    ];
    let faults: Vec<String> = texts.iter().map(|text| refused(text)).collect();
    insta::assert_snapshot!(faults.join("\n\n"));
}

#[test]
fn a_search_without_end_is_cut_short() {
    // A store each time round: the buffer fills up, and values never repeat.
    let body = "let v = 0\nwhile true { v += 1; atomic x[0] = v relaxed }";
    let code = two_threads("array x: i64[1] padded", [body; 2], "x[0]");
    let scope = LitmusScope { most_states: 500, ..LitmusScope::new(Consistency::Tso) };
    let found = outcomes(&code, &protocol("mesi"), scope).unwrap();
    assert!(found.cut_short && found.set.is_empty());
}
