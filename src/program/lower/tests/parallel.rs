//! Teams, schedules, locks, barriers, reductions: the same results whatever they are made of.

use super::*;
use crate::program::interpret::FunctionalError;

const LOCKS: [&str; 4] = ["test-and-set", "test-and-test-and-set", "ticket", "mcs"];
const BARRIERS: [&str; 3] = ["central", "tree", "dissemination"];

fn schedules() -> Vec<Schedule> {
    let schedule = |kind: &str, chunk| Schedule { kind: kind.into(), chunk };
    vec![
        schedule("static", None),
        schedule("static", Some(3)),
        schedule("dynamic", None),
        schedule("dynamic", Some(5)),
        schedule("guided", None),
        schedule("guided", Some(4)),
    ]
}

fn results_with(text: &str, plan: &Plan) -> Vec<Value> {
    match lower_with(text, plan) {
        Ok(code) => run_code(&code).results,
        Err(faults) => panic!("{}", faults[0]),
    }
}

#[test]
fn every_schedule_runs_every_iteration_once() {
    // Loops of all lengths round the number of threads, upwards and downwards, with and without a team around them.
    let text = "param n = 37\narray hits: i64[n]\narray order: i64[n]\nshared total: i64 = 0\n\
                parallel for i in 0..n reduce(+: total) { hits[i] += 1\n total += i }\n\
                parallel for i in n - 1..-1 by -3 { hits[i] += 100 }\n\
                parallel {\n parallel for i in 2..n by 5 { hits[i] += 10000 }\n parallel for i in 0..n { order[i] = hits[i] }\n}\n\
                let none = 0\nparallel for i in 5..5 { hits[i] += 1 }\n\
                result sum(order), total, order[0], order[2], order[36], sum(hits)";
    let expected = results(text, 1);
    assert_eq!(expected[1], Value::I64(36 * 37 / 2));
    for schedule in schedules() {
        for threads in [1, 2, 3, 7, 8] {
            for barrier in BARRIERS {
                let plan = Plan { schedule: schedule.clone(), barrier: barrier.into(), ..plan(threads) };
                assert_eq!(results_with(text, &plan), expected, "{schedule:?}, {threads} threads, {barrier} barrier");
            }
        }
    }
}

#[test]
fn a_loop_may_name_its_schedule() {
    let text = "array a: i64[40]\nparallel for i in 0..40 schedule(dynamic, 4) { a[i] = i }\n\
                parallel for i in 0..40 schedule(static, 2) { a[i] += i }\nresult sum(a)";
    assert_eq!(results(text, 4), [Value::I64(2 * 780)]);
}

#[test]
fn every_lock_excludes() {
    let text = "mutex m\nmutex fine[4]\nshared x: i64 = 0\narray y: i64[4] = 0\n\
                parallel { for k in 0..20 { lock m { let old = x\n busy(3)\n x = old + 1 }\n\
                lock fine[(k + thread) % 4] { y[(k + thread) % 4] += 1 } } }\nresult x, sum(y), y[0]";
    for lock in LOCKS {
        for threads in [1, 2, 5, 8] {
            let plan = Plan { lock: lock.into(), ..plan(threads) };
            let n = i64::from(threads) * 20;
            let values = results_with(text, &plan);
            assert_eq!(values, [n, n, n / 4].map(Value::I64), "{lock} lock, {threads} threads");
        }
    }
}

/// Without the lock, the threads' turns in a functional run lose updates: the test above can fail.
#[test]
fn without_a_lock_updates_are_lost() {
    let text = "shared x: i64 = 0\nshared step: i64 = 0\n\
                parallel { for k in 0..20 { let old = x\n atomic step += 1\n x = old + 1 } }\nresult x";
    assert_ne!(results(text, 4), [Value::I64(80)]);
}

#[test]
fn every_barrier_separates() {
    // Each thread reads what its neighbour wrote before the barrier, many times over; teams of several sizes in between.
    let text = "param rounds = 12\narray a: i64[threads] padded\narray wrong: i64[threads] padded\n\
                parallel { a[thread] = 0 }\n\
                for size in 1..threads + 1 { parallel size {\n\
                a[thread] = 0\n barrier\n\
                for r in 0..rounds { let seen = a[(thread + 1) % threads]\n barrier\n if seen != r { wrong[thread] += 1 }\n\
                a[thread] = r + 1\n barrier }\n } }\nresult sum(wrong), a[0]";
    for barrier in BARRIERS {
        for threads in [1, 2, 3, 4, 8] {
            let plan = Plan { barrier: barrier.into(), ..plan(threads) };
            assert_eq!(results_with(text, &plan), [Value::I64(0), Value::I64(12)], "{barrier}, {threads} threads");
        }
    }
}

