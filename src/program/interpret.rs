//! The interpreter of Code: values only, no time. A machine model asks for one basic block at a time and gives it a cost.
//!
//! ```text
//!            step(context, memory)                    the machine gives the block its time, then
//!   core ───────────────────────────▶ Block(id)       asks for the next
//!                                     Busy            ... and as many dependent operations
//!                                     Synchronise(r)  ... performs r when coherence allows: perform(r, memory) → value
//!            resume(context, value)                   the value is bound, the context goes on
//!                                     Message(r)      ... moves messages, its own business
//!                                     Finished        the thread's part of the function is over
//!                                     Fault           the program is wrong
//! ```
//!
//! Plain accesses take effect when they are interpreted, which is sound for programs without data races (Adve and Hill 1990, "Weak
//! ordering: a new definition": such programs are sequentially consistent). Synchronising operations bind their value only when the
//! machine performs them ([`perform`]).
//!
//! A [`Context`] is plain data apart from any core, so it can be suspended at any block, moved, or kept by the thousand.
//!
//! [`Interpreter`] decodes Code once (`decode.rs`) into operations specialised by type, with array bases and constants folded in.
//! The registers of all but the largest programs lie in a file of 256, which every byte is a valid number of, so that reading one
//! costs no check.

mod decode;
mod functional;
mod operation;
#[cfg(test)]
mod tests;

pub use functional::{FunctionalError, FunctionalRun, Stuck, Tally, run_functional};

use crate::base::address::Address;
use crate::program::code::{BlockId, Fault, FaultKind, Function, RANK, Register, SiteId, SynchronisationKind, THREAD, ZERO};
use crate::program::memory::Memory;
use crate::program::messages::{MessageAction, MessageRequest, Start};
use crate::program::operators::{
    binary, canonical, compare, convert, f64_of, floor_divide, floor_remainder, fused_multiply_add, unary, update,
};
use crate::program::tree::{Direction, Order, Type};
use operation::{Operation, Place, Registers, SMALL_FILE, Terminator};

/// Code, decoded.
#[derive(Clone, Debug)]
pub struct Interpreter {
    size: Size,
    /// Registers a context has.
    n_registers: usize,
}

/// Whether a byte can number the registers.
#[derive(Clone, Debug)]
enum Size {
    Small(Decoded<u8>),
    Large(Decoded<u16>),
}

/// Operations with register numbers of type `N`.
#[derive(Clone, Debug)]
struct Decoded<N> {
    blocks: Vec<DecodedBlock<N>>,
    operations: Vec<Operation<N>>,
    /// The site of each of `operations`.
    sites: Vec<SiteId>,
    synchronisations: Vec<DecodedSynchronisation<N>>,
    messages: Vec<DecodedMessage<N>>,
}

/// A block: `operations[first..end]`, then the terminator.
#[derive(Clone, Copy, Debug)]
struct DecodedBlock<N> {
    first: u32,
    end: u32,
    terminator: Terminator<N>,
}

/// A synchronising operation with its place resolved.
#[derive(Clone, Copy, Debug)]
struct DecodedSynchronisation<N> {
    /// Index into `Code::synchronisations`.
    number: u32,
    kind: SynchronisationKind,
    order: Order,
    element: Type,
    place: Place<N>,
    to: Register,
    operand: N,
    expected: N,
    site: SiteId,
    next: BlockId,
}

/// An operation on messages with its place resolved.
#[derive(Clone, Copy, Debug)]
struct DecodedMessage<N> {
    /// Index into `Code::messages`.
    number: u32,
    action: DecodedAction<N>,
    runtime: bool,
    to: Register,
    site: SiteId,
    next: BlockId,
}

#[derive(Clone, Copy, Debug)]
enum DecodedAction<N> {
    Start { direction: Direction, element: Type, place: Place<N>, length: N, peer: N, tag: N },
    Wait { handle: Option<N> },
}

