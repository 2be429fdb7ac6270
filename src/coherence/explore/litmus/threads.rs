//! The threads of a litmus test as automata: a node is where a thread stands and what it knows, an edge the value that its next
//! synchronising operation returns. Between two of those a thread runs alone: its plain accesses are to places of its own, which is
//! checked, so that what it does depends on nothing else.

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::base::address::Address;
use crate::base::diagnostic::Diagnostic;
use crate::program::code::{BlockId, Code, Instruction, Phase, SiteId};
use crate::program::interpret::{Context, Interpreter, Performed, Request, Step, perform};
use crate::program::memory::Memory;
use crate::program::operators::canonical;
use crate::program::tree::Type;

/// Where a thread stands: an index into [`Threads::nodes`].
pub(super) type NodeId = u32;

/// Blocks that are interpreted in all, and by one thread between two synchronising operations.
const MOST_BLOCKS: u64 = 10_000_000;
const MOST_BLOCKS_AT_A_TIME: u64 = 1_000_000;
/// Bytes of arrays that a litmus test may have: they are copied.
const MOST_BYTES: u64 = 256 << 20;

/// A thread between two synchronising operations.
#[derive(Clone, Debug)]
struct Node {
    context: Context,
    /// What it stored by plain accesses, by address.
    own: Vec<(Address, Type, u64)>,
    next: Next,
}

/// What a thread comes to.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// An operation that the other threads can see.
    Operation(Request),
    /// The end of the team: nothing, or the operation by which it says so.
    Joins(Option<Request>),
}

/// The threads of a program's team.
#[derive(Debug)]
pub(super) struct Threads<'a> {
    code: &'a Code,
    interpreter: Interpreter,
    /// Values as the team finds them.
    base: Memory,
    /// The same, to work on.
    scratch: Memory,
    /// Bytes that synchronising operations of the program can reach, those of the team's own text aside.
    shared: Vec<Range<Address>>,
    nodes: Vec<Node>,
    numbers: FxHashMap<Box<[u64]>, NodeId>,
    edges: FxHashMap<(NodeId, u64), NodeId>,
    /// Who made plain accesses to a place.
    plain: FxHashMap<Address, Plain>,
    blocks_left: u64,
}

/// Plain accesses to one place.
#[derive(Clone, Copy, Debug)]
struct Plain {
    first: u32,
    /// Whether another thread made one, too.
    shared: bool,
    written: bool,
}

/// A thread that is run with the others, each operation at once.
struct Runner {
    context: Context,
    pending: Option<Request>,
    finished: bool,
    /// How many operations of the team's text it has performed.
    served: u32,
}

/// How far [`Threads::run`] goes.
#[derive(Clone, Copy, PartialEq)]
enum Until {
    /// The end.
    Finished,
    /// Each thread is about to begin its part of the team.
    Forked,
}

impl<'a> Threads<'a> {
    /// The threads of the first team, and the node at which each begins.
    ///
    /// # Errors
    /// Where the program is wrong, has no team, or shares places by plain accesses.
    pub fn new(code: &'a Code) -> Result<(Threads<'a>, Vec<NodeId>), Box<Diagnostic>> {
        if code.arena.size > MOST_BYTES {
            return Err(of_program(code, "a litmus test has arrays of a few elements, not of hundreds of megabytes").into());
        }
        let base = Memory::new(&code.arena).map_err(|error| Box::new(of_program(code, error.to_string())))?;
        let mut threads = Threads {
            code,
            interpreter: Interpreter::new(code),
            scratch: base.clone(),
            base,
            shared: shared_places(code),
            nodes: Vec::new(),
            numbers: FxHashMap::default(),
            edges: FxHashMap::default(),
            plain: FxHashMap::default(),
            blocks_left: MOST_BLOCKS,
        };
        threads.serial(Phase::Initialise)?;
        threads.serial(Phase::Setup)?;
        threads.scratch.reset_runtime();
        let mut runners = threads.runners(Phase::Main);
        threads.run(&mut runners, Until::Forked)?;
        if runners.iter().any(|runner| runner.served == 0) {
            return Err(of_program(code, "there is no team of threads here whose outcomes could be told")
                .help("a litmus test has one `parallel` block")
                .into());
        }
        threads.base = threads.scratch.clone();
        let roots = runners.into_iter().map(|runner| threads.node(runner.context, Vec::new()));
        let roots = roots.collect::<Result<Vec<NodeId>, Box<Diagnostic>>>()?;
        Ok((threads, roots))
    }

