//! The program notation: from a text to a checked Program, from a Program to Code, and the interpreter of Code.
//!
//! This floor knows neither time nor machines nor the host.

pub mod code;
pub mod interpret;
pub mod memory;
pub mod operators;
pub mod tree;
mod work;
