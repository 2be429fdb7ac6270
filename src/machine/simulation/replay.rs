//! A node that replays a memory trace in place of a program: with time, or only to count.

use super::{Node, PhaseError, PhaseReport};
use crate::base::time::Time;
use crate::components::owner::Owner;
use crate::components::part::Part;
use crate::components::plain::{PlainCaches, PlainCounters};
use crate::components::spec::{NodeSpec, SpecFault};
use crate::components::trace::{BATCH, Entries, Entry, Kind};
use crate::machine::wire::Load;

/// The references of a trace by [`Kind`] as a number.
pub type KindCounts = [u64; 3];

/// What cannot replay a trace on this node.
pub(super) fn faults(spec: &NodeSpec) -> Vec<SpecFault> {
    let mut faults = spec.faults();
    if !spec.is_plain() {
        faults.push(SpecFault {
            key: "protocol".to_string(),
            message: "a trace cannot be run through coherent caches yet".to_string(),
            help: Some(
                "write `protocol = \"none\"`, or `--set address_space.protocol=none`, on a machine with one core".to_string(),
            ),
        });
    } else if spec.cores > 1 {
        faults.push(SpecFault {
            key: "cores".to_string(),
            message: format!("a trace cannot be run on {} cores yet", spec.cores),
            help: Some("one core runs it: `--set node.cores=1`".to_string()),
        });
    }
    faults
}

