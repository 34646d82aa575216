//! What is tried once the flows are judged: how a new pod starts, and what becomes of a connection
//! that exists when it is denied.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use netproof_conformance::{
    expected::Expected,
    flow::Family,
    matrix::{Actor, Cell},
    verdict::Verdict,
};

use super::{
    cluster::LabCluster,
    existing,
    new_pod::{Attempting, NewPod, PACE},
    now,
    rounds::Rounds,
};
use netproof_rounds::{
    engine::round::is_attemptable,
    measurements::{existing::Fate, start_up::ObservedStart},
};

/// Replaces a pod by another, the one that most flows are denied to if its node has an address
/// left, and returns how the new pod started. Only flows that were seen to be denied are attempted:
/// a flow that leaks anyway shows nothing of a start.
pub async fn start_up(
    lab: &mut LabCluster,
    rounds: &[Rounds],
) -> anyhow::Result<Vec<ObservedStart>> {
    let scene = Arc::clone(&lab.stages().borrow().scene);
    let denied: BTreeSet<(Family, Cell)> = rounds.iter().flat_map(denied).collect();
    let mut counts: BTreeMap<&Actor, usize> = BTreeMap::new();
    for (_, cell) in &denied {
        *counts.entry(&cell.to).or_default() += 1;
    }
    let mut by_count: Vec<(&Actor, usize)> = counts.into_iter().collect();
    by_count.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let Some(other) = by_count.iter().find_map(|(actor, _)| scene.with_another(actor)) else {
        return Ok(Vec::new());
    };
    let may = |cell: &Cell, family| denied.contains(&(family, cell.clone()));
    let newcomers = lab.change_greeting(other, &Attempting { pace: PACE, may: &may }).await?;
    how_they_started(newcomers).await
}

/// How new pods started, as each sender saw it.
pub async fn how_they_started(newcomers: Vec<NewPod>) -> anyhow::Result<Vec<ObservedStart>> {
    let mut all = Vec::new();
    for newcomer in newcomers {
        all.extend(newcomer.start_ups().await?);
    }
    Ok(all)
}

/// The flows that the policies deny and that were seen not to connect.
fn denied(rounds: &Rounds) -> Vec<(Family, Cell)> {
    let Some(family) = rounds.family() else { return Vec::new() };
    let denied = rounds.book.ledger().records().filter(|(cell, record)| {
        is_attemptable(cell.port.protocol)
            && matches!(record.expected, Expected::Deny(_))
            && rounds.book.ledger().verdict(cell, now()) == Some(Verdict::Conforms)
    });
    denied.map(|(cell, _)| (family, cell.clone())).collect()
}

/// What becomes of a connection that exists when policies begin to deny it; none if no allowed flow
/// conforms. The policies of its receiver's namespace are replaced.
pub async fn existing(lab: &mut LabCluster, rounds: &[Rounds]) -> anyhow::Result<Option<Fate>> {
    match rounds.iter().find_map(existing::candidate) {
        Some(cell) => existing::fate(lab, &cell).await.map(Some),
        None => Ok(None),
    }
}
