//! What is known of integers at each point of a graph, and what need not be done because of it.
//!
//! Abstract interpretation over intervals and divisors (Cousot and Cousot 1977; Granger 1989 for congruences): forward over the
//! graph, branches refine what they compare, counted loops say how far their variable goes, other loops are widened to the constants
//! the graph compares with. A fact is kept for a register only while it is live.
//!
//! Then: bounds checks and divisor checks that cannot fail are dropped, divisions of numbers that are not negative lose their fix-up,
//! branches that only go one way become jumps.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::interval::Interval;
use super::liveness;
use crate::program::code::{ArrayId, BlockId, Instruction, RANK, Register, THREAD, ZERO};
use crate::program::lower::{Constants, Exit, Graph, Induction, Operand, Runners};
use crate::program::tree::{BinaryOperator, Comparison, Type};

/// How often the entry of a loop may grow before it is widened, and how often it may be widened to a constant of the graph.
const GROW_LIMIT: u32 = 3;
const WIDEN_LIMIT: u32 = 40;

/// What is known of a register: an interval, and a number that divides every value (0 where all are 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    interval: Interval,
    divisor: u64,
}

/// What is known of the variables that regions capture, by the scalar they pass through.
pub(super) type Captured = IndexMap<ArrayId, Option<Fact>, FxBuildHasher>;

/// Facts of the registers of which something is known.
type State = FxHashMap<Register, Fact>;

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

impl Fact {
    fn new(interval: Interval) -> Fact {
        let divisor = if interval.low == interval.high { interval.low.unsigned_abs() } else { 1 };
        Fact { interval, divisor }
    }

    fn join(self, other: Fact) -> Fact {
        let divisor = greatest_common_divisor(self.divisor, other.divisor);
        Fact { interval: self.interval.join(other.interval), divisor }
    }

    /// The same with the interval cut to another, and its ends moved to multiples of the divisor.
    fn within(self, interval: Interval) -> Option<Fact> {
        let mut interval = self.interval.meet(interval)?;
        if let Ok(divisor) = i64::try_from(self.divisor)
            && divisor > 1
        {
            let high = interval.high.div_euclid(divisor).checked_mul(divisor)?;
            let low = interval.low.checked_add(divisor - 1).and_then(|low| low.div_euclid(divisor).checked_mul(divisor))?;
            interval = Interval::new(low, high)?;
        }
        Some(Fact { interval, ..self })
    }

