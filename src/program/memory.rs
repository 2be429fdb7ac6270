//! The values of a program's memory: the arena of [`Arena`], little-endian, at the byte addresses the simulated machine sees.
//!
//! It is kept in words of 8 bytes, so that the most frequent access, an aligned element of 8 bytes, is one comparison and one access.
//!
//! Only values live here. Where a copy of them is cached, and what an access costs, is the machine's business.

use std::fmt;
use std::ops::Range;

use crate::base::address::Address;
use crate::program::code::Arena;
use crate::program::tree::Type;

/// The largest arena there is memory for, in bytes. Pages that no one writes take no memory of the host.
#[cfg(target_pointer_width = "64")]
pub const MEMORY_LIMIT: u64 = 4 << 30;
/// The largest arena there is memory for, in bytes.
#[cfg(not(target_pointer_width = "64"))]
pub const MEMORY_LIMIT: u64 = 1 << 30;

/// The arena is larger than [`MEMORY_LIMIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryTooLarge {
    /// Bytes the program asks for.
    pub size: u64,
}

impl fmt::Display for MemoryTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gibibytes = |bytes: u64| bytes as f64 / (1_u64 << 30) as f64;
        write!(
            f,
            "the program's arrays need {:.1} GiB, which is more than the {} GiB a simulated program may have",
            gibibytes(self.size),
            MEMORY_LIMIT >> 30
        )
    }
}

impl std::error::Error for MemoryTooLarge {}

/// A program's memory.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Bytes `8 * i .. 8 * i + 8` at index `i`.
    words: Vec<u64>,
    initial: Vec<(Address, Type, u64)>,
    runtime: Range<Address>,
    restore: Vec<Range<Address>>,
    /// The words of `restore`, one range after the other, once [`Memory::save`] has run.
    saved: Vec<u64>,
}

/// The words that a range of bytes lies in. Nothing else shares its first or last word: scalars have words of their own, and arrays
/// begin far apart.
fn indices(range: &Range<Address>) -> Range<usize> {
    (range.start / 8) as usize..range.end.div_ceil(8) as usize
}

impl Memory {
    /// Memory as a run finds it: `arena.initial` in place, all else zero.
    pub fn new(arena: &Arena) -> Result<Memory, MemoryTooLarge> {
        if arena.size > MEMORY_LIMIT {
            return Err(MemoryTooLarge { size: arena.size });
        }
        let mut memory = Memory {
            // Zeroed by the allocator: a page is taken from the host when it is first written.
            words: vec![0; arena.size.div_ceil(8) as usize],
            initial: arena.initial.clone(),
            runtime: arena.runtime.clone(),
            restore: arena.restore.clone(),
            saved: Vec::new(),
        };
        memory.put_initial_values(&(0..arena.size));
        Ok(memory)
    }

    fn put_initial_values(&mut self, range: &Range<Address>) {
        for index in 0..self.initial.len() {
            let (address, r#type, bits) = self.initial[index];
            if range.contains(&address) {
                self.store(r#type, address, bits);
            }
        }
    }

    /// Puts the run-time state back to its initial value: before every function of a run.
    pub fn reset_runtime(&mut self) {
        let runtime = self.runtime.clone();
        self.words[indices(&runtime)].fill(0);
        self.put_initial_values(&runtime);
    }

    /// Remembers what a pass both reads and writes: after `Initialise`.
    pub fn save(&mut self) {
        self.saved.clear();
        for range in &self.restore {
            self.saved.extend_from_slice(&self.words[indices(range)]);
        }
    }

    /// Puts back what [`Memory::save`] remembered: before the second `Setup`. Nothing happens without a save.
    pub fn restore(&mut self) {
        let mut from = 0;
        for range in &self.restore {
            let words = indices(range);
            let length = words.len();
            if let Some(saved) = self.saved.get(from..from + length) {
                self.words[words].copy_from_slice(saved);
            }
            from += length;
        }
    }

    /// Bytes of the arena.
    pub fn size(&self) -> u64 {
        self.words.len() as u64 * 8
    }

    /// The bits of the element at `address` as a register holds them.
    #[inline]
    pub fn load(&self, r#type: Type, address: Address) -> u64 {
        match r#type {
            Type::I64 | Type::F64 => self.load_8(address),
            Type::I32 => self.load_4_signed(address),
            Type::F32 => self.load_4(address),
            Type::Bool => self.load_1(address),
        }
    }

    /// Stores an element from a register's bits.
    #[inline]
    pub fn store(&mut self, r#type: Type, address: Address, bits: u64) {
        match r#type.size() {
            8 => self.store_8(address, bits),
            4 => self.store_4(address, bits),
            _ => self.store_1(address, bits),
        }
    }

