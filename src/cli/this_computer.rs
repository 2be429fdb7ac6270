//! This computer as a machine: cores and caches as the operating system tells them, everything else from catalogue parts.
//!
//! A first guess, not a calibration: the core takes a cycle for each operation and waits for each access, a third-level cache and
//! prefetching are not modelled, and memory is the catalogue's. What it is good for is to see how far such a guess goes.

use crate::base::diagnostic::SourceText;
use crate::host::discover::{CacheDescription, CacheKind, HostDescription};
use crate::report::{HostFacts, human};

/// The clock where the processor's name does not say it.
const USUAL_CLOCK: &str = "3 GHz";
/// Cycles of the core's clock until a level answers: 4 to 5 and 12 to 16 on cores of the last decade (Agner Fog, Microarchitecture,
/// sections on cache and memory access). L2's come on top of L1's.
const LATENCIES: [(u32, u32); 2] = [(1, 4), (2, 10)];
/// Ways a cache may have in a machine's text.
const MOST_WAYS: u64 = 64;

/// The machine's text.
pub fn machine(host: &HostDescription) -> SourceText {
    let mut text = format!(
        "# A model of this computer, as far as its operating system tells; the rest is from the catalogue.\n\
         name = {}\n\
         description = \"Cores and private caches as the operating system tells them, the rest from the catalogue.\"\n\n\
         [[node]]\n\
         cores = {}\n\
         core = {{ part = \"unit-cost\", clock = \"{}\" }}\n\
         interconnect = {{ part = \"snooping-bus\", width = \"32 B\", clock = \"2 GHz\" }}\n\
         memory = {{ part = \"simple-dram\" }}\n",
        quoted(&format!("model of this computer ({})", name(host))),
        cores(host),
        clock(host),
    );
    let caches: Vec<String> = LATENCIES.iter().map_while(|&(level, latency)| cache(host, level, latency)).collect();
    text.push_str(&caches.concat());
    text.push_str("\n[address_space]\norganisation = \"uma\"\n");
    if !caches.is_empty() {
        text.push_str("protocol = \"mesi\"\n");
    }
    SourceText::new("this-computer.toml", text)
}

/// Threads that run at the same time without sharing a core.
pub fn cores(host: &HostDescription) -> u32 {
    let usable = host.parallelism.max(1);
    let cores = host.cores.filter(|&cores| cores > 0).unwrap_or(usable);
    usable.min(cores).min(1024) as u32
}

/// The computer in words, for the report.
pub fn facts(host: &HostDescription) -> HostFacts {
    let caches = host.caches.iter().filter(|cache| cache.kind != CacheKind::Instruction);
    let mut caches: Vec<String> = caches.map(|cache| format!("L{} {}", cache.level, human::bytes(cache.size_bytes))).collect();
    caches.dedup();
    HostFacts {
        name: name(host),
        cores: format!("{} to run on", human::plural(cores(host) as usize, "core")),
        caches: caches.join(", "),
        model: limits(host),
    }
}

/// What the model leaves out, and which predictions that spoils.
fn limits(host: &HostDescription) -> String {
    let size = |level| {
        let level = host.caches.iter().filter(|cache| cache.level == level && cache.kind != CacheKind::Instruction);
        level.map(|cache| cache.size_bytes).max()
    };
    let private = LATENCIES.iter().filter_map(|&(level, _)| size(level)).max();
    match (private, size(LATENCIES.len() as u32 + 1)) {
        (Some(private), Some(shared)) => format!(
            "The model has no L3 and no prefetching: programs that walk through arrays larger than the L2 ({}) look too slow, most of \
             all those that would fit the L3 ({}). It carries out one operation at a time, a cycle each: programs that compute look \
             too slow too.",
            human::bytes(private),
            human::bytes(shared)
        ),
        _ => "The model has no prefetching, and carries out one operation at a time, a cycle each: most programs look too slow."
            .to_owned(),
    }
}

fn name(host: &HostDescription) -> String {
    host.model.clone().unwrap_or_else(|| format!("{} on {}", host.architecture, host.operating_system))
}

