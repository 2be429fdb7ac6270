//! Experiments: machines by workloads by swept values, over an executor and a store handed in; what is expected, and whether it came
//! out.
//!
//! ```text
//!   experiment.toml --keys, read--> Experiment: axes, points, figures, plots, expectations
//!                                       |
//!             Bench (machines, workloads)--> Point --key--> Store: found? -- no --> run, by the Executor --> Store
//!                                                                   |                                          |
//!                                                                   '-----------> Results (a row each) <-------'
//!                                                                                    |
//!                                                       table, Verdicts, Document <--'
//! ```
//!
//! A point's key names everything that determines its record, so a store may keep points from one time to the next, and a changed
//! input leads to other keys. Points do not depend on each other, nor on which is run first.

mod document;
mod expect;
mod experiment;
pub mod keys;
mod perform;
mod point;
mod quantity;
mod results;

pub use document::{Document, Tidy, figures};
pub use expect::{Expectation, Verdict};
pub use experiment::{Axis, Experiment, MOST_POINTS, Plot, Varies};
pub use perform::{Executor, InTurn, Performed, Store, perform, points};
pub use point::{Bench, Outcome, Point, PointKey};
pub use quantity::{Factor, Quantity, Word};
pub use results::{Figures, Results, Row, Stopped};

#[cfg(test)]
mod tests;
