//! Memory traces as parts see them: references one after the other, from whoever reads them.

use std::fmt;

/// What a reference does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Reads an instruction.
    Fetch,
    /// Reads data.
    Read,
    /// Writes data.
    Write,
}

/// A reference of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of its first byte, below 2^56.
    pub address: u64,
    /// How many bytes, from 1 to 4096.
    pub bytes: u16,
    pub kind: Kind,
    /// Which core makes it.
    pub core: u16,
}

/// What references there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceCounters {
    /// References by [`Kind`] as a number.
    pub kinds: [u64; 3],
    /// Bytes of data references.
    pub bytes: u64,
}

impl TraceCounters {
    /// Counts a reference.
    #[inline(always)]
    pub fn count(&mut self, entry: &Entry) {
        self.kinds[entry.kind as usize] += 1;
        self.bytes += if entry.kind == Kind::Fetch { 0 } else { u64::from(entry.bytes) };
    }
}

/// No reference touches a byte from here on.
pub const END: u64 = (1 << 56) + (1 << 12);

/// References are handed over so many at a time, or one more: a line of a trace may be two.
pub const BATCH: usize = 1024;

/// Hands over references of a trace in order: all of them, or those of one core.
pub trait Entries: fmt::Debug {
    /// Puts the next references in place of what is in `batch`; none at the end.
    ///
    /// # Errors
    /// What is wrong with the trace, and where.
    fn refill(&mut self, batch: &mut Vec<Entry>) -> Result<(), String>;
}
