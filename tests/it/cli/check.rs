//! `check`: right, wrong, and said in both formats.

use super::Directory;

const MACHINE_WITH_A_SLIP: &str = "name = \"slip\"\n\n[[node]]\nname = \"n\"\ncoers = 4\n";

#[test]
fn every_shipped_text_is_right() {
    let here = Directory::new();
    let document = here.flynn(&["list", "--format", "json"]).ends_with(0).json();
    for kind in ["machines", "workloads", "protocols"] {
        for entry in document[kind].as_array().unwrap() {
            let name = entry["name"].as_str().unwrap();
            let extension = if entry["file"].as_str().unwrap().ends_with(".flynn") { "flynn" } else { "toml" };
            let file = format!("{kind}/{name}.{extension}");
            here.flynn(&["new", &file, "--from", &format!("{kind}/{name}")]).ends_with(0);
            let checked = here.flynn(&["check", &file, "--format", "json"]).ends_with(0).json();
            assert_eq!(checked["ok"], true, "{file}");
        }
    }
}

#[test]
fn a_wrong_text_ends_with_one_and_says_where() {
    let here = Directory::new();
    here.file("slip.toml", MACHINE_WITH_A_SLIP);
    let text = here.flynn(&["check", "slip.toml"]).ends_with(1);
    assert!(text.err.contains("slip.toml:5:1") && text.err.contains("`cores`"), "{}", text.err);
    let document = here.flynn(&["check", "slip.toml", "--format", "json"]).ends_with(1).json();
    assert_eq!(document["ok"], false);
    let faults = document["diagnostics"].as_array().unwrap();
    let slip = faults.iter().find(|fault| fault["line"] == 5).unwrap_or_else(|| panic!("{faults:?}"));
    assert_eq!((slip["file"].as_str(), slip["column"].as_u64()), (Some("slip.toml"), Some(1)));
    assert!(slip["message"].as_str().unwrap().contains("coers") && slip["help"].as_str().unwrap().contains("cores"), "{slip}");
}

#[test]
fn all_files_are_checked_and_one_wrong_one_decides() {
    let here = Directory::new();
    here.file("slip.toml", MACHINE_WITH_A_SLIP).file("right.flynn", "# Right.\nresult 1 + 1\n").file("wrong.flynn", "let = 3\n");
    let checked = here.flynn(&["check", "slip.toml", "right.flynn", "wrong.flynn"]).ends_with(1);
    assert!(checked.err.contains("slip.toml:5") && checked.err.contains("wrong.flynn:1"), "{}", checked.err);
    assert!(checked.out.contains("right.flynn"), "{}", checked.out);
    here.flynn(&["check", "missing.toml"]).ends_with(2);
}

#[test]
fn files_that_are_no_texts_are_refused() {
    let here = Directory::new();
    std::fs::write(here.path().join("binary.toml"), [0xff, 0xfe, 0, 1]).unwrap();
    assert!(here.flynn(&["check", "binary.toml"]).ends_with(2).err.contains("UTF-8"));
    assert!(here.flynn(&["check", "."]).ends_with(2).err.contains("directory"));
    here.file("empty.toml", "").file("empty.flynn", "").file("what.txt", "hello");
    here.flynn(&["check", "empty.toml"]).ends_with(1);
    here.flynn(&["check", "what.txt"]).ends_with(2);
}

#[test]
fn a_machine_says_what_it_is() {
    let here = Directory::new();
    here.flynn(&["new", "m.toml", "--from", "uma-bus-4"]).ends_with(0);
    let checked = here.flynn(&["check", "m.toml", "--format", "json"]).ends_with(0).json();
    assert_eq!((checked["organisation"].as_str(), checked["flynn_class"].as_str()), (Some("uma"), Some("MIMD")));
}

#[test]
fn code_is_listed() {
    let here = Directory::new();
    here.flynn(&["new", "t.flynn", "--from", "triad"]).ends_with(0);
    let listing = here.flynn(&["check", "t.flynn", "--code", "--threads", "2", "--param", "n=100"]).ends_with(0).out;
    assert!(listing.contains("load") && listing.contains("store"), "{listing}");
    let refused = here.flynn(&["check", "t.flynn", "--code", "--param", "m=100"]).ends_with(1);
    assert!(refused.err.contains('m'), "{}", refused.err);
}

/// MESI with the row of a state and an event replaced.
fn broken_mesi(here: &Directory, state: &str, row: (&str, &str)) {
    here.flynn(&["new", "mesi.toml", "--from", "protocols/mesi"]).ends_with(0);
    let text = std::fs::read_to_string(here.path().join("mesi.toml")).unwrap();
    let (before, rows) = text.split_once(&format!("[agent.rows.{state}]\n")).unwrap();
    assert!(rows.contains(row.0), "{rows}");
    here.file("broken.toml", &format!("{before}[agent.rows.{state}]\n{}", rows.replacen(row.0, row.1, 1)));
}

