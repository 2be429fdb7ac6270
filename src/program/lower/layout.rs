//! Where everything lies in the arena.
//!
//! ```text
//!   0        64                                                  2 MiB          4 MiB
//!   │ unused │ run-time state │ scalars │ result slots │  ......  │ first array  │ second array ...
//! ```
//!
//! Arrays are numbered while the program is walked and get their addresses at the end, when all run-time state is known.

use crate::base::address::Address;
use crate::program::code::{Arena, Array, ArrayId};
use crate::program::memory::{MEMORY_LIMIT, MemoryTooLarge};
use crate::program::tree::Type;

use super::Operand;
use super::runtime::Module;
use std::rc::Rc;

/// Where each array of a program begins: a multiple of this.
const ARRAY_ALIGNMENT: u64 = 2 << 20;
/// Nothing lies below.
const FIRST_ADDRESS: u64 = 64;

/// Where an object lies.
#[derive(Clone, Debug)]
pub(super) enum Home {
    /// Element `record * scale + index` of an array; the record is that of the run-time text's instance, 0 for a program's object.
    Elements { array: ArrayId, element: Type, extents: Vec<u64>, scale: u64 },
    /// In a run-time text, a part of a caller's array: from element `start` of its `length` on.
    Borrowed { array: ArrayId, element: Type, start: Operand, length: u64 },
    /// Each element is an instance of a run-time text.
    Instances { module: Rc<Module>, extents: Vec<u64> },
}

/// The parts of the arena, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Runtime,
    Scalars,
    Results,
    Arrays,
}

/// A stretch of memory that stays together.
#[derive(Clone, Debug)]
struct Allocation {
    section: Section,
    size: u64,
    alignment: u64,
    /// Arrays in it, each with the offset of its element 0.
    members: Vec<(ArrayId, u64)>,
    /// Values in place from the beginning: offset, type, bits.
    initial: Vec<(u64, Type, u64)>,
}

/// The arrays of the code under construction.
#[derive(Clone, Debug)]
pub(in crate::program) struct Layout {
    arrays: Vec<Array>,
    allocations: Vec<Allocation>,
    /// Bytes of a line: what something padded takes at least.
    line: u64,
}

/// A field of a run-time text's record: an array with one element, or a few, for each instance.
pub(super) struct Field {
    pub name: String,
    pub element: Type,
    pub extents: Vec<u64>,
    pub padded: bool,
    /// The value of each element when a run begins.
    pub initial: u64,
}

impl Layout {
    pub fn new(padding: u32) -> Layout {
        let line = u64::from(padding.clamp(8, 1 << 20)).next_power_of_two();
        Layout { arrays: Vec::new(), allocations: Vec::new(), line }
    }

    /// How many elements an array has.
    pub fn length(&self, array: ArrayId) -> u64 {
        self.arrays[usize::from(array)].length
    }

    /// The type of an array's elements.
    pub fn element(&self, array: ArrayId) -> Type {
        self.arrays[usize::from(array)].element
    }

    fn add_array(&mut self, array: Array) -> ArrayId {
        self.arrays.push(array);
        self.arrays.len() as ArrayId - 1
    }

    /// Whether Code has numbers for so many more arrays.
    pub fn has_room_for(&self, more: usize) -> bool {
        self.arrays.len() + more <= usize::from(ArrayId::MAX)
    }

    /// An array or a scalar of the program; one that is padded has a line for each element.
    pub(super) fn add_object(&mut self, section: Section, name: &str, element: Type, extents: &[u64], padded: bool) -> ArrayId {
        let packed = u64::from(element.size());
        let stride = match section {
            _ if padded => self.line,
            Section::Arrays => packed,
            Section::Runtime | Section::Scalars | Section::Results => 8,
        };
        let length = extents.iter().fold(1_u64, |product, &extent| product.saturating_mul(extent));
        let alignment = match section {
            Section::Arrays => ARRAY_ALIGNMENT,
            _ if padded => self.line,
            _ => 8,
        };
        let runtime = section == Section::Runtime;
        let extents = extents.to_vec();
        let array = self.add_array(Array { name: name.into(), element, base: 0, stride: stride as u32, length, extents, runtime });
        let size = length.saturating_mul(stride);
        self.allocations.push(Allocation { section, size, alignment, members: vec![(array, 0)], initial: Vec::new() });
        array
    }

