//! Shipped protocols hold, with as many states as they have; broken ones are refuted.

use super::*;
use crate::base::diagnostic::SourceText;
use crate::coherence::load::load;
use crate::coherence::protocol::{AgentAction, Row};

mod directory;
mod mutants;

/// The shipped tables.
const TEXTS: [(&str, &str); 5] = [
    ("msi.toml", include_str!("../../../models/protocols/msi.toml")),
    ("mesi.toml", include_str!("../../../models/protocols/mesi.toml")),
    ("moesi.toml", include_str!("../../../models/protocols/moesi.toml")),
    ("mesif.toml", include_str!("../../../models/protocols/mesif.toml")),
    ("dragon.toml", include_str!("../../../models/protocols/dragon.toml")),
];

fn protocols() -> [Protocol; 5] {
    TEXTS.map(|(name, text)| load(&SourceText::new(name, text)).unwrap())
}

/// Explores; the counterexample, if there is one, is the failure.
fn holds(protocol: &Protocol, scope: Scope) -> Exploration {
    let Scope { agents, lines, .. } = scope;
    let exploration = explore(protocol, scope);
    if let Some(counterexample) = &exploration.counterexample {
        panic!("{protocol}, {agents} agents, {lines} lines:\n{counterexample}");
    }
    assert!(!exploration.cut_short, "{protocol}, {agents} agents, {lines} lines");
    exploration
}

/// Agents and lines, and then how many states each protocol has.
const STATES: [(usize, usize, [usize; 5]); 4] = [
    (2, 1, [767, 746, 1_331, 877, 1_561]),
    (3, 1, [7_201, 7_217, 17_118, 9_373, 22_170]),
    (2, 2, [126_178, 124_170, 393_858, 151_263, 543_290]),
    (3, 2, [13_563_447, 14_015_437, 77_307_662, 19_118_875, 142_673_505]),
];

fn shipped_hold(scopes: impl Fn(usize, usize, usize) -> bool) {
    for (agents, lines, states) in STATES {
        for (protocol, expected) in protocols().iter().zip(states).filter(|&(_, states)| scopes(agents, lines, states)) {
            let exploration = holds(protocol, Scope { most_states: expected, ..Scope::new(agents, lines) });
            assert_eq!(exploration.states, expected, "{protocol}, {agents} agents, {lines} lines");
            assert_eq!(exploration.rows.missing(protocol), [], "{protocol}, {agents} agents, {lines} lines: rows never taken");
        }
    }
}

#[test]
fn shipped_protocols_hold_and_take_every_row() {
    shipped_hold(|_, _, states| states < 125_000);
}

/// Twenty seconds without optimisation.
#[test]
#[ignore = "takes long; the same for fewer states is always run"]
fn shipped_protocols_hold_with_two_agents_and_two_lines() {
    shipped_hold(|_, _, states| (125_000..1_000_000).contains(&states));
}

/// Half a minute for each without optimisation.
#[test]
#[ignore = "takes long"]
fn shipped_protocols_hold_with_two_misses_under_way() {
    let [msi, mesi, ..] = protocols();
    for (protocol, states) in [(msi, 993_894), (mesi, 901_620)] {
        let exploration = holds(&protocol, Scope { misses: 2, ..Scope::new(2, 2) });
        assert_eq!(exploration.states, states, "{protocol}");
    }
}

/// With optimisation: two to four minutes and 2 GB for each of MSI, MESI and MESIF; twelve minutes and 9 GB for MOESI; half an hour and
/// 17 GB for Dragon.
#[test]
#[ignore = "takes an hour, and much memory"]
fn shipped_protocols_hold_with_three_agents_and_two_lines() {
    shipped_hold(|_, _, states| states >= 1_000_000);
}

/// A shipped protocol with one row changed.
fn broken(number: usize, state: &str, event: AgentEvent, change: impl Fn(Row) -> Option<Row>) -> Protocol {
    let mut protocol = protocols()[number].clone();
    let state = protocol.agent.find(state).unwrap();
    let row = change(protocol.agent.row(state, event).unwrap());
    protocol.agent.set_row(state, event, row);
    protocol
}

fn refutation(protocol: &Protocol) -> Counterexample {
    let scopes = [(2, 1), (3, 1)];
    scopes.into_iter().find_map(|(agents, lines)| explore(protocol, Scope::new(agents, lines)).counterexample).unwrap()
}

#[test]
fn counterexamples_are_charts() {
    let stays = |row: Row| Some(Row { next: State(1), ..row });
    let no_flush = |row: Row| Some(Row { actions: row.actions.without(AgentAction::Flush), ..row });
    let no_withdraw = |row: Row| Some(Row { actions: row.actions.without(AgentAction::Withdraw), ..row });
    let no_word = |row: Row| Some(Row { actions: row.actions.without(AgentAction::TakeWord), ..row });
    let broken = [
        ("MESI keeps a shared copy when another agent writes", broken(1, "S", AgentEvent::BusUpgr, stays)),
        ("MSI's owner does not supply", broken(0, "M", AgentEvent::BusRd, no_flush)),
        ("MESI forgets that an upgrade can lose its copy", broken(1, "SM_A", AgentEvent::BusUpgr, |_| None)),
        ("MOESI writes back what a sharer has written since", broken(2, "OI_A", AgentEvent::BusUpgr, no_withdraw)),
        ("Dragon's sharer does not take the word", broken(4, "Sc", AgentEvent::BusUpd, no_word)),
    ];
    let charts: Vec<String> = broken.iter().map(|(name, protocol)| format!("{name}:\n{}", refutation(protocol))).collect();
    insta::assert_snapshot!(charts.join("\n\n"));
}

#[test]
fn no_shorter_way_leads_to_the_fault() {
    // The shortest: one agent reads, the other reads, one writes, the other reads what it kept. Each miss takes a request, a grant, the
    // other's look at it, data and completion.
    let counterexample = refutation(&broken(0, "S", AgentEvent::BusUpgr, |row| Some(Row { next: State(1), ..row })));
    let accesses = counterexample.steps.iter().filter(|step| matches!(step.step, Step::Access { .. })).count();
    assert_eq!((accesses, counterexample.steps.len()), (3, 18), "{counterexample}");
}

#[test]
fn a_search_without_end_is_cut_short() {
    let protocol = &protocols()[1];
    let exploration = explore(protocol, Scope { misses: 2, most_states: 1000, ..Scope::new(4, 2) });
    assert!(exploration.cut_short && exploration.counterexample.is_none());
    assert_eq!(exploration.states, 1001);
}
