//! *Program*: a checked, typed tree that keeps the parallel structure of its text.
//!
//! The checker makes it from the syntax with all parameters bound; `lower` makes Code from it. Names are resolved, conversions are
//! written out, array statements have become parallel loops, ranges over several variables have become nested loops (of a
//! `parallel for` the outermost is shared out). Every node keeps its span.

use serde::{Deserialize, Serialize};

use crate::base::diagnostic::{SourceText, Span};

/// The type of a value in a register or of an element in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    I64,
    I32,
    F64,
    F32,
    Bool,
}

impl Type {
    /// Bytes an element takes in memory.
    pub fn size(self) -> u32 {
        match self {
            Type::I64 | Type::F64 => 8,
            Type::I32 | Type::F32 => 4,
            Type::Bool => 1,
        }
    }

    /// Whether it is `f64` or `f32`.
    pub fn is_float(self) -> bool {
        matches!(self, Type::F64 | Type::F32)
    }

    /// The type as the notation writes it.
    pub fn name(self) -> &'static str {
        match self {
            Type::I64 => "i64",
            Type::I32 => "i32",
            Type::F64 => "f64",
            Type::F32 => "f32",
            Type::Bool => "bool",
        }
    }
}

/// A value of a known type.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Bool(bool),
    I64(i64),
    F64(f64),
    I32(i32),
    F32(f32),
}

impl Value {
    /// Its type.
    pub fn r#type(self) -> Type {
        match self {
            Value::Bool(_) => Type::Bool,
            Value::I64(_) => Type::I64,
            Value::F64(_) => Type::F64,
            Value::I32(_) => Type::I32,
            Value::F32(_) => Type::F32,
        }
    }

    /// Its bits as a register holds them: `i32` sign-extended, `f32` in the low half, `bool` 0 or 1.
    pub fn bits(self) -> u64 {
        match self {
            Value::Bool(value) => u64::from(value),
            Value::I64(value) => value as u64,
            Value::F64(value) => value.to_bits(),
            Value::I32(value) => i64::from(value) as u64,
            Value::F32(value) => u64::from(value.to_bits()),
        }
    }

    /// The value of `type` that a register with these bits holds.
    pub fn from_bits(r#type: Type, bits: u64) -> Value {
        match r#type {
            Type::Bool => Value::Bool(bits != 0),
            Type::I64 => Value::I64(bits as i64),
            Type::F64 => Value::F64(f64::from_bits(bits)),
            Type::I32 => Value::I32(bits as i32),
            Type::F32 => Value::F32(f32::from_bits(bits as u32)),
        }
    }
}

/// Names a variable in a register: an index into [`Program::locals`] (or [`RuntimeModule::locals`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalId(pub u32);

/// Names an object in memory: an index into [`Program::objects`] (or [`RuntimeModule::objects`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(pub u32);

/// Names a function: an index into [`Program::functions`] (or [`RuntimeModule::functions`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionId(pub u32);

/// A program with its parameters bound.
#[derive(Clone, Debug)]
pub struct Program {
    /// The text.
    pub source: SourceText,
    /// The comment lines at the top of the text, without `#`: the first is what the program teaches, in a sentence.
    pub summary: Vec<String>,
    /// Parameters in the order of the text, with the values in force.
    pub parameters: Vec<Parameter>,
    /// Everything that lives in memory.
    pub objects: Vec<Object>,
    /// Every variable that lives in a register.
    pub locals: Vec<Local>,
    /// The functions; each call is inlined by `lower`.
    pub functions: Vec<Function>,
    /// What runs untimed before each pass.
    pub setup: Vec<Statement>,
    /// What runs untimed behind the last pass, to bring together what the results are computed from.
    pub finish: Vec<Statement>,
    /// The timed part.
    pub body: Vec<Statement>,
    /// The values the program is judged by, computed untimed after the last pass.
    pub results: Vec<Expression>,
    /// Relative tolerance written with `result ... within`.
    pub within: Option<f64>,
    /// Whether a result passes through a float reduction, a float atomic or a float update under a lock, so that it depends on
    /// the order of additions and is compared within a tolerance.
    pub order_dependent: bool,
    /// Whether it speaks of ranks: then it runs once for each, with its own memory.
    pub uses_ranks: bool,
    /// Work the text claims.
    pub work: Option<Work>,
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: String,
    pub value: Value,
    /// What the text says, where something else is in force.
    pub default: Value,
    pub span: Span,
}

/// `work flops F bytes B`: what the text claims its timed part does.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub flops: i64,
    pub bytes: i64,
    pub span: Span,
}

/// A variable in a register.
#[derive(Clone, Debug)]
pub struct Local {
    pub name: String,
    pub r#type: Type,
    pub span: Span,
}

