//! Functions: their names and types, their bodies, and the rules of calling them.
//!
//! A function is checked once, without knowing from where it is called, and inlined at every call. So what it needs of its
//! surroundings is collected as [`Facts`], and every call is judged at the end, when all facts are known.

use super::convert::Typed;
use super::scope::{Context, LocalRole, Meaning, Phase, Team};
use super::{Checked, Checker, Reported};
use crate::base::diagnostic::{Diagnostic, Span};
use crate::program::syntax::{self, File, ItemKind, Name, StatementKind};
use crate::program::tree::{Expression, ExpressionKind, Function, FunctionId, Type};
use crate::program::vocabulary;

/// The deepest chain of calls.
const MAXIMUM_CALL_DEPTH: u32 = 32;
/// The most statements and expressions of a program once all calls are inlined.
const MAXIMUM_INLINED_SIZE: u64 = 1_000_000;

/// What a call of a function looks like.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    pub name: Name,
    /// Names and types; a type is missing where it was at fault.
    pub parameters: Vec<(Name, Option<Type>)>,
    pub value: Option<Type>,
    /// Whether something in the signature is at fault.
    pub broken: bool,
}

/// What is known of a function's body.
#[derive(Debug, Default)]
pub(super) struct FunctionState {
    pub checked: Option<Function>,
    pub facts: Facts,
    /// Statements and expressions of the body, calls not inlined.
    pub size: u64,
}

/// What a body does that depends on where it runs; each with the place that does it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// Waits for all threads of the team it is called in.
    pub barrier: Option<Span>,
    /// Has a `parallel for`, which shares its iterations among the team it is called in, or forks one.
    pub shares: Option<Span>,
    /// Has a `parallel`, which forks a team.
    pub forks: Option<Span>,
    /// Stores to memory.
    pub writes: Option<Span>,
    /// Stores a float.
    pub writes_float: bool,
}

/// A call in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallSite {
    pub callee: FunctionId,
    pub span: Span,
    pub context: Context,
}

impl CallSite {
    fn caller(&self) -> Option<FunctionId> {
        match self.context.phase {
            Phase::Function(caller) => Some(caller),
            _ => None,
        }
    }
}

