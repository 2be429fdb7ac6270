//! Running a compiled program on a team of pinned threads.
//!
//! ```text
//!   initial values, Initialise, save
//!   Setup, Main                       (warm-up, not with a cold start)
//!   { restore, Setup, Main } ...      each Main is a sample: from the released barrier to the last arrival
//!   Results
//! ```
//!
//! All threads exist, pinned, before the first step; between steps they meet at a barrier that spins. Samples are taken until the
//! lower quartile is known well enough: it is what a quiet computer repeats, where the mean also holds what other processes took
//! (Chen and Revels 2016, "Robust benchmarking in noisy environments", argue for the minimum; the quartile forgives timers).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::experiment::record::Start;
use crate::host::arena::{Arena, ArenaError, Saved};
use crate::host::compile::Compiled;
use crate::host::control::{self, Control};
use crate::host::discover::{HostDescription, placement};
use crate::host::locate::{Registration, Whereabouts};
use crate::program::code::{Fault, FaultKind, Instruction, Phase};
use crate::program::tree::Type;

/// Threads a run may have: more would only wait for each other.
pub const THREAD_LIMIT: u32 = 1024;

/// How many samples to take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repetition {
    /// Samples to take unless they take four times the budget.
    pub minimum: usize,
    /// Samples never exceeded.
    pub maximum: usize,
    /// Seconds of sampling after which no more than the minimum is taken.
    pub budget_seconds: f64,
    /// Wanted width of the confidence interval of the lower quartile, relative to it.
    pub tolerance: f64,
    /// Whether the results of every pass are counted, instead of its seconds.
    #[serde(default)]
    pub outcomes: bool,
}

impl Default for Repetition {
    fn default() -> Repetition {
        Repetition { minimum: 5, maximum: 1000, budget_seconds: 2.0, tolerance: 0.02, outcomes: false }
    }
}

impl Repetition {
    /// Whether samples that took `elapsed` seconds to take are enough.
    fn is_enough(&self, samples: &[f64], elapsed: f64) -> bool {
        if samples.len() >= self.maximum || elapsed >= 4.0 * self.budget_seconds {
            return !samples.is_empty();
        }
        samples.len() >= self.minimum.max(1) && (elapsed >= self.budget_seconds || lower_quartile_width(samples) <= self.tolerance)
    }
}

/// The width of the 95 % confidence interval of the lower quartile, relative to the quartile: from order statistics, so no
/// distribution is assumed (Le Boudec 2010, "Performance Evaluation", section 2.2).
fn lower_quartile_width(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let reach = 1.96 * (n * 0.25 * 0.75).sqrt();
    let at = |rank: f64| sorted[(rank.max(0.0) as usize).min(sorted.len() - 1)];
    let quartile = at((n * 0.25).floor());
    if quartile > 0.0 { (at((n * 0.25 + reach).ceil()) - at((n * 0.25 - reach).floor())) / quartile } else { f64::INFINITY }
}

/// How to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Cold: no warm-up, and a single sample, as caches cannot be emptied for a second.
    pub start: Start,
    pub repetition: Repetition,
}

/// What a run gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Seconds of each measured pass, in the order taken.
    pub samples_seconds: Vec<f64>,
    /// Types and canonical register bits of the results, in the order of the text.
    pub results: Vec<(Type, u64)>,
    /// How often passes gave each results' bits, where that is asked for.
    pub outcomes: BTreeMap<Vec<u64>, u64>,
    /// Whether every thread was pinned.
    pub pinned: bool,
    /// The hardware thread of each thread, where they could be chosen.
    pub hardware_threads: Vec<usize>,
    /// Whether there were more threads than can run at once.
    pub oversubscribed: bool,
}

/// Why a run gave no results.
#[derive(Clone, Debug, PartialEq)]
pub enum RunError {
    /// The program is wrong.
    Fault(Fault),
    Arena(ArenaError),
    /// More than [`THREAD_LIMIT`].
    TooManyThreads(u32),
    /// A thread could not be started.
    Thread(String),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Fault(fault) => write!(f, "thread {} stopped the run", fault.thread),
            RunError::Arena(error) => write!(f, "{error}"),
            RunError::TooManyThreads(threads) => {
                write!(f, "{threads} threads are more than the {THREAD_LIMIT} that a program may have on this computer itself")
            }
            RunError::Thread(reason) => write!(f, "the operating system started no further thread: {reason}"),
        }
    }
}

impl std::error::Error for RunError {}

