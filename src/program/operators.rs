//! What the operators of the notation do to the bits in registers: the one definition that constant folding, the interpreter and the
//! tests of the host's code share.
//!
//! A register holds an `i64` or `f64` as it is, an `i32` sign-extended, an `f32` in the low half under zeros, a `bool` as 0 or 1.
//!
//! * Integers wrap; a shift's count is taken modulo the width; `/` and `%` floor (Boute 1992, "The Euclidean definition of the
//!   functions div and mod", F-division), so that `a == a / b * b + a % b` and `a % b` has the sign of `b`.
//! * `min(a, b)` is `a < b ? a : b` and `max(a, b)` is `a > b ? a : b`: with a NaN the second operand comes back.
//! * Float to integer saturates and takes NaN to 0.
//! * Addition, multiplication, division, square root and fused multiply-add are those of IEEE 754, the special functions those of
//!   `libm`; so every host computes the same bits, but for the payload of a NaN. NaNs are therefore made canonical wherever their
//!   bits can be seen: in results and by atomic operations ([`canonical`]).

use crate::program::tree::{BinaryOperator, Comparison, Type, UnaryOperator, UpdateOperation};

/// The bits of the one NaN that results and atomic operations know: positive and quiet, without a payload.
const CANONICAL_NAN_F64: u64 = 0x7ff8_0000_0000_0000;
const CANONICAL_NAN_F32: u64 = 0x7fc0_0000;

/// The bits of the `f64` in a register.
#[inline(always)]
pub fn f64_of(bits: u64) -> f64 {
    f64::from_bits(bits)
}

/// The `f32` in the low half of a register.
#[inline(always)]
pub fn f32_of(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

#[inline(always)]
fn bits_of_f32(value: f32) -> u64 {
    u64::from(value.to_bits())
}

#[inline(always)]
fn bits_of_i32(value: i32) -> u64 {
    i64::from(value) as u64
}

/// The same bits, with any NaN replaced by the canonical one.
#[inline]
pub fn canonical(r#type: Type, bits: u64) -> u64 {
    match r#type {
        Type::F64 if f64_of(bits).is_nan() => CANONICAL_NAN_F64,
        Type::F32 if f32_of(bits).is_nan() => CANONICAL_NAN_F32,
        _ => bits,
    }
}

/// `a operator b` on values of `type`; `None` for an integer division by zero and for operators the type does not have.
#[inline]
pub fn binary(r#type: Type, operator: BinaryOperator, a: u64, b: u64) -> Option<u64> {
    match r#type {
        Type::I64 => binary_i64(operator, a as i64, b as i64).map(|value| value as u64),
        Type::I32 => binary_i32(operator, a as i32, b as i32).map(bits_of_i32),
        Type::F64 => binary_f64(operator, f64_of(a), f64_of(b)).map(f64::to_bits),
        Type::F32 => binary_f32(operator, f32_of(a), f32_of(b)).map(bits_of_f32),
        Type::Bool => binary_bool(operator, a, b),
    }
}

/// Quotient rounded towards minus infinity. The divisor is not 0.
#[inline(always)]
pub fn floor_divide(a: i64, b: i64) -> i64 {
    let quotient = a.wrapping_div(b);
    let remainder = a.wrapping_rem(b);
    if remainder != 0 && (remainder < 0) != (b < 0) { quotient - 1 } else { quotient }
}

/// Remainder with the sign of the divisor, which is not 0.
#[inline(always)]
pub fn floor_remainder(a: i64, b: i64) -> i64 {
    let remainder = a.wrapping_rem(b);
    if remainder != 0 && (remainder < 0) != (b < 0) { remainder.wrapping_add(b) } else { remainder }
}

