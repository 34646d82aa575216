//! Walks a snapshot to the parts that rewritings change.

use std::collections::BTreeSet;

use crate::{
    policy::{Isolation, Namespaces, Peer, Peers, Policy, PortMatch, Ports, Rule},
    select::{Requirement, RequirementForm, Selector},
    snapshot::Snapshot,
};

/// The snapshot with each of its policies rewritten.
pub(super) fn policies(snapshot: &Snapshot, rewrite: impl Fn(&Policy) -> Policy) -> Snapshot {
    let policies = snapshot.policies.iter().map(rewrite).collect();
    Snapshot { policies, ..snapshot.clone() }
}

/// The snapshot with each rule of both directions rewritten.
pub(super) fn rules(snapshot: &Snapshot, rewrite: impl Fn(&Rule) -> Rule) -> Snapshot {
    let isolation = |isolation: &Isolation| match isolation {
        Isolation::Open => Isolation::Open,
        Isolation::Isolated(rules) => Isolation::Isolated(rules.iter().map(&rewrite).collect()),
    };
    policies(snapshot, |policy| Policy {
        ingress: isolation(&policy.ingress),
        egress: isolation(&policy.egress),
        ..policy.clone()
    })
}

/// The snapshot with each list of peers rewritten. Where a list comes to nothing, the rule admits
/// nobody.
pub(super) fn peers(snapshot: &Snapshot, rewrite: impl Fn(&[Peer]) -> Vec<Peer>) -> Snapshot {
    rules(snapshot, |rule| {
        let peers = match &rule.peers {
            Peers::Everyone => Peers::Everyone,
            Peers::Only(peers) => only(rewrite(peers)),
        };
        Rule { peers, ports: rule.ports.clone() }
    })
}

/// The snapshot with each element of a list of ports rewritten, which may come to several.
pub(super) fn ports<I>(snapshot: &Snapshot, rewrite: impl Fn(&PortMatch) -> I) -> Snapshot
where
    I: IntoIterator<Item = PortMatch>,
{
    rules(snapshot, |rule| {
        let ports = match &rule.ports {
            Ports::All => Ports::All,
            Ports::Only(ports) => Ports::Only(ports.iter().flat_map(&rewrite).collect()),
        };
        Rule { peers: rule.peers.clone(), ports }
    })
}

/// The snapshot with each selector rewritten: of subjects, of peers and of their namespaces.
pub(super) fn selectors(snapshot: &Snapshot, rewrite: impl Fn(&Selector) -> Selector) -> Snapshot {
    let peer = |peer: &Peer| match peer {
        Peer::Addresses(block) => Peer::Addresses(block.clone()),
        Peer::Pods { namespaces, pods } => Peer::Pods {
            namespaces: match namespaces {
                Namespaces::Own => Namespaces::Own,
                Namespaces::Matching(selector) => Namespaces::Matching(rewrite(selector)),
            },
            pods: rewrite(pods),
        },
    };
    let rewritten = peers(snapshot, |peers| peers.iter().map(peer).collect());
    policies(&rewritten, |policy| Policy { subjects: rewrite(&policy.subjects), ..policy.clone() })
}

/// The snapshot with a rule that admits nobody in the place of each for which `is_void` holds:
/// other faults still see that there is a rule.
pub(super) fn void_rules(snapshot: &Snapshot, is_void: impl Fn(&Rule) -> bool) -> Snapshot {
    rules(snapshot, |rule| {
        if is_void(rule) {
            Rule { peers: only(vec![]), ports: rule.ports.clone() }
        } else {
            rule.clone()
        }
    })
}

/// The list of these peers, or of nobody where there are none.
pub(super) fn only(peers: Vec<Peer>) -> Peers {
    if peers.is_empty() { Peers::Only(vec![nobody()]) } else { Peers::Only(peers) }
}

/// A peer that no pod is.
fn nobody() -> Peer {
    let none = Requirement::In("\0nobody".to_owned(), BTreeSet::new());
    Peer::Pods { namespaces: Namespaces::Own, pods: and(&Selector::everything(), [none]) }
}

/// A selector with more requirements, which no fault of reading drops.
pub(in crate::diagnosis) fn and(
    selector: &Selector,
    more: impl IntoIterator<Item = Requirement>,
) -> Selector {
    let written = selector.written().map(|(requirement, how)| (requirement.clone(), how));
    written.chain(more.into_iter().map(|one| (one, RequirementForm::AsLabel))).collect()
}
