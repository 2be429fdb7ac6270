//! From a node's keys to the plain data its parts are made of.

use std::sync::Arc;

use crate::base::quantity::Frequency;
use crate::base::time::Clock;
use crate::coherence::consistency::Consistency;
use crate::coherence::protocol::Protocol;
use crate::components::predictor::PredictorSpec;
use crate::components::prefetcher::{PrefetcherKind, PrefetcherSpec};
use crate::components::spec::{
    Arbitration, BranchSpec, CacheSpec, CoreSpec, Holds, Inclusion, InterconnectSpec, LlcSpec, MemorySpec, NodeSpec,
    OutOfOrderSpec, Replacement, SimpleMemorySpec, SnoopingSpec, TransportSpec, UnitSpec, WritePolicy,
};
use crate::components::translation::{TlbSpec, TranslationSpec};
use crate::machine::keys::{
    ArbitrationKey, AttractionMemoryKeys, CacheKeys, CacheLevelKeys, ConsistencyKey, CoreKeys, CostKeys, HoldsKey, InclusionKey,
    InterconnectKeys, IntervalKeys, LlcKeys, MemoryKeys, NodeKeys, OutOfOrderKeys, PredictorKeys, PrefetcherKeys, ReplacementKey,
    TlbKeys, UnitKeys, WriteKey,
};
use crate::program::code::OperationClass;

/// Places of a store buffer where its size is not said: eight, as in the UltraSPARC I, an in-order core under total store order.
const USUAL_STORE_BUFFER: u32 = 8;

/// A node's specification; what cannot be built is left for [`NodeSpec::faults`].
pub fn node_spec(keys: &NodeKeys, page_bytes: u64, protocol: Option<Arc<Protocol>>, checks: bool) -> NodeSpec {
    let (memory, memory_bytes) = memory_spec(&keys.memory);
    let core = core_spec(&keys.core);
    let mut levels: Vec<CacheSpec> = caches(&keys.cache).map(|(name, cache)| cache_spec(name, cache)).collect();
    if let MemoryKeys::Attraction(own) = &keys.memory.value {
        let line_bytes = levels.first().map_or(64, |cache| cache.line_bytes);
        levels.push(attraction_memory(own, line_bytes, core.clock));
    }
    NodeSpec {
        name: keys.name.value.clone(),
        cores: keys.cores.0 as u32,
        core,
        caches: levels,
        prefetcher: caches(&keys.cache)
            .find_map(|(_, cache)| cache.prefetcher.value.as_ref())
            .map(|own| prefetcher_spec(own, page_bytes)),
        translation: keys.tlb.value.as_ref().map(|tlb| translation_spec(tlb, page_bytes)),
        interconnect: interconnect_spec(&keys.interconnect),
        llc: keys.cache.llc.value.as_ref().and_then(|llc| llc_spec(llc, &keys.interconnect)),
        memory,
        memory_bytes,
        protocol,
        alone: true,
        free_synchronisation: false,
        checks,
        seed: 0,
    }
}

/// The levels that are there, innermost first.
pub fn caches(keys: &CacheLevelKeys) -> impl Iterator<Item = (&'static str, &CacheKeys)> {
    let levels = [
        ("L1i", &keys.l1i.value),
        ("L1d", &keys.l1d.value),
        ("L1", &keys.l1.value),
        ("L2i", &keys.l2i.value),
        ("L2d", &keys.l2d.value),
        ("L2", &keys.l2.value),
        ("L3", &keys.l3.value),
        ("L4", &keys.l4.value),
    ];
    levels.into_iter().filter_map(|(name, cache)| Some((name, cache.as_ref()?)))
}

fn core_spec(keys: &CoreKeys) -> CoreSpec {
    match keys {
        CoreKeys::InOrder(keys) => {
            let misprediction_cycles = keys.misprediction.value.map_or(0, |cycles| cycles.0);
            let branches = keys.predictor.value.as_ref().map(predictor_spec);
            let branches = branches.filter(|&predictor| predictor != PredictorSpec::Perfect);
            let consistency = consistency(keys.consistency.value);
            let given = keys.store_buffer.value.as_ref().map(|stores| stores.0 as u32);
            CoreSpec {
                clock: keys.clock.clock(),
                costs: costs(&keys.costs),
                branches: branches.map(|predictor| BranchSpec { predictor, misprediction_cycles }),
                out_of_order: None,
                consistency,
                store_buffer: given.or((consistency == Consistency::Tso).then_some(USUAL_STORE_BUFFER)),
            }
        }
        CoreKeys::OutOfOrder(keys) => CoreSpec {
            clock: keys.clock.clock(),
            costs: costs(&keys.costs),
            branches: None,
            out_of_order: Some(out_of_order_spec(keys)),
            consistency: consistency(keys.consistency.value),
            store_buffer: None,
        },
    }
}

