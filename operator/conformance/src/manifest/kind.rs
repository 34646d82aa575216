//! The table of kinds: what is read, what is skipped, and what must not be overlooked.

use std::{collections::BTreeSet, fmt};

use super::{Header, fields::is_slip, metadata::Metadata};
use crate::policy::cluster::ClusterPolicyKind;

/// A kind that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Namespace,
    Node,
    Pod,
    Service,
    Workload(WorkloadKind),
    NetworkPolicy,
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
    (
        "policy.networking.k8s.io/v1alpha2",
        "ClusterNetworkPolicy",
        Kind::ClusterPolicy(ClusterPolicyKind::ClusterNetworkPolicy),
    ),
    (
        "policy.networking.k8s.io/v1alpha1",
        "AdminNetworkPolicy",
        Kind::ClusterPolicy(ClusterPolicyKind::AdminNetworkPolicy),
    ),
    (
        "policy.networking.k8s.io/v1alpha1",
        "BaselineAdminNetworkPolicy",
        Kind::ClusterPolicy(ClusterPolicyKind::BaselineAdminNetworkPolicy),
    ),
];

/// Kinds of policy that are read in one version only: group, kind and that version. In any other
/// one they could decide, and mean something that we do not know.
const ONLY_IN: &[(&str, &str, &str)] = &[
    ("networking.k8s.io", "NetworkPolicy", "networking.k8s.io/v1"),
    ("extensions", "NetworkPolicy", "networking.k8s.io/v1"),
    ("policy.networking.k8s.io", "ClusterNetworkPolicy", "policy.networking.k8s.io/v1alpha2"),
    ("policy.networking.k8s.io", "AdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1"),
    ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1"),
];

/// Kinds of policy that decide, in the networks that know them, and that are not evaluated here.
const NOT_EVALUATED: &[(&str, &str)] = &[
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
    /// The object decides something, and is of a version that is read.
    Read(Kind),
    /// It is a policy in a version that we cannot read; this one we can.
    Refused(&'static str),
    /// It is of a kind that is read, in a version that is not; this one is.
    Outdated(&'static str),
    /// It is of no kind that there is, and was meant to be of this one.
    Misspelt(Known),
    /// It is a policy of a kind that is not evaluated.
    NotEvaluated,
    /// The object decides nothing, and is counted.
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
        if NOT_EVALUATED.contains(&(group, kind)) {
            return Self::NotEvaluated;
        }
        if let Some((known, _, _)) = READ.iter().find(|one| is_of(one, group, kind)) {
            return Self::Outdated(known);
        }
        if let Some((api_version, kind, _)) = READ.iter().find(|one| is_almost(one, group, kind)) {
            return Self::Misspelt(Known { api_version, kind });
        }
        // Somebody else's, which this group's own network may know.
        if POLICIES.contains(&kind) { Self::NotEvaluated } else { Self::Skipped }
    }
}

/// A kind that is read, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    api_version: &'static str,
    kind: &'static str,
}

impl Known {
    /// The first field of a header that differs, how, and what it should be.
    pub(super) fn difference(self, header: &Header) -> (&'static str, String, &'static str) {
        if header.kind == self.kind {
            ("apiVersion", header.api_version.clone(), self.api_version)
        } else {
            ("kind", header.kind.clone(), self.kind)
        }
    }
}

/// The kinds of policy that are read, by their names alone.
const POLICIES: [&str; 4] =
    ["NetworkPolicy", "ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"];

fn is_of(read: &(&str, &str, Kind), of_group: &str, kind: &str) -> bool {
    let (api_version, known, _) = read;
    group(api_version) == of_group && *known == kind
}

/// Whether the kind or its group is a slip of the hand for one that is read. A kind that has its
/// name in another group is one as well, if that group is one of Kubernetes itself, which have no
/// such kind; but for `extensions`, where workloads were once.
fn is_almost(read: &(&str, &str, Kind), of_group: &str, kind: &str) -> bool {
    let (api_version, known, _) = read;
    let home = group(api_version);
    let is_policy = POLICIES.contains(known);
    let is_kind = *known == kind;
    let is_like_kind = is_kind || is_slip(kind, known) || is_plural(kind, known);
    let is_of_kubernetes = of_group != "extensions"
        && (!of_group.contains('.') || of_group.ends_with(".k8s.io") || of_group == "k8s.io");
    let is_like_group = home == of_group || (!home.is_empty() && is_slip(of_group, home));
    (is_like_kind && is_like_group)
        || (is_of_kubernetes && (is_kind || (is_policy && is_like_kind)))
}

fn is_plural(word: &str, of: &str) -> bool {
    let (word, of) = (word.to_ascii_lowercase(), of.to_ascii_lowercase());
    of.strip_suffix('y').is_some_and(|stem| word == format!("{stem}ies"))
        || word == format!("{of}s")
}

/// The API groups that have policies beside the one of `NetworkPolicy`, for whoever asks a cluster
/// which of them it serves.
///
/// ```
/// let mut groups = netproof_conformance::manifest::policy_groups();
/// assert!(groups.any(|group| group == "policy.networking.k8s.io"));
/// ```
pub fn policy_groups() -> impl Iterator<Item = &'static str> {
    let read = ONLY_IN.iter().map(|(group, _, _)| *group).filter(|group| {
        // Asked for anyway, or long gone from all clusters.
        !["networking.k8s.io", "extensions"].contains(group)
    });
    let all: BTreeSet<&'static str> =
        read.chain(NOT_EVALUATED.iter().map(|(group, _)| *group)).collect();
    all.into_iter()
}

/// Whether objects of this kind are read, or their absence from what is read has to be told.
///
/// ```
/// use netproof_conformance::manifest::{matters, reads};
///
/// assert!(reads("networking.k8s.io/v1", "NetworkPolicy"));
/// // Not evaluated, and no answer is complete where there is one.
/// assert!(matters("cilium.io/v2", "CiliumNetworkPolicy"));
/// assert!(!reads("cilium.io/v2", "CiliumNetworkPolicy"));
/// assert!(!matters("v1", "ConfigMap"));
/// ```
pub fn matters(api_version: &str, kind: &str) -> bool {
    Treatment::of(api_version, kind) != Treatment::Skipped
}

/// Whether objects of this kind are read.
pub fn reads(api_version: &str, kind: &str) -> bool {
    matches!(Treatment::of(api_version, kind), Treatment::Read(_))
}

/// Whether objects of this kind with its group, such as `Deployment.extensions`, are workloads in
/// the group that had them before `apps`.
pub fn was_once_read(kind: &str) -> bool {
    let workload = kind.strip_suffix(".extensions");
    workload.is_some_and(|kind| reads("apps/v1", kind))
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
            | Treatment::Outdated(_)
            | Treatment::Misspelt(_)
            | Treatment::NotEvaluated
            | Treatment::Skipped => None,
        }
    }
}
