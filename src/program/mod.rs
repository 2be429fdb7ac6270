//! The program notation: from a text to a checked Program, from a Program to Code, and the interpreter of Code.
//!
//! This floor knows neither time nor machines nor the host.

pub mod check;
pub mod code;
mod display;
pub mod interpret;
pub mod lex;
pub mod lower;
pub mod memory;
pub mod messages;
pub mod operators;
pub mod parse;
mod passes;
pub mod syntax;
pub mod tree;
pub mod vocabulary;
mod work;

use crate::base::diagnostic::{Diagnostics, SourceText};
use check::Bindings;
use tree::Program;

/// A text as a typed program, its parameters bound.
pub fn compile(source: &SourceText, bindings: &Bindings) -> Result<Program, Diagnostics> {
    check::check(source, &parse::parse(source)?, bindings)
}

#[cfg(test)]
mod tests;
