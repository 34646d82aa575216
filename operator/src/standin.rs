//! What a stand-in's pod looks like, so that it is taken for a workload by policies and by nothing
//! else.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::core::v1::{Pod, Toleration};
use netproof_conformance::{matrix::Actor, snapshot::Labels};
use netproof_crds::{GROUP, NamedPort, StandInSet, StandInSetSpec, TestRef};
use serde_json::{Value, json};

/// The container of a stand-in.
pub const CONTAINER: &str = "probe";

/// Label with the UID of the test that a stand-in, or an owner of stand-ins, belongs to.
pub const TEST_UID_LABEL: &str = "netproof.dev/test-uid";

/// Label with the hash of what a stand-in was made from: one with another hash is another.
pub const HASH_LABEL: &str = "netproof.dev/stand-in";

/// Label with the installation that made a stand-in, or an owner of stand-ins. Those of another
/// one are left alone.
pub const INSTALLATION_LABEL: &str = "netproof.dev/installation";

/// Annotation with the namespace and name of the test, for people.
const TEST_ANNOTATION: &str = "netproof.dev/test";

/// The condition that nobody ever sets, so that no Service counts a stand-in as ready.
const READINESS_GATE: &str = "netproof.dev/never-ready";

/// Labels that controllers set on their pods and find them by. A stand-in without them is nobody's.
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
    /// Who it is in the matrix.
    pub actor: Actor,
    /// Where it lives.
    pub namespace: String,
    /// The labels that it carries, without those of controllers and of our own.
    pub labels: Labels,
    /// The ports that it listens on.
    pub ports: Vec<NamedPort>,
    /// The node that it has to be on; any, if none is named.
    pub node: Option<String>,
    /// Which nodes will do.
    pub node_selector: BTreeMap<String, String>,
    /// Which taints it tolerates.
    pub tolerations: Vec<Toleration>,
}

/// What all stand-ins have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mould {
    /// The image of the probe.
    pub image: String,
    /// The priority class; the cluster's default, if none is named.
    pub priority_class: Option<String>,
    /// The kubelet ends a stand-in after this time, whoever else is gone.
    pub lifetime: Duration,
    /// The installation that makes them.
    pub installation: String,
}

/// Leaves out what controllers, and we, find pods by.
pub fn workload_labels(labels: &Labels) -> Labels {
    let ours = |key: &str| key.split('/').next() == Some(GROUP) && key.contains('/');
    labels
        .iter()
        .filter(|(key, _)| !CONTROLLER_LABELS.contains(&key.as_str()) && !ours(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The name of the owner of a test's stand-ins, in each namespace that has some: one for each
/// installation, so that what another one has left is never in the way.
pub fn set_name(test: &TestRef, installation: &str) -> String {
    let unique = fnv1a(installation.as_bytes()) >> 32;
    format!("{}.{}.{unique:08x}", test.namespace, test.name)
}

/// Whether what carries the mark of this installation is ours. What has none was made by a version
/// that knew of no others, and is replaced like anything of an older version.
pub fn is_of(installation: &str, mark: Option<&str>) -> bool {
    mark.is_none_or(|mark| mark == installation)
}

/// The owner of a test's stand-ins in a namespace. In the test's own namespace the garbage
/// collector removes it with the test; elsewhere owners cannot be named, and the operator does.
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

impl Desired {
    /// Its ports, as a container declares them.
    pub(crate) fn container_ports(&self) -> Vec<Value> {
        let declared = self.ports.iter().map(|port| {
            let mut declared = json!({"containerPort": port.port, "protocol": port.protocol});
            if let Some(name) = &port.name {
                declared["name"] = json!(name);
            }
            declared
        });
        declared.collect()
    }

    /// The pod, but for its name and its owner's UID, which do not make it another stand-in.
    fn body(&self, test: &TestRef, mould: &Mould) -> Value {
        let listen = self.ports.iter().flat_map(|port| {
            ["--listen".into(), format!("{}/{}", port.protocol, port.port).to_lowercase()]
        });
        let ports = self.container_ports();
        let low_ports = json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]);
        let sysctls =
            if self.ports.iter().any(|port| port.port < 1024) { low_ports } else { json!([]) };
        let affinity = self.node.as_ref().map(|node| {
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchFields": [
                    {"key": "metadata.name", "operator": "In", "values": [node]}]}]}}})
        });
        json!({
            "metadata": {
                "labels": self.labels,
                "annotations": {
                    TEST_ANNOTATION: format!("{}/{}", test.namespace, test.name),
                    "netproof.dev/endpoint": self.actor.to_string(),
                    "cluster-autoscaler.kubernetes.io/safe-to-evict": "true",
                    // A sidecar would answer in the probe's place.
                    "sidecar.istio.io/inject": "false",
                    "linkerd.io/inject": "disabled",
                },
            },
            "spec": {
                "containers": [{
                    "name": CONTAINER,
                    "image": mould.image,
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
                "activeDeadlineSeconds": mould.lifetime.as_secs(),
                "terminationGracePeriodSeconds": 1,
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "priorityClassName": mould.priority_class,
                "nodeSelector": self.node_selector,
                "tolerations": self.tolerations,
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

    /// Tells stand-ins apart that were made from something else.
    pub fn hash(&self, test: &TestRef, mould: &Mould) -> String {
        let body = self.body(test, mould).to_string();
        let Mould { installation, .. } = mould;
        let text =
            format!("{installation}\n{}\n{}\n{}\n{body}", test.uid, self.namespace, self.actor);
        format!("{:016x}", fnv1a(text.as_bytes()))
    }

    /// The whole pod. The name differs for each `incarnation`, so that a pod that will not go away
    /// does not keep its successor from coming.
    pub fn pod(&self, test: &TestRef, set_uid: &str, mould: &Mould, incarnation: u32) -> Pod {
        let hash = self.hash(test, mould);
        let unique = fnv1a(format!("{hash}{incarnation}").as_bytes());
        let mut stem = format!("{}-{}", test.name, self.actor.endpoint);
        stem.truncate(50);
        let mut body = self.body(test, mould);
        let metadata = &mut body["metadata"];
        metadata["name"] = json!(format!("{}-{:08x}", stem.trim_end_matches('-'), unique >> 32));
        metadata["namespace"] = json!(self.namespace);
        metadata["labels"][TEST_UID_LABEL] = json!(test.uid);
        metadata["labels"][HASH_LABEL] = json!(hash);
        metadata["labels"][INSTALLATION_LABEL] = json!(mould.installation);
        metadata["ownerReferences"] = json!([{
            "apiVersion": "netproof.dev/v1alpha1", "kind": "StandInSet",
            "name": set_name(test, &mould.installation), "uid": set_uid, "controller": true,
        }]);
        serde_json::from_value(body).expect("the fields of a pod")
    }
}

/// FNV-1a, 64 bits: stable across versions of this program and of its compiler.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
#[path = "standin_tests.rs"]
mod tests;
