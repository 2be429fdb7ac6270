//! What `check` says of a protocol: how much was explored, or the counterexample as a chart, as data and as a fault of a row.

use serde_json::{Map, Value as Json, json};

use crate::base::diagnostic::{Diagnostic, Diagnostics, SourceText};
use crate::coherence::explore::{Change, Counterexample, Exploration, Lane, Scope, Step, TableRows, Taken, explore};
use crate::coherence::load::{RowPlaces, load_with_places};
use crate::coherence::protocol::{Kind, Protocol, Vocabulary};
use crate::report::human::count;
use crate::report::{Figure, sequence};

/// What is explored where nothing is said: every shipped protocol takes each of its rows in it.
const USUAL_SCOPES: [(usize, usize); 2] = [(2, 1), (3, 1)];

/// How much is to be explored, where an option says so.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub agents: Option<usize>,
    pub lines: Option<usize>,
    pub misses: usize,
    pub pointers: Option<usize>,
    pub most_states: Option<usize>,
}

impl Wanted {
    /// The scopes for a kind of protocols. With a directory, homes that note all sharers are followed by such as note one.
    fn scopes(self, kind: Kind) -> Vec<Scope> {
        let sizes = match (self.agents, self.lines) {
            (None, None) => USUAL_SCOPES.to_vec(),
            (agents, lines) => vec![(agents.unwrap_or(2), lines.unwrap_or(1))],
        };
        let scope = |&(agents, lines): &(usize, usize)| {
            let scope = Scope::new(agents, lines);
            let most_states = self.most_states.unwrap_or(scope.most_states);
            Scope { misses: self.misses, pointers: self.pointers.unwrap_or(scope.pointers), most_states, ..scope }
        };
        let mut scopes: Vec<Scope> = sizes.iter().map(scope).collect();
        if kind == Kind::Directory && self.pointers.is_none() {
            let last = scopes.last().copied();
            scopes.extend(last.map(|scope| Scope { pointers: 1, ..scope }));
        }
        scopes
    }
}

/// What is known of a protocol.
pub struct Proof {
    pub protocol: Protocol,
    source: SourceText,
    places: RowPlaces,
    explorations: Vec<Exploration>,
}

impl Proof {
    /// Reads a protocol and explores it, scope by scope, up to the first counterexample.
    pub fn new(source: &SourceText, wanted: Wanted) -> Result<Proof, Diagnostics> {
        let (protocol, places) = load_with_places(source)?;
        let mut explorations: Vec<Exploration> = Vec::new();
        for scope in wanted.scopes(protocol.kind()) {
            explorations.push(explore(&protocol, scope));
            if explorations.iter().any(|exploration| exploration.counterexample.is_some()) {
                break;
            }
        }
        Ok(Proof { protocol, source: source.clone(), places, explorations })
    }

    /// How it goes wrong, if it does.
    pub fn counterexample(&self) -> Option<&Counterexample> {
        self.explorations.iter().find_map(|exploration| exploration.counterexample.as_ref())
    }

    /// How it goes wrong, as a picture.
    pub fn chart(&self) -> Option<Figure> {
        self.counterexample().map(|counterexample| sequence(&self.protocol.name, counterexample))
    }

    /// Different states, over all scopes.
    pub fn states(&self) -> usize {
        self.explorations.iter().map(|exploration| exploration.states).sum()
    }

    /// For people.
    pub fn sentence(&self) -> String {
        let name = &self.protocol.name;
        if let (Some(counterexample), Some(last)) = (self.counterexample(), self.explorations.last()) {
            let (states, scope, n) =
                (count(self.states() as u64), scope_text(last.scope, self.protocol.kind()), counterexample.steps.len());
            let steps = if n == 1 { "1 step".to_owned() } else { format!("{n} steps") };
            return format!(
                "a coherence protocol, {name}, refuted ({scope}; {states} states explored): {steps}\n\n{counterexample}\n"
            );
        }
        let found: Vec<String> = self.explorations.iter().map(|exploration| explored(exploration, self.protocol.kind())).collect();
        let mut sentence = format!("a coherence protocol, {name}: no fault in {}", found.join(" and "));
        let missing = self.missing();
        if !missing.is_empty() {
            let rows: Vec<String> = missing.iter().map(|&taken| self.row_text(taken)).collect();
            let few = if rows.len() == 1 { "a row that nothing takes" } else { "rows that nothing takes" };
            sentence += &format!("\n  {few}, and that could be listed under `impossible`: {}", rows.join(", "));
        }
        sentence
    }

    /// Rows that no exploration took. Nothing can be said of them where one was cut short.
    fn missing(&self) -> Vec<Taken> {
        let mut explorations = self.explorations.iter();
        let Some(first) = explorations.next() else { return Vec::new() };
        if self.counterexample().is_some() || self.explorations.iter().any(|exploration| exploration.cut_short) {
            return Vec::new();
        }
        let mut rows: TableRows = first.rows.clone();
        explorations.for_each(|exploration| rows.merge(&exploration.rows));
        rows.missing(&self.protocol)
    }

    fn row_text(&self, taken: Taken) -> String {
        let (_, state, event) = self.row_names(taken);
        format!("{event} in {state} (line {})", self.row_line(taken))
    }

