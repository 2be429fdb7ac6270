//! Runs Code without any machine: threads take turns, synchronising operations are performed at once. The oracle that simulated and
//! real runs are held against, and the quickest way to know what a program computes and how much it does.

use std::fmt::Write as _;

use super::{Context, Interpreter, Request, Step, perform};
use crate::program::code::{Code, Fault, Function, Instruction, OperationClass, Phase, SiteId};
use crate::program::memory::{Memory, MemoryTooLarge};
use crate::program::messages::{End, Handles, Mailbox, MessageAction, MessageRequest, Pair};
use crate::program::operators::canonical;
use crate::program::tree::{Direction, Value};

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
    /// All threads that have not finished await something.
    Deadlock(Vec<Stuck>),
    /// As many blocks ran as were allowed.
    Limit(u64),
}

/// A thread that waits for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    pub rank: u32,
    pub thread: u32,
    pub site: SiteId,
    /// The messages it waits for; none where it awaits a place in memory.
    pub messages: Vec<End>,
    /// Of those, how many are with a rank that has ended.
    pub ended: usize,
}

impl Stuck {
    fn describe(&self, code: &Code) -> String {
        let line = |site: SiteId| code.sites[site as usize].line;
        let mut text = match (code.ranks > 1, code.threads > 1) {
            (false, _) => format!("thread {}", self.thread),
            (true, false) => format!("rank {}", self.rank),
            (true, true) => format!("rank {}, thread {}", self.rank, self.thread),
        };
        let _ = write!(text, " waits at line {}", line(self.site));
        let Some(first) = self.messages.first() else { return text };
        let what = match first.direction {
            Direction::Send => format!("until rank {} receives its message", first.peer),
            Direction::Receive => format!("for a message from rank {}", first.peer),
        };
        let _ = match first.runtime {
            true => write!(text, " {what}"),
            false => write!(text, " {what} with tag {}", first.tag),
        };
        if line(first.site) != line(self.site) {
            let _ = write!(text, " (started at line {})", line(first.site));
        }
        if self.messages.len() > 1 {
            let _ = write!(text, " and {} more", self.messages.len() - 1);
        }
        if self.ended == self.messages.len() {
            let verb = if first.direction == Direction::Send { "receive" } else { "send" };
            let _ = write!(text, ", and no one is left to {verb} it");
        }
        text
    }
}

impl FunctionalError {
    /// The sentence, with the places in the program.
    pub fn describe(&self, code: &Code) -> String {
        match self {
            FunctionalError::Memory(error) => error.to_string(),
            FunctionalError::Fault(fault) => code.describe_fault(fault).to_string(),
            FunctionalError::Limit(limit) => format!("the program did not end within {limit} basic blocks"),
            FunctionalError::Deadlock(waits) => {
                let waits: Vec<String> = waits.iter().map(|stuck| stuck.describe(code)).collect();
                format!("the program is stuck: {}", waits.join("; "))
            }
        }
    }
}