/// Something that lives in memory.
#[derive(Clone, Debug)]
pub struct Object {
    pub name: String,
    pub span: Span,
    pub kind: ObjectKind,
    /// Extents of each dimension, row major; `[1]` for a scalar or a single mutex.
    pub extents: Vec<u64>,
    /// Whether each element has a line of its own.
    pub padded: bool,
}

/// What an object is.
#[derive(Clone, Debug)]
pub enum ObjectKind {
    /// `array N: T[...] = initial`
    Array { element: Type, initial: Initial },
    /// `shared N: T = e`; `initial` is [`Initial::Elements`] without variables. Where a result reads a variable of the timed part, the
    /// variable is stored at the end of that part into a scalar of its name, which begins as [`Initial::Zero`].
    Shared { element: Type, initial: Initial },
    /// `mutex N[...]`: each element is an instance of the lock text.
    Mutex,
    /// `semaphore N[...] = e`: each element is an instance of the semaphore text, with `initial` bound to this value.
    Semaphore { initial: i64 },
}

/// Initial values.
#[derive(Clone, Debug)]
pub enum Initial {
    /// Zero, and untouched.
    Zero,
    /// An expression over the indices: `variables` has one local for each dimension (none for a scalar).
    Elements { variables: Vec<LocalId>, value: Expression },
    /// `random(lo, hi)`: uniform in `[lo, hi)`, a counter hash of seed, array and index.
    Random { low: Expression, high: Expression },
    /// `permutation()`: a random order of 0..n.
    Permutation,
    /// `cycle()`: element i names the next element of one random cycle through all (Sattolo 1986).
    Cycle,
}

/// `fn N(...) -> T { ... value }`
#[derive(Clone, Debug)]
pub struct Function {
    pub name: String,
    pub parameters: Vec<LocalId>,
    pub body: Vec<Statement>,
    /// The last expression, where the function has a type.
    pub value: Option<Expression>,
    pub span: Span,
}

/// A checked run-time text (`models/runtime/*.flynn`) with the names it may use bound: `value` to a type, `combine` to a reduction's
/// operator, and constants such as `initial`.
#[derive(Clone, Debug)]
pub struct RuntimeModule {
    pub source: SourceText,
    pub objects: Vec<Object>,
    pub locals: Vec<Local>,
    pub functions: Vec<Function>,
}

/// An element of an object in memory.
#[derive(Clone, Debug)]
pub struct Place {
    pub object: ObjectId,
    /// One `i64` index a dimension; empty for a scalar.
    pub indices: Vec<Expression>,
    pub span: Span,
}

/// `a[lo..hi, j, ..]`: a range or an index for each dimension.
#[derive(Clone, Debug)]
pub struct Slice {
    pub object: ObjectId,
    pub dimensions: Vec<SliceDimension>,
    pub span: Span,
}

/// One dimension of a slice.
#[derive(Clone, Debug)]
pub enum SliceDimension {
    Index(Expression),
    Range { low: Expression, high: Expression },
}

/// A typed expression.
#[derive(Clone, Debug)]
pub struct Expression {
    pub kind: ExpressionKind,
    pub r#type: Type,
    pub span: Span,
}

impl Expression {
    /// The value of a constant `i64`.
    pub fn known_integer(&self) -> Option<i64> {
        match self.kind {
            ExpressionKind::Constant(Value::I64(value)) => Some(value),
            _ => None,
        }
    }
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum ExpressionKind {
    Constant(Value),
    Local(LocalId),
    /// The number of the thread in its team, from 0; 0 outside a team.
    Thread,
    /// How many threads the team has; outside a team, how many the next one will have.
    Threads,
    /// The number of the rank, from 0.
    Rank,
    Load(Place),
    AtomicLoad(Place, Order),
    Unary(UnaryOperator, Box<Expression>),
    /// Both operands have the expression's type (but a shift's count, which is i64).
    Binary(BinaryOperator, Box<Expression>, Box<Expression>),
    /// Both operands have one type; the value is `bool`.
    Compare(Comparison, Box<Expression>, Box<Expression>),
    /// Short-circuit.
    And(Box<Expression>, Box<Expression>),
    /// Short-circuit.
    Or(Box<Expression>, Box<Expression>),
    /// To the expression's type, from any: a bool is 0 or 1, float to integer saturates and takes NaN to 0, `i64` to `i32` wraps.
    Convert(Box<Expression>),
    /// `fma(a, b, c)`: a * b + c rounded once.
    FusedMultiplyAdd(Box<Expression>, Box<Expression>, Box<Expression>),
    /// `random(counter)`: an i64 from 0 to 2^63 - 1, a hash of the seed and the counter.
    Random(Box<Expression>),
    /// The old value comes back.
    ReadModifyWrite {
        operation: UpdateOperation,
        place: Place,
        operand: Box<Expression>,
        order: Order,
    },
    /// `compare_exchange(place, expected, desired)`: the old value comes back.
    CompareExchange {
        place: Place,
        expected: Box<Expression>,
        desired: Box<Expression>,
        order: Order,
    },
    /// `sum(slice)`: in index order.
    Sum(Slice),
    Call {
        function: FunctionId,
        arguments: Vec<Expression>,
    },
}

/// Operators with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOperator {
    Negate,
    /// Of a bool, or of every bit of an integer.
    Not,
    Absolute,
    SquareRoot,
    Sine,
    Cosine,
    Exponential,
    Logarithm,
}

