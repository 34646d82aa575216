//! What a node must program: for each of its pods and directions, who gets through.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use crate::{
    policy::{Block, PortRange, Protocol},
    world::ObjectName,
};

/// All that one node programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// For its pods as receivers.
    pub ingress: Side,
    /// For its pods as senders.
    pub egress: Side,
}

/// One direction of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// The node's pods.
    pub subjects: Vec<Subject>,
    /// Whoever else has an address of the node's pods.
    pub strangers: Strangers,
}

/// Addresses that are no subject's. Where anything is isolated they get nothing through: such an
/// address belongs to a pod so new that it is not published yet, and the API wants that isolated
/// from its first instant. A pod that no policy selects waits for a moment too, which the API lets
/// a network do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strangers {
    /// Where they are.
    pub ranges: Vec<IpNet>,
    /// In the direction of their [`Side`].
    pub isolation: Isolation,
}

/// A pod of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// For whoever reads the rules on the node.
    pub name: ObjectName,
    /// Those that no other pod has a better claim to.
    pub addresses: BTreeSet<IpAddr>,
    /// In the direction of its [`Side`].
    pub isolation: Isolation,
}

/// Whether policies decide about a pod's connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// No policy covers it.
    #[default]
    Open,
    /// Only what is let through.
    Isolated(Isolated),
}

/// What an isolated pod may do: what is first among the three decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Isolated {
    /// What is not enforced.
    pub exempt: Vec<Allow>,
    /// Peers that are denied whatever is allowed.
    pub denied: Vec<IpNet>,
    /// What the policies allow.
    pub allowed: Vec<Allow>,
    /// What becomes of the rest.
    pub manner: Manner,
}

/// How denied packets are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// What their sender hears.
    pub denial: Denial,
    /// Whether a connection ends by it.
    pub existing: Existing,
}

/// The answer to what is denied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Denial {
    /// None.
    #[default]
    Drop,
    /// A reset to TCP, an ICMP port unreachable to the rest.
    Reset,
    /// ICMP: administratively prohibited.
    Prohibited,
}

/// What a new deny means for connections that exist. The API leaves it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// They are judged packet by packet, as if they were new.
    #[default]
    Judged,
    /// They go on.
    Kept,
}

/// Any of these peers on any of these ports; with none of one of them, nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// The other ends.
    pub peers: PeerSet,
    /// The receiver's ports.
    pub ports: PortSet,
}

/// Other ends as packets show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerSet {
    /// Any address.
    Anyone,
    /// The addresses of pods.
    Addresses(BTreeSet<IpAddr>),
    /// A range, matched against pods as against any other address.
    Block(Block),
}

/// Ports as packets show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortSet {
    /// Every protocol, those without ports too.
    All,
    /// Any one of these.
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
    /// Whether the port is among them.
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
    /// Whether the address is among them.
    pub fn contains(&self, address: IpAddr) -> bool {
        match self {
            Self::Anyone => true,
            Self::Addresses(addresses) => addresses.contains(&address),
            Self::Block(block) => block.contains(address),
        }
    }
}
