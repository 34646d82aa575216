//! What is put onto the lab's network: which pods, where, and which flows are asked about.

use std::{
    collections::{BTreeMap, BTreeSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use anyhow::{anyhow, bail};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use netproof_conformance::{
    flow::{Family, Port, Protocol},
    ledger::Patience,
    matrix::{Actor, Cell},
    plan::{self, Role},
    policy::{Isolation, Numbers, Policy, Ports},
    snapshot::{Lifecycle, ObjectRef, PodNetwork},
};
use netproof_crds::{NamedPort, StartUp};
use netproof_probe::challenge::MAX_IDENTITY;
use serde_json::{Value, json};

use super::objects::{BEGINNING, Objects, dynamic};
use crate::{
    predict::StandIn,
    read::{PodState, Progress},
    scenario::{Scenario, resolve, to_crd},
    standin::Desired,
    world::{Kind, World},
};

/// More ports than these a pod is not told to listen on beyond its own.
const MOST_EXTRA: usize = 24;

/// How the lab goes about it, whatever the test says of clusters.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// One attempt.
    pub timeout: Duration,
    /// How long the network may take to follow a change.
    pub settle: Duration,
    /// How many attempts have to agree before a wrong outcome is reported.
    pub confirm: usize,
}

/// Which families of addresses pods get, where the objects give them none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpFamilies {
    /// IPv4 alone.
    #[default]
    V4,
    /// IPv6 alone.
    V6,
    /// Both, IPv4 first.
    Dual,
}

/// How a scene is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How the lab goes about it.
    pub pace: Pace,
    /// How many nodes there are, where the objects name none.
    pub nodes: usize,
    /// Which families of addresses pods get, where the objects give them none.
    pub families: IpFamilies,
    /// What is asked about where there is no test, and no more: these ports of everyone, and these
    /// addresses outside. Without any ports, the ones that each pod declares.
    pub ports: Vec<Port>,
    /// Addresses outside, where something listens on these ports.
    pub outside: Vec<IpAddr>,
    /// The pods that are there already: who stays keeps node and addresses, and nobody new gets an
    /// address that one of them has.
    pub before: Vec<LabPod>,
}

/// A pod that the lab makes.
#[derive(Clone, Debug)]
pub struct LabPod {
    /// Who it is in the matrix.
    pub actor: Actor,
    /// Its place in the list of nodes.
    pub node: usize,
    /// What its probe says it is.
    pub identity: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Where its probe answers.
    pub listen: Vec<Port>,
    /// The object, as the API server would have it.
    pub object: Value,
}

impl LabPod {
    /// Whether all of its addresses are of its node's range.
    pub fn is_at_home(&self) -> bool {
        self.addresses.iter().all(|address| match address {
            IpAddr::V4(address) => pod_range(self.node).contains(address),
            IpAddr::V6(address) => pod_range_v6(self.node).contains(address),
        })
    }
}

/// An address outside, where something listens.
#[derive(Clone, Debug)]
pub struct Outsider {
    /// The address.
    pub address: IpAddr,
    /// Where it answers.
    pub listen: Vec<Port>,
}

/// What is put onto the network.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What an operator would know.
    pub world: World,
    /// What is asked.
    pub scenario: Scenario,
    /// Its stand-ins; each has its pod.
    pub stand_ins: Vec<StandIn>,
    /// The pods, in the order of the stand-ins.
    pub pods: Vec<LabPod>,
    /// The addresses outside.
    pub outsiders: Vec<Outsider>,
    /// The nodes' names.
    pub nodes: Vec<String>,
    /// Namespaces and policies, as the policy agent reads them.
    pub objects: Vec<Value>,
    /// Pods of the input that the lab cannot have.
    pub left_out: Vec<String>,
}

