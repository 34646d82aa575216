//! The table of kinds: what Kubernetes calls each kind of object that netproof knows, in which
//! version it is read, and whether verdicts hang on it.
//!
//! Whoever reads files, asks an API server or follows one draws from here. The names are those of
//! the API reference: the core group, `apps/v1`, `batch/v1`, `networking.k8s.io/v1`, and
//! `policy.networking.k8s.io` (KEP-2091) of <https://network-policy-api.sigs.k8s.io>.

use std::fmt;

/// All that netproof has to know of a kind.
///
/// ```
/// use netproof_conformance::kinds::{ApiKind, ObjectScope};
///
/// let row = ApiKind::NetworkPolicy.row();
/// assert_eq!((row.group(), row.version()), ("networking.k8s.io", "v1"));
/// assert_eq!((row.kind, row.plural), ("NetworkPolicy", "networkpolicies"));
/// assert_eq!(row.scope, ObjectScope::Namespaced);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindRow {
    /// Group and version, as objects write them. This is the one version that is read: in another
    /// one, an object could mean something else.
    pub api_version: &'static str,
    /// A group that had the kind before. A policy that names this group is still a policy.
    pub former_group: Option<&'static str>,
    /// The kind, as objects write it.
    pub kind: &'static str,
    /// The resource, as paths, definitions and roles write it.
    pub plural: &'static str,
    /// Whether the objects are in namespaces.
    pub scope: ObjectScope,
    /// Which API servers have the kind.
    pub availability: Availability,
    /// Whether nothing can be judged without its objects.
    pub is_decisive: bool,
}

/// Whether the objects of a kind are in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectScope {
    /// Each object is in a namespace.
    Namespaced,
    /// The objects are the cluster's, and in no namespace.
    Cluster,
}

/// Which API servers have a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Every API server has the kind.
    Always,
    /// The API servers that have a `CustomResourceDefinition` of the kind.
    WhereDefined,
}

impl KindRow {
    /// The API group; empty for the core group.
    pub fn group(&self) -> &'static str {
        group(self.api_version)
    }

    /// The version within the group.
    pub fn version(&self) -> &'static str {
        self.api_version.split_once('/').map_or(self.api_version, |(_, version)| version)
    }

    /// The name that the `CustomResourceDefinition` of the kind has, where there is one.
    pub fn definition(&self) -> String {
        format!("{}.{}", self.plural, self.group())
    }

    /// Whether objects that say this of themselves are of this kind, whichever version they name.
    pub fn is(&self, api_version: &str, kind: &str) -> bool {
        self.kind == kind && self.group() == group(api_version)
    }
}

/// The group that an `apiVersion` names; empty for the core group.
pub(crate) fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// A kind of Kubernetes' own that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiKind {
    /// `Namespace`, by whose labels policies choose.
    Namespace,
    /// `Node`, whose addresses policies treat apart.
    Node,
    /// `Pod`, at the ends of flows.
    Pod,
    /// `Service`, through which a pod may be named.
    Service,
    /// What makes pods from a template.
    Workload(WorkloadKind),
    /// `NetworkPolicy`, of one namespace.
    NetworkPolicy,
    /// Policies of the cluster as a whole.
    ClusterPolicy(ClusterPolicyKind),
}

/// A kind of workload, whose template stands for its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    /// `Deployment` of `apps/v1`, which makes its pods through `ReplicaSets`.
    Deployment,
    /// `ReplicaSet` of `apps/v1`, most often a Deployment's.
    ReplicaSet,
    /// `StatefulSet` of `apps/v1`, whose pods have names that last.
    StatefulSet,
    /// `DaemonSet` of `apps/v1`, with a pod on each node that it selects.
    DaemonSet,
    /// `Job` of `batch/v1`, whose pods finish.
    Job,
    /// `CronJob` of `batch/v1`, which makes its pods through Jobs.
    CronJob,
    /// `ReplicationController` of `v1`, from before there were `ReplicaSets`.
    ReplicationController,
}

/// Of every API server, in namespaces, and no verdict hangs on it.
const CORE: KindRow = KindRow {
    api_version: "v1",
    former_group: None,
    kind: "",
    plural: "",
    scope: ObjectScope::Namespaced,
    availability: Availability::Always,
    is_decisive: false,
};

const APPS: KindRow = KindRow { api_version: "apps/v1", ..CORE };

const BATCH: KindRow = KindRow { api_version: "batch/v1", ..CORE };

/// What the kinds of policies of the cluster have in common.
const CLUSTER_POLICY: KindRow = KindRow {
    scope: ObjectScope::Cluster,
    availability: Availability::WhereDefined,
    is_decisive: true,
    ..CORE
};

const NAMESPACE: KindRow = KindRow {
    kind: "Namespace",
    plural: "namespaces",
    scope: ObjectScope::Cluster,
    is_decisive: true,
    ..CORE
};

const NODE: KindRow =
    KindRow { kind: "Node", plural: "nodes", scope: ObjectScope::Cluster, ..CORE };

const POD: KindRow = KindRow { kind: "Pod", plural: "pods", is_decisive: true, ..CORE };

const SERVICE: KindRow = KindRow { kind: "Service", plural: "services", ..CORE };

const NETWORK_POLICY: KindRow = KindRow {
    api_version: "networking.k8s.io/v1",
    former_group: Some("extensions"),
    kind: "NetworkPolicy",
    plural: "networkpolicies",
    is_decisive: true,
    ..CORE
};

const DEPLOYMENT: KindRow = KindRow { kind: "Deployment", plural: "deployments", ..APPS };

const REPLICA_SET: KindRow = KindRow { kind: "ReplicaSet", plural: "replicasets", ..APPS };

