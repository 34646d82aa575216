//! Brings policies into a form without what makes no difference to their meaning.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    compiled::Compiled,
    flow::{Direction, PodId},
    pod::Pod,
    policy::{
        IpBlock, Isolation, Peer, Peers, Policy, PolicyTypes, Ports, Rule,
        cluster::{ClusterPeer, ClusterPolicy, ClusterPorts, ClusterRule},
    },
    reference::{ClusterPolicyRef, ObjectRef},
    select::Labels,
    snapshot::Snapshot,
};

/// The policies that mean something else than before, or are there on one side only.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ChangedPolicies {
    pub(super) policies: BTreeSet<ObjectRef>,
    pub(super) cluster_policies: BTreeSet<ClusterPolicyRef>,
}

impl ChangedPolicies {
    pub(super) fn between([old, new]: &[DirectionPolicies<'_>; 2]) -> Self {
        fn of<'s>(side: &'s DirectionPolicies<'_>) -> BTreeMap<&'s ObjectRef, &'s Policy> {
            side.policies.values().flatten().map(|policy| (&policy.name, policy)).collect()
        }
        fn of_cluster<'s>(
            side: &'s DirectionPolicies<'_>,
        ) -> BTreeMap<&'s ClusterPolicyRef, &'s ClusterPolicy> {
            side.cluster_policies.iter().map(|policy| (&policy.name, policy)).collect()
        }
        Self {
            policies: differing(&of(old), &of(new)),
            cluster_policies: differing(&of_cluster(old), &of_cluster(new)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.policies.is_empty() && self.cluster_policies.is_empty()
    }
}

fn differing<K: Ord + Clone, V: PartialEq>(
    old: &BTreeMap<&K, V>,
    new: &BTreeMap<&K, V>,
) -> BTreeSet<K> {
    let names = old.keys().chain(new.keys()).copied();
    names.filter(|name| old.get(name) != new.get(name)).cloned().collect()
}

/// What the policies of one snapshot say of one direction.
pub(super) struct DirectionPolicies<'a> {
    pub(super) compiled: &'a Compiled,
    pub(super) snapshot: &'a Snapshot,
    ids: BTreeMap<&'a ObjectRef, PodId>,
    pub(super) direction: Direction,
    /// The `NetworkPolicies` that isolate in this direction, by namespace.
    policies: BTreeMap<&'a str, Vec<Policy>>,
    /// The policies of the cluster that have rules for this direction.
    pub(super) cluster_policies: Vec<ClusterPolicy>,
}

/// The policies that have one pod as a subject.
#[derive(Clone, Debug, Default)]
pub(super) struct Selecting<'a> {
    pub(super) policies: Vec<&'a Policy>,
    pub(super) cluster_policies: Vec<&'a ClusterPolicy>,
}

/// What several policies say together: equal values mean the same.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Meaning<'a> {
    /// The rules of all `NetworkPolicies`, which add up; none where nothing isolates.
    rules: Option<BTreeSet<&'a Rule>>,
    cluster_policies: &'a [&'a ClusterPolicy],
}

impl<'a> DirectionPolicies<'a> {
    pub(super) fn new(compiled: &'a Compiled, direction: Direction) -> Self {
        let snapshot = compiled.snapshot();
        let mut policies: BTreeMap<&str, Vec<Policy>> = BTreeMap::new();
        for policy in &snapshot.policies {
            if let Isolation::Isolated(_) = policy.isolation(direction) {
                let mut policy_of_side = normal(policy);
                match direction {
                    Direction::Ingress => policy_of_side.egress = Isolation::Open,
                    Direction::Egress => policy_of_side.ingress = Isolation::Open,
                }
                policies.entry(&policy.name.namespace).or_default().push(policy_of_side);
            }
        }
        let with_rules =
            snapshot.cluster_policies.iter().filter(|one| !one.rules(direction).is_empty());
        let cluster_policies = with_rules.map(|policy| {
            let mut policy = normal_of_cluster(policy);
            match direction {
                Direction::Ingress => policy.egress.clear(),
                Direction::Egress => policy.ingress.clear(),
            }
            policy
        });
        let cluster_policies = cluster_policies.collect();
        let ids = snapshot.pods.iter().zip(0..).map(|(pod, id)| (&pod.name, PodId(id))).collect();
        Self { compiled, snapshot, ids, direction, policies, cluster_policies }
    }

    /// The pod of this name.
    pub(super) fn id(&self, name: &ObjectRef) -> Option<PodId> {
        self.ids.get(name).copied()
    }

