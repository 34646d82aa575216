//! Makes up addresses for pods that were only written down and never got any.
//!
//! A policy's block of addresses is meant for what is outside of the cluster, so that such a pod's
//! address must not lie in one by accident. The addresses are therefore taken from ranges that
//! clusters rarely use, and none of them lies in any block, or in an exception from one, that a
//! policy of the input names, but for a block that has the whole family (`0.0.0.0/0`), in which
//! every address lies. Where nothing is left, a pod stays without one, and flows to and from it
//! without an answer.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::{
    flow::Family,
    policy::{
        Isolation, Peer, Peers, Policy,
        cluster::{ClusterPeer, ClusterPolicy},
    },
};

/// Shared address space (RFC 6598), the range for benchmarks (RFC 2544), and the reserved one.
const IPV4: [Ipv4Net; 3] = [
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15),
    Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 5),
];

/// The prefix to discard (RFC 6666), and the one for documentation (RFC 3849).
const IPV6: [Ipv6Net; 2] = [
    Ipv6Net::new_assert(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64),
    Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
];

/// Hands out addresses of one family, each once.
pub(super) struct Pool {
    ranges: std::vec::IntoIter<IpNet>,
    /// The next and the last address of the range that is being used; none if no range is left.
    rest: Option<(u128, u128)>,
    family: Family,
    /// The first and the last address of each range that must not be used.
    avoided: Vec<(u128, u128)>,
    taken: BTreeSet<u128>,
}

impl Pool {
    /// A pool that has none of these addresses, and none that a policy's blocks tell from others.
    pub(super) fn new(family: Family, networks: &[IpNet], taken: &BTreeSet<IpAddr>) -> Self {
        let ranges: Vec<IpNet> = match family {
            Family::IPv4 => IPV4.map(IpNet::V4).to_vec(),
            Family::IPv6 => IPV6.map(IpNet::V6).to_vec(),
        };
        let avoided = networks
            .iter()
            .copied()
            .filter(|network| network.prefix_len() > 0 && Family::of(network.network()) == family);
        let avoided: Vec<IpNet> = avoided.collect();
        let avoided = IpNet::aggregate(&avoided).into_iter();
        let avoided = avoided.map(|net| (number(net.network()), number(net.broadcast())));
        let taken = taken.iter().map(IpAddr::to_canonical);
        Self {
            ranges: ranges.into_iter(),
            rest: None,
            family,
            avoided: avoided.collect(),
            taken: taken.filter(|one| Family::of(*one) == family).map(number).collect(),
        }
    }

    /// The next address; none when the pool is empty.
    pub(super) fn next(&mut self) -> Option<IpAddr> {
        loop {
            let Some((next, last)) = self.rest.filter(|(next, last)| next <= last) else {
                let range = self.ranges.next()?;
                // The first and the last of a range stay unused, as in a network.
                self.rest = Some((number(range.network()) + 1, number(range.broadcast()) - 1));
                continue;
            };
            let block = self.avoided.iter().find(|(from, to)| (*from..=*to).contains(&next));
            let after = block.map_or(next, |(_, to)| *to) + 1;
            self.rest = Some((after, last));
            if block.is_none() && !self.taken.contains(&next) {
                return Some(address(next, self.family));
            }
        }
    }
}

/// All ranges that policies name, with their exceptions.
pub(super) fn networks(
    policies: &[Policy],
    cluster_policies: &[ClusterPolicy],
) -> impl Iterator<Item = IpNet> {
    let directions = policies.iter().flat_map(|policy| [&policy.ingress, &policy.egress]);
    let rules = directions.flat_map(|isolation| match isolation {
        Isolation::Open => [].as_slice(),
        Isolation::Isolated(rules) => rules.as_slice(),
    });
    let peers = rules.flat_map(|rule| match &rule.peers {
        Peers::Everyone => [].as_slice(),
        Peers::Only(peers) => peers.as_slice(),
    });
    let blocks = peers.filter_map(|peer| match peer {
        Peer::Addresses(block) => Some(block),
        Peer::Pods { .. } => None,
    });
    let blocks =
        blocks.flat_map(|block| [block.cidr].into_iter().chain(block.except.iter().copied()));
    // Only egress rules of policies of the cluster have peers by networks.
    let peers = cluster_policies.iter().flat_map(|policy| &policy.egress);
    let ranges = peers.flat_map(|rule| &rule.peers).filter_map(|peer| match peer {
        ClusterPeer::Networks(ranges) => Some(ranges),
        ClusterPeer::Pods(_)
        | ClusterPeer::Nodes(_)
        | ClusterPeer::DomainNames(_)
        | ClusterPeer::Unknown(_) => None,
    });
    blocks.chain(ranges.flatten().copied())
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// The inverse of [`number`]; all numbers come from addresses of the family.
fn address(number: u128, family: Family) -> IpAddr {
    match family {
        Family::IPv4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))),
        Family::IPv6 => IpAddr::V6(Ipv6Addr::from(number)),
    }
}
