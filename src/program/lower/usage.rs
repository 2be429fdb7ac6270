//! What statements read, write and assign, found by walking the tree.

use std::collections::BTreeSet;

use crate::program::tree::{
    Collective, Direction, Expression, ExpressionKind, Function, FunctionId, LocalId, ObjectId, Place, Program, Slice,
    SliceDimension, Statement, StatementKind, Transfer,
};

/// What a walk meets.
trait Visitor {
    fn local_read(&mut self, _local: LocalId) {}
    fn local_written(&mut self, _local: LocalId) {}
    fn object_read(&mut self, _object: ObjectId) {}
    fn object_written(&mut self, _object: ObjectId) {}
    fn called(&mut self, _function: FunctionId) {}
}

fn visit_statements(statements: &[Statement], visitor: &mut impl Visitor) {
    for statement in statements {
        visit_statement(statement, visitor);
    }
}

fn visit_statement(statement: &Statement, visitor: &mut impl Visitor) {
    match &statement.kind {
        StatementKind::Assign { local, value } => {
            visit_expression(value, visitor);
            visitor.local_written(*local);
        }
        StatementKind::Store { place, value } => {
            visit_expression(value, visitor);
            visit_place(place, visitor);
            visitor.object_written(place.object);
        }
        StatementKind::Update { place, value, .. } | StatementKind::Atomic { place, value, .. } => {
            visit_expression(value, visitor);
            visit_place(place, visitor);
            visitor.object_read(place.object);
            visitor.object_written(place.object);
        }
        StatementKind::If { condition, then, otherwise } => {
            visit_expression(condition, visitor);
            visit_statements(then, visitor);
            visit_statements(otherwise, visitor);
        }
        StatementKind::While { condition, body } => {
            visit_expression(condition, visitor);
            visit_statements(body, visitor);
        }
        StatementKind::For { low, high, body, .. } => {
            visit_expression(low, visitor);
            visit_expression(high, visitor);
            visit_statements(body, visitor);
        }
        StatementKind::ParallelFor(work) => {
            visit_expression(&work.low, visitor);
            visit_expression(&work.high, visitor);
            for reduction in &work.reductions {
                visitor.object_read(reduction.target);
                visitor.object_written(reduction.target);
            }
            visit_statements(&work.body, visitor);
        }
        StatementKind::Parallel { size, body } => {
            size.iter().for_each(|size| visit_expression(size, visitor));
            visit_statements(body, visitor);
        }
        StatementKind::Await { place, value, .. } => {
            visit_place(place, visitor);
            visitor.object_read(place.object);
            visit_expression(value, visitor);
        }
        StatementKind::Lock { place, body } => {
            visit_place(place, visitor);
            visit_statements(body, visitor);
        }
        StatementKind::Acquire { place } | StatementKind::Release { place } => visit_place(place, visitor),
        StatementKind::Transfer(transfers) => transfers.iter().for_each(|transfer| visit_transfer(transfer, visitor)),
        StatementKind::Start { transfer, handle } => {
            visit_transfer(transfer, visitor);
            handle.iter().for_each(|&handle| visitor.local_written(handle));
        }
        StatementKind::WaitForMessages { handle } => handle.iter().for_each(|&handle| visitor.local_read(handle)),
        StatementKind::Collective(collective) => visit_collective(collective, visitor),
        StatementKind::Busy(value) | StatementKind::Call(value) => visit_expression(value, visitor),
        StatementKind::Barrier | StatementKind::Fence => {}
    }
}

fn visit_place(place: &Place, visitor: &mut impl Visitor) {
    place.indices.iter().for_each(|index| visit_expression(index, visitor));
}

fn visit_transfer(transfer: &Transfer, visitor: &mut impl Visitor) {
    visit_dimensions(&transfer.slice, visitor);
    match transfer.direction {
        Direction::Send => visitor.object_read(transfer.slice.object),
        Direction::Receive => visitor.object_written(transfer.slice.object),
    }
    visit_expression(&transfer.peer, visitor);
    visit_expression(&transfer.tag, visitor);
}

fn visit_collective(collective: &Collective, visitor: &mut impl Visitor) {
    for slice in &collective.slices {
        visit_dimensions(slice, visitor);
    }
    // Of two slices the second is written; a single one is both.
    collective.slices.first().iter().for_each(|slice| visitor.object_read(slice.object));
    collective.slices.last().iter().for_each(|slice| visitor.object_written(slice.object));
    collective.root.iter().for_each(|root| visit_expression(root, visitor));
}

fn visit_dimensions(slice: &Slice, visitor: &mut impl Visitor) {
    for dimension in &slice.dimensions {
        match dimension {
            SliceDimension::Index(index) => visit_expression(index, visitor),
            SliceDimension::Range { low, high } => {
                visit_expression(low, visitor);
                visit_expression(high, visitor);
            }
        }
    }
}

