//! What `check --outcomes` says of a litmus test: every outcome that sequential consistency and total store order allow it, and how
//! often this computer showed each.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::base::diagnostic::{Diagnostic, Diagnostics, SourceText};
use crate::cli::answer::Failure;
use crate::cli::measure;
use crate::cli::names::Library;
use crate::coherence::consistency::Consistency;
use crate::coherence::explore::litmus::{LitmusScope, Outcomes, outcomes};
use crate::coherence::load::load;
use crate::coherence::protocol::{Kind as ProtocolKind, Protocol};
use crate::experiment::result::json as json_value;
use crate::program::code::{Code, Plan};
use crate::program::tree::{Program, Type, Value};
use crate::report::human::{count, plural};

/// What is asked of a litmus test.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Both where `None`.
    pub consistency: Option<Consistency>,
    /// Bytes of a line.
    pub line_bytes: u64,
    /// The searches end at so many states each.
    pub most_states: Option<usize>,
}

/// How often this computer showed each outcome.
#[derive(Clone, Debug)]
pub struct Seen {
    pub histogram: Vec<(Vec<u64>, u64)>,
    /// The model that its processors keep, where that is known to be one of ours.
    pub promised: Option<Consistency>,
}

/// What is known of a litmus test.
pub struct LitmusAnswer {
    protocol: Protocol,
    source: SourceText,
    /// The results as the text writes them.
    names: Vec<String>,
    types: Vec<Type>,
    models: Vec<(Consistency, Outcomes)>,
    seen: Option<Seen>,
}

