//! Tests of the engine as a whole: what parts see, and that run-ahead changes nothing that they do.

use proptest::prelude::*;

use super::*;

const A: PartId = PartId(0);
const B: PartId = PartId(1);
const ANY: u64 = u64::MAX;

/// A part that logs what happens to it and follows a small script.
#[derive(Clone, Debug, Default)]
struct Probe {
    log: Vec<(u64, String)>,
    /// Sent one per planned wake, over the channel, with this delay after the wake.
    sends: Vec<(ChannelId, u32, u64)>,
    /// Channels that are never released.
    hoards: bool,
    /// Stops the run at this message.
    stop_at: Option<u32>,
    waiting_for: Option<PartId>,
}

impl Component for Probe {
    type Message = u32;

    fn receive(&mut self, channel: ChannelId, message: u32, port: &mut Port<'_, u32>) {
        self.log.push((port.now().0, format!("message {message} over {}", channel.0)));
        if !self.hoards {
            port.release(channel);
        }
        if self.stop_at == Some(message) {
            port.stop();
        }
    }

    fn wake(&mut self, reason: Wake, port: &mut Port<'_, u32>) {
        self.log.push((port.now().0, format!("{reason:?}")));
        while let Some((channel, message, delay)) = self.sends.first().copied() {
            match port.try_send(channel, message, port.now() + Time(delay)) {
                Ok(()) => {
                    self.sends.remove(0);
                }
                Err(_) => break,
            }
        }
    }

    fn waits(&self, report: &mut Vec<Wait>) {
        if let Some(whom) = self.waiting_for {
            report.push(Wait { who: None, whom: Some(whom), what: "waits for an answer".to_string() });
        }
    }
}

fn log_of(engine: &Engine<Probe>, part: PartId) -> Vec<(u64, &str)> {
    engine.parts()[part.0 as usize].log.iter().map(|(time, what)| (*time, what.as_str())).collect()
}

#[test]
fn a_message_leaves_when_it_says_and_takes_the_latency() {
    let mut engine = Engine::new(vec![Probe::default(), Probe::default()]);
    let channel = engine.add_channel(A, B, Time(10), 4);
    engine.parts_mut()[0].sends = vec![(channel, 1, 0), (channel, 2, 5)];
    engine.start(A, Time(100), 7);
    assert_eq!(engine.run(ANY), Outcome::Quiescent);
    assert_eq!(log_of(&engine, A), [(100, "Planned(7)")]);
    assert_eq!(log_of(&engine, B), [(110, "message 1 over 0"), (115, "message 2 over 0")]);
    assert_eq!((engine.now(), engine.messages(), engine.events()), (Time(115), 2, 3));
}

#[test]
fn a_channel_of_no_latency_takes_a_picosecond() {
    let mut engine = Engine::new(vec![Probe::default(), Probe::default()]);
    let channel = engine.add_channel(A, B, Time::ZERO, 1);
    engine.parts_mut()[0].sends = vec![(channel, 1, 0)];
    engine.start(A, Time(100), 0);
    assert_eq!(engine.run(ANY), Outcome::Quiescent);
    assert_eq!(log_of(&engine, B), [(101, "message 1 over 0")]);
}

#[test]
fn a_full_channel_blocks_until_a_place_is_released() {
    let mut engine = Engine::new(vec![Probe::default(), Probe::default()]);
    let channel = engine.add_channel(A, B, Time(10), 1);
    engine.parts_mut()[0].sends = vec![(channel, 1, 0), (channel, 2, 0), (channel, 3, 50)];
    engine.start(A, Time(100), 0);
    assert_eq!(engine.run(ANY), Outcome::Quiescent);
    // The third wanted to leave at 160 and its place was free at 120: it is woken at 160, and leaves 50 later.
    assert_eq!(log_of(&engine, A), [(100, "Planned(0)"), (110, "Place(ChannelId(0))"), (160, "Place(ChannelId(0))")]);
    assert_eq!(log_of(&engine, B), [(110, "message 1 over 0"), (120, "message 2 over 0"), (220, "message 3 over 0")]);
    assert_eq!(engine.messages(), 3, "wakes are no messages");
}

#[test]
fn a_place_never_released_is_reported_with_its_circle() {
    let hoarder = Probe { hoards: true, waiting_for: Some(A), ..Probe::default() };
    let mut engine = Engine::new(vec![Probe::default(), hoarder, Probe { waiting_for: Some(A), ..Probe::default() }]);
    let channel = engine.add_channel(A, B, Time(10), 1);
    engine.parts_mut()[0].sends = vec![(channel, 1, 0), (channel, 2, 0)];
    engine.start(A, Time(100), 0);
    let Outcome::Stuck(waits) = engine.run(ANY) else { panic!("nothing can move") };
    let edges: Vec<_> = waits.iter().map(|wait| (wait.who.unwrap().0, wait.whom.unwrap().0, wait.what.as_str())).collect();
    assert_eq!(
        edges,
        [(0, 1, "waits for the only place of a channel"), (1, 0, "waits for an answer"), (2, 0, "waits for an answer")]
    );
    assert_eq!(leading_cycle(&waits), 2);
}

