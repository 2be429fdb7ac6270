//! Operations in the window, and which of them wait for which.

use super::operations::{Kind, Operation};
use super::UNKNOWN;
use crate::base::address::Address;
use crate::program::code::{OperationClass, Register};

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
    pub kind: Kind,
    pub class: OperationClass,
    pub answer: Answer,
    /// Operands not known yet.
    pub missing: u8,
    pub to: Register,
    /// Dependents: a list of places, each `entry * OPERANDS + operand`.
    first: u16,
    last: u16,
    next: [u16; OPERANDS],
}

impl Entry {
    /// An operation that is dispatched, with no operand missing so far.
    #[inline]
    pub fn new(operation: &Operation, address: Address, operands: u64, front: u64) -> Entry {
        Entry {
            ready: UNKNOWN,
            operands,
            looked: 0,
            front,
            address,
            number: 0,
            line: operation.line,
            instruction: operation.address,
            kind: operation.kind,
            class: operation.class,
            answer: Answer::Nothing,
            missing: 0,
            to: operation.to,
            first: NONE,
            last: NONE,
            next: [NONE; OPERANDS],
        }
    }
}

/// The window's operations, in a ring whose length is a power of two.
#[derive(Clone, Debug)]
pub(super) struct Entries(Box<[Entry]>);

impl Entries {
    /// Room for so many.
    pub fn new(operations: u32) -> Entries {
        let nothing = Operation {
            kind: Kind::Compute,
            class: OperationClass::Integer,
            sources: [0; 3],
            to: 0,
            line: 0,
            address: 0,
        };
        let length = (operations as usize).next_power_of_two();
        // The last node's number must not be that of none.
        assert!(length * OPERANDS <= usize::from(NONE), "a window of {operations} operations");
        Entries(vec![Entry::new(&nothing, 0, 0, 0); length].into())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The place of the operation with a number.
    #[inline]
    pub fn place(&self, id: u64) -> usize {
        id as usize & (self.0.len() - 1)
    }

    /// The number of the operation at a place, none of which is older than `oldest`.
    #[inline]
    pub fn id(&self, place: usize, oldest: u64) -> u64 {
        oldest + (place.wrapping_sub(oldest as usize) & (self.0.len() - 1)) as u64
    }

    #[inline]
    pub fn at(&self, place: usize) -> &Entry {
        &self.0[place & (self.0.len() - 1)]
    }

    #[inline]
    pub fn at_mut(&mut self, place: usize) -> &mut Entry {
        let mask = self.0.len() - 1;
        &mut self.0[place & mask]
    }

    #[inline]
    pub fn of(&self, id: u64) -> &Entry {
        self.at(id as usize)
    }

    /// An operand of an operation is the result of another.
    #[inline]
    pub fn depend(&mut self, dependent: usize, operand: usize, producer: usize) {
        let node = (dependent * OPERANDS + operand) as u16;
        self.at_mut(dependent).missing += 1;
        match self.at(producer).last {
            NONE => self.at_mut(producer).first = node,
            last => self.at_mut(usize::from(last) / OPERANDS).next[usize::from(last) % OPERANDS] = node,
        }
        self.at_mut(producer).last = node;
    }

    /// The result of the operation at a place is there at a cycle: `complete` is told the places of those that waited for it alone.
    #[inline]
    pub fn resolve(&mut self, place: usize, ready: u64, mut complete: impl FnMut(usize)) {
        let entry = self.at_mut(place);
        entry.ready = ready;
        let mut node = entry.first;
        while node != NONE {
            let (dependent, operand) = (usize::from(node) / OPERANDS, usize::from(node) % OPERANDS);
            let entry = self.at_mut(dependent);
            entry.operands = entry.operands.max(ready);
            entry.missing -= 1;
            node = entry.next[operand];
            if entry.missing == 0 {
                complete(dependent);
            }
        }
    }

    /// Bytes of the host's memory they take.
    pub fn footprint(&self) -> usize {
        std::mem::size_of_val(&*self.0)
    }
}
