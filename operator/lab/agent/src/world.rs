//! What the cluster holds, as far as policies care: pods with addresses, namespaces, policies.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use k8s_openapi::{
    api::core::v1,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};

use crate::{
    error::Invalid,
    policy::{Policy, Protocol, port_number},
    select::Labels,
};

/// Everything that decides about a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// The pods that hold an address of their own.
    pub pods: Table<Pod>,
    /// All namespaces of the cluster.
    pub namespaces: Table<Namespace>,
    /// All policies that could be read.
    pub policies: Table<Policy>,
    /// Pods that are gone and still count as peers, at addresses that they had. The cluster has
    /// none; a fault keeps them.
    pub dead: Vec<(ObjectName, Pod)>,
}

/// The objects of one kind, by name.
pub type Table<T> = BTreeMap<ObjectName, T>;

/// The name of an object among those of its kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// The namespace; `None` for a cluster-scoped kind.
    pub namespace: Option<String>,
    /// The name in that namespace.
    pub name: String,
}

impl ObjectName {
    /// The name in an object's metadata.
    pub fn of(metadata: &ObjectMeta) -> Self {
        let name = metadata.name.clone().unwrap_or_default();
        Self { namespace: metadata.namespace.clone(), name }
    }
}

impl World {
    /// The labels of a namespace; `None` until the namespace is known. Until then no selector
    /// selects it, not even an empty one: a peer that comes late is better than one that slips in.
    pub fn namespace_labels(&self, name: &str) -> Option<&Labels> {
        let name = ObjectName { namespace: None, name: name.to_owned() };
        self.namespaces.get(&name).map(|namespace| &namespace.labels)
    }
}

/// A namespace, as far as selectors care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its labels, `kubernetes.io/metadata.name` included.
    pub labels: Labels,
}

impl Namespace {
    /// Reads the object; an error if it has no name.
    pub fn parse(object: v1::Namespace) -> Result<Self, Invalid> {
        let name = object.metadata.name.ok_or(Invalid::Missing("metadata.name"))?;
        let mut labels = object.metadata.labels.unwrap_or_default();
        // The API server sets this label on every namespace; objects from a file lack it.
        labels.insert("kubernetes.io/metadata.name".to_owned(), name);
        Ok(Self { labels })
    }
}

/// A pod that policies can be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// The namespace that the pod is in.
    pub namespace: String,
    /// The pod's present labels: policies follow every change.
    pub labels: Labels,
    /// The node that the pod runs on.
    pub node: String,
    /// The pod's addresses: at least one, and at most one of each family.
    pub addresses: BTreeSet<IpAddr>,
    /// The ports that its containers give a name to.
    pub ports: Vec<NamedPort>,
    /// How good its claim to the addresses is.
    pub claim: Claim,
}

/// A container's port with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPort {
    /// The name, as policies use it.
    pub name: String,
    /// The protocol, which a policy's port must have too.
    pub protocol: Protocol,
    /// The number that the container listens on.
    pub number: u16,
}

/// Decides between two pods that report the same address: the higher claim wins. The network may
/// hand on the address of a pod that is going away before the pod object is gone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// The pod is being deleted; it keeps address and policies until it is gone. When it was
    /// created.
    Leaving(Option<Time>),
    /// The pod stays. When it was created.
    Staying(Option<Time>),
}

impl Claim {
    /// When the pod was created.
    pub fn created(&self) -> Option<&Time> {
        match self {
            Self::Leaving(created) | Self::Staying(created) => created.as_ref(),
        }
    }
}

impl Pod {
    /// Reads the object. `None` for a pod that no policy can be about: it has no address yet, it
    /// finished and so lost its address, or it uses its node's.
    pub fn parse(object: v1::Pod) -> Result<Option<Self>, Invalid> {
        let spec = object.spec.ok_or(Invalid::Missing("spec"))?;
        let status = object.status.unwrap_or_default();
        let finished = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        let addresses = addresses(&status)?;
        if finished || addresses.is_empty() || spec.host_network == Some(true) {
            return Ok(None);
        }
        let created = object.metadata.creation_timestamp;
        Ok(Some(Self {
            namespace: object.metadata.namespace.ok_or(Invalid::Missing("metadata.namespace"))?,
            labels: object.metadata.labels.unwrap_or_default(),
            node: spec.node_name.ok_or(Invalid::Missing("spec.nodeName"))?,
            addresses,
            // Ports named on init containers are left out: the API does not say whether they count.
            ports: spec
                .containers
                .into_iter()
                .map(named_ports)
                .collect::<Result<Vec<_>, _>>()?
                .concat(),
            claim: match object.metadata.deletion_timestamp {
                None => Claim::Staying(created),
                Some(_) => Claim::Leaving(created),
            },
        }))
    }
}

fn addresses(status: &v1::PodStatus) -> Result<BTreeSet<IpAddr>, Invalid> {
    let listed = status.pod_ips.iter().flatten().map(|entry| &entry.ip);
    listed
        .chain(&status.pod_ip)
        .filter(|text| !text.is_empty())
        .map(|text| text.parse().map_err(|_| Invalid::value("podIPs", text)))
        .collect()
}

fn named_ports(container: v1::Container) -> Result<Vec<NamedPort>, Invalid> {
    let named = |port: v1::ContainerPort| port.name.clone().map(|name| (name, port));
    container
        .ports
        .unwrap_or_default()
        .into_iter()
        .filter_map(named)
        .map(|(name, port)| {
            let protocol = port.protocol.as_deref().map_or(Ok(Protocol::Tcp), str::parse)?;
            Ok(NamedPort {
                name,
                protocol,
                number: port_number("containerPort", port.container_port)?,
            })
        })
        .collect()
}

/// The node that this agent programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// The node's name, as pods refer to it.
    pub name: String,
    /// The ranges from which the node's pods get their addresses.
    pub pod_ranges: Vec<IpNet>,
}

impl NodeView {
    /// Reads the object. `None` while the cluster has not given the node a range for its pods.
    pub fn parse(object: v1::Node) -> Result<Option<Self>, Invalid> {
        let name = object.metadata.name.ok_or(Invalid::Missing("metadata.name"))?;
        let ranges = object.spec.and_then(|spec| spec.pod_cidrs).unwrap_or_default();
        let pod_ranges: Vec<IpNet> = ranges
            .iter()
            .map(|text| text.parse().map_err(|_| Invalid::value("podCIDRs", text)))
            .collect::<Result<_, _>>()?;
        Ok((!pod_ranges.is_empty()).then_some(Self { name, pod_ranges }))
    }
}
