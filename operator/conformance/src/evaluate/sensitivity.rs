//! Finds out how far the result of a flow depends on each question that the API leaves open.

use super::{Ends, Forced, Liberty, Outcomes, Questions, Reading, outcomes, side};
use crate::{expected::Unspecified, flow::Direction};

/// An open question, and what may happen to the flow by each answer to it.
pub(crate) struct Sensitivity {
    pub(crate) why: Unspecified,
    /// The side on which the question comes up; none if it concerns the flow as a whole.
    pub(crate) direction: Option<Direction>,
    /// The outcomes if the liberty is not taken, or if what may match does not.
    pub(crate) no: Outcomes,
    /// The outcomes if the liberty is taken, or if what may match does.
    pub(crate) yes: Outcomes,
    /// Whether the answer makes a difference, in one reading at least.
    pub(crate) matters: bool,
}

/// The open questions that the flow touches: first the liberties, each with all ways to answer the
/// others, then what policies of the cluster leave open by the letter.
pub(crate) fn sensitivities(ends: &Ends<'_>) -> Vec<Sensitivity> {
    let liberties: Vec<Liberty> = ends.liberties().collect();
    let of_liberties = liberties.iter().map(|liberty| {
        let [no, yes] = [false, true].map(|taken| {
            let readings = Reading::all(&liberties).filter(|one| one.takes(*liberty) == taken);
            readings.map(|one| outcomes(ends, one, None)).fold(Outcomes::NONE, Outcomes::or)
        });
        let matters = Reading::all(&liberties)
            .any(|one| outcomes(ends, one, None) != outcomes(ends, one.with(*liberty), None));
        Sensitivity { why: liberty.reason(), direction: None, no, yes, matters }
    });
    let of_sides = Direction::BOTH.into_iter().flat_map(|direction| {
        let mut questions = Questions::new(None);
        side(ends, Reading::LITERAL, direction, &mut questions);
        questions.asked.into_iter().enumerate().map(move |(number, why)| {
            let [no, yes] = [false, true].map(|answer| {
                let forced = Forced { direction, number, answer };
                outcomes(ends, Reading::LITERAL, Some(forced))
            });
            Sensitivity { why, direction: Some(direction), no, yes, matters: no != yes }
        })
    });
    of_liberties.chain(of_sides).collect()
}
