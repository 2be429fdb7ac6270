//! The event queue and the engine: events per second.
//!
//! The queue is measured by the hold model (Jones, "An Empirical Comparison of Priority-Queue and Event-Set Implementations", CACM
//! 29(4), 1986): with a fixed number of events pending, take the earliest and push another one some increment later. The wheel stands
//! beside the binary heap, fed with the same increments in the same run.

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use flynn::base::random::stream;
use flynn::base::time::Time;
use flynn::engine::event::Event;
use flynn::engine::heap::HeapQueue;
use flynn::engine::queue::WheelQueue;
use flynn::engine::{ChannelId, Class, Component, Engine, PartId, Port, Wait, Wake};

const HOLDS: u64 = 10_000;
const N_INCREMENTS: usize = 1 << 12;

/// The queues' common face, for the benchmark alone.
trait Queue {
    fn new() -> Self;
    fn push(&mut self, event: Event);
    fn pop(&mut self) -> Option<Event>;
}

impl Queue for HeapQueue {
    fn new() -> Self {
        HeapQueue::new()
    }
    fn push(&mut self, event: Event) {
        HeapQueue::push(self, event);
    }
    fn pop(&mut self) -> Option<Event> {
        HeapQueue::pop(self)
    }
}

impl Queue for WheelQueue {
    fn new() -> Self {
        WheelQueue::new()
    }
    fn push(&mut self, event: Event) {
        WheelQueue::push(self, event);
    }
    fn pop(&mut self) -> Option<Event> {
        WheelQueue::pop(self)
    }
}

/// A queue in the hold model.
struct Hold<Q> {
    queue: Q,
    increments: Vec<u32>,
    n_done: usize,
}

impl<Q: Queue> Hold<Q> {
    /// A queue that has forgotten how it was filled.
    fn new(pending: u32, increments: &[u32]) -> Hold<Q> {
        let mut hold = Hold { queue: Q::new(), increments: increments.to_vec(), n_done: 0 };
        for part in 0..pending {
            let time = Time(u64::from(increments[part as usize % N_INCREMENTS]));
            hold.queue.push(Event::new(time, Class::Arrival, PartId(part % 1024), PartId(part % 1000), part, part));
        }
        hold.run(3 * u64::from(pending) + 100_000);
        hold
    }

    #[inline]
    fn run(&mut self, holds: u64) {
        for _ in 0..holds {
            let event = self.queue.pop().expect("as many are pushed as popped");
            let increment = self.increments[self.n_done % N_INCREMENTS];
            self.n_done += 1;
            let time = event.time + Time(u64::from(increment));
            self.queue.push(Event::new(time, event.class(), event.receiver(), event.sender(), self.n_done as u32, event.payload()));
        }
    }
}

fn bench_hold<Q: Queue>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, pending: u32, increments: &[u32]) {
    let mut hold: Option<Hold<Q>> = None;
    group.bench_function(name, |bencher| {
        let hold = hold.get_or_insert_with(|| Hold::new(pending, increments));
        bencher.iter(|| hold.run(black_box(HOLDS)));
    });
}

fn queues(criterion: &mut Criterion) {
    for pending in [1_000, 65_536, 1_000_000] {
        let mut random = stream(1, "benches/engine");
        // Events 100 ps apart on average, and as many events within 10 ns.
        let exponential: Vec<u32> = (0..N_INCREMENTS).map(|_| random.exponential(100.0 * f64::from(pending)) as u32 + 1).collect();
        let small: Vec<u32> = (0..N_INCREMENTS).map(|_| random.below(10_000) as u32 + 1).collect();
        for (distribution, increments) in [("exponential", exponential), ("small uniform", small)] {
            let mut group = criterion.benchmark_group(format!("hold/{distribution}/{pending} pending"));
            group.throughput(Throughput::Elements(HOLDS)).sample_size(20);
            bench_hold::<WheelQueue>(&mut group, "wheel", pending, &increments);
            bench_hold::<HeapQueue>(&mut group, "heap", pending, &increments);
            group.finish();
        }
    }
}

/// A part that passes on what it gets, or wakes itself again.
struct Repeater {
    output: Option<ChannelId>,
    period: Time,
    n_handled: u64,
}

impl Component for Repeater {
    type Message = [u64; 4];

    fn receive(&mut self, channel: ChannelId, mut message: [u64; 4], port: &mut Port<'_, [u64; 4]>) {
        self.n_handled += 1;
        message[0] += self.n_handled;
        port.release(channel);
        port.send(self.output.expect("a part that receives can send"), message, port.now());
    }

    fn wake(&mut self, _reason: Wake, port: &mut Port<'_, [u64; 4]>) {
        self.n_handled += 1;
        match self.output {
            Some(output) => port.send(output, [0; 4], port.now()),
            None => port.wake_at(port.now() + self.period, 0),
        }
    }

    fn waits(&self, _report: &mut Vec<Wait>) {}
}

/// `n_parts` parts with periods of a few hundred picoseconds.
fn repeaters(n_parts: u32) -> Engine<Repeater> {
    let part = |part: u32| Repeater { output: None, period: Time(333 + 17 * u64::from(part % 13)), n_handled: 0 };
    Engine::new((0..n_parts).map(part).collect())
}

/// A ring in which every part passes messages on to the next.
fn ring(n_parts: u32) -> Engine<Repeater> {
    let mut engine = repeaters(n_parts);
    for part in 0..n_parts {
        let latency = Time(400 + 23 * u64::from(part % 7));
        let channel = engine.add_channel(PartId(part), PartId((part + 1) % n_parts), latency, n_parts + 1);
        engine.parts_mut()[part as usize].output = Some(channel);
        engine.start(PartId(part), Time::ZERO, 0);
    }
    engine
}

fn engines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(HOLDS)).sample_size(20);
    for n_parts in [1, 64, 1024] {
        let mut engine = repeaters(n_parts);
        (0..n_parts).for_each(|part| engine.start(PartId(part), Time::ZERO, 0));
        group.bench_function(format!("{n_parts} parts wake themselves"), |bencher| bencher.iter(|| engine.run(HOLDS)));
    }
    for n_parts in [2, 64, 1024] {
        let mut engine = ring(n_parts);
        group.bench_function(format!("{n_parts} parts in a ring pass messages"), |bencher| bencher.iter(|| engine.run(HOLDS)));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(std::time::Duration::from_millis(300)).measurement_time(std::time::Duration::from_secs(1)).without_plots();
    targets = queues, engines
}
criterion_main!(benches);