impl Scene {
    /// Puts objects onto that many nodes, or the ones that they name.
    pub fn of(objects: &Objects, test: Option<&str>, setup: Setup) -> anyhow::Result<Self> {
        let Setup { pace, nodes, families, ports, outside, before } = setup;
        let nodes = node_names(objects, nodes);
        let namespaces = namespaces(objects);
        let made = nodes.iter().enumerate().map(|(n, name)| node_object(n, name));
        let known = objects
            .known()
            .filter(|(kind, _)| *kind != Kind::Namespaces)
            .chain(namespaces.iter().map(|object| (Kind::Namespaces, dynamic(object.clone()))))
            .chain(made.map(|object| (Kind::Nodes, dynamic(object))));
        let world = World::of(known);
        let mut left_out = Vec::new();
        let (scenario, homes) = match objects.test(test)? {
            Some(test) => {
                let mut scenario = resolve(&test, &world).map_err(|problem| {
                    anyhow!("ConnectivityTest {}: {}", name_of(&test), problem.message)
                })?;
                scenario.patience = pace.patience();
                scenario.timeout = pace.timeout;
                let homes = scenario.desired.iter().map(|_| Home::default()).collect();
                (scenario, homes)
            }
            None => of_pods(objects, pace, (&ports, &outside), &mut left_out),
        };
        if scenario.desired.is_empty() {
            bail!(
                "there is nothing to connect: no ConnectivityTest, and no pod or workload among the objects"
            );
        }
        let policies: Vec<&Policy> =
            world.policies.values().filter_map(|read| read.meaning.as_ref().ok()).collect();
        let mut extra = mentioned(&policies);
        extra.extend(ports.iter().copied().filter(|port| is_attemptable(*port)));
        let pods = place(&scenario.desired, &homes, &nodes, (families, &before), &extra);
        let stand_ins = scenario
            .desired
            .iter()
            .zip(&pods)
            .map(|(desired, pod)| stand_in(desired, pod, &nodes))
            .collect();
        let outsiders = outsiders(&scenario);
        let policies = objects.of_kind("networking.k8s.io", "NetworkPolicy").cloned();
        let objects = namespaces.into_iter().chain(policies).collect();
        Ok(Self { world, scenario, stand_ins, pods, outsiders, nodes, objects, left_out })
    }
}

impl Scene {
    /// The same, as far as one family of addresses goes.
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

    /// The same with another pod for this actor: alike, on the same node, at other addresses. None
    /// where the actor has no pod, or its node no address left.
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

    /// The same with one policy in these namespaces, by which nobody there receives anything.
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

    /// Every flow that could be attempted: each pod to each, on the ports that it listens on, and to
    /// the addresses outside.
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

impl Pace {
    fn patience(self) -> Patience {
        Patience {
            settle: self.settle,
            confirm: self.confirm.max(1),
            stale_after: Duration::from_secs(600),
        }
    }
}

/// The address of a node.
pub fn node_address(node: usize) -> Ipv4Addr {
    let number = u16::try_from(node + 1).expect("few nodes");
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(172, 31, high, low)
}

/// The range in which a node's pods get addresses, where the objects give them none.
pub fn pod_range(node: usize) -> ipnet::Ipv4Net {
    let third = u8::try_from(node + 1).expect("few nodes");
    ipnet::Ipv4Net::new(Ipv4Addr::new(10, 244, third, 0), 24).expect("24 is a length")
}

/// The same of IPv6.
pub fn pod_range_v6(node: usize) -> ipnet::Ipv6Net {
    let third = u16::try_from(node + 1).expect("few nodes");
    let first = Ipv6Addr::new(0xfd00, 0x244, third, 0, 0, 0, 0, 0);
    ipnet::Ipv6Net::new(first, 64).expect("64 is a length")
}

fn name_of(test: &netproof_crds::ConnectivityTest) -> &str {
    test.metadata.name.as_deref().unwrap_or_default()
}

/// Nodes that the objects name, by themselves or as the node of a pod; else that many of our own.
fn node_names(objects: &Objects, count: usize) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let nodes = objects.of_kind("", "Node").filter_map(|node| text(&node["metadata"]["name"]));
    let of_pods = objects.of_kind("", "Pod").filter_map(|pod| text(&pod["spec"]["nodeName"]));
    let named: BTreeSet<String> = nodes.chain(of_pods).filter(|name| !name.is_empty()).collect();
    if named.is_empty() {
        (1..=count).map(|n| format!("node-{n}")).collect()
    } else {
        named.into_iter().collect()
    }
}

