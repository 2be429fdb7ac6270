//! Address translation of an out-of-order core: accesses whose pages are not in the TLBs wait, others go on.
//!
//! ```text
//!   load, store --address known--> TLBs --hit--> load: its lookup; store: it can commit
//!                                    |  ^
//!                                    v  '- filled
//!                         a walker, one load after the other through the data caches (MSHRs and all); accesses to the page wait for it
//! ```

use std::collections::VecDeque;

use super::Core;
use super::out_of_order::OutOfOrder;
use super::window::Lookup;
use crate::base::address::Address;
use crate::components::translation::Found;

/// What waits for a translation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Waiter {
    /// An operation in the window, since a cycle.
    Operation { id: u64, since: u64 },
    /// The synchronising operation that passes the store buffer.
    Synchronise,
}

/// A walk of the page table.
#[derive(Clone, Debug)]
struct Walk {
    page: u64,
    /// Of the table: the load under way, or the first.
    level: usize,
    /// It begins no earlier.
    from: u64,
    waiters: Vec<Waiter>,
}

/// Translations under way.
#[derive(Clone, Debug)]
pub(super) struct Walks {
    /// By walker.
    under_way: Box<[Option<Walk>]>,
    /// Those that wait for a walker, oldest first.
    waiting: VecDeque<Walk>,
    /// Pages on their way from the second level to the first, and the cycle at which they are there.
    coming: Vec<(u64, u64)>,
}

impl Walks {
    pub fn new(walkers: u32) -> Walks {
        Walks { under_way: vec![None; walkers as usize].into(), waiting: VecDeque::new(), coming: Vec::new() }
    }

    fn find(&mut self, page: u64) -> Option<&mut Walk> {
        self.under_way.iter_mut().flatten().chain(&mut self.waiting).find(|walk| walk.page == page)
    }

    /// The cycle at which a page that was found in the first level is there.
    fn arrives(&mut self, page: u64, cycle: u64) -> u64 {
        self.coming.retain(|&(_, there)| there > cycle);
        self.coming.iter().find(|&&(coming, _)| coming == page).map_or(cycle, |&(_, there)| there)
    }

    /// Gives free walkers what waits for one, from a cycle on. Says what is to be looked up when.
    fn set_out(&mut self, cycle: u64, mut look_up: impl FnMut(Lookup, u64)) {
        for (number, walker) in (0..).zip(&mut self.under_way).filter(|(_, walker)| walker.is_none()) {
            let Some(walk) = self.waiting.pop_front() else { return };
            look_up(Lookup::Walk(number), cycle.max(walk.from));
            *walker = Some(walk);
        }
    }
}

impl Core {
    /// An operation's address is looked for in the TLBs at a cycle. Returns the lookup in the caches that can be made at once.
    pub(super) fn translate_in_window(&mut self, own: &mut OutOfOrder, id: u64, cycle: u64) -> Option<Lookup> {
        let address = own.window.address(Lookup::Address(id));
        let there = self.look_for(own, address, Waiter::Operation { id, since: cycle }, cycle)?;
        own.window.translated(id, cycle, there)
    }

    /// An address is looked for in the TLBs at a cycle: when its translation is there. Where a walk is needed, it is waited for.
    pub(super) fn look_for(&mut self, own: &mut OutOfOrder, address: Address, waiter: Waiter, cycle: u64) -> Option<u64> {
        let (tlbs, walks) = (&mut self.translator.as_mut()?.tlbs, &mut own.walks);
        let page = tlbs.page(address);
        let found = tlbs.look_up(page);
        let there = cycle + tlbs.latency(found);
        if found == Found::Walk {
            match walks.find(page) {
                Some(walk) => {
                    tlbs.merge();
                    walk.waiters.push(waiter);
                }
                None => {
                    tlbs.begin_walk();
                    walks.waiting.push_back(Walk { page, level: 0, from: there, waiters: vec![waiter] });
                    walks.set_out(there, |lookup, cycle| own.window.look_again(lookup, cycle));
                }
            }
            return None;
        }
        Some(match found {
            Found::Second if there > cycle => {
                walks.coming.push((page, there));
                there
            }
            _ => there.max(walks.arrives(page, cycle)),
        })
    }

    /// The address that a walker loads from.
    pub(super) fn walk_address(&self, own: &OutOfOrder, walker: u32) -> Address {
        let walk = own.walks.under_way[walker as usize].as_ref();
        walk.zip(self.translation()).map_or(0, |(walk, tlbs)| tlbs.table().entry(walk.level, walk.page))
    }

    /// The entry that a walker loaded is there at a cycle.
    pub(super) fn walk_on(&mut self, own: &mut OutOfOrder, walker: u32, cycle: u64) {
        let (Some(translator), walks) = (&mut self.translator, &mut own.walks) else { return };
        let tlbs = &mut translator.tlbs;
        let Some(walk) = &mut walks.under_way[walker as usize] else { return };
        tlbs.count_load();
        walk.level += 1;
        if walk.level < tlbs.table().depth() {
            own.window.look_again(Lookup::Walk(walker), cycle);
            return;
        }
        tlbs.fill(walk.page);
        let waiters = std::mem::take(&mut walk.waiters);
        walks.under_way[walker as usize] = None;
        walks.set_out(cycle, |lookup, cycle| own.window.look_again(lookup, cycle));
        for waiter in waiters {
            match waiter {
                Waiter::Operation { id, since } => {
                    if let Some(lookup) = own.window.translated(id, since, cycle) {
                        own.window.look_again(lookup, cycle);
                    }
                }
                Waiter::Synchronise => self.translated_relaxed(own, cycle),
            }
        }
    }
}
