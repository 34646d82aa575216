//! What a watch tells of the objects of a kind.

use kube::api::DynamicObject;

/// What was learned.
#[derive(Debug)]
pub enum Change {
    /// All there is; what is not among it is gone.
    Reset(Vec<DynamicObject>),
    /// This is new, or has changed.
    Applied(Box<DynamicObject>),
    /// This is gone.
    Deleted(Box<DynamicObject>),
    /// Nothing has changed.
    Alive,
    /// The API server does not tell us, and why. What is known stays known, and ages.
    Blind(String),
}
