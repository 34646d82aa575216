//! Why cases or the law cannot be read.

use std::{io, path::PathBuf};

use thiserror::Error;

/// What went wrong, and where.
#[derive(Debug, Error)]
pub enum Error {
    /// A file or the folder cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not written as `README.md` says.
    #[error("{}: {source}", path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// Why, and at which line.
        source: Box<serde_saphyr::Error>,
    },
    /// A case says something that its cluster cannot mean.
    #[error("{}: {claim}: {source}", path.display())]
    Case {
        /// The file that it stands in.
        path: PathBuf,
        /// The case.
        claim: String,
        /// What.
        source: CaseProblem,
    },
    /// A line of the law has no number.
    #[error("LAW.md: a line of the law begins with its number, not so: {0}")]
    Law(String),
}

/// What a case says and its cluster cannot mean.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum CaseProblem {
    /// A pod is named without a namespace.
    #[error("pod {0} needs a namespace")]
    NoNamespace(String),
    /// Policies stand in namespaces that there are not.
    #[error("the cluster has no such namespace: {0}")]
    UnknownNamespace(String),
    /// It is not like `http 80/TCP`.
    #[error("{0} is no named port")]
    NamedPort(String),
    /// It is not like `80/TCP`.
    #[error("{0} is no port")]
    Port(String),
    /// A matrix is asked for no port.
    #[error("{0} names no port")]
    NoPort(String),
    /// A matrix has no line of receivers.
    #[error("a matrix begins with > and its receivers")]
    NoReceivers,
    /// A row is longer or shorter than the line of receivers.
    #[error("row {sender} has {found} cells of {wanted}")]
    Row {
        /// Whose row it is.
        sender: String,
        /// How many cells it has.
        found: usize,
        /// How many receivers there are.
        wanted: usize,
    },
    /// It is none of `.`, `X`, `?` and `-`.
    #[error("{0} is no cell")]
    Mark(String),
    /// A row or a column is nobody's.
    #[error("the cluster has no pod {0}")]
    UnknownPod(String),
    /// A row or a column is more than one pod's.
    #[error("{0} is more than one pod")]
    AmbiguousPod(String),
}
