//! A candidate that explains everything, and what would tell it from another one.

use super::Candidate;
use crate::compiled::Answer;

/// A candidate that explains everything.
pub(super) struct Fit {
    pub(super) candidate: Candidate,
    pub(super) explained: usize,
    /// What it says of all flows.
    pub(super) answers: Vec<Answer>,
    /// How many of these differ from what the policies say.
    pub(super) changed: usize,
}

impl Fit {
    /// Whether a flow could tell it from another.
    pub(super) fn differs_from(&self, other: &Self) -> bool {
        self.answers.iter().zip(&other.answers).any(|(one, other)| tells(*one, *other))
    }
}

/// Whether it tells two apart that one says this and the other that.
pub(super) fn tells(one: Answer, other: Answer) -> bool {
    matches!((one, other), (Answer::Allow, Answer::Deny) | (Answer::Deny, Answer::Allow))
}
