//! Resolves a test against what is known of the cluster: the stand-ins, addresses and flows that it
//! takes, or why it cannot be carried out.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use kube::ResourceExt;
use netproof_conformance::{
    flow::{self, Port},
    ledger::{Patience, SILENCE},
    matrix::{Actor, Matrix},
    plan::{self, Intent, Role},
    reference::ObjectRef,
};
use netproof_crds::{
    ALLOW_STAND_INS_LABEL, Check, ConnectivityTest, ConnectivityTestSpec, Endpoint, EndpointKind,
    Expectation, NamedPort, Protocol, Reason, Spread, StandIn, StandInSource, StartUp,
    WorkloadKind, WorkloadRef,
};

use crate::{
    change::Blind,
    decode::Template,
    desired::{Desired, workload_labels},
    kind::Kind,
    nodes::{self, Meant, Uncovered},
    world::World,
};

/// The most flows that one test may name where it has a machine for itself, as in the lab.
pub const MANY_FLOWS: usize = 100_000;

/// How many flows take as much memory as one stand-in, which holds a conversation over TLS and a
/// WebSocket.
pub const FLOWS_OF_STAND_IN: usize = 22;

/// Why a test cannot be carried out, or a stand-in is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable word for programs.
    pub reason: Reason,
    /// For people: what is wrong, and what to do.
    pub message: String,
}

impl Problem {
    /// A problem with this reason and message.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// What a test takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// How long and how often the network may be wrong.
    pub patience: Patience,
    /// The time between two rounds when nothing changes.
    pub interval: Duration,
    /// The deadline of one attempt.
    pub timeout: Duration,
    /// The stand-ins that it wants, one for each endpoint and node.
    pub desired: Vec<Desired>,
    /// The external addresses, by the name of their endpoint.
    pub externals: BTreeMap<String, IpAddr>,
    /// The ports of the external addresses, whether or not a flow of the test asks for them.
    pub external_ports: BTreeMap<String, Vec<Port>>,
    /// The most flows that are attempted.
    pub budget: usize,
    /// What becomes of start-up leaks.
    pub start_up: StartUp,
    /// The nodes that the test is meant for and that take no stand-in at the moment. Their flows
    /// stay part of the test.
    pub uncovered: Vec<Uncovered>,
    /// The flows that the test names, and what the checks of the user want of each.
    pub flows: Matrix<BTreeSet<Intent>>,
}

impl Scenario {
    /// This scenario with other flows.
    #[must_use]
    pub fn with(&self, flows: Matrix<BTreeSet<Intent>>) -> Self {
        let Self { patience, interval, timeout, budget, start_up, .. } = *self;
        let (desired, externals) = (self.desired.clone(), self.externals.clone());
        let external_ports = self.external_ports.clone();
        let uncovered = self.uncovered.clone();
        Self {
            patience,
            interval,
            timeout,
            desired,
            externals,
            external_ports,
            budget,
            start_up,
            uncovered,
            flows,
        }
    }
}

