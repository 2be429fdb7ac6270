//! *Code*: what both back ends run. Flat, typed, with numbered registers and basic blocks.
//!
//! `lower` makes it from a Program and a [`Plan`]; the interpreter runs it on simulated machines, the `host` floor compiles the same
//! Code for this computer. Rules that hold for every Code:
//!
//! * A block's last instruction, and no other, is a terminator ([`Instruction::is_terminator`]). A synchronising operation is a
//!   terminator, so it is always alone at the end of its block.
//! * Register [`ZERO`] always holds 0 and is never written; [`THREAD`] and [`RANK`] hold the numbers of the thread and of its rank,
//!   set before a function begins.
//! * A run is of [`Code::ranks`] ranks, each with an arena of its own and [`Code::threads`] threads. Every thread enters each function
//!   at its entry block: thread 0 of a rank goes on with the program's own statements, the others into the worker loop of the
//!   fork-and-join text. [`Instruction::Finish`] ends a thread's part.
//! * Ranks meet by messages alone ([`Instruction::Message`]), which are terminators as well.
//! * No pass adds, drops or reorders a memory access: one [`Instruction::Load`] is one load on every back end.

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::diagnostic::{SourceText, Span};
use crate::program::tree::{
    BinaryOperator, CollectiveOperation, Comparison, Direction, Order, Schedule, Type, UnaryOperator, UpdateOperation,
};

/// A register's number. Every thread has its own set, typed by [`Code::registers`].
pub type Register = u16;
/// Always 0.
pub const ZERO: Register = 0;
/// The thread's number among all threads of its rank, from 0.
pub const THREAD: Register = 1;
/// The number of the thread's rank, from 0.
pub const RANK: Register = 2;
/// Registers that every Code has; others begin here.
pub const GIVEN_REGISTERS: usize = 3;

/// A block's number, an index into [`Code::blocks`].
pub type BlockId = u32;
/// An index into [`Code::arrays`].
pub type ArrayId = u16;
/// An index into [`Code::constants`].
pub type ConstantId = u32;
/// An index into [`Code::sites`].
pub type SiteId = u32;

/// The plain numbers a run is planned with: everything about running a program that is not the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Ranks of the run, each with memory of its own. A text that does not speak of ranks is run as one.
    #[serde(default = "one")]
    pub ranks: u32,
    /// Threads of a rank; the largest team.
    pub threads: u32,
    /// Seed of `random`, `permutation` and `cycle`.
    pub seed: u64,
    /// Bytes a padded element takes: the line size.
    pub padding: u32,
    /// The lock text: `ticket` means `lock-ticket.flynn`.
    pub lock: String,
    /// The barrier text.
    pub barrier: String,
    /// The reduction text.
    pub reduce: String,
    /// The schedule where a loop does not name one.
    pub schedule: Schedule,
    /// The algorithms of collectives.
    #[serde(default)]
    pub collectives: Collectives,
}

/// By which algorithm ranks do together what a collective asks for: `binomial-tree` for `broadcast` means
/// `collective-broadcast-binomial-tree.flynn`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Collectives(IndexMap<CollectiveOperation, String, FxBuildHasher>);

impl Default for Collectives {
    fn default() -> Collectives {
        Collectives::of(|operation| operation.usual_algorithm().to_string())
    }
}

impl Collectives {
    /// With the algorithm that is said of each operation.
    pub fn of(algorithm: impl Fn(CollectiveOperation) -> String) -> Collectives {
        Collectives(CollectiveOperation::ALL.into_iter().map(|operation| (operation, algorithm(operation))).collect())
    }

    /// The algorithm of an operation.
    pub fn algorithm(&self, operation: CollectiveOperation) -> &str {
        self.0.get(&operation).map_or(operation.usual_algorithm(), String::as_str)
    }
}

fn one() -> u32 {
    1
}

