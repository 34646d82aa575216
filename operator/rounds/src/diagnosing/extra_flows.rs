//! Extra flows: flows that no test asks for, attempted because they tell two diagnoses apart.

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

/// How many extra flows there are at most: three times as many as one diagnosis asks for.
const ROOM: usize = 3 * NEXT_PROBES;

/// The extra flows of a test, and what is known of them.
///
/// They are judged like the test's own flows, by a ledger of their own: they become observations
/// for a diagnosis, and their verdicts are never counted, listed or reported.
pub struct ExtraFlows {
    cells: BTreeSet<Cell>,
    ledger: Ledger,
}

impl ExtraFlows {
    /// Without any extra flows, and with this patience.
    pub fn new(patience: Patience) -> Self {
        Self { cells: BTreeSet::new(), ledger: Ledger::new(patience) }
    }

    /// Replaces the patience, for what is judged from now on.
    pub fn set_patience(&mut self, patience: Patience) {
        self.ledger.set_patience(patience);
    }

    /// Takes note that an actor's pod is there since `birth`: its extra flows settle.
    pub fn born(&mut self, actor: &Actor, birth: Duration, now: Duration) {
        self.ledger.born(actor, birth, now);
    }

    /// Takes on these flows in order, until `ROOM` or what the test's flows leave of its budget
    /// is full.
    pub fn take_on(&mut self, telling: &BTreeSet<Cell>, scenario: &Scenario) {
        let room = ROOM.min(scenario.budget.saturating_sub(scenario.flows.len()));
        for cell in telling {
            if self.cells.len() >= room {
                return;
            }
            self.cells.insert(cell.clone());
        }
    }

    /// Drops the extra flows that the test has come to ask for and those that have lost an end, and
    /// then as many as exceed what is left of its budget.
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

    /// Drops all extra flows, and what is known of them.
    pub fn forget(&mut self) {
        self.cells.clear();
        self.ledger.expect(&Matrix::default(), Duration::ZERO);
    }

    /// The scenario with the extra flows beside its own, to be predicted and attempted.
    pub fn beside<'a>(&self, scenario: &'a Scenario) -> Cow<'a, Scenario> {
        if self.cells.is_empty() {
            return Cow::Borrowed(scenario);
        }
        let own = scenario.flows.iter().map(|(cell, intents)| (cell.clone(), intents.clone()));
        let extra = self.cells.iter().map(|cell| (cell.clone(), BTreeSet::new()));
        Cow::Owned(scenario.with(extra.chain(own).collect()))
    }

    /// Splits predictions into those of the test's own flows and those of the extra flows.
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

    /// Whether this is one of the extra flows.
    pub fn contains(&self, cell: &Cell) -> bool {
        self.cells.contains(cell)
    }

    /// The ledger of the extra flows.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// All extra flows that are attempted at present.
    pub fn cells(&self) -> &BTreeSet<Cell> {
        &self.cells
    }

    /// The extra flows to attempt now: new ones that have settled, and those that wait for
    /// repetition.
    pub fn due(&self, now: Duration) -> BTreeSet<Cell> {
        let mut due = self.ledger.due(now);
        due.extend(self.ledger.unconfirmed());
        due
    }

    /// When the next extra flow will be due; none if none will.
    pub fn next_due(&self, now: Duration) -> Option<Duration> {
        self.ledger.next_due(now)
    }

    /// Takes over what the policies say of the extra flows. Returns those of which they say
    /// something else than before.
    pub fn expect(&mut self, expected: &Matrix<Expected>, now: Duration) -> BTreeSet<Cell> {
        self.ledger.expect(expected, now)
    }

    /// Has the meant flows settle anew, as the policies may have said something else of them for a
    /// while.
    pub fn doubt(&mut self, is_meant: impl Fn(&Cell) -> bool, now: Duration) -> BTreeSet<Cell> {
        self.ledger.doubt(is_meant, now)
    }

    /// Takes a sighting into account; one of another flow is ignored.
    pub fn observe(
        &mut self,
        cell: &Cell,
        sighting: Sighting,
        outcome: Option<Outcome>,
        during: impl Into<Interval>,
    ) {
        // Dropped: only the test's own flows measure how fast the network follows.
        self.ledger.observe(cell, sighting, outcome, during);
    }

    /// What was seen of the extra flows since a moment, confirmed and recent.
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
