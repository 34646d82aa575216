//! The objects of a scene as the policy agent follows them: parsed by the agent's own code, and
//! told as changes.

use std::error::Error as AnyError;

use k8s_openapi::api::{core::v1, networking::v1::NetworkPolicy};
use netproof_policy_agent::{
    error::Invalid,
    policy::Policy,
    watch::{Change, Update},
    world::{Namespace, ObjectName, Pod, Table},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use super::scene::Scene;

/// An object that an API server may store and the policy agent does not read, such as a block in an
/// odd spelling.
#[derive(Debug, Error)]
#[error("the policy agent cannot read {kind} {name}")]
pub struct UnreadableObject {
    kind: &'static str,
    name: String,
    source: Box<dyn AnyError + Send + Sync>,
}

/// All objects that decide, as the agent reads them.
pub struct AgentObjects {
    pods: Table<Pod>,
    namespaces: Table<Namespace>,
    policies: Table<Policy>,
}

impl AgentObjects {
    /// The objects of a scene; an error if the agent cannot read one of them.
    pub fn of(scene: &Scene) -> anyhow::Result<Self> {
        let pods = scene.pods.iter().map(|pod| &pod.object);
        Ok(Self {
            pods: table(pods, "Pod", Pod::parse)?,
            namespaces: table(&scene.objects, "Namespace", |object: v1::Namespace| {
                Namespace::parse(object).map(Some)
            })?,
            policies: table(&scene.objects, "NetworkPolicy", |object: NetworkPolicy| {
                Policy::parse(object).map(Some)
            })?,
        })
    }

    /// A complete list of each kind: how an agent begins.
    pub fn listed(self) -> [Update; 3] {
        [
            Update::Namespaces(Change::Listed(self.namespaces)),
            Update::Pods(Change::Listed(self.pods)),
            Update::Policies(Change::Listed(self.policies)),
        ]
    }

    /// The changes that turn these objects into those of `to`.
    pub fn changes_to(self, to: Self) -> Vec<Update> {
        let namespaces = changes(self.namespaces, to.namespaces).map(Update::Namespaces);
        let pods = changes(self.pods, to.pods).map(Update::Pods);
        let policies = changes(self.policies, to.policies).map(Update::Policies);
        namespaces.chain(pods).chain(policies).collect()
    }
}

fn changes<T: PartialEq>(from: Table<T>, to: Table<T>) -> impl Iterator<Item = Change<T>> {
    let gone: Vec<ObjectName> =
        from.keys().filter(|name| !to.contains_key(name)).cloned().collect();
    let put = to.into_iter().filter(move |(name, object)| from.get(name) != Some(object));
    let removed = gone.into_iter().map(Change::Removed);
    removed.chain(put.map(|(name, object)| Change::Put(name, object)))
}

fn table<'a, K: DeserializeOwned, T>(
    objects: impl IntoIterator<Item = &'a Value>,
    kind: &'static str,
    parse: impl Fn(K) -> Result<Option<T>, Invalid>,
) -> anyhow::Result<Table<T>> {
    let of_kind = objects.into_iter().filter(|object| object["kind"] == kind);
    let mut table = Table::new();
    for object in of_kind {
        let metadata = serde_json::from_value(object["metadata"].clone())?;
        let name = ObjectName::of(&metadata);
        let unreadable = |source| UnreadableObject { kind, name: name.name.clone(), source };
        let read: K =
            serde_json::from_value(object.clone()).map_err(|error| unreadable(error.into()))?;
        let parsed = parse(read).map_err(|error| unreadable(error.into()))?;
        table.extend(parsed.map(|parsed| (name, parsed)));
    }
    Ok(table)
}