/// What runs: a program lowered for a plan.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// The program's text first, then the run-time texts that were inlined.
    pub texts: Vec<SourceText>,
    /// The parts of a run, one for each [`Phase`].
    pub functions: Vec<Function>,
    pub blocks: Vec<Block>,
    pub instructions: Vec<Instruction>,
    /// The site of each instruction.
    pub instruction_sites: Vec<SiteId>,
    /// The type of each register.
    pub registers: Vec<Type>,
    /// Constants as register bits.
    pub constants: Vec<u64>,
    pub synchronisations: Vec<Synchronisation>,
    pub messages: Vec<Message>,
    pub arrays: Vec<Array>,
    pub sites: Vec<Site>,
    pub arena: Arena,
    pub results: Vec<ResultSlot>,
    /// Ranks it was lowered for.
    pub ranks: u32,
    /// Threads of a rank it was lowered for.
    pub threads: u32,
}

/// The parts of a run (design: one meaning of a run): `Initialise`, `Setup`, `Main` (warm-up), restore, `Setup`, `Main` (measured), `Finish`, `Results`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Initial values, by the main thread. Absent where nothing has any.
    Initialise,
    /// Absent where the text has none.
    Setup,
    /// The timed part.
    Main,
    /// Brings together what the results are computed from. Absent where the text has none.
    Finish,
    /// Computes the results into [`Code::results`], by the main thread.
    Results,
}

/// One part of a run.
#[derive(Clone, Debug)]
pub struct Function {
    pub phase: Phase,
    pub entry: BlockId,
    /// Its blocks are `first..end` of [`Code::blocks`].
    pub blocks: std::ops::Range<BlockId>,
    /// Whether it forks teams; where not, only thread 0 enters it.
    pub parallel: bool,
}

/// A basic block: `instructions[first..first + length]`.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    pub first: u32,
    pub length: u32,
}

/// An instruction: 16 bytes at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Instruction {
    /// `to = constants[value]`
    Constant {
        to: Register,
        value: ConstantId,
    },
    Copy {
        to: Register,
        from: Register,
    },
    /// In the type of `to`. Special functions (`sin`, `cos`, `exp`, `log`) are those of `libm` everywhere.
    Unary {
        operator: UnaryOperator,
        to: Register,
        a: Register,
    },
    /// In the type of `to`. `Divide` and `Remainder` of integers come after a [`Instruction::CheckDivisor`] unless the divisor is
    /// known not to be zero; they floor.
    Binary {
        operator: BinaryOperator,
        to: Register,
        a: Register,
        b: Register,
    },
    /// Integers only: the second operand is `constant`.
    BinaryConstant {
        operator: BinaryOperator,
        to: Register,
        a: Register,
        constant: i32,
    },
    /// `Divide` or `Remainder` of integers both known to be non-negative: no fix-up.
    DivideNonNegative {
        remainder: bool,
        to: Register,
        a: Register,
        b: Register,
    },
    /// Logical shift of an i64, for hashes.
    ShiftRightLogical {
        to: Register,
        a: Register,
        count: u8,
    },
    /// `to` is a bool; both operands have the type of `a`.
    Compare {
        comparison: Comparison,
        to: Register,
        a: Register,
        b: Register,
    },
    /// `to = if condition { a } else { b }`
    Select {
        to: Register,
        condition: Register,
        a: Register,
        b: Register,
    },
    FusedMultiplyAdd {
        to: Register,
        a: Register,
        b: Register,
        c: Register,
    },
    /// From the type of `from` to the type of `to`.
    Convert {
        to: Register,
        from: Register,
    },
    /// Element `index + constant` of an array.
    Load {
        to: Register,
        array: ArrayId,
        index: Register,
        constant: i32,
    },
    /// Element `index + constant` of an array.
    Store {
        from: Register,
        array: ArrayId,
        index: Register,
        constant: i32,
    },
    /// Stops the run unless `0 <= index + constant < constants[length]`.
    Check {
        index: Register,
        constant: i32,
        length: ConstantId,
    },
    /// Stops the run if `divisor` is 0.
    CheckDivisor {
        divisor: Register,
    },

    // Terminators.
    Jump {
        to: BlockId,
    },
    /// To `then` if the comparison holds, in the type of `a`.
    Branch {
        comparison: Comparison,
        a: Register,
        b: Register,
        then: BlockId,
        otherwise: BlockId,
    },
    /// The same against a constant; integers and bools.
    BranchConstant {
        comparison: Comparison,
        a: Register,
        constant: i16,
        then: BlockId,
        otherwise: BlockId,
    },
    /// A synchronising operation, an index into [`Code::synchronisations`]; then on to `next`.
    Synchronise {
        operation: u32,
        next: BlockId,
    },
    /// An operation on messages, an index into [`Code::messages`]; then on to `next`.
    Message {
        message: u32,
        next: BlockId,
    },
    /// As many dependent integer operations as `count` says; then on to `next`.
    Busy {
        count: Register,
        next: BlockId,
    },
    /// The thread's part of the function is over.
    Finish,
}

