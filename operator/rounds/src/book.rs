//! The book of a test: what is known of its flows, and what follows from it. Pure: the operator and
//! the lab carry a test out around it.
//!
//! Both use it in this order. They [`look`](Book::look) at what the policies say now; ask which
//! flows are [`due`](Book::due); [`begin`](Book::begin) a pass and attempt the flows that it
//! returns, looking again whenever something changes meanwhile; [`judge`](Book::judge) what was
//! seen and [`take`](Book::take) it; and read the [`details`](Book::details) or ask the
//! [`question`](Book::question) what the network does wrong. All waiting and writing is the
//! caller's.
//!
//! The book has no clock: times are [`Duration`]s since any fixed moment, passed in as `now`.

mod attempts;
mod evidence;
mod look;
mod view;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use netproof_conformance::{
    diagnosis::{RefusalManner, history::History},
    expected::Expected,
    ledger::{Ledger, Patience},
    matrix::{Actor, Cell},
    snapshot::Snapshot,
    verdict::Verdict,
};

use crate::{
    diagnosing::{DenialStyles, ExtraFlows},
    flow_budget::{FlowBudget, Moment},
    paths::Paths,
    scenario::Scenario,
};

/// How long what happened to a flow counts as evidence for faults of time.
const MEMORY: Duration = Duration::from_secs(300);

/// What is known of the flows of a test, and what follows from it.
pub struct Book {
    ledger: Ledger,
    history: History,
    /// An empty history of the same kind, which [`forget`](Self::forget) begins anew with.
    blank: History,
    extra: ExtraFlows,
    budget: FlowBudget,
    denials: DenialStyles,
    /// The round trips between nodes.
    paths: Paths,
    /// The pod that each actor was last seen as, by its UID, and since when that pod is there.
    births: BTreeMap<Actor, (String, Duration)>,
    /// The snapshot from which the predictions were made that the flows are judged by.
    snapshot: Snapshot,
    /// When the policies, or the namespaces that they select by, were last seen to change.
    changed: Duration,
    /// The place in the cluster's journal of the World that was last looked at.
    place: u64,
    tally: Tally,
}

/// How many attempts were judged since the book was made or forgotten, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All sightings of the test's own flows, those without evidence included.
    pub observations: u64,
    /// Sightings that conformed to what was expected.
    pub conforming: u64,
    /// Sightings that did not conform although the flow had settled. The first in a row is counted,
    /// and is not yet reported as wrong.
    pub doubtful: u64,
}

impl Book {
    /// An empty book, which judges with this patience.
    pub fn new(patience: Patience) -> Self {
        Self {
            ledger: Ledger::new(patience),
            history: History::new(MEMORY),
            blank: History::new(MEMORY),
            extra: ExtraFlows::new(patience),
            budget: FlowBudget::default(),
            denials: DenialStyles::default(),
            paths: Paths::default(),
            births: BTreeMap::new(),
            snapshot: Snapshot::default(),
            changed: Duration::ZERO,
            place: 0,
            tally: Tally::default(),
        }
    }

    /// An empty book for attempts that are far apart: a flow that broke and recovered once within
    /// the remembered time is not said to flap.
    pub fn forgiving(patience: Patience) -> Self {
        let blank = History::forgiving(MEMORY);
        Self { history: blank.clone(), blank, ..Self::new(patience) }
    }

    /// Forgets all that is known, and keeps the patience: the test attempts nothing any more.
    pub fn forget(&mut self) {
        let (blank, patience) = (self.blank.clone(), *self.ledger.patience());
        *self = Self { history: blank.clone(), blank, ..Self::new(patience) };
    }

    /// Takes note of the pod that an actor is now, and since when it is there. Returns whether it
    /// is another pod than before: its flows settle anew.
    pub fn meet(&mut self, actor: &Actor, uid: &str, birth: Duration, now: Duration) -> bool {
        if self.births.get(actor).is_some_and(|(known, _)| known == uid) {
            return false;
        }
        self.ledger.born(actor, birth, now);
        self.extra.born(actor, birth, now);
        self.births.insert(actor.clone(), (uid.to_owned(), birth));
        true
    }

    /// The scenario, reduced to as many flows as its budget admits.
    pub fn within_budget<'a>(&mut self, moment: Moment<'a>) -> Cow<'a, Scenario> {
        self.budget.within_budget(moment)
    }

    /// Drops all extra flows.
    pub fn forget_extra(&mut self) {
        self.extra.forget();
    }

    /// Takes on extra flows, as many as there is room for. The next [`look`](Self::look) predicts
    /// them.
    pub fn take_on(&mut self, telling: &BTreeSet<Cell>, scenario: &Scenario) {
        self.extra.take_on(telling, scenario);
    }

    /// All extra flows that are attempted at present.
    pub fn extra(&self) -> &BTreeSet<Cell> {
        self.extra.cells()
    }

    /// The ledger of the test's own flows.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How many attempts were judged, and how.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The flows, extra ones included, with a verdict for which `is_meant` holds.
    pub fn cells_where(
        &self,
        now: Duration,
        is_meant: impl Fn(&Verdict) -> bool,
    ) -> BTreeSet<Cell> {
        let ledgers = [&self.ledger, self.extra.ledger()].into_iter();
        let verdicts = ledgers.flat_map(|ledger| {
            ledger.records().filter_map(|(cell, _)| Some((cell, ledger.verdict(cell, now)?)))
        });
        let meant = verdicts.filter(|(_, verdict)| is_meant(verdict));
        meant.map(|(cell, _)| cell.clone()).collect()
    }

    /// Whether a wrong outcome, or a recovery, waits for its repetition.
    pub fn has_unconfirmed(&self) -> bool {
        let ledgers = [&self.ledger, self.extra.ledger()];
        ledgers.iter().any(|ledger| !ledger.unconfirmed().is_empty())
    }

    /// Whether flows of the test are reported as wrong.
    pub fn is_wrong(&self) -> bool {
        !self.ledger.wrong().is_empty()
    }

    /// The manner in which the network denies; none if no denied attempt was answered or timed out
    /// lately.
    pub fn manner(&self, now: Duration) -> Option<RefusalManner> {
        self.denials.manner(now)
    }

    /// Whether attempts of extra flows are due, now or later.
    pub fn awaits_extra(&self, now: Duration) -> bool {
        !self.extra.due(now).is_empty() || self.extra.next_due(now).is_some()
    }

    /// The receivers to which the policies deny some flow. Their starts show whether the network
    /// keeps the policies from a pod's first instant on.
    pub fn denied_receivers(&self) -> BTreeSet<&Actor> {
        let records = self.ledger.records();
        let denied = records.filter(|(_, one)| matches!(one.expected, Expected::Deny(_)));
        denied.map(|(cell, _)| &cell.to).collect()
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
