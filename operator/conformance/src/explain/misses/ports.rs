//! Finds out what keeps the ports of a rule from matching.

use super::{ExaminedSide, PortMiss, peers::all};
use crate::{
    evaluate::Element,
    explain::{RouteTarget, ServiceRoute},
    flow::{Port, Protocol},
    near_miss::is_slip,
    pod::{ContainerKind, NamedPort, Pod},
    policy::{MatchedPorts, PortMatch, cluster::ClusterPort},
};

impl ExaminedSide<'_> {
    /// What keeps each of these ports from matching; empty if one matches.
    pub(in crate::explain) fn ports(&self, ports: &[PortMatch]) -> Vec<PortMiss> {
        all(ports.iter().map(|port| {
            let is_port = self.side.is_port(port);
            (!is_port).then(|| match &port.numbers {
                MatchedPorts::Any => PortMiss::Protocol,
                MatchedPorts::Range { first, last } => self.range(port.protocol, *first, *last),
                MatchedPorts::Named(name) => self.name(name, Some(port.protocol)),
            })
        }))
    }

    /// What keeps each of these ports of a policy of the cluster from matching; empty if one
    /// matches.
    pub(in crate::explain) fn cluster_ports(&self, ports: &[ClusterPort]) -> Vec<PortMiss> {
        all(ports.iter().map(|port| match (self.side.is_cluster_port(port), port) {
            (Element::Yes | Element::Maybe(_), _) | (_, ClusterPort::Unknown(_)) => None,
            (Element::No, ClusterPort::Range { protocol, first, last }) => {
                Some(self.range(*protocol, *first, *last))
            }
            (Element::No, ClusterPort::Named(name)) => Some(self.name(name, None)),
        }))
    }

    fn asked(&self) -> Port {
        self.side.ends.port
    }

    fn range(&self, protocol: Protocol, first: u16, last: u16) -> PortMiss {
        let asked = self.asked();
        let of_service =
            (first == last).then(|| self.service_of(Port { number: first, protocol })).flatten();
        if let Some(service) = of_service {
            return PortMiss::OfService(service.service.clone());
        }
        match (protocol == asked.protocol, (first..=last).contains(&asked.number)) {
            (false, true) => PortMiss::Protocol,
            (false, false) => PortMiss::NumberAndProtocol,
            // A single port beside another is no range that ends too early.
            (true, _) if first < last && asked.number.checked_add(1) == Some(first) => {
                PortMiss::OneBeyond(first)
            }
            (true, _) if first < last && last.checked_add(1) == Some(asked.number) => {
                PortMiss::OneBeyond(last)
            }
            (true, _) => PortMiss::Number,
        }
    }

    /// A Service of the receiver with this port of its own, which leads to the flow's port.
    fn service_of(&self, port: Port) -> Option<&ServiceRoute> {
        let receiver = self.side.receiver()?;
        let asked = self.asked();
        self.services.iter().find(|one| {
            one.port == port
                && port.protocol == asked.protocol
                && one.service.namespace == receiver.name.namespace
                && one.pods.matches(&receiver.labels)
                && one.target.is(asked, receiver)
        })
    }

    /// What keeps a named port from matching. The name of a `NetworkPolicy` comes with the protocol
    /// that it has to be declared with.
    fn name(&self, name: &str, protocol: Option<Protocol>) -> PortMiss {
        let Some(receiver) = self.side.receiver() else { return PortMiss::NameWithoutPod };
        let asked = self.asked();
        let ports = &receiver.named_ports;
        let declared: Vec<NamedPort> =
            ports.iter().filter(|port| port.name == name).cloned().collect();
        if declared.is_empty() {
            let near = ports
                .iter()
                .find(|port| port.name.eq_ignore_ascii_case(name) || is_slip(&port.name, name));
            let near = near.map(|port| port.name.clone());
            return PortMiss::Undeclared { near, declared: ports.clone() };
        }
        if !declared.iter().any(|port| is(port, asked)) {
            return PortMiss::DeclaredAs(declared);
        }
        match protocol {
            Some(protocol) if protocol != asked.protocol => PortMiss::Protocol,
            Some(_) | None => PortMiss::OnInitContainer,
        }
    }
}

impl RouteTarget {
    fn is(&self, asked: Port, receiver: &Pod) -> bool {
        match self {
            Self::Number(number) => *number == asked.number,
            Self::Named(name) => receiver.named_ports.iter().any(|port| {
                port.name == *name && port.container == ContainerKind::Regular && is(port, asked)
            }),
        }
    }
}

fn is(declared: &NamedPort, asked: Port) -> bool {
    (declared.number, declared.protocol) == (asked.number, asked.protocol)
}
