//! Arithmetic on known values: what the notation says an operator does, for the constants that the checker folds.
//!
//! Integers wrap, `/` and `%` floor, shifts take their count modulo the width, float to integer saturates, NaNs are canonical.

use crate::program::tree::{BinaryOperator, Comparison, Type, UnaryOperator, Value};

/// The value of `a operator b`, both of one type (a shift's count is an `i64`); `None` for a division by zero and for operators that
/// the type does not have.
pub(super) fn binary(operator: BinaryOperator, a: Value, b: Value) -> Option<Value> {
    Some(match (a, b) {
        (Value::I64(a), Value::I64(b)) => Value::I64(integer(operator, a, b, 64)?),
        // The operations agree with those of 64 bits in the low half.
        (Value::I32(a), Value::I32(b)) => Value::I32(integer(operator, i64::from(a), i64::from(b), 32)? as i32),
        (Value::I32(a), Value::I64(count)) => Value::I32(integer(operator, i64::from(a), count, 32)? as i32),
        (Value::F64(a), Value::F64(b)) => Value::F64(canonical(float(operator, a, b)?)),
        (Value::F32(a), Value::F32(b)) => Value::F32(canonical_single(single(operator, a, b)?)),
        (Value::Bool(a), Value::Bool(b)) => Value::Bool(match operator {
            BinaryOperator::And => a & b,
            BinaryOperator::Or => a | b,
            BinaryOperator::Xor => a ^ b,
            _ => return None,
        }),
        _ => return None,
    })
}

fn integer(operator: BinaryOperator, a: i64, b: i64, width: i64) -> Option<i64> {
    Some(match operator {
        BinaryOperator::Add => a.wrapping_add(b),
        BinaryOperator::Subtract => a.wrapping_sub(b),
        BinaryOperator::Multiply => a.wrapping_mul(b),
        BinaryOperator::Divide if b == 0 => return None,
        BinaryOperator::Remainder if b == 0 => return None,
        BinaryOperator::Divide => {
            let quotient = a.wrapping_div(b);
            if a.wrapping_rem(b) != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient }
        }
        BinaryOperator::Remainder => {
            let remainder = a.wrapping_rem(b);
            if remainder != 0 && (remainder < 0) != (b < 0) { remainder + b } else { remainder }
        }
        BinaryOperator::Minimum => a.min(b),
        BinaryOperator::Maximum => a.max(b),
        BinaryOperator::And => a & b,
        BinaryOperator::Or => a | b,
        BinaryOperator::Xor => a ^ b,
        BinaryOperator::ShiftLeft => a << b.rem_euclid(width),
        BinaryOperator::ShiftRight => a >> b.rem_euclid(width),
    })
}

fn float(operator: BinaryOperator, a: f64, b: f64) -> Option<f64> {
    Some(match operator {
        BinaryOperator::Add => a + b,
        BinaryOperator::Subtract => a - b,
        BinaryOperator::Multiply => a * b,
        BinaryOperator::Divide => a / b,
        BinaryOperator::Minimum => {
            if a < b {
                a
            } else {
                b
            }
        }
        BinaryOperator::Maximum => {
            if a > b {
                a
            } else {
                b
            }
        }
        _ => return None,
    })
}

fn single(operator: BinaryOperator, a: f32, b: f32) -> Option<f32> {
    Some(match operator {
        BinaryOperator::Add => a + b,
        BinaryOperator::Subtract => a - b,
        BinaryOperator::Multiply => a * b,
        BinaryOperator::Divide => a / b,
        BinaryOperator::Minimum => {
            if a < b {
                a
            } else {
                b
            }
        }
        BinaryOperator::Maximum => {
            if a > b {
                a
            } else {
                b
            }
        }
        _ => return None,
    })
}

