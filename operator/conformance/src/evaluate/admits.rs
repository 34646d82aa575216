//! Answers, for one side of a flow and one reading, what peers and ports match.

use std::net::IpAddr;

use super::{
    ends::{Applying, Ends, Resolved, is_host},
    reading::{Liberty, Reading},
};
use crate::{
    expected::Unspecified,
    flow::Direction,
    pod::{ContainerKind, Pod},
    policy::{
        MatchedPorts, Namespaces, Peer, PortMatch,
        cluster::{ClusterPeer, ClusterPolicy, ClusterPort, ClusterPorts, ClusterRule},
    },
};

/// One side of a flow, where policies apply.
pub(crate) struct Side<'a> {
    pub(crate) ends: &'a Ends<'a>,
    reading: Reading,
    pub(crate) direction: Direction,
    /// The policies that apply to the subject.
    pub(super) policies: &'a Applying<'a>,
    pub(crate) subject: &'a Pod,
    peer: &'a Resolved<'a>,
}

/// Whether a rule of a cluster policy matches.
pub(crate) enum Match {
    No,
    /// The rule matches, by this peer and this port.
    Yes {
        /// The place in the list of peers.
        peer: usize,
        /// The place in the list of ports, if there is one.
        port: Option<usize>,
    },
    /// It is not known whether it matches, and why not.
    Maybe(Unspecified),
}

/// Whether one element of a list matches.
pub(crate) enum Element {
    No,
    Yes,
    /// It is not known whether it matches, and why not.
    Maybe(Unspecified),
}

impl Element {
    fn of(matches: bool) -> Self {
        if matches { Self::Yes } else { Self::No }
    }
}

impl<'a> Side<'a> {
    /// The side of a flow in this direction; none where no policy can apply to it.
    pub(crate) fn of(ends: &'a Ends<'a>, reading: Reading, direction: Direction) -> Option<Self> {
        let (own, peer, from_or_to_node) = match direction {
            Direction::Ingress => (&ends.to, &ends.from, ends.is_from_own_node()),
            Direction::Egress => {
                let exempt = ends.is_to_own_node() && reading.takes(Liberty::ExemptsOwnNode);
                (&ends.from, &ends.to, exempt)
            }
        };
        let to_itself = ends.same_pod && reading.takes(Liberty::ExemptsItself);
        let subject = own.pod(reading).filter(|_| !to_itself && !from_or_to_node)?;
        Some(Self { ends, reading, direction, policies: &own.policies, subject, peer })
    }

