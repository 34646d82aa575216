//! Reads objects: from files and directories, from standard input, or from a cluster.

mod document;
mod field;
mod from_cluster;
mod paths;
mod unreadable;
mod yaml;

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use netproof_conformance::manifest::{Cluster, Objects};

use document::Reader;
use paths::Found;
use serde_json::Value;

pub use from_cluster::{ClusterError, Namespaces, Scope, read_cluster};
pub use unreadable::{Cause, Unreadable};

/// What was read. Answers may be given of the cluster only if nothing was unreadable and none of
/// its objects was rejected.
#[derive(Debug)]
pub struct Input {
    /// What the objects amount to.
    pub cluster: Cluster,
    /// What could not be read at all.
    pub unreadable: Vec<Unreadable>,
    /// What a reader of the answers has to know of how the input came about.
    pub notes: Vec<String>,
}

/// Reads all files that these paths name: files by whatever name, directories with all that is in
/// them and called `.yaml`, `.yml` or `.json`, and `-` for standard input. Hidden files and
/// directories inside of directories are left out. Objects that name no namespace and need one are
/// taken to be in the default one.
pub fn read(paths: &[PathBuf], default_namespace: &str) -> Input {
    read_by(Reader::new(Objects::new(default_namespace)), paths).0
}

/// Reads the same, and hands over all objects as they are written as well.
pub fn read_written(paths: &[PathBuf], default_namespace: &str) -> (Input, Vec<Value>) {
    read_by(Reader::keeping(Objects::new(default_namespace)), paths)
}

/// Reads the same from a text, which is JSON.
pub fn read_json(name: &str, text: &str, default_namespace: &str) -> (Input, Vec<Value>) {
    let mut reader = Reader::keeping(Objects::new(default_namespace));
    reader.json(&name.into(), text);
    let (objects, unreadable, written) = reader.into_parts();
    (Input { cluster: objects.finish(), unreadable, notes: Vec::new() }, written)
}

fn read_by(mut reader: Reader, paths: &[PathBuf]) -> (Input, Vec<Value>) {
    let mut found = Found::default();
    let mut was_read = BTreeSet::new();
    for path in paths {
        if path == Path::new("-") {
            if was_read.insert(PathBuf::from("-")) {
                let mut bytes = Vec::new();
                let outcome = io::stdin().read_to_end(&mut bytes).map(|_| bytes);
                take(&mut reader, "stdin", Format::Unknown, outcome);
            }
            continue;
        }
        for file in found.below(path) {
            // The same file by two paths is read once.
            if was_read.insert(fs::canonicalize(&file).unwrap_or_else(|_| file.clone())) {
                let format = Format::of(&file);
                take(&mut reader, &file.to_string_lossy(), format, fs::read(&file));
            }
        }
    }
    let (objects, mut unreadable, written) = reader.into_parts();
    unreadable.splice(0..0, found.unreadable);
    (Input { cluster: objects.finish(), unreadable, notes: notes(found.hidden) }, written)
}

fn notes(hidden: usize) -> Vec<String> {
    match hidden {
        0 => Vec::new(),
        count => vec![format!("{count} hidden files or directories were not read")],
    }
}

/// What the text of a file may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// JSON, and nothing else.
    Json,
    /// YAML, of which JSON is a part for most purposes.
    Unknown,
}

impl Format {
    fn of(file: &Path) -> Self {
        match file.extension() {
            Some(extension) if extension == "json" => Self::Json,
            Some(_) | None => Self::Unknown,
        }
    }
}

fn take(reader: &mut Reader, name: &str, format: Format, bytes: io::Result<Vec<u8>>) {
    let name: Arc<str> = name.into();
    match text(bytes) {
        Err((line, cause)) => reader.unreadable(&name, line, cause),
        Ok(text) => {
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            match format {
                Format::Json => reader.json(&name, text),
                // What begins like JSON is YAML only if it is no JSON, as for kubectl.
                Format::Unknown
                    if text.trim_start().starts_with('{') && document::is_json(text) =>
                {
                    reader.json(&name, text);
                }
                Format::Unknown => reader.yaml(&name, text),
            }
        }
    }
}

fn text(bytes: io::Result<Vec<u8>>) -> Result<String, (Option<u32>, Cause)> {
    let bytes = bytes.map_err(|error| (None, Cause::Unreachable(error)))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        (Some(document::lines(before) + 1), Cause::NotUtf8)
    })?;
    if text.trim().is_empty() { Err((None, Cause::Empty)) } else { Ok(text) }
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod reading_tests;

#[cfg(test)]
mod objects_tests;
