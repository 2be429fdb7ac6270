//! The complete set of outcomes of a litmus test: a small program whose threads share places by atomic accesses. Every order is
//! explored in which threads, store buffers, caches, bus and memory can act; the cores are those of a consistency model, what lies
//! below them is the explorer of protocols (`world`), which drives the code that the simulator drives.
//!
//! ```text
//!   Code --threads--> automata --composed: with store buffers, on agents, bus, memory--> states, each once --> results at the end
//! ```
//!
//! So the set is that of the *composition* of cores and protocol; no axiom of a memory model is used. (Litmus tests: Alglave, Maranget
//! and Tautschnig, "Herding cats", ACM TOPLAS 36(2), 2014. Total store order as a machine: Owens, Sarkar and Sewell, 2009.)
//!
//! What is explored: one team of up to [`MOST_AGENTS`] threads, each on a core of its own, and up to [`MOST_PLACES`] lines that atomic
//! accesses reach; the timed part once, from memory as `setup` leaves it, with nothing cached. Forking and joining the team counts as
//! done at once. Lines can make room for others at any time.

mod composed;
mod encode;
#[cfg(test)]
mod tests;
mod threads;

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::base::address::{Address, Line};
use crate::base::diagnostic::Diagnostic;
use crate::coherence::consistency::Consistency;
use crate::coherence::explore::MOST_AGENTS;
use crate::coherence::explore::world::{ROOM, Rows, World};
use crate::coherence::explore::wrong::Wrong;
use crate::coherence::protocol::Protocol;
use crate::program::code::Code;
use crate::program::interpret::Request;
use composed::{Composed, ContentId, CoreState, Move, StoreId, ignores_without_copy};
use threads::{NodeId, Threads};

/// Lines of a litmus test at most.
pub const MOST_PLACES: usize = ROOM;

/// States that wait to be explored further at most: more take more memory than small computers have.
const MOST_WAITING: usize = 200_000;

/// What is explored of a litmus test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LitmusScope {
    pub consistency: Consistency,
    /// Stores that a buffer holds at most.
    pub store_buffer: usize,
    /// Bytes of a line.
    pub line_bytes: u64,
    /// Whether copies may leave a cache by themselves.
    pub evictions: bool,
    /// Whether orders that differ by steps which do not concern each other count as one.
    pub reduced: bool,
    /// The search ends when it has found more.
    pub most_states: usize,
}

impl LitmusScope {
    /// All that can happen, as far as a small computer's memory goes.
    pub fn new(consistency: Consistency) -> LitmusScope {
        LitmusScope { consistency, store_buffer: 8, line_bytes: 64, evictions: true, reduced: true, most_states: 1_000_000 }
    }
}

/// The outcomes of a litmus test.
#[derive(Clone, Debug)]
pub struct Outcomes {
    /// The bits of the program's results, for each outcome; the types are [`Code::results`]'.
    pub set: BTreeSet<Vec<u64>>,
    /// Threads that share anything.
    pub threads: usize,
    /// Lines that they share.
    pub lines: usize,
    /// Different states.
    pub states: usize,
    /// Whether there may be more outcomes, because there are more states than the scope allows.
    pub cut_short: bool,
    /// What is wrong with the protocol, where some order met it; what follows in that order is not explored.
    pub broken: Option<String>,
}

/// Explores a litmus test. The same for the same program, protocol and scope.
///
/// # Errors
/// Where the program is no litmus test.
pub fn outcomes(code: &Code, protocol: &Protocol, scope: LitmusScope) -> Result<Outcomes, Box<Diagnostic>> {
    let (threads, roots) = Threads::new(code)?;
    Explorer::new(code, threads, protocol, scope)?.run(roots)
}

/// Why an order is not followed further.
#[derive(Clone, Debug)]
enum Stop {
    /// The program is wrong: there are no outcomes.
    Program(Box<Diagnostic>),
    /// The protocol is.
    Broken(Wrong),
}

impl From<Box<Diagnostic>> for Stop {
    fn from(diagnostic: Box<Diagnostic>) -> Stop {
        Stop::Program(diagnostic)
    }
}

/// A line that threads share.
#[derive(Clone, Debug)]
struct SharedLine {
    number: Line,
    /// Addresses of its words that operations can reach.
    words: Vec<Address>,
}

/// A search under way.
struct Explorer<'a> {
    code: &'a Code,
    protocol: &'a Protocol,
    scope: LitmusScope,
    threads: Threads<'a>,
    lines: Vec<SharedLine>,
    /// Whether transactions are nothing to an agent that has no copy of their line.
    quiet: bool,
    stores: Vec<Request>,
    store_numbers: FxHashMap<(Address, u64), StoreId>,
    contents: Vec<Box<[u64]>>,
    content_numbers: FxHashMap<Box<[u64]>, ContentId>,
    rows: Rows,
    broken: Option<Wrong>,
}