fn consistency(key: ConsistencyKey) -> Consistency {
    match key {
        ConsistencyKey::Sc => Consistency::Sc,
        ConsistencyKey::Tso => Consistency::Tso,
    }
}

/// In the order of `OperationClass`.
fn costs(costs: &CostKeys) -> [u32; OperationClass::ALL.len()] {
    let costs = [
        &costs.integer,
        &costs.integer_multiply,
        &costs.integer_divide,
        &costs.float_add,
        &costs.float_multiply,
        &costs.float_divide,
        &costs.square_root,
        &costs.special,
        &costs.load,
        &costs.store,
        &costs.atomic,
        &costs.branch,
    ];
    costs.map(|cost| cost.0)
}

fn out_of_order_spec(keys: &OutOfOrderKeys) -> OutOfOrderSpec {
    OutOfOrderSpec {
        width: keys.width.0 as u32,
        window: keys.window.0 as u32,
        load_queue: keys.load_queue.0 as u32,
        store_queue: keys.store_queue.0 as u32,
        store_buffer: keys.store_buffer.0 as u32,
        mshrs: keys.mshrs.0 as u32,
        units: OperationClass::ALL.map(|class| unit_spec(class, &keys.units, &keys.intervals)),
        predictor: predictor_spec(&keys.predictor),
        misprediction_cycles: keys.misprediction.0,
    }
}

fn predictor_spec(keys: &PredictorKeys) -> PredictorSpec {
    match keys {
        PredictorKeys::Perfect(_) => PredictorSpec::Perfect,
        PredictorKeys::Static(_) => PredictorSpec::Static,
        PredictorKeys::Bimodal(keys) => PredictorSpec::Bimodal { entries: keys.entries.0 as u32 },
        PredictorKeys::Gshare(keys) => PredictorSpec::Gshare { entries: keys.entries.0 as u32, history: keys.history.0 as u32 },
        PredictorKeys::Tage(keys) => PredictorSpec::Tage { entries: keys.entries.0 as u32 },
    }
}

fn unit_spec(class: OperationClass, units: &UnitKeys, intervals: &IntervalKeys) -> UnitSpec {
    let (units, interval) = match class {
        OperationClass::Integer => (units.integer.0, 1),
        OperationClass::IntegerMultiply => (units.integer_multiply.0, intervals.integer_multiply.0),
        OperationClass::IntegerDivide => (units.integer_divide.0, intervals.integer_divide.0),
        OperationClass::FloatAdd => (units.float_add.0, intervals.float_add.0),
        OperationClass::FloatMultiply => (units.float_multiply.0, intervals.float_multiply.0),
        OperationClass::FloatDivide => (units.float_divide.0, intervals.float_divide.0),
        OperationClass::SquareRoot => (units.square_root.0, intervals.square_root.0),
        OperationClass::Special => (units.special.0, intervals.special.0),
        OperationClass::Load => (units.load.0, 1),
        OperationClass::Store => (units.store.0, 1),
        // Atomics run alone, outside the window.
        OperationClass::Atomic => (0, 1),
        OperationClass::Branch => (units.branch.0, 1),
    };
    UnitSpec { units: units as u8, interval }
}

