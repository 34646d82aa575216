//! Names what can be attempted: a flow from one end to another, on a port.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

/// A transport protocol, as the API spells it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// Transmission Control Protocol, the API's default.
    #[default]
    Tcp,
    /// User Datagram Protocol, where no answer is no proof that nobody listens.
    Udp,
    /// Stream Control Transmission Protocol.
    Sctp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

/// A port of the receiver: the pod's own, never a Service's.
///
/// ```
/// use netproof_conformance::flow::{Port, Protocol};
///
/// assert_eq!(Port { number: 53, protocol: Protocol::Udp }.to_string(), "53/UDP");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Port {
    /// From 1 to 65535, as the receiving pod sees it.
    pub number: u16,
    /// The protocol that the number belongs to.
    pub protocol: Protocol,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol)
    }
}

/// The family of an IP address. A policy's block of one family never matches the other.
///
/// ```
/// use netproof_conformance::flow::Family;
///
/// assert_eq!(Family::of([10, 0, 0, 1].into()), Family::IPv4);
/// assert_eq!(Family::of("::ffff:10.0.0.1".parse()?), Family::IPv4);
/// assert_eq!(Family::IPv6.to_string(), "IPv6");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// Internet Protocol, version 4.
    IPv4,
    /// Internet Protocol, version 6.
    IPv6,
}

impl Family {
    /// The family of an address. An IPv4 address in the spelling of IPv6 (`::ffff:10.0.0.1`) is of
    /// IPv4, as on the wire.
    pub fn of(address: IpAddr) -> Self {
        if address.to_canonical().is_ipv4() { Self::IPv4 } else { Self::IPv6 }
    }

    /// The stable word for reports: `IPv4` or `IPv6`, as in the API's `ipFamilies`.
    pub fn word(self) -> &'static str {
        match self {
            Self::IPv4 => "IPv4",
            Self::IPv6 => "IPv6",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Which side of a flow a rule speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// What a subject receives.
    Ingress,
    /// What a subject sends.
    Egress,
}

impl Direction {
    /// The sender's side, then the receiver's: as a flow passes them.
    pub(crate) const BOTH: [Self; 2] = [Self::Egress, Self::Ingress];
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        })
    }
}

/// A pod of one [`Snapshot`](crate::snapshot::Snapshot): its place in `pods`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(pub u32);

/// An end of a flow: a pod, or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// A pod of the snapshot.
    Pod(PodId),
    /// An address, and nothing but an address: no selector matches it, even if a pod has it. A flow
    /// to or from that pod has [`End::Pod`].
    Address(IpAddr),
}

/// A connection, or a datagram, that can be attempted.
///
/// ```
/// use netproof_conformance::flow::{End, Flow, PodId, Port, Protocol};
///
/// // From the first pod of a snapshot to a name server outside of the cluster.
/// let flow = Flow {
///     from: End::Pod(PodId(0)),
///     to: End::Address([192, 0, 2, 53].into()),
///     port: Port { number: 53, protocol: Protocol::Udp },
///     family: None,
/// };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The end that opens the connection, or sends first.
    pub from: End,
    /// The end that the connection is opened to.
    pub to: End,
    /// The port that the receiver listens on.
    pub port: Port,
    /// The family of addresses that is asked for; none for that of the first of the receiver's
    /// addresses with a family that the sender has too.
    pub family: Option<Family>,
}
