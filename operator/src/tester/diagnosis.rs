//! Asks for a diagnosis, and attempts extra flows that would tell two diagnoses apart.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{Tester, rounds::FlowScope};
use crate::assignment::Assignment;
use netproof_rounds::{
    clock::uptime, diagnosing::Question, engine::round::Reached, flow_budget::Moment,
    scenario::Scenario,
};

/// How long a step waits for a diagnosis. Most are there by then, and are published together with
/// the verdicts.
pub(super) const PROMPT: Duration = Duration::from_millis(100);

/// How long a test that ends with its verdict may take for its diagnosis.
const EXPLAIN: Duration = Duration::from_secs(20);

impl Tester {
    /// Asks for a diagnosis if anything has changed that decides it, and waits for the answer no
    /// longer than `patience`.
    pub(super) async fn diagnose(
        &mut self,
        assignment: &Assignment,
        scenario: &Scenario,
        patience: Duration,
    ) {
        self.book.remember(uptime());
        if !self.book.is_wrong() {
            // Extra flows serve to explain wrong flows of the test, and there are none.
            self.book.forget_extra();
        }
        let question = Arc::new(self.question(assignment, scenario));
        self.ask_again = self.diagnoses.ask(&question);
        self.diagnoses.wait(patience).await;
        self.said = self.diagnoses.said(&question);
        self.is_behind = question.outdated > 0;
        let telling = self.diagnoses.telling(&question).filter(|telling| !telling.is_empty());
        if let Some(telling) = telling.filter(|_| !self.is_behind) {
            self.book.take_on(telling, scenario);
            self.look(assignment, scenario);
        }
    }

    /// The question about all that is known now.
    fn question(&self, assignment: &Assignment, scenario: &Scenario) -> Question {
        let (stand_ins, world) = (&assignment.stand_ins, Arc::clone(&self.world.borrow()));
        let moment = Moment { scenario, stand_ins, world: &world, now: uptime() };
        let starts = self.measurements.borrow().sign(assignment.generation);
        self.book.question(moment, |actor| self.speaking.contains(actor), starts)
    }

    /// Attempts extra flows once: all of them for [`FlowScope::All`], else those that are due.
    /// Returns whether there was any.
    pub(super) async fn inquire(
        &mut self,
        assignment: &Assignment,
        scenario: &Scenario,
        scope: FlowScope,
    ) -> bool {
        let cells = match scope {
            FlowScope::All => self.book.extra().clone(),
            FlowScope::Some => self.book.extra_due(uptime()),
        };
        if cells.is_empty() {
            return false;
        }
        self.pass(assignment, scenario, &cells, &mut Reached::new()).await;
        true
    }

    /// Diagnoses a test that ends with its verdict, after which nothing is attempted any more. Ends
    /// when nothing is wrong, when no flow would tell more, or after [`EXPLAIN`].
    pub(super) async fn explain(&mut self, assignment: &Assignment, scenario: &Scenario) {
        let deadline = Instant::now() + EXPLAIN;
        while self.book.is_wrong() && Instant::now() < deadline {
            self.diagnose(assignment, scenario, deadline - Instant::now()).await;
            if let Some(again) = self.ask_again {
                sleep_until(again.min(deadline)).await;
            } else if !self.inquire(assignment, scenario, FlowScope::Some).await {
                return;
            }
        }
    }
}
