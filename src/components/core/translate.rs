//! Address translation of a core that waits for each access: the access waits for the TLBs and for the walk, whose loads go through
//! the data caches one after the other. An out-of-order core makes its synchronising operations like that, too.
//!
//! ```text
//!   access --at--> TLBs ---------------------------------> lookup in the caches
//!                    \--> load, load, load, load --> fill --/         each a lookup, and a wait where it misses everywhere
//! ```

use std::ops::Range;

use super::run::Pause;
use super::{Core, Pending, Stage};
use crate::base::address::Address;
use crate::coherence::order::Command;
use crate::components::hierarchy::Lookup;
use crate::components::shared::Shared;
use crate::components::trace::Kind;
use crate::components::translation::{Found, Progress, Translation, Translator};
use crate::program::interpret::Request;

impl Core {
    /// Its TLBs, where it has any.
    pub fn translation(&self) -> Option<&Translation> {
        self.translator.as_ref().map(|own| &own.tlbs)
    }

    /// Whether the access in progress waits for a load of a walk.
    pub(super) fn is_walking(&self) -> bool {
        self.translator.as_ref().is_some_and(|own| matches!(own.progress, Progress::Walking(_)))
    }

    /// Cycles that the first TLB adds to each access.
    pub(super) fn translation_cycles(&self) -> u64 {
        self.translator.as_ref().map_or(0, |own| own.tlbs.latency(Found::First))
    }

    /// Translates the address of an access at a cycle. Returns the cycle of its lookup in the caches, or why it has to wait.
    pub(super) fn translate(
        &mut self,
        address: Address,
        at: u64,
        request: Option<Request>,
        shared: &mut Shared,
        limit: u64,
    ) -> Result<u64, Pause> {
        let Some(mut own) = self.translator.take() else { return Ok(at) };
        let cycle = self.translate_by(&mut own, address, at, request, shared, limit);
        self.translator = Some(own);
        cycle
    }

    fn translate_by(
        &mut self,
        own: &mut Translator,
        address: Address,
        at: u64,
        request: Option<Request>,
        shared: &mut Shared,
        limit: u64,
    ) -> Result<u64, Pause> {
        let page = own.tlbs.page(address);
        let (cycles, mut level) = own.begin(page);
        let mut cycle = at + cycles;
        let mut pause = None;
        while level < own.tlbs.table().depth() && pause.is_none() {
            if cycle >= limit {
                pause = Some(Pause::Until(cycle));
                break;
            }
            pause = self.drain_before(at..cycle, shared, limit);
            if pause.is_some() {
                break;
            }
            pause = self.walk_load(own, (level, page), &mut cycle, request, shared);
            if self.stage != Stage::Stalled {
                level += 1;
            }
            own.progress = Progress::Walking(level);
        }
        if cycle > at {
            self.account.translation(self.source_line_of(request), cycle - at);
        }
        if pause.is_none() {
            own.end(page);
            pause = match cycle == at || cycle < limit {
                true => self.drain_before(at..cycle, shared, limit),
                false => Some(Pause::Until(cycle)),
            };
            if pause.is_none() {
                return Ok(cycle);
            }
            own.progress = Progress::Over;
        }
        self.cycle = cycle;
        if !matches!(self.stage, Stage::Waiting(_) | Stage::Stalled) {
            self.go_back();
        }
        Err(pause.unwrap_or(Pause::Interrupted))
    }

    /// Loads an entry of the table. Moves `cycle` behind the lookups, and says why the core has to wait.
    fn walk_load(
        &mut self,
        own: &mut Translator,
        (level, page): (usize, u64),
        cycle: &mut u64,
        request: Option<Request>,
        shared: &mut Shared,
    ) -> Option<Pause> {
        let entry = own.tlbs.table().entry(level, page);
        let line = self.caches.as_ref()?.line(entry);
        let found = match self.look_into_caches((entry, 1, self.source_line_of(request)), false, *cycle, shared)? {
            Ok(found) => found,
            Err(pause) => return Some(pause),
        };
        let depth = match found {
            Lookup::Hit(depth) => depth,
            Lookup::Ask(_) => usize::MAX - 1,
            Lookup::Stall => {
                self.stage = Stage::Stalled;
                return Some(Pause::Blocked);
            }
        };
        own.tlbs.count_load();
        *cycle += self.levels.all(Kind::Read) - self.levels.behind(Kind::Read, depth + 1);
        if let Lookup::Ask(transaction) = found {
            self.stage = Stage::Waiting(Pending { line, write: false, request });
            return Some(Pause::Ask { command: Command::Coherent(transaction), line, cycle: *cycle });
        }
        let leaves = self.caches.as_ref()?.is_leaving();
        leaves.then(|| Pause::Walked { cycle: *cycle + self.levels.behind(Kind::Read, depth + 1) })
    }

    /// Of a core with a store buffer: the lookups of stores that come before one of the access in progress, after those at which it began.
    fn drain_before(&mut self, cycles: Range<u64>, shared: &mut Shared, limit: u64) -> Option<Pause> {
        if cycles.is_empty() || self.buffer.is_none() {
            return None;
        }
        self.drain_until(cycles.end, shared, limit)
    }

    /// The address of the access in progress is translated, or that is forgotten: the access is over.
    pub(super) fn set_translated(&mut self, is_translated: bool) {
        if let Some(own) = &mut self.translator {
            own.progress = if is_translated { Progress::Over } else { Progress::None };
        }
    }

    /// A load that a walk waited for is there: the access goes on with its walk.
    pub(super) fn go_on_walking(&mut self, request: Option<Request>) {
        self.stage = request.map_or(Stage::References, Stage::Synchronise);
        self.go_back();
    }

    /// What the access in progress costs before its lookups is paid: it is made again at the local time.
    pub(super) fn go_back(&mut self) {
        self.cycle = self.cycle.wrapping_sub(self.cost_in_progress());
    }
}
