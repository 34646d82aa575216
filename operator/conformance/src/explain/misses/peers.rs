//! Finds out what keeps the peers of a rule from matching.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{BlockMiss, ExaminedSide, LabelMiss, NamespaceMiss, PeerMiss};
use crate::{
    evaluate::is_host,
    near_miss::{namespace_labels, near_label},
    pod::Pod,
    policy::{
        IpBlock, Namespaces, Peer,
        cluster::{ClusterPeer, PodsOf},
    },
    select::{Labels, Selector},
};

impl ExaminedSide<'_> {
    /// What keeps each of these peers from matching; empty if one matches.
    pub(in crate::explain) fn peers(&self, peers: &[Peer], own_namespace: &str) -> Vec<PeerMiss> {
        all(peers.iter().map(|peer| {
            let is_peer = self.side.is_peer(peer, own_namespace);
            (!is_peer).then(|| self.peer(peer, own_namespace))
        }))
    }

    /// What keeps each of these peers of a policy of the cluster from matching; empty if one
    /// matches.
    pub(in crate::explain) fn cluster_peers(&self, peers: &[ClusterPeer]) -> Vec<PeerMiss> {
        all(peers.iter().map(|peer| self.cluster_peer(peer)))
    }

    fn peer(&self, peer: &Peer, own_namespace: &str) -> PeerMiss {
        match (peer, self.side.peer()) {
            (Peer::Addresses(block), _) => {
                PeerMiss::Block(block_miss(block, self.side.peer_address()))
            }
            (Peer::Pods { .. }, None) => PeerMiss::NoPod,
            (Peer::Pods { namespaces: Namespaces::Own, pods }, Some(pod)) => {
                let found = &pod.name.namespace;
                let namespace = (found != own_namespace).then(|| NamespaceMiss::NotOwn {
                    own: own_namespace.to_owned(),
                    found: found.clone(),
                });
                selectors(namespace, label_misses(pods, &pod.labels))
            }
            (Peer::Pods { namespaces: Namespaces::Matching(selector), pods }, Some(pod)) => {
                let is_own = pod.name.namespace == own_namespace;
                self.both(selector, pods, pod, is_own)
            }
        }
    }

    /// What keeps a peer with a `namespaceSelector` and a `podSelector` from matching. As two
    /// elements they would be an OR, in which the `podSelector` means pods of the policy's own
    /// namespace.
    fn both(&self, namespaces: &Selector, pods: &Selector, pod: &Pod, is_own: bool) -> PeerMiss {
        let namespace = self.namespace_miss(namespaces, pod);
        let labels = label_misses(pods, &pod.labels);
        let selects = |selector: &Selector| selector.requirements().len() > 0;
        let one_would = selects(pods) && (namespace.is_none() || labels.is_empty() && is_own);
        let miss = selectors(namespace, labels);
        if one_would { PeerMiss::OnlyOneOfTwo(Box::new(miss)) } else { miss }
    }

    fn namespace_miss(&self, namespaces: &Selector, pod: &Pod) -> Option<NamespaceMiss> {
        let found = pod.name.namespace.clone();
        let labels = namespace_labels(&found, self.side.ends.snapshot.namespaces.get(&found));
        let misses = label_misses(namespaces, &labels);
        (!misses.is_empty()).then_some(NamespaceMiss::Labels { found, misses })
    }

    fn cluster_peer(&self, peer: &ClusterPeer) -> Option<PeerMiss> {
        match peer {
            ClusterPeer::Pods(wanted) => self.pods_of(wanted),
            ClusterPeer::Networks(ranges) => {
                let address = self.side.peer_address();
                let inside = ranges.iter().any(|range| range.contains(&address));
                let has_family = ranges.iter().any(|range| is_of_family(*range, address));
                let miss = if has_family { BlockMiss::Outside } else { BlockMiss::OtherFamily };
                (!inside).then_some(PeerMiss::Block(miss))
            }
            ClusterPeer::Nodes(_) => {
                self.side.peer().filter(|pod| !is_host(pod)).map(|_| PeerMiss::NoNode)
            }
            // Whether such a peer matches is never known.
            ClusterPeer::DomainNames(_) | ClusterPeer::Unknown(_) => None,
        }
    }

    fn pods_of(&self, wanted: &PodsOf) -> Option<PeerMiss> {
        let Some(pod) = self.side.peer() else { return Some(PeerMiss::NoPod) };
        if is_host(pod) {
            return Some(PeerMiss::HostPod);
        }
        let namespace = self.namespace_miss(&wanted.namespaces, pod);
        let labels = label_misses(&wanted.pods, &pod.labels);
        let misses = namespace.is_some() || !labels.is_empty();
        misses.then(|| selectors(namespace, labels))
    }
}

/// The misses of all elements; empty if one element has none.
pub(super) fn all<T>(misses: impl Iterator<Item = Option<T>>) -> Vec<T> {
    misses.collect::<Option<Vec<T>>>().unwrap_or_default()
}

fn selectors(namespace: Option<NamespaceMiss>, labels: Vec<LabelMiss>) -> PeerMiss {
    match (namespace, labels.is_empty()) {
        (Some(namespace), true) => PeerMiss::Namespace(namespace),
        (Some(namespace), false) => PeerMiss::NamespaceAndLabels(namespace, labels),
        (None, _) => PeerMiss::Labels(labels),
    }
}

fn label_misses(selector: &Selector, labels: &Labels) -> Vec<LabelMiss> {
    let failing = selector.requirements().filter_map(|requirement| {
        let found = labels.get(requirement.key());
        let holds = requirement.holds(found.map(String::as_str));
        (!holds).then(|| LabelMiss {
            requirement: requirement.clone(),
            found: found.cloned(),
            near: near_label(requirement, labels),
        })
    });
    failing.collect()
}

fn block_miss(block: &IpBlock, address: IpAddr) -> BlockMiss {
    if !is_of_family(block.cidr, address) {
        return BlockMiss::OtherFamily;
    }
    if let Some(hole) = block.except.iter().find(|hole| hole.contains(&address)) {
        return BlockMiss::Excepted(*hole);
    }
    let wider = std::iter::successors(block.cidr.supernet(), IpNet::supernet);
    match wider.take(slack(address)).find(|wider| wider.contains(&address)) {
        Some(wider) if wider.prefix_len() >= 8 => BlockMiss::Narrow(wider),
        Some(_) | None => BlockMiss::Outside,
    }
}

/// How many bits a prefix may be too long and still be called a near miss: a digit of the address
/// as people write it.
fn slack(address: IpAddr) -> usize {
    if address.is_ipv4() { 8 } else { 16 }
}

fn is_of_family(range: IpNet, address: IpAddr) -> bool {
    range.addr().is_ipv4() == address.is_ipv4()
}
