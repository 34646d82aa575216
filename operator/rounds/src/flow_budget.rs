//! Chooses a test's flows where it names more than it may attempt, and tells what those that were
//! judged show of the policies.
//!
//! Looking at a universe of flows takes as long as predicting it, so that it is done only when
//! something that decides has changed.

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
    /// Its stand-ins.
    pub stand_ins: &'a [StandIn],
    /// What is known of the cluster.
    pub world: &'a World,
    /// When that is.
    pub now: Duration,
}

/// What the flows of one test show of the policies.
#[derive(Default)]
pub struct FlowBudget {
    survey: Option<Survey>,
    /// Networks that are wrong in one thing each: a flow has to tell each of them.
    mutants: Vec<Mutant<'static>>,
    chosen: Option<FlowChoice>,
    said: Option<BudgetStatement>,
}

/// The flows that were chosen, and of what.
struct FlowChoice {
    required: BTreeSet<Cell>,
    budget: usize,
    cells: BTreeSet<Cell>,
    /// Whether it was chosen by the survey that there is now.
    is_current: bool,
}

/// What was said last, of which flows.
struct BudgetStatement {
    judged: BTreeSet<Cell>,
    attempted: BTreeSet<Cell>,
    coverage: Arc<Coverage>,
}

impl FlowBudget {
    /// The scenario with as many flows as its budget admits: those of which the user wants
    /// something, those that show the most, and then those that were there before, so that what is
    /// known of them is kept, and others.
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

    /// What those flows show that were judged and seen since the policies last changed, which is
    /// `since`: what was seen before says nothing of them, even where the prediction is the same.
    /// Of each flow with a verdict, when it was last seen.
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

    /// Forgets everything: nothing is attempted.
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

    /// Looks at the universe again, if anything that decides has changed.
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

/// The flows of which the user wants something.
fn required(scenario: &Scenario) -> BTreeSet<Cell> {
    let wanted = scenario.flows.iter().filter(|(_, intents)| !intents.is_empty());
    wanted.map(|(cell, _)| cell.clone()).collect()
}

/// A network for each fault that is no matter of the past and that changes what these policies
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

/// Whether two snapshots have the same rules, and the same namespaces for them to select. What
/// becomes of pods, the ledger knows.
pub fn have_same_policies(one: &Snapshot, other: &Snapshot) -> bool {
    (&one.namespaces, &one.policies, &one.cluster_policies)
        == (&other.namespaces, &other.policies, &other.cluster_policies)
}

#[cfg(test)]
#[path = "flow_budget_tests.rs"]
mod tests;
