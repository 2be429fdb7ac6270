//! Lists the shipped files of `configs/` and `models/` in Rust sources, so that the binary alone is enough.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// What is shipped: TOML, programs and run-time texts.
const TEXTS: [&str; 2] = ["toml", "flynn"];
/// Memory traces, compressed or not.
const TRACES: [&str; 4] = ["din", "lackey", "gz", "zst"];

fn collect(directory: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the catalogue's directories are readable") {
        let path = entry.expect("the catalogue's directories are readable").path();
        if path.is_dir() {
            collect(&path, extensions, found);
        } else if path.extension().is_some_and(|extension| extensions.iter().any(|known| extension == *known)) {
            found.push(path);
        }
    }
}

fn main() {
    for directory in ["configs", "models"] {
        println!("cargo::rerun-if-changed={directory}");
    }
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rustc-env=FLYNN_CODE={:016x}", code_of_simulations());
    list("shipped.rs", &TEXTS, "include_str!");
    list("traces.rs", &TRACES, "include_bytes!");
}

/// Writes a slice of paths inside the package and contents.
fn list(output: &str, extensions: &[&str], include: &str) {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the package is"));
    let mut files = Vec::new();
    for directory in ["configs", "models"] {
        collect(&root.join(directory), extensions, &mut files);
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        let inside = file.strip_prefix(&root).expect("every file is inside the package");
        // The same name on every system.
        let name = inside.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        writeln!(list, "    ({name:?}, {include}(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{name}\"))),")
            .expect("a string takes any text");
    }
    list.push_str("]\n");
    let directory = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo says where to write"));
    fs::write(directory.join(output), list).expect("cargo's output directory is writable");
}

/// Names the sources that decide what a simulation gives: FNV-1a, 64 bits, over the pure floors and the tables of packages.
fn code_of_simulations() -> u64 {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the package is"));
    let mut files = vec![root.join("Cargo.toml")];
    for floor in ["base", "engine", "program", "coherence", "interconnect", "components", "machine", "experiment"] {
        let directory = root.join("src").join(floor);
        if directory.is_dir() {
            collect(&directory, &["rs"], &mut files);
        }
    }
    files.sort();
    let bytes = files.iter().flat_map(|file| fs::read(file).expect("the sources are readable"));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
