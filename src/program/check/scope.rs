//! What names mean, and in which circumstances a statement stands.

use std::collections::BTreeMap;

use super::{Checked, Checker, Reported};
use crate::base::diagnostic::{Diagnostic, Span, nearest};
use crate::program::syntax::Name;
use crate::program::tree::{FunctionId, Local, LocalId, ObjectId, Type, Value};
use crate::program::vocabulary;

/// Names that are looked through for the nearest one.
pub(super) const MAXIMUM_CANDIDATES: usize = 2000;

/// What a name means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    /// A parameter, or a `let` whose value is known.
    Constant {
        value: Value,
        span: Span,
        is_let: bool,
    },
    Object(ObjectId),
    Local(LocalId),
    Function(FunctionId, Span),
    /// Its declaration was at fault.
    Broken(Span),
}

/// What is known of a variable besides its type.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalFacts {
    /// The region it belongs to; see [`Context::region`].
    pub region: u32,
    pub role: LocalRole,
}

/// How a variable came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LocalRole {
    Let,
    LoopVariable,
    Parameter,
    /// A thread's own copy in a reduction.
    Reduction,
    /// A message under way.
    Handle,
}

/// The part of the text that is being checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Extents, initial values, requirements.
    #[default]
    Declarations,
    Setup,
    Finish,
    Main,
    Function(FunctionId),
    Results,
}

/// The team a statement runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Team {
    /// The body of `parallel`: each thread runs all of it.
    Body,
    /// The body of `parallel for`: each thread runs some iterations.
    Loop,
}

/// The circumstances of a statement.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    pub phase: Phase,
    pub team: Option<Team>,
    /// Where the team begins.
    pub team_span: Span,
    /// Where the lock is taken that is held here.
    pub lock: Option<Span>,
    /// Names who runs this: variables are assigned in the region that declares them. A new team is a new region.
    pub region: u32,
}

impl Context {
    pub fn new(phase: Phase, region: u32) -> Context {
        Context { phase, region, ..Context::default() }
    }
}