/// What a thread is: where it stands and what its registers hold.
#[derive(Clone, Debug)]
pub struct Context {
    /// The rank it belongs to: its memory.
    pub rank: u32,
    /// The number among all threads of its rank, from 0.
    pub thread: u32,
    /// Addresses of the plain loads and stores of the last step, in order.
    pub addresses: Vec<Address>,
    /// Whether the last step ended in a branch whose comparison held, or in a jump.
    pub taken: bool,
    block: BlockId,
    registers: Vec<u64>,
}

impl Context {
    /// The block that the next step runs or, while a synchronising operation is pending, the one it ends.
    pub fn block(&self) -> BlockId {
        self.block
    }

    /// The bits in a register.
    pub fn register(&self, register: u16) -> u64 {
        self.registers[usize::from(register)]
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// All instructions of the block ran, its jump or branch included.
    Block(BlockId),
    /// The instructions before the block's last ran. That one waits to be performed with [`perform`], then for
    /// [`Interpreter::resume`].
    Synchronise(Request),
    /// The same of an operation on messages: it waits to be performed, then for [`Interpreter::resume`] with the handle.
    Message(MessageRequest),
    /// The block ran and ends with so many dependent integer operations.
    Busy { block: BlockId, operations: u64 },
    /// The block ran and the thread's part of the function is over. A further step says so again.
    Finished { block: BlockId },
    /// The run is over: the program is wrong at that site. The accesses before it took effect.
    Fault(Fault),
}

/// A synchronising operation that is yet to be performed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// The block it ends.
    pub block: BlockId,
    /// Index into `Code::synchronisations`.
    pub operation: u32,
    pub kind: SynchronisationKind,
    pub order: Order,
    /// Of its place; 0 for a fence.
    pub address: Address,
    /// Type of the place.
    pub element: Type,
    /// What is stored, added, exchanged or compared with, as a register holds it.
    pub operand: u64,
    /// The expected value of a compare-exchange.
    pub expected: u64,
    pub site: SiteId,
}

impl Request {
    /// Whether it accesses memory: all but a fence.
    pub fn has_place(&self) -> bool {
        self.kind != SynchronisationKind::Fence
    }
}

/// What performing a request gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Performed {
    /// The old or awaited value, for [`Interpreter::resume`].
    pub value: u64,
    /// Whether the thread may go on: false only for an `await` whose comparison does not hold yet.
    pub done: bool,
    /// Whether the place was written: false for loads, fences, awaits and failed compare-exchanges.
    pub written: bool,
}

/// Performs a synchronising operation at this instant.
///
/// Float values are made canonical on the way in and out, so a compare-exchange finds one NaN equal to another and no host's NaN
/// payload shows; `-0.0` and `0.0` differ to it, as they do to the hardware's compare-exchange.
pub fn perform(request: &Request, memory: &mut Memory) -> Performed {
    if request.kind == SynchronisationKind::Fence {
        return Performed { value: 0, done: true, written: false };
    }
    let element = request.element;
    let old = canonical(element, memory.load(element, request.address));
    let mut write = |bits| {
        memory.store(element, request.address, bits);
        Performed { value: old, done: true, written: true }
    };
    match request.kind {
        SynchronisationKind::Store => write(canonical(element, request.operand)),
        SynchronisationKind::ReadModifyWrite(operation) => write(update(element, operation, old, request.operand)),
        SynchronisationKind::CompareExchange if old == canonical(element, request.expected) => {
            write(canonical(element, request.operand))
        }
        SynchronisationKind::Await(comparison) => {
            Performed { value: old, done: compare(element, comparison, old, request.operand), written: false }
        }
        SynchronisationKind::Load | SynchronisationKind::CompareExchange | SynchronisationKind::Fence => {
            Performed { value: old, done: true, written: false }
        }
    }
}

impl Interpreter {
    /// A thread of rank 0 that stands at the entry of a function.
    pub fn context(&self, thread: u32, function: &Function) -> Context {
        self.context_of_rank(0, thread, function)
    }

