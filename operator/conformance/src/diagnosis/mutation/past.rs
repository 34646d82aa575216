//! Faults of memory: objects or labels that are no more go on deciding.

use std::{collections::BTreeMap, net::IpAddr};

use super::{blocks::address, rewrite::policies};
use crate::{
    pod::Pod,
    policy::{Isolation, Namespaces, Peer, Peers, Policy, Rule},
    reference::ObjectRef,
    select::Labels,
    snapshot::Snapshot,
};

/// An earlier state of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// The labels that pods which are still there had.
    pub pod_labels: BTreeMap<ObjectRef, Labels>,
    /// The labels that namespaces had.
    pub namespace_labels: BTreeMap<String, Labels>,
    /// Deleted policies, as they were last.
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

/// Makes whoever has the address of a pod that is gone a peer wherever that pod was one.
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