/// One level's specification.
pub fn cache_spec(name: &str, keys: &CacheKeys) -> CacheSpec {
    CacheSpec {
        name: name.to_string(),
        size_bytes: keys.size.0,
        line_bytes: keys.line.0 as u32,
        ways: keys.ways.0 as u32,
        latency_cycles: keys.latency.0,
        replacement: replacement(keys.replacement.value),
        write: match keys.write.value {
            WriteKey::Back => WritePolicy::Back,
            WriteKey::Through => WritePolicy::Through,
        },
        write_allocate: keys.write_allocate.value,
        holds: match keys.holds.value {
            Some(HoldsKey::Data) => Holds::Data,
            Some(HoldsKey::Instructions) => Holds::Instructions,
            Some(HoldsKey::Both) => Holds::Both,
            None => by_name(name),
        },
        inclusion: match keys.inclusion.value {
            None | Some(InclusionKey::Inclusive) => Inclusion::Inclusive,
            Some(InclusionKey::Exclusive) => Inclusion::Exclusive,
            Some(InclusionKey::Neither) => Inclusion::Neither,
        },
    }
}

/// A memory as the outermost private cache of its node's core.
fn attraction_memory(keys: &AttractionMemoryKeys, line_bytes: u32, clock: Clock) -> CacheSpec {
    CacheSpec {
        name: "AM".to_string(),
        size_bytes: keys.size.0,
        line_bytes,
        ways: keys.ways.0 as u32,
        latency_cycles: clock.cycle_at_or_after(keys.latency.0).min(u64::from(u32::MAX)) as u32,
        replacement: replacement(keys.replacement.value),
        write: WritePolicy::Back,
        write_allocate: true,
        holds: Holds::Both,
        inclusion: Inclusion::Inclusive,
    }
}

fn replacement(key: ReplacementKey) -> Replacement {
    match key {
        ReplacementKey::Lru => Replacement::Lru,
        ReplacementKey::Fifo => Replacement::Fifo,
        ReplacementKey::TreePlru => Replacement::TreePlru,
        ReplacementKey::Random => Replacement::Random,
        ReplacementKey::Srrip => Replacement::Srrip,
    }
}

fn prefetcher_spec(keys: &PrefetcherKeys, page_bytes: u64) -> PrefetcherSpec {
    let (kind, degree, distance, mshrs) = match keys {
        PrefetcherKeys::NextLine(keys) => (PrefetcherKind::NextLine, keys.degree.0, 1, keys.mshrs.0),
        PrefetcherKeys::Stride(keys) => {
            (PrefetcherKind::Stride { entries: keys.entries.0 as u32 }, keys.degree.0, keys.distance.0, keys.mshrs.0)
        }
        PrefetcherKeys::Stream(keys) => {
            (PrefetcherKind::Stream { streams: keys.streams.0 as u32 }, keys.degree.0, keys.distance.0, keys.mshrs.0)
        }
    };
    PrefetcherSpec { kind, degree: degree as u32, distance: distance as u32, mshrs: mshrs as u32, page_bytes }
}

fn translation_spec(keys: &TlbKeys, page_bytes: u64) -> TranslationSpec {
    let first = TlbSpec {
        entries: keys.l1d.entries.0 as u32,
        ways: keys.l1d.ways.0 as u32,
        latency_cycles: keys.l1d.latency.0,
        replacement: replacement(keys.l1d.replacement.value),
    };
    let second = keys.l2.value.as_ref().map(|second| TlbSpec {
        entries: second.entries.0 as u32,
        ways: second.ways.0 as u32,
        latency_cycles: second.latency.0,
        replacement: replacement(second.replacement.value),
    });
    TranslationSpec { page_bytes, first, second, walkers: keys.walkers.0 as u32 }
}

/// What a cache of a name holds.
fn by_name(name: &str) -> Holds {
    match name.as_bytes().last() {
        Some(b'i') => Holds::Instructions,
        Some(b'd') => Holds::Data,
        _ => Holds::Both,
    }
}

/// The shared cache's specification; none where nothing gives it a clock, which `resolve` tells.
fn llc_spec(keys: &LlcKeys, interconnect: &InterconnectKeys) -> Option<LlcSpec> {
    let clock = keys.clock.value.or(interconnect_clock(interconnect))?.clock();
    Some(LlcSpec {
        cache: CacheSpec {
            name: "LLC".to_string(),
            size_bytes: keys.size.0,
            line_bytes: keys.line.0 as u32,
            ways: keys.ways.0 as u32,
            latency_cycles: keys.latency.0,
            replacement: replacement(keys.replacement.value),
            write: WritePolicy::Back,
            write_allocate: true,
            holds: Holds::Both,
            inclusion: Inclusion::Neither,
        },
        clock,
        banks: keys.banks.0 as u32,
        interval_cycles: keys.interval.0,
        mshrs: keys.mshrs.0 as u32,
        queue_capacity: keys.queue.0 as u32,
    })
}

