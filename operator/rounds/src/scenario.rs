//! Works out, from a test and what is known of the cluster, what the test takes: stand-ins,
//! addresses and flows; or why it cannot be carried out.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use kube::ResourceExt;
use netproof_conformance::{
    flow::{self, Port},
    ledger::Patience,
    matrix::{Actor, Matrix},
    plan::{self, Intent, Role},
    snapshot::ObjectRef,
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

/// A limit for who has a machine of their own for one test.
pub const MANY_FLOWS: usize = 100_000;

/// A stand-in takes the memory of so many flows: a conversation over TLS and a WebSocket.
pub const FLOWS_OF_STAND_IN: usize = 22;

/// Why a test cannot be carried out, or a stand-in not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable word.
    pub reason: Reason,
    /// For people: what is wrong, and what to do.
    pub message: String,
}

impl Problem {
    /// A problem.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// What a test takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// How long and how often the network may be wrong.
    pub patience: Patience,
    /// Between two rounds when nothing changes.
    pub interval: Duration,
    /// One attempt.
    pub timeout: Duration,
    /// Its stand-ins.
    pub desired: Vec<Desired>,
    /// The addresses outside, by the name of their endpoint.
    pub externals: BTreeMap<String, IpAddr>,
    /// The ports of those addresses, whether or not a flow of the test asks for them.
    pub external_ports: BTreeMap<String, Vec<Port>>,
    /// How many flows are attempted at most.
    pub budget: usize,
    /// What becomes of start-up leaks.
    pub start_up: StartUp,
    /// The nodes that it is meant for and that take no stand-in at the moment, all the same part of
    /// its flows.
    pub uncovered: Vec<Uncovered>,
    /// The flows that the test names, and what the user wants of them.
    pub flows: Matrix<BTreeSet<Intent>>,
}

impl Scenario {
    /// The same with these flows.
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

/// Works out what a test takes, which was meant for these nodes before. One that names more flows
/// than `most` is not accepted, its stand-ins counted with them, and nothing is made for any: a
/// small object can name more than there is memory for.
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

/// What is too much of a test, if anything is.
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

/// Two rounds may be missed; a third is too many. The constant is for a round's own duration.
fn stale_after(interval: Duration, timeout: Duration) -> Duration {
    interval * 3 + timeout * 2 + Duration::from_secs(10)
}

fn kind_of(endpoint: &Endpoint) -> Result<EndpointKind<'_>, Problem> {
    endpoint.kind().ok_or_else(|| {
        let message = format!("endpoint {}: exactly one of standIn and external", endpoint.name);
        Problem::new(Reason::InvalidSpec, message)
    })
}

/// Whether a test of `home` may place stand-ins in this namespace.
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

/// A workload's ports, with those of the test added or in their place. One port per number and
/// protocol: containers of a pod share them.
fn overridden(declared: &[NamedPort], own: &[NamedPort]) -> Vec<NamedPort> {
    let mut ports: BTreeMap<(u16, Protocol), NamedPort> = BTreeMap::new();
    for port in declared.iter().chain(own) {
        ports.insert((port.port, port.protocol), port.clone());
    }
    ports.into_values().collect()
}

/// The nodes that the test is meant for, each of which gets a stand-in of each endpoint.
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

/// The same protocol in the words of conformance.
pub fn to_flow(protocol: Protocol) -> flow::Protocol {
    match protocol {
        Protocol::Tcp => flow::Protocol::Tcp,
        Protocol::Udp => flow::Protocol::Udp,
        Protocol::Sctp => flow::Protocol::Sctp,
    }
}

/// The same protocol in the words of the API.
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
