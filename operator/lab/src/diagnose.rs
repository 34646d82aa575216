//! Asks what the lab's network does wrong, and attempts what would tell.

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

/// How often flows that would tell candidates apart are attempted, and asked again.
const TIMES: usize = 3;

/// How long such flows may take to be judged.
const PATIENCE: Duration = Duration::from_secs(20);

/// Names what the network does wrong, from what all these rounds saw. Flows that would tell two
/// candidates apart are attempted.
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

/// Why nothing fits, a sentence for each of a few flows.
pub fn ruled_out_by(diagnosis: &Diagnosis, rounds: &[Rounds]) -> Vec<String> {
    let Diagnosis::Unexplained(unexplained) = diagnosis else { return Vec::new() };
    let Some(first) = rounds.first() else { return Vec::new() };
    let snapshot = prediction(&first.whole()).snapshot;
    let observed: Vec<_> = rounds.iter().flat_map(Rounds::observed).collect();
    let by = |flow: &Flow| observed.iter().find(|(_, one)| one.flow == *flow);
    let by = unexplained.ruled_out_by.iter().filter_map(by);
    by.map(|(cell, one)| sentence(&snapshot, cell, one)).collect()
}

/// In which manner denied flows were answered.
pub fn manner(rounds: &[Rounds]) -> Option<RefusalManner> {
    let now = uptime();
    rounds.iter().filter_map(|rounds| rounds.book.manner(now)).reduce(RefusalManner::and)
}

/// Flows that could be attempted and are not judged.
fn unprobed(rounds: &Rounds) -> BTreeMap<Flow, Cell> {
    let scene = &rounds.stage().scene;
    let name = naming(&scene.scenario, &scene.stand_ins);
    let of_family =
        |cell: &Cell, family: Option<Family>| name(cell).map(|flow| Flow { family, ..flow });
    let observed = rounds.observed();
    let all = scene.attemptable().into_iter().filter(|cell| !observed.contains_key(cell));
    all.filter_map(|cell| Some((of_family(&cell, rounds.family())?, cell))).collect()
}