impl<'a> Explorer<'a> {
    fn new(
        code: &'a Code,
        threads: Threads<'a>,
        protocol: &'a Protocol,
        scope: LitmusScope,
    ) -> Result<Explorer<'a>, Box<Diagnostic>> {
        let lines = shared_lines(code, &threads, scope.line_bytes)?;
        Ok(Explorer {
            code,
            protocol,
            scope,
            threads,
            lines,
            quiet: ignores_without_copy(protocol),
            stores: Vec::new(),
            store_numbers: FxHashMap::default(),
            contents: Vec::new(),
            content_numbers: FxHashMap::default(),
            rows: Rows::new(),
            broken: None,
        })
    }

    fn run(&mut self, roots: Vec<NodeId>) -> Result<Outcomes, Box<Diagnostic>> {
        // Threads that have nothing to do with the others come last, and need no core.
        let (active, idle): (Vec<NodeId>, Vec<NodeId>) = roots.into_iter().partition(|&node| !self.threads.is_idle(node));
        if active.is_empty() {
            return Err(Diagnostic::at(&self.code.texts[0], None, "no threads share anything by atomic accesses here")
                .help("the outcomes of a litmus test are asked for: `flynn list workloads` names some")
                .into());
        }
        if active.len() > MOST_AGENTS {
            let message = format!("{} threads share data; the outcomes of {MOST_AGENTS} can be explored", active.len());
            return Err(Diagnostic::at(&self.code.texts[0], None, message).into());
        }
        let first = self.initial(&active);
        let (mut seen, mut bytes) = (FxHashSet::<Box<[u8]>>::default(), Vec::new());
        let mut ends = FxHashSet::<(Vec<NodeId>, Vec<ContentId>)>::default();
        let (threads, lines) = (first.cores.len(), self.lines.len());
        let (mut stack, mut moves, mut cut_short) = (Vec::new(), Vec::new(), false);
        self.enter(first, None, &mut stack, &mut seen, &mut bytes)?;
        while let Some(state) = stack.pop() {
            if self.is_over(&state) {
                let newest = |line: usize| state.contents(line, state.world.lines[line].newest);
                ends.insert((state.cores.iter().map(|core| core.node).collect(), (0..lines).map(newest).collect()));
                continue;
            }
            if seen.len() > self.scope.most_states || stack.len() > MOST_WAITING {
                cut_short = true;
                break;
            }
            moves.clear();
            self.each_move(&state, |chosen| moves.push(chosen));
            for &chosen in &moves {
                self.enter(state.clone(), Some(chosen), &mut stack, &mut seen, &mut bytes)?;
            }
        }
        let mut set = BTreeSet::new();
        for (mut nodes, contents) in ends {
            nodes.extend(&idle);
            let words = self
                .lines
                .iter()
                .zip(contents)
                .flat_map(|(line, contents)| line.words.iter().copied().zip(self.contents[contents as usize].iter().copied()));
            let words: Vec<(Address, u64)> = words.collect();
            set.insert(self.threads.results(&nodes, &words)?);
        }
        let broken = self.broken.map(|wrong| wrong.describe(self.protocol, lines));
        Ok(Outcomes { set, threads, lines, states: seen.len(), cut_short, broken })
    }

    /// Threads at the beginning of their parts; nothing cached.
    fn initial(&mut self, active: &[NodeId]) -> Composed {
        let mut world = World::new(active.len(), self.lines.len());
        world.lenient = true;
        let mut values = Vec::new();
        for line in 0..self.lines.len() {
            let words = self.threads.words(&self.lines[line].words);
            let nothing = self.content_number(vec![0; words.len()]);
            values.push(vec![(0, nothing), (1, self.content_number(words))]);
        }
        let core = |&node: &NodeId| CoreState { node, buffer: Vec::new(), waits: false };
        Composed { world, values, cores: active.iter().map(core).collect() }
    }

    /// Makes a move, and those that can be made before all others; then keeps the state, if it is new.
    fn enter(
        &mut self,
        mut state: Composed,
        mut chosen: Option<Move>,
        stack: &mut Vec<Composed>,
        seen: &mut FxHashSet<Box<[u8]>>,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Box<Diagnostic>> {
        loop {
            match chosen.map_or(Ok(()), |chosen| self.make(&mut state, chosen)) {
                Ok(()) => {}
                Err(Stop::Program(diagnostic)) => return Err(diagnostic),
                Err(Stop::Broken(wrong)) => {
                    self.broken.get_or_insert(wrong);
                    return Ok(());
                }
            }
            chosen = self.eager(&state);
            if chosen.is_none() {
                break;
            }
        }
        encode::encode(&state, bytes);
        if !seen.contains(bytes.as_slice()) {
            seen.insert(bytes.as_slice().into());
            stack.push(state);
        }
        Ok(())
    }

    /// The number of a store.
    fn store_number(&mut self, request: &Request) -> StoreId {
        let next = self.stores.len() as StoreId;
        *self.store_numbers.entry((request.address, request.operand)).or_insert_with(|| {
            self.stores.push(*request);
            next
        })
    }

    /// The number of a line's contents.
    fn content_number(&mut self, words: Vec<u64>) -> ContentId {
        let next = self.contents.len() as ContentId;
        let words: Box<[u64]> = words.into();
        *self.content_numbers.entry(words).or_insert_with_key(|words| {
            self.contents.push(words.clone());
            next
        })
    }
}

/// The lines that operations of the program can reach, each with its words.
fn shared_lines(code: &Code, threads: &Threads, line_bytes: u64) -> Result<Vec<SharedLine>, Box<Diagnostic>> {
    let mut lines: Vec<SharedLine> = Vec::new();
    for range in threads.shared_places() {
        for number in range.start / line_bytes..range.end.div_ceil(line_bytes) {
            let words = (number * line_bytes..(number + 1) * line_bytes).step_by(8);
            let words = words.filter(|&word| word + 8 > range.start && word < range.end);
            match lines.iter_mut().find(|line| line.number == number) {
                Some(line) => line.words.extend(words),
                None => lines.push(SharedLine { number, words: words.collect() }),
            }
            if lines.len() > MOST_PLACES {
                let message = format!("atomic accesses reach more than {MOST_PLACES} lines: too many to explore all orders");
                let help = "a litmus test has a few places, each an `array x: i64[1] padded`";
                return Err(Diagnostic::at(&code.texts[0], None, message).help(help).into());
            }
        }
    }
    for line in &mut lines {
        line.words.sort_unstable();
        line.words.dedup();
    }
    Ok(lines)
}
