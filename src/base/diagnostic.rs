//! What is wrong with a text a user wrote, where, and what would be right.
//!
//! Diagnostics are plain data: the floors that find the fault fill them in, the command line draws them.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// A range of bytes in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// The bytes from `start` to before `end`.
    pub fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    /// The smallest span that holds both.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Span {
        Span::new(range.start, range.end)
    }
}

/// A text with the name its user knows it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// A path, or the name of a part of the catalogue.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

impl SourceText {
    /// A text and its name.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> SourceText {
        SourceText { name: name.into(), text: text.into() }
    }

    /// Line and column, both from 1, of a byte; columns count characters.
    pub fn position(&self, byte: u32) -> (u32, u32) {
        let mut end = (byte as usize).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line = before.matches('\n').count() as u32 + 1;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, before[line_start..].chars().count() as u32 + 1)
    }
}

/// A fault in a text, or in the use of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The text at fault.
    pub source: SourceText,
    /// Where in it; `None` where the fault is an absence or the whole text.
    pub span: Option<Span>,
    /// The key or name at fault, as a path such as `node.cache.L1d.size`, where there is one.
    pub key: Option<String>,
    /// The sentence.
    pub message: String,
    /// What to write instead, or the nearest right name.
    pub help: Option<String>,
    /// Other places that matter, each with its sentence.
    pub related: Vec<(Span, String)>,
}

impl Diagnostic {
    /// A fault at a place of a text.
    pub fn at(source: &SourceText, span: impl Into<Option<Span>>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            source: source.clone(),
            span: span.into(),
            key: None,
            message: message.into(),
            help: None,
            related: Vec::new(),
        }
    }

    /// The same fault, with what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// The same fault, naming the key.
    pub fn key(mut self, key: impl Into<String>) -> Diagnostic {
        self.key = Some(key.into());
        self
    }

    /// The same fault, with another place that matters.
    pub fn related(mut self, span: Span, message: impl Into<String>) -> Diagnostic {
        self.related.push((span, message.into()));
        self
    }

    /// The fault as JSON shows it.
    pub fn report(&self) -> DiagnosticReport {
        let position = self.span.map(|span| self.source.position(span.start));
        DiagnosticReport {
            file: self.source.name.to_string(),
            line: position.map(|p| p.0),
            column: position.map(|p| p.1),
            key: self.key.clone(),
            message: self.message.clone(),
            help: self.help.clone(),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source.name)?;
        if let Some(span) = self.span {
            let (line, column) = self.source.position(span.start);
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// A diagnostic as `--format json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiagnosticReport {
    /// The file or catalogue name.
    pub file: String,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1, in characters.
    pub column: Option<u32>,
    /// The key or name at fault.
    pub key: Option<String>,
    /// The sentence.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Everything found wrong in one go: never empty.
pub type Diagnostics = Vec<Diagnostic>;

/// The candidate nearest to `name` by edit distance (insertions, deletions, substitutions and swaps of neighbours), where one is
/// near enough to be a slip: at most a third of the longer name, and at least one edit.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = |candidate: &str| name.chars().count().max(candidate.chars().count()).div_ceil(3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| distance <= limit(candidate))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source = SourceText::new("m.toml", "a = 1\nµ = 2\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(6), (2, 1));
        assert_eq!(source.position(8), (2, 2), "µ is two bytes and one character");
        assert_eq!(source.position(99), (3, 1));
    }

    #[test]
    fn nearest_finds_slips_and_nothing_else() {
        let names = ["latency", "bandwidth", "ways", "replacement"];
        assert_eq!(nearest("latnecy", names), Some("latency"));
        assert_eq!(nearest("Bandwith", names), Some("bandwidth"));
        assert_eq!(nearest("colour", names), None);
    }
}
