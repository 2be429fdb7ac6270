//! A core. In order, it waits for each access: blocking and sequentially consistent; under total store order its stores wait in a
//! buffer (`store_buffer`). Out of order, its window takes the place of the walk below (`out_of_order`), and synchronising operations
//! are as in order, but that stores leave the window behind under total store order (`relaxed`).
//!
//! ```text
//!            interpreter: one block at a time
//!                 |
//!   block cost -> walk: cycles ... lookup ... cycles ... lookup ...      local time, in cycles of the core's clock
//!                                    | miss
//!                                    v
//!                                  Request -> interconnect -> ... -> Complete       Snoop -> Answer
//! ```
//!
//! A lookup that hits is not an event: the core runs ahead of the engine up to its horizon. It may also lag behind: nothing it does
//! reaches anyone before the lookups of a miss are over, so it plans to be woken that much later than its local time, which lets the
//! others run further ahead. Before it sees a message it catches up, so neither changes what happens when.
//!
//! A synchronising operation binds its value when it has the line in a state that allows it. An `await` whose comparison fails sleeps
//! as long as its copy lives, and is charged with the spins it would have made: a load that hits and a branch.

mod account;
mod fetch;
mod messages;
mod misses;
mod out_of_order;
mod plain;
mod prefetch;
mod relaxed;
mod run;
mod store_buffer;
mod stream;
mod supply;
mod translate;
mod units;
mod walks;
pub mod window;

use std::ops::Range;
use std::rc::Rc;

use crate::base::address::{Address, Line};
use crate::base::time::{Clock, Time};
use crate::coherence::controller::Transaction;
use crate::coherence::directory::Packet;
use crate::coherence::order::{AgentNumber, Command, TransactionId};
use crate::components::block::BlockTable;
use crate::components::hierarchy::{Broken, PrivateCaches};
use crate::components::interface::InterfaceSpec;
use crate::components::lookups::Lookups;
use crate::components::message::{Message, SETTLE};
use crate::components::owner::Owner;
use crate::components::plain::PlainCaches;
use crate::components::predictor::Predictor;
use crate::components::shared::{Interruption, LATEST, Shared, SharedHandle};
use crate::components::spec::{Holds, NodeSpec};
use crate::components::translation::{Translation, Translator};
use crate::engine::{ChannelId, Port, Wait};
use crate::program::code::{Code, Function, OperationClass, SynchronisationKind};
use crate::program::interpret::{Context, Interpreter, Request};
use crate::program::messages::MessageRequest;
use std::sync::Arc;

pub use fetch::text;
pub use stream::{code_of_trace, costs_of_trace};

pub use account::{CoreAccount, LineStacks, NotConserved, Totals};
use out_of_order::OutOfOrder;
use plain::Plain;
pub use prefetch::PrefetchCounters;
use prefetch::Prefetching;
use run::Pause;
use store_buffer::StoreBuffer;
use stream::Stream;
use window::OperationTable;
pub use window::WindowAccount;

/// What happens to caches is no access of the program.
const NO_ACCESS: (Address, u32) = (0, 0);

/// A program made ready for one kind of core.
#[derive(Debug)]
pub struct Loaded {
    pub code: Arc<Code>,
    pub interpreter: Interpreter,
    pub table: BlockTable,
    /// For out-of-order cores.
    pub operations: OperationTable,
    /// Where its instructions lie.
    pub text: Range<Address>,
}

/// How accesses reach memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    /// Through private caches.
    Cached,
    /// Through private caches that nothing keeps coherent: those of the only core.
    Plain,
    /// Each access is a transaction.
    Uncached,
    /// Accesses are free; synchronising operations take effect in the engine's order.
    Free,
}

/// Where the core is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// No thread in this phase.
    Idle,
    /// The next block is to be interpreted.
    Step,
    /// References of a block are being made.
    References,
    /// The synchronising operation that ends the block is to be made.
    Synchronise(Request),
    /// An access waits for its transaction.
    Waiting(Pending),
    /// An access waits for a place in the write-back buffer, or for a word on its way to the copy.
    Stalled,
    /// The operation on messages that ends the block is to be made.
    Message(MessageRequest),
    /// It waits for messages to be over.
    Receiving(MessageRequest),
    /// An `await` sleeps; its next lookup would be at this cycle.
    Sleeping {
        request: Request,
        next: u64,
    },
    /// It waits for the oldest store in its buffer, `paid` cycles of the operation at hand behind it.
    Draining {
        paid: u64,
    },
    /// The thread's part is over but for the stores in its buffer.
    Ending,
    /// The thread's part is over, and the engine has yet to come to that instant.
    Arriving,
    Finished,
}

