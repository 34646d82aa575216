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

mod view;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use netproof_conformance::{
    diagnosis::{
        Observation, RefusalManner, TimeFault,
        history::{History, PastAttempt},
        mutation::Past,
    },
    expected::{Decision, Expected, Ruling},
    flow::{Flow, Protocol},
    ledger::{Followed, Interval, Ledger, Patience},
    matrix::{Actor, Cell, Matrix},
    snapshot::Snapshot,
    verdict::{Outcome, Sighting, Verdict, Why},
};

use crate::{
    diagnosing::{DenialStyles, ExtraFlows, Question, observations, unasked},
    engine::round::{AttemptResult, FlowAttempt},
    flow_budget::{FlowBudget, Moment, have_same_policies},
    journal::Unseen,
    pass::{Looked, Pass, Sighted},
    paths::Paths,
    predict::{StandIn, Unreliable, naming, predict, snapshot},
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

/// How long what happened to a flow counts as evidence for faults of time.
const MEMORY: Duration = Duration::from_secs(300);

/// A stand-in is new for at least this long, or until it has settled: a network that isolates it
/// within this time is late, and a leak that ends later was mended.
const NEW: Duration = Duration::from_secs(10);

/// The most flows without an attempt that a diagnosis considers as next probes: beyond some
/// thousands they tell nothing new, and each is evaluated for every fault that fits.
const UNPROBED: usize = 4096;

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

    /// Takes over what the policies say now. If the stand-ins of `moment` have only some of their
    /// addresses, such as those of one family, `everyone` are the same with all of them: the
    /// history sees a deleted pod lose all of its addresses at once.
    pub fn look(&mut self, moment: Moment<'_>, everyone: Option<&[StandIn]>) -> Looked {
        let Moment { scenario, stand_ins, world, now } = moment;
        self.ledger.set_patience(scenario.patience);
        self.extra.set_patience(scenario.patience);
        self.extra.keep(scenario);
        let prediction = predict(&self.extra.beside(scenario), stand_ins, world);
        let policies_changed = !have_same_policies(&self.snapshot, &prediction.snapshot);
        if policies_changed {
            self.changed = now;
        }
        if prediction.unreliable == Unreliable::default() {
            match everyone {
                Some(everyone) => self.history.snapshot(&snapshot(everyone, world)),
                None => self.history.snapshot(&prediction.snapshot),
            }
        }
        self.snapshot = prediction.snapshot.clone();
        let unseen = world.journal.unseen_since(self.place);
        self.place = world.journal.place();
        let (own, extra) = self.extra.split(&prediction.expected);
        let handed_over = self.handed_over(&prediction.expected);
        let mut changed = self.ledger.expect(&own, now);
        changed.extend(self.extra.expect(&extra, now));
        // Flows in `changed` settle from now on already.
        let mut moved = self.doubt(&unseen, stand_ins, &changed, now);
        let is_handed_over = |cell: &Cell| handed_over.contains(cell);
        moved.extend(self.ledger.doubt(is_handed_over, now));
        moved.extend(self.extra.doubt(is_handed_over, now));
        moved.extend(changed.iter().cloned());
        Looked { prediction: Arc::new(prediction), changed, moved, policies_changed }
    }

    /// The flows that are denied as before, but at the other end: one node may have ceased to deny
    /// while the other has not begun, so that they settle as after a change from allow to deny.
    fn handed_over(&self, expected: &Matrix<Expected>) -> BTreeSet<Cell> {
        let is_handed_over = |cell: &Cell, now: &Expected| {
            let record = self.ledger.record(cell).or_else(|| self.extra.ledger().record(cell));
            let before = record.map(|record| denying_ends(&record.expected));
            match (before, denying_ends(now)) {
                (Some([false, false]) | None, _) | (_, [false, false]) => false,
                (Some([egress, ingress]), [still_egress, still_ingress]) => {
                    !(egress && still_egress || ingress && still_ingress)
                }
            }
        };
        let flows = expected.iter().filter(|(cell, now)| is_handed_over(cell, now));
        flows.map(|(cell, _)| cell.clone()).collect()
    }

    /// Has flows settle anew of which the policies may have said something else for a while.
    fn doubt(
        &mut self,
        unseen: &Unseen,
        stand_ins: &[StandIn],
        changed: &BTreeSet<Cell>,
        now: Duration,
    ) -> BTreeSet<Cell> {
        let namespaces = match unseen {
            Unseen::Nothing => return BTreeSet::new(),
            Unseen::Namespaces(namespaces) => Some(namespaces),
            Unseen::Everything => None,
        };
        let touched: BTreeSet<&Actor> = stand_ins
            .iter()
            .filter(|one| namespaces.is_none_or(|all| all.contains(&one.desired.namespace)))
            .map(|one| &one.desired.actor)
            .collect();
        let is_meant = |cell: &Cell| {
            !changed.contains(cell) && (touched.contains(&cell.from) || touched.contains(&cell.to))
        };
        let mut doubted = self.ledger.doubt(is_meant, now);
        doubted.extend(self.extra.doubt(is_meant, now));
        doubted
    }

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
        for flow in &mut flows {
            if self.silence_accuses(&flow.cell, now) {
                flow.patience = Some(self.ledger.patience().silence);
            }
        }
        (pass, flows)
    }

    /// Whether the silence of an attempt that begins now would count as a blocked flow: such an
    /// attempt waits longer, so that what was lost once, or is slow, is not taken for blocked.
    fn silence_accuses(&self, cell: &Cell, now: Duration) -> bool {
        let ledger = if self.extra.contains(cell) { self.extra.ledger() } else { &self.ledger };
        let record = ledger.record(cell);
        record.is_some_and(|record| matches!(record.expected, Expected::Allow(_)))
            && ledger.is_settled(cell, now)
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
        if self.extra.contains(cell) {
            self.extra.would_accuse(cell, sighting, began)
        } else {
            self.ledger.would_accuse(cell, sighting, began)
        }
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

    /// Takes the verdicts of now into the history, as evidence for faults of time. Extra flows are
    /// not remembered: they are attempted only while flows of the test are wrong.
    pub fn remember(&mut self, now: Duration) {
        let verdicts = self.ledger.verdicts(now);
        self.history.judged(verdicts.iter(), now);
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

/// Whether a flow is denied at its sender (egress), and at its receiver (ingress).
fn denying_ends(expected: &Expected) -> [bool; 2] {
    let Expected::Deny(because) = expected else { return [false, false] };
    [&because.egress, &because.ingress].map(|decision| match decision {
        Decision::DeniedBy(_) | Decision::Ruled(Ruling::Deny, _) => true,
        Decision::Exempt
        | Decision::NotIsolated
        | Decision::AllowedBy(_)
        | Decision::Ruled(Ruling::Accept, _) => false,
    })
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
