//! Lists the shipped files of `configs/` and `models/` in a Rust source, so that the binary alone is enough.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// What is shipped: TOML, programs and run-time texts.
const EXTENSIONS: [&str; 2] = ["toml", "flynn"];

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the catalogue's directories are readable") {
        let path = entry.expect("the catalogue's directories are readable").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known)) {
            found.push(path);
        }
    }
}

fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the package is"));
    let mut files = Vec::new();
    for directory in ["configs", "models"] {
        println!("cargo::rerun-if-changed={directory}");
        collect(&root.join(directory), &mut files);
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        let inside = file.strip_prefix(&root).expect("every file is inside the package");
        // The same name on every system.
        let name = inside.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        writeln!(list, "    ({name:?}, include_str!({:?})),", file.display().to_string()).expect("a string takes any text");
    }
    list.push_str("]\n");
    let output = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo says where to write"));
    fs::write(output.join("shipped.rs"), list).expect("cargo's output directory is writable");
}
