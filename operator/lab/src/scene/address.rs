//! The addresses that nodes have, and that pods get if the objects give them none.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::IpFamilies;

/// The most nodes for which there are addresses.
pub(super) const MOST_NODES: usize = 254;

/// The most pods of a node for which there are addresses.
pub(super) const MOST_PODS: usize = 253;

/// The address of a node, by its place in [`Scene::nodes`](super::Scene::nodes).
pub fn node_address(node: usize) -> Ipv4Addr {
    let number = u16::try_from(node + 1).expect("few nodes");
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(172, 31, high, low)
}

/// The IPv4 range from which a node's pods get addresses if the objects give them none.
pub fn pod_range(node: usize) -> ipnet::Ipv4Net {
    let third = u8::try_from(node + 1).expect("few nodes");
    ipnet::Ipv4Net::new(Ipv4Addr::new(10, 244, third, 0), 24).expect("24 is a length")
}

/// The IPv6 range from which a node's pods get addresses if the objects give them none.
pub fn pod_range_v6(node: usize) -> ipnet::Ipv6Net {
    let third = u16::try_from(node + 1).expect("few nodes");
    let first = Ipv6Addr::new(0xfd00, 0x244, third, 0, 0, 0, 0, 0);
    ipnet::Ipv6Net::new(first, 64).expect("64 is a length")
}

/// The first addresses of a node that are not used; none if all are.
pub(super) fn free(
    node: usize,
    families: IpFamilies,
    used: &BTreeSet<IpAddr>,
) -> Option<Vec<IpAddr>> {
    let mut all = (2..=254).map(|pod| addresses(node, pod, families));
    all.find(|addresses| addresses.iter().all(|address| !used.contains(address)))
}

fn addresses(node: usize, pod: u8, families: IpFamilies) -> Vec<IpAddr> {
    let mut octets = pod_range(node).addr().octets();
    octets[3] = pod;
    let mut segments = pod_range_v6(node).addr().segments();
    segments[7] = pod.into();
    let (v4, v6) = (IpAddr::from(octets), IpAddr::from(segments));
    match families {
        IpFamilies::V4 => vec![v4],
        IpFamilies::V6 => vec![v6],
        IpFamilies::Dual => vec![v4, v6],
    }
}
