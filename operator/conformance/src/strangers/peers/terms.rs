//! Gathers the terms by which the policies of a subject tell strangers apart.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::{
    flow::Protocol,
    pod::{ContainerKind, NamedPort},
    policy::{
        Isolation, MatchedPorts, Namespaces, Peer, Peers, Ports, Rule,
        cluster::{ClusterPeer, ClusterPort, ClusterPorts},
    },
    select::{Labels, Selector},
    strangers::normal::Selecting,
};

/// The selectors, blocks and ports by which the policies of a subject tell strangers apart.
pub(super) struct StrangerTerms<'a> {
    pub(super) namespaces: Vec<&'a Selector>,
    pub(super) pods: Vec<&'a Selector>,
    pub(super) blocks: BTreeSet<IpNet>,
    named: BTreeSet<(Protocol, &'a str)>,
    /// Ports that are mentioned by their numbers, from the first to the last.
    numbered: Vec<(u16, u16)>,
    /// Whether the policies mention something by which no strangers are made up.
    pub(super) has_more: bool,
}

impl<'a> StrangerTerms<'a> {
    pub(super) fn of(selecting: &'a [Selecting<'a>; 2]) -> Self {
        let mut terms = Self {
            namespaces: Vec::new(),
            pods: Vec::new(),
            blocks: BTreeSet::new(),
            named: BTreeSet::new(),
            numbered: Vec::new(),
            has_more: false,
        };
        for selecting in selecting {
            for policy in &selecting.policies {
                for isolation in [&policy.ingress, &policy.egress] {
                    if let Isolation::Isolated(rules) = isolation {
                        for rule in rules {
                            terms.rule(rule);
                        }
                    }
                }
            }
            let rules = selecting.cluster_policies.iter();
            for rule in rules.flat_map(|policy| policy.ingress.iter().chain(&policy.egress)) {
                for peer in &rule.peers {
                    terms.cluster_peer(peer);
                }
                let ClusterPorts::Only(ports) = &rule.ports else { continue };
                for port in ports {
                    match port {
                        ClusterPort::Range { protocol: _, first, last } => {
                            terms.numbered.push((*first, *last));
                        }
                        ClusterPort::Named(name) => {
                            terms.named.insert((Protocol::Tcp, name));
                            // Rules have an order, in which a name may stand before its number.
                            terms.has_more = true;
                        }
                        ClusterPort::Unknown(_) => terms.has_more = true,
                    }
                }
            }
        }
        terms
    }

    fn rule(&mut self, rule: &'a Rule) {
        if let Peers::Only(peers) = &rule.peers {
            for peer in peers {
                match peer {
                    Peer::Pods { namespaces, pods } => {
                        if let Namespaces::Matching(selector) = namespaces {
                            self.namespaces.push(selector);
                        }
                        self.pods.push(pods);
                    }
                    Peer::Addresses(block) => {
                        self.blocks.insert(block.cidr);
                        self.blocks.extend(&block.except);
                    }
                }
            }
        }
        if let Ports::Only(ports) = &rule.ports {
            for port in ports {
                match &port.numbers {
                    MatchedPorts::Any => {}
                    MatchedPorts::Range { first, last } => self.numbered.push((*first, *last)),
                    MatchedPorts::Named(name) => {
                        self.named.insert((port.protocol, name));
                    }
                }
            }
        }
    }

    fn cluster_peer(&mut self, peer: &'a ClusterPeer) {
        match peer {
            ClusterPeer::Pods(of) => {
                self.namespaces.push(&of.namespaces);
                self.pods.push(&of.pods);
            }
            // A network may treat a pod with such an address as the pod or as the address.
            ClusterPeer::Networks(networks) => {
                self.blocks.extend(networks);
                self.has_more = true;
            }
            ClusterPeer::Nodes(_) | ClusterPeer::DomainNames(_) | ClusterPeer::Unknown(_) => {
                self.has_more = true;
            }
        }
    }

    /// The ports that the policies name, each at a number that no policy mentions.
    pub(super) fn names(&self) -> Vec<NamedPort> {
        let is_mentioned = |number: &u16| {
            self.numbered.iter().any(|(first, last)| (first..=last).contains(&number))
        };
        let numbers = (1..=u16::MAX).rev().filter(|number| !is_mentioned(number));
        let named = self.named.iter().zip(numbers).map(|((protocol, name), number)| NamedPort {
            name: (*name).to_owned(),
            number,
            protocol: *protocol,
            container: ContainerKind::Regular,
        });
        named.collect()
    }

    /// Which of the selectors of pods match these labels.
    pub(super) fn matching_pods(&self, labels: &Labels) -> Vec<bool> {
        self.pods.iter().map(|one| one.matches(labels)).collect()
    }
}
