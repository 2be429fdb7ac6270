//! Functions: their names and types, their bodies, and calls of them.
//!
//! A function is checked once, without knowing from where it is called, and inlined at every call. So what it needs of its
//! surroundings is collected as [`Facts`], and every call is judged at the end, when all facts are known (in `call`).

use super::call::CallSite;
use super::convert::Typed;
use super::scope::{Context, LocalRole, Meaning, Phase};
use super::{Checked, Checker, Reported};
use crate::base::diagnostic::{Diagnostic, Span};
use crate::program::syntax::{self, File, ItemKind, Name, StatementKind};
use crate::program::tree::{Expression, ExpressionKind, Function, FunctionId, Type};
use crate::program::vocabulary;

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
    /// How deep they are nested.
    pub depth: u32,
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
    /// Sends or receives messages, or waits for them.
    pub messages: Option<Span>,
    /// Does something that all ranks do together.
    pub collective: Option<Span>,
    /// Stores a float.
    pub writes_float: bool,
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
            let deepest = std::mem::take(&mut self.deepest);
            let region = self.new_region();
            self.facts = Facts::default();
            let checked = self.within(Context::new(Phase::Function(id), region), |checker| {
                checker.scoped(|checker| checker.function_body(id, function, span))
            });
            let state = &mut self.functions[index];
            state.checked = checked.ok();
            state.facts = self.facts;
            state.size = self.size - size;
            state.depth = std::mem::replace(&mut self.deepest, deepest);
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
        self.calls.push(CallSite { callee: id, span, context: self.context, depth: self.depth + 1 });
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
}
