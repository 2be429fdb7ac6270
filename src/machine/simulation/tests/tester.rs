//! The random tester: cores without programs that read and write few lines of small caches, with random delays, on the real caches,
//! bus and memory (Wood, Gibson and Katz, "Verifying a multiprocessor cache controller using random test generation", IEEE Design and
//! Test 1990). The watch over versions says whether every read saw the last write. Broken tables must be caught.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::base::random::{Stream, stream};
use crate::coherence::controller::Transaction;
use crate::coherence::order::{AgentNumber, Command};
use crate::coherence::protocol::{Actions, AgentAction, AgentEvent, Row, State};
use crate::components::hierarchy::{Broken, Lookup, PrivateCaches};
use crate::components::ideal::Ideal;
use crate::components::llc::{Llc, LlcPorts};
use crate::components::memory::Memory;
use crate::components::message::Message;
use crate::components::shared::{Interruption, Shared, SharedHandle};
use crate::components::snooping::{AgentPort, Snooping};
use crate::components::trace::Kind;
use crate::components::versions::Violation;
use crate::engine::{ChannelId, Component, Engine, Outcome, PartId, Port, Wait, Wake};
use crate::program::code::Arena;

/// A core that makes random accesses.
struct Tester {
    number: AgentNumber,
    caches: PrivateCaches,
    shared: SharedHandle,
    random: Stream,
    requests: ChannelId,
    answers: ChannelId,
    /// The access in progress, and whether it waits for a transaction.
    access: Option<(u64, Kind)>,
    fetches: bool,
    waiting: bool,
    left: u32,
    lines: u64,
    pace: u64,
    /// What goes wrong with its messages, and how many such messages pass before.
    fault: Option<(Fault, u32)>,
}

/// What can happen to a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// A snoop that would take a copy away, or change it, does not reach the caches.
    LoseSnoop,
    /// What a snoop is answered does not reach the interconnect.
    LoseAnswer,
    /// An answer that sends a line is given as one that does not.
    LoseData,
    /// The line that was waited for does not come.
    LoseCompletion,
    /// It comes twice.
    DoubleCompletion,
    /// A request does not reach the interconnect.
    LoseRequest,
    /// A line that is written back does not reach memory. (That only the request for it is lost does no harm: whoever asks for the line
    /// gets it from the write-back buffer.)
    LoseWriteBack,
    /// A line comes with an older version than was sent.
    OldData,
}

enum Part {
    Tester(Box<Tester>),
    Snooping(Box<Snooping>),
    Ideal(Box<Ideal>),
    Llc(Box<Llc>),
    Memory(Box<Memory>),
}

impl Tester {
    fn plan(&mut self, port: &mut Port<'_, Message>) {
        if self.left > 0 {
            port.wake_at(port.now() + Time(1 + self.random.below(self.pace)), 0);
        }
    }

    fn choose(&mut self) -> (u64, Kind) {
        let line = self.random.below(self.lines);
        let kind = match self.random.chance(0.4) {
            true => Kind::Write,
            false if self.fetches && self.random.chance(0.3) => Kind::Fetch,
            false => Kind::Read,
        };
        (line, kind)
    }

    fn attempt(&mut self, port: &mut Port<'_, Message>) {
        let (line, kind) = match self.access {
            Some(access) => access,
            None => self.choose(),
        };
        self.access = Some((line, kind));
        let handle = Rc::clone(&self.shared);
        let shared = &mut *handle.borrow_mut();
        let time = port.now();
        let mut observer = shared.observe(self.number, time, (64 * line + 8 * (line % 8), 1));
        let write = kind == Kind::Write;
        let result = match kind {
            Kind::Fetch => self.caches.fetch(line, &mut observer),
            _ if self.caches.touch(line, write) => self.caches.watch(line, write, &mut observer).map(|()| Lookup::Hit(0)),
            _ => self.caches.access(line, write, &mut observer),
        };
        match result {
            Ok(Lookup::Hit(_)) => self.done(port),
            Ok(Lookup::Ask(transaction)) => {
                self.waiting = true;
                let agent = self.number;
                let command = Command::Coherent(transaction);
                if !self.goes_wrong(Fault::LoseRequest) {
                    port.send(self.requests, Message::Request { agent, command, line, time }, time);
                }
            }
            Ok(Lookup::Stall) => {}
            Err(broken) => fail(shared, time, self.number, &broken, port),
        }
        self.send_leaving(port);
    }

