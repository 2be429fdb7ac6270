//! Teams and shared-out loops, and what may stand in them; and the constructs that are not built yet, by name.

use super::place::Wanted;
use super::scope::{Context, LocalRole, Meaning, Phase, Team};
use super::statement::nested_loops;
use super::{Checked, Checker, Reported};
use crate::base::diagnostic::{Diagnostic, Span, nearest};
use crate::program::syntax::{self, Block, Clause, ClauseKind, Name, Range, ReduceWord, StatementKind as Syntax};
use crate::program::tree::{
    BinaryOperator, Expression, ObjectId, ObjectKind, ParallelFor, ReduceOperator, Reduction, Schedule, Statement, StatementKind,
    Type,
};

impl Checker<'_> {
    /// A statement of teams, locks or atomics; or one that is not built.
    pub(super) fn team_statement(&mut self, statement: &syntax::Statement) -> Checked<StatementKind> {
        let span = statement.span;
        match &statement.kind {
            Syntax::ParallelFor { ranges, clauses, body } => self.parallel_for(ranges, clauses, body, span),
            Syntax::Parallel { size, body } => self.parallel(size.as_ref(), body, span),
            Syntax::Barrier => self.barrier(span),
            Syntax::Atomic { place, operator, value, order } => self.atomic(place, *operator, value, *order, span),
            Syntax::Await(condition) => self.await_statement(condition),
            Syntax::Fence => Ok(StatementKind::Fence),
            Syntax::Lock { reading: true, .. } => self.not_built("lock ... for reading", header(span, self.text(span))),
            Syntax::Lock { place, body, .. } => self.lock(place, body, span),
            Syntax::Acquire(place) => Ok(StatementKind::Acquire { place: self.semaphore(place, "acquire", span)? }),
            Syntax::Release(place) => Ok(StatementKind::Release { place: self.semaphore(place, "release", span)? }),
            _ => {
                if let Some(checked) = self.message_statement(statement) {
                    return checked;
                }
                if let Syntax::Spawn { handle: Some(handle), .. } = &statement.kind {
                    self.declare_broken(handle);
                }
                let text = self.text(span);
                self.not_built(construct(&statement.kind), header(span, text))
            }
        }
    }

    /// Refuses what a text of the run-time cannot use, because it is made of such texts.
    pub(super) fn reject_in_runtime(&mut self, construct: &str, span: Span) -> Checked<()> {
        if self.runtime.is_some() {
            let help = "use `atomic` operations and `await`";
            return self.fault(span, format!("run-time texts are what `{construct}` is made of, so they cannot use it"), help);
        }
        Ok(())
    }

    /// Refuses what all threads of a team do together where one of them holds a lock.
    pub(super) fn reject_under_lock(&mut self, what: &str, span: Span) -> Checked<()> {
        let Some(lock) = self.context.lock else { return Ok(()) };
        let message = format!("{what} waits for all threads, and this one holds a lock the others may need");
        let diagnostic = Diagnostic::at(self.source, span, message).help("end the `lock` block first");
        Err(self.report(diagnostic.related(lock, "the lock is taken here")))
    }

    /// The circumstances in a team's body, which a thread that was alone before forks here.
    fn forked(&mut self, team: Team, span: Span) -> Context {
        let region = self.new_region();
        Context { team: Some(team), team_span: span, region, ..self.context }
    }

    fn parallel_for(&mut self, ranges: &[Range], clauses: &[Clause], body: &Block, span: Span) -> Checked<StatementKind> {
        let head = Span { start: span.start, end: span.start + "parallel for".len() as u32 };
        let allowed = self.parallel_for_allowed(head);
        let (reductions, schedule) = self.clauses(clauses);
        let context = self.shared_loop_context(head);
        self.too_many_ranges(ranges)?;
        let Some((first, inner)) = ranges.split_first() else { return Err(Reported) };
        let bounds = self.bounds(first);
        self.within(context, |checker| {
            checker.scoped(|checker| {
                let outermost = match bounds {
                    Ok((low, high, step)) => checker.loop_variable(first, low, high, step),
                    Err(Reported) => {
                        checker.declare_broken(&first.variable);
                        Err(Reported)
                    }
                };
                let ranges: Vec<_> = inner.iter().map(|range| checker.range(range)).collect();
                let reductions = checker.private_copies(reductions);
                let body = checker.block(body);
                allowed?;
                let outermost = outermost?;
                let ranges = ranges.into_iter().collect::<Checked<Vec<_>>>()?;
                Ok(StatementKind::ParallelFor(Box::new(ParallelFor {
                    variable: outermost.variable,
                    low: outermost.low,
                    high: outermost.high,
                    step: outermost.step,
                    reductions: reductions?,
                    schedule,
                    body: nested_loops(ranges, body),
                })))
            })
        })
    }

    /// Whether a `parallel for` may stand here.
    pub(super) fn parallel_for_allowed(&mut self, span: Span) -> Checked<()> {
        self.reject_in_runtime("parallel for", span)?;
        self.reject_under_lock("a shared-out loop", span)?;
        if self.context.team == Some(Team::Loop) {
            let line = self.line(self.context.team_span);
            let message = format!("the threads of the team already share out the loop of line {line}");
            let help = "write `for` here, or give the outer loop two ranges: `parallel for i in 0..n, j in 0..m`";
            return self.fault(span, message, help);
        }
        Ok(())
    }

    /// The circumstances in the body of a `parallel for`.
    pub(super) fn shared_loop_context(&mut self, span: Span) -> Context {
        match self.context.team {
            // Every thread of the team runs some iterations with its own registers.
            Some(_) => Context { team: Some(Team::Loop), team_span: span, ..self.context },
            None => {
                self.facts.shares = self.facts.shares.or(Some(span));
                self.forked(Team::Loop, span)
            }
        }
    }

    /// The reductions and the schedule that the clauses ask for.
    fn clauses(&mut self, clauses: &[Clause]) -> (Vec<Target>, Option<Schedule>) {
        let mut reductions: Vec<Target> = Vec::new();
        let mut schedule = None;
        for clause in clauses {
            match &clause.kind {
                ClauseKind::Reduce { operator, names } => {
                    for name in names {
                        if let Ok(target) = self.reduction_target(*operator, name) {
                            if reductions.iter().any(|(_, _, other)| *other == target) {
                                let message = format!("`{}` is reduced twice", name.text);
                                let _ = self.fault::<()>(name.span, message, "each scalar has one operator");
                            } else {
                                reductions.push((*operator, name.clone(), target));
                            }
                        }
                    }
                }
                ClauseKind::Schedule { kind, chunk } => {
                    if schedule.is_some() {
                        let _ = self.fault::<()>(clause.span, "the loop has a schedule already", "leave one of them out");
                    }
                    schedule = self.schedule(kind, chunk.as_ref()).ok();
                }
            }
        }
        (reductions, schedule)
    }

    fn reduction_target(&mut self, operator: ReduceWord, name: &Name) -> Checked<ObjectId> {
        let object = self.object(&name.text, name.span, Wanted::Scalar)?;
        let ObjectKind::Shared { element, .. } = self.objects[object.0 as usize].kind else {
            let message = format!("what is reduced is a `shared` scalar, and `{}` is {}", name.text, self.object_noun(object));
            return self.fault(name.span, message, "declare `shared total: f64 = 0.0` and reduce into it");
        };
        self.reducible(&operator, element)?;
        self.facts.writes = self.facts.writes.or(Some(name.span));
        self.facts.writes_float |= element.is_float();
        Ok(object)
    }

    /// Whether values of this type can be combined so. Sums and products of floats depend on the order.
    pub(super) fn reducible(&mut self, operator: &ReduceWord, element: Type) -> Checked<()> {
        let binary = match operator.operator {
            ReduceOperator::Add => BinaryOperator::Add,
            ReduceOperator::Multiply => BinaryOperator::Multiply,
            ReduceOperator::Minimum => BinaryOperator::Minimum,
            ReduceOperator::Maximum => BinaryOperator::Maximum,
            ReduceOperator::And => BinaryOperator::And,
            ReduceOperator::Or => BinaryOperator::Or,
        };
        self.operator_allowed(binary, element, operator.span)?;
        if element.is_float() && matches!(binary, BinaryOperator::Add | BinaryOperator::Multiply) {
            self.order_dependent = true;
        }
        Ok(())
    }

    /// In the loop the name of a reduced scalar means the thread's own copy.
    fn private_copies(&mut self, reductions: Vec<Target>) -> Checked<Vec<Reduction>> {
        let mut copies = Vec::new();
        for (word, name, target) in reductions {
            let ObjectKind::Shared { element, .. } = self.objects[target.0 as usize].kind else { return Err(Reported) };
            let private = self.new_local(&name.text, element, name.span, LocalRole::Reduction);
            self.innermost().insert(name.text, Meaning::Local(private));
            copies.push(Reduction { operator: word.operator, target, private, span: word.span.to(name.span) });
        }
        Ok(copies)
    }

    fn schedule(&mut self, kind: &Name, chunk: Option<&syntax::Expression>) -> Checked<Schedule> {
        let chunk = match chunk {
            None => None,
            Some(chunk) => match self.constant_integer(chunk, "the chunk")? {
                value if value < 1 => {
                    return self.fault(
                        chunk.span,
                        format!("a chunk of {value} iterations deals out nothing"),
                        "a chunk has 1 iteration at least",
                    );
                }
                value => Some(value),
            },
        };
        match kind.text.as_str() {
            "static" | "dynamic" | "guided" => Ok(Schedule { kind: kind.text.clone(), chunk }),
            text => {
                let help = match nearest(text, ["static", "dynamic", "guided"]) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "schedules are static, dynamic and guided".into(),
                };
                self.fault(kind.span, format!("there is no schedule `{text}`"), help)
            }
        }
    }

    fn parallel(&mut self, size: Option<&syntax::Expression>, body: &Block, span: Span) -> Checked<StatementKind> {
        let head = Span { start: span.start, end: span.start + "parallel".len() as u32 };
        let allowed = self.parallel_allowed(head);
        let size = size.map(|size| self.team_size(size)).transpose();
        self.facts.forks = self.facts.forks.or(Some(head));
        let context = self.forked(Team::Body, span);
        let body = self.within(context, |checker| checker.block(body));
        allowed?;
        Ok(StatementKind::Parallel { size: size?, body })
    }

    fn parallel_allowed(&mut self, span: Span) -> Checked<()> {
        self.reject_in_runtime("parallel", span)?;
        self.reject_under_lock("a team", span)?;
        if self.context.team.is_some() {
            let line = self.line(self.context.team_span);
            let message = format!("a team runs here already, that of line {line}; teams are not nested");
            return self.fault(span, message, "share out its work with `parallel for`, or by `thread` and `threads`");
        }
        Ok(())
    }

    fn team_size(&mut self, size: &syntax::Expression) -> Checked<Expression> {
        let checked = self.integer(size, "the size of a team")?;
        match checked.known_integer() {
            Some(known) if known < 1 => {
                self.fault(size.span, format!("a team of {known} threads does nothing"), "a team has 1 thread at least")
            }
            _ => Ok(checked),
        }
    }

    fn barrier(&mut self, span: Span) -> Checked<StatementKind> {
        self.reject_in_runtime("barrier", span)?;
        self.reject_under_lock("a `barrier`", span)?;
        match self.context.team {
            Some(Team::Body) => Ok(StatementKind::Barrier),
            Some(Team::Loop) => {
                let message = "a `barrier` waits for all threads, and they run different numbers of iterations of a `parallel for`";
                self.fault(
                    span,
                    message,
                    "the loop ends with a barrier of its own; within a `parallel` body, put this one behind it",
                )
            }
            None if matches!(self.context.phase, Phase::Function(_)) => {
                self.facts.barrier = self.facts.barrier.or(Some(span));
                Ok(StatementKind::Barrier)
            }
            // Whether the text speaks of ranks is known at its end.
            None => {
                self.barriers_of_ranks.push(span);
                Ok(self.barrier_of_ranks(span))
            }
        }
    }
}

