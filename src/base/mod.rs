//! Time, clocks, quantities with units, addresses, seeded streams, statistics and diagnostics: the words every other floor speaks.
//!
//! This floor knows nothing else.

pub mod address;
pub mod diagnostic;
pub mod document;
pub mod quantity;
pub mod random;
pub mod statistics;
pub mod time;
pub mod written;
