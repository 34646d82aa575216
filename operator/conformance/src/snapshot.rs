//! An immutable picture of what decides: namespaces, pods and compiled policies.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    flow::PodId,
    pod::Pod,
    policy::{Policy, cluster::ClusterPolicy},
    select::Labels,
};

/// The number of a state of the cluster, which grows with each change that a snapshot's builder
/// saw; only equality and order mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

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
    /// The state of the cluster that this is a picture of.
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

    /// Whether the node that this pod runs on is known to have this address.
    pub(crate) fn is_own_node(&self, pod: &Pod, address: IpAddr) -> bool {
        let node = pod.node.as_ref().and_then(|node| self.nodes.get(node));
        node.is_some_and(|addresses| {
            addresses.iter().any(|one| one.to_canonical() == address.to_canonical())
        })
    }
}
