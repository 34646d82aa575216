//! Remembers what was seen of each flow, and turns sightings into verdicts: settling, repetition,
//! flapping and age.
//!
//! It has no clock: times are [`Duration`]s since any fixed moment, passed in as `now`.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use crate::{
    expected::Expected,
    matrix::{Actor, Cell, Matrix},
    verdict::{Outcome, Sighting, Steadiness, Verdict, Why},
};

/// How long and how often a network may be wrong before that is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long the network may take to follow a change.
    pub settle: Duration,
    /// How many attempts have to agree before a wrong outcome is reported. At least 1.
    pub confirm: usize,
    /// The age at which evidence is worth nothing any more.
    pub stale_after: Duration,
}

impl Patience {
    /// How many attempts are remembered: enough to see a flow turn wrong and right again.
    fn memory(&self) -> usize {
        (2 * self.confirm).max(6)
    }
}

/// Which way an expectation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// To deny.
    Tightening,
    /// To allow.
    Loosening,
}

impl Change {
    /// The stable word for metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tightening => "tightening",
            Self::Loosening => "loosening",
        }
    }
}

/// The network was seen to follow a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Which way the expectation had changed.
    pub change: Change,
    /// From the change to the first observation that conformed.
    pub latency: Duration,
}

/// Why a flow is not judged yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// A stand-in at one of its ends is new: a network may deny it everything at first, so that
    /// even a denial proves nothing yet.
    NewStandIn,
    /// The expectation changed, and the network has, or has not yet, been seen to follow.
    Changed { change: Change, followed: bool },
}

/// What is known of one flow.
#[derive(Clone, Debug)]
pub struct Record {
    /// What the policies say now.
    pub expected: Expected,
    /// What was seen last, and when.
    pub seen: Option<(Outcome, Duration)>,
    /// When the verdict last turned to its present kind.
    pub since: Duration,
    verdict: Verdict,
    /// Since when the flow has to settle, and why.
    unsettled: Option<(Duration, Cause)>,
    /// Whether each of the last judged attempts conformed, oldest first.
    sights: VecDeque<bool>,
}

/// What is known of every flow of a test.
#[derive(Clone, Debug)]
pub struct Ledger {
    patience: Patience,
    records: BTreeMap<Cell, Record>,
    /// Since when each stand-in is there.
    born: BTreeMap<Actor, Duration>,
}

impl Ledger {
    /// An empty one.
    pub fn new(patience: Patience) -> Self {
        Self { patience, records: BTreeMap::new(), born: BTreeMap::new() }
    }

