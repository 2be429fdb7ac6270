//! Running a program in a process of its own, with a deadline.
//!
//! ```text
//!   parent: measure ──starts the same executable, Job on stdin──▶ child: serve
//!              ▲                                                    prepare (parse, check, lower), compile, run on a team
//!              └──────────────── Report on stdout ◀──────────────── main thread watches: deadline, faults
//! ```
//!
//! A program can race, spin for ever or be miscompiled; none of that reaches the parent. Where the deadline passes, the child says
//! at which line each thread was. A child that says nothing is killed and its end is reported. Every child is waited for.

use std::fmt;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::experiment::record::Start;
use crate::host::compile::{Compiled, compile};
use crate::host::discover::discover;
use crate::host::locate::{Place, locate};
use crate::host::run::{Options, Outcome, Repetition, RunError, Watch, run};
use crate::program::code::{Code, Plan, SiteId};
use crate::program::tree::{Type, Value};

/// The hidden argument that makes the executable a child.
pub const CHILD_ARGUMENT: &str = "host-child";

/// How long after its deadline a child may take to report before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// How long after a fault the other threads may take to notice before the fault is reported without them.
const FAULT_GRACE: Duration = Duration::from_millis(200);
/// The longest report that is read, in bytes.
const REPORT_LIMIT: u64 = 64 << 20;
/// How much of what a child complains is kept, in bytes.
const COMPLAINT_LIMIT: usize = 4096;

/// What a child is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The name its user knows the program by.
    pub source_name: String,
    /// The program's text.
    pub text: String,
    /// Parameters that are not as the text says.
    pub parameters: IndexMap<String, Value>,
    pub plan: Plan,
    pub start: Start,
    pub repetition: Repetition,
    /// Seconds from the child's start to its end, whatever it does.
    pub deadline_seconds: f64,
}

/// What a child did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Report {
    Measured(Measured),
    /// The program is wrong: a run-time error.
    Fault {
        /// The sentence, with its place.
        message: String,
        /// Line of the program, from 1.
        line: u32,
        thread: u32,
    },
    /// The deadline passed.
    Deadline {
        seconds: f64,
        threads: Vec<ThreadLine>,
    },
    /// It could not be run, for these reasons.
    Refused {
        messages: Vec<String>,
    },
}

/// A measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Seconds of each measured pass, in the order taken.
    pub samples_seconds: Vec<f64>,
    /// In the order of the text, NaNs canonical.
    pub results: Vec<ResultValue>,
    /// The bits of the results that passes gave, and how many did, where that was asked for.
    #[serde(default)]
    pub outcomes: Vec<(Vec<u64>, u64)>,
    /// Whether every thread was pinned to a hardware thread.
    pub pinned: bool,
    /// Which, in the order of the threads; empty where they could not be chosen.
    pub hardware_threads: Vec<usize>,
    /// Whether there were more threads than can run at once here.
    pub oversubscribed: bool,
}

impl Measured {
    /// The results as values.
    pub fn values(&self) -> Vec<Value> {
        self.results.iter().map(|result| Value::from_bits(result.r#type, result.bits)).collect()
    }
}

/// A result, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultValue {
    pub r#type: Type,
    /// As a register holds them.
    pub bits: u64,
}

/// Where a thread was when the deadline passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadLine {
    pub thread: u32,
    pub state: ThreadState,
    /// Line of the program, from 1, where known.
    pub line: Option<u32>,
    /// The run-time text the thread was in, and the line there, where it was in one.
    pub runtime: Option<(String, u32)>,
}

/// What a thread was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThreadState {
    Computing,
    Waiting,
    /// Its part was over, or had not begun.
    Finished,
    Unknown,
}

impl fmt::Display for ThreadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread {}", self.thread)?;
        match (self.state, self.line) {
            (ThreadState::Finished, _) => return write!(f, " had nothing to do"),
            (_, None) => return write!(f, " was at a line that is not known on this system"),
            (ThreadState::Waiting, Some(line)) => write!(f, " waited at line {line}")?,
            (_, Some(line)) => write!(f, " was at line {line}")?,
        }
        match &self.runtime {
            Some((text, line)) => write!(f, " ({text}, line {line})"),
            None => Ok(()),
        }
    }
}

