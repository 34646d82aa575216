//! `v1` `Pod`, and the template of one.

use std::net::IpAddr;

use serde::Deserialize;

use super::{
    kind::Owner,
    metadata::{self, ManifestMetadata},
    rejection::{At, ObjectFault, ObjectProblem},
};
use crate::{
    flow::{Port, Protocol},
    pod::{ContainerKind as Whose, Lifecycle, NamedPort, Pod, PodNetwork},
    policy::{self, json, syntax},
    reference::ObjectRef,
    select::Labels,
};

/// A `Pod`, as much of it as decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub(super) struct PodObject {
    #[serde(default, deserialize_with = "json::optional")]
    pub(super) metadata: ManifestMetadata,
    #[serde(default, deserialize_with = "json::optional")]
    spec: PodSpec,
    #[serde(default, deserialize_with = "json::optional")]
    status: PodStatus,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub(super) struct PodTemplate {
    #[serde(default, deserialize_with = "json::optional")]
    metadata: ManifestMetadata,
    #[serde(default, deserialize_with = "json::optional")]
    spec: PodSpec,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
struct PodSpec {
    #[serde(default, deserialize_with = "json::list")]
    containers: Vec<Container>,
    #[serde(default, deserialize_with = "json::list")]
    init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "json::optional")]
    host_network: bool,
    #[serde(default, deserialize_with = "json::optional")]
    node_name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
struct Container {
    #[serde(default, deserialize_with = "json::list")]
    ports: Vec<ContainerPort>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
struct ContainerPort {
    #[serde(default, deserialize_with = "json::optional")]
    name: String,
    #[serde(default, rename = "containerPort", deserialize_with = "json::optional")]
    number: i64,
    #[serde(default, deserialize_with = "json::optional")]
    protocol: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
struct PodStatus {
    #[serde(default, deserialize_with = "json::optional")]
    phase: String,
    #[serde(default, rename = "podIP", deserialize_with = "json::optional")]
    pod_ip: String,
    #[serde(default, rename = "podIPs", deserialize_with = "json::list")]
    pod_ips: Vec<AddressOf>,
    #[serde(default, rename = "hostIP", deserialize_with = "json::optional")]
    host_ip: String,
    #[serde(default, rename = "hostIPs", deserialize_with = "json::list")]
    host_ips: Vec<AddressOf>,
}

/// An element of `podIPs` (`PodIP`) or of `hostIPs` (`HostIP`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
struct AddressOf {
    #[serde(default, deserialize_with = "json::optional")]
    ip: String,
}

json::only_from_objects!(
    PodObject,
    PodTemplate,
    PodSpec,
    Container,
    ContainerPort,
    PodStatus,
    AddressOf,
);

/// A pod of the input, with what else its object says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReadPod {
    pub(super) pod: Pod,
    /// All ports that the pod's containers declare, with a name or without, in order and each once.
    pub(super) declared: Vec<Port>,
    /// The addresses of the node that the pod runs on.
    pub(super) host_addresses: Vec<IpAddr>,
    /// The workload that controls the pod.
    pub(super) owner: Option<Owner>,
    /// Whether a cluster ever had the pod: the API server gives each pod that it stores a phase. A
    /// pod with a phase and no address is pending; a pod without a phase was only written down,
    /// with `status: {}` if kubectl wrote it.
    pub(super) stored: bool,
}

impl PodObject {
    /// Reads the object as the pod of this name.
    pub(super) fn read(self, name: &ObjectRef) -> Result<ReadPod, ObjectFault> {
        let Self { metadata, spec, status } = self;
        metadata::check_namespaced(name)?;
        metadata::check_labels(&metadata.labels, "metadata.labels")?;
        let (named_ports, declared) = spec.ports("spec")?;
        let addresses = addresses(&status.pod_ips, &status.pod_ip, "podIP")?;
        let host_addresses = addresses_of_host(&status)?;
        let lifecycle = match status.phase.as_str() {
            "Succeeded" | "Failed" => Lifecycle::Finished,
            _ => Lifecycle::Live,
        };
        Ok(ReadPod {
            stored: !status.phase.is_empty() || !addresses.is_empty(),
            owner: Owner::of(&metadata),
            pod: Pod {
                name: name.clone(),
                labels: metadata.labels,
                addresses,
                network: spec.network(),
                node: Some(spec.node_name).filter(|node| !node.is_empty()),
                lifecycle,
                named_ports,
            },
            declared,
            host_addresses,
        })
    }
}

fn addresses_of_host(status: &PodStatus) -> Result<Vec<IpAddr>, ObjectFault> {
    addresses(&status.host_ips, &status.host_ip, "hostIP")
}

/// The addresses of the list, or else the one address that older API servers gave.
fn addresses(list: &[AddressOf], one: &str, field: &str) -> Result<Vec<IpAddr>, ObjectFault> {
    match (list, one) {
        ([], "") => Ok(Vec::new()),
        ([], one) => Ok(vec![metadata::address(one).at(|| format!("status.{field}"))?]),
        (list, _) => list
            .iter()
            .enumerate()
            .map(|(index, AddressOf { ip })| {
                metadata::address(ip).at(|| format!("status.{field}s[{index}].ip"))
            })
            .collect(),
    }
}

/// What a template gives the pods that are made from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReadTemplate {
    pub(super) labels: Labels,
    pub(super) network: PodNetwork,
    pub(super) named_ports: Vec<NamedPort>,
    pub(super) declared: Vec<Port>,
}

