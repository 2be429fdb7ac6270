//! Declarations: parameters, requirements, arrays, scalars, locks.

use std::collections::BTreeSet;

use super::convert::known;
use super::scope::{LocalRole, Meaning};
use super::{Bindings, Checked, Checker, MAXIMUM_MEMORY, MAXIMUM_OBJECTS, Reported, RuntimeBindings};
use crate::base::diagnostic::{Diagnostic, Span, nearest};
use crate::program::parse::parse_literal;
use crate::program::syntax::{
    self, Block, ExpressionKind, File, Index, Item, ItemKind, Literal, LiteralValue, Name, Statement, StatementKind,
    SynchroniserKind,
};
use crate::program::tree::{Initial, Object, ObjectId, ObjectKind, Parameter, Type, Value};
use crate::program::vocabulary;

/// Bytes of memory that a padded element or a lock is counted with.
const PADDED_SIZE: u64 = 64;

impl Checker<'_> {
    /// Values for parameters that the text does not have.
    pub(super) fn reject_unknown_parameters(&mut self, file: &File, bindings: &Bindings) {
        let names: Vec<&str> = file
            .items
            .iter()
            .filter_map(|item| match &item.kind {
                ItemKind::Parameter { name, .. } => Some(name.text.as_str()),
                _ => None,
            })
            .collect();
        let given: BTreeSet<&str> = bindings.parameters.iter().map(|(name, _)| name.as_str()).collect();
        for name in given {
            if names.contains(&name) {
                continue;
            }
            let help = match (nearest(name, names.iter().copied()), names.is_empty()) {
                (Some(meant), _) => format!("did you mean `{meant}`?"),
                (None, true) => "it has none".into(),
                (None, false) => format!("its parameters are {}", names.join(", ")),
            };
            let diagnostic = Diagnostic::at(self.source, None, format!("the program has no parameter `{name}`"));
            self.report(diagnostic.help(help).key(name));
        }
    }

    /// Finds the names that are assigned anywhere, and the variables of the timed part.
    pub(super) fn collect_assigned(&mut self, file: &File) {
        for item in &file.items {
            match &item.kind {
                ItemKind::Setup(block) | ItemKind::Finish(block) => self.collect_block(block),
                ItemKind::Function(function) => self.collect_block(&function.body),
                ItemKind::Statement(statement) => {
                    if let StatementKind::Let { name, .. } = &statement.kind {
                        self.main_lets.entry(name.text.clone()).or_insert(name.span);
                    }
                    self.collect_statement(statement);
                }
                _ => {}
            }
        }
    }

    fn collect_block(&mut self, block: &Block) {
        for statement in &block.statements {
            self.collect_statement(statement);
        }
    }

    fn collect_statement(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Assign { place, .. } => {
                if let ExpressionKind::Name(name) = &place.kind {
                    self.assigned.insert(name.clone());
                }
            }
            StatementKind::If { then, otherwise, .. } => {
                self.collect_block(then);
                if let Some(otherwise) = otherwise {
                    self.collect_block(otherwise);
                }
            }
            StatementKind::While { body, .. }
            | StatementKind::For { body, .. }
            | StatementKind::ForQueue { body, .. }
            | StatementKind::ParallelFor { body, .. }
            | StatementKind::Parallel { body, .. }
            | StatementKind::Lock { body, .. }
            | StatementKind::Accelerator { body, .. } => self.collect_block(body),
            StatementKind::Pipeline(pipeline) => {
                for stage in &pipeline.stages {
                    self.collect_block(&stage.body);
                }
            }
            _ => {}
        }
    }

    /// Checks what an item declares; statements and functions have their own turn.
    pub(super) fn declaration(&mut self, item: &Item, bindings: &Bindings) -> Checked<()> {
        match &item.kind {
            ItemKind::Parameter { name, value } => self.parameter(name, value, bindings),
            ItemKind::Require(condition) => self.require(condition),
            ItemKind::Statement(statement) => self.constant_let(statement),
            ItemKind::Setup(_) | ItemKind::Finish(_) | ItemKind::Function(_) | ItemKind::Result { .. } | ItemKind::Work { .. } => {
                Ok(())
            }
            _ => self.object_declaration(item),
        }
    }

    /// What a run-time text may declare.
    pub(super) fn runtime_declaration(&mut self, item: &Item) -> Checked<()> {
        match &item.kind {
            ItemKind::Function(_) => Ok(()),
            ItemKind::Array { .. } | ItemKind::Shared { .. } => self.object_declaration(item),
            other => {
                if let ItemKind::Parameter { name, .. } | ItemKind::Synchroniser { name, .. } | ItemKind::Queue { name, .. } = other
                {
                    self.declare_broken(name);
                }
                let word = self.text(item.span).split_whitespace().next().map_or(0, str::len) as u32;
                self.fault(
                    Span { end: item.span.start + word, ..item.span },
                    "a run-time text has arrays, scalars and functions only",
                    "what is to happen stands in its functions",
                )
            }
        }
    }

    /// A name that run-time texts are given.
    pub(super) fn bind_runtime_constant(&mut self, name: &str, value: i64) {
        let meaning = Meaning::Constant { value: Value::I64(value), span: Span::default(), is_let: false };
        if !matches!(name, "threads" | "ranks") {
            self.innermost().insert(name.to_string(), meaning);
        }
    }

    /// Arrays that the caller of a run-time text hands it; how long they are is known where it is put in place.
    pub(super) fn borrow_arrays(&mut self, bindings: &RuntimeBindings) {
        let Some(element) = bindings.value else { return };
        for name in &bindings.borrowed {
            let id = ObjectId(self.objects.len() as u32);
            let kind = ObjectKind::Array { element, initial: Initial::Zero };
            self.objects.push(Object { name: name.clone(), span: Span::default(), kind, extents: vec![1 << 40], padded: false });
            self.innermost().insert(name.clone(), Meaning::Object(id));
        }
    }

    /// Everything that lives in memory.
    fn object_declaration(&mut self, item: &Item) -> Checked<()> {
        let (name, declared) = match &item.kind {
            ItemKind::Array { name, element, extents, initial, padded } => {
                (name, self.array(name, element, extents, initial.as_ref(), *padded))
            }
            ItemKind::Shared { name, element, initial } => (name, self.shared(name, element, initial)),
            ItemKind::Synchroniser { kind, name, count, initial } => {
                (name, self.synchroniser(*kind, name, count.as_ref(), initial.as_ref(), item.span))
            }
            ItemKind::Queue { name, .. } => (name, self.not_built("queue", Span { end: name.span.end, ..item.span })),
            _ => return Ok(()),
        };
        if declared.is_err() {
            self.declare_broken(name);
        }
        declared
    }

    fn parameter(&mut self, name: &Name, value: &Literal, bindings: &Bindings) -> Checked<()> {
        let default = self.default_value(value);
        let bound = default.and_then(|default| {
            let given = bindings.parameters.iter().rev().find(|(given, _)| *given == name.text);
            given.map_or(Ok((default, default)), |(_, text)| Ok((default, self.bound_value(name, default, text)?)))
        });
        let Ok((default, value)) = bound else {
            self.declare_broken(name);
            return Err(Reported);
        };
        self.declare(name, Meaning::Constant { value, span: name.span, is_let: false })?;
        self.parameters.push(Parameter { name: name.text.clone(), value, default, span: name.span });
        Ok(())
    }

    fn default_value(&mut self, literal: &Literal) -> Checked<Value> {
        match literal.value {
            LiteralValue::Bool(value) => Ok(Value::Bool(value)),
            LiteralValue::Float(value) => Ok(Value::F64(value)),
            LiteralValue::Integer(value) => match i64::try_from(value) {
                Ok(value) => Ok(Value::I64(value)),
                Err(_) => self.fault(literal.span, "this number is too large", "the largest i64 is 9_223_372_036_854_775_807"),
            },
        }
    }

    /// The value given for a parameter, which has the type of the text's own.
    fn bound_value(&mut self, name: &Name, default: Value, text: &str) -> Checked<Value> {
        let value = match (default, parse_literal(text)) {
            (Value::I64(_), Some(LiteralValue::Integer(value))) => i64::try_from(value).ok().map(Value::I64),
            // `1e6` is a handy way to write a million.
            (Value::I64(_), Some(LiteralValue::Float(value))) if value.fract() == 0.0 && value.abs() < 9e15 => {
                Some(Value::I64(value as i64))
            }
            (Value::F64(_), Some(LiteralValue::Integer(value))) => Some(Value::F64(value as f64)),
            (Value::F64(_), Some(LiteralValue::Float(value))) => Some(Value::F64(value)),
            (Value::Bool(_), Some(LiteralValue::Bool(value))) => Some(Value::Bool(value)),
            _ => None,
        };
        if let Some(value) = value {
            return Ok(value);
        }
        let (message, help) = match default.r#type() {
            Type::I64 => ("a whole number", "such as 1000, 1_000 or 1e3"),
            Type::Bool => ("`true` or `false`", "the text's own value says what a parameter takes"),
            _ => ("a number", "such as 0.5, 3 or 1e-3"),
        };
        let message = format!("the parameter `{}` takes {message}, and `{text}` is none", name.text);
        Err(self.report(Diagnostic::at(self.source, name.span, message).help(help).key(name.text.as_str())))
    }

    fn require(&mut self, condition: &syntax::Expression) -> Checked<()> {
        let before = std::mem::replace(&mut self.threads_are_constant, true);
        let checked = self.condition(condition, "what is required");
        let holds = checked.map(|checked| known(&checked));
        let result = match holds {
            Ok(Some(Value::Bool(true))) => Ok(()),
            Ok(Some(_)) => self.unfulfilled(condition),
            Ok(None) => self.fault(
                condition.span,
                "what is required is not known before the program runs",
                "`require` is about parameters, `threads` and `ranks`",
            ),
            Err(Reported) => Err(Reported),
        };
        self.threads_are_constant = before;
        result
    }

    /// A requirement that does not hold, with the values it was computed from.
    fn unfulfilled(&mut self, condition: &syntax::Expression) -> Checked<()> {
        let mut names: Vec<String> = Vec::new();
        condition.names(&mut |name| {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_string());
            }
        });
        let mut values: Vec<String> = Vec::new();
        for name in names {
            let value = match (self.quiet_look_up(&name), self.threads) {
                (Some(Meaning::Constant { value, .. }), _) => value_text(value),
                (None, Some(threads)) if name == "threads" => threads.to_string(),
                (None, _) if name == "ranks" => self.ranks.to_string(),
                _ => continue,
            };
            values.push(format!("{name} = {value}"));
        }
        let mut message = format!("the program requires `{}`, which does not hold", self.text(condition.span));
        if !values.is_empty() {
            message = format!("{message} for {}", values.join(", "));
        }
        if let ExpressionKind::Binary(syntax::BinaryOperator::Comparison(_), a, b) = &condition.kind {
            let is_operation =
                |side: &syntax::Expression| !matches!(side.kind, ExpressionKind::Name(_) | ExpressionKind::Literal(_));
            for side in [a, b].into_iter().filter(|side| is_operation(side)) {
                if let Ok(value) = self.value(side)
                    && let Some(value) = known(&value)
                {
                    message = format!("{message}: `{}` is {}", self.text(side.span), value_text(value));
                }
            }
        }
        let mut speaks_of_ranks = false;
        condition.names(&mut |name| speaks_of_ranks |= name == "ranks");
        let help = match speaks_of_ranks {
            true => "give other values to the parameters, or run it with another number of ranks",
            false => "give other values to the parameters",
        };
        self.fault(condition.span, message, help)
    }

    /// A `let` of the top level that is computed from constants and never assigned is a constant.
    fn constant_let(&mut self, statement: &Statement) -> Checked<()> {
        let StatementKind::Let { name, value } = &statement.kind else { return Ok(()) };
        if self.assigned.contains(&name.text) || !self.is_constant(value) {
            return Ok(());
        }
        self.main_lets.remove(&name.text);
        self.constant_lets.insert(name.span.start);
        let before = std::mem::replace(&mut self.threads_are_constant, true);
        let checked = self.value(value);
        self.threads_are_constant = before;
        let Ok(checked) = checked else {
            self.declare_broken(name);
            return Err(Reported);
        };
        let Some(value) = known(&checked) else {
            self.declare_broken(name);
            return self.fault(value.span, "this divides by zero", "the value of this `let` is known before the program runs");
        };
        self.declare(name, Meaning::Constant { value, span: name.span, is_let: true })
    }

    /// Whether an expression is made of constants alone.
    fn is_constant(&self, expression: &syntax::Expression) -> bool {
        match &expression.kind {
            ExpressionKind::Literal(_) => true,
            ExpressionKind::Name(name) => {
                matches!(name.as_str(), "threads" | "ranks") || matches!(self.quiet_look_up(name), Some(Meaning::Constant { .. }))
            }
            ExpressionKind::Unary(_, operand) => self.is_constant(operand),
            ExpressionKind::Binary(_, a, b) => self.is_constant(a) && self.is_constant(b),
            ExpressionKind::Call { function, arguments } => {
                let folds = ["min", "max", "abs", "sqrt", "sin", "cos", "exp", "log", "i64", "i32", "f64", "f32"];
                folds.contains(&function.text.as_str()) && arguments.iter().all(|argument| self.is_constant(argument))
            }
            ExpressionKind::Index { .. } | ExpressionKind::Atomic { .. } | ExpressionKind::Wait(_) => false,
        }
    }

    /// The type a name stands for.
    pub(super) fn type_named(&mut self, name: &Name) -> Checked<Type> {
        if let Some(r#type) = vocabulary::value_type(&name.text) {
            return Ok(r#type);
        }
        match (name.text.as_str(), self.runtime) {
            ("value", Some(runtime)) => match runtime.value {
                Some(r#type) => Ok(r#type),
                None => self.fault(name.span, "`value` has no type here", "it is the type of what is reduced"),
            },
            ("task", _) => self.not_built("task", name.span),
            (text, _) => {
                let help = match text {
                    "int" | "integer" | "long" | "usize" | "u64" => "did you mean `i64`?".into(),
                    "float" | "double" | "real" => "did you mean `f64`?".into(),
                    "boolean" => "did you mean `bool`?".into(),
                    _ => match nearest(text, vocabulary::TYPES) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => "the types are i64, i32, f64, f32 and bool".to_string(),
                    },
                };
                self.fault(name.span, format!("there is no type `{text}`"), help)
            }
        }
    }

    fn array(
        &mut self,
        name: &Name,
        element: &Name,
        extents: &[syntax::Expression],
        initial: Option<&syntax::Expression>,
        padded: bool,
    ) -> Checked<()> {
        let element_type = self.type_named(element);
        if extents.len() > 3 {
            let span = extents[3].span.to(extents[extents.len() - 1].span);
            return self.fault(span, "an array has at most 3 dimensions", "compute an index: `a[i, j, k * n + l]`");
        }
        let mut checked = Vec::new();
        for extent in extents {
            checked.push(self.extent(extent, "an extent")?);
        }
        let element = element_type?;
        let size = if padded { PADDED_SIZE } else { u64::from(element.size()) };
        let whole = extents[0].span.to(extents[extents.len() - 1].span);
        self.reserve(&checked, size, name, whole)?;
        let initial = match initial {
            Some(initial) => self.initial(initial, element, &checked)?,
            None => Initial::Zero,
        };
        let kind = ObjectKind::Array { element, initial };
        self.declare_object(name, kind, checked, padded)
    }

    /// An extent of an array, or how many locks there are.
    fn extent(&mut self, syntax: &syntax::Expression, what: &str) -> Checked<u64> {
        let extent = self.constant_integer(syntax, what)?;
        match u64::try_from(extent) {
            Ok(extent) if extent > 0 => Ok(extent),
            _ => self.fault(syntax.span, format!("{what} is at least 1, and this is {extent}"), "see the values of the parameters"),
        }
    }

    /// Keeps all objects within the memory there is.
    fn reserve(&mut self, extents: &[u64], size: u64, name: &Name, span: Span) -> Checked<()> {
        let bytes = extents.iter().try_fold(size, |bytes, &extent| bytes.checked_mul(extent));
        let n_borrowed = self.runtime.map_or(0, |bindings| bindings.borrowed.len());
        let taken: u64 = self.objects.iter().skip(n_borrowed).map(object_bytes).sum();
        let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64);
        let limit = MAXIMUM_MEMORY >> 30;
        match bytes.and_then(|bytes| bytes.checked_add(taken)) {
            Some(total) if total <= MAXIMUM_MEMORY => Ok(()),
            Some(total) => {
                let message = format!("with `{}` the program takes {} of memory; the limit is {limit} GiB", name.text, gib(total));
                self.fault(span, message, "make the parameters smaller")
            }
            None => {
                let message = format!("`{}` is larger than any memory; the limit is {limit} GiB", name.text);
                self.fault(span, message, "make the parameters smaller")
            }
        }
    }

    fn declare_object(&mut self, name: &Name, kind: ObjectKind, extents: Vec<u64>, padded: bool) -> Checked<()> {
        if self.objects.len() >= MAXIMUM_OBJECTS {
            let message = format!("a program has at most {MAXIMUM_OBJECTS} arrays, scalars and locks");
            return self.fault(name.span, message, "make one array of many scalars");
        }
        let id = ObjectId(self.objects.len() as u32);
        self.declare(name, Meaning::Object(id))?;
        self.objects.push(Object { name: name.text.clone(), span: name.span, kind, extents, padded });
        Ok(())
    }

    /// The initial value of an array: an expression over `i, j, k`, or one of three functions.
    fn initial(&mut self, syntax: &syntax::Expression, element: Type, extents: &[u64]) -> Checked<Initial> {
        if let ExpressionKind::Call { function, arguments } = &syntax.kind {
            match (function.text.as_str(), arguments.as_slice()) {
                ("random", [low, high]) => {
                    let (low, high) = self.random_bounds(&[low.clone(), high.clone()], element)?;
                    return Ok(Initial::Random { low, high });
                }
                ("permutation" | "cycle", []) => return self.order_of_elements(&function.text, element, extents, syntax.span),
                ("permutation" | "cycle", _) => {
                    let message = format!("`{}()` takes no arguments", function.text);
                    return self.fault(syntax.span, message, "it is as long as the array");
                }
                _ => {}
            }
        }
        self.scoped(|checker| {
            let mut variables = Vec::new();
            for name in &["i", "j", "k"][..extents.len()] {
                checker.reject_hidden_name(name, syntax)?;
                let local = checker.new_local(name, Type::I64, syntax.span, LocalRole::LoopVariable);
                checker.innermost().insert((*name).to_string(), Meaning::Local(local));
                variables.push(local);
            }
            Ok(Initial::Elements { variables, value: checker.value_of(syntax, element, "the array")? })
        })
    }

    /// In initial values `i` is the index, even where something else has the name: then it must not be used.
    fn reject_hidden_name(&mut self, name: &str, initial: &syntax::Expression) -> Checked<()> {
        let mut used = false;
        initial.names(&mut |found| used |= found == name);
        if used && self.quiet_look_up(name).is_some() {
            let message = format!("`{name}` is the index of the element here, and the text declares another `{name}`");
            return self.fault(initial.span, message, format!("call the other `{name}` something else"));
        }
        Ok(())
    }

    fn order_of_elements(&mut self, function: &str, element: Type, extents: &[u64], span: Span) -> Checked<Initial> {
        if element != Type::I64 && element != Type::I32 {
            return self.fault(span, format!("`{function}()` gives indices, which are integers"), "declare the array as i64");
        }
        if element == Type::I32 && extents.iter().product::<u64>() > i32::MAX as u64 {
            return self.fault(span, "the indices of this array do not fit an i32", "declare the array as i64");
        }
        if extents.len() > 1 {
            return self.fault(span, format!("`{function}()` is for arrays of one dimension"), "declare it with one extent");
        }
        Ok(if function == "cycle" { Initial::Cycle } else { Initial::Permutation })
    }

    fn shared(&mut self, name: &Name, element: &Name, initial: &syntax::Expression) -> Checked<()> {
        let element = self.type_named(element)?;
        let value = self.value_of(initial, element, &format!("`{}`", name.text))?;
        let initial = Initial::Elements { variables: Vec::new(), value };
        self.declare_object(name, ObjectKind::Shared { element, initial }, vec![1], false)
    }

    fn synchroniser(
        &mut self,
        kind: SynchroniserKind,
        name: &Name,
        count: Option<&syntax::Expression>,
        initial: Option<&syntax::Expression>,
        span: Span,
    ) -> Checked<()> {
        let header = Span { end: name.span.end, ..span };
        let kind = match kind {
            SynchroniserKind::ReadWriteLock => return self.not_built("rwlock", header),
            SynchroniserKind::Condition => return self.not_built("condition", header),
            SynchroniserKind::Mutex => match initial {
                Some(initial) => {
                    return self.fault(initial.span, "a mutex has no initial value", "every mutex is free when the program begins");
                }
                None => ObjectKind::Mutex,
            },
            SynchroniserKind::Semaphore => match initial {
                Some(initial) => ObjectKind::Semaphore { initial: self.constant_count(initial, "the first value of a semaphore")? },
                None => {
                    let help = format!("write `semaphore {} = 1`: so many may acquire it", name.text);
                    return self.fault(name.span, "a semaphore has an initial value", help);
                }
            },
        };
        let extents = match count {
            Some(count) => {
                let extent = self.extent(count, "an extent")?;
                self.reserve(&[extent], PADDED_SIZE, name, count.span)?;
                vec![extent]
            }
            None => vec![1],
        };
        self.declare_object(name, kind, extents, false)
    }
}

