//! The shipped files as they lie on disk: the reference page is the generated one, and nothing in `configs/` and `models/` is left out
//! of the catalogue.

use std::fs;
use std::path::{Path, PathBuf};

use flynn::base::diagnostic::SourceText;
use flynn::experiment::sweep;
use flynn::machine::Machine;
use flynn::machine::catalogue::Catalogue;
use flynn::machine::reference::reference;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `FLYNN_UPDATE=1 cargo test reference` writes the pages anew.
#[test]
fn the_reference_pages_are_the_generated_ones() {
    let pages = [("configs/machines/REFERENCE.md", reference()), ("configs/experiments/REFERENCE.md", sweep::keys::reference())];
    for (name, text) in pages {
        let path = root().join(name);
        if std::env::var_os("FLYNN_UPDATE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let page = fs::read_to_string(&path).unwrap_or_default();
        assert!(page == text, "{name} is out of date: FLYNN_UPDATE=1 cargo test reference");
    }
}

fn texts_below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "toml" || extension == "flynn") {
            found.push(path);
        }
    }
}

#[test]
fn the_catalogue_holds_every_file_as_it_is() {
    let mut files = Vec::new();
    texts_below(&root().join("configs"), &mut files);
    texts_below(&root().join("models"), &mut files);
    let catalogue = Catalogue::built_in();
    for file in &files {
        let name = file.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        let entry = catalogue.texts().find(|text| *text.name == *name);
        let text = fs::read_to_string(file).unwrap();
        assert_eq!(entry.map(|entry| &*entry.text), Some(text.as_str()), "{name}");
    }
    assert_eq!(catalogue.texts().count(), files.len());
}

#[test]
fn the_machine_in_the_readme_is_one() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let machines: Vec<&str> = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!machines.is_empty());
    for text in machines.into_iter().filter(|text| text.contains("[[node]]")) {
        let machine = Machine::resolve(&SourceText::new("README.md", text), &[], &Catalogue::built_in());
        machine.unwrap_or_else(|faults| panic!("{faults:#?}"));
    }
}
