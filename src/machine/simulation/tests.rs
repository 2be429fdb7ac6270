//! Nodes run small programs written by hand, so that a test knows every access and every cycle.

mod assembly;
mod directories;
mod levels;
mod messages;
mod nodes;
mod prefetch;
mod programs;
mod replay;
mod tester;
mod timing;
mod traces;
mod traffic;
mod translation;

use std::sync::Arc;

use crate::base::diagnostic::SourceText;
use crate::base::time::{Clock, Time};
use crate::coherence::consistency::Consistency;
use crate::coherence::load::load;
use crate::coherence::protocol::Protocol;
use crate::components::predictor::PredictorSpec;
use crate::components::spec::{
    Arbitration, BranchSpec, CacheSpec, CoreSpec, Holds, Inclusion, InterconnectSpec, LlcSpec, MemorySpec, NodeSpec,
    OutOfOrderSpec, Replacement, SimpleMemorySpec, SnoopingSpec, TransportSpec, UnitSpec, WritePolicy,
};
use crate::program::code::OperationClass;

fn protocol(name: &str, text: &str) -> Arc<Protocol> {
    Arc::new(load(&SourceText::new(name, text)).unwrap())
}

/// The protocols as shipped.
pub fn msi() -> Arc<Protocol> {
    protocol("msi.toml", include_str!("../../../models/protocols/msi.toml"))
}

pub fn mesi() -> Arc<Protocol> {
    protocol("mesi.toml", include_str!("../../../models/protocols/mesi.toml"))
}

pub fn dragon() -> Arc<Protocol> {
    protocol("dragon.toml", include_str!("../../../models/protocols/dragon.toml"))
}

/// All of them.
pub fn protocols() -> [Arc<Protocol>; 5] {
    let moesi = protocol("moesi.toml", include_str!("../../../models/protocols/moesi.toml"));
    let mesif = protocol("mesif.toml", include_str!("../../../models/protocols/mesif.toml"));
    [msi(), mesi(), moesi, mesif, dragon()]
}

/// Those with a directory.
pub fn directories() -> [Arc<Protocol>; 3] {
    [
        protocol("directory-msi.toml", include_str!("../../../models/protocols/directory-msi.toml")),
        protocol("directory-mesi.toml", include_str!("../../../models/protocols/directory-mesi.toml")),
        protocol("directory-moesi.toml", include_str!("../../../models/protocols/directory-moesi.toml")),
    ]
}

pub fn coma() -> Arc<Protocol> {
    protocol("coma-flat.toml", include_str!("../../../models/protocols/coma-flat.toml"))
}

pub fn megahertz(megahertz: u64) -> Clock {
    Clock::from_hertz(megahertz * 1_000_000, 1).unwrap()
}

pub fn cache(name: &str, sets: u64, ways: u32, latency_cycles: u32) -> CacheSpec {
    CacheSpec {
        name: name.to_string(),
        size_bytes: sets * u64::from(ways) * 64,
        line_bytes: 64,
        ways,
        latency_cycles,
        replacement: Replacement::Lru,
        write: WritePolicy::Back,
        write_allocate: true,
        holds: Holds::Data,
        inclusion: Inclusion::Inclusive,
    }
}

/// A shared cache of 8 ways.
pub fn llc(clock: Clock, sets: u64, latency_cycles: u32) -> LlcSpec {
    let cache = CacheSpec { holds: Holds::Both, inclusion: Inclusion::Neither, ..cache("LLC", sets, 8, latency_cycles) };
    LlcSpec { cache, clock, banks: 1, interval_cycles: 1, mshrs: 4, queue_capacity: 4 }
}

/// What moves data on a snooping interconnect, of each kind.
pub fn transports() -> [TransportSpec; 4] {
    [
        TransportSpec::Bus,
        TransportSpec::Crossbar { memory_ports: 2 },
        TransportSpec::Ring { memory_ports: 1, hop_cycles: 1, directions: 2 },
        TransportSpec::Ring { memory_ports: 3, hop_cycles: 2, directions: 1 },
    ]
}

pub fn bus(clock: Clock) -> SnoopingSpec {
    SnoopingSpec {
        clock,
        transport: TransportSpec::Bus,
        width_bytes: 16,
        arbitration: Arbitration::RoundRobin,
        address_cycles: 1,
        snoop_cycles: 2,
        outstanding: 8,
    }
}

