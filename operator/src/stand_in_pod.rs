//! Builds the pod of a stand-in, which policies take for the workload and nothing else does.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use netproof_crds::{StandInSet, StandInSetSpec, TestRef};
use serde_json::{Value, json};

use netproof_rounds::desired::{
    CONTAINER, Desired, HASH_LABEL, INSTALLATION_LABEL, TEST_UID_LABEL,
};

/// The annotation with the namespace and name of the test, for people.
const TEST_ANNOTATION: &str = "netproof.dev/test";

/// A condition that nobody ever sets, so that no Service counts a stand-in as ready.
const READINESS_GATE: &str = "netproof.dev/never-ready";

/// What all stand-ins have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSettings {
    /// The image of the probe, by which an altered pod is known.
    pub image: String,
    /// The priority class of the pods; none for the cluster's default.
    pub priority_class: Option<String>,
    /// The age at which the kubelet ends a stand-in, even if the operator is gone.
    pub lifetime: Duration,
    /// The installation that makes the stand-ins, as their label says.
    pub installation: String,
}

/// The name of a test's `StandInSet`, the same in each namespace. Each installation has names of
/// its own, so that a set that another one has left is never in the way.
pub fn set_name(test: &TestRef, installation: &str) -> String {
    let unique = fnv1a(installation.as_bytes()) >> 32;
    format!("{}.{}.{unique:08x}", test.namespace, test.name)
}

/// Whether an object with this label belongs to the installation. An object without the label was
/// made by a version before it, belongs to any installation, and is replaced.
pub fn is_of(installation: &str, mark: Option<&str>) -> bool {
    mark.is_none_or(|mark| mark == installation)
}

/// The `StandInSet` of a test in a namespace. The garbage collector removes the one in the test's
/// own namespace with the test; owner references cannot name an object of another namespace, so the
/// operator removes the others.
pub fn set(test: &TestRef, namespace: &str, installation: &str) -> StandInSet {
    let name = set_name(test, installation);
    let mut set = StandInSet::new(&name, StandInSetSpec { replicas: 0, test: test.clone() });
    set.metadata.namespace = Some(namespace.to_owned());
    let labels = [(TEST_UID_LABEL, test.uid.as_str()), (INSTALLATION_LABEL, installation)];
    set.metadata.labels = Some(labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    if namespace == test.namespace {
        let owner = json!([{
            "apiVersion": "netproof.dev/v1alpha1", "kind": "ConnectivityTest",
            "name": test.name, "uid": test.uid, "controller": true,
        }]);
        set.metadata.owner_references =
            Some(serde_json::from_value(owner).expect("the fields of an owner reference"));
    }
    set
}

impl PodSettings {
    /// The pod without its name and its owner's UID, which do not make it another stand-in.
    fn body(&self, desired: &Desired, test: &TestRef) -> Value {
        let listen = desired.ports.iter().flat_map(|port| {
            ["--listen".into(), format!("{}/{}", port.protocol, port.port).to_lowercase()]
        });
        let ports = desired.container_ports();
        let low_ports = json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]);
        let sysctls =
            if desired.ports.iter().any(|port| port.port < 1024) { low_ports } else { json!([]) };
        let affinity = desired.node.as_ref().map(|node| {
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchFields": [
                    {"key": "metadata.name", "operator": "In", "values": [node]}]}]}}})
        });
        json!({
            "metadata": {
                "labels": desired.labels,
                "annotations": {
                    TEST_ANNOTATION: format!("{}/{}", test.namespace, test.name),
                    "netproof.dev/endpoint": desired.actor.to_string(),
                    "cluster-autoscaler.kubernetes.io/safe-to-evict": "true",
                    // A sidecar of a mesh would answer in the probe's place.
                    "sidecar.istio.io/inject": "false",
                    "linkerd.io/inject": "disabled",
                },
            },
            "spec": {
                "containers": [{
                    "name": CONTAINER,
                    "image": self.image,
                    "imagePullPolicy": "IfNotPresent",
                    "args": listen.collect::<Vec<String>>(),
                    "env": [{
                        "name": "NETPROOF_IDENTITY",
                        "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}},
                    }],
                    "ports": ports,
                    "stdin": true,
                    "resources": {
                        "requests": {"cpu": "5m", "memory": "8Mi"},
                        "limits": {"cpu": "500m", "memory": "32Mi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": false,
                        "readOnlyRootFilesystem": true,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }],
                "readinessGates": [{"conditionType": READINESS_GATE}],
                "restartPolicy": "Never",
                "activeDeadlineSeconds": self.lifetime.as_secs(),
                "terminationGracePeriodSeconds": 1,
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "priorityClassName": self.priority_class,
                "nodeSelector": desired.node_selector,
                "tolerations": desired.tolerations,
                "affinity": affinity,
                "securityContext": {
                    "runAsNonRoot": true,
                    "runAsUser": 65532,
                    "runAsGroup": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                    "sysctls": sysctls,
                },
            },
        })
    }

    /// The hash of all that a stand-in is made from: equal for pods that stand in for the same, in
    /// the same way.
    pub fn hash(&self, desired: &Desired, test: &TestRef) -> String {
        let body = self.body(desired, test).to_string();
        let Self { installation, .. } = self;
        let text = format!(
            "{installation}\n{}\n{}\n{}\n{body}",
            test.uid, desired.namespace, desired.actor
        );
        format!("{:016x}", fnv1a(text.as_bytes()))
    }

    /// The whole pod, owned by the `StandInSet` with UID `set_uid`. The name differs for each
    /// `incarnation`, so that a pod that will not go away does not keep its successor from coming.
    pub fn pod(&self, desired: &Desired, test: &TestRef, set_uid: &str, incarnation: u32) -> Pod {
        let hash = self.hash(desired, test);
        let unique = fnv1a(format!("{hash}{incarnation}").as_bytes());
        let mut stem = format!("{}-{}", test.name, desired.actor.endpoint);
        stem.truncate(50);
        let mut body = self.body(desired, test);
        let metadata = &mut body["metadata"];
        metadata["name"] = json!(format!("{}-{:08x}", stem.trim_end_matches('-'), unique >> 32));
        metadata["namespace"] = json!(desired.namespace);
        metadata["labels"][TEST_UID_LABEL] = json!(test.uid);
        metadata["labels"][HASH_LABEL] = json!(hash);
        metadata["labels"][INSTALLATION_LABEL] = json!(self.installation);
        metadata["ownerReferences"] = json!([{
            "apiVersion": "netproof.dev/v1alpha1", "kind": "StandInSet",
            "name": set_name(test, &self.installation), "uid": set_uid, "controller": true,
        }]);
        serde_json::from_value(body).expect("the fields of a pod")
    }
}

/// FNV-1a of 64 bits, which stays the same across versions of this program and of its compiler.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
#[path = "stand_in_pod_tests.rs"]
mod tests;