fn node_object(number: usize, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"podCIDRs": [pod_range(number).to_string()]},
        "status": {"addresses": [{"type": "InternalIP", "address": node_address(number)}]},
    })
}

/// The namespaces, the ones included that something is in and that are not among the objects. Each
/// has the label that the API server sets.
fn namespaces(objects: &Objects) -> Vec<Value> {
    let written = objects.of_kind("", "Namespace").cloned();
    let assumed =
        objects.cluster.assumed_namespaces.iter().map(
            |name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        );
    let mut all: BTreeMap<String, Value> = written
        .chain(assumed)
        .filter_map(|object| Some((object["metadata"]["name"].as_str()?.to_owned(), object)))
        .collect();
    // A test's own namespace has nothing in it but the test, perhaps.
    for test in objects.of_kind("netproof.dev", "ConnectivityTest") {
        if let Some(name) = test["metadata"]["namespace"].as_str() {
            all.entry(name.to_owned()).or_insert_with(
                || json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
            );
        }
    }
    all.into_iter()
        .map(|(name, mut object)| {
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = json!(name);
            object
        })
        .collect()
}

/// Where a pod has to be, and which addresses it has to have.
#[derive(Clone, Debug, Default)]
struct Home {
    node: Option<String>,
    addresses: Vec<IpAddr>,
}

/// Every pod and every workload is an end, and speaks to every one that listens.
fn of_pods(
    objects: &Objects,
    pace: Pace,
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
            ports_asked.iter().copied().filter(|port| is_attemptable(*port)).collect()
        } else if ports.is_empty() {
            extra.clone()
        } else {
            origin.declared.iter().copied().filter(|port| is_attemptable(*port)).collect()
        };
        endpoints.push(plan::Endpoint {
            name: actor.endpoint.clone(),
            role: Role::StandIn(vec![None]),
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
        let ports = ports_asked.iter().copied().filter(|port| is_attemptable(*port));
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
        flows,
    };
    (scenario, homes)
}

fn is_attemptable(port: Port) -> bool {
    port.protocol != Protocol::Sctp
}