    /// The policies of a namespace.
    pub(super) fn policies_in(&self, namespace: &str) -> &[Policy] {
        self.policies.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// The policies that have a pod as a subject, given the labels of namespaces.
    pub(super) fn selecting(
        &self,
        pod: &Pod,
        namespaces: &BTreeMap<String, Labels>,
    ) -> Selecting<'_> {
        let policies = self.policies_in(&pod.name.namespace).iter();
        let of_cluster = self.cluster_policies.iter();
        Selecting {
            policies: policies.filter(|policy| policy.selects(pod)).collect(),
            cluster_policies: of_cluster
                .filter(|policy| policy.subjects.matches(pod, namespaces))
                .collect(),
        }
    }
}

impl Selecting<'_> {
    pub(super) fn meaning(&self) -> Meaning<'_> {
        let rules = self.policies.iter().flat_map(|policy| {
            [&policy.ingress, &policy.egress].into_iter().flat_map(|isolation| match isolation {
                Isolation::Open => [].as_slice(),
                Isolation::Isolated(rules) => rules.as_slice(),
            })
        });
        Meaning {
            rules: (!self.policies.is_empty()).then(|| rules.collect()),
            cluster_policies: &self.cluster_policies,
        }
    }

    /// The names of those of these policies that differ.
    pub(super) fn changed(&self, changed: &ChangedPolicies) -> BTreeSet<String> {
        let policies = self.policies.iter().map(|policy| &policy.name);
        let policies = policies.filter(|name| changed.policies.contains(name));
        let of_cluster = self.cluster_policies.iter().map(|policy| &policy.name);
        let of_cluster = of_cluster.filter(|name| changed.cluster_policies.contains(name));
        policies.map(ToString::to_string).chain(of_cluster.map(ToString::to_string)).collect()
    }
}

/// A policy with its rules in order, each once, and without what decides nothing.
fn normal(policy: &Policy) -> Policy {
    Policy {
        name: policy.name.clone(),
        subjects: policy.subjects.clone(),
        ingress: normal_isolation(&policy.ingress),
        egress: normal_isolation(&policy.egress),
        types: PolicyTypes::Derived,
        created: None,
    }
}

fn normal_isolation(isolation: &Isolation) -> Isolation {
    match isolation {
        Isolation::Open => Isolation::Open,
        Isolation::Isolated(rules) => Isolation::Isolated(sorted(rules.iter().map(normal_rule))),
    }
}

fn normal_rule(rule: &Rule) -> Rule {
    Rule {
        peers: match &rule.peers {
            Peers::Everyone => Peers::Everyone,
            Peers::Only(peers) => Peers::Only(sorted(peers.iter().map(|peer| match peer {
                Peer::Pods { .. } => peer.clone(),
                Peer::Addresses(IpBlock { cidr, except }) => {
                    Peer::Addresses(IpBlock { cidr: *cidr, except: sorted(except.iter().copied()) })
                }
            }))),
        },
        ports: match &rule.ports {
            Ports::All => Ports::All,
            Ports::Only(ports) => Ports::Only(sorted(ports.iter().cloned())),
        },
    }
}

/// A policy of the cluster without what decides nothing, with its rules in the order that they
/// have.
fn normal_of_cluster(policy: &ClusterPolicy) -> ClusterPolicy {
    let rules = |rules: &[ClusterRule]| rules.iter().map(normal_cluster_rule).collect();
    ClusterPolicy {
        ingress: rules(&policy.ingress),
        egress: rules(&policy.egress),
        ..policy.clone()
    }
}

fn normal_cluster_rule(rule: &ClusterRule) -> ClusterRule {
    let peers = rule.peers.iter().map(|peer| match peer {
        ClusterPeer::Networks(networks) => ClusterPeer::Networks(sorted(networks.iter().copied())),
        ClusterPeer::DomainNames(names) => ClusterPeer::DomainNames(sorted(names.iter().cloned())),
        ClusterPeer::Pods(_) | ClusterPeer::Nodes(_) | ClusterPeer::Unknown(_) => peer.clone(),
    });
    ClusterRule {
        name: String::new(),
        action: rule.action,
        peers: sorted(peers),
        ports: match &rule.ports {
            ClusterPorts::All => ClusterPorts::All,
            ClusterPorts::Only(ports) => ClusterPorts::Only(sorted(ports.iter().cloned())),
        },
    }
}

fn sorted<T: Ord>(elements: impl Iterator<Item = T>) -> Vec<T> {
    elements.collect::<BTreeSet<T>>().into_iter().collect()
}
