//! Says which flows to attempt when, and takes what was seen of them.

use std::{collections::BTreeSet, time::Duration};

use netproof_conformance::{
    diagnosis::history::PastAttempt,
    expected::Expected,
    flow::Protocol,
    ledger::{Followed, Interval, Ledger},
    matrix::Cell,
    verdict::{Outcome, Sighting, Why},
};

use super::Book;
use crate::{
    engine::round::{AttemptResult, FlowAttempt},
    pass::{Looked, Pass, Sighted},
    predict::StandIn,
    scenario::Scenario,
};

/// The time between two looks at flows that are settling: how soon a verdict follows the network.
/// [`latency`](crate::measurements::latency) measures more finely how fast the network follows a
/// change.
const EAGER: Duration = Duration::from_millis(200);

/// The time between two looks at a few of the flows that are wrong, so that a recovery is noticed
/// sooner than after a whole interval.
const CANARY: Duration = Duration::from_secs(1);

/// How many flows that are wrong are due at each look.
const CANARIES: usize = 8;

/// A stand-in is new for at least this long, or until it has settled: a network that isolates it
/// within this time is late, and a leak that ends later was mended.
const NEW: Duration = Duration::from_secs(10);

impl Book {
    /// The flows to attempt now: those that are due, those of which an early attempt can say
    /// something while they settle, those that wait for repetition, and at most 8 of
    /// those that are wrong.
    pub fn due(&self, now: Duration) -> BTreeSet<Cell> {
        let mut due = self.ledger.due(now);
        due.extend(self.ledger.eager(now));
        due.extend(self.ledger.unconfirmed());
        due.extend(self.ledger.wrong().into_iter().take(CANARIES));
        due
    }

    /// The extra flows to attempt now.
    pub fn extra_due(&self, now: Duration) -> BTreeSet<Cell> {
        self.extra.due(now)
    }

    /// How soon to look again even if nothing changes; none if no flow will be due.
    pub fn next_look(&self, now: Duration) -> Option<Duration> {
        let is_eager = !self.ledger.eager(now).is_empty() || !self.extra.due(now).is_empty();
        let eager = is_eager.then_some(EAGER);
        let canary = (!self.ledger.wrong().is_empty()).then_some(CANARY);
        let due = [self.ledger.next_due(now), self.extra.next_due(now)];
        let due = due.into_iter().flatten().map(|due| due.saturating_sub(now));
        due.chain(eager).chain(canary).min()
    }

    /// Begins a pass over these flows, and returns the attempts to make. For flows to an external
    /// address they include every allowed flow to the same address and port: a silence is evidence
    /// only if some probe reaches that address in the same round.
    pub fn begin(
        &self,
        cells: &BTreeSet<Cell>,
        looked: &Looked,
        scenario: &Scenario,
        stand_ins: &[StandIn],
        now: Duration,
    ) -> (Pass, Vec<FlowAttempt>) {
        let outside: BTreeSet<_> = cells
            .iter()
            .filter(|cell| scenario.externals.contains_key(&cell.to.endpoint))
            .map(|cell| (&cell.to, cell.port))
            .collect();
        let companions = self.ledger.records().filter(|(cell, record)| {
            outside.contains(&(&cell.to, cell.port))
                && matches!(record.expected, Expected::Allow(_))
        });
        let companions = companions.map(|(cell, _)| cell.clone());
        let all = companions.chain(cells.iter().cloned()).collect();
        let (pass, mut flows) = Pass::begin(&all, looked, scenario, stand_ins);
        let paths = self.paths.among(stand_ins);
        for flow in &mut flows {
            let (cell, ledger) = (&flow.cell, self.ledger_of(&flow.cell));
            let is_allowed = ledger
                .record(cell)
                .is_some_and(|record| matches!(record.expected, Expected::Allow(_)));
            // The silence of an allowed flow would accuse, and on a slow path it would say nothing.
            let is_brief = || is_allowed || paths.too_slow(cell, scenario.timeout).is_some();
            if ledger.is_settled(cell, now) && is_brief() {
                flow.patience = Some(ledger.patience().silence);
            }
        }
        (pass, flows)
    }

    fn ledger_of(&self, cell: &Cell) -> &Ledger {
        if self.extra.contains(cell) { self.extra.ledger() } else { &self.ledger }
    }

    /// Judges what was seen in a pass, by the predictions before and after it and by the round
    /// trips between the nodes.
    pub fn judge(
        &mut self,
        pass: Pass,
        seen: Vec<AttemptResult>,
        after: &Looked,
        stand_ins: &[StandIn],
    ) -> Vec<Sighted> {
        self.paths.measure(&seen, stand_ins);
        pass.judge(seen, after, stand_ins, &self.paths)
    }

    /// Whether this outcome, of an attempt that began at `began`, would count against the network,
    /// and its flow is not yet reported as wrong.
    pub fn would_accuse(&self, cell: &Cell, sighting: &Sighting, began: Duration) -> bool {
        self.ledger_of(cell).would_accuse(cell, sighting, began)
    }

    /// Takes what was seen `during` a pass. Returns the flows of which the outcome is the first
    /// sign that the network has followed a change.
    pub fn take(
        &mut self,
        sighted: Vec<Sighted>,
        during: impl Into<Interval>,
    ) -> Vec<(Cell, Followed)> {
        let during = during.into();
        let followed = sighted.into_iter().filter_map(|(cell, sighting, outcome)| {
            let followed = self.observe(&cell, sighting, outcome, during)?;
            Some((cell, followed))
        });
        followed.collect()
    }

    fn observe(
        &mut self,
        cell: &Cell,
        sighting: Sighting,
        outcome: Option<Outcome>,
        during: Interval,
    ) -> Option<Followed> {
        if self.extra.contains(cell) {
            self.extra.observe(cell, sighting, outcome, during);
            return None;
        }
        let now = during.ended;
        let settle = self.ledger.patience().settle;
        let births = [&cell.from, &cell.to].into_iter().filter_map(|end| self.births.get(end));
        let age = births.map(|(_, birth)| *birth).max().map(|birth| now.saturating_sub(birth));
        // A leak of an old stand-in does not come from its being new.
        let age = age.filter(|age| *age < settle.max(NEW));
        self.history.attempted(&PastAttempt { cell, sighting: &sighting, age }, now);
        self.tally.observations += 1;
        self.tally.conforming += u64::from(sighting == Sighting::Conforms);
        self.tally.doubtful += u64::from(self.ledger.would_accuse(cell, &sighting, during.began));
        if let (Some(outcome), Sighting::Conforms, Protocol::Tcp) =
            (&outcome, &sighting, cell.port.protocol)
            && self.is_denied(cell)
        {
            self.denials.saw(cell, outcome, now);
        }
        let followed = self.ledger.observe(cell, sighting, outcome, during)?;
        self.history.followed(cell, followed, settle, now);
        Some(followed)
    }

    fn is_denied(&self, cell: &Cell) -> bool {
        let expected = self.ledger.record(cell).map(|record| &record.expected);
        matches!(expected, Some(Expected::Deny(_)))
    }

    /// Takes note of the flows that cannot be attempted, by `why`, whether or not a pass is made.
    pub fn note_missing(&mut self, why: impl Fn(&Cell) -> Option<String>, now: Duration) {
        let cells = self.ledger.records().filter_map(|(cell, _)| Some((cell.clone(), why(cell)?)));
        for (cell, why) in cells.collect::<Vec<_>>() {
            let sighting = Sighting::Inconclusive(Why::NoProbe(why));
            self.ledger.observe(&cell, sighting, None, now);
        }
    }
}
