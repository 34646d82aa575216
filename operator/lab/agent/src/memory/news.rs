//! How one world differs from another, object by object.

use crate::{
    policy::Policy,
    world::{Namespace, ObjectName, Pod, Table, World},
};

/// The new state of one object; `None` if it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    Pod(ObjectName, Option<Pod>),
    Namespace(ObjectName, Option<Namespace>),
    Policy(ObjectName, Option<Policy>),
}

/// The kinds of objects that a world holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Pod,
    Namespace,
    Policy,
}

impl News {
    /// The kind and name of the object.
    pub(super) fn object(&self) -> (Kind, &ObjectName) {
        match self {
            Self::Pod(name, _) => (Kind::Pod, name),
            Self::Namespace(name, _) => (Kind::Namespace, name),
            Self::Policy(name, _) => (Kind::Policy, name),
        }
    }
}

/// The news that turns one world into the other. Pods come before the namespaces that they are in.
pub(super) fn news(before: &World, after: &World) -> Vec<News> {
    let pods = changes(&before.pods, &after.pods).map(|(name, pod)| News::Pod(name, pod));
    let namespaces = changes(&before.namespaces, &after.namespaces)
        .map(|(name, namespace)| News::Namespace(name, namespace));
    let policies =
        changes(&before.policies, &after.policies).map(|(name, policy)| News::Policy(name, policy));
    pods.chain(namespaces).chain(policies).collect()
}

fn changes<'a, T: Clone + PartialEq>(
    before: &'a Table<T>,
    after: &'a Table<T>,
) -> impl Iterator<Item = (ObjectName, Option<T>)> + 'a {
    let gone = before.keys().filter(|name| !after.contains_key(name)).map(|name| (name, None));
    let new = after.iter().filter(|(name, object)| before.get(name) != Some(object));
    gone.chain(new.map(|(name, object)| (name, Some(object))))
        .map(|(name, object)| (name.clone(), object.cloned()))
}