    fn binary(r#type: Type, operator: BinaryOperator, a: Fact, b: Fact) -> Option<Fact> {
        let interval = Interval::binary(r#type, operator, a.interval, b.interval)?;
        let exact = Interval::of_type(r#type) != Some(interval);
        let divisor = match operator {
            // What may wrap is a multiple of nothing.
            _ if !exact => 1,
            BinaryOperator::Add | BinaryOperator::Subtract => greatest_common_divisor(a.divisor, b.divisor),
            BinaryOperator::Minimum | BinaryOperator::Maximum => greatest_common_divisor(a.divisor, b.divisor),
            BinaryOperator::Multiply => a.divisor.saturating_mul(b.divisor),
            BinaryOperator::ShiftLeft if b.interval.low == b.interval.high => {
                a.divisor.checked_shl(b.interval.low as u32).unwrap_or(1)
            }
            _ => 1,
        };
        let fact = Fact::new(interval);
        Some(if fact.divisor == 1 && divisor != 0 { Fact { divisor, ..fact } } else { fact })
    }
}

/// Finds out what is known and applies it. What the graph stores into captured scalars is noted, what it loads from them is used.
pub(super) fn apply(graph: &mut Graph, constants: &mut Constants, captured: &mut Captured) {
    let analysis = Analysis::run(graph, constants, captured);
    for (block, state) in analysis.states.into_iter().enumerate() {
        if let Some(state) = state {
            simplify_block(graph, block, state, constants, captured);
        }
    }
}

struct Analysis<'a> {
    graph: &'a Graph,
    constants: &'a Constants,
    captured: &'a Captured,
    live_in: Vec<liveness::RegisterSet>,
    /// Position of each block in reverse postorder.
    position: Vec<u32>,
    order: Vec<BlockId>,
    /// What is known where each block begins; `None` where it was not reached.
    states: Vec<Option<State>>,
    /// How often each block's state has grown.
    growth: Vec<u32>,
    /// Integers the graph compares with, and their neighbours.
    thresholds: BTreeSet<i64>,
}

impl<'a> Analysis<'a> {
    fn run(graph: &'a Graph, constants: &'a Constants, captured: &'a Captured) -> Analysis<'a> {
        let order = graph.reverse_postorder();
        let mut position = vec![u32::MAX; graph.blocks.len()];
        for (index, &block) in order.iter().enumerate() {
            position[block as usize] = index as u32;
        }
        let mut analysis = Analysis {
            graph,
            constants,
            captured,
            live_in: liveness::live_in(graph),
            position,
            order,
            states: vec![None; graph.blocks.len()],
            growth: vec![0; graph.blocks.len()],
            thresholds: thresholds(graph, constants),
        };
        analysis.states[0] = Some(State::default());
        let mut work = BTreeSet::from([0_u32]);
        while let Some(index) = work.pop_first() {
            analysis.visit(index, &mut work);
        }
        analysis
    }

    fn visit(&mut self, index: u32, work: &mut BTreeSet<u32>) {
        let number = self.order[index as usize];
        let block = &self.graph.blocks[number as usize];
        let Some(state) = self.states[number as usize].clone() else { return };
        let mut walk = Walk::new(&self.graph.registers, self.graph.runners, state);
        for located in &block.instructions {
            walk.step(&located.instruction, self.constants, self.captured);
        }
        for (successor, state) in walk.leave(&block.exit) {
            if self.flow(number, successor, state) {
                work.insert(self.position[successor as usize]);
            }
        }
    }

    /// Takes what is known at the end of a block to the beginning of a successor. Says whether that changed anything.
    fn flow(&mut self, from: BlockId, to: BlockId, mut state: State) -> bool {
        let back = self.position[from as usize] >= self.position[to as usize];
        if let Some(induction) = self.graph.blocks[to as usize].induction {
            let known = if back {
                self.states[to as usize].as_ref().and_then(|state| state.get(&induction.variable)).copied()
            } else {
                counted(&state, induction)
            };
            match known {
                Some(fact) => state.insert(induction.variable, fact),
                None => state.remove(&induction.variable),
            };
        }
        let live = &self.live_in[to as usize];
        state.retain(|&register, _| live.contains(register));
        let Some(old) = &self.states[to as usize] else {
            self.states[to as usize] = Some(state);
            return true;
        };
        let mut new = State::default();
        let growth = self.growth[to as usize];
        for (&register, &fact) in old {
            let Some(&other) = state.get(&register) else { continue };
            let joined = fact.join(other);
            let widened = if back && growth >= GROW_LIMIT && joined != fact {
                self.widen(fact, joined, growth < GROW_LIMIT + WIDEN_LIMIT)
            } else {
                joined
            };
            new.insert(register, widened);
        }
        if new == *old {
            return false;
        }
        self.growth[to as usize] += 1;
        self.states[to as usize] = Some(new);
        true
    }

    /// Moves the ends that grew to the next constant of the graph, or as far as they go.
    fn widen(&self, old: Fact, new: Fact, to_constants: bool) -> Fact {
        let mut interval = new.interval;
        if interval.low < old.interval.low {
            let below = self.thresholds.range(..=interval.low).next_back().filter(|_| to_constants);
            interval.low = below.copied().unwrap_or(i64::MIN);
        }
        if interval.high > old.interval.high {
            let above = self.thresholds.range(interval.high..).next().filter(|_| to_constants);
            interval.high = above.copied().unwrap_or(i64::MAX);
        }
        Fact { interval, divisor: new.divisor }
    }
}

/// What a counted loop guarantees of its variable in its body, given what is known before it. `None` where a step might wrap.
fn counted(before: &State, induction: Induction) -> Option<Fact> {
    let full = Fact::new(Interval::FULL);
    let start = before.get(&induction.variable).copied().unwrap_or(full);
    let limit = match induction.limit {
        Operand::Constant(bits) => Interval::exactly(bits as i64),
        Operand::Register(register) => before.get(&register).map_or(Interval::FULL, |fact| fact.interval),
    };
    // One step beyond the last value that is inside must not wrap.
    let (low, high) = if induction.step > 0 {
        (start.interval.low, limit.high.checked_sub(1).filter(|last| last.checked_add(induction.step).is_some())?)
    } else {
        (limit.low.checked_add(1).filter(|last| last.checked_add(induction.step).is_some())?, start.interval.high)
    };
    let divisor = greatest_common_divisor(start.divisor, induction.step.unsigned_abs());
    Fact { interval: Interval::FULL, divisor }.within(Interval::new(low, high)?)
}

/// Integers at which comparisons of the graph change.
fn thresholds(graph: &Graph, constants: &Constants) -> BTreeSet<i64> {
    let mut thresholds = BTreeSet::from([-1, 0, 1]);
    let mut add = |value: i64| thresholds.extend([value.saturating_sub(1), value, value.saturating_add(1)]);
    for block in &graph.blocks {
        for located in &block.instructions {
            match located.instruction {
                Instruction::Constant { to, value } if !graph.registers[usize::from(to)].is_float() => {
                    add(constants[value as usize] as i64);
                }
                Instruction::Check { length, .. } => add(constants[length as usize] as i64),
                _ => {}
            }
        }
        if let Exit::BranchConstant { constant, .. } = block.exit {
            add(i64::from(constant));
        }
    }
    thresholds
}

/// Walks through a block with what is known.
struct Walk<'a> {
    types: &'a [Type],
    runners: Runners,
    state: State,
    /// Registers that are another register plus a constant, and how often that one had been written then.
    sums: FxHashMap<Register, (Register, i64, u32)>,
    /// How often each register has been written in the block.
    writes: FxHashMap<Register, u32>,
}

impl<'a> Walk<'a> {
    fn new(types: &'a [Type], runners: Runners, state: State) -> Walk<'a> {
        Walk { types, runners, state, sums: FxHashMap::default(), writes: FxHashMap::default() }
    }

    /// `None` for floats.
    fn fact(&self, register: Register) -> Option<Fact> {
        match register {
            ZERO => Some(Fact::new(Interval::exactly(0))),
            _ if self.state.contains_key(&register) => self.state.get(&register).copied(),
            THREAD => Some(Fact::new(Interval { low: 0, high: i64::from(self.runners.threads.max(1)) - 1 })),
            RANK => Some(Fact::new(Interval { low: 0, high: i64::from(self.runners.ranks.max(1)) - 1 })),
            _ => Interval::of_type(self.types[usize::from(register)]).map(Fact::new),
        }
    }

    /// The register's values are cut to an interval; `None` where none is left. Whatever it is the sum of is cut with it.
    fn cut(&mut self, register: Register, interval: Interval) -> Option<()> {
        let fact = self.fact(register)?.within(interval)?;
        if register == ZERO {
            return Some(());
        }
        self.state.insert(register, fact);
        if let Some(&(base, constant, writes)) = self.sums.get(&register)
            && base != ZERO
            && self.n_writes(base) == writes
            && let Some(known) = self.fact(base)
            && known.interval.plus(constant).is_some()
            && let (Some(low), Some(high)) = (interval.low.checked_sub(constant), interval.high.checked_sub(constant))
        {
            let cut = known.within(Interval { low, high })?;
            self.state.insert(base, cut);
        }
        Some(())
    }

    fn n_writes(&self, register: Register) -> u32 {
        self.writes.get(&register).copied().unwrap_or(0)
    }

    fn write(&mut self, to: Register, fact: Option<Fact>) {
        self.sums.remove(&to);
        *self.writes.entry(to).or_insert(0) += 1;
        match fact {
            Some(fact) => self.state.insert(to, fact),
            None => self.state.remove(&to),
        };
    }

    fn step(&mut self, instruction: &Instruction, constants: &Constants, captured: &Captured) {
        match *instruction {
            Instruction::Check { index, constant, length } => {
                let length = i64::try_from(constants[length as usize]).unwrap_or(i64::MAX);
                let constant = i64::from(constant);
                if let (Some(low), Some(high)) = (0_i64.checked_sub(constant), (length - 1).checked_sub(constant))
                    && let Some(interval) = Interval::new(low, high)
                {
                    // Where nothing is left the check fails, and what follows does not matter.
                    let _ = self.cut(index, interval);
                }
            }
            Instruction::CheckDivisor { divisor } => {
                if let Some(fact) = self.fact(divisor)
                    && let Some(interval) = fact.interval.refine(Comparison::NotEqual, Interval::exactly(0))
                {
                    let _ = self.cut(divisor, interval);
                }
            }
            _ => {
                let Some(to) = instruction.writes() else { return };
                let fact = self.result(instruction, to, constants, captured);
                let sum = match *instruction {
                    Instruction::BinaryConstant { operator: BinaryOperator::Add, a, constant, .. }
                        if self.types[usize::from(to)] == Type::I64 =>
                    {
                        Some((a, i64::from(constant)))
                    }
                    Instruction::Copy { from, .. } => Some((from, 0)),
                    _ => None,
                };
                self.write(to, fact);
                if let Some((base, constant)) = sum.filter(|&(base, _)| base != to) {
                    self.sums.insert(to, (base, constant, self.n_writes(base)));
                }
            }
        }
    }

    fn result(&self, instruction: &Instruction, to: Register, constants: &Constants, captured: &Captured) -> Option<Fact> {
        let r#type = self.types[usize::from(to)];
        let all = Interval::of_type(r#type)?;
        match *instruction {
            Instruction::Constant { value, .. } => Some(Fact::new(Interval::exactly(constants[value as usize] as i64))),
            Instruction::Copy { from, .. } => self.fact(from),
            Instruction::Binary { operator, a, b, .. } => Fact::binary(r#type, operator, self.fact(a)?, self.fact(b)?),
            Instruction::BinaryConstant { operator, a, constant, .. } => {
                Fact::binary(r#type, operator, self.fact(a)?, Fact::new(Interval::exactly(i64::from(constant))))
            }
            Instruction::DivideNonNegative { remainder, a, b, .. } => {
                let operator = if remainder { BinaryOperator::Remainder } else { BinaryOperator::Divide };
                Fact::binary(r#type, operator, self.fact(a)?, self.fact(b)?)
            }
            Instruction::ShiftRightLogical { a, count, .. } if count > 0 => {
                let a = self.fact(a)?.interval;
                let most = (u64::MAX >> count) as i64;
                Some(Fact::new(if a.low >= 0 {
                    Interval { low: a.low >> count, high: a.high >> count }
                } else {
                    Interval { low: 0, high: most }
                }))
            }
            Instruction::Select { a, b, .. } => Some(self.fact(a)?.join(self.fact(b)?)),
            Instruction::Convert { from, .. } => {
                let from = self.fact(from)?;
                Some(if from.interval.within(all) { from } else { Fact::new(all) })
            }
            Instruction::Load { array, .. } => captured.get(&array).copied().flatten(),
            _ => Some(Fact::new(all)),
        }
    }

    /// What is known at each successor; those that cannot be reached are left out.
    fn leave(mut self, exit: &Exit) -> Vec<(BlockId, State)> {
        if let Some(to) = exit.writes() {
            self.write(to, None);
        }
        let (comparison, a, b, then, otherwise) = match *exit {
            Exit::Branch { comparison, a, b, then, otherwise } => (comparison, a, self.fact(b), then, otherwise),
            Exit::BranchConstant { comparison, a, constant, then, otherwise } => {
                (comparison, a, Some(Fact::new(Interval::exactly(i64::from(constant)))), then, otherwise)
            }
            _ => return exit.successors().map(|successor| (successor, self.state.clone())).collect(),
        };
        let second = match *exit {
            Exit::Branch { b, .. } => Some(b),
            _ => None,
        };
        let (Some(x), Some(y)) = (self.fact(a), b) else {
            return exit.successors().map(|successor| (successor, self.state.clone())).collect();
        };
        let mut ways = Vec::with_capacity(2);
        let state = std::mem::take(&mut self.state);
        for (comparison, successor) in [(comparison, then), (opposite(comparison), otherwise)] {
            self.state.clone_from(&state);
            let first = x.interval.refine(comparison, y.interval).and_then(|interval| self.cut(a, interval));
            let other = y.interval.refine(mirrored(comparison), x.interval);
            let other = match second {
                Some(b) => other.and_then(|interval| self.cut(b, interval)),
                None => other.map(|_| ()),
            };
            if first.is_some() && other.is_some() {
                ways.push((successor, std::mem::take(&mut self.state)));
            }
        }
        ways
    }
}

/// What holds where the comparison does not; of integers.
fn opposite(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterEqual,
        Comparison::LessEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessEqual,
        Comparison::GreaterEqual => Comparison::Less,
    }
}

/// What holds of `(b, a)` where the comparison holds of `(a, b)`.
fn mirrored(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessEqual => Comparison::GreaterEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterEqual => Comparison::LessEqual,
        Comparison::Equal | Comparison::NotEqual => comparison,
    }
}

/// Uses what is known where a block begins.
fn simplify_block(graph: &mut Graph, block: usize, state: State, constants: &mut Constants, captured: &mut Captured) {
    let instructions = std::mem::take(&mut graph.blocks[block].instructions);
    let mut kept = Vec::with_capacity(instructions.len());
    let mut new_registers: Vec<Type> = Vec::new();
    let first_new = graph.registers.len();
    let mut walk = Walk::new(&graph.registers, graph.runners, state);
    for mut located in instructions {
        if !can_fail(&walk, &located.instruction, constants) {
            continue;
        }
        if let Instruction::Store { from, array, .. } = located.instruction
            && let Some(fact) = captured.get_mut(&array)
        {
            *fact = walk.fact(from);
        }
        let original = located.instruction;
        if let Some(division) = non_negative_division(&walk, &original, || {
            new_registers.push(Type::I64);
            u16::try_from(first_new + new_registers.len() - 1).ok()
        }) {
            if let Some((to, divisor)) = division.divisor {
                let value = constants.insert_full(divisor as u64).0 as u32;
                kept.push(crate::program::lower::Located { instruction: Instruction::Constant { to, value }, ..located });
            }
            located.instruction = division.instruction;
        }
        walk.step(&original, constants, captured);
        if let Some((to, bits)) = known_result(&walk, &located.instruction) {
            let value = constants.insert_full(bits).0 as u32;
            located.instruction = Instruction::Constant { to, value };
        }
        kept.push(located);
    }
    let ways = walk.leave(&graph.blocks[block].exit);
    if let (Exit::Branch { .. } | Exit::BranchConstant { .. }, [(only, _)]) = (graph.blocks[block].exit, ways.as_slice()) {
        graph.blocks[block].exit = Exit::Jump(*only);
    }
    graph.registers.extend(new_registers);
    graph.blocks[block].instructions = kept;
}

/// The target and value of integer arithmetic that has only one result.
fn known_result(after: &Walk<'_>, instruction: &Instruction) -> Option<(Register, u64)> {
    let to = instruction.writes()?;
    let is_arithmetic = matches!(
        instruction,
        Instruction::Copy { .. }
            | Instruction::Binary { .. }
            | Instruction::BinaryConstant { .. }
            | Instruction::ShiftRightLogical { .. }
            | Instruction::Convert { .. }
    );
    let interval = after.fact(to)?.interval;
    (is_arithmetic && interval.low == interval.high).then_some((to, interval.low as u64))
}

/// False only for a check that always succeeds.
fn can_fail(walk: &Walk<'_>, instruction: &Instruction, constants: &Constants) -> bool {
    match *instruction {
        Instruction::Check { index, constant, length } => {
            let inside = Interval::new(0, i64::try_from(constants[length as usize]).unwrap_or(i64::MAX).saturating_sub(1));
            let values = walk.fact(index).and_then(|fact| fact.interval.plus(i64::from(constant)));
            !matches!((values, inside), (Some(values), Some(inside)) if values.within(inside))
        }
        Instruction::CheckDivisor { divisor } => {
            walk.fact(divisor).is_none_or(|fact| fact.interval.low <= 0 && fact.interval.high >= 0)
        }
        _ => true,
    }
}

struct Division {
    instruction: Instruction,
    /// A register for a divisor that was part of the instruction, and its value.
    divisor: Option<(Register, i64)>,
}

/// A division or remainder of integers that are not negative.
fn non_negative_division(
    walk: &Walk<'_>,
    instruction: &Instruction,
    new_register: impl FnOnce() -> Option<Register>,
) -> Option<Division> {
    let (operator, to, a) = match *instruction {
        Instruction::Binary { operator, to, a, .. } | Instruction::BinaryConstant { operator, to, a, .. } => (operator, to, a),
        _ => return None,
    };
    let remainder = match operator {
        BinaryOperator::Divide => false,
        BinaryOperator::Remainder => true,
        _ => return None,
    };
    let not_negative = |register| walk.fact(register).is_some_and(|fact: Fact| fact.interval.low >= 0);
    if walk.types[usize::from(to)] != Type::I64 || !not_negative(a) {
        return None;
    }
    match *instruction {
        Instruction::Binary { b, .. } if not_negative(b) => {
            Some(Division { instruction: Instruction::DivideNonNegative { remainder, to, a, b }, divisor: None })
        }
        Instruction::BinaryConstant { constant, .. } if constant > 0 => {
            let b = new_register()?;
            let instruction = Instruction::DivideNonNegative { remainder, to, a, b };
            Some(Division { instruction, divisor: Some((b, i64::from(constant))) })
        }
        _ => None,
    }
}
