//! What shipped programs are told about their time: readable differences where a reason or a model changes.

use flynn::machine::catalogue::Catalogue;

use crate::shipped::{SMALL, machine, request, run, workload};

/// The headlines of all shipped programs, at the size they are shipped with.
fn headlines(machine_name: &str) -> String {
    let catalogue = Catalogue::built_in();
    let machine = machine(&catalogue, machine_name, &[]);
    let mut text = String::new();
    for (name, _) in SMALL {
        let workload = workload(&catalogue, name);
        let record = run(&request(&machine, &workload, &[]), &catalogue);
        text += &format!("{name}\n    {}\n", record.why[0].sentence);
    }
    text
}

#[test]
fn headlines_of_all_programs_on_four_cores() {
    insta::assert_snapshot!(headlines("uma-bus-4"));
}

#[test]
fn one_core_waits_for_nobody() {
    let catalogue = Catalogue::built_in();
    let machines = [("uniprocessor", None), ("uma-bus-4", Some(1)), ("ideal", Some(1))];
    for (machine_name, threads) in machines {
        let machine = machine(&catalogue, machine_name, &[]);
        for (name, small) in SMALL {
            let (workload, parameters) = (workload(&catalogue, name), crate::shipped::parameters(small));
            let plain = request(&machine, &workload, &parameters);
            let record = run(&flynn::experiment::run::RunRequest { threads, ..plain }, &catalogue);
            for reason in &record.why {
                for others in ["other core", "other thread", "idle", "the cores", "parallel parts"] {
                    assert!(!reason.sentence.contains(others), "{name} on {machine_name}: {}", reason.sentence);
                }
            }
        }
    }
}
