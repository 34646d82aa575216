//! Why something could not be read, in words that say what to do.

use std::{fmt, io, sync::Arc};

use thiserror::Error;

/// A file, or a part of one, that could not be read.
#[derive(Debug, Error)]
pub struct Unreadable {
    /// The file or directory, `stdin` or `cluster`.
    pub input: Arc<str>,
    /// The line, from 1, where it is known.
    pub line: Option<u32>,
    /// Why it could not be read.
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
    /// The system returned an error.
    #[error("cannot be read: {0}")]
    Unreachable(io::Error),
    /// The file is no text in UTF-8.
    #[error("is not UTF-8 from here on: save it as UTF-8")]
    NotUtf8,
    /// The file has nothing but white space in it.
    #[error("is empty: leave it out, or write a manifest into it")]
    Empty,
    /// The file or directory has no object in it.
    #[error("has no object of Kubernetes in it")]
    NothingInIt,
    /// The file is a template, and no manifest before it is rendered.
    #[error("is a template: render it first, as helm template does ({problem})")]
    Template {
        /// The parser's words on the text as it is.
        problem: String,
    },
    /// A directory without any file that has the name of a manifest.
    #[error("has no file called .yaml, .yml or .json in it, or in a directory below")]
    NoManifests,
    /// The document is no valid JSON.
    #[error("document {document} is no valid JSON: {problem}")]
    Json {
        /// The number of the document, from 1.
        document: u32,
        /// The words of the parser.
        problem: String,
    },
    /// The document is no valid YAML, or more than a manifest can be.
    #[error("document {document} is no valid YAML: {problem}")]
    Yaml {
        /// The number of the document, from 1.
        document: u32,
        /// The words of the parser.
        problem: String,
    },
    /// The document is something other than an object.
    #[error("document {document} is no object of Kubernetes: {problem}")]
    NoObject {
        /// The number of the document, from 1.
        document: u32,
        /// What the document is instead.
        problem: String,
    },
    /// An object without an `apiVersion` or without a `kind`.
    #[error(
        "document {document} has no apiVersion or no kind, so that nobody can tell what it is: complete it, or leave it out"
    )]
    NoKind {
        /// The number of the document, from 1.
        document: u32,
    },
    /// A list of which the API server has given a part only.
    #[error(
        "document {document} is a part of a list (metadata.continue is set): get the whole list, as kubectl get does"
    )]
    PartOfList {
        /// The number of the document, from 1.
        document: u32,
    },
}