/// Runs a program from its initial values to its results: initial values, setup, warm-up, restore, setup, measured pass, results.
/// At most `limit` blocks are run. A message is over when both its ends have been started, so that a program which needs a network to
/// keep messages that nobody receives yet stops here, as it may anywhere.
pub fn run_functional(code: &Code, limit: u64) -> Result<FunctionalRun, FunctionalError> {
    let mut run = Run {
        code,
        interpreter: Interpreter::new(code),
        memories: (0..code.ranks.max(1))
            .map(|_| Memory::new(&code.arena))
            .collect::<Result<_, _>>()
            .map_err(FunctionalError::Memory)?,
        mailboxes: (0..code.ranks.max(1)).map(|_| Mailbox::default()).collect(),
        handles: (0..code.ranks.max(1)).map(|_| Handles::default()).collect(),
        tallies: (0..code.blocks.len() as u32).map(|block| code.block(block).iter().map(|i| tally(code, i)).sum()).collect(),
        left: limit,
        limit,
    };
    run.phase(Phase::Initialise)?;
    run.memories.iter_mut().for_each(Memory::save);
    run.phase(Phase::Setup)?;
    run.phase(Phase::Main)?;
    run.memories.iter_mut().for_each(Memory::restore);
    run.phase(Phase::Setup)?;
    let tally = run.phase(Phase::Main)?;
    run.phase(Phase::Finish)?;
    run.phase(Phase::Results)?;
    let value = |slot: &crate::program::code::ResultSlot| {
        Value::from_bits(slot.r#type, canonical(slot.r#type, run.memories[0].load(slot.r#type, slot.address)))
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
    /// Of each rank.
    memories: Vec<Memory>,
    /// Of each rank: what it is to receive.
    mailboxes: Vec<Mailbox<i64>>,
    /// Of each rank: what it has started. True once it is over.
    handles: Vec<Handles<bool>>,
    /// What each block adds to the counts.
    tallies: Vec<Tally>,
    /// Blocks that may still be run.
    left: u64,
    limit: u64,
}

/// A thread and what it waits to have performed.
struct Thread {
    context: Context,
    pending: Option<Pending>,
    finished: bool,
}

#[derive(Clone, Copy)]
enum Pending {
    Synchronise(Request),
    Message(MessageRequest),
}

impl Pending {
    fn site(&self) -> SiteId {
        match self {
            Pending::Synchronise(request) => request.site,
            Pending::Message(request) => request.site,
        }
    }
}

impl Run<'_> {
    fn phase(&mut self, phase: Phase) -> Result<Tally, FunctionalError> {
        let mut sum = Tally::default();
        let Some(function) = self.code.function(phase) else { return Ok(sum) };
        self.memories.iter_mut().for_each(Memory::reset_runtime);
        let mut threads = self.team(function);
        while threads.iter().any(|thread| !thread.finished) {
            let mut moved = false;
            for thread in &mut threads {
                moved |= self.turn(thread, &mut sum)?;
            }
            if !moved {
                return Err(FunctionalError::Deadlock(self.stuck(&threads)));
            }
        }
        self.handles.iter().try_for_each(Handles::end).map_err(FunctionalError::Fault)?;
        Ok(sum)
    }

    /// The threads at the entry of a function: of every rank, but rank 0 alone computes the results.
    fn team(&self, function: &Function) -> Vec<Thread> {
        let n_ranks = if function.phase == Phase::Results { 1 } else { self.code.ranks.max(1) };
        let n_threads = if function.parallel { self.code.threads } else { 1 };
        let thread = |(rank, number)| Thread {
            context: self.interpreter.context_of_rank(rank, number, function),
            pending: None,
            finished: false,
        };
        (0..n_ranks).flat_map(|rank| (0..n_threads).map(move |number| (rank, number))).map(thread).collect()
    }

    /// Runs a thread up to and with its next operation that others may have to do with. Says whether it moved at all.
    fn turn(&mut self, thread: &mut Thread, sum: &mut Tally) -> Result<bool, FunctionalError> {
        if thread.finished {
            return Ok(false);
        }
        let rank = thread.context.rank as usize;
        if let Some(pending) = thread.pending {
            let value = match pending {
                Pending::Synchronise(request) => {
                    let performed = perform(&request, &mut self.memories[rank]);
                    performed.done.then_some(performed.value)
                }
                Pending::Message(request) => self.perform_message(&thread.context, &request).map_err(FunctionalError::Fault)?,
            };
            if let Some(value) = value {
                thread.pending = None;
                self.interpreter.resume(&mut thread.context, value);
            }
            return Ok(value.is_some());
        }
        loop {
            self.left = self.left.checked_sub(1).ok_or(FunctionalError::Limit(self.limit))?;
            let step = self.interpreter.step(&mut thread.context, &mut self.memories[rank]);
            let block = match step {
                Step::Fault(fault) => return Err(FunctionalError::Fault(fault)),
                Step::Block(block) | Step::Busy { block, .. } | Step::Finished { block } => block,
                Step::Synchronise(request) => request.block,
                Step::Message(request) => request.block,
            };
            *sum += self.tallies[block as usize];
            match step {
                Step::Busy { operations, .. } => sum.busy = sum.busy.saturating_add(operations),
                Step::Finished { .. } => thread.finished = true,
                Step::Synchronise(request) => thread.pending = Some(Pending::Synchronise(request)),
                Step::Message(request) => thread.pending = Some(Pending::Message(request)),
                Step::Block(_) | Step::Fault(_) => {}
            }
            if thread.finished || thread.pending.is_some() {
                return Ok(true);
            }
        }
    }

    /// The handle of what was started, 0 of what is over; nothing while the thread has to wait.
    fn perform_message(&mut self, context: &Context, request: &MessageRequest) -> Result<Option<u64>, Fault> {
        let (rank, thread) = (context.rank, context.thread);
        match request.action {
            MessageAction::Start(start) => {
                let end = End::new(rank, thread, self.code.ranks.max(1), request, &start)?;
                let handle = self.handles[rank as usize].open(&end, false)?;
                if let Some(pair) = self.mailboxes[end.destination() as usize].put(end, handle) {
                    pair.check(rank, thread)?;
                    self.move_elements(&pair);
                }
                Ok(Some(handle as u64))
            }
            MessageAction::Wait(handle) => {
                let handles = &mut self.handles[rank as usize];
                let awaited = handles.awaited(rank, thread, request, handle)?;
                let is_over = |handle: &i64| handles.get(*handle).is_none_or(|&(_, over)| over);
                if !awaited.iter().all(is_over) {
                    return Ok(None);
                }
                awaited.into_iter().for_each(|handle| handles.close(handle));
                Ok(Some(0))
            }
        }
    }

    fn move_elements(&mut self, pair: &Pair<i64>) {
        let ((send, send_handle), (receive, receive_handle)) = (&pair.send, &pair.receive);
        let size = u64::from(send.element.size());
        let values: Vec<u64> = (0..send.length)
            .map(|index| self.memories[send.rank as usize].load(send.element, send.address + index * size))
            .collect();
        for (index, bits) in (0..).zip(values) {
            self.memories[receive.rank as usize].store(receive.element, receive.address + index * size, bits);
        }
        for (end, handle) in [(send, send_handle), (receive, receive_handle)] {
            if let Some(over) = self.handles[end.rank as usize].get_mut(*handle) {
                *over = true;
            }
        }
    }

    /// Who waits for what when nothing can move.
    fn stuck(&self, threads: &[Thread]) -> Vec<Stuck> {
        let has_ended = |rank: u32| threads.iter().all(|thread| thread.context.rank != rank || thread.finished);
        let stuck = |thread: &Thread| {
            let pending = thread.pending?;
            let (rank, number) = (thread.context.rank, thread.context.thread);
            let messages = match pending {
                Pending::Message(request) => self.awaited(rank, number, &request),
                Pending::Synchronise(_) => Vec::new(),
            };
            let ended = messages.iter().filter(|end| has_ended(end.peer)).count();
            Some(Stuck { rank, thread: number, site: pending.site(), messages, ended })
        };
        threads.iter().filter_map(stuck).collect()
    }

    /// The messages that are not over of those that a thread waits for.
    fn awaited(&self, rank: u32, thread: u32, request: &MessageRequest) -> Vec<End> {
        let MessageAction::Wait(handle) = request.action else { return Vec::new() };
        let handles = &self.handles[rank as usize];
        let awaited = handles.awaited(rank, thread, request, handle).unwrap_or_default();
        awaited.into_iter().filter_map(|handle| handles.get(handle)).filter(|(_, over)| !over).map(|(end, _)| *end).collect()
    }
}
