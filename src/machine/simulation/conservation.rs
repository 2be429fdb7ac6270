//! What must hold of the figures of every phase, whatever the program and the machine. A violation is a fault of the model and fails
//! the run.

use super::{PhaseError, PhaseReport, Simulation};
use crate::base::time::Time;
use crate::components::message::WORD_BYTES;
use crate::components::part::Part;
use crate::components::snooping::InterconnectCounters;
use crate::components::spec::{Holds, way};
use crate::components::translation::Translation;

fn same(what: &str, left: u64, right: u64) -> Result<(), PhaseError> {
    if left == right { Ok(()) } else { Err(PhaseError::NotConserved(format!("{what}: {left} and {right}"))) }
}

/// Checks what a core's TLBs counted, and returns the loads of its walks.
fn check_translation(core: usize, looked: u64, tlbs: &Translation) -> Result<u64, PhaseError> {
    let mut expected = looked;
    for (level, counters) in (1..).zip(tlbs.counters()) {
        same(&format!("accesses of core {core}'s TLB {level}, and those that came to it"), counters.accesses, expected)?;
        expected = counters.accesses - counters.hits;
    }
    let walks = tlbs.walks();
    same(&format!("misses of core {core}'s TLBs, and walks"), expected, walks.walks + walks.merged)?;
    same(&format!("loads of core {core}'s walks"), walks.loads, walks.walks * tlbs.table().depth() as u64)?;
    Ok(walks.loads)
}

impl Simulation {
    /// Checks a phase after everything on its way has arrived.
    pub(super) fn check_conservation(&self, report: &PhaseReport) -> Result<(), PhaseError> {
        if let Some(wait) = self.engine.waits().into_iter().next() {
            return Err(PhaseError::NotConserved(format!("after the end, {}", wait.what)));
        }
        for (number, (core, stack)) in self.cores().zip(&report.stacks).enumerate() {
            same(&format!("the stack of core {number} and the phase's time, in ps"), stack.total().0, report.time.0)?;
            let first = self.spec.node.caches.iter().position(|cache| cache.holds.includes(Holds::Data));
            // A load that takes its value from a store before it looks into no cache; where stores wait in a buffer behind the TLBs, it
            // has been translated.
            let all = self.core_totals(core).accesses - core.account().beside;
            let looked = all - core.window().map_or(core.forwarded().unwrap_or(0), |window| window.forwarded);
            let translated = if core.window().is_some() { looked } else { all } - core.translated_before();
            let walk_loads = core.translation().map_or(Ok(0), |tlbs| check_translation(number, translated, tlbs))?;
            if let (Some(caches), Some(first)) = (core.plain_caches(), first) {
                let [fetches, reads, writes] = caches.counters().nth(first).map_or([0; 3], |counters| counters.accesses);
                same("accesses of the core and of its first cache", looked + walk_loads, reads + writes)?;
                if self.spec.node.caches[first].holds == Holds::Both {
                    same("fetches of the core and of its first cache", core.account().fetches, fetches)?;
                }
            }
            if let Some(prefetched) = core.prefetched() {
                same(
                    &format!("lines that core {number} asked for beforehand, and those that came"),
                    prefetched.issued,
                    prefetched.filled,
                )?;
            }
            let Some(caches) = core.caches() else { continue };
            let accesses = looked + walk_loads;
            let levels: Vec<_> = caches.levels().map(|level| &level.counters).zip(&self.spec.node.caches).collect();
            for (place, (counters, spec)) in levels.iter().enumerate() {
                // What a level is asked for is what those inside it lack, and what they pass on.
                let next =
                    |inner: usize| (inner + 1..levels.len()).find(|&outer| levels[outer].1.holds.includes(levels[inner].1.holds));
                let inside = (0..place).filter(|&inner| next(inner) == Some(place));
                let asked: u64 = inside.map(|inner| levels[inner].0.misses() + levels[inner].0.passed_on).sum();
                let is_first = |what| way(&self.spec.node.caches, what).first() == Some(&place);
                let fetches = if is_first(Holds::Instructions) { core.account().fetches } else { 0 };
                let own = fetches + if is_first(Holds::Data) { accesses } else { 0 };
                let counted = counters.hits + counters.misses() + counters.merged;
                same(&format!("hits and misses of core {number}'s {}, and accesses", spec.name), counted, asked + own)?;
                same(
                    &format!("misses of core {number}'s {}, and their causes", spec.name),
                    counters.misses(),
                    counters.causes.iter().sum(),
                )?;
            }
        }
        self.check_bytes()
    }

