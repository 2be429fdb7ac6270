//! What an access costs, to the picosecond, against a computation of its own.

use super::assembly::{Op, prepare, run};
use super::*;

#[test]
fn smoke() {
    let report = run(&node(1), &[vec![Op::Load(0), Op::Load(1), Op::Store(2)]]).unwrap();
    eprintln!("{:?}", report.time);
    for (name, value) in &report.metrics {
        if *value != 0 {
            eprintln!("{name} {value}");
        }
    }
    let report =
        run(&node(2), &[vec![Op::Load(0), Op::Add(1), Op::Busy(100), Op::Put(8, 1)], vec![Op::AwaitAtLeast(8, 1), Op::Add(1)]])
            .unwrap();
    for (name, value) in &report.metrics {
        if *value != 0 {
            eprintln!("{name} {value}");
        }
    }
    let _ = prepare;
}
