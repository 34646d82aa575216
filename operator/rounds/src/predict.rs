//! Builds the snapshot of a test, and predicts by it what the policies say of the test's flows.

use std::{collections::BTreeMap, net::SocketAddr};

use netproof_conformance::{
    evaluate,
    expected::Expected,
    flow::{End, Family, Flow, PodId},
    matrix::{Actor, Cell, Matrix},
    pod::{ContainerKind, Lifecycle, NamedPort, Pod, PodNetwork},
    policy::{Policy, cluster::ClusterPolicy},
    reference::{ClusterPolicyRef, ObjectRef},
    report::Place,
    snapshot::Snapshot,
};

use crate::{
    decode::{PodProgress, PodState},
    desired::Desired,
    engine::round::{FlowAttempt, Receiver},
    scenario::{Problem, Scenario, to_flow},
    world::World,
};

/// A stand-in that a test wants, and how far its pod has come.
#[derive(Clone, Debug, PartialEq)]
pub struct StandIn {
    /// The stand-in that the test wants.
    pub desired: Desired,
    /// Its pod, once there is one.
    pub pod: Option<(ObjectRef, PodState)>,
    /// Why it has no pod, if the API server refused it.
    pub trouble: Option<Problem>,
}

impl StandIn {
    /// Its pod, if its probe runs.
    pub fn running(&self) -> Option<(&ObjectRef, &PodState)> {
        let (name, pod) = self.pod.as_ref()?;
        (pod.progress == PodProgress::Running).then_some((name, pod))
    }
}

/// What the policies say of a test's flows at one moment.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// What the policies say of each flow.
    pub expected: Matrix<Expected>,
    /// The flows for which that cannot be relied on.
    pub unreliable: Unreliable,
    /// The snapshot that the prediction was made from.
    pub snapshot: Snapshot,
}

/// Policies that were not understood and that could decide flows of the test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreliable {
    /// Why no prediction is reliable: a policy of the cluster can apply to every pod.
    everywhere: Option<String>,
    /// Why predictions for pods of these namespaces are not reliable: a `NetworkPolicy` applies to
    /// pods of its own namespace.
    namespaces: BTreeMap<String, String>,
}

impl Unreliable {
    fn of(world: &World, stand_ins: &[StandIn]) -> Self {
        let everywhere = world.cluster_policies.iter().find_map(|(kind, objects)| {
            objects.iter().find_map(|(name, read)| {
                let name = ClusterPolicyRef { kind: *kind, name: name.name.clone() };
                Some(format!("{name}: {}", read.meaning.as_ref().err()?))
            })
        });
        let namespaces = world
            .policies
            .iter()
            .filter(|(name, _)| is_home(&name.namespace, stand_ins))
            .filter_map(|(name, read)| Some((name, read.meaning.as_ref().err()?)))
            .map(|(name, why)| (name.namespace.clone(), format!("{name}: {why}")))
            .collect();
        Self { everywhere, namespaces }
    }

    /// Why a prediction for a flow between pods of these namespaces cannot be relied on; none if it
    /// can.
    pub fn between<'a>(&self, namespaces: impl IntoIterator<Item = &'a str>) -> Option<&str> {
        let in_one = || namespaces.into_iter().find_map(|home| self.namespaces.get(home));
        self.everywhere.as_ref().or_else(in_one).map(String::as_str)
    }
}

/// Predicts a test's flows from what is known now.
pub fn predict(scenario: &Scenario, stand_ins: &[StandIn], world: &World) -> Prediction {
    let snapshot = snapshot(stand_ins, world);
    let expected = flows(scenario, stand_ins)
        .map(|(cell, flow)| (cell.clone(), evaluate::expect(&snapshot, &flow)))
        .collect();
    Prediction { expected, unreliable: Unreliable::of(world, stand_ins), snapshot }
}

/// Names the flows of a test as a snapshot of these stand-ins does; none for a flow of which an end
/// is not among them.
pub fn naming(
    scenario: &Scenario,
    stand_ins: &[StandIn],
) -> impl Fn(&Cell) -> Option<Flow> + use<> {
    let ends = ends(scenario, stand_ins);
    move |cell| {
        let (from, to) = (*ends.get(&cell.from)?, *ends.get(&cell.to)?);
        Some(Flow { from, to, port: cell.port, family: None })
    }
}

/// The flows of a test by cell, as a snapshot of these stand-ins names them.
pub fn flows<'a>(
    scenario: &'a Scenario,
    stand_ins: &[StandIn],
) -> impl Iterator<Item = (&'a Cell, Flow)> {
    let flow = naming(scenario, stand_ins);
    let all = scenario.flows.iter();
    all.map(move |(cell, _)| (cell, flow(cell).expect("its ends are of the scenario")))
}

/// The snapshot of what decides a test's flows, as far as it is known now.
///
/// Only `NetworkPolicies` and labels of the stand-ins' own namespaces can decide: a `NetworkPolicy`
/// applies to pods of its namespace alone, and every selector asks for labels of one of the ends or
/// of its namespace. Policies of the cluster can decide anywhere.
pub fn snapshot(stand_ins: &[StandIn], world: &World) -> Snapshot {
    let policies: Vec<Policy> = world
        .policies
        .iter()
        .filter(|(name, _)| is_home(&name.namespace, stand_ins))
        .filter_map(|(_, read)| read.meaning.as_ref().ok().cloned())
        .collect();
    let cluster_policies: Vec<ClusterPolicy> = world
        .cluster_policies
        .values()
        .flat_map(|objects| objects.values())
        .filter_map(|read| read.meaning.as_ref().ok().cloned())
        .collect();
    let namespaces = world
        .namespaces
        .iter()
        .filter(|(name, _)| is_home(&name.name, stand_ins))
        .filter_map(|(name, read)| {
            Some((name.name.clone(), read.meaning.as_ref().ok()?.labels.clone()))
        })
        .collect();
    let pods = stand_ins.iter().map(pod).collect();
    let nodes = world
        .nodes
        .iter()
        .filter_map(|(name, read)| {
            Some((name.name.clone(), read.meaning.as_ref().ok()?.addresses.clone()))
        })
        .collect();
    Snapshot { revision: world.revision, namespaces, pods, policies, cluster_policies, nodes }
}

