//! From a syntax tree to a typed [`Program`]: parameters bound, names resolved, conversions written out, rules of teams checked.
//!
//! ```text
//!   functions' names -> params, lets that are constant, arrays, ... in the order of the text -> function bodies
//!                    -> setup -> the timed part -> results -> calls (recursion, and what may be called where)
//! ```
//!
//! Whatever is constant once the parameters are bound is folded on the way, so that "constant expression" means: it came out as
//! [`ExpressionKind::Constant`](crate::program::tree::ExpressionKind::Constant). A fault is reported once; what depends on a broken
//! declaration is passed over in silence.

mod array_statement;
mod builtin;
mod call;
mod convert;
mod declaration;
mod expression;
mod function;
mod linear;
mod message;
mod parallel;
mod place;
mod scope;
mod statement;
mod synchronise;

use std::collections::{BTreeMap, BTreeSet};

use crate::base::diagnostic::{Diagnostic, Diagnostics, SourceText, Span};
use crate::program::parse::parse;
use crate::program::syntax;
use crate::program::tree::{
    Expression, Initial, Local, Object, ObjectId, ObjectKind, Parameter, Place, Program, ReduceOperator, RuntimeModule, Statement,
    StatementKind, Type, Work,
};
use array_statement::ArrayStatement;
use call::CallSite;
use function::{Facts, FunctionState, Signature};
use scope::{Context, LocalFacts, Meaning};

/// What a program is checked with.
#[derive(Clone, Debug, PartialEq)]
pub struct Bindings {
    /// Values in place of the text's own, as `(name, literal)`; the last one of a name counts.
    pub parameters: Vec<(String, String)>,
    /// Threads of a rank: what `threads` is in extents and `require`.
    pub threads: u32,
    /// Ranks of the run: what `ranks` is.
    pub ranks: u32,
}

impl Default for Bindings {
    /// The text's own values, one rank of one thread.
    fn default() -> Bindings {
        Bindings { parameters: Vec::new(), threads: 1, ranks: 1 }
    }
}

/// What a run-time text is checked with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuntimeBindings {
    /// Arrays of the caller, of type `value`, that the text may name. Their objects come first.
    pub borrowed: Vec<String>,
    /// What the type name `value` means.
    pub value: Option<Type>,
    /// What `combine(a, b)` does.
    pub combine: Option<ReduceOperator>,
    /// Names with values, such as `threads` or `initial`.
    pub constants: Vec<(String, i64)>,
}

/// The most bytes all objects of a program may take together.
pub const MAXIMUM_MEMORY: u64 = 64 << 30;
/// The most arrays, scalars and locks of a program.
pub const MAXIMUM_OBJECTS: usize = 1000;
/// Faults after which the rest of a text is not checked.
const MAXIMUM_FAULTS: usize = 40;

/// A typed program from a syntax tree.
pub fn check(source: &SourceText, file: &syntax::File, bindings: &Bindings) -> Result<Program, Diagnostics> {
    let mut checker = Checker::new(source, None);
    checker.threads = Some(i64::from(bindings.threads));
    checker.ranks = i64::from(bindings.ranks.max(1));
    checker.reject_unknown_parameters(file, bindings);
    checker.program(file, bindings)
}

/// A typed run-time text (`models/runtime/*.flynn`): arrays, scalars and functions, which every thread may call at any time.
pub fn check_runtime(source: &SourceText, bindings: &RuntimeBindings) -> Result<RuntimeModule, Diagnostics> {
    let file = parse(source)?;
    let mut checker = Checker::new(source, Some(bindings));
    let constant = |wanted| bindings.constants.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    checker.threads = constant("threads");
    checker.ranks = constant("ranks").unwrap_or(1);
    for (name, value) in &bindings.constants {
        checker.bind_runtime_constant(name, *value);
    }
    checker.borrow_arrays(bindings);
    checker.function_names(&file);
    for item in &file.items {
        let _ = checker.runtime_declaration(item);
    }
    checker.function_bodies(&file);
    checker.finish_calls();
    checker.finish().map(|parts| RuntimeModule {
        source: source.clone(),
        objects: parts.objects,
        locals: parts.locals,
        functions: parts.functions,
    })
}

/// A fault was reported; what it is in has no meaning.
#[derive(Clone, Copy, Debug)]
struct Reported;
type Checked<T> = Result<T, Reported>;

