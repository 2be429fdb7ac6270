//! Records of finished runs as the command line names them: `output/uma-bus-4-triad`, or the `record.json` in it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::answer::Failure;
use crate::experiment::record::{Record, SCHEMA};

/// The longest record that is read, in bytes.
const MAXIMUM_BYTES: u64 = 256 << 20;

/// Whether a user means a finished run by this.
pub fn is_finished(name: &str) -> bool {
    name.ends_with(".json") || Path::new(name).is_dir()
}

/// What to call it: the run's directory, or the file where that is called otherwise.
pub fn name(path: &str) -> String {
    let path = Path::new(path);
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let is_usual = path.file_name().is_some_and(|name| name == "record.json");
    let named = if is_usual { path.parent().unwrap_or(&path) } else { &path };
    let name = named.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.strip_suffix(".json").map_or(name.clone(), str::to_owned)
}

/// Reads a record.
///
/// # Errors
/// A file that is no record, or one of another Flynn's.
pub fn read(path: &str) -> Result<Record, Failure> {
    let is_directory = Path::new(path).is_dir();
    let file: PathBuf = if is_directory { Path::new(path).join("record.json") } else { path.into() };
    let fault = |error: std::io::Error| {
        let failure = Failure::file("read", &file, &error);
        if is_directory { failure.help("a finished run has a record.json in its directory") } else { failure }
    };
    let mut text = String::new();
    File::open(&file).and_then(|opened| opened.take(MAXIMUM_BYTES).read_to_string(&mut text)).map_err(fault)?;
    let no_record =
        |why: String| Failure::input(format!("{} is no record: {why}", file.display())).help("`flynn run` writes record.json");
    let mut document: serde_json::Value = serde_json::from_str(&text).map_err(|error| no_record(error.to_string()))?;
    // What `flynn run --format json` printed has the record inside.
    if let Some(inner) = document.get_mut("record") {
        document = inner.take();
    }
    match document.get("schema").and_then(serde_json::Value::as_u64) {
        Some(schema) if schema != u64::from(SCHEMA) => {
            Err(Failure::input(format!("{} is of schema {schema}; this flynn reads schema {SCHEMA}", file.display())))
        }
        _ => serde_json::from_value(document).map_err(|error| no_record(error.to_string())),
    }
}