/// Resolves a test that was meant for the nodes of `before` last. A test that counts more than
/// `most`, its flows and [`FLOWS_OF_STAND_IN`] for each stand-in, is refused before anything is
/// made for a flow: a small object can name more than there is memory for.
pub fn resolve(
    test: &ConnectivityTest,
    world: &World,
    before: &BTreeSet<String>,
    most: usize,
) -> Result<Scenario, Problem> {
    let home = test.namespace().unwrap_or_default();
    let spec = &test.spec;
    if let Some(why) = world.stale(Kind::Namespaces, Instant::now()) {
        return Err(Problem::new(Reason::SnapshotIncomplete, why));
    }
    let (nodes, uncovered): (Arc<[Option<String>]>, _) = match spec.placement.spread {
        Spread::AnyNode => ([None].into(), vec![]),
        Spread::EveryNode => {
            let Meant { nodes, uncovered } = every_node(spec, world, before)?;
            (nodes.into_iter().map(Some).collect(), uncovered)
        }
    };
    let mut placed = Vec::new();
    let mut externals = BTreeMap::new();
    let mut external_ports = BTreeMap::new();
    let mut endpoints = Vec::new();
    for endpoint in &spec.endpoints {
        if endpoints.iter().any(|one: &plan::Endpoint| one.name == endpoint.name) {
            let message = format!("endpoint {} is there twice", endpoint.name);
            return Err(Problem::new(Reason::InvalidSpec, message));
        }
        let (role, ports) = match kind_of(endpoint)? {
            EndpointKind::External(external) => {
                let address = external.address.parse().map_err(|_| {
                    let message = format!(
                        "endpoint {}: {} is no IP address",
                        endpoint.name, external.address
                    );
                    Problem::new(Reason::InvalidSpec, message)
                })?;
                externals.insert(endpoint.name.clone(), address);
                let ports: Vec<Port> =
                    external.ports.iter().map(|p| port(p.port, p.protocol)).collect();
                external_ports.insert(endpoint.name.clone(), ports.clone());
                (Role::External, ports)
            }
            EndpointKind::StandIn(stand_in) => {
                let namespace = stand_in.namespace.clone().unwrap_or_else(|| home.clone());
                admitted(&namespace, &home, &endpoint.name, world)?;
                let template = template(stand_in, &namespace, &endpoint.name, world)?;
                let ports = template.ports.iter().map(|p| port(p.port, p.protocol)).collect();
                placed.push((endpoint.name.clone(), namespace, template));
                (Role::StandIn(Arc::clone(&nodes)), ports)
            }
        };
        endpoints.push(plan::Endpoint { name: endpoint.name.clone(), role, ports });
    }
    let checks: Vec<plan::Check> = spec.checks.iter().map(check).collect();
    if let Some(message) = excess(&endpoints, &checks, placed.len() * nodes.len(), most) {
        return Err(Problem::new(Reason::TooManyFlows, message));
    }
    let flows = plan::plan(&endpoints, &checks);
    let placement = &spec.placement;
    let on_each = |(endpoint, namespace, template): &(String, String, Template)| {
        let on = |node: &Option<String>| Desired {
            actor: Actor { endpoint: endpoint.clone(), on: node.clone() },
            namespace: namespace.clone(),
            labels: template.labels.clone(),
            ports: template.ports.clone(),
            node: node.clone(),
            node_selector: placement.node_selector.clone(),
            tolerations: placement.tolerations.clone(),
        };
        nodes.iter().map(on).collect::<Vec<_>>()
    };
    let desired: Vec<Desired> = placed.iter().flat_map(on_each).collect();
    let interval = Duration::from(spec.interval);
    let timeout = Duration::from(spec.timeout);
    let patience = Patience {
        settle: spec.settle.into(),
        confirm: usize::from(spec.confirm.max(1)),
        stale_after: stale_after(interval, timeout),
        silence: SILENCE,
        leak_retention: interval.max(spec.leak_retention.into()),
    };
    let budget = usize::try_from(spec.max_flows).unwrap_or(usize::MAX);
    let start_up = spec.start_up;
    Ok(Scenario {
        patience,
        interval,
        timeout,
        desired,
        externals,
        external_ports,
        budget,
        start_up,
        uncovered,
        flows,
    })
}

/// Why a test is too large, or none if it is not.
fn excess(
    endpoints: &[plan::Endpoint],
    checks: &[plan::Check],
    stand_ins: usize,
    most: usize,
) -> Option<String> {
    let advice = "name fewer in checks, or spread over fewer nodes";
    let Some(flows) = plan::count(endpoints, checks) else {
        return Some(format!("its flows are more than can be counted; {advice}"));
    };
    if flows > most {
        return Some(format!(
            "{flows} flows are more than the {most} that one test may choose from; {advice}"
        ));
    }
    let counted = stand_ins.saturating_mul(FLOWS_OF_STAND_IN).saturating_add(flows);
    (counted > most).then(|| {
        format!(
            "{flows} flows and {stand_ins} stand-ins, which count as {FLOWS_OF_STAND_IN} flows each, are more than the {most} that one test may choose from; {advice}"
        )
    })
}

/// How old a sighting may become: two rounds may be missed, a third may not. The constant is for a
/// round's own duration.
fn stale_after(interval: Duration, timeout: Duration) -> Duration {
    interval * 3 + timeout.max(SILENCE) * 2 + Duration::from_secs(10)
}

fn kind_of(endpoint: &Endpoint) -> Result<EndpointKind<'_>, Problem> {
    endpoint.kind().ok_or_else(|| {
        let message = format!("endpoint {}: exactly one of standIn and external", endpoint.name);
        Problem::new(Reason::InvalidSpec, message)
    })
}

/// Whether a test in the namespace `home` may place stand-ins in this namespace; an error says why
/// not.
fn admitted(namespace: &str, home: &str, endpoint: &str, world: &World) -> Result<(), Problem> {
    let Some(state) = world.namespace(namespace) else {
        if namespace == home {
            let message = format!("namespace {home} is not known yet");
            return Err(Problem::new(Reason::SnapshotIncomplete, message));
        }
        let message = format!("endpoint {endpoint}: there is no namespace {namespace}");
        return Err(Problem::new(Reason::NamespaceNotFound, message));
    };
    if state.terminating {
        let message = format!("endpoint {endpoint}: namespace {namespace} is being deleted");
        return Err(Problem::new(Reason::NamespaceTerminating, message));
    }
    let opted_in = state.labels.get(ALLOW_STAND_INS_LABEL).is_some_and(|value| value == "true");
    if namespace != home && !opted_in {
        let message = format!(
            "endpoint {endpoint}: namespace {namespace} has not opted in; its administrators can: kubectl label namespace {namespace} {ALLOW_STAND_INS_LABEL}=true"
        );
        return Err(Problem::new(Reason::NamespaceNotOptedIn, message));
    }
    Ok(())
}