/// What others may know of a run while it goes on.
pub struct Watch {
    pub(super) threads: Vec<Arc<Whereabouts>>,
    abandoned: Arc<AtomicBool>,
    /// Called at the first fault, which gives the run up.
    on_fault: Box<dyn Fn() + Send + Sync>,
    fault: OnceLock<Fault>,
}

impl Watch {
    /// Of a run that has not begun. `on_fault` is called once [`Watch::fault`] has something to say.
    pub fn new(compiled: &Compiled, on_fault: impl Fn() + Send + Sync + 'static) -> Watch {
        Watch {
            threads: (0..compiled.code().threads.max(1)).map(|_| Arc::new(Whereabouts::new(compiled.addresses()))).collect(),
            abandoned: Arc::new(AtomicBool::new(false)),
            on_fault: Box::new(on_fault),
            fault: OnceLock::new(),
        }
    }

    /// The first fault.
    pub fn fault(&self) -> Option<Fault> {
        self.fault.get().copied()
    }

    fn give_up(&self, fault: Fault) {
        let first = self.fault.set(fault).is_ok();
        self.abandoned.store(true, Ordering::Release);
        if first {
            (self.on_fault)();
        }
    }
}

/// Runs a program to its results. Returns when all threads have ended, which after a fault may be never where another thread
/// computes without end: whoever watches can end the process then.
pub fn run(compiled: &Compiled, host: &HostDescription, options: &Options, watch: &Watch) -> Result<Outcome, RunError> {
    let code = compiled.code();
    if code.threads > THREAD_LIMIT {
        return Err(RunError::TooManyThreads(code.threads));
    }
    let arena = Arena::new(&code.arena).map_err(RunError::Arena)?;
    let team = Team::new(compiled, host, options, watch, &arena);
    let mut refused = None;
    std::thread::scope(|scope| {
        for thread in 0..team.size() {
            let team = &team;
            // Frames of generated code hold a slot for each spilled register.
            let builder = std::thread::Builder::new().name(format!("program {thread}")).stack_size(8 << 20);
            if let Err(error) = builder.spawn_scoped(scope, move || team.work(thread)) {
                watch.abandoned.store(true, Ordering::Release);
                refused = Some(RunError::Thread(error.to_string()));
                break;
            }
        }
    });
    if let Some(error) = refused {
        return Err(error);
    }
    if let Some(fault) = watch.fault() {
        return Err(RunError::Fault(fault));
    }
    // SAFETY: the threads have ended.
    let result = |slot| Ok((slot_type(slot), unsafe { arena.result(slot) }?));
    let results = code.results.iter().map(result).collect::<Result<_, _>>().map_err(RunError::Arena)?;
    let mut samples_seconds = std::mem::take(&mut *team.samples.lock().unwrap_or_else(PoisonError::into_inner));
    if options.repetition.outcomes {
        samples_seconds.clear();
    }
    Ok(Outcome {
        samples_seconds,
        results,
        outcomes: std::mem::take(&mut *team.outcomes.lock().unwrap_or_else(PoisonError::into_inner)),
        pinned: team.unpinned.load(Ordering::Relaxed) == 0,
        hardware_threads: team.placement,
        oversubscribed: team.oversubscribed,
    })
}

fn slot_type(slot: &crate::program::code::ResultSlot) -> Type {
    slot.r#type
}

/// The run was given up.
struct GivenUp;

/// On lines of its own (two, as processors fetch them in pairs).
#[repr(align(128))]
struct Padded<T>(T);

/// The threads of a run and what they share.
struct Team<'a> {
    compiled: &'a Compiled,
    options: &'a Options,
    watch: &'a Watch,
    arena: &'a Arena,
    placement: Vec<usize>,
    oversubscribed: bool,
    unpinned: AtomicUsize,
    barrier: Barrier,
    /// When each thread left the last function, in nanoseconds after `epoch`; 0 if it did not enter.
    ends: Vec<Padded<AtomicU64>>,
    epoch: Instant,
    saved: OnceLock<Saved>,
    samples: Mutex<Vec<f64>>,
    outcomes: Mutex<BTreeMap<Vec<u64>, u64>>,
    /// Whether thread 0 wants another sample.
    again: AtomicBool,
}

