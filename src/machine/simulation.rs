//! A machine in motion: it runs a program phase by phase. Caches, memory and time go on from phase to phase; counters start anew.
//!
//! ```text
//!   begin: threads enter at one instant     last arrival: the phase's time      what is still on its way arrives: conservation checks
//!   |---------------------------------------|- - - - - - - - - - - - - - - - - |
//! ```

mod conservation;
pub mod replay;
mod report;
mod rows;
mod watch;

use std::cell::{Ref, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use crate::base::time::Time;
use crate::components::block::BlockTable;
use crate::components::core::window::OperationTable;
use crate::components::core::{Core, Loaded, NotConserved, costs_of_trace, text};
use crate::components::homes::Homes;
use crate::components::message::SETTLE;
use crate::components::part::Part;
use crate::components::post::PostHandle;
use crate::components::shared::{Interruption, Shared, SharedHandle, Standing};
use crate::components::spec::{MachineSpec, MemorySpec, NodeSpec, SpecFault, TrafficSpec};
use crate::components::translation::PageTable;
use crate::components::versions::Violation;
use crate::engine::{Engine, Outcome};
use crate::machine::attraction::Demand;
use crate::machine::wire::{Load, Places, wire};
use crate::program::code::{Arena, Code, Fault, Function, Phase};
use crate::program::interpret::Interpreter;
use crate::program::memory::Memory;

pub use report::{PhaseReport, TrafficReport};

/// Operations a phase may carry out unless told otherwise.
pub const DEFAULT_OPERATION_LIMIT: u64 = 100_000_000_000;

/// Why a phase did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhaseError {
    /// The program is wrong; `Code::describe_fault` says where.
    Fault(Fault),
    /// Nothing can move, and work is left: who waits for what, and the line that each core with a thread is at.
    Stuck { waits: Vec<String>, lines: Vec<(u32, u32)> },
    /// More operations than allowed: the limit, and the line that each core with a thread was at.
    OperationLimit { limit: u64, lines: Vec<(u32, u32)> },
    /// More than 53 days of simulated time.
    TimeLimit,
    /// The caches are not coherent: the protocol is broken.
    Violation(Box<Violation>),
    /// A traffic source's queue grew past its stated length.
    Saturated { agent: u32, length: u64 },
    /// A trace cannot be read: what is wrong, and in which line.
    Trace(String),
    /// The figures contradict each other: a fault of the model, not of the program.
    NotConserved(String),
}

impl fmt::Display for PhaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PhaseError::Fault(fault) => write!(f, "the program is wrong: {:?}", fault.kind),
            PhaseError::Stuck { waits, .. } => write!(f, "nothing can move: {}", waits.join("; ")),
            PhaseError::OperationLimit { limit, lines } => {
                write!(f, "the program did not end within {limit} operations")?;
                for (core, line) in lines {
                    write!(f, "; core {core} was at line {line}")?;
                }
                Ok(())
            }
            PhaseError::TimeLimit => f.write_str("the program did not end within 53 days of simulated time"),
            PhaseError::Violation(violation) => write!(f, "the caches are not coherent: {violation}"),
            PhaseError::Saturated { agent, length } => {
                write!(f, "saturated: {length} requests of agent {agent} wait, and more arrive than leave")
            }
            PhaseError::Trace(what) => f.write_str(what),
            PhaseError::NotConserved(what) => write!(f, "the figures contradict each other, a fault of Flynn's: {what}"),
        }
    }
}

impl std::error::Error for PhaseError {}

impl PhaseError {
    /// What a run is told that was interrupted, with so many operations allowed.
    fn interrupted(interruption: Interruption, limit: u64) -> PhaseError {
        match interruption {
            Interruption::Fault(fault) => PhaseError::Fault(fault),
            Interruption::OperationLimit => PhaseError::OperationLimit { limit, lines: Vec::new() },
            Interruption::TimeLimit => PhaseError::TimeLimit,
            Interruption::Trace(what) => PhaseError::Trace(what),
            Interruption::Violation(violation) => PhaseError::Violation(violation),
            Interruption::Saturated { agent, length } => PhaseError::Saturated { agent: u32::from(agent), length },
        }
    }
}

impl From<NotConserved> for PhaseError {
    fn from(error: NotConserved) -> PhaseError {
        PhaseError::NotConserved(error.0)
    }
}

