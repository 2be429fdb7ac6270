//! From a text to its syntax tree, by recursive descent.
//!
//! A fault is reported and the parser goes on behind the statement, so that one reading finds several. Where a line begins with a
//! misspelt word it is read as the word it resembles. Line ends end statements, but not between brackets nor after an operator: so
//! they stay among the tokens, and `Parser::peek` passes over them where they do not count.

mod declaration;
mod expression;
mod message;
mod parallel;
mod statement;

use crate::base::diagnostic::{Diagnostic, Diagnostics, SourceText, Span, nearest};
use crate::program::lex::{Token, TokenKind, lex};
use crate::program::syntax::{Block, File, LiteralValue, Name, Statement};
use crate::program::vocabulary;

/// The longest text, in bytes.
pub const MAXIMUM_LENGTH: usize = 1 << 20;
/// How deep blocks and expressions may be nested.
pub const MAXIMUM_DEPTH: usize = 100;
/// Faults after which the rest of a text is not read.
const MAXIMUM_FAULTS: usize = 40;

/// The syntax tree of a text.
pub fn parse(source: &SourceText) -> Result<File, Diagnostics> {
    if source.text.len() > MAXIMUM_LENGTH {
        let message = format!("the text has {} bytes; a program has at most {MAXIMUM_LENGTH}", source.text.len());
        return Err(vec![Diagnostic::at(source, None, message)]);
    }
    let (tokens, diagnostics) = lex(source);
    let mut parser = Parser::new(source, tokens, diagnostics);
    let items = parser.items();
    if parser.diagnostics.is_empty() {
        return Ok(File { summary: summary(&source.text), items });
    }
    parser.diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    parser.diagnostics.truncate(MAXIMUM_FAULTS);
    Err(parser.diagnostics)
}

/// The value of a text that is a literal and nothing else, such as `-1_000` or `true`.
pub fn parse_literal(text: &str) -> Option<LiteralValue> {
    let source = SourceText::new("", text);
    let (tokens, diagnostics) = lex(&source);
    let mut parser = Parser::new(&source, tokens, diagnostics);
    let literal = parser.literal("").ok()?;
    (parser.diagnostics.is_empty() && parser.peek().kind == TokenKind::End).then_some(literal.value)
}

/// The comment lines at the top of a text, without `#`.
fn summary(text: &str) -> Vec<String> {
    text.lines()
        .map_while(|line| line.trim().strip_prefix('#'))
        .map(|comment| comment.strip_prefix(' ').unwrap_or(comment).to_string())
        .collect()
}

/// A fault was reported; what was being read is given up.
struct Failed;
type Parsed<T> = Result<T, Failed>;

struct Parser<'a> {
    source: &'a SourceText,
    tokens: Vec<Token>,
    /// The next token's index; line ends before it may still have to be passed over.
    position: usize,
    /// Open brackets; within them line ends do not count.
    brackets: Vec<Span>,
    /// Blocks and expressions that are being read.
    depth: usize,
    /// Nothing more is read: the nesting is too deep or there are too many faults.
    stopped: bool,
    diagnostics: Diagnostics,
    /// How many of the faults are the lexer's, which come first.
    lexical: usize,
}