const STATEFUL_SET: KindRow = KindRow { kind: "StatefulSet", plural: "statefulsets", ..APPS };

const DAEMON_SET: KindRow = KindRow { kind: "DaemonSet", plural: "daemonsets", ..APPS };

const JOB: KindRow = KindRow { kind: "Job", plural: "jobs", ..BATCH };

const CRON_JOB: KindRow = KindRow { kind: "CronJob", plural: "cronjobs", ..BATCH };

const REPLICATION_CONTROLLER: KindRow =
    KindRow { kind: "ReplicationController", plural: "replicationcontrollers", ..CORE };

/// Declares the kinds of cluster policies, each by its row, so that none is left out of `ALL`.
macro_rules! cluster_policy_kinds {
    ($($(#[$doc:meta])* $kind:ident: $row:expr,)+) => {
        /// The kinds of policies that are in no namespace.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ClusterPolicyKind { $($(#[$doc])* $kind,)+ }

        impl ClusterPolicyKind {
            /// Every kind that is evaluated, the one of the latest version first.
            pub const ALL: [Self; [$(stringify!($kind)),+].len()] = [$(Self::$kind),+];

            /// What is to be known of it.
            pub const fn row(self) -> &'static KindRow {
                match self {
                    $(Self::$kind => {
                        const ROW: KindRow = KindRow { kind: stringify!($kind), ..$row };
                        &ROW
                    })+
                }
            }
        }
    };
}

cluster_policy_kinds! {
    /// `v1alpha2`, of either tier.
    ClusterNetworkPolicy: KindRow {
        api_version: "policy.networking.k8s.io/v1alpha2",
        plural: "clusternetworkpolicies",
        ..CLUSTER_POLICY
    },
    /// `v1alpha1`, of the Admin tier.
    AdminNetworkPolicy: KindRow {
        api_version: "policy.networking.k8s.io/v1alpha1",
        plural: "adminnetworkpolicies",
        ..CLUSTER_POLICY
    },
    /// `v1alpha1`, of the Baseline tier.
    BaselineAdminNetworkPolicy: KindRow {
        api_version: "policy.networking.k8s.io/v1alpha1",
        plural: "baselineadminnetworkpolicies",
        ..CLUSTER_POLICY
    },
}

impl ApiKind {
    /// Every kind that is read.
    pub fn all() -> impl Iterator<Item = Self> {
        let plain = [Self::Namespace, Self::Node, Self::Pod, Self::Service];
        let workloads = WorkloadKind::ALL.map(Self::Workload);
        let policies = ClusterPolicyKind::ALL.map(Self::ClusterPolicy);
        plain.into_iter().chain(workloads).chain([Self::NetworkPolicy]).chain(policies)
    }

    /// The kind of an object that says this of itself, whichever version it names.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        Self::all().find(|one| one.row().is(api_version, kind))
    }

    /// The row of the kind in the table.
    pub const fn row(self) -> &'static KindRow {
        match self {
            Self::Namespace => &NAMESPACE,
            Self::Node => &NODE,
            Self::Pod => &POD,
            Self::Service => &SERVICE,
            Self::Workload(kind) => kind.row(),
            Self::NetworkPolicy => &NETWORK_POLICY,
            Self::ClusterPolicy(kind) => kind.row(),
        }
    }

    /// Whether objects of the kind are policies.
    pub const fn is_policy(self) -> bool {
        match self {
            Self::NetworkPolicy | Self::ClusterPolicy(_) => true,
            Self::Namespace | Self::Node | Self::Pod | Self::Service | Self::Workload(_) => false,
        }
    }
}

impl WorkloadKind {
    /// Every kind that is read.
    pub const ALL: [Self; 7] = [
        Self::Deployment,
        Self::ReplicaSet,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::Job,
        Self::CronJob,
        Self::ReplicationController,
    ];

    /// The kind in lower case, as kubectl takes it before a slash and a name.
    pub(crate) fn singular(self) -> String {
        self.row().kind.to_ascii_lowercase()
    }

    /// The row of the kind in the table.
    pub const fn row(self) -> &'static KindRow {
        match self {
            Self::Deployment => &DEPLOYMENT,
            Self::ReplicaSet => &REPLICA_SET,
            Self::StatefulSet => &STATEFUL_SET,
            Self::DaemonSet => &DAEMON_SET,
            Self::Job => &JOB,
            Self::CronJob => &CRON_JOB,
            Self::ReplicationController => &REPLICATION_CONTROLLER,
        }
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.row().kind)
    }
}

impl ClusterPolicyKind {
    /// The kind as the API spells it.
    pub const fn word(self) -> &'static str {
        self.row().kind
    }

    /// The field of a rule that lists its ports.
    pub(crate) fn ports_field(self) -> &'static str {
        match self {
            Self::ClusterNetworkPolicy => "protocols",
            Self::AdminNetworkPolicy | Self::BaselineAdminNetworkPolicy => "ports",
        }
    }
}

/// Kinds of policy, by group and kind, that decide in the networks that know them, and that are not
/// evaluated here.
pub(crate) const NOT_EVALUATED: &[(&str, &str)] = &[
    ("cilium.io", "CiliumNetworkPolicy"),
    ("cilium.io", "CiliumClusterwideNetworkPolicy"),
    ("crd.projectcalico.org", "NetworkPolicy"),
    ("crd.projectcalico.org", "GlobalNetworkPolicy"),
    ("projectcalico.org", "NetworkPolicy"),
    ("projectcalico.org", "GlobalNetworkPolicy"),
    ("crd.antrea.io", "NetworkPolicy"),
    ("crd.antrea.io", "ClusterNetworkPolicy"),
    ("k8s.ovn.org", "EgressFirewall"),
    ("networking.gke.io", "FQDNNetworkPolicy"),
];