/// An access that waits for its transaction.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pending {
    line: Line,
    write: bool,
    /// `None` for a plain reference: the one at the cursor.
    request: Option<Request>,
}

/// What follows a block's references.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Step,
    /// As `Step`, and branches are predicted.
    Branch,
    Busy(u64),
    Synchronise(Request),
    Message(MessageRequest),
    Finish,
}

/// Figures of the core's spec that it needs at every step.
#[derive(Clone, Copy, Debug)]
struct Costs {
    atomic: u64,
    branch: u64,
    /// More for a mispredicted one.
    misprediction: u64,
    integer: u64,
    /// Lookup in the first level.
    inner: u64,
}

/// The core and its private caches.
#[derive(Debug)]
pub struct Core {
    // Spec.
    number: AgentNumber,
    clock: Clock,
    costs: Costs,
    path: Path,
    /// How synchronising operations do.
    synchronising: Path,
    /// Addresses of locks, barriers and teams, where synchronising is free.
    beside: Range<Address>,
    watched: bool,
    /// What lookups in the caches take.
    levels: Lookups,
    /// Whether no access may go on before someone has looked closer: coherence is watched, or addresses are translated.
    careful: bool,
    /// From the lookup of an access to its request: in picoseconds, never more than the clock's edges say.
    lookups: Time,
    program: Rc<Loaded>,
    shared: SharedHandle,
    requests: Option<ChannelId>,
    answers: Option<ChannelId>,
    interface: Option<ChannelId>,
    /// What the core spends on a message that it sends, and that it receives.
    send_overhead: u64,
    receive_overhead: u64,

    // State.
    caches: Option<PrivateCaches>,
    plain: Option<Box<Plain>>,
    out_of_order: Option<Box<OutOfOrder>>,
    translator: Option<Box<Translator>>,
    predictor: Option<Box<Predictor>>,
    prefetching: Option<Box<Prefetching>>,
    /// What follows a block that ends with nothing special.
    after_block: Then,
    /// Of an in-order core under total store order.
    buffer: Option<Box<StoreBuffer>>,
    context: Context,
    /// Takes the interpreter's place where it replays a trace.
    stream: Option<Box<Stream>>,
    stage: Stage,
    then: Then,
    /// Local time.
    cycle: u64,
    /// The references of the block in progress: those from `next` to `end` are still to be made.
    next: u32,
    end: u32,
    /// `addresses[next - first]` is the next one's.
    first: u32,
    /// The block in progress.
    block: u32,
    /// Whether instructions are fetched, in lines of this many bytes as a power of two; those of the block in progress that are still to
    /// be fetched.
    fetches: bool,
    text_shift: u32,
    fetching: Range<Line>,
    /// When the core is to be woken.
    planned: Option<Time>,
    /// Whether the pending transaction polls: an `await` on a machine without caches.
    polling: bool,
    /// When it ends the phase, where it was the last to arrive.
    closes: Option<Time>,
    account: CoreAccount,
}

/// The channels of a core; `None` on a machine where it has nothing to say to the interconnect.
#[derive(Clone, Copy, Debug, Default)]
pub struct CorePorts {
    pub requests: Option<ChannelId>,
    pub answers: Option<ChannelId>,
    /// To the node's interface, where there is one.
    pub interface: Option<ChannelId>,
}

