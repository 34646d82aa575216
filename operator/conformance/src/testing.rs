//! Small clusters as text, for tests.

use std::{collections::BTreeMap, net::IpAddr};

use serde::Deserialize;

use crate::{
    flow::{End, Flow, PodId, Port, Protocol},
    pod::{ContainerKind, Lifecycle, NamedPort, Pod, PodNetwork},
    policy::{
        admin_network_policy, baseline_admin_network_policy, cluster_network_policy,
        network_policy::{self, NetworkPolicy},
    },
    reference::ObjectRef,
    select::Labels,
    snapshot::Snapshot,
};

/// A cluster, and its `NetworkPolicies` as they are written.
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) written: Vec<NetworkPolicy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct WorldText {
    namespaces: BTreeMap<String, Labels>,
    pods: BTreeMap<String, PodText>,
    nodes: BTreeMap<String, Vec<IpAddr>>,
    policies: BTreeMap<String, network_policy::NetworkPolicySpec>,
    cluster: BTreeMap<String, cluster_network_policy::ClusterNetworkPolicySpec>,
    admin: BTreeMap<String, admin_network_policy::AdminNetworkPolicySpec>,
    baseline: Option<baseline_admin_network_policy::BaselineAdminNetworkPolicySpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[derive(Default)]
struct PodText {
    labels: Labels,
    ips: Option<Vec<IpAddr>>,
    node: Option<String>,
    ports: Vec<String>,
    init_ports: Vec<String>,
    host: bool,
}

/// Reads a cluster: namespaces by name, pods and policies by `namespace/name`.
pub(crate) fn world(text: &str) -> World {
    let text: WorldText = serde_saphyr::from_str(text).expect("a world");
    let written: Vec<NetworkPolicy> = text
        .policies
        .into_iter()
        .map(|(name, spec)| {
            let ObjectRef { namespace, name } = object(&name);
            NetworkPolicy {
                metadata: network_policy::Metadata { name, namespace, ..Default::default() },
                spec,
            }
        })
        .collect();
    let metadata = |name| network_policy::Metadata { name, ..Default::default() };
    let cluster = text.cluster.into_iter().map(|(name, spec)| {
        let metadata = metadata(name);
        cluster_network_policy::compile(&cluster_network_policy::ClusterNetworkPolicy {
            metadata,
            spec,
        })
    });
    let admin = text.admin.into_iter().map(|(name, spec)| {
        let metadata = metadata(name);
        admin_network_policy::compile(&admin_network_policy::AdminNetworkPolicy { metadata, spec })
    });
    let baseline = text.baseline.into_iter().map(|spec| {
        let metadata = metadata("default".to_owned());
        baseline_admin_network_policy::compile(
            &baseline_admin_network_policy::BaselineAdminNetworkPolicy { metadata, spec },
        )
    });
    let snapshot = Snapshot {
        namespaces: text.namespaces,
        pods: text.pods.iter().zip(1u8..).map(|((name, pod), low)| pod.read(name, low)).collect(),
        policies: written
            .iter()
            .map(|policy| network_policy::compile(policy).expect("valid"))
            .collect(),
        cluster_policies: cluster
            .chain(admin)
            .chain(baseline)
            .collect::<Result<_, _>>()
            .expect("valid"),
        nodes: text.nodes,
        ..Snapshot::default()
    };
    World { snapshot, written }
}

impl World {
    /// A flow between pods by `namespace/name`, or addresses, on `80/TCP`.
    pub(crate) fn flow(&self, from: &str, to: &str, port: &str) -> Flow {
        let end = |name: &str| match name.parse() {
            Ok(address) => End::Address(address),
            Err(_) => End::Pod(self.pod(name)),
        };
        Flow { from: end(from), to: end(to), port: port_of(port), family: None }
    }

    fn pod(&self, name: &str) -> PodId {
        let mut pods = (0u32..).zip(&self.snapshot.pods);
        let (id, _) = pods.find(|(_, pod)| pod.name.to_string() == name).expect("a pod");
        PodId(id)
    }
}

impl PodText {
    fn read(&self, name: &str, low: u8) -> Pod {
        let named = |container| {
            move |text: &String| {
                let (name, port) = text.split_once(' ').expect("a name and a port");
                let Port { number, protocol } = port_of(port);
                NamedPort { name: name.to_owned(), number, protocol, container }
            }
        };
        let regular = self.ports.iter().map(named(ContainerKind::Regular));
        Pod {
            name: object(name),
            labels: self.labels.clone(),
            addresses: self.ips.clone().unwrap_or_else(|| vec![[10, 255, 0, low].into()]),
            node: self.node.clone(),
            network: if self.host { PodNetwork::Host } else { PodNetwork::Own },
            lifecycle: Lifecycle::Live,
            named_ports: regular
                .chain(self.init_ports.iter().map(named(ContainerKind::Init)))
                .collect(),
        }
    }
}

fn object(text: &str) -> ObjectRef {
    let (namespace, name) = text.split_once('/').expect("a namespace and a name");
    ObjectRef { namespace: namespace.to_owned(), name: name.to_owned() }
}

fn port_of(text: &str) -> Port {
    let (number, protocol) = text.split_once('/').expect("a number and a protocol");
    let protocol = match protocol {
        "TCP" => Protocol::Tcp,
        "UDP" => Protocol::Udp,
        _ => Protocol::Sctp,
    };
    Port { number: number.parse().expect("a number"), protocol }
}
