//! A new pod of the lab, attempted from before its address answers by pods that the policies deny
//! it.

use std::{sync::Arc, time::Duration};

use netproof_conformance::{
    expected::Expected,
    flow::Family,
    matrix::{Actor, Cell},
};
use tokio::task::JoinHandle;

use super::{scene::Scene, stage::Stage};
use netproof_rounds::{
    engine::session::Session,
    measurements::start_up::{Found, Newcomer, ObservedStart, Pace, choose, search},
    predict::{between, place, predict},
};

/// How new pods are attempted. Nothing in the lab is slow: a pod that is quiet for 100 ms is
/// isolated.
pub const PACE: Pace = Pace {
    every: Duration::from_millis(5),
    timeout: Duration::from_millis(50),
    quiet: 20,
    quiet_for: Duration::from_millis(100),
    limit: Duration::from_secs(5),
};

/// Which new pods are attempted, and by which flows.
pub struct Attempting<'a> {
    /// How often and for how long they are attempted.
    pub pace: Pace,
    /// Whether a flow that the policies deny may be used.
    pub may: &'a (dyn Fn(&Cell, Family) -> bool + Sync),
}

/// A new pod that is being attempted, in one family of addresses. Dropping it ends the attempts.
pub struct NewPod {
    family: Family,
    stage: Arc<Stage>,
    newcomer: Newcomer,
    search: JoinHandle<Vec<Found>>,
}

impl Drop for NewPod {
    fn drop(&mut self) {
        self.search.abort();
    }
}

impl NewPod {
    /// Begins to attempt a pod that is about to start, once for each family of its addresses. The
    /// flows are those that the policies deny now, and that the earlier policies would have denied
    /// too, from pods that were there before.
    pub fn greet(
        actor: &Actor,
        before: &Stage,
        now: &Arc<Stage>,
        attempting: &Attempting<'_>,
    ) -> Vec<Self> {
        let families = [Family::IPv4, Family::IPv6].into_iter();
        families
            .filter_map(|family| Self::greet_in(family, actor, before, now, attempting))
            .collect()
    }

    fn greet_in(
        family: Family,
        actor: &Actor,
        before: &Stage,
        now: &Arc<Stage>,
        attempting: &Attempting<'_>,
    ) -> Option<Self> {
        let Attempting { pace, may } = *attempting;
        let scene = now.scene.of_family(family);
        let may = |cell: &Cell| cell.to == *actor && may(cell, family);
        let cells: Vec<Cell> = denied(&scene, before).into_iter().filter(may).collect();
        let pods = &now.scene.pods;
        let node = |actor: &Actor| pods.iter().find(|pod| pod.actor == *actor).map(|pod| pod.node);
        let cells = choose(cells.iter(), |cell| {
            let speaks = matches!(now.sessions.get(&cell.from), Some(Ok(_)));
            speaks.then(|| node(&cell.from) == node(actor))
        });
        let state = |actor: &Actor| {
            let stand_in = scene.stand_ins.iter().find(|one| one.desired.actor == *actor);
            stand_in.and_then(|stand_in| Some(&stand_in.pod.as_ref()?.1))
        };
        let sender = |cell: &Cell| {
            let session = Arc::clone(now.sessions.get(&cell.from)?.as_ref().ok()?);
            Some((between(cell, state(&cell.from)?, state(&cell.to)?).ok()?, session))
        };
        let (newcomer, (senders, arriving)) = Newcomer::greet(cells, sender)?;
        let search = tokio::spawn(search(senders, arriving, pace));
        Some(Self { family, stage: Arc::clone(now), newcomer, search })
    }

    /// The new pod in the matrix.
    pub fn actor(&self) -> &Actor {
        &self.newcomer.cells().next().expect("it is attempted by somebody").to
    }

    /// Hands over the new pod's session.
    pub fn arrived(&self, session: &Arc<Session>) {
        self.newcomer.arrived(Arc::clone(session));
    }

    /// Waits for the end of the search, and returns how the pod started, as each sender saw it.
    pub async fn start_ups(mut self) -> anyhow::Result<Vec<ObservedStart>> {
        let found = (&mut self.search).await?;
        let Scene { scenario, stand_ins, world, .. } = &self.stage.scene.of_family(self.family);
        let policies = world.understood_policies();
        let expected = predict(scenario, stand_ins, world).expected;
        let start_up = |(cell, found): (&Cell, Found)| {
            let expected = expected.get(cell)?.clone();
            let places = [&cell.from, &cell.to].map(|actor| place(actor, scenario, stand_ins));
            let family = Some(self.family);
            Some(ObservedStart::new(cell, family, expected, places, found, &policies))
        };
        Ok(self.newcomer.cells().zip(found).filter_map(start_up).collect())
    }
}

/// The flows that the policies deny before the change and after it, with the pods that stayed as
/// they were then and as they are now.
fn denied(scene: &Scene, before: &Stage) -> Vec<Cell> {
    let old = |actor: &Actor| before.scene.stand_ins.iter().find(|one| one.desired.actor == *actor);
    let mut stand_ins = scene.stand_ins.clone();
    for stand_in in &mut stand_ins {
        if let (Some(was), Some((_, pod))) = (old(&stand_in.desired.actor), &mut stand_in.pod)
            && let Some((_, was)) = &was.pod
            && was.uid == pod.uid
        {
            pod.labels.clone_from(&was.labels);
        }
    }
    let was = predict(&scene.scenario, &stand_ins, &before.scene.world).expected;
    let is = predict(&scene.scenario, &scene.stand_ins, &scene.world).expected;
    let is_denied = |expected: Option<&Expected>| matches!(expected, Some(Expected::Deny(_)));
    let cells = is.iter().map(|(cell, _)| cell);
    cells.filter(|cell| is_denied(is.get(cell)) && is_denied(was.get(cell))).cloned().collect()
}