    /// Replaces the patience, for what is judged from now on.
    pub fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
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
                let record = Record::new(expected.clone(), now, since);
                self.records.insert(cell.clone(), record);
                true
            };
            if differs {
                changed.insert(cell.clone());
            }
        }
        changed
    }

    /// A stand-in is there since `birth`. If that is another than before, what was seen of its
    /// predecessor says nothing of it.
    pub fn born(&mut self, actor: &Actor, birth: Duration, now: Duration) {
        if self.born.insert(actor.clone(), birth) == Some(birth) {
            return;
        }
        for (cell, record) in &mut self.records {
            if cell.from == *actor || cell.to == *actor {
                let since = since(&self.born, cell).unwrap_or(now);
                *record = Record::new(record.expected.clone(), now, since);
            }
        }
    }

    /// Whether a wrong outcome would count against the network now, and does not yet.
    pub fn would_accuse(&self, cell: &Cell, sighting: &Sighting, now: Duration) -> bool {
        matches!(sighting, Sighting::Leak | Sighting::Blocked)
            && self.records.get(cell).is_some_and(|record| {
                !record.settling(&self.patience, now)
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
        now: Duration,
    ) -> Option<Followed> {
        let patience = self.patience;
        let record = self.records.get_mut(cell)?;
        if let Some(outcome) = outcome {
            record.seen = Some((outcome, now));
        }
        record.observe(sighting, &patience, now)
    }

    /// Flows that should be attempted again at once: a wrong outcome, or a recovery, waits for
    /// its repetition.
    pub fn unconfirmed(&self) -> BTreeSet<Cell> {
        self.cells_where(|record| record.verdict == Verdict::Inconclusive(Why::Unconfirmed))
    }

    /// Flows that are settling, and of which an early attempt says something: how fast the network
    /// follows a change, or that a new stand-in is reached already.
    pub fn eager(&self, now: Duration) -> BTreeSet<Cell> {
        self.cells_where(|record| {
            record.verdict == Verdict::Settling
                && record.settling(&self.patience, now)
                && match (record.unsettled, &record.expected) {
                    (Some((_, Cause::Changed { followed, .. })), _) => !followed,
                    (Some((_, Cause::NewStandIn)), Expected::Allow(_)) => true,
                    (
                        Some((_, Cause::NewStandIn)),
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

    /// Flows that are reported as wrong: the first sign of a recovery will show in them.
    pub fn wrong(&self) -> BTreeSet<Cell> {
        self.cells_where(|record| matches!(record.verdict, Verdict::Leak(_) | Verdict::Blocked(_)))
    }

    /// What is known of every flow.
    pub fn records(&self) -> impl Iterator<Item = (&Cell, &Record)> {
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

    fn cells_where(&self, condition: impl Fn(&Record) -> bool) -> BTreeSet<Cell> {
        let matching = self.records.iter().filter(|(_, record)| condition(record));
        matching.map(|(cell, _)| cell.clone()).collect()
    }
}

/// Since when both ends of a flow are there, as far as they are stand-ins.
fn since(born: &BTreeMap<Actor, Duration>, cell: &Cell) -> Option<Duration> {
    born.get(&cell.from).max(born.get(&cell.to)).copied()
}

impl Record {
    /// How many of the last attempts agree with the very last one.
    pub fn agreeing(&self) -> usize {
        self.sights.iter().rev().take_while(|sight| Some(*sight) == self.sights.back()).count()
    }

    fn new(expected: Expected, now: Duration, since: Duration) -> Self {
        Self {
            verdict: Verdict::Settling,
            expected,
            seen: None,
            since: now,
            unsettled: Some((since, Cause::NewStandIn)),
            sights: VecDeque::new(),
        }
    }

    /// Takes over what the policies say now; returns whether the answer differs.
    fn expect(&mut self, expected: &Expected, now: Duration) -> bool {
        let change = match (&self.expected, expected) {
            (Expected::Allow(_), Expected::Allow(_)) | (Expected::Deny(_), Expected::Deny(_)) => {
                None
            }
            (Expected::Unspecified(_) | Expected::Allow(_), Expected::Deny(_)) => {
                Some(Change::Tightening)
            }
            (Expected::Unspecified(_) | Expected::Deny(_), Expected::Allow(_)) => {
                Some(Change::Loosening)
            }
            (_, Expected::Unspecified(why)) => {
                let differs = self.expected != *expected;
                self.expected = expected.clone();
                self.turn(Verdict::Unspecified(*why), now);
                self.sights.clear();
                return differs;
            }
        };
        self.expected = expected.clone();
        let Some(change) = change else { return false };
        // A stand-in that was new and has not settled stays new: its age says less than nothing
        // about how fast the network follows changes.
        let cause = match self.unsettled {
            Some((_, Cause::NewStandIn)) if self.verdict == Verdict::Settling => Cause::NewStandIn,
            _ => Cause::Changed { change, followed: false },
        };
        self.unsettled = Some((now, cause));
        self.sights.clear();
        self.turn(Verdict::Settling, now);
        true
    }

    fn observe(
        &mut self,
        sighting: Sighting,
        patience: &Patience,
        now: Duration,
    ) -> Option<Followed> {
        let settling = self.settling(patience, now);
        match sighting {
            Sighting::Moved => None,
            Sighting::Unspecified(why) => {
                self.turn(Verdict::Unspecified(why), now);
                None
            }
            Sighting::Inconclusive(why @ Why::NoProbe(_)) => {
                self.turn(Verdict::Inconclusive(why), now);
                None
            }
            Sighting::Inconclusive(why) => {
                let verdict = if settling { Verdict::Settling } else { Verdict::Inconclusive(why) };
                self.turn(verdict, now);
                None
            }
            Sighting::Leak | Sighting::Blocked if settling => {
                self.turn(Verdict::Settling, now);
                None
            }
            Sighting::Leak | Sighting::Blocked => {
                self.remember(false, patience, now);
                None
            }
            Sighting::Conforms => {
                let new = matches!(self.unsettled, Some((_, Cause::NewStandIn)));
                if settling && new && matches!(self.expected, Expected::Deny(_)) {
                    self.turn(Verdict::Settling, now);
                    return None;
                }
                self.remember(true, patience, now);
                self.followed(now)
            }
        }
    }

    /// Marks the change as followed; returns it the first time.
    fn followed(&mut self, now: Duration) -> Option<Followed> {
        match &mut self.unsettled {
            Some((since, Cause::Changed { change, followed })) if !*followed => {
                *followed = true;
                Some(Followed { change: *change, latency: now.saturating_sub(*since) })
            }
            Some((_, Cause::Changed { .. } | Cause::NewStandIn)) | None => None,
        }
    }

    fn settling(&self, patience: &Patience, now: Duration) -> bool {
        self.unsettled.is_some_and(|(since, _)| now < since + patience.settle)
    }

    fn remember(&mut self, conformed: bool, patience: &Patience, now: Duration) {
        self.sights.push_back(conformed);
        while self.sights.len() > patience.memory() {
            self.sights.pop_front();
        }
        self.turn(self.weigh(patience), now);
    }

    /// What the remembered attempts say together. One switch from right to wrong, or back, is a
    /// network that broke or recovered; more are flapping.
    fn weigh(&self, patience: &Patience) -> Verdict {
        let of = self.sights.len();
        let bad = self.sights.iter().filter(|conformed| !**conformed).count();
        if bad == 0 {
            return Verdict::Conforms;
        }
        let pairs = self.sights.iter().zip(self.sights.iter().skip(1));
        let switches = pairs.filter(|(earlier, later)| earlier != later).count();
        let steady = self.agreeing() >= patience.confirm;
        match (switches, steady) {
            (0 | 1, true) if self.sights.back() == Some(&true) => Verdict::Conforms,
            (0 | 1, true) => self.accuse(Steadiness::Steady),
            (0 | 1, false) => Verdict::Inconclusive(Why::Unconfirmed),
            _ if bad >= patience.confirm => self.accuse(Steadiness::Flapping { bad, of }),
            _ => Verdict::Inconclusive(Why::Flapping { bad, of }),
        }
    }

    fn accuse(&self, steadiness: Steadiness) -> Verdict {
        match self.expected {
            Expected::Deny(_) => Verdict::Leak(steadiness),
            Expected::Allow(_) => Verdict::Blocked(steadiness),
            Expected::Unspecified(why) => Verdict::Unspecified(why),
        }
    }

    fn turn(&mut self, verdict: Verdict, now: Duration) {
        if verdict.kind() != self.verdict.kind() {
            self.since = now;
        }
        self.verdict = verdict;
    }

    /// The verdict, with old evidence counted as none.
    fn verdict(&self, patience: &Patience, now: Duration) -> Verdict {
        let fresh = |at: Duration| now.saturating_sub(at) <= patience.stale_after;
        match &self.verdict {
            Verdict::Conforms | Verdict::Leak(_) | Verdict::Blocked(_)
                if !self.seen.as_ref().is_some_and(|(_, at)| fresh(*at)) =>
            {
                Verdict::Inconclusive(Why::Stale)
            }
            Verdict::Settling if !self.settling(patience, now) && !fresh(self.since) => {
                Verdict::Inconclusive(Why::Stale)
            }
            verdict => verdict.clone(),
        }
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
