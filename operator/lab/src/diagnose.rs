//! Diagnoses the lab's network, and attempts the flows that would tell candidates apart.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use netproof_conformance::{
    diagnosis::{Diagnosis, Evidence, RefusalManner, diagnose},
    flow::{Family, Flow},
    matrix::Cell,
};

use super::rounds::{Rounds, prediction};
use netproof_rounds::{clock::uptime, diagnosing::sentence, predict::naming};

/// How many times flows that would tell candidates apart are attempted.
const TIMES: usize = 3;

/// How long such flows may take to be judged.
const PATIENCE: Duration = Duration::from_secs(20);

/// The diagnosis of what all these rounds saw. Flows that would tell candidates apart are
/// attempted, at most three times, and then the diagnosis is made again.
pub async fn explain(rounds: &mut [Rounds]) -> Diagnosis {
    let mut diagnosis = once(rounds);
    for _ in 0..TIMES {
        let telling: BTreeSet<Flow> = diagnosis.next_probes().iter().copied().collect();
        if telling.is_empty() {
            break;
        }
        for rounds in rounds.iter_mut() {
            let cells = unprobed(rounds);
            let cells = cells.into_iter().filter(|(flow, _)| telling.contains(flow));
            let cells: BTreeSet<Cell> = cells.map(|(_, cell)| cell).collect();
            if !cells.is_empty() {
                rounds.judge_extra(&cells, PATIENCE).await;
            }
        }
        diagnosis = once(rounds);
    }
    diagnosis
}

fn once(rounds: &[Rounds]) -> Diagnosis {
    let Some(first) = rounds.first() else { return Diagnosis::NoEvidence };
    let snapshot = prediction(&first.whole()).snapshot;
    let observations = rounds.iter().flat_map(|rounds| rounds.observed().into_values()).collect();
    let unprobed = rounds.iter().flat_map(|rounds| unprobed(rounds).into_keys()).collect();
    let pasts = rounds.iter().flat_map(|rounds| rounds.book.pasts()).collect();
    let time = rounds.iter().find_map(|rounds| rounds.book.time_fault());
    diagnose(&Evidence { snapshot: &snapshot, observations, unprobed, pasts, time })
}

/// The observations that rule out every known fault, a sentence each. Empty unless the diagnosis is
/// [`Diagnosis::Unexplained`].
pub fn ruled_out_by(diagnosis: &Diagnosis, rounds: &[Rounds]) -> Vec<String> {
    let Diagnosis::Unexplained(unexplained) = diagnosis else { return Vec::new() };
    let Some(first) = rounds.first() else { return Vec::new() };
    let snapshot = prediction(&first.whole()).snapshot;
    let observed: Vec<_> = rounds.iter().flat_map(Rounds::observed).collect();
    let by = |flow: &Flow| observed.iter().find(|(_, one)| one.flow == *flow);
    let by = unexplained.ruled_out_by.iter().filter_map(by);
    by.map(|(cell, one)| sentence(&snapshot, cell, one)).collect()
}

/// The manner in which the network denies, over all families; none if nothing was denied lately.
pub fn manner(rounds: &[Rounds]) -> Option<RefusalManner> {
    let now = uptime();
    rounds.iter().filter_map(|rounds| rounds.book.manner(now)).reduce(RefusalManner::and)
}

/// Flows that could be attempted and were not observed.
fn unprobed(rounds: &Rounds) -> BTreeMap<Flow, Cell> {
    let scene = &rounds.stage().scene;
    let name = naming(&scene.scenario, &scene.stand_ins);
    let of_family =
        |cell: &Cell, family: Option<Family>| name(cell).map(|flow| Flow { family, ..flow });
    let observed = rounds.observed();
    let all = scene.attemptable().into_iter().filter(|cell| !observed.contains_key(cell));
    all.filter_map(|cell| Some((of_family(&cell, rounds.family())?, cell))).collect()
}
