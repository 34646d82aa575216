//! Finds peers that are nobody, or somebody else than they seem to be.

use super::{Census, Code, FindingPlace, LintFinding, rules_of};
use crate::{
    near_miss::{NearLabel, near_selector},
    phrases,
    policy::{Namespaces, Peer, Peers, Policy},
    select::{NAMESPACE_NAME, Requirement, Selector},
};

pub(super) fn check(census: &Census<'_>) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    for policy in &census.snapshot.policies {
        for (direction, rules) in rules_of(policy) {
            for (index, rule) in rules.iter().enumerate() {
                let Peers::Only(peers) = &rule.peers else { continue };
                for (place, peer) in peers.iter().enumerate() {
                    let field = phrases::peer_field(direction, index, place);
                    findings.extend(
                        or_meant_as_and(census, policy, peers, peer)
                            .or_else(|| nobody(census, policy, peer))
                            .map(|told| told.at(policy, &field)),
                    );
                }
            }
        }
    }
    findings
}

/// How many different pods are searched for a near miss, so that a cluster in which many peers
/// match nobody takes no longer than others.
const LOOKED_AT: usize = 200;

/// A finding about a peer, without the place of the peer.
pub(super) struct PeerAdvice {
    code: Code,
    /// The way below the peer, such as `.podSelector`.
    field: &'static str,
    sentence: String,
    fix: String,
}

impl PeerAdvice {
    fn at(self, policy: &Policy, peer: &str) -> LintFinding {
        self.of(FindingPlace::of(policy, String::new()), peer)
    }

    pub(super) fn of(self, place: FindingPlace, peer: &str) -> LintFinding {
        let field = format!("{peer}{}", self.field);
        FindingPlace { field, ..place }.find(self.code, self.sentence, self.fix)
    }
}

/// The finding about a `podSelector` that matches nobody in the policy's namespace, and somebody in
/// the namespaces that a `namespaceSelector` in another element selects.
fn or_meant_as_and<'a>(
    census: &Census<'a>,
    policy: &'a Policy,
    peers: &'a [Peer],
    peer: &'a Peer,
) -> Option<PeerAdvice> {
    let Peer::Pods { namespaces: Namespaces::Own, pods } = peer else { return None };
    let own = &policy.name.namespace;
    let is_somebody = census.peers(peer, own).is_some_and(|found| !found.is_empty());
    if is_somebody || pods.requirements().len() == 0 {
        return None;
    }
    let found = peers.iter().find_map(|other| match other {
        Peer::Pods { namespaces: Namespaces::Matching(namespaces), pods: all }
            if all.requirements().len() == 0 && namespaces.requirements().len() > 0 =>
        {
            census.pods_of(namespaces, pods).first().map(|class| (namespaces, *class))
        }
        Peer::Pods { .. } | Peer::Addresses(_) => None,
    });
    let (namespaces, class) = found?;
    Some(PeerAdvice {
        code: Code::OrMeantAsAnd,
        field: ".podSelector",
        sentence: format!(
            "Alone, it means pods of namespace {own}, which has none with {}; {} has these labels, \
             in a namespace with {}.",
            phrases::selector(pods),
            census.classes[class].example.1.name,
            phrases::selector(namespaces),
        ),
        fix: "Write the podSelector into the element of the namespaceSelector, without a dash of \
             its own."
            .to_owned(),
    })
}

fn nobody<'a>(census: &Census<'a>, policy: &'a Policy, peer: &'a Peer) -> Option<PeerAdvice> {
    match peer {
        Peer::Addresses(_) => None,
        Peer::Pods { namespaces: Namespaces::Matching(namespaces), pods } => {
            nowhere(census, namespaces, ".namespaceSelector")
                .or_else(|| no_pod(census, namespaces, pods, ".podSelector"))
        }
        Peer::Pods { namespaces: Namespaces::Own, pods } => {
            let own = &policy.name.namespace;
            let found = census.peers(peer, own)?;
            found.is_empty().then(|| no_pod_in(census, &[own], pods, ".podSelector")).flatten()
        }
    }
}

/// The finding about a selector that matches no namespace. A namespace that is selected by its name
/// is perhaps just not among the objects; and where not all labels are known, nothing can be told.
pub(super) fn nowhere(
    census: &Census<'_>,
    selector: &Selector,
    field: &'static str,
) -> Option<PeerAdvice> {
    if census.matching(selector).next().is_some() {
        return None;
    }
    let namespaces = census.namespaces.iter();
    let mut near = namespaces.filter_map(|(name, labels)| {
        near_selector(selector, labels).map(|(requirement, near)| (name, requirement, near))
    });
    if let Some((name, requirement, near)) = near.next() {
        let key = requirement.key();
        let code = match near {
            NearLabel::NamespaceName { .. } => Code::NamespaceName,
            _ => Code::AlmostNamespace,
        };
        return Some(PeerAdvice {
            code,
            field,
            sentence: format!(
                "No namespace has {}; {name} comes near ({}).",
                phrases::selector(selector),
                phrases::near_label(&near, key)
            ),
            fix: format!("Write {}.", phrases::instead(&near, key)),
        });
    }
    let is_by_name = |one: &Requirement| one.key() == NAMESPACE_NAME;
    let all_known =
        census.namespaces.keys().all(|name| census.snapshot.namespaces.contains_key(*name));
    if selector.requirements().any(is_by_name) || !all_known {
        return None;
    }
    Some(PeerAdvice {
        code: Code::NoNamespace,
        field,
        sentence: format!("No namespace has {}.", phrases::selector(selector)),
        fix: "Label the namespaces that are meant, or correct the selector.".to_owned(),
    })
}

/// The finding about selectors that match no pod, in namespaces that there are.
pub(super) fn no_pod<'a>(
    census: &Census<'a>,
    namespaces: &'a Selector,
    pods: &'a Selector,
    field: &'static str,
) -> Option<PeerAdvice> {
    if !census.pods_of(namespaces, pods).is_empty() {
        return None;
    }
    let matching: Vec<&str> = census.matching(namespaces).collect();
    no_pod_in(census, &matching, pods, field)
}

/// The finding about a selector that matches no pod in these namespaces. Nothing is told of
/// namespaces without any pods, which are perhaps not among the objects.
fn no_pod_in(
    census: &Census<'_>,
    namespaces: &[&str],
    pods: &Selector,
    field: &'static str,
) -> Option<PeerAdvice> {
    let mut there = namespaces.iter().flat_map(|name| census.in_namespace(name)).peekable();
    there.peek()?;
    let mut near = there.take(LOOKED_AT).filter_map(|class| {
        near_selector(pods, class.labels).map(|(requirement, near)| (class, requirement, near))
    });
    let place = match namespaces {
        [one] => format!("of namespace {one}"),
        _ => "of these namespaces".to_owned(),
    };
    let nobody = format!("No pod {place} has {}", phrases::selector(pods));
    Some(match near.next() {
        Some((class, requirement, near)) => PeerAdvice {
            code: Code::AlmostPeer,
            field,
            sentence: format!(
                "{nobody}; {} comes near ({}).",
                class.example.1.name,
                phrases::near_label(&near, requirement.key())
            ),
            fix: format!("Write {}.", phrases::instead(&near, requirement.key())),
        },
        None => PeerAdvice {
            code: Code::NoPeer,
            field,
            sentence: format!("{nobody}."),
            fix: "Correct the labels, or add a namespaceSelector if the pods are elsewhere."
                .to_owned(),
        },
    })
}
