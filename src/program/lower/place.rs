//! Places in memory: indices, their checks, and the affine part that goes into the access itself.
//!
//! An index is kept as a sum of registers times constants plus a constant. `a[i - 1, j + 2]` of an array with rows of `n` becomes one
//! register `i * n + j` and the constant `2 - n`, so the neighbours of a stencil share their arithmetic.

use super::graph::Operand;
use super::layout::Home;
use super::{Failure, Lowering, runtime::Module};
use crate::base::diagnostic::Span;
use crate::program::code::{ArrayId, Instruction, Register, ZERO};
use crate::program::tree::{BinaryOperator, Expression, ExpressionKind, Place, Type, UnaryOperator};
use std::rc::Rc;

/// An element of an array: `index + constant`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub array: ArrayId,
    pub r#type: Type,
    pub index: Register,
    pub constant: i32,
}

/// A sum of registers, each times a constant, plus a constant; all arithmetic wraps.
#[derive(Clone, Debug, Default)]
pub(super) struct Linear {
    terms: Vec<(Register, i64)>,
    constant: i64,
}

impl Linear {
    pub(super) fn add(&mut self, other: &Linear, factor: i64) {
        self.constant = self.constant.wrapping_add(other.constant.wrapping_mul(factor));
        for &(register, coefficient) in &other.terms {
            let coefficient = coefficient.wrapping_mul(factor);
            match self.terms.iter_mut().find(|(known, _)| *known == register) {
                Some((_, sum)) => *sum = sum.wrapping_add(coefficient),
                None => self.terms.push((register, coefficient)),
            }
        }
        self.terms.retain(|&(_, coefficient)| coefficient != 0);
    }

    pub(super) fn of(operand: Operand) -> Linear {
        match operand {
            Operand::Constant(bits) => Linear { terms: Vec::new(), constant: bits as i64 },
            Operand::Register(ZERO) => Linear::default(),
            Operand::Register(register) => Linear { terms: vec![(register, 1)], constant: 0 },
        }
    }
}

