//! Remembers what was seen of each flow, and turns sightings into verdicts: settling, repetition,
//! flapping and age.
//!
//! A ledger has no clock: times are [`Duration`]s since any fixed moment, passed in as `now`.

mod record;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    expected::Expected,
    matrix::{Actor, Cell, Matrix},
    verdict::{Outcome, Sighting, Steadiness, Verdict},
};

use record::PendingCause;

pub use record::FlowRecord;

/// How long and how often a network may be wrong before that is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long the network may take to follow a change.
    pub settle: Duration,
    /// How many attempts have to agree before a wrong outcome is reported. At least 1.
    pub confirm: usize,
    /// The age at which evidence is worth nothing any more.
    pub stale_after: Duration,
    /// How long an attempt of an allowed flow waits before its silence counts against the network,
    /// if that is longer than the timeout.
    pub silence: Duration,
    /// For how long a leak stands after it was last proven, whatever later attempts say.
    pub leak_retention: Duration,
}

/// How long an allowed flow has to be silent where nobody says otherwise. Linux repeats an ARP or
/// neighbour request each second, three times, and a SYN after 1 and 3 s: a packet that was lost,
/// or a node that could not be found at once, is made good by then.
pub const SILENCE: Duration = Duration::from_secs(4);

/// For how long a leak stands after its last proof where nobody says otherwise.
pub const LEAK_RETENTION: Duration = Duration::from_secs(300);

impl Patience {
    /// How many attempts are remembered: enough to see a flow turn wrong and right again.
    fn memory(&self) -> usize {
        (2 * self.confirm).max(6)
    }
}

/// Which way an expectation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExpectationChange {
    /// The flow was allowed, and is to be denied.
    Tightening,
    /// The flow was denied, and is to be allowed.
    Loosening,
}

impl ExpectationChange {
    /// Which way an answer turned; none if it did not, or either is left open.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
    /// # use example::*;
    /// use netproof_conformance::{evaluate::expect, ledger::ExpectationChange};
    ///
    /// let [denied, allowed] = ["job", "web"].map(|from| expect(&shop(), &flow(from, "db")));
    /// let loosening = Some(ExpectationChange::Loosening);
    /// assert_eq!(ExpectationChange::between(&denied, &allowed), loosening);
    /// assert_eq!(ExpectationChange::between(&denied, &denied), None);
    /// ```
    pub fn between(before: &Expected, after: &Expected) -> Option<Self> {
        match (before, after) {
            (Expected::Allow(_), Expected::Deny(_)) => Some(Self::Tightening),
            (Expected::Deny(_), Expected::Allow(_)) => Some(Self::Loosening),
            (Expected::Allow(_), Expected::Allow(_))
            | (Expected::Deny(_), Expected::Deny(_))
            | (Expected::Unspecified(_), _)
            | (_, Expected::Unspecified(_)) => None,
        }
    }

    /// The stable word for metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tightening => "tightening",
            Self::Loosening => "loosening",
        }
    }
}

/// The time within which an attempt was made. Whether the network has had its time to settle
/// depends on when the attempt began, however long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// No later than the attempt began.
    pub began: Duration,
    /// No sooner than the attempt ended.
    pub ended: Duration,
}

/// The interval of an attempt that took no time.
impl From<Duration> for Interval {
    fn from(now: Duration) -> Self {
        Self { began: now, ended: now }
    }
}

/// The network was seen to follow a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Which way the expectation had changed.
    pub change: ExpectationChange,
    /// From the change to the first observation that conformed.
    pub latency: Duration,
}

