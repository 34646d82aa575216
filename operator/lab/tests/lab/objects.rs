//! Objects of small clusters, and scenes of them.

use std::time::Duration;

use netproof_conformance::ledger::{LEAK_RETENTION, SILENCE};
use netproof_lab::{
    cluster::{LabCluster, Network},
    objects::LabObjects,
    process::this_program,
    scene::{IpFamilies, LabPace, LabPod, Scene, Setup},
};
use serde_json::{Value, json};

/// A pod that listens on port 80, at this address if one is given.
pub fn pod(name: &str, node: &str, address: Option<&str>) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}},
        "spec": {"nodeName": node, "containers": [{"name": "c", "ports": [{"containerPort": 80}]}]},
    });
    if let Some(address) = address {
        pod["status"] = json!({"phase": "Running", "podIPs": [{"ip": address}]});
    }
    pod
}

/// A policy by which the pods that this selects receive nothing.
pub fn deny(selector: &Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "deny", "namespace": "shop"},
        "spec": {"podSelector": selector, "policyTypes": ["Ingress"]},
    })
}

pub fn scene(objects: &[Value]) -> anyhow::Result<Scene> {
    scene_beside(objects, Vec::new())
}

/// The scene of objects that come where these pods are already.
pub fn scene_beside(objects: &[Value], before: Vec<LabPod>) -> anyhow::Result<Scene> {
    let pace = LabPace {
        timeout: Duration::from_millis(200),
        settle: Duration::from_secs(3),
        confirm: 3,
        silence: SILENCE,
        leak_retention: LEAK_RETENTION,
    };
    let (ports, outside) = (Vec::new(), Vec::new());
    let setup = Setup { pace, nodes: 2, families: IpFamilies::V4, ports, outside, before };
    Scene::of(&LabObjects::from_values(objects, "default")?, None, setup)
}

pub async fn lab(objects: &[Value], setting: &str) -> anyhow::Result<LabCluster> {
    let network = Network::Enforcing(setting.parse()?);
    LabCluster::start(scene(objects)?, this_program()?, &network).await
}