    /// A thread that stands at the entry of a function.
    pub fn context_of_rank(&self, rank: u32, thread: u32, function: &Function) -> Context {
        let registers = vec![0; self.n_registers];
        let mut context = Context { rank, thread, addresses: Vec::new(), taken: false, block: function.entry, registers };
        self.enter(&mut context, function);
        context
    }

    /// Sends a thread to the entry of a function, its registers cleared.
    pub fn enter(&self, context: &mut Context, function: &Function) {
        context.registers.fill(0);
        context.registers[usize::from(THREAD)] = u64::from(context.thread);
        context.registers[usize::from(RANK)] = u64::from(context.rank);
        context.addresses.clear();
        context.taken = false;
        context.block = function.entry;
    }

    /// Runs the block the context stands at.
    pub fn step(&self, context: &mut Context, memory: &mut Memory) -> Step {
        let Context { rank, thread, addresses, taken, block, registers } = context;
        let place = Standing { rank: *rank, thread: *thread, addresses, taken, block };
        match &self.size {
            Size::Small(decoded) => match <&mut [u64; SMALL_FILE]>::try_from(registers.as_mut_slice()) {
                Ok(registers) => decoded.step(place, registers, memory),
                Err(_) => unreachable!("a context belongs to the interpreter that made it"),
            },
            Size::Large(decoded) => decoded.step(place, registers.as_mut_slice(), memory),
        }
    }

    /// Binds the value of the synchronising operation, or the handle of the message, that the last step ended in, and moves on behind
    /// it.
    pub fn resume(&self, context: &mut Context, value: u64) {
        let pending = match &self.size {
            Size::Small(decoded) => decoded.pending(context.block),
            Size::Large(decoded) => decoded.pending(context.block),
        };
        if let Some((to, next)) = pending {
            if to != ZERO {
                context.registers[usize::from(to)] = value;
            }
            context.block = next;
        }
    }
}

/// A context but for its registers.
struct Standing<'a> {
    rank: u32,
    thread: u32,
    addresses: &'a mut Vec<Address>,
    taken: &'a mut bool,
    block: &'a mut BlockId,
}

impl<N: Copy> Decoded<N> {
    /// Where the value of the synchronising operation at the end of a block goes, and what follows.
    fn pending(&self, block: BlockId) -> Option<(Register, BlockId)> {
        match self.blocks[block as usize].terminator {
            Terminator::Synchronise { operation } => {
                let operation = &self.synchronisations[operation as usize];
                Some((operation.to, operation.next))
            }
            Terminator::Message { message } => {
                let message = &self.messages[message as usize];
                Some((message.to, message.next))
            }
            _ => None,
        }
    }

