//! Reads objects: from files and directories, from standard input, or from a cluster.

mod document;
mod field;
#[cfg(feature = "cluster")]
mod from_cluster;
mod kustomize;
mod look;
mod paths;
mod skipped;
mod template;
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

use document::{InputOrigin, Parts, Reader};
use serde_json::Value;
use skipped::{SkipReason, Skipped};
use template::TextTemplate;

#[cfg(feature = "cluster")]
pub use from_cluster::{ClusterError, ClusterScope, NamespaceChoice, read_cluster};
pub use unreadable::{Cause, Unreadable};

/// What was read. Answers may be given about the cluster only if nothing is unreadable and none of
/// its objects is rejected.
#[derive(Debug)]
pub struct Input {
    /// The snapshot of the objects, and what else is known of them.
    pub cluster: Cluster,
    /// The files, or parts of files, that could not be read at all.
    pub unreadable: Vec<Unreadable>,
    /// What a reader of the answers has to know about how the input came about, a sentence each.
    pub notes: Vec<String>,
}

/// Reads all files that these paths name: files by any name, directories with all that is in them
/// and called `.yaml`, `.yml` or `.json`, and `-` for standard input. Hidden files and directories
/// inside of directories are left out, and a file of a directory that cannot be an object is
/// skipped. Objects that need a namespace and name none are taken to be in `default_namespace`.
///
/// Never fails as a whole: [`Input::unreadable`] lists what could not be read.
pub fn read(paths: &[PathBuf], default_namespace: &str) -> Input {
    read_by(Reader::new(Objects::new(default_namespace)), paths).0
}

/// Reads as [`read`] does, and returns all objects as they are written as well.
pub fn read_written(paths: &[PathBuf], default_namespace: &str) -> (Input, Vec<Value>) {
    read_by(Reader::keeping(Objects::new(default_namespace)), paths)
}

/// Reads JSON documents from a text that has this name, and returns all objects as they are written
/// as well.
pub fn read_json(name: &str, text: &str, default_namespace: &str) -> (Input, Vec<Value>) {
    let mut reader = Reader::keeping(Objects::new(default_namespace));
    reader.json(&name.into(), text);
    let Parts { objects, unreadable, written, .. } = reader.into_parts();
    (Input { cluster: objects.finish(), unreadable, notes: Vec::new() }, written)
}

/// Reads the bytes of one file with this name, as [`read`] reads a file that is named.
pub fn read_bytes(name: &str, bytes: Vec<u8>, default_namespace: &str) -> Input {
    let mut reader = Reader::new(Objects::new(default_namespace));
    take(&mut reader, name, Format::of(Path::new(name)), InputOrigin::Named, Ok(bytes));
    let Parts { objects, unreadable, .. } = reader.into_parts();
    Input { cluster: objects.finish(), unreadable, notes: Vec::new() }
}

fn read_by(mut reader: Reader, paths: &[PathBuf]) -> (Input, Vec<Value>) {
    let mut search = paths::Search::default();
    let mut was_read = BTreeSet::new();
    for path in paths {
        if path == Path::new("-") {
            if was_read.insert(PathBuf::from("-")) {
                let mut bytes = Vec::new();
                let outcome = io::stdin().read_to_end(&mut bytes).map(|_| bytes);
                take(&mut reader, "stdin", Format::Unknown, InputOrigin::Named, outcome);
            }
            continue;
        }
        let found = if path.is_dir() { InputOrigin::Lying } else { InputOrigin::Named };
        let before = reader.progress();
        let mut is_new = false;
        let files = search.below(path);
        let patches = kustomize::patches(&std::mem::take(&mut search.directories));
        for file in files {
            let real = fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
            // The same file by two paths is read once.
            if !was_read.insert(real.clone()) {
                continue;
            }
            is_new = true;
            let name = file.to_string_lossy();
            if patches.contains(&real) {
                reader.skip(&name.into(), SkipReason::Patch);
            } else {
                take(&mut reader, &name, Format::of(&file), found, fs::read(&file));
            }
        }
        if is_new && found == InputOrigin::Lying && reader.progress() == before {
            let input = path.to_string_lossy().into();
            reader.unreadable(&input, None, Cause::NothingInIt);
        }
    }
    let Parts { objects, mut unreadable, written, skipped } = reader.into_parts();
    unreadable.splice(0..0, search.unreadable);
    let notes = notes(search.hidden, &skipped);
    (Input { cluster: objects.finish(), unreadable, notes }, written)
}

fn notes(hidden: usize, skipped: &[Skipped]) -> Vec<String> {
    let hidden = match hidden {
        0 => None,
        count => Some(format!("{count} hidden files or directories were not read")),
    };
    hidden.into_iter().chain(skipped::note(skipped)).collect()
}

/// The language in which the text of a file may be written.
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

fn take(
    reader: &mut Reader,
    name: &str,
    format: Format,
    found: InputOrigin,
    bytes: io::Result<Vec<u8>>,
) {
    let name: Arc<str> = name.into();
    reader.begin(found);
    match text(bytes) {
        Err((_, Cause::Empty)) if found == InputOrigin::Lying => {}
        Err((line, cause)) => reader.unreadable(&name, line, cause),
        Ok(text) => {
            take_text(reader, &name, format, text.strip_prefix('\u{feff}').unwrap_or(&text));
        }
    }
    reader.end(&name);
}

fn take_text(reader: &mut Reader, name: &Arc<str>, format: Format, text: &str) {
    if let Some(TextTemplate { line, problem, has_policies }) = TextTemplate::of(text) {
        return if reader.found() == InputOrigin::Lying && !has_policies {
            reader.skip(name, SkipReason::Template);
        } else {
            reader.unreadable(name, Some(line), Cause::Template { problem });
        };
    }
    match format {
        // Files of other programs may be no valid JSON, as they have comments, or YAML with tags
        // that only those programs know.
        Format::Json | Format::Unknown
            if reader.found() == InputOrigin::Lying && !look::may_be(text) =>
        {
            reader.skip(name, SkipReason::NoObject);
        }
        Format::Json => reader.json(name, text),
        // A text that begins like JSON is YAML only if it is no valid JSON, as for kubectl.
        Format::Unknown if text.trim_start().starts_with('{') && document::is_json(text) => {
            reader.json(name, text);
        }
        Format::Unknown => reader.yaml(name, text),
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

#[cfg(test)]
mod repository_tests;

#[cfg(test)]
mod slips_tests;
