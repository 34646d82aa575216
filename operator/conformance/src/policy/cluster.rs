//! Policies of the cluster as a whole, which wrap `NetworkPolicies` in two tiers: Admin is asked
//! before them, Baseline after them (`policy.networking.k8s.io`, KEP-2091).
//!
//! `ClusterNetworkPolicy`, `AdminNetworkPolicy` and `BaselineAdminNetworkPolicy` all compile to the
//! one [`ClusterPolicy`]: they differ in how they are written.

pub(super) mod written;

use std::fmt;

use ipnet::IpNet;

use crate::{
    expected::Direction,
    flow::Protocol,
    select::Selector,
    snapshot::{Pod, Snapshot},
};

/// What one policy of the cluster says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterPolicy {
    /// The object.
    pub name: ClusterPolicyRef,
    /// When it is asked.
    pub tier: Tier,
    /// When it is asked among those of its tier.
    pub priority: Priority,
    /// The pods that it applies to; never one of the host's network.
    pub subjects: PodsOf,
    /// What it says of what the subjects receive; the first rule that matches decides.
    pub ingress: Vec<ClusterRule>,
    /// What it says of what the subjects send; the first rule that matches decides.
    pub egress: Vec<ClusterRule>,
}

impl ClusterPolicy {
    /// What it says of one direction.
    pub fn rules(&self, direction: Direction) -> &[ClusterRule] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

/// The kinds of policies that are in no namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterPolicyKind {
    /// `v1alpha2`, of either tier.
    ClusterNetworkPolicy,
    /// `v1alpha1`, of the Admin tier.
    AdminNetworkPolicy,
    /// `v1alpha1`, of the Baseline tier.
    BaselineAdminNetworkPolicy,
}

impl ClusterPolicyKind {
    /// All of them.
    pub const ALL: [Self; 3] =
        [Self::ClusterNetworkPolicy, Self::AdminNetworkPolicy, Self::BaselineAdminNetworkPolicy];

    /// As the API spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::ClusterNetworkPolicy => "ClusterNetworkPolicy",
            Self::AdminNetworkPolicy => "AdminNetworkPolicy",
            Self::BaselineAdminNetworkPolicy => "BaselineAdminNetworkPolicy",
        }
    }
}

/// Names a policy of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterPolicyRef {
    /// Of which kind it is.
    pub kind: ClusterPolicyKind,
    /// What it is called.
    pub name: String,
}

impl fmt::Display for ClusterPolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)
    }
}

/// When a policy of the cluster is asked. `NetworkPolicies` are a tier of their own between these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// First of all: nothing overrules it.
    Admin,
    /// Last, where no `NetworkPolicy` isolates the subject.
    Baseline,
}

/// When a policy is asked among those of its tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// From 0 to 1000, the lower the sooner. Among equals the implementation may apply any that
    /// matches.
    At(u16),
    /// The API gives it none: a `BaselineAdminNetworkPolicy` was once alone in its tier, and nothing
    /// says where it stands among `ClusterNetworkPolicies` of that tier.
    Open,
}

/// Pods by their labels and those of their namespaces. Never one of the host's network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodsOf {
    /// Their namespaces.
    pub namespaces: Selector,
    /// Their own labels.
    pub pods: Selector,
}

impl PodsOf {
    /// Whether a pod is one of them, whosever network it uses.
    pub fn matches(&self, pod: &Pod, snapshot: &Snapshot) -> bool {
        self.pods.matches(&pod.labels) && snapshot.is_in(&self.namespaces, pod)
    }
}

/// Decides what one of its peers and one of its ports match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRule {
    /// What the administrators call it; empty if they do not.
    pub name: String,
    /// What it decides.
    pub action: Action,
    /// Who is at the other end (`from` or `to`). Never empty.
    pub peers: Vec<ClusterPeer>,
    /// Which ports of the receiver.
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

/// One element of a rule's list of peers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterPeer {
    /// Pods.
    Pods(PodsOf),
    /// Whoever has an address in one of these ranges, without host bits. A feature that networks may
    /// lack, and which then fails closed: towards an address in a range, the API gives no answer
    /// that holds everywhere.
    Networks(Vec<IpNet>),
    /// Nodes by their labels: experimental, and matched against addresses of nodes that no snapshot
    /// need know.
    Nodes(Selector),
    /// Whatever addresses these names resolve to at the moment.
    DomainNames(Vec<String>),
    /// Of a kind that a later version of the API has: the name of its field.
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

/// One element of a rule's list of ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterPort {
    /// Ports of one protocol, from `first` to `last`, both included.
    Range {
        /// Their protocol.
        protocol: Protocol,
        /// The lowest.
        first: u16,
        /// The highest.
        last: u16,
    },
    /// What the receiving pod's containers give this name, with the protocol that they declare.
    Named(String),
    /// A protocol that a later version of the API has: the name of its field.
    Unknown(String),
}