struct Checker<'a> {
    source: &'a SourceText,
    runtime: Option<&'a RuntimeBindings>,
    diagnostics: Diagnostics,
    /// What `threads` is where a constant is needed.
    threads: Option<i64>,
    /// What `ranks` is.
    ranks: i64,
    /// Whether the text speaks of ranks.
    uses_ranks: bool,
    /// Whether `threads` is that constant here.
    threads_are_constant: bool,
    parameters: Vec<Parameter>,
    objects: Vec<Object>,
    locals: Vec<Local>,
    local_facts: Vec<LocalFacts>,
    signatures: Vec<Signature>,
    functions: Vec<FunctionState>,
    /// All calls of functions of the text.
    calls: Vec<CallSite>,
    /// What the function that is being checked needs of its callers.
    facts: Facts,
    /// The names of the text, then of the blocks that are open.
    scopes: Vec<BTreeMap<String, Meaning>>,
    /// Names that some statement assigns: a `let` of theirs is not constant.
    assigned: BTreeSet<String>,
    /// `let`s that are constants, whether right or at fault: where their names begin.
    constant_lets: BTreeSet<u32>,
    /// `let`s of the timed part's top level that are not constant.
    main_lets: BTreeMap<String, Span>,
    context: Context,
    /// Regions opened so far; see [`Context::region`].
    regions: u32,
    /// The array statement whose right side is being checked.
    array_statement: Option<ArrayStatement>,
    /// Copies of variables for results: the variable's number and the scalar.
    result_copies: BTreeMap<u32, ObjectId>,
    /// Constructs already reported as not built.
    not_built: BTreeSet<&'static str>,
    /// Barriers outside of teams, which are of ranks where there are any.
    barriers_of_ranks: Vec<Span>,
    order_dependent: bool,
    /// Statements and expressions checked so far.
    size: u64,
    /// Blocks and expressions that are being checked, one in the other; and the most of the function so far.
    depth: u32,
    deepest: u32,
}

/// What programs and run-time texts have in common.
struct Parts {
    objects: Vec<Object>,
    locals: Vec<Local>,
    functions: Vec<crate::program::tree::Function>,
}