fn binary_i64(operator: BinaryOperator, a: i64, b: i64) -> Option<i64> {
    Some(match operator {
        BinaryOperator::Add => a.wrapping_add(b),
        BinaryOperator::Subtract => a.wrapping_sub(b),
        BinaryOperator::Multiply => a.wrapping_mul(b),
        BinaryOperator::Divide if b == 0 => return None,
        BinaryOperator::Divide => floor_divide(a, b),
        BinaryOperator::Remainder if b == 0 => return None,
        BinaryOperator::Remainder => floor_remainder(a, b),
        BinaryOperator::Minimum => a.min(b),
        BinaryOperator::Maximum => a.max(b),
        BinaryOperator::And => a & b,
        BinaryOperator::Or => a | b,
        BinaryOperator::Xor => a ^ b,
        BinaryOperator::ShiftLeft => a.wrapping_shl(b as u32),
        BinaryOperator::ShiftRight => a.wrapping_shr(b as u32),
    })
}

fn binary_i32(operator: BinaryOperator, a: i32, b: i32) -> Option<i32> {
    Some(match operator {
        BinaryOperator::ShiftLeft => a.wrapping_shl(b as u32),
        BinaryOperator::ShiftRight => a.wrapping_shr(b as u32),
        // The 64-bit result of 32-bit operands, cut to its low half, is the wrapped 32-bit result.
        _ => binary_i64(operator, i64::from(a), i64::from(b))? as i32,
    })
}

fn binary_f64(operator: BinaryOperator, a: f64, b: f64) -> Option<f64> {
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

fn binary_f32(operator: BinaryOperator, a: f32, b: f32) -> Option<f32> {
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

fn binary_bool(operator: BinaryOperator, a: u64, b: u64) -> Option<u64> {
    Some(match operator {
        BinaryOperator::And | BinaryOperator::Minimum => a & b,
        BinaryOperator::Or | BinaryOperator::Maximum => a | b,
        BinaryOperator::Xor => a ^ b,
        _ => return None,
    })
}

/// `operator a` on a value of `type`; operators the type does not have give the operand back.
#[inline]
pub fn unary(r#type: Type, operator: UnaryOperator, a: u64) -> u64 {
    match r#type {
        Type::I64 => match operator {
            UnaryOperator::Negate => (a as i64).wrapping_neg() as u64,
            UnaryOperator::Absolute => (a as i64).wrapping_abs() as u64,
            UnaryOperator::Not => !a,
            _ => a,
        },
        Type::I32 => match operator {
            UnaryOperator::Negate => bits_of_i32((a as i32).wrapping_neg()),
            UnaryOperator::Absolute => bits_of_i32((a as i32).wrapping_abs()),
            UnaryOperator::Not => !a,
            _ => a,
        },
        Type::Bool => match operator {
            UnaryOperator::Not => a ^ 1,
            _ => a,
        },
        Type::F64 => unary_f64(operator, f64_of(a)).to_bits(),
        Type::F32 => bits_of_f32(unary_f32(operator, f32_of(a))),
    }
}

fn unary_f64(operator: UnaryOperator, a: f64) -> f64 {
    match operator {
        UnaryOperator::Negate => -a,
        UnaryOperator::Not => a,
        UnaryOperator::Absolute => a.abs(),
        UnaryOperator::SquareRoot => libm::sqrt(a),
        UnaryOperator::Sine => libm::sin(a),
        UnaryOperator::Cosine => libm::cos(a),
        UnaryOperator::Exponential => libm::exp(a),
        UnaryOperator::Logarithm => libm::log(a),
    }
}

fn unary_f32(operator: UnaryOperator, a: f32) -> f32 {
    match operator {
        UnaryOperator::Negate => -a,
        UnaryOperator::Not => a,
        UnaryOperator::Absolute => a.abs(),
        UnaryOperator::SquareRoot => libm::sqrtf(a),
        UnaryOperator::Sine => libm::sinf(a),
        UnaryOperator::Cosine => libm::cosf(a),
        UnaryOperator::Exponential => libm::expf(a),
        UnaryOperator::Logarithm => libm::logf(a),
    }
}

/// `a * b + c`, rounded once.
#[inline]
pub fn fused_multiply_add(r#type: Type, a: u64, b: u64, c: u64) -> u64 {
    match r#type {
        Type::F32 => bits_of_f32(f32_of(a).mul_add(f32_of(b), f32_of(c))),
        _ => f64_of(a).mul_add(f64_of(b), f64_of(c)).to_bits(),
    }
}

