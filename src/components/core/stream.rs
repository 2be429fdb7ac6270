//! A core that replays a memory trace in place of a program: what the interpreter says of a block, the trace says of a reference, or of
//! as much of one as lies in one line. All else is as for programs.
//!
//! ```text
//!   program: interpreter --block, its addresses--> \
//!                                                    lines fetched, references --> store buffer, TLBs, caches ... as ever
//!     trace: entries --pieces of one line each---> /
//! ```
//!
//! An instruction is an operation of one cycle, during which the first cache that holds instructions is looked into; a data access takes
//! the lookups of its caches and nothing more. So says a Code with a block for each kind of reference, which stands in for a program's
//! ([`code_of_trace`]). A trace names no threads and no synchronisation: each core's references follow each other, those of different
//! cores do not wait for one another.

use super::{Core, Loaded, NO_ACCESS, Stage, Then};
use crate::base::address::{Address, Line};
use crate::base::diagnostic::Span;
use crate::components::shared::{Interruption, Shared};
use crate::components::spec::{CoreSpec, Holds, NodeSpec};
use crate::components::trace::{BATCH, END, Entries, Entry, Kind, TraceCounters};
use crate::components::translation::{Progress, Translator};
use crate::program::code::{Array, Block, Code, Function, GIVEN_REGISTERS, Instruction, OperationClass, Phase, Site, ZERO};
use crate::program::tree::Type;

/// The block that ends a core's part; those before it are numbered as [`Kind`]s are.
const END_BLOCK: u32 = 3;

/// The Code that a trace is run as, on so many cores: a block for each kind of reference, and one for the end. Nothing of it has a place
/// in any text.
pub fn code_of_trace(cores: u32) -> Code {
    let fetch = Instruction::Copy { to: ZERO, from: ZERO };
    let read = Instruction::Load { to: ZERO, array: 0, index: ZERO, constant: 0 };
    let write = Instruction::Store { from: ZERO, array: 0, index: ZERO, constant: 0 };
    let instructions = vec![fetch, Instruction::Finish, read, Instruction::Finish, write, Instruction::Finish, Instruction::Finish];
    let blocks = [(0, 2), (2, 2), (4, 2), (6, 1)].map(|(first, length)| Block { first, length }).to_vec();
    let array = Array { name: String::new(), element: Type::Bool, base: 0, stride: 1, length: 1, extents: vec![1], runtime: false };
    Code {
        functions: vec![Function { phase: Phase::Main, entry: 0, blocks: 0..blocks.len() as u32, parallel: true }],
        blocks,
        instruction_sites: vec![0; instructions.len()],
        instructions,
        registers: vec![Type::I64; GIVEN_REGISTERS],
        arrays: vec![array],
        sites: vec![Site { line: 0, span: Span::new(0, 0), text: 0, text_line: 0 }],
        ranks: 1,
        threads: cores,
        ..Code::default()
    }
}

/// What a core's operations cost when it replays a trace.
pub fn costs_of_trace(core: &CoreSpec) -> CoreSpec {
    let mut costs = [0; OperationClass::ALL.len()];
    costs[OperationClass::Integer as usize] = 1;
    CoreSpec { costs, ..core.clone() }
}

/// A reference, or as much of one as lies in one line.
struct Piece {
    kind: Kind,
    address: Address,
    bytes: u16,
    /// It is not the first of its reference.
    continues: bool,
}

/// A core's references, as far as it has come.
#[derive(Debug)]
pub(super) struct Stream {
    entries: Box<dyn Entries>,
    batch: Vec<Entry>,
    next: usize,
    /// Of the data reference in progress: the kind, and the bytes that are still to be accessed.
    kind: Kind,
    at: Address,
    end: Address,
    line_shift: u32,
    /// Bytes of the piece in progress.
    bytes: u16,
    /// The instruction fetched last.
    instruction: Address,
    counters: TraceCounters,
    /// Pieces whose page the piece before them had translated.
    translated: u64,
}

impl Stream {
    fn new(entries: Box<dyn Entries>, line_bytes: u32) -> Stream {
        Stream {
            entries,
            batch: Vec::with_capacity(BATCH + 1),
            next: 0,
            kind: Kind::Read,
            at: 0,
            end: 0,
            line_shift: line_bytes.ilog2(),
            bytes: 0,
            instruction: 0,
            counters: TraceCounters::default(),
            translated: 0,
        }
    }