impl<'a> Parser<'a> {
    fn new(source: &'a SourceText, tokens: Vec<Token>, diagnostics: Diagnostics) -> Parser<'a> {
        let lexical = diagnostics.len();
        Parser { source, tokens, position: 0, brackets: Vec::new(), depth: 0, stopped: false, diagnostics, lexical }
    }

    /// The index of the next token that counts.
    fn next_index(&self) -> usize {
        let mut index = self.position;
        while !self.brackets.is_empty() && self.tokens[index].kind == TokenKind::Newline {
            index += 1;
        }
        index
    }

    /// The next token.
    fn peek(&self) -> Token {
        self.tokens[self.next_index()]
    }

    /// The token after the next.
    fn peek_second(&self) -> Token {
        self.tokens[(self.next_index() + 1).min(self.tokens.len() - 1)]
    }

    /// Takes the next token. The end of the text can be taken any number of times.
    fn take(&mut self) -> Token {
        let index = self.next_index();
        self.position = (index + 1).min(self.tokens.len() - 1);
        self.tokens[index]
    }

    /// The span of the token before the next.
    fn last_span(&self) -> Span {
        self.tokens[self.position.saturating_sub(1)].span
    }

    /// From a token's beginning to the end of what was taken last.
    fn span_from(&self, start: Span) -> Span {
        start.to(self.last_span())
    }

    fn text(&self, span: Span) -> &str {
        &self.source.text[span.start as usize..span.end as usize]
    }

    fn skip_newlines(&mut self) {
        while self.tokens[self.position].kind == TokenKind::Newline {
            self.position += 1;
        }
    }

    fn at_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek().kind, TokenKind::Symbol(found) if found == symbol)
    }

    fn at_word(&self, word: &str) -> bool {
        let token = self.peek();
        token.kind == TokenKind::Word && self.text(token.span) == word
    }

    /// Takes a symbol if it is next.
    fn accept(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        if found {
            self.take();
        }
        found
    }

    /// Takes a word if it is next.
    fn accept_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.take();
        }
        found
    }

    /// Takes a symbol; `help` says what the whole should look like.
    fn expect(&mut self, symbol: &str, help: &str) -> Parsed<Span> {
        if self.at_symbol(symbol) {
            return Ok(self.take().span);
        }
        self.expected(&format!("`{symbol}`"), help)
    }

    /// Takes the bracket that closes the one at `open`.
    fn close(&mut self, symbol: &str, open: Span, help: &str) -> Parsed<Span> {
        if !self.at_symbol(symbol) && (self.line_ended() || self.peek().kind == TokenKind::End) {
            return self.never_closed(open);
        }
        let close = self.expect(symbol, help)?;
        self.brackets.pop();
        Ok(close)
    }

    /// Whether the next token stands on a later line than the one before it.
    fn line_ended(&self) -> bool {
        self.tokens[self.position..self.next_index()].iter().any(|token| token.kind == TokenKind::Newline)
    }

    fn never_closed<T>(&mut self, open: Span) -> Parsed<T> {
        let symbol = self.text(open);
        let close = match symbol {
            "(" => ")",
            "[" => "]",
            _ => "}",
        };
        let message = format!("this `{symbol}` is never closed");
        self.fail(Diagnostic::at(self.source, open, message).help(format!("close it with `{close}`")))
    }

    /// Takes an opening bracket; line ends do not count up to [`Parser::close`].
    fn open(&mut self, symbol: &str, help: &str) -> Parsed<Span> {
        let open = self.expect(symbol, help)?;
        self.brackets.push(open);
        Ok(open)
    }

    /// Takes a word; `help` says what the whole should look like.
    fn expect_word(&mut self, word: &str, help: &str) -> Parsed<Span> {
        if self.at_word(word) {
            return Ok(self.take().span);
        }
        self.expected(&format!("`{word}`"), help)
    }

    /// Takes a name that a text may give.
    fn name(&mut self, what: &str, help: &str) -> Parsed<Name> {
        let token = self.peek();
        if token.kind != TokenKind::Word {
            return self.expected(what, help);
        }
        let text = self.text(token.span).to_string();
        if vocabulary::is_reserved(&text) {
            let message = format!("`{text}` is a word of the notation and cannot be a name");
            return self
                .fail(Diagnostic::at(self.source, token.span, message).help(format!("choose another name, such as `{text}_`")));
        }
        self.take();
        Ok(Name { text, span: token.span })
    }

    /// Reports that something else should stand here.
    fn expected<T>(&mut self, what: &str, help: &str) -> Parsed<T> {
        let token = self.peek();
        let message = format!("expected {what}, found {}", self.describe(token));
        let mut diagnostic = Diagnostic::at(self.source, self.shown(token), message);
        if !help.is_empty() {
            diagnostic = diagnostic.help(help);
        }
        self.fail(diagnostic)
    }

    /// Where a caret for a token stands: for a line end, behind the line's last token.
    fn shown(&self, token: Token) -> Span {
        match token.kind {
            TokenKind::Newline | TokenKind::End => {
                let index = self.tokens.partition_point(|other| other.span.start < token.span.start);
                let before = self.tokens[..index].iter().rev().find(|before| before.kind != TokenKind::Newline);
                let end = before.map_or(0, |before| before.span.end);
                Span { start: end, end: end.max(token.span.end.min(end + 1)) }
            }
            _ => token.span,
        }
    }

    fn describe(&self, token: Token) -> String {
        match token.kind {
            TokenKind::Newline => "the end of the line".into(),
            TokenKind::End => "the end of the text".into(),
            _ => format!("`{}`", self.text(token.span).chars().take(40).collect::<String>()),
        }
    }

    /// Reports a fault and gives up what is being read.
    fn fail<T>(&mut self, diagnostic: Diagnostic) -> Parsed<T> {
        self.report(diagnostic);
        Err(Failed)
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.stopped || self.line_is_faulty(&diagnostic) {
            return;
        }
        self.diagnostics.push(diagnostic);
        if self.diagnostics.len() >= MAXIMUM_FAULTS {
            self.stop();
        }
    }

    /// Whether the lexer found a fault in the same line: then this is its consequence.
    fn line_is_faulty(&self, diagnostic: &Diagnostic) -> bool {
        let Some(span) = diagnostic.span else { return false };
        let faults = self.diagnostics[..self.lexical].iter().filter_map(|fault| fault.span).map(|fault| fault.start);
        let before = faults.clone().take_while(|&fault| fault <= span.start).last();
        let after = faults.clone().find(|&fault| fault > span.start);
        let same_line = |a: u32, b: u32| !self.source.text[a as usize..b as usize].contains('\n');
        before.is_some_and(|fault| same_line(fault, span.start)) || after.is_some_and(|fault| same_line(span.start, fault))
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.position = self.tokens.len() - 1;
    }

    /// Reads something one level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAXIMUM_DEPTH {
            return self.too_deep();
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn too_deep<T>(&mut self) -> Parsed<T> {
        let span = self.shown(self.peek());
        let message = format!("this is nested more than {MAXIMUM_DEPTH} deep");
        self.report(Diagnostic::at(self.source, span, message).help("give a part of it a name with `let`, or make it a `fn`"));
        self.stop();
        Err(Failed)
    }

    /// `{ ... }`, which may begin on the next line.
    fn block(&mut self, owner: &str) -> Parsed<Block> {
        let mut index = self.position;
        while self.tokens[index].kind == TokenKind::Newline {
            index += 1;
        }
        if self.tokens[index].kind != TokenKind::Symbol("{") {
            return self.expected(&format!("`{{` and the body of `{owner}`"), "a block stands between `{` and `}`");
        }
        self.position = index + 1;
        self.open_block(self.tokens[index].span)
    }

    /// A block whose `{` has just been taken.
    fn open_block(&mut self, open: Span) -> Parsed<Block> {
        self.nested(|parser| {
            let statements = parser.statements();
            if !parser.at_symbol("}") {
                return parser.never_closed(open);
            }
            parser.take();
            Ok(Block { statements, span: parser.span_from(open) })
        })
    }

    /// Statements up to the end of the block or of the text.
    fn statements(&mut self) -> Vec<Statement> {
        let mut statements = Vec::new();
        loop {
            self.brackets.clear();
            while self.at_symbol(";") || self.peek().kind == TokenKind::Newline {
                self.take();
            }
            if self.at_symbol("}") || self.peek().kind == TokenKind::End {
                return statements;
            }
            let begin = self.position;
            match self.statement().and_then(|statement| self.end_of_statement().map(|()| statement)) {
                Ok(statement) => statements.push(statement),
                Err(Failed) => self.recover(begin),
            }
        }
    }

    /// A statement ends with its line, a `;`, or its block.
    fn end_of_statement(&mut self) -> Parsed<()> {
        let token = self.peek();
        match token.kind {
            TokenKind::Newline | TokenKind::End | TokenKind::Symbol(";" | "}") => Ok(()),
            TokenKind::Symbol("=") => {
                let message = "`=` assigns, and only to a name or an element";
                self.fail(Diagnostic::at(self.source, token.span, message).help("equality is written `==`"))
            }
            TokenKind::Symbol("{") => {
                let message = "a block stands only behind a word such as `if`, `for` or `parallel`";
                self.fail(Diagnostic::at(self.source, token.span, message))
            }
            _ => self.expected("the end of the statement", "one statement a line, or `;` between them"),
        }
    }

    /// Passes over the rest of a broken statement that began at token `begin`. Blocks in it are read for their own faults.
    fn recover(&mut self, begin: usize) {
        let in_brackets = !self.brackets.is_empty();
        self.brackets.clear();
        loop {
            let token = self.peek();
            match token.kind {
                TokenKind::Symbol(";") if in_brackets => {
                    self.take();
                }
                TokenKind::Newline | TokenKind::End | TokenKind::Symbol(";" | "}") => return,
                TokenKind::Symbol("{") => {
                    self.take();
                    if self.open_block(token.span).is_err() {
                        return;
                    }
                }
                _ => {
                    let begins_line = self.position > begin && self.tokens[self.position - 1].kind == TokenKind::Newline;
                    if begins_line && token.kind == TokenKind::Word {
                        return;
                    }
                    self.take();
                }
            }
        }
    }

    /// The word of `candidates` that a word which means nothing here was probably meant to be.
    fn meant<'w>(&self, word: &str, candidates: impl Iterator<Item = &'w str>) -> Option<&'w str> {
        if word.len() < 2 {
            return None;
        }
        nearest(word, candidates)
    }
}
