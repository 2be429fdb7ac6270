//! Memory traces of real programs as workloads.
//!
//! ```text
//!   bytes (whoever reads files) --> text: lines --> format: din, lackey --> references --> caches, without time or with it
//! ```
//!
//! A trace is read as it is run, a piece at a time: however long it is, it takes no more memory than a short one. In time each core goes
//! through its own references at its own pace (`deal`).

mod deal;
mod din;
mod lackey;
mod run;
mod text;

use std::fmt;

pub(super) use run::simulate;
pub use text::{TraceBytes, TraceReader, TraceSettings};

/// A trace that can be read from its beginning, as often as wanted.
pub trait TraceFile: fmt::Debug + Send + Sync {
    /// As its user knows it.
    fn name(&self) -> &str;

    /// Its bytes, uncompressed.
    ///
    /// # Errors
    /// Why they cannot be had.
    fn open(&self) -> Result<Box<dyn TraceBytes>, String>;
}
