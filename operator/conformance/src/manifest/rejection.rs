//! Names the reasons for which an object of the input cannot be taken for what it says it is.

use std::fmt::{self, Display};

use thiserror::Error;

use super::{Source, suggestion::Suggestion};
use crate::{policy, reference::ObjectRef};

/// An object that the API server would refuse, or that netproof cannot read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub struct Rejection {
    /// Where the object was read, for those that have to mend it.
    pub at: Source,
    /// The kind, as the object writes it.
    pub kind: String,
    /// The name; the namespace is empty for kinds that have none.
    pub object: ObjectRef,
    /// The way to the field, such as `spec.containers[0].ports[1].containerPort`; empty for the
    /// object as a whole.
    pub field: String,
    /// What is wrong with the field, and what would be right.
    pub problem: ObjectProblem,
}

impl Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, kind, object, field, problem } = self;
        write!(f, "{at}: {kind} ")?;
        match (object.namespace.as_str(), object.name.as_str()) {
            (_, "") => f.write_str("without a name")?,
            ("", name) => f.write_str(name)?,
            (_, _) => write!(f, "{object}")?,
        }
        if !field.is_empty() {
            write!(f, ": {field}")?;
        }
        write!(f, ": {problem}")
    }
}

/// What is wrong with a field, in words that say what would be right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ObjectProblem {
    /// A problem that policies may have, and other objects likewise.
    #[error(transparent)]
    Policy(#[from] policy::PolicyProblem),
    /// A name is missing.
    #[error("is missing; every object needs one")]
    Missing,
    /// The text is no IP address.
    #[error("{0:?} is no IP address")]
    Address(String),
    /// The value is not of the JSON type that the API asks for; the words are the parser's.
    #[error("{0}")]
    Malformed(String),
    /// A kind of policy in a version that this program does not know, and that may mean else.
    #[error(
        "is {written:?}, which this program cannot read; policies of this kind are read in {known}"
    )]
    Version {
        /// The text that is written.
        written: String,
        /// The text that would be read.
        known: &'static str,
    },
    /// A kind in a version that this program does not read, and that no API server has any more.
    #[error("is {written:?}, which this program cannot read: write {known}")]
    Outdated {
        /// The text that is written.
        written: String,
        /// The text that would be read.
        known: &'static str,
    },
    /// A group or a kind that there is not, and that is much like one that there is.
    #[error("is {written:?}, and no API server knows such an object: did you mean {known}?")]
    Spelling {
        /// The text that is written.
        written: String,
        /// The text that would be read.
        known: &'static str,
    },
    /// A field that objects of this kind do not have.
    #[error("is no field here: {0}")]
    UnknownField(Suggestion),
    /// A field that this program does not know, in an object that an API server gave.
    #[error(
        "is a field of a later version of the API: this program does not know what it means, and \
         cannot answer without it"
    )]
    NewField,
    /// A field that is there already.
    #[error("is there twice: keep one of the two")]
    FieldTwice,
    /// An object of that kind and name was read there, with another content.
    #[error("is at {0} already, and says something else there; keep one of the two")]
    Duplicate(Source),
}

/// A problem, and the way to the field that has it.
#[derive(Debug)]
pub(super) struct ObjectFault {
    pub(super) field: String,
    pub(super) problem: ObjectProblem,
}

/// Says where in the object a problem lies.
pub(super) trait At<T> {
    /// Says in which field the problem is.
    fn at(self, field: impl FnOnce() -> String) -> Result<T, ObjectFault>;
}

impl<T, E: Into<ObjectProblem>> At<T> for Result<T, E> {
    fn at(self, field: impl FnOnce() -> String) -> Result<T, ObjectFault> {
        self.map_err(|problem| ObjectFault { field: field(), problem: problem.into() })
    }
}
