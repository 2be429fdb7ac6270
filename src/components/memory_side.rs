//! Memory's side of the coherence protocol: its table, and the state of each line in it. It belongs to what stands first behind the
//! point of coherence: a shared cache where there is one, else memory itself.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::base::address::Line;
use crate::base::time::Time;
use crate::coherence::controller::memory_transition;
use crate::coherence::protocol::{MemoryAction, MemoryEvent, Protocol, State};
use crate::components::life::Happening;
use crate::components::message::Message;
use crate::components::shared::{Shared, SharedHandle};
use crate::engine::Port;

/// The table, where there is one, and the lines' states.
#[derive(Debug)]
pub struct MemorySide {
    protocol: Option<Arc<Protocol>>,
    /// Lines that are not in the first state of the table.
    states: FxHashMap<Line, State>,
}

impl MemorySide {
    /// All lines in the first state.
    pub fn new(protocol: Option<Arc<Protocol>>) -> MemorySide {
        MemorySide { protocol, states: FxHashMap::default() }
    }

    /// Takes the row of the table, where there is a table: where it has no such row the run is over. Returns whether the line is to be
    /// supplied or taken; `None` without a table.
    pub fn act(&mut self, line: Line, event: MemoryEvent, shared: &SharedHandle, port: &mut Port<'_, Message>) -> Option<bool> {
        let mut shared = shared.borrow_mut();
        let acts = self.act_at(line, event, port.now(), &mut shared);
        if shared.interruption.is_some() {
            port.stop();
        }
        acts
    }

    /// The same at an instant, for whoever looks after the end of the run himself.
    pub fn act_at(&mut self, line: Line, event: MemoryEvent, time: Time, shared: &mut Shared) -> Option<bool> {
        let table = &self.protocol.as_ref()?.memory;
        let state = self.states.get(&line).copied().unwrap_or(State::INVALID);
        shared.happens(line, time, Happening::Memory { event, agent: None });
        let row = match memory_transition(table, state, event) {
            Ok(row) => row,
            Err(impossible) => {
                shared.broken_memory(time, line, &impossible);
                return None;
            }
        };
        shared.memory_rows[table.row_number(state, event)] += 1;
        if row.next != state {
            self.states.insert(line, row.next);
        }
        let action = if event == MemoryEvent::Read { MemoryAction::Supply } else { MemoryAction::Update };
        Some(row.actions.has(action))
    }
}