/// Whether `a comparison b` holds between values of `type`.
#[inline]
pub fn compare(r#type: Type, comparison: Comparison, a: u64, b: u64) -> bool {
    match r#type {
        Type::F64 => holds(comparison, f64_of(a), f64_of(b)),
        Type::F32 => holds(comparison, f32_of(a), f32_of(b)),
        Type::I64 | Type::I32 | Type::Bool => holds(comparison, a as i64, b as i64),
    }
}

/// Whether `a comparison b` holds.
#[inline(always)]
pub fn holds<T: PartialOrd>(comparison: Comparison, a: T, b: T) -> bool {
    match comparison {
        Comparison::Equal => a == b,
        Comparison::NotEqual => a != b,
        Comparison::Less => a < b,
        Comparison::LessEqual => a <= b,
        Comparison::Greater => a > b,
        Comparison::GreaterEqual => a >= b,
    }
}

/// A value of type `from` as one of type `to`.
#[inline]
pub fn convert(from: Type, to: Type, bits: u64) -> u64 {
    match (from, to) {
        (Type::F64, Type::F32) => bits_of_f32(f64_of(bits) as f32),
        (Type::F64, Type::I64) => f64_of(bits) as i64 as u64,
        (Type::F64, Type::I32) => bits_of_i32(f64_of(bits) as i32),
        (Type::F32, Type::F64) => f64::from(f32_of(bits)).to_bits(),
        (Type::F32, Type::I64) => f32_of(bits) as i64 as u64,
        (Type::F32, Type::I32) => bits_of_i32(f32_of(bits) as i32),
        (Type::I64 | Type::I32 | Type::Bool, Type::F64) => (bits as i64 as f64).to_bits(),
        (Type::I64 | Type::I32 | Type::Bool, Type::F32) => bits_of_f32(bits as i64 as f32),
        (Type::I64 | Type::I32 | Type::Bool, Type::I32) => bits_of_i32(bits as i32),
        (Type::F64, Type::Bool) => u64::from(f64_of(bits) != 0.0),
        (Type::F32, Type::Bool) => u64::from(f32_of(bits) != 0.0),
        (Type::I64 | Type::I32, Type::Bool) => u64::from(bits != 0),
        (Type::F64, Type::F64)
        | (Type::F32, Type::F32)
        | (Type::I64 | Type::I32 | Type::Bool, Type::I64)
        | (Type::Bool, Type::Bool) => bits,
    }
}

