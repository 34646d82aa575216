//! Faults of memory: what is no more goes on deciding.

use std::{collections::BTreeMap, net::IpAddr};

use super::{blocks::address, rewrite::policies};
use crate::{
    pod::Pod,
    policy::{Isolation, Namespaces, Peer, Peers, Policy, Rule},
    reference::ObjectRef,
    select::Labels,
    snapshot::Snapshot,
};

/// What was, and is no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Labels that pods had, of those that are still there.
    pub pod_labels: BTreeMap<ObjectRef, Labels>,
    /// Labels that namespaces had.
    pub namespace_labels: BTreeMap<String, Labels>,
    /// Policies that are deleted, as they were last.
    pub deleted_policies: Vec<Policy>,
    /// Pods that are gone, as they were last.
    pub gone_pods: Vec<Pod>,
}

impl Past {
    /// Whether nothing is known to have been other than it is.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

pub(super) fn stale_pod_labels(snapshot: &Snapshot, past: &Past) -> Snapshot {
    let mut mutated = snapshot.clone();
    for pod in &mut mutated.pods {
        if let Some(labels) = past.pod_labels.get(&pod.name) {
            pod.labels.clone_from(labels);
        }
    }
    mutated
}

pub(super) fn stale_namespace_labels(snapshot: &Snapshot, past: &Past) -> Snapshot {
    let mut mutated = snapshot.clone();
    for (namespace, labels) in &past.namespace_labels {
        mutated.namespaces.insert(namespace.clone(), labels.clone());
    }
    mutated
}

pub(super) fn keeps_deleted_policies(snapshot: &Snapshot, past: &Past) -> Snapshot {
    let mut mutated = snapshot.clone();
    mutated.policies.extend(past.deleted_policies.iter().cloned());
    mutated
}

/// Wherever a pod that is gone was a peer, whoever has its address is.
pub(super) fn keeps_dead_addresses(snapshot: &Snapshot, past: &Past) -> Snapshot {
    let was = |peer: &Peer, own: &str, pod: &Pod| match peer {
        Peer::Addresses(_) => false,
        Peer::Pods { namespaces, pods } => {
            pods.matches(&pod.labels)
                && match namespaces {
                    Namespaces::Own => pod.name.namespace == own,
                    Namespaces::Matching(selector) => pod.is_in(selector, &snapshot.namespaces),
                }
        }
    };
    let rule = |rule: &Rule, own: &str| {
        let peers = match &rule.peers {
            Peers::Everyone => Peers::Everyone,
            Peers::Only(peers) => {
                let gone = past.gone_pods.iter();
                let gone = gone.filter(|pod| peers.iter().any(|peer| was(peer, own, pod)));
                let addresses = gone.flat_map(|pod| &pod.addresses).map(IpAddr::to_canonical);
                Peers::Only(peers.iter().cloned().chain(addresses.map(address)).collect())
            }
        };
        Rule { peers, ports: rule.ports.clone() }
    };
    policies(snapshot, |policy| {
        let isolation = |isolation: &Isolation| match isolation {
            Isolation::Open => Isolation::Open,
            Isolation::Isolated(rules) => Isolation::Isolated(
                rules.iter().map(|one| rule(one, &policy.name.namespace)).collect(),
            ),
        };
        Policy {
            ingress: isolation(&policy.ingress),
            egress: isolation(&policy.egress),
            ..policy.clone()
        }
    })
}
