//! Counts what a set of flows shows, and says of the rest why it is not shown.

use std::collections::BTreeSet;

use crate::{matrix::Cell, reference::RuleRef};

use super::{
    Coverage, Survey,
    clauses::Clause,
    gap::{Gap, GapReason, RuleSide, What},
    goals::{Goal, sides},
    mutant::Mutant,
};

impl Survey {
    /// What the flows in `judged` show, of a test that attempts `attempted`. A flow without a
    /// verdict counts for nothing: a plan is no evidence.
    pub fn coverage(
        &self,
        judged: &BTreeSet<Cell>,
        attempted: &BTreeSet<Cell>,
        mutants: &[Mutant<'_>],
    ) -> Coverage {
        let places = |cells: &BTreeSet<Cell>| {
            let mut places = vec![false; self.flows.len()];
            cells.iter().filter_map(|cell| self.place(cell)).for_each(|flow| places[flow] = true);
            places
        };
        self.assess(&places(judged), &places(attempted), mutants)
    }

    /// Does what [`coverage`](Self::coverage) does, with flows by their places.
    pub(super) fn assess(
        &self,
        judged: &[bool],
        attempted: &[bool],
        mutants: &[Mutant<'_>],
    ) -> Coverage {
        let is_shown = |goal: &Goal| {
            let place = self.goals.find(goal);
            place.is_some_and(|goal| self.goals.by[goal].iter().any(|flow| judged[*flow as usize]))
        };
        let mut coverage = Coverage { rules: self.clauses.all.len(), ..Coverage::default() };
        let mut gap = |goal: &Goal| {
            let why = self.why_not(goal, attempted);
            coverage.gaps.extend(self.what(goal).map(|what| Gap { what, why }));
        };
        for (number, clause) in self.clauses.all.iter().enumerate() {
            let sides = sides(number, clause);
            let missing: Vec<&Goal> = sides.iter().filter(|goal| !is_shown(goal)).collect();
            for goal in &missing {
                gap(goal);
            }
            match (missing.len(), sides.len()) {
                (0, _) => coverage.exercised += 1,
                (missing, sides) if missing < sides => coverage.half_exercised += 1,
                (_, _) => {}
            }
        }
        coverage.gaps.extend(mutants.iter().filter_map(|mutant| {
            let why = self.why_not_told(mutant, judged, attempted)?;
            Some(Gap { what: What::Mutant(mutant.name().to_owned()), why })
        }));
        let mut paths: Vec<&Goal> = self.goals.all.iter().filter(|goal| is_path(goal)).collect();
        paths.sort();
        coverage.gaps.extend(paths.into_iter().filter(|goal| !is_shown(goal)).filter_map(|goal| {
            Some(Gap { what: self.what(goal)?, why: self.why_not(goal, attempted) })
        }));
        coverage
    }

    /// Why a goal is not shown: by flows that have no verdict, for want of a budget, or because no
    /// flow shows it.
    fn why_not(&self, goal: &Goal, attempted: &[bool]) -> GapReason {
        let by = self.goals.find(goal).map_or(&[][..], |goal| &self.goals.by[goal]);
        if let Some(why) = self.never.get(goal) {
            return why.clone();
        }
        match by.iter().find(|flow| attempted[**flow as usize]) {
            Some(flow) => GapReason::NotJudged(self.flows[*flow as usize].0.clone()),
            None => GapReason::BudgetEnded,
        }
    }

    fn why_not_told(
        &self,
        mutant: &Mutant<'_>,
        judged: &[bool],
        attempted: &[bool],
    ) -> Option<GapReason> {
        let among = |flows: &[bool]| {
            let mut flows = flows.iter().enumerate().filter(|(_, is_one)| **is_one);
            flows.find(|(flow, _)| self.tells(*flow, mutant)).map(|(flow, _)| flow)
        };
        if among(judged).is_some() {
            return None;
        }
        if let Some(flow) = among(attempted) {
            return Some(GapReason::NotJudged(self.flows[flow].0.clone()));
        }
        let any = (0..self.flows.len()).any(|flow| self.tells(flow, mutant));
        Some(if any { GapReason::BudgetEnded } else { GapReason::LooksSound })
    }

    /// What a flow that meets the goal shows; none for a goal that only serves other goals.
    pub(super) fn what(&self, goal: &Goal) -> Option<What> {
        let snapshot = self.compiled.snapshot();
        let clause = |number: usize| self.clauses.all[number];
        match goal {
            Goal::Needs(number) | Goal::JustMisses(number) => {
                let Clause::Rule { direction, rule, .. } = clause(*number) else { return None };
                let policy = self.clauses.policy(*number, snapshot)?.clone();
                let rule = RuleRef { policy, direction, rule, peer: None, port: None };
                let proof = match goal {
                    Goal::Needs(_) => RuleSide::Needs,
                    _ => RuleSide::JustMisses,
                };
                Some(What::Rule { rule, proof })
            }
            Goal::Denied(number) => Some(What::Isolation {
                policy: self.clauses.policy(*number, snapshot)?.clone(),
                direction: clause(*number).direction(),
            }),
            Goal::Decides(number) => {
                let Clause::Cluster { policy, direction, rule } = clause(*number) else {
                    return None;
                };
                let policy = snapshot.cluster_policies[policy].name.clone();
                Some(What::ClusterRule { policy, direction, rule })
            }
            Goal::Path { nodes: [from, to], allowed } => {
                Some(What::Path { from: from.clone(), to: to.clone(), allowed: *allowed })
            }
            Goal::Reached(..) => None,
        }
    }
}

fn is_path(goal: &Goal) -> bool {
    matches!(goal, Goal::Path { .. })
}
