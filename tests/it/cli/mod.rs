//! The `flynn` command as its users meet it: exit codes, streams, files.

mod catalogue;
mod check;
mod compare;
mod experiment;
mod explain;
mod run;
mod streams;
mod topology;
mod trace;
mod validate;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of a test's own, removed with it.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Directory {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("flynn-it-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file.
    pub fn file(&self, name: &str, text: &(impl AsRef<[u8]> + ?Sized)) -> &Directory {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// The names in a directory below, sorted.
    pub fn names(&self, directory: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.0.join(directory)) else { return Vec::new() };
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A `flynn` command that would run here.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flynn"));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null()).env_remove("NO_COLOR");
        command
    }

    /// Runs `flynn` here.
    pub fn flynn(&self, arguments: &[&str]) -> Finished {
        Finished::new(arguments, self.command(arguments).output().unwrap())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a command left.
pub struct Finished {
    arguments: String,
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Finished {
    pub fn new(arguments: &[&str], output: Output) -> Finished {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Finished { arguments: arguments.join(" "), code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Fails the test unless it ended with this code.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Finished {
        assert_eq!(self.code, Some(code), "flynn {}\n--- out\n{}\n--- err\n{}", self.arguments, self.out, self.err);
        self
    }

    /// Standard output as the one JSON document it must be.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("flynn {}: {error}\n{}", self.arguments, self.out))
    }
}
