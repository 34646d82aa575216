//! The recent past of a test: what was, for faults of memory, and how flows came to be as they are,
//! for faults of time.
//!
//! It has no clock: times are [`Duration`]s since any fixed moment, passed in as `now`. What it
//! remembers is bounded by the cluster as it is now, by [`KEPT`] and by the flows of the test.

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

/// How many things that are gone are remembered, of each kind.
pub const KEPT: usize = 256;

/// What is remembered of a test.
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
    /// For how long what happened to a flow counts.
    window: Duration,
    objects: ObjectHistory,
    flows: FlowHistory,
}

/// An attempt of one flow, and what is known of the moment.
#[derive(Clone, Debug)]
pub struct PastAttempt<'a> {
    /// The place of the flow in the test's matrix.
    pub cell: &'a Cell,
    /// What the attempt says.
    pub sighting: &'a Sighting,
    /// How old the younger of the stand-ins at its ends was, if any is one.
    pub age: Option<Duration>,
}

impl History {
    /// Remembers nothing yet; what happened to a flow counts for this long. What an object was
    /// counts until there is too much of it: a network that keeps it does so for good.
    pub fn new(window: Duration) -> Self {
        Self { window, objects: ObjectHistory::default(), flows: FlowHistory::default() }
    }

    /// A history in which a network may break and recover once in that time, and is not said to
    /// flap.
    pub fn forgiving(window: Duration) -> Self {
        Self { flows: FlowHistory::forgiving(), ..Self::new(window) }
    }

    /// The cluster is as this snapshot says. To be told of every change, and it does no harm to be
    /// told of none.
    pub fn snapshot(&mut self, snapshot: &Snapshot) {
        self.objects.take(snapshot);
    }

    /// Takes in that an attempt was made, whether or not it counted.
    pub fn attempted(&mut self, attempt: &PastAttempt<'_>, now: Duration) {
        self.flows.attempted(attempt, now);
        self.flows.forget(now.saturating_sub(self.window));
    }

    /// The network was seen to follow a change of this flow's expectation. `settle` is how long it
    /// may take.
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

    /// What was otherwise, for faults of memory: labels as they were first known, and where that is
    /// another, as they were before they last changed.
    pub fn pasts(&self) -> Vec<Past> {
        self.objects.pasts()
    }

    /// The fault of time that explains all that went wrong lately, if one does: that a flow is
    /// wrong now and does not flap is no matter of time.
    pub fn time_fault(&self) -> Option<TimeFault> {
        self.flows.time_fault()
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
