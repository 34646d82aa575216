//! Gathers what is known of a test for those who read it.

use std::{sync::Arc, time::Duration};

use netproof_conformance::{
    matrix::Matrix,
    policy::Policy,
    report::{Line, sentence},
};
use netproof_crds::{Reason, StartUp};
use tokio::time::Instant;

use super::{Assignment, Tester};
use crate::{
    predict::{StandIn, not_running, place},
    scenario::Problem,
    status::{Detail, Phase, View},
    time_of_day, uptime,
};

impl Tester {
    /// Publishes what is known; returns when to try again if that failed.
    pub(super) async fn publish(
        &mut self,
        assignment: &Assignment,
        phase: Phase,
    ) -> Option<Instant> {
        let view = self.view(assignment, phase);
        let stale_after = match &assignment.scenario {
            Ok(scenario) => scenario.patience.stale_after,
            Err(_) => Duration::ZERO,
        };
        self.publisher.publish(view, stale_after).await
    }

    pub(super) fn view(&self, assignment: &Assignment, phase: Phase) -> View {
        let stand_ins = &assignment.stand_ins;
        let facts = Arc::clone(&self.facts.borrow());
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
            start_ups: if active { facts.leaks_of(assignment.generation) } else { vec![] },
            strict: assignment.scenario.as_ref().is_ok_and(|s| s.start_up == StartUp::Strict),
            existing: facts.existing,
        }
    }

    pub(super) fn stale(&self, assignment: &Assignment) -> Option<Problem> {
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

    pub(super) fn details(&self, assignment: &Assignment) -> Matrix<Detail> {
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