    /// Whether the fault that is to happen happens now.
    fn goes_wrong(&mut self, fault: Fault) -> bool {
        let Some((which, left)) = &mut self.fault else { return false };
        if *which != fault {
            return false;
        }
        if *left > 0 {
            *left -= 1;
            return false;
        }
        self.fault = None;
        true
    }

    fn send_leaving(&mut self, port: &mut Port<'_, Message>) {
        let (agent, time) = (self.number, port.now());
        for line in self.caches.take_leaving() {
            let command = Command::Coherent(Transaction::BusWb);
            port.send(self.requests, Message::Request { agent, command, line, time }, time);
        }
    }

    fn done(&mut self, port: &mut Port<'_, Message>) {
        self.access = None;
        self.waiting = false;
        self.left -= 1;
        self.plan(port);
    }

    fn receive(&mut self, message: Message, port: &mut Port<'_, Message>) {
        let handle = Rc::clone(&self.shared);
        let mut shared = handle.borrow_mut();
        let time = port.now();
        let mut observer = shared.observe(self.number, time, (0, 0));
        match message {
            Message::Snoop { id, transaction, line, requestor } => {
                let own = requestor == self.number;
                if !own && self.caches.is_permitted(line, false) && self.goes_wrong(Fault::LoseSnoop) {
                    return;
                }
                match self.caches.snoop(line, transaction, own, &mut observer) {
                    Ok((mut answer, _)) => {
                        drop(shared);
                        if (answer.flush || answer.supply) && self.goes_wrong(Fault::LoseData) {
                            (answer.flush, answer.supply) = (false, false);
                        }
                        if answer.write_back && self.goes_wrong(Fault::LoseWriteBack) {
                            answer.write_back = false;
                        }
                        if answer.matters() && !self.goes_wrong(Fault::LoseAnswer) {
                            port.send(self.answers, Message::Answer { id, agent: self.number, answer }, time);
                        }
                        if answer.left && self.access.is_some() && !self.waiting {
                            self.attempt(port);
                        }
                    }
                    Err(broken) => fail(&mut shared, time, self.number, &broken, port),
                }
            }
            Message::Complete { transaction: Some(transaction), line, shared: is_shared, version, .. } => {
                if self.goes_wrong(Fault::LoseCompletion) {
                    return;
                }
                let version = if version > 0 && self.goes_wrong(Fault::OldData) { version - 1 } else { version };
                if self.goes_wrong(Fault::DoubleCompletion) {
                    let completed = self.caches.complete(line, transaction, is_shared, version, &mut observer);
                    assert!(completed.is_ok(), "the first one was right");
                }
                let completed = self.caches.complete(line, transaction, is_shared, version, &mut observer);
                self.send_leaving(port);
                match completed {
                    Ok(None) => self.done(port),
                    Ok(Some(next)) => {
                        let (agent, command) = (self.number, Command::Coherent(next));
                        port.send(self.requests, Message::Request { agent, command, line, time }, time);
                    }
                    Err(broken) => fail(&mut shared, time, self.number, &broken, port),
                }
            }
            Message::Word { line, version, .. } => match self.caches.take_word(line, version, &mut observer) {
                Ok(()) => {
                    drop(shared);
                    if self.access.is_some() && !self.waiting {
                        self.attempt(port);
                    }
                }
                Err(broken) => fail(&mut shared, time, self.number, &broken, port),
            },
            _ => unreachable!(),
        }
    }
}

fn fail(shared: &mut Shared, time: Time, core: AgentNumber, broken: &Broken, port: &mut Port<'_, Message>) {
    shared.broken(time, core, broken);
    port.stop();
}

impl Component for Part {
    type Message = Message;

