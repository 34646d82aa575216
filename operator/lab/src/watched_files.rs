//! Notices that files have changed.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    time::Duration,
};

/// The time between two looks. The files are small, and the kernel's notifications do not come from
/// every file system.
const LOOK: Duration = Duration::from_millis(200);

/// Files and directories, with a hash of their names and contents when last looked at.
pub struct WatchedFiles {
    paths: Vec<PathBuf>,
    seen: u64,
}

impl WatchedFiles {
    /// Looks at the files and directories for the first time.
    pub fn new(paths: &[PathBuf]) -> Self {
        let paths = paths.to_vec();
        let seen = print_of(&paths);
        Self { paths, seen }
    }

    /// Waits until something in them is different from the last look. Cancel safe.
    pub async fn changed(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let seen = print_of(&self.paths);
            if seen != self.seen {
                self.seen = seen;
                return;
            }
        }
    }
}

fn print_of(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        take(path, &mut hasher);
    }
    hasher.finish()
}

fn take(path: &Path, hasher: &mut DefaultHasher) {
    path.hash(hasher);
    if let Ok(entries) = fs::read_dir(path) {
        let mut inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        inside.sort();
        for path in inside {
            take(&path, hasher);
        }
    } else if fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
        && let Ok(content) = fs::read(path)
    {
        content.hash(hasher);
    }
}