    #[inline(always)]
    fn step<R: Registers<Number = N> + ?Sized>(&self, standing: Standing<'_>, registers: &mut R, memory: &mut Memory) -> Step {
        let id = *standing.block;
        let block = &self.blocks[id as usize];
        let addresses = standing.addresses;
        addresses.clear();
        let operations = &self.operations[block.first as usize..block.end as usize];
        for operation in operations {
            if let Err(kind) = carry_out(operation, registers, memory, addresses) {
                return self.fault(block, operation, kind, (standing.rank, standing.thread));
            }
        }
        let (next, taken) = match block.terminator {
            Terminator::Jump { to } => (to, true),
            Terminator::Less { a, b, holds, then, otherwise } => {
                let taken = ((registers.get(a) as i64) < (registers.get(b) as i64)) == holds;
                (if taken { then } else { otherwise }, taken)
            }
            Terminator::LessConstant { a, constant, holds, then, otherwise } => {
                let taken = ((registers.get(a) as i64) < i64::from(constant)) == holds;
                (if taken { then } else { otherwise }, taken)
            }
            Terminator::Equal { a, b, holds, then, otherwise } => {
                let taken = (registers.get(a) == registers.get(b)) == holds;
                (if taken { then } else { otherwise }, taken)
            }
            Terminator::EqualConstant { a, constant, holds, then, otherwise } => {
                let taken = (registers.get(a) as i64 == i64::from(constant)) == holds;
                (if taken { then } else { otherwise }, taken)
            }
            Terminator::BranchFloat { r#type, comparison, a, b, then, otherwise } => {
                let taken = compare(r#type, comparison, registers.get(a), registers.get(b));
                (if taken { then } else { otherwise }, taken)
            }
            Terminator::Synchronise { operation } => {
                return Step::Synchronise(self.synchronisations[operation as usize].request(id, registers));
            }
            Terminator::Message { message } => return Step::Message(self.messages[message as usize].request(id, registers)),
            Terminator::Busy { count, next } => {
                let operations = (registers.get(count) as i64).max(0) as u64;
                *standing.block = next;
                return Step::Busy { block: id, operations };
            }
            Terminator::Finish => return Step::Finished { block: id },
        };
        *standing.block = next;
        *standing.taken = taken;
        Step::Block(id)
    }

    #[cold]
    fn fault(&self, block: &DecodedBlock<N>, operation: &Operation<N>, kind: FaultKind, (rank, thread): (u32, u32)) -> Step {
        // Which of the block's operations it was: the one at this place in memory.
        let operations = &self.operations[block.first as usize..block.end as usize];
        let index = operations.iter().position(|known| std::ptr::eq(known, operation)).unwrap_or(0);
        Step::Fault(Fault { kind, site: self.sites[block.first as usize + index], rank, thread })
    }
}

impl<N: Copy> DecodedMessage<N> {
    fn request<R: Registers<Number = N> + ?Sized>(&self, block: BlockId, registers: &R) -> MessageRequest {
        let action = match self.action {
            DecodedAction::Start { direction, element, place, length, peer, tag } => MessageAction::Start(Start {
                direction,
                peer: registers.get(peer) as i64,
                tag: registers.get(tag) as i64,
                address: place.address(registers.get(place.index)),
                length: registers.get(length),
                element,
            }),
            DecodedAction::Wait { handle } => MessageAction::Wait(handle.map(|handle| registers.get(handle) as i64)),
        };
        MessageRequest { block, message: self.number, action, runtime: self.runtime, site: self.site }
    }
}

impl<N: Copy> DecodedSynchronisation<N> {
    fn request<R: Registers<Number = N> + ?Sized>(&self, block: BlockId, registers: &R) -> Request {
        let address = match self.kind {
            SynchronisationKind::Fence => 0,
            _ => self.place.address(registers.get(self.place.index)),
        };
        Request {
            block,
            operation: self.number,
            kind: self.kind,
            order: self.order,
            address,
            element: self.element,
            operand: registers.get(self.operand),
            expected: registers.get(self.expected),
            site: self.site,
        }
    }
}

/// Carries out one operation that is not a terminator.
#[inline(always)]
fn carry_out<R: Registers + ?Sized>(
    operation: &Operation<R::Number>,
    registers: &mut R,
    memory: &mut Memory,
    addresses: &mut Vec<Address>,
) -> Result<(), FaultKind> {
    use Operation as O;
    macro_rules! float {
        ($to:ident, $a:ident $operator:tt $b:ident) => {{
            let value = f64_of(registers.get($a)) $operator f64_of(registers.get($b));
            registers.set($to, value.to_bits());
        }};
    }
    macro_rules! integer {
        ($to:ident, $a:ident, $method:ident, $b:expr) => {{
            let value = (registers.get($a) as i64).$method($b);
            registers.set($to, value as u64);
        }};
    }
    macro_rules! load {
        ($to:ident, $place:ident, $load:ident) => {{
            let address = $place.address(registers.get($place.index));
            addresses.push(address);
            registers.set($to, memory.$load(address));
        }};
    }
    macro_rules! store {
        ($from:ident, $place:ident, $store:ident) => {{
            let address = $place.address(registers.get($place.index));
            addresses.push(address);
            memory.$store(address, registers.get($from));
        }};
    }
    match *operation {
        O::Load8 { to, place } => load!(to, place, load_8),
        O::Load4Signed { to, place } => load!(to, place, load_4_signed),
        O::Load4 { to, place } => load!(to, place, load_4),
        O::Load1 { to, place } => load!(to, place, load_1),
        O::Store8 { from, place } => store!(from, place, store_8),
        O::Store4 { from, place } => store!(from, place, store_4),
        O::Store1 { from, place } => store!(from, place, store_1),
        O::AddF64 { to, a, b } => float!(to, a + b),
        O::SubtractF64 { to, a, b } => float!(to, a - b),
        O::MultiplyF64 { to, a, b } => float!(to, a * b),
        O::DivideF64 { to, a, b } => float!(to, a / b),
        O::AddI64 { to, a, b } => integer!(to, a, wrapping_add, registers.get(b) as i64),
        O::SubtractI64 { to, a, b } => integer!(to, a, wrapping_sub, registers.get(b) as i64),
        O::MultiplyI64 { to, a, b } => integer!(to, a, wrapping_mul, registers.get(b) as i64),
        O::AddConstantI64 { to, a, constant } => integer!(to, a, wrapping_add, i64::from(constant)),
        O::MultiplyConstantI64 { to, a, constant } => integer!(to, a, wrapping_mul, i64::from(constant)),
        O::AndConstant { to, a, constant } => registers.set(to, registers.get(a) & i64::from(constant) as u64),
        O::ShiftLeftConstant { to, a, constant } => integer!(to, a, wrapping_shl, u32::from(constant)),
        O::ShiftRightLogical { to, a, count } => registers.set(to, registers.get(a) >> (count & 63)),
        O::Constant { to, bits } => registers.set(to, bits),
        O::Copy { to, from } => registers.set(to, registers.get(from)),
        O::Check { index, constant, length } => {
            let index = (registers.get(index) as i64).wrapping_add(i64::from(constant));
            if index as u64 >= length {
                return Err(FaultKind::IndexOutOfRange { index, length });
            }
        }
        O::CheckDivisor { divisor } => {
            if registers.get(divisor) == 0 {
                return Err(FaultKind::DivisionByZero);
            }
        }
        O::DivideNonNegative { to, a, b } => {
            let (a, b) = (registers.get(a), registers.get(b));
            registers.set(to, a.checked_div(b).ok_or(FaultKind::DivisionByZero)?);
        }
        O::RemainderNonNegative { to, a, b } => {
            let (a, b) = (registers.get(a), registers.get(b));
            registers.set(to, a.checked_rem(b).ok_or(FaultKind::DivisionByZero)?);
        }
        O::DivideConstant { to, a, constant } => registers.set(to, floor_divide(registers.get(a) as i64, constant.get()) as u64),
        O::RemainderConstant { to, a, constant } => {
            registers.set(to, floor_remainder(registers.get(a) as i64, constant.get()) as u64);
        }
        O::Unary { r#type, operator, to, a } => registers.set(to, unary(r#type, operator, registers.get(a))),
        O::Binary { r#type, operator, to, a, b } => {
            let value = binary(r#type, operator, registers.get(a), registers.get(b)).ok_or(FaultKind::DivisionByZero)?;
            registers.set(to, value);
        }
        O::BinaryConstant { r#type, operator, to, a, constant } => {
            let value = binary(r#type, operator, registers.get(a), i64::from(constant) as u64).ok_or(FaultKind::DivisionByZero)?;
            registers.set(to, value);
        }
        O::Compare { r#type, comparison, to, a, b } => {
            registers.set(to, u64::from(compare(r#type, comparison, registers.get(a), registers.get(b))));
        }
        O::Select { to, condition, a, b } => {
            let value = if registers.get(condition) != 0 { registers.get(a) } else { registers.get(b) };
            registers.set(to, value);
        }
        O::FusedMultiplyAdd { r#type, to, a, b, c } => {
            registers.set(to, fused_multiply_add(r#type, registers.get(a), registers.get(b), registers.get(c)));
        }
        O::Convert { from_type, to_type, to, from } => {
            registers.set(to, convert(from_type, to_type, registers.get(from)));
        }
    }
    Ok(())
}
