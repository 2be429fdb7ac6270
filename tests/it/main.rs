//! Integration tests: one binary, one module for each subject, so that they are linked once.

mod branches;
#[cfg(feature = "cli")]
mod cli;
mod collectives;
mod compare;
mod floors;
mod lab;
mod litmus;
mod machine;
mod nodes;
mod notation;
mod prefetch;
mod reasons;
mod shapes;
mod shipped;
mod stops;
mod translation;
mod watch;
