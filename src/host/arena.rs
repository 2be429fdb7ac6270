//! The memory a program runs in on this computer: one stretch, the same offsets as in the simulator.
//!
//! ```text
//!   mapping   ├──unused──┼── arena: run-time state, scalars │ array │ array ... ──┼──┤
//!                        ▲ a multiple of 2 MiB
//! ```
//!
//! The operating system hands out its pages zeroed, and only when they are first touched.

use std::fmt;
use std::ops::Range;

use memmap2::MmapMut;

use crate::base::address::Address;
use crate::host::discover;
use crate::program::code::{self, ResultSlot};
use crate::program::operators::canonical;
use crate::program::tree::Type;

/// Alignment of the arena and of its arrays: a large page of x86-64 and (with 4 KiB pages) of AArch64.
pub const ALIGNMENT: usize = 2 << 20;

/// Why there is no memory for a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArenaError {
    /// Bytes wanted, bytes the computer has for it.
    TooLarge { wanted: u64, available: u64 },
    /// The operating system refused.
    Refused { wanted: u64, reason: String },
    /// A range or an initial value lies outside the arena.
    Malformed,
}

impl fmt::Display for ArenaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
        match self {
            ArenaError::TooLarge { wanted, available } => write!(
                f,
                "the program needs {} MiB of memory, this computer has {} MiB to give; make its arrays smaller",
                mebibytes(*wanted),
                available >> 20
            ),
            ArenaError::Refused { wanted, reason } => {
                write!(f, "the operating system gave no {} MiB of memory: {reason}", mebibytes(*wanted))
            }
            ArenaError::Malformed => write!(f, "the program's memory layout names addresses outside its arena"),
        }
    }
}

impl std::error::Error for ArenaError {}

/// A program's memory. Between the steps of a run the threads of the program write it through [`Arena::address`]; all methods
/// with `&self` belong between steps too, when one thread at a time touches a byte.
pub struct Arena {
    /// Keeps the memory; only reached through `address`.
    _mapping: MmapMut,
    address: *mut u8,
    size: usize,
    runtime: Range<usize>,
    /// The run-time state when a function begins.
    runtime_initial: Vec<u8>,
    restore: Vec<Range<usize>>,
}

// SAFETY: it is a pointer to memory that lives as long as the value and is not tied to a thread; who may touch which byte when is
// the contract of each method.
unsafe impl Send for Arena {}
// SAFETY: as above: every method that touches the memory is `unsafe` and says what its caller must rule out.
unsafe impl Sync for Arena {}

/// What [`Arena::save`] remembers.
#[derive(Clone, Debug, Default)]
pub struct Saved(Vec<Vec<u8>>);

