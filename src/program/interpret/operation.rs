//! The decoded form of instructions: specialised by type where programs spend their time, general elsewhere.

use std::num::NonZeroI64;

use crate::base::address::Address;
use crate::program::code::BlockId;
use crate::program::tree::{BinaryOperator, Comparison, Type, UnaryOperator};

/// A place in memory: `offset + index * stride`, in bytes.
///
/// The offset has the array's base and the constant part of the index folded in, and may wrap below 0 where the constant is
/// negative; the sum is in range all the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub offset: u64,
    pub stride: u32,
    /// The register of the index.
    pub index: u16,
}

impl Place {
    #[inline(always)]
    pub fn address(self, index: u64) -> Address {
        self.offset.wrapping_add(index.wrapping_mul(u64::from(self.stride)))
    }
}

/// An operation that does not end a block. Operands are register numbers but where a name says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Load8 {
        to: u16,
        place: Place,
    },
    /// An `i32`, sign-extended.
    Load4Signed {
        to: u16,
        place: Place,
    },
    /// An `f32`.
    Load4 {
        to: u16,
        place: Place,
    },
    Load1 {
        to: u16,
        place: Place,
    },
    Store8 {
        from: u16,
        place: Place,
    },
    Store4 {
        from: u16,
        place: Place,
    },
    Store1 {
        from: u16,
        place: Place,
    },
    AddF64 {
        to: u16,
        a: u16,
        b: u16,
    },
    SubtractF64 {
        to: u16,
        a: u16,
        b: u16,
    },
    MultiplyF64 {
        to: u16,
        a: u16,
        b: u16,
    },
    DivideF64 {
        to: u16,
        a: u16,
        b: u16,
    },
    AddI64 {
        to: u16,
        a: u16,
        b: u16,
    },
    SubtractI64 {
        to: u16,
        a: u16,
        b: u16,
    },
    MultiplyI64 {
        to: u16,
        a: u16,
        b: u16,
    },
    AddConstantI64 {
        to: u16,
        a: u16,
        constant: i32,
    },
    MultiplyConstantI64 {
        to: u16,
        a: u16,
        constant: i32,
    },
    AndConstant {
        to: u16,
        a: u16,
        constant: i32,
    },
    ShiftRightLogical {
        to: u16,
        a: u16,
        count: u8,
    },
    Constant {
        to: u16,
        bits: u64,
    },
    Copy {
        to: u16,
        from: u16,
    },
    Check {
        index: u16,
        constant: i32,
        length: u64,
    },
    CheckDivisor {
        divisor: u16,
    },
    DivideNonNegative {
        to: u16,
        a: u16,
        b: u16,
    },
    RemainderNonNegative {
        to: u16,
        a: u16,
        b: u16,
    },
    DivideConstant {
        to: u16,
        a: u16,
        constant: NonZeroI64,
    },
    RemainderConstant {
        to: u16,
        a: u16,
        constant: NonZeroI64,
    },
    Unary {
        r#type: Type,
        operator: UnaryOperator,
        to: u16,
        a: u16,
    },
    Binary {
        r#type: Type,
        operator: BinaryOperator,
        to: u16,
        a: u16,
        b: u16,
    },
    BinaryConstant {
        r#type: Type,
        operator: BinaryOperator,
        to: u16,
        a: u16,
        constant: i32,
    },
    Compare {
        r#type: Type,
        comparison: Comparison,
        to: u16,
        a: u16,
        b: u16,
    },
    Select {
        to: u16,
        condition: u16,
        a: u16,
        b: u16,
    },
    FusedMultiplyAdd {
        r#type: Type,
        to: u16,
        a: u16,
        b: u16,
        c: u16,
    },
    Convert {
        from_type: Type,
        to_type: Type,
        to: u16,
        from: u16,
    },
}

/// An operation that ends a block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Terminator {
    Jump {
        to: BlockId,
    },
    /// Integers and bools compare as `i64`, since registers hold them sign-extended.
    BranchInteger {
        comparison: Comparison,
        a: u16,
        b: u16,
        then: BlockId,
        otherwise: BlockId,
    },
    BranchFloat {
        r#type: Type,
        comparison: Comparison,
        a: u16,
        b: u16,
        then: BlockId,
        otherwise: BlockId,
    },
    BranchConstant {
        comparison: Comparison,
        a: u16,
        constant: i16,
        then: BlockId,
        otherwise: BlockId,
    },
    /// An index into the decoded synchronisations.
    Synchronise {
        operation: u32,
    },
    Busy {
        count: u16,
        next: BlockId,
    },
    Finish,
}
