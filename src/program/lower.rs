//! From a Program to Code, for a plan.
//!
//! One walk over the tree puts every function in place of its calls, folds what is known, rotates loops and fuses comparisons with
//! branches; run-time texts (locks, barriers, schedules, fork and join) are checked and put in place in the same way, so both back
//! ends run them operation by operation. The passes (`program::passes`) then work on the graphs, and `link.rs` makes them Code.
//!
//! A run's parts (see [`Phase`]) become a function each. Where one forks teams, every thread enters it:
//!
//! ```text
//!   thread 0                        threads 1, 2, ...
//!   ────────                        ─────────────────
//!   statements                      seen = next(seen)  ◀───────────┐      next, region, fork, join: team.flynn
//!   store what the region reads     region()                       │
//!   fork(region) ────epoch────────▶ 0: finish, k: region k         │
//!   region's body                   region's body                  │
//!   join()  ◀────────arrived─────── join() ────────────────────────┘
//!   statements
//!   fork(0), finish
//! ```

mod emit;
mod expression;
mod graph;
mod initial;
mod layout;
mod link;
mod message;
mod place;
mod runtime;
mod statement;
mod team;
#[cfg(test)]
mod tests;
mod usage;

use std::rc::Rc;

use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxBuildHasher;

use crate::base::diagnostic::{Diagnostic, Diagnostics, SourceText, Span};
use crate::program::code::{ArrayId, Code, Phase, Plan, Site, SiteId};
use crate::program::passes;
use crate::program::tree::{Function, Initial, Local, LocalId, ObjectKind, Program, Statement, Type};

use emit::Emitter;
pub(in crate::program) use graph::{Exit, Graph, Induction, Located, Operand, Runners};
use layout::{Home, Layout};
use runtime::Module;
use team::Team;

/// The run-time texts there are, by name without ending: `team`, `lock-ticket`, `schedule-static`.
pub type RuntimeTexts = IndexMap<String, SourceText>;

/// Why lowering stopped.
type Failure = Diagnostics;

/// The graphs of one function.
#[derive(Debug)]
pub(in crate::program) struct Parts {
    pub phase: Phase,
    pub main: Graph,
    pub regions: Vec<Graph>,
    /// Scalars that the main graph stores and one region loads: the variables it captured.
    pub captures: Vec<ArrayId>,
    /// Where there are regions: what threads other than 0 run.
    pub worker: Option<Graph>,
}

/// Makes Code of a program.
///
/// # Errors
/// A run-time text that is missing or wrong, a team larger than the plan's threads, arrays beyond the limit of memory, or a program
/// that grows beyond what Code can hold.
pub fn lower(program: &Program, plan: &Plan, texts: &RuntimeTexts) -> Result<Code, Diagnostics> {
    let mut lowering = Lowering::new(program, plan, texts);
    let mut parts = lowering.parts(program)?;
    for part in &mut parts {
        passes::optimise(part, &mut lowering.constants);
    }
    lowering.link(program, &parts)
}

fn has_initial_value(kind: &ObjectKind) -> bool {
    match kind {
        ObjectKind::Array { initial, .. } | ObjectKind::Shared { initial, .. } => !matches!(initial, Initial::Zero),
        ObjectKind::Mutex | ObjectKind::Semaphore { .. } => false,
    }
}

/// Constants as register bits, numbered.
pub(in crate::program) type Constants = IndexSet<u64, FxBuildHasher>;

/// A text that is lowered: the program's, or a run-time text.
#[derive(Debug)]
struct Text {
    /// Index into [`Code::texts`].
    number: u16,
    source: SourceText,
    functions: Vec<Function>,
    locals: Vec<Local>,
    /// How often each local is assigned.
    assignments: Vec<u32>,
    /// The byte each line begins at.
    lines: Vec<u32>,
}

impl Text {
    fn new(number: u16, source: &SourceText, functions: &[Function], locals: &[Local], bodies: &[&[Statement]]) -> Text {
        let newlines = source.text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at as u32 + 1);
        Text {
            number,
            source: source.clone(),
            functions: functions.to_vec(),
            locals: locals.to_vec(),
            assignments: usage::assignments(locals.len(), functions, bodies),
            lines: std::iter::once(0).chain(newlines).collect(),
        }
    }

    /// The line a byte lies in, from 1.
    fn line(&self, byte: u32) -> u32 {
        self.lines.partition_point(|&start| start <= byte) as u32
    }

    fn type_of(&self, local: LocalId) -> Type {
        self.locals[local.0 as usize].r#type
    }
}

/// What names mean where code is being made.
#[derive(Clone, Debug)]
struct Unit {
    text: Rc<Text>,
    homes: Rc<Vec<Home>>,
    /// Which of the instances of a run-time text is meant.
    record: Operand,
    /// What each local is bound to where it is in scope.
    bindings: Vec<Option<Operand>>,
    /// Locals bound in the scopes that are open, innermost last.
    scope: Vec<LocalId>,
    /// For a run-time text: the site in the program that called for it.
    caller: Option<Site>,
}