    // Code checks its indices where they are not known to be in range, so an address outside the arena is a fault of Flynn's own.
    // Elements are aligned to their size.

    #[inline(always)]
    pub(crate) fn load_8(&self, address: Address) -> u64 {
        self.words[(address / 8) as usize]
    }

    #[inline(always)]
    pub(crate) fn load_4(&self, address: Address) -> u64 {
        (self.load_8(address) >> bit(address)) & 0xffff_ffff
    }

    #[inline(always)]
    pub(crate) fn load_4_signed(&self, address: Address) -> u64 {
        i64::from(self.load_4(address) as i32) as u64
    }

    #[inline(always)]
    pub(crate) fn load_1(&self, address: Address) -> u64 {
        (self.load_8(address) >> bit(address)) & 0xff
    }

    #[inline(always)]
    pub(crate) fn store_8(&mut self, address: Address, bits: u64) {
        self.words[(address / 8) as usize] = bits;
    }

    #[inline(always)]
    pub(crate) fn store_4(&mut self, address: Address, bits: u64) {
        self.store_part(address, bits, 0xffff_ffff);
    }

    #[inline(always)]
    pub(crate) fn store_1(&mut self, address: Address, bits: u64) {
        self.store_part(address, bits, 0xff);
    }

    #[inline(always)]
    fn store_part(&mut self, address: Address, bits: u64, mask: u64) {
        let word = &mut self.words[(address / 8) as usize];
        *word = *word & !(mask << bit(address)) | (bits & mask) << bit(address);
    }
}

/// The bit of its word that an element begins at.
#[inline(always)]
fn bit(address: Address) -> u32 {
    (address % 8) as u32 * 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::tree::Value;

    fn arena() -> Arena {
        Arena {
            size: 256,
            initial: vec![(72, Type::I64, 5), (128, Type::F64, 1.5_f64.to_bits())],
            runtime: 64..96,
            restore: vec![128..136, 200..204],
        }
    }

    #[test]
    fn elements_of_every_type_come_back_as_registers_hold_them() {
        let mut memory = Memory::new(&arena()).unwrap();
        for value in [Value::I64(-3), Value::I32(-7), Value::F64(-0.25), Value::F32(3.5), Value::Bool(true)] {
            memory.store(value.r#type(), 208, value.bits());
            assert_eq!(memory.load(value.r#type(), 208), value.bits(), "{value:?}");
        }
        memory.store(Type::I32, 212, Value::I32(-1).bits());
        assert_eq!(memory.load(Type::F32, 212), 0xffff_ffff, "a float has zeros above");
        assert_eq!(memory.load(Type::Bool, 216), 0, "a narrow store leaves its neighbours alone");
    }

    #[test]
    fn runtime_state_is_reset_and_the_rest_is_left() {
        let mut memory = Memory::new(&arena()).unwrap();
        memory.store(Type::I64, 64, 1);
        memory.store(Type::I64, 72, 1);
        memory.store(Type::F64, 128, 0);
        memory.reset_runtime();
        assert_eq!((memory.load_8(64), memory.load_8(72), memory.load_8(128)), (0, 5, 0));
    }

    #[test]
    fn restore_brings_back_what_was_saved() {
        let mut memory = Memory::new(&arena()).unwrap();
        memory.store(Type::I32, 200, 9);
        memory.save();
        for address in [128, 200, 208] {
            memory.store(Type::I32, address, 77);
        }
        memory.restore();
        assert_eq!(memory.load(Type::F64, 128), 1.5_f64.to_bits());
        assert_eq!(memory.load(Type::I32, 200), 9);
        assert_eq!(memory.load(Type::I32, 208), 77, "outside the ranges");
    }

    #[test]
    fn an_arena_too_large_is_refused_in_a_sentence() {
        let error = Memory::new(&Arena { size: 1 << 50, ..Arena::default() }).unwrap_err();
        insta::assert_snapshot!(error, @"the program's arrays need 1048576.0 GiB, which is more than the 4 GiB a simulated program may have");
    }
}
