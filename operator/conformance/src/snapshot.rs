//! An immutable picture of what decides: namespaces, pods and compiled policies.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use crate::{
    flow::{PodId, Protocol},
    policy::{Policy, cluster::ClusterPolicy},
    select::Selector,
};

/// Labels of an object, by key.
pub type Labels = BTreeMap<String, String>;

/// Grows with each change that a snapshot's builder saw; only equality and order mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// Names an object among those of its kind.
///
/// ```
/// use netproof_conformance::snapshot::ObjectRef;
///
/// let web = ObjectRef { namespace: "shop".to_owned(), name: "web".to_owned() };
/// assert_eq!(web.to_string(), "shop/web");
/// assert_eq!(ObjectRef::of_cluster("node-1").to_string(), "node-1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// The namespace; empty if the object is in none.
    pub namespace: String,
    /// The name, unique in the namespace for objects of one kind.
    pub name: String,
}

impl ObjectRef {
    /// Names an object that is in no namespace.
    pub fn of_cluster(name: &str) -> Self {
        Self { namespace: String::new(), name: name.to_owned() }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => f.write_str(&self.name),
            namespace => write!(f, "{namespace}/{}", self.name),
        }
    }
}

/// A pod, as far as policies can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// The namespace and name of the pod, by which it is told from others.
    pub name: ObjectRef,
    /// The labels by which selectors know the pod.
    pub labels: Labels,
    /// The addresses (`podIPs`), the primary one first; empty until the pod has one.
    pub addresses: Vec<IpAddr>,
    /// The node that the pod runs on, once it is scheduled.
    pub node: Option<String>,
    /// Whether the pod shares its node's network namespace, which the API leaves open how to treat.
    pub network: PodNetwork,
    /// Whether the pod still holds its addresses.
    pub lifecycle: Lifecycle,
    /// The ports that its containers name; unnamed ones decide nothing and need not be here.
    pub named_ports: Vec<NamedPort>,
}

/// Whose network namespace a pod uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodNetwork {
    /// The pod has a network namespace of its own, to which policies apply.
    Own,
    /// The pod uses its node's network namespace (`hostNetwork: true`).
    Host,
}

/// Whether a pod still holds its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// Pending, running or terminating: what it has been given is its own.
    Live,
    /// Succeeded or failed: its addresses may be another's by now.
    Finished,
}

/// A port that a container of a pod gives a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedPort {
    /// The name that policies may use.
    pub name: String,
    /// The number that the name stands for on this pod.
    pub number: u16,
    /// The name matches only together with its protocol.
    pub protocol: Protocol,
    /// The kind of container that declares the port.
    pub container: ContainerKind,
}

/// The kind of container that declares a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContainerKind {
    /// One of `containers`, whose port names resolve on every network.
    Regular,
    /// One of `initContainers`, native sidecars included: the API leaves open whether its port
    /// names resolve.
    Init,
}

/// An immutable picture of a cluster, as far as policies can tell.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{flow::PodId, snapshot::Snapshot};
///
/// assert_eq!(shop().pod(PodId(1)).name.to_string(), "shop/db");
/// // Only what is known need be said: no Node, and no label of a namespace but its name.
/// assert!(shop().nodes.is_empty() && shop().namespaces.is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Which state of the cluster this is.
    pub revision: Revision,
    /// The labels of each namespace. One that is absent here is taken to have only the label that
    /// the API server sets on all, `kubernetes.io/metadata.name`.
    pub namespaces: BTreeMap<String, Labels>,
    /// The pods, in any order; [`PodId`] is the place in this list.
    pub pods: Vec<Pod>,
    /// The `NetworkPolicies` of all namespaces, in any order.
    pub policies: Vec<Policy>,
    /// The policies of the cluster as a whole, in any order.
    pub cluster_policies: Vec<ClusterPolicy>,
    /// All addresses that each node is known to have, from Nodes and from the `hostIPs` of pods. A
    /// pod's own node is always let in; any other node is an address like those outside.
    pub nodes: BTreeMap<String, Vec<IpAddr>>,
}

impl Snapshot {
    /// The pod with this id.
    ///
    /// # Panics
    ///
    /// If the id is not of this snapshot.
    pub fn pod(&self, id: PodId) -> &Pod {
        &self.pods[id.0 as usize]
    }

    /// Whether a selector of namespaces matches the one that this pod is in.
    pub(crate) fn is_in(&self, namespaces: &Selector, pod: &Pod) -> bool {
        let namespace = &pod.name.namespace;
        namespaces.matches_namespace(namespace, self.namespaces.get(namespace))
    }

    /// Whether the node that this pod runs on is known to have this address.
    pub(crate) fn is_own_node(&self, pod: &Pod, address: IpAddr) -> bool {
        let node = pod.node.as_ref().and_then(|node| self.nodes.get(node));
        node.is_some_and(|addresses| {
            addresses.iter().any(|one| one.to_canonical() == address.to_canonical())
        })
    }
}