    /// Bytes that several threads can reach: each range is one array's.
    pub fn shared_places(&self) -> &[Range<Address>] {
        &self.shared
    }

    /// The operation that a thread is about to make; `None` where its part of the team is over.
    pub fn pending(&self, node: NodeId) -> Option<&Request> {
        match &self.nodes[node as usize].next {
            Next::Operation(request) => Some(request),
            Next::Joins(_) => None,
        }
    }

    /// The words at some addresses before the team begins.
    pub fn words(&self, addresses: &[Address]) -> Vec<u64> {
        addresses.iter().map(|&address| self.base.load(Type::I64, address)).collect()
    }

    /// Performs an operation on words of memory that hold `values`, which it changes.
    pub fn perform(&mut self, request: &Request, addresses: &[Address], values: &mut [u64]) -> Performed {
        for (&address, &value) in addresses.iter().zip(&*values) {
            self.scratch.store(Type::I64, address, value);
        }
        let performed = perform(request, &mut self.scratch);
        for (&address, value) in addresses.iter().zip(values) {
            *value = self.scratch.load(Type::I64, address);
            self.scratch.store(Type::I64, address, self.base.load(Type::I64, address));
        }
        performed
    }

    /// Where a thread comes to if its operation returns a value.
    pub fn resume(&mut self, node: NodeId, value: u64) -> Result<NodeId, Box<Diagnostic>> {
        if let Some(&next) = self.edges.get(&(node, value)) {
            return Ok(next);
        }
        let Node { mut context, own, .. } = self.nodes[node as usize].clone();
        self.interpreter.resume(&mut context, value);
        let next = self.node(context, own)?;
        self.edges.insert((node, value), next);
        Ok(next)
    }

