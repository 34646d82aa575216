//! Describes an end of a flow by what policies can tell of it.

use std::{fmt, net::IpAddr};

use crate::{
    flow::End, phrases, pod::PodNetwork, reference::ObjectRef, select::Labels, snapshot::Snapshot,
};

/// One end of a flow, as far as policies can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowEnd {
    /// A pod of the snapshot, by what policies can tell of it.
    Pod {
        /// The namespace and name of the pod.
        name: ObjectRef,
        /// The labels of the pod itself.
        labels: Labels,
        /// The labels of the pod's namespace, without the one that all namespaces have.
        namespace: Labels,
        /// All addresses of the pod, its primary one first; empty until it has one.
        addresses: Vec<IpAddr>,
        /// The node that the pod runs on.
        node: Option<String>,
        /// Whether the pod uses its node's network.
        network: PodNetwork,
    },
    /// An address, and no more.
    Address {
        /// The address as the flow names it.
        address: IpAddr,
        /// The node that has the address, if one does.
        node: Option<String>,
    },
}

impl FlowEnd {
    pub(super) fn of(snapshot: &Snapshot, end: End) -> Self {
        match end {
            End::Pod(id) => {
                let pod = snapshot.pod(id);
                Self::Pod {
                    name: pod.name.clone(),
                    labels: pod.labels.clone(),
                    namespace: snapshot
                        .namespaces
                        .get(&pod.name.namespace)
                        .cloned()
                        .unwrap_or_default(),
                    addresses: pod.addresses.clone(),
                    node: pod.node.clone(),
                    network: pod.network,
                }
            }
            End::Address(address) => {
                let same = |one: &IpAddr| one.to_canonical() == address.to_canonical();
                let mut nodes = snapshot.nodes.iter();
                let node = nodes.find(|(_, addresses)| addresses.iter().any(same));
                Self::Address { address, node: node.map(|(name, _)| name.clone()) }
            }
        }
    }

    /// The end as a sentence calls it: the pod's name, or the address.
    pub fn name(&self) -> String {
        match self {
            Self::Pod { name, .. } => name.to_string(),
            Self::Address { address, .. } => address.to_string(),
        }
    }
}

/// Writes the name of the end, and what policies can know it by.
impl fmt::Display for FlowEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod { name, labels, namespace, addresses, node, network } => {
                write!(f, "{name} ({}", phrases::labels(labels))?;
                if !namespace.is_empty() {
                    write!(f, "; namespace {}", phrases::labels(namespace))?;
                }
                for address in addresses {
                    write!(f, "; {address}")?;
                }
                if let Some(node) = node {
                    write!(f, "; node {node}")?;
                }
                match network {
                    PodNetwork::Own => {}
                    PodNetwork::Host => write!(f, "; hostNetwork")?,
                }
                write!(f, ")")
            }
            Self::Address { address, node: None } => write!(f, "{address}"),
            Self::Address { address, node: Some(node) } => write!(f, "{address} (node {node})"),
        }
    }
}