#[test]
fn reductions_combine_in_the_order_of_the_threads() {
    let text = "param n = 100\narray a: f64[n] = 1.0 / (i + 1)\nshared s: f64 = 0.5\nshared p: f64 = 1.0\nshared low: i64 = 1000\n\
                shared high: i32 = -5\nshared t: f64 = 0.0\n\
                parallel for i in 0..n reduce(+: s, t) reduce(*: p) reduce(min: low) reduce(max: high) {\n\
                s += a[i]\n t += 1.0\n p = p * 1.0\n low = min(low, i - 3)\n high = max(high, i32(i)) }\n\
                result s, low, high, t, p";
    for threads in [1, 3, 8] {
        // What thread t adds up first, then the threads in order.
        let mut expected = 0.5;
        for thread in 0..threads {
            let (base, extra) = (100 / threads, 100 % threads);
            let first = base * thread + thread.min(extra);
            let size = base + u32::from(thread < extra);
            let part = (first..first + size).fold(0.0, |sum, i| sum + 1.0 / f64::from(i + 1));
            expected += part;
        }
        let expected = [Value::F64(expected), Value::I64(-3), Value::I32(99), Value::F64(100.0), Value::F64(1.0)];
        assert_eq!(results(text, threads), expected, "{threads} threads");
        let in_team = text
            .replace("parallel for", "parallel { parallel for")
            .replace("high = max(high, i32(i)) }", "high = max(high, i32(i)) } }");
        assert_eq!(results(&in_team, threads), expected, "{threads} threads, in a team");
    }
}

#[test]
fn semaphores_admit_so_many() {
    let text = "semaphore s = 2\nshared inside: i64 = 0\nshared most: i64 = 0\nshared done: i64 = 0\n\
                parallel { for k in 0..10 { acquire s\n let now = fetch_add(inside, 1) + 1\n let before = fetch_max(most, now)\n\
                busy(5)\n atomic inside -= 1\n release s\n atomic done += 1 } }\nresult i64(most <= 2), inside, done";
    for threads in [1, 2, 4, 8] {
        assert_eq!(results(text, threads), [1, 0, i64::from(threads) * 10].map(Value::I64), "{threads} threads");
    }
}

#[test]
fn a_team_reads_the_variables_around_it() {
    let text = "array a: i64[8]\nlet big = a[1] + 5\nlet x = 2.5\narray f: f64[8]\n\
                for round in 0..3 { let here = round * 10 + big\n parallel 3 { a[thread] = here + thread\n f[thread] = x * 2.0 } }\n\
                result a[0], a[2], a[3], f[2], f[3], threads";
    let expected = [Value::I64(25), Value::I64(27), Value::I64(0), Value::F64(5.0), Value::F64(0.0), Value::I64(4)];
    // The restored array begins each pass as zeros.
    assert_eq!(results(text, 4), expected);
}

#[test]
fn padded_elements_have_lines_of_their_own() {
    let code = code("array a: i64[4] = 7 padded\nmutex m[3]\nresult a[3]", 1);
    let array = |name: &str| code.arrays.iter().find(|array| array.name == name).unwrap();
    assert_eq!((array("a").stride, array("a").base % (2 << 20)), (64, 0));
    assert_eq!(array("m.serving").stride, 16, "locks are packed");
    assert_eq!(array("m.serving").base - array("m.tickets").base, 8, "the fields of one lock lie together");
    assert_eq!(run_code(&code).results, [Value::I64(7)]);
    for array in code.arrays.iter().filter(|array| array.runtime) {
        assert!(code.arena.runtime.contains(&array.base), "{}", array.name);
    }
}

#[test]
fn philosophers_who_all_take_the_left_fork_first_are_stuck() {
    let text = "param n = 3\nmutex fork[n]\nshared started: i64 = 0\n\
                parallel n { lock fork[thread] { atomic started += 1\n await started == n\n lock fork[(thread + 1) % n] { busy(1) } } }\n\
                result started";
    let code = code(text, 3);
    let error = run_functional(&code, 100_000).unwrap_err();
    assert!(matches!(error, FunctionalError::Deadlock(_)));
    insta::assert_snapshot!(
        error.describe(&code),
        @"the program is stuck: thread 0 waits at line 6; thread 1 waits at line 6; thread 2 waits at line 6"
    );
}

/// A schedule that hands out an iteration beyond the loop is caught before the body runs.
#[test]
fn a_broken_schedule_cannot_leave_the_loop() {
    let source = SourceText::new("test.flynn", "array a: i64[10]\nparallel for i in 0..10 { a[i] = 1 }\nresult a[0]");
    let program = compile(&source, &Bindings { threads: 2, ..Bindings::default() }).unwrap();
    let mut texts = texts();
    let broken = "fn next(count: i64, chunk: i64, turn: i64) -> i64 { min(turn, 1) * count }\n\
                  fn size(count: i64, chunk: i64, first: i64) -> i64 { count + 1 }";
    texts.insert("schedule-static".into(), SourceText::new("schedule-static.flynn", broken));
    let code = lower(&program, &plan(2), &texts).unwrap();
    let error = run_functional(&code, 10_000).unwrap_err();
    insta::assert_snapshot!(
        error.describe(&code),
        @"test.flynn:2:1: the schedule deals out iteration 11 of a loop that has 10 (thread 0)"
    );
}

#[test]
fn atomics_of_every_type_and_kind() {
    let text = "shared a: i64 = 10\nshared b: i32 = 5\nshared c: f64 = 1.5\nshared d: i64 = 12\nshared won: i64 = 0\n\
                parallel { atomic a += 2\n atomic b -= 1 relaxed\n atomic c += 0.5\n\
                if compare_exchange(d, 12, 99) == 12 { atomic won += 1 } }\n\
                let old = exchange(a, 3)\nlet m = fetch_min(d, 50)\nlet o = fetch_or(d, 8)\nresult old, b, c, won, m, o, d, atomic a";
    let values = results(text, 4);
    let expected = [
        Value::I64(18),
        Value::I32(1),
        Value::F64(3.5),
        Value::I64(1),
        Value::I64(99),
        Value::I64(50),
        Value::I64(58),
        Value::I64(3),
    ];
    assert_eq!(values, expected);
}
