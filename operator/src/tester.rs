//! Carries one test out: keeps its probes, runs its rounds, and publishes what they say.

mod diagnoses;
mod diagnosis;
mod news;
mod probing;
mod publish;
mod rounds;
mod timing;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;
use netproof_conformance::{ledger::Patience, matrix::Actor};
use netproof_crds::{ConnectivityTestStatus, LastRound, TestRef};
use tokio::{sync::watch, task::JoinSet, time::Instant};
use tracing::{Instrument, debug, warn};

use crate::{
    assignment::Assignment,
    certify::Certifier,
    probes::{PodRef, Probe},
    shared::Shared,
};
use netproof_rounds::{
    book::Book, clock::uptime, diagnosing::Diagnosed, flow_budget::Moment, pass::Looked,
    predict::Unreliable, scenario::Scenario, status::Phase, world::World,
};

use diagnoses::{Diagnoses, names_a_fault};
use diagnosis::PROMPT;
use rounds::FlowScope;

use publish::Publisher;
use timing::{Measurements, ProbeLinks, Sources, Timing};

/// Between two looks while nothing can be attempted. What ends that wakes the test; only that
/// evidence ages does not.
const IDLE: Duration = Duration::from_secs(1);

/// One test being carried out.
pub struct Tester {
    shared: Arc<Shared>,
    world: watch::Receiver<Arc<World>>,
    assignment: watch::Receiver<Arc<Assignment>>,
    turned: watch::Sender<()>,
    probes: BTreeMap<PodRef, Probe>,
    /// Whose probes spoke when last asked.
    speaking: BTreeSet<Actor>,
    book: Book,
    diagnoses: Diagnoses,
    /// Has the picture confirmed before somebody is accused.
    certifier: Certifier,
    /// What the network does wrong.
    said: Option<Arc<Diagnosed>>,
    /// Whether flows are to be seen again, as the policies have changed, before that is known.
    is_behind: bool,
    /// When to ask for that again though nothing changes.
    ask_again: Option<Instant>,
    /// What the predictions lacked when last made.
    unreliable: Unreliable,
    next_round: Instant,
    /// The last round over all flows in which every probe spoke.
    last_round: Option<(LastRound, Instant)>,
    publisher: Publisher,
    /// What is measured beside the rounds.
    measurements: watch::Receiver<Arc<Measurements>>,
    /// The links to the probes, for what is measured beside the rounds.
    links: watch::Sender<Arc<ProbeLinks>>,
    timing: Option<Timing>,
    timings: JoinSet<()>,
}

impl Tester {
    /// A test that nothing is known of yet, but for the status that an earlier operator left.
    pub fn new(
        test: TestRef,
        created: Option<Timestamp>,
        before: ConnectivityTestStatus,
        shared: Arc<Shared>,
        assignment: watch::Receiver<Arc<Assignment>>,
    ) -> Self {
        let patience = Patience {
            settle: Duration::ZERO,
            confirm: 1,
            stale_after: Duration::ZERO,
            silence: Duration::ZERO,
            leak_retention: Duration::ZERO,
        };
        let turned = watch::Sender::new(());
        let links = watch::Sender::new(Arc::default());
        let (measurements, seen) = watch::channel(Arc::new(Measurements::left_by(&before)));
        let timing = Timing::new(Sources {
            test: test.clone(),
            shared: Arc::clone(&shared),
            assignment: assignment.clone(),
            links: links.subscribe(),
            turned: turned.subscribe(),
            measurements,
        });
        Self {
            measurements: seen,
            links,
            timing: Some(timing),
            timings: JoinSet::new(),
            world: shared.world.clone(),
            publisher: Publisher::new(test, created, before, Arc::clone(&shared)),
            shared,
            assignment,
            turned,
            probes: BTreeMap::new(),
            speaking: BTreeSet::new(),
            book: Book::forgiving(patience),
            diagnoses: Diagnoses::default(),
            certifier: Certifier::default(),
            said: None,
            is_behind: false,
            ask_again: None,
            unreliable: Unreliable::default(),
            next_round: Instant::now(),
            last_round: None,
        }
    }

