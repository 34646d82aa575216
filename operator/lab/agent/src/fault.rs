//! The faults: the ways in which this agent can be told to fail, each as some real network does.

mod parse;

use std::time::Duration;

pub use self::parse::UnknownFault;

/// One way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// No policy isolates any subject.
    IgnoresAll,
    /// No policy isolates ingress.
    IgnoresIngress,
    /// No policy isolates egress.
    IgnoresEgress,
    /// A peer that is an `ipBlock` matches nothing; the policy still isolates.
    IgnoresIpBlock,
    /// An `ipBlock` counts without its excepts.
    IgnoresExcept,
    /// What lies in an `except` of any rule for the subject is denied, whatever else admits it.
    SpreadsExcept,
    /// An entry with `endPort` means its first port only.
    EndPortFirstOnly,
    /// A rule that has an entry with `endPort` admits nothing.
    DropsRulesWithEndPort,
    /// A rule that has a port by name admits nothing.
    DropsRulesWithNamedPort,
    /// A port's name means, at every receiver, the number that the first pod which declares it
    /// gives it.
    NamedPortOfFirstPod,
    /// A peer with both selectors is read as two peers, one for each selector.
    ReadsAndAsOr,
    /// The pod peers of a rule are read as one, which a pod must satisfy in all.
    ReadsOrAsAnd,
    /// A `namespaceSelector` matches every namespace.
    IgnoresNamespaceSelector,
    /// A `namespaceSelector` is ignored: peers are pods of the policy's own namespace.
    OwnNamespaceOnly,
    /// `matchExpressions` are ignored: `matchLabels` alone select.
    IgnoresMatchExpressions,
    /// `NotIn` does not match where the key is absent.
    NotInNeedsKey,
    /// An entry of `ports` matches whatever the protocol.
    IgnoresProtocol,
    /// `ports` is ignored: a rule admits its peers on every port.
    IgnoresPorts,
    /// A policy without `policyTypes` does not isolate egress.
    EgressNeedsPolicyTypes,
    /// A direction that is isolated without any rule admits every peer.
    EmptyListAllows,
    /// Of the policies that select a pod, only the newest counts.
    NewestPolicyOnly,
    /// IPv6 is not enforced.
    IgnoresIpv6,
    /// Traffic between pods of one node is not enforced.
    IgnoresSameNode,
    /// Traffic between pods of different nodes is not enforced.
    IgnoresCrossNode,
    /// Pods receive and send nothing.
    BlocksAll,
    /// Denied packets are answered: TCP by a reset, the rest by an ICMP port unreachable.
    DeniesWithReset,
    /// Denied packets are answered by ICMP: administratively prohibited.
    DeniesWithIcmp,
    /// Connections that exist when a policy begins to deny them go on.
    KeepsConnections,
    /// Label changes of pods that are known are not followed.
    StalePodLabels,
    /// Label changes of namespaces that are known are not followed.
    StaleNamespaceLabels,
    /// A policy that is deleted stays in force.
    KeepsDeletedPolicies,
    /// Addresses of pods that are gone stay peers.
    KeepsDeadAddresses,
    /// New pods are open for this long, and an address of the node's range that no known pod has
    /// stays open.
    LateIsolation(Duration),
    /// Changes are acted on this much later.
    Slow(Duration),
    /// Policies are enforced for this long, then not enforced for as long, and so on.
    Flapping(Duration),
}

impl Fault {
    /// Every fault; one with a duration has its default.
    pub const ALL: [Self; 35] = [
        Self::IgnoresAll,
        Self::IgnoresIngress,
        Self::IgnoresEgress,
        Self::IgnoresIpBlock,
        Self::IgnoresExcept,
        Self::SpreadsExcept,
        Self::EndPortFirstOnly,
        Self::DropsRulesWithEndPort,
        Self::DropsRulesWithNamedPort,
        Self::NamedPortOfFirstPod,
        Self::ReadsAndAsOr,
        Self::ReadsOrAsAnd,
        Self::IgnoresNamespaceSelector,
        Self::OwnNamespaceOnly,
        Self::IgnoresMatchExpressions,
        Self::NotInNeedsKey,
        Self::IgnoresProtocol,
        Self::IgnoresPorts,
        Self::EgressNeedsPolicyTypes,
        Self::EmptyListAllows,
        Self::NewestPolicyOnly,
        Self::IgnoresIpv6,
        Self::IgnoresSameNode,
        Self::IgnoresCrossNode,
        Self::BlocksAll,
        Self::DeniesWithReset,
        Self::DeniesWithIcmp,
        Self::KeepsConnections,
        Self::StalePodLabels,
        Self::StaleNamespaceLabels,
        Self::KeepsDeletedPolicies,
        Self::KeepsDeadAddresses,
        Self::LateIsolation(Duration::from_secs(3)),
        Self::Slow(Duration::from_secs(5)),
        Self::Flapping(Duration::from_secs(5)),
    ];

