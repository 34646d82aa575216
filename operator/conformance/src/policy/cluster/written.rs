//! Reads what all kinds of cluster policies write alike: subjects, peers and rules.

use std::{collections::BTreeSet, fmt, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use super::{Action, ClusterPeer, ClusterPort, ClusterPorts, ClusterRule, PodsOf};
use crate::{
    flow::Direction,
    policy::{
        json,
        label_selector::{LabelSelector, SELECTOR},
        rejected::{InField, PolicyFault, PolicyProblem},
        syntax,
    },
    select::Selector,
    shape::{OtherFields, Shape, only},
};

/// The fields of a policy's `subject`.
pub(in crate::policy) static SUBJECT: Shape =
    only! { "namespaces": SELECTOR, "pods": NAMESPACED_POD };

static NAMESPACED_POD: Shape = only! { "namespaceSelector": SELECTOR, "podSelector": SELECTOR };

/// The fields of each peer of a rule.
pub(in crate::policy) static PEERS: Shape = Shape::List(&Shape::Object {
    fields: &[
        ("namespaces", &SELECTOR),
        ("pods", &NAMESPACED_POD),
        ("nodes", &SELECTOR),
        ("networks", &Shape::Any),
        ("domainNames", &Shape::Any),
    ],
    others: OtherFields::Unspecified,
});

/// The names of fields that this version of the types does not know; one that is null is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Others(BTreeSet<String>);

impl Others {
    /// The one field that is not known; none if there is none, and an error if there are more.
    pub(in crate::policy) fn sole(&self) -> Result<Option<&str>, PolicyProblem> {
        match self.0.len() {
            0 | 1 => Ok(self.0.first().map(String::as_str)),
            _ => Err(PolicyProblem::OneOf("its fields")),
        }
    }
}

impl<'de> Deserialize<'de> for Others {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> de::Visitor<'de> for Names {
            type Value = Others;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("fields")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut fields: A) -> Result<Others, A::Error> {
                let mut names = BTreeSet::new();
                while let Some((name, value)) = fields.next_entry::<_, Option<de::IgnoredAny>>()? {
                    if value.is_some() {
                        names.insert(name);
                    }
                }
                Ok(Others(names))
            }
        }

        deserializer.deserialize_map(Names)
    }
}

/// The pods that a policy applies to; exactly one of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct Subject {
    /// All pods of namespaces with these labels.
    pub namespaces: Option<LabelSelector>,
    /// Pods by their own labels too.
    pub pods: Option<NamespacedPod>,
}

/// `NamespacedPod`: pods by their labels, in namespaces by theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct NamespacedPod {
    /// Labels of the namespace.
    pub namespace_selector: Option<LabelSelector>,
    /// Labels of the pod.
    pub pod_selector: Option<LabelSelector>,
}

/// One element of `from` or `to`; exactly one of its fields, and in `from` one of the first two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Peer {
    /// All pods of namespaces with these labels.
    pub namespaces: Option<LabelSelector>,
    /// Pods by their own labels too.
    pub pods: Option<NamespacedPod>,
    /// Nodes by their labels.
    pub nodes: Option<LabelSelector>,
    /// Ranges of addresses as CIDRs; a feature that networks may lack.
    pub networks: Option<Vec<String>>,
    /// Names that resolve to addresses.
    pub domain_names: Option<Vec<String>>,
    /// What a later version of the API may add.
    #[serde(flatten)]
    pub others: Others,
}

json::only_from_objects!(Subject, NamespacedPod, Peer);

/// The respects in which the versions of the API differ.
#[derive(Clone, Copy)]
pub(in crate::policy) struct Dialect {
    /// How many rules a direction may have.
    pub(in crate::policy) rules: usize,
    /// How many peers, and how many ports, a rule may have.
    pub(in crate::policy) elements: usize,
    /// The words of this version for the actions.
    pub(in crate::policy) actions: &'static [(&'static str, Action)],
    /// The words for the actions, for people.
    pub(in crate::policy) action_words: &'static str,
    /// Whether this version asks for the namespaces beside `podSelector`.
    pub(in crate::policy) wants_namespace_selector: bool,
    /// Whether this version has `domainNames`.
    pub(in crate::policy) has_domain_names: bool,
}

/// A rule of either direction as the kinds write it.
pub(in crate::policy) struct Written<'a> {
    pub(in crate::policy) name: &'a str,
    pub(in crate::policy) action: Option<&'a str>,
    pub(in crate::policy) direction: Direction,
    pub(in crate::policy) peers: &'a [Peer],
    pub(in crate::policy) ports: ClusterPorts,
}

