//! The table of kinds: what is read, what is skipped, and what must not be overlooked.

use std::fmt;

use super::metadata::Metadata;

/// A kind that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Namespace,
    Node,
    Pod,
    Service,
    Workload(WorkloadKind),
    NetworkPolicy,
}

/// A kind of workload, whose template stands for its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    /// `apps/v1`
    Deployment,
    /// `apps/v1`
    ReplicaSet,
    /// `apps/v1`
    StatefulSet,
    /// `apps/v1`
    DaemonSet,
    /// `batch/v1`
    Job,
    /// `batch/v1`
    CronJob,
    /// `v1`
    ReplicationController,
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Deployment => "Deployment",
            Self::ReplicaSet => "ReplicaSet",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::ReplicationController => "ReplicationController",
        })
    }
}

impl WorkloadKind {
    /// The kind in lower case, as kubectl takes it before a slash and a name.
    pub(super) fn resource(self) -> String {
        self.to_string().to_ascii_lowercase()
    }
}

/// Everything that is read: `apiVersion`, kind, and what it is.
const READ: &[(&str, &str, Kind)] = &[
    ("v1", "Namespace", Kind::Namespace),
    ("v1", "Node", Kind::Node),
    ("v1", "Pod", Kind::Pod),
    ("v1", "Service", Kind::Service),
    ("apps/v1", "Deployment", Kind::Workload(WorkloadKind::Deployment)),
    ("apps/v1", "ReplicaSet", Kind::Workload(WorkloadKind::ReplicaSet)),
    ("apps/v1", "StatefulSet", Kind::Workload(WorkloadKind::StatefulSet)),
    ("apps/v1", "DaemonSet", Kind::Workload(WorkloadKind::DaemonSet)),
    ("batch/v1", "Job", Kind::Workload(WorkloadKind::Job)),
    ("batch/v1", "CronJob", Kind::Workload(WorkloadKind::CronJob)),
    ("v1", "ReplicationController", Kind::Workload(WorkloadKind::ReplicationController)),
    ("networking.k8s.io/v1", "NetworkPolicy", Kind::NetworkPolicy),
];

/// Kinds of policy that are read in one version only: group, kind and that version. In any other
/// one they could decide, and mean something that we do not know.
const ONLY_IN: &[(&str, &str, &str)] = &[
    ("networking.k8s.io", "NetworkPolicy", "networking.k8s.io/v1"),
    ("extensions", "NetworkPolicy", "networking.k8s.io/v1"),
];

/// Kinds of policy that decide, in the networks that know them, and that are not evaluated here.
const NOT_EVALUATED: &[(&str, &str)] = &[
    ("policy.networking.k8s.io", "AdminNetworkPolicy"),
    ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy"),
    ("policy.networking.k8s.io", "ClusterNetworkPolicy"),
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

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// It is read.
    Read(Kind),
    /// It is a policy in a version that we cannot read; this one we can.
    Refused(&'static str),
    /// It is a policy of a kind that is not evaluated.
    NotEvaluated,
    /// It decides nothing.
    Skipped,
}

impl Treatment {
    /// What becomes of an object of this `apiVersion` and kind.
    pub(super) fn of(api_version: &str, kind: &str) -> Self {
        let is = |one: &&(&str, &str, Kind)| one.0 == api_version && one.1 == kind;
        if let Some((_, _, kind)) = READ.iter().find(is) {
            return Self::Read(*kind);
        }
        let group = group(api_version);
        if let Some((_, _, known)) = ONLY_IN.iter().find(|one| one.0 == group && one.1 == kind) {
            return Self::Refused(known);
        }
        if NOT_EVALUATED.contains(&(group, kind)) { Self::NotEvaluated } else { Self::Skipped }
    }
}

/// The API groups that have policies beside the one of `NetworkPolicy`, for whoever asks a cluster
/// which of them it serves.
pub fn policy_groups() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    NOT_EVALUATED.iter().filter_map(move |(group, _)| {
        let is_new = *group != last;
        last = group;
        is_new.then_some(*group)
    })
}

/// Whether objects of this kind are read, or their absence from what is read has to be told.
pub fn matters(api_version: &str, kind: &str) -> bool {
    Treatment::of(api_version, kind) != Treatment::Skipped
}

/// Whether objects of this kind are read.
pub fn reads(api_version: &str, kind: &str) -> bool {
    matches!(Treatment::of(api_version, kind), Treatment::Read(_))
}

/// A kind with its group, as kubectl writes it: `Deployment.apps`, `Pod`.
pub(super) fn with_group(api_version: &str, kind: &str) -> String {
    match group(api_version) {
        "" => kind.to_owned(),
        group => format!("{kind}.{group}"),
    }
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The workload that controls an object of its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) kind: WorkloadKind,
    pub(super) name: String,
}

impl Owner {
    /// The controller of an object, if it is one of the workloads that we read.
    pub(super) fn of(metadata: &Metadata) -> Option<Self> {
        let controller = metadata.owner_references.iter().find(|owner| owner.controller)?;
        match Treatment::of(&controller.api_version, &controller.kind) {
            Treatment::Read(Kind::Workload(kind)) => {
                Some(Self { kind, name: controller.name.clone() })
            }
            Treatment::Read(_)
            | Treatment::Refused(_)
            | Treatment::NotEvaluated
            | Treatment::Skipped => None,
        }
    }
}
