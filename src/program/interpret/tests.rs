//! Steps, requests, faults and whole runs of Code made by hand.

use super::*;
use crate::base::diagnostic::{SourceText, Span};
use crate::program::code::{Arena, Array, Block, Code, Instruction, Phase, ResultSlot, Site, Synchronisation};
use crate::program::tree::{BinaryOperator, Comparison, UpdateOperation, Value};

/// Code of one function, a block a slice.
fn code(blocks: &[&[Instruction]], synchronisations: &[Synchronisation]) -> Code {
    let mut code = Code {
        texts: vec![SourceText::new("test.flynn", "one\ntwo\n")],
        functions: vec![Function { phase: Phase::Main, entry: 0, blocks: 0..blocks.len() as u32, parallel: true }],
        blocks: Vec::new(),
        instructions: Vec::new(),
        instruction_sites: Vec::new(),
        registers: vec![Type::I64, Type::I64, Type::I64, Type::I64, Type::I32, Type::F64, Type::F64, Type::Bool],
        constants: vec![4],
        synchronisations: synchronisations.to_vec(),
        arrays: vec![array("a", Type::F64, 128), array("n", Type::I64, 256)],
        sites: vec![Site { line: 1, span: Span::new(0, 3), text: 0, text_line: 1 }],
        arena: Arena { size: 512, ..Arena::default() },
        results: vec![ResultSlot { address: 256, r#type: Type::I64 }],
        messages: Vec::new(),
        ranks: 1,
        threads: 2,
    };
    for block in blocks {
        code.blocks.push(Block { first: code.instructions.len() as u32, length: block.len() as u32 });
        code.instructions.extend_from_slice(block);
        code.instruction_sites.extend(block.iter().map(|_| 0));
    }
    code
}

fn array(name: &str, element: Type, base: u64) -> Array {
    Array { name: name.into(), element, base, stride: 8, length: 4, extents: vec![4], runtime: false }
}

fn start(code: &Code) -> (Interpreter, Context, Memory) {
    let interpreter = Interpreter::new(code);
    let context = interpreter.context(1, &code.functions[0]);
    (interpreter, context, Memory::new(&code.arena).unwrap())
}

#[test]
fn a_step_is_one_block_and_tells_its_addresses_in_order() {
    let code = code(
        &[
            &[
                Instruction::Load { to: 5, array: 0, index: THREAD, constant: 0 },
                Instruction::Binary { operator: BinaryOperator::Add, to: 6, a: 5, b: 5 },
                Instruction::Store { from: 6, array: 0, index: THREAD, constant: -1 },
                Instruction::BranchConstant { comparison: Comparison::Equal, a: THREAD, constant: 1, then: 1, otherwise: 0 },
            ],
            &[Instruction::Finish],
        ],
        &[],
    );
    let (interpreter, mut context, mut memory) = start(&code);
    memory.store(Type::F64, 136, 1.25_f64.to_bits());
    assert_eq!(interpreter.step(&mut context, &mut memory), Step::Block(0));
    assert_eq!(context.addresses, [136, 128]);
    assert!(context.taken);
    assert_eq!(memory.load(Type::F64, 128), 2.5_f64.to_bits());
    assert_eq!(interpreter.step(&mut context, &mut memory), Step::Finished { block: 1 });
    assert!(context.addresses.is_empty());
    assert_eq!(interpreter.step(&mut context, &mut memory), Step::Finished { block: 1 }, "and stays finished");
}

#[test]
fn a_synchronising_operation_binds_its_value_when_it_is_performed() {
    let add = Synchronisation {
        kind: SynchronisationKind::ReadModifyWrite(UpdateOperation::Add),
        order: Order::Relaxed,
        array: 1,
        index: ZERO,
        constant: 2,
        to: 3,
        operand: THREAD,
        expected: ZERO,
    };
    let code = code(&[&[Instruction::Synchronise { operation: 0, next: 1 }], &[Instruction::Finish]], &[add]);
    let (interpreter, mut context, mut memory) = start(&code);
    let Step::Synchronise(request) = interpreter.step(&mut context, &mut memory) else { panic!("it synchronises") };
    assert_eq!((request.address, request.operand, request.block), (272, 1, 0));
    assert_eq!(context.block(), 0, "it waits where it is");
    memory.store(Type::I64, 272, 40);
    let performed = perform(&request, &mut memory);
    assert_eq!(performed, Performed { value: 40, done: true, written: true });
    interpreter.resume(&mut context, performed.value);
    assert_eq!((context.register(3), context.block(), memory.load(Type::I64, 272)), (40, 1, 41));
}

fn request(kind: SynchronisationKind, element: Type, operand: u64, expected: u64) -> Request {
    let order = Order::SequentiallyConsistent;
    Request { block: 0, operation: 0, kind, order, address: 128, element, operand, expected, site: 0 }
}

#[test]
fn compare_exchange_knows_one_nan() {
    let mut memory = Memory::new(&Arena { size: 256, ..Arena::default() }).unwrap();
    memory.store(Type::F64, 128, (-f64::NAN).to_bits() | 7);
    let expected = f64::NAN.to_bits();
    let performed = perform(&request(SynchronisationKind::CompareExchange, Type::F64, 0, expected), &mut memory);
    assert!(performed.written);
    assert_eq!(performed.value, expected, "canonical");
    let minus_zero = (-0.0_f64).to_bits();
    let performed = perform(&request(SynchronisationKind::CompareExchange, Type::F64, 1, minus_zero), &mut memory);
    assert!(!performed.written, "0.0 and -0.0 have different bits");
}

#[test]
fn await_is_done_once_its_comparison_holds() {
    let mut memory = Memory::new(&Arena { size: 256, ..Arena::default() }).unwrap();
    let wait = request(SynchronisationKind::Await(Comparison::Greater), Type::I64, 3, 0);
    assert!(!perform(&wait, &mut memory).done);
    memory.store(Type::I64, 128, 4);
    assert_eq!(perform(&wait, &mut memory), Performed { value: 4, done: true, written: false });
}

#[test]
fn faults_stop_at_their_site_after_what_came_before() {
    let code = code(
        &[&[
            Instruction::Load { to: 3, array: 1, index: ZERO, constant: 1 },
            Instruction::Check { index: THREAD, constant: 3, length: 0 },
            Instruction::Finish,
        ]],
        &[],
    );
    let (interpreter, mut context, mut memory) = start(&code);
    let kind = FaultKind::IndexOutOfRange { index: 4, length: 4 };
    assert_eq!(interpreter.step(&mut context, &mut memory), Step::Fault(Fault { kind, site: 0, rank: 0, thread: 1 }));
    assert_eq!(context.addresses, [264]);
    let fault = run_functional(&code, 10).unwrap_err();
    insta::assert_snapshot!(fault.describe(&code), @"test.flynn:1:1: index 4 is out of range: valid indices are 0 to 3 (thread 1)");
}

#[test]
fn threads_that_await_for_ever_are_named() {
    let wait = Synchronisation {
        kind: SynchronisationKind::Await(Comparison::NotEqual),
        order: Order::Acquire,
        array: 1,
        index: ZERO,
        constant: 0,
        to: ZERO,
        operand: ZERO,
        expected: ZERO,
    };
    let code = code(&[&[Instruction::Synchronise { operation: 0, next: 1 }], &[Instruction::Finish]], &[wait]);
    let stuck = |thread| Stuck { rank: 0, thread, site: 0, messages: Vec::new(), ended: 0 };
    let error = run_functional(&code, 100).unwrap_err();
    assert_eq!(error, FunctionalError::Deadlock(vec![stuck(0), stuck(1)]));
    insta::assert_snapshot!(error.describe(&code), @"the program is stuck: thread 0 waits at line 1; thread 1 waits at line 1");
}

#[test]
fn a_run_counts_and_returns_results() {
    let code = code(
        &[&[
            Instruction::Constant { to: 3, value: 0 },
            Instruction::Store { from: 3, array: 1, index: ZERO, constant: 0 },
            Instruction::Finish,
        ]],
        &[],
    );
    let run = run_functional(&code, 100).unwrap();
    assert_eq!(run.results, [Value::I64(4)]);
    let expected = Tally { instructions: 6, stores: 2, bytes: 16, ..Tally::default() };
    assert_eq!(run.tally, expected, "two threads, one pass");
    assert_eq!(run_functional(&code, 3), Err(FunctionalError::Limit(3)));
}
