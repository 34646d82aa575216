//! Measures, beside the rounds, what rounds are too slow for: how new stand-ins start, how fast the
//! network follows a change, and what becomes of existing connections.
//!
//! No flow is judged here. Measurements go into the status through the tester, and to Prometheus.

mod changes;
mod connections;
mod newcomers;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use netproof_conformance::{
    diagnosis::TimeFault,
    expected::Expected,
    ledger::ExpectationChange,
    matrix::{Actor, Cell, Matrix},
};
use netproof_crds::{ConnectivityTestStatus, ExistingConnections, Finding, StartUpCounts, TestRef};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::Instant,
};

use super::publish::start_ups;
use crate::{
    assignment::Assignment,
    metrics::TestMetrics,
    probes::{PodRef, ProbeLink},
    shared::Shared,
};
use netproof_rounds::{
    engine::session::Session,
    measurements::{
        existing,
        latency::turned,
        start_up::{Found, Started, Window, sign, tally},
    },
    predict::{Prediction, StandIn, Unreliable, predict},
    scenario::Scenario,
    world::World,
};

use connections::Connections;
use newcomers::Greeted;

/// How long until the next look if nothing changes.
const LOOK: Duration = Duration::from_secs(5);

/// The links to the probes of a test, by their pods.
pub(super) type ProbeLinks = BTreeMap<PodRef, ProbeLink>;

/// What was measured of a test, for its status and its diagnosis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Measurements {
    /// The generation of the spec under which the leaks were seen.
    generation: i64,
    /// The start-up leaks that stand, and the time for which each accepted connections; none for
    /// leaks that an earlier operator saw.
    leaks: Vec<(Finding, Option<Window>)>,
    /// What the start of each stand-in showed, by its pod's UID.
    starts: BTreeMap<String, Started>,
    /// What became of connections that existed when the policies began to deny them.
    pub(super) existing: Option<ExistingConnections>,
}

impl Measurements {
    /// What an earlier operator measured, as its status says.
    pub(super) fn left_by(before: &ConnectivityTestStatus) -> Self {
        Self {
            generation: before.observed_generation.unwrap_or_default(),
            leaks: start_ups(before).into_iter().map(|finding| (finding, None)).collect(),
            starts: BTreeMap::new(),
            existing: before.existing_connections,
        }
    }

    /// The start-up leaks of this generation of the spec; none of another.
    pub(super) fn leaks_of(&self, generation: i64) -> Vec<Finding> {
        self.standing(generation).map(|(finding, _)| finding.clone()).collect()
    }

    /// The fault that the leaks of this generation are a sign of, if there are any.
    pub(super) fn sign(&self, generation: i64) -> Option<TimeFault> {
        sign(self.standing(generation).filter_map(|(_, window)| window.as_ref()))
    }

    /// How these stand-ins started. A start that was not attempted counts as not established.
    pub(super) fn counts<'a>(&self, stand_ins: impl Iterator<Item = &'a StandIn>) -> StartUpCounts {
        tally(stand_ins.map(|stand_in| {
            let (_, pod) = stand_in.pod.as_ref()?;
            self.starts.get(&pod.uid).copied()
        }))
    }

    fn standing(&self, generation: i64) -> impl Iterator<Item = &(Finding, Option<Window>)> {
        self.leaks.iter().filter(move |_| self.generation == generation)
    }
}

/// What timing reads, and where its measurements go.
pub(super) struct Sources {
    pub(super) test: TestRef,
    pub(super) shared: Arc<Shared>,
    pub(super) assignment: watch::Receiver<Arc<Assignment>>,
    pub(super) links: watch::Receiver<Arc<ProbeLinks>>,
    /// Changes when a conversation with a probe begins or ends.
    pub(super) turned: watch::Receiver<()>,
    pub(super) measurements: watch::Sender<Arc<Measurements>>,
}

/// The task that measures one test.
pub(super) struct Timing {
    sources: Sources,
    world: watch::Receiver<Arc<World>>,
    jobs: JoinSet<Done>,
    /// The assignment and the World that `expected` was predicted from.
    seen: Option<(Arc<Assignment>, Arc<World>)>,
    expected: Matrix<Expected>,
    /// Since when each probe has been speaking, by its pod's UID.
    speaking: BTreeMap<String, Instant>,
    /// The UIDs of pods whose start was attempted, or is too long ago.
    started: BTreeSet<String>,
    newcomers: BTreeMap<String, Greeted>,
    following: BTreeMap<Cell, AbortHandle>,
    connections: Connections,
}

/// What a task has found; flows by their cells.
enum Done {
    Started { uid: String, found: Vec<Found> },
    Followed { cell: Cell, change: ExpectationChange, latency: Option<Duration>, measured: bool },
    Opened { cell: Cell, held: Result<existing::HeldConnection, String> },
    Refreshed { cell: Cell, held: Option<existing::HeldConnection> },
    Fated { cell: Cell, fate: existing::Fate },
}

impl Timing {
    /// A task that has measured nothing.
    pub(super) fn new(sources: Sources) -> Self {
        // The starts of pods that exist already can be attempted no more.
        let there = Arc::clone(&sources.assignment.borrow());
        let started = there.stand_ins.iter().filter_map(|s| Some(s.pod.as_ref()?.1.uid.clone()));
        Self {
            started: started.collect(),
            world: sources.shared.world.clone(),
            sources,
            jobs: JoinSet::new(),
            seen: None,
            expected: Matrix::default(),
            speaking: BTreeMap::new(),
            newcomers: BTreeMap::new(),
            following: BTreeMap::new(),
            connections: Connections::default(),
        }
    }

