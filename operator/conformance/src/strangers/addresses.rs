//! Sorts addresses into ranges that no block tells apart.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use crate::flow::Family;

/// How many blocks are told one by one at most.
const FEW: usize = 6;

/// Addresses that no block tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range {
    pub(super) family: Family,
    first: u128,
    last: u128,
}

impl Range {
    /// The address that speaks for the range.
    pub(super) fn address(self) -> IpAddr {
        address(self.family, self.first)
    }

    /// The only address of the range; none if it has more.
    pub(super) fn only(self) -> Option<IpAddr> {
        (self.first == self.last).then(|| self.address())
    }

    fn size(self) -> u128 {
        self.last - self.first
    }

    /// Addresses of the range, each once.
    fn addresses(self) -> impl Iterator<Item = IpAddr> {
        // The first address may be that of a network, and nobody has it.
        (self.first..=self.last).skip(1).map(move |number| address(self.family, number))
    }
}

/// All addresses of both families, in ranges that these blocks do not tell apart, but for those of
/// IPv4 in the spelling of IPv6.
pub(super) fn ranges(blocks: &BTreeSet<IpNet>) -> Vec<Range> {
    let mut ranges = Vec::new();
    for (family, most) in [(Family::IPv4, u128::from(u32::MAX)), (Family::IPv6, u128::MAX)] {
        let mut begins = BTreeSet::from([0]);
        if family == Family::IPv6 {
            let (first, last) = mapped();
            begins.extend([first, last + 1]);
        }
        for block in blocks.iter().filter(|block| of(block) == family) {
            let (first, last) = ends(block);
            begins.insert(first);
            begins.extend(last.checked_add(1).filter(|next| *next <= most));
        }
        let lasts = begins.iter().skip(1).map(|next| next - 1).chain([most]);
        let both = begins.iter().zip(lasts.collect::<Vec<_>>());
        ranges.extend(both.map(|(first, last)| Range { family, first: *first, last }));
    }
    let (first, last) = mapped();
    ranges.retain(|range| {
        range.family == Family::IPv4 || !(range.first >= first && range.last <= last)
    });
    ranges
}

/// Addresses for pods, of which no block tells one from another: in no block at all, if there are
/// such.
pub(super) fn for_pods(ranges: &[Range], blocks: &BTreeSet<IpNet>) -> Vec<IpAddr> {
    const COUNT: usize = 4096;
    let is_free = |range: &&Range| !blocks.iter().any(|block| block.contains(&range.address()));
    let free = ranges.iter().filter(is_free);
    // Of IPv4, if there are as many as it takes; a range of IPv6 never is too small.
    let enough = |range: &&Range| range.size() > COUNT as u128;
    let range = free.min_by_key(|range| (!enough(range), range.family, u128::MAX - range.size()));
    match range.or_else(|| ranges.iter().max_by_key(|range| range.size())) {
        Some(range) => range.addresses().take(COUNT).collect(),
        None => Vec::new(),
    }
}

/// Some of all ranges in words, for people.
pub(super) fn words(some: &[Range], all: &[Range]) -> Vec<String> {
    let families = [Family::IPv4, Family::IPv6];
    let of = |ranges: &[Range], family| -> Vec<Range> {
        ranges.iter().copied().filter(|range| range.family == family).collect()
    };
    if some.len() == all.len() {
        return vec!["every address outside".to_owned()];
    }
    let words = families.into_iter().filter_map(|family| {
        let (some, all) = (of(some, family), of(all, family));
        if some.is_empty() {
            return None;
        }
        if some.len() == all.len() {
            return Some(format!("every {family} address outside"));
        }
        let rest: Vec<Range> = all.into_iter().filter(|range| !some.contains(range)).collect();
        let (inside, outside) = (blocks(&some), blocks(&rest));
        if inside.len() <= outside.len() || outside.len() > FEW {
            Some(format!("addresses in {}", few(&inside)))
        } else {
            Some(format!("every {family} address outside of {}", few(&outside)))
        }
    });
    words.collect()
}

fn few(blocks: &[IpNet]) -> String {
    let told: Vec<String> = blocks.iter().take(FEW).map(ToString::to_string).collect();
    match blocks.len().saturating_sub(FEW) {
        0 => told.join(", "),
        more => format!("{} and {more} more blocks", told.join(", ")),
    }
}

/// The blocks that ranges of one family make up.
fn blocks(ranges: &[Range]) -> Vec<IpNet> {
    let mut joined: Vec<Range> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.last.checked_add(1) == Some(range.first) => last.last = range.last,
            Some(_) | None => joined.push(*range),
        }
    }
    let blocks = joined.into_iter().flat_map(|Range { family, first, last }| -> Vec<IpNet> {
        match (address(family, first), address(family, last)) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect()
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect()
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Vec::new(),
        }
    });
    blocks.collect()
}

/// The first and the last address of IPv4 in the spelling of IPv6.
fn mapped() -> (u128, u128) {
    let first = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().to_bits();
    (first, first + u128::from(u32::MAX))
}

fn of(block: &IpNet) -> Family {
    match block {
        IpNet::V4(_) => Family::IPv4,
        IpNet::V6(_) => Family::IPv6,
    }
}

fn ends(block: &IpNet) -> (u128, u128) {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    };
    (number(block.network()), number(block.broadcast()))
}

fn address(family: Family, number: u128) -> IpAddr {
    match family {
        Family::IPv4 => {
            Ipv4Addr::from_bits(u32::try_from(number).expect("it is within the family")).into()
        }
        Family::IPv6 => Ipv6Addr::from_bits(number).into(),
    }
}