/// The labels and ports of a stand-in.
fn template(
    stand_in: &StandIn,
    namespace: &str,
    endpoint: &str,
    world: &World,
) -> Result<Template, Problem> {
    match stand_in.source() {
        None => {
            let message = format!("endpoint {endpoint}: exactly one of labels and like");
            Err(Problem::new(Reason::InvalidSpec, message))
        }
        Some(StandInSource::Labels(labels)) => {
            Ok(Template { labels: workload_labels(labels), ports: stand_in.ports.clone() })
        }
        Some(StandInSource::Like(like)) => {
            let template = workload(like, namespace, endpoint, world)?;
            let labels = workload_labels(&template.labels);
            Ok(Template { labels, ports: overridden(&template.ports, &stand_in.ports) })
        }
    }
}

fn workload(
    like: &WorkloadRef,
    namespace: &str,
    endpoint: &str,
    world: &World,
) -> Result<Template, Problem> {
    let (objects, kind) = match like.kind {
        WorkloadKind::Deployment => (&world.deployments, Kind::Deployments),
        WorkloadKind::StatefulSet => (&world.stateful_sets, Kind::StatefulSets),
        WorkloadKind::DaemonSet => (&world.daemon_sets, Kind::DaemonSets),
    };
    let word = kind.row().kind;
    if let Some(why) = world.stale(kind, Instant::now()) {
        let reason = match world.blind.get(&kind) {
            Some(Blind::Forbidden(_)) => Reason::Forbidden,
            Some(Blind::Failed(_)) | None => Reason::SnapshotIncomplete,
        };
        return Err(Problem::new(reason, format!("endpoint {endpoint}: {why}")));
    }
    let name = ObjectRef { namespace: namespace.into(), name: like.name.clone() };
    match objects.get(&name).map(|read| &read.meaning) {
        Some(Ok(template)) => Ok(template.clone()),
        Some(Err(why)) => {
            let message = format!("endpoint {endpoint}: {word} {name} was not understood: {why}");
            Err(Problem::new(Reason::InvalidSpec, message))
        }
        None => {
            let message = format!("endpoint {endpoint}: there is no {word} {name}");
            Err(Problem::new(Reason::WorkloadNotFound, message))
        }
    }
}

/// A workload's ports, with the test's own ports added or in their place. One for each number and
/// protocol, since the containers of a pod share them.
fn overridden(declared: &[NamedPort], own: &[NamedPort]) -> Vec<NamedPort> {
    let mut ports: BTreeMap<(u16, Protocol), NamedPort> = BTreeMap::new();
    for port in declared.iter().chain(own) {
        ports.insert((port.port, port.protocol), port.clone());
    }
    ports.into_values().collect()
}

/// The nodes that the test is meant for, each of which gets a stand-in of each endpoint; an error
/// if there is none.
fn every_node(
    spec: &ConnectivityTestSpec,
    world: &World,
    before: &BTreeSet<String>,
) -> Result<Meant, Problem> {
    if let Some(why) = world.stale(Kind::Nodes, Instant::now()) {
        return Err(Problem::new(Reason::SnapshotIncomplete, why));
    }
    let meant = nodes::meant(&spec.placement, &world.nodes, before);
    if meant.nodes.is_empty() {
        let message = "no node has the labels of placement.nodeSelector and only taints that placement.tolerations tolerate";
        return Err(Problem::new(Reason::Unschedulable, message));
    }
    Ok(meant)
}

fn check(check: &Check) -> plan::Check {
    plan::Check {
        from: check.from.clone(),
        to: check.to.clone(),
        ports: check.ports.iter().map(|p| port(p.port, p.protocol)).collect(),
        intent: check.expect.map(|expect| match expect {
            Expectation::Allow => Intent::Allow,
            Expectation::Deny => Intent::Deny,
        }),
    }
}

fn port(number: u16, protocol: Protocol) -> Port {
    Port { number, protocol: to_flow(protocol) }
}

/// Translates a protocol of the CRDs into one of the conformance crate.
pub fn to_flow(protocol: Protocol) -> flow::Protocol {
    match protocol {
        Protocol::Tcp => flow::Protocol::Tcp,
        Protocol::Udp => flow::Protocol::Udp,
        Protocol::Sctp => flow::Protocol::Sctp,
    }
}

/// Translates a protocol of the conformance crate into one of the CRDs.
pub fn to_crd(protocol: flow::Protocol) -> Protocol {
    match protocol {
        flow::Protocol::Tcp => Protocol::Tcp,
        flow::Protocol::Udp => Protocol::Udp,
        flow::Protocol::Sctp => Protocol::Sctp,
    }
}

#[cfg(test)]
#[path = "scenario_tests.rs"]
mod tests;
