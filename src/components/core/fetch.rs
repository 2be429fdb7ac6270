//! A core's front end, where its first level of cache for instructions is simulated: before a block's operations, the lines that its
//! instructions lie in are looked up, one after the other.
//!
//! ```text
//!   block --> lines of its instructions --> L1i: hit, hidden in the cycles before
//!                                            '-- L2 ... memory: the core waits
//! ```
//!
//! Instructions lie behind the program's data, each 4 bytes long as on most processors of reduced instruction sets. A block is run as
//! a whole, so a line is fetched once for each time that a block of it is run.

use std::ops::Range;

use super::run::Pause;
use super::{Core, Loaded, NO_ACCESS, Path, Pending, Stage};
use crate::base::address::{Address, Line};
use crate::coherence::order::Command;
use crate::components::hierarchy::{Lookup, Observer};
use crate::components::shared::Shared;
use crate::components::trace::Kind;
use crate::program::code::Code;

/// Bytes of an instruction.
const INSTRUCTION_BYTES: u64 = 4;
/// Instructions begin at a multiple of this behind the data: a large page, so that the two share no line and no page.
const TEXT_ALIGNMENT: u64 = 2 << 20;

/// Where a program's instructions lie.
pub fn text(code: &Code) -> Range<Address> {
    let begin = code.arena.size.next_multiple_of(TEXT_ALIGNMENT);
    begin..begin + INSTRUCTION_BYTES * code.instructions.len() as u64
}

/// The lines of a block's instructions.
pub(super) fn lines(program: &Loaded, block: u32, line_shift: u32) -> Range<Line> {
    let block = program.code.blocks[block as usize];
    let begin = program.text.start + INSTRUCTION_BYTES * u64::from(block.first);
    let end = begin + INSTRUCTION_BYTES * u64::from(block.length);
    begin >> line_shift..((end - 1) >> line_shift) + 1
}

impl Core {
    /// The source line of the block whose instructions are fetched.
    pub(super) fn line_of_block(&self) -> u32 {
        let code = &self.program.code;
        let first = code.blocks[self.block as usize].first;
        code.sites[code.instruction_sites[first as usize] as usize].line
    }

    /// Looks up the lines of the block in progress that are still to be fetched.
    pub(super) fn fetch_block(&mut self, shared: &mut Shared, limit: u64) -> Option<Pause> {
        while !self.fetching.is_empty() {
            let line = self.fetching.start;
            let pause = match self.path {
                Path::Cached => self.fetch_coherent(line, shared, limit),
                Path::Plain => self.fetch_plain(line),
                Path::Uncached | Path::Free => None,
            };
            if pause.is_some() {
                return pause;
            }
            self.fetched();
        }
        None
    }

    /// A line of instructions is there.
    pub(super) fn fetched(&mut self) {
        self.account.fetches += 1;
        self.fetching.start += 1;
    }

    pub(super) fn fetch_coherent(&mut self, line: Line, shared: &mut Shared, limit: u64) -> Option<Pause> {
        if self.cycle >= limit {
            return Some(Pause::Until(self.cycle));
        }
        let time = self.clock.edge(self.cycle);
        let (address, bytes) = self.wanted_of(line);
        let mut observer = Observer { bytes, ..shared.observe(self.number, time, (address, NO_ACCESS.1)) };
        let caches = self.caches.as_mut()?;
        let lookup = match caches.fetch(line, &mut observer) {
            Ok(lookup) => lookup,
            Err(broken) => {
                shared.broken(time, self.number, &broken);
                return Some(Pause::Interrupted);
            }
        };
        let leaves = caches.is_leaving();
        match lookup {
            Lookup::Hit(0) if !leaves => None,
            Lookup::Hit(depth) => {
                self.fetch_further(depth + 1);
                if !leaves {
                    return None;
                }
                self.fetched();
                Some(Pause::Leave { cycle: self.cycle + self.levels.behind(Kind::Fetch, depth + 1) })
            }
            Lookup::Ask(transaction) => {
                self.fetch_further(usize::MAX);
                self.stage = Stage::Waiting(Pending { line, write: false, request: None });
                Some(Pause::Ask { command: Command::Coherent(transaction), line, cycle: self.cycle })
            }
            Lookup::Stall => {
                self.stage = Stage::Stalled;
                Some(Pause::Blocked)
            }
        }
    }

    /// Lookups behind the first, of an access that looked into `depth` levels.
    fn fetch_further(&mut self, depth: usize) {
        let source_line = self.line_of_block();
        for (owner, cycles) in self.levels.further(Kind::Fetch, depth) {
            self.account.further_lookup(source_line, owner, cycles);
            self.cycle += cycles;
        }
    }

    fn fetch_plain(&mut self, line: Line) -> Option<Pause> {
        let address = line << self.text_shift;
        if self.plain.as_mut()?.caches.touch(Kind::Fetch, address, INSTRUCTION_BYTES as u16) {
            return None;
        }
        self.plain_fetch(address, INSTRUCTION_BYTES as u16)
    }
}
