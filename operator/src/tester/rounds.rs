//! Runs a test's rounds: attempts flows, judges what was seen, and repeats flows that need
//! confirmation.

use std::{collections::BTreeSet, pin::pin, sync::Arc, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use netproof_conformance::{
    ledger::Interval,
    matrix::Cell,
    verdict::{Sighting, Why},
};
use netproof_crds::LastRound;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Tester;
use crate::{assignment::Assignment, certify::Certificate};
use netproof_rounds::{
    clock::uptime,
    engine::round::{self, Reached},
    flow_budget::Moment,
    pass::Sighted,
    predict::StandIn,
    scenario::Scenario,
    world::World,
};

/// Which flows a round attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlowScope {
    /// All flows of the test.
    All,
    /// The flows that are given: those that are due between rounds.
    Some,
}

impl Tester {
    /// Attempts flows and judges them, in at most `2 * confirm + 1` passes, the later ones over
    /// flows that repetition has to confirm. With [`FlowScope::Some`] these are `cells`.
    pub(super) async fn round(
        &mut self,
        assignment: &Assignment,
        scenario: &Scenario,
        scope: FlowScope,
        mut cells: BTreeSet<Cell>,
    ) {
        match scope {
            FlowScope::All => cells = scenario.flows.iter().map(|(cell, _)| cell.clone()).collect(),
            FlowScope::Some if cells.is_empty() => return,
            FlowScope::Some => {}
        }
        let began = Instant::now();
        let count = cells.len();
        let mut reached = Reached::new();
        let mut complete = true;
        let mut recovered = false;
        let mut wrong = self.book.ledger().steadily_wrong();
        for _ in 0..=2 * scenario.patience.confirm {
            complete &= self.pass(assignment, scenario, &cells, &mut reached).await;
            let still = self.book.ledger().steadily_wrong();
            recovered |= wrong.difference(&still).any(|cell| cells.contains(cell));
            wrong = still;
            cells = self.book.ledger().unconfirmed().intersection(&cells).cloned().collect();
            if cells.is_empty() {
                break;
            }
        }
        if recovered && scope == FlowScope::Some {
            // A canary conforms again: a round over all flows is due.
            self.next_round = Instant::now();
        }
        if scope == FlowScope::All {
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

    /// Attempts each flow once, looks at every change meanwhile, and judges what was seen. Returns
    /// whether every probe spoke.
    pub(super) async fn pass(
        &mut self,
        assignment: &Assignment,
        scenario: &Scenario,
        cells: &BTreeSet<Cell>,
        reached: &mut Reached,
    ) -> bool {
        let stand_ins = &assignment.stand_ins;
        let looked = self.look(assignment, scenario);
        let (mut pass, flows) = self.book.begin(cells, &looked, scenario, stand_ins, uptime());
        let sessions = self.sessions(stand_ins);
        let began = uptime();
        // Clones, so that the originals see the same changes and wake the tester.
        let (mut worlds, mut assignments) = (self.world.clone(), self.assignment.clone());
        let attempted = {
            let mut attempting = pin!(round::run(&flows, &sessions, scenario.timeout, reached));
            loop {
                tokio::select! {
                    attempted = &mut attempting => break attempted,
                    Ok(()) = worlds.changed() => {
                        let world = Arc::clone(&worlds.borrow_and_update());
                        let moment = Moment { scenario, stand_ins, world: &world, now: uptime() };
                        pass.look(&self.book.look(moment, None));
                    }
                    Ok(()) = assignments.changed() => {
                        let now = Arc::clone(&assignments.borrow_and_update());
                        if now.scenario == assignment.scenario {
                            pass.meet(&now.stand_ins);
                        } else {
                            pass.move_all();
                        }
                    }
                }
            }
        };
        let complete = !pass.lacks_some() && attempted.mute.is_empty();
        // The book looks before it takes the sightings, so that a change restarts the settling.
        let world = Arc::clone(&self.world.borrow());
        let after = self.look(assignment, scenario);
        pass.look(&after);
        let sighted = self.book.judge(pass, attempted.seen, &after, stand_ins);
        let sighted = self.certified(sighted, began, &world, stand_ins).await;
        let during = Interval { began, ended: uptime() };
        for (cell, followed) in self.book.take(sighted, during) {
            debug!(%cell, ?followed, "Network followed");
        }
        complete
    }

    /// Makes sightings that would be a Leak or Blocked inconclusive, unless the API server confirms
    /// `world`.
    async fn certified(
        &self,
        mut sighted: Vec<Sighted>,
        began: Duration,
        world: &World,
        stand_ins: &[StandIn],
    ) -> Vec<Sighted> {
        let accuses = |(cell, sighting, _): &Sighted| self.book.would_accuse(cell, sighting, began);
        if !sighted.iter().any(accuses) {
            return sighted;
        }
        let namespaces =
            stand_ins.iter().map(|stand_in| stand_in.desired.namespace.clone()).collect();
        let client = &self.shared.client;
        match self.certifier.certify(world, client, &namespaces).await {
            Certificate::Confirmed => return sighted,
            Certificate::Behind => info!("Picture of the cluster is behind the API server's"),
            Certificate::Failed(error) => {
                warn!(%error, "Picture of the cluster cannot be certified");
            }
            Certificate::Paused => debug!("Picture of the cluster was not confirmed just now"),
        }
        for seen in &mut sighted {
            if accuses(seen) {
                seen.1 = Sighting::Inconclusive(Why::StaleWatch);
            }
        }
        sighted
    }
}
