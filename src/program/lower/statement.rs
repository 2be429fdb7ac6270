//! Statements.

use super::graph::{Exit, Operand};
use super::{Failure, Lowering};
use crate::program::code::{Synchronisation, SynchronisationKind, ZERO};
use crate::program::tree::{
    BinaryOperator, Comparison, Expression, ExpressionKind, LocalId, Order, Place, Statement, StatementKind, Type, UpdateOperation,
};

impl Lowering<'_> {
    pub(super) fn statements(&mut self, statements: &[Statement]) -> Result<(), Failure> {
        for statement in statements {
            self.check_size(statement.span)?;
            self.at(statement.span);
            self.statement(statement)?;
        }
        Ok(())
    }

    /// Runs `body` in a scope of its own: what it binds is forgotten at its end.
    pub(super) fn scoped<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        let outer = self.unit.scope.len();
        let result = body(self);
        for local in self.unit.scope.drain(outer..) {
            self.unit.bindings[local.0 as usize] = None;
        }
        result
    }

    fn block(&mut self, statements: &[Statement]) -> Result<(), Failure> {
        self.scoped(|lowering| lowering.statements(statements))
    }

    /// Makes a local stand for an operand until the scope ends.
    pub(super) fn bind(&mut self, local: LocalId, operand: Operand) {
        self.unit.bindings[local.0 as usize] = Some(operand);
        self.unit.scope.push(local);
    }

    fn statement(&mut self, statement: &Statement) -> Result<(), Failure> {
        match &statement.kind {
            StatementKind::Assign { local, value } => self.assign(*local, value),
            StatementKind::Store { place, value } => {
                let value = self.expression(value, None)?;
                let element = self.element(place)?;
                self.at(statement.span);
                self.store(element, value);
                Ok(())
            }
            StatementKind::Update { place, operator, value } => self.update(statement, place, *operator, value),
            StatementKind::If { condition, then, otherwise } => self.choose(condition, then, otherwise),
            StatementKind::While { condition, body } => self.repeat(condition, body),
            StatementKind::For { variable, low, high, step, body } => {
                let bounds = [self.expression(low, None)?, self.expression(high, None)?];
                self.at(statement.span);
                self.counted(*variable, bounds, *step, body)
            }
            StatementKind::ParallelFor(work) => self.parallel_for(work, statement.span),
            StatementKind::Parallel { size, body } => self.parallel(size.as_ref(), body, statement.span),
            StatementKind::Collective(collective) => self.collective(collective, statement.span),
            StatementKind::Barrier => self.barrier(),
            StatementKind::Atomic { place, operation, value, order } => {
                let value = self.expression(value, None)?;
                let element = self.element(place)?;
                let kind = match operation {
                    UpdateOperation::Exchange => SynchronisationKind::Store,
                    _ => SynchronisationKind::ReadModifyWrite(*operation),
                };
                self.at(statement.span);
                self.atomic(kind, *order, element, ZERO, value, Operand::Constant(0));
                Ok(())
            }
            StatementKind::Await { place, comparison, value } => self.wait_until(statement, place, *comparison, value),
            StatementKind::Fence => {
                self.fence();
                Ok(())
            }
            StatementKind::Lock { place, body } => self.lock(statement, place, body),
            StatementKind::Acquire { place } => self.call_instance(statement, place, "acquire"),
            StatementKind::Release { place } => self.call_instance(statement, place, "release"),
            StatementKind::Transfer(transfers) => self.transfer(statement.span, transfers),
            StatementKind::Start { transfer, handle } => self.start_message(statement.span, transfer, *handle),
            StatementKind::WaitForMessages { handle } => self.wait_for_messages(*handle, statement.span),
            StatementKind::Busy(count) => {
                let count = self.expression(count, None)?;
                self.at(statement.span);
                let count = self.register(count, Type::I64);
                let next = self.new_block();
                self.end(Exit::Busy { count, next });
                self.start(next);
                Ok(())
            }
            StatementKind::Call(call) => {
                if let ExpressionKind::Call { function, arguments } = &call.kind {
                    self.call(*function, arguments, None)?;
                }
                Ok(())
            }
        }
    }

    fn assign(&mut self, local: LocalId, value: &Expression) -> Result<(), Failure> {
        if let Some(Operand::Register(register)) = self.unit.bindings[local.0 as usize] {
            let value = self.expression(value, Some(register))?;
            self.copy_into(register, value);
        } else if self.unit.text.assignments[local.0 as usize] == 1 {
            // It never changes again, so it can stand for whatever holds the value.
            let r#type = value.r#type;
            let value = self.expression(value, None)?;
            let value = self.stable(value, r#type);
            self.bind(local, value);
        } else {
            let register = self.fresh_variable(value.r#type);
            let value = self.expression(value, Some(register))?;
            self.copy_into(register, value);
            self.bind(local, Operand::Register(register));
        }
        Ok(())
    }

    /// `place operator= value`: the index once, then a load, the value, the operator, a store.
    fn update(
        &mut self,
        statement: &Statement,
        place: &Place,
        operator: BinaryOperator,
        value: &Expression,
    ) -> Result<(), Failure> {
        let element = self.element(place)?;
        let old = Operand::Register(self.load(element, None));
        let value = self.expression(value, None)?;
        self.at(statement.span);
        let new = self.binary(element.r#type, operator, old, value, None);
        self.store(element, new);
        Ok(())
    }

    fn choose(&mut self, condition: &Expression, then: &[Statement], otherwise: &[Statement]) -> Result<(), Failure> {
        let [first, second, after] = [self.new_block(), self.new_block(), self.new_block()];
        self.condition(condition, first, second)?;
        for (block, statements) in [(first, then), (second, otherwise)] {
            self.start(block);
            self.block(statements)?;
            self.end(Exit::Jump(after));
        }
        self.start(after);
        Ok(())
    }

    /// `while`: rotated, with the condition before the loop and again at its end, where it is short; a condition that calls stays
    /// at the top, or nested conditions would double with each level.
    fn repeat(&mut self, condition: &Expression, body: &[Statement]) -> Result<(), Failure> {
        let [preheader, first, after] = [self.new_block(), self.new_block(), self.new_block()];
        if has_call(condition) {
            self.end(Exit::Jump(preheader));
            self.start(preheader);
            let head = self.new_block();
            self.jump_and_start(head);
            self.condition(condition, first, after)?;
            self.start(first);
            self.block(body)?;
            self.end(Exit::Jump(head));
        } else {
            self.condition(condition, preheader, after)?;
            self.start(preheader);
            self.jump_and_start(first);
            self.block(body)?;
            self.condition(condition, first, after)?;
        }
        self.start(after);
        Ok(())
    }

    /// A counted loop over a local, which its body does not assign.
    pub(super) fn counted(&mut self, local: LocalId, bounds: [Operand; 2], step: i64, body: &[Statement]) -> Result<(), Failure> {
        self.counted_loop(bounds, step, |lowering, variable| {
            lowering.scoped(|lowering| {
                lowering.bind(local, Operand::Register(variable));
                lowering.statements(body)
            })
        })
    }

    fn wait_until(
        &mut self,
        statement: &Statement,
        place: &Place,
        comparison: Comparison,
        value: &Expression,
    ) -> Result<(), Failure> {
        let value = self.expression(value, None)?;
        let element = self.element(place)?;
        self.at(statement.span);
        let kind = SynchronisationKind::Await(comparison);
        self.atomic(kind, Order::Acquire, element, ZERO, value, Operand::Constant(0));
        Ok(())
    }

    fn fence(&mut self) {
        self.synchronise(Synchronisation {
            kind: SynchronisationKind::Fence,
            order: Order::SequentiallyConsistent,
            array: 0,
            index: ZERO,
            constant: 0,
            to: ZERO,
            operand: ZERO,
            expected: ZERO,
        });
    }

    fn lock(&mut self, statement: &Statement, place: &Place, body: &[Statement]) -> Result<(), Failure> {
        let (module, record) = self.instance(place)?;
        self.at(statement.span);
        self.run(&module, record, "acquire", &[])?;
        self.block(body)?;
        self.at(statement.span);
        self.run(&module, record, "release", &[])?;
        Ok(())
    }

    fn call_instance(&mut self, statement: &Statement, place: &Place, function: &str) -> Result<(), Failure> {
        let (module, record) = self.instance(place)?;
        self.at(statement.span);
        self.run(&module, record, function, &[])?;
        Ok(())
    }
}

fn has_call(expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::Call { .. } => true,
        ExpressionKind::Unary(_, a) | ExpressionKind::Convert(a) | ExpressionKind::Random(a) => has_call(a),
        ExpressionKind::Binary(_, a, b)
        | ExpressionKind::Compare(_, a, b)
        | ExpressionKind::And(a, b)
        | ExpressionKind::Or(a, b) => has_call(a) || has_call(b),
        ExpressionKind::FusedMultiplyAdd(a, b, c) => has_call(a) || has_call(b) || has_call(c),
        ExpressionKind::Load(place) | ExpressionKind::AtomicLoad(place, _) => place.indices.iter().any(has_call),
        ExpressionKind::ReadModifyWrite { .. } | ExpressionKind::CompareExchange { .. } | ExpressionKind::Sum(_) => true,
        ExpressionKind::Constant(_)
        | ExpressionKind::Local(_)
        | ExpressionKind::Thread
        | ExpressionKind::Threads
        | ExpressionKind::Rank => false,
    }
}
