//! Asks the API server whether a picture is what it has, before anybody is accused: a watch that
//! lags must not turn into a verdict.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::{core::v1::Namespace, networking::v1::NetworkPolicy};
use kube::{
    Api, Client,
    api::{ListParams, PartialObjectMeta},
};
use netproof_conformance::snapshot::ObjectRef;

use crate::world::{Objects, World};

/// Whether the API server has, of the policies in these namespaces and of these namespaces
/// themselves, just what the picture has. Both lists are quorum reads.
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
    let api = Api::<PartialObjectMeta<Namespace>>::all(client.clone());
    let mut found: Versions = versions(api.list(&ListParams::default()).await?.items).collect();
    found.retain(|name, _| namespaces.contains(&name.name));
    Ok(found == known(&world.namespaces, |name| namespaces.contains(&name.name)))
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

fn known<T>(objects: &Objects<T>, which: impl Fn(&ObjectRef) -> bool) -> Versions {
    objects
        .iter()
        .filter(|(name, _)| which(name))
        .map(|(name, read)| (name.clone(), read.version.clone()))
        .collect()
}