    /// Checks the replay of a trace, when all is over.
    pub(super) fn check_trace(&self, report: &PhaseReport) -> Result<(), PhaseError> {
        if let Some(wait) = self.engine.waits().into_iter().next() {
            return Err(PhaseError::NotConserved(format!("after the end, {}", wait.what)));
        }
        for stack in &report.stacks {
            same("the stack of the core and the time of the trace, in ps", stack.total().0, report.time.0)?;
        }
        let metric = |name: &str| report.metrics.get(name).copied().unwrap_or(0);
        let memory = metric("node[0].memory.bytes_read") + metric("node[0].memory.bytes_written");
        if self.spec.node.llc.is_none() {
            return same("bytes over the interconnect and of memory", metric("node[0].interconnect.bytes"), memory);
        }
        let metric = |name: &str| metric(&format!("node[0].llc.{name}"));
        same("bytes of the shared cache and of memory", metric("bytes_read") + metric("bytes_written"), memory)
    }

    /// What homes asked of their memories these moved, and what the network was given it delivered.
    fn check_nodes(&self) -> Result<(), PhaseError> {
        let (mut asked, mut moved) = ([0; 2], [0; 2]);
        let mut llcs = [0; 2];
        for part in self.engine.parts() {
            match part {
                Part::Home(home) => {
                    asked[0] += home.counters().bytes_read;
                    asked[1] += home.counters().bytes_written;
                }
                Part::Memory(memory) => {
                    moved[0] += memory.counters().reads.until(Time::NEVER).bytes;
                    moved[1] += memory.counters().writes.until(Time::NEVER).bytes;
                }
                Part::Llc(llc) => {
                    llcs[0] += llc.counters().bytes_supplied;
                    llcs[1] += llc.counters().bytes_taken;
                }
                _ => {}
            }
        }
        if self.spec.node.llc.is_some() {
            moved = llcs;
        }
        same("bytes that homes asked for and memories supplied", asked[0], moved[0])?;
        same("bytes that homes gave and memories took", asked[1], moved[1])?;
        if self.spec.has_directory() { self.check_directories(asked) } else { Ok(()) }
    }

    /// What caches took in came from homes or from other caches, what they gave went there; each request was served and ended.
    fn check_directories(&self, [supplied, taken]: [u64; 2]) -> Result<(), PhaseError> {
        let line = u64::from(self.spec.node.line_bytes());
        let (mut read, mut written) = (0, 0);
        for traffic in self.cores().filter_map(|core| Some(core.caches()?.traffic())) {
            read += traffic.read;
            written += traffic.written;
        }
        let (mut asked, mut served, mut over) = (0, 0, 0);
        let (mut between, mut stale) = (0, 0);
        let (mut injected, mut placed) = (0, 0);
        for part in self.engine.parts() {
            match part {
                Part::Carrier(carrier) => {
                    let counters = carrier.counters();
                    asked += counters.get_s + counters.get_m + counters.upgrade;
                    between += counters.supplies;
                    over += carrier.accesses().iter().map(|accesses| accesses.count).sum::<u64>();
                }
                Part::Home(home) => {
                    served += home.counters().local + home.counters().remote;
                    stale += home.counters().stale;
                    injected += home.counters().fresh + home.counters().injections;
                    placed += home.counters().placed;
                }
                _ => {}
            }
        }
        same("requests of lines that caches made and homes took", asked, served)?;
        same("requests of lines that were made and that were over", asked, over)?;
        same("bytes that caches read and their sources", read, supplied + line * (between + injected))?;
        same("bytes that caches wrote, and who took them", written, taken + line * (between + stale + placed))
    }

