//! Operations in the window, and which of them wait for which.

use super::UNKNOWN;
use super::operations::Kind;
use crate::base::address::Address;
use crate::program::code::{OperationClass, Register, ZERO};

/// Things an operation can wait for: three registers, and a store that a load takes its value from.
pub(super) const OPERANDS: usize = 4;
/// No dependent.
const NONE: u16 = u16::MAX;

/// How a load got its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has not, or it is no load.
    Nothing,
    /// In a store before it, or in a level of the caches: the first is 0.
    Found(u8),
    /// Its request's timeline is kept.
    Missed,
}

/// An operation in the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Cycle at which its result is there.
    pub ready: u64,
    /// Cycle at which all operands that are known are there, dispatch included.
    pub operands: u64,
    /// Cycle of the lookup.
    pub looked: u64,
    /// The front end had been waiting for a branch's outcome until this cycle; 0 where it had not.
    pub front: u64,
    pub address: Address,
    /// A store's number among stores.
    pub number: u64,
    pub line: u32,
    /// Number of the instruction.
    pub instruction: u32,
    pub to: Register,
    pub kind: Kind,
    pub class: OperationClass,
    pub answer: Answer,
    /// Operands not known yet.
    pub missing: u8,
}

/// Who waits for an operation, a list of places: each `entry * OPERANDS + operand`; and how lists of others go on that it is in.
#[derive(Clone, Copy, Debug)]
struct Links {
    first: u16,
    last: u16,
    next: [u16; OPERANDS],
}

const UNLINKED: Links = Links { first: NONE, last: NONE, next: [NONE; OPERANDS] };

/// The window's operations, in a ring whose length is a power of two.
#[derive(Clone, Debug)]
pub(super) struct Entries {
    entries: Box<[Entry]>,
    /// Those of an operation whose result's cycle is known mean nothing.
    links: Box<[Links]>,
}

impl Entries {
    /// Room for so many.
    pub fn new(operations: u32) -> Entries {
        let length = (operations as usize).next_power_of_two();
        debug_assert!(length * OPERANDS <= usize::from(NONE), "places have numbers below that of none");
        let empty = Entry {
            ready: UNKNOWN,
            operands: 0,
            looked: 0,
            front: 0,
            address: 0,
            number: 0,
            line: 0,
            instruction: 0,
            to: ZERO,
            kind: Kind::Compute,
            class: OperationClass::Integer,
            answer: Answer::Nothing,
            missing: 0,
        };
        Entries { entries: vec![empty; length].into(), links: vec![UNLINKED; length].into() }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The place of the operation with a number.
    #[inline]
    pub fn place(&self, id: u64) -> usize {
        id as usize & (self.entries.len() - 1)
    }

    /// The number of the operation at a place, none of which is older than `oldest`.
    #[inline]
    pub fn id(&self, place: usize, oldest: u64) -> u64 {
        oldest + (place.wrapping_sub(oldest as usize) & (self.entries.len() - 1)) as u64
    }

    #[inline]
    pub fn at(&self, place: usize) -> &Entry {
        &self.entries[place]
    }

    #[inline]
    pub fn at_mut(&mut self, place: usize) -> &mut Entry {
        &mut self.entries[place]
    }

    #[inline]
    pub fn of(&self, id: u64) -> &Entry {
        self.at(self.place(id))
    }

    /// Nobody waits for the operation that comes to a place, nor does it wait for any.
    #[inline]
    pub fn unlink(&mut self, place: usize) {
        self.links[place] = UNLINKED;
    }

    /// An operand of an operation is the result of another.
    #[inline]
    pub fn depend(&mut self, dependent: usize, operand: usize, producer: usize) {
        let node = (dependent * OPERANDS + operand) as u16;
        match std::mem::replace(&mut self.links[producer].last, node) {
            NONE => self.links[producer].first = node,
            last => self.links[usize::from(last) / OPERANDS].next[usize::from(last) % OPERANDS] = node,
        }
    }

    /// The result of the operation at a place is there at a cycle: `complete` is told the places of those that waited for it alone.
    #[inline]
    pub fn resolve(&mut self, place: usize, ready: u64, mut complete: impl FnMut(usize)) {
        self.entries[place].ready = ready;
        let mut node = self.links[place].first;
        while node != NONE {
            let (dependent, operand) = (usize::from(node) / OPERANDS, usize::from(node) % OPERANDS);
            let entry = &mut self.entries[dependent];
            entry.operands = entry.operands.max(ready);
            entry.missing -= 1;
            if entry.missing == 0 {
                complete(dependent);
            }
            node = self.links[dependent].next[operand];
        }
    }

    /// Bytes of the host's memory they take.
    pub fn footprint(&self) -> usize {
        std::mem::size_of_val(&*self.entries) + std::mem::size_of_val(&*self.links)
    }
}
