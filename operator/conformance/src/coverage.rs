//! Which flows show that each rule of each policy is kept, and what a set of flows leaves unshown.
//!
//! A rule has two sides: a flow that is allowed and would be denied without it, and a flow that is
//! denied and would be allowed if the rule were wider in one respect. A network that loses the rule
//! breaks the first, one that reads it too widely breaks the second.
//!
//! Not counted: rules of the cluster that only pass a flow on, which decide nothing themselves.

mod assess;
mod choose;
mod clauses;
mod examine;
mod gap;
mod goals;
mod mutant;
mod tables;
mod what_if;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    compiled::{Answer, Compiled},
    evaluate::Ends,
    expected::{Decision, Expected},
    flow::{Direction, End, Flow},
    matrix::Cell,
    snapshot::Snapshot,
};

use clauses::{Clause, Clauses};
use goals::{Goal, Goals};
use tables::{KnownFlow, Sided, Tables};
use what_if::RuleChange;

pub use choose::spread;
pub use gap::{Gap, GapReason, RuleSide, What};
pub use mutant::Mutant;

/// How much of the policies a set of flows shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Rules that are present: those of `NetworkPolicies`, those of the cluster that accept or
    /// deny, and isolations that have no rules, each of which counts as one.
    pub rules: usize,
    /// Of these, those of which every side is shown. An isolation without rules has one side, and
    /// so has a rule of the cluster.
    pub exercised: usize,
    /// The rules of which only one of two sides is shown.
    pub half_exercised: usize,
    /// What is not shown, and why: rules, then mutants, then paths between nodes.
    pub gaps: Vec<Gap>,
}

/// Flows to attempt, and what they will show if all of them are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chosen {
    /// The flows of the universe to attempt; never more than the budget.
    pub cells: BTreeSet<Cell>,
    /// What these flows show once each of them has a verdict.
    pub coverage: Coverage,
}

/// What each flow of a universe shows of the policies of one snapshot.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use std::collections::BTreeSet;
///
/// use netproof_conformance::{
///     coverage::{Mutant, Survey},
///     diagnosis::mutation::{Mutation, Past},
///     matrix::{Actor, Cell},
/// };
///
/// let cell = |from: &str, to: &str| {
///     let port = flow(from, to).port;
///     Cell { from: Actor::sole(from), to: Actor::sole(to), port }
/// };
/// let universe = [("web", "db"), ("job", "db"), ("db", "web")];
/// let survey = Survey::new(shop(), universe.map(|(from, to)| (cell(from, to), flow(from, to))));
///
/// // One flow needs the rule, one just misses it, and both tell of a network without policies.
/// let ignores_all = Mutation::named("ignores-all").expect("a mutation");
/// let mutant = Mutant::of("ignores-all", ignores_all.apply(&shop(), &Past::default()));
/// let chosen = survey.choose(&BTreeSet::new(), 2, &[mutant]);
/// assert_eq!(chosen.cells, [cell("web", "db"), cell("job", "db")].into());
/// assert_eq!((chosen.coverage.rules, chosen.coverage.exercised), (1, 1));
/// assert!(chosen.coverage.gaps.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Survey {
    compiled: Compiled,
    /// The universe, sorted by cell, each cell once.
    flows: Vec<(Cell, Flow)>,
    clauses: Clauses,
    tables: Tables,
    /// What the policies say of each flow, by its place in `flows`.
    seen: Vec<KnownFlow>,
    goals: Goals,
    /// The goals that no flow meets, and why none does.
    never: BTreeMap<Goal, GapReason>,
}

impl Survey {
    /// Looks at all flows that could be attempted.
    ///
    /// # Panics
    ///
    /// If a flow is of another snapshot.
    pub fn new(snapshot: Snapshot, universe: impl IntoIterator<Item = (Cell, Flow)>) -> Self {
        let compiled = Compiled::new(snapshot);
        let mut flows: Vec<(Cell, Flow)> = universe.into_iter().collect();
        flows.sort();
        flows.dedup_by(|one, other| one.0 == other.0);
        let clauses = Clauses::of(compiled.snapshot());
        let mut tables = Tables::new(clauses.all.len());
        let look = |(_, flow): &(Cell, Flow)| tables.look(&compiled, &clauses, flow);
        let seen: Vec<KnownFlow> = flows.iter().map(look).collect();
        let (goals, never) = (Goals::default(), BTreeMap::new());
        let mut survey = Self { compiled, flows, clauses, tables, seen, goals, never };
        survey.goals = survey.find_goals();
        let unmet = survey.goals.unmet();
        survey.never = unmet.map(|goal| (goal.clone(), survey.why_never(goal))).collect();
        survey
    }

    /// The snapshot that the survey was made of.
    pub fn snapshot(&self) -> &Snapshot {
        self.compiled.snapshot()
    }

    /// All flows of the universe, sorted by cell.
    pub fn flows(&self) -> impl Iterator<Item = (&Cell, &Flow)> {
        self.flows.iter().map(|(cell, flow)| (cell, flow))
    }

    /// What a flow shows once it is judged; nothing for a flow that is not of the universe.
    pub fn shows(&self, cell: &Cell) -> Vec<What> {
        let Some(flow) = self.place(cell) else { return Vec::new() };
        let goals = self.goals.shown[flow].iter();
        goals.filter_map(|goal| self.what(&self.goals.all[*goal as usize])).collect()
    }