impl Lowering<'_> {
    /// The element a place names. Its indices are computed and checked here, once.
    pub(super) fn element(&mut self, place: &Place) -> Result<Element, Failure> {
        let mut indices = Vec::with_capacity(place.indices.len());
        for index in &place.indices {
            indices.push(self.linear(index)?);
        }
        self.at(place.span);
        self.element_at(place, &indices)
    }

    /// The element of a place's object at indices that are in registers already.
    pub(super) fn element_of_operands(&mut self, place: &Place, indices: &[Operand]) -> Result<Element, Failure> {
        let indices: Vec<Linear> = indices.iter().map(|&index| Linear::of(index)).collect();
        self.element_at(place, &indices)
    }

    fn element_at(&mut self, place: &Place, indices: &[Linear]) -> Result<Element, Failure> {
        let homes = self.unit.homes.clone();
        match &homes[place.object.0 as usize] {
            Home::Elements { array, element, extents, scale } => {
                let mut flat = self.flatten(indices, extents);
                flat.add(&Linear::of(self.unit.record), *scale as i64);
                let (index, constant) = self.materialise(&flat);
                Ok(Element { array: *array, r#type: *element, index, constant })
            }
            Home::Borrowed { array, element, start, length } => {
                let mut flat = Linear::of(*start);
                indices.iter().for_each(|index| flat.add(index, 1));
                self.check_within(&flat, *length, place.span);
                let (index, constant) = self.materialise(&flat);
                Ok(Element { array: *array, r#type: *element, index, constant })
            }
            Home::Instances { .. } => self.fail(place.span, "a mutex or semaphore has no value to read or write", None),
        }
    }

    /// Which instance of a run-time text a place names, and the text.
    pub(super) fn instance(&mut self, place: &Place) -> Result<(Rc<Module>, Operand), Failure> {
        let mut indices = Vec::with_capacity(place.indices.len());
        for index in &place.indices {
            indices.push(self.linear(index)?);
        }
        self.at(place.span);
        let homes = self.unit.homes.clone();
        let Home::Instances { module, extents } = &homes[place.object.0 as usize] else {
            return self.fail(place.span, "this is not a mutex or a semaphore", None);
        };
        let flat = self.flatten(&indices, extents);
        let record = match self.materialise(&flat) {
            (ZERO, constant) => Operand::integer(i64::from(constant)),
            (index, constant) => {
                let (index, constant) = (Operand::Register(index), Operand::integer(i64::from(constant)));
                self.binary(Type::I64, BinaryOperator::Add, index, constant, None)
            }
        };
        Ok((module.clone(), self.stable(record, Type::I64)))
    }

    /// Checks each index against its extent, and combines them in row-major order.
    fn flatten(&mut self, indices: &[Linear], extents: &[u64]) -> Linear {
        let mut flat = Linear::default();
        for (dimension, index) in indices.iter().enumerate() {
            let (register, constant) = self.materialise(index);
            let extent = extents[dimension];
            let in_range = register == ZERO && constant >= 0 && (constant as u64) < extent;
            if !in_range {
                let length = self.constant_id(extent);
                self.emit(Instruction::Check { index: register, constant, length });
            }
            let row: u64 = extents[dimension + 1..].iter().product();
            let mut index = Linear::of(Operand::Register(register));
            index.constant = i64::from(constant);
            flat.add(&index, row as i64);
        }
        flat
    }

    /// An index as a sum. Anything that is not a sum is computed into a register.
    pub(super) fn linear(&mut self, expression: &Expression) -> Result<Linear, Failure> {
        Ok(match &expression.kind {
            ExpressionKind::Binary(operator @ (BinaryOperator::Add | BinaryOperator::Subtract), a, b) => {
                let mut sum = self.linear(a)?;
                let b = self.linear(b)?;
                sum.add(&b, if *operator == BinaryOperator::Add { 1 } else { -1 });
                sum
            }
            ExpressionKind::Binary(BinaryOperator::Multiply, a, b) => {
                let (a, b) = (self.linear(a)?, self.linear(b)?);
                self.linear_product(&a, &b)
            }
            ExpressionKind::Unary(UnaryOperator::Negate, a) => {
                let mut negated = Linear::default();
                negated.add(&self.linear(a)?, -1);
                negated
            }
            _ => Linear::of(self.expression(expression, None)?),
        })
    }

    fn linear_product(&mut self, a: &Linear, b: &Linear) -> Linear {
        let mut product = Linear::default();
        if a.terms.is_empty() {
            product.add(b, a.constant);
        } else if b.terms.is_empty() {
            product.add(a, b.constant);
        } else {
            let [a, b] = [a, b].map(|factor| self.value_of(factor));
            product = Linear::of(self.binary(Type::I64, BinaryOperator::Multiply, a, b, None));
        }
        product
    }

    /// The sum of a linear form's terms, in text order, so that what does not change in the innermost loop is a part of its own.
    fn sum_of_terms(&mut self, linear: &Linear) -> Operand {
        let mut sum = Operand::Constant(0);
        for &(register, coefficient) in &linear.terms {
            let register = Operand::Register(register);
            sum = if coefficient == -1 {
                self.binary(Type::I64, BinaryOperator::Subtract, sum, register, None)
            } else {
                let term = self.binary(Type::I64, BinaryOperator::Multiply, register, Operand::integer(coefficient), None);
                self.binary(Type::I64, BinaryOperator::Add, sum, term, None)
            };
        }
        sum
    }

    pub(super) fn value_of(&mut self, linear: &Linear) -> Operand {
        let sum = self.sum_of_terms(linear);
        self.binary(Type::I64, BinaryOperator::Add, sum, Operand::integer(linear.constant), None)
    }

    /// A register and a constant that add up to the linear form.
    pub(super) fn materialise(&mut self, linear: &Linear) -> (Register, i32) {
        match i32::try_from(linear.constant) {
            Ok(constant) => {
                let sum = self.sum_of_terms(linear);
                (self.register(sum, Type::I64), constant)
            }
            Err(_) => {
                let value = self.value_of(linear);
                (self.register(value, Type::I64), 0)
            }
        }
    }

    pub(super) fn load(&mut self, element: Element, to: Option<Register>) -> Register {
        let to = to.unwrap_or_else(|| self.fresh(element.r#type));
        let Element { array, index, constant, .. } = element;
        self.emit(Instruction::Load { to, array, index, constant });
        to
    }

    pub(super) fn store(&mut self, element: Element, value: Operand) {
        let from = self.register(value, element.r#type);
        let Element { array, index, constant, .. } = element;
        self.emit(Instruction::Store { from, array, index, constant });
    }

    /// The only element of an array that is a scalar.
    pub(super) fn scalar(&self, array: ArrayId) -> Element {
        Element { array, r#type: self.layout.element(array), index: ZERO, constant: 0 }
    }

    /// Fails at a place of the text where a name is not known in this part of the run.
    pub(super) fn unknown_here<T>(&self, name: &str, span: Span) -> Result<T, Failure> {
        self.fail(
            span,
            format!("`{name}` is a variable of another part of the program, and has no value here"),
            Some("keep the value in a `shared` scalar or an array".into()),
        )
    }
}
