//! Makes random clusters of few names, labels, addresses and ports, so that these meet often.

mod cluster;

use std::{collections::BTreeMap, net::IpAddr, ops::Range};

use netproof_conformance::{
    flow::{End, Family, Flow, PodId, Port, Protocol},
    pod::{ContainerKind, Lifecycle, NamedPort, Pod, PodNetwork},
    policy::{
        label_selector::{LabelSelector, LabelSelectorRequirement},
        network_policy::{
            EgressRule, IngressRule, IntOrString, IpBlock, Metadata, NetworkPolicy,
            NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
        },
    },
    reference::ObjectRef,
    select::Labels,
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};

pub use cluster::{ClusterPolicies, cluster, cluster_policies};

const NAMESPACES: [&str; 3] = ["x", "w", "unlabelled"];
const KEYS: [&str; 4] = ["app", "tier", "example.com/a", "kubernetes.io/metadata.name"];
const VALUES: [&str; 5] = ["", "a", "b", "x", "w"];
const NUMBERS: [u16; 4] = [1, 80, 81, 65535];
const NAMES: [&str; 2] = ["http", "dns"];
const PROTOCOLS: [Protocol; 4] = [Protocol::Tcp, Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
const NODES: [&str; 2] = ["n1", "n2"];

/// A random cluster, with its policies as they are written.
#[derive(Clone, Debug)]
pub struct World {
    pub namespaces: BTreeMap<String, Labels>,
    pub pods: Vec<Pod>,
    pub nodes: BTreeMap<String, Vec<IpAddr>>,
    pub policies: Vec<NetworkPolicy>,
    pub cluster_policies: ClusterPolicies,
    addresses: Vec<IpAddr>,
    ports: Vec<Port>,
}

impl World {
    /// The ports on which flows are asked about.
    pub fn ports(&self) -> Vec<Port> {
        self.ports.clone()
    }

    /// Every flow between its pods and some addresses, on some ports, in each family and none.
    pub fn flows(&self) -> Vec<Flow> {
        let pods = (0u32..).zip(&self.pods).map(|(id, _)| End::Pod(PodId(id)));
        let ends: Vec<End> = pods.chain(self.addresses.iter().copied().map(End::Address)).collect();
        let mut flows = vec![];
        for &from in &ends {
            for &to in &ends {
                for &port in &self.ports {
                    for family in [None, Some(Family::IPv4), Some(Family::IPv6)] {
                        flows.push(Flow { from, to, port, family });
                    }
                }
            }
        }
        flows
    }
}

pub fn world() -> impl Strategy<Value = World> {
    world_of(1..5)
}

/// A cluster with more pods than a word has bits, so that its flows are too many to list.
pub fn crowd() -> impl Strategy<Value = World> {
    world_of(65..100)
}

fn world_of(count: Range<usize>) -> impl Strategy<Value = World> {
    let namespaces = (labels(), labels()).prop_map(|(x, w)| {
        BTreeMap::from([(NAMESPACES[0].to_owned(), x), (NAMESPACES[1].to_owned(), w)])
    });
    let nodes = btree_map(word(&NODES), vec(address(), 1..4), 0..3);
    let policies = (vec(policy(), 0..7), cluster_policies());
    (namespaces, pods(count), nodes, policies, vec(address(), 1..3), port()).prop_map(
        |(namespaces, pods, nodes, (mut policies, cluster_policies), mut addresses, port)| {
            for (index, policy) in policies.iter_mut().enumerate() {
                policy.metadata.name = format!("p{index}");
            }
            addresses.extend(nodes.values().flatten().next());
            let ports = ports_of_interest(&pods, port);
            World { namespaces, pods, nodes, policies, cluster_policies, addresses, ports }
        },
    )
}

/// Ports that pods give names, of a regular container and of an init container, and `other`.
fn ports_of_interest(pods: &[Pod], other: Port) -> Vec<Port> {
    let named = || pods.iter().flat_map(|pod| &pod.named_ports);
    let of = |container| named().find(|port| port.container == container);
    let named = [of(ContainerKind::Regular), of(ContainerKind::Init)];
    let named = named.into_iter().flatten();
    let named = named.map(|&NamedPort { number, protocol, .. }| Port { number, protocol });
    named.chain([other]).collect()
}

fn word<const N: usize>(words: &'static [&'static str; N]) -> impl Strategy<Value = String> {
    select(words.as_slice()).prop_map(str::to_owned)
}

fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![2 => Just(NAMESPACES[0].to_owned()), 1 => word(&NAMESPACES)]
}

fn labels() -> impl Strategy<Value = Labels> {
    btree_map(key(), value(), 0..4)
}

fn port() -> impl Strategy<Value = Port> {
    (select(&NUMBERS), select(&PROTOCOLS)).prop_map(|(number, protocol)| Port { number, protocol })
}

fn address() -> impl Strategy<Value = IpAddr> {
    let four = (0u8..8).prop_map(|low| IpAddr::from([10, 0, 0, low]));
    let six = (0u16..8).prop_map(|low| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, low]));
    let mapped = (0u16..8).prop_map(|low| IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x0a00, low]));
    prop_oneof![5 => four, 5 => six, 1 => mapped]
}

/// A key of a label, mostly the same one, so that selectors speak of the labels that there are.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![2 => Just(KEYS[0].to_owned()), 1 => word(&KEYS)]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![2 => Just(VALUES[1].to_owned()), 1 => word(&VALUES)]
}

fn pods(count: Range<usize>) -> impl Strategy<Value = Vec<Pod>> {
    vec(pod(), count).prop_map(|mut pods| {
        for (index, pod) in pods.iter_mut().enumerate() {
            pod.name.name = format!("pod{index}");
        }
        pods
    })
}

fn pod() -> impl Strategy<Value = Pod> {
    let network = prop_oneof![3 => Just(PodNetwork::Own), 1 => Just(PodNetwork::Host)];
    let lifecycle = prop_oneof![15 => Just(Lifecycle::Live), 1 => Just(Lifecycle::Finished)];
    let addresses = prop_oneof![
        1 => Just(vec![]),
        4 => vec(address(), 1..3),
        20 => vec(address(), 3..5),
    ];
    let node = option::weighted(0.9, word(&NODES));
    (namespace(), labels(), addresses, node, network, lifecycle, vec(named_port(), 0..4)).prop_map(
        |(namespace, labels, addresses, node, network, lifecycle, named_ports)| Pod {
            name: ObjectRef { namespace, name: String::new() },
            labels,
            addresses,
            node,
            network,
            lifecycle,
            named_ports,
        },
    )
}

fn named_port() -> impl Strategy<Value = NamedPort> {
    let container = prop_oneof![2 => Just(ContainerKind::Regular), 1 => Just(ContainerKind::Init)];
    (word(&NAMES), port(), container).prop_map(|(name, Port { number, protocol }, container)| {
        NamedPort { name, number, protocol, container }
    })
}

pub fn policy() -> impl Strategy<Value = NetworkPolicy> {
    let types = prop_oneof![
        Just(vec![]),
        vec(select(&["Ingress", "Egress"]).prop_map(str::to_owned), 1..3),
    ];
    let rules = (vec(ingress_rule(), 0..3), vec(egress_rule(), 0..3));
    (namespace(), selector(), rules, types).prop_map(
        |(namespace, pod_selector, (ingress, egress), policy_types)| NetworkPolicy {
            metadata: Metadata { name: "some".to_owned(), namespace, ..Metadata::default() },
            spec: NetworkPolicySpec { pod_selector, ingress, egress, policy_types },
        },
    )
}

pub fn ingress_rule() -> impl Strategy<Value = IngressRule> {
    (vec(port_match(), 0..3), vec(peer(), 0..3))
        .prop_map(|(ports, from)| IngressRule { ports, from })
}

pub fn egress_rule() -> impl Strategy<Value = EgressRule> {
    (vec(port_match(), 0..3), vec(peer(), 0..3)).prop_map(|(ports, to)| EgressRule { ports, to })
}

fn selector() -> impl Strategy<Value = LabelSelector> {
    let labels = btree_map(key(), option::weighted(0.9, value()), 0..2);
    prop_oneof![
        2 => Just(LabelSelector::default()),
        3 => (labels, vec(requirement(), 0..2)).prop_map(|(match_labels, match_expressions)| {
            LabelSelector { match_labels, match_expressions }
        }),
    ]
}

