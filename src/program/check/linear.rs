//! Sums of multiples of variables: enough algebra to see that `(o + part) - o` is `part`.

use std::collections::BTreeMap;

use crate::program::tree::{BinaryOperator, Expression, ExpressionKind, UnaryOperator, Value};

/// `constant + sum of factor * variable`, wrapping as integers do. `threads` is the variable `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Linear {
    /// No factor is 0.
    factors: BTreeMap<Option<u32>, i64>,
    constant: i64,
}

impl Linear {
    /// The form of an integer expression that has one.
    pub fn of(expression: &Expression) -> Option<Linear> {
        match &expression.kind {
            ExpressionKind::Constant(Value::I64(value)) => Some(Linear { constant: *value, ..Linear::default() }),
            ExpressionKind::Local(local) => Some(Linear { factors: BTreeMap::from([(Some(local.0), 1)]), constant: 0 }),
            ExpressionKind::Threads => Some(Linear { factors: BTreeMap::from([(None, 1)]), constant: 0 }),
            ExpressionKind::Unary(UnaryOperator::Negate, a) => Some(Linear::of(a)?.times(-1)),
            ExpressionKind::Binary(BinaryOperator::Add, a, b) => Some(Linear::of(a)?.plus(&Linear::of(b)?)),
            ExpressionKind::Binary(BinaryOperator::Subtract, a, b) => Some(Linear::of(a)?.minus(&Linear::of(b)?)),
            ExpressionKind::Binary(BinaryOperator::Multiply, a, b) => {
                let (a, b) = (Linear::of(a)?, Linear::of(b)?);
                match (a.known(), b.known()) {
                    (Some(factor), _) => Some(b.times(factor)),
                    (_, Some(factor)) => Some(a.times(factor)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Its value, where it has no variables.
    pub fn known(&self) -> Option<i64> {
        self.factors.is_empty().then_some(self.constant)
    }

    pub fn minus(self, other: &Linear) -> Linear {
        self.plus(&other.clone().times(-1))
    }

    fn plus(mut self, other: &Linear) -> Linear {
        self.constant = self.constant.wrapping_add(other.constant);
        for (variable, factor) in &other.factors {
            let sum = self.factors.entry(*variable).or_insert(0);
            *sum = sum.wrapping_add(*factor);
        }
        self.factors.retain(|_, factor| *factor != 0);
        self
    }

    fn times(mut self, factor: i64) -> Linear {
        self.constant = self.constant.wrapping_mul(factor);
        for value in self.factors.values_mut() {
            *value = value.wrapping_mul(factor);
        }
        self.factors.retain(|_, factor| *factor != 0);
        self
    }
}
