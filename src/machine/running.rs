//! `[runtime]`: how a machine runs programs, and the plan that a program is lowered with.

use serde_json::{Value as Json, json};

use crate::base::diagnostic::Diagnostics;
use crate::base::document::{Data, Field, Shape, Value, Whole, Word};
use crate::choice;
use crate::program::tree::Schedule;

/// The most threads a run can have: one for each core of the largest machine.
pub const MOST_THREADS: u64 = 1024;

choice! {
    /// What synchronising operations cost beside their cycles.
    pub enum SynchronisationKey {
        /// What any access costs: they go through caches, interconnects and memory.
        Simulated = "simulated",
        /// Nothing: they reach every core at once, as if each had wires of its own. For ideal machines, and for asking what
        /// synchronising costs.
        Free = "free",
    }
}

/// How many threads a run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadsKey {
    /// One for each core.
    Cores,
    /// As many.
    Number(u32),
}

impl ThreadsKey {
    /// On a machine of so many cores.
    pub fn on(self, cores: u32) -> u32 {
        match self {
            ThreadsKey::Cores => cores,
            ThreadsKey::Number(threads) => threads,
        }
    }
}

impl Field for ThreadsKey {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<ThreadsKey> {
        if value.text() == Some("cores") {
            return Some(ThreadsKey::Cores);
        }
        if let Data::Integer(_) = value.data {
            return Whole::<1, MOST_THREADS>::read(value, path, faults).map(|number| ThreadsKey::Number(number.0 as u32));
        }
        let message = format!("`{path}` must be {}, not {}", Self::shape().expectation(), value.description());
        faults.push(value.place.fault(message).key(path));
        None
    }

    fn write(&self) -> Json {
        match self {
            ThreadsKey::Cores => json!("cores"),
            ThreadsKey::Number(threads) => json!(threads),
        }
    }

    fn shape() -> Shape {
        let cores = Word { name: "cores", doc: "One for each core.".to_string() };
        Shape::Either(vec![Shape::Words { words: vec![cores], later: Vec::new() }, Whole::<1, MOST_THREADS>::shape()])
    }
}

/// How iterations are dealt to threads: the name of a text of `models/runtime` without `schedule-`, and iterations a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleKey {
    /// `static`, `dynamic`.
    pub kind: String,
    /// Iterations a chunk, at least 1, where the text says.
    pub chunk: Option<i64>,
}

impl ScheduleKey {
    /// Equal shares, in order.
    pub fn equal_shares() -> ScheduleKey {
        ScheduleKey { kind: "static".to_string(), chunk: None }
    }

    /// As lowering takes it.
    pub fn schedule(&self) -> Schedule {
        Schedule { kind: self.kind.clone(), chunk: self.chunk }
    }
}

impl Field for ScheduleKey {
    fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<ScheduleKey> {
        let Some(text) = value.text() else {
            let message = format!("`{path}` must be {}, not {}", Self::shape().expectation(), value.description());
            faults.push(value.place.fault(message).key(path));
            return None;
        };
        let Some((kind, chunk)) = text.split_once(',') else {
            return Some(ScheduleKey { kind: text.trim().to_string(), chunk: None });
        };
        match chunk.trim().parse::<i64>() {
            Ok(chunk) if (1..=1 << 40).contains(&chunk) => Some(ScheduleKey { kind: kind.trim().to_string(), chunk: Some(chunk) }),
            _ => {
                let message = format!("`{path}`: \"{}\" is not a number of iterations a chunk can have", chunk.trim());
                faults.push(value.place.fault(message).key(path).help("write a whole number of at least 1, as in \"dynamic, 8\""));
                None
            }
        }
    }

    fn write(&self) -> Json {
        match self.chunk {
            Some(chunk) => json!(format!("{}, {chunk}", self.kind)),
            None => json!(self.kind),
        }
    }

    fn shape() -> Shape {
        Shape::Quantity { what: "a schedule", examples: &["static", "dynamic, 8", "static, 16", "dynamic"] }
    }
}
