//! Generated code against the interpreter.

use proptest::prelude::*;

use super::*;
use crate::host::fixture::{Fixture, bits, run_here};
use crate::host::run::RunError;
use crate::program::code::{Fault, FaultKind, Register};
use crate::program::code::{Instruction, Synchronisation, SynchronisationKind, THREAD, ZERO};
use crate::program::interpret::run_functional;
use crate::program::tree::{BinaryOperator, Comparison, Order, UnaryOperator, UpdateOperation, Value};

const TYPES: [Type; 5] = [Type::I64, Type::I32, Type::F64, Type::F32, Type::Bool];
const COMPARISONS: [Comparison; 6] = [
    Comparison::Equal,
    Comparison::NotEqual,
    Comparison::Less,
    Comparison::LessEqual,
    Comparison::Greater,
    Comparison::GreaterEqual,
];

fn edge_values(r#type: Type) -> Vec<Value> {
    match r#type {
        Type::I64 => {
            [0, 1, -1, 2, -2, 7, -7, 63, 64, 65, i64::MAX, i64::MIN, i64::MIN + 1, 1 << 32, -(1 << 31)].map(Value::I64).to_vec()
        }
        Type::I32 => [0, 1, -1, 2, -2, 7, -7, 31, 32, 33, i32::MAX, i32::MIN, i32::MIN + 1].map(Value::I32).to_vec(),
        Type::F64 => {
            let values = [
                0.0,
                -0.0,
                1.0,
                -1.5,
                2.5,
                1e300,
                -1e300,
                5e-324,
                9.3e18,
                2147483647.6,
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::NAN,
                -f64::NAN,
            ];
            values.map(Value::F64).to_vec()
        }
        Type::F32 => [0.0, -0.0, 1.0, -1.5, 2.5, 1e38, -1e38, 1e-45, 3e9, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]
            .map(Value::F32)
            .to_vec(),
        Type::Bool => vec![Value::Bool(false), Value::Bool(true)],
    }
}

fn is_defined(operator: BinaryOperator, r#type: Type) -> bool {
    use BinaryOperator::*;
    match r#type {
        Type::I64 | Type::I32 => true,
        Type::F64 | Type::F32 => matches!(operator, Add | Subtract | Multiply | Divide | Minimum | Maximum),
        Type::Bool => matches!(operator, And | Or | Xor | Minimum | Maximum),
    }
}

/// Both back ends give the same results.
#[track_caller]
fn assert_same(code: &Code, what: &str) {
    let expected = run_functional(code, 1_000_000).unwrap();
    let outcome = run_here(code).unwrap();
    for (index, (got, expected)) in outcome.results.iter().zip(bits(&expected.results)).enumerate() {
        assert_eq!(*got, expected, "{what}: result {index}: {:?} here", Value::from_bits(got.0, got.1));
    }
    assert_eq!(outcome.results.len(), code.results.len());
}

