//! `flynn new FILE --from NAME`

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::answer::{Answer, Failure, Outcome};
use crate::cli::console::Console;
use crate::cli::content::may_be_runtime;
use crate::cli::names::{Library, stem};
use crate::machine::catalogue::{Entry, Kind};

/// Copy a machine, a workload, an experiment or any other text into a file of your own, to edit
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn new my-machine.toml --from uma-bus-4
  flynn run my-machine.toml triad
  flynn new my-sum.flynn --from sum-atomic
  flynn new configs/machines/mine.toml --from uma-bus-2     then `flynn run mine triad`

A file that is there already is never overwritten.")]
pub struct Arguments {
    /// The file to make; directories on the way are made too
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// What to copy: a name of `flynn list`, or a path
    #[arg(long, value_name = "NAME")]
    from: String,
}

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    let entry = Library::new().find_any(&arguments.from)?;
    let file = &arguments.file;
    check_extension(file, &entry)?;
    write_new(file, &with_origin(&entry))?;
    console.talk(&format!("wrote {}; {}", file.display(), next(file, &entry)));
    Ok(Answer::Yes)
}

/// A text keeps its extension: it tells programs from TOML.
fn check_extension(file: &Path, entry: &Entry) -> Result<(), Failure> {
    let right = Path::new(&*entry.source.name).extension().unwrap_or_default();
    if file.extension() == Some(right) {
        return Ok(());
    }
    let right = right.to_string_lossy();
    let advice = format!("flynn new {} --from {}", file.with_extension(&*right).display(), entry.name);
    Err(Failure::input(format!("`{}` is a .{right} text, so its copy is one too", entry.name)).help(advice))
}

fn write_new(file: &Path, text: &str) -> Result<(), Failure> {
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).map_err(|error| Failure::file("make", parent, &error))?;
    }
    let mut new = OpenOptions::new().write(true).create_new(true).open(file).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::input(format!("{} is there already, and flynn overwrites nothing", file.display())).help("choose another name")
        }
        _ => Failure::file("make", file, &error),
    })?;
    new.write_all(text.as_bytes()).map_err(|error| {
        let _ = fs::remove_file(file);
        Failure::file("write", file, &error)
    })
}

/// The text with a line that says where it comes from, after the comment at its top (whose first sentence is its summary).
fn with_origin(entry: &Entry) -> String {
    let origin = format!("# Copied from {} of flynn {}.\n", entry.source.name, env!("CARGO_PKG_VERSION"));
    let text = &entry.source.text;
    let top: usize = text.split_inclusive('\n').take_while(|line| line.starts_with('#')).map(str::len).sum();
    let newline = if top > 0 && !text[..top].ends_with('\n') { "\n" } else { "" };
    format!("{}{newline}{origin}{}", &text[..top], &text[top..])
}

fn next(file: &Path, entry: &Entry) -> String {
    let shown = file.display();
    match entry.kind {
        Kind::Machine => format!("next: flynn run {shown} triad"),
        Kind::Workload => format!("next: flynn run uma-bus-4 {shown}"),
        Kind::Experiment => format!("next: flynn experiment {shown}"),
        Kind::Runtime => match runtime_name(file) {
            Some((what, name)) => {
                format!("next: flynn run uma-bus-4 sum-lock --set runtime.{what}={name}, here or beside the machine")
            }
            None => {
                "its name says what it builds: call it lock-NAME.flynn, barrier-NAME.flynn, ... and --set runtime.lock=NAME, ... \
                     finds it"
                    .to_owned()
            }
        },
        _ => format!("next: flynn check {shown}"),
    }
}

/// What a run-time text builds and what it is called in `[runtime]`: `lock-mine.flynn` is the lock `mine`.
fn runtime_name(file: &Path) -> Option<(String, String)> {
    let name = stem(&file.to_string_lossy());
    let (what, name) = name.split_once('-')?;
    may_be_runtime(&file.to_string_lossy()).then(|| (what.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::SourceText;

    #[test]
    fn a_copy_keeps_its_summary_and_says_where_it_comes_from() {
        let source = SourceText::new("configs/machines/m.toml", "# One core.\n# More.\nname = \"m\"\n");
        let entry = Entry { kind: Kind::Machine, name: "m".into(), source };
        let copy = with_origin(&entry);
        let version = env!("CARGO_PKG_VERSION");
        let origin = format!("# Copied from configs/machines/m.toml of flynn {version}.");
        assert_eq!(copy, format!("# One core.\n# More.\n{origin}\nname = \"m\"\n"));
        let copied = Entry { source: SourceText::new("c.toml", copy), ..entry.clone() };
        assert_eq!(copied.summary(), entry.summary());
    }
}
