//! Remembers how each flow went, for faults of time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::PastAttempt;
use crate::{
    diagnosis::TimeFault,
    ledger::Followed,
    matrix::Cell,
    verdict::{Sighting, Steadiness, Verdict},
};

/// What is remembered of the flows of a test.
#[derive(Clone, Debug, Default)]
pub(super) struct FlowHistory {
    flows: BTreeMap<Cell, PastFlow>,
    /// How many turns of a flow are not counted as flapping.
    forgiven: usize,
}

#[derive(Clone, Debug, Default)]
struct PastFlow {
    /// When the network was seen to follow a change too late, and how late that was.
    slow: Option<(Duration, Duration)>,
    /// When the flow was last seen to be wrong.
    wrong: Option<Duration>,
    /// When the flow was last seen to be right.
    right: Option<Duration>,
    /// How often the flow was right since it last leaked.
    in_a_row: usize,
    /// When the flow last leaked without a change to follow, and the age of its younger end then,
    /// if it had leaked ever since that end was there.
    leaked: Option<(Duration, Option<Duration>)>,
    verdict: Now,
    /// Whether the flow leaked when that was last known, since its expectation last changed.
    leaks: Option<bool>,
    /// When the flow's verdict turned from right to a leak or back, since its expectation last
    /// changed.
    turns: Vec<Duration>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Now {
    /// No verdict tells whether the flow is right or wrong.
    #[default]
    Open,
    Right,
    Leaks,
    LeaksByTurns,
    Blocked,
}

/// How many turns are flapping if none is forgiven: one turn is a network that broke or recovered.
const FLAPPING: usize = 2;

/// How many attempts in a row have to be right before a flow counts as right: one silence may have
/// been the sender's own slowness.
const RIGHT: usize = 3;

impl PastFlow {
    /// Whether the flow leaks by turns, in its last attempts or over a longer time.
    fn flaps(&self, forgiven: usize) -> bool {
        // Right, wrong and right again may also be the start of a stand-in.
        let at_start = usize::from(self.leaked_when_new().is_some());
        self.verdict == Now::LeaksByTurns || self.turns.len() >= FLAPPING + at_start + forgiven
    }

    /// Forgets the flow's verdicts.
    fn begin_anew(&mut self) {
        self.turns.clear();
        self.leaks = None;
    }

    /// The age of the younger end when the flow last leaked, if it leaked from the start of that
    /// end and is right since.
    fn leaked_when_new(&self) -> Option<Duration> {
        let (at, age) = self.leaked?;
        age.filter(|_| self.right.is_some_and(|right| right > at))
    }
}

impl FlowHistory {
    /// No flows yet, with one turn forgiven, by which a network that broke may recover.
    pub(super) fn forgiving() -> Self {
        Self { forgiven: 1, ..Self::default() }
    }

    pub(super) fn attempted(&mut self, attempt: &PastAttempt<'_>, now: Duration) {
        let record = self.flows.entry(attempt.cell.clone()).or_default();
        match attempt.sighting {
            Sighting::Leak => {
                let birth = attempt.age.map(|age| now.saturating_sub(age));
                let since_birth =
                    record.right.is_some_and(|at| birth.is_some_and(|born| born <= at));
                let was_right = since_birth && record.in_a_row >= RIGHT;
                let was_else = record.leaked.is_some_and(|(_, age)| age.is_none());
                record.leaked = Some((now, attempt.age.filter(|_| !was_right && !was_else)));
                record.in_a_row = 0;
                record.wrong = Some(now);
            }
            Sighting::Blocked => record.wrong = Some(now),
            Sighting::Conforms => {
                record.right = Some(now);
                record.in_a_row += 1;
            }
            Sighting::Moved | Sighting::Unspecified(_) | Sighting::Inconclusive(_) => {}
        }
    }

    /// Takes in that a flow followed a change. A long time alone says nothing where nobody looked:
    /// the flow has to have been seen wrong after its time to settle.
    pub(super) fn followed(
        &mut self,
        cell: &Cell,
        followed: Followed,
        settle: Duration,
        now: Duration,
    ) {
        let record = self.flows.entry(cell.clone()).or_default();
        let due = now.saturating_sub(followed.latency) + settle;
        if record.wrong.is_some_and(|wrong| wrong >= due) {
            record.slow = Some((now, followed.latency));
        }
        // Until the network followed, a leak was its delay.
        record.leaked = None;
        record.begin_anew();
    }

    pub(super) fn judged(&mut self, cell: &Cell, verdict: &Verdict, now: Duration) {
        let record = self.flows.entry(cell.clone()).or_default();
        let state = match verdict {
            Verdict::Leak(Steadiness::Flapping { .. }) => Now::LeaksByTurns,
            Verdict::Leak(Steadiness::Steady) => Now::Leaks,
            Verdict::Blocked(_) => Now::Blocked,
            // A leak that has ceased stands, but for what the network does now it is right.
            Verdict::Leak(Steadiness::Ceased { .. }) | Verdict::Conforms => Now::Right,
            // After a change or with a new stand-in, earlier verdicts say nothing of the flow.
            Verdict::Settling => {
                record.begin_anew();
                Now::Open
            }
            Verdict::Unspecified(_) | Verdict::Inconclusive(_) => Now::Open,
        };
        let leaks = match state {
            Now::Right => Some(false),
            Now::Leaks | Now::LeaksByTurns => Some(true),
            Now::Open | Now::Blocked => None,
        };
        if let Some(leaks) = leaks {
            if record.leaks.is_some_and(|before| before != leaks) {
                record.turns.push(now);
            }
            record.leaks = Some(leaks);
        }
        record.verdict = state;
    }

    /// Whether a flow leaks by turns.
    pub(super) fn flaps(&self, cell: &Cell) -> bool {
        self.flows.get(cell).is_some_and(|record| record.flaps(self.forgiven))
    }

    pub(super) fn retain(&mut self, cells: &BTreeSet<&Cell>) {
        self.flows.retain(|cell, _| cells.contains(cell));
    }

    /// Forgets all events before this time.
    pub(super) fn forget(&mut self, before: Duration) {
        for record in self.flows.values_mut() {
            record.slow = record.slow.filter(|(at, _)| *at >= before);
            record.leaked = record.leaked.filter(|(at, _)| *at >= before);
            record.turns.retain(|at| *at >= before);
        }
    }

    pub(super) fn time_fault(&self) -> Option<TimeFault> {
        let is_wrong = |record: &&PastFlow| match record.verdict {
            Now::Open | Now::Right => false,
            Now::Leaks | Now::LeaksByTurns | Now::Blocked => true,
        };
        let flaps = |record: &PastFlow| record.flaps(self.forgiven);
        let flapping = self.flows.values().filter(|record| flaps(record)).count();
        if self.flows.values().filter(is_wrong).any(|record| !flaps(record)) {
            return None;
        }
        if flapping > 0 {
            return Some(TimeFault::Flapping { flows: flapping });
        }
        let slow = self.flows.values().filter_map(|record| Some(record.slow?.1));
        let slow: Vec<Duration> = slow.collect();
        if let Some(after) = slow.iter().max() {
            return Some(TimeFault::Slow { after: *after, flows: slow.len() });
        }
        // One that leaked otherwise is explained by no fault of time.
        let leaked = self.flows.values().filter(|record| record.leaked.is_some());
        let ages: Option<Vec<Duration>> = leaked.map(PastFlow::leaked_when_new).collect();
        let ages = ages?;
        Some(TimeFault::LateIsolation { until: *ages.iter().max()?, flows: ages.len() })
    }
}