/// Code that applies instructions to every pair of these operands: `make(to, a, b)`.
fn for_all_pairs(
    operands: (Type, Type),
    result: Type,
    pairs: &[(Value, Value)],
    make: impl Fn(Register, Register, Register) -> Instruction,
) -> Code {
    let mut fixture = Fixture::new(1);
    let [a, b, to, i] = [operands.0, operands.1, result, Type::I64].map(|r#type| fixture.register(r#type));
    let n = pairs.len() as u64;
    let left = fixture.array(operands.0, n, &pairs.iter().map(|pair| pair.0).collect::<Vec<_>>());
    let right = fixture.array(operands.1, n, &pairs.iter().map(|pair| pair.1).collect::<Vec<_>>());
    let out = fixture.array(result, n, &[]);
    let zero = fixture.constant(0);
    fixture.block(&[Instruction::Constant { to: i, value: zero }, Instruction::Jump { to: 1 }]);
    fixture.block(&[
        Instruction::Load { to: a, array: left, index: i, constant: 0 },
        Instruction::Load { to: b, array: right, index: i, constant: 0 },
        make(to, a, b),
        Instruction::Store { from: to, array: out, index: i, constant: 0 },
        Instruction::BinaryConstant { operator: BinaryOperator::Add, to: i, a: i, constant: 1 },
        Instruction::BranchConstant { comparison: Comparison::Less, a: i, constant: n as i16, then: 1, otherwise: 2 },
    ]);
    fixture.block(&[Instruction::Finish]);
    fixture.function(Phase::Main, false);
    (0..n).for_each(|index| fixture.result(out, index));
    fixture.finish()
}

fn pairs(a: Type, b: Type) -> Vec<(Value, Value)> {
    edge_values(a).into_iter().flat_map(|left| edge_values(b).into_iter().map(move |right| (left, right))).collect()
}

#[test]
fn binary_operators_agree_on_all_edge_values() {
    use BinaryOperator::*;
    for r#type in TYPES {
        for operator in [Add, Subtract, Multiply, Divide, Remainder, Minimum, Maximum, And, Or, Xor, ShiftLeft, ShiftRight] {
            if !is_defined(operator, r#type) {
                continue;
            }
            let divides = matches!(operator, Divide | Remainder) && !r#type.is_float();
            let count = if matches!(operator, ShiftLeft | ShiftRight) { Type::I64 } else { r#type };
            let mut pairs = pairs(r#type, count);
            pairs.retain(|pair| !(divides && pair.1.bits() == 0));
            let code = for_all_pairs((r#type, count), r#type, &pairs, |to, a, b| Instruction::Binary { operator, to, a, b });
            assert_same(&code, &format!("{type:?} {operator:?}"));
        }
    }
}

#[test]
fn operators_with_constants_agree() {
    use BinaryOperator::*;
    for r#type in [Type::I64, Type::I32] {
        for operator in [Add, Subtract, Multiply, Divide, Remainder, Minimum, Maximum, And, Or, Xor, ShiftLeft, ShiftRight] {
            for constant in [1, -1, 2, -3, 8, 33, 65, i32::MAX, i32::MIN] {
                let code = for_all_pairs((r#type, r#type), r#type, &pairs(r#type, r#type)[..15], |to, a, _| {
                    Instruction::BinaryConstant { operator, to, a, constant }
                });
                assert_same(&code, &format!("{type:?} {operator:?} {constant}"));
            }
        }
    }
}

#[test]
fn unary_operators_comparisons_and_conversions_agree_on_all_edge_values() {
    use UnaryOperator::*;
    for r#type in TYPES {
        for operator in [Negate, Not, Absolute, SquareRoot, Sine, Cosine, Exponential, Logarithm] {
            let code =
                for_all_pairs((r#type, r#type), r#type, &pairs(r#type, r#type), |to, a, _| Instruction::Unary { operator, to, a });
            assert_same(&code, &format!("{type:?} {operator:?}"));
        }
        for comparison in COMPARISONS {
            let code = for_all_pairs((r#type, r#type), Type::Bool, &pairs(r#type, r#type), |to, a, b| Instruction::Compare {
                comparison,
                to,
                a,
                b,
            });
            assert_same(&code, &format!("{type:?} {comparison:?}"));
        }
        for target in TYPES {
            let code =
                for_all_pairs((r#type, r#type), target, &pairs(r#type, r#type), |to, from, _| Instruction::Convert { to, from });
            assert_same(&code, &format!("{type:?} to {target:?}"));
        }
        let code = for_all_pairs((Type::Bool, r#type), r#type, &pairs(Type::Bool, r#type), |to, condition, a| {
            Instruction::Select { to, condition, a, b: to }
        });
        assert_same(&code, &format!("select {type:?}"));
    }
    for r#type in [Type::F64, Type::F32] {
        let code = for_all_pairs((r#type, r#type), r#type, &pairs(r#type, r#type), |to, a, b| Instruction::FusedMultiplyAdd {
            to,
            a,
            b,
            c: a,
        });
        assert_same(&code, &format!("fma {type:?}"));
    }
    let code = for_all_pairs((Type::I64, Type::I64), Type::I64, &pairs(Type::I64, Type::I64), |to, a, _| {
        Instruction::ShiftRightLogical { to, a, count: 11 }
    });
    assert_same(&code, "logical shift");
}

#[test]
fn branches_agree_on_all_edge_values() {
    for r#type in TYPES {
        for comparison in COMPARISONS {
            let pairs = pairs(r#type, r#type);
            let n = pairs.len() as u64;
            let mut fixture = Fixture::new(1);
            let [a, b, to, i] = [r#type, r#type, Type::Bool, Type::I64].map(|r#type| fixture.register(r#type));
            let left = fixture.array(r#type, n, &pairs.iter().map(|pair| pair.0).collect::<Vec<_>>());
            let right = fixture.array(r#type, n, &pairs.iter().map(|pair| pair.1).collect::<Vec<_>>());
            let out = fixture.array(Type::Bool, n, &[]);
            let one = fixture.constant(1);
            fixture.block(&[Instruction::Jump { to: 1 }]);
            fixture.block(&[
                Instruction::Load { to: a, array: left, index: i, constant: 0 },
                Instruction::Load { to: b, array: right, index: i, constant: 0 },
                Instruction::Branch { comparison, a, b, then: 2, otherwise: 3 },
            ]);
            fixture.block(&[
                Instruction::Constant { to, value: one },
                Instruction::Store { from: to, array: out, index: i, constant: 0 },
                Instruction::Jump { to: 3 },
            ]);
            fixture.block(&[
                Instruction::BinaryConstant { operator: BinaryOperator::Add, to: i, a: i, constant: 1 },
                Instruction::BranchConstant { comparison: Comparison::Less, a: i, constant: n as i16, then: 1, otherwise: 4 },
            ]);
            fixture.block(&[Instruction::Finish]);
            fixture.function(Phase::Main, false);
            (0..n).for_each(|index| fixture.result(out, index));
            assert_same(&fixture.finish(), &format!("branch {type:?} {comparison:?}"));
        }
    }
}

/// A Code of one function whose threads all do these synchronising operations, in order, on element 0 of an array.
fn synchronising(r#type: Type, initial: Value, operands: &[Value], kinds: &[(SynchronisationKind, Order)], threads: u32) -> Code {
    let mut fixture = Fixture::new(threads);
    let place = fixture.array(r#type, 1, &[initial]);
    let out = fixture.array(r#type, kinds.len() as u64, &[]);
    let [operand, expected, old] = [r#type; 3].map(|r#type| fixture.register(r#type));
    let (first, second) = (operands[0].bits(), operands[1].bits());
    let (first, second) = (fixture.constant(first), fixture.constant(second));
    fixture.block(&[
        Instruction::Constant { to: operand, value: first },
        Instruction::Constant { to: expected, value: second },
        Instruction::Jump { to: 1 },
    ]);
    for (index, &(kind, order)) in kinds.iter().enumerate() {
        // Stores and fences give no value.
        let to = if matches!(kind, SynchronisationKind::Store | SynchronisationKind::Fence) { ZERO } else { old };
        let operation =
            fixture.synchronisation(Synchronisation { kind, order, array: place, index: ZERO, constant: 0, to, operand, expected });
        let next = fixture.next_block() + 1;
        fixture.block(&[Instruction::Synchronise { operation, next }]);
        fixture.block(&[
            Instruction::Store { from: old, array: out, index: ZERO, constant: index as i32 },
            Instruction::Jump { to: next + 1 },
        ]);
    }
    fixture.block(&[Instruction::Finish]);
    fixture.function(Phase::Main, threads > 1);
    fixture.result(place, 0);
    if threads == 1 {
        (0..kinds.len() as u64).for_each(|index| fixture.result(out, index));
    }
    fixture.finish()
}

#[test]
fn atomic_operations_agree_on_all_edge_values() {
    use SynchronisationKind as K;
    use UpdateOperation::*;
    for r#type in TYPES {
        let updates: &[UpdateOperation] = match r#type {
            Type::I64 | Type::I32 => &[Add, Minimum, Maximum, And, Or, Xor, Exchange],
            Type::F64 | Type::F32 => &[Add, Minimum, Maximum, Exchange],
            Type::Bool => &[And, Or, Xor, Exchange],
        };
        let mut kinds: Vec<(SynchronisationKind, Order)> = vec![(K::Load, Order::Acquire), (K::CompareExchange, Order::Acquire)];
        kinds.extend(updates.iter().map(|&update| (K::ReadModifyWrite(update), Order::SequentiallyConsistent)));
        kinds.extend([Order::Relaxed, Order::Release, Order::SequentiallyConsistent].map(|order| (K::Store, order)));
        kinds.extend([
            (K::Load, Order::Relaxed),
            (K::Load, Order::SequentiallyConsistent),
            (K::Fence, Order::SequentiallyConsistent),
        ]);
        for (initial, operand) in pairs(r#type, r#type).into_iter().step_by(3) {
            // The compare-exchange expects what is there.
            let code = synchronising(r#type, initial, &[operand, initial], &kinds, 1);
            assert_same(&code, &format!("{type:?} {initial:?} {operand:?}"));
        }
    }
}

#[test]
fn float_additions_of_many_threads_lose_nothing() {
    let kind = (SynchronisationKind::ReadModifyWrite(UpdateOperation::Add), Order::Relaxed);
    let code = synchronising(Type::F64, Value::F64(0.5), &[Value::F64(1.0), Value::F64(0.0)], &[kind; 200], 4);
    assert_eq!(run_here(&code).unwrap().results, bits(&[Value::F64(800.5)]));
}

#[test]
fn a_nan_of_any_kind_is_found_by_a_compare_exchange() {
    let strange = Value::F64(f64::from_bits(0xfff8_0000_0000_0123));
    let kinds = [(SynchronisationKind::CompareExchange, Order::Acquire)];
    let code = synchronising(Type::F64, strange, &[Value::F64(1.0), Value::F64(f64::NAN)], &kinds, 1);
    assert_same(&code, "compare-exchange of a NaN");
    assert_eq!(run_here(&code).unwrap().results[0], (Type::F64, 1.0_f64.to_bits()));
}

#[test]
fn faults_leave_by_a_return_code() {
    let mut fixture = Fixture::new(2);
    let length = fixture.constant(5);
    fixture.block(&[Instruction::Check { index: THREAD, constant: 4, length }, Instruction::Finish]);
    fixture.function(Phase::Main, true);
    let fault = Fault { kind: FaultKind::IndexOutOfRange { index: 5, length: 5 }, site: 0, rank: 0, thread: 1 };
    assert_eq!(run_here(&fixture.finish()), Err(RunError::Fault(fault)));

    let mut fixture = Fixture::new(1);
    let length = fixture.constant(5);
    fixture.block(&[Instruction::Check { index: ZERO, constant: -1, length }, Instruction::Finish]);
    fixture.function(Phase::Main, false);
    let fault = Fault { kind: FaultKind::IndexOutOfRange { index: -1, length: 5 }, site: 0, rank: 0, thread: 0 };
    assert_eq!(run_here(&fixture.finish()), Err(RunError::Fault(fault)));

    let mut fixture = Fixture::new(1);
    fixture.block(&[Instruction::CheckDivisor { divisor: ZERO }, Instruction::Finish]);
    fixture.function(Phase::Main, false);
    assert_eq!(
        run_here(&fixture.finish()),
        Err(RunError::Fault(Fault { kind: FaultKind::DivisionByZero, site: 0, rank: 0, thread: 0 }))
    );

    let mut fixture = Fixture::new(1);
    let to = fixture.register(Type::I64);
    fixture
        .block(&[Instruction::BinaryConstant { operator: BinaryOperator::Divide, to, a: ZERO, constant: 0 }, Instruction::Finish]);
    fixture.function(Phase::Main, false);
    assert_eq!(
        run_here(&fixture.finish()),
        Err(RunError::Fault(Fault { kind: FaultKind::DivisionByZero, site: 0, rank: 0, thread: 0 }))
    );
}

#[test]
fn a_fault_frees_threads_that_wait() {
    // Thread 1 divides by zero, thread 0 awaits what will never come.
    let mut fixture = Fixture::new(2);
    let place = fixture.array(Type::I64, 1, &[]);
    let operation = fixture.synchronisation(Synchronisation {
        kind: SynchronisationKind::Await(Comparison::Equal),
        order: Order::Acquire,
        array: place,
        index: ZERO,
        constant: 0,
        to: ZERO,
        operand: ZERO,
        expected: ZERO,
    });
    fixture.block(&[Instruction::BranchConstant { comparison: Comparison::Equal, a: THREAD, constant: 0, then: 1, otherwise: 2 }]);
    fixture.block(&[Instruction::Synchronise { operation, next: 3 }]);
    fixture.block(&[Instruction::CheckDivisor { divisor: ZERO }, Instruction::Jump { to: 3 }]);
    fixture.block(&[Instruction::Finish]);
    fixture.function(Phase::Main, true);
    let mut code = fixture.finish();
    // Never equal to 0: the place holds 1.
    code.arena.initial.push((code.arrays[0].base, Type::I64, 1));
    let fault = Fault { kind: FaultKind::DivisionByZero, site: 2, rank: 0, thread: 1 };
    assert_eq!(run_here(&code), Err(RunError::Fault(fault)));
}

#[test]
fn busy_takes_a_cycle_for_each_operation_at_least() {
    let seconds = |count: i64| {
        let mut fixture = Fixture::new(1);
        let register = fixture.register(Type::I64);
        let value = fixture.constant(count as u64);
        fixture.block(&[Instruction::Constant { to: register, value }, Instruction::Busy { count: register, next: 1 }]);
        fixture.block(&[Instruction::Finish]);
        fixture.function(Phase::Main, false);
        let code = fixture.finish();
        (0..5).map(|_| run_here(&code).unwrap().samples_seconds[0]).fold(f64::INFINITY, f64::min)
    };
    assert!(seconds(-5) < 1e-3 && seconds(0) < 1e-3);
    // A dependent subtraction takes a cycle at least: no processor has 8 GHz.
    let long = seconds(5_000_000);
    assert!(long > 5e6 / 8e9, "{long} s");
}

#[test]
fn an_element_beyond_two_gibibytes_is_reached() {
    let mut fixture = Fixture::new(1);
    let near = fixture.array(Type::I64, 4, &[Value::I64(7)]);
    fixture.array(Type::Bool, 5 << 30, &[]);
    let far = fixture.strided_array(Type::I64, 100, &[], 24);
    let register = fixture.register(Type::I64);
    fixture.block(&[
        Instruction::Load { to: register, array: near, index: ZERO, constant: 0 },
        Instruction::Store { from: register, array: far, index: register, constant: 40 },
        Instruction::Store { from: register, array: far, index: ZERO, constant: 1 },
        Instruction::Finish,
    ]);
    fixture.function(Phase::Main, false);
    fixture.result(far, 47);
    fixture.result(far, 1);
    fixture.result(far, 46);
    let mut code = fixture.finish();
    code.arena.restore.clear();
    match run_here(&code) {
        Ok(outcome) => assert_eq!(outcome.results, bits(&[Value::I64(7), Value::I64(7), Value::I64(0)])),
        Err(error) => assert!(matches!(error, RunError::Arena(_)), "a computer with less memory says so: {error}"),
    }
}

#[derive(Clone, Copy, Debug)]
struct Random {
    shape: u8,
    operator: u8,
    to: u8,
    operands: [u8; 3],
    constant: i32,
}

/// Straight-line code over four registers of each type, all of which are results at the end.
fn straight_line(values: &[Value; 20], randoms: &[Random]) -> Code {
    let mut fixture = Fixture::new(1);
    let registers: Vec<Register> = (0..20).map(|index| fixture.register(TYPES[index / 4])).collect();
    let of = |r#type: Type, number: u8| registers[TYPES.iter().position(|&t| t == r#type).unwrap() * 4 + usize::from(number % 4)];
    let mut instructions: Vec<Instruction> = Vec::new();
    for (&to, value) in registers.iter().zip(values) {
        let value = fixture.constant(value.bits());
        instructions.push(Instruction::Constant { to, value });
    }
    for random in randoms {
        use BinaryOperator::*;
        let r#type = TYPES[usize::from(random.to) % 5];
        let [a, b, c] = random.operands.map(|operand| of(r#type, operand));
        let to = of(r#type, random.to / 5);
        let comparison = COMPARISONS[usize::from(random.operator) % 6];
        let operators = [Add, Subtract, Multiply, Minimum, Maximum, And, Or, Xor, ShiftLeft, ShiftRight, Divide];
        let operator = operators[usize::from(random.operator) % if r#type.is_float() { 11 } else { 10 }];
        instructions.push(match random.shape % 6 {
            0 if is_defined(operator, r#type) => Instruction::Binary { operator, to, a, b },
            1 if r#type.is_float() => Instruction::FusedMultiplyAdd { to, a, b, c },
            1 if r#type != Type::Bool && random.constant != 0 => {
                let operator = [Divide, Remainder, Add, Multiply][usize::from(random.operator) % 4];
                Instruction::BinaryConstant { operator, to, a, constant: random.constant }
            }
            2 => Instruction::Compare { comparison, to: of(Type::Bool, random.to), a, b },
            3 => Instruction::Select { to, condition: of(Type::Bool, random.operator), a, b },
            4 => Instruction::Convert { to, from: of(TYPES[usize::from(random.operator) % 5], random.operands[0]) },
            _ => {
                let operators = [UnaryOperator::Negate, UnaryOperator::Not, UnaryOperator::Absolute, UnaryOperator::SquareRoot];
                Instruction::Unary { operator: operators[usize::from(random.operator) % 4], to, a }
            }
        });
    }
    for (index, r#type) in TYPES.into_iter().enumerate() {
        let out = fixture.array(r#type, 4, &[]);
        for element in 0..4 {
            instructions.push(Instruction::Store {
                from: registers[index * 4 + element],
                array: out,
                index: ZERO,
                constant: element as i32,
            });
            fixture.result(out, element as u64);
        }
    }
    instructions.push(Instruction::Finish);
    fixture.block(&instructions);
    fixture.function(Phase::Main, false);
    fixture.finish()
}

fn random_instruction() -> impl Strategy<Value = Random> {
    (any::<u8>(), any::<u8>(), any::<u8>(), any::<[u8; 3]>(), any::<i32>())
        .prop_map(|(shape, operator, to, operands, constant)| Random { shape, operator, to, operands, constant })
}

fn random_values() -> impl Strategy<Value = [Value; 20]> {
    (any::<[i64; 4]>(), any::<[i32; 4]>(), any::<[f64; 4]>(), any::<[f32; 4]>(), any::<[bool; 4]>()).prop_map(|(a, b, c, d, e)| {
        let mut values = [Value::Bool(false); 20];
        for index in 0..4 {
            values[index] = Value::I64(a[index]);
            values[4 + index] = Value::I32(b[index]);
            values[8 + index] = Value::F64(c[index]);
            values[12 + index] = Value::F32(d[index]);
            values[16 + index] = Value::Bool(e[index]);
        }
        values
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn random_expressions_agree(values in random_values(), randoms in prop::collection::vec(random_instruction(), 1..60)) {
        let code = straight_line(&values, &randoms);
        let expected = run_functional(&code, 1000).unwrap();
        prop_assert_eq!(run_here(&code).unwrap().results, bits(&expected.results));
    }
}
