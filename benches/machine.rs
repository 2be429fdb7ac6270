//! Simulated memory accesses per second of one host core: private hits on one and on four cores, misses to memory in order and at
//! random; references of a memory trace, its text read on the way, with time and without; messages between ranks. Checks of coherence are off, as they are for
//! speed's sake only here. Bytes per simulated core go to stderr.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use flynn::base::diagnostic::SourceText;
use flynn::base::random::stream;
use flynn::experiment::run::prepare;
use flynn::experiment::trace::{TraceBytes, TraceReader, TraceSettings};
use flynn::machine::Machine;
use flynn::machine::catalogue::{Catalogue, Kind};
use flynn::machine::simulation::Simulation;
use flynn::machine::simulation::replay::count;
use flynn::program::code::{Code, Phase};
use flynn::program::memory::Memory;

/// Every core sums an array of 8 KiB of its own, over and over: all but the first round hits in L1.
const HITS: &str = "
param rounds = 200
array a: i64[threads, 1024]
array total: i64[threads] padded
parallel {
    let s = 0
    for round in 0..rounds {
        for i in 0..1024 { s += a[thread, i] }
    }
    total[thread] = s
}
";

/// One load a line, in order: every access misses everywhere.
const STREAM: &str = "
param lines = 60_000
array a: i64[lines * 8]
shared total: i64 = 0
let s = 0
for i in 0..lines { s += a[i * 8] }
total = s
";

/// One load a line, in no order: the same with an order no one can foresee.
const RANDOM: &str = "
param lines = 262_144
array a: i64[lines * 8]
shared total: i64 = 0
let s = 0
let at = 1
for i in 0..60_000 {
    at = (at * 5 + 12_345) & (lines - 1)
    s += a[at * 8]
}
total = s
";

/// 512 ranks pass a word round a ring: 511 messages each.
const RING: &str = "
array word: i64[1] = rank
array other: i64[1]
for step in 1..ranks {
    exchange word to (rank + 1) % ranks, other from (rank - 1) % ranks
    word[0] = other[0]
}
result word[0]
";

/// A machine and Code, ready to run again and again.
struct Bench {
    machine: Machine,
    code: Arc<Code>,
}

impl Bench {
    fn new(machine: &str, text: &str) -> Bench {
        let catalogue = Catalogue::built_in();
        let source = &catalogue.find(Kind::Machine, machine).expect("a shipped machine").source;
        let checks_off = [("runtime.checks".to_string(), "false".to_string())];
        let machine = Machine::resolve(source, &checks_off, &catalogue).expect("a shipped machine");
        let plan = machine.plan(None, 1).expect("a plan");
        let (_, code) = prepare(&SourceText::new("bench.flynn", text), &[], &plan, &catalogue).expect("a program");
        Bench { machine, code: Arc::new(code) }
    }

    fn node(&self) -> Simulation {
        let memories = (0..self.code.ranks).map(|_| Memory::new(&self.code.arena).expect("room")).collect();
        Simulation::of(&self.machine.spec(), Arc::clone(&self.code), memories).expect("the machine fits the program")
    }

    /// One run of the timed part; its accesses.
    fn run(&self, node: &mut Simulation) -> u64 {
        node.change_memories(Memory::reset_runtime);
        let function = self.code.function(Phase::Main).expect("a timed part");
        node.run(function).expect("an end").totals.accesses
    }

    /// The same; its messages.
    fn messages(&self, node: &mut Simulation) -> u64 {
        node.change_memories(Memory::reset_runtime);
        let function = self.code.function(Phase::Main).expect("a timed part");
        let report = node.run(function).expect("an end");
        report.metrics.iter().filter(|(path, _)| path.ends_with(".interface.sends")).map(|(_, sends)| sends).sum()
    }
}

fn accesses(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("accesses");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    let cases = [
        ("L1 hits, one core", "uniprocessor", HITS),
        ("L1 hits, four cores together", "uma-bus-4", HITS),
        ("L1 hits, one core, out of order", "uniprocessor-out-of-order", HITS),
        ("misses, in order", "uniprocessor", STREAM),
        ("misses, at random", "uniprocessor", RANDOM),
        ("misses, in order, out of order", "uniprocessor-out-of-order", STREAM),
    ];
    for (name, machine, text) in cases {
        let bench = Bench::new(machine, text);
        let mut node = bench.node();
        group.throughput(Throughput::Elements(bench.run(&mut node)));
        group.bench_function(name, |bencher| bencher.iter(|| black_box(bench.run(&mut node))));
    }
    group.finish();
}

fn messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("messages");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for (name, machine) in
        [("a ring of 512 ranks on a torus", "mpp-torus-512"), ("a ring of 16 ranks on a switch", "cluster-star-16")]
    {
        let bench = Bench::new(machine, RING);
        let mut ranks = bench.node();
        group.throughput(Throughput::Elements(bench.messages(&mut ranks)));
        group.bench_function(name, |bencher| bencher.iter(|| black_box(bench.messages(&mut ranks))));
    }
    group.finish();
}

/// The text of a trace that is at hand.
#[derive(Debug)]
struct AtHand {
    text: Arc<str>,
    at: usize,
}

impl TraceBytes for AtHand {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

/// A million references in Dinero's format: loops of 20 instructions over pages of code, with a load in three of them and a store in
/// one. Half of the data lie in a stack of 4 KiB, the others anywhere in 1 MiB.
fn trace() -> Arc<str> {
    let mut random = stream(1, "trace");
    let mut text = String::new();
    let mut code = 0x40_0000;
    for instruction in 0..830_000_u64 {
        if instruction % 200 == 0 {
            code = 0x40_0000 + 64 * random.below(1000);
        }
        writeln!(text, "2 {:x}", code + 4 * (instruction % 20)).expect("room");
        if instruction % 5 == 0 {
            let reach = if random.chance(0.5) { 4 << 10 } else { 1 << 20 };
            let label = u8::from(instruction % 20 == 0);
            writeln!(text, "{label} {:x}", 0x1f_fe00_0000 + 4 * random.below(reach / 4)).expect("room");
        }
    }
    text.into()
}

fn references(criterion: &mut Criterion) {
    let text = trace();
    let catalogue = Catalogue::built_in();
    let source = &catalogue.find(Kind::Machine, "split-caches").expect("a shipped machine").source;
    let machine = Machine::resolve(source, &[], &catalogue).expect("a shipped machine");
    let spec = &machine.nodes[0];
    let reader = || {
        let settings = TraceSettings { cores: 1, ..TraceSettings::default() };
        TraceReader::new("bench", Box::new(AtHand { text: Arc::clone(&text), at: 0 }), settings)
    };
    let mut group = criterion.benchmark_group("references");
    group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(text.lines().count() as u64));
    let counted = || count(spec, &mut reader(), u64::MAX).expect("a machine that fits").expect("an end");
    group.bench_function("without time", |bencher| bencher.iter(counted));
    let timed = || {
        Simulation::with_trace(spec, vec![Box::new(reader())], u64::MAX).expect("a machine that fits").run_trace().expect("an end")
    };
    group.bench_function("in time", |bencher| bencher.iter(timed));
    group.finish();
}

fn footprint(_: &mut Criterion) {
    for machine in ["uniprocessor", "uma-bus-16"] {
        let bench = Bench::new(machine, HITS);
        let cores = bench.machine.cores() as usize;
        eprintln!("{machine}: {} bytes of this computer's memory for each simulated core", bench.node().footprint() / cores);
    }
}

criterion_group!(benches, accesses, messages, references, footprint);
criterion_main!(benches);
