//! Children of the test executable itself.

use super::*;
use crate::base::diagnostic::SourceText;
use crate::host::fixture::Fixture;
use crate::host::tests::{lowered, plan};
use crate::program::code::{Instruction, Phase, Synchronisation, SynchronisationKind, THREAD, ZERO};
use crate::program::tree::{BinaryOperator, Comparison, Order, UnaryOperator};

fn job(source_name: &str, deadline_seconds: f64) -> Job {
    Job {
        source_name: source_name.to_owned(),
        text: String::new(),
        parameters: [("x".to_owned(), Value::F64(3.0)), ("n".to_owned(), Value::I64(3))].into_iter().collect(),
        plan: plan(2),
        start: Start::Warm,
        repetition: Repetition::default(),
        deadline_seconds,
    }
}

/// Set in children of these tests.
const CHILD_VARIABLE: &str = "FLYNN_TEST_CHILD";

/// Not a test of its own: the life of the children that the tests below start.
#[test]
fn child_life() {
    if std::env::var_os(CHILD_VARIABLE).is_some() {
        serve(prepare_by_name);
    }
}

/// Programs by name; a text is lowered.
fn prepare_by_name(job: &Job) -> Result<Code, Vec<String>> {
    match job.source_name.as_str() {
        "sum" => Ok(sum()),
        "spin" => Ok(spin()),
        "fault" => Ok(fault()),
        "complain" => Err(vec!["line 1 is wrong".to_owned(), "so is line 2".to_owned()]),
        "die" => std::process::abort(),
        "text" => Ok(lowered(&SourceText::new("test.flynn", job.text.as_str()), &job.plan).1),
        _ => loop {
            std::thread::sleep(Duration::from_secs(1));
        },
    }
}

fn test_child() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "host::child::tests::child_life", "--nocapture"]).env(CHILD_VARIABLE, "1");
    command
}

fn measure_in_test_child(source_name: &str, deadline_seconds: f64) -> Result<Report, ChildError> {
    measure(test_child(), &job(source_name, deadline_seconds))
}

/// Every thread adds its number plus 1 to an element of its own; a pass changes what the next one reads.
fn sum() -> Code {
    let mut fixture = Fixture::new(2);
    let value = fixture.register(Type::I64);
    let array = fixture.array(Type::I64, 2, &[Value::I64(10), Value::I64(20)]);
    fixture.block(&[
        Instruction::Load { to: value, array, index: THREAD, constant: 0 },
        Instruction::Binary { operator: BinaryOperator::Add, to: value, a: value, b: THREAD },
        Instruction::BinaryConstant { operator: BinaryOperator::Add, to: value, a: value, constant: 1 },
        Instruction::Store { from: value, array, index: THREAD, constant: 0 },
        Instruction::Finish,
    ]);
    fixture.function(Phase::Main, true);
    fixture.result(array, 0);
    fixture.result(array, 1);
    fixture.finish()
}

/// Thread 0 computes for ever (line 2), thread 1 takes sines for ever (line 3), thread 2 waits for ever (line 4), thread 3 has
/// finished.
fn spin() -> Code {
    let mut fixture = Fixture::new(4);
    let (integer, float) = (fixture.register(Type::I64), fixture.register(Type::F64));
    let array = fixture.array(Type::I64, 1, &[]);
    let one = fixture.constant(1);
    let operation = fixture.synchronisation(Synchronisation {
        kind: SynchronisationKind::Await(Comparison::Equal),
        order: Order::Acquire,
        array,
        index: ZERO,
        constant: 0,
        to: ZERO,
        operand: integer,
        expected: ZERO,
    });
    let choose = |thread, then, otherwise| Instruction::BranchConstant {
        comparison: Comparison::Equal,
        a: THREAD,
        constant: thread,
        then,
        otherwise,
    };
    fixture.block(&[Instruction::Constant { to: integer, value: one }, choose(0, 1, 4)]);
    fixture.block(&[Instruction::Copy { to: integer, from: integer }, Instruction::Jump { to: 1 }]);
    fixture.block(&[Instruction::Unary { operator: UnaryOperator::Sine, to: float, a: float }, Instruction::Jump { to: 2 }]);
    fixture.block(&[Instruction::Synchronise { operation, next: 6 }]);
    fixture.block(&[choose(1, 2, 5)]);
    fixture.block(&[choose(2, 3, 6)]);
    fixture.block(&[Instruction::Finish]);
    fixture.function(Phase::Main, true);
    fixture.finish()
}

/// Thread 1 divides by zero while thread 0 computes for ever.
fn fault() -> Code {
    let mut fixture = Fixture::new(2);
    fixture.block(&[Instruction::BranchConstant { comparison: Comparison::Equal, a: THREAD, constant: 0, then: 1, otherwise: 2 }]);
    fixture.block(&[Instruction::Jump { to: 1 }]);
    fixture.block(&[Instruction::CheckDivisor { divisor: ZERO }, Instruction::Finish]);
    fixture.function(Phase::Main, true);
    fixture.finish()
}

#[test]
fn a_child_measures_and_every_pass_finds_the_same() {
    let report = measure_in_test_child("sum", 60.0).unwrap();
    let Report::Measured(measured) = report else { panic!("{report:?}") };
    assert_eq!(measured.values(), [Value::I64(11), Value::I64(22)], "restored before each pass");
    assert!(measured.samples_seconds.len() >= 5);
    assert!(measured.samples_seconds.iter().all(|&seconds| seconds > 0.0 && seconds < 10.0));
    assert_eq!(measured.pinned, cfg!(target_os = "linux"));
}

