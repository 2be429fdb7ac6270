//! One state of the composition: threads, their store buffers, and below them agents, bus and memory as the explorer of protocols
//! has them (`world`). Values are carried by the copies: each version of a line has its contents.
//!
//! ```text
//!   thread (threads.rs) --loads, read-modify-writes------------------> agent, bus, memory (world.rs)
//!          '--stores--> store buffer, first in first out --in order--'
//!                            '--> loads of the same address
//! ```

use crate::coherence::consistency::Consistency;
use crate::coherence::controller::Transaction;
use crate::coherence::explore::litmus::threads::{NodeId, Threads};
use crate::coherence::explore::litmus::{Explorer, Stop};
use crate::coherence::explore::world::{Held, Number, Performed, Step, World};
use crate::coherence::order::{AgentNumber, Request};
use crate::coherence::protocol::{Actions, AgentEvent, Protocol, State};
use crate::program::code::SynchronisationKind;
use crate::program::interpret;
use crate::program::operators::compare;
use crate::program::tree::Order;

/// A store in a buffer: an index into [`Explorer::stores`].
pub(super) type StoreId = u32;
/// The words of a line: an index into [`Explorer::contents`].
pub(super) type ContentId = u32;

/// A core: its thread and its store buffer.
#[derive(Clone, Debug)]
pub(super) struct CoreState {
    pub node: NodeId,
    /// The oldest first.
    pub buffer: Vec<StoreId>,
    /// Whether the thread's operation waits for its line.
    pub waits: bool,
}

/// All that determines what can happen from now on.
#[derive(Clone, Debug)]
pub(super) struct Composed {
    pub world: World,
    /// For each line: the contents of those of its versions that are anywhere, and of some that were.
    pub values: Vec<Vec<(u64, ContentId)>>,
    pub cores: Vec<CoreState>,
}

/// As many versions of a line are kept before those that are nowhere any more are forgotten.
const KEPT: usize = 24;

impl Composed {
    /// What a version of a line contains.
    pub fn contents(&self, line: usize, version: u64) -> ContentId {
        self.values[line].iter().find(|&&(known, _)| known == version).map_or(0, |&(_, contents)| contents)
    }

    /// A line's newest version contains this.
    fn set_newest(&mut self, line: usize, contents: ContentId) {
        let newest = self.world.lines[line].newest;
        if self.values[line].len() >= KEPT {
            let mut values = std::mem::take(&mut self.values[line]);
            values.retain(|&(version, _)| version == 0 || self.world.holds(line, version));
            self.values[line] = values;
        }
        self.values[line].push((newest, contents));
    }
}

/// Something that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// A thread makes its next operation, as far as it goes.
    Operation(Number),
    /// The oldest store in a core's buffer is looked up.
    Drain(Number),
    /// The bus takes a request: any of those of an agent, as it could have come before the others.
    Grant(Request),
    /// Anything else below the cores.
    Below(Step),
}

/// How a thread's next operation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Not now.
    Waits,
    /// It needs nothing from below, and returns a value.
    Returns(u64),
    /// It goes into the store buffer.
    Buffered,
    /// It looks a line up, for writing or reading.
    Looks { line: usize, write: bool },
}

