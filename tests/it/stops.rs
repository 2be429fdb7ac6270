//! Programs that do not come to their end say why, and name the line.

use flynn::base::diagnostic::SourceText;
use flynn::experiment::run::{RunError, RunRequest, Stop, simulate};
use flynn::experiment::workload::{NothingBeside, Workload};
use flynn::machine::catalogue::Catalogue;

use crate::shipped::{machine, request};

/// How a program ends on a machine, where it must not end well.
fn stop(machine_name: &str, set: &[(&str, &str)], text: &str) -> Stop {
    let catalogue = Catalogue::built_in();
    let machine = machine(&catalogue, machine_name, set);
    let workload = Workload::read("program", &SourceText::new("program.flynn", text), &NothingBeside).unwrap();
    let request = RunRequest { operation_limit: 200_000, ..request(&machine, &workload, &[]) };
    match simulate(&request, &catalogue, &mut |_| {}) {
        Err(RunError::Stopped(stop)) => stop,
        Err(RunError::Input(faults)) => panic!("{}", faults[0]),
        Err(RunError::Trace(what)) => panic!("{what}"),
        Ok(record) => panic!("it came to its end with {:?}", record.result),
    }
}

const PHILOSOPHERS: &str = "\
param n = 4
mutex fork[n]
array eaten: i64[n] = 0 padded
parallel n {
    for meal in 0..3 {
        lock fork[thread] {
            busy(1000)
            lock fork[(thread + 1) % n] { eaten[thread] += 1 }
        }
    }
}
result sum(eaten)
";

#[test]
fn a_deadlock_names_who_waits_at_which_line_for_what() {
    for machine in ["uma-bus-4", "ideal"] {
        let stop = stop(machine, &[("runtime.threads", "4")], PHILOSOPHERS);
        assert_eq!(stop.kind, "deadlock", "{stop:?}");
        for core in 0..4 {
            assert!(stop.message.contains(&format!("core {core}")), "{}", stop.message);
        }
        assert!(stop.message.contains("line 8") && stop.message.contains("fork"), "{}", stop.message);
    }
}

#[test]
fn a_loop_that_never_ends_is_cut_at_its_line() {
    let stop = stop("uniprocessor", &[], "let x = 1\nwhile x > 0 {\n    x = 3 - x\n}\n");
    assert_eq!(stop.kind, "limit");
    assert!(stop.message.contains("line 2") || stop.message.contains("line 3"), "{}", stop.message);
    assert!(!stop.places.is_empty());
}

#[test]
fn a_lock_spun_on_for_ever_is_cut_too() {
    let stop = stop("uma-bus-4", &[("runtime.lock", "test-and-set")], PHILOSOPHERS);
    assert!(["limit", "deadlock"].contains(&stop.kind), "{stop:?}");
    assert!(stop.message.contains("line 8"), "{}", stop.message);
}

#[test]
fn an_index_out_of_range_names_line_index_and_length() {
    let text = "array a: f64[10]\narray at: i64[4] = i * 4\nparallel for i in 0..4 {\n    a[at[i]] = 1.0\n}\n";
    for machine in ["uniprocessor", "uma-bus-2"] {
        let stop = stop(machine, &[], text);
        assert_eq!(stop.kind, "fault");
        assert!(
            stop.message.contains(":4:") && stop.message.contains("index 12") && stop.message.contains("0 to 9"),
            "{}",
            stop.message
        );
    }
}

#[test]
fn a_division_by_zero_names_its_line() {
    let stop = stop("uniprocessor", &[], "array d: i64[3] = i - 1\nlet s = 0\nfor i in 0..3 {\n    s += 10 / d[i]\n}\n");
    assert_eq!(stop.kind, "fault");
    assert!(stop.message.contains(":4:") && stop.message.contains("zero"), "{}", stop.message);
}
