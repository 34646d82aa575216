//! A stand-in as a test wants it: its labels, its place, and its ports.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;
use netproof_conformance::{matrix::Actor, select::Labels};
use netproof_crds::{GROUP, NamedPort};
use serde_json::{Value, json};

/// The name of a stand-in's container.
pub const CONTAINER: &str = "probe";

/// Label with the UID of the test that a stand-in, or an owner of stand-ins, belongs to.
pub const TEST_UID_LABEL: &str = "netproof.dev/test-uid";

/// Label with the hash of what a stand-in was made from: a pod with another hash is another
/// stand-in.
pub const HASH_LABEL: &str = "netproof.dev/stand-in";

/// Label with the installation that made a stand-in, or an owner of stand-ins. An installation
/// leaves those of another alone.
pub const INSTALLATION_LABEL: &str = "netproof.dev/installation";

/// Labels that controllers set on their pods and find them by. A stand-in does not carry them, so
/// that no controller adopts or counts it.
const CONTROLLER_LABELS: [&str; 9] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "controller-uid",
    "job-name",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
];

/// A stand-in that a test wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Its actor in the matrix.
    pub actor: Actor,
    /// The namespace of its pod.
    pub namespace: String,
    /// The labels that it carries, without those of controllers and those of netproof itself.
    pub labels: Labels,
    /// The ports that its probe listens on.
    pub ports: Vec<NamedPort>,
    /// The node that it has to be on; none if any node will do.
    pub node: Option<String>,
    /// The node labels that its pod asks for.
    pub node_selector: BTreeMap<String, String>,
    /// The taints that its pod tolerates.
    pub tolerations: Vec<Toleration>,
}

/// These labels without those that controllers, or netproof itself, find pods by.
pub fn workload_labels(labels: &Labels) -> Labels {
    let ours = |key: &str| key.split('/').next() == Some(GROUP) && key.contains('/');
    labels
        .iter()
        .filter(|(key, _)| !CONTROLLER_LABELS.contains(&key.as_str()) && !ours(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

impl Desired {
    /// Its ports, as a container declares them in `ports`.
    pub fn container_ports(&self) -> Vec<Value> {
        let declared = self.ports.iter().map(|port| {
            let mut declared = json!({"containerPort": port.port, "protocol": port.protocol});
            if let Some(name) = &port.name {
                declared["name"] = json!(name);
            }
            declared
        });
        declared.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_controllers_and_our_own_are_left_out() {
        let labels: Labels = ["app", "pod-template-hash", "netproof.dev/test-uid", "job-name"]
            .into_iter()
            .map(|key| (key.to_owned(), "x".to_owned()))
            .collect();
        assert_eq!(workload_labels(&labels).keys().collect::<Vec<_>>(), ["app"]);
    }
}
