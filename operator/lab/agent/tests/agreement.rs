//! Two readings of the API that share no code agree: what the predictor expects of a flow is what
//! the agent would let through, on random clusters, from the objects as JSON.

use std::net::IpAddr;

use k8s_openapi::api::{core::v1, networking::v1::NetworkPolicy};
use netproof_cases::random::{RandomCluster, cluster};
use netproof_conformance::{
    evaluate::expect,
    expected::Expected,
    flow::{self, End, Family, Flow, PodId},
    pod::{self, ContainerKind, Lifecycle, PodNetwork},
    policy::network_policy::{self, compile},
    reference::ObjectRef,
    snapshot::Snapshot,
};
use netproof_policy_agent::{
    policy::{Policy, Protocol},
    rules::rules,
    ruleset::Ruleset,
    setting::Setting,
    world::{Namespace, NodeView, ObjectName, Pod, World},
};
use proptest::prelude::*;
use serde_json::{Value, from_value};

const NODE: &str = "node";

/// The rules that the agent would program on the one node.
fn ruleset(cluster: &RandomCluster) -> Ruleset {
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

/// The snapshot that the predictor reads the same objects into.
fn snapshot(cluster: &RandomCluster) -> Snapshot {
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

fn pod_of(object: &Value) -> pod::Pod {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let ports = object["spec"]["containers"][0]["ports"].as_array().expect("ports");
    let addresses = object["status"]["podIPs"].as_array().expect("addresses");
    pod::Pod {
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
            .map(|port| pod::NamedPort {
                name: text(&port["name"]),
                number: from_value(port["containerPort"].clone()).expect("a number"),
                protocol: from_value(port["protocol"].clone()).expect("a protocol"),
                container: ContainerKind::Regular,
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
                let address = |pod: &pod::Pod| pod.addresses.iter().copied().find(of_family);
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
