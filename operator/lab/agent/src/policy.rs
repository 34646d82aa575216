//! A `NetworkPolicy`, read once: what it isolates, and what it lets through.

mod parse;

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{error::Invalid, select::Selector};

/// The direction of a connection, seen from the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The subject receives, from the peers in `from`.
    Ingress,
    /// The subject sends, to the peers in `to`.
    Egress,
}

/// One `NetworkPolicy`, with the API's defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The policy's own namespace, outside of which it has no subjects.
    pub namespace: String,
    /// The pods of that namespace to which the policy applies: `podSelector`.
    pub subjects: Selector,
    /// Where the directions that it isolates come from.
    pub types: PolicyTypes,
    /// When it was created; `None` for an object from a file.
    pub created: Option<Time>,
    ingress: Option<Vec<Rule>>,
    egress: Option<Vec<Rule>>,
}

/// Where the directions that a policy isolates come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyTypes {
    /// From the policy's `policyTypes`.
    Written,
    /// From the API's default, by the rules that it has.
    Defaulted,
}

impl Policy {
    /// The rules of a direction that the policy isolates (with none, nothing passes), or `None` if
    /// it does not isolate the direction, whatever rules are written there.
    pub fn rules(&self, direction: Direction) -> Option<&[Rule]> {
        match direction {
            Direction::Ingress => self.ingress.as_deref(),
            Direction::Egress => self.egress.as_deref(),
        }
    }

    /// The rules of a direction, to be changed.
    pub(crate) fn rules_mut(&mut self, direction: Direction) -> &mut Option<Vec<Rule>> {
        match direction {
            Direction::Ingress => &mut self.ingress,
            Direction::Egress => &mut self.egress,
        }
    }

    /// The rules of both directions, to be changed.
    pub(crate) fn rules_of_both_mut(&mut self) -> [&mut Option<Vec<Rule>>; 2] {
        [&mut self.ingress, &mut self.egress]
    }
}

/// One entry of `ingress` or `egress`: any of the peers, on any of the ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The entries of `from` or `to`.
    pub peers: Peers,
    /// The entries of `ports`.
    pub ports: Ports,
}

/// The peers that a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peers {
    /// No peers are named: every address there is, pod or not.
    Anyone,
    /// Any one of these peers.
    OneOf(Vec<Peer>),
}

/// One entry of `from` or `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Pods that both selectors select.
    Pods {
        /// The namespaces of the pods.
        namespaces: Namespaces,
        /// The pods there; all of them when the API object has no `podSelector`.
        pods: Selector,
    },
    /// Addresses, whether or not a pod holds them.
    Block(Block),
}

/// The namespaces in which a peer's pods are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespaces {
    /// There is no `namespaceSelector`: the policy's own namespace.
    Own,
    /// The namespaces that the `namespaceSelector` selects.
    Selected(Selector),
}

/// An `ipBlock`: a range of addresses without some parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The range, with its host bits cleared.
    pub range: IpNet,
    /// The parts of the range that this block leaves out; another rule may still allow them.
    pub except: Vec<IpNet>,
}

impl Block {
    /// Whether the address is in the block. An address of the other family never is.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.range.contains(&address) && !self.except.iter().any(|part| part.contains(&address))
    }
}

/// The ports that a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// No ports are named: every port of every protocol.
    All,
    /// Any one of these ports.
    OneOf(Vec<Port>),
}

/// One entry of `ports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The protocol; TCP where the API object names none.
    pub protocol: Protocol,
    /// The ports of that protocol.
    pub target: Target,
}

/// How an entry of `ports` says which ports it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By number; an entry without `port` is all of them.
    Numbers(PortRange),
    /// By the name that the receiving pod gives to one of its ports.
    Named(String),
}

/// Consecutive ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortRange {
    /// The lowest port of the range.
    pub first: u16,
    /// The highest port, never below `first`.
    pub last: u16,
}

impl PortRange {
    /// Every port there is, with 0.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// The range of one port.
    pub fn single(port: u16) -> Self {
        Self { first: port, last: port }
    }
}

/// A transport protocol that policies know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// The default of an entry of `ports`.
    Tcp,
    /// A reply belongs to the exchange that connection tracking has established.
    Udp,
    /// Never opened by a rule for TCP, nor the other way round.
    Sctp,
}

impl FromStr for Protocol {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        match name {
            "TCP" => Ok(Self::Tcp),
            "UDP" => Ok(Self::Udp),
            "SCTP" => Ok(Self::Sctp),
            unknown => Err(Invalid::value("protocol", unknown)),
        }
    }
}

/// A port number as objects write it: 1 to 65535.
pub(crate) fn port_number(field: &'static str, port: i32) -> Result<u16, Invalid> {
    match u16::try_from(port) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Invalid::value(field, &port)),
    }
}