impl PodTemplate {
    /// Reads the template, which is at this field of its object.
    pub(super) fn read(self, field: &str) -> Result<ReadTemplate, ObjectFault> {
        let Self { metadata, spec } = self;
        metadata::check_labels(&metadata.labels, &format!("{field}.metadata.labels"))?;
        let (named_ports, declared) = spec.ports(&format!("{field}.spec"))?;
        let (labels, network) = (metadata.labels, spec.network());
        Ok(ReadTemplate { labels, network, named_ports, declared })
    }
}

impl PodSpec {
    fn network(&self) -> PodNetwork {
        if self.host_network { PodNetwork::Host } else { PodNetwork::Own }
    }

    /// The ports that have a name, and all ports.
    fn ports(&self, field: &str) -> Result<(Vec<NamedPort>, Vec<Port>), ObjectFault> {
        let (mut named, mut declared) = (Vec::new(), Vec::new());
        let lists = [
            ("containers", &self.containers, Whose::Regular),
            ("initContainers", &self.init_containers, Whose::Init),
        ];
        for (list, containers, whose) in lists {
            for (container, Container { ports }) in containers.iter().enumerate() {
                for (index, written) in ports.iter().enumerate() {
                    let at = || format!("{field}.{list}[{container}].ports[{index}]");
                    let port = written.port(at)?;
                    declared.push(port);
                    if let Some(name) = written.name(at)? {
                        let Port { number, protocol } = port;
                        named.push(NamedPort { name, number, protocol, container: whose });
                    }
                }
            }
        }
        declared.sort_unstable();
        declared.dedup();
        Ok((named, declared))
    }
}

impl ContainerPort {
    fn port(&self, at: impl Fn() -> String) -> Result<Port, ObjectFault> {
        let protocol = protocol(&self.protocol).at(|| format!("{}.protocol", at()))?;
        let number = port_number(self.number).at(|| format!("{}.containerPort", at()))?;
        Ok(Port { number, protocol })
    }

    fn name(&self, at: impl Fn() -> String) -> Result<Option<String>, ObjectFault> {
        match self.name.as_str() {
            "" => Ok(None),
            name if syntax::is_port_name(name) => Ok(Some(name.to_owned())),
            name => Err(policy::PolicyProblem::PortName(name.to_owned()))
                .at(|| format!("{}.name", at())),
        }
    }
}

/// Reads a protocol. An empty one is the default, as the API server has it in pods and services.
pub(super) fn protocol(written: &str) -> Result<Protocol, ObjectProblem> {
    match written {
        "" | "TCP" => Ok(Protocol::Tcp),
        "UDP" => Ok(Protocol::Udp),
        "SCTP" => Ok(Protocol::Sctp),
        other => Err(policy::PolicyProblem::Protocol(other.to_owned()).into()),
    }
}

/// Reads the number of a port.
pub(super) fn port_number(number: i64) -> Result<u16, ObjectProblem> {
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        Ok(_) | Err(_) => Err(policy::PolicyProblem::PortNumber(number).into()),
    }
}
