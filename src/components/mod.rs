//! The parts machines are made of. They know neither files nor TOML: `machine` makes them from what users write.

pub mod spec;
