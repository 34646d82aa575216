//! Which addresses nodes and pods have, where the objects give them none.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::IpFamilies;

/// For so many nodes there are addresses.
pub(super) const MOST_NODES: usize = 254;

/// For so many pods of a node.
pub(super) const MOST_PODS: usize = 253;

/// The address of a node.
pub fn node_address(node: usize) -> Ipv4Addr {
    let number = u16::try_from(node + 1).expect("few nodes");
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(172, 31, high, low)
}

/// The range in which a node's pods get addresses, where the objects give them none.
pub fn pod_range(node: usize) -> ipnet::Ipv4Net {
    let third = u8::try_from(node + 1).expect("few nodes");
    ipnet::Ipv4Net::new(Ipv4Addr::new(10, 244, third, 0), 24).expect("24 is a length")
}

/// The same of IPv6.
pub fn pod_range_v6(node: usize) -> ipnet::Ipv6Net {
    let third = u16::try_from(node + 1).expect("few nodes");
    let first = Ipv6Addr::new(0xfd00, 0x244, third, 0, 0, 0, 0, 0);
    ipnet::Ipv6Net::new(first, 64).expect("64 is a length")
}

/// The first addresses of a node that are nobody's.
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
