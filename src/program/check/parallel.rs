//! Statements by which threads work together, and the rules of teams; and the constructs that are not built yet, by name.

use super::convert::{Typed, known_integer};
use super::expression::apply_unary;
use super::scope::{Context, LocalRole, Meaning, Phase, Team};
use super::statement::nested_loops;
use super::{Checked, Checker, Reported};
use crate::base::diagnostic::{Diagnostic, Span, nearest};
use crate::program::syntax::{
    self, Block, Clause, ClauseKind, CollectiveKind, Name, OrderWord, Range, ReduceWord, StatementKind as Syntax,
};
use crate::program::tree::{
    BinaryOperator, Comparison, Expression, ExpressionKind, ObjectId, ObjectKind, Order, ParallelFor, Place, ReduceOperator,
    Reduction, Schedule, Statement, StatementKind, Type, UnaryOperator, UpdateOperation, Value,
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
                if let Syntax::Spawn { handle: Some(handle), .. } = &statement.kind {
                    self.declare_broken(handle);
                }
                let text = self.text(span);
                self.not_built(construct(&statement.kind), header(span, text))
            }
        }
    }

    /// Refuses what a text of the run-time cannot use, because it is made of such texts.
    fn reject_in_runtime(&mut self, construct: &str, span: Span) -> Checked<()> {
        if self.runtime.is_some() {
            let help = "use `atomic` operations and `await`";
            return self.fault(span, format!("run-time texts are what `{construct}` is made of, so they cannot use it"), help);
        }
        Ok(())
    }

    /// Refuses what all threads of a team do together where one of them holds a lock.
    fn reject_under_lock(&mut self, what: &str, span: Span) -> Checked<()> {
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
        let clauses = self.clauses(clauses);
        let context = self.shared_loop_context(span);
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
                let mut ranges = Vec::new();
                for range in inner {
                    ranges.push(checker.range(range));
                }
                let (reductions, schedule) =
                    clauses.map_or((Ok(Vec::new()), None), |(reductions, schedule)| (checker.private_copies(reductions), schedule));
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

    /// The reductions (operator, name, scalar) and the schedule that the clauses ask for.
    fn clauses(&mut self, clauses: &[Clause]) -> Option<(Vec<(ReduceWord, Name, ObjectId)>, Option<Schedule>)> {
        let mut reductions: Vec<(ReduceWord, Name, ObjectId)> = Vec::new();
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
        Some((reductions, schedule))
    }

    fn reduction_target(&mut self, operator: ReduceWord, name: &Name) -> Checked<ObjectId> {
        let object = self.object(&name.text, name.span, "what is reduced")?;
        let ObjectKind::Shared { element, .. } = self.objects[object.0 as usize].kind else {
            let message = format!("what is reduced is a `shared` scalar, and `{}` is {}", name.text, self.object_noun(object));
            return self.fault(name.span, message, "declare `shared total: f64 = 0.0` and reduce into it");
        };
        let binary = match operator.operator {
            ReduceOperator::Add => BinaryOperator::Add,
            ReduceOperator::Multiply => BinaryOperator::Multiply,
            ReduceOperator::Minimum => BinaryOperator::Minimum,
            ReduceOperator::Maximum => BinaryOperator::Maximum,
            ReduceOperator::And => BinaryOperator::And,
            ReduceOperator::Or => BinaryOperator::Or,
        };
        self.operator_allowed(binary, element, operator.span)?;
        self.facts.writes = self.facts.writes.or(Some(name.span));
        self.facts.writes_float |= element.is_float();
        if element.is_float() && matches!(binary, BinaryOperator::Add | BinaryOperator::Multiply) {
            self.order_dependent = true;
        }
        Ok(object)
    }

    /// In the loop the name of a reduced scalar means the thread's own copy.
    fn private_copies(&mut self, reductions: Vec<(ReduceWord, Name, ObjectId)>) -> Checked<Vec<Reduction>> {
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
            "static" | "dynamic" => Ok(Schedule { kind: kind.text.clone(), chunk }),
            "guided" => self.not_built("schedule(guided)", kind.span),
            text => {
                let help = match nearest(text, ["static", "dynamic", "guided"]) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "schedules are static and dynamic".into(),
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
        match known_integer(&checked) {
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
            None => {
                self.fault(span, "there is no team here that a `barrier` could wait for", "it stands in the body of `parallel`")
            }
        }
    }

    fn atomic(
        &mut self,
        place: &syntax::Expression,
        operator: Option<BinaryOperator>,
        value: &syntax::Expression,
        order: Option<OrderWord>,
        span: Span,
    ) -> Checked<StatementKind> {
        let what = format!("`{}`", self.short_text(place.span));
        let target = self.memory_place(place, "`atomic` changes");
        let value = self.expression(value);
        let (place, element) = target?;
        let mut value = value?;
        let operation = self.atomic_operation(operator, span)?;
        self.atomic_allowed(operation, element, span)?;
        if operation == UpdateOperation::Exchange
            && let Some(order) = order.filter(|order| order.order == Order::Acquire)
        {
            return self.fault(order.span, "a store cannot acquire", "stores are `relaxed`, `release` or, without a word, seq_cst");
        }
        if operator == Some(BinaryOperator::Subtract) {
            let span = value.expression.span;
            // In the element's own type, so that what is negated is what is added.
            value = Typed::firm(self.to_type(value, element, &what)?);
            value = apply_unary(UnaryOperator::Negate, value, span);
        }
        let value = self.to_type(value, element, &what)?;
        self.facts.writes = self.facts.writes.or(Some(span));
        self.facts.writes_float |= element.is_float();
        self.note_float_atomic(operation, element);
        let order = order.map_or(Order::SequentiallyConsistent, |order| order.order);
        Ok(StatementKind::Atomic { place, operation, value, order })
    }

    fn atomic_operation(&mut self, operator: Option<BinaryOperator>, span: Span) -> Checked<UpdateOperation> {
        Ok(match operator {
            None => UpdateOperation::Exchange,
            Some(BinaryOperator::Add | BinaryOperator::Subtract) => UpdateOperation::Add,
            Some(BinaryOperator::Minimum) => UpdateOperation::Minimum,
            Some(BinaryOperator::Maximum) => UpdateOperation::Maximum,
            Some(BinaryOperator::And) => UpdateOperation::And,
            Some(BinaryOperator::Or) => UpdateOperation::Or,
            Some(BinaryOperator::Xor) => UpdateOperation::Xor,
            Some(_) => {
                let help = "in one step go `=`, `+=`, `-=`, `min=`, `max=`, `&=`, `|=`, `^=`; for others repeat `compare_exchange`";
                return self.fault(span, "no machine does this in one step", help);
            }
        })
    }

    /// `await place comparison value`
    fn await_statement(&mut self, condition: &syntax::Expression) -> Checked<StatementKind> {
        let span = condition.span;
        let checked = self.condition(condition, "what is awaited")?;
        let (place, comparison, value) = match checked.kind {
            ExpressionKind::Compare(comparison, a, b) => match (single_place(&a), single_place(&b)) {
                (Some(place), _) if !reads_memory(&b) => (place, comparison, *b),
                (_, Some(place)) if !reads_memory(&a) => (place, mirrored(comparison), *a),
                _ => return self.not_awaitable(span),
            },
            ExpressionKind::Unary(UnaryOperator::Not, operand) => match single_place(&operand) {
                Some(place) => (place, Comparison::Equal, boolean(false, span)),
                None => return self.not_awaitable(span),
            },
            _ => match single_place(&checked) {
                Some(place) => (place, Comparison::Equal, boolean(true, span)),
                None => return self.not_awaitable(span),
            },
        };
        Ok(StatementKind::Await { place, comparison, value })
    }

    fn not_awaitable<T>(&mut self, span: Span) -> Checked<T> {
        let message = "`await` sleeps until one place in memory changes: it compares that place, on one side, with a value that reads no \
                       memory";
        let help = "such as `await turn == thread` or `await flag[i]`; read other memory into a `let` first, and convert its value, not the place";
        self.fault(span, message, help)
    }

    fn lock(&mut self, place: &syntax::Expression, body: &Block, span: Span) -> Checked<StatementKind> {
        let head = Span { start: span.start, end: place.span.end };
        let allowed = self.reject_in_runtime("lock", head);
        let place = self.synchroniser_place(place, "mutex", "lock");
        let context = Context { lock: Some(head), ..self.context };
        let body = self.within(context, |checker| checker.block(body));
        allowed?;
        Ok(StatementKind::Lock { place: place?, body })
    }

    fn semaphore(&mut self, place: &syntax::Expression, word: &str, span: Span) -> Checked<Place> {
        self.reject_in_runtime(word, span)?;
        self.synchroniser_place(place, "semaphore", word)
    }

    /// A mutex or a semaphore, one of many where it has an extent.
    fn synchroniser_place(&mut self, syntax: &syntax::Expression, noun: &str, word: &str) -> Checked<Place> {
        let span = syntax.span;
        let (name, name_span, index) = match &syntax.kind {
            syntax::ExpressionKind::Name(name) => (name, span, None),
            syntax::ExpressionKind::Index { base, indices } => match indices.as_slice() {
                [syntax::Index::At(index)] => (&base.text, base.span, Some(index)),
                _ => return self.fault(span, format!("`{word}` takes one {noun}"), format!("write `{word} {}[i]`", base.text)),
            },
            _ => return self.fault(span, format!("`{word}` takes a {noun}"), format!("declare `{noun} m` at the top")),
        };
        let object = self.object(name, name_span, &format!("a {noun}"))?;
        let right = match self.objects[object.0 as usize].kind {
            ObjectKind::Mutex => noun == "mutex",
            ObjectKind::Semaphore { .. } => noun == "semaphore",
            _ => false,
        };
        if !right {
            let message = format!("`{word}` takes a {noun}, and `{name}` is {}", self.object_noun(object));
            let help = match self.objects[object.0 as usize].kind {
                ObjectKind::Mutex => format!("a mutex is held by `lock {name} {{ ... }}`"),
                ObjectKind::Semaphore { .. } => format!("a semaphore is used by `acquire {name}` and `release {name}`"),
                _ => format!("declare `{noun} {name}_{noun}` at the top"),
            };
            return self.fault(span, message, help);
        }
        let many = self.objects[object.0 as usize].extents != [1];
        let indices = match index {
            Some(index) => vec![self.integer(index, "an index")?],
            None if many => {
                let message = format!("there are many `{name}`");
                return self.fault(span, message, format!("say which: `{word} {name}[i]`"));
            }
            None => Vec::new(),
        };
        Ok(Place { object, indices, span })
    }
}

/// The place that an expression reads and nothing else.
fn single_place(expression: &Expression) -> Option<Place> {
    match &expression.kind {
        ExpressionKind::Load(place) | ExpressionKind::AtomicLoad(place, _) if !place.indices.iter().any(reads_memory) => {
            Some(place.clone())
        }
        _ => None,
    }
}

/// Whether computing an expression may read memory.
fn reads_memory(expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::Constant(_) | ExpressionKind::Local(_) | ExpressionKind::Thread | ExpressionKind::Threads => false,
        ExpressionKind::Unary(_, a) | ExpressionKind::Convert(a) | ExpressionKind::Random(a) => reads_memory(a),
        ExpressionKind::Binary(_, a, b)
        | ExpressionKind::Compare(_, a, b)
        | ExpressionKind::And(a, b)
        | ExpressionKind::Or(a, b) => reads_memory(a) || reads_memory(b),
        ExpressionKind::FusedMultiplyAdd(a, b, c) => reads_memory(a) || reads_memory(b) || reads_memory(c),
        ExpressionKind::Load(_)
        | ExpressionKind::AtomicLoad(..)
        | ExpressionKind::ReadModifyWrite { .. }
        | ExpressionKind::CompareExchange { .. }
        | ExpressionKind::Sum(_)
        | ExpressionKind::Call { .. } => true,
    }
}