    /// Carries the test out until the controller takes it away.
    pub async fn run(mut self) {
        let mut turned = self.turned.subscribe();
        if let Some(timing) = self.timing.take() {
            self.timings.spawn(timing.run().in_current_span());
        }
        loop {
            let wake = self.step().await;
            tokio::select! {
                changed = self.assignment.changed() => if changed.is_err() { return },
                changed = self.world.changed() => if changed.is_err() { return },
                _ = turned.changed() => {}
                Ok(()) = self.measurements.changed() => {}
                Some(()) = self.diagnoses.next() => {}
                Some(ended) = self.timings.join_next() => warn!(?ended, "Timing ended"),
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    /// Looks at what has changed, attempts what is due, publishes; returns when to look again.
    async fn step(&mut self) -> Instant {
        let assignment = Arc::clone(&self.assignment.borrow_and_update());
        let world = Arc::clone(&self.world.borrow_and_update());
        if assignment.once && self.publisher.is_final(assignment.generation) {
            // The verdict stands, and nobody writes to it any more.
            self.probes.clear();
            self.publisher.metrics().suspended(true);
            return Instant::now() + Duration::from_secs(60);
        }
        let scenario = match &assignment.scenario {
            Ok(scenario) if !assignment.suspended => scenario,
            Ok(_) => return self.rest(&assignment, Phase::Suspended).await,
            Err(problem) => {
                return self.rest(&assignment, Phase::NotAccepted(problem.clone())).await;
            }
        };
        let stand_ins = &assignment.stand_ins;
        let moment = Moment { scenario, stand_ins, world: &world, now: uptime() };
        let scenario = self.book.within_budget(moment);
        let scenario = scenario.as_ref();
        self.keep_probes(stand_ins);
        // What is known of each flow takes memory, and a round predicts anew.
        let Looked { prediction, changed, .. } = self.look(&assignment, scenario);
        let unreliable = prediction.unreliable.clone();
        drop(prediction);
        if !changed.is_empty() {
            debug!(flows = changed.len(), "Predictions changed");
            if !self.book.is_wrong() {
                self.said = self.said.take().filter(|said| !names_a_fault(&said.diagnosis));
            }
            // What was known is not known any more, and is not claimed for another round.
            self.publish(&assignment, Phase::Active).await;
        }
        let now = Instant::now();
        if unreliable != self.unreliable {
            // All that was judged with it, or could not be, is to be judged anew.
            self.unreliable = unreliable;
            self.next_round = now;
        }
        let blind = world.blindness(now.into_std());
        let newcomers = self.note_speaking(stand_ins);
        let able = blind.is_none() && !self.speaking.is_empty();
        let mut scope = FlowScope::Some;
        if able {
            if now >= self.next_round || newcomers {
                scope = FlowScope::All;
                self.next_round = now + scenario.interval;
                self.round(&assignment, scenario, FlowScope::All, BTreeSet::new()).await;
            } else {
                let mut due = self.book.due(uptime());
                due.extend(changed);
                self.round(&assignment, scenario, FlowScope::Some, due).await;
            }
        } else {
            self.note_missing(&assignment);
        }
        self.diagnose(&assignment, scenario, PROMPT).await;
        if assignment.once && able {
            self.explain(&assignment, scenario).await;
        }
        let retry = self.publish(&assignment, Phase::Active).await;
        if able {
            self.inquire(&assignment, scenario, scope).await;
        }
        let wake = if able { self.wake(scenario) } else { Instant::now() + IDLE };
        wake.min(retry.unwrap_or(wake))
    }

    /// Nothing is attempted; says so.
    async fn rest(&mut self, assignment: &Assignment, phase: Phase) -> Instant {
        self.probes.clear();
        self.speaking.clear();
        self.book.forget();
        self.diagnoses.forget();
        (self.said, self.ask_again) = (None, None);
        self.last_round = None;
        self.next_round = Instant::now();
        let retry = self.publish(assignment, phase).await;
        retry.unwrap_or_else(|| Instant::now() + Duration::from_secs(60))
    }

    /// Takes over what the policies say now.
    fn look(&mut self, assignment: &Assignment, scenario: &Scenario) -> Looked {
        let world = Arc::clone(&self.world.borrow());
        let stand_ins = &assignment.stand_ins;
        let moment = Moment { scenario, stand_ins, world: &world, now: uptime() };
        let looked = self.book.look(moment, None);
        if looked.policies_changed && self.book.is_wrong() {
            // What is wrong is explained by what was seen since: all is to be seen again, when the
            // network has had its time.
            self.next_round = self.next_round.min(Instant::now() + scenario.patience.settle);
        }
        looked
    }

    /// When to look again though nothing changes.
    fn wake(&self, scenario: &Scenario) -> Instant {
        let now = Instant::now();
        let mut wake = self.next_round.min(now + scenario.interval);
        if let Some(soon) = self.book.next_look(uptime()) {
            wake = wake.min(now + soon);
        }
        wake.min(self.ask_again.unwrap_or(wake))
    }
}

#[cfg(test)]
#[path = "tester_tests.rs"]
mod tests;