/// Operators with two operands of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOperator {
    Add,
    Subtract,
    Multiply,
    /// Integers: rounds towards minus infinity, and a zero divisor is an error.
    Divide,
    /// Integers only: has the sign of the divisor, so that `a == (a / b) * b + a % b`.
    Remainder,
    /// `a < b ? a : b`
    Minimum,
    /// `a > b ? a : b`
    Maximum,
    And,
    Or,
    Xor,
    /// The count is taken modulo the width.
    ShiftLeft,
    /// Arithmetic; the count is taken modulo the width.
    ShiftRight,
}

/// Comparisons; on floats, all but `NotEqual` are false where an operand is NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// Memory orders of synchronising operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    Relaxed,
    Acquire,
    Release,
    SequentiallyConsistent,
}

/// What an atomic operation does to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpdateOperation {
    /// Stores the operand.
    Exchange,
    Add,
    Minimum,
    Maximum,
    And,
    Or,
    Xor,
}

/// Operators of `reduce`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceOperator {
    Add,
    Multiply,
    Minimum,
    Maximum,
    And,
    Or,
}

/// How iterations are dealt to threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The schedule text's name without `schedule-`: `static`, `dynamic`, ...
    pub kind: String,
    /// Iterations a chunk, where the program says.
    pub chunk: Option<i64>,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Statement {
    pub kind: StatementKind,
    pub span: Span,
}

/// What a statement is.
#[derive(Clone, Debug)]
pub enum StatementKind {
    /// Declares a local, or gives it a new value.
    Assign {
        local: LocalId,
        value: Expression,
    },
    Store {
        place: Place,
        value: Expression,
    },
    /// `place op= value`: the index is computed once, then a load, the operator, a store.
    Update {
        place: Place,
        operator: BinaryOperator,
        value: Expression,
    },
    If {
        condition: Expression,
        then: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    While {
        condition: Expression,
        body: Vec<Statement>,
    },
    /// `for v in low..high by step`: bounds are computed once; step is a constant other than 0.
    For {
        variable: LocalId,
        low: Expression,
        high: Expression,
        step: i64,
        body: Vec<Statement>,
    },
    /// Iterations are shared among the team's threads (a new team of all threads, or the one it stands in); ends with a barrier.
    ParallelFor(Box<ParallelFor>),
    /// A team: the body runs once on each thread; ends with a join. `size` is how many threads, all by default.
    Parallel {
        size: Option<Expression>,
        body: Vec<Statement>,
    },
    Barrier,
    /// `atomic place op e`
    Atomic {
        place: Place,
        operation: UpdateOperation,
        value: Expression,
        order: Order,
    },
    /// `await place comparison value`: sleeps until it holds; `value` is computed once. Acquires.
    Await {
        place: Place,
        comparison: Comparison,
        value: Expression,
    },
    Fence,
    /// `lock NAME { ... }`
    Lock {
        place: Place,
        body: Vec<Statement>,
    },
    /// Of a semaphore.
    Acquire {
        place: Place,
    },
    /// Of a semaphore.
    Release {
        place: Place,
    },
    /// `send`, `recv`, `exchange`: all are started in order, then waited for.
    Transfer(Vec<Transfer>),
    /// `start send`, `start recv`: goes on at once.
    Start {
        transfer: Box<Transfer>,
        handle: Option<LocalId>,
    },
    /// `wait h`, `wait all` (without a handle).
    WaitForMessages {
        handle: Option<LocalId>,
    },
    /// `broadcast`, `reduce`, `gather` and their like: something all ranks do together.
    Collective(Box<Collective>),
    /// As many dependent integer operations as the value says.
    Busy(Expression),
    /// A call for its effect; `value` is a [`ExpressionKind::Call`].
    Call(Expression),
}

/// A statement that every rank comes to, each with slices of its own.
#[derive(Clone, Debug)]
pub struct Collective {
    pub operation: CollectiveOperation,
    /// As many as [`CollectiveOperation::slices`], of one type, each one piece of memory.
    pub slices: Vec<Slice>,
    /// Type of the elements.
    pub element: Type,
    /// The one rank that differs from the others, where there is one.
    pub root: Option<Expression>,
    /// Of a reduction.
    pub operator: Option<ReduceOperator>,
}

/// What ranks do together; `part` and `whole` are slices, and `whole` is as long as the parts of all ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CollectiveOperation {
    /// The root's slice goes to all.
    Broadcast,
    /// The slices of all are combined element by element into the root's.
    Reduce,
    /// The same, into everyone's.
    AllReduce,
    /// Each rank's part goes into the root's whole, in the order of the ranks.
    Gather,
    /// The same, into everyone's.
    AllGather,
    /// Each rank gets its part of the root's whole.
    Scatter,
    /// Part `r` of each rank's first whole goes to rank `r`, which puts it where the sender's number says.
    AllToAll,
    /// Nobody goes on before all have come.
    Barrier,
}