impl Explorer<'_> {
    /// How the operation that a core's thread is about to make begins.
    fn way(&self, state: &Composed, core: Number) -> Way {
        let CoreState { node, buffer, waits } = &state.cores[core];
        let Some(request) = self.threads.pending(*node).filter(|_| !waits) else { return Way::Waits };
        let is_weak = self.scope.consistency == Consistency::Tso;
        let looks = |write| {
            let line = self.line_of(request);
            let is_under_way = state.world.agents[core].held[line].access.is_some();
            if is_under_way { Way::Waits } else { Way::Looks { line, write } }
        };
        match request.kind {
            SynchronisationKind::Fence if buffer.is_empty() => Way::Returns(0),
            SynchronisationKind::Load | SynchronisationKind::Await(_) => {
                let own = buffer.iter().rev().map(|&store| &self.stores[store as usize]);
                match own.into_iter().find(|store| store.address == request.address) {
                    None => looks(false),
                    Some(store) => match request.kind {
                        SynchronisationKind::Await(comparison)
                            if !compare(request.element, comparison, store.operand, request.operand) =>
                        {
                            Way::Waits
                        }
                        _ => Way::Returns(store.operand),
                    },
                }
            }
            SynchronisationKind::Store if is_weak && request.order != Order::SequentiallyConsistent => {
                if buffer.len() < self.scope.store_buffer { Way::Buffered } else { Way::Waits }
            }
            _ if buffer.is_empty() => looks(true),
            _ => Way::Waits,
        }
    }

    /// The line of the oldest store in a core's buffer, where it can be looked up now.
    fn drains(&self, state: &Composed, core: Number) -> Option<usize> {
        let store = *state.cores[core].buffer.first()?;
        let line = self.line_of(&self.stores[store as usize]);
        state.world.agents[core].held[line].access.is_none().then_some(line)
    }

    /// Calls back with each move that can be made.
    pub(super) fn each_move(&self, state: &Composed, mut visit: impl FnMut(Move)) {
        for core in 0..state.cores.len() {
            if self.way(state, core) != Way::Waits {
                visit(Move::Operation(core));
            }
            if self.drains(state, core).is_some() {
                visit(Move::Drain(core));
            }
            state.world.order.candidates(core as AgentNumber).for_each(|request| visit(Move::Grant(request)));
        }
        state.world.each_step(self.protocol, usize::MAX, |step| match step {
            Step::Access { .. } | Step::Grant { .. } => {}
            Step::Evict { .. } if !self.scope.evictions => {}
            _ => visit(Move::Below(step)),
        });
    }

    /// A move that can be made before all others without losing an outcome, where there is one: nothing that another move does, or
    /// that can come about before it is made, makes it go otherwise, and the other way round (a persistent set of one move; Godefroid,
    /// "Partial-Order Methods for the Verification of Concurrent Systems", LNCS 1032, 1996, chapter 4).
    ///
    /// These are: what a thread does by itself; a request for a line of which the agent has nothing; a request's way to the bus; a
    /// transaction's end, once all have seen it; its way back, and memory's part; and the sight of a transaction by an agent
    /// to which it is nothing. Left are the moments at which copies are used and lost, and the bus's choice.
    pub(super) fn eager(&self, state: &Composed) -> Option<Move> {
        if !self.scope.reduced {
            return None;
        }
        if let Some(core) = (0..state.cores.len()).find(|&core| self.is_private(state, core)) {
            return Some(Move::Operation(core));
        }
        let mut found = None;
        state.world.each_step(self.protocol, 0, |step| {
            let is_eager = match step {
                Step::Arrive { .. } | Step::Data { .. } | Step::Memory { .. } | Step::Complete { .. } => true,
                Step::See { agent, line } => self.is_nothing_to(state, agent, line),
                Step::Access { .. } | Step::Evict { .. } | Step::Grant { .. } | Step::Word { .. } => false,
                Step::Deliver { .. } | Step::Wait { .. } | Step::Full { .. } => false,
            };
            if is_eager && found.is_none() {
                found = Some(Move::Below(step));
            }
        });
        found
    }

    /// Whether what a thread does next concerns no one else yet.
    fn is_private(&self, state: &Composed, core: Number) -> bool {
        match self.way(state, core) {
            Way::Waits => false,
            Way::Buffered => true,
            // From its own buffer, a load has to choose its moment: the store may be gone.
            Way::Returns(_) => state.cores[core].buffer.is_empty(),
            Way::Looks { line, .. } => {
                let own = state.cores[core].buffer.iter().map(|&store| self.line_of(&self.stores[store as usize]));
                self.quiet && has_nothing(state, core, line) && !own.into_iter().any(|other| other == line)
            }
        }
    }

    /// Whether an agent that sees the transaction of a line has nothing of it, and goes on to have nothing: at most a request that
    /// waits behind this transaction.
    fn is_nothing_to(&self, state: &Composed, agent: Number, line: usize) -> bool {
        let Some(under_way) = state.world.lines[line].transaction else { return false };
        let transaction = state.world.transaction_under_way(under_way.id);
        let held = &state.world.agents[agent].held[line];
        let is_own = usize::from(state.world.order.under_way(under_way.id).request.agent) == agent;
        if is_own || state.world.agents[agent].agent.is_leaving(line as u64) || !is_quiet(self.protocol, held.state, transaction) {
            return false;
        }
        let asked = [AgentEvent::Load, AgentEvent::Store].map(|event| self.protocol.agent.row(State::INVALID, event));
        let has_asked = held.access.is_some() && asked.iter().flatten().any(|row| row.next == held.state);
        held.state == State::INVALID && self.quiet || has_asked
    }

    /// Makes a move.
    pub(super) fn make(&mut self, state: &mut Composed, chosen: Move) -> Result<(), Stop> {
        match chosen {
            Move::Operation(core) => self.operation(state, core),
            Move::Drain(core) => match self.drains(state, core) {
                Some(line) => self.below(state, Step::Access { agent: core, line, write: true }),
                None => Ok(()),
            },
            Move::Grant(request) => {
                state.world.grant(request);
                Ok(())
            }
            Move::Below(step) => self.below(state, step),
        }
    }

    fn operation(&mut self, state: &mut Composed, core: Number) -> Result<(), Stop> {
        let node = state.cores[core].node;
        match self.way(state, core) {
            Way::Waits => {}
            Way::Returns(value) => state.cores[core].node = self.threads.resume(node, value)?,
            Way::Buffered => {
                if let Some(&request) = self.threads.pending(node) {
                    let store = self.store_number(&request);
                    state.cores[core].buffer.push(store);
                    state.cores[core].node = self.threads.resume(node, 0)?;
                }
            }
            Way::Looks { line, write } => {
                self.below(state, Step::Access { agent: core, line, write })?;
                // It took effect, and the thread is past it; or it waits; or it has to be tried again.
                let waits = state.world.agents[core].held[line].access.is_some();
                state.cores[core].waits = waits && state.cores[core].node == node;
            }
        }
        Ok(())
    }

    /// Something happens below the cores, an access may take effect.
    fn below(&mut self, state: &mut Composed, step: Step) -> Result<(), Stop> {
        self.rows.clear();
        state.world.apply(step, self.protocol, &mut self.rows).map_err(Stop::Broken)?;
        match state.world.performed.take() {
            Some(performed) => self.takes_effect(state, performed),
            None => Ok(()),
        }
    }

    /// An access takes effect: a store leaves the buffer, or a thread's operation returns.
    fn takes_effect(&mut self, state: &mut Composed, performed: Performed) -> Result<(), Stop> {
        let Performed { agent, line, write, found } = performed;
        let core = &mut state.cores[agent];
        // A thread that writes by itself has an empty buffer.
        let drained = write && !core.buffer.is_empty();
        let request = if drained {
            self.stores[core.buffer.remove(0) as usize]
        } else {
            core.waits = false;
            let Some(&request) = self.threads.pending(core.node) else { return Ok(()) };
            request
        };
        let contents = state.contents(line, found);
        let mut words = self.contents[contents as usize].to_vec();
        let result = self.threads.perform(&request, &self.lines[line].words, &mut words);
        if write {
            let contents = self.content_number(words);
            state.set_newest(line, contents);
        }
        if !drained && result.done {
            let core = &mut state.cores[agent];
            core.node = self.threads.resume(core.node, result.value)?;
        }
        Ok(())
    }

    /// Whether all threads are at the end of their part, and everything they stored is there for all to see.
    pub(super) fn is_over(&self, state: &Composed) -> bool {
        state.cores.iter().all(|core| core.buffer.is_empty() && self.threads.pending(core.node).is_none())
    }

    fn line_of(&self, request: &interpret::Request) -> usize {
        let line = request.address / self.scope.line_bytes;
        self.lines.iter().position(|known| known.number == line).unwrap_or(0)
    }
}

