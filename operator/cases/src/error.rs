//! Why cases or the law cannot be read.

use std::{io, path::PathBuf};

use thiserror::Error;

/// What is wrong with the files of cases or with the law, and where.
#[derive(Debug, Error)]
pub enum Error {
    /// A file or the folder cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The path of the file or folder.
        path: PathBuf,
        /// The error of reading.
        source: io::Error,
    },
    /// A file is not written as `README.md` says.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong, and at which line.
        source: Box<serde_saphyr::Error>,
    },
    /// A case says something that its cluster cannot mean.
    #[error("{}: {claim}: {source}", path.display())]
    Case {
        /// The file that the case is in.
        path: PathBuf,
        /// The claim of the case.
        claim: String,
        /// What is wrong with the case.
        source: CaseProblem,
    },
    /// A line of the law has no number; the line.
    #[error("LAW.md: a line of the law begins with its number, not so: {0}")]
    Law(String),
}

/// What a case says that its cluster cannot mean.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum CaseProblem {
    /// A pod is named without a namespace.
    #[error("pod {0} needs a namespace")]
    NoNamespace(String),
    /// Policies are in namespaces that the cluster does not have.
    #[error("the cluster has no such namespace: {0}")]
    UnknownNamespace(String),
    /// The text is no named port, such as `http 80/TCP`.
    #[error("{0} is no named port")]
    NamedPort(String),
    /// The text is no port, such as `80/TCP`.
    #[error("{0} is no port")]
    Port(String),
    /// The heading of a matrix names no port.
    #[error("{0} names no port")]
    NoPort(String),
    /// A matrix has no line of receivers.
    #[error("a matrix begins with > and its receivers")]
    NoReceivers,
    /// A row is longer or shorter than the line of receivers.
    #[error("row {sender} has {found} cells of {wanted}")]
    Row {
        /// The sender of the row.
        sender: String,
        /// How many cells the row has.
        found: usize,
        /// How many receivers there are.
        wanted: usize,
    },
    /// The cell is none of `.`, `X`, `?` and `-`.
    #[error("{0} is no cell")]
    Mark(String),
    /// A row or a column names no pod of the cluster.
    #[error("the cluster has no pod {0}")]
    UnknownPod(String),
    /// A row or a column names more than one pod.
    #[error("{0} is more than one pod")]
    AmbiguousPod(String),
}