/// Runs a trace of at most `limit` references through a node's caches without time: counts, all else 0.
///
/// # Errors
/// What keeps the node from running it, or why it came to no end.
pub fn count(spec: &NodeSpec, entries: &mut dyn Entries, limit: u64) -> Result<Result<PhaseReport, PhaseError>, Vec<SpecFault>> {
    let mut faults = faults(spec);
    if spec.llc.is_some() {
        faults.push(SpecFault {
            key: "cache.LLC".to_string(),
            message: "counting without time leaves out a cache that cores share: what it meets hangs on when it is asked"
                .to_string(),
            help: Some("run the trace with time, or make the LLC the last private level: an L2 or L3".to_string()),
        });
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut caches = PlainCaches::new(&spec.caches, |cache| spec.cache_stream(0, cache));
    let mut memory = MemoryCounts::default();
    Ok(count_into(&mut caches, &mut memory, entries, limit).map(|(kinds, bytes)| {
        let mut report = PhaseReport::new(Time::ZERO, 0);
        report.trace(kinds, bytes);
        report.plain_caches(spec, &caches);
        report.insert(
            "node[0].memory",
            &[
                ("reads", memory.reads),
                ("writes", memory.writes),
                ("bytes_read", memory.bytes_read),
                ("bytes_written", memory.bytes_written),
            ],
        );
        report
    }))
}

impl Node {
    /// A node whose core replays a trace of at most `limit` references.
    ///
    /// # Errors
    /// What keeps the node from running it.
    pub fn with_trace(spec: &NodeSpec, entries: Box<dyn Entries>, limit: u64) -> Result<Node, Vec<SpecFault>> {
        let faults = faults(spec);
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut node = Node::without_program(spec, Load::Trace(entries, limit));
        node.limit_operations(limit);
        Ok(node)
    }

    /// Replays the trace, up to the instant at which memory has all that was written. Returns a checksum of its references, too.
    ///
    /// # Errors
    /// Why it came to no end.
    pub fn run_trace(&mut self) -> Result<(PhaseReport, u64), PhaseError> {
        let begin = self.engine.now();
        let messages = self.engine.messages();
        self.begin(begin, |_, _| {});
        self.engine.start(self.places.core(0), begin, 0);
        self.go_on(0)?;
        let parts = self.engine.parts();
        let Some(replay) = parts.iter().find_map(|part| if let Part::Replay(replay) = part { Some(replay) } else { None }) else {
            return Err(PhaseError::NotConserved("the trace is lost".to_string()));
        };
        let last_service = parts.iter().map(|part| match part {
            Part::Memory(memory) => memory.counters().reads.end().max(memory.counters().writes.end()),
            Part::Llc(llc) => llc.counters().banks.end(),
            Part::Snooping(snooping) => snooping.counters().data.end(),
            Part::Ideal(ideal) => ideal.counters().data.end(),
            _ => begin,
        });
        let end = last_service.fold(replay.finished(), Time::max);
        let mut report = PhaseReport::new(end - begin, self.engine.messages() - messages);
        let counters = replay.counters();
        report.trace(counters.kinds, counters.bytes);
        let mut stack = replay.stack().map_err(PhaseError::NotConserved)?;
        stack.add(Owner::Idle, end - replay.finished());
        report.core_time(0, replay.finished() - begin, &stack);
        report.plain_caches(&self.spec, replay.caches());
        report.lines.insert(0, stack);
        report.stacks.push(stack);
        self.report_shared(end, &mut report);
        self.check_trace(&report)?;
        Ok((report, replay.checksum()))
    }
}

/// What went to memory and came from it.
#[derive(Clone, Copy, Debug, Default)]
struct MemoryCounts {
    reads: u64,
    writes: u64,
    bytes_read: u64,
    bytes_written: u64,
}

impl MemoryCounts {
    fn add(&mut self, caches: &PlainCaches) {
        for transfer in caches.transfers() {
            let bytes = u64::from(transfer.bytes);
            if transfer.write {
                self.writes += 1;
                self.bytes_written += bytes;
            } else {
                self.reads += 1;
                self.bytes_read += bytes;
            }
        }
    }
}

/// References by kind, and the bytes of those that are of data.
fn count_into(
    caches: &mut PlainCaches,
    memory: &mut MemoryCounts,
    entries: &mut dyn Entries,
    limit: u64,
) -> Result<(KindCounts, u64), PhaseError> {
    let mut batch: Vec<Entry> = Vec::with_capacity(BATCH + 1);
    let (mut kinds, mut bytes) = (KindCounts::default(), 0);
    loop {
        entries.refill(&mut batch).map_err(PhaseError::Trace)?;
        if batch.is_empty() {
            return Ok((kinds, bytes));
        }
        for entry in &batch {
            kinds[entry.kind as usize] += 1;
            bytes += if entry.kind == Kind::Fetch { 0 } else { u64::from(entry.bytes) };
            if !caches.touch(entry.kind, entry.address, entry.bytes) {
                caches.access(entry.kind, entry.address, entry.bytes);
                memory.add(caches);
            }
        }
        if kinds.iter().sum::<u64>() > limit {
            return Err(PhaseError::OperationLimit { limit, lines: Vec::new() });
        }
    }
}

impl PhaseReport {
    /// The references of a trace. An instruction fetch is an operation, the others are accesses.
    pub(super) fn trace(&mut self, kinds: KindCounts, bytes: u64) {
        let [fetches, reads, writes] = kinds;
        self.totals.operations = fetches;
        self.totals.accesses = reads + writes;
        self.totals.bytes = bytes;
        self.insert(
            "node[0].core[0]",
            &[("operations", fetches), ("accesses", reads + writes), ("fetches", fetches), ("reads", reads), ("writes", writes)],
        );
    }

    /// What the plain caches of the only core counted.
    pub(super) fn plain_caches(&mut self, spec: &NodeSpec, caches: &PlainCaches) {
        let at_end = caches.dirty_lines().zip(caches.flushed_writebacks());
        for ((cache, counters), at_end) in spec.caches.iter().zip(caches.counters()).zip(at_end) {
            self.plain_cache(&format!("node[0].core[0].{}", cache.name.to_lowercase()), counters, at_end);
        }
    }

    fn plain_cache(&mut self, path: &str, counters: &PlainCounters, (dirty_lines, flushed): (u64, u64)) {
        let [fetches, reads, writes] = counters.accesses;
        let [fetch_misses, read_misses, write_misses] = counters.misses;
        self.insert(
            path,
            &[
                ("accesses", counters.all_accesses()),
                ("hits", counters.all_accesses() - counters.all_misses()),
                ("misses", counters.all_misses()),
                ("read_misses", read_misses),
                ("write_misses", write_misses),
                ("fetch_misses", fetch_misses),
                ("evictions", counters.evictions),
                ("writebacks", counters.writebacks),
                ("bytes_read", counters.bytes_read),
                ("bytes_written", counters.bytes_written),
                ("fetches", fetches),
                ("reads", reads),
                ("writes", writes),
                ("dirty_lines", dirty_lines),
                ("writebacks_flushed", flushed),
            ],
        );
        self.causes(path, &counters.causes);
    }
}