impl<'a> Checker<'a> {
    fn new(source: &'a SourceText, runtime: Option<&'a RuntimeBindings>) -> Checker<'a> {
        Checker {
            source,
            runtime,
            diagnostics: Vec::new(),
            threads: None,
            ranks: 1,
            uses_ranks: false,
            threads_are_constant: false,
            parameters: Vec::new(),
            objects: Vec::new(),
            locals: Vec::new(),
            local_facts: Vec::new(),
            signatures: Vec::new(),
            functions: Vec::new(),
            calls: Vec::new(),
            facts: Facts::default(),
            scopes: vec![BTreeMap::new()],
            assigned: BTreeSet::new(),
            constant_lets: BTreeSet::new(),
            main_lets: BTreeMap::new(),
            context: Context::default(),
            regions: 0,
            array_statement: None,
            result_copies: BTreeMap::new(),
            not_built: BTreeSet::new(),
            barriers_of_ranks: Vec::new(),
            order_dependent: false,
            size: 0,
            depth: 0,
            deepest: 0,
        }
    }

    fn program(mut self, file: &syntax::File, bindings: &Bindings) -> Result<Program, Diagnostics> {
        self.collect_assigned(file);
        self.function_names(file);
        for item in &file.items {
            let _ = self.declaration(item, bindings);
        }
        self.function_bodies(file);
        let setup = self.setup(file);
        let finish = self.finishing(file);
        let mut body = self.main(file);
        let (results, within) = self.results(file, &mut body);
        let work = self.work(file);
        self.finish_calls();
        if !self.uses_ranks {
            for span in std::mem::take(&mut self.barriers_of_ranks) {
                let _ = self.fault::<()>(
                    span,
                    "there is no team here that a `barrier` could wait for",
                    "it stands in the body of `parallel`, or in a text of ranks",
                );
            }
        }
        let (order_dependent, uses_ranks) = (self.order_dependent, self.uses_ranks);
        let source = self.source.clone();
        let parameters = std::mem::take(&mut self.parameters);
        let parts = self.finish()?;
        Ok(Program {
            source,
            summary: file.summary.clone(),
            parameters,
            objects: parts.objects,
            locals: parts.locals,
            functions: parts.functions,
            setup,
            finish,
            body,
            results,
            within,
            order_dependent,
            uses_ranks,
            work,
        })
    }

    fn finish(mut self) -> Result<Parts, Diagnostics> {
        if !self.diagnostics.is_empty() {
            self.diagnostics.sort_by_key(|diagnostic| diagnostic.span);
            return Err(self.diagnostics);
        }
        let functions = self.functions.into_iter().filter_map(|function| function.checked).collect();
        Ok(Parts { objects: self.objects, locals: self.locals, functions })
    }

    /// The statements of all `setup` blocks.
    fn setup(&mut self, file: &syntax::File) -> Vec<Statement> {
        let mut statements = Vec::new();
        self.context = Context::new(scope::Phase::Setup, self.new_region());
        for item in &file.items {
            if let syntax::ItemKind::Setup(block) = &item.kind {
                self.block_into(block, &mut statements);
            }
        }
        statements
    }

    /// The statements of all `finish` blocks.
    fn finishing(&mut self, file: &syntax::File) -> Vec<Statement> {
        let mut statements = Vec::new();
        self.context = Context::new(scope::Phase::Finish, self.new_region());
        for item in &file.items {
            if let syntax::ItemKind::Finish(block) = &item.kind {
                self.block_into(block, &mut statements);
            }
        }
        statements
    }

    /// The timed part. Its scope stays open: results see it.
    fn main(&mut self, file: &syntax::File) -> Vec<Statement> {
        let mut statements = Vec::new();
        self.context = Context::new(scope::Phase::Main, self.new_region());
        self.scopes.push(BTreeMap::new());
        for item in &file.items {
            if let syntax::ItemKind::Statement(statement) = &item.kind {
                let _ = self.statement(statement, &mut statements);
            }
        }
        statements
    }

    /// The results and their tolerance. The variables they read are stored to memory at the end of the timed part.
    fn results(&mut self, file: &syntax::File, body: &mut Vec<Statement>) -> (Vec<Expression>, Option<f64>) {
        self.context = Context::new(scope::Phase::Results, self.context.region);
        let mut results = Vec::new();
        let mut tolerance = None;
        for item in &file.items {
            let syntax::ItemKind::Result { values, within } = &item.kind else { continue };
            for value in values {
                if let Ok(value) = self.value(value) {
                    results.push(value);
                }
            }
            if let Some(within) = within {
                tolerance = self.tolerance(within).ok().or(tolerance);
            }
        }
        for (&local, &object) in &self.result_copies {
            let variable = &self.locals[local as usize];
            let value = Expression {
                kind: crate::program::tree::ExpressionKind::Local(crate::program::tree::LocalId(local)),
                r#type: variable.r#type,
                span: variable.span,
            };
            let place = Place { object, indices: Vec::new(), span: variable.span };
            body.push(Statement { kind: StatementKind::Store { place, value }, span: variable.span });
        }
        (results, tolerance)
    }

    /// The scalar that a variable of the timed part is copied to for the results.
    fn result_copy(&mut self, local: crate::program::tree::LocalId) -> ObjectId {
        if let Some(&object) = self.result_copies.get(&local.0) {
            return object;
        }
        let object = ObjectId(self.objects.len() as u32);
        let Local { name, r#type, span } = self.locals[local.0 as usize].clone();
        let kind = ObjectKind::Shared { element: r#type, initial: Initial::Zero };
        self.objects.push(Object { name, span, kind, extents: vec![1], padded: false });
        self.result_copies.insert(local.0, object);
        object
    }

    fn tolerance(&mut self, literal: &syntax::Literal) -> Checked<f64> {
        let value = match literal.value {
            syntax::LiteralValue::Float(value) => value,
            syntax::LiteralValue::Integer(value) => value as f64,
            syntax::LiteralValue::Bool(_) => -1.0,
        };
        if (0.0..1.0).contains(&value) {
            return Ok(value);
        }
        let message = "a tolerance is a number from 0 to below 1, relative to the result";
        Err(self.report(Diagnostic::at(self.source, literal.span, message).help("write `result x within 1e-9`")))
    }

    fn work(&mut self, file: &syntax::File) -> Option<Work> {
        let mut work: Option<Work> = None;
        for item in &file.items {
            let syntax::ItemKind::Work { flops, bytes } = &item.kind else { continue };
            if let Some(first) = work {
                let diagnostic = Diagnostic::at(self.source, item.span, "`work` is claimed twice");
                self.report(diagnostic.related(first.span, "here for the first time"));
            }
            let flops = self.constant_count(flops, "the number of flops");
            let bytes = self.constant_count(bytes, "the number of bytes");
            if let (Ok(flops), Ok(bytes)) = (flops, bytes) {
                work = Some(Work { flops, bytes, span: item.span });
            }
        }
        work
    }

    /// Checks something one level deeper.
    fn nested<T>(&mut self, check: impl FnOnce(&mut Self) -> T) -> T {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        let result = check(self);
        self.depth -= 1;
        result
    }

    /// Whether so many faults are reported that no more are sought.
    fn is_full(&self) -> bool {
        self.diagnostics.len() >= MAXIMUM_FAULTS
    }

    fn report(&mut self, diagnostic: Diagnostic) -> Reported {
        if !self.is_full() {
            self.diagnostics.push(diagnostic);
        }
        Reported
    }

    /// Reports a fault and what to do about it.
    fn fault<T>(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) -> Checked<T> {
        Err(self.report(Diagnostic::at(self.source, span, message).help(help)))
    }

    /// Reports a construct of the grammar that has no meaning yet, once.
    fn not_built<T>(&mut self, construct: &'static str, span: Span) -> Checked<T> {
        if self.not_built.insert(construct) {
            self.report(Diagnostic::at(self.source, span, format!("`{construct}` is not built yet")));
        }
        Err(Reported)
    }

    fn text(&self, span: Span) -> &'a str {
        &self.source.text[span.start as usize..span.end as usize]
    }

    /// The line a place stands in, from 1.
    fn line(&self, span: Span) -> u32 {
        self.source.position(span.start).0
    }
}
