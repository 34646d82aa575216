//! The scope of a fault: everywhere, or only for some subjects or on some paths.

use std::{collections::BTreeSet, fmt};

use super::mutation::{and, labels_aside, mark};
use crate::{
    flow::{End, Flow},
    pod::Pod,
    policy::Policy,
    reference::ObjectRef,
    select::{Requirement, Selector},
    snapshot::Snapshot,
};

/// The part of the cluster in which a fault is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everywhere that policies apply.
    Cluster,
    /// Where the subject runs on this node.
    Node(String),
    /// On these paths, for both sides of a flow.
    Path(Path),
    /// Where the subject is in this namespace.
    Namespace(String),
    /// Where this pod is the subject.
    Pod(ObjectRef),
}

/// A way that packets take between pods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// From a pod to another one on the same node.
    SameNode,
    /// From any node to any other.
    CrossNode,
    /// From one node to one other.
    Between {
        /// The name of the sender's node.
        from: String,
        /// The name of the receiver's node.
        to: String,
    },
}

impl Path {
    /// Whether a flow takes this path. A flow with an end that is no pod, or on no node, takes
    /// none.
    pub(super) fn has(&self, flow: &Flow, snapshot: &Snapshot) -> bool {
        let Some([from, to]) = nodes(flow, snapshot) else { return false };
        match self {
            Self::SameNode => from == to,
            Self::CrossNode => from != to,
            Self::Between { from: one, to: other } => from == one && to == other,
        }
    }
}

/// The nodes of both ends, where they are known.
pub(super) fn nodes<'a>(flow: &Flow, snapshot: &'a Snapshot) -> Option<[&'a str; 2]> {
    let node = |end| match end {
        End::Pod(id) => snapshot.pod(id).node.as_deref(),
        End::Address(_) => None,
    };
    Some([node(flow.from)?, node(flow.to)?])
}

/// The scopes that a flow is in, beside the whole: of its ends, and of its path.
pub(super) fn scopes(flow: &Flow, snapshot: &Snapshot) -> BTreeSet<Scope> {
    let of = |pod: &Pod| {
        let node = pod.node.clone().map(Scope::Node);
        let namespace = Scope::Namespace(pod.name.namespace.clone());
        [node, Some(namespace), Some(Scope::Pod(pod.name.clone()))].into_iter().flatten()
    };
    let ends = [flow.from, flow.to].into_iter().filter_map(|end| match end {
        End::Pod(id) => Some(snapshot.pod(id)),
        End::Address(_) => None,
    });
    let paths = nodes(flow, snapshot).map(|[from, to]| {
        let class = if from == to { Path::SameNode } else { Path::CrossNode };
        let between = Path::Between { from: from.to_owned(), to: to.to_owned() };
        let is_one = from == to;
        [Some(class), (!is_one).then_some(between)].into_iter().flatten().map(Scope::Path)
    });
    ends.flat_map(of).chain(paths.into_iter().flatten()).collect()
}

impl Scope {
    /// How much there is to say of the scope: of two that explain the same, the lesser is named.
    pub(super) fn simplicity(&self) -> u8 {
        match self {
            Self::Cluster => 0,
            Self::Node(_) => 1,
            Self::Path(_) => 2,
            Self::Namespace(_) => 3,
            Self::Pod(_) => 4,
        }
    }

    /// The path, if the scope is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Cluster | Self::Node(_) | Self::Namespace(_) | Self::Pod(_) => None,
        }
    }

    /// The snapshot that is `after` for subjects in this scope, and `before` for all others. A path
    /// is no matter of subjects, and is left to the caller.
    pub fn restrict(&self, before: &Snapshot, after: Snapshot) -> Snapshot {
        match self {
            Self::Cluster | Self::Path(_) => after,
            Self::Node(node) => restrict(before, after, |pod| pod.node.as_ref() == Some(node)),
            Self::Namespace(one) => restrict(before, after, |pod| pod.name.namespace == *one),
            Self::Pod(name) => restrict(before, after, |pod| pod.name == *name),
        }
    }
}

/// The policies of both snapshots, each for its own subjects.
fn restrict(before: &Snapshot, after: Snapshot, is_inside: impl Fn(&Pod) -> bool) -> Snapshot {
    let mut mixed = labels_aside(before, after);
    let side = |inside: bool| if inside { "in" } else { "out" }.to_owned();
    let key = mark(&mut mixed, "scope", |pod| Some(side(is_inside(pod))));
    let only = |subjects: &Selector, inside: bool| {
        and(subjects, [Requirement::In(key.clone(), [side(inside)].into())])
    };
    let all = [(&before.policies, false), (&mixed.policies, true)];
    let policies = all
        .into_iter()
        .flat_map(|(policies, inside)| policies.iter().map(move |policy| (policy, inside)));
    let policies = policies
        .map(|(policy, inside)| Policy {
            subjects: only(&policy.subjects, inside),
            ..policy.clone()
        })
        .collect();
    if before.cluster_policies != mixed.cluster_policies {
        let all = [(&before.cluster_policies, false), (&mixed.cluster_policies, true)];
        let split = all.into_iter().flat_map(|(policies, inside)| {
            policies.iter().cloned().map(move |policy| (policy, inside))
        });
        mixed.cluster_policies = split
            .map(|(mut policy, inside)| {
                policy.subjects.pods = only(&policy.subjects.pods, inside);
                policy
            })
            .collect();
    }
    mixed.policies = policies;
    mixed
}

/// The place in words, to be followed by "only".
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("everywhere"),
            Self::Node(node) => write!(f, "on node {node}"),
            Self::Path(Path::SameNode) => f.write_str("between pods of one node"),
            Self::Path(Path::CrossNode) => f.write_str("between pods of different nodes"),
            Self::Path(Path::Between { from, to }) => write!(f, "from node {from} to node {to}"),
            Self::Namespace(namespace) => write!(f, "for pods of namespace {namespace}"),
            Self::Pod(name) => write!(f, "for pod {name}"),
        }
    }
}
