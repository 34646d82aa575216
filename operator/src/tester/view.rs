//! Gathers what is known of a test into a [`StatusView`], and has it published.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use netproof_conformance::{coverage::Coverage, matrix::Matrix};
use netproof_crds::{Reason, StartUp};
use tokio::time::Instant;

use super::Tester;
use crate::assignment::Assignment;
use netproof_rounds::{
    clock::uptime,
    flow_budget::Moment,
    predict::{StandIn, not_running},
    report::{Detail, Report},
    scenario::Problem,
    status::{Phase, StatusView},
};

impl Tester {
    /// Publishes what is known now, and returns when to do so again if that failed or was put off.
    pub(super) async fn publish(
        &mut self,
        assignment: &Assignment,
        phase: Phase,
    ) -> Option<Instant> {
        let mut view = self.view(assignment, phase);
        view.report.coverage = self.coverage(assignment, &view);
        if let (Some(_), Ok(scenario)) = (&view.report.coverage, &assignment.scenario) {
            view.report.left_out = scenario.flows.len().saturating_sub(scenario.budget);
        }
        let stale_after = match &assignment.scenario {
            Ok(scenario) => scenario.patience.stale_after,
            Err(_) => Duration::ZERO,
        };
        self.publisher.publish(view, stale_after).await
    }

    /// Which rules the flows with a verdict exercise; none unless the test is active.
    fn coverage(&mut self, assignment: &Assignment, view: &StatusView) -> Option<Arc<Coverage>> {
        let scenario = assignment.scenario.as_ref().ok()?;
        if view.phase != Phase::Active {
            return None;
        }
        let world = Arc::clone(&self.world.borrow());
        let stand_ins = &assignment.stand_ins;
        let moment = Moment { scenario, stand_ins, world: &world, now: uptime() };
        let attempted = view.report.details.iter().map(|(cell, _)| cell.clone()).collect();
        Some(self.book.coverage(moment, attempted))
    }

    pub(super) fn view(&self, assignment: &Assignment, phase: Phase) -> StatusView {
        let stand_ins = &assignment.stand_ins;
        let measurements = Arc::clone(&self.measurements.borrow());
        let active = phase == Phase::Active;
        let start_up = assignment.scenario.as_ref().map(|scenario| scenario.start_up).ok();
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
        let problems: Vec<(Option<&String>, Problem)> = stand_ins
            .iter()
            .filter_map(|one| Some((one.desired.node.as_ref(), missing(one)?)))
            .collect();
        let uncovered = if active { uncovered(assignment, &problems) } else { BTreeMap::new() };
        StatusView {
            generation: assignment.generation,
            phase,
            once: assignment.once,
            wanted: stand_ins.len(),
            attached: stand_ins.len() - problems.len(),
            missing: problems
                .into_iter()
                .map(|(_, problem)| problem)
                .max_by_key(|problem| problem.reason != Reason::Starting),
            uncovered,
            last_round: self.last_round.as_ref().map(|(round, _)| round.clone()),
            stale: if active { self.stale(assignment) } else { None },
            report: Report {
                details: if active { self.details(assignment) } else { Matrix::default() },
                coverage: None,
                left_out: 0,
                start_ups: if active {
                    measurements.leaks_of(assignment.generation)
                } else {
                    vec![]
                },
                strict: start_up == Some(StartUp::Strict),
                starts: start_up.filter(|start_up| *start_up != StartUp::Off).map(|_| {
                    let denied = self.book.denied_receivers();
                    measurements
                        .counts(stand_ins.iter().filter(|one| denied.contains(&one.desired.actor)))
                }),
                existing: measurements.existing,
                diagnosis: if active { self.said.clone() } else { None },
                manner: if active { self.book.manner(uptime()) } else { None },
            },
            undecided: self.is_undecided(),
        }
    }

    /// Whether attempts or an answer that are to come may change the diagnosis.
    fn is_undecided(&self) -> bool {
        self.is_behind || self.ask_again.is_some() || self.book.awaits_extra(uptime())
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
        let (stand_ins, world) = (&assignment.stand_ins, Arc::clone(&self.world.borrow()));
        self.book.details(Moment { scenario, stand_ins, world: &world, now: uptime() })
    }
}

/// The nodes that the test is meant for and does not cover, and why: a node takes no stand-in, or
/// its stand-in is lost. A stand-in that is starting counts as covering its node.
fn uncovered(
    assignment: &Assignment,
    problems: &[(Option<&String>, Problem)],
) -> BTreeMap<String, String> {
    let scenario = assignment.scenario.iter();
    let closed = scenario.flat_map(|scenario| &scenario.uncovered);
    let closed = closed.map(|gap| (gap.node.clone(), gap.why.clone()));
    let lost = problems.iter().filter_map(|(node, problem)| {
        let is_lost = problem.reason != Reason::Starting;
        is_lost.then_some(((*node)?.clone(), problem.message.clone()))
    });
    lost.chain(closed).collect()
}