fn visit_expression(expression: &Expression, visitor: &mut impl Visitor) {
    match &expression.kind {
        ExpressionKind::Constant(_) | ExpressionKind::Thread | ExpressionKind::Threads | ExpressionKind::Rank => {}
        ExpressionKind::Local(local) => visitor.local_read(*local),
        ExpressionKind::Load(place) | ExpressionKind::AtomicLoad(place, _) => {
            visit_place(place, visitor);
            visitor.object_read(place.object);
        }
        ExpressionKind::Unary(_, a) | ExpressionKind::Convert(a) | ExpressionKind::Random(a) => visit_expression(a, visitor),
        ExpressionKind::Binary(_, a, b)
        | ExpressionKind::Compare(_, a, b)
        | ExpressionKind::And(a, b)
        | ExpressionKind::Or(a, b) => {
            visit_expression(a, visitor);
            visit_expression(b, visitor);
        }
        ExpressionKind::FusedMultiplyAdd(a, b, c) => {
            for operand in [a, b, c] {
                visit_expression(operand, visitor);
            }
        }
        ExpressionKind::ReadModifyWrite { place, operand, .. } => {
            visit_place(place, visitor);
            visit_expression(operand, visitor);
            visitor.object_read(place.object);
            visitor.object_written(place.object);
        }
        ExpressionKind::CompareExchange { place, expected, desired, .. } => {
            visit_place(place, visitor);
            visit_expression(expected, visitor);
            visit_expression(desired, visitor);
            visitor.object_read(place.object);
            visitor.object_written(place.object);
        }
        ExpressionKind::Sum(slice) => {
            visitor.object_read(slice.object);
            visit_dimensions(slice, visitor);
        }
        ExpressionKind::Call { function, arguments } => {
            arguments.iter().for_each(|argument| visit_expression(argument, visitor));
            visitor.called(*function);
        }
    }
}

struct Assignments(Vec<u32>);

impl Visitor for Assignments {
    fn local_written(&mut self, local: LocalId) {
        self.0[local.0 as usize] += 1;
    }
}

/// How often each local of a text is assigned, over all its functions and bodies.
pub(super) fn assignments(n_locals: usize, functions: &[Function], bodies: &[&[Statement]]) -> Vec<u32> {
    let mut counts = Assignments(vec![0; n_locals]);
    for body in functions.iter().map(|function| function.body.as_slice()).chain(bodies.iter().copied()) {
        visit_statements(body, &mut counts);
    }
    counts.0
}

struct Reads(BTreeSet<LocalId>);

impl Visitor for Reads {
    fn local_read(&mut self, local: LocalId) {
        self.0.insert(local);
    }
}

/// The locals that statements read, in order.
pub(super) fn locals_read(statements: &[Statement]) -> BTreeSet<LocalId> {
    let mut reads = Reads(BTreeSet::new());
    visit_statements(statements, &mut reads);
    reads.0
}

/// Which objects statements read and write, calls included.
struct Accesses<'a> {
    functions: &'a [Function],
    called: Vec<bool>,
    read: Vec<bool>,
    written: Vec<bool>,
    /// Functions still to be walked.
    open: Vec<FunctionId>,
}

impl Visitor for Accesses<'_> {
    fn object_read(&mut self, object: ObjectId) {
        self.read[object.0 as usize] = true;
    }

    fn object_written(&mut self, object: ObjectId) {
        self.written[object.0 as usize] = true;
    }

    fn called(&mut self, function: FunctionId) {
        if !std::mem::replace(&mut self.called[function.0 as usize], true) {
            self.open.push(function);
        }
    }
}

/// For each object whether a pass (setup and timed part) both reads and writes it, so that a second pass would find what the first
/// left there.
pub(super) fn carried_over(program: &Program) -> Vec<bool> {
    let n_objects = program.objects.len();
    let mut accesses = Accesses {
        functions: &program.functions,
        called: vec![false; program.functions.len()],
        read: vec![false; n_objects],
        written: vec![false; n_objects],
        open: Vec::new(),
    };
    visit_statements(&program.setup, &mut accesses);
    visit_statements(&program.body, &mut accesses);
    // Where a program is run again and again, `finish` stands between two passes.
    visit_statements(&program.finish, &mut accesses);
    while let Some(function) = accesses.open.pop() {
        let function = &accesses.functions[function.0 as usize];
        visit_statements(&function.body, &mut accesses);
        function.value.iter().for_each(|value| visit_expression(value, &mut accesses));
    }
    accesses.read.iter().zip(&accesses.written).map(|(&read, &written)| read && written).collect()
}