#[test]
fn a_run_ends_at_its_limit_or_where_a_part_stops_it_and_goes_on() {
    let mut engine = Engine::new(vec![Probe::default(), Probe { stop_at: Some(2), ..Probe::default() }]);
    let channel = engine.add_channel(A, B, Time(10), 4);
    engine.parts_mut()[0].sends = vec![(channel, 1, 0), (channel, 2, 0), (channel, 3, 0)];
    engine.start(A, Time(100), 0);
    assert_eq!(engine.run(2), Outcome::Limit);
    assert_eq!(engine.run(ANY), Outcome::Stopped);
    assert_eq!(log_of(&engine, B).len(), 2);
    assert_eq!(engine.run(1), Outcome::Quiescent, "the limit is not reached where nothing is left");
    engine.start(B, Time(500), 9);
    assert_eq!(engine.run(ANY), Outcome::Quiescent);
    assert_eq!(log_of(&engine, B)[3], (500, "Planned(9)"));
}

#[test]
fn events_of_an_instant_are_ordered_by_class_then_receiver_then_sender() {
    let mut engine = Engine::new(vec![Probe::default(), Probe::default(), Probe::default()]);
    let late = engine.add_channel(PartId(2), B, Time(10), 4);
    let early = engine.add_channel(A, B, Time(10), 4);
    engine.start(B, Time(110), 0);
    engine.parts_mut()[2].sends = vec![(late, 2, 0)];
    engine.parts_mut()[0].sends = vec![(early, 1, 0)];
    engine.start(PartId(2), Time(100), 0);
    engine.start(A, Time(100), 0);
    engine.run(ANY);
    assert_eq!(log_of(&engine, B), [(110, "message 1 over 1"), (110, "message 2 over 0"), (110, "Planned(0)")]);
}

/// A part that asks for its horizon when woken.
#[derive(Clone, Debug, Default)]
struct Watcher {
    seen: Vec<(u64, Time)>,
    sends: Option<ChannelId>,
    then: Option<u64>,
}

impl Component for Watcher {
    type Message = ();

    fn receive(&mut self, channel: ChannelId, _message: (), port: &mut Port<'_, ()>) {
        port.release(channel);
    }

    fn wake(&mut self, _reason: Wake, port: &mut Port<'_, ()>) {
        if let Some(channel) = self.sends.take() {
            port.send(channel, (), port.now());
        }
        self.seen.push((port.now().0, port.horizon()));
        if let Some(time) = self.then.take() {
            port.wake_at(Time(time), 0);
            self.seen.push((port.now().0, port.horizon()));
        }
    }

    fn waits(&self, _report: &mut Vec<Wait>) {}
}

fn watchers(run_ahead: bool) -> Engine<Watcher> {
    let mut engine = Engine::new(vec![Watcher::default(), Watcher::default()]);
    engine.set_lookahead(Time(40));
    engine.set_run_ahead(run_ahead);
    engine.track_arrivals(A);
    engine
}

#[test]
fn the_horizon_of_a_lone_part_ends_only_with_its_own_plans() {
    let mut engine = watchers(true);
    engine.parts_mut()[0].then = Some(300);
    engine.start(A, Time(100), 0);
    engine.run(ANY);
    assert_eq!(engine.parts()[0].seen, [(100, Time::NEVER), (100, Time(340)), (300, Time::NEVER)]);
}

#[test]
fn the_horizon_is_what_is_on_its_way_or_the_others_next_event_and_the_lookahead() {
    let mut engine = watchers(true);
    let channel = engine.add_channel(B, A, Time(1000), 1);
    engine.parts_mut()[1].sends = Some(channel);
    engine.parts_mut()[1].then = Some(2000);
    for time in [100, 200, 300] {
        engine.start(A, Time(time), 0);
    }
    engine.start(B, Time(200), 0);
    engine.run(ANY);
    // At 200 the message is not sent yet (A comes before B); at 300 it is on its way and arrives at 1200.
    assert_eq!(engine.parts()[0].seen, [(100, Time(240)), (200, Time(240)), (300, Time(1200))]);
}

#[test]
fn the_horizon_is_the_next_picosecond_with_run_ahead_off() {
    let mut engine = watchers(false);
    engine.start(A, Time(100), 0);
    engine.run(ANY);
    assert_eq!(engine.parts()[0].seen, [(100, Time(101))]);
}

