//! Initial values, `random`, and results: what the main thread does before and after the passes.

use super::graph::Operand;
use super::layout::{Home, Section};
use super::place::Element;
use super::{Failure, Lowering};
use crate::program::code::Register;
use crate::program::tree::{BinaryOperator, Comparison, Expression, Initial, LocalId, Object, ObjectKind, Program, Type, Value};

/// The constants of the generator `SplitMix64`: a counter times the golden ratio, then a mix of its bits (Steele, Lea and Flood
/// 2014, "Fast splittable pseudorandom number generators").
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const FIRST_MIX: u64 = 0xbf58_476d_1ce4_e5b9;
const SECOND_MIX: u64 = 0x94d0_49bb_1331_11eb;

/// The same mix as [`Lowering::hash`], for keys.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(FIRST_MIX);
    let value = (value ^ (value >> 27)).wrapping_mul(SECOND_MIX);
    value ^ (value >> 31)
}

impl Lowering<'_> {
    /// Every initial value that is written, in the order of the text.
    pub(super) fn initial_values(&mut self, program: &Program) -> Result<(), Failure> {
        for (number, object) in program.objects.iter().enumerate() {
            if let ObjectKind::Array { initial, .. } | ObjectKind::Shared { initial, .. } = &object.kind {
                self.at(object.span);
                self.check_size(object.span)?;
                self.initialise(number, object, initial)?;
            }
        }
        Ok(())
    }

    fn initialise(&mut self, number: usize, object: &Object, initial: &Initial) -> Result<(), Failure> {
        let Home::Elements { array, element, .. } = self.homes[number] else { return Ok(()) };
        let all = Element { r#type: element, ..self.scalar(array) };
        let total = Operand::integer(object.extents.iter().product::<u64>() as i64);
        // 0 is the stream of `random(counter)` in expressions.
        let stream = number as u64 + 1;
        match initial {
            Initial::Zero => Ok(()),
            Initial::Elements { variables, value } => self.fill(object, all, variables, value, &mut Vec::new()),
            Initial::Random { low, high } => {
                let bounds = [self.expression(low, None)?, self.expression(high, None)?];
                self.at(object.span);
                self.check_random(object, element, bounds)?;
                self.counted_loop([Operand::integer(0), total], 1, |lowering, index| {
                    let value = lowering.uniform(stream, element, bounds, index);
                    lowering.store(Element { index, ..all }, value);
                    Ok(())
                })
            }
            Initial::Permutation => self.shuffle(all, total, stream, 1),
            Initial::Cycle => self.shuffle(all, total, stream, 0),
        }
    }

    /// Nested loops over the indices, each element the value of an expression.
    fn fill(
        &mut self,
        object: &Object,
        all: Element,
        variables: &[LocalId],
        value: &Expression,
        indices: &mut Vec<Register>,
    ) -> Result<(), Failure> {
        let dimension = indices.len();
        if dimension < variables.len() {
            let extent = Operand::integer(object.extents[dimension] as i64);
            return self.counted_loop([Operand::integer(0), extent], 1, |lowering, variable| {
                lowering.scoped(|lowering| {
                    lowering.bind(variables[dimension], Operand::Register(variable));
                    indices.push(variable);
                    lowering.fill(object, all, variables, value, indices)?;
                    indices.pop();
                    Ok(())
                })
            });
        }
        let from = value.r#type;
        let value = self.expression(value, None)?;
        self.at(object.span);
        let value = self.convert(from, all.r#type, value, None);
        let mut flat = Operand::integer(0);
        for (&index, &extent) in indices.iter().zip(&object.extents) {
            let rows = self.binary(Type::I64, BinaryOperator::Multiply, flat, Operand::integer(extent as i64), None);
            flat = self.binary(Type::I64, BinaryOperator::Add, rows, Operand::Register(index), None);
        }
        let index = self.register(flat, Type::I64);
        self.store(Element { index, ..all }, value);
        Ok(())
    }

    fn check_random(&self, object: &Object, element: Type, [low, high]: [Operand; 2]) -> Result<(), Failure> {
        if let (Operand::Constant(low), Operand::Constant(high)) = (low, high)
            && !crate::program::operators::compare(element, Comparison::Less, low, high)
        {
            return self.fail(object.span, "random(low, high) needs low < high", None);
        }
        Ok(())
    }

    /// A hash of the seed, a stream and a counter: every bit of an i64.
    fn hash(&mut self, stream: u64, counter: Operand) -> Operand {
        use BinaryOperator as B;
        let key = mix(self.plan.seed.wrapping_add(mix(stream.wrapping_mul(GOLDEN).wrapping_add(GOLDEN))));
        let scaled = self.binary(Type::I64, B::Multiply, counter, Operand::Constant(GOLDEN), None);
        let mut value = self.binary(Type::I64, B::Add, scaled, Operand::Constant(key), None);
        for (shift, factor) in [(30, Some(FIRST_MIX)), (27, Some(SECOND_MIX)), (31, None)] {
            let shifted = self.shift_right_logical(value, shift);
            value = self.binary(Type::I64, B::Xor, value, shifted, None);
            if let Some(factor) = factor {
                value = self.binary(Type::I64, B::Multiply, value, Operand::Constant(factor), None);
            }
        }
        value
    }

    /// From 0 to 2^63 - 1.
    pub(super) fn random(&mut self, stream: u64, counter: Operand) -> Operand {
        let hash = self.hash(stream, counter);
        self.shift_right_logical(hash, 1)
    }

    /// Uniform in `[low, high)`: for floats as many random bits as the mantissa holds, for integers a remainder.
    fn uniform(&mut self, stream: u64, r#type: Type, [low, high]: [Operand; 2], counter: Register) -> Operand {
        let counter = Operand::Register(counter);
        let width = self.binary(r#type, BinaryOperator::Subtract, high, low, None);
        if !r#type.is_float() {
            let hash = self.random(stream, counter);
            let wide = self.convert(r#type, Type::I64, width, None);
            let offset = self.binary(Type::I64, BinaryOperator::Remainder, hash, wide, None);
            let offset = self.convert(Type::I64, r#type, offset, None);
            return self.binary(r#type, BinaryOperator::Add, low, offset, None);
        }
        let (shift, unit) = match r#type {
            Type::F32 => (40, Value::F32(1.0 / 16_777_216.0)),
            _ => (11, Value::F64(1.0 / 9_007_199_254_740_992.0)),
        };
        let hash = self.hash(stream, counter);
        let bits = self.shift_right_logical(hash, shift);
        let whole = self.convert(Type::I64, r#type, bits, None);
        let fraction = self.binary(r#type, BinaryOperator::Multiply, whole, Operand::of(unit), None);
        let offset = self.binary(r#type, BinaryOperator::Multiply, fraction, width, None);
        self.binary(r#type, BinaryOperator::Add, low, offset, None)
    }

    /// Element i becomes i, then each element from the last changes places with one at random below it or, with `itself` 1, with
    /// itself: a random order (Durstenfeld 1964), or one cycle through all elements (Sattolo 1986).
    fn shuffle(&mut self, all: Element, total: Operand, stream: u64, itself: i64) -> Result<(), Failure> {
        self.counted_loop([Operand::integer(0), total], 1, |lowering, index| {
            let value = lowering.convert(Type::I64, all.r#type, Operand::Register(index), None);
            lowering.store(Element { index, ..all }, value);
            Ok(())
        })?;
        let last = self.binary(Type::I64, BinaryOperator::Subtract, total, Operand::integer(1), None);
        self.counted_loop([last, Operand::integer(0)], -1, |lowering, index| {
            let at = Operand::Register(index);
            let choices = lowering.binary(Type::I64, BinaryOperator::Add, at, Operand::integer(itself), None);
            let hash = lowering.random(stream, at);
            let other = lowering.binary(Type::I64, BinaryOperator::Remainder, hash, choices, None);
            let other = lowering.register(other, Type::I64);
            let (here, there) = (Element { index, ..all }, Element { index: other, ..all });
            let (a, b) = (lowering.load(here, None), lowering.load(there, None));
            lowering.store(here, Operand::Register(b));
            lowering.store(there, Operand::Register(a));
            Ok(())
        })
    }

    /// Computes the results into their slots.
    pub(super) fn results(&mut self, results: &[Expression]) -> Result<(), Failure> {
        for (number, result) in results.iter().enumerate() {
            self.at(result.span);
            let value = self.expression(result, None)?;
            self.check_arrays(1, result.span)?;
            let slot = self.layout.add_object(Section::Results, &format!("result {}", number + 1), result.r#type, &[1], false);
            self.result_slots.push(slot);
            let slot = self.scalar(slot);
            self.store(slot, value);
        }
        Ok(())
    }
}