impl LitmusAnswer {
    /// Explores a program on a protocol.
    pub fn new(program: &Program, code: &Code, protocol: &SourceText, asked: Asked) -> Result<LitmusAnswer, Diagnostics> {
        let (text, protocol) = (protocol, load(protocol)?);
        if protocol.kind() == ProtocolKind::Directory {
            let message = format!("{} has a directory, and outcomes are explored on a bus", protocol.name);
            let help =
                "name a snooping protocol with --protocol: mesi, msi, moesi, mesif, dragon; they all allow the same outcomes";
            return Err(vec![Diagnostic::at(text, None, message).help(help)]);
        }
        let mut models = Vec::new();
        let wanted = |&(_, model): &(_, Consistency)| asked.consistency.is_none_or(|only| only == model);
        for (_, consistency) in Consistency::ALL.into_iter().filter(wanted) {
            let scope = LitmusScope::new(consistency);
            let most_states = asked.most_states.unwrap_or(scope.most_states);
            let scope = LitmusScope { line_bytes: asked.line_bytes, most_states, ..scope };
            let found = outcomes(code, &protocol, scope).map_err(|fault| vec![*fault])?;
            models.push((consistency, found));
        }
        let text = |expression: &crate::program::tree::Expression| {
            let span = expression.span;
            program.source.text.get(span.start as usize..span.end as usize).unwrap_or("?").trim().to_owned()
        };
        let names = program.results.iter().map(text).collect();
        let types = code.results.iter().map(|slot| slot.r#type).collect();
        Ok(LitmusAnswer { protocol, source: program.source.clone(), names, types, models, seen: None })
    }

    /// Threads that take part.
    pub fn threads(&self) -> u32 {
        self.models.first().map_or(1, |(_, found)| found.threads as u32)
    }

    /// Adds what this computer showed.
    pub fn with_seen(self, seen: Seen) -> LitmusAnswer {
        LitmusAnswer { seen: Some(seen), ..self }
    }

    /// Everything that any model allows, or this computer showed.
    fn all(&self) -> Vec<&Vec<u64>> {
        let allowed = self.models.iter().flat_map(|(_, outcomes)| &outcomes.set);
        let seen = self.seen.iter().flat_map(|seen| seen.histogram.iter().map(|(outcome, _)| outcome));
        let mut all: Vec<&Vec<u64>> = allowed.chain(seen).collect();
        // Whole numbers in their order.
        all.sort_unstable_by_key(|outcome| outcome.iter().map(|&bits| bits as i64).collect::<Vec<i64>>());
        all.dedup();
        all
    }

    fn values(&self, outcome: &[u64]) -> Vec<Value> {
        self.types.iter().zip(outcome).map(|(&r#type, &bits)| Value::from_bits(r#type, bits)).collect()
    }

    /// Outcomes that this computer showed and its model does not allow.
    fn outside(&self) -> Vec<&Vec<u64>> {
        let Some(Seen { histogram, promised: Some(promised) }) = &self.seen else { return Vec::new() };
        let Some((_, allowed)) = self.models.iter().find(|(model, found)| model == promised && !found.cut_short) else {
            return Vec::new();
        };
        histogram.iter().map(|(outcome, _)| outcome).filter(|outcome| !allowed.set.contains(*outcome)).collect()
    }

    /// What is wrong: the search was cut short, the protocol is broken, or this computer showed what it should not.
    pub fn faults(&self) -> Diagnostics {
        let mut faults = Diagnostics::new();
        let mut add = |message: String, help: &str| faults.push(Diagnostic::at(&self.source, None, message).help(help));
        for (model, found) in &self.models {
            if found.cut_short {
                let message = format!("under {} there are more than {} states", model.name(), count(found.states as u64 - 1));
                add(message, "outcomes may be missing: `--states N` goes on for longer");
            } else if found.set.is_empty() {
                add(format!("under {} no order of events comes to an end", model.name()), "a thread waits for what never comes");
            }
            if let Some(broken) = &found.broken {
                let message = format!("the protocol {} is broken: {broken}", self.protocol.name);
                add(message, "`flynn check` of the protocol shows the shortest way there");
            }
        }
        for outcome in self.outside() {
            let message = format!("this computer showed {}, which its consistency model does not allow", self.outcome(outcome));
            add(message, "please report it: either the model or the generated code is wrong");
        }
        faults
    }

    /// `r[0] = 0, r[1] = 1`
    fn outcome(&self, outcome: &[u64]) -> String {
        let values = self.values(outcome);
        let parts: Vec<String> = self.names.iter().zip(&values).map(|(name, &value)| format!("{name} = {}", text(value))).collect();
        parts.join(", ")
    }

    /// For people.
    pub fn sentence(&self) -> String {
        let Some((_, first)) = self.models.first() else { return String::new() };
        let share = format!("{} that share {}", plural(first.threads, "thread"), plural(first.lines, "line"));
        let mut sentence = format!("a litmus test: {share}, on {}\n\n{}", self.protocol.name, self.table());
        for (model, found) in &self.models {
            let whole = if found.cut_short { "at least " } else { "" };
            let (outcomes, states) = (plural(found.set.len(), "outcome"), count(found.states as u64));
            sentence += &format!("\n  {}: {whole}{outcomes} ({states} states)", model.name());
        }
        if let [(weaker_of, strong), (weak, weaker)] = &self.models[..] {
            let only: Vec<String> = weaker.set.difference(&strong.set).map(|outcome| self.outcome(outcome)).collect();
            sentence += &match &only[..] {
                [] => format!("\n  {} allows nothing that {} does not", weak.name(), weaker_of.name()),
                only => format!("\n  only {} allows {}", weak.name(), only.join("; ")),
            };
        }
        if let Some(seen) = &self.seen {
            sentence += &self.verdict(seen);
        }
        sentence
    }

    fn verdict(&self, seen: &Seen) -> String {
        let runs = count(seen.histogram.iter().map(|&(_, times)| times).sum());
        match (seen.promised, self.outside().len()) {
            (None, _) => format!("\n  this computer: {runs} runs; the model of its processors is none of these"),
            (Some(model), 0) => format!("\n  this computer: {runs} runs, all inside what {} allows", model.name()),
            (Some(model), n) => {
                format!("\n  this computer: {runs} runs, {} outside what {} allows", plural(n, "outcome"), model.name())
            }
        }
    }

    /// A row for each outcome, a column for each result, each model and this computer.
    fn table(&self) -> String {
        let mut heads: Vec<String> = self.names.clone();
        heads.extend(self.models.iter().map(|(model, _)| model.name().to_owned()));
        heads.extend(self.seen.iter().map(|_| "this computer".to_owned()));
        let mut rows = vec![heads];
        for outcome in self.all() {
            let mut row: Vec<String> = self.values(outcome).into_iter().map(text).collect();
            let allows = |found: &Outcomes| if found.set.contains(outcome) { "yes" } else { "-" };
            row.extend(self.models.iter().map(|(_, found)| allows(found).to_owned()));
            row.extend(self.seen.iter().map(|seen| count(times(seen, outcome))));
            rows.push(row);
        }
        let widths: Vec<usize> =
            (0..rows[0].len()).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}")).collect();
            format!("  {}\n", cells.join("  "))
        };
        rows.iter().map(line).collect()
    }

    /// For programs.
    pub fn facts(&self) -> Map<String, Json> {
        let values = |outcome: &Vec<u64>| self.values(outcome).into_iter().map(json_value).collect::<Vec<Json>>();
        let mut models = Map::new();
        for (model, found) in &self.models {
            let outcomes: Vec<Vec<Json>> = found.set.iter().map(values).collect();
            let facts = json!({ "outcomes": outcomes, "states": found.states, "complete": !found.cut_short });
            models.insert(model.name().to_owned(), facts);
        }
        let mut facts = Map::new();
        facts.insert("workload".to_owned(), json!("program"));
        facts.insert("protocol".to_owned(), json!(self.protocol.name));
        facts.insert("results".to_owned(), json!(self.names));
        facts.insert("models".to_owned(), json!(models));
        if let Some(seen) = &self.seen {
            let histogram: Vec<Json> =
                seen.histogram.iter().map(|(outcome, times)| json!({ "values": values(outcome), "runs": times })).collect();
            let inside = seen.promised.map(|_| self.outside().is_empty());
            facts.insert("host".to_owned(), json!({ "outcomes": histogram, "inside": inside }));
        }
        facts
    }
}

/// How long a thread is held back, in operations, in some of the runs on this computer: as long as another takes to begin, more or less.
const DELAYS: [u32; 4] = [50, 150, 300, 600];
/// Seconds that all runs on this computer may take.
const SECONDS: f64 = 60.0;

/// Runs a litmus test on this computer's threads: a part of the runs each with no delay, and with each of its parameters
/// `delay0`, `delay1`, ... raised, unless these are given.
pub fn seen(library: &Library, program: &Program, given: &[(String, String)], plan: &Plan, runs: usize) -> Result<Seen, Failure> {
    let is_delay = |name: &str| name.strip_prefix("delay").is_some_and(|number| number.parse::<u32>().is_ok());
    let free = |name: &&str| is_delay(name) && !given.iter().any(|(known, _)| known == name);
    let mut settings = vec![given.to_vec()];
    for name in program.parameters.iter().map(|parameter| parameter.name.as_str()).filter(free) {
        settings.extend(DELAYS.map(|delay| [given, &[(name.to_owned(), delay.to_string())]].concat()));
    }
    let mut histogram: BTreeMap<Vec<u64>, u64> = BTreeMap::new();
    for (number, parameters) in settings.iter().enumerate() {
        let share = (runs * (number + 1) / settings.len()) - (runs * number / settings.len());
        if share > 0 {
            let amount = (share, SECONDS / settings.len() as f64);
            for (outcome, times) in measure::histogram(library, &program.source, parameters, plan, amount)? {
                *histogram.entry(outcome).or_default() += times;
            }
        }
    }
    // Of the processors that code is generated for, those with x86's instructions promise total store order.
    let promised = cfg!(target_arch = "x86_64").then_some(Consistency::Tso);
    Ok(Seen { histogram: histogram.into_iter().collect(), promised })
}

fn times(seen: &Seen, outcome: &Vec<u64>) -> u64 {
    seen.histogram.iter().find(|(other, _)| other == outcome).map_or(0, |&(_, times)| times)
}

fn text(value: Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::I32(value) => value.to_string(),
        Value::F64(value) => value.to_string(),
        Value::F32(value) => value.to_string(),
    }
}