/// A reduction that a clause asks for: the operator, the name and the scalar.
type Target = (ReduceWord, Name, ObjectId);

/// A statement without its block.
fn header(span: Span, text: &str) -> Span {
    let length = text.find(['{', '\n']).map_or(text.len(), |end| text[..end].trim_end().len());
    Span { start: span.start, end: span.start + length as u32 }
}

/// What a statement that is not built yet is called.
fn construct(statement: &Syntax) -> &'static str {
    match statement {
        Syntax::ForQueue { .. } => "for ... in QUEUE",
        Syntax::Signal(_) => "signal",
        Syntax::Put { .. } => "put",
        Syntax::Close(_) => "close",
        Syntax::Spawn { .. } => "spawn",
        Syntax::Pipeline(_) => "pipeline",
        Syntax::Accelerator { .. } => "on accelerator",
        Syntax::Sleep(_) => "sleep",
        // Everything else has been checked where it belongs.
        _ => "this statement",
    }
}

/// An array statement as the loop it stands for.
pub(super) fn shared_out(range: super::statement::CheckedRange, body: Vec<Statement>) -> StatementKind {
    StatementKind::ParallelFor(Box::new(ParallelFor {
        variable: range.variable,
        low: range.low,
        high: range.high,
        step: range.step,
        reductions: Vec::new(),
        schedule: None,
        body,
    }))
}
