//! Which of two selectors, peers, ports or rules matches all that the other does, as far as can be
//! told from what is written: a no may be wrong, a yes never is.

use ipnet::IpNet;

use crate::{
    policy::{
        IpBlock, MatchedPorts, Namespaces, Peer, Peers, PortMatch, Ports, Rule,
        cluster::{ClusterPeer, ClusterPort, ClusterPorts, ClusterRule},
    },
    select::{NAMESPACE_NAME, Requirement, Selector},
};

pub(super) fn selector(wide: &Selector, narrow: &Selector) -> bool {
    wide.requirements().all(|wanted| narrow.requirements().any(|given| implies(given, wanted)))
}

fn implies(given: &Requirement, wanted: &Requirement) -> bool {
    if given.key() != wanted.key() {
        return false;
    }
    match (given, wanted) {
        (Requirement::In(_, some), Requirement::In(_, all))
        | (Requirement::NotIn(_, all), Requirement::NotIn(_, some)) => some.is_subset(all),
        (Requirement::In(_, some), Requirement::NotIn(_, none)) => some.is_disjoint(none),
        (Requirement::In(..) | Requirement::Exists(_), Requirement::Exists(_))
        | (Requirement::DoesNotExist(_), Requirement::NotIn(..) | Requirement::DoesNotExist(_)) => {
            true
        }
        (_, _) => false,
    }
}

/// Whether one rule admits all that the other does; both are of one policy of the namespace `own`.
pub(super) fn rule(wide: &Rule, narrow: &Rule, own: &str) -> bool {
    ports(&wide.ports, &narrow.ports) && peers(&wide.peers, &narrow.peers, own)
}

fn peers(wide: &Peers, narrow: &Peers, own: &str) -> bool {
    match (wide, narrow) {
        (Peers::Everyone, _) => true,
        (Peers::Only(_), Peers::Everyone) => false,
        (Peers::Only(wide), Peers::Only(narrow)) => {
            narrow.iter().all(|narrow| wide.iter().any(|wide| peer(wide, narrow, own)))
        }
    }
}

fn peer(wide: &Peer, narrow: &Peer, own: &str) -> bool {
    match (wide, narrow) {
        (Peer::Addresses(wide), Peer::Addresses(narrow)) => block(wide, narrow),
        (
            Peer::Pods { namespaces: wide, pods: wide_pods },
            Peer::Pods { namespaces: narrow, pods: narrow_pods },
        ) => selector(wide_pods, narrow_pods) && namespaces(wide, narrow, own),
        (Peer::Addresses(_), Peer::Pods { .. }) | (Peer::Pods { .. }, Peer::Addresses(_)) => false,
    }
}

fn namespaces(wide: &Namespaces, narrow: &Namespaces, own: &str) -> bool {
    let own = || {
        let name = Requirement::In(NAMESPACE_NAME.to_owned(), [own.to_owned()].into());
        Selector::from_iter([name])
    };
    match (wide, narrow) {
        (Namespaces::Own, Namespaces::Own) => true,
        (Namespaces::Own, Namespaces::Matching(narrow)) => selector(&own(), narrow),
        (Namespaces::Matching(wide), Namespaces::Own) => selector(wide, &own()),
        (Namespaces::Matching(wide), Namespaces::Matching(narrow)) => selector(wide, narrow),
    }
}

fn block(wide: &IpBlock, narrow: &IpBlock) -> bool {
    let left_out = |hole: &IpNet| narrow.except.iter().any(|one| one.contains(hole));
    wide.cidr.contains(&narrow.cidr)
        && wide.except.iter().all(|hole| !overlap(hole, &narrow.cidr) || left_out(hole))
}

pub(super) fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

pub(super) fn ports(wide: &Ports, narrow: &Ports) -> bool {
    match (wide, narrow) {
        (Ports::All, _) => true,
        (Ports::Only(_), Ports::All) => false,
        (Ports::Only(wide), Ports::Only(narrow)) => {
            narrow.iter().all(|narrow| wide.iter().any(|wide| port(wide, narrow)))
        }
    }
}

fn port(wide: &PortMatch, narrow: &PortMatch) -> bool {
    wide.protocol == narrow.protocol
        && match (&wide.numbers, &narrow.numbers) {
            (MatchedPorts::Any, _) => true,
            (
                MatchedPorts::Range { first, last },
                MatchedPorts::Range { first: narrow_first, last: narrow_last },
            ) => first <= narrow_first && narrow_last <= last,
            (MatchedPorts::Named(wide), MatchedPorts::Named(narrow)) => wide == narrow,
            (MatchedPorts::Range { .. }, MatchedPorts::Any | MatchedPorts::Named(_))
            | (MatchedPorts::Named(_), MatchedPorts::Any | MatchedPorts::Range { .. }) => false,
        }
}

/// Whether one rule of a policy of the cluster matches all that the other does, whatever their
/// actions.
pub(super) fn cluster_rule(wide: &ClusterRule, narrow: &ClusterRule) -> bool {
    let peers =
        narrow.peers.iter().all(|narrow| wide.peers.iter().any(|wide| cluster_peer(wide, narrow)));
    peers
        && match (&wide.ports, &narrow.ports) {
            (ClusterPorts::All, _) => true,
            (ClusterPorts::Only(_), ClusterPorts::All) => false,
            (ClusterPorts::Only(wide), ClusterPorts::Only(narrow)) => {
                narrow.iter().all(|narrow| wide.iter().any(|wide| cluster_port(wide, narrow)))
            }
        }
}

fn cluster_peer(wide: &ClusterPeer, narrow: &ClusterPeer) -> bool {
    match (wide, narrow) {
        (ClusterPeer::Pods(wide), ClusterPeer::Pods(narrow)) => {
            selector(&wide.pods, &narrow.pods) && selector(&wide.namespaces, &narrow.namespaces)
        }
        (ClusterPeer::Networks(wide), ClusterPeer::Networks(narrow)) => {
            narrow.iter().all(|narrow| wide.iter().any(|wide| wide.contains(narrow)))
        }
        (ClusterPeer::Nodes(wide), ClusterPeer::Nodes(narrow)) => selector(wide, narrow),
        (ClusterPeer::DomainNames(wide), ClusterPeer::DomainNames(narrow)) => {
            narrow.iter().all(|name| wide.contains(name))
        }
        (_, _) => false,
    }
}

fn cluster_port(wide: &ClusterPort, narrow: &ClusterPort) -> bool {
    match (wide, narrow) {
        (
            ClusterPort::Range { protocol, first, last },
            ClusterPort::Range {
                protocol: narrow_protocol,
                first: narrow_first,
                last: narrow_last,
            },
        ) => protocol == narrow_protocol && first <= narrow_first && narrow_last <= last,
        (ClusterPort::Named(wide), ClusterPort::Named(narrow)) => wide == narrow,
        (_, _) => false,
    }
}
