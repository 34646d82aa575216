//! Faults about how the selectors of a peer, and the peers of a rule, add up.

use super::rewrite::peers;
use crate::{
    policy::{Namespaces, Peer},
    select::Selector,
    snapshot::Snapshot,
};

pub(super) fn reads_and_as_or(snapshot: &Snapshot) -> Snapshot {
    let split = |peer: &Peer| match peer {
        Peer::Pods { namespaces: namespaces @ Namespaces::Matching(_), pods }
            if pods.requirements().len() > 0 =>
        {
            vec![
                Peer::Pods { namespaces: namespaces.clone(), pods: Selector::everything() },
                Peer::Pods { namespaces: Namespaces::Own, pods: pods.clone() },
            ]
        }
        Peer::Pods { .. } | Peer::Addresses(_) => vec![peer.clone()],
    };
    peers(snapshot, |peers| peers.iter().flat_map(split).collect())
}

pub(super) fn reads_or_as_and(snapshot: &Snapshot) -> Snapshot {
    peers(snapshot, |peers| {
        let of_pods: Vec<(&Namespaces, &Selector)> = peers
            .iter()
            .filter_map(|peer| match peer {
                Peer::Pods { namespaces, pods } => Some((namespaces, pods)),
                Peer::Addresses(_) => None,
            })
            .collect();
        if of_pods.len() < 2 {
            return peers.to_vec();
        }
        let selectors: Vec<&Selector> = of_pods
            .iter()
            .filter_map(|(namespaces, _)| match namespaces {
                Namespaces::Own => None,
                Namespaces::Matching(selector) => Some(selector),
            })
            .collect();
        let namespaces = if selectors.is_empty() {
            Namespaces::Own
        } else {
            Namespaces::Matching(all_of(selectors))
        };
        let pods = all_of(of_pods.into_iter().map(|(_, pods)| pods));
        let blocks = peers.iter().filter(|peer| matches!(peer, Peer::Addresses(_)));
        [Peer::Pods { namespaces, pods }].into_iter().chain(blocks.cloned()).collect()
    })
}

fn all_of<'a>(selectors: impl IntoIterator<Item = &'a Selector>) -> Selector {
    let written = selectors.into_iter().flat_map(Selector::written);
    written.map(|(requirement, how)| (requirement.clone(), how)).collect()
}

pub(super) fn ignores_namespace_selector(snapshot: &Snapshot) -> Snapshot {
    namespaces(snapshot, &Namespaces::Matching(Selector::everything()))
}

pub(super) fn own_namespace_only(snapshot: &Snapshot) -> Snapshot {
    namespaces(snapshot, &Namespaces::Own)
}

/// Puts these namespaces in the place of those that any `namespaceSelector` matches.
fn namespaces(snapshot: &Snapshot, instead: &Namespaces) -> Snapshot {
    let peer = |peer: &Peer| match peer {
        Peer::Pods { namespaces: Namespaces::Matching(_), pods } => {
            Peer::Pods { namespaces: instead.clone(), pods: pods.clone() }
        }
        Peer::Pods { namespaces: Namespaces::Own, .. } | Peer::Addresses(_) => peer.clone(),
    };
    peers(snapshot, |peers| peers.iter().map(peer).collect())
}
