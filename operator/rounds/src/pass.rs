//! One pass over some flows: the attempts that it asks for, and the sightings that it may make of
//! them by what was expected all the while.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use netproof_conformance::{
    matrix::{Actor, Cell},
    verdict::{Outcome, Sighting, Why, judge},
};

use crate::{
    engine::round::{self, FlowAttempt},
    paths::Paths,
    predict::{Prediction, StandIn, asked},
    scenario::Scenario,
};

/// What one look at the cluster brought.
#[derive(Clone, Debug)]
pub struct Looked {
    /// What the policies say now of the test's flows, and of the extra flows.
    pub prediction: Arc<Prediction>,
    /// The flows of which they say something else than at the last look.
    pub changed: BTreeSet<Cell>,
    /// The flows in `changed`, and those of which the policies may have said something else in
    /// between.
    pub moved: BTreeSet<Cell>,
    /// Whether the policies, or the namespaces that they select by, changed since the last look.
    pub policies_changed: bool,
}

/// A flow, its sighting, and its outcome if it was attempted.
pub type Sighted = (Cell, Sighting, Option<Outcome>);

/// A pass that is under way. A flow of which the prediction or a pod was another, at any moment
/// from the beginning of the pass to its end, is not judged: a change that was taken back leaves no
/// trace in the predictions before and after.
#[derive(Debug)]
pub struct Pass {
    before: Arc<Prediction>,
    /// The UID of each stand-in's pod when the pass began.
    pods: BTreeMap<Actor, String>,
    /// How long an attempt may take.
    timeout: Duration,
    /// How long an attempt may wait whose silence would not count otherwise.
    patience: Duration,
    /// Sightings of the flows that cannot be attempted.
    absent: Vec<Sighted>,
    moved: Moved,
}

/// The flows of which anything changed during a pass.
#[derive(Debug)]
enum Moved {
    All,
    These(BTreeSet<Cell>),
}

impl Pass {
    /// Begins a pass over these flows of a scenario, and returns the attempts to make.
    pub fn begin(
        cells: &BTreeSet<Cell>,
        looked: &Looked,
        scenario: &Scenario,
        stand_ins: &[StandIn],
    ) -> (Self, Vec<FlowAttempt>) {
        let (mut flows, mut absent) = (Vec::new(), Vec::new());
        for cell in cells {
            match asked(cell, scenario, stand_ins) {
                Ok(flow) => flows.push(flow),
                Err(why) => {
                    let sighting = Sighting::Inconclusive(Why::NoProbe(why));
                    absent.push((cell.clone(), sighting, None));
                }
            }
        }
        let (before, moved) = (Arc::clone(&looked.prediction), Moved::These(BTreeSet::new()));
        let (pods, timeout) = (pods(stand_ins), scenario.timeout);
        let patience = scenario.patience.silence;
        (Self { before, pods, timeout, patience, absent, moved }, flows)
    }

    /// Whether a flow cannot be attempted, for want of a running stand-in.
    pub fn lacks_some(&self) -> bool {
        !self.absent.is_empty()
    }

    /// Takes note of what a look brought. To be called while the pass is under way, and when it has
    /// ended.
    pub fn look(&mut self, looked: &Looked) {
        if let Moved::These(moved) = &mut self.moved {
            moved.extend(looked.moved.iter().cloned());
        }
    }

    /// Takes note of the stand-ins' present pods: flows of a replaced pod are not judged.
    pub fn meet(&mut self, stand_ins: &[StandIn]) {
        let Moved::These(moved) = &mut self.moved else { return };
        let pods = pods(stand_ins);
        if pods != self.pods {
            let is_other = |actor: &Actor| pods.get(actor) != self.pods.get(actor);
            let cells = self.before.expected.iter().map(|(cell, _)| cell);
            moved.extend(cells.filter(|c| is_other(&c.from) || is_other(&c.to)).cloned());
        }
    }

    /// Takes note that the test itself was changed: no flow is judged.
    pub fn move_all(&mut self) {
        self.moved = Moved::All;
    }

    /// Judges what was seen, by the predictions before and after it and by what is known of the
    /// paths.
    pub(crate) fn judge(
        self,
        seen: Vec<round::AttemptResult>,
        after: &Looked,
        stand_ins: &[StandIn],
        paths: &Paths,
    ) -> Vec<Sighted> {
        let Self { before, timeout, patience, absent, moved, .. } = self;
        let has_moved = |cell: &Cell| match &moved {
            Moved::All => true,
            Moved::These(moved) => moved.contains(cell),
        };
        let paths = paths.among(stand_ins);
        let judged = seen.into_iter().map(|seen| {
            let (took, waited) = (seen.took, seen.waited);
            let (cell, sighting, outcome) = sight(seen, &before, &after.prediction, stand_ins);
            let sighting = match (sighting, &outcome, took) {
                (Sighting::Conforms, Some(Outcome::Connected), Some(took)) if took > timeout => {
                    Sighting::Inconclusive(Why::Late { took, timeout })
                }
                // The silence of a denied flow.
                (Sighting::Conforms, Some(Outcome::TimedOut), _) => {
                    // No path takes longer than that which Linux itself waits for.
                    let slow = (waited < patience).then(|| paths.too_slow(&cell, waited));
                    slow.flatten().map_or(Sighting::Conforms, |path| {
                        Sighting::Inconclusive(Why::SlowPath(path))
                    })
                }
                (sighting, _, _) => sighting,
            };
            let sighting = if has_moved(&cell) { Sighting::Moved } else { sighting };
            (cell, sighting, outcome)
        });
        absent.into_iter().chain(judged).collect()
    }
}

/// The UID of each stand-in's pod.
fn pods(stand_ins: &[StandIn]) -> BTreeMap<Actor, String> {
    let known = stand_ins.iter().filter_map(|stand_in| {
        let (_, pod) = stand_in.pod.as_ref()?;
        Some((stand_in.desired.actor.clone(), pod.uid.clone()))
    });
    known.collect()
}

/// Judges what was seen of one flow, by the predictions before and after it.
fn sight(
    seen: round::AttemptResult,
    before: &Prediction,
    after: &Prediction,
    stand_ins: &[StandIn],
) -> Sighted {
    let round::AttemptResult { cell, outcome, control, .. } = seen;
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(why) => return (cell, Sighting::Inconclusive(Why::NoProbe(why)), None),
    };
    let homes = [&cell.from, &cell.to].map(|actor| {
        let stand_in = stand_ins.iter().find(|s| s.desired.actor == *actor);
        stand_in.map(|stand_in| stand_in.desired.namespace.as_str())
    });
    let unreliable = after.unreliable.between(homes.into_iter().flatten());
    let sighting = match (unreliable, before.expected.get(&cell), after.expected.get(&cell)) {
        (Some(why), _, _) => Sighting::Inconclusive(Why::NoPrediction(why.to_owned())),
        (None, Some(before), Some(after)) => judge(before, after, &outcome, &control),
        (None, _, _) => Sighting::Moved,
    };
    (cell, sighting, Some(outcome))
}
