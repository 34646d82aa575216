//! What the policies say of a flow, and which of their rules say it.

use std::fmt;

use crate::{
    policy::cluster::Action,
    reference::{ClusterRuleRef, ObjectRef, RuleRef},
};

/// What the policies say of a flow.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shop.rs")); }
/// # use example::*;
/// use netproof_conformance::{evaluate::expect, expected::{Decision, Expected}};
///
/// let expected = expect(&shop(), &flow("web", "db"));
/// assert_eq!(expected.to_string(), "Allow");
/// let Expected::Allow(because) = expected else { unreachable!() };
/// assert!(because.passes());
/// assert_eq!(because.egress, Decision::NotIsolated);
/// let Decision::AllowedBy(rules) = because.ingress else { unreachable!() };
/// assert_eq!(rules[0].to_string(), "shop/db ingress[0].from[0].ports[0]");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Both directions let the flow pass.
    Allow(Because),
    /// At least one direction stops the flow.
    Deny(Because),
    /// The API leaves it to the network: the readings that it permits differ.
    Unspecified(Unspecified),
}

impl Expected {
    /// The stable word for reports: `Allow`, `Deny` or `Unspecified`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Allow(_) => "Allow",
            Self::Deny(_) => "Deny",
            Self::Unspecified(_) => "Unspecified",
        }
    }
}

/// Writes the [`word`](Self::word) alone; [`report`](crate::report) and [`explain`](crate::explain)
/// tell what decided.
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What decided on each of the two sides that a flow has to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because {
    /// What decided on the sender's side, where it is the subject.
    pub egress: Decision,
    /// What decided on the receiver's side, where it is the subject.
    pub ingress: Decision,
}

impl Because {
    /// Whether the flow passes both sides.
    pub fn passes(&self) -> bool {
        self.egress.allows() && self.ingress.allows()
    }
}

/// What decided on one side of a flow, and with it whether the flow passes that side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// No policy can apply to this end: it is no pod, or is exempt from them, as a node is that
    /// sends to its own pods.
    Exempt,
    /// The pod is not isolated in this direction.
    NotIsolated,
    /// The pod is isolated, and these rules let the flow pass. Never empty.
    AllowedBy(Vec<RuleRef>),
    /// The pod is isolated by these policies, and none of their rules lets the flow pass. Never
    /// empty.
    DeniedBy(Vec<ObjectRef>),
    /// A rule of a policy of the cluster decides: before any `NetworkPolicy` is asked, or where
    /// none isolates the pod.
    Ruled(Ruling, ClusterRuleRef),
}

impl Decision {
    /// Whether the flow passes this side.
    pub fn allows(&self) -> bool {
        match self {
            Self::Exempt | Self::NotIsolated | Self::AllowedBy(_) => true,
            Self::Ruled(ruling, _) => *ruling == Ruling::Accept,
            Self::DeniedBy(_) => false,
        }
    }
}

/// What a rule of a policy of the cluster decides, where it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ruling {
    /// The flow passes this side.
    Accept,
    /// The flow is stopped on this side.
    Deny,
}

impl Ruling {
    /// The ruling of an action; none for `Pass`, which decides nothing.
    pub(crate) fn of(action: Action) -> Option<Self> {
        match action {
            Action::Accept => Some(Self::Accept),
            Action::Deny => Some(Self::Deny),
            Action::Pass => None,
        }
    }
}

