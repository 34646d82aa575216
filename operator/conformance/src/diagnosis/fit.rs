//! A candidate that explains everything, with its answers, by which it is told from others.

use super::Candidate;
use crate::compiled::Answer;

/// A candidate that explains all that was seen.
pub(super) struct Fit {
    pub(super) candidate: Candidate,
    pub(super) explained: usize,
    /// The candidate's answers to all flows.
    pub(super) answers: Vec<Answer>,
    /// How many of the answers differ from what the policies say.
    pub(super) changed: usize,
}

impl Fit {
    /// Whether some flow could tell this candidate from the other.
    pub(super) fn differs_from(&self, other: &Self) -> bool {
        self.answers.iter().zip(&other.answers).any(|(one, other)| tells(*one, *other))
    }
}

/// Whether a flow tells apart two candidates with these answers: an open one tells nothing.
pub(super) fn tells(one: Answer, other: Answer) -> bool {
    matches!((one, other), (Answer::Allow, Answer::Deny) | (Answer::Deny, Answer::Allow))
}