/// What an atomic update leaves in its place: `old operation operand`, with NaNs canonical.
pub fn update(r#type: Type, operation: UpdateOperation, old: u64, operand: u64) -> u64 {
    let operator = match operation {
        UpdateOperation::Exchange => return canonical(r#type, operand),
        UpdateOperation::Add => BinaryOperator::Add,
        UpdateOperation::Minimum => BinaryOperator::Minimum,
        UpdateOperation::Maximum => BinaryOperator::Maximum,
        UpdateOperation::And => BinaryOperator::And,
        UpdateOperation::Or => BinaryOperator::Or,
        UpdateOperation::Xor => BinaryOperator::Xor,
    };
    // The checker admits only operations the type has.
    canonical(r#type, binary(r#type, operator, old, operand).unwrap_or(old))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::tree::Value;
    use proptest::prelude::*;

    fn i64s(operator: BinaryOperator, a: i64, b: i64) -> Option<i64> {
        binary(Type::I64, operator, a as u64, b as u64).map(|bits| bits as i64)
    }

    #[test]
    fn division_floors() {
        let cases = [(7, 2, 3, 1), (-7, 2, -4, 1), (7, -2, -4, -1), (-7, -2, 3, -1), (6, 3, 2, 0), (-6, 3, -2, 0)];
        for (a, b, quotient, remainder) in cases {
            assert_eq!(i64s(BinaryOperator::Divide, a, b), Some(quotient), "{a} / {b}");
            assert_eq!(i64s(BinaryOperator::Remainder, a, b), Some(remainder), "{a} % {b}");
        }
        assert_eq!(i64s(BinaryOperator::Divide, 1, 0), None);
        assert_eq!(i64s(BinaryOperator::Remainder, 1, 0), None);
        assert_eq!(i64s(BinaryOperator::Divide, i64::MIN, -1), Some(i64::MIN), "wraps");
        assert_eq!(i64s(BinaryOperator::Remainder, i64::MIN, -1), Some(0));
    }

    #[test]
    fn a_nan_gives_the_second_operand_of_min_and_max() {
        let (nan, one) = (f64::NAN.to_bits(), 1.0_f64.to_bits());
        assert_eq!(binary(Type::F64, BinaryOperator::Minimum, nan, one), Some(one));
        assert_eq!(binary(Type::F64, BinaryOperator::Maximum, nan, one), Some(one));
        assert!(f64_of(binary(Type::F64, BinaryOperator::Minimum, one, nan).unwrap()).is_nan());
    }

    #[test]
    fn conversions_saturate_wrap_and_widen() {
        let f = |value: f64| value.to_bits();
        assert_eq!(convert(Type::F64, Type::I64, f(1e300)) as i64, i64::MAX);
        assert_eq!(convert(Type::F64, Type::I32, f(-1e300)) as i64, i64::from(i32::MIN));
        assert_eq!(convert(Type::F64, Type::I64, f(f64::NAN)), 0);
        assert_eq!(convert(Type::I64, Type::I32, 0x1_8000_0000) as i64, i64::from(i32::MIN), "wraps and extends the sign");
        assert_eq!(convert(Type::I64, Type::F32, 16_777_217), u64::from(16_777_216.0_f32.to_bits()), "rounds once");
    }

    #[test]
    fn nans_become_one() {
        assert_eq!(canonical(Type::F64, (-f64::NAN).to_bits() | 1), CANONICAL_NAN_F64);
        assert_eq!(canonical(Type::F32, u64::from((-f32::NAN).to_bits())), CANONICAL_NAN_F32);
        assert_eq!(canonical(Type::I64, u64::MAX), u64::MAX);
        assert_eq!(canonical(Type::F64, f64::INFINITY.to_bits()), f64::INFINITY.to_bits());
    }

    proptest! {
        #[test]
        fn quotient_and_remainder_make_up_the_dividend(a: i64, b: i64) {
            prop_assume!(b != 0);
            let quotient = i64s(BinaryOperator::Divide, a, b).unwrap();
            let remainder = i64s(BinaryOperator::Remainder, a, b).unwrap();
            prop_assert_eq!(quotient.wrapping_mul(b).wrapping_add(remainder), a);
            prop_assert!(remainder == 0 || (remainder < 0) == (b < 0));
            prop_assert!(remainder.unsigned_abs() < b.unsigned_abs());
        }

        #[test]
        fn integers_of_32_bits_stay_sign_extended(a: i32, b: i32, shift in 0..64_i64) {
            use BinaryOperator::*;
            let bits = |value: i32| Value::I32(value).bits();
            for operator in [Add, Subtract, Multiply, Divide, Remainder, Minimum, Maximum, And, Or, Xor] {
                if let Some(result) = binary(Type::I32, operator, bits(a), bits(b)) {
                    prop_assert_eq!(result, bits(result as i32), "{:?}", operator);
                }
            }
            prop_assert_eq!(binary(Type::I32, ShiftLeft, bits(a), shift as u64), Some(bits(a.wrapping_shl(shift as u32))));
            prop_assert_eq!(binary(Type::I32, Add, bits(a), bits(b)), Some(bits(a.wrapping_add(b))));
            prop_assert_eq!(binary(Type::I32, Multiply, bits(a), bits(b)), Some(bits(a.wrapping_mul(b))));
        }
    }
}
