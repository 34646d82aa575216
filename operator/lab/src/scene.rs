//! What is put onto the lab's network: the pods, their places, and the flows that are asked about.

mod address;
mod ends;
mod given;
mod pods;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use anyhow::{anyhow, bail};
use netproof_conformance::{
    flow::{Family, Port},
    kinds::ApiKind,
    ledger::Patience,
    matrix::{Actor, Cell},
};
use serde_json::{Value, json};

pub use self::address::{node_address, pod_range, pod_range_v6};
use self::{
    address::{MOST_NODES, free},
    ends::{mentioned, of_pods},
    given::{namespaces, node_names, node_object},
    pods::{Home, identity, place, pod_object, stand_in},
};
use super::objects::{LabObjects, dynamic};
use netproof_rounds::{
    engine::round::is_attemptable,
    kind::Kind,
    predict::StandIn,
    scenario::{MANY_FLOWS, Scenario, resolve, to_flow},
    world::World,
};

/// Timeouts and patience of the lab, which replace those of a test meant for clusters.
#[derive(Clone, Copy, Debug)]
pub struct LabPace {
    /// The deadline of one attempt.
    pub timeout: Duration,
    /// How long the network may take to follow a change.
    pub settle: Duration,
    /// How many attempts have to agree before a wrong outcome is reported.
    pub confirm: usize,
    /// How long an attempt of an allowed flow waits before its silence counts.
    pub silence: Duration,
    /// How long a leak stands after it was last proven.
    pub leak_retention: Duration,
}

/// The families of the addresses that pods get if the objects give them none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpFamilies {
    /// IPv4 alone, which is the default.
    #[default]
    V4,
    /// IPv6 alone, without IPv4.
    V6,
    /// Both families, IPv4 first.
    Dual,
}

/// How a scene is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Timeouts and patience of the lab.
    pub pace: LabPace,
    /// How many nodes there are, if the objects name none.
    pub nodes: usize,
    /// The families of the addresses that pods get if the objects give them none.
    pub families: IpFamilies,
    /// The ports of every pod that are asked about if there is no test; if empty, the ports that
    /// each pod declares.
    pub ports: Vec<Port>,
    /// External addresses, where something listens on `ports`.
    pub outside: Vec<IpAddr>,
    /// The pods that are there already. Those that stay keep node and addresses, and no new pod
    /// gets an address that one of them has.
    pub before: Vec<LabPod>,
}

/// A pod that the lab makes.
#[derive(Clone, Debug)]
pub struct LabPod {
    /// The pod in the matrix.
    pub actor: Actor,
    /// Its node, as a place in [`Scene::nodes`].
    pub node: usize,
    /// The identity that its probe shows.
    pub identity: String,
    /// The addresses of its interface.
    pub addresses: Vec<IpAddr>,
    /// The ports that its probe answers on.
    pub listen: Vec<Port>,
    /// The Pod object, as the API server would have it.
    pub object: Value,
}

/// An external address, where something listens.
#[derive(Clone, Debug)]
pub struct Outsider {
    /// The address, as flows name it.
    pub address: IpAddr,
    /// The ports that answer there.
    pub listen: Vec<Port>,
}

/// What is put onto the network.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What an operator would know of the cluster.
    pub world: World,
    /// The flows that are asked about, and how.
    pub scenario: Scenario,
    /// The stand-ins of the scenario; each has its pod.
    pub stand_ins: Vec<StandIn>,
    /// The pods, in the order of the stand-ins.
    pub pods: Vec<LabPod>,
    /// The external addresses that flows go to.
    pub outsiders: Vec<Outsider>,
    /// The names of the nodes.
    pub nodes: Vec<String>,
    /// Namespaces and policies, as the policy agent reads them.
    pub objects: Vec<Value>,
    /// The pods of the input that the lab cannot have, by name.
    pub left_out: Vec<String>,
    /// The ports of the input that no probe can attempt, each with its end's name.
    pub unspoken: BTreeSet<String>,
}