/// A part of a random network: it works step by step in its own time, as far ahead as it may, and sends at some of its steps.
#[derive(Clone, Debug)]
struct Worker {
    state: u64,
    local: Time,
    steps: u32,
    outputs: Vec<ChannelId>,
    pending: Option<(ChannelId, u64)>,
    last_action: Option<Time>,
    log: Vec<(Time, u64)>,
}

const STEP: u32 = 0;

impl Worker {
    fn mix(&mut self, time: Time, value: u64) {
        let mixed = (self.state ^ value ^ time.0.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.state = mixed ^ (mixed >> 29);
        self.log.push((time, self.state));
    }

    fn work(&mut self, port: &mut Port<'_, u64>) {
        while self.steps > 0 || self.pending.is_some() {
            if self.local > port.now() && self.local >= port.horizon() {
                port.wake_at(self.local, STEP);
                return;
            }
            if let Some((channel, message)) = self.pending.take() {
                if port.try_send(channel, message, self.local).is_err() {
                    self.pending = Some((channel, message));
                    return;
                }
                self.last_action = Some(self.local);
            }
            if self.steps > 0 {
                self.steps -= 1;
                self.last_action = Some(self.local);
                self.mix(self.local, 1);
                if self.state.is_multiple_of(3) && !self.outputs.is_empty() {
                    let channel = self.outputs[(self.state / 3) as usize % self.outputs.len()];
                    self.pending = Some((channel, self.state));
                } else {
                    self.local += Time(1 + (self.state >> 20) % 60);
                }
            }
        }
    }
}

impl Component for Worker {
    type Message = u64;

    fn receive(&mut self, channel: ChannelId, message: u64, port: &mut Port<'_, u64>) {
        assert!(self.last_action.is_none_or(|time| time < port.now()), "nothing arrives in a part's past");
        self.mix(port.now(), message);
        port.wake_at(port.now() + Time(message % 90), channel.0 + 1);
    }

    fn wake(&mut self, reason: Wake, port: &mut Port<'_, u64>) {
        match reason {
            Wake::Planned(STEP) => self.work(port),
            Wake::Planned(token) => port.release(ChannelId(token - 1)),
            Wake::Place(_) => {
                self.local = port.now();
                self.work(port);
            }
        }
    }

    fn waits(&self, _report: &mut Vec<Wait>) {}
}

/// The logs of all workers, messages, and events.
fn run_network(
    seed: u64,
    n_parts: u32,
    latencies: &[u64],
    capacity: u32,
    lookahead: u64,
    run_ahead: bool,
) -> (Vec<Worker>, u64, u64) {
    let worker = |part: u64| Worker {
        state: seed ^ part.wrapping_mul(0xd134_2543_de82_ef95),
        local: Time(1 + part % 3),
        steps: 200,
        outputs: Vec::new(),
        pending: None,
        last_action: None,
        log: Vec::new(),
    };
    let mut engine = Engine::new((0..u64::from(n_parts)).map(worker).collect());
    engine.set_run_ahead(run_ahead);
    engine.set_lookahead(Time(lookahead));
    for part in 0..n_parts {
        engine.track_arrivals(PartId(part));
        for hop in 1..n_parts.min(4) {
            let latency = Time(latencies[(part + hop) as usize % latencies.len()]);
            let channel = engine.add_channel(PartId(part), PartId((part + hop) % n_parts), latency, capacity);
            engine.parts_mut()[part as usize].outputs.push(channel);
        }
    }
    for part in 0..n_parts {
        engine.start(PartId(part), Time(1 + u64::from(part) % 3), STEP);
    }
    let outcome = engine.run(10_000_000);
    assert!(matches!(outcome, Outcome::Quiescent), "{outcome:?}");
    let (messages, events) = (engine.messages(), engine.events());
    (engine.into_parts(), messages, events)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn run_ahead_changes_nothing_but_the_number_of_wakes(
        seed: u64,
        n_parts in 1u32..9,
        latencies in prop::collection::vec(20u64..200, 1..5),
        capacity in 1u32..4,
    ) {
        let lookahead = *latencies.iter().min().unwrap();
        let (ahead, ahead_messages, ahead_events) = run_network(seed, n_parts, &latencies, capacity, lookahead, true);
        let (step, step_messages, step_events) = run_network(seed, n_parts, &latencies, capacity, lookahead, false);
        prop_assert_eq!(ahead_messages, step_messages);
        prop_assert!(ahead_events <= step_events);
        for (a, b) in ahead.iter().zip(&step) {
            prop_assert_eq!(&a.log, &b.log);
        }
    }
}

#[test]
#[should_panic(expected = "nothing arrives in a part's past")]
fn a_lookahead_that_is_too_large_is_caught() {
    run_network(7, 6, &[20, 30], 2, 500, true);
}