impl Core {
    /// A core without a thread, its caches empty.
    pub fn new(number: AgentNumber, spec: &NodeSpec, program: Rc<Loaded>, shared: SharedHandle) -> Core {
        let cost = |class: OperationClass| u64::from(spec.core.costs[class as usize]);
        let costs = Costs {
            atomic: cost(OperationClass::Atomic),
            branch: cost(OperationClass::Branch),
            misprediction: spec.core.branches.map_or(0, |branches| u64::from(branches.misprediction_cycles)),
            integer: cost(OperationClass::Integer),
            inner: spec.first_data_latency(),
        };
        let caches = match &spec.protocol {
            Some(protocol) if !spec.caches.is_empty() => {
                let random = |cache: &str| spec.cache_stream(number, cache);
                Some(PrivateCaches::new(&spec.caches, Arc::clone(protocol), spec.checks, random))
            }
            _ => None,
        };
        let plain = (spec.is_plain() && !spec.caches.is_empty()).then(|| Box::new(Plain::new(number, spec)));
        let path = match (&caches, &plain, spec.is_free()) {
            (Some(_), ..) => Path::Cached,
            (None, Some(_), _) => Path::Plain,
            (None, None, true) => Path::Free,
            (None, None, false) => Path::Uncached,
        };
        let frees = spec.free_synchronisation && path != Path::Plain;
        let account = CoreAccount::new(program.table.blocks.len());
        let out_of_order = spec.core.out_of_order.as_ref().map(|own| {
            let lookups = Lookups::new(&spec.caches);
            Box::new(OutOfOrder::new(&spec.core, own, &lookups, spec.translation.as_ref(), &program))
        });
        let translator = Translator::new(number, spec, program.code.arena.size.max(program.text.end));
        let predictor = spec.core.branches.map(|branches| Box::new(Predictor::new(branches.predictor)));
        let buffer = spec.core.store_buffer.filter(|_| path == Path::Cached).map(|stores| Box::new(StoreBuffer::new(stores)));
        let n_lines = spec.caches.iter().map(|cache| cache.size_bytes / u64::from(cache.line_bytes)).sum();
        let prefetching = spec.prefetcher.map(|own| Box::new(Prefetching::new(own, spec.line_bytes(), n_lines)));
        let nowhere = Function { phase: crate::program::code::Phase::Main, entry: 0, blocks: 0..0, parallel: false };
        let context = program.interpreter.context(u32::from(number), &nowhere);
        Core {
            number,
            clock: spec.core.clock,
            costs,
            path,
            synchronising: if frees { Path::Free } else { path },
            beside: if frees { program.code.arena.runtime.clone() } else { 0..0 },
            watched: spec.checks && caches.is_some(),
            levels: Lookups::new(&spec.caches),
            careful: spec.checks && caches.is_some() || translator.is_some() || prefetching.is_some() || frees,
            lookups: spec.lookups(),
            program,
            shared,
            requests: None,
            answers: None,
            interface: None,
            send_overhead: 0,
            receive_overhead: 0,
            caches,
            plain,
            out_of_order,
            translator,
            after_block: if predictor.is_some() { Then::Branch } else { Then::Step },
            predictor,
            prefetching,
            buffer,
            context,
            stream: None,
            stage: Stage::Idle,
            then: Then::Step,
            cycle: 0,
            next: 0,
            end: 0,
            first: 0,
            block: 0,
            fetches: spec.fetches(),
            text_shift: spec.first_line_bytes_of(Holds::Instructions).ilog2(),
            fetching: 0..0,
            planned: None,
            polling: false,
            closes: None,
            account,
        }
    }

    /// Connects the core.
    pub fn connect(&mut self, ports: CorePorts) {
        self.requests = ports.requests;
        self.answers = ports.answers;
        self.interface = ports.interface;
    }

    /// Makes it a core of a rank, whose messages cost it something.
    pub fn join(&mut self, rank: u32, interface: &InterfaceSpec) {
        self.context.rank = rank;
        self.send_overhead = self.clock.cycle_at_or_after(interface.send_overhead);
        self.receive_overhead = self.clock.cycle_at_or_after(interface.receive_overhead);
    }

    /// Begins a phase at a cycle of the core's clock: with a function to enter, or idle. Counters start anew; what is cached stays.
    pub fn begin(&mut self, function: Option<&Function>, cycle: u64) {
        self.account.reset();
        if let Some(caches) = &mut self.caches {
            caches.reset_counters();
            if let Some(own) = &mut self.prefetching {
                own.begin(caches);
            }
        }
        if let Some(plain) = &mut self.plain {
            plain.caches.reset_counters();
        }
        if let Some(own) = &mut self.out_of_order {
            own.begin();
        }
        if let Some(own) = &mut self.translator {
            own.tlbs.reset_counters();
        }
        if let Some(buffer) = &mut self.buffer {
            buffer.begin();
        }
        self.cycle = cycle;
        self.planned = None;
        self.polling = false;
        self.fetching = 0..0;
        self.stage = match function {
            Some(function) => {
                self.program.interpreter.enter(&mut self.context, function);
                Stage::Step
            }
            None => Stage::Idle,
        };
    }

    /// The instant at which the thread's part was over; `None` while it is not, and for a core without a thread.
    pub fn finished(&self) -> Option<Time> {
        (self.stage == Stage::Finished).then(|| self.clock.edge(self.cycle))
    }

    /// What the core counted in this phase.
    pub fn account(&self) -> &CoreAccount {
        &self.account
    }

    /// Its private caches, where nothing keeps them coherent.
    pub fn plain_caches(&self) -> Option<&PlainCaches> {
        self.plain.as_ref().map(|plain| &plain.caches)
    }

    /// Whether it executes in order and predicts branches.
    pub fn predicts(&self) -> bool {
        self.predictor.is_some()
    }

    /// What its window counted, where it has one.
    pub fn window(&self) -> Option<&WindowAccount> {
        self.out_of_order.as_ref().map(|own| own.account())
    }