/// Why the API gives no answer: each is a question that it leaves open.
///
/// *W* is the Network Policies page of the Kubernetes documentation, *T* the comments of the API's
/// types (`k8s.io/api/networking/v1`), *P* those of `policy.networking.k8s.io` (KEP-2091).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Unspecified {
    /// An end has no address yet.
    NoAddress,
    /// An end has finished; its address may be another pod's.
    Finished,
    /// The ends share no IP family, or lack the one that was asked for.
    NoCommonFamily,
    /// Whether a host-network pod counts as a pod or as its node: W names both and calls it
    /// undefined.
    HostNetwork,
    /// Whether a pod's traffic to itself is exempt: W says that a pod cannot block access to
    /// itself, and T has no such exception.
    ToItself,
    /// Whether egress to the pod's own node is exempt: it is by W, and by T only ingress from there
    /// is.
    OwnNode,
    /// Whether a named port matches towards something that is no pod, and so gives its ports no
    /// names (kubernetes#99256).
    NamedPortWithoutPod,
    /// Whether a port named on an init container resolves, native sidecars (KEP-753) included.
    InitContainerPort,
    /// Which of several cluster policies of one priority is applied: P leaves it to the network.
    EqualPriority,
    /// Whether a `BaselineAdminNetworkPolicy` comes before or after `ClusterNetworkPolicies` of the
    /// Baseline tier.
    BaselineOrder,
    /// Whether the network has peers by ranges of addresses in policies of the cluster: `networks`
    /// is a feature of P's that a network may lack.
    NetworksPeer,
    /// Whether an address is that of a node that a rule names by its labels (`nodes`, experimental
    /// in P).
    NodesPeer,
    /// Which addresses a domain name resolves to (`domainNames`, experimental in P).
    DomainNamesPeer,
    /// A peer or a protocol of a kind that only a later version of the API has.
    UnknownField,
}

impl Unspecified {
    /// The stable word for reports and metrics; the sentence is its `Display`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoAddress => "NoAddress",
            Self::Finished => "Finished",
            Self::NoCommonFamily => "NoCommonFamily",
            Self::HostNetwork => "HostNetwork",
            Self::ToItself => "ToItself",
            Self::OwnNode => "OwnNode",
            Self::NamedPortWithoutPod => "NamedPortWithoutPod",
            Self::InitContainerPort => "InitContainerPort",
            Self::EqualPriority => "EqualPriority",
            Self::BaselineOrder => "BaselineOrder",
            Self::NetworksPeer => "NetworksPeer",
            Self::NodesPeer => "NodesPeer",
            Self::DomainNamesPeer => "DomainNamesPeer",
            Self::UnknownField => "UnknownField",
        }
    }
}

impl fmt::Display for Unspecified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoAddress => "an end has no address yet",
            Self::Finished => "an end has finished and its address may be another's",
            Self::NoCommonFamily => "the ends share no IP family",
            Self::HostNetwork => "the API leaves open how policies treat host-network pods",
            Self::ToItself => {
                "the API leaves open whether policies apply to a pod's traffic to itself"
            }
            Self::OwnNode => "the API leaves open whether egress to the pod's own node is exempt",
            Self::NamedPortWithoutPod => {
                "the API leaves open what a port name means towards an address that is no pod's"
            }
            Self::InitContainerPort => {
                "the API leaves open whether the ports of init containers resolve by name"
            }
            Self::EqualPriority => {
                "policies of equal priority disagree, and the API leaves open which one is applied"
            }
            Self::BaselineOrder => {
                "the API leaves open whether a BaselineAdminNetworkPolicy comes before or after \
                 ClusterNetworkPolicies"
            }
            Self::NetworksPeer => {
                "a peer by networks is a feature that not every network has, and those without it \
                 fail closed"
            }
            Self::NodesPeer => "a peer by nodes is an experimental feature, and not known to match",
            Self::DomainNamesPeer => "what a domain name resolves to is not known from the objects",
            Self::UnknownField => {
                "a peer or protocol of a kind that is not known here could \
                 decide"
            }
        })
    }
}

/// Answers for tests in which the reason does not matter.
#[cfg(test)]
pub(crate) mod testing {
    use super::{Because, Decision, Expected};

    fn because() -> Because {
        Because { egress: Decision::NotIsolated, ingress: Decision::NotIsolated }
    }

    pub(crate) fn allow() -> Expected {
        Expected::Allow(because())
    }

    pub(crate) fn deny() -> Expected {
        Expected::Deny(because())
    }
}
