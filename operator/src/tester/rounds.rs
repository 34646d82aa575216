//! Runs a test's rounds: attempts flows, judges what was seen, and repeats what needs confirmation.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use netproof_conformance::{
    matrix::Cell,
    verdict::{Sighting, Verdict, Why},
};
use netproof_crds::LastRound;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{Assignment, Tester};
use crate::{
    certify::certify,
    engine::round::{self, Asked, Reached},
    judging::{Sighted, companions, sight},
    predict::{StandIn, asked, predict},
    scenario::Scenario,
    uptime,
    world::World,
};

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

    /// Attempts each flow once. Returns whether every probe spoke.
    pub(super) async fn pass(
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
        let pass = round::run(&flows, &sessions, scenario.timeout, reached).await;

        let world = Arc::clone(&self.world.borrow());
        let after = predict(scenario, stand_ins, &world);
        // The expectation as it is now comes first, so that a change restarts its settling.
        self.ledger.expect(&after.expected, uptime());
        let mut sighted: Vec<_> =
            pass.seen.into_iter().map(|seen| sight(seen, &before, &after, stand_ins)).collect();
        self.certify(&mut sighted, &world, stand_ins).await;

        let complete = absent.is_empty() && pass.mute.is_empty();
        for (cell, why) in absent {
            let sighting = Sighting::Inconclusive(Why::NoProbe(why));
            self.ledger.observe(&cell, sighting, None, uptime());
        }
        for (cell, sighting, outcome) in sighted {
            if let Some(followed) = self.ledger.observe(&cell, sighting, outcome, uptime()) {
                debug!(%cell, ?followed, "Network followed");
            }
        }
        complete
    }

    /// Nobody is accused on the strength of a picture that the API server does not confirm.
    pub(super) async fn certify(
        &self,
        sighted: &mut [Sighted],
        world: &World,
        stand_ins: &[StandIn],
    ) {
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
}