impl Dialect {
    pub(in crate::policy) fn subjects(
        self,
        subject: Option<&Subject>,
    ) -> Result<PodsOf, PolicyFault> {
        let subject = subject.ok_or(PolicyProblem::FieldMissing)?;
        match (&subject.namespaces, &subject.pods) {
            (Some(namespaces), None) => all_pods_of(namespaces).at("namespaces"),
            (None, Some(pods)) => self.pods(pods).at("pods"),
            (None, None) | (Some(_), Some(_)) => {
                Err(PolicyProblem::OneOf("namespaces and pods").into())
            }
        }
    }

    fn pods(self, written: &NamespacedPod) -> Result<PodsOf, PolicyFault> {
        let namespaces = match &written.namespace_selector {
            Some(selector) => selector.compile_custom().at("namespaceSelector")?,
            None if self.wants_namespace_selector => {
                return Err(PolicyProblem::FieldMissing).at("namespaceSelector");
            }
            None => Selector::everything(),
        };
        let pods =
            written.pod_selector.as_ref().ok_or(PolicyProblem::FieldMissing).at("podSelector")?;
        Ok(PodsOf { namespaces, pods: pods.compile_custom().at("podSelector")? })
    }

    /// All rules of a direction.
    pub(in crate::policy) fn each<A>(
        self,
        field: &str,
        rules: &[A],
        compile: impl Fn(&A) -> Result<ClusterRule, PolicyFault>,
    ) -> Result<Vec<ClusterRule>, PolicyFault> {
        at_most(self.rules, rules).at(field)?;
        let indexed = rules.iter().enumerate();
        indexed.map(|(index, rule)| compile(rule).at_index(field, index)).collect()
    }

    /// All ports of a rule, where it has a list of them.
    pub(in crate::policy) fn ports<A>(
        self,
        field: &str,
        written: Option<&[A]>,
        compile: impl Fn(&A) -> Result<ClusterPort, PolicyFault>,
    ) -> Result<ClusterPorts, PolicyFault> {
        let Some(written) = written else { return Ok(ClusterPorts::All) };
        self.some(written).at(field)?;
        let indexed = written.iter().enumerate();
        let ports = indexed.map(|(index, port)| compile(port).at_index(field, index));
        ports.collect::<Result<_, _>>().map(ClusterPorts::Only)
    }

    pub(in crate::policy) fn rule(self, rule: Written<'_>) -> Result<ClusterRule, PolicyFault> {
        if rule.name.chars().count() > 100 {
            return Err(PolicyProblem::TooLong { most: 100 }).at("name");
        }
        let field = match rule.direction {
            Direction::Ingress => "from",
            Direction::Egress => "to",
        };
        let action = self.action(rule.action).at("action")?;
        self.some(rule.peers).at(field)?;
        let indexed = rule.peers.iter().enumerate();
        let peers = indexed
            .map(|(index, peer)| self.peer(peer, rule.direction).at_index(field, index))
            .collect::<Result<Vec<_>, _>>()?;
        let has_names = match &rule.ports {
            ClusterPorts::All => false,
            ClusterPorts::Only(ports) => {
                ports.iter().any(|port| matches!(port, ClusterPort::Named(_)))
            }
        };
        let nameless = peers.iter().position(|peer| match peer {
            ClusterPeer::Networks(_) | ClusterPeer::Nodes(_) | ClusterPeer::DomainNames(_) => true,
            ClusterPeer::Pods(_) | ClusterPeer::Unknown(_) => false,
        });
        match nameless {
            Some(index) if has_names => {
                Err(PolicyProblem::NamedPortWithoutPods).at_index(field, index)
            }
            Some(_) | None => {
                Ok(ClusterRule { name: rule.name.to_owned(), action, peers, ports: rule.ports })
            }
        }
    }

    fn action(self, written: Option<&str>) -> Result<Action, PolicyProblem> {
        let written = written.ok_or(PolicyProblem::FieldMissing)?;
        let known = self.actions.iter().find(|(word, _)| *word == written);
        known.map(|(_, action)| *action).ok_or_else(|| PolicyProblem::Action {
            found: written.to_owned(),
            known: self.action_words,
        })
    }

    /// Checks that a list which is there has one element at least, and not too many.
    fn some<T>(self, elements: &[T]) -> Result<(), PolicyProblem> {
        if elements.is_empty() {
            Err(PolicyProblem::Empty)
        } else {
            at_most(self.elements, elements)
        }
    }

