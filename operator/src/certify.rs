//! Asks the API server whether the World is up to date before a Leak or Blocked is reported: a
//! watch that lags must not turn into a verdict.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

use k8s_openapi::api::{core::v1::Namespace, networking::v1::NetworkPolicy};
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams, PartialObjectMeta},
};
use netproof_conformance::{
    kinds::{ClusterPolicyKind, KindRow},
    reference::ObjectRef,
};

use crate::{
    backoff::{Backoff, Rest},
    presence::{Presence, definition, presence},
};
use netproof_rounds::world::{ObjectMap, World};

/// What the API server says of a World.
#[derive(Debug)]
pub enum Certificate {
    /// The World has the versions that the API server has.
    Confirmed,
    /// The API server has other versions, or cannot be asked for a kind.
    Behind,
    /// A request to the API server failed.
    Failed(kube::Error),
    /// Nothing was asked: the last answer was no confirmation, and its delay is not over.
    Paused,
}

/// Asks the API server on behalf of one test. After an answer that is no confirmation it waits,
/// from about 200 ms up to 15 s, before it asks again.
pub struct Certifier(Mutex<Rest>);

impl Default for Certifier {
    fn default() -> Self {
        let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(15));
        Self(Mutex::new(Rest::new(backoff)))
    }
}

impl Certifier {
    /// Asks whether `world` is up to date in these namespaces, unless the last delay is not over.
    /// Returns at once in that case. It has no deadline of its own beside the client's.
    pub async fn certify(
        &self,
        world: &World,
        client: &Client,
        namespaces: &BTreeSet<String>,
    ) -> Certificate {
        if self.rest().until().is_some() {
            return Certificate::Paused;
        }
        let said = match certify(world, client, namespaces).await {
            Ok(true) => {
                self.rest().end();
                return Certificate::Confirmed;
            }
            Ok(false) => Certificate::Behind,
            Err(error) => Certificate::Failed(error),
        };
        self.rest().begin();
        said
    }

    fn rest(&self) -> std::sync::MutexGuard<'_, Rest> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}

/// Whether the API server has the same versions as `world`: of the policies in these namespaces, of
/// all cluster-wide policies, and of these namespaces themselves. All are quorum reads.
pub async fn certify(
    world: &World,
    client: &Client,
    namespaces: &BTreeSet<String>,
) -> Result<bool, kube::Error> {
    let mut found = Versions::new();
    for namespace in namespaces {
        let api = Api::<PartialObjectMeta<NetworkPolicy>>::namespaced(client.clone(), namespace);
        found.extend(versions(api.list(&ListParams::default()).await?.items));
    }
    if found != known(&world.policies, |name| namespaces.contains(&name.namespace)) {
        return Ok(false);
    }
    for kind in ClusterPolicyKind::ALL {
        let picture = world.cluster_policies.get(&kind);
        let picture = picture.map(|objects| known(objects, |_| true)).unwrap_or_default();
        if of_cluster(kind.row(), client).await? != Some(picture) {
            return Ok(false);
        }
    }
    let api = Api::<PartialObjectMeta<Namespace>>::all(client.clone());
    let mut found: Versions = versions(api.list(&ListParams::default()).await?.items).collect();
    found.retain(|name, _| namespaces.contains(&name.name));
    Ok(found == known(&world.namespaces, |name| namespaces.contains(&name.name)))
}

/// The cluster-wide policies of this kind that the API server has; none if it serves no version
/// that can be read. Whether it has the kind is asked too, as that may have changed.
async fn of_cluster(kind: &KindRow, client: &Client) -> Result<Option<Versions>, kube::Error> {
    let (definitions, name) = definition(kind);
    let api = Api::<DynamicObject>::all_with(client.clone(), &definitions);
    let served = match presence(kind, api.get_opt(&name).await?.as_ref()) {
        Presence::Absent => return Ok(Some(Versions::new())),
        Presence::Unserved(_) => return Ok(None),
        Presence::Served(served) => served,
    };
    let api = Api::<DynamicObject>::all_with(client.clone(), &served.resource);
    Ok(Some(versions(api.list_metadata(&ListParams::default()).await?.items).collect()))
}

type Versions = BTreeMap<ObjectRef, String>;

fn versions<K>(items: Vec<PartialObjectMeta<K>>) -> impl Iterator<Item = (ObjectRef, String)> {
    items.into_iter().map(|item| {
        let name = ObjectRef {
            namespace: item.metadata.namespace.unwrap_or_default(),
            name: item.metadata.name.unwrap_or_default(),
        };
        (name, item.metadata.resource_version.unwrap_or_default())
    })
}

fn known<T>(objects: &ObjectMap<T>, which: impl Fn(&ObjectRef) -> bool) -> Versions {
    objects
        .iter()
        .filter(|(name, _)| which(name))
        .map(|(name, read)| (name.clone(), read.version.clone()))
        .collect()
}

#[cfg(test)]
#[path = "certify_tests.rs"]
mod tests;
