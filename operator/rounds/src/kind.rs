//! The kinds of objects that netproof knows of a cluster.

use kube::{api::ApiResource, core::GroupVersionKind};
use netproof_conformance::kinds::{
    ApiKind, Availability, ClusterPolicyKind, KindRow, ObjectScope, WorkloadKind,
};

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

/// `ConnectivityTest`, which netproof defines itself wherever it is.
const TEST: KindRow = KindRow {
    api_version: "netproof.dev/v1alpha1",
    former_group: None,
    kind: "ConnectivityTest",
    plural: "connectivitytests",
    scope: ObjectScope::Namespaced,
    availability: Availability::Always,
    is_decisive: false,
};

/// `StandInSet`, of the same.
const STAND_IN_SET: KindRow = KindRow { kind: "StandInSet", plural: "standinsets", ..TEST };

impl Kind {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let policies = ClusterPolicyKind::ALL.map(Self::ClusterPolicies);
        let others = [
            Self::Namespaces,
            Self::Nodes,
            Self::Tests,
            Self::StandInSets,
            Self::StandIns,
            Self::Deployments,
            Self::StatefulSets,
            Self::DaemonSets,
        ];
        [Self::NetworkPolicies].into_iter().chain(policies).chain(others)
    }

    /// Those without which nothing can be judged.
    pub fn decisive() -> impl Iterator<Item = Self> {
        Self::all().filter(|kind| kind.row().is_decisive)
    }

    /// What is to be known of the objects; of stand-ins, that they are pods.
    pub fn row(self) -> &'static KindRow {
        match self {
            Self::NetworkPolicies => ApiKind::NetworkPolicy.row(),
            Self::ClusterPolicies(kind) => kind.row(),
            Self::Namespaces => ApiKind::Namespace.row(),
            Self::Nodes => ApiKind::Node.row(),
            Self::Tests => &TEST,
            Self::StandInSets => &STAND_IN_SET,
            Self::StandIns => ApiKind::Pod.row(),
            Self::Deployments => WorkloadKind::Deployment.row(),
            Self::StatefulSets => WorkloadKind::StatefulSet.row(),
            Self::DaemonSets => WorkloadKind::DaemonSet.row(),
        }
    }

    /// The name for people and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::StandIns => "stand-in pods",
            Self::NetworkPolicies
            | Self::ClusterPolicies(_)
            | Self::Namespaces
            | Self::Nodes
            | Self::Tests
            | Self::StandInSets
            | Self::Deployments
            | Self::StatefulSets
            | Self::DaemonSets => self.row().plural,
        }
    }
}

/// A kind in one of its versions, as a client asks for it.
pub fn resource(kind: &KindRow, version: &str) -> ApiResource {
    let of_version = GroupVersionKind::gvk(kind.group(), version, kind.kind);
    ApiResource::from_gvk_with_plural(&of_version, kind.plural)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{
        apps::v1::{DaemonSet, Deployment, StatefulSet},
        core::v1::{Namespace, Node, Pod},
        networking::v1::NetworkPolicy,
    };
    use netproof_crds::{ConnectivityTest, StandInSet};

    use super::*;

    fn erased<K: kube::Resource<DynamicType = ()>>() -> ApiResource {
        ApiResource::erase::<K>(&())
    }

    #[test]
    fn the_table_names_resources_as_the_types_do() {
        for (kind, typed) in [
            (Kind::NetworkPolicies, erased::<NetworkPolicy>()),
            (Kind::Namespaces, erased::<Namespace>()),
            (Kind::Nodes, erased::<Node>()),
            (Kind::Tests, erased::<ConnectivityTest>()),
            (Kind::StandInSets, erased::<StandInSet>()),
            (Kind::StandIns, erased::<Pod>()),
            (Kind::Deployments, erased::<Deployment>()),
            (Kind::StatefulSets, erased::<StatefulSet>()),
            (Kind::DaemonSets, erased::<DaemonSet>()),
        ] {
            assert_eq!(resource(kind.row(), kind.row().version()), typed);
        }
    }
}
