//! The watch over coherence: every copy of a line carries the line's version, and a read of an older version, a write to an older
//! version, or a second writer stops the run with what happened to the line.
//!
//! A store gives its line the next version. Data that travel (a fill, a flush, a write-back) carry the version they were copied with,
//! so a line that memory or a cache kept too long is found out at its next use, whatever went wrong before.

use std::collections::VecDeque;
use std::fmt;

use rustc_hash::FxHashMap;

use crate::base::address::Line;
use crate::base::time::Time;
use crate::coherence::protocol::{AgentEvent, Vocabulary};
use crate::components::life::{Happening, Life};

/// As many events of a line are remembered.
const HISTORY: usize = 12;

/// Something that happened to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineEvent {
    pub time: Time,
    /// "core 2: S, bus_rdx -> I".
    pub what: String,
}

/// The watch found two truths about a line, or the protocol met what it calls impossible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub time: Time,
    pub line: Line,
    /// The sentence.
    pub what: String,
    /// What happened to the line before, the earliest first.
    pub history: Vec<LineEvent>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} ps, line {:#x}: {}", self.time.0, self.line, self.what)?;
        for event in &self.history {
            write!(f, "\n  {:>14} ps  {}", event.time.0, event.what)?;
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
struct Watched {
    version: u64,
    /// The core that may write, if one may.
    writer: Option<u16>,
    history: VecDeque<(Time, Happened)>,
}

/// What happened, kept small until someone asks.
#[derive(Clone, Copy, Debug)]
pub enum Happened {
    /// A core's copy went from one state to another on an event: names from the protocol's table.
    Transition { core: u16, from: u8, event: u8, next: u8 },
    /// A core wrote; the line's version since.
    Written { core: u16, version: u64 },
    /// A core's copy came.
    Filled { core: u16, version: u64 },
}

/// Whether an event, by its number, is an access of the copy's own core.
fn is_access(event: u8) -> bool {
    [AgentEvent::Load, AgentEvent::Store].iter().any(|access| access.index() == usize::from(event))
}

/// The lines in use, each with its version.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    lines: FxHashMap<Line, Watched>,
    /// The line whose whole life is wanted.
    pub life: Option<Box<Life>>,
}

impl Versions {
    /// Remembers an event.
    pub fn note(&mut self, time: Time, line: Line, happened: Happened) {
        if let Some(life) = self.life_of(line) {
            match happened {
                // A hit that changes nothing is counted where it takes effect.
                Happened::Transition { from, event, next, .. } if from == next && is_access(event) => {}
                Happened::Transition { core, from, event, next } => {
                    life.note(time, Happening::Transition { core, from, event, next });
                }
                Happened::Written { core, .. } => life.access(core, true),
                Happened::Filled { .. } => {}
            }
        }
        let watched = self.lines.entry(line).or_default();
        if watched.history.len() == HISTORY {
            watched.history.pop_front();
        }
        watched.history.push_back((time, happened));
    }

    /// How many lines are in use.
    pub fn n_lines(&self) -> usize {
        self.lines.len()
    }

    /// The life of a line, where it is the one that is wanted.
    #[inline]
    pub fn life_of(&mut self, line: Line) -> Option<&mut Life> {
        self.life.as_deref_mut().filter(|life| life.line() == line)
    }

    /// A core reads a copy of some version. An error is a sentence.
    #[inline]
    pub fn read(&mut self, core: u16, line: Line, version: u64) -> Result<(), String> {
        let current = self.lines.get(&line).map_or(0, |watched| watched.version);
        if version == current {
            if let Some(life) = self.life_of(line) {
                life.access(core, false);
            }
            return Ok(());
        }
        Err(format!("core {core} read version {version} of the line, and version {current} was written before"))
    }

    /// A core writes to a copy of some version. Returns the line's next version; an error is a sentence.
    #[inline]
    pub fn write(&mut self, time: Time, core: u16, line: Line, version: u64) -> Result<u64, String> {
        let watched = self.lines.entry(line).or_default();
        if version != watched.version {
            let current = watched.version;
            return Err(format!(
                "core {core} wrote to version {version} of the line, and version {current} was written before: that write is lost"
            ));
        }
        watched.version += 1;
        let version = watched.version;
        self.note(time, line, Happened::Written { core, version });
        Ok(version)
    }

    /// A core's permission to write a line has changed. An error is a sentence.
    pub fn may_write(&mut self, core: u16, line: Line, may: bool) -> Result<(), String> {
        let writer = &mut self.lines.entry(line).or_default().writer;
        match (*writer, may) {
            (Some(other), true) if other != core => {
                return Err(format!("core {core} may write the line, and core {other} may write it too"));
            }
            (_, true) => *writer = Some(core),
            (Some(other), false) if other == core => *writer = None,
            _ => {}
        }
        Ok(())
    }

    /// What happened to a line, in sentences that `name` makes.
    pub fn history(&self, line: Line, name: impl Fn(&Happened) -> String) -> Vec<LineEvent> {
        let events = self.lines.get(&line).map(|watched| &watched.history);
        events.into_iter().flatten().map(|(time, happened)| LineEvent { time: *time, what: name(happened) }).collect()
    }
}
