//! What the API says, claim by claim, on a cluster of four pods.
//!
//! Namespaces x and y each have a pod a on node n1 and a pod b on node n2, labelled `pod: a` and
//! `pod: b`. Every pod has a port `http`, 80 on pod a and 8080 on pod b, and a UDP port 53 `dns`.

#![allow(clippy::needless_pass_by_value, reason = "a json! literal reads best as an argument")]

mod faults;

use serde_json::{Value, from_value, json};

use super::*;
use crate::{policy::Protocol, world::Namespace};

/// The pods: senders by row, receivers by column.
const PODS: [&str; 4] = ["x/a", "x/b", "y/a", "y/b"];

const OUTSIDE: &str = "192.168.5.10";

fn name(text: &str) -> ObjectName {
    let (namespace, name) = text.split_once('/').unwrap();
    ObjectName { namespace: Some(namespace.into()), name: name.into() }
}

fn pod(text: &str) -> Value {
    let (namespace, pod) = text.split_once('/').unwrap();
    let node = if pod == "a" { 1 } else { 2 };
    let host = if namespace == "x" { 1 } else { 2 };
    json!({
        "metadata": {"namespace": namespace, "name": pod, "labels": {"pod": pod}},
        "spec": {"nodeName": format!("n{node}"), "containers": [{"name": "c", "ports": [
            {"name": "http", "containerPort": if pod == "a" { 80 } else { 8080 }},
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
        ]}]},
        "status": {"phase": "Running", "podIPs": [
            {"ip": format!("10.0.{node}.{host}")}, {"ip": format!("fd00:0:0:{node}::{host}")},
        ]},
    })
}

fn put(world: &mut World, pod: Value) {
    let pod: k8s_openapi::api::core::v1::Pod = from_value(pod).unwrap();
    let name = ObjectName::of(&pod.metadata);
    match Pod::parse(pod).unwrap() {
        Some(pod) => world.pods.insert(name, pod),
        None => world.pods.remove(&name),
    };
}

/// The cluster with these policies, each a namespace and a spec.
fn world<const N: usize>(policies: [(&str, Value); N]) -> World {
    let mut world = World::default();
    for pod in PODS {
        put(&mut world, self::pod(pod));
    }
    for namespace in ["x", "y"] {
        let object = json!({"metadata": {"name": namespace, "labels": {"team": namespace}}});
        let key = ObjectName { namespace: None, name: namespace.into() };
        world.namespaces.insert(key, Namespace::parse(from_value(object).unwrap()).unwrap());
    }
    for (number, (namespace, spec)) in policies.into_iter().enumerate() {
        let object = json!({"metadata": {"namespace": namespace}, "spec": spec});
        let policy = Policy::parse(from_value(object).unwrap()).unwrap();
        world.policies.insert(name(&format!("{namespace}/{number}")), policy);
    }
    world
}

fn node(number: u8) -> NodeView {
    let pod_ranges = [format!("10.0.{number}.0/24"), format!("fd00:0:0:{number}::/64")];
    NodeView {
        name: format!("n{number}"),
        pod_ranges: pod_ranges.map(|range| range.parse().unwrap()).to_vec(),
    }
}

/// Whether a new connection passes both nodes on its way, without any fault.
fn connects(world: &World, from: IpAddr, to: IpAddr, port: (Protocol, u16)) -> bool {
    [1, 2].into_iter().all(|number| no_fault(world, number).passes(from, to, port))
}

fn no_fault(world: &World, number: u8) -> Ruleset {
    rules(world, &node(number), &Setting::default())
}

/// The IPv4 address of a pod, or an address as it is written.
fn address(end: &str) -> IpAddr {
    end.parse().unwrap_or_else(|_| {
        let ips = &pod(end)["status"]["podIPs"];
        ips[0]["ip"].as_str().unwrap().parse().unwrap()
    })
}

/// Checks the matrix for TCP 80: `.` connects, `X` does not.
fn check(world: &World, expected: [&str; 4]) {
    let matrix = PODS.map(|from| {
        let cell = |to| connects(world, address(from), address(to), (Protocol::Tcp, 80));
        PODS.map(|to| if cell(to) { "." } else { "X" }).join(" ")
    });
    assert_eq!(matrix, expected);
}

