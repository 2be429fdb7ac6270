//! Tokens: words, numbers, symbols and line ends. Comments (`#` to the end of the line) and blanks fall away.
//!
//! Line ends stay in: the parser knows where they count. A character that is part of no token is reported and skipped.

use crate::base::diagnostic::{Diagnostic, Diagnostics, SourceText, Span};

/// A token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    pub kind: TokenKind,
    pub span: Span,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TokenKind {
    /// A name or a word of the notation.
    Word,
    /// `bits`: written in hexadecimal or binary.
    Integer {
        value: u64,
        bits: bool,
    },
    Float(f64),
    /// One of [`SYMBOLS`].
    Symbol(&'static str),
    /// The end of a line.
    Newline,
    /// The end of the text; always the last token, and only there.
    End,
}

/// All symbols; one that begins another comes after it.
pub const SYMBOLS: [&str; 38] = [
    "<<=", ">>=", "..", "->", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "==", "!=", "<=", ">=", "<<", ">>", "&&", "||", "+",
    "-", "*", "/", "%", "&", "|", "^", "!", "<", ">", "=", "(", ")", "[", "]", "{", "}",
];
/// Separators; apart from [`SYMBOLS`] only because they stand alone.
const SEPARATORS: [&str; 3] = [",", ";", ":"];

/// Faults after which the rest of a text is not read.
const MAXIMUM_FAULTS: usize = 40;

/// The tokens of a text. Faults are reported as well; what is left can still be parsed.
pub fn lex(source: &SourceText) -> (Vec<Token>, Diagnostics) {
    let mut lexer = Lexer { source, text: &source.text, position: 0, tokens: Vec::new(), diagnostics: Vec::new() };
    while lexer.position < lexer.text.len() && lexer.diagnostics.len() < MAXIMUM_FAULTS {
        lexer.token();
    }
    lexer.push(TokenKind::End, lexer.position);
    (lexer.tokens, lexer.diagnostics)
}

struct Lexer<'a> {
    source: &'a SourceText,
    text: &'a str,
    position: usize,
    tokens: Vec<Token>,
    diagnostics: Diagnostics,
}

impl Lexer<'_> {
    /// Takes one token, or something that is none.
    fn token(&mut self) {
        let start = self.position;
        let rest = &self.text[start..];
        let first = rest.as_bytes()[0];
        match first {
            b'\n' => {
                self.position += 1;
                self.push(TokenKind::Newline, start);
            }
            b' ' | b'\t' | b'\r' => self.position += 1,
            b'#' => self.skip_line(),
            b'0'..=b'9' => self.number(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                self.position += word_length(rest);
                self.push(TokenKind::Word, start);
            }
            b'/' if rest.starts_with("//") => {
                self.skip_line();
                self.report(start, start + 2, "`//` does not begin a comment").help = Some("comments begin with `#`".into());
            }
            b'"' | b'\'' => self.string(first),
            _ => self.symbol(),
        }
    }

    /// Something between quotes: to the next quote, or to the end of the line.
    fn string(&mut self, quote: u8) {
        let start = self.position;
        let rest = &self.text.as_bytes()[start + 1..];
        let length = rest.iter().position(|&byte| byte == quote || byte == b'\n').unwrap_or(rest.len());
        let closed = rest.get(length) == Some(&quote);
        self.position = start + 1 + length + usize::from(closed);
        self.report(start, self.position, "there are no strings in a program").help = Some("comments begin with `#`".into());
    }

    fn symbol(&mut self) {
        let start = self.position;
        let rest = &self.text[start..];
        if let Some((wrong, advice)) = WRONG_SYMBOLS.iter().find(|(wrong, _)| rest.starts_with(wrong)) {
            self.position += wrong.len();
            self.report(start, self.position, format!("`{wrong}` is not an operator of the notation")).help =
                Some((*advice).into());
            return;
        }
        if let Some(symbol) = SYMBOLS.iter().chain(&SEPARATORS).find(|symbol| rest.starts_with(**symbol)) {
            self.position += symbol.len();
            self.push(TokenKind::Symbol(symbol), start);
            return;
        }
        // Skip all of a foreign stretch at once, so that a word in another script is one fault.
        let skipped = rest.find(|c: char| c.is_ascii() && !matches!(c, '`' | '\\' | '@' | '$' | '.' | '\0'));
        self.position += skipped.unwrap_or(rest.len()).max(rest.chars().next().map_or(1, char::len_utf8));
        let found: String =
            self.text[start..self.position].chars().take(12).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        self.report(start, self.position, format!("`{found}` is not part of the notation"));
        let help = match found.starts_with('.') {
            true => "a float has digits on both sides of its dot: `1.0`, `0.5`",
            false => "names are made of the letters a to z, digits and `_`; anything may stand in a comment",
        };
        self.diagnostics.last_mut().expect("one was just reported").help = Some(help.into());
    }

    fn skip_line(&mut self) {
        self.position = self.text[self.position..].find('\n').map_or(self.text.len(), |length| self.position + length);
    }

    fn number(&mut self) {
        let start = self.position;
        let rest = &self.text[start..];
        for (prefix, radix, name) in [("0x", 16, "hexadecimal"), ("0b", 2, "binary")] {
            if rest.starts_with(prefix) {
                self.position += 2 + word_length(&rest[2..]);
                let digits = self.text[start + 2..self.position].replace('_', "");
                match u64::from_str_radix(&digits, radix) {
                    Ok(value) => self.push(TokenKind::Integer { value, bits: true }, start),
                    Err(_) => {
                        self.bad_number(start, &format!("a {name} number has 1 to {} digits", if radix == 16 { 16 } else { 64 }))
                    }
                }
                return;
            }
        }
        let mut length = digits_length(rest);
        let mut float = false;
        let after = &rest.as_bytes()[length..];
        if after.first() == Some(&b'.') && after.get(1).is_some_and(u8::is_ascii_digit) {
            float = true;
            length += 1 + digits_length(&rest[length + 1..]);
        }
        let exponent = &rest[length..];
        if exponent.starts_with(['e', 'E']) {
            let sign = usize::from(exponent[1..].starts_with(['+', '-']));
            let digits = digits_length(&exponent[1 + sign..]);
            if digits > 0 {
                float = true;
                length += 1 + sign + digits;
            }
        }
        self.position += length + word_length(&rest[length..]);
        if self.position > start + length {
            let unit = self.text[start + length..self.position].to_string();
            self.bad_number(start, &format!("numbers have no unit or suffix here: leave out `{unit}`"));
            return;
        }
        let digits = rest[..length].replace('_', "");
        if float {
            match digits.parse::<f64>() {
                Ok(value) if value.is_finite() => self.push(TokenKind::Float(value), start),
                _ => self.bad_number(start, "the largest f64 is about 1.8e308"),
            }
        } else {
            match digits.parse::<u64>() {
                Ok(value) => self.push(TokenKind::Integer { value, bits: false }, start),
                Err(_) => self.bad_number(start, "the largest i64 is 9_223_372_036_854_775_807"),
            }
        }
    }

    /// Reports a number and puts 0 in its place.
    fn bad_number(&mut self, start: usize, help: &str) {
        let written: String = self.text[start..self.position].chars().take(40).collect();
        self.report(start, self.position, format!("`{written}` is not a number")).help = Some(help.into());
        self.push(TokenKind::Integer { value: 0, bits: false }, start);
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        self.tokens.push(Token { kind, span: Span::new(start, self.position) });
    }

    fn report(&mut self, start: usize, end: usize, message: impl Into<String>) -> &mut Diagnostic {
        self.diagnostics.push(Diagnostic::at(self.source, Span::new(start, end), message));
        self.diagnostics.last_mut().expect("one was just pushed")
    }
}

