//! Expressions, by precedence climbing (Pratt 1973).
//!
//! From loose to tight: `||`, `&&`, comparisons (which do not chain), `|`, `^`, `&`, shifts, `+ -`, `* / %`, then `-x`, `!x`, `atomic`
//! and `wait`. Bit operators bind tighter than comparisons, unlike in C.

use super::{Failed, MAXIMUM_DEPTH, Parsed, Parser};
use crate::base::diagnostic::{Diagnostic, Span};
use crate::program::lex::TokenKind;
use crate::program::syntax::{
    BinaryOperator, Expression, ExpressionKind, Index, Literal, LiteralValue, Name, OrderWord, UnaryOperator,
};
use crate::program::tree::{BinaryOperator as Arithmetic, Comparison};
use crate::program::vocabulary;

/// An expression and how many nodes stand above one another in it.
struct Tall {
    expression: Expression,
    height: usize,
}

impl Tall {
    fn leaf(kind: ExpressionKind, span: Span) -> Tall {
        Tall { expression: Expression { kind, span }, height: 1 }
    }
}

const COMPARISON_LEVEL: u8 = 3;

/// The operator a symbol is between two operands, and how tightly it binds.
fn binary_operator(symbol: &str) -> Option<(BinaryOperator, u8)> {
    use BinaryOperator::{And, Arithmetic as A, Comparison as C, Or};
    Some(match symbol {
        "||" => (Or, 1),
        "&&" => (And, 2),
        "==" => (C(Comparison::Equal), COMPARISON_LEVEL),
        "!=" => (C(Comparison::NotEqual), COMPARISON_LEVEL),
        "<" => (C(Comparison::Less), COMPARISON_LEVEL),
        "<=" => (C(Comparison::LessEqual), COMPARISON_LEVEL),
        ">" => (C(Comparison::Greater), COMPARISON_LEVEL),
        ">=" => (C(Comparison::GreaterEqual), COMPARISON_LEVEL),
        "|" => (A(Arithmetic::Or), 4),
        "^" => (A(Arithmetic::Xor), 5),
        "&" => (A(Arithmetic::And), 6),
        "<<" => (A(Arithmetic::ShiftLeft), 7),
        ">>" => (A(Arithmetic::ShiftRight), 7),
        "+" => (A(Arithmetic::Add), 8),
        "-" => (A(Arithmetic::Subtract), 8),
        "*" => (A(Arithmetic::Multiply), 9),
        "/" => (A(Arithmetic::Divide), 9),
        "%" => (A(Arithmetic::Remainder), 9),
        _ => return None,
    })
}

