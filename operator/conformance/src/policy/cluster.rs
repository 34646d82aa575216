//! Policies of the cluster as a whole, which wrap `NetworkPolicies` in two tiers: Admin is asked
//! before them, Baseline after them (`policy.networking.k8s.io`, KEP-2091).
//!
//! `ClusterNetworkPolicy`, `AdminNetworkPolicy` and `BaselineAdminNetworkPolicy` all compile to the
//! one [`ClusterPolicy`]: they differ in how they are written.

pub(super) mod written;

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::{
    flow::{Direction, Protocol},
    pod::Pod,
    reference::ClusterPolicyRef,
    select::{Labels, Selector},
};

pub use crate::kinds::ClusterPolicyKind;

/// What one policy of the cluster says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterPolicy {
    /// The object that it was compiled from.
    pub name: ClusterPolicyRef,
    /// When the policy is asked.
    pub tier: Tier,
    /// When the policy is asked among those of its tier.
    pub priority: Priority,
    /// The pods that it applies to; never one of the host's network.
    pub subjects: PodsOf,
    /// What the policy says of what the subjects receive; the first rule that matches decides.
    pub ingress: Vec<ClusterRule>,
    /// What the policy says of what the subjects send; the first rule that matches decides.
    pub egress: Vec<ClusterRule>,
}

impl ClusterPolicy {
    /// The rules for one direction, in the order of the object.
    pub fn rules(&self, direction: Direction) -> &[ClusterRule] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

/// When a policy of the cluster is asked. `NetworkPolicies` are a tier of their own between these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// The policy is asked first, and nothing overrules it.
    Admin,
    /// The policy is asked last, where no `NetworkPolicy` isolates the subject.
    Baseline,
}

/// When a policy is asked among those of its tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// From 0 to 1000, the lower the sooner. Among equals the implementation may apply any that
    /// matches.
    At(u16),
    /// The API gives the policy no priority: a `BaselineAdminNetworkPolicy` was once alone in its
    /// tier, and nothing says where it stands among `ClusterNetworkPolicies` of that tier.
    Open,
}

/// Pods by their labels and those of their namespaces. Never one of the host's network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodsOf {
    /// The namespaces in which the pods are; all if the selector is empty.
    pub namespaces: Selector,
    /// The labels of the pods themselves; all pods of those namespaces if the selector is empty.
    pub pods: Selector,
}

impl PodsOf {
    /// Whether the selectors match a pod, on the host's network or not, given the labels of
    /// namespaces as a snapshot has them.
    pub fn matches(&self, pod: &Pod, namespaces: &BTreeMap<String, Labels>) -> bool {
        self.pods.matches(&pod.labels) && pod.is_in(&self.namespaces, namespaces)
    }
}

/// A rule, which decides what one of its peers and one of its ports match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRule {
    /// The administrators' name for the rule, which decides nothing; empty if there is none.
    pub name: String,
    /// What becomes of a flow that a peer and a port match.
    pub action: Action,
    /// The peers at the other end (`from` or `to`). Never empty.
    pub peers: Vec<ClusterPeer>,
    /// The ports of the receiver that the rule speaks of.
    pub ports: ClusterPorts,
}

/// What a rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// The flow passes this side; nothing further is asked.
    Accept,
    /// The flow does not pass this side; nothing further is asked.
    Deny,
    /// The next tier is asked.
    Pass,
}

/// An element of a rule's list of peers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterPeer {
    /// Pods, by labels, and never by an address that they have.
    Pods(PodsOf),
    /// Whoever has an address in one of these ranges, without host bits. A feature that networks
    /// may lack, and which then fails closed: towards an address in a range, the API gives no
    /// answer that holds everywhere.
    Networks(Vec<IpNet>),
    /// Nodes by their labels: experimental, and matched against addresses of nodes that no snapshot
    /// need know.
    Nodes(Selector),
    /// The addresses to which these domain names resolve at the moment.
    DomainNames(Vec<String>),
    /// A peer of a kind that only a later version of the API has: the name of its field.
    Unknown(String),
}

/// Which ports of the receiver a rule speaks of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterPorts {
    /// Every port of every protocol: there is no list.
    All,
    /// What one of these matches. Never empty.
    Only(Vec<ClusterPort>),
}

/// An element of a rule's list of ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterPort {
    /// Ports of one protocol, from `first` to `last`, both included.
    Range {
        /// The protocol that the numbers belong to.
        protocol: Protocol,
        /// The lowest port, itself included.
        first: u16,
        /// The highest port, itself included; never below `first`.
        last: u16,
    },
    /// The port that the receiving pod's containers give this name, with the protocol that they
    /// declare.
    Named(String),
    /// A protocol that a later version of the API has: the name of its field.
    Unknown(String),
}