    /// Of which table, in which state, on which event.
    fn row_names(&self, taken: Taken) -> (&'static str, &str, &'static str) {
        match taken {
            Taken::Agent(state, event) => ("agent", &self.protocol.agent.state(state).name, event.name()),
            Taken::Memory(state, event) => {
                (self.protocol.kind().memory_table(), &self.protocol.memory.state(state).name, event.name())
            }
        }
    }

    fn row_line(&self, taken: Taken) -> u32 {
        self.source.position(taken.place(&self.protocol, &self.places).span.start).0
    }

    /// The fault, at the row that was taken last.
    pub fn faults(&self) -> Diagnostics {
        let Some(counterexample) = self.counterexample() else { return Diagnostics::new() };
        let message = format!("{} is refuted: {}", self.protocol.name, counterexample.wrong);
        let fault = match counterexample.impossible.or(counterexample.row) {
            Some(taken) => {
                let (table, state, event) = self.row_names(taken);
                let place = taken.place(&self.protocol, &self.places);
                let what = match counterexample.impossible {
                    Some(_) => "the state it happened in",
                    None => "the row that was taken last before it went wrong",
                };
                Diagnostic::at(&self.source, place.span, message)
                    .key(format!("{table}.rows.{state}.{event}"))
                    .help(format!("this is {what}; the chart shows the {} steps that led there", counterexample.steps.len()))
            }
            None => Diagnostic::at(&self.source, None, message),
        };
        vec![fault]
    }

    /// For programs.
    pub fn facts(&self) -> Map<String, Json> {
        let mut facts = Map::new();
        facts.insert("protocol".to_owned(), json!(self.protocol.name));
        facts.insert("states_explored".to_owned(), json!(self.states()));
        let scopes = self.explorations.iter().map(|exploration| {
            let Exploration { scope, states, steps, cut_short, counterexample, .. } = exploration;
            let complete = !cut_short && counterexample.is_none();
            let mut json = json!({"agents": scope.agents, "lines": scope.lines, "misses": scope.misses, "states": states, "steps": steps, "complete": complete});
            if self.protocol.kind() == Kind::Directory {
                json["pointers"] = json!(scope.pointers);
            }
            json
        });
        facts.insert("scopes".to_owned(), scopes.collect());
        let missing = self.missing();
        facts.insert("rows_never_taken".to_owned(), missing.iter().map(|&taken| self.row_json(taken)).collect());
        if let Some(counterexample) = self.counterexample() {
            facts.insert("counterexample".to_owned(), self.counterexample_json(counterexample));
        }
        facts
    }

    fn row_json(&self, taken: Taken) -> Json {
        let (table, state, event) = self.row_names(taken);
        json!({"table": table, "state": state, "event": event, "line": self.row_line(taken)})
    }

    fn counterexample_json(&self, counterexample: &Counterexample) -> Json {
        let steps = counterexample.steps.iter().enumerate().map(|(number, step)| {
            json!({
                "step": number + 1,
                "kind": kind(step.step),
                "from": self.lane(step.from),
                "to": self.lane(step.to),
                "what": step.what,
                "changes": step.changes.iter().map(|change| self.change(change)).collect::<Vec<_>>(),
                "row": step.row.map(|taken| self.row_json(taken)),
            })
        });
        json!({
            "agents": counterexample.agents,
            "lines": counterexample.lines,
            "wrong": counterexample.wrong,
            "row": counterexample.row.map(|taken| self.row_json(taken)),
            "steps": steps.collect::<Vec<_>>(),
        })
    }
}

impl Proof {
    fn lane(&self, lane: Lane) -> String {
        match lane {
            Lane::Agent(agent) => format!("agent {agent}"),
            Lane::Bus => "bus".to_owned(),
            Lane::Memory => self.protocol.kind().memory_table().to_owned(),
        }
    }

    fn change(&self, change: &Change) -> Json {
        json!({"at": self.lane(change.lane), "line": change.line, "before": change.from, "after": change.to})
    }
}

/// "all 746 states of 2 agents and 1 line".
fn explored(exploration: &Exploration, kind: Kind) -> String {
    let (states, scope) = (count(exploration.states as u64), scope_text(exploration.scope, kind));
    match exploration.cut_short {
        false => format!("all {states} states of {scope}"),
        true => format!("the first {states} states of {scope} (there are more: --states raises the limit)"),
    }
}

fn scope_text(scope: Scope, kind: Kind) -> String {
    let counted = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    let misses = if scope.misses.min(scope.lines) == 1 { "" } else { ", two misses of an agent under way" };
    let pointers = match kind {
        Kind::Directory if scope.pointers < scope.agents => format!(", {} for each line", counted(scope.pointers, "pointer")),
        _ => String::new(),
    };
    format!("{} and {}{misses}{pointers}", counted(scope.agents, "agent"), counted(scope.lines, "line"))
}

fn kind(step: Step) -> &'static str {
    match step {
        Step::Access { write: false, .. } => "load",
        Step::Access { write: true, .. } => "store",
        Step::Evict { .. } => "evict",
        Step::Arrive { .. } => "request",
        Step::Grant { .. } => "grant",
        Step::See { .. } => "snoop",
        Step::Data { .. } => "data",
        Step::Complete { .. } => "complete",
        Step::Word { .. } => "word",
        Step::Memory { .. } => "memory",
        Step::Deliver { .. } => "packet",
        Step::Wait { .. } => "wait",
        Step::Full { .. } => "full",
    }
}