impl Report {
    /// What went wrong, in a sentence or one a line; `None` for a measurement.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Report::Measured(_) => None,
            Report::Fault { message, .. } => Some(message.clone()),
            Report::Refused { messages } => Some(messages.join("\n")),
            Report::Deadline { seconds, threads } => {
                let lines: Vec<String> = threads.iter().map(|thread| format!("\n  {thread}")).collect();
                Some(format!("the program did not end within {seconds} s:{}", lines.concat()))
            }
        }
    }
}

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildError {
    /// It could not be started.
    NotStarted(String),
    /// It neither reported nor ended in time, and was killed.
    Silent { seconds: u64 },
    /// It ended without a report: how, and what it complained of.
    Died { how: String, complaint: String },
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChildError::NotStarted(reason) => write!(f, "the process that runs the program could not be started: {reason}"),
            ChildError::Silent { seconds } => {
                write!(f, "the process that runs the program was killed, as it had not answered after {seconds} s")
            }
            ChildError::Died { how, complaint } => {
                write!(f, "the process that runs the program {how} before it could report")?;
                if complaint.is_empty() { Ok(()) } else { write!(f, "; its last words: {complaint}") }
            }
        }
    }
}

impl std::error::Error for ChildError {}

/// The command that starts this executable as a child.
pub fn own_executable() -> Result<Command, ChildError> {
    let path = std::env::current_exe().map_err(|error| ChildError::NotStarted(error.to_string()))?;
    let mut command = Command::new(path);
    command.arg(CHILD_ARGUMENT);
    Ok(command)
}

/// Starts a child, hands it the job and waits for its report, until a little after the job's deadline. `command` starts a process
/// that calls [`serve`], usually [`own_executable`].
pub fn measure(command: Command, job: &Job) -> Result<Report, ChildError> {
    measure_within(command, job, duration(job.deadline_seconds).saturating_add(GRACE))
}

fn measure_within(mut command: Command, job: &Job, patience: Duration) -> Result<Report, ChildError> {
    let not_started = |reason: String| ChildError::NotStarted(reason);
    let job_text = serde_json::to_string(job).map_err(|error| not_started(error.to_string()))?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| not_started(error.to_string()))?;
    let mut child = Reaped(child);
    // Each pipe has a thread of its own, so that no full pipe can hold up another.
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take()) else {
        return Err(not_started("it has no pipes".to_owned()));
    };
    std::thread::spawn(move || stdin.write_all(job_text.as_bytes()));
    let said = read_in_background(stdout);
    let complained = read_in_background(stderr);
    let text = match said.recv_timeout(patience) {
        Ok(text) => text,
        Err(RecvTimeoutError::Timeout) => return Err(ChildError::Silent { seconds: patience.as_secs() }),
        Err(RecvTimeoutError::Disconnected) => String::new(),
    };
    // The report is the last line, whatever else was printed.
    if let Some(report) = text.trim_end().lines().last().and_then(|line| serde_json::from_str(line).ok()) {
        return Ok(report);
    }
    let how = child.0.wait().map_or_else(|error| format!("was lost ({error})"), describe_end);
    let complaint = complained.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
    Err(ChildError::Died { how, complaint: tail(complaint.trim()) })
}

/// A child that is killed if need be, and waited for, when dropped.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // It fails only where the child has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read_in_background(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is as good as what comes before an end.
        let _ = stream.take(REPORT_LIMIT).read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn describe_end(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return match signal {
            libc::SIGKILL => "was killed (by the system, perhaps as memory ran out)".to_owned(),
            libc::SIGSEGV | libc::SIGBUS => "crashed on a memory access outside the program's arrays".to_owned(),
            libc::SIGILL | libc::SIGFPE => "crashed on an instruction the processor refused".to_owned(),
            _ => format!("was ended by signal {signal}"),
        };
    }
    format!("ended ({status})")
}

/// The end of a text, at most [`COMPLAINT_LIMIT`] bytes of it.
fn tail(text: &str) -> String {
    let mut start = text.len().saturating_sub(COMPLAINT_LIMIT);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}

/// Seconds as a duration; what is not a number of seconds is none, what is too long is a year.
fn duration(seconds: f64) -> Duration {
    const YEAR: f64 = 365.0 * 86400.0;
    Duration::from_secs_f64(if seconds.is_nan() { 0.0 } else { seconds.clamp(0.0, YEAR) })
}

/// A child's life: reads a job from stdin, makes Code of it with `prepare` (which returns its complaints), runs it, writes the
/// report to stdout, and ends the process.
pub fn serve(prepare: impl FnOnce(&Job) -> Result<Code, Vec<String>>) -> ! {
    let begin = Instant::now();
    let mut text = String::new();
    let job = std::io::stdin().read_to_string(&mut text).map_err(|error| error.to_string());
    let job = job.and_then(|_| serde_json::from_str::<Job>(&text).map_err(|error| error.to_string()));
    let report = match job {
        Ok(job) => {
            let deadline = begin + duration(job.deadline_seconds);
            match prepare(&job) {
                Ok(code) => run_watched(code, &job, deadline),
                Err(messages) => Report::Refused { messages },
            }
        }
        Err(error) => Report::Refused { messages: vec![format!("the job is not one: {error}")] },
    };
    // The line before is ended first, in case something printed on it.
    let line = serde_json::to_string(&report).unwrap_or_default();
    let mut stdout = std::io::stdout().lock();
    let written = writeln!(stdout, "\n{line}").and_then(|()| stdout.flush());
    // Threads that still run are ended with the process.
    std::process::exit(if written.is_ok() { 0 } else { 1 })
}