/// What is known of every flow of a test.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use std::time::Duration;
///
/// use netproof_conformance::{
///     evaluate::expect,
///     ledger::{LEAK_RETENTION, Ledger, Patience, SILENCE},
///     matrix::{Actor, Cell},
///     verdict::{Outcome, Sighting, Steadiness, Verdict, Why},
/// };
///
/// let at = Duration::from_secs;
/// let mut ledger = Ledger::new(Patience {
///     settle: at(5),
///     confirm: 2,
///     stale_after: at(600),
///     silence: SILENCE,
///     leak_retention: LEAK_RETENTION,
/// });
/// let flow = flow("job", "db");
/// let cell = Cell { from: Actor::sole("job"), to: Actor::sole("db"), port: flow.port };
/// let denied = expect(&shop(), &flow);
/// ledger.expect(&[(cell.clone(), denied)].into_iter().collect(), at(0));
/// assert_eq!(ledger.verdict(&cell, at(1)), Some(Verdict::Settling));
///
/// // Once is no accusation, and twice is.
/// ledger.observe(&cell, Sighting::Leak, Some(Outcome::Connected), at(6));
/// let unconfirmed = Verdict::Inconclusive(Why::Unconfirmed);
/// assert_eq!(ledger.verdict(&cell, at(6)), Some(unconfirmed));
/// ledger.observe(&cell, Sighting::Leak, Some(Outcome::Connected), at(7));
/// assert_eq!(ledger.verdict(&cell, at(7)), Some(Verdict::Leak(Steadiness::Steady)));
/// ```
#[derive(Clone, Debug)]
pub struct Ledger {
    patience: Patience,
    records: BTreeMap<Cell, FlowRecord>,
    /// Since when each stand-in is there.
    born: BTreeMap<Actor, Duration>,
}

impl Ledger {
    /// A ledger of no flows; [`Ledger::expect`] says which ones there are.
    pub fn new(patience: Patience) -> Self {
        Self { patience, records: BTreeMap::new(), born: BTreeMap::new() }
    }

    /// Replaces the patience, for what is judged from now on.
    pub fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// The patience by which flows are judged now.
    pub fn patience(&self) -> &Patience {
        &self.patience
    }

    /// Takes over a new set of expectations: flows that are not in it are forgotten, new ones are
    /// settling, and changed ones have to settle anew. Returns the flows whose answer changed.
    pub fn expect(&mut self, expected: &Matrix<Expected>, now: Duration) -> BTreeSet<Cell> {
        self.records.retain(|cell, _| expected.get(cell).is_some());
        let mut changed = BTreeSet::new();
        for (cell, expected) in expected.iter() {
            let differs = if let Some(record) = self.records.get_mut(cell) {
                record.expect(expected, now)
            } else {
                let since = since(&self.born, cell).unwrap_or(now);
                let record = FlowRecord::new(expected.clone(), now, since);
                self.records.insert(cell.clone(), record);
                true
            };
            if differs {
                changed.insert(cell.clone());
            }
        }
        changed
    }

    /// Has the flows for which `is_meant` holds settle anew, because what the policies say of them
    /// may have changed and changed back. What was seen of them, and their expectation, stays.
    /// Returns these flows.
    pub fn doubt(&mut self, is_meant: impl Fn(&Cell) -> bool, now: Duration) -> BTreeSet<Cell> {
        let mut doubted = BTreeSet::new();
        for (cell, record) in self.records.iter_mut().filter(|(cell, _)| is_meant(cell)) {
            record.settle_anew(now);
            doubted.insert(cell.clone());
        }
        doubted
    }

    /// Takes in that an actor has had its stand-in since `birth`. If that differs from before, what
    /// was seen of the former stand-in no longer counts, but for the proof of a leak, which stands
    /// for its time.
    pub fn born(&mut self, actor: &Actor, birth: Duration, now: Duration) {
        if self.born.insert(actor.clone(), birth) == Some(birth) {
            return;
        }
        for (cell, record) in &mut self.records {
            if cell.from == *actor || cell.to == *actor {
                let since = since(&self.born, cell).unwrap_or(now);
                *record = record.reborn(&self.patience, now, since);
            }
        }
    }

    /// Whether a wrong sighting of an attempt that began at `began` would count against the
    /// network, while the flow is not reported as wrong yet.
    pub fn would_accuse(&self, cell: &Cell, sighting: &Sighting, began: Duration) -> bool {
        matches!(sighting, Sighting::Leak | Sighting::Blocked)
            && self.records.get(cell).is_some_and(|record| {
                !record.settling(&self.patience, began)
                    && !matches!(record.verdict, Verdict::Leak(_) | Verdict::Blocked(_))
            })
    }

