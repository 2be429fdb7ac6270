//! A node that replays a memory trace in place of a program: with time, or only to count.

use super::report::CorePlace;
use super::{PhaseError, PhaseReport, Simulation};
use crate::base::time::Time;
use crate::components::atomic::Atomic;
use crate::components::backing::Backing;
use crate::components::core::code_of_trace;
use crate::components::owner::Owner;
use crate::components::part::Part;
use crate::components::plain::{PlainCaches, PlainCounters};
use crate::components::predictor::PredictorSpec;
use crate::components::shared::Interruption;
use crate::components::spec::{Holds, NodeSpec, SpecFault};
use crate::components::trace::{BATCH, END, Entries, Entry, Kind, TraceCounters};
use crate::components::translation::{ENTRY_BYTES, Translator};
use crate::machine::wire::Load;

/// What cannot replay a trace in time on this node: a trace knows neither what an operation depends on nor which are branches.
fn faults(spec: &NodeSpec) -> Vec<SpecFault> {
    let mut faults = spec.faults();
    if spec.core.out_of_order.is_some() {
        faults.push(SpecFault {
            key: "core.kind".to_string(),
            message: "a trace does not say which operations depend on which: it cannot be run in time on an out-of-order core"
                .to_string(),
            help: Some(
                "make the core in-order: `--set node.core.part=in-order-scalar`; or count without time: `--functional`".to_string(),
            ),
        });
    }
    if spec.core.branches.is_some_and(|branches| branches.predictor != PredictorSpec::Perfect) {
        faults.push(SpecFault {
            key: "core.predictor".to_string(),
            message: "a trace does not say which instructions are branches: there is nothing to predict".to_string(),
            help: Some(
                "let it foretell all: `--set node.core.predictor.kind=perfect`; or count without time: `--functional`".to_string(),
            ),
        });
    }
    faults
}

