//! `v1` `Service`: a name for the pods that it selects.

use std::net::IpAddr;

use serde::Deserialize;

use super::{
    metadata::{self, ManifestMetadata},
    pod::{port_number, protocol},
    rejection::{At, ObjectFault, ObjectProblem},
};
use crate::{
    flow::Port,
    policy::{self, json, network_policy::IntOrString, syntax},
    reference::ObjectRef,
    select::Labels,
};

/// A Service: a flow to it is a flow to its pods, at the target of its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name and namespace; the pods behind it are in the same namespace.
    pub name: ObjectRef,
    /// What the Service leads to.
    pub backends: Backends,
    /// The Service's own addresses; none if it is headless, or was only written down.
    pub addresses: Vec<IpAddr>,
    /// The ports on which senders reach the Service, in the order of the object.
    pub ports: Vec<ServicePort>,
}

/// What a Service leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backends {
    /// The pods of its namespace that have all of these labels. Never empty.
    Pods(Labels),
    /// The Service has no selector, and leads to what its `EndpointSlices` list.
    Unknown,
    /// Another name in the DNS (`type: ExternalName`).
    External(String),
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// The name of the port, which a Service with one port need not give.
    pub name: Option<String>,
    /// The port on the Service's own addresses, which no policy sees.
    pub port: Port,
    /// The port of the pod that receives, which policies see.
    pub target: ServiceTarget,
}

/// The port of a pod that a Service's port leads to; the protocol is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceTarget {
    /// The port with this number, on each pod.
    Number(u16),
    /// The port that each pod's containers call so.
    Name(String),
}

/// A `Service`, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub(super) struct ServiceObject {
    #[serde(default, deserialize_with = "json::optional")]
    pub(super) metadata: ManifestMetadata,
    #[serde(default, deserialize_with = "json::optional")]
    spec: ServiceSpec,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
struct ServiceSpec {
    #[serde(default, rename = "type", deserialize_with = "json::optional")]
    kind: String,
    #[serde(default, deserialize_with = "metadata::labels")]
    selector: Labels,
    #[serde(default, rename = "clusterIP", deserialize_with = "json::optional")]
    cluster_ip: String,
    #[serde(default, rename = "clusterIPs", deserialize_with = "json::list")]
    cluster_ips: Vec<String>,
    #[serde(default, deserialize_with = "json::optional")]
    external_name: String,
    #[serde(default, deserialize_with = "json::list")]
    ports: Vec<WrittenPort>,
}

/// `ServicePort`, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
struct WrittenPort {
    #[serde(default, deserialize_with = "json::optional")]
    name: String,
    #[serde(default, deserialize_with = "json::optional")]
    protocol: String,
    #[serde(default, deserialize_with = "json::optional")]
    port: i64,
    target_port: Option<IntOrString>,
}

json::only_from_objects!(ServiceObject, ServiceSpec, WrittenPort);

impl ServiceObject {
    /// Reads the object as the Service of this name.
    pub(super) fn read(self, name: &ObjectRef) -> Result<Service, ObjectFault> {
        metadata::check_namespaced(name)?;
        let spec = self.spec;
        metadata::check_labels(&spec.selector, "spec.selector")?;
        let ports = spec.ports.iter().enumerate();
        let ports = ports.map(|(index, port)| port.read(index)).collect::<Result<_, _>>()?;
        Ok(Service {
            name: name.clone(),
            addresses: spec.addresses()?,
            backends: match spec.kind.as_str() {
                "ExternalName" => Backends::External(spec.external_name),
                _ if spec.selector.is_empty() => Backends::Unknown,
                _ => Backends::Pods(spec.selector),
            },
            ports,
        })
    }
}

impl ServiceSpec {
    fn addresses(&self) -> Result<Vec<IpAddr>, ObjectFault> {
        let listed = match self.cluster_ips.as_slice() {
            [] => std::slice::from_ref(&self.cluster_ip),
            listed => listed,
        };
        listed
            .iter()
            .filter(|text| !matches!(text.as_str(), "" | "None"))
            .map(|text| metadata::address(text).at(|| "spec.clusterIPs".to_owned()))
            .collect()
    }
}

impl WrittenPort {
    fn read(&self, index: usize) -> Result<ServicePort, ObjectFault> {
        let at = |field| move || format!("spec.ports[{index}].{field}");
        let number = port_number(self.port).at(at("port"))?;
        Ok(ServicePort {
            name: Some(self.name.clone()).filter(|name| !name.is_empty()),
            port: Port { number, protocol: protocol(&self.protocol).at(at("protocol"))? },
            target: self.target(number).at(at("targetPort"))?,
        })
    }

    /// The target of the port. An absent target, a zero and an empty name mean the port itself, as
    /// for the API server.
    fn target(&self, number: u16) -> Result<ServiceTarget, ObjectProblem> {
        match &self.target_port {
            None | Some(IntOrString::Int(0)) => Ok(ServiceTarget::Number(number)),
            Some(IntOrString::Int(target)) => Ok(ServiceTarget::Number(port_number(*target)?)),
            Some(IntOrString::String(name)) if name.is_empty() => Ok(ServiceTarget::Number(number)),
            Some(IntOrString::String(name)) if syntax::is_port_name(name) => {
                Ok(ServiceTarget::Name(name.clone()))
            }
            Some(IntOrString::String(name)) => {
                Err(policy::PolicyProblem::PortName(name.clone()).into())
            }
        }
    }
}