/// The ports of a small choice that connect.
fn open(world: &World, from: &str, to: &str) -> String {
    let tcp = [79, 80, 85, 90, 91, 8080].map(|port| (Protocol::Tcp, port));
    let others = [(Protocol::Udp, 53), (Protocol::Udp, 80), (Protocol::Sctp, 80)];
    let open = tcp
        .into_iter()
        .chain(others)
        .filter(|port| connects(world, address(from), address(to), *port))
        .map(|(protocol, port)| format!("{protocol:?} {port}").to_uppercase());
    open.collect::<Vec<_>>().join(", ")
}

const ALL: &str = "TCP 79, TCP 80, TCP 85, TCP 90, TCP 91, TCP 8080, UDP 53, UDP 80, SCTP 80";

/// The ports open from x/a to x/b and to an outside address, under one egress rule for x/a.
fn open_by_egress(rule: Value) -> [String; 2] {
    let spec = json!({
        "podSelector": {"matchLabels": {"pod": "a"}}, "policyTypes": ["Egress"], "egress": [rule],
    });
    let world = world([("x", spec)]);
    ["x/b", OUTSIDE].map(|to| open(&world, "x/a", to))
}

/// The ports open to x/b, under one ingress rule for it.
fn open_by_ingress(rule: Value) -> String {
    let spec = json!({"podSelector": {"matchLabels": {"pod": "b"}}, "ingress": [rule]});
    open(&world([("x", spec)]), "x/a", "x/b")
}

#[test]
fn without_policies_nothing_is_programmed() {
    assert_eq!(no_fault(&world([]), 1), Ruleset::default());
}

#[test]
fn an_empty_selector_isolates_every_pod_of_the_policys_namespace_in_one_direction() {
    check(&world([("x", json!({}))]), [". X . .", "X . . .", "X X . .", "X X . ."]);
    let egress = json!({"policyTypes": ["Egress"]});
    check(&world([("x", egress)]), [". X X X", "X . X X", ". . . .", ". . . ."]);
}

#[test]
fn a_selector_isolates_what_it_selects() {
    let policy = json!({"podSelector": {"matchLabels": {"pod": "b"}}});
    check(&world([("x", policy)]), [". X . .", ". . . .", ". X . .", ". X . ."]);
}

#[test]
fn rules_for_a_direction_that_is_not_covered_do_nothing() {
    let inert = json!({"policyTypes": ["Egress"], "ingress": [], "egress": [{}]});
    check(&world([("x", inert)]), [". . . .", ". . . .", ". . . .", ". . . ."]);
}

#[test]
fn an_empty_rule_allows_all_and_the_world_outside() {
    let world = world([("x", json!({"ingress": [{}]}))]);
    check(&world, [". . . .", ". . . .", ". . . .", ". . . ."]);
    assert_eq!(open(&world, OUTSIDE, "x/a"), ALL);
}

#[test]
fn both_ends_must_allow() {
    let egress =
        json!({"policyTypes": ["Egress"], "egress": [{"to": [{"namespaceSelector": {}}]}]});
    let world = world([("x", egress), ("y", json!({}))]);
    check(&world, [". . X X", ". . X X", ". . . X", ". . X ."]);
    assert_eq!(open(&world, "x/a", OUTSIDE), "");
}

#[test]
fn policies_add_up() {
    let from =
        |pod| json!({"ingress": [{"from": [{"podSelector": {"matchLabels": {"pod": pod}}}]}]});
    check(&world([("x", from("a"))]), [". . . .", "X . . .", "X X . .", "X X . ."]);
    let both = world([("x", from("a")), ("x", from("b")), ("x", json!({}))]);
    check(&both, [". . . .", ". . . .", "X X . .", "X X . ."]);
}

#[test]
fn a_policy_opens_nothing_in_another_namespace() {
    let world = world([("x", json!({})), ("y", json!({"ingress": [{}]}))]);
    check(&world, [". X . .", "X . . .", "X X . .", "X X . ."]);
}

#[test]
fn peers_by_namespace_are_pods_and_nothing_else() {
    let world = world([("x", json!({"ingress": [{"from": [{"namespaceSelector": {}}]}]}))]);
    check(&world, [". . . .", ". . . .", ". . . .", ". . . ."]);
    assert_eq!(open(&world, OUTSIDE, "x/a"), "");
}

