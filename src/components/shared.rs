//! What the parts of an address space have in common besides channels: the values of the program's memory, the watch over coherence, the timelines
//! of waiting requests, and how the run stands. None of it carries simulated effects between parts; those go by message.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::base::address::{Address, Line};
use crate::base::time::Time;
use crate::coherence::controller::MemoryImpossible;
use crate::coherence::order::AgentNumber;
use crate::coherence::protocol::{Protocol, State, Vocabulary};
use crate::components::causes::Losses;
use crate::components::hierarchy::{Broken, Observer};
use crate::components::homes::Homes;
use crate::components::life::Happening;
use crate::components::owner::Timelines;
use crate::components::post::PostHandle;
use crate::components::versions::{Happened, Versions, Violation};
use crate::program::code::Fault;
use crate::program::memory::Memory;
use crate::program::messages::Handles;

/// Why a run ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The program is wrong.
    Fault(Fault),
    /// More operations than allowed.
    OperationLimit,
    /// Simulated time went past [`LATEST`].
    TimeLimit,
    /// A trace cannot be read: what is wrong, and in which line.
    Trace(String),
    /// The caches are not coherent.
    Violation(Box<Violation>),
    /// A traffic source's queue grew past its stated length.
    Saturated {
        /// Which agent of the interconnect.
        agent: AgentNumber,
        /// Requests waiting.
        length: u64,
    },
}

/// Lines of a trace whose coherence can be watched: about 2 GiB of the host's memory.
const MOST_WATCHED: usize = 1 << 22;

/// Runs end before this instant: 53 days of simulated time.
pub const LATEST: Time = Time(1 << 62);

/// How a phase stands, over all address spaces of a machine.
#[derive(Debug)]
pub struct Standing {
    /// Operations still allowed.
    pub operations_left: Cell<u64>,
    /// Threads of the phase that have not arrived yet.
    pub running: Cell<u32>,
    /// The latest arrival so far.
    pub end: Cell<Time>,
}

impl Default for Standing {
    fn default() -> Standing {
        Standing { operations_left: Cell::new(u64::MAX), running: Cell::new(0), end: Cell::new(Time::ZERO) }
    }
}

impl Standing {
    /// A phase of so many threads begins.
    pub fn begin(&self, threads: u32, at: Time, operations: u64) {
        self.operations_left.set(operations);
        self.running.set(threads);
        self.end.set(at);
    }

    /// A thread arrives. Returns the end of the phase where it was the last.
    pub fn arrive(&self, at: Time) -> Option<Time> {
        self.running.set(self.running.get() - 1);
        self.end.set(self.end.get().max(at));
        (self.running.get() == 0).then(|| self.end.get())
    }
}

/// What the parts of an address space have in common: of all nodes, or of each its own.
#[derive(Debug)]
pub struct Shared {
    /// The program's values.
    pub memory: Memory,
    /// Where coherence is watched.
    pub versions: Option<Versions>,
    /// The requests that each agent waits for.
    pub timelines: Vec<Timelines>,
    /// How the phase stands.
    pub standing: Rc<Standing>,
    /// Set when the run ends before its time.
    pub interruption: Option<Interruption>,
    /// How often each row of the agents' table was taken, hits that change nothing aside.
    pub agent_rows: Vec<u64>,
    /// How often each row of memory's table was taken.
    pub memory_rows: Vec<u64>,
    /// On a machine without caches: who sleeps until a word is written.
    pub sleepers: FxHashMap<Address, Vec<AgentNumber>>,
    /// The messages under way, where ranks send them.
    pub post: Option<PostHandle>,
    /// The messages that the rank has started and not waited for, and when each was over.
    pub handles: Handles<Option<Over>>,
    /// Where pages live, where several nodes have one address space.
    pub homes: Option<Homes>,
    /// What others wrote to lines that a core lost.
    pub losses: Losses,
    protocol: Option<Arc<Protocol>>,
}

/// When a message was over for one of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    pub at: Time,
    /// Since when it was only the network's business: before that one end waited for the other.
    pub since: Time,
}

/// A handle to what the parts share.
pub type SharedHandle = Rc<RefCell<Shared>>;

