//! Runs Code without any machine: threads take turns, synchronising operations are performed at once. The oracle that simulated and
//! real runs are held against, and the quickest way to know what a program computes and how much it does.

use std::fmt::Write as _;

use super::{Context, Interpreter, Request, Step, perform};
use crate::program::code::{Code, Fault, Function, Instruction, OperationClass, Phase, SiteId};
use crate::program::memory::{Memory, MemoryTooLarge};
use crate::program::operators::canonical;
use crate::program::tree::Value;

/// What a program computed and did.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionalRun {
    /// In the order of the text.
    pub results: Vec<Value>,
    /// What the measured pass did, over all threads.
    pub tally: Tally,
}

/// Dynamic counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Instructions carried out.
    pub instructions: u64,
    pub loads: u64,
    pub stores: u64,
    /// Synchronising operations with a place; an `await` counts once.
    pub atomics: u64,
    /// Bounds and divisor checks.
    pub checks: u64,
    pub flops: u64,
    /// Bytes of the elements that loads, stores and atomics moved.
    pub bytes: u64,
    /// As many as `busy` asked for.
    pub busy: u64,
}

/// Why a run gave no results.
#[derive(Clone, Debug, PartialEq)]
pub enum FunctionalError {
    Memory(MemoryTooLarge),
    Fault(Fault),
    /// All threads that have not finished await something: who, and where.
    Deadlock(Vec<(u32, SiteId)>),
    /// As many blocks ran as were allowed.
    Limit(u64),
}

impl FunctionalError {
    /// The sentence, with the places in the program.
    pub fn describe(&self, code: &Code) -> String {
        match self {
            FunctionalError::Memory(error) => error.to_string(),
            FunctionalError::Fault(fault) => code.describe_fault(fault).to_string(),
            FunctionalError::Limit(limit) => format!("the program did not end within {limit} basic blocks"),
            FunctionalError::Deadlock(waits) => {
                let mut text = String::from("the program is stuck:");
                for (thread, site) in waits {
                    let _ = write!(text, " thread {thread} waits at line {};", code.sites[*site as usize].line);
                }
                text.pop();
                text
            }
        }
    }
}

/// Runs a program from its initial values to its results: initial values, setup, warm-up, restore, setup, measured pass, results.
/// At most `limit` blocks are run.
pub fn run_functional(code: &Code, limit: u64) -> Result<FunctionalRun, FunctionalError> {
    let mut run = Run {
        code,
        interpreter: Interpreter::new(code),
        memory: Memory::new(&code.arena).map_err(FunctionalError::Memory)?,
        tallies: (0..code.blocks.len() as u32).map(|block| code.block(block).iter().map(|i| tally(code, i)).sum()).collect(),
        left: limit,
        limit,
    };
    run.phase(Phase::Initialise)?;
    run.memory.save();
    run.phase(Phase::Setup)?;
    run.phase(Phase::Main)?;
    run.memory.restore();
    run.phase(Phase::Setup)?;
    let tally = run.phase(Phase::Main)?;
    run.phase(Phase::Results)?;
    let value = |slot: &crate::program::code::ResultSlot| {
        Value::from_bits(slot.r#type, canonical(slot.r#type, run.memory.load(slot.r#type, slot.address)))
    };
    Ok(FunctionalRun { results: code.results.iter().map(value).collect(), tally })
}

/// What one instruction adds to the counts.
fn tally(code: &Code, instruction: &Instruction) -> Tally {
    let class = code.class(instruction);
    Tally {
        instructions: 1,
        loads: u64::from(class == Some(OperationClass::Load)),
        stores: u64::from(class == Some(OperationClass::Store)),
        atomics: u64::from(class == Some(OperationClass::Atomic) && code.bytes(instruction) > 0),
        checks: u64::from(matches!(instruction, Instruction::Check { .. } | Instruction::CheckDivisor { .. })),
        flops: code.flops(instruction),
        bytes: code.bytes(instruction),
        busy: 0,
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Tally>>(tallies: I) -> Tally {
        tallies.fold(Tally::default(), |mut sum, tally| {
            sum += tally;
            sum
        })
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.instructions += other.instructions;
        self.loads += other.loads;
        self.stores += other.stores;
        self.atomics += other.atomics;
        self.checks += other.checks;
        self.flops += other.flops;
        self.bytes += other.bytes;
        self.busy = self.busy.saturating_add(other.busy);
    }
}

struct Run<'a> {
    code: &'a Code,
    interpreter: Interpreter,
    memory: Memory,
    /// What each block adds to the counts.
    tallies: Vec<Tally>,
    /// Blocks that may still be run.
    left: u64,
    limit: u64,
}

/// A thread and what it waits to have performed.
struct Thread {
    context: Context,
    pending: Option<Request>,
    finished: bool,
}

impl Run<'_> {
    fn phase(&mut self, phase: Phase) -> Result<Tally, FunctionalError> {
        let mut sum = Tally::default();
        let Some(function) = self.code.function(phase) else { return Ok(sum) };
        self.memory.reset_runtime();
        let mut threads = self.team(function);
        while threads.iter().any(|thread| !thread.finished) {
            let mut moved = false;
            for thread in &mut threads {
                moved |= self.turn(thread, &mut sum)?;
            }
            if !moved {
                let waits = threads.iter().filter_map(|thread| Some((thread.context.thread, thread.pending?.site)));
                return Err(FunctionalError::Deadlock(waits.collect()));
            }
        }
        Ok(sum)
    }

    fn team(&self, function: &Function) -> Vec<Thread> {
        let n_threads = if function.parallel { self.code.threads } else { 1 };
        let thread = |number| Thread { context: self.interpreter.context(number, function), pending: None, finished: false };
        (0..n_threads).map(thread).collect()
    }

    /// Runs a thread up to and with its next synchronising operation. Says whether it moved at all.
    fn turn(&mut self, thread: &mut Thread, sum: &mut Tally) -> Result<bool, FunctionalError> {
        if thread.finished {
            return Ok(false);
        }
        if let Some(request) = thread.pending {
            let performed = perform(&request, &mut self.memory);
            if performed.done {
                thread.pending = None;
                self.interpreter.resume(&mut thread.context, performed.value);
            }
            return Ok(performed.done);
        }
        loop {
            self.left = self.left.checked_sub(1).ok_or(FunctionalError::Limit(self.limit))?;
            let step = self.interpreter.step(&mut thread.context, &mut self.memory);
            let block = match step {
                Step::Fault(fault) => return Err(FunctionalError::Fault(fault)),
                Step::Block(block) | Step::Busy { block, .. } | Step::Finished { block } => block,
                Step::Synchronise(request) => request.block,
            };
            *sum += self.tallies[block as usize];
            match step {
                Step::Busy { operations, .. } => sum.busy = sum.busy.saturating_add(operations),
                Step::Finished { .. } => thread.finished = true,
                Step::Synchronise(request) => thread.pending = Some(request),
                Step::Block(_) | Step::Fault(_) => {}
            }
            if thread.finished || thread.pending.is_some() {
                return Ok(true);
            }
        }
    }
}
