//! Rules applied wrongly: which policies count, and what an isolation becomes.

use std::borrow::Cow;

use ipnet::{IpNet, Ipv6Net};

use super::Case;
use crate::{
    policy::{Block, Peer, Peers, Policy, Protocol, Rule},
    ruleset::{Allow, Isolated, Isolation, PeerSet, PortSet},
    world::ObjectName,
};

pub(super) fn keep_the_newest(applying: &mut Vec<(&ObjectName, Cow<'_, Policy>)>) {
    let newest = applying
        .drain(..)
        .max_by(|(a_name, a), (b_name, b)| (&a.created, a_name).cmp(&(&b.created, b_name)));
    applying.extend(newest);
}

pub(super) fn spread_excepts(isolation: &mut Isolation, case: &Case) {
    if let Isolation::Isolated(isolated) = isolation {
        isolated.denied.extend(case.rules.iter().flat_map(|rule| excepts(rule)));
    }
}

fn excepts(rule: &Rule) -> impl Iterator<Item = IpNet> {
    let peers = match &rule.peers {
        Peers::Anyone => &[][..],
        Peers::OneOf(peers) => peers,
    };
    let excepts = peers.iter().flat_map(|peer| match peer {
        Peer::Pods { .. } => &[][..],
        Peer::Block(block) => &block.except,
    });
    excepts.copied()
}

pub(super) fn allow_every_protocol(isolation: &mut Isolation, _: &Case) {
    if let Isolation::Isolated(isolated) = isolation {
        for allow in &mut isolated.allowed {
            if let PortSet::OneOf(numbers) = &mut allow.ports {
                let every = numbers.iter().flat_map(|(_, range)| {
                    [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].map(|of| (of, *range))
                });
                *numbers = every.collect();
            }
        }
    }
}

pub(super) fn exempt_ipv6(isolation: &mut Isolation, _: &Case) {
    let all = Block { range: Ipv6Net::default().into(), except: Vec::new() };
    exempt(isolation, &Allow { peers: PeerSet::Block(all), ports: PortSet::All });
}

pub(super) fn exempt_same_node(isolation: &mut Isolation, case: &Case) {
    exempt(isolation, case.same_node);
}

pub(super) fn exempt_cross_node(isolation: &mut Isolation, case: &Case) {
    exempt(isolation, case.cross_node);
}

fn exempt(isolation: &mut Isolation, what: &Allow) {
    if let Isolation::Isolated(isolated) = isolation {
        isolated.exempt.push(what.clone());
    }
}

pub(super) fn block_all(isolation: &mut Isolation, _: &Case) {
    *isolation = Isolation::Isolated(Isolated::default());
}
