//! Tests of the notation's front end: parser and checker together.

mod broken;
mod good;
mod hostile;
mod runtime_text;
mod texts;

use super::check::Bindings;
use super::tree::Program;
use crate::base::diagnostic::{Diagnostics, SourceText};

fn source(text: &str) -> SourceText {
    SourceText::new("test.flynn", text)
}

fn compile(text: &str) -> Result<Program, Diagnostics> {
    super::compile(&source(text), &Bindings { threads: 4, ..Bindings::default() })
}

/// The program of a text that is right; shows what is wrong otherwise.
fn right(text: &str) -> Program {
    compile(text).unwrap_or_else(|diagnostics| {
        let shown: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        panic!("{}\nin\n{text}", shown.join("\n"))
    })
}
