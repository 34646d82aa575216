//! Small clusters: pods of every sort, and flows between them, addresses and nodes.

use std::{collections::BTreeMap, net::IpAddr};

use arbitrary::{Result, Unstructured};
use netproof_conformance::{
    flow::{End, Family, Flow, PodId, Port, Protocol},
    pod::{ContainerKind, Lifecycle, NamedPort, Pod, PodNetwork},
    reference::ObjectRef,
    select::Labels,
    snapshot::Snapshot,
};

use crate::{objects::Policies, written};

const PROTOCOLS: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];

/// A snapshot, and what is asked of it.
pub struct Cluster {
    pub snapshot: Snapshot,
    pub flows: Vec<Flow>,
}

impl Cluster {
    /// Two pods, a host-network pod and three addresses under these policies, and all their flows.
    pub fn fixed(policies: Policies) -> Self {
        let pods = vec![
            pod(("x", "a"), [10, 0, 0, 1], PodNetwork::Own),
            pod(("w", "b"), [10, 0, 0, 2], PodNetwork::Own),
            pod(("w", "c"), [172, 18, 0, 1], PodNetwork::Host),
        ];
        let addresses = [[192, 168, 0, 1], [172, 18, 0, 1], [10, 0, 0, 3]].map(IpAddr::from);
        let ends: Vec<End> = (0..3).map(|id| End::Pod(PodId(id))).collect();
        let ends: Vec<End> = ends.into_iter().chain(addresses.map(End::Address)).collect();
        let port = Port { number: 80, protocol: Protocol::Tcp };
        let flows = ends
            .iter()
            .flat_map(|&from| ends.iter().map(move |&to| Flow { from, to, port, family: None }));
        let flows = flows.collect();
        Self { snapshot: snapshot(pods, policies), flows }
    }

    /// What the input chooses.
    pub fn chosen(u: &mut Unstructured<'_>) -> Result<Self> {
        let pods = (0..u.int_in_range(1..=4)?).map(|index| any_pod(u, index));
        let pods: Vec<Pod> = pods.collect::<Result<_>>()?;
        let mut policies = Policies::default();
        for index in 0..u.int_in_range(1..=6)? {
            let object = if u.ratio(1, 3)? {
                written::network_policy(u, index)?
            } else {
                written::cluster_policy(u, index)?
            };
            let kind = u.choose_index(4)?;
            let mut kinds = Policies::read_as_each_kind(object.to_string().as_bytes());
            policies = policies.and(std::mem::take(&mut kinds[kind]));
        }
        let flows = (0..u.int_in_range(1..=8)?).map(|_| flow(u, pods.len()));
        let flows = flows.collect::<Result<_>>()?;
        Ok(Self { snapshot: snapshot(pods, policies), flows })
    }
}

fn snapshot(pods: Vec<Pod>, policies: Policies) -> Snapshot {
    let labels = |app: &str| Labels::from([("app".to_owned(), app.to_owned())]);
    Snapshot {
        namespaces: BTreeMap::from([("x".to_owned(), labels("x"))]),
        pods,
        policies: policies.namespaced,
        cluster_policies: policies.cluster,
        nodes: BTreeMap::from([("n".to_owned(), vec![IpAddr::from([172, 18, 0, 1])])]),
        ..Snapshot::default()
    }
}

fn pod((namespace, app): (&str, &str), address: [u8; 4], network: PodNetwork) -> Pod {
    let named = |name: &str, container| NamedPort {
        name: name.to_owned(),
        number: 80,
        protocol: Protocol::Tcp,
        container,
    };
    Pod {
        name: ObjectRef { namespace: namespace.to_owned(), name: app.to_owned() },
        labels: Labels::from([("app".to_owned(), app.to_owned())]),
        addresses: vec![address.into()],
        node: Some("n".to_owned()),
        network,
        lifecycle: Lifecycle::Live,
        named_ports: vec![named("http", ContainerKind::Regular), named("dns", ContainerKind::Init)],
    }
}

fn any_pod(u: &mut Unstructured<'_>, index: usize) -> Result<Pod> {
    let network = if u.ratio(1, 4)? { PodNetwork::Host } else { PodNetwork::Own };
    let names = (*u.choose(&["x", "w"])?, *u.choose(&["a", "b"])?);
    let mut pod = pod(names, [10, 0, 0, u.int_in_range(0..=3)?], network);
    pod.name.name = format!("pod{index}");
    if u.arbitrary()? {
        pod.addresses.push(IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u.int_in_range(0..=3)?]));
    }
    if u.ratio(1, 8)? {
        pod.labels.clear();
    }
    if u.ratio(1, 8)? {
        pod.node = None;
    }
    for port in &mut pod.named_ports {
        port.number = *u.choose(&[80, 81])?;
        port.protocol = *u.choose(&PROTOCOLS)?;
    }
    Ok(pod)
}

fn flow(u: &mut Unstructured<'_>, pods: usize) -> Result<Flow> {
    let port = Port { number: *u.choose(&[1, 80, 81, 65_535])?, protocol: *u.choose(&PROTOCOLS)? };
    let family = *u.choose(&[None, Some(Family::IPv4), Some(Family::IPv6)])?;
    Ok(Flow { from: end(u, pods)?, to: end(u, pods)?, port, family })
}

fn end(u: &mut Unstructured<'_>, pods: usize) -> Result<End> {
    if u.ratio(3, 4)? {
        let id = u.choose_index(pods)?;
        return Ok(End::Pod(PodId(u32::try_from(id).expect("few pods"))));
    }
    let address = *u.choose(&[[10, 0, 0, 1], [172, 18, 0, 1], [192, 168, 0, 1]])?;
    Ok(End::Address(address.into()))
}
