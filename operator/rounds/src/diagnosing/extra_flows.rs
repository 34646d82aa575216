//! Flows that no test asks for, attempted because they would tell two diagnoses apart.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use netproof_conformance::{
    diagnosis::{NEXT_PROBES, Observation},
    expected::Expected,
    flow::Flow,
    ledger::{Interval, Ledger, Patience},
    matrix::{Actor, Cell, Matrix},
    verdict::{Outcome, Sighting},
};

use super::observations;
use crate::scenario::Scenario;

/// How many of them there are at most: as many as are told at a time, three times over.
const ROOM: usize = 3 * NEXT_PROBES;

/// What is known of flows that the test does not ask for.
///
/// They are judged like the test's own, by a ledger that nobody else gets hold of: what comes out
/// are observations for a diagnosis, and no verdict that could be counted, listed or told.
pub struct ExtraFlows {
    cells: BTreeSet<Cell>,
    ledger: Ledger,
}

impl ExtraFlows {
    /// None yet.
    pub fn new(patience: Patience) -> Self {
        Self { cells: BTreeSet::new(), ledger: Ledger::new(patience) }
    }

    /// Replaces the patience, for what is judged from now on.
    pub fn set_patience(&mut self, patience: Patience) {
        self.ledger.set_patience(patience);
    }

    /// A stand-in is there since `birth`.
    pub fn born(&mut self, actor: &Actor, birth: Duration, now: Duration) {
        self.ledger.born(actor, birth, now);
    }

    /// Takes on more of them, as many as there is room for and the test's budget leaves.
    pub fn take_on(&mut self, telling: &BTreeSet<Cell>, scenario: &Scenario) {
        let room = ROOM.min(scenario.budget.saturating_sub(scenario.flows.len()));
        for cell in telling {
            if self.cells.len() >= room {
                return;
            }
            self.cells.insert(cell.clone());
        }
    }

    /// Lets go of those that the test has come to ask for, those that have lost an end, and, where
    /// its budget leaves less than before, of others.
    pub fn keep(&mut self, scenario: &Scenario) {
        let is_there = |actor: &Actor| {
            scenario.externals.contains_key(&actor.endpoint)
                || scenario.desired.iter().any(|desired| desired.actor == *actor)
        };
        self.cells.retain(|cell| {
            scenario.flows.get(cell).is_none() && is_there(&cell.from) && is_there(&cell.to)
        });
        let room = scenario.budget.saturating_sub(scenario.flows.len());
        while self.cells.len() > room {
            self.cells.pop_last();
        }
    }

    /// Lets go of all.
    pub fn forget(&mut self) {
        self.cells.clear();
        self.ledger.expect(&Matrix::default(), Duration::ZERO);
    }

    /// The scenario with these flows beside its own, to be predicted and attempted.
    pub fn beside<'a>(&self, scenario: &'a Scenario) -> Cow<'a, Scenario> {
        if self.cells.is_empty() {
            return Cow::Borrowed(scenario);
        }
        let own = scenario.flows.iter().map(|(cell, intents)| (cell.clone(), intents.clone()));
        let extra = self.cells.iter().map(|cell| (cell.clone(), BTreeSet::new()));
        Cow::Owned(scenario.with(extra.chain(own).collect()))
    }

    /// What is expected of the test's own flows, and of these.
    pub fn split<'a>(
        &self,
        all: &'a Matrix<Expected>,
    ) -> (Cow<'a, Matrix<Expected>>, Matrix<Expected>) {
        if self.cells.is_empty() {
            return (Cow::Borrowed(all), Matrix::default());
        }
        let all = all.iter().map(|(cell, expected)| (cell.clone(), expected.clone()));
        let (extra, own): (Vec<_>, Vec<_>) = all.partition(|(cell, _)| self.contains(cell));
        (Cow::Owned(own.into_iter().collect()), extra.into_iter().collect())
    }

    /// Whether a flow is one of them.
    pub fn contains(&self, cell: &Cell) -> bool {
        self.cells.contains(cell)
    }

    /// What is known of each.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// All of them.
    pub fn cells(&self) -> &BTreeSet<Cell> {
        &self.cells
    }

    /// Those to be attempted now: they are new and have settled, or want repetition.
    pub fn due(&self, now: Duration) -> BTreeSet<Cell> {
        let mut due = self.ledger.due(now);
        due.extend(self.ledger.unconfirmed());
        due
    }

    /// When the next one will be due.
    pub fn next_due(&self, now: Duration) -> Option<Duration> {
        self.ledger.next_due(now)
    }

    /// Takes over what the policies say of them. Returns those of which that is something else.
    pub fn expect(&mut self, expected: &Matrix<Expected>, now: Duration) -> BTreeSet<Cell> {
        self.ledger.expect(expected, now)
    }

    /// Has those settle anew of which the policies may have said something else for a while.
    pub fn doubt(&mut self, is_meant: impl Fn(&Cell) -> bool, now: Duration) -> BTreeSet<Cell> {
        self.ledger.doubt(is_meant, now)
    }

    /// Whether a wrong outcome of an attempt that began then would count, and does not yet.
    pub fn would_accuse(&self, cell: &Cell, sighting: &Sighting, began: Duration) -> bool {
        self.ledger.would_accuse(cell, sighting, began)
    }

    /// Takes a sighting into account; of another flow it says nothing.
    pub fn observe(
        &mut self,
        cell: &Cell,
        sighting: Sighting,
        outcome: Option<Outcome>,
        during: impl Into<Interval>,
    ) {
        // How fast the network follows is measured on the test's own flows.
        self.ledger.observe(cell, sighting, outcome, during);
    }

    /// What was seen of them since a moment, confirmed and recent.
    pub fn observations(
        &self,
        flow: &impl Fn(&Cell) -> Option<Flow>,
        since: Duration,
        now: Duration,
    ) -> BTreeMap<Cell, Observation> {
        observations(&self.ledger, |_| false, flow, since, now)
    }
}

#[cfg(test)]
#[path = "extra_flows_tests.rs"]
mod tests;
