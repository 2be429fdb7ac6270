//! The interpreter's speed for values, on a stream, a chain of dependent loads, and integer arithmetic.
//!
//! `cargo bench --no-default-features --bench interpreter`; an element of the throughput is one instruction of Code, so 1 Gelem/s is
//! 1 ns an operation.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flynn::base::diagnostic::{SourceText, Span};
use flynn::program::code::{Arena, Array, Block, Code, Function, GIVEN_REGISTERS, Instruction, Phase, Site, ZERO};
use flynn::program::interpret::{Interpreter, Step};
use flynn::program::memory::Memory;
use flynn::program::tree::{BinaryOperator, Comparison, Type};

const N: u64 = 4096;
/// The loop's variable; register 4 is an integer, 5 to 9 are floats.
const I: u16 = GIVEN_REGISTERS as u16;

fn array(number: u64, element: Type) -> Array {
    let base = 4096 + number * N * 8;
    Array { name: format!("a{number}"), element, base, stride: 8, length: N, extents: vec![N], runtime: false }
}

/// `for I in 0..N { body }`, rotated as `lower` does.
fn counted_loop(element: Type, body: &[Instruction]) -> Code {
    let mut instructions = vec![Instruction::Constant { to: I, value: 0 }, Instruction::Jump { to: 1 }];
    instructions.extend_from_slice(body);
    instructions.extend([
        Instruction::BinaryConstant { operator: BinaryOperator::Add, to: I, a: I, constant: 1 },
        Instruction::BranchConstant { comparison: Comparison::Less, a: I, constant: N as i16, then: 1, otherwise: 2 },
        Instruction::Finish,
    ]);
    let total = instructions.len() as u32;
    Code {
        texts: vec![SourceText::new("bench.flynn", "")],
        functions: vec![Function { phase: Phase::Main, entry: 0, blocks: 0..3, parallel: false }],
        blocks: vec![Block { first: 0, length: 2 }, Block { first: 2, length: total - 3 }, Block { first: total - 1, length: 1 }],
        instruction_sites: vec![0; instructions.len()],
        instructions,
        registers: [&[Type::I64; 5][..], &[Type::F64; 5]].concat(),
        constants: vec![0, 1],
        synchronisations: Vec::new(),
        messages: Vec::new(),
        arrays: (0..3).map(|number| array(number, element)).collect(),
        sites: vec![Site { line: 1, span: Span::default(), text: 0, text_line: 1 }],
        arena: Arena { size: 4096 + 3 * N * 8, ..Arena::default() },
        results: Vec::new(),
        ranks: 1,
        threads: 1,
    }
}

/// `a[i] = b[i] + s * c[i]`
fn triad() -> Code {
    let load = |to, array| Instruction::Load { to, array, index: I, constant: 0 };
    let binary = |operator, to, a, b| Instruction::Binary { operator, to, a, b };
    counted_loop(
        Type::F64,
        &[
            load(6, 1),
            load(7, 2),
            binary(BinaryOperator::Multiply, 8, 5, 7),
            binary(BinaryOperator::Add, 9, 6, 8),
            Instruction::Store { from: 9, array: 0, index: I, constant: 0 },
        ],
    )
}

/// `p = next[p]`, four to a turn of the loop.
fn pointer_chase() -> Code {
    counted_loop(Type::I64, &[Instruction::Load { to: 4, array: 0, index: 4, constant: 0 }; 4])
}

/// A generator of pseudo-random numbers, with a bounds check.
fn integers() -> Code {
    let constant = |operator, constant| Instruction::BinaryConstant { operator, to: 4, a: 4, constant };
    counted_loop(
        Type::I64,
        &[
            constant(BinaryOperator::Multiply, 25_214_903),
            constant(BinaryOperator::Add, 11),
            Instruction::Binary { operator: BinaryOperator::Add, to: 4, a: 4, b: I },
            constant(BinaryOperator::And, 0xff_ffff),
            Instruction::Check { index: ZERO, constant: 0, length: 1 },
        ],
    )
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("interpreter");
    for (name, code) in [("triad", triad()), ("pointer chase", pointer_chase()), ("integers", integers())] {
        let interpreter = Interpreter::new(&code);
        let mut memory = Memory::new(&code.arena).expect("a small arena");
        let mut context = interpreter.context(0, &code.functions[0]);
        group.throughput(Throughput::Elements(u64::from(code.blocks[1].length) * N));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                interpreter.enter(&mut context, &code.functions[0]);
                while !matches!(interpreter.step(black_box(&mut context), &mut memory), Step::Finished { .. }) {}
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
