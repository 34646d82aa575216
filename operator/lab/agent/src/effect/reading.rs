//! Policies read wrongly: each function is one misreading, of one policy.

use crate::{
    policy::{
        Block, Direction, Namespaces, Peer, Peers, Policy, PolicyTypes, Port, PortRange, Ports,
        Rule, Target,
    },
    select::Selector,
};

pub(super) fn isolate_nothing(policy: &mut Policy) {
    isolate_no_ingress(policy);
    isolate_no_egress(policy);
}

pub(super) fn isolate_no_ingress(policy: &mut Policy) {
    *policy.rules_mut(Direction::Ingress) = None;
}

pub(super) fn isolate_no_egress(policy: &mut Policy) {
    *policy.rules_mut(Direction::Egress) = None;
}

pub(super) fn want_policy_types(policy: &mut Policy) {
    match policy.types {
        PolicyTypes::Written => {}
        PolicyTypes::Defaulted => isolate_no_egress(policy),
    }
}

pub(super) fn fill_empty_lists(policy: &mut Policy) {
    let anything = Rule { peers: Peers::Anyone, ports: Ports::All };
    for rules in lists(policy).into_iter().filter(|rules| rules.is_empty()) {
        rules.push(anything.clone());
    }
}

pub(super) fn drop_blocks(policy: &mut Policy) {
    for peers in peer_lists(policy) {
        peers.retain(|peer| matches!(peer, Peer::Pods { .. }));
    }
}

pub(super) fn drop_excepts(policy: &mut Policy) {
    for block in peer_lists(policy).into_iter().flatten().filter_map(block) {
        block.except.clear();
    }
}

pub(super) fn cut_ranges(policy: &mut Policy) {
    for port in lists(policy).into_iter().flatten().flat_map(|rule| entries(&mut rule.ports)) {
        if let Target::Numbers(range) = &mut port.target
            && is_range(*range)
        {
            *range = PortRange::single(range.first);
        }
    }
}

pub(super) fn drop_rules_with_ranges(policy: &mut Policy) {
    drop_rules(policy, |port| match port.target {
        Target::Numbers(range) => is_range(range),
        Target::Named(_) => false,
    });
}

pub(super) fn drop_rules_with_names(policy: &mut Policy) {
    drop_rules(policy, |port| match port.target {
        Target::Numbers(_) => false,
        Target::Named(_) => true,
    });
}

pub(super) fn drop_ports(policy: &mut Policy) {
    for rule in lists(policy).into_iter().flatten() {
        rule.ports = Ports::All;
    }
}

pub(super) fn split_peers(policy: &mut Policy) {
    for peers in peer_lists(policy) {
        *peers = peers.drain(..).flat_map(split).collect();
    }
}

fn split(peer: Peer) -> Vec<Peer> {
    match peer {
        Peer::Pods { namespaces: Namespaces::Selected(selector), pods } if !pods.is_empty() => {
            vec![
                Peer::Pods {
                    namespaces: Namespaces::Selected(selector),
                    pods: Selector::default(),
                },
                Peer::Pods { namespaces: Namespaces::Own, pods },
            ]
        }
        whole @ (Peer::Pods { .. } | Peer::Block(_)) => vec![whole],
    }
}

pub(super) fn join_peers(policy: &mut Policy) {
    for peers in peer_lists(policy) {
        let (of_pods, blocks): (Vec<_>, Vec<_>) =
            peers.drain(..).partition(|peer| matches!(peer, Peer::Pods { .. }));
        peers.extend(of_pods.into_iter().reduce(join).into_iter().chain(blocks));
    }
}

/// The peer of pods that are both.
fn join(one: Peer, other: Peer) -> Peer {
    match (one, other) {
        (
            Peer::Pods { namespaces, mut pods },
            Peer::Pods { namespaces: other, pods: other_pods },
        ) => {
            pods.narrow(&other_pods);
            let namespaces = match (namespaces, other) {
                (Namespaces::Selected(mut one), Namespaces::Selected(other)) => {
                    one.narrow(&other);
                    Namespaces::Selected(one)
                }
                (selected @ Namespaces::Selected(_), Namespaces::Own) | (_, selected) => selected,
            };
            Peer::Pods { namespaces, pods }
        }
        // Blocks have been set apart by the caller.
        (pods @ Peer::Pods { .. }, Peer::Block(_)) | (Peer::Block(_), pods) => pods,
    }
}

pub(super) fn look_everywhere(policy: &mut Policy) {
    for selector in namespace_selectors(policy) {
        *selector = Namespaces::Selected(Selector::default());
    }
}

pub(super) fn look_at_home(policy: &mut Policy) {
    for selector in namespace_selectors(policy) {
        *selector = Namespaces::Own;
    }
}

pub(super) fn forget_expressions(policy: &mut Policy) {
    each_selector(policy, Selector::forget_expressions);
}

pub(super) fn require_keys(policy: &mut Policy) {
    each_selector(policy, Selector::require_keys);
}

/// Whether an `endPort` made the range. An entry without a port means every port, and has none.
fn is_range(range: PortRange) -> bool {
    range != PortRange::ALL && range.last > range.first
}

fn drop_rules(policy: &mut Policy, bad: impl Fn(&Port) -> bool) {
    for rules in lists(policy) {
        rules.retain_mut(|rule| !entries(&mut rule.ports).iter().any(&bad));
    }
}

/// The rules of each direction that is isolated.
fn lists(policy: &mut Policy) -> Vec<&mut Vec<Rule>> {
    policy.rules_of_both_mut().into_iter().flatten().collect()
}

/// The peers of each rule that names some.
fn peer_lists(policy: &mut Policy) -> Vec<&mut Vec<Peer>> {
    let rules = lists(policy).into_iter().flatten();
    rules
        .filter_map(|rule| match &mut rule.peers {
            Peers::Anyone => None,
            Peers::OneOf(peers) => Some(peers),
        })
        .collect()
}

fn entries(ports: &mut Ports) -> &mut [Port] {
    match ports {
        Ports::All => &mut [],
        Ports::OneOf(entries) => entries,
    }
}

fn block(peer: &mut Peer) -> Option<&mut Block> {
    match peer {
        Peer::Pods { .. } => None,
        Peer::Block(block) => Some(block),
    }
}

/// The namespaces of each peer that has a `namespaceSelector`.
fn namespace_selectors(policy: &mut Policy) -> Vec<&mut Namespaces> {
    let peers = peer_lists(policy).into_iter().flatten();
    peers
        .filter_map(|peer| match peer {
            Peer::Pods { namespaces: selected @ Namespaces::Selected(_), .. } => Some(selected),
            Peer::Pods { namespaces: Namespaces::Own, .. } | Peer::Block(_) => None,
        })
        .collect()
}

fn each_selector(policy: &mut Policy, change: fn(&mut Selector)) {
    change(&mut policy.subjects);
    for peer in peer_lists(policy).into_iter().flatten() {
        if let Peer::Pods { namespaces, pods } = peer {
            change(pods);
            if let Namespaces::Selected(selector) = namespaces {
                change(selector);
            }
        }
    }
}
