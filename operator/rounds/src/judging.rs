//! What everyone does who runs rounds, be it against a cluster or in the lab: which flows go together,
//! what an observation means, and how that is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use netproof_conformance::{
    expected::Expected,
    ledger::Ledger,
    matrix::{Cell, Matrix},
    policy::Policy,
    report::{Line, sentence},
    verdict::{Outcome, Sighting, Verdict, Why, judge},
};

use crate::{
    clock::{time_of_day, uptime},
    engine::round::Seen,
    predict::{Prediction, StandIn, place},
    scenario::Scenario,
    status::Detail,
    world::World,
};

/// What was seen of a flow, and what that says.
pub type Sighted = (Cell, Sighting, Option<Outcome>);

/// Judges what was seen of one flow, with the predictions on both sides of it.
pub fn sight(
    seen: Seen,
    before: &Prediction,
    after: &Prediction,
    stand_ins: &[StandIn],
) -> Sighted {
    let Seen { cell, outcome, control } = seen;
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(why) => return (cell, Sighting::Inconclusive(Why::NoProbe(why)), None),
    };
    let homes = [&cell.from, &cell.to].map(|actor| {
        let stand_in = stand_ins.iter().find(|s| s.desired.actor == *actor);
        stand_in.map(|stand_in| stand_in.desired.namespace.as_str())
    });
    let unreliable = after.unreliable.between(homes.into_iter().flatten());
    let sighting = match (unreliable, before.expected.get(&cell), after.expected.get(&cell)) {
        (Some(why), _, _) => Sighting::Inconclusive(Why::NoPrediction(why.to_owned())),
        (None, Some(before), Some(after)) => judge(before, after, &outcome, &control),
        (None, _, _) => Sighting::Moved,
    };
    (cell, sighting, Some(outcome))
}

/// Flows to an address outside prove nothing by silence unless somebody reaches it in the same
/// round: those who may are asked as well.
pub fn companions(ledger: &Ledger, cells: &BTreeSet<Cell>, scenario: &Scenario) -> BTreeSet<Cell> {
    let outside: BTreeSet<_> = cells
        .iter()
        .filter(|cell| scenario.externals.contains_key(&cell.to.endpoint))
        .map(|cell| (&cell.to, cell.port))
        .collect();
    ledger
        .records()
        .filter(|(cell, record)| {
            outside.contains(&(&cell.to, cell.port))
                && matches!(record.expected, Expected::Allow(_))
        })
        .map(|(cell, _)| cell.clone())
        .collect()
}

/// The flows that have a verdict, confirmed and recent, and when each was last seen.
pub fn judged(ledger: &Ledger) -> BTreeMap<&Cell, Duration> {
    let now = uptime();
    let has_verdict = |cell: &Cell| match ledger.verdict(cell, now) {
        Some(Verdict::Conforms | Verdict::Leak(_) | Verdict::Blocked(_)) => true,
        Some(Verdict::Settling | Verdict::Unspecified(_) | Verdict::Inconclusive(_)) | None => {
            false
        }
    };
    let records = ledger.records().filter(|(cell, _)| has_verdict(cell));
    records.filter_map(|(cell, record)| Some((cell, record.seen.as_ref()?.1))).collect()
}

/// What is known of every flow, with what only people need.
pub fn details(
    ledger: &Ledger,
    scenario: &Scenario,
    stand_ins: &[StandIn],
    world: &World,
) -> Matrix<Detail> {
    let policies: Vec<&Policy> =
        world.policies.values().filter_map(|read| read.meaning.as_ref().ok()).collect();
    let up = uptime();
    ledger
        .records()
        .filter_map(|(cell, record)| {
            let line = Line {
                expected: record.expected.clone(),
                outcome: record.seen.as_ref().map(|(outcome, _)| outcome.clone()),
                verdict: ledger.verdict(cell, up)?,
            };
            let places = [&cell.from, &cell.to].map(|actor| place(actor, scenario, stand_ins));
            let sentence = sentence(cell, &line, [&places[0], &places[1]], &policies);
            let detail = Detail {
                line,
                sentence,
                places,
                since: time_of_day(record.since),
                agreeing: record.agreeing(),
                intents: scenario.flows.get(cell).cloned().unwrap_or_default(),
            };
            Some((cell.clone(), detail))
        })
        .collect()
}
