//! Two readings of the API that share no code: what the predictor expects of a flow is what this
//! agent would let through, on random clusters, from the objects as JSON.

use std::net::IpAddr;

use k8s_openapi::api::{core::v1, networking::v1::NetworkPolicy};
use netproof_conformance::{
    evaluate::expect,
    expected::Expected,
    flow::{self, End, Family, Flow, PodId},
    policy::network_policy::{self, compile},
    snapshot::{self, Container, Lifecycle, ObjectRef, PodNetwork, Snapshot},
};
use netproof_policy_agent::{
    policy::{Policy, Protocol},
    rules::rules,
    ruleset::Ruleset,
    setting::Setting,
    world::{Namespace, NodeView, ObjectName, Pod, World},
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};
use serde_json::{Map, Value, from_value, json};

const NODE: &str = "node";
const NAMESPACES: [&str; 3] = ["x", "y", "z"];
const VALUES: [&str; 3] = ["a", "b", ""];
const PORTS: [u16; 3] = [80, 81, 8080];
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// Objects as they would be applied.
#[derive(Clone, Debug)]
struct Cluster {
    namespaces: Vec<Value>,
    pods: Vec<Value>,
    policies: Vec<Value>,
}

fn labels() -> impl Strategy<Value = Value> {
    let key = select(&["app", "tier"]).prop_map(str::to_owned);
    btree_map(key, select(&VALUES), 0..3).prop_map(|labels| json!(labels))
}

fn cluster() -> impl Strategy<Value = Cluster> {
    let namespaces = (labels(), labels(), labels()).prop_map(|(x, y, z)| {
        let labelled = NAMESPACES.into_iter().zip([x, y, z]);
        labelled
            .map(|(name, labels)| json!({"metadata": {"name": name, "labels": labels}}))
            .collect()
    });
    let pods = vec(pod(), 2..6).prop_map(|pods| {
        pods.into_iter().zip(1..).map(|(pod, number)| numbered(pod, number)).collect()
    });
    (namespaces, pods, vec(policy(), 0..5)).prop_map(|(namespaces, pods, policies)| {
        let named = policies.into_iter().enumerate().map(|(number, mut policy)| {
            policy["metadata"]["name"] = json!(format!("p{number}"));
            policy
        });
        Cluster { namespaces, pods, policies: named.collect() }
    })
}

/// A pod but for its name, which its address depends on.
fn pod() -> impl Strategy<Value = Value> {
    let port = (select(&["http", "dns"]), select(&PORTS), select(&PROTOCOLS)).prop_map(
        |(name, number, protocol)| {
            json!({"name": name, "containerPort": number, "protocol": protocol})
        },
    );
    let ranges = [json!(["10.0.0."]), json!(["fd00::", "10.0.0."]), json!(["10.0.0.", "fd00::"])];
    (select(&NAMESPACES), labels(), vec(port, 0..3), select(ranges.to_vec())).prop_map(
        |(namespace, labels, ports, ranges)| {
            json!({
                "metadata": {"namespace": namespace, "labels": labels},
                "spec": {"nodeName": NODE, "containers": [{"name": "c", "ports": ports}]},
                "status": {"phase": "Running", "podIPs": ranges},
            })
        },
    )
}

fn numbered(mut pod: Value, number: u8) -> Value {
    pod["metadata"]["name"] = json!(format!("pod{number}"));
    for range in pod["status"]["podIPs"].as_array_mut().expect("a list") {
        *range = json!({"ip": format!("{}{number}", range.as_str().expect("a text"))});
    }
    pod
}

/// An object of the fields that are there.
fn fields<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let there = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

fn policy() -> impl Strategy<Value = Value> {
    let types = select(vec![
        None,
        Some(json!(["Ingress"])),
        Some(json!(["Egress"])),
        Some(json!(["Ingress", "Egress"])),
    ]);
    let ingress = option::weighted(0.7, vec(rule("from"), 0..3));
    let egress = option::weighted(0.7, vec(rule("to"), 0..3));
    (select(&NAMESPACES), selector(), types, ingress, egress).prop_map(
        |(namespace, selector, types, ingress, egress)| {
            let spec = fields([
                ("podSelector", Some(selector)),
                ("policyTypes", types),
                ("ingress", ingress.map(Value::Array)),
                ("egress", egress.map(Value::Array)),
            ]);
            json!({"metadata": {"namespace": namespace}, "spec": spec})
        },
    )
}