    fn receive(&mut self, channel: ChannelId, message: Message, port: &mut Port<'_, Message>) {
        match self {
            Part::Tester(tester) => {
                port.release(channel);
                tester.receive(message, port);
            }
            Part::Snooping(snooping) => snooping.receive(channel, message, port),
            Part::Ideal(ideal) => ideal.receive(channel, message, port),
            Part::Llc(llc) => llc.receive(channel, message, port),
            Part::Memory(memory) => memory.receive(message, port),
        }
    }

    fn wake(&mut self, reason: Wake, port: &mut Port<'_, Message>) {
        match self {
            Part::Tester(tester) => tester.attempt(port),
            Part::Snooping(snooping) => snooping.wake(reason, port),
            Part::Ideal(ideal) => ideal.wake(reason, port),
            Part::Llc(llc) => llc.wake(reason, port),
            Part::Memory(memory) => memory.wake(port),
        }
    }

    fn waits(&self, report: &mut Vec<Wait>) {
        if let Part::Tester(tester) = self
            && tester.access.is_some()
        {
            report.push(Wait { who: None, whom: None, what: format!("tester {} waits", tester.number) });
        }
    }
}

struct Setting {
    protocol: Arc<Protocol>,
    caches: Vec<CacheSpec>,
    bus: Option<SnoopingSpec>,
    /// Whether a shared cache of two lines stands before memory.
    shared_cache: bool,
    lines: u64,
    pace: u64,
    accesses: u32,
    seed: u64,
    /// What happens to a message of tester 0.
    fault: Option<(Fault, u32)>,
}

const TESTERS: u32 = 4;

/// Runs four testers; how often each row was taken, or what was found.
fn test(setting: &Setting) -> Result<Vec<u64>, Box<Violation>> {
    let values = crate::program::memory::Memory::new(&Arena::default()).unwrap();
    let shared = Rc::new(RefCell::new(Shared::new(values, TESTERS as usize, Some(Arc::clone(&setting.protocol)), true)));
    let (hub, memory) = (PartId(TESTERS), PartId(TESTERS + 1));
    let mut parts = Vec::new();
    let mut agents = Vec::new();
    let mut channels = Vec::new();
    let mut channel = |from, to, capacity| {
        channels.push((from, to, capacity));
        ChannelId(channels.len() as u32 - 1)
    };
    for number in 0..TESTERS {
        let requests = channel(PartId(number), hub, 40);
        let answers = channel(PartId(number), hub, 100);
        agents.push(AgentPort { requests, to: channel(hub, PartId(number), 100), snoops: true });
        parts.push(Part::Tester(Box::new(Tester {
            number: number as AgentNumber,
            caches: PrivateCaches::new(&setting.caches, Arc::clone(&setting.protocol), true, |cache| stream(1, cache)),
            shared: Rc::clone(&shared),
            random: stream(setting.seed, &format!("tester {number}")),
            requests,
            answers,
            access: None,
            fetches: setting.caches.iter().any(|cache| cache.holds == Holds::Instructions),
            waiting: false,
            left: setting.accesses / TESTERS,
            lines: setting.lines,
            pace: setting.pace,
            fault: setting.fault.filter(|_| number == 0),
        })));
    }
    let cached = PartId(TESTERS + 2);
    let behind = if setting.shared_cache { cached } else { hub };
    let (to_memory, from_memory) = (channel(behind, memory, 3), channel(memory, behind, 100));
    let mut leaves = to_memory;
    let mut protocol = Some(Arc::clone(&setting.protocol));
    let llc = setting.shared_cache.then(|| {
        let ports = LlcPorts { requests: channel(hub, cached, 3), answers: channel(cached, hub, 100), to_memory, from_memory };
        leaves = ports.requests;
        let spec = LlcSpec { cache: cache("LLC", 1, 2, 3), mshrs: 2, ..llc(megahertz(900), 1, 3) };
        Part::Llc(Box::new(Llc::new(spec, 64, protocol.take(), ports, Rc::clone(&shared), stream(1, "llc"))))
    });
    parts.push(match &setting.bus {
        Some(spec) => Part::Snooping(Box::new(Snooping::new(spec.clone(), 64, agents, leaves, Rc::clone(&shared)))),
        None => Part::Ideal(Box::new(Ideal::new(64, agents, leaves, Rc::clone(&shared)))),
    });
    parts.push(Part::Memory(Box::new(Memory::new(node(1).memory, protocol, to_memory, from_memory, Rc::clone(&shared)))));
    parts.extend(llc);
    let mut engine = Engine::new(parts);
    for (from, to, capacity) in channels {
        engine.add_channel(from, to, Time(1), capacity);
    }
    for number in 0..TESTERS {
        engine.start(PartId(number), Time(u64::from(number)), 0);
    }
    let outcome = engine.run(u64::MAX);
    let mut shared = shared.borrow_mut();
    match shared.interruption.take() {
        Some(Interruption::Violation(violation)) => return Err(violation),
        Some(other) => panic!("{other:?}"),
        None if setting.fault.is_some() && outcome != Outcome::Quiescent => {
            let what = format!("nothing can move: {outcome:?}");
            return Err(Box::new(Violation { time: engine.now(), line: 0, what, history: Vec::new() }));
        }
        None => assert_eq!(outcome, Outcome::Quiescent),
    }
    Ok(std::mem::take(&mut shared.agent_rows))
}