/// What people write by habit, and what is written here.
const WRONG_SYMBOLS: [(&str, &str); 8] = [
    ("..=", "a range ends before its second bound: write `0..n + 1`"),
    ("...", "a range is written with two dots: `0..n`"),
    ("++", "write `x += 1`"),
    ("--", "write `x -= 1`; of a negated negation, write a space between"),
    ("**", "powers are written as products: `x * x`"),
    ("?", "there is no `?:`; write an `if`, or `min` and `max`"),
    ("~", "the complement is written `!x`"),
    ("===", "write `==`"),
];

/// Bytes of letters, digits and `_` at the beginning of a text.
fn word_length(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// Bytes of digits and `_` at the beginning of a text.
fn digits_length(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        let (tokens, diagnostics) = lex(&SourceText::new("test", text));
        assert_eq!(diagnostics, []);
        tokens.into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn numbers_ranges_and_exponents_come_apart() {
        let integer = |value| TokenKind::Integer { value, bits: false };
        assert_eq!(
            kinds("0..1_000 1.5e-3 2e6 0xFF 3.25..4"),
            [
                integer(0),
                TokenKind::Symbol(".."),
                integer(1000),
                TokenKind::Float(1.5e-3),
                TokenKind::Float(2e6),
                TokenKind::Integer { value: 255, bits: true },
                TokenKind::Float(3.25),
                TokenKind::Symbol(".."),
                integer(4),
                TokenKind::End
            ]
        );
    }

    #[test]
    fn comments_and_blanks_fall_away_and_line_ends_stay() {
        assert_eq!(kinds("a # b c\n\t"), [TokenKind::Word, TokenKind::Newline, TokenKind::End]);
    }

    #[test]
    fn the_longest_symbol_wins() {
        let symbols: Vec<TokenKind> = ["<<=", "<<", "<=", "<", "->", "-"].map(TokenKind::Symbol).into();
        assert_eq!(kinds("<<= << <= < -> -")[..6], symbols);
        for (index, symbol) in SYMBOLS.iter().enumerate() {
            let hidden = SYMBOLS[..index].iter().find(|earlier| symbol.starts_with(**earlier));
            assert_eq!(hidden, None, "`{symbol}` could never be found");
        }
    }

    #[test]
    fn a_foreign_stretch_is_one_fault() {
        let (tokens, diagnostics) = lex(&SourceText::new("test", "let größe = 1"));
        assert_eq!(diagnostics.len(), 1);
        let span = diagnostics[0].span.expect("it has a place");
        assert_eq!((span.start, span.end), (6, 10), "`öß`");
        assert_eq!(tokens.len(), 6);
    }
}