fn rule(peers: &'static str) -> impl Strategy<Value = Value> {
    (option::of(vec(port(), 0..3)), option::weighted(0.8, vec(peer(), 0..3))).prop_map(
        move |(ports, others)| {
            fields([("ports", ports.map(Value::Array)), (peers, others.map(Value::Array))])
        },
    )
}

fn selector() -> impl Strategy<Value = Value> {
    let key = || select(&["app", "tier", "kubernetes.io/metadata.name"]);
    let some = (key(), select(&["In", "NotIn"]), vec(select(&["a", "b", "", "x", "y"]), 1..3))
        .prop_map(
            |(key, operator, values)| json!({"key": key, "operator": operator, "values": values}),
        );
    let none = (key(), select(&["Exists", "DoesNotExist"]))
        .prop_map(|(key, operator)| json!({"key": key, "operator": operator}));
    prop_oneof![
        2 => Just(json!({})),
        2 => labels().prop_map(|labels| json!({"matchLabels": labels})),
        1 => (labels(), vec(prop_oneof![some, none], 1..3)).prop_map(|(labels, expressions)| {
            json!({"matchLabels": labels, "matchExpressions": expressions})
        }),
    ]
}

fn peer() -> impl Strategy<Value = Value> {
    let block = (0u8..8, 28u8..=32, option::of((0u8..8, 31u8..=32)), any::<bool>()).prop_map(
        |(low, length, except, is_six)| {
            let spelled = |low, length| {
                if is_six {
                    format!("fd00::{low}/{}", length + 96)
                } else {
                    format!("10.0.0.{low}/{length}")
                }
            };
            let mask = 0xffu8.checked_shl(32 - u32::from(length)).unwrap_or_default();
            let inside = |other: u8| low & mask | other & !mask;
            let narrower = except.filter(|(_, longer)| *longer > length);
            let except = narrower.map(|(other, longer)| json!([spelled(inside(other), longer)]));
            json!({"ipBlock": fields([("cidr", Some(json!(spelled(low, length)))), ("except", except)])})
        },
    );
    prop_oneof![
        1 => selector().prop_map(|pods| json!({"podSelector": pods})),
        1 => selector().prop_map(|namespaces| json!({"namespaceSelector": namespaces})),
        1 => (selector(), selector()).prop_map(|(pods, namespaces)| {
            json!({"podSelector": pods, "namespaceSelector": namespaces})
        }),
        1 => block,
    ]
}

fn port() -> impl Strategy<Value = Value> {
    let protocol = || option::of(select(&PROTOCOLS).prop_map(|protocol| json!(protocol)));
    let numbers = prop_oneof![
        1 => Just((None, None)),
        2 => select(&PORTS).prop_map(|number| (Some(json!(number)), None)),
        1 => (select(&PORTS), select(&PORTS)).prop_map(|(one, other)| {
            (Some(json!(one.min(other))), Some(json!(one.max(other))))
        }),
        2 => select(&["http", "dns"]).prop_map(|name| (Some(json!(name)), None)),
    ];
    (protocol(), numbers).prop_map(|(protocol, (port, end))| {
        fields([("protocol", protocol), ("port", port), ("endPort", end)])
    })
}