impl Scene {
    /// Sets objects up as a scene, for the test of this name or the only one; without a test, every
    /// pod and workload is asked about. Nodes are those that the objects name, or else as many as
    /// the setup says.
    ///
    /// An error if nothing is to be connected, if a node has no address left, or if the test cannot
    /// be carried out.
    pub fn of(objects: &LabObjects, test: Option<&str>, setup: Setup) -> anyhow::Result<Self> {
        let Setup { pace, nodes, families, ports, outside, before } = setup;
        let nodes = node_names(objects, nodes);
        if nodes.len() > MOST_NODES {
            bail!("the objects name {} nodes; the lab has at most {MOST_NODES}", nodes.len());
        }
        let namespaces = namespaces(objects);
        let made = nodes.iter().enumerate().map(|(n, name)| node_object(n, name));
        let known = objects
            .known()
            .filter(|(kind, _)| *kind != Kind::Namespaces)
            .chain(namespaces.iter().map(|object| (Kind::Namespaces, dynamic(object.clone()))))
            .chain(made.map(|object| (Kind::Nodes, dynamic(object))));
        let world = World::of(known);
        let mut left_out = Vec::new();
        let test = objects.test(test)?;
        let is_test = test.is_some();
        let (mut scenario, homes) = match test {
            Some(test) => {
                let mut scenario =
                    resolve(&test, &world, &BTreeSet::new(), MANY_FLOWS).map_err(|problem| {
                        anyhow!("ConnectivityTest {}: {}", name_of(&test), problem.message)
                    })?;
                scenario.patience = pace.patience();
                scenario.timeout = pace.timeout;
                let homes = scenario.desired.iter().map(|_| Home::default()).collect();
                (scenario, homes)
            }
            None => of_pods(objects, pace, (&ports, &outside), &mut left_out),
        };
        // The lab serves this one test alone: flows that would tell faults apart are attempted as
        // well.
        scenario.budget = usize::MAX;
        if scenario.desired.is_empty() {
            bail!(
                "there is nothing to connect: no ConnectivityTest, and no pod or workload among the objects"
            );
        }
        let policies = world.understood_policies();
        let mut extra = mentioned(&policies);
        extra.extend(ports.iter().copied().filter(|port| is_attemptable(port.protocol)));
        // What a test asks for is attempted, and fails.
        let unspoken = if is_test { BTreeSet::new() } else { unspoken_ports(&scenario) };
        let pods = place(&scenario.desired, &homes, &nodes, (families, &before), &extra)?;
        let stand_ins = scenario
            .desired
            .iter()
            .zip(&pods)
            .map(|(desired, pod)| stand_in(desired, pod, &nodes))
            .collect();
        let outsiders = outsiders(&scenario);
        let policies = objects.of_kind(ApiKind::NetworkPolicy.row()).cloned();
        let objects = namespaces.into_iter().chain(policies).collect();
        Ok(Self { world, scenario, stand_ins, pods, outsiders, nodes, objects, left_out, unspoken })
    }
}

impl Scene {
    /// Whether a pod can attempt something in a family: another pod has an address of it too, or
    /// an external endpoint has.
    pub fn is_shared(&self, family: Family) -> bool {
        let has = |pod: &&LabPod| pod.addresses.iter().any(|one| Family::of(*one) == family);
        let pods = self.pods.iter().filter(has).count();
        let mut externals = self.scenario.externals.values();
        pods > 1 || pods == 1 && externals.any(|one| Family::of(*one) == family)
    }

    /// The scene with the addresses of one family, and the flows that remain by them.
    #[must_use]
    pub fn of_family(&self, family: Family) -> Self {
        let mut scene = self.clone();
        for stand_in in &mut scene.stand_ins {
            if let Some((_, pod)) = &mut stand_in.pod {
                pod.addresses.retain(|address| Family::of(*address) == family);
            }
        }
        scene.scenario.externals.retain(|_, address| Family::of(*address) == family);
        let gone: BTreeSet<&String> = self
            .scenario
            .externals
            .keys()
            .filter(|name| !scene.scenario.externals.contains_key(*name))
            .collect();
        let has = |actor: &Actor| {
            scene.stand_ins.iter().any(|stand_in| {
                let addresses = stand_in.pod.as_ref().map(|(_, pod)| pod.addresses.len());
                stand_in.desired.actor == *actor && addresses.is_some_and(|count| count > 0)
            })
        };
        let is_there = |cell: &Cell| {
            has(&cell.from)
                && !gone.contains(&cell.to.endpoint)
                && (has(&cell.to) || scene.scenario.externals.contains_key(&cell.to.endpoint))
        };
        let flows = self.scenario.flows.iter().filter(|(cell, _)| is_there(cell));
        scene.scenario.flows = flows.map(|(cell, of)| (cell.clone(), of.clone())).collect();
        scene
    }