    /// The pod that policies see at the other end.
    pub(crate) fn peer(&self) -> Option<&'a Pod> {
        self.peer.pod(self.reading)
    }

    /// The address at the other end.
    pub(crate) fn peer_address(&self) -> IpAddr {
        self.peer.address
    }

    /// The receiver, if it is a pod: its containers name ports, whichever side this is.
    pub(crate) fn receiver(&self) -> Option<&'a Pod> {
        self.ends.to.pod(self.reading)
    }

    /// Whether a peer of a `NetworkPolicy` of that namespace is at the other end.
    pub(crate) fn is_peer(&self, peer: &Peer, own_namespace: &str) -> bool {
        match peer {
            Peer::Addresses(block) => block.contains(self.peer.address),
            Peer::Pods { namespaces, pods } => self.peer().is_some_and(|pod| {
                pods.matches(&pod.labels) && self.is_among(namespaces, own_namespace, pod)
            }),
        }
    }

    /// Whether a pod is in one of the namespaces that a policy of `own_namespace` names.
    pub(crate) fn is_among(&self, namespaces: &Namespaces, own_namespace: &str, pod: &Pod) -> bool {
        match namespaces {
            Namespaces::Own => pod.name.namespace == own_namespace,
            Namespaces::Matching(selector) => pod.is_in(selector, &self.ends.snapshot.namespaces),
        }
    }

    /// Whether a port of a `NetworkPolicy` is the flow's.
    pub(crate) fn is_port(&self, port: &PortMatch) -> bool {
        let asked = self.ends.port;
        port.protocol == asked.protocol
            && match &port.numbers {
                MatchedPorts::Any => true,
                MatchedPorts::Range { first, last } => (*first..=*last).contains(&asked.number),
                MatchedPorts::Named(name) => self.is_named(name),
            }
    }

    /// Whether the receiving pod's containers give the flow's port this name. They count in a rule
    /// for egress too.
    fn is_named(&self, name: &str) -> bool {
        let Some(receiver) = self.receiver() else {
            return self.reading.takes(Liberty::NamesMatchOutside);
        };
        receiver.named_ports.iter().any(|port| {
            port.name == name
                && (port.number, port.protocol) == (self.ends.port.number, self.ends.port.protocol)
                && match port.container {
                    ContainerKind::Regular => true,
                    ContainerKind::Init => self.reading.takes(Liberty::InitPortsResolve),
                }
        })
    }

    /// The policies of the cluster that apply to the subject. In no reading are pods of the host's
    /// network subjects: the API excludes them by name.
    pub(crate) fn cluster_policies(&self) -> &'a [&'a ClusterPolicy] {
        if is_host(self.subject) { &[] } else { &self.policies.cluster }
    }

    /// Whether a rule of a cluster policy matches the flow.
    pub(crate) fn matches(&self, rule: &ClusterRule) -> Match {
        let peer = first(rule.peers.iter().map(|peer| self.is_cluster_peer(peer)));
        let port = match &rule.ports {
            ClusterPorts::All => None,
            ClusterPorts::Only(ports) => {
                Some(first(ports.iter().map(|port| self.is_cluster_port(port))))
            }
        };
        match (peer, port) {
            (ListMatch::No, _) | (_, Some(ListMatch::No)) => Match::No,
            (ListMatch::At(peer), None) => Match::Yes { peer, port: None },
            (ListMatch::At(peer), Some(ListMatch::At(port))) => {
                Match::Yes { peer, port: Some(port) }
            }
            (ListMatch::Maybe(why), _) | (_, Some(ListMatch::Maybe(why))) => Match::Maybe(why),
        }
    }

    /// Whether a peer of a policy of the cluster is at the other end.
    pub(crate) fn is_cluster_peer(&self, peer: &ClusterPeer) -> Element {
        let pod = self.peer.pod(Reading::LITERAL).filter(|pod| !is_host(pod));
        match peer {
            ClusterPeer::Pods(wanted) => Element::of(
                pod.is_some_and(|pod| wanted.matches(pod, &self.ends.snapshot.namespaces)),
            ),
            ClusterPeer::Networks(ranges) => {
                if ranges.iter().any(|range| range.contains(&self.peer.address)) {
                    Element::Maybe(Unspecified::NetworksPeer)
                } else {
                    Element::No
                }
            }
            // A pod with an address of its own is no node.
            ClusterPeer::Nodes(_) if pod.is_some() => Element::No,
            ClusterPeer::Nodes(_) => Element::Maybe(Unspecified::NodesPeer),
            ClusterPeer::DomainNames(_) => Element::Maybe(Unspecified::DomainNamesPeer),
            ClusterPeer::Unknown(_) => Element::Maybe(Unspecified::UnknownField),
        }
    }

    /// Whether a port of a policy of the cluster is the flow's.
    pub(crate) fn is_cluster_port(&self, port: &ClusterPort) -> Element {
        let asked = self.ends.port;
        match port {
            ClusterPort::Range { protocol, first, last } => {
                Element::of(*protocol == asked.protocol && (*first..=*last).contains(&asked.number))
            }
            ClusterPort::Named(name) => Element::of(self.is_named(name)),
            ClusterPort::Unknown(_) => Element::Maybe(Unspecified::UnknownField),
        }
    }
}

/// The first element of a list that matches, or may.
enum ListMatch {
    No,
    At(usize),
    Maybe(Unspecified),
}

/// The first element that matches; where none does for certain, the first that may.
fn first(elements: impl Iterator<Item = Element>) -> ListMatch {
    let mut found = ListMatch::No;
    for (index, element) in elements.enumerate() {
        match (element, &found) {
            (Element::Yes, _) => return ListMatch::At(index),
            (Element::Maybe(why), ListMatch::No) => found = ListMatch::Maybe(why),
            (Element::Maybe(_) | Element::No, _) => {}
        }
    }
    found
}