    /// Measures until a sender of its sources is gone.
    pub(super) async fn run(mut self) {
        loop {
            self.look();
            tokio::select! {
                changed = self.sources.assignment.changed() => if changed.is_err() { return },
                changed = self.world.changed() => if changed.is_err() { return },
                changed = self.sources.links.changed() => if changed.is_err() { return },
                changed = self.sources.turned.changed() => if changed.is_err() { return },
                Some(done) = self.jobs.join_next() => {
                    // A task that was aborted has found nothing.
                    if let Ok(done) = done {
                        self.note(done);
                    }
                }
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Starts a task for everything that is to be measured now.
    fn look(&mut self) {
        let assignment = Arc::clone(&self.sources.assignment.borrow_and_update());
        let world = Arc::clone(&self.world.borrow_and_update());
        let scenario = match &assignment.scenario {
            // A test that has ended or is being changed lacks some of its stand-ins.
            Ok(scenario)
                if !assignment.suspended
                    && assignment.stand_ins.len() == scenario.desired.len() =>
            {
                scenario
            }
            Ok(_) | Err(_) => return self.rest(),
        };
        self.note_speaking(&assignment);
        let changed = if self.is_news(&assignment, &world) {
            let Prediction { expected, unreliable, .. } =
                predict(scenario, &assignment.stand_ins, &world);
            if unreliable != Unreliable::default() {
                return self.rest();
            }
            let changed = turned(&self.expected, &expected);
            self.expected = expected;
            changed
        } else {
            vec![]
        };
        self.seen = Some((Arc::clone(&assignment), Arc::clone(&world)));
        if world.blindness(std::time::Instant::now()).is_some() {
            return;
        }
        self.follow(changed, scenario, &assignment);
        self.greet_newcomers(scenario, &assignment);
        self.keep_connections(scenario, &assignment);
    }

    /// Aborts all tasks, and forgets what they were for.
    fn rest(&mut self) {
        self.jobs.abort_all();
        self.seen = None;
        self.expected = Matrix::default();
        self.newcomers.clear();
        self.following.clear();
        self.connections.clear();
    }

    /// Whether anything that predictions are made from has changed since they were made.
    fn is_news(&self, assignment: &Arc<Assignment>, world: &Arc<World>) -> bool {
        let Some((before, seen)) = &self.seen else { return true };
        !(Arc::ptr_eq(before, assignment)
            && Arc::ptr_eq(&seen.policies, &world.policies)
            && Arc::ptr_eq(&seen.namespaces, &world.namespaces)
            && Arc::ptr_eq(&seen.nodes, &world.nodes)
            && seen.cluster_policies.len() == world.cluster_policies.len()
            && seen
                .cluster_policies
                .values()
                .zip(world.cluster_policies.values())
                .all(|(old, new)| Arc::ptr_eq(old, new)))
    }

    fn note_speaking(&mut self, assignment: &Assignment) {
        let now = Instant::now();
        let speak: BTreeSet<String> = assignment
            .stand_ins
            .iter()
            .filter(|stand_in| self.session(stand_in).is_some())
            .filter_map(|stand_in| Some(stand_in.pod.as_ref()?.1.uid.clone()))
            .collect();
        self.speaking.retain(|uid, _| speak.contains(uid));
        for uid in speak {
            self.speaking.entry(uid).or_insert(now);
        }
    }

    /// The session with a stand-in's probe, if there is one.
    fn session(&self, stand_in: &StandIn) -> Option<Arc<Session>> {
        let (name, pod) = stand_in.pod.as_ref()?;
        let id = PodRef::of(name, pod);
        self.sources.links.borrow().get(&id)?.conversation().ok()
    }

    /// Whether both ends of a flow have been speaking for as long as a network may take to know
    /// them. External addresses always count.
    fn is_settled(&self, cell: &Cell, scenario: &Scenario, assignment: &Assignment) -> bool {
        [&cell.from, &cell.to].into_iter().all(|actor| {
            scenario.externals.contains_key(&actor.endpoint)
                || stand_in(actor, assignment)
                    .and_then(|stand_in| self.speaking.get(&stand_in.pod.as_ref()?.1.uid))
                    .is_some_and(|since| since.elapsed() >= scenario.patience.settle)
        })
    }

    fn note(&mut self, done: Done) {
        match done {
            Done::Started { uid, found } => self.note_start(&uid, &found),
            Done::Followed { cell, change, latency, measured } => {
                self.note_followed(&cell, change, latency, measured);
            }
            Done::Opened { cell, held } => self.connections.opened(&cell, held),
            Done::Refreshed { cell, held } => self.connections.refreshed(&cell, held),
            Done::Fated { cell, fate } => self.note_fate(&cell, fate),
        }
    }

    fn metrics(&self) -> TestMetrics<'_> {
        self.sources.shared.metrics.of(&self.sources.test.namespace, &self.sources.test.name)
    }
}

/// The stand-in of an actor, if the assignment has one.
fn stand_in<'a>(actor: &Actor, assignment: &'a Assignment) -> Option<&'a StandIn> {
    assignment.stand_ins.iter().find(|stand_in| stand_in.desired.actor == *actor)
}

#[cfg(test)]
#[path = "timing_tests.rs"]
mod tests;