    fn peer(self, peer: &Peer, direction: Direction) -> Result<ClusterPeer, PolicyFault> {
        let Peer { namespaces, pods, nodes, networks, domain_names, others } = peer;
        match (namespaces, pods, nodes, networks, domain_names, others.sole()?) {
            (Some(selector), None, None, None, None, None) => {
                Ok(ClusterPeer::Pods(all_pods_of(selector).at("namespaces")?))
            }
            (None, Some(pods), None, None, None, None) => {
                Ok(ClusterPeer::Pods(self.pods(pods).at("pods")?))
            }
            (None, None, Some(selector), None, None, None) => {
                only_egress(direction).at("nodes")?;
                Ok(ClusterPeer::Nodes(selector.compile_custom().at("nodes")?))
            }
            (None, None, None, Some(ranges), None, None) => {
                only_egress(direction).at("networks")?;
                Ok(ClusterPeer::Networks(set("networks", ranges, network)?))
            }
            (None, None, None, None, Some(names), None) if self.has_domain_names => {
                only_egress(direction).at("domainNames")?;
                Ok(ClusterPeer::DomainNames(set("domainNames", names, domain_name)?))
            }
            (None, None, None, None, None, Some(unknown)) => {
                Ok(ClusterPeer::Unknown(unknown.to_owned()))
            }
            _ => Err(PolicyProblem::OneOf(match (direction, self.has_domain_names) {
                (Direction::Ingress, _) => "namespaces and pods",
                (Direction::Egress, true) => "namespaces, pods, nodes, networks and domainNames",
                (Direction::Egress, false) => "namespaces, pods, nodes and networks",
            })
            .into()),
        }
    }
}

fn only_egress(direction: Direction) -> Result<(), PolicyProblem> {
    match direction {
        Direction::Ingress => Err(PolicyProblem::OnlyEgress),
        Direction::Egress => Ok(()),
    }
}

fn all_pods_of(namespaces: &LabelSelector) -> Result<PodsOf, PolicyFault> {
    Ok(PodsOf { namespaces: namespaces.compile_custom()?, pods: Selector::everything() })
}

fn at_most<T>(most: usize, elements: &[T]) -> Result<(), PolicyProblem> {
    if elements.len() > most { Err(PolicyProblem::TooMany { most }) } else { Ok(()) }
}

/// A list of at most 25 different elements, and at least one.
fn set<T>(
    field: &str,
    elements: &[String],
    compile: impl Fn(&str) -> Result<T, PolicyProblem>,
) -> Result<Vec<T>, PolicyFault> {
    if elements.is_empty() {
        return Err(PolicyProblem::Empty).at(field);
    }
    at_most(25, elements).at(field)?;
    let compiled = elements.iter().enumerate().map(|(index, element)| {
        let value = if elements[..index].contains(element) {
            Err(PolicyProblem::Twice(element.clone()))
        } else {
            compile(element)
        };
        value.at_index(field, index)
    });
    compiled.collect()
}

/// The CEL function `isCIDR`: no leading zeros and no IPv4 in the spelling of IPv6, unlike
/// `NetworkPolicy`.
fn network(text: &str) -> Result<IpNet, PolicyProblem> {
    const MOST: usize = 43;
    if text.chars().count() > MOST {
        return Err(PolicyProblem::TooLong { most: MOST });
    }
    let range = text.split_once('/').and_then(|(address, length)| {
        let is_canonical =
            length == "0" || length.starts_with(|first| first != '0' && first != '+');
        let address: IpAddr = address.parse().ok()?;
        IpNet::new(address, length.parse().ok().filter(|_| is_canonical)?).ok()
    });
    match range {
        Some(IpNet::V4(range)) => Ok(range.trunc().into()),
        Some(IpNet::V6(range)) if range.addr().to_ipv4_mapped().is_none() => {
            Ok(range.trunc().into())
        }
        Some(IpNet::V6(_)) | None => Err(PolicyProblem::Cidr(text.to_owned())),
    }
}

fn domain_name(name: &str) -> Result<String, PolicyProblem> {
    let plain = name.strip_prefix("*.").unwrap_or(name);
    let plain = plain.strip_suffix('.').unwrap_or(plain);
    if plain.contains('.') && plain.split('.').all(syntax::is_domain_label) {
        Ok(name.to_owned())
    } else {
        Err(PolicyProblem::DomainName(name.to_owned()))
    }
}
