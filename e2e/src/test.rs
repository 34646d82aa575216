//! A `ConnectivityTest` on the cluster, for reading it, changing it, and waiting for it.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use k8s_openapi::{
    api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use netproof_crds::{ConditionStatus, ConditionType, ConnectivityTest, Reason, StandInSet};
use serde_json::{Value, json};

use crate::{Observer, TestNamespace, eventually, operator, stand_ins, status};

/// One `ConnectivityTest`, by name and UID.
pub struct Test {
    /// Its name in the namespace.
    pub name: String,
    /// The namespace that it is in.
    pub namespace: String,
    /// The UID that the API server gave it.
    pub uid: String,
    client: Client,
}

impl Test {
    /// The test that was made in this namespace.
    pub fn new(home: &TestNamespace, made: &ConnectivityTest) -> Self {
        Self {
            name: made.name_any(),
            namespace: home.name.clone(),
            uid: made.uid().unwrap_or_default(),
            client: home.client.clone(),
        }
    }

    fn api(&self) -> Api<ConnectivityTest> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The object as it is now.
    pub async fn get(&self) -> Result<ConnectivityTest> {
        self.api().get(&self.name).await.context("the test")
    }

    /// Watches the test's status from now on.
    pub async fn observer(&self) -> Result<Observer<ConnectivityTest>> {
        let fields = format!("metadata.name={}", self.name);
        Observer::start(self.api(), Some(&fields), status::text).await
    }

    /// Waits until `is` holds for the test, and returns it. The error after `patience` shows the
    /// status.
    pub async fn becomes(
        &self,
        what: &str,
        patience: Duration,
        is: impl Fn(&ConnectivityTest) -> bool,
    ) -> Result<ConnectivityTest> {
        eventually(&format!("{}/{}: {what}", self.namespace, self.name), patience, async || {
            let test = self.get().await?;
            ensure!(is(&test), "{}", status::text(&test));
            Ok(test)
        })
        .await
    }

    /// Waits until a condition has just this status and reason, and returns it.
    pub async fn says(
        &self,
        (type_, value, reason): (ConditionType, ConditionStatus, Reason),
        patience: Duration,
    ) -> Result<Condition> {
        let said = |test: &ConnectivityTest| {
            status::condition(test, type_)
                .filter(|c| c.status == value.as_str() && c.reason == reason.as_str())
                .cloned()
        };
        let what = format!("{type_}={value} ({reason})");
        let test = self.becomes(&what, patience, |test| said(test).is_some()).await?;
        said(&test).ok_or_else(|| anyhow!("it was just there"))
    }

    /// Waits until Conformant is True.
    pub async fn conforms(&self, patience: Duration) -> Result<ConnectivityTest> {
        self.becomes("Conformant=True", patience, status::conformant).await
    }

    /// Waits until Conformant is True by a round that ended in a later second than `moment`.
    pub async fn conforms_after(
        &self,
        moment: Timestamp,
        patience: Duration,
    ) -> Result<ConnectivityTest> {
        let later = |test: &ConnectivityTest| {
            let round = test.status.as_ref().and_then(|status| status.last_round.as_ref());
            // Times in a status have no fractions of a second.
            round.is_some_and(|round| round.time.0.as_second() > moment.as_second())
        };
        let what = format!("Conformant=True by a round after {moment}");
        self.becomes(&what, patience, |test| status::conformant(test) && later(test)).await
    }

    /// Waits until the operator reports just these flows, in any order.
    pub async fn reports<S: AsRef<str>>(&self, flows: &[S], patience: Duration) -> Result<()> {
        let mut wanted: Vec<&str> = flows.iter().map(AsRef::as_ref).collect();
        wanted.sort_unstable();
        eventually(&format!("flows {wanted:#?}"), patience, async || {
            let flows = operator::flows(&self.namespace, &self.name).await?;
            ensure!(flows == wanted, "flows {flows:#?}");
            Ok(())
        })
        .await
    }

    /// Changes the test's spec by a merge patch.
    pub async fn change(&self, spec: &Value) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": spec}));
        let api = self.api();
        api.patch(&self.name, &PatchParams::default(), &patch).await.context("changing a test")?;
        Ok(())
    }

    /// Removes the test, without waiting until it is gone.
    pub async fn delete(&self) -> Result<()> {
        let api = self.api();
        api.delete(&self.name, &DeleteParams::background()).await.context("removing a test")?;
        Ok(())
    }

    /// The test's stand-ins in all namespaces, also those that are being deleted.
    pub async fn stand_ins(&self) -> Result<Vec<Pod>> {
        stand_ins::of(&self.client, &self.uid).await
    }

    /// The one stand-in of an endpoint that is not being deleted; an error if there are none or
    /// several.
    pub async fn stand_in(&self, endpoint: &str) -> Result<Pod> {
        let mut found = self.stand_ins().await?;
        found.retain(|pod| {
            pod.metadata.deletion_timestamp.is_none() && stand_ins::endpoint(pod) == endpoint
        });
        ensure!(found.len() == 1, "stand-ins of {endpoint}: {}", stand_ins::texts(&found));
        Ok(found.remove(0))
    }

    /// The owners of the test's stand-ins, in all namespaces.
    pub async fn sets(&self) -> Result<Vec<StandInSet>> {
        stand_ins::sets_of(&self.client, &self.uid).await
    }

    /// Waits until no stand-in of the test is left, and no owner of stand-ins.
    pub async fn leaves_nothing(&self, patience: Duration) -> Result<()> {
        let what = format!("nothing is left of {}/{}", self.namespace, self.name);
        eventually(&what, patience, async || {
            let (pods, sets) = (self.stand_ins().await?, self.sets().await?);
            let names: Vec<_> = sets
                .iter()
                .map(|set| format!("{}/{}", set.namespace().unwrap_or_default(), set.name_any()))
                .collect();
            let pods_text = stand_ins::texts(&pods);
            ensure!(pods.is_empty() && sets.is_empty(), "{pods_text}; sets {names:?}");
            Ok(())
        })
        .await
    }
}