/// What an out-of-order core of a few sizes has.
pub fn out_of_order(width: u32, window: u32, mshrs: u32) -> OutOfOrderSpec {
    OutOfOrderSpec {
        width,
        window,
        load_queue: window / 2,
        store_queue: window / 4,
        store_buffer: window / 4,
        mshrs,
        units: OperationClass::ALL.map(|class| UnitSpec { units: (class as u8) % 3, interval: 1 + class as u32 % 2 }),
        predictor: PredictorSpec::Gshare { entries: 64, history: 6 },
        misprediction_cycles: 10,
    }
}

/// A node of 2.6 GHz cores with small caches on a 1.3 GHz bus.
pub fn node(cores: u32) -> NodeSpec {
    NodeSpec {
        name: "node".to_string(),
        cores,
        core: CoreSpec {
            clock: megahertz(2600),
            costs: [1, 3, 20, 4, 4, 15, 20, 40, 1, 1, 2, 1],
            branches: None,
            out_of_order: None,
            consistency: Consistency::Sc,
            store_buffer: None,
        },
        caches: vec![cache("L1d", 4, 2, 4), cache("L2", 8, 4, 12)],
        translation: None,
        prefetcher: None,
        interconnect: InterconnectSpec::Snooping(bus(megahertz(1300))),
        llc: None,
        memory: MemorySpec::Simple(SimpleMemorySpec {
            latency: Time(60_000),
            bandwidth_bytes_per_second: 25_600_000_000,
            channels: 2,
            queue_capacity: 16,
        }),
        memory_bytes: 1 << 30,
        protocol: Some(mesi()),
        alone: true,
        free_synchronisation: false,
        checks: true,
        seed: 1,
    }
}

/// A core of 1 GHz whose memory answers after so many cycles, however many lines it is asked for, over wires that take no time.
pub fn bare(caches: Vec<CacheSpec>, memory_cycles: u64) -> NodeSpec {
    let mut spec = NodeSpec { caches, interconnect: InterconnectSpec::Ideal, ..node(1) };
    spec.core.clock = megahertz(1000);
    spec.memory = MemorySpec::Simple(SimpleMemorySpec {
        latency: Time(1000 * memory_cycles),
        bandwidth_bytes_per_second: u64::MAX,
        channels: 1024,
        queue_capacity: 64,
    });
    spec
}

/// Small caches of every make, by name.
pub fn hierarchies() -> Vec<(&'static str, Vec<CacheSpec>)> {
    let with = |cache: CacheSpec, inclusion| CacheSpec { inclusion, ..cache };
    let holding = |cache: CacheSpec, holds| CacheSpec { holds, ..cache };
    let (exclusive, neither) = (Inclusion::Exclusive, Inclusion::Neither);
    let l1 = |ways| cache("L1d", 1, ways, 1);
    let l2 = |ways| cache("L2", 1, ways, 1);
    let l3 = |ways| cache("L3", 1, ways, 1);
    let both = |ways| holding(l2(ways), Holds::Both);
    let split = |ways| [holding(cache("L1i", 1, ways, 1), Holds::Instructions), holding(l1(ways), Holds::Data)];
    let through = |write_allocate| CacheSpec { write: WritePolicy::Through, write_allocate, ..l1(2) };
    vec![
        ("exclusive", vec![l1(1), with(l2(3), exclusive)]),
        ("exclusive and smaller", vec![l1(3), with(l2(1), exclusive)]),
        ("neither", vec![l1(2), with(l2(2), neither)]),
        ("three inclusive", vec![l1(1), l2(2), l3(3)]),
        ("exclusive in inclusive", vec![l1(1), with(l2(1), exclusive), l3(3)]),
        ("inclusive in exclusive", vec![l1(1), l2(2), with(l3(2), exclusive)]),
        ("three that do not care", vec![l1(1), with(l2(2), neither), with(l3(2), neither)]),
        ("exclusive in one that does not care", vec![l1(1), with(l2(1), exclusive), with(l3(2), neither)]),
        ("write-through", vec![through(true), l2(3)]),
        ("write-through without allocation", vec![through(false), l2(3)]),
        ("write-back without allocation", vec![CacheSpec { write_allocate: false, ..l1(1) }, with(l2(2), neither)]),
        ("split", split(1).into_iter().chain([both(3)]).collect()),
        ("split before exclusive", split(1).into_iter().chain([with(both(3), exclusive)]).collect()),
        ("split before one that does not care", split(2).into_iter().chain([with(both(2), neither)]).collect()),
        ("split alone", split(2).into()),
    ]
}
