//! Chooses a test's flows where it names more than its budget, and says what the flows with a
//! verdict show of the policies.
//!
//! A survey of all flows takes as long as predicting them, so that it is made only when something
//! has changed that decides.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use netproof_conformance::{
    coverage::{Coverage, Gap, GapReason, Mutant, Survey, What, spread},
    diagnosis::mutation::{MUTATIONS, Past},
    matrix::Cell,
    snapshot::Snapshot,
};

use crate::{
    predict::{StandIn, flows, snapshot},
    scenario::Scenario,
    world::World,
};

/// A test at one moment.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// What the test takes, with all flows that it names.
    pub scenario: &'a Scenario,
    /// The test's stand-ins, running or not.
    pub stand_ins: &'a [StandIn],
    /// What is known of the cluster.
    pub world: &'a World,
    /// The moment, as a time since any fixed one.
    pub now: Duration,
}

/// Keeps a test's flows within its budget, and says what they show of the policies.
#[derive(Default)]
pub struct FlowBudget {
    survey: Option<Survey>,
    /// Imitations of networks that are wrong in one thing each: the chosen flows have to tell each
    /// of them.
    mutants: Vec<Mutant<'static>>,
    chosen: Option<FlowChoice>,
    said: Option<BudgetStatement>,
}

/// The flows that were chosen, and what they were chosen from.
struct FlowChoice {
    required: BTreeSet<Cell>,
    budget: usize,
    cells: BTreeSet<Cell>,
    /// Whether they were chosen by the survey that there is now.
    is_current: bool,
}

/// The coverage that was worked out last, and the flows that it is about.
struct BudgetStatement {
    judged: BTreeSet<Cell>,
    attempted: BTreeSet<Cell>,
    coverage: Arc<Coverage>,
}

impl FlowBudget {
    /// The scenario, reduced to as many flows as its budget admits: first those with an intent,
    /// then those that show the most of the policies, then those that were chosen before, so that
    /// what is known of them is kept, and then others.
    pub fn within_budget<'a>(&mut self, moment: Moment<'a>) -> Cow<'a, Scenario> {
        let scenario = moment.scenario;
        if scenario.flows.len() <= scenario.budget {
            self.chosen = None;
            return Cow::Borrowed(scenario);
        }
        self.renew(moment);
        let required = required(scenario);
        let budget = scenario.budget;
        let is_same = |choice: &FlowChoice| {
            choice.is_current && choice.budget == budget && choice.required == required
        };
        let choice = match self.chosen.take() {
            Some(choice) if is_same(&choice) => choice,
            before => {
                let before = before.map(|choice| choice.cells).unwrap_or_default();
                let cells = self.choose(scenario, &required, &before);
                FlowChoice { required, budget, cells, is_current: true }
            }
        };
        let chosen = scenario.flows.iter().filter(|(cell, _)| choice.cells.contains(*cell));
        let flows = chosen.map(|(cell, intents)| (cell.clone(), intents.clone())).collect();
        self.chosen = Some(choice);
        Cow::Owned(scenario.with(flows))
    }

    /// What the flows show of the policies that were judged, and seen at `since` or later. `since`
    /// is when the policies last changed: what was seen before says nothing of them, even where the
    /// prediction is the same. `judged` has, for each flow with a verdict, when it was last seen.
    pub fn coverage(
        &mut self,
        moment: Moment<'_>,
        judged: &BTreeMap<&Cell, Duration>,
        attempted: BTreeSet<Cell>,
        since: Duration,
    ) -> Arc<Coverage> {
        self.renew(moment);
        let recent = judged.iter().filter(|(_, seen)| **seen >= since);
        let judged: BTreeSet<Cell> = recent.map(|(cell, _)| (*cell).clone()).collect();
        if let Some(said) = &self.said
            && said.judged == judged
            && said.attempted == attempted
        {
            return Arc::clone(&said.coverage);
        }
        let mut coverage = self.survey().coverage(&judged, &attempted, &self.mutants);
        let left_out = required(moment.scenario).difference(&attempted).count();
        if left_out > 0 {
            let gap = Gap { what: What::Required(left_out), why: GapReason::BudgetEnded };
            coverage.gaps.insert(0, gap);
        }
        let coverage = Arc::new(coverage);
        self.said = Some(BudgetStatement { judged, attempted, coverage: Arc::clone(&coverage) });
        coverage
    }

    /// Forgets the choice and the survey: the test attempts nothing any more.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    fn choose(
        &self,
        scenario: &Scenario,
        required: &BTreeSet<Cell>,
        before: &BTreeSet<Cell>,
    ) -> BTreeSet<Cell> {
        let showing = self.survey().choose(required, scenario.budget, &self.mutants).cells;
        let all = || scenario.flows.iter().map(|(cell, _)| cell);
        let kept = spread(showing, all().filter(|cell| before.contains(*cell)), scenario.budget);
        spread(kept, all(), scenario.budget)
    }

    fn survey(&self) -> &Survey {
        self.survey.as_ref().expect("it is renewed before it is asked")
    }

    /// Surveys all flows again, if anything that decides has changed.
    fn renew(&mut self, moment: Moment<'_>) {
        let Moment { scenario, stand_ins, world, .. } = moment;
        let snapshot = snapshot(stand_ins, world);
        let known = self.survey.as_ref();
        let is_same = known.is_some_and(|survey| {
            is_same_picture(survey.snapshot(), &snapshot)
                && survey.flows().map(|(cell, flow)| (cell, *flow)).eq(flows(scenario, stand_ins))
        });
        if is_same {
            return;
        }
        let universe = flows(scenario, stand_ins).map(|(cell, flow)| (cell.clone(), flow));
        self.mutants = mutants(&snapshot);
        self.survey = Some(Survey::new(snapshot, universe));
        self.said = None;
        if let Some(choice) = &mut self.chosen {
            choice.is_current = false;
        }
    }
}

/// The flows with an intent, which a check of the user asks for.
fn required(scenario: &Scenario) -> BTreeSet<Cell> {
    let wanted = scenario.flows.iter().filter(|(_, intents)| !intents.is_empty());
    wanted.map(|(cell, _)| cell.clone()).collect()
}

/// The mutants of all faults that need no past of the cluster and that change what these policies
/// mean.
fn mutants(snapshot: &Snapshot) -> Vec<Mutant<'static>> {
    let nothing = Past::default();
    let faults = MUTATIONS.iter().filter(|mutation| !mutation.remembers());
    let applied = faults.map(|one| (one.name, one.apply(snapshot, &nothing)));
    let changed = applied.filter(|(_, mutated)| !is_same_picture(snapshot, mutated));
    changed.map(|(name, mutated)| Mutant::of(name, mutated)).collect()
}

/// Whether two snapshots differ in nothing but their revisions, which grow with every change of the
/// cluster.
pub(crate) fn is_same_picture(one: &Snapshot, other: &Snapshot) -> bool {
    let Snapshot { revision: _, namespaces, pods, policies, cluster_policies, nodes } = one;
    (namespaces, pods, policies) == (&other.namespaces, &other.pods, &other.policies)
        && (cluster_policies, nodes) == (&other.cluster_policies, &other.nodes)
}

/// Whether two snapshots have the same policies and the same namespaces. Pods are not compared: the
/// ledger learns of each new pod.
pub fn have_same_policies(one: &Snapshot, other: &Snapshot) -> bool {
    (&one.namespaces, &one.policies, &one.cluster_policies)
        == (&other.namespaces, &other.policies, &other.cluster_policies)
}

#[cfg(test)]
#[path = "flow_budget_tests.rs"]
mod tests;
