//! How often each row of the coherence protocol was taken in a phase.

use super::{PhaseReport, Simulation};
use crate::coherence::protocol::{Actions, AgentAction, Row, State, Table, Vocabulary};
use crate::components::shared::Shared;
use crate::components::spec::NodeSpec;

/// Whether a row is counted each time it is taken: not where an access hits, nor where nothing happens.
fn is_counted(state: State, row: Row) -> bool {
    row.next != state || row.actions.without(AgentAction::Perform) != Actions::NONE
}

fn count<E: Vocabulary>(
    path: &str,
    table: &Table<E>,
    taken: &[u64],
    counted: impl Fn(State, Row) -> bool,
    report: &mut PhaseReport,
) {
    for (number, info) in table.states.iter().enumerate() {
        let state = State(number as u8);
        for &(name, event) in E::ALL {
            if table.row(state, event).is_some_and(|row| counted(state, row)) {
                let times = taken.get(table.row_number(state, event)).copied().unwrap_or(0);
                report.metrics.insert(format!("{path}.{}.{name}", info.name), times);
            }
        }
    }
}

impl Simulation {
    /// The rows taken since [`Simulation::forget_rows`].
    pub(super) fn report_rows(&self, report: &mut PhaseReport) {
        for (node, shared) in self.shared.iter().enumerate() {
            report.rows(node, &self.spec.node, &shared.borrow());
        }
    }

    /// Rows are counted anew.
    pub(super) fn forget_rows(&self) {
        for shared in &self.shared {
            let mut shared = shared.borrow_mut();
            shared.agent_rows.fill(0);
            shared.memory_rows.fill(0);
        }
    }
}

impl PhaseReport {
    /// How often each row of a node's protocol was taken.
    pub(super) fn rows(&mut self, node: usize, spec: &NodeSpec, shared: &Shared) {
        let Some(protocol) = &spec.protocol else { return };
        count(&format!("node[{node}].protocol"), &protocol.agent, &shared.agent_rows, is_counted, self);
        count(&format!("node[{node}].protocol.memory"), &protocol.memory, &shared.memory_rows, |_, _| true, self);
    }
}
