//! What a phase gives: its time, every counter by its path, costs by source line, utilisation over time.

mod network;

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use indexmap::IndexMap;

use super::{PhaseError, Simulation};
use crate::base::time::Time;
use crate::components::backing::Backing;
use crate::components::causes::{Cause, Causes};
use crate::components::core::{Core, LineStacks, PrefetchCounters, Totals};
use crate::components::hierarchy::{CacheCounters, PrivateCaches};
use crate::components::llc::LlcCounters;
use crate::components::memory::MemoryCounters;
use crate::components::owner::{Owner, Stack};
use crate::components::part::Part;
use crate::components::snooping::{InterconnectCounters, Transport};
use crate::components::spec::{Holds, MemorySpec, NodeSpec};
use crate::components::traffic::TrafficCounters;
use crate::components::translation::Translation;
use crate::machine::attraction::Demand;

/// Stretches of a utilisation timeline.
const STRETCHES: usize = 100;

/// Which core of which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorePlace {
    pub node: usize,
    pub core: usize,
}

impl fmt::Display for CorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node[{}].core[{}]", self.node, self.core)
    }
}

/// What one phase did.
#[derive(Clone, Debug)]
pub struct PhaseReport {
    /// From the common beginning to the last arrival.
    pub time: Time,
    /// Every counter by its path: `node[0].core[1].l1d.read_misses`.
    pub metrics: IndexMap<String, u64>,
    /// Time of all cores by source line and owner. Idle time, which belongs to no line, is under line 0.
    pub lines: LineStacks,
    /// Misses of data in the cores' first levels by source line and cause.
    pub causes: BTreeMap<u32, Causes>,
    /// Each core's time by owner.
    pub stacks: Vec<Stack>,
    /// The busy share of 100 equally long stretches of the phase, by what was busy.
    pub timelines: IndexMap<String, Vec<f64>>,
    /// Operations, accesses, float operations and bytes of all cores.
    pub totals: Totals,
    /// Messages between parts.
    pub messages: u64,
}

/// What traffic sources met.
#[derive(Clone, Debug)]
pub struct TrafficReport {
    /// From the beginning to the end of the last request.
    pub time: Time,
    /// By source.
    pub sources: Vec<TrafficCounters>,
    /// Time in which the data bus moved data.
    pub data_bus_busy: Time,
    /// Counters of the interconnect and the memory by their paths.
    pub metrics: IndexMap<String, u64>,
    /// The busy share of 100 equally long stretches, by what was busy.
    pub timelines: IndexMap<String, Vec<f64>>,
    /// Messages between parts.
    pub messages: u64,
}

impl Simulation {
    /// What a phase did that began at a cycle of the cores' clock and ended at an instant.
    pub(super) fn report(&self, cycle: u64, end: Time, messages: u64) -> Result<PhaseReport, PhaseError> {
        let begin = self.spec.node.core.clock.edge(cycle);
        let mut report = PhaseReport::new(end - begin, self.engine.messages() - messages);
        for (number, core) in self.cores().enumerate() {
            let lines = self.core_lines(core, cycle, end)?;
            self.report_core(self.place(number), core, begin, &lines, &mut report);
        }
        self.report_shared(end, &mut report);
        self.report_rows(&mut report);
        Ok(report)
    }

    /// Which core of which node the core of a number in the machine is.
    fn place(&self, number: usize) -> CorePlace {
        let cores = self.spec.node.cores as usize;
        CorePlace { node: number / cores, core: number % cores }
    }