    /// Loads that took their value from a store in its buffer, where it has one and executes in order.
    pub fn forwarded(&self) -> Option<u64> {
        self.buffer.as_ref().map(|buffer| buffer.forwarded())
    }

    /// Its private caches, where they are coherent.
    pub fn caches(&self) -> Option<&PrivateCaches> {
        self.caches.as_ref()
    }

    /// The line of the program's text that the core is at, where it has a thread.
    pub fn source_line(&self) -> Option<u32> {
        match self.stage {
            Stage::Idle | Stage::Finished => None,
            _ => Some(self.line_in_progress()),
        }
    }

    /// Bytes of the host's memory that the core takes, its caches and counters included.
    pub fn footprint(&self) -> usize {
        let plain = self.plain_caches().map_or(0, PlainCaches::footprint);
        let caches = self.caches.as_ref().map_or(0, PrivateCaches::footprint);
        let window = self.out_of_order.as_ref().map_or(0, |own| own.footprint());
        let translation = self.translation().map_or(0, Translation::footprint);
        let predictor = self.predictor.as_ref().map_or(0, |own| own.footprint());
        let prefetching = self.prefetching.as_ref().map_or(0, |own| own.footprint());
        std::mem::size_of::<Core>() + caches + plain + window + translation + predictor + prefetching + self.account.footprint()
    }

    /// A message has come.
    pub fn receive(&mut self, message: Message, port: &mut Port<'_, Message>) {
        self.catch_up(port);
        match message {
            Message::Snoop { id, transaction, line, requestor } => self.snoop(id, transaction, line, requestor, port),
            Message::Complete { transaction, line, shared, version, time } => {
                self.complete(transaction, line, shared, version, time, port);
            }
            Message::Word { line, version, time } => self.take_word(line, version, time, port),
            Message::Packet { packet, asked, time } => self.hear(&packet, asked, time, port),
            Message::Wake { time } => self.awake(time),
            Message::Over { .. } => self.hear_of_message(),
            _ => {}
        }
        self.go(port);
    }

    /// The core planned to be woken.
    pub fn wake(&mut self, port: &mut Port<'_, Message>) {
        if self.closes.is_some_and(|time| time <= port.now()) {
            self.closes = None;
            port.stop();
        }
        if self.planned.is_some_and(|time| time <= port.now()) {
            self.planned = None;
        }
        self.go(port);
    }

    /// Does what lies before the present instant.
    fn catch_up(&mut self, port: &mut Port<'_, Message>) {
        if self.is_runnable() {
            let limit = self.clock.cycle_at_or_after(port.now());
            while self.advance_to(limit, port) {}
        }
    }

    /// Goes on as far as nothing can reach the core that it has not seen.
    fn go(&mut self, port: &mut Port<'_, Message>) {
        while self.is_runnable() {
            let unannounced = self.out_of_order.as_ref().is_some_and(|own| own.ends_unannounced())
                || self.buffer.as_ref().is_some_and(|buffer| buffer.ends_unannounced());
            let limit = match if unannounced { port.near_horizon() } else { port.horizon() } {
                Time::NEVER => u64::MAX,
                horizon => self.clock.cycle_at_or_after(horizon),
            };
            if !self.advance_to(limit, port) {
                return;
            }
        }
    }

    fn is_runnable(&self) -> bool {
        matches!(
            self.stage,
            Stage::Step | Stage::References | Stage::Synchronise(_) | Stage::Message(_) | Stage::Ending | Stage::Arriving
        ) || self.buffer.as_ref().is_some_and(|buffer| buffer.goes_on())
    }