fn setting(protocol: Arc<Protocol>, seed: u64, accesses: u32) -> Setting {
    Setting {
        protocol,
        // Two levels of one and three lines for six lines in use: nearly every access evicts.
        caches: vec![cache("L1d", 1, 1, 1), cache("L2", 1, 3, 1)],
        bus: Some(SnoopingSpec { transport: transports()[seed as usize % 4], ..bus(megahertz(1300)) }),
        shared_cache: seed.is_multiple_of(2),
        lines: 6,
        pace: 5_000,
        accesses,
        seed,
        fault: None,
    }
}

#[test]
fn a_million_random_accesses_are_coherent() {
    for protocol in protocols() {
        for (seed, lines, pace) in [(1, 6, 5_000), (2, 4, 50_000), (3, 8, 500), (4, 2, 1), (5, 3, 2_000), (6, 5, 300), (7, 2, 100)]
        {
            let mut setting = setting(Arc::clone(&protocol), seed, 100_000);
            (setting.lines, setting.pace) = (lines, pace);
            test(&setting).unwrap_or_else(|violation| panic!("{protocol}, seed {seed}: {violation}"));
            setting.bus = None;
            setting.caches.truncate(1);
            test(&setting).unwrap_or_else(|violation| panic!("{protocol}, ideal, seed {seed}: {violation}"));
        }
    }
}

#[test]
fn caches_of_every_make_are_coherent() {
    for (number, protocol) in (0..).zip(protocols()) {
        for (name, caches) in hierarchies() {
            for (seed, lines, pace) in [(number, 6, 5_000), (number + 10, 4, 1)] {
                let mut setting = Setting { caches: caches.clone(), ..setting(Arc::clone(&protocol), seed, 10_000) };
                (setting.lines, setting.pace) = (lines, pace);
                test(&setting).unwrap_or_else(|violation| panic!("{protocol}, {name}, seed {seed}: {violation}"));
            }
        }
    }
}

#[test]
fn caches_of_every_replacement_are_coherent() {
    use Replacement::{Fifo, Lru, Random, Srrip, TreePlru};
    for (number, protocol) in (0..).zip(protocols()) {
        for replacement in [Lru, Fifo, TreePlru, Random, Srrip] {
            let of = |cache: CacheSpec| CacheSpec { replacement, ..cache };
            let caches = vec![of(cache("L1d", 1, 2, 1)), of(cache("L2", 1, 4, 1))];
            let setting = Setting { caches, lines: 9, ..setting(Arc::clone(&protocol), number, 20_000) };
            test(&setting).unwrap_or_else(|violation| panic!("{protocol}, {replacement:?}: {violation}"));
        }
    }
}

