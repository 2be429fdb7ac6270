//! Mutation: every table with one row changed, in every way there is. Each mutant is refused by the rules of `check`, or refuted, or it
//! survives; then there is a reason, and both stand in a snapshot. (DeMillo, Lipton and Sayward, "Hints on test data selection", IEEE
//! Computer 1978.)

use super::*;
use crate::coherence::check;
use crate::coherence::load::{RowPlaces, load_with_places};
use crate::coherence::protocol::{AgentAction, Kind, MemoryAction, MemoryEvent, Permission, Row};

/// What is changed of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Impossible,
    Next(State),
    Without(&'static str),
    With(&'static str),
}

/// All ways to change a row, with the row that comes of it.
fn changes<A: Vocabulary>(row: Row, states: usize, used: &[bool]) -> Vec<(Change, Option<Row>)> {
    let next = (0..states).map(|state| State(state as u8)).filter(|&state| state != row.next);
    let next = next.map(|state| (Change::Next(state), Some(Row { next: state, ..row })));
    let actions = A::ALL.iter().filter(|(_, action)| used[action.index()]).map(|&(name, action)| {
        if row.actions.has(action) {
            (Change::Without(name), Some(Row { actions: row.actions.without(action), ..row }))
        } else {
            (Change::With(name), Some(Row { actions: row.actions.with(action), ..row }))
        }
    });
    [(Change::Impossible, None)].into_iter().chain(next).chain(actions).collect()
}

/// Which actions a table uses.
fn used<E: Vocabulary, A: Vocabulary>(table: &Table<E>) -> Vec<bool> {
    let rows: Vec<Row> = rows(table).map(|(_, _, row)| row).collect();
    A::ALL.iter().map(|&(_, action)| rows.iter().any(|row| row.actions.has(action))).collect()
}

fn rows<E: Vocabulary>(table: &Table<E>) -> impl Iterator<Item = (State, E, Row)> + '_ {
    (0..table.states.len())
        .flat_map(|state| E::ALL.iter().map(move |&(_, event)| (State(state as u8), event)))
        .filter_map(|(state, event)| Some((state, event, table.row(state, event)?)))
}

/// A protocol with one row changed.
struct Mutant {
    protocol: Protocol,
    taken: Taken,
    change: Change,
}

fn mutants(protocol: &Protocol) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let (actions, states) = (used::<_, AgentAction>(&protocol.agent), protocol.agent.states.len());
    for (state, event, row) in rows(&protocol.agent) {
        for (change, row) in changes::<AgentAction>(row, states, &actions) {
            let mut mutant = protocol.clone();
            mutant.agent.set_row(state, event, row);
            mutants.push(Mutant { protocol: mutant, taken: Taken::Agent(state, event), change });
        }
    }
    let (actions, states) = (used::<_, MemoryAction>(&protocol.memory), protocol.memory.states.len());
    for (state, event, row) in rows(&protocol.memory) {
        for (change, row) in changes::<MemoryAction>(row, states, &actions) {
            let mut mutant = protocol.clone();
            mutant.memory.set_row(state, event, row);
            mutants.push(Mutant { protocol: mutant, taken: Taken::Memory(state, event), change });
        }
    }
    mutants
}

impl Mutant {
    /// Whether the rules that can be read off the rows refuse it.
    fn is_refused(&self, places: &RowPlaces) -> bool {
        let mut faults = Vec::new();
        check::reachable(&self.protocol.agent, &places.agent, &mut faults);
        check::agent(&self.protocol.agent, self.protocol.kind(), &places.agent, &mut faults);
        check::reachable(&self.protocol.memory, &places.memory, &mut faults);
        match self.protocol.kind() {
            Kind::Snooping => check::memory(&self.protocol.memory, &places.memory, &mut faults),
            Kind::Directory => check::home(&self.protocol.memory, &places.memory, &mut faults),
        }
        !faults.is_empty()
    }

    fn is_refuted(&self, agents: usize, lines: usize) -> bool {
        let pointers: &[usize] = if self.protocol.kind() == Kind::Directory { &[MOST_AGENTS, 1] } else { &[MOST_AGENTS] };
        pointers.iter().any(|&pointers| {
            let scope = Scope { pointers, ..Scope::new(agents, lines) };
            explore(&self.protocol, scope).counterexample.is_some()
        })
    }