/// Classes of operations, which cores give costs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OperationClass {
    Integer,
    IntegerMultiply,
    IntegerDivide,
    FloatAdd,
    FloatMultiply,
    FloatDivide,
    SquareRoot,
    Special,
    Load,
    Store,
    Atomic,
    Branch,
}

impl OperationClass {
    /// All of them, in the order of their numbers.
    pub const ALL: [OperationClass; 12] = [
        OperationClass::Integer,
        OperationClass::IntegerMultiply,
        OperationClass::IntegerDivide,
        OperationClass::FloatAdd,
        OperationClass::FloatMultiply,
        OperationClass::FloatDivide,
        OperationClass::SquareRoot,
        OperationClass::Special,
        OperationClass::Load,
        OperationClass::Store,
        OperationClass::Atomic,
        OperationClass::Branch,
    ];
}

/// A synchronising operation. Its place is element `index + constant` of `array`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Synchronisation {
    pub kind: SynchronisationKind,
    pub order: Order,
    pub array: ArrayId,
    pub index: Register,
    pub constant: i32,
    /// The old (or awaited) value goes here; [`ZERO`] drops it.
    pub to: Register,
    /// What is stored, added, exchanged or compared with.
    pub operand: Register,
    /// The expected value of a compare-exchange; [`ZERO`] otherwise.
    pub expected: Register,
}

/// What a synchronising operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SynchronisationKind {
    Load,
    Store,
    /// Returns the old value.
    ReadModifyWrite(UpdateOperation),
    /// Returns the old value; stores `operand` if that was `expected`.
    CompareExchange,
    /// Ends once `place comparison operand` holds.
    Await(Comparison),
    /// No place.
    Fence,
}

/// An operation on messages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message {
    pub operation: MessageOperation,
    /// Whether a run-time text asks for it: its messages never meet the program's own (a context in the sense of MPI 4.1, section 7.1).
    pub runtime: bool,
}

/// What an operation on messages does. Whether a message is sent eagerly or waits for its receiver is the machine's business.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MessageOperation {
    /// Starts to send, or to receive into, the elements from `index + constant` of `array` on.
    Start {
        direction: Direction,
        array: ArrayId,
        index: Register,
        constant: i32,
        /// How many elements.
        length: Register,
        /// The rank at the other end.
        peer: Register,
        tag: Register,
        /// The handle goes here, a number above 0; [`ZERO`] drops it.
        to: Register,
    },
    /// Goes on when what was started is over: the elements sent may be changed, those received are there. `None`: all that this thread
    /// has started.
    Wait { handle: Option<Register> },
}

impl Message {
    /// Replaces each register: those read with `read`, the one written with `write`.
    pub fn map_registers(&mut self, mut read: impl FnMut(Register) -> Register, write: impl FnOnce(Register) -> Register) {
        match &mut self.operation {
            MessageOperation::Start { index, length, peer, tag, to, .. } => {
                for register in [index, length, peer, tag] {
                    *register = read(*register);
                }
                *to = write(*to);
            }
            MessageOperation::Wait { handle: Some(handle) } => *handle = read(*handle),
            MessageOperation::Wait { handle: None } => {}
        }
    }

    /// The register that the handle is left in.
    pub fn writes(&self) -> Option<Register> {
        match self.operation {
            MessageOperation::Start { to, .. } if to != ZERO => Some(to),
            _ => None,
        }
    }
}

