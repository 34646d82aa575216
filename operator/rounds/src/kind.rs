//! The kinds of objects that netproof knows of a cluster.

use kube::{api::ApiResource, core::GroupVersionKind};
use netproof_conformance::policy::cluster::ClusterPolicyKind;

/// The group of all kinds of cluster policies.
pub const GROUP: &str = "policy.networking.k8s.io";

/// A kind of object that the operator follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `networking.k8s.io/v1` `NetworkPolicies`.
    NetworkPolicies,
    /// Policies of the cluster as a whole, of a kind that it may lack.
    ClusterPolicies(ClusterPolicyKind),
    /// Namespaces.
    Namespaces,
    /// Nodes.
    Nodes,
    /// Our own tests.
    Tests,
    /// The owners of our own probe pods.
    StandInSets,
    /// Our own probe pods; no others.
    StandIns,
    /// Deployments.
    Deployments,
    /// `StatefulSets`.
    StatefulSets,
    /// `DaemonSets`.
    DaemonSets,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::NetworkPolicies,
        Self::ClusterPolicies(ClusterPolicyKind::ClusterNetworkPolicy),
        Self::ClusterPolicies(ClusterPolicyKind::AdminNetworkPolicy),
        Self::ClusterPolicies(ClusterPolicyKind::BaselineAdminNetworkPolicy),
        Self::Namespaces,
        Self::Nodes,
        Self::Tests,
        Self::StandInSets,
        Self::StandIns,
        Self::Deployments,
        Self::StatefulSets,
        Self::DaemonSets,
    ];

    /// Those without which nothing can be judged.
    pub const DECISIVE: [Self; 6] = [
        Self::NetworkPolicies,
        Self::ClusterPolicies(ClusterPolicyKind::ClusterNetworkPolicy),
        Self::ClusterPolicies(ClusterPolicyKind::AdminNetworkPolicy),
        Self::ClusterPolicies(ClusterPolicyKind::BaselineAdminNetworkPolicy),
        Self::Namespaces,
        Self::StandIns,
    ];

    /// The name for people and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::NetworkPolicies => "networkpolicies",
            Self::ClusterPolicies(ClusterPolicyKind::ClusterNetworkPolicy) => {
                "clusternetworkpolicies"
            }
            Self::ClusterPolicies(ClusterPolicyKind::AdminNetworkPolicy) => "adminnetworkpolicies",
            Self::ClusterPolicies(ClusterPolicyKind::BaselineAdminNetworkPolicy) => {
                "baselineadminnetworkpolicies"
            }
            Self::Namespaces => "namespaces",
            Self::Nodes => "nodes",
            Self::Tests => "connectivitytests",
            Self::StandInSets => "standinsets",
            Self::StandIns => "stand-in pods",
            Self::Deployments => "deployments",
            Self::StatefulSets => "statefulsets",
            Self::DaemonSets => "daemonsets",
        }
    }
}

/// The version of a kind that netproof reads.
pub fn readable(kind: ClusterPolicyKind) -> &'static str {
    match kind {
        ClusterPolicyKind::ClusterNetworkPolicy => "v1alpha2",
        ClusterPolicyKind::AdminNetworkPolicy | ClusterPolicyKind::BaselineAdminNetworkPolicy => {
            "v1alpha1"
        }
    }
}

/// A kind in one of its versions.
pub fn resource(kind: ClusterPolicyKind, version: &str) -> ApiResource {
    let of_version = GroupVersionKind::gvk(GROUP, version, kind.word());
    ApiResource::from_gvk_with_plural(&of_version, Kind::ClusterPolicies(kind).word())
}
