//! A `NetworkPolicy`, read once: what it isolates, and what it lets through.

mod parse;

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{error::Invalid, select::Selector};

/// The way of a connection, seen from the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The subject receives.
    Ingress,
    /// The subject sends.
    Egress,
}

/// One `NetworkPolicy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its own namespace: it has subjects nowhere else.
    pub namespace: String,
    /// The pods of that namespace that it is about.
    pub subjects: Selector,
    /// Whether the directions that it isolates are written in it.
    pub types: PolicyTypes,
    /// `None` for an object from a file.
    pub created: Option<Time>,
    ingress: Option<Vec<Rule>>,
    egress: Option<Vec<Rule>>,
}

/// Where the directions that a policy isolates come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyTypes {
    /// From its `policyTypes`.
    Written,
    /// From the API's default, by the rules that it has.
    Defaulted,
}

impl Policy {
    /// What it lets through in a direction that it isolates (with no rule: nothing), or `None`
    /// where it isolates nothing, whatever rules are written there.
    pub fn rules(&self, direction: Direction) -> Option<&[Rule]> {
        match direction {
            Direction::Ingress => self.ingress.as_deref(),
            Direction::Egress => self.egress.as_deref(),
        }
    }

    /// The same, to be changed.
    pub(crate) fn rules_mut(&mut self, direction: Direction) -> &mut Option<Vec<Rule>> {
        match direction {
            Direction::Ingress => &mut self.ingress,
            Direction::Egress => &mut self.egress,
        }
    }

    /// The same of both directions at once.
    pub(crate) fn rules_of_both_mut(&mut self) -> [&mut Option<Vec<Rule>>; 2] {
        [&mut self.ingress, &mut self.egress]
    }
}

/// One entry of `ingress` or `egress`: any of the peers, on any of the ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `from` or `to`.
    pub peers: Peers,
    /// `ports`.
    pub ports: Ports,
}

/// The other ends that a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peers {
    /// None named: every address there is, pod or not.
    Anyone,
    /// Any one of these.
    OneOf(Vec<Peer>),
}

/// One entry of `from` or `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Pods that both selectors select.
    Pods {
        /// Where.
        namespaces: Namespaces,
        /// Which of the pods there; everything when the API object names none.
        pods: Selector,
    },
    /// Addresses, whoever holds them.
    Block(Block),
}

/// The namespaces in which a peer's pods are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespaces {
    /// No `namespaceSelector`: the policy's own.
    Own,
    /// Those that the selector selects.
    Selected(Selector),
}

/// An `ipBlock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The range, its host bits cleared.
    pub range: IpNet,
    /// Parts of the range that this block leaves out; another rule may still allow them.
    pub except: Vec<IpNet>,
}

impl Block {
    /// Whether the address is meant. An address of the other family never is.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.range.contains(&address) && !self.except.iter().any(|part| part.contains(&address))
    }
}

/// The ports that a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// None named: every port of every protocol.
    All,
    /// Any one of these.
    OneOf(Vec<Port>),
}

/// One entry of `ports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// TCP where the API object names none.
    pub protocol: Protocol,
    /// Which ports of that protocol.
    pub target: Target,
}

/// How a port entry says which ports it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By number; an entry without `port` is all of them.
    Numbers(PortRange),
    /// By the name that the receiving pod gives to a port of its own.
    Named(String),
}

/// Consecutive ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest, never below `first`.
    pub last: u16,
}

impl PortRange {
    /// Every port there is.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// One port.
    pub fn single(port: u16) -> Self {
        Self { first: port, last: port }
    }
}

/// A transport protocol that policies know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// The default.
    Tcp,
    /// Replies count as part of the exchange, see the established state of connection tracking.
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

/// A port as objects write it.
pub(crate) fn port_number(field: &'static str, port: i32) -> Result<u16, Invalid> {
    match u16::try_from(port) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Invalid::value(field, &port)),
    }
}
