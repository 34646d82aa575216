//! Runs a test's rounds: attempts flows, judges what was seen, and repeats what needs confirmation.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use netproof_conformance::{
    diagnosis::history::Attempt,
    expected::Expected,
    flow::Protocol,
    matrix::Cell,
    verdict::{Outcome, Sighting, Why},
};
use netproof_crds::LastRound;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{Assignment, Tester};
use crate::certify::Certificate;
use netproof_rounds::{
    clock::uptime,
    engine::round::{self, Asked, Reached},
    judging::{Sighted, companions, sight},
    predict::{Prediction, StandIn, asked, predict},
    scenario::Scenario,
    world::World,
};

/// What one pass brought.
pub(super) struct Attempted {
    /// What was known of the cluster after it.
    world: Arc<World>,
    /// What that says of the flows.
    pub(super) after: Prediction,
    /// What was seen.
    pub(super) sighted: Vec<Sighted>,
    /// Whether every probe spoke.
    complete: bool,
}

/// Which flows to attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of them: a round.
    All,
    /// These: what is due between rounds.
    Some,
}

impl Tester {
    /// Attempts flows, again as long as repetition has to confirm something, and judges them.
    pub(super) async fn round(
        &mut self,
        assignment: &Assignment,
        scenario: &Scenario,
        scope: Scope,
        mut cells: BTreeSet<Cell>,
    ) {
        match scope {
            Scope::All => cells = scenario.flows.iter().map(|(cell, _)| cell.clone()).collect(),
            Scope::Some if cells.is_empty() => return,
            Scope::Some => cells.extend(companions(&self.ledger, &cells, scenario)),
        }
        let began = Instant::now();
        let count = cells.len();
        let mut reached = Reached::new();
        let mut complete = true;
        let mut recovered = false;
        for _ in 0..=2 * scenario.patience.confirm {
            let wrong = self.ledger.steadily_wrong();
            complete &= self.pass(assignment, scenario, &cells, &mut reached).await;
            let still = self.ledger.steadily_wrong();
            recovered |= wrong.difference(&still).any(|cell| cells.contains(cell));
            cells = self.ledger.unconfirmed().intersection(&cells).cloned().collect();
            if cells.is_empty() {
                break;
            }
            cells.extend(companions(&self.ledger, &cells, scenario));
        }
        if recovered && scope == Scope::Some {
            // A canary sings: look at everything.
            self.next_round = Instant::now();
        }
        if scope == Scope::All {
            self.finish_round(began, count, complete);
        }
    }

    pub(super) fn finish_round(&mut self, began: Instant, flows: usize, complete: bool) {
        let took = began.elapsed();
        info!(flows, complete, ms = took.as_millis(), "Round finished");
        self.publisher.metrics().round(took.as_secs_f64());
        if complete {
            let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let round = LastRound { time: Time(Timestamp::now()), duration_ms };
            self.last_round = Some((round, Instant::now()));
        }
    }

    /// Attempts each flow of the test once, and judges it. Returns whether every probe spoke.
    async fn pass(
        &mut self,
        assignment: &Assignment,
        scenario: &Scenario,
        cells: &BTreeSet<Cell>,
        reached: &mut Reached,
    ) -> bool {
        let mut attempted = self.attempt(assignment, scenario, cells, reached).await;
        // The expectation as it is now comes first, so that a change restarts its settling.
        self.expect(&attempted.after);
        let now = uptime();
        let accuses = |cell: &_, sighting: &_| self.ledger.would_accuse(cell, sighting, now);
        self.certify(&mut attempted, accuses, &assignment.stand_ins).await;
        for (cell, sighting, outcome) in attempted.sighted {
            self.observe(&cell, sighting, outcome, scenario);
        }
        attempted.complete
    }

    /// Attempts each flow of a scenario once.
    pub(super) async fn attempt(
        &self,
        assignment: &Assignment,
        scenario: &Scenario,
        cells: &BTreeSet<Cell>,
        reached: &mut Reached,
    ) -> Attempted {
        let stand_ins = &assignment.stand_ins;
        let world = Arc::clone(&self.world.borrow());
        let before = predict(scenario, stand_ins, &world);
        let (mut flows, mut sighted) = (Vec::<Asked>::new(), Vec::<Sighted>::new());
        for cell in cells {
            match asked(cell, scenario, stand_ins) {
                Ok(flow) => flows.push(flow),
                Err(why) => {
                    let sighting = Sighting::Inconclusive(Why::NoProbe(why));
                    sighted.push((cell.clone(), sighting, None));
                }
            }
        }
        let are_all_there = sighted.is_empty();
        let sessions = self.sessions(stand_ins);
        let pass = round::run(&flows, &sessions, scenario.timeout, reached).await;
        let world = Arc::clone(&self.world.borrow());
        let after = predict(scenario, stand_ins, &world);
        sighted.extend(pass.seen.into_iter().map(|seen| sight(seen, &before, &after, stand_ins)));
        Attempted { world, after, sighted, complete: are_all_there && pass.mute.is_empty() }
    }

    /// Remembers what was seen of a flow of the test.
    fn observe(
        &mut self,
        cell: &Cell,
        sighting: Sighting,
        outcome: Option<Outcome>,
        scenario: &Scenario,
    ) {
        let (now, settle) = (uptime(), scenario.patience.settle);
        let births = [&cell.from, &cell.to].into_iter().filter_map(|end| self.births.get(end));
        let age = births.max().map(|birth| now.saturating_sub(*birth));
        // What leaks when it has had its time to settle does not do so for being new.
        let age = age.filter(|age| *age < settle);
        self.history.attempted(&Attempt { cell, sighting: &sighting, age }, now);
        if let (Some(outcome), Sighting::Conforms, Protocol::Tcp) =
            (&outcome, &sighting, cell.port.protocol)
            && self.is_denied(cell)
        {
            self.manners.saw(outcome, now);
        }
        if let Some(followed) = self.ledger.observe(cell, sighting, outcome, now) {
            debug!(%cell, ?followed, "Network followed");
            self.history.followed(cell, followed, settle, now);
        }
    }

    fn is_denied(&self, cell: &Cell) -> bool {
        let expected = self.ledger.record(cell).map(|record| &record.expected);
        matches!(expected, Some(Expected::Deny(_)))
    }

    /// Nobody is accused on the strength of a picture that the API server does not confirm.
    pub(super) async fn certify(
        &self,
        attempted: &mut Attempted,
        accuses: impl Fn(&Cell, &Sighting) -> bool,
        stand_ins: &[StandIn],
    ) {
        let accuses = |(cell, sighting, _): &Sighted| accuses(cell, sighting);
        if !attempted.sighted.iter().any(accuses) {
            return;
        }
        let namespaces =
            stand_ins.iter().map(|stand_in| stand_in.desired.namespace.clone()).collect();
        let client = &self.shared.client;
        match self.certifier.certify(&attempted.world, client, &namespaces).await {
            Certificate::Confirmed => return,
            Certificate::Behind => info!("Picture of the cluster is behind the API server's"),
            Certificate::Failed(error) => {
                warn!(%error, "Picture of the cluster cannot be certified");
            }
            Certificate::Paused => debug!("Picture of the cluster was not confirmed just now"),
        }
        for seen in &mut attempted.sighted {
            if accuses(seen) {
                seen.1 = Sighting::Inconclusive(Why::StaleWatch);
            }
        }
    }
}