/// Runs a trace of at most `limit` references through a node's caches without time: counts, all else 0. References are made in the order
/// of the trace, each with all that follows from it; how cores execute makes no difference.
///
/// # Errors
/// What keeps the node from running it, or why it came to no end.
pub fn count(spec: &NodeSpec, entries: &mut dyn Entries, limit: u64) -> Result<Result<PhaseReport, PhaseError>, Vec<SpecFault>> {
    let mut faults = spec.faults();
    if spec.prefetcher.is_some() {
        let first = spec.caches.iter().find(|cache| cache.holds.includes(Holds::Data)).map_or("L1d", |cache| &cache.name);
        faults.push(SpecFault {
            key: format!("cache.{first}.prefetcher"),
            message: "without time there is no telling which prefetches come in time".to_string(),
            help: Some(format!("leave out `[node.cache.{first}.prefetcher]`, or run the trace with time")),
        });
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(match Atomic::new(spec) {
        Some(caches) => count_coherent(spec, caches, entries, limit),
        None => count_plain(spec, entries, limit),
    })
}

/// Calls `make` for each reference of a trace of at most `limit`. Returns what each core made.
#[inline(always)]
fn for_each(
    cores: u32,
    entries: &mut dyn Entries,
    limit: u64,
    mut make: impl FnMut(&Entry) -> Result<(), Interruption>,
) -> Result<Vec<TraceCounters>, PhaseError> {
    let mut batch: Vec<Entry> = Vec::with_capacity(BATCH + 1);
    let mut references = vec![TraceCounters::default(); cores as usize];
    let mut left = limit;
    loop {
        entries.refill(&mut batch).map_err(PhaseError::Trace)?;
        if batch.is_empty() {
            return Ok(references);
        }
        for entry in &batch {
            references[usize::from(entry.core)].count(entry);
            make(entry).map_err(|interruption| PhaseError::interrupted(interruption, limit))?;
        }
        left = left.checked_sub(batch.len() as u64).ok_or(PhaseError::OperationLimit { limit, lines: Vec::new() })?;
    }
}

fn count_plain(spec: &NodeSpec, entries: &mut dyn Entries, limit: u64) -> Result<PhaseReport, PhaseError> {
    // Several cores have no caches: then there is nothing to tell them apart.
    let mut caches = PlainCaches::new(&spec.caches, |cache| spec.cache_stream(0, cache));
    let mut translator = Translator::new(0, spec, END);
    let mut backing = Backing::new(spec, false);
    let references = for_each(spec.cores, entries, limit, |entry| {
        if let Some(own) = translator.as_mut().filter(|_| entry.kind != Kind::Fetch) {
            count_translation(own, *entry, &mut caches, &mut backing);
        }
        if !caches.touch(entry.kind, entry.address, entry.bytes) {
            caches.access(entry.kind, entry.address, entry.bytes);
            backing.transfer(caches.transfers());
        }
        Ok(())
    })?;
    let mut report = PhaseReport::new(Time::ZERO, 0);
    for (number, references) in references.iter().enumerate() {
        report.trace(CorePlace { node: 0, core: number }, references);
    }
    let only = CorePlace { node: 0, core: 0 };
    report.plain_caches(only, spec, &caches);
    if let Some(own) = &translator {
        report.translation(&only.to_string(), &own.tlbs);
    }
    report.backing(&backing);
    Ok(report)
}

fn count_coherent(spec: &NodeSpec, mut caches: Atomic, entries: &mut dyn Entries, limit: u64) -> Result<PhaseReport, PhaseError> {
    let references = for_each(spec.cores, entries, limit, |entry| caches.refer(entry))?;
    let mut report = PhaseReport::new(Time::ZERO, 0);
    let cores = references.iter().zip(caches.caches()).zip(caches.translators());
    for (number, ((references, of_core), translator)) in cores.enumerate() {
        let place = CorePlace { node: 0, core: number };
        report.trace(place, references);
        report.coherent_caches(place, spec, of_core);
        if let Some(own) = translator {
            report.translation(&place.to_string(), &own.tlbs);
        }
    }
    report.transactions("node[0].interconnect", caches.counters(), Time::NEVER);
    report.backing(caches.backing());
    report.rows(0, spec, caches.shared());
    Ok(report)
}

/// The walks of a reference's pages.
fn count_translation(own: &mut Translator, entry: Entry, caches: &mut PlainCaches, backing: &mut Backing) {
    for page in own.tlbs.page(entry.address)..=own.tlbs.page(entry.address + u64::from(entry.bytes) - 1) {
        let (_, level) = own.begin(page);
        for level in level..own.tlbs.table().depth() {
            caches.access(Kind::Read, own.load(level, page), ENTRY_BYTES as u16);
            backing.transfer(caches.transfers());
        }
        own.end(page);
    }
}

impl Simulation {
    /// A node whose cores replay a trace of at most `limit` references in all; `entries` are those of each core.
    ///
    /// # Errors
    /// What keeps the node from running it.
    pub fn with_trace(spec: &NodeSpec, entries: Vec<Box<dyn Entries>>, limit: u64) -> Result<Simulation, Vec<SpecFault>> {
        let faults = faults(spec);
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut node = Simulation::without_program(spec, code_of_trace(spec.cores), Load::Trace(entries));
        node.limit_operations(limit);
        Ok(node)
    }

    /// Replays the trace, up to the last arrival of a core, or, on a node without coherence, up to the instant at which memory has all
    /// that was written.
    ///
    /// # Errors
    /// Why it came to no end.
    pub fn run_trace(&mut self) -> Result<PhaseReport, PhaseError> {
        if !self.spec.node.is_plain() {
            let function = self.program.code.functions[0].clone();
            return self.run(&function);
        }
        let begin = self.engine.now();
        let messages = self.engine.messages();
        self.begin(begin, |_, _| {});
        self.standing.begin(0, begin, self.operation_limit);
        for number in 0..self.spec.node.cores {
            self.engine.start(self.places.core(number), begin, 0);
        }
        self.go_on(0)?;
        let parts = self.engine.parts();
        let last_service = parts.iter().map(|part| match part {
            Part::Memory(memory) => memory.counters().reads.end().max(memory.counters().writes.end()),
            Part::Llc(llc) => llc.counters().banks.end(),
            Part::Snooping(snooping) => snooping.counters().data.end(),
            Part::Ideal(ideal) => ideal.counters().data.end(),
            Part::Replay(replay) => replay.finished(),
            _ => begin,
        });
        let end = last_service.fold(begin, Time::max);
        let mut report = PhaseReport::new(end - begin, self.engine.messages() - messages);
        let replays = parts.iter().filter_map(|part| if let Part::Replay(replay) = part { Some(replay) } else { None });
        for (number, replay) in replays.enumerate() {
            let place = CorePlace { node: 0, core: number };
            report.trace(place, replay.counters());
            let mut stack = replay.stack().map_err(PhaseError::NotConserved)?;
            stack.add(Owner::Idle, end - replay.finished());
            report.core_time(place, replay.finished() - begin, &stack);
            report.plain_caches(place, &self.spec.node, replay.caches());
            if let Some(tlbs) = replay.translation() {
                report.translation(&place.to_string(), tlbs);
            }
            report.lines.entry(0).or_default().merge(&stack);
            report.stacks.push(stack);
        }
        self.report_shared(end, &mut report);
        self.check_trace(&report)?;
        Ok(report)
    }
}

impl PhaseReport {
    /// The references of a core in a trace. An instruction fetch is an operation, the others are accesses.
    pub(super) fn trace(&mut self, place: CorePlace, counters: &TraceCounters) {
        let [fetches, reads, writes] = counters.kinds;
        self.totals.operations += fetches;
        self.totals.accesses += reads + writes;
        self.totals.bytes += counters.bytes;
        self.insert(
            &place.to_string(),
            &[("operations", fetches), ("accesses", reads + writes), ("fetches", fetches), ("reads", reads), ("writes", writes)],
        );
    }

    /// What the plain caches of a core counted.
    pub(super) fn plain_caches(&mut self, place: CorePlace, spec: &NodeSpec, caches: &PlainCaches) {
        let at_end = caches.dirty_lines().zip(caches.flushed_writebacks());
        for ((cache, counters), at_end) in spec.caches.iter().zip(caches.counters()).zip(at_end) {
            self.plain_cache(&format!("{place}.{}", cache.name.to_lowercase()), counters, at_end);
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
