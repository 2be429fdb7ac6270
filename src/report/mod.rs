//! Figures, pages and exports: everything a person reads of a record.
//!
//! ```text
//!   Record --> facts (metrics sorted by part) --> figure: machine, stacks, caches, utilisation --> page, stand-alone SVG
//!                                             --> compare, listing                             --> page
//!                                             --> exports (CSV)
//!   WatchRecord --> life                                                                       --> page
//!   ValidationCase --> validation                                                              --> page
//!   Experiment, Results --> sweep: lines, bars                                                 --> page of its own, CSV
//!   Counterexample --> sequence                                                                --> stand-alone SVG
//! ```
//!
//! The input is records, and what the explorer found of a protocol: this floor neither runs anything nor knows the host. The same input gives the same bytes.

mod bars;
mod caches;
mod compare;
pub mod dot;
mod exports;
pub mod facts;
mod figure;
mod heat;
pub mod human;
mod life;
mod lines;
mod listing;
mod machine;
mod page;
pub mod palette;
#[cfg(test)]
mod sample;
mod sequence;
mod stacks;
mod svg;
mod sweep;
pub mod topology;
mod utilisation;
mod validation;

use serde::Serialize;

pub use self::exports::exports;
pub use self::figure::{Column, Figure, RenderError, Table};
pub use self::page::page;
pub use self::sequence::sequence;
pub use self::sweep::{ExperimentInput, ExperimentPage, experiment, score, shown};
use crate::experiment::record::{Record, ValidationCase};

/// What a page is made of.
#[derive(Clone, Debug, Default)]
pub struct ReportInput<'a> {
    pub title: &'a str,
    /// One record is shown whole; of several, those of one workload are compared and each is folded.
    pub records: &'a [Record],
    /// What each record is called where records are compared; by its machine where this is shorter than the records.
    pub labels: Vec<String>,
    /// Where each record lies, as the reader is to find it; may be shorter than the records.
    pub record_files: Vec<String>,
    /// Predictions beside measurements, where there are any.
    pub validation: &'a [ValidationCase],
    /// The computer that measured.
    pub host: Option<HostFacts>,
    /// Commands to try next.
    pub commands: Vec<String>,
    /// The records are what was predicted for the validation: it comes first and they are folded below it.
    pub predictions: bool,
}

/// The computer under the user's hands, in words.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HostFacts {
    /// Its processor.
    pub name: String,
    /// How many cores, at what clock.
    pub cores: String,
    /// Its caches.
    pub caches: String,
    /// What its model leaves out, and which predictions that spoils.
    pub model: String,
}

/// The figures of one record: the machine, cycle stacks, caches, utilisation over time; those for which it has numbers.
///
/// # Errors
/// None that a record can cause: only a fault of the plotting library.
pub fn figures(record: &Record) -> Result<Vec<Figure>, RenderError> {
    let facts = facts::Facts::of(record);
    let all = [
        machine::figure(&facts),
        topology::of_record(&facts),
        heat::figure(&facts),
        stacks::figure(&facts)?,
        caches::figure(&facts)?,
        utilisation::figure(&facts)?,
    ];
    Ok(all.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests;
