//! Why something could not be read, in words that say what to do.

use std::{fmt, io, sync::Arc};

use thiserror::Error;

/// A file, or a part of one, that could not be read.
#[derive(Debug, Error)]
pub struct Unreadable {
    /// The file or directory, `stdin` or `cluster`.
    pub input: Arc<str>,
    /// The line, where it is known.
    pub line: Option<u32>,
    /// Why.
    #[source]
    pub cause: Cause,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.input)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.cause)
    }
}

/// Why something could not be read.
#[derive(Debug, Error)]
pub enum Cause {
    /// The system does not give it.
    #[error("cannot be read: {0}")]
    Unreachable(io::Error),
    /// Not text.
    #[error("is not UTF-8 from here on: save it as UTF-8")]
    NotUtf8,
    /// Nothing in it.
    #[error("is empty: leave it out, or write a manifest into it")]
    Empty,
    /// Nothing in it but comments.
    #[error("has no object of Kubernetes in it")]
    NothingInIt,
    /// Something that makes a manifest, and is none before it is rendered.
    #[error("is a template: render it first, as helm template does ({problem})")]
    Template {
        /// Why it is not read as it is.
        problem: String,
    },
    /// A directory that has no manifest in it.
    #[error("has no file called .yaml, .yml or .json in it, or in a directory below")]
    NoManifests,
    /// Not JSON.
    #[error("document {document} is no valid JSON: {problem}")]
    Json {
        /// From 1.
        document: u32,
        /// The parser's words.
        problem: String,
    },
    /// Not YAML, or more than what a manifest can be.
    #[error("document {document} is no valid YAML: {problem}")]
    Yaml {
        /// From 1.
        document: u32,
        /// The parser's words.
        problem: String,
    },
    /// Something else than an object.
    #[error("document {document} is no object of Kubernetes: {problem}")]
    NoObject {
        /// From 1.
        document: u32,
        /// What it is.
        problem: String,
    },
    /// An object that does not say what it is.
    #[error(
        "document {document} has no apiVersion or no kind, so that nobody can tell what it is: complete it, or leave it out"
    )]
    NoKind {
        /// From 1.
        document: u32,
    },
    /// A list of which the API server has given a part only.
    #[error(
        "document {document} is a part of a list (metadata.continue is set): get the whole list, as kubectl get does"
    )]
    PartOfList {
        /// From 1.
        document: u32,
    },
}