    /// The next piece; `None` at the end of the trace, or where the run is over.
    fn piece(&mut self, shared: &mut Shared) -> Option<Piece> {
        let continues = self.at < self.end;
        if !continues {
            if self.next == self.batch.len() && !self.refill(shared) {
                return None;
            }
            let Entry { address, bytes, kind, .. } = self.batch[self.next];
            self.next += 1;
            self.counters.count(&self.batch[self.next - 1]);
            if kind == Kind::Fetch {
                (self.instruction, self.bytes) = (address, bytes);
                return Some(Piece { kind, address, bytes, continues });
            }
            (self.kind, self.at, self.end) = (kind, address, address + u64::from(bytes));
        }
        let (kind, address) = (self.kind, self.at);
        self.at = self.end.min(((address >> self.line_shift) + 1) << self.line_shift);
        self.bytes = (self.at - address) as u16;
        Some(Piece { kind, address, bytes: self.bytes, continues })
    }

    /// The next references. Returns whether there are any.
    fn refill(&mut self, shared: &mut Shared) -> bool {
        self.next = 0;
        if let Err(what) = self.entries.refill(&mut self.batch) {
            shared.interrupt(Interruption::Trace(what));
        }
        shared.spend(self.batch.len() as u64);
        shared.limit_watch();
        shared.interruption.is_none() && !self.batch.is_empty()
    }
}

impl Core {
    /// Makes the core replay references in place of a program, which is [`code_of_trace`].
    pub fn replay(&mut self, entries: Box<dyn Entries>, spec: &NodeSpec) {
        self.stream = Some(Box::new(Stream::new(entries, spec.line_bytes())));
        // A trace has instructions wherever a cache takes them.
        self.fetches = spec.caches.iter().any(|cache| cache.holds.includes(Holds::Instructions));
        self.lookups = spec.lookups_before_requests(self.fetches);
        self.translator = Translator::new(self.number, spec, END);
    }

    /// The references it has made, where it replays a trace.
    pub fn replayed(&self) -> Option<&TraceCounters> {
        self.stream.as_ref().map(|stream| &stream.counters)
    }

    /// Accesses that went without a lookup in the TLBs: each lies in the page of the one before, which was of the same reference.
    pub fn translated_before(&self) -> u64 {
        self.stream.as_ref().map_or(0, |stream| stream.translated)
    }

    /// Which instruction makes the access at the cursor, to a prefetcher.
    pub(super) fn instruction_in_progress(&self) -> u32 {
        match &self.stream {
            None => self.next,
            Some(stream) => (stream.instruction ^ stream.instruction >> 32) as u32,
        }
    }

    /// Bytes of the access at the cursor. Those of a program are of one element, which its address alone tells: 1 stands for it.
    pub(super) fn bytes_in_progress(&self) -> u16 {
        self.stream.as_ref().map_or(1, |stream| stream.bytes)
    }

    /// What is wanted of a line of instructions; of a program's, which no one writes, nothing in particular.
    pub(super) fn wanted_of(&self, line: Line) -> (Address, u16) {
        let Some(stream) = &self.stream else { return (NO_ACCESS.0, 1) };
        let begin = stream.instruction.max(line << self.text_shift);
        let end = (stream.instruction + u64::from(stream.bytes)).min((line + 1) << self.text_shift);
        (begin, (end - begin) as u16)
    }

    /// The next piece of the trace takes the place of a block. Returns whether the run can go on.
    #[inline(never)]
    pub(super) fn enter_piece(&mut self, program: &Loaded, shared: &mut Shared) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        let piece = stream.piece(shared);
        if shared.interruption.is_some() {
            return false;
        }
        self.context.addresses.clear();
        let mut block = END_BLOCK;
        if let Some(Piece { kind, address, bytes, continues }) = piece {
            block = kind as u32;
            if kind == Kind::Fetch {
                let end = address + u64::from(bytes);
                let lines = address >> self.text_shift..((end - 1) >> self.text_shift) + 1;
                self.fetching = if self.fetches { lines } else { 0..0 };
            } else {
                self.context.addresses.push(address);
                if let Some(own) =
                    self.translator.as_mut().filter(|own| continues && own.tlbs.page(address - 1) == own.tlbs.page(address))
                {
                    own.progress = Progress::Over;
                    stream.translated += 1;
                }
            }
        }
        self.account.blocks[block as usize] += 1;
        let cost = &program.table.blocks[block as usize];
        (self.block, self.first, self.next, self.end) = (block, cost.first, cost.first, cost.end);
        self.then = if block == END_BLOCK { Then::Finish } else { Then::Step };
        self.stage = Stage::References;
        true
    }
}
