//! Nodes run small programs written by hand, so that a test knows every access and every cycle.

mod assembly;
mod programs;
mod replay;
mod tester;
mod timing;
mod traffic;

use std::sync::Arc;

use crate::base::diagnostic::SourceText;
use crate::base::time::{Clock, Time};
use crate::coherence::load::load;
use crate::coherence::protocol::Protocol;
use crate::components::predictor::PredictorSpec;
use crate::components::spec::{
    Arbitration, BusSpec, CacheSpec, CoreSpec, Holds, Inclusion, InterconnectSpec, LlcSpec, MemorySpec, NodeSpec, OutOfOrderSpec,
    Replacement, SimpleMemorySpec, UnitSpec, WritePolicy,
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

pub fn bus(clock: Clock) -> BusSpec {
    BusSpec { clock, width_bytes: 16, arbitration: Arbitration::RoundRobin, address_cycles: 1, snoop_cycles: 2, outstanding: 8 }
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
        core: CoreSpec { clock: megahertz(2600), costs: [1, 3, 20, 4, 4, 15, 20, 40, 1, 1, 2, 1], out_of_order: None },
        caches: vec![cache("L1d", 4, 2, 4), cache("L2", 8, 4, 12)],
        interconnect: InterconnectSpec::Bus(bus(megahertz(1300))),
        llc: None,
        memory: MemorySpec::Simple(SimpleMemorySpec {
            latency: Time(60_000),
            bandwidth_bytes_per_second: 25_600_000_000,
            channels: 2,
            queue_capacity: 16,
        }),
        memory_bytes: 1 << 30,
        protocol: Some(mesi()),
        checks: true,
        seed: 1,
    }
}
