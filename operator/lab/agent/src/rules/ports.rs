//! The ports of a rule as packets show them.

use crate::{
    policy::{PortRange, Ports, Target},
    ruleset::{Numbers, PortSet},
    world::{NamedPort, World},
};

/// Of each name and protocol, the port of the first pod that declares it.
pub(super) fn first_ports(world: &World) -> Vec<NamedPort> {
    let mut firsts = Vec::<NamedPort>::new();
    for port in world.pods.values().flat_map(|pod| &pod.ports) {
        let is_same = |one: &NamedPort| (&one.name, one.protocol) == (&port.name, port.protocol);
        if !firsts.iter().any(is_same) {
            firsts.push(port.clone());
        }
    }
    firsts
}

/// The ports of a rule that are given by number.
pub(super) fn numbered(ports: &Ports) -> PortSet {
    match ports {
        Ports::All => PortSet::All,
        Ports::OneOf(ports) => PortSet::OneOf(
            ports
                .iter()
                .filter_map(|port| match &port.target {
                    Target::Numbers(range) => Some((port.protocol, *range)),
                    Target::Named(_) => None,
                })
                .collect(),
        ),
    }
}

/// The ports of a rule that are given by name, with the numbers of a receiver that declares these
/// ports. Name and protocol have to be the same.
pub(super) fn named(ports: &Ports, declared: &[NamedPort]) -> Numbers {
    let entries = match ports {
        Ports::All => &[][..],
        Ports::OneOf(entries) => entries,
    };
    let numbers = entries.iter().flat_map(|entry| {
        let meant = declared.iter().filter(move |port| match &entry.target {
            Target::Numbers(_) => false,
            Target::Named(name) => *name == port.name && entry.protocol == port.protocol,
        });
        meant.map(|port| (port.protocol, PortRange::single(port.number)))
    });
    numbers.collect()
}