impl Unit {
    fn new(text: &Rc<Text>, homes: &Rc<Vec<Home>>, record: Operand, caller: Option<Site>) -> Unit {
        let bindings = vec![None; text.locals.len()];
        Unit { text: text.clone(), homes: homes.clone(), record, bindings, scope: Vec::new(), caller }
    }
}

/// The state of the walk.
struct Lowering<'a> {
    plan: &'a Plan,
    runners: Runners,
    runtime_texts: &'a RuntimeTexts,
    program: Rc<Text>,
    /// Texts of the code: the program's, then the run-time texts put in place.
    texts: Vec<SourceText>,
    constants: Constants,
    sites: IndexSet<Site, FxBuildHasher>,
    layout: Layout,
    homes: Rc<Vec<Home>>,
    modules: IndexMap<String, Rc<Module>, FxBuildHasher>,
    unit: Unit,
    emitter: Emitter,
    site: SiteId,
    team: Option<Team>,
    regions: Vec<Graph>,
    captures: Vec<ArrayId>,
    result_slots: Vec<ArrayId>,
    n_instructions: usize,
}

impl<'a> Lowering<'a> {
    fn new(program: &'a Program, plan: &'a Plan, runtime_texts: &'a RuntimeTexts) -> Lowering<'a> {
        let bodies: [&[Statement]; 3] = [&program.setup, &program.body, &program.finish];
        let text = Rc::new(Text::new(0, &program.source, &program.functions, &program.locals, &bodies));
        let homes = Rc::new(Vec::new());
        let ranks = if program.uses_ranks { plan.ranks.max(1) } else { 1 };
        let runners = Runners { ranks, threads: plan.threads };
        let mut lowering = Lowering {
            plan,
            runners,
            runtime_texts,
            texts: vec![program.source.clone()],
            constants: Constants::default(),
            sites: IndexSet::default(),
            layout: Layout::new(plan.padding),
            modules: IndexMap::default(),
            unit: Unit::new(&text, &homes, Operand::integer(0), None),
            emitter: Emitter::new(runners),
            site: 0,
            team: None,
            regions: Vec::new(),
            captures: Vec::new(),
            result_slots: Vec::new(),
            n_instructions: 0,
            program: text,
            homes,
        };
        lowering.at(Span::default());
        lowering
    }

    /// The graphs of every part of the run, as the text says.
    fn parts(&mut self, program: &Program) -> Result<Vec<Parts>, Failure> {
        self.objects(program)?;
        let mut parts = Vec::new();
        if program.objects.iter().any(|object| has_initial_value(&object.kind)) {
            parts.push(self.function(Phase::Initialise, |lowering| lowering.initial_values(program))?);
        }
        if !program.setup.is_empty() {
            parts.push(self.function(Phase::Setup, |lowering| lowering.statements(&program.setup))?);
        }
        parts.push(self.function(Phase::Main, |lowering| lowering.statements(&program.body))?);
        if !program.finish.is_empty() {
            parts.push(self.function(Phase::Finish, |lowering| lowering.statements(&program.finish))?);
        }
        parts.push(self.function(Phase::Results, |lowering| lowering.results(&program.results))?);
        Ok(parts)
    }

    fn source(&self) -> &SourceText {
        &self.unit.text.source
    }

    /// What follows comes from this place of the text.
    fn at(&mut self, span: Span) {
        let line = self.unit.text.line(span.start);
        let site = match self.unit.caller {
            None => Site { line, span, text: 0, text_line: line },
            Some(caller) => Site { text: self.unit.text.number, text_line: line, ..caller },
        };
        self.site = self.sites.insert_full(site).0 as SiteId;
    }

    /// A fault in the text at hand.
    fn fail<T>(&self, span: Span, message: impl Into<String>, help: Option<String>) -> Result<T, Failure> {
        let diagnostic = Diagnostic::at(self.source(), span, message);
        Err(vec![Diagnostic { help, ..diagnostic }])
    }

    /// Makes one function of the code: its statements by thread 0, the regions they fork, and the workers' loop.
    fn function(&mut self, phase: Phase, body: impl FnOnce(&mut Self) -> Result<(), Failure>) -> Result<Parts, Failure> {
        self.emitter = Emitter::new(self.runners);
        self.unit = Unit::new(&self.program, &self.homes, Operand::integer(0), None);
        self.team = None;
        self.regions.clear();
        self.captures.clear();
        body(self)?;
        let worker = if self.regions.is_empty() { None } else { Some(self.end_of_teams()?) };
        self.end(Exit::Finish);
        self.check_size(Span::default())?;
        let main = std::mem::replace(&mut self.emitter, Emitter::new(self.runners)).graph;
        let (regions, captures) = (std::mem::take(&mut self.regions), std::mem::take(&mut self.captures));
        Ok(Parts { phase, main, regions, captures, worker })
    }
}