    /// Fields of instances of a run-time text, as many as the extents say. The fields of one instance lie together; `apart` gives each field a line
    /// of its own, as the state that all threads share has, and `padded` each instance.
    pub(super) fn add_records(&mut self, fields: &[Field], instances: &[u64], apart: bool, padded: bool) -> Vec<Home> {
        let n_records = instances.iter().fold(1_u64, |product, &extent| product.saturating_mul(extent));
        let mut offset = 0_u64;
        let mut coarsest = 8;
        let mut places = Vec::new();
        for field in fields {
            let stride = if field.padded { self.line } else { u64::from(field.element.size()) };
            let length = field.extents.iter().product::<u64>();
            let alignment = if apart || field.padded { self.line } else { stride };
            coarsest = coarsest.max(alignment);
            offset = offset.next_multiple_of(alignment);
            places.push((offset, stride, length));
            offset += length * stride;
        }
        let record = offset.max(1).next_multiple_of(if padded || apart { self.line } else { coarsest });
        let mut allocation = Allocation {
            section: Section::Runtime,
            size: record.saturating_mul(n_records),
            alignment: if apart || padded || coarsest > 8 { self.line } else { 8 },
            members: Vec::new(),
            initial: Vec::new(),
        };
        let homes = fields.iter().zip(&places).map(|(field, &(offset, stride, length))| {
            let single = length == 1;
            // A single element steps from record to record; elements of an array step within one.
            let (stride, scale) = if single { (record, 1) } else { (stride, record / stride) };
            let total = if single { n_records } else { (n_records - 1).saturating_mul(scale).saturating_add(length) };
            let extents = if single { instances.to_vec() } else { vec![total] };
            let array = self.add_array(Array {
                name: field.name.clone(),
                element: field.element,
                base: 0,
                stride: stride as u32,
                length: total,
                extents,
                runtime: true,
            });
            allocation.members.push((array, offset));
            if field.initial != 0 {
                let elements = (0..n_records).flat_map(|record| (0..length).map(move |index| record * scale + index));
                allocation.initial.extend(elements.map(|index| (offset + index * stride, field.element, field.initial)));
            }
            Home::Elements { array, element: field.element, extents: field.extents.clone(), scale }
        });
        let homes = homes.collect();
        self.allocations.push(allocation);
        homes
    }

    /// Gives everything its address.
    pub(super) fn place(mut self, restore: &[ArrayId]) -> Result<(Vec<Array>, Arena), MemoryTooLarge> {
        let mut arena = Arena::default();
        let mut end = u128::from(FIRST_ADDRESS);
        for section in [Section::Runtime, Section::Scalars, Section::Results, Section::Arrays] {
            // Each section begins on a line of its own, so that none shares a line with another.
            end = end.next_multiple_of(u128::from(self.line));
            let begin = end as Address;
            for allocation in self.allocations.iter().filter(|allocation| allocation.section == section) {
                let base = end.next_multiple_of(u128::from(allocation.alignment));
                end = base + u128::from(allocation.size);
                if end > u128::from(MEMORY_LIMIT) {
                    return Err(MemoryTooLarge { size: u64::try_from(end).unwrap_or(u64::MAX) });
                }
                let base = base as Address;
                for &(array, offset) in &allocation.members {
                    self.arrays[usize::from(array)].base = base + offset;
                }
                arena.initial.extend(allocation.initial.iter().map(|&(offset, r#type, bits)| (base + offset, r#type, bits)));
            }
            if section == Section::Runtime {
                arena.runtime = begin..end as Address;
            }
        }
        arena.size = (end as u64).next_multiple_of(self.line);
        let ranges = restore.iter().map(|&array| {
            let array = &self.arrays[usize::from(array)];
            array.base..array.base + array.length * u64::from(array.stride)
        });
        arena.restore = ranges.filter(|range| !range.is_empty()).collect();
        arena.restore.sort_by_key(|range| range.start);
        Ok((self.arrays, arena))
    }
}

impl Operand {
    /// The record of the only instance there is.
    pub(super) const ONLY: Operand = Operand::Constant(0);
}