    /// "S, bus_upgr: with shared".
    fn name(&self) -> String {
        let row = match self.taken {
            Taken::Agent(state, event) => format!("{}, {}", self.protocol.agent.state(state).name, event.name()),
            Taken::Memory(state, event) => {
                let table = self.protocol.kind().memory_table();
                format!("{table} {}, {}", self.protocol.memory.state(state).name, event.name())
            }
        };
        let next = |state| match self.taken {
            Taken::Agent(..) => &self.protocol.agent.state(state).name,
            Taken::Memory(..) => &self.protocol.memory.state(state).name,
        };
        match self.change {
            Change::Impossible => format!("{row}: impossible"),
            Change::Next(state) => format!("{row}: next {}", next(state)),
            Change::Without(action) => format!("{row}: without {action}"),
            Change::With(action) => format!("{row}: with {action}"),
        }
    }
}

/// Why a mutant is as coherent as what it was made of.
fn reason(mutant: &Mutant) -> Option<&'static str> {
    use AgentEvent::{BusRd, BusRdX, BusUpd, BusUpgr, BusWb, DataAlone, Done, Load, Word};
    let Taken::Agent(state, event) = mutant.taken else { return None };
    let table = &mutant.protocol.agent;
    let from = table.state(state);
    let holds = |state: State| table.state(state).permits != Permission::Nothing;
    let reason = match (event, mutant.change) {
        (BusRd | BusUpd, Change::With("shared")) if !holds(state) => {
            "it says that it has a copy and has none: the requestor takes less than it could have, and asks again before it writes alone"
        }
        (BusRd, Change::Without("shared")) if mutant.protocol.name == "MSI" => "MSI has no use for knowing who else has a copy",
        (BusRd | BusWb | Word, Change::Next(State::INVALID)) => {
            "it gives up a copy that memory or another agent has or gets: a miss later, nothing worse"
        }
        (BusRd | BusRdX, Change::With("flush" | "supply")) if !from.dirty => {
            "a clean line comes from the only one who has it, and not from memory, which has the same"
        }
        (BusRd | BusRdX, Change::Without("supply")) if !from.dirty => "a clean line comes from memory, which has the same",
        (BusRd | BusRdX | BusUpgr, Change::With("amend")) if from.transient => "what is amended is a read for ownership already",
        (Load | BusRd | DataAlone | Done, Change::Next(next)) if holds(next) => match (from.dirty, table.state(next).dirty) {
            (false, true) => "it takes a clean line for a modified one: a write-back that was not needed, or a word to no one",
            _ => "it takes less than it has: it asks before it writes",
        },
        _ => return None,
    };
    Some(reason)
}

/// The same of a protocol with a directory.
fn reason_with_directory(mutant: &Mutant) -> Option<&'static str> {
    use AgentEvent::{AckCountEarly, DataEarly, Evict, FwdGetM, FwdGetS, Inv, InvAck, Load, Store};
    let table = &mutant.protocol.agent;
    let (state, event) = match mutant.taken {
        Taken::Agent(state, event) => (state, event),
        Taken::Memory(state, event) => return reason_of_home(mutant, state, event),
    };
    let from = table.state(state);
    let Change::Next(next) = mutant.change else { return None };
    let (next_name, next) = (&*table.state(next).name, table.state(next));
    match event {
        FwdGetS if next_name == "I" => Some("it gives up a copy that it could keep: a miss later, nothing worse"),
        Load if !from.dirty && next.dirty => Some("it takes a clean line for a modified one: a line is given back that memory has"),
        Store | Inv | InvAck | DataEarly | AckCountEarly | FwdGetM if ["IM_AD", "SM_AD", "IM_A", "SM_A"].contains(&next_name) => {
            Some("it waits for the same packets, which end its wait in the same way")
        }
        Evict if next_name == "MI_A" => Some("an owner, with sharers or without, is asked the same"),
        FwdGetS | FwdGetM | Inv if from.transient && ["MI_A", "OI_A", "EI_A", "II_A"].contains(&next_name) => {
            Some("only the acknowledgement is still to come: the home knows where the line is")
        }
        _ => None,
    }
}

