//! This computer: what it is, and running programs on its threads.
//!
//! ```text
//!   Code ──compile, translate──▶ machine code ──run (pinned team, arena)──▶ samples, results
//!                                     └── all of it in a child process with a deadline (child)
//! ```
//!
//! The only floor with `unsafe`, a clock, threads and processes. It does not know how anything is drawn.

pub mod arena;
pub mod child;
pub mod compile;
mod control;
pub mod discover;
#[cfg(test)]
mod fixture;
mod locate;
pub mod run;
mod synchronise;
#[cfg(test)]
mod tests;
mod translate;
pub mod usage;
