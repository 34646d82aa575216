//! What the operator knows of the cluster, as one picture that only ever moves forward.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use kube::{ResourceExt, api::DynamicObject};
use netproof_conformance::{
    policy::{
        Policy,
        cluster::{ClusterPolicy, ClusterPolicyKind},
    },
    reference::ObjectRef,
    snapshot::Revision,
};
use tracing::warn;

use crate::{
    change::{Blind, ObjectChange},
    decode::{self, NamespaceState, NodeState, PodState, Template},
    journal::{Journal, Touched},
    kind::Kind,
};

/// Without a sign of life for this long, what is known of a kind is too old to judge by. Bookmarks
/// come about every minute, so that two are missing then.
pub const STALE_AFTER: Duration = Duration::from_secs(130);

/// An object as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Read<T> {
    /// Its `metadata.resourceVersion`, to be compared for equality alone.
    pub version: String,
    /// Its decoded form; or why it was not understood, for people.
    pub meaning: Result<T, String>,
}

/// The objects of a kind by name; a cluster-scoped object has an empty namespace.
pub type ObjectMap<T> = BTreeMap<ObjectRef, Read<T>>;

/// A picture of what is known of the cluster. Cloning it copies no objects.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// A number that grows with each change.
    pub revision: Revision,
    /// The changes of what policies mean, one after the other.
    pub journal: Arc<Journal>,
    /// Every `NetworkPolicy` of the cluster.
    pub policies: Arc<ObjectMap<Policy>>,
    /// The policies of the cluster as a whole, by kind.
    pub cluster_policies: BTreeMap<ClusterPolicyKind, Arc<ObjectMap<ClusterPolicy>>>,
    /// Every Namespace of the cluster.
    pub namespaces: Arc<ObjectMap<NamespaceState>>,
    /// Every Node of the cluster.
    pub nodes: Arc<ObjectMap<NodeState>>,
    /// The UID of each test.
    pub tests: Arc<ObjectMap<String>>,
    /// The owners of stand-ins, and the tests that they belong to.
    pub stand_in_sets: Arc<ObjectMap<decode::SetState>>,
    /// The pods with the label of stand-ins.
    pub stand_ins: Arc<ObjectMap<PodState>>,
    /// The pod templates of Deployments.
    pub deployments: Arc<ObjectMap<Template>>,
    /// The pod templates of `StatefulSets`.
    pub stateful_sets: Arc<ObjectMap<Template>>,
    /// The pod templates of `DaemonSets`.
    pub daemon_sets: Arc<ObjectMap<Template>>,
    /// The kinds that have been read completely at least once.
    pub complete: BTreeSet<Kind>,
    /// When each kind last gave a sign of life.
    pub alive: BTreeMap<Kind, Instant>,
    /// Why a kind cannot be followed at the moment; a kind that is followed is missing.
    pub blind: BTreeMap<Kind, Blind>,
}

impl World {
    /// A complete picture of exactly these objects.
    pub fn of(objects: impl IntoIterator<Item = (Kind, DynamicObject)>) -> Self {
        let mut by_kind: BTreeMap<Kind, Vec<DynamicObject>> =
            Kind::all().map(|kind| (kind, Vec::new())).collect();
        for (kind, object) in objects {
            by_kind.entry(kind).or_default().push(object);
        }
        let mut world = Self::default();
        for (kind, objects) in by_kind {
            world.take(kind, ObjectChange::Reset(objects));
        }
        world
    }

    /// Why nothing can be judged by this picture of a kind; none if it is complete and recent.
    pub fn stale(&self, kind: Kind, now: Instant) -> Option<String> {
        let age = self.alive.get(&kind).map(|alive| now.saturating_duration_since(*alive));
        let why = self.blind.get(&kind).map(|why| format!(": {why}")).unwrap_or_default();
        match age {
            _ if !self.complete.contains(&kind) => {
                Some(format!("{} have not been read yet{why}", kind.word()))
            }
            Some(age) if age <= STALE_AFTER => None,
            _ => Some(format!(
                "nothing was heard of {} for over {} s{why}",
                kind.word(),
                STALE_AFTER.as_secs()
            )),
        }
    }

    /// Why nothing can be judged at all; none if all decisive kinds are complete and recent.
    pub fn blindness(&self, now: Instant) -> Option<String> {
        Kind::decisive().find_map(|kind| self.stale(kind, now))
    }

    /// The `NetworkPolicies` that were understood.
    pub fn understood_policies(&self) -> Vec<&Policy> {
        self.policies.values().filter_map(|read| read.meaning.as_ref().ok()).collect()
    }

    /// The namespace of this name, if it is there and was understood.
    pub fn namespace(&self, name: &str) -> Option<&NamespaceState> {
        let name = ObjectRef { namespace: String::new(), name: name.into() };
        self.namespaces.get(&name)?.meaning.as_ref().ok()
    }

    /// Whether a namespace is known to be going: nothing new can be made in it.
    pub fn is_going(&self, namespace: &str) -> bool {
        self.namespace(namespace).is_some_and(|state| state.terminating)
    }

