//! Lists the clauses of policies: what there is to be exercised, one by one.

use std::collections::BTreeMap;

use crate::{
    expected::{Decision, Expected, Ruling},
    flow::Direction,
    policy::{Isolation, Policy, Rule, cluster::ClusterRule},
    reference::{ClusterPolicyRef, ObjectRef},
    snapshot::Snapshot,
};

/// A part of a policy that is exercised or not. Policies are named by their place in the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clause {
    /// A rule of a `NetworkPolicy`.
    Rule { policy: usize, direction: Direction, rule: usize },
    /// A `NetworkPolicy` that isolates and has no rules.
    Bare { policy: usize, direction: Direction },
    /// A rule of the cluster that accepts or denies.
    Cluster { policy: usize, direction: Direction, rule: usize },
}

impl Clause {
    pub(super) fn direction(self) -> Direction {
        match self {
            Self::Rule { direction, .. }
            | Self::Bare { direction, .. }
            | Self::Cluster { direction, .. } => direction,
        }
    }

    /// The rule of a `NetworkPolicy`, with its policy.
    pub(super) fn rule(self, snapshot: &Snapshot) -> Option<(&Policy, &Rule)> {
        let Self::Rule { policy, direction, rule } = self else { return None };
        let policy = &snapshot.policies[policy];
        match policy.isolation(direction) {
            Isolation::Isolated(rules) => Some((policy, &rules[rule])),
            Isolation::Open => None,
        }
    }
}

/// All clauses of a snapshot, by the names of their policies.
#[derive(Clone, Debug)]
pub(super) struct Clauses {
    pub(super) all: Vec<Clause>,
    /// The clauses of each `NetworkPolicy`, by its place and the direction.
    network: BTreeMap<(usize, Direction), Vec<usize>>,
    cluster: BTreeMap<(ClusterPolicyRef, Direction, usize), usize>,
}

impl Clauses {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut clauses =
            Self { all: Vec::new(), network: BTreeMap::new(), cluster: BTreeMap::new() };
        let mut policies: Vec<_> = snapshot.policies.iter().enumerate().collect();
        policies.sort_by_key(|(_, policy)| &policy.name);
        for (place, policy) in policies {
            for direction in [Direction::Ingress, Direction::Egress] {
                clauses.add(place, direction, policy.isolation(direction));
            }
        }
        let mut policies: Vec<_> = snapshot.cluster_policies.iter().enumerate().collect();
        policies.sort_by_key(|(_, policy)| &policy.name);
        for (place, policy) in policies {
            for direction in [Direction::Ingress, Direction::Egress] {
                let rules = policy.rules(direction).iter().enumerate();
                for (rule, _) in rules.filter(|(_, rule)| decides(rule)) {
                    let key = (policy.name.clone(), direction, rule);
                    clauses.cluster.insert(key, clauses.all.len());
                    clauses.all.push(Clause::Cluster { policy: place, direction, rule });
                }
            }
        }
        clauses
    }

    fn add(&mut self, policy: usize, direction: Direction, isolation: &Isolation) {
        let Isolation::Isolated(rules) = isolation else { return };
        let first = self.all.len();
        if rules.is_empty() {
            self.all.push(Clause::Bare { policy, direction });
        }
        self.all.extend((0..rules.len()).map(|rule| Clause::Rule { policy, direction, rule }));
        self.network.insert((policy, direction), (first..self.all.len()).collect());
    }

    /// The clauses of a `NetworkPolicy`.
    pub(super) fn of_policy(&self, policy: usize, direction: Direction) -> &[usize] {
        self.network.get(&(policy, direction)).map_or(&[], Vec::as_slice)
    }

    /// The name of the `NetworkPolicy` that a clause is of.
    pub(super) fn policy<'a>(
        &self,
        clause: usize,
        snapshot: &'a Snapshot,
    ) -> Option<&'a ObjectRef> {
        match self.all[clause] {
            Clause::Rule { policy, .. } | Clause::Bare { policy, .. } => {
                Some(&snapshot.policies[policy].name)
            }
            Clause::Cluster { .. } => None,
        }
    }

    /// The rules of the cluster that an answer names.
    pub(super) fn ruling(&self, expected: &Expected) -> impl Iterator<Item = usize> {
        let because = match expected {
            Expected::Allow(because) | Expected::Deny(because) => Some(because),
            Expected::Unspecified(_) => None,
        };
        let decisions = because.map(|because| [&because.egress, &because.ingress]);
        decisions.into_iter().flatten().filter_map(|decision| match decision {
            Decision::Ruled(_, rule) => {
                let key = (rule.policy.clone(), rule.direction, rule.rule);
                self.cluster.get(&key).copied()
            }
            Decision::Exempt
            | Decision::NotIsolated
            | Decision::AllowedBy(_)
            | Decision::DeniedBy(_) => None,
        })
    }
}

fn decides(rule: &ClusterRule) -> bool {
    Ruling::of(rule.action).is_some()
}
