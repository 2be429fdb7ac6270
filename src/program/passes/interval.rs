//! Intervals of integers: what is known of a register's value.
//!
//! Arithmetic is that of abstract interpretation over intervals (Cousot and Cousot 1977); an operation that may wrap knows nothing.

use crate::program::tree::{BinaryOperator, Comparison, Type};

/// All integers from `low` to `high`, both included; `low <= high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    pub low: i64,
    pub high: i64,
}

impl Interval {
    /// Every `i64`.
    pub const FULL: Interval = Interval { low: i64::MIN, high: i64::MAX };

    /// One value.
    pub fn exactly(value: i64) -> Interval {
        Interval { low: value, high: value }
    }

    /// From `low` to `high`, or `None` where that is empty.
    pub fn new(low: i64, high: i64) -> Option<Interval> {
        (low <= high).then_some(Interval { low, high })
    }

    /// Every value of a type; floats have no interval.
    pub fn of_type(r#type: Type) -> Option<Interval> {
        match r#type {
            Type::I64 => Some(Interval::FULL),
            Type::I32 => Some(Interval { low: i64::from(i32::MIN), high: i64::from(i32::MAX) }),
            Type::Bool => Some(Interval { low: 0, high: 1 }),
            Type::F64 | Type::F32 => None,
        }
    }

    /// The smallest interval that holds both.
    pub fn join(self, other: Interval) -> Interval {
        Interval { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// What both hold, or `None` where that is nothing.
    pub fn meet(self, other: Interval) -> Option<Interval> {
        Interval::new(self.low.max(other.low), self.high.min(other.high))
    }

    /// Whether every value of `self` is in `other`.
    pub fn within(self, other: Interval) -> bool {
        other.low <= self.low && self.high <= other.high
    }

    /// Every value of `self` plus a constant, or `None` where one wraps.
    pub fn plus(self, constant: i64) -> Option<Interval> {
        Some(Interval { low: self.low.checked_add(constant)?, high: self.high.checked_add(constant)? })
    }

    /// The results of an operator in a type; everything the type has where it may wrap or is not followed.
    pub fn binary(r#type: Type, operator: BinaryOperator, a: Interval, b: Interval) -> Option<Interval> {
        let all = Interval::of_type(r#type)?;
        let width = if r#type == Type::I32 { 32 } else { 64 };
        Some(binary_i64(operator, a, b, width).filter(|result| result.within(all)).unwrap_or(all))
    }

    /// What `self` can be where `self comparison other` holds; `None` where it cannot hold.
    pub fn refine(self, comparison: Comparison, other: Interval) -> Option<Interval> {
        match comparison {
            Comparison::Equal => self.meet(other),
            Comparison::NotEqual if other.low == other.high => self.without(other.low),
            Comparison::NotEqual => Some(self),
            Comparison::Less => Interval::new(self.low, self.high.min(other.high.checked_sub(1)?)),
            Comparison::LessEqual => Interval::new(self.low, self.high.min(other.high)),
            Comparison::Greater => Interval::new(self.low.max(other.low.checked_add(1)?), self.high),
            Comparison::GreaterEqual => Interval::new(self.low.max(other.low), self.high),
        }
    }

    fn without(self, value: i64) -> Option<Interval> {
        match (self.low == value, self.high == value) {
            (true, true) => None,
            (true, false) => Interval::new(self.low + 1, self.high),
            (false, true) => Interval::new(self.low, self.high - 1),
            (false, false) => Some(self),
        }
    }
}

fn binary_i64(operator: BinaryOperator, a: Interval, b: Interval, width: i64) -> Option<Interval> {
    match operator {
        BinaryOperator::Add => Some(Interval { low: a.low.checked_add(b.low)?, high: a.high.checked_add(b.high)? }),
        BinaryOperator::Subtract => Some(Interval { low: a.low.checked_sub(b.high)?, high: a.high.checked_sub(b.low)? }),
        BinaryOperator::Multiply => corners(a, b, i64::checked_mul),
        BinaryOperator::Divide if b.low > 0 => corners(a, b, |a, b| Some(crate::program::operators::floor_divide(a, b))),
        // The divisor's sign, and no further from 0 than the dividend where both are non-negative.
        BinaryOperator::Remainder if b.low > 0 => {
            let high = if a.low >= 0 { a.high.min(b.high - 1) } else { b.high - 1 };
            if a.low >= 0 && a.high < b.low { Some(a) } else { Interval::new(0, high) }
        }
        BinaryOperator::Minimum => Some(Interval { low: a.low.min(b.low), high: a.high.min(b.high) }),
        BinaryOperator::Maximum => Some(Interval { low: a.low.max(b.low), high: a.high.max(b.high) }),
        BinaryOperator::And if a.low >= 0 && b.low >= 0 => Interval::new(0, a.high.min(b.high)),
        BinaryOperator::And if a.low >= 0 => Interval::new(0, a.high),
        BinaryOperator::And if b.low >= 0 => Interval::new(0, b.high),
        BinaryOperator::Or | BinaryOperator::Xor if a.low >= 0 && b.low >= 0 => Interval::new(0, all_ones(a.high | b.high)),
        BinaryOperator::ShiftLeft if b.low == b.high && (0..width.min(62)).contains(&b.low) => {
            corners(a, Interval::exactly(1 << b.low), i64::checked_mul)
        }
        BinaryOperator::ShiftRight if b.low >= 0 && b.high < width => corners(a, b, |a, b| Some(a >> b)),
        BinaryOperator::Divide
        | BinaryOperator::Remainder
        | BinaryOperator::And
        | BinaryOperator::Or
        | BinaryOperator::Xor
        | BinaryOperator::ShiftLeft
        | BinaryOperator::ShiftRight => None,
    }
}

/// The largest number with as many bits.
fn all_ones(value: i64) -> i64 {
    if value == 0 { 0 } else { (u64::MAX >> value.leading_zeros()) as i64 }
}

/// For an operator that is monotonic in each operand: its extremes are among the corners.
fn corners(a: Interval, b: Interval, operator: impl Fn(i64, i64) -> Option<i64>) -> Option<Interval> {
    let values = [operator(a.low, b.low)?, operator(a.low, b.high)?, operator(a.high, b.low)?, operator(a.high, b.high)?];
    Some(Interval { low: values.into_iter().min()?, high: values.into_iter().max()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::operators;
    use proptest::prelude::*;

    fn interval() -> impl Strategy<Value = Interval> {
        let end = prop_oneof![-20..20_i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)];
        (end.clone(), end).prop_map(|(a, b)| Interval { low: a.min(b), high: a.max(b) })
    }

    fn member(interval: Interval, pick: u64) -> i64 {
        let width = interval.high.wrapping_sub(interval.low) as u64;
        match pick % 4 {
            0 => interval.low,
            1 => interval.high,
            _ => interval.low.wrapping_add((pick % width.wrapping_add(1).max(1)) as i64),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn no_result_lies_outside(a in interval(), b in interval(), x: u64, y: u64, narrow: bool) {
            use BinaryOperator::*;
            let r#type = if narrow { Type::I32 } else { Type::I64 };
            let all = Interval::of_type(r#type).unwrap();
            let (Some(a), Some(b)) = (a.meet(all), b.meet(all)) else { return Ok(()) };
            let (x, y) = (member(a, x), member(b, y));
            for operator in [Add, Subtract, Multiply, Divide, Remainder, Minimum, Maximum, And, Or, Xor, ShiftLeft, ShiftRight] {
                let result = Interval::binary(r#type, operator, a, b).unwrap();
                if let Some(bits) = operators::binary(r#type, operator, x as u64, y as u64) {
                    let value = bits as i64;
                    prop_assert!(result.low <= value && value <= result.high, "{x} {operator:?} {y} = {value} outside {result:?}");
                }
            }
        }

        #[test]
        fn refining_keeps_what_satisfies(a in interval(), b in interval(), x: u64, y: u64) {
            use Comparison::*;
            let (x, y) = (member(a, x), member(b, y));
            for comparison in [Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual] {
                if operators::holds(comparison, x, y) {
                    let refined = a.refine(comparison, b).expect("it can hold");
                    prop_assert!(refined.low <= x && x <= refined.high, "{x} {comparison:?} {y}: {refined:?}");
                }
            }
        }
    }

    #[test]
    fn remainders_and_masks_bound_what_was_unbounded() {
        let remainder = Interval::binary(Type::I64, BinaryOperator::Remainder, Interval::FULL, Interval::exactly(10));
        assert_eq!(remainder, Some(Interval { low: 0, high: 9 }));
        let mask = Interval::binary(Type::I64, BinaryOperator::And, Interval::FULL, Interval::exactly(63));
        assert_eq!(mask, Some(Interval { low: 0, high: 63 }));
        let sum = Interval::binary(Type::I64, BinaryOperator::Add, Interval { low: 0, high: i64::MAX }, Interval::exactly(1));
        assert_eq!(sum, Some(Interval::FULL), "it may wrap");
    }
}
