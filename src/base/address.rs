//! Addresses and lines.

/// A byte address of the simulated machine. Programs see one arena that begins at address 0; see `program::code::Arena`.
pub type Address = u64;

/// A line's number: its address divided by the line size.
pub type Line = u64;
