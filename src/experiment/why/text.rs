//! What a line of a program's text is about: the objects it names, and what it waits for where it waits.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::diagnostic::SourceText;
use crate::program::lex::{Token, TokenKind, lex};

/// What a line can wait for apart from data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meeting {
    /// A lock or a semaphore.
    Lock,
    /// A value that another thread writes.
    Await,
    Barrier,
    /// A message of another rank.
    Message,
    /// The beginning or the end of a parallel part; also a line that names no object, where workers wait for the next part.
    Team,
}

/// How an object is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// `array`, `shared`, `mutex`, ...
    pub word: &'static str,
    pub padded: bool,
}

/// An object that a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    pub declared: Declared,
    /// Whether the line changes it.
    pub written: bool,
    /// Whether the index says `thread`: each thread has its element.
    pub by_thread: bool,
}

const DECLARING: [&str; 7] = ["array", "shared", "mutex", "rwlock", "semaphore", "condition", "queue"];
const UPDATING: [&str; 3] = ["fetch_add", "exchange", "compare_exchange"];

/// A program's text by lines.
pub struct ProgramText<'a> {
    text: &'a str,
    lines: Vec<Vec<Token>>,
    objects: BTreeMap<&'a str, Declared>,
    /// Targets of `reduce`: each thread has one of its own, in a register.
    reduced: BTreeSet<&'a str>,
}

impl<'a> ProgramText<'a> {
    /// Reads a text. One that is no program has lines that name nothing.
    pub fn new(text: &'a str) -> ProgramText<'a> {
        let (tokens, _) = lex(&SourceText::new("", text));
        let lines = tokens.split(|token| token.kind == TokenKind::Newline).map(<[Token]>::to_vec).collect();
        let mut read = ProgramText { text, lines, objects: BTreeMap::new(), reduced: BTreeSet::new() };
        for line in &read.lines {
            if let Some(at) = line.iter().position(|token| read.word(token) == "reduce") {
                let named = line[at..].iter().take_while(|token| token.kind != TokenKind::Symbol(")"));
                let named: Vec<&str> = named.map(|token| read.word(token)).filter(|word| !word.is_empty()).collect();
                read.reduced.extend(named);
            }
            if let [first, second, ..] = &line[..]
                && let Some(&word) = DECLARING.iter().find(|word| **word == read.word(first))
            {
                let padded = line.iter().any(|token| read.word(token) == "padded");
                read.objects.insert(read.word(second), Declared { word, padded });
            }
        }
        read
    }

    fn word(&self, token: &Token) -> &'a str {
        match token.kind {
            TokenKind::Word => self.text.get(token.span.start as usize..token.span.end as usize).unwrap_or(""),
            _ => "",
        }
    }

    fn tokens(&self, line: u32) -> &[Token] {
        (line as usize).checked_sub(1).and_then(|index| self.lines.get(index)).map_or(&[], Vec::as_slice)
    }