    /// Goes on up to a cycle. Returns whether there is more to do: a core with several misses under way does not stop for one.
    fn advance_to(&mut self, limit: u64, port: &mut Port<'_, Message>) -> bool {
        let handle = Rc::clone(&self.shared);
        let mut shared = handle.borrow_mut();
        let pause = match self.out_of_order.take() {
            None if self.buffer.is_some() => self.advance_buffered(&mut shared, limit, port.now()),
            None => self.advance(&mut shared, limit, port.now()),
            Some(mut own) => {
                let pause = self.advance_out_of_order(&mut own, &mut shared, limit, port.now());
                self.out_of_order = Some(own);
                pause
            }
        };
        let goes_on =
            matches!(pause, Pause::Ask { .. } | Pause::Leave { .. } | Pause::Walked { .. } | Pause::Prefetch | Pause::Started(_));
        shared.spend(std::mem::take(&mut self.account.unspent));
        match pause {
            // What the core does at that cycle reaches no one before its lookups are over.
            Pause::Until(cycle) => self.plan(self.clock.edge(cycle).saturating_add(self.lag()), &mut shared, port),
            Pause::At(cycle) => self.plan(self.clock.edge(cycle), &mut shared, port),
            Pause::Ask { command, line, cycle } => {
                self.ask(command, line, cycle, &mut shared, port);
                self.send_leaving(self.clock.edge(cycle), port);
            }
            Pause::Leave { cycle } | Pause::Walked { cycle } => self.send_leaving(self.clock.edge(cycle), port),
            Pause::Wrote(address) => {
                let time = self.clock.edge(self.cycle);
                if let Some(channel) = self.requests {
                    port.send(channel, Message::Written { address, time }, port.now());
                }
                self.plan(time, &mut shared, port);
            }
            Pause::Posted => {
                self.send_posted(Time::ZERO, &mut shared, port);
                self.plan(self.clock.edge(self.cycle), &mut shared, port);
            }
            Pause::Started(end) => {
                let time = self.clock.edge(self.cycle);
                if let Some(channel) = self.interface {
                    port.send(channel, Message::Started { end, time }, port.now());
                }
            }
            Pause::Blocked => self.send_posted(Time::ZERO, &mut shared, port),
            Pause::Finished => self.arrive(&mut shared, port),
            Pause::Prefetch | Pause::Interrupted => {}
        }
        self.send_prefetches(&mut shared, port);
        if shared.interruption.is_some() {
            port.stop();
            return false;
        }
        goes_on && self.is_runnable()
    }

    /// How much later than its local time the core may be woken: the request of a miss then still leaves in time.
    fn lag(&self) -> Time {
        self.lookups.saturating_sub(Time(2))
    }

    fn plan(&mut self, at: Time, shared: &mut Shared, port: &mut Port<'_, Message>) {
        if at >= LATEST {
            shared.interrupt(Interruption::TimeLimit);
            return;
        }
        let at = at.max(port.now());
        if self.planned.is_none_or(|planned| planned > at) {
            self.planned = Some(at);
            port.wake_at(at, 0);
        }
    }

    /// Sends a request that leaves when the lookups are over, at a cycle.
    fn ask(&mut self, command: Command, line: Line, cycle: u64, shared: &mut Shared, port: &mut Port<'_, Message>) {
        let time = self.clock.edge(cycle);
        if time >= LATEST {
            shared.interrupt(Interruption::TimeLimit);
            return;
        }
        shared.timelines[usize::from(self.number)].begin(line, time);
        let Some(channel) = self.requests else { return };
        let departure = self.departure(time, port);
        port.send(channel, Message::Request { agent: self.number, command, line, time }, departure);
    }

    /// When a message is to be sent that means to be there at an instant.
    fn departure(&self, time: Time, port: &Port<'_, Message>) -> Time {
        // A lookup takes longer than a picosecond, or no time at all: then the message comes a picosecond late and says so.
        let early = Time(u64::from(self.lookups > Time(1)));
        time.saturating_sub(early).max(port.now())
    }

    /// Asks the interconnect to take back lines that left the caches at an instant.
    fn send_leaving(&mut self, time: Time, port: &mut Port<'_, Message>) {
        let (Some(caches), Some(channel)) = (&mut self.caches, self.requests) else { return };
        if !caches.is_leaving() {
            return;
        }
        let leaving = caches.take_leaving();
        if caches.has_homes() {
            let puts: Vec<Packet> = leaving.into_iter().filter_map(|line| caches.give_back(line, self.number)).collect();
            let departure = self.departure(time, port);
            self.send_packets(&puts, (time, time), departure, port);
            return;
        }
        let departure = self.departure(time, port);
        for line in leaving {
            let command = Command::Coherent(Transaction::BusWb);
            port.send(channel, Message::Request { agent: self.number, command, line, time }, departure);
        }
    }

    fn arrive(&mut self, shared: &mut Shared, port: &mut Port<'_, Message>) {
        let time = self.clock.edge(self.cycle);
        if time > port.now() {
            self.stage = Stage::Arriving;
            self.plan(time, shared, port);
            return;
        }
        self.stage = Stage::Finished;
        if let Some(end) = shared.standing.arrive(time) {
            // Cores that lagged behind have come to the end by then, whichever of them is woken last.
            let closes = (end + self.lookups + SETTLE + SETTLE).max(port.now());
            self.closes = Some(closes);
            port.wake_at(closes, 0);
        }
    }