    /// The place of a flow in the universe; none if it is not of it.
    fn place(&self, cell: &Cell) -> Option<usize> {
        self.flows.binary_search_by(|(other, _)| other.cmp(cell)).ok()
    }

    fn find_goals(&self) -> Goals {
        let mut goals = Goals::of(&self.clauses, self.flows.len());
        for (number, (_, flow)) in self.flows.iter().enumerate() {
            let seen = &self.seen[number];
            let mut show = |goal: Goal| goals.show(number, goal);
            match seen.answer {
                Answer::Allow => {
                    self.needed(seen, flow).for_each(|rule| show(Goal::Needs(rule)));
                }
                Answer::Deny => {
                    self.missed(seen, flow).into_iter().for_each(&mut show);
                }
                Answer::Unspecified(_) => continue,
            }
            self.decided_by_cluster(flow).into_iter().for_each(|rule| show(Goal::Decides(rule)));
            let allowed = seen.answer == Answer::Allow;
            if let Some(nodes) = self.path(flow) {
                show(Goal::Path { nodes, allowed });
            }
            if let (End::Address(_), true) = (flow.to, allowed) {
                show(Goal::Reached(flow.to, flow.port));
            }
        }
        goals
    }

    /// The rules without which this allowed flow would be denied.
    fn needed<'a>(
        &'a self,
        seen: &'a KnownFlow,
        flow: &'a Flow,
    ) -> impl Iterator<Item = usize> + 'a {
        let sides = seen.sides.iter().flatten();
        let only = sides.filter_map(|side| {
            let mut admitting = self.tables.admitting(side, seen);
            admitting.next().filter(|_| admitting.next().is_none())
        });
        only.filter(move |clause| seen.exact || self.denies_without(*clause, flow))
    }

    fn denies_without(&self, clause: usize, flow: &Flow) -> bool {
        matches!(self.what_if(clause, RuleChange::Without, flow), Expected::Deny(_))
    }

    /// What a denied flow shows: the rules that it just misses, and the isolations without rules
    /// that deny it. Where both sides deny it, it shows neither; which of them do is certain only
    /// where the letter is the whole truth.
    fn missed(&self, seen: &KnownFlow, flow: &Flow) -> Vec<Goal> {
        let denies = |side: &&Sided| {
            self.tables.isolates(side) && self.tables.admitting(side, seen).next().is_none()
        };
        let denying: Vec<&Sided> = seen.sides.iter().flatten().filter(denies).collect();
        if seen.exact && denying.len() > 1 {
            return Vec::new();
        }
        let sides = denying.into_iter();
        sides.flat_map(|side| self.missed_on(side, seen, flow)).collect()
    }

    fn missed_on(&self, side: &Sided, seen: &KnownFlow, flow: &Flow) -> impl Iterator<Item = Goal> {
        let isolating = self.tables.isolating(side);
        isolating.filter_map(|clause| match self.clauses.all[clause] {
            Clause::Bare { .. } => {
                (seen.exact || self.is_denied_by(clause, flow)).then_some(Goal::Denied(clause))
            }
            Clause::Rule { .. } => {
                let missed = self.tables.just_misses(clause, side, seen)?;
                let would = || self.what_if(clause, RuleChange::Widened(missed), flow);
                let just = seen.exact || matches!(would(), Expected::Allow(_));
                just.then_some(Goal::JustMisses(clause))
            }
            Clause::Cluster { .. } => None,
        })
    }

    /// Whether this isolation denies the flow, and nothing on the other side does.
    fn is_denied_by(&self, clause: usize, flow: &Flow) -> bool {
        let Expected::Deny(because) = self.compiled.expect(flow) else { return false };
        let Some(name) = self.clauses.policy(clause, self.compiled.snapshot()) else {
            return false;
        };
        let (own, other) = match self.clauses.all[clause].direction() {
            Direction::Egress => (&because.egress, &because.ingress),
            Direction::Ingress => (&because.ingress, &because.egress),
        };
        other.allows() && matches!(own, Decision::DeniedBy(names) if names.contains(name))
    }

    /// The rules of the cluster without which the answer would be another.
    fn decided_by_cluster(&self, flow: &Flow) -> Vec<usize> {
        if self.compiled.snapshot().cluster_policies.is_empty() {
            return Vec::new();
        }
        let expected = self.compiled.expect(flow);
        let decides = |clause: &usize| {
            let without = self.what_if(*clause, RuleChange::Without, flow);
            match (Answer::from(&expected), Answer::from(&without)) {
                (_, Answer::Unspecified(_)) => false,
                (with, without) => with != without,
            }
        };
        self.clauses.ruling(&expected).filter(decides).collect()
    }

    /// The nodes that a flow goes from and to, if both ends are pods on known nodes.
    fn path(&self, flow: &Flow) -> Option<[String; 2]> {
        let node = |end| match end {
            End::Pod(id) => self.compiled.snapshot().pod(id).node.clone(),
            End::Address(_) => None,
        };
        Some([node(flow.from)?, node(flow.to)?])
    }

    fn what_if(&self, clause: usize, change: RuleChange, flow: &Flow) -> Expected {
        what_if::expect(&self.compiled, &self.clauses.all[clause], change, flow)
    }
}

/// Whether no reading of the API differs from its letter on this flow.
fn is_plain(ends: &Ends<'_>) -> bool {
    ends.liberties().next().is_none()
}

#[cfg(test)]
#[path = "coverage_tests.rs"]
mod tests;
