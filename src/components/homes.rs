//! Where pages live on a machine of several nodes with one address space: the home of a page is the node whose memory answers for it.
//!
//! A page gets its home when it is first touched, by the node that touches it or as the placement says; where that node's memory is full, by
//! the next one with room. From then on it stays.

use rustc_hash::FxHashMap;

use crate::base::address::Address;
use crate::base::time::Time;
use crate::components::parcel::NodeNumber;

/// How pages are dealt to nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// To the node whose core touches the page first.
    #[default]
    FirstTouch,
    /// In turn, by the number of the page.
    Interleave,
    /// All to one node.
    Node(NodeNumber),
}

/// What keeps track of copies at each home, where there are private caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectorySpec {
    /// From a packet to what it makes the home do.
    pub latency: Time,
    /// Sharers that an entry can note, before all cores are taken for sharers.
    pub pointers: u32,
}

impl Default for DirectorySpec {
    /// One that takes no time and notes everyone.
    fn default() -> DirectorySpec {
        DirectorySpec { latency: Time::ZERO, pointers: u32::MAX }
    }
}

/// What the pages of a machine are dealt by, and who knows of copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HomesSpec {
    pub placement: Placement,
    /// A power of two.
    pub page_bytes: u64,
    pub nodes: NodeNumber,
    /// Of each node's memory.
    pub memory_bytes: u64,
    pub directory: DirectorySpec,
}

/// Pages and their homes.
#[derive(Clone, Debug)]
pub struct Homes {
    spec: HomesSpec,
    homes: FxHashMap<u64, NodeNumber>,
    /// By node, the pages that live there.
    pages: Vec<u64>,
}

impl Homes {
    /// No page has been touched.
    pub fn new(spec: HomesSpec) -> Homes {
        Homes { spec, homes: FxHashMap::default(), pages: vec![0; usize::from(spec.nodes)] }
    }

    /// The home of the page of an address that a core of a node touches.
    pub fn home(&mut self, address: Address, toucher: NodeNumber) -> NodeNumber {
        let page = address / self.spec.page_bytes;
        if let Some(&home) = self.homes.get(&page) {
            return home;
        }
        let wish = match self.spec.placement {
            Placement::FirstTouch => toucher,
            Placement::Interleave => (page % u64::from(self.spec.nodes)) as NodeNumber,
            Placement::Node(node) => node,
        };
        let room = self.spec.memory_bytes / self.spec.page_bytes;
        let in_turn =
            (0..self.spec.nodes).map(|step| ((u32::from(wish) + u32::from(step)) % u32::from(self.spec.nodes)) as NodeNumber);
        // A program that does not fit into all memories together is refused before it runs.
        let home = in_turn.into_iter().find(|&node| self.pages[usize::from(node)] < room).unwrap_or(wish);
        self.homes.insert(page, home);
        self.pages[usize::from(home)] += 1;
        home
    }

    /// The home of a page that was touched.
    pub fn known(&self, address: Address) -> Option<NodeNumber> {
        self.homes.get(&(address / self.spec.page_bytes)).copied()
    }

    /// By node, the pages that live there.
    pub fn pages(&self) -> &[u64] {
        &self.pages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn homes(placement: Placement, memory_bytes: u64) -> Homes {
        Homes::new(HomesSpec { placement, page_bytes: 4096, nodes: 3, memory_bytes, directory: DirectorySpec::default() })
    }

    #[test]
    fn pages_live_where_the_placement_says_and_stay_there() {
        let mut first = homes(Placement::FirstTouch, 1 << 20);
        assert_eq!([first.home(0, 2), first.home(4095, 1), first.home(4096, 1)], [2, 2, 1]);
        let mut interleaved = homes(Placement::Interleave, 1 << 20);
        assert_eq!([0, 1, 2, 3, 4].map(|page| interleaved.home(page * 4096, 1)), [0, 1, 2, 0, 1]);
        let mut one = homes(Placement::Node(1), 1 << 20);
        assert_eq!([0, 5].map(|page| one.home(page * 4096, 2)), [1, 1]);
        assert_eq!((one.pages(), one.known(4096), one.known(5 * 4096)), (&[0, 2, 0][..], None, Some(1)));
    }

    #[test]
    fn a_full_memory_passes_pages_on_to_the_next() {
        let mut homes = homes(Placement::Node(2), 2 * 4096);
        assert_eq!([0, 1, 2, 3, 4, 5].map(|page| homes.home(page * 4096, 0)), [2, 2, 0, 0, 1, 1]);
    }
}