/// Bytes that an object is counted with.
fn object_bytes(object: &Object) -> u64 {
    let size = match object.kind {
        ObjectKind::Array { element, .. } if !object.padded => u64::from(element.size()),
        _ => PADDED_SIZE,
    };
    object.extents.iter().product::<u64>() * size
}

/// A value as a text would write it.
fn value_text(value: Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::I32(value) => value.to_string(),
        Value::F64(value) => format!("{value:?}"),
        Value::F32(value) => format!("{value:?}"),
    }
}

impl syntax::Expression {
    /// Visits every name of a variable, constant or array in it.
    pub(super) fn names(&self, visit: &mut dyn FnMut(&str)) {
        match &self.kind {
            ExpressionKind::Literal(_) => {}
            ExpressionKind::Name(name) => visit(name),
            ExpressionKind::Index { base, indices } => {
                visit(&base.text);
                for index in indices {
                    match index {
                        Index::At(index) => index.names(visit),
                        Index::Range { low, high, .. } => [low, high].into_iter().flatten().for_each(|bound| bound.names(visit)),
                    }
                }
            }
            ExpressionKind::Call { arguments, .. } => arguments.iter().for_each(|argument| argument.names(visit)),
            ExpressionKind::Unary(_, operand) => operand.names(visit),
            ExpressionKind::Binary(_, a, b) => {
                a.names(visit);
                b.names(visit);
            }
            ExpressionKind::Atomic { place, .. } => place.names(visit),
            ExpressionKind::Wait(handle) => handle.names(visit),
        }
    }
}