/// A TOML string. Processors' names are plain text; whatever else one holds is left out.
fn quoted(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control() && !"\"\\".contains(*c)).take(100).collect();
    format!("\"{plain}\"")
}

/// The nominal clock that many processors' names end in: `... @ 2.60GHz`.
fn clock(host: &HostDescription) -> String {
    let nominal = || {
        let (_, clock) = host.model.as_deref()?.rsplit_once('@')?;
        let gigahertz: f64 = clock.trim().strip_suffix("GHz")?.trim().parse().ok()?;
        (0.1..=10.0).contains(&gigahertz).then(|| format!("{gigahertz} GHz"))
    };
    nominal().unwrap_or_else(|| USUAL_CLOCK.to_owned())
}

/// A private level of the first core, where the system tells of one and it can be built: a power of two sets.
fn cache(host: &HostDescription, level: u32, latency: u32) -> Option<String> {
    let first = host.usable.first().map_or(0, |thread| thread.id);
    let holds_data = |cache: &&CacheDescription| cache.level == level && cache.kind != CacheKind::Instruction;
    let of_first = |cache: &&CacheDescription| cache.shared_by.is_empty() || cache.shared_by.contains(&first);
    let cache = host.caches.iter().find(|cache| holds_data(cache) && of_first(cache))?;
    let line = cache.line_bytes.filter(|line| line.is_power_of_two() && (16..=1024).contains(line)).unwrap_or(64);
    let ways = cache.ways.filter(|ways| (1..=MOST_WAYS).contains(ways)).unwrap_or(8);
    let sets = (cache.size_bytes / line / ways).checked_ilog2().map(|bits| 1u64 << bits)?;
    let label = if level == 1 { "L1d".to_owned() } else { format!("L{level}") };
    Some(format!(
        "\n[node.cache.{label}]\nsize = \"{} B\"\nways = {ways}\nline = \"{line} B\"\nlatency = \"{latency} cycles\"\n",
        sets * line * ways
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::discover::discover;
    use crate::machine::Machine;
    use crate::machine::catalogue::Catalogue;

    fn resolve(host: &HostDescription) -> Machine {
        let source = machine(host);
        Machine::resolve(&source, &[], &Catalogue::built_in()).unwrap_or_else(|faults| panic!("{}\n{faults:?}", source.text))
    }

    #[test]
    fn the_computer_that_runs_the_test_is_a_machine() {
        let host = discover();
        assert_eq!(resolve(&host).cores(), cores(&host));
    }

    #[test]
    fn a_system_that_tells_nothing_is_a_machine_too() {
        let machine = resolve(&HostDescription::default());
        assert_eq!((machine.cores(), machine.nodes[0].caches.len()), (1, 0));
    }

    #[test]
    fn odd_caches_are_rounded_to_what_can_be_built() {
        let cache = |level, size_bytes, ways| CacheDescription {
            level,
            kind: if level == 1 { CacheKind::Data } else { CacheKind::Unified },
            size_bytes,
            line_bytes: Some(64),
            ways,
            shared_by: vec![0],
        };
        let host = HostDescription {
            model: Some("Some \"CPU\" @ 2.60GHz".into()),
            parallelism: 6,
            cores: Some(4),
            caches: vec![cache(1, 48 << 10, Some(12)), cache(2, 3 << 19, Some(10)), cache(3, 36 << 20, Some(12))],
            ..HostDescription::default()
        };
        let machine = resolve(&host);
        assert_eq!(machine.cores(), 4);
        assert!(machine.name.contains("Some CPU @ 2.60GHz"));
        assert_eq!(machine.nodes[0].caches.len(), 2);
        assert_eq!(clock(&host), "2.6 GHz");
        let limits = facts(&host).model.replace('\u{a0}', " ");
        assert!(limits.contains("(1.5 MiB)") && limits.contains("(36 MiB)"), "{limits}");
        assert!(!facts(&HostDescription::default()).model.contains("L3"));
    }
}