#[test]
fn the_tester_takes_every_row_that_can_happen() {
    for protocol in protocols() {
        let mut taken = vec![0; protocol.agent.n_rows()];
        for (seed, lines) in [(1, 6), (2, 3), (3, 4), (4, 4), (5, 5)] {
            let mut setting = setting(Arc::clone(&protocol), seed, 40_000);
            (setting.lines, setting.pace) = (lines, 2_000);
            if seed > 3 {
                // Write-backs of agents with low priority wait so long that their lines are asked for again.
                let arbitration = Arbitration::FixedPriority;
                setting.bus = Some(SnoopingSpec { arbitration, outstanding: 1, ..bus(megahertz(100)) });
                setting.pace = 1;
            }
            for (sum, count) in taken.iter_mut().zip(test(&setting).unwrap()) {
                *sum += count;
            }
        }
        for (number, state) in protocol.agent.states.iter().enumerate() {
            for &(name, event) in <AgentEvent as crate::coherence::protocol::Vocabulary>::ALL {
                let state_number = State(number as u8);
                let Some(row) = protocol.agent.row(state_number, event) else { continue };
                // Hits that change nothing are not counted; nothing happens to lines no one has; a stalled eviction is not made.
                let stalls = event == AgentEvent::Evict && row.actions.has(AgentAction::Stall);
                let silent = row.next == state_number && (number == 0 || stalls || row.actions.has(AgentAction::Perform));
                let count = taken[protocol.agent.row_number(state_number, event)];
                assert!(silent || count > 0, "{protocol}: nothing took the row of {} and {name}", state.name);
            }
        }
    }
}

/// A protocol with one row changed.
fn broken(protocol: &Protocol, state: &str, event: AgentEvent, change: impl Fn(Row, &Protocol) -> Row) -> Arc<Protocol> {
    let mut broken = protocol.clone();
    let number = protocol.agent.find(state).unwrap();
    let row = change(protocol.agent.row(number, event).unwrap(), protocol);
    broken.agent.set_row(number, event, Some(row));
    Arc::new(broken)
}

fn stays(state: &'static str) -> impl Fn(Row, &Protocol) -> Row {
    move |row, protocol| Row { next: protocol.agent.find(state).unwrap(), ..row }
}

fn forgets(action: AgentAction) -> impl Fn(Row, &Protocol) -> Row {
    move |row, _| Row { actions: row.actions.without(action), ..row }
}

