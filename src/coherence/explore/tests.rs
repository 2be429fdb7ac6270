//! Shipped protocols hold, with as many states as they have; broken ones are refuted.

use super::*;
use crate::base::diagnostic::SourceText;
use crate::coherence::load::load;

fn shipped(name: &str, text: &str) -> Protocol {
    load(&SourceText::new(name, text)).unwrap()
}

fn protocols() -> [Protocol; 5] {
    [
        shipped("msi", include_str!("../../../models/protocols/msi.toml")),
        shipped("mesi", include_str!("../../../models/protocols/mesi.toml")),
        shipped("moesi", include_str!("../../../models/protocols/moesi.toml")),
        shipped("mesif", include_str!("../../../models/protocols/mesif.toml")),
        shipped("dragon", include_str!("../../../models/protocols/dragon.toml")),
    ]
}

/// Explores; the counterexample, if there is one, is the failure.
fn holds(protocol: &Protocol, agents: usize, lines: usize) -> Exploration {
    let exploration = explore(protocol, Scope::new(agents, lines));
    if let Some(counterexample) = &exploration.counterexample {
        panic!("{protocol}, {agents} agents, {lines} lines:\n{counterexample}");
    }
    assert!(!exploration.cut_short, "{protocol}, {agents} agents, {lines} lines");
    exploration
}

/// Agents and lines, and then how many states each protocol has.
const STATES: [(usize, usize, [usize; 5]); 3] = [
    (2, 1, [767, 746, 1_331, 877, 1_561]),
    (3, 1, [7_201, 7_217, 17_118, 9_373, 22_170]),
    (2, 2, [126_178, 124_170, 393_858, 151_263, 543_290]),
];

fn shipped_hold(scopes: impl Fn(usize, usize, usize) -> bool) {
    for (agents, lines, states) in STATES {
        for (protocol, expected) in protocols().iter().zip(states).filter(|&(_, states)| scopes(agents, lines, states)) {
            let exploration = holds(protocol, agents, lines);
            assert_eq!(exploration.states, expected, "{protocol}, {agents} agents, {lines} lines");
            assert_eq!(exploration.rows.missing(protocol), [], "{protocol}, {agents} agents, {lines} lines: rows never taken");
        }
    }
}

#[test]
fn shipped_protocols_hold_and_take_every_row() {
    shipped_hold(|_, _, states| states < 150_000);
}

/// Twenty seconds without optimisation.
#[test]
#[ignore = "takes long; the same for fewer states is always run"]
fn shipped_protocols_hold_with_two_agents_and_two_lines() {
    shipped_hold(|_, _, states| states >= 150_000);
}