    /// The stable name, as settings and the diagnosis write it.
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// What an accusation of a network with this fault says: "a network that …".
    pub fn claim(self) -> &'static str {
        self.words().1
    }

    /// The duration of the fault, if it has one.
    pub fn duration(self) -> Option<Duration> {
        if let Self::LateIsolation(long) | Self::Slow(long) | Self::Flapping(long) = self {
            Some(long)
        } else {
            None
        }
    }

    /// The same fault with another duration; `None` if it has no duration.
    fn lasting(mut self, duration: Duration) -> Option<Self> {
        if let Self::LateIsolation(long) | Self::Slow(long) | Self::Flapping(long) = &mut self {
            *long = duration;
            Some(self)
        } else {
            None
        }
    }

    /// The name and the claim.
    #[rustfmt::skip]
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::IgnoresAll => ("ignores-all", "a network that ignores policies"),
            Self::IgnoresIngress => ("ignores-ingress", "a network that ignores ingress policies"),
            Self::IgnoresEgress => ("ignores-egress", "a network that ignores egress policies"),
            Self::IgnoresIpBlock => ("ignores-ip-block", "a network on which an ipBlock admits nobody"),
            Self::IgnoresExcept => ("ignores-except", "a network that ignores the excepts of an ipBlock"),
            Self::SpreadsExcept => ("spreads-except", "a network that denies what lies in an except, whatever else admits it"),
            Self::EndPortFirstOnly => ("end-port-first-only", "a network that ignores endPort and admits the first port alone"),
            Self::DropsRulesWithEndPort => ("drops-rules-with-end-port", "a network that drops rules with endPort"),
            Self::DropsRulesWithNamedPort => ("drops-rules-with-named-port", "a network that drops rules with a port by name"),
            Self::NamedPortOfFirstPod => ("named-port-of-first-pod", "a network on which a port's name means the same number at every receiver"),
            Self::ReadsAndAsOr => ("reads-and-as-or", "a network that reads two selectors of one peer as two peers"),
            Self::ReadsOrAsAnd => ("reads-or-as-and", "a network that wants one pod to be all peers of a rule"),
            Self::IgnoresNamespaceSelector => ("ignores-namespace-selector", "a network on which a namespaceSelector matches every namespace"),
            Self::OwnNamespaceOnly => ("own-namespace-only", "a network that looks for peers in the policy's own namespace only"),
            Self::IgnoresMatchExpressions => ("ignores-match-expressions", "a network that ignores matchExpressions"),
            Self::NotInNeedsKey => ("not-in-needs-key", "a network on which NotIn needs the key to be there"),
            Self::IgnoresProtocol => ("ignores-protocol", "a network that ignores the protocol of a port"),
            Self::IgnoresPorts => ("ignores-ports", "a network that ignores ports"),
            Self::EgressNeedsPolicyTypes => ("egress-needs-policy-types", "a network that isolates egress only where policyTypes says so"),
            Self::EmptyListAllows => ("empty-list-allows", "a network on which an empty list of rules admits everyone"),
            Self::NewestPolicyOnly => ("newest-policy-only", "a network that keeps only the newest policy of a pod"),
            Self::IgnoresIpv6 => ("ignores-ipv6", "a network that does not enforce policies on IPv6"),
            Self::IgnoresSameNode => ("ignores-same-node", "a network that does not enforce policies within a node"),
            Self::IgnoresCrossNode => ("ignores-cross-node", "a network that does not enforce policies between nodes"),
            Self::BlocksAll => ("blocks-all", "a network that blocks everything"),
            Self::DeniesWithReset => ("denies-with-reset", "a network that answers denied connections with a reset"),
            Self::DeniesWithIcmp => ("denies-with-icmp", "a network that answers denied connections with ICMP"),
            Self::KeepsConnections => ("keeps-connections", "a network that lets existing connections go on under a new deny"),
            Self::StalePodLabels => ("stale-pod-labels", "a network that does not follow the labels of pods"),
            Self::StaleNamespaceLabels => ("stale-namespace-labels", "a network that does not follow the labels of namespaces"),
            Self::KeepsDeletedPolicies => ("keeps-deleted-policies", "a network that goes on enforcing policies that are deleted"),
            Self::KeepsDeadAddresses => ("keeps-dead-addresses", "a network that goes on admitting the addresses of pods that are gone"),
            Self::LateIsolation(_) => ("late-isolation", "a network that isolates new pods late"),
            Self::Slow(_) => ("slow", "a network that acts on changes late"),
            Self::Flapping(_) => ("flapping", "a network that enforces policies now and then"),
        }
    }
}