    /// What the cores have in common.
    pub(super) fn report_shared(&self, end: Time, report: &mut PhaseReport) {
        if let Some(demand) = Demand::of(&self.spec, &self.program.code) {
            report.demand(demand);
        }
        let mut node = [0; 5];
        let mut next = |kind: usize| {
            node[kind] += 1;
            node[kind] - 1
        };
        for part in self.engine.parts() {
            match part {
                Part::Snooping(snooping) => report.interconnect(next(0), snooping.counters(), Some(snooping.transport()), end),
                Part::Ideal(ideal) => report.interconnect(next(0), ideal.counters(), None, end),
                Part::Carrier(carrier) => report.carrier(next(0), carrier, end),
                Part::Llc(llc) => report.llc(next(1), llc.counters(), end, llc.n_banks()),
                // What is counted of attraction memories is counted where caches are.
                Part::Memory(_) if self.spec.node.memory == MemorySpec::Attraction => {}
                Part::Memory(memory) => report.memory(next(2), memory.counters(), end, self.spec.node.memory.channels()),
                Part::Home(home) => {
                    let node = next(3);
                    let shared = self.shared[0].borrow();
                    let pages = shared.homes.as_ref().and_then(|homes| homes.pages().get(node).copied());
                    report.home(node, home.counters(), pages.unwrap_or(0));
                    if self.spec.node.memory == MemorySpec::Attraction {
                        report.attraction(node, home.counters());
                    }
                }
                Part::Interface(interface) => report.interface(next(4), interface.counters()),
                Part::Network(network) => report.network(network, end),
                Part::Core(_) | Part::Replay(_) | Part::Source(_) => {}
            }
        }
    }

    /// A core's time by line and owner; idle from its finish to the end, or all the time where it had no thread.
    fn core_lines(&self, core: &Core, cycle: u64, end: Time) -> Result<LineStacks, PhaseError> {
        let clock = self.spec.node.core.clock;
        let finish = core.finished();
        let last = finish.map_or(cycle, |time| clock.cycle_at(time));
        let inner = self.spec.node.first_data_latency();
        let mut lines = core.account().stacks(&self.program.table, core.window(), clock, inner, (cycle, last))?;
        let idle = end.saturating_sub(clock.edge(last));
        lines.entry(0).or_default().add(Owner::Idle, idle);
        Ok(lines)
    }

    pub(super) fn core_totals(&self, core: &Core) -> Totals {
        let code = &self.program.code;
        let bytes_of_block = |block: u32| code.block(block).last().map_or(0, |instruction| code.bytes(instruction));
        core.account().totals(&self.program.table, bytes_of_block)
    }

    fn report_core(&self, place: CorePlace, core: &Core, begin: Time, lines: &LineStacks, report: &mut PhaseReport) {
        let totals = self.core_totals(core);
        let mut stack = Stack::default();
        for (&line, of_line) in lines {
            stack.merge(of_line);
            report.lines.entry(line).or_default().merge(of_line);
        }
        let path = place.to_string();
        match core.replayed() {
            Some(references) => report.trace(place, references),
            None => {
                report.totals.add(&totals);
                let counted = [("operations", totals.operations), ("accesses", totals.accesses), ("flops", totals.flops)];
                report.insert(&path, &counted);
            }
        }
        report.core_time(place, core.finished().map_or(Time::ZERO, |time| time - begin), &stack);
        if let Some(window) = core.window() {
            let counted =
                [("branches", window.branches), ("mispredictions", window.mispredictions), ("forwarded_loads", window.forwarded)];
            report.insert(&path, &counted);
        }
        if core.predicts() {
            let account = core.account();
            report.insert(&path, &[("branches", account.branches), ("mispredictions", account.mispredictions)]);
        }
        if let Some(forwarded) = core.forwarded() {
            report.insert(&path, &[("forwarded_loads", forwarded)]);
        }
        report.stacks.push(stack);
        let coherent = core.caches().into_iter().flat_map(|caches| caches.causes_by_line());
        for (&line, causes) in coherent.chain(&core.account().causes) {
            let sum = report.causes.entry(line).or_default();
            sum.iter_mut().zip(causes).for_each(|(sum, count)| *sum += count);
        }
        if let Some(caches) = core.caches() {
            report.coherent_caches(place, &self.spec.node, caches);
        }
        let first = self.spec.node.caches.iter().find(|cache| cache.holds.includes(Holds::Data));
        if let (Some(prefetched), Some(first)) = (core.prefetched(), first) {
            report.prefetches(&format!("{path}.{}", first.name.to_lowercase()), &prefetched);
        }
        if let Some(caches) = core.plain_caches() {
            report.plain_caches(place, &self.spec.node, caches);
        }
        if let Some(tlbs) = core.translation() {
            report.translation(&path, tlbs);
        }
    }

