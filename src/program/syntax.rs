//! The syntax tree: what a text says, before any name is looked up.
//!
//! [`parse`](crate::program::parse::parse) makes it, [`check`](crate::program::check) reads it. Every node keeps its span. Depth is
//! bounded by the parser ([`MAXIMUM_DEPTH`](crate::program::parse::MAXIMUM_DEPTH)), so that walking the tree by recursion is safe.

use crate::base::diagnostic::Span;
use crate::program::tree;

/// A whole text.
#[derive(Clone, Debug)]
pub struct File {
    /// The comment lines at the top, without `#`.
    pub summary: Vec<String>,
    /// Declarations and statements in the order of the text.
    pub items: Vec<Item>,
}

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub text: String,
    pub span: Span,
}

/// A declaration or a statement at the top level.
#[derive(Clone, Debug)]
pub struct Item {
    pub kind: ItemKind,
    pub span: Span,
}

/// What stands at the top level.
#[derive(Clone, Debug)]
pub enum ItemKind {
    /// `param N = literal`
    Parameter {
        name: Name,
        value: Literal,
    },
    /// `require e`
    Require(Expression),
    /// `setup { ... }`
    Setup(Block),
    /// `finish { ... }`: untimed, behind the timed part.
    Finish(Block),
    /// `array N: T[e, ...] = initial padded`
    Array {
        name: Name,
        element: Name,
        extents: Vec<Expression>,
        initial: Option<Expression>,
        padded: bool,
    },
    /// `shared N: T = e`
    Shared {
        name: Name,
        element: Name,
        initial: Expression,
    },
    /// `mutex N[e] = e` and its relatives.
    Synchroniser {
        kind: SynchroniserKind,
        name: Name,
        count: Option<Expression>,
        initial: Option<Expression>,
    },
    /// `queue N: T[capacity]`
    Queue {
        name: Name,
        element: Name,
        capacity: Expression,
    },
    /// `fn N(...) -> T { ... }`
    Function(Function),
    /// `result e, ... within number`
    Result {
        values: Vec<Expression>,
        within: Option<Literal>,
    },
    /// `work flops e bytes e`
    Work {
        flops: Expression,
        bytes: Expression,
    },
    Statement(Statement),
}

/// Objects that threads meet at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SynchroniserKind {
    Mutex,
    ReadWriteLock,
    Semaphore,
    Condition,
}

/// `fn N(N: T, ...) -> T { ... }`
#[derive(Clone, Debug)]
pub struct Function {
    pub name: Name,
    /// Names and types.
    pub parameters: Vec<(Name, Name)>,
    pub value: Option<Name>,
    pub body: Block,
}

/// `{ ... }`
#[derive(Clone, Debug)]
pub struct Block {
    pub statements: Vec<Statement>,
    /// Both braces included.
    pub span: Span,
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
    /// `let N = e`
    Let {
        name: Name,
        value: Expression,
    },
    /// `place = e`, `place += e`, ...: with a slice on the left an array statement.
    Assign {
        place: Expression,
        operator: Option<tree::BinaryOperator>,
        value: Expression,
    },
    If {
        condition: Expression,
        then: Block,
        otherwise: Option<Block>,
    },
    While {
        condition: Expression,
        body: Block,
    },
    For {
        ranges: Vec<Range>,
        body: Block,
    },
    /// `for N in QUEUE { ... }`
    ForQueue {
        variable: Name,
        queue: Name,
        body: Block,
    },
    ParallelFor {
        ranges: Vec<Range>,
        clauses: Vec<Clause>,
        body: Block,
    },
    Parallel {
        size: Option<Expression>,
        body: Block,
    },
    Barrier,
    /// `atomic place op e order`; without an operator it stores.
    Atomic {
        place: Expression,
        operator: Option<tree::BinaryOperator>,
        value: Expression,
        order: Option<OrderWord>,
    },
    Await(Expression),
    Fence,
    Lock {
        place: Expression,
        reading: bool,
        body: Block,
    },
    Acquire(Expression),
    Release(Expression),
    /// Of a message, a task or a condition.
    Wait(Expression),
    WaitAll,
    Signal(Expression),
    Put {
        queue: Name,
        value: Expression,
    },
    Close(Name),
    /// `let h = spawn f(...)`
    Spawn {
        handle: Option<Name>,
        call: Expression,
    },
    /// `start` makes it return at once; `let h = start send ...` names what to wait for.
    Send {
        start: bool,
        handle: Option<Name>,
        slice: Expression,
        to: Expression,
        tag: Option<Expression>,
    },
    Receive {
        start: bool,
        handle: Option<Name>,
        slice: Expression,
        from: Expression,
        tag: Option<Expression>,
    },
    Exchange {
        send: Expression,
        to: Expression,
        receive: Expression,
        from: Expression,
    },
    Broadcast {
        slice: Expression,
        from: Expression,
    },
    /// `reduce(op) slice to e`; with `all` every rank has the value.
    Reduce {
        all: bool,
        operator: ReduceWord,
        slice: Expression,
        to: Option<Expression>,
    },
    /// `gather slice into slice at e` and its relatives.
    Collective {
        kind: CollectiveKind,
        slice: Expression,
        into: Expression,
        at: Option<Expression>,
    },
    Pipeline(Box<Pipeline>),
    /// `on accelerator copy in(...) out(...) { ... }`
    Accelerator {
        copy_in: Vec<Name>,
        copy_out: Vec<Name>,
        body: Block,
    },
    Busy(Expression),
    Sleep(Expression),
    /// A call for its effect, or the value of a function.
    Expression(Expression),
}

