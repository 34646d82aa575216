//! The flows that are asked about if there is no test.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use netproof_conformance::{
    flow::{Port, Protocol},
    matrix::Actor,
    plan::{self, Role},
    pod::{Lifecycle, Pod, PodNetwork},
    policy::{Isolation, MatchedPorts, Policy, Ports},
};
use netproof_crds::{NamedPort, StartUp};

use super::{LabPace, pods::Home};
use crate::objects::LabObjects;
use netproof_rounds::{
    desired::Desired,
    engine::round::is_attemptable,
    scenario::{Scenario, to_crd},
};

/// The most ports that a pod listens on beyond its own.
const MOST_EXTRA: usize = 24;

/// The scenario in which every pod and workload attempts every other that listens, and every
/// external address. Pods that the lab cannot have are added to `left_out`.
pub(super) fn of_pods(
    objects: &LabObjects,
    pace: LabPace,
    (ports_asked, outside): (&[Port], &[IpAddr]),
    left_out: &mut Vec<String>,
) -> (Scenario, Vec<Home>) {
    let (mut desired, mut homes, mut endpoints) = (Vec::new(), Vec::new(), Vec::new());
    let extra = mentioned(&objects.cluster.snapshot.policies.iter().collect::<Vec<_>>());
    for (pod, origin) in objects.cluster.snapshot.pods.iter().zip(&objects.cluster.pods) {
        let is_ours = pod.network == PodNetwork::Own
            && pod.lifecycle == Lifecycle::Live
            && !pod.addresses.is_empty();
        if !is_ours {
            left_out.push(pod.name.to_string());
            continue;
        }
        let actor = Actor::sole(pod.name.to_string());
        let ports = declared(pod, &origin.declared);
        let asked = if !ports_asked.is_empty() {
            ports_asked.iter().copied().filter(|port| is_attemptable(port.protocol)).collect()
        } else if ports.is_empty() {
            extra.clone()
        } else {
            origin.declared.iter().copied().filter(|port| is_attemptable(port.protocol)).collect()
        };
        endpoints.push(plan::Endpoint {
            name: actor.endpoint.clone(),
            role: Role::StandIn([None].into()),
            ports: asked,
        });
        desired.push(Desired {
            actor,
            namespace: pod.name.namespace.clone(),
            labels: pod.labels.clone(),
            ports,
            node: pod.node.clone(),
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
        });
        let addresses = if origin.assumed_address { Vec::new() } else { pod.addresses.clone() };
        homes.push(Home { node: pod.node.clone(), addresses });
    }
    let mut externals = BTreeMap::new();
    let mut external_ports = BTreeMap::new();
    for address in outside {
        let ports = ports_asked.iter().copied().filter(|port| is_attemptable(port.protocol));
        let ports: Vec<Port> = ports.collect();
        let name = address.to_string();
        external_ports.insert(name.clone(), ports.clone());
        externals.insert(name.clone(), *address);
        endpoints.push(plan::Endpoint { name, role: Role::External, ports });
    }
    let flows = plan::plan(&endpoints, &[]);
    let scenario = Scenario {
        patience: pace.patience(),
        interval: Duration::from_secs(1),
        timeout: pace.timeout,
        desired,
        externals,
        external_ports,
        budget: flows.len(),
        start_up: StartUp::Report,
        uncovered: vec![],
        flows,
    };
    (scenario, homes)
}

/// The ports of a pod, with their names.
fn declared(pod: &Pod, numbers: &[Port]) -> Vec<NamedPort> {
    let named = pod.named_ports.iter().map(|port| NamedPort {
        name: Some(port.name.clone()),
        port: port.number,
        protocol: to_crd(port.protocol),
    });
    let is_named = |port: &&Port| {
        pod.named_ports.iter().any(|n| (n.number, n.protocol) == (port.number, port.protocol))
    };
    let others = numbers.iter().filter(|port| !is_named(port)).map(|port| NamedPort {
        name: None,
        port: port.number,
        protocol: to_crd(port.protocol),
    });
    named.chain(others).collect()
}

/// Ports that policies name by number, and for a range the ports beside its ends. Pods listen on
/// them beyond their own, so that flows that would tell two faults apart can be attempted.
pub(super) fn mentioned(policies: &[&Policy]) -> Vec<Port> {
    let isolations = policies.iter().flat_map(|policy| [&policy.ingress, &policy.egress]);
    let rules = isolations.flat_map(|isolation| match isolation {
        Isolation::Open => &[][..],
        Isolation::Isolated(rules) => rules,
    });
    let entries = rules.flat_map(|rule| match &rule.ports {
        Ports::All => &[][..],
        Ports::Only(entries) => entries,
    });
    let mut ports = BTreeSet::new();
    for entry in entries {
        if let MatchedPorts::Range { first, last } = entry.numbers {
            let beside = [Some(first), Some(last), last.checked_add(1)];
            for number in beside.into_iter().flatten() {
                ports.extend(
                    [Protocol::Tcp, Protocol::Udp].map(|protocol| Port { number, protocol }),
                );
            }
        }
    }
    ports.into_iter().filter(|port| port.number > 0).take(MOST_EXTRA).collect()
}