/// The ports of a pod with their names.
fn declared(pod: &netproof_conformance::snapshot::Pod, numbers: &[Port]) -> Vec<NamedPort> {
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

/// Ports that policies name by number, and for a range the ones beside its ends: what pods listen on
/// beyond their own, so that flows that would tell two faults apart can be attempted.
fn mentioned(policies: &[&Policy]) -> Vec<Port> {
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
        if let Numbers::Range { first, last } = entry.numbers {
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

fn place(
    desired: &[Desired],
    homes: &[Home],
    nodes: &[String],
    (families, before): (IpFamilies, &[LabPod]),
    extra: &[Port],
) -> Vec<LabPod> {
    let given = homes.iter().flat_map(|home| &home.addresses);
    let had = before.iter().flat_map(|pod| &pod.addresses);
    let mut used: BTreeSet<IpAddr> = given.chain(had).copied().collect();
    let placed = desired.iter().zip(homes).enumerate().map(|(number, (desired, home))| {
        let wanted = home.node.as_ref().or(desired.node.as_ref());
        let wanted = wanted.and_then(|wanted| nodes.iter().position(|node| node == wanted));
        let is_known = |pod: &&LabPod| {
            pod.actor == desired.actor
                && pod.node < nodes.len()
                && wanted.is_none_or(|node| node == pod.node)
                && pod.is_at_home()
        };
        let known = before.iter().find(is_known);
        let node = wanted.or(known.map(|pod| pod.node)).unwrap_or(number % nodes.len());
        let addresses = match known {
            _ if !home.addresses.is_empty() => home.addresses.clone(),
            Some(pod) => pod.addresses.clone(),
            None => free(node, families, &used).expect("fewer than 254 pods a node"),
        };
        used.extend(&addresses);
        let own = desired.ports.iter().map(|port| Port {
            number: port.port,
            protocol: crate::scenario::to_flow(port.protocol),
        });
        let listen: BTreeSet<Port> =
            own.filter(|port| is_attemptable(*port)).chain(extra.iter().copied()).collect();
        let identity = identity(desired, &addresses);
        let object = pod_object(desired, &identity, &nodes[node], &addresses);
        let listen = listen.into_iter().collect();
        LabPod { actor: desired.actor.clone(), node, identity, addresses, listen, object }
    });
    placed.collect()
}

/// The first addresses of a node that are nobody's.
fn free(node: usize, families: IpFamilies, used: &BTreeSet<IpAddr>) -> Option<Vec<IpAddr>> {
    let mut all = (2..=254).map(|pod| addresses(node, pod, families));
    all.find(|addresses| addresses.iter().all(|address| !used.contains(address)))
}

fn addresses(node: usize, pod: u8, families: IpFamilies) -> Vec<IpAddr> {
    let mut octets = pod_range(node).addr().octets();
    octets[3] = pod;
    let mut segments = pod_range_v6(node).addr().segments();
    segments[7] = pod.into();
    let (v4, v6) = (IpAddr::from(octets), IpAddr::from(segments));
    match families {
        IpFamilies::V4 => vec![v4],
        IpFamilies::V6 => vec![v6],
        IpFamilies::Dual => vec![v4, v6],
    }
}

/// Without the namespace, which the endpoint's name may begin with.
fn pod_name(desired: &Desired) -> String {
    let name = desired.actor.to_string().replace('@', "-");
    let in_namespace = name.strip_prefix(&format!("{}/", desired.namespace)).map(str::to_owned);
    in_namespace.unwrap_or(name).replace('/', "-")
}

/// Another pod under the same name has another address, or it is the same.
fn identity(desired: &Desired, addresses: &[IpAddr]) -> String {
    let mut identity = format!("{}.{}", desired.namespace, pod_name(desired));
    for address in addresses {
        identity.push('@');
        identity.push_str(&address.to_string());
    }
    identity.chars().filter(char::is_ascii_graphic).take(MAX_IDENTITY).collect()
}

fn pod_object(desired: &Desired, identity: &str, node: &str, addresses: &[IpAddr]) -> Value {
    let ports: Vec<Value> = desired
        .ports
        .iter()
        .map(|port| {
            let mut declared = json!({"containerPort": port.port, "protocol": port.protocol});
            if let Some(name) = &port.name {
                declared["name"] = json!(name);
            }
            declared
        })
        .collect();
    let addresses: Vec<Value> = addresses.iter().map(|address| json!({"ip": address})).collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": pod_name(desired), "namespace": desired.namespace, "labels": desired.labels,
            "uid": identity, "creationTimestamp": created(identity).to_string(),
        },
        "spec": {"nodeName": node, "containers": [{"name": "probe", "ports": ports}]},
        "status": {"phase": "Running", "podIPs": addresses},
    })
}

/// When a pod was created, as the lab has it: two pods under one name at different times, so that
/// whoever follows pods can tell.
fn created(identity: &str) -> Timestamp {
    let mut hasher = DefaultHasher::new();
    identity.hash(&mut hasher);
    let seconds = i64::try_from(hasher.finish() % (365 * 24 * 3600)).expect("less than a year");
    BEGINNING + SignedDuration::from_secs(seconds)
}

fn stand_in(desired: &Desired, pod: &LabPod, nodes: &[String]) -> StandIn {
    let name = ObjectRef { namespace: desired.namespace.clone(), name: pod_name(desired) };
    let state = PodState {
        uid: pod.identity.clone(),
        labels: desired.labels.clone(),
        addresses: pod.addresses.clone(),
        node: Some(nodes[pod.node].clone()),
        created: Some(Timestamp::UNIX_EPOCH),
        started: Some(Timestamp::UNIX_EPOCH),
        progress: Progress::Running,
    };
    StandIn { desired: desired.clone(), pod: Some((name, state)), trouble: None }
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
        listen: ports.into_iter().filter(|port| is_attemptable(*port)).collect(),
    });
    outsiders.collect()
}