/// The clock that an interconnect has.
pub fn interconnect_clock(keys: &InterconnectKeys) -> Option<Frequency> {
    match keys {
        InterconnectKeys::Ideal(_) => None,
        InterconnectKeys::Bus(keys) => Some(keys.clock.value),
        InterconnectKeys::Crossbar(keys) => Some(keys.clock.value),
        InterconnectKeys::Ring(keys) => Some(keys.clock.value),
    }
}

fn interconnect_spec(keys: &InterconnectKeys) -> InterconnectSpec {
    match keys {
        InterconnectKeys::Ideal(_) => InterconnectSpec::Ideal,
        InterconnectKeys::Bus(keys) => InterconnectSpec::Snooping(SnoopingSpec {
            clock: keys.clock.clock(),
            transport: TransportSpec::Bus,
            width_bytes: keys.width.0 as u32,
            arbitration: arbitration(keys.arbitration.value),
            address_cycles: keys.address.0,
            snoop_cycles: keys.snoop.0,
            outstanding: keys.outstanding.0 as u32,
        }),
        InterconnectKeys::Crossbar(keys) => InterconnectSpec::Snooping(SnoopingSpec {
            clock: keys.clock.clock(),
            transport: TransportSpec::Crossbar { memory_ports: keys.memory_ports.0 as u32 },
            width_bytes: keys.width.0 as u32,
            arbitration: arbitration(keys.arbitration.value),
            address_cycles: keys.address.0,
            snoop_cycles: keys.snoop.0,
            outstanding: keys.outstanding.0 as u32,
        }),
        InterconnectKeys::Ring(keys) => InterconnectSpec::Snooping(SnoopingSpec {
            clock: keys.clock.clock(),
            transport: TransportSpec::Ring {
                memory_ports: keys.memory_ports.0 as u32,
                hop_cycles: keys.hop.0,
                directions: keys.directions.0 as u32,
            },
            width_bytes: keys.width.0 as u32,
            arbitration: arbitration(keys.arbitration.value),
            address_cycles: keys.address.0,
            snoop_cycles: keys.snoop.0,
            outstanding: keys.outstanding.0 as u32,
        }),
    }
}

fn arbitration(key: ArbitrationKey) -> Arbitration {
    match key {
        ArbitrationKey::RoundRobin => Arbitration::RoundRobin,
        ArbitrationKey::FixedPriority => Arbitration::FixedPriority,
        ArbitrationKey::FirstCome => Arbitration::FirstCome,
        ArbitrationKey::Oldest => Arbitration::Oldest,
    }
}

/// The memory and its capacity in bytes.
fn memory_spec(keys: &MemoryKeys) -> (MemorySpec, u64) {
    match keys {
        MemoryKeys::Ideal(keys) => (MemorySpec::Ideal, keys.size.0),
        MemoryKeys::MultiPorted(keys) => (MemorySpec::MultiPorted { latency: keys.latency.0 }, keys.size.0),
        MemoryKeys::Simple(keys) => {
            let spec = SimpleMemorySpec {
                latency: keys.latency.0,
                bandwidth_bytes_per_second: keys.bandwidth.bytes_per_second(),
                channels: keys.channels.0 as u32,
                queue_capacity: keys.queue.0 as u32,
            };
            (MemorySpec::Simple(spec), keys.size.0)
        }
        MemoryKeys::Attraction(keys) => (MemorySpec::Attraction, keys.size.0),
    }
}

#[cfg(test)]
mod tests {
    use crate::base::document::{Field, Shape};
    use crate::machine::keys::CostKeys;
    use crate::program::code::OperationClass;

    #[test]
    fn costs_stand_in_the_order_of_the_classes() {
        let Shape::Table(table) = CostKeys::shape() else { panic!() };
        let keys: Vec<String> = table.keys.iter().map(|key| key.name.replace('_', "")).collect();
        let classes: Vec<String> = OperationClass::ALL.iter().map(|class| format!("{class:?}").to_lowercase()).collect();
        assert_eq!(keys, classes, "`costs` lists them in the order of the keys");
    }
}
