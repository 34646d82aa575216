//! Finds out what keeps one element of a rule from matching, and how near it comes.

mod peers;
mod ports;

use ipnet::IpNet;

use super::ServiceRoute;
use crate::{
    evaluate::Side, near_miss::NearLabel, pod::NamedPort, reference::ObjectRef, select::Requirement,
};

/// One side of a flow, with what else is known.
pub(super) struct ExaminedSide<'a> {
    pub(super) side: &'a Side<'a>,
    pub(super) services: &'a [ServiceRoute],
}

/// What keeps a peer of a rule from matching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerMiss {
    /// The element selects pods, and the other end is an address.
    NoPod,
    /// A policy of the cluster selects no pods of the host's network.
    HostPod,
    /// The element selects nodes, and the other end is a pod.
    NoNode,
    /// The element selects by labels, and the pod is in another namespace.
    Namespace(NamespaceMiss),
    /// The element selects by labels, and the pod has others.
    Labels(Vec<LabelMiss>),
    /// The pod misses both selectors of the element, which both have to match.
    NamespaceAndLabels(NamespaceMiss, Vec<LabelMiss>),
    /// The element has a `namespaceSelector` and a `podSelector`, of which both have to match. The
    /// one that is not named here would, as an element of its own.
    OnlyOneOfTwo(Box<PeerMiss>),
    /// The element is a block of addresses, and the address is not in it.
    Block(BlockMiss),
}

/// Why a pod is in none of the namespaces that a peer names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamespaceMiss {
    /// Without a `namespaceSelector`, a `podSelector` selects in the policy's own namespace only.
    NotOwn {
        /// The namespace of the policy, which is meant where there is no `namespaceSelector`.
        own: String,
        /// The namespace that the pod is in.
        found: String,
    },
    /// The namespace of the pod lacks these. Never empty.
    Labels {
        /// The namespace that the pod is in.
        found: String,
        /// The conditions that do not hold.
        misses: Vec<LabelMiss>,
    },
}

/// A condition on a label that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LabelMiss {
    /// The condition of the selector that the labels do not meet.
    pub requirement: Requirement,
    /// The value that the label has, if it is there.
    pub found: Option<String>,
    /// How the labels almost meet the condition, if they do.
    pub near: Option<NearLabel>,
}

/// Why an address is not in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockMiss {
    /// The address is of the other IP family.
    OtherFamily,
    /// The address is in the block, and in this exception from it.
    Excepted(IpNet),
    /// The address is not in the block, but in this other block, which is only a little wider.
    Narrow(IpNet),
    /// The address is not in the block.
    Outside,
}

/// What keeps a port of a rule from matching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortMiss {
    /// The protocol fits, and the number does not.
    Number,
    /// The number, or the name, fits; the protocol does not.
    Protocol,
    /// Neither the number nor the protocol of the flow is the rule's.
    NumberAndProtocol,
    /// The protocol fits, and the number is one beyond this end of the range.
    OneBeyond(u16),
    /// The rule has the Service's port, where the port of the pods counts.
    OfService(ObjectRef),
    /// The rule has a name, and the receiver is no pod that could declare it.
    NameWithoutPod,
    /// No container of the receiver declares the name.
    Undeclared {
        /// A name that the receiver declares and that is almost this one.
        near: Option<String>,
        /// All ports that the receiver declares.
        declared: Vec<NamedPort>,
    },
    /// The containers of the receiver give the name to these ports, and not to the flow's.
    DeclaredAs(Vec<NamedPort>),
    /// Only an init container gives the flow's port the name, and by the letter those do not count.
    OnInitContainer,
}
