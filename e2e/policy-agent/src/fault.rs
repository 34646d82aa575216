//! The ways in which this agent can be told to fail, each as a network somewhere really does.

use std::{fmt, str::FromStr, time::Duration};

use thiserror::Error;

use crate::duration;

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
    /// What lies in an except of any rule for the subject is denied, whatever else admits it.
    SpreadsExcept,
    /// An entry with `endPort` means its first port only.
    EndPortFirstOnly,
    /// A rule that has an entry with `endPort` admits nothing.
    DropsRulesWithEndPort,
    /// A rule that has a port by name admits nothing.
    DropsRulesWithNamedPort,
    /// A port's name means, at every receiver, what the first pod that declares it says.
    NamedPortOfFirstPod,
    /// A peer with both selectors is two peers, one a selector.
    ReadsAndAsOr,
    /// The pod peers of a rule are one, which must satisfy all.
    ReadsOrAsAnd,
    /// A `namespaceSelector` matches every namespace.
    IgnoresNamespaceSelector,
    /// A `namespaceSelector` is as if it were not written.
    OwnNamespaceOnly,
    /// `matchExpressions` are as if they were not written.
    IgnoresMatchExpressions,
    /// `NotIn` does not match where the key is absent.
    NotInNeedsKey,
    /// An entry of `ports` matches whatever the protocol.
    IgnoresProtocol,
    /// `ports` is as if it were not written.
    IgnoresPorts,
    /// A policy without `policyTypes` does not isolate egress.
    EgressNeedsPolicyTypes,
    /// A direction that is isolated without any rule admits everyone.
    EmptyListAllows,
    /// Of the policies that select a pod only the newest counts.
    NewestPolicyOnly,
    /// IPv6 is not enforced.
    IgnoresIpv6,
    /// Traffic between pods of one node is not enforced.
    IgnoresSameNode,
    /// Traffic between pods of different nodes is not enforced.
    IgnoresCrossNode,
    /// Subjects receive and send nothing.
    BlocksAll,
    /// What is denied is answered: TCP by a reset, the rest by an ICMP port unreachable.
    DeniesWithReset,
    /// What is denied is answered by ICMP: administratively prohibited.
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
    /// New pods are open for this long, and an address that no known pod has is not held back.
    LateIsolation(Duration),
    /// Changes are acted on this much later.
    Slow(Duration),
    /// Enforced for this long, not enforced for as long, and so on.
    Flapping(Duration),
}

/// The text names no fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnknownFault {
    /// There is no fault of this name.
    #[error("{name:?} is no fault; did you mean {nearest}? The faults are: {}", names())]
    Name {
        /// What stood there.
        name: String,
        /// The name that looks most like it.
        nearest: &'static str,
    },
    /// What stands behind the `=` cannot be read.
    #[error("{text:?} is no duration above zero; write {name}=2s, or 500ms, or 1m30s")]
    Duration {
        /// The fault.
        name: &'static str,
        /// What stood there.
        text: String,
    },
    /// The fault has no duration.
    #[error("{name} takes no duration; write {name} without \"=\"")]
    NoDuration {
        /// The fault.
        name: &'static str,
    },
}

fn names() -> String {
    Fault::ALL.map(Fault::name).join(", ")
}

impl Fault {
    /// One of each, those that have a duration with the one that they have where none is written.
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

    /// The name, which never changes.
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// What somebody says who accuses a network of it.
    pub fn claim(self) -> &'static str {
        self.words().1
    }

    /// How long, where the fault has a length.
    pub fn duration(self) -> Option<Duration> {
        if let Self::LateIsolation(long) | Self::Slow(long) | Self::Flapping(long) = self {
            Some(long)
        } else {
            None
        }
    }

    /// The same fault of another length; `None` where it has none.
    fn lasting(mut self, duration: Duration) -> Option<Self> {
        if let Self::LateIsolation(long) | Self::Slow(long) | Self::Flapping(long) = &mut self {
            *long = duration;
            Some(self)
        } else {
            None
        }
    }

    /// Name and claim.
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

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let (name, duration) = match text.split_once('=') {
            Some((name, duration)) => (name, Some(duration)),
            None => (text, None),
        };
        let fault = Self::ALL
            .into_iter()
            .find(|fault| fault.name() == name)
            .ok_or_else(|| UnknownFault::Name { name: name.to_owned(), nearest: nearest(name) })?;
        let name = fault.name();
        match duration {
            None => Ok(fault),
            Some(_) if fault.duration().is_none() => Err(UnknownFault::NoDuration { name }),
            Some(text) => duration::read(text)
                .and_then(|duration| fault.lasting(duration))
                .ok_or_else(|| UnknownFault::Duration { name, text: text.to_owned() }),
        }
    }
}

/// The name that shares the most pairs of letters with this one, measured by their lengths.
fn nearest(name: &str) -> &'static str {
    let likeness = |other: &str| {
        let shared = pairs(other).filter(|pair| pairs(name).any(|one| one == *pair)).count();
        2_000 * shared / (pairs(other).count() + pairs(name).count())
    };
    let names = Fault::ALL.map(Fault::name);
    names.into_iter().max_by_key(|other| likeness(other)).unwrap_or_default()
}

fn pairs(name: &str) -> impl Iterator<Item = &[u8]> {
    name.as_bytes().windows(2)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.duration() {
            None => f.write_str(self.name()),
            Some(duration) => write!(f, "{}={}", self.name(), duration::written(duration)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_as_it_is_written() {
        for fault in Fault::ALL {
            assert_eq!(fault.to_string().parse(), Ok(fault));
            assert_eq!(fault.name().parse(), Ok(fault), "the duration may be left out");
        }
    }

    #[test]
    fn names_are_kebab_case_and_claims_are_about_a_network() {
        for fault in Fault::ALL {
            assert!(fault.name().bytes().all(|c| c.is_ascii_lowercase() || c == b'-' || c == b'6'));
            assert!(fault.claim().starts_with("a network "), "{fault}");
        }
    }

    #[test]
    fn a_duration_is_read_where_there_is_one() {
        assert_eq!("slow=1m30s".parse(), Ok(Fault::Slow(Duration::from_secs(90))));
        for (wrong, text) in [("slow=", ""), ("slow=0s", "0s"), ("slow=soon", "soon")] {
            let error = UnknownFault::Duration { name: "slow", text: text.to_owned() };
            assert_eq!(wrong.parse::<Fault>(), Err(error));
        }
        let error = UnknownFault::NoDuration { name: "ignores-all" };
        assert_eq!("ignores-all=2s".parse::<Fault>(), Err(error));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_and_with_all() {
        for (wrong, right) in [("ignore-egress", "ignores-egress"), ("flap", "flapping"), ("", "")]
        {
            let message = wrong.parse::<Fault>().expect_err(wrong).to_string();
            assert!(message.contains(&format!("did you mean {right}")), "{message}");
            assert!(message.contains("blocks-all, denies-with-reset"), "{message}");
        }
    }
}
