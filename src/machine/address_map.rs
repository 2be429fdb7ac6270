//! From the addresses a program uses to the memory that answers them.
//!
//! On a machine of one node the map is the identity: the arena begins at address 0 of the node's memory, pages in their order.

use crate::base::address::Address;

/// Where pages lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressMap {
    /// Bytes of a page, a power of two.
    page_bytes: u64,
    /// Bytes of the node's memory.
    memory_bytes: u64,
}

impl AddressMap {
    /// All memory on one node. `page_bytes` is a power of two.
    pub fn one_node(page_bytes: u64, memory_bytes: u64) -> AddressMap {
        debug_assert!(page_bytes.is_power_of_two());
        AddressMap { page_bytes, memory_bytes }
    }

    /// Bytes of a page.
    pub fn page_bytes(&self) -> u64 {
        self.page_bytes
    }

    /// The page an address lies in.
    pub fn page(&self, address: Address) -> u64 {
        address / self.page_bytes
    }

    /// The address in its node's memory, `None` where no memory answers.
    pub fn local(&self, address: Address) -> Option<Address> {
        (address < self.memory_bytes).then_some(address)
    }

    /// Whether an arena of so many bytes fits into memory, in whole pages.
    pub fn fits(&self, arena_bytes: u64) -> bool {
        arena_bytes.checked_next_multiple_of(self.page_bytes).is_some_and(|bytes| bytes <= self.memory_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_maps_every_address_to_itself() {
        let map = AddressMap::one_node(4096, 1 << 20);
        assert_eq!((map.page(4095), map.page(4096)), (0, 1));
        assert_eq!((map.local(77), map.local(1 << 20)), (Some(77), None));
        assert!(map.fits((1 << 20) - 1) && !map.fits((1 << 20) + 1) && !map.fits(u64::MAX));
    }
}
