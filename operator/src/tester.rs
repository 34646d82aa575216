//! Carries one test out: keeps its probes, runs its rounds, and publishes their results.

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

/// The one task of a test, and the one writer of its status.
pub struct Tester {
    shared: Arc<Shared>,
    world: watch::Receiver<Arc<World>>,
    assignment: watch::Receiver<Arc<Assignment>>,
    turned: watch::Sender<()>,
    probes: BTreeMap<PodRef, Probe>,
    /// The actors whose probes spoke at the last look.
    speaking: BTreeSet<Actor>,
    book: Book,
    diagnoses: Diagnoses,
    /// Asks the API server whether the World is up to date, before a Leak or Blocked is reported.
    certifier: Certifier,
    /// The diagnosis that stands.
    said: Option<Arc<Diagnosed>>,
    /// Whether flows are to be seen again, since the policies changed, before a diagnosis is
    /// certain.
    is_behind: bool,
    /// When to ask for a diagnosis again though nothing changes.
    ask_again: Option<Instant>,
    /// What the last predictions lacked.
    unreliable: Unreliable,
    next_round: Instant,
    /// The last round over all flows in which every probe spoke, and when it ended.
    last_round: Option<(LastRound, Instant)>,
    publisher: Publisher,
    /// What `timing` has measured beside the rounds.
    measurements: watch::Receiver<Arc<Measurements>>,
    /// The links to the probes, for `timing`.
    links: watch::Sender<Arc<ProbeLinks>>,
    timing: Option<Timing>,
    timings: JoinSet<()>,
}

impl Tester {
    /// A tester that knows nothing of its test but the status that an earlier operator left.
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

    /// Carries the test out until the sender of assignments or of Worlds is gone. Before it ends it
    /// publishes the last assignment. Dropping the future ends the test at once.
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

    /// Looks at what has changed, attempts what is due, publishes, and returns when to step again.
    async fn step(&mut self) -> Instant {
        let assignment = Arc::clone(&self.assignment.borrow_and_update());
        let world = Arc::clone(&self.world.borrow_and_update());
        if assignment.once && self.publisher.is_final(assignment.generation) {
            // The verdict stands, and the status is written no more.
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
        // A prediction takes memory for each flow, and a round predicts anew.
        let Looked { prediction, changed, .. } = self.look(&assignment, scenario);
        let unreliable = prediction.unreliable.clone();
        drop(prediction);
        if !changed.is_empty() {
            debug!(flows = changed.len(), "Predictions changed");
            if !self.book.is_wrong() {
                self.said = self.said.take().filter(|said| !names_a_fault(&said.diagnosis));
            }
            // Verdicts that no longer hold are not claimed for another round.
            self.publish(&assignment, Phase::Active).await;
        }
        let now = Instant::now();
        if unreliable != self.unreliable {
            // All flows are to be judged anew, by what is known now.
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

    /// Attempts nothing, forgets all that was seen, publishes why, and returns when to step again.
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

    /// Has the book look at what the policies say now.
    fn look(&mut self, assignment: &Assignment, scenario: &Scenario) -> Looked {
        let world = Arc::clone(&self.world.borrow());
        let stand_ins = &assignment.stand_ins;
        let moment = Moment { scenario, stand_ins, world: &world, now: uptime() };
        let looked = self.book.look(moment, None);
        if looked.policies_changed && self.book.is_wrong() {
            // A diagnosis rests on what was seen since the policies changed: all flows are to be
            // seen again once the network has had its time.
            self.next_round = self.next_round.min(Instant::now() + scenario.patience.settle);
        }
        looked
    }

    /// When to step again though nothing changes.
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