    /// What the network was given it delivered, and what ranks sent was received.
    fn check_network(&self) -> Result<(), PhaseError> {
        let (mut sent, mut received) = ([0; 2], [0; 2]);
        for part in self.engine.parts() {
            match part {
                Part::Network(network) => {
                    let counters = network.counters();
                    let (sent, delivered) = (counters.parcels_sent, counters.parcels_delivered);
                    same("parcels that the interconnect was given and delivered", sent, delivered)?;
                    same("bytes that the interconnect was given and delivered", counters.bytes_sent, counters.bytes_delivered)?;
                }
                Part::Interface(interface) => {
                    let counters = interface.counters();
                    sent[0] += counters.sends;
                    sent[1] += counters.bytes_sent;
                    received[0] += counters.receives;
                    received[1] += counters.bytes_received;
                }
                _ => {}
            }
        }
        same("messages sent and received", sent[0], received[0])?;
        same("bytes of messages sent and received", sent[1], received[1])
    }

    /// What caches took in came from memory or from other caches, what they gave went to memory.
    fn check_bytes(&self) -> Result<(), PhaseError> {
        self.check_network()?;
        if self.spec.homes.is_some() {
            return self.check_nodes();
        }
        (0..self.spec.count as usize).try_for_each(|node| self.check_bytes_of(node))
    }

    /// The same of a node with an address space of its own.
    fn check_bytes_of(&self, node: usize) -> Result<(), PhaseError> {
        let cores = self.spec.node.cores as usize;
        let line = u64::from(self.spec.node.line_bytes());
        let (mut read, mut written) = (0, 0);
        for traffic in self.cores().skip(node * cores).take(cores).filter_map(|core| Some(core.caches()?.traffic())) {
            read += traffic.read;
            written += traffic.written;
        }
        let parts = self.engine.parts();
        let mut interconnects = parts.iter().filter_map(|part| match part {
            Part::Snooping(snooping) => Some(snooping.counters()),
            Part::Ideal(ideal) => Some(ideal.counters()),
            _ => None,
        });
        let interconnect: Option<&InterconnectCounters> = interconnects.nth(node);
        let memory =
            parts.iter().filter_map(|part| if let Part::Memory(memory) = part { Some(memory.counters()) } else { None }).nth(node);
        let llc = parts.iter().filter_map(|part| if let Part::Llc(llc) = part { Some(llc.counters()) } else { None }).nth(node);
        let (Some(interconnect), Some(memory)) = (interconnect, memory) else { return Ok(()) };
        let all = Time::NEVER;
        let moved = interconnect.data.until(all).bytes;
        let (mut memory_read, mut memory_written) = (memory.reads.until(all).bytes, memory.writes.until(all).bytes);
        if let Some(llc) = llc {
            same("bytes that the shared cache read and memory supplied", llc.bytes_read, memory_read)?;
            same("bytes that the shared cache wrote and memory took", llc.bytes_written, memory_written)?;
            // It stands in memory's place.
            (memory_read, memory_written) = (llc.bytes_supplied, llc.bytes_taken);
        }
        if self.spec.node.is_plain() {
            return same("bytes over the interconnect and of memory", moved, memory_read + memory_written);
        }
        same("bytes that caches read and their sources", read, memory_read + line * interconnect.flushes)?;
        same("bytes that caches wrote and memory took or did not take", written, memory_written + line * interconnect.supplies)?;
        let write_backs = written.saturating_sub(line * interconnect.flushes);
        let words = u64::from(WORD_BYTES) * interconnect.words;
        same("bytes over the interconnect and their ends", moved, read + write_backs + words)
    }
}
