//! Teams: regions that all threads run, loops whose iterations they share out, reductions, barriers.
//!
//! The model is that of OpenMP (OpenMP 5.2, sections 10.1 and 11.5): fork and join, worksharing loops that end in a barrier.

use std::rc::Rc;

use super::emit::Emitter;
use super::graph::{Exit, Operand};
use super::layout::Section;
use super::place::Element;
use super::runtime::Module;
use super::{Failure, Graph, Lowering, usage};
use crate::base::diagnostic::Span;
use crate::program::check::RuntimeBindings;
use crate::program::code::{BlockId, Instruction, Register, THREAD};
use crate::program::tree::{
    BinaryOperator, Comparison, Expression, LocalId, ParallelFor, Place, ReduceOperator, Reduction, Statement, Type, Value,
};

/// The team that runs what is being lowered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Team {
    /// How many threads.
    size: Operand,
}

/// A value of the main graph on its way into a region, through memory.
struct Capture {
    from: Register,
    element: Element,
    local: Option<LocalId>,
}

impl Lowering<'_> {
    /// The thread's number in its team; 0 outside.
    pub(super) fn thread(&self) -> Operand {
        if self.team.is_some() { Operand::Register(THREAD) } else { Operand::integer(0) }
    }

    /// How many threads the team has or, outside, the next one will have.
    pub(super) fn threads(&self) -> Operand {
        self.team.map_or(Operand::integer(i64::from(self.plan.threads)), |team| team.size)
    }

    fn everyone(&self) -> Operand {
        Operand::integer(i64::from(self.plan.threads))
    }

    fn team_module(&mut self, span: Span) -> Result<Rc<Module>, Failure> {
        self.shared_module("team", "team", RuntimeBindings::default(), span)
    }

    /// `barrier`
    pub(super) fn barrier(&mut self) -> Result<(), Failure> {
        if self.team.is_none() {
            return Ok(());
        }
        let text = format!("barrier-{}", self.plan.barrier);
        let module = self.shared_module(&text, "barrier", RuntimeBindings::default(), self.sites[self.site as usize].span)?;
        self.run(&module, Operand::ONLY, "wait", &[])?;
        Ok(())
    }

    /// `parallel size { body }`
    pub(super) fn parallel(&mut self, size: Option<&Expression>, body: &[Statement], span: Span) -> Result<(), Failure> {
        if self.team.is_some() {
            return self.fail(span, "a team stands inside a team: one thread cannot fork another team here", None);
        }
        let size = match size {
            None => self.everyone(),
            Some(size) => {
                let operand = self.expression(size, None)?;
                self.check_team(operand, size.span)?;
                operand
            }
        };
        self.at(span);
        self.region(size, usage::locals_read(body), &[], |lowering, _| lowering.statements(body))
    }

    /// A team has at least one thread and at most as many as the run.
    fn check_team(&mut self, size: Operand, span: Span) -> Result<(), Failure> {
        let threads = self.plan.threads;
        match size {
            Operand::Constant(size) if (size as i64) < 1 => {
                self.fail(span, format!("a team has at least one thread, not {}", size as i64), None)
            }
            Operand::Constant(size) if size > u64::from(threads) => self.fail(
                span,
                format!("this team needs {size} threads; the run has {threads}"),
                Some(format!("run it with --threads {size} or more")),
            ),
            Operand::Constant(_) => Ok(()),
            Operand::Register(index) => {
                let length = self.constant_id(u64::from(threads));
                self.at(span);
                self.emit(Instruction::Check { index, constant: -1, length });
                Ok(())
            }
        }
    }

    /// A part of the program that a new team runs: the variables it reads go through memory, then the master forks, all run the
    /// region and join.
    fn region(
        &mut self,
        size: Operand,
        reads: impl IntoIterator<Item = LocalId>,
        values: &[Operand],
        body: impl FnOnce(&mut Self, &[Operand]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let site = self.site;
        let span = self.sites[site as usize].span;
        let module = self.team_module(span)?;
        let number = self.regions.len();
        let mut captures = self.capture_locals(reads, span)?;
        let first_value = captures.len();
        for value in values.iter().chain([&size]) {
            if let &Operand::Register(from) = value {
                captures.push(self.capture(from, "a bound", None, span)?);
            }
        }
        for capture in &captures {
            self.store(capture.element, Operand::Register(capture.from));
        }
        self.run(&module, Operand::ONLY, "fork", &[Operand::integer(number as i64 + 1)])?;
        let next = self.new_block();
        self.end(Exit::Fork { region: number as u32, next });
        self.start(next);

        // Reserves the region's number, should its body fork as well.
        self.regions.push(Graph::new(self.runners));
        let main = std::mem::replace(&mut self.emitter, Emitter::new(self.runners));
        let bindings = self.unit.bindings.clone();
        for binding in self.unit.bindings.iter_mut().filter(|binding| matches!(binding, Some(Operand::Register(_)))) {
            *binding = None;
        }
        let after = self.new_block();
        self.enter_region(&captures, first_value, values, size, after, body)?;
        self.site = site;
        self.end(Exit::Jump(after));
        self.start(after);
        self.team = Some(Team { size: self.everyone() });
        self.run(&module, Operand::ONLY, "join", &[])?;
        self.end(Exit::Return);
        self.check_size(span)?;

        self.team = None;
        self.unit.bindings = bindings;
        self.regions[number] = std::mem::replace(&mut self.emitter, main).graph;
        Ok(())
    }

    /// The region's own beginning: threads beyond the team go to `after`, the others load what was captured and run the body.
    fn enter_region(
        &mut self,
        captures: &[Capture],
        first_value: usize,
        values: &[Operand],
        size: Operand,
        after: BlockId,
        body: impl FnOnce(&mut Self, &[Operand]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let load = |lowering: &mut Self, capture: &Capture| Operand::Register(lowering.load(capture.element, None));
        let (size, captures) = match (size, captures) {
            (Operand::Register(_), [captures @ .., last]) => (load(self, last), captures),
            _ => (size, captures),
        };
        if size != self.everyone() {
            let inside = self.new_block();
            self.branch_on(Type::I64, Comparison::Less, [Operand::Register(THREAD), size], inside, after);
            self.start(inside);
        }
        let operands: Vec<Operand> = captures.iter().map(|capture| load(self, capture)).collect();
        self.team = Some(Team { size });
        for (capture, &operand) in captures.iter().zip(&operands) {
            if let Some(local) = capture.local {
                self.unit.bindings[local.0 as usize] = Some(operand);
            }
        }
        let mut loaded = operands[first_value..].iter().copied();
        let known_or_loaded = |value: &Operand| match value {
            Operand::Constant(_) => *value,
            Operand::Register(_) => loaded.next().unwrap_or(*value),
        };
        let values: Vec<Operand> = values.iter().map(known_or_loaded).collect();
        self.scoped(|lowering| body(lowering, &values))
    }

    /// What a region reads of the variables around it.
    fn capture_locals(&mut self, reads: impl IntoIterator<Item = LocalId>, span: Span) -> Result<Vec<Capture>, Failure> {
        let mut captures = Vec::new();
        for local in reads {
            if let Some(Operand::Register(from)) = self.unit.bindings[local.0 as usize] {
                let name = self.unit.text.locals[local.0 as usize].name.clone();
                captures.push(self.capture(from, &name, Some(local), span)?);
            }
        }
        Ok(captures)
    }

    fn capture(&mut self, from: Register, name: &str, local: Option<LocalId>, span: Span) -> Result<Capture, Failure> {
        self.check_arrays(1, span)?;
        let r#type = self.type_of(from);
        let array = self.layout.add_object(Section::Runtime, &format!("captured {name}"), r#type, &[1], false);
        self.captures.push(array);
        Ok(Capture { from, element: self.scalar(array), local })
    }

    /// After the last statement of a function that forks: sends the workers home. Gives back the workers' graph.
    pub(super) fn end_of_teams(&mut self) -> Result<Graph, Failure> {
        let site = self.site;
        let module = self.team_module(Span::default())?;
        self.run(&module, Operand::ONLY, "fork", &[Operand::integer(0)])?;
        let main = std::mem::replace(&mut self.emitter, Emitter::new(self.runners));
        self.team = Some(Team { size: self.everyone() });
        let seen = self.fresh_variable(Type::I64);
        self.copy_into(seen, Operand::integer(0));
        let head = self.new_block();
        self.jump_and_start(head);
        let epoch = self.run_for_value(&module, "next", &[Operand::Register(seen)])?;
        self.copy_into(seen, epoch);
        let region = self.run_for_value(&module, "region", &[])?;
        let n_regions = self.regions.len() as i64;
        self.dispatch(region, 0, n_regions, head);
        self.team = None;
        self.site = site;
        Ok(std::mem::replace(&mut self.emitter, main).graph)
    }

    /// Finds the region by halving: 0 is the end, `k` the region `k - 1`.
    fn dispatch(&mut self, region: Operand, low: i64, high: i64, head: BlockId) {
        if low == high {
            let exit = if low == 0 { Exit::Finish } else { Exit::Region { region: low as u32 - 1, next: head } };
            return self.end(exit);
        }
        let middle = (low + high + 1) / 2;
        let [below, above] = [self.new_block(), self.new_block()];
        self.branch_on(Type::I64, Comparison::Less, [region, Operand::integer(middle)], below, above);
        for (block, low, high) in [(below, low, middle - 1), (above, middle, high)] {
            self.start(block);
            self.dispatch(region, low, high, head);
        }
    }

    /// `parallel for`: a new team of all threads, or the one it stands in, shares out the iterations.
    pub(super) fn parallel_for(&mut self, work: &ParallelFor, span: Span) -> Result<(), Failure> {
        let bounds = [self.expression(&work.low, None)?, self.expression(&work.high, None)?];
        self.at(span);
        let schedule = self.schedule(work, span)?;
        if self.team.is_some() {
            return self.share_in_team(work, bounds, &schedule, span);
        }
        if schedule.module.has("open") {
            self.run(&schedule.module, Operand::ONLY, "open", &[])?;
        }
        let reads = usage::locals_read(&work.body);
        self.region(self.everyone(), reads, &bounds, |lowering, bounds| {
            lowering.share_out(work, [bounds[0], bounds[1]], &schedule, span)
        })?;
        self.at(span);
        self.combine(&work.reductions, span)
    }

    fn share_in_team(&mut self, work: &ParallelFor, bounds: [Operand; 2], schedule: &Dealt, span: Span) -> Result<(), Failure> {
        if schedule.module.has("open") {
            // The loop before ended in a barrier, so nobody still deals from it.
            self.only_thread_0(|lowering| lowering.run(&schedule.module, Operand::ONLY, "open", &[]).map(drop))?;
            self.barrier()?;
        }
        self.share_out(work, bounds, schedule, span)?;
        self.at(span);
        self.barrier()?;
        if !work.reductions.is_empty() {
            self.only_thread_0(|lowering| lowering.combine(&work.reductions, span))?;
            self.barrier()?;
        }
        Ok(())
    }

    fn only_thread_0(&mut self, body: impl FnOnce(&mut Self) -> Result<(), Failure>) -> Result<(), Failure> {
        let [first, after] = [self.new_block(), self.new_block()];
        self.branch_on(Type::I64, Comparison::Equal, [Operand::Register(THREAD), Operand::integer(0)], first, after);
        self.start(first);
        body(self)?;
        self.jump_and_start(after);
        Ok(())
    }

    /// A thread's share of the iterations: chunks, as the schedule's text deals them, until none is left.
    ///
    /// ```text
    ///   turn = 0
    ///   head:  start = next(count, chunk, turn); to after where start == count
    ///          end = start + size(count, chunk, start)
    ///          for v in low + start * step .. low + end * step by step { body }
    ///          turn += 1; to head
    ///   after: contribute(private) for each reduction
    /// ```
    ///
    /// What the text deals is checked, so a broken schedule cannot leave the loop's range.
    fn share_out(&mut self, work: &ParallelFor, [low, high]: [Operand; 2], dealt: &Dealt, span: Span) -> Result<(), Failure> {
        self.at(span);
        for reduction in &work.reductions {
            let r#type = self.unit.text.type_of(reduction.private);
            let private = self.fresh_variable(r#type);
            self.copy_into(private, Operand::of(neutral(reduction.operator, r#type)));
            self.bind(reduction.private, Operand::Register(private));
        }
        let low = self.stable(low, Type::I64);
        let count = self.trip_count(low, high, work.step);
        let chunk = Operand::integer(dealt.chunk);
        let turn = self.fresh_variable(Type::I64);
        self.copy_into(turn, Operand::integer(0));
        let [head, body, after] = [self.new_block(), self.new_block(), self.new_block()];
        self.jump_and_start(head);
        let start = self.run_for_value(&dealt.module, "next", &[count, chunk, Operand::Register(turn)])?;
        let start = self.stable(start, Type::I64);
        self.check_dealt(start, count);
        self.branch_on(Type::I64, Comparison::Less, [start, count], body, after);
        self.start(body);
        let size = self.run_for_value(&dealt.module, "size", &[count, chunk, start])?;
        let end = self.binary(Type::I64, BinaryOperator::Add, start, size, None);
        self.check_dealt(end, count);
        let bounds = [start, end].map(|at| {
            let offset = self.binary(Type::I64, BinaryOperator::Multiply, at, Operand::integer(work.step), None);
            self.binary(Type::I64, BinaryOperator::Add, low, offset, None)
        });
        self.counted(work.variable, bounds, work.step, &work.body)?;
        self.at(span);
        self.binary(Type::I64, BinaryOperator::Add, Operand::Register(turn), Operand::integer(1), Some(turn));
        self.end(Exit::Jump(head));
        self.start(after);
        for (number, reduction) in work.reductions.iter().enumerate() {
            let module = self.reduction_module(&work.reductions, number, span)?;
            let Some(private) = self.unit.bindings[reduction.private.0 as usize] else { continue };
            self.run(&module, Operand::ONLY, "contribute", &[private])?;
        }
        Ok(())
    }

    /// Iterations of a counted loop.
    fn trip_count(&mut self, low: Operand, high: Operand, step: i64) -> Operand {
        let (from, to) = if step > 0 { (low, high) } else { (high, low) };
        let stride = step.checked_abs().unwrap_or(i64::MAX);
        let distance = self.binary(Type::I64, BinaryOperator::Subtract, to, from, None);
        let rounded = self.binary(Type::I64, BinaryOperator::Add, distance, Operand::integer(stride - 1), None);
        let count = self.binary(Type::I64, BinaryOperator::Divide, rounded, Operand::integer(stride), None);
        self.binary(Type::I64, BinaryOperator::Maximum, count, Operand::integer(0), None)
    }

    /// Stops the run unless `0 <= position <= count`.
    fn check_dealt(&mut self, position: Operand, count: Operand) {
        let index = self.register(position, Type::I64);
        let mut check = |index, length| {
            let length = self.constant_id(length);
            self.emit(Instruction::Check { index, constant: 0, length });
        };
        match count {
            Operand::Constant(count) => check(index, count + 1),
            Operand::Register(_) => {
                check(index, i64::MAX as u64);
                let beyond = self.compare(Type::I64, Comparison::Greater, position, count, None);
                let beyond = self.convert(Type::Bool, Type::I64, beyond, None);
                let index = self.register(beyond, Type::I64);
                let length = self.constant_id(1);
                self.emit(Instruction::Check { index, constant: 0, length });
            }
        }
    }

    /// Adds what the threads contributed to each reduction's target, in the order of the threads.
    fn combine(&mut self, reductions: &[Reduction], span: Span) -> Result<(), Failure> {
        for (number, reduction) in reductions.iter().enumerate() {
            let module = self.reduction_module(reductions, number, span)?;
            let target = self.target_of(reduction)?;
            let old = Operand::Register(self.load(target, None));
            let total = self.run_for_value(&module, "combine_all", &[old])?;
            self.store(target, total);
        }
        Ok(())
    }

    fn target_of(&mut self, reduction: &Reduction) -> Result<Element, Failure> {
        let place = Place { object: reduction.target, indices: Vec::new(), span: reduction.span };
        self.element_of_operands(&place, &[])
    }

    /// The text of a reduction, one instance for each of the same operator and type in one loop.
    fn reduction_module(&mut self, reductions: &[Reduction], number: usize, span: Span) -> Result<Rc<Module>, Failure> {
        let kind = |reduction: &Reduction| (reduction.operator, self.unit.text.type_of(reduction.private));
        let (operator, value) = kind(&reductions[number]);
        let ordinal = reductions[..number].iter().filter(|other| kind(other) == (operator, value)).count();
        let key = format!("reduce {operator:?} {} {ordinal}", value.name()).to_lowercase();
        let text = format!("reduce-{}", self.plan.reduce);
        let bindings = RuntimeBindings { value: Some(value), combine: Some(operator), ..RuntimeBindings::default() };
        self.shared_module(&text, &key, bindings, span)
    }

    /// The schedule a loop names, or the plan's. A static schedule with a chunk size is a text of its own.
    fn schedule(&mut self, work: &ParallelFor, span: Span) -> Result<Dealt, Failure> {
        let schedule = work.schedule.as_ref().unwrap_or(&self.plan.schedule);
        let chunk = schedule.chunk.unwrap_or(1);
        let text = match (schedule.kind.as_str(), schedule.chunk) {
            ("static", Some(_)) => "schedule-static-chunked".to_string(),
            (kind, _) => format!("schedule-{kind}"),
        };
        if chunk < 1 {
            return self.fail(span, format!("a chunk has at least one iteration, not {chunk}"), None);
        }
        let module = self.shared_module(&text, &text, RuntimeBindings::default(), span)?;
        Ok(Dealt { module, chunk })
    }
}

/// How a loop's iterations are dealt out.
struct Dealt {
    module: Rc<Module>,
    chunk: i64,
}

/// The value that changes nothing.
fn neutral(operator: ReduceOperator, r#type: Type) -> Value {
    let (integer, float) = match operator {
        ReduceOperator::Add => (0, 0.0),
        ReduceOperator::Multiply => (1, 1.0),
        ReduceOperator::Minimum => (if r#type == Type::I32 { i64::from(i32::MAX) } else { i64::MAX }, f64::INFINITY),
        ReduceOperator::Maximum => (if r#type == Type::I32 { i64::from(i32::MIN) } else { i64::MIN }, f64::NEG_INFINITY),
        ReduceOperator::And => (-1, 0.0),
        ReduceOperator::Or => (0, 0.0),
    };
    match r#type {
        Type::I64 => Value::I64(integer),
        Type::I32 => Value::I32(integer as i32),
        Type::F64 => Value::F64(float),
        Type::F32 => Value::F32(float as f32),
        Type::Bool => Value::Bool(integer != 0),
    }
}
