//! A case as objects that a network takes, and what it can be asked there.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use netproof_conformance::{
    flow::{End, Family, Port, Protocol},
    pod::{ContainerKind, Lifecycle, NamedPort, Pod, PodNetwork},
    snapshot::Snapshot,
};
use serde_json::{Value, json};

use crate::file::Case;

/// A case that a network can be held against.
#[derive(Clone, Debug)]
pub struct NetworkCase {
    /// The name of the file and the claim.
    pub name: String,
    /// The namespaces and pods.
    pub cluster: Vec<Value>,
    /// The `NetworkPolicies`, as they would be applied.
    pub policies: Vec<Value>,
    /// The ports that the case asks about, without SCTP.
    pub ports: Vec<Port>,
    /// The external addresses that the case asks about.
    pub outside: Vec<IpAddr>,
}

impl NetworkCase {
    /// The case for a network. None if it is about cluster-wide policies, about refusals, about no
    /// port that probes speak, or about fewer than two pods that have a network of their own.
    pub(crate) fn of(file: &str, case: &Case) -> Option<Self> {
        let snapshot = &case.snapshot;
        let is_refused = !(case.refused.is_empty() && case.refusals.is_empty());
        if is_refused || !snapshot.cluster_policies.is_empty() {
            return None;
        }
        let pods = || snapshot.pods.iter().filter(|pod| !pod.addresses.is_empty());
        if pods().filter(|pod| pod.network == PodNetwork::Own).count() < 2 {
            return None;
        }
        let ports: BTreeSet<Port> = case.cells.iter().map(|cell| cell.flow.port).collect();
        let ports: Vec<Port> =
            ports.into_iter().filter(|port| port.protocol != Protocol::Sctp).collect();
        let outside: BTreeSet<IpAddr> = case
            .cells
            .iter()
            .filter_map(|cell| match cell.flow.to {
                End::Address(address) => Some(address),
                End::Pod(_) => None,
            })
            .filter(|address| is_outside(*address, snapshot))
            .collect();
        (!ports.is_empty()).then(|| Self {
            name: format!("{file}: {}", case.claim),
            cluster: snapshot.namespaces.iter().map(namespace).chain(pods().map(pod)).collect(),
            policies: case.policies.iter().map(policy).collect(),
            ports,
            outside: outside.into_iter().collect(),
        })
    }

    /// All objects: the cluster and the policies.
    pub fn objects(&self) -> Vec<Value> {
        self.cluster.iter().chain(&self.policies).cloned().collect()
    }

    /// The families of addresses that the case's pods have.
    pub fn families(&self) -> BTreeSet<Family> {
        let pods = self.cluster.iter().filter(|object| object["kind"] == "Pod");
        let addresses =
            pods.flat_map(|pod| pod["status"]["podIPs"].as_array().into_iter().flatten());
        addresses.filter_map(|one| Some(Family::of(one["ip"].as_str()?.parse().ok()?))).collect()
    }
}

/// Whether no pod or node of the case has the address, and an external host can have it.
fn is_outside(address: IpAddr, snapshot: &Snapshot) -> bool {
    let of_pods = snapshot.pods.iter().flat_map(|pod| &pod.addresses);
    let mut held = of_pods.chain(snapshot.nodes.values().flatten());
    address == address.to_canonical() && !address.is_loopback() && held.all(|one| *one != address)
}

fn namespace((name, labels): (&String, &BTreeMap<String, String>)) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

fn pod(pod: &Pod) -> Value {
    let addresses: Vec<_> = pod.addresses.iter().map(|one| json!({"ip": one})).collect();
    let phase = match pod.lifecycle {
        Lifecycle::Live => "Running",
        Lifecycle::Finished => "Succeeded",
    };
    let mut object = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": pod.name.name, "namespace": pod.name.namespace, "labels": pod.labels,
        },
        "spec": {"containers": [{"name": "c", "ports": declared(pod, ContainerKind::Regular)}]},
        "status": {"phase": phase, "podIPs": addresses},
    });
    let of_init = declared(pod, ContainerKind::Init);
    if !of_init.is_empty() {
        object["spec"]["initContainers"] = json!([{"name": "i", "ports": of_init}]);
    }
    if let Some(node) = &pod.node {
        object["spec"]["nodeName"] = json!(node);
    }
    if pod.network == PodNetwork::Host {
        object["spec"]["hostNetwork"] = json!(true);
    }
    object
}

fn declared(pod: &Pod, container: ContainerKind) -> Vec<Value> {
    let of_container = pod.named_ports.iter().filter(|port| port.container == container);
    of_container.map(declaration).collect()
}

fn declaration(port: &NamedPort) -> Value {
    json!({"name": port.name, "containerPort": port.number, "protocol": port.protocol})
}

fn policy(written: &Value) -> Value {
    let mut object = written.clone();
    object["apiVersion"] = json!("networking.k8s.io/v1");
    object["kind"] = json!("NetworkPolicy");
    object
}
