//! Owners of time: to whom each instant of a core's time belongs, so that a cycle stack adds up exactly.
//!
//! A core's time is cut at the instants a request passes on its way ([`Timeline::mark`]); what lies between two cuts belongs to one
//! owner. (Cycle stacks: Eyerman, Eeckhout, Karkhanis and Smith, "A top-down approach to architecting CPI component performance
//! counters", IEEE Micro 2007; for parallel programs Heirman, Carlson, Eeckhout and others, IISWC 2011.)

use crate::base::address::Line;
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
    /// Translating addresses: lookups in TLBs beyond those hidden, and walks of the page table with all that their loads wait for.
    Translation = "translation",
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
    /// Messages: what the core spends on sending and receiving them, and waiting while they are on their way.
    Message = "message",
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

/// Cuts that a timeline keeps one by one.
const CUTS: usize = 12;

/// The requests of one agent that wait, each with its timeline: one where a core waits for each miss.
#[derive(Clone, Debug, Default)]
pub struct Timelines(Vec<(Line, Timeline)>);

impl Timelines {
    /// The request of a line sets out.
    pub fn begin(&mut self, line: Line, at: Time) {
        self.end(line);
        let mut timeline = Timeline::default();
        timeline.begin(at);
        self.0.push((line, timeline));
    }

    /// Cuts the timeline of the request of a line, where one waits: [`Timeline::mark`].
    #[inline]
    pub fn mark(&mut self, line: Line, owner: Owner, until: Time) {
        if let Some((_, timeline)) = self.0.iter_mut().find(|(of, _)| *of == line) {
            timeline.mark(owner, until);
        }
    }

    /// The request of a line is over: its timeline.
    pub fn end(&mut self, line: Line) -> Timeline {
        match self.0.iter().position(|(of, _)| *of == line) {
            Some(place) => self.0.swap_remove(place).1,
            None => Timeline::default(),
        }
    }
}

/// The way of one request, cut into stretches of one owner each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    start: Time,
    last: Time,
    stack: Stack,
    /// Each stretch's end and owner. Where there are more than fit, the last one goes on.
    cuts: [(Time, u8); CUTS],
    n_cuts: u8,
}

impl Timeline {
    /// A request sets out.
    pub fn begin(&mut self, at: Time) {
        *self = Timeline { start: at, last: at, ..Timeline::default() };
    }

    /// What lies between the last cut and this one belongs to an owner. A cut before the last one cuts nothing.
    #[inline]
    pub fn mark(&mut self, owner: Owner, until: Time) {
        if until <= self.last {
            return;
        }
        self.stack.add(owner, until - self.last);
        self.last = until;
        match self.cuts[..usize::from(self.n_cuts)].last_mut() {
            Some(cut) if cut.1 == owner as u8 || usize::from(self.n_cuts) == CUTS => cut.0 = until,
            _ => {
                self.cuts[usize::from(self.n_cuts)] = (until, owner as u8);
                self.n_cuts += 1;
            }
        }
    }

    /// Adds to `stack` what lies between two instants, by owner. Returns how long that is.
    pub fn overlap(&self, from: Time, until: Time, stack: &mut Stack) -> Time {
        let (mut at, mut sum) = (self.start, Time::ZERO);
        for &(end, owner) in &self.cuts[..usize::from(self.n_cuts)] {
            let time = end.min(until).saturating_sub(at.max(from));
            stack.0[usize::from(owner)] += time.0;
            sum += time;
            at = end;
        }
        sum
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
