//! Holds predictions against all that was seen.

use std::collections::BTreeMap;

use super::{
    Evidence,
    mutation::Past,
    prediction::{FaultyNetwork, Mutated, Sides},
};
use crate::{
    compiled::{Answer, Compiled},
    evaluate::expect,
    flow::Flow,
    snapshot::Snapshot,
    verdict::Outcome,
};

/// How many findings are looked at before a candidate is prepared.
const FIRST: usize = 3;

/// A flow, with what the policies say and what was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observed {
    pub(super) flow: Flow,
    /// What the policies say, which is never that the flow is open.
    pub(super) truth: Answer,
    pub(super) seen: FlowBehaviour,
}

/// Whether a flow was seen to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlowBehaviour {
    Connects,
    DoesNot,
    /// The flow passes by turns.
    Both,
}

impl FlowBehaviour {
    fn fits(self, answer: Answer) -> bool {
        match (self, answer) {
            (Self::Both, _)
            | (_, Answer::Unspecified(_))
            | (Self::Connects, Answer::Allow)
            | (Self::DoesNot, Answer::Deny) => true,
            (Self::Connects, Answer::Deny) | (Self::DoesNot, Answer::Allow) => false,
        }
    }
}

impl Observed {
    fn is_finding(&self) -> bool {
        match self.seen {
            FlowBehaviour::Both => true,
            FlowBehaviour::Connects | FlowBehaviour::DoesNot => !self.seen.fits(self.truth),
        }
    }

    /// Whether two faults together may do what is seen, if each does its own to the sides.
    pub(super) fn may(&self, one: Sides, other: Sides) -> bool {
        let passes = (one.egress || other.egress) && (one.ingress || other.ingress);
        let stops = !(one.egress && other.egress && one.ingress && other.ingress);
        match self.seen {
            FlowBehaviour::Connects => passes,
            FlowBehaviour::DoesNot => stops,
            FlowBehaviour::Both => true,
        }
    }

    /// How an answer stands to what is seen.
    fn weigh(&self, answer: Answer) -> Weight {
        match answer {
            Answer::Unspecified(_) => Weight::Open,
            Answer::Allow | Answer::Deny if self.seen.fits(answer) => Weight::Fits,
            Answer::Allow | Answer::Deny => Weight::Contradicts,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Fits,
    Open,
    Contradicts,
}

/// The evidence, prepared for many candidates to be held against it.
pub(super) struct Trial<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) pasts: &'a [Past],
    /// One observation for each flow of which the policies say something, the findings first.
    pub(super) observed: Vec<Observed>,
    findings: usize,
    /// Flows that could be probed, with what the policies say of each.
    pub(super) unprobed: Vec<(Flow, Answer)>,
}

impl<'a> Trial<'a> {
    pub(super) fn new(evidence: &'a Evidence<'_>) -> Self {
        let truth = Compiled::new(evidence.snapshot.clone());
        let mut flows: BTreeMap<Flow, FlowBehaviour> = BTreeMap::new();
        for observation in &evidence.observations {
            let seen = match (&observation.outcome, observation.flaps) {
                (Outcome::Failed(_), _) => continue,
                (_, true) => FlowBehaviour::Both,
                (Outcome::Connected | Outcome::Arrived, false) => FlowBehaviour::Connects,
                (Outcome::Refused | Outcome::TimedOut | Outcome::Unreachable(_), false) => {
                    FlowBehaviour::DoesNot
                }
            };
            let known = flows.entry(observation.flow).or_insert(seen);
            if *known != seen {
                *known = FlowBehaviour::Both;
            }
        }
        let unprobed = evidence.unprobed.iter().filter(|flow| !flows.contains_key(*flow));
        let mut unprobed: Vec<_> = unprobed.map(|flow| (*flow, truth.answer(flow))).collect();
        unprobed.sort_by_key(|(flow, _)| *flow);
        unprobed.dedup_by_key(|(flow, _)| *flow);
        let observed = flows
            .into_iter()
            .map(|(flow, seen)| Observed { flow, truth: truth.answer(&flow), seen })
            .filter(|one| !matches!(one.truth, Answer::Unspecified(_)));
        let (mut observed, conforming): (Vec<_>, Vec<_>) = observed.partition(Observed::is_finding);
        let findings = observed.len();
        observed.extend(conforming);
        let (snapshot, pasts) = (evidence.snapshot, evidence.pasts.as_slice());
        Self { snapshot, pasts, observed, findings, unprobed }
    }

