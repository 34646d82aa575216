//! A single fault that was tried, and what came of it.

use super::{Fault, prediction::Sides};

/// A single fault that was tried.
pub(super) struct Tried {
    pub(super) fault: Fault,
    /// Which findings it predicts.
    pub(super) explained: Vec<bool>,
    /// What it makes of both sides of each finding.
    pub(super) sides: Vec<Sides>,
    /// The observations that contradict it, by their places.
    pub(super) contradicted_by: Vec<usize>,
}

impl Tried {
    /// How many findings it predicts.
    pub(super) fn explains(&self) -> usize {
        self.explained.iter().filter(|explained| **explained).count()
    }
}
