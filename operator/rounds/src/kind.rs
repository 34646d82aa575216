//! The kinds of objects that the operator follows.

use kube::{api::ApiResource, core::GroupVersionKind};
use netproof_conformance::kinds::{
    ApiKind, Availability, ClusterPolicyKind, KindRow, ObjectScope, WorkloadKind,
};

/// A kind of object that the operator follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `NetworkPolicy` of `networking.k8s.io`, in its one version `v1`.
    NetworkPolicies,
    /// A kind of cluster-wide policy, which the cluster may lack.
    ClusterPolicies(ClusterPolicyKind),
    /// `Namespace`: labels, by which policies select.
    Namespaces,
    /// `Node`: addresses, labels, taints and readiness.
    Nodes,
    /// `ConnectivityTest`, which netproof defines: what users write.
    Tests,
    /// `StandInSet`, which netproof defines: the owner of stand-ins.
    StandInSets,
    /// `Pod`, of which only those with the label of stand-ins are followed.
    StandIns,
    /// `Deployment`, of which the pod template is kept.
    Deployments,
    /// `StatefulSet`, of which the pod template is kept.
    StatefulSets,
    /// `DaemonSet`, of which the pod template is kept.
    DaemonSets,
}

/// The row of `ConnectivityTest`, which every cluster with netproof has.
const TEST: KindRow = KindRow {
    api_version: "netproof.dev/v1alpha1",
    former_group: None,
    kind: "ConnectivityTest",
    plural: "connectivitytests",
    scope: ObjectScope::Namespaced,
    availability: Availability::Always,
    is_decisive: false,
};

/// The row of `StandInSet`, which is there wherever `ConnectivityTest` is.
const STAND_IN_SET: KindRow = KindRow { kind: "StandInSet", plural: "standinsets", ..TEST };

impl Kind {
    /// Every kind that the operator follows, once.
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

    /// The kinds without which nothing can be judged.
    pub fn decisive() -> impl Iterator<Item = Self> {
        Self::all().filter(|kind| kind.row().is_decisive)
    }

    /// The kind's row in the table of kinds. The row of stand-ins is that of pods.
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
