//! Faults about traffic that is not enforced at all: rules that admit it to whoever is isolated.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
};

use ipnet::IpNet;

use super::{mark, rewrite::and};
use crate::{
    flow::Direction,
    pod::Pod,
    policy::{IpBlock, Isolation, Namespaces, Peer, Peers, Policy, PolicyTypes, Ports, Rule},
    reference::ObjectRef,
    select::{Requirement, Selector},
    snapshot::Snapshot,
};

/// Admits all of IPv6. Changes nothing where no pod has an IPv6 address.
pub(super) fn ignores_ipv6(snapshot: &Snapshot) -> Snapshot {
    let has_ipv6 = |pod: &Pod| pod.addresses.iter().any(IpAddr::is_ipv6);
    if !snapshot.pods.iter().any(has_ipv6) {
        return snapshot.clone();
    }
    let all = IpNet::new(IpAddr::from(Ipv6Addr::UNSPECIFIED), 0);
    let cidr = all.expect("a prefix of no bits is one of every family");
    let peer = Peer::Addresses(IpBlock { cidr, except: vec![] });
    admitting(snapshot.clone(), |_| Some(String::new()), |_| peer.clone())
}

/// Admits traffic between pods on one node. A pod that is on no node has no traffic.
pub(super) fn ignores_same_node(snapshot: &Snapshot) -> Snapshot {
    between_nodes(snapshot, |key, node| {
        vec![Requirement::In(key.to_owned(), [node.to_owned()].into())]
    })
}

pub(super) fn ignores_cross_node(snapshot: &Snapshot) -> Snapshot {
    between_nodes(snapshot, |key, node| {
        vec![
            Requirement::Exists(key.to_owned()),
            Requirement::NotIn(key.to_owned(), [node.to_owned()].into()),
        ]
    })
}

/// Admits the pods on the nodes that `nodes` gives for the subject's. Changes nothing where there
/// are no policies.
fn between_nodes(snapshot: &Snapshot, nodes: impl Fn(&str, &str) -> Vec<Requirement>) -> Snapshot {
    if snapshot.policies.is_empty() {
        return snapshot.clone();
    }
    let mut mutated = snapshot.clone();
    let key = mark(&mut mutated, "node", |pod| pod.node.clone());
    let node = |pod: &Pod| pod.node.clone();
    admitting(mutated, node, |node| Peer::Pods {
        namespaces: Namespaces::Matching(Selector::everything()),
        pods: and(&Selector::everything(), nodes(&key, node)),
    })
}

/// Adds, for each group of pods that are isolated, policies that admit some peer on every port.
fn admitting(
    mut snapshot: Snapshot,
    group: impl Fn(&Pod) -> Option<String>,
    peer: impl Fn(&str) -> Peer,
) -> Snapshot {
    let policies = snapshot.policies.clone();
    for direction in Direction::BOTH {
        let isolates = |policy: &Policy, pod: &Pod| match policy.isolation(direction) {
            Isolation::Open => false,
            Isolation::Isolated(_) => policy.selects(pod),
        };
        let isolated = |pod: &Pod| policies.iter().any(|policy| isolates(policy, pod));
        let group = |pod: &Pod| group(pod).filter(|_| isolated(pod));
        let key = mark(&mut snapshot, "isolated", group);
        let groups: BTreeSet<(String, String)> = snapshot
            .pods
            .iter()
            .filter_map(|pod| Some((pod.name.namespace.clone(), pod.labels.get(&key)?.clone())))
            .collect();
        snapshot.policies.extend(groups.into_iter().map(|(namespace, group)| {
            let rule = Rule { peers: Peers::Only(vec![peer(&group)]), ports: Ports::All };
            let (mut ingress, mut egress) = (Isolation::Open, Isolation::Open);
            match direction {
                Direction::Ingress => ingress = Isolation::Isolated(vec![rule]),
                Direction::Egress => egress = Isolation::Isolated(vec![rule]),
            }
            let subjects = [Requirement::In(key.clone(), [group].into())];
            Policy {
                name: ObjectRef { namespace, name: "\0admits".to_owned() },
                subjects: and(&Selector::everything(), subjects),
                ingress,
                egress,
                types: PolicyTypes::Written,
                created: None,
            }
        }));
    }
    snapshot
}
