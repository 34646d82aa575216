//! What a scene has whatever its pods are: nodes and namespaces.

use std::collections::{BTreeMap, BTreeSet};

use netproof_conformance::kinds::ApiKind;
use netproof_rounds::kind::Kind;
use serde_json::{Value, json};

use super::address::{node_address, pod_range};
use crate::objects::LabObjects;

/// The names of the nodes among the objects and of those that pods name; if there are none, this
/// many names of the lab's own.
pub(super) fn node_names(objects: &LabObjects, count: usize) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let nodes =
        objects.of_kind(ApiKind::Node.row()).filter_map(|node| text(&node["metadata"]["name"]));
    let of_pods =
        objects.of_kind(ApiKind::Pod.row()).filter_map(|pod| text(&pod["spec"]["nodeName"]));
    let named: BTreeSet<String> = nodes.chain(of_pods).filter(|name| !name.is_empty()).collect();
    if named.is_empty() {
        (1..=count).map(|n| format!("node-{n}")).collect()
    } else {
        named.into_iter().collect()
    }
}

pub(super) fn node_object(number: usize, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"podCIDRs": [pod_range(number).to_string()]},
        "status": {"addresses": [{"type": "InternalIP", "address": node_address(number)}]},
    })
}

/// The namespaces, also those that some object is in and that are not among the objects. Each has
/// the label that the API server sets.
pub(super) fn namespaces(objects: &LabObjects) -> Vec<Value> {
    let written = objects.of_kind(ApiKind::Namespace.row()).cloned();
    let assumed =
        objects.cluster.assumed_namespaces.iter().map(
            |name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        );
    let mut all: BTreeMap<String, Value> = written
        .chain(assumed)
        .filter_map(|object| Some((object["metadata"]["name"].as_str()?.to_owned(), object)))
        .collect();
    // A test's own namespace may have nothing in it but the test.
    for test in objects.of_kind(Kind::Tests.row()) {
        if let Some(name) = test["metadata"]["namespace"].as_str() {
            all.entry(name.to_owned()).or_insert_with(
                || json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
            );
        }
    }
    all.into_iter()
        .map(|(name, mut object)| {
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = json!(name);
            object
        })
        .collect()
}
