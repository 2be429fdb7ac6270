//! The search: breadth first, so that what it finds first is as short as it gets.
//!
//! Of a state that has been found a hash of 128 bits is kept (hash compaction: Wolper and Leroy, "Reliable hashing without collision
//! detection", CAV 1993; Stern and Dill, "Improved probabilistic verification by hash compaction", CHARME 1995). Two of n states share
//! theirs with a probability of n^2 / 2^129: of a hundred million, less than one in 10^22. The worlds themselves are kept of two levels
//! of the search only, each in some tens of bytes.

use std::marker::PhantomData;

use rustc_hash::FxHashMap;
use twox_hash::XxHash3_128;

use crate::coherence::explore::world::{Rows, Step, Taken, Unrest};
use crate::coherence::explore::wrong::Wrong;
use crate::coherence::explore::{Scope, TableRows};
use crate::coherence::protocol::Protocol;

/// What can be searched: a state of everything that a protocol's tables drive.
pub(super) trait Model: Clone + serde::Serialize + serde::de::DeserializeOwned {
    /// What its states are encoded with.
    type Encoder: Default + std::fmt::Debug;

    /// Nothing cached, nothing under way.
    fn first(protocol: &Protocol, scope: Scope) -> Self;
    /// Calls back with each step that can be made, cores' own first.
    fn each_step(&self, protocol: &Protocol, misses: usize, visit: impl FnMut(Step));
    /// Makes a step; says which rows were taken.
    fn apply(&mut self, step: Step, protocol: &Protocol, rows: &mut Rows) -> Result<(), Wrong>;
    /// What has to hold in every state, whatever happens next.
    fn check(&self, protocol: &Protocol) -> Result<(), Wrong>;
    /// Why nothing is at rest; `None` where all is.
    fn unrest(&self, protocol: &Protocol) -> Option<Unrest>;
    /// The bytes of the state and of all that are like it.
    fn encode<'a>(&self, encoder: &'a mut Self::Encoder) -> &'a [u8];
}

/// How a state was reached first.
#[derive(Clone, Copy, Debug)]
struct Reached {
    from: u32,
    /// The step: its kind, and up to three small numbers.
    step: [u8; 4],
}

impl Reached {
    fn new(from: u32, step: Step) -> Reached {
        let mut bytes = [0; 4];
        postcard::to_slice(&step, &mut bytes).expect("a step has four bytes at most");
        Reached { from, step: bytes }
    }

    fn step(self) -> Step {
        postcard::from_bytes(&self.step).expect("a step was put there")
    }
}

/// Worlds that wait to be expanded, in their order.
#[derive(Clone, Debug, Default)]
struct Worlds<W> {
    /// Of all of them, one after the other.
    bytes: Vec<u8>,
    worlds: PhantomData<W>,
}

impl<W: Model> Worlds<W> {
    fn new() -> Worlds<W> {
        Worlds { bytes: Vec::new(), worlds: PhantomData }
    }

    fn push(&mut self, world: &W) {
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = postcard::to_extend(world, bytes).expect("all of a world has a form in bytes");
    }

    fn iter(&self) -> impl Iterator<Item = W> {
        let mut left = &self.bytes[..];
        std::iter::from_fn(move || {
            let (world, behind) = (!left.is_empty()).then(|| postcard::take_from_bytes(left).expect("a world was put there"))?;
            left = behind;
            Some(world)
        })
    }
}

/// What a search found wrong: the steps that lead there, the last one included.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub steps: Vec<Step>,
    pub wrong: Wrong,
}

/// A search under way, or over.
#[derive(Debug)]
pub(super) struct Search<'a, W: Model> {
    protocol: &'a Protocol,
    scope: Scope,
    encoder: W::Encoder,
    /// By the hash of its encoding. (Halves are aligned closer than a whole.)
    numbers: FxHashMap<(u64, u64), u32>,
    reached: Vec<Reached>,
    /// For each state in order of its number: the states that its responses lead to, one after the other.
    responses: Vec<u32>,
    /// Where in `responses` those of each state end.
    ends: Vec<u32>,
    /// Whether everything is at rest in a state.
    at_rest: Vec<bool>,
    /// The steps that can be made from the state at hand.
    possible: Vec<Step>,
    pub steps: u64,
    pub rows: TableRows,
    /// Whether it ended because of the scope's limit.
    pub cut_short: bool,
}

