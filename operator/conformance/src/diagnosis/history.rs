//! The recent past of a test: what was, for faults of memory, and how flows came to be as they are,
//! for faults of time.
//!
//! A history has no clock: times are [`Duration`]s since any fixed moment, passed in as `now`. What
//! a history remembers is bounded by the cluster as it is now, by [`KEPT`] and by the flows of the
//! test.

mod flows;
mod objects;

use std::{collections::BTreeSet, time::Duration};

use super::{TimeFault, mutation::Past};
use crate::{
    ledger::Followed,
    matrix::Cell,
    snapshot::Snapshot,
    verdict::{Sighting, Verdict},
};
use flows::FlowHistory;
use objects::ObjectHistory;

/// How many objects that are gone are remembered, of each kind.
pub const KEPT: usize = 256;

/// What is remembered of a test: its objects, and how its flows went.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use std::time::Duration;
///
/// use netproof_conformance::diagnosis::history::History;
///
/// let mut history = History::new(Duration::from_secs(600));
/// history.snapshot(&shop());
/// let mut relabelled = shop();
/// relabelled.pods[0].labels.insert("app".to_owned(), "api".to_owned());
/// history.snapshot(&relabelled);
///
/// // What a network that keeps old labels would go by.
/// let pasts = history.pasts();
/// assert_eq!(pasts[0].pod_labels[&relabelled.pods[0].name]["app"], "web");
/// ```
#[derive(Clone, Debug)]
pub struct History {
    /// For how long an event of a flow counts.
    window: Duration,
    objects: ObjectHistory,
    flows: FlowHistory,
}

/// An attempt of one flow that was made.
#[derive(Clone, Debug)]
pub struct PastAttempt<'a> {
    /// The place of the flow in the test's matrix.
    pub cell: &'a Cell,
    /// What the attempt says of the network.
    pub sighting: &'a Sighting,
    /// The age of the younger stand-in at the flow's ends; none if neither end is a new one.
    pub age: Option<Duration>,
}

impl History {
    /// A history of nothing. Events of a flow count for `window`. What an object was counts until
    /// [`KEPT`] others of its kind are gone: a network that keeps it does so for good.
    pub fn new(window: Duration) -> Self {
        Self { window, objects: ObjectHistory::default(), flows: FlowHistory::default() }
    }

    /// A history in which a network may break and recover once within `window` and is not said to
    /// flap.
    pub fn forgiving(window: Duration) -> Self {
        Self { flows: FlowHistory::forgiving(), ..Self::new(window) }
    }

    /// Takes in the cluster as it is now. Every change has to be told; a snapshot without one does
    /// no harm.
    pub fn snapshot(&mut self, snapshot: &Snapshot) {
        self.objects.take(snapshot);
    }

    /// Takes in that an attempt was made, whether or not it counted.
    pub fn attempted(&mut self, attempt: &PastAttempt<'_>, now: Duration) {
        self.flows.attempted(attempt, now);
        self.flows.forget(now.saturating_sub(self.window));
    }

    /// Takes in that the network was seen to follow a change of this flow's expectation. `settle`
    /// is how long it may take.
    pub fn followed(&mut self, cell: &Cell, followed: Followed, settle: Duration, now: Duration) {
        self.flows.followed(cell, followed, settle, now);
    }

    /// Takes in the verdicts on all flows of the test, as of `now`; other flows are forgotten.
    pub fn judged<'a>(
        &mut self,
        verdicts: impl IntoIterator<Item = (&'a Cell, &'a Verdict)>,
        now: Duration,
    ) {
        let verdicts: Vec<_> = verdicts.into_iter().collect();
        let cells: BTreeSet<&Cell> = verdicts.iter().map(|(cell, _)| *cell).collect();
        self.flows.retain(&cells);
        for (cell, verdict) in verdicts {
            self.flows.judged(cell, verdict, now);
        }
        self.flows.forget(now.saturating_sub(self.window));
    }

    /// Whether a flow leaked by turns lately, perhaps over a longer time than its last attempts.
    pub fn flaps(&self, cell: &Cell) -> bool {
        self.flows.flaps(cell)
    }

    /// The earlier states for faults of memory: labels as they were first known, and, where that
    /// differs, as they were before they last changed.
    pub fn pasts(&self) -> Vec<Past> {
        self.objects.pasts()
    }

    /// The fault of time that explains all that went wrong lately, if one does. None does if a flow
    /// is wrong now and does not flap.
    pub fn time_fault(&self) -> Option<TimeFault> {
        self.flows.time_fault()
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
