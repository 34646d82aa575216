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
    /// Where an address that is no subject's gets nothing through: it belongs to a pod so new that
    /// its address is not published yet, and the API wants it isolated from its first instant. A
    /// pod that no policy selects waits for a moment too, which the API lets a network do.
    pub held: Vec<IpNet>,
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

/// Whether policies decide about a pod's new connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// No policy covers it.
    Open,
    /// Only what one of these lets through.
    Isolated(Vec<Allow>),
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
