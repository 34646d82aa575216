//! Tells what the API leaves open about a flow, and how each answer would turn it.

use crate::{
    evaluate::{Ends, Outcomes, sensitivities},
    expected::Unspecified,
    flow::Direction,
};

/// A question that the API leaves open, and what each answer to it would make of the flow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenQuestion {
    /// The question, as the reason of an Unspecified answer.
    pub why: Unspecified,
    /// The side on which the question comes up; none if it concerns the flow as a whole.
    pub direction: Option<Direction>,
    /// What would happen by the letter: no exemption, no match.
    pub no: Would,
    /// What would happen by the other answer.
    pub yes: Would,
}

/// What would happen to a flow if a question were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Would {
    /// The flow would pass both sides.
    Allow,
    /// The flow would be stopped on one side at least.
    Deny,
    /// The flow would stay open, since another question decides.
    StayOpen,
}

impl Would {
    fn of(outcomes: Outcomes) -> Self {
        match (outcomes.differ(), outcomes == Outcomes::PASSES) {
            (true, _) => Self::StayOpen,
            (false, true) => Self::Allow,
            (false, false) => Self::Deny,
        }
    }
}

/// The questions whose answers make a difference; all of them if none does alone.
pub(super) fn questions(ends: &Ends<'_>) -> Vec<OpenQuestion> {
    let all = sensitivities(ends);
    let none_matters = !all.iter().any(|one| one.matters);
    let mattering = all.into_iter().filter(|one| one.matters || none_matters);
    mattering
        .map(|one| OpenQuestion {
            why: one.why,
            direction: one.direction,
            no: Would::of(one.no),
            yes: Would::of(one.yes),
        })
        .collect()
}
