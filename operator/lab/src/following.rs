//! Times how fast the lab's network follows a change, by a few of the flows that it turns.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use netproof_conformance::{expected::Expected, ledger::Change, matrix::Cell};
use tokio::time::Instant;

use super::{rounds::prediction, stage::Stage};
use netproof_rounds::{
    engine::follow::{self, Changed},
    predict::asked,
};

/// How many flows are attempted for each way in which a change goes.
const FLOWS: usize = 4;

/// How fast a flow was seen to go as the policies say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed {
    /// The flow.
    pub cell: Cell,
    /// Which way it was turned.
    pub change: Change,
    /// From the change; none if it was not seen in time.
    pub latency: Option<Duration>,
}

/// Attempts flows that a change at this moment turned, between pods that were there before, for as
/// long as it may take.
pub async fn follow(before: &Stage, now: &Stage, at: Instant, within: Duration) -> Vec<Timed> {
    let timed = turned(before, now).into_iter().filter_map(|(cell, change)| {
        let changed = changed(&cell, change, at, now)?;
        let timeout = now.scene.scenario.timeout;
        Some(async move {
            let latency = follow::time(&changed, timeout, at + within).await;
            Timed { cell, change, latency }
        })
    });
    join_all(timed).await
}

/// Some of the flows of which the policies say the opposite of what they said.
fn turned(before: &Stage, now: &Stage) -> Vec<(Cell, Change)> {
    let is_new = |cell: &Cell| {
        [&cell.from, &cell.to].into_iter().any(|actor| {
            let identity = |stage: &Stage| {
                let pod = stage.scene.pods.iter().find(|pod| pod.actor == *actor);
                pod.map(|pod| pod.identity.clone())
            };
            identity(before) != identity(now)
        })
    };
    let was = prediction(&before.scene).expected;
    let is = prediction(&now.scene).expected;
    let turn = |cell: &Cell, is: &Expected| Change::between(was.get(cell)?, is);
    let of_way = |way| {
        let cells =
            is.iter().filter(move |(cell, is)| turn(cell, is) == Some(way) && !is_new(cell));
        cells.map(move |(cell, _)| (cell.clone(), way)).take(FLOWS)
    };
    [Change::Tightening, Change::Loosening].into_iter().flat_map(of_way).collect()
}

fn changed(cell: &Cell, change: Change, at: Instant, now: &Stage) -> Option<Changed> {
    let flow = asked(cell, &now.scene.scenario, &now.scene.stand_ins).ok()?;
    let session = |actor| Some(Arc::clone(now.sessions.get(actor)?.as_ref().ok()?));
    let (sender, receiver) = (session(&cell.from)?, session(&cell.to));
    Some(Changed { flow, change, at, sender, receiver })
}