#[test]
fn selectors_in_one_peer_must_both_select() {
    let peer = json!({
        "namespaceSelector": {"matchLabels": {"team": "y"}},
        "podSelector": {"matchLabels": {"pod": "b"}},
    });
    let world = world([("x", json!({"ingress": [{"from": [peer]}]}))]);
    check(&world, [". X . .", "X . . .", "X X . .", ". . . ."]);
}

#[test]
fn of_two_peers_one_is_enough() {
    let peers = json!([
        {"namespaceSelector": {"matchLabels": {"team": "y"}}},
        {"podSelector": {"matchLabels": {"pod": "b"}}},
    ]);
    let world = world([("x", json!({"ingress": [{"from": peers}]}))]);
    check(&world, [". X . .", ". . . .", ". . . .", ". . . ."]);
}

#[test]
fn a_namespace_is_known_by_its_name_label() {
    let selector = json!({"matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["x"]},
    ]});
    let world = world([("x", json!({"ingress": [{"from": [{"namespaceSelector": selector}]}]}))]);
    check(&world, [". X . .", "X . . .", ". . . .", ". . . ."]);
}

#[test]
fn pods_of_a_namespace_not_known_yet_are_no_peers() {
    let mut world = world([("x", json!({"ingress": [{"from": [{"namespaceSelector": {}}]}]}))]);
    world.namespaces.retain(|name, _| name.name == "x");
    check(&world, [". . . .", ". . . .", "X X . .", "X X . ."]);
}

#[test]
fn ports_say_protocol_and_number() {
    for (ports, expected) in [
        (json!(null), ALL),
        (json!([]), ALL),
        (json!([{}]), "TCP 79, TCP 80, TCP 85, TCP 90, TCP 91, TCP 8080"),
        (json!([{"protocol": "UDP"}]), "UDP 53, UDP 80"),
        (json!([{"protocol": "SCTP", "port": 80}]), "SCTP 80"),
        (json!([{"port": 80}]), "TCP 80"),
        (json!([{"port": 80, "endPort": 90}]), "TCP 80, TCP 85, TCP 90"),
        (json!([{"port": 79}, {"port": 53, "protocol": "UDP"}]), "TCP 79, UDP 53"),
    ] {
        assert_eq!(open_by_ingress(json!({"ports": ports})), expected, "{ports}");
        let egress = open_by_egress(json!({"ports": ports}));
        assert_eq!(egress, [expected, expected], "{ports}");
    }
}

#[test]
fn a_named_port_is_the_receivers() {
    assert_eq!(open_by_ingress(json!({"ports": [{"port": "http"}]})), "TCP 8080");
    let to = json!([{"podSelector": {}}]);
    let [to_b, outside] = open_by_egress(json!({"to": to, "ports": [{"port": "http"}]}));
    assert_eq!([to_b, outside], ["TCP 8080", ""]);
    let others = json!([{"podSelector": {"matchLabels": {"pod": "a"}}}]);
    assert_eq!(open_by_egress(json!({"to": others, "ports": [{"port": "http"}]})), ["", ""]);
    let egress = json!({"policyTypes": ["Egress"], "egress": [{"ports": [{"port": "http"}]}]});
    let world = world([("x", egress)]);
    assert_eq!(open(&world, "x/a", "y/a"), "TCP 80");
    assert_eq!(open(&world, "x/a", "y/b"), "TCP 8080");
}

#[test]
fn a_named_port_needs_its_protocol_and_a_receiver_that_declares_it() {
    assert_eq!(open_by_ingress(json!({"ports": [{"port": "http", "protocol": "UDP"}]})), "");
    assert_eq!(open_by_ingress(json!({"ports": [{"port": "dns", "protocol": "UDP"}]})), "UDP 53");
    assert_eq!(open_by_ingress(json!({"ports": [{"port": "none"}]})), "");
    assert_eq!(open_by_ingress(json!({"ports": [{"port": "none"}, {"port": 79}]})), "TCP 79");
}

#[test]
fn a_named_port_towards_addresses_is_resolved_where_a_pod_is() {
    let anywhere = json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}]);
    for rule in
        [json!({"to": anywhere, "ports": [{"port": "http"}]}), json!({"ports": [{"port": "http"}]})]
    {
        assert_eq!(open_by_egress(rule), ["TCP 8080", ""]);
    }
}

