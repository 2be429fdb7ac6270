//! How a command ends: the exit codes 0, 1 and 2, and what is said with them.

use std::fmt::Display;
use std::io;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::base::diagnostic::{Diagnostic, Diagnostics, SourceText, Span};

/// What a command that worked found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All is well: exit code 0.
    Yes,
    /// The answer is no: a check fails, checksums differ. Exit code 1; the command has said why.
    No,
}

/// Why a command could not give its answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// Texts are wrong: exit code 2.
    Texts(Diagnostics),
    /// The arguments, or the files they name, are wrong: exit code 2.
    Input {
        /// The sentence.
        message: String,
        /// What to do instead.
        help: Option<String>,
    },
    /// The program was run and did not end well (deadlock, fault, limit): exit code 1.
    Stopped(Box<Stopped>),
}

/// A run that ended before its program did.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    /// One word: `deadlock`, `fault`, `limit`, ...
    pub kind: String,
    /// The sentence.
    pub message: String,
    /// The program's text.
    pub source: SourceText,
    /// Where threads were, each place with its sentence, the most telling first.
    pub places: Vec<(Span, String)>,
    /// What could be done about it.
    pub help: Option<String>,
}

/// What commands return.
pub type Outcome = Result<Answer, Failure>;

impl Failure {
    /// A fault of the arguments.
    pub fn input(message: impl Into<String>) -> Failure {
        Failure::Input { message: message.into(), help: None }
    }

    /// A file or directory that could not be used.
    pub fn file(doing: &str, path: &Path, error: &io::Error) -> Failure {
        Failure::input(format!("cannot {doing} {}: {}", path.display(), reason(error)))
    }

    /// The same failure with what to do about it.
    pub fn help(self, advice: impl Display) -> Failure {
        match self {
            Failure::Input { message, .. } => Failure::Input { message, help: Some(advice.to_string()) },
            other => other,
        }
    }

    /// It in one line, within another message.
    pub fn sentence(&self) -> String {
        match self {
            Failure::Input { message, help: Some(help) } => format!("{message}; {help}"),
            Failure::Input { message, help: None } => message.clone(),
            Failure::Texts(faults) => faults.first().map_or_else(String::new, ToString::to_string),
            Failure::Stopped(stopped) => stopped.message.clone(),
        }
    }

    /// For programs, in the form of `check`: what is wrong, each with its place where it has one.
    pub fn document(&self) -> Json {
        match self {
            Failure::Texts(diagnostics) => {
                json!({"ok": false, "diagnostics": diagnostics.iter().map(Diagnostic::report).collect::<Vec<_>>()})
            }
            Failure::Input { message, help } => json!({"ok": false, "diagnostics": [{"message": message, "help": help}]}),
            Failure::Stopped(stopped) => {
                let place = |(span, sentence): &(Span, String)| {
                    let (line, column) = stopped.source.position(span.start);
                    json!({"file": &*stopped.source.name, "line": line, "column": column, "message": sentence})
                };
                let places: Vec<Json> = stopped.places.iter().map(place).collect();
                json!({"ok": false, "stopped": stopped.kind, "message": stopped.message, "diagnostics": places})
            }
        }
    }

    /// 1 where a program was run and the answer is no, 2 where the input is wrong.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Stopped(_) => 1,
            Failure::Texts(_) | Failure::Input { .. } => 2,
        }
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Failure {
        Failure::Texts(diagnostics)
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Failure {
        Failure::Texts(vec![diagnostic])
    }
}

/// The operating system's reason without its error number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}
