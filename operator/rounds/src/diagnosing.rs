//! From what is known of a test's flows to a diagnosis.

mod question;

mod extra_flows;

mod denial_style;

mod unasked;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::{collections::BTreeMap, time::Duration};

use netproof_conformance::{
    diagnosis::Observation,
    flow::Flow,
    ledger::Ledger,
    matrix::Cell,
    verdict::{Steadiness, Verdict},
};

pub use denial_style::DenialStyles;
pub use extra_flows::ExtraFlows;
pub use question::{Basis, Diagnosed, DiagnosisAnswer, Question, sentence};
pub use unasked::unasked;

/// What was seen since a moment of each flow with a confirmed and recent verdict. A flow counts as
/// flapping if its verdict says so, or if `flapped` does, which may know a longer time.
pub fn observations(
    ledger: &Ledger,
    flapped: impl Fn(&Cell) -> bool,
    flow: &impl Fn(&Cell) -> Option<Flow>,
    since: Duration,
    now: Duration,
) -> BTreeMap<Cell, Observation> {
    let judged = ledger.records().filter_map(|(cell, record)| {
        let flaps = match ledger.verdict(cell, now)? {
            Verdict::Conforms
            | Verdict::Leak(Steadiness::Steady | Steadiness::Ceased { .. })
            | Verdict::Blocked(Steadiness::Steady | Steadiness::Ceased { .. }) => false,
            Verdict::Leak(Steadiness::Flapping { .. })
            | Verdict::Blocked(Steadiness::Flapping { .. }) => true,
            Verdict::Settling | Verdict::Unspecified(_) | Verdict::Inconclusive(_) => return None,
        };
        let (outcome, _) = record.seen.clone().filter(|(_, at)| *at >= since)?;
        let flaps = flaps || flapped(cell);
        Some((cell.clone(), Observation { flow: flow(cell)?, outcome, flaps }))
    });
    judged.collect()
}