impl Parser<'_> {
    /// An expression.
    pub(super) fn expression(&mut self) -> Parsed<Expression> {
        Ok(self.binary(0)?.expression)
    }

    /// An expression of operators that bind more tightly than `level`.
    fn binary(&mut self, level: u8) -> Parsed<Tall> {
        self.nested(|parser| {
            let mut left = parser.unary()?;
            loop {
                parser.reject_word_operator()?;
                let token = parser.peek();
                let TokenKind::Symbol(symbol) = token.kind else { return Ok(left) };
                let Some((operator, tightness)) = binary_operator(symbol).filter(|found| found.1 > level) else { return Ok(left) };
                parser.take();
                parser.skip_newlines();
                let right = parser.binary(tightness)?;
                if tightness == COMPARISON_LEVEL {
                    parser.reject_chained_comparison()?;
                }
                left = parser.join(left, operator, right)?;
            }
        })
    }

    fn join(&mut self, left: Tall, operator: BinaryOperator, right: Tall) -> Parsed<Tall> {
        let height = left.height.max(right.height) + 1;
        let span = left.expression.span.to(right.expression.span);
        if height > MAXIMUM_DEPTH {
            return self.too_deep();
        }
        let kind = ExpressionKind::Binary(operator, Box::new(left.expression), Box::new(right.expression));
        Ok(Tall { expression: Expression { kind, span }, height })
    }

    fn reject_chained_comparison(&mut self) -> Parsed<()> {
        let token = self.peek();
        match token.kind {
            TokenKind::Symbol(symbol) if binary_operator(symbol).is_some_and(|found| found.1 == COMPARISON_LEVEL) => {
                let message = "comparisons do not chain";
                self.fail(Diagnostic::at(self.source, token.span, message).help("compare two at a time: `a < b && b < c`"))
            }
            _ => Ok(()),
        }
    }

    /// `and` and `or` as other languages have them.
    fn reject_word_operator(&mut self) -> Parsed<()> {
        for (word, symbol) in [("and", "&&"), ("or", "||"), ("mod", "%"), ("div", "/")] {
            if self.at_word(word) {
                let span = self.peek().span;
                let diagnostic = Diagnostic::at(self.source, span, format!("`{word}` is not an operator of the notation"));
                return self.fail(diagnostic.help(format!("write `{symbol}`")));
            }
        }
        Ok(())
    }

    fn unary(&mut self) -> Parsed<Tall> {
        let token = self.peek();
        let operator = match token.kind {
            TokenKind::Symbol("-") => UnaryOperator::Negate,
            TokenKind::Symbol("!") => UnaryOperator::Not,
            TokenKind::Word if self.text(token.span) == "not" => {
                let diagnostic = Diagnostic::at(self.source, token.span, "`not` is not an operator of the notation");
                return self.fail(diagnostic.help("write `!`"));
            }
            _ => return self.primary(),
        };
        self.take();
        self.nested(|parser| {
            let operand = parser.unary()?;
            let (span, height) = (token.span.to(operand.expression.span), operand.height + 1);
            if height > MAXIMUM_DEPTH {
                return parser.too_deep();
            }
            let kind = ExpressionKind::Unary(operator, Box::new(operand.expression));
            Ok(Tall { expression: Expression { kind, span }, height })
        })
    }

    fn primary(&mut self) -> Parsed<Tall> {
        let token = self.peek();
        match token.kind {
            TokenKind::Integer { value, bits } => {
                self.take();
                Ok(Tall::leaf(ExpressionKind::Literal(integer(value, bits)), token.span))
            }
            TokenKind::Float(value) => {
                self.take();
                Ok(Tall::leaf(ExpressionKind::Literal(LiteralValue::Float(value)), token.span))
            }
            TokenKind::Symbol("(") => {
                let open = self.open("(", "")?;
                let inner = self.binary(0)?;
                self.close(")", open, "")?;
                // The brackets belong to the expression's text, so that a message can quote it whole.
                Ok(Tall { expression: Expression { span: self.span_from(open), ..inner.expression }, height: inner.height })
            }
            TokenKind::Symbol("..") => {
                let diagnostic = Diagnostic::at(self.source, token.span, "a range is not a value");
                self.fail(diagnostic.help("ranges stand in `for i in 0..n` and between the brackets of an array"))
            }
            TokenKind::Word => self.word_expression(),
            _ => self.expected("an expression", ""),
        }
    }

    /// An expression that begins with a word.
    fn word_expression(&mut self) -> Parsed<Tall> {
        let token = self.peek();
        let text = self.text(token.span).to_string();
        let is_call = self.peek_second().kind == TokenKind::Symbol("(");
        match text.as_str() {
            "true" | "false" => {
                self.take();
                Ok(Tall::leaf(ExpressionKind::Literal(LiteralValue::Bool(text == "true")), token.span))
            }
            "atomic" => self.atomic_load(),
            "wait" => {
                self.take();
                let handle = self.place("a task", "`wait h` is the value of the task `h`")?;
                Ok(Tall::leaf(ExpressionKind::Wait(Box::new(handle)), self.span_from(token.span)))
            }
            _ if is_call && (text == "exchange" || !vocabulary::is_reserved(&text)) => self.call(),
            _ if vocabulary::is_reserved(&text) && self.line_ended() => {
                // A statement begins: the bracket was forgotten that would have ended the one before.
                let open = self.brackets.last().copied().unwrap_or(token.span);
                self.never_closed(open)
            }
            _ if vocabulary::is_reserved(&text) => {
                let diagnostic = Diagnostic::at(self.source, token.span, format!("`{text}` does not stand in an expression"));
                self.fail(diagnostic.help(format!("`{text}` is a word of the notation")))
            }
            _ => self.place_or_slice(),
        }
    }

    fn atomic_load(&mut self) -> Parsed<Tall> {
        let start = self.take().span;
        let place = self.place("a place", "`atomic x` reads the `shared` or element `x` in one step")?;
        let order = self.order();
        Ok(Tall::leaf(ExpressionKind::Atomic { place: Box::new(place), order }, self.span_from(start)))
    }

    /// A memory order, if one is next.
    pub(super) fn order(&mut self) -> Option<OrderWord> {
        let token = self.peek();
        if token.kind != TokenKind::Word {
            return None;
        }
        let order = vocabulary::order(self.text(token.span))?;
        self.take();
        Some(OrderWord { order, span: token.span })
    }

    fn call(&mut self) -> Parsed<Tall> {
        let token = self.take();
        let function = Name { text: self.text(token.span).to_string(), span: token.span };
        let open = self.open("(", "")?;
        let mut arguments = Vec::new();
        let mut height = 0;
        while !self.at_symbol(")") {
            let argument = self.binary(0)?;
            height = height.max(argument.height);
            arguments.push(argument.expression);
            if !self.accept(",") {
                break;
            }
        }
        self.close(")", open, "arguments are separated by `,`")?;
        let kind = ExpressionKind::Call { function, arguments };
        Ok(Tall { expression: Expression { kind, span: self.span_from(token.span) }, height: height + 1 })
    }

    /// `a` or `a[i]`: something in memory, or a handle.
    pub(super) fn place(&mut self, what: &str, help: &str) -> Parsed<Expression> {
        let token = self.peek();
        if token.kind != TokenKind::Word || vocabulary::is_reserved(self.text(token.span)) {
            return self.expected(what, help);
        }
        self.nested(|parser| Ok(parser.place_or_slice()?.expression))
    }

    /// `a`, `a[i]`, `a[lo..hi, ..]`.
    fn place_or_slice(&mut self) -> Parsed<Tall> {
        let name = self.name("a name", "")?;
        if !self.at_symbol("[") {
            return Ok(Tall::leaf(ExpressionKind::Name(name.text), name.span));
        }
        let open = self.open("[", "")?;
        let mut indices = Vec::new();
        let mut height = 0;
        loop {
            let (index, index_height) = self.index()?;
            height = height.max(index_height);
            indices.push(index);
            if !self.accept(",") {
                break;
            }
        }
        self.close("]", open, "dimensions are separated by `,`: `a[i, j]`")?;
        let span = self.span_from(name.span);
        if self.at_symbol("[") {
            let diagnostic = Diagnostic::at(self.source, self.peek().span, "an element has one pair of brackets");
            return self.fail(diagnostic.help(format!("write `{}[i, j]`", name.text)));
        }
        let kind = ExpressionKind::Index { base: name, indices };
        Ok(Tall { expression: Expression { kind, span }, height: height + 1 })
    }

    fn index(&mut self) -> Parsed<(Index, usize)> {
        let start = self.peek().span;
        let low = if self.at_symbol("..") { None } else { Some(self.binary(0)?) };
        let low_height = low.as_ref().map_or(0, |low| low.height);
        if !self.accept("..") {
            return match low {
                Some(low) => Ok((Index::At(low.expression), low_height)),
                None => Err(Failed),
            };
        }
        let ends = self.at_symbol("]") || self.at_symbol(",");
        let high = if ends { None } else { Some(self.binary(0)?) };
        let height = low_height.max(high.as_ref().map_or(0, |high| high.height));
        let span = self.span_from(start);
        Ok((Index::Range { low: low.map(|low| low.expression), high: high.map(|high| high.expression), span }, height))
    }

    /// A number or a truth value, with its sign.
    pub(super) fn literal(&mut self, help: &str) -> Parsed<Literal> {
        let start = self.peek().span;
        let negative = self.accept("-");
        let token = self.peek();
        let value = match token.kind {
            TokenKind::Integer { value, bits } => match integer(value, bits) {
                LiteralValue::Integer(value) if negative => LiteralValue::Integer(-value),
                value => value,
            },
            TokenKind::Float(value) => LiteralValue::Float(if negative { -value } else { value }),
            TokenKind::Word if !negative && matches!(self.text(token.span), "true" | "false") => {
                LiteralValue::Bool(self.text(token.span) == "true")
            }
            _ => return self.expected("a number, `true` or `false`", help),
        };
        self.take();
        Ok(Literal { value, span: self.span_from(start) })
    }
}

/// The value of an integer literal; bit patterns are those of an `i64`.
fn integer(value: u64, bits: bool) -> LiteralValue {
    LiteralValue::Integer(if bits { i128::from(value as i64) } else { i128::from(value) })
}
