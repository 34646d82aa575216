//! How nft spells peers, ports and sets.

use std::{collections::BTreeMap, fmt::Display, net::IpAddr};

use ipnet::IpNet;

use crate::{
    policy::{Block, PortRange, Protocol},
    ruleset::{Numbers, PeerSet, PortSet},
};

/// Matches of which one must hold, each empty or followed by a space.
pub(super) fn peer_matches(peers: &PeerSet, end: &str) -> Vec<String> {
    match peers {
        PeerSet::Anyone => vec![String::new()],
        PeerSet::Addresses(addresses) => {
            by_family(addresses.iter().map(|address| (Family::of(*address), address)))
                .into_iter()
                .map(|(family, addresses)| format!("{} {} ", family.field(end), set(addresses)))
                .collect()
        }
        PeerSet::Block(block) => vec![block_match(block, end)],
    }
}

fn block_match(block: &Block, end: &str) -> String {
    let field = Family::of(block.range.addr()).field(end);
    let except = outermost(&block.except);
    if except.is_empty() {
        format!("{field} {} ", block.range)
    } else {
        format!("{field} {} {field} != {} ", block.range, set(except))
    }
}

/// A match for each family of these ranges, followed by a space.
pub(super) fn matches(ranges: &[IpNet], end: &str) -> Vec<String> {
    let families = by_family(ranges.iter().map(|range| (Family::of(range.addr()), range)));
    let spelled =
        |(family, ranges): (Family, Vec<_>)| format!("{} {} ", family.field(end), set(ranges));
    families.into_iter().map(spelled).collect()
}

/// The ranges that lie in no other one: nft takes no set with elements that overlap.
pub(super) fn outermost(ranges: &[IpNet]) -> Vec<IpNet> {
    let mut ranges = ranges.to_vec();
    ranges.sort_by_key(IpNet::prefix_len);
    let mut outer = Vec::<IpNet>::new();
    for range in ranges {
        if !outer.iter().any(|wider| wider.contains(&range)) {
            outer.push(range);
        }
    }
    outer
}

/// Matches of which one must hold, each empty or followed by a space.
pub(super) fn port_matches(ports: &PortSet) -> Vec<String> {
    match ports {
        PortSet::All => vec![String::new()],
        PortSet::OneOf(numbers) => [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
            .into_iter()
            .filter_map(|protocol| protocol_match(protocol, numbers))
            .collect(),
    }
}

fn protocol_match(protocol: Protocol, numbers: &Numbers) -> Option<String> {
    let keyword = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    };
    let ranges = numbers.iter().filter(|(of, _)| *of == protocol).map(|(_, range)| *range);
    match merged(ranges).as_slice() {
        [] => None,
        [PortRange::ALL] => Some(format!("meta l4proto {keyword} ")),
        ranges => Some(format!("{keyword} dport {} ", set(ranges.iter().copied().map(port_range)))),
    }
}

fn port_range(range: PortRange) -> String {
    if range.first == range.last {
        range.first.to_string()
    } else {
        format!("{}-{}", range.first, range.last)
    }
}

/// The same ports as ranges that do not overlap, from ranges in ascending order.
fn merged(ranges: impl Iterator<Item = PortRange>) -> Vec<PortRange> {
    let mut merged = Vec::<PortRange>::new();
    for range in ranges {
        match merged.last_mut() {
            Some(before) if range.first <= before.last => before.last = before.last.max(range.last),
            Some(_) | None => merged.push(range),
        }
    }
    merged
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// nft's name for one end of a packet of this family, which matches no packet of the other
    /// family.
    pub(super) fn field(self, end: &str) -> String {
        match self {
            Self::V4 => format!("ip {end}"),
            Self::V6 => format!("ip6 {end}"),
        }
    }
}

pub(super) fn by_family<T>(items: impl Iterator<Item = (Family, T)>) -> BTreeMap<Family, Vec<T>> {
    let mut families = BTreeMap::<_, Vec<_>>::new();
    for (family, item) in items {
        families.entry(family).or_default().push(item);
    }
    families
}

pub(super) fn set(elements: impl IntoIterator<Item = impl Display>) -> String {
    let elements: Vec<_> = elements.into_iter().map(|element| element.to_string()).collect();
    format!("{{ {} }}", elements.join(", "))
}