impl Checker<'_> {
    /// Makes the functions of a text known, wherever they stand.
    pub(super) fn function_names(&mut self, file: &File) {
        for item in &file.items {
            let ItemKind::Function(function) = &item.kind else { continue };
            let id = FunctionId(self.signatures.len() as u32);
            let mut signature = Signature { name: function.name.clone(), parameters: Vec::new(), value: None, broken: false };
            if self.runtime.is_none() && vocabulary::is_reserved(&function.name.text) {
                let message = format!("`{}` is a word of the notation and cannot be a name", function.name.text);
                let help = format!("choose another name, such as `{}_`", function.name.text);
                signature.broken = self.fault::<()>(function.name.span, message, help).is_err();
            } else {
                signature.broken = self.declare(&function.name, Meaning::Function(id, function.name.span)).is_err();
            }
            for (name, r#type) in &function.parameters {
                let r#type = self.type_named(r#type).ok();
                signature.broken |= r#type.is_none();
                signature.parameters.push((name.clone(), r#type));
            }
            if let Some(value) = &function.value {
                signature.value = self.type_named(value).ok();
                signature.broken |= signature.value.is_none();
            }
            self.signatures.push(signature);
            self.functions.push(FunctionState::default());
        }
    }

    /// Checks the bodies of all functions.
    pub(super) fn function_bodies(&mut self, file: &File) {
        let functions = file.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Function(function) => Some((function, item.span)),
            _ => None,
        });
        for (index, (function, span)) in functions.enumerate() {
            let id = FunctionId(index as u32);
            let size = self.size;
            let region = self.new_region();
            self.facts = Facts::default();
            let checked = self.within(Context::new(Phase::Function(id), region), |checker| {
                checker.scoped(|checker| checker.function_body(id, function, span))
            });
            let state = &mut self.functions[index];
            state.checked = checked.ok();
            state.facts = self.facts;
            state.size = self.size - size;
        }
    }

    fn function_body(&mut self, id: FunctionId, function: &syntax::Function, span: Span) -> Checked<Function> {
        let signature = self.signatures[id.0 as usize].clone();
        let mut parameters = Vec::new();
        for (name, r#type) in &signature.parameters {
            match r#type {
                Some(r#type) => parameters.push(self.declare_local(name, *r#type, LocalRole::Parameter)?),
                None => self.declare_broken(name),
            }
        }
        let mut statements = function.body.statements.as_slice();
        let mut last = None;
        if function.value.is_some() {
            last = statements.split_last().and_then(|(last, before)| match &last.kind {
                StatementKind::Expression(value) => Some((value, before)),
                _ => None,
            });
            match last {
                Some((_, before)) => statements = before,
                None => {
                    let message = format!("`{}` has a type, but its last statement has no value", function.name.text);
                    let place = Span { start: function.body.span.end - 1, end: function.body.span.end };
                    self.fault::<()>(place, message, "the last statement of such a function is an expression: its value")?;
                }
            }
        }
        let mut body = Vec::new();
        for statement in statements {
            let _ = self.statement(statement, &mut body);
        }
        let value = match (last, signature.value) {
            (Some((value, _)), Some(r#type)) => {
                Some(self.value_of(value, r#type, &format!("the value of `{}`", function.name.text))?)
            }
            _ => None,
        };
        Ok(Function { name: function.name.text.clone(), parameters, body, value, span })
    }

    /// A call of a function of the text as a value.
    pub(super) fn user_call(
        &mut self,
        id: FunctionId,
        name: &Name,
        arguments: &[syntax::Expression],
        span: Span,
    ) -> Checked<Typed> {
        let expression = self.inlined_call(id, name, arguments, span)?;
        if self.signatures[id.0 as usize].value.is_none() {
            let help = "give it a type, `-> f64`, and make its last statement an expression";
            return self.fault(span, format!("`{}` has no value", name.text), help);
        }
        Ok(Typed::firm(expression))
    }

    /// A call of a function of the text; its type means nothing where the function has no value.
    pub(super) fn inlined_call(
        &mut self,
        id: FunctionId,
        name: &Name,
        arguments: &[syntax::Expression],
        span: Span,
    ) -> Checked<Expression> {
        let signature = self.signatures[id.0 as usize].clone();
        self.calls.push(CallSite { callee: id, span, context: self.context });
        if signature.broken {
            return Err(Reported);
        }
        if arguments.len() != signature.parameters.len() {
            let wanted: Vec<String> = signature
                .parameters
                .iter()
                .map(|(name, r#type)| format!("{}: {}", name.text, r#type.map_or("?", Type::name)))
                .collect();
            let message = format!("`{}` takes {} arguments, and this gives {}", name.text, wanted.len(), arguments.len());
            let diagnostic =
                Diagnostic::at(self.source, span, message).help(format!("it is declared as {}({})", name.text, wanted.join(", ")));
            return Err(self.report(diagnostic.related(signature.name.span, "declared here")));
        }
        let mut checked = Vec::new();
        for (argument, (parameter, r#type)) in arguments.iter().zip(&signature.parameters) {
            let r#type = r#type.ok_or(Reported)?;
            checked.push(self.value_of(argument, r#type, &format!("the parameter `{}`", parameter.text))?);
        }
        let kind = ExpressionKind::Call { function: id, arguments: checked };
        Ok(Expression { kind, r#type: signature.value.unwrap_or(Type::I64), span })
    }

    /// Judges all calls: no recursion, no explosion, and every function where it may run.
    pub(super) fn finish_calls(&mut self) {
        let Ok(order) = self.callees_first() else { return };
        let calls = std::mem::take(&mut self.calls);
        let mut depths = vec![1u32; self.functions.len()];
        let mut sizes: Vec<u64> = self.functions.iter().map(|function| function.size).collect();
        for caller in order {
            for call in calls.iter().filter(|call| call.caller() == Some(caller)) {
                let (caller, callee) = (caller.0 as usize, call.callee.0 as usize);
                depths[caller] = depths[caller].max(depths[callee] + 1);
                sizes[caller] = sizes[caller].saturating_add(sizes[callee]);
                let facts = self.functions[callee].facts;
                self.functions[caller].facts.inherit(facts, call);
            }
        }
        for call in &calls {
            let _ = self.call_allowed(call);
        }
        let own: u64 = self.size;
        let inlined = calls.iter().filter(|call| call.caller().is_none()).map(|call| sizes[call.callee.0 as usize]);
        let total = inlined.fold(own, u64::saturating_add).max(sizes.iter().copied().max().unwrap_or(0));
        let deepest = depths.iter().copied().max().unwrap_or(0);
        let worst = calls.iter().max_by_key(|call| sizes[call.callee.0 as usize]).map(|call| call.span);
        if total > MAXIMUM_INLINED_SIZE || deepest > MAXIMUM_CALL_DEPTH {
            let message = match total > MAXIMUM_INLINED_SIZE {
                true => "functions are inlined, and inlined this program is too long".to_string(),
                false => format!("functions call functions more than {MAXIMUM_CALL_DEPTH} deep"),
            };
            self.report(Diagnostic::at(self.source, worst, message).help("call in a loop instead of calling from many places"));
        }
    }

    /// The functions in such an order that what a function calls comes before it.
    fn callees_first(&mut self) -> Checked<Vec<FunctionId>> {
        let mut callees: Vec<Vec<CallSite>> = vec![Vec::new(); self.functions.len()];
        for call in &self.calls {
            if let Some(caller) = call.caller() {
                callees[caller.0 as usize].push(*call);
            }
        }
        let mut order = Vec::new();
        let mut done = vec![false; callees.len()];
        for start in 0..callees.len() {
            // Depth first, with the path on a stack of its own: the functions on it and how many of their calls were followed.
            let mut path = vec![(start, 0)];
            while let Some(&mut (function, ref mut followed)) = path.last_mut() {
                if done[function] || *followed == callees[function].len() {
                    if !std::mem::replace(&mut done[function], true) {
                        order.push(FunctionId(function as u32));
                    }
                    path.pop();
                    continue;
                }
                let call = callees[function][*followed];
                *followed += 1;
                let callee = call.callee.0 as usize;
                if let Some(first) = path.iter().position(|&(function, _)| function == callee) {
                    let chain: Vec<usize> = path[first..].iter().map(|&(function, _)| function).chain([callee]).collect();
                    return self.recursion(&chain, call.span);
                }
                path.push((callee, 0));
            }
        }
        Ok(order)
    }

    fn recursion<T>(&mut self, chain: &[usize], span: Span) -> Checked<T> {
        let mut names: Vec<String> = chain.iter().map(|&id| format!("`{}`", self.signatures[id].name.text)).collect();
        if names.len() > 8 {
            names.splice(4..names.len() - 3, ["...".to_string()]);
        }
        let message = format!("functions are inlined, so none may call itself: {}", names.join(" calls "));
        self.fault(span, message, "write a loop; recursion is for tasks (`spawn`)")
    }

    /// Whether the function may run where it is called.
    fn call_allowed(&mut self, call: &CallSite) -> Checked<()> {
        let facts = self.functions[call.callee.0 as usize].facts;
        let name = self.signatures[call.callee.0 as usize].name.text.clone();
        let context = call.context;
        let in_function = matches!(context.phase, Phase::Function(_));
        let team = context.team;
        if context.lock.is_some() && facts.writes_float {
            self.order_dependent = true;
        }
        let collective = facts.forks.or(facts.shares).or(facts.barrier);
        let problem = match () {
            () if context.lock.is_some() && collective.is_some() => {
                Some((collective, "needs all threads of the team, and one thread holds a lock here"))
            }
            () if facts.forks.is_some() && team.is_some() => Some((facts.forks, "forks a team, and already runs in one here")),
            () if facts.shares.is_some() && team == Some(Team::Loop) => {
                Some((facts.shares, "has a `parallel for`, and one iteration of another calls it here"))
            }
            () if facts.barrier.is_some() && team != Some(Team::Body) && !(team.is_none() && in_function) => {
                Some((facts.barrier, "has a `barrier`, which needs the body of a `parallel`"))
            }
            () if facts.writes.is_some() && matches!(context.phase, Phase::Results | Phase::Declarations) => {
                Some((facts.writes, "changes memory, which only the timed part and `setup` may do"))
            }
            () => None,
        };
        let Some((place, sentence)) = problem else { return Ok(()) };
        let diagnostic = Diagnostic::at(self.source, call.span, format!("`{name}` {sentence}"));
        Err(self.report(match place {
            Some(place) => diagnostic.related(place, "because of this"),
            None => diagnostic,
        }))
    }
}

impl Facts {
    /// Adds what a call brings with it.
    fn inherit(&mut self, callee: Facts, call: &CallSite) {
        self.writes = self.writes.or(callee.writes.map(|_| call.span));
        self.writes_float |= callee.writes_float;
        if call.context.team.is_none() {
            self.barrier = self.barrier.or(callee.barrier.map(|_| call.span));
            self.shares = self.shares.or(callee.shares.map(|_| call.span));
            self.forks = self.forks.or(callee.forks.map(|_| call.span));
        }
    }
}
