use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::base::random::stream;
use crate::base::time::Clock;
use crate::components::shared::Shared;
use crate::components::spec::{CacheSpec, Holds, Inclusion, Replacement, WritePolicy};
use crate::components::versions::Versions;
use crate::engine::{Component, Engine, Outcome, PartId};
use crate::program::code::Arena;
use crate::program::memory::Memory;

const NANOSECOND: Time = Time(1000);

/// What stands around a shared cache.
enum Part {
    /// Asks of the cache what it is told, one wake each.
    Interconnect {
        requests: Vec<Message>,
        to: ChannelId,
    },
    Llc(Box<Llc>),
    /// Supplies every line at one instant, and notes what it is asked.
    Memory {
        asked: Rc<RefCell<Vec<Message>>>,
        supplies: Time,
        to: ChannelId,
    },
}

impl Component for Part {
    type Message = Message;

    fn receive(&mut self, channel: ChannelId, message: Message, port: &mut Port<'_, Message>) {
        match self {
            Part::Interconnect { .. } => port.release(channel),
            Part::Llc(llc) => llc.receive(channel, message, port),
            Part::Memory { asked, supplies, to } => {
                port.release(channel);
                asked.borrow_mut().push(message);
                if let Message::Fetch { id, time, .. } = message {
                    let line = Message::Line { id, version: 0, began: time, time: *supplies };
                    port.send(*to, line, *supplies - Time(2));
                }
            }
        }
    }

    fn wake(&mut self, reason: Wake, port: &mut Port<'_, Message>) {
        match (self, reason) {
            (Part::Interconnect { requests, to }, Wake::Planned(number)) => {
                let message = requests[number as usize];
                port.send(*to, message, message.departure());
            }
            (Part::Llc(llc), _) => llc.wake(reason, port),
            _ => {}
        }
    }

    fn waits(&self, _: &mut Vec<Wait>) {}
}

fn store(line: Line, version: u64, nanoseconds: u64) -> Message {
    Message::Store { line, bytes: 64, version, flush: false, time: Time(nanoseconds * NANOSECOND.0) }
}

/// What a cache of one line, with a lookup of 8 ns, asks memory, which supplies every line at an instant.
fn asked(requests: Vec<Message>, supplies: Time) -> Vec<Message> {
    let cache = CacheSpec {
        name: "LLC".to_string(),
        size_bytes: 64,
        line_bytes: 64,
        ways: 1,
        latency_cycles: 8,
        replacement: Replacement::Lru,
        write: WritePolicy::Back,
        write_allocate: true,
        holds: Holds::Both,
        inclusion: Inclusion::Neither,
    };
    let clock = Clock::from_hertz(1_000_000_000, 1).unwrap();
    let spec = LlcSpec { cache, clock, banks: 1, interval_cycles: 1, mshrs: 4, queue_capacity: 4 };
    let mut shared = Shared::new(Memory::new(&Arena::default()).unwrap(), 1, None, false);
    shared.versions = Some(Versions::default());
    let shared = Rc::new(RefCell::new(shared));
    let [interconnect, llc, memory] = [0, 1, 2].map(PartId);
    let [requests_to, answers, to_memory, from_memory] = [0, 1, 2, 3].map(ChannelId);
    let ports = LlcPorts { requests: requests_to, answers, to_memory, from_memory };
    let noted = Rc::new(RefCell::new(Vec::new()));
    let wakes: Vec<Time> = requests.iter().map(Message::departure).collect();
    let mut engine = Engine::new(vec![
        Part::Interconnect { requests, to: requests_to },
        Part::Llc(Box::new(Llc::new(spec, 64, None, ports, shared, stream(1, "llc")))),
        Part::Memory { asked: Rc::clone(&noted), supplies, to: from_memory },
    ]);
    for (from, to) in [(interconnect, llc), (llc, interconnect), (llc, memory), (memory, llc)] {
        engine.add_channel(from, to, Time(1), 10);
    }
    for (number, at) in (0..).zip(wakes) {
        engine.start(interconnect, at, number);
    }
    assert_eq!(engine.run(1000), Outcome::Quiescent);
    noted.take()
}

/// Line 0 leaves twice: in its first version after the lookup of what drives it out, and in its second when line 1 comes from memory,
/// which is earlier.
#[test]
fn what_goes_to_memory_does_not_overtake() {
    let read = Message::Fetch { id: 7, agent: 0, line: 1, bytes: 64, time: Time::ZERO };
    let requests = vec![read, store(0, 1, 10), store(2, 1, 17), store(0, 2, 18)];
    let asked = asked(requests, Time(20 * NANOSECOND.0));
    let asked: Vec<_> = asked
        .iter()
        .map(|message| match *message {
            Message::Fetch { line, time, .. } => ("fetch", line, 0, time.0 / NANOSECOND.0),
            Message::Store { line, version, time, .. } => ("store", line, version, time.0 / NANOSECOND.0),
            _ => unreachable!(),
        })
        .collect();
    assert_eq!(asked, [("fetch", 1, 0, 8), ("store", 0, 1, 25), ("store", 2, 1, 26), ("store", 0, 2, 26)]);
}