impl Shared {
    /// The common state of so many agents.
    pub fn new(memory: Memory, n_agents: usize, protocol: Option<Arc<Protocol>>, checks: bool) -> Shared {
        let rows = |n: Option<usize>| vec![0; n.unwrap_or(0)];
        Shared {
            memory,
            versions: (checks && protocol.is_some()).then(Versions::default),
            timelines: vec![Timelines::default(); n_agents],
            standing: Rc::default(),
            interruption: None,
            agent_rows: rows(protocol.as_ref().map(|protocol| protocol.agent.n_rows())),
            memory_rows: rows(protocol.as_ref().map(|protocol| protocol.memory.n_rows())),
            sleepers: FxHashMap::default(),
            post: None,
            handles: Handles::default(),
            homes: None,
            losses: Losses::default(),
            protocol,
        }
    }

    /// Something happens to a line, which is remembered where its life is wanted.
    pub fn happens(&mut self, line: Line, time: Time, what: Happening) {
        if let Some(life) = self.versions.as_mut().and_then(|versions| versions.life_of(line)) {
            life.note(time, what);
        }
    }

    /// Takes operations off what is still allowed.
    pub fn spend(&mut self, operations: u64) {
        match self.standing.operations_left.get().checked_sub(operations) {
            Some(left) => self.standing.operations_left.set(left),
            None => {
                self.standing.operations_left.set(0);
                self.interrupt(Interruption::OperationLimit);
            }
        }
    }

    /// A trace may touch more lines than can be watched, each with its history: then the run is over.
    pub fn limit_watch(&mut self) {
        if self.versions.as_ref().is_some_and(|versions| versions.n_lines() > MOST_WATCHED) {
            self.interrupt(Interruption::Trace(format!(
                "the trace touches more than {MOST_WATCHED} lines, too many to keep a history of each: \
                 run it without that watch over coherence, `--set runtime.checks=false`"
            )));
        }
    }

    /// Who sees what a core's caches do at an instant, for an access to an address in a source line where it is one.
    pub fn observe(&mut self, core: AgentNumber, time: Time, (address, source_line): (Address, u32)) -> Observer<'_> {
        Observer {
            time,
            core,
            address,
            bytes: 1,
            source_line,
            rows: &mut self.agent_rows,
            versions: self.versions.as_mut(),
            losses: &mut self.losses,
        }
    }

    /// The run is over; the first reason counts.
    pub fn interrupt(&mut self, interruption: Interruption) {
        self.interruption.get_or_insert(interruption);
    }

    /// The run is over because caches or protocol are broken.
    pub fn broken(&mut self, time: Time, core: u16, broken: &Broken) {
        let Some(protocol) = self.protocol.clone() else { return };
        let (line, what) = match broken {
            Broken::Impossible(line, impossible) => (*line, format!("core {core}: {}", impossible.describe(&protocol))),
            Broken::Incoherent(line, what) => (*line, what.clone()),
        };
        self.violation(time, line, what, &protocol);
    }

    /// The run is over because memory met what the protocol calls impossible.
    pub fn broken_memory(&mut self, time: Time, line: Line, impossible: &MemoryImpossible) {
        let Some(protocol) = self.protocol.clone() else { return };
        self.violation(time, line, impossible.describe(&protocol), &protocol);
    }

    fn violation(&mut self, time: Time, line: Line, what: String, protocol: &Protocol) {
        let name = |happened: &Happened| describe(happened, protocol);
        let history = self.versions.as_ref().map_or_else(Vec::new, |versions| versions.history(line, name));
        self.interrupt(Interruption::Violation(Box::new(Violation { time, line, what, history })));
    }
}

fn describe(happened: &Happened, protocol: &Protocol) -> String {
    let state = |number: u8| &protocol.agent.state(State(number)).name;
    match *happened {
        Happened::Transition { core, from, event, next } => {
            let event = crate::coherence::protocol::AgentEvent::ALL[usize::from(event)].0;
            format!("core {core}: {} --{event}--> {}", state(from), state(next))
        }
        Happened::Written { core, version } => format!("core {core} writes version {version}"),
        Happened::Filled { core, version } => format!("core {core} receives version {version}"),
    }
}
