//! Statements by which threads work together through memory: teams, shared-out loops, locks, atomics.

use super::{Parsed, Parser};
use crate::base::diagnostic::Diagnostic;
use crate::program::lex::TokenKind;
use crate::program::syntax::{Clause, ClauseKind, ReduceWord, StatementKind};
use crate::program::tree::ReduceOperator;

impl Parser<'_> {
    /// The statement that a word just taken begins.
    pub(super) fn parallel_statement(&mut self, word: &str) -> Parsed<StatementKind> {
        match word {
            "parallel" if self.accept_word("for") => self.parallel_for(),
            "parallel" => {
                let next = self.peek().kind;
                let size = match next == TokenKind::Symbol("{") || next == TokenKind::Newline {
                    true => None,
                    false => Some(self.expression()?),
                };
                Ok(StatementKind::Parallel { size, body: self.block("parallel")? })
            }
            "barrier" => Ok(StatementKind::Barrier),
            "atomic" => self.atomic(),
            "await" => Ok(StatementKind::Await(self.expression()?)),
            "fence" => Ok(StatementKind::Fence),
            "lock" => self.lock(),
            "acquire" => Ok(StatementKind::Acquire(self.place("a semaphore", "write `acquire s` or `acquire s[i]`")?)),
            _ => Ok(StatementKind::Release(self.place("a semaphore", "write `release s` or `release s[i]`")?)),
        }
    }

    fn parallel_for(&mut self) -> Parsed<StatementKind> {
        let ranges = self.ranges("parallel for")?;
        let mut clauses = Vec::new();
        loop {
            let start = self.peek().span;
            let kind = match () {
                () if self.accept_word("reduce") => self.reduce_clause()?,
                () if self.accept_word("schedule") => self.schedule_clause()?,
                () => break,
            };
            clauses.push(Clause { kind, span: self.span_from(start) });
        }
        if self.peek().kind == TokenKind::Word {
            return self.expected("`reduce(...)`, `schedule(...)` or `{`", "");
        }
        let body = self.loop_body(&ranges, "parallel for")?;
        Ok(StatementKind::ParallelFor { ranges, clauses, body })
    }

    fn reduce_clause(&mut self) -> Parsed<ClauseKind> {
        let help = "write `reduce(+: total)`, where `total` is a `shared` scalar";
        let open = self.open("(", help)?;
        let operator = self.reduce_operator(help)?;
        self.expect(":", help)?;
        let mut names = Vec::new();
        loop {
            names.push(self.name("a `shared` scalar", help)?);
            if !self.accept(",") {
                break;
            }
        }
        self.close(")", open, help)?;
        Ok(ClauseKind::Reduce { operator, names })
    }

    /// The operator of a reduction.
    pub(super) fn reduce_operator(&mut self, help: &str) -> Parsed<ReduceWord> {
        let token = self.peek();
        let operator = match (token.kind, self.describe(token).trim_matches('`')) {
            (TokenKind::Symbol("+"), _) => ReduceOperator::Add,
            (TokenKind::Symbol("*"), _) => ReduceOperator::Multiply,
            (TokenKind::Symbol("&" | "&&"), _) => ReduceOperator::And,
            (TokenKind::Symbol("|" | "||"), _) => ReduceOperator::Or,
            (TokenKind::Word, "min") => ReduceOperator::Minimum,
            (TokenKind::Word, "max") => ReduceOperator::Maximum,
            _ => return self.expected("one of `+`, `*`, `min`, `max`, `&`, `|`", help),
        };
        self.take();
        Ok(ReduceWord { operator, span: token.span })
    }

    fn schedule_clause(&mut self) -> Parsed<ClauseKind> {
        let help = "write `schedule(static)` or `schedule(dynamic, 64)`";
        let open = self.open("(", help)?;
        let kind = self.name("a schedule", help)?;
        let chunk = if self.accept(",") { Some(self.expression()?) } else { None };
        self.close(")", open, help)?;
        Ok(ClauseKind::Schedule { kind, chunk })
    }

    fn atomic(&mut self) -> Parsed<StatementKind> {
        let help = "write `atomic x += 1`; the value of a place is read by `let v = atomic x`";
        let place = self.place("a place in memory", help)?;
        let Some(operator) = self.assignment_operator() else {
            return self.expected("`=`, `+=` or another assignment", help);
        };
        let value = self.expression()?;
        let order = self.order();
        Ok(StatementKind::Atomic { place, operator, value, order })
    }

    fn lock(&mut self) -> Parsed<StatementKind> {
        let help = "write `lock m { ... }`, with `mutex m` at the top";
        let place = self.place("a mutex", help)?;
        let mut reading = false;
        if self.accept_word("for") {
            self.expect_word("reading", "write `lock l for reading { ... }`")?;
            reading = true;
        }
        if !self.at_symbol("{") && self.peek().kind != TokenKind::Newline {
            let diagnostic = Diagnostic::at(self.source, self.shown(self.peek()), "`lock` holds a mutex while a block runs");
            return self.fail(diagnostic.help(help));
        }
        Ok(StatementKind::Lock { place, reading, body: self.block("lock")? })
    }
}
