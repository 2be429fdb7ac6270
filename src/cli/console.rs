//! Where text goes: data to standard output, talk to standard error.
//!
//! A reader that closes its end of the pipe (`flynn list | head -1`) is not an error: what is left to print is dropped and the
//! command ends with the exit code it would have had.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::answer::{Failure, Outcome};
use super::draw;
use crate::base::diagnostic::Diagnostic;

/// The two streams of a command.
#[derive(Debug)]
pub struct Console {
    /// Colours on standard error: it is a terminal and `NO_COLOR` is not set.
    colours: bool,
    /// Whether standard error is a terminal, so that progress may be drawn.
    interactive: bool,
    /// `--quiet`: errors only.
    quiet: bool,
    /// The reader of standard output has gone.
    closed: bool,
}

impl Console {
    /// The console of this process.
    pub fn of_process() -> Console {
        let interactive = io::stderr().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Console { colours: interactive && !no_colour && !dumb, interactive, quiet: false, closed: false }
    }

    /// From now on says nothing but errors.
    pub fn be_quiet(&mut self, quiet: bool) {
        self.quiet |= quiet;
    }

    /// Whether progress is worth drawing.
    pub fn shows_progress(&self) -> bool {
        self.interactive && !self.quiet
    }

    /// Data: to standard output, with a newline at its end.
    pub fn print(&mut self, text: &str) -> Result<(), Failure> {
        if self.closed {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        let newline = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        match out.write_all(text.as_bytes()).and_then(|()| out.write_all(newline.as_bytes())).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => Err(Failure::input(format!("cannot write to standard output: {error}"))),
            Ok(()) => Ok(()),
        }
    }

    /// Lines for people: as [`Console::print`], with plain spaces between numbers and units, which can be searched for.
    pub fn print_lines(&mut self, text: &str) -> Result<(), Failure> {
        self.print(&text.replace('\u{a0}', " "))
    }

    /// Data as one JSON document.
    pub fn print_json(&mut self, document: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(document)
            .map_err(|error| Failure::input(format!("cannot write the answer as JSON: {error}")))?;
        self.print(&text)
    }

    /// The end of a command that wrote a directory: all of the answer as a document, or quietly the directory alone, or a text that names
    /// it. A document is printed even where nothing could be written.
    pub fn present(
        &mut self,
        is_json: bool,
        document: &impl Serialize,
        written: Result<String, Failure>,
        text: impl FnOnce(&str) -> String,
    ) -> Result<(), Failure> {
        if is_json {
            self.print_json(document)?;
            return written.map(drop);
        }
        let directory = written?;
        if self.quiet { self.print(&directory) } else { self.print_lines(&text(&directory)) }
    }

    /// Whoever asked for JSON gets a failure as JSON, too.
    pub fn tell_failure(&mut self, is_json: bool, outcome: Outcome) -> Outcome {
        if let (true, Err(failure)) = (is_json, &outcome) {
            self.print_json(&failure.document())?;
        }
        outcome
    }

    /// Talk: to standard error, unless quiet. Nobody listening is no reason to fail.
    pub fn talk(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Says what went wrong, on standard error.
    pub fn complain(&self, failure: &Failure) {
        let _ = writeln!(io::stderr().lock(), "{}", draw::failure(failure, self.colours));
    }

    /// Says what is wrong with texts, on standard error.
    pub fn complain_of(&self, faults: &[Diagnostic]) {
        if !faults.is_empty() {
            let _ = writeln!(io::stderr().lock(), "{}", draw::diagnostics(faults, self.colours));
        }
    }

    /// Warns, on standard error.
    pub fn warn(&self, message: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{}", draw::warning(message, self.colours));
        }
    }

    /// The exit code of an outcome, after its failure is said.
    pub fn conclude(&self, outcome: &Outcome) -> u8 {
        match outcome {
            Ok(super::answer::Answer::Yes) => 0,
            Ok(super::answer::Answer::No) => 1,
            Err(failure) => {
                self.complain(failure);
                failure.exit_code()
            }
        }
    }
}
