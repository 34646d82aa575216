//! What a watch tells of the objects of a kind.

use std::fmt;

use kube::api::DynamicObject;

/// One item of a watch.
#[derive(Debug)]
pub enum ObjectChange {
    /// A complete list: an object that is not in it is gone.
    Reset(Vec<DynamicObject>),
    /// An object that is new, or has changed.
    Applied(Box<DynamicObject>),
    /// An object that is gone, as it was last.
    Deleted(Box<DynamicObject>),
    /// A sign of life, such as a bookmark: nothing has changed.
    Alive,
    /// The API server does not serve the kind, and why. What is known of it is kept, and ages.
    Blind(Blind),
}

/// Why the API server does not serve a kind, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blind {
    /// The operator's role does not allow it, which waiting does not mend.
    Forbidden(String),
    /// The request failed, which may pass.
    Failed(String),
}

impl fmt::Display for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}