    /// The findings: observations that are not as the policies say.
    pub(super) fn findings(&self) -> &[Observed] {
        &self.observed[..self.findings]
    }

    /// Whether all findings are leaks that come and go.
    pub(super) fn only_flaps(&self) -> bool {
        self.findings()
            .iter()
            .all(|one| one.seen == FlowBehaviour::Both && one.truth == Answer::Deny)
    }

    /// Whether one of the first [`FIRST`] findings contradicts a candidate. Most candidates are
    /// refuted here, before they are prepared for all questions.
    pub(super) fn refutes(&self, mutated: &Mutated) -> bool {
        let has = |one: &Observed| {
            mutated.path.as_ref().is_none_or(|path| path.has(&one.flow, &mutated.snapshot))
        };
        self.findings().iter().take(FIRST).any(|one| {
            let answer = if has(one) {
                Answer::from(&expect(&mutated.snapshot, &one.flow))
            } else {
                one.truth
            };
            one.weigh(answer) == Weight::Contradicts
        })
    }

    /// How many findings a prediction predicts, if no observation contradicts it and it predicts at
    /// least one.
    pub(super) fn fits(&self, prediction: &FaultyNetwork) -> Option<usize> {
        let mut explained = 0;
        for (index, one) in self.observed.iter().enumerate() {
            match one.weigh(prediction.answer(&one.flow, one.truth)) {
                Weight::Contradicts => return None,
                Weight::Fits if index < self.findings && one.seen != FlowBehaviour::Both => {
                    explained += 1;
                }
                Weight::Fits | Weight::Open => {}
            }
            if index + 1 == self.findings && explained == 0 {
                return None;
            }
        }
        Some(explained)
    }

    /// Which findings a prediction predicts, by their places.
    pub(super) fn explained(&self, prediction: &FaultyNetwork) -> Vec<bool> {
        let fits = |one: &Observed| {
            one.seen != FlowBehaviour::Both
                && one.weigh(prediction.answer(&one.flow, one.truth)) == Weight::Fits
        };
        self.findings().iter().map(fits).collect()
    }

    /// Which observations contradict a prediction, by their places.
    pub(super) fn contradictions(&self, prediction: &FaultyNetwork) -> Vec<usize> {
        let contradicts = |(_, one): &(usize, &Observed)| {
            one.weigh(prediction.answer(&one.flow, one.truth)) == Weight::Contradicts
        };
        let contradicting = self.observed.iter().enumerate().filter(contradicts);
        contradicting.map(|(place, _)| place).collect()
    }

    /// What a prediction makes of both sides of each finding.
    pub(super) fn sides(&self, prediction: &FaultyNetwork) -> Vec<Sides> {
        self.findings().iter().map(|one| prediction.sides(&one.flow)).collect()
    }

    /// What the policies make of both sides of each finding.
    pub(super) fn true_sides(&self) -> Vec<Sides> {
        let truth = |one: &Observed| Sides::of(&expect(self.snapshot, &one.flow));
        self.findings().iter().map(truth).collect()
    }

    /// How many findings are steady, so that a prediction can predict them.
    pub(super) fn steady(&self) -> usize {
        self.findings().iter().filter(|one| one.seen != FlowBehaviour::Both).count()
    }

    /// What a prediction says of all flows, seen or not.
    pub(super) fn answers(&self, prediction: &FaultyNetwork) -> Vec<Answer> {
        let observed = self.observed.iter().map(|one| (one.flow, one.truth));
        let all = observed.chain(self.unprobed.iter().copied());
        all.map(|(flow, truth)| prediction.answer(&flow, truth)).collect()
    }

    /// What the policies say of all flows, in the same order.
    pub(super) fn truths(&self) -> impl Iterator<Item = Answer> {
        let observed = self.observed.iter().map(|one| one.truth);
        observed.chain(self.unprobed.iter().map(|(_, truth)| *truth))
    }
}