impl<'a, W: Model> Search<'a, W> {
    pub fn new(protocol: &'a Protocol, scope: Scope) -> Search<'a, W> {
        Search {
            protocol,
            scope,
            encoder: W::Encoder::default(),
            numbers: FxHashMap::default(),
            reached: Vec::new(),
            responses: Vec::new(),
            ends: Vec::new(),
            at_rest: Vec::new(),
            possible: Vec::new(),
            steps: 0,
            rows: TableRows::new(protocol),
            cut_short: false,
        }
    }

    /// Different states found.
    pub fn states(&self) -> usize {
        self.reached.len()
    }

    /// Searches until something is wrong, everything is known, or there are more states than allowed.
    pub fn run(&mut self) -> Result<(), Found> {
        let (mut level, mut next) = (Worlds::<W>::new(), Worlds::<W>::new());
        let first = W::first(self.protocol, self.scope);
        self.number(&first, Reached::new(0, Step::Data { line: 0 }));
        level.push(&first);
        let mut state = 0;
        while !level.bytes.is_empty() {
            for world in level.iter() {
                self.expand(&world, state, &mut next)?;
                if self.cut_short {
                    return Ok(());
                }
                state += 1;
            }
            level.bytes.clear();
            std::mem::swap(&mut level, &mut next);
        }
        match self.restless() {
            Some(state) => Err(Found { steps: self.way_to(state), wrong: Wrong::Restless }),
            None => Ok(()),
        }
    }

    /// The number of a state, and whether it is new.
    fn number(&mut self, world: &W, reached: Reached) -> (u32, bool) {
        let hash = XxHash3_128::oneshot(world.encode(&mut self.encoder));
        let next = self.reached.len() as u32;
        let number = *self.numbers.entry((hash as u64, (hash >> 64) as u64)).or_insert(next);
        if number == next {
            self.reached.push(reached);
        }
        (number, number == next)
    }

    /// Makes every step from a state.
    fn expand(&mut self, world: &W, state: u32, next: &mut Worlds<W>) -> Result<(), Found> {
        let mut steps = std::mem::take(&mut self.possible);
        steps.clear();
        world.each_step(self.protocol, self.scope.misses, |step| steps.push(step));
        let mut rows = Rows::new();
        let responds = steps.iter().any(|step| step.is_response());
        let unrest = world.unrest(self.protocol);
        if let (false, Some(unrest)) = (responds, unrest) {
            return Err(Found { steps: self.way_to(state), wrong: Wrong::Stuck(unrest) });
        }
        self.at_rest.push(unrest.is_none());
        for &step in &steps {
            let mut after = world.clone();
            rows.clear();
            let result = after.apply(step, self.protocol, &mut rows).and_then(|()| after.check(self.protocol));
            rows.iter().for_each(|&taken| self.rows.add(taken, self.protocol));
            self.steps += 1;
            if let Err(wrong) = result {
                let mut steps = self.way_to(state);
                steps.push(step);
                return Err(Found { steps, wrong });
            }
            let (number, is_new) = self.number(&after, Reached::new(state, step));
            if is_new {
                next.push(&after);
            }
            if step.is_response() {
                self.responses.push(number);
            }
            if self.states() > self.scope.most_states {
                self.cut_short = true;
                return Ok(());
            }
        }
        self.possible = steps;
        self.ends.push(self.responses.len() as u32);
        Ok(())
    }

    /// The steps that lead to a state.
    fn way_to(&self, state: u32) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut state = state;
        while state != 0 {
            let reached = self.reached[state as usize];
            steps.push(reached.step());
            state = reached.from;
        }
        steps.reverse();
        steps
    }

    /// The first state from which no responses lead to rest.
    fn restless(&self) -> Option<u32> {
        let n = self.ends.len();
        let successors = |state: usize| {
            let begin = if state == 0 { 0 } else { self.ends[state - 1] as usize };
            &self.responses[begin..self.ends[state] as usize]
        };
        // How many predecessors each state has, and then where they stand.
        let mut begins = vec![0u32; n + 1];
        for &successor in &self.responses {
            begins[successor as usize + 1] += 1;
        }
        for state in 0..n {
            begins[state + 1] += begins[state];
        }
        let mut places = begins.clone();
        let mut predecessors = vec![0u32; self.responses.len()];
        for state in 0..n {
            for &successor in successors(state) {
                let place = &mut places[successor as usize];
                predecessors[*place as usize] = state as u32;
                *place += 1;
            }
        }
        let mut comes_to_rest = self.at_rest.clone();
        let mut to_visit: Vec<u32> = (0..n as u32).filter(|&state| comes_to_rest[state as usize]).collect();
        while let Some(state) = to_visit.pop() {
            let state = state as usize;
            for &predecessor in &predecessors[begins[state] as usize..begins[state + 1] as usize] {
                if !std::mem::replace(&mut comes_to_rest[predecessor as usize], true) {
                    to_visit.push(predecessor);
                }
            }
        }
        comes_to_rest.iter().position(|&rests| !rests).map(|state| state as u32)
    }
}

impl TableRows {
    fn new(protocol: &Protocol) -> TableRows {
        TableRows { agent: vec![false; protocol.agent.n_rows()], memory: vec![false; protocol.memory.n_rows()] }
    }

    fn add(&mut self, taken: Taken, protocol: &Protocol) {
        match taken {
            Taken::Agent(state, event) => self.agent[protocol.agent.row_number(state, event)] = true,
            Taken::Memory(state, event) => self.memory[protocol.memory.row_number(state, event)] = true,
        }
    }
}