/// What the watching thread waits for.
#[derive(Default)]
struct Events {
    state: Mutex<EventState>,
    changed: Condvar,
}

#[derive(Default)]
struct EventState {
    faulted: bool,
    ended: Option<Result<Outcome, RunError>>,
}

impl Events {
    fn note(&self, change: impl FnOnce(&mut EventState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Waits until the run has ended, and gives what it gave; `None` once `until` or, after a fault, [`FAULT_GRACE`] has passed.
    fn wait(&self, mut until: Instant) -> Option<Result<Outcome, RunError>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fault_seen = false;
        loop {
            if state.ended.is_some() {
                return state.ended.take();
            }
            let now = Instant::now();
            if state.faulted && !fault_seen {
                fault_seen = true;
                until = until.min(now + FAULT_GRACE);
            }
            if now >= until {
                return None;
            }
            state = self.changed.wait_timeout(state, until - now).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Compiles and runs on threads of their own while this one watches. Threads may still run when it returns.
fn run_watched(code: Code, job: &Job, deadline: Instant) -> Report {
    let compiled = match compile(code) {
        Ok(compiled) => Arc::new(compiled),
        Err(error) => return Report::Refused { messages: vec![error.to_string()] },
    };
    let events = Arc::new(Events::default());
    let noted = events.clone();
    let watch = Arc::new(Watch::new(&compiled, move || noted.note(|state| state.faulted = true)));
    let options = Options { start: job.start, repetition: job.repetition };
    let conductor = {
        let (compiled, events, watch) = (compiled.clone(), events.clone(), watch.clone());
        move || {
            let ended = run(&compiled, &discover(), &options, &watch);
            events.note(|state| state.ended = Some(ended));
        }
    };
    if let Err(error) = std::thread::Builder::new().spawn(conductor) {
        return Report::Refused { messages: vec![RunError::Thread(error.to_string()).to_string()] };
    }
    match (events.wait(deadline), watch.fault()) {
        (Some(Ok(outcome)), _) => measured(outcome),
        (_, Some(fault)) => Report::Fault {
            message: compiled.code().describe_fault(&fault).to_string(),
            line: compiled.code().sites[fault.site as usize].line,
            thread: fault.thread,
        },
        (Some(Err(error)), None) => Report::Refused { messages: vec![error.to_string()] },
        (None, None) => Report::Deadline { seconds: job.deadline_seconds, threads: thread_lines(&compiled, &watch) },
    }
}

fn measured(outcome: Outcome) -> Report {
    Report::Measured(Measured {
        samples_seconds: outcome.samples_seconds,
        results: outcome.results.into_iter().map(|(r#type, bits)| ResultValue { r#type, bits }).collect(),
        outcomes: outcome.outcomes.into_iter().collect(),
        pinned: outcome.pinned,
        hardware_threads: outcome.hardware_threads,
        oversubscribed: outcome.oversubscribed,
    })
}

fn thread_lines(compiled: &Compiled, watch: &Watch) -> Vec<ThreadLine> {
    let code = compiled.code();
    let lines = locate(&watch.threads).into_iter().zip(0..).map(|(place, thread)| {
        let (state, instruction) = match place {
            Place::At(address) => (ThreadState::Computing, compiled.instruction_at(address)),
            Place::Waits(instruction) => (ThreadState::Waiting, Some(instruction)),
            Place::Outside => (ThreadState::Finished, None),
            Place::Unknown => (ThreadState::Unknown, None),
        };
        let site = instruction.and_then(|instruction| code.instruction_sites.get(instruction as usize));
        thread_line(code, thread, state, site.copied())
    });
    lines.collect()
}

fn thread_line(code: &Code, thread: u32, state: ThreadState, site: Option<SiteId>) -> ThreadLine {
    let site = site.and_then(|site| code.sites.get(site as usize));
    let runtime = site.filter(|site| site.text != 0).and_then(|site| {
        let text = code.texts.get(usize::from(site.text))?;
        Some((text.name.to_string(), site.text_line))
    });
    ThreadLine { thread, state, line: site.map(|site| site.line), runtime }
}

#[cfg(test)]
mod tests;
