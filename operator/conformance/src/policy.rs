//! Policies as the evaluator sees them: compiled once, and without wrong states.

pub mod admin_network_policy;
pub mod baseline_admin_network_policy;
pub mod cluster;
pub mod cluster_network_policy;
pub mod label_selector;
pub mod network_policy;
pub mod read;

mod cidr;
pub(crate) mod json;
mod rejected;
pub(crate) mod syntax;

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{
    flow::{Direction, Protocol},
    pod::Pod,
    reference::ObjectRef,
    select::Selector,
};

pub use rejected::{PolicyProblem, Rejected};

/// What one `NetworkPolicy` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The name of the object. All subjects are in its namespace: a policy never applies elsewhere.
    pub name: ObjectRef,
    /// The pods of the policy's namespace that it applies to.
    pub subjects: Selector,
    /// What the policy says of what the subjects receive.
    pub ingress: Isolation,
    /// What the policy says of what the subjects send.
    pub egress: Isolation,
    /// Whether the object's `policyTypes` are written; `ingress` and `egress` have their meaning.
    pub types: PolicyTypes,
    /// When the object was made, which decides nothing: policies have no order.
    pub created: Option<Created>,
}

/// Whether a policy says which directions it isolates, or leaves it to its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyTypes {
    /// The object's `policyTypes` name the directions that it isolates.
    Written,
    /// The object's `policyTypes` is absent or empty: Ingress, and Egress if there are egress
    /// rules.
    Derived,
}

/// A `creationTimestamp` as the API server writes it: RFC 3339 in UTC, to the second, so that texts
/// are in the order of the times. Only the order means anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Created(pub String);

impl Policy {
    /// Whether the policy has this pod as a subject.
    pub fn selects(&self, pod: &Pod) -> bool {
        self.name.namespace == pod.name.namespace && self.subjects.matches(&pod.labels)
    }

    /// What the policy says of one direction.
    pub fn isolation(&self, direction: Direction) -> &Isolation {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

/// Whether a policy isolates its subjects in one direction. Policies only add up: a pod is isolated
/// if one that selects it says so, and then the rules of all such policies let traffic pass
/// (`NetworkPolicySpec.policyTypes`, and the Network Policies page of the documentation).
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{flow::Direction, policy::Isolation};
///
/// let policy = &shop().policies[0];
/// let Isolation::Isolated(rules) = policy.isolation(Direction::Ingress) else { unreachable!() };
/// assert_eq!(rules.len(), 1);
/// // Without `policyTypes` and without egress rules, a policy says nothing of egress.
/// assert_eq!(policy.egress, Isolation::Open);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// The policy says nothing of this direction (`policyTypes` does not name it), and rules that
    /// the object has for it are inert.
    Open,
    /// Nothing passes except what one of these rules admits; without rules, nothing.
    Isolated(Vec<Rule>),
}

/// A rule, which admits what one of its peers and one of its ports match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// The peers at the other end (`from` or `to`).
    pub peers: Peers,
    /// Which ports of the receiver (`ports`), whoever of the two is the subject.
    pub ports: Ports,
}

/// The peers that a rule admits at the other end of a flow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peers {
    /// Everyone, addresses outside of the cluster and nodes too: the list is absent or empty.
    Everyone,
    /// What one of these elements matches. Never empty.
    Only(Vec<Peer>),
}

/// An element of a rule's list of peers (`NetworkPolicyPeer`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// Pods, and nothing but pods: those that `pods` matches, in the namespaces named.
    Pods {
        /// The namespaces that the pods may be in.
        namespaces: Namespaces,
        /// The labels of the pods. An absent `podSelector` beside a `namespaceSelector` is the
        /// empty one.
        pods: Selector,
    },
    /// Every address in this block, those of pods included (`IPBlock`).
    Addresses(IpBlock),
}

/// The namespaces of a [`Peer::Pods`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Namespaces {
    /// The policy's own: there is no `namespaceSelector`.
    Own,
    /// The namespaces that this selector matches; all of them if it is empty.
    Matching(Selector),
}

/// A range of addresses with holes in it. One family never matches the other.
///
/// ```
/// use netproof_conformance::policy::IpBlock;
///
/// let block = IpBlock { cidr: "10.0.0.0/8".parse()?, except: vec!["10.9.0.0/16".parse()?] };
/// assert!(block.contains([10, 8, 0, 1].into()));
/// assert!(!block.contains([10, 9, 0, 1].into()));
/// # Ok::<(), ipnet::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpBlock {
    /// The range, without host bits.
    pub cidr: IpNet,
    /// What this element leaves out, without host bits. Another element may still admit it.
    pub except: Vec<IpNet>,
}

impl IpBlock {
    /// Whether the address lies in the range, and in none of its holes.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.cidr.contains(&address) && !self.except.iter().any(|hole| hole.contains(&address))
    }
}

/// Which ports of the receiver a rule admits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ports {
    /// Every port of every protocol: the list is absent or empty.
    All,
    /// What one of these matches. Never empty.
    Only(Vec<PortMatch>),
}

/// An element of a rule's list of ports (`NetworkPolicyPort`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortMatch {
    /// The protocol, TCP where the element names none.
    pub protocol: Protocol,
    /// The ports of that protocol.
    pub numbers: MatchedPorts,
}

/// The ports of one protocol that a [`PortMatch`] means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchedPorts {
    /// Every port of the protocol: the element has no `port`.
    Any,
    /// The ports from `first` to `last`, both included; the two are equal without `endPort`.
    /// Whether a container declares the ports does not matter.
    Range {
        /// The object's `port`, never 0.
        first: u16,
        /// `endPort`, never below `first`.
        last: u16,
    },
    /// The port that the receiving pod's containers give this name, which may have another number
    /// on each pod.
    Named(String),
}