    /// A line without indentation and comment; `None` where nothing is left.
    pub fn line(&self, line: u32) -> Option<&'a str> {
        let tokens: Vec<&Token> = self.tokens(line).iter().filter(|token| token.kind != TokenKind::End).collect();
        let (first, last) = (tokens.first()?, tokens.last()?);
        self.text.get(first.span.start as usize..last.span.end as usize)
    }

    /// How many lines the text has.
    pub fn n_lines(&self) -> u32 {
        self.lines.len() as u32
    }

    fn has_word(&self, line: u32, words: &[&str]) -> bool {
        self.tokens(line).iter().any(|token| words.contains(&self.word(token)))
    }

    /// Whether there is no program: a trace ran.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether the program has a parallel part at all.
    pub fn is_parallel(&self) -> bool {
        (1..=self.lines.len() as u32).any(|line| self.has_word(line, &["parallel"]))
    }

    /// What the line waits for where it waits for no data; `None` for a line that works on objects.
    pub fn meeting(&self, line: u32) -> Option<Meeting> {
        let words: [(&[&str], Meeting); 4] = [
            (&["lock", "acquire", "release"], Meeting::Lock),
            (&["await"], Meeting::Await),
            (&["barrier"], Meeting::Barrier),
            (&["send", "recv", "exchange", "wait"], Meeting::Message),
        ];
        // Among their words `release` and `acquire` are also memory orders, which follow a value.
        let begins = |words: &[&str]| self.tokens(line).first().is_some_and(|token| words.contains(&self.word(token)));
        for (words, meeting) in words {
            if begins(words) || (meeting != Meeting::Lock && self.has_word(line, words)) {
                return Some(meeting);
            }
        }
        let begins_team = begins(&["parallel"]);
        let body = self.tokens(line).iter().position(|token| token.kind == TokenKind::Symbol("{")).unwrap_or(0);
        let names = |tokens: &[Token]| tokens.iter().any(|token| self.objects.contains_key(self.word(token)));
        let data = if begins_team { names(&self.tokens(line)[body..]) } else { names(self.tokens(line)) };
        (!data).then_some(Meeting::Team)
    }

    /// The objects in memory that a line names, each once: those it writes first, otherwise in their order.
    pub fn objects(&self, line: u32) -> Vec<Named> {
        let tokens = self.tokens(line);
        let mut found: Vec<Named> = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            let name = self.word(token);
            let Some(&declared) = self.objects.get(name).filter(|_| !self.reduced.contains(name)) else { continue };
            let (index, next) = index_after(tokens, at + 1);
            let by_thread = index.iter().any(|token| self.word(token) == "thread");
            let assigned = matches!(tokens.get(next), Some(Token { kind: TokenKind::Symbol(symbol), .. })
                if symbol.ends_with('=') && !["==", "!=", "<=", ">="].contains(symbol));
            let updated = at >= 2 && UPDATING.contains(&self.word(&tokens[at - 2]));
            let written = assigned || updated;
            match found.iter_mut().find(|named| named.name == name) {
                Some(named) => {
                    named.written |= written;
                    named.by_thread |= by_thread;
                }
                None => found.push(Named { name: name.to_owned(), declared, written, by_thread }),
            }
        }
        found.sort_by_key(|named| !named.written);
        found
    }
}

/// The tokens of an index that begins at `at`, and where the text goes on after it.
fn index_after(tokens: &[Token], at: usize) -> (&[Token], usize) {
    let mut depth = 0;
    for (offset, token) in tokens[at.min(tokens.len())..].iter().enumerate() {
        match token.kind {
            TokenKind::Symbol("[") => depth += 1,
            TokenKind::Symbol("]") => depth -= 1,
            _ => {}
        }
        if depth <= 0 {
            return if offset == 0 { (&[], at) } else { (&tokens[at..at + offset], at + offset + 1) };
        }
    }
    (&[], tokens.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
param n = 10
array x: i64[n]
array index: i64[n] = permutation()
array partial: i64[threads] padded
shared total: i64 = 0
mutex guard
shared least: i64 = 0
parallel for i in 0..n reduce(min: least) {   # a comment
    partial[thread] += x[index[i]] + least
    lock guard { total = total + x[i] }
    await partial[0] == 1
    fetch_add(total, x[i])
    atomic partial[0] = 1 release
}
parallel for i in 0..n { x[i] = 1 }
for t in 0..n {
";

    fn names(line: u32) -> Vec<String> {
        let text = ProgramText::new(TEXT);
        text.objects(line).iter().map(|named| format!("{}{}", named.name, if named.written { "!" } else { "" })).collect()
    }

    #[test]
    fn a_line_names_objects_and_writes_some() {
        assert_eq!(names(9), ["partial!", "x", "index"]);
        assert_eq!(names(10), ["total!", "guard", "x"]);
        assert_eq!(names(11), ["partial"]);
        assert_eq!(names(12), ["total!", "x"]);
        assert_eq!(names(13), ["partial!"]);
        assert_eq!(names(1000), Vec::<String>::new());
        let text = ProgramText::new(TEXT);
        let partial = &text.objects(9)[0];
        assert_eq!((partial.by_thread, partial.declared.padded, partial.declared.word), (true, true, "array"));
        assert!(!text.objects(13)[0].by_thread && text.is_parallel());
    }

    #[test]
    fn a_line_says_what_it_waits_for() {
        let text = ProgramText::new(TEXT);
        let meetings: Vec<Option<Meeting>> = (8..=16).map(|line| text.meeting(line)).collect();
        use Meeting::{Await, Lock, Team};
        assert_eq!(meetings, [Some(Team), None, Some(Lock), Some(Await), None, None, Some(Team), None, Some(Team)]);
        assert_eq!(text.line(8), Some("parallel for i in 0..n reduce(min: least) {"));
        assert_eq!([text.line(0), text.line(99)], [None, None]);
        assert!(!ProgramText::new("kind = \"trace\"\n").is_parallel());
    }
}