impl Arena {
    /// Memory as a run finds it: initial values in place, all else zero and untouched. Checked against the memory this computer
    /// has, with room for what [`Arena::save`] will copy.
    pub fn new(layout: &code::Arena) -> Result<Arena, ArenaError> {
        let copies: u64 = layout.restore.iter().map(|range| range.end.saturating_sub(range.start)).sum();
        let wanted = layout.size.saturating_add(copies).saturating_add(ALIGNMENT as u64);
        let available = discover::available_memory();
        if let Some(available) = available.filter(|&available| wanted > available) {
            return Err(ArenaError::TooLarge { wanted, available });
        }
        let refused = |reason: String| ArenaError::Refused { wanted, reason };
        let size = usize::try_from(layout.size).map_err(|error| refused(error.to_string()))?;
        let runtime = range_within(&layout.runtime, size)?;
        let restore = layout.restore.iter().map(|range| range_within(range, size)).collect::<Result<Vec<_>, _>>()?;
        let length = size.max(1).checked_add(ALIGNMENT).ok_or_else(|| refused("it is more than can be addressed".to_owned()))?;
        let mut mapping = MmapMut::map_anon(length).map_err(|error| refused(error.to_string()))?;
        let start = mapping.as_ptr().align_offset(ALIGNMENT);
        let memory = &mut mapping[start..start + size];
        for &(address, r#type, bits) in &layout.initial {
            let place = range_within(&(address..address.saturating_add(u64::from(r#type.size()))), size)?;
            memory[place].copy_from_slice(&bits.to_le_bytes()[..r#type.size() as usize]);
        }
        let runtime_initial = memory[runtime.clone()].to_vec();
        let address = memory.as_mut_ptr();
        Ok(Arena { _mapping: mapping, address, size, runtime, runtime_initial, restore })
    }

    /// Address 0 of the program.
    pub fn address(&self) -> *mut u8 {
        self.address
    }

    /// Puts the run-time state back to its initial value.
    ///
    /// # Safety
    ///
    /// No other thread may touch the run-time state meanwhile.
    pub unsafe fn reset_runtime(&self) {
        // SAFETY: `new` checked the range; the caller keeps others away.
        unsafe { self.bytes_mut(&self.runtime) }.copy_from_slice(&self.runtime_initial);
    }

    /// A copy of what a pass both reads and writes.
    ///
    /// # Safety
    ///
    /// No other thread may write meanwhile.
    pub unsafe fn save(&self) -> Saved {
        // SAFETY: `new` checked the ranges; the caller keeps writers away.
        Saved(self.restore.iter().map(|range| unsafe { self.bytes_mut(range) }.to_vec()).collect())
    }

    /// Puts part `part` of `parts` of the saved bytes back: of every range an equal, contiguous share, as a static schedule deals
    /// iterations, so that what a thread works on is brought back to its own caches and not to another's.
    ///
    /// # Safety
    ///
    /// No other thread may touch these bytes meanwhile; other threads may restore other parts.
    pub unsafe fn restore(&self, saved: &Saved, part: usize, parts: usize) {
        for (range, bytes) in self.restore.iter().zip(&saved.0) {
            let share = share(bytes.len(), part, parts);
            let place = range.start + share.start..range.start + share.end;
            // SAFETY: inside a range that `new` checked; shares of different parts are disjoint.
            unsafe { self.bytes_mut(&place) }.copy_from_slice(&bytes[share]);
        }
    }

    /// The canonical register bits of a result.
    ///
    /// # Safety
    ///
    /// No other thread may write meanwhile.
    pub unsafe fn result(&self, slot: &ResultSlot) -> Result<u64, ArenaError> {
        let size = slot.r#type.size();
        let place = range_within(&(slot.address..slot.address.saturating_add(u64::from(size))), self.size)?;
        let mut bytes = [0; 8];
        // SAFETY: the range was checked just now; the caller keeps writers away.
        bytes[..size as usize].copy_from_slice(unsafe { self.bytes_mut(&place) });
        let bits = u64::from_le_bytes(bytes);
        let bits = if slot.r#type == Type::I32 { i64::from(bits as u32 as i32) as u64 } else { bits };
        Ok(canonical(slot.r#type, bits))
    }

    /// The bytes of a range inside the arena.
    ///
    /// # Safety
    ///
    /// The range lies inside the arena, and no other thread touches it (or, if the caller only reads, writes it) meanwhile.
    #[allow(clippy::mut_from_ref)]
    unsafe fn bytes_mut(&self, range: &Range<usize>) -> &mut [u8] {
        // SAFETY: as the caller promises; the mapping lives as long as `self`.
        unsafe { std::slice::from_raw_parts_mut(self.address.add(range.start), range.len()) }
    }
}

/// Part `part` of `parts` of `length` bytes; parts begin at lines of 64 bytes.
fn share(length: usize, part: usize, parts: usize) -> Range<usize> {
    let lines = length.div_ceil(64);
    let bound = |part: usize| (lines * part / parts.max(1) * 64).min(length);
    bound(part)..bound(part + 1)
}

fn range_within(range: &Range<Address>, size: usize) -> Result<Range<usize>, ArenaError> {
    if range.start > range.end || range.end > size as u64 {
        return Err(ArenaError::Malformed);
    }
    Ok(range.start as usize..range.end as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> code::Arena {
        code::Arena {
            size: 3 << 20,
            initial: vec![(8, Type::I64, 7), (64, Type::I32, u64::MAX), (128, Type::Bool, 1)],
            runtime: 0..64,
            restore: vec![64..128, (2 << 20)..(2 << 20) + 1000],
        }
    }

    #[test]
    fn initial_values_are_in_place_and_the_arena_is_aligned() {
        let arena = Arena::new(&layout()).unwrap();
        assert_eq!(arena.address() as usize % ALIGNMENT, 0);
        // SAFETY: there is one thread.
        let result = |address, r#type| unsafe { arena.result(&ResultSlot { address, r#type }) }.unwrap();
        assert_eq!(result(8, Type::I64), 7);
        assert_eq!(result(64, Type::I32), u64::MAX, "sign-extended");
        assert_eq!(result(128, Type::Bool), 1);
        assert_eq!(result(0, Type::F64), 0);
    }

    #[test]
    fn what_was_saved_comes_back_from_all_parts_and_runtime_state_is_reset() {
        let arena = Arena::new(&layout()).unwrap();
        // SAFETY: there is one thread, and the addresses are inside the arena.
        unsafe {
            let saved = arena.save();
            for address in [8, 64, 100, 2 << 20, (2 << 20) + 999, (2 << 20) + 1000] {
                arena.address().add(address).write(99);
            }
            for part in 0..3 {
                arena.restore(&saved, part, 3);
            }
            let byte = |address: usize| arena.address().add(address).read();
            assert_eq!([byte(64), byte(100), byte(2 << 20), byte((2 << 20) + 999)], [255, 0, 0, 0]);
            assert_eq!(byte((2 << 20) + 1000), 99, "outside what is restored");
            assert_eq!(byte(8), 99, "run-time state is not restored");
            arena.reset_runtime();
            assert_eq!(byte(8), 7);
        }
    }

    #[test]
    fn shares_cover_everything_once() {
        for (length, parts) in [(0, 3), (1, 4), (64, 2), (1000, 3), (4096, 5)] {
            let shares: Vec<Range<usize>> = (0..parts).map(|part| share(length, part, parts)).collect();
            assert_eq!(shares.first().unwrap().start, 0);
            assert_eq!(shares.last().unwrap().end, length);
            assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start), "{shares:?}");
        }
    }

    #[test]
    fn too_much_memory_is_refused_before_it_is_asked_for() {
        let error = Arena::new(&code::Arena { size: 1 << 60, ..Default::default() }).err().unwrap();
        assert!(error.to_string().contains("MiB"), "{error}");
        let outside = code::Arena { size: 8, initial: vec![(4, Type::I64, 0)], ..Default::default() };
        assert_eq!(Arena::new(&outside).err(), Some(ArenaError::Malformed));
    }
}