    fn snoop(
        &mut self,
        id: TransactionId,
        transaction: Transaction,
        line: Line,
        requestor: AgentNumber,
        port: &mut Port<'_, Message>,
    ) {
        let Some(caches) = &mut self.caches else { return };
        let handle = Rc::clone(&self.shared);
        let shared = &mut *handle.borrow_mut();
        let mut observer = shared.observe(self.number, port.now(), NO_ACCESS);
        match caches.snoop(line, transaction, requestor == self.number, &mut observer) {
            Ok((answer, gone)) => {
                if answer.matters()
                    && let Some(channel) = self.answers
                {
                    port.send(channel, Message::Answer { id, agent: self.number, answer }, port.now());
                }
                if answer.left {
                    self.has_news(line);
                    self.try_again(port.now());
                }
                if gone && self.sleeps_on(line) {
                    self.awake(port.now());
                }
            }
            Err(broken) => {
                shared.broken(port.now(), self.number, &broken);
                port.stop();
            }
        }
    }

    /// A packet about a line has come, there at `time`, of a request that was made at `asked`.
    fn hear(&mut self, packet: &Packet, asked: Time, time: Time, port: &mut Port<'_, Message>) {
        let Some(caches) = &mut self.caches else { return };
        let handle = Rc::clone(&self.shared);
        let mut answers = Vec::new();
        let heard = {
            let shared = &mut *handle.borrow_mut();
            let mut observer = shared.observe(self.number, time, NO_ACCESS);
            match caches.receive(packet, &mut answers, &mut observer) {
                Ok(heard) => heard,
                Err(broken) => {
                    shared.broken(time, self.number, &broken);
                    port.stop();
                    return;
                }
            }
        };
        // What is sent on has to be looked up in the caches first.
        let lookups = if packet.kind.is_forward() { self.lookups } else { Time::ZERO };
        handle.borrow_mut().timelines[usize::from(packet.requestor)].mark(packet.line, Owner::Coherence, time + lookups);
        let at = time + lookups;
        self.send_packets(&answers, (asked, at), at.saturating_sub(Time(1)).max(port.now()), port);
        if heard.left {
            self.has_news(packet.line);
            self.try_again(time);
        }
        // What is dropped here in silence nobody would tell it of any more.
        if heard.gone && self.sleeps_on(packet.line) || heard.dropped.is_some_and(|line| self.sleeps_on(line)) {
            self.awake(time);
        }
        if heard.performs {
            self.complete(Some(Transaction::GetM), packet.line, false, packet.version, time, port);
        }
    }

    /// Packets of this core's are to be at the interconnect at an instant, for what was asked at another.
    fn send_packets(&self, packets: &[Packet], (asked, time): (Time, Time), departure: Time, port: &mut Port<'_, Message>) {
        let Some(channel) = self.requests else { return };
        for &packet in packets {
            port.send(channel, Message::Packet { packet, asked, time }, departure);
        }
    }

    fn sleeps_on(&self, line: Line) -> bool {
        let (Stage::Sleeping { request, .. }, Some(caches)) = (self.stage, &self.caches) else { return false };
        caches.line(request.address) == line
    }

    /// The word that another core wrote is there: whoever waits for it goes on.
    fn take_word(&mut self, line: Line, version: u64, time: Time, port: &mut Port<'_, Message>) {
        let Some(caches) = &mut self.caches else { return };
        let handle = Rc::clone(&self.shared);
        let shared = &mut *handle.borrow_mut();
        let mut observer = shared.observe(self.number, time, NO_ACCESS);
        if let Err(broken) = caches.take_word(line, version, &mut observer) {
            shared.broken(time, self.number, &broken);
            port.stop();
            return;
        }
        self.has_news(line);
        self.try_again(time);
        if self.sleeps_on(line) {
            self.awake(time);
        }
    }

    /// What it waited for has come or left: a stalled access is looked up now.
    fn try_again(&mut self, now: Time) {
        self.try_blocked_again(now);
        self.unblock_store(now);
        if self.stage != Stage::Stalled {
            return;
        }
        let cycle = self.clock.cycle_at_or_after(now).max(self.cycle);
        let waited = self.clock.edge(cycle) - self.clock.edge(self.cycle);
        let line = self.line_in_progress();
        let owner = if self.is_walking() { Owner::Translation } else { Owner::Queue };
        self.account.stall(line, cycle - self.cycle, |stack| stack.add(owner, waited));
        // What the operation costs was paid before it stalled.
        self.cycle = cycle;
        self.go_back();
        self.stage = self.stage_in_progress();
    }

    /// Where the access in progress is made.
    fn stage_in_progress(&self) -> Stage {
        match self.then {
            Then::Synchronise(request) if self.next == self.end && self.fetching.is_empty() => Stage::Synchronise(request),
            _ => Stage::References,
        }
    }

