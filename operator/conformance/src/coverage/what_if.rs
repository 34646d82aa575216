//! Answers what the policies would say of a flow if one clause were not there, or were wider.

use crate::{
    compiled::Compiled,
    evaluate::{self, Applying},
    expected::Expected,
    flow::{Direction, Flow},
    policy::{Isolation, Peers, Policy, Ports, cluster::ClusterPolicy},
    snapshot::Snapshot,
};

use super::{clauses::Clause, tables::Respect};

/// What is done to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RuleChange {
    /// The rule is taken away; its policy goes on isolating.
    Without,
    /// The rule admits whatever the flow has in this respect.
    Widened(Respect),
}

impl RuleChange {
    pub(super) const ALL: [Self; 3] =
        [Self::Without, Self::Widened(Respect::Peer), Self::Widened(Respect::Port)];
}

/// What the policies would say of the flow after this change of a clause.
pub(super) fn expect(
    compiled: &Compiled,
    clause: &Clause,
    change: RuleChange,
    flow: &Flow,
) -> Expected {
    let snapshot = compiled.snapshot();
    let network = network_policy(snapshot, clause, change);
    let cluster = cluster_policy(snapshot, clause);
    evaluate::expect_with(snapshot, flow, |id| {
        let mut applying: Applying<'_> = compiled.applying(id);
        if let Some((old, new)) = &network {
            applying.network.iter_mut().filter(|one| std::ptr::eq(**one, *old)).for_each(|one| {
                *one = new;
            });
        }
        if let Some((old, new)) = &cluster {
            applying.cluster.iter_mut().filter(|one| std::ptr::eq(**one, *old)).for_each(|one| {
                *one = new;
            });
        }
        applying
    })
}

fn network_policy<'a>(
    snapshot: &'a Snapshot,
    clause: &Clause,
    change: RuleChange,
) -> Option<(&'a Policy, Policy)> {
    let Clause::Rule { policy, direction, rule } = *clause else { return None };
    let old = &snapshot.policies[policy];
    let mut new = old.clone();
    let isolation = match direction {
        Direction::Ingress => &mut new.ingress,
        Direction::Egress => &mut new.egress,
    };
    let Isolation::Isolated(rules) = isolation else { return None };
    match change {
        RuleChange::Without => drop(rules.remove(rule)),
        RuleChange::Widened(Respect::Peer) => rules[rule].peers = Peers::Everyone,
        RuleChange::Widened(Respect::Port) => rules[rule].ports = Ports::All,
    }
    Some((old, new))
}

/// A policy of the cluster without one of its rules, which are never widened.
fn cluster_policy<'a>(
    snapshot: &'a Snapshot,
    clause: &Clause,
) -> Option<(&'a ClusterPolicy, ClusterPolicy)> {
    let Clause::Cluster { policy, direction, rule } = *clause else { return None };
    let old = &snapshot.cluster_policies[policy];
    let mut new = old.clone();
    let rules = match direction {
        Direction::Ingress => &mut new.ingress,
        Direction::Egress => &mut new.egress,
    };
    rules.remove(rule);
    Some((old, new))
}
