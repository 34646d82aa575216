//! Asks what the network does wrong, and attempts flows that would tell.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{Tester, rounds::FlowScope};
use crate::assignment::Assignment;
use netproof_rounds::{
    clock::uptime, diagnosing::Question, engine::round::Reached, flow_budget::Moment,
    scenario::Scenario,
};

/// How long a step waits for an answer: most are there by then, and are told with the verdicts.
pub(super) const PROMPT: Duration = Duration::from_millis(100);

/// How long a test that ends with its verdict may take to find out what is wrong.
const EXPLAIN: Duration = Duration::from_secs(20);

impl Tester {
    /// Asks what is wrong, if anything has changed that decides it, and waits for the answer, but
    /// no longer than this.
    pub(super) async fn diagnose(
        &mut self,
        assignment: &Assignment,
        scenario: &Scenario,
        patience: Duration,
    ) {
        self.book.remember(uptime());
        if !self.book.is_wrong() {
            // It is the test's findings that are to be explained.
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

    /// All that is known, as it is to be asked about.
    fn question(&self, assignment: &Assignment, scenario: &Scenario) -> Question {
        let (stand_ins, world) = (&assignment.stand_ins, Arc::clone(&self.world.borrow()));
        let moment = Moment { scenario, stand_ins, world: &world, now: uptime() };
        let starts = self.measurements.borrow().sign(assignment.generation);
        self.book.question(moment, |actor| self.speaking.contains(actor), starts)
    }

    /// Attempts extra flows once: with a round over all flows all of them, and else those that are
    /// due. Returns whether there was any.
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

    /// A test that ends with its verdict will attempt nothing more: what is wrong is found out
    /// first, as far as that goes.
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