#[test]
fn broken_tables_are_caught() {
    let [msi, mesi, moesi, _, dragon] = protocols();
    let silently = |_: Row, protocol: &Protocol| Row {
        next: protocol.agent.find("M").unwrap(),
        actions: Actions::NONE.with(AgentAction::Perform),
    };
    let mutants = [
        ("an invalidation is dropped (BusRdX)", broken(&msi, "S", AgentEvent::BusRdX, stays("S"))),
        ("an invalidation is dropped (BusUpgr)", broken(&mesi, "S", AgentEvent::BusUpgr, stays("S"))),
        ("the owner keeps its copy", broken(&mesi, "M", AgentEvent::BusRdX, stays("M"))),
        ("the owner does not supply", broken(&msi, "M", AgentEvent::BusRd, forgets(AgentAction::Flush))),
        ("the owner does not supply to a writer", broken(&mesi, "M", AgentEvent::BusRdX, forgets(AgentAction::Flush))),
        ("the owner stays writable", broken(&mesi, "M", AgentEvent::BusRd, stays("M"))),
        ("an exclusive copy stays exclusive", broken(&mesi, "E", AgentEvent::BusRd, stays("E"))),
        ("a sharer keeps silent", broken(&mesi, "S", AgentEvent::BusRd, forgets(AgentAction::Shared))),
        (
            "a dirty line is dropped",
            broken(&msi, "M", AgentEvent::Evict, |_, _| Row { next: State::INVALID, actions: Actions::NONE }),
        ),
        ("a write-back sends nothing", broken(&msi, "MI_A", AgentEvent::OwnBusWb, forgets(AgentAction::WriteBack))),
        ("a write-back is not withdrawn", broken(&mesi, "MI_A", AgentEvent::BusRdX, forgets(AgentAction::Withdraw))),
        ("an upgrade is not amended", broken(&msi, "SM_A", AgentEvent::BusRdX, forgets(AgentAction::Amend))),
        ("a shared copy is written silently", broken(&msi, "S", AgentEvent::Store, silently)),
        ("a lone reader may not take S for E", broken(&mesi, "IS_D", AgentEvent::DataShared, stays("E"))),
        ("an owner does not supply", broken(&moesi, "O", AgentEvent::BusRd, forgets(AgentAction::Supply))),
        ("an owner outlives an upgrade", broken(&moesi, "O", AgentEvent::BusUpgr, stays("O"))),
        ("an owner's write-back outlives an upgrade", broken(&moesi, "OI_A", AgentEvent::BusUpgr, forgets(AgentAction::Withdraw))),
        ("a sharer hides from an update", broken(&dragon, "Sc", AgentEvent::BusUpd, forgets(AgentAction::Shared))),
        ("a waiting writer does not take the word", broken(&dragon, "ScM_A", AgentEvent::BusUpd, forgets(AgentAction::TakeWord))),
        ("an owner that is written over writes back", broken(&dragon, "SmI_A", AgentEvent::BusUpd, forgets(AgentAction::Withdraw))),
    ];
    for (name, protocol) in mutants {
        let found = (1..=3).find_map(|seed| test(&setting(Arc::clone(&protocol), seed, 20_000)).err());
        let violation = found.unwrap_or_else(|| panic!("not caught: {name}"));
        assert!(!violation.history.is_empty(), "{name}: {violation}");
    }
}

#[test]
fn a_violation_tells_the_lines_history() {
    let protocol = broken(&msi(), "S", AgentEvent::BusRdX, stays("S"));
    let setting = Setting { bus: Some(bus(megahertz(1300))), ..setting(protocol, 1, 20_000) };
    let violation = test(&setting).unwrap_err();
    insta::assert_snapshot!(violation);
}

#[test]
fn faults_of_messages_are_caught() {
    use Fault::{DoubleCompletion, LoseAnswer, LoseCompletion, LoseData, LoseRequest, LoseSnoop, LoseWriteBack, OldData};
    let faults = [LoseSnoop, LoseAnswer, LoseData, LoseCompletion, DoubleCompletion, LoseRequest, LoseWriteBack, OldData];
    for protocol in protocols() {
        for fault in faults {
            // A fault may do no harm: a stale copy makes room before anyone reads it, a clean line comes from memory as well.
            let caught = (0..20).filter(|&number| {
                let mut setting = setting(Arc::clone(&protocol), u64::from(number), 4_000);
                setting.fault = Some((fault, 3 * number));
                test(&setting).is_err()
            });
            let caught = caught.count();
            println!("{protocol}: {fault:?} caught {caught} times of 20");
            assert!(caught >= 8, "{protocol}: {fault:?} was caught {caught} times of 20");
        }
    }
}

/// Ten million accesses for each protocol and replacement policy: some minutes, with `cargo test --release -- --ignored ten_million`.
#[test]
#[ignore = "takes minutes"]
fn ten_million_random_accesses_are_coherent_whatever_makes_room() {
    use Replacement::{Fifo, Lru, Random, Srrip, TreePlru};
    for (number, protocol) in (0..).zip(protocols()) {
        for replacement in [Lru, Fifo, TreePlru, Random, Srrip] {
            let of = |cache: CacheSpec| CacheSpec { replacement, ..cache };
            let caches = vec![of(cache("L1d", 1, 2, 1)), of(cache("L2", 1, 4, 1))];
            let setting = Setting { caches, lines: 9, ..setting(Arc::clone(&protocol), number, 10_000_000) };
            test(&setting).unwrap_or_else(|violation| panic!("{protocol}, {replacement:?}: {violation}"));
            println!("{protocol}, {replacement:?}: 10,000,000 accesses, nothing wrong");
        }
    }
}