    pub(super) fn report_traffic(&self, begin: Time, messages: u64) -> TrafficReport {
        let end = self.engine.now();
        let mut shared = PhaseReport::new(end - begin, self.engine.messages() - messages);
        self.report_shared(end, &mut shared);
        let sources = self.engine.parts().iter().filter_map(|part| match part {
            Part::Source(source) => Some(*source.counters()),
            _ => None,
        });
        let busy = shared.metrics.get("node[0].interconnect.busy_ps").copied().unwrap_or(0);
        TrafficReport {
            time: shared.time,
            sources: sources.collect(),
            data_bus_busy: Time(busy),
            metrics: shared.metrics,
            timelines: shared.timelines,
            messages: shared.messages,
        }
    }
}

impl PhaseReport {
    pub(super) fn new(time: Time, messages: u64) -> PhaseReport {
        PhaseReport {
            time,
            metrics: IndexMap::new(),
            lines: BTreeMap::new(),
            causes: BTreeMap::new(),
            stacks: Vec::new(),
            timelines: IndexMap::new(),
            totals: Totals::default(),
            messages,
        }
    }

    pub(super) fn insert(&mut self, path: &str, values: &[(&str, u64)]) {
        for (name, value) in values {
            self.metrics.insert(format!("{path}.{name}"), *value);
        }
    }

    /// When a core's part was over, and its time by owner.
    pub(super) fn core_time(&mut self, path: impl Display, finish: Time, stack: &Stack) {
        self.metrics.insert(format!("{path}.finish_ps"), finish.0);
        for (name, owner) in Owner::ALL {
            self.metrics.insert(format!("{path}.stack.{name}_ps"), stack.of(owner).0);
        }
    }

    /// What the coherent caches of a core counted.
    pub(super) fn coherent_caches(&mut self, place: CorePlace, spec: &NodeSpec, caches: &PrivateCaches) {
        for (level, spec) in caches.levels().zip(&spec.caches) {
            self.cache(&format!("{place}.{}", spec.name.to_lowercase()), &level.counters);
        }
    }

    fn cache(&mut self, path: &str, counters: &CacheCounters) {
        self.insert(
            path,
            &[
                ("accesses", counters.hits + counters.misses() + counters.merged),
                ("hits", counters.hits),
                ("misses", counters.misses()),
                ("read_misses", counters.read_misses),
                ("write_misses", counters.write_misses),
                ("fetch_misses", counters.fetch_misses),
                ("evictions", counters.evictions),
                ("writebacks", counters.writebacks),
                ("bytes_read", counters.bytes_read),
                ("bytes_written", counters.bytes_written),
                ("invalidations", counters.invalidations),
                ("upgrades", counters.upgrades),
                ("merged_misses", counters.merged),
            ],
        );
        self.causes(path, &counters.causes);
    }

    /// Misses by cause.
    pub(super) fn causes(&mut self, path: &str, causes: &Causes) {
        for (name, cause) in Cause::ALL {
            self.metrics.insert(format!("{path}.{name}"), causes[cause as usize]);
        }
    }

    fn prefetches(&mut self, path: &str, counters: &PrefetchCounters) {
        self.insert(
            path,
            &[
                ("prefetches", counters.issued),
                ("prefetches_useful", counters.useful),
                ("prefetches_late", counters.late),
                ("prefetches_useless", counters.useless),
                ("prefetches_dropped", counters.dropped),
            ],
        );
    }

    /// What a core's TLBs and walks counted.
    pub(super) fn translation(&mut self, path: &str, tlbs: &Translation) {
        for (level, counters) in (1..).zip(tlbs.counters()) {
            let misses = counters.accesses - counters.hits;
            let counted = [("accesses", counters.accesses), ("hits", counters.hits), ("misses", misses)];
            self.insert(&format!("{path}.tlb.l{level}"), &counted);
        }
        let walks = tlbs.walks();
        let counted = [("walks", walks.walks), ("walk_loads", walks.loads), ("merged_walks", walks.merged)];
        self.insert(&format!("{path}.tlb"), &counted);
    }

