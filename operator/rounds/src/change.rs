//! What a watch tells of the objects of a kind.

use std::fmt;

use kube::api::DynamicObject;

/// What was learned.
#[derive(Debug)]
pub enum ObjectChange {
    /// All there is; what is not among it is gone.
    Reset(Vec<DynamicObject>),
    /// This is new, or has changed.
    Applied(Box<DynamicObject>),
    /// This is gone.
    Deleted(Box<DynamicObject>),
    /// Nothing has changed.
    Alive,
    /// The API server does not tell us, and why. What is known stays known, and ages.
    Blind(Blind),
}

/// Why the API server does not tell us of a kind, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blind {
    /// It may not: a role is missing, which waiting does not bring.
    Forbidden(String),
    /// Something failed, which may pass.
    Failed(String),
}

impl fmt::Display for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}
