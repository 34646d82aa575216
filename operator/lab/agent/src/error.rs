//! The reasons for which an object cannot be read.

use thiserror::Error;

/// An object that the API server would have refused. It is skipped, never guessed at.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Invalid {
    /// A field without which the object means nothing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field with a value that the API does not allow.
    #[error("{field} cannot be {value:?}")]
    Value {
        /// The field, as the API names it.
        field: &'static str,
        /// The value that it has.
        value: String,
    },
    /// Fields that exclude each other, or that need each other.
    #[error("{0}")]
    Combination(&'static str),
}

impl Invalid {
    /// The error for a field with a value that the API does not know.
    pub fn value(field: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        Self::Value { field, value: value.to_string() }
    }
}
