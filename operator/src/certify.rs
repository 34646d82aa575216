//! Asks the API server whether a picture is what it has, before anybody is accused: a watch that
//! lags must not turn into a verdict.

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
use tokio::time::Instant;

use crate::{
    backoff::Backoff,
    presence::{Presence, definition, presence},
};
use netproof_rounds::world::{ObjectMap, World};

/// What the API server says of a picture.
#[derive(Debug)]
pub enum Certificate {
    /// It is what it has.
    Confirmed,
    /// It has something else.
    Behind,
    /// It could not be asked.
    Failed(kube::Error),
    /// It was not asked: it could not confirm one just now.
    Paused,
}

/// Asks the API server for one test, and not with each attempt while it does not confirm anything.
#[derive(Default)]
pub struct Certifier(Mutex<Option<CertifierPause>>);

struct CertifierPause {
    until: Instant,
    backoff: Backoff,
}

impl Certifier {
    /// What the API server says of a picture of these namespaces.
    pub async fn certify(
        &self,
        world: &World,
        client: &Client,
        namespaces: &BTreeSet<String>,
    ) -> Certificate {
        if self.held().as_ref().is_some_and(|pause| Instant::now() < pause.until) {
            return Certificate::Paused;
        }
        let said = match certify(world, client, namespaces).await {
            Ok(true) => {
                *self.held() = None;
                return Certificate::Confirmed;
            }
            Ok(false) => Certificate::Behind,
            Err(error) => Certificate::Failed(error),
        };
        let mut held = self.held();
        let fresh = || Backoff::new(Duration::from_millis(200), Duration::from_secs(15));
        let mut backoff = held.take().map_or_else(fresh, |pause| pause.backoff);
        *held = Some(CertifierPause { until: Instant::now() + backoff.next(), backoff });
        said
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<CertifierPause>> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}

/// Whether the API server has, of the policies in these namespaces, of those of the cluster as a
/// whole and of these namespaces themselves, just what the picture has. All are quorum reads.
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

/// The policies of the cluster of this kind that the API server has; none if it cannot tell.
/// Whether it has the kind at all is asked as well, as that may have changed since.
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