fn canonical(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

fn canonical_single(value: f32) -> f32 {
    if value.is_nan() { f32::NAN } else { value }
}

/// The value of `operator a`; `None` for operators that the type does not have.
pub(super) fn unary(operator: UnaryOperator, a: Value) -> Option<Value> {
    Some(match (operator, a) {
        (UnaryOperator::Negate, Value::I64(a)) => Value::I64(a.wrapping_neg()),
        (UnaryOperator::Negate, Value::I32(a)) => Value::I32(a.wrapping_neg()),
        (UnaryOperator::Negate, Value::F64(a)) => Value::F64(canonical(-a)),
        (UnaryOperator::Negate, Value::F32(a)) => Value::F32(canonical_single(-a)),
        (UnaryOperator::Not, Value::I64(a)) => Value::I64(!a),
        (UnaryOperator::Not, Value::I32(a)) => Value::I32(!a),
        (UnaryOperator::Not, Value::Bool(a)) => Value::Bool(!a),
        (UnaryOperator::Absolute, Value::I64(a)) => Value::I64(a.wrapping_abs()),
        (UnaryOperator::Absolute, Value::I32(a)) => Value::I32(a.wrapping_abs()),
        (UnaryOperator::Absolute, Value::F64(a)) => Value::F64(canonical(a.abs())),
        (UnaryOperator::Absolute, Value::F32(a)) => Value::F32(canonical_single(a.abs())),
        (UnaryOperator::SquareRoot, Value::F64(a)) => Value::F64(canonical(libm::sqrt(a))),
        (UnaryOperator::SquareRoot, Value::F32(a)) => Value::F32(canonical_single(libm::sqrtf(a))),
        (UnaryOperator::Sine, Value::F64(a)) => Value::F64(canonical(libm::sin(a))),
        (UnaryOperator::Sine, Value::F32(a)) => Value::F32(canonical_single(libm::sinf(a))),
        (UnaryOperator::Cosine, Value::F64(a)) => Value::F64(canonical(libm::cos(a))),
        (UnaryOperator::Cosine, Value::F32(a)) => Value::F32(canonical_single(libm::cosf(a))),
        (UnaryOperator::Exponential, Value::F64(a)) => Value::F64(canonical(libm::exp(a))),
        (UnaryOperator::Exponential, Value::F32(a)) => Value::F32(canonical_single(libm::expf(a))),
        (UnaryOperator::Logarithm, Value::F64(a)) => Value::F64(canonical(libm::log(a))),
        (UnaryOperator::Logarithm, Value::F32(a)) => Value::F32(canonical_single(libm::logf(a))),
        _ => return None,
    })
}

/// Whether `a comparison b` holds, both of one type.
pub(super) fn compare(comparison: Comparison, a: Value, b: Value) -> Option<bool> {
    let ordering = match (a, b) {
        (Value::I64(a), Value::I64(b)) => Some(a.cmp(&b)),
        (Value::I32(a), Value::I32(b)) => Some(a.cmp(&b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(&b)),
        (Value::F64(a), Value::F64(b)) => a.partial_cmp(&b),
        (Value::F32(a), Value::F32(b)) => a.partial_cmp(&b),
        _ => return None,
    };
    Some(match comparison {
        Comparison::Equal => ordering.is_some_and(|ordering| ordering.is_eq()),
        Comparison::NotEqual => !ordering.is_some_and(|ordering| ordering.is_eq()),
        Comparison::Less => ordering.is_some_and(|ordering| ordering.is_lt()),
        Comparison::LessEqual => ordering.is_some_and(|ordering| ordering.is_le()),
        Comparison::Greater => ordering.is_some_and(|ordering| ordering.is_gt()),
        Comparison::GreaterEqual => ordering.is_some_and(|ordering| ordering.is_ge()),
    })
}

/// A value in another type; `None` to `bool`.
pub(super) fn convert(value: Value, r#type: Type) -> Option<Value> {
    let as_integer = match value {
        Value::I64(value) => value,
        Value::I32(value) => i64::from(value),
        Value::Bool(value) => i64::from(value),
        Value::F64(value) if r#type == Type::I32 => i64::from(value as i32),
        Value::F32(value) if r#type == Type::I32 => i64::from(value as i32),
        Value::F64(value) => value as i64,
        Value::F32(value) => value as i64,
    };
    Some(match (r#type, value) {
        (Type::I64, _) => Value::I64(as_integer),
        (Type::I32, _) => Value::I32(as_integer as i32),
        (Type::F64, Value::F64(value)) => Value::F64(value),
        (Type::F64, Value::F32(value)) => Value::F64(canonical(f64::from(value))),
        (Type::F64, _) => Value::F64(as_integer as f64),
        (Type::F32, Value::F64(value)) => Value::F32(canonical_single(value as f32)),
        (Type::F32, Value::F32(value)) => Value::F32(value),
        (Type::F32, _) => Value::F32(as_integer as f32),
        (Type::Bool, Value::Bool(value)) => Value::Bool(value),
        (Type::Bool, _) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn division_floors_and_fits_its_remainder(a: i64, b: i64) {
            prop_assume!(b != 0 && !(a == i64::MIN && b == -1));
            let (Some(Value::I64(quotient)), Some(Value::I64(remainder))) = (
                binary(BinaryOperator::Divide, Value::I64(a), Value::I64(b)),
                binary(BinaryOperator::Remainder, Value::I64(a), Value::I64(b)),
            ) else { panic!("both have values") };
            prop_assert_eq!(i128::from(quotient) * i128::from(b) + i128::from(remainder), i128::from(a));
            prop_assert!(remainder == 0 || (remainder < 0) == (b < 0));
            prop_assert!(remainder.unsigned_abs() < b.unsigned_abs());
        }
    }

    #[test]
    fn the_left_neighbour_of_rank_0_is_the_last_rank() {
        assert_eq!(binary(BinaryOperator::Remainder, Value::I64(-1), Value::I64(4)), Some(Value::I64(3)));
        assert_eq!(binary(BinaryOperator::Divide, Value::I64(-1), Value::I64(4)), Some(Value::I64(-1)));
    }

    #[test]
    fn integers_wrap_shifts_mask_and_conversions_saturate() {
        assert_eq!(binary(BinaryOperator::Add, Value::I32(i32::MAX), Value::I32(1)), Some(Value::I32(i32::MIN)));
        assert_eq!(binary(BinaryOperator::ShiftLeft, Value::I32(1), Value::I64(33)), Some(Value::I32(2)));
        assert_eq!(binary(BinaryOperator::ShiftRight, Value::I64(-8), Value::I64(-63)), Some(Value::I64(-4)));
        assert_eq!(binary(BinaryOperator::Divide, Value::I64(i64::MIN), Value::I64(-1)), Some(Value::I64(i64::MIN)));
        assert_eq!(convert(Value::F64(1e30), Type::I32), Some(Value::I32(i32::MAX)));
        assert_eq!(convert(Value::F64(f64::NAN), Type::I64), Some(Value::I64(0)));
        assert_eq!(convert(Value::I64(1 << 40 | 7), Type::I32), Some(Value::I32(7)));
    }

    #[test]
    fn minimum_is_the_second_where_nothing_compares() {
        assert_eq!(binary(BinaryOperator::Minimum, Value::F64(f64::NAN), Value::F64(2.0)), Some(Value::F64(2.0)));
        assert_eq!(binary(BinaryOperator::Divide, Value::I64(1), Value::I64(0)), None);
    }
}