/// What the agent would program on the one node.
fn ruleset(cluster: &Cluster) -> Ruleset {
    let mut world = World::default();
    for object in &cluster.namespaces {
        let object: v1::Namespace = from_value(object.clone()).expect("a namespace");
        let name = ObjectName::of(&object.metadata);
        world.namespaces.insert(name, Namespace::parse(object).expect("a namespace"));
    }
    for object in &cluster.pods {
        let object: v1::Pod = from_value(object.clone()).expect("a pod");
        let name = ObjectName::of(&object.metadata);
        world.pods.insert(name, Pod::parse(object).expect("a pod").expect("with an address"));
    }
    for object in &cluster.policies {
        let object: NetworkPolicy = from_value(object.clone()).expect("a policy");
        let name = ObjectName::of(&object.metadata);
        world.policies.insert(name, Policy::parse(object).expect("a policy"));
    }
    let node = NodeView { name: NODE.to_owned(), pod_ranges: vec![] };
    rules(&world, &node, &Setting::default())
}

/// The same objects, as the predictor reads them.
fn snapshot(cluster: &Cluster) -> Snapshot {
    let namespaces = cluster.namespaces.iter().map(|object| {
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        (name, from_value(object["metadata"]["labels"].clone()).expect("labels"))
    });
    let policies = cluster.policies.iter().map(|object| {
        let policy: network_policy::NetworkPolicy = from_value(object.clone()).expect("a policy");
        compile(&policy).expect("valid")
    });
    Snapshot {
        namespaces: namespaces.collect(),
        pods: cluster.pods.iter().map(pod_of).collect(),
        policies: policies.collect(),
        ..Snapshot::default()
    }
}

fn pod_of(object: &Value) -> snapshot::Pod {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let ports = object["spec"]["containers"][0]["ports"].as_array().expect("ports");
    let addresses = object["status"]["podIPs"].as_array().expect("addresses");
    snapshot::Pod {
        name: ObjectRef {
            namespace: text(&object["metadata"]["namespace"]),
            name: text(&object["metadata"]["name"]),
        },
        labels: from_value(object["metadata"]["labels"].clone()).expect("labels"),
        addresses: addresses.iter().map(|one| text(&one["ip"]).parse().expect("an IP")).collect(),
        node: Some(NODE.to_owned()),
        network: PodNetwork::Own,
        lifecycle: Lifecycle::Live,
        named_ports: ports
            .iter()
            .map(|port| snapshot::NamedPort {
                name: text(&port["name"]),
                number: from_value(port["containerPort"].clone()).expect("a number"),
                protocol: from_value(port["protocol"].clone()).expect("a protocol"),
                container: Container::Regular,
            })
            .collect(),
    }
}

proptest! {
    #[test]
    fn the_predictor_and_the_agent_agree(cluster in cluster()) {
        let (rules, snapshot) = (ruleset(&cluster), snapshot(&cluster));
        let protocols = [
            (Protocol::Tcp, flow::Protocol::Tcp),
            (Protocol::Udp, flow::Protocol::Udp),
            (Protocol::Sctp, flow::Protocol::Sctp),
        ];
        let pods = || (0u32..).map(PodId).zip(&snapshot.pods);
        for ((from, sender), (to, receiver)) in pods().flat_map(|a| pods().map(move |b| (a, b))) {
            for (family, of_family) in [
                (Family::IPv4, IpAddr::is_ipv4 as fn(&IpAddr) -> bool),
                (Family::IPv6, IpAddr::is_ipv6),
            ] {
                let address = |pod: &snapshot::Pod| pod.addresses.iter().copied().find(of_family);
                let (Some(source), Some(target)) = (address(sender), address(receiver)) else {
                    continue;
                };
                for (agents, ours) in protocols {
                    for number in [79, 80, 81, 8080] {
                        let port = flow::Port { number, protocol: ours };
                        let ends = (End::Pod(from), End::Pod(to));
                        let flow = Flow { from: ends.0, to: ends.1, port, family: Some(family) };
                        let expected = expect(&snapshot, &flow);
                        let passes = rules.passes(source, target, (agents, number));
                        let agrees = match &expected {
                            Expected::Allow(_) => passes,
                            Expected::Deny(_) => !passes,
                            // To itself: the agent lets it pass, as the API permits.
                            Expected::Unspecified(_) => from == to && passes,
                        };
                        prop_assert!(agrees, "{:?}: {:?}, the agent {}", flow, expected, passes);
                    }
                }
            }
        }
    }
}
