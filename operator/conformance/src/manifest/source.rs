//! Says where an object was read.

use std::{fmt, sync::Arc};

/// The place of an object in what was read, for people that have to change it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The file, `stdin` or `cluster`.
    pub input: Arc<str>,
    /// The number of the document in the input, from 1.
    pub document: u32,
    /// The line where the object begins, from 1, if it was written in lines.
    pub line: Option<u32>,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.input),
            None => f.write_str(&self.input),
        }
    }
}
