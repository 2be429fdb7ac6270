//! Statements that one thread understands alone: `let`, assignments, `if`, loops, calls. The rest is in `parallel` and `message`.

use super::{Failed, Parsed, Parser};
use crate::base::diagnostic::{Diagnostic, Span};
use crate::program::lex::TokenKind;
use crate::program::syntax::{Block, Expression, Range, Statement, StatementKind};
use crate::program::tree::BinaryOperator;
use crate::program::vocabulary;

impl Parser<'_> {
    /// A statement.
    pub(super) fn statement(&mut self) -> Parsed<Statement> {
        let word = self.leading_word()?;
        if let Some(word) = word.as_deref().filter(|word| vocabulary::is_declaration(word)) {
            return self.misplaced_declaration(word);
        }
        self.statement_with(word.as_deref())
    }

    /// Declarations belong to the whole text.
    fn misplaced_declaration<T>(&mut self, word: &str) -> Parsed<T> {
        let span = self.take().span;
        let diagnostic = Diagnostic::at(self.source, span, format!("`{word}` stands at the top level of a text, not in a block"));
        let help = match word {
            "array" | "shared" => "move it up; for a variable of this block alone write `let`",
            _ => "move it out of the block",
        };
        self.report(diagnostic.help(help));
        self.declaration(word)?;
        Err(Failed)
    }

    /// A statement that begins with `word`, or with anything else.
    pub(super) fn statement_with(&mut self, word: Option<&str>) -> Parsed<Statement> {
        let start = self.peek().span;
        let kind = match word {
            None => self.assignment_or_call()?,
            Some("exchange") if self.peek_second().kind == TokenKind::Symbol("(") => self.assignment_or_call()?,
            Some(word) => {
                self.take();
                self.word_statement(word, start)?
            }
        };
        Ok(Statement { kind, span: self.span_from(start) })
    }

    /// The statement that a word just taken begins.
    fn word_statement(&mut self, word: &str, start: Span) -> Parsed<StatementKind> {
        match word {
            "let" => self.let_statement(),
            "if" => self.if_statement(),
            "while" => {
                let condition = self.condition("while")?;
                Ok(StatementKind::While { condition, body: self.block("while")? })
            }
            "for" => self.for_statement(),
            "busy" => Ok(StatementKind::Busy(self.in_parentheses("busy(k)")?)),
            "sleep" => Ok(StatementKind::Sleep(self.in_parentheses("sleep(s)")?)),
            "parallel" | "barrier" | "atomic" | "await" | "fence" | "lock" | "acquire" | "release" => self.parallel_statement(word),
            _ => self.message_statement(word, start),
        }
    }

    fn in_parentheses(&mut self, example: &str) -> Parsed<Expression> {
        let help = format!("write `{example}`");
        let open = self.open("(", &help)?;
        let value = self.expression()?;
        self.close(")", open, &help)?;
        Ok(value)
    }

    fn let_statement(&mut self) -> Parsed<StatementKind> {
        let help = "a variable has a name and a first value: `let x = 0.0`";
        let name = self.name("the variable's name", help)?;
        if self.at_symbol(":") {
            let diagnostic = Diagnostic::at(self.source, self.peek().span, "a `let` has the type of its value");
            return self.fail(diagnostic.help(format!("write `let {} = f32(e)`, for instance", name.text)));
        }
        self.expect("=", help)?;
        self.skip_newlines();
        if self.accept_word("spawn") {
            return self.spawn(Some(name));
        }
        if self.accept_word("start") {
            return self.start(Some(name));
        }
        Ok(StatementKind::Let { name, value: self.expression()? })
    }

    /// The condition of `if` or `while`.
    fn condition(&mut self, owner: &str) -> Parsed<Expression> {
        let condition = self.expression()?;
        if self.at_symbol("=") {
            let diagnostic = Diagnostic::at(self.source, self.peek().span, format!("`=` assigns; `{owner}` needs a condition"));
            return self.fail(diagnostic.help("equality is written `==`"));
        }
        Ok(condition)
    }

    fn if_statement(&mut self) -> Parsed<StatementKind> {
        let condition = self.condition("if")?;
        let then = self.block("if")?;
        let otherwise = if self.else_follows() { Some(self.otherwise()?) } else { None };
        Ok(StatementKind::If { condition, then, otherwise })
    }

    /// Takes `else`, which may stand on the line behind the block.
    fn else_follows(&mut self) -> bool {
        let mut index = self.position;
        while self.tokens[index].kind == TokenKind::Newline {
            index += 1;
        }
        let token = self.tokens[index];
        let found = token.kind == TokenKind::Word && self.text(token.span) == "else";
        if found {
            self.position = index + 1;
        }
        found
    }

    /// What follows `else`; `else if` is a block of one statement.
    fn otherwise(&mut self) -> Parsed<Block> {
        if !self.at_word("if") {
            return self.block("else");
        }
        let start = self.take().span;
        let kind = self.nested(Self::if_statement)?;
        let span = self.span_from(start);
        Ok(Block { statements: vec![Statement { kind, span }], span })
    }

    fn for_statement(&mut self) -> Parsed<StatementKind> {
        if self.peek().kind == TokenKind::Word && self.in_queue() {
            let variable = self.name("a name", "")?;
            self.take();
            let queue = self.name("a queue", "")?;
            return Ok(StatementKind::ForQueue { variable, queue, body: self.block("for")? });
        }
        let ranges = self.ranges("for")?;
        let body = self.loop_body(&ranges, "for")?;
        Ok(StatementKind::For { ranges, body })
    }

    /// The body of a loop over ranges: each range is a loop, and so a level of nesting.
    pub(super) fn loop_body(&mut self, ranges: &[Range], owner: &str) -> Parsed<Block> {
        let before = self.depth;
        self.depth += ranges.len() - 1;
        let body = self.block(owner);
        self.depth = before;
        body
    }

    /// Whether `N in QUEUE {` is next.
    fn in_queue(&self) -> bool {
        let mut following = self.tokens[self.position..].iter().skip(1).take(3);
        let is = |token: Option<&crate::program::lex::Token>, kind: TokenKind| token.is_some_and(|token| token.kind == kind);
        let is_in = following.next().is_some_and(|token| token.kind == TokenKind::Word && self.text(token.span) == "in");
        is_in && is(following.next(), TokenKind::Word) && is(following.next(), TokenKind::Symbol("{"))
    }

    /// `N in e..e by e, ...`
    pub(super) fn ranges(&mut self, owner: &str) -> Parsed<Vec<Range>> {
        let mut ranges = Vec::new();
        loop {
            ranges.push(self.range(owner)?);
            if !self.accept(",") {
                return Ok(ranges);
            }
            self.skip_newlines();
        }
    }

    /// `N in e..e by e`
    pub(super) fn range(&mut self, owner: &str) -> Parsed<Range> {
        let help = format!("write `{owner} i in 0..n`");
        let needs_range = |parser: &mut Self| {
            let span = parser.shown(parser.peek());
            let diagnostic = Diagnostic::at(parser.source, span, format!("`{owner}` needs a range"));
            parser.fail(diagnostic.help(help.as_str()))
        };
        if self.peek().kind != TokenKind::Word {
            return needs_range(self);
        }
        let variable = self.name("a name", &help)?;
        if !self.accept_word("in") {
            return needs_range(self);
        }
        self.skip_newlines();
        let low = self.expression()?;
        if !self.at_symbol("..") {
            return needs_range(self);
        }
        self.take();
        self.skip_newlines();
        let high = self.expression()?;
        let step = if self.accept_word("by") { Some(self.expression()?) } else { None };
        Ok(Range { variable, low, high, step })
    }

    fn assignment_or_call(&mut self) -> Parsed<StatementKind> {
        let place = self.expression()?;
        match self.assignment_operator() {
            Some(operator) => Ok(StatementKind::Assign { place, operator, value: self.expression()? }),
            None => Ok(StatementKind::Expression(place)),
        }
    }

    /// Takes an assignment operator; within it `None` is plain `=`.
    pub(super) fn assignment_operator(&mut self) -> Option<Option<BinaryOperator>> {
        let token = self.peek();
        let operator = match token.kind {
            TokenKind::Symbol(symbol) => assignment_operator(symbol)?,
            TokenKind::Word if self.peek_second().kind == TokenKind::Symbol("=") => {
                let operator = match self.text(token.span) {
                    "min" => BinaryOperator::Minimum,
                    "max" => BinaryOperator::Maximum,
                    _ => return None,
                };
                self.take();
                Some(operator)
            }
            _ => return None,
        };
        self.take();
        self.skip_newlines();
        Some(operator)
    }
}

/// The operator of an assignment; within it `None` is plain `=`.
fn assignment_operator(symbol: &str) -> Option<Option<BinaryOperator>> {
    Some(match symbol {
        "=" => None,
        "+=" => Some(BinaryOperator::Add),
        "-=" => Some(BinaryOperator::Subtract),
        "*=" => Some(BinaryOperator::Multiply),
        "/=" => Some(BinaryOperator::Divide),
        "%=" => Some(BinaryOperator::Remainder),
        "&=" => Some(BinaryOperator::And),
        "|=" => Some(BinaryOperator::Or),
        "^=" => Some(BinaryOperator::Xor),
        "<<=" => Some(BinaryOperator::ShiftLeft),
        ">>=" => Some(BinaryOperator::ShiftRight),
        _ => return None,
    })
}
