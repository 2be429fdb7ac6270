//! What lies behind the private caches, without time: the cache that cores share, where there is one, and memory.

use rustc_hash::FxHashMap;

use crate::base::address::{Address, Line};
use crate::base::random::stream;
use crate::components::llc::Lines;
use crate::components::plain::Transfer;
use crate::components::spec::{LlcSpec, NodeSpec};

/// What went to memory and came from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackingCounters {
    pub reads: u64,
    pub writes: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
}

/// The shared cache and memory.
#[derive(Clone, Debug)]
pub struct Backing {
    llc: Option<Lines>,
    llc_line_bytes: u32,
    /// Bytes of what a request's line number counts.
    unit_bytes: u64,
    /// The version of memory's copy, where versions are kept.
    versions: Option<FxHashMap<Line, u64>>,
    counters: BackingCounters,
}

impl Backing {
    /// Of a node, the shared cache empty; `versions` says whether those of lines are kept.
    pub fn new(spec: &NodeSpec, versions: bool) -> Backing {
        let lines = |llc: &LlcSpec| Lines::new(&llc.cache, versions, stream(spec.seed, "node[0].llc"));
        Backing {
            llc: spec.llc.as_ref().map(lines),
            llc_line_bytes: spec.llc.as_ref().map_or(0, |llc| llc.cache.line_bytes),
            unit_bytes: u64::from(spec.outermost_line_bytes()),
            versions: versions.then(FxHashMap::default),
            counters: BackingCounters::default(),
        }
    }

    /// The shared cache, where there is one.
    pub fn llc(&self) -> Option<&Lines> {
        self.llc.as_ref()
    }

    /// What memory counted.
    pub fn counters(&self) -> &BackingCounters {
        &self.counters
    }

    /// Carries out what caches without coherence ask of it.
    pub fn transfer(&mut self, transfers: &[Transfer]) {
        for &Transfer { address, bytes, write, .. } in transfers {
            let line = self.unit_of(address);
            match write {
                true => self.write(line, bytes, 0),
                false => _ = self.read(line, bytes),
            }
        }
    }

    fn unit_of(&self, address: Address) -> Line {
        address / self.unit_bytes
    }

    /// Bytes from the beginning of a line are read: the version that they have.
    pub fn read(&mut self, line: Line, bytes: u32) -> u64 {
        let Some(mut llc) = self.llc.take() else { return self.read_memory(line, bytes) };
        let mut version = 0;
        for (line, _) in llc.of_request(line, self.unit_bytes, bytes) {
            version = match llc.hit(line, None) {
                Some(version) => version,
                None => {
                    llc.miss(line, false);
                    self.fill(&mut llc, line, false)
                }
            };
        }
        llc.counters.bytes_supplied += u64::from(bytes);
        self.llc = Some(llc);
        version
    }

    /// Bytes from the beginning of a line are written, which has a version then.
    pub fn write(&mut self, line: Line, bytes: u32, version: u64) {
        let Some(mut llc) = self.llc.take() else { return self.write_memory(line, bytes, version) };
        for (line, whole) in llc.of_request(line, self.unit_bytes, bytes) {
            if llc.hit(line, Some(version)).is_some() {
                continue;
            }
            llc.miss(line, true);
            match whole {
                true => self.insert(&mut llc, line, true, version),
                false => _ = self.fill(&mut llc, line, true),
            }
        }
        llc.counters.bytes_taken += u64::from(bytes);
        self.llc = Some(llc);
    }

    /// The shared cache fetches a line from memory, a part of which may have been written. Returns its version.
    fn fill(&mut self, llc: &mut Lines, line: Line, written: bool) -> u64 {
        let version = self.read_memory(line, self.llc_line_bytes);
        llc.counters.bytes_read += u64::from(self.llc_line_bytes);
        self.insert(llc, line, written, version);
        version
    }

    fn insert(&mut self, llc: &mut Lines, line: Line, dirty: bool, version: u64) {
        if let Some((victim, version)) = llc.insert(line, dirty, version) {
            self.write_memory(victim, self.llc_line_bytes, version);
        }
    }

    fn read_memory(&mut self, line: Line, bytes: u32) -> u64 {
        self.counters.reads += 1;
        self.counters.bytes_read += u64::from(bytes);
        self.versions.as_ref().and_then(|versions| versions.get(&line).copied()).unwrap_or(0)
    }

    fn write_memory(&mut self, line: Line, bytes: u32, version: u64) {
        self.counters.writes += 1;
        self.counters.bytes_written += u64::from(bytes);
        if let Some(versions) = &mut self.versions {
            versions.insert(line, version);
        }
    }
}