    /// What an `await` waits for may have changed at an instant: its first lookup from then on is made.
    fn awake(&mut self, time: Time) {
        let Stage::Sleeping { request, next } = self.stage else { return };
        let lookup = if self.synchronising == Path::Free { 0 } else { self.costs.inner + self.translation_cycles() };
        let period = self.costs.branch + self.costs.atomic + lookup;
        let change = self.clock.cycle_at_or_after(time);
        let spins = if period == 0 { 0 } else { change.saturating_sub(next).div_ceil(period) };
        let lookup = if period == 0 { next.max(change) } else { next + spins * period };
        let line = self.line_in_progress();
        let cycles = lookup - self.cycle;
        self.account.spin(self.block, line, spins, cycles);
        if self.synchronising == Path::Free {
            self.account.beside += spins;
        } else {
            if let Some(caches) = &mut self.caches {
                caches.count_hits(spins);
            }
            if let Some(own) = &mut self.translator {
                own.tlbs.count_hits(spins);
            }
        }
        self.cycle = lookup.wrapping_sub(self.costs.atomic);
        self.stage = Stage::Synchronise(request);
    }

    /// A transaction is over: the access that waited for it takes effect.
    fn complete(
        &mut self,
        transaction: Option<Transaction>,
        line: Line,
        is_shared: bool,
        version: u64,
        time: Time,
        port: &mut Port<'_, Message>,
    ) {
        if self.plain.is_some() {
            self.complete_plain(time, port);
            return;
        }
        let handle = Rc::clone(&self.shared);
        let shared = &mut *handle.borrow_mut();
        let completed =
            transaction.and_then(|transaction| self.complete_beside((transaction, line, is_shared, version), time, shared));
        if let Some(completed) = completed {
            if self.is_there(completed, line, time, shared, port) {
                // Whoever is stalled may wait for a line, or a place, that was asked for beforehand.
                self.try_again(time);
            }
            self.send_leaving(time, port);
            return;
        }
        self.unblock_store(time);
        if let Some(transaction) = transaction
            && self.prefetching.as_ref().is_some_and(|own| own.awaits(line))
        {
            self.complete_prefetch((transaction, line, is_shared, version), time, shared, port);
            return;
        }
        let Stage::Waiting(pending) = self.stage else { return };
        if let (Some(caches), Some(transaction)) = (&mut self.caches, transaction) {
            let mut observer = shared.observe(self.number, time, NO_ACCESS);
            match caches.complete(line, transaction, is_shared, version, &mut observer) {
                Ok(None) => {}
                Ok(Some(next)) => {
                    self.charge_wait(line, time, shared);
                    self.ask(Command::Coherent(next), line, self.cycle, shared, port);
                    return;
                }
                Err(broken) => {
                    shared.broken(time, self.number, &broken);
                    port.stop();
                    return;
                }
            }
        }
        self.charge_wait(line, time, shared);
        self.send_leaving(time, port);
        if self.is_walking() {
            self.go_on_walking(pending.request);
            return;
        }
        match pending.request {
            None => self.pass_reference(),
            Some(request) => self.perform(request, shared),
        }
    }

    /// Completes what was asked for while the thread went on: a miss of the window, or the oldest store of the buffer. `None` where the
    /// transaction is neither's.
    fn complete_beside(
        &mut self,
        over: (Transaction, Line, bool, u64),
        time: Time,
        shared: &mut Shared,
    ) -> Option<Result<Option<Transaction>, Broken>> {
        let line = over.1;
        if let Some(mut own) = self.out_of_order.take_if(|own| own.awaits(line)) {
            let completed = self.complete_miss(&mut own, over, time, shared);
            self.out_of_order = Some(own);
            return Some(completed);
        }
        let is_store = self.buffer.as_ref().is_some_and(|buffer| buffer.awaits(line));
        is_store.then(|| self.complete_store(over, time, shared))
    }

    /// Whether a line that the thread did not wait for is there; if not, the next transaction that it takes is asked for, or the run is
    /// over.
    fn is_there(
        &mut self,
        completed: Result<Option<Transaction>, Broken>,
        line: Line,
        time: Time,
        shared: &mut Shared,
        port: &mut Port<'_, Message>,
    ) -> bool {
        match completed {
            Ok(None) => return true,
            Ok(Some(next)) => self.ask(Command::Coherent(next), line, self.clock.cycle_at_or_after(time), shared, port),
            Err(broken) => {
                shared.broken(time, self.number, &broken);
                port.stop();
            }
        }
        false
    }

