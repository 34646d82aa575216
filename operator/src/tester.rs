//! Carries one test out: keeps its probes, runs its rounds, and publishes what they say.

mod publish;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::Client;
use netproof_conformance::{
    expected::Expected,
    ledger::{Ledger, Patience},
    matrix::{Actor, Cell, Matrix},
    policy::Policy,
    report::{Line, sentence},
    verdict::{Sighting, Verdict, Why, judge},
};
use netproof_crds::{ConnectivityTestStatus, LastRound, Reason, TestRef};
use tokio::{sync::watch, time::Instant};
use tracing::{debug, info, warn};

use crate::{
    certify::certify,
    engine::round::{self, Asked, Reached, Seen, Sessions},
    metrics::Metrics,
    predict::{Prediction, StandIn, asked, not_running, place, predict},
    probes::{PodId, Probe},
    reports::Reports,
    scenario::{Problem, Scenario},
    status::{Detail, Phase, View},
    time_of_day, uptime,
    world::World,
};

use publish::Publisher;

/// Between two looks at flows that are settling: this bounds how finely latency is measured.
const EAGER: Duration = Duration::from_millis(200);

/// Between two looks at a few of the flows that are wrong, so that a recovery is not noticed only
/// after a whole interval.
const CANARY: Duration = Duration::from_secs(1);

/// How many flows that are wrong are looked at in between.
const CANARIES: usize = 8;

/// What the controller has arranged for a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The generation of the spec that this is about.
    pub generation: i64,
    /// Whether the test ends with its first verdict.
    pub once: bool,
    /// Whether it is not to run for now.
    pub suspended: bool,
    /// What it takes; or why it cannot be carried out.
    pub scenario: Result<Scenario, Problem>,
    /// Its stand-ins, one for each that the scenario desires.
    pub stand_ins: Vec<StandIn>,
}

/// What all tests share.
pub struct Shared {
    /// For requests that end.
    pub client: Client,
    /// For attachments.
    pub streaming: Client,
    /// The picture of the cluster.
    pub world: watch::Receiver<Arc<World>>,
    /// The figures.
    pub metrics: Metrics,
    /// What can be asked about tests.
    pub reports: Reports,
}

/// One test being carried out.
pub struct Tester {
    shared: Arc<Shared>,
    world: watch::Receiver<Arc<World>>,
    assignment: watch::Receiver<Arc<Assignment>>,
    turned: watch::Sender<()>,
    probes: BTreeMap<PodId, Probe>,
    /// Which pod each actor was last seen as.
    known: BTreeMap<Actor, PodId>,
    /// Whose probes spoke when last asked.
    speaking: BTreeSet<Actor>,
    ledger: Ledger,
    next_round: Instant,
    /// The last round over all flows in which every probe spoke.
    last_round: Option<(LastRound, Instant)>,
    publisher: Publisher,
}