    /// The scene with another pod for this actor: alike, on the same node, at other addresses. None
    /// if the actor has no pod, or its node has no address left.
    pub fn with_another(&self, actor: &Actor) -> Option<Self> {
        let mut scene = self.clone();
        let place = scene.pods.iter().position(|pod| pod.actor == *actor)?;
        let LabPod { node, addresses: former, .. } = &self.pods[place];
        let used: BTreeSet<IpAddr> =
            self.pods.iter().flat_map(|pod| &pod.addresses).copied().collect();
        let both = free(*node, IpFamilies::Dual, &used)?;
        let of_family = |address: &IpAddr| {
            both.iter().find(|other| Family::of(**other) == Family::of(*address)).copied()
        };
        let addresses: Vec<IpAddr> = former.iter().filter_map(of_family).collect();
        let desired = &self.stand_ins[place].desired;
        let pod = &mut scene.pods[place];
        pod.identity = identity(desired, &addresses);
        pod.object = pod_object(desired, &pod.identity, &self.nodes[*node], &addresses);
        pod.addresses = addresses;
        scene.stand_ins[place] = stand_in(desired, pod, &self.nodes);
        Some(scene)
    }

    /// The scene with one policy in each of these namespaces, by which no pod there receives
    /// anything.
    #[must_use]
    pub fn denying(&self, namespaces: &BTreeSet<&str>) -> Self {
        let mut scene = self.clone();
        let is_replaced = |object: &Value| {
            let namespace = object["metadata"]["namespace"].as_str();
            object["kind"] == "NetworkPolicy"
                && namespace.is_some_and(|name| namespaces.contains(name))
        };
        scene.objects.retain(|object| !is_replaced(object));
        scene.objects.extend(namespaces.iter().map(|namespace| {
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {
                    "name": "netproof-lab-deny-all", "namespace": namespace,
                    "creationTimestamp": "2020-01-01T00:00:00Z", "resourceVersion": "1",
                },
                "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
            })
        }));
        let policies = scene.objects.iter().filter(|object| object["kind"] == "NetworkPolicy");
        let policies = policies.map(|object| (Kind::NetworkPolicies, dynamic(object.clone())));
        scene.world.policies = World::of(policies).policies;
        scene
    }

    /// Every flow that could be attempted: from each pod to each other pod, on the ports that it
    /// listens on, and to the external addresses.
    pub fn attemptable(&self) -> BTreeSet<Cell> {
        let pods = self.pods.iter().map(|pod| (pod.actor.clone(), &pod.listen));
        let outside = self.outsiders.iter().flat_map(|outsider| {
            let named = self.scenario.externals.iter().filter(|(_, at)| **at == outsider.address);
            named.map(|(name, _)| (Actor::sole(name), &outsider.listen))
        });
        let receivers: Vec<_> = pods.chain(outside).collect();
        let flows = self.pods.iter().flat_map(|sender| {
            receivers.iter().filter(|(to, _)| *to != sender.actor).flat_map(|(to, ports)| {
                ports.iter().map(|port| Cell {
                    from: sender.actor.clone(),
                    to: to.clone(),
                    port: *port,
                })
            })
        });
        flows.collect()
    }
}

impl LabPace {
    fn patience(self) -> Patience {
        Patience {
            settle: self.settle,
            confirm: self.confirm.max(1),
            stale_after: Duration::from_secs(600),
            silence: self.silence,
            leak_retention: self.leak_retention,
        }
    }
}

fn name_of(test: &netproof_crds::ConnectivityTest) -> &str {
    test.metadata.name.as_deref().unwrap_or_default()
}

/// The ports of stand-ins by a protocol that no probe speaks.
fn unspoken_ports(scenario: &Scenario) -> BTreeSet<String> {
    let ports = scenario.desired.iter().flat_map(|desired| {
        desired.ports.iter().map(|port| {
            let port = Port { number: port.port, protocol: to_flow(port.protocol) };
            (&desired.actor, port)
        })
    });
    let unspoken = ports.filter(|(_, port)| !is_attemptable(port.protocol));
    unspoken.map(|(actor, port)| format!("{actor} port {port}")).collect()
}

fn outsiders(scenario: &Scenario) -> Vec<Outsider> {
    let mut listen: BTreeMap<IpAddr, BTreeSet<Port>> = BTreeMap::new();
    for (cell, _) in scenario.flows.iter() {
        if let Some(address) = scenario.externals.get(&cell.to.endpoint) {
            listen.entry(*address).or_default().insert(cell.port);
        }
    }
    let outsiders = listen.into_iter().map(|(address, ports)| Outsider {
        address,
        listen: ports.into_iter().filter(|port| is_attemptable(port.protocol)).collect(),
    });
    outsiders.collect()
}
