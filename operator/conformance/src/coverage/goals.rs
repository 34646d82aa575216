//! Keeps the goals, which are what flows can show, and which flow shows which.

use std::collections::BTreeMap;

use crate::flow::{End, Port};

use super::clauses::{Clause, Clauses};

/// Something that a flow can show. Clauses are named by their place in [`Clauses`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Goal {
    /// The flow is allowed, and would be denied without the rule.
    Needs(usize),
    /// The flow is denied, and would be allowed if the rule were wider in one respect.
    JustMisses(usize),
    /// An isolation without rules denies the flow.
    Denied(usize),
    /// A rule of the cluster decides the flow.
    Decides(usize),
    /// The flow goes from the one node to the other, and is allowed or denied.
    Path { nodes: [String; 2], allowed: bool },
    /// The flow is allowed, and its receiver is an address outside: without one such flow, silence
    /// of that address towards others is no evidence.
    Reached(End, Port),
}

/// How much a goal matters when the budget is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// The goal is to show a rule, or makes the showing of one possible.
    Rule,
    /// The goal is to show a path.
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

/// All goals, and which flows meet them.
#[derive(Clone, Debug, Default)]
pub(super) struct Goals {
    /// The goals; those of clauses are there even if no flow meets them.
    pub(super) all: Vec<Goal>,
    /// The goals that each flow meets, by the places of both.
    pub(super) shown: Vec<Vec<u32>>,
    /// The flows that meet each goal, by the places of both.
    pub(super) by: Vec<Vec<u32>>,
    places: BTreeMap<Goal, u32>,
}

impl Goals {
    /// The goals of all clauses, for so many flows, none of which meets any yet.
    pub(super) fn of(clauses: &Clauses, flows: usize) -> Self {
        let mut goals = Self { shown: vec![Vec::new(); flows], ..Self::default() };
        for (number, clause) in clauses.all.iter().enumerate() {
            for goal in sides(number, clause) {
                goals.place(goal);
            }
        }
        goals
    }

    /// Notes that a flow meets a goal, which is added if it is new.
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

    /// The goals that no flow meets.
    pub(super) fn unmet(&self) -> impl Iterator<Item = &Goal> {
        self.all.iter().zip(&self.by).filter(|(_, by)| by.is_empty()).map(|(goal, _)| goal)
    }

    /// The place of a goal.
    pub(super) fn find(&self, goal: &Goal) -> Option<usize> {
        self.places.get(goal).map(|place| *place as usize)
    }
}

/// The goals of a clause.
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