/// Which flows to attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    All,
    Some,
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
        let patience = Patience { settle: Duration::ZERO, confirm: 1, stale_after: Duration::ZERO };
        Self {
            world: shared.world.clone(),
            publisher: Publisher::new(test, created, before, Arc::clone(&shared)),
            shared,
            assignment,
            turned: watch::Sender::new(()),
            probes: BTreeMap::new(),
            known: BTreeMap::new(),
            speaking: BTreeSet::new(),
            ledger: Ledger::new(patience),
            next_round: Instant::now(),
            last_round: None,
        }
    }

    /// Carries the test out until the controller takes it away.
    pub async fn run(mut self) {
        let mut turned = self.turned.subscribe();
        loop {
            let wake = self.step().await;
            tokio::select! {
                changed = self.assignment.changed() => if changed.is_err() { return },
                changed = self.world.changed() => if changed.is_err() { return },
                _ = turned.changed() => {}
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
        self.ledger.set_patience(scenario.patience);
        self.keep_probes(&assignment.stand_ins);
        let prediction = predict(scenario, &assignment.stand_ins, &world);
        let changed = self.ledger.expect(&prediction.expected, uptime());
        if !changed.is_empty() {
            debug!(flows = changed.len(), "Predictions changed");
            // What was known is not known any more, and is not claimed for another round.
            self.publish(&assignment, Phase::Active).await;
        }
        let now = Instant::now();
        let blind = world.blindness(now.into_std());
        let newcomers = self.note_speaking(&assignment.stand_ins);
        if blind.is_none() && !self.speaking.is_empty() {
            if now >= self.next_round || newcomers {
                self.next_round = now + scenario.interval;
                self.round(&assignment, scenario, Scope::All, BTreeSet::new()).await;
            } else {
                let mut due = self.ledger.due(uptime());
                due.extend(self.ledger.eager(uptime()));
                due.extend(self.ledger.unconfirmed());
                due.extend(changed);
                due.extend(self.ledger.wrong().into_iter().take(CANARIES));
                self.round(&assignment, scenario, Scope::Some, due).await;
            }
        } else {
            self.note_missing(&assignment);
        }
        let retry = self.publish(&assignment, Phase::Active).await;
        self.wake(scenario).min(retry.unwrap_or(self.next_round))
    }

    /// Nothing is attempted; says so.
    async fn rest(&mut self, assignment: &Assignment, phase: Phase) -> Instant {
        self.probes.clear();
        self.known.clear();
        self.speaking.clear();
        self.ledger.expect(&Matrix::default(), uptime());
        self.last_round = None;
        self.next_round = Instant::now();
        let retry = self.publish(assignment, phase).await;
        retry.unwrap_or_else(|| Instant::now() + Duration::from_secs(60))
    }

    /// When to look again though nothing changes.
    fn wake(&self, scenario: &Scenario) -> Instant {
        let now = Instant::now();
        let mut wake = self.next_round.min(now + scenario.interval);
        let up = uptime();
        if !self.ledger.eager(up).is_empty() {
            wake = wake.min(now + EAGER);
        }
        if !self.ledger.wrong().is_empty() {
            wake = wake.min(now + CANARY);
        }
        if let Some(due) = self.ledger.next_due(up) {
            wake = wake.min(now + due.saturating_sub(up));
        }
        wake
    }

    /// Notes whose probes speak; returns whether one of them did not before.
    fn note_speaking(&mut self, stand_ins: &[StandIn]) -> bool {
        let sessions = self.sessions(stand_ins);
        let speaking: BTreeSet<Actor> =
            sessions.into_iter().filter(|(_, s)| s.is_ok()).map(|(actor, _)| actor).collect();
        let newcomers = !speaking.is_subset(&self.speaking);
        self.speaking = speaking;
        newcomers
    }

    /// Talks to the probes that run, and to no others.
    fn keep_probes(&mut self, stand_ins: &[StandIn]) {
        let mut running = BTreeMap::new();
        for stand_in in stand_ins {
            if let Some((name, pod)) = stand_in.running() {
                let id = PodId {
                    namespace: name.namespace.clone(),
                    name: name.name.clone(),
                    uid: pod.uid.clone(),
                };
                running.insert(stand_in.desired.actor.clone(), (id, pod.started));
            }
        }
        self.probes.retain(|id, _| running.values().any(|(other, _)| other == id));
        for (actor, (id, started)) in running {
            if !self.probes.contains_key(&id) {
                let streaming = self.shared.streaming.clone();
                let probe = Probe::keep(streaming, id.clone(), self.turned.clone());
                self.probes.insert(id.clone(), probe);
            }
            if self.known.get(&actor) != Some(&id) {
                let age = started.map_or(0, |at| Timestamp::now().as_second() - at.as_second());
                let age = Duration::from_secs(u64::try_from(age).unwrap_or(0));
                self.ledger.born(&actor, uptime().saturating_sub(age), uptime());
                self.known.insert(actor, id);
            }
        }
    }

    fn sessions(&self, stand_ins: &[StandIn]) -> Sessions {
        stand_ins
            .iter()
            .map(|stand_in| {
                let conversation = match self.probe(stand_in) {
                    Some(probe) => probe.conversation(),
                    None => Err(not_running(stand_in).message),
                };
                (stand_in.desired.actor.clone(), conversation)
            })
            .collect()
    }

    fn probe(&self, stand_in: &StandIn) -> Option<&Probe> {
        let (name, pod) = stand_in.running()?;
        let id = PodId {
            namespace: name.namespace.clone(),
            name: name.name.clone(),
            uid: pod.uid.clone(),
        };
        self.probes.get(&id)
    }

    /// Flows whose ends are not both there are inconclusive, whether or not a round can be run.
    fn note_missing(&mut self, assignment: &Assignment) {
        let Ok(scenario) = &assignment.scenario else { return };
        let sessions = self.sessions(&assignment.stand_ins);
        let cells: Vec<Cell> = scenario.flows.iter().map(|(cell, _)| cell.clone()).collect();
        for cell in cells {
            let why = asked(&cell, scenario, &assignment.stand_ins).err().or_else(|| {
                [&cell.from, &cell.to]
                    .into_iter()
                    .find_map(|actor| sessions.get(actor)?.as_ref().err().cloned())
            });
            if let Some(why) = why {
                let sighting = Sighting::Inconclusive(Why::NoProbe(why));
                self.ledger.observe(&cell, sighting, None, uptime());
            }
        }
    }

    /// Attempts flows, again as long as repetition has to confirm something, and judges them.
    async fn round(
        &mut self,
        assignment: &Assignment,
        scenario: &Scenario,
        scope: Scope,
        mut cells: BTreeSet<Cell>,
    ) {
        match scope {
            Scope::All => cells = scenario.flows.iter().map(|(cell, _)| cell.clone()).collect(),
            Scope::Some if cells.is_empty() => return,
            Scope::Some => cells.extend(self.companions(&cells, scenario)),
        }
        let began = Instant::now();
        let count = cells.len();
        let mut reached = Reached::new();
        let mut complete = true;
        let mut recovered = false;
        for _ in 0..=2 * scenario.patience.confirm {
            let wrong = self.ledger.wrong();
            complete &= self.pass(assignment, scenario, &cells, &mut reached).await;
            recovered |= wrong.iter().any(|cell| {
                cells.contains(cell)
                    && !matches!(
                        self.ledger.verdict(cell, uptime()),
                        Some(Verdict::Leak(_) | Verdict::Blocked(_))
                    )
            });
            cells = self.ledger.unconfirmed().intersection(&cells).cloned().collect();
            if cells.is_empty() {
                break;
            }
            cells.extend(self.companions(&cells, scenario));
        }
        if recovered && scope == Scope::Some {
            // A canary sings: look at everything.
            self.next_round = Instant::now();
        }
        if scope == Scope::All {
            self.finish_round(began, count, complete);
        }
    }

    fn finish_round(&mut self, began: Instant, flows: usize, complete: bool) {
        let took = began.elapsed();
        info!(flows, complete, ms = took.as_millis(), "Round finished");
        self.publisher.metrics().round(took.as_secs_f64());
        if complete {
            let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let round = LastRound { time: Time(Timestamp::now()), duration_ms };
            self.last_round = Some((round, Instant::now()));
        }
    }

    /// Flows to an address outside prove nothing by silence unless somebody reaches it in the same
    /// round: those who may are asked as well.
    fn companions(&self, cells: &BTreeSet<Cell>, scenario: &Scenario) -> BTreeSet<Cell> {
        let outside: BTreeSet<_> = cells
            .iter()
            .filter(|cell| scenario.externals.contains_key(&cell.to.endpoint))
            .map(|cell| (&cell.to, cell.port))
            .collect();
        self.ledger
            .records()
            .filter(|(cell, record)| {
                outside.contains(&(&cell.to, cell.port))
                    && matches!(record.expected, Expected::Allow(_))
            })
            .map(|(cell, _)| cell.clone())
            .collect()
    }

    /// Attempts each flow once. Returns whether every probe spoke.
    async fn pass(
        &mut self,
        assignment: &Assignment,
        scenario: &Scenario,
        cells: &BTreeSet<Cell>,
        reached: &mut Reached,
    ) -> bool {
        let stand_ins = &assignment.stand_ins;
        let world = Arc::clone(&self.world.borrow());
        let before = predict(scenario, stand_ins, &world);
        let (mut flows, mut absent) = (Vec::<Asked>::new(), Vec::new());
        for cell in cells {
            match asked(cell, scenario, stand_ins) {
                Ok(flow) => flows.push(flow),
                Err(why) => absent.push((cell.clone(), why)),
            }
        }
        let sessions = self.sessions(stand_ins);
        let seen = round::run(&flows, &sessions, scenario.timeout, reached).await;

        let world = Arc::clone(&self.world.borrow());
        let after = predict(scenario, stand_ins, &world);
        // The expectation as it is now comes first, so that a change restarts its settling.
        self.ledger.expect(&after.expected, uptime());
        let mut sighted: Vec<_> =
            seen.into_iter().map(|seen| sight(seen, &before, &after, assignment)).collect();
        self.certify(&mut sighted, &world, stand_ins).await;

        let mut complete = absent.is_empty();
        for (cell, why) in absent {
            let sighting = Sighting::Inconclusive(Why::NoProbe(why));
            self.ledger.observe(&cell, sighting, None, uptime());
        }
        for (cell, sighting, outcome) in sighted {
            complete &= !matches!(sighting, Sighting::Inconclusive(Why::NoProbe(_)));
            if let Some(followed) = self.ledger.observe(&cell, sighting, outcome, uptime()) {
                debug!(%cell, ?followed, "Network followed");
                self.publisher.metrics().followed(followed);
            }
        }
        complete
    }

    /// Nobody is accused on the strength of a picture that the API server does not confirm.
    async fn certify(&self, sighted: &mut [Sighted], world: &World, stand_ins: &[StandIn]) {
        let now = uptime();
        let accuses = |(cell, sighting, _): &Sighted| self.ledger.would_accuse(cell, sighting, now);
        if !sighted.iter().any(accuses) {
            return;
        }
        let namespaces =
            stand_ins.iter().map(|stand_in| stand_in.desired.namespace.clone()).collect();
        match certify(world, &self.shared.client, &namespaces).await {
            Ok(true) => return,
            Ok(false) => info!("Picture of the cluster is behind the API server's"),
            Err(error) => warn!(%error, "Picture of the cluster cannot be certified"),
        }
        for seen in sighted {
            if accuses(seen) {
                seen.1 = Sighting::Inconclusive(Why::StaleWatch);
            }
        }
    }

    /// Publishes what is known; returns when to try again if that failed.
    async fn publish(&mut self, assignment: &Assignment, phase: Phase) -> Option<Instant> {
        let view = self.view(assignment, phase);
        let stale_after = match &assignment.scenario {
            Ok(scenario) => scenario.patience.stale_after,
            Err(_) => Duration::ZERO,
        };
        self.publisher.publish(view, stale_after).await
    }

    fn view(&self, assignment: &Assignment, phase: Phase) -> View {
        let stand_ins = &assignment.stand_ins;
        let active = phase == Phase::Active;
        let missing = |stand_in: &StandIn| -> Option<Problem> {
            match self.probe(stand_in) {
                None => Some(not_running(stand_in)),
                Some(probe) => {
                    let actor = &stand_in.desired.actor;
                    let problem =
                        |why| Problem::new(Reason::AttachFailed, format!("{actor}: {why}"));
                    probe.conversation().err().map(problem)
                }
            }
        };
        let problems: Vec<Problem> = stand_ins.iter().filter_map(missing).collect();
        View {
            generation: assignment.generation,
            phase,
            once: assignment.once,
            details: if active { self.details(assignment) } else { Matrix::default() },
            wanted: stand_ins.len(),
            attached: stand_ins.len() - problems.len(),
            missing: problems.into_iter().max_by_key(|problem| problem.reason != Reason::Starting),
            last_round: self.last_round.as_ref().map(|(round, _)| round.clone()),
            stale: if active { self.stale(assignment) } else { None },
        }
    }

    fn stale(&self, assignment: &Assignment) -> Option<Problem> {
        let scenario = assignment.scenario.as_ref().ok()?;
        let now = Instant::now();
        if let Some(why) = self.world.borrow().blindness(now.into_std()) {
            return Some(Problem::new(Reason::SnapshotIncomplete, why));
        }
        match &self.last_round {
            None => {
                Some(Problem::new(Reason::NoRoundYet, "no round with all probes has ended yet"))
            }
            Some((_, at)) if now - *at > scenario.patience.stale_after => {
                let message = format!(
                    "the last round with all probes ended over {} s ago",
                    scenario.patience.stale_after.as_secs()
                );
                Some(Problem::new(Reason::Stale, message))
            }
            Some(_) => None,
        }
    }

    fn details(&self, assignment: &Assignment) -> Matrix<Detail> {
        let Ok(scenario) = &assignment.scenario else { return Matrix::default() };
        let world = self.world.borrow();
        let policies: Vec<&Policy> =
            world.policies.values().filter_map(|read| read.meaning.as_ref().ok()).collect();
        let up = uptime();
        self.ledger
            .records()
            .filter_map(|(cell, record)| {
                let line = Line {
                    expected: record.expected.clone(),
                    outcome: record.seen.as_ref().map(|(outcome, _)| outcome.clone()),
                    verdict: self.ledger.verdict(cell, up)?,
                };
                let places =
                    [&cell.from, &cell.to].map(|a| place(a, scenario, &assignment.stand_ins));
                let sentence = sentence(cell, &line, [&places[0], &places[1]], &policies);
                let detail = Detail {
                    line,
                    sentence,
                    places,
                    since: time_of_day(record.since),
                    agreeing: record.agreeing(),
                    intents: scenario.flows.get(cell).cloned().unwrap_or_default(),
                };
                Some((cell.clone(), detail))
            })
            .collect()
    }
}

type Sighted = (Cell, Sighting, Option<netproof_conformance::verdict::Outcome>);

/// Judges what was seen of one flow, with the predictions on both sides of it.
fn sight(seen: Seen, before: &Prediction, after: &Prediction, assignment: &Assignment) -> Sighted {
    let Seen { cell, outcome, control } = seen;
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(why) => return (cell, Sighting::Inconclusive(Why::NoProbe(why)), None),
    };
    let homes = [&cell.from, &cell.to].map(|actor| {
        let stand_in = assignment.stand_ins.iter().find(|s| s.desired.actor == *actor);
        stand_in.map(|stand_in| stand_in.desired.namespace.as_str())
    });
    let rejected = homes.into_iter().flatten().find_map(|home| after.rejected.get(home));
    let sighting = match (rejected, before.expected.get(&cell), after.expected.get(&cell)) {
        (Some(why), _, _) => Sighting::Inconclusive(Why::NoPrediction(why.clone())),
        (None, Some(before), Some(after)) => judge(before, after, &outcome, &control),
        (None, _, _) => Sighting::Moved,
    };
    (cell, sighting, Some(outcome))
}