fn is_home(namespace: &str, stand_ins: &[StandIn]) -> bool {
    stand_ins.iter().any(|stand_in| stand_in.desired.namespace == namespace)
}

fn pod(stand_in: &StandIn) -> Pod {
    let desired = &stand_in.desired;
    let actual = stand_in.pod.as_ref();
    let unnamed =
        || ObjectRef { namespace: desired.namespace.clone(), name: desired.actor.to_string() };
    Pod {
        name: actual.map_or_else(unnamed, |(name, _)| name.clone()),
        // The labels that the API server admitted decide, not those that were asked for.
        labels: actual.map_or_else(|| desired.labels.clone(), |(_, pod)| pod.labels.clone()),
        addresses: actual.map(|(_, pod)| pod.addresses.clone()).unwrap_or_default(),
        node: actual.and_then(|(_, pod)| pod.node.clone()),
        network: PodNetwork::Own,
        lifecycle: Lifecycle::Live,
        named_ports: desired
            .ports
            .iter()
            .filter_map(|port| {
                Some(NamedPort {
                    name: port.name.clone()?,
                    number: port.port,
                    protocol: to_flow(port.protocol),
                    container: ContainerKind::Regular,
                })
            })
            .collect(),
    }
}

fn ends(scenario: &Scenario, stand_ins: &[StandIn]) -> BTreeMap<Actor, End> {
    let pods = (0..).zip(stand_ins).map(|(n, s)| (s.desired.actor.clone(), End::Pod(PodId(n))));
    let externals = scenario.externals.iter();
    pods.chain(externals.map(|(name, address)| (Actor::sole(name), End::Address(*address))))
        .collect()
}

/// The attempt of a flow; or why it cannot be attempted, for people.
pub fn asked(
    cell: &Cell,
    scenario: &Scenario,
    stand_ins: &[StandIn],
) -> Result<FlowAttempt, String> {
    let from = running(&cell.from, stand_ins)?;
    if let Some(address) = scenario.externals.get(&cell.to.endpoint) {
        let target = SocketAddr::new(*address, cell.port.number);
        return Ok(FlowAttempt {
            cell: cell.clone(),
            target,
            receiver: Receiver::External,
            patience: None,
        });
    }
    between(cell, from, running(&cell.to, stand_ins)?)
}

/// The attempt of a flow between two pods, whether or not their probes run yet. An error if the
/// pods share no IP family.
pub fn between(cell: &Cell, from: &PodState, to: &PodState) -> Result<FlowAttempt, String> {
    let shared = to
        .addresses
        .iter()
        .find(|address| from.addresses.iter().any(|own| Family::of(*own) == Family::of(**address)));
    let address = shared.ok_or("the ends share no IP family")?;
    let target = SocketAddr::new(*address, cell.port.number);
    let receiver = Receiver::Probe { identity: to.uid.clone() };
    Ok(FlowAttempt { cell: cell.clone(), target, receiver, patience: None })
}

fn running<'a>(actor: &Actor, stand_ins: &'a [StandIn]) -> Result<&'a PodState, String> {
    let stand_in = stand_ins
        .iter()
        .find(|stand_in| stand_in.desired.actor == *actor)
        .ok_or_else(|| format!("{actor} has no stand-in"))?;
    match stand_in.running() {
        Some((_, pod)) => Ok(pod),
        None => Err(format!("{actor}: {}", not_running(stand_in).message)),
    }
}

/// Why the probe of a stand-in does not run.
pub fn not_running(stand_in: &StandIn) -> Problem {
    use netproof_crds::Reason;
    match (&stand_in.trouble, &stand_in.pod) {
        (Some(problem), _) => problem.clone(),
        (None, None) => Problem::new(Reason::Starting, "its pod is being created"),
        (None, Some((name, pod))) => match &pod.progress {
            PodProgress::Starting | PodProgress::Running => {
                Problem::new(Reason::Starting, format!("pod {name} is starting"))
            }
            PodProgress::Terminating => {
                Problem::new(Reason::Starting, format!("pod {name} is being replaced"))
            }
            PodProgress::Unschedulable(why) => {
                Problem::new(Reason::Unschedulable, format!("pod {name}: {why}"))
            }
            PodProgress::ImageUnavailable(why) => {
                Problem::new(Reason::ImageUnavailable, format!("pod {name}: {why}"))
            }
            PodProgress::Ended(why) => {
                Problem::new(Reason::ProbeFailed, format!("pod {name} ended: {why}"))
            }
        },
    }
}

/// The place of an actor, for people: its pod and node, or its address.
pub fn place(actor: &Actor, scenario: &Scenario, stand_ins: &[StandIn]) -> Place {
    if let Some(address) = scenario.externals.get(&actor.endpoint) {
        return Place { at: address.to_string(), node: None };
    }
    let stand_in = stand_ins.iter().find(|stand_in| stand_in.desired.actor == *actor);
    match stand_in.and_then(|stand_in| stand_in.pod.as_ref()) {
        Some((name, pod)) => Place { at: name.to_string(), node: pod.node.clone() },
        None => Place { at: "no pod".into(), node: None },
    }
}

#[cfg(test)]
#[path = "predict_tests.rs"]
mod tests;
