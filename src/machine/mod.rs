//! From what a user writes to parts and wiring: the machine's keys, their meaning and their schema, the catalogue of shipped texts, and
//! faults that point at the place.
//!
//! ```text
//!   machine.toml --parse--> tree <-- --set, parts of models/ (each value keeps its place)
//!                             |
//!                           keys.rs, read strictly
//!                             |
//!              resolve.rs: what one key says about another, protocol and run-time texts by name
//!                             |
//!          Machine: NodeSpec for wire.rs, what the plan needs, every key with its value for the record
//! ```
//!
//! This floor knows nothing of runs.

pub mod address_map;
pub mod attraction;
pub mod catalogue;
pub mod collectives;
pub mod keys;
pub mod network;
mod node;
pub mod overrides;
mod parts;
mod placement;
pub mod reference;
mod resolve;
mod resolved;
pub mod running;
pub mod schema;
mod sharing;
pub mod simulation;
pub mod wire;

pub use resolve::Machine;

#[cfg(test)]
mod tests;
