//! A new pod of the lab, attempted from before its address answers by pods that the policies deny it.

use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use netproof_conformance::{
    expected::Expected,
    flow::Family,
    matrix::{Actor, Cell},
    policy::Policy,
    report::{Place, startup_sentence},
};
use netproof_crds::Finding;
use tokio::{sync::watch, task::JoinHandle};

use super::{scene::Scene, stage::Stage, verdict::family_word};
use netproof_rounds::{
    engine::{
        session::Session,
        startup::{Found, Pace, Sender, Window, choose, search},
    },
    predict::{between, place, predict},
    status::startup_finding,
};

/// The lab has nothing that is slow: what is quiet for so long is isolated.
pub const PACE: Pace = Pace {
    every: Duration::from_millis(5),
    timeout: Duration::from_millis(50),
    quiet: 20,
    quiet_for: Duration::from_millis(100),
    limit: Duration::from_secs(5),
};

/// Which new pods are attempted, and by which flows.
pub struct Attempting<'a> {
    /// How often and how long.
    pub pace: Pace,
    /// Whether a flow that the policies deny may be used.
    pub may: &'a (dyn Fn(&Cell, Family) -> bool + Sync),
}

/// A new pod that is being attempted, in one family of addresses.
pub struct Newcomer {
    family: Family,
    cells: Vec<Cell>,
    stage: Arc<Stage>,
    arrival: watch::Sender<Option<Arc<Session>>>,
    _denied: watch::Sender<bool>,
    search: JoinHandle<Vec<Found>>,
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        self.search.abort();
    }
}

/// How a new pod started, as one sender saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct StartUp {
    /// The flow.
    pub cell: Cell,
    /// The family of addresses.
    pub family: Family,
    /// Where its ends are.
    pub places: [Place; 2],
    /// What was found.
    pub found: Found,
    /// The same for people.
    pub sentence: String,
    expected: Expected,
}

impl Newcomer {
    /// Begins to attempt a pod that is about to start, once for each family of its addresses. What
    /// the policies denied before it came, as they would have it, and deny now is attempted, by pods
    /// that were there before.
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
        let (tell, denied) = watch::channel(true);
        let state = |actor: &Actor| {
            let stand_in = scene.stand_ins.iter().find(|one| one.desired.actor == *actor);
            stand_in.and_then(|stand_in| Some(&stand_in.pod.as_ref()?.1))
        };
        let sender = |cell: &Cell| {
            let session = Arc::clone(now.sessions.get(&cell.from)?.as_ref().ok()?);
            let flow = between(cell, state(&cell.from)?, state(&cell.to)?).ok()?;
            Some(Sender { flow, session, denied: denied.clone() })
        };
        let (cells, senders): (Vec<_>, Vec<_>) =
            cells.into_iter().filter_map(|cell| Some((cell.clone(), sender(&cell)?))).unzip();
        if cells.is_empty() {
            return None;
        }
        let arrival = watch::Sender::new(None);
        let search = tokio::spawn(search(senders, arrival.subscribe(), pace));
        Some(Self { family, cells, stage: Arc::clone(now), arrival, _denied: tell, search })
    }

    /// Who it is.
    pub fn actor(&self) -> &Actor {
        &self.cells.first().expect("it is attempted by somebody").to
    }

    /// It speaks.
    pub fn arrived(&self, session: &Arc<Session>) {
        self.arrival.send_replace(Some(Arc::clone(session)));
    }

    /// How it started.
    pub async fn start_ups(mut self) -> anyhow::Result<Vec<StartUp>> {
        let found = (&mut self.search).await?;
        let Scene { scenario, stand_ins, world, .. } = &self.stage.scene.of_family(self.family);
        let policies: Vec<&Policy> =
            world.policies.values().filter_map(|read| read.meaning.as_ref().ok()).collect();
        let expected = predict(scenario, stand_ins, world).expected;
        let start_up = |(cell, found): (&Cell, Found)| {
            let expected = expected.get(cell)?.clone();
            let places = [&cell.from, &cell.to].map(|actor| place(actor, scenario, stand_ins));
            let [from, to] = &places;
            let sentence = match &found {
                Found::Leaked(window) => {
                    let accepted = window.in_words();
                    startup_sentence(cell, &expected, [from, to], &policies, &accepted)
                }
                Found::Isolated { attempts, resolution } => format!(
                    "New pod {} ({}) was isolated from its first instant: {} was denied port {} over {} in {attempts} attempts (resolution {} ms).",
                    cell.to,
                    to.at,
                    cell.from,
                    cell.port,
                    family_word(self.family),
                    resolution.as_millis().max(1)
                ),
                Found::Inconclusive(why) => {
                    format!("How new pod {} ({}) started cannot be told: {why}.", cell.to, to.at)
                }
            };
            let family = self.family;
            Some(StartUp { cell: cell.clone(), family, places, found, sentence, expected })
        };
        Ok(self.cells.iter().zip(found).filter_map(start_up).collect())
    }
}

impl StartUp {
    /// When it accepted what the policies deny, if it did.
    pub fn leak(&self) -> Option<&Window> {
        match &self.found {
            Found::Leaked(window) => Some(window),
            Found::Isolated { .. } | Found::Inconclusive(_) => None,
        }
    }

    /// The finding, if it is one.
    pub fn finding(&self) -> Option<Finding> {
        self.leak()?;
        let (places, sentence) = (&self.places, self.sentence.clone());
        Some(startup_finding(&self.cell, &self.expected, places, sentence, Timestamp::now()))
    }
}

/// The flows that the policies deny, those of before and those of now; the pods that stayed taken
/// as they were and as they are.
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