/// Whether an agent has no copy of a line, asks for none and sends none back.
fn has_nothing(state: &Composed, agent: Number, line: usize) -> bool {
    let agent = &state.world.agents[agent];
    let Held { state, access, completion, word, .. } = &agent.held[line];
    let is_idle = access.is_none() && completion.is_none() && word.is_none();
    *state == State::INVALID && is_idle && !agent.agent.is_leaving(line as u64)
}

/// Whether a transaction of another agent leaves a copy in a state as it is, without a word.
fn is_quiet(protocol: &Protocol, state: State, transaction: Transaction) -> bool {
    let row = protocol.agent.row(state, transaction.other_event());
    row.is_some_and(|row| row.next == state && row.actions == Actions::NONE)
}

/// Whether the transactions of others are nothing to an agent without a copy, before it asks for one and after.
pub(super) fn ignores_without_copy(protocol: &Protocol) -> bool {
    let states = [AgentEvent::Load, AgentEvent::Store].map(|event| protocol.agent.row(State::INVALID, event).map(|row| row.next));
    let asked = states.into_iter().flatten();
    let transactions = [Transaction::BusRd, Transaction::BusRdX, Transaction::BusUpgr, Transaction::BusWb, Transaction::BusUpd];
    // Not all events are in every protocol's list.
    let known = |state: State, transaction: Transaction| protocol.agent.row(state, transaction.other_event()).is_some();
    asked
        .chain([State::INVALID])
        .all(|state| transactions.iter().all(|&transaction| !known(state, transaction) || is_quiet(protocol, state, transaction)))
}

impl Threads<'_> {
    /// Whether a thread has nothing to do that others could see.
    pub(super) fn is_idle(&self, node: NodeId) -> bool {
        self.pending(node).is_none()
    }
}
