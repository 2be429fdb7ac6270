//! The decoded form of instructions: specialised by type where programs spend their time, general elsewhere.
//!
//! `N` is the type of register numbers: a byte where they fit (see [`Registers`]).

use std::num::NonZeroI64;

use crate::base::address::Address;
use crate::program::code::BlockId;
use crate::program::tree::{BinaryOperator, Comparison, Type, UnaryOperator};

/// A place in memory: `offset + index * stride`, in bytes.
///
/// The offset has the array's base and the constant part of the index folded in, and may wrap below 0 where the constant is
/// negative; the sum is in range all the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<N> {
    pub offset: u64,
    pub stride: u32,
    /// The register of the index.
    pub index: N,
}

impl<N> Place<N> {
    #[inline(always)]
    pub fn address(&self, index: u64) -> Address {
        self.offset.wrapping_add(index.wrapping_mul(u64::from(self.stride)))
    }
}

/// An operation that does not end a block. Operands are register numbers but where a name says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation<N> {
    Load8 {
        to: N,
        place: Place<N>,
    },
    /// An `i32`, sign-extended.
    Load4Signed {
        to: N,
        place: Place<N>,
    },
    /// An `f32`.
    Load4 {
        to: N,
        place: Place<N>,
    },
    Load1 {
        to: N,
        place: Place<N>,
    },
    Store8 {
        from: N,
        place: Place<N>,
    },
    Store4 {
        from: N,
        place: Place<N>,
    },
    Store1 {
        from: N,
        place: Place<N>,
    },
    AddF64 {
        to: N,
        a: N,
        b: N,
    },
    SubtractF64 {
        to: N,
        a: N,
        b: N,
    },
    MultiplyF64 {
        to: N,
        a: N,
        b: N,
    },
    DivideF64 {
        to: N,
        a: N,
        b: N,
    },
    AddI64 {
        to: N,
        a: N,
        b: N,
    },
    SubtractI64 {
        to: N,
        a: N,
        b: N,
    },
    MultiplyI64 {
        to: N,
        a: N,
        b: N,
    },
    AddConstantI64 {
        to: N,
        a: N,
        constant: i32,
    },
    MultiplyConstantI64 {
        to: N,
        a: N,
        constant: i32,
    },
    AndConstant {
        to: N,
        a: N,
        constant: i32,
    },
    ShiftLeftConstant {
        to: N,
        a: N,
        constant: u8,
    },
    ShiftRightLogical {
        to: N,
        a: N,
        count: u8,
    },
    Constant {
        to: N,
        bits: u64,
    },
    Copy {
        to: N,
        from: N,
    },
    Check {
        index: N,
        constant: i32,
        length: u64,
    },
    CheckDivisor {
        divisor: N,
    },
    DivideNonNegative {
        to: N,
        a: N,
        b: N,
    },
    RemainderNonNegative {
        to: N,
        a: N,
        b: N,
    },
    DivideConstant {
        to: N,
        a: N,
        constant: NonZeroI64,
    },
    RemainderConstant {
        to: N,
        a: N,
        constant: NonZeroI64,
    },
    Unary {
        r#type: Type,
        operator: UnaryOperator,
        to: N,
        a: N,
    },
    Binary {
        r#type: Type,
        operator: BinaryOperator,
        to: N,
        a: N,
        b: N,
    },
    BinaryConstant {
        r#type: Type,
        operator: BinaryOperator,
        to: N,
        a: N,
        constant: i32,
    },
    Compare {
        r#type: Type,
        comparison: Comparison,
        to: N,
        a: N,
        b: N,
    },
    Select {
        to: N,
        condition: N,
        a: N,
        b: N,
    },
    FusedMultiplyAdd {
        r#type: Type,
        to: N,
        a: N,
        b: N,
        c: N,
    },
    Convert {
        from_type: Type,
        to_type: Type,
        to: N,
        from: N,
    },
}

/// An operation that ends a block. Integer comparisons come down to `<` and `==`: others are these with `holds` false, which says
/// that the branch is taken where the comparison does not hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Terminator<N> {
    Jump {
        to: BlockId,
    },
    /// Integers and bools compare as `i64`, since registers hold them sign-extended.
    Less {
        a: N,
        b: N,
        holds: bool,
        then: BlockId,
        otherwise: BlockId,
    },
    Equal {
        a: N,
        b: N,
        holds: bool,
        then: BlockId,
        otherwise: BlockId,
    },
    LessConstant {
        a: N,
        constant: i32,
        holds: bool,
        then: BlockId,
        otherwise: BlockId,
    },
    EqualConstant {
        a: N,
        constant: i32,
        holds: bool,
        then: BlockId,
        otherwise: BlockId,
    },
    BranchFloat {
        r#type: Type,
        comparison: Comparison,
        a: N,
        b: N,
        then: BlockId,
        otherwise: BlockId,
    },
    /// An index into the decoded synchronisations.
    Message {
        message: u32,
    },
    Synchronise {
        operation: u32,
    },
    Busy {
        count: N,
        next: BlockId,
    },
    Finish,
}

/// A register file that every number of its kind is valid in.
pub(super) trait Registers {
    /// What numbers registers.
    type Number: Copy;
    fn get(&self, register: Self::Number) -> u64;
    fn set(&mut self, register: Self::Number, bits: u64);
}

/// Registers of a file that a byte can number: reading one needs no check.
pub(super) const SMALL_FILE: usize = 256;

impl Registers for [u64; SMALL_FILE] {
    type Number = u8;

    #[inline(always)]
    fn get(&self, register: u8) -> u64 {
        self[usize::from(register)]
    }

    #[inline(always)]
    fn set(&mut self, register: u8, bits: u64) {
        self[usize::from(register)] = bits;
    }
}

impl Registers for [u64] {
    type Number = u16;

    #[inline(always)]
    fn get(&self, register: u16) -> u64 {
        self[usize::from(register)]
    }

    #[inline(always)]
    fn set(&mut self, register: u16, bits: u64) {
        self[usize::from(register)] = bits;
    }
}