#[test]
fn a_shipped_protocol_is_explored() {
    let here = Directory::new();
    let document = here.flynn(&["check", "mesi", "--format", "json"]).ends_with(0).json();
    assert_eq!((&document["ok"], &document["states_explored"]), (&true.into(), &7_963.into()), "{document}");
    assert!(document.get("counterexample").is_none() && document["rows_never_taken"].as_array().unwrap().is_empty());
    let text = here.flynn(&["check", "mesi", "--agents", "2"]).ends_with(0).out;
    assert!(text.contains("no fault in all 746 states of 2 agents and 1 line"), "{text}");
    let text = here.flynn(&["check", "mesi", "--lines", "2", "--states", "500"]).ends_with(0).out;
    assert!(text.contains("the first 501 states of 2 agents and 2 lines"), "{text}");
    here.flynn(&["check", "mesi", "--agents", "0"]).ends_with(2);
    here.flynn(&["check", "mesi", "--lines", "3"]).ends_with(2);
}

#[test]
fn a_broken_protocol_is_refuted_with_a_chart() {
    let here = Directory::new();
    broken_mesi(&here, "S", ("bus_upgr = { next = \"I\" }", "bus_upgr = { next = \"S\" }"));
    let text = here.flynn(&["check", "broken.toml"]).ends_with(1);
    assert!(text.out.contains("agent 0") && text.out.contains("SM_A -> M"), "{}", text.out);
    assert!(
        text.err.contains("broken.toml:58:1") && text.err.contains("may write the line while agent 1 may read it"),
        "{}",
        text.err
    );
    let document = here.flynn(&["check", "broken.toml", "--format", "json"]).ends_with(1).json();
    assert_eq!(document["ok"], false);
    let counterexample = &document["counterexample"];
    let steps = counterexample["steps"].as_array().unwrap();
    assert_eq!((counterexample["agents"].as_u64(), steps.len()), (Some(2), 18));
    assert_eq!(counterexample["row"], serde_json::json!({"table": "agent", "state": "S", "event": "bus_upgr", "line": 58}));
    here.flynn(&["check", "broken.toml", "--output", "."]).ends_with(1);
    let chart = std::fs::read_to_string(here.path().join("broken-counterexample/counterexample.svg")).unwrap();
    assert!(chart.contains("SM_A → M") && chart.contains("may write the line"), "{chart}");
    let last = &steps[17]["changes"][0];
    assert_eq!(last, &serde_json::json!({"at": "agent 0", "line": 0, "before": "SM_A", "after": "M"}));
}

#[test]
fn a_row_that_nothing_takes_is_named() {
    let here = Directory::new();
    broken_mesi(&here, "M", ("impossible = [\"own_bus_rd\", ", "own_bus_rd = { next = \"M\" }\nimpossible = ["));
    let text = here.flynn(&["check", "broken.toml"]).ends_with(0).out;
    assert!(text.contains("a row that nothing takes") && text.contains("own_bus_rd in M (line 75)"), "{text}");
}

#[test]
fn a_machine_runs_with_a_refuted_protocol_until_its_own_checks_stop_it() {
    let here = Directory::new();
    broken_mesi(
        &here,
        "M",
        ("bus_rd = { next = \"S\", do = [\"shared\", \"flush\"] }", "bus_rd = { next = \"S\", do = [\"shared\"] }"),
    );
    here.flynn(&["check", "broken.toml"]).ends_with(1);
    here.flynn(&["new", "m.toml", "--from", "uma-bus-2"]).ends_with(0);
    here.flynn(&["check", "m.toml", "--set", "address_space.protocol=broken.toml"]).ends_with(0);
    let run = here.flynn(&["run", "m.toml", "producer-consumer", "--set", "address_space.protocol=broken.toml"]).ends_with(1);
    assert!(run.err.contains("version"), "{}", run.err);
}

#[test]
fn a_litmus_test_tells_all_its_outcomes() {
    let here = Directory::new();
    let text = here.flynn(&["check", "litmus-sb", "--outcomes"]).ends_with(0);
    assert!(text.out.contains("only tso allows r[0] = 0, r[1] = 0"), "{}", text.out);
    let document = here.flynn(&["check", "litmus-sb", "--outcomes", "--format", "json"]).ends_with(0).json();
    assert_eq!(document["models"]["sc"]["outcomes"], serde_json::json!([[0, 1], [1, 0], [1, 1]]));
    assert_eq!(document["models"]["tso"]["outcomes"], serde_json::json!([[0, 0], [0, 1], [1, 0], [1, 1]]));
    let one = here.flynn(&["check", "litmus-sb-fence", "--outcomes", "--consistency", "tso", "--protocol", "dragon"]).ends_with(0);
    assert!(one.out.contains("on Dragon") && !one.out.contains("sc:"), "{}", one.out);
    here.flynn(&["check", "litmus-sb", "--outcomes", "--states", "10"]).ends_with(1);
    here.flynn(&["check", "triad", "--outcomes"]).ends_with(1);
    here.flynn(&["check", "litmus-sb", "--outcomes", "--consistency", "rc"]).ends_with(2);
    here.flynn(&["check", "mesi", "--outcomes"]).ends_with(2);
}

/// What processors promise, they keep.
#[test]
fn this_computer_stays_inside_its_model() {
    let here = Directory::new();
    for name in ["litmus-sb", "litmus-mp"] {
        let checked = here.flynn(&["check", name, "--outcomes", "--host", "2000", "--format", "json"]).ends_with(0).json();
        let outcomes = checked["host"]["outcomes"].as_array().unwrap();
        let runs: u64 = outcomes.iter().map(|outcome| outcome["runs"].as_u64().unwrap()).sum();
        assert_eq!(runs, 2000, "{name}");
        if cfg!(target_arch = "x86_64") {
            assert_eq!(checked["host"]["inside"], true, "{name}");
        }
    }
}
