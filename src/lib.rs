//! Flynn: a discrete-event simulator of parallel computers, to understand and to teach why the same program runs so differently on
//! different machines.
//!
//! The house has floors; each uses only those above it in this list. `src/README.md` is the map.

pub mod base;
#[cfg(feature = "cli")]
pub mod cli;
pub mod coherence;
pub mod components;
pub mod engine;
pub mod experiment;
#[cfg(feature = "host")]
pub mod host;
pub mod interconnect;
pub mod machine;
pub mod program;
#[cfg(feature = "report")]
pub mod report;
