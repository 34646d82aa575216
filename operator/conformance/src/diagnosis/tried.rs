//! The result of a single fault that was tried.

use super::{Fault, prediction::Sides};

/// A single fault, and how it stands to all that was seen.
pub(super) struct Tried {
    pub(super) fault: Fault,
    /// Which findings the fault predicts, by their places.
    pub(super) explained: Vec<bool>,
    /// What the fault makes of both sides of each finding.
    pub(super) sides: Vec<Sides>,
    /// The places of the observations that contradict the fault.
    pub(super) contradicted_by: Vec<usize>,
}

impl Tried {
    /// How many findings the fault predicts.
    pub(super) fn explains(&self) -> usize {
        self.explained.iter().filter(|explained| **explained).count()
    }
}
