//! From a node's keys to the plain data its parts are made of.

use std::sync::Arc;

use crate::base::quantity::Frequency;
use crate::coherence::protocol::Protocol;
use crate::components::predictor::PredictorSpec;
use crate::components::spec::{
    Arbitration, CacheSpec, CoreSpec, Holds, Inclusion, InterconnectSpec, LlcSpec, MemorySpec, NodeSpec, OutOfOrderSpec,
    Replacement, SimpleMemorySpec, SnoopingSpec, TransportSpec, UnitSpec, WritePolicy,
};
use crate::machine::keys::{
    ArbitrationKey, CacheKeys, CacheLevelKeys, CoreKeys, CostKeys, HoldsKey, InclusionKey, InterconnectKeys, IntervalKeys, LlcKeys,
    MemoryKeys, NodeKeys, OutOfOrderKeys, PredictorKeys, ReplacementKey, UnitKeys, WriteKey,
};
use crate::program::code::OperationClass;

/// A node's specification; what cannot be built is left for [`NodeSpec::faults`].
pub fn node_spec(keys: &NodeKeys, protocol: Option<Arc<Protocol>>, checks: bool) -> NodeSpec {
    let (memory, memory_bytes) = memory_spec(&keys.memory);
    NodeSpec {
        name: keys.name.value.clone(),
        cores: keys.cores.0 as u32,
        core: core_spec(&keys.core),
        caches: caches(&keys.cache).map(|(name, cache)| cache_spec(name, cache)).collect(),
        interconnect: interconnect_spec(&keys.interconnect),
        llc: keys.cache.llc.value.as_ref().and_then(|llc| llc_spec(llc, &keys.interconnect)),
        memory,
        memory_bytes,
        protocol,
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
        CoreKeys::InOrder(keys) => CoreSpec { clock: keys.clock.clock(), costs: costs(&keys.costs), out_of_order: None },
        CoreKeys::OutOfOrder(keys) => {
            CoreSpec { clock: keys.clock.clock(), costs: costs(&keys.costs), out_of_order: Some(out_of_order_spec(keys)) }
        }
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
        predictor: match &keys.predictor.value {
            PredictorKeys::Perfect(_) => PredictorSpec::Perfect,
            PredictorKeys::Static(_) => PredictorSpec::Static,
            PredictorKeys::Bimodal(keys) => PredictorSpec::Bimodal { entries: keys.entries.0 as u32 },
            PredictorKeys::Gshare(keys) => PredictorSpec::Gshare { entries: keys.entries.0 as u32, history: keys.history.0 as u32 },
            PredictorKeys::Tage(keys) => PredictorSpec::Tage { entries: keys.entries.0 as u32 },
        },
        misprediction_cycles: keys.misprediction.0,
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

fn replacement(key: ReplacementKey) -> Replacement {
    match key {
        ReplacementKey::Lru => Replacement::Lru,
        ReplacementKey::Fifo => Replacement::Fifo,
        ReplacementKey::TreePlru => Replacement::TreePlru,
        ReplacementKey::Random => Replacement::Random,
        ReplacementKey::Srrip => Replacement::Srrip,
    }
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
        MemoryKeys::Simple(keys) => {
            let spec = SimpleMemorySpec {
                latency: keys.latency.0,
                bandwidth_bytes_per_second: keys.bandwidth.bytes_per_second(),
                channels: keys.channels.0 as u32,
                queue_capacity: keys.queue.0 as u32,
            };
            (MemorySpec::Simple(spec), keys.size.0)
        }
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