    fn interconnect(&mut self, node: usize, counters: &InterconnectCounters, transport: Option<&Transport>, end: Time) {
        let busiest = transport.map(|transport| {
            // Of equal ones the first. A bus is its only link, on which all data go.
            let links = transport.links().iter().rev().map(|link| &link.used);
            links.max_by_key(|used| used.until(end).busy).unwrap_or(&counters.data)
        });
        let path = format!("node[{node}].interconnect");
        self.insert(
            &path,
            &[
                ("busy_ps", busiest.map_or(Time::ZERO, |used| used.until(end).busy).0),
                ("address_busy_ps", counters.address_busy.0),
                ("wait_ps", counters.wait.0),
            ],
        );
        self.transactions(&path, counters, end);
        for (transport, number, link) in transport
            .into_iter()
            .flat_map(|transport| (0..).zip(transport.links()).map(move |(number, link)| (transport, number, link)))
        {
            let used = link.used.until(end);
            self.insert(&format!("{path}.{}", transport.link_name(number)), &[("busy_ps", used.busy.0), ("bytes", used.bytes)]);
        }
        let shares = busiest.unwrap_or(&counters.data).shares(end, STRETCHES, 1);
        self.timelines.insert(path, shares);
    }

    /// What the interconnect carried up to an instant.
    pub(super) fn transactions(&mut self, path: &str, counters: &InterconnectCounters, end: Time) {
        self.insert(
            path,
            &[
                ("transactions", counters.transactions()),
                ("bus_rd", counters.bus_rd),
                ("bus_rdx", counters.bus_rdx),
                ("bus_upgr", counters.bus_upgr),
                ("bus_wb", counters.bus_wb),
                ("bus_upd", counters.bus_upd),
                ("uncached", counters.uncached),
                ("flushes", counters.flushes),
                ("supplies", counters.supplies),
                ("bytes", counters.data.until(end).bytes),
            ],
        );
    }

    fn llc(&mut self, node: usize, counters: &LlcCounters, end: Time, banks: u32) {
        let path = &format!("node[{node}].llc");
        self.llc_counts(path, counters);
        self.insert(path, &[("busy_ps", counters.banks.until(end).busy.0), ("wait_ps", counters.wait.0)]);
        self.causes(path, &counters.causes);
        self.timelines.insert(path.to_string(), counters.banks.shares(end, STRETCHES, banks));
    }

    fn llc_counts(&mut self, path: &str, counters: &LlcCounters) {
        self.insert(
            path,
            &[
                ("accesses", counters.accesses()),
                ("hits", counters.hits),
                ("misses", counters.misses()),
                ("read_misses", counters.read_misses),
                ("write_misses", counters.write_misses),
                ("fetch_misses", 0),
                ("evictions", counters.evictions),
                ("writebacks", counters.writebacks),
                ("bytes_read", counters.bytes_read),
                ("bytes_written", counters.bytes_written),
                ("merged_misses", counters.merged),
                ("bytes_supplied", counters.bytes_supplied),
                ("bytes_taken", counters.bytes_taken),
            ],
        );
    }

    /// What is behind the private caches, without time.
    pub(super) fn backing(&mut self, backing: &Backing) {
        if let Some(llc) = backing.llc() {
            self.llc_counts("node[0].llc", &llc.counters);
            self.causes("node[0].llc", &llc.counters.causes);
        }
        let counters = backing.counters();
        self.insert(
            "node[0].memory",
            &[
                ("reads", counters.reads),
                ("writes", counters.writes),
                ("bytes_read", counters.bytes_read),
                ("bytes_written", counters.bytes_written),
            ],
        );
    }

    fn memory(&mut self, node: usize, counters: &MemoryCounters, end: Time, channels: u32) {
        let path = format!("node[{node}].memory");
        let (reads, writes) = (counters.reads.until(end), counters.writes.until(end));
        self.insert(
            &path,
            &[
                ("reads", reads.services),
                ("writes", writes.services),
                ("bytes_read", reads.bytes),
                ("bytes_written", writes.bytes),
                ("busy_ps", reads.busy.0 + writes.busy.0),
                ("wait_ps", counters.wait.0),
            ],
        );
        let mut shares = counters.reads.shares(end, STRETCHES, channels);
        for (share, writing) in shares.iter_mut().zip(counters.writes.shares(end, STRETCHES, channels)) {
            *share = (*share + writing).min(1.0);
        }
        self.timelines.insert(path, shares);
    }
}
