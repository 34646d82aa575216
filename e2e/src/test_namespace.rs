//! A namespace that a test has made, and the objects that it makes there.

use std::{collections::BTreeMap, fmt::Debug};

use anyhow::{Context, Result};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{Event, Namespace, Pod},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use netproof_crds::{ConnectivityTest, StandInSet};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{stand_ins, status, test::Test};

/// A namespace that a test has made.
#[derive(Clone)]
pub struct TestNamespace {
    /// The client of the cluster.
    pub client: Client,
    /// The name of the namespace.
    pub name: String,
}

impl TestNamespace {
    /// The objects of a kind in this namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Makes an object in this namespace, and returns it as the API server stored it.
    pub async fn create<K>(&self, object: &K) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let what = || format!("making {} {}/{}", K::kind(&()), self.name, object.name_any());
        self.api().create(&PostParams::default(), object).await.with_context(what)
    }

    /// Removes an object by name, without waiting until it is gone.
    pub async fn delete<K>(&self, name: &str) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let what = || format!("removing {} {}/{name}", K::kind(&()), self.name);
        let api = self.api::<K>();
        api.delete(name, &DeleteParams::background()).await.with_context(what).map(drop)
    }

    /// Changes an object by a merge patch, and returns it as it is then.
    pub async fn patch<K>(&self, name: &str, patch: &Value) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let what = || format!("changing {} {}/{name}", K::kind(&()), self.name);
        let api = self.api::<K>();
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.with_context(what)
    }

    /// Makes a `ConnectivityTest` in this namespace.
    pub async fn test(&self, test: &ConnectivityTest) -> Result<Test> {
        let made = self.create(test).await?;
        Ok(Test::new(self, &made))
    }

    /// Sets labels of the namespace itself; `None` removes a label.
    pub async fn relabel(&self, labels: &[(&str, Option<&str>)]) -> Result<()> {
        let labels: BTreeMap<_, _> = labels.iter().copied().collect();
        let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
        let api = Api::<Namespace>::all(self.client.clone());
        api.patch(&self.name, &PatchParams::default(), &patch).await.context("relabelling")?;
        Ok(())
    }

    /// Removes the namespace itself, without waiting until it is gone.
    pub async fn remove(&self) -> Result<()> {
        let api = Api::<Namespace>::all(self.client.clone());
        api.delete(&self.name, &DeleteParams::default()).await.context("removing a namespace")?;
        Ok(())
    }

    /// The pods in this namespace.
    pub async fn pods(&self) -> Result<Vec<Pod>> {
        Ok(self.api::<Pod>().list(&ListParams::default()).await?.items)
    }
}

/// The state of a namespace, for the failure of a test: tests, owners, pods and Events.
pub async fn describe(home: &TestNamespace) -> String {
    let mut lines = vec![format!("\n  namespace {}", home.name)];
    let all = ListParams::default();
    match home.api::<ConnectivityTest>().list(&all).await {
        Ok(tests) => {
            let tests = tests.items.iter();
            lines.extend(
                tests.map(|test| format!("test {}: {}", test.name_any(), status::text(test))),
            );
        }
        Err(error) => lines.push(error.to_string()),
    }
    if let Ok(sets) = home.api::<StandInSet>().list(&all).await {
        lines.extend(sets.items.iter().map(|set| format!("set {}", set.name_any())));
    }
    match home.pods().await {
        Ok(pods) => lines.extend(pods.iter().map(stand_ins::text)),
        Err(error) => lines.push(error.to_string()),
    }
    if let Ok(events) = home.api::<Event>().list(&all).await {
        lines.extend(events.items.iter().map(|event| {
            format!(
                "event {} {}: {}",
                event.involved_object.name.as_deref().unwrap_or_default(),
                event.reason.as_deref().unwrap_or_default(),
                event.message.as_deref().unwrap_or_default()
            )
        }));
    }
    lines.join("\n    ")
}
