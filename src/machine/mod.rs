//! From what a user writes to parts and wiring: the machine's keys, their meaning and their schema, the catalogue of shipped texts, and
//! faults that point at the place.
//!
//! This floor knows nothing of runs.

pub mod catalogue;
pub mod simulation;
pub mod wire;