fn requirement() -> impl Strategy<Value = LabelSelectorRequirement> {
    let some = (word(&["In", "NotIn"]), vec(value(), 1..4));
    let none = (word(&["Exists", "DoesNotExist"]), Just(vec![]));
    (key(), prop_oneof![some, none])
        .prop_map(|(key, (operator, values))| LabelSelectorRequirement { key, operator, values })
}

fn port_match() -> impl Strategy<Value = NetworkPolicyPort> {
    let protocol = option::weighted(0.6, word(&["TCP", "UDP", "SCTP"]));
    let number = select(&NUMBERS).prop_map(|number| (Some(IntOrString::Int(number.into())), None));
    let range = (select(&NUMBERS), select(&NUMBERS)).prop_map(|(one, other)| {
        (Some(IntOrString::Int(one.min(other).into())), Some(one.max(other).into()))
    });
    let name = word(&NAMES).prop_map(|name| (Some(IntOrString::String(name)), None));
    (protocol, prop_oneof![1 => Just((None, None)), 2 => number, 1 => range, 4 => name])
        .prop_map(|(protocol, (port, end_port))| NetworkPolicyPort { protocol, port, end_port })
}

fn peer() -> impl Strategy<Value = NetworkPolicyPeer> {
    let some = || selector().prop_map(Some);
    let selectors = prop_oneof![(some(), Just(None)), (Just(None), some()), (some(), some())]
        .prop_map(|(pod_selector, namespace_selector)| NetworkPolicyPeer {
            pod_selector,
            namespace_selector,
            ip_block: None,
        });
    let block = prop_oneof![block_of_v4(), block_of_v6()].prop_map(|block| NetworkPolicyPeer {
        ip_block: Some(block),
        ..NetworkPolicyPeer::default()
    });
    prop_oneof![2 => selectors, 1 => block]
}

/// A block around the addresses of [`address`], in any spelling that the API server takes.
fn block_of_v4() -> impl Strategy<Value = IpBlock> {
    let length = prop_oneof![1 => Just(0u8), 1 => Just(24), 6 => 27u8..=32];
    (length, 0u8..8, vec((0u8..8, 28u8..=32, 0usize..3), 0..3), 0usize..3).prop_map(
        |(length, low, except, spelling)| {
            let network = 0xffu8.checked_shl(u32::from(32 - length)).unwrap_or_default();
            let within = |other: u8| low & network | other & !network;
            let narrower = except.into_iter().filter(|(_, longer, _)| *longer > length);
            // An exception whose prefix is written shorter than the block's is refused.
            let spelling_of = |other| if spelling == 2 { 2 } else { other };
            IpBlock {
                cidr: v4(low, length, spelling),
                except: narrower
                    .map(|(other, longer, other_spelling)| {
                        v4(within(other), longer, spelling_of(other_spelling))
                    })
                    .collect(),
            }
        },
    )
}

fn v4(low: u8, length: u8, spelling: usize) -> String {
    match spelling {
        0 => format!("10.0.0.{low}/{length}"),
        1 => format!("010.0.00.{low:03}/{length:03}"),
        _ => format!("::ffff:10.0.0.{low}/{}", 96 + u16::from(length)),
    }
}

fn block_of_v6() -> impl Strategy<Value = IpBlock> {
    let length = prop_oneof![1 => Just(0u8), 1 => Just(16), 6 => 123u8..=128];
    (length, 0u16..8, vec((0u16..8, 124u8..=128), 0..3)).prop_map(|(length, low, except)| {
        let network = 0xffffu16.checked_shl(u32::from(128 - length)).unwrap_or_default();
        let within = |other: u16| low & network | other & !network;
        let narrower = except.into_iter().filter(|(_, longer)| *longer > length);
        IpBlock {
            cidr: format!("fd00:0::{low:x}/{length}"),
            except: narrower
                .map(|(other, longer)| format!("fd00::{:x}/{longer}", within(other)))
                .collect(),
        }
    })
}
