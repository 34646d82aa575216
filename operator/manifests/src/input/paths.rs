//! Finds the files that a path stands for.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::{Cause, Unreadable};

/// A search, and what it came across beside files.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// The paths that could not be searched, or had no manifest in them.
    pub(super) unreadable: Vec<Unreadable>,
    /// How many hidden manifests and directories were left out.
    pub(super) hidden: usize,
    /// All directories that were searched.
    pub(super) directories: Vec<PathBuf>,
}

impl Search {
    /// The path itself if it is no directory, whatever it is called; else all manifests in the
    /// directory, sorted by their paths.
    pub(super) fn below(&mut self, path: &Path) -> Vec<PathBuf> {
        // An error is reported by the code that opens the file.
        if !path.is_dir() {
            return vec![path.to_owned()];
        }
        let mut files = Vec::new();
        let reported = self.unreadable.len();
        self.search(path, &mut files, &mut BTreeSet::new());
        if files.is_empty() && self.unreadable.len() == reported {
            self.unreadable.push(unreadable(path, Cause::NoManifests));
        }
        files
    }

    fn search(&mut self, directory: &Path, files: &mut Vec<PathBuf>, seen: &mut BTreeSet<PathBuf>) {
        // A directory that a link leads back to is searched once.
        if !seen.insert(fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned())) {
            return;
        }
        let entries = match sorted(directory) {
            Ok(entries) => entries,
            Err(error) => {
                self.unreadable.push(unreadable(directory, Cause::Unreachable(error)));
                return;
            }
        };
        self.directories.push(directory.to_owned());
        for entry in entries {
            let is_directory = entry.is_dir();
            if !is_directory && !is_manifest(&entry) {
                continue;
            }
            if is_hidden(&entry) {
                self.hidden += 1;
            } else if is_directory {
                self.search(&entry, files, seen);
            } else if is_readable(&entry) {
                files.push(entry);
            }
        }
    }
}

fn sorted(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?;
    let mut entries: Vec<PathBuf> =
        entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    Ok(entries)
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension();
    extension.is_some_and(|one| ["yaml", "yml", "json"].iter().any(|manifest| one == *manifest))
}

/// Whether reading the file cannot block, as a pipe or a device would. An error is reported by the
/// code that opens the file.
fn is_readable(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |metadata| metadata.is_file())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn unreadable(path: &Path, cause: Cause) -> Unreadable {
    Unreadable { input: path.to_string_lossy().into(), line: None, cause }
}
