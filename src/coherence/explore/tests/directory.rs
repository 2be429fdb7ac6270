//! Protocols with a directory: the shipped ones hold, with full maps and with one pointer, and broken ones are refuted.

use super::*;

pub(super) const TEXTS: [(&str, &str); 3] = [
    ("directory-msi.toml", include_str!("../../../../models/protocols/directory-msi.toml")),
    ("directory-mesi.toml", include_str!("../../../../models/protocols/directory-mesi.toml")),
    ("directory-moesi.toml", include_str!("../../../../models/protocols/directory-moesi.toml")),
];

fn directories() -> [Protocol; 3] {
    TEXTS.map(|(name, text)| load(&SourceText::new(name, text)).unwrap_or_else(|faults| panic!("{name}: {faults:?}")))
}

/// Agents, lines and pointers, and then how many states each protocol has.
type States = (usize, usize, usize, [usize; 3]);

/// Of scopes that are explored in every run of the tests.
const STATES: [States; 4] =
    [(2, 1, 4, [368, 453, 485]), (2, 1, 1, [355, 438, 493]), (3, 1, 4, [3_068, 5_010, 6_432]), (3, 1, 1, [2_889, 4_724, 6_733])];

/// Seconds without optimisation for each.
#[test]
#[ignore = "takes long; the same for fewer states is always run"]
fn directories_hold_with_more_agents_and_lines() {
    let (found, _) = states_of(&MORE_STATES);
    assert_eq!(found, MORE_STATES);
}

fn states_of(scopes: &[States]) -> (Vec<States>, [Vec<Taken>; 3]) {
    let mut rows: [Option<TableRows>; 3] = [const { None }; 3];
    let mut found = Vec::new();
    for &(agents, lines, pointers, _) in scopes {
        let mut number = 0;
        let states = directories().map(|protocol| {
            let exploration = holds(&protocol, Scope { pointers, most_states: 20_000_000, ..Scope::new(agents, lines) });
            match &mut rows[number] {
                Some(rows) => rows.merge(&exploration.rows),
                rows => *rows = Some(exploration.rows),
            }
            number += 1;
            exploration.states
        });
        found.push((agents, lines, pointers, states));
    }
    let mut rows = rows.into_iter();
    let missing = directories().map(|protocol| rows.next().flatten().map_or(Vec::new(), |rows| rows.missing(&protocol)));
    (found, missing)
}

/// The same, and more of them.
const MORE_STATES: [States; 3] =
    [(2, 2, 4, [64_126, 116_976, 129_511]), (4, 1, 4, [19_026, 37_387, 55_982]), (4, 1, 2, [19_489, 40_272, 59_011])];

#[test]
fn directories_hold_and_take_every_row() {
    let (found, missing) = states_of(&STATES);
    assert_eq!(found, STATES);
    assert_eq!(missing, [const { Vec::new() }; 3], "rows never taken");
}
