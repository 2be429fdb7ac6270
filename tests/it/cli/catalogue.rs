//! `list`, `show`, `new`, `schema`, and where names lead.

use std::fs;

use super::Directory;

const MACHINES: [&str; 26] = [
    "cluster-fat-tree-64",
    "cluster-of-multiprocessors",
    "cluster-star-16",
    "coma-mesh-16",
    "ideal",
    "mpp-torus-512",
    "norma-hypercube-16",
    "numa-2-socket",
    "numa-mesh-16",
    "numa-mesh-64",
    "numa-ring-4",
    "split-caches",
    "textbook-numa",
    "textbook-uma",
    "uma-bus-2",
    "uma-bus-4",
    "uma-bus-16",
    "uma-bus-4-exclusive",
    "uma-bus-4-llc",
    "uma-bus-4-tso",
    "uma-crossbar-16",
    "uma-ring-16",
    "uniprocessor",
    "uniprocessor-out-of-order",
    "uniprocessor-prefetch",
    "uniprocessor-tlb",
];

#[test]
fn everything_listed_has_a_sentence_and_can_be_shown_and_checked() {
    let here = Directory::new();
    let document = here.flynn(&["list", "--format", "json"]).ends_with(0).json();
    assert_eq!(document["start_here"].as_array().unwrap().len(), 5);
    let names = |kind: &str| -> Vec<String> {
        document[kind].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("machines"), MACHINES);
    assert!(names("workloads").len() >= 18 && names("processors").len() >= 2 && names("protocols").len() >= 2);
    for (kind, entries) in document.as_object().unwrap().iter().filter(|(kind, _)| *kind != "start_here") {
        for entry in entries.as_array().unwrap() {
            let name = format!("{kind}/{}", entry["name"].as_str().unwrap());
            let summary = entry["summary"].as_str().unwrap();
            assert!(summary.split_whitespace().count() >= 3, "{name}: `{summary}` is no sentence");
            let shown = here.flynn(&["show", &name]).ends_with(0).out;
            assert!(shown.replace("\n# ", " ").contains(summary), "{name}");
        }
    }
}

#[test]
fn the_list_for_people_names_what_the_document_names() {
    let here = Directory::new();
    let all = here.flynn(&["list"]).ends_with(0).out;
    for name in MACHINES.iter().chain(&["triad", "sum-padded", "Start here"]) {
        assert!(all.contains(name), "{name}\n{all}");
    }
    let machines = here.flynn(&["list", "machines"]).ends_with(0).out;
    assert!(machines.contains("uma-bus-4") && !machines.contains("triad"));
    assert!(here.flynn(&["list", "protocols"]).ends_with(0).out.contains("mesi"));
}

#[test]
fn a_copy_is_what_was_shown_and_is_never_overwritten() {
    let here = Directory::new();
    for (name, file) in [("uma-bus-4", "deep/er/mine.toml"), ("triad", "mine.flynn")] {
        let shown = here.flynn(&["show", name]).ends_with(0).out;
        here.flynn(&["new", file, "--from", name]).ends_with(0);
        let copy = fs::read_to_string(here.path().join(file)).unwrap();
        let added: Vec<&str> = copy.lines().filter(|line| !shown.lines().any(|other| other == *line)).collect();
        assert_eq!(added.len(), 1, "{added:?}");
        assert!(added[0].starts_with("# Copied from configs/") && added[0].contains(name), "{added:?}");

        fs::write(here.path().join(file), "mine").unwrap();
        let refused = here.flynn(&["new", file, "--from", name]).ends_with(2);
        assert!(refused.err.contains("is there already"), "{}", refused.err);
        assert_eq!(fs::read_to_string(here.path().join(file)).unwrap(), "mine");
    }
    let refused = here.flynn(&["new", "triad.toml", "--from", "triad"]).ends_with(2);
    assert!(refused.err.contains("triad.flynn"), "{}", refused.err);
}

#[test]
fn a_file_of_ones_own_takes_the_place_of_the_built_in_one() {
    let here = Directory::new();
    here.file("configs/workloads/triad.flynn", "# Not the built-in one at all.\nresult 1\n");
    assert!(here.flynn(&["show", "triad"]).ends_with(0).out.starts_with("# Not the built-in one"));
    let listed = here.flynn(&["list", "workloads"]).ends_with(0).out;
    assert_eq!(listed.matches("\n  triad ").count(), 1);
    assert!(listed.contains("Not the built-in one at all"), "{listed}");
}

#[test]
fn unknown_names_are_met_with_the_nearest_and_with_the_list() {
    let here = Directory::new();
    for (arguments, near) in [
        (&["run", "uma-bus4", "triad"][..], "uma-bus-4"),
        (&["run", "uma-bus-4", "traid"], "triad"),
        (&["show", "uniprocesor"], "uniprocessor"),
        (&["new", "a.toml", "--from", "uma-bus-5"], "uma-bus-"),
        (&["run", "uma-bus-4", "triad.flynn"], "triad"),
    ] {
        let refused = here.flynn(arguments).ends_with(2);
        assert!(refused.err.contains(near) && refused.err.contains("flynn list"), "{arguments:?}: {}", refused.err);
        assert!(refused.out.is_empty());
    }
    assert!(here.names(".").is_empty(), "nothing is written");
}

#[test]
fn a_resolved_machine_is_a_machine_and_set_is_in_it() {
    let here = Directory::new();
    for name in MACHINES {
        let resolved = here.flynn(&["show", name, "--resolved"]).ends_with(0).out;
        here.file("resolved.toml", &resolved);
        here.flynn(&["check", "resolved.toml"]).ends_with(0);
        let again = here.flynn(&["show", "./resolved.toml", "--resolved"]).ends_with(0).out;
        // Comments say where a value is from: by now all are from the file.
        let keys = |text: &str| -> Vec<String> {
            text.lines().map(|line| line.split('#').next().unwrap().trim_end().to_owned()).collect()
        };
        assert_eq!(keys(&again), keys(&resolved), "resolving twice changes nothing");
    }
    let set = here.flynn(&["show", "uma-bus-4", "--resolved", "--set", "node.cores=3"]).ends_with(0).out;
    assert!(set.contains("cores = 3"), "{set}");
}

#[test]
fn schemas_are_json_schemas() {
    let here = Directory::new();
    for kind in ["machine", "workload", "processor", "memory", "link", "protocol", "record"] {
        let schema = here.flynn(&["schema", kind]).ends_with(0).json();
        assert!(schema["$schema"].as_str().unwrap().contains("json-schema.org"), "{kind}");
        assert!(schema["properties"].is_object() || schema["oneOf"].is_array(), "{kind}");
    }
}