/// A machine with a program.
#[derive(Debug)]
pub struct Simulation {
    engine: Engine<Part>,
    places: Places,
    spec: MachineSpec,
    program: Rc<Loaded>,
    /// Of all nodes, or of each its own.
    shared: Vec<SharedHandle>,
    standing: Rc<Standing>,
    operation_limit: u64,
    /// From here on no core can be woken for what it did before.
    quiet_from: Time,
}

impl Simulation {
    /// A machine of one node that is to run a program; all caches are empty. Thread `t` runs on core `t`.
    ///
    /// # Errors
    /// What cannot be built, or is too small for the program.
    pub fn new(spec: &NodeSpec, code: Arc<Code>, memory: Memory) -> Result<Simulation, Vec<SpecFault>> {
        Simulation::of(&MachineSpec::one(spec.clone()), code, vec![memory])
    }

    /// The same of any machine, with a memory for each rank. Cores are numbered node by node; where each node has an address space of its
    /// own, rank `r` runs on node `r`, its thread `t` on core `t` of that node.
    ///
    /// # Errors
    /// What cannot be built, or is too small for the program.
    pub fn of(machine: &MachineSpec, code: Arc<Code>, memories: Vec<Memory>) -> Result<Simulation, Vec<SpecFault>> {
        let spec = &machine.node;
        let mut faults = machine.faults();
        let places = if machine.interface.is_some() { machine.count } else { 1 };
        if code.ranks > places || memories.len() != code.ranks.max(1) as usize {
            let help = match places {
                1 => "take a machine with an address space for each node (\"norma\"), or run the program as one rank".to_string(),
                _ => format!("at most {places} ranks, or more nodes"),
            };
            faults.push(SpecFault {
                key: "count".to_string(),
                message: format!("the program has {} ranks, and the machine room for {places}", code.ranks),
                help: Some(help),
            });
        }
        let cores = machine.cores_of_a_rank();
        if code.threads > cores {
            faults.push(SpecFault {
                key: "cores".to_string(),
                message: format!("the program has {} threads and the machine {cores} cores", code.threads),
                help: Some("each thread needs a core of its own: run fewer threads, or give the machine more cores".to_string()),
            });
        }
        // What lies between arrays takes no place in attraction memories, which are no one's in particular.
        let memory_bytes = if spec.memory == MemorySpec::Attraction { u64::MAX } else { machine.memory_bytes() };
        let needed = if spec.fetches() { text(&code).end } else { code.arena.size };
        if needed > memory_bytes {
            faults.push(SpecFault {
                key: "memory.size".to_string(),
                message: format!("the program needs {needed} bytes and the memory has {memory_bytes}"),
                help: Some("make the memory larger, or the program's arrays smaller".to_string()),
            });
        }
        faults.extend(Demand::of(machine, &code).and_then(|demand| demand.fault(machine)));
        if let Some(translation) = &spec.translation {
            let end = PageTable::above(code.arena.size.max(text(&code).end), translation.page_bytes).end();
            if code.arena.size <= memory_bytes && end > memory_bytes {
                faults.push(SpecFault {
                    key: "memory.size".to_string(),
                    message: format!("the program and its page table need {end} bytes and the memory has {memory_bytes}"),
                    help: Some("make the memory larger, or the program's arrays smaller".to_string()),
                });
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Simulation::build(machine, code, memories, Load::Nothing))
    }

    /// A node whose interconnect carries nothing but the requests of traffic sources.
    ///
    /// # Errors
    /// What cannot be built.
    pub fn with_traffic(spec: &NodeSpec, traffic: &[TrafficSpec], seed: u64) -> Result<Simulation, Vec<SpecFault>> {
        let faults: Vec<SpecFault> = spec.faults().into_iter().chain(traffic.iter().flat_map(TrafficSpec::faults)).collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Simulation::without_program(spec, Code::default(), Load::Traffic(traffic, seed)))
    }

    fn without_program(spec: &NodeSpec, code: Code, load: Load<'_>) -> Simulation {
        let memory = Memory::new(&crate::program::code::Arena::default()).expect("an empty arena has room");
        Simulation::build(&MachineSpec::one(spec.clone()), Arc::new(code), vec![memory], load)
    }