#[test]
fn an_except_narrows_its_own_block_alone() {
    let block = json!({"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.0.2.0/24"]}});
    assert_eq!(open_by_egress(json!({"to": [block]})), ["", ""]);
    let again = json!({"ipBlock": {"cidr": "10.0.2.1/32"}});
    assert_eq!(open_by_egress(json!({"to": [block, again]})), [ALL, ""]);
    let ingress = world([("x", json!({"ingress": [{"from": [block]}]}))]);
    check(&ingress, [". . . .", "X . . .", ". . . .", "X X . ."]);
}

#[test]
fn a_block_never_means_the_other_family() {
    let all_of_v4 = json!({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]});
    let world = world([("x", json!({"ingress": [all_of_v4]}))]);
    let port = (Protocol::Tcp, 80);
    assert!(connects(&world, address("y/a"), address("x/a"), port));
    assert!(!connects(&world, address("fd00:0:0:1::2"), address("fd00:0:0:1::1"), port));
}

#[test]
fn both_families_of_a_pod_are_subject_and_peer() {
    let from = json!({"from": [{"podSelector": {}}]});
    let world = world([("x", json!({"ingress": [from]}))]);
    let port = (Protocol::Tcp, 80);
    assert!(connects(&world, address("fd00:0:0:1::1"), address("fd00:0:0:2::1"), port));
    assert!(!connects(&world, address("fd00:0:0:1::2"), address("fd00:0:0:2::1"), port));
}

/// The ports open from x/a to a changed x/b, under a policy that lets x/a out to pods of its
/// namespace alone.
fn open_to_changed_b(change: impl FnOnce(&mut Value)) -> String {
    let egress = json!({"policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {}}]}]});
    let mut world = world([("x", egress)]);
    let mut changed = pod("x/b");
    change(&mut changed);
    put(&mut world, changed);
    open(&world, "x/a", "x/b")
}

#[test]
fn a_pod_is_a_peer_as_long_as_it_holds_an_address_of_its_own() {
    let deletion = "2026-01-01T00:00:00Z";
    assert_eq!(
        open_to_changed_b(|pod| pod["metadata"]["deletionTimestamp"] = deletion.into()),
        ALL
    );
    assert_eq!(open_to_changed_b(|pod| pod["status"]["phase"] = "Pending".into()), ALL);
    assert_eq!(open_to_changed_b(|pod| pod["status"]["phase"] = "Succeeded".into()), "");
    assert_eq!(open_to_changed_b(|pod| pod["status"]["phase"] = "Failed".into()), "");
    assert_eq!(open_to_changed_b(|pod| pod["spec"]["hostNetwork"] = true.into()), "");
    assert_eq!(open_to_changed_b(|pod| pod["status"] = json!({})), "");
}

#[test]
fn a_pod_on_the_hosts_network_is_no_subject() {
    let mut world = world([("x", json!({"policyTypes": ["Ingress", "Egress"]}))]);
    let mut host = pod("x/b");
    host["spec"]["hostNetwork"] = true.into();
    host["status"]["podIPs"] = json!([{"ip": "172.18.0.3"}]);
    put(&mut world, host);
    assert_eq!(open(&world, "y/a", "172.18.0.3"), ALL);
}

#[test]
fn an_address_handed_on_is_the_new_pods() {
    let mut world = world([("x", json!({"podSelector": {"matchLabels": {"pod": "b"}}}))]);
    let mut next = pod("x/b");
    next["metadata"]["name"] = "next".into();
    next["metadata"]["labels"] = json!({});
    next["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z".into();
    put(&mut world, next.clone());
    assert_eq!(open(&world, "x/a", "x/b"), ALL);
    next["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:01Z".into();
    put(&mut world, next);
    assert_eq!(open(&world, "x/a", "x/b"), "");
}

#[test]
fn a_pod_too_new_to_be_known_is_held_where_policies_isolate() {
    let world = world([("x", json!({}))]);
    assert_eq!(open(&world, "y/a", "10.0.1.77"), "");
    assert_eq!(open(&world, "10.0.1.77", "y/a"), ALL);
}

#[test]
fn a_node_programs_its_own_pods() {
    let ruleset = no_fault(&world([("x", json!({}))]), 2);
    let subjects: Vec<_> = ruleset.ingress.subjects.iter().map(|subject| &subject.name).collect();
    assert_eq!(subjects, [&name("x/b"), &name("y/b")]);
    assert_eq!(ruleset.egress, Side::default());
}
