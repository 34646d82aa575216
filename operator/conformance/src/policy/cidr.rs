//! Address ranges as the API server has stored them over the years: with leading zeros, with host
//! bits, with IPv4 in IPv6's clothes (kubernetes#100895, `netutils.ParseCIDRSloppy`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// A range of addresses, as it was written and as it is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cidr {
    /// The range that is meant: host bits masked, and a range of IPv4-mapped addresses
    /// (`::ffff:10.0.0.0/104`) taken for the range of IPv4 that it stands for (`10.0.0.0/8`), as
    /// Go's `net.IPNet` does when it matches.
    pub(super) net: IpNet,
    /// The prefix length as it was written, which is what the API server compares when it wants an
    /// exception to be smaller than its block.
    pub(super) written_length: u8,
}

impl Cidr {
    /// Reads a range; none where the API server would refuse it. A leading zero is just that, never
    /// a mark of octal numbers.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let length = decimal(length)?;
        let address = without_leading_zeros(address);
        let net = match address.parse().ok()? {
            IpAddr::V4(address) => IpNet::new(address.into(), length).ok()?,
            IpAddr::V6(address) => mapped_or_v6(address, length)?,
        };
        Some(Self { net: net.trunc(), written_length: length })
    }
}

/// Only if the prefix covers all that marks an address as mapped, the range is one of IPv4.
fn mapped_or_v6(address: Ipv6Addr, length: u8) -> Option<IpNet> {
    let mapped: Option<(Ipv4Addr, u8)> = address.to_ipv4_mapped().zip(length.checked_sub(96));
    match mapped {
        Some((address, length)) => IpNet::new(address.into(), length),
        None => IpNet::new(address.into(), length),
    }
    .ok()
}

/// The standard parsers refuse `010.0.0.1` and groups of more than four digits.
fn without_leading_zeros(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    let mut rest = address;
    while let Some(first) = rest.chars().next() {
        let digits = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        if digits == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let (group, after) = rest.split_at(digits);
            let significant = group.trim_start_matches('0');
            out.push_str(if significant.is_empty() { "0" } else { significant });
            rest = after;
        }
    }
    out
}

fn decimal(digits: &str) -> Option<u8> {
    let significant = digits.trim_start_matches('0');
    match significant {
        "" if !digits.is_empty() => Some(0),
        _ if digits.bytes().all(|byte| byte.is_ascii_digit()) => significant.parse().ok(),
        _ => None,
    }
}
