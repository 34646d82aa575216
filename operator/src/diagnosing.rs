//! From what is known of a test's flows to the evidence of a diagnosis.

use std::collections::BTreeMap;

use netproof_conformance::{
    diagnosis::{Observation, history::History},
    flow::Flow,
    ledger::Ledger,
    matrix::Cell,
    verdict::{Steadiness, Verdict},
};

use crate::uptime;

/// What was seen of each flow that is judged, confirmed and recent.
pub fn observations(
    ledger: &Ledger,
    history: &History,
    flow: &impl Fn(&Cell) -> Option<Flow>,
) -> BTreeMap<Cell, Observation> {
    let now = uptime();
    let judged = ledger.records().filter_map(|(cell, record)| {
        let flaps = match ledger.verdict(cell, now)? {
            Verdict::Conforms
            | Verdict::Leak(Steadiness::Steady)
            | Verdict::Blocked(Steadiness::Steady) => false,
            Verdict::Leak(Steadiness::Flapping { .. })
            | Verdict::Blocked(Steadiness::Flapping { .. }) => true,
            Verdict::Settling | Verdict::Unspecified(_) | Verdict::Inconclusive(_) => return None,
        };
        let (outcome, _) = record.seen.clone()?;
        let observation =
            Observation { flow: flow(cell)?, outcome, flaps: flaps || history.flaps(cell) };
        Some((cell.clone(), observation))
    });
    judged.collect()
}