impl<'a> Team<'a> {
    fn new(compiled: &'a Compiled, host: &HostDescription, options: &'a Options, watch: &'a Watch, arena: &'a Arena) -> Team<'a> {
        let size = compiled.code().threads.max(1) as usize;
        Team {
            compiled,
            options,
            watch,
            arena,
            placement: placement(host, size),
            oversubscribed: size > host.parallelism,
            unpinned: AtomicUsize::new(0),
            barrier: Barrier::new(size),
            ends: (0..size).map(|_| Padded(AtomicU64::new(0))).collect(),
            epoch: Instant::now(),
            saved: OnceLock::new(),
            samples: Mutex::new(Vec::new()),
            outcomes: Mutex::new(BTreeMap::new()),
            again: AtomicBool::new(false),
        }
    }

    fn size(&self) -> usize {
        self.ends.len()
    }

    /// A thread's life.
    fn work(&self, thread: usize) {
        if !self.placement.get(thread).is_some_and(|&hardware_thread| pin(hardware_thread)) {
            self.unpinned.fetch_add(1, Ordering::Relaxed);
        }
        let whereabouts = self.watch.threads[thread].clone();
        let _registration = Registration::new(whereabouts.clone());
        let mut member = Member {
            team: self,
            thread,
            control: Control {
                fault_instruction: 0,
                fault_index: 0,
                looks_before_yielding: i64::from(self.looks_before_yielding()),
                whereabouts,
                abandoned: self.watch.abandoned.clone(),
            },
        };
        // Given up means that another thread, or this one, has said why.
        let _: Result<(), GivenUp> = member.run();
    }

    fn meet(&self) -> Result<(), GivenUp> {
        self.barrier.meet(&self.watch.abandoned, self.epoch, self.looks_before_yielding())
    }

    /// Some milliseconds of looking, unless others wait for the core.
    fn looks_before_yielding(&self) -> u32 {
        if self.oversubscribed { 64 } else { 1 << 16 }
    }

    /// Seconds from the barrier's release to the last thread's leaving.
    fn seconds(&self, released: u64) -> f64 {
        let last = self.ends.iter().map(|end| end.0.load(Ordering::Relaxed)).max().unwrap_or(0);
        Duration::from_nanos(last.saturating_sub(released)).as_secs_f64()
    }
}

/// One thread of a team.
struct Member<'a> {
    team: &'a Team<'a>,
    thread: usize,
    control: Control,
}

impl Member<'_> {
    fn run(&mut self) -> Result<(), GivenUp> {
        self.phase(Phase::Initialise)?;
        if self.thread == 0 {
            // SAFETY: the others wait at the barrier below.
            let _ = self.team.saved.set(unsafe { self.team.arena.save() });
        }
        self.team.meet()?;
        self.phase(Phase::Setup)?;
        if self.team.options.start == Start::Warm {
            self.phase(Phase::Main)?;
            self.restore()?;
            self.phase(Phase::Setup)?;
        }
        self.measure()?;
        self.phase(Phase::Finish)?;
        self.phase(Phase::Results)?;
        Ok(())
    }

    fn measure(&mut self) -> Result<(), GivenUp> {
        let begin = Instant::now();
        loop {
            let seconds = self.phase(Phase::Main)?;
            if self.team.options.repetition.outcomes {
                self.phase(Phase::Finish)?;
                self.phase(Phase::Results)?;
            }
            if self.thread == 0 {
                self.count_outcome();
                let mut samples = self.team.samples.lock().unwrap_or_else(PoisonError::into_inner);
                samples.push(seconds);
                let enough = self.team.options.repetition.is_enough(&samples, begin.elapsed().as_secs_f64());
                self.team.again.store(!enough && self.team.options.start == Start::Warm, Ordering::Relaxed);
            }
            self.team.meet()?;
            if !self.team.again.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.restore()?;
            self.phase(Phase::Setup)?;
        }
    }

    /// Counts the results of the pass that is over, where that is asked for.
    fn count_outcome(&self) {
        if !self.team.options.repetition.outcomes {
            return;
        }
        let slots = &self.team.compiled.code().results;
        // SAFETY: the others wait at the next barrier.
        let outcome = slots.iter().map(|slot| unsafe { self.team.arena.result(slot) }.unwrap_or_default()).collect();
        *self.team.outcomes.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_default() += 1;
    }

    /// Puts this thread's share of what passes change back.
    fn restore(&self) -> Result<(), GivenUp> {
        if let Some(saved) = self.team.saved.get() {
            // SAFETY: all threads are between two barriers and each has its own part.
            unsafe { self.team.arena.restore(saved, self.thread, self.team.size()) };
        }
        self.team.meet()
    }

    /// One function of the program, from a barrier to a barrier; seconds between the first one's release and the last thread's
    /// leaving.
    fn phase(&mut self, phase: Phase) -> Result<f64, GivenUp> {
        let Some((entry, parallel)) = self.team.compiled.entry(phase) else { return Ok(0.0) };
        if self.thread == 0 {
            // SAFETY: the others wait at the barrier below.
            unsafe { self.team.arena.reset_runtime() };
        }
        self.team.meet()?;
        let released = self.team.barrier.released.0.load(Ordering::Relaxed);
        let mut end = 0;
        if parallel || self.thread == 0 {
            self.control.whereabouts.enter();
            // SAFETY: the entry belongs to `compiled`, which outlives the team; the arena has the size the Code was compiled for,
            // and Code reaches only what its checks let it reach; `control` is this thread's own.
            let reason = unsafe { entry(self.team.arena.address(), self.thread as i64, &raw mut self.control) };
            end = self.team.epoch.elapsed().as_nanos() as u64;
            self.control.whereabouts.leave();
            self.judge(reason)?;
        }
        self.team.ends[self.thread].0.store(end, Ordering::Relaxed);
        self.team.meet()?;
        Ok(self.team.seconds(released))
    }

    /// What a function's return value means.
    fn judge(&self, reason: i64) -> Result<(), GivenUp> {
        let code = self.team.compiled.code();
        let instruction = self.control.fault_instruction as usize;
        let kind = match (reason, code.instructions.get(instruction)) {
            (control::FINISHED, _) => return Ok(()),
            (control::INDEX_OUT_OF_RANGE, Some(&Instruction::Check { length, .. })) => {
                FaultKind::IndexOutOfRange { index: self.control.fault_index, length: code.constants[length as usize] }
            }
            (control::DIVISION_BY_ZERO, Some(_)) => FaultKind::DivisionByZero,
            _ => return Err(GivenUp),
        };
        self.team.watch.give_up(Fault { kind, site: code.instruction_sites[instruction], rank: 0, thread: self.thread as u32 });
        Err(GivenUp)
    }
}