/// Elements in the arena: a program's array, scalar, or a field of run-time state.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// As messages name it: `a`, `fork.serving`.
    pub name: String,
    pub element: Type,
    /// Address of element 0.
    pub base: Address,
    /// Bytes from one element to the next; at least the element's size.
    pub stride: u32,
    /// How many elements.
    pub length: u64,
    /// Row-major extents as written.
    pub extents: Vec<u64>,
    /// Whether it belongs to a run-time text.
    pub runtime: bool,
}

/// The one stretch of memory a program lives in, the same in every back end. Run-time state and scalars come first, each array
/// begins at a multiple of 2 MiB.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arena {
    /// Bytes, from address 0.
    pub size: u64,
    /// Values in place when a run begins: `(address, type, bits)`. All else is zero.
    pub initial: Vec<(Address, Type, u64)>,
    /// Run-time state, put back to its initial value before every function runs.
    pub runtime: std::ops::Range<Address>,
    /// What a pass both reads and writes: saved after `Initialise`, put back before the second `Setup`, so that the measured pass
    /// finds what the first one found. Sorted, disjoint.
    pub restore: Vec<std::ops::Range<Address>>,
}

/// Where a result's value is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResultSlot {
    pub address: Address,
    pub r#type: Type,
}

/// Where an instruction comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// Line of the program's own text, from 1: for inlined run-time texts, the line that called for them.
    pub line: u32,
    /// The place in the program's own text.
    pub span: Span,
    /// The text it is written in: an index into [`Code::texts`], 0 being the program.
    pub text: u16,
    /// Line of that text, from 1.
    pub text_line: u32,
}

/// Why a run stopped at an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The index and the length it exceeds.
    IndexOutOfRange {
        index: i64,
        length: u64,
    },
    DivisionByZero,
    /// A message to or from a rank that the run does not have.
    NoSuchRank {
        rank: i64,
        ranks: u32,
    },
    NegativeTag(i64),
    /// The two ends of a message have different lengths, in elements.
    MessageLengths {
        sent: u64,
        received: u64,
        /// The other end.
        other: SiteId,
    },
    /// The two ends of a message have elements of different types.
    MessageTypes {
        sent: Type,
        received: Type,
        /// The other end.
        other: SiteId,
    },
    /// More messages under way at a time than a rank may have.
    TooManyMessages(usize),
    /// A part of the run ended before the program waited for this message.
    NotWaitedFor(Direction),
    /// There is no message under way that this handle names.
    NothingToWaitFor,
    /// The machine cannot move messages.
    NoInterface,
}

/// A run-time error of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    pub site: SiteId,
    pub rank: u32,
    pub thread: u32,
}

impl Instruction {
    /// Whether it ends a block.
    pub fn is_terminator(&self) -> bool {
        matches!(
            self,
            Instruction::Jump { .. }
                | Instruction::Branch { .. }
                | Instruction::BranchConstant { .. }
                | Instruction::Synchronise { .. }
                | Instruction::Message { .. }
                | Instruction::Busy { .. }
                | Instruction::Finish
        )
    }
}

impl Code {
    /// The function of a phase, where the program has one.
    pub fn function(&self, phase: Phase) -> Option<&Function> {
        self.functions.iter().find(|function| function.phase == phase)
    }

    /// The instructions of a block.
    pub fn block(&self, block: BlockId) -> &[Instruction] {
        let block = self.blocks[block as usize];
        &self.instructions[block.first as usize..(block.first + block.length) as usize]
    }

    /// The element an address belongs to, as a person would write it: `a[3, 4]`, `total`, `fork.serving[2]`.
    pub fn describe_address(&self, address: Address) -> Option<String> {
        let array = self.arrays.iter().find(|array| {
            (array.base..array.base + array.length * u64::from(array.stride)).contains(&address)
                && (address - array.base) % u64::from(array.stride) < u64::from(array.element.size())
        })?;
        let mut index = (address - array.base) / u64::from(array.stride);
        if array.length == 1 {
            return Some(array.name.clone());
        }
        let mut indices: Vec<String> = Vec::new();
        for &extent in array.extents.iter().rev() {
            indices.push((index % extent).to_string());
            index /= extent;
        }
        indices.reverse();
        Some(format!("{}[{}]", array.name, indices.join(", ")))
    }
}
