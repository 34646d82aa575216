//! Judges a flow by one reading: which policies isolate each side, and which rules admit it.

use super::{
    ends::{Ends, Resolved},
    reading::{Liberty, Reading},
};
use crate::{
    expected::{Because, Decision, Direction, RuleRef},
    policy::{Isolation, Namespaces, Numbers, Peer, Peers, Policy, PortMatch, Ports, Rule},
    snapshot::{Container, Pod},
};

/// What decides on each side.
pub(super) fn judge(ends: &Ends<'_>, reading: Reading) -> Because {
    Because { egress: egress(ends, reading), ingress: ingress(ends, reading) }
}

fn egress(ends: &Ends<'_>, reading: Reading) -> Decision {
    let to_itself = ends.same_pod && reading.takes(Liberty::ExemptsItself);
    let to_own_node = ends.is_to_own_node() && reading.takes(Liberty::ExemptsOwnNode);
    match ends.from.pod(reading) {
        Some(subject) if !to_itself && !to_own_node => {
            Side { ends, reading, direction: Direction::Egress, subject, peer: &ends.to }.decide()
        }
        Some(_) | None => Decision::Exempt,
    }
}

fn ingress(ends: &Ends<'_>, reading: Reading) -> Decision {
    let to_itself = ends.same_pod && reading.takes(Liberty::ExemptsItself);
    match ends.to.pod(reading) {
        Some(subject) if !to_itself && !ends.is_from_own_node() => {
            Side { ends, reading, direction: Direction::Ingress, subject, peer: &ends.from }
                .decide()
        }
        Some(_) | None => Decision::Exempt,
    }
}

/// One side of a flow, where policies apply.
struct Side<'a> {
    ends: &'a Ends<'a>,
    reading: Reading,
    direction: Direction,
    subject: &'a Pod,
    peer: &'a Resolved<'a>,
}

impl Side<'_> {
    fn decide(&self) -> Decision {
        let isolating: Vec<_> = self.isolating().collect();
        let admitting = isolating.iter().flat_map(|(policy, rules)| {
            rules.iter().enumerate().filter_map(|(index, rule)| self.admits(policy, index, rule))
        });
        let mut rules: Vec<RuleRef> = admitting.collect();
        rules.sort();
        let mut policies: Vec<_> =
            isolating.iter().map(|(policy, _)| policy.name.clone()).collect();
        policies.sort();
        match (policies.is_empty(), rules.is_empty()) {
            (true, _) => Decision::NotIsolated,
            (false, true) => Decision::DeniedBy(policies),
            (false, false) => Decision::AllowedBy(rules),
        }
    }

    fn isolating(&self) -> impl Iterator<Item = (&Policy, &[Rule])> {
        let all = self.ends.snapshot.policies.iter();
        let selecting = all.filter(|policy| {
            policy.name.namespace == self.subject.name.namespace
                && policy.subjects.matches(&self.subject.labels)
        });
        selecting.filter_map(|policy| match policy.isolation(self.direction) {
            Isolation::Open => None,
            Isolation::Isolated(rules) => Some((policy, rules.as_slice())),
        })
    }

    /// The rule, if it admits the flow, with the first peer and the first port by which it does.
    fn admits(&self, policy: &Policy, index: usize, rule: &Rule) -> Option<RuleRef> {
        let peer = match &rule.peers {
            Peers::Everyone => None,
            Peers::Only(peers) => {
                Some(peers.iter().position(|peer| self.is_peer(peer, &policy.name.namespace))?)
            }
        };
        let port = match &rule.ports {
            Ports::All => None,
            Ports::Only(ports) => Some(ports.iter().position(|port| self.is_port(port))?),
        };
        let (policy, direction) = (policy.name.clone(), self.direction);
        Some(RuleRef { policy, direction, rule: index, peer, port })
    }

    fn is_peer(&self, peer: &Peer, own_namespace: &str) -> bool {
        match peer {
            Peer::Addresses(block) => block.contains(self.peer.address),
            Peer::Pods { namespaces, pods } => self.peer.pod(self.reading).is_some_and(|pod| {
                pods.matches(&pod.labels) && self.is_among(namespaces, own_namespace, pod)
            }),
        }
    }

    fn is_among(&self, namespaces: &Namespaces, own_namespace: &str, pod: &Pod) -> bool {
        let namespace = &pod.name.namespace;
        match namespaces {
            Namespaces::Own => namespace == own_namespace,
            Namespaces::Matching(selector) => {
                selector.matches_namespace(namespace, self.ends.snapshot.namespaces.get(namespace))
            }
        }
    }

    fn is_port(&self, port: &PortMatch) -> bool {
        let asked = self.ends.port;
        port.protocol == asked.protocol
            && match &port.numbers {
                Numbers::Any => true,
                Numbers::Range { first, last } => (*first..=*last).contains(&asked.number),
                Numbers::Named(name) => self.is_named(name),
            }
    }

    /// A name means what the receiving pod's containers give it, also in a rule for egress.
    fn is_named(&self, name: &str) -> bool {
        let Some(receiver) = self.ends.to.pod(self.reading) else {
            return self.reading.takes(Liberty::NamesMatchOutside);
        };
        receiver.named_ports.iter().any(|port| {
            port.name == name
                && (port.number, port.protocol) == (self.ends.port.number, self.ends.port.protocol)
                && match port.container {
                    Container::Regular => true,
                    Container::Init => self.reading.takes(Liberty::InitPortsResolve),
                }
        })
    }
}
