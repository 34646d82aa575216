//! Finds stand-ins and their owners, and shows pods.

use std::collections::BTreeSet;

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams},
};
use netproof_crds::StandInSet;

/// The label of everything that netproof places for a test.
const TEST_UID: &str = "netproof.dev/test-uid";

/// The stand-ins of a test, in all namespaces.
pub async fn of(client: &Client, test_uid: &str) -> Result<Vec<Pod>> {
    let params = ListParams::default().labels(&format!("{TEST_UID}={test_uid}"));
    Ok(Api::<Pod>::all(client.clone()).list(&params).await?.items)
}

/// The stand-ins of all tests.
pub async fn all(client: &Client) -> Result<Vec<Pod>> {
    let params = ListParams::default().labels(TEST_UID);
    Ok(Api::<Pod>::all(client.clone()).list(&params).await?.items)
}

/// The owners of a test's stand-ins, in all namespaces.
pub async fn sets_of(client: &Client, test_uid: &str) -> Result<Vec<StandInSet>> {
    let params = ListParams::default().labels(&format!("{TEST_UID}={test_uid}"));
    Ok(Api::<StandInSet>::all(client.clone()).list(&params).await?.items)
}

/// Whether a pod has the label of stand-ins.
pub fn is(pod: &Pod) -> bool {
    pod.labels().contains_key(TEST_UID)
}

/// The endpoint that a stand-in stands in for, as the matrix names it; empty for another pod.
pub fn endpoint(pod: &Pod) -> &str {
    pod.annotations().get("netproof.dev/endpoint").map(String::as_str).unwrap_or_default()
}

/// The node that a pod is on; empty if it has none.
pub fn node(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

/// The image of a pod's first container.
pub fn image(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.containers.first()?.image.as_deref()
}

/// The owners of all tests' stand-ins.
pub async fn all_sets(client: &Client) -> Result<Vec<StandInSet>> {
    Ok(Api::<StandInSet>::all(client.clone()).list(&ListParams::default()).await?.items)
}

/// The UIDs of these pods.
pub fn uids(pods: &[Pod]) -> BTreeSet<String> {
    pods.iter().filter_map(ResourceExt::uid).collect()
}

/// Whether a pod's condition Ready is True.
pub fn ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Removes a pod without giving it time to end.
pub async fn kill(client: &Client, pod: &Pod) -> Result<()> {
    let api = Api::<Pod>::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    api.delete(&pod.name_any(), &DeleteParams::default().grace_period(0)).await?;
    Ok(())
}

/// A pod on one line.
pub fn text(pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("?");
    let going = if pod.metadata.deletion_timestamp.is_some() { " going" } else { "" };
    let ready = if ready(pod) { " ready" } else { "" };
    let waiting: Vec<&str> = status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten())
        .filter_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.as_deref())
        .collect();
    let waiting = waiting.join(" ");
    format!(
        "pod {}/{} {} on {:?} {phase} {waiting}{ready}{going} {}",
        pod.namespace().unwrap_or_default(),
        pod.name_any(),
        endpoint(pod),
        node(pod),
        pod.uid().unwrap_or_default()
    )
}

/// Pods, one on each line.
pub fn texts(pods: &[Pod]) -> String {
    let lines: Vec<String> = pods.iter().map(text).collect();
    format!(
        "{} pods
      {}",
        pods.len(),
        lines.join(
            "
      "
        )
    )
}
