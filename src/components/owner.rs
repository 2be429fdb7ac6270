//! Owners of time: to whom each instant of a core's time belongs, so that a cycle stack adds up exactly.
//!
//! A core's time is cut at the instants a request passes on its way ([`Timeline::mark`]); what lies between two cuts belongs to one
//! owner. (Cycle stacks: Eyerman, Eeckhout, Karkhanis and Smith, "A top-down approach to architecting CPI component performance
//! counters", IEEE Micro 2007; for parallel programs Heirman, Carlson, Eeckhout and others, IISWC 2011.)

use crate::base::time::Time;

macro_rules! owners {
    ($($(#[$documentation:meta])* $variant:ident = $name:literal,)*) => {
        /// To whom an instant belongs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Owner { $($(#[$documentation])* $variant,)* }

        impl Owner {
            /// All of them with their names, in the order of the record.
            pub const ALL: [(&'static str, Owner); Owner::COUNT] = [$(($name, Owner::$variant),)*];
            /// How many there are.
            pub const COUNT: usize = [$($name),*].len();

            /// As metrics write it.
            pub fn name(self) -> &'static str {
                Owner::ALL[self as usize].0
            }
        }
    };
}

owners! {
    /// Operations themselves.
    Base = "base",
    /// Waiting for an earlier operation's result.
    Dependency = "dependency",
    /// A branch foretold wrongly.
    Branch = "branch",
    /// Looking into the first private cache for data.
    L1d = "l1d",
    /// Looking into the second private cache.
    L2 = "l2",
    /// Looking into a private cache behind the second, or into a shared one.
    Llc = "llc",
    /// The latency of the node's own memory.
    MemoryLocal = "memory_local",
    /// The latency of another node's memory.
    MemoryRemote = "memory_remote",
    /// Waiting in line: for arbitration, for the data bus, for a channel of memory, for a place in a buffer.
    Queue = "queue",
    /// The other caches: the snoop window, whole upgrades, and waiting while a transaction of another agent has the line.
    Coherence = "coherence",
    /// Waiting for another thread.
    Synchronisation = "synchronisation",
    /// Being moved: address phase and transfer of data.
    Network = "network",
    /// Nothing to do.
    Idle = "idle",
}

/// Time by owner, in picoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stack(pub [u64; Owner::COUNT]);

impl Stack {
    /// Adds time to an owner.
    #[inline]
    pub fn add(&mut self, owner: Owner, time: Time) {
        self.0[owner as usize] += time.0;
    }

    /// The time of an owner.
    pub fn of(&self, owner: Owner) -> Time {
        Time(self.0[owner as usize])
    }

    /// All of it.
    pub fn total(&self) -> Time {
        Time(self.0.iter().sum())
    }

    /// Adds another stack to this one.
    pub fn merge(&mut self, other: &Stack) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }
}

/// The way of one request, cut into stretches of one owner each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    start: Time,
    last: Time,
    stack: Stack,
}

impl Timeline {
    /// A request sets out.
    pub fn begin(&mut self, at: Time) {
        *self = Timeline { start: at, last: at, stack: Stack::default() };
    }

    /// What lies between the last cut and this one belongs to an owner. A cut before the last one cuts nothing.
    #[inline]
    pub fn mark(&mut self, owner: Owner, until: Time) {
        self.stack.add(owner, until.saturating_sub(self.last));
        self.last = self.last.max(until);
    }

    /// The stretches so far.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// From the start to the last cut.
    pub fn elapsed(&self) -> Time {
        self.last - self.start
    }
}
