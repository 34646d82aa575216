//! Times how fast the lab's network follows a change, by a few of the flows that it turns.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use netproof_conformance::{
    ledger::ExpectationChange,
    matrix::{Actor, Cell},
};
use tokio::time::Instant;

use super::{rounds::prediction, scene::Scene, stage::Stage};
use netproof_rounds::measurements::latency::{self, ChangedFlow, spread};

/// How many flows are attempted for each direction of a change, tightening and loosening.
const FLOWS: usize = 4;

/// How fast a flow was seen to go as the policies say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedChange {
    /// The flow that was attempted.
    pub cell: Cell,
    /// Whether the policies deny it now, or allow it.
    pub change: ExpectationChange,
    /// The time since the change; none if the network was not seen to follow in time.
    pub latency: Option<Duration>,
}

/// Attempts flows that the change at `at` turned, between pods that were there before. Ends when
/// the network has followed for each of them, and at `at + within` at the latest.
pub async fn follow(
    before: &Stage,
    now: &Stage,
    at: Instant,
    within: Duration,
) -> Vec<TimedChange> {
    let timed = turned(before, now).into_iter().filter_map(|(cell, change)| {
        let Scene { scenario, stand_ins, .. } = &*now.scene;
        let session = |actor: &_| Some(Arc::clone(now.sessions.get(actor)?.as_ref().ok()?));
        let changed = ChangedFlow::of((&cell, change), at, (scenario, stand_ins), session)?;
        let timeout = scenario.timeout;
        Some(async move {
            let latency = latency::time(&changed, timeout, at + within).await;
            TimedChange { cell, change, latency }
        })
    });
    join_all(timed).await
}

/// Some of the flows of which the policies say the opposite of what they said before.
fn turned(before: &Stage, now: &Stage) -> Vec<(Cell, ExpectationChange)> {
    let is_new = |actor: &Actor| {
        let identity = |stage: &Stage| {
            let pod = stage.scene.pods.iter().find(|pod| pod.actor == *actor);
            pod.map(|pod| pod.identity.clone())
        };
        identity(before) != identity(now)
    };
    let (was, is) = (prediction(&before.scene).expected, prediction(&now.scene).expected);
    let all = latency::turned(&was, &is).into_iter();
    let (tightened, loosened): (Vec<_>, Vec<_>) = all
        .filter(|(cell, _)| !is_new(&cell.from) && !is_new(&cell.to))
        .partition(|(_, change)| *change == ExpectationChange::Tightening);
    [tightened, loosened].into_iter().flat_map(|way| spread(way, FLOWS)).collect()
}
