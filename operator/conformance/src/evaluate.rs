//! Answers what the policies say of a flow: by the order of the tiers, on both sides of it.
//!
//! The tiers are those of KEP-2091: Admin, then `NetworkPolicies` where one isolates the pod, then
//! Baseline. What each object means is the law of the comments of its API types, and where those
//! say nothing, of the Network Policies page of the Kubernetes documentation.
//!
//! Nothing is prepared or remembered, so that this stays the measure for whatever answers faster.

mod admits;
mod ends;
mod isolation;
mod outcomes;
mod reading;
mod sensitivity;
mod tier;

use crate::{
    expected::{Because, Decision, Expected, Unspecified},
    flow::{Direction, Flow, PodId},
    policy::cluster::Tier,
    snapshot::Snapshot,
};
use outcomes::{Forced, Questions};
use reading::Liberty;

pub(crate) use admits::{Element, Match, Side};
pub(crate) use ends::{Applying, Ends, is_host};
pub(crate) use isolation::{admits, isolating};
pub(crate) use outcomes::Outcomes;
pub(crate) use reading::Reading;
pub(crate) use sensitivity::sensitivities;

/// What the policies of a snapshot say of a flow.
///
/// Both sides have to let it pass: the sender's egress and the receiver's ingress. Where the API
/// leaves something open that the flow touches, all readings are tried, and the answer is
/// [`Expected::Unspecified`] only where they differ; it then names the first open question, in the
/// order of [`Unspecified`], whose answer alone can turn the result. Where they agree, the answer
/// names what decides when the policies are taken by the letter: the reading that takes no liberty.
///
/// # Panics
///
/// If the flow is of another snapshot.
///
/// # Example
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{
///     evaluate::expect,
///     expected::{Expected, Unspecified},
/// };
///
/// let shop = shop();
/// assert_eq!(expect(&shop, &flow("web", "db")).word(), "Allow");
/// assert_eq!(expect(&shop, &flow("job", "db")).word(), "Deny");
/// // The API does not say whether policies apply to a pod's traffic to itself.
/// assert_eq!(expect(&shop, &flow("db", "db")), Expected::Unspecified(Unspecified::ToItself));
/// ```
pub fn expect(snapshot: &Snapshot, flow: &Flow) -> Expected {
    expect_with(snapshot, flow, |id| Applying::to(snapshot.pod(id), snapshot))
}

/// [`expect`], where it is known which policies apply to a pod.
pub(crate) fn expect_with<'a>(
    snapshot: &'a Snapshot,
    flow: &Flow,
    applying: impl Fn(PodId) -> Applying<'a>,
) -> Expected {
    let ends = match Ends::resolve(snapshot, flow, applying) {
        Ok(ends) => ends,
        Err(why) => return Expected::Unspecified(why),
    };
    let liberties: Vec<Liberty> = ends.liberties().collect();
    let outcomes = |reading| outcomes(&ends, reading, None);
    let all = Reading::all(&liberties).map(outcomes).fold(Outcomes::NONE, Outcomes::or);
    if all.differ() {
        Expected::Unspecified(open_question(&ends, &liberties))
    } else {
        by_the_letter(&ends)
    }
}

/// What may happen to the flow, as one reading has it.
fn outcomes(ends: &Ends<'_>, reading: Reading, forced: Option<Forced>) -> Outcomes {
    let [egress, ingress] = Direction::BOTH.map(|direction| {
        let forced = forced.filter(|forced| forced.direction == direction);
        side(ends, reading, direction, &mut Questions::new(forced)).0
    });
    egress.and(ingress)
}

/// One side of a flow, by the order of the tiers: what may happen there, and what decides by the
/// letter.
fn side(
    ends: &Ends<'_>,
    reading: Reading,
    direction: Direction,
    questions: &mut Questions,
) -> (Outcomes, Decision) {
    let Some(side) = Side::of(ends, reading, direction) else {
        return (Outcomes::PASSES, Decision::Exempt);
    };
    let admin = tier::ask(&side, Tier::Admin, questions);
    admin.or_else(|| {
        if let Some(decision) = isolation::ask(&side) {
            return (Outcomes::of(decision.allows()), decision);
        }
        let baseline = tier::ask(&side, Tier::Baseline, questions);
        baseline.or_else(|| (Outcomes::PASSES, Decision::NotIsolated))
    })
}

/// The first question whose answer alone turns the result; the first of all if none does alone.
fn open_question(ends: &Ends<'_>, liberties: &[Liberty]) -> Unspecified {
    let turns = |liberty: &&Liberty| {
        Reading::all(liberties).any(|reading| {
            outcomes(ends, reading, None) != outcomes(ends, reading.with(**liberty), None)
        })
    };
    if let Some(liberty) = liberties.iter().find(turns) {
        return liberty.reason();
    }
    let questions = Direction::BOTH.into_iter().flat_map(|direction| {
        let mut questions = Questions::new(None);
        side(ends, Reading::LITERAL, direction, &mut questions);
        let asked = questions.asked.into_iter().enumerate();
        asked.map(move |(number, why)| (why, direction, number))
    });
    let turns = |(_, direction, number): &&(Unspecified, Direction, usize)| {
        let [no, yes] = [false, true].map(|answer| {
            let forced = Forced { direction: *direction, number: *number, answer };
            outcomes(ends, Reading::LITERAL, Some(forced))
        });
        no != yes
    };
    let all: Vec<_> = questions.collect();
    let turning = all.iter().filter(turns).chain(&all).next();
    // Without a question there is one outcome.
    turning.map_or(Unspecified::UnknownField, |(why, _, _)| *why)
}

fn by_the_letter(ends: &Ends<'_>) -> Expected {
    let because = literal(ends);
    if because.passes() { Expected::Allow(because) } else { Expected::Deny(because) }
}

/// What decides on each side when the policies are taken by the letter.
pub(crate) fn literal(ends: &Ends<'_>) -> Because {
    let [egress, ingress] = Direction::BOTH
        .map(|direction| side(ends, Reading::LITERAL, direction, &mut Questions::new(None)).1);
    Because { egress, ingress }
}