#[test]
fn a_deadline_names_the_line_of_every_thread() {
    let begin = Instant::now();
    let report = measure_in_test_child("spin", 3.0).unwrap();
    assert!(begin.elapsed() < GRACE);
    let Report::Deadline { threads, .. } = report else { panic!("{report:?}") };
    let states: Vec<(ThreadState, Option<u32>)> = threads.iter().map(|thread| (thread.state, thread.line)).collect();
    let known = cfg!(any(target_os = "linux", target_os = "macos"));
    if known {
        assert_eq!(states[..2], [(ThreadState::Computing, Some(2)), (ThreadState::Computing, Some(3))]);
    }
    assert_eq!(states[2..], [(ThreadState::Waiting, Some(4)), (ThreadState::Finished, None)]);
}

#[test]
fn a_deadlock_is_told_by_the_lines_of_its_locks() {
    let text = "
        shared ready: i64 = 0
        mutex fork[2]
        parallel 2 {
            lock fork[thread] {
                atomic ready += 1
                await ready == 2
                lock fork[1 - thread] { busy(1) }
            }
        }
        result ready
    ";
    let job = Job { text: text.to_owned(), ..job("text", 3.0) };
    let report = measure(test_child(), &job).unwrap();
    let Report::Deadline { threads, .. } = report else { panic!("{report:?}") };
    for thread in threads {
        assert_eq!((thread.state, thread.line), (ThreadState::Waiting, Some(8)), "{thread}");
        assert!(thread.runtime.as_ref().is_some_and(|(text, _)| text.contains("lock-ticket")), "{thread}");
    }
}

#[test]
fn a_fault_is_reported_though_another_thread_computes_for_ever() {
    let begin = Instant::now();
    let report = measure_in_test_child("fault", 30.0).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(20), "long before the deadline");
    let Report::Fault { line: 3, thread: 1, ref message } = report else { panic!("{report:?}") };
    assert!(message.contains("division by zero"), "{message}");
}

#[test]
fn a_child_that_does_not_answer_is_killed() {
    let error = measure_within(test_child(), &job("sleep", 30.0), Duration::from_millis(300)).unwrap_err();
    assert!(matches!(error, ChildError::Silent { .. }), "{error}");
}

#[test]
fn what_the_child_says_of_the_program_comes_back() {
    let report = measure_in_test_child("complain", 30.0).unwrap();
    assert_eq!(report.trouble().as_deref(), Some("line 1 is wrong\nso is line 2"));
}

#[test]
fn a_child_that_crashes_or_ends_early_is_an_error_that_says_so() {
    let error = measure_in_test_child("die", 30.0).unwrap_err();
    assert!(matches!(error, ChildError::Died { .. }), "{error}");
    assert!(error.to_string().contains("before it could report"), "{error}");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--list");
    let error = measure(command, &job("sum", 30.0)).unwrap_err();
    assert!(matches!(error, ChildError::Died { .. }), "{error}");
}

#[test]
fn jobs_and_reports_survive_json() {
    let job = job("p.flynn", 60.0);
    let text = serde_json::to_string(&job).unwrap();
    assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job);
    let report = Report::Measured(Measured {
        samples_seconds: vec![1.25e-7, 0.1],
        results: vec![ResultValue { r#type: Type::I64, bits: u64::MAX }],
        outcomes: vec![(vec![1, u64::MAX], 7)],
        pinned: true,
        hardware_threads: vec![0, 1],
        oversubscribed: false,
    });
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn a_deadline_is_told_thread_by_thread() {
    let at = |thread, state, line, runtime| ThreadLine { thread, state, line, runtime };
    let report = Report::Deadline {
        seconds: 2.5,
        threads: vec![
            at(0, ThreadState::Computing, Some(7), None),
            at(1, ThreadState::Waiting, Some(9), Some(("lock-ticket".to_owned(), 12))),
            at(2, ThreadState::Finished, None, None),
            at(3, ThreadState::Unknown, None, None),
        ],
    };
    insta::assert_snapshot!(report.trouble().unwrap(), @r"
    the program did not end within 2.5 s:
      thread 0 was at line 7
      thread 1 waited at line 9 (lock-ticket, line 12)
      thread 2 had nothing to do
      thread 3 was at a line that is not known on this system
    ");
}

#[test]
fn what_cannot_be_started_is_said() {
    let error = measure(Command::new("/no/such/executable"), &job("sum", 1.0)).unwrap_err();
    assert!(matches!(error, ChildError::NotStarted(_)), "{error}");
}

#[test]
fn seconds_become_durations_whatever_they_are() {
    assert_eq!(duration(f64::NAN), Duration::ZERO);
    assert_eq!(duration(-1.0), Duration::ZERO);
    assert_eq!(duration(0.5), Duration::from_millis(500));
    assert!(duration(f64::INFINITY) > Duration::from_secs(1 << 20));
}

#[test]
fn the_end_of_a_complaint_is_kept() {
    let text = format!("{}ü end", "x".repeat(COMPLAINT_LIMIT - 5));
    assert!(tail(&text).ends_with("ü end"));
    assert!(tail(&text).len() <= COMPLAINT_LIMIT);
    assert_eq!(tail("short"), "short");
}
