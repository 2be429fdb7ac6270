//! The floors of the house (src/README.md): each uses only those above it, and the pure ones meet the system nowhere.

use std::fs;
use std::path::{Path, PathBuf};

/// From the top down.
const FLOORS: [&str; 11] =
    ["base", "engine", "program", "coherence", "interconnect", "components", "machine", "experiment", "host", "report", "cli"];
/// The last pure floor.
const LAST_PURE: &str = "experiment";

fn position(floor: &str) -> Option<usize> {
    FLOORS.iter().position(|&name| name == floor)
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// A source without its comments and test modules (which stand last in a file).
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The floors a source names as `crate::floor` or inside `crate::{...}`.
fn floors_used(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    name.push(c);
                }
            }
            used.extend(name.split(',').map(|part| part.trim().split("::").next().unwrap_or_default().to_string()));
        } else {
            used.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    used
}

fn upward_arrows(floor: &str, code: &str) -> Vec<String> {
    let own = position(floor).unwrap();
    floors_used(code).into_iter().filter(|used| position(used).is_some_and(|other| other > own)).collect()
}

fn every_source() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    for floor in FLOORS {
        let directory = root.join(floor);
        if directory.is_dir() {
            let mut files = Vec::new();
            sources(&directory, &mut files);
            all.extend(files.into_iter().map(|file| {
                let text = fs::read_to_string(&file).unwrap();
                (floor.to_string(), file, code_of(&text))
            }));
        }
    }
    assert!(all.len() > 20, "the test must find the sources");
    all
}

#[test]
fn no_floor_uses_one_below_it() {
    let arrows: Vec<String> = every_source()
        .iter()
        .flat_map(|(floor, file, code)| {
            upward_arrows(floor, code).into_iter().map(move |used| format!("{}: {floor} uses {used}", file.display()))
        })
        .collect();
    assert!(arrows.is_empty(), "{}", arrows.join("\n"));
}

#[test]
fn pure_floors_meet_the_system_nowhere() {
    let banned = [
        "std::fs",
        "std::env",
        "std::thread",
        "std::process",
        "std::net",
        "std::io",
        "Instant::now",
        "SystemTime",
        "HashMap<",
        "unsafe ",
        ".sin()",
        ".cos()",
        ".exp()",
        ".ln()",
        ".powf(",
    ];
    let mut found = Vec::new();
    for (floor, file, code) in every_source() {
        if position(&floor) > position(LAST_PURE) {
            continue;
        }
        for word in banned {
            if code.replace("FxHashMap<", "").contains(word) {
                found.push(format!("{}: {word}", file.display()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_test_sees_arrows() {
    assert_eq!(upward_arrows("base", "use crate::engine::Engine;"), ["engine"]);
    assert_eq!(upward_arrows("program", "use crate::{base::time::{Time, Clock}, machine::{self, wire}};"), ["machine"]);
    assert!(upward_arrows("machine", "use crate::base::time::Time;").is_empty());
    assert!(code_of("let a = 1; // crate::cli\n").contains("let a"));
    assert!(!code_of("let a = 1; // crate::cli\n").contains("cli"));
}
