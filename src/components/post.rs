//! The messages that are under way between the ranks of a machine: what each end said, and the elements. Parts tell each other of them by
//! number; what they cost is told by those who move them.

use std::cell::RefCell;
use std::rc::Rc;

use crate::base::time::Time;
use crate::program::memory::Memory;
use crate::program::messages::End;
use crate::program::tree::Direction;

/// Names an end that was started.
pub type EndId = u32;

/// A handle to the messages of a machine.
pub type PostHandle = Rc<RefCell<Post>>;

/// One end of a message, from its start until both ends are over.
#[derive(Clone, Debug)]
pub struct Posted {
    pub end: End,
    /// What the rank calls it.
    pub handle: i64,
    /// When its interface was told.
    pub started: Time,
    /// The end that it met.
    pub met: Option<EndId>,
    /// Of a send: the elements, as they were when it was started.
    elements: Vec<u64>,
}

/// All ends.
#[derive(Clone, Debug, Default)]
pub struct Post {
    ends: Vec<Option<Posted>>,
    free: Vec<EndId>,
}

impl Post {
    /// An end is started; the elements of a send are taken from the memory of its rank.
    pub fn start(&mut self, end: End, handle: i64, started: Time, memory: &Memory) -> EndId {
        let size = u64::from(end.element.size());
        let elements = match end.direction {
            Direction::Send => (0..end.length).map(|index| memory.load(end.element, end.address + index * size)).collect(),
            Direction::Receive => Vec::new(),
        };
        let posted = Some(Posted { end, handle, started, met: None, elements });
        match self.free.pop() {
            Some(id) => {
                self.ends[id as usize] = posted;
                id
            }
            None => {
                self.ends.push(posted);
                (self.ends.len() - 1) as EndId
            }
        }
    }

    /// An end that is under way.
    ///
    /// # Panics
    /// Where none of that number is.
    pub fn get(&self, id: EndId) -> &Posted {
        self.ends[id as usize].as_ref().expect("an end that is spoken of is under way")
    }

    /// Two ends have met.
    pub fn meet(&mut self, send: EndId, receive: EndId) {
        for (one, other) in [(send, receive), (receive, send)] {
            if let Some(posted) = &mut self.ends[one as usize] {
                posted.met = Some(other);
            }
        }
    }

    /// The elements of a send are there: they are put into the receiver's memory. Both ends are forgotten and returned.
    ///
    /// # Panics
    /// Where the ends have not met.
    pub fn deliver(&mut self, send: EndId, memory: &mut Memory) -> (Posted, Posted) {
        let mut take = |id: EndId| {
            self.free.push(id);
            self.ends[id as usize].take().expect("an end that is delivered is under way")
        };
        let send = take(send);
        let receive = take(send.met.expect("what is delivered has met its receive"));
        let size = u64::from(receive.end.element.size());
        for (index, &bits) in (0..).zip(&send.elements) {
            memory.store(receive.end.element, receive.end.address + index * size, bits);
        }
        (send, receive)
    }

    /// Those under way.
    pub fn under_way(&self) -> impl Iterator<Item = &Posted> {
        self.ends.iter().flatten()
    }
}