/// The comparison with its sides swapped.
fn mirrored(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessEqual => Comparison::GreaterEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterEqual => Comparison::LessEqual,
        Comparison::Equal | Comparison::NotEqual => comparison,
    }
}

fn boolean(value: bool, span: Span) -> Expression {
    Expression { kind: ExpressionKind::Constant(Value::Bool(value)), r#type: Type::Bool, span }
}

/// A statement without its block.
fn header(span: Span, text: &str) -> Span {
    let length = text.find(['{', '\n']).map_or(text.len(), |end| text[..end].trim_end().len());
    Span { start: span.start, end: span.start + length as u32 }
}

/// What a statement that is not built yet is called.
fn construct(statement: &Syntax) -> &'static str {
    match statement {
        Syntax::ForQueue { .. } => "for ... in QUEUE",
        Syntax::Wait(_) | Syntax::WaitAll => "wait",
        Syntax::Signal(_) => "signal",
        Syntax::Put { .. } => "put",
        Syntax::Close(_) => "close",
        Syntax::Spawn { .. } => "spawn",
        Syntax::Send { start: true, .. } => "start send",
        Syntax::Send { .. } => "send",
        Syntax::Receive { start: true, .. } => "start recv",
        Syntax::Receive { .. } => "recv",
        Syntax::Exchange { .. } => "exchange",
        Syntax::Broadcast { .. } => "broadcast",
        Syntax::Reduce { all: true, .. } => "allreduce",
        Syntax::Reduce { .. } => "reduce",
        Syntax::Collective { kind: CollectiveKind::Gather, .. } => "gather",
        Syntax::Collective { kind: CollectiveKind::Scatter, .. } => "scatter",
        Syntax::Collective { kind: CollectiveKind::AllToAll, .. } => "alltoall",
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