    /// The results of the program if its threads end at these nodes and memory holds these words; their bits.
    pub fn results(&mut self, ends: &[NodeId], words: &[(Address, u64)]) -> Result<Vec<u64>, Box<Diagnostic>> {
        let base = self.base.clone();
        self.scratch.clone_from(&base);
        for &(address, value) in words {
            self.scratch.store(Type::I64, address, value);
        }
        for node in ends {
            for &(address, r#type, bits) in &self.nodes[*node as usize].own {
                self.scratch.store(r#type, address, bits);
            }
        }
        let runner = |node: &NodeId| {
            let Node { context, next, .. } = self.nodes[*node as usize].clone();
            let (pending, finished) = match next {
                Next::Joins(pending) => (pending, pending.is_none()),
                Next::Operation(request) => (Some(request), false),
            };
            Runner { context, pending, finished, served: 1 }
        };
        let mut runners: Vec<Runner> = ends.iter().map(runner).collect();
        self.run(&mut runners, Until::Finished)?;
        self.serial(Phase::Results)?;
        let value = |slot: &crate::program::code::ResultSlot| canonical(slot.r#type, self.scratch.load(slot.r#type, slot.address));
        let results = self.code.results.iter().map(value).collect();
        self.scratch = base;
        Ok(results)
    }

    /// Threads at the entry of a function.
    fn runners(&self, phase: Phase) -> Vec<Runner> {
        let Some(function) = self.code.function(phase) else { return Vec::new() };
        let threads = if function.parallel { self.code.threads } else { 1 };
        let runner =
            |number| Runner { context: self.interpreter.context(number, function), pending: None, finished: false, served: 0 };
        (0..threads).map(runner).collect()
    }

    /// Runs a phase that is not explored, its threads taking turns.
    fn serial(&mut self, phase: Phase) -> Result<(), Box<Diagnostic>> {
        self.scratch.reset_runtime();
        let mut runners = self.runners(phase);
        while runners.iter().any(|runner| !runner.finished) {
            let mut moved = false;
            for runner in runners.iter_mut().filter(|runner| !runner.finished) {
                moved |= self.turn(runner)?;
            }
            if !moved {
                return Err(of_program(self.code, "the program stops for ever outside its team").into());
            }
        }
        Ok(())
    }

    /// Runs threads, each operation at once, as far as is wanted.
    fn run(&mut self, runners: &mut [Runner], until: Until) -> Result<(), Box<Diagnostic>> {
        loop {
            let mut moved = false;
            for runner in runners.iter_mut().filter(|runner| !runner.finished) {
                let is_forked = until == Until::Forked && runner.served > 0;
                if is_forked {
                    continue;
                }
                if let (Until::Finished, Some(request)) = (until, runner.pending)
                    && runner.context.thread > 0
                    && !self.is_of_team(request.site)
                {
                    return Err(self.at(request.site, "a second team shares data here; the outcomes of one can be told").into());
                }
                moved |= self.turn(runner)?;
            }
            if !moved {
                break;
            }
        }
        match until {
            Until::Finished if runners.iter().any(|runner| !runner.finished) => {
                Err(of_program(self.code, "the program stops for ever after its team").into())
            }
            _ => Ok(()),
        }
    }

    /// Runs a thread up to its next operation, or performs that. Says whether it moved.
    fn turn(&mut self, runner: &mut Runner) -> Result<bool, Box<Diagnostic>> {
        if let Some(request) = runner.pending {
            let performed = perform(&request, &mut self.scratch);
            if performed.done {
                runner.pending = None;
                runner.served += u32::from(self.is_of_team(request.site));
                self.interpreter.resume(&mut runner.context, performed.value);
            }
            return Ok(performed.done);
        }
        loop {
            self.count_block()?;
            match self.interpreter.step(&mut runner.context, &mut self.scratch) {
                Step::Block(_) | Step::Busy { .. } => {}
                Step::Synchronise(request) => runner.pending = Some(request),
                Step::Finished { .. } => runner.finished = true,
                Step::Message(request) => return Err(self.no_messages(request.site).into()),
                Step::Fault(fault) => return Err(self.code.describe_fault(&fault).into()),
            }
            if runner.pending.is_some() || runner.finished {
                return Ok(true);
            }
        }
    }

    fn no_messages(&self, site: SiteId) -> Diagnostic {
        self.at(site, "outcomes are told of threads that share memory, and this sends or receives a message")
    }

    fn count_block(&mut self) -> Result<(), Box<Diagnostic>> {
        self.blocks_left = self.blocks_left.saturating_sub(1);
        if self.blocks_left > 0 {
            return Ok(());
        }
        Err(of_program(self.code, "this is too long for a litmus test: more than 10 million basic blocks").into())
    }

    /// Goes on to the next synchronising operation.
    fn node(&mut self, mut context: Context, mut own: Vec<(Address, Type, u64)>) -> Result<NodeId, Box<Diagnostic>> {
        for &(address, r#type, bits) in &own {
            self.scratch.store(r#type, address, bits);
        }
        let mut blocks = 0;
        let next = loop {
            self.count_block()?;
            blocks += 1;
            if blocks > MOST_BLOCKS_AT_A_TIME {
                return Err(of_program(self.code, "a thread goes on without end and without a synchronising operation").into());
            }
            let step = self.interpreter.step(&mut context, &mut self.scratch);
            let block = match step {
                Step::Fault(fault) => return Err(self.code.describe_fault(&fault).into()),
                Step::Block(block) | Step::Busy { block, .. } | Step::Finished { block } => block,
                Step::Synchronise(request) => request.block,
                Step::Message(request) => return Err(self.no_messages(request.site).into()),
            };
            self.note_plain(&context, block, &mut own)?;
            match step {
                Step::Synchronise(request) if self.is_of_team(request.site) => break Next::Joins(Some(request)),
                Step::Synchronise(request) => break Next::Operation(request),
                Step::Finished { .. } => break Next::Joins(None),
                Step::Block(_) | Step::Busy { .. } | Step::Message(_) | Step::Fault(_) => {}
            }
        };
        for &(address, r#type, _) in &own {
            self.scratch.store(r#type, address, self.base.load(r#type, address));
        }
        Ok(self.number(Node { context, own, next }))
    }

    /// The number of a node, which may be known.
    fn number(&mut self, node: Node) -> NodeId {
        let registers = (0..self.code.registers.len() as u16).map(|register| node.context.register(register));
        let places = node.own.iter().flat_map(|&(address, _, bits)| [address, bits]);
        let key: Box<[u64]> =
            [u64::from(node.context.thread), u64::from(node.context.block())].into_iter().chain(registers).chain(places).collect();
        let next = self.nodes.len() as NodeId;
        match self.numbers.entry(key) {
            std::collections::hash_map::Entry::Occupied(known) => *known.get(),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(next);
                self.nodes.push(node);
                next
            }
        }
    }

    /// Takes note of the plain accesses of a block that ran.
    fn note_plain(
        &mut self,
        context: &Context,
        block: BlockId,
        own: &mut Vec<(Address, Type, u64)>,
    ) -> Result<(), Box<Diagnostic>> {
        let first = self.code.blocks[block as usize].first as usize;
        let accesses = self.code.block(block).iter().zip(first..).filter_map(|(instruction, index)| match *instruction {
            Instruction::Load { array, .. } => Some((array, false, index)),
            Instruction::Store { array, .. } => Some((array, true, index)),
            _ => None,
        });
        for ((array, writes, index), &address) in accesses.zip(&context.addresses) {
            let site = self.code.instruction_sites[index];
            if self.shared.iter().any(|range| range.contains(&address)) {
                let what = format!("a plain access to {}, which threads share by atomic ones", self.describe(address));
                return Err(self.at(site, what).help("in a litmus test every access to such a place is `atomic`").into());
            }
            let known = self.plain.entry(address).or_insert(Plain { first: context.thread, shared: false, written: false });
            known.shared |= known.first != context.thread;
            known.written |= writes;
            if known.shared && known.written {
                let what = format!("threads share {} by plain accesses, of which one stores", self.describe(address));
                return Err(self
                    .at(site, what)
                    .help("make them `atomic ... relaxed`: what plain ones that race return is not defined")
                    .into());
            }
            if writes {
                let r#type = self.code.arrays[usize::from(array)].element;
                let bits = self.scratch.load(r#type, address);
                match own.binary_search_by_key(&address, |&(address, ..)| address) {
                    Ok(place) => own[place].2 = bits,
                    Err(place) => own.insert(place, (address, r#type, bits)),
                }
            }
        }
        Ok(())
    }

    fn describe(&self, address: Address) -> String {
        self.code.describe_address(address).unwrap_or_else(|| format!("address {address:#x}"))
    }

    /// Whether a site is in the text that forks and joins teams.
    fn is_of_team(&self, site: SiteId) -> bool {
        is_of_team(self.code, site)
    }

    fn at(&self, site: SiteId, message: impl Into<String>) -> Diagnostic {
        Diagnostic::at(&self.code.texts[0], self.code.sites[site as usize].span, message)
    }
}

fn of_program(code: &Code, message: impl Into<String>) -> Diagnostic {
    Diagnostic::at(&code.texts[0], None, message)
}

fn is_of_team(code: &Code, site: SiteId) -> bool {
    let site = &code.sites[site as usize];
    let name = &code.texts[usize::from(site.text)].name;
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    site.text != 0 && file.strip_suffix(".flynn").unwrap_or(file) == "team"
}

/// The arrays that synchronising operations of the timed part name, but for those of the text that forks and joins.
fn shared_places(code: &Code) -> Vec<Range<Address>> {
    let Some(function) = code.function(Phase::Main) else { return Vec::new() };
    let mut places = Vec::new();
    for block in function.blocks.clone() {
        let first = code.blocks[block as usize].first as usize;
        for (instruction, index) in code.block(block).iter().zip(first..) {
            let Instruction::Synchronise { operation, .. } = *instruction else { continue };
            let operation = &code.synchronisations[operation as usize];
            let is_fence = operation.kind == crate::program::code::SynchronisationKind::Fence;
            if !is_fence && !is_of_team(code, code.instruction_sites[index]) {
                let array = &code.arrays[usize::from(operation.array)];
                places.push(array.base..array.base + array.length * u64::from(array.stride));
            }
        }
    }
    places.sort_unstable_by_key(|range| (range.start, range.end));
    places.dedup();
    places
}
