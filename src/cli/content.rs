//! What kind of text a file holds, by what stands in it.

use std::path::Path;

use super::answer::Failure;
use crate::base::diagnostic::SourceText;
use crate::base::document;
use crate::machine::catalogue::Kind;

/// Keys at the top of a TOML that tell its kind; the first that is there decides.
const KEYS: [(&str, Kind); 16] = [
    ("node", Kind::Machine),
    ("address_space", Kind::Machine),
    ("agent", Kind::Protocol),
    ("networks", Kind::Protocol),
    ("program", Kind::Workload),
    ("arrivals", Kind::Workload),
    ("load", Kind::Workload),
    ("file", Kind::Workload),
    ("machines", Kind::Experiment),
    ("workloads", Kind::Experiment),
    ("expect", Kind::Experiment),
    ("sweep", Kind::Experiment),
    ("question", Kind::Experiment),
    ("core", Kind::Processor),
    ("memory", Kind::Memory),
    ("interconnect", Kind::Link),
];

/// What run-time texts of a user's own may build, as their names begin.
const RUNTIME: [&str; 4] = ["lock", "barrier", "reduce", "schedule"];

/// What a text is meant to be. A wrong one is taken for what its directory says or for a machine, so that its faults can be told.
///
/// # Errors
/// A name that ends in neither `.toml` nor `.flynn`.
pub fn kind_of(source: &SourceText) -> Result<Kind, Failure> {
    let path = Path::new(&*source.name);
    let directory = path.parent().and_then(Path::file_name).unwrap_or_default();
    let extension = path.extension().unwrap_or_default();
    let by_directory = Kind::ALL.into_iter().find(|&kind| directory == super::names::heading(kind));
    match extension.to_str() {
        Some("flynn") if may_be_runtime(&source.name) && defines_runtime(&source.text) => Ok(Kind::Runtime),
        Some("flynn") => Ok(by_directory.filter(|&kind| kind == Kind::Runtime).unwrap_or(Kind::Workload)),
        Some("toml") => Ok(kind_by_keys(source).or(by_directory).unwrap_or(Kind::Machine)),
        _ => Err(Failure::input(format!("{} is no text flynn reads", source.name)).help("they end in .toml or .flynn")),
    }
}

/// Whether a file may be a run-time text of the user's own: these are named by what they build, as in `lock-mine.flynn`.
pub fn may_be_runtime(path: &str) -> bool {
    let name = path.rsplit(['/', std::path::MAIN_SEPARATOR]).next().unwrap_or(path);
    name.ends_with(".flynn") && RUNTIME.iter().any(|what| name.strip_prefix(what).is_some_and(|rest| rest.starts_with('-')))
}

/// Whether a text defines a function that only run-time texts may: the names are words of the notation elsewhere, or unused.
fn defines_runtime(text: &str) -> bool {
    let mut functions = text.lines().filter_map(|line| line.strip_prefix("fn ")?.split('(').next());
    functions.any(|name| ["acquire", "wait", "contribute", "next"].contains(&name.trim()))
}

/// Whether a text is a machine, a workload or an experiment, beyond doubt: by its extension or its keys alone.
pub fn whole_kind_of(source: &SourceText) -> Option<Kind> {
    if source.name.ends_with(".flynn") {
        return Some(Kind::Workload);
    }
    kind_by_keys(source).filter(|kind| [Kind::Machine, Kind::Workload, Kind::Experiment].contains(kind))
}

fn kind_by_keys(source: &SourceText) -> Option<Kind> {
    let root = document::parse(source).ok()?;
    KEYS.iter().find(|(key, _)| root.get(key).is_some()).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::catalogue::Catalogue;

    #[test]
    fn every_shipped_text_is_known_by_its_content() {
        let catalogue = Catalogue::built_in();
        for kind in Kind::ALL {
            for entry in catalogue.entries(kind) {
                let extension = entry.source.name.rsplit_once('.').map_or("", |(_, extension)| extension);
                let moved = SourceText::new(format!("elsewhere/x.{extension}"), entry.source.text.clone());
                if kind != Kind::Runtime {
                    assert_eq!(kind_of(&moved), Ok(kind), "{}", entry.source.name);
                }
                assert_eq!(kind_of(&entry.source), Ok(kind), "{}", entry.source.name);
            }
        }
    }

    #[test]
    fn a_lock_of_ones_own_is_known_by_name_and_content() {
        let lock = Catalogue::built_in().find(Kind::Runtime, "lock-mcs").unwrap().source.text.clone();
        assert_eq!(kind_of(&SourceText::new("lock-mine.flynn", lock.clone())), Ok(Kind::Runtime));
        assert_eq!(kind_of(&SourceText::new("lab/lock-mine.flynn", lock.clone())), Ok(Kind::Runtime));
        assert_eq!(kind_of(&SourceText::new("mine.flynn", lock)), Ok(Kind::Workload));
        assert_eq!(kind_of(&SourceText::new("lock-test.flynn", "mutex m\nlock m { }\n")), Ok(Kind::Workload));
    }

    #[test]
    fn broken_texts_have_the_kind_of_their_directory() {
        assert_eq!(kind_of(&SourceText::new("models/protocols/x.toml", "[broken")), Ok(Kind::Protocol));
        assert_eq!(kind_of(&SourceText::new("x.toml", "[broken")), Ok(Kind::Machine));
        assert!(kind_of(&SourceText::new("x.txt", "")).is_err());
    }
}
