//! What rewritings have in common: the walk to the part that they rewrite.

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

/// Each rule of both directions.
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

/// Each list of peers that there is. Where it comes to nothing, the rule admits nobody.
pub(super) fn peers(snapshot: &Snapshot, rewrite: impl Fn(&[Peer]) -> Vec<Peer>) -> Snapshot {
    rules(snapshot, |rule| {
        let peers = match &rule.peers {
            Peers::Everyone => Peers::Everyone,
            Peers::Only(peers) => only(rewrite(peers)),
        };
        Rule { peers, ports: rule.ports.clone() }
    })
}

/// Each element of a list of ports, which may come to several.
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

/// Each selector: of subjects, of peers and of their namespaces.
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

/// A rule that admits nobody in the place of each for which this holds: that a direction has a rule
/// is for other faults to see.
pub(super) fn void_rules(snapshot: &Snapshot, is_void: impl Fn(&Rule) -> bool) -> Snapshot {
    rules(snapshot, |rule| {
        if is_void(rule) {
            Rule { peers: only(vec![]), ports: rule.ports.clone() }
        } else {
            rule.clone()
        }
    })
}

/// These peers, or nobody where there are none.
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