    /// Takes a sighting into account. Returns how long the network took, if this is the first
    /// sign that it has followed a change.
    pub fn observe(
        &mut self,
        cell: &Cell,
        sighting: Sighting,
        outcome: Option<Outcome>,
        during: impl Into<Interval>,
    ) -> Option<Followed> {
        let during = during.into();
        let patience = self.patience;
        let record = self.records.get_mut(cell)?;
        if let Some(outcome) = outcome {
            record.seen = Some((outcome, during.ended));
        }
        record.observe(sighting, &patience, during)
    }

    /// Whether a wrong outcome of an attempt of this flow that begins now would count against the
    /// network.
    pub fn is_settled(&self, cell: &Cell, now: Duration) -> bool {
        self.records.get(cell).is_some_and(|record| !record.settling(&self.patience, now))
    }

    /// Flows that should be attempted again at once: a wrong outcome, or a recovery, waits for
    /// its repetition; or a silence waits for one of which the attempt waits longer.
    pub fn unconfirmed(&self) -> BTreeSet<Cell> {
        self.cells_where(|record| record.verdict.awaits_repetition())
    }

    /// Flows that are settling, and of which an early attempt says something: how fast the network
    /// follows a change, or that a new stand-in is reached already.
    pub fn eager(&self, now: Duration) -> BTreeSet<Cell> {
        self.cells_where(|record| {
            record.verdict == Verdict::Settling
                && record.settling(&self.patience, now)
                && match (record.unsettled, &record.expected) {
                    (Some((_, PendingCause::Changed { followed, .. })), _) => !followed,
                    (Some((_, PendingCause::NewStandIn)), Expected::Allow(_)) => true,
                    (
                        Some((_, PendingCause::NewStandIn)),
                        Expected::Deny(_) | Expected::Unspecified(_),
                    )
                    | (None, _) => false,
                }
        })
    }

    /// Flows that have had their time to settle and have not been judged since.
    pub fn due(&self, now: Duration) -> BTreeSet<Cell> {
        self.cells_where(|record| {
            record.verdict == Verdict::Settling && !record.settling(&self.patience, now)
        })
    }

    /// When the next flow will be due.
    pub fn next_due(&self, now: Duration) -> Option<Duration> {
        self.records
            .values()
            .filter(|record| record.verdict == Verdict::Settling)
            .filter_map(|record| Some(record.unsettled?.0 + self.patience.settle))
            .filter(|due| *due > now)
            .min()
    }

    /// Flows that are reported as wrong, which show the first sign of a recovery.
    pub fn wrong(&self) -> BTreeSet<Cell> {
        self.cells_where(|record| matches!(record.verdict, Verdict::Leak(_) | Verdict::Blocked(_)))
    }

    /// The flows that are reported as wrong and whose last attempts all went wrong: others may be
    /// mended already.
    pub fn steadily_wrong(&self) -> BTreeSet<Cell> {
        let is_steady = |record: &FlowRecord| {
            matches!(
                record.verdict,
                Verdict::Leak(Steadiness::Steady) | Verdict::Blocked(Steadiness::Steady)
            )
        };
        self.cells_where(is_steady)
    }

    /// What is known of one flow.
    pub fn record(&self, cell: &Cell) -> Option<&FlowRecord> {
        self.records.get(cell)
    }

    /// What is known of every flow.
    pub fn records(&self) -> impl Iterator<Item = (&Cell, &FlowRecord)> {
        self.records.iter()
    }

    /// The verdict on every flow, with old evidence counted as none.
    pub fn verdicts(&self, now: Duration) -> Matrix<Verdict> {
        self.records
            .iter()
            .map(|(cell, record)| (cell.clone(), record.verdict(&self.patience, now)))
            .collect()
    }

    /// The verdict on one flow, with old evidence counted as none.
    pub fn verdict(&self, cell: &Cell, now: Duration) -> Option<Verdict> {
        self.records.get(cell).map(|record| record.verdict(&self.patience, now))
    }

    fn cells_where(&self, condition: impl Fn(&FlowRecord) -> bool) -> BTreeSet<Cell> {
        let matching = self.records.iter().filter(|(_, record)| condition(record));
        matching.map(|(cell, _)| cell.clone()).collect()
    }
}

/// Since when both ends of a flow are there; none if neither is known to be a stand-in.
fn since(born: &BTreeMap<Actor, Duration>, cell: &Cell) -> Option<Duration> {
    born.get(&cell.from).max(born.get(&cell.to)).copied()
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