    /// The reference at the cursor, or the line of instructions that was waited for, is there.
    fn pass_reference(&mut self) {
        if self.fetching.is_empty() {
            self.next += 1;
        } else {
            self.fetched();
        }
        self.stage = Stage::References;
    }

    /// The time from a request to the core's next cycle after its answer belongs to whom it passed on its way.
    fn charge_wait(&mut self, of: Line, time: Time, shared: &mut Shared) {
        // The request left at the core's local time, so the answer comes later.
        let (cycle, edge) = self.clock.first_edge(time);
        let mut timeline = shared.timelines[usize::from(self.number)].end(of);
        timeline.mark(Owner::Network, edge);
        let line = self.line_in_progress();
        let cycles = cycle - self.cycle;
        if self.polling || self.is_walking() {
            let (elapsed, owner) = (timeline.elapsed(), if self.polling { Owner::Synchronisation } else { Owner::Translation });
            self.account.stall(line, cycles, |stack| stack.add(owner, elapsed));
        } else {
            self.account.stall(line, cycles, |stack| stack.merge(timeline.stack()));
        }
        self.cycle = cycle;
    }

    /// The line of the program's text of the operation in progress.
    fn line_in_progress(&self) -> u32 {
        if !self.fetching.is_empty() && self.out_of_order.is_none() {
            return self.line_of_block();
        }
        let code = &self.program.code;
        let request = match (self.stage, self.then) {
            (Stage::Synchronise(request) | Stage::Sleeping { request, .. }, _) => Some(request),
            (Stage::Waiting(pending), _) => pending.request,
            (Stage::Message(request) | Stage::Receiving(request), _) => return self.line_of(&request),
            (Stage::Stalled, Then::Synchronise(request)) if self.next == self.end => Some(request),
            _ => None,
        };
        if let Some(request) = request {
            return code.sites[request.site as usize].line;
        }
        if let Some(line) = self.out_of_order.as_ref().and_then(|own| own.oldest_line()) {
            return line;
        }
        match self.program.table.references[..self.end as usize].get(self.next as usize) {
            Some(reference) => reference.line,
            None => {
                let first = code.blocks[self.context.block() as usize].first;
                code.sites[code.instruction_sites[first as usize] as usize].line
            }
        }
    }

    /// What the stalled operation cost before its lookup.
    fn cost_in_progress(&self) -> u64 {
        if !self.fetching.is_empty() {
            return 0;
        }
        match self.program.table.references[..self.end as usize].get(self.next as usize) {
            Some(reference) => u64::from(reference.cycles),
            None => self.costs.atomic,
        }
    }

    /// Says what the core waits for, where it has work that it cannot do.
    pub fn waits(&self, report: &mut Vec<Wait>) {
        let for_what = match self.stage {
            Stage::Sleeping { request, .. } => {
                let what = format!("{} awaits {}", self.describe(), self.describe_await(&request));
                report.push(Wait { who: None, whom: None, what });
                return;
            }
            Stage::Receiving(request) => {
                let what = self.describe_messages(&request, &self.shared.borrow());
                let what = format!("{} waits for {what} (line {})", self.describe(), self.line_of(&request));
                report.push(Wait { who: None, whom: None, what });
                return;
            }
            Stage::References if self.out_of_order.as_ref().is_some_and(|own| own.n_misses() > 0) => "memory",
            Stage::Waiting(_) => "memory",
            Stage::Draining { .. } => "its store buffer",
            Stage::Stalled => "its write-back buffer or an update",
            _ => return,
        };
        let place = match self.replayed() {
            None => format!("line {}", self.line_in_progress()),
            Some(made) => format!("its reference {}", made.kinds.iter().sum::<u64>()),
        };
        let what = format!("{} waits for {for_what} ({place})", self.describe());
        report.push(Wait { who: None, whom: None, what });
    }

    /// Who it is, in words.
    fn describe(&self) -> String {
        match (self.program.code.ranks > 1, self.program.code.threads > 1) {
            (false, _) => format!("core {}", self.number),
            (true, false) => format!("rank {}", self.context.rank),
            (true, true) => format!("rank {}, thread {},", self.context.rank, self.context.thread),
        }
    }

    /// `fork.serving[2] == 3 (line 9)`.
    fn describe_await(&self, request: &Request) -> String {
        let code = &self.program.code;
        let place = code.describe_address(request.address).unwrap_or_else(|| format!("address {:#x}", request.address));
        let line = code.sites[request.site as usize].line;
        let SynchronisationKind::Await(comparison) = request.kind else { return format!("{place} (line {line})") };
        let operand = run::describe_value(request.element, request.operand);
        format!("{place} {} {operand} (line {line})", run::comparison_sign(comparison))
    }
}
