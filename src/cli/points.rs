//! Finished points of an experiment, kept in its directory: `points/KEY.json`, each whole or not there at all.
//!
//! A point is first written to a file of another name and then renamed, so that an interruption at any instant leaves whole points only.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::experiment::sweep::{Outcome, PointKey, Store};

/// What files that are being written begin with.
const UNFINISHED: &str = ".writing-";

/// The file that a process holds locked while it uses the points of a directory.
const LOCK: &str = ".lock";

/// The points in a directory.
pub struct Points {
    directory: PathBuf,
    /// Held until the process ends, however it does.
    _lock: File,
}

impl Points {
    /// Those of the experiment in `directory`, which is made where it is not there. Two processes would each run what the other runs,
    /// so the second is turned away.
    pub fn open(directory: &Path) -> io::Result<Points> {
        let directory = directory.join("points");
        fs::create_dir_all(&directory)?;
        let lock = File::create(directory.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::Error::other("another flynn is performing this experiment there")),
            // Some file systems have no locks.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        remove_unfinished(&directory)?;
        Ok(Points { directory, _lock: lock })
    }

    fn path(&self, key: &PointKey) -> PathBuf {
        self.directory.join(format!("{key}.json"))
    }
}

impl Store for Points {
    fn load(&self, key: &PointKey) -> Option<Outcome> {
        // A file that is not whole, as after a loss of power, counts as not there.
        serde_json::from_slice(&fs::read(self.path(key)).ok()?).ok()
    }

    fn save(&self, key: &PointKey, outcome: &Outcome) -> Result<(), String> {
        let bytes = serde_json::to_vec(outcome).map_err(|error| error.to_string())?;
        let path = self.path(key);
        replace(&path, &bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }
}

/// Removes what an interrupted process was writing.
fn remove_unfinished(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Writes a file wholly or not at all, in the place of one that was there.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let unfinished = directory.join(format!("{UNFINISHED}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    let written = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    written.inspect_err(|_| {
        let _ = fs::remove_file(&unfinished);
    })
}