fn reason_of_home(mutant: &Mutant, state: State, event: MemoryEvent) -> Option<&'static str> {
    let name = &*mutant.protocol.memory.state(state).name;
    let (has_owner, has_sharers) = (matches!(name, "M" | "O"), matches!(name, "S" | "O"));
    match mutant.change {
        Change::With("inv" | "clear_sharers") if !has_sharers => Some("there are no sharers"),
        Change::With("clear_owner" | "add_owner" | "inv_owner") if !has_owner => Some("there is no owner"),
        Change::With("set_owner") if event == MemoryEvent::UpgradeOwner => Some("it is the owner already"),
        Change::Next(next) if mutant.protocol.memory.state(next).name.starts_with('O') => {
            Some("the line is taken for one with sharers beside its owner, and there are none to tell")
        }
        Change::With("clear_owner") => Some("another owner is noted in the same step"),
        Change::With("add_sharer" | "add_owner") => {
            Some("it notes a sharer too many: an agent without a copy is told to drop it, and says that it has")
        }
        Change::Next(next) if event == MemoryEvent::Put || event == MemoryEvent::PutClean || event == MemoryEvent::PutStale => {
            let next = &*mutant.protocol.memory.state(next).name;
            (next == "S").then_some("a line that no one has is taken for a shared one: it comes without the right to write it")
        }
        Change::Without("clear_owner") if event == MemoryEvent::Put || event == MemoryEvent::PutClean => {
            Some("who is noted as owner of a line that no one has is asked nothing")
        }
        _ => None,
    }
}

/// How many mutants were refused when loaded and how many refuted, and the names of those that survive, each with its reason.
fn survivors(text: (&str, &str), scopes: &[(usize, usize)]) -> String {
    let (protocol, places) = load_with_places(&SourceText::new(text.0, text.1)).unwrap();
    let mut mutants = mutants(&protocol);
    let total = mutants.len();
    mutants.retain(|mutant| !mutant.is_refused(&places));
    let refused = total - mutants.len();
    for &(agents, lines) in scopes {
        mutants.retain(|mutant| !mutant.is_refuted(agents, lines));
    }
    let (refuted, survive) = (total - refused - mutants.len(), mutants.len());
    let mut told = vec![format!("{total} mutants: {refused} refused when loaded, {refuted} refuted, {survive} survive")];
    for mutant in &mutants {
        let reason = match protocol.kind() {
            Kind::Snooping => reason(mutant),
            Kind::Directory => reason_with_directory(mutant),
        };
        let reason = reason.unwrap_or("?");
        told.push(format!("{}: {reason}", mutant.name()));
    }
    told.join("\n")
}

/// Three agents refute what two cannot: two sharers that both answer, an owner beside a sharer and a writer.
const SCOPES: [(usize, usize); 2] = [(2, 1), (3, 1)];

fn snapshot(number: usize) {
    let (name, text) = TEXTS[number];
    let told = survivors((name, text), &SCOPES);
    insta::assert_snapshot!(name.trim_end_matches(".toml"), &told);
    assert!(!told.contains(": ?"), "a survivor without a reason:\n{told}");
}

fn directory_snapshot(number: usize) {
    let (name, text) = super::directory::TEXTS[number];
    let told = survivors((name, text), &SCOPES);
    insta::assert_snapshot!(name.trim_end_matches(".toml"), &told);
    assert!(!told.contains(": ?"), "a survivor without a reason:\n{told}");
}

// A test for each, so that they run side by side.

#[test]
fn mutants_of_directory_msi() {
    directory_snapshot(0);
}

#[test]
fn mutants_of_directory_mesi() {
    directory_snapshot(1);
}

#[test]
fn mutants_of_directory_moesi() {
    directory_snapshot(2);
}

#[test]
fn mutants_of_msi() {
    snapshot(0);
}

#[test]
fn mutants_of_mesi() {
    snapshot(1);
}

#[test]
fn mutants_of_moesi() {
    snapshot(2);
}

#[test]
fn mutants_of_mesif() {
    snapshot(3);
}

#[test]
fn mutants_of_dragon() {
    snapshot(4);
}
