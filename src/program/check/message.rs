//! Ranks, and the messages between them.

use super::scope::{LocalRole, Meaning, Phase};
use super::{Checked, Checker, Reported};
use crate::base::diagnostic::{Diagnostic, Span};
use crate::program::check::convert::{Typed, constant_expression};
use crate::program::syntax::{self, CollectiveKind, ExpressionKind as SyntaxKind, Name, ReduceWord, StatementKind as Syntax};
use crate::program::tree::{
    Collective, CollectiveOperation, Direction, Expression, ExpressionKind, LocalId, ObjectKind, Slice, SliceDimension,
    StatementKind, Transfer, Type, Value,
};

/// One end of a message, as written.
struct Written<'a> {
    direction: Direction,
    slice: &'a syntax::Expression,
    peer: &'a syntax::Expression,
    tag: Option<&'a syntax::Expression>,
}

impl Checker<'_> {
    /// `rank`
    pub(super) fn rank(&mut self, span: Span) -> Checked<Typed> {
        self.uses_ranks = true;
        if self.context.phase == Phase::Results {
            // Rank 0 computes the results.
            return Ok(Typed::firm(constant_expression(Value::I64(0), span)));
        }
        Ok(Typed::firm(Expression { kind: ExpressionKind::Rank, r#type: Type::I64, span }))
    }

    /// `ranks`
    pub(super) fn ranks(&mut self, span: Span) -> Typed {
        self.uses_ranks = true;
        Typed::firm(constant_expression(Value::I64(self.ranks), span))
    }

    /// Whether an expression speaks of `rank`, so that it differs between ranks.
    pub(super) fn reads_rank(expression: &syntax::Expression) -> bool {
        let mut found = false;
        expression.names(&mut |name| found |= name == "rank");
        found
    }

    /// A statement on messages; `None` for any other.
    pub(super) fn message_statement(&mut self, statement: &syntax::Statement) -> Option<Checked<StatementKind>> {
        let span = statement.span;
        let write = |direction, slice, peer, tag| Written { direction, slice, peer, tag };
        Some(match &statement.kind {
            Syntax::Send { start, handle, slice, to, tag } => {
                self.started(&write(Direction::Send, slice, to, tag.as_ref()), *start, handle.as_ref(), span)
            }
            Syntax::Receive { start, handle, slice, from, tag } => {
                self.started(&write(Direction::Receive, slice, from, tag.as_ref()), *start, handle.as_ref(), span)
            }
            Syntax::Exchange { send, to, receive, from } => {
                let receive = self.transfer(&write(Direction::Receive, receive, from, None), span);
                let send = self.transfer(&write(Direction::Send, send, to, None), span);
                match (receive, send) {
                    (Ok(receive), Ok(send)) => self.apart(&send, &receive).map(|()| StatementKind::Transfer(vec![receive, send])),
                    _ => Err(Reported),
                }
            }
            Syntax::Wait(handle) => self.wait(handle),
            Syntax::WaitAll => {
                self.note_message(span);
                Ok(StatementKind::WaitForMessages { handle: None })
            }
            Syntax::Broadcast { slice, from } => self.collective(CollectiveOperation::Broadcast, &[slice], Some(from), None, span),
            Syntax::Reduce { all: true, to: Some(to), .. } => {
                self.fault(to.span, "every rank has the value of an `allreduce`", "leave out `to`, or write `reduce`")
            }
            Syntax::Reduce { all, operator, slice, to } => {
                let operation = if *all { CollectiveOperation::AllReduce } else { CollectiveOperation::Reduce };
                self.collective(operation, &[slice], to.as_ref(), Some(operator), span)
            }
            Syntax::Collective { kind, slice, into, at } => {
                let operation = match (kind, at) {
                    (CollectiveKind::Gather, Some(_)) => CollectiveOperation::Gather,
                    (CollectiveKind::Gather, None) => CollectiveOperation::AllGather,
                    (CollectiveKind::Scatter, Some(_)) => CollectiveOperation::Scatter,
                    (CollectiveKind::Scatter, None) => {
                        let help = "write `scatter x into y at r`: rank r's x is dealt out";
                        return Some(self.fault(span, "which rank scatters is not said", help));
                    }
                    (CollectiveKind::AllToAll, None) => CollectiveOperation::AllToAll,
                    (CollectiveKind::AllToAll, Some(at)) => {
                        let help = "leave out `at`";
                        return Some(self.fault(at.span, "all ranks are alike in an `alltoall`", help));
                    }
                };
                self.collective(operation, &[slice, into], at.as_ref(), None, span)
            }
            _ => return None,
        })
    }

    /// Something that all ranks do together.
    fn collective(
        &mut self,
        operation: CollectiveOperation,
        slices: &[&syntax::Expression],
        root: Option<&syntax::Expression>,
        operator: Option<&ReduceWord>,
        span: Span,
    ) -> Checked<StatementKind> {
        self.note_message(span);
        self.facts.collective = self.facts.collective.or(Some(span));
        self.reject_in_runtime(operation.name(), span)?;
        self.reject_under_lock("what all ranks do together", span)?;
        if self.context.team.is_some() {
            let message = format!("`{}` is for a rank as a whole, and this is one thread of its team", operation.name());
            return self.fault(span, message, "write it before or after the team's part");
        }
        let checked: Vec<_> = slices.iter().map(|slice| self.piece(slice, Direction::Send)).collect();
        let root = root.map(|root| self.integer(root, "a rank")).transpose();
        let (slices, root) = (checked.into_iter().collect::<Checked<Vec<_>>>()?, root?);
        root.as_ref().map_or(Ok(()), |root| self.is_rank(root))?;
        let mut element = Type::I64;
        for (number, slice) in slices.iter().enumerate() {
            let (ObjectKind::Array { element: found, .. } | ObjectKind::Shared { element: found, .. }) =
                &self.objects[slice.object.0 as usize].kind
            else {
                return self.fault(slice.span, "a mutex or semaphore cannot be sent", "arrays and scalars can");
            };
            let found = *found;
            if number > 0 && found != element {
                let message = format!("elements of {} cannot go into elements of {}", element.name(), found.name());
                return self.fault(slice.span, message, "both have one type");
            }
            element = found;
        }
        if let [first, second] = slices.as_slice()
            && first.object == second.object
        {
            let help = "let it go into an array of its own";
            return self.fault(second.span, "this is sent and received into at the same time", help);
        }
        if let Some(operator) = operator {
            self.reducible(operator, element)?;
        }
        self.facts.writes = self.facts.writes.or(Some(span));
        self.facts.writes_float |= element.is_float();
        let operator = operator.map(|word| word.operator);
        Ok(StatementKind::Collective(Box::new(Collective { operation, slices, element, root, operator })))
    }

    /// `barrier` outside of teams: of all ranks.
    pub(super) fn barrier_of_ranks(&mut self, span: Span) -> StatementKind {
        self.facts.messages = self.facts.messages.or(Some(span));
        let operation = CollectiveOperation::Barrier;
        let collective = Collective { operation, slices: Vec::new(), element: Type::I64, root: None, operator: None };
        StatementKind::Collective(Box::new(collective))
    }

    fn note_message(&mut self, span: Span) {
        self.uses_ranks = true;
        self.facts.messages = self.facts.messages.or(Some(span));
    }

    fn started(&mut self, written: &Written<'_>, start: bool, handle: Option<&Name>, span: Span) -> Checked<StatementKind> {
        let transfer = self.transfer(written, span);
        let handle = match handle {
            None => None,
            Some(name) if transfer.is_err() => {
                self.declare_broken(name);
                None
            }
            Some(name) => Some(self.declare_local(name, Type::I64, LocalRole::Handle)?),
        };
        let transfer = transfer?;
        Ok(match start {
            true => StatementKind::Start { transfer: Box::new(transfer), handle },
            false => StatementKind::Transfer(vec![transfer]),
        })
    }

    /// Refuses a constant that is no rank's number.
    fn is_rank(&mut self, rank: &Expression) -> Checked<()> {
        match rank.known_integer().filter(|known| !(0..self.ranks).contains(known)) {
            None => Ok(()),
            Some(known) => {
                let message = format!("there is no rank {known}: the run has {}, from 0", self.ranks);
                self.fault(rank.span, message, "ranks are numbered from 0 to `ranks - 1`")
            }
        }
    }

    fn transfer(&mut self, written: &Written<'_>, span: Span) -> Checked<Transfer> {
        self.note_message(span);
        let slice = self.piece(written.slice, written.direction);
        let peer = self.integer(written.peer, "a rank");
        let tag = match written.tag {
            None => Ok(constant_expression(Value::I64(0), span)),
            Some(tag) => self.integer(tag, "a tag"),
        };
        let (slice, peer, tag) = (slice?, peer?, tag?);
        self.is_rank(&peer)?;
        if let Some(known) = tag.known_integer().filter(|&known| known < 0) {
            return self.fault(tag.span, format!("a tag is at least 0, and this is {known}"), "tags tell messages apart");
        }
        if written.direction == Direction::Receive {
            self.facts.writes = self.facts.writes.or(Some(span));
        }
        Ok(Transfer { direction: written.direction, slice, peer, tag })
    }

    /// A scalar, an element, or a part of an array that lies in one piece.
    pub(super) fn piece(&mut self, syntax: &syntax::Expression, direction: Direction) -> Checked<Slice> {
        let user = if direction == Direction::Send { "a message takes" } else { "`recv` takes" };
        if let SyntaxKind::Name(name) = &syntax.kind
            && let Some(Meaning::Object(object)) = self.quiet_look_up(name)
            && let ObjectKind::Shared { .. } = self.objects[object.0 as usize].kind
        {
            return Ok(Slice { object, dimensions: Vec::new(), span: syntax.span });
        }
        let (slice, _) = self.slice(syntax, user)?;
        let object = &self.objects[slice.object.0 as usize];
        if object.padded {
            let message = format!("`{}` is padded, so that its elements do not lie one behind the other", object.name);
            return self.fault(syntax.span, message, "a message is one piece of memory: leave out `padded`");
        }
        let extents = object.extents.clone();
        let first_range = slice.dimensions.iter().position(|dimension| matches!(dimension, SliceDimension::Range { .. }));
        for (dimension, extent) in slice.dimensions.iter().zip(extents).skip(first_range.map_or(usize::MAX, |first| first + 1)) {
            if !is_whole(dimension, extent) {
                let help = "only the first range may be a part: `a[lo..hi, ..]`; copy other parts into an array of their own first";
                return self.fault(syntax.span, "this part of the array is not one piece of memory", help);
            }
        }
        Ok(slice)
    }

    /// What is sent must not be received into at the same time.
    fn apart(&mut self, send: &Transfer, receive: &Transfer) -> Checked<()> {
        let whole = |slice: &Slice| {
            let extents = self.objects[slice.object.0 as usize].extents.clone();
            slice.dimensions.iter().zip(extents).all(|(dimension, extent)| is_whole(dimension, extent))
        };
        if send.slice.object != receive.slice.object || !whole(&send.slice) || !whole(&receive.slice) {
            return Ok(());
        }
        let diagnostic = Diagnostic::at(self.source, receive.slice.span, "this is being sent while it is received into");
        let diagnostic = diagnostic.help("receive into an array of its own");
        Err(self.report(diagnostic.related(send.slice.span, "sent here")))
    }

    /// `wait h`
    fn wait(&mut self, handle: &syntax::Expression) -> Checked<StatementKind> {
        self.note_message(handle.span);
        let SyntaxKind::Name(name) = &handle.kind else {
            return self.no_handle(handle.span);
        };
        match self.look_up(name, handle.span)? {
            Meaning::Local(local) if self.is_handle(local) => Ok(StatementKind::WaitForMessages { handle: Some(local) }),
            _ => self.no_handle(handle.span),
        }
    }

    fn no_handle<T>(&mut self, span: Span) -> Checked<T> {
        let help = "write `let h = start send x[..] to r`, then `wait h`; or `wait all`";
        self.fault(span, "`wait` waits for a message that was started", help)
    }

    /// Whether a variable stands for a message under way.
    pub(super) fn is_handle(&self, local: LocalId) -> bool {
        self.local_facts.get(local.0 as usize).is_some_and(|facts| facts.role == LocalRole::Handle)
    }

    /// A handle that is used as a number.
    pub(super) fn handle_is_no_value<T>(&mut self, name: &str, span: Span) -> Checked<T> {
        let message = format!("`{name}` stands for a message under way, not for a value");
        self.fault(span, message, format!("wait for it: `wait {name}`"))
    }
}

/// Whether a range is all of its dimension.
fn is_whole(dimension: &SliceDimension, extent: u64) -> bool {
    match dimension {
        SliceDimension::Index(_) => extent == 1,
        SliceDimension::Range { low, high } => low.known_integer() == Some(0) && high.known_integer() == Some(extent as i64),
    }
}
