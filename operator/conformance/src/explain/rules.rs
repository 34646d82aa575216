//! Tells which `NetworkPolicies` isolate a pod, and what each of their rules does with a flow.

use super::{
    ServiceRoute,
    misses::{ExaminedSide, PeerMiss, PortMiss},
};
use crate::{
    evaluate::{Side, admits, isolating},
    flow::Direction,
    policy::{
        Isolation, Peers, Policy, Ports, Rule,
        network_policy::{NetworkPolicy, compile},
    },
    reference::{ObjectRef, RuleRef},
};

/// A policy that isolates the pod.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyTold {
    /// The name and namespace of the policy, which isolates the subject.
    pub policy: ObjectRef,
    /// All its rules for the direction, in their order.
    pub rules: Vec<RuleTold>,
}

/// A rule of a `NetworkPolicy` that isolates the pod, and what it does with the flow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleTold {
    /// The rule itself, as it was compiled.
    pub says: Rule,
    /// What the rule does with the flow.
    pub does: Does,
}

/// What a rule does with a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does {
    /// The rule lets the flow pass, by this peer and this port.
    Admits(RuleRef),
    /// The rule does not match the flow, for want of this.
    Lacks(Lacks),
}

/// Why a rule does not match a flow: for each element of its list, in their order, what keeps it
/// from matching. Neither list is ever empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// The other end is none of the rule's peers, each for its reason.
    Peer(Vec<PeerMiss>),
    /// The port is none of the rule's ports, each for its reason.
    Port(Vec<PortMiss>),
    /// Neither a peer nor a port of the rule fits, with what each of them lacks.
    Both(Vec<PeerMiss>, Vec<PortMiss>),
}

impl Lacks {
    /// The misses of both lists; an empty one for a list that matches, none if both match.
    pub(super) fn of(peers: Vec<PeerMiss>, ports: Vec<PortMiss>) -> Option<Self> {
        match (peers.is_empty(), ports.is_empty()) {
            (true, true) => None,
            (false, true) => Some(Self::Peer(peers)),
            (true, false) => Some(Self::Port(ports)),
            (false, false) => Some(Self::Both(peers, ports)),
        }
    }

    /// What keeps the rule's peers from matching; empty where one matches.
    pub fn peers(&self) -> &[PeerMiss] {
        match self {
            Self::Peer(peers) | Self::Both(peers, _) => peers,
            Self::Port(_) => &[],
        }
    }

    /// What keeps the rule's ports from matching; empty where one matches.
    pub fn ports(&self) -> &[PortMiss] {
        match self {
            Self::Port(ports) | Self::Both(_, ports) => ports,
            Self::Peer(_) => &[],
        }
    }
}

/// The policies that isolate the subject, by name.
pub(super) fn tell(side: &Side<'_>, services: &[ServiceRoute]) -> Vec<PolicyTold> {
    let seen = ExaminedSide { side, services };
    let mut told: Vec<PolicyTold> = isolating(side)
        .map(|(policy, rules)| {
            let rules = rules.iter().enumerate();
            let rules = rules.map(|(index, rule)| RuleTold {
                says: rule.clone(),
                does: does(&seen, policy, index, rule),
            });
            PolicyTold { policy: policy.name.clone(), rules: rules.collect() }
        })
        .collect();
    told.sort_by(|one, other| one.policy.cmp(&other.policy));
    told
}

fn does(seen: &ExaminedSide<'_>, policy: &Policy, index: usize, rule: &Rule) -> Does {
    match admits(seen.side, policy, index, rule) {
        Some(reference) => Does::Admits(reference),
        None => Does::Lacks(lacks(seen, &policy.name.namespace, rule)),
    }
}

/// What a rule lacks that is known not to match.
fn lacks(seen: &ExaminedSide<'_>, own_namespace: &str, rule: &Rule) -> Lacks {
    let peers = match &rule.peers {
        Peers::Everyone => Vec::new(),
        Peers::Only(peers) => seen.peers(peers, own_namespace),
    };
    let ports = match &rule.ports {
        Ports::All => Vec::new(),
        Ports::Only(ports) => seen.ports(ports),
    };
    Lacks::of(peers, ports).expect("a rule that does not match has a list that does not")
}

/// The policies that select the subject and have rules for this direction, which `policyTypes`
/// makes inert.
pub(super) fn inert(side: &Side<'_>, written: &[&NetworkPolicy]) -> Vec<ObjectRef> {
    let subject = side.subject;
    let here = written.iter().filter(|one| one.metadata.namespace == subject.name.namespace);
    let with_rules = here.filter(|one| match side.direction {
        Direction::Ingress => !one.spec.ingress.is_empty(),
        Direction::Egress => !one.spec.egress.is_empty(),
    });
    let mut inert: Vec<ObjectRef> = with_rules
        .filter_map(|one| compile(one).ok())
        .filter(|policy| {
            policy.subjects.matches(&subject.labels)
                && *policy.isolation(side.direction) == Isolation::Open
        })
        .map(|policy| policy.name)
        .collect();
    inert.sort();
    inert
}
