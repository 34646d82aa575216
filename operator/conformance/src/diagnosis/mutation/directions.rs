//! Faults about which directions are isolated.

use std::collections::BTreeSet;

use super::rewrite::policies;
use crate::{
    policy::{Isolation, Peers, Policy, PolicyTypes, Ports, Rule},
    reference::ObjectRef,
    select::Selector,
    snapshot::Snapshot,
};

pub(super) fn ignores_all(snapshot: &Snapshot) -> Snapshot {
    Snapshot { policies: vec![], ..snapshot.clone() }
}

pub(super) fn ignores_ingress(snapshot: &Snapshot) -> Snapshot {
    policies(snapshot, |policy| Policy { ingress: Isolation::Open, ..policy.clone() })
}

pub(super) fn ignores_egress(snapshot: &Snapshot) -> Snapshot {
    policies(snapshot, |policy| Policy { egress: Isolation::Open, ..policy.clone() })
}

pub(super) fn egress_needs_policy_types(snapshot: &Snapshot) -> Snapshot {
    policies(snapshot, |policy| match policy.types {
        PolicyTypes::Written => policy.clone(),
        PolicyTypes::Derived => Policy { egress: Isolation::Open, ..policy.clone() },
    })
}

pub(super) fn empty_list_allows(snapshot: &Snapshot) -> Snapshot {
    let admitting = |isolation: &Isolation| match isolation {
        Isolation::Isolated(rules) if rules.is_empty() => {
            Isolation::Isolated(vec![Rule { peers: Peers::Everyone, ports: Ports::All }])
        }
        Isolation::Isolated(_) | Isolation::Open => isolation.clone(),
    };
    policies(snapshot, |policy| Policy {
        ingress: admitting(&policy.ingress),
        egress: admitting(&policy.egress),
        ..policy.clone()
    })
}

/// Blocks all traffic of every pod, also what policies of the cluster accept.
pub(super) fn blocks_all(snapshot: &Snapshot) -> Snapshot {
    let namespaces: BTreeSet<&String> =
        snapshot.pods.iter().map(|pod| &pod.name.namespace).collect();
    let block = |namespace: &String| Policy {
        name: ObjectRef { namespace: namespace.clone(), name: "\0blocks".to_owned() },
        subjects: Selector::everything(),
        ingress: Isolation::Isolated(vec![]),
        egress: Isolation::Isolated(vec![]),
        types: PolicyTypes::Written,
        created: None,
    };
    Snapshot {
        policies: namespaces.into_iter().map(block).collect(),
        cluster_policies: vec![],
        ..snapshot.clone()
    }
}
