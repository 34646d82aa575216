//! Gathers the evidence of a book into the question that a diagnosis answers.

use std::{collections::BTreeMap, time::Duration};

use netproof_conformance::{
    diagnosis::{Observation, TimeFault, mutation::Past},
    expected::Expected,
    flow::Flow,
    matrix::{Actor, Cell},
};

use super::Book;
use crate::{
    diagnosing::{Question, observations, unasked},
    flow_budget::Moment,
    predict::naming,
};

/// The most flows without an attempt that a diagnosis considers as next probes: beyond some
/// thousands they tell nothing new, and each is evaluated for every fault that fits.
const UNPROBED: usize = 4096;

impl Book {
    /// Takes the verdicts of now into the history, as evidence for faults of time. Extra flows are
    /// not remembered: they are attempted only while flows of the test are wrong.
    pub fn remember(&mut self, now: Duration) {
        let verdicts = self.ledger.verdicts(now);
        self.history.judged(verdicts.iter(), now);
    }

    /// Earlier states of the snapshot, by which the diagnosis applies faults of memory.
    pub fn pasts(&self) -> Vec<Past> {
        self.history.pasts()
    }

    /// The fault of time that explains all that went wrong lately, if one does.
    pub fn time_fault(&self) -> Option<TimeFault> {
        self.history.time_fault()
    }

    /// What was seen since a moment, confirmed and recent: of the test's flows first, then of the
    /// extra flows.
    pub fn observations(
        &self,
        flow: &impl Fn(&Cell) -> Option<Flow>,
        since: Duration,
        now: Duration,
    ) -> [BTreeMap<Cell, Observation>; 2] {
        let flapped = |cell: &Cell| self.history.flaps(cell);
        let own = observations(&self.ledger, flapped, flow, since, now);
        [own, self.extra.observations(flow, since, now)]
    }

    /// All that is known, as the question that a diagnosis answers. `speaks` says of an actor
    /// whether its probe can attempt something, and `starts` is the fault of time that the starts
    /// of new stand-ins are a sign of.
    pub fn question(
        &self,
        moment: Moment<'_>,
        speaks: impl Fn(&Actor) -> bool,
        starts: Option<TimeFault>,
    ) -> Question {
        let Moment { scenario, stand_ins, now, .. } = moment;
        let flow = naming(scenario, stand_ins);
        let is_wrong = self.is_wrong();
        // Sightings from before the policies changed say nothing of the new policies, even where
        // the prediction is the same. They are left out only while something is wrong.
        let since = if is_wrong { self.changed } else { Duration::ZERO };
        let [observed, beside] = self.observations(&flow, since, now);
        let outdated = if since > Duration::ZERO {
            let all: usize =
                self.observations(&flow, Duration::ZERO, now).iter().map(BTreeMap::len).sum();
            all - observed.len() - beside.len()
        } else {
            0
        };
        let left = scenario.budget.saturating_sub(scenario.flows.len());
        let unprobed =
            if is_wrong { unasked(scenario, speaks, left.min(UNPROBED)) } else { Vec::new() };
        let is_decided = |expected: &Expected| !matches!(expected, Expected::Unspecified(_));
        let time = match (self.history.time_fault(), starts) {
            // The measurement of a start is finer than the attempts of a pass.
            (None | Some(TimeFault::LateIsolation { .. }), Some(sign)) => Some(sign),
            (fault, _) => fault,
        };
        Question {
            snapshot: self.snapshot.clone(),
            observed,
            beside,
            unprobed: unprobed.into_iter().filter_map(|cell| Some((flow(&cell)?, cell))).collect(),
            pasts: self.history.pasts(),
            time,
            decided: self.ledger.records().filter(|(_, one)| is_decided(&one.expected)).count(),
            is_wrong,
            outdated,
        }
    }
}
