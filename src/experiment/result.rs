//! What a program computed: its values as JSON shows them, their checksum, and when two runs' values are equal.

use serde_json::{Number, Value as Json};

use crate::base::statistics::fnv1a64;
use crate::experiment::record::{Equality, ResultRecord};
use crate::program::tree::{Program, Value};

/// The relative tolerance of results that depend on an order of float operations and whose text names none.
pub const DEFAULT_TOLERANCE: f64 = 1e-9;

/// The values of a run as a record holds them.
pub fn result_record(values: &[Value], equality: Equality) -> ResultRecord {
    ResultRecord { values: values.iter().map(|&value| json(value)).collect(), checksum: checksum(values), equality }
}

/// How results of this program compare.
pub fn equality(program: &Program) -> Equality {
    match program.within {
        Some(tolerance) => Equality::Tolerance(tolerance),
        None if program.order_dependent => Equality::Tolerance(DEFAULT_TOLERANCE),
        None => Equality::Exact,
    }
}

/// A value as JSON: what JSON cannot hold becomes the string `NaN`, `inf` or `-inf`.
pub fn json(value: Value) -> Json {
    let float = |value: f64| match Number::from_f64(value) {
        Some(number) => Json::Number(number),
        None if value.is_nan() => Json::from("NaN"),
        None if value > 0.0 => Json::from("inf"),
        None => Json::from("-inf"),
    };
    match value {
        Value::Bool(value) => Json::from(value),
        Value::I64(value) => Json::from(value),
        Value::I32(value) => Json::from(value),
        Value::F64(value) => float(value),
        Value::F32(value) => float(f64::from(value)),
    }
}

/// The value's bits with every NaN the same.
pub fn canonical_bits(value: Value) -> u64 {
    match value {
        Value::F64(value) if value.is_nan() => f64::NAN.to_bits(),
        Value::F32(value) if value.is_nan() => u64::from(f32::NAN.to_bits()),
        value => value.bits(),
    }
}

/// 16 hexadecimal digits: FNV-1a, 64 bits, over the values' canonical bits (8 little-endian bytes each) in order.
pub fn checksum(values: &[Value]) -> String {
    let bytes: Vec<u8> = values.iter().flat_map(|&value| canonical_bits(value).to_le_bytes()).collect();
    format!("{:016x}", fnv1a64(&bytes))
}

/// Whether two runs' values are equal: bit for bit, or float by float within the tolerance (relative to the larger magnitude).
pub fn equal(a: &[Value], b: &[Value], equality: Equality) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(&a, &b)| {
            canonical_bits(a) == canonical_bits(b)
                || match (a, b, equality) {
                    (Value::F64(a), Value::F64(b), Equality::Tolerance(tolerance)) => close(a, b, tolerance),
                    (Value::F32(a), Value::F32(b), Equality::Tolerance(tolerance)) => close(f64::from(a), f64::from(b), tolerance),
                    _ => false,
                }
        })
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.abs().max(b.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_see_every_value_and_its_place() {
        let values = [Value::I64(1), Value::F64(2.0)];
        assert_eq!(checksum(&values), checksum(&values));
        assert_ne!(checksum(&values), checksum(&[Value::F64(2.0), Value::I64(1)]));
        assert_ne!(checksum(&values), checksum(&values[..1]));
        let nans = [f64::NAN, -f64::NAN, f64::from_bits(0x7ff0_0000_0000_0001)];
        assert!(nans.iter().all(|&nan| checksum(&[Value::F64(nan)]) == checksum(&[Value::F64(f64::NAN)])));
    }

    #[test]
    fn equality_is_exact_unless_the_order_of_additions_may_differ() {
        let near = [Value::F64(1.0), Value::F64(1.0 + 1e-12)];
        assert!(!equal(&near[..1], &near[1..], Equality::Exact));
        assert!(equal(&near[..1], &near[1..], Equality::Tolerance(1e-9)));
        assert!(!equal(&near[..1], &near[1..], Equality::Tolerance(1e-13)));
        assert!(!equal(&[Value::I64(1)], &[Value::I64(2)], Equality::Tolerance(1.0)), "integers are always exact");
        assert!(!equal(&near, &near[..1], Equality::Tolerance(1.0)));
    }
}
