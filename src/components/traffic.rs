//! An open-loop traffic source: requests arrive as a Poisson process in continuous time, whatever becomes of those before them.
//!
//! ```text
//!   Poisson arrivals --> own queue (unbounded) --> Request, one at a time --> interconnect --> Complete
//!   '------------------------------ waiting and service ------------------------------------------'
//! ```
//!
//! It drives what queueing theory has a formula for (M/D/1: Kleinrock, *Queueing Systems* I, 1975, section 5.6). A queue that grows
//! past its stated length ends the run: the load is more than the machine can carry.

use std::collections::VecDeque;

use crate::base::random::Stream;
use crate::base::time::Time;
use crate::coherence::order::{AgentNumber, Command};
use crate::components::message::Message;
use crate::components::shared::{Interruption, LATEST, SharedHandle};
use crate::components::spec::TrafficSpec;
use crate::engine::{ChannelId, Port, Wait, Wake};

/// What a source counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficCounters {
    /// Requests that are over.
    pub completed: u64,
    /// Sum over them of the time from arrival to completion, in picoseconds.
    pub total_ps: u128,
    /// The longest of those times.
    pub longest: Time,
    /// The longest the source's own queue was.
    pub longest_queue: u64,
}

/// The source.
#[derive(Debug)]
pub struct TrafficSource {
    number: AgentNumber,
    spec: TrafficSpec,
    requests: ChannelId,
    shared: SharedHandle,
    random: Stream,

    /// When the next request arrives, in picoseconds.
    next_arrival: f64,
    to_arrive: u64,
    /// Arrival times of requests not yet sent.
    queue: VecDeque<Time>,
    /// Arrival times of requests under way, in the order sent.
    under_way: VecDeque<Time>,
    /// The line that the next request is for.
    line: u64,
    counters: TrafficCounters,
}

impl TrafficSource {
    /// A source that draws from a stream of its own.
    pub fn new(number: AgentNumber, spec: TrafficSpec, requests: ChannelId, shared: SharedHandle, random: Stream) -> TrafficSource {
        let to_arrive = spec.requests;
        TrafficSource {
            number,
            spec,
            requests,
            shared,
            random,
            next_arrival: 0.0,
            to_arrive,
            queue: VecDeque::new(),
            under_way: VecDeque::new(),
            line: 0,
            counters: TrafficCounters::default(),
        }
    }

    /// What it counted.
    pub fn counters(&self) -> &TrafficCounters {
        &self.counters
    }

    /// Plans the first arrival, as seen from an instant.
    pub fn first_arrival(&mut self, from: Time) -> Option<Time> {
        self.next_arrival = from.0 as f64;
        self.draw()
    }

    /// Draws when the next request arrives.
    fn draw(&mut self) -> Option<Time> {
        self.to_arrive = self.to_arrive.checked_sub(1)?;
        let mean = crate::base::time::PICOSECONDS_PER_SECOND as f64 / self.spec.requests_per_second;
        self.next_arrival += self.random.exponential(mean);
        Some(Time(self.next_arrival as u64))
    }

    /// A message has come: a request is over.
    pub fn receive(&mut self, message: Message) {
        let (Message::Complete { time, .. }, Some(arrived)) = (message, self.under_way.pop_front()) else { return };
        let elapsed = time - arrived;
        self.counters.completed += 1;
        self.counters.total_ps += u128::from(elapsed.0);
        self.counters.longest = self.counters.longest.max(elapsed);
    }

    /// A request arrives, or the interconnect takes the next one.
    pub fn wake(&mut self, reason: Wake, port: &mut Port<'_, Message>) {
        if let Wake::Planned(_) = reason {
            self.queue.push_back(port.now());
            let length = self.queue.len() as u64;
            self.counters.longest_queue = self.counters.longest_queue.max(length);
            if length > self.spec.saturation_length {
                self.shared.borrow_mut().interrupt(Interruption::Saturated { agent: self.number, length });
                port.stop();
                return;
            }
            match self.draw() {
                Some(time) if time >= LATEST => {
                    self.shared.borrow_mut().interrupt(Interruption::TimeLimit);
                    port.stop();
                    return;
                }
                Some(time) => port.wake_at(time.max(port.now()), 0),
                None => {}
            }
        }
        self.send(port);
    }

    fn send(&mut self, port: &mut Port<'_, Message>) {
        while let Some(&time) = self.queue.front() {
            let bytes = self.spec.bytes;
            let command = if self.spec.write { Command::Write(bytes) } else { Command::Read(bytes) };
            let message = Message::Request { agent: self.number, command, line: self.line, time };
            if port.try_send(self.requests, message, port.now()).is_err() {
                return;
            }
            self.queue.pop_front();
            self.under_way.push_back(time);
            self.line += 1;
        }
    }

    /// Says what it waits for.
    pub fn waits(&self, report: &mut Vec<Wait>) {
        if !self.under_way.is_empty() {
            let what = format!("source {} waits for {} requests", self.number, self.under_way.len());
            report.push(Wait { who: None, whom: None, what });
        }
    }
}