impl CollectiveOperation {
    /// All of them.
    pub const ALL: [CollectiveOperation; 8] = [
        CollectiveOperation::Broadcast,
        CollectiveOperation::Reduce,
        CollectiveOperation::AllReduce,
        CollectiveOperation::Gather,
        CollectiveOperation::AllGather,
        CollectiveOperation::Scatter,
        CollectiveOperation::AllToAll,
        CollectiveOperation::Barrier,
    ];

    /// Its name in `[runtime.collectives]` and in the names of run-time texts.
    pub fn name(self) -> &'static str {
        match self {
            CollectiveOperation::Broadcast => "broadcast",
            CollectiveOperation::Reduce => "reduce",
            CollectiveOperation::AllReduce => "allreduce",
            CollectiveOperation::Gather => "gather",
            CollectiveOperation::AllGather => "allgather",
            CollectiveOperation::Scatter => "scatter",
            CollectiveOperation::AllToAll => "alltoall",
            CollectiveOperation::Barrier => "barrier",
        }
    }

    /// The algorithm where nothing is said: one whose time grows least with the ranks.
    pub fn usual_algorithm(self) -> &'static str {
        match self {
            CollectiveOperation::Broadcast
            | CollectiveOperation::Reduce
            | CollectiveOperation::Gather
            | CollectiveOperation::Scatter => "binomial-tree",
            CollectiveOperation::AllReduce => "recursive-doubling",
            CollectiveOperation::AllGather => "ring",
            CollectiveOperation::AllToAll => "pairwise",
            CollectiveOperation::Barrier => "dissemination",
        }
    }

    /// What a run-time text calls the slices it is given.
    pub fn slices(self) -> &'static [&'static str] {
        match self {
            CollectiveOperation::Broadcast | CollectiveOperation::Reduce | CollectiveOperation::AllReduce => &["data"],
            CollectiveOperation::Gather | CollectiveOperation::AllGather => &["part", "whole"],
            CollectiveOperation::Scatter => &["whole", "part"],
            CollectiveOperation::AllToAll => &["outgoing", "incoming"],
            CollectiveOperation::Barrier => &[],
        }
    }

    /// The same, as run-time texts are checked with.
    pub fn borrowed(self) -> Vec<String> {
        self.slices().iter().map(ToString::to_string).collect()
    }

    /// What a run-time text of this file is for, where it is for a collective.
    pub fn of_text(file: &str) -> Option<CollectiveOperation> {
        let name = file.rsplit(['/', '\\']).next().unwrap_or(file).strip_prefix("collective-")?;
        CollectiveOperation::ALL
            .into_iter()
            .find(|operation| name.strip_prefix(operation.name()).is_some_and(|rest| rest.starts_with('-')))
    }

    /// Whether a slice is as long as the parts of all ranks.
    pub fn is_whole(self, slice: usize) -> bool {
        match self {
            CollectiveOperation::AllToAll => true,
            _ => self.slices()[slice] == "whole",
        }
    }
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    Send,
    Receive,
}

/// One end of a message.
#[derive(Clone, Debug)]
pub struct Transfer {
    pub direction: Direction,
    /// One piece of memory: no range stands behind the first but whole dimensions. A scalar has no dimensions.
    pub slice: Slice,
    /// The rank at the other end.
    pub peer: Expression,
    pub tag: Expression,
}

/// A loop whose iterations are shared out.
#[derive(Clone, Debug)]
pub struct ParallelFor {
    pub variable: LocalId,
    pub low: Expression,
    pub high: Expression,
    pub step: i64,
    pub reductions: Vec<Reduction>,
    /// `None`: as `[runtime]` says.
    pub schedule: Option<Schedule>,
    pub body: Vec<Statement>,
}

/// `reduce(op: NAME)`: in the loop the name means the thread's own copy, which starts at the neutral element.
#[derive(Clone, Debug)]
pub struct Reduction {
    pub operator: ReduceOperator,
    pub target: ObjectId,
    /// The thread's own copy.
    pub private: LocalId,
    pub span: Span,
}