    /// How many objects of a kind were not understood.
    pub fn rejected(&self, kind: Kind) -> usize {
        fn count<T>(objects: &ObjectMap<T>) -> usize {
            objects.values().filter(|read| read.meaning.is_err()).count()
        }
        match kind {
            Kind::NetworkPolicies => count(&self.policies),
            Kind::ClusterPolicies(kind) => {
                self.cluster_policies.get(&kind).map_or(0, |objects| count(objects))
            }
            Kind::Namespaces => count(&self.namespaces),
            Kind::Nodes => count(&self.nodes),
            Kind::Tests => count(&self.tests),
            Kind::StandInSets => count(&self.stand_in_sets),
            Kind::StandIns => count(&self.stand_ins),
            Kind::Deployments => count(&self.deployments),
            Kind::StatefulSets => count(&self.stateful_sets),
            Kind::DaemonSets => count(&self.daemon_sets),
        }
    }

    /// Takes a change over. Returns whether a reader may want to know of it.
    pub fn take(&mut self, kind: Kind, change: ObjectChange) -> bool {
        match &change {
            ObjectChange::Blind(why) => {
                self.blind.insert(kind, why.clone());
            }
            ObjectChange::Reset(_) => {
                self.complete.insert(kind);
                self.revive(kind);
            }
            ObjectChange::Applied(_) | ObjectChange::Deleted(_) | ObjectChange::Alive => {
                self.revive(kind);
            }
        }
        let touched = touched(kind, &change);
        let is_list = matches!(change, ObjectChange::Reset(_));
        let news = self.store(kind, change);
        if news && let Some(touched) = touched {
            let journal = Arc::make_mut(&mut self.journal);
            if is_list {
                journal.note_gap();
            } else {
                journal.note(touched);
            }
        }
        news
    }

    fn store(&mut self, kind: Kind, change: ObjectChange) -> bool {
        match kind {
            Kind::NetworkPolicies => store(&mut self.policies, change, decode::policy),
            Kind::ClusterPolicies(kind) => {
                let objects = self.cluster_policies.entry(kind).or_default();
                store(objects, change, |object| decode::cluster_policy(kind, object))
            }
            Kind::Namespaces => store(&mut self.namespaces, change, decode::namespace),
            Kind::Nodes => store(&mut self.nodes, change, decode::node),
            Kind::Tests => store(&mut self.tests, change, decode::uid),
            Kind::StandInSets => store(&mut self.stand_in_sets, change, decode::stand_in_set),
            Kind::StandIns => store(&mut self.stand_ins, change, decode::pod),
            Kind::Deployments => store(&mut self.deployments, change, decode::template),
            Kind::StatefulSets => store(&mut self.stateful_sets, change, decode::template),
            Kind::DaemonSets => store(&mut self.daemon_sets, change, decode::template),
        }
    }

    fn revive(&mut self, kind: Kind) {
        self.blind.remove(&kind);
        self.alive.insert(kind, Instant::now());
    }
}

/// The flows that a change may concern. None if no flow is decided by the kind, or if the change is
/// about no object. Nodes decide by their addresses alone, which they keep.
fn touched(kind: Kind, change: &ObjectChange) -> Option<Touched> {
    let named = match change {
        ObjectChange::Reset(_) => None,
        ObjectChange::Applied(object) | ObjectChange::Deleted(object) => Some(name_of(object)),
        ObjectChange::Alive | ObjectChange::Blind(_) => return None,
    };
    match kind {
        Kind::NetworkPolicies => {
            Some(named.map_or(Touched::Everything, |name| Touched::Namespace(name.namespace)))
        }
        Kind::Namespaces => {
            Some(named.map_or(Touched::Everything, |name| Touched::Namespace(name.name)))
        }
        Kind::ClusterPolicies(_) => Some(Touched::Everything),
        Kind::Nodes
        | Kind::Tests
        | Kind::StandInSets
        | Kind::StandIns
        | Kind::Deployments
        | Kind::StatefulSets
        | Kind::DaemonSets => None,
    }
}

/// Takes a change over. Returns whether a reader may want to know of it: a new version of an object
/// with the same meaning is no news.
fn store<T: Clone + PartialEq>(
    objects: &mut Arc<ObjectMap<T>>,
    change: ObjectChange,
    meaning: impl Fn(&DynamicObject) -> Result<T, String>,
) -> bool {
    let read = |object: &DynamicObject| {
        let meaning = meaning(object);
        if let Err(error) = &meaning {
            warn!(object = %name_of(object), %error, "Object not understood");
        }
        Read { version: object.resource_version().unwrap_or_default(), meaning }
    };
    match change {
        ObjectChange::Reset(all) => {
            *objects = Arc::new(all.iter().map(|object| (name_of(object), read(object))).collect());
            true
        }
        ObjectChange::Applied(object) => {
            let new = read(&object);
            let old = Arc::make_mut(objects).insert(name_of(&object), new.clone());
            old.is_none_or(|old| old.meaning != new.meaning)
        }
        ObjectChange::Deleted(object) => Arc::make_mut(objects).remove(&name_of(&object)).is_some(),
        ObjectChange::Alive | ObjectChange::Blind(_) => true,
    }
}

fn name_of(object: &DynamicObject) -> ObjectRef {
    ObjectRef { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
