//! What a node must program: for each of its pods and directions, the peers and ports that pass.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use crate::{
    policy::{Block, PortRange, Protocol},
    world::ObjectName,
};

/// All that one node programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// The rules for its pods as receivers.
    pub ingress: Side,
    /// The rules for its pods as senders.
    pub egress: Side,
}

/// The rules of one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// The node's pods that are known.
    pub subjects: Vec<Subject>,
    /// The other addresses of the node's pod ranges.
    pub strangers: Strangers,
}

/// Addresses that no known pod has. Where anything is isolated they get nothing through: such an
/// address belongs to a pod so new that it is not published yet, and the API wants that isolated
/// from its first instant. A pod that no policy selects waits for a moment too, which the API lets
/// a network do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strangers {
    /// The ranges of addresses of the node's pods.
    pub ranges: Vec<IpNet>,
    /// Their isolation in the direction of the [`Side`].
    pub isolation: Isolation,
}

/// A pod of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The pod's name, as a comment for people who read the rules on the node.
    pub name: ObjectName,
    /// The addresses to which no other pod has a better claim.
    pub addresses: BTreeSet<IpAddr>,
    /// The pod's isolation in the direction of the [`Side`].
    pub isolation: Isolation,
}

/// Whether policies decide about a pod's connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// No policy covers the pod: everything passes.
    #[default]
    Open,
    /// Only what is let through passes.
    Isolated(Isolated),
}

/// What an isolated pod may do. Exemptions come before denials, and denials before what is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Isolated {
    /// What passes without being enforced.
    pub exempt: Vec<Allow>,
    /// Peers that are denied whatever is allowed.
    pub denied: Vec<IpNet>,
    /// What the policies allow.
    pub allowed: Vec<Allow>,
    /// What becomes of everything else.
    pub manner: Manner,
}

/// How denied packets are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// The answer that the sender gets.
    pub denial: Denial,
    /// Whether a deny ends connections that exist.
    pub existing: Existing,
}

/// The answer to denied packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Denial {
    /// No answer: the packet is dropped.
    #[default]
    Drop,
    /// A reset to TCP, an ICMP port unreachable to the rest.
    Reset,
    /// An ICMP error: administratively prohibited.
    Prohibited,
}

/// What a new deny means for connections that exist. The API leaves it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Existing connections are judged packet by packet, as if they were new.
    #[default]
    Judged,
    /// Existing connections go on under a new deny.
    Kept,
}

/// Any of these peers on any of these ports; without any peer, or without any port, nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// The other ends of the connections.
    pub peers: PeerSet,
    /// The receiver's ports, by protocol.
    pub ports: PortSet,
}

/// Peers as packets show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerSet {
    /// Any address, of either family.
    Anyone,
    /// The addresses of pods.
    Addresses(BTreeSet<IpAddr>),
    /// A range, matched against pods as against any other address.
    Block(Block),
}

/// Ports as packets show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortSet {
    /// Every port of every protocol, and protocols without ports.
    All,
    /// Any one of these ports.
    OneOf(Numbers),
}

/// Ports by protocol and number.
pub type Numbers = BTreeSet<(Protocol, PortRange)>;

impl Ruleset {
    /// Whether a new connection gets through what this node programs.
    pub fn passes(&self, from: IpAddr, to: IpAddr, port: (Protocol, u16)) -> bool {
        self.egress.admits(from, to, port) && self.ingress.admits(to, from, port)
    }
}

impl Side {
    fn admits(&self, subject: IpAddr, peer: IpAddr, port: (Protocol, u16)) -> bool {
        let known = self.subjects.iter().find(|one| one.addresses.contains(&subject));
        let is_stranger = || self.strangers.ranges.iter().any(|range| range.contains(&subject));
        match known {
            Some(known) => known.isolation.admits(peer, port),
            None => !is_stranger() || self.strangers.isolation.admits(peer, port),
        }
    }
}

impl Isolation {
    fn admits(&self, peer: IpAddr, port: (Protocol, u16)) -> bool {
        match self {
            Self::Open => true,
            Self::Isolated(isolated) => isolated.admits(peer, port),
        }
    }
}

impl Isolated {
    fn admits(&self, peer: IpAddr, port: (Protocol, u16)) -> bool {
        let any = |allows: &[Allow]| allows.iter().any(|allow| allow.admits(peer, port));
        let denied = self.denied.iter().any(|range| range.contains(&peer));
        any(&self.exempt) || (!denied && any(&self.allowed))
    }
}

impl Allow {
    fn admits(&self, peer: IpAddr, port: (Protocol, u16)) -> bool {
        self.peers.contains(peer) && self.ports.contains(port)
    }
}

impl PortSet {
    /// Whether the port is in the set.
    pub fn contains(&self, (protocol, number): (Protocol, u16)) -> bool {
        match self {
            Self::All => true,
            Self::OneOf(numbers) => numbers
                .iter()
                .any(|(of, range)| *of == protocol && (range.first..=range.last).contains(&number)),
        }
    }
}

impl PeerSet {
    /// Whether the address is in the set.
    pub fn contains(&self, address: IpAddr) -> bool {
        match self {
            Self::Anyone => true,
            Self::Addresses(addresses) => addresses.contains(&address),
            Self::Block(block) => block.contains(address),
        }
    }
}
