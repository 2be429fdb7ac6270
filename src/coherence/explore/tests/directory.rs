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

/// Of attraction memories: a last copy finds another place or stays where it is, whoever has room.
#[test]
fn the_last_copy_is_never_dropped() {
    let text = include_str!("../../../../models/protocols/coma-flat.toml");
    let protocol = |text: &str| load(&SourceText::new("coma-flat.toml", text)).unwrap();
    let own = protocol(text);
    assert!(own.is_cache_only() && directories().iter().all(|other| !other.is_cache_only()));
    let states = [(2, 1, 4), (3, 1, 4), (3, 1, 1), (2, 2, 4)]
        .map(|(agents, lines, pointers)| holds(&own, Scope { pointers, ..Scope::new(agents, lines) }).states);
    assert_eq!(states, COMA_STATES);
    // An owner that drops its copy, and one that forgets its line when no one has room: both are found out.
    let faults = [
        ("evict = { next = \"OI_A\", do = [\"put\"] }", "evict = { next = \"I\" }"),
        ("put_nack = { next = \"OI_A\", do = [\"put\"] }", "put_nack = { next = \"I\" }"),
        (
            "inject = { next = \"O\", do = [\"accept\"] }                # the last copy",
            "inject = { next = \"M\", do = [\"accept\"] } # the last copy",
        ),
    ];
    for (right, wrong) in faults {
        assert_eq!(text.matches(right).count(), 1, "{right}");
        let broken = protocol(&text.replace(right, wrong));
        // A home that knows all sharers asks them first: what is injected is then the only copy.
        let scopes = (2..4).flat_map(|agents| [4, 1].map(|pointers| Scope { pointers, ..Scope::new(agents, 1) }));
        let refuted = scopes.into_iter().any(|scope| explore(&broken, scope).counterexample.is_some());
        assert!(refuted, "{wrong}");
    }
}

const COMA_STATES: [usize; 4] = [481, 18_888, 19_233, 77_737];
