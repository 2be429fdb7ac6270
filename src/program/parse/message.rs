//! Statements of tasks, queues, messages, pipelines and accelerators.

use super::{Failed, Parsed, Parser};
use crate::base::diagnostic::Span;
use crate::program::lex::TokenKind;
use crate::program::syntax::{CollectiveKind, Expression, Name, Pipeline, Stage, StatementKind};

impl Parser<'_> {
    /// The statement that a word just taken (at `start`) begins.
    pub(super) fn message_statement(&mut self, word: &str, start: Span) -> Parsed<StatementKind> {
        match word {
            "wait" if self.accept_word("all") => Ok(StatementKind::WaitAll),
            "wait" => Ok(StatementKind::Wait(self.place("a message that was started", "write `wait h` or `wait all`")?)),
            "signal" => Ok(StatementKind::Signal(self.place("a condition", "write `signal c`")?)),
            "put" => self.put(),
            "close" => Ok(StatementKind::Close(self.name("a queue", "write `close q`")?)),
            "spawn" => self.spawn(None),
            "start" => self.start(None),
            "send" => self.send(false, None),
            "recv" => self.receive(false, None),
            "exchange" => self.exchange(),
            "broadcast" => self.broadcast(),
            "reduce" => self.reduce(false),
            "allreduce" => self.reduce(true),
            "gather" => self.collective(CollectiveKind::Gather, "gather x into y at r"),
            "scatter" => self.collective(CollectiveKind::Scatter, "scatter x into y at r"),
            "alltoall" => self.collective(CollectiveKind::AllToAll, "alltoall x into y"),
            "pipeline" => self.pipeline(),
            "on" => self.accelerator(),
            _ => {
                let text = self.text(start).to_string();
                self.expected(&format!("a statement behind `{text}`"), "")
            }
        }
    }

    fn put(&mut self) -> Parsed<StatementKind> {
        let help = "write `put q, e`";
        let queue = self.name("a queue", help)?;
        self.expect(",", help)?;
        self.skip_newlines();
        Ok(StatementKind::Put { queue, value: self.expression()? })
    }

    /// `f(...)` behind `spawn`.
    pub(super) fn spawn(&mut self, handle: Option<Name>) -> Parsed<StatementKind> {
        if self.peek().kind != TokenKind::Word || self.peek_second().kind != TokenKind::Symbol("(") {
            return self.expected("a call", "write `spawn f(...)`: the call runs as a task");
        }
        Ok(StatementKind::Spawn { handle, call: self.expression()? })
    }

    fn slice(&mut self, help: &str) -> Parsed<Expression> {
        self.place("an array or a part of one", help)
    }

    /// `word e`, where it is next.
    fn optional(&mut self, word: &str) -> Parsed<Option<Expression>> {
        if self.accept_word(word) { Ok(Some(self.expression()?)) } else { Ok(None) }
    }

    /// `send` or `recv` behind `start`.
    pub(super) fn start(&mut self, handle: Option<Name>) -> Parsed<StatementKind> {
        if self.accept_word("send") {
            self.send(true, handle)
        } else if self.accept_word("recv") {
            self.receive(true, handle)
        } else {
            self.expected("`send` or `recv`", "write `start send x to r`: it goes on while the message is under way")
        }
    }

    fn send(&mut self, start: bool, handle: Option<Name>) -> Parsed<StatementKind> {
        let help = "write `send x[..] to r`";
        let slice = self.slice(help)?;
        self.expect_word("to", help)?;
        let to = self.expression()?;
        Ok(StatementKind::Send { start, handle, slice, to, tag: self.optional("tag")? })
    }

    fn receive(&mut self, start: bool, handle: Option<Name>) -> Parsed<StatementKind> {
        let help = "write `recv x[..] from r`";
        let slice = self.slice(help)?;
        self.expect_word("from", help)?;
        let from = self.expression()?;
        Ok(StatementKind::Receive { start, handle, slice, from, tag: self.optional("tag")? })
    }

    fn exchange(&mut self) -> Parsed<StatementKind> {
        let help = "write `exchange x[..] to r, y[..] from q`";
        let send = self.slice(help)?;
        self.expect_word("to", help)?;
        let to = self.expression()?;
        self.expect(",", help)?;
        self.skip_newlines();
        let receive = self.slice(help)?;
        self.expect_word("from", help)?;
        Ok(StatementKind::Exchange { send, to, receive, from: self.expression()? })
    }

    fn broadcast(&mut self) -> Parsed<StatementKind> {
        let help = "write `broadcast x[..] from r`";
        let slice = self.slice(help)?;
        self.expect_word("from", help)?;
        Ok(StatementKind::Broadcast { slice, from: self.expression()? })
    }

    fn reduce(&mut self, all: bool) -> Parsed<StatementKind> {
        let help = if all { "write `allreduce(+) x[..]`" } else { "write `reduce(+) x[..] to r`" };
        let open = self.open("(", help)?;
        let operator = self.reduce_operator(help)?;
        self.close(")", open, help)?;
        let slice = self.slice(help)?;
        let to = self.optional("to")?;
        if !all && to.is_none() {
            return self.expected("`to` and a rank", help);
        }
        Ok(StatementKind::Reduce { all, operator, slice, to })
    }

    fn collective(&mut self, kind: CollectiveKind, example: &str) -> Parsed<StatementKind> {
        let help = format!("write `{example}`");
        let slice = self.slice(&help)?;
        self.expect_word("into", &help)?;
        let into = self.slice(&help)?;
        Ok(StatementKind::Collective { kind, slice, into, at: self.optional("at")? })
    }

    fn pipeline(&mut self) -> Parsed<StatementKind> {
        let help = "write `pipeline i in 0..n { stage { ... } stage { ... } }`";
        let range = self.range("pipeline")?;
        let depth = self.optional("depth")?;
        let open = self.expect("{", help)?;
        let mut stages = Vec::new();
        let mut broken = false;
        loop {
            while self.peek().kind == TokenKind::Newline || self.at_symbol(";") {
                self.take();
            }
            if self.accept("}") {
                return if broken { Err(Failed) } else { Ok(StatementKind::Pipeline(Box::new(Pipeline { range, depth, stages }))) };
            }
            if self.peek().kind == TokenKind::End {
                return self.never_closed(open);
            }
            let begin = self.position;
            match self.expect_word("stage", help).and_then(|_| self.stage()) {
                Ok(stage) => stages.push(stage),
                Err(Failed) => {
                    broken = true;
                    self.recover(begin);
                }
            }
        }
    }

    fn stage(&mut self) -> Parsed<Stage> {
        let help = "write `stage smooth keep old = 0.0 { ... }`";
        let is_clause = self.at_word("keep") || self.at_word("times");
        let name = match self.peek().kind == TokenKind::Word && !is_clause {
            true => Some(self.name("a name", help)?),
            false => None,
        };
        let mut keep = Vec::new();
        let mut times = None;
        loop {
            if self.accept_word("keep") {
                let name = self.name("a name", help)?;
                self.expect("=", help)?;
                keep.push((name, self.expression()?));
            } else if self.accept_word("times") {
                times = Some(self.expression()?);
            } else {
                return Ok(Stage { name, keep, times, body: self.block("stage")? });
            }
        }
    }

    fn accelerator(&mut self) -> Parsed<StatementKind> {
        let help = "write `on accelerator copy in(a, b) out(c) { ... }`";
        self.expect_word("accelerator", help)?;
        self.expect_word("copy", help)?;
        let copy_in = self.copied("in", help)?;
        let copy_out = self.copied("out", help)?;
        Ok(StatementKind::Accelerator { copy_in, copy_out, body: self.block("on accelerator")? })
    }

    /// `in(names)` or `out(names)`, where it is next.
    fn copied(&mut self, word: &str, help: &str) -> Parsed<Vec<Name>> {
        let mut names = Vec::new();
        if !self.accept_word(word) {
            return Ok(names);
        }
        let open = self.open("(", help)?;
        loop {
            names.push(self.name("an array", help)?);
            if !self.accept(",") {
                break;
            }
        }
        self.close(")", open, help)?;
        Ok(names)
    }
}
