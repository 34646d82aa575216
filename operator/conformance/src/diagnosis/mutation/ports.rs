//! Faults about which ports a rule means.

use std::collections::BTreeMap;

use super::rewrite::{ports, rules, void_rules};
use crate::{
    flow::Protocol,
    policy::{Numbers, PortMatch, Ports, Rule},
    snapshot::{Container, NamedPort, Pod, Snapshot},
};

const PROTOCOLS: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];

pub(super) fn end_port_first_only(snapshot: &Snapshot) -> Snapshot {
    ports(snapshot, |port| {
        let numbers = match &port.numbers {
            Numbers::Range { first, .. } => Numbers::Range { first: *first, last: *first },
            Numbers::Any | Numbers::Named(_) => port.numbers.clone(),
        };
        [PortMatch { protocol: port.protocol, numbers }]
    })
}

pub(super) fn drops_rules_with_end_port(snapshot: &Snapshot) -> Snapshot {
    void_rules(snapshot, |rule| {
        has(rule, |numbers| matches!(numbers, Numbers::Range { first, last } if first < last))
    })
}

pub(super) fn drops_rules_with_named_port(snapshot: &Snapshot) -> Snapshot {
    void_rules(snapshot, |rule| has(rule, |numbers| matches!(numbers, Numbers::Named(_))))
}

fn has(rule: &Rule, wanted: impl Fn(&Numbers) -> bool) -> bool {
    match &rule.ports {
        Ports::All => false,
        Ports::Only(ports) => ports.iter().any(|port| wanted(&port.numbers)),
    }
}

pub(super) fn ignores_ports(snapshot: &Snapshot) -> Snapshot {
    rules(snapshot, |rule| Rule { peers: rule.peers.clone(), ports: Ports::All })
}

/// Each name is replaced by one that every pod declares, with the number that the first pod gives
/// it. Whether init containers declare names is open, and stays so.
pub(super) fn named_port_of_first_pod(snapshot: &Snapshot) -> Snapshot {
    let mut pods: Vec<&Pod> = snapshot.pods.iter().collect();
    pods.sort_by_key(|pod| &pod.name);
    let mut first: BTreeMap<(&str, Protocol), Vec<&NamedPort>> = BTreeMap::new();
    for port in pods.into_iter().flat_map(|pod| &pod.named_ports) {
        let known = first.entry((&port.name, port.protocol)).or_default();
        // One of an init container decides only where it comes before any other.
        match port.container {
            Container::Regular if !known.iter().any(|one| one.container == port.container) => {
                known.push(port);
            }
            Container::Init if known.is_empty() => known.push(port),
            Container::Regular | Container::Init => {}
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

/// Each name is replaced by one that pods declare for every protocol, where they declare the name
/// for its own.
pub(super) fn ignores_protocol(snapshot: &Snapshot) -> Snapshot {
    let name = |name: &str, protocol: Protocol| format!("\0any {name} {protocol}");
    let numbered = ports(snapshot, |port| {
        let protocols = match port.numbers {
            Numbers::Any | Numbers::Range { .. } => PROTOCOLS.to_vec(),
            Numbers::Named(_) => vec![port.protocol],
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

/// Other names in the place of those that rules use, for these protocols.
fn renamed(
    snapshot: &Snapshot,
    rename: impl Fn(&str, Protocol) -> (String, Vec<Protocol>),
) -> Snapshot {
    ports(snapshot, |port| match &port.numbers {
        Numbers::Any | Numbers::Range { .. } => vec![port.clone()],
        Numbers::Named(name) => {
            let (name, protocols) = rename(name, port.protocol);
            let of = |protocol| PortMatch { protocol, numbers: Numbers::Named(name.clone()) };
            protocols.into_iter().map(of).collect()
        }
    })
}
