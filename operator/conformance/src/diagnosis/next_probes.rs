//! Chooses the flows to probe next: those that tell rivals apart.

use std::cmp::Reverse;

use super::{
    fit::{Fit, tells},
    trial::Trial,
};
use crate::{compiled::Answer, flow::Flow};

/// The flows that were not probed and tell the chosen candidate from another, those first that
/// split all candidates most evenly.
pub(super) fn next_probes(trial: &Trial<'_>, chosen: &Fit, others: &[Fit]) -> Vec<Flow> {
    let first = trial.observed.len();
    let unprobed = trial.unprobed.iter().zip(first..);
    let mut probes: Vec<(usize, Flow)> = unprobed
        .filter_map(|((flow, _), place)| {
            let all = || [chosen].into_iter().chain(others).map(|fit| fit.answers[place]);
            let is_telling = all().any(|answer| tells(chosen.answers[place], answer));
            let count = |wanted| all().filter(|answer| *answer == wanted).count();
            is_telling.then(|| (count(Answer::Allow).min(count(Answer::Deny)), *flow))
        })
        .collect();
    probes.sort_by_key(|(split, flow)| (Reverse(*split), *flow));
    probes.into_iter().map(|(_, flow)| flow).collect()
}
