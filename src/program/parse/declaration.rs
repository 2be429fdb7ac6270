//! Declarations: what stands at the top level only.

use super::{Failed, Parsed, Parser};
use crate::base::diagnostic::{Diagnostic, Span};
use crate::program::lex::TokenKind;
use crate::program::syntax::{Function, Item, ItemKind, Name, SynchroniserKind};
use crate::program::vocabulary;

impl Parser<'_> {
    /// The whole text.
    pub(super) fn items(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        loop {
            self.brackets.clear();
            let token = self.peek();
            match token.kind {
                TokenKind::End => return items,
                TokenKind::Newline | TokenKind::Symbol(";") => {
                    self.take();
                    continue;
                }
                TokenKind::Symbol("}") => {
                    self.take();
                    self.report(Diagnostic::at(self.source, token.span, "this `}` closes nothing"));
                    continue;
                }
                _ => {}
            }
            let begin = self.position;
            match self.item().and_then(|item| self.end_of_statement().map(|()| item)) {
                Ok(item) => items.push(item),
                Err(Failed) => self.recover(begin),
            }
        }
    }

    fn item(&mut self) -> Parsed<Item> {
        let word = self.leading_word()?;
        let start = self.peek().span;
        let kind = match word.as_deref() {
            Some(word) if vocabulary::is_declaration(word) => {
                self.take();
                self.declaration(word)?
            }
            word => ItemKind::Statement(self.statement_with(word)?),
        };
        Ok(Item { kind, span: self.span_from(start) })
    }

    /// The declaration that a word just taken begins.
    pub(super) fn declaration(&mut self, word: &str) -> Parsed<ItemKind> {
        match word {
            "param" => self.parameter(),
            "require" => Ok(ItemKind::Require(self.expression()?)),
            "setup" => Ok(ItemKind::Setup(self.block("setup")?)),
            "finish" => Ok(ItemKind::Finish(self.block("finish")?)),
            "array" => self.array(),
            "shared" => self.shared(),
            "mutex" => self.synchroniser(SynchroniserKind::Mutex, "mutex m[n]"),
            "rwlock" => self.synchroniser(SynchroniserKind::ReadWriteLock, "rwlock l[n]"),
            "semaphore" => self.synchroniser(SynchroniserKind::Semaphore, "semaphore s[n] = 1"),
            "condition" => self.synchroniser(SynchroniserKind::Condition, "condition c"),
            "queue" => self.queue(),
            "fn" => self.function(),
            "result" => self.result(),
            _ => self.work(),
        }
    }

    fn parameter(&mut self) -> Parsed<ItemKind> {
        let help = "a parameter is a name and its usual value: `param n = 1_000`";
        let name = self.name("the parameter's name", help)?;
        self.expect("=", help)?;
        self.skip_newlines();
        let value = self.literal("the usual value is a literal; what is computed from parameters is a `let`")?;
        Ok(ItemKind::Parameter { name, value })
    }

    /// `: T` and the type's name.
    fn type_of(&mut self, help: &str) -> Parsed<Name> {
        self.expect(":", help)?;
        self.type_name()
    }

    /// A type's name; which types there are is the checker's business.
    fn type_name(&mut self) -> Parsed<Name> {
        self.name("a type", "the types are i64, i32, f64, f32 and bool")
    }

    fn array(&mut self) -> Parsed<ItemKind> {
        let help = "an array has a name, a type and extents: `array a: f64[n]`";
        let name = self.name("the array's name", help)?;
        let element = self.type_of(help)?;
        let open = self.open("[", help)?;
        let mut extents = Vec::new();
        loop {
            extents.push(self.expression()?);
            if !self.accept(",") {
                break;
            }
        }
        self.close("]", open, "extents are separated by `,`: `array m: f64[n, n]`")?;
        let mut initial = None;
        if self.accept("=") {
            self.skip_newlines();
            initial = Some(self.expression()?);
        }
        let padded = self.accept_word("padded");
        Ok(ItemKind::Array { name, element, extents, initial, padded })
    }

    fn shared(&mut self) -> Parsed<ItemKind> {
        let help = "a scalar in memory has a name, a type and a first value: `shared total: f64 = 0.0`";
        let name = self.name("the scalar's name", help)?;
        let element = self.type_of(help)?;
        self.expect("=", help)?;
        self.skip_newlines();
        let initial = self.expression()?;
        Ok(ItemKind::Shared { name, element, initial })
    }

    fn synchroniser(&mut self, kind: SynchroniserKind, example: &str) -> Parsed<ItemKind> {
        let name = self.name("a name", &format!("write `{example}`"))?;
        let mut count = None;
        if self.at_symbol("[") {
            let open = self.open("[", "")?;
            count = Some(self.expression()?);
            self.close("]", open, "these have one dimension at most")?;
        }
        let mut initial = None;
        if self.accept("=") {
            self.skip_newlines();
            initial = Some(self.expression()?);
        }
        Ok(ItemKind::Synchroniser { kind, name, count, initial })
    }

    fn queue(&mut self) -> Parsed<ItemKind> {
        let help = "a queue has a name, a type and a capacity: `queue q: i64[16]`";
        let name = self.name("the queue's name", help)?;
        let element = self.type_of(help)?;
        let open = self.open("[", help)?;
        let capacity = self.expression()?;
        self.close("]", open, help)?;
        Ok(ItemKind::Queue { name, element, capacity })
    }

    fn function(&mut self) -> Parsed<ItemKind> {
        let help = "a function has a name, parameters with types and a body: `fn square(x: f64) -> f64 { x * x }`";
        // Run-time texts define `acquire` and its like, so that any word is a function's name here; the checker knows better.
        let token = self.peek();
        if token.kind != TokenKind::Word {
            return self.expected("the function's name", help);
        }
        self.take();
        let name = Name { text: self.text(token.span).to_string(), span: token.span };
        let open = self.open("(", help)?;
        let mut parameters = Vec::new();
        while !self.at_symbol(")") {
            let parameter = self.name("a parameter's name", help)?;
            parameters.push((parameter, self.type_of(help)?));
            if !self.accept(",") {
                break;
            }
        }
        self.close(")", open, "parameters are separated by `,`")?;
        let value = if self.accept("->") { Some(self.type_name()?) } else { None };
        let body = self.block(&format!("fn {}", name.text))?;
        Ok(ItemKind::Function(Function { name, parameters, value, body }))
    }

    fn result(&mut self) -> Parsed<ItemKind> {
        let mut values = Vec::new();
        loop {
            self.skip_newlines_after(&values);
            values.push(self.expression()?);
            if !self.accept(",") {
                break;
            }
        }
        let within = match self.accept_word("within") {
            true => Some(self.literal("`within` is followed by a relative tolerance: `result x within 1e-6`")?),
            false => None,
        };
        Ok(ItemKind::Result { values, within })
    }

    /// A list goes on in the next line behind its commas.
    fn skip_newlines_after<T>(&mut self, list: &[T]) {
        if !list.is_empty() {
            self.skip_newlines();
        }
    }

    fn work(&mut self) -> Parsed<ItemKind> {
        let help = "write `work flops 2 * n bytes 24 * n`";
        self.expect_word("flops", help)?;
        let flops = self.expression()?;
        self.expect_word("bytes", help)?;
        let bytes = self.expression()?;
        Ok(ItemKind::Work { flops, bytes })
    }

    /// `else` where no `if` is.
    fn reject_else(&mut self) -> Parsed<()> {
        if !self.at_word("else") {
            return Ok(());
        }
        let diagnostic = Diagnostic::at(self.source, self.peek().span, "this `else` belongs to no `if`");
        self.fail(diagnostic.help("`else` follows the `}` of an `if`"))
    }

    /// The word that the next statement begins with, a misspelt one put right (and reported); `None` where it begins otherwise or with
    /// a name.
    pub(super) fn leading_word(&mut self) -> Parsed<Option<String>> {
        self.reject_else()?;
        let token = self.peek();
        if token.kind != TokenKind::Word {
            return Ok(None);
        }
        let word = self.text(token.span).to_string();
        if vocabulary::is_declaration(&word) || vocabulary::is_statement(&word) {
            return Ok(Some(word));
        }
        // A name at the beginning of a line is assigned, indexed or called; anything else behind it says that a word was meant.
        let second = self.peek_second();
        let follows = match second.kind {
            TokenKind::Word => self.text(second.span) != "min" && self.text(second.span) != "max",
            TokenKind::Integer { .. } | TokenKind::Float(_) | TokenKind::Symbol("{") => true,
            _ => false,
        };
        let alone = matches!(second.kind, TokenKind::Newline | TokenKind::End | TokenKind::Symbol(";" | "}"));
        if let Some(advice) = vocabulary::foreign(&word).filter(|_| follows || alone) {
            let diagnostic = Diagnostic::at(self.source, token.span, format!("there is no `{word}`"));
            return self.fail(diagnostic.help(advice));
        }
        if !follows || vocabulary::is_reserved(&word) {
            return Ok(None);
        }
        self.misspelt_word(&word, token.span)
    }

    fn misspelt_word(&mut self, word: &str, span: Span) -> Parsed<Option<String>> {
        let diagnostic = Diagnostic::at(self.source, span, format!("`{word}` does not begin a statement"));
        match self.meant(word, vocabulary::leading_words()) {
            Some(meant) => {
                self.report(diagnostic.help(format!("did you mean `{meant}`?")));
                if self.stopped { Err(Failed) } else { Ok(Some(meant.to_string())) }
            }
            None => self.fail(diagnostic.help("an assignment is written `x = e`, a new variable `let x = e`")),
        }
    }
}