impl Checker<'_> {
    pub(super) fn new_region(&mut self) -> u32 {
        self.regions += 1;
        self.regions
    }

    /// Checks something with names of its own.
    pub(super) fn scoped<T>(&mut self, check: impl FnOnce(&mut Self) -> T) -> T {
        self.scopes.push(BTreeMap::new());
        let result = check(self);
        self.scopes.pop();
        result
    }

    /// Checks something in other circumstances.
    pub(super) fn within<T>(&mut self, context: Context, check: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.context, context);
        let result = check(self);
        self.context = before;
        result
    }

    /// Gives a name a meaning in the innermost scope. A name means one thing wherever it can be seen.
    pub(super) fn declare(&mut self, name: &Name, meaning: Meaning) -> Checked<()> {
        if vocabulary::GIVEN_NAMES.contains(&name.text.as_str()) || self.is_builtin(&name.text) {
            let message = format!("`{}` is a name the notation gives", name.text);
            return self.fault(name.span, message, format!("choose another name, such as `my_{}`", name.text));
        }
        if let Some(first) = self.find(&name.text).filter(|first| !self.may_be_hidden(*first, name)) {
            let mut diagnostic = Diagnostic::at(self.source, name.span, format!("`{}` is declared already", name.text));
            if let Some(span) = self.meaning_span(first) {
                diagnostic = diagnostic.related(span, "here for the first time");
            }
            if let Meaning::Local(_) = first {
                diagnostic = diagnostic.help(format!("to give it another value write `{} = ...`", name.text));
            }
            return Err(self.report(diagnostic));
        }
        self.innermost().insert(name.text.clone(), meaning);
        Ok(())
    }

    /// A `let` of the timed part that happens to be constant can be seen everywhere, but stands in nobody's way where any other `let`
    /// of the timed part would not be seen.
    fn may_be_hidden(&self, first: Meaning, name: &Name) -> bool {
        match first {
            Meaning::Constant { is_let: true, span, .. } => {
                let elsewhere = self.context.phase != Phase::Main || name.span.start < span.start;
                elsewhere && self.scopes.last().is_some_and(|scope| !scope.contains_key(&name.text))
            }
            _ => false,
        }
    }

    /// Marks a name whose declaration is at fault, so that its uses are not reported as well.
    pub(super) fn declare_broken(&mut self, name: &Name) {
        if self.find(&name.text).is_none() {
            self.innermost().insert(name.text.clone(), Meaning::Broken(name.span));
        }
    }

    pub(super) fn innermost(&mut self) -> &mut BTreeMap<String, Meaning> {
        self.scopes.last_mut().expect("the text's own scope is never closed")
    }

    /// A new variable, not yet to be found by its name.
    pub(super) fn new_local(&mut self, name: &str, r#type: Type, span: Span, role: LocalRole) -> LocalId {
        let id = LocalId(self.locals.len() as u32);
        self.locals.push(Local { name: name.to_string(), r#type, span });
        self.local_facts.push(LocalFacts { region: self.context.region, role });
        id
    }

    /// A new variable that can be found by its name.
    pub(super) fn declare_local(&mut self, name: &Name, r#type: Type, role: LocalRole) -> Checked<LocalId> {
        let id = LocalId(self.locals.len() as u32);
        self.declare(name, Meaning::Local(id))?;
        Ok(self.new_local(&name.text, r#type, name.span, role))
    }

    fn find(&self, name: &str) -> Option<Meaning> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name)).copied()
    }

    /// What a name means here.
    pub(super) fn look_up(&mut self, name: &str, span: Span) -> Checked<Meaning> {
        match self.find(name) {
            Some(Meaning::Broken(_)) => Err(Reported),
            Some(Meaning::Constant { span: declared, is_let: true, .. }) if span.start < declared.start => {
                let message = format!("`{name}` is declared further down, in line {}", self.line(declared));
                self.fault(span, message, "declare a variable before it is used")
            }
            Some(meaning) => Ok(meaning),
            None => Err(self.unknown_name(name, span)),
        }
    }

    /// Looks a name up without reporting anything.
    pub(super) fn quiet_look_up(&self, name: &str) -> Option<Meaning> {
        self.find(name)
    }

    fn unknown_name(&mut self, name: &str, span: Span) -> Reported {
        if self.is_full() {
            return Reported;
        }
        if let Some(&declared) = self.main_lets.get(name) {
            return self.out_of_reach(name, span, declared);
        }
        let mut diagnostic = Diagnostic::at(self.source, span, format!("nothing is called `{name}`"));
        let names = self.scopes.iter().rev().flat_map(|scope| scope.keys()).map(String::as_str);
        let given = vocabulary::GIVEN_NAMES.into_iter().chain(["true", "false"]);
        if let Some(meant) = suggestion(name, names.take(MAXIMUM_CANDIDATES).chain(given)) {
            diagnostic = diagnostic.help(format!("did you mean `{meant}`?"));
        } else if vocabulary::order(name).is_some() {
            diagnostic = diagnostic.help("memory orders stand at the end of an `atomic` operation");
        } else {
            diagnostic = diagnostic.help(format!("declare it: `param {name} = 1`, `let {name} = ...`, `array {name}: f64[n]`"));
        }
        self.report(diagnostic)
    }

    /// A variable of the timed part, used elsewhere or before it is declared.
    fn out_of_reach(&mut self, name: &str, span: Span, declared: Span) -> Reported {
        let (message, help) = match self.context.phase {
            Phase::Main | Phase::Results => (
                format!("`{name}` is declared further down, in line {}", self.line(declared)),
                "declare a variable before it is used",
            ),
            Phase::Function(_) => (
                format!("a function does not see the variable `{name}` of the timed part"),
                "hand it over as a parameter of the function",
            ),
            Phase::Setup => (
                format!("`setup` runs before the timed part and does not see its variable `{name}`"),
                "use a `param`, a `shared`, or a `let` computed from parameters alone",
            ),
            Phase::Finish => (
                format!("`finish` runs behind the timed part and does not see its variable `{name}`"),
                "keep its value in a `shared` or an array",
            ),
            Phase::Declarations => (
                format!("`{name}` is not constant: its value is known only while the program runs"),
                "here stand parameters and `let`s that are computed from them and never assigned",
            ),
        };
        let diagnostic = Diagnostic::at(self.source, span, message).help(help);
        self.report(diagnostic.related(declared, "declared here"))
    }

    /// Where a meaning was given.
    fn meaning_span(&self, meaning: Meaning) -> Option<Span> {
        match meaning {
            Meaning::Constant { span, .. } | Meaning::Function(_, span) | Meaning::Broken(span) => Some(span),
            Meaning::Object(object) => Some(self.objects[object.0 as usize].span),
            // A loop variable or a `let` that is just being declared has its number before its entry.
            Meaning::Local(local) => self.locals.get(local.0 as usize).map(|local| local.span),
        }
        .filter(|span| span.end > 0)
    }
}

/// The nearest of some names. A name of one letter is near to all others of one letter, so it has none.
pub(super) fn suggestion<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if name.len() < 2 { None } else { nearest(name, candidates) }
}