    fn build(machine: &MachineSpec, code: Arc<Code>, memories: Vec<Memory>, load: Load<'_>) -> Simulation {
        let n_sources = if let Load::Traffic(traffic, _) = load { traffic.len() } else { 0 };
        let spec = &machine.node;
        let n_agents = machine.cores_of_a_rank() as usize + n_sources;
        let (standing, post): (Rc<Standing>, PostHandle) = (Rc::default(), Rc::default());
        let share = |memory: Memory| {
            let mut shared = Shared::new(memory, n_agents, spec.coherence(), spec.checks);
            shared.standing = Rc::clone(&standing);
            shared.homes = machine.homes.map(Homes::new);
            shared.post = machine.interface.map(|_| Rc::clone(&post));
            Rc::new(RefCell::new(shared))
        };
        let mut shared: Vec<SharedHandle> = memories.into_iter().map(share).collect();
        if machine.interface.is_some() {
            // Nodes beyond the program's ranks are idle.
            let empty = || Memory::new(&Arena::default()).expect("an empty arena has room");
            shared.resize_with(machine.count as usize, || share(empty()));
        }
        let table = match load {
            Load::Trace(_) => BlockTable::new(&code, &costs_of_trace(&spec.core)),
            _ => BlockTable::new(&code, &spec.core),
        };
        let operations = spec.core.out_of_order.as_ref().map_or_else(OperationTable::default, |_| OperationTable::new(&code));
        let program = Rc::new(Loaded { interpreter: Interpreter::new(&code), table, operations, text: text(&code), code });
        let (engine, places) = wire(machine, &program, &shared, load);
        Simulation {
            engine,
            places,
            spec: machine.clone(),
            program,
            shared,
            standing,
            operation_limit: DEFAULT_OPERATION_LIMIT,
            quiet_from: Time::ZERO,
        }
    }

    /// Operations that each phase may carry out.
    pub fn limit_operations(&mut self, limit: u64) {
        self.operation_limit = limit;
    }

    /// Whether cores may run ahead of the engine. It changes how fast Flynn is, and no result.
    pub fn set_run_ahead(&mut self, run_ahead: bool) {
        self.engine.set_run_ahead(run_ahead);
    }

