//! What flows can show, and which flow shows what.

use std::collections::BTreeMap;

use crate::flow::{End, Port};

use super::clauses::{Clause, Clauses};

/// Something that a flow can show. Clauses are named by their place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Goal {
    /// It is allowed, and would be denied without the rule.
    Needs(usize),
    /// It is denied, and would be allowed if the rule were wider in one respect.
    JustMisses(usize),
    /// An isolation without rules denies it.
    Denied(usize),
    /// A rule of the cluster decides it.
    Decides(usize),
    /// It goes from the one node to the other, and is allowed or denied.
    Path { nodes: [String; 2], allowed: bool },
    /// It is allowed to an address outside: without one such flow, silence of that address towards
    /// others is no evidence.
    Reached(End, Port),
}

/// How much a goal matters when the budget is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// It shows a rule, or makes the showing of one possible.
    Rule,
    /// It shows a path.
    Path,
}

impl Goal {
    pub(super) fn rank(&self) -> Rank {
        match self {
            Self::Needs(_)
            | Self::JustMisses(_)
            | Self::Denied(_)
            | Self::Decides(_)
            | Self::Reached(..) => Rank::Rule,
            Self::Path { .. } => Rank::Path,
        }
    }
}

/// What there is to be shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Goals {
    /// All of them; those of clauses are there even if no flow shows them.
    pub(super) all: Vec<Goal>,
    /// What each flow shows.
    pub(super) shown: Vec<Vec<u32>>,
    /// Which flows show each.
    pub(super) by: Vec<Vec<u32>>,
    places: BTreeMap<Goal, u32>,
}

impl Goals {
    /// Those of all clauses, and of that many flows.
    pub(super) fn of(clauses: &Clauses, flows: usize) -> Self {
        let mut goals = Self { shown: vec![Vec::new(); flows], ..Self::default() };
        for (number, clause) in clauses.all.iter().enumerate() {
            for goal in sides(number, clause) {
                goals.place(goal);
            }
        }
        goals
    }

    /// A flow shows a goal.
    pub(super) fn show(&mut self, flow: usize, goal: Goal) {
        let goal = self.place(goal);
        if !self.shown[flow].contains(&goal) {
            self.shown[flow].push(goal);
            self.by[goal as usize].push(place(flow));
        }
    }

    fn place(&mut self, goal: Goal) -> u32 {
        if let Some(found) = self.places.get(&goal) {
            return *found;
        }
        let new = place(self.all.len());
        self.all.push(goal.clone());
        self.by.push(Vec::new());
        self.places.insert(goal, new);
        new
    }

    /// Those that no flow meets.
    pub(super) fn unmet(&self) -> impl Iterator<Item = &Goal> {
        self.all.iter().zip(&self.by).filter(|(_, by)| by.is_empty()).map(|(goal, _)| goal)
    }

    /// The place of a goal.
    pub(super) fn find(&self, goal: &Goal) -> Option<usize> {
        self.places.get(goal).map(|place| *place as usize)
    }
}

/// What there is to be shown of a clause.
pub(super) fn sides(number: usize, clause: &Clause) -> Vec<Goal> {
    match clause {
        Clause::Rule { .. } => vec![Goal::Needs(number), Goal::JustMisses(number)],
        Clause::Bare { .. } => vec![Goal::Denied(number)],
        Clause::Cluster { .. } => vec![Goal::Decides(number)],
    }
}

fn place(number: usize) -> u32 {
    u32::try_from(number).expect("more flows than memory can hold")
}
