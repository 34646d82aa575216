//! The operator as it runs on the cluster: its pod, its reports, its figures.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, LogParams, Patch, PatchParams, Request},
};
use serde_json::json;

use crate::{cluster::run, eventually, stand_ins};

/// The namespace that the operator runs in.
pub const NAMESPACE: &str = "netproof-system";

/// The name of the operator's Deployment, and of its service account.
pub const NAME: &str = "netproof-operator";

/// The labels of the operator's pods.
const LABELS: &str = "app.kubernetes.io/name=netproof,app.kubernetes.io/component=operator";

fn pods(client: &Client) -> Api<Pod> {
    Api::namespaced(client.clone(), NAMESPACE)
}

/// The operator's Deployment, as it is now.
pub async fn deployment(client: &Client) -> Result<Deployment> {
    let api = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
    api.get(NAME).await.context("the operator's Deployment")
}

/// Removes the operator's Deployment, as uninstalling does.
pub async fn remove(client: &Client) -> Result<()> {
    let api = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
    api.delete(NAME, &DeleteParams::background()).await.context("removing the operator")?;
    Ok(())
}

/// Scales the operator's Deployment.
pub async fn scale(client: &Client, replicas: i32) -> Result<()> {
    let api = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    api.patch(NAME, &PatchParams::default(), &patch).await.context("scaling the operator")?;
    Ok(())
}

/// The operator's one pod that is not being deleted; an error if there are none or several.
pub async fn pod(client: &Client) -> Result<Pod> {
    let mut found = pods(client).list(&ListParams::default().labels(LABELS)).await?.items;
    found.retain(|pod| pod.metadata.deletion_timestamp.is_none());
    ensure!(found.len() == 1, "the operator's pods: {}", stand_ins::texts(&found));
    Ok(found.remove(0))
}

/// Waits until the operator's one pod is another than the one with the UID `killed`, ready or not.
pub async fn succeeded(client: &Client, killed: &str, patience: Duration) -> Result<Pod> {
    eventually("the operator has a successor", patience, async || {
        let pod = pod(client).await?;
        ensure!(pod.uid().as_deref() != Some(killed), "{}", stand_ins::text(&pod));
        Ok(pod)
    })
    .await
}

/// Waits until the operator is ready, and returns its pod.
pub async fn ready(client: &Client, patience: Duration) -> Result<Pod> {
    eventually("the operator is ready", patience, async || {
        let pod = pod(client).await?;
        ensure!(stand_ins::ready(&pod), "{}", stand_ins::text(&pod));
        Ok(pod)
    })
    .await
}

/// The operator's report of each flow of a test: `from to port expected verdict`, sorted.
pub async fn flows(namespace: &str, test: &str) -> Result<Vec<String>> {
    let deployment = format!("deployment/{NAME}");
    let exec = ["-n", NAMESPACE, "exec", &deployment, "--", "/netproof"];
    let report = ["flows", "-n", namespace, test];
    let text = run("kubectl", &[&exec[..], &report[..]].concat()).await?;
    let mut flows: Vec<String> = text.lines().map(str::to_owned).collect();
    flows.sort_unstable();
    Ok(flows)
}

/// How often the containers of a pod were restarted.
pub fn restarts(pod: &Pod) -> i32 {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    statuses.map(|container| container.restart_count).sum()
}

/// The answer of the operator's health port to a path, by way of the API server.
pub async fn health(client: &Client, path: &str) -> Result<String> {
    let pod = pod(client).await?;
    let request = Request::new(format!("/api/v1/namespaces/{NAMESPACE}/pods"))
        .get_subresource(&format!("proxy/{path}"), &format!("{}:8081", pod.name_any()))?;
    client.request_text(request).await.with_context(|| format!("the operator's {path}"))
}

/// The operator's metrics in the text format of Prometheus, by way of the API server.
pub async fn metrics(client: &Client) -> Result<String> {
    let pod = pod(client).await?;
    let request = Request::new(format!("/api/v1/namespaces/{NAMESPACE}/pods"))
        .get_subresource("proxy/metrics", &format!("{}:8080", pod.name_any()))?;
    client.request_text(request).await.context("the operator's metrics")
}

/// The last lines of the operator's log.
pub async fn log_tail(client: &Client, lines: i64) -> Result<String> {
    let pod = pod(client).await?;
    let params = LogParams { tail_lines: Some(lines), ..LogParams::default() };
    Ok(pods(client).logs(&pod.name_any(), &params).await?)
}
