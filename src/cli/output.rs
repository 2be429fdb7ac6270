//! Directories of finished runs: `output/MACHINE-WORKLOAD[-N]/`, and `output/latest` that names the newest.
//!
//! A run's files are first written to a directory beside the final one, whose name begins with `.writing-`, and then renamed: a
//! run's directory is there whole or not at all. Renaming fails where a directory with files already has the name, so two
//! processes that finish at the same time get two numbers, and nothing is ever overwritten. What an interrupted process left
//! behind is removed by a later one, an hour after.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::answer::Failure;
use super::console::Console;

/// A file to be written: its path inside the run's directory, with `/`, and its bytes.
pub struct OutputFile {
    pub path: String,
    pub bytes: Vec<u8>,
}

impl OutputFile {
    /// A file and its content.
    pub fn new(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> OutputFile {
        OutputFile { path: path.into(), bytes: bytes.into() }
    }
}

/// What unfinished directories are called.
const UNFINISHED: &str = ".writing-";
/// Unfinished directories older than this belong to nobody.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// Writes a finished run and makes `latest` name it. Returns the directory's path.
pub fn write_run(root: &Path, name: &str, files: &[OutputFile], console: &Console) -> Result<String, Failure> {
    let directory = write_directory(root, &file_name(name), files).map_err(|error| Failure::file("write to", root, &error))?;
    if let Err(error) = set_latest(root, &directory) {
        console.warn(&format!("{} does not name this run: {error}", root.join("latest").display()));
    }
    Ok(directory.display().to_string())
}

/// The name as every file system takes it.
pub fn file_name(name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).take(100).collect();
    name.trim_start_matches('.').to_owned()
}

/// Writes the files to a new directory under `root` called `name`, or `name-2`, `name-3`, ... and returns its path.
pub fn write_directory(root: &Path, name: &str, files: &[OutputFile]) -> io::Result<PathBuf> {
    fs::create_dir_all(root)?;
    remove_abandoned(root);
    let unfinished = Unfinished::create(root)?;
    for file in files {
        let path = unfinished.path.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, &file.bytes)?;
    }
    unfinished.finish(root, name)
}

/// Makes `root/latest` name `directory`: a symbolic link where the system has them, else a text file with the name. A `latest`
/// that is a directory of the user's own is left alone.
pub fn set_latest(root: &Path, directory: &Path) -> io::Result<()> {
    let Some(name) = directory.file_name() else { return Ok(()) };
    let latest = root.join("latest");
    if fs::symlink_metadata(&latest).is_ok_and(|metadata| metadata.is_dir()) {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "it is a directory"));
    }
    let unfinished = root.join(format!("{UNFINISHED}latest-{}", std::process::id()));
    let _ = fs::remove_file(&unfinished);
    if link(Path::new(name), &unfinished).is_err() {
        fs::write(&unfinished, format!("{}\n", name.to_string_lossy()))?;
    }
    fs::rename(&unfinished, &latest).inspect_err(|_| {
        let _ = fs::remove_file(&unfinished);
    })
}

#[cfg(unix)]
fn link(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::Error::from(ErrorKind::Unsupported))
}

/// A directory that is being written; removed unless it is finished.
struct Unfinished {
    path: PathBuf,
    /// It has been given its name. What is then at `path` is another writer's, who found the name free, and not to be removed.
    finished: bool,
}

impl Unfinished {
    fn create(root: &Path) -> io::Result<Unfinished> {
        for attempt in 0..1000 {
            let path = root.join(format!("{UNFINISHED}{}-{attempt}", std::process::id()));
            match fs::create_dir(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
                Ok(()) => return Ok(Unfinished { path, finished: false }),
            }
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, "too many unfinished runs"))
    }

    fn finish(mut self, root: &Path, name: &str) -> io::Result<PathBuf> {
        for number in 1u32.. {
            let target = if number == 1 { root.join(name) } else { root.join(format!("{name}-{number}")) };
            if fs::symlink_metadata(&target).is_ok() {
                continue;
            }
            match fs::rename(&self.path, &target) {
                Ok(()) => {
                    self.finished = true;
                    return Ok(target);
                }
                // Another process was quicker: on to the next number.
                Err(_) if fs::symlink_metadata(&target).is_ok() => continue,
                Err(error) => return Err(error),
            }
        }
        unreachable!("four thousand million runs of one name")
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn remove_abandoned(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let abandoned = entry.file_name().to_string_lossy().starts_with(UNFINISHED)
            && entry.metadata().and_then(|metadata| metadata.modified()).is_ok_and(is_long_ago);
        if abandoned {
            let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
        }
    }
}

fn is_long_ago(modified: SystemTime) -> bool {
    SystemTime::now().duration_since(modified).is_ok_and(|age| age > ABANDONED_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("flynn-output-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn names(root: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn runs_are_numbered_and_never_overwritten() {
        let root = temporary("numbered");
        for text in ["one", "two", "three"] {
            let path = write_directory(&root, "m-w", &[OutputFile::new("figures/a.svg", text)]).unwrap();
            set_latest(&root, &path).unwrap();
            assert_eq!(fs::read_to_string(path.join("figures/a.svg")).unwrap(), text);
        }
        assert_eq!(names(&root), ["latest", "m-w", "m-w-2", "m-w-3"]);
        assert_eq!(fs::read_to_string(root.join("m-w/figures/a.svg")).unwrap(), "one");
        #[cfg(unix)]
        assert_eq!(fs::read_to_string(root.join("latest/figures/a.svg")).unwrap(), "three");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn racing_writers_each_get_a_whole_directory() {
        let root = temporary("racing");
        // Often enough that one of them begins under the temporary name that another has just given up.
        const EACH: usize = 40;
        let paths: Vec<Vec<PathBuf>> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|i| {
                    let root = &root;
                    let write = move || write_directory(root, "m-w", &[OutputFile::new("f", vec![i; 1000])]).unwrap();
                    scope.spawn(move || (0..EACH).map(|_| write()).collect())
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        for (i, paths) in paths.iter().enumerate() {
            for path in paths {
                assert_eq!(fs::read(path.join("f")).unwrap(), vec![i as u8; 1000]);
            }
        }
        assert_eq!(names(&root).len(), 8 * EACH);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let root = temporary("failed");
        let files = [OutputFile::new("a", "text"), OutputFile::new("a/b", "cannot be: a is a file")];
        assert!(write_directory(&root, "m-w", &files).is_err());
        assert!(names(&root).is_empty());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_directory_called_latest_is_left_alone() {
        let root = temporary("latest");
        fs::create_dir_all(root.join("latest")).unwrap();
        let path = write_directory(&root, "m-w", &[OutputFile::new("a", "text")]).unwrap();
        assert!(set_latest(&root, &path).is_err());
        assert_eq!(names(&root), ["latest", "m-w"]);
        fs::remove_dir_all(root).unwrap();
    }
}
