//! Faults about which ports a rule means.

use std::collections::BTreeMap;

use super::rewrite::{ports, rules, void_rules};
use crate::{
    flow::Protocol,
    pod::{ContainerKind, NamedPort, Pod},
    policy::{MatchedPorts, PortMatch, Ports, Rule},
    snapshot::Snapshot,
};

const PROTOCOLS: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];

pub(super) fn end_port_first_only(snapshot: &Snapshot) -> Snapshot {
    ports(snapshot, |port| {
        let numbers = match &port.numbers {
            MatchedPorts::Range { first, .. } => {
                MatchedPorts::Range { first: *first, last: *first }
            }
            MatchedPorts::Any | MatchedPorts::Named(_) => port.numbers.clone(),
        };
        [PortMatch { protocol: port.protocol, numbers }]
    })
}

pub(super) fn drops_rules_with_end_port(snapshot: &Snapshot) -> Snapshot {
    void_rules(snapshot, |rule| {
        has(rule, |numbers| matches!(numbers, MatchedPorts::Range { first, last } if first < last))
    })
}

pub(super) fn drops_rules_with_named_port(snapshot: &Snapshot) -> Snapshot {
    void_rules(snapshot, |rule| has(rule, |numbers| matches!(numbers, MatchedPorts::Named(_))))
}

fn has(rule: &Rule, wanted: impl Fn(&MatchedPorts) -> bool) -> bool {
    match &rule.ports {
        Ports::All => false,
        Ports::Only(ports) => ports.iter().any(|port| wanted(&port.numbers)),
    }
}

pub(super) fn ignores_ports(snapshot: &Snapshot) -> Snapshot {
    rules(snapshot, |rule| Rule { peers: rule.peers.clone(), ports: Ports::All })
}

/// Replaces each name of a port by one that every pod declares, with the number that the first pod
/// gives it. Whether the names of init containers resolve stays open.
pub(super) fn named_port_of_first_pod(snapshot: &Snapshot) -> Snapshot {
    let mut pods: Vec<&Pod> = snapshot.pods.iter().collect();
    pods.sort_by_key(|pod| &pod.name);
    let mut first: BTreeMap<(&str, Protocol), Vec<&NamedPort>> = BTreeMap::new();
    for port in pods.into_iter().flat_map(|pod| &pod.named_ports) {
        let known = first.entry((&port.name, port.protocol)).or_default();
        // One of an init container decides only where it comes before any other.
        match port.container {
            ContainerKind::Regular if !known.iter().any(|one| one.container == port.container) => {
                known.push(port);
            }
            ContainerKind::Init if known.is_empty() => known.push(port),
            ContainerKind::Regular | ContainerKind::Init => {}
        }
    }
    let declared: Vec<NamedPort> = first
        .into_values()
        .flatten()
        .map(|port| NamedPort { name: of_first(&port.name, port.protocol), ..port.clone() })
        .collect();
    let mut mutated =
        renamed(snapshot, |name, protocol| (of_first(name, protocol), vec![protocol]));
    for pod in &mut mutated.pods {
        pod.named_ports.extend(declared.iter().cloned());
    }
    mutated
}

fn of_first(name: &str, protocol: Protocol) -> String {
    format!("\0first {name} {protocol}")
}

/// Replaces each name of a port by one that pods declare for every protocol, where they declare the
/// name for the rule's own.
pub(super) fn ignores_protocol(snapshot: &Snapshot) -> Snapshot {
    let name = |name: &str, protocol: Protocol| format!("\0any {name} {protocol}");
    let numbered = ports(snapshot, |port| {
        let protocols = match port.numbers {
            MatchedPorts::Any | MatchedPorts::Range { .. } => PROTOCOLS.to_vec(),
            MatchedPorts::Named(_) => vec![port.protocol],
        };
        let of = |protocol| PortMatch { protocol, numbers: port.numbers.clone() };
        protocols.into_iter().map(of).collect::<Vec<_>>()
    });
    let mut mutated = renamed(&numbered, |old, protocol| (name(old, protocol), PROTOCOLS.to_vec()));
    for pod in &mut mutated.pods {
        let declared = pod.named_ports.iter().flat_map(|port| {
            let name = name(&port.name, port.protocol);
            PROTOCOLS.map(|protocol| NamedPort { name: name.clone(), protocol, ..port.clone() })
        });
        let declared: Vec<NamedPort> = declared.collect();
        pod.named_ports.extend(declared);
    }
    mutated
}

/// Puts other names in the place of those that rules use, for these protocols.
fn renamed(
    snapshot: &Snapshot,
    rename: impl Fn(&str, Protocol) -> (String, Vec<Protocol>),
) -> Snapshot {
    ports(snapshot, |port| match &port.numbers {
        MatchedPorts::Any | MatchedPorts::Range { .. } => vec![port.clone()],
        MatchedPorts::Named(name) => {
            let (name, protocols) = rename(name, port.protocol);
            let of = |protocol| PortMatch { protocol, numbers: MatchedPorts::Named(name.clone()) };
            protocols.into_iter().map(of).collect()
        }
    })
}
