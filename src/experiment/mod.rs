//! Runs, sweeps, records and theory: what is asked of machines. Pure: texts in, records out.

pub mod record;
