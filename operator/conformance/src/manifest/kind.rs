//! Decides by an object's kind whether it is read, skipped, or must not be overlooked.

use std::collections::BTreeSet;

use super::{Header, metadata::ManifestMetadata, suggestion::is_slip};
use crate::kinds::{ApiKind, Availability, KindRow, NOT_EVALUATED, WorkloadKind, group};

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// The object decides something, and is of a version that is read.
    Read(ApiKind),
    /// The object is a policy in a version that cannot be read; this one can.
    Refused(&'static str),
    /// The object is of a kind that is read, in a version that is not; this one is.
    Outdated(&'static str),
    /// The object is of no kind that there is, and was meant to be of this one.
    Misspelt(ReadKind),
    /// The object is a policy of a kind that is not evaluated.
    NotEvaluated,
    /// The object decides nothing, and is counted.
    Skipped,
}

impl Treatment {
    /// What becomes of an object of this `apiVersion` and kind.
    pub(super) fn of(api_version: &str, kind: &str) -> Self {
        let group = group(api_version);
        if let Some(known) = ApiKind::all().find(|known| is_of(*known, group, kind)) {
            let row = known.row();
            return if row.api_version == api_version {
                Self::Read(known)
            } else if known.is_policy() {
                Self::Refused(row.api_version)
            } else {
                Self::Outdated(row.api_version)
            };
        }
        if NOT_EVALUATED.contains(&(group, kind)) {
            return Self::NotEvaluated;
        }
        if let Some(known) = ApiKind::all().find(|known| is_almost(*known, group, kind)) {
            let row = known.row();
            return Self::Misspelt(ReadKind { api_version: row.api_version, kind: row.kind });
        }
        // A policy of another group, which a network may know.
        let is_policy = ApiKind::all().any(|known| known.is_policy() && known.row().kind == kind);
        if is_policy { Self::NotEvaluated } else { Self::Skipped }
    }
}

/// A kind that is read, with its API version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadKind {
    api_version: &'static str,
    kind: &'static str,
}

impl ReadKind {
    /// The first field of a header that differs, how, and what it should be.
    pub(super) fn difference(self, header: &Header) -> (&'static str, String, &'static str) {
        if header.kind == self.kind {
            ("apiVersion", header.api_version.clone(), self.api_version)
        } else {
            ("kind", header.kind.clone(), self.kind)
        }
    }
}

/// Whether the kind has this name and is, or was, in this group.
fn is_of(known: ApiKind, of_group: &str, kind: &str) -> bool {
    let row = known.row();
    row.kind == kind && (row.group() == of_group || row.former_group == Some(of_group))
}

/// Whether the kind or its group is a slip of the hand for one that is read. A kind that has its
/// name in another group is one as well, if that group is one of Kubernetes itself, which have no
/// such kind; but for `extensions`, where workloads were once.
fn is_almost(known: ApiKind, of_group: &str, kind: &str) -> bool {
    let row = known.row();
    let home = row.group();
    let is_kind = row.kind == kind;
    let is_like_kind = is_kind || is_slip(kind, row.kind) || is_plural(kind, row.kind);
    let is_of_kubernetes = of_group != "extensions"
        && (!of_group.contains('.') || of_group.ends_with(".k8s.io") || of_group == "k8s.io");
    let is_like_group = home == of_group || (!home.is_empty() && is_slip(of_group, home));
    (is_like_kind && is_like_group)
        || (is_of_kubernetes && (is_kind || (known.is_policy() && is_like_kind)))
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
    // An API server is asked for the kinds that every cluster has anyway.
    let rows = ApiKind::all().filter(|kind| kind.is_policy()).map(ApiKind::row);
    let read = rows.filter(|row| match row.availability {
        Availability::Always => false,
        Availability::WhereDefined => true,
    });
    let foreign = NOT_EVALUATED.iter().map(|(group, _)| *group);
    let all: BTreeSet<&'static str> = read.map(KindRow::group).chain(foreign).collect();
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

/// The workload that controls an object of its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) kind: WorkloadKind,
    pub(super) name: String,
}

impl Owner {
    /// The controller of an object, if it is one of the workloads that we read.
    pub(super) fn of(metadata: &ManifestMetadata) -> Option<Self> {
        let controller = metadata.owner_references.iter().find(|owner| owner.controller)?;
        match Treatment::of(&controller.api_version, &controller.kind) {
            Treatment::Read(ApiKind::Workload(kind)) => {
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
