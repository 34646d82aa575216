//! The pods that the lab makes: their nodes, addresses and objects.

use std::{
    collections::{BTreeSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    net::IpAddr,
};

use anyhow::Context;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use netproof_conformance::{flow::Port, reference::ObjectRef};
use netproof_probe::challenge::MAX_IDENTITY;
use serde_json::{Value, json};

use super::{
    IpFamilies, LabPod,
    address::{MOST_PODS, free, pod_range, pod_range_v6},
};
use crate::objects::BEGINNING;
use netproof_rounds::{
    decode::{PodProgress, PodState},
    desired::Desired,
    engine::round::is_attemptable,
    predict::StandIn,
    scenario::to_flow,
};

/// The node that a pod has to be on, and the addresses that it has to have, if any.
#[derive(Clone, Debug, Default)]
pub(super) struct Home {
    pub node: Option<String>,
    pub addresses: Vec<IpAddr>,
}

impl LabPod {
    /// Whether all of its addresses are in its node's range.
    pub fn is_at_home(&self) -> bool {
        self.addresses.iter().all(|address| match address {
            IpAddr::V4(address) => pod_range(self.node).contains(address),
            IpAddr::V6(address) => pod_range_v6(self.node).contains(address),
        })
    }
}

pub(super) fn place(
    desired: &[Desired],
    homes: &[Home],
    nodes: &[String],
    (families, before): (IpFamilies, &[LabPod]),
    extra: &[Port],
) -> anyhow::Result<Vec<LabPod>> {
    let given = homes.iter().flat_map(|home| &home.addresses);
    let had = before.iter().flat_map(|pod| &pod.addresses);
    let mut used: BTreeSet<IpAddr> = given.chain(had).copied().collect();
    let placed = desired.iter().zip(homes).enumerate().map(|(number, (desired, home))| {
        let wanted = home.node.as_ref().or(desired.node.as_ref());
        let wanted = wanted.and_then(|wanted| nodes.iter().position(|node| node == wanted));
        let is_known = |pod: &&LabPod| {
            pod.actor == desired.actor
                && pod.node < nodes.len()
                && wanted.is_none_or(|node| node == pod.node)
                && pod.is_at_home()
        };
        let known = before.iter().find(is_known);
        let node = wanted.or(known.map(|pod| pod.node)).unwrap_or(number % nodes.len());
        let addresses = match known {
            _ if !home.addresses.is_empty() => home.addresses.clone(),
            Some(pod) => pod.addresses.clone(),
            None => free(node, families, &used).with_context(|| {
                format!(
                    "node {} has no address left for {}: it can have {MOST_PODS} pods; give more --nodes, or fewer objects",
                    nodes[node], desired.actor
                )
            })?,
        };
        used.extend(&addresses);
        let own = desired.ports.iter().map(|port| Port {
            number: port.port,
            protocol: to_flow(port.protocol),
        });
        let listen: BTreeSet<Port> =
            own.filter(|port| is_attemptable(port.protocol)).chain(extra.iter().copied()).collect();
        let identity = identity(desired, &addresses);
        let object = pod_object(desired, &identity, &nodes[node], &addresses);
        let listen = listen.into_iter().collect();
        Ok(LabPod { actor: desired.actor.clone(), node, identity, addresses, listen, object })
    });
    placed.collect()
}

/// The name without the namespace, which the endpoint's name may begin with.
fn pod_name(desired: &Desired) -> String {
    let name = desired.actor.to_string().replace('@', "-");
    let in_namespace = name.strip_prefix(&format!("{}/", desired.namespace)).map(str::to_owned);
    in_namespace.unwrap_or(name).replace('/', "-")
}

/// The identity of a pod: two pods of the same name differ in it by their addresses.
pub(super) fn identity(desired: &Desired, addresses: &[IpAddr]) -> String {
    let mut identity = format!("{}.{}", desired.namespace, pod_name(desired));
    for address in addresses {
        identity.push('@');
        identity.push_str(&address.to_string());
    }
    identity.chars().filter(char::is_ascii_graphic).take(MAX_IDENTITY).collect()
}

pub(super) fn pod_object(
    desired: &Desired,
    identity: &str,
    node: &str,
    addresses: &[IpAddr],
) -> Value {
    let ports = desired.container_ports();
    let addresses: Vec<Value> = addresses.iter().map(|address| json!({"ip": address})).collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": pod_name(desired), "namespace": desired.namespace, "labels": desired.labels,
            "uid": identity, "creationTimestamp": created(identity).to_string(),
        },
        "spec": {"nodeName": node, "containers": [{"name": "probe", "ports": ports}]},
        "status": {"phase": "Running", "podIPs": addresses},
    })
}

/// When a pod was created. Two pods of the same name have different times, by which followers of
/// pods tell them apart.
fn created(identity: &str) -> Timestamp {
    let mut hasher = DefaultHasher::new();
    identity.hash(&mut hasher);
    let seconds = i64::try_from(hasher.finish() % (365 * 24 * 3600)).expect("less than a year");
    BEGINNING + SignedDuration::from_secs(seconds)
}

pub(super) fn stand_in(desired: &Desired, pod: &LabPod, nodes: &[String]) -> StandIn {
    let name = ObjectRef { namespace: desired.namespace.clone(), name: pod_name(desired) };
    let state = PodState {
        uid: pod.identity.clone(),
        labels: desired.labels.clone(),
        owner: None,
        image: None,
        addresses: pod.addresses.clone(),
        node: Some(nodes[pod.node].clone()),
        created: Some(Timestamp::UNIX_EPOCH),
        started: Some(Timestamp::UNIX_EPOCH),
        progress: PodProgress::Running,
    };
    StandIn { desired: desired.clone(), pod: Some((name, state)), trouble: None }
}