    /// The program's values, of rank 0.
    pub fn memory(&self) -> Ref<'_, Memory> {
        Ref::map(self.shared[0].borrow(), |shared| &shared.memory)
    }

    /// The program's values of each rank, to be changed between phases: that takes no simulated time.
    pub fn change_memories(&mut self, mut change: impl FnMut(&mut Memory)) {
        for shared in &self.shared {
            change(&mut shared.borrow_mut().memory);
        }
    }

    /// Bytes of the host's memory that the cores take, caches included, the program's values not.
    pub fn footprint(&self) -> usize {
        self.cores().map(Core::footprint).sum()
    }

    /// Runs a function of the program from a common beginning to the last arrival.
    ///
    /// # Errors
    /// Why it did not come to its end. The node is then of no further use.
    pub fn run(&mut self, function: &Function) -> Result<PhaseReport, PhaseError> {
        let clock = self.spec.node.core.clock;
        let cycle = clock.cycle_at_or_after(self.quiet_from.max(self.engine.now()));
        let begin = clock.edge(cycle);
        let threads = if function.parallel { self.program.code.threads } else { 1 };
        // Rank 0 alone computes the results.
        let ranks = if function.phase == Phase::Results { 1 } else { self.program.code.ranks.max(1) };
        let cores = self.spec.cores_of_a_rank();
        let has_thread = |number: u32| number / cores < ranks && number % cores < threads;
        self.standing.begin(ranks * threads, begin, self.operation_limit);
        let messages = self.engine.messages();
        self.begin(begin, |number, core| core.begin(has_thread(number).then_some(function), cycle));
        for number in (0..self.spec.cores()).filter(|&number| has_thread(number)) {
            self.engine.start(self.places.core(number), begin, 0);
        }
        self.go_on(ranks * threads)?;
        let end = self.standing.end.get();
        // Cores may still be woken for nothing, which depends on how far they ran ahead; the next phase begins behind that.
        self.quiet_from = end + self.spec.node.lookups() + SETTLE + SETTLE;
        let report = self.report(cycle, end, messages)?;
        self.engine.run(u64::MAX);
        self.check_messages()?;
        self.check_conservation(&report)?;
        Ok(report)
    }

    /// Lets the traffic sources make their requests.
    ///
    /// # Errors
    /// Where a queue grows past its stated length.
    pub fn run_traffic(&mut self) -> Result<TrafficReport, PhaseError> {
        let (begin, messages) = (self.engine.now(), self.engine.messages());
        self.begin(begin, |_, _| {});
        let mut arrivals = Vec::new();
        for part in self.engine.parts_mut() {
            if let Part::Source(source) = part {
                arrivals.push(source.first_arrival(begin));
            }
        }
        for (number, arrival) in (0..).zip(arrivals) {
            if let Some(at) = arrival {
                self.engine.start(self.places.source(number), at, 0);
            }
        }
        self.go_on(0)?;
        Ok(self.report_traffic(begin, messages))
    }

    /// Counters start anew.
    fn begin(&mut self, at: Time, core_begins: impl Fn(u32, &mut Core)) {
        self.forget_rows();
        if let Some(life) = self.shared[0].borrow_mut().versions.as_mut().and_then(|versions| versions.life.as_deref_mut()) {
            life.begin(at);
        }
        let memory_of_counters = self.spec.node.lookups() + SETTLE + SETTLE + SETTLE;
        for (number, part) in (0..).zip(self.engine.parts_mut()) {
            match part {
                Part::Core(core) => core_begins(number, core),
                Part::Snooping(snooping) => snooping.begin(at, memory_of_counters),
                Part::Ideal(ideal) => ideal.begin(at, memory_of_counters),
                Part::Llc(llc) => llc.begin(at, memory_of_counters),
                Part::Memory(memory) => memory.begin(at, memory_of_counters),
                Part::Carrier(carrier) => carrier.begin(at, memory_of_counters),
                Part::Home(home) => home.begin(),
                Part::Interface(interface) => interface.begin(),
                Part::Network(network) => network.begin(at, memory_of_counters),
                Part::Source(_) | Part::Replay(_) => {}
            }
        }
    }

    /// Runs the engine until all threads have arrived, or, where there are none, until nothing is left to do.
    fn go_on(&mut self, threads: u32) -> Result<(), PhaseError> {
        let outcome = self.engine.run(u64::MAX);
        if let Some(interruption) = self.shared.iter().find_map(|shared| shared.borrow_mut().interruption.take()) {
            return Err(self.interrupted(interruption));
        }
        match outcome {
            Outcome::Stuck(waits) => {
                let waits = waits.into_iter().map(|wait| wait.what).collect();
                Err(PhaseError::Stuck { waits, lines: self.lines() })
            }
            Outcome::Quiescent if threads > 0 => Err(PhaseError::NotConserved("threads are lost".to_string())),
            _ => Ok(()),
        }
    }

    /// Every message that was started in a phase was waited for and received.
    fn check_messages(&self) -> Result<(), PhaseError> {
        for shared in &self.shared {
            shared.borrow().handles.end().map_err(PhaseError::Fault)?;
        }
        for part in self.engine.parts() {
            let Part::Interface(interface) = part else { continue };
            if let Some(end) = interface.left_over().next() {
                let line = self.program.code.sites[end.site as usize].line;
                let waits = vec![format!("rank {} sent rank {} a message that it never received", end.rank, end.peer)];
                return Err(PhaseError::Stuck { waits, lines: vec![(end.rank, line)] });
            }
        }
        Ok(())
    }

    fn interrupted(&self, interruption: Interruption) -> PhaseError {
        match PhaseError::interrupted(interruption, self.operation_limit) {
            PhaseError::OperationLimit { limit, .. } => PhaseError::OperationLimit { limit, lines: self.lines() },
            other => other,
        }
    }

    /// The line that each core with a thread is at; a trace has none.
    fn lines(&self) -> Vec<(u32, u32)> {
        let at = |(number, core): (u32, &Core)| Some((number, core.source_line().filter(|&line| line > 0)?));
        (0..).zip(self.cores()).filter_map(at).collect()
    }

    fn cores(&self) -> impl Iterator<Item = &Core> {
        self.engine.parts().iter().filter_map(|part| match part {
            Part::Core(core) => Some(&**core),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
