//! Runs, sweeps, records and theory: what is asked of machines. Pure: texts in, records out.

pub mod bounds;
pub mod compare;
pub mod explain;
pub mod record;
pub mod result;
pub mod run;
pub mod sweep;
pub mod theory;
pub mod trace;
mod traffic;
pub mod validate;
pub mod watch;
pub mod why;
pub mod workload;