/// Collectives that move a slice into a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectiveKind {
    Gather,
    Scatter,
    AllToAll,
}

/// `pipeline N in low..high depth e { stages }`
#[derive(Clone, Debug)]
pub struct Pipeline {
    pub range: Range,
    pub depth: Option<Expression>,
    pub stages: Vec<Stage>,
}

/// `stage N keep N = e times e { ... }`
#[derive(Clone, Debug)]
pub struct Stage {
    pub name: Option<Name>,
    pub keep: Vec<(Name, Expression)>,
    pub times: Option<Expression>,
    pub body: Block,
}

/// `N in low..high by step`
#[derive(Clone, Debug)]
pub struct Range {
    pub variable: Name,
    pub low: Expression,
    pub high: Expression,
    pub step: Option<Expression>,
}

/// What may follow the ranges of a `parallel for`.
#[derive(Clone, Debug)]
pub struct Clause {
    pub kind: ClauseKind,
    pub span: Span,
}

/// What a clause says.
#[derive(Clone, Debug)]
pub enum ClauseKind {
    /// `reduce(op: N, ...)`
    Reduce { operator: ReduceWord, names: Vec<Name> },
    /// `schedule(kind, chunk)`
    Schedule { kind: Name, chunk: Option<Expression> },
}

/// The operator of a reduction and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct ReduceWord {
    pub operator: tree::ReduceOperator,
    pub span: Span,
}

/// A memory order and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct OrderWord {
    pub order: tree::Order,
    pub span: Span,
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expression {
    pub kind: ExpressionKind,
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum ExpressionKind {
    Literal(LiteralValue),
    Name(String),
    /// `a[i, lo..hi]`
    Index {
        base: Name,
        indices: Vec<Index>,
    },
    Call {
        function: Name,
        arguments: Vec<Expression>,
    },
    Unary(UnaryOperator, Box<Expression>),
    Binary(BinaryOperator, Box<Expression>, Box<Expression>),
    /// `atomic place order`
    Atomic {
        place: Box<Expression>,
        order: Option<OrderWord>,
    },
    /// `wait h`: the value of a task.
    Wait(Box<Expression>),
}

/// One dimension of an index.
#[derive(Clone, Debug)]
pub enum Index {
    At(Expression),
    /// A missing end is the dimension's own.
    Range {
        low: Option<Expression>,
        high: Option<Expression>,
        span: Span,
    },
}

/// Operators with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    Negate,
    Not,
}

/// Operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOperator {
    Arithmetic(tree::BinaryOperator),
    Comparison(tree::Comparison),
    And,
    Or,
}

/// A literal, its sign included, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Literal {
    pub value: LiteralValue,
    pub span: Span,
}

/// The value of a literal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LiteralValue {
    /// As written: it may be too large for any type. Hexadecimal and binary literals are bit patterns of an `i64`.
    Integer(i128),
    Float(f64),
    Bool(bool),
}
