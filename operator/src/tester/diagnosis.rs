//! Asks what the network does wrong, and attempts flows that would tell.

use std::{sync::Arc, time::Duration};

use netproof_conformance::{diagnosis::TimeFault, expected::Expected, matrix::Cell};
use tokio::time::{Instant, sleep_until};

use super::{Assignment, Tester, rounds::Scope};
use netproof_rounds::{
    clock::uptime,
    diagnosing::{Question, observations, unasked},
    engine::round::Reached,
    judging::companions,
    predict::{StandIn, naming, predict},
    scenario::Scenario,
    world::World,
};

/// How long a step waits for an answer: most are there by then, and are told with the verdicts.
pub(super) const PROMPT: Duration = Duration::from_millis(100);

/// How long a test that ends with its verdict may take to find out what is wrong.
const EXPLAIN: Duration = Duration::from_secs(20);

/// How many flows that could be attempted a diagnosis looks at: beyond some thousands they tell
/// nothing new, and each is asked about for every fault that fits.
const UNPROBED: usize = 4096;

impl Tester {
    /// Asks what is wrong, if anything has changed that decides it, and waits for the answer, but no
    /// longer than this.
    pub(super) async fn diagnose(
        &mut self,
        assignment: &Assignment,
        scenario: &Scenario,
        patience: Duration,
    ) {
        let now = uptime();
        let verdicts = self.ledger.verdicts(now);
        self.history.judged(verdicts.iter(), now);
        if self.ledger.wrong().is_empty() {
            // It is the test's findings that are to be explained.
            self.beside.forget();
        }
        let question = Arc::new(self.question(assignment, scenario));
        self.ask_again = self.diagnoses.ask(&question);
        self.diagnoses.wait(patience).await;
        self.said = self.diagnoses.said(&question);
        self.is_behind = question.outdated > 0;
        if let Some(telling) = self.diagnoses.telling(&question).filter(|_| !self.is_behind) {
            self.beside.take_on(telling, scenario);
            let world = Arc::clone(&self.world.borrow());
            self.predict_beside(scenario, &assignment.stand_ins, &world);
        }
    }

    /// All that is known, as it is to be asked about.
    fn question(&self, assignment: &Assignment, scenario: &Scenario) -> Question {
        let flow = naming(scenario, &assignment.stand_ins);
        let flapped = |cell: &Cell| self.history.flaps(cell);
        let is_wrong = !self.ledger.wrong().is_empty();
        // What was seen before the policies changed says nothing of them, even where they say the
        // same of it; but where all is well, it is.
        let since = if is_wrong { self.changed } else { Duration::ZERO };
        let observed = |since| observations(&self.ledger, flapped, &flow, since);
        let beside = |since| self.beside.observations(&flow, since);
        let outdated = if since > Duration::ZERO {
            let all = observed(Duration::ZERO).len() + beside(Duration::ZERO).len();
            all - observed(since).len() - beside(since).len()
        } else {
            0
        };
        let left = scenario.budget.saturating_sub(scenario.flows.len());
        let unprobed = if is_wrong {
            unasked(scenario, |actor| self.speaking.contains(actor), left.min(UNPROBED))
        } else {
            Vec::new()
        };
        let is_decided = |expected: &Expected| !matches!(expected, Expected::Unspecified(_));
        let late = self.facts.borrow().late_isolation(assignment.generation);
        let time = match (self.history.time_fault(), late) {
            // The scout has looked closer.
            (None | Some(TimeFault::LateIsolation { .. }), Some(late)) => Some(late),
            (fault, _) => fault,
        };
        Question {
            snapshot: self.snapshot.clone(),
            observed: observed(since),
            beside: beside(since),
            unprobed: unprobed.into_iter().filter_map(|cell| Some((flow(&cell)?, cell))).collect(),
            pasts: self.history.pasts(),
            time,
            decided: self.ledger.records().filter(|(_, one)| is_decided(&one.expected)).count(),
            is_wrong,
            outdated,
        }
    }

    /// Takes over what the policies say of the flows beside the test's own.
    pub(super) fn predict_beside(
        &mut self,
        scenario: &Scenario,
        stand_ins: &[StandIn],
        world: &World,
    ) {
        self.beside.keep(scenario);
        if !self.beside.cells().is_empty() {
            let predicted = predict(&self.beside.scenario(scenario), stand_ins, world);
            self.beside.expect(&predicted.expected, uptime());
        }
    }

    /// Attempts flows beside the test's own once: with a round over all flows all of them, and else
    /// those that are due. Returns whether there was any.
    pub(super) async fn inquire(
        &mut self,
        assignment: &Assignment,
        scenario: &Scenario,
        scope: Scope,
    ) -> bool {
        let mut cells = match scope {
            Scope::All => self.beside.cells().clone(),
            Scope::Some => self.beside.due(uptime()),
        };
        if cells.is_empty() {
            return false;
        }
        // Whoever may reach an address outside shows whether it is there, and no more than that.
        cells.extend(companions(&self.ledger, &cells, scenario));
        let own = self.beside.scenario(scenario);
        let mut attempted = self.attempt(assignment, &own, &cells, &mut Reached::new()).await;
        let now = uptime();
        self.beside.expect(&attempted.after.expected, now);
        let accuses = |cell: &_, sighting: &_| self.beside.would_accuse(cell, sighting, now);
        self.certify(&mut attempted, accuses, &assignment.stand_ins).await;
        for (cell, sighting, outcome) in attempted.sighted {
            self.beside.observe(&cell, sighting, outcome, uptime());
        }
        true
    }

    /// A test that ends with its verdict will attempt nothing more: what is wrong is found out first,
    /// as far as that goes.
    pub(super) async fn explain(&mut self, assignment: &Assignment, scenario: &Scenario) {
        let deadline = Instant::now() + EXPLAIN;
        while !self.ledger.wrong().is_empty() && Instant::now() < deadline {
            self.diagnose(assignment, scenario, deadline - Instant::now()).await;
            if let Some(again) = self.ask_again {
                sleep_until(again.min(deadline)).await;
            } else if !self.inquire(assignment, scenario, Scope::Some).await {
                return;
            }
        }
    }
}