/// A barrier that spins, and knows when it opened: one counter, one generation (the sense of Mellor-Crummey and Scott 1991,
/// algorithm 7).
struct Barrier {
    size: usize,
    arrived: Padded<AtomicUsize>,
    generation: Padded<AtomicU64>,
    /// When it last opened, in nanoseconds after the team's epoch.
    released: Padded<AtomicU64>,
}

impl Barrier {
    fn new(size: usize) -> Barrier {
        Barrier {
            size,
            arrived: Padded(AtomicUsize::new(0)),
            generation: Padded(AtomicU64::new(0)),
            released: Padded(AtomicU64::new(0)),
        }
    }

    fn meet(&self, abandoned: &AtomicBool, epoch: Instant, looks_before_yielding: u32) -> Result<(), GivenUp> {
        let generation = self.generation.0.load(Ordering::Acquire);
        if self.arrived.0.fetch_add(1, Ordering::AcqRel) + 1 == self.size {
            self.arrived.0.store(0, Ordering::Relaxed);
            self.released.0.store(epoch.elapsed().as_nanos() as u64, Ordering::Relaxed);
            self.generation.0.store(generation + 1, Ordering::Release);
            return Ok(());
        }
        let mut looks = 0_u32;
        while self.generation.0.load(Ordering::Acquire) == generation {
            if abandoned.load(Ordering::Relaxed) {
                return Err(GivenUp);
            }
            looks = looks.saturating_add(1);
            if looks < looks_before_yielding {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        Ok(())
    }
}

/// Pins the calling thread; false where that cannot be done.
#[cfg(target_os = "linux")]
fn pin(hardware_thread: usize) -> bool {
    if hardware_thread >= rustix::thread::CpuSet::MAX_CPU {
        return false;
    }
    let mut set = rustix::thread::CpuSet::new();
    set.set(hardware_thread);
    rustix::thread::sched_setaffinity(None, &set).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn pin(_: usize) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fixture::{Fixture, bits, run_as};
    use crate::program::code::{Code, Instruction, Register, THREAD, ZERO};
    use crate::program::interpret::run_functional;
    use crate::program::tree::BinaryOperator;

    /// `Initialise`: x[0] = 5. `Setup`: y[0] = x[0] + 1. `Main`, two threads: x[thread] += y[thread]; state[0] += 1 on thread 0.
    /// `Results`: sums.
    fn phases() -> Code {
        let mut fixture = Fixture::new(2);
        let [a, b] = [Type::I64; 2].map(|r#type| fixture.register(r#type));
        let [x, y, state, out] = [2, 2, 1, 2].map(|length| fixture.array(Type::I64, length, &[]));
        let five = fixture.constant(5);
        let load = |to: Register, array, index| Instruction::Load { to, array, index, constant: 0 };
        let store = |from: Register, array, index| Instruction::Store { from, array, index, constant: 0 };
        let add = |to, a, b| Instruction::Binary { operator: BinaryOperator::Add, to, a, b };
        let increment = |to| Instruction::BinaryConstant { operator: BinaryOperator::Add, to, a: to, constant: 1 };
        fixture.block(&[Instruction::Constant { to: a, value: five }, store(a, x, ZERO), Instruction::Finish]);
        fixture.function(Phase::Initialise, false);
        fixture.block(&[load(a, x, ZERO), increment(a), store(a, y, ZERO), Instruction::Finish]);
        fixture.function(Phase::Setup, false);
        fixture.block(&[load(a, x, THREAD), load(b, y, THREAD), add(a, a, b), store(a, x, THREAD), Instruction::Jump { to: 3 }]);
        let comparison = crate::program::tree::Comparison::Equal;
        fixture.block(&[Instruction::BranchConstant { comparison, a: THREAD, constant: 0, then: 4, otherwise: 5 }]);
        fixture.block(&[load(a, state, ZERO), increment(a), store(a, state, ZERO), Instruction::Jump { to: 5 }]);
        fixture.block(&[Instruction::Finish]);
        fixture.function(Phase::Main, true);
        fixture.block(&[load(a, x, ZERO), load(b, y, ZERO), add(a, a, b), store(a, out, ZERO), Instruction::Finish]);
        fixture.function(Phase::Results, false);
        fixture.result(out, 0);
        fixture.result(state, 0);
        let mut code = fixture.finish();
        let range = |array: &crate::program::code::Array| array.base..array.base + 8 * array.length;
        code.arena.runtime = range(&code.arrays[usize::from(state)]);
        code.arena.restore = vec![range(&code.arrays[usize::from(x)])];
        code
    }

    #[test]
    fn a_run_has_one_meaning_however_often_it_is_measured() {
        let code = phases();
        let expected = bits(&run_functional(&code, 1000).unwrap().results);
        assert_eq!(expected[0], (Type::I64, 5 + 6 + 6));
        let repetition = Repetition { minimum: 7, maximum: 7, ..Repetition::default() };
        for (start, samples) in [(Start::Warm, 7), (Start::Cold, 1)] {
            let outcome = run_as(&code, Options { start, repetition }).unwrap();
            assert_eq!(outcome.results, expected, "{start:?}");
            assert_eq!(outcome.samples_seconds.len(), samples);
        }
    }

    #[test]
    fn too_many_threads_are_refused() {
        let mut code = phases();
        code.threads = THREAD_LIMIT + 1;
        let error = run_as(&code, Options { start: Start::Cold, repetition: Repetition::default() }).unwrap_err();
        assert_eq!(error, RunError::TooManyThreads(THREAD_LIMIT + 1));
    }

    #[test]
    fn equal_samples_are_enough_and_scattered_ones_are_not() {
        let repetition = Repetition::default();
        assert!(!repetition.is_enough(&[1.0; 4], 0.0));
        assert!(repetition.is_enough(&[1.0; 5], 0.0));
        let scattered: Vec<f64> = (0..100).map(|i| 1.0 + 0.01 * f64::from(i)).collect();
        assert!(!repetition.is_enough(&scattered, 0.0));
        assert!(repetition.is_enough(&scattered, 2.0), "the budget is spent");
        assert!(!repetition.is_enough(&[1.0; 4], 2.0), "fewer than the minimum");
        assert!(repetition.is_enough(&[1.0], 8.0), "four times the budget");
        assert!(!repetition.is_enough(&[], 8.0));
    }

    #[test]
    fn outliers_above_do_not_widen_the_lower_quartile() {
        let mut samples = vec![1.0; 95];
        samples.extend([50.0; 5]);
        assert!(lower_quartile_width(&samples) == 0.0);
        assert_eq!(lower_quartile_width(&[0.0; 8]), f64::INFINITY, "nothing can be said of passes too short to time");
    }

    #[test]
    fn a_barrier_lets_no_one_through_early() {
        let (barrier, passed) = (Barrier::new(3), AtomicUsize::new(0));
        let (abandoned, epoch) = (AtomicBool::new(false), Instant::now());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for round in 0..100 {
                        assert!(passed.fetch_add(1, Ordering::Relaxed) < 3 * (round + 1));
                        assert!(barrier.meet(&abandoned, epoch, 64).is_ok());
                        assert!(passed.load(Ordering::Relaxed) >= 3 * (round + 1));
                    }
                });
            }
        });
    }
}
